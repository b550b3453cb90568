//! `hoso serve`: what the outside talks to. So far the wallet issuer with its health and its description.

use super::stop;
use crate::clock::Clock;
use crate::deliver::credential::issuer::{Issuer, Profile};
use crate::deliver::wire_key::SigningKey;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::serve::front::{self, Front};
use crate::serve::issuer::store::Store;
use crate::serve::issuer::{self, PublicUrl};
use crate::station::Station;
use openssl::x509::X509;
use serde_json::json;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
/// A station without an issuer's key; a port, certificate or register that cannot be used.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let station = Station::find(station)?;
    let tls = args.tls_cert.as_deref().zip(args.tls_key.as_deref());
    let front = Front::bind(args.listen, tls).await?;
    let told = args.public_url.clone().or_else(|| configured(&station));
    let at =
        PublicUrl::parse(&told.unwrap_or_else(|| front.url())).map_err(|fault| fault.at("--public-url"))?;
    let store = Arc::new(register(&station)?);
    let issuer = open(&station, &at, Arc::clone(&store)).await?;
    let router = issuer::router(issuer, station.blobs()?, &at).merge(super::log::routes(&station)?);
    store.set_public_url(&at.issuer()).await?;
    if args.json {
        println!("{}", json!({ "listening": front.url(), "public_url": at.issuer() }));
    } else {
        println!("đang phục vụ / serving {} ({})", at.issuer(), front.url());
    }
    let _ = std::io::stdout().flush();
    front.serve(front::dressed(router), stop::signal()).await?;
    Ok(0)
}

/// The public address in the station's configuration.
pub(super) fn configured(station: &Station) -> Option<String> {
    station.config.issuer.as_ref().and_then(|issuer| issuer.public_url.clone())
}

/// The station's register of credentials, `var/issuer.db`.
///
/// # Errors
/// `SEND-074`, `SEND-075`.
pub(super) fn register(station: &Station) -> Outcome<Store> {
    let folder = station.path("var");
    std::fs::create_dir_all(&folder)
        .map_err(|e| Fault::new(&crate::deliver::credential::register::UNAVAILABLE).detail(e.kind()))?;
    Store::open(&folder.join("issuer.db"))
}

async fn open(station: &Station, at: &PublicUrl, store: Arc<Store>) -> Outcome<Issuer<Store>> {
    let (key, chain) = keys(station)?;
    let profile = Profile {
        issuer: at.issuer(),
        office: station.config.office.clone(),
        office_name: station.config.name.clone(),
    };
    let secrets = store.secrets().await?;
    Issuer::new(profile, key, &chain, &secrets, store, Clock::System)
}

/// The issuer's key and its certificates, its own first.
fn keys(station: &Station) -> Outcome<(SigningKey, Vec<Vec<u8>>)> {
    let Some(config) = &station.config.issuer else {
        return if station.config.training {
            training_key(station).map(|key| (key, Vec::new()))
        } else {
            Err(Fault::new(&NO_ISSUER))
        };
    };
    let pem = zeroize::Zeroizing::new(config.key.bytes(&station.root)?);
    let key = SigningKey::from_pem(&pem).map_err(|fault| fault.at("issuer.key"))?;
    let Some(path) = &config.certificates else { return Ok((key, Vec::new())) };
    let place = station.path(path);
    let wrong = |what: &str| Fault::new(&BAD_CERTIFICATES).detail(what).at(path);
    let pem = std::fs::read(place).map_err(|e| wrong(&e.kind().to_string()))?;
    let chain = X509::stack_from_pem(&pem).map_err(|_| wrong("not PEM"))?;
    let own = chain.first().ok_or_else(|| wrong("none in it"))?;
    let spki = own.public_key().and_then(|key| key.public_key_to_pem()).map_err(|_| wrong("its key"))?;
    if crate::deliver::wire_key::VerifyingKey::from_pem(&spki)?.id() != key.id() {
        return Err(wrong("the first is of another key"));
    }
    // The root stays out: whoever trusts it has it (SD-JWT VC 3.5, HAIP 6.1.1).
    let issued = chain
        .iter()
        .filter(|c| c.issuer_name().try_cmp(c.subject_name()).is_ok_and(std::cmp::Ordering::is_ne));
    let chain = issued.map(|c| c.to_der().map_err(|_| wrong("not DER"))).collect::<Outcome<Vec<_>>>()?;
    Ok((key, chain))
}

/// The key of a training station that was made before stations had issuers: minted when first needed.
fn training_key(station: &Station) -> Outcome<SigningKey> {
    let path = station.path("keys/issuer.key");
    let unusable = |e: std::io::Error| Fault::new(&NO_ISSUER).detail(e.kind());
    if !path.exists() {
        use std::os::unix::fs::OpenOptionsExt;
        let pem = SigningKey::mint()?.private_pem()?;
        let part = path.with_extension("part");
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(unusable)?;
        file.write_all(&pem).and_then(|()| file.sync_all()).map_err(unusable)?;
        std::fs::rename(&part, &path).map_err(unusable)?;
    }
    SigningKey::from_pem(&zeroize::Zeroizing::new(std::fs::read(&path).map_err(unusable)?))
}

/// A station that cannot issue credentials.
pub const NO_ISSUER: Code = Code {
    id: "HTTP-005",
    class: Class::Setup,
    vi: "Trạm chưa có khóa để cấp chứng nhận cho ví",
    en: "the station has no key that signs credentials for wallets",
    remedy_vi: "Thêm mục [issuer] với key (ECDSA P-256, PEM) vào hoso.toml",
    remedy_en: "add [issuer] with a key (ECDSA P-256, PEM) to hoso.toml",
};

/// Certificates of the issuer that cannot be used.
pub const BAD_CERTIFICATES: Code = Code {
    id: "HTTP-006",
    class: Class::Setup,
    vi: "Chứng thư của khóa cấp chứng nhận không dùng được",
    en: "the certificates of the issuer's key cannot be used",
    remedy_vi: "Nêu tệp PEM, chứng thư của chính khóa này đứng đầu",
    remedy_en: "name a PEM file in which the key's own certificate stands first",
};

/// Every code of this file.
pub const CODES: &[&Code] = &[&NO_ISSUER, &BAD_CERTIFICATES];
