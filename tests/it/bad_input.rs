//! Bad input through the real program: every bad thing gets one clear reason with place and remedy in both
//! languages, its neighbours end as done, nothing is lost and nothing half-made is visible.

use hoso::pdf::revise::{Document, Revision};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

const HOSO: &str = env!("CARGO_BIN_EXE_hoso");
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/test-data");

#[test]
fn a_truncated_jpeg_is_refused_with_its_reason() {
    BOX.refuses("cut.jpg", "SCAN-021");
}

#[test]
fn a_pdf_of_header_and_eof_is_refused_with_its_reason() {
    BOX.refuses("header-and-eof.pdf", "PDF-004");
}

#[test]
fn a_zip_named_pdf_is_refused_with_its_reason() {
    BOX.refuses("zip.pdf", "SCAN-002");
}

#[test]
fn an_empty_file_is_refused_with_its_reason() {
    BOX.refuses("empty.jpg", "SCAN-001");
}

#[test]
fn a_page_of_35_000_by_35_000_is_refused_before_its_pixels_are_taken() {
    BOX.refuses("huge.jpg", "SCAN-013");
}

#[test]
fn an_encrypted_pdf_is_refused_with_its_reason() {
    BOX.refuses("encrypted.pdf", "PDF-003");
}

#[test]
fn a_tiff_whose_pages_run_in_a_circle_is_refused_with_its_reason() {
    BOX.refuses("circle.tif", "SCAN-031");
}

#[test]
fn a_pipe_among_the_files_is_refused_and_nobody_waits_for_its_writer() {
    BOX.refuses("pipe.jpg", "ADMT-001");
}

#[test]
fn a_link_that_runs_in_a_circle_is_named_and_not_followed() {
    BOX.refuses("below/circle", "ADMT-009");
}

#[test]
fn a_page_without_dpi_is_taken_and_flagged_with_what_to_do() {
    let row = BOX.row("no-dpi.png");
    assert_eq!(row["state"], "done", "{row}");
    let flags: Vec<&Value> =
        row["flags"].as_array().unwrap().iter().flat_map(|p| p["flags"].as_array().unwrap()).collect();
    let flag = flags.iter().find(|f| f["code"] == "page.dpi_assumed").unwrap();
    assert!(flag["vi"].as_str().unwrap().contains("bật ghi DPI"), "{flag}");
    assert!(flag["en"].as_str().unwrap().contains("let the scanner write it"), "{flag}");
}

#[test]
fn the_neighbours_of_bad_files_are_done_and_the_totals_add_up() {
    for good in ["h01_001.jpg", "h01_006.png", "no-dpi.png", "below/h01_002.jpg"] {
        assert_eq!(BOX.row(good)["state"], "done", "{good}");
    }
    let odd = "tên \u{fffd}[31m\u{fffd}xuống dòng.jpg";
    assert_eq!(BOX.row(odd)["state"], "done", "a name cannot draw on the screen");
    BOX.totals_add_up(5, 9, 0);
    assert_eq!(BOX.code, 1);
    assert!(!BOX.printed.contains('\u{1b}'));
}

#[test]
fn out_shows_whole_documents_of_the_good_files_and_nothing_else() {
    assert_eq!(BOX.out.iter().filter(|f| f.ends_with(".pdf")).count(), 5, "{:?}", BOX.out);
    assert_eq!(BOX.out.iter().filter(|f| f.ends_with(".tlog-proof")).count(), 5, "{:?}", BOX.out);
    assert_eq!(BOX.out.len(), 10, "{:?}", BOX.out);
    assert!(BOX.verified, "what is in out/ must verify");
    assert_eq!(BOX.staged, 0, "nothing half-stored stays");
}

#[test]
fn results_that_are_no_pdfs_are_refused_by_their_file_names() {
    let desk = Station::new();
    let input = desk.folder("results");
    let slip = fs::read_to_string(format!("{DATA}/results/result-2.toml")).unwrap();
    for (number, name, bytes) in
        [(71, "zip", &b"PK\x03\x04junk"[..]), (72, "empty", b""), (73, "stub", b"%PDF-1.7\n%%EOF\n")]
    {
        fs::write(input.join(format!("{name}.pdf")), bytes).unwrap();
        let at = slip.find("code = \"").unwrap() + 8;
        let end = at + slip[at..].find('"').unwrap();
        let slip = format!("{}H40.17.5-261121-00{number}{}", &slip[..at], &slip[end..]);
        fs::write(input.join(format!("{name}.toml")), slip).unwrap();
    }
    let ran = desk.run(&desk.delivery_pipeline(), &[&input]);
    for (name, code) in [("zip.pdf", "PDF-050"), ("empty.pdf", "PDF-050"), ("stub.pdf", "PDF-051")] {
        let row = ran.rows.iter().find(|r| r["source"] == name).unwrap();
        is_clear(&row["reason"], code, name);
    }
    assert_eq!(desk.out(), Vec::<String>::new());
}

