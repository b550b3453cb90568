//! Chip readings are let go of when they have been judged, whatever crashes, races or is handed in again; and a chip's
//! answer to this station counts once.

use crate::ledger::{made, reason, run};
use crate::playground::{Dice, Playground, files, samples};
use base64::Engine as _;
use hoso::blobs::Blobs;
use hoso::clock::Clock;
use hoso::digest::{Blake3, Sha256};
use hoso::dossier::Dossier;
use hoso::ledger::{
    Admission, Lease, Ledger, NewRun, READING_GONE, Settlement, SqliteLedger, State, StepRecord, Wanted,
};
use hoso::station::Station;
use hoso::station::challenges::{Challenges, GOOD_FOR_MS};
use rusqlite::Connection;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

#[tokio::test]
async fn a_reading_stays_as_long_as_its_run_has_steps_and_no_longer() {
    let world = World::new();
    let ledger = world.ledger();
    let face = world.store(b"a face");
    ledger.admit(vec![naming("one", face)]).await.unwrap();
    assert_eq!(ledger.let_go("w", true).await.unwrap(), 0);
    // Put off and parked are not the end.
    let lease = only(ledger.claim("w", 9).await.unwrap());
    let later = Settlement::Later { made: None, after_ms: 0, reason: reason() };
    assert!(ledger.settle(&lease.key, "w", later).await.unwrap());
    let lease = only(ledger.claim("w", 9).await.unwrap());
    assert!(ledger.settle(&lease.key, "w", Settlement::Parked(reason())).await.unwrap());
    assert_eq!(ledger.let_go("w", true).await.unwrap(), 0);
    ledger.reopen(vec![run("one").id]).await.unwrap();
    let lease = only(ledger.claim("w", 9).await.unwrap());
    assert!(ledger.settle(&lease.key, "w", Settlement::Done(still_wanting(face))).await.unwrap());
    assert_eq!(ledger.let_go("w", true).await.unwrap(), 0);
    assert!(world.has(face));
    // Judged: the record wants it no more, though the run goes on.
    let lease = only(ledger.claim("w", 9).await.unwrap());
    let later = Settlement::Later { made: None, after_ms: 0, reason: reason() };
    assert!(ledger.settle(&lease.key, "w", later).await.unwrap());
    let lease = only(ledger.claim("w", 9).await.unwrap());
    assert!(ledger.settle(&lease.key, "w", Settlement::Done(made("judged"))).await.unwrap());
    assert_eq!(ledger.let_go("w", false).await.unwrap(), 1);
    assert!(!world.has(face));
    assert_eq!(ledger.let_go("w", true).await.unwrap(), 0);
    assert_eq!(world.told("one"), 1);
    ledger.check_journal().await.unwrap();
}

#[tokio::test]
async fn every_end_of_a_run_lets_go_and_what_is_kept_by_policy_stays() {
    let world = World::new();
    let ledger = world.ledger();
    let names = ["done", "refused", "refused with a record", "split", "send", "kept"];
    let faces: HashMap<_, _> = names.iter().map(|n| (*n, world.store(n.as_bytes()))).collect();
    let runs = names.map(|name| NewRun { steps: 1, ..naming(name, faces[name]) });
    ledger.admit(runs.to_vec()).await.unwrap();
    for lease in ledger.claim("w", 9).await.unwrap() {
        // None of these steps looked at its reading.
        let face = faces[lease.label.as_str()];
        let same = still_wanting(face);
        let settlement = match lease.label.as_str() {
            "done" => Settlement::Done(same),
            "refused" => Settlement::Refused(None, reason()),
            "refused with a record" => Settlement::Refused(Some(same), reason()),
            "split" => Settlement::Split(same, Vec::new()),
            "send" => Settlement::Send(same, Vec::new()),
            _ => Settlement::Done(StepRecord {
                readings: vec![Wanted { reading: face, kept: true }],
                ..made("kept")
            }),
        };
        assert!(ledger.settle(&lease.key, "w", settlement).await.unwrap());
    }
    assert_eq!(ledger.let_go("w", true).await.unwrap(), 5);
    for (name, face) in faces {
        assert_eq!(world.has(face), name == "kept", "{name}");
    }
    // One that is refused as it comes has no step at all.
    let face = world.store(b"refused from the start");
    let refused = NewRun { refused: Some(reason()), ..naming("refused from the start", face) };
    ledger.admit(vec![refused]).await.unwrap();
    assert_eq!(ledger.let_go("w", false).await.unwrap(), 1);
    ledger.check_journal().await.unwrap();
}

