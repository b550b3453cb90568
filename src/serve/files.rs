//! Documents for recipients that fetch them by a link: `GET /files/RECIPIENT/UNTIL/MAC/BLAKE3.pdf` ([`crate::deliver::file_link`]).
//!
//! A document leaves only under a link that is signed and still good, after it was held against its digest, and after one line
//! in the station's `var/file-fetches.jsonl` (when, to whom, which digest, which bytes) is on the disk. A link that ended is answered
//! with 410, anything else that is wrong with 403 and one text.

use crate::blobs::Blobs;
use crate::clock::Clock;
use crate::deliver::file_link::{Judged, LinkKey};
use crate::digest::{Blake3, of_reader};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::station::Station;
use axum::Router;
use axum::body::Body;
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

/// The station's documents below `path`, the path of its public address.
///
/// # Errors
/// `SEND-141`, `BLOB-001`, [`NO_AUDIT`].
pub fn router(station: &Station, path: &str) -> Outcome<Router> {
    let shared = Shared {
        key: station.link_key()?,
        blobs: station.blobs()?,
        audit: Audit::open(&station.path("var/file-fetches.jsonl"))?,
        clock: Clock::System,
    };
    Ok(Router::new()
        .route(&format!("{path}/files/{{recipient}}/{{until}}/{{mac}}/{{file}}"), get(fetch))
        .with_state(Arc::new(shared)))
}

struct Shared {
    key: LinkKey,
    blobs: Arc<Blobs>,
    audit: Audit,
    clock: Clock,
}

type Parts = UrlPath<(String, String, String, String)>;

async fn fetch(
    State(shared): State<Arc<Shared>>,
    UrlPath((recipient, until, mac, file)): Parts,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let now = shared.clock.now_ms();
    let document = match shared.key.judge(&recipient, &until, &mac, &file, now / 1000) {
        Ok(Judged::Good(document)) => document,
        Ok(Judged::Ended(document)) => {
            tracing::info!(recipient, %document, "a link that ended was asked for");
            return refusal(
                StatusCode::GONE,
                "link_ended",
                "this link has ended; the sender gives a new one",
            );
        }
        Ok(Judged::Forged) => {
            return refusal(StatusCode::FORBIDDEN, "link_invalid", "this is no link of this office");
        }
        Err(fault) => return failed(&fault),
    };
    match send(&shared, &document, &recipient, &method, &headers, now).await {
        Ok(response) => response,
        Err(fault) => failed(&fault),
    }
}

async fn send(
    shared: &Arc<Shared>,
    document: &Blake3,
    recipient: &str,
    method: &Method,
    headers: &HeaderMap,
    now: i64,
) -> Outcome<Response> {
    let lost = |e: std::io::Error| Fault::new(&LOST).detail(e.kind());
    let path = shared.blobs.path(document);
    let (wanted, place) = (*document, path.clone());
    let whole = tokio::task::spawn_blocking(move || File::open(place).and_then(of_reader))
        .await
        .map_err(|_| Fault::new(&LOST))?
        .map_err(lost)?;
    if whole.blake3 != wanted {
        return Err(Fault::new(&LOST).detail("its bytes are not what was signed"));
    }
    let tag = format!("\"b3-{document}\"");
    let same = |name| headers.get(name).and_then(|v| v.to_str().ok()) == Some(tag.as_str());
    if same(header::IF_NONE_MATCH) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let stale = headers.contains_key(header::IF_RANGE) && !same(header::IF_RANGE);
    let asked = headers.get(header::RANGE).and_then(|v| v.to_str().ok()).filter(|_| !stale);
    let (status, from, length) = match range(asked, whole.size) {
        Range::Whole => (StatusCode::OK, 0, whole.size),
        Range::Part(from, length) => (StatusCode::PARTIAL_CONTENT, from, length),
        Range::Outside => {
            let mut response =
                refusal(StatusCode::RANGE_NOT_SATISFIABLE, "range", "the document is shorter than that");
            let size = format!("bytes */{}", whole.size);
            response.headers_mut().extend(HeaderValue::from_str(&size).map(|v| (header::CONTENT_RANGE, v)));
            return Ok(response);
        }
    };
    if method != Method::HEAD {
        let line = json!({ "at": crate::clock::vietnam_time(now), "recipient": recipient, "document": document.to_string(),
                           "from": from, "length": length });
        let shared = Arc::clone(shared);
        tokio::task::spawn_blocking(move || shared.audit.write(&line.to_string()))
            .await
            .map_err(|_| Fault::new(&NO_AUDIT))??;
    }
    let mut file = tokio::fs::File::open(path).await.map_err(lost)?;
    file.seek(SeekFrom::Start(from)).await.map_err(lost)?;
    let body = Body::from_stream(ReaderStream::with_capacity(file.take(length), 64 * 1024));
    let mut response = (
        status,
        [
            (header::CONTENT_TYPE, "application/pdf".to_owned()),
            (header::CONTENT_LENGTH, length.to_string()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.pdf\"", document.short())),
            (header::ACCEPT_RANGES, "bytes".into()),
            (header::ETAG, tag),
        ],
        body,
    )
        .into_response();
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {from}-{}/{}", from + length - 1, whole.size);
        response.headers_mut().extend(HeaderValue::from_str(&range).map(|v| (header::CONTENT_RANGE, v)));
    }
    Ok(response)
}

