//! Judges a bundle with the network off.
//!
//! | verdict | when |
//! |---|---|
//! | valid | everything that the manifest lists is there and is what it was, everything was checked against keys and roots from outside, all of it holds and speaks of the same documents, and nothing that ought to be there is missing |
//! | indeterminate | nothing is disproved, and something is missing or could not be checked; each is named |
//! | invalid | something is disproved: changed, added, forged, or contradicting something else in the bundle |
//!
//! `claims/` is never trusted: its keys and certificates are held against the manifest's digests and against nothing else.

mod card;
mod delivery;
mod document;
mod log_receipt;
mod report;

pub use report::{Finding, Judged, JudgedDelivery, Report};

use super::archive::{self, Archive};
use super::journal::{self, Line};
use super::manifest::{self, Chain, MANIFEST, MAX_MANIFEST, Manifest, NOTE, Run, SUMS, What, sums};
use crate::chip;
use crate::deliver::wire_key::VerifyingKey;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::VerifierKey;
use crate::log::note::Signed;
use crate::seal::verify::{Question, Verdict};
use openssl::x509::X509;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

/// Whom a verifier trusts; all of it from outside the bundle.
#[derive(Clone, Copy)]
pub struct Trust<'a> {
    /// What sealed documents are judged by.
    pub seals: Question<'a>,
    /// Keys of logs, which sign manifests, too.
    pub logs: &'a [VerifierKey],
    /// Keys of receivers.
    pub receivers: &'a [VerifyingKey],
    /// Issuers of cards, where there are any to judge by.
    pub cards: Option<&'a chip::Trust>,
}

/// Judges a bundle.
///
/// # Errors
/// [`archive::NOT_AN_ARCHIVE`] for a file that is no zip at all. Whatever else is wrong is in the report.
pub fn check<R: Read + Seek>(file: R, trust: &Trust<'_>) -> Outcome<Report> {
    let mut judge =
        Judge { trust, report: Report::new(), logs: BTreeMap::new(), signer: None, known: Vec::new() };
    match judge.bundle(file) {
        Err(fault) if *fault.code == archive::NOT_AN_ARCHIVE => return Err(fault),
        Err(fault) => judge.found(Verdict::Invalid, fault.place.clone().as_deref(), &fault),
        Ok(()) => {}
    }
    Ok(judge.report.conclude())
}

/// What is read whole, by its entry: all that the manifest lists but the documents, as far as it is what it was.
type Small<'m> = BTreeMap<&'m str, Vec<u8>>;

struct Judge<'a> {
    trust: &'a Trust<'a>,
    report: Report,
    /// The log that a document's receipt is of, by the entry of the receipt.
    logs: BTreeMap<String, String>,
    /// The log whose key signed the manifest.
    signer: Option<String>,
    /// Certificates of time stamp authorities that came along; they help to find the way and are not trusted.
    known: Vec<X509>,
}

