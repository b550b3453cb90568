//! What a person sees of a signature: text and a picture in a form XObject, upright on the page as it is displayed.
//!
//! | clause | where it is met |
//! |---|---|
//! | ISO 19005-2, 6.3.3: `/AP` holds `/N` alone, a form XObject | `sign::widget` |
//! | ISO 19005-2, 6.2.11: fonts embedded, widths true | [`crate::pdf::font`] |
//! | ISO 19005-2, 6.2.4.3: DeviceRGB is covered by the file's RGB output intent, else by a `/DefaultRGB` of the form's own | `default_rgb` |
//! | ISO 19005-2, 6.2.10: no transparency `/Group`; a soft mask is allowed | [`picture`] |
//! | ISO 32000-1, 12.5.5: `/Matrix` turns the BBox, the reader maps its bounds onto `/Rect` | [`sheet`] |

mod ground;
mod letters;
mod picture;
mod plan;
mod sheet;
mod stamp;
mod survey;
mod text;

use super::profile::{Anchor, Image, Look, OnPage};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pdf::font::{Font, Subset};
use crate::pdf::icc;
use crate::pdf::revise::{Dict, Document, ObjectId, Page, Rect, Revision, Value};
use ground::Ground;
use jiff::Timestamp;
use miniz_oxide::deflate::compress_to_vec_zlib;
use picture::Picture;
use plan::{Art, Plan};
use sheet::Sheet;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use text::Words;
use unicode_normalization::UnicodeNormalization;

