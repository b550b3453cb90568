//! What a person sees of a signature: text and a seal in a form XObject, upright on the page as it is displayed.
//!
//! | clause | where it is met |
//! |---|---|
//! | ISO 19005-2, 6.3.3: `/AP` holds `/N` alone, a form XObject | `sign::widget` |
//! | ISO 19005-2, 6.2.11: fonts embedded, widths true | [`crate::pdf::font`] |
//! | ISO 19005-2, 6.2.4.3: DeviceRGB is covered by the file's RGB output intent | the only colour operators are `rg` and `RG` |
//! | ISO 32000-1, 12.5.5: `/Matrix` turns the BBox, the reader maps its bounds onto `/Rect` | [`place::Sheet`] |

mod place;
mod stamp;

use super::profile::{Image, Look};
use super::sign::vietnam;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pdf::font::{Font, Subset};
use crate::pdf::revise::{Dict, ObjectId, Page, Rect, Revision, Value};
use jiff::Timestamp;
use std::fmt::Write as _;

/// What a profile's text is filled with, and what is already on the page.
#[derive(Debug, Clone, Default)]
pub struct AppearanceFacts {
    /// `{name}` and `/Name`: the person, or the agency where it signs for itself.
    pub name: String,
    /// `{office}`: the agency.
    pub office: Option<String>,
    /// A picture of the seal (PNG, transparent), drawn instead of the plain ring and star.
    pub seal_png: Option<Vec<u8>>,
    /// Places that must stay visible (a QR code, print), in points from the lower left corner of the displayed page.
    /// Widgets and stamps that are on the page already are found by themselves.
    pub occupied: Vec<Rect>,
}

/// Where a signature is seen, and its appearance stream.
#[derive(Debug, Clone, Copy)]
pub struct Placed {
    /// `/Rect`, user space.
    pub rect: Rect,
    /// `/AP /N`.
    pub form: ObjectId,
}

/// Draws a signature for a page and finds its place there.
///
/// # Errors
/// [`NO_ROOM`] on the page, [`TEXT_TOO_LONG`] for the box, a letter the font lacks, a broken picture of the seal.
pub fn draw(
    revision: &mut Revision<'_, '_>,
    page: &Page,
    look: &Look,
    facts: &AppearanceFacts,
    at: Timestamp,
) -> Outcome<Placed> {
    let sheet = place::Sheet::of(page);
    let (spot, scale) =
        sheet.free_spot(look, &facts.occupied, &place::drawn_already(revision.document(), page)?)?;
    let [width, height] = look.size_mm.map(|mm| mm * POINTS_PER_MM);
    let form = paint(revision, &sheet, [width, height], look, facts, at)?;
    let size = [width * scale, height * scale];
    Ok(Placed {
        rect: sheet.to_user(Rect::new(spot[0], spot[1], spot[0] + size[0], spot[1] + size[1])),
        form,
    })
}

/// Draws a signature for a rectangle of a page that somebody else has chosen: a field that waits to be signed.
///
/// # Errors
/// As [`draw`].
pub fn draw_into(
    revision: &mut Revision<'_, '_>,
    page: &Page,
    rect: Rect,
    look: &Look,
    facts: &AppearanceFacts,
    at: Timestamp,
) -> Outcome<ObjectId> {
    let turned = page.rotate % 180 == 90;
    let size = if turned { [rect.height(), rect.width()] } else { [rect.width(), rect.height()] };
    paint(revision, &place::Sheet::of(page), size, look, facts, at)
}

/// The appearance of a field that shows nothing: PDF/A wants one wherever a widget has an area.
pub fn empty(revision: &mut Revision<'_, '_>, rect: Rect) -> ObjectId {
    form(revision, [rect.width(), rect.height()], UPRIGHT, Dict::new(), "")
}

