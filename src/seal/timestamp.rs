//! Time stamps (RFC 3161): the question, the checks on the answer, and the way to an authority over HTTP.

use crate::cms::{self, Parts};
use crate::der::{self, Limits};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use jiff::Timestamp;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{X509, X509PurposeId, X509StoreContext, X509StoreContextRef};
use std::time::Duration;

/// Whoever gives time stamps.
pub trait TimestampSource: Send + Sync {
    /// A time stamp token (CMS, DER) over a digest, already checked by [`check_reply`].
    ///
    /// # Errors
    /// Silence, refusal, or an answer to another question.
    fn stamp(&self, imprint: &Sha256) -> Outcome<Vec<u8>>;
}

/// A question to an authority.
pub struct Request {
    /// TimeStampReq, DER.
    pub der: Vec<u8>,
    /// What the answer must repeat.
    pub nonce: [u8; 8],
    /// What is to be stamped.
    pub imprint: Sha256,
}

impl Request {
    /// A question with a fresh nonce that asks for the authority's certificate.
    ///
    /// # Errors
    /// No random numbers.
    pub fn new(imprint: &Sha256) -> Outcome<Self> {
        let mut nonce = [0u8; 8];
        openssl::rand::rand_bytes(&mut nonce).map_err(|_| Fault::new(&super::key::SIGNING))?;
        // A leading zero octet would be cut off by DER and compare unequal.
        nonce[0] = nonce[0] & 0x7f | 0x01;
        let der = der::sequence(&[
            &der::integer(&[1]),
            &der::sequence(&[&super::signed_data::sha256_identifier(), &der::octet_string(&imprint.0)]),
            &der::integer(&nonce),
            &der::tlv(0x01, &[0xff]),
        ]);
        Ok(Request { der, nonce, imprint: *imprint })
    }
}

/// A token that answers its question.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// The token, CMS, DER.
    pub token: Vec<u8>,
    /// The time that it says.
    pub time: Timestamp,
    /// The authority's certificate.
    pub certificate: X509,
    /// The certificates that came along.
    pub others: Vec<X509>,
}

impl Stamp {
    /// Whether the authority's certificate leads to one of the anchors, for the purpose of time stamps, at the time of the
    /// stamp (RFC 3161, 2.2: the requester verifies it).
    ///
    /// # Errors
    /// [`UNTRUSTED`].
    pub fn check_chain(&self, anchors: &[X509]) -> Outcome<()> {
        let holds = || -> Result<bool, ErrorStack> {
            let mut store = X509StoreBuilder::new()?;
            for anchor in anchors {
                store.add_cert(anchor.clone())?;
            }
            let mut rules = X509VerifyParam::new()?;
            rules.set_purpose(X509PurposeId::TIMESTAMP_SIGN)?;
            rules.set_time(self.time.as_second());
            store.set_param(&rules)?;
            let mut others = Stack::new()?;
            for other in &self.others {
                others.push(other.clone())?;
            }
            let mut context = X509StoreContext::new()?;
            context.init(&store.build(), &self.certificate, &others, X509StoreContextRef::verify_cert)
        };
        if holds().unwrap_or(false) { Ok(()) } else { Err(Fault::new(&UNTRUSTED)) }
    }

    /// Whether the authority's clock and ours agree.
    ///
    /// # Errors
    /// [`CLOCK`], with the difference.
    pub fn check_clock(&self, now: Timestamp, tolerance: Duration) -> Outcome<()> {
        let apart = now.duration_since(self.time).unsigned_abs();
        if apart <= tolerance {
            return Ok(());
        }
        let which = if now > self.time { "ahead" } else { "behind" };
        Err(Fault::new(&CLOCK).detail(format!("this clock is {} seconds {which}", apart.as_secs())))
    }
}