/// What a profile's text is filled with, and what is already on the page.
#[derive(Debug, Clone, Default)]
pub struct AppearanceFacts {
    /// `{name}` and `/Name`: the person, or the agency where it signs for itself.
    pub name: String,
    /// `{office}`: the agency.
    pub office: Option<String>,
    /// `{title}`: what the person is: `Chủ tịch`.
    pub title: Option<String>,
    /// `{number}`: number and symbol of the document: `123/QĐ-UBND`.
    pub number: Option<String>,
    /// `{copy_form}`: `Sao y`, `Sao lục`, `Trích sao`; the profile has its own.
    pub copy_form: Option<String>,
    /// A picture of the seal (PNG, transparent), drawn instead of the plain ring and star.
    pub seal_png: Option<Vec<u8>>,
    /// A picture of the handwritten signature (PNG, transparent).
    pub signature_png: Option<Vec<u8>>,
    /// Places that must stay visible (a QR code, print of a scan), in points from the lower left corner of the displayed
    /// page. What the file itself draws there, and its annotations, are found without being told.
    pub occupied: Vec<Rect>,
    /// The same as shares of the displayed page's width and height, from its upper left corner: left, top, right, bottom.
    /// So a barcode is known from the picture of its page, whatever the resolution.
    pub occupied_shares: Vec<[f64; 4]>,
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
/// [`NO_ROOM`] on the page or [`UNREAD`] where it cannot be known; [`TEXT_TOO_LONG`] for the box; [`MISSING_FACT`] or
/// [`NO_PICTURE`] that the profile cannot do without; a letter the font lacks, a broken [`PICTURE`].
pub fn draw(
    revision: &mut Revision<'_, '_>,
    page: &Page,
    look: &Look,
    facts: &AppearanceFacts,
    at: Timestamp,
) -> Outcome<Placed> {
    let document = revision.document();
    let sheet = Sheet::of(page)?;
    let words = Words::new(look, facts, at)?;
    let picture = picture(look, facts)?;
    let art = art(look, &words, picture.as_deref());
    let gap = look.over.as_ref().and_then(|over| over.gap_mm);
    let survey = survey::survey(document, page, look.above.is_some() || gap.is_some())?;
    let mut taken: Vec<Rect> = facts.occupied.clone();
    taken.extend(facts.occupied_shares.iter().map(|share| sheet.share(share)));
    taken.extend(ground::annotations(document, page, &sheet)?);
    let print = Ground::of(&sheet, &survey);
    let mut ground = print.clone();
    taken.iter().for_each(|rect| ground.take(rect));
    let lines = || ground::lines(&sheet, &survey);
    let mut plan = None;
    if let Some(over) = &look.over {
        let earlier = ground::earlier_signature(document, &over.profile)?;
        let earlier = earlier.filter(|(on, _)| *on == Some(page.id)).map(|(_, rect)| sheet.to_shown(rect));
        let right = matches!(look.anchor, Anchor::TopRight | Anchor::BottomRight);
        let gap = gap.map(|mm| mm.map(|mm| mm * POINTS_PER_MM));
        let place = earlier.or_else(|| ground::signing_gap(&lines(), &sheet, right, gap?));
        taken.retain(|rect| Some(*rect) != earlier);
        let over = |place| plan::over_signature(&art, over, place, &sheet, &print, &taken, &ground);
        plan = match (&place, earlier) {
            (Some(place), Some(_)) => Some(over(place)?),
            // A gap is only a guess: where it does not take the seal, the corner may.
            (Some(place), None) => over(place).ok(),
            (None, _) => None,
        };
    } else if let Some(above) = &look.above {
        let wanted = words.fill(&above.line).unwrap_or_default();
        plan = plan::above_line(&art, above, &wanted, &lines(), &sheet, &ground)?;
    }
    let plan = match plan {
        Some(plan) => plan,
        None => plan::in_corner(&art, &sheet, &ground)?,
    };
    let bounds = plan.bounds().ok_or_else(|| Fault::new(&NO_ROOM))?;
    paint(revision, &sheet, look, &words, picture.as_deref(), &plan, bounds)
}

/// Draws a signature into the rectangle (user space) of a field that somebody prepared on a page.
///
/// # Errors
/// As [`draw`]; [`NO_ROOM`] also for a rectangle without area.
pub fn draw_into(
    revision: &mut Revision<'_, '_>,
    page: &Page,
    rect: Rect,
    look: &Look,
    facts: &AppearanceFacts,
    at: Timestamp,
) -> Outcome<ObjectId> {
    let sheet = Sheet::of(page)?;
    let words = Words::new(look, facts, at)?;
    let picture = picture(look, facts)?;
    let place = sheet.to_shown(rect);
    let sides = [place.width(), place.height()];
    if sides.iter().any(|side| !(1.0..=sheet::MOST_SIDE).contains(side)) {
        return Err(Fault::new(&NO_ROOM).detail("the field has no area"));
    }
    let plan = plan::into_box(&art(look, &words, picture.as_deref()), &place)?;
    paint(revision, &sheet, look, &words, picture.as_deref(), &plan, place).map(|placed| placed.form)
}

/// The appearance of a field that shows nothing: PDF/A wants one wherever a widget has an area.
pub fn empty(revision: &mut Revision<'_, '_>, rect: Rect) -> ObjectId {
    form(revision, [rect.width(), rect.height()], UPRIGHT, Dict::new(), "")
}

/// The page that a look belongs on, from 0: the one with the earlier signature, the last one that shows the name with
/// room above it, else the first or last as the profile says.
///
/// # Errors
/// A page tree that is none; [`MISSING_FACT`].
pub fn choose_page(document: &Document<'_>, look: &Look, facts: &AppearanceFacts) -> Outcome<(usize, Page)> {
    if look.page == OnPage::First && look.over.is_none() && look.above.is_none() {
        return Ok((0, document.page(0)?));
    }
    let pages = document.pages()?;
    let mut wanted = None;
    if let Some(over) = &look.over
        && let Some((on, _)) = ground::earlier_signature(document, &over.profile)?
    {
        wanted = pages.iter().position(|page| Some(page.id) == on);
    } else if let Some(above) = &look.above {
        let words = Words::new(look, facts, Timestamp::UNIX_EPOCH)?;
        let words = words.fill(&above.line).unwrap_or_default();
        let least = above.least_gap_mm * POINTS_PER_MM;
        // Annexes may follow the page with the name; a page that cannot be followed shows none.
        wanted = pages.iter().enumerate().rev().take(MOST_PAGES_READ).find_map(|(index, page)| {
            let sheet = Sheet::of(page).ok()?;
            let survey = survey::survey(document, page, true).ok()?;
            let lines = ground::lines(&sheet, &survey);
            ground::gap_above(&lines, &words, least, sheet.height).map(|_| index)
        });
    }
    let index = wanted.unwrap_or(if look.page == OnPage::First { 0 } else { pages.len().saturating_sub(1) });
    let page = pages.into_iter().nth(index);
    Ok((index, page.ok_or(&crate::pdf::revise::NO_SUCH_PAGE)?))
}

fn art<'l>(look: &'l Look, words: &Words, picture: Option<&Picture>) -> Art<'l> {
    let size = match (look.image, picture) {
        (Image::None, _) => None,
        (_, Some(picture)) => Some(plan::picture_size(look, picture)),
        (_, None) => {
            let room = look.picture_mm.unwrap_or(look.size_mm);
            Some([room[0].min(room[1]) * POINTS_PER_MM; 2])
        }
    };
    Art { look, lines: look.text.iter().filter_map(|line| words.fill(line)).collect(), picture: size }
}

