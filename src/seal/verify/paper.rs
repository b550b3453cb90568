//! The report as a sheet of paper: A4, PDF/A-2b, to be filed with the document that was judged.

use super::report::{Report, Verdict};
use super::told::{Line, Subject, tell};
use crate::fault::Outcome;
use crate::pdf::archive::Metadata;
use crate::pdf::font::Font;
use crate::pdf::print::{Grid, Leaf, Mark, UNITS_PER_INCH, print_all, width_pt};
use unicode_normalization::UnicodeNormalization;

/// Prints the report. The same report and subject always give the same bytes.
///
/// # Errors
/// A report of more pages than a PDF of ours may have.
pub fn print(report: &Report, subject: &Subject) -> Outcome<Vec<u8>> {
    let meta = Metadata {
        title: format!("Kết quả kiểm tra chữ ký số: {}", subject.name),
        created: Some(subject.judged_at),
        creator_tool: "hoso verify".to_owned(),
        dossier_code: None,
    };
    print_all(&leaves(report, subject)?, &meta)
}

/// Lays the report out, from the top of the first sheet to the foot of the last.
fn leaves(report: &Report, subject: &Subject) -> Outcome<Vec<Leaf>> {
    let mut sheet = Sheet { leaves: vec![Vec::new()], y: TOP_MM };
    sheet.centred(16.0, true, "KẾT QUẢ KIỂM TRA CHỮ KÝ SỐ");
    sheet.centred(11.0, false, "signature verification report");
    sheet.y += 4.0;
    for line in tell(report, subject) {
        match line {
            Line::Conclusion { text } => {
                sheet.centred(18.0, true, &text);
                sheet.text(LEFT_MM, 10.0, false, meaning(report.verdict))?;
                sheet.y += 2.0;
            }
            Line::Heading { text } => {
                sheet.y += 3.0;
                // A heading does not stand alone at the foot of a page.
                sheet.room(24.0);
                sheet.text(LEFT_MM, 12.0, true, &text)?;
                sheet.rule();
            }
            Line::Item { name, value } => sheet.item(&name, &value)?,
            Line::Reason { code, vi, en } => {
                sheet.room(12.0);
                sheet.text(LEFT_MM, 10.0, true, &code)?;
                sheet.text(LEFT_MM + 4.0, 10.0, false, &vi)?;
                sheet.text(LEFT_MM + 4.0, 10.0, false, &en)?;
                sheet.y += 1.0;
            }
        }
    }
    let count = sheet.leaves.len();
    let sheets = sheet.leaves.into_iter().zip(1..).map(|(mut marks, number)| {
        let text = format!("{number}/{count}");
        marks.push(Mark::Text { at_mm: [A4_MM[0] / 2.0, A4_MM[1] - 10.0], size_pt: 9.0, bold: false, text });
        Leaf { size_mm: A4_MM, marks }
    });
    Ok(sheets.collect())
}

/// What the conclusion means for whoever holds the paper.
fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Valid => {
            "Tài liệu toàn vẹn, chữ ký của người được tin cậy. / The document is whole, and whoever signed is trusted."
        }
        Verdict::Indeterminate => {
            "Chưa đủ căn cứ để kết luận; xem lý do bên dưới. / There is not enough to conclude; see the reasons below."
        }
        Verdict::Invalid => {
            "Không dùng tài liệu này làm căn cứ; xem lý do bên dưới. / Do not rely on this document; see the reasons below."
        }
    }
}

/// Sheets under the pen.
struct Sheet {
    leaves: Vec<Vec<Mark>>,
    /// Where the next line begins, from the top of the sheet.
    y: f64,
}

impl Sheet {
    /// Begins another sheet where less than so much is left.
    fn room(&mut self, height_mm: f64) {
        if self.y + height_mm > A4_MM[1] - FOOT_MM {
            self.leaves.push(Vec::new());
            self.y = TOP_MM;
        }
    }

    fn push(&mut self, mark: Mark) {
        if let Some(marks) = self.leaves.last_mut() {
            marks.push(mark);
        }
    }

    fn centred(&mut self, size_pt: f64, bold: bool, text: &str) {
        self.y += size_pt * LINE_MM_PER_PT;
        let (at_mm, text) = ([A4_MM[0] / 2.0, self.y], drawable(text));
        self.push(Mark::Text { at_mm, size_pt, bold, text });
    }

    /// Text from `left_mm` to the right margin, broken between words.
    fn text(&mut self, left_mm: f64, size_pt: f64, bold: bool, text: &str) -> Outcome<()> {
        let width_mm = A4_MM[0] - RIGHT_MM - left_mm;
        for line in broken(&drawable(text), bold, size_pt, width_mm)? {
            self.room(size_pt * LINE_MM_PER_PT);
            self.y += size_pt * LINE_MM_PER_PT;
            self.push(Mark::Line { at_mm: [left_mm, self.y], size_pt, bold, text: line });
        }
        Ok(())
    }

