//! The reading file: JSON with the chip's files in base64. Unknown and repeated keys are refused, sizes are capped before
//! memory is taken, and what is refused is never quoted.

use super::{
    Access, Challenge, FileId, LARGEST_READING, NOT_A_READING, READING_INCOMPLETE, READING_TOO_LARGE,
    READING_VERSION, Reading,
};
use crate::chip::chip_authentication::ChipAuthentication;
use crate::fault::{Fault, Outcome};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

impl Reading {
    /// Reads a reading file.
    ///
    /// # Errors
    /// `CHIP-001` where it is not one (place: line and column), `CHIP-002` over a size limit, `CHIP-003` for
    /// another version, `CHIP-004` without the files that are needed.
    pub fn parse(json: &[u8]) -> Outcome<Self> {
        if json.len() > LARGEST_READING {
            return Err(Fault::new(&READING_TOO_LARGE).detail(format_args!("{} bytes", json.len())));
        }
        let json = json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json);
        let wire: Wire = serde_json::from_slice(json).map_err(|error| refused(&error, json))?;
        if wire.version != 1 {
            return Err(Fault::new(&READING_VERSION).detail(format_args!("version {}", wire.version)));
        }
        let asserted = wire.asserted.is_some();
        let files = wire.files.unwrap_or_default().0;
        let enough = files.contains_key(&FileId::Sod) && files.keys().any(|f| matches!(f, FileId::Dg(_)));
        if !enough && !asserted {
            return Err(Fault::new(&READING_INCOMPLETE).at("files"));
        }
        Ok(Reading {
            read_at: wire.read_at,
            station: wire.station,
            access: wire.access.unwrap_or_default(),
            files,
            active_authentication: wire
                .active_authentication
                .map(|aa| Challenge { challenge: aa.challenge.0, response: aa.response.0 }),
            chip_authentication: wire.chip_authentication.map(|ca| ChipAuthentication {
                protocol: ca.protocol.0,
                key_id: ca.key_id.map(|id| id.0),
                terminal_key: ca.terminal_key.0,
                command: ca.command.0,
                response: ca.response.0,
            }),
            asserted,
        })
    }

    /// The reading as a file, ending in a line feed.
    pub fn to_json(&self) -> String {
        let files: serde_json::Map<_, _> =
            self.files.iter().map(|(id, bytes)| (id.to_string(), STANDARD.encode(bytes).into())).collect();
        let aa = self.active_authentication.as_ref().map(|aa| {
            serde_json::json!({"challenge": STANDARD.encode(&aa.challenge), "response": STANDARD.encode(&aa.response)})
        });
        let ca = self.chip_authentication.as_ref().map(|ca| {
            serde_json::json!({
                "protocol": ca.protocol,
                "key_id": ca.key_id.as_ref().map(|id| STANDARD.encode(id)),
                "terminal_key": STANDARD.encode(&ca.terminal_key),
                "command": STANDARD.encode(&ca.command),
                "response": STANDARD.encode(&ca.response),
            })
        });
        let value = serde_json::json!({
            "version": 1,
            "read_at": self.read_at,
            "station": self.station,
            "access": self.access,
            "files": files,
            "active_authentication": aa,
            "chip_authentication": ca,
        });
        format!("{value:#}\n")
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u64,
    read_at: Option<jiff::Timestamp>,
    station: Option<String>,
    access: Option<Access>,
    files: Option<Files>,
    active_authentication: Option<WireChallenge>,
    chip_authentication: Option<WireChipAuthentication>,
    // Never looked into, and never built up in memory.
    asserted: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireChallenge {
    challenge: Evidence<1024>,
    response: Evidence<1024>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireChipAuthentication {
    protocol: Protocol,
    key_id: Option<Evidence<64>>,
    terminal_key: Evidence<1024>,
    command: Evidence<{ 66 * 1024 }>,
    response: Evidence<{ 66 * 1024 }>,
}

/// A dotted object identifier.
struct Protocol(String);

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let dotted = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        if dotted { Ok(Protocol(text)) } else { Err(D::Error::custom("no object identifier")) }
    }
}

