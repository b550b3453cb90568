//! A page that is drawn to be printed: text and codes in vectors, as PDF/A-2b.
//!
//! | ISO 19005-2 clause | where it is met |
//! |---|---|
//! | 6.1.2 header, 6.1.3 trailer | [`super::output`] |
//! | 6.2.3 output intent, 6.6 metadata | [`super::frame`]; its sRGB covers the grey of everything drawn |
//! | 6.2.11 fonts | [`super::font`] |

use super::archive::{MAX_PAGES, Metadata, NO_PAGES, TOO_MANY};
use super::font::{Font, Subset};
use super::frame::Frame;
use super::output::Output;
use crate::fault::{Fault, Outcome};
use pdf_writer::{Filter, Name, Rect, Ref};
use std::fmt::Write as _;

/// What stands on one side of paper; millimetres from its upper left corner.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    /// Width and height.
    pub size_mm: [f64; 2],
    /// What is drawn, in black.
    pub marks: Vec<Mark>,
}

/// Something drawn.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A line of text, centred.
    Text {
        /// Its middle, and its base line.
        at_mm: [f64; 2],
        /// Type size, points.
        size_pt: f64,
        /// In the bold serif.
        bold: bool,
        /// What it says.
        text: String,
    },
    /// A line of text that begins at a place.
    Line {
        /// Its left end, and its base line.
        at_mm: [f64; 2],
        /// Type size, points.
        size_pt: f64,
        /// In the bold serif.
        bold: bool,
        /// What it says.
        text: String,
    },
    /// The modules of a code, without quiet zone.
    Grid(Grid),
}

impl Mark {
    /// Its text, and whether that is in the bold serif.
    fn text(&self) -> Option<(&str, bool)> {
        match self {
            Mark::Text { text, bold, .. } | Mark::Line { text, bold, .. } => Some((text, *bold)),
            Mark::Grid(_) => None,
        }
    }
}

/// Dark and light modules on an exact grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Upper left corner of the first module, in [`UNITS_PER_INCH`] of an inch.
    pub at: [u32; 2],
    /// Width and height of a module in the same units; a code of bars is one row of high modules.
    pub module: [u32; 2],
    /// Rows from the top, modules from the left, dark is true.
    pub rows: Vec<Vec<bool>>,
}

/// Grids lie on dots of a 300 dpi printer, so that no module is rounded to another width than its neighbour there, at
/// 600 or at 1200 dpi.
pub const UNITS_PER_INCH: u32 = 300;

/// Prints a leaf so many times over. The same leaf, count and metadata always give the same bytes.
///
/// # Errors
/// [`NO_PAGES`] and [`TOO_MANY`]; a letter that the font lacks.
pub fn print(leaf: &Leaf, copies: usize, meta: &Metadata) -> Outcome<Vec<u8>> {
    write(&[leaf], copies, meta)
}

/// Prints leaves one after the other.
///
/// # Errors
/// As [`print`].
pub fn print_all(leaves: &[Leaf], meta: &Metadata) -> Outcome<Vec<u8>> {
    write(&leaves.iter().collect::<Vec<_>>(), 1, meta)
}

fn write(leaves: &[&Leaf], copies: usize, meta: &Metadata) -> Outcome<Vec<u8>> {
    let count = leaves.len().saturating_mul(copies);
    if count == 0 {
        return Err(Fault::new(&NO_PAGES));
    }
    if count > MAX_PAGES {
        return Err(Fault::new(&TOO_MANY).detail(format!("limit {MAX_PAGES}")));
    }
    let texts = |heavy: bool| -> Vec<&str> {
        let marks = leaves.iter().flat_map(|leaf| &leaf.marks).filter_map(Mark::text);
        marks.filter(|(_, bold)| *bold == heavy).map(|(text, _)| text).collect()
    };
    let faces = [
        (Font::serif(), Subset::new(Font::serif(), &texts(false))?),
        (Font::serif_bold(), Subset::new(Font::serif_bold(), &texts(true))?),
    ];
    let mut first = Ref::new(1);
    let frame = Frame::new(|| first.bump());
    let streams: Vec<Ref> = leaves.iter().map(|_| first.bump()).collect();
    let mut next = first.get();
    let mut fonts = Vec::new();
    for (_, subset) in &faces {
        fonts.push(subset.objects(&mut next));
    }
    let mut bytes = Vec::new();
    let mut output = Output::new(&mut bytes)?;
    for (leaf, stream) in leaves.iter().zip(&streams) {
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(content(leaf, &faces)?.as_bytes(), 9);
        output.object(*stream, |chunk| {
            chunk.stream(*stream, &packed).filter(Filter::FlateDecode);
        })?;
    }
    for (number, body) in fonts.iter().flat_map(|font| &font.objects) {
        output.raw(Ref::new(*number), body)?;
    }
    let mut pages = Vec::new();
    for (leaf, stream) in std::iter::repeat_n(leaves.iter().zip(&streams), copies).flatten() {
        let id = Ref::new(next);
        next = next.saturating_add(1);
        let [width, height] = leaf.size_mm.map(|mm| (mm * POINTS_PER_MM) as f32);
        output.object(id, |chunk| {
            let mut page = chunk.page(id);
            page.parent(frame.tree).media_box(Rect::new(0.0, 0.0, width, height)).contents(*stream);
            let mut resources = page.resources();
            let mut named = resources.fonts();
            for (name, font) in FACES.iter().zip(&fonts) {
                named.pair(Name(name.as_bytes()), Ref::new(font.font_ref));
            }
        })?;
        pages.push(id);
    }
    frame.write(output, &pages, meta)?;
    Ok(bytes)
}

