//! Our seals before judges that nobody here wrote: pyHanko, pdfsig, OpenSSL, MuPDF, qpdf, pikepdf's PDF/A validator.
//!
//! A judge is looked for in `$HOSO_VENV/bin`, then on the path; where one is absent its part is skipped and says so.

use hoso::fault::Outcome;
use hoso::seal::appearance::AppearanceFacts;
use hoso::seal::key::SoftKey;
use hoso::seal::profile::SignatureProfile;
use hoso::seal::sign::{Level, Sealed, sign};
use hoso::seal::timestamp::{HttpTimestamp, TimestampSource};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

#[test]
fn every_kind_of_file_is_sealed_to_the_satisfaction_of_every_judge() {
    let world = &*WORLD;
    let mut profiles = ["intake_scan", "result_agency", "invisible"].into_iter().cycle();
    for (name, pdf) in papers(world) {
        for key in ["rsa", "ec"] {
            let profile = profiles.next().unwrap();
            let sealed =
                world.seal(&pdf, profile, key, None).unwrap_or_else(|f| panic!("{name} {profile}: {f}"));
            assert!(sealed.bytes.starts_with(&pdf), "{name}");
            let path = world.file(&format!("{name}-{key}.pdf"), &sealed.bytes);
            judge(world, &path, 1, &["TRUSTED,UNTOUCHED"]);
        }
    }
}

#[test]
fn a_second_and_third_seal_leave_the_first_whole() {
    let world = &*WORLD;
    for (name, pdf) in
        papers(world).into_iter().filter(|(name, _)| ["table", "objects"].contains(&name.as_str()))
    {
        let one = world.seal(&pdf, "intake_scan", "rsa", None).unwrap().bytes;
        let two = world.seal(&one, "result_agency", "ec", None).unwrap().bytes;
        // Another certificate: pdfsig cannot judge one certificate twice in a file, whoever signed.
        let three = world.seal(&two, "intake_scan", "third", None).unwrap().bytes;
        assert!(three.starts_with(&two) && two.starts_with(&one));
        let path = world.file(&format!("{name}-three.pdf"), &three);
        let changed = "EXTENDED_WITH_FORM_FILLING,ACCEPTABLE_MODIFICATIONS";
        judge(world, &path, 3, &[changed, changed, "TRUSTED,UNTOUCHED"]);
    }
}

#[test]
fn a_time_stamp_over_http_is_trusted_and_a_bad_authority_publishes_nothing() {
    let world = &*WORLD;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let pem = |name: &str| std::fs::read(world.dir.path().join(name)).unwrap();
    let chain = [pem("tsa.pem"), pem("inter.pem")].concat();
    let router = hoso::serve::mock_tsa::router(&pem("tsa.key"), &chain).unwrap();
    let url = serve(&runtime, router);
    let tsa = HttpTimestamp::new(&url, runtime.handle().clone()).unwrap();
    let pdf = paper(0, None);
    for key in ["rsa", "ec"] {
        let sealed = world.seal(&pdf, "intake_scan", key, Some(&tsa)).unwrap();
        assert_eq!(sealed.seal.level, Level::BT);
        let path = world.file(&format!("stamped-{key}.pdf"), &sealed.bytes);
        judge(world, &path, 1, &["TIMESTAMP_TOKEN<INTACT:TRUSTED>"]);
    }
    let reply = |kind: &'static str, body: Vec<u8>| {
        axum::routing::post(move || async move { ([("content-type", kind)], body) })
    };
    let bad = axum::Router::new()
        .route("/page", reply("text/html", b"<html>".to_vec()))
        .route("/garbage", reply("application/timestamp-reply", vec![0x30; 500]))
        .route("/huge", reply("application/timestamp-reply", vec![0x30; 100_000]))
        .route(
            "/moved",
            axum::routing::post(move || async move { axum::response::Redirect::temporary(&url) }),
        );
    let bad = serve(&runtime, bad);
    for (route, code) in [
        ("page", "SEAL-012"),
        ("garbage", "SEAL-012"),
        ("huge", "SEAL-012"),
        ("moved", "SEAL-011"),
        ("none", "SEAL-011"),
    ] {
        let tsa = HttpTimestamp::new(&format!("{bad}{route}"), runtime.handle().clone()).unwrap();
        let refused = world.seal(&pdf, "invisible", "ec", Some(&tsa)).unwrap_err();
        assert_eq!(refused.code.id, code, "{route}");
    }
}

