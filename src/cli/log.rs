//! `hoso log`: the transparency log on plain files and folders.

use crate::digest;
use crate::fault::{Fault, Outcome};
use crate::log::note::{Checkpoint, Note};
use crate::log::{Log, Receipt, ReceiptOutcome, Signer, StatementFacts, VerifierKey, receipt};
use crate::log::{NO_RECEIPT, UNREADABLE};
use serde_json::json;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The transparency log: an append-only record of document hashes, with receipts that anyone can check offline.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  hoso log init nhat-ky --origin h49.vn/nhat-ky\n  \
    hoso log append nhat-ky ket-qua.pdf --office H49.12.5 --type result\n  \
    hoso log check ket-qua.pdf --key nhat-ky/verifier.key")]
pub enum Command {
    /// Make an empty log and its key.
    Init {
        /// Folder of the log.
        dir: PathBuf,
        /// The log's name for ever, such as h49.vn/nhat-ky.
        #[arg(long)]
        origin: String,
    },
    /// Log documents; writes FILE.tlog-proof beside each.
    Append {
        /// Folder of the log.
        dir: PathBuf,
        /// Documents.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Identifier code of the office that issues them.
        #[arg(long)]
        office: String,
        /// Kind of document, a code.
        #[arg(long = "type", default_value = "document")]
        doc_type: String,
        /// When they were issued (RFC 3339); now where not given.
        #[arg(long)]
        issued_at: Option<String>,
        /// SHA-256 of the document that this one replaces; for a single file.
        #[arg(long)]
        supersedes: Option<digest::Sha256>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Print a fresh receipt for a document that was logged before.
    Prove {
        /// Folder of the log.
        dir: PathBuf,
        /// The document.
        file: PathBuf,
    },
    /// Check documents against their receipts, or a log's folder against its signed head.
    Check {
        /// Documents with FILE.tlog-proof beside them, or folders of logs.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Public key of a trusted log: a line or a file of lines; may be given several times.
        #[arg(long = "key")]
        keys: Vec<String>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show a log's head or what a receipt says, without judging it.
    Show {
        /// Folder of a log, or a receipt.
        path: PathBuf,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

/// Runs one log command.
///
/// # Errors
/// Those of the log; [`UNREADABLE`] for a file that cannot be read or written.
pub fn run(command: &Command) -> Outcome<u8> {
    match command {
        Command::Init { dir, origin } => init(dir, origin),
        Command::Append { dir, files, office, doc_type, issued_at, supersedes, json } => {
            let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let facts = StatementFacts {
                media_type: String::new(),
                office: office.clone(),
                doc_type: doc_type.clone(),
                issued_at: issued_at.clone().unwrap_or(now),
                supersedes: *supersedes,
            };
            append(dir, files, &facts, *json)
        }
        Command::Prove { dir, file } => {
            let proof = open(dir)?.prove(&digests(file)?.sha256).map_err(|f| f.at(file.display()))?;
            print!("{}", proof.to_text());
            Ok(0)
        }
        Command::Check { paths, keys, json } => check(paths, &load_keys(keys)?, *json),
        Command::Show { path, json } => show(path, *json),
    }
}

/// The keys behind `--key` arguments: lines themselves, files of lines, or folders of such files.
///
/// # Errors
/// [`UNREADABLE`], [`crate::log::note::BAD_KEY`].
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

fn init(dir: &Path, origin: &str) -> Outcome<u8> {
    let signer = Signer::generate(origin)?;
    fs::create_dir_all(dir).map_err(|e| unreadable(&e, dir))?;
    let key = dir.join("key.pem");
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&key).map_err(|e| unreadable(&e, &key))?;
    file.write_all(&signer.to_pem()?).and_then(|()| file.sync_all()).map_err(|e| unreadable(&e, &key))?;
    let public = dir.join("verifier.key");
    fs::write(&public, format!("{}\n", signer.verifier())).map_err(|e| unreadable(&e, &public))?;
    println!("{}", signer.verifier());
    Log::open_with(dir, signer)?;
    Ok(0)
}

/// The log of a folder made by `init`: its name stands in `verifier.key`.
fn open(dir: &Path) -> Outcome<Log> {
    let (key, public) = (dir.join("key.pem"), dir.join("verifier.key"));
    let line = fs::read_to_string(&public).map_err(|e| unreadable(&e, &public))?;
    let verifier = VerifierKey::parse(&line).map_err(|f| f.at(public.display()))?;
    let pem = fs::read(&key).map_err(|e| unreadable(&e, &key))?;
    Log::open_with(dir, Signer::from_pem(verifier.name(), &pem)?).map_err(|f| f.at(dir.display()))
}

fn append(dir: &Path, files: &[PathBuf], facts: &StatementFacts, json: bool) -> Outcome<u8> {
    let log = open(dir)?;
    let mut statements = Vec::with_capacity(files.len());
    for file in files {
        let media_type = media_type(file).to_owned();
        let facts = StatementFacts { media_type, ..facts.clone() };
        statements.push(log.statement(&digests(file)?, &facts)?);
    }
    for (file, receipt) in files.iter().zip(log.append(&statements)?) {
        let target = file.with_extension("tlog-proof");
        let written = fs::write(target.with_extension("tlog-proof.tmp"), receipt.to_text())
            .and_then(|()| fs::rename(target.with_extension("tlog-proof.tmp"), &target));
        written.map_err(|e| unreadable(&e, &target))?;
        if json {
            let sha256 = receipt.statement.sha256;
            println!(
                "{}",
                json!({"file": file, "receipt": target, "index": receipt.index, "sha256": sha256})
            );
        } else {
            println!("{:>10}  {}", receipt.index, target.display());
        }
    }
    Ok(0)
}

fn check(paths: &[PathBuf], keys: &[VerifierKey], json: bool) -> Outcome<u8> {
    let mut good = true;
    for path in paths {
        if path.is_dir() {
            let size = open(path)?.check().map_err(|f| f.at(path.display()))?;
            if json {
                println!("{}", json!({"log": path, "size": size, "outcome": "sound"}));
            } else {
                println!(
                    "{}: {size} mục, khớp với điểm chốt đã ký / {size} leaves, as signed",
                    path.display()
                );
            }
            continue;
        }
        let proof = receipt_beside(path).ok_or_else(|| Fault::new(&NO_RECEIPT).at(path.display()))?;
        let text = fs::read(&proof).map_err(|e| unreadable(&e, &proof))?;
        let verdict = receipt::verify(&String::from_utf8_lossy(&text), &digests(path)?, keys);
        good &= verdict.outcome == ReceiptOutcome::Proven;
        if json {
            println!("{}", json!({"file": path, "receipt": proof, "verdict": verdict}));
        } else {
            println!("{}: {} / {}", path.display(), verdict.vi, verdict.en);
            println!("  chưa kiểm tra / not checked: {}", verdict.not_checked.join("; "));
        }
    }
    Ok(u8::from(!good))
}

fn show(path: &Path, json: bool) -> Outcome<u8> {
    let (note, receipt) = if path.is_dir() {
        let head = path.join("checkpoint");
        (fs::read_to_string(&head).map_err(|e| unreadable(&e, &head))?, None)
    } else {
        let text = fs::read_to_string(path).map_err(|e| unreadable(&e, path))?;
        let receipt = Receipt::parse(&text).map_err(|f| f.at(path.display()))?;
        (receipt.checkpoint.clone(), Some(receipt))
    };
    let head = Checkpoint::parse(Note::parse(&note)?.text())?;
    if json {
        let receipt = receipt.map(|r| json!({"index": r.index, "statement": r.statement}));
        println!(
            "{}",
            json!({"origin": head.origin, "size": head.size, "root": hex::encode(head.root), "receipt": receipt})
        );
        return Ok(0);
    }
    println!(
        "nhật ký / log      {}\nsố mục / leaves    {}\ngốc / root         {}",
        head.origin,
        head.size,
        hex::encode(head.root)
    );
    if let Some(receipt) = receipt {
        println!("vị trí / index     {}", receipt.index);
        println!("nội dung / says    {}", String::from_utf8_lossy(&receipt.statement.to_bytes()));
    }
    Ok(0)
}

fn digests(file: &Path) -> Outcome<digest::Digests> {
    fs::File::open(file).and_then(digest::of_reader).map_err(|e| unreadable(&e, file))
}

fn media_type(file: &Path) -> &'static str {
    match file.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("pdf") => "application/pdf",
        Some("json") => "application/json",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("png") => "image/png",
        Some("tif" | "tiff") => "image/tiff",
        _ => "application/octet-stream",
    }
}

fn unreadable(error: &std::io::Error, path: &Path) -> Fault {
    Fault::new(&UNREADABLE).detail(error.kind()).at(path.display())
}
