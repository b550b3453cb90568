//! The search for codes: drawn pages, hostile planes, photographs that others took.

use super::sample::{CARD, Place, Sheet};
use super::*;
use qrcode::EcLevel;
use std::path::PathBuf;

fn texts(page: &PageCodes) -> Vec<(Format, &str)> {
    page.codes.iter().map(|code| (code.format, code.text.as_str())).collect()
}

#[test]
fn a_card_code_of_two_pixels_a_module_is_read_at_any_turn() {
    let mut missed = Vec::new();
    let (mut tried, mut seed) = (0, 0);
    for module in [1.8, 2.0, 2.2, 2.6] {
        for ec in [EcLevel::L, EcLevel::M] {
            for degrees in [0.0, 90.0, 3.0, -3.0, 7.0, 180.0, 271.2, 45.0] {
                seed += 1;
                let mut sheet = Sheet::a4(200, seed);
                let place = [500.3 + (seed % 7) as f32 * 41.37, 700.7 + (seed % 5) as f32 * 133.21];
                sheet.code(Format::QRCode, CARD, ec, Place { centre: place, module, degrees });
                let page = read_page(&sheet.scanned(), Some(200.0), &Policy::default());
                tried += 1;
                match &page.codes[..] {
                    [code] if code.text == CARD => {
                        assert_eq!(code.bytes, CARD.as_bytes());
                        assert!((code.module_px - module).abs() < 0.15, "{} {module}", code.module_px);
                        let [x, y] = centre(&code.corners);
                        assert!((x - place[0]).abs() < 3.0 && (y - place[1]).abs() < 3.0);
                    }
                    [] => missed.push((module, ec, degrees)),
                    other => panic!("wrong codes: {other:?}"),
                }
            }
        }
    }
    eprintln!("card codes: {} of {tried}, missed {missed:?}", tried - missed.len());
    assert!(missed.len() * 20 <= tried, "{missed:?}");
}

#[test]
fn bars_and_dots_are_read_on_one_page_at_200_dpi() {
    for (seed, degrees) in [(1, 0.0), (2, 2.0), (3, -5.0), (4, 90.0), (5, 180.0)] {
        let mut sheet = Sheet::a4(200, seed);
        let wanted = [
            (Format::Code128, "H49.12.5-250914-0042", [600.0, 420.0], 2.6),
            (Format::QRCode, "hoso:1;d=H49.12.5-250914-0042", [300.0, 800.0], 3.0),
            (Format::Code39, "HOSO-SEP-5", [900.0, 1300.0], 2.6),
        ];
        for (format, text, centre, module) in wanted {
            sheet.code(format, text, EcLevel::M, Place { centre, module, degrees });
        }
        let page = read_page(&sheet.scanned(), Some(200.0), &Policy::default());
        let mut found = texts(&page);
        let mut wanted = wanted.map(|w| (w.0, w.1));
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "at {degrees} degrees: {:?}", page.codes);
    }
}

#[test]
fn bars_of_ragged_edges_are_read_once_each() {
    for module in [4.0, 6.0] {
        let mut sheet = Sheet::a4(300, 1);
        for y in [900.0, 2600.0] {
            let place = Place { centre: [1240.0, y], module, degrees: 0.0 };
            sheet.code(Format::Code128, "HOSO-SEP-4", EcLevel::M, place);
        }
        let page = read_page(&sheet.ragged(), Some(300.0), &Policy::default());
        let bars = (Format::Code128, "HOSO-SEP-4");
        assert_eq!(texts(&page), [bars, bars], "{module} px");
        assert!(page.codes.iter().all(|code| (code.module_px - module).abs() < 0.2), "{page:?}");
    }
}

#[test]
fn equal_codes_on_one_page_are_all_found_from_top_to_bottom() {
    let mut sheet = Sheet::a4(200, 9);
    for y in [500.0, 900.0] {
        sheet.code(Format::QRCode, CARD, EcLevel::M, Place { centre: [700.0, y], module: 2.2, degrees: 1.0 });
    }
    for y in [1300.0, 1900.0] {
        let place = Place { centre: [800.0, y], module: 2.4, degrees: 0.0 };
        sheet.code(Format::Code128, "PATCHT", EcLevel::M, place);
    }
    let page = read_page(&sheet.scanned(), None, &Policy::default());
    let found = texts(&page);
    let (qr, bars) = ((Format::QRCode, CARD), (Format::Code128, "PATCHT"));
    assert_eq!(found, [qr, qr, bars, bars]);
    assert_eq!(page.searched, Searched::Localised);
    assert!(!format!("{page:?}").contains("001090123456"));
}

