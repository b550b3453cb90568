//! Pages for tests: text-like strokes, QR and bar codes at any size and angle, blur, noise, JPEG.

use super::Format;
use crate::scan::luma::Luma;
use qrcode::{Color, EcLevel, QrCode};

/// A page being drawn.
pub(crate) struct Sheet {
    pub(crate) luma: Luma,
    seed: u64,
}

/// Where and how a code is drawn.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) centre: [f32; 2],
    /// Pixels per module.
    pub(crate) module: f32,
    /// Degrees clockwise.
    pub(crate) degrees: f32,
}

/// A made-up card text of the size that cards have.
pub(crate) const CARD: &str = "001090123456|012345678|NGUYỄN THỊ HỒNG ÁNH|01011990|Nữ|Số 12 ngõ 34 Phường Trường Thi, Thành phố Vinh, Nghệ An|15042021";

impl Sheet {
    /// An empty page of paper.
    pub(crate) fn new(width: usize, height: usize, seed: u64) -> Self {
        Sheet { luma: Luma { width, height, data: vec![238; width * height] }, seed: seed * 2 + 1 }
    }

    /// An A4 page with lines of text.
    pub(crate) fn a4(dpi: usize, seed: u64) -> Self {
        let mut sheet = Sheet::new(dpi * 827 / 100, dpi * 1169 / 100, seed);
        let unit = dpi as f32 / 200.0;
        let (left, right) = ((160.0 * unit) as usize, sheet.luma.width - (120.0 * unit) as usize);
        let mut y = 180.0 * unit;
        while y < sheet.luma.height as f32 - 160.0 * unit {
            sheet.line(left, right, y as usize, unit);
            y += 42.0 * unit;
        }
        sheet
    }

    fn line(&mut self, left: usize, right: usize, y: usize, unit: f32) {
        let mut x = left as f32;
        while x < right as f32 - 30.0 * unit {
            if self.random().is_multiple_of(6) {
                x += 14.0 * unit;
                continue;
            }
            for _ in 0..3 {
                let (dx, dy) = ((self.random() % 12) as f32 * unit, (self.random() % 18) as f32 * unit);
                let upright = self.random().is_multiple_of(2);
                let (w, h) = if upright { (2.6 * unit, 16.0 * unit) } else { (9.0 * unit, 2.2 * unit) };
                self.dark((x + dx) as usize, y + dy as usize / 3, w as usize + 1, h as usize + 1);
            }
            x += 17.0 * unit;
        }
    }

    fn dark(&mut self, x: usize, y: usize, w: usize, h: usize) {
        for row in y..(y + h).min(self.luma.height) {
            for column in x..(x + w).min(self.luma.width) {
                self.luma.data[row * self.luma.width + column] = 40;
            }
        }
    }

    /// Draws a code with a quiet zone of four modules.
    pub(crate) fn code(&mut self, format: Format, text: &str, ec: EcLevel, place: Place) -> &mut Self {
        self.modules(&modules(format, text, ec), place)
    }

    /// Draws rows of modules, true where dark.
    pub(crate) fn modules(&mut self, modules: &[Vec<bool>], place: Place) -> &mut Self {
        let (rows, columns) = (modules.len() as f32, modules[0].len() as f32);
        let (sin, cos) = place.degrees.to_radians().sin_cos();
        let reach = (rows.hypot(columns) / 2.0 + 6.0) * place.module;
        let [cx, cy] = place.centre;
        for y in (cy - reach).max(0.0) as usize..((cy + reach) as usize).min(self.luma.height) {
            for x in (cx - reach).max(0.0) as usize..((cx + reach) as usize).min(self.luma.width) {
                let (mut sum, mut n) = (0.0, 0.0);
                for part in 0..16 {
                    let dx = x as f32 + (part % 4) as f32 / 4.0 - 0.375 - cx;
                    let dy = y as f32 + (part / 4) as f32 / 4.0 - 0.375 - cy;
                    let u = (dx * cos + dy * sin) / place.module + columns / 2.0;
                    let v = (dy * cos - dx * sin) / place.module + rows / 2.0;
                    if u < -4.0 || v < -4.0 || u >= columns + 4.0 || v >= rows + 4.0 {
                        continue;
                    }
                    let on =
                        u >= 0.0 && v >= 0.0 && u < columns && v < rows && modules[v as usize][u as usize];
                    sum += if on { 45.0 } else { 235.0 };
                    n += 1.0;
                }
                if n > 0.0 {
                    let old = f32::from(self.luma.data[y * self.luma.width + x]);
                    self.luma.data[y * self.luma.width + x] = ((sum + (16.0 - n) * old) / 16.0) as u8;
                }
            }
        }
        self
    }

