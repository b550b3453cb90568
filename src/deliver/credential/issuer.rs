//! The issuer: what each endpoint does with what a wallet says. No HTTP here, no SQL; one method an endpoint.

use super::issuance::{Answer, Bound, Candidate, Issuance, Stage, Told};
use super::jose::{self, Jwk, Object};
use super::jwe::{self, Recipient};
use super::proof::{self, Nonces};
use super::refusal::Refusal;
use super::register::{Handle, Register, Secrets};
use super::status_list::StatusList;
use super::{offer, sd_jwt, secret};
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
    lists: tokio::sync::Mutex<HashMap<u32, SignedList>>,
}

/// A status list that is given out again while nothing changes.
struct SignedList {
    /// How many revocations it shows.
    count: u64,
    /// When it was signed.
    at: i64,
    token: Arc<str>,
}

/// What a wallet is answered: JSON, or the same encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// `application/json`
    Json(Value),
    /// `application/jwt`: a JWE.
    Encrypted(String),
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
        let token = secret::mint().map_err(|fault| Refusal::later(&fault))?;
        let given = token.to_string();
        let now = self.now();
        let by = Handle::Code(secret::stored("code", &code));
        self.change(by, None, move |issuance, _| match issuance {
            Some(issuance) => issuance.redeem(&code, pin.as_deref(), &token, now),
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

    /// `POST /credential`. The status is 202 where the answer is deferred.
    ///
    /// # Errors
    /// 401, and the errors of OpenID4VCI 1.0, 8.3.1.2.
    pub async fn credential(&self, token: &str, request: &Request) -> Result<(u16, Body), Refusal> {
        let by = Handle::Token(secret::stored("token", token));
        let issuance = self.look(by.clone()).await?.ok_or(Refusal::token("the token is not known"))?;
        let now = self.now();
        let (bound, mark) = match self.proven(request, now) {
            Ok(proven) => proven,
            Err(refusal) => {
                self.note(by, refusal.clone(), now).await?;
                return Err(refusal);
            }
        };
        let candidate = self.candidate(&issuance, &bound.key, now).map_err(|fault| Refusal::later(&fault))?;
        let encrypt = bound.encrypt.clone();
        let answer = self
            .change(by, Some(mark), move |issuance, fresh| match issuance {
                Some(issuance) if !fresh => Err(issuance.refused("credential", STALE, now)),
                Some(issuance) => issuance.claim(bound, candidate, now),
                None => Err(Refusal::token("the token is not known")),
            })
            .await?;
        self.answer(answer, encrypt.as_ref(), true)
    }

    /// Whom a request proves it comes from, and the nonce that it uses up.
    fn proven(&self, request: &Request, now: i64) -> Result<(Bound, proof::Mark), Refusal> {
        let asked = Asked::read(&self.read(request)?)?;
        let proof = proof::check(&asked.jwt, &self.profile.issuer, now)?;
        let mark = self.nonces.mark(&proof.nonce, now).ok_or(STALE)?;
        Ok((Bound { key: proof.key, encrypt: asked.encrypt }, mark))
    }

    /// `POST /deferred_credential`.
    ///
    /// # Errors
    /// 401, `invalid_transaction_id`, `invalid_credential_request`, `credential_request_denied`.
    pub async fn deferred(&self, token: &str, request: &Request) -> Result<(u16, Body), Refusal> {
        let by = Handle::Token(secret::stored("token", token));
        let issuance = self.look(by.clone()).await?.ok_or(Refusal::token("the token is not known"))?;
        let object = self.read(request)?;
        let wrong = |why| Refusal::bad("invalid_credential_request", why);
        let transaction = match object.get("transaction_id") {
            Some(Value::String(id)) if !id.is_empty() => id.clone(),
            _ => return Err(wrong("transaction_id is missing")),
        };
        let encrypt = wish(&object)?;
        let now = self.now();
        let (candidate, remembered) = match &issuance.stage {
            Stage::Pending { bound, .. } | Stage::Issued { bound, .. } => {
                let candidate =
                    self.candidate(&issuance, &bound.key, now).map_err(|fault| Refusal::later(&fault))?;
                (candidate, bound.encrypt.clone())
            }
            _ => return Err(Refusal::bad("invalid_transaction_id", "the transaction is not known")),
        };
        // A wallet that asked for encryption once does not get the credential in the clear because it forgot to ask again.
        let recipient = encrypt.clone().or(remembered);
        let answer = self
            .change(by, None, move |issuance, _| match issuance {
                Some(issuance) => issuance.collect(&transaction, encrypt, candidate, now),
                None => Err(Refusal::token("the token is not known")),
            })
            .await?;
        // No notification id: the client library that most wallets use refuses a deferred answer that has one.
        self.answer(answer, recipient.as_ref(), false)
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
        let Stage::Issued { bound, .. } = issuance.stage else { return Err(unknown) };
        if issuance.revoked.is_some() || self.now() >= issuance.document.until {
            return Err(Refusal {
                status: 410,
                error: "document_gone",
                why: "the address has expired or was withdrawn",
            });
        }
        Ok(Fetched { document: issuance.document, encrypt: bound.encrypt })
    }

    /// `GET /status/{list}`: a signed status list.
    ///
    /// # Errors
    /// 404 for a list that does not exist.
    pub async fn status(&self, list: u32) -> Result<Arc<str>, Refusal> {
        let later = |fault: Fault| Refusal::later(&fault);
        let now = self.now();
        // Held while a list is signed: who comes meanwhile waits for that one and does not sign another.
        let mut lists = self.lists.lock().await;
        let count = self.register.revocations(list).await.map_err(later)?;
        if let Some(signed) = lists.get(&list)
            && signed.count == count
            && now.saturating_sub(signed.at) < super::status_list::TTL
        {
            return Ok(Arc::clone(&signed.token));
        }
        let unknown = Refusal { status: 404, error: "not_found", why: "there is no such status list" };
        let (count, places) = self.register.revoked(list).await.map_err(later)?.ok_or(unknown)?;
        let (uri, header, key) = (self.status_uri(list), self.header.clone(), self.key.clone());
        // Packing a million bits takes long enough to keep other wallets waiting.
        let signing = move || StatusList::with_revoked(places).token(&uri, now, header, &key);
        let signed = tokio::task::spawn_blocking(signing).await;
        let failed = |_| later(Fault::new(&crate::deliver::wire_key::SIGNING_FAILED));
        let token: Arc<str> = signed.map_err(failed)?.map_err(later)?.into();
        lists.insert(list, SignedList { count, at: now, token: Arc::clone(&token) });
        Ok(token)
    }

    fn status_uri(&self, list: u32) -> String {
        format!("{}/status/{list}", self.profile.issuer)
    }

    /// The credential for a key, where there is none yet and its time has come.
    fn candidate(&self, issuance: &Issuance, key: &Jwk, now: i64) -> Outcome<Candidate> {
        let due = now >= issuance.ready_at && !matches!(issuance.stage, Stage::Issued { .. });
        let credential = if due { Some(self.sign(issuance, key, now)?) } else { None };
        Ok(Candidate {
            credential,
            transaction: secret::mint()?.to_string(),
            notification: secret::mint()?.to_string(),
        })
    }

    fn sign(&self, issuance: &Issuance, key: &Jwk, now: i64) -> Outcome<String> {
        let document = &issuance.document;
        let mut doc = json!({
            "sha256": document.digests.sha256, "blake3": document.digests.blake3, "size": document.digests.size,
            "media_type": document.media_type, "uri": format!("{}/documents/{}", self.profile.issuer, document.link),
        });
        if let Some(old) = &document.supersedes {
            doc["supersedes"] = json!(old);
        }
        let place = issuance.place;
        let claims = json!({
            "iss": self.profile.issuer, "vct": VCT, "iat": now,
            "cnf": { "jwk": key }, "doc": doc,
            "office": self.profile.office, "office_name": self.profile.office_name,
            "status": { "status_list": { "idx": place.index, "uri": self.status_uri(place.list) } },
        });
        let Value::Object(mut claims) = claims else {
            return Err(Fault::new(&crate::deliver::wire_key::SIGNING_FAILED));
        };
        if let Some(lasts) = issuance.lasts {
            claims.insert("exp".into(), now.saturating_add(lasts).into());
        }
        sd_jwt::issue(claims, &issuance.fields, self.header.clone(), &self.key)
    }

    /// The object that a wallet sent, decrypted where it is encrypted.
    fn read(&self, request: &Request) -> Result<Object, Refusal> {
        let object = match request {
            Request::Json(bytes) => jose::object(bytes),
            Request::Encrypted(text) => match jwe::decrypt(text, &self.requests) {
                Ok((_, plain)) => jose::object(&plain),
                Err(_) => {
                    return Err(Refusal::bad(
                        "invalid_encryption_parameters",
                        "the request cannot be decrypted",
                    ));
                }
            },
        };
        object.ok_or(Refusal::bad("invalid_credential_request", "the request is no JSON object"))
    }

    fn answer(&self, answer: Answer, to: Option<&Recipient>, notify: bool) -> Result<(u16, Body), Refusal> {
        let (status, value) = match answer {
            Answer::Issued { credential, notification } => {
                let mut value = json!({ "credentials": [{ "credential": credential }] });
                if notify {
                    value["notification_id"] = notification.into();
                }
                (200, value)
            }
            Answer::Pending { transaction } => {
                (202, json!({ "transaction_id": transaction, "interval": INTERVAL }))
            }
        };
        match to {
            None => Ok((status, Body::Json(value))),
            Some(recipient) => {
                let text = recipient
                    .encrypt(Some("json"), value.to_string().as_bytes())
                    .map_err(|fault| Refusal::later(&fault))?;
                Ok((status, Body::Encrypted(text)))
            }
        }
    }

    /// Leaves a refusal among the issuance's events, so that a failure is found where its citizen is.
    async fn note(&self, by: Handle, refusal: Refusal, now: i64) -> Result<(), Refusal> {
        let note = move |issuance: Option<&mut Issuance>, _: bool| -> Result<(), Refusal> {
            if let Some(issuance) = issuance {
                issuance.refused("credential", refusal, now);
            }
            Ok(())
        };
        self.change(by, None, note).await
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

const STALE: Refusal = Refusal::bad("invalid_nonce", "the nonce was used, has expired or is not ours");

/// The body of a request for a credential.
#[derive(Debug, Clone)]
pub enum Request {
    /// JSON.
    Json(Vec<u8>),
    /// A compact JWE for the key in the metadata.
    Encrypted(String),
}

/// What a credential request asks for (OpenID4VCI 1.0, 8.2).
struct Asked {
    jwt: String,
    encrypt: Option<Recipient>,
}

impl Asked {
    fn read(object: &Object) -> Result<Self, Refusal> {
        let wrong = |why| Refusal::bad("invalid_credential_request", why);
        match (object.get("credential_configuration_id"), object.get("credential_identifier")) {
            (Some(_), Some(_)) => return Err(wrong("one of configuration and identifier, not both")),
            (None, Some(_)) => {
                return Err(Refusal::bad(
                    "unknown_credential_identifier",
                    "no identifiers are given out here",
                ));
            }
            (None, None) => return Err(wrong("credential_configuration_id is missing")),
            (Some(Value::String(id)), None) if id == CONFIGURATION => {}
            (Some(Value::String(_)), None) => {
                return Err(Refusal::bad("unknown_credential_configuration", "see the metadata"));
            }
            (Some(_), None) => return Err(wrong("credential_configuration_id is no text")),
        }
        let proof = |why| Refusal::bad("invalid_proof", why);
        let proofs = object.get("proofs").ok_or_else(|| proof("proofs is missing"))?;
        let proofs = proofs.as_object().ok_or_else(|| proof("proofs is no object"))?;
        let (Some(Value::Array(jwts)), 1) = (proofs.get("jwt"), proofs.len()) else {
            return Err(proof("proofs must hold jwt and nothing else"));
        };
        let [Value::String(jwt)] = jwts.as_slice() else {
            return Err(proof("exactly one proof is taken: one credential is bound to one key"));
        };
        Ok(Asked { jwt: jwt.clone(), encrypt: wish(object)? })
    }
}

fn wish(object: &Object) -> Result<Option<Recipient>, Refusal> {
    let Some(wish) = object.get("credential_response_encryption") else { return Ok(None) };
    let refuse = |_| {
        Refusal::bad("invalid_encryption_parameters", "see credential_response_encryption of the metadata")
    };
    jwe::recipient(wish).map(Some).map_err(refuse)
}
