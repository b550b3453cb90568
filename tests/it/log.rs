//! `hoso log` as a clerk, a court and another office use it: seven results, time stamps, witnesses and copies over HTTP.

use crate::issuer::judged;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

struct Room {
    folder: tempfile::TempDir,
}

struct Said {
    code: i32,
    out: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(self.out.lines().next().unwrap_or_default()).unwrap_or_default()
    }
}

fn hoso(arguments: &[&str]) -> Said {
    let run = Command::new(env!("CARGO_BIN_EXE_hoso")).args(arguments).current_dir("/").output().unwrap();
    let out = String::from_utf8_lossy(&run.stdout).into_owned();
    Said { code: run.status.code().unwrap_or(-1), out }
}

impl Room {
    fn new(arguments: &[&str]) -> Room {
        let room = Room { folder: tempfile::tempdir().unwrap() };
        let log = room.path("log");
        assert_eq!(hoso(&[&["log", "init", &log, "--origin", "h49.vn/log"], arguments].concat()).code, 0);
        room
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn paper(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, format!("giấy {name}")).unwrap();
        path
    }

    fn append(&self, name: &str, more: &[&str]) -> (String, String) {
        let (paper, log) = (self.paper(&format!("{name}.pdf")), self.path("log"));
        let said = hoso(
            &[&["log", "append", &log, &paper, "--office", "H49.12", "--type", "result"], more].concat(),
        );
        assert_eq!(said.code, 0, "{}", said.out);
        (self.path(&format!("{name}.tlog-proof")), paper)
    }

    fn check(&self, receipt: &str, paper: &str, more: &[&str]) -> Said {
        let key = self.path("log/verifier.key");
        hoso(&[&["log", "check", receipt, paper, "--key", &key, "--json"], more].concat())
    }
}

/// A child that says where it listens.
struct Listening {
    child: Child,
    url: String,
}

