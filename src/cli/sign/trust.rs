//! A folder of what is trusted and known: roots, intermediates, revocation lists.

use super::{MAX_FILE, UNREADABLE, read};
use crate::fault::{Fault, Outcome};
use crate::seal::evidence::Evidence;
use crate::seal::key::file::read_certificates;
use openssl::x509::{X509, X509Crl, X509VerifyResult};
use std::path::Path;

/// What a folder holds.
#[derive(Default)]
pub(super) struct Trust {
    /// All certificates.
    pub(super) certificates: Vec<X509>,
    /// Those that sign themselves.
    pub(super) roots: Vec<X509>,
    /// Intermediates and lists.
    pub(super) evidence: Evidence,
}

impl Trust {
    /// Loads `*.pem *.crt *.cer` and `*.crl`, PEM or DER; of its subfolder `signing` where it has one, so that a
    /// station's `anchors/` can be given.
    ///
    /// # Errors
    /// [`UNREADABLE`], also for a folder without a root.
    pub(super) fn load(folder: &Path) -> Outcome<Self> {
        let inner = folder.join("signing");
        let folder = if inner.is_dir() { inner } else { folder.to_owned() };
        let fault = |what: &dyn std::fmt::Display| Fault::new(&UNREADABLE).detail(what).at(folder.display());
        let mut trust = Trust::default();
        for entry in std::fs::read_dir(&folder).map_err(|e| fault(&e.kind()))? {
            let path = entry.map_err(|e| fault(&e.kind()))?.path();
            let kind = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
            let at = |f: Fault| f.at(path.display());
            match kind.as_str() {
                "pem" | "crt" | "cer" => {
                    trust.certificates.extend(read_certificates(&read(&path, MAX_FILE)?).map_err(at)?);
                }
                "crl" => {
                    let bytes = read(&path, MAX_LIST)?;
                    let crl = X509Crl::from_der(&bytes).or_else(|_| X509Crl::from_pem(&bytes));
                    let der = crl.and_then(|c| c.to_der());
                    let der = der.map_err(|_| at(Fault::new(&UNREADABLE).detail("not a revocation list")))?;
                    trust.evidence.add_crl(&der).map_err(at)?;
                }
                _ => {}
            }
        }
        for certificate in &trust.certificates {
            if certificate.issued(certificate) == X509VerifyResult::OK {
                trust.roots.push(certificate.clone());
            } else if let Ok(der) = certificate.to_der() {
                trust.evidence.add_certificate(&der)?;
            }
        }
        if trust.roots.is_empty() { Err(fault(&"no root certificate")) } else { Ok(trust) }
    }
}

const MAX_LIST: u64 = 32 << 20;
