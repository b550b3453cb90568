//! `pipelines/*.toml`: an order of steps, read with all its mistakes at once.
//!
//! Two phases. First every key and step is read by itself, so that one mistake does not hide the next; then the
//! steps are held against each other ("a seal needs a document made before it").

mod split;

pub use split::{CutAt, SplitConfig};

use crate::digest::Blake3;
use crate::fault::{Class, Code, Fault};
use crate::scan::barcode::Format;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// An order of steps, resolved and pinned by the digest of its text.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// What a run is called after.
    pub name: String,
    /// Digest of the text.
    pub digest: Blake3,
    /// The text itself.
    pub text: String,
    /// Who waits.
    pub lane: Lane,
    /// What one batch is.
    pub batch: Batch,
    /// What to do, in order.
    pub steps: Vec<StepConfig>,
}

/// The file as it is written; the JSON schema in `pipelines/schema.json` is made from it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PipelineFile {
    /// Lower-case letters, digits and dashes.
    pub name: String,
    /// Who waits: `desk` goes before `delivery`, `delivery` before `backfill`.
    pub lane: Lane,
    /// What one batch is: a folder, or each file by itself.
    pub batch: Batch,
    /// What to do, in order.
    pub step: Vec<StepConfig>,
}

/// Who waits for it; smaller goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// A clerk and a citizen stand there.
    Desk,
    /// A citizen waits for a result.
    Delivery,
    /// Boxes of old paper.
    Backfill,
}

/// What one batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Batch {
    /// All page files of a folder, in the order of their names, with its readings and `dossier.toml`.
    Folder,
    /// Every file by itself, with what `manifest.csv` or a `.toml` of the same name says of it.
    File,
}

/// One step and how it is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepConfig {
    /// Decode every page once and judge it.
    Pages(PagesConfig),
    /// Read the codes of every page; directly after `pages`, it reads the same decoded plane.
    Barcodes(BarcodesConfig),
    /// Divide the batch into dossiers and papers.
    Split(SplitConfig),
    /// Verify the chip reading and compare it with the card's QR and what was typed.
    Identity(IdentityConfig),
    /// Make a PDF/A of every paper.
    Assemble(AssembleConfig),
    /// Sign every document.
    Seal(SealConfig),
    /// Append every document to the transparency log and keep its receipt.
    Log(LogConfig),
    /// Send to portal and wallet.
    Deliver(DeliverConfig),
}

impl StepConfig {
    /// The word in the file.
    pub fn name(&self) -> &'static str {
        match self {
            StepConfig::Pages(_) => "pages",
            StepConfig::Barcodes(_) => "barcodes",
            StepConfig::Split(_) => "split",
            StepConfig::Identity(_) => "identity",
            StepConfig::Assemble(_) => "assemble",
            StepConfig::Seal(_) => "seal",
            StepConfig::Log(_) => "log",
            StepConfig::Deliver(_) => "deliver",
        }
    }
}

/// `pages = { dpi-min = 200 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PagesConfig {
    /// Below this many dots per inch a page is flagged (TT 01/2019: 200).
    pub dpi_min: u16,
}

impl Default for PagesConfig {
    fn default() -> Self {
        PagesConfig { dpi_min: 200 }
    }
}

/// `barcodes = { kinds = ["qr", "code128"] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct BarcodesConfig {
    /// Which symbologies to look for; all five where the key is left out.
    pub kinds: Vec<BarcodeKind>,
}

impl Default for BarcodesConfig {
    fn default() -> Self {
        use BarcodeKind::{Code39, Code128, Datamatrix, Pdf417, Qr};
        BarcodesConfig { kinds: vec![Qr, Code128, Code39, Pdf417, Datamatrix] }
    }
}

/// A symbology.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BarcodeKind {
    /// QR Code (ISO/IEC 18004, TCVN 7322).
    Qr,
    /// Code 128 (ISO/IEC 15417).
    Code128,
    /// Code 39 (ISO/IEC 16388).
    Code39,
    /// PDF417 (ISO/IEC 15438).
    Pdf417,
    /// Data Matrix (ISO/IEC 16022).
    Datamatrix,
}

impl BarcodeKind {
    /// The same, as the reader of barcodes calls it.
    pub fn format(self) -> Format {
        match self {
            BarcodeKind::Qr => Format::QRCode,
            BarcodeKind::Code128 => Format::Code128,
            BarcodeKind::Code39 => Format::Code39,
            BarcodeKind::Pdf417 => Format::PDF417,
            BarcodeKind::Datamatrix => Format::DataMatrix,
        }
    }
}

/// What to do when something is not as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnMismatch {
    /// Write it down and go on.
    Note,
    /// Refuse the dossier with the reason; the clerk mends it and hands it in again.
    Refuse,
}

/// What stays of a chip reading when it has been judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The verdict, the SHA-256 of every data group, and the signed list of hashes (EF.SOD).
    #[default]
    Verdict,
    /// The reading too, without its pictures: face, fingers, eyes, signature (DG2 to DG5, DG7).
    WithoutFace,
    /// The whole reading as it came, the face included.
    Reading,
}