impl Listening {
    fn start(command: &mut Command) -> Listening {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let from = line.find("http").unwrap_or_else(|| panic!("{line}"));
        let url = line[from..].split(['"', ' ', '/']).take(3).collect::<Vec<_>>().join("/");
        std::thread::spawn(move || lines.for_each(drop));
        Listening { child, url }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_of_the_seven_results_has_its_own_exit_code_and_sentence() {
    let room = Room::new(&[]);
    let (receipt, paper) = room.append("one", &[]);
    let (key, log) = (room.path("log/verifier.key"), room.path("log"));
    let mut sentences = std::collections::HashSet::new();
    let mut expect = |said: &Said, code: i32, result: &str| {
        let verdict = &said.json()["verdict"];
        assert_eq!((said.code, verdict["result"].as_str()), (code, Some(result)), "{}", said.out);
        assert!(!verdict["not_checked"].as_array().unwrap().is_empty());
        assert!(sentences.insert(verdict["vi"].to_string()) && sentences.insert(verdict["en"].to_string()));
        assert_eq!(verdict["remedy_vi"].is_null(), code == 0);
    };
    expect(&room.check(&receipt, &paper, &[]), 0, "valid");
    let other = room.paper("other.pdf");
    expect(&room.check(&receipt, &other, &[]), 10, "altered");
    std::fs::create_dir(room.path("roots")).unwrap();
    expect(&room.check(&receipt, &paper, &["--trust", &room.path("roots")]), 11, "not-yet-anchored");
    expect(&hoso(&["log", "check", &receipt, &paper, "--json"]), 12, "unknown-log");

    // The same key over another history.
    let second = room.path("second");
    std::fs::create_dir(&second).unwrap();
    for name in ["key.pem", "verifier.key"] {
        std::fs::copy(format!("{log}/{name}"), format!("{second}/{name}")).unwrap();
    }
    let said = hoso(&["log", "append", &second, &other, "--office", "H49.12"]);
    assert_eq!(said.code, 0, "{}", said.out);
    expect(&room.check(&receipt, &paper, &["--log", &second]), 13, "broken-consistency");

    assert_eq!(room.check(&receipt, &paper, &["--log", &log]).code, 0);
    let (_, newer) = room.append("two", &["--supersedes", &sha256(&paper)]);
    expect(&room.check(&receipt, &paper, &["--log", &log]), 15, "superseded");
    let by_receipt = room.check(&receipt, &paper, &["--newer", &room.path("two.tlog-proof")]);
    assert_eq!(
        (by_receipt.code, by_receipt.json()["verdict"]["superseded_by"].as_str()),
        (15, Some(&*sha256(&newer)))
    );
    let notice = hoso(&["log", "revoke", &log, &paper]);
    assert_eq!(notice.code, 0);
    std::fs::write(room.path("notice.tlog-proof"), &notice.out).unwrap();
    expect(&room.check(&receipt, &paper, &["--newer", &room.path("notice.tlog-proof")]), 14, "revoked");
    assert_eq!(room.check(&receipt, &paper, &["--log", &log]).code, 14);
    // A receipt alone cannot know.
    assert_eq!(room.check(&receipt, &paper, &[]).code, 0);
    // Documents with their receipts beside them: the worst counts.
    let two = room.path("two.pdf");
    assert_eq!(hoso(&["log", "check", &paper, &two, "--key", &key, "--log", &log]).code, 14);
    assert_eq!(hoso(&["log", "check", &two, "--key", &key]).code, 0);
    assert_eq!(hoso(&["log", "check", &paper, &room.path("absent.pdf"), "--key", &key]).code, 3);
}

fn sha256(path: &str) -> String {
    hex::encode(openssl::sha::sha256(&std::fs::read(path).unwrap()))
}

#[test]
fn checkpoint_prove_consistency_and_verify_agree_on_a_log_and_on_its_copy() {
    let room = Room::new(&[]);
    let log = room.path("log");
    for i in 0..5 {
        room.append(&format!("paper{i}"), &[]);
    }
    let head = hoso(&["log", "checkpoint", &log, "--json"]).json();
    assert_eq!((head["origin"].as_str(), head["size"].as_u64()), (Some("h49.vn/log"), Some(5)));
    assert_eq!(head["note"].as_str(), Some(&*hoso(&["log", "checkpoint", &log]).out));
    let proof = hoso(&["log", "prove", &log, &room.path("paper2.pdf")]);
    let again = room.path("again.tlog-proof");
    std::fs::write(&again, &proof.out).unwrap();
    assert_eq!(room.check(&again, &room.path("paper2.pdf"), &[]).code, 0);
    assert_eq!(hoso(&["log", "prove", &log, &room.paper("never.pdf")]).code, 3);
    let growth = hoso(&["log", "consistency", &log, "--from", "3", "--json"]).json();
    assert_eq!((growth["to"].as_u64(), growth["proof"].as_array().map(Vec::len)), (Some(5), Some(4)));
    assert_eq!(hoso(&["log", "consistency", &log, "--from", "3", "--to", "9"]).code, 3);

    let sound = hoso(&["log", "verify", &log, "--json"]).json();
    assert_eq!((sound["result"].as_str(), sound["audit"]["heads"].as_u64()), (Some("valid"), Some(6)));
    // What a web server has: checkpoint and tiles.
    let copy = room.path("copy");
    for part in ["checkpoint", "tile/0/000.p/5", "tile/entries/000.p/5"] {
        let target = PathBuf::from(format!("{copy}/{part}"));
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(format!("{log}/{part}"), target).unwrap();
    }
    let key = room.path("log/verifier.key");
    assert_eq!(hoso(&["log", "verify", &copy, "--key", &key]).code, 0);
    let tile = format!("{copy}/tile/0/000.p/5");
    let mut bytes = std::fs::read(&tile).unwrap();
    bytes[70] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    assert_ne!(hoso(&["log", "verify", &copy, "--key", &key]).code, 0);
    assert_eq!(hoso(&["log", "checkpoint"]).code, 4);
}

#[test]
fn the_log_of_a_station_and_a_bare_copy_of_it_are_verified_with_the_keys_of_the_station() {
    let folder = tempfile::tempdir().unwrap();
    let path = |below: &str| folder.path().join(below).display().to_string();
    let station = path("station");
    assert_eq!(hoso(&["init", &station, "--training"]).code, 0);
    let paper = path("ket-qua.pdf");
    std::fs::write(&paper, "giấy").unwrap();
    assert_eq!(hoso(&["log", "append", "--station", &station, &paper]).code, 0);
    let own = path("station/var/log");
    let copy = path("copy");
    assert!(Command::new("cp").args(["-r", &own, &copy]).status().unwrap().success());
    assert!(!Path::new(&copy).join("verifier.key").exists());
    for place in [&own, &copy, &path("station/var/../var/log")] {
        let said = hoso(&["log", "verify", place, "--station", &station, "--json"]);
        assert_eq!((said.code, &said.json()["audit"]["size"]), (0, &json!(1)), "{place}: {}", said.out);
    }
    assert_eq!(hoso(&["log", "check", &own, "--station", &station]).code, 0);
    // Named in full or not, it is the one log: a document of it goes in as the station's, the folder is not taken for one.
    let second = path("hai.pdf");
    std::fs::write(&second, "giấy hai").unwrap();
    assert_eq!(hoso(&["log", "append", &own, &second, "--station", &station]).code, 0);
    assert_eq!(hoso(&["log", "verify", &own, "--station", &station, "--json"]).json()["audit"]["size"], 2);
    // Without a station nobody vouches for it; another station's keys do not.
    assert_ne!(hoso(&["log", "verify", &copy]).code, 0);
    let other = path("other");
    assert_eq!(hoso(&["init", &other, "--training"]).code, 0);
    assert_ne!(hoso(&["log", "verify", &copy, "--station", &other]).code, 0);
}

#[test]
fn a_receipt_goes_out_as_cose_and_proves_the_entry_that_was_logged() {
    let room = Room::new(&[]);
    let (log, out) = (room.path("log"), room.path("receipt.cose"));
    for i in 0..5 {
        room.append(&format!("paper{i}"), &[]);
    }
    assert_eq!(hoso(&["log", "prove", &log, &room.paper("never.pdf"), "--cose", &out]).code, 3);
    assert!(!Path::new(&out).exists());
    let paper = room.path("paper2.pdf");
    assert_eq!(hoso(&["log", "prove", &log, &paper, "--cose", &room.path("absent/receipt.cose")]).code, 3);
    let text = hoso(&["log", "prove", &log, &paper, "--cose", &out]).out;
    let (entries, line) = (
        format!("{log}/tile/entries/000.p/5"),
        std::fs::read_to_string(room.path("log/verifier.key")).unwrap(),
    );
    let [name, id, public] = line.trim().splitn(3, '+').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let label = format!("{name}+{id}");
    let public = openssl::base64::decode_block(public).unwrap();
    let mut kept = Vec::new();
    for (index, survivors) in [(2, json!([[7, 2]])), (4, json!([]))] {
        let paper = room.path(&format!("paper{index}.pdf"));
        let said = hoso(&["log", "prove", &log, &paper, "--cose", &out, "--json"]).json();
        assert_eq!((said["size"].as_u64(), said["index"].as_u64()), (Some(5), Some(index)), "{said}");
        assert_eq!(said["cose"].as_str(), Some(&*out));
        // The entry is what lies in the tiles, and the hash of a statement about this paper.
        let statement = said["statement"].as_str().unwrap();
        assert!(statement.contains(&sha256(&paper)));
        let entry = hex::encode(openssl::sha::sha256(statement.as_bytes()));
        assert_eq!(said["entry"].as_str(), Some(&*entry));
        let tile = std::fs::read(&entries).unwrap();
        assert_eq!(hex::encode(&tile[34 * index as usize + 2..34 * (index as usize + 1)]), entry);
        let receipt = std::fs::read(&out).unwrap();
        kept.push((said["receipt"].to_string(), receipt.clone()));
        let ask =
            json!({ "receipt": hex::encode(&receipt), "entry": entry, "key": hex::encode(&public[1..]) });
        let Some(judgement) = judged("pycose", COSE_JUDGE, &ask) else { continue };
        // The signature is over the root: leaf 2 leads to it on the same path whether the tree is said to have 5 leaves or 7,
        // and that is all that may be said differently.
        let expected = json!({ "said": [5, index], "alg": "EDDSA", "kid": label, "survivors": survivors, "cut": 0, "other": null });
        assert_eq!(judgement, expected);
    }
    // Without --json the receipt's text is printed as ever, and the same proof gives the same bytes.
    assert_eq!(json!(text).to_string(), kept[0].0);
    assert_eq!(hoso(&["log", "prove", &log, &paper, "--cose", &out]).code, 0);
    assert_eq!(std::fs::read(&out).unwrap(), kept[0].1);
}

/// What PyPI `pycose` says of a receipt's signature over the root that a few lines of RFC 9162, 2.1.3.2 compute; of the receipt
/// with each bit changed, cut anywhere, and for another entry.
const COSE_JUDGE: &str = r"
import cbor2, hashlib, json, sys
from pycose.headers import KID, Algorithm
from pycose.keys import OKPKey
from pycose.messages import CoseMessage, Sign1Message
ask = json.load(sys.stdin)
receipt, entry = bytes.fromhex(ask['receipt']), bytes.fromhex(ask['entry'])
key = OKPKey(crv='ED25519', x=bytes.fromhex(ask['key']))
digest = lambda *parts: hashlib.sha256(b''.join(parts)).digest()

def root(entry, size, index, path):
    if not 0 <= index < size:
        raise ValueError('index')
    place, last, node = index, size - 1, digest(b'\0', entry)
    for sibling in path:
        if last == 0 or len(sibling) != 32:
            raise ValueError('path')
        if place & 1 or place == last:
            node = digest(b'\1', sibling, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = digest(b'\1', node, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ValueError('path')
    return node

def said(receipt, entry):
    try:
        message = CoseMessage.decode(receipt)
        if type(message) is not Sign1Message or message.payload is not None or message.phdr[395] != 1:
            return None
        message.key = key
        [proof] = message.uhdr[396][-1]
        size, index, path = cbor2.loads(proof)
        good = message.verify_signature(detached_payload=root(entry, size, index, path))
        return [size, index] if good else None
    except Exception:
        return None

changed = (receipt[:i] + bytes([receipt[i] ^ 1 << bit]) + receipt[i + 1:] for i in range(len(receipt)) for bit in range(8))
header = CoseMessage.decode(receipt).phdr
print(json.dumps({'said': said(receipt, entry), 'alg': header[Algorithm].fullname, 'kid': header[KID].decode(),
    'survivors': [what for what in (said(other, entry) for other in changed) if what],
    'cut': sum(said(receipt[:i], entry) is not None for i in range(len(receipt))), 'other': said(receipt, entry[::-1])}))
";

#[test]
fn a_dead_authority_delays_nothing_and_a_living_one_completes_the_receipts() {
    let world = tempfile::tempdir().unwrap();
    let station = world.path().join("tram").display().to_string();
    let made = hoso(&["init", &station, "--training"]);
    assert_eq!(made.code, 0, "{}", made.out);
    let (cert, key) = (format!("{station}/keys/tsa.pem"), format!("{station}/keys/tsa.key"));
    let room = Room::new(&["--tsa", "http://127.0.0.1:9"]);
    let log = room.path("log");
    let (receipt, paper) = room.append("one", &[]);
    let said = room.check(&receipt, &paper, &[]);
    assert_eq!(said.code, 11, "{}", said.out);
    let dead = hoso(&["log", "anchor", &log, "--json", "--refresh", &receipt]);
    assert_eq!((dead.code, dead.json()["stamped"].as_bool()), (5, Some(false)), "{}", dead.out);
    assert_eq!(room.check(&receipt, &paper, &[]).code, 11);

    if !Path::new(&key).exists() {
        println!("skipped: the training station has no keys/tsa.key");
        return;
    }
    let tsa = Listening::start(Command::new(env!("CARGO_BIN_EXE_hoso")).args([
        "mock",
        "tsa",
        "--listen",
        "127.0.0.1:0",
        "--key",
        &key,
        "--cert",
        &cert,
    ]));
    let alive = hoso(&["log", "anchor", &log, "--tsa", &tsa.url, "--json", "--refresh", &receipt]);
    assert_eq!((alive.code, alive.json()["completed"].as_u64()), (0, Some(1)), "{}", alive.out);
    let trust = format!("{station}/anchors");
    let said = room.check(&receipt, &paper, &["--trust", &trust]);
    assert_eq!(said.code, 0, "{}", said.out);
    assert!(said.json()["verdict"]["stamped_at"].is_string());
    assert_eq!(hoso(&["log", "verify", &log, "--json"]).json()["audit"]["stamps"].as_u64(), Some(1));

    // openssl sees the same token over the same text.
    let parts = room.path("parts");
    assert_eq!(hoso(&["log", "show", &receipt, "--extract", &parts]).code, 0);
    let roots: String = std::fs::read_dir(format!("{station}/anchors/signing"))
        .unwrap()
        .filter_map(|e| std::fs::read_to_string(e.unwrap().path()).ok())
        .filter(|text| text.contains("BEGIN CERTIFICATE"))
        .collect();
    std::fs::write(format!("{parts}/roots.pem"), roots).unwrap();
    let judge = Command::new("openssl")
        .args([
            "ts",
            "-verify",
            "-token_in",
            "-in",
            "token.tst",
            "-data",
            "checkpoint.txt",
            "-CAfile",
            "roots.pem",
        ])
        .current_dir(&parts)
        .output();
    match judge {
        Ok(judge) => assert!(judge.status.success(), "{}", String::from_utf8_lossy(&judge.stderr)),
        Err(e) => println!("skipped: openssl: {e}"),
    }
}

#[test]
fn one_office_witnesses_another_over_http_and_the_tiles_are_served() {
    let room = Room::new(&[]);
    let (receipt, paper) = room.append("one", &[]);
    let (log, world) = (room.path("log"), tempfile::tempdir().unwrap());
    let station = world.path().join("tinh").display().to_string();
    assert_eq!(hoso(&["init", &station, "--training"]).code, 0);
    let witness = room.path("witness");
    assert_eq!(hoso(&["log", "init", &witness, "--origin", "tinh.vn/nhan-chung"]).code, 0);
    std::fs::copy(format!("{witness}/key.pem"), format!("{station}/keys/witness.key")).unwrap();
    let key = std::fs::read_to_string(format!("{log}/verifier.key")).unwrap();
    let config = format!("{station}/hoso.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let role = format!(
        "\n[witness]\nname = \"tinh.vn/nhan-chung\"\nkey = \"file:keys/witness.key\"\nlogs = [\"{}\"]\n",
        key.trim()
    );
    std::fs::write(&config, text + &role).unwrap();
    let serving = Listening::start(Command::new(env!("CARGO_BIN_EXE_hoso")).args([
        "serve",
        "--station",
        &station,
        "--listen",
        "127.0.0.1:0",
        "--json",
    ]));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let get = |path: &str| {
        runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let reply = client.get(format!("{}{path}", serving.url)).send().await.unwrap();
            let kind = reply.headers().get("content-type").map(|v| v.to_str().unwrap().to_owned());
            let cache = reply.headers().get("cache-control").map(|v| v.to_str().unwrap().to_owned());
            (reply.status().as_u16(), kind, cache, reply.bytes().await.unwrap())
        })
    };
    let (_, _, _, line) = get("/witness/verifier.key");
    let line = String::from_utf8(line.to_vec()).unwrap();
    let url_and_key = format!("{}/witness {}", serving.url, line.trim());
    let ask = || hoso(&["log", "witness", &log, "--witness", &url_and_key, "--refresh", &receipt, "--json"]);
    let said = ask();
    assert_eq!((said.code, said.json()["cosigned"].as_u64()), (0, Some(1)), "{}", said.out);
    let checked = room.check(&receipt, &paper, &["--witness", line.trim()]);
    assert_eq!(checked.code, 0, "{}", checked.out);
    assert_eq!(checked.json()["verdict"]["witnesses"][0][0].as_str(), Some("tinh.vn/nhan-chung"));
    let two = ["--witness", line.trim(), "--witness-count", "2"];
    assert_eq!(room.check(&receipt, &paper, &two).code, 11);
    room.append("two", &[]);
    assert_eq!(ask().code, 0);
    // A log that was put back to an older state is told so, and not vouched for.
    let old = room.path("old");
    std::fs::create_dir(&old).unwrap();
    for name in ["key.pem", "verifier.key"] {
        std::fs::copy(format!("{log}/{name}"), format!("{old}/{name}")).unwrap();
    }
    assert_eq!(hoso(&["log", "append", &old, &paper, "--office", "H49.12"]).code, 0);
    let behind = hoso(&["log", "witness", &old, "--witness", &url_and_key, "--json"]);
    assert_eq!(
        (behind.code, behind.json()["faults"][0]["code"].as_str()),
        (6, Some("LOG-024")),
        "{}",
        behind.out
    );

    // The station's own log, as any web server would show it.
    let own = format!("{station}/thu.pdf");
    std::fs::write(&own, "thử").unwrap();
    assert_eq!(hoso(&["log", "append", &own, "--station", &station]).code, 0);
    let (status, kind, cache, note) = get("/log/checkpoint");
    assert_eq!((status, kind.as_deref()), (200, Some("text/plain; charset=utf-8")));
    assert!(!cache.unwrap().contains("immutable") && note.starts_with(b"hoso"));
    let (status, kind, cache, tile) = get("/log/tile/entries/000.p/1");
    assert_eq!((status, kind.as_deref(), tile.len()), (200, Some("application/octet-stream"), 34));
    assert!(cache.unwrap().contains("immutable"));
    for hidden in [
        "/log/statements",
        "/log/tile/../statements",
        "/log/tile/0/%2e%2e/%2e%2e/statements",
        "/log/tile/0/001",
    ] {
        assert_eq!(get(hidden).0, 404, "{hidden}");
    }
}
