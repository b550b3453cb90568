//! Keys of a remote signing service, by the Cloud Signature Consortium's API (CSC API v2; v1 where the address ends so).
//!
//! | call | what for |
//! |---|---|
//! | `credentials/list` | only where no credential was named |
//! | `credentials/info` | certificate, algorithms, how to authorise, how many hashes at once |
//! | `credentials/authorize` | signature activation data, bound to the hashes (SCAL2), with PIN or OTP where wanted |
//! | `signatures/signHash` | many hashes in one call |
//!
//! The service is not believed: every signature is checked with the certificate before it is used.

mod wire;

use super::{Algorithm, FOREIGN_SIGNATURE, KEY_KIND, KeyHandle, Pace, path};
use crate::digest::Sha256;
use crate::fault::{Class, Code, Fault, Outcome};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use openssl::pkey::{PKey, Public};
use openssl::x509::X509;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use wire::Wire;
use zeroize::Zeroizing;

/// Where a service is and what it wants to see.
pub struct Access {
    /// Base address, `https://host/csc/v2`; http only to this machine.
    pub url: String,
    /// The credential; where there is only one it need not be named.
    pub credential: Option<String>,
    /// OAuth 2.0 access token.
    pub token: Zeroizing<String>,
    /// The credential's PIN or password, where it has one.
    pub pin: Option<Zeroizing<String>>,
    /// A one-time password: good for one authorisation.
    pub otp: Option<Zeroizing<String>>,
    /// How long an answer is waited for; the service may itself wait for its user's telephone.
    pub deadline: Duration,
}

/// A key at a service.
pub struct RemoteKey {
    wire: Wire,
    credential: String,
    pin: Option<Zeroizing<String>>,
    otp: Mutex<Option<Zeroizing<String>>>,
    /// Set by a refusal: neither PIN nor token is tried again with this key.
    refused: Mutex<Option<Fault>>,
    authorisation: Authorisation,
    /// Hashes in one call.
    multisign: usize,
    sign_algo: &'static str,
    certificate: X509,
    chain: Vec<X509>,
    public: PKey<Public>,
    algorithm: Algorithm,
}

/// How a credential is opened (CSC API 2.0, 11.5, `auth/mode`).
enum Authorisation {
    /// By `credentials/authorize`; names of what it asks for.
    Asked { pins: Vec<String>, otps: Vec<String> },
    /// The access token is itself the authorisation.
    Token,
}

impl RemoteKey {
    /// Asks the service about the credential. Call from a blocking thread; `handle` is the runtime that waits.
    /// `certificates` (may be empty) are added to those the service knows.
    ///
    /// # Errors
    /// [`ADDRESS`], [`SILENT`], [`BROKEN`], [`DENIED`], [`REFUSED`], [`CREDENTIAL`], and those of [`Algorithm::of`].
    pub fn open(access: Access, certificates: Vec<X509>, handle: Handle) -> Outcome<Self> {
        super::no_core_dumps();
        let wire = Wire::new(&access.url, access.token, access.deadline, handle)?;
        let credential = match access.credential {
            Some(credential) => credential,
            None => only_credential(&wire)?,
        };
        let question = json!({ "credentialID": credential, "certificates": "chain", "authInfo": true });
        let info: Info = wire.ask("credentials/info", question)?;
        let unusable = |what: &str| Fault::new(&CREDENTIAL).detail(what);
        if info.key.status != "enabled" {
            return Err(unusable("the key is not enabled"));
        }
        if info.cert.status.as_deref().is_some_and(|status| status != "valid") {
            return Err(unusable("the certificate is not valid, says the service"));
        }
        let read = |text: &String| BASE64.decode(text).ok().and_then(|der| X509::from_der(&der).ok());
        let all: Option<Vec<X509>> = info.cert.certificates.iter().take(MAX_CHAIN).map(read).collect();
        let mut all =
            all.ok_or_else(|| Fault::new(&BROKEN).detail("a certificate cannot be read"))?.into_iter();
        let certificate = all.next().ok_or_else(|| unusable("it has no certificate"))?;
        let public = certificate.public_key().map_err(|_| Fault::new(&KEY_KIND))?;
        let algorithm = Algorithm::of(&public)?;
        let wanted: &[&'static str] = match algorithm {
            Algorithm::RsaSha256 { .. } => &["1.2.840.113549.1.1.11", "1.2.840.113549.1.1.1"],
            Algorithm::EcdsaSha256 { .. } => &["1.2.840.10045.4.3.2"],
        };
        let sign_algo = wanted.iter().find(|oid| info.key.algo.iter().any(|a| a == *oid));
        let sign_algo = sign_algo.ok_or_else(|| unusable("it does not sign with SHA-256"))?;
        Ok(RemoteKey {
            authorisation: info.authorisation(wire.version())?,
            multisign: info.multisign.clamp(1, MAX_HASHES),
            wire,
            credential,
            pin: access.pin,
            otp: Mutex::new(access.otp),
            refused: Mutex::new(None),
            sign_algo,
            chain: path(&certificate, all.chain(certificates).collect()),
            certificate,
            public,
            algorithm,
        })
    }

