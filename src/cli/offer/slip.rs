//! The sheet that a citizen takes home: what is offered, a QR that a wallet scans, the same link in letters, the last day.
//!
//! The PIN is the other half of the offer and is told apart from it: it stands on the sheet only when asked for, below a line
//! along which it is torn off.

use crate::clock::vietnam_time;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pdf::archive::Metadata;
use crate::pdf::font::Font;
use crate::pdf::print::{self, Grid, Leaf, Mark, UNITS_PER_INCH, width_pt};
use crate::staged::Staged;
use qrcode::{Color, EcLevel, QrCode};
use std::io::Write as _;
use std::path::Path;

/// The size of the sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Paper {
    /// 148 x 210 mm.
    A5,
    /// 210 x 297 mm.
    A4,
}

impl Paper {
    fn size_mm(self) -> [f64; 2] {
        match self {
            Paper::A5 => [148.0, 210.0],
            Paper::A4 => [210.0, 297.0],
        }
    }
}

/// What stands on a sheet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slip<'a> {
    /// The office's name.
    pub(super) office: &'a str,
    /// What the result is called.
    pub(super) title: Option<&'a str>,
    /// The dossier's code.
    pub(super) dossier: Option<&'a str>,
    /// The link that wallets open.
    pub(super) uri: &'a str,
    /// When the offer ends, seconds since 1970.
    pub(super) until: i64,
    /// How many digits the PIN has.
    pub(super) digits: usize,
    /// The PIN, where it is printed.
    pub(super) pin: Option<&'a str>,
}

/// Draws a sheet.
///
/// # Errors
/// [`TOO_LONG`] for a link that no QR of this size holds; a letter that the font lacks.
pub(super) fn draw(slip: &Slip<'_>, paper: Paper) -> Outcome<Leaf> {
    let size_mm = paper.size_mm();
    let mut sheet = Sheet { scale: size_mm[0] / 148.0, width_mm: size_mm[0], marks: Vec::new() };
    sheet.centred(14.0, 11.0, false, slip.office)?;
    sheet.centred(24.0, 17.0, true, "PHIẾU NHẬN KẾT QUẢ ĐIỆN TỬ")?;
    let title = slip.title.unwrap_or("Kết quả giải quyết thủ tục hành chính");
    let mut base = 33.0;
    for line in sheet.wrapped(13.0, true, title, 2)? {
        sheet.centred(base, 13.0, true, &line)?;
        base += 6.0;
    }
    if let Some(dossier) = slip.dossier {
        sheet.centred(base, 10.5, false, &format!("Mã hồ sơ: {dossier}"))?;
    }
    sheet.qr(slip.uri, 51.0, 66.0)?;
    let mut base = 124.0;
    sheet.centred(base, 12.5, true, &format!("Dùng trước {}", in_words(slip.until)))?;
    base += 8.0;
    let digits = slip.digits;
    let told = if slip.pin.is_some() { "ở phần cắt rời" } else { "do cán bộ báo riêng" };
    for line in [
        "1. Mở ứng dụng ví trên điện thoại và quét mã vuông ở trên.".to_owned(),
        format!("2. Nhập mã PIN {digits} chữ số {told}; sai năm lần thì phiếu hết hiệu lực."),
        "3. Mỗi phiếu chỉ nhận được một lần, vào một ví. Đừng để ai chụp phiếu này.".to_owned(),
        "Không có ví: mang phiếu này tới bộ phận một cửa để nhận bản giấy.".to_owned(),
    ] {
        for part in sheet.wrapped(10.5, false, &line, 3)? {
            sheet.at_left(base, 10.5, false, &part)?;
            base += 5.2;
        }
    }
    base += 1.0;
    sheet.at_left(base, 8.0, false, "Mở trên điện thoại bằng đường dẫn:")?;
    for part in sheet.broken(6.5, slip.uri)? {
        base += 3.2;
        sheet.at_left(base, 6.5, false, &part)?;
    }
    if let Some(pin) = slip.pin {
        sheet.dashes(181.0);
        sheet.centred(187.0, 9.0, false, "Cắt rời phần này, giữ riêng với phiếu")?;
        sheet.centred(199.0, 26.0, true, &format!("Mã PIN: {}", grouped(pin)))?;
    }
    Ok(Leaf { size_mm, marks: sheet.marks })
}

/// Prints sheets into one file, for its owner alone: whoever has it has half of the offer.
///
/// # Errors
/// [`UNWRITABLE`]; those of [`print::print_all`].
pub(super) fn write(leaves: &[Leaf], target: &Path) -> Outcome<()> {
    let meta = Metadata {
        title: "Phiếu nhận kết quả điện tử".to_owned(),
        created: Some(jiff::Timestamp::now()),
        creator_tool: "hoso offer".to_owned(),
        dossier_code: None,
    };
    let pdf = print::print_all(leaves, &meta)?;
    let write = || -> std::io::Result<()> {
        let staged = Staged::beside(target, 0o600)?;
        staged.file().write_all(&pdf)?;
        staged.publish()
    };
    write().map_err(|e| Fault::new(&UNWRITABLE).detail(e).at(target.display()))
}

