//! `hoso offer`: a credential for a wallet, from the counter. It works beside a running `hoso serve`.

pub mod end;
pub mod slip;
pub mod subject;

pub use end::{Revoke, Supersede, revoke, supersede};

use super::serve::{configured, register};
use super::table::Table;
use crate::clock::{Clock, vietnam_time};
use crate::deliver::credential::issuance::Issuance;
use crate::deliver::credential::issuer::CONFIGURATION;
use crate::deliver::credential::jose::{self, Jwk, Object};
use crate::deliver::credential::name;
use crate::deliver::credential::offer::{self, Wish};
use crate::deliver::credential::register::{Register, UNKNOWN};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::serve::issuer::PublicUrl;
use crate::serve::issuer::store::Store;
use crate::station::Station;
use openssl::pkey::PKey;
use serde_json::json;
use slip::{Paper, Slip};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// `hoso offer (DOSSIER | FILE.pdf)`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  hoso offer H40.17.5-261121-0006 --slip phieu.pdf\n  hoso offer ket-qua.pdf --fields ket-qua.json --json\n  \
    hoso offer --list"
)]
pub struct Args {
    /// Code of a dossier whose result was sealed here, or the signed result as a PDF file.
    #[arg(value_name = "DOSSIER|FILE.pdf", required_unless_present = "list")]
    what: Option<String>,
    /// Of several results of the dossier only this one, from 1; otherwise each gets an offer of its own.
    #[arg(long, value_name = "N")]
    document: Option<usize>,
    /// The PIN that the citizen is told apart from the link, 4 to 10 digits; otherwise six random ones.
    #[arg(long, value_name = "NNNNNN")]
    pin: Option<String>,
    /// The only key that may have it: a JWK file, a PEM public key, or an RFC 7638 thumbprint.
    #[arg(long, value_name = "KEY")]
    holder: Option<String>,
    /// Print it: a sheet for the citizen with QR, link and last day, PDF/A; one page an offer.
    #[arg(long, value_name = "OUT.pdf")]
    slip: Option<PathBuf>,
    /// Print the PIN on the sheet, on a part that is torn off; otherwise it is only told here.
    #[arg(long, requires = "slip")]
    pin_on_slip: bool,
    /// The sheet's size.
    #[arg(long, value_enum, default_value_t = Paper::A5, requires = "slip")]
    paper: Paper,
    /// Fields of the result that the holder shows one by one: a JSON file with one object. Otherwise those that the dossier's slip
    /// gives.
    #[arg(long, value_name = "FILE.json")]
    fields: Option<PathBuf>,
    /// Give the credential out from this moment on only (RFC 3339); wallets are told to come back.
    #[arg(long, value_name = "TIME")]
    ready_at: Option<jiff::Timestamp>,
    /// How long the offer can be redeemed, seconds.
    #[arg(long, value_name = "S", default_value_t = 7 * 24 * 3600)]
    lasts: i64,
    /// How long the credential is valid, seconds; otherwise until it is revoked.
    #[arg(long, value_name = "S")]
    valid: Option<i64>,
    /// How long the document can be fetched, seconds.
    #[arg(long, value_name = "S", default_value_t = 90 * 24 * 3600)]
    document_lasts: i64,
    /// The credential that this one is to replace (its id, the link of its offer, or itself); it is named in the new one, and ends with
    /// `hoso supersede`.
    #[arg(long, value_name = "CREDENTIAL")]
    supersedes: Option<String>,
    /// The address of the issuer, where it never ran here.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Nothing new: the offers and credentials that there are, the newest first.
    #[arg(long, conflicts_with_all = ["what", "slip", "supersedes"])]
    list: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Makes an offer for each document and prints its link and its PIN, each of them once.
///
/// # Errors
/// A file that is no PDF, a dossier without a sealed result, fields or a key that cannot be used, a register that cannot be written.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let station = Station::find(station)?;
    let store = register(&station)?;
    let Some(what) = &args.what else { return list(&store, args.json).await };
    let url = match args.public_url.clone().or_else(|| configured(&station)) {
        Some(url) => url,
        None => store.public_url().await?.ok_or(&NO_ADDRESS)?,
    };
    let at = PublicUrl::parse(&url)?;
    let blobs = station.blobs()?;
    let subjects = subject::find(what, args.document, &station, &blobs, &store).await?;
    let supersedes = match &args.supersedes {
        None => None,
        Some(old) => {
            let found = store.look(name::handle(old)).await?.ok_or_else(|| Fault::new(&UNKNOWN))?;
            Some((found.id, found.document.digests.sha256))
        }
    };
    let now = Clock::System.now_ms().div_euclid(1000);
    let said = args.fields.as_deref().map(fields).transpose()?;
    let holder = args.holder.as_deref().map(holder).transpose()?;
    // One PIN for all that one citizen gets in one go.
    let mut pin = args.pin.clone().map(Zeroizing::new);
    let (mut all, mut leaves) = (Vec::new(), Vec::new());
    for subject in subjects {
        let wish = Wish {
            digests: subject.digests,
            fields: said.clone().unwrap_or(subject.fields),
            pin: pin.clone(),
            holder: holder.clone(),
            ready_at: args.ready_at.map_or(0, jiff::Timestamp::as_second),
            lasts: args.lasts,
            valid: args.valid,
            document_lasts: args.document_lasts,
            supersedes: supersedes.clone(),
        };
        let made = offer::make(wish, now)?;
        let told = Told {
            uri: offer::uri(&at.issuer(), &made.link),
            pin: made.pin.clone(),
            title: subject.title,
            dossier: subject.dossier,
            issuance: made.issuance,
        };
        pin = Some(made.pin);
        if args.slip.is_some() {
            let shown = told.slip(&station.config.name, args.pin_on_slip);
            leaves.push(slip::draw(&shown, args.paper)?);
        }
        all.push(told);
    }
    for told in &mut all {
        told.issuance = store.add(told.issuance.clone()).await?;
    }
    if let Some(path) = &args.slip
        && let Err(fault) = slip::write(&leaves, path)
    {
        // Nobody will ever see their links.
        for told in &all {
            store.change(name::handle(&told.issuance.id), None, withdraw(now)).await?;
        }
        return Err(fault);
    }
    for told in &all {
        told.print(args.json);
    }
    // A counter without a server lets go of what has had its time, too. The offer stands whatever comes of that.
    if let Err(fault) = store.let_go(now).await {
        tracing::warn!(code = fault.code.id, "what has had its time could not be let go of");
    }
    Ok(0)
}

