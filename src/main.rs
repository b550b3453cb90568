//! What was asked for; nothing else.
#![forbid(unsafe_code)]

use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    match hoso::cli::run(hoso::cli::Cli::parse()).await {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            eprintln!("hoso: {fault}");
            ExitCode::from(fault.code.class.exit_code())
        }
    }
}
