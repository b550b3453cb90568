//! Who a program is that hands in and asks: its bearer token (RFC 6750), of which this station knows the digest only.

use super::problem::Problem;
use crate::digest::Sha256;
use crate::station::wire::ClientConfig;
use axum::http::{HeaderMap, StatusCode, header};
use std::collections::BTreeMap;

/// The client whose token a request shows.
pub fn client<'a>(
    clients: &'a BTreeMap<String, ClientConfig>,
    headers: &HeaderMap,
) -> Option<(&'a String, &'a ClientConfig)> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(one), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || !(16..=512).contains(&token.len()) {
        return None;
    }
    // Digests of what was shown are compared: how long that takes says nothing of the token.
    let shown = Sha256::of(token.as_bytes());
    clients.iter().find(|(_, client)| client.token_sha256.contains(&shown))
}

/// One answer for no token and a wrong one.
pub const TOKEN_INVALID: Problem = Problem::new(
    StatusCode::UNAUTHORIZED,
    "token-invalid",
    "a bearer token of a client of this station is needed",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_token_of_a_client_is_its_own() {
        let config: ClientConfig =
            toml::from_str(&format!("token-sha256 = [\"{}\"]", Sha256::of(b"0123456789abcdef"))).unwrap();
        let clients = BTreeMap::from([("quay".to_owned(), config)]);
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            client(&clients, &headers).map(|(name, _)| name.clone())
        };
        assert_eq!(of(&["Bearer 0123456789abcdef"]).as_deref(), Some("quay"));
        for bad in [&[][..], &["Bearer 0123456789abcdeF"], &["Basic 0123456789abcdef"], &["Bearer "]] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
        assert_eq!(of(&["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"]), None);
    }
}
