//! Where on a page a signature goes: displayed coordinates, what is there already, the nearest free spot.

use super::{NO_ROOM, POINTS_PER_MM, UPRIGHT};
use crate::fault::{Fault, Outcome};
use crate::pdf::revise::{Document, Page, Rect, Value};
use crate::seal::profile::{Anchor, Look};

/// A page as it is displayed: points from its lower left corner.
pub(super) struct Sheet {
    crop: Rect,
    rotate: u16,
    unit: f64,
    width: f64,
    height: f64,
}

impl Sheet {
    pub(super) fn of(page: &Page) -> Self {
        let (crop, unit) = (page.crop_box, page.user_unit);
        let (mut width, mut height) = (crop.width() * unit, crop.height() * unit);
        if matches!(page.rotate, 90 | 270) {
            std::mem::swap(&mut width, &mut height);
        }
        Sheet { crop, rotate: page.rotate, unit, width, height }
    }

    /// The form's matrix: it turns the content back upright.
    pub(super) fn matrix(&self) -> [i64; 6] {
        match self.rotate {
            90 => [0, 1, -1, 0, 0, 0],
            180 => [-1, 0, 0, -1, 0, 0],
            270 => [0, -1, 1, 0, 0, 0],
            _ => UPRIGHT,
        }
    }

    /// A displayed rectangle in user space.
    pub(super) fn to_user(&self, shown: Rect) -> Rect {
        let point = |u: f64, v: f64| {
            let (u, v) = (u / self.unit, v / self.unit);
            let c = self.crop;
            match self.rotate {
                90 => (c.x1 - v, c.y0 + u),
                180 => (c.x1 - u, c.y1 - v),
                270 => (c.x0 + v, c.y1 - u),
                _ => (c.x0 + u, c.y0 + v),
            }
        };
        let (a, b) = (point(shown.x0, shown.y0), point(shown.x1, shown.y1));
        Rect::new(a.0, a.1, b.0, b.1)
    }

    /// A rectangle of user space as displayed.
    pub(super) fn to_shown(&self, user: Rect) -> Rect {
        let point = |x: f64, y: f64| {
            let c = self.crop;
            let (u, v) = match self.rotate {
                90 => (y - c.y0, c.x1 - x),
                180 => (c.x1 - x, c.y1 - y),
                270 => (c.y1 - y, x - c.x0),
                _ => (x - c.x0, y - c.y0),
            };
            (u * self.unit, v * self.unit)
        };
        let (a, b) = (point(user.x0, user.y0), point(user.x1, user.y1));
        Rect::new(a.0, a.1, b.0, b.1)
    }

    /// The lower left corner of the free spot nearest to the profile's corner, and how much the box had to shrink to
    /// fit a small page. The box stays within the quarter of the page that its corner names.
    pub(super) fn free_spot(
        &self,
        look: &Look,
        occupied: &[Rect],
        drawn: &[Rect],
    ) -> Outcome<([f64; 2], f64)> {
        let page = [self.width, self.height];
        let [width, height] = look.size_mm.map(|mm| mm * POINTS_PER_MM);
        let mut scale: f64 = 1.0;
        let mut margin = look.margin_mm.map(|mm| mm * POINTS_PER_MM);
        for (side, box_side) in [(0, width), (1, height)] {
            margin[side] = margin[side].min(page[side] * 0.1);
            scale = scale.min((page[side] - 2.0 * margin[side]) / box_side);
        }
        if scale < SMALLEST_SCALE {
            return Err(Fault::new(&NO_ROOM).detail("the page is too small"));
        }
        let size = [width * scale, height * scale];
        let reach = |side: usize| (page[side] / 2.0 - margin[side] - size[side] / 2.0).max(0.0);
        let steps = |side: usize| {
            let step = STEP.max(reach(side) / MOST_STEPS);
            (0..=(reach(side) / step) as usize).map(move |i| i as f64 * step)
        };
        let mut shifts: Vec<[f64; 2]> = steps(1).flat_map(|dy| steps(0).map(move |dx| [dx, dy])).collect();
        shifts.sort_by(|a, b| (a[0] + a[1]).total_cmp(&(b[0] + b[1])));
        let free = |corner: &[f64; 2]| {
            let here = Rect::new(
                corner[0] - CLEAR,
                corner[1] - CLEAR,
                corner[0] + size[0] + CLEAR,
                corner[1] + size[1] + CLEAR,
            );
            occupied.iter().chain(drawn).all(|there| here.intersection(there).is_none())
        };
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
        let spot = shifts.into_iter().map(corner).find(free);
        spot.map(|spot| (spot, scale)).ok_or_else(|| Fault::new(&NO_ROOM))
    }
}