/// The token of a reply, once status, imprint, nonce, content type, signature, purpose and validity of the authority's
/// certificate agree with the question. Whether that authority is trusted is for [`Stamp::check_chain`] and the verifier.
///
/// # Errors
/// [`REJECTED`] by the authority, [`REPLY_BROKEN`], [`OTHER_QUESTION`], [`REPLY_SIGNATURE`], [`NOT_AN_AUTHORITY`],
/// [`AUTHORITY_EXPIRED`].
pub fn check_reply(reply: &[u8], request: &Request) -> Outcome<Stamp> {
    let broken = |e: der::DerError| Fault::new(&REPLY_BROKEN).detail(e);
    // Some authorities answer in BER; what is embedded is DER either way, and the signature is over DER.
    let reply = der::normalise(reply, &Limits::default()).map_err(broken)?;
    let mut fields = der::only(&reply, 0x30).map_err(broken)?.reader();
    let status = fields.expect(0x30).map_err(broken)?.reader().expect(0x02).map_err(broken)?;
    let status = status.number().map_err(broken)?;
    // granted and grantedWithMods (RFC 3161, 2.4.2)
    if status > 1 {
        return Err(Fault::new(&REJECTED).detail(format!("PKIStatus {status}")));
    }
    let token = fields.expect(0x30).map_err(broken)?;
    fields.end().map_err(broken)?;
    check(token.raw, &request.imprint, Some(&request.nonce), &[])
}

/// The stamp in a token that was kept, once its imprint, signature, and the purpose and validity of the authority's
/// certificate agree. `known` are certificates that the token may have been left without. Whether the authority is trusted
/// is for [`Stamp::check_chain`].
///
/// # Errors
/// As [`check_reply`].
pub fn check_token(token: &[u8], imprint: &Sha256, known: &[X509]) -> Outcome<Stamp> {
    check(token, imprint, None, known)
}

/// The token without the certificates and lists that came along, and those certificates. No signature covers them; whoever
/// checks the token then needs the authority's own from elsewhere.
///
/// # Errors
/// [`REPLY_BROKEN`].
pub fn without_certificates(token: &[u8]) -> Outcome<(Vec<u8>, Vec<X509>)> {
    let broken = |e: der::DerError| Fault::new(&REPLY_BROKEN).detail(e);
    let certificates =
        cms::parse(token, &Limits::default()).map_err(|e| Fault::new(&REPLY_BROKEN).detail(e))?.certificates;
    let mut info = der::only(token, 0x30).map_err(broken)?.reader();
    let kind = info.expect(0x06).map_err(broken)?;
    let mut wrapper = info.expect(0xa0).map_err(broken)?.reader();
    let mut fields = wrapper.expect(0x30).map_err(broken)?.reader();
    let mut kept = Vec::new();
    while !fields.is_empty() {
        let field = fields.read_tlv().map_err(broken)?;
        if !matches!(field.tag, 0xa0 | 0xa1) {
            kept.push(field.raw);
        }
    }
    let bare = der::sequence(&[kind.raw, &der::tlv(0xa0, &der::sequence(&kept))]);
    Ok((bare, certificates))
}

/// Whether the certificate that signed a token came along or is among `known`.
pub fn has_certificate(token: &[u8], known: &[X509]) -> bool {
    let Ok(data) = cms::parse(token, &Limits::default()) else { return false };
    data.signers
        .iter()
        .all(|signer| signer.certificate(&data.certificates).or_else(|| signer.certificate(known)).is_some())
}

