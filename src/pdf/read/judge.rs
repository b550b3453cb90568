//! Whether a page is one scan and nothing else: what the archive keeps must show what the page shows.

use super::content::{Placed, Survey, corners, holds, on_page};
use super::image::describe;
use super::tree::rectangle;
use super::{Foreign, Image, Pdf};
use crate::page::{Dpi, DpiSource, Window};
use lopdf::{Dictionary, Document, Object};

/// The part of a page that is shown, and how.
pub(super) struct Shown {
    pub(super) area: [f32; 4],
    /// Points a unit.
    pub(super) unit: f32,
    /// Quarter turns clockwise.
    pub(super) turns: u8,
}

impl Pdf {
    /// The one image of a page, or why it is not one.
    pub(super) fn judge(&self, survey: &Survey, page: &Dictionary, shown: &Shown) -> Result<Image, Foreign> {
        let document = &self.file.document;
        if survey.unreadable {
            return Err(Foreign::Unreadable);
        }
        let placed = match survey.images.as_slice() {
            [] if survey.text => return Err(Foreign::Text),
            [] if survey.drawing => return Err(Foreign::Drawing),
            [] if annotated(document, page) => return Err(Foreign::Annotations),
            [] => return Err(Foreign::Empty),
            [one] => one,
            _ => return Err(Foreign::SeveralImages),
        };
        let stream =
            document.get_object(placed.id).and_then(Object::as_stream).map_err(|_| Foreign::Unreadable)?;
        let is_mask =
            stream.dict.get_deref(b"ImageMask", document).and_then(Object::as_bool).unwrap_or(false);
        let (m, area) = (placed.matrix, shown.area);
        let quad = corners([0.0, 0.0, 1.0, 1.0]).map(|p| on_page(p, m));
        // What was drawn before an opaque image over the whole page is not seen; what comes after is.
        let hides = !is_mask && holds(&quad, &corners(area));
        if survey.text_after || (survey.text && !hides) {
            return Err(Foreign::Text);
        }
        if survey.drawing_after || (survey.drawing && !hides) {
            return Err(Foreign::Drawing);
        }
        if !covers(m, area) || is_clipped(placed, area) {
            return Err(Foreign::PartOfPage);
        }
        if placed.is_altered || placed.is_optional {
            return Err(Foreign::Veiled);
        }
        if annotated(document, page) {
            return Err(Foreign::Annotations);
        }
        let mut image =
            describe(document, stream, placed.id, placed.fill_is_black, self.bounds.stream_bytes)?;
        let (wide, high) = (m[0].hypot(m[1]), m[2].hypot(m[3]));
        if (m[0] * m[2] + m[1] * m[3]).abs() > MOST_SHEAR * wide * high {
            return Err(Foreign::Distorted);
        }
        let inches = shown.unit / 72.0;
        image.dpi = Dpi {
            x: image.width as f32 / (wide * inches),
            y: image.height as f32 / (high * inches),
            source: DpiSource::Placement,
        };
        // The direction of the stored rows on the page, y up; a negative determinant is a mirror.
        image.mirrored = m[0] * m[3] - m[1] * m[2] < 0.0;
        let (x, y) = if image.mirrored { (-m[0], -m[1]) } else { (m[0], m[1]) };
        let degrees = y.atan2(x).to_degrees();
        let against = (degrees / 90.0).round();
        image.turns = (i32::from(shown.turns) - against as i32).rem_euclid(4) as u8;
        let tilt = against * 90.0 - degrees;
        if tilt.abs() > MOST_TILT {
            return Err(Foreign::Distorted);
        }
        image.tilt_deg = if tilt.abs() < LEAST_TILT { 0.0 } else { tilt };
        image.window = window(&image, m, shown);
        Ok(image)
    }
}