#[test]
fn openssl_accepts_the_authoritys_answers_and_understands_its_refusals() {
    let world = &*WORLD;
    let pem = |name: &str| std::fs::read(world.dir.path().join(name)).unwrap();
    let chain = [pem("tsa.pem"), pem("inter.pem")].concat();
    let authority = hoso::seal::authority::Authority::from_pem(&pem("tsa.key"), &chain).unwrap();
    world.file("data", b"what is stamped");
    for (hash, certificates, granted) in [
        ("-sha256", "-cert", true),
        ("-sha512", "-cert", true),
        ("-sha256", "", true),
        ("-sha1", "-cert", false),
    ] {
        world.openssl(&format!("ts -query -data data {hash} {certificates} -out q.tsq"));
        let reply =
            authority.reply(&std::fs::read(world.dir.path().join("q.tsq")).unwrap(), jiff::Timestamp::now());
        world.file("r.tsr", &reply);
        if granted {
            let untrusted =
                if certificates.is_empty() { "-untrusted tsachain.pem" } else { "-untrusted inter.pem" };
            world.file("tsachain.pem", &chain);
            let out =
                world.openssl(&format!("ts -verify -queryfile q.tsq -in r.tsr -CAfile root.pem {untrusted}"));
            assert!(out.contains("Verification: OK"), "{hash}: {out}");
        }
        let text = world.openssl("ts -reply -in r.tsr -text");
        let status =
            if granted { "Status: Granted." } else { "unrecognized or unsupported algorithm identifier" };
        assert!(text.contains(status), "{text}");
    }
}

#[test]
fn what_is_seen_stays_pdf_a_2b() {
    let world = &*WORLD;
    let Some(python) = tool("python").filter(|p| runs(p, &["-c", "import pikepdf.pdfa"])) else {
        eprintln!("skipped: no python with pikepdf.pdfa");
        return;
    };
    let archive = world.dir.path().join("archive.pdf");
    let plain = world.file("plain.pdf", &paper(90, None));
    let made = Command::new(&python).args(["-c", MAKE_PDF_A]).args([&plain, &archive]).output().unwrap();
    assert!(made.status.success(), "{}", text(&made));
    let pdf = std::fs::read(&archive).unwrap();
    let seal_png = {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 40, 40);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        let pixels: Vec<u8> = (0..1600u32).flat_map(|i| [200, 0, 0, (i % 256) as u8]).collect();
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
        bytes
    };
    for (profile, png) in [("intake_scan", None), ("result_agency", None), ("result_agency", Some(seal_png))]
    {
        let facts = AppearanceFacts { seal_png: png, ..facts() };
        let profile = SignatureProfile::built_in(profile).unwrap();
        let sealed = sign(&pdf, &profile, &world.key("ec"), None, jiff::Timestamp::now(), &facts).unwrap();
        let signed = world.file("archive-signed.pdf", &sealed.bytes);
        let flat = world.dir.path().join("archive-flat.pdf");
        let out =
            Command::new(&python).args(["-c", FLATTEN_AND_VALIDATE]).args([&signed, &flat]).output().unwrap();
        assert!(
            out.status.success() && text(&out).contains("passed: True"),
            "{}: {}",
            profile.id,
            text(&out)
        );
    }
}

#[test]
fn the_command_writes_a_whole_file_or_none() {
    let world = &*WORLD;
    let input = world.file("command.pdf", &paper(0, None));
    world.file("password", b"m\xe1\xba\xadt kh\xe1\xba\xa9u\n");
    let output = world.dir.path().join("command-out.pdf");
    let run = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_hoso"))
            .current_dir(world.dir.path())
            .arg("sign")
            .arg(&input)
            .arg("-o")
            .arg(&output)
            .args(["--p12", "ec.p12", "--password"])
            .args(more)
            .output()
            .unwrap()
    };
    let silent = run(&["file:password", "--tsa", "http://127.0.0.1:9/"]);
    assert_eq!(silent.status.code(), Some(5), "{}", text(&silent));
    assert_eq!(run(&["file:data-that-is-not-there"]).status.code(), Some(3));
    assert_eq!(run(&["secret"]).status.code(), Some(4));
    assert!(!output.exists());
    let strays = std::fs::read_dir(world.dir.path()).unwrap();
    assert!(strays.flatten().all(|e| !e.file_name().to_string_lossy().contains("partial")));
    let done = run(&["file:password", "--json", "--time", "2099-01-01T00:00:00+07:00"]);
    assert_eq!(done.status.code(), Some(4), "the certificate has expired by then: {}", text(&done));
    let done = run(&["file:password", "--json", "--profile", "intake_scan"]);
    assert!(done.status.success(), "{}", text(&done));
    let line: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((line["level"].as_str(), line["shown"]["page"].as_u64()), (Some("B-B"), Some(1)));
    judge(world, &output, 1, &["TRUSTED,UNTOUCHED"]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let pem = |name: &str| std::fs::read(world.dir.path().join(name)).unwrap();
    let chain = [pem("tsa.pem"), pem("inter.pem")].concat();
    let url = serve(&runtime, hoso::serve::mock_tsa::router(&pem("tsa.key"), &chain).unwrap());
    let done = run(&["file:password", "--tsa", &url]);
    assert!(done.status.success() && text(&done).contains("PAdES B-T"), "{}", text(&done));
    let before = std::fs::read(&input).unwrap();
    let over = Command::new(env!("CARGO_BIN_EXE_hoso"))
        .current_dir(world.dir.path())
        .args([
            "sign",
            "command.pdf",
            "-o",
            "./command.pdf",
            "--p12",
            "ec.p12",
            "--password",
            "file:password",
        ])
        .output()
        .unwrap();
    assert_eq!(
        (over.status.code(), std::fs::read(&input).unwrap()),
        (Some(4), before),
        "never over its input"
    );
}

