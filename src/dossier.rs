//! What is known about a dossier between two steps: the record that the ledger keeps and every step returns anew.
//!
//! Bytes are named by digest and lie in the blobs. The record holds personal data and stays inside the station.

use crate::chip::Verdict;
use crate::chip::compare::Comparison;
use crate::deliver::portal::record::{Channel, FiledAt, Handover, OwnerKind, Payment};
use crate::digest::{Blake3, Digests, Sha256};
use crate::fault::Report;
use crate::page::Dpi;
use crate::pipeline::Keep;
use crate::scan::barcode::Barcode;
use crate::scan::quality::Quality;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One dossier, or a batch that has not been divided into dossiers yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dossier {
    /// The folder or file it came as, below the input.
    pub batch: String,
    /// When it was admitted (ms since 1970, UTC); every date in what is made of it is this one, so that a step that
    /// runs twice makes the same bytes.
    pub received_at: i64,
    /// Dossier code, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Procedure code, typed at the desk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub procedure: Option<String>,
    /// What the paper or result is called, from a manifest or slip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How many pages a separator or manifest says there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_pages: Option<u32>,
    /// When it was received and is due, as the desk says.
    #[serde(default)]
    pub dates: Dates,
    /// What was typed at the desk about the applicant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applicant: Option<Applicant>,
    /// How it was filed, where the desk says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filing: Option<Filing>,
    /// What was typed at the desk, by dossier code, until the batch is divided.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slips: BTreeMap<String, DeskSlip>,
    /// What the office says of a result that goes out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slip: Option<ResultSlip>,
    /// The files as they came, in order.
    pub files: Vec<FileRecord>,
    /// Chip readings as they came.
    #[serde(default)]
    pub readings: Vec<ReadingRecord>,
    /// Every page of every file, in order.
    #[serde(default)]
    pub pages: Vec<PageRecord>,
    /// The papers the pages make.
    #[serde(default)]
    pub papers: Vec<Paper>,
    /// What the chip reading proves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Chip, card QR and typed data held against each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<Comparison>,
    /// What a person should know and what did not stop the work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Report>,
}

/// What was typed at the desk, `[applicant]` in `dossier.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applicant {
    /// Full name.
    pub name: Option<String>,
    /// Personal number, 12 digits.
    pub number: Option<String>,
    /// `dd/mm/yyyy` or `YYYY-MM-DD`.
    pub birth: Option<String>,
    /// `Nam` or `Nữ`, `male` or `female`.
    pub sex: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
}

/// The dossier's clock, Unix seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dates {
    /// `NgayTiepNhan`: when the office received it.
    pub received: Option<i64>,
    /// `NgayHenTra`: when the result is due.
    pub due: Option<i64>,
}

impl Dates {
    /// From two moments as slips write them, RFC 3339 with offset; `None` where one of them is no moment.
    pub fn parse(received: Option<&str>, due: Option<&str>) -> Option<Self> {
        let moment = |text: Option<&str>| match text {
            None => Some(None),
            Some(text) => text.parse::<jiff::Timestamp>().ok().map(|t| Some(t.as_second())),
        };
        Some(Dates { received: moment(received)?, due: moment(due)? })
    }
}

/// `dossier.toml` in a folder, or `<dossier code>.dossier.toml` where the folder holds several dossiers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskSlip {
    /// Dossier code, where the desk has given one.
    pub code: Option<String>,
    /// Procedure code.
    pub procedure: Option<String>,
    /// Office code.
    pub office: Option<String>,
    /// When it was received, `2026-11-21T08:15:00+07:00`; the time of admission where it is left out.
    pub received: Option<String>,
    /// When the result is due.
    pub due: Option<String>,
    /// What was typed about the applicant.
    pub applicant: Option<Applicant>,
    /// How it was filed.
    pub filing: Option<Filing>,
}

/// `NAME.toml` beside a result `NAME.pdf`: what the office says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultSlip {
    /// Dossier code.
    pub code: String,
    /// Procedure code, e.g. `1.001193`.
    pub procedure: String,
    /// What the procedure is called; the station's catalogue fills it in where it is left out, and the field too.
    pub procedure_name: Option<String>,
    /// Code of the procedure's field.
    pub field: Option<String>,
    /// What the field is called.
    pub field_name: Option<String>,
    /// What the result is called.
    pub title: String,
    /// Code of the result type, e.g. `KQ.G15.000031`.
    pub result_code: String,
    /// Number and symbol on the paper.
    pub symbol: Option<String>,
    /// The citizen's stable handle at the wallet, 64 hexadecimal digits; left out for a citizen without a wallet.
    pub wallet: Option<String>,
    /// When the dossier was received, `2026-11-21T08:15:00+07:00`.
    pub received: Option<String>,
    /// When the result was due.
    pub due: Option<String>,
    /// Who owns the result.
    pub owner: Applicant,
    /// How its dossier was filed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filing: Option<Filing>,
}

