//! The description of the endpoints, written by hand and tried by schemathesis.

use super::PublicUrl;

/// `openapi.json` with the paths and the address of this issuer.
pub fn text(at: &PublicUrl) -> String {
    TEMPLATE.replace("@ORIGIN@", &at.origin).replace("@PATH@", &at.path)
}

const TEMPLATE: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_json_with_this_issuers_addresses() {
        let at = PublicUrl::parse("https://a.example/h/mau").unwrap();
        let description: serde_json::Value = serde_json::from_str(&text(&at)).unwrap();
        assert_eq!(description["servers"][0]["url"], "https://a.example");
        assert!(description["paths"].get("/h/mau/token").is_some());
        assert!(!text(&at).contains('@'));
    }
}
