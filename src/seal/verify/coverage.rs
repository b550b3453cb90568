//! How much of a file a signature covers: its revision must be a whole file of its own, the file of today must build on
//! it, and what was appended must be on the allow-list.

use super::changes::{Changes, ILLEGAL};
use super::fields::{Coverage, SignatureField};
use super::history::History;
use super::permission::Permission;
use super::{CoverageClass, VerifyCode};
use crate::fault::{Code, Fault, Outcome};
use crate::pdf::revise::Document;

/// A signature's own revision within the file of today.
pub(super) struct Base {
    /// Its newest section, counted from the newest of the file.
    pub(super) section: usize,
}

/// Finds the revision that a signature closes. `clear`: the file can be read in one way only.
pub(super) fn base(
    document: &Document<'_>,
    field: &SignatureField,
    range: &Coverage,
    clear: &Outcome<()>,
) -> Result<Base, (CoverageClass, Fault)> {
    let partial = |fault: Fault| (CoverageClass::Partial, fault);
    let illegal = |fault: Fault| (CoverageClass::IllegalUpdates, fault);
    let cut_off = || illegal(Fault::new(&NOT_A_REVISION).detail("the file no longer builds on it"));
    if !ends_as_a_file(document, range.end).map_err(partial)? {
        return Err(partial(Fault::new(&NOT_A_REVISION).detail("no %%EOF at its end")));
    }
    let revision = document.until(range.end).map_err(partial)?;
    let newest = revision.sections().first().map(|s| s.offset);
    let mut chain = document.sections().iter().map(|s| s.offset);
    let section = chain.position(|offset| Some(offset) == newest).ok_or_else(cut_off)?;
    if !chain.eq(revision.sections().iter().skip(1).map(|s| s.offset)) {
        return Err(cut_off());
    }
    clear.clone().map_err(partial)?;
    let (number, within) = (field.object.number, range.object_end.is_some_and(|end| end <= range.end));
    // At one place in both, and whole before the end of the older: the same bytes.
    let in_place = within && document.entry(number) == revision.entry(number);
    if !in_place
        && revision.get(field.object).map_err(partial)? != document.get(field.object).map_err(partial)?
    {
        return Err(illegal(Fault::new(&ILLEGAL).at(format!("object {}", field.object))));
    }
    let mut newer = document.sections().iter().take(section).map(|s| s.offset);
    if newer.any(|offset| offset < range.end) {
        let why = "an update that stands before the signature's end";
        return Err(illegal(Fault::new(&NOT_A_REVISION).detail(why)));
    }
    Ok(Base { section })
}

/// The class of a signature's coverage, and what came after it.
pub(super) fn cover(
    document: &Document<'_>,
    field: &SignatureField,
    range: &Coverage,
    base: &Base,
    history: &History,
) -> Result<(CoverageClass, Changes), (CoverageClass, Fault)> {
    let illegal = |fault: Fault| (CoverageClass::IllegalUpdates, fault);
    let all = document.length();
    if base.section == 0 {
        let short = all.saturating_sub(range.end) <= MAX_BLANK;
        let blank = short && document.read(range.end..all).map_err(illegal)?.trim_ascii().is_empty();
        let class = if blank { CoverageClass::Whole } else { CoverageClass::TrailingBytes };
        return Ok((class, Changes::default()));
    }
    let changes = history.since(base.section).map_err(illegal)?;
    Permission::of(document, field).and_then(|permission| permission.judge(&changes)).map_err(illegal)?;
    let clean = ends_as_a_file(document, all).map_err(illegal)?;
    Ok((if clean { CoverageClass::WholeRevision } else { CoverageClass::TrailingBytes }, changes))
}

/// Whether the bytes before `end` close a revision, but for white space.
fn ends_as_a_file(document: &Document<'_>, end: usize) -> Outcome<bool> {
    let end = document.ink_end(end)?;
    Ok(document.read(end.saturating_sub(END.len())..end)? == END)
}

const END: &[u8] = b"%%EOF";
/// White space that programs leave behind the last line.
const MAX_BLANK: usize = 8;

/// The signed range is not a revision.
pub const NOT_A_REVISION: Code = VerifyCode {
    id: "VRFY-047",
    vi: "Phần được ký không phải là một phiên bản trọn vẹn của tài liệu",
    en: "what was signed is not a whole revision of the document",
}
.code();
