//! All that the portal was told of a dossier, as one record.
//!
//! The contract has no word for "also": a change replaces the dossier with its lists. So what is sent is never one piece of
//! news but the sum of everything that was told so far and it: papers with what shows that they were digitised, results,
//! supplements. The sum depends on nothing but the records and their order, so that every attempt sends the same.
//!
//! News can come late: a result that was made elsewhere overtakes the intake of its own dossier. What comes late adds what it
//! has and fills in what nobody said, but neither turns a state back nor overrules what was said later.

use super::record::{PortalDossier, Status, SubmittedPaper};
use crate::digest::Sha256;

/// The sum of what was told, in the order in which it was posted. The progress in it is everybody's, oldest first; whoever
/// sends one piece of news tells its own and no other.
pub fn whole(told: impl IntoIterator<Item = PortalDossier>) -> Option<PortalDossier> {
    told.into_iter().reduce(and_then)
}

/// What a record says of the dossier, as one value; progress is not part of it, since that is told line by line.
pub fn digest(dossier: &PortalDossier) -> Sha256 {
    let stands = PortalDossier { progress: Vec::new(), ..dossier.clone() };
    Sha256::of(&serde_json::to_vec(&stands).unwrap_or_default())
}

/// Whether a dossier that stands in one state comes into another by news of another time (Unix seconds).
///
/// A result that was issued stays issued, and one that was handed over stays so. Whoever refused, stopped or withdrew it is
/// believed where that is the newer news. While it is worked on, it goes back and forth between being processed and
/// waiting for the citizen, by time; being accepted again is a step only where it was refused or papers were waited for.
pub fn comes_into((before, then): (Status, i64), (after, now): (Status, i64)) -> bool {
    use Status::*;
    let newer = now >= then;
    match (before, after) {
        (Returned, _) => false,
        (Done, after) => after == Returned,
        (NotAccepted | Withdrawn | Stopped, Done | Returned) => newer,
        (_, Done | Returned) => true,
        (Withdrawn, _) | (_, Registered) => false,
        (Stopped | Processing | FinancialObligation, Accepted) => false,
        _ => newer,
    }
}

/// One more record on top of the sum so far.
fn and_then(sum: PortalDossier, news: PortalDossier) -> PortalDossier {
    let moment = |d: &PortalDossier| d.progress.iter().map(|event| event.at).max().unwrap_or(i64::MIN);
    let moves =
        sum.status == news.status || comes_into((sum.status, moment(&sum)), (news.status, moment(&news)));
    // Within one state the order of posting is the order of speaking.
    let (mut last, before) = if moves { (news, sum) } else { (sum, news) };
    let text = |last: &mut String, before: String| {
        if last.trim().is_empty() {
            *last = before;
        }
    };
    text(&mut last.procedure.code, before.procedure.code);
    text(&mut last.procedure.name, before.procedure.name);
    text(&mut last.field.code, before.field.code);
    text(&mut last.field.name, before.field.name);
    text(&mut last.summary, before.summary);
    text(&mut last.unit, before.unit);
    said((&mut last.channel, &mut last.said.channel), (before.channel, before.said.channel));
    said((&mut last.owner_kind, &mut last.said.owner_kind), (before.owner_kind, before.said.owner_kind));
    said((&mut last.handover, &mut last.said.handover), (before.handover, before.said.handover));
    said((&mut last.filed_at, &mut last.said.filed_at), (before.filed_at, before.said.filed_at));
    said((&mut last.payment, &mut last.said.payment), (before.payment, before.said.payment));
    last.account = last.account.or(before.account);
    if last.identities.is_empty() {
        last.identities = before.identities;
    }
    last.owner_number = last.owner_number.or(before.owner_number);
    last.owner_name = last.owner_name.or(before.owner_name);
    last.other = last.other.or(before.other);
    last.email = last.email.or(before.email);
    last.fax = last.fax.or(before.fax);
    last.phone = last.phone.or(before.phone);
    last.received = last.received.or(before.received);
    last.filed = last.filed.or(before.filed);
    last.due = last.due.or(before.due);
    last.finished = last.finished.or(before.finished);
    last.returned = last.returned.or(before.returned);
    last.returned_how = last.returned_how.or(before.returned_how);
    last.note = last.note.or(before.note);
    last.url = last.url.or(before.url);
    last.account_proof = last.account_proof.or(before.account_proof);
    // Since when it is refused is said only while it is.
    if matches!(last.status, Status::NotAccepted | Status::Withdrawn | Status::Stopped) {
        last.refused = last.refused.or(before.refused);
    }

    let lists = Lists { late: !moves };
    last.papers = lists.joined(before.papers, last.papers, same_paper, paper);
    last.results = lists.joined(before.results, last.results, |a, b| a.id == b.id, |_, last| last);
    last.supplements =
        lists.joined(before.supplements, last.supplements, |a, b| a.id == b.id, |_, last| last);
    last.others = lists.joined(before.others, last.others, PartialEq::eq, |_, last| last);
    last.databases = lists.joined(before.databases, last.databases, PartialEq::eq, |_, last| last);
    last.progress = lists.joined(before.progress, last.progress, PartialEq::eq, |_, last| last);
    last.progress.sort_by_key(|event| event.at);
    if last.fees.is_empty() {
        last.fees = before.fees;
    }
    last
}

/// What was said before is taken where nothing was said since.
fn said<T>((last, since): (&mut T, &mut bool), (before, was): (T, bool)) {
    if was && !*since {
        *last = before;
        *since = true;
    }
}

/// Joins lists of two records.
struct Lists {
    /// The one that has the last word was posted first.
    late: bool,
}

impl Lists {
    /// Two lists as one, in the order of posting. What is in both stands once, where it stood first, as `both` makes it.
    fn joined<T>(
        &self,
        before: Vec<T>,
        last: Vec<T>,
        same: impl Fn(&T, &T) -> bool,
        both: impl Fn(T, T) -> T,
    ) -> Vec<T> {
        let (first, second) = if self.late { (last, before) } else { (before, last) };
        let mut all: Vec<Option<T>> = first.into_iter().map(Some).collect();
        for item in second {
            match all.iter_mut().find(|known| known.as_ref().is_some_and(|known| same(known, &item))) {
                Some(place) if self.late => *place = place.take().map(|known| both(item, known)),
                Some(place) => *place = place.take().map(|known| both(known, item)),
                None => all.push(Some(item)),
            }
        }
        all.into_iter().flatten().collect()
    }
}

/// The same document, or made anew of the same scans.
fn same_paper(a: &SubmittedPaper, b: &SubmittedPaper) -> bool {
    let scans = |paper: &SubmittedPaper| paper.digitisation.map(|d| (d.scan, d.pages));
    a.id == b.id || (scans(a).is_some() && scans(a) == scans(b))
}

/// Evidence is of the document: what was shown of it once stays shown.
fn paper(before: SubmittedPaper, last: SubmittedPaper) -> SubmittedPaper {
    let same = before.document == last.document;
    let digitisation = last.digitisation.or(before.digitisation.filter(|_| same));
    let component = last.component.or(before.component);
    SubmittedPaper { digitisation, component, ..last }
}

#[cfg(test)]
mod tests;