/// `identity = { on-forged = "refuse" }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct IdentityConfig {
    /// What to do with a dossier without a reading.
    pub on_missing: OnMismatch,
    /// What to do with a reading that is disproved.
    pub on_forged: OnMismatch,
    /// What stays of the reading when it has been judged; a face is kept only where this says so.
    pub keep: Keep,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        IdentityConfig { on_missing: OnMismatch::Note, on_forged: OnMismatch::Refuse, keep: Keep::Verdict }
    }
}

/// `assemble = {}`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct AssembleConfig {}

/// `seal = { profile = "intake_scan", key = "officer", timestamp = true }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SealConfig {
    /// A signature profile: who signs and how it looks.
    pub profile: String,
    /// The name of a key in the station's configuration.
    pub key: String,
    /// Ask the station's timestamp authority for a token (PAdES B-T); without, the level is B-B.
    #[serde(default)]
    pub timestamp: bool,
}

/// `log = {}`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LogConfig {}

/// `deliver = { to = ["portal", "wallet"] }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeliverConfig {
    /// Names of recipients in the station's configuration.
    pub to: Vec<String>,
}

impl Pipeline {
    /// Reads a pipeline; `place` is the file's name.
    ///
    /// # Errors
    /// Every mistake in the file, each `PIPE-001` or `PIPE-002` with its line and column.
    pub fn parse(place: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader { place, text, faults: Vec::new() };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            reader.mistake(error.span().unwrap_or(0..0), error.message());
        }
        let table = table.into_inner();
        let (mut name, mut lane, mut batch, mut steps) = (None, None, None, Vec::new());
        let mut every_step_read = true;
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => name = reader.read::<String>(value),
                "lane" => lane = reader.read::<Lane>(value),
                "batch" => batch = reader.read::<Batch>(value),
                "step" => {
                    let before = reader.faults.len();
                    steps = reader.steps(value);
                    every_step_read = reader.faults.len() == before;
                }
                other => {
                    let message =
                        format!("unknown key `{other}`, expected one of `name`, `lane`, `batch`, `step`");
                    reader.mistake(key.span(), &message);
                }
            }
        }
        for (missing, key) in [(name.is_none(), "name"), (lane.is_none(), "lane"), (batch.is_none(), "batch")]
        {
            if missing && !text.lines().any(|l| l.trim_start().starts_with(key)) {
                reader.mistake(0..0, &format!("the key `{key}` is missing"));
            }
        }
        if steps.is_empty() && reader.faults.is_empty() {
            reader.mistake(0..0, "there is no [[step]]");
        }
        // A step that could not be read may be the very one that another needs: no second mistake is made of it.
        if every_step_read {
            reader.order(&steps);
        }
        match (name, lane, batch) {
            (Some(name), Some(lane), Some(batch)) if reader.faults.is_empty() => Ok(Pipeline {
                name,
                digest: Blake3::of(text.as_bytes()),
                text: text.to_owned(),
                lane,
                batch,
                steps: steps.into_iter().map(Spanned::into_inner).collect(),
            }),
            _ => Err(reader.faults),
        }
    }

    /// The JSON schema of the file format.
    pub fn schema() -> String {
        let schema = schemars::schema_for!(PipelineFile);
        serde_json::to_string_pretty(&schema).map(|s| s + "\n").unwrap_or_default()
    }
}

struct Reader<'a> {
    place: &'a str,
    text: &'a str,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn read<T: serde::de::DeserializeOwned>(&mut self, value: Spanned<DeValue<'_>>) -> Option<T> {
        let whole = value.span();
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(read) => Some(read),
            Err(error) => {
                self.mistake(error.span().unwrap_or(whole), error.message());
                None
            }
        }
    }

    fn steps(&mut self, value: Spanned<DeValue<'_>>) -> Vec<Spanned<StepConfig>> {
        let span = value.span();
        let DeValue::Array(entries) = value.into_inner() else {
            self.mistake(span, "`step` is a list of tables: write [[step]] above each");
            return Vec::new();
        };
        let mut steps = Vec::new();
        for entry in entries {
            let span = entry.span();
            if let Some(step) = self.read::<StepConfig>(entry) {
                steps.push(Spanned::new(span, step));
            }
        }
        steps
    }

    /// What one step needs of those before it.
    fn order(&mut self, steps: &[Spanned<StepConfig>]) {
        let mut seen: Vec<&'static str> = Vec::new();
        for step in steps {
            let name = step.get_ref().name();
            let needs: &[&str] = match step.get_ref() {
                StepConfig::Barcodes(_) | StepConfig::Assemble(_) => &["pages"],
                StepConfig::Split(_) => &["pages", "barcodes"],
                StepConfig::Log(_) => &["seal"],
                StepConfig::Deliver(_) => &["log"],
                StepConfig::Seal(_) if seen.contains(&"pages") => &["assemble"],
                _ => &[],
            };
            for need in needs {
                if !seen.contains(need) {
                    self.mistake(step.span(), &format!("`{name}` needs `{need}` before it"));
                }
            }
            if seen.contains(&name) && name != "seal" {
                self.mistake(step.span(), &format!("`{name}` stands here a second time"));
            }
            if matches!(step.get_ref(), StepConfig::Deliver(d) if d.to.is_empty()) {
                self.mistake(step.span(), "`deliver` names no recipient");
            }
            if name == "barcodes" && seen.last() != Some(&"pages") {
                self.mistake(
                    step.span(),
                    "`barcodes` reads the plane that `pages` decoded: it stands directly after it",
                );
            }
            seen.push(name);
        }
    }

    fn mistake(&mut self, span: Range<usize>, message: &str) {
        let start = span.start.min(self.text.len());
        let before = self.text.get(..start).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        self.faults
            .push(Fault::new(&MISTAKE).at(format!("{}:{line}:{column}", self.place)).detail(message.trim()));
    }
}

