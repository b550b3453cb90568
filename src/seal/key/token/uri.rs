//! Where a key on a token is: a `pkcs11:` URI (RFC 7512), without any secret in it.

use crate::fault::{Class, Code, Fault, Outcome};
use std::path::PathBuf;

/// A parsed URI. What is absent is not asked for.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Uri {
    /// `module-path`: the shared library that speaks to the token.
    pub module: PathBuf,
    /// `token`: the token's label.
    pub token: Option<String>,
    /// `manufacturer` of the token.
    pub manufacturer: Option<String>,
    /// `model` of the token.
    pub model: Option<String>,
    /// `serial` number of the token.
    pub serial: Option<String>,
    /// `slot-id`.
    pub slot: Option<u64>,
    /// `object`: the label of key or certificate.
    pub object: Option<String>,
    /// `id`: CKA_ID of the key.
    pub id: Option<Vec<u8>>,
    /// `pin-source`: the file that holds the PIN.
    pub pin_source: Option<PathBuf>,
}

impl Uri {
    /// Reads a URI. `module-path` must be in it; `pin-value` must not, for every process could read it there.
    ///
    /// # Errors
    /// [`URI`] naming the attribute, never a value.
    pub fn parse(text: &str) -> Outcome<Self> {
        let wrong = |what: &str| Fault::new(&URI).detail(what);
        let rest = text.strip_prefix("pkcs11:").ok_or_else(|| wrong("it does not begin with pkcs11:"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Uri::default();
        let mut seen: Vec<&str> = Vec::new();
        for (part, in_query) in path.split(';').map(|p| (p, false)).chain(query.split('&').map(|p| (p, true)))
        {
            if part.is_empty() {
                continue;
            }
            let (name, value) = part.split_once('=').ok_or_else(|| wrong("an attribute without ="))?;
            if seen.contains(&name) {
                return Err(wrong(&format!("{} is given twice", known(name))));
            }
            seen.push(name);
            let bytes = decode(value).ok_or_else(|| wrong(&format!("{}: percent encoding", known(name))))?;
            if name == "id" && !in_query {
                uri.id = Some(bytes);
                continue;
            }
            let text = || {
                String::from_utf8(bytes.clone()).map_err(|_| wrong(&format!("{} is not UTF-8", known(name))))
            };
            match (name, in_query) {
                ("token", false) => uri.token = Some(text()?),
                ("manufacturer", false) => uri.manufacturer = Some(text()?),
                ("model", false) => uri.model = Some(text()?),
                ("serial", false) => uri.serial = Some(text()?),
                ("object", false) => uri.object = Some(text()?),
                ("slot-id", false) => {
                    uri.slot = Some(text()?.parse().map_err(|_| wrong("slot-id is not a number"))?);
                }
                // One URI names the key or its certificate; both lead to both.
                ("type", false) if matches!(text()?.as_str(), "private" | "cert") => {}
                ("type", false) => return Err(wrong("type is neither private nor cert")),
                ("module-path", true) => uri.module = PathBuf::from(text()?),
                ("pin-source", true) => {
                    let source = text()?;
                    let path = source.strip_prefix("file://").or_else(|| source.strip_prefix("file:"));
                    let path = path.unwrap_or(&source);
                    if path.starts_with('|') {
                        return Err(wrong("pin-source: only a file"));
                    }
                    uri.pin_source = Some(PathBuf::from(path));
                }
                ("pin-value", true) => {
                    return Err(wrong(
                        "pin-value: a PIN never stands in a URI, give --pinfile or pin-source",
                    ));
                }
                _ => return Err(wrong(&format!("{} is not known here", known(name)))),
            }
        }
        if uri.module.as_os_str().is_empty() {
            return Err(wrong("module-path is missing"));
        }
        Ok(uri)
    }
}

impl std::fmt::Debug for Uri {
    /// Labels of tokens are often people's names.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uri").field("module", &self.module).finish_non_exhaustive()
    }
}

/// The name of an attribute of RFC 7512, or a word for any other: a mistyped line may hold a secret where a name stands.
fn known(name: &str) -> &str {
    const NAMES: [&str; 18] = [
        "token",
        "manufacturer",
        "serial",
        "model",
        "library-manufacturer",
        "library-version",
        "library-description",
        "object",
        "type",
        "id",
        "slot-description",
        "slot-manufacturer",
        "slot-id",
        "pin-source",
        "pin-value",
        "module-name",
        "module-path",
        "",
    ];
    if NAMES.contains(&name) { name } else { "an attribute" }
}

fn decode(value: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (bytes.next()?, bytes.next()?);
            let digit = |b: u8| char::from(b).to_digit(16);
            out.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
        } else {
            out.push(byte);
        }
    }
    Some(out)
}

/// A URI that names no token.
pub const URI: Code = Code {
    id: "SEAL-080",
    class: Class::Setup,
    vi: "Địa chỉ PKCS#11 của khoá không hợp lệ",
    en: "the PKCS#11 URI of the key is not valid",
    remedy_vi: "Viết theo mẫu pkcs11:token=TÊN;id=%A1?module-path=/đường/dẫn/thư-viện.so",
    remedy_en: "write it like pkcs11:token=NAME;id=%A1?module-path=/path/of/the/library.so",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_says_where_the_key_is() {
        let uri = Uri::parse(
            "pkcs11:token=C%C3%A1n%20b%E1%BB%99;serial=0a1b;slot-id=3;object=k%3B;id=%A1b;type=private\
             ?module-path=/usr/lib/x.so&pin-source=file:/run/pin",
        )
        .unwrap();
        assert_eq!(uri.token.as_deref(), Some("Cán bộ"));
        assert_eq!(
            (uri.serial.as_deref(), uri.slot, uri.object.as_deref()),
            (Some("0a1b"), Some(3), Some("k;"))
        );
        assert_eq!(uri.id.as_deref(), Some(&b"\xa1b"[..]));
        assert_eq!(uri.pin_source, Some(PathBuf::from("/run/pin")));
        assert_eq!(uri.module, PathBuf::from("/usr/lib/x.so"));
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_is_shown() {
        for (text, says) in [
            ("http://x", "pkcs11:"),
            ("pkcs11:token=t", "module-path"),
            ("pkcs11:token=t?module-path=/m&pin-value=secret", "pin-value"),
            ("pkcs11:token=secret;token=secret?module-path=/m", "token is given twice"),
            ("pkcs11:slot-id=secret?module-path=/m", "slot-id"),
            ("pkcs11:secret=secret?module-path=/m", "an attribute is not known"),
            ("pkcs11:secret?module-path=/m", "without ="),
            ("pkcs11:object=%zz?module-path=/m", "object: percent"),
            ("pkcs11:object=%C3?module-path=/m", "object is not UTF-8"),
            ("pkcs11:token=t?module-path=/m&pin-source=|secret", "only a file"),
            ("pkcs11:type=secret-key?module-path=/m", "neither private nor cert"),
            ("pkcs11:module-path=/m", "module-path is not known here"),
        ] {
            let fault = Uri::parse(text).unwrap_err();
            assert_eq!(fault.code.id, URI.id);
            let detail = fault.detail.unwrap();
            assert!(detail.contains(says), "{text}: {detail}");
            assert!(!detail.contains("secret"), "{detail}");
        }
        let uri = Uri::parse("pkcs11:token=secret?module-path=/m").unwrap();
        assert!(!format!("{uri:?}").contains("secret"));
    }
}
