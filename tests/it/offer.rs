//! `hoso offer` at the counter: a dossier's sealed results are found by its code, and refused by name where there is nothing to
//! offer; the citizen's sheet pleases those who judge files and is read by those who read codes.

use crate::playground::{HOSO, files, samples};
use crate::sheet_judges::{others_read, scanned, the_file_is_sound, tool};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SEAL: &str = "name = \"seal-only\"\nlane = \"delivery\"\nbatch = \"file\"\n\n[[step]]\nseal = { profile = \"result_agency\", key = \"agency\", timestamp = @STAMP@ }\n";
const URL: &str = "https://mot-cua.example.vn/h/mau";

/// A training station whose results are sealed and go nowhere.
struct Counter {
    folder: tempfile::TempDir,
}

impl Counter {
    fn new() -> Counter {
        let counter = Counter { folder: tempfile::tempdir().unwrap() };
        let made = Command::new(HOSO).arg("init").arg(counter.station()).arg("--training").output().unwrap();
        assert!(made.status.success(), "{made:?}");
        counter
    }

    fn station(&self) -> PathBuf {
        self.folder.path().join("station")
    }

    fn hoso(&self, args: &[&str]) -> Output {
        let mut command = Command::new(HOSO);
        command.args(args).arg("--station").arg(self.station()).current_dir(self.folder.path());
        command.output().unwrap()
    }

    /// Hands in sample results under these codes and seals them.
    fn seal(&self, results: &[(&str, &str)], stamp: bool) -> Option<i32> {
        let input = self.folder.path().join(format!("in-{}", results[0].1));
        fs::create_dir_all(&input).unwrap();
        for (sample, code) in results {
            let slip = fs::read_to_string(samples().join(format!("results/{sample}.toml"))).unwrap();
            let own = slip.lines().find(|line| line.starts_with("code = ")).unwrap();
            fs::write(input.join(format!("{sample}.toml")), slip.replace(own, &format!("code = \"{code}\"")))
                .unwrap();
            fs::copy(samples().join(format!("results/{sample}.pdf")), input.join(format!("{sample}.pdf")))
                .unwrap();
        }
        let pipeline = self.folder.path().join("seal-only.toml");
        fs::write(&pipeline, SEAL.replace("@STAMP@", &stamp.to_string())).unwrap();
        let paths = [&pipeline, &input].map(|path| path.to_str().unwrap().to_owned());
        let ran = self.hoso(&["run", &paths[0], &paths[1], "--patience", "2"]);
        eprintln!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        ran.status.code()
    }

    fn offer(&self, more: &[&str]) -> Vec<Value> {
        let output = self.hoso(&[&["offer", "--public-url", URL, "--json"], more].concat());
        assert!(output.status.success(), "{more:?}: {}", String::from_utf8_lossy(&output.stderr));
        lines(&output)
    }

