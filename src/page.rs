//! A page as the scanner encoded it: what scanning reads, what the archive writes.

use serde::{Deserialize, Serialize};

/// Dots per inch, and where the figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Dpi {
    /// Horizontal.
    pub x: f32,
    /// Vertical.
    pub y: f32,
    /// How far it can be trusted.
    pub source: DpiSource,
}

/// Where a resolution comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DpiSource {
    /// The file's own header (JFIF, EXIF, pHYs, TIFF tags).
    Header,
    /// Pixels over the physical size that a PDF page gives the image.
    Placement,
    /// The file does not say; assumed from pixels over A4.
    Assumed,
    /// What the file says cannot be true; assumed from pixels over A4.
    Doubted,
}

impl DpiSource {
    /// The figure is not that of the file.
    pub fn is_assumed(self) -> bool {
        matches!(self, DpiSource::Assumed | DpiSource::Doubted)
    }
}

/// One page, encoded in a way that a PDF can carry.
#[derive(Debug, Clone, PartialEq)]
pub struct PageImage {
    /// How large it is and how it is shown.
    pub head: PageHead,
    /// The pixels.
    pub coding: Coding,
    /// ICC profile of the pixels, where their coding carries none of its own.
    pub profile: Option<Vec<u8>>,
}

/// All of a [`PageImage`] but its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PageHead {
    /// Pixels across, as stored.
    pub width: u32,
    /// Pixels down, as stored.
    pub height: u32,
    /// Resolution of the stored pixels.
    pub dpi: Dpi,
    /// Quarter turns clockwise that show the stored pixels upright (EXIF orientation, PDF `/Rotate`).
    pub turns: u8,
    /// True where the stored pixels are mirrored left to right before turning (EXIF 2, 4, 5, 7).
    pub mirrored: bool,
    /// Degrees clockwise by which they are shown turned beyond that: the matrix of a PDF page, where a scan was
    /// straightened.
    pub tilt_deg: f32,
    /// The page that shows them, where it shows a part of them or has a margin around them.
    pub window: Option<Window>,
    /// What was done to them, if they are not those of the file.
    pub recoded: Option<Recoded>,
}

/// The part of the plane around an image that a page shows; all in points, the page as it is read (PDF only).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Width of the page.
    pub width: f32,
    /// Height of the page.
    pub height: f32,
    /// How far the middle of the image lies to the right of the middle of the page.
    pub right: f32,
    /// How far it lies above it.
    pub up: f32,
}

impl Window {
    /// The same at another scale.
    pub fn times(self, by: f32) -> Self {
        let Window { width, height, right, up } = self;
        Window { width: width * by, height: height * by, right: right * by, up: up * by }
    }
}

/// Why pixels were coded anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recoded {
    /// A CMYK JPEG without a usable profile was turned to RGB.
    FromCmyk,
    /// No PDF can carry how the file codes them; they were decoded and coded in another way, which may take more room.
    Repacked,
    /// They were made fewer for the wallet's copy.
    Shrunk,
    /// As `Shrunk`, and their colour profile was left out: it weighs more than it is worth there.
    ShrunkPlain,
}

/// How the pixels of a page are coded.
#[derive(Debug, Clone, PartialEq)]
pub enum Coding {
    /// A whole JPEG file or DCT stream; goes into the PDF byte for byte.
    Jpeg {
        /// The file.
        bytes: Vec<u8>,
        /// 1 grey, 3 colour, 4 CMYK.
        components: u8,
        /// CMYK written inverted (Adobe APP14).
        inverted: bool,
        /// Embedded ICC profile, if any.
        icc: Option<Vec<u8>>,
    },
    /// One CCITT Group 4 strip for the whole page (T.6), most significant bit first.
    G4 {
        /// The strip.
        bytes: Vec<u8>,
        /// `BlackIs1` of the PDF filter.
        black_is_1: bool,
    },
    /// A JBIG2 image as a PDF embeds it (ITU-T T.88, annex D.3); goes into the PDF byte for byte.
    Jbig2 {
        /// The segments of the page.
        bytes: Vec<u8>,
        /// Segments that several pages share.
        globals: Option<Vec<u8>>,
        /// The code's black is shown white.
        inverted: bool,
    },
    /// A whole JP2 file (ISO/IEC 15444-1) of grey or sRGB components; goes into the PDF byte for byte.
    Jpx {
        /// The file.
        bytes: Vec<u8>,
        /// 1 grey, 3 colour.
        components: u8,
        /// The ICC profile that stands for the file's own colours, if any.
        icc: Option<Vec<u8>>,
    },
    /// The image data of a PNG (ISO/IEC 15948, not interlaced, no opacity); goes into the PDF byte for byte.
    Png {
        /// What its IDAT chunks hold, joined.
        stream: Vec<u8>,
        /// Bits of a sample or an index.
        bits: u8,
        /// 1 grey or index, 3 RGB.
        components: u8,
        /// RGB of each index, where samples are that.
        palette: Option<Vec<u8>>,
    },
    /// Packed rows, most significant bit first, 1 = black, each row padded to a byte.
    Bilevel(Vec<u8>),
    /// 8-bit grey samples.
    Grey(Vec<u8>),
    /// 8-bit RGB samples.
    Rgb(Vec<u8>),
}

#[cfg(test)]
impl PageImage {
    /// An upright page without a profile, as the tests want it: each changes what it is about.
    pub fn plain(width: u32, height: u32, dpi: f32, coding: Coding) -> Self {
        let dpi = Dpi { x: dpi, y: dpi, source: DpiSource::Header };
        let head = PageHead {
            width,
            height,
            dpi,
            turns: 0,
            mirrored: false,
            tilt_deg: 0.0,
            window: None,
            recoded: None,
        };
        PageImage { head, coding, profile: None }
    }
}