/// Base64 of at most so many bytes: no key that signs is longer than 1 KiB, no APDU than 64 KiB and its head.
struct Evidence<const LARGEST: usize>(Vec<u8>);

impl<'de, const LARGEST: usize> Deserialize<'de> for Evidence<LARGEST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decode(&String::deserialize(deserializer)?, LARGEST).map(Evidence)
    }
}

#[derive(Default)]
struct Files(BTreeMap<FileId, Vec<u8>>);

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FilesVisitor;
        impl<'de> Visitor<'de> for FilesVisitor {
            type Value = Files;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of chip files")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Files, A::Error> {
                let mut files = BTreeMap::new();
                while let Some(key) = map.next_key::<String>()? {
                    let Ok(id) = key.parse::<FileId>() else {
                        return Err(A::Error::custom(format_args!("{UNKNOWN} `{key}`")));
                    };
                    let Some(text) = map.next_value::<Option<String>>()? else { continue };
                    if files.insert(id, decode(&text, id.largest())?).is_some() {
                        return Err(A::Error::custom(format_args!("{REPEATED} `{id}`")));
                    }
                }
                Ok(Files(files))
            }
        }
        deserializer.deserialize_map(FilesVisitor)
    }
}

/// Base64 as software writes it: of either alphabet, in lines or in one, with padding or without.
fn decode<E: serde::de::Error>(text: &str, largest: usize) -> Result<Vec<u8>, E> {
    let plain: Zeroizing<String> = Zeroizing::new(text.split_ascii_whitespace().collect());
    if plain.len() / 4 * 3 > largest + 3 {
        return Err(E::custom(OVERSIZE));
    }
    let engine = if plain.contains(['-', '_']) { &URL_SAFE } else { &LENIENT };
    let bytes = engine.decode(plain.as_bytes()).map_err(|_| E::custom(NO_BASE64))?;
    if bytes.len() > largest { Err(E::custom(OVERSIZE)) } else { Ok(bytes) }
}

/// Serde's messages quote values; only those that name keys are passed on, the rest become a plain sentence.
fn refused(error: &serde_json::Error, json: &[u8]) -> Fault {
    let message = error.to_string();
    let code = if message.starts_with(OVERSIZE) { &READING_TOO_LARGE } else { &NOT_A_READING };
    let named = [UNKNOWN, REPEATED, "missing field"].iter().find(|p| message.starts_with(**p));
    let detail = match named {
        Some(kind) => {
            let key: String = message.split('`').nth(1).unwrap_or_default().chars().take(40).collect();
            let plain = key.chars().all(|c| c.is_ascii_alphabetic() || c == '_' || c.is_ascii_digit());
            // A key of digits alone may be a number off a card.
            let shown = plain && key.chars().any(|c| c.is_ascii_alphabetic());
            if shown { format!("{kind} {key}") } else { (*kind).to_owned() }
        }
        None if !error.is_data() => "not JSON".to_owned(),
        None => {
            let sentences = [OVERSIZE, NO_BASE64];
            let found = sentences.into_iter().find(|s| message.starts_with(*s));
            let sentence = found.unwrap_or("a value does not have the form that belongs there");
            key_before(json, error).map_or(sentence.to_owned(), |key| format!("{key}: {sentence}"))
        }
    };
    Fault::new(code).detail(detail).at(format_args!("line {} column {}", error.line(), error.column()))
}

/// The last key of the format before the place of an error: only what the format knows is told.
fn key_before(json: &[u8], error: &serde_json::Error) -> Option<String> {
    let lines = json.split_inclusive(|b| *b == b'\n');
    let start: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let before = json.get(..start.saturating_add(error.column()).min(json.len()))?;
    let mut after: &[u8] = &[];
    for part in before.rsplit(|b| *b == b'"') {
        let text = std::str::from_utf8(part).unwrap_or_default();
        let known = KEYS.contains(&text) || text.parse::<FileId>().is_ok();
        if known && after.trim_ascii_start().starts_with(b":") {
            return Some(text.to_owned());
        }
        after = part;
    }
    None
}