    /// A name at the left, its value beside it.
    fn item(&mut self, name: &str, value: &str) -> Outcome<()> {
        let size_pt = 10.5;
        let values = broken(&drawable(value), false, size_pt, A4_MM[0] - RIGHT_MM - VALUE_MM)?;
        let names = broken(&drawable(name), false, size_pt, VALUE_MM - LEFT_MM - 3.0)?;
        for at in 0..values.len().max(names.len()) {
            self.room(size_pt * LINE_MM_PER_PT);
            self.y += size_pt * LINE_MM_PER_PT;
            for (left, bold, lines) in [(LEFT_MM, false, &names), (VALUE_MM, false, &values)] {
                if let Some(text) = lines.get(at) {
                    self.push(Mark::Line { at_mm: [left, self.y], size_pt, bold, text: text.clone() });
                }
            }
        }
        Ok(())
    }

    /// A thin line across the sheet.
    fn rule(&mut self) {
        self.y += 1.5;
        let units = |mm: f64| (mm / 25.4 * f64::from(UNITS_PER_INCH)).round() as u32;
        let module = [units(A4_MM[0] - LEFT_MM - RIGHT_MM), 2];
        self.push(Mark::Grid(Grid { at: [units(LEFT_MM), units(self.y)], module, rows: vec![vec![true]] }));
        self.y += 0.5;
    }
}

/// Lines no wider than `width_mm`; a word that is wider is cut.
fn broken(text: &str, bold: bool, size_pt: f64, width_mm: f64) -> Outcome<Vec<String>> {
    let font = if bold { Font::serif_bold() } else { Font::serif() };
    let widest = width_mm * 72.0 / 25.4;
    let fits = |text: &str| -> Outcome<bool> { Ok(width_pt(font, text, size_pt)? <= widest) };
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split_whitespace() {
        let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        if fits(&longer)? {
            line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for letter in word.chars() {
            line.push(letter);
            if !fits(&line)? {
                line.pop();
                lines.push(std::mem::replace(&mut line, letter.to_string()));
            }
        }
    }
    lines.push(line);
    Ok(lines)
}

/// Names out of a file may hold anything: what the font cannot draw becomes a question mark, and what goes on for ever
/// is cut.
fn drawable(text: &str) -> String {
    let letters = text.nfc().take(MAX_LETTERS).map(|letter| {
        let drawn = Font::serif().layout(letter.encode_utf8(&mut [0; 4])).is_ok()
            && Font::serif_bold().layout(letter.encode_utf8(&mut [0; 4])).is_ok();
        if drawn || letter == ' ' { letter } else { '?' }
    });
    letters.collect()
}

const A4_MM: [f64; 2] = [210.0, 297.0];
const TOP_MM: f64 = 20.0;
const FOOT_MM: f64 = 20.0;
const LEFT_MM: f64 = 25.0;
const RIGHT_MM: f64 = 20.0;
/// Where values begin.
const VALUE_MM: f64 = 90.0;
/// Height of a line for each point of its type.
const LINE_MM_PER_PT: f64 = 1.25 * 25.4 / 72.0;
const MAX_LETTERS: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;
    use crate::seal::verify::report::Reason;

    fn subject(name: &str) -> Subject {
        let judged_at = jiff::Timestamp::UNIX_EPOCH;
        Subject { name: name.to_owned(), sha256: Some(Sha256::of(b"x")), judged_at, as_of: None }
    }

    fn report(reasons: usize) -> Report {
        let reason = |n: usize| Reason {
            code: format!("VRFY-{n:03}"),
            vi: "Tài liệu đã bị sửa đổi trái phép sau khi ký ".repeat(4),
            en: "the document was changed after it was signed ".repeat(4),
        };
        Report {
            verdict: Verdict::Invalid,
            signatures: Vec::new(),
            reasons: (0..reasons).map(reason).collect(),
        }
    }

    #[test]
    fn nothing_leaves_the_sheet_however_long_the_report() {
        let leaves = leaves(&report(150), &subject(&"tên-rất-dài".repeat(40))).unwrap();
        assert!(leaves.len() > 5);
        for mark in leaves.iter().flat_map(|leaf| &leaf.marks) {
            let (right, base) = match mark {
                Mark::Line { at_mm: [x, y], size_pt, bold, text } => {
                    let font = if *bold { Font::serif_bold() } else { Font::serif() };
                    (x + width_pt(font, text, *size_pt).unwrap() * 25.4 / 72.0, *y)
                }
                Mark::Text { at_mm: [_, y], .. } => (0.0, *y),
                Mark::Grid(grid) => (0.0, f64::from(grid.at[1]) / 300.0 * 25.4),
            };
            assert!(right <= 190.1 && base <= 288.0, "{right} {base} {mark:?}");
        }
    }

    #[test]
    fn letters_that_the_font_lacks_do_not_stop_the_report() {
        let name = "字\u{0}\u{202e}😀 Nguyễn\n";
        let pdf = print(&report(1), &subject(name)).unwrap();
        assert!(pdf.starts_with(b"%PDF-1.7"));
        assert_eq!(drawable(name), "???? Nguyễn?");
    }
}
