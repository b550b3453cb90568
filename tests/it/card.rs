//! `hoso card read` against the emulated card on a virtual reader, through the real pcscd; then `hoso identity verify`.
//!
//! Each test runs in namespaces of its own where that is allowed, because pcscd has one fixed socket and the virtual
//! reader listens on every address: the test starts itself again inside them.

use crate::chip_card::Card;
use crate::chip_card::chip::dg;
use crate::chip_card::mint::{BIRTH, CAN, EXPIRY, Issuer, NUMBER, Order, zone};
use crate::chip_card::quirks::{PaceStep, Quirks};
use crate::chip_card::vpcd::Laid;
use crate::playground::HOSO;
use hoso::chip::Reading;
use hoso::clock::Clock;
use hoso::digest::{Blake3, Sha256};
use hoso::station::Station;
use hoso::station::challenges::{Challenges, Standing};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

#[test]
fn a_card_is_read_through_pcscd_and_proves_genuine() {
    isolated("card::a_card_is_read_through_pcscd_and_proves_genuine", |desk| {
        let card = desk.card(&Order::default(), vietnamese());
        let groups = card.chip.files.clone();
        let (read, verdict, _) = desk.read_and_verify(card, &["--can", CAN]);
        assert_eq!(
            (verdict["overall"].as_str(), verdict["access"].as_str()),
            (Some("genuine"), Some("PACE-CAN"))
        );
        assert_eq!(verdict["clone_check"]["status"], "passed");
        for number in [1, 2, 13, 14, 15] {
            assert_eq!(verdict["groups"][format!("DG{number}")], "match");
            let bytes = openssl::base64::encode_block(&groups[&dg(number)]);
            assert_eq!(read["files"][format!("DG{number}")], bytes.as_str(), "DG{number}");
        }
        assert_eq!(verdict["groups"]["DG3"], "protected");
    });
}

#[test]
fn a_copy_of_all_files_without_the_keys_is_not_called_genuine() {
    isolated("card::a_copy_of_all_files_without_the_keys_is_not_called_genuine", |desk| {
        let quirks = Quirks { no_private_keys: true, ..vietnamese() };
        let card = desk.card(&Order::default(), quirks);
        let (_, verdict, code) = desk.read_and_verify(card, &["--can", CAN]);
        assert_eq!((verdict["overall"].as_str(), code), (Some("genuine_clone_unchecked"), Some(3)));
    });
}

#[test]
fn a_card_without_pace_is_opened_the_older_way() {
    isolated("card::a_card_without_pace_is_opened_the_older_way", |desk| {
        let card = desk.card(&Order { pace: vec![], ..Order::default() }, vietnamese());
        let keys = ["--number", NUMBER, "--birth", BIRTH, "--expiry", EXPIRY];
        let (_, verdict, _) = desk.read_and_verify(card, &keys);
        assert_eq!((verdict["overall"].as_str(), verdict["access"].as_str()), (Some("genuine"), Some("BAC")));
        assert_eq!(verdict["pace_downgrade"], false);
    });
}

#[test]
fn where_pace_fails_and_the_older_way_succeeds_it_is_shown() {
    isolated("card::where_pace_fails_and_the_older_way_succeeds_it_is_shown", |desk| {
        let quirks = Quirks { pace_fails: Some((PaceStep::Map, 0x6a80)), ..vietnamese() };
        let card = desk.card(&Order::default(), quirks);
        let (_, verdict, _) = desk.read_and_verify(card, &["--mrz", &zone().concat()]);
        assert_eq!(verdict["access"], "BAC");
        assert_eq!(verdict["pace_downgrade"], true);
    });
}

