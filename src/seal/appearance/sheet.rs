//! A page as a person sees it: turned, cut to its crop box, in points from the lower left corner.

use super::{NO_ROOM, UPRIGHT};
use crate::fault::{Fault, Outcome};
use crate::pdf::revise::{Page, Rect};

/// A page as it is displayed: points from its lower left corner.
pub(super) struct Sheet {
    crop: Rect,
    rotate: u16,
    unit: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Sheet {
    /// # Errors
    /// [`NO_ROOM`] on a page that is smaller or larger than any.
    pub(super) fn of(page: &Page) -> Outcome<Self> {
        let (crop, unit) = (page.crop_box, page.user_unit);
        let (mut width, mut height) = (crop.width() * unit, crop.height() * unit);
        if matches!(page.rotate, 90 | 270) {
            std::mem::swap(&mut width, &mut height);
        }
        if [width, height].iter().any(|side| !(LEAST_SIDE..=MOST_SIDE).contains(side)) {
            return Err(Fault::new(&NO_ROOM).detail("the page is too small or too large"));
        }
        Ok(Sheet { crop, rotate: page.rotate, unit, width, height })
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

    /// Left, top, right and bottom as shares of the page, as a displayed rectangle.
    pub(super) fn share(&self, [left, top, right, bottom]: &[f64; 4]) -> Rect {
        let [x0, x1] = [left, right].map(|share| share * self.width);
        let [y0, y1] = [bottom, top].map(|share| (1.0 - share) * self.height);
        Rect::new(x0, y0, x1, y1)
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
}

/// Points; a page of less takes no signature that could be read.
const LEAST_SIDE: f64 = 36.0;
/// Points; more than a kilometre.
pub(super) const MOST_SIDE: f64 = 4e6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdf::revise::{Dict, ObjectId};

    fn a4(rotate: u16, user_unit: f64) -> Page {
        let media_box = Rect::new(0.0, 0.0, 700.0, 900.0);
        let crop_box = Rect::new(10.0, 20.0, 605.0, 862.0);
        Page { id: ObjectId::new(3), dict: Dict::new(), media_box, crop_box, rotate, user_unit }
    }

    #[test]
    fn displayed_and_user_space_are_each_others_inverse_for_every_turn() {
        for rotate in [0, 90, 180, 270] {
            let sheet = Sheet::of(&a4(rotate, 2.0)).unwrap();
            let shown = Rect::new(30.0, 40.0, 130.0, 60.0);
            let user = sheet.to_user(shown);
            let back = sheet.to_shown(user);
            assert!((back.x0 - 30.0).abs() + (back.y1 - 60.0).abs() < 1e-9, "{rotate}");
            let wide = user.width() > user.height();
            assert_eq!(wide, rotate % 180 == 0);
        }
        let sheet = Sheet::of(&a4(90, 1.0)).unwrap();
        let corner = sheet.to_user(Rect::new(0.0, 0.0, 1.0, 1.0));
        assert_eq!((corner.x1, corner.y0), (605.0, 20.0), "lower left of the displayed page");
    }

    #[test]
    fn pages_beyond_sense_are_refused() {
        for corner in [f64::INFINITY, f64::NAN, 1e30, 20.0] {
            let mut page = a4(0, 1.0);
            page.crop_box = Rect { x0: 0.0, y0: 0.0, x1: corner, y1: 842.0 };
            assert_eq!(Sheet::of(&page).err().map(|f| f.code.id), Some(NO_ROOM.id), "{corner}");
        }
    }
}