#[tokio::test]
async fn a_split_hands_the_reading_on_and_the_last_child_lets_go() {
    let world = World::new();
    let ledger = world.ledger();
    let face = world.store(b"a face");
    let batch = naming("batch", face);
    ledger.admit(vec![batch.clone()]).await.unwrap();
    let lease = only(ledger.claim("w", 9).await.unwrap());
    let child = |name: &str| NewRun { parent: Some(batch.id), cursor: 1, ..naming(name, face) };
    let children = vec![child("a"), child("b"), NewRun { refused: Some(reason()), ..child("c") }];
    let split = Settlement::Split(still_wanting(face), children.clone());
    assert!(ledger.settle(&lease.key, "w", split).await.unwrap());
    for left in [2, 1] {
        assert_eq!(ledger.let_go("w", true).await.unwrap(), 0, "{left} children have not judged it");
        let lease = ledger.claim("w", 1).await.unwrap().remove(0);
        assert!(ledger.settle(&lease.key, "w", Settlement::Done(made("judged"))).await.unwrap());
    }
    assert_eq!(ledger.let_go("w", false).await.unwrap(), 1);
    for name in ["batch", "a", "b", "c"] {
        assert_eq!(world.told(name), 1, "{name}");
    }
    // The batch is handed in again, since a part was refused: its reading comes again, for that part alone.
    world.store(b"a face");
    assert_eq!(ledger.admit(vec![batch]).await.unwrap(), [Admission::Again(State::Ready)]);
    let lease = only(ledger.claim("w", 9).await.unwrap());
    let again = children.into_iter().map(|c| NewRun { refused: None, ..c }).collect();
    assert!(ledger.settle(&lease.key, "w", Settlement::Split(still_wanting(face), again)).await.unwrap());
    assert_eq!(ledger.let_go("w", true).await.unwrap(), 0);
    let lease = only(ledger.claim("w", 9).await.unwrap());
    assert_eq!((lease.label.as_str(), world.has(face)), ("c", true));
    assert!(ledger.settle(&lease.key, "w", Settlement::Done(made("judged"))).await.unwrap());
    assert_eq!(ledger.let_go("w", true).await.unwrap(), 1);
    ledger.check_journal().await.unwrap();
}

#[tokio::test]
async fn a_crash_between_settling_removing_and_committing_is_made_good() {
    let world = World::new();
    let ledger = world.ledger();
    let faces = [world.store(b"removed, not committed"), world.store(b"settled, not removed")];
    ledger.admit(vec![naming("one", faces[0]), naming("two", faces[1])]).await.unwrap();
    for lease in ledger.claim("w", 9).await.unwrap() {
        assert!(ledger.settle(&lease.key, "w", Settlement::Done(made("judged"))).await.unwrap());
    }
    drop(ledger);
    fs::remove_file(world.readings.path(&faces[0])).unwrap();
    let ledger = world.ledger();
    assert_eq!(ledger.let_go("w", false).await.unwrap(), 2);
    assert_eq!(ledger.let_go("w", true).await.unwrap(), 0);
    assert!(!world.has(faces[1]));
    assert_eq!((world.told("one"), world.told("two")), (1, 1), "said once, whoever removed it");
    ledger.check_journal().await.unwrap();
}

#[tokio::test]
async fn one_reading_of_two_dossiers_stays_for_the_slower_one() {
    let world = World::new();
    let ledger = world.ledger();
    let face = world.store(b"a face");
    ledger.admit(vec![naming("quick", face)]).await.unwrap();
    let quick = only(ledger.claim("w", 9).await.unwrap());
    assert!(ledger.settle(&quick.key, "w", Settlement::Done(made("judged"))).await.unwrap());
    // The second comes after the first let go, and before anybody removed it.
    assert_eq!(world.store(b"a face"), face);
    ledger.admit(vec![naming("slow", face)]).await.unwrap();
    assert_eq!(ledger.let_go("w", true).await.unwrap(), 0);
    assert!(world.has(face));
    let slow = ledger.claim("w", 9).await.unwrap().into_iter().find(|l| l.label == "slow").unwrap();
    assert!(ledger.settle(&slow.key, "w", Settlement::Done(made("judged"))).await.unwrap());
    assert_eq!(ledger.let_go("w", false).await.unwrap(), 1);
    assert_eq!((world.told("quick"), world.told("slow")), (1, 1));
}

