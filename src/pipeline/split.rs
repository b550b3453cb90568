//! How a pipeline says what cuts a batch.

use super::{BarcodeKind, OnMismatch};
use crate::scan::separate::Collate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// `split = { page-count = "refuse" }`: divides the batch. First the sides are put in order (`collate`), then the
/// batch is cut, and blank pages are flagged only in what comes out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SplitConfig {
    /// What to do when a separator or manifest expects another number of pages, or fronts and backs differ in number.
    pub page_count: OnMismatch,
    /// What to do with pages that belong to no dossier code.
    pub no_code: OnMismatch,
    /// What begins a dossier; what is left out of the list is a page like others.
    pub at: Vec<CutAt>,
    /// Codes of these symbologies begin a dossier too, whatever they say: for labels that another system has printed.
    /// Their page is kept; the same text again joins the same dossier. QR codes of cards and of our own papers never
    /// count.
    pub barcode_starts: Vec<BarcodeKind>,
    /// Every dossier has this many pages, where its separator does not announce another number.
    pub every: Option<NonZeroU32>,
    /// How the sides of two-sided sheets lie in the batch.
    pub collate: Collate,
    /// The batch holds both sides of every sheet: the blank back of a separator goes with it and is counted for no
    /// dossier. Implied by `collate`.
    pub two_sided: bool,
    /// Every dossier stands behind a separator: one without is reported.
    pub sheet_required: bool,
    /// How many dossiers a batch holds; another number is reported.
    pub dossiers: Option<u32>,
    /// What to do when a separator was expected and not found: with a dossier that may hold another one's pages. One
    /// whose page count agrees with its separator goes on in any case.
    pub missed: OnMismatch,
}

impl Default for SplitConfig {
    fn default() -> Self {
        SplitConfig {
            page_count: OnMismatch::Refuse,
            no_code: OnMismatch::Note,
            at: vec![CutAt::Separator, CutAt::DossierCode],
            barcode_starts: Vec::new(),
            every: None,
            collate: Collate::None,
            two_sided: false,
            sheet_required: false,
            dossiers: None,
            missed: OnMismatch::Note,
        }
    }
}

/// What begins a dossier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CutAt {
    /// Patch and separator sheets and covers (`hoso sheet`); the sheet is kept as evidence, not among the papers.
    Separator,
    /// A page with another dossier code; the page is kept.
    DossierCode,
}

#[cfg(test)]
mod tests {
    use super::super::{Pipeline, StepConfig};
    use super::*;

    const GOOD: &str = "name = \"x\"\nlane = \"desk\"\nbatch = \"folder\"\n[[step]]\npages = {}\n[[step]]\nbarcodes = {}\n[[step]]\nsplit = {}\n";

    #[test]
    fn the_rules_of_cutting_are_read_and_nonsense_among_them_is_refused() {
        let with =
            |rules: &str| Pipeline::parse("x.toml", &GOOD.replace("split = {}", &format!("split = {rules}")));
        let read = with(
            "{ every = 2, collate = \"odd-even-reversed\", at = [\"separator\"], barcode-starts = [\"code128\"], dossiers = 3 }",
        );
        let StepConfig::Split(split) = &read.unwrap().steps[2] else { panic!("no split") };
        assert_eq!((split.every, split.collate), (NonZeroU32::new(2), Collate::OddEvenReversed));
        assert_eq!(split.at, [CutAt::Separator]);
        assert_eq!((split.page_count, split.missed), (OnMismatch::Refuse, OnMismatch::Note));
        for bad in ["{ every = 0 }", "{ collate = \"even\" }", "{ at = [\"blank\"] }", "{ duplex = true }"] {
            assert_eq!(with(bad).unwrap_err().len(), 1, "{bad}");
        }
    }
}
