//! In: a path that an operator gave. Out: batches whose originals are stored and durable, each with its record.
//! What can go wrong: a folder or file that cannot be read (it is named and the rest goes on), a slip or manifest
//! with a mistake, a full disk (nothing is acknowledged then).

mod manifest;
mod walk;

use crate::blobs::Blobs;
use crate::digest::Blake3;
use crate::dossier::{Dates, DeskSlip, Dossier, FileRecord, ReadingRecord, ResultSlip};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::pipeline::Batch;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

pub use walk::Found;

/// The largest file that is taken, bytes (scan profile: 512 MiB).
pub const MAX_FILE: u64 = 512 * 1024 * 1024;
/// The largest slip, bytes.
const MAX_SLIP: u64 = 1024 * 1024;
/// The most files in one folder batch.
pub const MAX_FILES: usize = 5_000;

/// A batch whose bytes are safe, ready for the ledger.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// Its identity: a digest over its bytes and the pipeline's name.
    pub id: Blake3,
    /// The record it starts with.
    pub dossier: Dossier,
}

/// Finds the batches under a path, in the order of their names, without reading their pages.
///
/// # Errors
/// `ADMT-001` where the path cannot be read, `ADMT-002` for a manifest with mistakes. Places inside that cannot be
/// read come back as faults in the list, each in its own place.
pub fn find(input: &Path, batch: Batch) -> Outcome<Vec<Outcome<Found>>> {
    walk::find(input, batch)
}

/// Stores a batch's bytes and makes its first record. After `Ok` every byte of it survives a power cut; its chip readings
/// lie apart from the rest, and somebody else may let go of them until the ledger says that this batch names them.
///
/// # Errors
/// `ADMT-001` to `ADMT-004`, `BLOB-001` to `BLOB-004`: nothing is acknowledged.
pub fn store(
    found: &Found,
    pipeline: &str,
    blobs: &Blobs,
    readings: &Blobs,
    now_ms: i64,
) -> Outcome<Admitted> {
    let mut dossier = Dossier { batch: found.source.clone(), received_at: now_ms, ..Dossier::default() };
    let mut identity: Vec<Vec<u8>> = vec![pipeline.as_bytes().to_vec()];
    for path in &found.files {
        let name = below(path, &found.root);
        let file = open(path, &name)?;
        let digests = blobs.put_reader(file, MAX_FILE).map_err(|f| f.at(&name))?;
        identity.push(digests.blake3.0.to_vec());
        dossier.files.push(FileRecord { name, digests, fault: None, signed: false, kept: None });
    }
    for path in &found.readings {
        let name = below(path, &found.root);
        let file = open(path, &name)?;
        let digests = readings
            .put_reader(file, crate::chip::reading::LARGEST_READING as u64)
            .map_err(|f| f.at(&name))?;
        identity.push(digests.blake3.0.to_vec());
        dossier.readings.push(ReadingRecord { name, digests, evidence: None });
    }
    for (code, path) in &found.desk_slips {
        let (slip, bytes) = slip::<DeskSlip>(path, found)?;
        identity.push(bytes);
        dates(slip.received.as_deref(), slip.due.as_deref(), found)?;
        match code {
            None => drop(dossier.apply(slip)),
            Some(code) if slip.code.as_ref().is_some_and(|inside| inside != code) => {
                return Err(Fault::new(&BAD_SLIP)
                    .at(below(path, &found.root))
                    .detail("`code` is not the file's name"));
            }
            Some(code) => drop(dossier.slips.insert(code.clone(), slip)),
        }
    }
    if let Some(path) = &found.result_slip {
        let (slip, bytes) = slip::<ResultSlip>(path, found)?;
        identity.push(bytes);
        dossier.code = Some(slip.code.clone());
        dossier.title = Some(slip.title.clone());
        dossier.procedure = Some(slip.procedure.clone());
        dossier.dates = dates(slip.received.as_deref(), slip.due.as_deref(), found)?;
        dossier.slip = Some(slip);
    }
    if let Some(code) = &dossier.code {
        code.parse::<crate::codes::DossierCode>().map_err(|_| Fault::new(&BAD_CODE).at(&found.source))?;
    }
    if let Some(line) = &found.line {
        // An archive's file code (TT 01/2019 Art 16) is no dossier code; it only has to be fit for a folder's name.
        if line.code.as_ref().is_some_and(|c| !crate::dossier::is_plain_code(c)) {
            return Err(Fault::new(&BAD_CODE).at(&found.source));
        }
        dossier.code = line.code.clone();
        dossier.title = line.title.clone();
        dossier.expected_pages = line.pages;
        // Part of what was handed in: a number that is mended must not meet the refusal of the wrong one.
        identity.push(line.pages.map(|pages| format!("pages {pages}").into_bytes()).unwrap_or_default());
    }
    let parts: Vec<&[u8]> = identity.iter().map(Vec::as_slice).collect();
    Ok(Admitted { id: Blake3::of_parts("hoso run v1", &parts), dossier })
}

