//! `hoso mock`: stand-ins of the outside world, for training and for trying a station out. They serve this machine only.

use crate::deliver::wire_key::{SigningKey, VerifyingKey};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::serve::loopback::Loopback;
use crate::serve::mischief::{self, Fates, Mischief};
use crate::serve::{effects, mock_portal, mock_tsa, mock_wallet};
use crate::station::Station;
use axum::Router;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which part of the outside world.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// A stand-in for the national portal behind its session adapter and both bridges
    #[command(after_help = PORTAL_EXAMPLE)]
    Portal(Box<PortalArgs>),
    /// A stand-in for a citizen's wallet that speaks push v1 and signs receipts
    #[command(after_help = WALLET_EXAMPLE)]
    Wallet(Box<WalletArgs>),
    /// A stand-in for a time stamp authority (RFC 3161); it keeps nothing
    #[command(after_help = TSA_EXAMPLE)]
    Tsa(TsaArgs),
}

/// Where a stand-in listens and keeps what it took.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// Address on this machine; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Folder for what it takes; effects.jsonl has one line an effect, kept across restarts. Left out: var/mock/portal or
    /// var/mock/wallet of the station; without a station a new temporary folder. It is told then
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Write the address into this file once it can be used
    #[arg(long, value_name = "FILE")]
    url_file: Option<PathBuf>,
    /// Write one JSON line for every request that was accepted: what it was, its id, the digest of its body, whether it had an
    /// effect; on disk before the answer leaves
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

impl Place {
    /// The folder that was named, or the one that takes its place.
    fn state(&self, kind: &str, station: Option<&Station>) -> Outcome<PathBuf> {
        if let Some(state) = &self.state {
            return Ok(state.clone());
        }
        let state = match station {
            Some(station) => station.path("var/mock").join(kind),
            None => temporary(kind)?,
        };
        Ok(state)
    }

    /// The folder, where it was not named.
    fn chosen<'a>(&self, state: &'a Path) -> Option<&'a Path> {
        self.state.is_none().then_some(state)
    }

    /// The stand-in with what was asked for laid over it.
    fn over(&self, router: Router) -> Outcome<Router> {
        let router = match &self.record {
            Some(path) => effects::recorded(router, path, LARGEST_RECORDED)?,
            None => router,
        };
        Ok(mischief::cuttable(router))
    }
}

/// `hoso mock portal`
#[derive(Debug, clap::Args)]
pub struct PortalArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    mischief: Mischief,
    /// The one account; for training only
    #[arg(long, default_value = "tap-huan")]
    username: String,
    /// Its password; for training only, never use a true one here
    #[arg(long, default_value = "tap-huan")]
    password: String,
    /// Insist on this dstcode header
    #[arg(long, value_name = "CODE")]
    dstcode: Option<String>,
    /// How long a session lasts, seconds
    #[arg(long, value_name = "S", default_value_t = 900)]
    session_life: u64,
    /// How many calls a session lasts
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    session_calls: u64,
    /// Fetch the documents of what it takes, as the portal does; fetched.jsonl in the state folder says how that went
    #[arg(long)]
    fetch: bool,
}

/// `hoso mock wallet`
#[derive(Debug, clap::Args)]
pub struct WalletArgs {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    mischief: Mischief,
    /// Private key that signs receipts, PEM. Left out: keys/wallet.key of a training station; otherwise one is minted in the state
    /// folder (receipt-key.pem, and receipt-key.pub.pem for the station to pin)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Certificate of that key, PEM; checked to belong to it
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Name of the receipt key, where stations know it by one
    #[arg(long, value_name = "NAME")]
    key_id: Option<String>,
    /// Who may send: certificate or public key, PEM; with NAME= where requests call the key by a name. Repeatable. Left out:
    /// keys/station.pem of a training station
    #[arg(long = "sender", value_name = "[NAME=]FILE")]
    senders: Vec<String>,
    /// Its name on receipts
    #[arg(long, default_value = "ví tập huấn / training wallet")]
    name: String,
    /// The address that senders know, where something stands in between; signatures cover it
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Largest PDF it takes, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    largest: usize,
}

