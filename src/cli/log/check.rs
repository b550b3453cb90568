//! `hoso log check`: receipts against documents, and a log's own folder against its signed head.

use super::enter::digests;
use super::place::{Place, unreadable};
use crate::fault::{Fault, Outcome};
use crate::log::check::{Later, Policy, judge};
use crate::log::copy::LogCopy;
use crate::log::outcome::{Class, ReceiptVerdict};
use crate::log::{NO_RECEIPT, VerifierKey};
use crate::seal::verify::Anchors;
use crate::station::Station;
use openssl::x509::X509;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// What is checked, and whom to trust.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// RECEIPT FILE; or documents with FILE.tlog-proof beside them, or folders of logs.
    #[arg(required = true, value_name = "RECEIPT FILE")]
    paths: Vec<PathBuf>,
    /// Public key of a trusted log: a line, a file of lines or a folder of files; the station's where not given.
    #[arg(long = "key")]
    keys: Vec<String>,
    /// The log's folder or a fetched copy of it (`checkpoint` and `tile/`), to see what it said later; the station's where
    /// not given.
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
    /// A newer receipt, or a notice of revocation; may be given several times.
    #[arg(long, value_name = "RECEIPT")]
    newer: Vec<PathBuf>,
    /// Public key of a trusted witness: a line or a file of lines; may be given several times.
    #[arg(long = "witness", value_name = "KEY")]
    witnesses: Vec<String>,
    /// How many of them must have cosigned; all where not given.
    #[arg(long, value_name = "N")]
    witness_count: Option<usize>,
    /// Folder of roots that time stamp authorities lead to (*.pem); a receipt without a stamp is then not yet anchored. The
    /// station's where not given.
    #[arg(long, value_name = "DIR")]
    trust: Option<PathBuf>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Whom the verifier trusts, and what is at hand.
struct Means {
    keys: Vec<VerifierKey>,
    witnesses: Vec<VerifierKey>,
    quorum: usize,
    authorities: Vec<X509>,
    known: Vec<X509>,
    stamp: bool,
    copy: Option<LogCopy>,
    newer: Vec<String>,
}

pub(super) fn run(args: &Args, station: Option<&Path>) -> Outcome<u8> {
    let means = Means::of(args, station)?;
    let mut worst = Class::Valid;
    for (receipt, document) in pairs(&args.paths)? {
        let Some(receipt) = receipt else {
            let place = Place::of(Some(document.as_path()), station)?;
            let size = place.open()?.check().map_err(|f| f.at(document.display()))?;
            if args.json {
                println!("{}", json!({"log": document, "size": size, "outcome": "sound"}));
            } else {
                let place = document.display();
                println!("{place}: {size} mục, khớp với điểm chốt đã ký / {size} leaves, as signed");
            }
            continue;
        };
        let text = fs::read(&receipt).map_err(|e| unreadable(&e, &receipt))?;
        // Text that is not UTF-8 cannot be a receipt; the replacement characters make sure that it is judged so.
        let verdict = means.judge(&String::from_utf8_lossy(&text), &document)?;
        worst = worst.max(verdict.result);
        if args.json {
            println!("{}", json!({"file": document, "receipt": receipt, "verdict": verdict}));
        } else {
            print(&document, &verdict);
        }
    }
    Ok(worst.exit_code())
}

fn print(document: &Path, verdict: &ReceiptVerdict) {
    println!("{}: {} / {}", document.display(), verdict.vi, verdict.en);
    if !verdict.remedy_vi.is_empty() {
        println!("  cần làm / to do: {} / {}", verdict.remedy_vi, verdict.remedy_en);
    }
    if let Some(time) = verdict.stamped_at {
        println!("  có trong nhật ký trước / logged before: {time}");
    }
    if let Some(newer) = verdict.superseded_by {
        println!("  được thay bằng / superseded by: sha256 {newer}");
    }
    if let Some(size) = verdict.unrevoked_at {
        println!(
            "  không bị thu hồi hay thay thế đến mục / neither revoked nor superseded up to leaf: {size}"
        );
    }
    for (name, _) in &verdict.witnesses {
        println!("  nhân chứng / witness: {name}");
    }
    for gap in &verdict.not_checked {
        println!("  chưa kiểm tra / not checked: {gap}");
    }
}

/// Receipt and document, or a log's folder alone.
fn pairs(paths: &[PathBuf]) -> Outcome<Vec<(Option<PathBuf>, PathBuf)>> {
    if let [receipt, document] = paths
        && receipt.is_file()
        && !document.is_dir()
        && (is_receipt(receipt) || receipt_beside(receipt).is_none())
    {
        return Ok(vec![(Some(receipt.clone()), document.clone())]);
    }
    let pair = |path: &PathBuf| {
        if path.is_dir() {
            return Ok((None, path.clone()));
        }
        let receipt = receipt_beside(path).ok_or_else(|| Fault::new(&NO_RECEIPT).at(path.display()))?;
        Ok((Some(receipt), path.clone()))
    };
    paths.iter().map(pair).collect()
}

