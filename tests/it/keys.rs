//! Keys of every kind through the command: files, tokens (SoftHSM), signing services; and what happens when key, PIN,
//! service or authority fail. Whatever fails, nothing may stand at the output path.

mod levels;
mod service;
mod stamps;
#[cfg(feature = "pkcs11")]
mod tokens;

use crate::seal_judges::{PASSWORD, WORLD, judge, paper, text};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder for one test, and `hoso sign` in it.
struct Desk {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = Desk { folder, environment: Vec::new() };
        desk.file("in.pdf", &paper(0, None));
        desk.file("password", PASSWORD.as_bytes());
        for name in ["rsa.p12", "ec.p12", "rsa.key", "ec.key", "rsa.pem", "ec.pem", "inter.pem", "root.pem"] {
            std::fs::copy(WORLD.dir.path().join(name), desk.path(name)).unwrap();
        }
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    fn papers(&self, count: usize) -> Vec<String> {
        let name = |i| format!("paper-{i}.pdf");
        (0..count).for_each(|i| drop(self.file(&name(i), &paper(0, None))));
        (0..count).map(name).collect()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hoso"));
        command.current_dir(self.folder.path()).arg("sign").args(arguments);
        command.envs(self.environment.iter().map(|(k, v)| (k, v)));
        command.output().unwrap()
    }

    /// Signs `in.pdf`: the exit code, what was printed, and whether there is a signed file.
    fn sign(&self, arguments: &[&str]) -> (i32, String, bool) {
        let _ = std::fs::remove_file(self.path("out.pdf"));
        let out = self.run(&[&["in.pdf", "-o", "out.pdf"], arguments].concat());
        self.no_strays();
        (out.status.code().unwrap(), text(&out), self.path("out.pdf").exists())
    }

    /// That a refusal has this code, leaves nothing, and says nothing that must not be said.
    fn refused(&self, arguments: &[&str], code: &str, secrets: &[&str]) -> String {
        let (exit, said, written) = self.sign(arguments);
        assert!(exit != 0 && said.contains(code), "wanted {code}: exit {exit}, {said}");
        assert!(!written, "{code}: nothing is written");
        for secret in secrets {
            assert!(!said.contains(secret), "{code}: a secret shows: {said}");
        }
        said
    }

    fn signed(&self, arguments: &[&str]) -> PathBuf {
        let (exit, said, written) = self.sign(arguments);
        assert!(exit == 0 && written, "{arguments:?}: exit {exit}, {said}");
        self.path("out.pdf")
    }

    fn no_strays(&self) {
        let names =
            |folder: &Path| std::fs::read_dir(folder).map(|d| d.flatten().map(|e| e.file_name()).collect());
        for folder in [self.folder.path().to_owned(), self.path("out")] {
            let names: Vec<std::ffi::OsString> = names(&folder).unwrap_or_default();
            assert!(names.iter().all(|n| !n.to_string_lossy().contains("partial")), "{names:?}");
        }
    }
}

#[test]
fn keys_in_files_of_every_kind_sign_to_the_satisfaction_of_every_judge() {
    let desk = Desk::new();
    let world = &*WORLD;
    desk.file("secret", b"s3cret\n");
    for name in ["rsa", "ec"] {
        let whole = |key: &str| {
            let read = |name: &str| std::fs::read(desk.path(name)).unwrap();
            [read(key), read("inter.pem"), read(&format!("{name}.pem"))].concat()
        };
        desk.file(&format!("{name}-whole.pem"), &whole(&format!("{name}.key")));
        let locked = format!("{name}-locked.key");
        let made = Command::new("openssl")
            .current_dir(desk.folder.path())
            .args(["pkcs8", "-topk8", "-passout", "pass:s3cret", "-in"])
            .args([&format!("{name}.key"), "-out", &locked])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", text(&made));
        desk.file(&format!("{name}-locked.pem"), &whole(&locked));
        let (p12, whole, locked) =
            (format!("{name}.p12"), format!("{name}-whole.pem"), format!("{name}-locked.pem"));
        for (kind, arguments) in [
            ("p12", vec!["--key", &p12, "--passfile", "password"]),
            ("alias", vec!["--p12", &p12, "--password", "file:password"]),
            ("pem", vec!["--key", &whole]),
            ("locked", vec!["--key", &locked, "--passfile", "secret"]),
        ] {
            let signed = desk.signed(&arguments);
            let path = world.file(&format!("key-{name}-{kind}.pdf"), &std::fs::read(signed).unwrap());
            judge(world, &path, 1, &["TRUSTED,UNTOUCHED"]);
        }
    }
}

