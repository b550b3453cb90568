//! What was asked for; nothing else.
#![forbid(unsafe_code)]

use clap::Parser;
use std::process::ExitCode;
use tracing_subscriber::filter::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    // Only this program's own events above warnings: a library's trace may hold headers and bodies.
    let level = std::env::var("HOSO_LOG").unwrap_or_default();
    let level = ["error", "info", "debug", "trace"].into_iter().find(|l| *l == level).unwrap_or("warn");
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::new(format!("warn,hoso={level}")))
        .init();
    match hoso::cli::run(hoso::cli::Cli::parse()).await {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            eprintln!("hoso: {fault}");
            ExitCode::from(fault.code.class.exit_code())
        }
    }
}