fn content(leaf: &Leaf, faces: &[(&Font, Subset); 2]) -> Outcome<String> {
    let top = leaf.size_mm[1] * POINTS_PER_MM;
    let mut content = String::from("0 g\n");
    for mark in &leaf.marks {
        match mark {
            Mark::Text { at_mm: [x, y], size_pt, bold, text } => {
                let half = width_pt(faces[usize::from(*bold)].0, text, *size_pt)? / 2.0;
                let place = [x * POINTS_PER_MM - half, top - y * POINTS_PER_MM];
                draw_text(&mut content, faces, place, *size_pt, *bold, text)?;
            }
            Mark::Line { at_mm: [x, y], size_pt, bold, text } => {
                let place = [x * POINTS_PER_MM, top - y * POINTS_PER_MM];
                draw_text(&mut content, faces, place, *size_pt, *bold, text)?;
            }
            Mark::Grid(grid) => draw_grid(&mut content, grid, top),
        }
    }
    Ok(content)
}

fn draw_text(
    content: &mut String,
    faces: &[(&Font, Subset); 2],
    [left, base]: [f64; 2],
    size_pt: f64,
    bold: bool,
    text: &str,
) -> Outcome<()> {
    let face = usize::from(bold);
    let (size, left, base, hex) = (n(size_pt), n(left), n(base), faces[face].1.hex(text)?);
    let name = FACES[face];
    let _ = writeln!(content, "BT /{name} {size} Tf {left} {base} Td {hex} Tj ET");
    Ok(())
}

/// One path in units of modules, filled at once: no hairlines between neighbours, no rounding inside the code.
fn draw_grid(content: &mut String, grid: &Grid, top: f64) {
    let points = |units: u32| f64::from(units) * 72.0 / f64::from(UNITS_PER_INCH);
    let [x, y] = grid.at.map(points);
    let [width, height] = grid.module.map(points);
    let _ = writeln!(content, "q {} 0 0 -{} {} {} cm", n(width), n(height), n(x), n(top - y));
    for (row, modules) in grid.rows.iter().enumerate() {
        let mut at = 0;
        for run in modules.chunk_by(|a, b| a == b) {
            if run.first() == Some(&true) {
                let _ = writeln!(content, "{at} {row} {} 1 re", run.len());
            }
            at += run.len();
        }
    }
    content.push_str("f Q\n");
}

/// The width of a line of text at a type size, points.
///
/// # Errors
/// A letter that the font lacks.
pub fn width_pt(font: &Font, text: &str, size_pt: f64) -> Outcome<f64> {
    Ok(f64::from(font.layout(text)?.width(1.0)) * size_pt)
}

/// A number for a content stream: no exponent, four decimals at most.
fn n(x: f64) -> String {
    let text = format!("{x:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Names of the two fonts in the resources: upright, bold.
const FACES: [&str; 2] = ["F0", "F1"];
const POINTS_PER_MM: f64 = 72.0 / 25.4;

#[cfg(test)]
mod tests {
    use super::*;

    fn meta() -> Metadata {
        Metadata {
            title: "Tờ".into(),
            created: Some(jiff::Timestamp::UNIX_EPOCH),
            creator_tool: "t".into(),
            dossier_code: None,
        }
    }

    fn leaf() -> Leaf {
        let text =
            |y, bold| Mark::Text {
                at_mm: [105.0, y], size_pt: 20.0, bold, text: "Tờ bìa hồ sơ".into()
            };
        let rows = vec![vec![true, false, true, true]];
        let grid = Grid { at: [300, 600], module: [4, 100], rows };
        Leaf { size_mm: [210.0, 297.0], marks: vec![text(30.0, true), text(60.0, false), Mark::Grid(grid)] }
    }

    #[test]
    fn every_object_stands_where_the_table_says_and_copies_share_their_content() {
        let one = print(&leaf(), 1, &meta()).unwrap();
        assert_eq!(one, print(&leaf(), 1, &meta()).unwrap());
        let many = print(&leaf(), 50, &meta()).unwrap();
        assert!(many.len() < one.len() + 50 * 250, "{} {}", one.len(), many.len());
        let text = String::from_utf8_lossy(&many);
        assert_eq!(text.matches("/Type /Page\n").count(), 50);
        let table = many.windows(5).rposition(|w| w == b"xref\n").unwrap();
        let entries = String::from_utf8_lossy(&many[table..]).into_owned();
        for (number, line) in entries.lines().skip(3).take_while(|l| l.ends_with(" n")).enumerate() {
            let at: usize = line[..10].parse().unwrap();
            assert!(many[at..].starts_with(format!("{} 0 obj", number + 1).as_bytes()));
        }
    }

    #[test]
    fn modules_are_whole_numbers_in_the_content() {
        let mut content = String::new();
        let Some(Mark::Grid(grid)) = leaf().marks.pop() else { panic!() };
        draw_grid(&mut content, &grid, 842.0);
        assert_eq!(content, "q 0.96 0 0 -24 72 698 cm\n0 0 1 1 re\n2 0 2 1 re\nf Q\n");
    }

    #[test]
    fn no_copies_too_many_copies_and_strange_letters_are_refused() {
        assert_eq!(print(&leaf(), 0, &meta()).unwrap_err().code, &NO_PAGES);
        assert_eq!(print(&leaf(), MAX_PAGES + 1, &meta()).unwrap_err().code, &TOO_MANY);
        let mut strange = leaf();
        strange.marks.push(Mark::Text { at_mm: [1.0, 1.0], size_pt: 9.0, bold: false, text: "字".into() });
        assert!(print(&strange, 1, &meta()).is_err());
    }
}
