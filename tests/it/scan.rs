//! `hoso scan` as a desk runs it: one line a page in the order of the files, whatever lies between them.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HOSO: &str = env!("CARGO_BIN_EXE_hoso");
const BATCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/test-data/intake/batch-4");

#[test]
fn a_sheet_that_the_feeder_took_twice_is_named_with_its_first_place_and_stays() {
    let desk = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = [("1.jpg", 1), ("2.jpg", 2), ("3.jpg", 1), ("4.jpg", 3)]
        .map(|(name, page)| {
            let to = desk.path().join(name);
            fs::copy(Path::new(BATCH).join(format!("p0{page}.jpg")), &to).unwrap();
            to
        })
        .into();
    for jobs in ["1", "2"] {
        let (lines, code) = scan(jobs, &files);
        assert_eq!((lines.len(), code), (4, Some(0)));
        let again: Vec<_> = lines.iter().map(|line| flag(line, "page.repeated")).collect();
        assert!([0, 1, 3].iter().all(|at| again[*at].is_none()), "{again:?}");
        let said = again[2].expect("the third is the first again");
        assert_eq!(said["value"], 1.0);
        let name = format!("{}:1", files[0].display());
        assert!(said["vi"].as_str().unwrap().contains(&name) && said["en"].as_str().unwrap().contains(&name));
    }
}

#[test]
fn what_cannot_be_read_is_a_line_among_the_others_and_the_rest_goes_on() {
    let desk = tempfile::tempdir().unwrap();
    let page = fs::read(Path::new(BATCH).join("p01.jpg")).unwrap();
    let good = |name: &str| {
        let to = desk.path().join(name);
        fs::write(&to, &page).unwrap();
        to
    };
    let bad = |name: &str, bytes: &[u8]| {
        let to = desk.path().join(name);
        fs::write(&to, bytes).unwrap();
        to
    };
    let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\0";
    let files = [
        good("a.jpg"),
        bad("b.jpg", &page[..page.len() / 2]),
        bad("c.heic", heic),
        bad("d.pdf", b""),
        desk.path().join("e-is-not-there.jpg"),
        good("f.jpg"),
    ];
    let (lines, code) = scan("2", &files);
    assert_eq!(code, Some(1));
    let codes: Vec<_> = lines.iter().map(|line| line["error"]["code"].as_str().unwrap_or("judged")).collect();
    assert_eq!(codes, ["judged", "SCAN-021", "SCAN-003", "SCAN-001", "SCAN-048", "judged"]);
    for line in lines.iter().filter(|line| line["error"].is_object()) {
        let error = &line["error"];
        assert!(
            !error["vi"].as_str().unwrap().is_empty() && !error["en"].as_str().unwrap().is_empty(),
            "{line}"
        );
    }
}

fn scan(jobs: &str, files: &[PathBuf]) -> (Vec<Value>, Option<i32>) {
    let output = Command::new(HOSO).args(["scan", "--json", "--jobs", jobs]).args(files).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code())
}

fn flag<'a>(line: &'a Value, code: &str) -> Option<&'a Value> {
    line["flags"].as_array().unwrap().iter().find(|flag| flag["code"] == code)
}

#[test]
fn the_table_says_which_codes_there_are_and_not_what_they_say_and_no_name_of_a_file_steers_the_screen() {
    let desk = tempfile::tempdir().unwrap();
    for name in ["1.jpg", "\u{1b}[2J2.jpg"] {
        fs::copy(Path::new(BATCH).join("p01.jpg"), desk.path().join(name)).unwrap();
    }
    let output = Command::new(HOSO).arg("scan").arg(desk.path()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !said.contains('\u{1b}'), "{said:?}");
    let (lines, _) = scan("1", &[desk.path().join("1.jpg")]);
    for code in lines[0]["barcodes"].as_array().unwrap() {
        let [format, role, text] = ["format", "role", "text"].map(|key| code[key].as_str().unwrap());
        assert_eq!(said.matches(&format!("[{format} {role}]")).count(), 2, "{said}");
        assert!(!said.contains(text), "{said}");
    }
    assert!(!lines[0]["barcodes"].as_array().unwrap().is_empty());
}

#[test]
fn a_separator_sheet_that_is_laid_in_again_and_again_is_no_page_taken_twice() {
    let desk = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = [("1.jpg", 1), ("2.jpg", 2), ("3.jpg", 1)]
        .map(|(name, page)| {
            let to = desk.path().join(name);
            fs::copy(Path::new(BATCH).join(format!("../batch-1/scan_000{page}.jpg")), &to).unwrap();
            to
        })
        .into();
    let (lines, _) = scan("1", &files);
    let roles: Vec<_> = lines[2]["barcodes"].as_array().unwrap().iter().map(|code| &code["role"]).collect();
    assert!(roles.iter().any(|role| *role == "separator"), "{roles:?}");
    assert!(lines.iter().all(|line| flag(line, "page.repeated").is_none()), "{lines:?}");
}

#[test]
fn what_a_folder_holds_besides_pages_is_counted_and_a_folder_without_any_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (boxed, elsewhere) = (dir.path().join("box"), dir.path().join("elsewhere"));
    fs::create_dir(&boxed).unwrap();
    fs::create_dir(&elsewhere).unwrap();
    fs::write(boxed.join("notes.txt"), "no page").unwrap();
    std::os::unix::fs::symlink(&elsewhere, boxed.join("linked")).unwrap();
    let output = Command::new(HOSO).args(["scan", "--json"]).arg(&boxed).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("2 files of other kinds passed over"), "{said}");
    assert!(said.contains("no pages in the folder"), "{said}");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
}