#[test]
fn a_result_that_was_changed_after_a_signature_is_refused_and_not_sealed_on_top_of_it() {
    let desk = Station::new();
    let input = desk.folder("results");
    let (signed, result) = (desk.dir.path().join("signed.pdf"), input.join("result-2.pdf"));
    let (p12, password) = (desk.root.join("keys/officer.p12"), desk.root.join("keys/training-password.txt"));
    let key = ["--p12", p12.to_str().unwrap(), "--passfile", password.to_str().unwrap()];
    let original = format!("{DATA}/results/result-2.pdf");
    let sign = desk.hoso(&[&["sign", &original, "-o", signed.to_str().unwrap()], &key[..]].concat());
    assert_eq!(sign.code, 0, "{}", sign.printed);
    let bytes = fs::read(&signed).unwrap();
    let document = Document::open(&bytes).unwrap();
    let mut revision = Revision::new(&document).unwrap();
    let mut page = document.page(0).unwrap();
    page.dict.set(b"Contents", hoso::pdf::revise::Value::Array(Vec::new()));
    revision.set(page.id, hoso::pdf::revise::Value::Dict(page.dict).to_pdf());
    fs::write(&result, [&bytes[..], &revision.finish().unwrap().bytes].concat()).unwrap();
    fs::copy(format!("{DATA}/results/result-2.toml"), input.join("result-2.toml")).unwrap();
    let ran = desk.run(&desk.delivery_pipeline(), &[&input]);
    let row = ran.rows.iter().find(|r| r["source"] == "result-2.pdf").unwrap();
    assert_eq!(row["state"], "refused", "{row}");
    is_clear(&row["reason"], "SEAL-027", "paper 1");
    assert_eq!(desk.out(), Vec::<String>::new());
    // The command says the same, and leaves nothing at the output path.
    let twice = desk.dir.path().join("twice.pdf");
    let sign = [&["sign", result.to_str().unwrap(), "-o", twice.to_str().unwrap()], &key[..]].concat();
    let sign = desk.hoso(&sign);
    assert!(sign.code != 0 && sign.printed.contains("SEAL-027"), "{}", sign.printed);
    assert!(!twice.exists());
}

#[test]
fn an_unreadable_folder_is_named_and_the_others_are_done() {
    let desk = Station::new();
    let input = desk.folder("box");
    copy("archive/h01_006.png", &input);
    let locked = desk.folder("box/locked");
    copy("archive/h01_001.jpg", &locked);
    let root = fs::metadata("/proc/self").unwrap();
    let root = std::os::unix::fs::MetadataExt::uid(&root) == 0;
    if root {
        // Root reads everything: the program runs as somebody else.
        give_away(desk.dir.path());
        std::os::unix::fs::chown(&locked, Some(0), Some(0)).unwrap();
    }
    fs::set_permissions(&locked, fs::Permissions::from_mode(if root { 0o700 } else { 0o000 })).unwrap();
    let mut command = desk.command(&["run", "archive-backfill", input.to_str().unwrap(), "--json"]);
    if root {
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(e) => return eprintln!("skipped: another user cannot start the program here ({e})"),
    };
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
    let ran = Ran::of(&output);
    assert_eq!(ran.code, 1, "{}", ran.printed);
    let refused = ran.rows.iter().find(|r| r["state"] == "refused").unwrap();
    is_clear(&refused["reason"], "ADMT-001", "locked");
    ran.totals_add_up(1, 1, 0);
}

#[test]
fn a_full_disk_stops_with_its_reason_and_afterwards_everything_is_done() {
    let desk = Station::new();
    let disk = desk.folder("disk");
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=2560k", "tmpfs"]).arg(&disk).output();
    if !mounted.is_ok_and(|o| o.status.success()) {
        return eprintln!("skipped: a small disk cannot be mounted here (not root)");
    }
    let _unmount = Unmount(disk.clone());
    let small = Station::at(Station::new(), disk.join("tram"));
    let input = desk.folder("box");
    for name in ["h01_001.jpg", "h01_002.jpg", "h01_003.jpg", "h01_005.jpg", "h01_006.png"] {
        copy(&format!("archive/{name}"), &input);
    }
    let full = small.hoso(&["run", "archive-backfill", input.to_str().unwrap(), "--patience", "1"]);
    assert_eq!(full.code, 5, "{}", full.printed);
    assert!(["BLOB-001", "LEDG-001", "LOG-010"].iter().any(|c| full.printed.contains(c)), "{}", full.printed);
    assert!(full.printed.contains("Kiểm tra") && full.printed.contains("check the"), "{}", full.printed);
    for file in small.out() {
        assert!(!file.contains(".part"), "half-made: {file}");
    }
    assert!(Command::new("mount").args(["-o", "remount,size=64m"]).arg(&disk).status().unwrap().success());
    let again = small.run("archive-backfill", &[&input]);
    assert_eq!(again.code, 0, "{}", again.printed);
    again.totals_add_up(5, 0, 0);
    assert_eq!(small.out().len(), 10);
    assert!(small.verifies());
}

