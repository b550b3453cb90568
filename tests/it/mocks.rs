//! The stand-ins as somebody starts them who wants to see them run: with nothing but an address, inside a station and outside of one.

use crate::playground::HOSO;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

struct StandIn {
    child: Child,
    said: Vec<String>,
}

impl StandIn {
    /// Starts one in a folder and reads its first two lines.
    fn start(here: &Path, arguments: &[&str]) -> StandIn {
        let mut command = Command::new(HOSO);
        command.arg("mock").args(arguments).current_dir(here).env_remove("HOSO_STATION");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.take(2).map(Result::unwrap).collect();
        StandIn { child, said }
    }

    fn state(&self) -> &Path {
        assert!(self.said[0].starts_with("listening http://127.0.0.1:"), "{:?}", self.said);
        Path::new(self.said[1].strip_prefix("state ").unwrap())
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_stand_in_needs_an_address_and_nothing_else_in_a_training_station() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(HOSO).args(["init", "station", "--training"]).current_dir(folder.path()).output();
    assert!(made.unwrap().status.success());
    let station = folder.path().join("station").canonicalize().unwrap();
    let faults = ["--faults", "lost-answer=20%,503=5%", "--record", "wallet.jsonl"];
    let listen = ["--listen", "127.0.0.1:0"];
    let wallet = StandIn::start(&station, &[&["wallet"], &listen[..], &faults].concat());
    assert_eq!(wallet.state(), station.join("var/mock/wallet"));
    // It signs with the key that the station knows, and mints none.
    assert!(!wallet.state().join("receipt-key.pem").exists());
    let portal =
        StandIn::start(folder.path(), &["portal", "--station", "station", "--record", "portal.jsonl"]);
    assert_eq!(portal.state(), station.join("var/mock/portal"));
}

#[test]
fn outside_of_a_station_the_portal_gets_a_folder_of_its_own_and_the_wallet_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) =
        (StandIn::start(folder.path(), &["portal"]), StandIn::start(folder.path(), &["portal"]));
    assert!(one.state().is_dir() && one.state() != other.state());
    for stand_in in [&one, &other] {
        std::fs::remove_dir_all(stand_in.state()).unwrap();
    }
    let mut command = Command::new(HOSO);
    let refused =
        command.args(["mock", "wallet"]).current_dir(folder.path()).env_remove("HOSO_STATION").output();
    let refused = refused.unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_ne!(refused.status.code(), Some(0));
    assert!(said.contains("MOCK-006") && said.contains("--sender"), "{said}");
    // A station that was named has to be one.
    let none = Command::new(HOSO)
        .args(["mock", "portal", "--station", "nowhere"])
        .current_dir(folder.path())
        .output();
    assert_ne!(none.unwrap().status.code(), Some(0));
}
