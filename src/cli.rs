//! The command line: one file a command family, each printing a table for people and, with `--json`, one
//! JSON object a line for programs.

/// As the standard library's, but for [`stdout`]: an answer that nobody can take never stops the work half-way.
macro_rules! println {
    ($($text:tt)*) => { $crate::cli::stdout::write(format_args!("{}\n", format_args!($($text)*))) };
}
/// As `println`, without the end of the line.
macro_rules! print {
    ($($text:tt)*) => { $crate::cli::stdout::write(format_args!($($text)*)) };
}

pub mod anchors;
pub mod assemble;
pub mod card;
pub mod check;
pub mod consent;
pub mod decoder;
pub mod deliver;
pub mod evidence;
pub mod face;
pub mod identity;
pub mod inbox;
pub mod init;
pub mod log;
pub mod mock;
pub mod offer;
mod operator;
pub mod portrait;
mod progress;
pub mod reconcile;
pub mod run;
pub mod scan;
pub mod serve;
pub mod sheet;
pub mod sign;
pub mod status;
mod stdout;
mod stop;
mod summary;
pub mod table;
pub mod target;
pub mod verify;
pub mod watch;
pub mod work;

use crate::fault::{Fault, Outcome};
use crate::seal::key::SIGNING;
use clap::{Parser, Subcommand};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

/// Turn paper and chip cards into records that stand in court.
#[derive(Debug, Parser)]
#[command(name = "hoso", version, about, propagate_version = true)]
pub struct Cli {
    /// The station folder; otherwise the nearest one upward with a hoso.toml, otherwise HOSO_STATION.
    #[arg(long, global = true, value_name = "DIR")]
    station: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a station folder.
    Init(init::Args),
    /// Look whether the station is in order: configuration, pipelines, keys, anchors, log, ledger.
    Check(check::Args),
    /// Hand in folders or files, work until all is done, and say what became of them.
    Run(run::Args),
    /// Take what a scanner lays into a folder, as soon as it is complete.
    Watch(watch::Args),
    /// Work on what waits, beside others.
    Work(work::Args),
    /// Ask the portal about everything it acknowledged: what is done here and not there.
    Reconcile(reconcile::Args),
    /// Every dossier: where it is and why.
    Status(status::Args),
    /// Judge pages and read their barcodes.
    Scan(scan::Args),
    /// Print separator and cover sheets.
    #[command(subcommand)]
    Sheet(sheet::Command),
    /// Read chip cards that lie on a reader.
    #[command(subcommand)]
    Card(card::Command),
    /// Verify chip readings.
    #[command(subcommand)]
    Identity(identity::Command),
    /// Make a PDF/A-2b from page images.
    Assemble(assemble::Args),
    /// Sign PDFs (PAdES B-B to B-LTA) with a key in a file, on a token or at a signing service.
    Sign(Box<sign::Args>),
    /// Put all that proves what became of a dossier into one file, for a court or for the recipient.
    Evidence(evidence::Args),
    /// Verify signed PDFs, receipts and whole station folders, offline.
    Verify(verify::Args),
    /// The transparency log: append, prove, check.
    #[command(subcommand)]
    Log(log::Command),
    /// Serve what the outside talks to: receiver of documents, intake and status, wallet issuer, health.
    Serve(serve::Args),
    /// What other stations sent here.
    #[command(subcommand)]
    Inbox(inbox::Command),
    /// Offer a signed result to a citizen's wallet: a link and a PIN.
    Offer(offer::Args),
    /// End a credential: whoever checks it sees that it no longer holds.
    Revoke(offer::Revoke),
    /// End a credential in favour of another.
    Supersede(offer::Supersede),
    /// Send a document by hand; look at deliveries and act on them.
    Deliver(deliver::Args),
    /// Citizens' consent to what is sent where.
    #[command(subcommand)]
    Consent(consent::Command),
    /// Training stand-ins for the outside world, on loopback.
    #[command(subcommand)]
    Mock(mock::Command),
    /// Look at pages for another process of this program.
    #[command(hide = true)]
    Decoder,
}

/// The commands of which many are started one after the other, by themselves: describing all the others to the parser
/// takes ten times the memory and time.
#[derive(Debug, Parser)]
#[command(name = "hoso")]
enum Frequent {
    Sign(Box<sign::Args>),
    Decoder,
}

impl Cli {
    /// What the command line says. A line that is wrong or asks for help ends the process here, with an answer.
    pub fn read() -> Self {
        // Whatever is not plainly one of the few is for the whole parser to take, to refuse or to explain.
        let command = match Frequent::try_parse() {
            Ok(Frequent::Sign(args)) => Command::Sign(args),
            Ok(Frequent::Decoder) => Command::Decoder,
            Err(_) => return Cli::parse(),
        };
        Cli { station: None, command }
    }

    /// Whether this process is to be a decoder: it locks its only thread in, so no other may have been started.
    pub fn is_decoder(&self) -> bool {
        matches!(self.command, Command::Decoder)
    }

    /// Whether nothing that it uses writes to the log, as when files are signed with a key at hand.
    pub fn is_silent(&self) -> bool {
        matches!(&self.command, Command::Sign(args) if args.is_alone())
    }
}

/// Runs what was asked for; the number is the exit code (README, "Exit codes").
///
/// # Errors
/// The fault that stopped the command.
pub fn run(cli: Cli) -> Outcome<u8> {
    let done = match cli.command {
        // Most signatures are made without talking to anybody; the command starts a runtime where it needs one.
        Command::Sign(args) => std::panic::catch_unwind(AssertUnwindSafe(|| sign::run(&args)))
            .unwrap_or_else(|_| Err(Fault::new(&SIGNING))),
        command => run_among_others(command, cli.station.as_deref()),
    };
    stdout::judge(done)
}

#[tokio::main]
async fn run_among_others(command: Command, station: Option<&Path>) -> Outcome<u8> {
    match command {
        Command::Init(args) => init::run(&args),
        Command::Check(args) => check::run(args, station).await,
        Command::Run(args) => run::run(args, station).await,
        Command::Watch(args) => watch::run(args, station).await,
        Command::Work(args) => work::run(args, station).await,
        Command::Reconcile(args) => reconcile::run(args, station).await,
        Command::Status(args) => status::run(args, station).await,
        Command::Scan(args) => scan::run(&args),
        Command::Sheet(command) => sheet::run(&command),
        Command::Card(command) => card::run(command, station).await,
        Command::Identity(command) => identity::run(&command),
        Command::Assemble(args) => assemble::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Evidence(args) => evidence::run(args, station).await,
        Command::Verify(args) => verify::run(args, station).await,
        Command::Log(command) => log::run(command, station).await,
        Command::Serve(args) => serve::run(args, station).await,
        Command::Inbox(command) => inbox::run(command, station).await,
        Command::Offer(args) => offer::run(args, station).await,
        Command::Revoke(args) => offer::revoke(args, station).await,
        Command::Supersede(args) => offer::supersede(args, station).await,
        Command::Deliver(args) => deliver::run(args, station).await,
        Command::Consent(command) => consent::run(command, station).await,
        Command::Mock(command) => mock::run(command, station).await,
        Command::Decoder => Ok(decoder::run()),
    }
}

/// Says several faults, each on its line, and gives the exit code of the first.
fn all_faults(faults: Vec<Fault>) -> Outcome<u8> {
    let mut faults = faults.into_iter();
    let Some(first) = faults.next() else { return Ok(0) };
    eprintln!("hoso: {first}");
    faults.for_each(|fault| eprintln!("hoso: {fault}"));
    Ok(first.code.class.exit_code())
}