fn dates(received: Option<&str>, due: Option<&str>, found: &Found) -> Outcome<Dates> {
    Dates::parse(received, due)
        .ok_or_else(|| Fault::new(&BAD_SLIP).at(&found.source).detail("`received` or `due` is no moment"))
}

fn slip<T: DeserializeOwned>(path: &Path, found: &Found) -> Outcome<(T, Vec<u8>)> {
    let name = below(path, &found.root);
    let mut bytes = Vec::new();
    let read = open(path, &name)?.take(MAX_SLIP + 1).read_to_end(&mut bytes);
    read.map_err(|e| Fault::new(&UNREADABLE).at(&name).detail(e.kind()))?;
    if bytes.len() as u64 > MAX_SLIP {
        return Err(Fault::new(&BAD_SLIP).at(&name).detail(format!("more than {MAX_SLIP} bytes")));
    }
    let text =
        String::from_utf8(bytes).map_err(|_| Fault::new(&BAD_SLIP).at(&name).detail("not UTF-8 text"))?;
    let slip = toml::from_str(&text).map_err(|e| {
        let before = e.span().and_then(|s| text.get(..s.start)).unwrap_or("");
        // The message may quote a value, and the values are a citizen's: only the line is told.
        Fault::new(&BAD_SLIP).at(format!("{name}, line {}", before.matches('\n').count() + 1))
    })?;
    Ok((slip, text.into_bytes()))
}

/// Whether a file is a chip reading, by its name: `*.reading.json`, or any JSON, since that is never a page, and somebody
/// may have called a reading so.
pub fn is_reading(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}

/// Whether a path is none of an operator's papers: hidden, a scanner's file in the making, what a file manager leaves
/// behind, or the receipt that `hoso log append` lays beside a document.
pub fn is_passed_over(path: &Path) -> bool {
    path.file_name().is_some_and(|n| {
        let name = n.to_string_lossy();
        let litter = ["thumbs.db", "desktop.ini"];
        name.starts_with('.')
            || name.ends_with(".part")
            || name.ends_with(".tmp")
            || name.ends_with(".tlog-proof")
            || litter.iter().any(|l| name.eq_ignore_ascii_case(l))
    })
}

/// A path as the operator would name it, below the input.
fn below(path: &Path, root: &Path) -> String {
    let relative: PathBuf = path.strip_prefix(root).map_or_else(|_| path.to_owned(), Path::to_owned);
    shown(&relative.to_string_lossy())
}

/// A name as it may stand on a screen and in a table: a line break or an escape sequence in it stays without effect.
fn shown(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Opens a plain file. A pipe would let the whole batch wait for a writer that never comes.
fn open(path: &Path, name: &str) -> Outcome<File> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).at(name).detail(e.kind());
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(Fault::new(&UNREADABLE).at(name).detail("not a plain file"));
    }
    File::open(path).map_err(unreadable)
}

