//! `hoso serve`: what the outside talks to. Every room brings its own router; here they are put together under one address.

mod issuing;
mod receiving;

pub(super) use issuing::register;
pub(super) use receiving::inbox;

use super::stop;
use crate::fault::{Code, Outcome};
use crate::serve::files;
use crate::serve::front::{self, Front};
use crate::serve::issuer::PublicUrl;
use crate::station::Station;
use axum::Router;
use serde_json::json;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// `hoso serve`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hoso serve --listen 127.0.0.1:8080 --public-url https://mot-cua.example.vn/h/quangninh\n  \
    hoso serve --listen 0.0.0.0:443 --public-url https://mot-cua.example.vn --tls-cert may-chu.pem --tls-key may-chu.key"
)]
pub struct Args {
    /// Address and port; port 0 takes any that is free.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The address under which wallets reach this station; it may have a path. Otherwise `public-url` of the station's
    /// configuration, otherwise the address it listens on.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Certificate and those above it, PEM, the server's own first; without it something in front has to speak TLS.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// A key, port, certificate or register that cannot be used.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let station = Station::find(station)?;
    let tls = args.tls_cert.as_deref().zip(args.tls_key.as_deref());
    let front = Front::bind(args.listen, tls).await?;
    let told = args.public_url.clone().or_else(|| configured(&station));
    let at =
        PublicUrl::parse(&told.unwrap_or_else(|| front.url())).map_err(|fault| fault.at("--public-url"))?;
    let stop = CancellationToken::new();
    let router = doors(&station, &at, &stop).await?;
    if args.json {
        println!("{}", json!({ "listening": front.url(), "public_url": at.issuer() }));
    } else {
        println!("đang phục vụ / serving {} ({})", at.issuer(), front.url());
    }
    let _ = std::io::stdout().flush();
    let served = front.serve(front::dressed(router), stop::signal()).await;
    stop.cancel();
    served.map(|()| 0)
}

/// Everything that this station serves: one line a room. What a room needs and the station does not have leaves that room out.
async fn doors(station: &Station, at: &PublicUrl, stop: &CancellationToken) -> Outcome<Router> {
    let mut router = Router::new();
    if let Some((issuer, _)) = issuing::door(station, at).await? {
        router = router.merge(issuer);
    }
    if let Some(receiver) = receiving::door(station, at).await? {
        tokio::spawn(Arc::clone(&receiver).lay_out(stop.clone()));
        router = router.merge(receiver.router(&at.path));
    }
    Ok(router.merge(files::router(station, &at.path)?))
}

/// The public address in the station's configuration.
pub(super) fn configured(station: &Station) -> Option<String> {
    station.config.issuer.as_ref().and_then(|issuer| issuer.public_url.clone())
}

/// Every code of this command.
pub const CODES: &[&Code] = &[&issuing::NO_ISSUER, &issuing::BAD_CERTIFICATES, &receiving::NO_RECEIPT_KEY];
