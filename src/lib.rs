//! `hoso` (hồ sơ, a dossier) turns the paper that a citizen lays on a counter, and the chip of the card in
//! their hand, into records that stand in court: digitised, identified, signed, logged and delivered.
//!
//! The floors of the house, lowest first; a file may use what lies below it, never what lies above
//! (`ARCHITECTURE.md`):
//!
//! - ground: [`fault`], [`digest`], [`codes`], [`dossier`], [`profile`], [`blobs`], [`der`], [`cms`]
//! - crafts: [`scan`], [`chip`], [`pdf`], [`seal`], [`log`], [`deliver`]: bytes and values in, bytes and values out
//! - steps: [`steps`]: how a craft is applied to a dossier
//! - engine: [`engine`], [`ledger`], [`pipeline`], [`station`], [`training`]
//! - doors: [`cli`], [`serve`]
#![forbid(unsafe_code)]

pub mod codes;
pub mod fault;
pub mod digest;
pub mod blobs;
pub mod clock;
pub mod ledger;
pub mod station;
pub mod engine;
pub mod worker;
pub mod pipeline;
pub mod der;
pub mod cms;
pub mod page;

pub mod chip;
pub mod deliver;
pub mod log;
pub mod pdf;
pub mod scan;
pub mod seal;

pub mod cli;
pub mod serve;

pub mod training;
