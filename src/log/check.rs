//! Judging a receipt: the log's signature, the path, the document, and, as far as the verifier has the means, the time stamp,
//! the witnesses and what the log said later. What nobody looked at is said.

use super::copy::LogCopy;
use super::mark::{Mark, Status};
use super::note::{Checkpoint, KeyKind, Note, Signed, VerifierKey};
use super::notice::Notice;
use super::outcome::{ReceiptOutcome, ReceiptVerdict};
use super::proof::{Proof, Stamp};
use super::receipt::Receipt;
use super::statement::Statement;
use super::tree::root_of_inclusion;
use crate::digest::{Digests, Sha256};
use crate::seal::timestamp::{check_token, has_certificate, without_certificates};
use openssl::x509::X509;

/// Whom a verifier trusts and what it wants.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policy<'a> {
    /// Keys of logs.
    pub keys: &'a [VerifierKey],
    /// Keys of witnesses.
    pub witnesses: &'a [VerifierKey],
    /// How many of the witnesses must have cosigned.
    pub quorum: usize,
    /// Roots that time stamp authorities lead to, and certificates that help to find the way.
    pub authorities: &'a [X509],
    /// Certificates that tokens may have been left without; nothing is trusted because it stands here.
    pub known: &'a [X509],
    /// A receipt without a time stamp does not pass.
    pub stamp: bool,
}

impl<'a> Policy<'a> {
    /// Nothing but keys of logs.
    pub fn of(keys: &'a [VerifierKey]) -> Policy<'a> {
        Policy { keys, ..Policy::default() }
    }
}

/// What is at hand of what the log said after the receipt.
#[derive(Debug, Clone, Copy, Default)]
pub struct Later<'a> {
    /// The log's folder, or a copy of its tiles.
    pub log: Option<&'a LogCopy>,
    /// Newer receipts and notices.
    pub newer: &'a [String],
}

/// Judges a receipt for a document. The first reason that speaks against it counts, in this order: form, log key, log
/// signature, path, document, time stamp, cosignatures, contradiction, revocation, supersession, what is still missing.
pub fn judge(receipt: &str, document: &Digests, policy: &Policy<'_>, later: &Later<'_>) -> ReceiptVerdict {
    let Ok(proof) = Proof::parse(receipt) else { return ReceiptVerdict::bare(ReceiptOutcome::Malformed) };
    let Ok(paper) = Receipt::parse(receipt) else { return notice(receipt, document, policy) };
    let Some((note, head)) = read_note(&proof.checkpoint) else {
        return ReceiptVerdict::bare(ReceiptOutcome::Malformed);
    };
    let mut known = Known { superseded_by: None, ..Known::default() };
    let outcome = weigh(&paper, &note, &head, document, policy, later, &mut known);
    ReceiptVerdict {
        origin: Some(head.origin),
        index: Some(paper.index),
        size: Some(head.size),
        statement: Some(paper.statement),
        stamped_at: known.stamped_at,
        witnesses: known.witnesses,
        superseded_by: known.superseded_by,
        unrevoked_at: known.unrevoked_at,
        not_checked: known.not_checked,
        ..ReceiptVerdict::bare(outcome)
    }
}

/// What was found out on the way.
#[derive(Default)]
struct Known {
    stamped_at: Option<jiff::Timestamp>,
    witnesses: Vec<(String, u64)>,
    superseded_by: Option<Sha256>,
    unrevoked_at: Option<u64>,
    not_checked: Vec<&'static str>,
}

fn weigh(
    paper: &Receipt,
    note: &Note,
    head: &Checkpoint,
    document: &Digests,
    policy: &Policy<'_>,
    later: &Later<'_>,
    known: &mut Known,
) -> ReceiptOutcome {
    if let Err(outcome) = signed(note, head, policy.keys) {
        known.not_checked.push(NOTHING_ELSE);
        return outcome;
    }
    if root_of_inclusion(&paper.statement.leaf(), paper.index, head.size, &paper.path) != Some(head.root) {
        known.not_checked.push(NOTHING_ELSE);
        return ReceiptOutcome::BadPath;
    }
    let about = &paper.statement;
    if !about.is_about(document) {
        known.not_checked.push(NOTHING_ELSE);
        let half = about.sha256 == document.sha256 || about.blake3 == document.blake3;
        return if half { ReceiptOutcome::NotThisDocument } else { ReceiptOutcome::AlteredDocument };
    }
    let stamp = stamped(&paper.stamp, note, policy, known);
    let witnessed = witnessed(note, policy, known);
    let said = said_later(paper, head, policy, later, known);
    // A lie of the log outweighs whatever is only missing.
    [stamp, witnessed]
        .into_iter()
        .filter(|o| o.is_some_and(|o| o.class() == super::outcome::Class::Altered))
        .chain([said, stamp, witnessed])
        .flatten()
        .next()
        .unwrap_or(ReceiptOutcome::Proven)
}

