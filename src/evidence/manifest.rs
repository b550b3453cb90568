//! `manifest.json`: every entry of a bundle with its SHA-256, what it is, what it proves, and what is missing and why; and
//! `manifest.note`, the station's signature over it.

use super::archive::MAX_ENTRIES;
use super::journal;
use crate::digest::{Blake3, Digests, Sha256};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::note::{Note, Signed};
use crate::log::{Signer, VerifierKey};
use serde::{Deserialize, Serialize};

/// The manifest's name in the bundle.
pub const MANIFEST: &str = "manifest.json";
/// Its signature's.
pub const NOTE: &str = "manifest.note";
/// The list that `sha256sum -c` reads.
pub const SUMS: &str = "SHA256SUMS";
/// The explanation for people.
pub const README: &str = "README.txt";
/// First line of the note's text. No log is called so, so that a note can never pass for a checkpoint, nor a checkpoint
/// for a note (C2SP tlog-checkpoint: the first line of a checkpoint is the name of the log, which is that of its key).
const PURPOSE: &str = "hoso-evidence-manifest@v1";
/// Largest manifest that is read, bytes.
pub const MAX_MANIFEST: u64 = 8 << 20;

/// What a bundle says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1.
    pub version: u32,
    /// `hoso-evidence`.
    pub kind: String,
    /// How much of the dossier it shows.
    pub scope: Scope,
    /// Which dossier.
    pub dossier: Named,
    /// The office's identifier code.
    pub office: String,
    /// Made at a training station: nothing in it has legal force.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub training: bool,
    /// The last entry of the journal that it rests on, in Vietnamese time; not when the bundle was written.
    pub as_of: String,
    /// The runs of the dossier, in the order in which they were handed in.
    pub runs: Vec<Run>,
    /// Batches that runs were divided from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<Chain>,
    /// Every entry but the manifest and its signature, in order.
    pub entries: Vec<Entry>,
    /// What is not in it, and why.
    pub missing: Vec<Missing>,
}

/// How much of a dossier a bundle shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All that the station has, for a court.
    Whole,
    /// What went to the recipient, for the recipient.
    Recipient,
}

/// A dossier's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// Its code.
    Code(String),
    /// SHA-256 of its code, where the station's policy keeps codes to itself.
    CodeSha256(Sha256),
    /// The run alone; it has no code yet.
    Run(Blake3),
}

/// One way of the dossier through a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its chain in the journal.
    pub chain: Chain,
    /// `intake` or `result`.
    pub of: String,
    /// Pipeline name.
    pub pipeline: String,
    /// `done`, `sending`, `parked`, ...
    pub state: String,
    /// Steps done.
    pub cursor: u32,
    /// Steps in all.
    pub steps: u32,
    /// Why it waits or ended so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Why>,
    /// BLAKE3 of its record, which stays at the station: the journal's entries name it.
    pub record: Blake3,
    /// The batch it was divided from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Blake3>,
    /// Entry with the originals' digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub originals: Option<String>,
    /// Entry with the verdict on the chip reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// Its documents, in order.
    pub documents: Vec<Document>,
    /// What was or is to be sent.
    pub deliveries: Vec<Delivery>,
}

/// A chain of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// Identity of the run.
    pub run: Blake3,
    /// Entry with the chain; none in a bundle for the recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<String>,
    /// Digest of its last entry.
    pub journal_end: Blake3,
    /// How many entries it has.
    pub journal_entries: u32,
}

/// A document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Its entry.
    pub entry: String,
    /// Its digests.
    pub digests: Digests,
    /// This station sealed it.
    pub sealed: bool,
    /// Entry with the log's receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_receipt: Option<String>,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Its idempotency key.
    pub id: Sha256,
    /// Name of the recipient in the station's configuration.
    pub recipient: String,
    /// `push` (a wallet or another station, with a signed receipt) or `portal` (unsigned answers).
    pub by: String,
    /// `pending`, `leased`, `receipted`, `dead`, ...
    pub state: String,
    /// The document that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Sha256>,
    /// Entry with the receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The run's journal says `receipted` for it, naming the receipt by digest.
    #[serde(default)]
    pub journaled: bool,
    /// Why it waits or was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Why>,
}

