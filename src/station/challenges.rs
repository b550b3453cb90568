//! What this station asked chips, each of it good for one dossier: `var/challenges/ab/<SHA-256>/given`, flushed before it
//! counts, renamed by the first run that hands in the answer, to `spent-<run>` or, where it came too late, `late-<run>`.
//! What somebody else asked is good for one dossier too: `foreign-<run>`.
//!
//! A rename has one winner, whatever processes race and wherever one is killed; and who won can be read off the name, so
//! that the same run may ask again. Nothing is ever forgotten: an answer can be handed in again for as long as somebody
//! has it, and beside the scans of its dossier what is kept here is nothing.

use super::Station;
use crate::blobs::{NOT_STORED, sync_folder, write_whole};
use crate::digest::{Blake3, Sha256};
use crate::fault::{Fault, Outcome};
use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// The questions of a station.
#[derive(Debug, Clone)]
pub struct Challenges {
    folder: PathBuf,
}

/// What a station knows of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It asked it, in time, and the answer is this run's alone.
    Ours,
    /// It asked it, too long before the answer was handed in.
    Late,
    /// The answer was used for another run, whoever asked.
    Spent,
    /// It did not ask it, and no other run handed in the answer.
    Foreign,
}

impl Challenges {
    /// Those of a station; nothing is made before one is given out.
    pub fn of(station: &Station) -> Self {
        Challenges { folder: station.path("var/challenges") }
    }

    /// Writes down that the station asked this, named by its SHA-256; durable on return. What is handed in within
    /// [`GOOD_FOR_MS`] counts.
    ///
    /// # Errors
    /// `BLOB-001`.
    pub fn give_out(&self, question: &Sha256, now_ms: i64) -> Outcome<()> {
        let folder = self.folder_of(question)?;
        let until = now_ms.saturating_add(GOOD_FOR_MS);
        fs::create_dir_all(&folder).map_err(|e| failed(&e))?;
        write_whole(&folder.join(GIVEN), format!("{until}\n").as_bytes())?;
        self.flush_above(&folder)
    }

    /// Uses up a question for a run whose reading was handed in at `handed_in_ms`, whoever asked it. The same run gets
    /// the same answer however often it asks.
    ///
    /// # Errors
    /// `BLOB-001` where the folder cannot be read or written: nothing is known then, which is not the same as unknown.
    pub fn spend(&self, question: &Sha256, run: &Blake3, handed_in_ms: i64) -> Outcome<Standing> {
        let folder = self.folder_of(question)?;
        if let Some(standing) = used(&folder, run)? {
            // A crash may have come between renaming and flushing.
            self.flush_above(&folder)?;
            return Ok(standing);
        }
        let given = folder.join(GIVEN);
        match fs::read_to_string(&given) {
            Ok(until) => {
                // Whoever wrote something else there is not believed.
                let mark = match until.trim().parse::<i64>() {
                    Ok(until) if handed_in_ms <= until => OURS,
                    Ok(_) => LATE,
                    Err(_) => FOREIGN,
                };
                moved(fs::rename(&given, folder.join(format!("{mark}{run}"))))?;
            }
            Err(e) if e.kind() == ErrorKind::NotFound => self.claim(&folder, run)?,
            Err(e) => return Err(failed(&e)),
        }
        self.flush_above(&folder)?;
        used(&folder, run)?.ok_or_else(|| failed(&ErrorKind::NotFound.into()))
    }

    /// What nobody gave out gets its folder from the first run that hands it in, made beside it: of several that are
    /// renamed to one place the first stays.
    fn claim(&self, folder: &Path, run: &Blake3) -> Outcome<()> {
        let staged = folder.with_extension(run.to_string());
        fs::create_dir_all(&staged).map_err(|e| failed(&e))?;
        write_whole(&staged.join(format!("{FOREIGN}{run}")), b"")?;
        let renamed = fs::rename(&staged, folder);
        if renamed.is_err() {
            let _ = fs::remove_dir_all(&staged);
        }
        moved(renamed)
    }

