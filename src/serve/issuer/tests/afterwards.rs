//! What comes after the request: deferred answers, encryption, notifications, the document.

use super::*;

/// A wallet's key for what is encrypted to it.
fn reader() -> (openssl::pkey::PKey<openssl::pkey::Private>, Value) {
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
    let secret = openssl::pkey::PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
    let mut public = Jwk::of(&*secret).unwrap().value();
    public["alg"] = "ECDH-ES".into();
    public["kid"] = "w1".into();
    (secret, public)
}

#[tokio::test]
async fn a_deferred_credential_keeps_its_transaction_and_outlives_its_token() {
    let world = World::new().await;
    let key = holder();
    let (_, link) = world.offer_with(|wish| wish.ready_at = NOW + 86_400).await;
    let token = world.redeem(&link, PIN).await.1["access_token"].as_str().unwrap().to_owned();
    let (status, first) = world.post("/credential", &token, &world.ask(&key).await).await;
    assert_eq!(status, 202, "{first}");
    let transaction = first["transaction_id"].as_str().unwrap().to_owned();
    assert!(first["interval"].as_u64().unwrap() > 0);
    // Asking for it anew gives the same transaction, and to no other key.
    assert_eq!(world.post("/credential", &token, &world.ask(&key).await).await.1, first);
    assert_eq!(world.post("/credential", &token, &world.ask(&holder()).await).await.0, 400);
    let ask = json!({ "transaction_id": transaction });
    assert_eq!(world.post("/deferred_credential", &token, &ask).await, (202, first));
    for (wrong, error) in [
        (json!({ "transaction_id": "other" }), "invalid_transaction_id"),
        (json!({}), "invalid_credential_request"),
        (json!({ "transaction_id": 7 }), "invalid_credential_request"),
    ] {
        assert_eq!(world.post("/deferred_credential", &token, &wrong).await.1["error"], error);
    }
    // Tomorrow, long after the token stopped being good for a new request.
    world.pass(86_400);
    assert_eq!(world.post("/credential", &token, &world.ask(&key).await).await.0, 401);
    let (status, answer) = world.post("/deferred_credential", &token, &ask).await;
    assert_eq!(status, 200, "{answer}");
    // This wallet sends `user_pin`, too: its library takes no deferred answer that has one.
    assert!(answer.get("notification_id").is_none());
    assert_eq!(world.verify(credential_in(&answer)).holder, Jwk::of_signer(&key).unwrap());
    assert_eq!(world.post("/deferred_credential", &token, &ask).await, (200, answer));
    world.pass(86_400 * 60);
    assert_eq!(world.post("/deferred_credential", &token, &ask).await.0, 401);
}

