//! Evidence bundles the whole way: a station works, `hoso evidence` shows what became of a dossier, `hoso verify` judges it
//! with the network off; and whatever somebody does to the bundle in between is found.

use crate::house::{copy_folder, holds, mint_readings, personal_values};
use crate::playground::{Dice, HOSO, Playground, files, samples};
use hoso::cli::log::load_keys;
use hoso::deliver::wire_key::VerifyingKey;
use hoso::digest::Sha256;
use hoso::evidence::archive::{Archive, MAX_ENTRY, Writer};
use hoso::evidence::manifest::{MANIFEST, NOTE, SUMS, sign, sums};
use hoso::evidence::{Manifest, Report, Trust, check};
use hoso::log::{Signer, VerifierKey};
use hoso::seal::verify::{Anchors, Question, Verdict};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const DOSSIER: &str = "H40.17.5-261121-0006";
const OTHER: &str = "H40.17.5-261121-0003";

type Entries = BTreeMap<String, Vec<u8>>;

/// What a station left behind after it worked: bundles, and its keys for those who trust it.
struct World {
    dir: PathBuf,
    readings: usize,
    values: Vec<String>,
    /// What was printed when the bundles were made.
    said: String,
}

impl World {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn entries(&self, name: &str) -> Entries {
        unpack(&self.bytes(name))
    }

    fn signer(&self) -> Signer {
        Signer::from_pem("hoso.invalid/H40.17.5", &self.bytes("log.key")).unwrap()
    }

    fn judge(&self, bytes: &[u8]) -> Report {
        judge(bytes, &self.path("anchors"))
    }

    fn verify(&self, name: &str, options: &[&str]) -> (i32, Value) {
        let out = Command::new(HOSO)
            .current_dir(&self.dir)
            .args(["verify", name, "--json"])
            .args(options)
            .output()
            .unwrap();
        printed(&out)
    }
}

const TRUSTED: [&str; 6] =
    ["--trust", "anchors", "--log-key", "anchors/log", "--receipt-key", "anchors/receipts"];

/// One station works once for all tests here; only what it left behind is kept.
fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("evidence");
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let ground = Playground::new(&[]);
        let intake = ground.input().join("intake");
        copy_folder(&samples().join("intake/batch-3"), &intake.join("batch-3"));
        // A scanner that calls its files after people.
        fs::rename(intake.join("batch-3/p01.jpg"), intake.join("batch-3/p01-Luong_Thi_Khue_Trang.jpg"))
            .unwrap();
        for other in ["batch-4", "batch-5"] {
            fs::create_dir_all(ground.input().join(other)).unwrap();
        }
        let readings = mint_batch_3(&ground, &intake);
        let results = samples().join("results");
        for (pipeline, input) in [("intake-desk", &intake), ("result-delivery", &results)] {
            let out = ground.hoso(&["run", pipeline]).arg(input).output().unwrap();
            assert!(out.status.success(), "{}", text(&out));
        }
        let mut said = String::new();
        for (name, dossier, more) in [
            ("whole.zip", DOSSIER, &[][..]),
            ("again.zip", DOSSIER, &[]),
            ("other.zip", OTHER, &[]),
            ("recipient.zip", DOSSIER, &["--recipient-only"]),
        ] {
            let out = ground
                .hoso(&["evidence", dossier])
                .arg("-o")
                .arg(dir.join(name))
                .args(more)
                .output()
                .unwrap();
            assert!(out.status.success(), "{}", text(&out));
            said.push_str(&text(&out));
        }
        let config = ground.station().join("hoso.toml");
        let plain = fs::read_to_string(&config).unwrap();
        fs::write(&config, format!("{plain}\n[evidence]\ncode = \"hashed\"\n")).unwrap();
        let out = ground.hoso(&["evidence", DOSSIER]).arg("-o").arg(dir.join("hashed.zip")).output().unwrap();
        assert!(out.status.success(), "{}", text(&out));
        let missing =
            ground.hoso(&["evidence", "H40.17.5-261121-9999"]).arg("-o").arg(dir.join("none.zip")).output();
        let missing = missing.unwrap();
        assert_eq!(missing.status.code(), Some(3));
        assert!(text(&missing).contains("EVID-020") && !dir.join("none.zip").exists(), "{}", text(&missing));
        copy_folder(&ground.station().join("anchors"), &dir.join("anchors"));
        fs::copy(ground.station().join("keys/log.key"), dir.join("log.key")).unwrap();
        let stranger =
            Command::new(HOSO).args(["init", "--training"]).arg(dir.join("stranger")).output().unwrap();
        assert!(stranger.status.success(), "{stranger:?}");
        World { dir, readings, values: personal_values().into_iter().collect(), said }
    })
}

