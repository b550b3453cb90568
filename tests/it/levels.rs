//! Levels before judges that nobody here wrote: OpenSSL is the authority (lists, OCSP answers, certificates over HTTP on
//! loopback), files are raised against it, and pyHanko says what level they have with the network off.
//!
//! A judge is looked for in `$HOSO_VENV/bin`, then on the path; where one is absent its part is skipped and says so.

mod certomancer;
mod online;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as Name, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use hoso::digest::Sha256;
use hoso::fault::Outcome;
use hoso::original::Original;
use hoso::seal::appearance::AppearanceFacts;
use hoso::seal::authority::Authority;
use hoso::seal::evidence::Evidence;
use hoso::seal::evidence::fetch::Online;
use hoso::seal::key::SoftKey;
use hoso::seal::profile::SignatureProfile;
use hoso::seal::raise::{Raised, Raising, raise, renew};
use hoso::seal::sign::{Level, Order, Sheet, sign};
use hoso::seal::signed_data::Draft;
use hoso::seal::timestamp::{HttpTimestamp, Request, TimestampSource, check_reply};
use jiff::Timestamp;
use openssl::x509::X509;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

#[test]
fn every_level_is_reached_online_and_every_judge_says_so() {
    let world = World::mint();
    let mut cases = Vec::new();
    let mut case = |name: String, pdf: &[u8], level, stamps| {
        cases.push(Case { name, pdf: pdf.to_vec(), levels: vec![level], stamps });
    };
    for (kind, chain) in [("rsa", true), ("ec", false)] {
        let stamped = world.sign(kind, chain, true);
        let (roomy, narrow) = (world.sign_unstamped_by(kind), world.sign(kind, true, false));
        for (name, pdf, stamps) in [("roomy", &roomy, 0), ("narrow", &narrow, 1)] {
            let (bt, done) = world.raise(pdf, Level::BT).unwrap();
            assert_eq!((done.stamped_in_place, done.document_stamps.len()), (stamps == 0, stamps));
            case(format!("{kind}-bt-{name}"), &bt, "B-T", stamps);
        }
        let (blt, _) = world.raise(&stamped, Level::BLT).unwrap();
        case(format!("{kind}-blt"), &blt, "B-LT", 0);
        let (blta, _) = world.raise(&blt, Level::BLTA).unwrap();
        assert!(blta.starts_with(&blt) && blt.starts_with(&stamped));
        case(format!("{kind}-blta"), &blta, "B-LTA", 1);
        let (at_once, _) = world.raise(&roomy, Level::BLTA).unwrap();
        case(format!("{kind}-at-once"), &at_once, "B-LTA", 1);
        let (at_once, _) = world.raise(&narrow, Level::BLTA).unwrap();
        case(format!("{kind}-at-once-narrow"), &at_once, BY_DOCUMENT_STAMP, 2);
        let (renewed, _) = world.renew(&blta).unwrap();
        assert!(renewed.starts_with(&blta));
        case(format!("{kind}-renewed"), &renewed, "B-LTA", 2);
    }
    world.judge(&cases);
}

#[test]
fn two_signers_are_raised_together_and_a_third_later() {
    let world = World::mint();
    let one = world.sign("rsa", true, true);
    let two = world.sign_again(&one, "ec", true, true);
    let (archived, _) = world.raise(&two, Level::BLTA).unwrap();
    world.judge(&[Case {
        name: "two".into(),
        pdf: archived.clone(),
        levels: vec!["B-LTA", "B-LTA"],
        stamps: 1,
    }]);
    let three = world.sign_again(&archived, "third", true, true);
    let (archived, done) = world.raise(&three, Level::BLTA).unwrap();
    assert!(done.validation_data);
    world.judge(&[Case {
        name: "three".into(),
        pdf: archived.clone(),
        levels: vec!["B-LTA", "B-LTA", "B-LTA"],
        stamps: 2,
    }]);
}

