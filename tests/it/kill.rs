//! `kill -9` of the real program at random moments: nothing is lost, nothing is done twice, nothing half is seen.
//!
//! `HOSO_KILLS` says how often (40 by itself), `HOSO_SEED` replays a run.

use crate::playground::{Dice, Playground, files, samples};
use hoso::digest::Blake3;
use image::codecs::jpeg::{JpegEncoder, PixelDensity};
use rusqlite::Connection;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

#[test]
fn kill_minus_nine_at_any_moment_loses_nothing_and_does_nothing_twice() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let kills = number("HOSO_KILLS").unwrap_or(40);
    let seed = number("HOSO_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("HOSO_SEED={seed} HOSO_KILLS={kills}");
    let mut world = World {
        dice: Dice(seed),
        ground: Playground::new(&["--lose-answer-every", "7", "--fail-every", "11"]),
        reading: None,
        handed_in: 0,
        watch: Watch::default(),
    };
    world.mint();
    let started = Instant::now();
    let (mut killed, mut ended, mut doubled) = (0, 0, 0);
    while killed < kills {
        let mut children = vec![world.start()];
        if world.dice.below(3) == 0 {
            children.push(world.start_worker());
            doubled += 1;
        }
        for mut child in children {
            std::thread::sleep(Duration::from_millis(5 + world.dice.below(896)));
            if child.try_wait().unwrap().is_some() {
                ended += 1;
            } else {
                child.kill().unwrap();
                killed += 1;
            }
            child.wait().unwrap();
        }
        world.watch.look(&world.ground, killed);
    }
    let loop_took = started.elapsed();
    let recovering = Instant::now();
    world.finish();
    let recovery = recovering.elapsed();
    let totals = world.judge();
    eprintln!("in hand at the kills: {:?}", world.watch.struck);
    eprintln!(
        "kills {killed}, ended by themselves {ended}, rounds with two processes {doubled}; {totals}; {:.1} s of kills, {:.1} s to the end",
        loop_took.as_secs_f64(),
        recovery.as_secs_f64(),
    );
}

struct World {
    dice: Dice,
    ground: Playground,
    /// A chip reading, where there is an openssl to mint one with.
    reading: Option<String>,
    handed_in: u64,
    watch: Watch,
}

impl World {
    fn mint(&mut self) {
        let (keys, path) = (self.ground.station().join("keys"), self.ground.input().join("minted"));
        let mut command =
            std::process::Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/mint-reading"));
        command.arg("--dgs").arg(samples().join("chip/batch-3")).arg("-o").arg(&path);
        command.arg("--ds").arg(keys.join("ds.pem")).arg("--key").arg(keys.join("ds.key"));
        match command.output() {
            Ok(output) if output.status.success() => {
                self.reading = Some(fs::read_to_string(&path).unwrap());
                fs::remove_file(path).unwrap();
            }
            other => eprintln!("skipped: no chip readings among the dossiers: {other:?}"),
        }
    }

