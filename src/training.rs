//! A whole world to train in: authorities, an officer, an agency, a clock, a chip card issuer and the keys of
//! the stand-ins. Every certificate says `HUẤN LUYỆN / TRAINING ONLY` in its name, and so does every listing.
//!
//! ```text
//! root CA ── issuing CA ─┬─ officer (P-256)   keys/officer.p12
//!                        ├─ agency (RSA-2048)  keys/agency.p12
//!                        ├─ timestamp authority, wallet, portal, station, issuer (P-256)  keys/*.key, *.pem
//! CSCA (P-384) ── document signer (P-256)      keys/ds.key, ds.pem
//! log key (Ed25519)                            keys/log.key, log.pub
//! ```

pub mod issue;

use crate::fault::{Class, Code, Fault, Outcome};
use issue::{Authority, Purpose, Subject};
use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::X509;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What stands in the organisation and in every common name of this world.
pub const MARK: &str = "HUẤN LUYỆN / TRAINING ONLY";

/// What was minted and where it lies.
#[derive(Debug, Clone)]
pub struct World {
    /// Folder of the private keys, for the owner alone.
    pub keys: PathBuf,
    /// Folder of what a station trusts: `signing/`, `csca/`, `log/`.
    pub anchors: PathBuf,
    /// Every file written, in order.
    pub files: Vec<PathBuf>,
    /// Raw Ed25519 public key of the log; its verifier line is made by the log.
    pub log_public_key: [u8; 32],
}

/// Mints a training world into two folders, which are made where they are missing.
///
/// Certificates count from a day before `now`; revocation lists are empty and good for ten years. Files of a
/// private key, and the password of the PKCS#12 files (`keys/training-password.txt`), are readable by their
/// owner alone. The keys of the authorities themselves stay in `keys/ca/`, to revoke and to issue more. A world
/// half written (disk full, power cut) is not taken up again: its folders have to be cleared first.
///
/// # Errors
/// [`OCCUPIED`] before anything is written, where a file of the world is already there; [`UNWRITABLE`];
/// [`CRYPTO`].
pub fn mint(keys: &Path, anchors: &Path, now: jiff::Timestamp) -> Outcome<World> {
    let made = make(now).map_err(|e| Fault::new(&CRYPTO).detail(reason(&e)))?;
    let place = |file: &Made| if file.anchor { anchors.join(file.name) } else { keys.join(file.name) };
    if let Some(taken) = made.files.iter().map(place).find(|path| path.symlink_metadata().is_ok()) {
        return Err(Fault::new(&OCCUPIED).at(taken.display()));
    }
    folder(keys, true)?;
    folder(&keys.join("ca"), true)?;
    for sub in ["signing", "csca", "log"] {
        folder(&anchors.join(sub), false)?;
    }
    let mut files = Vec::with_capacity(made.files.len());
    for file in &made.files {
        let path = place(file);
        write_new(&path, &file.bytes, file.secret)?;
        files.push(path);
    }
    Ok(World {
        keys: keys.to_owned(),
        anchors: anchors.to_owned(),
        files,
        log_public_key: made.log_public_key,
    })
}

/// A file of the world before it is written.
struct Made {
    name: &'static str,
    bytes: Vec<u8>,
    anchor: bool,
    secret: bool,
}

struct Batch {
    files: Vec<Made>,
    log_public_key: [u8; 32],
}

impl Batch {
    fn anchor(&mut self, name: &'static str, bytes: Vec<u8>) {
        self.files.push(Made { name, bytes, anchor: true, secret: false });
    }

    fn secret(&mut self, name: &'static str, bytes: Vec<u8>) {
        self.files.push(Made { name, bytes, anchor: false, secret: true });
    }

    fn public(&mut self, name: &'static str, bytes: Vec<u8>) {
        self.files.push(Made { name, bytes, anchor: false, secret: false });
    }

    fn authority(
        &mut self,
        authority: &Authority,
        pem: &'static str,
        crl: &'static str,
        key: &'static str,
    ) -> Minted {
        self.anchor(pem, authority.cert.to_pem()?);
        self.anchor(crl, authority.empty_crl()?.to_pem()?);
        self.secret(key, authority.key.private_key_to_pem_pkcs8()?);
        Ok(())
    }
}

type Minted<T = ()> = Result<T, ErrorStack>;

