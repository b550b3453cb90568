//! What an issuer says of itself: OpenID4VCI 1.0 12.2, RFC 8414, SD-JWT VC 5.

use super::issuer::{CONFIGURATION, Issuer, Profile, VCT};
use super::jwe;
use serde_json::{Value, json};

/// Where the endpoints are: `{issuer}` and one of these.
pub const TOKEN: &str = "/token";
/// See [`TOKEN`].
pub const NONCE: &str = "/nonce";
/// See [`TOKEN`].
pub const CREDENTIAL: &str = "/credential";
/// See [`TOKEN`].
pub const DEFERRED: &str = "/deferred_credential";
/// See [`TOKEN`].
pub const NOTIFICATION: &str = "/notification";

impl<R> Issuer<R> {
    /// `/.well-known/openid-credential-issuer`.
    pub fn metadata(&self) -> Value {
        let Profile { issuer, office_name, .. } = &self.profile;
        let mut requests = self.requests_jwk.value();
        requests["use"] = "enc".into();
        requests["alg"] = "ECDH-ES".into();
        requests["kid"] = self.requests_jwk.thumbprint().into();
        json!({
            "credential_issuer": issuer,
            "credential_endpoint": format!("{issuer}{CREDENTIAL}"),
            "nonce_endpoint": format!("{issuer}{NONCE}"),
            "deferred_credential_endpoint": format!("{issuer}{DEFERRED}"),
            "notification_endpoint": format!("{issuer}{NOTIFICATION}"),
            "credential_request_encryption": {
                "jwks": { "keys": [requests] }, "enc_values_supported": ["A256GCM", "A128GCM"], "encryption_required": false,
            },
            "credential_response_encryption": jwe::supported(),
            "display": [{ "name": office_name, "locale": "vi" }],
            "credential_configurations_supported": {
                CONFIGURATION: {
                    "format": "dc+sd-jwt",
                    "vct": VCT,
                    "scope": CONFIGURATION,
                    "cryptographic_binding_methods_supported": ["jwk"],
                    "credential_signing_alg_values_supported": ["ES256"],
                    "proof_types_supported": { "jwt": { "proof_signing_alg_values_supported": ["ES256"] } },
                    "credential_metadata": {
                        "display": [
                            { "name": "Kết quả giải quyết thủ tục hành chính", "locale": "vi" },
                            { "name": "Result of an administrative procedure", "locale": "en" },
                        ],
                        "claims": [
                            claim(&["doc", "sha256"], "Mã băm SHA-256 của tài liệu", "SHA-256 of the document"),
                            claim(&["doc", "uri"], "Địa chỉ tải tài liệu", "Where the document is fetched"),
                            claim(&["office"], "Mã cơ quan", "Code of the office"),
                            claim(&["office_name"], "Cơ quan", "Office"),
                        ],
                    },
                },
            },
        })
    }

    /// `/.well-known/oauth-authorization-server`: wallets give up without it.
    pub fn authorization_metadata(&self) -> Value {
        let issuer = &self.profile.issuer;
        json!({
            "issuer": issuer,
            "token_endpoint": format!("{issuer}{TOKEN}"),
            "grant_types_supported": ["urn:ietf:params:oauth:grant-type:pre-authorized_code"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["none"],
            "pre-authorized_grant_anonymous_access_supported": true,
        })
    }

    /// `/.well-known/jwt-vc-issuer`: the key that credentials are checked with.
    pub fn key_metadata(&self) -> Value {
        let mut key = self.jwk.value();
        key["kid"] = self.jwk.thumbprint().into();
        key["use"] = "sig".into();
        key["alg"] = "ES256".into();
        json!({ "issuer": self.profile.issuer, "jwks": { "keys": [key] } })
    }
}

fn claim(path: &[&str], vi: &str, en: &str) -> Value {
    json!({ "path": path, "mandatory": true,
        "display": [{ "name": vi, "locale": "vi" }, { "name": en, "locale": "en" }] })
}