/// Asks every judge that is here about a file with `count` signatures; pyHanko has to say these words of each.
pub(crate) fn judge(world: &World, path: &Path, count: usize, words: &[&str]) {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let root = world.dir.path().join("root.pem");
    if let Some(pyhanko) = tool("pyhanko") {
        let mut command = Command::new(pyhanko);
        command.args(["sign", "validate", "--trust-replace", "--no-revocation-check", "--trust"]);
        let out = command.arg(&root).arg(path).output().unwrap();
        let said = text(&out);
        let lines: Vec<&str> = said.lines().filter(|l| l.contains(":INTACT:")).collect();
        assert!(out.status.success() && lines.len() == count, "pyhanko {name}: {said}");
        for (line, word) in lines.iter().zip(words) {
            assert!(line.contains(word), "pyhanko {name}: wanted {word} in {line}");
        }
    } else {
        eprintln!("skipped: no pyhanko");
    }
    if let (Some(pdfsig), Some(store)) = (tool("pdfsig"), &world.nss) {
        let said = text(&Command::new(pdfsig).args(["-nssdir", store]).arg(path).output().unwrap());
        assert_eq!(said.matches("Signature is Valid.").count(), count, "pdfsig {name}: {said}");
        assert_eq!(said.matches("Certificate is Trusted.").count(), count, "pdfsig {name}: {said}");
        assert_eq!(said.matches("Total document signed").count(), 1, "pdfsig {name}: {said}");
    } else {
        eprintln!("skipped: no pdfsig or certutil");
    }
    if let Some(mutool) = tool("mutool") {
        let said = text(&Command::new(mutool).args(["sign", "-v"]).arg(path).output().unwrap());
        assert_eq!(said.matches("unchanged since signing").count(), 1, "mutool {name}: {said}");
        assert_eq!(said.matches("signature is valid but there have been edits").count(), count - 1, "{said}");
    } else {
        eprintln!("skipped: no mutool");
    }
    if let Some(qpdf) = tool("qpdf") {
        let out = Command::new(qpdf).arg("--check").arg(path).output().unwrap();
        assert!(out.status.success() && !text(&out).contains("WARNING"), "qpdf {name}: {}", text(&out));
    } else {
        eprintln!("skipped: no qpdf");
    }
    for (i, (signed, cms)) in cut(&std::fs::read(path).unwrap()).iter().enumerate() {
        let data = world.file(&format!("{name}.{i}.data"), signed);
        let p7s = world.file(&format!("{name}.{i}.p7s"), cms);
        let out = Command::new("openssl")
            .args([
                "cms",
                "-verify",
                "-binary",
                "-inform",
                "DER",
                "-purpose",
                "any",
                "-cades",
                "-out",
                "/dev/null",
            ])
            .args(["-in".as_ref(), p7s.as_os_str(), "-content".as_ref(), data.as_os_str()])
            .args(["-CAfile".as_ref(), root.as_os_str()])
            .output()
            .unwrap();
        assert!(text(&out).contains("CAdES Verification successful"), "openssl {name}: {}", text(&out));
    }
}

