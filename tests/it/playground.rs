//! A throw-away training station with its stand-ins, driven through the real program from outside.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// The program under test.
pub(crate) const HOSO: &str = env!("CARGO_BIN_EXE_hoso");

/// A station folder, its stand-ins and a folder for what is handed in; all gone when dropped.
pub(crate) struct Playground {
    dir: tempfile::TempDir,
    children: Vec<(String, Child)>,
}

impl Playground {
    /// Mints a station and starts the stand-ins; portal and wallet with these further options.
    pub(crate) fn new(mischief: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut playground = Playground { dir, children: Vec::new() };
        let station = playground.station();
        let made = Command::new(HOSO).arg("init").arg(&station).arg("--training").output().unwrap();
        assert!(made.status.success(), "{made:?}");
        fs::create_dir_all(playground.mock("")).unwrap();
        fs::create_dir_all(playground.input()).unwrap();
        playground.start_tsa();
        let portal = playground.mock("portal");
        playground.stand_in("portal", |c| c.arg("--state").arg(portal).args(mischief));
        playground.start_wallet(mischief);
        playground
    }

    /// Starts the wallet over what it has, at an address of its own each time.
    pub(crate) fn start_wallet(&mut self, mischief: &[&str]) {
        let (keys, wallet) = (self.station().join("keys"), self.mock("wallet"));
        self.stand_in("wallet", |c| {
            c.arg("--state")
                .arg(wallet)
                .arg("--key")
                .arg(keys.join("wallet.key"))
                .arg("--cert")
                .arg(keys.join("wallet.pem"));
            c.arg("--sender").arg(keys.join("station.pem")).args(mischief)
        });
    }

    /// Ends the portal and starts one with these options over the same state.
    pub(crate) fn restart_portal(&mut self, options: &[&str]) {
        self.stop("portal");
        let portal = self.mock("portal");
        self.stand_in("portal", |c| c.arg("--state").arg(portal).args(options));
    }

    /// Starts the time stamp authority, at an address of its own each time.
    pub(crate) fn start_tsa(&mut self) {
        let keys = self.station().join("keys");
        self.stand_in("tsa", |c| {
            c.arg("--key").arg(keys.join("tsa.key")).arg("--cert").arg(keys.join("tsa.pem"))
        });
    }

    /// Ends a stand-in; its address stays where it was written, and nobody answers there.
    pub(crate) fn stop(&mut self, name: &str) {
        for (_, child) in self.children.iter_mut().filter(|(n, _)| n == name) {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.children.retain(|(n, _)| n != name);
    }

    /// Stops a stand-in where it is: who calls it is connected, and waits for its answer until it is [thawed](Self::thaw).
    pub(crate) fn freeze(&self, name: &str) {
        self.signal(name, Signal::STOP);
    }

    pub(crate) fn thaw(&self, name: &str) {
        self.signal(name, Signal::CONT);
    }

    fn signal(&self, name: &str, signal: Signal) {
        let (_, child) = self.children.iter().find(|(n, _)| n == name).unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    fn stand_in(&mut self, name: &str, with: impl FnOnce(&mut Command) -> &mut Command) {
        let url = self.mock(&format!("{name}.url"));
        let _ = fs::remove_file(&url);
        let log = fs::File::create(self.mock(&format!("{name}.log"))).unwrap();
        let mut command = Command::new(HOSO);
        command.arg("mock").arg(name).arg("--url-file").arg(&url);
        let child =
            with(&mut command).stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null()).spawn();
        self.children.push((name.to_owned(), child.unwrap()));
        let started = Instant::now();
        while !url.is_file() {
            assert!(started.elapsed() < Duration::from_secs(120), "the stand-in {name} did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn station(&self) -> PathBuf {
        self.dir.path().join("station")
    }

    /// Where things are laid before they are handed in.
    pub(crate) fn input(&self) -> PathBuf {
        self.dir.path().join("in")
    }

    /// Below the folder of the stand-ins.
    pub(crate) fn mock(&self, name: &str) -> PathBuf {
        self.station().join("var/mock").join(name)
    }

    /// A command at this station.
    pub(crate) fn hoso(&self, args: &[&str]) -> Command {
        let mut command = Command::new(HOSO);
        command.args(args).arg("--station").arg(self.station()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.hoso(args).output().unwrap()
    }

    /// The lines of a stand-in's effects.
    pub(crate) fn effects(&self, name: &str) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.mock(name).join("effects.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// `hoso verify out` with the station's anchors.
    pub(crate) fn verify(&self) -> Output {
        let (out, anchors) = (self.station().join("out"), self.station().join("anchors"));
        Command::new(HOSO)
            .arg("verify")
            .arg(out)
            .arg("--trust")
            .arg(&anchors)
            .arg("--log-keys")
            .arg(anchors.join("log"))
            .arg("--receipt-keys")
            .arg(anchors.join("receipts"))
            .output()
            .unwrap()
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// An address of this machine at which nobody listens, and at which nothing begins to unless it is told to: below the
/// ports from which the system serves those who do not care (`ip_local_port_range`), and a different one each time.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_000 + (std::process::id() % 200) as u16 * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

/// The sample papers of the repository.
pub(crate) fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("test-data")
}

/// Every file below a folder; a folder that is not there has none.
pub(crate) fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Numbers that look random and come again with the same seed (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}
