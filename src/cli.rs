//! The command line: one file a command family, each printing a table for people and, with `--json`, one
//! JSON object a line for programs.

pub mod assemble;
pub mod identity;
pub mod log;
pub mod mock;
pub mod scan;
pub mod sign;
pub mod verify;

use crate::fault::Outcome;
use clap::{Parser, Subcommand};

/// Turn paper and chip cards into records that stand in court.
#[derive(Debug, Parser)]
#[command(name = "hoso", version, about, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge pages and read their barcodes.
    Scan(scan::Args),
    /// Verify chip readings.
    #[command(subcommand)]
    Identity(identity::Command),
    /// Make a PDF/A-2b from page images.
    Assemble(assemble::Args),
    /// Sign a PDF (PAdES B-B or B-T).
    Sign(sign::Args),
    /// Verify signed PDFs, receipts and whole station folders, offline.
    Verify(verify::Args),
    /// The transparency log: append, prove, check.
    #[command(subcommand)]
    Log(log::Command),
    /// Training stand-ins for the outside world, on loopback.
    #[command(subcommand)]
    Mock(mock::Command),
}

/// Runs what was asked for; the number is the exit code (README, "Exit codes").
///
/// # Errors
/// The fault that stopped the command.
pub async fn run(cli: Cli) -> Outcome<u8> {
    match cli.command {
        Command::Scan(args) => scan::run(&args),
        Command::Identity(command) => identity::run(&command),
        Command::Assemble(args) => assemble::run(&args),
        Command::Sign(args) => sign::run(args).await,
        Command::Verify(args) => verify::run(&args),
        Command::Log(command) => log::run(&command),
        Command::Mock(command) => mock::run(command).await,
    }
}
