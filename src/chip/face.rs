//! The portrait of the chip beside a picture taken now: what a program may say about the two faces, and what it may not.
//!
//! A matcher assists and never decides. It gives a distance, the threshold it was held against and the model that
//! gave it; a person looks at both pictures and decides. Whether the picture shows a living person who is present is not
//! checked by anything here, and how often the model errs on the people of this country has not been measured.
//! No picture and no description of a face is kept, logged or given out.

use crate::digest::Sha256;
use crate::fault::{Class, Code};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

#[cfg(feature = "face")]
mod crop;
#[cfg(feature = "face")]
mod detector;
#[cfg(feature = "face")]
mod layers;
#[cfg(feature = "face")]
pub mod matcher;
#[cfg(feature = "face")]
mod quality;
#[cfg(feature = "face")]
mod recogniser;
#[cfg(feature = "face")]
mod weights;

/// Who compares two faces. Implementations keep nothing between two calls.
pub trait FaceMatcher {
    /// The model behind it, for the record.
    fn model(&self) -> &ModelId;

    /// Compares the portrait of a chip whose DG2 was verified with a picture taken at the desk.
    ///
    /// # Errors
    /// There is not exactly one face of sufficient quality in each picture. That is an outcome of its own and never a
    /// distance.
    fn compare(&self, portrait: &Picture, live: &Picture) -> Result<Comparison, FaceError>;
}

/// A picture in memory, 8 bits each of red, green and blue. It is wiped when it is given back.
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Zeroizing<Vec<u8>>,
}

/// Which model gave a number, to the byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ModelId {
    /// Its name and version, and how faces are cut out for it.
    pub name: String,
    /// Its files.
    pub files: Vec<ModelFile>,
    /// The licence of the package that it comes in.
    pub licence: String,
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ModelFile {
    /// Its name in the package.
    pub name: String,
    /// Its digest.
    #[schemars(with = "String")]
    pub sha256: Sha256,
}

/// What a matcher found. It holds nothing by which a face could be known again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Comparison {
    /// The model.
    pub model: ModelId,
    /// How far apart the two faces are by that model; 0 is the same picture.
    pub distance: f64,
    /// What the distance was held against.
    pub threshold: f64,
    /// On which side of it the distance lies: a hint.
    pub hint: Hint,
    /// The face in the portrait.
    pub portrait: Seen,
    /// The face in the picture taken now.
    pub live: Seen,
    /// Whether the person was alive and present.
    pub liveness: Liveness,
    /// Who decides.
    pub decision: Decision,
}

/// On which side of the threshold a distance lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hint {
    /// At the threshold or nearer.
    Near,
    /// Farther.
    Far,
}

/// What is known of liveness: one word, so that no reader of a record can think that there were others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// Nothing.
    NotChecked,
}

/// Who decides whether two pictures show one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The officer at the desk.
    Person,
}

/// The one face in a picture, and how well it is seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Seen {
    /// How sure the model is that it is a face, 0 to 1.
    pub sure: f64,
    /// Pixels across, cheek to cheek.
    pub pixels: u32,
    /// How much fine detail there is, 0 none; beneath [`FaceError::Blurred`]'s limit there is no comparison.
    pub sharpness: f64,
    /// What makes the distance worth less.
    pub notes: Vec<Note>,
}

/// What makes a distance worth less than it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// The face has fewer pixels than the model looks at.
    Small,
    /// The picture is soft.
    Soft,
    /// Much of the face is nearly black.
    Dark,
    /// Much of the face is nearly white.
    Bright,
    /// The face reaches over the edge of the picture.
    CutOff,
    /// The model is not very sure that it is a face.
    Unsure,
}

/// Which of the two pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// The portrait of the chip.
    Portrait,
    /// The picture taken now.
    Live,
}

/// Why there is no distance.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, thiserror::Error,
)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum FaceError {
    /// No face is found.
    #[error("no face is found")]
    NoFace {
        /// Where.
        picture: Which,
    },
    /// More faces than one are found, and nobody but a person can say whose is meant.
    #[error("{found} faces are found")]
    SeveralFaces {
        /// Where.
        picture: Which,
        /// How many.
        found: u32,
    },
    /// The face has too few pixels.
    #[error("the face is {pixels} pixels across, {least} are needed")]
    TooSmall {
        /// Where.
        picture: Which,
        /// Pixels across.
        pixels: u32,
        /// Least that are needed.
        least: u32,
    },
    /// The face shows too little detail: out of focus, moved, or no face at all.
    #[error("the face is blurred")]
    Blurred {
        /// Where.
        picture: Which,
    },
}

/// A picture whose sides and bytes do not fit, or that is larger than any desk needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{width} x {height} pixels in {bytes} bytes are no picture that is taken")]
pub struct NoPicture {
    width: u32,
    height: u32,
    bytes: usize,
}

/// Most pixels of a side, and of a picture.
const MOST_SIDE: u32 = 16_384;
const MOST_PIXELS: u64 = 50_000_000;