    /// One call for at most `multisign` digests.
    fn sign_some(&self, digests: &[Sha256]) -> Outcome<Vec<Outcome<Vec<u8>>>> {
        let hashes: Vec<String> = digests.iter().map(|d| BASE64.encode(d.0)).collect();
        let (hashes_name, algorithm_name) = match self.wire.version() {
            1 => ("hash", "hashAlgo"),
            _ => ("hashes", "hashAlgorithmOID"),
        };
        let mut question = Map::new();
        question.insert("credentialID".into(), self.credential.as_str().into());
        question.insert(hashes_name.into(), hashes.into());
        question.insert(algorithm_name.into(), SHA256.into());
        if let Authorisation::Asked { pins, otps } = &self.authorisation {
            let sad = self.authorise(question.clone(), digests.len(), pins, otps)?;
            question.insert("SAD".into(), sad.into());
        } else if self.wire.version() == 1 {
            question.insert("SAD".into(), self.wire.token().into());
        }
        question.insert("signAlgo".into(), self.sign_algo.into());
        let answer: Signatures = self.wire.ask("signatures/signHash", Value::Object(question))?;
        if answer.signatures.len() != digests.len() {
            let (came, asked) = (answer.signatures.len(), digests.len());
            return Err(Fault::new(&BROKEN).detail(format!("{came} signatures for {asked} hashes")));
        }
        let checked = answer.signatures.iter().zip(digests).map(|(text, digest)| {
            let value =
                BASE64.decode(text).map_err(|_| Fault::new(&BROKEN).detail("a signature is not base64"))?;
            self.check(digest, value)
        });
        Ok(checked.collect())
    }

    /// The signature, if it is one. Some services give r and s of ECDSA one after the other.
    fn check(&self, digest: &Sha256, value: Vec<u8>) -> Outcome<Vec<u8>> {
        if self.algorithm.holds(&self.public, digest, &value) {
            return Ok(value);
        }
        if matches!(self.algorithm, Algorithm::EcdsaSha256 { .. })
            && let Some(der) = crate::cms::algorithm::plain_to_der(&value)
            && self.algorithm.holds(&self.public, digest, &der)
        {
            return Ok(der);
        }
        Err(Fault::new(&FOREIGN_SIGNATURE))
    }

    /// Signature activation data for these hashes and no others.
    fn authorise(
        &self,
        mut question: Map<String, Value>,
        count: usize,
        pins: &[String],
        otps: &[String],
    ) -> Outcome<String> {
        question.insert("numSignatures".into(), count.into());
        let missing =
            |what: &str| Fault::new(&CREDENTIAL).detail(format!("it asks for {what}, none was given"));
        let mut data = Vec::new();
        for id in pins {
            let pin = self.pin.as_ref().ok_or_else(|| missing("a PIN or password"))?;
            data.push((id, pin.as_str().to_owned()));
        }
        for id in otps {
            let otp = self.otp.lock().unwrap_or_else(PoisonError::into_inner).take();
            let otp = otp.ok_or_else(|| missing("a one-time password, once for every authorisation"))?;
            data.push((id, otp.as_str().to_owned()));
        }
        if self.wire.version() == 1 {
            question.remove("hashAlgo");
            for (id, value) in data {
                question.insert(id.clone(), value.into());
            }
        } else if !data.is_empty() {
            let data: Vec<Value> =
                data.into_iter().map(|(id, value)| json!({ "id": id, "value": value })).collect();
            question.insert("authData".into(), data.into());
        }
        let answer: Activation = self.wire.ask("credentials/authorize", Value::Object(question))?;
        Ok(answer.sad)
    }
}

