//! Judges a bundle with the network off.
//!
//! | verdict | when |
//! |---|---|
//! | valid | everything that the manifest lists is there and is what it was, everything was checked against keys and roots from outside, all of it holds and speaks of the same documents, and nothing that ought to be there is missing |
//! | indeterminate | nothing is disproved, and something is missing or could not be checked; each is named |
//! | invalid | something is disproved: changed, added, forged, or contradicting something else in the bundle |
//!
//! `claims/` is never trusted: its keys and certificates are held against the manifest's digests and against nothing else.

use super::archive::{self, Archive};
use super::card::{Again, Told};
use super::journal::{self, Line};
use super::manifest::{
    self, Chain, Delivery, Document, MANIFEST, MAX_MANIFEST, Manifest, NOTE, Named, Run, SUMS, What, sums,
};
use crate::chip;
use crate::deliver::portal::SyncReceipt;
use crate::deliver::receipt::{self, open_receipt};
use crate::deliver::wire_key::VerifyingKey;
use crate::digest::{Blake3, Digests, Sha256};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::VerifierKey;
use crate::log::check::{Later, Policy, judge};
use crate::log::note::Signed;
use crate::log::outcome::Class as Acted;
use crate::log::receipt::ReceiptOutcome;
use crate::seal::verify::report::Reason;
use crate::seal::verify::{self, Question, Verdict};
use openssl::x509::X509;
use serde::Serialize;
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

/// A judged bundle, as `hoso verify --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The conclusion.
    pub verdict: Verdict,
    /// `evidence`.
    pub kind: &'static str,
    /// Which dossier, as the manifest says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dossier: Option<Named>,
    /// The office that made the bundle, as the manifest says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    /// The state it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// What the signature over the manifest is worth.
    pub manifest: Verdict,
    /// Every document.
    pub documents: Vec<Judged>,
    /// Every delivery.
    pub deliveries: Vec<JudgedDelivery>,
    /// How many entries of the journal were checked.
    pub journal_entries: u64,
    /// Why, the weightiest first.
    pub reasons: Vec<Finding>,
    /// What nobody checked, and does not weigh.
    pub not_checked: BTreeSet<String>,
}

/// A document of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// Its entry.
    pub entry: String,
    /// Its digest.
    pub sha256: Sha256,
    /// What its signatures are worth; absent where it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seal: Option<verify::Report>,
    /// What its receipt of the log is worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Verdict>,
    /// The same in detail: valid, or one of the ways in which a receipt is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_outcome: Option<ReceiptOutcome>,
    /// When the log's office says that it was issued, where the receipt holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logged: Option<String>,
}

/// A delivery of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JudgedDelivery {
    /// Name of the recipient at the station.
    pub recipient: String,
    /// The delivery.
    pub id: Sha256,
    /// `push` or `portal`.
    pub by: String,
    /// What its receipt is worth; absent where nothing can be concluded from it: a portal signs nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Verdict>,
    /// When the receiver had it, as it signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<String>,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What it weighs.
    pub weight: Verdict,
    /// The entry, run or delivery that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Stable.
    pub code: String,
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
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

impl Report {
    fn new() -> Self {
        Report {
            verdict: Verdict::Valid,
            kind: "evidence",
            dossier: None,
            office: None,
            as_of: None,
            manifest: Verdict::Indeterminate,
            documents: Vec::new(),
            deliveries: Vec::new(),
            journal_entries: 0,
            reasons: Vec::new(),
            not_checked: BTreeSet::new(),
        }
    }

