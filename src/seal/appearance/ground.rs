//! What a page shows already: which of its square millimetres are taken, where its lines of text stand, and where an
//! earlier signature is seen.

use super::POINTS_PER_MM;
use super::sheet::Sheet;
use super::survey::Survey;
use crate::fault::Outcome;
use crate::pdf::revise::{Dict, Document, ObjectId, Page, Rect, Value, text_of};
use crate::seal::profile::SignatureProfile;
use unicode_normalization::UnicodeNormalization;

/// The displayed page in cells of a millimetre, more on a very large one.
#[derive(Clone)]
pub(super) struct Ground {
    cell: f64,
    columns: usize,
    rows: usize,
    taken: Vec<bool>,
}

impl Ground {
    /// An empty page.
    pub(super) fn new(sheet: &Sheet) -> Ground {
        let cell = POINTS_PER_MM.max(sheet.width.max(sheet.height) / MOST_CELLS);
        let [columns, rows] = [sheet.width, sheet.height].map(|side| (side / cell).ceil() as usize + 1);
        Ground { cell, columns, rows, taken: vec![false; columns * rows] }
    }

    /// A page with all that is drawn on it. Pictures and areas that fill the page are its background: a scan.
    pub(super) fn of(sheet: &Sheet, survey: &Survey) -> Ground {
        let mut ground = Ground::new(sheet);
        let page = sheet.width * sheet.height;
        let shown = |rect: &Rect| sheet.to_shown(*rect);
        let large = |rect: &Rect| rect.width() * rect.height() > page * BACKGROUND;
        let images: Vec<Rect> = survey.images.iter().map(shown).collect();
        // A scan may come in strips or tiles: together they are the background that one picture would be.
        let mut tiles = Ground::new(sheet);
        let part = |rect: &Rect| rect.width() * rect.height() > page * TILE;
        images.iter().filter(|rect| part(rect)).for_each(|rect| tiles.take(rect));
        let covered = tiles.taken.iter().filter(|taken| **taken).count();
        let is_tiled = covered as f64 > tiles.taken.len() as f64 * BACKGROUND;
        images.iter().filter(|rect| !(is_tiled && part(rect))).for_each(|rect| ground.take(rect));
        survey.marks.iter().map(shown).filter(|rect| !large(rect)).for_each(|rect| ground.take(&rect));
        survey.text.iter().map(|run| shown(&run.rect)).for_each(|rect| ground.take(&rect));
        ground
    }

    /// Marks every cell that a displayed rectangle touches.
    pub(super) fn take(&mut self, rect: &Rect) {
        let Some((columns, rows)) = self.cells(rect) else { return };
        for row in rows {
            if let Some(cells) = self.taken.get_mut(row * self.columns..(row + 1) * self.columns)
                && let Some(cells) = cells.get_mut(columns.clone())
            {
                cells.fill(true);
            }
        }
    }

    /// Whether nothing is in a displayed rectangle.
    pub(super) fn is_free(&self, rect: &Rect) -> bool {
        let Some((columns, mut rows)) = self.cells(rect) else { return true };
        rows.all(|row| {
            let cells = self.taken.get(row * self.columns..(row + 1) * self.columns);
            cells.and_then(|cells| cells.get(columns.clone())).is_none_or(|cells| !cells.contains(&true))
        })
    }

    /// How many taken cells lie in the circle or ellipse within a displayed rectangle.
    pub(super) fn taken_in_round(&self, rect: &Rect) -> usize {
        let Some((columns, rows)) = self.cells(rect) else { return 0 };
        let center = [(rect.x0 + rect.x1) / 2.0, (rect.y0 + rect.y1) / 2.0];
        let mut count = 0;
        for row in rows {
            for column in columns.clone() {
                let x = ((column as f64 + 0.5) * self.cell - center[0]) / (rect.width() / 2.0);
                let y = ((row as f64 + 0.5) * self.cell - center[1]) / (rect.height() / 2.0);
                let taken = self.taken.get(row * self.columns + column).copied().unwrap_or(false);
                count += usize::from(taken && x * x + y * y < 1.0);
            }
        }
        count
    }

