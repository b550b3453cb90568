//! `hoso offer`, `hoso revoke`, `hoso supersede`: credentials for wallets, from the counter. They work beside a running `hoso serve`.

use super::serve::{configured, register};
use crate::clock::{Clock, vietnam_time};
use crate::deliver::credential::issuance::Issuance;
use crate::deliver::credential::issuer::CONFIGURATION;
use crate::deliver::credential::jose::{self, Jwk, Object};
use crate::deliver::credential::offer::{self, Wish};
use crate::deliver::credential::register::{Handle, Register, UNKNOWN};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::serve::issuer::PublicUrl;
use crate::station::Station;
use openssl::pkey::PKey;
use serde_json::json;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// `hoso offer FILE.pdf`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso offer ket-qua.pdf --fields ket-qua.json --json")]
pub struct Args {
    /// The signed result.
    file: PathBuf,
    /// The PIN that the citizen is told apart from the link, 4 to 10 digits; otherwise six random ones.
    #[arg(long, value_name = "NNNNNN")]
    pin: Option<String>,
    /// The only key that may have it: a JWK file, a PEM public key, or an RFC 7638 thumbprint.
    #[arg(long, value_name = "KEY")]
    holder: Option<String>,
    /// Fields of the result that the holder shows one by one: a JSON file with one object.
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
    /// The credential that this one is to replace; it is named in the new one, and ends with `hoso supersede`.
    #[arg(long, value_name = "CREDENTIAL")]
    supersedes: Option<String>,
    /// The address of the issuer, where it never ran here.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// `hoso revoke CREDENTIAL`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso revoke 5f0c0d6c3f5e4bb09d1a2b3c4d5e6f70")]
pub struct Revoke {
    /// The id that `hoso offer` printed.
    credential: String,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// `hoso supersede OLD NEW`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  hoso offer sua-lai.pdf --supersedes OLD --json\n  hoso supersede OLD NEW"
)]
pub struct Supersede {
    /// The credential that ends.
    old: String,
    /// The one that takes its place.
    new: String,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Makes an offer and prints its link and its PIN, each of them once.
///
/// # Errors
/// A file that is no PDF, fields or a key that cannot be used, a register that cannot be written.
pub async fn run(args: Args, station: Option<&Path>) -> Outcome<u8> {
    let station = Station::find(station)?;
    let store = register(&station)?;
    let url = match args.public_url.clone().or_else(|| configured(&station)) {
        Some(url) => url,
        None => store.public_url().await?.ok_or(&NO_ADDRESS)?,
    };
    let at = PublicUrl::parse(&url)?;
    let blobs = station.blobs()?;
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind()).at(args.file.display());
    let mut file = std::fs::File::open(&args.file).map_err(unreadable)?;
    let mut head = [0u8; 5];
    file.read_exact(&mut head).map_err(|_| Fault::new(&NOT_A_PDF).at(args.file.display()))?;
    if &head != b"%PDF-" {
        return Err(Fault::new(&NOT_A_PDF).at(args.file.display()));
    }
    let digests =
        blobs.put_reader(head.as_slice().chain(file), LARGEST_PDF).map_err(|f| f.at(args.file.display()))?;
    let supersedes = match &args.supersedes {
        None => None,
        Some(old) => {
            let found =
                store.look(Handle::Id(old.clone())).await?.ok_or_else(|| Fault::new(&UNKNOWN).at(old))?;
            Some((found.id, found.document.digests.sha256))
        }
    };
    let now_ms = Clock::System.now_ms();
    let wish = Wish {
        digests,
        fields: args.fields.as_deref().map(fields).transpose()?.unwrap_or_default(),
        pin: args.pin.map(Zeroizing::new),
        holder: args.holder.as_deref().map(holder).transpose()?,
        ready_at: args.ready_at.map_or(0, jiff::Timestamp::as_second),
        lasts: args.lasts,
        valid: args.valid,
        document_lasts: args.document_lasts,
        supersedes,
    };
    let made = offer::make(wish, now_ms.div_euclid(1000))?;
    let issuance = store.add(made.issuance).await?;
    let uri = offer::uri(&at.issuer(), &made.link);
    let expires_at = vietnam_time(issuance.offer_until.saturating_mul(1000));
    if args.json {
        let line = json!({
            "offer_uri": uri, "pin": made.pin.as_str(), "expires_at": expires_at,
            "credential_configuration_id": CONFIGURATION, "credential": issuance.id,
            "sha256": issuance.document.digests.sha256,
        });
        println!("{line}");
    } else {
        println!("chứng nhận / credential   {}", issuance.id);
        println!("đường dẫn / link          {uri}");
        println!("mã PIN / PIN              {}", made.pin.as_str());
        println!("dùng trước / use before   {expires_at}");
    }
    Ok(0)
}

/// Ends a credential or an offer.
///
/// # Errors
/// `SEND-076` for an id that is not known; `SEND-071` where it was superseded before.
pub async fn revoke(args: Revoke, station: Option<&Path>) -> Outcome<u8> {
    end(&args.credential, None, args.json, station).await
}

/// Ends a credential in favour of another.
///
/// # Errors
/// As [`revoke`]; [`NOT_A_SUCCESSOR`].
pub async fn supersede(args: Supersede, station: Option<&Path>) -> Outcome<u8> {
    let store = register(&Station::find(station)?)?;
    let new =
        store.look(Handle::Id(args.new.clone())).await?.ok_or_else(|| Fault::new(&UNKNOWN).at(&args.new))?;
    if new.id == args.old || new.revoked.is_some() {
        return Err(Fault::new(&NOT_A_SUCCESSOR).at(&args.new));
    }
    end(&args.old, Some(new.id), args.json, station).await
}

async fn end(id: &str, by: Option<String>, json: bool, station: Option<&Path>) -> Outcome<u8> {
    let store = register(&Station::find(station)?)?;
    let now = Clock::System.now_ms().div_euclid(1000);
    let changed = store
        .change(Handle::Id(id.to_owned()), None, move |issuance: Option<&mut Issuance>, _| {
            let issuance = issuance.ok_or_else(|| Fault::new(&UNKNOWN))?;
            issuance.revoke(by, now).map(|()| issuance.clone())
        })
        .await?
        .map_err(|fault| fault.at(id))?;
    let successor = changed.revoked.as_ref().and_then(|revoked| revoked.superseded_by.as_deref());
    if json {
        let line = json!({
            "credential": changed.id, "state": changed.state(now), "superseded_by": successor,
            "status_list": { "list": changed.place.list, "idx": changed.place.index },
        });
        println!("{line}");
    } else {
        let (vi, en) = if successor.is_some() {
            ("đã thay thế", "superseded")
        } else {
            ("đã thu hồi", "revoked")
        };
        println!("{}: {vi} / {en}", changed.id);
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

/// Bytes of the largest PDF that is offered.
const LARGEST_PDF: u64 = 256 << 20;

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

/// A successor that cannot be one.
pub const NOT_A_SUCCESSOR: Code = Code {
    id: "HTTP-010",
    class: Class::Input,
    vi: "Chứng nhận mới không thể thay thế chứng nhận cũ",
    en: "the new credential cannot take the old one's place",
    remedy_vi: "Nêu một chứng nhận khác, còn hiệu lực",
    remedy_en: "name another one that was not revoked",
};

/// Every code of this file.
pub const CODES: &[&Code] = &[&NOT_A_PDF, &UNREADABLE, &NO_ADDRESS, &NOT_A_SUCCESSOR];
