//! The document security store (`/DSS`, ISO 32000-2 12.8.4.3, EN 319 142-1 5.4): evidence kept in the file itself. Read
//! as claims of whoever wrote it; written by a revision that only adds.

use super::{Evidence, TOO_MUCH};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pdf::revise::{Dict, Document, ObjectId, Revision, Value};
use std::collections::{HashMap, HashSet};

/// What a signature's `/VRI` entry is to name.
#[derive(Debug, Clone)]
pub struct Related {
    /// The value of `/Contents`, padding included.
    pub contents: Vec<u8>,
    /// What it takes to judge that signature.
    pub evidence: Evidence,
}

/// The evidence in a document's store; what cannot be read is left out. Nothing where there is no store.
///
/// # Errors
/// A document whose objects cannot be read; [`TOO_MUCH`].
pub fn read(document: &Document<'_>) -> Outcome<Evidence> {
    let mut evidence = Evidence::new();
    let Some(store) = Store::open(document)? else { return Ok(evidence) };
    let mut room = MAX_TOTAL;
    for (key, items) in &store.lists {
        for item in &items.values {
            let Some(der) = stream(document, item, &mut room)? else { continue };
            // What is malformed proves nothing; the rest may.
            let _ = match key {
                Kind::Certs => evidence.add_certificate(&der),
                Kind::Ocsps => evidence.add_ocsp(&der),
                Kind::Crls => evidence.add_crl(&der),
            };
        }
    }
    Ok(evidence)
}

/// A revision that adds to a document's store what is not there yet, and entries for signatures that have none; nothing
/// where nothing is missing. What is there stays.
///
/// # Errors
/// [`SHAPE`] for a store that cannot be added to, [`TOO_MUCH`], and those of [`Revision`].
pub fn append(document: &Document<'_>, all: &Evidence, related: &[Related]) -> Outcome<Option<Vec<u8>>> {
    let mut revision = Revision::new(document)?;
    let mut store = Store::open(document)?.unwrap_or_default();
    let mut known = HashMap::new();
    let mut room = MAX_TOTAL;
    for (_, items) in &store.lists {
        for item in &items.values {
            if let (Some(der), Value::Ref(id)) = (stream(document, item, &mut room)?, item) {
                known.entry(Sha256::of(&der).0).or_insert(*id);
            }
        }
    }
    let mut adding = Adding { revision: &mut revision, known, added: 0 };
    for evidence in std::iter::once(all).chain(related.iter().map(|r| &r.evidence)) {
        for (kind, items) in &mut store.lists {
            for der in ders(evidence, *kind)? {
                if let Some(new) = adding.add(&der) {
                    items.values.push(Value::Ref(new));
                    items.changed = true;
                }
            }
            if items.values.len() > MAX_ITEMS {
                return Err(Fault::new(&TOO_MUCH).detail(format!("more than {MAX_ITEMS} items in the DSS")));
            }
        }
    }
    if adding.added == 0 {
        return Ok(None);
    }
    for entry in related {
        let key = vri_key(&entry.contents);
        if store.vri.get(key.as_bytes()).is_some() {
            continue;
        }
        let mut dict = Dict::new();
        for (kind, _) in &store.lists {
            let ids = ders(&entry.evidence, *kind)?.into_iter().filter_map(|der| adding.id(&der));
            let ids: Vec<Value> = ids.map(Value::Ref).collect();
            if !ids.is_empty() {
                dict.set(kind.in_vri(), Value::Array(ids));
            }
        }
        let entry = adding.revision.add(Value::Dict(dict).to_pdf());
        store.vri.set(key.as_bytes(), Value::Ref(entry));
        store.vri_changed = true;
    }
    store.write(&mut revision)?;
    revision.finish().map(|appended| Some(appended.bytes))
}

/// The name of a signature's entry: SHA-1 of its `/Contents`, upper-case hexadecimal (ISO 32000-2, table 262: over the
/// complete string, as readers in the field do it).
pub fn vri_key(contents: &[u8]) -> String {
    hex::encode_upper(openssl::sha::sha1(contents))
}

/// Streams of a revision, one for each content.
struct Adding<'r, 'd, 'a> {
    revision: &'r mut Revision<'d, 'a>,
    known: HashMap<[u8; 32], ObjectId>,
    added: usize,
}