#[test]
fn a_wrong_password_is_named_and_never_shown() {
    let desk = Desk::new();
    let made = Command::new("openssl")
        .current_dir(desk.folder.path())
        .args(["pkcs12", "-export", "-inkey", "rsa.key", "-in", "rsa.pem", "-out", "locked.p12"])
        .args(["-passout", "pass:right-secret"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made));
    desk.file("right", b"right-secret\nand more that is not read\n");
    desk.file("wrong", b"wrong-secret\n");
    desk.file("latin", b"\xe9\n");
    let secrets = ["wrong-secret", "right-secret"];
    let key = |more: &[&'static str]| [&["--key", "locked.p12"], more].concat();
    desk.signed(&key(&["--passfile", "right"]));
    desk.refused(&key(&["--passfile", "wrong"]), "SEAL-002", &secrets);
    desk.refused(&key(&[]), "SEAL-002", &secrets);
    desk.refused(&key(&["--passfile", "latin"]), "SEAL-050", &secrets);
    desk.refused(&key(&["--passfile", "none"]), "SEAL-051", &secrets);
    desk.refused(&key(&["--password", "wrong-secret"]), "SEAL-050", &secrets);
    desk.refused(&key(&["--password", "env:HOSO_NO_SUCH"]), "SEAL-050", &secrets);
    desk.refused(&["--key", "in.pdf"], "SEAL-001", &secrets);
    desk.refused(&["--key", "rsa.key"], "SEAL-006", &secrets);
    desk.refused(&["--key", "rsa.key", "--cert", "ec.pem"], "SEAL-006", &secrets);
}

#[test]
fn wrong_usage_ends_with_2_and_names_the_option() {
    let desk = Desk::new();
    let key = ["--key", "rsa.p12", "--passfile", "password"];
    for (arguments, says) in [
        (vec!["in.pdf", "-o", "out.pdf"], "--key"),
        (vec!["in.pdf", "--key", "rsa.p12"], "--output"),
        (vec!["in.pdf", "-o", "out.pdf", "--key", "rsa.p12", "--pkcs11", "pkcs11:"], "--pkcs11"),
        (vec!["in.pdf", "-o", "out.pdf", "--csc", "https://x/"], "--csc-token-file"),
        (vec!["in.pdf", "-o", "out.pdf", "--level", "B-X", "--key", "rsa.p12"], "B-LTA"),
    ] {
        let out = desk.run(&arguments);
        assert_eq!(out.status.code(), Some(2), "{arguments:?}");
        assert!(text(&out).contains(says), "{arguments:?}: {}", text(&out));
    }
    for level in ["B-T", "B-LT", "B-LTA"] {
        let out = desk.run(&[&["in.pdf", "-o", "out.pdf", "--level", level][..], &key].concat());
        assert!(out.status.code() == Some(2) && text(&out).contains("--tsa"), "{level}: {}", text(&out));
    }
    let out = desk.run(&[&["in.pdf", "in.pdf", "-o", "out.pdf"][..], &key].concat());
    assert!(out.status.code() == Some(2) && text(&out).contains("--out-dir"), "{}", text(&out));
    std::fs::create_dir(desk.path("other")).unwrap();
    desk.file("other/in.pdf", &paper(0, None));
    let out = desk.run(&[&["in.pdf", "other/in.pdf", "--out-dir", "out"][..], &key].concat());
    assert_eq!(out.status.code(), Some(2), "two of one name: {}", text(&out));
    assert!(!desk.path("out.pdf").exists());
}

#[test]
fn a_batch_says_of_each_file_what_came_of_it() {
    let desk = Desk::new();
    let mut papers = desk.papers(5);
    desk.file("broken.pdf", b"%PDF-1.7\nnothing else");
    papers.extend(["broken.pdf".to_owned(), "missing.pdf".to_owned()]);
    std::fs::create_dir(desk.path("out")).unwrap();
    let papers: Vec<&str> = papers.iter().map(String::as_str).collect();
    let key = ["--out-dir", "out", "--key", "ec.p12", "--passfile", "password", "--json"];
    let out = desk.run(&[&papers, &key[..]].concat());
    assert_eq!(out.status.code(), Some(1), "{}", text(&out));
    let lines: Vec<serde_json::Value> = String::from_utf8(out.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 7);
    for line in &lines {
        let name = line["input"].as_str().unwrap();
        let good = name.starts_with("paper");
        assert_eq!(line["level"] == "B-B", good, "{line}");
        assert_eq!(line["fault"].is_object(), !good, "{line}");
        assert_eq!(desk.path("out").join(name).exists(), good);
    }
    desk.no_strays();
    let all: Vec<&str> = papers[..5].to_vec();
    let out = desk.run(&[&all, &key[..6]].concat());
    assert!(out.status.code() == Some(0) && text(&out).contains("5 / 5"), "{}", text(&out));
    let into_itself = desk.run(&[&all, &["--out-dir", "."][..], &key[2..]].concat());
    assert_eq!(into_itself.status.code(), Some(1));
    assert_eq!(text(&into_itself).matches("SEAL-053").count(), 5, "never over its input");
    assert_eq!(std::fs::read(desk.path("paper-0.pdf")).unwrap(), paper(0, None));
}

#[test]
fn a_signer_of_another_issuer_is_refused() {
    let desk = Desk::new();
    let key = ["--key", "ec.p12", "--passfile", "password", "--issuers", "issuers"];
    desk.file("issuers", b"# those we know\nTRAINING-CA\n");
    desk.signed(&key);
    desk.file("issuers", b"SOMEBODY-ELSE\n");
    desk.refused(&key, "SEAL-098", &[]);
}
