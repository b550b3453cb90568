//! Pages with what they inherit (ISO 32000-1, 7.7.3).

use super::value::{Dict, ObjectId, Value};
use super::{Document, NO_SUCH_PAGE, PAGE_TREE, TOO_LARGE};
use crate::fault::{Fault, Outcome};
use std::collections::HashSet;

/// A page, its inherited attributes filled in.
#[derive(Debug, Clone)]
pub struct Page {
    /// The page object.
    pub id: ObjectId,
    /// Its dictionary as written, nothing inherited.
    pub dict: Dict,
    /// The sheet, default user space units.
    pub media_box: Rect,
    /// What is shown of it: `/CropBox` cut to the sheet, the sheet itself where there is none.
    pub crop_box: Rect,
    /// Clockwise turn when shown: 0, 90, 180 or 270.
    pub rotate: u16,
    /// Size of a unit in 1/72 inch.
    pub user_unit: f64,
}

/// A rectangle in PDF coordinates, `x0 <= x1` and `y0 <= y1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rect {
    /// Left.
    pub x0: f64,
    /// Bottom.
    pub y0: f64,
    /// Right.
    pub x1: f64,
    /// Top.
    pub y1: f64,
}

impl Rect {
    /// From any two opposite corners.
    pub fn new(xa: f64, ya: f64, xb: f64, yb: f64) -> Self {
        Rect { x0: xa.min(xb), y0: ya.min(yb), x1: xa.max(xb), y1: ya.max(yb) }
    }

    /// Width.
    pub fn width(&self) -> f64 {
        self.x1 - self.x0
    }

    /// Height.
    pub fn height(&self) -> f64 {
        self.y1 - self.y0
    }

    /// The part that both cover, if it has an area.
    pub fn intersection(&self, other: &Rect) -> Option<Rect> {
        let cut = Rect {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        };
        (cut.x0 < cut.x1 && cut.y0 < cut.y1).then_some(cut)
    }

    /// As a PDF array.
    pub fn to_value(&self) -> Value {
        Value::Array([self.x0, self.y0, self.x1, self.y1].map(Value::Real).to_vec())
    }
}

impl Document<'_> {
    /// The page at `index`, from 0.
    ///
    /// # Errors
    /// A page tree that is none, or has fewer pages.
    pub fn page(&self, index: usize) -> Outcome<Page> {
        self.walk_pages(Some(index))?
            .pop()
            .ok_or_else(|| Fault::new(&NO_SUCH_PAGE).detail(format!("page {}", index.saturating_add(1))))
    }

    /// All pages.
    ///
    /// # Errors
    /// A page tree that is none or has too many nodes.
    pub fn pages(&self) -> Outcome<Vec<Page>> {
        self.walk_pages(None)
    }

    /// All pages, or only the wanted one.
    fn walk_pages(&self, wanted: Option<usize>) -> Outcome<Vec<Page>> {
        let broken = |what: &str| Fault::new(&PAGE_TREE).detail(what);
        let (_, catalog) = self.catalog()?;
        let root = catalog.get(b"Pages").and_then(Value::as_ref).ok_or_else(|| broken("no root"))?;
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        let mut count = 0usize;
        let mut stack = vec![(root, Inherited::default())];
        while let Some((id, mut inherited)) = stack.pop() {
            if !seen.insert(id) {
                return Err(broken("a node is its own ancestor or appears twice"));
            }
            if seen.len() > MAX_NODES {
                return Err(Fault::new(&TOO_LARGE).detail(format!("more than {MAX_NODES} pages")));
            }
            let Value::Dict(dict) = self.get(id)? else { return Err(broken("a node is not a dictionary")) };
            self.inherit(&dict, &mut inherited)?;
            let Value::Array(kids) = self.lookup(&dict, b"Kids")? else {
                if wanted.is_none_or(|w| w == count) {
                    found.push(inherited.page(id, dict)?);
                    if wanted.is_some() {
                        return Ok(found);
                    }
                }
                count += 1;
                continue;
            };
            if stack.len() + kids.len() > MAX_NODES {
                return Err(Fault::new(&TOO_LARGE).detail(format!("more than {MAX_NODES} pages")));
            }
            for kid in kids.iter().rev() {
                let kid = kid.as_ref().ok_or_else(|| broken("a kid is not a reference"))?;
                stack.push((kid, inherited.clone()));
            }
        }
        Ok(found)
    }

    fn inherit(&self, dict: &Dict, inherited: &mut Inherited) -> Outcome<()> {
        if let Some(rect) = self.rect(dict, b"MediaBox")? {
            inherited.media_box = Some(rect);
        }
        if let Some(rect) = self.rect(dict, b"CropBox")? {
            inherited.crop_box = Some(rect);
        }
        if let Some(turn) = self.lookup(dict, b"Rotate")?.as_int() {
            inherited.rotate = turn;
        }
        // UserUnit belongs to the page alone (7.7.3.3).
        inherited.user_unit = self.lookup(dict, b"UserUnit")?.as_number();
        Ok(())
    }

    /// A rectangle under a key.
    ///
    /// # Errors
    /// Numbers that cannot be read.
    pub fn rect(&self, dict: &Dict, key: &[u8]) -> Outcome<Option<Rect>> {
        let Value::Array(items) = self.lookup(dict, key)? else { return Ok(None) };
        if items.len() != 4 {
            return Ok(None);
        }
        let mut n = [0.0; 4];
        for (slot, item) in n.iter_mut().zip(&items) {
            *slot = self.resolve(item)?.as_number().unwrap_or(0.0);
        }
        Ok(Some(Rect::new(n[0], n[1], n[2], n[3])))
    }
}

#[derive(Clone, Default)]
struct Inherited {
    media_box: Option<Rect>,
    crop_box: Option<Rect>,
    rotate: i64,
    user_unit: Option<f64>,
}

impl Inherited {
    fn page(&self, id: ObjectId, dict: Dict) -> Outcome<Page> {
        let media_box = self
            .media_box
            .filter(|m| m.width() > 0.0 && m.height() > 0.0)
            .ok_or_else(|| Fault::new(&PAGE_TREE).detail("a page without a usable MediaBox"))?;
        let crop_box = self.crop_box.and_then(|crop| crop.intersection(&media_box)).unwrap_or(media_box);
        let rotate = match self.rotate.rem_euclid(360) {
            90 => 90,
            180 => 180,
            270 => 270,
            _ => 0,
        };
        let user_unit = self.user_unit.filter(|u| *u > 0.0 && *u <= 75_000.0).unwrap_or(1.0);
        Ok(Page { id, dict, media_box, crop_box, rotate, user_unit })
    }
}

const MAX_NODES: usize = 200_000;
