//! The revision that a signature is: its dictionary with a hole, its field and widget, and where in the file they hang.

use super::super::appearance;
use super::super::key::KeyHandle;
use super::rules::{FIELD_LOCKED, Rules};
use super::{HOLE, Order, Shown, common_name, vietnam};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pdf::revise::{Dict, Document, Field, ObjectId, Page, Rect, Revision, Value, text_string};
use jiff::Timestamp;
use std::collections::HashSet;
use std::ops::Range;

/// The form as it is, and what signatures in it allow.
#[derive(Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) fields: &'a [Field],
    /// Full names of fields and of the nodes above them.
    pub(super) names: &'a HashSet<String>,
    pub(super) rules: &'a Rules,
}

/// A revision whose signature is still zeros.
pub(super) struct Unsigned {
    pub(super) bytes: Vec<u8>,
    /// The `/Contents` token in `bytes`, angle brackets included.
    pub(super) hole: Range<usize>,
    pub(super) field: String,
    pub(super) shown: Option<Shown>,
}

impl Unsigned {
    /// SHA-256 of the original and of the revision without its hole.
    pub(super) fn digest(&self, mut original: openssl::sha::Sha256) -> Sha256 {
        original.update(&self.bytes[..self.hole.start]);
        original.update(&self.bytes[self.hole.end..]);
        Sha256(original.finish())
    }

    /// Octets that the hole takes.
    pub(super) fn room(&self) -> usize {
        self.hole.len() / 2 - 1
    }

    /// Writes the CMS into the hole; the rest stays zeros.
    pub(super) fn fill(&mut self, cms: &[u8]) -> Outcome<()> {
        let room = self.bytes.get_mut(self.hole.start + 1..self.hole.end - 1);
        let room = room.and_then(|room| room.get_mut(..2 * cms.len()));
        let filled = room.is_some_and(|room| hex::encode_to_slice(cms, room).is_ok());
        if filled { Ok(()) } else { Err(Fault::new(&HOLE).detail(format!("{} octets needed", cms.len()))) }
    }
}

/// A signature with a hole of so many octets.
pub(super) fn signature(
    document: &Document<'_>,
    form: &Form<'_>,
    key: &dyn KeyHandle,
    order: &Order<'_>,
    hole: usize,
) -> Outcome<Unsigned> {
    let mut revision = Revision::new(document)?;
    let signature = revision.reserve();
    let waiting = match order.field {
        Some(name) => waiting_field(document, form, name)?,
        None => None,
    };
    let lock = waiting.as_ref().and_then(|w| w.lock.clone());
    let (name, shown) = match waiting {
        Some(waiting) => fill_field(&mut revision, waiting, signature, order)?,
        None => new_field(&mut revision, form, signature, order)?,
    };
    let facts = order.facts;
    let signer = if facts.name.is_empty() { common_name(key) } else { facts.name.clone() };
    let mut entries = vec![("/Name", signer.as_str()), ("/Reason", order.profile.reason.as_str())];
    entries.retain(|(_, text)| !text.is_empty());
    let dictionary =
        dictionary(Said::Signature { at: order.at, entries: &entries, lock: lock.as_ref() }, hole);
    finish(revision, signature, dictionary, name, shown)
}

/// A document time stamp (ISO 32000-2, 12.8.5) with a hole of so many octets; no page shows it.
pub(super) fn time_stamp(document: &Document<'_>, names: &HashSet<String>, hole: usize) -> Outcome<Unsigned> {
    let mut revision = Revision::new(document)?;
    let stamp = revision.reserve();
    // Time stamps keep old signatures alive; no lock is meant for them (EN 319 142-1, 5.4.3).
    let name = free_name(names, &Rules::default())?;
    let field = revision.reserve();
    let page = document.page(0)?;
    revision.set(field, Value::Dict(widget(&name, stamp, &page, None)).to_pdf());
    revision.add_signature_field(field)?;
    revision.add_annotation(&page, field)?;
    finish(revision, stamp, dictionary(Said::TimeStamp, hole), name, None)
}