/// A path cannot be read.
pub const UNREADABLE: Code = Code {
    id: "ADMT-001",
    class: Class::Input,
    vi: "Không đọc được thư mục hoặc tệp",
    en: "the folder or file cannot be read",
    remedy_vi: "Kiểm tra đường dẫn, quyền đọc và thiết bị lưu trữ",
    remedy_en: "check the path, the right to read and the medium",
};
/// A manifest with a mistake.
pub const BAD_MANIFEST: Code = Code {
    id: "ADMT-002",
    class: Class::Input,
    vi: "Bảng kê manifest.csv có lỗi",
    en: "there is a mistake in manifest.csv",
    remedy_vi: "Sửa dòng được nêu; các cột là file,pages,code,title",
    remedy_en: "mend the line that is named; the columns are file,pages,code,title",
};
/// A slip with a mistake.
pub const BAD_SLIP: Code = Code {
    id: "ADMT-003",
    class: Class::Input,
    vi: "Phiếu thông tin (.toml) có lỗi",
    en: "there is a mistake in the slip (.toml)",
    remedy_vi: "Sửa dòng được nêu; xem mẫu trong test-data/",
    remedy_en: "mend the line that is named; see the examples in test-data/",
};
/// A dossier code that is none.
pub const BAD_CODE: Code = Code {
    id: "ADMT-004",
    class: Class::Input,
    vi: "Mã hồ sơ không đúng dạng",
    en: "the dossier code has not the form of one",
    remedy_vi: "Sửa mã, ví dụ H40.17.5-261121-0001",
    remedy_en: "mend the code; one looks like H40.17.5-261121-0001",
};
/// A file that the manifest lists is not there.
pub const NOT_THERE: Code = Code {
    id: "ADMT-005",
    class: Class::Input,
    vi: "Tệp có trong bảng kê nhưng không có trong hộp",
    en: "the manifest lists a file that is not in the box",
    remedy_vi: "Tìm và quét lại giấy tờ đó, hoặc sửa bảng kê",
    remedy_en: "find and scan that paper, or mend the manifest",
};
/// A folder with more files than a batch may have.
pub const TOO_MANY: Code = Code {
    id: "ADMT-006",
    class: Class::Input,
    vi: "Thư mục có quá nhiều tệp cho một lô",
    en: "the folder has more files than one batch may have",
    remedy_vi: "Chia thành nhiều thư mục",
    remedy_en: "divide it into several folders",
};
/// Nothing to admit.
pub const EMPTY: Code = Code {
    id: "ADMT-007",
    class: Class::Input,
    vi: "Không có tệp nào để tiếp nhận",
    en: "there is nothing to admit",
    remedy_vi: "Kiểm tra đường dẫn đầu vào",
    remedy_en: "check the input path",
};
/// A folder that is not looked into.
pub const TOO_DEEP: Code = Code {
    id: "ADMT-008",
    class: Class::Input,
    vi: "Thư mục lồng quá sâu nên không được tiếp nhận",
    en: "the folder lies too deep and is not taken",
    remedy_vi: "Đưa thư mục này vào trực tiếp: mỗi lô là một thư mục",
    remedy_en: "hand this folder in by itself: a batch is one folder",
};
/// A link to a folder.
pub const LINKED: Code = Code {
    id: "ADMT-009",
    class: Class::Input,
    vi: "Không đi theo liên kết tới thư mục khác",
    en: "a link to another folder is not followed",
    remedy_vi: "Đưa thư mục thật vào, hoặc bỏ liên kết",
    remedy_en: "hand in the folder that it leads to, or take the link away",
};
/// Every code of this room.
pub const CODES: &[&Code] =
    &[&UNREADABLE, &BAD_MANIFEST, &BAD_SLIP, &BAD_CODE, &NOT_THERE, &TOO_MANY, &EMPTY, &TOO_DEEP, &LINKED];

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }

    fn admit(dir: &Path, batch: Batch) -> Vec<Outcome<Admitted>> {
        let store_dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(store_dir.path()).unwrap();
        find(dir, batch).unwrap().into_iter().map(|f| store(&f?, "p", &blobs, &blobs, 0)).collect()
    }

    #[test]
    fn a_folder_of_folders_is_a_batch_each_in_the_order_of_names() {
        let dir =
            folder(&[("b/2.jpg", b"2"), ("b/10.jpg", b"10"), ("a/1.tif", b"1"), ("a/x.reading.json", b"{}")]);
        let admitted = admit(dir.path(), Batch::Folder);
        let records: Vec<Dossier> = admitted.into_iter().map(|a| a.unwrap().dossier).collect();
        assert_eq!(records[0].batch, "a");
        assert_eq!(records[0].readings[0].name, "a/x.reading.json");
        assert_eq!(
            records[1].files.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(),
            ["b/2.jpg", "b/10.jpg"]
        );
    }

    #[test]
    fn a_reading_is_never_taken_for_a_page_whatever_it_is_called() {
        let dir = folder(&[("a/1.tif", b"1"), ("a/CARD.JSON", b"{}"), ("a/b.Reading.Json", b"{ }")]);
        let dossier = admit(dir.path(), Batch::Folder).remove(0).unwrap().dossier;
        assert_eq!((dossier.files.len(), dossier.readings.len()), (1, 2));
        for found in admit(&dir.path().join("a"), Batch::File) {
            assert!(found.map_or(true, |a| a.dossier.files[0].name == "1.tif"));
        }
        let alone = admit(&dir.path().join("a/CARD.JSON"), Batch::Folder).remove(0);
        assert_eq!(alone.unwrap_err().code, &EMPTY);
    }

    #[test]
    fn a_listed_file_that_is_missing_is_named_and_the_rest_goes_on() {
        let dir =
            folder(&[("manifest.csv", b"file,pages,code,title\na.jpg,1,,\nb.jpg,2,,x\n"), ("a.jpg", b"a")]);
        let admitted = admit(dir.path(), Batch::File);
        assert_eq!(admitted.len(), 2);
        assert_eq!(admitted[0].as_ref().unwrap().dossier.expected_pages, Some(1));
        assert_eq!(admitted[1].as_ref().unwrap_err().code, &NOT_THERE);
    }

    #[test]
    fn equal_bytes_have_one_identity_and_other_pipelines_another() {
        let dir = folder(&[("a.jpg", b"same"), ("b.jpg", b"same")]);
        let admitted = admit(dir.path(), Batch::File);
        let ids: Vec<Blake3> = admitted.into_iter().map(|a| a.unwrap().id).collect();
        assert_eq!(ids[0], ids[1]);
    }

    #[test]
    fn a_slip_with_a_mistake_tells_its_line_and_no_value() {
        let dir = folder(&[
            ("1.jpg", b"x"),
            ("dossier.toml", b"procedure = \"1.001193\"\nnumber = \"001090123456\"\n"),
        ]);
        let fault = admit(dir.path(), Batch::Folder).remove(0).unwrap_err();
        assert_eq!(fault.code, &BAD_SLIP);
        let said = fault.to_string();
        assert!(said.contains("dossier.toml, line 2") && !said.contains("001090123456"), "{said}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_one_clear_fault() {
        let fault = find(Path::new("not-here"), Batch::Folder).unwrap_err();
        assert_eq!(fault.code, &UNREADABLE);
        assert!(fault.to_string().contains("not-here"));
    }

    #[test]
    fn a_name_with_control_characters_cannot_draw_on_the_screen() {
        assert_eq!(shown("a\u{1b}[31m\nb.jpg"), "a\u{fffd}[31m\u{fffd}b.jpg");
    }

    #[test]
    fn a_folder_too_deep_or_behind_a_link_is_named_not_lost_and_not_followed() {
        let dir = folder(&[
            ("a/1.jpg", b"1"),
            ("a/deep/2.jpg", b"2"),
            ("1.tlog-proof", b"x"),
            ("Thumbs.db", b"x"),
            ("a/desktop.ini", b"x"),
        ]);
        std::os::unix::fs::symlink("..", dir.path().join("a/loop")).unwrap();
        let by_folder = admit(dir.path(), Batch::Folder);
        assert_eq!(by_folder[0].as_ref().unwrap().dossier.files.len(), 1);
        assert!(by_folder[1..].iter().all(|f| f.as_ref().unwrap_err().code == &TOO_DEEP));
        assert_eq!(by_folder.len(), 3);
        let by_file = admit(dir.path(), Batch::File);
        assert_eq!(by_file.iter().filter(|f| f.is_ok()).count(), 2);
        assert_eq!(by_file.len(), 3);
    }
}
