use super::*;
use crate::chip::trust::tests::{World, curves, world};
use std::process::Command;

/// A CscaMasterList of these certificates.
pub(in crate::chip) fn content(certificates: &[&[u8]]) -> Vec<u8> {
    der::sequence(&[&der::integer(&[0]), &der::set_of(certificates)])
}

/// Signs contents with the OpenSSL command line, as a publisher does.
pub(in crate::chip) fn sign(world: &World, content: &[u8], signer: &str, options: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("content"), content).unwrap();
    let options = if options.contains("econtent_type") {
        options.to_owned()
    } else {
        format!("-econtent_type 2.23.136.1.1.2 {options}")
    };
    let common = "cms -sign -nodetach -binary -nosmimecap -outform DER";
    let output = Command::new("openssl")
        .args(common.split(' '))
        .args(["-in", &path("content"), "-out", &path("list")])
        .args(["-signer", &format!("{signer}.pem"), "-inkey", &format!("{signer}.key")])
        .args(options.split_whitespace())
        .current_dir(world.dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(path("list")).unwrap()
}

/// A list of three authorities, signed right unless told otherwise.
fn minted(signer: &str, options: &str) -> Vec<u8> {
    let members = ["vn", "vn2", "de"].map(|n| world().certificate(n).to_der().unwrap());
    sign(world(), &content(&members.each_ref().map(Vec::as_slice)), signer, options)
}

fn judged(list: &[u8], root: &str) -> Outcome<MasterList> {
    verify(list, &[world().anchor(root)], jiff::Timestamp::now(), &curves())
}

fn refusal(list: &[u8], root: &str) -> (&'static str, String) {
    let fault = judged(list, root).unwrap_err();
    (fault.code.id, fault.detail.unwrap_or_default())
}

#[test]
fn a_list_is_believed_under_the_root_that_is_pinned_and_under_no_other() {
    let list = minted("mls", "-md sha256 -certfile de.pem");
    let read = judged(&list, "de").unwrap();
    assert_eq!((read.certificates.len(), read.root_sha256), (3, world().anchor("de").sha256));
    assert_eq!(read.sha256, Sha256::of(&list));
    let age = jiff::Timestamp::now().duration_since(read.signed_at).as_secs();
    assert!((0..600).contains(&age), "{age} seconds");
    for root in ["vn", "twin", "mls"] {
        assert_eq!(refusal(&list, root), ("CHIP-015", "no pinned root issued its certificate".to_owned()));
    }
    assert!(verify(&list, &[], jiff::Timestamp::now(), &curves()).is_err());
    let both = [world().anchor("vn"), world().anchor("de")];
    assert!(verify(&list, &both, jiff::Timestamp::now(), &curves()).is_ok());
}

#[test]
fn lists_of_every_spelling_are_read() {
    for options in ["-md sha512", "-md sha256 -keyid", "-md sha384 -stream", "-md sha256 -certfile de.pem"] {
        assert_eq!(judged(&minted("mls", options), "de").map(|l| l.certificates.len()), Ok(3), "{options}");
    }
}

#[test]
fn one_changed_byte_anywhere_refuses_the_whole_list() {
    for options in ["-md sha256 -certfile de.pem", "-md sha256 -keyid"] {
        let list = minted("mls", options);
        assert!(judged(&list, "de").is_ok());
        let roots = [world().anchor("de")];
        // Every byte of the frame at both ends; in the certificates every place is like every other.
        let all = (0..140).chain((140..list.len() - 480).step_by(13)).chain(list.len() - 480..list.len());
        for at in all {
            let mut flipped = list.clone();
            flipped[at] ^= [0x01, 0x20, 0x80, 0x04][at % 4];
            let answer = verify(&flipped, &roots, jiff::Timestamp::now(), &curves());
            assert!(answer.is_err(), "{options}: byte {at} of {}", list.len());
        }
        for length in (0..list.len()).step_by(97) {
            assert!(verify(&list[..length], &roots, jiff::Timestamp::now(), &curves()).is_err());
        }
        assert!(verify(&[&list[..], &[0]].concat(), &roots, jiff::Timestamp::now(), &curves()).is_err());
    }
}