impl KeyHandle for RemoteKey {
    fn certificate(&self) -> &X509 {
        &self.certificate
    }

    fn chain(&self) -> &[X509] {
        &self.chain
    }

    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn sign_digests(&self, digests: &[Sha256]) -> Vec<Outcome<Vec<u8>>> {
        // One caller after the other: a refusal has to be known before the next one tries.
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::with_capacity(digests.len());
        for some in digests.chunks(self.multisign) {
            if let Some(fault) = refused.as_ref() {
                out.extend(some.iter().map(|_| Err(fault.clone())));
                continue;
            }
            match self.sign_some(some) {
                Ok(answers) => out.extend(answers),
                Err(fault) => {
                    out.extend(some.iter().map(|_| Err(fault.clone())));
                    // Not every service has a word for a wrong PIN: what it rejected is not tried again.
                    if fault.code == &DENIED || fault.code == &REFUSED {
                        *refused = Some(fault);
                    }
                }
            }
        }
        out
    }

    fn pace(&self) -> Pace {
        Pace::Together(self.multisign)
    }
}

fn only_credential(wire: &Wire) -> Outcome<String> {
    let mut list: List = wire.ask("credentials/list", json!({}))?;
    match (list.ids.pop(), list.ids.len()) {
        (Some(only), 0) => Ok(only),
        (None, _) => Err(Fault::new(&CREDENTIAL).detail("the service has none for this token")),
        (_, more) => {
            Err(Fault::new(&CREDENTIAL)
                .detail(format!("the service has {}, name one", more.saturating_add(1))))
        }
    }
}

#[derive(Deserialize)]
struct List {
    #[serde(rename = "credentialIDs")]
    ids: Vec<String>,
}

#[derive(Deserialize)]
struct Info {
    key: KeyInfo,
    cert: CertInfo,
    /// Version 2.
    auth: Option<AuthInfo>,
    /// Version 1.
    #[serde(rename = "authMode")]
    auth_mode: Option<String>,
    #[serde(rename = "PIN")]
    pin: Option<Presence>,
    #[serde(rename = "OTP")]
    otp: Option<Presence>,
    #[serde(default)]
    multisign: usize,
}

#[derive(Deserialize)]
struct KeyInfo {
    status: String,
    algo: Vec<String>,
}

#[derive(Deserialize)]
struct CertInfo {
    status: Option<String>,
    #[serde(default)]
    certificates: Vec<String>,
}

#[derive(Deserialize)]
struct AuthInfo {
    mode: String,
    #[serde(default)]
    objects: Vec<AuthObject>,
}

#[derive(Deserialize)]
struct AuthObject {
    #[serde(rename = "type", default)]
    kind: String,
    id: String,
}

#[derive(Deserialize)]
struct Presence {
    presence: String,
}

#[derive(Deserialize)]
struct Signatures {
    signatures: Vec<String>,
}

#[derive(Deserialize)]
struct Activation {
    #[serde(rename = "SAD")]
    sad: String,
}

