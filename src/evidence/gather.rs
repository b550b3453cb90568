//! Puts a bundle together from ledger and blobs.

use super::archive::Writer;
use super::identity;
use super::journal;
use super::manifest::{
    Chain, Delivery, Document, Entry, KIND, MANIFEST, Manifest, Missing, NOTE, Named, README, Run, SUMS,
    Scope, What, Why, sign, sums,
};
use crate::blobs::Blobs;
use crate::clock::vietnam_time;
use crate::deliver::outbox::delivery_id;
use crate::deliver::portal::SyncReceipt;
use crate::digest::{Blake3, Digests, Sha256};
use crate::dossier::{Applicant, Dossier, is_plain_code};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::{ParcelView, RunExtract, SqliteLedger, State};
use crate::log::Signer;
use crate::station::Station;
use crate::station::config::{RecipientConfig, ShownCode};
use crate::steps::desk::BAD_LOG_KEY;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use unicode_normalization::UnicodeNormalization as _;

/// A bundle before it is written: small entries in memory, documents among the blobs.
#[derive(Debug)]
pub struct Bundle {
    /// What it says of itself.
    pub manifest: Manifest,
    entries: BTreeMap<String, Source>,
}

/// Where an entry's bytes are.
#[derive(Debug)]
enum Source {
    Bytes(Vec<u8>),
    Blob(Digests),
}

impl Source {
    fn digest(&self) -> (u64, Sha256) {
        match self {
            Source::Bytes(bytes) => (bytes.len() as u64, Sha256::of(bytes)),
            Source::Blob(digests) => (digests.size, digests.sha256),
        }
    }
}

/// Gathers what the station has of a dossier: its code, its label, or the beginning of a run's identity.
///
/// # Errors
/// [`NO_DOSSIER`]; `STEP-030`, `STAT-004` without the log's key; `LEDG-003` where the journal does not hold;
/// `BLOB-002` where a blob is lost.
pub async fn gather(
    station: &Station,
    ledger: &SqliteLedger,
    blobs: &Blobs,
    dossier: &str,
    scope: Scope,
) -> Outcome<Bundle> {
    let log = &station.config.log;
    let signer = Signer::from_pem(&log.origin, &log.key.bytes(&station.root)?)
        .map_err(|_| Fault::new(&BAD_LOG_KEY))?;
    let (runs, batches) = ledger.dossier(dossier.to_owned()).await?;
    let mut work = Work { station, blobs, scope, entries: BTreeMap::new(), missing: Vec::new(), as_of: 0 };
    let mut told = Vec::new();
    let mut code = None;
    for (run, number) in runs.iter().filter(|run| run.view.state != State::Split || runs.len() == 1).zip(1..)
    {
        let record: Dossier = serde_json::from_slice(&run.view.record)
            .map_err(|_| Fault::new(&crate::work::RECORD_UNREADABLE))?;
        // One name, one dossier: batches and folders without a code may be called alike.
        if number > 1 && (record.code.is_none() || record.code != code) {
            let several = "several dossiers go by that name: give the code, or the first digits of a run";
            return Err(Fault::new(&NO_DOSSIER).detail(several));
        }
        code = code.or_else(|| record.code.clone());
        if scope == Scope::Whole || record.slip.is_some() {
            told.push(work.run(run, &record, number)?);
        }
    }
    if runs.is_empty() {
        return Err(Fault::new(&NO_DOSSIER));
    }
    let nothing = || Fault::new(&NO_DOSSIER).detail("no result for its recipient yet");
    let first = told.first().ok_or_else(nothing)?;
    let named = match (code, station.config.evidence.code) {
        (None, _) => Named::Run(first.chain.run),
        (Some(code), ShownCode::Plain) => Named::Code(code),
        (Some(code), ShownCode::Hashed) => Named::CodeSha256(Sha256::of(code.as_bytes())),
    };
    let batches = match scope {
        Scope::Whole => {
            batches.iter().map(|b| work.chain(b, &format!("batch-{}.jsonl", b.view.id.short()))).collect()
        }
        Scope::Recipient => Ok(Vec::new()),
    };
    let batches: Vec<Chain> = batches?;
    work.claims(&signer, &told)?;
    work.put(README, Source::Bytes(include_bytes!("readme.txt").to_vec()));
    work.close(&signer, named, told, batches)
}

