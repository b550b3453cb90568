//! Raising signed files (EN 319 142-1): B-B to B-T, B-LT and B-LTA, and the renewal of archive time stamps before their
//! certificates run out. Not a byte that was signed is touched: what is added stands behind, or in the unsigned part of
//! the newest signature.
//!
//! | level | what is added |
//! |---|---|
//! | B-T | a time stamp over the signature, in the room left in `/Contents`; else a document time stamp |
//! | B-LT | a revision with the document security store: every certificate up to the anchors, and what says that none was revoked |
//! | B-LTA | a document time stamp over all of that |
//!
//! The time that a certificate is judged at is the earliest that is proven: a signature's by its time stamp, else by the
//! next document time stamp behind it, the newest by the clock.

mod insert;
mod marks;
mod path;
#[cfg(test)]
mod tests;

use super::evidence::{Evidence, dss, fetch::Online};
use super::sign::{COPY, HOLE, Level, STAMP_ROOM, Sheet};
use super::timestamp::TimestampSource;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use crate::pdf::revise::Document;
use jiff::{SignedDuration, Timestamp};
use marks::{Kind, Mark};
use openssl::x509::X509;
use path::Collector;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// What raising works with.
#[derive(Clone, Copy)]
pub struct Raising<'a> {
    /// Who gives time stamps; not needed where none is missing.
    pub tsa: Option<&'a dyn TimestampSource>,
    /// The roots that chains must lead to.
    pub roots: &'a [X509],
    /// What is at hand: intermediates, lists, answers.
    pub evidence: &'a Evidence,
    /// The way to whatever is missing; without it nobody is asked.
    pub online: Option<&'a Online>,
    /// What time it is.
    pub at: Timestamp,
}

/// What was done to a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Raised {
    /// A time stamp went into the newest signature; the file did not grow for it.
    pub stamped_in_place: bool,
    /// A revision with evidence was appended.
    pub validation_data: bool,
    /// Names of the fields of document time stamps that were appended.
    pub document_stamps: Vec<String>,
}

impl Raised {
    /// Nothing was missing: the copy is the original.
    pub fn is_unchanged(&self) -> bool {
        *self == Raised::default()
    }
}

/// Copies a signed file into an empty one and raises all its signatures there. On a fault what has been written is no
/// result: `into` is to be a staged file that gets its name afterwards.
///
/// # Errors
/// [`NO_SIGNATURE`], [`super::sign::BROKEN_BEFORE`], [`NO_AUTHORITY`] where a time stamp is needed and nobody gives any;
/// for B-LT and above [`NO_PATH`], [`OUT_OF_TIME`], [`REVOKED`], [`UNKNOWN`]; those of the authority and of the file.
pub fn raise(original: &Original, into: &File, to: Level, with: &Raising<'_>) -> Outcome<Raised> {
    let mut work = Work::copy(original, into, with)?;
    work.raise(to, false)?;
    Ok(work.done)
}

/// As [`raise`] to B-LTA, with one more document time stamp where the certificate of the newest one ends `within` this
/// span from now (without a span: in any case); nothing where it does not, and then nothing was written. Evidence about
/// the newest time stamp goes into the file before it.
///
/// # Errors
/// [`NOT_ARCHIVED`] for a file without a document time stamp; as [`raise`].
pub fn renew(
    original: &Original,
    into: &File,
    within: Option<SignedDuration>,
    with: &Raising<'_>,
) -> Outcome<Option<Raised>> {
    let newest = marks::read(original)?.into_iter().rfind(|m| m.kind == Kind::DocumentStamp);
    let newest = newest.ok_or_else(|| Fault::new(&NOT_ARCHIVED))?;
    if let (Some(span), Some(end)) = (within, newest.certificate_ends())
        && with.at.checked_add(span).unwrap_or(Timestamp::MAX) < end
    {
        return Ok(None);
    }
    let mut work = Work::copy(original, into, with)?;
    work.raise(Level::BLTA, true)?;
    Ok(Some(work.done))
}

/// A copy in the making.
struct Work<'a> {
    into: &'a File,
    length: u64,
    with: &'a Raising<'a>,
    done: Raised,
}