/// Whether a trusted key of the checkpoint's own log signed it, and every signature that claims such a key holds.
fn signed(note: &Note, head: &Checkpoint, keys: &[VerifierKey]) -> Result<(), ReceiptOutcome> {
    let mut signed = Signed::UnknownKey;
    for key in keys.iter().filter(|k| k.kind() == KeyKind::Log && k.name() == head.origin) {
        match note.signed_by(key) {
            Signed::Bad => return Err(ReceiptOutcome::BadSignature),
            Signed::By => signed = Signed::By,
            Signed::UnknownKey => {}
        }
    }
    if signed == Signed::By { Ok(()) } else { Err(ReceiptOutcome::UnknownLogKey) }
}

fn stamped(stamp: &Stamp, note: &Note, policy: &Policy<'_>, known: &mut Known) -> Option<ReceiptOutcome> {
    let token = match stamp {
        Stamp::Token(token) => token,
        Stamp::Awaited => {
            known.not_checked.push(NO_STAMP);
            return Some(ReceiptOutcome::NotYetAnchored);
        }
        Stamp::None => {
            known.not_checked.push(NO_STAMP);
            return policy.stamp.then_some(ReceiptOutcome::NotYetAnchored);
        }
    };
    let imprint = Sha256::of(note.text().as_bytes());
    let certificates = [policy.known, policy.authorities].concat();
    if !has_certificate(token, &certificates) && without_certificates(token).is_ok() {
        known.not_checked.push(NO_CERTIFICATE);
        return policy.stamp.then_some(ReceiptOutcome::NotYetAnchored);
    }
    let Ok(stamp) = check_token(token, &imprint, &certificates) else {
        return Some(ReceiptOutcome::BadStamp);
    };
    known.stamped_at = Some(stamp.time);
    if policy.authorities.is_empty() {
        known.not_checked.push(NO_AUTHORITY);
        return policy.stamp.then_some(ReceiptOutcome::NotYetAnchored);
    }
    if stamp.check_chain(policy.authorities).is_err() {
        known.not_checked.push(STRANGE_AUTHORITY);
        return Some(ReceiptOutcome::NotYetAnchored);
    }
    known.not_checked.push(AUTHORITY_REVOKED);
    None
}

fn witnessed(note: &Note, policy: &Policy<'_>, known: &mut Known) -> Option<ReceiptOutcome> {
    for key in policy.witnesses.iter().filter(|k| k.kind() == KeyKind::Witness) {
        match note.signed_by(key) {
            Signed::Bad => return Some(ReceiptOutcome::BadSignature),
            Signed::By => {
                known.witnesses.push((key.name().to_owned(), note.cosigned_at(key).unwrap_or_default()));
            }
            Signed::UnknownKey => {}
        }
    }
    // The same key given twice is one witness.
    known.witnesses.sort();
    known.witnesses.dedup();
    if known.witnesses.is_empty() {
        known.not_checked.push(NO_WITNESS);
    }
    (known.witnesses.len() < policy.quorum).then_some(ReceiptOutcome::NotYetWitnessed)
}

/// What a copy of the log and newer papers say against the receipt.
fn said_later(
    paper: &Receipt,
    head: &Checkpoint,
    policy: &Policy<'_>,
    later: &Later<'_>,
    known: &mut Known,
) -> Option<ReceiptOutcome> {
    let mut found = None;
    let mut looked = false;
    if let Some(copy) = later.log.filter(|copy| copy.head().origin == head.origin) {
        match in_copy(paper, head, copy) {
            Ok(Said::Contradiction) => return Some(ReceiptOutcome::BrokenConsistency),
            Ok(Said::Marked(status)) => found = Some(status),
            Ok(Said::Nothing(size)) => {
                looked = true;
                known.unrevoked_at = Some(size);
            }
            Ok(Said::Older) => known.not_checked.push(COPY_OLDER),
            Err(_) => known.not_checked.push(COPY_DAMAGED),
        }
    } else if later.log.is_some() {
        known.not_checked.push(COPY_OTHER);
    }
    for text in later.newer {
        match in_newer(paper, head, policy, text) {
            Newer::Contradiction => return Some(ReceiptOutcome::BrokenConsistency),
            Newer::Marked(status) => {
                found = [found, Some(status)].into_iter().flatten().min_by_key(|s| *s == Status::Superseded);
            }
            Newer::By(sha256) => {
                known.superseded_by = Some(sha256);
                found = found.or(Some(Status::Superseded));
            }
            Newer::Nothing => known.not_checked.push(NEWER_OTHER),
        }
    }
    if found.is_none() && !looked {
        known.not_checked.push(NO_NEWER);
    }
    found.map(ReceiptOutcome::from)
}

enum Said {
    Contradiction,
    Marked(Status),
    /// Neither up to this size.
    Nothing(u64),
    /// The copy ends before the receipt's checkpoint.
    Older,
}

fn in_copy(paper: &Receipt, head: &Checkpoint, copy: &LogCopy) -> crate::fault::Outcome<Said> {
    if copy.head().size < head.size {
        return Ok(Said::Older);
    }
    if copy.root_at(head.size)? != head.root {
        return Ok(Said::Contradiction);
    }
    let marks = [Status::Revoked, Status::Superseded].map(|s| (s, Mark::of(&paper.statement, s).entry()));
    let found = copy.find(paper.index, &marks.map(|(_, entry)| entry))?;
    let status = marks.iter().zip(&found).find_map(|((status, _), place)| place.map(|_| *status));
    Ok(status.map_or(Said::Nothing(copy.head().size), Said::Marked))
}