#[test]
fn a_wrong_key_password_is_told_and_mending_it_is_enough() {
    let desk = Station::new();
    let input = desk.folder("box");
    copy("archive/h01_006.png", &input);
    let config = fs::read_to_string(desk.root.join("hoso.toml")).unwrap();
    fs::write(desk.root.join("wrong.txt"), "not this one\n").unwrap();
    fs::write(
        desk.root.join("hoso.toml"),
        config.replacen("file:keys/training-password.txt", "file:wrong.txt", 1),
    )
    .unwrap();
    let ran = desk.run("archive-backfill", &[&input]);
    assert_eq!(ran.row("h01_006.png")["state"], "parked");
    is_clear(&ran.row("h01_006.png")["reason"], "SEAL-002", "keys/officer.p12");
    ran.totals_add_up(0, 0, 1);
    assert_ne!(ran.code, 0);
    assert_eq!(desk.out(), Vec::<String>::new());
    let check = desk.hoso(&["check"]);
    assert!(check.code == 4 && check.printed.contains("SEAL-002"), "{}", check.printed);
    let p12 = desk.root.join("keys/officer.p12");
    let signed = desk.root.join("signed.pdf");
    let sign = desk.hoso(&[
        "sign",
        &format!("{DATA}/results/result-1.pdf"),
        "-o",
        signed.to_str().unwrap(),
        "--p12",
        p12.to_str().unwrap(),
        "--password",
        &format!("file:{}", desk.root.join("wrong.txt").display()),
    ]);
    assert!(
        sign.code == 4 && sign.printed.contains("SEAL-002") && sign.printed.contains("officer.p12"),
        "{}",
        sign.printed
    );
    assert!(!signed.exists());
    fs::write(desk.root.join("hoso.toml"), config).unwrap();
    assert_eq!(desk.run("archive-backfill", &[&input]).code, 0, "handed in again, it is done");
}

#[test]
fn an_expired_certificate_signs_nothing_and_says_since_when() {
    let desk = Station::new();
    let input = desk.folder("box");
    copy("archive/h01_006.png", &input);
    let password = fs::read_to_string(desk.root.join("keys/training-password.txt")).unwrap();
    fs::write(desk.root.join("keys/officer.p12"), expired_p12(password.trim())).unwrap();
    let ran = desk.run("archive-backfill", &[&input]);
    let reason = &ran.row("h01_006.png")["reason"];
    is_clear(reason, "SEAL-007", "key officer");
    assert!(reason["detail"].as_str().unwrap().contains("2001-09-09"), "{reason}");
    ran.totals_add_up(0, 0, 1);
    assert_eq!(desk.out(), Vec::<String>::new());
}

#[test]
fn a_pipeline_file_with_three_mistakes_names_all_three_and_takes_nothing_in() {
    let desk = Station::new();
    let input = desk.folder("box");
    copy("archive/h01_006.png", &input);
    let path = desk.root.join("three.toml");
    fs::write(&path, "name = \"three\"\nlane = \"fast\"\nbatch = \"file\"\n\n[[step]]\npages = { dpi-min = \"high\" }\n\n[[step]]\nsael = {}\n\n[[step]]\nlog = {}\n").unwrap();
    let ran = desk.hoso(&["run", path.to_str().unwrap(), input.to_str().unwrap()]);
    assert_eq!(ran.code, 4, "{}", ran.printed);
    let said: Vec<&str> = ran.printed.lines().filter(|l| l.contains("PIPE-001")).collect();
    assert_eq!(said.len(), 3, "{}", ran.printed);
    for (line, at) in said.iter().zip([":2:", ":6:", ":9:"]) {
        assert!(line.contains(&format!("three.toml{at}")), "{line}");
        assert!(line.contains("Sửa dòng") && line.contains("mend the line"), "{line}");
    }
    assert_eq!(desk.run("archive-backfill", &[&input]).rows.len(), 2, "nothing was admitted before");
}

#[test]
fn a_portal_that_answers_500_holds_back_and_afterwards_everything_is_sent_once() {
    portal_trouble("--fail-every", "SEND-031");
}

