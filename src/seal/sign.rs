//! PAdES B-B and B-T: the original bytes stay as they are, the signature is a revision behind them.
//!
//! | clause | where it is met |
//! |---|---|
//! | ISO 32000-1, 12.8.1: the signed range is everything but the `/Contents` token | [`Sheet::prepare`] |
//! | EN 319 142-1, 6.3: `ETSI.CAdES.detached`, time in `/M` | `layout::dictionary` |
//! | ISO 19005-2, 6.1.6: an even number of hexadecimal digits | the hole is counted in octets |
//! | ISO 19005-2, 6.3.2: `/F` Print set, Hidden and NoView clear | `layout::widget` |
//! | ISO 32000-1, 12.8.2.4: a field's `/Lock` goes into the signature | `layout::field_lock` |
//! | ISO 32000-1, 12.8.2.2, 12.8.2.4: DocMDP and FieldMDP of earlier signatures | `rules` |
//!
//! A file is read once, by strides, while it is hashed; its structure is read where it lies. Between [`Sheet::prepare`] and
//! [`Prepared::finish`], while a token or an authority far away is waited for, only the new revision is in memory.

mod earlier;
mod layout;
mod rules;

pub use earlier::{BROKEN_BEFORE, CHANGED_BEFORE};
pub use layout::{CERTIFIED, FIELD};
pub use rules::FIELD_LOCKED;

use super::appearance::AppearanceFacts;
use super::key::{KeyHandle, check_may_sign, sign_one};
use super::profile::SignatureProfile;
use super::signed_data::{Template, size_bound};
use super::timestamp::TimestampSource;
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::original::Original;
use crate::pdf::revise::Document;
use jiff::Timestamp;
use jiff::tz::{self, TimeZone};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;

/// A signed file.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// The original bytes and the revision behind them.
    pub bytes: Vec<u8>,
    /// What was made.
    pub seal: Seal,
}

/// What signing made: the tail is to be written behind the original bytes.
#[derive(Debug, Clone)]
pub struct Tail {
    /// The revision.
    pub bytes: Vec<u8>,
    /// What was made.
    pub seal: Seal,
}

/// A signature that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seal {
    /// What it proves by itself.
    pub level: Level,
    /// Name of the signature field.
    pub field: String,
    /// The profile's name and version, `intake_scan/1`.
    pub profile: String,
    /// The time in `/M`.
    pub signed_at: Timestamp,
    /// SHA-256 of the signed range.
    pub digest: Sha256,
    /// Octets of the CMS.
    pub cms_size: usize,
    /// Page (from 1) and rectangle in user space where it is seen.
    pub shown: Option<Shown>,
}

/// Where a signature is seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// From 1.
    pub page: usize,
    /// Left, bottom, right, top in user space units.
    pub rect: [f64; 4],
}

/// Baseline level of a signature (EN 319 142-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Signature alone.
    #[serde(rename = "B-B")]
    BB,
    /// With a time stamp over the signature.
    #[serde(rename = "B-T")]
    BT,
    /// With everything that is needed to check it, in the file.
    #[serde(rename = "B-LT")]
    BLT,
    /// With a time stamp over all of that.
    #[serde(rename = "B-LTA")]
    BLTA,
}

impl Level {
    /// `B-B`, `B-T`, `B-LT`, `B-LTA`.
    pub fn name(self) -> &'static str {
        match self {
            Level::BB => "B-B",
            Level::BT => "B-T",
            Level::BLT => "B-LT",
            Level::BLTA => "B-LTA",
        }
    }
}

/// What is to be signed how.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// Who signs what, and how it looks.
    pub profile: &'a SignatureProfile,
    /// What it shows.
    pub facts: &'a AppearanceFacts,
    /// The time in `/M`.
    pub at: Timestamp,
    /// An empty field to sign into, or the name of the new one; `Signature1` or the next where it is left out.
    pub field: Option<&'a str>,
}

/// A file that is to be signed: hashed once, its structure read where it lies.
pub struct Sheet {
    original: Original,
    hashed: openssl::sha::Sha256,
}