/// `[filing]` in a slip: what only the desk knows of how a dossier was filed, as the portal asks for it. What is left out is
/// as was said before of the same dossier, or as for a citizen who comes to the desk and owes nothing. The portal knows no
/// households: a household business (hộ kinh doanh) is filed as `business`, its head as the owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filing {
    /// `direct`, `online` or `postal`.
    pub channel: Option<Channel>,
    /// `local` or `national-portal`: where it was filed.
    pub filed_at: Option<FiledAt>,
    /// `citizen`, `business`, `state-body` or `other`.
    pub owner_kind: Option<OwnerKind>,
    /// TechID of the owner's account at the portal.
    pub account: Option<String>,
    /// `none`, `national-portal`, `local-gateway` or `unpaid`: the fee that is due online.
    pub payment: Option<Payment>,
    /// `desk` or `post`: how the result is handed over.
    pub handover: Option<Handover>,
}

/// A file as it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Its name below the batch.
    pub name: String,
    /// Its bytes.
    pub digests: Digests,
    /// Why it could not be opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Report>,
    /// A PDF that carries signatures: its bytes are never rewritten.
    #[serde(default)]
    pub signed: bool,
    /// Kept as it came since its pages are not plain scans; says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// A chip reading as it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadingRecord {
    /// Its file name.
    pub name: String,
    /// Its bytes as they came. They lie in the station's store of readings until they are judged, and are let go of
    /// then; whoever has the file can still show that it is the one that was judged.
    pub digests: Digests,
    /// What is kept of it since it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// What stays of a reading. The hashes of short data groups can be found by trying: they stay in this record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// What the pipeline said that should stay.
    pub keep: Keep,
    /// SHA-256 of every data group that came, by its number.
    pub groups: BTreeMap<u8, Sha256>,
    /// EF.SOD, among the blobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sod: Option<Blake3>,
    /// The reading without its pictures, among the blobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_face: Option<Blake3>,
}

/// One scanned side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageRecord {
    /// Index into [`Dossier::files`].
    pub file: usize,
    /// Page in that file, from 1.
    pub number: u32,
    /// Pixels across, upright.
    pub width: u32,
    /// Pixels down, upright.
    pub height: u32,
    /// Resolution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpi: Option<Dpi>,
    /// How it looks; absent where it could not be decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// The codes on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<Barcode>,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Report>,
}

/// One document in a dossier.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// Indices into [`Dossier::pages`], in order.
    pub pages: Vec<usize>,
    /// The PDF made of them, or the file as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
    /// The same, signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedDocument>,
    /// The log's receipt for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Blake3>,
}

/// A document before it is signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Its bytes.
    pub digests: Digests,
    /// Made here as PDF/A-2b; otherwise it is kept as it came.
    pub archived: bool,
}

/// A document with our signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedDocument {
    /// Its bytes.
    pub digests: Digests,
    /// `B-B` or `B-T`.
    pub level: String,
    /// Signature profile.
    pub profile: String,
    /// When it was signed (ms).
    pub at: i64,
    /// It is B-B for now and waits for its time stamp.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaits_stamp: bool,
}

impl Dossier {
    /// Takes over what was typed at the desk; `None` where a date in it is no moment.
    pub fn apply(&mut self, slip: DeskSlip) -> Option<()> {
        self.dates = Dates::parse(slip.received.as_deref(), slip.due.as_deref())?;
        self.code = slip.code.or(self.code.take());
        self.procedure = slip.procedure;
        self.applicant = slip.applicant;
        self.filing = slip.filing;
        Some(())
    }

    /// What a clerk calls it: its code, or the batch it came as.
    pub fn label(&self) -> &str {
        self.code.as_deref().unwrap_or(&self.batch)
    }

    /// The documents as they leave the house: sealed where they are, else as they came.
    pub fn outgoing(&self) -> impl Iterator<Item = (usize, &Paper, &Digests)> {
        self.papers.iter().enumerate().filter_map(|(i, paper)| {
            let digests =
                paper.sealed.as_ref().map(|s| &s.digests).or(paper.document.as_ref().map(|d| &d.digests))?;
            Some((i, paper, digests))
        })
    }

    /// The record as the ledger keeps it.
    pub fn to_json(&self) -> Vec<u8> {
        // Strings, numbers and lists only: nothing in it can fail to be written.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Whether a code holds nothing but letters, digits, dots and dashes, begins with a letter or digit and is short:
/// fit for a folder's name.
pub fn is_plain_code(code: &str) -> bool {
    code.len() <= 64
        && code.starts_with(|c: char| c.is_ascii_alphanumeric())
        && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
}
