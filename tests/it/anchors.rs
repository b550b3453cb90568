//! `hoso identity anchors`: a list signed by the OpenSSL command line is imported, shown and believed; kill -9 in the
//! middle of an import leaves the old list or the new one.

use crate::playground::HOSO;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A publisher with its list signer, an authority and 39 more.
const SETUP: &str = r#"
ca='basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
key() { openssl ecparam -name brainpoolP256r1 -param_enc explicit -genkey -noout -out "$1.key"; }
root() { [ -f "$1.key" ] || key "$1"; printf '%b' "$ca" > "$1.ext"; openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -signkey "$1.key" -days 900 -extfile "$1.ext" -out "$1.pem"; openssl x509 -in "$1.pem" -outform DER -out "$1.der"; }
root publisher '/C=DE/CN=PUBLISHER'; root csca '/C=VN/CN=CSCA'
key lister; printf 'keyUsage=critical,digitalSignature\nauthorityKeyIdentifier=keyid\nextendedKeyUsage=critical,2.23.136.1.1.3\n' > lister.ext
openssl req -new -key lister.key -subj /C=DE/CN=LISTER -out lister.csr
openssl x509 -req -in lister.csr -CA publisher.pem -CAkey publisher.key -CAcreateserial -days 900 -extfile lister.ext -out lister.pem
for n in $(seq 1 39); do cp csca.key f.key; root f "/C=ZZ/CN=FILLER $n"; mv f.der filler-$n.der; done
"#;

fn run(folder: &Path, args: &str) -> Output {
    Command::new(HOSO).args(args.split(' ')).current_dir(folder).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const IMPORT: &str = "identity anchors import";

#[test]
fn a_list_is_imported_shown_kept_newest_and_survives_being_killed() {
    let dir = tempfile::tempdir().unwrap();
    let minted = Command::new("bash").args(["-euc", SETUP]).current_dir(dir.path()).output().unwrap();
    assert!(minted.status.success(), "{}", String::from_utf8_lossy(&minted.stderr));
    let sign = |name: &str, members: &[String]| {
        let members: Vec<Vec<u8>> =
            members.iter().map(|m| std::fs::read(dir.path().join(m)).unwrap()).collect();
        let content = tlv(0x30, &[tlv(2, &[0]), tlv(0x31, &members.concat())].concat());
        std::fs::write(dir.path().join("content"), content).unwrap();
        let sign = "cms -sign -nodetach -binary -nosmimecap -econtent_type 2.23.136.1.1.2 -signer lister.pem -inkey lister.key \
             -md sha256 -in content -outform DER -out";
        let args = sign.split_whitespace().chain([name]);
        assert!(Command::new("openssl").args(args).current_dir(dir.path()).status().unwrap().success());
    };
    sign("old.ml", &["csca.der".to_owned()]);
    std::thread::sleep(Duration::from_millis(1100));
    let all: Vec<String> =
        (1..=39).map(|n| format!("filler-{n}.der")).chain(["csca.der".to_owned()]).collect();
    sign("new.ml", &all);

    let import = |list: &str, root: &str| {
        run(dir.path(), &format!("{IMPORT} {list} --root {root} --anchors csca --json"))
    };
    assert_eq!(import("old.ml", "csca.pem").status.code(), Some(3), "another root");
    assert!(!dir.path().join("csca").exists(), "nothing was made");
    let first = import("old.ml", "publisher.pem");
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let said = &lines(&first)[0];
    assert_eq!((said["certificates"].as_u64(), said["countries"][0].as_str()), (Some(1), Some("VN")));

    // Killed at any moment: the old list or the new one, whole.
    for wait in (0..12).map(|n| Duration::from_micros(n * 700)) {
        let folder = format!("csca-{}", wait.as_micros());
        let args = |list: &str| format!("{IMPORT} {list} --root publisher.pem --anchors {folder}");
        assert!(run(dir.path(), &args("old.ml")).status.success());
        let words = args("new.ml");
        let mut command = Command::new(HOSO);
        let mut child =
            command.args(words.split(' ')).current_dir(dir.path()).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(wait);
        let _ = child.kill();
        child.wait().unwrap();
        let shown = run(dir.path(), &format!("identity anchors list --anchors {folder} --json"));
        assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
        let count = lines(&shown).iter().filter(|line| line["sha256"].is_string()).count();
        assert!(count == 1 || count == 40, "{count} after {wait:?}");
        assert!(run(dir.path(), &words).status.success(), "and it can be done again");
    }

    let second = &lines(&import("new.ml", "publisher.pem"))[0];
    assert_eq!(second["added"].as_array().map(Vec::len), Some(39));
    let older = import("old.ml", "publisher.pem");
    assert_eq!(older.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&older.stderr).contains("CHIP-016"));
    assert_eq!(lines(&import("new.ml", "publisher.pem"))[0]["unchanged"], true);
    let shown = run(dir.path(), "identity anchors list --anchors csca --country vn");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        text.contains("brainpoolP256r1") && text.contains("DE, PUBLISHER") && !text.contains("FILLER"),
        "{text}"
    );
}

/// One DER element.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = match content.len() {
        short @ 0..128 => vec![short as u8],
        long => {
            let bytes = long.to_be_bytes();
            let digits = &bytes[bytes.iter().position(|b| *b != 0).unwrap()..];
            [&[0x80 | digits.len() as u8], digits].concat()
        }
    };
    [&[tag], &length[..], content].concat()
}