/// The whole world in memory: either all of it can be made or nothing is written.
fn make(now: jiff::Timestamp) -> Minted<Batch> {
    let mut batch = Batch { files: Vec::new(), log_public_key: [0; 32] };
    let subject = |name| Subject { name, organisation: MARK, mark: MARK };

    let root = Authority::root(&subject("CA gốc"), issue::rsa(3072)?, now)?;
    let issuing = root.subordinate(&subject("CA cấp phát"), issue::ec_p256()?, now)?;
    batch.authority(&root, "signing/root.pem", "signing/root.crl", "ca/root.key")?;
    batch.authority(&issuing, "signing/issuing.pem", "signing/issuing.crl", "ca/issuing.key")?;

    let mut password = [0u8; 18];
    openssl::rand::rand_bytes(&mut password)?;
    let password = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, password);
    let signers = [
        ("officer.p12", "Nguyễn Thị Mẫu", issue::ec_p256()?),
        ("agency.p12", "UBND xã Mẫu", issue::rsa(2048)?),
    ];
    for (file, name, key) in signers {
        let cert = issuing.issue(&subject(name), &key, Purpose::DocumentSigning, now)?;
        batch.secret(file, pkcs12(name, &key, &cert, &issuing.cert, &password)?);
    }
    batch.secret("training-password.txt", format!("{password}\n").into_bytes());

    let services = [
        ("tsa.key", "tsa.pem", "Dấu thời gian", Purpose::TimeStamping),
        ("wallet.key", "wallet.pem", "Biên nhận của ví", Purpose::Receipts),
        ("portal.key", "portal.pem", "Biên nhận của cổng", Purpose::Receipts),
        ("station.key", "station.pem", "Trạm tiếp nhận", Purpose::Receipts),
        ("issuer.key", "issuer.pem", "Cấp chứng nhận điện tử", Purpose::Receipts),
    ];
    for (key_file, cert_file, name, purpose) in services {
        let key = issue::ec_p256()?;
        // With the authority above it, so that whoever holds the root alone can build the path.
        let mut chain = issuing.issue(&subject(name), &key, purpose, now)?.to_pem()?;
        chain.extend(issuing.cert.to_pem()?);
        batch.public(cert_file, chain);
        batch.secret(key_file, key.private_key_to_pem_pkcs8()?);
    }

    let csca = Authority::csca(&subject("CSCA"), now)?;
    batch.authority(&csca, "csca/csca.pem", "csca/csca.crl", "ca/csca.key")?;
    let signer = issue::ec_p256()?;
    let cert = csca.issue(&subject("Document Signer 1"), &signer, Purpose::ChipData, now)?;
    batch.public("ds.pem", cert.to_pem()?);
    batch.secret("ds.key", signer.private_key_to_pem_pkcs8()?);

    let log = PKey::generate_ed25519()?;
    let raw = log.raw_public_key()?;
    batch.log_public_key.copy_from_slice(raw.get(..32).unwrap_or(&[0; 32]));
    batch.public("log.pub", log.public_key_to_pem()?);
    batch.secret("log.key", log.private_key_to_pem_pkcs8()?);
    Ok(batch)
}

/// Key, certificate and the authority above it, sealed as OpenSSL 3 does by default (PBES2, AES-256-CBC).
fn pkcs12(name: &str, key: &PKey<Private>, cert: &X509, issuer: &X509, password: &str) -> Minted<Vec<u8>> {
    let mut chain = Stack::new()?;
    chain.push(issuer.clone())?;
    Pkcs12::builder().name(name).pkey(key).cert(cert).ca(chain).build2(password)?.to_der()
}

fn folder(path: &Path, private: bool) -> Outcome<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    if private {
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    }
    let _ = private;
    builder.create(path).map_err(|e| Fault::new(&UNWRITABLE).detail(e.kind()).at(path.display()))
}

fn write_new(path: &Path, bytes: &[u8], secret: bool) -> Outcome<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let _ = secret;
    options
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|e| Fault::new(&UNWRITABLE).detail(e.kind()).at(path.display()))
}

/// OpenSSL's reasons without its file names and line numbers.
fn reason(stack: &ErrorStack) -> String {
    let reasons: Vec<_> = stack.errors().iter().filter_map(openssl::error::Error::reason).collect();
    reasons.join("; ")
}

/// A file of the world is already there: keys are never overwritten.
pub const OCCUPIED: Code = Code {
    id: "INIT-001",
    class: Class::Setup,
    vi: "Đã có tệp khoá hoặc chứng thư ở đây; không ghi đè",
    en: "a key or certificate is already here and is not overwritten",
    remedy_vi: "Chọn thư mục trống",
    remedy_en: "choose an empty folder",
};

/// A file or folder of the world cannot be written.
pub const UNWRITABLE: Code = Code {
    id: "INIT-002",
    class: Class::Setup,
    vi: "Không ghi được tệp khoá hoặc chứng thư",
    en: "a key or certificate cannot be written",
    remedy_vi: "Kiểm tra thư mục, quyền ghi và chỗ trống trên đĩa",
    remedy_en: "check the folder, the permission to write and the free space",
};

/// OpenSSL refused to make a key or a certificate.
pub const CRYPTO: Code = Code {
    id: "INIT-003",
    class: Class::Inner,
    vi: "OpenSSL không tạo được khoá hoặc chứng thư",
    en: "OpenSSL could not make a key or certificate",
    remedy_vi: "Kiểm tra cấu hình OpenSSL của máy (FIPS, thuật toán bị tắt)",
    remedy_en: "check the machine's OpenSSL configuration (FIPS, disabled algorithms)",
};