/// What part of a document is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Range {
    Whole,
    /// From this byte so many; at least one.
    Part(u64, u64),
    Outside,
}

/// Reads `Range` (RFC 9110 14.2): one range of bytes; several, or another unit, get the whole.
fn range(asked: Option<&str>, size: u64) -> Range {
    let Some((first, last)) = asked
        .and_then(|text| text.strip_prefix("bytes="))
        .filter(|text| !text.contains(','))
        .and_then(|text| text.trim().split_once('-'))
    else {
        return Range::Whole;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if digits { text.parse::<u64>().ok() } else { None }
    };
    match (number(first), number(last)) {
        (Some(from), _) if last.is_empty() => part(from, u64::MAX, size),
        (Some(from), Some(to)) if from <= to => part(from, to, size),
        (None, Some(0)) if first.is_empty() => Range::Outside,
        (None, Some(tail)) if first.is_empty() => part(size.saturating_sub(tail), u64::MAX, size),
        _ => Range::Whole,
    }
}

fn part(from: u64, to: u64, size: u64) -> Range {
    if from >= size { Range::Outside } else { Range::Part(from, to.min(size - 1) - from + 1) }
}

fn refusal(status: StatusCode, error: &str, why: &str) -> Response {
    (status, axum::Json(json!({ "error": error, "error_description": why }))).into_response()
}

fn failed(fault: &Fault) -> Response {
    tracing::error!(code = fault.code.id, detail = fault.detail.as_deref(), "a document was not given out");
    let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again later");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
    response
}

/// The list of fetches; lines of several processes stand beside each other whole.
struct Audit(Mutex<File>);

impl Audit {
    fn open(path: &Path) -> Outcome<Self> {
        let unable = |e: std::io::Error| Fault::new(&NO_AUDIT).detail(e.kind());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(unable)?;
        }
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(unable)?;
        // A last line that a crash tore was never answered for; the next one begins on its own.
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(0)).map_err(unable)? > 0 {
            file.seek(SeekFrom::End(-1)).and_then(|_| file.read_exact(&mut last)).map_err(unable)?;
        }
        if last != [b'\n'] {
            file.write_all(b"\n").map_err(unable)?;
        }
        file.sync_all().map_err(unable)?;
        Ok(Audit(Mutex::new(file)))
    }

    fn write(&self, line: &str) -> Outcome<()> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_data());
        written.map_err(|e| Fault::new(&NO_AUDIT).detail(e.kind()))
    }
}

/// Nobody would know who fetched what: nothing is given out.
pub const NO_AUDIT: Code = Code {
    id: "HTTP-050",
    class: Class::Later,
    vi: "Không ghi được danh sách tải tệp nên không cho tải",
    en: "the list of fetches cannot be written, so nothing is given out",
    remedy_vi: "Kiểm tra dung lượng đĩa và quyền ghi vào var/file-fetches.jsonl",
    remedy_en: "check the free space and the right to write var/file-fetches.jsonl",
};

