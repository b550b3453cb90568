//! What became of what was handed in: a row a dossier, and totals that add up.

use super::table::Table;
use crate::chip::Verdict;
use crate::dossier::Dossier;
use crate::fault::Report;
use crate::ledger::{RunId, RunView, State};
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// What one command handed in.
#[derive(Debug, Default)]
pub(super) struct HandedIn {
    /// Runs it admitted, or found admitted before.
    pub(super) runs: Vec<RunId>,
    /// How many of them were admitted before, under the same name.
    pub(super) again: usize,
    /// Sources whose bytes are known under another name: source, and that name.
    pub(super) duplicates: Vec<(String, String)>,
    /// How many were not looked at any more, since the command was told to stop.
    pub(super) left: usize,
    /// Sources that could not be admitted.
    pub(super) refused: Vec<Report>,
}

/// Rows and totals.
#[derive(Debug, Default)]
pub(super) struct Summary {
    rows: Vec<Row>,
    handed_in: HandedIn,
}

#[derive(Debug)]
struct Row {
    view: RunView,
    dossier: Option<Dossier>,
}

impl Summary {
    /// The dossiers that what was handed in became, in the order of admission.
    pub(super) fn of(handed_in: HandedIn, runs: Vec<RunView>) -> Self {
        let wanted: HashSet<RunId> = handed_in.runs.iter().copied().collect();
        let parents: HashMap<RunId, Option<RunId>> = runs.iter().map(|r| (r.id, r.parent)).collect();
        let mine = |id: RunId| {
            let mut at = Some(id);
            while let Some(run) = at {
                if wanted.contains(&run) {
                    return true;
                }
                at = parents.get(&run).copied().flatten();
            }
            false
        };
        let rows = runs.into_iter().filter(|r| r.state != State::Split && mine(r.id)).map(Row::new).collect();
        Summary { rows, handed_in }
    }

    /// Every dossier of the station.
    pub(super) fn of_all(runs: Vec<RunView>) -> Self {
        let rows = runs.into_iter().filter(|r| r.state != State::Split).map(Row::new).collect();
        Summary { rows, handed_in: HandedIn::default() }
    }

    /// How many ended well, were refused, are links, and still wait.
    pub(super) fn counts(&self) -> (usize, usize, usize, usize) {
        let count = |states: &[State]| self.rows.iter().filter(|r| states.contains(&r.view.state)).count();
        let done = count(&[State::Done]);
        let refused = count(&[State::Refused]) + self.handed_in.refused.len();
        let duplicates = self.handed_in.duplicates.len();
        (done, refused, duplicates, self.rows.len() - done - count(&[State::Refused]) + self.handed_in.left)
    }

    /// The table, the reasons under it, and the totals.
    pub(super) fn render(&self) -> String {
        let mut table = Table::new(&[
            "hồ sơ / dossier",
            "trạng thái / state",
            "xác minh / verdict",
            ">trang/pages",
            ">lưu ý/notes",
            ">ký/signed",
            ">gửi/receipts",
            ">giây/s",
        ]);
        for row in &self.rows {
            table.row(row.cells());
        }
        let mut out = table.render();
        for row in self.rows.iter().filter(|r| r.view.state != State::Done) {
            let parcels = row.view.parcels.iter().filter_map(|p| p.reason.as_ref());
            let own = row.view.reason.iter();
            for reason in own.chain(parcels.filter(|r| Some(*r) != row.view.reason.as_ref())) {
                out.push_str(&format!("\n{}: {reason}\n", row.view.label));
            }
        }
        for report in &self.handed_in.refused {
            out.push_str(&format!("\n{report}\n"));
        }
        for (source, first) in &self.handed_in.duplicates {
            out.push_str(&format!("\n{source}: trùng với / same bytes as {first}\n"));
        }
        out.push_str(&format!("\n{}\n", self.totals()));
        out
    }

    /// One object a row, then one with the totals.
    pub(super) fn to_json(&self) -> Vec<serde_json::Value> {
        let mut lines: Vec<_> = self.rows.iter().map(Row::to_json).collect();
        for report in &self.handed_in.refused {
            lines.push(json!({ "source": report.place, "state": "refused", "reason": report }));
        }
        for (source, first) in &self.handed_in.duplicates {
            lines.push(json!({ "source": source, "state": "duplicate", "of": first }));
        }
        let (done, refused, duplicates, waiting) = self.counts();
        lines.push(json!({
            "totals": { "in": done + refused + duplicates + waiting, "done": done, "refused": refused,
                        "duplicates": duplicates, "waiting": waiting, "admitted_before": self.handed_in.again }
        }));
        lines
    }

