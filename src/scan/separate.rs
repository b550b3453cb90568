//! Cutting a batch of pages into dossiers and papers by what their codes say.
//!
//! A code plays a role only when its text obeys the grammar of that role; every other code is [`Role::Unknown`] and
//! changes nothing. The rules of cutting, in order:
//!
//! 1. a separator page opens a segment; it is kept as evidence beside the papers, never among them;
//! 2. a page with a dossier code opens a segment with that code, unless the open segment is still without code and
//!    pages, or carries the same code: then the page joins it, and opens a new paper;
//! 3. any other page joins the open paper.
//!
//! What a separator or a code said counts for its own segment only. The QR of a card and the QR that the system
//! prints on papers (an old result may be handed in with a new dossier) never cut.

use crate::codes::{DossierCode, ProcedureCode};
use crate::fault::{Class, Code, Fault, Report};
use crate::scan::barcode::Format;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a code on a page is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The dossier that the pages from here on belong to.
    DossierCode(DossierCode),
    /// A sheet between two dossiers.
    Separator {
        /// How many pages should follow, where the sheet says so.
        expected_pages: Option<u32>,
    },
    /// The QR of an identity card; read by `chip::card_qr`.
    CardQr,
    /// The QR of a paper that the system printed (Circular 01/2023/TT-VPCP Art 26).
    SystemQr(Box<SystemQr>),
    /// Anything else.
    Unknown,
}

/// The role of a code, by its format and the grammar of its text. Never fails: a strange code is unknown.
pub fn role_of(format: Format, text: &str) -> Role {
    if let Ok(code) = text.parse::<DossierCode>() {
        return Role::DossierCode(code);
    }
    if let Some(expected_pages) = separator(text) {
        return Role::Separator { expected_pages };
    }
    if format == Format::QRCode {
        if let Some(qr) = SystemQr::parse(text) {
            return Role::SystemQr(Box::new(qr));
        }
        if looks_like_card(text) {
            return Role::CardQr;
        }
    }
    Role::Unknown
}

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

/// One page of a batch, as cutting sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageMark {
    /// Its place in the batch.
    pub index: usize,
    /// What its codes are for.
    pub roles: Vec<Role>,
    /// True where the page could not be decoded, so that its codes are not known.
    pub failed: bool,
}

/// Something a clerk should look at; it stops nothing. The same data as a fault's report.
pub type Finding = Report;

/// The pages of one dossier in a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The dossier, where exactly one code was found.
    pub code: Option<DossierCode>,
    /// The separator sheet that opened it, by its place in the batch; kept as evidence.
    pub separator: Option<usize>,
    /// Its pages in order, the separator not among them.
    pub pages: Vec<usize>,
    /// The same pages, cut into papers.
    pub papers: Vec<Vec<usize>>,
    /// How many pages the separator announced.
    pub expected_pages: Option<u32>,
    /// What a clerk should look at.
    pub findings: Vec<Finding>,
}

/// Cuts a batch into segments. Every page is in exactly one segment, in the order of `pages`, either among its pages
/// or as its separator.
pub fn split(pages: &[PageMark]) -> Vec<Segment> {
    let mut done = Vec::new();
    let mut open: Option<Open> = None;
    for page in pages {
        let codes = distinct_codes(page);
        if let Some(expected_pages) = announced(page) {
            let segment = Segment { separator: Some(page.index), expected_pages, ..Default::default() };
            done.extend(open.replace(Open::start(segment)).map(Open::close));
        } else if !codes.is_empty() {
            let joins = open.as_ref().is_some_and(|open| open.accepts(&codes));
            if !joins {
                done.extend(open.replace(Open::start(Segment::default())).map(Open::close));
            }
        }
        let open = open.get_or_insert_with(|| Open::start(Segment::default()));
        open.take(page, &codes);
    }
    done.extend(open.map(Open::close));
    done
}

/// A segment that still takes pages.
struct Open {
    segment: Segment,
    rivals: bool,
    failed: usize,
}

impl Open {
    fn start(segment: Segment) -> Self {
        Open { segment, rivals: false, failed: 0 }
    }

    fn accepts(&self, codes: &[&DossierCode]) -> bool {
        match &self.segment.code {
            Some(own) => codes.contains(&own),
            None => self.segment.pages.is_empty(),
        }
    }

