//! What the transparency log costs: `cargo bench --bench log -- [--leaves 1000000] [--batch 1000] [--keep FOLDER]`
//!
//! One JSON line a figure: leaves a second into a durable log (every batch synced, signed and proven), the slowest batch (a
//! leaf waits no longer for its checkpoint), opening the folder again, peak memory of the process, and for one receipt with
//! time stamp its size and the time of judging it. CPU seconds are user and system of this process, wall time beside them.

#![expect(clippy::expect_used, reason = "a bench ends at its first surprise, with its place")]

use hoso::digest::{Digests, Sha256};
use hoso::log::check::{Later, Policy, judge};
use hoso::log::note::{Note, Signer};
use hoso::log::{Log, ReceiptOutcome, Statement, StatementFacts};
use hoso::seal::authority::Authority;
use hoso::seal::timestamp::{Request, check_reply};
use openssl::x509::X509;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn main() {
    let (mut leaves, mut batch, mut keep) = (1_000_000u64, 1000u64, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let number = |text: Option<String>| text.and_then(|n| n.parse().ok()).expect("a number");
        match arg.as_str() {
            "--leaves" => leaves = number(args.next()),
            "--batch" => batch = number(args.next()),
            "--keep" => keep = args.next().map(PathBuf::from),
            _ => {}
        }
    }
    let room = tempfile::tempdir().expect("room");
    let folder = keep.unwrap_or_else(|| room.path().join("log"));
    std::fs::create_dir_all(&folder).expect("room");
    let key = folder.join("bench.pem");
    if !key.exists() {
        let pem = Signer::generate("h49.vn/nhat-ky").and_then(|s| s.to_pem()).expect("a key");
        std::fs::write(&key, pem).expect("room");
    }
    let open = || {
        let signer = Signer::from_pem("h49.vn/nhat-ky", &std::fs::read(&key).expect("a key")).expect("a key");
        Log::open_with(&folder, signer).expect("a log").stamped(true)
    };

    let log = open();
    let first = log.size();
    let (began, cpu, mut slowest) = (Instant::now(), cpu_now(), Duration::ZERO);
    let mut next = first;
    while next < leaves {
        let upto = leaves.min(next + batch);
        let statements: Vec<Statement> = (next..upto).map(|i| statement(&log, i)).collect();
        let one = Instant::now();
        log.append(&statements).expect("an append");
        slowest = slowest.max(one.elapsed());
        next = upto;
    }
    if leaves > first {
        let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_now() - cpu);
        let count = (leaves - first) as f64;
        row(
            "append",
            &json!({"leaves": leaves - first, "batch": batch, "leaves_per_s": (count / wall).round(),
            "cpu_us_per_leaf": micro(cpu * 1e6 / count), "slowest_batch_ms": slowest.as_millis()}),
        );
    }
    drop(log);

    let (began, cpu) = (Instant::now(), cpu_now());
    let log = open();
    row(
        "open",
        &json!({"leaves": log.size(), "ms": began.elapsed().as_millis(), "cpu_ms": micro((cpu_now() - cpu) * 1000.0)}),
    );

    // One more leaf and its checkpoint, as an idle counter sees it.
    let began = Instant::now();
    let statements = [statement(&log, leaves + 1)];
    log.append(&statements).expect("an append");
    row("one leaf to its checkpoint", &json!({"ms": micro(began.elapsed().as_secs_f64() * 1000.0)}));

    let root = stamped(&log);
    let place = leaves / 3;
    let receipt = log.prove_statement(&statement(&log, place)).expect("a receipt").to_text();
    let (keys, roots) = ([log.verifier()], [root]);
    let known = hoso::log::store::certificates(&folder).expect("certificates");
    let policy = Policy { authorities: &roots, known: &known, stamp: true, ..Policy::of(&keys) };
    let digests = document(place);
    let rounds = 200;
    let (began, cpu) = (Instant::now(), cpu_now());
    for _ in 0..rounds {
        let verdict = judge(&receipt, &digests, &policy, &Later::default());
        assert_eq!(verdict.outcome, ReceiptOutcome::Proven, "{verdict:?}");
    }
    row(
        "receipt",
        &json!({"leaves": log.size(), "bytes": receipt.len(), "check_ms": micro(began.elapsed().as_secs_f64() * 1000.0 / f64::from(rounds)),
        "check_cpu_ms": micro((cpu_now() - cpu) * 1000.0 / f64::from(rounds))}),
    );
    row("memory", &json!({"leaves": log.size(), "peak_mb": peak_mb()}));
}

