use super::*;
use crate::chip::master_list::tests::{content, sign};
use crate::chip::trust::tests::{curves, world};
use openssl::x509::X509;
use std::time::Duration;

fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn list(names: &[&str], signer: &str) -> Vec<u8> {
    let members: Vec<Vec<u8>> = names.iter().map(|n| world().certificate(n).to_der().unwrap()).collect();
    let members: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
    sign(world(), &content(&members), signer, "-md sha256 -certfile de.pem")
}

fn import(folder: &Path, list: &[u8]) -> Outcome<Installed> {
    install(folder, list, &[world().anchor("de")], now(), &curves(), "test")
}

fn names(listed: &[Listed]) -> Vec<&str> {
    let mut names: Vec<&str> = listed.iter().filter_map(|l| l.name.as_deref()).collect();
    names.sort_unstable();
    names
}

/// Every file and its bytes, but for the lock.
fn snapshot(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let named =
        entries.map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), fs::read(p).unwrap()));
    named.filter(|(name, _)| name != ".import.lock").collect()
}

#[test]
fn an_imported_list_is_trusted_and_a_newer_one_takes_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = &folder.path().join("made/csca");
    let old = list(&["vn", "koblitz", "noca"], "mls");
    let first = import(folder, &old).unwrap();
    assert_eq!((first.provenance.certificates, first.replaced, first.unchanged), (2, None, false));
    assert_eq!(first.countries, BTreeSet::from(["VN".to_owned()]));
    assert_eq!(names(&first.added), ["KOBLITZ", "TEST CSCA"]);
    assert_eq!(first.provenance.refused.len(), 1);
    assert_eq!(first.provenance.refused[0].name.as_deref(), Some("NO CA EITHER"));
    let trust = Trust::load(folder).unwrap();
    assert_eq!((trust.len(), trust.imports().len()), (2, 1));
    let chain = |trust: &Trust, signer: &str| {
        let chain = trust.chain(&world().certificate(signer), now(), &curves());
        chain.map(|c| (c.anchor.file.clone(), c.broken.len(), c.odd.len()))
    };
    assert_eq!(chain(&trust, "ds"), Some((first.file.clone(), 0, 0)));
    assert_eq!(chain(&trust, "ds2"), None);

    std::thread::sleep(Duration::from_millis(1100));
    let new = list(&["vn", "vn2", "de"], "mls");
    let second = import(folder, &new).unwrap();
    assert_eq!(
        (names(&second.added), names(&second.removed)),
        (vec!["TEST CSCA", "TEST CSCA"], vec!["KOBLITZ"])
    );
    assert_eq!((second.replaced, &second.file), (Some(first.provenance.signed_at), &first.file));
    let trust = Trust::load(folder).unwrap();
    assert_eq!(trust.len(), 3);
    assert!(chain(&trust, "ds2").is_some() && chain(&trust, "ds-koblitz").is_none());
    let files = snapshot(folder);
    assert_eq!(files.len(), 2, "the bundle and the list it was made of: {:?}", files.keys());
    assert!(files.values().any(|bytes| *bytes == new));

    // An older one, the same one, and one of another publisher.
    let older = import(folder, &old).unwrap_err();
    assert_eq!(older.code.id, "CHIP-016");
    assert!(import(folder, &new).unwrap().unchanged);
    assert_eq!(snapshot(folder), files);
    let by = install(
        folder,
        &sign(world(), &content(&[&world().certificate("idle").to_der().unwrap()]), "lister", ""),
        &[world().anchor("vn")],
        now(),
        &curves(),
        "test",
    );
    assert_ne!(by.unwrap().file, second.file);
    assert_eq!(Trust::load(folder).unwrap().len(), 4);
}