#[test]
fn a_portal_that_answers_with_a_web_page_holds_back_and_afterwards_everything_is_sent_once() {
    portal_trouble("--html-every", "SEND-043");
}

#[test]
fn a_wallet_that_answers_200_without_a_receipt_is_not_believed() {
    let desk = Station::new();
    let pipeline = desk.delivery_pipeline();
    let _portal = desk.mock("portal", &[]);
    let wallet = desk.mock("wallet", &["--no-receipt-every", "1"]);
    let results = PathBuf::from(DATA).join("results");
    let ran = desk.run(&pipeline, &[&results]);
    assert_eq!(ran.code, 5, "{}", ran.printed);
    let waiting: Vec<&Value> = ran.rows.iter().filter(|r| r["state"] == "sending").collect();
    assert_eq!(waiting.len(), 2, "{}", ran.printed);
    for row in waiting {
        assert!(row["receipts"].as_u64() < row["parcels"].as_u64(), "{row}");
    }
    ran.totals_add_up(2, 0, 2);
    let printed = desk.hoso(&["status"]).printed;
    let line = printed.lines().find(|l| l.contains("SEND-020")).unwrap();
    assert!(
        line.contains("wallet")
            && line.contains("Chưa coi là đã giao")
            && line.contains("does not count as delivered"),
        "{line}"
    );
    assert!(!desk.out().iter().any(|f| f.contains("bien-nhan-wallet")), "{:?}", desk.out());
    drop(wallet);
    let _wallet = desk.mock("wallet", &[]);
    let again = desk.run_for("40", &pipeline, &[&results]);
    assert_eq!(again.code, 0, "{}", again.printed);
    assert_eq!(desk.effects("wallet"), 2, "what had been taken without a receipt is not taken twice");
}

#[test]
fn a_folder_with_a_bad_slip_a_bad_reading_or_two_readings_is_refused_and_the_good_one_is_done() {
    let desk = Station::new();
    let pipeline = desk.root.join("desk.toml");
    fs::write(&pipeline, "name = \"desk\"\nlane = \"desk\"\nbatch = \"folder\"\n[[step]]\npages = {}\n[[step]]\nidentity = {}\n[[step]]\nassemble = {}\n[[step]]\nseal = { profile = \"intake_scan\", key = \"officer\" }\n[[step]]\nlog = {}\n").unwrap();
    let pages = ["h01_001.jpg", "h01_002.jpg", "h01_003.jpg", "h01_005.jpg", "h01_007.jpg", "h01_009.jpg"];
    let folders = ["slip", "binary-slip", "reading", "two", "good", "deep"];
    for (folder, page) in folders.iter().zip(pages) {
        copy(&format!("archive/{page}"), &desk.folder(&format!("in/{folder}")));
    }
    let input = desk.folder("in");
    fs::write(input.join("slip/dossier.toml"), "office = \"H40.17.5\"\naplicant = \"001090123456\"\n")
        .unwrap();
    fs::write(input.join("binary-slip/dossier.toml"), [0xff, 0xfe, 0x00]).unwrap();
    fs::write(input.join("reading/card.reading.json"), "not json").unwrap();
    fs::write(input.join("two/a.reading.json"), "{}").unwrap();
    fs::write(input.join("two/b.reading.json"), "{ }").unwrap();
    desk.folder("in/no-pages");
    fs::write(input.join("no-pages/dossier.toml"), "office = \"H40.17.5\"\n").unwrap();
    copy("archive/h01_010.jpg", &desk.folder("in/deep/er"));
    fs::write(input.join("good/Thumbs.db"), "a file manager's").unwrap();
    let ran = desk.run(pipeline.to_str().unwrap(), &[&input]);
    assert_eq!(ran.code, 1, "{}", ran.printed);
    for (place, code) in [
        ("slip/dossier.toml, line 2", "ADMT-003"),
        ("binary-slip/dossier.toml", "ADMT-003"),
        ("reading/card.reading.json", "CHIP-001"),
        ("two/a.reading.json + two/b.reading.json", "STEP-042"),
        ("no-pages", "ADMT-007"),
        ("deep/er", "ADMT-008"),
    ] {
        let of_place = |r: &&Value| r["reason"]["place"].as_str().is_some_and(|p| p.starts_with(place));
        let row = ran.rows.iter().find(of_place).unwrap_or_else(|| panic!("{place}: {}", ran.printed));
        is_clear(&row["reason"], code, place);
        assert_eq!(row["state"], "refused");
    }
    assert!(!ran.printed.contains("001090123456"), "no personal data in a reason");
    ran.totals_add_up(2, 6, 0);
}