impl Adding<'_, '_, '_> {
    /// The object of a new stream; nothing where the content is there already.
    fn add(&mut self, der: &[u8]) -> Option<ObjectId> {
        let digest = Sha256::of(der).0;
        if self.known.contains_key(&digest) {
            return None;
        }
        let mut dict = Dict::new();
        let packed =
            if der.len() > PACK_FROM { miniz_oxide::deflate::compress_to_vec_zlib(der, 6) } else { vec![] };
        let id = if !packed.is_empty() && packed.len() < der.len() {
            dict.set(b"Filter", Value::name("FlateDecode"));
            self.revision.add_stream(dict, &packed)
        } else {
            self.revision.add_stream(dict, der)
        };
        self.known.insert(digest, id);
        self.added += 1;
        Some(id)
    }

    fn id(&self, der: &[u8]) -> Option<ObjectId> {
        self.known.get(&Sha256::of(der).0).copied()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Certs,
    Ocsps,
    Crls,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Certs, Kind::Ocsps, Kind::Crls];

    fn key(self) -> &'static [u8] {
        match self {
            Kind::Certs => b"Certs",
            Kind::Ocsps => b"OCSPs",
            Kind::Crls => b"CRLs",
        }
    }

    fn in_vri(self) -> &'static [u8] {
        match self {
            Kind::Certs => b"Cert",
            Kind::Ocsps => b"OCSP",
            Kind::Crls => b"CRL",
        }
    }
}

/// A list of the store.
#[derive(Default)]
struct Items {
    /// The array's object, where it has one of its own.
    own: Option<ObjectId>,
    values: Vec<Value>,
    changed: bool,
}

/// A store as it stands.
struct Store {
    own: Option<ObjectId>,
    dict: Dict,
    lists: Vec<(Kind, Items)>,
    vri: Dict,
    vri_own: Option<ObjectId>,
    vri_changed: bool,
}

impl Default for Store {
    fn default() -> Self {
        Store {
            own: None,
            dict: Dict::new(),
            lists: Kind::ALL.map(|kind| (kind, Items::default())).into(),
            vri: Dict::new(),
            vri_own: None,
            vri_changed: false,
        }
    }
}

impl Store {
    fn open(document: &Document<'_>) -> Outcome<Option<Store>> {
        let (_, catalog) = document.catalog()?;
        let dict = match document.lookup(&catalog, b"DSS")? {
            Value::Null => return Ok(None),
            Value::Dict(dict) => dict,
            _ => return Err(shape("it is not a dictionary")),
        };
        let own = catalog.get(b"DSS").and_then(Value::as_ref);
        let mut lists = Vec::new();
        for kind in Kind::ALL {
            let values = match document.lookup(&dict, kind.key())? {
                Value::Null => Vec::new(),
                Value::Array(values) if values.len() <= MAX_ITEMS => values,
                Value::Array(values) => {
                    return Err(Fault::new(&TOO_MUCH).detail(format!("{} items in the DSS", values.len())));
                }
                _ => return Err(shape("a list is not an array")),
            };
            lists.push((
                kind,
                Items { own: own_object(document, &dict, kind.key())?, values, changed: false },
            ));
        }
        let vri = match document.lookup(&dict, b"VRI")? {
            Value::Null => Dict::new(),
            Value::Dict(vri) => vri,
            _ => return Err(shape("VRI is not a dictionary")),
        };
        let vri_own = own_object(document, &dict, b"VRI")?;
        Ok(Some(Store { own, dict, lists, vri, vri_own, vri_changed: false }))
    }

    /// Writes only those objects again whose content changes.
    fn write(mut self, revision: &mut Revision<'_, '_>) -> Outcome<()> {
        let mut shared = HashSet::new();
        let owners = [self.own, self.vri_own].into_iter().chain(self.lists.iter().map(|(_, i)| i.own));
        if !owners.flatten().all(|id| shared.insert(id)) {
            return Err(shape("one object has two places"));
        }
        let before = self.dict.clone();
        for (kind, items) in self.lists {
            let array = Value::Array(items.values);
            match items.own {
                _ if !items.changed => {}
                Some(id) => revision.set(id, array.to_pdf()),
                None => self.dict.set(kind.key(), array),
            }
        }
        match self.vri_own {
            _ if !self.vri_changed => {}
            Some(id) => revision.set(id, Value::Dict(self.vri).to_pdf()),
            None => self.dict.set(b"VRI", Value::Dict(self.vri)),
        }
        if self.dict == before {
            return Ok(());
        }
        let content = Value::Dict(self.dict.clone()).to_pdf();
        if let Some(own) = self.own {
            revision.set(own, content);
            return Ok(());
        }
        let (root, mut catalog) = revision.document().catalog()?;
        let place = match catalog.get(b"DSS") {
            Some(Value::Dict(_)) => Value::Dict(self.dict),
            _ => Value::Ref(revision.add(content)),
        };
        catalog.set(b"DSS", place);
        revision.set(root, Value::Dict(catalog).to_pdf());
        Ok(())
    }
}

