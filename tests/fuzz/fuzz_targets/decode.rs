//! What every decoder target does: opens the bytes as the intake does, within small limits, and takes every page of it
//! as pixels and as the archive would.

use hoso::scan::{Kind, Limits, open, sniff};
use libfuzzer_sys::Corpus;

/// Runs one input; what is of another kind teaches this target nothing.
pub fn decode(data: &[u8], kind: Kind) -> Corpus {
    if sniff(data) != Ok(kind) {
        return Corpus::Reject;
    }
    let limits = Limits { pages: 8, pixels: 1 << 20, stream_bytes: 1 << 20, ..Limits::default() };
    if let Ok(source) = open(data, &limits) {
        for page in 1..=source.pages().len() {
            if let Ok(luma) = source.luma(page) {
                assert_eq!(luma.data.len(), luma.width * luma.height);
            }
            let _ = source.page_image(page);
        }
    }
    Corpus::Keep
}
