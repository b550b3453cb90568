//! Tests of the reader and of the appending writer.

use super::*;

/// A one-page file with a table.
pub(crate) fn small_pdf() -> Vec<u8> {
    let mut out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut offsets = Vec::new();
    for (i, body) in [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 300 400]/Rotate -90>>",
        "<</Type/Page/Parent 2 0 R/Contents 4 0 R/CropBox[10 20 500 380]>>",
        "<</Length 5 0 R>>\nstream\n0 0 9 9 re f\nendstream",
        "12",
    ]
    .iter()
    .enumerate()
    {
        offsets.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n{body}\nendobj\n", i + 1).as_bytes());
    }
    let xref = out.len();
    out.extend_from_slice(b"xref\n0 6\n0000000000 65535 f\r\n");
    for offset in offsets {
        out.extend_from_slice(format!("{offset:010} 00000 n\r\n").as_bytes());
    }
    out.extend_from_slice(
        format!("trailer\n<</Size 6/Root 1 0 R/ID[<0a><0b>]>>\nstartxref\n{xref}\n%%EOF\n").as_bytes(),
    );
    out
}

#[test]
fn a_page_inherits_and_its_crop_box_is_cut_to_the_sheet() {
    let bytes = small_pdf();
    let document = Document::open(&bytes).unwrap();
    let page = document.page(0).unwrap();
    assert_eq!(page.media_box, Rect::new(0.0, 0.0, 300.0, 400.0));
    assert_eq!(page.crop_box, Rect::new(10.0, 20.0, 300.0, 380.0));
    assert_eq!(page.rotate, 270);
    assert_eq!(document.page(1).unwrap_err().code.id, NO_SUCH_PAGE.id);
}

#[test]
fn a_stream_with_an_indirect_length_is_read() {
    let bytes = small_pdf();
    let document = Document::open(&bytes).unwrap();
    let stream = document.get(ObjectId::new(4)).unwrap();
    assert_eq!(document.stream_data(&stream, 100).unwrap(), b"0 0 9 9 re f");
    assert_eq!(document.stream_data(&stream, 5).unwrap_err().code.id, TOO_LARGE.id);
}

#[test]
fn a_revision_leaves_the_old_bytes_alone_and_is_found_by_the_reader() {
    let bytes = small_pdf();
    let document = Document::open(&bytes).unwrap();
    let mut revision = Revision::new(&document).unwrap();
    let added = revision.add(b"(new)".to_vec());
    revision.set(ObjectId::new(5), b"11".to_vec());
    let tail = revision.finish().unwrap();
    let whole = [bytes.as_slice(), &tail.bytes].concat();
    let again = Document::open(&whole).unwrap();
    assert_eq!(again.sections().len(), 2);
    assert_eq!(again.sections()[0].kind, Kind::Table);
    assert_eq!(again.get(added).unwrap(), Value::String(b"new".to_vec()));
    assert_eq!(again.get(ObjectId::new(5)).unwrap(), Value::Int(11));
    assert!(again.get(ObjectId::new(4)).is_err(), "its Length is now one short");
    let old = again.until_section(whole.len(), again.sections()[1].offset).unwrap();
    assert_eq!(old.get(ObjectId::new(5)).unwrap(), Value::Int(12));
    let id = again.trailer().get(b"ID").unwrap().as_array().unwrap().to_vec();
    assert_eq!(id[0], Value::String(vec![10]));
    assert_ne!(id[1], Value::String(vec![11]));
}

#[test]
fn cut_files_are_refused_at_every_length() {
    let bytes = small_pdf();
    for end in 0..bytes.len() - 8 {
        let open = Document::open(&bytes[..end]);
        assert!(open.is_err(), "{end}");
    }
}

#[test]
fn one_wrong_byte_never_panics_or_hangs() {
    let bytes = small_pdf();
    for at in 0..bytes.len() {
        for with in [b'0', b'9', b'<', b' ', 0xff] {
            let mut bad = bytes.clone();
            bad[at] = with;
            if let Ok(document) = Document::open(&bad) {
                let _ = document.pages();
                for number in document.object_numbers() {
                    let _ = document.get(ObjectId::new(number));
                }
                if let Ok(mut revision) = Revision::new(&document) {
                    revision.add(b"1".to_vec());
                    let _ = revision.finish();
                }
            }
        }
    }
}

#[test]
fn a_chain_that_runs_in_a_circle_is_refused() {
    let bytes = small_pdf();
    let at = bytes.windows(7).position(|w| w == b"trailer").unwrap() + 10;
    let mut bad = bytes.clone();
    let own = Document::open(&bytes).unwrap().sections()[0].offset;
    bad.splice(at..at, format!("/Prev {own}").bytes());
    assert_eq!(Document::open(&bad).err().unwrap().code.id, XREF_LOOP.id);
}

#[test]
fn encrypted_and_hybrid_files_are_refused_with_their_own_reasons() {
    let bytes = small_pdf();
    let at = bytes.windows(7).position(|w| w == b"trailer").unwrap() + 10;
    let mut bad = bytes.clone();
    bad.splice(at..at, b"/Encrypt 9 0 R".iter().copied());
    assert_eq!(Document::open(&bad).err().unwrap().code.id, ENCRYPTED.id);

    let table = Document::open(&bytes).unwrap().sections()[0].offset;
    let extra =
        b"9 0 obj <</Type/XRef/Size 8/W[1 2 1]/Index[7 1]/Length 4>>stream\n\x02\0\x05\0\nendstream endobj\n";
    let mut bad = bytes.clone();
    bad.splice(at..at, format!("/XRefStm {table}").bytes());
    bad.splice(table..table, extra.iter().copied());
    let moved = format!("startxref\n{}\n%%EOF", table + extra.len());
    let start = bad.windows(9).rposition(|w| w == b"startxref").unwrap();
    bad.splice(start.., moved.bytes());
    let document = Document::open(&bad).unwrap();
    assert_eq!(document.sections()[0].kind, Kind::Hybrid);
    assert_eq!(document.entry(7), Some(Entry::In { stream: 5, index: 0 }));
    assert_eq!(Revision::new(&document).err().unwrap().code.id, HYBRID.id);
}

