//! The words of a signature: filled with facts, fitted into a box, set.

use super::{AppearanceFacts, MISSING_FACT, POINTS_PER_MM, TEXT_TOO_LONG, n};
use crate::fault::{Fault, Outcome};
use crate::pdf::font::{Font, Subset};
use crate::pdf::revise::Rect;
use crate::seal::profile::{BROKEN_PROFILE, Look, Signer};
use crate::seal::sign::vietnam;
use jiff::Timestamp;
use std::fmt::Write as _;
use unicode_normalization::UnicodeNormalization;

/// The facts of a signature by the names that profiles call them by.
pub(super) struct Words(Vec<(&'static str, String)>);

impl Words {
    /// # Errors
    /// [`MISSING_FACT`] where the profile cannot do without it.
    pub(super) fn new(look: &Look, facts: &AppearanceFacts, at: Timestamp) -> Outcome<Words> {
        let time = jiff::fmt::strtime::format(&look.time_format, &at.to_zoned(vietnam()))
            .map_err(|_| Fault::new(&BROKEN_PROFILE).detail("time_format"))?;
        let office = facts.office.as_deref().filter(|office| !office.trim().is_empty());
        let office = office.or((look.signer == Signer::Agency).then_some(facts.name.as_str()));
        let copy_form = facts.copy_form.as_deref().or(look.copy_form.as_deref());
        let all = [
            ("name", Some(facts.name.as_str())),
            ("office", office),
            ("title", facts.title.as_deref()),
            ("number", facts.number.as_deref()),
            ("copy_form", copy_form),
            ("time", Some(&time)),
        ];
        let words = Words(all.map(|(key, fact)| (key, one_line(fact.unwrap_or("")))).to_vec());
        match look.required.iter().find(|fact| words.get(fact).is_empty()) {
            // The fact's name, not what it says.
            Some(fact) => Err(Fault::new(&MISSING_FACT).detail(fact)),
            None => Ok(words),
        }
    }

    /// A fact; empty where it is not known.
    pub(super) fn get(&self, key: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == key).map_or("", |(_, fact)| fact)
    }

    /// A line with its facts; nothing where one is missing.
    pub(super) fn fill(&self, line: &str) -> Option<String> {
        let mut out = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once('{') {
            let (key, after) = after.split_once('}')?;
            let fact = Some(self.get(key)).filter(|fact| !fact.is_empty())?;
            out.push_str(before);
            out.push_str(fact);
            rest = after;
        }
        out.push_str(rest);
        Some(out.nfc().collect())
    }
}

/// Composed letters, single spaces, no line ends.
fn one_line(text: &str) -> String {
    text.nfc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lines at the size that fits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub(super) lines: Vec<String>,
    /// Points.
    pub(super) size: f64,
    /// What it takes, padding included, points.
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Block {
    /// Fits lines into a box: each on its own line at the profile's size, else smaller down to its least size, else
    /// broken between words.
    ///
    /// # Errors
    /// [`TEXT_TOO_LONG`]; a letter that the font lacks.
    pub(super) fn fit(lines: &[String], look: &Look, [width, height]: [f64; 2]) -> Outcome<Block> {
        let room = width - 2.0 * PAD;
        let fits = |lines: Vec<String>, size: f64| -> Outcome<Option<Block>> {
            let tall = lines.len() as f64 * size * LEADING + 2.0 * PAD;
            if tall > height + 1e-6 {
                return Ok(None);
            }
            let mut widest: f64 = 0.0;
            for line in &lines {
                widest = widest.max(advance(line, size)?);
            }
            let fits = widest <= room + 1e-6;
            Ok(fits.then_some(Block { lines, size, width: widest + 2.0 * PAD, height: tall }))
        };
        for broken in [false, true] {
            let mut size = look.font_size;
            loop {
                let candidate = if broken { wrap(lines, room, size)? } else { Some(lines.to_vec()) };
                if let Some(lines) = candidate
                    && let Some(block) = fits(lines, size)?
                {
                    return Ok(block);
                }
                if size <= look.least_font_size {
                    break;
                }
                size = (size - SHRINK).max(look.least_font_size);
            }
        }
        let millimetres = [width, height].map(|points| (points / POINTS_PER_MM).round());
        Err(Fault::new(&TEXT_TOO_LONG)
            .detail(format!("{} x {} mm at {} points", millimetres[0], millimetres[1], look.least_font_size)))
    }

    /// Sets the lines into a box, in the middle of its height.
    pub(super) fn set(
        &self,
        content: &mut String,
        place: &Rect,
        align: Align,
        [r, g, b]: [f64; 3],
        subset: &Subset,
    ) -> Outcome<()> {
        let block = self.lines.len() as f64 * self.size * LEADING;
        let mut baseline =
            (place.y0 + place.y1 + block) / 2.0 - f64::from(Font::serif().ascent(self.size as f32));
        let _ = writeln!(content, "{} {} {} rg", n(r), n(g), n(b));
        for line in &self.lines {
            let free = place.width() - 2.0 * PAD - advance(line, self.size)?;
            let x = place.x0 + PAD + if align == Align::Centre { free.max(0.0) / 2.0 } else { 0.0 };
            let _ = writeln!(
                content,
                "BT /F1 {} Tf {} {} Td {} Tj ET",
                n(self.size),
                n(x),
                n(baseline),
                subset.hex(line)?
            );
            baseline -= self.size * LEADING;
        }
        Ok(())
    }
}

/// How lines stand in their box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Centre,
}

/// Breaks lines between words; `None` where one word is wider than the room.
fn wrap(lines: &[String], room: f64, size: f64) -> Outcome<Option<Vec<String>>> {
    let mut out = Vec::new();
    for line in lines {
        let mut current = String::new();
        for word in line.split_whitespace() {
            let longer = if current.is_empty() { word.to_owned() } else { format!("{current} {word}") };
            if advance(&longer, size)? <= room {
                current = longer;
            } else if current.is_empty() || advance(word, size)? > room {
                return Ok(None);
            } else {
                out.push(std::mem::replace(&mut current, word.to_owned()));
            }
            if out.len() > MOST_LINES {
                return Ok(None);
            }
        }
        out.push(current);
    }
    Ok(Some(out))
}

fn advance(text: &str, size: f64) -> Outcome<f64> {
    Ok(f64::from(Font::serif().layout(text)?.width(1.0)) * size)
}

/// Points between the box and its text.
const PAD: f64 = 1.5;
/// Base line to base line, in type sizes; Vietnamese capitals carry two marks.
const LEADING: f64 = 1.2;
/// Points from one size to the next smaller.
const SHRINK: f64 = 0.25;
const MOST_LINES: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::profile::SignatureProfile;

    fn look(id: &str) -> Look {
        SignatureProfile::built_in(id).unwrap().look.unwrap()
    }

    fn lines(id: &str, facts: &AppearanceFacts) -> Outcome<Vec<String>> {
        let look = look(id);
        let at: Timestamp = "2025-09-14T01:05:09.75Z".parse().unwrap();
        let words = Words::new(&look, facts, at)?;
        Ok(look.text.iter().filter_map(|line| words.fill(line)).collect())
    }

    #[test]
    fn each_profile_says_what_the_law_asks_and_the_time_is_iso_8601_in_vietnams_zone() {
        let facts = AppearanceFacts {
            name: "Nguyễn Thị Huệ".into(),
            office: Some("Ủy ban nhân dân xã Hòa Bình".into()),
            number: Some("123/QĐ-UBND".into()),
            ..Default::default()
        };
        let said = |id| lines(id, &facts).unwrap();
        let time = "Thời gian ký: 2025-09-14T08:05:09+07:00";
        assert_eq!(
            said("intake_scan"),
            ["Người số hóa: Nguyễn Thị Huệ", "Thời gian: 2025-09-14T08:05:09+07:00"]
        );
        assert_eq!(said("sao_y"), ["Sao y", "Ủy ban nhân dân xã Hòa Bình", time]);
        assert_eq!(said("trich_sao")[0], "Trích sao");
        assert_eq!(said("annex"), ["Kèm theo văn bản số 123/QĐ-UBND", time]);
        assert_eq!(said("result_agency"), ["Cơ quan: Ủy ban nhân dân xã Hòa Bình", time]);
        assert!(said("result_person").is_empty());
    }

    #[test]
    fn a_missing_fact_leaves_its_line_out_or_stops_it_where_the_law_asks_for_it() {
        let nobody = AppearanceFacts::default();
        let missing = lines("annex", &nobody).unwrap_err();
        assert_eq!((missing.code.id, missing.detail.as_deref()), (MISSING_FACT.id, Some("number")));
        assert_eq!(lines("intake_scan", &nobody).unwrap_err().code.id, MISSING_FACT.id);
        let agency = AppearanceFacts { name: "UBND xã Hòa Bình".into(), ..Default::default() };
        assert_eq!(lines("result_agency", &agency).unwrap()[0], "Cơ quan: UBND xã Hòa Bình");
        let sly = AppearanceFacts { name: "{time}".into(), ..Default::default() };
        assert_eq!(lines("intake_scan", &sly).unwrap()[0], "Người số hóa: {time}", "filled once");
    }

    #[test]
    fn decomposed_letters_are_composed_and_line_ends_become_spaces() {
        let facts = AppearanceFacts {
            name: "Nguye\u{302}\u{303}n\n Thị\tHue\u{302}\u{323}".into(),
            ..Default::default()
        };
        assert_eq!(lines("intake_scan", &facts).unwrap()[0], "Người số hóa: Nguyễn Thị Huệ");
    }

    #[test]
    fn long_text_is_made_smaller_then_broken_then_refused() {
        let look = look("intake_scan");
        let fit = |name: &str| Block::fit(&[name.to_owned()], &look, [170.0, 34.0]);
        let short = fit("Nguyễn Thị Huệ").unwrap();
        assert_eq!((short.lines.len(), short.size), (1, 10.0));
        let smaller = fit("Công Tằng Tôn Nữ Thị Nguyễn Phúc Huyền Trân").unwrap();
        assert!(smaller.lines.len() == 1 && smaller.size < 10.0 && smaller.size >= 7.0, "{smaller:?}");
        let two = "Trung tâm Phục vụ hành chính công xã Hòa Bình Thượng, tỉnh Quảng Trị";
        let broken = fit(two).unwrap();
        assert_eq!((broken.lines.len(), broken.size), (2, 10.0));
        assert!(fit(&format!("{two} {two}")).unwrap().size < 10.0);
        assert_eq!(fit(&two.repeat(9)).unwrap_err().code.id, TEXT_TOO_LONG.id);
        assert_eq!(fit(&"dài".repeat(90)).unwrap_err().code.id, TEXT_TOO_LONG.id);
    }
}