fn mint_batch_3(ground: &Playground, intake: &Path) -> usize {
    for other in ["batch-4", "batch-5"] {
        fs::create_dir_all(intake.join(other)).unwrap();
    }
    let minted = mint_readings(ground, intake);
    for other in ["batch-4", "batch-5"] {
        fs::remove_dir_all(intake.join(other)).unwrap();
    }
    usize::from(minted > 0)
}

fn text(out: &Output) -> String {
    String::from_utf8_lossy(&[out.stdout.as_slice(), &out.stderr].concat()).into_owned()
}

fn printed(out: &Output) -> (i32, Value) {
    let line = String::from_utf8_lossy(&out.stdout);
    (out.status.code().unwrap(), serde_json::from_str(&line).unwrap_or(Value::Null))
}

fn unpack(bytes: &[u8]) -> Entries {
    let mut archive = Archive::open(Cursor::new(bytes)).unwrap();
    let entries = archive.entries().to_vec();
    entries.iter().map(|e| (e.name.clone(), archive.read(e, MAX_ENTRY).unwrap())).collect()
}

fn pack(entries: &Entries) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    entries.iter().for_each(|(name, bytes)| writer.add(name, bytes).unwrap());
    writer.finish().unwrap()
}

fn manifest(entries: &Entries) -> Manifest {
    Manifest::parse(&entries[MANIFEST]).unwrap()
}

/// What a station would write that lies: digests and signature fit whatever is in it.
fn signed_again(mut entries: Entries, mut manifest: Manifest, signer: &Signer) -> Vec<u8> {
    manifest.entries.retain(|e| entries.contains_key(&e.name));
    for entry in &mut manifest.entries {
        entry.sha256 = Sha256::of(&entries[&entry.name]);
        entry.size = entries[&entry.name].len() as u64;
    }
    let list = sums(manifest.entries.iter().map(|e| (e.name.as_str(), e.sha256)));
    for entry in manifest.entries.iter_mut().filter(|e| e.name == SUMS) {
        (entry.sha256, entry.size) = (Sha256::of(list.as_bytes()), list.len() as u64);
    }
    entries.insert(SUMS.into(), list.into_bytes());
    let bytes = manifest.to_bytes();
    entries.insert(NOTE.into(), sign(&bytes, signer).unwrap().into_bytes());
    entries.insert(MANIFEST.into(), bytes);
    pack(&entries)
}

fn judge(bytes: &[u8], anchors: &Path) -> Report {
    let roots = Anchors::load(anchors).unwrap();
    let logs: Vec<VerifierKey> = load_keys(&[anchors.join("log").to_string_lossy().into_owned()]).unwrap();
    let receivers: Vec<VerifyingKey> = files(&anchors.join("receipts"))
        .iter()
        .map(|f| VerifyingKey::from_pem(&fs::read(f).unwrap()).unwrap())
        .collect();
    let cards = hoso::chip::Trust::load(&anchors.join("csca")).unwrap();
    let at = jiff::Timestamp::now();
    let seals = Question { anchors: &roots, at, as_of: false, online: None };
    let trust = Trust { seals, logs: &logs, receivers: &receivers, cards: Some(&cards) };
    check(Cursor::new(bytes), &trust).unwrap_or_else(|fault| panic!("{fault}"))
}

fn has(report: &Report, weight: Verdict, code: &str, about: &str) -> bool {
    let fits = |about: &str, found: &Option<String>| found.as_deref().is_some_and(|f| f.contains(about));
    report.reasons.iter().any(|r| r.weight == weight && r.code == code && fits(about, &r.about))
}

fn codes(value: &Value) -> Vec<&str> {
    value["reasons"].as_array().into_iter().flatten().filter_map(|r| r["code"].as_str()).collect()
}