    /// The cells of a rectangle, cut to the page.
    fn cells(&self, rect: &Rect) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
        let span = |from: f64, to: f64, most: usize| {
            let from = (from / self.cell).floor().max(0.0) as usize;
            let to = ((to / self.cell).ceil().max(0.0) as usize).min(most);
            (from < to).then_some(from..to)
        };
        Some((span(rect.x0, rect.x1, self.columns)?, span(rect.y0, rect.y1, self.rows)?))
    }
}

/// Displayed rectangles of the annotations that are seen on a page, links and notes in the margin aside.
pub(super) fn annotations(document: &Document<'_>, page: &Page, sheet: &Sheet) -> Outcome<Vec<Rect>> {
    let Value::Array(annotations) = document.lookup(&page.dict, b"Annots")? else { return Ok(Vec::new()) };
    let mut out = Vec::new();
    for annotation in annotations.iter().take(MOST_ANNOTATIONS) {
        let Value::Dict(dict) = document.resolve(annotation)? else { continue };
        let kind = document.lookup(&dict, b"Subtype")?;
        if matches!(kind.as_name(), None | Some(b"Link" | b"Popup")) {
            continue;
        }
        if let Some(rect) = seen(document, &dict)? {
            out.push(sheet.to_shown(rect));
        }
    }
    Ok(out)
}

/// Where an annotation is seen; nothing for a hidden or empty one.
fn seen(document: &Document<'_>, annotation: &Dict) -> Outcome<Option<Rect>> {
    let flags = document.lookup(annotation, b"F")?.as_int().unwrap_or(0);
    let rect = document.rect(annotation, b"Rect")?;
    Ok(rect.filter(|r| flags & HIDDEN == 0 && r.width() > 0.0 && r.height() > 0.0))
}

/// The signature that was made under a profile, known by its reason; else the last one that is seen and that none of our
/// other profiles made. Its page and its `/Rect`.
pub(super) fn earlier_signature(
    document: &Document<'_>,
    profile: &str,
) -> Outcome<Option<(Option<ObjectId>, Rect)>> {
    let reasons = SignatureProfile::reasons();
    let reason = reasons.iter().find(|(id, _)| *id == profile).map_or("", |(_, reason)| reason);
    let mut found = None;
    for field in document.fields()? {
        let Some(value) = field.value.as_ref().filter(|_| field.kind.as_deref() == Some(b"Sig")) else {
            continue;
        };
        let value = document.resolve(value)?;
        let Some(signature) = value.as_dict() else { continue };
        let mut widget = field.dict;
        if widget.get(b"Rect").is_none()
            && let Value::Array(kids) = document.lookup(&widget, b"Kids")?
            && let Some(kid) = kids.first()
            && let Value::Dict(kid) = document.resolve(kid)?
        {
            widget = kid;
        }
        let Some(rect) = seen(document, &widget)? else { continue };
        let id = field.id.or_else(|| widget.get(b"P").and_then(Value::as_ref));
        let page = page_of(document, &widget, id)?;
        let own = document.lookup(signature, b"Reason")?.as_string().map(text_of);
        match own {
            Some(own) if own == reason => return Ok(Some((page, rect))),
            Some(own) if reasons.iter().any(|(_, other)| *other == own) => {}
            _ => found = Some((page, rect)),
        }
    }
    Ok(found)
}

/// The page that carries a widget: `/P`, else the page that lists it.
fn page_of(document: &Document<'_>, widget: &Dict, id: Option<ObjectId>) -> Outcome<Option<ObjectId>> {
    if let Some(page) = widget.get(b"P").and_then(Value::as_ref) {
        return Ok(Some(page));
    }
    for page in document.pages()? {
        if let Value::Array(annotations) = document.lookup(&page.dict, b"Annots")?
            && annotations.iter().any(|a| a.as_ref().is_some() && a.as_ref() == id)
        {
            return Ok(Some(page.id));
        }
    }
    Ok(None)
}

/// A line of text as displayed.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) rect: Rect,
    says: String,
}