    fn take(&mut self, page: &PageMark, codes: &[&DossierCode]) {
        self.failed += usize::from(page.failed);
        match codes {
            [] => {}
            [code] => {
                self.segment.code.get_or_insert_with(|| (*code).clone());
            }
            // Which of them it is, nobody guesses.
            _ => self.rivals = true,
        }
        if self.segment.separator == Some(page.index) {
            return;
        }
        self.segment.pages.push(page.index);
        match self.segment.papers.last_mut() {
            Some(paper) if codes.is_empty() => paper.push(page.index),
            _ => self.segment.papers.push(vec![page.index]),
        }
    }

    fn close(self) -> Segment {
        let Open { mut segment, rivals, failed } = self;
        let mut find = |code: &'static Code, detail: Option<String>| {
            let fault = Fault { code, place: None, detail };
            segment.findings.push(fault.report());
        };
        let count = segment.pages.len();
        if rivals {
            find(&TWO_CODES, None);
        } else if segment.code.is_none() && count > 0 {
            find(&NO_CODE, Some(format!("{count} pages")));
        }
        if segment.separator.is_some() && count == 0 {
            find(&EMPTY, None);
        }
        if let Some(expected) = segment.expected_pages
            && count > 0
            && usize::try_from(expected) != Ok(count)
        {
            find(&PAGE_COUNT, Some(format!("{count} pages, {expected} expected")));
        }
        if failed > 0 {
            find(&UNREAD, Some(format!("{failed} pages")));
        }
        segment
    }
}

/// What a page says as a separator: nothing where it is none; no number where several differ.
fn announced(page: &PageMark) -> Option<Option<u32>> {
    let mut numbers = Vec::new();
    for role in &page.roles {
        if let Role::Separator { expected_pages } = role {
            numbers.push(*expected_pages);
        }
    }
    let first = numbers.iter().copied().flatten().next();
    let agreed = numbers.iter().flatten().all(|n| Some(*n) == first);
    (!numbers.is_empty()).then_some(first.filter(|_| agreed))
}

fn distinct_codes(page: &PageMark) -> Vec<&DossierCode> {
    let mut codes: Vec<&DossierCode> = Vec::new();
    for role in &page.roles {
        if let Role::DossierCode(code) = role
            && !codes.contains(&code)
        {
            codes.push(code);
        }
    }
    codes
}

/// `PATCHT`, `HOSO-SEP`, or `HOSO-SEP-<n>` with 1 to 4 digits.
fn separator(text: &str) -> Option<Option<u32>> {
    let text = text.trim();
    if text == "PATCHT" || text == "HOSO-SEP" {
        return Some(None);
    }
    let number = text.strip_prefix("HOSO-SEP-")?;
    let good = (1..=4).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let number: u32 = number.parse().ok().filter(|_| good)?;
    (number > 0).then_some(Some(number))
}