/// `hoso mock tsa`
#[derive(Debug, clap::Args)]
pub struct TsaArgs {
    /// Address on this machine; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Write the address into this file once it can be used
    #[arg(long, value_name = "FILE")]
    url_file: Option<PathBuf>,
    /// Private key that signs time stamps, PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Its certificate and those above it, PEM, its own first
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,
}

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// A port, a key or a state folder that cannot be used; a station that was named and is none.
pub async fn run(command: Command, station: Option<&Path>) -> Outcome<u8> {
    // None is needed; where there is one, it says what was not said.
    let station = match Station::find(station) {
        Ok(found) => Some(found),
        Err(fault) if station.is_some() => return Err(fault),
        Err(_) => None,
    };
    match command {
        Command::Portal(args) => {
            let loopback = Loopback::bind(args.place.listen).await?;
            let state = args.place.state("portal", station.as_ref())?;
            let setup = mock_portal::Setup {
                state: state.clone(),
                username: args.username,
                password: args.password,
                dstcode: args.dstcode,
                session_life: Duration::from_secs(args.session_life),
                session_calls: args.session_calls,
                fetch: args.fetch,
            };
            let router = args.place.over(mock_portal::router(setup, Fates::from(args.mischief))?)?;
            serve(loopback, router, args.place.url_file.as_deref(), args.place.chosen(&state)).await
        }
        Command::Wallet(args) => {
            let training = station.as_ref().filter(|station| station.config.training);
            let senders = senders(&args.senders, training)?;
            let loopback = Loopback::bind(args.place.listen).await?;
            let state = args.place.state("wallet", station.as_ref())?;
            let setup = mock_wallet::Setup {
                base: args.public_url.clone().unwrap_or_else(|| loopback.url()),
                receipt_key: receipt_key(&args, &state, training)?,
                state: state.clone(),
                senders,
                name: args.name,
                largest: args.largest,
            };
            let mut mischief = args.mischief;
            mischief.faults = mischief.faults.map(mischief::Faults::without_portal).transpose()?;
            let router = args.place.over(mock_wallet::router(setup, Fates::from(mischief))?)?;
            serve(loopback, router, args.place.url_file.as_deref(), args.place.chosen(&state)).await
        }
        Command::Tsa(args) => {
            let loopback = Loopback::bind(args.listen).await?;
            let key = zeroize::Zeroizing::new(read(&args.key)?);
            let router = mock_tsa::router(&key, &read(&args.cert)?)?;
            serve(loopback, router, args.url_file.as_deref(), None).await
        }
    }
}

/// Says where, and over which folder where nobody named one, and serves until it is told to stop.
async fn serve(
    loopback: Loopback,
    router: Router,
    url_file: Option<&Path>,
    state: Option<&Path>,
) -> Outcome<u8> {
    let url = loopback.url();
    let stopped = stop_signal()?;
    if let Some(path) = url_file {
        write_whole(path, format!("{url}\n").as_bytes())?;
    }
    println!("listening {url}");
    if let Some(state) = state {
        println!("state {}", state.display());
    }
    let _ = std::io::stdout().flush();
    loopback.serve(router, stopped).await?;
    Ok(0)
}

/// Ends with the first Ctrl-C or SIGTERM; both are watched from the moment this returns.
fn stop_signal() -> Outcome<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let watch = |kind| signal(kind).map_err(|error| Fault::new(&NO_SIGNALS).detail(error.kind()));
    let (mut interrupt, mut terminate) = (watch(SignalKind::interrupt())?, watch(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// The key that was given, or the one that was minted when the state folder was new, or that of a training station.
fn receipt_key(args: &WalletArgs, state: &Path, training: Option<&Station>) -> Outcome<SigningKey> {
    let named = |key: SigningKey| match &args.key_id {
        Some(name) => key.named(name),
        None => Ok(key),
    };
    if let Some(path) = &args.key {
        let key = SigningKey::from_pem(&read(path)?).map_err(|fault| fault.at("--key"))?;
        if let Some(cert) = &args.cert {
            let certified = VerifyingKey::from_pem(&read(cert)?).map_err(|fault| fault.at("--cert"))?;
            if certified.id() != key.id() {
                return Err(Fault::new(&NOT_A_PAIR));
            }
        }
        return named(key);
    }
    let path = state.join("receipt-key.pem");
    if path.exists() {
        return named(SigningKey::from_pem(&read(&path)?)?);
    }
    if let Some(path) = training.map(|station| station.path("keys/wallet.key")).filter(|path| path.is_file())
    {
        return named(SigningKey::from_pem(&read(&path)?).map_err(|fault| fault.at("keys/wallet.key"))?);
    }
    let unusable = |error: std::io::Error| Fault::new(&effects::STATE_UNUSABLE).detail(error.kind());
    std::fs::create_dir_all(state).map_err(unusable)?;
    let key = SigningKey::mint()?;
    write_whole(&state.join("receipt-key.pub.pem"), &key.public()?.pem()?)?;
    write_whole(&path, &key.private_pem()?)?;
    named(key)
}

/// Those who were named, or the training station itself.
fn senders(named: &[String], training: Option<&Station>) -> Outcome<Vec<VerifyingKey>> {
    match (named, training) {
        ([], Some(station)) => {
            let key = VerifyingKey::from_pem(&read(&station.path("keys/station.pem"))?);
            Ok(vec![key.map_err(|fault| fault.at("keys/station.pem"))?])
        }
        ([], None) => {
            let missing =
                "--sender is missing, and no training station is here whose keys/station.pem would do";
            Err(Fault::new(&mock_wallet::NO_SENDERS).detail(missing))
        }
        (named, _) => named.iter().map(|text| sender(text)).collect(),
    }
}

/// A new folder that nobody else reads; it stays when the stand-in ends, since what it took is looked at then.
fn temporary(kind: &str) -> Outcome<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let unusable = |detail: String| Fault::new(&effects::STATE_UNUSABLE).detail(detail);
    let mut random = [0u8; 8];
    openssl::rand::rand_bytes(&mut random).map_err(|_| unusable("no random bytes".into()))?;
    let folder = std::env::temp_dir().join(format!("hoso-mock-{kind}-{}", hex::encode(random)));
    std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|e| unusable(e.kind().to_string()))?;
    Ok(folder)
}