fn check(token: &[u8], imprint: &Sha256, nonce: Option<&[u8; 8]>, known: &[X509]) -> Outcome<Stamp> {
    let mut data = cms::parse(token, &Limits::default()).map_err(|e| Fault::new(&REPLY_BROKEN).detail(e))?;
    data.certificates.extend_from_slice(known);
    let (Some(info), [signer]) = (&data.econtent, data.signers.as_slice()) else {
        return Err(Fault::new(&REPLY_BROKEN).detail("no content, or not one signer"));
    };
    if data.econtent_type != TST_INFO {
        return Err(Fault::new(&REPLY_BROKEN).detail("not a time stamp"));
    }
    let time = check_question(info, imprint, nonce)?;
    let certificate = signer
        .certificate(&data.certificates)
        .ok_or_else(|| Fault::new(&REPLY_SIGNATURE).detail("the authority's certificate is missing"))?;
    if !signer.check_signature(certificate, &data.econtent_type, &[info]).holds() {
        return Err(Fault::new(&REPLY_SIGNATURE));
    }
    if !names_its_certificate(signer, certificate) {
        return Err(Fault::new(&REPLY_SIGNATURE).detail("no matching signing-certificate attribute"));
    }
    if !stamps_only(certificate) {
        return Err(Fault::new(&NOT_AN_AUTHORITY));
    }
    let (from, until) = super::key::validity(certificate)?;
    if time < from || time > until {
        return Err(Fault::new(&AUTHORITY_EXPIRED).detail(format!("valid from {from} until {until}")));
    }
    Ok(Stamp { token: token.to_vec(), time, certificate: certificate.clone(), others: data.certificates })
}

/// An authority reached over HTTP (RFC 3161, 3.4). Call from a blocking thread: the answer is waited for.
pub struct HttpTimestamp {
    url: reqwest::Url,
    client: reqwest::Client,
    handle: tokio::runtime::Handle,
    anchors: Vec<X509>,
    deadline: Duration,
}