impl Info {
    fn authorisation(&self, version: u8) -> Outcome<Authorisation> {
        let mode = if version == 1 {
            self.auth_mode.as_deref()
        } else {
            self.auth.as_ref().map(|a| a.mode.as_str())
        };
        let wanted = |p: &Option<Presence>, id: &str| match p {
            Some(p) if p.presence == "true" => vec![id.to_owned()],
            _ => Vec::new(),
        };
        match mode {
            Some("oauth2code") => Ok(Authorisation::Token),
            Some("implicit") => Ok(Authorisation::Asked { pins: Vec::new(), otps: Vec::new() }),
            Some("explicit") if version == 1 => {
                Ok(Authorisation::Asked { pins: wanted(&self.pin, "PIN"), otps: wanted(&self.otp, "OTP") })
            }
            Some("explicit") => {
                let objects = self.auth.iter().flat_map(|a| &a.objects).take(MAX_OBJECTS);
                let (otps, pins): (Vec<&AuthObject>, Vec<&AuthObject>) =
                    objects.partition(|o| o.kind.contains("OTP") || o.id.contains("OTP"));
                let ids = |list: Vec<&AuthObject>| list.into_iter().map(|o| o.id.clone()).collect();
                Ok(Authorisation::Asked { pins: ids(pins), otps: ids(otps) })
            }
            _ => Err(Fault::new(&CREDENTIAL).detail("it is authorised in a way that is not known here")),
        }
    }
}

/// What [`Access::deadline`] is where nothing else is said.
pub const DEADLINE: Duration = Duration::from_secs(90);
const SHA256: &str = "2.16.840.1.101.3.4.2.1";
const MAX_CHAIN: usize = 16;
const MAX_OBJECTS: usize = 8;
const MAX_HASHES: usize = 500;

/// An address that is none.
pub const ADDRESS: Code = Code {
    id: "SEAL-091",
    class: Class::Setup,
    vi: "Địa chỉ dịch vụ ký từ xa không hợp lệ (phải là https)",
    en: "the address of the remote signing service is not an https URL",
    remedy_vi: "Khai lại địa chỉ, ví dụ https://dich-vu/csc/v2",
    remedy_en: "correct it, e.g. https://service/csc/v2",
};

/// No answer.
pub const SILENT: Code = Code {
    id: "SEAL-092",
    class: Class::Later,
    vi: "Dịch vụ ký từ xa không trả lời",
    en: "the remote signing service does not answer",
    remedy_vi: "Kiểm tra đường truyền; không tệp nào được ghi, hệ thống có thể thử lại sau",
    remedy_en: "check the line; nothing was written, it can be tried again later",
};

/// An answer that is none.
pub const BROKEN: Code = Code {
    id: "SEAL-093",
    class: Class::Later,
    vi: "Trả lời của dịch vụ ký từ xa bị hỏng",
    en: "the answer of the remote signing service is malformed",
    remedy_vi: "Thử lại; nếu vẫn lỗi thì báo nhà cung cấp dịch vụ",
    remedy_en: "try again, then report it to the service",
};

/// Token, PIN or one-time password was refused.
pub const DENIED: Code = Code {
    id: "SEAL-094",
    class: Class::Person,
    vi: "Dịch vụ ký từ xa không chấp nhận người dùng; hệ thống không thử lại",
    en: "the remote signing service refused the token, PIN or one-time password; it is not tried again",
    remedy_vi: "Đăng nhập lại để lấy token mới, kiểm tra PIN hoặc OTP",
    remedy_en: "obtain a new access token; check PIN and one-time password",
};

/// A request that the service does not accept.
pub const REFUSED: Code = Code {
    id: "SEAL-095",
    class: Class::Setup,
    vi: "Dịch vụ ký từ xa từ chối yêu cầu",
    en: "the remote signing service rejected the request",
    remedy_vi: "Kiểm tra địa chỉ, mã chứng thư số và hợp đồng dịch vụ",
    remedy_en: "check address, credential and contract",
};

/// A credential that cannot be used.
pub const CREDENTIAL: Code = Code {
    id: "SEAL-096",
    class: Class::Setup,
    vi: "Không dùng được chứng thư số đã khai ở dịch vụ ký từ xa",
    en: "the credential at the remote signing service cannot be used",
    remedy_vi: "Kiểm tra --csc-credential và các tệp --pinfile, --otpfile",
    remedy_en: "check --csc-credential and the files of --pinfile and --otpfile",
};
