//! Sheets that a clerk prints and lays between dossiers, or on top of one, before a batch is scanned.
//!
//! Each says what it is three times over, twice in bars (Code 128, at the head and at the foot) and once in a QR, so
//! that a fold, a staple or a cut edge hides at most one of them. Bars are at least 0.33 mm wide: 2.6 pixels at
//! 200 dpi. What the codes say is the grammar of [`sheet_text`](super::separate::sheet_text).

mod code_128;

use super::separate::sheet_text::{Cover, SheetText};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pdf::font::Font;
use crate::pdf::print::{Grid, Leaf, Mark, UNITS_PER_INCH, width_pt};
use qrcode::{Color, EcLevel, QrCode};

/// Draws a sheet on A4.
///
/// # Errors
/// [`TOO_LONG`] where a text does not fit the width of the paper in bars of 0.33 mm.
pub fn draw(sheet: &SheetText) -> Outcome<Leaf> {
    let bars = sheet.bars();
    let mut marks = Vec::new();
    for top in [15.0, 257.0] {
        marks.push(Mark::Grid(bar_code(&bars, top)?));
        marks.push(line(top + BAR_HEIGHT_MM + 7.0, 11.0, false, &bars)?);
    }
    let qr = qr_code(&sheet.qr(), 150.0)?;
    marks.push(Mark::Grid(qr));
    let count = match sheet.expected_pages() {
        Some(pages) => format!("Sau tờ này có {pages} trang"),
        None => "Hồ sơ bắt đầu sau tờ này".to_owned(),
    };
    match sheet {
        SheetText::Separator(_) => {
            marks.push(line(74.0, 54.0, true, "TỜ PHÂN CÁCH")?);
            marks.push(line(86.0, 15.0, false, "giữa hai hồ sơ / separator between two dossiers")?);
            marks.push(line(118.0, 48.0, true, &count)?);
        }
        SheetText::Cover(Cover { dossier, procedure, .. }) => {
            marks.push(line(71.0, 54.0, true, "TỜ BÌA HỒ SƠ")?);
            marks.push(line(80.0, 15.0, false, "đặt trên cùng / dossier cover")?);
            marks.push(line(99.0, 44.0, true, &dossier.to_string())?);
            if let Some(procedure) = procedure {
                marks.push(line(112.0, 22.0, false, &format!("Mã thủ tục: {}", procedure.as_str()))?);
            }
            marks.push(line(130.0, 36.0, true, &count)?);
        }
    }
    for (at, text) in ADVICE.iter().enumerate() {
        marks.push(line(218.0 + 8.0 * at as f64, 14.0, false, text)?);
    }
    Ok(Leaf { size_mm: A4_MM, marks })
}

/// Bars as wide as the paper lets them be.
fn bar_code(text: &str, top_mm: f64) -> Outcome<Grid> {
    let row = code_128::modules(text).ok_or_else(|| Fault::new(&TOO_LONG))?;
    let count = u32::try_from(row.len()).map_err(|_| Fault::new(&TOO_LONG))?;
    let paper = units(A4_MM[0]);
    let width = BAR_UNITS.into_iter().find(|width| (count + 2 * BAR_QUIET) * width <= units(WIDEST_MM));
    let width = width.ok_or_else(|| Fault::new(&TOO_LONG).detail(format!("{count} modules")))?;
    let left = (paper - count * width) / 2;
    Ok(Grid { at: [left, units(top_mm)], module: [width, units(BAR_HEIGHT_MM)], rows: vec![row] })
}

fn qr_code(text: &str, top_mm: f64) -> Outcome<Grid> {
    let code = QrCode::with_error_correction_level(text, EcLevel::Q).map_err(|_| Fault::new(&TOO_LONG))?;
    let side = code.width();
    let dark: Vec<bool> = code.into_colors().into_iter().map(|color| color == Color::Dark).collect();
    let width = u32::try_from(side).unwrap_or(u32::MAX).saturating_mul(QR_UNITS);
    let left = units(A4_MM[0]).checked_sub(width).ok_or_else(|| Fault::new(&TOO_LONG))? / 2;
    let rows = dark.chunks(side.max(1)).map(<[bool]>::to_vec).collect();
    Ok(Grid { at: [left, units(top_mm)], module: [QR_UNITS; 2], rows })
}

/// A centred line, smaller where it would be wider than the paper allows.
fn line(base_mm: f64, size_pt: f64, bold: bool, text: &str) -> Outcome<Mark> {
    let font = if bold { Font::serif_bold() } else { Font::serif() };
    let widest = WIDEST_MM * 72.0 / 25.4;
    let size_pt = size_pt.min(widest / width_pt(font, text, 1.0)?.max(f64::MIN_POSITIVE));
    Ok(Mark::Text { at_mm: [A4_MM[0] / 2.0, base_mm], size_pt, bold, text: text.to_owned() })
}

fn units(mm: f64) -> u32 {
    (mm / 25.4 * f64::from(UNITS_PER_INCH)).round() as u32
}

/// What the person who lays it should know.
const ADVICE: [&str; 3] = [
    "Đặt tờ này ngay trước trang đầu của hồ sơ. Số trang không tính tờ này.",
    "Không viết, không đóng dấu, không bấm ghim lên các mã.",
    "In ở tỷ lệ 100 %, giấy trắng A4, một mặt. Dùng lại được nhiều lần khi các mã còn rõ.",
];

const A4_MM: [f64; 2] = [210.0, 297.0];
/// What every printer reaches.
const WIDEST_MM: f64 = 190.0;
const BAR_HEIGHT_MM: f64 = 22.0;
/// Module widths of bars, the first that fits: 0.51, 0.42 and 0.339 mm.
const BAR_UNITS: [u32; 3] = [6, 5, 4];
/// Quiet zone on both sides, modules (ISO/IEC 15417, 4.3.6).
const BAR_QUIET: u32 = 10;
/// 1.27 mm: about ten pixels at 200 dpi.
const QR_UNITS: u32 = 15;

/// A sheet whose codes do not fit the paper.
pub const TOO_LONG: Code = Code {
    id: "SCAN-096",
    class: Class::Input,
    vi: "Nội dung mã dài quá khổ giấy nên không in được tờ này",
    en: "the codes of this sheet do not fit the paper",
    remedy_vi: "Kiểm tra mã hồ sơ và mã thủ tục",
    remedy_en: "look at the dossier code and the procedure code",
};

/// Every code of this file.
pub const CODES: &[&Code] = &[&TOO_LONG];

#[cfg(test)]
mod tests;