#[test]
fn a_small_picture_is_searched_whole_and_says_so() {
    let mut sheet = Sheet::new(700, 450, 3);
    sheet.code(Format::QRCode, CARD, EcLevel::L, Place { centre: [500.0, 200.0], module: 2.4, degrees: 4.0 });
    let page = read_page(&sheet.scanned(), None, &Policy::default());
    assert_eq!((texts(&page), page.searched), (vec![(Format::QRCode, CARD)], Searched::WholeImage));
}

#[test]
fn a_page_of_text_has_no_code_and_few_small_regions() {
    let luma = Sheet::a4(200, 21).scanned();
    let regions: Vec<_> = locate::survey(&luma, Some(200.0)).into_iter().flat_map(|s| s.regions).collect();
    assert!(regions.iter().all(|r| r.cells < 40) && regions.len() < 60, "{regions:?}");
    let started = ran();
    assert!(read_page(&luma, Some(200.0), &Policy::default()).codes.is_empty());
    eprintln!("no-code page at 200 dpi: {:.1} ms", ran() - started);
}

#[test]
fn odd_planes_have_no_code_and_no_panic() {
    for (width, height, data) in [
        (0, 0, Vec::new()),
        (1, 1, vec![0]),
        (3, 5, vec![9; 15]),
        (40, 1, vec![0; 40]),
        (1, 3000, vec![255; 3000]),
        (10, 10, vec![0; 99]),
        (usize::MAX, 2, Vec::new()),
    ] {
        assert!(read_page(&Luma { width, height, data }, None, &Policy::default()).codes.is_empty());
    }
    let mut sheet = Sheet::new(1700, 1300, 5);
    for at in 0..sheet.luma.data.len() {
        sheet.luma.data[at] = if sheet.random().is_multiple_of(2) { 0 } else { 255 };
    }
    let started = ran();
    assert!(read_page(&sheet.luma, Some(f32::NAN), &Policy::default()).codes.is_empty());
    eprintln!("noise of 2.2 megapixels: {:.0} ms", ran() - started);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]
    #[test]
    fn any_small_picture_is_survived(width in 1usize..90, data in proptest::collection::vec(0u8.., 1..4000)) {
        let height = data.len() / width;
        let luma = Luma { width, height, data: data[..width * height].to_vec() };
        read_page(&luma, None, &Policy::default());
    }
}

/// Milliseconds this thread has run, where the system tells; waiting for a core does not count.
fn ran() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    nanos.unwrap_or_default() / 1e6
}

fn shared(folder: &str) -> Option<PathBuf> {
    let base = std::env::var_os("HOSO_SHARED_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")), PathBuf::from);
    let path = base.join(folder);
    if !path.is_dir() {
        eprintln!("skipped: no shared data beside the checkout");
        return None;
    }
    Some(path)
}

/// Pictures of a folder with the text beside each, if any.
fn pictures(folder: &str) -> Vec<(PathBuf, Luma, Option<String>)> {
    let Some(path) = shared(folder) else { return Vec::new() };
    let mut names: Vec<PathBuf> = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let open = |name: PathBuf| {
        let image = image::open(&name).ok()?.into_luma8();
        let (width, height) = (image.width() as usize, image.height() as usize);
        let text = std::fs::read(name.with_extension("txt")).ok();
        let text = text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Some((name, Luma { width, height, data: image.into_raw() }, text))
    };
    names.into_iter().filter_map(open).collect()
}

#[test]
fn photographs_that_nobody_here_took_give_the_right_text_or_none() {
    for (folder, least) in [
        ("qrcode-3", 42),
        ("code128-1", 7),
        ("code39-1", 4),
        ("pdf417-1", 12),
        ("datamatrix-1", 21),
        ("falsepositives-2", 0),
    ] {
        let (mut hits, mut all, mut slowest, started) = (0, 0, 0f64, ran());
        for (name, luma, text) in pictures(&format!("barcodes/{folder}")) {
            let start = ran();
            let page = read_page(&luma, None, &Policy::default());
            slowest = slowest.max(ran() - start);
            all += 1;
            let raw = std::fs::read(name.with_extension("bin")).ok();
            for code in &page.codes {
                let right = Some(&code.text) == text.as_ref() || Some(&code.bytes) == raw.as_ref();
                assert!(right, "{name:?}: {:?} instead of {text:?}", code.text);
            }
            hits += usize::from(!page.codes.is_empty());
        }
        eprintln!("{folder}: {hits} of {all}, {:.0} ms, slowest {slowest:.0} ms", ran() - started);
        assert!(all == 0 || hits >= least, "{folder}: {hits}");
    }
}