impl<'a> Work<'a> {
    fn copy(original: &Original, into: &'a File, with: &'a Raising<'a>) -> Outcome<Self> {
        let mut work = Work { into, length: 0, with, done: Raised::default() };
        let mut buffer = vec![0; STRIDE];
        while work.length < original.len() {
            let part = usize::try_from(original.len() - work.length).unwrap_or(usize::MAX).min(STRIDE);
            original.fill(work.length, &mut buffer[..part])?;
            work.append(&buffer[..part])?;
        }
        Ok(work)
    }

    fn raise(&mut self, to: Level, renew: bool) -> Outcome<()> {
        let mut marks = marks::read(&self.file()?)?;
        if !marks.iter().any(|m| m.kind == Kind::Signature) {
            return Err(Fault::new(&NO_SIGNATURE));
        }
        if to >= Level::BT && needs_stamp(&marks) {
            self.stamp(&marks)?;
            marks = marks::read(&self.file()?)?;
        }
        if to >= Level::BLT {
            self.add_evidence(&marks)?;
        }
        if to >= Level::BLTA {
            let newest = marks.last();
            let closed = newest.is_some_and(|m| m.kind == Kind::DocumentStamp && m.end == self.length);
            if renew || !closed {
                self.document_stamp()?;
            }
        }
        Ok(())
    }

    /// A time stamp for signatures that have none: in the newest signature where it is the only one and has room.
    fn stamp(&mut self, marks: &[Mark]) -> Outcome<()> {
        let missing = || marks.iter().enumerate().filter(|(i, m)| m.lacks_stamp(&marks[i + 1..]));
        if let (1, Some((_, mark))) = (missing().count(), missing().next())
            && mark.end == self.length
            && mark.hole.end - mark.hole.start > 2 + 2 * (mark.used as u64 + LEAST_TOKEN)
        {
            let token = self.authority()?.stamp(&Sha256::of(&mark.signature))?;
            self.check_authority(&token)?;
            if let Some(cms) = insert::token(&mark.contents[..mark.used], &token)
                && cms.len() <= mark.contents.len()
            {
                self.write(mark.hole.start + 1, hex::encode(&cms).as_bytes())?;
                self.done.stamped_in_place = true;
                return Ok(());
            }
        }
        self.document_stamp()
    }

    /// Everything that it takes to judge what is in the file, into the file.
    fn add_evidence(&mut self, marks: &[Mark]) -> Outcome<()> {
        let file = self.file()?;
        let document = Document::open_original(&file)?;
        let mut collector = Collector::new(self.with);
        collector.at_hand.extend(&dss::read(&document)?);
        let related = collector.collect(marks)?;
        if let Some(tail) = dss::append(&document, &collector.needed, &related)? {
            drop(document);
            self.append(&tail)?;
            self.done.validation_data = true;
        }
        Ok(())
    }

    fn document_stamp(&mut self) -> Outcome<()> {
        let authority = self.authority()?;
        let sheet = Sheet::open(self.file()?)?;
        let mut room = STAMP_ROOM;
        for _ in 0..2 {
            let prepared = sheet.prepare_timestamp(self.with.at, room)?;
            let token = authority.stamp(prepared.digest())?;
            self.check_authority(&token)?;
            if token.len() > prepared.room() {
                room = token.len() + SPARE;
                continue;
            }
            let tail = prepared.finish(&token, Level::BLTA)?;
            self.append(&tail.bytes)?;
            self.done.document_stamps.push(tail.seal.field);
            return Ok(());
        }
        Err(Fault::new(&HOLE).detail(format!("{room} octets reserved")))
    }

    fn authority(&self) -> Outcome<&'a dyn TimestampSource> {
        self.with.tsa.ok_or_else(|| Fault::new(&NO_AUTHORITY))
    }

    /// Where roots are known, a time stamp that leads to none of them would raise nothing.
    fn check_authority(&self, token: &[u8]) -> Outcome<()> {
        if self.with.roots.is_empty() {
            return Ok(());
        }
        let stamp = marks::Stamp::read(token).ok_or_else(|| Fault::new(&super::timestamp::REPLY_BROKEN))?;
        let mut collector = Collector::new(self.with);
        collector
            .path(&stamp.signer, &stamp.certificates, self.with.at)
            .map(|_| ())
            .map_err(|f| f.at("time stamp"))
    }

    fn file(&self) -> Outcome<Original> {
        Original::file(self.into.try_clone().map_err(unwritable)?)
    }

    fn append(&mut self, bytes: &[u8]) -> Outcome<()> {
        self.write(self.length, bytes)?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Outcome<()> {
        self.into.write_all_at(bytes, at).map_err(unwritable)
    }
}