/// The first entry whose name ends so.
fn named<'a>(entries: &'a Entries, part: &str, end: &str) -> &'a str {
    entries.keys().find(|n| n.contains(part) && n.ends_with(end)).unwrap_or_else(|| panic!("{part}…{end}"))
}

#[test]
fn a_finished_dossier_is_valid_with_keys_from_outside_and_the_network_off() {
    let world = world();
    let (code, report) = world.verify("whole.zip", &TRUSTED);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!((&report["verdict"], &report["manifest"]), (&"valid".into(), &"valid".into()));
    assert_eq!(report["documents"].as_array().unwrap().len(), 2, "{report:#}");
    for document in report["documents"].as_array().unwrap() {
        assert_eq!((&document["seal"]["verdict"], &document["log"]), (&"valid".into(), &"valid".into()));
    }
    let wallets = report["deliveries"].as_array().unwrap().iter().filter(|d| d["by"] == "push");
    assert_eq!(wallets.map(|d| d["receipt"].as_str().unwrap()).collect::<Vec<_>>(), ["valid"]);
    assert!(report["journal_entries"].as_u64().unwrap() > 10);
    // The portal signs nothing, and that is said.
    assert!(report["not_checked"].to_string().contains("unsigned"), "{report:#}");

    let arguments = ["-rn", HOSO, "verify", "whole.zip"];
    match Command::new("unshare").current_dir(&world.dir).args(arguments).args(TRUSTED).output() {
        Ok(out) if !text(&out).contains("unshare:") => {
            assert_eq!(out.status.code(), Some(0), "{}", text(&out));
            assert!(text(&out).contains("HỢP LỆ / VALID") && text(&out).contains(DOSSIER), "{}", text(&out));
        }
        other => eprintln!("skipped: no network namespace of our own: {other:?}"),
    }
    let entries = world.entries("whole.zip");
    if world.readings > 0 {
        let identity: Value = serde_json::from_slice(&entries[named(&entries, "", "identity.json")]).unwrap();
        assert_eq!(identity["verdict"]["pa_signature"], "ok", "{identity:#}");
        assert!(identity["readings"][0]["groups"]["DG1"].is_string());
    }
}

#[test]
fn the_same_state_of_a_station_gives_the_same_bytes() {
    let world = world();
    assert_eq!(world.bytes("whole.zip"), world.bytes("again.zip"));
    assert!(world.said.contains("SHA-256") && !world.said.contains("MISSING"), "{}", world.said);
}

#[test]
fn trust_comes_from_outside_and_what_is_not_given_is_named() {
    let world = world();
    let without = |left_out: usize| {
        let options: Vec<&str> = TRUSTED
            .chunks(2)
            .enumerate()
            .filter(|(i, _)| *i != left_out)
            .flat_map(|(_, o)| o.iter().copied())
            .collect();
        world.verify("whole.zip", &options)
    };
    for (left_out, expected) in [(0, "VRFY-002"), (1, "EVID-027"), (2, "EVID-028")] {
        let (code, report) = without(left_out);
        assert_eq!((code, report["verdict"].as_str()), (4, Some("indeterminate")), "{report:#}");
        assert!(codes(&report).contains(&expected), "{left_out}: {report:#}");
    }
    let (code, report) = world.verify("whole.zip", &[]);
    assert_eq!(code, 4, "{report:#}");
    // What the bundle claims of itself trusts nobody.
    let (code, report) = world.verify(
        "whole.zip",
        &[
            "--trust",
            "stranger/anchors",
            "--log-key",
            "stranger/anchors/log",
            "--receipt-key",
            "stranger/anchors/receipts",
        ],
    );
    assert_eq!(code, 4, "{report:#}");
    assert!(codes(&report).contains(&"EVID-027") && codes(&report).contains(&"EVID-028"), "{report:#}");
    let (code, _) = world.verify("whole.zip", &["--station", "stranger"]);
    assert_eq!(code, 4);
}

