//! The places of the page tree in order, and what each inherits (ISO 32000-1, 7.7.3). A place without a page that can
//! be found stays a place: who gets two pages of three must be told.

use super::{Bounds, NO_PAGES, TOO_MANY_PAGES, number_of, reason};
use crate::fault::{Class, Code, Fault, Outcome};
use lopdf::{Dictionary, Document, Object, ObjectId};
use std::collections::HashSet;
use std::sync::Arc;

/// One place of the tree.
pub(super) struct Leaf {
    node: Node,
    pub(super) inherited: Inherited,
}

enum Node {
    Object(ObjectId),
    /// A page that stands in the list of kids itself.
    Direct(Box<Dictionary>),
    /// There is no page.
    None(Fault),
}

/// What a page has from the nodes above it.
#[derive(Clone, Default)]
pub(super) struct Inherited {
    pub(super) resources: Option<Arc<Object>>,
    pub(super) media_box: Option<[f32; 4]>,
    pub(super) crop_box: Option<[f32; 4]>,
    pub(super) rotate: f32,
}

impl Leaf {
    /// The page of this place.
    pub(super) fn page<'a>(&'a self, document: &'a Document) -> Outcome<&'a Dictionary> {
        match &self.node {
            Node::Object(id) => {
                document.get_dictionary(*id).map_err(|e| Fault::new(&LOST).detail(reason(&e)))
            }
            Node::Direct(page) => Ok(page),
            Node::None(fault) => Err(fault.clone()),
        }
    }
}

/// Lists the places. Each list of kids is followed once, so loops end.
pub(super) fn leaves(document: &Document, bounds: &Bounds) -> Outcome<Vec<Leaf>> {
    let root = document
        .catalog()
        .and_then(|c| c.get(b"Pages"))
        .map_err(|e| Fault::new(&NO_PAGES).detail(reason(&e)))?;
    let top = dictionary(document, root).ok_or(&NO_PAGES)?.1;
    let mut seen = HashSet::new();
    let mut stack = vec![(root, Inherited::default())];
    let mut leaves = Vec::new();
    while let Some((kid, inherited)) = stack.pop() {
        let lost = |why: &str| Node::None(Fault::new(&LOST).detail(why));
        let (node, inherited) = match dictionary(document, kid) {
            None => (lost("no page where the page tree names one"), inherited),
            Some((id, node)) => {
                let inherited = inherit(document, node, inherited);
                let leaf = match node.get_deref(b"Kids", document).and_then(Object::as_array) {
                    Ok(_) if id.is_some_and(|id| !seen.insert(id)) => {
                        lost("the page tree comes back to a node")
                    }
                    Ok(kids) => {
                        stack.extend(kids.iter().rev().map(|kid| (kid, inherited.clone())));
                        continue;
                    }
                    Err(_) if !is_page(document, node) => {
                        lost("another object where the page tree names a page")
                    }
                    Err(_) => id.map_or_else(|| Node::Direct(Box::new(node.clone())), Node::Object),
                };
                (leaf, inherited)
            }
        };
        leaves.push(Leaf { node, inherited });
        if leaves.len() > bounds.pages {
            return Err(Fault::new(&TOO_MANY_PAGES).detail(format!("more than {} pages", bounds.pages)));
        }
    }
    let found = leaves.len();
    match top.get_deref(b"Count", document).and_then(Object::as_i64) {
        Ok(count) if found > 0 && usize::try_from(count) != Ok(found) => {
            let fault = Fault::new(&COUNT).detail(format!("{found} pages, /Count says {count}"));
            leaves.push(Leaf { node: Node::None(fault), inherited: Inherited::default() });
        }
        _ => {}
    }
    Ok(leaves)
}

/// A dictionary and the object it is, if it is one of its own. A stream is none.
fn dictionary<'a>(document: &'a Document, object: &'a Object) -> Option<(Option<ObjectId>, &'a Dictionary)> {
    match document.dereference(object).ok()? {
        (id, Object::Dictionary(dict)) => Some((id, dict)),
        _ => None,
    }
}

/// Some writers leave the type out.
fn is_page(document: &Document, node: &Dictionary) -> bool {
    !node.has(b"Kids")
        && match node.get_deref(b"Type", document).and_then(Object::as_name) {
            Ok(name) => name == b"Page",
            Err(_) => true,
        }
}

fn inherit(document: &Document, node: &Dictionary, from: Inherited) -> Inherited {
    Inherited {
        resources: node.get(b"Resources").ok().map(|o| Arc::new(o.clone())).or(from.resources),
        media_box: rectangle(document, node.get(b"MediaBox").ok()).or(from.media_box),
        crop_box: rectangle(document, node.get(b"CropBox").ok()).or(from.crop_box),
        rotate: number_of(document, node.get(b"Rotate").ok()).unwrap_or(from.rotate),
    }
}

pub(super) fn rectangle(document: &Document, object: Option<&Object>) -> Option<[f32; 4]> {
    let (_, object) = document.dereference(object?).ok()?;
    let values: Vec<f32> =
        object.as_array().ok()?.iter().take(4).filter_map(|o| number_of(document, Some(o))).collect();
    let [a, b, c, d] = values[..] else { return None };
    let r = [a.min(c), b.min(d), a.max(c), b.max(d)];
    (r.iter().all(|v| v.is_finite()) && r[2] - r[0] >= 1.0 && r[3] - r[1] >= 1.0).then_some(r)
}

/// A page that the file lists and does not hold.
pub const LOST: Code = Code {
    id: "PDF-008",
    class: Class::Input,
    vi: "Tệp PDF có ghi trang này nhưng không tìm thấy nội dung của trang",
    en: "the PDF lists this page and the page cannot be found",
    remedy_vi: "Quét lại trang này, hoặc xuất lại tệp PDF",
    remedy_en: "scan the page or export the file again",
};

/// More or fewer pages than the file says it has.
pub const COUNT: Code = Code {
    id: "PDF-009",
    class: Class::Input,
    vi: "Tệp PDF có số trang khác với số trang ghi trong tệp",
    en: "the PDF has another number of pages than it says",
    remedy_vi: "Đếm lại số trang, quét lại trang thiếu hoặc xuất lại tệp PDF",
    remedy_en: "count the pages; scan what is missing, or export the file again",
};
