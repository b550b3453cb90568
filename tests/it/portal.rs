//! The portal's adapters through the real program: lost answers and what is told of them, links that the portal follows,
//! flags that follow from evidence, and what is done here and not there.

use crate::playground::{Playground, files, free_address, samples};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

#[test]
fn lost_answers_and_ended_sessions_leave_every_dossier_once_and_reconciling_finds_what_the_portal_loses() {
    let mut ground = Playground::new(&[]);
    let record = ground.mock("portal-record.jsonl");
    ground.restart_portal(&[
        "--record",
        record.to_str().unwrap(),
        "--faults",
        "lost-answer=20%,500=5%,html=3%,session-expiry=every:7,duplicate=5%,seed=3",
    ]);
    deliver_results(&ground);
    let effects = ground.effects("portal");
    let mut created = BTreeMap::new();
    for effect in effects.iter().filter(|effect| effect["op"] == "create") {
        *created.entry(effect["code"].as_str().unwrap()).or_insert(0) += 1;
    }
    assert_eq!((created.len(), created.values().all(|n| *n == 1)), (4, true), "{created:?}");
    let lines = json_lines(&fs::read_to_string(&record).unwrap());
    let effective = lines.iter().filter(|line| line["effect"] == true).count();
    assert_eq!(effective, effects.len(), "each result has one event, so that an effect is a request");
    assert!(lines.iter().any(|line| line["what"] == "TraCuuHoSo"), "it is asked before it is sent");

    ground.restart_portal(&[]);
    let all_there = ground.output(&["reconcile", "--json"]);
    assert_eq!(all_there.status.code(), Some(0), "{all_there:?}");
    assert_eq!(total(&all_there)["same"], 4);

    // The portal loses what it acknowledged.
    ground.stop("portal");
    fs::remove_file(ground.mock("portal/effects.jsonl")).unwrap();
    ground.restart_portal(&["--faults", "lost-answer=every:5"]);
    let missing = ground.output(&["reconcile"]);
    let said = String::from_utf8_lossy(&missing.stdout).into_owned();
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    for dossier in created.keys() {
        assert!(said.lines().any(|l| l.contains(dossier) && l.contains("THIẾU")), "{dossier}: {said}");
    }
    assert!(said.contains("H40.17.5"), "per unit: {said}");
    assert!(ground.effects("portal").is_empty(), "asking tells nothing");

    ground.restart_portal(&[]);
    let told = ground.output(&["reconcile", "--resend", "--json"]);
    assert_eq!((told.status.code(), &total(&told)["resent"]), (Some(0), &Value::from(4)), "{told:?}");
    let again = ground.effects("portal");
    let of = |op: &str| again.iter().filter(|effect| effect["op"] == op).count();
    assert_eq!((of("create"), of("progress")), (4, 4), "the dossier and what was done with it");
    assert_eq!(ground.output(&["reconcile"]).status.code(), Some(0));
    assert_eq!(ground.effects("portal").len(), again.len());
}

#[test]
fn a_portal_that_does_not_answer_is_not_taken_for_one_that_has_it() {
    let mut ground = Playground::new(&[]);
    deliver_results(&ground);
    ground.restart_portal(&["--faults", "html=100%"]);
    let unasked = ground.output(&["reconcile", "--json"]);
    assert_eq!(
        (unasked.status.code(), &total(&unasked)["unasked"]),
        (Some(5), &Value::from(4)),
        "{unasked:?}"
    );
    let rows = json_lines(&String::from_utf8_lossy(&unasked.stdout));
    assert!(rows.iter().any(|row| row["fault"]["code"] == "SEND-043"), "{rows:?}");
}

