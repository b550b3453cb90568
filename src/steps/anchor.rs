//! Having the log's heads confirmed by others: a time stamp authority and witnesses. Whoever is silent delays nobody: it is
//! left alone for a while, and what it did not confirm waits for the next time.

use crate::digest::Sha256;
use crate::fault::{Fault, Outcome};
use crate::log::note::{Checkpoint, Note, VerifierKey};
use crate::log::store::Log;
use crate::log::witness::client::{AHEAD, HttpWitness};
use crate::seal::timestamp::{HttpTimestamp, TimestampSource};
use crate::station::Station;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Who confirms, and whether one of them was silent a moment ago.
#[derive(Debug, Default)]
pub struct Anchoring {
    silent: Mutex<Option<Instant>>,
}

/// Those who are asked.
pub struct Confirmers {
    /// The time stamp authority.
    pub authority: Option<HttpTimestamp>,
    /// Witnesses.
    pub witnesses: Vec<HttpWitness>,
}

/// What became of one round.
#[derive(Debug)]
pub struct Round {
    /// The size of the head that was confirmed.
    pub size: u64,
    /// An authority stamped it, now or before.
    pub stamped: bool,
    /// How many witnesses vouch for it.
    pub cosigned: usize,
    /// Who did not, and why.
    pub faults: Vec<Fault>,
}

impl Confirmers {
    /// Those of a station.
    ///
    /// # Errors
    /// `STAT-004`, `SEAL-017`; `LOG-001`, `LOG-027`.
    pub fn of(station: &Station, handle: &Handle) -> Outcome<Confirmers> {
        let authority = match &station.config.timestamp {
            Some(config) => Some(HttpTimestamp::new(&config.url.text(&station.root)?, handle.clone())?),
            None => None,
        };
        let witnesses = station.config.log.witnesses.iter().map(|witness| {
            let key = VerifierKey::parse(&witness.key).map_err(|f| f.at("log.witnesses"))?;
            HttpWitness::new(&witness.url.text(&station.root)?, key, handle.clone())
        });
        Ok(Confirmers { authority, witnesses: witnesses.collect::<Outcome<_>>()? })
    }

    /// Asks all of them about the newest head of a log; each gets so long for its answer.
    ///
    /// # Errors
    /// Those of the log. Who does not confirm stands in the round.
    pub fn ask(self, log: &Log, patience: Duration) -> Outcome<Round> {
        let note = log.checkpoint()?;
        let text = Note::parse(&note)?.text().to_owned();
        let size = Checkpoint::parse(&text)?.size;
        let mut round =
            Round { size, stamped: log.token_of(size)?.is_some(), cosigned: 0, faults: Vec::new() };
        // An empty tree proves nothing about anyone's paper.
        if let Some(authority) = self.authority.filter(|_| !round.stamped && size > 0) {
            match authority.within(patience).stamp(&Sha256::of(text.as_bytes())) {
                Ok(token) => {
                    log.keep_token(size, &token)?;
                    round.stamped = true;
                }
                Err(fault) => round.faults.push(fault),
            }
        }
        for witness in &self.witnesses {
            match witness.ask(log) {
                Ok(_) => round.cosigned += 1,
                Err(fault) => round.faults.push(fault.at(witness.key().name())),
            }
        }
        Ok(round)
    }
}

impl Anchoring {
    /// As [`Confirmers::ask`] by one thread at a time, unless somebody was silent a moment ago; none where nobody was asked.
    /// A wrong address delays nobody either.
    ///
    /// # Errors
    /// Those of the log; [`AHEAD`].
    pub fn round(&self, station: &Station, log: &Log, handle: &Handle) -> Outcome<Option<Round>> {
        if station.config.timestamp.is_none() && station.config.log.witnesses.is_empty() {
            return Ok(None);
        }
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if silent.is_some_and(|since| since.elapsed() < LEFT_ALONE) {
            return Ok(None);
        }
        let confirmers = match Confirmers::of(station, handle) {
            Ok(confirmers) => confirmers,
            Err(fault) => {
                tracing::warn!("the log's head is not confirmed: {fault}");
                *silent = Some(Instant::now());
                return Ok(None);
            }
        };
        let mut round = confirmers.ask(log, PATIENCE)?;
        // A witness that has seen more than is here: the log was put back to an older state. A person has to look first.
        if let Some(ahead) = round.faults.iter().position(|fault| fault.code == &AHEAD) {
            return Err(round.faults.swap_remove(ahead));
        }
        round.faults.iter().for_each(|fault| tracing::warn!("the log's head is not confirmed: {fault}"));
        *silent = (!round.faults.is_empty()).then(Instant::now);
        Ok(Some(round))
    }
}

/// How long a paper waits for an authority.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long one that was silent is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(60);