/// What is drawn, in millimetres of A5 from its upper left corner; larger paper is the same, larger.
struct Sheet {
    scale: f64,
    width_mm: f64,
    marks: Vec<Mark>,
}

impl Sheet {
    fn centred(&mut self, base: f64, size: f64, bold: bool, text: &str) -> Outcome<()> {
        let size_pt = self.fitting(size, bold, text)?;
        let at_mm = [self.width_mm / 2.0, base * self.scale];
        self.marks.push(Mark::Text { at_mm, size_pt, bold, text: text.to_owned() });
        Ok(())
    }

    fn at_left(&mut self, base: f64, size: f64, bold: bool, text: &str) -> Outcome<()> {
        let size_pt = self.fitting(size, bold, text)?;
        let at_mm = [MARGIN * self.scale, base * self.scale];
        self.marks.push(Mark::Line { at_mm, size_pt, bold, text: text.to_owned() });
        Ok(())
    }

    /// The size, smaller where the line would be wider than the sheet.
    fn fitting(&self, size: f64, bold: bool, text: &str) -> Outcome<f64> {
        let widest = self.widest_pt() / width_pt(font(bold), text, 1.0)?.max(f64::MIN_POSITIVE);
        Ok((size * self.scale).min(widest))
    }

    fn widest_pt(&self) -> f64 {
        (self.width_mm - 2.0 * MARGIN * self.scale) * 72.0 / 25.4
    }

    /// Words in as many lines as it takes; the last of `most` takes all that is left and is made smaller.
    fn wrapped(&self, size: f64, bold: bool, text: &str, most: usize) -> Outcome<Vec<String>> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            if let Some(line) = lines.last_mut() {
                let longer = format!("{line} {word}");
                if width_pt(font(bold), &longer, size * self.scale)? <= self.widest_pt() {
                    *line = longer;
                    continue;
                }
            }
            if lines.len() < most {
                lines.push(word.to_owned());
            } else if let Some(line) = lines.last_mut() {
                line.push(' ');
                line.push_str(word);
            }
        }
        Ok(lines)
    }

    /// A long word in as many lines as it takes, broken anywhere.
    fn broken(&self, size: f64, text: &str) -> Outcome<Vec<String>> {
        let mut lines = vec![String::new()];
        for letter in text.chars() {
            let Some(line) = lines.last_mut() else { break };
            line.push(letter);
            if width_pt(Font::serif(), line, size * self.scale)? > self.widest_pt() {
                line.pop();
                lines.push(letter.to_string());
            }
        }
        Ok(lines)
    }

    /// A QR no wider than `widest` millimetres, its modules whole dots of a printer.
    fn qr(&mut self, text: &str, top: f64, widest: f64) -> Outcome<()> {
        let code =
            QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| Fault::new(&TOO_LONG))?;
        let side = code.width();
        let modules = u32::try_from(side).map_err(|_| Fault::new(&TOO_LONG))?;
        let module = units(widest * self.scale) / modules.max(1);
        if module < NARROWEST {
            return Err(Fault::new(&TOO_LONG).detail(format!("{modules} modules")));
        }
        let module = module.min(WIDEST);
        let room = units(self.width_mm).saturating_sub(module * modules) / 2;
        let dark: Vec<bool> = code.into_colors().into_iter().map(|color| color == Color::Dark).collect();
        let rows = dark.chunks(side.max(1)).map(<[bool]>::to_vec).collect();
        // In the middle of its place, whatever its size came to.
        let above = units(widest * self.scale).saturating_sub(module * modules) / 2;
        let at = [room, units(top * self.scale) + above];
        self.marks.push(Mark::Grid(Grid { at, module: [module; 2], rows }));
        Ok(())
    }

    /// A broken line across the sheet.
    fn dashes(&mut self, top: f64) {
        let count = units(self.width_mm) / DASH;
        let row = (0..count).map(|at| at % 2 == 0).collect();
        let at = [0, units(top * self.scale)];
        self.marks.push(Mark::Grid(Grid { at, module: [DASH, 2], rows: vec![row] }));
    }
}

fn font(bold: bool) -> &'static Font {
    if bold { Font::serif_bold() } else { Font::serif() }
}

fn units(mm: f64) -> u32 {
    (mm / 25.4 * f64::from(UNITS_PER_INCH)).round() as u32
}

/// `15 giờ 05 phút, ngày 29 tháng 11 năm 2026`, by the clock on the wall in Vietnam.
fn in_words(seconds: i64) -> String {
    let text = vietnam_time(seconds.saturating_mul(1000));
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or("").to_owned();
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    // Days and months below ten are written with their nought, as Decree 30/2020 wants it (annex I, 4).
    let month = if month.as_str() < "03" { month } else { month.trim_start_matches('0').to_owned() };
    format!("{} giờ {} phút, ngày {day} tháng {month} năm {year}", part(11..13), part(14..16))
}