fn document(i: u64) -> Digests {
    Digests::of(&i.to_be_bytes())
}

fn statement(log: &Log, i: u64) -> Statement {
    let facts = StatementFacts {
        media_type: "application/pdf".into(),
        office: "H49.12.5".into(),
        doc_type: "result".into(),
        issued_at: "2026-03-02T08:15:09+07:00".into(),
        supersedes: None,
    };
    log.statement(&document(i), &facts).expect("a statement")
}

/// Has the newest head stamped by an authority of its own (P-256); its root.
fn stamped(log: &Log) -> X509 {
    let (key, certificate, root) = authority::mint().expect("an authority");
    let authority = Authority::from_pem(&key, &certificate).expect("an authority");
    let note = log.checkpoint().expect("a head");
    let note = Note::parse(&note).expect("a head");
    let request = Request::new(&Sha256::of(note.text().as_bytes())).expect("a question");
    let reply = authority.reply(&request.der, jiff::Timestamp::now());
    let stamp = check_reply(&reply, &request).expect("a stamp");
    log.keep_token(log.size(), &stamp.token).expect("room");
    root
}

fn row(what: &str, figures: &serde_json::Value) {
    println!("{}", json!({"what": what, "figures": figures}));
}

fn micro(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn cpu_now() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    peak.and_then(|l| l.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// A time stamp authority with a root above it, P-256, as small as real ones get.
mod authority {
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::error::ErrorStack;
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::{PKey, PKeyRef, Private};
    use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
    use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

    pub(super) fn mint() -> Result<(Vec<u8>, Vec<u8>, X509), ErrorStack> {
        let (root_key, key) = (new_key()?, new_key()?);
        let (root_name, name) = (named("CA")?, named("TSA")?);
        let mut root = begin(1, &root_name, &root_name, &root_key)?;
        root.append_extension(BasicConstraints::new().critical().ca().build()?)?;
        root.append_extension(KeyUsage::new().critical().key_cert_sign().build()?)?;
        root.sign(&root_key, MessageDigest::sha256())?;
        let mut own = begin(2, &name, &root_name, &key)?;
        own.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
        own.append_extension(ExtendedKeyUsage::new().critical().time_stamping().build()?)?;
        own.sign(&root_key, MessageDigest::sha256())?;
        Ok((key.private_key_to_pem_pkcs8()?, own.build().to_pem()?, root.build()))
    }

    fn new_key() -> Result<PKey<Private>, ErrorStack> {
        PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)
    }

    fn named(name: &str) -> Result<X509Name, ErrorStack> {
        let mut builder = X509NameBuilder::new()?;
        builder.append_entry_by_text("CN", name)?;
        Ok(builder.build())
    }

    fn begin(
        serial: u32,
        subject: &X509Name,
        issuer: &X509Name,
        key: &PKeyRef<Private>,
    ) -> Result<X509Builder, ErrorStack> {
        let mut builder = X509Builder::new()?;
        builder.set_version(2)?;
        let serial = BigNum::from_u32(serial)?.to_asn1_integer()?;
        builder.set_serial_number(&serial)?;
        builder.set_subject_name(subject)?;
        builder.set_issuer_name(issuer)?;
        builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
        builder.set_not_after(&*Asn1Time::days_from_now(365)?)?;
        builder.set_pubkey(key)?;
        Ok(builder)
    }
}