#[tokio::test]
async fn what_is_handed_in_again_after_it_was_let_go_of_is_taken_or_goes_again() {
    let world = World::new();
    let ledger = world.ledger();
    let face = world.store(b"a face");
    let (done, refused) =
        (NewRun { steps: 1, ..naming("done", face) }, NewRun { steps: 1, ..naming("refused", face) });
    ledger.admit(vec![done.clone(), refused.clone()]).await.unwrap();
    for lease in ledger.claim("w", 9).await.unwrap() {
        let settlement = match lease.label.as_str() {
            "done" => Settlement::Done(made("judged")),
            _ => Settlement::Refused(None, reason()),
        };
        assert!(ledger.settle(&lease.key, "w", settlement).await.unwrap());
    }
    assert_eq!(ledger.let_go("w", true).await.unwrap(), 1);
    // Neither the same again nor a copy under another name is worked on, so neither may leave a face behind.
    let copy = NewRun { source: "a copy".into(), ..done.clone() };
    for (again, answer) in
        [(done.clone(), Admission::Again(State::Done)), (copy, Admission::Duplicate("done".into()))]
    {
        world.store(b"a face");
        assert_eq!(ledger.admit(vec![again]).await.unwrap(), [answer]);
        assert_eq!(ledger.let_go("w", false).await.unwrap(), 1);
        assert!(!world.has(face));
    }
    // What was refused is judged again, and needs it.
    world.store(b"a face");
    assert_eq!(ledger.admit(vec![refused]).await.unwrap(), [Admission::Again(State::Ready)]);
    assert_eq!(ledger.admit(vec![done]).await.unwrap(), [Admission::Again(State::Done)]);
    assert_eq!(ledger.let_go("w", true).await.unwrap(), 0);
    assert!(world.has(face));
    ledger.check_journal().await.unwrap();
}

/// The very order in which a reading could be lost: stored (the file was there), removed, admitted.
#[tokio::test]
async fn a_removal_between_storing_and_admitting_is_told_and_nothing_is_admitted() {
    let world = World::new();
    let (ledger, other_process) = (world.ledger(), world.ledger());
    let face = world.store(b"a face");
    ledger.admit(vec![naming("first", face)]).await.unwrap();
    let lease = only(ledger.claim("w", 9).await.unwrap());
    assert!(ledger.settle(&lease.key, "w", Settlement::Done(made("judged"))).await.unwrap());
    assert_eq!(world.store(b"a face"), face);
    assert_eq!(other_process.let_go("w", false).await.unwrap(), 1);
    let both = vec![run("without a reading"), naming("second", face)];
    let fault = ledger.admit(both.clone()).await.unwrap_err();
    assert_eq!(fault.code, &READING_GONE);
    assert_eq!(ledger.runs().await.unwrap().len(), 1, "all together or none");
    world.store(b"a face");
    assert_eq!(ledger.admit(both).await.unwrap(), [Admission::New, Admission::New]);
    assert_eq!(other_process.let_go("w", true).await.unwrap(), 0);
    assert!(world.has(face));
}

#[tokio::test]
async fn what_was_stored_and_never_admitted_goes_after_an_hour() {
    let world = World::new();
    let ledger = world.ledger();
    let (young, old, named) = (world.store(b"young"), world.store(b"old"), world.store(b"named"));
    ledger.admit(vec![naming("one", named)]).await.unwrap();
    for reading in [old, named] {
        let file = fs::File::options().write(true).open(world.readings.path(&reading)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(3700)).unwrap();
    }
    assert_eq!(ledger.let_go("w", false).await.unwrap(), 0);
    assert_eq!(ledger.let_go("w", true).await.unwrap(), 1);
    assert_eq!((world.has(young), world.has(old), world.has(named)), (true, false, true));
}