const KEYS: [&str; 13] = [
    "version",
    "read_at",
    "station",
    "access",
    "files",
    "active_authentication",
    "challenge",
    "response",
    "chip_authentication",
    "protocol",
    "key_id",
    "terminal_key",
    "command",
];

const LENIENT: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);
const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
/// Some writers put it before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const NO_BASE64: &str = "a value is not base64";
const UNKNOWN: &str = "unknown field";
const REPEATED: &str = "duplicate field";
const OVERSIZE: &str = "a file is larger than any chip file";

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> Fault {
        Reading::parse(json.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_reading_comes_back_from_its_own_file() {
        let files = BTreeMap::from([(FileId::Sod, vec![1, 2]), (FileId::Dg(13), vec![3])]);
        let mut reading = Reading::of_files(files).unwrap();
        reading.access = Access::PaceCan;
        reading.read_at = "2026-03-02T08:15:09+07:00".parse().ok();
        reading.active_authentication = Some(Challenge { challenge: vec![7; 8], response: vec![8; 64] });
        assert!(Reading::parse(reading.to_json().as_bytes()).unwrap() == reading);
        let mut evidence = ChipAuthentication {
            protocol: "0.4.0.127.0.7.2.2.3.2.2".to_owned(),
            key_id: None,
            terminal_key: vec![9; 32],
            command: vec![0x0c, 0xb0],
            response: vec![0x99, 2, 0x90, 0],
        };
        for key_id in [None, Some(vec![1])] {
            evidence.key_id = key_id;
            reading.chip_authentication = Some(evidence.clone());
            assert!(Reading::parse(reading.to_json().as_bytes()).unwrap() == reading);
        }
    }

    #[test]
    fn evidence_of_chip_authentication_has_one_form_and_may_be_null() {
        let with = |ca: &str| format!(r#"{{"version":1,"asserted":{{}},"chip_authentication":{ca}}}"#);
        assert!(Reading::parse(with("null").as_bytes()).unwrap().chip_authentication.is_none());
        let good = r#"{"protocol":"0.4.0.127","key_id":null,"terminal_key":"AA==","command":"AA==","response":"AA=="}"#;
        assert!(Reading::parse(with(good).as_bytes()).unwrap().chip_authentication.is_some());
        let more = good.replace("\"key_id\"", "\"status\":\"passed\",\"key_id\"");
        assert_eq!(refusal(&with(&more)).detail.as_deref(), Some("unknown field status"));
        assert_eq!(refusal(&with(&good.replace("\"command\":\"AA==\",", ""))).code.id, "CHIP-001");
        assert_eq!(refusal(&with(&good.replace("0.4.0.127", "id-CA"))).code.id, "CHIP-001");
        assert_eq!(refusal(&with(&good.replace("0.4.0.127", &"1.2".repeat(30)))).code.id, "CHIP-001");
        let long = good.replacen("AA==", &"A".repeat(4096), 1);
        assert_eq!(refusal(&with(&long)).code.id, "CHIP-002");
        assert_eq!(refusal(&with("true")).code.id, "CHIP-001");
    }

    #[test]
    fn claims_are_not_built_up_in_memory() {
        let many = format!(r#"{{"version":1,"asserted":[{}0]}}"#, "[],".repeat(1_000_000));
        assert!(Reading::parse(many.as_bytes()).unwrap().asserted);
        let deep = format!(r#"{{"version":1,"asserted":{}}}"#, "[".repeat(10_000));
        assert_eq!(refusal(&deep).code.id, "CHIP-001");
        assert!(
            !Reading::parse(br#"{"version":1,"asserted":null,"files":{"SOD":"AA==","DG1":"AA=="}}"#)
                .unwrap()
                .asserted
        );
    }

    #[test]
    fn unknown_and_repeated_keys_are_refused_with_their_place() {
        let fault = refusal("{\"version\":1,\n \"fales\":{}}");
        assert_eq!(fault.code.id, "CHIP-001");
        assert_eq!(fault.place.as_deref(), Some("line 2 column 8"));
        assert_eq!(fault.detail.as_deref(), Some("unknown field fales"));
        assert_eq!(
            refusal(r#"{"version":1,"files":{"DG17":""}}"#).detail.as_deref(),
            Some("unknown field DG17")
        );
        assert_eq!(
            refusal(r#"{"version":1,"files":{"DG01":""}}"#).detail.as_deref(),
            Some("unknown field DG01")
        );
        let twice = refusal(r#"{"version":1,"files":{"SOD":"AA==","SOD":"AA=="}}"#);
        assert_eq!(twice.detail.as_deref(), Some("duplicate field SOD"));
    }

    #[test]
    fn base64_and_json_are_taken_as_software_writes_them() {
        let read = |sod: &str| {
            let json = format!("\u{feff}{{\"version\":1,\"files\":{{\"SOD\":\"{sod}\",\"DG1\":\"AA==\"}}}}");
            Reading::parse(json.as_bytes()).map(|reading| reading.files[&FileId::Sod].clone())
        };
        for form in ["+/+/+w==", "+/+/+w", "-_-_-w", "-_-_-w==", r"+/+/\r\n+w==\n"] {
            assert_eq!(read(form).unwrap(), [0xfb, 0xff, 0xbf, 0xfb], "{form}");
        }
        for form in ["+_+/+w==", "+/+/+x==", "+/=/", "+/+/+w=w", "fbff:bffb", "+"] {
            let fault = read(form).unwrap_err();
            assert_eq!(
                (fault.code.id, fault.detail.as_deref()),
                ("CHIP-001", Some("SOD: a value is not base64"))
            );
        }
    }

    #[test]
    fn a_value_of_another_form_is_told_by_its_key() {
        let form = "a value does not have the form that belongs there";
        for (json, key) in [
            (r#"{"version":1, "read_at" : "2026-11-23"}"#, "read_at"),
            ("{\"version\":1,\n\"station\":\"x\",\n\"access\":\"PACE\"}", "access"),
            (r#"{"version":"1"}"#, "version"),
            (r#"{"version":1,"files":{"SOD":5}}"#, "SOD"),
        ] {
            assert_eq!(refusal(json).detail, Some(format!("{key}: {form}")), "{json}");
        }
        let aa = r#"{"version":1,"active_authentication":{"challenge":"AA==","response":"?"}}"#;
        assert_eq!(refusal(aa).detail.as_deref(), Some("response: a value is not base64"));
    }

    #[test]
    fn errors_never_quote_a_value() {
        for json in [
            r#"{"version":"001090123456"}"#,
            r#"{"version":1,"access":"001090123456"}"#,
            r#"{"version":1,"read_at":"001090123456"}"#,
            r#"{"version":1,"files":{"SOD":"001090123456!"}}"#,
            r#"{"version":1,"001090123456":1}"#,
            r#"{"version":1,"files":{"001090123456":1}}"#,
            r#"{"version":1,"files":"001090123456"}"#,
        ] {
            assert!(!refusal(json).to_string().contains("001090123456"), "{json}");
        }
    }

    #[test]
    fn what_is_too_little_or_too_much_is_refused() {
        assert_eq!(refusal(r#"{"version":1,"files":{"SOD":"AA=="}}"#).code.id, "CHIP-004");
        assert_eq!(refusal(r#"{"version":2}"#).code.id, "CHIP-003");
        let large = format!(r#"{{"version":1,"files":{{"DG1":"{}"}}}}"#, "A".repeat(100_000));
        assert_eq!(refusal(&large).code.id, "CHIP-002");
        assert_eq!(refusal(&" ".repeat(9 << 20)).code.id, "CHIP-002");
        assert!(Reading::parse(br#"{"version":1,"asserted":{"mrz":"x"}}"#).unwrap().asserted);
    }
}