/// The picture of a look: what is given at signing, else what the profile brings. A seal can be drawn without one.
fn picture(look: &Look, facts: &AppearanceFacts) -> Outcome<Option<Arc<Picture>>> {
    let given = match look.image {
        Image::None => return Ok(None),
        Image::Seal => facts.seal_png.as_deref(),
        Image::Signature => facts.signature_png.as_deref(),
    };
    match given.or_else(|| look.picture_png.as_ref().map(|png| png.as_slice())) {
        Some(png) => Picture::new(png).map(Some),
        None if look.image == Image::Signature => Err(Fault::new(&NO_PICTURE)),
        None => Ok(None),
    }
}

/// Writes the form and its parts; `bounds` is its box on the displayed page.
fn paint(
    revision: &mut Revision<'_, '_>,
    sheet: &Sheet,
    look: &Look,
    words: &Words,
    picture: Option<&Picture>,
    plan: &Plan,
    bounds: Rect,
) -> Outcome<Placed> {
    let inner = |r: &Rect| Rect::new(r.x0 - bounds.x0, r.y0 - bounds.y0, r.x1 - bounds.x0, r.y1 - bounds.y0);
    let ring = plan.picture.filter(|_| picture.is_none());
    let office = words.get(if words.get("office").is_empty() { "name" } else { "office" }).to_uppercase();
    let mut texts: Vec<&str> = Vec::new();
    if let Some((_, block, _)) = &plan.text {
        texts.extend(block.lines.iter().map(String::as_str));
    }
    if ring.is_some() {
        texts.push(&office);
    }
    let mut content = String::new();
    let mut resources = Dict::new();
    if let (Some(picture), Some(place)) = (picture, plan.picture) {
        let place = inner(&place);
        let [w, h, x, y] = [place.width(), place.height(), place.x0, place.y0].map(n);
        let _ = writeln!(content, "q {w} 0 0 {h} {x} {y} cm /Im1 Do Q");
        let mut objects = Dict::new();
        objects.set(b"Im1", Value::Ref(picture.add(revision)));
        resources.set(b"XObject", Value::Dict(objects));
    }
    if !texts.is_empty() {
        let subset = subset(&texts)?;
        if let Some(place) = ring {
            stamp::ring(&mut content, &inner(&place), look.seal_color, &office, &subset)?;
        }
        if let Some((place, block, align)) = &plan.text {
            block.set(&mut content, &inner(place), *align, look.color, &subset)?;
        }
        let mut fonts = Dict::new();
        fonts.set(b"F1", Value::Ref(add_font(revision, &subset)?));
        resources.set(b"Font", Value::Dict(fonts));
    }
    if let Some(space) = default_rgb(revision)? {
        let mut spaces = Dict::new();
        spaces.set(b"DefaultRGB", space);
        resources.set(b"ColorSpace", Value::Dict(spaces));
    }
    let form = form(revision, [bounds.width(), bounds.height()], sheet.matrix(), resources, &content);
    let size = [bounds.width() * plan.scale, bounds.height() * plan.scale];
    let shown = Rect::new(bounds.x0, bounds.y0, bounds.x0 + size[0], bounds.y0 + size[1]);
    Ok(Placed { rect: sheet.to_user(shown), form })
}