    fn totals(&self) -> String {
        let (done, refused, duplicates, waiting) = self.counts();
        let total = done + refused + duplicates + waiting;
        let mut text = format!(
            "vào / in {total} = xong / done {done} + từ chối / refused {refused} + trùng / duplicates {duplicates}"
        );
        if waiting > 0 {
            text.push_str(&format!(" + còn chờ / waiting {waiting}"));
        }
        if self.handed_in.again > 0 {
            text.push_str(&format!(
                " ({} lô đã tiếp nhận từ trước / batches admitted before)",
                self.handed_in.again
            ));
        }
        text
    }
}

/// A verdict in a cell: `genuine`, `unverifiable: no_anchor`, `forged: dg_hash`.
fn conclusion(verdict: &Verdict) -> String {
    let value = serde_json::to_value(verdict.overall).unwrap_or_default();
    let text = |key: &str| value.get(key).and_then(|v| v.as_str()).map(str::to_owned);
    match (text("class"), text("reason")) {
        (Some(class), Some(reason)) => format!("{class}: {reason}"),
        (Some(class), None) => class,
        _ => "?".into(),
    }
}

impl Row {
    fn new(view: RunView) -> Self {
        let dossier = serde_json::from_slice(&view.record).ok();
        Row { view, dossier }
    }

    fn verdict(&self) -> String {
        self.dossier.as_ref().and_then(|d| d.verdict.as_ref()).map_or_else(|| "-".into(), conclusion)
    }

    fn pages(&self) -> usize {
        self.dossier.as_ref().map_or(0, |d| {
            if d.papers.is_empty() { d.pages.len() } else { d.papers.iter().map(|p| p.pages.len()).sum() }
        })
    }

    fn signed(&self) -> String {
        let papers = self.dossier.as_ref().map_or(&[][..], |d| d.papers.as_slice());
        let sealed: Vec<_> = papers.iter().filter_map(|p| p.sealed.as_ref()).collect();
        match sealed.first() {
            None => "-".into(),
            Some(first) => format!("{} {}", sealed.len(), first.level),
        }
    }

    /// The flags of every page that has any.
    fn flags(&self) -> Vec<serde_json::Value> {
        let pages = self.dossier.iter().flat_map(|d| d.pages.iter().enumerate());
        pages
            .filter_map(|(i, page)| Some((i + 1, page.quality.as_ref().filter(|q| !q.flags.is_empty())?)))
            .map(|(page, quality)| json!({ "page": page, "flags": quality.flags }))
            .collect()
    }

    /// What a person should look at: flags of pages, and findings.
    fn notes(&self) -> usize {
        self.dossier.as_ref().map_or(0, |d| {
            let flags = d.pages.iter().filter_map(|p| p.quality.as_ref()).map(|q| q.flags.len());
            flags.sum::<usize>() + d.findings.len()
        })
    }

    fn receipts(&self) -> (usize, usize) {
        (self.view.parcels.iter().filter(|p| p.receipt.is_some()).count(), self.view.parcels.len())
    }

    fn cells(&self) -> Vec<String> {
        let (receipted, all) = self.receipts();
        vec![
            self.view.label.clone(),
            format!("{} / {}", self.view.state.vi(), self.view.state.as_str()),
            self.verdict(),
            match self.pages() {
                0 => "-".into(),
                count => count.to_string(),
            },
            self.notes().to_string(),
            self.signed(),
            if all == 0 { "-".into() } else { format!("{receipted}/{all}") },
            format!("{:.1}", self.view.work_ms as f64 / 1000.0),
        ]
    }

    fn to_json(&self) -> serde_json::Value {
        let (receipted, parcels) = self.receipts();
        json!({
            "run": self.view.id.to_string(), "dossier": self.view.label, "source": self.view.source,
            "pipeline": self.view.pipeline, "state": self.view.state,
            "step": self.view.cursor, "steps": self.view.steps,
            "verdict": self.dossier.as_ref().and_then(|d| d.verdict.as_ref()),
            "pages": self.pages(), "signed": self.signed(), "parcels": parcels, "receipts": receipted,
            "seconds": self.view.work_ms as f64 / 1000.0, "reason": self.view.reason.as_ref().or(self.view.parcels.iter().find_map(|p| p.reason.as_ref())),
            "findings": self.dossier.as_ref().map(|d| &d.findings), "flags": self.flags(),
        })
    }
}