/// Digits in threes where that is even, so that they are read off without a mistake.
fn grouped(pin: &str) -> String {
    let digits: Vec<char> = pin.chars().collect();
    let parts: Vec<String> = digits.chunks(3).map(|part| part.iter().collect()).collect();
    parts.join(" ")
}

/// Empty on both sides of the sheet, millimetres of A5.
const MARGIN: f64 = 12.0;
/// Modules of the QR, in [`UNITS_PER_INCH`]: at least 0.51 mm, four pixels at 200 dpi; at most 1.7 mm.
const NARROWEST: u32 = 6;
const WIDEST: u32 = 20;
const DASH: u32 = 18;

/// A link that no QR on this sheet can hold.
pub const TOO_LONG: Code = Code {
    id: "HTTP-074",
    class: Class::Setup,
    vi: "Đường dẫn quá dài để in thành mã QR trên phiếu",
    en: "the link is too long for a QR on the sheet",
    remedy_vi: "Dùng địa chỉ công khai ngắn hơn (--public-url), hoặc --paper a4",
    remedy_en: "use a shorter public address (--public-url), or --paper a4",
};

/// The sheet cannot be written.
pub const UNWRITABLE: Code = Code {
    id: "HTTP-075",
    class: Class::Setup,
    vi: "Không ghi được phiếu nên lời mời vừa lập đã được hủy",
    en: "the sheet cannot be written, so the offer was withdrawn",
    remedy_vi: "Kiểm tra đường dẫn của --slip và quyền ghi, rồi làm lại",
    remedy_en: "check the path of --slip and the right to write, then try again",
};

/// Every code of this file.
pub const CODES: &[&Code] = &[&TOO_LONG, &UNWRITABLE];

#[cfg(test)]
mod tests {
    use super::*;

    fn slip(pin: Option<&str>) -> Slip<'_> {
        Slip {
            office: "Ủy ban nhân dân phường Thành Vinh",
            title: Some("Trích lục khai sinh (bản sao)"),
            dossier: Some("H40.17.5-261121-0006"),
            uri: "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fmot-cua.nghean.gov.vn%2Fh%2Fthanhvinh%2Foffers%2F0123456789012345678901234567890123456789012",
            until: 1_796_000_000,
            digits: 6,
            pin,
        }
    }

    fn texts(leaf: &Leaf) -> String {
        let words = leaf.marks.iter().map(|mark| match mark {
            Mark::Text { text, .. } | Mark::Line { text, .. } => text.as_str(),
            Mark::Grid(_) => "",
        });
        words.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_pin_is_on_the_sheet_only_where_it_was_asked_for() {
        for paper in [Paper::A5, Paper::A4] {
            let without = draw(&slip(None), paper).unwrap();
            assert!(!texts(&without).contains("482"));
            let with = draw(&slip(Some("482913")), paper).unwrap();
            assert!(texts(&with).contains("Mã PIN: 482 913"));
            // The code says the link and nothing else, so that a picture of it is one half only.
            assert_eq!(without.marks.iter().filter(|mark| matches!(mark, Mark::Grid(_))).count(), 1);
        }
    }

    #[test]
    fn everything_lies_within_the_paper() {
        for paper in [Paper::A5, Paper::A4] {
            let long = "Giấy chứng nhận quyền sử dụng đất, quyền sở hữu tài sản gắn liền với đất của hộ gia đình, cá nhân tại khu vực";
            let leaf = draw(&Slip { title: Some(long), ..slip(Some("4829139876")) }, paper).unwrap();
            let [width, height] = leaf.size_mm;
            for mark in &leaf.marks {
                let [left, right, base] = match mark {
                    Mark::Text { at_mm: [x, y], size_pt, bold, text } => {
                        let half = width_pt(font(*bold), text, *size_pt).unwrap() * 25.4 / 144.0;
                        [x - half, x + half, *y]
                    }
                    Mark::Line { at_mm: [x, y], size_pt, bold, text } => {
                        [*x, x + width_pt(font(*bold), text, *size_pt).unwrap() * 25.4 / 72.0, *y]
                    }
                    Mark::Grid(grid) => {
                        let mm = |units: u32| f64::from(units) * 25.4 / f64::from(UNITS_PER_INCH);
                        let wide = u32::try_from(grid.rows[0].len()).unwrap() * grid.module[0];
                        [mm(grid.at[0]), mm(grid.at[0] + wide), mm(grid.at[1])]
                    }
                };
                assert!(left >= -0.01 && right <= width + 0.01 && base < height - 5.0, "{mark:?}");
            }
        }
    }

    #[test]
    fn the_last_moment_is_written_as_offices_write_it() {
        assert_eq!(in_words(1_757_811_909), "08 giờ 05 phút, ngày 14 tháng 9 năm 2025");
        assert_eq!(in_words(1_770_000_000), "09 giờ 40 phút, ngày 02 tháng 02 năm 2026");
    }
}
