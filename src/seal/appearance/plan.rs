//! Where a signature goes: over an earlier one, above a name, or at the free spot nearest to its corner. Never over what
//! the page shows, but where its profile asks for that.

use super::ground::{self, Ground};
use super::picture::Picture;
use super::sheet::Sheet;
use super::text::{Align, Block};
use super::{NO_ROOM, POINTS_PER_MM};
use crate::fault::{Fault, Outcome};
use crate::pdf::revise::Rect;
use crate::seal::profile::{Above, Anchor, Look, Over, Side};

/// What is drawn, before its place is known.
pub(super) struct Art<'l> {
    pub(super) look: &'l Look,
    /// The profile's lines with their facts.
    pub(super) lines: Vec<String>,
    /// Width and height of the picture or of the seal, points.
    pub(super) picture: Option<[f64; 2]>,
}

/// Where everything goes, in points of the displayed page.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) picture: Option<Rect>,
    pub(super) text: Option<(Rect, Block, Align)>,
    /// How much the whole is made smaller around its lower left corner, on a small page.
    pub(super) scale: f64,
}

impl Plan {
    /// The box of the whole before it is made smaller.
    pub(super) fn bounds(&self) -> Option<Rect> {
        let text = self.text.as_ref().map(|(rect, ..)| *rect);
        self.picture.into_iter().chain(text).reduce(|a, b| Rect {
            x0: a.x0.min(b.x0),
            y0: a.y0.min(b.y0),
            x1: a.x1.max(b.x1),
            y1: a.y1.max(b.y1),
        })
    }

    fn moved(mut self, x: f64, y: f64) -> Plan {
        let shift = |r: &mut Rect| *r = at([r.x0 + x, r.y0 + y], [r.width(), r.height()]);
        self.picture.iter_mut().for_each(shift);
        self.text.iter_mut().for_each(|(rect, ..)| shift(rect));
        self
    }
}

/// The size that a picture is drawn at: what the profile says, else what the picture says, else what there is room for.
pub(super) fn picture_size(look: &Look, picture: &Picture) -> [f64; 2] {
    let room = look.size_mm.map(points);
    if let Some(size) = look.picture_mm {
        return picture.within(size.map(points));
    }
    match picture.real {
        // A picture straight from a screen claims sizes that nobody meant.
        Some(real) if real[0] <= room[0] && real[1] <= room[1] && real[0].max(real[1]) > LEAST_PICTURE => {
            real
        }
        _ => picture.within(room),
    }
}

/// Picture left, text right of it, their lower left corner at 0, 0.
fn side_by_side(art: &Art<'_>, size: [f64; 2]) -> Outcome<Plan> {
    let mut room = size;
    let picture = art.picture.map(|[width, height]| {
        let fit = (size[0] / width).min(size[1] / height).min(1.0);
        [width * fit, height * fit]
    });
    let left = picture.map_or(0.0, |[width, _]| width + GAP);
    room[0] -= left;
    if art.lines.is_empty() {
        return Ok(Plan { picture: picture.map(|size| at([0.0, 0.0], size)), text: None, scale: 1.0 });
    }
    let block = Block::fit(&art.lines, art.look, room)?;
    let tall = picture.map_or(0.0, |[_, height]| height).max(block.height);
    let text = at([left, (tall - block.height) / 2.0], [block.width, block.height]);
    let picture = picture.map(|size| at([0.0, (tall - size[1]) / 2.0], size));
    Ok(Plan { picture, text: Some((text, block, Align::Left)), scale: 1.0 })
}

/// Fills a given box: the field that somebody prepared.
pub(super) fn into_box(art: &Art<'_>, place: &Rect) -> Outcome<Plan> {
    let size = [place.width(), place.height()];
    let mut art = Art { look: art.look, lines: art.lines.clone(), picture: art.picture };
    if let Some([width, height]) = art.picture {
        let share = if art.lines.is_empty() { 1.0 } else { PICTURE_SHARE };
        let fit = (size[0] * share / width).min(size[1] / height).min(1.0);
        art.picture = Some([width * fit, height * fit]);
    }
    let plan = side_by_side(&art, size)?;
    let bounds = plan.bounds().ok_or_else(|| Fault::new(&NO_ROOM))?;
    let spare = [(size[0] - bounds.width()) / 2.0, (size[1] - bounds.height()) / 2.0];
    Ok(plan.moved(place.x0 + spare[0], place.y0 + spare[1]))
}

