//! What was asked for; nothing else.
#![forbid(unsafe_code)]

use clap::Parser;
use std::process::ExitCode;
use tracing_subscriber::filter::EnvFilter;

fn main() -> ExitCode {
    let cli = hoso::cli::Cli::parse();
    if cli.is_decoder() {
        return ExitCode::from(hoso::cli::decoder::run());
    }
    run(cli)
}

#[tokio::main]
async fn run(cli: hoso::cli::Cli) -> ExitCode {
    // Only this program's own events above warnings: a library's trace may hold headers and bodies.
    let level = std::env::var("HOSO_LOG").unwrap_or_default();
    let level = ["error", "info", "debug", "trace"].into_iter().find(|l| *l == level).unwrap_or("warn");
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_env_filter(EnvFilter::new(format!("warn,hoso={level}")))
        .init();
    std::panic::set_hook(Box::new(tell_of_panic));
    match hoso::cli::run(cli).await {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            eprintln!("hoso: {fault}");
            ExitCode::from(fault.code.class.exit_code())
        }
    }
}

/// Where the program failed, and nothing else: a panic's own text may hold what was read from a paper. A reader that
/// hangs up (`hoso status | head`) is no defect.
fn tell_of_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let text = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
    if text.contains("Broken pipe") {
        std::process::exit(141);
    }
    match panic.location() {
        Some(place) => eprintln!("hoso: defect at {}:{}", place.file(), place.line()),
        None => eprintln!("hoso: defect at an unknown place"),
    }
}
