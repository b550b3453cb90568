//! The door to the outside: plain TCP behind a proxy, or TLS by OpenSSL; no more connections than the machine bears, and none
//! that stays silent.

mod places;

use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use openssl::ssl::{AlpnError, Ssl, SslAcceptor, SslFiletype, SslMethod, SslVerifyMode, select_next_proto};
use openssl::x509::X509Name;
use places::{Place, Places};
use serde_json::json;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep};
use tokio_openssl::SslStream;

/// With which certificate a port speaks TLS, and whose it asks for. PEM files.
#[derive(Debug, Clone, Copy)]
pub struct Tls<'a> {
    /// The server's certificate and those above it, its own first.
    pub chain: &'a Path,
    /// Its private key.
    pub key: &'a Path,
    /// Authorities of clients: whoever shows a certificate has to have it from one of them (mutual TLS).
    pub client_ca: Option<&'a Path>,
    /// Nobody connects without one.
    pub client_required: bool,
}

/// An open port that is not yet served.
pub struct Front {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<SslAcceptor>>,
}

impl Front {
    /// Opens a port; with certificates (its own first) and key, PEM files, it speaks TLS 1.2 and 1.3.
    ///
    /// # Errors
    /// [`CANNOT_LISTEN`], [`BAD_TLS`].
    pub async fn bind(listen: SocketAddr, tls: Option<(&Path, &Path)>) -> Outcome<Self> {
        let alone = |(chain, key)| Tls { chain, key, client_ca: None, client_required: false };
        Self::bind_tls(listen, tls.map(alone)).await
    }

    /// As [`Front::bind`], asking clients for their certificates where that is wished.
    ///
    /// # Errors
    /// As [`Front::bind`].
    pub async fn bind_tls(listen: SocketAddr, tls: Option<Tls<'_>>) -> Outcome<Self> {
        let unable = |error: io::Error| Fault::new(&CANNOT_LISTEN).detail(error.kind()).at(listen);
        let tls = tls.map(acceptor).transpose()?.map(Arc::new);
        let listener = TcpListener::bind(listen).await.map_err(unable)?;
        let address = listener.local_addr().map_err(unable)?;
        Ok(Front { listener, address, tls })
    }

    /// `http://ADDRESS:PORT` or `https://…`.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls.is_some() { "https" } else { "http" }, self.address)
    }

    /// Serves until `until` ends, then gives open requests two seconds.
    ///
    /// # Errors
    /// [`CANNOT_LISTEN`] when the port is lost.
    pub async fn serve(
        self,
        router: Router,
        until: impl Future<Output = ()> + Send + 'static,
    ) -> Outcome<()> {
        let address = self.address;
        let (ready, connections) = mpsc::channel(64);
        let accepting = tokio::spawn(accept(self.listener, self.tls, ready));
        let (stopping, mut stopped) = tokio::sync::watch::channel(false);
        let queue = Queue { connections, address };
        let service = router.into_make_service_with_connect_info::<Peer>();
        let serving = axum::serve(queue, service).with_graceful_shutdown(async move {
            until.await;
            let _ = stopping.send(true);
        });
        let late = async move {
            let _ = stopped.wait_for(|stopping| *stopping).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        };
        let served = tokio::select! {
            served = async { serving.await } => served.map_err(|e| Fault::new(&CANNOT_LISTEN).detail(e.kind()).at(address)),
            () = late => Ok(()),
        };
        accepting.abort();
        served
    }
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its address; of what stands in front, where something does.
    pub address: SocketAddr,
    /// SHA-256 of the certificate that it showed (DER), held against `--tls-client-ca` before anything was read.
    pub certificate: Option<Sha256>,
}

impl Connected<IncomingStream<'_, Queue>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Queue>) -> Self {
        stream.io().peer
    }
}

/// What every answer of this program has in common: an address or a method that is not there is told in JSON, nothing is kept on
/// the way unless the answer says so, and no browser guesses at it.
pub fn dressed(router: Router) -> Router {
    router
        .fallback(async || refusal(StatusCode::NOT_FOUND, "not_found", "there is nothing here"))
        .method_not_allowed_fallback(async || {
            refusal(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "see the Allow header")
        })
        .layer(map_response(private))
}

fn refusal(status: StatusCode, error: &str, why: &str) -> Response {
    (status, axum::Json(json!({ "error": error, "error_description": why }))).into_response()
}

async fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn acceptor(tls: Tls<'_>) -> Outcome<SslAcceptor> {
    let Tls { chain, key, client_ca, client_required } = tls;
    let wrong = |place: &Path| Fault::new(&BAD_TLS).at(place.display());
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).map_err(|_| wrong(chain))?;
    builder.set_certificate_chain_file(chain).map_err(|_| wrong(chain))?;
    builder.set_private_key_file(key, SslFiletype::PEM).map_err(|_| wrong(key))?;
    builder.check_private_key().map_err(|_| wrong(key))?;
    builder.set_alpn_select_callback(|_, offered| {
        select_next_proto(b"\x08http/1.1", offered).ok_or(AlpnError::NOACK)
    });
    if let Some(authorities) = client_ca {
        builder.set_ca_file(authorities).map_err(|_| wrong(authorities))?;
        let names = X509Name::load_client_ca_file(authorities).map_err(|_| wrong(authorities))?;
        builder.set_client_ca_list(names);
        // A session that is taken up again belongs to this program, and keeps the certificate that was shown.
        builder.set_session_id_context(b"hoso").map_err(|_| wrong(authorities))?;
        let asked = SslVerifyMode::PEER;
        builder.set_verify(if client_required { asked | SslVerifyMode::FAIL_IF_NO_PEER_CERT } else { asked });
    }
    Ok(builder.build())
}