/// Signed bytes and CMS of every signature, found by text so that no code of ours judges itself.
fn cut(pdf: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mark = b"/ByteRange [";
    let starts = (0..pdf.len().saturating_sub(mark.len())).filter(|i| pdf[*i..].starts_with(mark));
    starts
        .map(|at| {
            let list = &pdf[at + mark.len()..at + mark.len() + 40];
            let end = list.iter().position(|b| *b == b']').unwrap();
            let numbers = std::str::from_utf8(&list[..end]).unwrap();
            let n: Vec<usize> = numbers.split_whitespace().map(|n| n.parse().unwrap()).collect();
            let signed = [&pdf[..n[1]], &pdf[n[2]..n[2] + n[3]]].concat();
            let padded = hex::decode(&pdf[n[1] + 1..n[2] - 1]).unwrap();
            let length = usize::from(padded[2]) << 8 | usize::from(padded[3]);
            assert_eq!(padded[1], 0x82);
            (signed, padded[..length + 4].to_vec())
        })
        .collect()
}

/// Files of every structure, by name.
fn papers(world: &World) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for turn in [90, 180, 270] {
        out.insert(format!("turned-{turn}"), paper(turn, Some([30, 40, 500, 700])));
    }
    out.insert("table".into(), paper(0, None));
    out.insert("crop".into(), paper(0, Some([30, 40, 500, 700])));
    let plain = world.file("plain-source.pdf", &paper(0, None));
    let Some(qpdf) = tool("qpdf") else {
        eprintln!("skipped: no qpdf to make other structures with");
        return out;
    };
    let forms: [(&str, &[&str]); 3] = [
        ("objects", &["--object-streams=generate"]),
        ("linear", &["--linearize"]),
        ("linear-objects", &["--linearize", "--object-streams=generate"]),
    ];
    for (name, arguments) in forms {
        let target = world.dir.path().join(format!("source-{name}.pdf"));
        let made = Command::new(&qpdf).args(arguments).arg(&plain).arg(&target).output().unwrap();
        assert!(made.status.success(), "{}", text(&made));
        out.insert(name.into(), std::fs::read(target).unwrap());
    }
    out
}

/// One page that looks the same however it is turned: a frame, and a bar along the displayed top edge.
pub(crate) fn paper(turn: u32, crop: Option<[u32; 4]>) -> Vec<u8> {
    let crop = crop.map_or_else(String::new, |c| format!("/CropBox[{} {} {} {}]", c[0], c[1], c[2], c[3]));
    let content = "0.9 0.95 1 rg 0 0 595 842 re f 0 0 0 RG 60 60 400 600 re S";
    let bodies = [
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Rotate {turn}{crop}/Contents 4 0 R/Resources<<>>>>"
        ),
        format!("<</Length {}>>\nstream\n{content}\nendstream", content.len()),
    ];
    let mut out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut offsets = Vec::new();
    for (i, body) in bodies.iter().enumerate() {
        offsets.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n{body}\nendobj\n", i + 1).as_bytes());
    }
    let xref = out.len();
    out.extend_from_slice(b"xref\n0 5\n0000000000 65535 f\r\n");
    for offset in offsets {
        out.extend_from_slice(format!("{offset:010} 00000 n\r\n").as_bytes());
    }
    let id = "<00112233445566778899aabbccddeeff>";
    out.extend_from_slice(
        format!("trailer\n<</Size 5/Root 1 0 R/ID[{id}{id}]>>\nstartxref\n{xref}\n%%EOF\n").as_bytes(),
    );
    out
}

/// A certificate world made by OpenSSL, shared by the tests of this file.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    /// Certificate store of pdfsig, `sql:` and its folder.
    nss: Option<String>,
}

pub(crate) static WORLD: LazyLock<World> = LazyLock::new(World::mint);

impl World {
    fn mint() -> World {
        let mut world = World { dir: tempfile::tempdir().unwrap(), nss: None };
        world.file("ext.cnf", EXTENSIONS.as_bytes());
        let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256";
        let csr = |key: &str, name: &str, file: &str| {
            world.openssl(&format!(
                "req -new {key} -nodes -keyout {file}.key -subj /C=VN/CN={name} -out {file}.csr"
            ));
        };
        csr(ec, "TRAINING-ROOT", "root");
        world.openssl("x509 -req -in root.csr -signkey root.key -extfile ext.cnf -extensions root -days 300 -out root.pem");
        let issue = |file: &str, kind: &str, ca: &str| {
            world.openssl(&format!(
                "x509 -req -in {file}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -extfile ext.cnf -extensions {kind} -days 200 -out {file}.pem"
            ));
        };
        csr("-newkey rsa:2048", "TRAINING-CA", "inter");
        issue("inter", "inter", "root");
        for (file, key, kind) in [
            ("rsa", "-newkey rsa:2048", "signer"),
            ("ec", ec, "signer"),
            ("third", ec, "signer"),
            ("tsa", ec, "tsa"),
        ] {
            csr(key, &format!("TRAINING-{file}"), file);
            issue(file, kind, "inter");
            let out = Command::new("openssl")
                .current_dir(world.dir.path())
                .args(["pkcs12", "-export", "-certfile", "inter.pem", "-passout"])
                .arg(format!("pass:{PASSWORD}"))
                .args([
                    "-inkey",
                    &format!("{file}.key"),
                    "-in",
                    &format!("{file}.pem"),
                    "-out",
                    &format!("{file}.p12"),
                ])
                .output()
                .unwrap();
            assert!(out.status.success(), "{}", text(&out));
        }
        world.nss = world.store();
        world
    }