/// The page, unless it is as large as the image and has it in its middle.
fn window(image: &Image, m: [f32; 6], shown: &Shown) -> Option<Window> {
    let (area, unit) = (shown.area, shown.unit);
    let middle = on_page((0.5, 0.5), m);
    let (x, y) =
        (unit * (middle.0 - (area[0] + area[2]) / 2.0), unit * (middle.1 - (area[1] + area[3]) / 2.0));
    // The page is turned clockwise, and what lies on it with it.
    let (right, up) = match shown.turns {
        0 => (x, y),
        1 => (y, -x),
        2 => (-x, -y),
        _ => (-y, x),
    };
    let upright = |turns: u8, (wide, high)| if turns.is_multiple_of(2) { (wide, high) } else { (high, wide) };
    let (width, height) = upright(shown.turns, (unit * (area[2] - area[0]), unit * (area[3] - area[1])));
    let points = |pixels: u32, dpi: f32| pixels as f32 / dpi * 72.0;
    let (wide, high) =
        upright(image.turns, (points(image.width, image.dpi.x), points(image.height, image.dpi.y)));
    let off = [width - wide, height - high, right, up];
    off.iter().any(|off| off.abs() > LEAST_OFF).then_some(Window { width, height, right, up })
}

/// True where the unit square under `m` covers at least 80% of the page and the page shows 80% of it.
fn covers(m: [f32; 6], area: [f32; 4]) -> bool {
    let placed = bounding(m);
    let size = |r: [f32; 4]| (r[2] - r[0]) * (r[3] - r[1]);
    let Some(shown) = overlap(placed, area) else { return false };
    size(shown) >= 0.8 * size(area) && size(shown) >= 0.8 * size(placed)
}

/// The box around the unit square under `m`.
fn bounding(m: [f32; 6]) -> [f32; 4] {
    let quad = corners([0.0, 0.0, 1.0, 1.0]).map(|p| on_page(p, m));
    let first = [quad[0].0, quad[0].1, quad[0].0, quad[0].1];
    quad.iter().fold(first, |r, p| [r[0].min(p.0), r[1].min(p.1), r[2].max(p.0), r[3].max(p.1)])
}

pub(super) fn overlap(a: [f32; 4], b: [f32; 4]) -> Option<[f32; 4]> {
    let r = [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])];
    (r[2] > r[0] && r[3] > r[1]).then_some(r)
}

/// True where a clipping path hides some of the image that the page would show.
fn is_clipped(placed: &Placed, area: [f32; 4]) -> bool {
    let quad = corners([0.0, 0.0, 1.0, 1.0]).map(|p| on_page(p, placed.matrix));
    let seen = overlap(bounding(placed.matrix), area).map(corners);
    !placed.clips.iter().all(|clip| {
        clip.is_some_and(|clip| holds(&clip, &quad) || seen.is_some_and(|seen| holds(&clip, &seen)))
    })
}

/// True where a stamp, a note or a filled field lies on the page (ISO 32000-1, 12.5). Links and windows of notes show
/// nothing, nor does an empty field.
fn annotated(document: &Document, page: &Dictionary) -> bool {
    let Ok(annotations) = page.get_deref(b"Annots", document).and_then(Object::as_array) else {
        return false;
    };
    annotations.len() > MOST_ANNOTATIONS
        || annotations.iter().any(|annotation| {
            let annotation = document.dereference(annotation).ok().and_then(|(_, o)| o.as_dict().ok());
            let Some(annotation) = annotation else { return false };
            let flags = annotation.get_deref(b"F", document).and_then(Object::as_i64).unwrap_or(0);
            let is_hidden = flags & HIDDEN != 0 || flags & (NO_VIEW | PRINT) == NO_VIEW;
            let kind =
                annotation.get_deref(b"Subtype", document).and_then(Object::as_name).unwrap_or_default();
            let shows = match kind {
                b"Link" | b"Popup" => false,
                b"Widget" => annotation.has(b"AP"),
                _ => true,
            };
            shows && !is_hidden && rectangle(document, annotation.get(b"Rect").ok()).is_some()
        })
}

const HIDDEN: i64 = 1 << 1;
const PRINT: i64 = 1 << 2;
const NO_VIEW: i64 = 1 << 5;
/// Annotations looked at; more of them are no scan's.
const MOST_ANNOTATIONS: usize = 256;
/// Cosine of the angle between the sides of the image: 0.3 degrees off the right one, half a letter's height over a page.
const MOST_SHEAR: f32 = 0.005;
/// Points by which a page may differ from its image and still be as large: what producers round to.
const LEAST_OFF: f32 = 1.0;
/// What is left of a turn that is meant to be none, degrees.
const LEAST_TILT: f32 = 0.01;
/// The most that any program straightens a scan by, degrees.
const MOST_TILT: f32 = 10.0;