impl HttpTimestamp {
    /// An authority at an address; `handle` is the runtime that does the waiting.
    ///
    /// # Errors
    /// [`ADDRESS`].
    pub fn new(url: &str, handle: tokio::runtime::Handle) -> Outcome<Self> {
        let url = reqwest::Url::parse(url).map_err(|_| Fault::new(&ADDRESS))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Fault::new(&ADDRESS));
        }
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|_| Fault::new(&SILENT).detail("no TLS"))?;
        Ok(HttpTimestamp { url, client, handle, anchors: Vec::new(), deadline: REPLY_TIMEOUT })
    }

    /// Takes stamps only of authorities that lead to these anchors, where there are any.
    #[must_use]
    pub fn trusting(mut self, anchors: Vec<X509>) -> Self {
        self.anchors = anchors;
        self
    }

    /// Waits so long for the whole of an answer, 30 seconds otherwise.
    #[must_use]
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    async fn ask(&self, question: Vec<u8>) -> Outcome<Vec<u8>> {
        // The error's own text would name the address; its kind is enough.
        let silent = |e: reqwest::Error| {
            let kind = match () {
                () if e.is_timeout() => "timeout",
                () if e.is_connect() => "no connection",
                () => "the transfer broke off",
            };
            Fault::new(&SILENT).detail(kind)
        };
        let post = self.client.post(self.url.clone()).header("content-type", "application/timestamp-query");
        let post = post.timeout(self.deadline);
        let mut reply = post.body(question).send().await.map_err(silent)?;
        if !reply.status().is_success() {
            return Err(Fault::new(&SILENT).detail(format!("HTTP {}", reply.status().as_u16())));
        }
        let kind = reply.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or("");
        if !kind.to_ascii_lowercase().starts_with("application/timestamp-reply") {
            return Err(Fault::new(&REPLY_BROKEN).detail("not an application/timestamp-reply"));
        }
        let mut body = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(silent)? {
            if body.len() + chunk.len() > MAX_REPLY {
                return Err(Fault::new(&REPLY_BROKEN).detail(format!("more than {MAX_REPLY} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

impl TimestampSource for HttpTimestamp {
    fn stamp(&self, imprint: &Sha256) -> Outcome<Vec<u8>> {
        let request = Request::new(imprint)?;
        let reply = self.handle.block_on(self.ask(request.der.clone()))?;
        let stamp = check_reply(&reply, &request)?;
        stamp.check_clock(Timestamp::now(), TOLERANCE)?;
        if !self.anchors.is_empty() {
            stamp.check_chain(&self.anchors)?;
        }
        Ok(stamp.token)
    }
}

/// Imprint and nonce of a TSTInfo (RFC 3161, 2.4.2) against the question; the time that it says. A kept token's question
/// is not known any more, nor its nonce.
fn check_question(info: &[u8], asked: &Sha256, asked_nonce: Option<&[u8; 8]>) -> Outcome<Timestamp> {
    let broken = |e: der::DerError| Fault::new(&REPLY_BROKEN).detail(e);
    let mut fields = der::only(info, 0x30).map_err(broken)?.reader();
    if fields.expect(0x02).and_then(|v| v.number()).map_err(broken)? != 1 {
        return Err(Fault::new(&REPLY_BROKEN).detail("unknown version"));
    }
    fields.expect(0x06).map_err(broken)?;
    let mut imprint = fields.expect(0x30).map_err(broken)?.reader();
    let hash = cms::Hash::read(&imprint.expect(0x30).map_err(broken)?).map_err(broken)?;
    let digest = imprint.expect(0x04).map_err(broken)?.content;
    if hash != cms::Hash::Sha256 || digest != asked.0 {
        return Err(Fault::new(&OTHER_QUESTION).detail("imprint"));
    }
    fields.expect(0x02).map_err(broken)?;
    let time = fields.expect(0x18).map_err(broken)?;
    let time =
        moment(time.content).ok_or_else(|| Fault::new(&REPLY_BROKEN).detail("its time cannot be read"))?;
    fields.optional(0x30).map_err(broken)?;
    fields.optional(0x01).map_err(broken)?;
    let nonce = fields.optional(0x02).map_err(broken)?.map(|n| n.content);
    if asked_nonce.is_some_and(|asked| nonce != Some(asked)) {
        return Err(Fault::new(&OTHER_QUESTION).detail("nonce"));
    }
    Ok(time)
}

/// GeneralizedTime in UTC with seconds; fractions of them are cut.
fn moment(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let whole = text.split('.').next()?;
    if whole.len() != 14 || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (day, hour) = whole.split_at_checked(8)?;
    format!("{day}T{hour}Z").parse().ok()
}

/// Whether a signing-certificate attribute (RFC 2634, 5.4; RFC 5035, 3) names exactly this certificate first.
fn names_its_certificate(signer: &cms::SignerInfo, certificate: &X509) -> bool {
    let Ok(encoded) = certificate.to_der() else { return false };
    let hashed = |oid: &str, v2: bool| -> Option<bool> {
        let attribute = signer.attributes_of(oid).next()?;
        let named = (|| {
            let mut outer = der::only(attribute.values.first()?, 0x30).ok()?.reader();
            let mut list = outer.expect(0x30).ok()?.reader();
            let mut first = list.expect(0x30).ok()?.reader();
            let hash = match first.optional(0x30).ok()? {
                Some(algorithm) if v2 => cms::Hash::read(&algorithm).ok()?,
                Some(_) => return None,
                None if v2 => cms::Hash::Sha256,
                None => cms::Hash::Sha1,
            };
            Some(hash.digest(&[&encoded])? == first.expect(0x04).ok()?.content)
        })();
        Some(named.unwrap_or(false))
    };
    hashed("1.2.840.113549.1.9.16.2.47", true).or_else(|| hashed("1.2.840.113549.1.9.16.2.12", false))
        == Some(true)
}

/// Whether a certificate's extended key usage is critical and timeStamping alone (RFC 3161, 2.3).
pub(crate) fn stamps_only(certificate: &X509) -> bool {
    let Ok(parts) = Parts::of(certificate) else { return false };
    let Some(usage) = parts.extension("2.5.29.37") else { return false };
    let only = || {
        let mut purposes = der::only(&usage.value, 0x30).ok()?.reader();
        let first = purposes.expect(0x06).ok()?.oid().ok()?;
        Some(first == "1.3.6.1.5.5.7.3.8" && purposes.is_empty())
    };
    usage.critical && only() == Some(true)
}

/// id-ct-TSTInfo.
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const MAX_REPLY: usize = 64 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);
/// How far our clock may be from the authority's: `/M` and the stamp would tell different stories.
const TOLERANCE: Duration = Duration::from_secs(60 * 60);

/// No answer.
pub const SILENT: Code = Code {
    id: "SEAL-011",
    class: Class::Later,
    vi: "Máy chủ cấp dấu thời gian không trả lời",
    en: "the time stamp authority does not answer",
    remedy_vi: "Kiểm tra đường truyền; hệ thống không phát hành tệp thiếu dấu thời gian",
    remedy_en: "check the line; nothing was published without its time stamp",
};

/// An answer that is none.
pub const REPLY_BROKEN: Code = Code {
    id: "SEAL-012",
    class: Class::Later,
    vi: "Trả lời của máy chủ cấp dấu thời gian bị hỏng",
    en: "the reply of the time stamp authority is malformed",
    remedy_vi: "Thử lại; nếu vẫn lỗi thì báo nhà cung cấp dấu thời gian",
    remedy_en: "try again, then report it to the authority",
};

/// A refusal.
pub const REJECTED: Code = Code {
    id: "SEAL-013",
    class: Class::Setup,
    vi: "Máy chủ cấp dấu thời gian từ chối yêu cầu",
    en: "the time stamp authority rejected the request",
    remedy_vi: "Kiểm tra địa chỉ và quyền sử dụng dịch vụ dấu thời gian",
    remedy_en: "check the address and the contract with the authority",
};

/// The answer to another question.
pub const OTHER_QUESTION: Code = Code {
    id: "SEAL-014",
    class: Class::Later,
    vi: "Dấu thời gian nhận về không thuộc về yêu cầu đã gửi",
    en: "the time stamp answers another request",
    remedy_vi: "Thử lại; nếu lặp lại thì ngừng dùng máy chủ này và báo người quản trị",
    remedy_en: "try again; if it repeats, stop using this authority and tell the administrator",
};

/// A token whose signature fails.
pub const REPLY_SIGNATURE: Code = Code {
    id: "SEAL-015",
    class: Class::Later,
    vi: "Chữ ký trên dấu thời gian không hợp lệ",
    en: "the signature of the time stamp does not hold",
    remedy_vi: "Thử lại; nếu lặp lại thì ngừng dùng máy chủ này và báo người quản trị",
    remedy_en: "try again; if it repeats, stop using this authority and tell the administrator",
};

/// A certificate that is not for time stamps alone.
pub const NOT_AN_AUTHORITY: Code = Code {
    id: "SEAL-016",
    class: Class::Setup,
    vi: "Chứng thư của máy chủ không phải là chứng thư cấp dấu thời gian",
    en: "the authority's certificate is not a critical timeStamping one",
    remedy_vi: "Dùng dịch vụ dấu thời gian được công nhận",
    remedy_en: "use a recognised time stamp service",
};

/// An address that is none.
pub const ADDRESS: Code = Code {
    id: "SEAL-017",
    class: Class::Setup,
    vi: "Địa chỉ máy chủ cấp dấu thời gian không hợp lệ",
    en: "the address of the time stamp authority is not an http or https URL",
    remedy_vi: "Khai lại địa chỉ",
    remedy_en: "correct the address",
};

/// An authority past its end.
pub const AUTHORITY_EXPIRED: Code = Code {
    id: "SEAL-056",
    class: Class::Setup,
    vi: "Chứng thư của máy chủ cấp dấu thời gian không còn hoặc chưa có hiệu lực",
    en: "the authority's certificate was not valid at the time it stamped",
    remedy_vi: "Dùng dịch vụ dấu thời gian khác và báo nhà cung cấp",
    remedy_en: "use another authority and tell this one",
};

/// An authority of nobody's.
pub const UNTRUSTED: Code = Code {
    id: "SEAL-057",
    class: Class::Setup,
    vi: "Máy chủ cấp dấu thời gian không thuộc các gốc tin cậy đã khai",
    en: "the time stamp authority does not lead to a configured anchor",
    remedy_vi: "Dùng dịch vụ được công nhận, hoặc bổ sung chứng thư gốc của dịch vụ",
    remedy_en: "use a recognised authority, or add its root to the anchors",
};

/// Two clocks that disagree.
pub const CLOCK: Code = Code {
    id: "SEAL-058",
    class: Class::Setup,
    vi: "Đồng hồ của máy lệch với dấu thời gian",
    en: "this machine's clock and the time stamp are apart",
    remedy_vi: "Chỉnh đồng hồ của máy (NTP) rồi ký lại",
    remedy_en: "set the clock (NTP), then sign again",
};

#[cfg(test)]
mod tests {
    use super::super::authority::Authority;
    use super::super::training::{Minted, Usage};
    use super::*;
    use jiff::SignedDuration;

    fn answer(at: Timestamp) -> (Minted, Request, Vec<u8>) {
        let minted = Minted::new("ec", Usage::Stamp);
        let request = Request::new(&Sha256::of(b"signature")).unwrap();
        let reply = Authority::new(minted.soft_key()).unwrap().reply(&request.der, at);
        (minted, request, reply)
    }

    #[test]
    fn an_authority_past_its_end_is_refused_by_the_time_it_stamps() {
        let now = Timestamp::now();
        for (days, good) in [(0, true), (29, true), (31, false), (-1, false)] {
            let (_, request, reply) =
                answer(now + SignedDuration::from_hours(24 * days) + SignedDuration::from_secs(5));
            let checked = check_reply(&reply, &request).map(|_| ()).map_err(|f| f.code.id);
            assert_eq!(checked, if good { Ok(()) } else { Err(AUTHORITY_EXPIRED.id) }, "{days} days");
        }
    }

    #[test]
    fn an_authority_counts_where_it_leads_to_an_anchor() {
        let (minted, request, reply) = answer(Timestamp::now() + SignedDuration::from_secs(5));
        let stamp = check_reply(&reply, &request).unwrap();
        assert!(stamp.check_chain(std::slice::from_ref(&minted.root)).is_ok());
        let stranger = Minted::new("ec", Usage::Stamp);
        for anchors in [vec![], vec![stranger.root], vec![minted.certificate]] {
            assert_eq!(stamp.check_chain(&anchors).unwrap_err().code.id, UNTRUSTED.id);
        }
    }

    #[test]
    fn a_clock_that_is_off_by_a_day_is_noticed_either_way() {
        let now = Timestamp::now();
        for (hours, apart) in [(0, None), (24, Some("behind")), (-24, Some("ahead"))] {
            let minted = Minted::new("ec", Usage::Stamp);
            let time = now + SignedDuration::from_hours(hours);
            let stamp =
                Stamp { token: Vec::new(), time, certificate: minted.certificate, others: Vec::new() };
            let checked = stamp.check_clock(now, TOLERANCE);
            assert_eq!(checked.is_err(), apart.is_some());
            if let (Err(fault), Some(apart)) = (checked, apart) {
                assert_eq!(fault.code.id, CLOCK.id);
                assert!(fault.detail.unwrap().contains(apart));
            }
        }
    }

    #[test]
    fn times_are_read_to_the_second() {
        let read = |text: &str| moment(text.as_bytes()).map(|t| t.to_string());
        assert_eq!(read("20260930081500Z").as_deref(), Some("2026-09-30T08:15:00Z"));
        assert_eq!(read("20260930081500.123Z").as_deref(), Some("2026-09-30T08:15:00Z"));
        for bad in ["20260930081500", "202609300815Z", "20261330081500Z", "Z", "2026093008150\u{661}Z"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