#[test]
fn a_manifest_with_a_mistake_is_named_by_path_and_line_and_once_mended_it_is_taken() {
    let desk = Station::new();
    let input = desk.folder("box");
    copy("archive/h01_006.png", &input);
    let manifest = input.join("manifest.csv");
    fs::write(&manifest, "file,pages\nh01_006.png,one\n").unwrap();
    let ran = desk.hoso(&["run", "archive-backfill", input.to_str().unwrap()]);
    assert_eq!(ran.code, 3, "{}", ran.printed);
    assert!(
        ran.printed.contains("ADMT-002") && ran.printed.contains("box/manifest.csv, line 2"),
        "{}",
        ran.printed
    );
    fs::write(&manifest, "file,pages\nh01_006.png,7\n").unwrap();
    let ran = desk.run("archive-backfill", &[&input]);
    is_clear(&ran.row("h01_006.png")["reason"], "STEP-002", "h01_006.png");
    fs::write(&manifest, "file;pages;title\nh01_006.png;1;Sổ, quyển 2\nlost.jpg;1;\n").unwrap();
    let ran = desk.run("archive-backfill", &[&input]);
    ran.totals_add_up(1, 1, 0);
    is_clear(&ran.rows.iter().find(|r| r["state"] == "refused").unwrap()["reason"], "ADMT-005", "lost.jpg");
}

#[test]
fn a_hot_folder_with_a_cut_file_and_a_pipe_ends_and_refuses_the_cut_file() {
    let desk = Station::new();
    let hot = desk.folder("hot");
    copy("archive/h01_006.png", &hot);
    fs::write(hot.join("cut.jpg"), cut_jpeg()).unwrap();
    assert!(Command::new("mkfifo").arg(hot.join("pipe.jpg")).status().unwrap().success());
    let ran = desk.hoso(&["watch", "archive-backfill", hot.to_str().unwrap(), "--once", "--settle", "0"]);
    assert!(ran.took < Duration::from_secs(120), "{:?}", ran.took);
    assert_eq!(ran.printed.matches("ADMT-001").count(), 1, "said once: {}", ran.printed);
    let status = desk.hoso(&["status"]).printed;
    assert!(status.contains("SCAN-021") && status.contains("xong / done"), "{status}");
    assert!(
        hot.join(".taken/cut.jpg").exists() && hot.join(".refused/pipe.jpg").exists(),
        "kept, never deleted"
    );
    assert_eq!(ran.code, 1, "{}", ran.printed);
}

#[test]
fn a_second_init_a_missing_station_and_a_bad_office_change_nothing() {
    let desk = Station::new();
    let before = fs::read(desk.root.join("keys/officer.p12")).unwrap();
    let again = desk.hoso(&["init", desk.root.to_str().unwrap(), "--training"]);
    assert!(again.code == 4 && again.printed.contains("INIT-020"), "{}", again.printed);
    assert_eq!(fs::read(desk.root.join("keys/officer.p12")).unwrap(), before);
    let nowhere = desk.dir.path().join("nowhere");
    let ran = desk.hoso(&["--station", nowhere.to_str().unwrap(), "status"]);
    assert!(
        ran.code == 4 && ran.printed.contains("STAT-001") && ran.printed.contains("hoso init"),
        "{}",
        ran.printed
    );
    let ran = desk.hoso(&["init", nowhere.to_str().unwrap(), "--office", "not an office"]);
    assert!(ran.code != 0 && ran.printed.contains("--office"), "{}", ran.printed);
    assert!(!nowhere.exists(), "nothing half-made");
}

fn portal_trouble(flag: &str, code: &str) {
    let desk = Station::new();
    let pipeline = desk.delivery_pipeline();
    let portal = desk.mock("portal", &[flag, "1"]);
    let _wallet = desk.mock("wallet", &[]);
    let results = PathBuf::from(DATA).join("results");
    let ran = desk.run(&pipeline, &[&results]);
    assert_eq!(ran.code, 5, "{}", ran.printed);
    ran.totals_add_up(0, 0, 4);
    let printed = desk.hoso(&["status"]).printed;
    let lines: Vec<&str> = printed.lines().filter(|l| l.contains(code)).collect();
    assert!(!lines.is_empty(), "{printed}");
    assert!(lines.iter().all(|l| l.contains("portal") && l.contains(" / ")), "{printed}");
    assert!(!desk.out().iter().any(|f| f.contains("bien-nhan-portal")), "{:?}", desk.out());
    drop(portal);
    let _portal = desk.mock("portal", &[]);
    let again = desk.run_for("40", &pipeline, &[&results]);
    assert_eq!(again.code, 0, "{}", again.printed);
    again.totals_add_up(4, 0, 0);
    assert_eq!(desk.effects("portal"), 8, "a record and its progress each, none twice");
    assert_eq!(desk.effects("wallet"), 2, "the wallet's were not sent again");
}