    /// Lays down one to three more dossiers, every fourth a result, and hands in the newest of a kind.
    fn start(&mut self) -> Child {
        let before = self.handed_in;
        self.handed_in += 1 + self.dice.below(3);
        for number in before + 1..=self.handed_in {
            if is_result(number) {
                lay_result(&self.ground.input(), number);
            } else {
                lay_intake(&self.ground.input(), number, self.reading.as_deref());
            }
        }
        let result = is_result(self.handed_in);
        let numbers = self.handed_in.saturating_sub(8)..=self.handed_in;
        let inputs = numbers
            .filter(|n| *n > 0 && is_result(*n) == result)
            .map(|n| input_path(&self.ground.input(), n));
        let pipeline = if result { "result-delivery" } else { "intake-desk" };
        let mut command = self.ground.hoso(&["run", pipeline, "--json"]);
        command.args(inputs).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn start_worker(&self) -> Child {
        self.ground.hoso(&["work"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Everything once more, to the end. A stand-in that misbehaves at the wrong moment may need a second command.
    fn finish(&self) {
        for (pipeline, kind) in [("intake-desk", "intake"), ("result-delivery", "results")] {
            let input = self.ground.input().join(kind);
            let mut tries = 0;
            loop {
                let run = self.ground.output(&["run", pipeline, input.to_str().unwrap(), "--patience", "60"]);
                tries += 1;
                if run.status.code() == Some(0) {
                    break;
                }
                let said = [run.stdout, run.stderr].concat();
                assert!(
                    tries < 3,
                    "{pipeline} ended with {:?}\n{}",
                    run.status,
                    String::from_utf8_lossy(&said)
                );
            }
        }
    }

    fn judge(&mut self) -> String {
        let status = self.ground.output(&["status", "--json"]);
        assert_eq!(status.status.code(), Some(0), "{}", String::from_utf8_lossy(&status.stderr));
        let table = self.ground.output(&["status"]);
        assert!(String::from_utf8_lossy(&table.stdout).contains("chain whole"));
        self.watch.look(&self.ground, u64::MAX);

        let lines = String::from_utf8(status.stdout).unwrap();
        let rows: Vec<serde_json::Value> = lines
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .filter(|v: &serde_json::Value| v.get("run").is_some())
            .collect();
        assert_eq!(rows.len() as u64, self.handed_in, "every dossier is there, and none twice");
        for row in &rows {
            assert_eq!(row["state"], "done", "{row}");
            assert!(row["parcels"].as_u64().unwrap() > 0 && row["parcels"] == row["receipts"], "{row}");
        }
        let leaves = fs::metadata(self.ground.station().join("var/log/leaves")).unwrap().len() / 32;
        assert_eq!(leaves, self.handed_in, "a leaf a document");
        self.judge_readings();
        self.judge_files();
        let effects = self.judge_effects();
        let parts: Vec<_> =
            files(&self.ground.station().join("out")).into_iter().filter(|p| is_part(p)).collect();
        assert!(parts.is_empty(), "left behind: {parts:?}");
        format!("dossiers {} of {} done, lost 0, doubled 0, effects {effects}", rows.len(), self.handed_in)
    }

    /// Every reading was judged, and none lies there any more; each run that had one says so.
    fn judge_readings(&self) {
        assert_eq!(files(&self.ground.station().join("var/readings")), Vec::<PathBuf>::new());
        let db = Connection::open(self.ground.station().join("var/ledger.db")).unwrap();
        let gone = "SELECT record, (SELECT count(*) FROM journal WHERE run=id AND kind='let-go') FROM run WHERE state='done'";
        let mut rows = db.prepare(gone).unwrap();
        let rows = rows.query_map([], |r| Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, i64>(1)?))).unwrap();
        let mut judged = 0;
        for (record, told) in rows.map(Result::unwrap) {
            let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
            let readings = record["readings"].as_array().map_or(0, Vec::len);
            assert_eq!(readings, usize::from(!record["verdict"].is_null()), "{}", record["code"]);
            assert!(readings == 0 || told > 0, "{}: nobody says that it was let go of", record["code"]);
            judged += readings;
        }
        assert!(judged > 0 || self.reading.is_none());
    }

    fn judge_files(&self) {
        let verified = self.ground.verify();
        let said = String::from_utf8_lossy(&verified.stdout);
        assert_eq!(verified.status.code(), Some(0), "{said}");
        // Every document, and every receipt of a wallet beside it.
        let counts = said.lines().find_map(|l| l.strip_suffix(" đạt / proven")?.split_once('/'));
        let (proven, judged): (usize, usize) =
            counts.map(|(p, j)| (p.parse().unwrap(), j.parse().unwrap())).unwrap();
        assert!(proven == judged && proven >= self.handed_in as usize, "{said}");
        for number in 1..=self.handed_in {
            let result = is_result(number);
            let names: Vec<String> = files(&self.ground.station().join("out").join(code(number)))
                .iter()
                .map(|p| p.file_name().unwrap().to_string_lossy().into_owned())
                .collect();
            let count = |begin: &str, end: &str| {
                names.iter().filter(|n| n.starts_with(begin) && n.ends_with(end)).count()
            };
            let kind = if result { "ket-qua" } else { "giay-to" };
            assert_eq!((count(kind, ".pdf"), count(kind, ".tlog-proof")), (1, 1), "{number}: {names:?}");
            assert_eq!(count("bien-nhan-portal", ".receipt"), 1, "{number}: {names:?}");
            assert_eq!(count("bien-nhan-wallet", ".receipt"), usize::from(result), "{number}: {names:?}");
        }
    }

    /// Each thing once at each stand-in, however often an answer was lost.
    fn judge_effects(&self) -> usize {
        let portal = self.ground.effects("portal");
        let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
        for effect in &portal {
            let key = |name: &str| effect[name].as_str().unwrap().to_owned();
            *seen.entry((key("code"), key("op"))).or_default() += 1;
        }
        for number in 1..=self.handed_in {
            for op in ["create", "progress"] {
                assert_eq!(seen.remove(&(code(number), op.into())), Some(1), "{op} of {number}");
            }
        }
        assert!(seen.is_empty(), "nobody asked for these: {seen:?}");
        let wallet = self.ground.effects("wallet");
        let ids: HashSet<&str> = wallet.iter().map(|e| e["delivery_id"].as_str().unwrap()).collect();
        assert_eq!((wallet.len(), ids.len()), ((self.handed_in / 4) as usize, (self.handed_in / 4) as usize));
        portal.len() + wallet.len()
    }
}

/// What was seen after earlier kills: it must still be so after later ones.
#[derive(Default)]
struct Watch {
    runs: HashMap<Vec<u8>, String>,
    receipted: HashSet<Vec<u8>>,
    blobs: HashSet<PathBuf>,
    published: HashMap<PathBuf, u64>,
    /// Where the killed processes were: step of a pipeline, or a delivery.
    struck: BTreeMap<String, usize>,
}

impl Watch {
    fn look(&mut self, ground: &Playground, kill: u64) {
        self.blobs(&ground.station().join("var/blobs"), kill);
        self.out(&ground.station().join("out"), kill);
        self.ledger(&ground.station().join("var/ledger.db"), kill);
    }

    fn blobs(&mut self, root: &Path, kill: u64) {
        for path in files(root) {
            if path.parent().is_some_and(|p| p.ends_with("staging")) || self.blobs.contains(&path) {
                continue;
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert_eq!(
                Blake3::of(&fs::read(&path).unwrap()).to_string(),
                name,
                "kill {kill}: a blob is not what its name says"
            );
            self.blobs.insert(path);
        }
        assert!(self.blobs.iter().all(|p| p.is_file()), "kill {kill}: a blob is gone");
    }

    fn out(&mut self, root: &Path, kill: u64) {
        for path in files(root) {
            assert!(!is_part(&path), "kill {kill}: half a file is seen, {}", path.display());
            let bytes = fs::read(&path).unwrap();
            let whole = match path.extension().and_then(|e| e.to_str()) {
                Some("pdf") => bytes.starts_with(b"%PDF-") && bytes.trim_ascii_end().ends_with(b"%%EOF"),
                Some("tlog-proof") => bytes.ends_with(b"\n"),
                Some("receipt") => serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(),
                _ => true,
            };
            assert!(whole, "kill {kill}: {} is not whole ({} bytes)", path.display(), bytes.len());
            self.published.insert(path, bytes.len() as u64);
        }
        for (path, size) in &self.published {
            let now = fs::metadata(path).map(|m| m.len()).unwrap_or(0);
            assert_eq!(now, *size, "kill {kill}: {} was there and changed", path.display());
        }
    }

    fn ledger(&mut self, path: &Path, kill: u64) {
        if !path.is_file() {
            return;
        }
        let db = Connection::open(path).unwrap();
        let mut runs = HashMap::new();
        // Killed before the first tables were made: there is nothing to keep yet.
        let Ok(mut rows) = db.prepare("SELECT id, state FROM run") else {
            assert!(self.runs.is_empty(), "kill {kill}: the tables are gone");
            return;
        };
        let rows = rows.query_map([], |r| Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, String>(1)?))).unwrap();
        runs.extend(rows.map(Result::unwrap));
        for (id, before) in &self.runs {
            let now = runs.get(id).unwrap_or_else(|| panic!("kill {kill}: a run that was there is gone"));
            let ended = ["done", "split"].contains(&before.as_str());
            assert!(!ended || now == before, "kill {kill}: {before} became {now}");
        }
        self.runs = runs;
        let mut wanted = db.prepare("SELECT DISTINCT reading FROM reading WHERE state<>'leaving'").unwrap();
        for reading in wanted.query_map([], |r| r.get::<_, Vec<u8>>(0)).unwrap() {
            let name = hex::encode(reading.unwrap());
            let file = path.with_file_name("readings").join(&name[..2]).join(&name);
            assert!(file.is_file(), "kill {kill}: a reading that a run still wants is gone");
        }
        let struck = "SELECT pipeline || ' step ' || cursor FROM run WHERE state='leased'
                      UNION ALL SELECT 'delivery' FROM parcel WHERE state='leased'
                      UNION ALL SELECT 'laying out' FROM run WHERE state='done' AND published=0";
        let mut rows = db.prepare(struck).unwrap();
        for place in rows.query_map([], |r| r.get::<_, String>(0)).unwrap() {
            *self.struck.entry(place.unwrap()).or_default() += 1;
        }
        let mut rows = db.prepare("SELECT id FROM parcel WHERE state='receipted'").unwrap();
        let receipted: HashSet<Vec<u8>> =
            rows.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
        assert!(self.receipted.is_subset(&receipted), "kill {kill}: a receipt is gone");
        self.receipted = receipted;
    }
}

fn is_part(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "part")
}

