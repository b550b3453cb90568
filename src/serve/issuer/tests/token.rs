//! Offers and what is redeemed of them.

use super::*;

#[tokio::test]
async fn fifty_wallets_at_one_offer_get_exactly_one_token_and_one_credential() {
    let world = Arc::new(World::new().await);
    let (issuance, link) = world.offer().await;
    let redeems = (0..50).map(|_| {
        let (world, link) = (Arc::clone(&world), link.clone());
        tokio::spawn(async move { world.redeem(&link, PIN).await })
    });
    let mut tokens = Vec::new();
    for redeem in redeems.collect::<Vec<_>>() {
        match redeem.await.unwrap() {
            (200, answer) => tokens.push(answer["access_token"].as_str().unwrap().to_owned()),
            (400, answer) => assert_eq!(answer["error"], "invalid_grant"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tokens.len(), 1);
    // Fifty keys at once with that one token.
    let claims = (0..50).map(|_| {
        let (world, token) = (Arc::clone(&world), tokens[0].clone());
        tokio::spawn(async move {
            let key = holder();
            let ask = world.ask(&key).await;
            world.post("/credential", &token, &ask).await
        })
    });
    let mut issued = 0;
    for claim in claims.collect::<Vec<_>>() {
        match claim.await.unwrap() {
            (200, _) => issued += 1,
            (400, answer) => assert_eq!(answer["error"], "credential_request_denied"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(issued, 1);
    assert_eq!(world.stored(&issuance).await.state(world.now()), "issued");
}

#[tokio::test]
async fn a_wrong_pin_uses_nothing_up_until_the_fifth_which_ends_the_offer() {
    let world = World::new().await;
    let (issuance, link) = world.offer().await;
    for _ in 0..4 {
        let (status, answer) = world.redeem(&link, "000000").await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")));
        assert!(answer["error_description"].is_string());
    }
    assert_eq!(world.redeem(&link, PIN).await.0, 200);
    let (dead, link) = world.offer().await;
    for _ in 0..5 {
        assert_eq!(world.redeem(&link, "000000").await.0, 400);
    }
    let (status, answer) = world.redeem(&link, PIN).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")));
    assert_eq!(world.stored(&dead).await.state(world.now()), "dead");
    assert_eq!(world.get(&world.url(&format!("/offers/{link}"))).await.0, 410);
    // Every stage left its trace.
    let events = world.stored(&issuance).await.events;
    assert_eq!(events.iter().filter(|event| event.error.is_some()).count(), 4);
    assert!(events.last().unwrap().error.is_none());
}

#[tokio::test]
async fn a_used_an_expired_an_unknown_and_a_revoked_code_are_invalid_grants() {
    let world = World::new().await;
    let (_, used) = world.offer().await;
    assert_eq!(world.redeem(&used, PIN).await.0, 200);
    assert_eq!(world.redeem(&used, PIN).await.1["error"], "invalid_grant");
    let (revoked, link) = world.offer().await;
    revoke(&world, &revoked).await;
    assert_eq!(world.redeem(&link, PIN).await.1["error"], "invalid_grant");
    let (_, late) = world.offer().await;
    world.pass(3_600);
    assert_eq!(world.redeem(&late, PIN).await.1["error"], "invalid_grant");
    assert_eq!(world.get(&world.url(&format!("/offers/{late}"))).await.0, 410);
    assert_eq!(world.redeem("unknown", PIN).await.1["error"], "invalid_grant");
    assert_eq!(world.get(&world.url("/offers/unknown")).await.0, 404);
}

#[tokio::test]
async fn token_requests_that_are_none_are_named_and_cost_no_try() {
    let world = World::new().await;
    let (issuance, link) = world.offer().await;
    let grant = "grant_type=urn:ietf:params:oauth:grant-type:pre-authorized_code";
    let code = offer::code_of(&link);
    for (form, error) in [
        (String::new(), "invalid_request"),
        ("grant_type=authorization_code".into(), "unsupported_grant_type"),
        (grant.to_owned(), "invalid_request"),
        (format!("{grant}&pre-authorized_code={}", *code), "invalid_request"),
        (format!("{grant}&pre-authorized_code={}&tx_code=%4", *code), "invalid_request"),
        (format!("{grant}&pre-authorized_code={}&tx_code=%ff", *code), "invalid_request"),
        (format!("{grant}&{grant}&pre-authorized_code={}&tx_code={PIN}", *code), "invalid_request"),
        (format!("{grant}&pre-authorized_code={}&{}", *code, "a=&".repeat(40)), "invalid_request"),
    ] {
        let (status, answer) = world.token(&form).await;
        assert_eq!((status, answer["error"].as_str().unwrap()), (400, error), "{form}");
    }
    let json =
        world.client.post(world.url("/token")).header("content-type", "application/json").body("{}").send();
    assert_eq!(said(json.await.unwrap()).await.1["error"], "invalid_request");
    let stage = world.stored(&issuance).await.stage;
    assert!(matches!(stage, crate::deliver::credential::issuance::Stage::Offered { tries_left: 5 }));
    assert_eq!(world.redeem(&link, PIN).await.0, 200);
}
