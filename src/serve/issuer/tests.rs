mod afterwards;
mod credential;
mod erasure;
mod status;
mod token;

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
        let clock = Arc::new(AtomicI64::new(NOW * 1000));
        let store = Store::open_at(&folder.path().join("issuer.db"), Clock::Set(Arc::clone(&clock)));
        let store = Arc::new(store.unwrap());
        let blobs = Arc::new(Blobs::open(&folder.path().join("blobs")).unwrap());
        let key = SigningKey::mint().unwrap();
        let loopback = Loopback::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let at = PublicUrl::parse(&format!("{}{path}", loopback.url())).unwrap();
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

    /// As wallets do that were made for the standard alone.
    async fn redeem_plainly(&self, link: &str) -> String {
        let form = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Apre-authorized_code&pre-authorized_code={}&tx_code={PIN}",
            *offer::code_of(link)
        );
        self.token(&form).await.1["access_token"].as_str().unwrap().to_owned()
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

    /// The same encrypted to the key in the metadata.
    async fn post_sealed(&self, below: &str, token: &str, body: &Value) -> reqwest::Response {
        let well_known = format!("{}/.well-known/openid-credential-issuer{}", self.at.origin, self.at.path);
        let (_, metadata) = self.get(&well_known).await;
        let ours = &metadata["credential_request_encryption"]["jwks"]["keys"][0];
        let to = jwe::recipient(&json!({ "jwk": ours, "enc": "A128GCM" })).unwrap();
        let sealed = to.encrypt(None, body.to_string().as_bytes()).unwrap();
        let request =
            self.client.post(self.url(below)).bearer_auth(token).header("content-type", "application/jwt");
        request.body(sealed).send().await.unwrap()
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

async fn revoke(world: &World, issuance: &Issuance) {
    let (by, now) = (Handle::Id(issuance.id.clone()), world.now());
    world.store.change(by, None, move |i, _| i.unwrap().revoke(None, now)).await.unwrap().unwrap();
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