fn code(number: u64) -> String {
    format!("H40.17.5-261121-{number:05}")
}

fn is_result(number: u64) -> bool {
    number.is_multiple_of(4)
}

fn input_path(input: &Path, number: u64) -> PathBuf {
    input.join(if is_result(number) {
        format!("results/r-{number:05}.pdf")
    } else {
        format!("intake/d-{number:05}")
    })
}

/// A folder of one or two pages that nobody else has, with its slip; it appears whole.
fn lay_intake(input: &Path, number: u64, reading: Option<&str>) {
    let folder = input_path(input, number);
    let staged = input.join(format!(".{number}"));
    fs::create_dir_all(&staged).unwrap();
    fs::create_dir_all(input.join("intake")).unwrap();
    for page in 0..=number % 2 {
        fs::write(staged.join(format!("{page}.jpg")), page_of(number * 10 + page)).unwrap();
    }
    // A few readings among all dossiers, so that what one lets go of another is about to want.
    if let Some(reading) = reading.filter(|_| number % 3 != 1) {
        let reading = format!("{reading}{}", "\n".repeat(number as usize % 4));
        fs::write(staged.join("card.reading.json"), reading).unwrap();
    }
    let slip = format!(
        "code = \"{}\"\nprocedure = \"1.001193\"\noffice = \"H40.17.5\"\nreceived = \"2026-11-21T08:15:00+07:00\"\n\
         due = \"2026-11-24T15:00:00+07:00\"\n[applicant]\nname = \"Tạ Đăng Khoát\"\nnumber = \"036095999011\"\n\
         birth = \"09/09/1995\"\nsex = \"Nam\"\nphone = \"0100999011\"\n",
        code(number)
    );
    fs::write(staged.join("dossier.toml"), slip).unwrap();
    fs::rename(staged, folder).unwrap();
}

