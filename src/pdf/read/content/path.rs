//! What a page's orders let through: the corners of a clipping path, as far as it is one quadrilateral.

/// A point of the page.
pub(in crate::pdf::read) type Point = (f32, f32);

/// Four corners in order.
pub(in crate::pdf::read) type Quad = [Point; 4];

/// The path under construction (ISO 32000-1, 8.5.2).
#[derive(Default)]
pub(super) struct Path {
    corners: Vec<Point>,
    /// It is something else than one figure of four straight sides.
    is_other: bool,
    /// `W` was said: what is painted after the path is cut by it.
    pub(super) cuts: bool,
}

impl Path {
    /// Takes one order that builds a path; anything else is none of its business.
    pub(super) fn order(&mut self, order: &[u8], numbers: &[f32], matrix: [f32; 6]) {
        match (order, numbers) {
            (b"re", [.., x, y, w, h]) if self.corners.is_empty() => {
                self.corners = rectangle([*x, *y, x + w, y + h]).map(|p| on_page(p, matrix)).to_vec();
            }
            (b"m", [.., x, y]) if self.corners.len() < 2 => self.corners = vec![on_page((*x, *y), matrix)],
            (b"l", [.., x, y]) if (1..5).contains(&self.corners.len()) => {
                self.corners.push(on_page((*x, *y), matrix));
            }
            (b"re" | b"m" | b"l" | b"c" | b"v" | b"y", _) => self.is_other = true,
            (b"W" | b"W*", _) => self.cuts = true,
            _ => {}
        }
    }

    /// Its four corners, where it has no others.
    pub(super) fn quad(&self) -> Option<Quad> {
        let corners = match self.corners.as_slice() {
            [four @ .., last] if four.len() == 4 && four.first() == Some(last) => four,
            corners => corners,
        };
        corners.try_into().ok().filter(|_| !self.is_other)
    }
}

/// The corners of a rectangle.
pub(in crate::pdf::read) fn rectangle(r: [f32; 4]) -> Quad {
    [(r[0], r[1]), (r[2], r[1]), (r[2], r[3]), (r[0], r[3])]
}

/// Where a matrix puts a point.
pub(in crate::pdf::read) fn on_page((x, y): Point, m: [f32; 6]) -> Point {
    (m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5])
}

/// True where the points lie inside a convex quadrilateral, or outside by no more than [`SLACK`].
pub(in crate::pdf::read) fn holds(quad: &Quad, points: &[Point]) -> bool {
    let side = |p: Point, q: Point, r: Point| (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0);
    let around = side(quad[0], quad[1], quad[2]).signum();
    (0..4).all(|i| {
        let (p, q, next) = (quad[i], quad[(i + 1) % 4], quad[(i + 2) % 4]);
        let length = (q.0 - p.0).hypot(q.1 - p.1);
        let is_inside = |point: &Point| around * side(p, q, *point) >= -SLACK * length;
        around * side(p, q, next) > 0.0 && points.iter().all(is_inside)
    })
}

/// Points by which boxes of one scan differ where writers round: 0.7 mm.
const SLACK: f32 = 2.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_quadrilateral_or_unknown() {
        let path = |orders: &[(&[u8], &[f32])]| {
            let mut path = Path::default();
            orders
                .iter()
                .for_each(|(order, numbers)| path.order(order, numbers, [1.0, 0.0, 0.0, 1.0, 5.0, 0.0]));
            path.quad()
        };
        let square = Some([(5.0, 0.0), (15.0, 0.0), (15.0, 10.0), (5.0, 10.0)]);
        assert_eq!(path(&[(b"re", &[0.0, 0.0, 10.0, 10.0])]), square);
        let (a, b, c, d) = ([0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]);
        assert_eq!(path(&[(b"m", &a), (b"l", &b), (b"l", &c), (b"l", &d), (b"l", &a)]), square);
        assert_eq!(path(&[]), None);
        assert_eq!(path(&[(b"re", &[0.0, 0.0, 9.0, 9.0]), (b"re", &[0.0, 0.0, 9.0, 9.0])]), None);
        assert_eq!(path(&[(b"re", &[0.0, 0.0, 9.0, 9.0]), (b"c", &[0.0; 6])]), None);
    }

    #[test]
    fn a_quadrilateral_holds_what_it_lets_through() {
        let page = rectangle([0.0, 0.0, 100.0, 100.0]);
        let turned = [(50.0, -60.0), (160.0, 50.0), (50.0, 160.0), (-60.0, 50.0)];
        assert!(holds(&page, &page) && holds(&turned, &page) && !holds(&page, &turned));
        assert!(!holds(&rectangle([0.0, 0.0, 100.0, 90.0]), &page));
        assert!(!holds(&rectangle([0.0, 0.0, 100.0, 0.0]), &page));
        assert!(!holds(&[page[0], page[2], page[1], page[3]], &[(50.0, 50.0)]));
    }
}
