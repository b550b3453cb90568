//! Levels above B-T and their renewal through the command; whether they hold is for `scripts/matrix` to say.

use super::*;
use crate::seal_judges::{serve, tool};

const KEY: [&str; 6] = ["--key", "ec.p12", "--passfile", "password", "--trust", "trust"];

struct Archive {
    desk: Desk,
    _runtime: tokio::runtime::Runtime,
    tsa: String,
}

impl Archive {
    /// A trust folder with the root, the intermediate and, of each, a revocation list.
    fn new() -> Self {
        let desk = Desk::new();
        std::fs::create_dir(desk.path("trust")).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let pem = |name: &str| std::fs::read(WORLD.dir.path().join(name)).unwrap();
        let chain = [pem("tsa.pem"), pem("inter.pem")].concat();
        let tsa = serve(&runtime, hoso::serve::mock_tsa::router(&pem("tsa.key"), &chain).unwrap());
        for name in ["root.key", "inter.key"] {
            desk.file(name, &pem(name));
        }
        let archive = Archive { desk, _runtime: runtime, tsa };
        for name in ["root", "inter"] {
            let desk = &archive.desk;
            std::fs::copy(desk.path(&format!("{name}.pem")), desk.path(&format!("trust/{name}.pem")))
                .unwrap();
            desk.file(&format!("{name}.txt"), b"");
            desk.file(&format!("{name}.crlnumber"), b"01\n");
            let config = format!(
                "[a]\ndatabase={name}.txt\ncrlnumber={name}.crlnumber\ndefault_md=sha256\ndefault_crl_days=30\n\
                 crl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n"
            );
            desk.file(&format!("{name}.cnf"), config.as_bytes());
            archive.list(name, &["-gencrl", "-out", &format!("trust/{name}.crl")]);
        }
        archive
    }

    fn list(&self, name: &str, arguments: &[&str]) {
        let out = Command::new("openssl")
            .current_dir(self.desk.folder.path())
            .args(["ca", "-name", "a", "-config", &format!("{name}.cnf")])
            .args(["-cert", &format!("{name}.pem"), "-keyfile", &format!("{name}.key")])
            .args(arguments)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", text(&out));
    }

    fn with<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&KEY[..], &["--tsa", &self.tsa, "--offline"], more].concat()
    }
}

#[test]
fn a_file_is_signed_for_the_archive_and_renewed_when_that_is_due() {
    let archive = Archive::new();
    let desk = &archive.desk;
    for level in ["B-LT", "B-LTA"] {
        let arguments =
            [&["in.pdf", "-o", "out.pdf", "--json"], &archive.with(&["--level", level])[..]].concat();
        let out = desk.run(&arguments);
        assert!(out.status.success(), "{level}: {}", text(&out));
        let line: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(line["level"], level);
    }
    desk.no_strays();
    let archived = std::fs::read(desk.path("out.pdf")).unwrap();
    let renew = |more: &[&str]| {
        let base = ["--renew", "out.pdf", "--tsa", &archive.tsa, "--trust", "trust", "--offline", "--json"];
        let out = desk.run(&[&base[..], more].concat());
        assert!(out.status.success(), "{}", text(&out));
        serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap()
    };
    assert_eq!(renew(&["--within", "1"])["renewed"], false);
    assert_eq!(std::fs::read(desk.path("out.pdf")).unwrap(), archived, "nothing is due yet");
    assert_eq!(renew(&["--within", "400", "-o", "renewed.pdf"])["renewed"], true);
    assert_eq!(std::fs::read(desk.path("out.pdf")).unwrap(), archived);
    assert_eq!(renew(&["--within", "400"])["renewed"], true);
    for name in ["out.pdf", "renewed.pdf"] {
        let renewed = std::fs::read(desk.path(name)).unwrap();
        assert!(renewed.starts_with(&archived) && renewed.len() > archived.len(), "{name}: only appended to");
        let Some(pyhanko) = tool("pyhanko") else { return eprintln!("skipped: no pyhanko") };
        let out = Command::new(pyhanko)
            .current_dir(desk.folder.path())
            .args([
                "sign",
                "validate",
                "--trust",
                "root.pem",
                "--trust-replace",
                "--no-revocation-check",
                name,
            ])
            .output()
            .unwrap();
        let said = text(&out);
        assert!(out.status.success() && said.contains("EXTENDED_WITH_LTA_UPDATES"), "{said}");
    }
    let not_archived = desk.signed(&KEY);
    for (path, code) in [(desk.path("in.pdf"), "SEAL-066"), (not_archived, "SEAL-072")] {
        let before = std::fs::read(&path).unwrap();
        let name = path.to_str().unwrap();
        let refused = desk.run(&["--renew", name, "--tsa", &archive.tsa, "--trust", "trust", "--offline"]);
        assert!(refused.status.code() != Some(0) && text(&refused).contains(code), "{}", text(&refused));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
    let no_trust = desk.run(&["--renew", "in.pdf", "--tsa", &archive.tsa]);
    assert!(no_trust.status.code() == Some(2) && text(&no_trust).contains("--trust"), "{}", text(&no_trust));
}

#[test]
fn a_revoked_signer_signs_nothing_and_an_unknown_one_no_more() {
    let archive = Archive::new();
    let desk = &archive.desk;
    let before = ["--check-revocation", "--offline"];
    desk.signed(&[&KEY[..], &before].concat());
    archive.list("inter", &["-revoke", "ec.pem", "-crl_reason", "keyCompromise"]);
    archive.list("inter", &["-gencrl", "-out", "trust/inter.crl"]);
    desk.refused(&[&KEY[..], &before].concat(), "SEAL-099", &[]);
    for level in ["B-LT", "B-LTA"] {
        desk.refused(&archive.with(&["--level", level]), "SEAL-099", &[]);
    }
    std::fs::remove_file(desk.path("trust/inter.crl")).unwrap();
    desk.refused(&[&KEY[..], &before].concat(), "SEAL-059", &[]);
    desk.refused(&archive.with(&["--level", "B-LT"]), "SEAL-059", &[]);
}
