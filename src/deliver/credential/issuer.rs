//! The issuer: what each endpoint does with what a wallet says. No HTTP here, no SQL; one method an endpoint.

mod credential;
mod status;

pub use credential::{Body, Request};
pub use status::Form;

use super::issuance::{Issuance, Stage, Told};
use super::jose::{self, Jwk, Object};
use super::jwe::Recipient;
use super::proof::{self, Nonces};
use super::refusal::Refusal;
use super::register::{Handle, Register, Secrets};
use super::{offer, secret};
use crate::clock::Clock;
use crate::deliver::wire_key::SigningKey;
use crate::fault::{Fault, Outcome};
use openssl::pkey::{PKey, Private};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// Who issues what.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The issuer's identifier: its public address, no slash at its end.
    pub issuer: String,
    /// The office's identifier code; stands in every credential.
    pub office: String,
    /// The office's name.
    pub office_name: String,
}

/// The only kind of credential so far.
pub const CONFIGURATION: &str = "hoso_result";
/// `vct` of that kind.
pub const VCT: &str = "urn:vn:hoso:result:1";
/// Seconds after which a wallet may ask for a deferred credential again.
pub const INTERVAL: u64 = 5;

/// An issuer over a register.
pub struct Issuer<R> {
    pub(super) profile: Profile,
    pub(super) key: SigningKey,
    /// `kid`, and `x5c` where there is a certificate.
    header: Object,
    pub(super) jwk: Jwk,
    nonces: Nonces,
    requests: PKey<Private>,
    pub(super) requests_jwk: Jwk,
    register: Arc<R>,
    clock: Clock,
    /// Signed status lists by number.
    lists: tokio::sync::Mutex<HashMap<u32, status::Signed>>,
}

/// A document on its way to the holder.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// Which.
    pub document: super::issuance::Document,
    /// For whom to encrypt it.
    pub encrypt: Option<Recipient>,
}

impl<R: Register> Issuer<R> {
    /// An issuer. `chain` are the certificates of `key`, its own first, DER; none where verifiers get the key elsewhere.
    ///
    /// # Errors
    /// `SEND-011` for a key that is not on P-256.
    pub fn new(
        profile: Profile,
        key: SigningKey,
        chain: &[Vec<u8>],
        secrets: &Secrets,
        register: Arc<R>,
        clock: Clock,
    ) -> Outcome<Self> {
        let jwk = Jwk::of_signer(&key)?;
        let mut header = Object::new();
        header.insert("kid".into(), jwk.thumbprint().into());
        if !chain.is_empty() {
            let chain: Vec<String> = chain.iter().map(|der| openssl::base64::encode_block(der)).collect();
            header.insert("x5c".into(), json!(chain));
        }
        let requests = PKey::private_key_from_der(&secrets.requests)
            .map_err(|_| Fault::new(&crate::deliver::wire_key::KEY_UNREADABLE))?;
        let requests_jwk = Jwk::of(&*requests)?;
        let nonces = Nonces::new(secrets.nonces);
        let lists = tokio::sync::Mutex::default();
        Ok(Issuer { profile, key, header, jwk, nonces, requests, requests_jwk, register, clock, lists })
    }

    /// The register behind it.
    pub fn register(&self) -> &R {
        &self.register
    }

    fn now(&self) -> i64 {
        self.clock.now_ms().div_euclid(1000)
    }

    /// `GET /offers/{link}`.
    ///
    /// # Errors
    /// 404 for a link that is not known, 410 for an offer that can no longer be redeemed.
    pub async fn offer(&self, link: &str) -> Result<Value, Refusal> {
        let found = self.look(Handle::Link(secret::stored("link", link))).await?;
        let Some(issuance) = found else {
            return Err(Refusal { status: 404, error: "not_found", why: "there is no such offer" });
        };
        let open = matches!(issuance.stage, Stage::Offered { .. });
        if !open || issuance.revoked.is_some() || self.now() >= issuance.offer_until {
            return Err(Refusal {
                status: 410,
                error: "offer_gone",
                why: "the offer was used or has expired",
            });
        }
        Ok(offer::document(&self.profile.issuer, CONFIGURATION, link, &issuance))
    }