#[test]
fn a_publisher_that_took_another_name_replaces_its_list_and_lets_no_older_one_in() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let roots = [world().anchor("de"), world().anchor("germany")];
    let import = |list: &[u8]| install(folder, list, &roots, now(), &curves(), "test");
    let old = list(&["vn", "koblitz"], "mls");
    std::thread::sleep(Duration::from_millis(1100));
    let middle = list(&["vn", "vn2"], "mls");
    std::thread::sleep(Duration::from_millis(1100));
    let members = content(&[&world().certificate("vn2").to_der().unwrap()]);
    let new = sign(world(), &members, "mls-germany", "-md sha256 -certfile germany.pem");
    let first = import(&old).unwrap();
    // As an earlier version left it, which kept one list for each name of the publisher.
    let [bundle, received] =
        [first.file.clone(), format!("ml-de-{}.ml", &Sha256::of(&old).to_string()[..16])];
    fs::rename(folder.join(&bundle), folder.join("ml-de-00000000.anchors")).unwrap();
    fs::rename(folder.join(&received), folder.join(received.replace("ml-de-", "ml-de-00000000-"))).unwrap();
    let legacy = fs::read(folder.join("ml-de-00000000.anchors")).unwrap();
    import(&middle).unwrap();
    fs::write(folder.join("ml-de-11111111.anchors"), &legacy).unwrap();
    assert_eq!(import(&old).unwrap_err().code.id, "CHIP-016");
    let renamed = import(&new).unwrap();
    assert_eq!(renamed.removed.len(), 2, "of both lists: {:?}", renamed.removed);
    let trust = Trust::load(folder).unwrap();
    assert_eq!((trust.len(), trust.imports().len()), (1, 1));
    assert!(trust.chain(&world().certificate("ds"), now(), &curves()).is_none(), "VN is in no list any more");
    assert_eq!(snapshot(folder).len(), 2, "{:?}", snapshot(folder).keys());
    for older in [&old, &middle] {
        assert_eq!(import(older).unwrap_err().code.id, "CHIP-016");
    }
    // A list that an interrupted change of names left behind goes when the present one is imported again.
    fs::write(folder.join("ml-de-11111111.anchors"), &legacy).unwrap();
    assert!(import(&new).unwrap().unchanged);
    assert_eq!(Trust::load(folder).unwrap().len(), 1);
}

#[test]
fn no_file_is_taken_away_that_an_import_did_not_write_least_of_all_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let old = list(&["vn"], "mls");
    let installed = import(folder, &old).unwrap().file;
    std::thread::sleep(Duration::from_millis(1100));
    let new = list(&["vn", "vn2"], "mls");
    let digest = |bytes: &[u8]| Sha256::of(bytes).to_string()[..16].to_owned();
    let own = [
        "ml-de-2026-05-28.ml".to_owned(),
        "ml-de-old.ml".to_owned(),
        "ml-de.ml".to_owned(),
        format!("ml-de-notamark-{}.ml", digest(&new)),
        // By its name one of ours; by its contents not.
        format!("ml-de-{}.ml", digest(b"another")),
        "ml-de-00000000-0123456789abcdef.ml".to_owned(),
        "ml-de-note.txt".to_owned(),
        // The input itself, under a name that an earlier version gave.
        format!("ml-de-00000000-{}.ml", digest(&new)),
    ];
    for name in &own {
        fs::write(folder.join(name), &new).unwrap();
    }
    let bundle = fs::read(folder.join(&installed)).unwrap();
    fs::write(folder.join("ml-de-mine.anchors"), &bundle).unwrap();
    for _ in 0..2 {
        import(folder, &new).unwrap();
        for name in &own {
            assert_eq!(fs::read(folder.join(name)).unwrap(), new, "{name}");
        }
        assert_eq!(fs::read(folder.join("ml-de-mine.anchors")).unwrap(), bundle);
        assert!(!folder.join(format!("ml-de-{}.ml", digest(&old))).exists(), "what it wrote itself goes");
    }
}

#[test]
fn a_list_that_is_refused_leaves_the_folder_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hand.pem"), fs::read(world().path("twin.pem")).unwrap()).unwrap();
    import(folder.path(), &list(&["vn"], "mls")).unwrap();
    let before = snapshot(folder.path());
    std::thread::sleep(Duration::from_millis(1100));
    let mut flipped = list(&["vn", "vn2"], "mls");
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    assert!(import(folder.path(), &flipped).is_err());
    assert!(import(folder.path(), &list(&["vn", "vn2"], "mls-none")).is_err());
    assert_eq!(snapshot(folder.path()), before);
    fs::copy(world().path("crl/lister.crl"), folder.path().join("de.crl")).unwrap();
    let before = snapshot(folder.path());
    let revoked = import(folder.path(), &list(&["vn", "vn2"], "mls-revoked")).unwrap_err();
    assert_eq!(
        (revoked.code.id, revoked.detail.as_deref()),
        ("CHIP-015", Some("its certificate is revoked"))
    );
    assert_eq!(snapshot(folder.path()), before);
    assert_eq!(Trust::load(folder.path()).unwrap().len(), 2);
}

