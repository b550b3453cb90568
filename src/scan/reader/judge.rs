//! A page decoded once and looked at from all sides.

use super::message::Form;
use crate::fault::Outcome;
use crate::page::{Coding, Dpi, PageHead, PageImage};
use crate::pdf::samples::{self, Samples};
use crate::pdf::{archive, wallet};
use crate::scan::barcode::{self, PageCodes, Policy};
use crate::scan::{Flag, Profile, Quality, Source, quality};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What was found on a page. All in pixels of the upright page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Resolution.
    pub dpi: Dpi,
    /// How it looks.
    pub quality: Quality,
    /// The codes on it, where they were looked for.
    pub codes: Option<PageCodes>,
}

/// Decodes and judges a page in this process.
///
/// # Errors
/// As [`Source::luma`].
pub(super) fn judge(
    source: &Source,
    page: usize,
    profile: &Profile,
    codes: Option<&Policy>,
) -> Outcome<Judged> {
    let luma = source.luma(page)?;
    let dpi = source.upright_dpi(page)?;
    let known = (!dpi.source.is_assumed()).then_some(dpi.x.min(dpi.y));
    let mut quality = quality::judge_shown(&luma, dpi, source.tilt_deg(page)?, profile);
    if source.has_another() {
        quality.flags.push(Flag::first_of_several());
    }
    let expected = codes.is_some_and(|policy| policy.thorough);
    let codes = codes.map(|policy| barcode::read_page(&luma, known, policy));
    // A page of bold print without a code has too many likely places, too: that its clerk need not know.
    let capped = codes.iter().filter(|found| found.capped && (expected || !found.codes.is_empty()));
    quality.flags.extend(capped.map(|found| Flag::codes_capped(found.codes.len())));
    Ok(Judged {
        width: u32::try_from(luma.width).unwrap_or(u32::MAX),
        height: u32::try_from(luma.height).unwrap_or(u32::MAX),
        dpi,
        quality,
        codes,
    })
}

/// A page in the form that is wanted.
///
/// # Errors
/// As [`Source::page_image`], [`wallet::shrink`], [`archive::in_rgb`] and [`samples::decode`].
pub(super) fn image(source: &Source, page: usize, form: Form) -> Outcome<PageImage> {
    let image = source.page_image(page)?;
    match form {
        Form::Archive => archive::in_rgb(&image).map(Cow::into_owned),
        Form::Wallet => wallet::shrink(&image),
        Form::Drawn => {
            let PageHead { turns, mirrored, .. } = image.head;
            let drawn = samples::decode(&image)?.upright(turns, mirrored).in_rgb();
            let Samples { bytes, width, height, .. } = drawn;
            let coding = Coding::Rgb(bytes);
            let head = PageHead { width, height, turns: 0, mirrored: false, ..image.head };
            Ok(PageImage { head, coding, ..image })
        }
    }
}