#[tokio::test]
async fn what_cannot_be_removed_is_said_and_stays_on_the_list() {
    let world = World::new();
    let ledger = world.ledger();
    let faces = [world.store(b"one"), world.store(b"two")];
    ledger.admit(vec![naming("one", faces[0]), naming("two", faces[1])]).await.unwrap();
    for lease in ledger.claim("w", 9).await.unwrap() {
        assert!(ledger.settle(&lease.key, "w", Settlement::Done(made("judged"))).await.unwrap());
    }
    // A folder in its place: not even root removes that as a file.
    let path = world.readings.path(&faces[0]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(ledger.let_go("w", false).await.unwrap_err().code.id, "BLOB-005");
    assert!(!world.has(faces[1]), "the others do not wait for it");
    assert_eq!((world.told("one"), world.told("two")), (0, 1));
    fs::remove_dir(&path).unwrap();
    assert_eq!(ledger.let_go("w", false).await.unwrap(), 1);
    assert_eq!(world.told("one"), 1);
}

/// Few readings, many runs that name them, two ledgers on one file, removals all the time: whoever was told that it is
/// admitted finds its reading.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_admission_loses_its_reading_to_a_removal_however_they_race() {
    let world = Arc::new(World::new());
    let stop = Arc::new(AtomicBool::new(false));
    let (judged, again, removed) =
        (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let mut tasks = Vec::new();
    for process in 0..2u64 {
        let ledger = Arc::new(world.ledger());
        let remover = {
            let (ledger, stop, removed) = (Arc::clone(&ledger), Arc::clone(&stop), Arc::clone(&removed));
            async move {
                while !stop.load(Ordering::SeqCst) {
                    removed.fetch_add(ledger.let_go("w", false).await.unwrap(), Ordering::SeqCst);
                    tokio::task::yield_now().await;
                }
            }
        };
        tasks.push(tokio::spawn(remover));
        let desk = {
            let (world, ledger, stop) = (Arc::clone(&world), Arc::clone(&ledger), Arc::clone(&stop));
            let (judged, again) = (Arc::clone(&judged), Arc::clone(&again));
            async move {
                let mut dice = Dice(process);
                for number in 0.. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let bytes = format!("face {}", dice.below(3));
                    let name = format!("{process} {number}");
                    loop {
                        let face = world.store(bytes.as_bytes());
                        // As long as storing the other files of a batch takes.
                        tokio::time::sleep(Duration::from_millis(dice.below(8))).await;
                        match ledger.admit(vec![naming(&name, face)]).await {
                            Ok(_) => {
                                // Looked for first: whoever still wants it afterwards wanted it then.
                                let there = world.has(face);
                                assert!(there || !world.held(&name), "{name}: admitted without its reading");
                                break;
                            }
                            Err(fault) if fault.code == &READING_GONE => {
                                again.fetch_add(1, Ordering::SeqCst);
                            }
                            Err(fault) => panic!("{fault}"),
                        }
                    }
                    for lease in ledger.claim("w", 2).await.unwrap() {
                        if lease.cursor == 0 {
                            let face = Blake3(hex::decode(&lease.record).unwrap().try_into().unwrap());
                            assert!(
                                world.readings.get(&face).is_ok(),
                                "{}: its reading is gone",
                                lease.label
                            );
                            judged.fetch_add(1, Ordering::SeqCst);
                        }
                        assert!(
                            ledger.settle(&lease.key, "w", Settlement::Done(made("judged"))).await.unwrap()
                        );
                    }
                }
            }
        };
        tasks.push(tokio::spawn(desk));
    }
    // Three seconds, or on a slow disk as long as it takes until enough went on.
    for second in 0..60 {
        let [judged, removed] = [&judged, &removed].map(|n| n.load(Ordering::SeqCst));
        if second >= 3 && judged > 20 && removed > 5 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    stop.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.unwrap();
    }
    let [judged, again, removed] = [judged, again, removed].map(|n| n.load(Ordering::SeqCst));
    eprintln!("{judged} readings judged, {removed} removed, {again} stored again");
    assert!(judged > 20 && removed > 5, "too little went on: {judged} {removed}");
    world.ledger().check_journal().await.unwrap();
}