fn paint(
    revision: &mut Revision<'_, '_>,
    sheet: &place::Sheet,
    [width, height]: [f64; 2],
    look: &Look,
    facts: &AppearanceFacts,
    at: Timestamp,
) -> Outcome<ObjectId> {
    let lines = lines(look, facts, at)?;
    let office = facts.office.as_deref().unwrap_or(&facts.name).to_uppercase();
    let ring = if look.image == Image::Seal && facts.seal_png.is_none() { office.as_str() } else { "" };
    let mut texts: Vec<&str> = lines.iter().map(String::as_str).collect();
    texts.push(ring);
    let font = Font::serif();
    let subset = Subset::new(font, &texts)?;
    let mut content = String::new();
    let mut resources = Dict::new();
    let mut text_left = 0.0;
    if look.image == Image::Seal {
        match &facts.seal_png {
            Some(png) => {
                let image = stamp::picture(revision, png)?;
                let _ = writeln!(content, "q {} 0 0 {} 0 0 cm /Seal Do Q", n(height), n(height));
                let mut objects = Dict::new();
                objects.set(b"Seal", Value::Ref(image));
                resources.set(b"XObject", Value::Dict(objects));
            }
            None => stamp::ring(&mut content, height, ring, font, &subset)?,
        }
        text_left = height + GAP;
    }
    text_block(&mut content, &lines, look, [text_left, width, height], &subset)?;
    let first = revision.reserve();
    let mut next = i32::try_from(first.number).map_err(|_| Fault::new(&NO_ROOM))?;
    let objects = subset.objects(&mut next);
    while i64::from(revision.reserve().number) + 1 < i64::from(next) {}
    for (number, body) in objects.objects {
        revision.set(ObjectId::new(u32::try_from(number).unwrap_or(0)), body);
    }
    let mut fonts = Dict::new();
    fonts.set(b"F1", Value::Ref(first));
    resources.set(b"Font", Value::Dict(fonts));
    Ok(form(revision, [width, height], sheet.matrix(), resources, &content))
}

/// The profile's lines with their facts; a line whose fact is missing is left out.
fn lines(look: &Look, facts: &AppearanceFacts, at: Timestamp) -> Outcome<Vec<String>> {
    let time = jiff::fmt::strtime::format(&look.time_format, &at.to_zoned(vietnam()))
        .map_err(|_| Fault::new(&super::profile::BROKEN_PROFILE).detail("time_format"))?;
    let office = facts.office.as_deref().unwrap_or("");
    let known = [("{name}", facts.name.as_str()), ("{office}", office), ("{time}", time.as_str())];
    let filled = look.text.iter().filter_map(|line| {
        if known.iter().any(|(key, fact)| fact.is_empty() && line.contains(key)) {
            return None;
        }
        Some(known.iter().fold(line.clone(), |line, (key, fact)| line.replace(key, fact)))
    });
    Ok(filled.collect())
}

/// Sets the lines into the box right of `left`, centred in height, smaller until they fit.
fn text_block(
    content: &mut String,
    lines: &[String],
    look: &Look,
    [left, width, height]: [f64; 3],
    subset: &Subset,
) -> Outcome<()> {
    let room = width - left - 2.0 * PAD;
    let mut size = look.font_size;
    let wrapped = loop {
        match wrap(lines, room, size)? {
            Some(wrapped) if wrapped.len() as f64 * size * LEADING <= height - PAD => break wrapped,
            _ if size <= SMALLEST => return Err(Fault::new(&TEXT_TOO_LONG)),
            _ => size = (size - 0.25).max(SMALLEST),
        }
    };
    let [r, g, b] = look.color;
    let block = wrapped.len() as f64 * size * LEADING;
    let mut baseline = (height + block) / 2.0 - f64::from(Font::serif().ascent(size as f32));
    let _ = writeln!(content, "{} {} {} rg", n(r), n(g), n(b));
    for line in &wrapped {
        let x = n(left + PAD);
        let _ = writeln!(content, "BT /F1 {} Tf {x} {} Td {} Tj ET", n(size), n(baseline), subset.hex(line)?);
        baseline -= size * LEADING;
    }
    Ok(())
}

/// Breaks lines between words; `None` where one word is wider than the room.
fn wrap(lines: &[String], room: f64, size: f64) -> Outcome<Option<Vec<String>>> {
    let font = Font::serif();
    let width = |text: &str| font.layout(text).map(|run| f64::from(run.width(size as f32)));
    let mut out = Vec::new();
    for line in lines {
        let mut current = String::new();
        for word in line.split_whitespace() {
            let longer = if current.is_empty() { word.to_owned() } else { format!("{current} {word}") };
            if width(&longer)? <= room {
                current = longer;
            } else if current.is_empty() || width(word)? > room {
                return Ok(None);
            } else {
                out.push(std::mem::replace(&mut current, word.to_owned()));
            }
        }
        out.push(current);
    }
    Ok(Some(out))
}

