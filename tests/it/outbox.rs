//! The outbox of the real program against a bad world: processes that are killed, lines that are cut, answers that are
//! lost, recipients that are dead. What was produced is stored once, and receipted, and nothing else is.
//!
//! `HOSO_KILLS` says how often both ends are killed (24 by itself), `HOSO_SEED` replays a run.

use crate::playground::{Dice, HOSO, Playground, free_address};
use crate::proxy::Proxy;
use hoso::blobs::Blobs;
use hoso::clock::Clock;
use hoso::deliver::outbox::delivery_id;
use hoso::digest::{Blake3, Sha256};
use hoso::ledger::{NewParcel, SqliteLedger};
use rusqlite::Connection;
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_minus_nine_at_both_ends_of_a_bad_line_loses_nothing_and_stores_nothing_twice() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let kills = number("HOSO_KILLS").unwrap_or(24);
    let seed = number("HOSO_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("HOSO_SEED={seed} HOSO_KILLS={kills}");
    let mut dice = Dice(seed);
    let ground = Playground::new(&[]);
    let proxy = Proxy::start(seed);
    settle_down(&ground);
    fs::write(ground.mock("wallet.url"), proxy.url()).unwrap();
    let mut wallet = Wallet::new(&ground, proxy.url());
    let outbox = Outbox::open(&ground.station());

    let mut produced = Vec::new();
    let (mut sender, mut receiver) = (work(&ground), wallet.start(&proxy));
    let mut killed = 0;
    while killed < kills {
        for _ in 0..=dice.below(5) {
            let number = produced.len();
            produced.push(outbox.post("wallet", number, None).await);
        }
        std::thread::sleep(Duration::from_millis(5 + dice.below(250)));
        let at_sender = dice.below(2) == 0;
        let both = dice.below(8) == 0;
        if at_sender || both {
            end(&mut sender);
            sender = work(&ground);
            killed += 1;
        }
        if !at_sender || both {
            end(&mut receiver);
            receiver = wallet.start(&proxy);
            killed += 1;
        }
    }
    proxy.be_kind();
    let took = outbox.wait_for(produced.len(), Duration::from_secs(300)).await;
    end(&mut sender);
    end(&mut receiver);

    let receipts = outbox.receipts();
    let stored = wallet.stored();
    let produced: HashSet<Sha256> = produced.into_iter().collect();
    assert_eq!(receipts.keys().copied().collect::<HashSet<_>>(), produced, "receipted is what was produced");
    assert_eq!(stored.keys().copied().collect::<HashSet<_>>(), produced, "stored is what was produced");
    for (id, proof) in &receipts {
        assert_eq!(proof, &stored[id], "the receipt that was kept is the one that was given, byte for byte");
    }
    let distinct: HashSet<&String> = receipts.values().collect();
    assert_eq!(distinct.len(), produced.len(), "no receipt stands for two");
    eprintln!(
        "kills {killed}, deliveries {}, lost 0, doubled 0; faults of the line: {}; {:.1} s to the end",
        produced.len(),
        proxy.told(),
        took.as_secs_f64()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_deliveries_whose_answers_are_lost_none_is_seen_twice() {
    let ground = Playground::new(&["--lose-answer-every", "5"]);
    settle_down(&ground);
    let outbox = Outbox::open(&ground.station());
    let count = 120;
    let mut produced = HashSet::new();
    for number in 0..count {
        produced.insert(outbox.post("wallet", number, None).await);
    }
    let mut sender = work(&ground);
    outbox.wait_for(count, Duration::from_secs(300)).await;
    end(&mut sender);
    let effects = ground.effects("wallet");
    let stored: HashSet<Sha256> = effects.iter().map(delivery_of).collect();
    assert_eq!((effects.len(), &stored), (count, &produced));
    let again: i64 = outbox.ask("SELECT count(*) FROM parcel WHERE attempts > 1");
    assert!(again as usize >= count / 10, "answers were lost: {again} took more than one attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_recipient_that_hangs_and_one_that_is_gone_delay_nobody_else() {
    let ground = Playground::new(&[]);
    // It takes connections and never says a word.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = free_address();
    for (name, address) in [("mute", mute.local_addr().unwrap()), ("gone", gone)] {
        let more = format!(
            "\n[recipients.{name}.push]\nurl = \"http://{address}\"\nreceipt-key = \"anchors/receipts/wallet.pem\"\n\
             key = \"file:keys/station.key\"\n"
        );
        let path = ground.station().join("hoso.toml");
        fs::write(&path, fs::read_to_string(&path).unwrap() + &more).unwrap();
    }
    let outbox = Outbox::open(&ground.station());
    for name in ["mute", "gone"] {
        outbox.post_many(name, 1_500).await;
    }
    let mut sender = work(&ground);
    // Long enough for both to be tried.
    let tried = "SELECT count(DISTINCT recipient) FROM parcel WHERE attempts > 0";
    outbox.wait_until(Duration::from_secs(120), || outbox.ask(tried) == 2).await;
    for number in 0..30 {
        outbox.post("wallet", number, None).await;
        std::thread::sleep(Duration::from_millis(20));
    }
    outbox.wait_for(30, Duration::from_secs(120)).await;
    end(&mut sender);
    let untouched = "SELECT count(*) FROM parcel WHERE recipient='gone' AND state='pending' AND attempts=0";
    assert!(
        outbox.ask(untouched) > 1_300,
        "one that is left alone is not tried for every parcel of its backlog"
    );
    let held = "SELECT count(*) FROM parcel WHERE recipient='mute' AND attempts>0";
    assert!(outbox.ask(held) <= 64, "one that hangs has its share of couriers and no more");
    assert_eq!(outbox.ask("SELECT count(*) FROM parcel WHERE state='receipted' AND recipient<>'wallet'"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_of_one_dossier_arrive_in_the_order_in_which_they_were_made_whatever_fails() {
    let ground = Playground::new(&["--fail-every", "4", "--lose-answer-every", "7"]);
    settle_down(&ground);
    let outbox = Outbox::open(&ground.station());
    let (dossiers, news) = (8, 6);
    let mut order: BTreeMap<Sha256, (usize, usize)> = BTreeMap::new();
    for event in 0..news {
        for dossier in 0..dossiers {
            let subject = format!("wallet H40-{dossier}");
            let id = outbox.post("wallet", event * dossiers + dossier, Some(subject)).await;
            order.insert(id, (dossier, event));
        }
    }
    let mut senders = [work(&ground), work(&ground)];
    outbox.wait_for(dossiers * news, Duration::from_secs(300)).await;
    senders.iter_mut().for_each(end);
    let mut seen: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for effect in ground.effects("wallet") {
        let (dossier, event) = order[&delivery_of(&effect)];
        seen.entry(dossier).or_default().push(event);
    }
    let in_order: Vec<usize> = (0..news).collect();
    assert!(seen.len() == dossiers && seen.values().all(|events| *events == in_order), "{seen:?}");
}

/// The outbox of a station, from outside: what is acknowledged here is produced.
struct Outbox {
    ledger: SqliteLedger,
    blobs: Blobs,
    db: Connection,
}

impl Outbox {
    fn open(station: &Path) -> Self {
        let path = station.join("var/ledger.db");
        let ledger = SqliteLedger::open(&path, Clock::System).unwrap();
        let blobs = Blobs::open(&station.join("var/blobs")).unwrap();
        Outbox { ledger, blobs, db: Connection::open(path).unwrap() }
    }

    fn parcel(&self, recipient: &str, number: usize, subject: Option<String>) -> NewParcel {
        // Every third is longer than what a line carries at once.
        let length = if number.is_multiple_of(3) { 25_000 } else { 10 };
        let text = format!("%PDF-1.7\n% {number:0length$}\n%%EOF\n");
        let document = self.blobs.put(text.as_bytes()).unwrap();
        let handle = Blake3::of(&number.to_be_bytes()).to_string();
        let id = delivery_id(recipient, &handle, &document.sha256, 1);
        let body = json!({ "push": { "handle": handle, "document": document } });
        let subject = subject.unwrap_or_else(|| format!("{recipient} {id}"));
        NewParcel { id, recipient: recipient.into(), subject, body: serde_json::to_vec(&body).unwrap() }
    }

    async fn post(&self, recipient: &str, number: usize, subject: Option<String>) -> Sha256 {
        let parcel = self.parcel(recipient, number, subject);
        let id = parcel.id;
        assert_eq!(self.ledger.post(vec![parcel]).await.unwrap(), [true]);
        id
    }

    /// So many of one document.
    async fn post_many(&self, recipient: &str, count: usize) {
        let one = self.parcel(recipient, 0, None);
        let of = |n: usize| {
            let id = Sha256::of(format!("{recipient} {n}").as_bytes());
            NewParcel { id, subject: format!("{recipient} {id}"), ..one.clone() }
        };
        self.ledger.post((0..count).map(of).collect()).await.unwrap();
    }

    fn ask(&self, sql: &str) -> i64 {
        self.db.query_row(sql, [], |r| r.get(0)).unwrap()
    }

    async fn wait_until(&self, most: Duration, what: impl Fn() -> bool) {
        let began = Instant::now();
        while !what() {
            assert!(began.elapsed() < most, "it took too long: {}", self.states());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn wait_for(&self, receipted: usize, most: Duration) -> Duration {
        let began = Instant::now();
        let sql = "SELECT count(*) FROM parcel WHERE state='receipted'";
        self.wait_until(most, || {
            let given_up = self.ask("SELECT count(*) FROM parcel WHERE state='dead'");
            assert_eq!(given_up, 0, "{}", self.states());
            self.ask(sql) as usize >= receipted
        })
        .await;
        began.elapsed()
    }

    fn states(&self) -> String {
        let sql = "SELECT recipient || ' ' || state || ' ' || count(*) || ' ' || coalesce(max(reason), '') FROM parcel GROUP BY recipient, state";
        let mut rows = self.db.prepare(sql).unwrap();
        rows.query_map([], |r| r.get::<_, String>(0))
            .unwrap()
            .map(Result::unwrap)
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// Every receipt that was kept, by delivery.
    fn receipts(&self) -> HashMap<Sha256, String> {
        let mut rows = self.db.prepare("SELECT id, proof FROM parcel WHERE state='receipted'").unwrap();
        rows.query_map([], |r| Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, Vec<u8>>(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .map(|(id, proof)| (Sha256(id.try_into().unwrap()), String::from_utf8(proof).unwrap()))
            .collect()
    }
}

/// A wallet that is started and killed again and again over one folder.
struct Wallet {
    keys: PathBuf,
    state: PathBuf,
    url_file: PathBuf,
    public_url: String,
}

impl Wallet {
    fn new(ground: &Playground, public_url: String) -> Self {
        let keys = ground.station().join("keys");
        Wallet { keys, state: ground.mock("killed"), url_file: ground.mock("killed.url"), public_url }
    }

    fn start(&mut self, proxy: &Proxy) -> Killed {
        let _ = fs::remove_file(&self.url_file);
        let mut command = Command::new(HOSO);
        command
            .args(["mock", "wallet", "--public-url", &self.public_url])
            .arg("--url-file")
            .arg(&self.url_file);
        command.arg("--state").arg(&self.state).arg("--key").arg(self.keys.join("wallet.key"));
        command
            .arg("--cert")
            .arg(self.keys.join("wallet.pem"))
            .arg("--sender")
            .arg(self.keys.join("station.pem"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while !self.url_file.is_file() {
            assert!(began.elapsed() < Duration::from_secs(120), "the wallet did not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        let url = fs::read_to_string(&self.url_file).unwrap();
        proxy.towards(url.trim().strip_prefix("http://").unwrap().parse().unwrap());
        Killed(child)
    }

    /// The receipts it gave, by delivery; every line is of a document that lies there whole, and of no other line's.
    fn stored(&self) -> HashMap<Sha256, String> {
        let mut stored = HashMap::new();
        for line in fs::read_to_string(self.state.join("effects.jsonl")).unwrap().lines() {
            let effect: serde_json::Value = serde_json::from_str(line).unwrap();
            let id = delivery_of(&effect);
            let pdf = fs::read(self.state.join(format!("{id}.pdf"))).unwrap();
            assert_eq!(Sha256::of(&pdf).to_string(), effect["sha256"].as_str().unwrap());
            let receipt = effect["receipt"].as_str().unwrap().to_owned();
            assert!(stored.insert(id, receipt).is_none(), "{id} was stored twice");
        }
        stored
    }
}

fn delivery_of(effect: &serde_json::Value) -> Sha256 {
    effect["delivery_id"].as_str().unwrap().parse().unwrap()
}

/// A test has no half minute for a recipient to be left alone, and no patience that ends.
fn settle_down(ground: &Playground) {
    let path = ground.station().join("hoso.toml");
    let text = fs::read_to_string(&path).unwrap();
    let patient = text.replace("give_up_ms = 60000", "give_up_ms = 86400000");
    assert_ne!(text, patient);
    fs::write(path, patient + "\n[pace.breaker]\nfirst_ms = 50\nopen_ms = 400\n").unwrap();
}

fn work(ground: &Playground) -> Killed {
    Killed(ground.hoso(&["work"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn end(child: &mut Killed) {
    child.0.kill().unwrap();
    child.0.wait().unwrap();
}

/// A process that ends with its owner, also where a test ends early.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