#[test]
fn real_scans_hold_none_of_these_codes() {
    for (name, luma, _) in pictures("scans") {
        let start = ran();
        let page = read_page(&luma, None, &Policy::default());
        let took = ran() - start;
        let regions: usize = locate::survey(&luma, None).iter().map(|s| s.regions.len()).sum();
        eprintln!("{name:?} {}x{} {regions} regions {took:.0} ms", luma.width, luma.height);
        assert!(page.codes.is_empty(), "{name:?}: {:?}", texts(&page));
    }
}

/// Planes made to look like codes everywhere, or to have no room for one.
fn hostile(kind: usize, width: usize, height: usize, period: usize) -> Luma {
    let finder = |x: usize, y: usize| {
        let ring = x.abs_diff(4).max(y.abs_diff(4));
        ring <= 1 || ring == 3
    };
    let even = |at: usize, of: usize| (at / period).is_multiple_of(of);
    let dark = |x: usize, y: usize| match kind {
        0 => even(x, 2),
        1 => even(y, 2),
        2 => (x / period + y / period).is_multiple_of(2),
        3 => finder(x / period % 9, y / period % 9),
        4 => even(x, 12) || even(y, 12),
        5 => even(x + y, 2),
        6 => even(x * y, 3),
        _ => ((x / period % 17) * 7 % 17).is_multiple_of(2),
    };
    let data = (0..width * height).map(|at| if dark(at % width, at / width) { 20 } else { 235 }).collect();
    Luma { width, height, data }
}

#[test]
fn planes_full_of_what_codes_are_made_of_are_survived_within_the_budget() {
    let mut slowest = 0f64;
    for kind in 0..8 {
        for period in [1, 2, 3, 5, 8] {
            for (width, height) in [(9, 9), (40, 300), (160, 120), (1653, 1300)] {
                if width > 1000 && period != 3 {
                    continue;
                }
                let luma = hostile(kind, width, height, period);
                let started = ran();
                let page = read_page(&luma, Some(200.0), &Policy::default());
                slowest = slowest.max(ran() - started);
                assert!(page.codes.len() <= MOST_CODES);
            }
        }
    }
    eprintln!("slowest hostile plane: {slowest:.0} ms");
}

#[test]
fn a_stage_that_is_left_out_finds_nothing() {
    let mut sheet = Sheet::a4(200, 4);
    let place = Place { centre: [700.0, 900.0], module: 3.0, degrees: 2.0 };
    sheet.code(Format::QRCode, CARD, EcLevel::M, place);
    let luma = sheet.scanned();
    let found = |stages: &[Stage]| {
        let policy = Policy { stages: stages.to_vec(), ..Policy::default() };
        read_page(&luma, Some(200.0), &policy).codes.iter().map(|code| code.found_by).collect::<Vec<_>>()
    };
    assert_eq!(found(&Stage::ALL), [Stage::Finders]);
    assert_eq!(found(&[Stage::Corners, Stage::Whole]), []);
}

/// A Data Matrix made by another program, a row a number, the left module highest.
const MATRIX: [u32; 12] = [
    0x2aaaaaa, 0x2c43503, 0x28160ca, 0x2358103, 0x3834a90, 0x31340f1, 0x24be47a, 0x29af97b, 0x26a8aee,
    0x2810f2b, 0x29065ea, 0x3ffffff,
];
const MATRIX_SAYS: &str = "HOSO/0042/2025-0914";

fn matrix() -> Vec<Vec<bool>> {
    MATRIX.iter().map(|row| (0..26).map(|x| row >> (25 - x) & 1 == 1).collect()).collect()
}

#[test]
fn a_small_code_alone_on_an_empty_page_is_read() {
    for (seed, format) in [Format::QRCode, Format::Code128, Format::DataMatrix].into_iter().enumerate() {
        let mut sheet = Sheet::new(1654, 2339, 70 + seed as u64);
        let place = Place { centre: [700.0, 900.0], module: 2.6, degrees: 0.4 };
        match format {
            Format::DataMatrix => sheet.modules(&matrix(), place),
            _ => sheet.code(format, MATRIX_SAYS, EcLevel::M, place),
        };
        let page = read_page(&sheet.scanned(), Some(200.0), &Policy::default());
        assert_eq!(texts(&page), [(format, MATRIX_SAYS)]);
    }
}