#[test]
fn what_is_taken_out_is_named_and_leaves_nothing_proven() {
    let world = world();
    let entries = world.entries("whole.zip");
    for name in entries.keys() {
        let mut less = entries.clone();
        less.remove(name);
        let report = world.judge(&pack(&less));
        assert_eq!(report.verdict, Verdict::Indeterminate, "without {name}: {:#?}", report.reasons);
        assert!(
            has(&report, Verdict::Indeterminate, "EVID-022", name),
            "without {name}: {:#?}",
            report.reasons
        );
    }
    // All receipts at once.
    let mut less = entries.clone();
    less.retain(|name, _| !name.ends_with(".receipt") && !name.ends_with(".tlog-proof"));
    assert_eq!(world.judge(&pack(&less)).verdict, Verdict::Indeterminate);
}

#[test]
fn a_changed_entry_is_never_valid_whatever_its_checksum_says() {
    let world = world();
    let mut dice = Dice(6);
    for (bundle, rounds) in [("whole.zip", 1), ("recipient.zip", 4)] {
        let entries = world.entries(bundle);
        for (name, bytes) in &entries {
            for _ in 0..rounds {
                let mut changed = entries.clone();
                let at = dice.below(bytes.len() as u64) as usize;
                changed.get_mut(name).unwrap()[at] ^= 1 << dice.below(8);
                let report = world.judge(&pack(&changed));
                // In the note a bit may turn the signer into somebody whom nobody knows.
                let least = if name == NOTE { Verdict::Indeterminate } else { Verdict::Invalid };
                assert!(report.verdict >= least, "{name}: {:#?}", report.reasons);
            }
            let mut cut = entries.clone();
            cut.get_mut(name).unwrap().pop();
            if rounds > 1 {
                assert_ne!(world.judge(&pack(&cut)).verdict, Verdict::Valid, "{name}");
            }
        }
    }
}

#[test]
fn no_flipped_bit_of_the_file_is_valid() {
    let world = world();
    let bytes = world.bytes("recipient.zip");
    assert_eq!(world.judge(&bytes).verdict, Verdict::Valid);
    let mut dice = Dice(7);
    let tail = bytes.len() - 2500;
    for round in 0..400u64 {
        let at = if round % 2 == 0 {
            dice.below(bytes.len() as u64) as usize
        } else {
            tail + dice.below(2500) as usize
        };
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << dice.below(8);
        let path = world.path("flipped.zip");
        let roots = Anchors::default();
        let seals = Question { anchors: &roots, at: jiff::Timestamp::now(), as_of: false, online: None };
        match check(Cursor::new(&flipped), &Trust { seals, logs: &[], receivers: &[], cards: None }) {
            // Refused by its structure or its sums before anything is judged.
            Ok(report) => assert_eq!(report.verdict, Verdict::Invalid, "byte {at}"),
            Err(fault) => assert_eq!(fault.code.id, "EVID-001", "byte {at}"),
        }
        if round == 0 {
            fs::write(&path, &flipped).unwrap();
            let (code, report) = world.verify("flipped.zip", &TRUSTED);
            assert_eq!(code, 5, "{report:#}");
        }
    }
}

#[test]
fn what_is_put_in_or_exchanged_is_found() {
    let world = world();
    let (entries, other) = (world.entries("whole.zip"), world.entries("other.zip"));
    let mut more = entries.clone();
    more.insert("01-note.txt".into(), b"trust me".to_vec());
    let report = world.judge(&pack(&more));
    assert!(report.verdict == Verdict::Invalid && has(&report, Verdict::Invalid, "EVID-023", "01-note.txt"));
    // Another dossier's receipts under the names of this one's.
    for (part, end) in
        [("wallet-", ".receipt"), ("ket-qua", ".tlog-proof"), ("portal-", ".receipt"), ("ket-qua", ".pdf")]
    {
        let mut changed = entries.clone();
        let name = named(&entries, part, end).to_owned();
        changed.insert(name.clone(), other[named(&other, part, end)].clone());
        let report = world.judge(&pack(&changed));
        assert!(has(&report, Verdict::Invalid, "EVID-021", &name), "{name}: {:#?}", report.reasons);
    }
    // The whole manifest of the other dossier.
    for names in [&[MANIFEST][..], &[NOTE], &[MANIFEST, NOTE]] {
        let mut changed = entries.clone();
        for name in names {
            changed.insert((*name).into(), other[*name].clone());
        }
        assert_eq!(world.judge(&pack(&changed)).verdict, Verdict::Invalid, "{names:?}");
    }
}

