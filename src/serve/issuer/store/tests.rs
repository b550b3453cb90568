use super::*;
use crate::deliver::credential::offer::{self, Wish};
use crate::digest::{Digests, Sha256};

fn issuance() -> Issuance {
    let wish = Wish {
        digests: Digests::of(b"%PDF-"),
        fields: serde_json::Map::new(),
        pin: None,
        holder: None,
        ready_at: 0,
        lasts: 60,
        valid: None,
        document_lasts: 60,
        supersedes: None,
    };
    offer::make(wish, 0).unwrap().issuance
}

#[tokio::test]
async fn what_was_added_is_found_by_every_handle_after_reopening_and_keys_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.db");
    let (added, secrets) = {
        let store = Store::open(&path).unwrap();
        store.set_public_url("https://a.example").await.unwrap();
        (store.add(issuance()).await.unwrap(), store.secrets().await.unwrap())
    };
    let store = Store::open(&path).unwrap();
    for by in [
        Handle::Id(added.id.clone()),
        Handle::Link(added.link),
        Handle::Code(added.code),
        Handle::Document(added.document_digest()),
    ] {
        assert_eq!(store.look(by).await.unwrap().unwrap().id, added.id);
    }
    assert!(store.look(Handle::Token(Sha256([0; 32]))).await.unwrap().is_none());
    let again = store.secrets().await.unwrap();
    assert_eq!((again.nonces, &again.requests[..]), (secrets.nonces, &secrets.requests[..]));
    assert_eq!(store.public_url().await.unwrap().as_deref(), Some("https://a.example"));
    use std::os::unix::fs::PermissionsExt;
    for name in ["issuer.db", "issuer.db-wal"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
}

#[tokio::test]
async fn a_mark_is_fresh_once_even_for_two_processes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.db");
    let (one, other) = (Store::open(&path).unwrap(), Store::open(&path).unwrap());
    let added = one.add(issuance()).await.unwrap();
    let mark = Mark { digest: Sha256::of(b"n"), until: i64::MAX };
    let fresh = |_: Option<&mut Issuance>, fresh: bool| fresh;
    assert!(one.change(Handle::Id(added.id.clone()), Some(mark), fresh).await.unwrap());
    assert!(!other.change(Handle::Id(added.id), Some(mark), fresh).await.unwrap());
}

#[tokio::test]
async fn no_place_on_a_list_is_given_twice_and_a_full_list_is_followed_by_another() {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(schema::TABLES).unwrap();
    let draws = [5, 5, 5, 9];
    assert_eq!(place(&db, &draws).unwrap(), Place { list: 0, index: 5 });
    assert_eq!(place(&db, &draws).unwrap(), Place { list: 0, index: 9 });
    assert!(place(&db, &draws).is_err());
    db.execute("UPDATE list SET taken = ?1", [PLACES / 2]).unwrap();
    assert_eq!(place(&db, &draws).unwrap(), Place { list: 1, index: 5 });
}

#[test]
fn a_register_of_another_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.db");
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version=99").unwrap();
    assert_eq!(Store::open(&path).unwrap_err().code.id, "SEND-075");
}

/// What a station upgrades from: version 1 of the tables with an offer in it.
#[tokio::test]
async fn a_register_of_the_version_before_is_brought_up_to_date_with_all_that_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("issuer.db");
    let old = issuance();
    {
        let db = Connection::open(&path).unwrap();
        let tables: Vec<&str> =
            schema::TABLES.split_inclusive(';').filter(|sql| !sql.contains("INDEX issuance_")).collect();
        let tables = tables.concat().replace(", sha256 BLOB, let_go INTEGER", "");
        db.execute_batch(&format!("{tables} PRAGMA user_version=1;")).unwrap();
        let digests = [&old.link.0[..], &old.code.0[..], &old.document_digest().0[..]];
        let sql = "INSERT INTO issuance (id, link, code, token, document, record) VALUES (?1, ?2, ?3, NULL, ?4, ?5)";
        let record = bytes(&old).unwrap();
        db.execute(sql, params![old.id, digests[0], digests[1], digests[2], record]).unwrap();
    }
    let store = Store::open(&path).unwrap();
    assert_eq!(store.look(Handle::Link(old.link)).await.unwrap().unwrap().id, old.id);
    let of_document = store.of_document(old.document.digests.sha256).await.unwrap();
    assert_eq!(of_document.len(), 1);
    assert_eq!(store.let_go(old.offer_until).await.unwrap(), 1);
    assert_eq!(store.let_go(old.offer_until).await.unwrap(), 0);
    drop(store);
    assert!(Store::open(&path).is_ok());
}