#[test]
fn a_card_that_is_pulled_in_the_middle_is_read_on_when_it_lies_there_again() {
    isolated("card::a_card_that_is_pulled_in_the_middle_is_read_on_when_it_lies_there_again", |desk| {
        let quirks = Quirks { pulled_at: BTreeSet::from([5, 30]), ..vietnamese() };
        let card = desk.card(&Order::default(), quirks);
        let (_, verdict, _) = desk.read_and_verify(card, &["--can", CAN]);
        assert_eq!(verdict["overall"], "genuine");
    });
}

#[test]
fn a_station_remembers_what_it_asked_the_chip() {
    isolated("card::a_station_remembers_what_it_asked_the_chip", |desk| {
        let station = desk.work.path().join("station");
        assert!(Command::new(HOSO).arg("init").arg(&station).arg("--training").status().unwrap().success());
        let within = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        let remembered =
            || within(&station.join("var/challenges")).flat_map(|fan| within(&fan.path())).count();
        let place = station.to_str().unwrap();
        // One that somebody else made is not this station's; what it asked of chip authentication is.
        let given = ["--can", CAN, "--station", place, "--challenge", "0011223344556677"];
        for (keys, count) in [(&["--can", CAN][..], 0), (&given, 1), (&["--can", CAN, "--station", place], 3)]
        {
            let laid = desk.lay(desk.card(&Order::default(), vietnamese()));
            let output = desk.read(keys);
            laid.take().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(remembered(), count, "{keys:?}");
        }
        let reading = Reading::parse(&fs::read(desk.reading()).unwrap()).unwrap();
        let asked = reading.active_authentication.unwrap().challenge;
        let challenges = Challenges::of(&Station::find(Some(&station)).unwrap());
        for question in [Sha256::of(&asked), reading.chip_authentication.unwrap().digest()] {
            let now = Clock::System.now_ms();
            assert_eq!(challenges.spend(&question, &Blake3::of(b"a run"), now).unwrap(), Standing::Ours);
        }
    });
}

#[test]
fn another_can_is_refused_and_nothing_is_written() {
    isolated("card::another_can_is_refused_and_nothing_is_written", |desk| {
        let card = desk.card(&Order::default(), vietnamese());
        let laid = desk.lay(card);
        let output = desk.read(&["--can", "000000"]);
        laid.take().unwrap();
        assert!(!output.status.success() && !desk.reading().exists(), "{output:?}");
        let said = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&said).contains("000000"));
    });
}

/// What is known of the Vietnamese card: no master file; fingers that are never given come with every minted card.
fn vietnamese() -> Quirks {
    Quirks { no_master_file: true, ..Quirks::default() }
}

/// A running pcscd with one virtual reader, an issuer of cards and a place for what is read.
struct Desk {
    work: tempfile::TempDir,
    pcscd: Child,
    reader: SocketAddr,
    issuer: Issuer,
}

