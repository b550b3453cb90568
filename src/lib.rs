//! `hoso` (hồ sơ, a dossier) turns the paper that a citizen lays on a counter, and the chip of the card in
//! their hand, into records that stand in court: digitised, identified, signed, logged and delivered.
//!
//! The floors of the house are the groups below, lowest first; a file may use what lies below it, never what lies
//! above (`ARCHITECTURE.md`, and a test that fails on an arrow that runs up).
#![forbid(unsafe_code)]

// Ground: the words, bytes by digest, what an office is.
pub mod answer;
pub mod blobs;
pub mod clock;
pub mod cms;
pub mod codes;
pub mod commit;
pub mod cose;
pub mod der;
pub mod digest;
pub mod fault;
pub mod original;
pub mod page;
pub mod profile;
pub mod sandbox;
pub mod shown;
pub mod staged;
pub mod worker;

// Crafts: bytes and values in, bytes and values out.
pub mod chip;
pub mod deliver;
pub mod log;
pub mod pdf;
pub mod scan;
pub mod seal;

// Station: what this office is, trusts and delivers to.
pub mod station;
pub mod training;

// Steps: how a craft is applied to a dossier.
pub mod dossier;
pub mod pipeline;
pub mod steps;

// Engine: it alone moves dossiers.
pub mod courier;
pub mod engine;
pub mod evidence;
pub mod ledger;
pub mod publish;
pub mod watch;
pub mod work;
pub mod workshop;

// Doors.
pub mod cli;
pub mod serve;
