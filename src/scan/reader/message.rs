//! What is said between the process that wants pages and the one that reads them: JSON headers, and the coded bytes
//! of a page behind them. What comes back is believed no further than a page is: lengths agree or it is nonsense,
//! faults are those that this program knows, texts are short and plain.

use super::judge::Judged;
use crate::fault::{Code, Fault, Outcome};
use crate::page::{Coding, PageHead, PageImage};
use crate::scan::barcode::Policy;
use crate::scan::{Kind, Limits, PageInfo, Profile};
use crate::{original, pdf, sandbox, scan};
use serde::{Deserialize, Serialize};

/// A question about a file.
#[derive(Serialize, Deserialize)]
pub(super) struct Ask {
    /// Bytes of the file.
    pub(super) length: u64,
    pub(super) limits: Limits,
    pub(super) what: What,
}

#[derive(Serialize, Deserialize)]
pub(super) enum What {
    Open,
    Judge { page: usize, profile: Profile, codes: Option<Policy> },
    Image { page: usize, form: Form },
}

/// In which form a page's picture is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Form {
    /// As the archive writes it.
    Archive,
    /// As the wallet's copy has it.
    Wallet,
    /// Decoded and upright, RGB.
    Drawn,
}

/// An answer.
#[derive(Serialize, Deserialize)]
pub(super) enum Told {
    Opened { kind: Kind, signed: bool, pages: Vec<Result<PageInfo, Crossed>> },
    Judged(Box<Judged>),
    Image(ImageHead),
    Refused(Crossed),
}

/// A fault on its way through the pipe.
#[derive(Serialize, Deserialize)]
pub(super) struct Crossed {
    code: String,
    place: Option<String>,
    detail: Option<String>,
}

impl Crossed {
    pub(super) fn of(fault: &Fault) -> Self {
        let Fault { code, place, detail } = fault.clone();
        Crossed { code: code.id.to_owned(), place, detail }
    }

    /// The fault again; nothing where this program has no such code.
    pub(super) fn fault(self) -> Option<Fault> {
        let lists = [scan::CODES, pdf::CODES, original::CODES, sandbox::CODES];
        let code: &'static Code = lists.into_iter().flatten().find(|code| code.id == self.code)?;
        Some(Fault {
            code,
            place: self.place.as_deref().map(plain),
            detail: self.detail.as_deref().map(plain),
        })
    }
}

/// A text that cannot draw on a screen nor fill a log.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MOST_TEXT).collect()
}

const MOST_TEXT: usize = 400;

/// The pages of a file as they came back; nothing where they are not numbered as pages are.
pub(super) fn pages(told: Vec<Result<PageInfo, Crossed>>) -> Option<Vec<Outcome<PageInfo>>> {
    let page = |(i, page): (usize, Result<PageInfo, Crossed>)| match page {
        Ok(info) => (info.number == i + 1).then_some(Ok(info)),
        Err(crossed) => crossed.fault().map(Err),
    };
    told.into_iter().enumerate().map(page).collect()
}

/// A [`PageImage`] without its bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct ImageHead {
    page: PageHead,
    coding: CodingHead,
    /// Bytes of the colour profile that stands before everything else.
    profile: Option<usize>,
}

#[derive(Serialize, Deserialize)]
enum CodingHead {
    Jpeg {
        components: u8,
        inverted: bool,
        /// Bytes of the colour profile, which stands before the picture.
        icc: Option<usize>,
        /// The picture is the whole original: it does not come back.
        whole: bool,
    },
    G4 {
        black_is_1: bool,
    },
    Jbig2 {
        /// Bytes of the shared segments, which stand before the page's own.
        globals: Option<usize>,
        inverted: bool,
    },
    Jpx {
        components: u8,
        /// Bytes of the colour profile, which stands before the picture.
        icc: Option<usize>,
    },
    Png {
        bits: u8,
        components: u8,
        /// Bytes of the palette, which stands before the stream.
        palette: Option<usize>,
    },
    Bilevel,
    Grey,
    Rgb,
}