fn withdraw(now: i64) -> impl FnOnce(Option<&mut Issuance>, bool) {
    move |issuance, _| {
        if let Some(issuance) = issuance {
            let _ = issuance.revoke(None, now);
        }
    }
}

/// An offer as it is told, once.
struct Told {
    uri: String,
    pin: Zeroizing<String>,
    title: Option<String>,
    dossier: Option<String>,
    issuance: Issuance,
}

impl Told {
    fn slip<'a>(&'a self, office: &'a str, with_pin: bool) -> Slip<'a> {
        Slip {
            office,
            title: self.title.as_deref(),
            dossier: self.dossier.as_deref(),
            uri: &self.uri,
            until: self.issuance.offer_until,
            digits: self.pin.len(),
            pin: with_pin.then_some(&*self.pin),
        }
    }

    fn print(&self, json: bool) {
        let expires_at = vietnam_time(self.issuance.offer_until.saturating_mul(1000));
        if json {
            let line = json!({
                "offer_uri": self.uri, "pin": self.pin.as_str(), "expires_at": expires_at,
                "credential_configuration_id": CONFIGURATION,
            });
            println!("{line}");
            return;
        }
        if let Some(title) = &self.title {
            println!("kết quả / result          {title}");
        }
        println!("chứng nhận / credential   {}", self.issuance.id);
        println!("đường dẫn / link          {}", self.uri);
        println!("mã PIN / PIN              {}", self.pin.as_str());
        println!("dùng trước / use before   {expires_at}");
    }
}