impl Judge<'_> {
    fn bundle<R: Read + Seek>(&mut self, file: R) -> Outcome<()> {
        let mut archive = Archive::open(file)?;
        let there: BTreeMap<String, archive::Entry> =
            archive.entries().iter().map(|e| (e.name.clone(), e.clone())).collect();
        let Some(entry) = there.get(MANIFEST) else {
            self.say(Verdict::Indeterminate, Some(MANIFEST), &TAKEN_OUT);
            return Ok(());
        };
        let bytes = archive.read(entry, MAX_MANIFEST)?;
        let manifest = Manifest::parse(&bytes)?;
        self.report.dossier = Some(manifest.dossier.clone());
        self.report.office = Some(manifest.office.clone());
        self.report.as_of = Some(manifest.as_of.clone());
        match there.get(NOTE) {
            None => self.say(Verdict::Indeterminate, Some(NOTE), &TAKEN_OUT),
            Some(entry) => {
                let note = archive.read(entry, crate::log::note::MAX_NOTE as u64)?;
                self.signature(&bytes, &String::from_utf8_lossy(&note))?;
            }
        }
        for name in there.keys().filter(|n| ![MANIFEST, NOTE].contains(&n.as_str())) {
            if manifest.entry(name).is_none() {
                self.say(Verdict::Invalid, Some(name), &ADDED);
            }
        }
        self.consistent(&manifest);
        let mut small = Small::new();
        for listed in &manifest.entries {
            let Some(entry) = there.get(&listed.name) else {
                self.say(Verdict::Indeterminate, Some(&listed.name), &TAKEN_OUT);
                continue;
            };
            if matches!(listed.what, What::Document) {
                continue;
            }
            let bytes = archive.read(entry, limit(listed.what))?;
            if self.is_listed(&bytes, listed) {
                small.insert(listed.name.as_str(), bytes);
            }
        }
        if small.get(SUMS).is_some_and(|text| {
            *text != sums(manifest.entries.iter().map(|e| (e.name.as_str(), e.sha256))).into_bytes()
        }) {
            self.say(Verdict::Invalid, Some(SUMS), &CONTRADICTS);
        }
        let known = small.iter().filter(|(name, _)| name.starts_with("claims/authorities/"));
        self.known = known.flat_map(|(_, pem)| X509::stack_from_pem(pem).unwrap_or_default()).collect();
        for batch in &manifest.batches {
            self.journal(batch, &small);
        }
        for run in &manifest.runs {
            let lines = self.journal(&run.chain, &small);
            if let Some(lines) = &lines
                && journal::record(lines) != Some(run.record)
            {
                self.say(Verdict::Invalid, run.chain.journal.as_deref(), &CONTRADICTS);
            }
            if run.state != DONE {
                self.say(Verdict::Indeterminate, Some(&run.chain.run.short()), &INCOMPLETE);
            }
            self.card(run, &small);
            self.unlisted(run, lines.as_deref().unwrap_or_default());
            for document in &run.documents {
                let listed = manifest.entry(&document.entry);
                let bytes = match (there.get(&document.entry), listed) {
                    (Some(entry), Some(listed)) => {
                        let bytes = archive.read(entry, archive::MAX_ENTRY)?;
                        self.is_listed(&bytes, listed).then_some(bytes)
                    }
                    _ => None,
                };
                self.document(document, bytes.as_deref(), &small);
            }
            for delivery in &run.deliveries {
                self.delivery(&manifest, run, delivery, lines.as_deref(), &small);
            }
        }
        // A station speaks for its own log: another's key, trusted for another, signs no manifest of this one.
        let other = self.logs.iter().find(|(_, origin)| self.signer.as_ref().is_some_and(|s| s != *origin));
        if let Some(name) = other.map(|(name, _)| name.clone()) {
            self.say(Verdict::Indeterminate, Some(&name), &CONTRADICTS);
        }
        self.unread_documents(&mut archive, &there, &manifest)?;
        self.missing(&manifest);
        Ok(())
    }

    fn signature(&mut self, manifest: &[u8], note: &str) -> Outcome<()> {
        match manifest::signed_by(manifest, note, self.trust.logs)? {
            Signed::By => {
                self.report.manifest = Verdict::Valid;
                let by = |key: &&VerifierKey| {
                    matches!(manifest::signed_by(manifest, note, std::slice::from_ref(*key)), Ok(Signed::By))
                };
                self.signer = self.trust.logs.iter().find(by).map(|key| key.name().to_owned());
            }
            Signed::Bad => {
                self.report.manifest = Verdict::Invalid;
                self.found(
                    Verdict::Invalid,
                    Some(NOTE),
                    &Fault::new(&manifest::OTHER_MANIFEST).detail("bad signature"),
                );
            }
            Signed::UnknownKey => self.say(Verdict::Indeterminate, Some(NOTE), &STATION_UNKNOWN),
        }
        Ok(())
    }

    /// Names stand once, and what the runs refer to is listed as what it is.
    fn consistent(&mut self, manifest: &Manifest) {
        let mut names = BTreeSet::new();
        let twice = manifest.entries.iter().find(|e| !names.insert(e.name.as_str()));
        let is = |name: &str, what: What| manifest.entry(name).is_some_and(|e| e.what == what);
        let refers = |run: &Run| {
            let journal = run.chain.journal.iter().all(|n| is(n, What::Journal));
            let originals = run.originals.iter().all(|n| is(n, What::Originals));
            let identity = run.identity.iter().all(|n| is(n, What::Identity));
            let documents = run.documents.iter().all(|d| {
                let same = manifest.entry(&d.entry).is_some_and(|e| {
                    e.what == What::Document && e.sha256 == d.digests.sha256 && e.size == d.digests.size
                });
                same && d.log_receipt.iter().all(|n| is(n, What::LogReceipt))
            });
            let deliveries = run.deliveries.iter().all(|d| {
                let what = if d.by == PORTAL { What::PortalAnswers } else { What::PushReceipt };
                d.receipt.iter().all(|n| is(n, what))
            });
            journal && originals && identity && documents && deliveries
        };
        if twice.is_some() || !manifest.runs.iter().all(refers) {
            self.say(Verdict::Invalid, Some(MANIFEST), &CONTRADICTS);
        }
    }

    fn is_listed(&mut self, bytes: &[u8], listed: &manifest::Entry) -> bool {
        let same = bytes.len() as u64 == listed.size && Sha256::of(bytes) == listed.sha256;
        if !same {
            self.say(Verdict::Invalid, Some(&listed.name), &ALTERED);
        }
        same
    }

    fn journal(&mut self, chain: &Chain, small: &Small<'_>) -> Option<Vec<Line>> {
        let name = chain.journal.as_deref()?;
        match chain.check(small.get(name)?) {
            Ok(lines) => {
                self.report.journal_entries += lines.len() as u64;
                Some(lines)
            }
            Err(fault) => {
                self.found(Verdict::Invalid, Some(name), &fault);
                None
            }
        }
    }

    /// Documents that no run refers to are held against the manifest all the same.
    fn unread_documents<R: Read + Seek>(
        &mut self,
        archive: &mut Archive<R>,
        there: &BTreeMap<String, archive::Entry>,
        manifest: &Manifest,
    ) -> Outcome<()> {
        let referred: BTreeSet<&str> =
            manifest.runs.iter().flat_map(|r| &r.documents).map(|d| d.entry.as_str()).collect();
        for listed in manifest.entries.iter().filter(|e| e.what == What::Document) {
            if let Some(entry) = there.get(&listed.name).filter(|_| !referred.contains(listed.name.as_str()))
            {
                let bytes = archive.read(entry, archive::MAX_ENTRY)?;
                self.is_listed(&bytes, listed);
                self.say(Verdict::Invalid, Some(&listed.name), &CONTRADICTS);
            }
        }
        Ok(())
    }

    /// What the station itself says is not there.
    fn missing(&mut self, manifest: &Manifest) {
        for missing in &manifest.missing {
            if missing.due {
                let about = format!("{} {}", missing.what, missing.run.short());
                self.report.reasons.push(Finding {
                    weight: Verdict::Indeterminate,
                    about: Some(about),
                    code: INCOMPLETE.id.into(),
                    vi: missing.vi.clone(),
                    en: missing.en.clone(),
                });
            } else {
                self.not_checked(&missing.vi, &missing.en);
            }
        }
    }

    fn not_checked(&mut self, vi: &str, en: &str) {
        self.report.not_checked.insert(format!("{vi} / {en}"));
    }

    fn say(&mut self, weight: Verdict, about: Option<&str>, code: &'static Code) {
        self.found(weight, about, &Fault::new(code));
    }

    fn found(&mut self, weight: Verdict, about: Option<&str>, fault: &Fault) {
        let en = match &fault.detail {
            Some(detail) => format!("{} ({detail})", fault.code.en),
            None => fault.code.en.to_owned(),
        };
        self.report.reasons.push(Finding {
            weight,
            about: about.map(str::to_owned),
            code: fault.code.id.into(),
            vi: fault.code.vi.into(),
            en,
        });
    }
}

