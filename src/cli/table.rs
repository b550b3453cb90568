//! Tables for people: columns as wide as their widest cell, numbers to the right.

use crate::shown::plain;
use std::fmt::Write as _;

/// Rows under a heading.
#[derive(Debug, Default)]
pub struct Table {
    heads: Vec<&'static str>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table; a head that begins with `>` is a column of numbers.
    pub fn new(heads: &[&'static str]) -> Self {
        Table {
            heads: heads.iter().map(|h| h.trim_start_matches('>')).collect(),
            right: heads.iter().map(|h| h.starts_with('>')).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row of as many cells as there are heads.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.into_iter().map(|cell| plain(&cell)).collect());
    }

    /// The whole, with a newline at its end.
    pub fn render(&self) -> String {
        let mut widths: Vec<usize> = self.heads.iter().map(|h| width(h)).collect();
        for row in &self.rows {
            for (w, cell) in widths.iter_mut().zip(row) {
                *w = (*w).max(width(cell));
            }
        }
        let mut out = String::new();
        let heads: Vec<String> = self.heads.iter().map(|h| (*h).to_owned()).collect();
        self.line(&mut out, &heads, &widths);
        let rule: Vec<String> = widths.iter().map(|w| "─".repeat(*w)).collect();
        let _ = writeln!(out, "{}", rule.join("  "));
        for row in &self.rows {
            self.line(&mut out, row, &widths);
        }
        out
    }

    fn line(&self, out: &mut String, cells: &[String], widths: &[usize]) {
        let mut text = String::new();
        for ((cell, w), right) in cells.iter().zip(widths).zip(&self.right) {
            let gap = " ".repeat(w.saturating_sub(width(cell)));
            if !text.is_empty() {
                text.push_str("  ");
            }
            if *right {
                text.push_str(&gap);
                text.push_str(cell);
            } else {
                text.push_str(cell);
                text.push_str(&gap);
            }
        }
        let _ = writeln!(out, "{}", text.trim_end());
    }
}

/// How many columns a terminal gives to a text: composed Vietnamese letters take one each.
fn width(text: &str) -> usize {
    use unicode_normalization::UnicodeNormalization;
    text.nfc().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_from_outside_steers_no_terminal() {
        let mut table = Table::new(&["tên"]);
        table.row(vec!["CSCA \u{202e}\u{1b}[2JX".into()]);
        assert!(table.render().ends_with("\nCSCA [2JX\n"));
    }

    #[test]
    fn columns_line_up_under_vietnamese_heads() {
        let mut table = Table::new(&["hồ sơ", ">trang"]);
        table.row(vec!["H40.17.5-261121-0001".into(), "7".into()]);
        assert_eq!(
            table.render(),
            "hồ sơ                 trang\n────────────────────  ─────\nH40.17.5-261121-0001      7\n"
        );
    }
}
