//! `hoso verify --online`: evidence that neither the file nor the trust folder holds is asked for, and counts only where
//! the authority signed it.

use super::World;
use crate::playground::HOSO;
use std::process::Command;
use std::sync::atomic::Ordering;

/// What the command says about a file: exit code, chain, revocation.
fn verify(world: &World, pdf: &[u8], online: bool) -> (i32, String, String) {
    std::fs::write(world.path("asked.pdf"), pdf).unwrap();
    std::fs::create_dir_all(world.path("trust")).unwrap();
    std::fs::copy(world.path("root.pem"), world.path("trust/root.pem")).unwrap();
    let out = Command::new(HOSO)
        .current_dir(world.folder.path())
        .args(["verify", "asked.pdf", "--trust", "trust", "--json"])
        .args(online.then_some("--online"))
        .output()
        .unwrap();
    let said: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let word = |key: &str| said["signatures"][0][key].as_str().unwrap().to_owned();
    (out.status.code().unwrap(), word("chain"), word("revocation"))
}

#[test]
fn what_is_missing_is_asked_for_and_nobody_is_asked_unbidden() {
    let world = World::mint();
    // Neither the intermediate certificate nor anything about revocation is in the file.
    let pdf = world.sign("ec", false, true);
    let (code, chain, revocation) = verify(&world, &pdf, false);
    assert_eq!((code, chain.as_str(), revocation.as_str()), (4, "untrusted", "unknown"));
    assert_eq!(world.desk.asked.load(Ordering::SeqCst), 0, "offline asks nobody");
    let (code, chain, revocation) = verify(&world, &pdf, true);
    assert_eq!((code, chain.as_str(), revocation.as_str()), (0, "trusted", "good"));
    // The responder is dead: its lists serve. They are gone, too: nothing is known, and nothing is taken for good.
    world.desk.silent.store(true, Ordering::SeqCst);
    assert_eq!(verify(&world, &pdf, true).0, 0);
    std::fs::remove_file(world.path("inter.crl")).unwrap();
    let (code, _, revocation) = verify(&world, &pdf, true);
    assert_eq!((code, revocation.as_str()), (4, "unknown"));
    // A list that somebody else signed is no list.
    std::fs::copy(world.path("root.crl"), world.path("inter.crl")).unwrap();
    assert_eq!(verify(&world, &pdf, true).0, 4);
}

#[test]
fn a_revoked_signer_is_found_out_online_by_answer_and_by_list() {
    let world = World::mint();
    let pdf = world.sign("rsa", true, false);
    world.revoke("rsa");
    for silent in [false, true] {
        world.desk.silent.store(silent, Ordering::SeqCst);
        let (code, _, revocation) = verify(&world, &pdf, true);
        assert_eq!((code, revocation.as_str()), (5, "revoked"), "silent: {silent}");
    }
}