    fn store(&self) -> Option<String> {
        let certutil = tool("certutil")?;
        let folder = self.dir.path().join("nss");
        std::fs::create_dir(&folder).unwrap();
        let store = format!("sql:{}", folder.display());
        let run = |more: &[&str]| {
            let out =
                Command::new(&certutil).current_dir(self.dir.path()).args(["-d", &store]).args(more).output();
            assert!(out.unwrap().status.success());
        };
        run(&["-N", "--empty-password"]);
        run(&["-A", "-n", "root", "-t", "CT,CT,CT", "-i", "root.pem"]);
        run(&["-A", "-n", "inter", "-t", ",,", "-i", "inter.pem"]);
        Some(store)
    }

    fn key(&self, name: &str) -> SoftKey {
        let p12 = std::fs::read(self.dir.path().join(format!("{name}.p12"))).unwrap();
        SoftKey::from_pkcs12(&p12, PASSWORD).unwrap()
    }

    fn seal(
        &self,
        pdf: &[u8],
        profile: &str,
        key: &str,
        tsa: Option<&dyn TimestampSource>,
    ) -> Outcome<Sealed> {
        let profile = SignatureProfile::built_in(profile)?;
        sign(pdf, &profile, &self.key(key), tsa, jiff::Timestamp::now(), &facts())
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn openssl(&self, arguments: &str) -> String {
        let arguments = arguments.split_whitespace();
        let out =
            Command::new("openssl").args(arguments.clone()).current_dir(self.dir.path()).output().unwrap();
        assert!(out.status.success(), "{arguments:?}: {}", text(&out));
        text(&out)
    }
}

fn facts() -> AppearanceFacts {
    AppearanceFacts {
        name: "Nguyễn Thị Huệ".into(),
        office: Some("Ủy ban nhân dân xã Hòa Bình".into()),
        ..Default::default()
    }
}

pub(crate) fn serve(runtime: &tokio::runtime::Runtime, router: axum::Router) -> String {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/")
}

pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let venv = std::env::var_os("HOSO_VENV").map(|v| PathBuf::from(v).join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    venv.into_iter().chain(std::env::split_paths(&path)).map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn runs(program: &Path, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|out| out.status.success())
}

pub(crate) fn text(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

pub(crate) const PASSWORD: &str = "mật khẩu";

const EXTENSIONS: &str = "[root]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
    subjectKeyIdentifier=hash\n\
    [inter]\nbasicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n\
    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n\
    [signer]\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature,nonRepudiation\n\
    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n\
    [tsa]\nbasicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n\
    subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";

const MAKE_PDF_A: &str = "
import sys, pikepdf
from pikepdf import pdfa
pdfa.save(pikepdf.open(sys.argv[1]), sys.argv[2], '2b')
";

/// The validator knows no forms: each appearance becomes page content, then the page is judged.
const FLATTEN_AND_VALIDATE: &str = "
import sys, pikepdf
from pikepdf import pdfa
pdf = pikepdf.open(sys.argv[1])
for page in pdf.pages:
    for i, a in enumerate(page.obj.get('/Annots', [])):
        assert sorted(a.AP.keys()) == ['/N'] and int(a.F) == 132, a
        if '/XObject' not in page.obj.Resources:
            page.obj.Resources['/XObject'] = pikepdf.Dictionary()
        page.obj.Resources.XObject['/Flat%d' % i] = a.AP.N
        page.contents_add(b'q /Flat%d Do Q' % i)
    if '/Annots' in page.obj:
        del page.obj['/Annots']
if '/AcroForm' in pdf.Root:
    del pdf.Root['/AcroForm']
pdf.save(sys.argv[2])
result = pdfa.validate_written(sys.argv[2], '2b')
print('passed:', result.passed)
for finding in result.findings: print(finding)
";
