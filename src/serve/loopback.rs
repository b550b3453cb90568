//! Serving this machine only, over connections that a handler can cut.

use crate::fault::{Class, Code, Fault, Outcome};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::connect_info::Connected;
use axum::http::Extensions;
use axum::serve::{IncomingStream, Listener};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A port of this machine, open and not yet served.
#[derive(Debug)]
pub struct Loopback {
    listener: TcpListener,
    address: SocketAddr,
}

impl Loopback {
    /// Opens a port; port 0 takes any that is free.
    ///
    /// # Errors
    /// [`NOT_LOOPBACK`], [`CANNOT_LISTEN`].
    pub async fn bind(listen: SocketAddr) -> Outcome<Self> {
        if !listen.ip().is_loopback() {
            return Err(Fault::new(&NOT_LOOPBACK).at(listen));
        }
        let unable = |error: io::Error| Fault::new(&CANNOT_LISTEN).detail(error.kind()).at(listen);
        let listener = TcpListener::bind(listen).await.map_err(unable)?;
        let address = listener.local_addr().map_err(unable)?;
        Ok(Loopback { listener, address })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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
        let (stopping, mut stopped) = tokio::sync::watch::channel(false);
        let service = router.into_make_service_with_connect_info::<Cut>();
        let serving =
            axum::serve(CuttableListener(self.listener), service).with_graceful_shutdown(async move {
                until.await;
                let _ = stopping.send(true);
            });
        let late = async move {
            let _ = stopped.wait_for(|stopping| *stopping).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
        };
        tokio::select! {
            served = async { serving.await } => served.map_err(|error| Fault::new(&CANNOT_LISTEN).detail(error.kind()).at(address)),
            () = late => Ok(()),
        }
    }
}

/// A handle on the connection a request came over.
#[derive(Debug, Clone, Default)]
pub struct Cut(Arc<AtomicBool>);

impl Cut {
    /// The handle of a request's connection, where [`Loopback::serve`] serves it.
    pub fn of(extensions: &Extensions) -> Option<Cut> {
        extensions.get::<ConnectInfo<Cut>>().map(|info| info.0.clone())
    }

    /// Nothing more goes over the connection: whoever waits for an answer loses it.
    pub fn now(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Connected<IncomingStream<'_, CuttableListener>> for Cut {
    fn connect_info(stream: IncomingStream<'_, CuttableListener>) -> Self {
        stream.io().cut.clone()
    }
}

struct CuttableListener(TcpListener);

impl Listener for CuttableListener {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (CuttableStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        let _ = stream.set_nodelay(true);
        (CuttableStream { stream, cut: Cut::default() }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

struct CuttableStream {
    stream: TcpStream,
    cut: Cut,
}

impl CuttableStream {
    fn whole(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if self.cut.0.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(Pin::new(&mut self.stream))
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.whole()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.whole()?.poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.whole()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A stand-in was to serve others than this machine.
pub const NOT_LOOPBACK: Code = Code {
    id: "MOCK-001",
    class: Class::Setup,
    vi: "Hệ thống giả lập chỉ được phục vụ trong chính máy này",
    en: "a stand-in serves this machine only",
    remedy_vi: "Dùng địa chỉ 127.0.0.1 hoặc [::1]",
    remedy_en: "listen on 127.0.0.1 or [::1]",
};

/// A port that cannot be opened.
pub const CANNOT_LISTEN: Code = Code {
    id: "MOCK-002",
    class: Class::Setup,
    vi: "Không mở được cổng để phục vụ",
    en: "the port cannot be opened",
    remedy_vi: "Chọn cổng khác, hoặc cổng 0 để lấy cổng còn trống",
    remedy_en: "choose another port, or 0 for any that is free",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_others_can_reach_is_refused() {
        for address in ["0.0.0.0:0", "192.0.2.1:80", "[::]:0"] {
            assert_eq!(Loopback::bind(address.parse().unwrap()).await.unwrap_err().code, &NOT_LOOPBACK);
        }
        assert!(
            Loopback::bind("127.0.0.1:0".parse().unwrap())
                .await
                .unwrap()
                .url()
                .starts_with("http://127.0.0.1:")
        );
    }

    #[tokio::test]
    async fn serving_ends_when_it_is_told_even_with_a_request_that_hangs() {
        let loopback = Loopback::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = loopback.url();
        let router = Router::new().route("/", axum::routing::get(std::future::pending::<()>));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(loopback.serve(router, async { drop(stopped.await) }));
        let asking = tokio::spawn(reqwest::get(url));
        tokio::time::sleep(Duration::from_millis(50)).await;
        stop.send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), serving).await.unwrap().unwrap().unwrap();
        asking.abort();
    }
}