/// The object that a key points to, if it does, and that can be written again in place.
fn own_object(document: &Document<'_>, dict: &Dict, key: &[u8]) -> Outcome<Option<ObjectId>> {
    let Some(id) = dict.get(key).and_then(Value::as_ref) else { return Ok(None) };
    match document.get(id)? {
        Value::Ref(_) => Err(shape("a reference to a reference")),
        // Pointing to nothing is having nothing.
        Value::Null => Ok(None),
        _ => Ok(Some(id)),
    }
}

/// The decoded content of an item; nothing for one that is no stream or is broken.
fn stream(document: &Document<'_>, item: &Value, room: &mut usize) -> Outcome<Option<Vec<u8>>> {
    let value = document.resolve(item)?;
    if !matches!(value, Value::Stream(_)) {
        return Ok(None);
    }
    let data = document.stream_data(&value, (*room).min(MAX_STREAM));
    let Ok(data) = data else { return Ok(None) };
    *room = room.saturating_sub(data.len());
    Ok(Some(data))
}

fn ders(evidence: &Evidence, kind: Kind) -> Outcome<Vec<Vec<u8>>> {
    let unreadable = || Fault::new(&super::BROKEN).detail("a certificate");
    match kind {
        Kind::Certs => evidence.certificates.iter().map(|c| c.to_der().map_err(|_| unreadable())).collect(),
        Kind::Ocsps => Ok(evidence.ocsp.iter().map(|o| o.der().to_vec()).collect()),
        Kind::Crls => Ok(evidence.crls.iter().map(|c| c.der().to_vec()).collect()),
    }
}

fn shape(what: &str) -> Fault {
    Fault::new(&SHAPE).detail(what)
}

/// Items of one list.
const MAX_ITEMS: usize = 1024;
/// Decoded octets of one item, and of all.
const MAX_STREAM: usize = 32 << 20;
const MAX_TOTAL: usize = 128 << 20;
/// What is shorter is not packed: certificates and answers hardly shrink.
const PACK_FROM: usize = 8 << 10;

/// A store of another shape.
pub const SHAPE: Code = Code {
    id: "SEAL-063",
    class: Class::Input,
    vi: "Kho dữ liệu kiểm tra chữ ký (DSS) trong tệp PDF sai cấu trúc",
    en: "the document security store (DSS) of the PDF is malformed",
    remedy_vi: "Lấy lại tệp từ nguồn, trước khi phần mềm khác ghi vào",
    remedy_en: "fetch the file again from its source, as it was before another program wrote into it",
};

#[cfg(test)]
mod tests {
    use super::super::mint::{Answer, Holder, List, Mint};
    use super::*;

    /// A page; `store` is put into the catalog, `more` are objects from 4 on.
    fn paper(store: &str, more: &[&str]) -> Vec<u8> {
        let mut out = b"%PDF-1.7\n".to_vec();
        let catalog = format!("<</Type/Catalog/Pages 2 0 R{store}>>");
        let mut bodies = vec![
            catalog.as_str(),
            "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]>>",
            "<</Type/Page/Parent 2 0 R>>",
        ];
        bodies.extend(more);
        let mut rows = String::new();
        for (i, body) in bodies.iter().enumerate() {
            rows += &format!("{:010} 00000 n\r\n", out.len());
            out.extend_from_slice(format!("{} 0 obj\n{body}\nendobj\n", i + 1).as_bytes());
        }
        let (xref, size) = (out.len(), bodies.len() + 1);
        let end = format!(
            "xref\n0 {size}\n0000000000 65535 f\r\n{rows}trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{xref}\n%%EOF\n"
        );
        out.extend_from_slice(end.as_bytes());
        out
    }

    fn evidence() -> Evidence {
        let ca = Holder::root("CA");
        let leaf = Mint::new("LEAF").by(&ca).made();
        let mut evidence = Evidence::new();
        evidence.add_certificate(&ca.certificate.to_der().unwrap()).unwrap();
        evidence.add_certificate(&leaf.certificate.to_der().unwrap()).unwrap();
        evidence.add_ocsp(&Answer::about(&leaf, &ca).made()).unwrap();
        let long = (0..2000u32).fold(List::by(&ca), |list, n| list.entry(&n.to_be_bytes()[1..], -3, None));
        evidence.add_crl(&long.made()).unwrap();
        evidence
    }

