//! What a clerk should look at after a batch was cut. A finding stops nothing by itself.

use crate::fault::{Class, Code, Fault};

/// Something a clerk should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub code: &'static Code,
    /// The pages it is about, by their places in the batch as it came, from 0.
    pub pages: Vec<usize>,
    /// The figures behind it, English.
    pub detail: Option<String>,
}

impl Finding {
    pub(super) fn new(code: &'static Code) -> Self {
        Finding { code, pages: Vec::new(), detail: None }
    }

    pub(super) fn on(mut self, pages: impl IntoIterator<Item = usize>) -> Self {
        self.pages.extend(pages);
        self
    }

    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same as a fault; `name` says what a page is called, by its place in the batch.
    pub fn fault(&self, name: impl Fn(usize) -> String) -> Fault {
        let mut names: Vec<String> = self.pages.iter().take(MOST_NAMED).map(|page| name(*page)).collect();
        if let Some(more) = self.pages.len().checked_sub(MOST_NAMED).filter(|more| *more > 0) {
            names.push(format!("+{more}"));
        }
        let place = (!names.is_empty()).then(|| names.join("; "));
        Fault { code: self.code, place, detail: self.detail.clone() }
    }
}

/// More pages than this are counted, not named.
const MOST_NAMED: usize = 8;

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

/// The codes of one sheet announce different numbers of pages.
pub const SHEET_DISAGREES: Code = Code {
    id: "SCAN-090",
    class: Class::Person,
    vi: "Các mã trên cùng một tờ phân cách ghi số trang hoặc mã thủ tục khác nhau",
    en: "the codes on one sheet disagree about the number of pages or the procedure",
    remedy_vi: "In lại tờ phân cách, đếm lại giấy của hồ sơ này",
    remedy_en: "print the sheet anew, and count the papers of this dossier",
};

/// A separator should stand between these pages and was not read.
pub const MISSED_SHEET: Code = Code {
    id: "SCAN-091",
    class: Class::Person,
    vi: "Có thể thiếu một tờ phân cách hoặc không đọc được mã của nó, tính từ trang này",
    en: "a separator sheet that was expected at this page was not found",
    remedy_vi: "Xem từ trang này: nếu giấy của hồ sơ khác bắt đầu ở đây thì đặt tờ phân cách và quét lại",
    remedy_en: "look from this page on: where another dossier begins, lay a separator before it and scan again",
};

/// Another number of dossiers than expected.
pub const DOSSIER_COUNT: Code = Code {
    id: "SCAN-092",
    class: Class::Person,
    vi: "Số hồ sơ tách được khác số hồ sơ dự kiến của lô",
    en: "the batch gave another number of dossiers than expected",
    remedy_vi: "Đếm lại các tờ phân cách và hồ sơ trong lô, xem các trang được nêu",
    remedy_en: "count the separators and dossiers of the batch, look at the pages that are named",
};

/// A dossier that was announced is not in the batch.
pub const NOT_FOUND: Code = Code {
    id: "SCAN-093",
    class: Class::Person,
    vi: "Hồ sơ đã khai báo cho lô này nhưng không thấy tờ phân cách hoặc mã của nó",
    en: "a dossier announced for this batch was not found in it",
    remedy_vi: "Giấy của hồ sơ đó có thể nằm trong hồ sơ khác: kiểm tra ranh giới, quét lại nếu cần",
    remedy_en: "its papers may lie in another dossier: look where the dossiers end, scan again if need be",
};

/// One dossier code opens two segments.
pub const TWICE: Code = Code {
    id: "SCAN-094",
    class: Class::Person,
    vi: "Cùng một mã hồ sơ xuất hiện ở hai nhóm trang tách rời trong lô",
    en: "one dossier code opens two separate groups of pages",
    remedy_vi: "Kiểm tra thứ tự giấy: có thể giấy của hồ sơ này bị xen bởi hồ sơ khác",
    remedy_en: "look at the order of the papers: another dossier may lie between those of this one",
};

/// A batch of fronts, then backs, has not as many of one as of the other.
pub const SIDES_DIFFER: Code = Code {
    id: "SCAN-095",
    class: Class::Person,
    vi: "Số mặt trước và số mặt sau không bằng nhau nên không chắc mặt nào đi với mặt nào",
    en: "fronts and backs are not equal in number, so which belong together is not sure",
    remedy_vi: "Kiểm tra kẹt giấy hoặc giấy bị kéo đôi, rồi quét lại cả hai mặt",
    remedy_en: "look for a jam or a double feed, then scan both sides again",
};

/// The codes of this room.
pub const CODES: &[&Code] = &[
    &PAGE_COUNT,
    &NO_CODE,
    &TWO_CODES,
    &EMPTY,
    &UNREAD,
    &SHEET_DISAGREES,
    &MISSED_SHEET,
    &DOSSIER_COUNT,
    &NOT_FOUND,
    &TWICE,
    &SIDES_DIFFER,
];