/// A reason is clear: a stable code, both languages, a remedy in both, and the place.
#[track_caller]
fn is_clear(reason: &Value, code: &str, place: &str) {
    assert_eq!(reason["code"], code, "{reason}");
    let text = |key: &str| reason[key].as_str().unwrap_or_default().to_owned();
    for key in ["vi", "en", "remedy_vi", "remedy_en"] {
        assert!(text(key).len() > 5, "{key}: {reason}");
    }
    assert!(!text("vi").is_ascii() && text("en") != text("vi"), "{reason}");
    assert!(text("place").contains(place), "{place}: {reason}");
}

/// The box of every bad file, handed in once.
static BOX: LazyLock<Ran> = LazyLock::new(|| {
    let desk = Station::new();
    let input = desk.folder("box");
    let put = |name: &str, bytes: &[u8]| fs::write(input.join(name), bytes).unwrap();
    copy("archive/h01_001.jpg", &input);
    copy("archive/h01_006.png", &input);
    copy("archive/h01_002.jpg", &desk.folder("box/below"));
    put("tên \u{1b}[31m\nxuống dòng.jpg", &fs::read(format!("{DATA}/archive/h01_003.jpg")).unwrap());
    put("cut.jpg", &cut_jpeg());
    put("header-and-eof.pdf", b"%PDF-1.7\n%%EOF\n");
    put("zip.pdf", b"PK\x03\x04\x14\0\0\0\0\0a zip archive under another name");
    put("empty.jpg", b"");
    put("huge.jpg", &huge_jpeg());
    put("no-dpi.png", &png_without_dpi());
    put("encrypted.pdf", &encrypted_pdf());
    put("circle.tif", &circle_tiff());
    assert!(Command::new("mkfifo").arg(input.join("pipe.jpg")).status().unwrap().success());
    symlink("..", input.join("below/circle")).unwrap();
    let mut ran = desk.run("archive-backfill", &[&input]);
    // Handed in again, nothing is done twice, and the same is said to people.
    let plain = desk.hoso(&["run", "archive-backfill", input.to_str().unwrap()]);
    assert_eq!(plain.code, 1, "{}", plain.printed);
    ran.printed = plain.printed;
    ran.out = desk.out();
    ran.verified = desk.verifies();
    ran.staged = fs::read_dir(desk.root.join("var/blobs/staging")).unwrap().count();
    ran
});

/// What a command came to.
struct Ran {
    code: i32,
    rows: Vec<Value>,
    printed: String,
    took: Duration,
    out: Vec<String>,
    verified: bool,
    staged: usize,
}

impl Ran {
    fn of(output: &std::process::Output) -> Self {
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let code = output.status.code().unwrap_or_else(|| panic!("killed: {stdout}{stderr}"));
        assert!(!stderr.contains("panicked"), "{stderr}");
        let rows = stdout.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
        let (out, took) = (Vec::new(), Duration::ZERO);
        Ran { code, rows, printed: format!("{stdout}{stderr}"), took, out, verified: false, staged: 0 }
    }

    #[track_caller]
    fn row(&self, name: &str) -> &Value {
        let named = |r: &&Value| {
            r["dossier"] == name
                || r["source"] == name
                || r["reason"]["place"].as_str().is_some_and(|p| p == name)
        };
        self.rows.iter().find(named).unwrap_or_else(|| panic!("no row for {name}: {:#?}", self.rows))
    }

    #[track_caller]
    fn refuses(&self, name: &str, code: &str) {
        let row = self.row(name);
        assert_eq!(row["state"], "refused", "{row}");
        is_clear(&row["reason"], code, name);
        let reason = &row["reason"];
        let line = self.printed.lines().find(|l| l.contains(code) && l.contains(name));
        let line = line.unwrap_or_else(|| panic!("{code} {name} is not printed:\n{}", self.printed));
        for key in ["vi", "en", "remedy_vi", "remedy_en"] {
            assert!(line.contains(reason[key].as_str().unwrap()), "{key}: {line}");
        }
    }

    #[track_caller]
    fn totals_add_up(&self, done: u64, refused: u64, waiting: u64) {
        let totals = &self.rows.last().unwrap()["totals"];
        let count = |key: &str| totals[key].as_u64().unwrap_or_else(|| panic!("{key}: {}", self.printed));
        assert_eq!(
            (count("done"), count("refused"), count("waiting")),
            (done, refused, waiting),
            "{}",
            self.printed
        );
        assert_eq!(count("in"), done + refused + waiting + count("duplicates"));
    }
}