fn form(
    revision: &mut Revision<'_, '_>,
    [width, height]: [f64; 2],
    matrix: [i64; 6],
    resources: Dict,
    content: &str,
) -> ObjectId {
    let mut dict = Dict::new();
    dict.set(b"Type", Value::name("XObject"));
    dict.set(b"Subtype", Value::name("Form"));
    dict.set(b"BBox", Rect::new(0.0, 0.0, width, height).to_value());
    if matrix != UPRIGHT {
        dict.set(b"Matrix", Value::Array(matrix.map(Value::Int).to_vec()));
    }
    dict.set(b"Resources", Value::Dict(resources));
    dict.set(b"Filter", Value::name("FlateDecode"));
    revision.add_stream(dict, &miniz_oxide::deflate::compress_to_vec_zlib(content.as_bytes(), 9))
}

/// A number for a content stream: no exponent, four decimals at most.
fn n(x: f64) -> String {
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

const UPRIGHT: [i64; 6] = [1, 0, 0, 1, 0, 0];
const POINTS_PER_MM: f64 = 72.0 / 25.4;
/// Points between the seal and the text.
const GAP: f64 = 4.0;
/// Points between the box and its text.
const PAD: f64 = 1.5;
/// Base line to base line, in type sizes; Vietnamese capitals carry two marks.
const LEADING: f64 = 1.2;
const SMALLEST: f64 = 5.0;

/// No free place near the anchor.
pub const NO_ROOM: Code = Code {
    id: "SEAL-040",
    class: Class::Person,
    vi: "Không còn chỗ trống trên trang để hiển thị chữ ký ở góc quy định",
    en: "no free place for the visible signature near its corner",
    remedy_vi: "Xem trang và chọn vị trí, hoặc ký không hiển thị",
    remedy_en: "look at the page and choose a place, or sign invisibly",
};

/// The text does not fit.
pub const TEXT_TOO_LONG: Code = Code {
    id: "SEAL-041",
    class: Class::Input,
    vi: "Nội dung hiển thị của chữ ký dài quá khung",
    en: "the text of the visible signature does not fit its box",
    remedy_vi: "Rút gọn tên hiển thị hoặc tăng kích thước khung trong bộ quy định",
    remedy_en: "shorten the displayed name or enlarge the box in the profile",
};

/// A picture that cannot be used.
pub const PICTURE: Code = Code {
    id: "SEAL-042",
    class: Class::Setup,
    vi: "Không dùng được ảnh con dấu",
    en: "the picture of the seal cannot be used",
    remedy_vi: "Dùng ảnh PNG nền trong suốt, không quá 4 triệu điểm ảnh và 4 MB",
    remedy_en: "use a transparent PNG of at most 4 megapixels and 4 MB",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::profile::SignatureProfile;

    fn facts() -> AppearanceFacts {
        AppearanceFacts { name: "Nguyễn Thị Huệ".into(), ..Default::default() }
    }

    #[test]
    fn the_time_is_iso_8601_in_vietnams_zone_and_lines_without_a_fact_are_left_out() {
        let look = SignatureProfile::built_in("result_agency").unwrap().look.unwrap();
        let at: Timestamp = "2025-09-14T01:05:09.75Z".parse().unwrap();
        assert_eq!(lines(&look, &facts(), at).unwrap(), ["Thời gian ký: 2025-09-14T08:05:09+07:00"]);
        let look = SignatureProfile::built_in("intake_scan").unwrap().look.unwrap();
        let both = ["Người số hóa: Nguyễn Thị Huệ", "Thời gian: 2025-09-14T08:05:09+07:00"];
        assert_eq!(lines(&look, &facts(), at).unwrap(), both);
    }

    #[test]
    fn long_text_wraps_then_shrinks_then_is_refused() {
        let look = SignatureProfile::built_in("intake_scan").unwrap().look.unwrap();
        let set = |name: &str| {
            let lines = vec![name.to_owned()];
            let subset = Subset::new(Font::serif(), &[name]).unwrap();
            let mut content = String::new();
            text_block(&mut content, &lines, &look, [0.0, 170.0, 34.0], &subset).map(|()| content)
        };
        assert_eq!(set("Nguyễn Thị Huệ").unwrap().matches("Tj").count(), 1);
        let two = "Trung tâm Phục vụ hành chính công xã Hòa Bình Thượng, tỉnh Quảng Trị";
        assert_eq!(set(two).unwrap().matches("Tj").count(), 2);
        assert!(!set(&format!("{two} {two} ")).unwrap().contains("/F1 9 "));
        assert_eq!(set(&two.repeat(9)).unwrap_err().code.id, TEXT_TOO_LONG.id);
        assert_eq!(set(&"dài".repeat(90)).unwrap_err().code.id, TEXT_TOO_LONG.id);
    }
}
