//! Why a page of a PDF is kept as it is, in the words of a clerk.

/// Why a page is not taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Foreign {
    /// Nothing is drawn.
    Empty,
    /// Text that is seen.
    Text,
    /// Lines, areas, shadings.
    Drawing,
    /// More than one image.
    SeveralImages,
    /// One image that leaves much of the page free, or of which the page shows a part.
    PartOfPage,
    /// The image is seen through transparency, or lies in a layer that may be off.
    Veiled,
    /// Stamps, notes or filled fields lie on the page.
    Annotations,
    /// The image is sheared, or turned by more than any scan is straightened.
    Distorted,
    /// JBIG2 of a kind that is kept and not decoded here.
    Jbig2,
    /// JPEG 2000 of a kind that is kept and not decoded here.
    Jpeg2000,
    /// A colour space, mask or filter that is not decoded here.
    Coding,
    /// The page's drawing orders cannot be followed.
    Unreadable,
}

impl Foreign {
    /// The reason for a clerk.
    pub fn vi(self) -> &'static str {
        match self {
            Foreign::Empty => "trang PDF không có nội dung",
            Foreign::Text => "trang có chữ điện tử, không phải bản quét",
            Foreign::Drawing => "trang có hình vẽ véc-tơ, không phải bản quét",
            Foreign::SeveralImages => "trang gồm nhiều ảnh",
            Foreign::PartOfPage => "ảnh không phủ kín trang",
            Foreign::Veiled => "ảnh có độ trong suốt hoặc thuộc lớp ẩn hiện được",
            Foreign::Annotations => "trên trang có con dấu, ghi chú hoặc ô đã điền được chèn thêm",
            Foreign::Distorted => "ảnh bị kéo xiên hoặc xoay lệch nhiều trên trang",
            Foreign::Jbig2 => "ảnh mã hoá JBIG2, giữ nguyên và không phân tích",
            Foreign::Jpeg2000 => "ảnh mã hoá JPEG 2000, giữ nguyên và không phân tích",
            Foreign::Coding => "kiểu mã hoá ảnh không được phân tích, giữ nguyên",
            Foreign::Unreadable => "không đọc được lệnh vẽ của trang",
        }
    }

    /// The reason, English.
    pub fn en(self) -> &'static str {
        match self {
            Foreign::Empty => "the PDF page draws nothing",
            Foreign::Text => "the page has digital text and is no scan",
            Foreign::Drawing => "the page has vector drawing and is no scan",
            Foreign::SeveralImages => "the page is made of several images",
            Foreign::PartOfPage => "the image does not cover the page",
            Foreign::Veiled => "the image is transparent or lies in a layer that may be off",
            Foreign::Annotations => "stamps, notes or filled fields lie on the page",
            Foreign::Distorted => "the image is sheared or turned far on the page",
            Foreign::Jbig2 => "a JBIG2 image, kept and not analysed",
            Foreign::Jpeg2000 => "a JPEG 2000 image, kept and not analysed",
            Foreign::Coding => "an image coding that is kept and not analysed",
            Foreign::Unreadable => "the page's drawing orders cannot be followed",
        }
    }
}