    /// The code that an offer is refused with; nothing may be printed then.
    fn refused(&self, more: &[&str]) -> String {
        let output = self.hoso(&[&["offer", "--public-url", URL, "--json"], more].concat());
        assert_eq!(output.status.code(), Some(3), "{more:?}");
        assert!(output.stdout.is_empty());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let at = said.find("HTTP-").unwrap_or_else(|| panic!("{said}"));
        said[at..at + 8].to_owned()
    }
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_dossiers_sealed_results_are_offered_each_once_and_what_cannot_be_is_refused_by_name() {
    let counter = Counter::new();
    let (one, two) = ("H40.17.5-261121-0006", "H40.17.5-261121-0007");
    // Nothing was ever handed in, nor is asking what makes a ledger.
    assert_eq!(counter.refused(&[one]), "HTTP-070");
    assert!(!counter.station().join("var/ledger.db").exists());
    assert_eq!(counter.seal(&[("result-1", one), ("result-2", two), ("result-3", two)], false), Some(0));

    let [offer] = &counter.offer(&[one])[..] else { panic!("one result, one offer") };
    assert_eq!(offer.as_object().unwrap().len(), 4);
    // It binds the sealed bytes, those that lie in out/.
    let listed = lines(&counter.hoso(&["offer", "--list", "--json"]));
    let sealed = files(&counter.station().join("out").join(one));
    let sealed =
        fs::read(sealed.iter().find(|p| p.extension().is_some_and(|e| e == "pdf")).unwrap()).unwrap();
    assert_eq!(listed[0]["sha256"], hoso::digest::Sha256::of(&sealed).to_string());

    // Two results: two offers with one PIN, or the one that is named.
    let both = counter.offer(&[two]);
    assert_eq!((both.len(), &both[0]["pin"]), (2, &both[1]["pin"]));
    assert_ne!(both[0]["offer_uri"], both[1]["offer_uri"]);
    assert_eq!(counter.offer(&[two, "--document", "2"]).len(), 1);
    assert_eq!(counter.refused(&[two, "--document", "3"]), "HTTP-073");
    assert_eq!(counter.refused(&[two, "--document", "0"]), "HTTP-073");
    for unknown in ["H40.17.5-261121-0999", "x' OR '1'='1", "..", ""] {
        assert_eq!(counter.refused(&[unknown]), "HTTP-070", "{unknown}");
    }

    // Superseded: not to be had again; the successor is.
    let uri = |offer: &Value| offer["offer_uri"].as_str().unwrap().to_owned();
    let ended = counter.hoso(&["supersede", &uri(offer), &uri(&both[0])]);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(counter.refused(&[one]), "HTTP-072");
    assert_eq!(counter.offer(&[two]).len(), 2);
}

#[test]
fn a_result_that_waits_for_its_time_stamp_is_not_offered_yet() {
    let counter = Counter::new();
    let code = "H40.17.5-261121-0008";
    // Nobody stamps here.
    assert_ne!(counter.seal(&[("result-1", code)], true), Some(0));
    assert_eq!(counter.refused(&[code]), "HTTP-071");
}

#[test]
fn the_citizens_sheet_is_an_archive_file_whose_code_is_read_from_paper_and_which_does_not_tell_the_pin() {
    let counter = Counter::new();
    let code = "H40.17.5-261121-0006";
    assert_eq!(counter.seal(&[("result-1", code), ("result-2", code)], false), Some(0));
    let slip = counter.folder.path().join("phieu.pdf");
    for (more, pages, shown) in [
        (vec!["--document", "1"], 1, false),
        (vec!["--document", "1", "--paper", "a4", "--pin-on-slip"], 1, true),
        (vec![], 2, false),
    ] {
        let path = slip.to_str().unwrap();
        let offers = counter.offer(&[&[code, "--pin", "739146", "--slip", path], &more[..]].concat());
        the_file_is_sound(&slip, pages);
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&slip).unwrap().permissions().mode() & 0o077, 0);
        if let Some(words) = words(&slip) {
            assert!(words.contains("PHIẾU NHẬN KẾT QUẢ ĐIỆN TỬ") && words.contains(code), "{words}");
            assert!(words.contains("Dùng trước") && words.contains("ngày") && words.contains("tháng"));
            assert_eq!(words.contains("739 146"), shown, "{words}");
            assert!(!words.contains("739146"));
        }
        let Some(scans) = scanned(&slip) else { continue };
        let link = offers[0]["offer_uri"].as_str().unwrap();
        for scan in &scans {
            let read = others_read(scan);
            assert_eq!(read, [("QRCode".to_owned(), link.to_owned())].into(), "{}", scan.display());
        }
    }
    // Where the sheet cannot be written nobody holds the link: the offer is withdrawn.
    let nowhere = counter.folder.path().join("nowhere/phieu.pdf");
    let failed = counter.hoso(&[
        "offer",
        code,
        "--document",
        "1",
        "--public-url",
        URL,
        "--slip",
        nowhere.to_str().unwrap(),
    ]);
    assert!(!failed.status.success() && failed.stdout.is_empty());
    assert_eq!(lines(&counter.hoso(&["offer", "--list", "--json"]))[0]["state"], json!("revoked"));
}

fn words(pdf: &Path) -> Option<String> {
    let Some(pdftotext) = tool("pdftotext") else {
        eprintln!("skipped: no pdftotext");
        return None;
    };
    let out = Command::new(pdftotext).arg("-layout").arg(pdf).arg("-").output().unwrap();
    Some(String::from_utf8_lossy(&out.stdout).into_owned())
}
