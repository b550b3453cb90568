use super::*;
use crate::scan::Luma;
use crate::scan::barcode::{Format, Policy, read_page};
use crate::scan::separate::{PageMark, Rules, SheetText, role_of, split};

fn sheets() -> Vec<SheetText> {
    let cover = |dossier: &str, procedure: Option<&str>, expected_pages| {
        let procedure = procedure.map(|p| p.parse().unwrap());
        SheetText::Cover(Cover { dossier: dossier.parse().unwrap(), procedure, expected_pages })
    };
    vec![
        SheetText::Separator(None),
        SheetText::Separator(Some(7)),
        SheetText::Separator(Some(9_999)),
        cover("H49.12.5-250914-0042", None, None),
        cover("H49.12.5-250914-0042", Some("1.005129"), Some(30)),
        cover("000.00.01.H22-250914-000042", Some("3.000181.000.00.00.H22"), Some(9_999)),
    ]
}

fn grids(sheet: &SheetText) -> Vec<Grid> {
    let marks = draw(sheet).unwrap().marks.into_iter();
    marks.filter_map(|mark| if let Mark::Grid(grid) = mark { Some(grid) } else { None }).collect()
}

/// A sheet as a scanner of 200 dpi sees it: its codes, turned by so many degrees, blurred, noisy, JPEG of quality 60.
fn scanned(grids: &[Grid], degrees: f32, blur: usize) -> Luma {
    // The sheet, a sample a unit.
    let (columns, rows) = (2480usize, 3508usize);
    let mut ink = vec![false; columns * rows];
    for grid in grids {
        let [left, top, width, height] =
            [grid.at[0], grid.at[1], grid.module[0], grid.module[1]].map(|n| n as usize);
        for (row, column) in
            (0..grid.rows.len() * height).flat_map(|r| (0..grid.rows[0].len() * width).map(move |c| (r, c)))
        {
            ink[(top + row) * columns + left + column] = grid.rows[row / height][column / width];
        }
    }
    let (width, height) = if degrees == 90.0 { (2339usize, 1654usize) } else { (1654, 2339) };
    let (sin, cos) = degrees.to_radians().sin_cos();
    let dark = |x: f32, y: f32| {
        let (dx, dy) = (x - width as f32 / 2.0, y - height as f32 / 2.0);
        let u = (dx * cos + dy * sin) * 1.5 + columns as f32 / 2.0;
        let v = (dy * cos - dx * sin) * 1.5 + rows as f32 / 2.0;
        u >= 0.0
            && v >= 0.0
            && u < columns as f32
            && v < rows as f32
            && ink[v as usize * columns + u as usize]
    };
    let mut data = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let part = |n: usize| (n as f32 + 0.5) / 2.0;
            let on = (0..4).filter(|s| dark(x as f32 + part(s % 2), y as f32 + part(s / 2))).count();
            data.push(235 - (on * 190 / 4) as u8);
        }
    }
    let mut seed = 7u32;
    for _ in 0..blur {
        let old = data.clone();
        for y in 1..height - 1 {
            for x in 1..width - 1 {
                let at = y * width + x;
                let around = [at - 1, at + 1, at - width, at + width];
                let sum: u32 = around.iter().map(|i| u32::from(old[*i])).sum();
                data[at] = ((sum + 4 * u32::from(old[at])) / 8) as u8;
            }
        }
    }
    for sample in &mut data {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *sample = (i16::from(*sample) + (seed >> 28) as i16 - 8).clamp(0, 255) as u8;
    }
    let mut file = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 60)
        .encode(&data, width as u32, height as u32, image::ExtendedColorType::L8)
        .unwrap();
    let data = image::load_from_memory(&file).unwrap().into_luma8().into_raw();
    Luma::new(width, height, data).unwrap()
}

#[test]
fn our_own_reader_reads_every_sheet_at_200_dpi_however_it_lay_in_the_feeder() {
    for (at, sheet) in sheets().iter().enumerate() {
        let grids = grids(sheet);
        let ways = [(0.0, 1), (177.5, 2), (90.0, 1), (180.0, 1), (3.0, 1), (-4.0, 2)];
        for (degrees, blur) in [ways[at % 6], ways[(at + 3) % 6]] {
            let page = read_page(&scanned(&grids, degrees, blur), Some(200.0), &Policy::default());
            let mut found: Vec<_> = page.codes.iter().map(|c| (c.format, c.text.clone())).collect();
            found.sort();
            let bars = || (Format::Code128, sheet.bars());
            assert_eq!(found, [(Format::QRCode, sheet.qr()), bars(), bars()], "sheet {at} at {degrees}");
            let roles = page.codes.iter().map(|c| role_of(c.format, &c.text)).collect();
            let mark = PageMark { roles, ..PageMark::default() };
            let segments = split(&[mark], &Rules::default()).segments;
            assert_eq!((segments.len(), segments[0].separator), (1, Some(0)));
            assert_eq!(segments[0].expected_pages, sheet.expected_pages());
        }
    }
}

#[test]
fn either_code_alone_makes_the_sheet_a_separator() {
    for sheet in sheets() {
        for (format, text) in [(Format::Code128, sheet.bars()), (Format::QRCode, sheet.qr())] {
            let mark = PageMark { roles: vec![role_of(format, &text)], ..PageMark::default() };
            let segments = split(&[mark], &Rules::default()).segments;
            assert_eq!(segments[0].separator, Some(0), "{text}");
            assert_eq!(segments[0].expected_pages, sheet.expected_pages(), "{text}");
        }
    }
}

#[test]
fn bars_are_wide_enough_lie_on_printer_dots_and_keep_their_quiet_zones() {
    for sheet in sheets() {
        for grid in grids(&sheet) {
            let mm = |units: u32| f64::from(units) / f64::from(UNITS_PER_INCH) * 25.4;
            assert!(mm(grid.module[0]) >= 0.33);
            let columns = u32::try_from(grid.rows[0].len()).unwrap();
            let right = grid.at[0] + columns * grid.module[0];
            let quiet = mm(10 * grid.module[0]);
            assert!(mm(grid.at[0]) >= quiet + 5.0 && mm(right) <= 205.0 - quiet, "{}", sheet.bars());
        }
    }
}

#[test]
fn nothing_on_a_sheet_stands_on_something_else() {
    for sheet in sheets() {
        let boxes: Vec<[f64; 2]> = draw(&sheet)
            .unwrap()
            .marks
            .iter()
            .map(|mark| match mark {
                Mark::Text { at_mm: [_, y], size_pt, .. } | Mark::Line { at_mm: [_, y], size_pt, .. } => {
                    [y - size_pt * 0.3, y + size_pt * 0.08]
                }
                Mark::Grid(grid) => {
                    let mm = |units: u32| f64::from(units) / f64::from(UNITS_PER_INCH) * 25.4;
                    let rows = u32::try_from(grid.rows.len()).unwrap();
                    // With the quiet zone of a QR.
                    let quiet = if rows > 1 { 4.0 * mm(grid.module[1]) } else { 0.0 };
                    [mm(grid.at[1]) - quiet, mm(grid.at[1] + rows * grid.module[1]) + quiet]
                }
            })
            .collect();
        for (at, one) in boxes.iter().enumerate() {
            assert!(one[0] > 5.0 && one[1] < 292.0, "{one:?}");
            assert!(boxes[..at].iter().all(|two| one[1] <= two[0] || two[1] <= one[0]), "{sheet:?} {one:?}");
        }
    }
}