fn is_receipt(path: &Path) -> bool {
    use std::io::Read as _;
    let mut head = [0; 9];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    path.extension().is_some_and(|e| e == "tlog-proof") || (read.is_ok() && head == *b"c2sp.org/")
}

impl Means {
    fn of(args: &Args, station: Option<&Path>) -> Outcome<Means> {
        // A court has no station: one is used where it is there, and an error only where it was named.
        let station = match Station::find(station) {
            Ok(station) => Some(station),
            Err(fault) if station.is_some() => return Err(fault),
            Err(_) => None,
        };
        let own = |below: &str| station.as_ref().map(|s| s.path(below)).filter(|p| p.exists());
        let keys = match own("anchors/log") {
            Some(folder) if args.keys.is_empty() => load_keys(&[folder.to_string_lossy().into_owned()])?,
            _ => load_keys(&args.keys)?,
        };
        let mut witnesses = load_keys(&args.witnesses)?;
        let named = witnesses.len();
        if let Some(station) = &station {
            for witness in &station.config.log.witnesses {
                witnesses.push(VerifierKey::parse(&witness.key).map_err(|f| f.at("log.witnesses"))?);
            }
        }
        let (authorities, stamp) = match (&args.trust, &station) {
            (Some(folder), _) => (Anchors::load(folder)?.certificates(), true),
            (None, Some(station)) if station.path("anchors/signing").is_dir() => {
                let anchors = Anchors::load(&station.path("anchors"))?.certificates();
                (anchors, station.config.timestamp.is_some())
            }
            _ => (Vec::new(), false),
        };
        let copy = match (&args.log, own("var/log/checkpoint")) {
            (Some(folder), _) => Some(LogCopy::open(folder, &keys)?),
            (None, Some(checkpoint)) => {
                checkpoint.parent().and_then(|folder| LogCopy::open(folder, &keys).ok())
            }
            _ => None,
        };
        // Tokens may have been left without the certificates that lie beside the log; they help, and are not trusted.
        let beside = args.log.clone().or_else(|| own("var/log"));
        let known = beside.map_or(Ok(Vec::new()), |folder| crate::log::store::certificates(&folder))?;
        let newer = args.newer.iter().map(|path| {
            let bytes = fs::read(path).map_err(|e| unreadable(&e, path))?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        });
        let newer = newer.collect::<Outcome<_>>()?;
        let quorum = args.witness_count.unwrap_or(named);
        Ok(Means { keys, witnesses, quorum, authorities, known, stamp, copy, newer })
    }

    fn judge(&self, receipt: &str, document: &Path) -> Outcome<ReceiptVerdict> {
        let policy = Policy {
            keys: &self.keys,
            witnesses: &self.witnesses,
            quorum: self.quorum,
            authorities: &self.authorities,
            known: &self.known,
            stamp: self.stamp,
        };
        let later = Later { log: self.copy.as_ref(), newer: &self.newer };
        Ok(judge(receipt, &digests(document)?, &policy, &later))
    }
}

/// The keys behind `--key` arguments: lines themselves, files of lines, or folders of such files.
///
/// # Errors
/// [`crate::log::UNREADABLE`], [`crate::log::note::BAD_KEY`].
pub fn load_keys(arguments: &[String]) -> Outcome<Vec<VerifierKey>> {
    let mut keys = Vec::new();
    for argument in arguments {
        let path = Path::new(argument);
        let files = if path.is_dir() {
            let mut files: Vec<PathBuf> = fs::read_dir(path)
                .map_err(|e| unreadable(&e, path))?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|p| p.is_file())
                .collect();
            files.sort();
            files
        } else if path.is_file() {
            vec![path.to_owned()]
        } else {
            keys.push(VerifierKey::parse(argument).map_err(|f| f.at("--key"))?);
            continue;
        };
        for file in files {
            let text = fs::read_to_string(&file).map_err(|e| unreadable(&e, &file))?;
            for (number, line) in (1..).zip(text.lines()) {
                if !line.trim().is_empty() && !line.starts_with('#') {
                    let place = format!("{} line {number}", file.display());
                    keys.push(VerifierKey::parse(line).map_err(|f| f.at(place))?);
                }
            }
        }
    }
    Ok(keys)
}

/// Where the receipt of a document lies: `X.pdf` has `X.tlog-proof`, or `X.pdf.tlog-proof`.
pub fn receipt_beside(document: &Path) -> Option<PathBuf> {
    let long = PathBuf::from(format!("{}.tlog-proof", document.display()));
    [document.with_extension("tlog-proof"), long].into_iter().find(|p| p.is_file())
}
