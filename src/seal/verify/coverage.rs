//! How much of a file a signature covers: its revision must be a whole file of its own, the file of today must build on
//! it, and what was appended must be on the allow-list.

use super::fields::{Coverage, SignatureField};
use super::{CoverageClass, Update, VerifyCode, updates};
use crate::fault::{Code, Fault};
use crate::pdf::revise::{Document, Kind};
use std::collections::BTreeSet;

/// The class of a signature's coverage, and what came after it.
pub(super) fn cover(
    document: &Document<'_>,
    field: &SignatureField,
    range: &Coverage,
) -> Result<(CoverageClass, BTreeSet<Update>), (CoverageClass, Fault)> {
    let partial = |fault: Fault| (CoverageClass::Partial, fault);
    let illegal = |fault: Fault| (CoverageClass::IllegalUpdates, fault);
    let bytes = document.bytes();
    let signed = bytes.get(..range.end).unwrap_or_default();
    if !signed.trim_ascii_end().ends_with(b"%%EOF") {
        return Err(partial(Fault::new(&NOT_A_REVISION).detail("no %%EOF at its end")));
    }
    let revision = Document::open(signed).map_err(partial)?;
    let newest = revision.sections().first().map(|s| s.offset);
    let chain: Vec<usize> = document.sections().iter().map(|s| s.offset).collect();
    let base = chain.iter().position(|o| Some(*o) == newest);
    let base =
        base.ok_or_else(|| illegal(Fault::new(&NOT_A_REVISION).detail("the file no longer builds on it")))?;
    let older = revision.sections().iter().map(|s| s.offset);
    if !chain.iter().skip(base).copied().eq(older) {
        return Err(illegal(Fault::new(&NOT_A_REVISION).detail("the file no longer builds on it")));
    }
    if document.sections().iter().any(|s| s.kind == Kind::Hybrid) {
        return Err(partial(Fault::new(&HYBRID)));
    }
    let own = revision.get(field.object).map_err(partial)?;
    let now = document.get(field.object).map_err(partial)?;
    if own != now {
        return Err(illegal(Fault::new(&updates::ILLEGAL).at(format!("object {}", field.object))));
    }
    let mut found = BTreeSet::new();
    if base == 0 {
        let rest = bytes.get(range.end..).unwrap_or_default();
        return match rest {
            [] => Ok((CoverageClass::Whole, found)),
            rest if rest.len() <= 8 && rest.trim_ascii().is_empty() => Ok((CoverageClass::Whole, found)),
            _ => Ok((CoverageClass::TrailingBytes, found)),
        };
    }
    if base > MAX_REVISIONS {
        return Err(illegal(Fault::new(&updates::TOO_MANY).detail(format!("{base} updates"))));
    }
    let mut before = revision;
    for index in (0..base).rev() {
        let offset = chain.get(index).copied().unwrap_or_default();
        if offset < range.end {
            return Err(illegal(
                Fault::new(&NOT_A_REVISION).detail("an update that stands before the signature's end"),
            ));
        }
        let after = Document::open_at_section(bytes, offset).map_err(illegal)?;
        found.extend(updates::compare(&before, &after).map_err(illegal)?);
        before = after;
    }
    if updates::certified(document, field).map_err(illegal)? == Some(1)
        && (found.contains(&Update::Signature) || found.contains(&Update::VisibleSignature))
    {
        return Err(illegal(
            Fault::new(&updates::ILLEGAL).detail("certified against any change, then signed again"),
        ));
    }
    if !ends_with_revision(bytes) {
        return Ok((CoverageClass::TrailingBytes, found));
    }
    Ok((CoverageClass::WholeRevision, found))
}

fn ends_with_revision(bytes: &[u8]) -> bool {
    bytes.trim_ascii_end().ends_with(b"%%EOF")
}

const MAX_REVISIONS: usize = 200;

/// The signed range is not a revision.
pub const NOT_A_REVISION: Code = VerifyCode {
    id: "VRFY-047",
    vi: "Phần được ký không phải là một phiên bản trọn vẹn của tài liệu",
    en: "what was signed is not a whole revision of the document",
}
.code();
/// Hybrid.
pub const HYBRID: Code = VerifyCode {
    id: "VRFY-048",
    vi: "Tệp có hai bảng tham chiếu song song, mỗi phần mềm có thể hiển thị một khác",
    en: "the file has two cross-reference tables side by side, so that programs may show different papers",
}
.code();