/// A pipeline over a true dossier, then every byte of the station.
#[test]
fn after_a_run_the_face_is_nowhere_at_the_station() {
    let Some(desk) = Desk::new("keep = \"verdict\"") else { return };
    let run = desk.run(&["--json"]);
    assert_eq!(run.0, Some(0), "{}", run.1);
    let dossier = desk.record();
    let reading = &dossier.readings[0];
    let handed_in = fs::read(desk.reading()).unwrap();
    assert_eq!(
        reading.digests.sha256,
        Sha256::of(&handed_in),
        "whoever has the file can show that it is the one"
    );
    let evidence = reading.evidence.as_ref().unwrap();
    for number in [1, 2, 13] {
        let file = fs::read(desk.groups.path().join(format!("DG{number}.bin"))).unwrap();
        assert_eq!(evidence.groups[&number], Sha256::of(&file));
    }
    assert_eq!(evidence.groups.len(), 3);
    assert_eq!(dossier.verdict.as_ref().unwrap().dg.len(), 3);
    // The signed list is enough to judge signature and chain again.
    let sod = desk.blob(evidence.sod.unwrap()).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&handed_in).unwrap();
    assert_eq!(
        base64::engine::general_purpose::STANDARD.encode(&sod),
        json["files"]["SOD"].as_str().unwrap()
    );
    assert_eq!(desk.found(&run.1), Vec::<String>::new());
    assert_eq!(files(&desk.ground.station().join("var/readings")), Vec::<PathBuf>::new());
    // Nothing that is done later needs it, and a copy that is handed in leaves nothing either.
    assert_eq!(desk.ground.verify().status.code(), Some(0));
    for args in [&["status", "--json"][..], &["work", "--until-idle", "--out-again"], &["check"]] {
        let output = desk.ground.hoso(args).env("HOSO_LOG", "trace").output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(desk.found(&said), Vec::<String>::new(), "{args:?}");
    }
    let again = desk.run(&[]);
    assert_eq!((again.0, desk.found(&again.1)), (Some(0), vec![]));
    assert!(String::from_utf8_lossy(&desk.ground.output(&["status"]).stdout).contains("chain whole"));
}

#[test]
fn a_pipeline_that_says_so_keeps_the_reading_or_all_of_it_but_the_face() {
    let Some(desk) = Desk::new("keep = \"reading\"") else { return };
    let run = desk.run(&[]);
    assert_eq!(run.0, Some(0), "{}", run.1);
    let found = desk.found("");
    assert!(
        found.iter().any(|f| f.contains("face")) && found.iter().any(|f| f.contains("DG13")),
        "{found:?}"
    );
    let raw = desk.ground.station().join("raw");
    fs::write(&raw, fs::read(desk.groups.path().join("DG2.bin")).unwrap()).unwrap();
    assert!(
        desk.found("").iter().any(|f| f.contains("face") && f.ends_with("raw")),
        "a raw face is not found"
    );
    fs::remove_file(raw).unwrap();
    let kept = desk.record().readings[0].digests.blake3;
    let path = desk.ground.station().join("var/readings").join(&kept.to_string()[..2]).join(kept.to_string());
    assert_eq!(fs::read(path).unwrap(), fs::read(desk.reading()).unwrap());

    let Some(desk) = Desk::new("keep = \"without-face\"") else { return };
    let run = desk.run(&[]);
    assert_eq!(run.0, Some(0), "{}", run.1);
    let found = desk.found(&run.1);
    assert!(!found.is_empty() && !found.iter().any(|f| f.contains("face")), "{found:?}");
    let rest = desk.record().readings[0].evidence.clone().unwrap().without_face.unwrap();
    let reading = hoso::chip::Reading::parse(&desk.blob(rest).unwrap()).unwrap();
    assert_eq!(
        (reading.dg(1).is_some(), reading.dg(2).is_some(), reading.dg(13).is_some()),
        (true, false, true)
    );
    assert_eq!(files(&desk.ground.station().join("var/readings")), Vec::<PathBuf>::new());
}

