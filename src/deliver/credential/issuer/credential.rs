//! The credential endpoints: what a wallet asks for, whom its proof binds it to, what is signed and how it is answered.

use super::{CONFIGURATION, INTERVAL, Issuer, VCT};
use crate::deliver::credential::issuance::{Answer, Bound, Candidate, Issuance, Stage};
use crate::deliver::credential::jose::{self, Jwk, Object};
use crate::deliver::credential::jwe::{self, Recipient};
use crate::deliver::credential::refusal::Refusal;
use crate::deliver::credential::register::{Handle, Register};
use crate::deliver::credential::{proof, sd_jwt, secret};
use crate::fault::{Fault, Outcome};
use serde_json::{Value, json};

/// The body of a request for a credential.
#[derive(Debug, Clone)]
pub enum Request {
    /// JSON.
    Json(Vec<u8>),
    /// A compact JWE for the key in the metadata.
    Encrypted(String),
}

/// What a wallet is answered: JSON, or the same encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// `application/json`
    Json(Value),
    /// `application/jwt`: a JWE.
    Encrypted(String),
}

impl<R: Register> Issuer<R> {
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
        let (answer, encrypt) = self
            .change(by, Some(mark), move |issuance, fresh| match issuance {
                Some(issuance) if !fresh => Err(issuance.refused("credential", STALE, now)),
                Some(issuance) => {
                    let answer = issuance.claim(bound, candidate, now)?;
                    Ok((answer, issuance.sealed_for().cloned()))
                }
                None => Err(Refusal::token("the token is not known")),
            })
            .await?;
        self.answer(answer, encrypt.as_ref(), true)
    }

    /// Whom a request proves it comes from, and the nonce that it uses up.
    fn proven(&self, request: &Request, now: i64) -> Result<(Bound, proof::Mark), Refusal> {
        let asked = Asked::read(&self.read(request)?, request)?;
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
        let encrypt = wish(&object, request)?;
        let now = self.now();
        let candidate = match &issuance.stage {
            Stage::Pending { bound, .. } | Stage::Issued { bound, .. } => {
                self.candidate(&issuance, &bound.key, now).map_err(|fault| Refusal::later(&fault))?
            }
            _ => return Err(Refusal::bad("invalid_transaction_id", "the transaction is not known")),
        };
        let (answer, encrypt, spared) = self
            .change(by, None, move |issuance, _| match issuance {
                Some(issuance) => {
                    let answer = issuance.collect(&transaction, encrypt, candidate, now)?;
                    let spared = issuance.token().is_some_and(|token| token.spared);
                    Ok((answer, issuance.sealed_for().cloned(), spared))
                }
                None => Err(Refusal::token("the token is not known")),
            })
            .await?;
        self.answer(answer, encrypt.as_ref(), encrypt.is_some() || !spared)
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
}

const STALE: Refusal = Refusal::bad("invalid_nonce", "the nonce was used, has expired or is not ours");

/// What a credential request asks for (OpenID4VCI 1.0, 8.2).
struct Asked {
    jwt: String,
    encrypt: Option<Recipient>,
}

impl Asked {
    fn read(object: &Object, request: &Request) -> Result<Self, Refusal> {
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
        Ok(Asked { jwt: jwt.clone(), encrypt: wish(object, request)? })
    }
}

/// The key that the wallet wants the answer encrypted to. It is taken from an encrypted request alone: on the way, whoever can read
/// the answer could have put in a key of their own (OpenID4VCI 1.0, 8.2 and 9.1).
fn wish(object: &Object, request: &Request) -> Result<Option<Recipient>, Refusal> {
    let Some(wish) = object.get("credential_response_encryption") else { return Ok(None) };
    if matches!(request, Request::Json(_)) {
        return Err(Refusal::bad(
            "invalid_encryption_parameters",
            "credential_response_encryption is taken from an encrypted request only",
        ));
    }
    let refuse = |_| {
        Refusal::bad("invalid_encryption_parameters", "see credential_response_encryption of the metadata")
    };
    jwe::recipient(wish).map(Some).map_err(refuse)
}