    /// One folder of 256, so that none grows too long to be looked through; those of earlier versions lie beside them.
    fn folder_of(&self, question: &Sha256) -> Outcome<PathBuf> {
        let name = question.to_string();
        let flat = self.folder.join(&name);
        let found = flat.try_exists().map_err(|e| failed(&e))?;
        Ok(if found { flat } else { self.folder.join(name.get(..2).unwrap_or_default()).join(name) })
    }

    /// A question's folder and those above it.
    fn flush_above(&self, folder: &Path) -> Outcome<()> {
        let mut folders = folder.ancestors().take_while(|above| above.starts_with(&self.folder));
        folders.try_for_each(sync_folder).map_err(|e| failed(&e))
    }
}

/// By whom a question was used, as this run sees it; `None` where nobody did.
fn used(folder: &Path, run: &Blake3) -> Outcome<Option<Standing>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(&e)),
    };
    let run = run.to_string();
    let mut standing = None;
    for entry in entries {
        let name = entry.map_err(|e| failed(&e))?.file_name();
        let name = name.to_string_lossy();
        for (mark, means) in [(OURS, Standing::Ours), (LATE, Standing::Late), (FOREIGN, Standing::Foreign)] {
            match name.strip_prefix(mark) {
                Some(by) if by == run => return Ok(Some(means)),
                Some(_) => standing = Some(Standing::Spent),
                None => {}
            }
        }
    }
    Ok(standing)
}

/// Who comes second finds nothing to rename, or the place taken.
fn moved(renamed: Result<(), Error>) -> Outcome<()> {
    use ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotFound};
    match renamed {
        Err(e) if !matches!(e.kind(), NotFound | AlreadyExists | DirectoryNotEmpty) => Err(failed(&e)),
        _ => Ok(()),
    }
}

fn failed(error: &Error) -> Fault {
    Fault::new(&NOT_STORED).at("var/challenges").detail(error.kind())
}

