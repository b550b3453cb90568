//! What a file is, by its first bytes; its name is never asked.

use crate::fault::{Class, Code, Fault, Outcome};
use serde::{Deserialize, Serialize};

/// The kinds of file that hold pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// ISO/IEC 10918-1, one page.
    Jpeg,
    /// ISO/IEC 15948, one page.
    Png,
    /// TIFF 6.0, pages in a chain.
    Tiff,
    /// ISO 32000.
    Pdf,
    /// RFC 9649, one page.
    Webp,
    /// ISO/IEC 15444-1, one page: a JP2 file or a bare codestream.
    Jp2,
}

/// Tells the kind of a file by its content.
///
/// # Errors
/// One code for each thing that people send and that is not a scan: [`EMPTY`], [`ZIP`], [`HEIC`],
/// [`GIF`], and [`UNKNOWN`] for the rest.
pub fn sniff(bytes: &[u8]) -> Outcome<Kind> {
    let head = &bytes[..bytes.len().min(1024)];
    if head.is_empty() {
        return Err(Fault::new(&EMPTY));
    }
    let starts = |magic: &[u8]| head.starts_with(magic);
    if starts(b"\xFF\xD8\xFF") {
        return Ok(Kind::Jpeg);
    }
    if starts(b"\x89PNG\r\n\x1A\n") {
        return Ok(Kind::Png);
    }
    // 43 is BigTIFF: known here so that it is refused by name when its chain is read.
    if starts(b"II*\0") || starts(b"MM\0*") || starts(b"II+\0") || starts(b"MM\0+") {
        return Ok(Kind::Tiff);
    }
    if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
        return Err(Fault::new(&ZIP));
    }
    if starts(b"\0\0\0\x0CjP  \r\n\x87\n") || starts(b"\xFF\x4F\xFF\x51") {
        return Ok(Kind::Jp2);
    }
    if head.get(4..8) == Some(b"ftyp") {
        return Err(Fault::new(&HEIC));
    }
    if starts(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return Ok(Kind::Webp);
    }
    if starts(b"GIF8") {
        return Err(Fault::new(&GIF));
    }
    // ISO 32000-1, annex H.3.4.1: readers accept the header anywhere within the first 1024 bytes.
    if head.windows(5).any(|w| w == b"%PDF-") {
        return Ok(Kind::Pdf);
    }
    Err(Fault::new(&UNKNOWN))
}

/// A file of no bytes.
pub const EMPTY: Code = Code {
    id: "SCAN-001",
    class: Class::Input,
    vi: "Tệp rỗng (0 byte)",
    en: "the file is empty (0 bytes)",
    remedy_vi: "Quét lại, hoặc đợi máy quét ghi xong tệp",
    remedy_en: "scan it again, or wait until the scanner has written it",
};

/// A zip archive, or an office document, whatever its name says.
pub const ZIP: Code = Code {
    id: "SCAN-002",
    class: Class::Input,
    vi: "Tệp là tệp nén zip hoặc tài liệu văn phòng, không phải bản quét",
    en: "the file is a zip archive or an office document, not a scan",
    remedy_vi: "Giải nén, hoặc xuất tài liệu ra PDF, rồi gửi lại",
    remedy_en: "unpack it, or export the document as PDF, and send that",
};

/// A phone's own format.
pub const HEIC: Code = Code {
    id: "SCAN-003",
    class: Class::Input,
    vi: "Ảnh HEIC/AVIF của điện thoại chưa được hỗ trợ",
    en: "HEIC/AVIF pictures are not taken",
    remedy_vi: "Chuyển máy ảnh sang JPEG rồi chụp lại, hoặc xuất ảnh ra JPEG",
    remedy_en: "set the camera to JPEG, or export the picture as JPEG",
};

/// A format of the web that no scanner writes.
pub const GIF: Code = Code {
    id: "SCAN-005",
    class: Class::Input,
    vi: "Ảnh GIF không phải bản quét",
    en: "GIF pictures are not scans",
    remedy_vi: "Quét lại ra JPEG, PNG, TIFF hoặc PDF",
    remedy_en: "scan to JPEG, PNG, TIFF or PDF",
};

/// None of the kinds known here.
pub const UNKNOWN: Code = Code {
    id: "SCAN-006",
    class: Class::Input,
    vi: "Không nhận ra định dạng tệp",
    en: "the file is of no known kind",
    remedy_vi: "Quét lại ra JPEG, PNG, TIFF hoặc PDF",
    remedy_en: "scan to JPEG, PNG, TIFF or PDF",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_and_every_refusal_has_its_own_code() {
        assert_eq!(sniff(b"\xFF\xD8\xFF\xE0rest"), Ok(Kind::Jpeg));
        assert_eq!(sniff(b"junk before %PDF-1.7"), Ok(Kind::Pdf));
        assert_eq!(sniff(b"II*\0\x08\0\0\0"), Ok(Kind::Tiff));
        assert_eq!(sniff(b"\xFF\x4F\xFF\x51"), Ok(Kind::Jp2));
        assert_eq!(sniff(b"\0\0\0\x0CjP  \r\n\x87\n"), Ok(Kind::Jp2));
        assert_eq!(sniff(b"RIFF\0\0\0\0WEBP"), Ok(Kind::Webp));
        let refused = |bytes: &[u8]| sniff(bytes).unwrap_err().code.id;
        assert_eq!(refused(b""), EMPTY.id);
        assert_eq!(refused(b"PK\x03\x04 named .pdf"), ZIP.id);
        assert_eq!(refused(b"\0\0\0\x18ftypheic"), HEIC.id);
        assert_eq!(refused(b"GIF89a"), GIF.id);
        assert_eq!(refused(b"hello"), UNKNOWN.id);
    }
}