#[test]
fn a_batch_asks_each_question_once_and_lists_serve_where_the_responder_is_dead() {
    let world = World::mint();
    let pdfs = [world.sign("rsa", true, true), world.sign("rsa", true, true), world.sign("rsa", true, true)];
    let online = Online::new(world.runtime.handle().clone()).unwrap();
    let mut after_first = 0;
    for pdf in &pdfs {
        world.raise_with(pdf, Level::BLT, &Evidence::new(), Some(&online)).unwrap();
        let asked = world.desk.asked.load(Ordering::SeqCst);
        after_first = if after_first == 0 { asked } else { after_first };
        assert_eq!(asked, after_first);
    }
    world.desk.silent.store(true, Ordering::SeqCst);
    let (raised, _) = world.raise(&pdfs[0], Level::BLT).unwrap();
    world.judge(&[Case { name: "by-lists".into(), pdf: raised.clone(), levels: vec!["B-LT"], stamps: 0 }]);
    // The list of the intermediate is gone too.
    std::fs::remove_file(world.path("inter.crl")).unwrap();
    let unknown = world.raise(&pdfs[0], Level::BLT).unwrap_err();
    assert_eq!(unknown.code.id, "SEAL-071", "{unknown}");
    // Offline, with what the first raised file carries.
    let nothing = world.raise_with(&pdfs[1], Level::BLT, &Evidence::new(), None).unwrap_err();
    assert_eq!(nothing.code.id, "SEAL-071");
    let document = hoso::pdf::revise::Document::open(&raised).unwrap();
    let kept = hoso::seal::evidence::dss::read(&document).unwrap();
    let (offline, _) = world.raise_with(&pdfs[1], Level::BLT, &kept, None).unwrap();
    world.judge(&[Case { name: "offline".into(), pdf: offline.clone(), levels: vec!["B-LT"], stamps: 0 }]);
}

#[test]
fn a_revoked_signer_or_authority_raises_nothing() {
    for who in ["rsa", "tsa", "inter"] {
        let world = World::mint();
        let pdf = world.sign("rsa", true, true);
        world.revoke(who);
        for silent in [false, true] {
            world.desk.silent.store(silent, Ordering::SeqCst);
            let refused = world.raise(&pdf, Level::BLTA).unwrap_err();
            assert_eq!(refused.code.id, "SEAL-070", "{who}: {refused}");
        }
    }
}

/// What the authority's desk knows.
struct Desk {
    folder: PathBuf,
    /// The OCSP responder does not answer.
    silent: AtomicBool,
    asked: AtomicUsize,
}

impl Desk {
    fn new(folder: &Path) -> Desk {
        Desk { folder: folder.to_owned(), silent: AtomicBool::new(false), asked: AtomicUsize::new(0) }
    }
}

/// An authority of OpenSSL's: a root, an intermediate with a delegated responder, signers and a time stamp authority.
struct World {
    folder: tempfile::TempDir,
    desk: Arc<Desk>,
    runtime: tokio::runtime::Runtime,
    /// Certificate store of pdfsig, `sql:` and its folder.
    nss: Option<String>,
    /// A time stamp authority over HTTP; else one of our own.
    tsa: Option<String>,
}

struct Stamps(Authority);

impl TimestampSource for Stamps {
    fn stamp(&self, imprint: &Sha256) -> Outcome<Vec<u8>> {
        let request = Request::new(imprint)?;
        check_reply(&self.0.reply(&request.der, Timestamp::now()), &request).map(|stamp| stamp.token)
    }
}