enum Newer {
    Contradiction,
    Marked(Status),
    By(Sha256),
    Nothing,
}

/// What a newer receipt or notice says; one that does not hold says nothing.
fn in_newer(paper: &Receipt, head: &Checkpoint, policy: &Policy<'_>, text: &str) -> Newer {
    let Ok(proof) = Proof::parse(text) else { return Newer::Nothing };
    let Some((note, theirs)) = read_note(&proof.checkpoint) else { return Newer::Nothing };
    if signed(&note, &theirs, policy.keys).is_err() {
        return Newer::Nothing;
    }
    if theirs.origin == head.origin && theirs.size == head.size && theirs.root != head.root {
        return Newer::Contradiction;
    }
    let leads = |leaf| root_of_inclusion(&leaf, proof.index, theirs.size, &proof.path) == Some(theirs.root);
    if let Ok(mark) = Mark::parse(&proof.logged) {
        let ours = mark == Mark::of(&paper.statement, mark.status) && theirs.origin == head.origin;
        return if ours && leads(mark.leaf()) { Newer::Marked(mark.status) } else { Newer::Nothing };
    }
    match Statement::parse(&proof.logged) {
        // By the same office only: nobody else's log ends this paper.
        Ok(newer)
            if newer.supersedes == Some(paper.statement.sha256)
                && theirs.origin == head.origin
                && leads(newer.leaf()) =>
        {
            Newer::By(newer.sha256)
        }
        _ => Newer::Nothing,
    }
}

/// A notice that was handed in as if it were the paper's receipt.
fn notice(text: &str, document: &Digests, policy: &Policy<'_>) -> ReceiptVerdict {
    let malformed = || ReceiptVerdict::bare(ReceiptOutcome::Malformed);
    let Ok(notice) = Notice::parse(text) else { return malformed() };
    let Some((note, head)) = read_note(&notice.checkpoint) else { return malformed() };
    let path = || root_of_inclusion(&notice.mark.leaf(), notice.index, head.size, &notice.path);
    let outcome = match signed(&note, &head, policy.keys) {
        Err(outcome) => outcome,
        Ok(()) if path() != Some(head.root) => ReceiptOutcome::BadPath,
        Ok(()) if notice.mark.sha256 != document.sha256 => ReceiptOutcome::AlteredDocument,
        Ok(()) => notice.mark.status.into(),
    };
    ReceiptVerdict {
        origin: Some(head.origin),
        index: Some(notice.index),
        size: Some(head.size),
        not_checked: vec![NOTHING_ELSE],
        ..ReceiptVerdict::bare(outcome)
    }
}

fn read_note(checkpoint: &str) -> Option<(Note, Checkpoint)> {
    let note = Note::parse(checkpoint).ok()?;
    let head = Checkpoint::parse(note.text()).ok()?;
    Some((note, head))
}

const NO_STAMP: &str =
    "thời điểm ghi (biên nhận không có dấu thời gian) / the time of logging (no time stamp token)";
const NO_CERTIFICATE: &str = "dấu thời gian (không có chứng thư của đơn vị cấp ở đây) / the time stamp (its authority's certificate is \
    not at hand)";
const NO_AUTHORITY: &str = "đơn vị cấp dấu thời gian có đáng tin không (chưa nêu chứng thư gốc) / whether the time stamp \
    authority is to be trusted (no roots were given)";
const STRANGE_AUTHORITY: &str = "đơn vị cấp dấu thời gian không thuộc các gốc tin cậy / the time stamp authority does not lead \
    to a trusted root";
const AUTHORITY_REVOKED: &str = "chứng thư của đơn vị cấp dấu thời gian có bị thu hồi không / whether the time stamp \
    authority's certificate was revoked";
const NO_WITNESS: &str = "nhật ký có cho người khác xem một lịch sử khác không (không có nhân chứng được tin cậy) / whether the \
    log showed others a different tree (no trusted witness)";
const NO_NEWER: &str = "tài liệu có bị thu hồi hoặc thay thế sau đó không (không có bản nhật ký mới hơn) / whether the document \
    was revoked or superseded later (no newer checkpoint known)";
const COPY_OLDER: &str = "bản sao nhật ký cũ hơn biên nhận / the copy of the log is older than the receipt";
const COPY_DAMAGED: &str =
    "bản sao nhật ký thiếu hoặc hỏng tệp / files of the copy of the log are missing or damaged";
const COPY_OTHER: &str = "bản sao là của nhật ký khác / the copy is of another log";
const NEWER_OTHER: &str = "một biên nhận nêu thêm không đúng hoặc không nói về tài liệu này / a newer receipt that was given \
    does not hold or is not about this document";
const NOTHING_ELSE: &str = "những điều khác, vì đã dừng ở lỗi này / anything else, since this ended it";

#[cfg(test)]
mod tests;