#[test]
fn even_a_station_that_lies_over_its_own_signature_contradicts_itself() {
    let world = world();
    let (entries, other, signer) = (world.entries("whole.zip"), world.entries("other.zip"), world.signer());
    let honest = signed_again(entries.clone(), manifest(&entries), &signer);
    assert_eq!(world.judge(&honest).verdict, Verdict::Valid, "{:#?}", world.judge(&honest).reasons);
    let exchanged = |part: &str, end: &str| {
        let mut changed = entries.clone();
        changed.insert(named(&entries, part, end).into(), other[named(&other, part, end)].clone());
        world.judge(&signed_again(changed, manifest(&entries), &signer))
    };
    for (part, end, code) in [
        ("wallet-", ".receipt", "EVID-025"),
        ("portal-", ".receipt", "EVID-025"),
        ("ket-qua", ".tlog-proof", "EVID-026"),
        ("ket-qua", ".pdf", "EVID-025"),
        ("", "journal.jsonl", "EVID-019"),
    ] {
        let report = exchanged(part, end);
        assert_eq!(report.verdict, Verdict::Invalid, "{part}{end}");
        assert!(has(&report, Verdict::Invalid, code, ""), "{part}{end}: {:#?}", report.reasons);
    }
    // A receipt that is quietly dropped, from the manifest too, still stands in the journal's chain; and what is said to
    // be missing is not proven.
    let wallet = named(&entries, "wallet-", ".receipt").to_owned();
    let mut less = entries.clone();
    less.remove(&wallet);
    let mut told = manifest(&entries);
    for delivery in told.runs.iter_mut().flat_map(|r| &mut r.deliveries) {
        delivery.receipt = delivery.receipt.take().filter(|r| *r != wallet);
    }
    let report = world.judge(&signed_again(less, told, &signer));
    assert_ne!(report.verdict, Verdict::Valid, "{:#?}", report.reasons);
    // The same document in another's name: the document of the other dossier, with everything of it.
    let stranger = Signer::generate("hoso.invalid/H40.17.5").unwrap();
    let report = world.judge(&signed_again(entries.clone(), manifest(&entries), &stranger));
    assert_eq!(report.verdict, Verdict::Indeterminate);
    assert!(has(&report, Verdict::Indeterminate, "EVID-027", NOTE), "{:#?}", report.reasons);
}

#[test]
fn nothing_of_the_citizen_leaves_but_in_the_sealed_documents() {
    let world = world();
    let face = fs::read(samples().join("chip/batch-3/DG2.bin")).unwrap();
    for bundle in ["whole.zip", "recipient.zip", "other.zip", "hashed.zip"] {
        for (name, bytes) in world.entries(bundle).iter().filter(|(n, _)| !n.ends_with(".pdf")) {
            let found = world.values.iter().find(|v| holds(bytes, v) || holds(name.as_bytes(), v));
            assert!(found.is_none(), "{bundle} {name}: {found:?}");
            assert!(!holds(bytes, "Luong_Thi_Khue_Trang"), "{bundle} {name}");
            // A portal's answer is base64 inside its receipt.
            if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
                for body in
                    value["answers"].as_array().into_iter().flatten().filter_map(|a| a["body"].as_str())
                {
                    use base64::Engine as _;
                    let body = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
                    assert!(!world.values.iter().any(|v| holds(&body, v)), "{bundle} {name}");
                }
            }
        }
        // A face is nowhere, not even in a document: no strip of it. Its first half may be tables that every JPEG has.
        for (name, bytes) in world.entries(bundle) {
            let found = face[face.len() / 2..].chunks_exact(64).any(|strip| {
                strip.iter().any(|b| *b != strip[0]) && memchr::memmem::find(&bytes, strip).is_some()
            });
            assert!(!found, "{bundle} {name}");
        }
    }
    assert!(world.values.len() > 40);
}

