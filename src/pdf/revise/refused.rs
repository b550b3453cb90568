//! What the reader and the appending writer refuse, and why.

use crate::fault::{Class, Code};

/// Every code of this room.
pub const CODES: &[&Code] = &[
    &NOT_A_PDF,
    &NO_STARTXREF,
    &XREF_BROKEN,
    &XREF_LOOP,
    &TOO_LARGE,
    &SYNTAX,
    &MISPLACED,
    &FILTER,
    &STREAM_BROKEN,
    &ENCRYPTED,
    &HYBRID,
    &NO_CATALOG,
    &PAGE_TREE,
    &NO_SUCH_PAGE,
    &OFFSET_RANGE,
    &FORM,
];

/// No header at the first byte.
pub const NOT_A_PDF: Code = Code {
    id: "PDF-050",
    class: Class::Input,
    vi: "Tệp không phải là PDF, hoặc có dữ liệu lạ đứng trước phần đầu PDF",
    en: "not a PDF, or foreign bytes stand before its header",
    remedy_vi: "Kiểm tra lại tệp và xuất lại PDF từ nguồn",
    remedy_en: "check the file and export the PDF again from its source",
};

/// No usable startxref.
pub const NO_STARTXREF: Code = Code {
    id: "PDF-051",
    class: Class::Input,
    vi: "Tệp PDF bị cụt hoặc hỏng phần cuối",
    en: "the PDF has no usable startxref at its end",
    remedy_vi: "Lấy lại tệp đầy đủ từ nguồn",
    remedy_en: "fetch the whole file from its source again",
};

/// A section that cannot be read.
pub const XREF_BROKEN: Code = Code {
    id: "PDF-052",
    class: Class::Input,
    vi: "Bảng tham chiếu của tệp PDF bị hỏng",
    en: "the cross-reference data of the PDF is broken",
    remedy_vi: "Xuất lại PDF từ nguồn; tệp đã ký thì lấy lại bản gốc",
    remedy_en: "export the PDF again from its source; if it is signed, fetch its original again",
};

/// The chain comes back to a section.
pub const XREF_LOOP: Code = Code {
    id: "PDF-053",
    class: Class::Input,
    vi: "Bảng tham chiếu của tệp PDF lặp vòng",
    en: "the cross-reference chain of the PDF runs in a circle",
    remedy_vi: "Không dùng tệp này; lấy lại bản gốc từ nguồn",
    remedy_en: "do not use this file; fetch its original again",
};

/// A bound was met.
pub const TOO_LARGE: Code = Code {
    id: "PDF-054",
    class: Class::Input,
    vi: "Cấu trúc tệp PDF vượt giới hạn an toàn",
    en: "the PDF exceeds a safety limit",
    remedy_vi: "Chia nhỏ tệp hoặc xuất lại PDF từ nguồn",
    remedy_en: "split the file or export it again from its source",
};

/// Malformed syntax.
pub const SYNTAX: Code = Code {
    id: "PDF-055",
    class: Class::Input,
    vi: "Tệp PDF sai cú pháp",
    en: "malformed PDF syntax",
    remedy_vi: "Xuất lại PDF từ nguồn",
    remedy_en: "export the PDF again from its source",
};

/// An entry that points to something else.
pub const MISPLACED: Code = Code {
    id: "PDF-056",
    class: Class::Input,
    vi: "Bảng tham chiếu của tệp PDF chỉ sai chỗ",
    en: "a cross-reference entry does not point to its object",
    remedy_vi: "Xuất lại PDF từ nguồn",
    remedy_en: "export the PDF again from its source",
};

/// A filter this reader does not know.
pub const FILTER: Code = Code {
    id: "PDF-057",
    class: Class::Input,
    vi: "Tệp PDF dùng kiểu nén chưa được hỗ trợ ở phần cấu trúc",
    en: "a stream that must be read uses an unsupported filter",
    remedy_vi: "Xuất lại PDF từ nguồn",
    remedy_en: "export the PDF again from its source",
};

/// A stream that does not decode.
pub const STREAM_BROKEN: Code = Code {
    id: "PDF-058",
    class: Class::Input,
    vi: "Dữ liệu nén trong tệp PDF bị hỏng",
    en: "a stream of the PDF does not decode",
    remedy_vi: "Lấy lại tệp đầy đủ từ nguồn",
    remedy_en: "fetch the whole file from its source again",
};

/// An encrypted file.
pub const ENCRYPTED: Code = Code {
    id: "PDF-059",
    class: Class::Input,
    vi: "Tệp PDF được mã hoá nên không thể ký hoặc kiểm tra",
    en: "the PDF is encrypted",
    remedy_vi: "Gỡ mật khẩu của tệp tại nguồn rồi nộp lại",
    remedy_en: "remove the encryption at the source and hand it in again",
};

/// Two cross-reference systems in one file.
pub const HYBRID: Code = Code {
    id: "PDF-060",
    class: Class::Input,
    vi: "Tệp PDF có hai bảng tham chiếu song song nên mỗi phần mềm có thể hiển thị khác nhau",
    en: "the PDF has hybrid cross-references, so two readers may show different papers",
    remedy_vi: "Xuất lại PDF từ nguồn rồi ký",
    remedy_en: "export the PDF again from its source, then sign",
};

/// No catalog.
pub const NO_CATALOG: Code = Code {
    id: "PDF-061",
    class: Class::Input,
    vi: "Tệp PDF không có mục gốc",
    en: "the PDF has no catalog",
    remedy_vi: "Xuất lại PDF từ nguồn",
    remedy_en: "export the PDF again from its source",
};

/// A page tree that is no tree.
pub const PAGE_TREE: Code = Code {
    id: "PDF-062",
    class: Class::Input,
    vi: "Cây trang của tệp PDF bị hỏng",
    en: "the page tree of the PDF is broken",
    remedy_vi: "Xuất lại PDF từ nguồn",
    remedy_en: "export the PDF again from its source",
};

/// Fewer pages than asked for.
pub const NO_SUCH_PAGE: Code = Code {
    id: "PDF-063",
    class: Class::Input,
    vi: "Tệp PDF không có trang được yêu cầu",
    en: "the PDF has no such page",
    remedy_vi: "Chọn trang có trong tệp",
    remedy_en: "choose a page that is there",
};

/// An offset that its table cannot hold.
pub const OFFSET_RANGE: Code = Code {
    id: "PDF-064",
    class: Class::Input,
    vi: "Tệp PDF quá lớn để ghi thêm chữ ký",
    en: "the PDF is too large for another revision",
    remedy_vi: "Chia nhỏ tệp rồi ký",
    remedy_en: "split the file, then sign",
};

/// A form that is none.
pub const FORM: Code = Code {
    id: "PDF-065",
    class: Class::Input,
    vi: "Biểu mẫu hoặc danh sách chú thích trong tệp PDF bị hỏng",
    en: "the form or the annotations of the PDF are broken",
    remedy_vi: "Xuất lại PDF từ nguồn",
    remedy_en: "export the PDF again from its source",
};
