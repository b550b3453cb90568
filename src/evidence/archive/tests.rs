use super::header::{ZIP64_LOCATOR, u32_at};
use super::*;
use std::io::Cursor;
use std::process::Command;

const ENTRIES: [(&str, &[u8]); 4] =
    [("01-a/x.pdf", b"%PDF-1.7 one"), ("01-a/y.json", b"{}"), ("README.txt", b""), ("claims/k.pem", b"key")];

fn written(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, bytes) in entries {
        writer.add(name, bytes).unwrap();
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> Outcome<Vec<(String, Vec<u8>)>> {
    let mut archive = Archive::open(Cursor::new(bytes))?;
    let entries = archive.entries().to_vec();
    entries.iter().map(|e| Ok((e.name.clone(), archive.read(e, MAX_ENTRY)?))).collect()
}

fn refusal(bytes: &[u8]) -> &'static str {
    read(bytes).map(|_| "").unwrap_or_else(|fault| fault.code.id)
}

/// Where the directory begins and the end lies.
fn places(bytes: &[u8]) -> (usize, usize) {
    let end = bytes.len() - 22;
    (u32_at(bytes, end + 16) as usize, end)
}

/// Writes a value of two or four bytes.
fn put(bytes: &[u8], at: usize, value: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out[at..at + value.len()].copy_from_slice(value);
    out
}

#[test]
fn what_is_written_comes_back_and_is_the_same_every_time() {
    let bytes = written(&ENTRIES);
    assert_eq!(bytes, written(&ENTRIES));
    let back = read(&bytes).unwrap();
    assert!(back.iter().map(|(n, b)| (n.as_str(), b.as_slice())).eq(ENTRIES));
    assert_eq!(read(&written(&[])).unwrap(), []);
}

#[test]
fn no_flipped_bit_no_cut_and_no_added_byte_is_taken() {
    let bytes = written(&ENTRIES);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(read(&flipped).is_err(), "byte {at} bit {bit}");
        }
        assert!(read(&bytes[..at]).is_err(), "cut at {at}");
        let mut longer = bytes.clone();
        longer.insert(at, 0);
        assert!(read(&longer).is_err(), "a byte more at {at}");
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused_when_written_and_when_read() {
    for bad in [
        &b"/etc/passwd1"[..],
        b"../../passwd",
        b"a/../../b.tx",
        b"a\\..\\..\\b.t",
        b"C:\\aaaa\\b.tx",
        b"a//aaaaa.txt",
        b"./aaaaaa.txt",
        b"a/.hidden.tx",
        b"aaaaaaa\0.txt",
        b"aaaaaa\x1b[2J.",
        "thư.txt\u{301}a".as_bytes(),
        b"aaaaaaaaaaa/",
        b"a/b/c/d/e.tx",
    ] {
        let bytes = written(&[(&"a".repeat(bad.len()), b"x")]);
        let (directory, _) = places(&bytes);
        let mutant = put(&put(&bytes, 30, bad), directory + 46, bad);
        assert_eq!(refusal(&mutant), BAD_NAME.id, "{}", bad.escape_ascii());
        if let Ok(text) = std::str::from_utf8(bad) {
            assert_eq!(Writer::new(Vec::new()).add(text, b"").unwrap_err().code, &BAD_NAME);
        }
    }
}

#[test]
fn every_trick_of_the_trade_is_refused_by_its_name() {
    let bytes = written(&[("a.txt", b"first entry"), ("b.txt", b"other entry"), ("c.txt", b"third")]);
    let (directory, end) = places(&bytes);
    let second = directory + 46 + 5;
    let local = u32_at(&bytes, second + 42) as usize;
    let both = |at: usize, value: &[u8]| put(&put(&bytes, second + at + 2, value), local + at, value);
    // The same field lies two bytes further on in the directory.
    assert_eq!(refusal(&both(6, &[1, 0])), ENCRYPTED.id);
    assert_eq!(refusal(&both(6, &[0x40, 0])), ENCRYPTED.id);
    assert_eq!(refusal(&both(6, &[8, 0])), HEADER.id, "a data descriptor");
    for method in [8u16, 9, 12, 14, 93, 95, 99] {
        assert_eq!(refusal(&both(8, &method.to_le_bytes())), COMPRESSED.id, "{method}");
    }
    assert_eq!(refusal(&both(10, &[1, 0])), HEADER.id, "a time");
    assert_eq!(refusal(&both(18, &[1, 0, 0, 0])), COMPRESSED.id, "a ratio");
    assert_eq!(refusal(&both(22, &[0xfe, 0xff, 0xff, 0x7f])), COMPRESSED.id, "a bomb's ratio");
    let huge = [0, 0, 0, 0xf0, 0, 0, 0, 0xf0];
    assert_eq!(refusal(&both(18, &huge)), TOO_LARGE.id);
    assert_eq!(refusal(&both(18, &[0xff; 8])), ZIP64.id);
    let larger = [12, 0, 0, 0, 12, 0, 0, 0];
    assert_eq!(refusal(&both(18, &larger)), OVERLAP.id, "longer than there is room for");
    let shorter = [10, 0, 0, 0, 10, 0, 0, 0];
    assert_eq!(refusal(&both(18, &shorter)), GAP.id);
    assert_eq!(refusal(&put(&bytes, second + 38, &(0o120_777u32 << 16).to_le_bytes())), SYMLINK.id);
    assert_eq!(refusal(&put(&bytes, second + 38, &(0o040_755u32 << 16).to_le_bytes())), HEADER.id);
    assert_eq!(refusal(&put(&bytes, second + 42, &[0; 4])), OVERLAP.id, "two names for one entry");
    assert_eq!(refusal(&put(&put(&bytes, second + 46, b"a.txt"), local + 30, b"a.txt")), DUPLICATE.id);
    assert_eq!(refusal(&put(&put(&bytes, second + 46, b"A.TXT"), local + 30, b"A.TXT")), DUPLICATE.id);
    assert_eq!(refusal(&put(&bytes, local + 30, b"z.txt")), HEADER.id, "another name in the local header");
    assert_eq!(refusal(&put(&bytes, local + 14, &[0; 4])), HEADER.id, "another sum in the local header");
    assert_eq!(refusal(&put(&bytes, local + 40, b"X")), CHECKSUM.id);
    assert_eq!(refusal(&put(&bytes, end + 8, &[2, 0, 2, 0])), HEADER.id, "an entry that is not counted");
    assert_eq!(refusal(&put(&bytes, end + 8, &[4, 0, 4, 0])), HEADER.id, "more counted than there are");
    assert_eq!(refusal(&put(&bytes, end + 8, &[0xff; 4])), ZIP64.id);
    assert_eq!(refusal(&put(&bytes, end + 8, &[0, 0x20, 0, 0x20])), TOO_LARGE.id, "too many");
    assert_eq!(refusal(&put(&bytes, end + 12, &[0xff, 0xff, 0xff, 0x0f])), TOO_LARGE.id);
    assert_eq!(refusal(&put(&bytes, end + 4, &[1, 0])), HEADER.id, "several disks");
}

