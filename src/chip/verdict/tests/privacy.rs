//! Case 30: no event of a trace, no error and no `Debug` shows what a card says.

use super::*;
use crate::chip::compare::{Typed, compare};
use crate::chip::report::Report;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Everything that anybody tells at any level.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<String>>);

impl Visit for Ear {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0.lock().unwrap(), "{field}={value:?} ");
    }
}

impl Subscriber for Ear {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// What is on the card, in every form that a trace could show it in.
fn canaries(reading: &Reading) -> Vec<String> {
    let texts = ["090123456", "001090123456", "NGUYEN", "Nguyễn", "Văn An", "900115", "15/01/1990", "271828"];
    let hashes = [1, 13].map(|n| openssl::sha::sha256(reading.dg(n).unwrap()));
    let bytes = texts.map(str::as_bytes).into_iter().chain(hashes.iter().map(|h| &h[..]));
    bytes
        .flat_map(|b| {
            let plain = String::from_utf8(b.to_vec()).unwrap_or_else(|_| "\u{1}".into());
            let list = format!("{b:?}");
            [plain, hex::encode(b), list.trim_matches(['[', ']']).to_owned()]
        })
        .collect()
}

#[test]
fn a_trace_of_everything_shows_nothing_of_the_card() {
    let ear = Ear::default();
    let reading = world().mint("ds", &["--aa-key", "aa.key"]);
    let canaries = canaries(&reading);
    let typed: Typed =
        serde_json::from_str(r#"{"number":"001090123456","name":"Nguyễn Văn An","birth":"1990-01-15"}"#)
            .unwrap();
    let told = tracing::subscriber::with_default(ear.clone(), || {
        let mut told = String::new();
        let mut tampered = reading.clone();
        tampered.files.get_mut(&FileId::Dg(13)).unwrap()[9] ^= 1;
        let mut broken = reading.clone();
        broken.files.get_mut(&FileId::Sod).unwrap().truncate(300);
        for reading in [&reading, &tampered, &broken] {
            let again = Reading::parse(reading.to_json().as_bytes()).unwrap();
            let verdict = judge(&again, "anchors");
            let holder = holder::Holder::of(&again, &verdict);
            let table = compare(holder.as_ref(), None, Some(&typed));
            let record = serde_json::to_string(&verdict).unwrap();
            let _ = write!(told, "{again:?}{verdict:?}{holder:?}{typed:?}{table:?}{record}");
            let _ = Report::of(Some(&again), &verdict);
        }
        for text in ["001090123456|", "001090123456||Nguyễn Văn An|15011990|Nam|271828|X", "271828"] {
            match crate::chip::card_qr::CardQr::parse(text.as_bytes()) {
                Ok(qr) => write!(told, "{qr:?}").unwrap(),
                Err(fault) => write!(told, "{fault}{fault:?}").unwrap(),
            }
        }
        let bad = r#"{"version":1,"can":"271828","files":{}}"#;
        let _ = write!(told, "{}", Reading::parse(bad.as_bytes()).unwrap_err());
        told
    });
    let heard = ear.0.lock().unwrap().clone();
    for canary in &canaries {
        assert!(!heard.contains(canary) && !told.contains(canary), "{canary} in {told} or {heard}");
    }
}

#[test]
fn the_ear_hears_a_canary_where_there_is_one() {
    let ear = Ear::default();
    tracing::subscriber::with_default(ear.clone(), || tracing::trace!(number = "001090123456", "told"));
    assert!(ear.0.lock().unwrap().contains("001090123456"));
}

#[test]
fn a_report_of_a_reading_names_its_holder_and_never_shows_the_face() {
    use base64::Engine as _;
    let reading = world().mint("ds", &["--aa-key", "aa.key"]);
    let report = serde_json::to_string(&Report::of(Some(&reading), &judge(&reading, "anchors"))).unwrap();
    assert!(report.contains("Nguyễn Văn An"));
    let face = faces::jpeg(413, 531);
    let hash = openssl::sha::sha256(reading.dg(2).unwrap());
    for bytes in [&face[..12], &hash] {
        assert!(!report.contains(&hex::encode(bytes)));
        assert!(
            !report.contains(base64::engine::general_purpose::STANDARD.encode(bytes).trim_end_matches('='))
        );
    }
}
