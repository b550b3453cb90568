//! Time stamp tokens (RFC 3161): whether a token is about these bytes, who stamped, and when.

use super::chain::{self, ChainReport, Given, Moment, Trust};
use super::usage::Purpose;
use super::{
    VerifyCode, enclosed, finding,
    signer::{frame, is_weak, signing_certificate},
};
use crate::cms::{self, Content, Hash};
use crate::der::{self, DerError, Limits};
use crate::fault::{Class, Code, Report};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// A judged time stamp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimestampReport {
    /// The token is about these bytes and its signature holds. Whom it comes from is `chain`.
    pub ok: bool,
    /// When, as the authority says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The authority's certificate.
    pub chain: Option<ChainReport>,
    /// What speaks against it.
    pub problems: Vec<Report>,
}

impl TimestampReport {
    /// Nothing speaks against it but that this machine's clock, or the time that was asked about, lies well before it:
    /// one of the two is wrong, and nobody can say which.
    pub(super) fn is_ahead(&self) -> bool {
        !self.problems.is_empty() && self.problems.iter().all(|problem| problem.code == TOKEN_FUTURE.id)
    }

    /// The time, where it can be relied upon.
    pub fn proven_time(&self) -> Option<Timestamp> {
        let trusted = self.chain.as_ref().is_some_and(|c| c.trust == Trust::Trusted);
        self.time.filter(|_| self.ok && trusted)
    }
}

/// Judges a token over what it is about; the authority's chain is judged at the moment known so far.
pub(super) fn judge(token: &[u8], over: &dyn Content, given: &Given<'_>, known: Moment) -> TimestampReport {
    let mut report = TimestampReport { ok: false, time: None, chain: None, problems: Vec::new() };
    let Ok(data) = cms::parse(token, &Limits::default()) else {
        report.problems.push(finding(&TOKEN_BROKEN));
        return report;
    };
    let info = data.econtent.as_deref().filter(|_| data.econtent_type == TST_INFO);
    let info = info.and_then(|bytes| Some((bytes, TstInfo::read(bytes).ok()?)));
    let ([signer], Some((content, info))) = (&data.signers[..], info) else {
        report.problems.push(finding(&TOKEN_BROKEN));
        return report;
    };
    report.time = Some(info.time);
    if frame(token, false).is_none_or(|hashes| !hashes.contains(&signer.digest)) {
        report.problems.push(finding(&TOKEN_BROKEN));
    }
    let mut evidence = given.evidence.clone();
    enclosed::of_cms(&data, &mut evidence);
    let Some(certificate) = signer.certificate(&evidence.certificates) else {
        report.problems.push(finding(&TOKEN_SIGNER));
        return report;
    };
    let check = signer.check_signature(certificate, TST_INFO, &[content]);
    if !check.holds() || !check.problems.is_empty() {
        report.problems.push(finding(&TOKEN_FORGED));
    }
    if signing_certificate(signer, certificate, true).is_err() {
        report.problems.push(finding(&TOKEN_SIGNER));
    }
    if info.hash.is_weak() || signer.digest.is_weak() || is_weak(certificate) {
        report.problems.push(finding(&TOKEN_WEAK));
    }
    if over.digest(info.hash).as_deref() != Some(&info.imprint) {
        report.problems.push(finding(&TOKEN_OTHER));
    }
    if info.time > known.at.checked_add(SKEW).unwrap_or(Timestamp::MAX) {
        report.problems.push(finding(&TOKEN_FUTURE));
    }
    report.ok = report.problems.is_empty();
    let given = Given { evidence: &evidence, ..*given };
    report.chain = Some(chain::judge(certificate, &given, known, Purpose::TimeStamp));
    report
}

struct TstInfo {
    hash: Hash,
    imprint: Vec<u8>,
    time: Timestamp,
}

impl TstInfo {
    fn read(bytes: &[u8]) -> Result<TstInfo, DerError> {
        let mut fields = der::only(bytes, 0x30)?.reader();
        fields.expect(0x02)?;
        fields.expect(0x06)?;
        let mut imprint = fields.expect(0x30)?.reader();
        let hash = Hash::read(&imprint.expect(0x30)?)?;
        let digest = imprint.expect(0x04)?.content.to_vec();
        imprint.end()?;
        fields.expect(0x02)?;
        let time = fields.expect(0x18)?;
        let time = generalized(time.content).ok_or(DerError::Value { at: time.at })?;
        Ok(TstInfo { hash, imprint: digest, time })
    }
}

/// `YYYYMMDDhhmmss[.f]Z`; fractions are cut.
fn generalized(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let whole = text.split('.').next()?;
    if whole.len() != 14 || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |range| whole.get(range);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(8..10)?,
        part(10..12)?,
        part(12..14)?
    );
    text.parse().ok()
}

/// How far apart two good clocks may be.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";

/// Not a token.
pub const TOKEN_BROKEN: Code = VerifyCode {
    id: "VRFY-010",
    vi: "Dấu thời gian hỏng hoặc sai định dạng",
    en: "the time stamp is damaged or malformed",
}
.code();
/// The authority's certificate is missing or not the one meant.
pub const TOKEN_SIGNER: Code = VerifyCode {
    id: "VRFY-011",
    vi: "Không xác định được chứng thư của đơn vị cấp dấu thời gian",
    en: "the time stamp does not say whose certificate it was made with",
}
.code();
/// The authority's signature does not hold.
pub const TOKEN_FORGED: Code = VerifyCode {
    id: "VRFY-012",
    vi: "Chữ ký trên dấu thời gian không đúng",
    en: "the signature on the time stamp does not hold",
}
.code();
/// Weak.
pub const TOKEN_WEAK: Code = VerifyCode {
    id: "VRFY-013",
    vi: "Dấu thời gian dùng thuật toán hoặc khóa quá yếu",
    en: "the time stamp uses an algorithm or key that is too weak",
}
.code();
/// About other bytes.
pub const TOKEN_OTHER: Code = VerifyCode {
    id: "VRFY-014",
    vi: "Dấu thời gian thuộc về dữ liệu khác",
    en: "the time stamp is about something else",
}
.code();
/// From the future.
pub const TOKEN_FUTURE: Code = Code {
    id: "VRFY-015",
    class: Class::Setup,
    vi: "Dấu thời gian muộn hơn đồng hồ máy này hoặc thời điểm được hỏi",
    en: "the time stamp is later than this machine's clock, or than the time asked about",
    remedy_vi: "Chỉnh đồng hồ máy này, hoặc hỏi về một thời điểm muộn hơn",
    remedy_en: "set this machine's clock right, or ask about a later time",
};
/// Nobody trusted vouches for its time.
pub const TOKEN_STRANGER: Code = Code {
    id: "VRFY-067",
    class: Class::Setup,
    vi: "Chưa rõ đơn vị cấp dấu thời gian có đáng tin không",
    en: "the time stamp authority is not known to be trusted",
    remedy_vi: "Thêm chứng thư gốc của đơn vị cấp dấu thời gian vào thư mục tin cậy nếu đơn vị đó được công nhận",
    remedy_en: "add the authority's root to the trust folder if it is recognised",
};
