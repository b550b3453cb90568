//! Time stamps (RFC 3161): the question, the checks on the answer, and the way to an authority over HTTP.

use crate::cms::{self, Parts};
use crate::der::{self, Limits};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use openssl::x509::X509;
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

/// The token of a reply, once status, imprint, nonce, content type, signature and the purpose of the authority's
/// certificate agree with the question. Whether that authority is trusted is for the verifier to say.
///
/// # Errors
/// [`REJECTED`] by the authority, [`REPLY_BROKEN`], [`OTHER_QUESTION`], [`REPLY_SIGNATURE`], [`NOT_AN_AUTHORITY`].
pub fn check_reply(reply: &[u8], request: &Request) -> Outcome<Vec<u8>> {
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
    let data = cms::parse(token.raw, &Limits::default()).map_err(|e| Fault::new(&REPLY_BROKEN).detail(e))?;
    let (Some(info), [signer]) = (&data.econtent, data.signers.as_slice()) else {
        return Err(Fault::new(&REPLY_BROKEN).detail("no content, or not one signer"));
    };
    if data.econtent_type != TST_INFO {
        return Err(Fault::new(&REPLY_BROKEN).detail("not a time stamp"));
    }
    check_question(info, request)?;
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
    Ok(token.raw.to_vec())
}

/// An authority reached over HTTP (RFC 3161, 3.4). Call from a blocking thread: the answer is waited for.
pub struct HttpTimestamp {
    url: reqwest::Url,
    client: reqwest::Client,
    handle: tokio::runtime::Handle,
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
            .timeout(REPLY_TIMEOUT)
            .build()
            .map_err(|_| Fault::new(&SILENT).detail("no TLS"))?;
        Ok(HttpTimestamp { url, client, handle })
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
        check_reply(&reply, &request)
    }
}

/// Imprint and nonce of a TSTInfo (RFC 3161, 2.4.2) against the question.
fn check_question(info: &[u8], request: &Request) -> Outcome<()> {
    let broken = |e: der::DerError| Fault::new(&REPLY_BROKEN).detail(e);
    let mut fields = der::only(info, 0x30).map_err(broken)?.reader();
    if fields.expect(0x02).and_then(|v| v.number()).map_err(broken)? != 1 {
        return Err(Fault::new(&REPLY_BROKEN).detail("unknown version"));
    }
    fields.expect(0x06).map_err(broken)?;
    let mut imprint = fields.expect(0x30).map_err(broken)?.reader();
    let hash = cms::Hash::read(&imprint.expect(0x30).map_err(broken)?).map_err(broken)?;
    let digest = imprint.expect(0x04).map_err(broken)?.content;
    if hash != cms::Hash::Sha256 || digest != request.imprint.0 {
        return Err(Fault::new(&OTHER_QUESTION).detail("imprint"));
    }
    fields.expect(0x02).map_err(broken)?;
    fields.expect(0x18).map_err(broken)?;
    fields.optional(0x30).map_err(broken)?;
    fields.optional(0x01).map_err(broken)?;
    let nonce = fields.optional(0x02).map_err(broken)?.map(|n| n.content);
    if nonce != Some(&request.nonce) {
        return Err(Fault::new(&OTHER_QUESTION).detail("nonce"));
    }
    Ok(())
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
