//! What is personal is let go of when its time is over, and then it is nowhere in the register's files.

use super::*;

/// Words that stand in this test's claims and nowhere else.
const NAME: &str = "Canhvien Thi Kiemthu";
const NUMBER: &str = "036191234567";

/// The bytes of the register's file, its log and its index.
fn bytes(world: &World) -> Vec<u8> {
    let all = ["issuer.db", "issuer.db-wal", "issuer.db-shm"].map(|name| world._folder.path().join(name));
    all.iter().flat_map(|path| std::fs::read(path).unwrap_or_default()).collect()
}

fn holds(world: &World, canary: &str) -> bool {
    bytes(world).windows(canary.len()).any(|window| window == canary.as_bytes())
}

async fn offered(world: &World) -> (Issuance, String) {
    let fields = json!({ "ho_ten": NAME, "so_dinh_danh": NUMBER });
    world.offer_with(|wish| wish.fields = object(&fields)).await
}

async fn tidy(world: &World) -> usize {
    world.store.let_go(world.now()).await.unwrap()
}

#[tokio::test]
async fn of_a_credential_that_was_accepted_only_what_an_audit_needs_is_left() {
    let world = World::new().await;
    let (issuance, link) = offered(&world).await;
    let made = world.stored(&issuance).await;
    let pin_hash =
        serde_json::to_value(made.pin.as_ref().unwrap()).unwrap()["code"].as_str().unwrap().to_owned();
    let address = made.document.link.clone();
    assert!(holds(&world, NAME) && holds(&world, NUMBER) && holds(&world, &pin_hash));
    let token = world.redeem(&link, PIN).await.1["access_token"].as_str().unwrap().to_owned();
    let key = holder();
    let ask = world.ask(&key).await;
    let (status, answer) = world.post("/credential", &token, &ask).await;
    assert_eq!(status, 200, "{answer}");
    let credential = credential_in(&answer).to_owned();
    let signed = credential.split('~').next().unwrap().to_owned();
    let disclosure = credential.split('~').nth(1).unwrap().to_owned();
    let proof = ask["proofs"]["jwt"][0].as_str().unwrap().to_owned();
    // Until the wallet has it the same answer is given again, so that it has to be here.
    assert!(holds(&world, &disclosure));
    let told = json!({ "notification_id": answer["notification_id"], "event": "credential_accepted" });
    assert_eq!(world.post("/notification", &token, &told).await.0, 204);
    tidy(&world).await;
    let x = Jwk::of_signer(&key).unwrap().value()["x"].as_str().unwrap().to_owned();
    let id = answer["notification_id"].as_str().unwrap();
    for gone in [NAME, NUMBER, &pin_hash, &signed, &disclosure, &proof, &x, &link, &token, &address, id] {
        assert!(!holds(&world, gone), "{gone} is still there");
    }
    // What is left: the place to revoke it by, the document's digest, who holds it as a thumbprint, what happened when.
    let left = world.stored(&issuance).await;
    assert_eq!((left.state(world.now()), left.place), ("accepted", made.place));
    assert!(holds(&world, &Sha256::of(PDF).to_string()));
    assert!(holds(&world, &Jwk::of_signer(&key).unwrap().thumbprint()));
    assert_eq!(
        left.events.iter().map(|event| &*event.what).collect::<Vec<_>>(),
        ["token", "credential", "notification"]
    );
    // It works on: the same again is taken, the document is fetched, a second credential is not given.
    assert_eq!(world.post("/notification", &token, &told).await.0, 204);
    let uri = world.verify(&credential).claims["doc"]["uri"].as_str().unwrap().to_owned();
    assert_eq!(world.client.get(&uri).send().await.unwrap().bytes().await.unwrap(), PDF);
    let (status, answer) = world.post("/credential", &token, &world.ask(&key).await).await;
    assert_eq!((status, &answer["error"]), (400, &json!("credential_request_denied")));
    revoke(&world, &issuance).await;
    assert_eq!(world.client.get(&uri).send().await.unwrap().status(), 410);
    assert_eq!(world.stored(&issuance).await.state(world.now()), "revoked");
}

#[tokio::test]
async fn an_offer_that_nobody_took_is_let_go_of_when_it_expires() {
    let world = World::new().await;
    let (issuance, link) = offered(&world).await;
    let (granted, redeemed) = offered(&world).await;
    assert_eq!(world.redeem(&redeemed, PIN).await.0, 200);
    assert_eq!(tidy(&world).await, 0);
    assert!(holds(&world, NAME));
    world.pass(3_600);
    assert_eq!(tidy(&world).await, 2);
    assert!(!holds(&world, NAME) && !holds(&world, NUMBER));
    for one in [&issuance, &granted] {
        assert_eq!(world.stored(one).await.state(world.now()), "expired");
    }
    assert_eq!(world.get(&world.url(&format!("/offers/{link}"))).await.0, 410);
    assert_eq!(world.redeem(&link, PIN).await.1["error"], "invalid_grant");
    // Not even where a clock is set back.
    world.pass(-3_600);
    assert_eq!(world.redeem(&link, PIN).await.1["error"], "invalid_grant");
    assert_eq!(tidy(&world).await, 0);
}

#[tokio::test]
async fn a_credential_that_no_wallet_spoke_of_and_what_it_wanted_encrypted_end_with_the_document() {
    let world = World::new().await;
    let (issuance, link) = offered(&world).await;
    let token = world.redeem(&link, PIN).await.1["access_token"].as_str().unwrap().to_owned();
    let mut reader = Jwk::of_signer(&holder()).unwrap().value();
    reader["alg"] = "ECDH-ES".into();
    reader["kid"] = "canary-of-a-wallet".into();
    let mut ask = world.ask(&holder()).await;
    ask["credential_response_encryption"] = json!({ "jwk": reader, "enc": "A256GCM" });
    assert_eq!(world.post_sealed("/credential", &token, &ask).await.status(), 200);
    assert!(holds(&world, "canary-of-a-wallet"));
    // With its token ends the last chance to ask for it again; the document is still fetched, and encrypted.
    world.pass(599);
    assert_eq!(tidy(&world).await, 0);
    let text = match &world.stored(&issuance).await.stage {
        crate::deliver::credential::issuance::Stage::Issued { credential, .. } => credential.clone(),
        other => panic!("{other:?}"),
    };
    let disclosure = text.split('~').nth(1).unwrap().to_owned();
    assert!(holds(&world, &disclosure));
    world.pass(1);
    assert_eq!(tidy(&world).await, 1);
    assert!(!holds(&world, &disclosure) && holds(&world, "canary-of-a-wallet"));
    world.pass(86_400 * 30 - 601);
    assert_eq!(tidy(&world).await, 0);
    world.pass(1);
    assert_eq!(tidy(&world).await, 1);
    assert!(!holds(&world, "canary-of-a-wallet") && !holds(&world, NAME));
    assert_eq!(world.stored(&issuance).await.state(world.now()), "issued");
}

#[tokio::test]
async fn five_wrong_pins_and_a_withdrawal_leave_nothing_either() {
    let world = World::new().await;
    let (_, link) = offered(&world).await;
    for _ in 0..5 {
        assert_eq!(world.redeem(&link, "000000").await.0, 400);
    }
    let (withdrawn, _) = offered(&world).await;
    revoke(&world, &withdrawn).await;
    tidy(&world).await;
    assert!(!holds(&world, NAME) && !holds(&world, NUMBER));
}