#[test]
fn a_refused_dossier_keeps_no_face_and_can_be_handed_in_again() {
    let Some(desk) = Desk::with("keep = \"verdict\"", &["--tamper", "13"]) else { return };
    for _ in 0..2 {
        let run = desk.run(&[]);
        assert_eq!(run.0, Some(1), "{}", run.1);
        assert!(run.1.contains("STEP-041"), "{}", run.1);
        assert_eq!(desk.found(&run.1), Vec::<String>::new());
        assert!(desk.record().verdict.is_some());
    }
    // What is no reading at all is refused before any verdict, and goes too.
    let broken =
        String::from_utf8(fs::read(desk.reading()).unwrap()).unwrap().replace("\"version\"", "\"vision\"");
    fs::write(desk.reading(), broken).unwrap();
    let run = desk.run(&[]);
    assert!(run.1.contains("CHIP-001"), "{}", run.1);
    assert_eq!(desk.found(&run.1), Vec::<String>::new());
}

#[test]
fn an_answer_to_this_station_counts_for_one_dossier() {
    let key = tempfile::tempdir().unwrap();
    let key = key.path().join("aa.key");
    let made = Command::new("openssl")
        .args(["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"])
        .arg(&key)
        .output();
    assert!(made.is_ok_and(|made| made.status.success()));
    let Some(desk) = Desk::with("keep = \"verdict\"", &["--aa-key", key.to_str().unwrap()]) else { return };
    let flags = |dossier: &Dossier| {
        let verdict = serde_json::to_value(dossier.verdict.as_ref().unwrap()).unwrap();
        (verdict["overall"]["class"].as_str().unwrap().to_owned(), verdict["flags"].to_string())
    };
    let judged = |phone: &str, overall: &str, flag: &str, finding: Option<&str>| {
        desk.with_phone(phone);
        let run = desk.run(&[]);
        assert_eq!(run.0, Some(0), "{}", run.1);
        let (said, flags) = flags(&desk.record());
        assert_eq!(said, overall);
        for known in ["aa_spent", "aa_late", "aa_challenge_unproven"] {
            assert_eq!(flags.contains(known), known == flag, "{flags}");
        }
        let found = desk.record().findings.into_iter().map(|f| f.code);
        let found: Vec<String> = found.filter(|code| ["STEP-045", "STEP-046"].contains(&&**code)).collect();
        assert_eq!(found.first().map(String::as_str), finding);
    };
    // A station that asked nothing.
    judged("0100999006", "genuine", "aa_challenge_unproven", None);
    judged("0100999007", "genuine_clone_unchecked", "aa_spent", Some("STEP-045"));

    // One that did, of a chip that is asked again: another dossier each, so that it is judged anew.
    let station = Station::find(Some(&desk.ground.station())).unwrap();
    let asked_at = |at_ms: i64| {
        let question = answer_again(&desk.reading(), &key);
        Challenges::of(&station).give_out(&Sha256::of(&question), at_ms).unwrap();
    };
    asked_at(Clock::System.now_ms());
    judged("0100999008", "genuine", "", None);
    judged("0100999009", "genuine_clone_unchecked", "aa_spent", Some("STEP-045"));
    asked_at(Clock::System.now_ms() - GOOD_FOR_MS - 60_000);
    judged("0100999010", "genuine_clone_unchecked", "aa_late", Some("STEP-046"));
    judged("0100999011", "genuine_clone_unchecked", "aa_spent", Some("STEP-045"));
}

/// Lets the chip with this key answer another question, which is returned.
fn answer_again(reading: &Path, key: &Path) -> Vec<u8> {
    let key = openssl::ec::EcKey::private_key_from_pem(&fs::read(key).unwrap()).unwrap();
    let mut question = vec![0; 8];
    openssl::rand::rand_bytes(&mut question).unwrap();
    let signature = openssl::ecdsa::EcdsaSig::sign(&openssl::sha::sha256(&question), &key).unwrap();
    let plain = [signature.r(), signature.s()].map(|n| n.to_vec_padded(32).unwrap()).concat();
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(reading).unwrap()).unwrap();
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    json["active_authentication"] =
        serde_json::json!({"challenge": base64(&question), "response": base64(&plain)});
    fs::write(reading, json.to_string()).unwrap();
    question
}