fn finish(
    mut revision: Revision<'_, '_>,
    signature: ObjectId,
    (content, range_at, hole_at): (Vec<u8>, usize, Range<usize>),
    field: String,
    shown: Option<Shown>,
) -> Outcome<Unsigned> {
    let base = revision.document().length();
    revision.set(signature, content);
    let appended = revision.finish()?;
    let mut bytes = appended.bytes;
    let start = *appended.contents.get(&signature).ok_or(&HOLE)?;
    let hole = start + hole_at.start..start + hole_at.end;
    let numbers = [base + hole.start, base + hole.end, bytes.len() - hole.end];
    if numbers.iter().any(|n| *n > MAX_OFFSET) {
        return Err(Fault::new(&crate::pdf::revise::OFFSET_RANGE));
    }
    let range = numbers.map(|n| format!("{n:<10}")).join(" ");
    let range_at = start + range_at;
    bytes[range_at..range_at + range.len()].copy_from_slice(range.as_bytes());
    Ok(Unsigned { bytes, hole, field, shown })
}

/// What a signature dictionary says besides its bytes.
#[derive(Clone, Copy)]
enum Said<'a> {
    Signature { at: Timestamp, entries: &'a [(&'a str, &'a str)], lock: Option<&'a Dict> },
    TimeStamp,
}

/// The signature dictionary (ISO 32000-1, table 252) with an empty hole, where in it the three numbers of `/ByteRange`
/// begin, and where the `/Contents` token lies.
fn dictionary(said: Said<'_>, hole: usize) -> (Vec<u8>, usize, Range<usize>) {
    let mut out = Vec::with_capacity(2 * hole + 512);
    match said {
        Said::TimeStamp => {
            out.extend_from_slice(b"<</Type/DocTimeStamp/Filter/Adobe.PPKLite/SubFilter/ETSI.RFC3161");
        }
        Said::Signature { at, entries, lock } => {
            out.extend_from_slice(b"<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached");
            let local = at.to_zoned(vietnam());
            out.extend_from_slice(format!("/M(D:{}+07'00')", local.strftime("%Y%m%d%H%M%S")).as_bytes());
            for (key, text) in entries {
                out.extend_from_slice(key.as_bytes());
                out.push(b' ');
                out.extend_from_slice(&text_string(text).to_pdf());
            }
            if let Some(lock) = lock {
                out.extend_from_slice(b"/Reference ");
                out.extend_from_slice(&Value::Array(vec![Value::Dict(field_lock(lock))]).to_pdf());
            }
        }
    }
    out.extend_from_slice(b"/ByteRange [0 ");
    let range_at = out.len();
    // Ten places a number: a wider file would otherwise move what was already measured.
    out.extend_from_slice(&[b' '; 32]);
    out.extend_from_slice(b"]/Contents ");
    let hole_at = out.len();
    out.push(b'<');
    out.resize(out.len() + 2 * hole, b'0');
    out.push(b'>');
    let end = out.len();
    out.extend_from_slice(b">>");
    (out, range_at, hole_at..end)
}

/// The signature reference that carries out a field's `/Lock` (ISO 32000-1, 12.8.2.4).
fn field_lock(lock: &Dict) -> Dict {
    let mut params = Dict::new();
    params.set(b"Type", Value::name("TransformParams"));
    params.set(b"V", Value::name("1.2"));
    for key in [&b"Action"[..], b"Fields"] {
        if let Some(value) = lock.get(key) {
            params.set(key, value.clone());
        }
    }
    let mut reference = Dict::new();
    reference.set(b"Type", Value::name("SigRef"));
    reference.set(b"TransformMethod", Value::name("FieldMDP"));
    reference.set(b"TransformParams", Value::Dict(params));
    reference
}

/// An empty signature field of the file that is to be filled.
struct Waiting {
    name: String,
    field: (ObjectId, Dict),
    /// The widget where it is an object of its own.
    widget: Option<(ObjectId, Dict)>,
    /// The page (from 0) and rectangle, where it shows.
    place: Option<(usize, Page, Rect)>,
    lock: Option<Dict>,
}

