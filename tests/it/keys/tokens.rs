//! Keys on tokens: SoftHSM, and SoftHSM behind a module with moods (`tests/token/moody.c`).

use super::*;

const MODULES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];
const PIN: &str = "1234";
const WRONG: &str = "9753";

/// A desk with a token on it: `rsa` and `ec` keys with certificates of the same id and label.
struct Token {
    desk: Desk,
    module: &'static str,
}

impl Token {
    fn new() -> Option<Self> {
        let module = MODULES.into_iter().find(|m| Path::new(m).exists());
        let Some(module) = module else {
            eprintln!("skipped: no SoftHSM (apt-get install softhsm2)");
            return None;
        };
        let mut desk = Desk::new();
        std::fs::create_dir(desk.path("tokens")).unwrap();
        let config =
            format!("directories.tokendir={}\nobjectstore.backend=file\n", desk.path("tokens").display());
        let config = desk.file("softhsm.conf", config.as_bytes());
        desk.environment.push(("SOFTHSM2_CONF".into(), config.display().to_string()));
        desk.file("pin", format!("{PIN}\n").as_bytes());
        desk.file("wrong", format!("{WRONG}\n").as_bytes());
        let token = Token { desk, module };
        token.init("t1");
        for (name, id) in [("rsa", "A1"), ("ec", "B2")] {
            token.key("t1", name, name, id);
            token.certificate("t1", name, name, id);
        }
        Some(token)
    }

    fn tool(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(program);
        command.current_dir(self.desk.folder.path()).args(arguments);
        command.envs(self.desk.environment.iter().map(|(k, v)| (k, v)));
        let out = command.output().unwrap_or_else(|e| panic!("{program}: {e}"));
        assert!(out.status.success(), "{program} {arguments:?}: {}", text(&out));
    }