impl World {
    fn mint() -> World {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let desk = Arc::new(Desk::new(folder.path()));
        let router = Router::new()
            .route("/ocsp/{ca}", post(answer))
            .route("/{file}", get(download))
            .with_state(desk.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        let mut world = World { folder, desk, runtime, nss: None, tsa: None };
        std::fs::write(world.path("ca.cnf"), CONFIG.replace("BASE", &base)).unwrap();
        let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
        for (name, key, ca, kind) in [
            ("root", ec, "root", "root"),
            ("inter", "-newkey rsa:2048", "root", "inter"),
            ("responder-root", ec, "root", "responder"),
            ("responder-inter", ec, "inter", "responder"),
            ("tsa", ec, "inter", "tsa"),
            ("rsa", "-newkey rsa:2048", "inter", "signer"),
            ("ec", ec, "inter", "signer"),
            ("third", ec, "inter", "signer"),
        ] {
            world.openssl(&format!(
                "req -new {key} -nodes -keyout {name}.key -subj /C=VN/CN=LEVELS-{name} -out {name}.csr"
            ));
            let by = if name == "root" { "-selfsign".to_owned() } else { format!("-cert {ca}.pem") };
            if !world.path(&format!("{ca}.index")).exists() {
                std::fs::write(world.path(&format!("{ca}.index")), b"").unwrap();
            }
            world.openssl(&format!(
                "ca -batch -notext -config ca.cnf -name {ca} -keyfile {ca}.key {by} -in {name}.csr -extensions {kind}_{ca} -out {name}.pem"
            ));
            world.openssl(&format!("x509 -in {name}.pem -outform DER -out {name}.cer"));
        }
        world.lists();
        world.nss = world.store();
        world
    }

    fn lists(&self) {
        for ca in ["root", "inter"] {
            self.openssl(&format!(
                "ca -config ca.cnf -name {ca} -keyfile {ca}.key -cert {ca}.pem -gencrl -crldays 30 -out {ca}.crl.pem"
            ));
            self.openssl(&format!("crl -in {ca}.crl.pem -outform DER -out {ca}.crl"));
        }
    }

    fn revoke(&self, who: &str) {
        let ca = if who == "inter" { "root" } else { "inter" };
        self.openssl(&format!(
            "ca -config ca.cnf -name {ca} -keyfile {ca}.key -cert {ca}.pem -revoke {who}.pem -crl_reason keyCompromise"
        ));
        self.lists();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn key(&self, name: &str, chain: bool) -> SoftKey {
        let key = openssl::pkey::PKey::private_key_from_pem(&self.read(&format!("{name}.key"))).unwrap();
        let certificate = X509::from_pem(&self.read(&format!("{name}.pem"))).unwrap();
        let above = chain.then(|| X509::from_pem(&self.read("inter.pem")).unwrap());
        SoftKey::new(key, certificate, above.into_iter().collect()).unwrap()
    }

    fn stamps(&self) -> Box<dyn TimestampSource> {
        match &self.tsa {
            Some(url) => Box::new(HttpTimestamp::new(url, self.runtime.handle().clone()).unwrap()),
            None => Box::new(Stamps(Authority::new(self.key("tsa", true)).unwrap())),
        }
    }

    /// A signed paper; without `chain` the intermediate does not come along.
    fn sign(&self, key: &str, chain: bool, stamped: bool) -> Vec<u8> {
        self.sign_again(&paper(), key, chain, stamped)
    }

    /// Signed while the time stamp authority was silent: there is room for its answer.
    fn sign_unstamped_by(&self, key: &str) -> Vec<u8> {
        let (pdf, key) = (paper(), self.key(key, true));
        let profile = SignatureProfile::built_in("invisible").unwrap();
        let facts = AppearanceFacts::default();
        let order = Order { profile: &profile, facts: &facts, at: Timestamp::now(), field: None };
        let sheet = Sheet::open(Original::from(pdf.as_slice())).unwrap();
        let prepared = sheet.prepare(&key, &order, true).unwrap();
        let cms = Draft::detached(&key, prepared.digest()).unwrap().finish(None);
        [pdf, prepared.finish(&cms, Level::BB).unwrap().bytes].concat()
    }

    fn sign_again(&self, pdf: &[u8], key: &str, chain: bool, stamped: bool) -> Vec<u8> {
        let profile = SignatureProfile::built_in("invisible").unwrap();
        let facts = AppearanceFacts { name: "Người ký".into(), ..Default::default() };
        let stamps = self.stamps();
        let tsa = stamped.then_some(stamps.as_ref());
        sign(pdf, &profile, &self.key(key, chain), tsa, Timestamp::now(), &facts).unwrap().bytes
    }

    fn raise(&self, pdf: &[u8], to: Level) -> Outcome<(Vec<u8>, Raised)> {
        let online = Online::new(self.runtime.handle().clone()).unwrap();
        self.raise_with(pdf, to, &Evidence::new(), Some(&online))
    }

    fn raise_with(
        &self,
        pdf: &[u8],
        to: Level,
        evidence: &Evidence,
        online: Option<&Online>,
    ) -> Outcome<(Vec<u8>, Raised)> {
        let (stamps, roots) = (self.stamps(), [X509::from_pem(&self.read("root.pem")).unwrap()]);
        let at = Timestamp::now();
        let with = Raising { tsa: Some(stamps.as_ref()), roots: &roots, evidence, online, at };
        self.staged(|into| raise(&Original::from(pdf), into, to, &with))
    }

    fn renew(&self, pdf: &[u8]) -> Outcome<(Vec<u8>, Option<Raised>)> {
        let online = Online::new(self.runtime.handle().clone()).unwrap();
        let (stamps, roots) = (self.stamps(), [X509::from_pem(&self.read("root.pem")).unwrap()]);
        let (evidence, at) = (Evidence::new(), Timestamp::now());
        let with = Raising {
            tsa: Some(stamps.as_ref()),
            roots: &roots,
            evidence: &evidence,
            online: Some(&online),
            at,
        };
        self.staged(|into| renew(&Original::from(pdf), into, None, &with))
    }

    fn staged<T>(&self, work: impl FnOnce(&std::fs::File) -> Outcome<T>) -> Outcome<(Vec<u8>, T)> {
        let mut staged = tempfile::tempfile_in(self.folder.path()).unwrap();
        let done = work(&staged)?;
        let mut bytes = Vec::new();
        std::io::Seek::rewind(&mut staged).unwrap();
        std::io::Read::read_to_end(&mut staged, &mut bytes).unwrap();
        Ok((bytes, done))
    }

    fn openssl(&self, arguments: &str) -> String {
        let out = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(out.status.success(), "openssl {arguments}: {}", text(&out));
        text(&out)
    }

    fn store(&self) -> Option<String> {
        let certutil = tool("certutil")?;
        std::fs::create_dir(self.path("nss")).unwrap();
        let store = format!("sql:{}", self.path("nss").display());
        for more in [
            &["-N", "--empty-password"][..],
            &["-A", "-n", "root", "-t", "CT,CT,CT", "-i", "root.pem"],
            &["-A", "-n", "inter", "-t", ",,", "-i", "inter.pem"],
        ] {
            let out = Command::new(&certutil)
                .current_dir(self.folder.path())
                .args(["-d", &store])
                .args(more)
                .output();
            assert!(out.unwrap().status.success());
        }
        Some(store)
    }

    /// Asks every judge that is here.
    fn judge(&self, cases: &[Case]) {
        let path = |case: &Case| self.path(&format!("{}.pdf", case.name));
        for case in cases {
            std::fs::write(path(case), &case.pdf).unwrap();
        }
        self.ask_pyhanko(cases, path);
        for case in cases {
            self.ask_others(case, &path(case));
        }
    }

    fn ask_others(&self, case: &Case, path: &Path) {
        let name = &case.name;
        if let (Some(pdfsig), Some(store)) = (tool("pdfsig"), &self.nss) {
            let said = text(&Command::new(pdfsig).args(["-nssdir", store]).arg(path).output().unwrap());
            let valid = said.matches("Signature is Valid.").count();
            assert_eq!(valid, case.levels.len(), "pdfsig {name}: {said}");
            assert!(!said.contains("Mismatch") && !said.contains("Invalid"), "pdfsig {name}: {said}");
        } else {
            eprintln!("skipped: no pdfsig or certutil");
        }
        if let Some(mutool) = tool("mutool") {
            let said = text(&Command::new(mutool).args(["sign", "-v"]).arg(path).output().unwrap());
            assert!(!said.contains("invalidated") && !said.contains("Digest error"), "mutool {name}: {said}");
        } else {
            eprintln!("skipped: no mutool");
        }
        if let Some(qpdf) = tool("qpdf") {
            let out = Command::new(qpdf).arg("--check").arg(path).output().unwrap();
            assert!(out.status.success() && !text(&out).contains("WARNING"), "qpdf {name}: {}", text(&out));
        } else {
            eprintln!("skipped: no qpdf");
        }
    }

    fn ask_pyhanko(&self, cases: &[Case], path: impl Fn(&Case) -> PathBuf) {
        let knows = ["-c", "import pyhanko.sign.validation.ades"];
        let Some(python) = tool("python").filter(|p| runs(p, &knows)) else {
            eprintln!("skipped: no python with pyHanko");
            return;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/judge_levels.py");
        let mut command = Command::new(python);
        let said = text(
            &command.arg(script).arg(self.path("root.pem")).args(cases.iter().map(path)).output().unwrap(),
        );
        let files: Vec<&str> = said.split("FILE ").skip(1).collect();
        assert_eq!(files.len(), cases.len(), "{said}");
        for (said, Case { name, levels, stamps, .. }) in files.iter().zip(cases) {
            let lines = |kind: &str| said.lines().filter(|l| l.starts_with(kind)).collect::<Vec<_>>();
            let signatures = lines("SIGNATURE ");
            assert_eq!(signatures.len(), levels.len(), "pyhanko {name}: {said}");
            for (line, level) in signatures.iter().zip(levels) {
                // Evidence about a signature at B-T lies elsewhere: pyHanko, who may not ask, cannot pass it.
                let expected = match *level {
                    "B-T" => "B-T CERTIFICATE_CHAIN_GENERAL_FAILURE no-vri".to_owned(),
                    BY_DOCUMENT_STAMP => "B-T SIG_CONSTRAINTS_FAILURE vri".to_owned(),
                    level => format!("{level} OK vri"),
                };
                assert!(line.ends_with(&expected), "pyhanko {name}, {expected}: {said}");
            }
            let found = lines("STAMP ");
            assert_eq!(found.len(), *stamps, "pyhanko {name}: {said}");
            assert!(found.iter().all(|l| l.ends_with("intact trusted")), "pyhanko {name}: {said}");
        }
    }
}

/// A file for the judges: the level of each signature, and how many document time stamps there are.
struct Case {
    name: String,
    pdf: Vec<u8>,
    levels: Vec<&'static str>,
    stamps: usize,
}

/// A document time stamp in place of one in the signature, which EN 319 142-1 6.3 allows for B-T and all above it;
/// pyHanko 0.38 asks for one in the signature ("No signature timestamp present") whatever stands behind it.
const BY_DOCUMENT_STAMP: &str = "B-LTA by document time stamps alone";

/// OpenSSL's responder, one question a run.
async fn answer(
    State(desk): State<Arc<Desk>>,
    Name(ca): Name<String>,
    question: Bytes,
) -> Result<Vec<u8>, StatusCode> {
    let number = desk.asked.fetch_add(1, Ordering::SeqCst);
    if desk.silent.load(Ordering::SeqCst) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let (asked, answered) = (format!("{number}.ocsp-q"), format!("{number}.ocsp-a"));
    std::fs::write(desk.folder.join(&asked), question).unwrap();
    // By name and by key in turn.
    let by_key = if number.is_multiple_of(2) { &["-resp_key_id"][..] } else { &[] };
    let out = Command::new("openssl")
        .current_dir(&desk.folder)
        .args(["ocsp", "-index", &format!("{ca}.index"), "-CA", &format!("{ca}.pem"), "-ndays", "3"])
        .args(["-rsigner", &format!("responder-{ca}.pem"), "-rkey", &format!("responder-{ca}.key")])
        .args(["-reqin", &asked, "-respout", &answered])
        .args(by_key)
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", text(&out));
    Ok(std::fs::read(desk.folder.join(answered)).unwrap())
}

async fn download(State(desk): State<Arc<Desk>>, Name(file): Name<String>) -> Result<Vec<u8>, StatusCode> {
    desk.asked.fetch_add(1, Ordering::SeqCst);
    let public = ["root.crl", "inter.crl", "root.cer", "inter.cer"].contains(&file.as_str());
    std::fs::read(desk.folder.join(file)).ok().filter(|_| public).ok_or(StatusCode::NOT_FOUND)
}

fn paper() -> Vec<u8> {
    let content = "0.9 0.95 1 rg 0 0 595 842 re f";
    let bodies = [
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<>>>>".to_owned(),
        format!("<</Length {}>>\nstream\n{content}\nendstream", content.len()),
    ];
    let mut out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut rows = String::new();
    for (i, body) in bodies.iter().enumerate() {
        rows += &format!("{:010} 00000 n\r\n", out.len());
        out.extend_from_slice(format!("{} 0 obj\n{body}\nendobj\n", i + 1).as_bytes());
    }
    let xref = out.len();
    let id = "<00112233445566778899aabbccddeeff>";
    let end = format!(
        "xref\n0 5\n0000000000 65535 f\r\n{rows}trailer\n<</Size 5/Root 1 0 R/ID[{id}{id}]>>\nstartxref\n{xref}\n%%EOF\n"
    );
    out.extend_from_slice(end.as_bytes());
    out
}

fn tool(name: &str) -> Option<PathBuf> {
    let venv = std::env::var_os("HOSO_VENV").map(|v| PathBuf::from(v).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    venv.into_iter().chain(std::env::split_paths(&path)).map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn runs(program: &Path, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|out| out.status.success())
}

fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// `BASE` is where the desk is.
const CONFIG: &str = "[root]\ndatabase=root.index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\ndefault_days=300\npolicy=any\n\
    [inter]\ndatabase=inter.index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\ndefault_days=200\npolicy=any\n\
    [any]\ncountryName=optional\ncommonName=supplied\n\
    [root_root]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n\
    [inter_root]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n\
    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\ncrlDistributionPoints=URI:BASE/root.crl\n\
    authorityInfoAccess=OCSP;URI:BASE/ocsp/root,caIssuers;URI:BASE/root.cer\n\
    [signer_inter]\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature,nonRepudiation\n\
    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\ncrlDistributionPoints=URI:BASE/inter.crl\n\
    authorityInfoAccess=OCSP;URI:BASE/ocsp/inter,caIssuers;URI:BASE/inter.cer\n\
    [tsa_inter]\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n\
    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\ncrlDistributionPoints=URI:BASE/inter.crl\n\
    authorityInfoAccess=OCSP;URI:BASE/ocsp/inter,caIssuers;URI:BASE/inter.cer\n\
    [responder_root]\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\n\
    noCheck=ignored\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n\
    [responder_inter]\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\n\
    noCheck=ignored\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