/// Seven or more fields, the first a number of 12 digits.
fn looks_like_card(text: &str) -> bool {
    let mut fields = text.split('|');
    let first = fields.next().map(str::trim).unwrap_or_default();
    first.len() == 12 && first.bytes().all(|b| b.is_ascii_digit()) && (6..=23).contains(&fields.count())
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

/// The page count of a segment differs from what its separator announced.
pub const PAGE_COUNT: Code = Code {
    id: "SCAN-060",
    class: Class::Person,
    vi: "Số trang quét được khác số trang ghi trên tờ phân cách",
    en: "the page count differs from what the separator announced",
    remedy_vi: "Đếm lại giấy và quét bổ sung trang thiếu, hoặc xác nhận số trang",
    remedy_en: "count the papers and scan what is missing, or confirm the count",
};

/// A segment has no dossier code.
pub const NO_CODE: Code = Code {
    id: "SCAN-061",
    class: Class::Person,
    vi: "Không đọc được mã hồ sơ nào trong nhóm trang này",
    en: "no dossier code was read among these pages",
    remedy_vi: "Gán mã hồ sơ bằng tay hoặc quét lại trang có mã",
    remedy_en: "assign the dossier code by hand or scan the page with the code again",
};

/// One page carries two different dossier codes.
pub const TWO_CODES: Code = Code {
    id: "SCAN-062",
    class: Class::Person,
    vi: "Có hai mã hồ sơ khác nhau trong cùng một nhóm trang",
    en: "two different dossier codes stand in one group of pages",
    remedy_vi: "Chọn mã đúng hoặc tách trang",
    remedy_en: "choose the right code or separate the pages",
};

/// A separator with no page after it.
pub const EMPTY: Code = Code {
    id: "SCAN-063",
    class: Class::Person,
    vi: "Sau tờ phân cách không có trang nào",
    en: "no page follows the separator",
    remedy_vi: "Bỏ tờ phân cách thừa hoặc quét các trang còn thiếu",
    remedy_en: "remove the separator or scan the pages that are missing",
};

/// Pages that could not be decoded may hide a separator or a code.
pub const UNREAD: Code = Code {
    id: "SCAN-064",
    class: Class::Person,
    vi: "Có trang không giải mã được, có thể là tờ phân cách hoặc trang có mã hồ sơ",
    en: "a page that could not be decoded may be a separator or carry a code",
    remedy_vi: "Quét lại trang lỗi rồi kiểm tra ranh giới hồ sơ",
    remedy_en: "scan the page again, then check where the dossier ends",
};

/// The codes that this file raises.
pub const CODES: &[&Code] = &[&PAGE_COUNT, &NO_CODE, &TWO_CODES, &EMPTY, &UNREAD];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: &str = "H49.12.5-250914-0042";
    const B: &str = "H49.12.5-250914-0043";

    fn marks(pages: &[&[&str]]) -> Vec<PageMark> {
        let roles = |texts: &[&str]| texts.iter().map(|t| role_of(Format::QRCode, t)).collect();
        let mark = |(index, texts): (usize, &&[&str])| PageMark { index, roles: roles(texts), failed: false };
        pages.iter().enumerate().map(mark).collect()
    }

    fn short(segment: &Segment) -> (Option<String>, Option<usize>, &[usize], Vec<&str>) {
        let findings = segment.findings.iter().map(|f| f.code.as_str()).collect();
        (segment.code.as_ref().map(ToString::to_string), segment.separator, &segment.pages, findings)
    }

    #[test]
    fn roles_are_given_by_grammar_and_a_strange_code_is_unknown() {
        let role = |text: &str| role_of(Format::QRCode, text);
        assert_eq!(role(A), Role::DossierCode(A.parse().unwrap()));
        assert_eq!(role("PATCHT"), Role::Separator { expected_pages: None });
        assert_eq!(role("HOSO-SEP"), Role::Separator { expected_pages: None });
        assert_eq!(role_of(Format::Code128, "HOSO-SEP-12"), Role::Separator { expected_pages: Some(12) });
        let card = "001090123456||NGUYỄN VĂN A|01011990|Nam|Phường X|15042021";
        assert_eq!(role(card), Role::CardQr);
        assert_eq!(role(&format!("{card}||||")), Role::CardQr);
        for strange in [
            "",
            "HOSO-SEP-",
            "HOSO-SEP-0",
            "HOSO-SEP-99999",
            "HOSO-SEP-1a",
            "hoso-sep",
            "PATCHT2",
            "https://example.invalid/",
            "001090123456|NGUYEN VAN A|01011990|Nam|X|15042021",
            "00109012345||A|01011990|Nam|X|15042021",
            "12345678901234567890123456789012345678901234567890123456",
        ] {
            assert_eq!(role(strange), Role::Unknown, "{strange}");
        }
        assert_eq!(role_of(Format::Code128, card), Role::Unknown);
    }

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
            assert_eq!(role_of(Format::QRCode, &bad), Role::Unknown);
        }
    }

    #[test]
    fn separators_and_codes_cut_a_batch_and_nothing_leaks_into_the_next_segment() {
        let pages = marks(&[&["HOSO-SEP-2"], &[A], &["strange"], &["PATCHT"], &[], &[B], &[], &[B], &[]]);
        let segments = split(&pages);
        assert_eq!(short(&segments[0]), (Some(A.into()), Some(0), &[1, 2][..], vec![]));
        assert_eq!(segments[0].expected_pages, Some(2));
        assert_eq!(short(&segments[1]), (None, Some(3), &[4][..], vec!["SCAN-061"]));
        assert_eq!(segments[1].expected_pages, None);
        assert_eq!(short(&segments[2]), (Some(B.into()), None, &[5, 6, 7, 8][..], vec![]));
        assert_eq!(segments[2].papers, [vec![5, 6], vec![7, 8]]);
        assert_eq!(segments.len(), 3);
    }

    #[test]
    fn a_separator_that_carries_a_code_gives_it_to_its_segment() {
        let segments = split(&marks(&[&["HOSO-SEP-1", A], &[], &["HOSO-SEP", B], &[], &[]]));
        assert_eq!(short(&segments[0]), (Some(A.into()), Some(0), &[1][..], vec![]));
        assert_eq!(short(&segments[1]), (Some(B.into()), Some(2), &[3, 4][..], vec![]));
    }

    #[test]
    fn what_does_not_add_up_is_said() {
        let segments =
            split(&marks(&[&["HOSO-SEP-3"], &[A], &["PATCHT"], &["PATCHT"], &[A, B], &[], &["PATCHT"]]));
        let findings: Vec<_> = segments.iter().map(|s| short(s).3).collect();
        assert_eq!(findings, [vec!["SCAN-060"], vec!["SCAN-063"], vec!["SCAN-062"], vec!["SCAN-063"]]);
        assert_eq!(segments[2].code, None);
        let finding = &segments[0].findings[0];
        assert_eq!(finding.detail.as_deref(), Some("1 pages, 3 expected"));
        assert!(finding.vi.contains("tờ phân cách") && finding.en.contains("separator"));
    }

    #[test]
    fn a_second_code_beside_the_own_one_is_said_and_the_own_one_stays() {
        let segments = split(&marks(&[&[A], &[A, B], &[]]));
        assert_eq!(short(&segments[0]), (Some(A.into()), None, &[0, 1, 2][..], vec!["SCAN-062"]));
    }

    #[test]
    fn a_failed_page_stays_in_its_place_and_is_named() {
        let mut pages = marks(&[&[A], &[], &[]]);
        pages[1].failed = true;
        let segments = split(&pages);
        assert_eq!(short(&segments[0]), (Some(A.into()), None, &[0, 1, 2][..], vec!["SCAN-064"]));
    }

    #[test]
    fn cards_and_system_papers_do_not_cut() {
        let card = "001090123456||NGUYEN VAN A|01011990|Nam|X|15042021";
        let segments = split(&marks(&[&[A], &[card], &[&format!("hoso:1;d={B}")], &[]]));
        assert_eq!(short(&segments[0]), (Some(A.into()), None, &[0, 1, 2, 3][..], vec![]));
        assert!(split(&[]).is_empty());
    }

    fn any_role() -> impl Strategy<Value = Role> {
        prop_oneof![
            Just(Role::Unknown),
            Just(Role::CardQr),
            Just(Role::DossierCode(A.parse().unwrap())),
            Just(Role::DossierCode(B.parse().unwrap())),
            proptest::option::of(1u32..9).prop_map(|expected_pages| Role::Separator { expected_pages }),
        ]
    }

    proptest! {
        #[test]
        fn every_page_is_in_exactly_one_segment_in_order(
            batch in proptest::collection::vec((proptest::collection::vec(any_role(), 0..3), any::<bool>()), 0..40)
        ) {
            let mark = |(index, (roles, failed))| PageMark { index, roles, failed };
            let pages: Vec<PageMark> = batch.into_iter().enumerate().map(mark).collect();
            let segments = split(&pages);
            let mut seen = Vec::new();
            for segment in &segments {
                seen.extend(segment.separator);
                seen.extend(&segment.pages);
                prop_assert_eq!(segment.papers.concat(), segment.pages.clone());
                prop_assert!(segment.papers.iter().all(|paper| !paper.is_empty()));
            }
            prop_assert_eq!(seen, (0..pages.len()).collect::<Vec<_>>());
            for page in &pages {
                let is_separator = page.roles.iter().any(|r| matches!(r, Role::Separator { .. }));
                prop_assert_eq!(segments.iter().any(|s| s.separator == Some(page.index)), is_separator);
            }
            prop_assert_eq!(split(&pages), segments);
        }

        #[test]
        fn any_text_has_a_role(text in "\\PC{0,60}|hoso:1;[a-z=;%0-9]{0,40}") {
            let _ = role_of(Format::QRCode, &text);
        }
    }
}