/// The empty field of a name; none where no field has it.
fn waiting_field(document: &Document<'_>, form: &Form<'_>, name: &str) -> Outcome<Option<Waiting>> {
    let taken = |why: &str| Err(Fault::new(&FIELD).detail(why));
    let mut called = form.fields.iter().filter(|f| f.title == name);
    let field = match (called.next(), called.next()) {
        (Some(field), None) => field,
        (Some(_), Some(_)) => return taken("several fields have this name"),
        (None, _) if form.names.contains(name) => return taken("it is a group of fields"),
        (None, _) => return Ok(None),
    };
    if field.kind.as_deref() != Some(b"Sig") {
        return taken("it is no signature field");
    }
    if let Some(value) = &field.value
        && document.resolve(value)? != Value::Null
    {
        return taken("it is signed already");
    }
    refuse_locked(form.rules, name)?;
    if field.dict.get(b"SV").is_some() {
        return taken("it prescribes how to sign (/SV), which is not supported");
    }
    let Some(id) = field.id else { return taken("it is not an object of its own") };
    let mut widget = None;
    if field.dict.get(b"Subtype").is_none() {
        let kids = document.lookup(&field.dict, b"Kids")?;
        match kids.as_array().unwrap_or_default() {
            [] => {}
            [Value::Ref(kid)] => match document.get(*kid)? {
                Value::Dict(dict) => widget = Some((*kid, dict)),
                _ => return taken("its widget is none"),
            },
            _ => return taken("it has several widgets"),
        }
    }
    let shown = widget.as_ref().map_or(&field.dict, |(_, dict)| dict);
    let on = widget.as_ref().map_or(id, |(id, _)| *id);
    let place = match document.rect(shown, b"Rect")? {
        Some(rect) if rect.width() > 0.0 && rect.height() > 0.0 => {
            let Some((index, page)) = page_of(document, on)? else { return taken("no page shows it") };
            Some((index, page, rect))
        }
        _ => None,
    };
    let lock = document.lookup(&field.dict, b"Lock")?.as_dict().cloned();
    Ok(Some(Waiting { name: name.to_owned(), field: (id, field.dict.clone()), widget, place, lock }))
}

/// The page (from 0) among whose annotations a widget is.
fn page_of(document: &Document<'_>, widget: ObjectId) -> Outcome<Option<(usize, Page)>> {
    for (index, page) in document.pages()?.into_iter().enumerate() {
        let annotations = document.lookup(&page.dict, b"Annots")?;
        if annotations.as_array().unwrap_or_default().iter().any(|a| a.as_ref() == Some(widget)) {
            return Ok(Some((index, page)));
        }
    }
    Ok(None)
}

fn fill_field(
    revision: &mut Revision<'_, '_>,
    waiting: Waiting,
    signature: ObjectId,
    order: &Order<'_>,
) -> Outcome<(String, Option<Shown>)> {
    let (id, mut dict) = waiting.field;
    dict.set(b"V", Value::Ref(signature));
    let mut shown = None;
    let mut appearance = None;
    if let Some((index, page, rect)) = &waiting.place {
        let drawn = match &order.profile.look {
            Some(look) => appearance::draw_into(revision, page, *rect, look, order.facts, order.at)?,
            None => appearance::empty(revision, *rect),
        };
        let mut normal = Dict::new();
        normal.set(b"N", Value::Ref(drawn));
        appearance = Some(Value::Dict(normal));
        shown = Some(Shown { page: index + 1, rect: [rect.x0, rect.y0, rect.x1, rect.y1] });
    }
    let document = revision.document();
    let dress = |dict: &mut Dict| -> Outcome<()> {
        let flags = document.lookup(dict, b"F")?.as_int();
        let printed = flags.unwrap_or(0) & !UNSEEN | PRINT;
        // ISO 19005-2, 6.3.2. Nothing that is so already is touched: an earlier signature covers it.
        if flags != Some(printed) {
            dict.set(b"F", Value::Int(printed));
        }
        if let Some(appearance) = &appearance {
            dict.set(b"AP", appearance.clone());
        }
        Ok(())
    };
    match waiting.widget {
        Some((widget, mut face)) => {
            dress(&mut face)?;
            revision.set(widget, Value::Dict(face).to_pdf());
        }
        None => dress(&mut dict)?,
    }
    revision.set(id, Value::Dict(dict).to_pdf());
    revision.say_signed()?;
    Ok((waiting.name, shown))
}

