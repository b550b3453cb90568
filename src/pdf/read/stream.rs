//! The bytes of an image, and of any other stream, with the byte-level filters undone.

use super::image::{Filter, Image};
use super::{Foreign, Pdf, reason};
use crate::fault::{Class, Code, Fault, Outcome};
use lopdf::{Dictionary, Document, Object, Stream};

impl Pdf {
    /// The image's bytes with every byte-level filter undone: a JPEG, a Group 4 strip, or samples cut to
    /// exactly their number.
    ///
    /// # Errors
    /// [`PIXELS`].
    pub fn image_bytes(&self, image: &Image) -> Outcome<Vec<u8>> {
        let fault = |what: &str| Fault::new(&PIXELS).detail(what);
        let stream = self
            .file
            .document
            .get_object(image.id)
            .and_then(Object::as_stream)
            .map_err(|_| fault("the image is no stream"))?;
        let expected = match image.filter {
            Filter::Samples => {
                let bits = u64::from(image.width) * u64::from(image.bits) * u64::from(image.colour.samples());
                usize::try_from(bits.div_ceil(8) * u64::from(image.height)).ok()
            }
            _ => None,
        };
        let content = self.file.content(image.id, stream)?;
        let limit = expected.map_or(self.bounds.stream_bytes.max(content.len()), |n| {
            // Writers end streams with a line break or a padded row.
            n.saturating_add(64 << 10)
        });
        let filters = filters(&self.file.document, stream).map_err(|_| fault("filters"))?;
        let byte_filters = filters.iter().filter(|f| !is_image_filter(f)).count();
        let mut bytes = if byte_filters == 0 {
            content.into_owned()
        } else {
            undo(&self.file.document, stream, content.into_owned(), &filters[..byte_filters])
                .decompressed_content_with_limit(limit)
                .map_err(|e| fault(&reason(&e)))?
        };
        if let Some(expected) = expected {
            if bytes.len() < expected {
                return Err(fault(&format!("{} bytes of samples, expected {expected}", bytes.len())));
            }
            bytes.truncate(expected);
        }
        Ok(bytes)
    }

    /// The embedded ICC profile of an image's colour space, if it has one of at most 4 MiB.
    pub fn icc(&self, image: &Image) -> Option<Vec<u8>> {
        let stream = self.file.document.get_object(image.id).ok()?.as_stream().ok()?;
        let space = stream.dict.get_deref(b"ColorSpace", &self.file.document).ok()?.as_array().ok()?;
        if space.first()?.as_name().ok()? != b"ICCBased" {
            return None;
        }
        let (_, profile) = self.file.document.dereference(space.get(1)?).ok()?;
        let profile = profile.as_stream().ok()?;
        match profile.dict.has(b"Filter") {
            true => profile.decompressed_content_with_limit(4 << 20).ok(),
            false => (profile.content.len() <= 4 << 20).then(|| profile.content.clone()),
        }
    }

    /// The segments that a JBIG2 image shares with others (`/JBIG2Globals`, ISO 32000-1, 7.4.7).
    ///
    /// # Errors
    /// [`PIXELS`] where they are named and cannot be read.
    pub fn jbig2_globals(&self, image: &Image) -> Outcome<Option<Vec<u8>>> {
        let fault = |what: &str| Fault::new(&PIXELS).detail(what);
        let document = &self.file.document;
        let stream = document.get_object(image.id).and_then(Object::as_stream);
        let stream = stream.map_err(|_| fault("the image is no stream"))?;
        let last = filters(document, stream).map_err(|_| fault("filters"))?.len().saturating_sub(1);
        let Some(id) = params(document, stream, last).and_then(|p| p.get(b"JBIG2Globals").ok()) else {
            return Ok(None);
        };
        let id = id.as_reference().map_err(|_| fault("shared segments are no stream"))?;
        let shared = document.get_object(id).and_then(Object::as_stream);
        let shared = shared.map_err(|_| fault("shared segments are no stream"))?;
        let content = self.file.content(id, shared)?;
        let names = filters(document, shared).map_err(|_| fault("filters"))?;
        if names.is_empty() {
            return Ok(Some(content.into_owned()));
        }
        undo(document, shared, content.into_owned(), &names)
            .decompressed_content_with_limit(self.bounds.stream_bytes)
            .map(Some)
            .map_err(|e| fault(&reason(&e)))
    }
}

