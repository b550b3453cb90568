//! Many files signed at once. Files are hashed and copied on all cores; the key is asked in the way it likes; time stamps
//! are fetched several at a time; every file is published by itself, and one that fails stops no other.
//!
//! ```text
//!  hash and copy ── ask the key ── time stamp ── write the tail, publish
//!  (all cores)      (its pace)     (a few)       (all of them)
//! ```
//!
//! What waits holds the new revision and two open files, never a document; channels are bounded, so that memory does
//! not grow with the number of files.

use super::key::{KeyHandle, Pace, SIGNING};
use super::raise::{self, Raising};
use super::sign::{Level, Order, Prepared, SPARE, STAMP_ROOM, Seal, Sheet};
use super::signed_data::{Draft, Signed, Template};
use super::timestamp::TimestampSource;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use crate::staged::Staged;
use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

/// One file of a batch.
#[derive(Debug, Clone)]
pub struct Job {
    /// The PDF; it is never changed.
    pub input: PathBuf,
    /// Where the signed one goes; it appears whole or not at all.
    pub output: PathBuf,
}

/// How a batch is signed.
pub struct How<'a> {
    /// The key.
    pub key: &'a dyn KeyHandle,
    /// What kind of signature.
    pub order: Order<'a>,
    /// Whoever gives time stamps; without it the signatures are B-B.
    pub tsa: Option<&'a dyn TimestampSource>,
    /// What signatures are raised to after their time stamp, B-LT or B-LTA, and with what.
    pub raise: Option<(Level, &'a Raising<'a>)>,
    /// Publish at a lower level what got no time stamp or no evidence, and say so.
    pub allow_lower: bool,
    /// Threads that hash.
    pub threads: usize,
    /// Time stamps that are fetched at once.
    pub stamps: usize,
}

/// A signed file.
#[derive(Debug, Clone)]
pub struct Done {
    /// What was made.
    pub seal: Seal,
    /// Why it is of a lower level than was asked for.
    pub lowered: Option<Fault>,
}

/// Signs all files; `told` hears of each as it is done, from several threads, in no order.
pub fn run(jobs: &[Job], how: &How<'_>, told: &(dyn Fn(usize, Outcome<Done>) + Sync)) {
    let template = match Template::of(how.key) {
        Ok(template) => template,
        Err(fault) => return (0..jobs.len()).for_each(|index| told(index, Err(fault.clone()))),
    };
    let work = Work { jobs, how, told, template, lost: OnceLock::new() };
    if jobs.len() == 1 {
        return work.told(0, work.all_of(0));
    }
    let next = AtomicUsize::new(0);
    let (to_key, at_key) = sync_channel(QUEUE);
    let (to_stamp, at_stamp) = sync_channel(QUEUE);
    let at_stamp = Mutex::new(at_stamp);
    thread::scope(|scope| {
        for _ in 0..how.threads.clamp(1, jobs.len().max(1)) {
            let (to_key, to_stamp) = (to_key.clone(), to_stamp.clone());
            let (work, next) = (&work, &next);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= jobs.len() {
                        break;
                    }
                    work.hash(index, &to_key, &to_stamp);
                }
            });
        }
        drop(to_key);
        let asking = &work;
        scope.spawn(move || {
            asking.ask_key(&at_key, &to_stamp);
            // The last sender goes here, and with it whoever waits for stamps.
            drop(to_stamp);
        });
        for _ in 0..how.stamps.clamp(1, jobs.len().max(1)) {
            scope.spawn(|| {
                loop {
                    let waiting = at_stamp.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(waiting) = waiting else { break };
                    let index = waiting.item.index;
                    work.told(index, work.stamp_and_publish(waiting));
                }
            });
        }
    });
}

/// A file that is hashed and copied, its revision laid out.
struct Item {
    index: usize,
    staged: Staged,
    sheet: Sheet,
    prepared: Prepared,
}

struct Drafted {
    item: Item,
    draft: Draft,
}

struct Waiting {
    item: Item,
    signed: Signed,
}

struct Work<'a> {
    jobs: &'a [Job],
    how: &'a How<'a>,
    told: &'a (dyn Fn(usize, Outcome<Done>) + Sync),
    template: Template,
    /// Why the key can sign nothing more.
    lost: OnceLock<Fault>,
}