/// The free spot nearest to the profile's corner, within the quarter of the page that the corner names.
pub(super) fn in_corner(art: &Art<'_>, sheet: &Sheet, ground: &Ground) -> Outcome<Plan> {
    let look = art.look;
    let page = [sheet.width, sheet.height];
    let mut plan = side_by_side(art, look.size_mm.map(points))?;
    let bounds = plan.bounds().ok_or_else(|| Fault::new(&NO_ROOM))?;
    let mut margin = look.margin_mm.map(points);
    let mut least = [points(LEAST_MARGIN).min(margin[0]), points(LEAST_MARGIN).min(margin[1])];
    for (side, length) in [(0, bounds.width()), (1, bounds.height())] {
        margin[side] = margin[side].min((page[side] * 0.1).max((page[side] - length) / 2.0));
        least[side] = least[side].min(margin[side]);
        plan.scale = plan.scale.min((page[side] - 2.0 * margin[side]) / length);
    }
    if plan.scale < SMALLEST_SCALE {
        return Err(Fault::new(&NO_ROOM).detail("the page is too small"));
    }
    let size = [bounds.width() * plan.scale, bounds.height() * plan.scale];
    let corner = |shift: [f64; 2]| {
        let near = [margin[0] + shift[0], margin[1] + shift[1]];
        let far = [page[0] - near[0] - size[0], page[1] - near[1] - size[1]];
        match look.anchor {
            Anchor::TopLeft => [near[0], far[1]],
            Anchor::TopRight => far,
            Anchor::BottomLeft => near,
            Anchor::BottomRight => [far[0], near[1]],
        }
    };
    let free = |spot: &[f64; 2]| ground.is_free(&grown(&at(*spot, size), CLEAR));
    let steps = |side: usize| {
        let reach = (page[side] / 2.0 - margin[side] - size[side] / 2.0).max(0.0);
        let step = STEP.max(reach / MOST_STEPS);
        let nearer = ((margin[side] - least[side]) / step) as i64;
        (-nearer..=(reach / step) as i64).map(move |i| i as f64 * step)
    };
    let near_to_far = || {
        let mut shifts: Vec<[f64; 2]> = steps(1).flat_map(|dy| steps(0).map(move |dx| [dx, dy])).collect();
        shifts.sort_by(|a, b| (a[0].abs() + a[1].abs()).total_cmp(&(b[0].abs() + b[1].abs())));
        shifts
    };
    // Nearly always the corner itself is free.
    let spot = Some(corner([0.0, 0.0])).filter(free);
    let spot = spot.or_else(|| near_to_far().into_iter().map(corner).find(free));
    let spot = spot.ok_or_else(|| Fault::new(&NO_ROOM))?;
    Ok(plan.moved(spot[0] - bounds.x0, spot[1] - bounds.y0))
}

/// Between a name and what stands over it, centred on the name. `None` where the page has no such gap.
pub(super) fn above_line(
    art: &Art<'_>,
    above: &Above,
    words: &str,
    lines: &[ground::Line],
    sheet: &Sheet,
    ground: &Ground,
) -> Outcome<Option<Plan>> {
    let least = points(above.least_gap_mm);
    let Some([middle, low, high]) = ground::gap_above(lines, words, least, sheet.height) else {
        return Ok(None);
    };
    let room = [points(art.look.size_mm[0]), (high - low - 2.0 * CLEAR).min(points(art.look.size_mm[1]))];
    let mut art = Art { look: art.look, lines: art.lines.clone(), picture: art.picture };
    if let Some([width, height]) = art.picture {
        let fit = (room[0] / width).min(room[1] / height).min(1.0);
        art.picture = Some([width * fit, height * fit]);
    }
    let plan = side_by_side(&art, room)?;
    let Some(bounds) = plan.bounds() else { return Ok(None) };
    let size = [bounds.width(), bounds.height()];
    let corner = [middle - size[0] / 2.0, (low + high - size[1]) / 2.0];
    let page = at([0.0, 0.0], [sheet.width, sheet.height]);
    let aside = [0.0, 2.0, -2.0, 4.0, -4.0, 7.0, -7.0, 10.0, -10.0].map(points);
    let place = aside.into_iter().map(|dx| at([corner[0] + dx, corner[1]], size));
    let place = place.into_iter().find(|place| within(place, &page) && ground.is_free(place));
    let place = place.ok_or_else(|| Fault::new(&NO_ROOM).detail("between title and name"))?;
    Ok(Some(plan.moved(place.x0 - bounds.x0, place.y0 - bounds.y0)))
}