impl Desk {
    fn new(own_namespaces: bool) -> Desk {
        let work = tempfile::tempdir().unwrap();
        fs::create_dir_all(work.path().join("run/pcscd")).unwrap();
        if own_namespaces {
            let run = work.path().join("run");
            assert!(Command::new("mount").arg("--bind").arg(&run).arg("/run").status().unwrap().success());
            assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        } else {
            fs::create_dir_all("/run/pcscd").unwrap();
        }
        let reader = free_port();
        let conf = work.path().join("conf");
        fs::create_dir(&conf).unwrap();
        let port = format!("0x{:X}", reader.port());
        let text = format!(
            "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:{port}\nLIBPATH {DRIVER}\nCHANNELID {port}\n"
        );
        fs::write(conf.join("vpcd"), text).unwrap();
        let issuer = Issuer::new(&work.path().join("issuer"));
        let log = fs::File::create(work.path().join("pcscd.log")).unwrap();
        let pcscd = Command::new(PCSCD)
            .args(["--foreground", "--config"])
            .arg(&conf)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let desk = Desk { work, pcscd, reader, issuer };
        let began = Instant::now();
        while UnixStream::connect(SOCKET).is_err() {
            assert!(began.elapsed() < Duration::from_secs(120), "pcscd did not start: {}", desk.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        desk
    }

    fn card(&self, order: &Order, quirks: Quirks) -> Card {
        Card::with(self.issuer.card(order), quirks)
    }

    /// A card that is pulled comes back after half a second.
    fn lay(&self, card: Card) -> Laid {
        Laid::on(self.reader, card, Duration::from_millis(500))
    }

    fn reading(&self) -> PathBuf {
        self.work.path().join("card.reading.json")
    }

    fn read(&self, keys: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.args(["60", HOSO, "card", "read"]).args(keys).arg("-o").arg(self.reading());
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// The reading, the verdict over it and its exit code.
    fn read_and_verify(&self, card: Card, keys: &[&str]) -> (Value, Value, Option<i32>) {
        let laid = self.lay(card);
        let began = Instant::now();
        let output = self.read(keys);
        let took = began.elapsed();
        let card = laid.take().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "after {} commands: {said}\n{}", card.commands, self.log());
        let reading: Value = serde_json::from_slice(&fs::read(self.reading()).unwrap()).unwrap();
        let output = Command::new(HOSO)
            .args(["identity", "verify", "--json"])
            .arg(self.reading())
            .arg("--anchors")
            .arg(self.issuer.anchors())
            .output()
            .unwrap();
        let verdict = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        eprintln!("{} commands in {} ms; {verdict}", card.commands, took.as_millis());
        (reading, verdict, output.status.code())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.work.path().join("pcscd.log")).unwrap_or_default()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.pcscd.kill();
        let _ = self.pcscd.wait();
        if std::env::var_os(INSIDE).is_some() {
            let _ = Command::new("umount").arg("/run").status();
        }
    }
}

/// Runs a test at a desk of its own, or says why it cannot.
fn isolated(name: &str, test: impl FnOnce(&Desk)) {
    static ALONE: Mutex<()> = Mutex::new(());
    if std::env::var_os(INSIDE).is_some() {
        return test(&Desk::new(true));
    }
    if let Some(missing) = [PCSCD, DRIVER].into_iter().find(|path| !Path::new(path).exists()) {
        return skip(name, &format!("{missing} is not there (Debian: pcscd, vsmartcard-vpcd)"));
    }
    for wall in WALLS {
        let (program, options) = wall.split_first().unwrap();
        let allowed = Command::new(program).args(options).arg("true").output();
        if allowed.is_ok_and(|output| output.status.success()) {
            let output = Command::new(program)
                .args(options)
                .arg(std::env::current_exe().unwrap())
                .args([name, "--exact", "--nocapture", "--test-threads=1"])
                .env(INSIDE, "1")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            assert!(output.status.success() && text.contains("1 passed"), "{text}");
            eprintln!("{text}");
            return;
        }
    }
    // No namespaces here, so one after the other, and only where no other pcscd is at work.
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if UnixStream::connect(SOCKET).is_ok() {
        return skip(name, "another pcscd is running, and namespaces are not allowed");
    }
    test(&Desk::new(false));
}

fn skip(name: &str, reason: &str) {
    assert!(std::env::var_os("HOSO_NEED_PCSC").is_none(), "{name}: {reason}");
    eprintln!("skipped: {name}: {reason}");
}

/// A port that is free, and the next one too: the driver has two slots.
fn free_port() -> SocketAddr {
    loop {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = first.local_addr().unwrap();
        let next = address.port().checked_add(1);
        if next.is_some_and(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()) {
            return address;
        }
    }
}

/// Ways into namespaces of one's own, best first; with the first two nothing outlives the test, whatever becomes of it.
const WALLS: &[&[&str]] = &[
    &["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
    &["unshare", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"],
    &["unshare", "--net", "--mount"],
];

const PCSCD: &str = "/usr/sbin/pcscd";
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
const SOCKET: &str = "/run/pcscd/pcscd.comm";
const INSIDE: &str = "HOSO_CARD_INSIDE";