/// A signature has no time stamp of its own and none behind it.
fn needs_stamp(marks: &[Mark]) -> bool {
    marks.iter().enumerate().any(|(i, m)| m.lacks_stamp(&marks[i + 1..]))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unwritable(e: std::io::Error) -> Fault {
    Fault::new(&COPY).detail(e.kind())
}

const STRIDE: usize = 256 << 10;
const SPARE: usize = 512;
/// Octets below which no authority's token was met: with less room nobody is asked in vain.
const LEAST_TOKEN: u64 = 1024;

/// Nothing to raise.
pub const NO_SIGNATURE: Code = Code {
    id: "SEAL-066",
    class: Class::Input,
    vi: "Tệp PDF không có chữ ký số để nâng mức",
    en: "the PDF carries no signature to raise",
    remedy_vi: "Ký tệp trước bằng `hoso sign`",
    remedy_en: "sign the file first with `hoso sign`",
};

/// No authority given.
pub const NO_AUTHORITY: Code = Code {
    id: "SEAL-067",
    class: Class::Setup,
    vi: "Cần dấu thời gian nhưng chưa khai máy chủ cấp dấu thời gian",
    en: "a time stamp is needed and no authority is named",
    remedy_vi: "Khai địa chỉ máy chủ cấp dấu thời gian",
    remedy_en: "name a time stamp authority",
};

/// No chain to a root.
pub const NO_PATH: Code = Code {
    id: "SEAL-068",
    class: Class::Setup,
    vi: "Chứng thư không dẫn tới chứng thư gốc tin cậy nào",
    en: "a certificate does not lead to a trusted root",
    remedy_vi: "Đặt chứng thư gốc và chứng thư trung gian vào thư mục tin cậy",
    remedy_en: "put the root and the intermediates into the trust folder",
};

/// A chain only through certificates that were not valid.
pub const OUT_OF_TIME: Code = Code {
    id: "SEAL-069",
    class: Class::Input,
    vi: "Chứng thư không có hiệu lực tại thời điểm xét, không thể nâng mức chữ ký",
    en: "a certificate was not valid at the time that counts; the signature cannot be raised",
    remedy_vi: "Chữ ký phải được gia hạn trước khi chứng thư hết hạn; đề nghị ký lại",
    remedy_en: "signatures are raised before their certificates run out; ask for a new one",
};

/// Revoked.
pub const REVOKED: Code = Code {
    id: "SEAL-070",
    class: Class::Input,
    vi: "Chứng thư đã bị thu hồi, không thể nâng mức chữ ký",
    en: "a certificate was revoked; the signature cannot be raised",
    remedy_vi: "Xem chi tiết bằng `hoso verify`; đề nghị ký lại bằng chứng thư còn hiệu lực",
    remedy_en: "see `hoso verify`; ask for a signature by a certificate that holds",
};

/// Nobody says whether a certificate was revoked.
pub const UNKNOWN: Code = Code {
    id: "SEAL-071",
    class: Class::Later,
    vi: "Không có được tình trạng thu hồi của một chứng thư",
    en: "the revocation status of a certificate cannot be had",
    remedy_vi: "Kiểm tra đường truyền, hoặc đặt danh sách thu hồi vào thư mục tin cậy, rồi thử lại",
    remedy_en: "check the line or put a revocation list into the trust folder, then try again",
};

/// Not at B-LTA.
pub const NOT_ARCHIVED: Code = Code {
    id: "SEAL-072",
    class: Class::Input,
    vi: "Tệp PDF chưa có dấu thời gian lưu trữ để gia hạn",
    en: "the PDF has no document time stamp to renew",
    remedy_vi: "Nâng tệp lên mức B-LTA trước",
    remedy_en: "raise it to B-LTA first",
};

/// More signatures than are taken.
pub const TOO_MANY: Code = Code {
    id: "SEAL-073",
    class: Class::Input,
    vi: "Tệp PDF có quá nhiều chữ ký",
    en: "the PDF has more signatures than are taken",
    remedy_vi: "Kiểm tra lại tệp",
    remedy_en: "check the file",
};
