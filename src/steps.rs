//! The steps: how a craft is applied to a dossier. A step gets a dossier and the desk it works at, and returns the
//! dossier it made; it never calls another step and knows no ledger.

pub mod admit;
pub mod anchor;
pub mod assemble;
pub mod barcodes;
pub mod deliver;
pub mod desk;
pub mod identity;
pub mod log;
pub mod pages;
pub mod seal;
pub mod split;

pub use desk::Desk;

use crate::digest::Blake3;
use crate::dossier::Dossier;
use crate::fault::{Fault, Outcome, Report};
use crate::pipeline::StepConfig;

/// What a step made.
#[derive(Debug)]
pub enum StepOutput {
    /// The dossier, on to the next step.
    Next(Dossier),
    /// The batch, and the dossiers it was divided into; some refused from the start, with the reason.
    Split(Dossier, Vec<(Dossier, Option<Report>)>),
    /// The dossier as far as it came, and why it cannot be taken.
    Refuse(Dossier, Report),
    /// The dossier, and what is to be sent for it.
    Send(Dossier, Vec<deliver::Parcel>),
    /// The dossier as far as it came, and what it waits for; the step goes on from there after a while.
    Wait(Dossier, Fault),
}

/// Runs the step at `cursor`, for the run that is called `run`.
///
/// # Errors
/// The step's own; its class decides what becomes of the dossier.
pub fn run(
    steps: &[StepConfig],
    cursor: usize,
    dossier: Dossier,
    desk: &Desk,
    run: &Blake3,
) -> Outcome<StepOutput> {
    let next = |result: Outcome<Dossier>| result.map(StepOutput::Next);
    match steps.get(cursor) {
        // Both judge the same decoded plane, so the codes are looked for while it is there.
        Some(StepConfig::Pages(config)) => match steps.get(cursor + 1) {
            Some(StepConfig::Barcodes(look)) => {
                pages::run(dossier, config, desk, Some(&barcodes::policy(look)))
            }
            _ => pages::run(dossier, config, desk, None),
        },
        Some(StepConfig::Barcodes(_)) => next(Ok(barcodes::run(dossier))),
        Some(StepConfig::Split(config)) => Ok(split::run(dossier, config)),
        Some(StepConfig::Identity(config)) => identity::run(dossier, config, desk, run),
        Some(StepConfig::Assemble(_)) => assemble::run(dossier, desk),
        Some(StepConfig::Seal(config)) => seal::run(dossier, config, desk),
        Some(StepConfig::Log(_)) => next(log::run(dossier, desk)),
        Some(StepConfig::Deliver(config)) => deliver::run(dossier, config, desk),
        None => Ok(StepOutput::Next(dossier)),
    }
}
