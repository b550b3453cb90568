//! The sheets that `hoso sheet` prints, before programs that nobody here wrote: qpdf, MuPDF and pikepdf's PDF/A validator
//! judge the file, zxing-cpp and our own `hoso scan` read what MuPDF made of it at 200 dpi, upright, upside down,
//! tilted, blurred, as a poor JPEG.
//!
//! Judges are looked for in `$HOSO_VENV/bin`, then on the path; where one is absent its part is skipped and says so.

use crate::playground::HOSO;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CODE: &str = "H40.17.5-261121-0001";

#[test]
fn printed_sheets_please_every_judge_and_are_read_by_others_and_by_us() {
    let dir = tempfile::tempdir().unwrap();
    for (name, words, bars, qr, pages) in [
        ("sep", "separator", "HOSO-SEP", "HOSO-SHEET/1/SEP", 1),
        ("sep-12", "separator --pages 12 --count 3", "HOSO-SEP-12", "HOSO-SHEET/1/SEP/N:12", 3),
        (
            "cover",
            &format!("cover --dossier {CODE} --procedure 1.004873 --pages 30"),
            "HOSO-COV-30-H40.17.5-261121-0001",
            "HOSO-SHEET/1/COVER/D:H40.17.5-261121-0001/P:1.004873/N:30",
            1,
        ),
        (
            "long",
            "cover --dossier 000.00.01.H22-250914-000042 --procedure 3.000181.000.00.00.H22 --pages 9999",
            "HOSO-COV-9999-000.00.01.H22-250914-000042",
            "HOSO-SHEET/1/COVER/D:000.00.01.H22-250914-000042/P:3.000181.000.00.00.H22/N:9999",
            1,
        ),
    ] {
        let pdf = dir.path().join(format!("{name}.pdf"));
        let printed = print(words, &pdf);
        assert!(printed.status.success(), "{}", text(&printed));
        let said: Value = serde_json::from_slice(&printed.stdout).unwrap();
        assert_eq!((said["pages"].as_u64(), said["qr"].as_str()), (Some(pages), Some(qr)));
        the_file_is_sound(&pdf, pages);
        let expected: BTreeSet<(String, String)> =
            [("Code128", bars), ("QRCode", qr)].map(|(format, text)| (format.into(), text.into())).into();
        let Some(scans) = scanned(&pdf) else { continue };
        for scan in &scans {
            assert_eq!(others_read(scan), expected, "zxing-cpp, {}", scan.display());
            assert_eq!(we_read(scan), expected, "hoso scan, {}", scan.display());
        }
    }
}

#[test]
fn an_answer_that_nobody_can_take_is_told_when_the_work_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let pdf = dir.path().join("sep.pdf");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let printed =
        Command::new(HOSO).args(["sheet", "separator", "-o"]).arg(&pdf).stdout(full).output().unwrap();
    assert_eq!(printed.status.code(), Some(5), "{}", text(&printed));
    assert!(text(&printed).contains("SCAN-049") && pdf.is_file(), "{}", text(&printed));
}

#[test]
fn the_same_sheet_at_the_same_time_is_the_same_file_and_nonsense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = ["1.pdf", "2.pdf"].map(|name| dir.path().join(name));
    let words = format!("cover --dossier {CODE} --pages 4 --created 2026-11-21T08:00:00+07:00");
    assert!(print(&words, &one).status.success() && print(&words, &two).status.success());
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
    let bad = dir.path().join("bad.pdf");
    for (words, exit) in [
        ("separator --pages 0", 2),
        ("separator --pages 10000", 2),
        ("separator --count 0", 2),
        ("cover", 2),
        ("cover --dossier none", 3),
        (&format!("cover --dossier {CODE} --procedure none"), 3),
    ] {
        assert_eq!(print(words, &bad).status.code(), Some(exit), "{words}");
        assert!(!bad.exists());
    }
}

fn print(words: &str, to: &Path) -> Output {
    let mut command = Command::new(HOSO);
    command.arg("sheet").args(words.split(' ')).arg("--json").arg("-o").arg(to).output().unwrap()
}

