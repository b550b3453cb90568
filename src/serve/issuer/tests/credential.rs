//! Asking for a credential.

use super::*;

#[tokio::test]
async fn an_offer_becomes_a_credential_that_binds_the_document_that_is_fetched() {
    for path in ["", "/h/quangninh"] {
        let world = World::below(path).await;
        let (_, link) = world.offer().await;
        let (status, offer) = world.get(&world.url(&format!("/offers/{link}"))).await;
        assert_eq!((status, &offer["credential_issuer"]), (200, &json!(world.at.issuer())));
        let well_known = |name: &str| format!("{}/.well-known/{name}{path}", world.at.origin);
        let (_, metadata) = world.get(&well_known("openid-credential-issuer")).await;
        assert_eq!(metadata["credential_issuer"], world.at.issuer());
        assert_eq!(metadata["credential_endpoint"], world.url("/credential"));
        let (_, oauth) = world.get(&well_known("oauth-authorization-server")).await;
        assert_eq!(oauth["issuer"], world.at.issuer());
        let (status, token) = world.redeem(&link, PIN).await;
        assert_eq!((status, &token["token_type"]), (200, &json!("Bearer")));
        let token = token["access_token"].as_str().unwrap();
        let key = holder();
        let (status, answer) = world.post("/credential", token, &world.ask(&key).await).await;
        assert_eq!(status, 200, "{answer}");
        let verified = world.verify(credential_in(&answer));
        assert_eq!(verified.holder, Jwk::of_signer(&key).unwrap());
        assert_eq!(verified.claims["name"], "Đinh Văn Mẫu");
        let doc = &verified.claims["doc"];
        let response = world.client.get(doc["uri"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/pdf");
        let bytes = response.bytes().await.unwrap();
        assert_eq!(doc["sha256"], Sha256::of(&bytes).to_string());
        assert_eq!(doc["size"], bytes.len());
        let told = json!({ "notification_id": answer["notification_id"], "event": "credential_accepted" });
        for _ in 0..2 {
            assert_eq!(world.post("/notification", token, &told).await.0, 204);
        }
        let (_, keys) = world.get(&well_known("jwt-vc-issuer")).await;
        assert_eq!(keys["jwks"]["keys"][0]["kid"], verified.header["kid"]);
    }
}

#[tokio::test]
async fn the_same_key_gets_the_same_credential_again_and_another_key_gets_none() {
    let world = World::new().await;
    let key = holder();
    let (_, token, first) = world.issued(&key).await;
    let (status, again) = world.post("/credential", &token, &world.ask(&key).await).await;
    assert_eq!((status, &again), (200, &first));
    let (status, answer) = world.post("/credential", &token, &world.ask(&holder()).await).await;
    assert_eq!((status, &answer["error"]), (400, &json!("credential_request_denied")));
}

#[tokio::test]
async fn a_nonce_is_good_for_one_proof_and_for_a_while() {
    let world = World::new().await;
    let key = holder();
    let (_, token) = world.granted().await;
    let ask = world.ask(&key).await;
    assert_eq!(world.post("/credential", &token, &ask).await.0, 200);
    let (status, answer) = world.post("/credential", &token, &ask).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_nonce")));
    let nonce = world.nonce().await;
    world.pass(301);
    let with = |nonce: &str| json!({ "credential_configuration_id": CONFIGURATION, "proofs": { "jwt": [world.proof(&key, nonce)] } });
    for stale in [&*nonce, "made-up", ""] {
        let (_, answer) = world.post("/credential", &token, &with(stale)).await;
        assert_eq!(answer["error"], "invalid_nonce", "{stale}");
    }
    // None at all is a proof that is wrong, and asking for a nonce anew would not mend it.
    let header = json!({ "typ": "openid4vci-proof+jwt", "jwk": Jwk::of_signer(&key).unwrap() });
    let payload = json!({ "aud": world.at.issuer(), "iat": world.now() });
    let bare = jose::sign(object(&header), &object(&payload), &key).unwrap();
    let ask = json!({ "credential_configuration_id": CONFIGURATION, "proofs": { "jwt": [bare] } });
    assert_eq!(world.post("/credential", &token, &ask).await.1["error"], "invalid_proof");
    // What went wrong is found with the issuance.
    assert_eq!(world.post("/credential", &token, &with(&world.nonce().await)).await.0, 200);
}

#[tokio::test]
async fn requests_for_credentials_that_are_wrong_say_how() {
    let world = World::new().await;
    let key = holder();
    let (issuance, token) = world.granted().await;
    let good = world.ask(&key).await;
    let with = |name: &str, value: Value| {
        let mut ask = good.clone();
        ask[name] = value;
        ask
    };
    let without = |name: &str| {
        let mut ask = good.clone();
        ask.as_object_mut().unwrap().remove(name);
        ask
    };
    let proof = &good["proofs"]["jwt"][0];
    let cases = [
        (with("credential_configuration_id", "other".into()), "unknown_credential_configuration"),
        (with("credential_configuration_id", 7.into()), "invalid_credential_request"),
        (without("credential_configuration_id"), "invalid_credential_request"),
        (with("credential_identifier", "x".into()), "invalid_credential_request"),
        (json!({ "credential_identifier": "x", "proofs": good["proofs"] }), "unknown_credential_identifier"),
        (without("proofs"), "invalid_proof"),
        (with("proofs", json!({})), "invalid_proof"),
        (with("proofs", json!([])), "invalid_proof"),
        (with("proofs", json!({ "jwt": [] })), "invalid_proof"),
        (with("proofs", json!({ "jwt": [proof, proof] })), "invalid_proof"),
        (with("proofs", json!({ "jwt": [proof], "attestation": ["x"] })), "invalid_proof"),
        (with("proofs", json!({ "jwt": ["x.y.z"] })), "invalid_proof"),
        (with("credential_response_encryption", json!({})), "invalid_encryption_parameters"),
        (json!([]), "invalid_credential_request"),
    ];
    for (ask, error) in cases {
        let (status, answer) = world.post("/credential", &token, &ask).await;
        assert_eq!((status, answer["error"].as_str().unwrap()), (400, error), "{ask}");
    }
    let twice = format!(
        "{{\"credential_configuration_id\":\"{CONFIGURATION}\",\"credential_configuration_id\":\"{CONFIGURATION}\"}}"
    );
    let request = world
        .client
        .post(world.url("/credential"))
        .bearer_auth(&token)
        .header("content-type", "application/json");
    assert_eq!(
        said(request.body(twice).send().await.unwrap()).await.1["error"],
        "invalid_credential_request"
    );
    let plain =
        world.client.post(world.url("/credential")).bearer_auth(&token).header("content-type", "text/plain");
    assert_eq!(plain.body("x").send().await.unwrap().status(), 415);
    let large = world
        .client
        .post(world.url("/credential"))
        .bearer_auth(&token)
        .header("content-type", "application/json");
    assert_eq!(large.body("x".repeat(70_000)).send().await.unwrap().status(), 413);
    let events = world.stored(&issuance).await.events;
    assert!(events.iter().filter(|e| e.what == "credential" && e.error.is_some()).count() >= 14);
    // Nothing of it was held against the wallet.
    assert_eq!(world.post("/credential", &token, &good).await.0, 200);
}

#[tokio::test]
async fn no_token_another_token_and_an_old_token_are_401_with_a_challenge() {
    let world = World::new().await;
    let key = holder();
    let (_, token) = world.granted().await;
    let ask = world.ask(&key).await;
    for below in ["/credential", "/deferred_credential", "/notification"] {
        let bare = world.client.post(world.url(below)).header("content-type", "application/json").body("{}");
        let response = bare.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["www-authenticate"]),
            (401, &HeaderValue::from_static("Bearer"))
        );
        let (status, answer) = world.post(below, "made-up", &ask).await;
        assert_eq!((status, &answer["error"]), (401, &json!("invalid_token")));
    }
    world.pass(600);
    let (status, answer) = world.post("/credential", &token, &world.ask(&key).await).await;
    assert_eq!((status, &answer["error"]), (401, &json!("invalid_token")));
}