impl Work<'_> {
    fn told(&self, index: usize, outcome: Outcome<Done>) {
        let place = self.jobs.get(index).map(|job| job.input.display());
        (self.told)(
            index,
            outcome.map_err(|fault| place.map_or_else(|| fault.clone(), |at| fault.clone().at(at))),
        );
    }

    /// One file from its bytes to its place, on this thread: a lone file waits for no other.
    fn all_of(&self, index: usize) -> Outcome<Done> {
        let waiting = self.sign(self.draft(index)?).map_err(|(_, fault)| fault)?;
        self.stamp_and_publish(waiting)
    }

    fn hash(&self, index: usize, to_key: &SyncSender<Drafted>, to_stamp: &SyncSender<Waiting>) {
        let drafted = match self.draft(index) {
            Ok(drafted) => drafted,
            Err(fault) => return self.told(index, Err(fault)),
        };
        if self.how.key.pace() != Pace::AnyThread {
            // The other end is only gone after a panic there, which ends this scope anyway.
            let _ = to_key.send(drafted);
            return;
        }
        match self.sign(drafted) {
            Err((index, fault)) => self.told(index, Err(fault)),
            Ok(waiting) if self.how.tsa.is_none() => self.told(index, self.stamp_and_publish(waiting)),
            Ok(waiting) => {
                let _ = to_stamp.send(waiting);
            }
        }
    }

    fn draft(&self, index: usize) -> Outcome<Drafted> {
        if let Some(fault) = self.lost.get() {
            return Err(fault.clone());
        }
        let job = self.jobs.get(index).ok_or(&SIGNING)?;
        let unreadable = |e: std::io::Error| Fault::new(&crate::original::UNREADABLE).detail(e.kind());
        let original = Original::file(File::open(&job.input).map_err(unreadable)?)?;
        let staged = Staged::beside(&job.output, 0o666).map_err(unwritable)?;
        let sheet = Sheet::copy(&original, staged.file())?;
        let stamp = if self.how.tsa.is_some() { STAMP_ROOM } else { 0 };
        let room = self.template.size_bound() + stamp;
        let prepared = sheet.prepare_with(self.how.key, &self.how.order, room)?;
        let draft = self.template.draft(prepared.digest());
        Ok(Drafted { item: Item { index, staged, sheet, prepared }, draft })
    }

    fn sign(&self, drafted: Drafted) -> Result<Waiting, (usize, Fault)> {
        let Drafted { item, draft } = drafted;
        match super::key::sign_one(self.how.key, &draft.to_sign()) {
            Ok(signature) => Ok(Waiting { item, signed: draft.signed(signature) }),
            Err(fault) => Err((item.index, fault)),
        }
    }

    /// One caller for keys that sign one thing after the other; a key far away is asked for many at once.
    fn ask_key(&self, at_key: &Receiver<Drafted>, to_stamp: &SyncSender<Waiting>) {
        let group = match self.how.key.pace() {
            Pace::Together(most) => most.clamp(1, MOST_TOGETHER),
            Pace::AnyThread | Pace::OneByOne => 1,
        };
        loop {
            let together: Vec<Drafted> = at_key.iter().take(group).collect();
            if together.is_empty() {
                return;
            }
            let digests: Vec<Sha256> = together.iter().map(|d| d.draft.to_sign()).collect();
            let mut answers = self.how.key.sign_digests(&digests).into_iter();
            for Drafted { item, draft } in together {
                match answers.next().unwrap_or_else(|| Err(Fault::new(&SIGNING).detail("no answer"))) {
                    Ok(signature) => {
                        let _ = to_stamp.send(Waiting { item, signed: draft.signed(signature) });
                    }
                    Err(fault) => {
                        if self.how.key.is_lost() {
                            let _ = self.lost.set(fault.clone());
                        }
                        self.told(item.index, Err(fault));
                    }
                }
            }
        }
    }

    fn stamp_and_publish(&self, waiting: Waiting) -> Outcome<Done> {
        let Waiting { item, signed } = waiting;
        let Item { index, staged, sheet, mut prepared } = item;
        let (mut cms, mut level, mut lowered) = self.stamp(signed)?;
        if cms.len() > prepared.room() {
            // More room moves every byte behind it, so all of it has to be signed and stamped again.
            prepared = sheet.prepare_with(self.how.key, &self.how.order, cms.len() + SPARE)?;
            let draft = self.template.draft(prepared.digest());
            let signature = super::key::sign_one(self.how.key, &draft.to_sign())?;
            (cms, level, lowered) = self.stamp(draft.signed(signature))?;
        }
        let tail = prepared.finish(&cms, level)?;
        let mut file = staged.file();
        file.seek(SeekFrom::End(0)).and_then(|_| file.write_all(&tail.bytes)).map_err(unwritable)?;
        drop(sheet);
        let mut done = Done { seal: tail.seal, lowered };
        let staged = self.raise(index, staged, &mut done)?;
        staged.publish().map_err(unwritable)?;
        Ok(done)
    }

    /// The file to publish: a raised copy where one was asked for and could be made.
    fn raise(&self, index: usize, signed: Staged, done: &mut Done) -> Outcome<Staged> {
        let Some((to, with)) = self.how.raise else { return Ok(signed) };
        if done.lowered.is_some() {
            return Ok(signed);
        }
        let job = self.jobs.get(index).ok_or(&SIGNING)?;
        let original = Original::file(signed.file().try_clone().map_err(unwritable)?)?;
        let copy = Staged::beside(&job.output, 0o666).map_err(unwritable)?;
        match raise::raise(&original, copy.file(), to, with) {
            Ok(_) => {
                done.seal.level = to;
                Ok(copy)
            }
            Err(fault) if self.how.allow_lower => {
                done.lowered = Some(fault);
                Ok(signed)
            }
            Err(fault) => Err(fault),
        }
    }

    fn stamp(&self, signed: Signed) -> Outcome<(Vec<u8>, Level, Option<Fault>)> {
        let Some(tsa) = self.how.tsa else { return Ok((signed.finish(None), Level::BB, None)) };
        match tsa.stamp(&Sha256::of(signed.signature())) {
            Ok(token) => Ok((signed.finish(Some(&token)), Level::BT, None)),
            Err(fault) if self.how.allow_lower => Ok((signed.finish(None), Level::BB, Some(fault))),
            Err(fault) => Err(fault),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unwritable(e: std::io::Error) -> Fault {
    Fault::new(&UNWRITABLE).detail(e.kind())
}

/// Files that wait before the key and before the authority: each holds two descriptors.
const QUEUE: usize = 32;
const MOST_TOGETHER: usize = 128;

/// A file that cannot be written.
pub const UNWRITABLE: Code = Code {
    id: "SEAL-052",
    class: Class::Later,
    vi: "Không ghi được tệp đã ký",
    en: "the signed file cannot be written",
    remedy_vi: "Kiểm tra dung lượng đĩa và quyền ghi của thư mục",
    remedy_en: "check the free space and the folder's permissions",
};

#[cfg(test)]
mod tests;
