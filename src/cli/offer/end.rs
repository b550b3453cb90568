//! `hoso revoke`, `hoso supersede`: the end of a credential, from the counter. A credential is named by its id, by the link of its
//! offer, or by itself; since the latter two are secrets, no message repeats what was named.

use crate::cli::serve::register;
use crate::clock::Clock;
use crate::deliver::credential::issuance::Issuance;
use crate::deliver::credential::name;
use crate::deliver::credential::register::{Register, UNKNOWN};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::station::Station;
use serde_json::json;
use std::path::Path;

/// `hoso revoke CREDENTIAL`
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  hoso revoke 5f0c0d6c3f5e4bb09d1a2b3c4d5e6f70")]
pub struct Revoke {
    /// Its id (`hoso offer --list`), the link of its offer, or the credential itself.
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
    /// The credential that ends: its id, the link of its offer, or itself.
    old: String,
    /// The one that takes its place.
    new: String,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
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
    let new = store.look(name::handle(&args.new)).await?.ok_or_else(|| Fault::new(&UNKNOWN))?;
    let old = store.look(name::handle(&args.old)).await?;
    if new.revoked.is_some() || old.is_some_and(|old| old.id == new.id) {
        return Err(Fault::new(&NOT_A_SUCCESSOR).at(&new.id));
    }
    end(&args.old, Some(new.id), args.json, station).await
}

async fn end(name: &str, by: Option<String>, json: bool, station: Option<&Path>) -> Outcome<u8> {
    let store = register(&Station::find(station)?)?;
    let now = Clock::System.now_ms().div_euclid(1000);
    let changed = store
        .change(name::handle(name), None, move |issuance: Option<&mut Issuance>, _| {
            let issuance = issuance.ok_or_else(|| Fault::new(&UNKNOWN))?;
            issuance.revoke(by, now).map(|()| issuance.clone())
        })
        .await??;
    if let Err(fault) = store.let_go(now).await {
        tracing::warn!(code = fault.code.id, "what has had its time could not be let go of");
    }
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
pub const CODES: &[&Code] = &[&NOT_A_SUCCESSOR];