fn limit(what: What) -> u64 {
    match what {
        What::LogReceipt => crate::log::receipt::MAX_RECEIPT as u64,
        What::PushReceipt | What::PortalAnswers => 4 << 20,
        What::Journal => journal::MAX_EXTRACT,
        What::Document => archive::MAX_ENTRY,
        _ => 16 << 20,
    }
}

const PORTAL: &str = "portal";
const DONE: &str = "done";

/// A code about the bundle, with one remedy.
const fn spoilt(id: &'static str, vi: &'static str, en: &'static str) -> Code {
    Code {
        id,
        class: Class::Input,
        vi,
        en,
        remedy_vi: "Không dùng gói này làm căn cứ; xin lại gói từ cơ quan đã lập",
        remedy_en: "do not rely on this bundle; ask whoever made it for it again",
    }
}

/// An entry that is not what the manifest says.
pub const ALTERED: Code = spoilt(
    "EVID-021",
    "Mục trong gói đã bị sửa so với bản kê",
    "the entry is not the one that the manifest lists",
);
/// An entry that is gone.
pub const TAKEN_OUT: Code =
    spoilt("EVID-022", "Mục này không còn trong gói", "this entry is gone from the bundle");
/// An entry that nobody listed.
pub const ADDED: Code = spoilt(
    "EVID-023",
    "Mục này được thêm vào gói, bản kê không có",
    "this entry was put into the bundle; the manifest does not list it",
);
/// Two things in the bundle that contradict one another.
pub const CONTRADICTS: Code = spoilt(
    "EVID-025",
    "Mục này mâu thuẫn với phần khác của gói",
    "this contradicts something else in the bundle",
);
/// A receipt that does not hold.
pub const RECEIPT_REFUTED: Code = spoilt("EVID-026", "Biên nhận không đúng", "the receipt does not hold");