/// A document that a link leads to is not there as it was.
pub const LOST: Code = Code {
    id: "HTTP-051",
    class: Class::Person,
    vi: "Tài liệu mà đường dẫn chỉ tới đã mất hoặc bị thay đổi",
    en: "the document that a link leads to is gone or was changed",
    remedy_vi: "Khôi phục var/blobs từ bản sao lưu",
    remedy_en: "restore var/blobs from the backup",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::file_link::Links;
    use crate::serve::loopback::Loopback;

    struct World {
        folder: tempfile::TempDir,
        base: String,
        document: Blake3,
        client: reqwest::Client,
    }

    const NOW: i64 = 1_790_000_000;

    async fn world() -> World {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(Blobs::open(&folder.path().join("blobs")).unwrap());
        let document = blobs.put(b"%PDF-0123456789").unwrap().blake3;
        let shared = Shared {
            key: LinkKey::new(vec![7; 32]).unwrap(),
            blobs,
            audit: Audit::open(&folder.path().join("fetches.jsonl")).unwrap(),
            clock: Clock::Set(Arc::new(std::sync::atomic::AtomicI64::new(NOW * 1000))),
        };
        let router = Router::new()
            .route("/files/{recipient}/{until}/{mac}/{file}", get(fetch))
            .with_state(Arc::new(shared));
        let loopback = Loopback::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let base = loopback.url();
        tokio::spawn(loopback.serve(router, std::future::pending()));
        World { folder, base, document, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    impl World {
        fn link(&self, made: i64) -> String {
            let key = LinkKey::new(vec![7; 32]).unwrap();
            Links::new(&self.base, "portal", key, 30).unwrap().make(&self.document, made).unwrap().url
        }

        async fn get(&self, url: &str, range: Option<&str>) -> (u16, Vec<u8>, HeaderMap) {
            let mut request = self.client.get(url);
            if let Some(range) = range {
                request = request.header("range", range);
            }
            let answer = request.send().await.unwrap();
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            (status, answer.bytes().await.unwrap().to_vec(), headers)
        }

        fn audit(&self) -> Vec<serde_json::Value> {
            let text = std::fs::read_to_string(self.folder.path().join("fetches.jsonl")).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    }

    #[tokio::test]
    async fn a_good_link_gives_the_document_whole_or_in_part_and_leaves_a_line_each_time() {
        let world = world().await;
        let link = world.link(NOW);
        let (status, body, headers) = world.get(&link, None).await;
        assert_eq!((status, body.as_slice()), (200, b"%PDF-0123456789".as_slice()));
        assert!(headers["content-type"] == "application/pdf" && headers["accept-ranges"] == "bytes");
        for (range, status, bytes, told) in [
            ("bytes=5-8", 206, "0123", "bytes 5-8/15"),
            ("bytes=12-", 206, "789", "bytes 12-14/15"),
            ("bytes=-2", 206, "89", "bytes 13-14/15"),
            ("bytes=14-99", 206, "9", "bytes 14-14/15"),
        ] {
            let (got, body, headers) = world.get(&link, Some(range)).await;
            assert_eq!((got, body.as_slice()), (status, bytes.as_bytes()), "{range}");
            assert_eq!(headers["content-range"], told);
        }
        assert_eq!(world.get(&link, Some("bytes=15-")).await.0, 416);
        assert_eq!(world.get(&link, Some("bytes=0-1,3-4")).await.0, 200);
        let audit = world.audit();
        assert_eq!(audit.len(), 6, "the one that was refused gave nothing out");
        assert_eq!(audit[1]["from"], 5);
        assert!(
            audit.iter().all(|l| l["recipient"] == "portal" && l["document"] == world.document.to_string())
        );
        let head = world.client.head(&link).send().await.unwrap();
        assert_eq!((head.status().as_u16(), world.audit().len()), (200, 6));
    }

    #[tokio::test]
    async fn a_link_that_ended_is_gone_and_a_forged_one_learns_nothing() {
        let world = world().await;
        assert_eq!(world.get(&world.link(NOW - 40 * 86_400), None).await.0, 410);
        let link = world.link(NOW);
        let mut said = Vec::new();
        for forged in [
            link.replace("/portal/", "/other/"),
            link.replace(&world.document.to_string(), &Blake3::of(b"y").to_string()),
            link.replace(".pdf", ".PDF"),
            format!("{}/files/portal/1/x/y.pdf", world.base),
        ] {
            let (status, body, _) = world.get(&forged, None).await;
            assert_eq!(status, 403, "{forged}");
            said.push(body);
        }
        said.dedup();
        assert_eq!((said.len(), world.audit().len()), (1, 0));
    }

    #[tokio::test]
    async fn a_document_that_was_changed_on_the_disk_is_not_given_out() {
        let world = world().await;
        let blobs = Blobs::open(&world.folder.path().join("blobs")).unwrap();
        let place = blobs.path(&world.document);
        let mut bytes = std::fs::read(&place).unwrap();
        bytes[7] ^= 1;
        std::fs::remove_file(&place).unwrap();
        std::fs::write(&place, bytes).unwrap();
        assert_eq!(world.get(&world.link(NOW), None).await.0, 503);
        std::fs::remove_file(&place).unwrap();
        assert_eq!(world.get(&world.link(NOW), None).await.0, 503);
        assert!(world.audit().is_empty());
    }
}