#[test]
fn a_signer_that_may_not_sign_lists_is_refused_with_the_reason() {
    for (signer, root, why) in [
        ("mls-none", "de", "its certificate is not for signing master lists"),
        ("mls-soft", "de", "its certificate is not for signing master lists"),
        ("mls-both", "de", "its certificate is not for signing master lists"),
        ("de", "de", "its certificate is not for signing master lists"),
        ("mls-ca", "de", "its certificate is an authority's"),
        ("mls-usage", "de", "its certificate may not sign data"),
        ("mls-vn", "de", "its country is not that of the pinned root"),
        ("mls-unknown", "de", "its certificate has a critical extension that is not known here"),
        ("mls-sha1", "de", "its algorithm is too weak"),
        ("mls-over", "over", "the pinned root was not valid when it signed"),
        ("mls-alone", "alone", "the pinned root may not sign certificates"),
        ("mls-alone", "de", "no pinned root issued its certificate"),
    ] {
        let (code, detail) = refusal(&minted(signer, "-md sha256"), root);
        assert_eq!((code, detail.as_str()), ("CHIP-015", why), "{signer} under {root}");
    }
}

#[test]
fn a_list_without_signer_time_or_strong_hash_is_refused() {
    assert_eq!(refusal(&minted("mls", "-md sha1"), "de").0, "CHIP-014");
    assert_eq!(refusal(&minted("mls", "-md sha256 -noattr"), "de").0, "CHIP-013");
    assert_eq!(refusal(&minted("mls", "-md sha256 -nocerts"), "de").0, "CHIP-013");
    let later = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48);
    let early = verify(&minted("mls", "-md sha256"), &[world().anchor("de")], later, &curves());
    assert_eq!(early.unwrap_err().detail.unwrap(), "it says that it was signed in the future");
}

#[test]
fn a_stranger_beside_the_list_refuses_it() {
    let (code, detail) = refusal(&minted("mls", "-md sha256 -certfile vn.pem"), "de");
    assert_eq!((code, detail.contains("beside the list")), ("CHIP-015", true));
}

#[test]
fn of_two_signers_both_must_be_right() {
    let two = |other: &str| minted("mls", &format!("-md sha256 -signer {other}.pem -inkey {other}.key"));
    assert_eq!(refusal(&two("mls-none"), "de").0, "CHIP-015");
    assert_eq!(refusal(&two("mls-alone"), "de").0, "CHIP-015");
    assert!(judged(&two("mls-revoked"), "de").is_ok(), "revocation is for the folder to tell");
}

#[test]
fn what_is_no_list_of_certificates_is_refused_however_well_it_is_signed() {
    let vn = world().certificate("vn").to_der().unwrap();
    let wrong = [
        vec![],
        content(&[]),
        der::sequence(&[&der::integer(&[1]), &der::set_of(&[&vn])]),
        der::sequence(&[&der::integer(&[0]), &der::set_of(&[&vn]), &der::null()]),
        [content(&[&vn]), vec![5, 0]].concat(),
        content(&[&der::null()]),
        content(&[&der::tlv(0x30, &vec![0; LARGEST_CERTIFICATE])]),
        der::sequence(&[&der::integer(&[0]), &der::tlv(0x31, &[0x30, 0].repeat(MOST_CERTIFICATES + 1))]),
    ];
    for wrong in wrong {
        assert_eq!(refusal(&sign(world(), &wrong, "mls", "-md sha256"), "de").0, "CHIP-013");
    }
    assert_eq!(refusal(&vec![0x30; LARGEST + 1], "de").0, "CHIP-013");
    let other = sign(world(), &content(&[&vn]), "mls", "-md sha256 -econtent_type 2.23.136.1.1.1");
    assert_eq!(refusal(&other, "de"), ("CHIP-013", "its contents are of another type".to_owned()));
}

#[test]
fn the_published_german_list_is_believed_under_its_root_and_not_with_a_changed_byte() {
    let shared = std::env::var("HOSO_SHARED_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_owned());
    let folder = std::path::Path::new(&shared).join("identity/master-list-de");
    let Ok(list) = std::fs::read(folder.join("DE_ML_2026-05-28.ml")) else {
        eprintln!("skipped: no list in {}", folder.display());
        return;
    };
    let root = Anchor::read("root", &std::fs::read(folder.join("DE_CSCA07.cer")).unwrap()).unwrap();
    let roots = [root];
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let read = verify(&list, &roots, now, &curves()).unwrap();
    assert_eq!(read.certificates.len(), 588);
    assert_eq!(read.signed_at, "2026-05-28T06:28:45Z".parse().unwrap());
    let ends = (0..60).step_by(5).chain((list.len() - 300..list.len()).step_by(7));
    for at in ends.chain((60..list.len()).step_by(list.len() / 20)) {
        let mut flipped = list.clone();
        flipped[at] ^= 0x04;
        assert!(verify(&flipped, &roots, now, &curves()).is_err(), "byte {at}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_refused(bytes: Vec<u8>) {
        proptest::prop_assert!(verify(&bytes, &[], jiff::Timestamp::UNIX_EPOCH, &[]).is_err());
        let _ = read_list(&bytes);
    }
}