/// The letters of these texts, and always those of a time: so one officer's next signature needs the same ones, and they
/// are cut and packed once for a batch.
fn subset(texts: &[&str]) -> Outcome<Arc<Subset>> {
    static CUT: Mutex<Vec<(BTreeSet<char>, Arc<Subset>)>> = Mutex::new(Vec::new());
    let letters: BTreeSet<char> = texts.iter().flat_map(|text| text.nfc()).chain(OF_TIMES.chars()).collect();
    let mut cut = CUT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, subset)) = cut.iter().find(|(of, _)| *of == letters) {
        return Ok(Arc::clone(subset));
    }
    let subset = Arc::new(Subset::new(Font::serif(), &[&letters.iter().collect::<String>()])?);
    cut.truncate(MOST_SUBSETS - 1);
    cut.insert(0, (letters, Arc::clone(&subset)));
    Ok(subset)
}

fn add_font(revision: &mut Revision<'_, '_>, subset: &Subset) -> Outcome<ObjectId> {
    let first = revision.reserve();
    let mut next = i32::try_from(first.number).map_err(|_| Fault::new(&crate::pdf::revise::OFFSET_RANGE))?;
    let objects = subset.objects(&mut next);
    while i64::from(revision.reserve().number) + 1 < i64::from(next) {}
    for (number, body) in objects.objects {
        revision.set(ObjectId::new(u32::try_from(number).unwrap_or(0)), body);
    }
    Ok(first)
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
    revision.add_stream(dict, &compress_to_vec_zlib(content.as_bytes(), 6))
}

/// What DeviceRGB means in a file that says so nowhere: a PDF/A whose output intent is not RGB. Other files do without.
fn default_rgb(revision: &mut Revision<'_, '_>) -> Outcome<Option<Value>> {
    let document = revision.document();
    let (_, catalog) = document.catalog()?;
    if catalog.get(b"Metadata").is_none() {
        return Ok(None);
    }
    if let Value::Array(intents) = document.lookup(&catalog, b"OutputIntents")? {
        for intent in intents.iter().take(MOST_INTENTS) {
            let Value::Dict(intent) = document.resolve(intent)? else { continue };
            let profile = document.lookup(&intent, b"DestOutputProfile")?;
            if profile.as_dict().and_then(|dict| dict.get(b"N")).and_then(Value::as_int) == Some(3) {
                return Ok(None);
            }
        }
    }
    let mut dict = Dict::new();
    dict.set(b"N", Value::Int(3));
    dict.set(b"Filter", Value::name("FlateDecode"));
    static SRGB: LazyLock<Vec<u8>> = LazyLock::new(|| compress_to_vec_zlib(&icc::srgb(), 9));
    let profile = revision.add_stream(dict, &SRGB);
    Ok(Some(Value::Array(vec![Value::name("ICCBased"), Value::Ref(profile)])))
}