/// A training station in a folder of its own.
struct Station {
    dir: tempfile::TempDir,
    root: PathBuf,
}

impl Station {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("station");
        Station { dir, root }.made()
    }

    /// The same, its station elsewhere.
    fn at(station: Station, root: PathBuf) -> Self {
        Station { root, ..station }.made()
    }

    fn made(self) -> Self {
        let init = self.hoso(&["init", self.root.to_str().unwrap(), "--training"]);
        assert_eq!(init.code, 0, "{}", init.printed);
        let path = self.root.join("hoso.toml");
        let config = fs::read_to_string(&path)
            .unwrap()
            // Long enough that one command tries once, and no breaker opens.
            .replace("base_ms = 100", "base_ms = 2000");
        fs::write(path, config).unwrap();
        self
    }

    fn folder(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(HOSO);
        command.args(args).env("HOSO_STATION", &self.root).current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command; one that takes longer than two minutes hangs.
    fn hoso(&self, args: &[&str]) -> Ran {
        let started = Instant::now();
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let id = child.id();
        let (done, waits) = std::sync::mpsc::channel::<()>();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let watchdog = std::thread::spawn(move || {
            if waits.recv_timeout(Duration::from_secs(120)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
            }
        });
        let read = |mut pipe: Box<dyn std::io::Read + Send>| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                pipe.read_to_end(&mut bytes).unwrap();
                bytes
            })
        };
        let (stdout, stderr) = (read(Box::new(stdout)), read(Box::new(stderr)));
        let status = child.wait().unwrap();
        drop(done);
        watchdog.join().unwrap();
        let output =
            std::process::Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() };
        Ran { took: started.elapsed(), ..Ran::of(&output) }
    }

    fn run(&self, pipeline: &str, inputs: &[&Path]) -> Ran {
        self.run_for("0", pipeline, inputs)
    }

    /// The same, waiting for what was put off.
    fn run_for(&self, patience: &str, pipeline: &str, inputs: &[&Path]) -> Ran {
        let mut args = vec!["run", pipeline, "--json", "--patience", patience];
        args.extend(inputs.iter().map(|i| i.to_str().unwrap()));
        self.hoso(&args)
    }

    /// Results to portal and wallet, without the timestamp that would need one more stand-in.
    fn delivery_pipeline(&self) -> String {
        let text = fs::read_to_string(self.root.join("pipelines/result-delivery.toml")).unwrap();
        let path = self.root.join("delivery.toml");
        fs::write(&path, text.replace("timestamp = true", "timestamp = false")).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn mock(&self, name: &str, flags: &[&str]) -> Mock {
        let mocks = self.root.join("var/mock");
        fs::create_dir_all(&mocks).unwrap();
        let url = mocks.join(format!("{name}.url"));
        let _ = fs::remove_file(&url);
        let state = mocks.join(name);
        let key = |file: &str| self.root.join("keys").join(file).to_str().unwrap().to_owned();
        let mut args = vec![
            "mock".to_owned(),
            name.into(),
            "--state".into(),
            state.to_str().unwrap().into(),
            "--url-file".into(),
            url.to_str().unwrap().into(),
        ];
        if name == "wallet" {
            for (flag, file) in
                [("--key", "wallet.key"), ("--cert", "wallet.pem"), ("--sender", "station.pem")]
            {
                args.extend([flag.to_owned(), key(file)]);
            }
        }
        args.extend(flags.iter().map(|f| (*f).to_owned()));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let child = self.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mock = Mock(child);
        let deadline = Instant::now() + Duration::from_secs(120);
        while fs::metadata(&url).map_or(0, |m| m.len()) == 0 {
            assert!(Instant::now() < deadline, "mock {name} did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        mock
    }

    /// How many effects a stand-in has seen; the same one twice is a failure.
    #[track_caller]
    fn effects(&self, name: &str) -> usize {
        let path = self.root.join("var/mock").join(name).join("effects.jsonl");
        let text = fs::read_to_string(path).unwrap_or_default();
        let effects: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let key = |e: &Value| format!("{} {} {}", e["code"], e["op"], e["sha256"]);
        let different: std::collections::HashSet<String> = effects.iter().map(key).collect();
        assert_eq!(different.len(), effects.len(), "{text}");
        effects.len()
    }

    /// Every file in `out/`, hidden ones too, below it.
    fn out(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.join("out")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&self.root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }

    fn verifies(&self) -> bool {
        self.hoso(&["verify", self.root.join("out").to_str().unwrap()]).code == 0
    }
}

/// A stand-in that stops when it is dropped.
struct Mock(Child);

impl Drop for Mock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

const NOBODY: u32 = 65_534;

fn give_away(path: &Path) {
    std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}

fn copy(from: &str, to: &Path) {
    let from = PathBuf::from(DATA).join(from);
    fs::copy(&from, to.join(from.file_name().unwrap())).unwrap();
}

fn cut_jpeg() -> Vec<u8> {
    let whole = fs::read(format!("{DATA}/archive/h01_005.jpg")).unwrap();
    whole[..whole.len() / 2].to_vec()
}

/// A whole JPEG whose frame header claims 35,000 by 35,000.
fn huge_jpeg() -> Vec<u8> {
    let mut bytes = fs::read(format!("{DATA}/archive/h01_007.jpg")).unwrap();
    let frame = bytes.windows(2).position(|w| w == [0xff, 0xc0] || w == [0xff, 0xc2]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0x88, 0xb8, 0x88, 0xb8]);
    bytes
}

/// A PNG of an office without its `pHYs` chunk.
fn png_without_dpi() -> Vec<u8> {
    let bytes = fs::read(format!("{DATA}/archive/h01_013.png")).unwrap();
    let (mut out, mut at) = (bytes[..8].to_vec(), 8);
    while at + 12 <= bytes.len() {
        let end = at + 12 + u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        if &bytes[at + 4..at + 8] != b"pHYs" {
            out.extend_from_slice(&bytes[at..end]);
        }
        at = end;
    }
    assert!(out.len() < bytes.len(), "the file had a resolution");
    out
}

fn encrypted_pdf() -> Vec<u8> {
    let mut pdf = b"%PDF-1.6\n".to_vec();
    let mut offsets = Vec::new();
    let hex = "ab".repeat(32);
    for body in [
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>".to_owned(),
        format!("<</Filter/Standard/V 2/R 3/Length 128/P -44/O<{hex}>/U<{hex}>>>"),
    ] {
        offsets.push(pdf.len());
        pdf.extend(format!("{} 0 obj\n{body}\nendobj\n", offsets.len()).into_bytes());
    }
    let table = pdf.len();
    pdf.extend(b"xref\n0 5\n0000000000 65535 f \n");
    offsets.iter().for_each(|o| pdf.extend(format!("{o:010} 00000 n \n").into_bytes()));
    pdf.extend(
        format!("trailer\n<</Size 5/Root 1 0 R/Encrypt 4 0 R/ID[<0a><0b>]>>\nstartxref\n{table}\n%%EOF\n")
            .into_bytes(),
    );
    pdf
}

/// One page whose directory names itself as the next.
fn circle_tiff() -> Vec<u8> {
    let entries: [(u16, u32); 8] =
        [(256, 1), (257, 1), (258, 1), (259, 1), (262, 0), (273, 8), (278, 1), (279, 1)];
    let mut out = b"II*\0\x08\0\0\0".to_vec();
    out.extend((entries.len() as u16).to_le_bytes());
    for (tag, value) in entries {
        out.extend(tag.to_le_bytes());
        out.extend(4u16.to_le_bytes());
        out.extend(1u32.to_le_bytes());
        out.extend(value.to_le_bytes());
    }
    out.extend(8u32.to_le_bytes());
    out
}

/// A key whose certificate ended in the year 2001.
fn expired_p12(password: &str) -> Vec<u8> {
    use openssl::{asn1, bn, ec, hash, nid, pkcs12, pkey, x509};
    let group = ec::EcGroup::from_curve_name(nid::Nid::X9_62_PRIME256V1).unwrap();
    let key = pkey::PKey::from_ec_key(ec::EcKey::generate(&group).unwrap()).unwrap();
    let mut name = x509::X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "Expired training officer").unwrap();
    let name = name.build();
    let mut cert = x509::X509Builder::new().unwrap();
    cert.set_version(2).unwrap();
    cert.set_serial_number(&bn::BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    cert.set_subject_name(&name).unwrap();
    cert.set_issuer_name(&name).unwrap();
    cert.set_not_before(&asn1::Asn1Time::from_unix(900_000_000).unwrap()).unwrap();
    cert.set_not_after(&asn1::Asn1Time::from_unix(1_000_000_000).unwrap()).unwrap();
    cert.set_pubkey(&key).unwrap();
    let usage =
        x509::extension::KeyUsage::new().critical().digital_signature().non_repudiation().build().unwrap();
    cert.append_extension(usage).unwrap();
    cert.sign(&key, hash::MessageDigest::sha256()).unwrap();
    let mut p12 = pkcs12::Pkcs12::builder();
    p12.name("expired").pkey(&key).cert(&cert.build());
    p12.build2(password).unwrap().to_der().unwrap()
}