/// Displayed rectangles of the visible widgets and stamps on a page.
pub(super) fn drawn_already(document: &Document<'_>, page: &Page) -> Outcome<Vec<Rect>> {
    let Value::Array(annotations) = document.lookup(&page.dict, b"Annots")? else { return Ok(Vec::new()) };
    let sheet = Sheet::of(page);
    let mut out = Vec::new();
    for annotation in annotations.iter().take(MOST_ANNOTATIONS) {
        let Value::Dict(dict) = document.resolve(annotation)? else { continue };
        let kind = document.lookup(&dict, b"Subtype")?;
        if !matches!(kind.as_name(), Some(b"Widget" | b"Stamp" | b"FreeText")) {
            continue;
        }
        if let Some(rect) = document.rect(&dict, b"Rect")?.filter(|r| r.width() > 0.0 && r.height() > 0.0) {
            out.push(sheet.to_shown(rect));
        }
    }
    Ok(out)
}

/// Points from one candidate to the next.
const STEP: f64 = 4.0 * POINTS_PER_MM;
const MOST_STEPS: f64 = 100.0;
/// Points that stay free around the box.
const CLEAR: f64 = POINTS_PER_MM;
const SMALLEST_SCALE: f64 = 0.2;
const MOST_ANNOTATIONS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdf::revise::{Dict, ObjectId};
    use crate::seal::profile::SignatureProfile;

    fn a4(rotate: u16, user_unit: f64) -> Page {
        let media_box = Rect::new(0.0, 0.0, 700.0, 900.0);
        let crop_box = Rect::new(10.0, 20.0, 605.0, 862.0);
        Page { id: ObjectId::new(3), dict: Dict::new(), media_box, crop_box, rotate, user_unit }
    }

    #[test]
    fn displayed_and_user_space_are_each_others_inverse_for_every_turn() {
        for rotate in [0, 90, 180, 270] {
            let sheet = Sheet::of(&a4(rotate, 2.0));
            let shown = Rect::new(30.0, 40.0, 130.0, 60.0);
            let user = sheet.to_user(shown);
            let back = sheet.to_shown(user);
            assert!((back.x0 - 30.0).abs() + (back.y1 - 60.0).abs() < 1e-9, "{rotate}");
            let wide = user.width() > user.height();
            assert_eq!(wide, rotate % 180 == 0);
        }
        let sheet = Sheet::of(&a4(90, 1.0));
        let corner = sheet.to_user(Rect::new(0.0, 0.0, 1.0, 1.0));
        assert_eq!((corner.x1, corner.y0), (605.0, 20.0), "lower left of the displayed page");
    }

    #[test]
    fn a_qr_code_in_the_corner_moves_the_signature_to_the_nearest_free_spot() {
        let look = SignatureProfile::built_in("intake_scan").unwrap().look.unwrap();
        let sheet = Sheet::of(&a4(0, 1.0));
        let (corner, scale) = sheet.free_spot(&look, &[], &[]).unwrap();
        assert_eq!(scale, 1.0);
        assert!((corner[0] - 8.0 * POINTS_PER_MM).abs() < 1e-6);
        assert!((corner[1] - (842.0 - 20.0 * POINTS_PER_MM)).abs() < 1e-6);
        let qr = Rect::new(15.0, 740.0, 90.0, 830.0);
        let (moved, _) = sheet.free_spot(&look, &[qr], &[]).unwrap();
        let [w, h] = look.size_mm.map(|mm| mm * POINTS_PER_MM);
        assert!(Rect::new(moved[0], moved[1], moved[0] + w, moved[1] + h).intersection(&qr).is_none());
        assert!(moved[1] > 421.0 && moved[0] < 297.0, "still top left: {moved:?}");
        let all = Rect::new(0.0, 0.0, 600.0, 850.0);
        assert_eq!(sheet.free_spot(&look, &[all], &[]).unwrap_err().code.id, NO_ROOM.id);
    }

    #[test]
    fn the_box_shrinks_on_a_small_page() {
        let look = SignatureProfile::built_in("intake_scan").unwrap().look.unwrap();
        let mut page = a4(0, 1.0);
        page.crop_box = Rect::new(0.0, 0.0, 120.0, 200.0);
        let (corner, scale) = Sheet::of(&page).free_spot(&look, &[], &[]).unwrap();
        assert!(scale < 0.6 && corner[0] >= 0.0);
        page.crop_box = Rect::new(0.0, 0.0, 10.0, 10.0);
        assert!(Sheet::of(&page).free_spot(&look, &[], &[]).is_err());
    }
}
