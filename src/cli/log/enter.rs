//! What goes into the log, and the receipts that come out.

use super::NO_LOG;
use super::confirm::completed;
use super::place::{Place, unreadable, write_whole};
use crate::cli::target::refuse_input;
use crate::digest::{self, Digests, Sha256};
use crate::fault::{Fault, Outcome};
use crate::log::StatementFacts;
use crate::log::note::{Checkpoint, Note};
use crate::log::proof::Stamp;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use tokio::runtime::Handle;

pub(super) fn facts(
    place: &Place,
    office: Option<&str>,
    doc_type: &str,
    issued_at: Option<&str>,
    supersedes: Option<Sha256>,
) -> Outcome<StatementFacts> {
    let office = match (office, place) {
        (Some(office), _) => office.to_owned(),
        (None, Place::Station(station)) => station.config.office.clone(),
        (None, Place::Folder(..)) => return Err(Fault::new(&NO_LOG).detail("--office is needed")),
    };
    let now = || jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Ok(StatementFacts {
        media_type: String::new(),
        office,
        doc_type: doc_type.to_owned(),
        issued_at: issued_at.map_or_else(now, str::to_owned),
        supersedes,
    })
}

pub(super) fn append(
    place: &Place,
    files: &[PathBuf],
    facts: &StatementFacts,
    json: bool,
    handle: &Handle,
) -> Outcome<u8> {
    for file in files {
        // A receipt can be logged as well; its own receipt would take its name.
        refuse_input(&receipt_of(file), files)?;
    }
    let log = place.open()?;
    let mut statements = Vec::with_capacity(files.len());
    for file in files {
        let media_type = media_type(file).to_owned();
        let facts = StatementFacts { media_type, ..facts.clone() };
        statements.push(log.statement(&digests(file)?, &facts)?);
    }
    let receipts = completed(place, &log, log.append(&statements)?, handle)?;
    for (file, receipt) in files.iter().zip(receipts) {
        let target = receipt_of(file);
        write_whole(&target, receipt.to_text().as_bytes())?;
        if json {
            let (sha256, stamp) = (receipt.statement.sha256, stamp_word(&receipt.stamp));
            let line = json!({"file": file, "receipt": target, "index": receipt.index, "sha256": sha256, "stamp": stamp});
            println!("{line}");
        } else {
            println!("{:>10}  {}", receipt.index, target.display());
        }
    }
    Ok(0)
}

pub(super) fn revoke(place: &Place, files: &[PathBuf], json: bool) -> Outcome<u8> {
    let [document] = files else { return Err(Fault::new(&crate::log::NO_RECEIPT)) };
    let named = document.to_str().and_then(|text| text.parse::<Sha256>().ok());
    let sha256 = match named {
        Some(sha256) if !document.exists() => sha256,
        _ => digests(document)?.sha256,
    };
    let log = place.open()?;
    let notices = log.revoke(&sha256).map_err(|f| f.at(document.display()))?;
    for notice in &notices {
        if json {
            println!(
                "{}",
                json!({"sha256": sha256, "status": "revoked", "index": notice.index, "notice": notice.to_text()})
            );
        } else {
            print!("{}", notice.to_text());
        }
    }
    Ok(0)
}

pub(super) fn prove(place: &Place, files: &[PathBuf], cose: Option<&Path>, json: bool) -> Outcome<u8> {
    let [document] = files else { return Err(Fault::new(&crate::log::NO_RECEIPT)) };
    if let Some(target) = cose {
        refuse_input(target, files)?;
    }
    let log = place.open()?;
    let receipt = log.prove(&digests(document)?.sha256).map_err(|f| f.at(document.display()))?;
    if let Some(target) = cose {
        write_whole(target, &log.cose_receipt(&receipt)?)?;
    }
    if json {
        let head = Checkpoint::parse(Note::parse(&receipt.checkpoint)?.text())?;
        let mut line = json!({
            "file": document, "sha256": receipt.statement.sha256, "origin": head.origin, "index": receipt.index,
            "size": head.size, "stamp": stamp_word(&receipt.stamp), "receipt": receipt.to_text(),
        });
        if let (Some(target), Some(members)) = (cose, line.as_object_mut()) {
            members.insert("cose".into(), json!(target));
            // What the COSE receipt proves, which it does not carry: the entry, and what that is the SHA-256 of.
            members.insert("entry".into(), hex::encode(receipt.statement.entry()).into());
            members.insert("statement".into(), json!(String::from_utf8_lossy(&receipt.statement.to_bytes())));
        }
        println!("{line}");
    } else {
        print!("{}", receipt.to_text());
    }
    Ok(0)
}

/// Where the receipt of a document lies.
fn receipt_of(document: &Path) -> PathBuf {
    document.with_extension("tlog-proof")
}

/// What a receipt has of a time stamp, for programs.
pub(super) fn stamp_word(stamp: &Stamp) -> &'static str {
    match stamp {
        Stamp::None => "none",
        Stamp::Awaited => "awaited",
        Stamp::Token(_) => "stamped",
    }
}

pub(super) fn digests(file: &Path) -> Outcome<Digests> {
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