/// `hoso offer --list`
async fn list(store: &Store, json: bool) -> Outcome<u8> {
    let now = Clock::System.now_ms().div_euclid(1000);
    store.let_go(now).await?;
    let heads = [
        "chứng nhận / credential",
        "tình trạng / state",
        "lập lúc / made",
        "SHA-256",
        "lỗi sau cùng / last error",
    ];
    let mut table = Table::new(&heads);
    for issuance in store.list(MOST_LISTED).await? {
        let (state, made) = (issuance.state(now), vietnam_time(issuance.made_at.saturating_mul(1000)));
        let (sha256, place) = (issuance.document.digests.sha256, issuance.place);
        if json {
            let line = json!({
                "credential": issuance.id, "state": state, "made_at": made, "sha256": sha256,
                "expires_at": vietnam_time(issuance.offer_until.saturating_mul(1000)),
                "superseded_by": issuance.revoked.and_then(|revoked| revoked.superseded_by),
                "status_list": { "list": place.list, "idx": place.index }, "events": issuance.events,
            });
            println!("{line}");
        } else {
            let error =
                issuance.events.iter().rev().find_map(|event| event.error.clone()).unwrap_or_default();
            table.row(vec![issuance.id, state.to_owned(), made, sha256.to_string()[..16].to_owned(), error]);
        }
    }
    if !json {
        print!("{}", table.render());
    }
    Ok(0)
}

fn fields(path: &Path) -> Outcome<Object> {
    let wrong = |what: &str| Fault::new(&UNREADABLE).detail(what).at(path.display());
    let bytes = read_some(path)?;
    jose::object(&bytes).ok_or_else(|| wrong("not one JSON object, or a member in it twice"))
}

/// The thumbprint of the key that is named.
fn holder(text: &str) -> Outcome<String> {
    if jose::unb64(text).is_some_and(|bytes| bytes.len() == 32) {
        return Ok(text.to_owned());
    }
    let bytes = read_some(Path::new(text))?;
    let key = match jose::value(&bytes) {
        Some(value) => Jwk::from_value(&value)?,
        None => {
            let pem = PKey::public_key_from_pem(&bytes).map_err(|_| Fault::new(&jose::BAD_JWK))?;
            Jwk::of(&*pem)?
        }
    };
    Ok(key.thumbprint())
}

fn read_some(path: &Path) -> Outcome<Vec<u8>> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind()).at(path.display());
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(1 << 20).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    Ok(bytes)
}

/// Issuances that are listed.
const MOST_LISTED: u32 = 1000;

/// A file that is no PDF.
pub const NOT_A_PDF: Code = Code {
    id: "HTTP-007",
    class: Class::Input,
    vi: "Tệp không phải PDF",
    en: "the file is not a PDF",
    remedy_vi: "Chọn tệp kết quả PDF đã ký",
    remedy_en: "choose the signed result, a PDF",
};

/// A file that cannot be read.
pub const UNREADABLE: Code = Code {
    id: "HTTP-008",
    class: Class::Input,
    vi: "Không đọc được tệp đã nêu",
    en: "a file that was named cannot be read",
    remedy_vi: "Kiểm tra đường dẫn, quyền đọc và nội dung tệp",
    remedy_en: "look at the path, the right to read and what is in the file",
};

/// The issuer never ran here, so that its address is not known.
pub const NO_ADDRESS: Code = Code {
    id: "HTTP-009",
    class: Class::Setup,
    vi: "Chưa biết địa chỉ công khai của nơi cấp chứng nhận",
    en: "the issuer's public address is not known yet",
    remedy_vi: "Chạy `hoso serve --public-url URL` một lần, hoặc nêu --public-url",
    remedy_en: "run `hoso serve --public-url URL` once, or name it with --public-url",
};

/// Every code of this file and those below it.
pub const CODES: &[&[&Code]] =
    &[&[&NOT_A_PDF, &UNREADABLE, &NO_ADDRESS], end::CODES, slip::CODES, subject::CODES];