#[test]
fn a_recipient_gets_what_is_theirs_and_a_station_may_keep_its_codes() {
    let world = world();
    let names: Vec<String> = world.entries("recipient.zip").into_keys().collect();
    for kept_back in ["originals", "identity", "journal", "portal-", "batch-", "giay-to"] {
        assert!(!names.iter().any(|n| n.contains(kept_back)), "{kept_back}: {names:?}");
    }
    for there in ["ket-qua", "tlog-proof", "wallet-", "claims/log.keys", "README.txt"] {
        assert!(names.iter().any(|n| n.contains(there)), "{there}: {names:?}");
    }
    let (code, report) = world.verify("recipient.zip", &TRUSTED);
    assert_eq!(code, 0, "{report:#}");
    let hashed = world.entries("hashed.zip");
    for (name, bytes) in hashed.iter().filter(|(n, _)| !n.ends_with(".pdf")) {
        assert!(!holds(bytes, DOSSIER), "{name}");
    }
    let (code, report) = world.verify("hashed.zip", &TRUSTED);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["dossier"]["code-sha256"], Sha256::of(DOSSIER.as_bytes()).to_string());
}

#[test]
fn a_dossier_that_is_under_way_or_parked_says_what_is_missing() {
    let mut ground = Playground::new(&[]);
    let config = ground.station().join("hoso.toml");
    let patient = fs::read_to_string(&config).unwrap();
    fs::write(&config, patient.replace("give_up_ms = 60000", "give_up_ms = 300")).unwrap();
    ground.stop("tsa");
    for name in ["result-1.pdf", "result-1.toml"] {
        fs::copy(samples().join("results").join(name), ground.input().join(name)).unwrap();
    }
    let run = |ground: &Playground, patience: &str| {
        ground.hoso(&["run", "result-delivery", "--patience", patience]).arg(ground.input()).output().unwrap()
    };
    let bundle = |ground: &Playground, name: &str| {
        let path = ground.input().with_file_name(name);
        let out = ground.hoso(&["evidence", DOSSIER, "--json"]).arg("-o").arg(&path).output().unwrap();
        assert!(out.status.success(), "{}", text(&out));
        let anchors = ground.station().join("anchors");
        (printed(&out).1, judge(&fs::read(path).unwrap(), &anchors))
    };
    let missing = |said: &Value| -> Vec<String> {
        said["missing"].as_array().unwrap().iter().map(|m| m["what"].as_str().unwrap().to_owned()).collect()
    };
    run(&ground, "2");
    let (said, report) = bundle(&ground, "under-way.zip");
    assert!(missing(&said).contains(&"run".to_owned()), "{said:#}");
    assert_eq!(report.verdict, Verdict::Indeterminate, "{:#?}", report.reasons);
    assert!(has(&report, Verdict::Indeterminate, "EVID-029", "run"), "{:#?}", report.reasons);

    ground.stop("wallet");
    ground.start_tsa();
    run(&ground, "20");
    let status = text(&ground.output(&["status"]));
    let (said, report) = bundle(&ground, "parked.zip");
    assert!(missing(&said).contains(&"delivery-receipt".to_owned()), "{said:#}\n{status}");
    assert_eq!(report.verdict, Verdict::Indeterminate, "{:#?}", report.reasons);
    assert_eq!(report.documents.len(), 1);
    assert_eq!(report.documents[0].log, Some(Verdict::Valid), "what is there is judged all the same");
    assert!(has(&report, Verdict::Indeterminate, "EVID-029", "delivery-receipt"), "{:#?}", report.reasons);
}

#[test]
fn a_zip_of_somebody_else_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("strange.zip");
    let verify = || {
        let out =
            Command::new(HOSO).current_dir(dir.path()).args(["verify", "strange.zip", "--json"]).output();
        printed(&out.unwrap())
    };
    let script = "import sys,zipfile\nz=zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED)\n\
                  z.writestr('../../etc/cron.d/x','A'*10**7)\nz.close()";
    match Command::new("python3").arg("-c").arg(script).arg(&path).output() {
        Ok(out) if out.status.success() => {
            let (code, report) = verify();
            assert_eq!((code, codes(&report)), (5, vec!["EVID-006"]), "{report:#}");
        }
        other => eprintln!("skipped: no python3: {other:?}"),
    }
    fs::write(&path, pack(&Entries::from([("a.txt".into(), b"x".to_vec())]))).unwrap();
    let (code, report) = verify();
    assert_eq!((code, codes(&report)), (4, vec!["EVID-022"]), "no manifest: {report:#}");
    fs::write(&path, "no zip").unwrap();
    assert_eq!(verify().0, 1);
}
