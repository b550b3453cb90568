//! What was asked for; nothing else.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

fn main() -> ExitCode {
    let cli = hoso::cli::Cli::read();
    if cli.is_decoder() {
        return ExitCode::from(hoso::cli::decoder::run());
    }
    if !cli.is_silent() {
        listen();
    }
    std::panic::set_hook(Box::new(tell_of_panic));
    match hoso::cli::run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(fault) => {
            eprintln!("hoso: {fault}");
            ExitCode::from(fault.code.class.exit_code())
        }
    }
}

/// Writes what happens to the standard error.
fn listen() {
    // Only this program's own events above warnings: a library's trace may hold headers and bodies.
    let level = match std::env::var("HOSO_LOG").unwrap_or_default().as_str() {
        "error" => LevelFilter::ERROR,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => LevelFilter::WARN,
    };
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_max_level(LevelFilter::TRACE)
        .finish()
        .with(Targets::new().with_default(LevelFilter::WARN).with_target("hoso", level))
        .init();
}

/// Where the program failed, and nothing else: a panic's own text may hold what was read from a paper. A reader of
/// the standard error that hangs up (`hoso status 2>&1 | head`) is no defect.
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
