//! What a code on a page means, and where a batch is cut into dossiers.
//!
//! Every page that is no separator is in exactly one segment, in order. What a separator or code says holds for its
//! own segment and never leaks into the next.

use super::barcode::Format;
use crate::codes::DossierCode;
use crate::fault::{Class, Code, Fault, Report};

/// What a code is for, by allow-listed grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// A dossier code.
    DossierCode(DossierCode),
    /// A separator sheet; the number of pages that follow, where it says so.
    Separator {
        /// Pages until the next separator.
        expected_pages: Option<u32>,
    },
    /// The QR of an identity card.
    CardQr,
    /// A QR printed by the system (Circular 01/2023, Art 26).
    SystemQr,
    /// Anything else.
    Unknown,
}

/// A page as the cutter sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageMark {
    /// Its index in the batch.
    pub index: usize,
    /// What its codes are for.
    pub roles: Vec<Role>,
    /// It could not be read, so it may have been anything.
    pub failed: bool,
}

/// What lies between two cuts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    /// The dossier code on its pages.
    pub code: Option<DossierCode>,
    /// The separator sheet before it: kept as evidence, part of no paper.
    pub separator: Option<usize>,
    /// Its pages, in order.
    pub pages: Vec<usize>,
    /// The same, as papers: a separator within one dossier begins another paper.
    pub papers: Vec<Vec<usize>>,
    /// How many pages its separators say, where they say so.
    pub expected_pages: Option<u32>,
    /// What a person should know.
    pub findings: Vec<Finding>,
}

/// Something about a segment that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub code: &'static Code,
    /// The figures.
    pub detail: String,
}

impl Finding {
    /// As data.
    pub fn report(&self) -> Report {
        Fault::new(self.code).detail(&self.detail).report()
    }
}

/// Cuts a batch. A separator begins a segment and is none of its pages; a page with a dossier code other than the
/// open segment's begins one and is its first page.
pub fn split(marks: &[PageMark]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for mark in marks {
        let separator = mark.roles.iter().find_map(|r| match r {
            Role::Separator { expected_pages } => Some(*expected_pages),
            _ => None,
        });
        if let Some(expected_pages) = separator {
            segments.push(Segment { separator: Some(mark.index), expected_pages, ..Segment::default() });
            continue;
        }
        let codes = codes_of(mark);
        let begins = match (segments.last(), codes.first()) {
            (None, _) => true,
            (Some(open), Some(code)) => match &open.code {
                Some(held) => held != code,
                None => !open.pages.is_empty(),
            },
            (Some(_), None) => false,
        };
        if begins {
            segments.push(Segment::default());
        }
        // There is one: it was pushed just now where there was none.
        let Some(open) = segments.last_mut() else { continue };
        open.pages.push(mark.index);
        if open.code.is_none() {
            open.code = codes.first().cloned();
        }
        if let [first, second, ..] = codes.as_slice() {
            let detail = format!("page {}: {first} and {second}", mark.index + 1);
            open.findings.push(Finding { code: &TWO_CODES, detail });
        }
    }
    let mut segments = join_papers(segments);
    for segment in &mut segments {
        judge(segment);
    }
    segments
}

/// The different dossier codes on one page.
fn codes_of(mark: &PageMark) -> Vec<DossierCode> {
    let mut codes: Vec<DossierCode> = Vec::new();
    for role in &mark.roles {
        if let Role::DossierCode(code) = role
            && !codes.contains(code)
        {
            codes.push(code.clone());
        }
    }
    codes
}

/// Neighbours with one dossier code are papers of one dossier.
fn join_papers(segments: Vec<Segment>) -> Vec<Segment> {
    let mut joined: Vec<Segment> = Vec::new();
    for mut segment in segments {
        segment.papers = if segment.pages.is_empty() { Vec::new() } else { vec![segment.pages.clone()] };
        match joined.last_mut() {
            Some(open) if open.code.is_some() && open.code == segment.code => {
                open.pages.append(&mut segment.pages);
                open.papers.append(&mut segment.papers);
                open.findings.append(&mut segment.findings);
                open.expected_pages = match (open.expected_pages, segment.expected_pages) {
                    (Some(a), Some(b)) => a.checked_add(b),
                    _ => None,
                };
            }
            _ => joined.push(segment),
        }
    }
    joined
}

fn judge(segment: &mut Segment) {
    let pages = u32::try_from(segment.pages.len()).unwrap_or(u32::MAX);
    if pages == 0 {
        segment.findings.push(Finding { code: &NOTHING_AFTER, detail: "0 pages".into() });
        return;
    }
    if let Some(expected) = segment.expected_pages.filter(|e| *e != pages) {
        let detail = format!("{pages} pages, expected {expected}");
        segment.findings.push(Finding { code: &PAGE_COUNT, detail });
    }
    if segment.code.is_none() {
        segment.findings.push(Finding { code: &NO_CODE, detail: format!("{pages} pages") });
    }
}

/// The role of a code.
pub fn role_of(_format: Format, text: &str) -> Role {
    let text = text.trim();
    if let Ok(code) = text.parse::<DossierCode>() {
        return Role::DossierCode(code);
    }
    if text == "PATCHT" || text == "HOSO-SEP" {
        return Role::Separator { expected_pages: None };
    }
    if let Some(Ok(n)) = text.strip_prefix("HOSO-SEP-").map(str::parse::<u32>) {
        return Role::Separator { expected_pages: Some(n) };
    }
    let fields: Vec<&str> = text.split('|').collect();
    if fields.len() >= 7 && fields[0].len() == 12 && fields[0].bytes().all(|b| b.is_ascii_digit()) {
        return Role::CardQr;
    }
    if text.starts_with("hoso:1;") { Role::SystemQr } else { Role::Unknown }
}

