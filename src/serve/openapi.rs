//! One description of everything that is served: this file's, and what a room brings besides. Written by hand, tried by schemathesis.

use super::issuer::PublicUrl;
use axum::Router;
use axum::http::header;
use axum::routing::get;
use serde_json::Value;

/// `/openapi.json`, at the root and below the public path, to be [`dressed`](super::front::dressed). `rooms` are further descriptions,
/// whose paths and components go into the one; what is not served is not in it: `served` says which paths are.
pub fn router(at: &PublicUrl, rooms: &[String], served: impl Fn(&str) -> bool) -> Router {
    let text = text(at, rooms, served);
    let mut router = Router::new();
    for base in if at.path.is_empty() { vec![""] } else { vec!["", at.path.as_str()] } {
        let text = text.clone();
        let tell = async move || ([(header::CONTENT_TYPE, "application/json")], text);
        router = router.route(&format!("{base}/openapi.json"), get(tell));
    }
    router
}

fn text(at: &PublicUrl, rooms: &[String], served: impl Fn(&str) -> bool) -> String {
    let own = TEMPLATE.replace("@ORIGIN@", &at.origin).replace("@PATH@", &at.path);
    let mut whole: Value = serde_json::from_str(&own).unwrap_or_default();
    if let Some(paths) = whole["paths"].as_object_mut() {
        paths.retain(|path, _| served(path));
    }
    for room in rooms {
        let room: Value = serde_json::from_str(room).unwrap_or_default();
        add(&mut whole["paths"], &room["paths"]);
        for (kind, more) in room["components"].as_object().into_iter().flatten() {
            add(&mut whole["components"][kind], more);
        }
    }
    whole.to_string()
}

/// Adds what is not there yet.
fn add(to: &mut Value, from: &Value) {
    if to.is_null() {
        *to = Value::Object(serde_json::Map::new());
    }
    let (Some(to), Some(from)) = (to.as_object_mut(), from.as_object()) else { return };
    for (name, value) in from {
        to.entry(name.as_str()).or_insert_with(|| value.clone());
    }
}

const TEMPLATE: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_holds_what_is_served_and_every_reference_leads_somewhere() {
        let at = PublicUrl::parse("https://a.example/h/mau").unwrap();
        let rooms = [super::super::issuer::openapi::text(&at)];
        let whole: Value =
            serde_json::from_str(&text(&at, &rooms, |path| !path.contains("/intake/"))).unwrap();
        let paths = whole["paths"].as_object().unwrap();
        assert!(paths.contains_key("/h/mau/v1/deliveries/{id}") && paths.contains_key("/h/mau/token"));
        assert!(!paths.keys().any(|path| path.contains("/intake/")));
        let mut left = vec![&whole];
        let mut references = 0;
        while let Some(value) = left.pop() {
            if let Some(reference) = value["$ref"].as_str() {
                references += 1;
                assert!(whole.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
            }
            match value {
                Value::Object(inner) => left.extend(inner.values()),
                Value::Array(inner) => left.extend(inner),
                _ => {}
            }
        }
        assert!(references > 20);
        assert!(!whole.to_string().contains('@') || whole.to_string().contains("@method"));
    }
}