/// One entry of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// What it is.
    pub what: What,
    /// What it proves, Vietnamese.
    pub proves_vi: String,
    /// What it proves, English.
    pub proves_en: String,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The explanation.
    Readme,
    /// The list of digests.
    Sums,
    /// The originals' digests.
    Originals,
    /// The verdict on a chip reading.
    Identity,
    /// EF.SOD as the chip gave it.
    IdentitySod,
    /// A PDF.
    Document,
    /// A receipt of the transparency log.
    LogReceipt,
    /// A receiver's signed receipt.
    PushReceipt,
    /// A portal's answers.
    PortalAnswers,
    /// A run's chain of the journal.
    Journal,
    /// A key or certificate that the station says belongs to it or to whom it dealt with.
    Claim,
}

impl What {
    /// What such an entry proves.
    pub fn proves(self) -> (&'static str, &'static str) {
        match self {
            What::Readme => ("hướng dẫn, không chứng minh gì", "an explanation; proves nothing"),
            What::Sums => ("danh sách cho sha256sum -c", "the list for sha256sum -c"),
            What::Originals => (
                "trạm khai các tệp gốc đã nhận; ai có tệp gốc thì đối chiếu được",
                "which originals the station says it was handed; whoever has one can compare it",
            ),
            What::Identity => (
                "trạm kết luận gì về thẻ, theo từng phép kiểm tra",
                "what the station concluded about the card, check by check",
            ),
            What::IdentitySod => (
                "chữ ký của cơ quan cấp thẻ trên các giá trị băm của dữ liệu trong chip",
                "the card issuer's signature over the hashes of the chip's data",
            ),
            What::Document => (
                "tài liệu; chữ ký số và dấu thời gian trong đó tự chứng minh",
                "the document; its signature and time stamp prove who and when",
            ),
            What::LogReceipt => (
                "tài liệu nằm trong nhật ký minh bạch: không ghi lùi ngày, không bị thay lén",
                "the document is in the transparency log: not back-dated, not silently replaced",
            ),
            What::PushReceipt => (
                "nơi nhận đã ký rằng có đúng các byte này",
                "the receiver signed that it has exactly these bytes",
            ),
            What::PortalAnswers => (
                "cổng đã trả lời như vậy; câu trả lời không có chữ ký",
                "this is what the portal answered; the answers are unsigned",
            ),
            What::Journal => (
                "trạm đã làm gì, lúc nào; không bỏ hay chèn được mục nào mà không đứt chuỗi",
                "what the station did and when; no entry can be left out or put in without breaking the chain",
            ),
            What::Claim => (
                "chỉ là lời khai: lòng tin phải đến từ bên ngoài gói",
                "a claim only: trust must come from outside the bundle",
            ),
        }
    }
}

/// A code with its sentences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// Stable.
    pub code: String,
    /// Vietnamese.
    pub vi: String,
    /// English.
    pub en: String,
}

impl From<&crate::fault::Report> for Why {
    /// Place and detail stay behind: they may name files.
    fn from(report: &crate::fault::Report) -> Self {
        Why { code: report.code.clone(), vi: report.vi.clone(), en: report.en.clone() }
    }
}

/// Something that is not in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// A word: `log-receipt`, `delivery-receipt`, `seal`, `identity`, `originals`, ...
    pub what: String,
    /// The run.
    pub run: Blake3,
    /// The document or delivery, by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Sha256>,
    /// It ought to be there: the dossier's evidence is not complete without it.
    pub due: bool,
    /// Why, Vietnamese.
    pub vi: String,
    /// Why, English.
    pub en: String,
}

impl Manifest {
    /// As it lies in the bundle: JSON for people to read, too.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Reads a manifest of this version.
    ///
    /// # Errors
    /// [`UNREADABLE`].
    pub fn parse(bytes: &[u8]) -> Outcome<Manifest> {
        let manifest: Manifest =
            serde_json::from_slice(bytes).map_err(|_| Fault::new(&UNREADABLE).at(MANIFEST))?;
        if manifest.version != 1 || manifest.kind != KIND {
            return Err(Fault::new(&UNREADABLE).at(MANIFEST).detail("another version"));
        }
        // Every document is judged once, whoever wrote this.
        let mut documents = std::collections::HashSet::new();
        let once =
            manifest.runs.iter().flat_map(|r| &r.documents).all(|d| documents.insert(d.entry.as_str()));
        // So is everything else that is parsed: one entry that is named a thousand times is a bomb.
        let chains = manifest.runs.iter().map(|run| &run.chain).chain(&manifest.batches);
        let others = manifest.runs.iter().flat_map(|run| {
            let receipts = run.deliveries.iter().filter_map(|delivery| delivery.receipt.as_deref());
            run.identity.as_deref().into_iter().chain(receipts)
        });
        let once = once
            && chains.filter_map(|chain| chain.journal.as_deref()).chain(others).all(|n| documents.insert(n));
        let parts = manifest.runs.iter().map(|r| 1 + r.documents.len() + r.deliveries.len()).sum::<usize>();
        let most = [manifest.entries.len(), parts, manifest.batches.len(), manifest.missing.len()];
        if !once || most.into_iter().any(|count| count > MAX_ENTRIES) {
            return Err(Fault::new(&UNREADABLE).at(MANIFEST).detail("more than a bundle can have"));
        }
        Ok(manifest)
    }