    fn counts(pdf: &[u8]) -> (usize, usize, usize) {
        let found = read(&Document::open(pdf).unwrap()).unwrap();
        (found.certificates.len(), found.ocsp.len(), found.crls.len())
    }

    fn with(pdf: &[u8], evidence: &Evidence, related: &[Related]) -> Vec<u8> {
        let tail = append(&Document::open(pdf).unwrap(), evidence, related).unwrap().unwrap();
        [pdf, &tail].concat()
    }

    #[test]
    fn what_is_written_is_read_again_and_never_written_twice() {
        let evidence = evidence();
        let related = [Related { contents: vec![1, 2, 3], evidence: evidence.clone() }];
        let pdf = with(&paper("", &[]), &evidence, &related);
        assert_eq!(counts(&pdf), (2, 1, 1));
        let document = Document::open(&pdf).unwrap();
        assert_eq!(append(&document, &evidence, &related).unwrap(), None);
        let (_, catalog) = document.catalog().unwrap();
        let store = document.lookup(&catalog, b"DSS").unwrap();
        let vri = document.lookup(store.as_dict().unwrap(), b"VRI").unwrap();
        let key = "7037807198C22A7D2B0807371D763779A84FDFCF";
        assert_eq!(vri_key(&[1, 2, 3]), key);
        let entry = document.lookup(vri.as_dict().unwrap(), key.as_bytes()).unwrap();
        let entry = entry.as_dict().unwrap();
        let length = |key: &[u8]| entry.get(key).unwrap().as_array().unwrap().len();
        assert_eq!((length(b"Cert"), length(b"OCSP"), length(b"CRL")), (2, 1, 1));
    }

    #[test]
    fn a_store_grows_in_whatever_way_it_is_written_and_loses_nothing() {
        let stream = |text: &str| format!("<</Length {}>>\nstream\n{text}\nendstream", text.len());
        let (own, vri) = (stream("not a certificate"), "<</AB 4 0 R>>");
        let (direct, plain) = ("<</Certs[4 0 R]/VRI<</AB 4 0 R>>>>", "<</Certs 6 0 R/VRI 7 0 R>>");
        for (name, store, more) in [
            ("direct", format!("/DSS{direct}"), vec![own.as_str()]),
            ("object", "/DSS 5 0 R".to_owned(), vec![&own, direct]),
            ("objects", "/DSS 5 0 R".to_owned(), vec![&own, plain, "[4 0 R]", vri]),
            ("nothing there", "/DSS 9 0 R".to_owned(), vec![&own]),
        ] {
            let before = paper(&store, &more);
            let one = with(&before, &evidence(), &[]);
            let related = Related { contents: vec![9], evidence: evidence() };
            let two = with(&one, &Evidence::new(), &[related]);
            assert!(two.starts_with(&before));
            assert_eq!(counts(&two), (4, 2, 2), "{name}");
            let document = Document::open(&two).unwrap();
            let (_, catalog) = document.catalog().unwrap();
            let store = document.lookup(&catalog, b"DSS").unwrap();
            let certs = document.lookup(store.as_dict().unwrap(), b"Certs").unwrap();
            let vri = document.lookup(store.as_dict().unwrap(), b"VRI").unwrap();
            let kept = if name == "nothing there" { 0 } else { 1 };
            assert_eq!(certs.as_array().unwrap().len(), 4 + kept, "{name}");
            assert_eq!(vri.as_dict().unwrap().len(), 1 + kept, "{name}");
        }
    }

    #[test]
    fn stores_that_are_none_are_refused_and_read_as_far_as_they_go() {
        let refused = |store: &str, more: &[&str]| {
            let pdf = paper(store, more);
            append(&Document::open(&pdf).unwrap(), &evidence(), &[]).unwrap_err().code.id
        };
        assert_eq!(refused("/DSS[]", &[]), SHAPE.id);
        assert_eq!(refused("/DSS<</Certs 1>>", &[]), SHAPE.id);
        assert_eq!(refused("/DSS<</VRI 4 0 R>>", &["[]"]), SHAPE.id);
        assert_eq!(refused("/DSS<</Certs 4 0 R/CRLs 4 0 R>>", &["[]"]), SHAPE.id);
        let many = format!("/DSS<</Certs[{}]>>", "4 0 R ".repeat(1025));
        assert_eq!(refused(&many, &["1"]), TOO_MUCH.id);
        let broken = paper("/DSS<</Certs[4 0 R 7 0 R null 1]>>", &["<</Length 2>>\nstream\n00\nendstream"]);
        assert_eq!(counts(&broken), (0, 0, 0));
    }
}