#[test]
fn a_page_tree_that_contains_itself_is_refused() {
    let bytes = small_pdf();
    let mut bad = bytes.clone();
    let at = bad.windows(9).position(|w| w == b"Kids[3 0 ").unwrap() + 5;
    bad[at] = b'2';
    assert_eq!(Document::open(&bad).unwrap().pages().unwrap_err().code.id, PAGE_TREE.id);
}

/// Real files nobody here made; other folders of PDFs can be named in the variable.
#[test]
fn real_files_are_read_object_by_object() {
    let base = std::env::var("HOSO_SHARED_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_owned());
    let Ok(folder) = std::fs::read_dir(std::path::Path::new(&base).join("scans")) else {
        eprintln!("skipped: no shared data");
        return;
    };
    for path in folder.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".pdf") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        if name == "ocr-invalid.pdf" {
            assert!(Document::open(&bytes).is_err());
            continue;
        }
        let document = Document::open(&bytes).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert!(!document.pages().unwrap().is_empty(), "{name}");
        for number in document.object_numbers() {
            let id = match document.entry(number) {
                Some(Entry::At { generation, .. }) => ObjectId { number, generation },
                _ => ObjectId::new(number),
            };
            document.get(id).unwrap_or_else(|fault| panic!("{name} {id}: {fault}"));
        }
    }
}

#[test]
fn what_is_written_again_reads_as_the_same_values() {
    let text = b"<</M[0 0 595.2755906 842.0 -.5]/S(a\\n\\377)/N/A#20b/R 3 0 R/B true/Z null>>";
    let value = Parser::new(text, 0).value().unwrap();
    assert_eq!(Parser::new(&value.to_pdf(), 0).value().unwrap(), value);
}

/// Every object of a file, and the bytes of every stream.
fn contents(document: &Document<'_>) -> Vec<(u32, String)> {
    let object = |number: u32| {
        let value = document.get(ObjectId::new(number));
        let data = match &value {
            Ok(Value::Stream(stream)) => document.stream_bytes(stream).map(|b| b.to_vec()),
            _ => Ok(Vec::new()),
        };
        (number, format!("{value:?} {data:?}"))
    };
    document.object_numbers().into_iter().map(object).collect()
}

#[test]
fn a_file_read_where_it_lies_holds_what_it_holds_in_memory() {
    // Objects longer than the part that is read first, and gaps of white space and comments across its end.
    let long: String = (0..3000).map(|n| format!("{n} 0 R ")).collect();
    let gap = " ".repeat(4100);
    let bodies = [
        format!("<</Type/Catalog/Pages 2 0 R/Long[{long}]>>"),
        "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 300 400]>>".to_owned(),
        format!("<</Type/Page/Parent 2 {gap} 0 {gap} R/Contents{gap}4 0 R>>"),
        format!("<</Length 5000>>{gap}%{gap}\nstream\n{}\nendstream", "x".repeat(5000)),
        format!("7 {gap} % 0 R\n"),
        format!("({})", "y".repeat(40_000)),
    ];
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut offsets = Vec::new();
    for (i, body) in bodies.iter().enumerate() {
        offsets.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n{body}\nendobj\n", i + 1).as_bytes());
    }
    let xref = out.len();
    out.extend_from_slice(b"xref\n0 7\n0000000000 65535 f\r\n");
    offsets.iter().for_each(|o| out.extend_from_slice(format!("{o:010} 00000 n\r\n").as_bytes()));
    out.extend_from_slice(format!("trailer\n<</Size 7/Root 1 0 R>>\nstartxref\n{xref}\n%%EOF\n").as_bytes());
    for bytes in [small_pdf(), out] {
        let mut lying = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut lying, &bytes).unwrap();
        let file = Original::file(lying).unwrap();
        let (there, here) = (Document::open_original(&file).unwrap(), Document::open(&bytes).unwrap());
        assert_eq!(contents(&there), contents(&here));
        assert!(contents(&here).iter().all(|(_, c)| !c.contains("Err(")), "{:?}", contents(&here));
        let tail = |document: &Document<'_>| {
            let mut revision = Revision::new(document).unwrap();
            revision.add(b"(new)".to_vec());
            revision.finish().unwrap().bytes
        };
        assert_eq!(tail(&there), tail(&here));
        for end in (0..bytes.len()).step_by(if bytes.len() > 2000 { 997 } else { 1 }) {
            let mut cut = tempfile::tempfile().unwrap();
            std::io::Write::write_all(&mut cut, &bytes[..end]).unwrap();
            let cut = Original::file(cut).unwrap();
            let there = Document::open_original(&cut).map(|d| contents(&d)).map_err(|f| f.code.id);
            assert_eq!(there, Document::open(&bytes[..end]).map(|d| contents(&d)).map_err(|f| f.code.id));
        }
    }
}
