use super::*;

const ISSUER: &str = "https://issuer.example/h/mau";
const VCT: &str = "urn:example:result";
const RULES: Rules<'static> = Rules { now: 1_000, issuer: ISSUER, vct: VCT };

struct World {
    key: SigningKey,
    jwk: Jwk,
    holder: Jwk,
}

fn world() -> World {
    let key = SigningKey::mint().unwrap();
    let jwk = Jwk::of_signer(&key).unwrap();
    World { key, jwk, holder: Jwk::of_signer(&SigningKey::mint().unwrap()).unwrap() }
}

impl World {
    fn claims(&self) -> Object {
        let claims = json!({ "iss": ISSUER, "vct": VCT, "iat": 900, "exp": 2_000, "cnf": { "jwk": self.holder },
            "doc": { "sha256": "00" } });
        claims.as_object().unwrap().clone()
    }

    fn issue(&self, claims: Object) -> String {
        let fields = json!({ "name": "Đinh Văn Mẫu", "born": "1990-01-01", "tags": ["a", "b"] });
        issue(claims, fields.as_object().unwrap(), Object::new(), &self.key).unwrap()
    }

    fn with(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims();
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.into(), value);
        }
        self.issue(claims)
    }

    /// A credential of claims as they are, with disclosures as they are.
    fn raw(&self, typ: &str, claims: &Object, disclosures: &[String]) -> String {
        let header = json!({ "typ": typ }).as_object().unwrap().clone();
        let mut text = jose::sign(header, claims, &self.key).unwrap();
        text.push('~');
        for disclosure in disclosures {
            text.push_str(disclosure);
            text.push('~');
        }
        text
    }

    fn why(&self, text: &str) -> String {
        let fault = verify(text, &self.jwk, &RULES).unwrap_err();
        fault.detail.unwrap_or_else(|| fault.code.id.to_owned())
    }
}

fn disclosure(name: &str, value: &Value) -> String {
    b64(json!(["c2FsdA", name, value]).to_string().as_bytes())
}

#[test]
fn what_is_issued_verifies_with_every_claim_and_with_any_part_withheld() {
    let world = world();
    let text = world.issue(world.claims());
    let verified = verify(&text, &world.jwk, &RULES).unwrap();
    assert_eq!(verified.claims["name"], "Đinh Văn Mẫu");
    assert_eq!(verified.holder, world.holder);
    assert!(!verified.claims.contains_key("_sd") && !verified.claims.contains_key("_sd_alg"));
    assert!(!text.split('~').next().unwrap().contains("Mẫu"));
    let mut parts: Vec<&str> = text.split('~').collect();
    parts.remove(1);
    let less = verify(&parts.join("~"), &world.jwk, &RULES).unwrap();
    assert_eq!(less.claims.len() + 1, verified.claims.len());
}

#[test]
fn a_forged_disclosure_that_nothing_refers_to_is_refused() {
    let world = world();
    let mut text = world.issue(world.claims());
    text.push_str(&disclosure("rank", &json!("minister")));
    text.push('~');
    assert_eq!(world.why(&text), "a disclosure that nothing refers to");
}

#[test]
fn a_disclosure_or_a_digest_that_comes_twice_is_refused() {
    let world = world();
    let text = world.issue(world.claims());
    let second = text.split('~').nth(1).unwrap();
    assert_eq!(world.why(&format!("{text}{second}~")), "a disclosure that comes twice");
    let one = disclosure("name", &json!("x"));
    let mut claims = world.claims();
    claims.insert("_sd".into(), json!([digest(&one), digest(&one)]));
    assert_eq!(world.why(&world.raw(TYP, &claims, &[one])), "a digest that stands in two places");
}

#[test]
fn what_every_verifier_must_see_cannot_be_hidden() {
    let world = world();
    for name in ["vct", "exp", "cnf", "status", "doc", "iss"] {
        let mut claims = world.claims();
        let value = claims.remove(name).unwrap_or(json!(1));
        let hidden = disclosure(name, &value);
        claims.insert("_sd".into(), json!([digest(&hidden)]));
        let why = world.why(&world.raw(TYP, &claims, &[hidden]));
        assert_eq!(why, "a claim that may not be selectively disclosed", "{name}");
        let fields = json!({ name: 1 });
        let fault =
            issue(world.claims(), fields.as_object().unwrap(), Object::new(), &world.key).unwrap_err();
        assert_eq!(fault.code, &BAD_CLAIM);
    }
}