const GIVEN: &str = "given";
const OURS: &str = "spent-";
const LATE: &str = "late-";
const FOREIGN: &str = "foreign-";
/// A reading is handed in on the day it was made.
pub const GOOD_FOR_MS: i64 = 24 * 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn challenges() -> (tempfile::TempDir, Challenges) {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("challenges");
        (dir, Challenges { folder })
    }

    fn run(name: &str) -> Blake3 {
        Blake3::of(name.as_bytes())
    }

    #[test]
    fn a_question_is_good_for_one_run_however_often_that_asks() {
        let (_dir, challenges) = challenges();
        let question = Sha256::of(b"8 bytes!");
        challenges.give_out(&question, 1_000).unwrap();
        for _ in 0..3 {
            assert_eq!(challenges.spend(&question, &run("a"), 2_000).unwrap(), Standing::Ours);
            assert_eq!(challenges.spend(&question, &run("b"), 2_000).unwrap(), Standing::Spent);
        }
        let long_after = 2_000 + 10 * GOOD_FOR_MS;
        assert_eq!(challenges.spend(&question, &run("a"), long_after).unwrap(), Standing::Ours);
    }

    #[test]
    fn what_somebody_else_asked_is_good_for_one_run_too() {
        let (_dir, challenges) = challenges();
        let question = Sha256::of(b"another!");
        for at in [0, 10 * GOOD_FOR_MS] {
            assert_eq!(challenges.spend(&question, &run("a"), at).unwrap(), Standing::Foreign);
            assert_eq!(challenges.spend(&question, &run("b"), at).unwrap(), Standing::Spent);
        }
        // Whoever gives it out afterwards does not make it good again.
        challenges.give_out(&question, 0).unwrap();
        assert_eq!(challenges.spend(&question, &run("b"), 0).unwrap(), Standing::Spent);
        assert_eq!(challenges.spend(&question, &run("a"), 0).unwrap(), Standing::Foreign);
    }

    #[test]
    fn an_answer_that_comes_too_late_is_told_from_others_and_used_up() {
        let (_dir, challenges) = challenges();
        let question = Sha256::of(b"8 bytes!");
        challenges.give_out(&question, 1_000).unwrap();
        let end = 1_000 + GOOD_FOR_MS;
        for _ in 0..2 {
            assert_eq!(challenges.spend(&question, &run("late"), end + 1).unwrap(), Standing::Late);
            assert_eq!(challenges.spend(&question, &run("in time"), end).unwrap(), Standing::Spent);
        }
        let other = Sha256::of(b"another!");
        challenges.give_out(&other, 1_000).unwrap();
        assert_eq!(challenges.spend(&other, &run("in time"), end).unwrap(), Standing::Ours);
    }

    #[test]
    fn of_many_that_race_one_has_it() {
        let (_dir, challenges) = challenges();
        let (ours, foreign) = (Sha256::of(b"8 bytes!"), Sha256::of(b"another!"));
        challenges.give_out(&ours, 0).unwrap();
        for (question, standing) in [(ours, Standing::Ours), (foreign, Standing::Foreign)] {
            let won: Vec<Standing> = std::thread::scope(|scope| {
                let spend = |n: u8| challenges.spend(&question, &Blake3([n; 32]), 0).unwrap();
                let threads: Vec<_> = (0..16).map(|n| scope.spawn(move || spend(n))).collect();
                threads.into_iter().map(|t| t.join().unwrap()).collect()
            });
            assert_eq!(won.iter().filter(|s| **s == standing).count(), 1, "{won:?}");
            assert_eq!(won.iter().filter(|s| **s == Standing::Spent).count(), 15, "{won:?}");
        }
        let fan = fs::read_dir(challenges.folder_of(&foreign).unwrap().parent().unwrap());
        assert_eq!(fan.unwrap().count(), 1, "nothing of the others is left");
    }

    #[test]
    fn what_a_crash_left_half_given_or_somebody_wrote_there_counts_for_nothing() {
        let (_dir, challenges) = challenges();
        for (name, content) in [("empty", None), ("not a time", Some("for ever")), ("no bytes", Some(""))] {
            let question = Sha256::of(name.as_bytes());
            let folder = challenges.folder_of(&question).unwrap();
            fs::create_dir_all(&folder).unwrap();
            if let Some(content) = content {
                fs::write(folder.join(GIVEN), content).unwrap();
            }
            for _ in 0..2 {
                assert_eq!(challenges.spend(&question, &run("a"), 0).unwrap(), Standing::Foreign, "{name}");
                assert_eq!(challenges.spend(&question, &run("b"), 0).unwrap(), Standing::Spent, "{name}");
            }
        }
    }

    #[test]
    fn what_an_earlier_version_wrote_down_is_still_known() {
        let (_dir, challenges) = challenges();
        let (given, spent) = (Sha256::of(b"given"), Sha256::of(b"spent"));
        for (question, name) in [(given, GIVEN.to_owned()), (spent, format!("spent-{}", run("a")))] {
            let folder = challenges.folder.join(question.to_string());
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(name), "1000\n").unwrap();
        }
        challenges.give_out(&Sha256::of(b"young"), 0).unwrap();
        for _ in 0..2 {
            assert_eq!(challenges.spend(&spent, &run("a"), i64::MAX).unwrap(), Standing::Ours);
            assert_eq!(challenges.spend(&spent, &run("b"), i64::MAX).unwrap(), Standing::Spent);
            assert_eq!(challenges.spend(&given, &run("b"), 1000).unwrap(), Standing::Ours);
            assert_eq!(challenges.spend(&given, &run("a"), 1000).unwrap(), Standing::Spent);
        }
    }
}
