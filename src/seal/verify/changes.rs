//! What updates did to a document: the kinds of change, the fields filled in, the signatures that came.

use super::{Update, VerifyCode};
use crate::fault::Code;
use std::collections::BTreeSet;

/// The changes of one update, or of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) kinds: BTreeSet<Update>,
    pub(super) filled: Vec<Filled>,
    pub(super) signed: Vec<Signed>,
}

/// A form field that was filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filled {
    pub(super) name: String,
    /// What it shows was read, and is its value.
    pub(super) readable: bool,
}

/// A signature field that came or was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) name: String,
    /// It was not there before.
    pub(super) is_new: bool,
    /// It holds a time stamp over the document.
    pub(super) is_stamp: bool,
    /// It shows itself: on which page, from 1, where that is known.
    pub(super) shown: Option<Option<usize>>,
}

impl Changes {
    /// Adds those of a later update.
    pub(super) fn extend(&mut self, later: &Changes) {
        self.kinds.extend(&later.kinds);
        self.filled.extend(later.filled.iter().cloned());
        self.signed.extend(later.signed.iter().cloned());
    }
}

/// Objects of all revisions together that are read to compare them.
pub(super) const MAX_OBJECTS: usize = 2_000_000;

/// An update that is not allowed.
pub const ILLEGAL: Code = VerifyCode {
    id: "VRFY-040",
    vi: "Tài liệu đã bị sửa đổi trái phép sau khi ký",
    en: "the document was changed after it was signed",
}
.code();
/// Too much to compare.
pub const TOO_MANY: Code = VerifyCode {
    id: "VRFY-041",
    vi: "Tài liệu có quá nhiều thay đổi sau khi ký để xét",
    en: "there is too much after the signature to be compared",
}
.code();