#[test]
fn what_a_crash_leaves_half_written_is_not_loaded_and_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = import(folder.path(), &list(&["vn"], "mls")).unwrap().file;
    let whole = fs::read(folder.path().join(&file)).unwrap();
    let staged = folder.path().join(format!(".{file}.staged"));
    fs::write(&staged, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(Trust::load(folder.path()).unwrap().len(), 1);
    std::thread::sleep(Duration::from_millis(1100));
    import(folder.path(), &list(&["vn", "vn2"], "mls")).unwrap();
    assert_eq!((Trust::load(folder.path()).unwrap().len(), staged.exists()), (2, false));
}

#[test]
fn a_changed_bundle_never_creates_trust_and_a_damaged_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = import(folder.path(), &list(&["vn", "koblitz"], "mls")).unwrap().file;
    let path = folder.path().join(&file);
    let whole = fs::read(&path).unwrap();
    // With every single byte changed: what is trusted is one of the certificates that were imported, or nothing.
    let known: BTreeSet<Sha256> = ["vn", "koblitz"].iter().map(|n| world().anchor(n).sha256).collect();
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x11;
        let Ok((_, rows)) = bundle::read(flipped) else { continue };
        for row in rows {
            assert!(row.read("x").is_none_or(|anchor| known.contains(&anchor.sha256)), "byte {at}");
        }
    }
    // An index that was made to lead from one authority's name to another's key, digest and all.
    let (provenance, _) = bundle::read(whole.clone()).unwrap();
    let other = world().anchor("twin");
    let twin = world().certificate("twin").to_der().unwrap();
    let bytes = bundle::write(provenance.clone(), &[(other, &twin)]).unwrap();
    let (written, mut rows) = bundle::read(bytes).unwrap();
    assert_eq!(written.certificates, 1);
    rows[0].sha256 = world().anchor("vn").sha256;
    assert!(rows[0].read("x").is_none(), "the bytes have another digest");
    let mut rows = bundle::read(whole.clone()).unwrap().1;
    rows[0].name = rows[1].key;
    assert!(rows[0].read("x").is_none(), "the certificate has another name");
    for cut in [0, 5, 20, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(Trust::load(folder.path()).err().unwrap().code.id, "CHIP-012", "{cut}");
        assert_eq!(import(folder.path(), &list(&["vn"], "mls")).unwrap_err().code.id, "CHIP-012");
    }
}

#[test]
fn the_published_german_list_becomes_one_indexed_file() {
    let shared = std::env::var("HOSO_SHARED_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data").to_owned());
    let data = Path::new(&shared).join("identity/master-list-de");
    let Ok(list) = fs::read(data.join("DE_ML_2026-05-28.ml")) else {
        eprintln!("skipped: no list in {}", data.display());
        return;
    };
    let root = Anchor::read("root", &fs::read(data.join("DE_CSCA07.cer")).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let done = install(folder.path(), &list, &[root], now, &curves(), "test").unwrap();
    assert_eq!((done.added.len() + done.provenance.refused.len(), done.countries.len()), (588, 112));
    // Seven say that they are no authority, one says nothing.
    let why: BTreeSet<&str> = done.provenance.refused.iter().map(|r| r.why.as_str()).collect();
    assert_eq!((done.provenance.refused.len(), why.len()), (8, 1), "{:?}", done.provenance.refused);
    let trust = Trust::load(folder.path()).unwrap();
    assert_eq!(trust.len(), 580);
    let mut signed_themselves = 0;
    for anchor in trust.anchors() {
        let anchor = anchor.unwrap();
        // What the command line's library reads of the same bytes.
        let bytes = trust.entries[trust.by_digest[&anchor.sha256]].row.bytes.get();
        let theirs = X509::from_der(&bytes).unwrap();
        assert!(theirs.public_key().unwrap().public_eq(&anchor.key) || anchor.parts.explicit_curve());
        let ours = anchor.signed(&crate::cms::certificate::Signed::read(&bytes).unwrap());
        assert_eq!(theirs.verify(&theirs.public_key().unwrap()).unwrap_or(false), ours);
        signed_themselves += usize::from(ours);
    }
    assert!((360..=375).contains(&signed_themselves), "{signed_themselves}");
}