impl Bundle {
    /// Writes it, one entry in memory at a time.
    ///
    /// # Errors
    /// `BLOB-002`; those of [`Writer::add`].
    pub fn write<W: Write>(&self, blobs: &Blobs, sink: W) -> Outcome<W> {
        let mut writer = Writer::new(sink);
        for (name, source) in &self.entries {
            match source {
                Source::Bytes(bytes) => writer.add(name, bytes)?,
                Source::Blob(digests) => writer.add(name, &blobs.get(&digests.blake3)?)?,
            }
        }
        writer.finish()
    }
}

struct Work<'a> {
    station: &'a Station,
    blobs: &'a Blobs,
    scope: Scope,
    entries: BTreeMap<String, Source>,
    missing: Vec<Missing>,
    as_of: i64,
}

impl Work<'_> {
    fn put(&mut self, name: &str, source: Source) -> String {
        self.entries.insert(name.to_owned(), source);
        name.to_owned()
    }

    fn miss(&mut self, what: &str, run: Blake3, of: Option<Sha256>, due: bool, (vi, en): (&str, &str)) {
        let missing = Missing { what: what.into(), run, of, due, vi: vi.into(), en: en.into() };
        self.missing.push(missing);
    }

    fn run(&mut self, extract: &RunExtract, record: &Dossier, number: u32) -> Outcome<Run> {
        let view = &extract.view;
        let folder = format!("{number:02}-{}", view.id.short());
        let whole = self.scope == Scope::Whole;
        let chain = self.chain(extract, &format!("{folder}/journal.jsonl"))?;
        let done = view.state == State::Done;
        if !done {
            let vi = format!("hồ sơ chưa xong: {} ({}/{} bước)", view.state.vi(), view.cursor, view.steps);
            let en = format!(
                "the dossier is not finished: {} ({}/{} steps)",
                view.state.as_str(),
                view.cursor,
                view.steps
            );
            self.miss("run", view.id, None, true, (&vi, &en));
        }
        let (mut originals, mut identity) = (None, None);
        if whole {
            originals = Some(self.originals(&folder, record));
            self.miss("originals", view.id, None, false, ORIGINALS_STAY);
            identity = self.identity(&folder, view.id, record, done)?;
        } else {
            self.miss("station", view.id, None, false, FOR_THE_RECIPIENT);
        }
        let documents = self.documents(&folder, view.id, record, done)?;
        let deliveries = view.parcels.iter().map(|p| self.delivery(&folder, extract, record, p));
        let deliveries: Vec<Option<Delivery>> = deliveries.collect::<Outcome<_>>()?;
        Ok(Run {
            chain,
            of: if record.slip.is_some() { "result" } else { "intake" }.into(),
            pipeline: view.pipeline.clone(),
            state: view.state.as_str().into(),
            cursor: view.cursor,
            steps: view.steps,
            reason: view.reason.as_ref().map(Why::from),
            record: Blake3::of(&view.record),
            parent: view.parent,
            originals,
            identity,
            documents,
            deliveries: deliveries.into_iter().flatten().collect(),
        })
    }

    fn chain(&mut self, extract: &RunExtract, name: &str) -> Outcome<Chain> {
        let lines = &extract.journal;
        let text = journal::write(lines);
        let run = extract.view.id;
        let broken = || Fault::new(&crate::ledger::JOURNAL_BROKEN).at(format!("run {}", run.short()));
        journal::parse(&text, &run).map_err(|_| broken())?;
        if journal::record(lines) != Some(Blake3::of(&extract.view.record)) {
            return Err(broken());
        }
        let last = lines.last().ok_or_else(broken)?;
        self.as_of = self.as_of.max(last.at);
        let chain = Chain {
            run,
            journal: (self.scope == Scope::Whole).then(|| name.to_owned()),
            journal_end: last.digest,
            journal_entries: u32::try_from(lines.len()).unwrap_or(u32::MAX),
        };
        if chain.journal.is_some() {
            self.put(name, Source::Bytes(text));
        }
        Ok(chain)
    }

    fn originals(&mut self, folder: &str, record: &Dossier) -> String {
        let shown = |name: &str| (!tells_a_person(name, record)).then(|| name.to_owned());
        let scans = record.files.iter().map(|f| {
            serde_json::json!({
                "of": "scan", "name": shown(&f.name), "size": f.digests.size,
                "sha256": f.digests.sha256, "blake3": f.digests.blake3,
            })
        });
        let readings = record.readings.iter().map(|r| {
            serde_json::json!({
                "of": "chip-reading", "name": shown(&r.name), "size": r.digests.size,
                "sha256": r.digests.sha256, "blake3": r.digests.blake3,
            })
        });
        let list: Vec<serde_json::Value> = scans.chain(readings).collect();
        self.json(&format!("{folder}/originals.json"), &list)
    }

    fn json(&mut self, name: &str, value: &impl serde::Serialize) -> String {
        let mut bytes = serde_json::to_vec_pretty(value).unwrap_or_default();
        bytes.push(b'\n');
        self.put(name, Source::Bytes(bytes))
    }

    fn identity(
        &mut self,
        folder: &str,
        run: Blake3,
        record: &Dossier,
        done: bool,
    ) -> Outcome<Option<String>> {
        let mut sods = BTreeMap::new();
        for (at, reading) in record.readings.iter().enumerate() {
            if let Some(sod) = reading.evidence.as_ref().and_then(|e| e.sod) {
                let number = if at == 0 { String::new() } else { format!("-{}", at + 1) };
                let name =
                    self.put(&format!("{folder}/identity{number}.sod"), Source::Bytes(self.blobs.get(&sod)?));
                sods.insert(at, name);
            }
        }
        match identity::of(record, |at| sods.get(&at).cloned()) {
            Some(identity) => {
                let name = self.json(&format!("{folder}/identity.json"), &identity);
                self.miss("chip-reading", run, None, false, READING_GONE);
                Ok(Some(name))
            }
            None => {
                let due = !record.readings.is_empty() && !done;
                self.miss("identity", run, None, due, if due { NOT_JUDGED } else { NO_READING });
                Ok(None)
            }
        }
    }

    fn documents(
        &mut self,
        folder: &str,
        run: Blake3,
        record: &Dossier,
        done: bool,
    ) -> Outcome<Vec<Document>> {
        let kind = if record.slip.is_some() { "ket-qua" } else { "giay-to" };
        let mut documents = Vec::new();
        for (index, paper, digests) in record.outgoing() {
            let stem = format!("{folder}/{kind}-{:02}-{}", index + 1, &digests.sha256.to_string()[..8]);
            let entry = self.put(&format!("{stem}.pdf"), Source::Blob(*digests));
            let receipt = paper.receipt.map(|receipt| self.blobs.get(&receipt)).transpose()?;
            let log_receipt =
                receipt.map(|text| self.put(&format!("{stem}.tlog-proof"), Source::Bytes(text)));
            if paper.sealed.is_none() {
                self.miss("seal", run, Some(digests.sha256), !done, NOT_SEALED);
            } else if paper.sealed.as_ref().is_some_and(|s| s.awaits_stamp) {
                self.miss("time-stamp", run, Some(digests.sha256), true, NOT_STAMPED);
            }
            if log_receipt.is_none() {
                self.miss("log-receipt", run, Some(digests.sha256), true, NOT_LOGGED);
            }
            documents.push(Document {
                entry,
                digests: *digests,
                sealed: paper.sealed.is_some(),
                log_receipt,
            });
        }
        if documents.is_empty() {
            self.miss("documents", run, None, true, NO_DOCUMENT);
        }
        Ok(documents)
    }

    fn delivery(
        &mut self,
        folder: &str,
        run: &RunExtract,
        record: &Dossier,
        parcel: &ParcelView,
    ) -> Outcome<Option<Delivery>> {
        // It stands in the parcel's row; those of older versions lie among the blobs.
        let kept = |blob| match &parcel.proof {
            Some(proof) => Ok((blob, proof.clone())),
            None => self.blobs.get(&blob).map(|bytes| (blob, bytes)),
        };
        let receipt = parcel.receipt.map(kept).transpose()?;
        let document = pushed(record, parcel);
        let portal = match (&receipt, self.station.config.recipients.get(&parcel.recipient)) {
            (Some((_, bytes)), _) => serde_json::from_slice::<SyncReceipt>(bytes).is_ok(),
            (None, Some(RecipientConfig::Dvcqg { .. })) => true,
            (None, _) => document.is_none(),
        };
        if portal && self.scope == Scope::Recipient {
            return Ok(None);
        }
        let shown = !portal || self.station.config.evidence.code == ShownCode::Plain;
        let (run_id, id) = (run.view.id, parcel.id);
        let name = format!(
            "{folder}/{}-{}.receipt",
            if portal { "portal" } else { "wallet" },
            &id.to_string()[..12]
        );
        let mut delivery = Delivery {
            id,
            recipient: parcel.recipient.clone(),
            by: if portal { "portal" } else { "push" }.into(),
            state: parcel.state.clone(),
            document,
            receipt: None,
            journaled: false,
            reason: parcel.reason.as_ref().filter(|_| parcel.state != "receipted").map(Why::from),
        };
        match receipt {
            Some((blob, bytes)) if shown => {
                let lines = &run.journal;
                delivery.journaled = journal::receipted(lines, &id.0, &blob);
                delivery.receipt = Some(self.put(&name, Source::Bytes(bytes)));
            }
            Some(_) => self.miss("delivery-receipt", run_id, Some(id), false, CODE_HIDDEN),
            None => {
                let vi = format!("chưa có biên nhận của {}: {}", parcel.recipient, parcel.state);
                let en = format!("no receipt of {} yet: {}", parcel.recipient, parcel.state);
                self.miss("delivery-receipt", run_id, Some(id), true, (&vi, &en));
            }
        }
        Ok(Some(delivery))
    }

    /// Keys and certificates that a reader compares with those that came from elsewhere.
    fn claims(&mut self, signer: &Signer, runs: &[Run]) -> Outcome<()> {
        self.put("claims/log.keys", Source::Bytes(format!("{}\n", signer.verifier()).into_bytes()));
        for delivery in runs.iter().flat_map(|run| &run.deliveries) {
            let config = self.station.config.recipients.get(&delivery.recipient);
            if let Some(RecipientConfig::Push { receipt_key, .. }) = config {
                self.claim("receipts", &delivery.recipient, &self.station.path(receipt_key))?;
            }
        }
        let mut folders = vec![
            ("signing", self.station.path("anchors/signing")),
            // Long receipts leave these out.
            ("authorities", self.station.path("var/log/authorities")),
        ];
        if runs.iter().any(|run| run.identity.is_some()) {
            folders.push(("csca", self.station.path("anchors/csca")));
        }
        for (claim, folder) in folders {
            let mut files: Vec<_> =
                fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
            files.sort();
            for file in files.iter().filter(|f| f.is_file()) {
                let stem = file.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
                self.claim(claim, stem, file)?;
            }
        }
        Ok(())
    }

    fn claim(&mut self, folder: &str, stem: &str, file: &std::path::Path) -> Outcome<()> {
        let kind = file.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if !["pem", "crt", "cer", "crl", "ocsp", "ors"].contains(&kind) {
            return Ok(());
        }
        let unreadable =
            |e: std::io::Error| Fault::new(&crate::seal::verify::anchors::ANCHORS).detail(e.kind());
        if fs::metadata(file).map_err(unreadable)?.len() > MAX_CLAIM {
            return Ok(());
        }
        let bytes = fs::read(file).map_err(|e| unreadable(e).at(file.display()))?;
        // A private key that somebody laid among the anchors stays where it is.
        if bytes.windows(11).any(|w| w == b"PRIVATE KEY") {
            return Ok(());
        }
        let stem = if is_plain_code(stem) { stem.to_owned() } else { Blake3::of(stem.as_bytes()).short() };
        self.put(&format!("claims/{folder}/{stem}.{kind}"), Source::Bytes(bytes));
        Ok(())
    }

    fn close(
        mut self,
        signer: &Signer,
        dossier: Named,
        runs: Vec<Run>,
        batches: Vec<Chain>,
    ) -> Outcome<Bundle> {
        let sums = sums(self.entries.iter().map(|(name, source)| (name.as_str(), source.digest().1)));
        self.put(SUMS, Source::Bytes(sums.into_bytes()));
        let entries = self.entries.iter().map(|(name, source)| {
            let (size, sha256) = source.digest();
            let what = what(name);
            let (vi, en) = what.proves();
            Entry { name: name.clone(), size, sha256, what, proves_vi: vi.into(), proves_en: en.into() }
        });
        let manifest = Manifest {
            version: 1,
            kind: KIND.into(),
            scope: self.scope,
            dossier,
            office: self.station.config.office.clone(),
            training: self.station.config.training,
            as_of: vietnam_time(self.as_of),
            runs,
            batches,
            entries: entries.collect(),
            missing: std::mem::take(&mut self.missing),
        };
        let bytes = manifest.to_bytes();
        let note = sign(&bytes, signer)?;
        self.put(NOTE, Source::Bytes(note.into_bytes()));
        self.put(MANIFEST, Source::Bytes(bytes));
        Ok(Bundle { manifest, entries: self.entries })
    }
}