impl Sheet {
    /// Hashes a file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn open(original: Original) -> Outcome<Self> {
        let mut hashed = openssl::sha::Sha256::new();
        stream(&original, |part| {
            hashed.update(part);
            Ok(())
        })?;
        Ok(Sheet { original, hashed })
    }

    /// Hashes a file while it is copied into an empty one, which is what is signed then: whoever changes the first
    /// meanwhile changes nothing of that. The tail is to be written behind the copy.
    ///
    /// # Errors
    /// It cannot be read; [`COPY`] where the copy cannot be written.
    pub fn copy(original: &Original, into: &File) -> Outcome<Self> {
        let mut hashed = openssl::sha::Sha256::new();
        let unwritable = |e: std::io::Error| Fault::new(&COPY).detail(e.kind());
        let mut out = into;
        stream(original, |part| {
            hashed.update(part);
            out.write_all(part).map_err(unwritable)
        })?;
        Ok(Sheet { original: Original::file(into.try_clone().map_err(unwritable)?)?, hashed })
    }

    /// A revision with an empty signature for a key, and room in it for a time stamp where there is to be one.
    ///
    /// # Errors
    /// The file cannot be appended to or forbids it ([`LOCKED`], [`FIELD_LOCKED`], [`CERTIFIED`]), an earlier signature in
    /// it is broken ([`BROKEN_BEFORE`]) or was followed by what it does not allow ([`CHANGED_BEFORE`]), the field cannot be
    /// signed into ([`FIELD`]), the certificate may not sign, the appearance fails.
    pub fn prepare(&self, key: &dyn KeyHandle, order: &Order<'_>, stamped: bool) -> Outcome<Prepared> {
        let stamp = if stamped { STAMP_ROOM } else { 0 };
        self.prepare_with(key, order, size_bound(key)? + stamp)
    }

    /// As [`Sheet::prepare`], with room for so many octets of CMS.
    ///
    /// # Errors
    /// As [`Sheet::prepare`].
    pub fn prepare_with(&self, key: &dyn KeyHandle, order: &Order<'_>, room: usize) -> Outcome<Prepared> {
        check_may_sign(key.certificate(), order.at)?;
        let document = Document::open_original(&self.original)?;
        let (fields, names) = document.named_fields()?;
        let rules = earlier::check(&document, &fields, &self.original, order.at)?;
        let form = layout::Form { fields: &fields, names: &names, rules: &rules };
        let unsigned = layout::signature(&document, &form, key, order, room.next_multiple_of(256))?;
        Ok(self.prepared(unsigned, order.at, format!("{}/{}", order.profile.id, order.profile.version)))
    }

    /// A revision with an empty document time stamp (ISO 32000-2, 12.8.5) of so many octets.
    ///
    /// # Errors
    /// As [`Sheet::prepare`], but for the key.
    pub fn prepare_timestamp(&self, at: Timestamp, room: usize) -> Outcome<Prepared> {
        let document = Document::open_original(&self.original)?;
        let (_, names) = document.named_fields()?;
        let unsigned = layout::time_stamp(&document, &names, room.next_multiple_of(256))?;
        Ok(self.prepared(unsigned, at, "DocTimeStamp".to_owned()))
    }

    fn prepared(&self, unsigned: layout::Unsigned, at: Timestamp, profile: String) -> Prepared {
        Prepared { digest: unsigned.digest(self.hashed.clone()), unsigned, at, profile }
    }
}

/// A revision that waits for its signature.
pub struct Prepared {
    unsigned: layout::Unsigned,
    digest: Sha256,
    at: Timestamp,
    profile: String,
}

impl Prepared {
    /// SHA-256 of the range that is signed: the message digest.
    pub fn digest(&self) -> &Sha256 {
        &self.digest
    }

    /// The most octets of CMS that it takes.
    pub fn room(&self) -> usize {
        self.unsigned.room()
    }

    /// Puts the CMS in.
    ///
    /// # Errors
    /// [`HOLE`] for more octets than [`Prepared::room`].
    pub fn finish(mut self, cms: &[u8], level: Level) -> Outcome<Tail> {
        self.unsigned.fill(cms)?;
        let seal = Seal {
            level,
            field: self.unsigned.field,
            profile: self.profile,
            signed_at: self.at,
            digest: self.digest,
            cms_size: cms.len(),
            shown: self.unsigned.shown,
        };
        Ok(Tail { bytes: self.unsigned.bytes, seal })
    }
}

/// Signs a sheet. With a time stamp source the result is B-T or nothing.
///
/// # Errors
/// Those of [`Sheet::prepare`], the key and the authority.
pub fn sign_sheet(
    sheet: &Sheet,
    key: &dyn KeyHandle,
    order: &Order<'_>,
    tsa: Option<&dyn TimestampSource>,
) -> Outcome<Tail> {
    match sign_for_now(sheet, key, order, tsa)? {
        (tail, None) => Ok(tail),
        (_, Some(fault)) => Err(fault),
    }
}