    fn conclude(mut self) -> Self {
        self.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.weight));
        self.reasons.truncate(MAX_REASONS);
        self.verdict = self.reasons.first().map_or(Verdict::Valid, |f| f.weight).max(self.manifest);
        self
    }
}

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
        let mut small = BTreeMap::new();
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

    fn journal(&mut self, chain: &Chain, small: &BTreeMap<&str, Vec<u8>>) -> Option<Vec<Line>> {
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

    fn document(&mut self, document: &Document, bytes: Option<&[u8]>, small: &BTreeMap<&str, Vec<u8>>) {
        let mut judged = Judged {
            entry: document.entry.clone(),
            sha256: document.digests.sha256,
            seal: None,
            log: None,
            log_outcome: None,
            logged: None,
        };
        if document.log_receipt.is_none() {
            self.say(Verdict::Indeterminate, Some(&document.entry), &INCOMPLETE);
        }
        if let Some(bytes) = bytes {
            if Digests::of(bytes) != document.digests {
                self.say(Verdict::Invalid, Some(&document.entry), &CONTRADICTS);
            }
            let record = verify::verify(bytes, &self.trust.seals);
            let report = verify::Report::of(&record, self.trust.seals.anchors.policy());
            for gap in record.signatures.iter().flat_map(|s| &s.not_checked) {
                self.not_checked(&gap.vi, &gap.en);
            }
            let weighty = report.reasons.first().filter(|_| report.verdict != Verdict::Valid);
            if let Some(Reason { code, vi, en }) = weighty {
                self.report.reasons.push(Finding {
                    weight: report.verdict,
                    about: Some(document.entry.clone()),
                    code: code.clone(),
                    vi: vi.clone(),
                    en: en.clone(),
                });
            } else if report.verdict != Verdict::Valid {
                self.say(report.verdict, Some(&document.entry), &verify::NO_SIGNATURE);
            }
            judged.seal = Some(report);
        }
        let receipt = document.log_receipt.as_deref().and_then(|n| Some((n, small.get(n)?)));
        if let Some((name, text)) = receipt {
            // The authorities that stamped the log's heads lead to the same roots as those of signatures.
            let authorities = self.trust.seals.anchors.certificates();
            let policy =
                Policy { authorities: &authorities, known: &self.known, ..Policy::of(self.trust.logs) };
            let text = String::from_utf8_lossy(text);
            let verdict = judge(&text, &document.digests, &policy, &Later::default());
            self.report.not_checked.extend(verdict.not_checked.iter().map(ToString::to_string));
            let weight = log_weight(verdict.outcome);
            if weight != Verdict::Valid {
                let code = if weight == Verdict::Invalid { &RECEIPT_REFUTED } else { &RECEIPT_OPEN };
                self.report.reasons.push(Finding {
                    weight,
                    about: Some(name.to_owned()),
                    code: code.id.into(),
                    vi: verdict.vi.into(),
                    en: verdict.en.into(),
                });
            } else {
                judged.logged = verdict.statement.map(|s| s.issued_at);
                self.logs.extend(verdict.origin.map(|origin| (name.to_owned(), origin)));
            }
            judged.log = Some(weight);
            judged.log_outcome = Some(verdict.outcome);
        }
        self.report.documents.push(judged);
    }

    fn delivery(
        &mut self,
        manifest: &Manifest,
        run: &Run,
        delivery: &Delivery,
        lines: Option<&[Line]>,
        small: &BTreeMap<&str, Vec<u8>>,
    ) {
        let mut judged = JudgedDelivery {
            recipient: delivery.recipient.clone(),
            id: delivery.id,
            by: delivery.by.clone(),
            receipt: None,
            received_at: None,
        };
        let kept_back = |m: &manifest::Missing| m.of == Some(delivery.id) && !m.due && delivery.by == PORTAL;
        if delivery.receipt.is_none() && !manifest.missing.iter().any(kept_back) {
            self.say(Verdict::Indeterminate, Some(&format!("delivery {}", delivery.recipient)), &INCOMPLETE);
        }
        let receipt = delivery.receipt.as_deref().and_then(|n| Some((n, small.get(n)?)));
        if let Some((name, bytes)) = receipt {
            if let Some(lines) = lines
                && delivery.journaled != journal::receipted(lines, &delivery.id.0, &Blake3::of(bytes))
            {
                self.say(Verdict::Invalid, Some(name), &CONTRADICTS);
            }
            if delivery.by == PORTAL {
                self.portal(manifest, run, name, bytes);
            } else {
                judged.receipt = Some(self.push(run, delivery, name, bytes, &mut judged.received_at));
            }
        }
        self.report.deliveries.push(judged);
    }

    /// What the journal says was receipted, and the manifest does not know.
    fn unlisted(&mut self, run: &Run, lines: &[Line]) {
        for line in lines.iter().filter(|line| line.kind == "receipted") {
            if !run.deliveries.iter().any(|delivery| delivery.id.0 == line.input.0) {
                self.say(Verdict::Invalid, Some(&format!("delivery {}", line.input.short())), &CONTRADICTS);
            }
        }
    }

    /// The verdict on a card, followed as far as it can be without what was on it.
    fn card(&mut self, run: &Run, small: &BTreeMap<&str, Vec<u8>>) {
        let Some((name, bytes)) = run.identity.as_deref().and_then(|n| Some((n, small.get(n)?))) else {
            return;
        };
        let sod = |name: &str| small.get(name).map(Vec::as_slice);
        let again = Told::parse(bytes).map_or(Again::Differs, |told| told.again(sod, self.trust.cards));
        match again {
            Again::Same => {}
            Again::Differs => self.say(Verdict::Invalid, Some(name), &CONTRADICTS),
            Again::Untrusted => self.say(Verdict::Indeterminate, Some(name), &CARD_OPEN),
            Again::NoAnchors => self.not_checked(
                "cơ quan cấp thẻ có đáng tin không (không có chứng thư gốc của thẻ, csca/)",
                "whether the card's issuer is to be trusted (no roots for cards were given, csca/)",
            ),
            Again::Nothing => self.not_checked(
                "kết luận về thẻ: không có EF.SOD để kiểm lại",
                "the verdict on the card: there is no EF.SOD to judge it again by",
            ),
        }
        self.not_checked(
            "nội dung chip có đúng người đó không: dữ liệu đã được xóa, chỉ còn giá trị băm",
            "what the chip says of its holder: it is gone, its hashes are here",
        );
    }

    fn portal(&mut self, manifest: &Manifest, run: &Run, name: &str, bytes: &[u8]) {
        let Ok(receipt) = serde_json::from_slice::<SyncReceipt>(bytes) else {
            return self.say(Verdict::Invalid, Some(name), &RECEIPT_REFUTED);
        };
        let other = matches!(&manifest.dossier, Named::Code(code) if *code != receipt.dossier);
        let hashed = matches!(&manifest.dossier, Named::CodeSha256(code) if *code != Sha256::of(receipt.dossier.as_bytes()));
        if other || hashed {
            self.say(Verdict::Invalid, Some(name), &CONTRADICTS);
        }
        // The delivery's name follows from status and documents: where it does, the answers are about these very documents.
        let documents: String = run.documents.iter().map(|d| d.digests.sha256.to_string()).collect();
        let content = Sha256::of(format!("{}{documents}", receipt.status).as_bytes());
        let follows = run.deliveries.iter().filter(|d| d.receipt.as_deref() == Some(name)).any(|d| {
            crate::deliver::outbox::delivery_id(&d.recipient, &receipt.dossier, &content, 1) == d.id
        });
        if !follows {
            self.not_checked(
                "trả lời của cổng có phải về đúng các tài liệu này",
                "whether the portal's answers are about these very documents",
            );
        }
        self.not_checked(
            "trả lời của cổng: không có chữ ký, chỉ lưu lại",
            "the portal's answers: they are unsigned and only kept",
        );
    }

    fn push(
        &mut self,
        run: &Run,
        delivery: &Delivery,
        name: &str,
        bytes: &[u8],
        received_at: &mut Option<String>,
    ) -> Verdict {
        let receipt = match open_receipt(bytes, self.trust.receivers) {
            Ok(receipt) => receipt,
            Err(fault) if *fault.code == receipt::UNKNOWN_KEY => {
                self.say(Verdict::Indeterminate, Some(name), &RECEIPT_OPEN);
                return Verdict::Indeterminate;
            }
            Err(_) => {
                self.say(Verdict::Invalid, Some(name), &RECEIPT_REFUTED);
                return Verdict::Invalid;
            }
        };
        let document = run.documents.iter().find(|d| Some(d.digests.sha256) == delivery.document);
        let Some(document) = document else {
            self.say(Verdict::Indeterminate, Some(name), &CONTRADICTS);
            return Verdict::Indeterminate;
        };
        let plain = receipt.sha256 == document.digests.sha256 && receipt.size == document.digests.size;
        let inside = document_inside(bytes) == Some(document.digests.sha256);
        if inside && !plain {
            self.not_checked(
                "bản gửi được mã hóa: nơi nhận ký trên bản mã và nhắc lại giá trị băm của tài liệu",
                "it was sent encrypted: the receiver signed for what came and repeats the document's digest as told",
            );
        }
        let about = plain || inside;
        if receipt.delivery_id != delivery.id || !about {
            self.say(Verdict::Invalid, Some(name), &CONTRADICTS);
            return Verdict::Invalid;
        }
        *received_at = Some(receipt.received_at.to_string());
        Verdict::Valid
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

/// The digest of the document inside, where what was sent is encrypted. Only of receipts whose signature holds.
fn document_inside(receipt: &[u8]) -> Option<Sha256> {
    use base64::Engine as _;
    #[derive(serde::Deserialize)]
    struct Envelope {
        payload: String,
    }
    #[derive(serde::Deserialize)]
    struct Payload {
        document_sha256: Option<Sha256>,
    }
    let envelope: Envelope = serde_json::from_slice(receipt).ok()?;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(envelope.payload).ok()?;
    serde_json::from_slice::<Payload>(&payload).ok()?.document_sha256
}

/// What an outcome of a log receipt weighs. A paper that was replaced is what it was, and somebody has to look at the newer
/// one; one that was revoked is not to be relied upon.
fn log_weight(outcome: ReceiptOutcome) -> Verdict {
    match outcome.class() {
        Acted::Valid => Verdict::Valid,
        Acted::NotYetAnchored | Acted::UnknownLog | Acted::Superseded => Verdict::Indeterminate,
        Acted::Revoked | Acted::Altered | Acted::BrokenConsistency => Verdict::Invalid,
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
const MAX_REASONS: usize = 256;

/// A code of this file: about the bundle, with one remedy.
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
/// Every code of this file.
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
