//! An extract of the journal: the chain of one run, one JSON object a line, whose digests anyone can compute again.
//!
//! An entry's digest is BLAKE3 over these parts, each preceded by its length (8 bytes, big-endian): `hoso journal v1`, run
//! (32 bytes), entry (4, big-endian), kind, step (4), input (32), output (32), at (8, big-endian, ms), worker, and the digest
//! of the entry before (32; zeros for the first). `input` and `output` name the record before and after by BLAKE3; of
//! `receipted` and `dead`, the parcel and its receipt.

use crate::digest::Blake3;
use crate::fault::{Class, Code, Fault, Outcome};

/// Longest extract that is read, bytes.
pub const MAX_EXTRACT: u64 = 64 << 20;

/// One entry, a line of the extract.
pub use crate::ledger::JournalEntry as Line;

/// An entry's digest, computed from the rest of it.
fn computed(line: &Line) -> Blake3 {
    let parts: [&[u8]; 9] = [
        &line.run.0,
        &line.entry.to_be_bytes(),
        line.kind.as_bytes(),
        &line.step.to_be_bytes(),
        &line.input.0,
        &line.output.0,
        &line.at.to_be_bytes(),
        line.worker.as_bytes(),
        &line.prev.0,
    ];
    Blake3::of_parts("hoso journal v1", &parts)
}

/// The extract of a chain.
pub fn write(lines: &[Line]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        out.extend(serde_json::to_vec(line).unwrap_or_default());
        out.push(b'\n');
    }
    out
}

/// Reads the chain of `run` from its first entry on.
///
/// # Errors
/// [`BROKEN`] with the first entry that does not hold.
pub fn parse(extract: &[u8], run: &Blake3) -> Outcome<Vec<Line>> {
    let broken = |at: usize, what: &str| Fault::new(&BROKEN).at(format!("entry {at}")).detail(what);
    let mut lines: Vec<Line> = Vec::new();
    let text = extract.strip_suffix(b"\n").ok_or_else(|| broken(0, "no end of line"))?;
    for (at, line) in text.split(|b| *b == b'\n').enumerate() {
        let line: Line = serde_json::from_slice(line).map_err(|_| broken(at, "not an entry"))?;
        let prev = lines.last().map_or(Blake3([0; 32]), |last| last.digest);
        let in_place = line.run == *run && usize::try_from(line.entry) == Ok(at) && line.prev == prev;
        if !in_place || computed(&line) != line.digest {
            return Err(broken(at, "it does not follow from the one before"));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Whether the chain says that this parcel was receipted with this receipt.
pub fn receipted(lines: &[Line], parcel: &[u8; 32], receipt: &Blake3) -> bool {
    lines.iter().any(|l| l.kind == "receipted" && l.input.0 == *parcel && l.output == *receipt)
}

/// The record that the chain ends with.
pub fn record(lines: &[Line]) -> Option<Blake3> {
    lines.iter().rev().find(|line| !NOT_OF_THE_RECORD.contains(&line.kind.as_str())).map(|line| line.output)
}

/// Entries of a parcel or a reading.
const NOT_OF_THE_RECORD: [&str; 8] =
    ["receipted", "dead", "let-go", "held", "released", "retried", "redriven", "cancelled"];

/// A chain that does not hold.
pub const BROKEN: Code = Code {
    id: "EVID-019",
    class: Class::Input,
    vi: "Chuỗi nhật ký trong gói bị đứt: có mục bị sửa, bỏ hoặc chèn",
    en: "the journal's chain in the bundle is broken: an entry was changed, left out or put in",
    remedy_vi: "Không dùng gói này làm căn cứ; đối chiếu với sổ của trạm",
    remedy_en: "do not rely on this bundle; compare it with the station's ledger",
};

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(count: u32) -> Vec<Line> {
        let run = Blake3::of(b"run");
        let mut lines: Vec<Line> = Vec::new();
        for entry in 0..count {
            let mut line = Line {
                run,
                entry,
                kind: if entry == 0 { "admitted" } else { "step" }.into(),
                step: entry,
                input: Blake3::of(&entry.to_be_bytes()),
                output: Blake3::of(&(entry + 1).to_be_bytes()),
                at: i64::from(entry) * 1000,
                worker: "1-2".into(),
                prev: lines.last().map_or(Blake3([0; 32]), |l| l.digest),
                digest: Blake3([0; 32]),
            };
            line.digest = computed(&line);
            lines.push(line);
        }
        lines
    }

    #[test]
    fn a_chain_comes_back_and_no_entry_can_be_left_out_moved_or_changed() {
        let lines = chain(5);
        let run = lines[0].run;
        assert_eq!(parse(&write(&lines), &run).unwrap(), lines);
        for at in 0..4 {
            let mut short = lines.clone();
            short.remove(at);
            assert_eq!(parse(&write(&short), &run).unwrap_err().code, &BROKEN);
            let mut moved = lines.clone();
            moved.swap(at, at + 1);
            assert!(parse(&write(&moved), &run).is_err());
            let mut changed = lines.clone();
            changed[at].at += 1;
            assert!(parse(&write(&changed), &run).is_err());
        }
        assert!(parse(&write(&lines), &Blake3::of(b"another")).is_err());
        assert!(parse(b"", &run).is_err());
    }
}
