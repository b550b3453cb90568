//! What was handed in, by its digests. A file's name is told only where it cannot say who the dossier is about.

use super::Work;
use crate::dossier::{Applicant, Dossier};
use unicode_normalization::UnicodeNormalization as _;

impl Work<'_> {
    /// The list of scans and chip readings.
    pub(super) fn originals(&mut self, folder: &str, record: &Dossier) -> String {
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