#[test]
fn what_lies_between_before_and_behind_is_refused() {
    let bytes = written(&ENTRIES);
    let (directory, end) = places(&bytes);
    let moved = |bytes: Vec<u8>, by: u32| {
        let at = bytes.len() - 22 + 16;
        let offset = u32_at(&bytes, at) + by;
        put(&bytes, at, &offset.to_le_bytes())
    };
    // Between the last entry and the directory.
    let gap = [&bytes[..directory], b"hidden", &bytes[directory..]].concat();
    assert_eq!(refusal(&moved(gap, 6)), GAP.id);
    // Before the first: a program that makes itself a zip.
    let before = [b"MZ program", bytes.as_slice()].concat();
    assert!([GAP.id, HEADER.id].contains(&refusal(&before)));
    assert!([GAP.id, HEADER.id].contains(&refusal(&moved(before, 10))));
    // Behind the end, and in a comment.
    assert_eq!(refusal(&[bytes.as_slice(), b"x"].concat()), TRAILING.id);
    assert_eq!(refusal(&put(&[bytes.as_slice(), b"abc"].concat(), end + 20, &[3, 0])), TRAILING.id);
    // Two directories, of which different programs see different ones.
    let twice = [&bytes[..end], &bytes[directory..]].concat();
    assert_eq!(refusal(&twice), TWO_DIRECTORIES.id);
    let grown = u32::try_from(end - directory).unwrap();
    assert_eq!(refusal(&moved(twice, grown)), TWO_DIRECTORIES.id);
    let two_ends = [bytes.as_slice(), &bytes[end..]].concat();
    assert_eq!(refusal(&two_ends), TWO_DIRECTORIES.id);
    let whole_twice = [bytes.as_slice(), bytes.as_slice()].concat();
    assert_ne!(refusal(&whole_twice), "");
    // A locator of zip64 before the end.
    let locator = [ZIP64_LOCATOR.as_slice(), &[0; 16]].concat();
    assert_eq!(refusal(&[&bytes[..end], &locator, &bytes[end..]].concat()), ZIP64.id);
}

#[test]
fn a_zip_in_the_zip_is_refused() {
    let inner = written(&ENTRIES);
    assert_eq!(refusal(&written(&[("inner.pdf", &inner)])), NESTED.id);
    assert_eq!(refusal(&written(&[("inner.zip", b"PK\x05\x06")])), NESTED.id);
}

#[test]
fn what_is_no_zip_at_all_is_told_apart() {
    for bad in [&b""[..], b"PK\x03\x04", b"%PDF-1.7", &[0; 70_000]] {
        assert_eq!(refusal(bad), NOT_AN_ARCHIVE.id);
    }
    let bytes = written(&ENTRIES);
    assert_eq!(refusal(&bytes[..bytes.len() - 22]), NOT_AN_ARCHIVE.id);
}

#[test]
fn random_mutants_neither_panic_nor_pass() {
    let bytes = written(&ENTRIES);
    let mut state = 7u64;
    let mut next = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    for _ in 0..20_000 {
        let mut mutant = bytes.clone();
        for _ in 0..=next(6) {
            let at = next(mutant.len());
            mutant[at] = [0, 1, 0xff, 0x50, 0x4b][next(5)];
        }
        if mutant != bytes {
            assert!(read(&mutant).is_err());
        }
    }
}

#[test]
fn other_programs_open_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("b.zip");
    std::fs::write(&path, written(&ENTRIES)).unwrap();
    let script = "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                  assert [i.filename for i in z.infolist()]==['01-a/x.pdf','01-a/y.json','README.txt','claims/k.pem']\n\
                  assert z.read('01-a/x.pdf')==b'%PDF-1.7 one'";
    for (program, args) in [
        ("unzip", &["-t"][..]),
        ("zipinfo", &["-v"]),
        ("bsdtar", &["-tf"]),
        ("7z", &["t"]),
        ("python3", &["-c", script]),
    ] {
        match Command::new(program).args(args).arg(&path).output() {
            Ok(out) => assert!(out.status.success(), "{program}: {out:?}"),
            Err(e) => eprintln!("skipped: {program}: {e}"),
        }
    }
}
