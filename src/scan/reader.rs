//! Pages for those who must not touch their bytes: a file is opened, judged and taken apart in a sandboxed child,
//! and only what it found comes back. Doors and steps read through a [`Reader`]; tests and benches may read in their
//! own process.

mod answer;
mod judge;
mod message;

pub use answer::Answering;
pub use judge::Judged;

use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use crate::page::{Coding, PageImage};
use crate::pdf::samples::Samples;
use crate::sandbox::{self, Jailed, Pool, Request};
use crate::scan::barcode::Policy;
use crate::scan::{Kind, Limits, PageInfo, Profile, Source, open, source};
use message::{Ask, Form, Told, What};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Where pages are read. A clone reads at the same place.
#[derive(Clone)]
pub struct Reader(Option<Arc<Pool>>);

impl Reader {
    /// In this process: for tests, and for bytes of our own making.
    pub fn here() -> Self {
        Reader(None)
    }

    /// In the children of a pool, whose program answers with [`Answering`].
    pub fn boxed(pool: Arc<Pool>) -> Self {
        Reader(Some(pool))
    }

    /// What protects this process from the bytes it reads.
    ///
    /// # Errors
    /// [`sandbox::NOT_STARTED`].
    pub fn jailed(&self) -> Outcome<Jailed> {
        let nothing = Jailed { landlock: sandbox::Landlock::None, seccomp: false, rlimits: false };
        self.0.as_ref().map_or(Ok(nothing), |pool| pool.jailed())
    }

    /// Opens a file and lists its pages.
    ///
    /// # Errors
    /// As [`open`]; [`sandbox::DIED`], [`sandbox::LATE`], [`sandbox::MEMORY`], [`sandbox::NONSENSE`] where the file
    /// did that to its decoder; [`sandbox::NOT_STARTED`], [`sandbox::KILLED`], [`NOT_HANDED_OVER`] where this machine
    /// failed.
    pub fn open(&self, original: impl Into<Original>, limits: &Limits) -> Outcome<Sheaf> {
        let original = original.into();
        let Some(pool) = &self.0 else { return Ok(Sheaf(How::Here(Box::new(open(original, limits)?)))) };
        limits.file(original.len())?;
        let mut sheaf = Boxed {
            pool: Arc::clone(pool),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            copy: copy(&original)?,
            original,
            limits: limits.clone(),
            deaths: AtomicU32::new(0),
            kind: Kind::Pdf,
            signed: false,
            pages: Vec::new(),
        };
        match sheaf.ask(What::Open, 0, |told, _| matches!(told, Told::Opened { .. }).then_some(told))? {
            Told::Opened { kind, signed, pages } => {
                (sheaf.kind, sheaf.signed) = (kind, signed);
                sheaf.pages = message::pages(pages).ok_or(&sandbox::NONSENSE)?;
            }
            _ => return Err(Fault::new(&sandbox::NONSENSE)),
        }
        Ok(Sheaf(How::Boxed(Box::new(sheaf))))
    }
}

/// No two files of this process have the same number.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// An opened file. Several threads may ask for its pages at once; in a pool each has a child of its own.
pub struct Sheaf(How);

enum How {
    Here(Box<Source>),
    Boxed(Box<Boxed>),
}

impl Sheaf {
    /// What the file is.
    pub fn kind(&self) -> Kind {
        match &self.0 {
            How::Here(source) => source.kind(),
            How::Boxed(sheaf) => sheaf.kind,
        }
    }

    /// A PDF that holds a signature: its bytes must never be written anew.
    pub fn signed(&self) -> bool {
        match &self.0 {
            How::Here(source) => source.signed(),
            How::Boxed(sheaf) => sheaf.signed,
        }
    }

    /// All pages in order; a page that is refused holds its fault.
    pub fn pages(&self) -> &[Outcome<PageInfo>] {
        match &self.0 {
            How::Here(source) => source.pages(),
            How::Boxed(sheaf) => &sheaf.pages,
        }
    }

    /// Decodes a page once and judges it; looks for codes where a policy for them is given.
    ///
    /// # Errors
    /// As [`Source::luma`], and as [`Reader::open`]; [`GIVEN_UP`] where the file did too much harm before.
    pub fn judge(&self, page: usize, profile: &Profile, codes: Option<&Policy>) -> Outcome<Judged> {
        match &self.0 {
            How::Here(source) => judge::judge(source, page, profile, codes),
            How::Boxed(sheaf) => {
                let what = What::Judge { page, profile: profile.clone(), codes: codes.cloned() };
                let read = |told, _| if let Told::Judged(judged) = told { Some(*judged) } else { None };
                sheaf.of(page, what, 0, read)
            }
        }
    }

    /// The page as the archive writes it; see [`Source::page_image`].
    ///
    /// # Errors
    /// As [`Sheaf::judge`].
    pub fn page_image(&self, page: usize) -> Outcome<PageImage> {
        self.image(page, Form::Archive)
    }

    /// The page as the wallet's copy has it; see [`wallet::shrink`](crate::pdf::wallet::shrink).
    ///
    /// # Errors
    /// As [`Sheaf::judge`].
    pub fn wallet_image(&self, page: usize) -> Outcome<PageImage> {
        self.image(page, Form::Wallet)
    }