    /// The entry of that name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

/// `kind` of every manifest.
pub const KIND: &str = "hoso-evidence";

/// The signature over a manifest: a signed note (C2SP signed-note) whose second line is what `sha256sum` prints.
///
/// Ed25519 by the log's key, since it is checkable with `openssl pkeyutl` and every signed-note tool, since a court that
/// checks a log receipt has that key from outside already, and since it gives the same bytes every time and asks nobody for
/// a PIN: a CMS by the sealing key does neither.
///
/// # Errors
/// Those of [`Signer::sign`].
pub fn sign(manifest: &[u8], signer: &Signer) -> Outcome<String> {
    signer.sign(&text(manifest))
}

/// What the signature of a manifest is worth under trusted keys.
///
/// # Errors
/// [`OTHER_MANIFEST`] where the note is none or is over another manifest: whoever signed it, it was not this one.
pub fn signed_by(manifest: &[u8], note: &str, keys: &[VerifierKey]) -> Outcome<Signed> {
    let other = |what: &str| Fault::new(&OTHER_MANIFEST).at(NOTE).detail(what);
    let note = Note::parse(note).map_err(|_| other("not a signed note"))?;
    if note.text() != text(manifest) {
        return Err(other("not over this manifest"));
    }
    let mut signed = Signed::UnknownKey;
    for key in keys {
        match note.signed_by(key) {
            Signed::Bad => return Ok(Signed::Bad),
            Signed::By => signed = Signed::By,
            Signed::UnknownKey => {}
        }
    }
    Ok(signed)
}

fn text(manifest: &[u8]) -> String {
    format!("{PURPOSE}\n{}  {MANIFEST}\n", Sha256::of(manifest))
}

/// `SHA256SUMS` of entries: all but itself, the manifest and its signature.
pub fn sums<'a>(entries: impl Iterator<Item = (&'a str, Sha256)>) -> String {
    entries
        .filter(|(name, _)| ![SUMS, MANIFEST, NOTE].contains(name))
        .map(|(name, sha256)| format!("{sha256}  {name}\n"))
        .collect()
}

impl Chain {
    /// Holds an extract of the journal against what the manifest says of it.
    ///
    /// # Errors
    /// [`journal::BROKEN`].
    pub fn check(&self, extract: &[u8]) -> Outcome<Vec<journal::Line>> {
        let lines = journal::parse(extract, &self.run)?;
        let end = lines.last().map(|line| line.digest);
        if end != Some(self.journal_end) || lines.len() as u64 != u64::from(self.journal_entries) {
            return Err(Fault::new(&journal::BROKEN).detail("its end is not the one that the manifest names"));
        }
        Ok(lines)
    }
}

/// No manifest that can be read.
pub const UNREADABLE: Code = Code {
    id: "EVID-017",
    class: Class::Input,
    vi: "Gói không có bản kê (manifest.json) đọc được",
    en: "the bundle has no manifest that can be read",
    remedy_vi: "Xin lại gói từ cơ quan đã lập; gói lập bằng bản mới hơn cần chương trình mới hơn",
    remedy_en: "ask whoever made it for the bundle again; one made by a newer version needs a newer program",
};
/// The signature is over something else.
pub const OTHER_MANIFEST: Code = Code {
    id: "EVID-018",
    class: Class::Input,
    vi: "Chữ ký của trạm không phải trên bản kê này: bản kê hoặc chữ ký đã bị sửa",
    en: "the station's signature is not over this manifest: one of them was changed",
    remedy_vi: "Không dùng gói này làm căn cứ; xin lại gói từ cơ quan đã lập",
    remedy_en: "do not rely on this bundle; ask whoever made it for it again",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&UNREADABLE, &OTHER_MANIFEST];