#[test]
fn the_portal_fetches_what_it_was_told_of_by_links_that_are_renewed_and_leave_a_trace() {
    let mut ground = Playground::new(&[]);
    let address = free_address().to_string();
    configure(
        &ground,
        "links = \"https://hoso.invalid/tai-lieu\"",
        &format!("links = \"http://{address}\"\nlink-days = 1"),
    );
    let serving = serve(&ground, &address);
    ground.restart_portal(&["--fetch"]);
    deliver_results(&ground);
    let sealed: BTreeSet<String> =
        ground.effects("portal").iter().map(|effect| effect["code"].as_str().unwrap().to_owned()).collect();
    let fetched = wait_for(|| {
        let text = fs::read_to_string(ground.mock("portal/fetched.jsonl")).unwrap_or_default();
        let lines = json_lines(&text);
        (lines.len() >= sealed.len()).then_some(lines)
    });
    let published: BTreeSet<String> = files(&ground.station().join("out"))
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "pdf"))
        .map(|path| hoso::digest::Sha256::of(&fs::read(path).unwrap()).to_string())
        .collect();
    for line in &fetched {
        assert_eq!(line["status"], 200, "{line}");
        assert!(published.contains(line["sha256"].as_str().unwrap()), "{line}");
    }
    let audit = json_lines(&fs::read_to_string(ground.station().join("var/file-fetches.jsonl")).unwrap());
    assert_eq!(audit.len(), fetched.len());
    assert!(audit.iter().all(|line| line["recipient"] == "portal" && line["length"].as_u64() > Some(0)));

    // With links that live longer, those of a day are due: they are renewed once, and the portal fetches again.
    configure(&ground, "link-days = 1", "link-days = 30");
    let renewed = ground.output(&["reconcile", "--renew", "--json"]);
    assert_eq!(
        (renewed.status.code(), &total(&renewed)["renewed"]),
        (Some(0), &Value::from(4)),
        "{renewed:?}"
    );
    let updates = ground.effects("portal").iter().filter(|effect| effect["op"] == "update").count();
    assert_eq!(updates, 4);
    let rest = ground.output(&["reconcile", "--renew", "--json"]);
    assert_eq!(total(&rest)["renewed"], 0, "{rest:?}");
    drop(serving);
}

#[test]
fn papers_that_were_scanned_signed_and_logged_here_count_as_digitised_and_files_that_were_never_paper_do_not()
{
    let ground = Playground::new(&[]);
    let input = ground.input();
    copy_folder(&samples().join("intake/batch-3"), &input.join("scanned"));
    let slip = fs::read_to_string(samples().join("intake/batch-3/dossier.toml")).unwrap();
    fs::create_dir_all(input.join("drawn")).unwrap();
    fs::write(input.join("drawn/dossier.toml"), format!("code = \"H40.17.5-261121-0099\"\n{slip}")).unwrap();
    fs::copy(samples().join("results/result-1.pdf"), input.join("drawn/don.pdf")).unwrap();
    let ran = ground.output(&["run", "intake-desk", input.to_str().unwrap()]);
    let effects = ground.effects("portal");
    let digitised: BTreeMap<bool, u64> = effects
        .iter()
        .filter(|effect| effect["op"] == "create")
        .map(|effect| (effect["code"] == "H40.17.5-261121-0099", effect["digitised"].as_u64().unwrap()))
        .collect();
    assert!(digitised[&false] > 0, "scan, signature and log show it: {effects:?} {ran:?}");
    assert_eq!(digitised.get(&true), Some(&0), "it is signed and logged, and nobody scanned it: {ran:?}");
}

#[test]
fn how_a_dossier_was_filed_is_told_as_the_desk_says_it_and_a_word_that_is_none_is_refused() {
    let ground = Playground::new(&[]);
    let input = ground.input();
    let slip = fs::read_to_string(samples().join("results/result-1.toml")).unwrap();
    let told = |name: &str, code: &str, filing: &str| {
        fs::copy(samples().join("results/result-1.pdf"), input.join(format!("{name}.pdf"))).unwrap();
        let slip =
            slip.replace("H40.17.5-261121-0006", code).replace("[owner]", &format!("{filing}\n[owner]"));
        fs::write(input.join(format!("{name}.toml")), slip).unwrap();
    };
    told("a", "H40.17.5-261121-0101", "");
    let company = "[filing]\nchannel = \"online\"\nfiled_at = \"national-portal\"\nowner_kind = \"business\"\n\
                   account = \"tech-7\"\npayment = \"local-gateway\"\nhandover = \"post\"\n";
    told("b", "H40.17.5-261121-0102", company);
    told("c", "H40.17.5-261121-0103", "[filing]\nchannel = \"onlin\"\n");
    let ran = ground.output(&["run", "result-delivery", input.to_str().unwrap()]);
    let effects = ground.effects("portal");
    let filing = |code: &str| {
        effects.iter().find(|e| e["op"] == "create" && e["code"] == code).map(|e| e["filing"].clone())
    };
    assert_eq!(filing("H40.17.5-261121-0101"), Some(serde_json::json!(["1", "1", "0", "0", "2"])), "{ran:?}");
    assert_eq!(filing("H40.17.5-261121-0102"), Some(serde_json::json!(["2", "2", "2", "1", "1"])), "{ran:?}");
    assert_eq!(filing("H40.17.5-261121-0103"), None);
    assert!(String::from_utf8_lossy(&ran.stdout).contains("c.toml"), "{ran:?}");
}