/// The page's pieces of text put together to lines, the highest first. Columns stay apart.
pub(super) fn lines(sheet: &Sheet, survey: &Survey) -> Vec<Line> {
    let mut runs: Vec<Line> = survey
        .text
        .iter()
        .map(|run| Line { rect: sheet.to_shown(run.rect), says: run.says.clone() })
        .collect();
    let middle = |line: &Line| (line.rect.y0 + line.rect.y1) / 2.0;
    runs.sort_by(|a, b| middle(b).total_cmp(&middle(a)));
    // First what stands at one height, then along it: a raised letter must not break its line.
    let mut rows: Vec<Vec<Line>> = Vec::new();
    for run in runs {
        match rows.last_mut() {
            Some(row)
                if row.first().is_some_and(|first| {
                    middle(first) - middle(&run) < first.rect.height().min(run.rect.height()) * 0.5
                }) =>
            {
                row.push(run);
            }
            _ => rows.push(vec![run]),
        }
    }
    let mut out = Vec::new();
    for mut row in rows {
        row.sort_by(|a, b| a.rect.x0.total_cmp(&b.rect.x0));
        let mut row = row.into_iter();
        let Some(mut line) = row.next() else { continue };
        for run in row {
            if run.rect.x0 - line.rect.x1 > COLUMN * run.rect.height() {
                out.push(std::mem::replace(&mut line, run));
                continue;
            }
            line.says.push_str(&run.says);
            let (a, b) = (line.rect, run.rect);
            line.rect =
                Rect { x0: a.x0.min(b.x0), y0: a.y0.min(b.y0), x1: a.x1.max(b.x1), y1: a.y1.max(b.y1) };
        }
        out.push(line);
    }
    out.retain(|line| !plain(&line.says).is_empty());
    out
}

/// The free strip over the lowest line that contains some words, if it is high enough: its middle from left to right,
/// its lower and its upper edge.
pub(super) fn gap_above(lines: &[Line], words: &str, least: f64, top: f64) -> Option<[f64; 3]> {
    let words = plain(words);
    if words.is_empty() {
        return None;
    }
    lines.iter().rev().filter(|line| plain(&line.says).contains(&words)).find_map(|line| {
        let above = over(lines, line).map_or(f64::INFINITY, |other| other.rect.y0);
        let above = above.min(line.rect.y1 + HIGHEST_GAP).min(top);
        (above - line.rect.y1 >= least).then_some([line.middle(), line.rect.y1, above])
    })
}

/// The place where somebody would sign, where nobody is known by name: the lowest gap of such a height between two
/// short lines that stand centred over each other on one half of the page.
pub(super) fn signing_gap(
    lines: &[Line],
    sheet: &Sheet,
    right: bool,
    [least, most]: [f64; 2],
) -> Option<Rect> {
    let half =
        |line: &Line| (line.middle() > sheet.width / 2.0) == right && line.rect.width() < sheet.width / 2.0;
    lines.iter().rev().filter(|line| half(line)).find_map(|line| {
        let title = over(lines, line).filter(|title| half(title))?;
        let gap = title.rect.y0 - line.rect.y1;
        let centred = (title.middle() - line.middle()).abs() < COLUMN_HALF / 2.0;
        let [x0, x1] = [-1.0, 1.0].map(|side| line.middle() + side * COLUMN_HALF);
        (centred && gap >= least && gap <= most).then(|| Rect::new(x0, line.rect.y1, x1, title.rect.y0))
    })
}

/// The line that stands next over another in the same column.
fn over<'l>(lines: &'l [Line], line: &Line) -> Option<&'l Line> {
    let near = |other: &&Line| {
        other.rect.y0 >= line.rect.y1 - 1.0
            && other.rect.x0 < line.middle() + COLUMN_HALF
            && other.rect.x1 > line.middle() - COLUMN_HALF
    };
    lines.iter().filter(near).min_by(|a, b| a.rect.y0.total_cmp(&b.rect.y0))
}

impl Line {
    fn middle(&self) -> f64 {
        (self.rect.x0 + self.rect.x1) / 2.0
    }
}