    fn init(&self, label: &str) {
        self.tool(
            "softhsm2-util",
            &["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "5678"],
        );
    }

    fn key(&self, token: &str, file: &str, label: &str, id: &str) {
        let (key, p8) = (format!("{file}.key"), format!("{file}.p8"));
        self.tool("openssl", &["pkcs8", "-topk8", "-nocrypt", "-in", &key, "-out", &p8]);
        self.tool(
            "softhsm2-util",
            &["--import", &p8, "--token", token, "--label", label, "--id", id, "--pin", PIN],
        );
    }

    fn certificate(&self, token: &str, file: &str, label: &str, id: &str) {
        let (pem, der) = (format!("{file}.pem"), format!("{file}.der"));
        self.tool("openssl", &["x509", "-in", &pem, "-outform", "DER", "-out", &der]);
        let mut arguments = vec!["--module", self.module, "--token-label", token, "--login", "--pin", PIN];
        arguments.extend(["--write-object", &der, "--type", "cert", "--label", label]);
        if !id.is_empty() {
            arguments.extend(["--id", id]);
        }
        self.tool("pkcs11-tool", &arguments);
    }

    fn uri(&self, which: &str) -> String {
        format!("pkcs11:{which}?module-path={}", self.module)
    }

    /// Puts the module with moods in front.
    fn moody(&mut self, moods: &[(&str, &str)]) -> bool {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/token/moody.c");
        let library = self.desk.path("moody.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-ldl")
            .output();
        match built {
            Ok(out) => assert!(out.status.success(), "{}", text(&out)),
            Err(_) => {
                eprintln!("skipped: no C compiler for the module with moods");
                return false;
            }
        }
        let log = self.desk.path("log").display().to_string();
        let own = [("MOODY_MODULE", self.module), ("MOODY_LOG", log.as_str())];
        let all = own.iter().chain(moods).map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        self.desk.environment.extend(all);
        true
    }

    fn moody_uri(&self, which: &str) -> String {
        format!("pkcs11:{which}?module-path={}", self.desk.path("moody.so").display())
    }

    /// How often the module was asked for something since the last time.
    fn asked(&self, what: &str) -> usize {
        let log = std::fs::read_to_string(self.desk.path("log")).unwrap_or_default();
        log.lines().filter(|line| line.split(' ').next() == Some(what)).count()
    }
}

#[test]
fn keys_on_a_token_sign_to_the_satisfaction_of_every_judge() {
    let Some(token) = Token::new() else { return };
    for (name, which) in [
        ("rsa", "token=t1;object=rsa"),
        ("ec", "token=t1;id=%B2"),
        ("rsa", "token=t1;id=%A1;object=rsa;type=private"),
    ] {
        let arguments = ["--pkcs11", &token.uri(which), "--pinfile", "pin", "--cert", "inter.pem"];
        let signed = token.desk.signed(&arguments);
        let path = WORLD.file(&format!("key-token-{name}.pdf"), &std::fs::read(signed).unwrap());
        judge(&WORLD, &path, 1, &["TRUSTED,UNTOUCHED"]);
    }
    let source = format!("{}&pin-source=file:pin", token.uri("token=t1;id=%A1"));
    token.desk.signed(&["--pkcs11", &source]);
}

#[test]
fn what_does_not_name_one_key_is_refused_by_name() {
    let Some(token) = Token::new() else { return };
    let secrets = [PIN, "t1"];
    let refused =
        |uri: &str, code: &str| token.desk.refused(&["--pkcs11", uri, "--pinfile", "pin"], code, &secrets);
    refused(&token.uri("token=t1"), "SEAL-084");
    refused(&token.uri("token=t1;object=none"), "SEAL-084");
    refused(&token.uri("token=other"), "SEAL-082");
    refused(&token.uri("token=t1;serial=0"), "SEAL-082");
    refused("pkcs11:token=t1?module-path=/no/such.so", "SEAL-081");
    refused("pkcs11:token=t1?module-path=/lib/x86_64-linux-gnu/libm.so.6", "SEAL-081");
    refused(&format!("{}&pin-value={PIN}", token.uri("token=t1")), "SEAL-080");
    token.init("t2");
    refused(&token.uri("id=%A1"), "SEAL-083");
    token.desk.signed(&["--pkcs11", &token.uri("token=t1;id=%A1"), "--pinfile", "pin"]);
}

#[test]
fn a_certificate_is_found_by_id_then_by_label_then_by_the_key_that_it_carries() {
    let Some(token) = Token::new() else { return };
    let sign = |label: &str, more: &[&str]| {
        let uri = token.uri(&format!("token={label}"));
        token.desk.sign(&[&["--pkcs11", &uri, "--pinfile", "pin"], more].concat())
    };
    for (label, name, certificate) in [
        ("by-label", "same", ("same", "")),
        ("by-key-rsa", "key", ("something else", "99")),
        ("by-key-none", "key", ("", "")),
    ] {
        token.init(label);
        token.key(label, "rsa", name, "A1");
        // A stranger's certificate that claims the key's id must not be taken for it.
        token.certificate(label, "ec", "stranger", "A1");
        token.certificate(label, "rsa", certificate.0, certificate.1);
        let (exit, said, written) = sign(label, &[]);
        assert!(exit == 0 && written, "{label}: {said}");
    }
    token.init("bare");
    token.key("bare", "ec", "key", "B2");
    let (exit, said, written) = sign("bare", &[]);
    assert!(exit != 0 && said.contains("SEAL-085") && !written, "{said}");
    let (exit, said, _) = sign("bare", &["--cert", "ec.pem"]);
    assert_eq!(exit, 0, "{said}");
    let (exit, said, written) = sign("bare", &["--cert", "rsa.pem"]);
    assert!(exit != 0 && said.contains("SEAL-085") && !written, "{said}");
}

#[test]
fn a_wrong_pin_is_tried_once_and_never_shown() {
    let Some(mut token) = Token::new() else { return };
    if !token.moody(&[]) {
        return;
    }
    let uri = token.moody_uri("token=t1;id=%A1");
    let arguments = ["--pkcs11", &uri, "--pinfile", "wrong"];
    token.desk.refused(&arguments, "SEAL-086", &[WRONG, PIN]);
    assert_eq!(token.asked("login"), 1);
    let papers = token.desk.papers(5);
    std::fs::create_dir(token.desk.path("out")).unwrap();
    let papers: Vec<&str> = papers.iter().map(String::as_str).collect();
    let out = token.desk.run(&[&papers, &["--out-dir", "out"][..], &arguments].concat());
    assert!(out.status.code() != Some(0) && !text(&out).contains(WRONG), "{}", text(&out));
    assert_eq!(token.asked("login"), 2, "one more, for five files");
    // Too short for the token: it would have cost a try for nothing.
    token.desk.file("short", b"12\n");
    token.desk.refused(&["--pkcs11", &uri, "--pinfile", "short"], "SEAL-086", &[]);
    token.desk.refused(&["--pkcs11", &uri], "SEAL-086", &[]);
    assert_eq!(token.asked("login"), 2);
    token.desk.signed(&["--pkcs11", &uri, "--pinfile", "pin"]);
}

#[test]
fn a_token_with_one_try_left_is_not_touched_unless_told_so() {
    let Some(mut token) = Token::new() else { return };
    if !token.moody(&[("MOODY_FLAGS", "0x20000")]) {
        return;
    }
    let uri = token.moody_uri("token=t1;id=%B2");
    let arguments = ["--pkcs11", &uri, "--pinfile", "pin"];
    token.desk.refused(&arguments, "SEAL-088", &[PIN]);
    assert_eq!(token.asked("login"), 0);
    token.desk.signed(&[&arguments[..], &["--pin-last-try"]].concat());
    token.desk.environment.retain(|(k, _)| k != "MOODY_FLAGS");
    token.desk.environment.push(("MOODY_FLAGS".into(), "0x40000".into()));
    token.desk.refused(&[&arguments[..], &["--pin-last-try"]].concat(), "SEAL-087", &[PIN]);
    assert_eq!(token.asked("login"), 1, "a locked token is not tried");
}

#[test]
fn a_batch_takes_one_session_and_one_login() {
    let Some(mut token) = Token::new() else { return };
    if !token.moody(&[]) {
        return;
    }
    let papers = token.desk.papers(6);
    std::fs::create_dir(token.desk.path("out")).unwrap();
    let papers: Vec<&str> = papers.iter().map(String::as_str).collect();
    let uri = token.moody_uri("token=t1;id=%A1");
    let out =
        token.desk.run(&[&papers, &["--out-dir", "out", "--pkcs11", &uri, "--pinfile", "pin"][..]].concat());
    assert!(out.status.success(), "{}", text(&out));
    assert_eq!((token.asked("session"), token.asked("login"), token.asked("signature")), (1, 1, 6));
}

#[test]
fn a_token_that_is_pulled_out_fails_the_rest_and_leaves_what_was_signed() {
    let Some(mut token) = Token::new() else { return };
    if !token.moody(&[("MOODY_SIGNS", "3")]) {
        return;
    }
    let papers = token.desk.papers(60);
    std::fs::create_dir(token.desk.path("out")).unwrap();
    let papers: Vec<&str> = papers.iter().map(String::as_str).collect();
    let uri = token.moody_uri("token=t1;id=%A1");
    let out = token.desk.run(
        &[&papers, &["--out-dir", "out", "--pkcs11", &uri, "--pinfile", "pin", "--cert", "inter.pem"][..]]
            .concat(),
    );
    let said = text(&out);
    assert_eq!(out.status.code(), Some(1), "{said}");
    assert_eq!((said.matches("SEAL-089").count(), said.contains("3 / 60")), (57, true), "{said}");
    let signed: Vec<_> = std::fs::read_dir(token.desk.path("out")).unwrap().flatten().collect();
    assert_eq!(signed.len(), 3, "whole files only");
    token.desk.no_strays();
    for entry in signed {
        let path = WORLD.file("key-pulled.pdf", &std::fs::read(entry.path()).unwrap());
        judge(&WORLD, &path, 1, &["TRUSTED,UNTOUCHED"]);
    }
}

#[test]
fn a_key_that_wants_its_pin_every_time_gets_it_between_the_beginning_and_the_end() {
    let Some(mut token) = Token::new() else { return };
    if !token.moody(&[("MOODY_ALWAYS", "1")]) {
        return;
    }
    let papers = token.desk.papers(3);
    std::fs::create_dir(token.desk.path("out")).unwrap();
    let papers: Vec<&str> = papers.iter().map(String::as_str).collect();
    for (which, signatures) in [("token=t1;id=%A1", 3), ("token=t1;id=%B2", 6)] {
        let uri = token.moody_uri(which);
        let key = ["--out-dir", "out", "--pkcs11", &uri, "--pinfile", "pin"];
        let out = token.desk.run(&[&papers, &key[..]].concat());
        assert!(out.status.success(), "{}", text(&out));
        assert_eq!((token.asked("context-login"), token.asked("signature")), (signatures, signatures));
    }
}