pub(crate) fn the_file_is_sound(pdf: &Path, pages: u64) {
    match tool("qpdf") {
        Some(qpdf) => {
            let out = Command::new(&qpdf).arg("--check").arg(pdf).output().unwrap();
            assert!(out.status.success() && !text(&out).contains("WARNING"), "{}", text(&out));
            let out = Command::new(qpdf).arg("--show-npages").arg(pdf).output().unwrap();
            assert_eq!(text(&out).trim(), pages.to_string());
        }
        None => eprintln!("skipped: no qpdf"),
    }
    match python("pikepdf.pdfa") {
        Some(python) => {
            let out = Command::new(python).args(["-c", PDFA]).arg(pdf).output().unwrap();
            assert!(out.status.success(), "{}", text(&out));
        }
        None => eprintln!("skipped: no python with pikepdf.pdfa"),
    }
}

/// What a scanner could make of the first page at 200 dpi; each file is named after what was done to it.
pub(crate) fn scanned(pdf: &Path) -> Option<Vec<PathBuf>> {
    let (Some(mutool), Some(python)) = (tool("mutool"), python("zxingcpp, PIL")) else {
        eprintln!("skipped: no mutool, or no python with zxing-cpp and pillow");
        return None;
    };
    let png = pdf.with_extension("png");
    let out = Command::new(mutool)
        .args(["draw", "-q", "-r", "200", "-c", "gray", "-o"])
        .arg(&png)
        .arg(pdf)
        .arg("1")
        .output()
        .unwrap();
    // Debian builds it without colour management, which it says whatever the file is.
    let said = text(&out).replace("warning: ICC support is not available", "");
    assert!(out.status.success() && said.trim().is_empty(), "mutool: {said}");
    let out = Command::new(python).args(["-c", SPOIL]).arg(&png).output().unwrap();
    assert!(out.status.success(), "{}", text(&out));
    let scans: Vec<PathBuf> = String::from_utf8(out.stdout).unwrap().lines().map(PathBuf::from).collect();
    assert!(scans.len() >= 6);
    Some(scans)
}

pub(crate) fn others_read(scan: &Path) -> BTreeSet<(String, String)> {
    let out = Command::new(python("zxingcpp, PIL").unwrap()).args(["-c", READ]).arg(scan).output().unwrap();
    assert!(out.status.success(), "{}", text(&out));
    serde_json::from_slice(&out.stdout).unwrap()
}

fn we_read(scan: &Path) -> BTreeSet<(String, String)> {
    let out = Command::new(HOSO).arg("scan").arg(scan).arg("--json").output().unwrap();
    let line: Value = serde_json::from_slice(&out.stdout).unwrap_or_else(|_| panic!("{}", text(&out)));
    let word = |code: &Value, key: &str| code[key].as_str().unwrap().to_owned();
    let codes = line["barcodes"].as_array().unwrap().iter();
    codes.map(|code| (word(code, "format"), word(code, "text"))).collect()
}

fn python(modules: &str) -> Option<PathBuf> {
    let runs = |python: &PathBuf| {
        Command::new(python)
            .args(["-c", &format!("import {modules}")])
            .output()
            .is_ok_and(|out| out.status.success())
    };
    ["python", "python3"].into_iter().filter_map(tool).find(runs)
}

pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let venv = std::env::var_os("HOSO_VENV").map(|v| PathBuf::from(v).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    venv.into_iter().chain(std::env::split_paths(&path)).map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

const PDFA: &str = "
import sys
from pikepdf import pdfa
verdict = pdfa.validate_written(sys.argv[1], '2b')
print(*list(verdict.findings)[:5], sep='\\n')
sys.exit(0 if verdict.passed else 1)
";

const SPOIL: &str = "
import sys
from PIL import Image, ImageFilter
page = Image.open(sys.argv[1]).convert('L')
# Paper is not white, ink not black.
page = page.point(lambda v: 50 + v * 185 // 255)
for name, turn, blur in [('up', 0, 0.5), ('down', 180, 0.7), ('tilt', 3.1, 0.7), ('down-tilt', 176.3, 0.9),
                         ('left', 90, 0.7), ('blur', -1.2, 1.1)]:
    done = page.rotate(turn, resample=Image.BICUBIC, expand=turn == 90, fillcolor=235)
    file = sys.argv[1][:-4] + '-' + name + '.jpg'
    done.filter(ImageFilter.GaussianBlur(blur)).save(file, quality=60, dpi=(200, 200))
    print(file)
";

const READ: &str = "
import json, sys, zxingcpp
from PIL import Image
names = {'code128': 'Code128', 'qrcode': 'QRCode'}
def name(code):
    plain = str(code.format).split('.')[-1].replace(' ', '').lower()
    return names.get(plain, plain)
print(json.dumps([(name(c), c.text) for c in zxingcpp.read_barcodes(Image.open(sys.argv[1]))]))
";