impl ImageHead {
    /// Parts a page from its bytes. A JPEG that is the `whole` original stays behind.
    pub(super) fn split(image: PageImage, whole: bool) -> (Self, Vec<u8>) {
        let (coding, payload) = match image.coding {
            Coding::Jpeg { bytes, components, inverted, icc } => {
                let head = CodingHead::Jpeg { components, inverted, icc: icc.as_ref().map(Vec::len), whole };
                let mut payload = icc.unwrap_or_default();
                if !whole {
                    payload.extend(bytes);
                }
                (head, payload)
            }
            Coding::G4 { bytes, black_is_1 } => (CodingHead::G4 { black_is_1 }, bytes),
            Coding::Jbig2 { bytes, globals, inverted } => {
                let head = CodingHead::Jbig2 { globals: globals.as_ref().map(Vec::len), inverted };
                let mut payload = globals.unwrap_or_default();
                payload.extend(bytes);
                (head, payload)
            }
            Coding::Jpx { bytes, components, icc } => {
                let head = CodingHead::Jpx { components, icc: icc.as_ref().map(Vec::len) };
                let mut payload = icc.unwrap_or_default();
                payload.extend(bytes);
                (head, payload)
            }
            Coding::Png { stream, bits, components, palette } => {
                let head = CodingHead::Png { bits, components, palette: palette.as_ref().map(Vec::len) };
                let mut payload = palette.unwrap_or_default();
                payload.extend(stream);
                (head, payload)
            }
            Coding::Bilevel(bytes) => (CodingHead::Bilevel, bytes),
            Coding::Grey(bytes) => (CodingHead::Grey, bytes),
            Coding::Rgb(bytes) => (CodingHead::Rgb, bytes),
        };
        let profile = image.profile.as_ref().map(Vec::len);
        let payload = match image.profile {
            Some(mut profile) => {
                profile.extend(payload);
                profile
            }
            None => payload,
        };
        (ImageHead { page: image.head, coding, profile }, payload)
    }

    /// The page again; nothing where head and bytes do not fit. `whole` gives the original.
    pub(super) fn join(
        self,
        mut payload: Vec<u8>,
        whole: impl FnOnce() -> Outcome<Vec<u8>>,
    ) -> Option<Outcome<PageImage>> {
        let ImageHead { page: head, coding, profile } = self;
        let profile = match profile {
            Some(length) if length <= payload.len() => {
                let picture = payload.split_off(length);
                Some(std::mem::replace(&mut payload, picture))
            }
            Some(_) => return None,
            None => None,
        };
        let rows = |bits: u64| (u64::from(head.width) * bits).div_ceil(8) * u64::from(head.height);
        let fits = |bits: u64| payload.len() as u64 == rows(bits);
        let coding = match coding {
            CodingHead::Jpeg { components, inverted, icc, whole: is_whole } => {
                let length = icc.unwrap_or(0);
                let picture = (length <= payload.len()).then(|| payload.split_off(length))?;
                let bytes = match is_whole.then(whole) {
                    None => picture,
                    Some(Ok(original)) => original,
                    Some(Err(fault)) => return Some(Err(fault)),
                };
                Coding::Jpeg { bytes, components, inverted, icc: icc.map(|_| payload) }
            }
            CodingHead::G4 { black_is_1 } => Coding::G4 { bytes: payload, black_is_1 },
            CodingHead::Jbig2 { globals, inverted } => {
                let length = globals.unwrap_or(0);
                let bytes = (length <= payload.len()).then(|| payload.split_off(length))?;
                Coding::Jbig2 { bytes, globals: globals.map(|_| payload), inverted }
            }
            CodingHead::Jpx { components, icc } => {
                let length = icc.unwrap_or(0);
                let bytes = (length <= payload.len()).then(|| payload.split_off(length))?;
                Coding::Jpx { bytes, components, icc: icc.map(|_| payload) }
            }
            CodingHead::Png { bits, components, palette } => {
                let length = palette.unwrap_or(0);
                let stream = (length <= payload.len()).then(|| payload.split_off(length))?;
                Coding::Png { stream, bits, components, palette: palette.map(|_| payload) }
            }
            CodingHead::Bilevel if fits(1) => Coding::Bilevel(payload),
            CodingHead::Grey if fits(8) => Coding::Grey(payload),
            CodingHead::Rgb if fits(24) => Coding::Rgb(payload),
            CodingHead::Bilevel | CodingHead::Grey | CodingHead::Rgb => return None,
        };
        Some(Ok(PageImage { head, coding, profile }))
    }
}