    /// `POST /token` with its form decoded. Parameters that are not known are let be (RFC 6749 3.2).
    ///
    /// # Errors
    /// `unsupported_grant_type`, `invalid_request`, `invalid_grant`.
    pub async fn token(&self, form: &HashMap<String, String>) -> Result<Value, Refusal> {
        let parameter = |name: &str| form.get(name).map(String::as_str).filter(|value| !value.is_empty());
        match parameter("grant_type") {
            None => return Err(Refusal::bad("invalid_request", "grant_type is missing")),
            Some("urn:ietf:params:oauth:grant-type:pre-authorized_code") => {}
            Some(_) => {
                return Err(Refusal::bad("unsupported_grant_type", "only pre-authorized codes are taken"));
            }
        }
        let code = parameter("pre-authorized_code")
            .ok_or(Refusal::bad("invalid_request", "pre-authorized_code is missing"))?
            .to_owned();
        let pin = parameter("tx_code").or_else(|| parameter("user_pin")).map(str::to_owned);
        // npm `@openid4vc/openid4vci` (0.4.6) and wallets made with it refuse a deferred answer that has a notification_id. They are
        // known by the parameter of draft 11, which they send beside that of the standard.
        let spared = parameter("user_pin").is_some();
        let token = secret::mint().map_err(|fault| Refusal::later(&fault))?;
        let given = token.to_string();
        let now = self.now();
        let by = Handle::Code(secret::stored("code", &code));
        self.change(by, None, move |issuance, _| match issuance {
            Some(issuance) => {
                issuance.redeem(&code, pin.as_deref(), &token, now)?;
                if spared {
                    issuance.spare_notification();
                }
                Ok(())
            }
            None => Err(Refusal::bad("invalid_grant", "the pre-authorized code is not known")),
        })
        .await?;
        Ok(
            json!({ "access_token": given, "token_type": "Bearer", "expires_in": super::issuance::TOKEN_LIFE }),
        )
    }

    /// `POST /nonce`.
    ///
    /// # Errors
    /// 503 where the random source fails.
    pub fn nonce(&self) -> Result<Value, Refusal> {
        let nonce = self.nonces.mint(self.now()).map_err(|fault| Refusal::later(&fault))?;
        Ok(json!({ "c_nonce": nonce }))
    }

    /// `POST /notification`.
    ///
    /// # Errors
    /// 401, `invalid_notification_id`, `invalid_notification_request`.
    pub async fn notification(&self, token: &str, body: &[u8]) -> Result<(), Refusal> {
        let wrong = |why| Refusal::bad("invalid_notification_request", why);
        let by = Handle::Token(secret::stored("token", token));
        if self.look(by.clone()).await?.is_none() {
            return Err(Refusal::token("the token is not known"));
        }
        let object = jose::object(body).ok_or_else(|| wrong("the body is no JSON object"))?;
        let id = object
            .get("notification_id")
            .and_then(Value::as_str)
            .ok_or_else(|| wrong("notification_id is missing"))?;
        let told = match object.get("event").and_then(Value::as_str) {
            Some("credential_accepted") => Told::CredentialAccepted,
            Some("credential_failure") => Told::CredentialFailure,
            Some("credential_deleted") => Told::CredentialDeleted,
            _ => return Err(wrong("the event is not known")),
        };
        if object.get("event_description").is_some_and(|text| !text.is_string()) {
            return Err(wrong("event_description is no text"));
        }
        let (id, now) = (id.to_owned(), self.now());
        self.change(by, None, move |issuance, _| match issuance {
            Some(issuance) => issuance.notify(&id, told, now),
            None => Err(Refusal::token("the token is not known")),
        })
        .await
    }

    /// `GET /documents/{link}`.
    ///
    /// # Errors
    /// 404 for a link that is not known or whose credential was never issued, 410 for one that ended.
    pub async fn document(&self, link: &str) -> Result<Fetched, Refusal> {
        let unknown = Refusal { status: 404, error: "not_found", why: "there is no such document" };
        let issuance =
            self.look(Handle::Document(secret::stored("document", link))).await?.ok_or(unknown.clone())?;
        let (true, encrypt) = issuance.reader() else { return Err(unknown) };
        if issuance.revoked.is_some() || self.now() >= issuance.document.until {
            return Err(Refusal {
                status: 410,
                error: "document_gone",
                why: "the address has expired or was withdrawn",
            });
        }
        Ok(Fetched { encrypt: encrypt.cloned(), document: issuance.document })
    }

    async fn look(&self, by: Handle) -> Result<Option<Issuance>, Refusal> {
        self.register.look(by).await.map_err(|fault| Refusal::later(&fault))
    }

    async fn change<T: Send + 'static>(
        &self,
        by: Handle,
        mark: Option<proof::Mark>,
        change: impl FnOnce(Option<&mut Issuance>, bool) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.register.change(by, mark, change).await.map_err(|fault| Refusal::later(&fault))?
    }
}