/// Letters and digits alone, small, composed: spaces and points are set too differently to be compared.
fn plain(text: &str) -> String {
    text.nfc().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()).nfc().collect()
}

/// The share of a page from which a picture or area is its background.
const BACKGROUND: f64 = 0.5;
/// The share of a page from which a picture may be a tile of it.
const TILE: f64 = 0.04;
const MOST_CELLS: f64 = 1024.0;
const MOST_ANNOTATIONS: usize = 1000;
/// Hidden and NoView of `/F`.
const HIDDEN: i64 = 2 | 32;
/// Heights of a letter from which a gap parts columns.
const COLUMN: f64 = 2.0;
/// Points left and right of a name's middle in which its title stands.
const COLUMN_HALF: f64 = 20.0 * POINTS_PER_MM;
const HIGHEST_GAP: f64 = 45.0 * POINTS_PER_MM;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::appearance::tests::{paper, sheet};

    fn rect(x: f64, y: f64, w: f64, h: f64) -> Rect {
        Rect::new(x, y, x + w, y + h)
    }

    #[test]
    fn a_scan_is_background_in_one_piece_or_in_strips_and_a_small_picture_is_not() {
        let sheet = sheet("");
        let of = |images: Vec<Rect>| Ground::of(&sheet, &Survey { images, ..Survey::default() });
        let corner = rect(20.0, 780.0, 100.0, 40.0);
        assert!(of(vec![rect(0.0, 0.0, 595.0, 842.0)]).is_free(&corner));
        let strips = (0..10).map(|i| rect(0.0, f64::from(i) * 84.2, 595.0, 84.2)).collect();
        assert!(of(strips).is_free(&corner));
        let mut with_logo = vec![rect(0.0, 0.0, 595.0, 842.0)];
        with_logo.push(rect(30.0, 790.0, 50.0, 20.0));
        assert!(!of(with_logo).is_free(&corner));
        assert!(!of(vec![rect(0.0, 740.0, 595.0, 100.0)]).is_free(&corner), "a banner alone is none");
    }

    #[test]
    fn the_gap_is_found_between_title_and_name_in_its_own_column() {
        let content = "BT /F1 12 Tf 1 0 0 1 360 400 Tm (CHU TICH) Tj 1 0 0 1 350 320 Tm (Nguyen ) Tj (Van An) Tj \
                       1 0 0 1 60 320 Tm (- Luu: VT.) Tj 1 0 0 1 60 380 Tm (Noi nhan:) Tj \
                       1 0 0 1 60 700 Tm (Ong Nguyen Van An co don) Tj 1 0 0 1 60 686 Tm (xin cap) Tj ET";
        let pdf = paper("", content);
        let document = Document::open(&pdf).unwrap();
        let page = document.page(0).unwrap();
        let survey = super::super::survey::survey(&document, &page, true).unwrap();
        let lines = lines(&sheet(""), &survey);
        let found = gap_above(&lines, "NGUYEN  Van AN", 28.0, 842.0).unwrap();
        assert!((found[1] - 330.8).abs() < 1.0 && (found[2] - 397.4).abs() < 1.0, "{found:?}");
        assert!(found[0] > 380.0 && found[0] < 400.0, "{found:?}");
        assert!(gap_above(&lines, "Tran Thi Be", 28.0, 842.0).is_none());
        assert!(gap_above(&lines, "", 28.0, 842.0).is_none());
        let place = signing_gap(&lines, &sheet(""), true, [28.0, 120.0]).unwrap();
        assert!((place.y0 - found[1]).abs() < 1e-6 && (place.y1 - found[2]).abs() < 1e-6, "{place:?}");
        assert!(signing_gap(&lines, &sheet(""), true, [100.0, 120.0]).is_none());
        assert!(gap_above(&lines, "Noi nhan", 400.0, 842.0).is_none(), "not high enough");
    }

    #[test]
    fn a_huge_page_takes_no_more_cells_than_a_large_one() {
        let ground = Ground::new(&sheet("/UserUnit 4000"));
        assert!(ground.taken.len() <= 1026 * 1026);
    }
}
