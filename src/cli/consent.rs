//! `hoso consent`: who agreed that what of theirs goes where, and who no longer does (Law 91/2025/QH15).

use super::operator::operator;
use super::table::Table;
use crate::clock::vietnam_time;
use crate::deliver::credential::jose::{self, BAD_JWK, Jwk};
use crate::deliver::push::RecipientHandle;
use crate::digest::{Sha256, of_reader};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::ledger::delivery::{Consent, NewConsent};
use crate::station::config::{RecipientConfig, is_purpose};
use crate::station::{MISFIT, Station};
use crate::workshop::Workshop;
use serde_json::json;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// `hoso consent`
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Write down that a citizen agreed; what was held for want of it goes out.
    #[command(after_help = GIVE)]
    Give(Give),
    /// Write down that a citizen no longer agrees; what is queued for them there is held.
    #[command(after_help = "Example:\n  hoso consent withdraw --holder 62d0…940a --to wallet")]
    Withdraw(Withdraw),
    /// Every consent, and whether it still lives.
    #[command(after_help = "Example:\n  hoso consent list --live --json")]
    List(List),
}

/// `hoso consent give`
#[derive(Debug, clap::Args)]
pub struct Give {
    /// Who: the citizen's handle at the recipient, 64 hexadecimal digits.
    #[arg(long, value_name = "HANDLE")]
    holder: String,
    /// To whom: a recipient's name in hoso.toml.
    #[arg(long, value_name = "NAME")]
    to: String,
    /// What for: a short code, as the recipient's `purpose` in hoso.toml says it.
    #[arg(long, value_name = "CODE")]
    purpose: String,
    /// How they said so.
    #[arg(long)]
    channel: Channel,
    /// What proves it (a scanned form, a signed statement): its SHA-256 is kept, the file stays with you.
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    /// The public key that their wallet wants documents encrypted to: a JWK on P-256.
    #[arg(long, value_name = "FILE.jwk")]
    key: Option<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// `hoso consent withdraw`
#[derive(Debug, clap::Args)]
pub struct Withdraw {
    /// Who.
    #[arg(long, value_name = "HANDLE")]
    holder: String,
    /// To whom.
    #[arg(long, value_name = "NAME")]
    to: String,
    /// What for; left out: whatever they agreed to.
    #[arg(long, value_name = "CODE")]
    purpose: Option<String>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// `hoso consent list`
#[derive(Debug, clap::Args)]
pub struct List {
    /// Only this citizen's.
    #[arg(long, value_name = "HANDLE")]
    holder: Option<String>,
    /// Only to this recipient.
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Only those that were not withdrawn.
    #[arg(long)]
    live: bool,
    /// One JSON object a line instead of the table.
    #[arg(long)]
    json: bool,
}

/// How a citizen said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Channel {
    /// At the desk.
    Desk,
    /// On the portal or in an app.
    Online,
    /// On paper.
    Paper,
}

const GIVE: &str = "Example:
  hoso consent give --holder 62d0…940a --to wallet --purpose result-delivery --channel paper --evidence phieu.pdf

Rows are only added and ended, never changed; the same consent again is found and not written twice.";

/// Runs it; 0.
///
/// # Errors
/// No station or recipient; a handle, purpose, key or file that cannot be taken; `SEND-124`; `LEDG-001`.
pub async fn run(command: Command, station: Option<&Path>) -> Outcome<u8> {
    let station = Station::find(station)?;
    match command {
        Command::Give(args) => give(args, station).await,
        Command::Withdraw(args) => withdraw(args, station).await,
        Command::List(args) => list(args, station).await,
    }
}

async fn give(args: Give, station: Station) -> Outcome<u8> {
    let holder = RecipientHandle::parse(&args.holder).map_err(|f| f.at("--holder"))?;
    match station.config.recipients.get(&args.to) {
        Some(RecipientConfig::Push { .. }) => {}
        Some(RecipientConfig::Dvcqg { .. }) => return Err(Fault::new(&NOT_ASKED).at(&args.to)),
        None => {
            let missing = format!("[recipients.{}] is not in hoso.toml", args.to);
            return Err(Fault::new(&MISFIT).detail(missing));
        }
    }
    if !is_purpose(&args.purpose) {
        return Err(Fault::new(&BAD_PURPOSE).at("--purpose"));
    }
    let channel = match args.channel {
        Channel::Desk => "desk",
        Channel::Online => "online",
        Channel::Paper => "paper",
    };
    let new = NewConsent {
        holder: holder.as_str().to_owned(),
        purpose: args.purpose,
        recipient: args.to,
        channel: channel.to_owned(),
        evidence: args.evidence.as_deref().map(digest).transpose()?,
        key: args.key.as_deref().map(key).transpose()?,
    };
    let ledger = Workshop::open(station).await?.ledger;
    let given = ledger.give_consent(new, &operator()).await?;
    if args.json {
        println!("{}", json!({ "consent": given.id, "new": given.new, "released": given.released }));
    } else {
        let known = if given.new { "" } else { " (đã ghi từ trước / known before)" };
        println!("sự đồng ý / consent {}{known}", given.id);
        println!("{} lượt gửi được gửi tiếp / deliveries go out", given.released);
    }
    Ok(0)
}

async fn withdraw(args: Withdraw, station: Station) -> Outcome<u8> {
    let holder = RecipientHandle::parse(&args.holder).map_err(|f| f.at("--holder"))?;
    let ledger = Workshop::open(station).await?.ledger;
    let gone = ledger.withdraw_consent(holder.as_str(), &args.to, args.purpose, &operator()).await?;
    if args.json {
        let line = json!({
            "withdrawn": gone.consents, "held": gone.held, "on_the_way": gone.on_the_way, "receipted": gone.receipted,
        });
        println!("{line}");
        return Ok(0);
    }
    println!("đã rút / withdrawn: {}", gone.consents);
    println!("{} lượt gửi được tạm giữ / deliveries are held", gone.held);
    if gone.on_the_way > 0 {
        println!(
            "trong đó {} đang trên đường: có thể vẫn tới nơi, biên nhận (nếu có) được giữ lại / of them were on their way: \
             they may still arrive, and a receipt is kept then",
            gone.on_the_way
        );
    }
    if gone.receipted > 0 {
        println!(
            "{} đã giao trước đó thì không thu lại được / had arrived before and are not called back",
            gone.receipted
        );
    }
    Ok(0)
}

async fn list(args: List, station: Station) -> Outcome<u8> {
    let ledger = Workshop::open(station).await?.ledger;
    let consents = ledger.consents(args.holder, args.to, args.live).await?;
    if args.json {
        consents.iter().for_each(|consent| println!("{}", to_json(consent)));
        return Ok(0);
    }
    let mut table = Table::new(&[
        ">số / no.",
        "của ai / holder",
        "nơi nhận / to",
        "mục đích / purpose",
        "cách ghi / channel",
        "từ lúc / given",
        "rút lúc / withdrawn",
        "khóa / key",
    ]);
    for consent in &consents {
        table.row(vec![
            consent.id.to_string(),
            format!("{}…", consent.holder.get(..12).unwrap_or_default()),
            consent.recipient.clone(),
            consent.purpose.clone(),
            consent.channel.clone(),
            vietnam_time(consent.given_at),
            consent.withdrawn_at.map_or_else(|| "-".into(), vietnam_time),
            if consent.key.is_some() { "có / yes".into() } else { "-".into() },
        ]);
    }
    print!("{}", table.render());
    Ok(0)
}

fn to_json(consent: &Consent) -> serde_json::Value {
    let key: Option<serde_json::Value> = consent.key.as_deref().and_then(|k| serde_json::from_str(k).ok());
    json!({
        "consent": consent.id, "who": consent.holder, "to": consent.recipient, "purpose": consent.purpose,
        "channel": consent.channel, "given_at": vietnam_time(consent.given_at), "given_by": consent.given_by,
        "evidence_sha256": consent.evidence, "key": key,
        "withdrawn_at": consent.withdrawn_at.map(vietnam_time), "withdrawn_by": consent.withdrawn_by,
        "live": consent.withdrawn_at.is_none(),
    })
}

fn digest(path: &Path) -> Outcome<Sha256> {
    let file = std::fs::File::open(path).and_then(|file| match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::ErrorKind::InvalidInput.into()),
    });
    let digests = file.and_then(of_reader);
    digests.map(|d| d.sha256).map_err(|e| unreadable(path, &e))
}