/// A store of readings and a file for ledgers over it.
struct World {
    dir: tempfile::TempDir,
    readings: Arc<Blobs>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let readings = Arc::new(Blobs::open(&dir.path().join("readings")).unwrap());
        World { dir, readings }
    }

    /// Another connection, as another process has one.
    fn ledger(&self) -> SqliteLedger {
        let ledger = SqliteLedger::open(&self.dir.path().join("ledger.db"), Clock::System).unwrap();
        ledger.with_readings(Arc::clone(&self.readings))
    }

    fn store(&self, bytes: &[u8]) -> Blake3 {
        self.readings.put(bytes).unwrap().blake3
    }

    fn has(&self, reading: Blake3) -> bool {
        self.readings.stands(&reading).unwrap()
    }

    fn held(&self, name: &str) -> bool {
        let db = Connection::open(self.dir.path().join("ledger.db")).unwrap();
        let sql = "SELECT EXISTS (SELECT 1 FROM reading WHERE run=?1 AND state='held')";
        db.query_row(sql, [&run(name).id.0[..]], |r| r.get(0)).unwrap()
    }

    /// How often the journal of a run says that its reading is gone.
    fn told(&self, name: &str) -> i64 {
        let db = Connection::open(self.dir.path().join("ledger.db")).unwrap();
        let sql = "SELECT count(*) FROM journal WHERE run=?1 AND kind='let-go'";
        db.query_row(sql, [&run(name).id.0[..]], |r| r.get(0)).unwrap()
    }
}

/// A run that names a reading; its record is the reading's digest.
fn naming(name: &str, reading: Blake3) -> NewRun {
    NewRun {
        readings: vec![Wanted { reading, kept: false }],
        record: reading.to_string().into_bytes(),
        ..run(name)
    }
}

fn still_wanting(reading: Blake3) -> StepRecord {
    StepRecord { readings: vec![Wanted { reading, kept: false }], ..made("not judged yet") }
}

fn only(mut leases: Vec<Lease>) -> Lease {
    assert_eq!(leases.len(), 1, "{leases:?}");
    leases.remove(0)
}

/// A training station, a pipeline of its own and one dossier with a reading that holds what must not be found again.
struct Desk {
    ground: Playground,
    groups: tempfile::TempDir,
    canaries: Vec<(String, Vec<u8>)>,
}

impl Desk {
    /// `None`, said aloud, where there is no openssl to mint with.
    fn new(keep: &str) -> Option<Self> {
        Self::with(keep, &[])
    }

    fn with(keep: &str, mint: &[&str]) -> Option<Self> {
        let ground = Playground::new(&[]);
        let pipeline =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/intake-desk.toml"));
        let pipeline = pipeline.unwrap();
        let told = pipeline.replace("on-missing = \"note\"", &format!("on-missing = \"refuse\", {keep}"));
        assert_ne!(pipeline, told);
        fs::write(ground.station().join("pipelines/told.toml"), told).unwrap();
        let input = ground.input().join("batch");
        fs::create_dir_all(&input).unwrap();
        for path in files(&samples().join("intake/batch-3")) {
            fs::copy(&path, input.join(path.file_name().unwrap())).unwrap();
        }
        let groups = tempfile::tempdir().unwrap();
        let mut canaries = Vec::new();
        for number in [1, 2, 13] {
            let mut file = fs::read(samples().join(format!("chip/batch-3/DG{number}.bin"))).unwrap();
            match number {
                1 => {
                    // The zone's lines; the document number in the first is that on the card's QR code.
                    let zone = &file[file.len() - 90..];
                    canaries.extend(zone.chunks(30).map(|line| ("DG1".to_owned(), line.to_vec())));
                }
                2 => {
                    let middle = [file.len() / 4, file.len() / 2, file.len() - 100];
                    canaries.extend(middle.map(|at| ("the face".to_owned(), file[at..at + 60].to_vec())));
                }
                _ => {
                    // Identifying marks, which nobody types: of the same length, so that the file stays what it is.
                    let at = file.windows(3).position(|w| w == [2, 1, 10]).unwrap() + 3;
                    let length = usize::from(file[at + 1]);
                    let marks = &mut file[at + 2..at + 2 + length];
                    marks.copy_from_slice(&b"SEOCANHCACHTRENDUOIMAT".repeat(6)[..length]);
                    canaries.push(("DG13".to_owned(), marks.to_vec()));
                }
            }
            fs::write(groups.path().join(format!("DG{number}.bin")), file).unwrap();
        }
        let desk = Desk { ground, groups, canaries };
        let keys = desk.ground.station().join("keys");
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/mint-reading"));
        command.arg("--dgs").arg(desk.groups.path()).args(mint).arg("-o").arg(desk.reading());
        command.arg("--ds").arg(keys.join("ds.pem")).arg("--key").arg(keys.join("ds.key"));
        match command.output() {
            Ok(output) if output.status.success() => Some(desk),
            other => {
                eprintln!("skipped: no reading can be minted: {other:?}");
                None
            }
        }
    }