fn new_field(
    revision: &mut Revision<'_, '_>,
    form: &Form<'_>,
    signature: ObjectId,
    order: &Order<'_>,
) -> Outcome<(String, Option<Shown>)> {
    let field = revision.reserve();
    let document = revision.document();
    let (index, page) = match &order.profile.look {
        Some(look) => appearance::choose_page(document, look, order.facts)?,
        None => (0, document.page(0)?),
    };
    let name = match order.field {
        Some(name) => name.to_owned(),
        None => free_name(form.names, form.rules)?,
    };
    if name.contains('.') || name.is_empty() {
        return Err(Fault::new(&FIELD).detail("a name of a new field is neither empty nor has full stops"));
    }
    refuse_locked(form.rules, &name)?;
    let mut shown = None;
    let mut face = None;
    if let Some(look) = &order.profile.look {
        // ISO 32000-1, 12.8.2.2.2: P=2 and 3 let fields be filled; a field that was not there is another matter, and
        // readers differ over it as soon as it shows.
        if form.rules.is_certified() {
            return Err(Fault::new(&CERTIFIED));
        }
        let placed = appearance::draw(revision, &page, look, order.facts, order.at)?;
        let Rect { x0, y0, x1, y1 } = placed.rect;
        shown = Some(Shown { page: index + 1, rect: [x0, y0, x1, y1] });
        face = Some((placed.rect, placed.form));
    }
    revision.set(field, Value::Dict(widget(&name, signature, &page, face)).to_pdf());
    revision.add_signature_field(field)?;
    revision.add_annotation(&page, field)?;
    Ok((name, shown))
}

/// Field and widget in one dictionary; split ones lose their appearance in some readers.
fn widget(name: &str, signature: ObjectId, page: &Page, face: Option<(Rect, ObjectId)>) -> Dict {
    let mut dict = Dict::new();
    dict.set(b"Type", Value::name("Annot"));
    dict.set(b"Subtype", Value::name("Widget"));
    dict.set(b"FT", Value::name("Sig"));
    dict.set(b"T", text_string(name));
    dict.set(b"V", Value::Ref(signature));
    dict.set(b"F", Value::Int(PRINT | LOCKED_FLAG));
    dict.set(b"P", Value::Ref(page.id));
    let rect = face.map_or(Rect::new(0.0, 0.0, 0.0, 0.0), |(rect, _)| rect);
    dict.set(b"Rect", rect.to_value());
    if let Some((_, form)) = face {
        let mut normal = Dict::new();
        normal.set(b"N", Value::Ref(form));
        dict.set(b"AP", Value::Dict(normal));
    }
    dict
}

/// `Signature1` or the next that nothing in the form is called and no signature locks.
fn free_name(names: &HashSet<String>, rules: &Rules) -> Outcome<String> {
    let first = "Signature1";
    let numbered = (1..=names.len() + rules.named().count() + 1).map(|n| format!("Signature{n}"));
    // A lock may name the few fields that may still come.
    let mut all =
        numbered.chain(rules.named().filter(|n| !n.is_empty() && !n.contains('.')).map(str::to_owned));
    let free = all.find(|name| !names.contains(name) && !rules.locks(name));
    free.ok_or_else(|| Fault::new(&FIELD_LOCKED).at(format!("field {first}")))
}

fn refuse_locked(rules: &Rules, name: &str) -> Outcome<()> {
    if rules.locks(name) {
        return Err(Fault::new(&FIELD_LOCKED).at(format!("field {name}")));
    }
    Ok(())
}

const PRINT: i64 = 4;
const LOCKED_FLAG: i64 = 128;
/// Invisible, Hidden, NoView and ToggleNoView.
const UNSEEN: i64 = 1 | 2 | 32 | 256;
const MAX_OFFSET: usize = 9_999_999_999;

/// A field that cannot be signed into.
pub const FIELD: Code = Code {
    id: "SEAL-022",
    class: Class::Input,
    vi: "Không ký được vào ô chữ ký đã chọn",
    en: "the chosen signature field cannot be signed into",
    remedy_vi: "Chọn ô chữ ký còn trống, hoặc bỏ --field để tạo ô mới",
    remedy_en: "choose an empty signature field, or leave out --field for a new one",
};

/// A new visible field in a certified file.
pub const CERTIFIED: Code = Code {
    id: "SEAL-025",
    class: Class::Input,
    vi: "Tệp PDF đã được chứng thực; thêm một ô chữ ký nhìn thấy được sẽ làm hỏng chứng thực đó",
    en: "the PDF is certified; a new visible signature field would break the certification",
    remedy_vi: "Ký vào ô có sẵn (--field), hoặc dùng chữ ký không hiển thị (--profile invisible)",
    remedy_en: "sign into a field that is there (--field), or invisibly (--profile invisible)",
};