/// A number for a content stream: no exponent, four decimals at most.
fn n(x: f64) -> String {
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

const UPRIGHT: [i64; 6] = [1, 0, 0, 1, 0, 0];
const POINTS_PER_MM: f64 = 72.0 / 25.4;
/// From the last page backwards, when the name is looked for.
const MOST_PAGES_READ: usize = 12;
const MOST_INTENTS: usize = 8;
const MOST_SUBSETS: usize = 8;
const OF_TIMES: &str = "0123456789-:+T/.Z ";

/// No free place near the anchor.
pub const NO_ROOM: Code = Code {
    id: "SEAL-040",
    class: Class::Person,
    vi: "Không còn chỗ trống trên trang để hiển thị chữ ký ở vị trí quy định",
    en: "no free place on the page for the visible signature where it belongs",
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
    vi: "Không dùng được ảnh con dấu hoặc ảnh chữ ký",
    en: "the picture of the seal or signature cannot be used",
    remedy_vi: "Dùng ảnh PNG nền trong suốt, không quá 4 triệu điểm ảnh và 4 MB",
    remedy_en: "use a transparent PNG of at most 4 megapixels and 4 MB",
};

/// A handwritten signature without its picture.
pub const NO_PICTURE: Code = Code {
    id: "SEAL-100",
    class: Class::Setup,
    vi: "Bộ quy định cần ảnh chữ ký tay nhưng chưa có",
    en: "the profile shows a handwritten signature, and there is no picture of it",
    remedy_vi: "Khai ảnh PNG nền trong suốt khi ký, hoặc ghi picture trong tệp bộ quy định",
    remedy_en: "give a transparent PNG when signing, or name one under picture in the profile's file",
};

/// A fact that has to be shown.
pub const MISSING_FACT: Code = Code {
    id: "SEAL-101",
    class: Class::Setup,
    vi: "Thiếu thông tin bắt buộc hiển thị trong chữ ký",
    en: "a fact that the signature has to show is missing",
    remedy_vi: "Khai đủ thông tin mà bộ quy định yêu cầu (required): tên, cơ quan, số và ký hiệu văn bản",
    remedy_en: "give what the profile lists under required: name, office, number and symbol of the document",
};

/// A page whose drawing cannot be followed.
pub const UNREAD: Code = Code {
    id: "SEAL-102",
    class: Class::Person,
    vi: "Không đọc được bố cục của trang nên không biết chỗ nào còn trống để hiển thị chữ ký",
    en: "the page's drawing cannot be followed, so no place on it is known to be free",
    remedy_vi: "Xem trang, xuất lại PDF từ nguồn, hoặc ký không hiển thị",
    remedy_en: "look at the page, export the PDF again from its source, or sign invisibly",
};

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::seal::profile::SignatureProfile;

    /// A PDF of one A4 page with these entries and this content.
    pub(crate) fn paper(entries: &str, content: &str) -> Vec<u8> {
        let bodies = [
            "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
            "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]/Resources<</Font<</F1 5 0 R>>>>>>"
                .to_owned(),
            format!("<</Type/Page/Parent 2 0 R/Contents 4 0 R{entries}>>"),
            format!("<</Length {}>>\nstream\n{content}\nendstream", content.len()),
            format!("<</Type/Font/Subtype/Type1/BaseFont/X/FirstChar 0/Widths[{}]>>", "500 ".repeat(256)),
        ];
        let mut out = b"%PDF-1.7\n".to_vec();
        let mut offsets = Vec::new();
        for (i, body) in bodies.iter().enumerate() {
            offsets.push(out.len());
            out.extend_from_slice(format!("{} 0 obj\n{body}\nendobj\n", i + 1).as_bytes());
        }
        let xref = out.len();
        out.extend_from_slice(b"xref\n0 6\n0000000000 65535 f\r\n");
        for offset in offsets {
            out.extend_from_slice(format!("{offset:010} 00000 n\r\n").as_bytes());
        }
        out.extend_from_slice(
            format!("trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n{xref}\n%%EOF\n").as_bytes(),
        );
        out
    }

    pub(super) fn sheet(entries: &str) -> Sheet {
        let pdf = paper(entries, "");
        Sheet::of(&Document::open(&pdf).unwrap().page(0).unwrap()).unwrap()
    }

    fn drawn(pdf: &[u8], id: &str, facts: &AppearanceFacts) -> Outcome<Rect> {
        let look = SignatureProfile::built_in(id).unwrap().look.unwrap();
        let document = Document::open(pdf).unwrap();
        let (_, page) = choose_page(&document, &look, facts)?;
        let mut revision = Revision::new(&document).unwrap();
        draw(&mut revision, &page, &look, facts, Timestamp::UNIX_EPOCH).map(|placed| placed.rect)
    }

    fn facts() -> AppearanceFacts {
        AppearanceFacts {
            name: "Nguyen Van An".into(),
            office: Some("UBND xã Hòa Bình".into()),
            ..Default::default()
        }
    }

    #[test]
    fn text_and_codes_on_the_page_are_never_covered() {
        let free = drawn(&paper("", ""), "intake_scan", &facts()).unwrap();
        let text = "BT /F1 12 Tf 30 815 Td (CONG HOA XA HOI) Tj ET 30 760 40 40 re f";
        let moved = drawn(&paper("", text), "intake_scan", &facts()).unwrap();
        assert_ne!(free, moved);
        for there in [Rect::new(30.0, 812.0, 120.0, 826.0), Rect::new(30.0, 760.0, 70.0, 800.0)] {
            assert!(moved.intersection(&there).is_none(), "{moved:?}");
        }
        let full: String =
            (0..80).map(|i| format!("1 0 0 1 20 {} Tm ({}) Tj ", i * 10 + 20, "x".repeat(110))).collect();
        let full = drawn(&paper("", &format!("BT /F1 10 Tf {full}ET")), "intake_scan", &facts());
        assert_eq!(full.unwrap_err().code.id, NO_ROOM.id);
    }

    #[test]
    fn a_code_known_from_the_pages_picture_is_not_covered_however_the_page_is_turned() {
        for turn in [0, 90, 180, 270] {
            let facts = AppearanceFacts { occupied_shares: vec![[0.02, 0.02, 0.2, 0.12]], ..facts() };
            let pdf = paper(&format!("/Rotate {turn}"), "");
            let document = Document::open(&pdf).unwrap();
            let sheet = Sheet::of(&document.page(0).unwrap()).unwrap();
            let stamp = sheet.to_shown(drawn(&pdf, "intake_scan", &facts).unwrap());
            let code = sheet.share(&facts.occupied_shares[0]);
            assert!(code.x0 < 20.0 && code.y1 > sheet.height * 0.97 && stamp.intersection(&code).is_none());
        }
    }

    #[test]
    fn a_page_that_cannot_be_followed_takes_no_stamp() {
        let text = "q ".repeat(600);
        assert_eq!(drawn(&paper("", &text), "intake_scan", &facts()).unwrap_err().code.id, UNREAD.id);
    }

    #[test]
    fn a_handwritten_signature_needs_its_picture() {
        let refused = drawn(&paper("", ""), "result_person", &facts());
        assert_eq!(refused.unwrap_err().code.id, NO_PICTURE.id);
    }

    #[test]
    fn a_prepared_field_is_drawn_into_and_a_flat_or_small_one_is_refused() {
        let pdf = paper("/Rotate 90", "");
        let document = Document::open(&pdf).unwrap();
        let page = document.page(0).unwrap();
        let look = SignatureProfile::built_in("result_agency").unwrap().look.unwrap();
        let mut revision = Revision::new(&document).unwrap();
        let mut into = |rect| draw_into(&mut revision, &page, rect, &look, &facts(), Timestamp::UNIX_EPOCH);
        let rect = Rect::new(100.25, 200.5, 160.0, 420.0);
        assert!(into(rect).is_ok());
        assert_eq!(into(Rect::new(1.0, 1.0, 1.0, 9.0)).unwrap_err().code.id, NO_ROOM.id);
        assert_eq!(into(Rect::new(0.0, 0.0, 20.0, 20.0)).unwrap_err().code.id, TEXT_TOO_LONG.id);
    }
}