#[test]
fn the_code_of_a_card_on_a_dark_lid_is_read() {
    for lid in [8u8, 60, 120] {
        let mut sheet = Sheet::new(1654, 2339, 90);
        let place = Place { centre: [950.0, 900.0], module: 2.4, degrees: 1.5 };
        sheet.code(Format::QRCode, CARD, EcLevel::L, place);
        for (at, pixel) in sheet.luma.data.iter_mut().enumerate() {
            let (x, y) = (at % 1654, at / 1654);
            if !(400..1070).contains(&x) || !(780..1205).contains(&y) {
                *pixel = lid;
            }
        }
        let page = read_page(&sheet.scanned(), Some(200.0), &Policy::default());
        assert_eq!(texts(&page), [(Format::QRCode, CARD)], "lid of {lid}");
    }
}

#[test]
fn a_data_matrix_is_read_by_its_corner_at_small_angles() {
    let mut missed = Vec::new();
    for (seed, degrees) in [0.0, 90.0, 4.0, -3.0, 180.0, 271.0].into_iter().enumerate() {
        for module in [2.2, 3.0] {
            let mut sheet = Sheet::a4(200, seed as u64 + 40);
            sheet.modules(&matrix(), Place { centre: [640.0, 700.0], module, degrees });
            let page = read_page(&sheet.scanned(), Some(200.0), &Policy::default());
            match &page.codes[..] {
                [code] => {
                    assert_eq!((code.format, code.text.as_str()), (Format::DataMatrix, MATRIX_SAYS));
                    let [x, y] = centre(&code.corners);
                    assert!((x - 640.0).abs() < 4.0 && (y - 700.0).abs() < 4.0, "{:?}", code.corners);
                }
                [] => missed.push((degrees, module)),
                other => panic!("wrong codes: {other:?}"),
            }
        }
    }
    assert!(missed.len() <= 2, "{missed:?}");
}

/// A page of codes in columns and rows, each saying which it is.
fn full(format: Format, across: usize, down: usize, module: f32) -> Luma {
    let mut sheet = Sheet::new(1654, 2339, (across * down) as u64);
    for at in 0..across * down {
        let along = |of: usize, at: usize, length: f32| length * (at as f32 + 0.5) / of as f32;
        let centre = [along(across, at % across, 1654.0), along(down, at / across, 2339.0)];
        let place = Place { centre, module, degrees: 0.0 };
        match format {
            Format::DataMatrix => sheet.modules(&matrix(), place),
            _ => sheet.code(format, &format!("HS-{at:05}"), EcLevel::M, place),
        };
    }
    sheet.scanned()
}

#[test]
fn a_page_full_of_codes_is_read_whole() {
    for (format, across, down, module) in [
        (Format::QRCode, 5, 7, 6.0),
        (Format::QRCode, 8, 10, 3.0),
        (Format::Code128, 3, 12, 2.4),
        (Format::Code128, 3, 22, 2.4),
        (Format::DataMatrix, 6, 8, 4.0),
    ] {
        let page = read_page(&full(format, across, down, module), Some(200.0), &Policy::default());
        assert_eq!(page.codes.len(), across * down, "{format} {across} x {down}");
        assert!(!page.capped, "{format} {across} x {down}");
    }
}

#[test]
fn a_thorough_search_does_not_end_with_the_first_code() {
    let mut sheet = Sheet::a4(200, 33);
    // Light modules with hardly a dark rim.
    let place = Place { centre: [1100.0, 500.0], module: 4.0, degrees: 0.0 };
    sheet.modules(&negative(&qr(CARD), 1), place);
    let bars = Place { centre: [600.0, 1700.0], module: 2.6, degrees: 0.0 };
    sheet.code(Format::Code128, "HOSO-SEP", EcLevel::M, bars);
    let luma = sheet.scanned();
    let found = |thorough: bool| read_page(&luma, Some(200.0), &Policy { thorough, ..Policy::default() });
    assert_eq!(texts(&found(false)), [(Format::Code128, "HOSO-SEP")]);
    let page = found(true);
    assert_eq!(texts(&page), [(Format::QRCode, CARD), (Format::Code128, "HOSO-SEP")]);
    assert_eq!(page.searched, Searched::WholeImage);
}