/// The members of a public key and no others, as the ledger keeps them.
fn key(path: &Path) -> Outcome<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(64 * 1024).read_to_end(&mut bytes))
        .map_err(|e| unreadable(path, &e))?;
    let value = jose::value(&bytes).ok_or_else(|| Fault::new(&BAD_JWK).at("--key"))?;
    Jwk::from_value(&value).map(|jwk| jwk.value().to_string()).map_err(|f| f.at("--key"))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Fault::new(&crate::steps::admit::UNREADABLE).at(name).detail(error.kind())
}

/// A purpose that cannot be one.
pub const BAD_PURPOSE: Code = Code {
    id: "SEND-133",
    class: Class::Input,
    vi: "Mục đích phải là một mã ngắn",
    en: "the purpose has to be a short code",
    remedy_vi: "Dùng 1 đến 64 ký tự a-z, 0-9, dấu gạch ngang và dấu chấm, ví dụ result-delivery",
    remedy_en: "use 1 to 64 of a-z, 0-9, hyphen and full stop, e.g. result-delivery",
};
/// The portal is not asked for.
pub const NOT_ASKED: Code = Code {
    id: "SEND-134",
    class: Class::Input,
    vi: "Đồng bộ lên cổng dịch vụ công là nghĩa vụ của cơ quan, không dựa trên sự đồng ý",
    en: "the portal is told by duty of the authority and not by consent",
    remedy_vi: "Chỉ ghi sự đồng ý cho nơi nhận kiểu push (ví, kho giấy tờ)",
    remedy_en: "note consent for recipients of the kind push only (wallets, stores)",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&BAD_PURPOSE, &NOT_ASKED];
