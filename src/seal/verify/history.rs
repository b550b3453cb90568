//! The revisions of a document in order, and what each update did: compared once, however many signatures ask.

use super::VerifyCode;
use super::changes::{Changes, MAX_OBJECTS, TOO_MANY};
use super::updates::{self, Carried};
use crate::fault::{Code, Fault, Outcome};
use crate::pdf::revise::{Document, Kind, Section};
use std::collections::{BTreeMap, HashMap};

/// What happened to a file after some revision.
pub(super) struct History {
    /// Offsets of the cross-reference sections, newest first.
    pub(super) sections: Vec<usize>,
    /// Step `i` leads from section `i + 1` to section `i`.
    steps: Vec<Outcome<Changes>>,
}

impl History {
    /// Compares all revisions from the oldest of `ends` on: sections counted from the newest, and where the bytes of their
    /// revision end. A revision is read within its own bytes, so that no object of it can reach into what came later.
    pub(super) fn new(document: &Document<'_>, ends: &BTreeMap<usize, usize>) -> History {
        let sections: Vec<usize> = document.sections().iter().map(|s| s.offset).collect();
        let base =
            ends.last_key_value().map_or(0, |(section, _)| *section).min(sections.len().saturating_sub(1));
        if base > MAX_REVISIONS {
            let fault = Fault::new(&TOO_MANY).detail(format!("{base} updates, limit {MAX_REVISIONS}"));
            return History { sections, steps: vec![Err(fault); base] };
        }
        let mut steps = Vec::new();
        let mut room = MAX_OBJECTS;
        let mut before: Option<(Document<'_>, Carried)> = None;
        for index in (0..base).rev() {
            let mut step = || -> Outcome<(Changes, Document<'_>, Carried)> {
                let open = |index: usize| {
                    let end = ends.get(&index).copied().unwrap_or(usize::MAX);
                    document.until_section(end, sections.get(index).copied().unwrap_or(0))
                };
                let (old, mut carried) = match before.take() {
                    Some(known) => known,
                    None => {
                        let old = open(index + 1)?;
                        let carried = Carried::of(&old, &mut room)?;
                        (old, carried)
                    }
                };
                let new = open(index)?;
                let changes = updates::compare(&old, &new, &mut carried, &mut room)?;
                Ok((changes, new, carried))
            };
            steps.push(step().map(|(changes, new, carried)| {
                before = Some((new, carried));
                changes
            }));
        }
        steps.reverse();
        History { sections, steps }
    }

    /// What happened after section `base`.
    ///
    /// # Errors
    /// The first update that is not allowed.
    pub(super) fn since(&self, base: usize) -> Outcome<Changes> {
        let mut all = Changes::default();
        for index in (0..base).rev() {
            match self.steps.get(index) {
                Some(Ok(changes)) => all.extend(changes),
                Some(Err(fault)) => return Err(fault.clone()),
                None => return Err(Fault::new(&TOO_MANY).detail("an update that was not compared")),
            }
        }
        Ok(all)
    }
}

/// Files that two programs may read as two papers: a table and a stream side by side, or one section that says two things
/// about one object.
///
/// # Errors
/// [`AMBIGUOUS`].
pub(super) fn unambiguous(document: &Document<'_>) -> Outcome<()> {
    document.sections().iter().try_for_each(|section| {
        if section.kind == Kind::Hybrid {
            return Err(Fault::new(&AMBIGUOUS).detail("hybrid").at(format!("section at {}", section.offset)));
        }
        says_one_thing(section)
    })
}

fn says_one_thing(section: &Section) -> Outcome<()> {
    let mut said = HashMap::new();
    for (number, entry) in &section.entries {
        if said.insert(*number, *entry).is_some_and(|before| before != *entry) {
            return Err(Fault::new(&AMBIGUOUS)
                .detail(format!("object {number} stands in two places"))
                .at(format!("section at {}", section.offset)));
        }
    }
    Ok(())
}

const MAX_REVISIONS: usize = 400;

/// A file with two readings.
pub const AMBIGUOUS: Code = VerifyCode {
    id: "VRFY-048",
    vi: "Bảng tham chiếu của tệp có hai cách đọc, mỗi phần mềm có thể hiển thị một khác",
    en: "the cross-references can be read in two ways, so that programs may show different papers",
}
.code();