    /// What a scanner does: blur, noise, JPEG of quality 75.
    pub(crate) fn scanned(mut self) -> Luma {
        self.blur();
        for at in 0..self.luma.data.len() {
            let noise = (self.random() % 9 + self.random() % 9) as i16 - 8;
            self.luma.data[at] = (i16::from(self.luma.data[at]) + noise).clamp(0, 255) as u8;
        }
        let mut file = Vec::new();
        let (w, h) = (self.luma.width as u32, self.luma.height as u32);
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 75)
            .encode(&self.luma.data, w, h, image::ExtendedColorType::L8)
            .unwrap();
        self.luma.data = image::load_from_memory(&file).unwrap().into_luma8().into_raw();
        self.luma
    }

    /// What a scanner set to black and white at 300 dpi does: edges are soft, and noise decides where they end.
    pub(crate) fn ragged(mut self) -> Luma {
        for _ in 0..7 {
            self.blur();
        }
        for at in 0..self.luma.data.len() {
            let noise = (self.random() % 37 + self.random() % 37) as i16 - 36;
            self.luma.data[at] = if i16::from(self.luma.data[at]) + noise > 140 { 255 } else { 0 };
        }
        self.luma
    }

    fn blur(&mut self) {
        let (w, h) = (self.luma.width, self.luma.height);
        let old = self.luma.data.clone();
        for y in 1..h - 1 {
            for x in 1..w - 1 {
                let row = |y: usize| {
                    let at = y * w + x;
                    u32::from(old[at - 1]) + 3 * u32::from(old[at]) + u32::from(old[at + 1])
                };
                self.luma.data[y * w + x] = ((row(y - 1) + 3 * row(y) + row(y + 1)) / 25) as u8;
            }
        }
    }

    pub(crate) fn random(&mut self) -> u32 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as u32
    }
}

/// The modules of a code, without quiet zone; bars are a third as high as long.
fn modules(format: Format, text: &str, ec: EcLevel) -> Vec<Vec<bool>> {
    let row = match format {
        Format::QRCode => {
            let code = QrCode::with_error_correction_level(text, ec).unwrap();
            let dark: Vec<bool> = code.to_colors().into_iter().map(|c| c == Color::Dark).collect();
            return dark.chunks(code.width()).map(<[bool]>::to_vec).collect();
        }
        Format::Code128 => code_128(text),
        Format::Code39 => code_39(text),
        Format::PDF417 | Format::DataMatrix => panic!("no writer at hand"),
    };
    vec![row.clone(); row.len() / 3]
}

/// Code set B throughout.
fn code_128(text: &str) -> Vec<bool> {
    let symbols: Vec<usize> = [104].into_iter().chain(text.bytes().map(|b| usize::from(b) - 32)).collect();
    code_128_of(&symbols)
}

/// The modules of symbols, the start symbol first; check and stop symbol are added.
pub(crate) fn code_128_of(symbols: &[usize]) -> Vec<bool> {
    let check = symbols.iter().enumerate().map(|(at, s)| s * at.max(1)).sum::<usize>() % 103;
    let mut row = Vec::new();
    for symbol in symbols.iter().chain(&[check, 106]) {
        for (at, width) in CODE_128[*symbol].bytes().enumerate() {
            row.extend(vec![at % 2 == 0; usize::from(width - b'0')]);
        }
    }
    row
}

/// Wide elements of two and a half would need half modules: three.
fn code_39(text: &str) -> Vec<bool> {
    let mut row = Vec::new();
    for character in format!("*{text}*").chars() {
        let pattern = match "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%".find(character) {
            Some(at) => CODE_39[at],
            None => 0x094,
        };
        for element in 0..9 {
            let wide = pattern >> (8 - element) & 1 == 1;
            row.extend(vec![element % 2 == 0; if wide { 3 } else { 1 }]);
        }
        row.push(false);
    }
    row
}

/// Widths of bars and spaces (ISO/IEC 15417), start B at 104, stop with its last bar at 106.
const CODE_128: [&str; 107] = [
    "212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312", "132212", "221213",
    "221312", "231212", "112232", "122132", "122231", "113222", "123122", "123221", "223211", "221132",
    "221231", "213212", "223112", "312131", "311222", "321122", "321221", "312212", "322112", "322211",
    "212123", "212321", "232121", "111323", "131123", "131321", "112313", "132113", "132311", "211313",
    "231113", "231311", "112133", "112331", "132131", "113123", "113321", "133121", "313121", "211331",
    "231131", "213113", "213311", "213131", "311123", "311321", "331121", "312113", "312311", "332111",
    "314111", "221411", "431111", "111224", "111422", "121124", "121421", "141122", "141221", "112214",
    "112412", "122114", "122411", "142112", "142211", "241211", "221114", "413111", "241112", "134111",
    "111242", "121142", "121241", "114212", "124112", "124211", "411212", "421112", "421211", "212141",
    "214121", "412121", "111143", "111341", "131141", "114113", "114311", "411113", "411311", "113141",
    "114131", "311141", "411131", "211412", "211214", "211232", "2331112",
];

/// Nine elements a character, 1 = wide, the first bar highest (ISO/IEC 16388).
const CODE_39: [u16; 43] = [
    0x034, 0x121, 0x061, 0x160, 0x031, 0x130, 0x070, 0x025, 0x124, 0x064, 0x109, 0x049, 0x148, 0x019, 0x118,
    0x058, 0x00d, 0x10c, 0x04c, 0x01c, 0x103, 0x043, 0x142, 0x013, 0x112, 0x052, 0x007, 0x106, 0x046, 0x016,
    0x181, 0x0c1, 0x1c0, 0x091, 0x190, 0x0d0, 0x085, 0x184, 0x0c4, 0x0a8, 0x0a2, 0x08a, 0x02a,
];
