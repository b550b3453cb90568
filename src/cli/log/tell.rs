//! What a log and its receipts say of themselves, and whether a whole log hangs together.

use super::load_keys;
use super::place::{Place, unreadable, write_whole};
use crate::fault::Outcome;
use crate::log::audit;
use crate::log::copy::LogCopy;
use crate::log::note::{Checkpoint, Note};
use crate::log::proof::{Proof, Stamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::fs;
use std::path::Path;

pub(super) fn checkpoint(place: &Place, as_json: bool) -> Outcome<u8> {
    // A copy has no private key to open it with; reading needs none.
    let copy = LogCopy::open(&place.folder(), &place.keys()?)?;
    let folder = place.folder();
    let head = copy.head();
    let kept = crate::log::store::note_of(&folder, head.size)?;
    let same = |note: &String| Note::parse(note).is_ok_and(|n| n.text() == head.text());
    let note = kept.filter(same).unwrap_or_else(|| copy.note().to_owned());
    let token = crate::log::store::token_of(&folder, head.size)?;
    if as_json {
        let (size, root) = (head.size, hex::encode(head.root));
        let stamped = token.map(|t| STANDARD.encode(t));
        println!(
            "{}",
            json!({"origin": head.origin, "size": size, "root": root, "note": note, "token": stamped})
        );
    } else {
        print!("{note}");
    }
    Ok(0)
}

pub(super) fn consistency(place: &Place, from: u64, to: Option<u64>, as_json: bool) -> Outcome<u8> {
    let log = place.open()?;
    let to = to.unwrap_or_else(|| log.size());
    let proof: Vec<String> =
        log.prove_growth_between(from, to)?.iter().map(|hash| STANDARD.encode(hash)).collect();
    if as_json {
        println!("{}", json!({"origin": log.verifier().name(), "from": from, "to": to, "proof": proof}));
    } else {
        proof.iter().for_each(|line| println!("{line}"));
    }
    Ok(0)
}

pub(super) fn verify(place: &Place, keys: &[String], as_json: bool) -> Outcome<u8> {
    let keys = if keys.is_empty() { place.keys()? } else { load_keys(keys)? };
    let folder = place.folder();
    let audit = audit::audit(&folder, &keys).map_err(|f| f.at(folder.display()))?;
    if as_json {
        println!("{}", json!({"log": folder, "result": "valid", "audit": audit}));
        return Ok(0);
    }
    let audit::Audit { origin, size, root, heads, stamps, private, not_checked } = audit;
    println!("{}: nhật ký toàn vẹn / the log is sound", folder.display());
    println!("  nhật ký / log                  {origin}\n  số mục / leaves                {size}");
    println!("  gốc / root                     {root}");
    println!("  điểm chốt cũ / earlier heads   {heads}\n  dấu thời gian / time stamps    {stamps}");
    if let Some(without) = private {
        println!("  mục thiếu nội dung / leaves without their statement   {without}");
    }
    not_checked.iter().for_each(|gap| println!("  chưa kiểm tra / not checked: {gap}"));
    Ok(0)
}

pub(super) fn show(path: &Path, extract: Option<&Path>, as_json: bool) -> Outcome<u8> {
    let (note, proof) = if path.is_dir() {
        let head = path.join("checkpoint");
        (fs::read_to_string(&head).map_err(|e| unreadable(&e, &head))?, None)
    } else {
        let text = fs::read_to_string(path).map_err(|e| unreadable(&e, path))?;
        let proof = Proof::parse(&text).map_err(|f| f.at(path.display()))?;
        (proof.checkpoint.clone(), Some(proof))
    };
    let parsed = Note::parse(&note)?;
    let head = Checkpoint::parse(parsed.text())?;
    if let Some(folder) = extract {
        fs::create_dir_all(folder).map_err(|e| unreadable(&e, folder))?;
        write_whole(&folder.join("checkpoint.txt"), parsed.text().as_bytes())?;
        if let Some(Proof { stamp: Stamp::Token(token), .. }) = &proof {
            write_whole(&folder.join("token.tst"), token)?;
        }
    }
    let logged = proof.as_ref().map(|p| String::from_utf8_lossy(&p.logged).into_owned());
    let stamp = proof.as_ref().map_or("none", |p| super::enter::stamp_word(&p.stamp));
    if as_json {
        let statement = logged.and_then(|l| serde_json::from_str::<serde_json::Value>(&l).ok());
        let receipt = proof.map(|p| json!({"index": p.index, "statement": statement, "stamp": stamp}));
        println!(
            "{}",
            json!({"origin": head.origin, "size": head.size, "root": hex::encode(head.root), "receipt": receipt})
        );
        return Ok(0);
    }
    let root = hex::encode(head.root);
    println!(
        "nhật ký / log      {}\nsố mục / leaves    {}\ngốc / root         {root}",
        head.origin, head.size
    );
    if let (Some(proof), Some(logged)) = (proof, logged) {
        println!("vị trí / index     {}\ndấu giờ / stamp    {stamp}", proof.index);
        println!("nội dung / says    {logged}");
    }
    Ok(0)
}