/// The document that a parcel carries, where it is one for a wallet.
fn pushed(record: &Dossier, parcel: &ParcelView) -> Option<Sha256> {
    let handle = record.slip.as_ref()?.wallet.as_deref()?;
    record
        .outgoing()
        .map(|(_, _, digests)| digests.sha256)
        .find(|sha256| delivery_id(&parcel.recipient, handle, sha256, 1) == parcel.id)
}

/// What an entry is, by its name.
pub(super) fn what(name: &str) -> What {
    let file = name.rsplit('/').next().unwrap_or(name);
    let ends = |kind: &str| file.rsplit_once('.').is_some_and(|(_, end)| end == kind);
    match file {
        _ if name.starts_with("claims/") => What::Claim,
        README => What::Readme,
        SUMS => What::Sums,
        "originals.json" => What::Originals,
        "identity.json" => What::Identity,
        _ if ends("sod") => What::IdentitySod,
        _ if ends("tlog-proof") => What::LogReceipt,
        _ if ends("jsonl") => What::Journal,
        _ if ends("receipt") && file.starts_with("portal-") => What::PortalAnswers,
        _ if ends("receipt") => What::PushReceipt,
        _ => What::Document,
    }
}

/// Whether a file's name might say who it is about: it holds the applicant's or owner's name, a number as long as those of
/// papers, or letters that a scanner does not write.
fn tells_a_person(name: &str, record: &Dossier) -> bool {
    let digits = name.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let folded = letters(name);
    let people: [Option<&Applicant>; 2] = [record.applicant.as_ref(), record.slip.as_ref().map(|s| &s.owner)];
    let named = people.into_iter().flatten().filter_map(|p| p.name.as_deref()).any(|person| {
        let whole = letters(person);
        let last = person.split_whitespace().next_back().map(letters).unwrap_or_default();
        (!whole.is_empty() && folded.contains(&whole)) || (last.len() > 2 && folded.contains(&last))
    });
    !plain || digits >= 9 || named || name.len() > 120
}

