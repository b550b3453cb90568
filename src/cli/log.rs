//! `hoso log`: the transparency log on plain files and folders.

mod check;
mod confirm;
mod enter;
mod place;
mod tell;

pub use check::{load_keys, receipt_beside};

use crate::digest;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::log::witness::Witness;
use crate::log::{Signer, VerifierKey};
use crate::serve::{log_tiles, witness};
use crate::station::Station;
use crate::station::config::Reference;
use std::path::{Path, PathBuf};

/// The transparency log: an append-only record of document hashes, with receipts that anyone can check offline.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Where no folder is given, the station's log is meant.\n\nExample:\n  \
    hoso log init nhat-ky --origin h49.vn/nhat-ky\n  \
    hoso log append nhat-ky ket-qua.pdf --office H49.12.5 --type result\n  \
    hoso log check ket-qua.tlog-proof ket-qua.pdf --key nhat-ky/verifier.key\n  \
    hoso log verify nhat-ky")]
pub enum Command {
    /// Make an empty log and its key.
    Init {
        /// Folder of the log.
        dir: PathBuf,
        /// The log's name for ever, such as h49.vn/nhat-ky.
        #[arg(long)]
        origin: String,
        /// Time stamp authority (RFC 3161) that `anchor` asks; receipts await its stamp.
        #[arg(long, value_name = "URL")]
        tsa: Option<String>,
    },
    /// Log documents; writes FILE.tlog-proof beside each.
    Append {
        /// Folder of the log, where it is not the station's; then the documents.
        #[arg(required = true, value_name = "[DIR] FILE")]
        paths: Vec<PathBuf>,
        /// Identifier code of the office that issues them; the station's where not given.
        #[arg(long)]
        office: Option<String>,
        /// Kind of document, a code.
        #[arg(long = "type", default_value = "document")]
        doc_type: String,
        /// When they were issued (RFC 3339); now where not given.
        #[arg(long)]
        issued_at: Option<String>,
        /// SHA-256 of the document that this one replaces; for a single file. The log marks the older one.
        #[arg(long)]
        supersedes: Option<digest::Sha256>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Log that a document does not hold any more, and print the notice.
    Revoke {
        /// Folder of the log, where it is not the station's; then the document, or its SHA-256.
        #[arg(required = true, num_args = 1..=2, value_name = "[DIR] FILE")]
        paths: Vec<PathBuf>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Print the signed head of a log, with the cosignatures that it has.
    Checkpoint {
        /// Folder of the log, where it is not the station's.
        dir: Option<PathBuf>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Print a receipt for a document that was logged before, under the first head that others confirmed.
    Prove {
        /// Folder of the log, where it is not the station's; then the document.
        #[arg(required = true, num_args = 1..=2, value_name = "[DIR] FILE")]
        paths: Vec<PathBuf>,
        /// Writes the same proof here as a COSE receipt (RFC 9942), for other people's tools.
        #[arg(long, value_name = "OUT")]
        cose: Option<PathBuf>,
        /// One JSON object a line, with the receipt's text in it.
        #[arg(long)]
        json: bool,
    },
    /// Check a receipt against its document: `check RECEIPT FILE`, or files with their receipts beside them.
    #[command(
        after_help = "Exit code: 0 valid, 10 altered, 11 not yet anchored, 12 unknown log, 13 broken consistency, \
        14 revoked, 15 superseded.\nOf several files the worst counts, in the order 13, 10, 14, 15, 12, 11."
    )]
    Check(check::Args),
    /// Verify a whole log or a fetched copy of one: every tile, every entry, every kept head and time stamp.
    Verify {
        /// Folder with `checkpoint` and `tile/`, where it is not the station's log.
        dir: Option<PathBuf>,
        /// Public key of the log: a line or a file of lines; otherwise DIR/verifier.key or the station's.
        #[arg(long = "key")]
        keys: Vec<String>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Print the proof that the log of one size grew into that of another.
    Consistency {
        /// Folder of the log, where it is not the station's.
        dir: Option<PathBuf>,
        /// The smaller size.
        #[arg(long)]
        from: u64,
        /// The larger size; now where not given.
        #[arg(long)]
        to: Option<u64>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Have the newest head stamped by the time stamp authority and cosigned by the witnesses, and complete receipts that await it.
    Anchor(confirm::Args),
    /// Ask the witnesses only, not the time stamp authority.
    Witness(confirm::Args),
    /// Show a log's head or what a receipt says, without judging it.
    Show {
        /// Folder of a log, or a receipt.
        path: PathBuf,
        /// Writes the checkpoint's text and the time stamp token of the receipt here, for `openssl ts -verify`.
        #[arg(long, value_name = "DIR")]
        extract: Option<PathBuf>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

/// Runs one log command.
///
/// # Errors
/// Those of the log; [`crate::log::UNREADABLE`] for a file that cannot be read or written; [`NO_LOG`].
pub async fn run(command: Command, station: Option<&Path>) -> Outcome<u8> {
    let station = station.map(Path::to_owned);
    let handle = tokio::runtime::Handle::current();
    // Authorities and witnesses are waited for in a thread that may block.
    let done = tokio::task::spawn_blocking(move || run_blocking(&command, station.as_deref(), &handle));
    done.await.unwrap_or_else(|_| Err(Fault::new(&STOPPED)))
}

fn run_blocking(command: &Command, station: Option<&Path>, handle: &tokio::runtime::Handle) -> Outcome<u8> {
    match command {
        Command::Init { dir, origin, tsa } => place::init(dir, origin, tsa.as_deref()),
        Command::Append { paths, office, doc_type, issued_at, supersedes, json } => {
            let place = place::Place::of_first(paths, station)?;
            let facts = enter::facts(&place, office.as_deref(), doc_type, issued_at.as_deref(), *supersedes)?;
            enter::append(&place, place.files(paths), &facts, *json, handle)
        }
        Command::Revoke { paths, json } => {
            let place = place::Place::of_first(paths, station)?;
            enter::revoke(&place, place.files(paths), *json)
        }
        Command::Checkpoint { dir, json } => {
            tell::checkpoint(&place::Place::of(dir.as_deref(), station)?, *json)
        }
        Command::Prove { paths, cose, json } => {
            let place = place::Place::of_first(paths, station)?;
            enter::prove(&place, place.files(paths), cose.as_deref(), *json)
        }
        Command::Check(args) => check::run(args, station),
        Command::Verify { dir, keys, json } => {
            tell::verify(&place::Place::of(dir.as_deref(), station)?, keys, *json)
        }
        Command::Consistency { dir, from, to, json } => {
            tell::consistency(&place::Place::of(dir.as_deref(), station)?, *from, *to, *json)
        }
        Command::Anchor(args) => confirm::run(args, true, station, handle),
        Command::Witness(args) => confirm::run(args, false, station, handle),
        Command::Show { path, extract, json } => tell::show(path, extract.as_deref(), *json),
    }
}

/// What a station shows the world of its log, and of itself as a witness of others' logs: `/log/…` and, with `[witness]`,
/// `/witness/…`.
///
/// # Errors
/// `STAT-004`, `STEP-030`; `LOG-001` for a log's key line that is none, `LOG-003`, `LOG-004`, `LOG-025`.
pub fn routes(station: &Station) -> Outcome<axum::Router> {
    let signer = |name: &str, key: &Reference| {
        let pem = zeroize::Zeroizing::new(key.bytes(&station.root)?);
        Signer::from_pem(name, &pem)
    };
    let own = signer(&station.config.log.origin, &station.config.log.key)?;
    let router = log_tiles::router(station.path("var/log"), &own.verifier());
    let Some(role) = &station.config.witness else { return Ok(router) };
    let logs = role.logs.iter().map(|line| VerifierKey::parse(line).map_err(|f| f.at("witness.logs")));
    let logs = logs.collect::<Outcome<Vec<_>>>()?;
    let cosigner = signer(&role.name, &role.key).map_err(|f| f.at("witness.key"))?;
    Ok(router.merge(witness::router(Witness::open(&station.path("var/witness"), cosigner, logs)?)))
}

/// Neither a folder nor a station.
pub const NO_LOG: Code = Code {
    id: "LOG-026",
    class: Class::Setup,
    vi: "Không biết nhật ký nào được nói tới",
    en: "it is not clear which log is meant",
    remedy_vi: "Nêu thư mục của nhật ký, hoặc chạy trong thư mục trạm (--station)",
    remedy_en: "name the folder of the log, or run it in a station (--station)",
};
/// The work itself broke off.
const STOPPED: Code = Code {
    id: "LOG-028",
    class: Class::Inner,
    vi: "Lệnh nhật ký bị dừng giữa chừng",
    en: "the command broke off",
    remedy_vi: "Chạy lại; nếu lặp lại, báo cho người phát triển",
    remedy_en: "run it again; if it happens again, tell the developers",
};
/// Every code of this file.
pub const CODES: &[&Code] = &[&NO_LOG, &STOPPED, &confirm::NOBODY];