/// A code for what could not be checked.
const fn open(id: &'static str, vi: &'static str, en: &'static str) -> Code {
    Code {
        id,
        class: Class::Setup,
        vi,
        en,
        remedy_vi: "Chỉ tới khóa lấy từ nguồn tin cậy: --trust, --log-key, --receipt-key hoặc --station",
        remedy_en: "point to keys from a source that you trust: --trust, --log-key, --receipt-key or --station",
    }
}

/// Nobody trusted signed the manifest.
pub const STATION_UNKNOWN: Code =
    open("EVID-027", "Không có khóa tin cậy nào ký bản kê", "no trusted key signed the manifest");
/// A receipt that could not be checked.
pub const RECEIPT_OPEN: Code = open(
    "EVID-028",
    "Chưa kiểm tra được biên nhận: không có khóa tin cậy của nơi ký",
    "the receipt could not be checked: no trusted key of whoever signed it was given",
);
/// The verdict on a card that cannot be followed.
pub const CARD_OPEN: Code = open(
    "EVID-024",
    "Cơ quan cấp thẻ không nằm trong các chứng thư gốc được tin cậy đã cho",
    "the card's issuer does not lead to one of the roots for cards that were given",
);
/// The station says that something is missing.
pub const INCOMPLETE: Code = open("EVID-029", "Chứng cứ chưa đủ", "the evidence is not complete");
/// Every code of judging.
pub const CODES: &[&Code] = &[
    &ALTERED,
    &TAKEN_OUT,
    &ADDED,
    &CARD_OPEN,
    &CONTRADICTS,
    &RECEIPT_REFUTED,
    &STATION_UNKNOWN,
    &RECEIPT_OPEN,
    &INCOMPLETE,
];