/// Letters alone, small and without marks.
fn letters(text: &str) -> String {
    let text = text.replace(['đ', 'Đ'], "d");
    text.nfd().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect()
}

const MAX_CLAIM: u64 = 16 << 20;

const ORIGINALS_STAY: (&str, &str) = (
    "tệp gốc không nằm trong gói, chỉ có giá trị băm; bản gốc lưu tại trạm",
    "the originals are not in the bundle, their digests are; the station keeps them",
);
const FOR_THE_RECIPIENT: (&str, &str) = (
    "gói cho người nhận: không có tệp gốc, kết quả xác minh thẻ, nhật ký và trả lời của cổng",
    "for the recipient: without originals, card verdict, journal and the portal's answers",
);
const READING_GONE: (&str, &str) = (
    "dữ liệu đọc từ thẻ có ảnh khuôn mặt, được xóa khi đã xác minh xong; chỉ còn giá trị băm",
    "the chip reading holds a face and is let go of once it is judged; its hashes stay",
);
const NOT_JUDGED: (&str, &str) = ("thẻ chưa được xác minh", "the chip reading is not judged yet");
const NO_READING: (&str, &str) =
    ("hồ sơ không có kết quả đọc thẻ để xác minh", "there is no chip reading that was judged");
const NOT_SEALED: (&str, &str) =
    ("tài liệu không có chữ ký của trạm", "the document is not sealed by this station");
const NOT_STAMPED: (&str, &str) =
    ("chữ ký còn chờ dấu thời gian", "the signature still waits for its time stamp");
const NOT_LOGGED: (&str, &str) = (
    "tài liệu không có biên nhận của nhật ký minh bạch",
    "the document has no receipt of the transparency log",
);
const NO_DOCUMENT: (&str, &str) = ("chưa có tài liệu nào", "there is no document yet");
const CODE_HIDDEN: (&str, &str) = (
    "trả lời của cổng có mã hồ sơ, theo quy định của trạm không đưa ra ngoài",
    "the portal's answers hold the dossier's code, which this station keeps to itself",
);

/// No dossier goes by that name.
pub const NO_DOSSIER: Code = Code {
    id: "EVID-020",
    class: Class::Input,
    vi: "Trạm không có hồ sơ này, hoặc hồ sơ chưa có kết quả cho người nhận",
    en: "the station has no such dossier, or no result of it for the recipient",
    remedy_vi: "Xem mã bằng `hoso status`; cũng có thể dùng 8 chữ số đầu của mã lượt xử lý",
    remedy_en: "look the code up with `hoso status`; the first 8 digits of a run's identity do, too",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&NO_DOSSIER];
