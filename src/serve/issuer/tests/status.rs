//! Revocation, supersession and the status list.

use super::*;

async fn list(world: &World) -> StatusList {
    let response = world.client.get(world.url("/status/0")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/statuslist+jwt");
    let token = response.text().await.unwrap();
    StatusList::read(&token, &world.url("/status/0"), world.now(), &Jwk::of_signer(&world.key).unwrap())
        .unwrap()
}

#[tokio::test]
async fn a_revoked_credential_is_on_the_status_list_at_once_and_its_document_is_gone() {
    let world = World::new().await;
    assert_eq!(list(&world).await.is_revoked(0), Some(false));
    let (issuance, token, answer) = world.issued(&holder()).await;
    let claims = world.verify(credential_in(&answer)).claims;
    let status = &claims["status"]["status_list"];
    assert_eq!(status["uri"], world.url("/status/0"));
    let idx = u32::try_from(status["idx"].as_u64().unwrap()).unwrap();
    assert_eq!(list(&world).await.is_revoked(idx), Some(false));
    revoke(&world, &issuance).await;
    let now = list(&world).await;
    assert_eq!(now.is_revoked(idx), Some(true));
    assert_eq!(now, StatusList::with_revoked([idx]));
    assert_eq!(world.client.get(claims["doc"]["uri"].as_str().unwrap()).send().await.unwrap().status(), 410);
    let (_, again) = world.post("/credential", &token, &world.ask(&holder()).await).await;
    assert_eq!(again["error"], "credential_request_denied");
    for none in ["/status/1", "/status/00", "/status/-1", "/status/x", "/status/4294967296"] {
        assert_eq!(world.get(&world.url(none)).await.0, 404, "{none}");
    }
}

#[tokio::test]
async fn a_corrected_result_names_what_it_replaces() {
    let world = World::new().await;
    let (old, _, _) = world.issued(&holder()).await;
    let replaced = (old.id.clone(), old.document.digests.sha256);
    let (new, link) = world.offer_with(|wish| wish.supersedes = Some(replaced)).await;
    let token = world.redeem(&link, PIN).await.1["access_token"].as_str().unwrap().to_owned();
    let (_, answer) = world.post("/credential", &token, &world.ask(&holder()).await).await;
    let doc = world.verify(credential_in(&answer)).claims["doc"].clone();
    assert_eq!(doc["supersedes"], old.document.digests.sha256.to_string());
    let (by, now, successor) = (Handle::Id(old.id.clone()), world.now(), new.id.clone());
    world.store.change(by, None, move |i, _| i.unwrap().revoke(Some(successor), now)).await.unwrap().unwrap();
    assert_eq!(world.stored(&old).await.state(world.now()), "superseded");
    assert_eq!(list(&world).await, StatusList::with_revoked([old.place.index]));
    assert_ne!(old.place.index, new.place.index);
}

#[tokio::test]
async fn the_list_comes_as_cwt_to_whoever_asks_for_that_and_as_jwt_to_everybody_else() {
    let world = World::new().await;
    let (issuance, _, _) = world.issued(&holder()).await;
    revoke(&world, &issuance).await;
    let ask =
        |accept: &str| world.client.get(world.url("/status/0")).header("accept", accept.to_owned()).send();
    for (accept, kind) in [
        ("*/*", "application/statuslist+jwt"),
        ("application/statuslist+jwt", "application/statuslist+jwt"),
        ("application/statuslist+cwt", "application/statuslist+cwt"),
        ("text/html, Application/StatusList+CWT;q=0.9", "application/statuslist+cwt"),
        ("application/statuslist+jwt, application/statuslist+cwt", "application/statuslist+jwt"),
    ] {
        let response = ask(accept).await.unwrap();
        assert_eq!(
            (response.headers()["content-type"].to_str().unwrap(), &response.headers()["vary"]),
            (kind, &HeaderValue::from_static("accept")),
            "{accept}"
        );
        let bytes = response.bytes().await.unwrap();
        // A tagged COSE_Sign1 of four parts.
        assert_eq!(bytes.starts_with(&[0xd2, 0x84]), kind.ends_with("cwt"));
    }
}