    /// The page decoded and upright, as RGB samples: to be shown, or to be coded anew without anything that its file
    /// carried beside the pixels.
    ///
    /// # Errors
    /// As [`Sheaf::judge`].
    pub fn drawn(&self, page: usize) -> Outcome<Samples> {
        let image = self.image(page, Form::Drawn)?;
        let Coding::Rgb(bytes) = image.coding else { return Err(Fault::new(&sandbox::NONSENSE)) };
        Ok(Samples { bytes, width: image.head.width, height: image.head.height, channels: 3 })
    }

    fn image(&self, page: usize, form: Form) -> Outcome<PageImage> {
        match &self.0 {
            How::Here(source) => judge::image(source, page, form),
            How::Boxed(sheaf) => {
                let most = sheaf.original.len().max(sheaf.limits.pixels.saturating_mul(4)) + MOST_PROFILE;
                let whole = || sheaf.original.read(0..sheaf.original.len());
                let read = |told, payload| match told {
                    Told::Image(head) => head.join(payload, whole),
                    _ => None,
                };
                sheaf.of(page, What::Image { page, form }, most, read)?
            }
        }
    }
}

/// Bytes that a colour profile may add to a page.
const MOST_PROFILE: u64 = 16 << 20;

struct Boxed {
    pool: Arc<Pool>,
    number: u64,
    original: Original,
    /// Where the bytes lie in memory: a file of them that can be handed over.
    copy: Option<OwnedFd>,
    limits: Limits,
    /// How many decoders this file has cost.
    deaths: AtomicU32,
    kind: Kind,
    signed: bool,
    pages: Vec<Outcome<PageInfo>>,
}

impl Boxed {
    fn of<T>(
        &self,
        page: usize,
        what: What,
        most_payload: u64,
        read: impl Fn(Told, Vec<u8>) -> Option<T>,
    ) -> Outcome<T> {
        // What is known already is not asked for; a page whose listing failed fails with the same reason.
        match page.checked_sub(1).and_then(|i| self.pages.get(i)) {
            None => {
                let detail = format!("page {page} of {}", self.pages.len());
                return Err(Fault::new(&source::NO_SUCH_PAGE).detail(detail));
            }
            Some(Err(fault)) => return Err(fault.clone()),
            Some(Ok(_)) => {}
        }
        self.ask(what, most_payload, read).map_err(|fault| fault.at(format!("page {page}")))
    }

    fn ask<T>(&self, what: What, most_payload: u64, read: impl Fn(Told, Vec<u8>) -> Option<T>) -> Outcome<T> {
        if self.deaths.load(Ordering::Relaxed) >= MOST_DEATHS {
            return Err(Fault::new(&GIVEN_UP).detail(format!("{MOST_DEATHS} decoders")));
        }
        let ask = Ask { length: self.original.len(), limits: self.limits.clone(), what };
        let header = serde_json::to_vec(&ask).map_err(|_| Fault::new(&NOT_HANDED_OVER))?;
        let file = self.descriptor().ok_or(&NOT_HANDED_OVER)?;
        let request = Request { header: &header, file: Some((self.number, file)), most_payload };
        let answer = self.pool.ask(&request, |answer| match serde_json::from_slice(&answer.header).ok()? {
            Told::Refused(fault) => fault.fault().map(Err),
            told => read(told, answer.payload).map(Ok),
        });
        answer.unwrap_or_else(|fault| {
            if fault.code.class == Class::Input {
                self.deaths.fetch_add(1, Ordering::Relaxed);
            }
            Err(fault)
        })
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.original.descriptor().or(self.copy.as_ref().map(AsFd::as_fd))
    }
}

/// After so many dead decoders the rest of a file is not looked at: two thousand pages of half a minute are a day.
const MOST_DEATHS: u32 = 3;

/// Bytes in memory as a file that nobody can change; nothing where they lie in a file already.
fn copy(original: &Original) -> Outcome<Option<OwnedFd>> {
    let Some(bytes) = original.in_memory() else { return Ok(None) };
    let made = || -> std::io::Result<OwnedFd> {
        let mut file =
            std::fs::File::from(memfd_create("original", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        file.write_all(bytes)?;
        let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        fcntl_add_seals(&file, seals)?;
        Ok(file.into())
    };
    made().map(Some).map_err(|e| Fault::new(&NOT_HANDED_OVER).detail(e.kind()))
}

/// The file cost too many decoders.
pub const GIVEN_UP: Code = Code {
    id: "SCAN-055",
    class: Class::Input,
    vi: "Tệp này đã làm hỏng nhiều bộ giải mã nên các trang còn lại không được đọc",
    en: "the file ended too many decoders, the rest of it is not read",
    remedy_vi: "Quét lại từ bản giấy; giữ lại tệp và báo bộ phận kỹ thuật",
    remedy_en: "scan the paper again; keep the file and tell support",
};

/// The bytes cannot be given to a decoder.
pub const NOT_HANDED_OVER: Code = Code {
    id: "SCAN-056",
    class: Class::Later,
    vi: "Không chuyển được dữ liệu cho bộ giải mã",
    en: "the bytes cannot be handed to the decoder",
    remedy_vi: "Xem máy còn bộ nhớ không rồi chạy lại",
    remedy_en: "see whether the machine has memory left and run it again",
};

#[cfg(test)]
mod tests;