/// Takes connections as long as there is room; handshakes go on beside each other and have an end.
async fn accept(listener: TcpListener, tls: Option<Arc<SslAcceptor>>, ready: mpsc::Sender<Connection>) {
    let places = Places::new(MOST_CONNECTIONS);
    loop {
        let Some(permit) = places.one().await else { return };
        let (stream, address) = match listener.accept().await {
            Ok(taken) => taken,
            Err(error) => {
                // Out of descriptors, most likely: open connections have to end first.
                tracing::warn!(kind = ?error.kind(), "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(place) = places.give(permit, address.ip()) else { continue };
        let _ = stream.set_nodelay(true);
        let (tls, ready) = (tls.clone(), ready.clone());
        tokio::spawn(async move {
            let stream = match tls {
                None => Stream::Plain(stream),
                Some(tls) => match tokio::time::timeout(HANDSHAKE, shake(&tls, stream)).await {
                    Ok(Some(stream)) => Stream::Tls(Box::new(stream)),
                    _ => return,
                },
            };
            let silence = Box::pin(tokio::time::sleep(SILENCE));
            let peer = Peer { address, certificate: stream.certificate() };
            let _ = ready.send(Connection { stream, silence, moved: 0, peer, _place: place }).await;
        });
    }
}

async fn shake(tls: &SslAcceptor, stream: TcpStream) -> Option<SslStream<TcpStream>> {
    let mut stream = SslStream::new(Ssl::new(tls.context()).ok()?, stream).ok()?;
    Pin::new(&mut stream).accept().await.ok()?;
    Some(stream)
}

struct Queue {
    connections: mpsc::Receiver<Connection>,
    address: SocketAddr,
}

impl Listener for Queue {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.connections.recv().await {
            Some(connection) => (connection, self.address),
            // The task that accepts has ended: so does serving, from outside.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<SslStream<TcpStream>>),
}

impl Stream {
    fn certificate(&self) -> Option<Sha256> {
        match self {
            Stream::Plain(_) => None,
            Stream::Tls(stream) => Some(Sha256::of(&stream.ssl().peer_certificate()?.to_der().ok()?)),
        }
    }
}

/// A connection that ends when nothing moves over it.
struct Connection {
    stream: Stream,
    silence: Pin<Box<Sleep>>,
    /// Bytes that came since the silence last began anew.
    moved: usize,
    peer: Peer,
    _place: Place,
}

impl Connection {
    /// Enough moved: the silence begins anew. Nothing did, or next to nothing: it may have lasted too long. A byte now and then
    /// would hold a place for ever.
    fn heard<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: Poll<io::Result<T>>,
        moved: usize,
    ) -> Poll<io::Result<T>> {
        self.moved = self.moved.saturating_add(moved);
        if self.moved >= LEAST {
            self.moved = 0;
            self.silence.as_mut().reset(Instant::now() + SILENCE);
        }
        if poll.is_pending() && self.silence.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        poll
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        let came = buf.filled().len().saturating_sub(before);
        self.heard(cx, poll, came)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        let moved = if poll.is_ready() { LEAST } else { 0 };
        self.heard(cx, poll, moved)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// Connections at once.
const MOST_CONNECTIONS: usize = 1024;
const HANDSHAKE: Duration = Duration::from_secs(10);
/// So many bytes end a silence.
const LEAST: usize = 4 << 10;
/// Longest time in which nothing moves over a connection.
const SILENCE: Duration = Duration::from_secs(30);

/// A port that cannot be opened.
pub const CANNOT_LISTEN: Code = Code {
    id: "HTTP-003",
    class: Class::Setup,
    vi: "Không mở được cổng phục vụ",
    en: "the port to serve on cannot be opened",
    remedy_vi: "Chọn địa chỉ và cổng khác bằng --listen, hoặc dừng chương trình đang giữ cổng",
    remedy_en: "choose another address and port with --listen, or stop what holds it",
};

/// Certificate or key for TLS that cannot be used.
pub const BAD_TLS: Code = Code {
    id: "HTTP-004",
    class: Class::Setup,
    vi: "Không dùng được chứng thư hoặc khóa TLS",
    en: "the TLS certificate or key cannot be used",
    remedy_vi: "Nêu tệp PEM đúng cặp bằng --tls-cert và --tls-key, chứng thư của máy chủ đứng đầu",
    remedy_en: "name PEM files that belong together with --tls-cert and --tls-key, the server's own certificate first",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_of_another_certificate_is_refused_before_the_port_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pem");
        std::fs::write(&path, "rubbish").unwrap();
        let fault = Front::bind("127.0.0.1:0".parse().unwrap(), Some((&path, &path))).await.err().unwrap();
        assert_eq!(fault.code, &BAD_TLS);
    }

    #[tokio::test]
    async fn what_is_not_there_is_told_in_json_and_never_kept() {
        let front = Front::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
        let url = front.url();
        let router = dressed(Router::new().route("/here", axum::routing::get(async || "x")));
        let serving = tokio::spawn(front.serve(router, std::future::pending()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let gone = client.get(format!("{url}/gone")).send().await.unwrap();
        assert_eq!(
            (gone.status().as_u16(), &gone.headers()["cache-control"]),
            (404, &HeaderValue::from_static("no-store"))
        );
        let wrong = client.delete(format!("{url}/here")).send().await.unwrap();
        assert_eq!((wrong.status().as_u16(), wrong.headers()["allow"].to_str().unwrap()), (405, "GET,HEAD"));
        assert!(wrong.text().await.unwrap().contains("method_not_allowed"));
        serving.abort();
    }
}
