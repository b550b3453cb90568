//! Puts a bundle together from ledger and blobs.

mod claims;
mod delivery;
mod originals;

use super::archive::Writer;
use super::identity;
use super::journal;
use super::manifest::{
    Chain, Delivery, Document, Entry, KIND, MANIFEST, Manifest, Missing, NOTE, Named, README, Run, SUMS,
    Scope, What, Why, sign, sums,
};
use crate::blobs::Blobs;
use crate::clock::vietnam_time;
use crate::digest::{Blake3, Digests, Sha256};
use crate::dossier::Dossier;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::{RunExtract, SqliteLedger, State};
use crate::log::Signer;
use crate::station::Station;
use crate::station::config::ShownCode;
use crate::steps::desk::BAD_LOG_KEY;
use std::collections::BTreeMap;
use std::io::Write;

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