impl Picture {
    /// `rgb` in rows from the top, three bytes a pixel, nothing between the rows.
    ///
    /// # Errors
    /// It is empty, larger than 50 million pixels, or the bytes are not three for each pixel.
    pub fn new(width: u32, height: u32, rgb: Vec<u8>) -> Result<Picture, NoPicture> {
        let rgb = Zeroizing::new(rgb);
        let pixels = u64::from(width) * u64::from(height);
        let fits = (1..=MOST_SIDE).contains(&width) && (1..=MOST_SIDE).contains(&height);
        if !fits || pixels > MOST_PIXELS || rgb.len() as u64 != pixels * 3 {
            return Err(NoPicture { width, height, bytes: rgb.len() });
        }
        Ok(Picture { width, height, rgb })
    }

    /// Pixels across.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Pixels down.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Red, green and blue of a pixel; black outside the picture.
    pub fn pixel(&self, x: i64, y: i64) -> [u8; 3] {
        let inside = |at: i64, length: u32| u32::try_from(at).ok().filter(|at| *at < length);
        let (Some(x), Some(y)) = (inside(x, self.width), inside(y, self.height)) else { return [0; 3] };
        let at = (y as usize * self.width as usize + x as usize) * 3;
        self.rgb.get(at..at + 3).map_or([0; 3], |p| [p[0], p[1], p[2]])
    }
}

/// Sizes only.
impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({} x {})", self.width, self.height)
    }
}

impl Comparison {
    /// What the clerk is told, Vietnamese and English.
    pub fn sentence(&self) -> (String, String) {
        let (near_vi, near_en) = match self.hint {
            Hint::Near => ("gần hơn ngưỡng", "nearer than the threshold"),
            Hint::Far => ("xa hơn ngưỡng", "farther than the threshold"),
        };
        let (distance, threshold) = (format!("{:.2}", self.distance), format!("{:.2}", self.threshold));
        let comma = |number: &str| number.replace('.', ",");
        let vi = format!(
            "Máy thấy hai khuôn mặt {near_vi} (khoảng cách {}, ngưỡng {}). {}",
            comma(&distance),
            comma(&threshold),
            ASSISTS.0
        );
        let en = format!(
            "The program finds the two faces {near_en} (distance {distance}, threshold {threshold}). {}",
            ASSISTS.1
        );
        (vi, en)
    }
}

/// Stands beneath every outcome, with a distance or without.
pub const ASSISTS: (&str, &str) = (
    "Đây chỉ là gợi ý: người tiếp nhận xem cả hai ảnh và quyết định. Chưa kiểm tra đây có phải người thật đang có mặt hay \
     không, và độ chính xác của mô hình chưa được đo",
    "This only assists: the officer looks at both pictures and decides. Whether this is a living person who is present was \
     not checked, and the accuracy of the model has not been measured",
);

impl FaceError {
    /// What the clerk is told, Vietnamese and English.
    pub fn sentence(&self) -> (String, String) {
        let which = |picture: &Which| match picture {
            Which::Portrait => ("ảnh trong chip", "the portrait of the chip"),
            Which::Live => ("ảnh vừa chụp", "the picture taken now"),
        };
        let ((vi, en), did_vi, did_en) = match self {
            FaceError::NoFace { picture } => {
                (which(picture), "không thấy khuôn mặt".to_owned(), "no face is found".to_owned())
            }
            FaceError::SeveralFaces { picture, found } => {
                (which(picture), format!("thấy {found} khuôn mặt"), format!("{found} faces are found"))
            }
            FaceError::TooSmall { picture, pixels, least } => (
                which(picture),
                format!("khuôn mặt chỉ rộng {pixels} điểm ảnh, cần ít nhất {least}"),
                format!("the face is only {pixels} pixels across, {least} are needed"),
            ),
            FaceError::Blurred { picture } => {
                (which(picture), "khuôn mặt bị mờ".to_owned(), "the face is blurred".to_owned())
            }
        };
        (
            format!("Không so được: trong {vi} {did_vi}. {}", ASSISTS.0),
            format!("No comparison: in {en} {did_en}. {}", ASSISTS.1),
        )
    }
}

/// A file of the model is absent.
pub const MODEL_ABSENT: Code = Code {
    id: "FACE-001",
    class: Class::Setup,
    vi: "Không đọc được tệp của mô hình so khuôn mặt",
    en: "a file of the face model cannot be read",
    remedy_vi: "Chạy scripts/face-model THƯ-MỤC rồi dùng thư mục đó với --model",
    remedy_en: "run scripts/face-model FOLDER and give that folder to --model",
};

/// A file of the model is another one than was examined.
pub const MODEL_CHANGED: Code = Code {
    id: "FACE-002",
    class: Class::Setup,
    vi: "Tệp của mô hình so khuôn mặt không đúng bản đã được kiểm tra",
    en: "a file of the face model is not the one that was examined",
    remedy_vi: "Xoá thư mục mô hình và chạy lại scripts/face-model",
    remedy_en: "delete the model folder and run scripts/face-model again",
};

/// The files are the right ones and yet make no network.
pub const MODEL_BROKEN: Code = Code {
    id: "FACE-003",
    class: Class::Inner,
    vi: "Mô hình so khuôn mặt không dựng được",
    en: "the face model cannot be built from its files",
    remedy_vi: "Báo cho người phát triển chương trình",
    remedy_en: "tell the makers of this program",
};

#[cfg(test)]
mod tests;
