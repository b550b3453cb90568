//! A station, its sender and its receivers, each a process of its own.

use super::Args;
use hoso::blobs::Blobs;
use hoso::clock::Clock;
use hoso::deliver::outbox::delivery_id;
use hoso::deliver::wire_key::{SigningKey, VerifyingKey};
use hoso::digest::{Blake3, Digests};
use hoso::ledger::{NewParcel, SqliteLedger};
use hoso::serve::front::{self, Front};
use hoso::serve::mischief::{Fate, Fates};
use hoso::serve::mock_wallet;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::EcGroup;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use rusqlite::Connection;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a receiver is like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Over TLS, faultless.
    Tls,
    /// `hoso mock wallet`, whose connections are cut after every fifth request was done.
    LosesAnswers,
}

pub(crate) struct World {
    hoso: PathBuf,
    dir: tempfile::TempDir,
    ledger: SqliteLedger,
    blobs: Blobs,
    db: Connection,
    receivers: HashMap<String, Process>,
    documents: HashMap<usize, Vec<Digests>>,
    posted: Cell<u64>,
    /// How far each receiver's record was read, and its lines up to there.
    read: RefCell<HashMap<String, (u64, usize)>>,
}

/// A process that ends with its owner.
pub(crate) struct Process(Child);

impl Process {
    /// Seconds of CPU so far, user and system.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = [11, 12].iter().map(|at| fields[*at].parse::<u64>().unwrap()).sum();
        // USER_HZ, which is 100 on every Linux that this program runs on.
        ticks as f64 / 100.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl World {
    pub(crate) async fn new(args: &Args, receivers: &[(&str, Kind)]) -> Self {
        let dir = args.folder.as_deref().map_or_else(tempfile::tempdir, tempfile::tempdir_in).unwrap();
        let station = dir.path().join("station");
        let made = Command::new(&args.hoso).arg("init").arg(&station).arg("--training").output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let (certificate, key) = certificate();
        fs::write(dir.path().join("tls.pem"), certificate.to_pem().unwrap()).unwrap();
        fs::write(dir.path().join("tls.key"), key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let path = station.join("hoso.toml");
        let mut text = fs::read_to_string(&path).unwrap();
        // The wallet of every training station is one of ours.
        text = text.replace("file:var/mock/wallet.url", "file:var/wallet.url");
        // As in the field: the training station's short waits are for lessons.
        let (head, _) = text.split_once("[backoff]").unwrap_or((&text, ""));
        let mut text = head.to_owned();
        for (name, _) in receivers.iter().filter(|(name, _)| *name != "wallet") {
            text += &format!(
                "\n[recipients.{name}.push]\nurl = \"file:var/{name}.url\"\nreceipt-key = \"anchors/receipts/wallet.pem\"\n\
                 key = \"file:keys/station.key\"\n"
            );
        }
        fs::write(&path, text).unwrap();
        fs::create_dir_all(station.join("var")).unwrap();
        let place = station.join("var/ledger.db");
        let ledger = SqliteLedger::open(&place, Clock::System).unwrap();
        let blobs = Blobs::open(&station.join("var/blobs")).unwrap();
        let mut world = World {
            hoso: args.hoso.clone(),
            dir,
            ledger,
            blobs,
            db: Connection::open(place).unwrap(),
            receivers: HashMap::new(),
            documents: HashMap::new(),
            posted: Cell::new(0),
            read: RefCell::default(),
        };
        for (name, kind) in receivers {
            let receiver = world.start(name, *kind);
            world.receivers.insert((*name).to_owned(), receiver);
        }
        world
    }

    fn station(&self) -> PathBuf {
        self.dir.path().join("station")
    }

    fn url_file(&self, name: &str) -> PathBuf {
        self.station().join(format!("var/{name}.url"))
    }

    fn start(&self, name: &str, kind: Kind) -> Process {
        let (url, keys) = (self.url_file(name), self.station().join("keys"));
        let state = self.dir.path().join(name);
        let mut command = match kind {
            Kind::Tls => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.arg("receive").arg(&state).arg(&keys).arg(&url).arg(self.dir.path());
                command
            }
            Kind::LosesAnswers => {
                let mut command = Command::new(&self.hoso);
                command.args(["mock", "wallet", "--lose-answer-every", "5"]).arg("--state").arg(&state);
                command.arg("--key").arg(keys.join("wallet.key")).arg("--cert").arg(keys.join("wallet.pem"));
                command.arg("--sender").arg(keys.join("station.pem")).arg("--url-file").arg(&url);
                command
            }
        };
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while !url.is_file() {
            assert!(began.elapsed() < Duration::from_secs(30), "the receiver {name} did not start");
            std::thread::sleep(Duration::from_millis(10));
        }
        Process(child)
    }

    /// The real program, sending until it is dropped.
    pub(crate) fn work(&self) -> Process {
        let mut command = Command::new(&self.hoso);
        command.arg("work").arg("--station").arg(self.station());
        command.env("SSL_CERT_FILE", self.dir.path().join("tls.pem"));
        Process(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn receiver(&self, name: &str) -> &Process {
        &self.receivers[name]
    }

    /// Nobody answers at its address any more.
    pub(crate) fn cut_off(&self, name: &str) {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        fs::copy(self.url_file(name), self.url_file(name).with_extension("kept")).unwrap();
        fs::write(self.url_file(name), format!("https://{gone}\n")).unwrap();
    }

    pub(crate) fn bring_back(&self, name: &str) {
        fs::rename(self.url_file(name).with_extension("kept"), self.url_file(name)).unwrap();
    }

    /// Documents of a size, a few of each: one document goes to many people.
    pub(crate) fn put_document(&mut self, size: usize) {
        let blobs = &self.blobs;
        self.documents.entry(size).or_insert_with(|| {
            (0..32u8)
                .map(|n| {
                    let mut noise = vec![0; size];
                    openssl::rand::rand_bytes(&mut noise).unwrap();
                    // No byte of it may say that the document is locked.
                    noise.iter_mut().for_each(|byte| *byte |= 0x80);
                    noise[..9].copy_from_slice(b"%PDF-1.7\n");
                    noise[9] = n;
                    blobs.put(&noise).unwrap()
                })
                .collect()
        });
    }

    /// Posts so many for one recipient.
    pub(crate) async fn post(&mut self, name: &str, count: usize, size: usize) {
        self.put_document(size);
        for from in (0..count).step_by(1_000) {
            let parcels = (from..count.min(from + 1_000)).map(|_| self.parcel(name, size)).collect();
            assert!(self.ledger.post(parcels).await.unwrap().into_iter().all(|new| new));
        }
    }

    fn parcel(&self, name: &str, size: usize) -> NewParcel {
        let number = self.posted.replace(self.posted.get() + 1);
        let document = self.documents[&size][usize::try_from(number % 32).unwrap()];
        let handle = Blake3::of(&number.to_be_bytes()).to_string();
        let id = delivery_id(name, &handle, &document.sha256, 1);
        let body = json!({ "push": { "handle": handle, "document": document } });
        NewParcel {
            id,
            recipient: name.into(),
            subject: format!("{name} {id}"),
            body: serde_json::to_vec(&body).unwrap(),
        }
    }

    /// Posts one of 5 KB and waits for its receipt; milliseconds.
    pub(crate) async fn single(&self, name: &str) -> f64 {
        let parcel = self.parcel(name, 5_000);
        let id = parcel.id;
        let began = Instant::now();
        self.ledger.post(vec![parcel]).await.unwrap();
        loop {
            let state: String = self
                .db
                .prepare_cached("SELECT state FROM parcel WHERE id=?1")
                .unwrap()
                .query_row([&id.0[..]], |r| r.get(0))
                .unwrap();
            if state == "receipted" {
                return began.elapsed().as_secs_f64() * 1000.0;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{name}: {state}");
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
    }

    /// How many a receiver has taken, by its own record; costs no look into the ledger, whose tables are large.
    pub(crate) fn taken(&self, name: &str) -> usize {
        let mut read = self.read.borrow_mut();
        let (offset, lines) = read.entry(name.to_owned()).or_default();
        if let Ok(mut file) = File::open(self.dir.path().join(name).join("effects.jsonl")) {
            let mut more = Vec::new();
            file.seek(SeekFrom::Start(*offset)).unwrap();
            file.read_to_end(&mut more).unwrap();
            *offset += more.len() as u64;
            *lines += more.iter().filter(|byte| **byte == b'\n').count();
        }
        *lines
    }

    pub(crate) fn receipted(&self, name: &str) -> usize {
        let sql = "SELECT count(*) FROM parcel WHERE recipient=?1 AND state='receipted'";
        self.db.query_row(sql, [name], |r| r.get::<_, i64>(0)).unwrap() as usize
    }

    /// Taken first, then receipted.
    pub(crate) async fn until_receipted(&self, name: &str, count: usize) {
        let (mut last, mut moved) = (0, Instant::now());
        loop {
            let now = self.taken(name);
            if now >= count && self.receipted(name) >= count {
                return;
            }
            if now != last {
                (last, moved) = (now, Instant::now());
            }
            assert!(
                moved.elapsed() < Duration::from_secs(120),
                "{name}: stuck at {now} of {count}: {}",
                self.reasons()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn reasons(&self) -> String {
        let sql = "SELECT DISTINCT state || ': ' || coalesce(reason, '') FROM parcel WHERE state<>'receipted' LIMIT 5";
        let mut rows = self.db.prepare(sql).unwrap();
        rows.query_map([], |r| r.get::<_, String>(0))
            .unwrap()
            .map(Result::unwrap)
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// Every line of what a receiver took.
    pub(crate) fn stored(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join(name).join("effects.jsonl")).unwrap();
        let id =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["delivery_id"].to_string();
        text.lines().map(id).collect()
    }
}

/// The receiver's process: the training wallet behind the door that `hoso serve` has.
pub(crate) async fn receive(args: Vec<String>) {
    let [state, keys, url_file, tls] = args.try_into().unwrap();
    let (keys, tls) = (Path::new(&keys), Path::new(&tls));
    let (certificate, key) = (tls.join("tls.pem"), tls.join("tls.key"));
    let front = Front::bind("127.0.0.1:0".parse().unwrap(), Some((&certificate, &key))).await.unwrap();
    let setup = mock_wallet::Setup {
        base: front.url(),
        state: state.into(),
        name: "bench".into(),
        receipt_key: SigningKey::from_pem(&fs::read(keys.join("wallet.key")).unwrap()).unwrap(),
        senders: vec![VerifyingKey::from_pem(&fs::read(keys.join("station.pem")).unwrap()).unwrap()],
        largest: 1 << 20,
    };
    let router = mock_wallet::router(setup, Fates::by(|_| Fate::Fair)).unwrap();
    let staged = format!("{url_file}.part");
    fs::write(&staged, front.url()).unwrap();
    fs::rename(staged, url_file).unwrap();
    front.serve(front::dressed(router), std::future::pending()).await.unwrap();
}

/// A certificate for this machine that stands for itself.
pub(crate) fn certificate() -> (X509, PKey<Private>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "BENCH ONLY").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(30).unwrap()).unwrap();
    builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    let names = SubjectAlternativeName::new()
        .ip("127.0.0.1")
        .dns("localhost")
        .build(&builder.x509v3_context(None, None))
        .unwrap();
    builder.append_extension(names).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (builder.build(), key)
}