fn qr(text: &str) -> Vec<Vec<bool>> {
    let code = qrcode::QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
    let dark: Vec<bool> = code.to_colors().into_iter().map(|c| c == qrcode::Color::Dark).collect();
    dark.chunks(code.width()).map(<[bool]>::to_vec).collect()
}

/// Light modules on dark, as phones show them, with a dark rim of some modules.
fn negative(modules: &[Vec<bool>], rim: usize) -> Vec<Vec<bool>> {
    let (rows, columns) = (modules.len(), modules[0].len());
    let dark = |x: usize, y: usize| {
        let is_inside = (rim..rim + columns).contains(&x) && (rim..rim + rows).contains(&y);
        !is_inside || !modules[y - rim][x - rim]
    };
    (0..rows + 2 * rim).map(|y| (0..columns + 2 * rim).map(|x| dark(x, y)).collect()).collect()
}

#[test]
fn light_codes_on_a_dark_ground_are_read() {
    for (seed, degrees) in [(61, 0.0), (62, 1.2), (63, 90.0), (64, -2.5)] {
        let mut sheet = Sheet::a4(200, seed);
        let place = |y: f32, module: f32| Place { centre: [700.0, y], module, degrees };
        sheet.modules(&negative(&qr(CARD), 6), place(500.0, 2.8));
        let quarter = Place { degrees: (degrees / 90.0f32).round() * 90.0, ..place(1100.0, 4.4) };
        sheet.modules(&negative(&smallest(), 4), quarter);
        sheet.modules(&negative(&qr("HS-0042"), 5), place(1700.0, 3.6));
        let page = read_page(&sheet.scanned(), Some(200.0), &Policy::default());
        let wanted = [(Format::QRCode, CARD), (Format::DataMatrix, "123"), (Format::QRCode, "HS-0042")];
        assert_eq!(texts(&page), wanted, "at {degrees} degrees");
        for (code, y) in page.codes.iter().zip([500.0, 1100.0, 1700.0]) {
            let [x, at] = centre(&code.corners);
            assert!((x - 700.0).abs() < 4.0 && (at - y).abs() < 4.0, "{:?}", code.corners);
        }
    }
}

/// The smallest Data Matrix, of another program: 123.
const SMALLEST: [u32; 10] = [0x2aa, 0x215, 0x396, 0x325, 0x330, 0x2c7, 0x260, 0x2d9, 0x288, 0x3ff];

fn smallest() -> Vec<Vec<bool>> {
    SMALLEST.iter().map(|row| (0..10).map(|x| row >> (9 - x) & 1 == 1).collect()).collect()
}

#[test]
fn the_smallest_data_matrix_is_read_among_many_dark_words() {
    for (dpi, module, degrees) in [(200, 3.3, 0.4), (300, 3.6, 0.3), (300, 4.0, 90.0)] {
        let mut sheet = Sheet::new(dpi * 827 / 100, dpi * 1169 / 100, dpi as u64);
        let mm = dpi as f32 / 25.4;
        for word in 0..70 {
            let dark: Vec<Vec<bool>> =
                (0..8).map(|_| (0..45).map(|_| !sheet.random().is_multiple_of(3)).collect()).collect();
            let centre = [(30.0 + (word % 5) as f32 * 35.0) * mm, (40.0 + (word / 5) as f32 * 14.0) * mm];
            sheet.modules(&dark, Place { centre, module: 0.4 * mm, degrees: 0.0 });
        }
        let centre = [100.3 * mm, 250.6 * mm];
        sheet.modules(&smallest(), Place { centre, module, degrees });
        let page = read_page(&sheet.scanned(), Some(dpi as f32), &Policy::default());
        assert_eq!(texts(&page), [(Format::DataMatrix, "123")], "{dpi} dpi, {module} px");
    }
}

#[test]
fn a_search_that_ends_early_says_so() {
    let luma = full(Format::Code128, 3, 4, 2.4);
    let page = read_page(&luma, Some(200.0), &Policy { max_effort_px: 1_000, ..Policy::default() });
    assert!(page.codes.is_empty() && page.capped);
    let plain = read_page(&Sheet::a4(200, 21).scanned(), Some(200.0), &Policy::default());
    assert!(plain.codes.is_empty() && !plain.capped);
}