#[tokio::test]
async fn a_wallet_with_a_key_gets_answer_and_document_encrypted_deferred_ones_too() {
    let world = World::new().await;
    let (secret, public) = reader();
    let (_, link) = world.offer_with(|wish| wish.ready_at = NOW + 10).await;
    let token = world.redeem(&link, PIN).await.1["access_token"].as_str().unwrap().to_owned();
    let mut ask = world.ask(&holder()).await;
    ask["credential_response_encryption"] = json!({ "jwk": public, "enc": "A256GCM" });
    // The request itself goes encrypted to the key in the metadata.
    let response = world.post_sealed("/credential", &token, &ask).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (202, &HeaderValue::from_static("application/jwt"))
    );
    let open = |text: String| {
        let (header, plain) = jwe::decrypt(&text, &secret).unwrap();
        (header["kid"].clone(), serde_json::from_slice::<Value>(&plain).unwrap())
    };
    let (kid, pending) = open(response.text().await.unwrap());
    assert_eq!(kid, "w1");
    world.pass(10);
    // The wish is remembered: a deferred answer does not come in the clear.
    let request = world
        .client
        .post(world.url("/deferred_credential"))
        .bearer_auth(&token)
        .header("content-type", "application/json");
    let response = request
        .body(json!({ "transaction_id": pending["transaction_id"] }).to_string())
        .send()
        .await
        .unwrap();
    let (_, answer) = open(response.text().await.unwrap());
    // No library that refuses it reads encrypted answers.
    assert!(answer["notification_id"].is_string());
    let doc = world.verify(credential_in(&answer)).claims["doc"].clone();
    let response = world.client.get(doc["uri"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/jose");
    let (header, pdf) = jwe::decrypt(&response.text().await.unwrap(), &secret).unwrap();
    assert_eq!((&pdf[..], &header["cty"]), (PDF, &json!("application/pdf")));
    let request = world
        .client
        .post(world.url("/credential"))
        .bearer_auth(&token)
        .header("content-type", "application/jwt");
    let (_, answer) = said(request.body("a..b.c.d").send().await.unwrap()).await;
    assert_eq!(answer["error"], "invalid_encryption_parameters");
}

#[tokio::test]
async fn a_deferred_credential_is_given_again_until_its_wallet_says_that_it_has_it() {
    let world = World::new().await;
    let (issuance, link) = world.offer_with(|wish| wish.ready_at = NOW + 10).await;
    let token = world.redeem_plainly(&link).await;
    let (status, pending) = world.post("/credential", &token, &world.ask(&holder()).await).await;
    assert_eq!((status, pending.get("notification_id")), (202, None));
    let ask = json!({ "transaction_id": pending["transaction_id"] });
    world.pass(10);
    let (status, answer) = world.post("/deferred_credential", &token, &ask).await;
    assert_eq!(status, 200, "{answer}");
    // An answer that was lost: the same credential, the same id to notify with, and it stands where it stood.
    assert_eq!(world.post("/deferred_credential", &token, &ask).await, (200, answer.clone()));
    let told = |event: &str| json!({ "notification_id": answer["notification_id"], "event": event });
    // It could not be stored there: it may be asked for once more.
    assert_eq!(world.post("/notification", &token, &told("credential_failure")).await.0, 204);
    assert_eq!(world.post("/deferred_credential", &token, &ask).await, (200, answer.clone()));
    for _ in 0..2 {
        assert_eq!(world.post("/notification", &token, &told("credential_accepted")).await.0, 204);
    }
    let stored = world.stored(&issuance).await;
    assert_eq!(stored.state(world.now()), "accepted");
    let credential = credential_in(&answer);
    assert!(!serde_json::to_string(&stored).unwrap().contains(credential), "the text is let go of");
    let (status, gone) = world.post("/deferred_credential", &token, &ask).await;
    assert_eq!((status, &gone["error"]), (400, &json!("invalid_transaction_id")));
    let uri = world.verify(credential).claims["doc"]["uri"].as_str().unwrap().to_owned();
    assert_eq!(world.client.get(&uri).send().await.unwrap().bytes().await.unwrap(), PDF);
}

#[tokio::test]
async fn a_deferred_credential_of_which_no_wallet_speaks_is_let_go_of_a_week_after_it_was_given_out() {
    let world = World::new().await;
    let (issuance, link) = world.offer_with(|wish| wish.ready_at = NOW + 10).await;
    let token = world.redeem(&link, PIN).await.1["access_token"].as_str().unwrap().to_owned();
    let (_, pending) = world.post("/credential", &token, &world.ask(&holder()).await).await;
    let ask = json!({ "transaction_id": pending["transaction_id"] });
    world.pass(86_400);
    let (_, answer) = world.post("/deferred_credential", &token, &ask).await;
    let credential = credential_in(&answer).to_owned();
    world.pass(7 * 86_400 - 1);
    assert_eq!(world.store.let_go(world.now()).await.unwrap(), 0);
    assert_eq!(world.post("/deferred_credential", &token, &ask).await.0, 200);
    world.pass(1);
    assert_eq!(world.store.let_go(world.now()).await.unwrap(), 1);
    assert!(!serde_json::to_string(&world.stored(&issuance).await).unwrap().contains(&credential));
    let (_, gone) = world.post("/deferred_credential", &token, &ask).await;
    assert_eq!(gone["error"], "invalid_transaction_id");
}

#[tokio::test]
async fn a_key_to_encrypt_to_is_taken_from_an_encrypted_request_only() {
    let world = World::new().await;
    let (_, public) = reader();
    let (issuance, link) = world.offer_with(|wish| wish.ready_at = NOW + 10).await;
    let token = world.redeem_plainly(&link).await;
    let wish = json!({ "jwk": public, "enc": "A256GCM" });
    let mut ask = world.ask(&holder()).await;
    ask["credential_response_encryption"] = wish.clone();
    let (status, answer) = world.post("/credential", &token, &ask).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_encryption_parameters")));
    assert_eq!(world.stored(&issuance).await.state(world.now()), "granted", "nothing was used up");
    let (_, pending) = world.post("/credential", &token, &world.ask(&holder()).await).await;
    world.pass(10);
    let mut ask = json!({ "transaction_id": pending["transaction_id"] });
    ask["credential_response_encryption"] = wish;
    let (status, answer) = world.post("/deferred_credential", &token, &ask).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_encryption_parameters")));
    let sealed = world.post_sealed("/deferred_credential", &token, &ask).await;
    assert_eq!(
        (sealed.status().as_u16(), &sealed.headers()["content-type"]),
        (200, &HeaderValue::from_static("application/jwt"))
    );
}

#[tokio::test]
async fn what_was_asked_for_encrypted_is_never_given_out_in_the_clear() {
    let world = World::new().await;
    let (secret, public) = reader();
    let (key, kind) = (holder(), HeaderValue::from_static("application/jwt"));
    for ready_at in [0, NOW + 10] {
        let (_, link) = world.offer_with(|wish| wish.ready_at = ready_at).await;
        let token = world.redeem_plainly(&link).await;
        let mut ask = world.ask(&key).await;
        ask["credential_response_encryption"] = json!({ "jwk": public, "enc": "A256GCM" });
        let first = world.post_sealed("/credential", &token, &ask).await;
        assert_eq!(first.headers()["content-type"], kind);
        // The same key again without a word of encryption, plain and encrypted.
        let plain = world.ask(&key).await;
        let request = world.client.post(world.url("/credential")).bearer_auth(&token);
        let request = request.header("content-type", "application/json").body(plain.to_string());
        let again = request.send().await.unwrap();
        assert_eq!(again.headers()["content-type"], kind);
        let again = world.post_sealed("/credential", &token, &world.ask(&key).await).await;
        assert_eq!(again.headers()["content-type"], kind);
        let (_, answer) = jwe::decrypt(&again.text().await.unwrap(), &secret).unwrap();
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        if ready_at > 0 {
            world.pass(10);
            let ask = json!({ "transaction_id": answer["transaction_id"] });
            let request = world.client.post(world.url("/deferred_credential")).bearer_auth(&token);
            let request = request.header("content-type", "application/json").body(ask.to_string());
            let text = request.send().await.unwrap().text().await.unwrap();
            answer = serde_json::from_slice(&jwe::decrypt(&text, &secret).unwrap().1).unwrap();
        }
        let uri = world.verify(credential_in(&answer)).claims["doc"]["uri"].as_str().unwrap().to_owned();
        let document = world.client.get(&uri).send().await.unwrap();
        assert_eq!(document.headers()["content-type"], "application/jose");
    }
}

#[tokio::test]
async fn notifications_are_taken_once_and_said_again_as_often_as_one_likes() {
    let world = World::new().await;
    let (issuance, token, answer) = world.issued(&holder()).await;
    let id = answer["notification_id"].clone();
    for (body, error) in [
        (json!({ "notification_id": "other", "event": "credential_accepted" }), "invalid_notification_id"),
        (json!({ "notification_id": id, "event": "credential_eaten" }), "invalid_notification_request"),
        (json!({ "event": "credential_accepted" }), "invalid_notification_request"),
        (json!([]), "invalid_notification_request"),
    ] {
        let (status, said) = world.post("/notification", &token, &body).await;
        assert_eq!((status, said["error"].as_str().unwrap()), (400, error));
    }
    let told = json!({ "notification_id": id, "event": "credential_accepted", "event_description": "ok" });
    for _ in 0..3 {
        assert_eq!(world.post("/notification", &token, &told).await, (204, Value::String(String::new())));
    }
    let stored = world.stored(&issuance).await;
    assert_eq!(stored.state(world.now()), "accepted");
    assert_eq!(stored.events.iter().filter(|event| event.what == "notification").count(), 1);
}

#[tokio::test]
async fn a_document_is_there_only_for_what_was_issued_and_until_its_address_ends() {
    let world = World::new().await;
    let (unclaimed, _) = world.offer().await;
    let early = world.url(&format!("/documents/{}", unclaimed.document.link));
    assert_eq!(world.get(&early).await.0, 404);
    assert_eq!(world.get(&world.url("/documents/made-up")).await.0, 404);
    let (_, _, answer) = world.issued(&holder()).await;
    let uri = world.verify(credential_in(&answer)).claims["doc"]["uri"].as_str().unwrap().to_owned();
    assert_eq!(world.client.get(&uri).send().await.unwrap().status(), 200);
    world.pass(86_400 * 30);
    assert_eq!(world.get(&uri).await.0, 410);
}
