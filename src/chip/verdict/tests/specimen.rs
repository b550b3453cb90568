//! The public specimen of 2008: intact, of unknown origin, signed with what is too weak today.

use super::*;
use std::path::Path;

#[test]
fn the_published_specimen_is_intact_and_of_unknown_origin() {
    let shared = std::env::var("HOSO_SHARED_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_owned());
    let folder = Path::new(&shared).join("identity/specimen-bsi-2008");
    if !folder.exists() {
        eprintln!("skipped: no specimen in {}", folder.display());
        return;
    }
    let names = [
        (FileId::Com, "EF_COM"),
        (FileId::Sod, "EF_SOD"),
        (FileId::Dg(1), "Datagroup1"),
        (FileId::Dg(2), "Datagroup2"),
        (FileId::Dg(14), "Datagroup14"),
        (FileId::Dg(15), "Datagroup15"),
    ];
    let files = names.map(|(id, name)| (id, std::fs::read(folder.join(name).with_extension("bin")).unwrap()));
    let mut reading = Reading::of_files(files.into()).unwrap();
    reading.active_authentication = Some(Challenge { challenge: vec![0; 8], response: vec![0; 128] });
    let verdict = judge(&reading, "anchors");
    assert_eq!((verdict.overall, verdict.short), (NO_ANCHOR, Short::IntegrityOnly));
    assert_eq!(verdict.unproven, [Unproven::NoAnchor, Unproven::WeakAlgorithm]);
    assert_eq!(verdict.sod.weak, ["SHA-1", "ECDSA 224 bit (brainpoolP224r1)"]);
    assert_eq!(verdict.sod.algorithm.as_deref(), Some("ecdsa-with-SHA1"));
    assert!(verdict.issuer.as_deref().is_some_and(|name| name.contains("CSCA BDR TEST")));
    use DgState::{NotInSod, Ok, Protected};
    assert_eq!(verdict.dg, BTreeMap::from([(1, Ok), (2, Ok), (3, Protected), (14, Ok), (15, NotInSod)]));
    assert_eq!(flags(&verdict), [Flag::WeakAlgorithm, Flag::DscExpired, Flag::AaKeyUnsigned]);
    let portrait = portrait::find(reading.dg(2).unwrap()).unwrap();
    assert_eq!((portrait.width, portrait.height, portrait.range.start), (413, 531, 84));
    assert!(!portrait.trailing);
    for number in [1, 2, 14] {
        let mut flipped = reading.clone();
        let file = flipped.files.get_mut(&FileId::Dg(number)).unwrap();
        let last = file.len() - 1;
        file[last] ^= 1;
        let verdict = judge(&flipped, "anchors");
        assert_eq!(
            (verdict.overall, verdict.dg[&number]),
            (Overall::Forged(Forgery::DgHash), DgState::Mismatch)
        );
    }
}
