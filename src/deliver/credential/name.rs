//! What a clerk may call an issuance by: its id, the link of its offer, or the credential itself.

use super::jose::Jws;
use super::register::Handle;
use super::secret;
use serde_json::Value;

/// The handle behind a name; nothing is proven by it. What is none of the others is taken for an id.
pub fn handle(name: &str) -> Handle {
    let name = name.trim();
    if let Some(link) = offer_link(name) {
        return Handle::Link(secret::stored("link", &link));
    }
    // dc+sd-jwt: the address of the document, whose last part is random, stands in the signed part.
    let signed = name.split('~').next().filter(|_| name.contains('~'));
    if let Some(jws) = signed.and_then(|signed| Jws::read(signed).ok())
        && let Some(uri) = jws.payload.get("doc").and_then(|doc| doc.get("uri")).and_then(Value::as_str)
    {
        return Handle::Document(secret::stored("document", last_part(uri)));
    }
    Handle::Id(name.to_owned())
}

/// The random part of an offer's link, whether it is the link that wallets open or the address behind it.
fn offer_link(name: &str) -> Option<String> {
    let address = match name.strip_prefix("openid-credential-offer://") {
        Some(rest) => rest.split_once("credential_offer_uri=")?.1.split('&').next()?.replace("%2F", "/"),
        None => name.strip_prefix("https://").or_else(|| name.strip_prefix("http://"))?.to_owned(),
    };
    address.contains("/offers/").then(|| last_part(&address).to_owned())
}

fn last_part(address: &str) -> &str {
    address.rsplit('/').next().unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::super::{jose, offer};
    use super::*;
    use crate::deliver::wire_key::SigningKey;
    use serde_json::json;

    #[test]
    fn an_issuance_is_found_by_its_offer_its_credential_and_its_id() {
        let made = offer::make(offer::tests::wish(), 0).unwrap();
        let uri = offer::uri("https://i.example/h/mau", &made.link);
        assert_eq!(handle(&uri), Handle::Link(made.issuance.link));
        let address = format!("https://i.example/h/mau/offers/{}", *made.link);
        assert_eq!(handle(&address), Handle::Link(made.issuance.link));
        let doc = json!({ "doc": { "uri": format!("https://i.example/documents/{}", made.issuance.document.link) } });
        let signed =
            jose::sign(jose::Object::new(), doc.as_object().unwrap(), &SigningKey::mint().unwrap()).unwrap();
        let by = Handle::Document(made.issuance.document_digest());
        assert_eq!(handle(&format!("{signed}~WyJz~")), by);
        assert_eq!(handle(&format!(" {signed}~\n")), by);
        for id in [&*made.issuance.id, "", "a.b.c~", "https://i.example/", "openid-credential-offer://?x=1"] {
            assert_eq!(handle(id), Handle::Id(id.to_owned()));
        }
    }
}
