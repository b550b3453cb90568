//! Asking a witness over HTTP to vouch for the newest head of a log.

use super::Request;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::note::{Checkpoint, KeyKind, Note, Signed, VerifierKey, decimal};
use crate::log::store::Log;
use std::time::Duration;

/// A witness at an address. Call from a blocking thread: the answer is waited for.
#[derive(Debug, Clone)]
pub struct HttpWitness {
    url: reqwest::Url,
    key: VerifierKey,
    client: reqwest::Client,
    handle: tokio::runtime::Handle,
}

impl HttpWitness {
    /// The witness whose `add-checkpoint` lies below `url`, and whose cosignatures `key` checks.
    ///
    /// # Errors
    /// [`ADDRESS`] for another scheme than http and https, or a key that is not a witness's.
    pub fn new(url: &str, key: VerifierKey, handle: tokio::runtime::Handle) -> Outcome<HttpWitness> {
        let url = format!("{}/add-checkpoint", url.trim_end_matches('/'));
        let url = reqwest::Url::parse(&url).map_err(|_| Fault::new(&ADDRESS))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Fault::new(&ADDRESS));
        }
        if key.kind() != KeyKind::Witness {
            return Err(Fault::new(&ADDRESS).detail("the key is not a witness's"));
        }
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(DEADLINE)
            .build()
            .map_err(|_| Fault::new(&SILENT).detail("no TLS"))?;
        Ok(HttpWitness { url, key, client, handle })
    }

    /// Whose cosignatures it gives.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Asks for the newest head of a log and keeps the cosignature; the checkpoint with all that are kept.
    ///
    /// # Errors
    /// [`SILENT`]; [`REFUSED`] where it does not know this log or what it says is not by its key; [`AHEAD`] where it has
    /// vouched for a larger or another tree: this log was rolled back or forked, and must not go on.
    pub fn ask(&self, log: &Log) -> Outcome<String> {
        let note = log.checkpoint()?;
        if Note::parse(&note)?.cosigned_at(&self.key).is_some() {
            return Ok(note);
        }
        let size = Checkpoint::parse(Note::parse(&note)?.text())?.size;
        let mut old = 0;
        for _ in 0..TRIES {
            let proof = log.prove_growth_between(old, size)?;
            let request = Request { old, proof, note: note.clone() };
            let (status, body) = self.handle.block_on(self.post(request.to_text()))?;
            match status {
                200 => {
                    let both = format!("{note}{body}");
                    if Note::parse(&both).map(|n| n.signed_by(&self.key)) != Ok(Signed::By) {
                        return Err(Fault::new(&REFUSED).detail("the answer is not by its key"));
                    }
                    return log.keep_cosignatures(&both, std::slice::from_ref(&self.key));
                }
                409 => {
                    let theirs = body.strip_suffix('\n').and_then(decimal);
                    let theirs = theirs.ok_or_else(|| Fault::new(&REFUSED).detail("409 without a size"))?;
                    if theirs > size || (theirs == old && theirs == size) {
                        return Err(Fault::new(&AHEAD).detail(format!("{theirs} leaves there, {size} here")));
                    }
                    old = theirs;
                }
                422 => {
                    return Err(Fault::new(&AHEAD).detail(format!("not a continuation of its {old} leaves")));
                }
                other if other >= 500 => return Err(Fault::new(&SILENT).detail(format!("HTTP {other}"))),
                other => return Err(Fault::new(&REFUSED).detail(format!("HTTP {other}"))),
            }
        }
        // Somebody else moves it on all the time.
        Err(Fault::new(&SILENT).detail("it was never where it said"))
    }

    async fn post(&self, body: String) -> Outcome<(u16, String)> {
        // The error's own text would name the address; its kind is enough.
        let silent = |e: reqwest::Error| {
            let kind = match () {
                () if e.is_timeout() => "timeout",
                () if e.is_connect() => "no connection",
                () => "the transfer broke off",
            };
            Fault::new(&SILENT).detail(kind)
        };
        let mut reply = self.client.post(self.url.clone()).body(body).send().await.map_err(silent)?;
        let (status, mut bytes) = (reply.status().as_u16(), Vec::new());
        while let Some(chunk) = reply.chunk().await.map_err(silent)? {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                return Err(Fault::new(&REFUSED).detail(format!("more than {MAX_ANSWER} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes).map(|b| (status, b)).map_err(|_| Fault::new(&REFUSED).detail("not text"))
    }
}

const CONNECT: Duration = Duration::from_secs(3);
const DEADLINE: Duration = Duration::from_secs(10);
const MAX_ANSWER: usize = 16 * 1024;
const TRIES: usize = 4;

/// A witness does not answer.
pub const SILENT: Code = Code {
    id: "LOG-022",
    class: Class::Later,
    vi: "Nhân chứng của nhật ký không trả lời",
    en: "the witness does not answer",
    remedy_vi: "Kiểm tra đường truyền; nhật ký vẫn hoạt động, xác nhận sẽ được lấy sau",
    remedy_en: "check the line; the log goes on, the cosignature is fetched later",
};
/// A witness that does not vouch.
pub const REFUSED: Code = Code {
    id: "LOG-023",
    class: Class::Setup,
    vi: "Nhân chứng từ chối hoặc trả lời sai",
    en: "the witness refuses, or its answer is not by its key",
    remedy_vi: "Kiểm tra địa chỉ và khóa của nhân chứng; đề nghị bên đó khai khóa của nhật ký này",
    remedy_en: "check the witness's address and key; ask its keeper to add this log's key",
};
/// A witness that knows more of this log than the log itself.
pub const AHEAD: Code = Code {
    id: "LOG-024",
    class: Class::Person,
    vi: "Nhân chứng đã thấy một lịch sử khác hoặc dài hơn của nhật ký này",
    en: "the witness has seen another or a longer history of this log",
    remedy_vi: "Dừng ghi; thư mục nhật ký có thể đã bị khôi phục từ bản cũ. Tìm bản mới nhất và báo người phụ trách",
    remedy_en: "stop logging: the folder may have been restored from an old backup; find the newest one, tell the keeper",
};
/// An address or key of a witness that is none.
pub const ADDRESS: Code = Code {
    id: "LOG-027",
    class: Class::Setup,
    vi: "Địa chỉ hoặc khóa của nhân chứng không hợp lệ",
    en: "the witness's address or key is not valid",
    remedy_vi: "Khai url (http, https) và key (dòng khóa của nhân chứng) trong [[log.witnesses]]",
    remedy_en: "give url (http, https) and key (the witness's key line) in [[log.witnesses]]",
};
