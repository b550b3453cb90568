//! Deliveries: how many a second, what one costs, how long one takes, what a backlog and lost answers do to them. The real
//! program sends (`hoso work`), receivers of their own processes keep every document and sign for it, everything flushed.
//! `cargo bench --bench deliver -- [--hoso PROGRAM] [--only rate|latency|backlog|duplicates|floor] [--backlog N] …`
//!
//! One JSON object a line: what, what was asked for (`asked`), what was measured (`measured`), in which `unit`, and a `note`.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a bench ends at its first surprise")]

#[path = "deliver/floor.rs"]
mod floor;
#[path = "deliver/world.rs"]
mod world;

use clap::Parser;
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use world::{Kind, World};

#[derive(Debug, Parser)]
struct Args {
    /// The program that sends; its release build where it is left out.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/release/hoso"))]
    hoso: PathBuf,
    /// Only these: floor, rate, latency, backlog, duplicates.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How long a rate is measured, seconds.
    #[arg(long, default_value_t = 15)]
    seconds: usize,
    /// How many wait for one recipient after the outage.
    #[arg(long, default_value_t = 100_000)]
    backlog: usize,
    /// How many are delivered while every fifth answer is lost.
    #[arg(long, default_value_t = 100_000)]
    duplicates: usize,
    /// How many single deliveries the latency is taken from.
    #[arg(long, default_value_t = 300)]
    singles: usize,
    /// Where the worlds are made; a folder on the disk that is to be measured.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    if std::env::args().nth(1).as_deref() == Some("receive") {
        return world::receive(std::env::args().skip(2).collect()).await;
    }
    let args = Args::parse();
    let wanted = |what: &str| args.only.is_empty() || args.only.iter().any(|only| only == what);
    if wanted("floor") {
        floor::measure(args.folder.as_deref());
    }
    if wanted("rate") {
        rate(&args, 200_000, 300).await;
        rate(&args, 5_000, 600).await;
    }
    if wanted("latency") {
        latency(&args).await;
    }
    if wanted("backlog") {
        backlog(&args).await;
    }
    if wanted("duplicates") {
        duplicates(&args).await;
    }
}

/// As many as it can, to one recipient.
async fn rate(args: &Args, size: usize, asked: usize) {
    let mut world = World::new(args, &[("wallet", Kind::Tls)]).await;
    let count = asked * args.seconds;
    world.post("wallet", count, size).await;
    let name = format!("push, {} KB", size / 1000);
    let sender = world.work();
    // A line that is warm: the first twentieth does not count.
    while world.taken("wallet") < count / 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (began, sent, received) = (Instant::now(), sender.cpu(), world.receiver("wallet").cpu());
    let before = world.taken("wallet");
    world.until_receipted("wallet", count).await;
    let (took, done) = (began.elapsed().as_secs_f64(), (count - before) as f64);
    row(
        &format!("{name}, a second"),
        asked as f64,
        done / took,
        "/s",
        "TLS, signed, receipt checked, flushed at both ends",
    );
    let (out, in_) =
        ((sender.cpu() - sent) * 1000.0 / done, (world.receiver("wallet").cpu() - received) * 1000.0 / done);
    row(
        &format!("{name}, CPU of one, sender"),
        3.0,
        out,
        "ms",
        &format!("user and system; receiver {in_:.2} ms"),
    );
}

/// One at a time, nothing else going on.
async fn latency(args: &Args) {
    let mut world = World::new(args, &[("wallet", Kind::Tls)]).await;
    world.put_document(5_000);
    let _sender = world.work();
    let mut times = Vec::new();
    for _ in 0..args.singles {
        times.push(world.single("wallet").await);
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    row(
        "idle queue, posted to receipted, p50",
        50.0,
        p50,
        "ms",
        &format!("{} single deliveries of 5 KB", times.len()),
    );
    row("idle queue, posted to receipted, p99", 250.0, p99, "ms", "seen at the receiver before that");
}

/// One recipient is gone while its deliveries pile up, and comes back; another is served all the time.
async fn backlog(args: &Args) {
    let mut world = World::new(args, &[("wallet", Kind::Tls), ("other", Kind::Tls)]).await;
    world.put_document(5_000);
    let _sender = world.work();
    let mut quiet = steady(&world, 200).await;
    let quiet = percentile(&mut quiet, 99);
    world.cut_off("wallet");
    world.post("wallet", args.backlog, 5_000).await;
    let mut dead = steady(&world, 200).await;
    let dead = percentile(&mut dead, 99);
    world.bring_back("wallet");
    let began = Instant::now();
    let (mut during, mut drained) = (Vec::new(), None);
    while drained.is_none() || during.len() < 100 {
        during.push(world.single("other").await);
        tokio::time::sleep(Duration::from_millis(40)).await;
        if drained.is_none()
            && world.taken("wallet") >= args.backlog
            && world.receipted("wallet") >= args.backlog
        {
            drained = Some(began.elapsed().as_secs_f64());
        }
    }
    let during_p99 = percentile(&mut during, 99);
    let asked = 360.0 * args.backlog as f64 / 100_000.0;
    row(
        &format!("backlog of {} drained", args.backlog),
        asked,
        drained.unwrap_or(f64::NAN),
        "s",
        "5 KB each, after the recipient came back",
    );
    row("another recipient's p99, nothing else", 0.0, quiet, "ms", "posted to receipted");
    row("another recipient's p99, beside a dead one", quiet * 1.2, dead, "ms", "its backlog waits");
    row(
        "another recipient's p99, beside the drain",
        quiet * 1.2,
        during_p99,
        "ms",
        &format!("{} samples", during.len()),
    );
}

async fn steady(world: &World, count: usize) -> Vec<f64> {
    let mut times = Vec::new();
    for _ in 0..count {
        times.push(world.single("other").await);
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    times
}

/// Every fifth answer is lost: what arrived is asked for, and nothing is seen twice.
async fn duplicates(args: &Args) {
    let names: Vec<String> = (0..8).map(|n| format!("wallet-{n}")).collect();
    let all: Vec<(&str, Kind)> = names.iter().map(|name| (name.as_str(), Kind::LosesAnswers)).collect();
    let mut world = World::new(args, &all).await;
    world.put_document(1_000);
    for name in &names {
        world.post(name, args.duplicates / names.len(), 1_000).await;
    }
    let began = Instant::now();
    let _sender = world.work();
    let (mut lines, mut distinct, mut receipted) = (0, 0, 0);
    for name in &names {
        world.until_receipted(name, args.duplicates / names.len()).await;
        let stored = world.stored(name);
        lines += stored.len();
        distinct += stored.into_iter().collect::<std::collections::HashSet<_>>().len();
        receipted += world.receipted(name);
    }
    let took = began.elapsed().as_secs_f64();
    let note = format!("{receipted} receipted, {distinct} stored, {took:.0} s, 20 % of answers lost");
    row("seen twice", 0.0, (lines - distinct) as f64, "", &note);
    row("lost", 0.0, receipted as f64 - distinct as f64, "", "receipted and not stored");
}

fn percentile(times: &mut [f64], share: usize) -> f64 {
    times.sort_by(f64::total_cmp);
    times[(times.len() * share / 100).min(times.len() - 1)]
}

fn row(what: &str, asked: f64, measured: f64, unit: &str, note: &str) {
    println!("{}", json!({ "what": what, "asked": asked, "measured": measured, "unit": unit, "note": note }));
}