#[tokio::test]
async fn an_offer_for_one_key_goes_to_no_other() {
    let world = World::new().await;
    let key = holder();
    let thumbprint = Jwk::of_signer(&key).unwrap().thumbprint();
    let (_, link) = world.offer_with(|wish| wish.holder = Some(thumbprint)).await;
    let token = world.redeem(&link, PIN).await.1["access_token"].as_str().unwrap().to_owned();
    let (status, answer) = world.post("/credential", &token, &world.ask(&holder()).await).await;
    assert_eq!((status, &answer["error"]), (400, &json!("credential_request_denied")));
    assert_eq!(world.post("/credential", &token, &world.ask(&key).await).await.0, 200);
}

#[tokio::test]
async fn what_is_not_known_in_a_request_is_let_be() {
    let world = World::new().await;
    let (_, link) = world.offer().await;
    let form = format!(
        "client_id=wallet&authorization_details=%5B%5D&grant_type=urn:ietf:params:oauth:grant-type:pre-authorized_code&pre-authorized_code={}&tx_code={PIN}&x=",
        *offer::code_of(&link)
    );
    let (status, answer) = world.token(&form).await;
    assert_eq!(status, 200, "{answer}");
    let token = answer["access_token"].as_str().unwrap();
    let mut ask = world.ask(&holder()).await;
    ask["format"] = "dc+sd-jwt".into();
    ask["x"] = json!({ "y": [1, { "z": null }] });
    let (status, answer) = world.post("/credential", token, &ask).await;
    assert_eq!(status, 200, "{answer}");
    let told =
        json!({ "notification_id": answer["notification_id"], "event": "credential_accepted", "x": 1 });
    assert_eq!(world.post("/notification", token, &told).await.0, 204);
}