/// Signs a sheet. Where the authority does not answer, the result is B-B with room for a time stamp later
/// ([`super::raise`]), and why.
///
/// # Errors
/// As [`sign_sheet`], but for an authority that is to be asked again ([`Class::Later`]).
pub fn sign_for_now(
    sheet: &Sheet,
    key: &dyn KeyHandle,
    order: &Order<'_>,
    tsa: Option<&dyn TimestampSource>,
) -> Outcome<(Tail, Option<Fault>)> {
    let template = Template::of(key)?;
    let stamp = if tsa.is_some() { STAMP_ROOM } else { 0 };
    let mut prepared = sheet.prepare_with(key, order, template.size_bound() + stamp)?;
    for attempt in 0..2 {
        let draft = template.draft(prepared.digest());
        let signature = sign_one(key, &draft.to_sign())?;
        let signed = draft.signed(signature);
        let (level, token, why) = match tsa.map(|tsa| tsa.stamp(&Sha256::of(signed.signature()))) {
            None => (Level::BB, None, None),
            Some(Ok(token)) => (Level::BT, Some(token), None),
            Some(Err(fault)) if fault.code.class == Class::Later => (Level::BB, None, Some(fault)),
            Some(Err(fault)) => return Err(fault),
        };
        let cms = signed.finish(token.as_deref());
        if cms.len() <= prepared.room() {
            return Ok((prepared.finish(&cms, level)?, why));
        }
        if attempt == 0 {
            prepared = sheet.prepare_with(key, order, cms.len() + SPARE)?;
        }
    }
    Err(Fault::new(&HOLE).detail(format!("{} octets reserved", prepared.room())))
}

/// Signs a PDF. With a time stamp source the result is B-T or nothing: without an answer no bytes come back.
///
/// # Errors
/// As [`sign_sheet`].
pub fn sign(
    pdf: &[u8],
    profile: &SignatureProfile,
    key: &dyn KeyHandle,
    tsa: Option<&dyn TimestampSource>,
    at: Timestamp,
    facts: &AppearanceFacts,
) -> Outcome<Sealed> {
    let sheet = Sheet::open(Original::from(pdf))?;
    let tail = sign_sheet(&sheet, key, &Order { profile, facts, at, field: None }, tsa)?;
    let mut bytes = Vec::with_capacity(pdf.len() + tail.bytes.len());
    bytes.extend_from_slice(pdf);
    bytes.extend_from_slice(&tail.bytes);
    Ok(Sealed { bytes, seal: tail.seal })
}

/// Gives a file in order, stride by stride.
fn stream(original: &Original, mut each: impl FnMut(&[u8]) -> Outcome<()>) -> Outcome<()> {
    if let Some(bytes) = original.in_memory() {
        return each(bytes);
    }
    let mut buffer = vec![0; STRIDE];
    let mut at = 0;
    while at < original.len() {
        let part = usize::try_from(original.len() - at).unwrap_or(usize::MAX).min(STRIDE);
        original.fill(at, &mut buffer[..part])?;
        each(&buffer[..part])?;
        at += part as u64;
    }
    Ok(())
}

/// The signer's common name out of the certificate.
pub fn common_name(key: &dyn KeyHandle) -> String {
    let subject = key.certificate().subject_name();
    let entry = subject.entries_by_nid(openssl::nid::Nid::COMMONNAME).last();
    entry.and_then(|e| e.data().to_string().ok()).unwrap_or_default()
}

/// UTC+07:00, all year.
pub(crate) fn vietnam() -> TimeZone {
    TimeZone::fixed(tz::offset(7))
}

/// Room for a time stamp token; replies of 3 to 7 KB were met.
pub(crate) const STAMP_ROOM: usize = 8192;
pub(super) const SPARE: usize = 512;
/// What is read at a time: stays in the processor's own memory while it is hashed and written. More costs more to clear
/// and saves nothing.
const STRIDE: usize = 64 << 10;

/// A closed file.
pub const LOCKED: Code = Code {
    id: "SEAL-020",
    class: Class::Input,
    vi: "Tệp PDF đã được chứng thực và khoá, không cho phép thêm chữ ký",
    en: "the PDF is certified against any further change",
    remedy_vi: "Đề nghị người ký trước cấp bản cho phép ký thêm",
    remedy_en: "ask the earlier signer for a copy that permits further signatures",
};

/// The CMS outgrew its place twice.
pub const HOLE: Code = Code {
    id: "SEAL-021",
    class: Class::Inner,
    vi: "Chữ ký không vừa chỗ đã dành",
    en: "the signature does not fit its place",
    remedy_vi: "Thử lại; nếu vẫn lỗi thì báo người bảo trì",
    remedy_en: "try again, then report it to the maintainers",
};

/// A copy that cannot be written.
pub const COPY: Code = Code {
    id: "SEAL-024",
    class: Class::Later,
    vi: "Không ghi được bản sao để ký",
    en: "the copy that is to be signed cannot be written",
    remedy_vi: "Kiểm tra dung lượng đĩa và quyền ghi của thư mục kết quả",
    remedy_en: "check the free space and the permissions of the output folder",
};

#[cfg(test)]
pub(crate) mod tests;