/// What the stand-in was told of one dossier, without its progress.
fn changes(ground: &Playground, code: &str) -> Vec<Value> {
    let effects = ground.effects("portal");
    assert!(effects.iter().all(|effect| effect["op"] != "duplicate"), "no line is told twice: {effects:?}");
    effects.into_iter().filter(|e| e["code"] == code && e["op"] != "progress").collect()
}

#[test]
fn a_result_leaves_the_papers_and_their_digitisation_at_the_portal() {
    let ground = Playground::new(&[]);
    let ran = ground.output(&["run", "intake-desk", samples().join("intake/batch-3").to_str().unwrap()]);
    let code = "H40.17.5-261121-0006";
    let intake = changes(&ground, code);
    assert_eq!((intake.len(), &intake[0]["status"]), (1, &Value::from("2")), "{ran:?}");
    let digitised = intake[0]["digitised"].as_u64().unwrap();
    assert!(digitised > 0, "{intake:?}");
    deliver_results(&ground);
    let told = changes(&ground, code);
    assert_eq!(
        (told.len(), &told[1]["op"], &told[1]["status"]),
        (2, &"update".into(), &"9".into()),
        "{told:?}"
    );
    assert_eq!(told[1]["digitised"], digitised, "{told:?}");
    assert_eq!(told[1]["papers"], intake[0]["papers"]);
    assert_eq!(told[1]["results"].as_array().map(Vec::len), Some(1));
    // The same step again is the same delivery.
    deliver_results(&ground);
    assert_eq!(changes(&ground, code).len(), 2);

    // What the portal lost is told again as a whole: papers, results and both lines of progress.
    fs::remove_file(ground.mock("portal/effects.jsonl")).unwrap();
    let mut ground = ground;
    ground.restart_portal(&[]);
    let resent = ground.output(&["reconcile", "--resend", "--json"]);
    assert_eq!(resent.status.code(), Some(0), "{resent:?}");
    let again = changes(&ground, code);
    let of = |field: &str| again[0][field].clone();
    assert_eq!(
        (of("status"), of("digitised"), of("papers")),
        ("9".into(), digitised.into(), intake[0]["papers"].clone())
    );
    assert_eq!(of("results"), told[1]["results"]);
    let lines =
        ground.effects("portal").iter().filter(|e| e["code"] == code && e["op"] == "progress").count();
    assert_eq!(lines, 2);

    // What only lacks its papers there is found, and they are told without telling progress twice.
    ground.stop("portal");
    let path = ground.mock("portal/effects.jsonl");
    let kept = fs::read_to_string(&path).unwrap();
    let bare = kept.lines().map(|line| {
        let mut effect: Value = serde_json::from_str(line).unwrap();
        if effect["op"] == "create" && effect["code"] == code {
            effect["papers"] = serde_json::json!({});
            effect["sha256"] = "0".repeat(64).into();
        }
        effect.to_string() + "\n"
    });
    let bare: String = bare.collect();
    fs::write(&path, bare).unwrap();
    ground.restart_portal(&[]);
    let lacking = ground.output(&["reconcile", "--json"]);
    assert_eq!(
        (lacking.status.code(), &total(&lacking)["partial"]),
        (Some(1), &Value::from(1)),
        "{lacking:?}"
    );
    let told = ground.output(&["reconcile", "--resend", "--json"]);
    assert_eq!((told.status.code(), &total(&told)["resent"]), (Some(0), &Value::from(1)), "{told:?}");
    assert_eq!(ground.output(&["reconcile"]).status.code(), Some(0));
    assert_eq!(changes(&ground, code).last().unwrap()["papers"], intake[0]["papers"]);
}

#[test]
fn an_intake_that_comes_after_the_result_adds_its_papers_and_turns_no_state_back() {
    let ground = Playground::new(&[]);
    deliver_results(&ground);
    let code = "H40.17.5-261121-0006";
    let ran = ground.output(&["run", "intake-desk", samples().join("intake/batch-3").to_str().unwrap()]);
    let told = changes(&ground, code);
    let of = |field: &str| told.iter().map(|effect| effect[field].clone()).collect::<Vec<_>>();
    assert_eq!(of("op"), ["create", "update"], "{ran:?}");
    assert_eq!(of("status"), ["9", "9"]);
    assert_eq!(told[1]["results"], told[0]["results"], "the result stays");
    assert!(told[1]["digitised"].as_u64() > Some(0), "{told:?}");
    let lines: Vec<Value> =
        ground.effects("portal").into_iter().filter(|e| e["code"] == code && e["op"] == "progress").collect();
    let states: Vec<&Value> = lines.iter().map(|line| &line["status"]).collect();
    assert_eq!(states, ["9", "2"], "its own line, in its own time");
    assert_eq!(ground.output(&["reconcile"]).status.code(), Some(0));
}

