//! The QR that the system prints on papers (Circular 01/2023/TT-VPCP Art 26).

use crate::codes::{DossierCode, ProcedureCode};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the system prints into the QR of a paper: `hoso:1;d=..;p=..;o=..;n=..;s=..;t=..` and, on receipts, `h=`, on
/// results, `v=` and `r=`. Art 26 names the contents but no syntax; this one is ours, version 1. Values are
/// percent-encoded UTF-8; unknown keys are passed over, a key that comes twice makes the text no system QR.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemQr {
    /// `d`: the dossier.
    pub dossier: DossierCode,
    /// `p`: the procedure.
    pub procedure: Option<ProcedureCode>,
    /// `o`: identifier of the person or organisation; personal data.
    pub holder: Option<String>,
    /// `n`: name of the paper.
    pub paper: Option<String>,
    /// `s`: the system that made it.
    pub system: Option<String>,
    /// `t`: when it was issued, ISO 8601.
    pub issued: Option<String>,
    /// `h`: appointment date of a receipt.
    pub appointment: Option<String>,
    /// `v`: last day of validity of a result.
    pub valid_until: Option<String>,
    /// `r`: scope of validity of a result.
    pub scope: Option<String>,
}

impl SystemQr {
    /// Reads the text of a QR; nothing where it is not of this form.
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.trim().strip_prefix("hoso:1;")?;
        if body.len() > LONGEST {
            return None;
        }
        let mut pairs: Vec<(&str, String)> = Vec::new();
        for part in body.split(';').filter(|part| !part.is_empty()) {
            let (key, value) = part.split_once('=')?;
            if key.is_empty() || pairs.len() >= MOST_KEYS || pairs.iter().any(|(known, _)| *known == key) {
                return None;
            }
            pairs.push((key, percent_decoded(value)?));
        }
        let mut take = |key: &str| {
            let at = pairs.iter().position(|(known, _)| *known == key)?;
            Some(pairs.swap_remove(at).1)
        };
        let procedure = match take("p") {
            Some(code) => Some(code.parse().ok()?),
            None => None,
        };
        Some(SystemQr {
            dossier: take("d")?.parse().ok()?,
            procedure,
            holder: take("o"),
            paper: take("n"),
            system: take("s"),
            issued: take("t"),
            appointment: take("h"),
            valid_until: take("v"),
            scope: take("r"),
        })
    }
}

/// The text that goes into the QR.
impl fmt::Display for SystemQr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hoso:1;d={}", self.dossier)?;
        if let Some(procedure) = &self.procedure {
            write!(f, ";p={procedure}")?;
        }
        let rest = [
            ("o", &self.holder),
            ("n", &self.paper),
            ("s", &self.system),
            ("t", &self.issued),
            ("h", &self.appointment),
            ("v", &self.valid_until),
            ("r", &self.scope),
        ];
        for (key, value) in rest {
            if let Some(value) = value {
                write!(f, ";{key}=")?;
                for character in value.chars() {
                    match character {
                        ';' | '=' | '%' => write!(f, "%{:02X}", u32::from(character))?,
                        other => write!(f, "{other}")?,
                    }
                }
            }
        }
        Ok(())
    }
}

/// Shows the dossier and the procedure only.
impl fmt::Debug for SystemQr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemQr")
            .field("dossier", &self.dossier)
            .field("procedure", &self.procedure)
            .finish_non_exhaustive()
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
            bytes.push((digit()? * 16 + digit()?) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Longest body of a system QR; the largest QR holds 2953 bytes.
const LONGEST: usize = 2953;
/// More keys than this are no system QR.
const MOST_KEYS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "H49.12.5-250914-0042";

    #[test]
    fn a_system_qr_reads_what_it_writes_and_a_key_that_comes_twice_makes_it_none() {
        let qr = SystemQr {
            dossier: A.parse().unwrap(),
            procedure: Some("1.005129".parse().unwrap()),
            holder: Some("040203000001".into()),
            paper: Some("Giấy tiếp nhận; 100% = đủ".into()),
            system: Some("hoso".into()),
            issued: Some("2025-09-14T08:05:09+07:00".into()),
            appointment: Some("2025-09-21".into()),
            valid_until: None,
            scope: None,
        };
        let text = qr.to_string();
        assert!(text.starts_with("hoso:1;d=H49.12.5-250914-0042;p=1.005129;o="));
        assert_eq!(SystemQr::parse(&text), Some(qr.clone()));
        assert_eq!(SystemQr::parse(&format!("{text};z=later")), Some(qr.clone()));
        assert!(!format!("{qr:?}").contains("040203000001"));
        for bad in [
            format!("{text};d={A}"),
            format!("{text};z=1;z=2"),
            "hoso:1;p=1.005129".to_owned(),
            "hoso:2;d=H49.12.5-250914-0042".to_owned(),
            format!("hoso:1;d={A};p=none"),
            format!("hoso:1;d={A};n=%4"),
            format!("hoso:1;d={A};n=%FF"),
            format!("hoso:1;d={A};n"),
            format!("hoso:1;d={A};n={}", "x".repeat(3000)),
        ] {
            assert_eq!(SystemQr::parse(&bad), None, "{bad}");
        }
    }
}