/// The picture over part of an earlier signature and clear of what is `taken`, sparing the page's `print` where it can
/// slide; the text free on `ground`, which holds all of these.
pub(super) fn over_signature(
    art: &Art<'_>,
    over: &Over,
    earlier: &Rect,
    sheet: &Sheet,
    print: &Ground,
    taken: &[Rect],
    ground: &Ground,
) -> Outcome<Plan> {
    let no_room = || Fault::new(&NO_ROOM).detail("beside the earlier signature");
    let page = at([0.0, 0.0], [sheet.width, sheet.height]);
    let size = art.picture.ok_or_else(no_room)?;
    let middle = [(earlier.x0 + earlier.x1) / 2.0, (earlier.y0 + earlier.y1) / 2.0];
    let corner = match over.side {
        Side::Left => [earlier.x0 + earlier.width() * over.share - size[0], middle[1] - size[1] / 2.0],
        Side::Right => [earlier.x1 - earlier.width() * over.share, middle[1] - size[1] / 2.0],
        Side::Below => [middle[0] - size[0] / 2.0, earlier.y0 + earlier.height() * over.share - size[1]],
        Side::Above => [middle[0] - size[0] / 2.0, earlier.y1 - earlier.height() * over.share],
    };
    let most = points(over.slide_mm) as i64;
    let slides = (-most..=most).map(|dy| at([corner[0], corner[1] + dy as f64], size));
    let picture = slides
        .filter(|place| within(place, &page) && taken.iter().all(|there| there.intersection(place).is_none()))
        .min_by_key(|place| (print.taken_in_round(place), (place.y0 - corner[1]).abs() as i64))
        .ok_or_else(no_room)?;
    let mut plan = Plan { picture: Some(picture), text: None, scale: 1.0 };
    if art.lines.is_empty() {
        return Ok(plan);
    }
    let mut ground = ground.clone();
    ground.take(&picture);
    let room = [points(art.look.size_mm[0]) - size[0] - GAP, points(art.look.size_mm[1])];
    let block = Block::fit(&art.lines, art.look, room)?;
    let size = [block.width, block.height];
    let place = over.text.iter().find_map(|side| beside(&picture, *side, size, &page, &ground));
    let place = place.ok_or_else(no_room)?;
    plan.text = Some((place, block, Align::Left));
    Ok(plan)
}

/// A free place for a block at one side of a picture, as near to it as can be.
fn beside(picture: &Rect, side: Side, [w, h]: [f64; 2], page: &Rect, ground: &Ground) -> Option<Rect> {
    let middle = [(picture.x0 + picture.x1) / 2.0 - w / 2.0, (picture.y0 + picture.y1) / 2.0 - h / 2.0];
    let steps = |most: i64| (0..=most).flat_map(|i| [i, -i]).map(|i| points(i as f64));
    let mut places: Vec<(f64, Rect)> = (0..=MOST_AWAY)
        .flat_map(|away| {
            let away = GAP + points(away as f64);
            steps(MOST_ALONG).map(move |along| (away, along))
        })
        .map(|(away, along)| {
            let corner = match side {
                Side::Left => [picture.x0 - away - w, middle[1] + along],
                Side::Right => [picture.x1 + away, middle[1] + along],
                Side::Below => [middle[0] + along, picture.y0 - away - h],
                Side::Above => [middle[0] + along, picture.y1 + away],
            };
            (away + along.abs() / 2.0, at(corner, [w, h]))
        })
        .collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    let paper = grown(page, -points(LEAST_MARGIN));
    let free = |place: &Rect| within(place, &paper) && ground.is_free(&grown(place, CLEAR / 2.0));
    places.into_iter().map(|(_, place)| place).find(free)
}

fn at([x, y]: [f64; 2], [width, height]: [f64; 2]) -> Rect {
    Rect { x0: x, y0: y, x1: x + width, y1: y + height }
}

fn within(inner: &Rect, outer: &Rect) -> bool {
    inner.x0 >= outer.x0 && inner.y0 >= outer.y0 && inner.x1 <= outer.x1 && inner.y1 <= outer.y1
}

fn grown(r: &Rect, by: f64) -> Rect {
    Rect { x0: r.x0 - by, y0: r.y0 - by, x1: r.x1 + by, y1: r.y1 + by }
}

fn points(millimetres: f64) -> f64 {
    millimetres * POINTS_PER_MM
}