/// A stream with all its filters undone.
pub(super) fn inflated(document: &Document, stream: &Stream, limit: usize) -> Result<Vec<u8>, lopdf::Error> {
    let names = filters(document, stream).map_err(|_| lopdf::Error::Unimplemented("filters"))?;
    if names.is_empty() {
        return stream.decompressed_content_with_limit(limit);
    }
    undo(document, stream, stream.content.clone(), &names).decompressed_content_with_limit(limit)
}

/// Filter names in decoding order, references followed and abbreviations written out.
pub(super) fn filters(document: &Document, stream: &Stream) -> Result<Vec<Vec<u8>>, Foreign> {
    match stream.dict.get_deref(b"Filter", document) {
        Err(_) => Ok(Vec::new()),
        Ok(Object::Name(name)) => Ok(vec![in_full(name)]),
        Ok(Object::Array(names)) if names.len() <= 8 => names
            .iter()
            .map(|o| {
                let (_, o) = document.dereference(o).map_err(|_| Foreign::Coding)?;
                o.as_name().map(in_full).map_err(|_| Foreign::Coding)
            })
            .collect(),
        Ok(_) => Err(Foreign::Coding),
    }
}

/// The abbreviations of inline images (ISO 32000-1, 8.9.7): writers use them elsewhere, and viewers let them.
fn in_full(name: &[u8]) -> Vec<u8> {
    let full: &[u8] = match name {
        b"AHx" => b"ASCIIHexDecode",
        b"A85" => b"ASCII85Decode",
        b"LZW" => b"LZWDecode",
        b"Fl" => b"FlateDecode",
        b"RL" => b"RunLengthDecode",
        b"CCF" => b"CCITTFaxDecode",
        b"DCT" => b"DCTDecode",
        full => full,
    };
    full.to_vec()
}

pub(super) fn is_image_filter(name: &[u8]) -> bool {
    matches!(name, b"DCTDecode" | b"CCITTFaxDecode" | b"JBIG2Decode" | b"JPXDecode")
}

/// The stream with its byte-level filters alone and their parameters resolved.
pub(super) fn undo(document: &Document, stream: &Stream, content: Vec<u8>, names: &[Vec<u8>]) -> Stream {
    let mut dict = Dictionary::new();
    dict.set("Filter", Object::Array(names.iter().map(|n| Object::Name(n.clone())).collect()));
    let parms = (0..names.len()).map(|i| {
        let mut resolved = Dictionary::new();
        for (key, value) in params(document, stream, i).into_iter().flat_map(Dictionary::iter) {
            if let Ok((_, value)) = document.dereference(value) {
                resolved.set(key.clone(), value.clone());
            }
        }
        Object::Dictionary(resolved)
    });
    dict.set("DecodeParms", Object::Array(parms.collect()));
    Stream::new(dict, content)
}

/// The parameters of the filter with this index.
pub(super) fn params<'a>(document: &'a Document, stream: &'a Stream, index: usize) -> Option<&'a Dictionary> {
    match stream.dict.get_deref(b"DecodeParms", document).ok()? {
        Object::Dictionary(one) => Some(one),
        Object::Array(many) => document.dereference(many.get(index)?).ok()?.1.as_dict().ok(),
        _ => None,
    }
}

/// The image of a page cannot be read to its end.
pub const PIXELS: Code = Code {
    id: "PDF-007",
    class: Class::Input,
    vi: "Dữ liệu ảnh trong trang PDF bị hỏng",
    en: "the image of the PDF page is damaged",
    remedy_vi: "Quét lại trang này",
    remedy_en: "scan the page again",
};