    fn reading(&self) -> PathBuf {
        self.ground.input().join("batch/card.reading.json")
    }

    /// Another citizen's dossier, as far as the typed phone number says.
    fn with_phone(&self, number: &str) {
        let slip = self.ground.input().join("batch/dossier.toml");
        let text = fs::read_to_string(&slip).unwrap();
        let other = |line: &str| match line.starts_with("phone = ") {
            true => format!("phone = \"{number}\"\n"),
            false => format!("{line}\n"),
        };
        fs::write(slip, text.lines().map(other).collect::<String>()).unwrap();
    }

    /// Hands the dossier in with everything logged; gives the exit code and all that was said.
    fn run(&self, more: &[&str]) -> (Option<i32>, String) {
        let input = self.ground.input().join("batch");
        let mut command = self.ground.hoso(&["run", "told", input.to_str().unwrap()]);
        let output = command.args(more).env("HOSO_LOG", "trace").env("RUST_LOG", "trace").output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), said)
    }

    /// The record of the dossier that was handed in last.
    fn record(&self) -> Dossier {
        let db = Connection::open(self.ground.station().join("var/ledger.db")).unwrap();
        let sql = "SELECT record FROM run WHERE state<>'split' ORDER BY admitted_at DESC LIMIT 1";
        let record: Vec<u8> = db.query_row(sql, [], |r| r.get(0)).unwrap();
        serde_json::from_slice(&record).unwrap()
    }

    fn blob(&self, digest: Blake3) -> Option<Vec<u8>> {
        let hex = digest.to_string();
        fs::read(self.ground.station().join("var/blobs").join(&hex[..2]).join(hex)).ok()
    }

    /// Which of what must not be found lies where: raw, in hexadecimal, in base64 at each of three offsets.
    fn found(&self, said: &str) -> Vec<String> {
        let mut places: Vec<(String, Vec<u8>)> = files(&self.ground.station())
            .into_iter()
            .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
            .collect();
        assert!(places.len() > 30, "this is no station");
        let db = Connection::open(self.ground.station().join("var/ledger.db")).unwrap();
        // Whole, since a long record lies in pieces in its file.
        let mut rows = db.prepare("SELECT record, coalesce(reason, '') FROM run").unwrap();
        let rows = rows.query_map([], |r| Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, String>(1)?))).unwrap();
        for row in rows {
            let (record, reason) = row.unwrap();
            places.extend([("a record".to_owned(), record), ("a reason".to_owned(), reason.into_bytes())]);
        }
        places.push(("what was said".to_owned(), said.as_bytes().to_vec()));
        // As text, for which the standard library's search is quick; what is no text is the same replacement everywhere.
        let places: Vec<(String, String)> =
            places.into_iter().map(|(n, bytes)| (n, String::from_utf8_lossy(&bytes).into_owned())).collect();
        let mut found = Vec::new();
        for (what, bytes) in &self.canaries {
            // Without its ends, which stand for something else beside other neighbours.
            let raw: Vec<char> = String::from_utf8_lossy(bytes).chars().collect();
            let mut forms =
                vec![raw[4..raw.len() - 4].iter().collect(), hex::encode(bytes), hex::encode_upper(bytes)];
            for offset in 0..3 {
                let shifted = [&[0; 3][..offset], bytes].concat();
                let text = base64::engine::general_purpose::STANDARD_NO_PAD.encode(shifted);
                forms.push(text[4..text.len() - 4].to_owned());
            }
            for (place, content) in &places {
                if forms.iter().any(|form| content.contains(form.as_str())) {
                    found.push(format!("{what}: {place}"));
                }
            }
        }
        found
    }
}