/// A mistake in a pipeline file.
pub const MISTAKE: Code = Code {
    id: "PIPE-001",
    class: Class::Setup,
    vi: "Tệp quy trình có lỗi",
    en: "there is a mistake in the pipeline file",
    remedy_vi: "Sửa dòng được chỉ ra; xem pipelines/schema.json",
    remedy_en: "mend the line that is named; see pipelines/schema.json",
};
/// There is no such pipeline.
pub const UNKNOWN: Code = Code {
    id: "PIPE-002",
    class: Class::Setup,
    vi: "Không tìm thấy quy trình",
    en: "there is no such pipeline",
    remedy_vi: "Đưa đường dẫn tới tệp .toml hoặc tên một tệp trong thư mục pipelines/ của trạm",
    remedy_en: "give the path of a .toml file, or the name of one in the station's pipelines/",
};
/// Every code of this room.
pub const CODES: &[&Code] = &[&MISTAKE, &UNKNOWN];

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = \"x\"\nlane = \"desk\"\nbatch = \"folder\"\n[[step]]\npages = {}\n[[step]]\nbarcodes = {}\n[[step]]\nsplit = {}\n";

    #[test]
    fn a_good_file_is_read_with_its_defaults() {
        let pipeline = Pipeline::parse("x.toml", GOOD).unwrap();
        assert_eq!(pipeline.steps.len(), 3);
        assert_eq!(pipeline.steps[0], StepConfig::Pages(PagesConfig { dpi_min: 200 }));
    }

    #[test]
    fn three_mistakes_are_named_at_once_each_with_its_line() {
        let text = "name = \"x\"\nlane = \"desk\"\nbatch = \"folder\"\ncolour = 1\n[[step]]\npages = { dpi-min = 'high' }\n[[step]]\nclaen = {}\n";
        let faults = Pipeline::parse("x.toml", text).unwrap_err();
        let said: Vec<String> = faults
            .iter()
            .map(|f| format!("{} {}", f.place.clone().unwrap(), f.detail.clone().unwrap()))
            .collect();
        assert_eq!(said.len(), 3, "{said:#?}");
        assert!(said.iter().any(|s| s.starts_with("x.toml:4:1 unknown key `colour`")), "{said:#?}");
        assert!(said.iter().any(|s| s.starts_with("x.toml:6:21 invalid type: string \"high\"")), "{said:#?}");
        assert!(said.iter().any(|s| s.starts_with("x.toml:8:1 unknown variant `claen`")), "{said:#?}");
    }

    #[test]
    fn broken_toml_is_placed_too() {
        let faults = Pipeline::parse("x.toml", "name = \"x\nlane = \n").unwrap_err();
        assert!(
            faults.iter().all(|f| f.place.as_deref().is_some_and(|p| p.starts_with("x.toml:"))),
            "{faults:?}"
        );
        assert!(faults.len() >= 2);
    }

    /// `HOSO_UPDATE=1 cargo test` writes it anew.
    #[test]
    fn the_schema_in_the_repository_is_fresh_and_every_pipeline_is_sound() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/pipelines");
        if std::env::var_os("HOSO_UPDATE").is_some() {
            std::fs::write(format!("{folder}/schema.json"), Pipeline::schema()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(format!("{folder}/schema.json")).unwrap(), Pipeline::schema());
        for name in ["intake-desk", "archive-backfill", "result-delivery"] {
            let text = std::fs::read_to_string(format!("{folder}/{name}.toml")).unwrap();
            assert_eq!(Pipeline::parse(name, &text).unwrap().name, name);
        }
    }

    #[test]
    fn steps_are_held_against_each_other() {
        let text = GOOD.replace("split = {}", "deliver = { to = [] }");
        let faults = Pipeline::parse("x.toml", &text).unwrap_err();
        let said: Vec<_> = faults.iter().filter_map(|f| f.detail.clone()).collect();
        assert_eq!(said, ["`deliver` needs `log` before it", "`deliver` names no recipient"]);
    }
}