/// Another number of pages than the separator says.
pub const PAGE_COUNT: Code = Code {
    id: "SCAN-090",
    class: Class::Input,
    vi: "Số trang khác với số ghi trên tờ phân cách",
    en: "another number of pages than the separator says",
    remedy_vi: "Đếm lại giấy và quét lại",
    remedy_en: "count the sheets and scan again",
};
/// No dossier code.
pub const NO_CODE: Code = Code {
    id: "SCAN-091",
    class: Class::Person,
    vi: "Không tìm thấy mã hồ sơ trên các trang",
    en: "no dossier code was found on the pages",
    remedy_vi: "Ghi mã hồ sơ bằng tay hoặc quét lại tờ bìa",
    remedy_en: "give the code by hand or scan the cover again",
};
/// Two dossier codes.
pub const TWO_CODES: Code = Code {
    id: "SCAN-092",
    class: Class::Input,
    vi: "Một trang mang hai mã hồ sơ khác nhau",
    en: "one page carries two different dossier codes",
    remedy_vi: "Kiểm tra tờ bìa, đặt tờ phân cách và quét lại",
    remedy_en: "look at the cover, put a separator there and scan again",
};
/// A separator with nothing after it.
pub const NOTHING_AFTER: Code = Code {
    id: "SCAN-093",
    class: Class::Person,
    vi: "Sau tờ phân cách không có trang nào",
    en: "there is no page after a separator",
    remedy_vi: "Kiểm tra khay giấy: có thể giấy bị bỏ sót",
    remedy_en: "look into the feeder: sheets may have been missed",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&PAGE_COUNT, &NO_CODE, &TWO_CODES, &NOTHING_AFTER];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(index: usize, texts: &[&str]) -> PageMark {
        PageMark { index, roles: texts.iter().map(|t| role_of(Format::Code128, t)).collect(), failed: false }
    }

    const A: &str = "H40.17.5-261121-0001";
    const B: &str = "H40.17.5-261121-0002";

    #[test]
    fn a_separator_begins_a_dossier_and_belongs_to_none() {
        let cut = split(&[page(0, &["HOSO-SEP-2"]), page(1, &[A]), page(2, &[]), page(3, &["PATCHT"]), page(4, &[B])]);
        assert_eq!(cut.iter().map(|s| s.pages.clone()).collect::<Vec<_>>(), [vec![1, 2], vec![4]]);
        assert_eq!(cut[0].code.as_ref().map(ToString::to_string).as_deref(), Some(A));
        assert!(cut.iter().all(|s| s.findings.is_empty()), "{cut:?}");
    }

    #[test]
    fn a_missing_page_is_said_and_does_not_leak() {
        let cut = split(&[page(0, &["HOSO-SEP-3"]), page(1, &[A]), page(2, &[B]), page(3, &[])]);
        assert_eq!(cut[0].findings[0].code, &PAGE_COUNT);
        assert_eq!(cut[1].expected_pages, None);
        assert!(cut[1].findings.is_empty());
    }

    #[test]
    fn a_separator_within_one_dossier_begins_another_paper() {
        let cut = split(&[page(0, &[A]), page(1, &[]), page(2, &["HOSO-SEP"]), page(3, &[A])]);
        assert_eq!(cut.len(), 1);
        assert_eq!(cut[0].papers, [vec![0, 1], vec![3]]);
    }

    #[test]
    fn two_separators_in_a_row_report_the_empty_one() {
        let cut = split(&[page(0, &["HOSO-SEP"]), page(1, &["HOSO-SEP"]), page(2, &[])]);
        assert_eq!(cut[0].findings[0].code, &NOTHING_AFTER);
        assert_eq!(cut[1].findings[0].code, &NO_CODE);
    }

    #[test]
    fn two_codes_on_one_page_are_not_guessed_about() {
        let cut = split(&[page(0, &[A, B])]);
        assert_eq!(cut[0].findings[0].code, &TWO_CODES);
    }

    #[test]
    fn a_strange_code_means_nothing() {
        for text in ["", "12345678901234567890123456789012345678901234567890123456", "HOSO-SEP-x", "HOSO-SEPARATE", "hoso:2;d=1"] {
            assert_eq!(role_of(Format::QRCode, text), Role::Unknown, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_page_but_separators_is_in_one_segment_in_order(kinds in proptest::collection::vec(0u8..5, 0..40)) {
            let texts = [vec![], vec![A], vec![B], vec!["HOSO-SEP-2"], vec!["zzz"]];
            let marks: Vec<PageMark> = kinds.iter().enumerate().map(|(i, k)| page(i, &texts[*k as usize])).collect();
            let pages: Vec<usize> = split(&marks).into_iter().flat_map(|s| {
                assert_eq!(s.papers.concat(), s.pages);
                s.pages
            }).collect();
            let want: Vec<usize> = (0..kinds.len()).filter(|i| kinds[*i] != 3).collect();
            prop_assert_eq!(pages, want);
        }
    }
}