/// One of the four sample results under another dossier code and another wallet.
fn lay_result(input: &Path, number: u64) {
    let sample = format!("result-{}", number / 4 % 4 + 1);
    fs::create_dir_all(input.join("results")).unwrap();
    let slip = fs::read_to_string(samples().join("results").join(format!("{sample}.toml"))).unwrap();
    let wallet = format!("wallet = \"{}\"", Blake3::of(&number.to_be_bytes()));
    let head: Vec<&str> =
        slip.lines().filter(|l| !l.starts_with("code = ") && !l.starts_with("wallet = ")).collect();
    let path = input_path(input, number);
    // The slip first: a result is handed in when its PDF is there.
    fs::write(
        path.with_extension("toml"),
        format!("code = \"{}\"\n{wallet}\n{}\n", code(number), head.join("\n")),
    )
    .unwrap();
    fs::copy(samples().join("results").join(format!("{sample}.pdf")), &path).unwrap();
}

/// An A4 page at 200 dpi with lines that look like writing.
fn page_of(seed: u64) -> Vec<u8> {
    let (width, height) = (1654u32, 2339u32);
    let mut page = image::GrayImage::from_pixel(width, height, image::Luma([244]));
    let mut dice = Dice(seed);
    for line in 0..34 {
        let (mut x, y) = (180, 200 + line * 56);
        while x < 1_450 {
            let word = 20 + dice.below(110) as u32;
            for dx in (0..word).filter(|dx| dx % 9 < 4) {
                for dy in 0..22 + (dice.below(7) as u32) {
                    page.put_pixel(x + dx, y + dy, image::Luma([40]));
                }
            }
            x += word + 18;
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 80);
    encoder.set_pixel_density(PixelDensity::dpi(200));
    encoder.encode(&page, width, height, image::ExtendedColorType::L8).unwrap();
    bytes
}
