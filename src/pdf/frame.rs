//! What every PDF/A-2b of ours has around its pages (ISO 19005-2, 6.2.3 and 6.6): the catalogue, the tree of pages, one
//! output intent with an sRGB profile, and the metadata, not compressed.

use super::archive::Metadata;
use super::output::Output;
use super::{icc, xmp};
use crate::fault::Outcome;
use pdf_writer::types::OutputIntentSubtype;
use pdf_writer::writers::Catalog;
use pdf_writer::{Chunk, Filter, Ref, TextStr};

/// The numbers of those objects.
pub(super) struct Frame {
    catalog: Ref,
    /// The tree, which every page names as its parent.
    pub(super) tree: Ref,
    profile: Ref,
    metadata: Ref,
}

impl Frame {
    /// Takes its numbers before the pages take theirs.
    pub(super) fn new(mut next: impl FnMut() -> Ref) -> Self {
        Frame { catalog: next(), tree: next(), profile: next(), metadata: next() }
    }

    /// Writes it around pages that are written, and ends the file.
    ///
    /// # Errors
    /// [`NOT_WRITTEN`](super::output::NOT_WRITTEN).
    pub(super) fn write(&self, mut out: Output<'_>, pages: &[Ref], meta: &Metadata) -> Outcome<()> {
        let Frame { catalog, tree, profile, metadata } = *self;
        out.object(tree, |chunk| {
            chunk.pages(tree).kids(pages.iter().copied()).count(pages.len() as i32);
        })?;
        out.object(profile, |chunk| icc_stream(chunk, profile, &icc::srgb(), 3))?;
        out.object(metadata, |chunk| {
            chunk.metadata(metadata, xmp::packet(meta).as_bytes());
        })?;
        out.object(catalog, |chunk| {
            let mut root = chunk.indirect(catalog).start::<Catalog<'_>>();
            root.pages(tree).metadata(metadata).lang(TextStr("vi-VN"));
            if !meta.title.is_empty() {
                root.viewer_preferences().display_doc_title(true);
            }
            root.output_intents()
                .push()
                .subtype(OutputIntentSubtype::PDFA)
                .output_condition_identifier(TextStr("sRGB"))
                .info(TextStr("sRGB IEC61966-2.1"))
                .dest_output_profile(profile);
        })?;
        out.finish(catalog)
    }
}

/// A colour profile for so many channels.
pub(super) fn icc_stream(chunk: &mut Chunk, id: Ref, profile: &[u8], channels: u8) {
    let packed = miniz_oxide::deflate::compress_to_vec_zlib(profile, 9);
    chunk.icc_profile(id, &packed).n(i32::from(channels)).filter(Filter::FlateDecode);
}