fn sender(text: &str) -> Outcome<VerifyingKey> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) => (Some(name), path),
        None => (None, text),
    };
    let key = VerifyingKey::from_pem(&read(Path::new(path))?).map_err(|fault| fault.at("--sender"))?;
    match name {
        Some(name) => key.named(name).map_err(|fault| fault.at("--sender")),
        None => Ok(key),
    }
}

fn read(path: &Path) -> Outcome<Vec<u8>> {
    std::fs::read(path).map_err(|error| Fault::new(&UNREADABLE).detail(error.kind()).at(path.display()))
}

/// Written beside and renamed, so that whoever waits for the file never reads half of it; for its owner alone.
fn write_whole(path: &Path, bytes: &[u8]) -> Outcome<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let unable = |error: std::io::Error| Fault::new(&UNREADABLE).detail(error.kind()).at(path.display());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(unable)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(unable)?;
    std::fs::rename(&part, path).map_err(unable)
}

/// Largest body that a recorded stand-in takes, bytes.
const LARGEST_RECORDED: usize = 128 << 20;

const PORTAL_EXAMPLE: &str = "Examples:
  hoso mock portal --listen 127.0.0.1:8081 --record portal.jsonl
  hoso mock portal --listen 127.0.0.1:8081 --state var/mock-portal --lose-answer-every 7
  hoso mock portal --state var/mock-portal --record portal.jsonl --faults 'lost-answer=20%,500=5%,html=1%,slow=2s@3%,session-expiry=every:50,duplicate=2%,seed=7'

Session dialect: /login and /integration. Bridge: /bridge/add, /bridge/update, /bridge/progress. Older bridge: /DongBoHoSoMC.";
const TSA_EXAMPLE: &str = "Example:
  hoso mock tsa --listen 127.0.0.1:8083 --key keys/tsa.key.pem --cert keys/tsa.cert.pem";
const WALLET_EXAMPLE: &str = "Examples:
  hoso mock wallet --station tap-huan --record wallet.jsonl
  hoso mock wallet --listen 127.0.0.1:8082 --state var/mock-wallet --sender keys/push.pub.pem --faults lost-answer=20%,503=5% --record wallet.jsonl";

/// A file named on the command line that cannot be read or written.
pub const UNREADABLE: Code = Code {
    id: "MOCK-007",
    class: Class::Setup,
    vi: "Không đọc hoặc ghi được tệp đã nêu",
    en: "a file named on the command line cannot be read or written",
    remedy_vi: "Kiểm tra đường dẫn và quyền truy cập",
    remedy_en: "check the path and its permissions",
};

/// A certificate of another key.
pub const NOT_A_PAIR: Code = Code {
    id: "MOCK-008",
    class: Class::Setup,
    vi: "Chứng thư không phải của khóa đã nêu",
    en: "the certificate does not belong to the key",
    remedy_vi: "Nêu đúng cặp --key và --cert",
    remedy_en: "name a --key and --cert that belong together",
};

/// The operating system lets us watch no signals.
pub const NO_SIGNALS: Code = Code {
    id: "MOCK-009",
    class: Class::Setup,
    vi: "Không nhận được tín hiệu dừng của hệ điều hành",
    en: "stop signals cannot be watched",
    remedy_vi: "Chạy lại trong môi trường cho phép nhận tín hiệu",
    remedy_en: "run it where signals can be received",
};

/// The faults of these commands; the rest of the room's are in [`crate::serve::CODES`].
pub const CODES: &[&Code] = &[&UNREADABLE, &NOT_A_PAIR, &NO_SIGNALS];
