use super::*;
use crate::clock::Clock;
use crate::deliver::credential::issuance::Issuance;
use crate::deliver::credential::issuer::{CONFIGURATION, Profile, VCT};
use crate::deliver::credential::jose::{self, Jwk, Object};
use crate::deliver::credential::register::{Handle, Register as _};
use crate::deliver::credential::sd_jwt::{self, Rules};
use crate::deliver::credential::status_list::StatusList;
use crate::deliver::credential::{jwe, offer};
use crate::deliver::wire_key::SigningKey;
use crate::digest::Sha256;
use crate::serve::loopback::Loopback;
use std::sync::atomic::{AtomicI64, Ordering};
use zeroize::Zeroizing;

const PDF: &[u8] = b"%PDF-1.7\nm\xe1\xbb\x99t t\xc3\xa0i li\xe1\xbb\x87u\n%%EOF\n";
const PIN: &str = "482913";
const NOW: i64 = 1_790_000_000;

/// An issuer that is being served, with a clock that stands.
struct World {
    _folder: tempfile::TempDir,
    store: Arc<Store>,
    blobs: Arc<Blobs>,
    at: PublicUrl,
    key: SigningKey,
    clock: Arc<AtomicI64>,
    client: reqwest::Client,
    _serving: Serving,
}

struct Serving(tokio::task::JoinHandle<Outcome<()>>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl World {
    async fn new() -> World {
        World::below("/h/mau").await
    }

    async fn below(path: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&folder.path().join("issuer.db")).unwrap());
        let blobs = Arc::new(Blobs::open(&folder.path().join("blobs")).unwrap());
        let key = SigningKey::mint().unwrap();
        let loopback = Loopback::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let at = PublicUrl::parse(&format!("{}{path}", loopback.url())).unwrap();
        let clock = Arc::new(AtomicI64::new(NOW * 1000));
        let profile =
            Profile { issuer: at.issuer(), office: "H40.17.5".into(), office_name: "UBND xã Mẫu".into() };
        let secrets = store.secrets().await.unwrap();
        let issuer = Issuer::new(
            profile,
            key.clone(),
            &[],
            &secrets,
            Arc::clone(&store),
            Clock::Set(Arc::clone(&clock)),
        );
        let router = router(issuer.unwrap(), Arc::clone(&blobs), &at);
        let serving = Serving(tokio::spawn(
            loopback.serve(crate::serve::front::dressed(router), std::future::pending()),
        ));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        World { _folder: folder, store, blobs, at, key, clock, client, _serving: serving }
    }

    fn now(&self) -> i64 {
        self.clock.load(Ordering::SeqCst) / 1000
    }

    fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    async fn offer_with(&self, change: impl FnOnce(&mut offer::Wish)) -> (Issuance, String) {
        let mut wish = offer::Wish {
            digests: self.blobs.put(PDF).unwrap(),
            fields: json!({ "name": "Đinh Văn Mẫu" }).as_object().unwrap().clone(),
            pin: Some(Zeroizing::new(PIN.into())),
            holder: None,
            ready_at: 0,
            lasts: 3_600,
            valid: Some(86_400 * 365),
            document_lasts: 86_400 * 30,
            supersedes: None,
        };
        change(&mut wish);
        let made = offer::make(wish, self.now()).unwrap();
        let issuance = self.store.add(made.issuance).await.unwrap();
        (issuance, made.link.to_string())
    }

    async fn offer(&self) -> (Issuance, String) {
        self.offer_with(|_| {}).await
    }

    fn url(&self, below: &str) -> String {
        format!("{}{below}", self.at.issuer())
    }

    async fn get(&self, url: &str) -> (u16, Value) {
        said(self.client.get(url).send().await.unwrap()).await
    }

    async fn redeem(&self, link: &str, pin: &str) -> (u16, Value) {
        let code = offer::code_of(link);
        let form = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Apre-authorized_code&pre-authorized_code={}&tx_code={pin}&user_pin={pin}&resource=x",
            *code
        );
        self.token(&form).await
    }

    async fn token(&self, form: &str) -> (u16, Value) {
        let request =
            self.client.post(self.url("/token")).header("content-type", "application/x-www-form-urlencoded");
        let response = request.body(form.to_owned()).send().await.unwrap();
        assert_eq!(response.headers()["cache-control"], "no-store");
        said(response).await
    }

    async fn nonce(&self) -> String {
        let response = self.client.post(self.url("/nonce")).send().await.unwrap();
        assert_eq!(response.headers()["cache-control"], "no-store");
        said(response).await.1["c_nonce"].as_str().unwrap().to_owned()
    }

    fn proof(&self, holder: &SigningKey, nonce: &str) -> String {
        let header = json!({ "typ": "openid4vci-proof+jwt", "jwk": Jwk::of_signer(holder).unwrap() });
        let payload = json!({ "aud": self.at.issuer(), "iat": self.now(), "nonce": nonce });
        jose::sign(object(&header), &object(&payload), holder).unwrap()
    }

    async fn ask(&self, holder: &SigningKey) -> Value {
        let nonce = self.nonce().await;
        json!({ "credential_configuration_id": CONFIGURATION, "proofs": { "jwt": [self.proof(holder, &nonce)] } })
    }

    async fn post(&self, below: &str, token: &str, body: &Value) -> (u16, Value) {
        let request =
            self.client.post(self.url(below)).bearer_auth(token).header("content-type", "application/json");
        said(request.body(body.to_string()).send().await.unwrap()).await
    }

    /// From a fresh offer to its token.
    async fn granted(&self) -> (Issuance, String) {
        let (issuance, link) = self.offer().await;
        let (status, answer) = self.redeem(&link, PIN).await;
        assert_eq!(status, 200, "{answer}");
        (issuance, answer["access_token"].as_str().unwrap().to_owned())
    }

    async fn issued(&self, holder: &SigningKey) -> (Issuance, String, Value) {
        let (issuance, token) = self.granted().await;
        let (status, answer) = self.post("/credential", &token, &self.ask(holder).await).await;
        assert_eq!(status, 200, "{answer}");
        (issuance, token, answer)
    }

    fn verify(&self, credential: &str) -> sd_jwt::Verified {
        let rules = Rules { now: self.now(), issuer: &self.at.issuer(), vct: VCT };
        sd_jwt::verify(credential, &Jwk::of_signer(&self.key).unwrap(), &rules).unwrap()
    }

    async fn stored(&self, issuance: &Issuance) -> Issuance {
        self.store.look(Handle::Id(issuance.id.clone())).await.unwrap().unwrap()
    }
}