#[test]
fn expired_early_untyped_foreign_and_unbound_credentials_are_refused() {
    let world = world();
    for (name, value, why) in [
        ("exp", json!(1_000), "expired"),
        ("exp", json!("2000"), "a date that is no number"),
        ("nbf", json!(1_061), "not yet valid"),
        ("iat", json!(1_061), "not yet valid"),
        ("vct", Value::Null, "vct"),
        ("vct", json!("urn:other"), "vct"),
        ("iss", json!("https://other"), "iss"),
        ("cnf", Value::Null, "cnf"),
        ("cnf", json!({ "jwk": { "kty": "oct", "k": "AA" } }), "cnf"),
    ] {
        assert_eq!(world.why(&world.with(name, value)), why, "{name}");
    }
    assert_eq!(world.why(&world.raw("vc+sd-jwt", &world.claims(), &[])), "typ");
    assert_eq!(world.why(&world.raw("jwt", &world.claims(), &[])), "typ");
}

#[test]
fn an_unsigned_or_changed_credential_is_refused_at_every_byte() {
    let world = world();
    let text = world.issue(world.claims());
    let (jwt, rest) = text.split_once('~').unwrap();
    let (_, payload) = jwt.rsplit_once('.').unwrap().0.split_once('.').unwrap();
    let none = format!("{}.{payload}.~{rest}", b64(br#"{"alg":"none","typ":"dc+sd-jwt"}"#));
    assert_eq!(world.why(&none), "alg");
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        if let Ok(changed) = String::from_utf8(bytes) {
            assert!(verify(&changed, &world.jwk, &RULES).is_err(), "{at}");
        }
        assert!(
            at == 0 || verify(&text[..at], &world.jwk, &RULES).is_err() || text[..at].ends_with('~'),
            "{at}"
        );
    }
}

#[test]
fn disclosures_of_wrong_shape_and_endless_nests_are_refused() {
    let world = world();
    let claims = world.claims();
    for shape in [
        json!({}),
        json!([]),
        json!(["s"]),
        json!(["s", 1, 2]),
        json!(["s", "_sd", 1]),
        json!(["s", "a", 1, 2]),
    ] {
        let text = world.raw(TYP, &claims, &[b64(shape.to_string().as_bytes())]);
        assert!(world.why(&text).starts_with("a disclosure that"), "{shape}");
    }
    // A chain of disclosures, each of which holds the digest of the one before.
    let mut chain = vec![disclosure("n", &json!(1))];
    for _ in 0..60 {
        let last = digest(chain.last().unwrap());
        chain.push(disclosure("n", &json!({ "_sd": [last] })));
    }
    let mut claims = world.claims();
    claims.insert("_sd".into(), json!([digest(chain.last().unwrap())]));
    assert_eq!(world.why(&world.raw(TYP, &claims, &chain)), "too deep");
    let many = vec![disclosure("n", &json!(1)); 600];
    assert_eq!(world.why(&world.raw(TYP, &world.claims(), &many)), "too many disclosures");
}

#[test]
fn elements_and_nested_members_open_in_their_places() {
    let world = world();
    let element = b64(json!(["s1", "vàng"]).to_string().as_bytes());
    let inner = disclosure("street", &json!("Hàng Mẫu"));
    let outer = disclosure("address", &json!({ "_sd": [digest(&inner)], "city": "Hạ Long" }));
    let mut claims = world.claims();
    claims.insert("_sd".into(), json!([digest(&outer), "AAAA"]));
    claims.insert("colours".into(), json!(["đỏ", { "...": digest(&element) }, { "...": "decoy" }]));
    let text = world.raw(TYP, &claims, &[element.clone(), inner, outer]);
    let opened = verify(&text, &world.jwk, &RULES).unwrap().claims;
    assert_eq!(opened["colours"], json!(["đỏ", "vàng"]));
    assert_eq!(opened["address"], json!({ "city": "Hạ Long", "street": "Hàng Mẫu" }));
    // The element's disclosure under a member's digest.
    let mut claims = world.claims();
    claims.insert("_sd".into(), json!([digest(&element)]));
    assert_eq!(world.why(&world.raw(TYP, &claims, &[element])), "an element's disclosure among members");
}
