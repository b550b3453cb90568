//! `hoso serve`: what the outside talks to. Every room brings its own router; here they are put together under one address.

pub mod issuing;
pub mod receiving;

pub(super) use issuing::register;
pub(super) use receiving::inbox;

use super::stop;
use crate::clock::Clock;
use crate::fault::{Code, Outcome};
use crate::ledger::sqlite::look::Look;
use crate::serve::files;
use crate::serve::front::{self, Front, Tls};
use crate::serve::health::{self, Health};
use crate::serve::intake::Intake;
use crate::serve::issuer::{self, PublicUrl};
use crate::serve::metrics::{self, Metrics};
use crate::serve::openapi;
use crate::serve::status::{self, Status};
use crate::station::Station;
use crate::workshop::Workshop;
use axum::Router;
use serde_json::json;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// `hoso serve`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hoso serve --listen 127.0.0.1:8080 --public-url https://mot-cua.example.vn/h/quangninh\n  \
    hoso serve --listen 0.0.0.0:443 --public-url https://mot-cua.example.vn --tls-cert may-chu.pem --tls-key may-chu.key \\\n    \
    --tls-client-ca tram.pem"
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
    /// Authorities of clients, PEM: whoever shows a certificate has to have it from one of them (mutual TLS). A sender whose
    /// certificates are named in hoso.toml has to show one of those.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// Nobody connects without a certificate: wallets of citizens have none.
    #[arg(long, requires = "tls_client_ca")]
    tls_client_required: bool,
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
    let tls = args.tls_cert.as_deref().zip(args.tls_key.as_deref()).map(|(chain, key)| Tls {
        chain,
        key,
        client_ca: args.tls_client_ca.as_deref(),
        client_required: args.tls_client_required,
    });
    let front = Front::bind_tls(args.listen, tls).await?;
    let told = args.public_url.clone().or_else(|| configured(&station));
    let at =
        PublicUrl::parse(&told.unwrap_or_else(|| front.url())).map_err(|fault| fault.at("--public-url"))?;
    let stop = CancellationToken::new();
    // With TLS of its own, or under the address it listens on, no proxy makes strangers look like neighbours.
    let direct = args.tls_cert.is_some() || at.origin == front.url();
    let router = doors(&station, &at, direct, &stop).await?;
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

/// Everything that this station serves: a few lines a room. What a room needs and the station does not have leaves that room out.
async fn doors(station: &Station, at: &PublicUrl, direct: bool, stop: &CancellationToken) -> Outcome<Router> {
    let workshop = Workshop::open(station.clone()).await?;
    let ledger = Look::at(&station.path("var/ledger.db"));
    let blobs = Arc::clone(&workshop.blobs);
    let (mut router, mut described, mut store, mut inbox) = (Router::new(), Vec::new(), None, None);
    if let Some((issuer, register)) = issuing::door(station, at).await? {
        router = router.merge(issuer);
        described.push(issuer::openapi::text(at));
        store = Some(register);
    }
    let receiver = receiving::door(station, at).await?;
    if let Some(receiver) = &receiver {
        tokio::spawn(Arc::clone(receiver).lay_out(stop.clone()));
        router = router.merge(receiver.router(&at.path));
        inbox = Some(receiver.inbox().clone());
    }
    let clients = station.config.clients.clone();
    let programs = !clients.is_empty();
    if programs {
        let intake = Intake::open(workshop);
        let (kept, ended) = (Arc::clone(&intake), stop.clone());
        tokio::spawn(async move {
            while ended.run_until_cancelled(tokio::time::sleep(READINGS_LOOKED_AT)).await.is_some() {
                let kept = Arc::clone(&kept);
                let _ = tokio::task::spawn_blocking(move || kept.forget()).await;
            }
        });
        router = router.merge(intake.router(&at.path));
        let status = Status { intake, ledger: ledger.clone(), steps: Mutex::default() };
        router = router.merge(status::router(Arc::new(status), &at.path));
    }
    let (var, clock) = (station.path("var"), Clock::System);
    let health = Arc::new(Health { var, ledger, blobs, inbox, issuer: store, clock });
    router = router.merge(health::router(Arc::clone(&health), &at.path));
    let senders = receiver.is_some();
    router = router.merge(metrics::router(Metrics { health, receiver, direct, clients }));
    let served = move |path: &str| match path {
        path if path.contains("/v1/deliveries") => senders,
        path if path.contains("/v1/") => programs,
        _ => true,
    };
    router = router.merge(files::router(station, &at.path)?).merge(super::log::routes(station)?);
    Ok(router.merge(openapi::router(at, &described, served)))
}

/// How often chip readings in unfinished batches are looked at.
const READINGS_LOOKED_AT: std::time::Duration = std::time::Duration::from_secs(3600);

/// The public address in the station's configuration.
pub(super) fn configured(station: &Station) -> Option<String> {
    station.config.issuer.as_ref().and_then(|issuer| issuer.public_url.clone())
}

/// Every code of this command.
pub const CODES: &[&Code] = &[&issuing::NO_ISSUER, &issuing::BAD_CERTIFICATES, &receiving::NO_RECEIPT_KEY];