/// Points between the picture and the text.
const GAP: f64 = 4.0;
/// Points that stay free around the whole.
const CLEAR: f64 = POINTS_PER_MM;
/// Points from one candidate to the next.
const STEP: f64 = 2.0 * POINTS_PER_MM;
const MOST_STEPS: f64 = 100.0;
/// Millimetres from the edge that are tried before the page's inside is.
const LEAST_MARGIN: f64 = 4.0;
const SMALLEST_SCALE: f64 = 0.5;
const LEAST_PICTURE: f64 = 5.0 * POINTS_PER_MM;
/// Of a prepared field's width, what a picture takes beside text.
const PICTURE_SHARE: f64 = 0.45;
/// Millimetres that text may stand away from the picture, and be shifted along its side.
const MOST_AWAY: i64 = 15;
const MOST_ALONG: i64 = 30;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::appearance::tests::sheet;
    use crate::seal::profile::SignatureProfile;

    fn look(id: &str) -> Look {
        SignatureProfile::built_in(id).unwrap().look.unwrap()
    }

    fn art<'l>(look: &'l Look, lines: &[&str]) -> Art<'l> {
        Art {
            look,
            lines: lines.iter().map(|l| (*l).to_owned()).collect(),
            picture: look.picture_mm.map(|mm| mm.map(points)),
        }
    }

    #[test]
    fn a_qr_code_in_the_corner_moves_the_signature_to_the_nearest_free_spot() {
        let look = look("intake_scan");
        let art = art(&look, &["Người số hóa: Nguyễn Thị Huệ", "Thời gian: 2025-09-14T08:05:09+07:00"]);
        let sheet = sheet("");
        let mut ground = Ground::new(&sheet);
        let first = in_corner(&art, &sheet, &ground).unwrap();
        let here = first.bounds().unwrap();
        assert_eq!(first.scale, 1.0);
        assert!((here.x0 - points(8.0)).abs() < 1e-6 && (here.y1 - (842.0 - points(8.0))).abs() < 1e-6);
        let qr = Rect::new(15.0, 740.0, 90.0, 830.0);
        ground.take(&qr);
        let moved = in_corner(&art, &sheet, &ground).unwrap().bounds().unwrap();
        assert!(moved.intersection(&qr).is_none());
        assert!(moved.y0 > 421.0 && moved.x0 < 297.0, "still top left: {moved:?}");
        ground.take(&Rect::new(0.0, 0.0, 600.0, 850.0));
        assert_eq!(in_corner(&art, &sheet, &ground).unwrap_err().code.id, NO_ROOM.id);
    }

    #[test]
    fn rather_nearer_to_the_edge_than_into_the_page() {
        let look = look("sao_y");
        let sheet = sheet("");
        let mut ground = Ground::new(&sheet);
        ground.take(&Rect::new(200.0, 700.0, 595.0, 842.0 - points(20.0)));
        let art = art(&look, &["Sao y", "Ủy ban nhân dân xã Hòa Bình"]);
        let here = in_corner(&art, &sheet, &ground).unwrap().bounds().unwrap();
        assert!(here.y0 > 842.0 - points(20.0), "{here:?}");
    }

    #[test]
    fn the_box_shrinks_on_a_small_page_until_nobody_could_read_it() {
        let look = look("intake_scan");
        let art = art(&look, &["Người số hóa: Nguyễn Thị Huệ", "Thời gian: 2025-09-14T08:05:09+07:00"]);
        let small = sheet("/CropBox[0 0 130 200]");
        let plan = in_corner(&art, &small, &Ground::new(&small)).unwrap();
        assert!(plan.scale < 0.8 && plan.scale > 0.5);
        let tiny = sheet("/CropBox[0 0 60 60]");
        assert_eq!(in_corner(&art, &tiny, &Ground::new(&tiny)).unwrap_err().code.id, NO_ROOM.id);
    }

    #[test]
    fn the_seal_covers_a_third_of_the_signature_from_its_left_and_its_text_stands_free() {
        let look = look("result_agency");
        let over = look.over.clone().unwrap();
        let art =
            art(&look, &["Cơ quan: Ủy ban nhân dân xã Hòa Bình", "Thời gian ký: 2025-09-14T08:05:09+07:00"]);
        let sheet = sheet("");
        let (mut print, mut ground) = (Ground::new(&sheet), Ground::new(&sheet));
        let signature = Rect::new(360.0, 300.0, 480.0, 360.0);
        let name = Rect::new(360.0, 285.0, 480.0, 298.0);
        ground.take(&signature);
        [&mut print, &mut ground].into_iter().for_each(|ground| ground.take(&name));
        let plan = over_signature(&art, &over, &signature, &sheet, &print, &[], &ground).unwrap();
        let seal = plan.picture.unwrap();
        assert!((seal.width() - points(36.0)).abs() < 1e-6);
        let share = (seal.x1 - signature.x0) / signature.width();
        assert!((share - 0.33).abs() < 1e-6 && seal.intersection(&signature).is_some());
        let (text, block, _) = plan.text.unwrap();
        assert!([signature, name, seal].iter().all(|there| there.intersection(&text).is_none()));
        assert!(block.lines.len() == 2 && text.y1 < seal.y0, "below: {text:?}");
        let code = [Rect::new(300.0, 330.0, 340.0, 370.0)];
        let covered = over_signature(&art, &over, &signature, &sheet, &print, &code, &ground);
        assert_eq!(covered.unwrap_err().code.id, NO_ROOM.id, "a code is never covered");
        ground.take(&Rect::new(0.0, 0.0, 595.0, 842.0));
        let full = over_signature(&art, &over, &signature, &sheet, &print, &[], &ground);
        assert_eq!(full.unwrap_err().code.id, NO_ROOM.id);
    }
}
