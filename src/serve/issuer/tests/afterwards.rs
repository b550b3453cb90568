//! What comes after the request: deferred answers, encryption, notifications, the document.

use super::*;

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
    assert!(answer.get("notification_id").is_none());
    assert_eq!(world.verify(credential_in(&answer)).holder, Jwk::of_signer(&key).unwrap());
    assert_eq!(world.post("/deferred_credential", &token, &ask).await, (200, answer));
    world.pass(86_400 * 60);
    assert_eq!(world.post("/deferred_credential", &token, &ask).await.0, 401);
}

#[tokio::test]
async fn a_wallet_with_a_key_gets_answer_and_document_encrypted_deferred_ones_too() {
    let world = World::new().await;
    let group = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap();
    let secret = openssl::pkey::PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap();
    let mut public = Jwk::of(&*secret).unwrap().value();
    public["alg"] = "ECDH-ES".into();
    public["kid"] = "w1".into();
    let (_, link) = world.offer_with(|wish| wish.ready_at = NOW + 10).await;
    let token = world.redeem(&link, PIN).await.1["access_token"].as_str().unwrap().to_owned();
    let mut ask = world.ask(&holder()).await;
    ask["credential_response_encryption"] = json!({ "jwk": public, "enc": "A256GCM" });
    // The request itself goes encrypted to the key in the metadata.
    let well_known = format!("{}/.well-known/openid-credential-issuer{}", world.at.origin, world.at.path);
    let (_, metadata) = world.get(&well_known).await;
    let ours = &metadata["credential_request_encryption"]["jwks"]["keys"][0];
    let to = jwe::recipient(&json!({ "jwk": ours, "enc": "A128GCM" })).unwrap();
    let sealed = to.encrypt(None, ask.to_string().as_bytes()).unwrap();
    let request = world
        .client
        .post(world.url("/credential"))
        .bearer_auth(&token)
        .header("content-type", "application/jwt");
    let response = request.body(sealed).send().await.unwrap();
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