async fn said(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn object(value: &Value) -> Object {
    value.as_object().unwrap().clone()
}

fn holder() -> SigningKey {
    SigningKey::mint().unwrap()
}

fn credential_in(answer: &Value) -> &str {
    answer["credentials"][0]["credential"].as_str().unwrap()
}

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

async fn revoke(world: &World, issuance: &Issuance) {
    let (by, now) = (Handle::Id(issuance.id.clone()), world.now());
    world.store.change(by, None, move |i, _| i.unwrap().revoke(None, now)).await.unwrap().unwrap();
}

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

#[tokio::test]
async fn what_is_not_served_is_404_or_405_and_everything_says_no_store() {
    let world = World::new().await;
    for below in ["/token", "/nonce", "/credential", "/deferred_credential", "/notification"] {
        let response = world.client.get(world.url(below)).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["allow"]),
            (405, &HeaderValue::from_static("POST")),
            "{below}"
        );
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
    // The well-known part stands before the path, and only there.
    for gone in [
        world.url("/.well-known/openid-credential-issuer"),
        world.url(""),
        format!("{}/token", world.at.origin),
    ] {
        assert_eq!(world.get(&gone).await.0, 404, "{gone}");
    }
}

#[test]
fn public_addresses_have_plain_paths() {
    let at = PublicUrl::parse("https://mot-cua.example.vn/h/quangninh/").unwrap();
    assert_eq!(
        (at.issuer().as_str(), at.path.as_str()),
        ("https://mot-cua.example.vn/h/quangninh", "/h/quangninh")
    );
    assert_eq!(PublicUrl::parse("https://a.example:8443").unwrap().issuer(), "https://a.example:8443");
    for bad in ["https://a.example/%7Bx%7D", "https://a.example//x", "https://a.example/a b"] {
        assert_eq!(PublicUrl::parse(bad).unwrap_err().code, &BAD_PATH, "{bad}");
    }
    assert!(PublicUrl::parse("http://a.example/").is_err());
}
