//! What this station asked chips, each of it good for one dossier: `var/challenges/<SHA-256>/given`, flushed before it
//! counts, renamed to `spent-<run>` by the first run that hands in the answer.
//!
//! A rename has one winner, whatever processes race and wherever one is killed; and who won can be read off the name, so
//! that the same run may ask again.

use super::Station;
use crate::blobs::{NOT_STORED, sync_folder, write_whole};
use crate::digest::{Blake3, Sha256};
use crate::fault::{Fault, Outcome};
use std::fs;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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
    /// It asked it, and the answer was used for another run.
    Spent,
    /// It did not ask it, or too long ago.
    Unknown,
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
        let folder = self.folder.join(question.to_string());
        let until = now_ms.saturating_add(GOOD_FOR_MS);
        fs::create_dir_all(&folder).map_err(|e| failed(&e))?;
        write_whole(&folder.join(GIVEN), format!("{until}\n").as_bytes())?;
        sync_folder(&self.folder).map_err(|e| failed(&e))?;
        self.forget_old();
        Ok(())
    }

    /// Uses up a question for a run whose reading was handed in at `handed_in_ms`. The same run gets the same answer
    /// however often it asks, as long as the question is remembered.
    ///
    /// # Errors
    /// `BLOB-001` where the folder cannot be read or written: nothing is known then, which is not the same as unknown.
    pub fn spend(&self, question: &Sha256, run: &Blake3, handed_in_ms: i64) -> Outcome<Standing> {
        let folder = self.folder.join(question.to_string());
        let (given, spent) = (folder.join(GIVEN), folder.join(format!("spent-{run}")));
        match fs::read_to_string(&given) {
            Ok(until) => {
                // Whoever wrote something else there is not believed.
                let in_time = until.trim().parse::<i64>().is_ok_and(|until| handed_in_ms <= until);
                if !in_time {
                    return Ok(Standing::Unknown);
                }
                match fs::rename(&given, &spent) {
                    Ok(()) => {}
                    Err(e) if e.kind() == ErrorKind::NotFound => {}
                    Err(e) => return Err(failed(&e)),
                }
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(failed(&e)),
        }
        if spent.try_exists().map_err(|e| failed(&e))? {
            // A crash may have come between renaming and flushing.
            sync_folder(&folder).map_err(|e| failed(&e))?;
            return Ok(Standing::Ours);
        }
        match fs::read_dir(&folder) {
            Ok(entries) => {
                let other = entries.flatten().any(|e| e.file_name().to_string_lossy().starts_with("spent-"));
                Ok(if other { Standing::Spent } else { Standing::Unknown })
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Standing::Unknown),
            Err(e) => Err(failed(&e)),
        }
    }

    /// What is long past counts for nothing, whether it was used or not.
    fn forget_old(&self) {
        let now = SystemTime::now();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let touched = entry.metadata().and_then(|about| about.modified());
            if touched.is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > REMEMBERED)) {
                let _ = remove(&entry.path());
            }
        }
    }
}

/// The folder last: what is half removed is forgotten the next time.
fn remove(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder)? {
        fs::remove_file(entry?.path())?;
    }
    fs::remove_dir(folder)
}

fn failed(error: &Error) -> Fault {
    Fault::new(&NOT_STORED).at("var/challenges").detail(error.kind())
}

const GIVEN: &str = "given";
/// A reading is handed in on the day it was made.
pub const GOOD_FOR_MS: i64 = 24 * 60 * 60 * 1000;
/// How long it is remembered for whom a question was used; a run that is parked for longer is told that it is unknown.
const REMEMBERED: Duration = Duration::from_secs(90 * 24 * 60 * 60);

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
        assert_eq!(challenges.spend(&question, &run("a"), 0).unwrap(), Standing::Unknown, "never asked");
        challenges.give_out(&question, 1_000).unwrap();
        for _ in 0..3 {
            assert_eq!(challenges.spend(&question, &run("a"), 2_000).unwrap(), Standing::Ours);
            assert_eq!(challenges.spend(&question, &run("b"), 2_000).unwrap(), Standing::Spent);
        }
        let long_after = 2_000 + 10 * GOOD_FOR_MS;
        assert_eq!(challenges.spend(&question, &run("a"), long_after).unwrap(), Standing::Ours);
        assert_eq!(challenges.spend(&Sha256::of(b"another!"), &run("a"), 2_000).unwrap(), Standing::Unknown);
    }

    #[test]
    fn an_answer_that_comes_too_late_is_not_counted_and_not_used_up() {
        let (_dir, challenges) = challenges();
        let question = Sha256::of(b"8 bytes!");
        challenges.give_out(&question, 1_000).unwrap();
        let end = 1_000 + GOOD_FOR_MS;
        assert_eq!(challenges.spend(&question, &run("late"), end + 1).unwrap(), Standing::Unknown);
        assert_eq!(challenges.spend(&question, &run("in time"), end).unwrap(), Standing::Ours);
    }

    #[test]
    fn of_many_that_race_one_has_it() {
        let (_dir, challenges) = challenges();
        let question = Sha256::of(b"8 bytes!");
        challenges.give_out(&question, 0).unwrap();
        let won: Vec<Standing> = std::thread::scope(|scope| {
            let spend = |n: u8| challenges.spend(&question, &Blake3([n; 32]), 0).unwrap();
            let threads: Vec<_> = (0..16).map(|n| scope.spawn(move || spend(n))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(won.iter().filter(|s| **s == Standing::Ours).count(), 1, "{won:?}");
        assert_eq!(won.iter().filter(|s| **s == Standing::Spent).count(), 15, "{won:?}");
    }

    #[test]
    fn what_a_crash_left_half_given_or_somebody_wrote_there_counts_for_nothing() {
        let (_dir, challenges) = challenges();
        for (name, content) in [("empty", None), ("not a time", Some("for ever")), ("no bytes", Some(""))] {
            let question = Sha256::of(name.as_bytes());
            let folder = challenges.folder.join(question.to_string());
            fs::create_dir_all(&folder).unwrap();
            if let Some(content) = content {
                fs::write(folder.join(GIVEN), content).unwrap();
            }
            assert_eq!(challenges.spend(&question, &run("a"), 0).unwrap(), Standing::Unknown, "{name}");
        }
    }

    #[test]
    fn what_is_long_past_is_forgotten() {
        let (_dir, challenges) = challenges();
        let (old, young) = (Sha256::of(b"old"), Sha256::of(b"young"));
        challenges.give_out(&old, 0).unwrap();
        challenges.spend(&old, &run("a"), 0).unwrap();
        let folder = fs::File::open(challenges.folder.join(old.to_string())).unwrap();
        folder.set_modified(SystemTime::now() - 2 * REMEMBERED).unwrap();
        challenges.give_out(&young, 0).unwrap();
        assert_eq!(challenges.spend(&old, &run("a"), 0).unwrap(), Standing::Unknown);
        assert_eq!(challenges.spend(&young, &run("a"), 0).unwrap(), Standing::Ours);
    }
}