/// Every fault of this room so far.
pub const CODES: &[&Code] = &[&OCCUPIED, &UNWRITABLE, &CRYPTO];

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn world() -> (tempfile::TempDir, World) {
        let dir = tempfile::tempdir().unwrap();
        let now = jiff::Timestamp::now();
        let world = mint(&dir.path().join("keys"), &dir.path().join("anchors"), now).unwrap();
        (dir, world)
    }

    fn openssl(args: &[&str]) -> Option<(bool, String)> {
        let out = Command::new("openssl").args(args).output().ok()?;
        let text = [out.stdout, out.stderr].concat();
        Some((out.status.success(), String::from_utf8_lossy(&text).into_owned()))
    }

    #[test]
    fn openssl_accepts_every_chain_with_its_revocation_lists() {
        let (dir, world) = world();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let signing = path("anchors/signing/all.pem");
        let joined: Vec<u8> = ["root.pem", "root.crl", "issuing.crl"]
            .iter()
            .flat_map(|name| std::fs::read(world.anchors.join("signing").join(name)).unwrap())
            .collect();
        std::fs::write(&signing, joined).unwrap();
        let password = std::fs::read_to_string(world.keys.join("training-password.txt")).unwrap();
        for name in ["officer", "agency"] {
            let sealed = std::fs::read(world.keys.join(format!("{name}.p12"))).unwrap();
            let opened = Pkcs12::from_der(&sealed).unwrap().parse2(password.trim()).unwrap();
            let cert = opened.cert.unwrap();
            assert!(cert.public_key().unwrap().public_eq(&opened.pkey.unwrap()));
            assert_eq!(opened.ca.unwrap().len(), 1);
            std::fs::write(world.keys.join(format!("{name}.pem")), cert.to_pem().unwrap()).unwrap();
        }
        for (name, purpose) in [
            ("officer", "any"),
            ("agency", "any"),
            ("tsa", "timestampsign"),
            ("wallet", "any"),
            ("portal", "any"),
            ("station", "any"),
            ("issuer", "any"),
        ] {
            let args = [
                "verify",
                "-x509_strict",
                "-crl_check_all",
                "-purpose",
                purpose,
                "-CAfile",
                &signing,
                "-untrusted",
                &path("anchors/signing/issuing.pem"),
                &path(&format!("keys/{name}.pem")),
            ];
            let Some((ok, said)) = openssl(&args) else {
                eprintln!("skipped: no openssl command");
                return;
            };
            assert!(ok, "{name}: {said}");
        }
        let csca = path("anchors/csca/all.pem");
        let joined: Vec<u8> = ["csca.pem", "csca.crl"]
            .iter()
            .flat_map(|name| std::fs::read(world.anchors.join("csca").join(name)).unwrap())
            .collect();
        std::fs::write(&csca, joined).unwrap();
        let args = ["verify", "-x509_strict", "-crl_check_all", "-CAfile", &csca, &path("keys/ds.pem")];
        let (ok, said) = openssl(&args).unwrap();
        assert!(ok, "{said}");
        let crl = path("anchors/signing/issuing.crl");
        let args = ["crl", "-in", &crl, "-noout", "-text", "-CAfile", &path("anchors/signing/issuing.pem")];
        let (ok, said) = openssl(&args).unwrap();
        assert!(ok && said.contains("verify OK") && said.contains("No Revoked Certificates"), "{said}");
    }

    #[test]
    fn every_certificate_says_that_it_is_for_training() {
        let (_dir, world) = world();
        let mut seen = 0;
        for file in world.files.iter().filter(|file| file.extension().is_some_and(|e| e == "pem")) {
            let cert = X509::from_pem(&std::fs::read(file).unwrap()).unwrap();
            for nid in [openssl::nid::Nid::ORGANIZATIONNAME, openssl::nid::Nid::COMMONNAME] {
                let entry = cert.subject_name().entries_by_nid(nid).next().unwrap();
                assert!(entry.data().to_string().unwrap().contains(MARK), "{}", file.display());
            }
            seen += 1;
        }
        assert_eq!(seen, 9);
    }

    #[cfg(unix)]
    #[test]
    fn private_keys_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, world) = world();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&world.keys), 0o700);
        let secret =
            |file: &&PathBuf| file.extension().is_some_and(|e| e == "key" || e == "p12" || e == "txt");
        let secrets: Vec<_> = world.files.iter().filter(secret).collect();
        assert_eq!(secrets.len(), 13);
        assert!(secrets.into_iter().all(|file| mode(file) == 0o600));
    }

    #[test]
    fn a_second_world_does_not_overwrite_the_first() {
        let (_dir, world) = world();
        let before = std::fs::read(world.keys.join("log.key")).unwrap();
        let fault = mint(&world.keys, &world.anchors, jiff::Timestamp::now()).unwrap_err();
        assert_eq!(fault.code, &OCCUPIED);
        assert_eq!(std::fs::read(world.keys.join("log.key")).unwrap(), before);
    }
}