#[test]
fn a_portal_that_refuses_the_login_leaves_everything_in_the_queue() {
    let mut ground = Playground::new(&[]);
    ground.restart_portal(&["--password", "khac"]);
    let results = samples().join("results");
    let ran = ground.output(&["run", "result-delivery", results.to_str().unwrap()]);
    assert_eq!(ran.status.code(), Some(5), "{ran:?}");
    let listed = ground.output(&["deliver", "list", "--json"]);
    let rows = json_lines(&String::from_utf8_lossy(&listed.stdout));
    let to_portal = rows.iter().filter(|row| row["to"] == "portal");
    let states: BTreeSet<&str> = to_portal.map(|row| row["state"].as_str().unwrap()).collect();
    assert!(!states.is_empty() && !states.contains("dead"), "{rows:?}");
    ground.restart_portal(&[]);
    deliver_results(&ground);
    assert_eq!(ground.effects("portal").iter().filter(|e| e["op"] == "create").count(), 4);
}

#[test]
fn a_station_behind_a_bridge_delivers_the_same_results() {
    let ground = Playground::new(&[]);
    configure(
        &ground,
        "links = \"https://hoso.invalid/tai-lieu\"",
        "links = \"https://hoso.invalid/tai-lieu\"\ndialect = \"bridge\"\n\
         endpoints = { add = \"bridge/add\", update = \"bridge/update\", progress = \"bridge/progress\" }",
    );
    deliver_results(&ground);
    let effects = ground.effects("portal");
    let of = |op: &str| effects.iter().filter(|effect| effect["op"] == op).count();
    assert_eq!((of("create"), of("progress")), (4, 4));
    let receipts = files(&ground.station().join("out"))
        .iter()
        .filter_map(|path| serde_json::from_slice::<Value>(&fs::read(path).ok()?).ok())
        .filter(|receipt| receipt["contract"] == "dvcqg-b")
        .count();
    assert_eq!(receipts, 4);
    let cannot = ground.output(&["reconcile"]);
    assert_eq!(cannot.status.code(), Some(4), "{cannot:?}");
    assert!(String::from_utf8_lossy(&cannot.stderr).contains("SEND-143"), "{cannot:?}");
}

#[test]
fn faults_that_a_stand_in_does_not_have_are_refused() {
    let ground = Playground::new(&[]);
    let state = ground.mock("other");
    let sender = ground.station().join("keys/station.pem");
    let wallet = ["mock", "wallet", "--state", state.to_str().unwrap(), "--sender", sender.to_str().unwrap()];
    let refused = ground.output(&[&wallet[..], &["--faults", "session-expiry=5%"]].concat());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("MOCK-020"), "{refused:?}");
    let mistyped = ground.output(&[&wallet[..], &["--faults", "lost-answers=5%"]].concat());
    assert_eq!(mistyped.status.code(), Some(2), "{mistyped:?}");
}

/// Hands the sample results in until all of them are delivered.
fn deliver_results(ground: &Playground) {
    let results = samples().join("results");
    let started = Instant::now();
    loop {
        let ran = ground.output(&["run", "result-delivery", results.to_str().unwrap()]);
        if ran.status.success() {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(120), "{ran:?}");
    }
}

/// `hoso serve` until it is dropped.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(ground: &Playground, address: &str) -> Serving {
    let mut command = ground.hoso(&["serve", "--listen", address]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let serving = Serving(child);
    wait_for(|| std::net::TcpStream::connect(address).ok());
    serving
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < Duration::from_secs(120), "it never came");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn configure(ground: &Playground, from: &str, to: &str) {
    let path = ground.station().join("hoso.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn total(output: &Output) -> Value {
    let lines = json_lines(&String::from_utf8_lossy(&output.stdout));
    lines.iter().find_map(|line| line.get("total").cloned()).unwrap_or_default()
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    for path in files(from) {
        let place = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(&path, place).unwrap();
    }
}
