//! `hoso sign --renew`: one more document time stamp on archived files whose newest one runs out.

use super::{Args, job};
use crate::fault::{Fault, Outcome};
use crate::original::{Original, UNREADABLE};
use crate::seal::batch::{Job, UNWRITABLE};
use crate::seal::raise::{self, Raising};
use crate::staged::Staged;
use jiff::SignedDuration;
use std::fs::File;

/// Renews one file after the other; one that fails stops no other.
pub(super) fn run(args: &Args, with: &Raising<'_>) -> Outcome<u8> {
    let within = SignedDuration::from_hours(24 * i64::from(args.within));
    let mut failed = 0;
    for input in &args.inputs {
        let mut job = job(args, input);
        if args.output.is_none() && args.out_dir.is_none() {
            job.output.clone_from(input);
        }
        let outcome = renew(&job, within, with).map_err(|f| f.at(input.display()));
        failed += usize::from(outcome.is_err());
        match (&outcome, args.inputs.len()) {
            (Err(fault), 1) if !args.json => return Err(fault.clone()),
            _ => print(args, &job, &outcome),
        }
    }
    Ok(u8::from(failed > 0))
}

/// The fields of new time stamps; none where nothing runs out yet.
fn renew(job: &Job, within: SignedDuration, with: &Raising<'_>) -> Outcome<Vec<String>> {
    let unreadable = |e: std::io::Error| Fault::new(&UNREADABLE).detail(e.kind());
    let unwritable = |e: std::io::Error| Fault::new(&UNWRITABLE).detail(e.kind());
    let original = Original::file(File::open(&job.input).map_err(unreadable)?)?;
    let staged = Staged::beside(&job.output, 0o666).map_err(unwritable)?;
    let Some(raised) = raise::renew(&original, staged.file(), Some(within), with)? else {
        return Ok(Vec::new());
    };
    staged.publish().map_err(unwritable)?;
    Ok(raised.document_stamps)
}

fn print(args: &Args, job: &Job, outcome: &Outcome<Vec<String>>) {
    let (input, output) = (job.input.display(), job.output.display());
    match outcome {
        Ok(stamps) if args.json => {
            let renewed = !stamps.is_empty();
            let output = renewed.then(|| output.to_string());
            println!(
                "{}",
                serde_json::json!({"input": input.to_string(), "output": output, "renewed": renewed, "document_stamps": stamps})
            );
        }
        Err(fault) if args.json => {
            println!("{}", serde_json::json!({"input": input.to_string(), "fault": fault.report()}));
        }
        Ok(stamps) if stamps.is_empty() => println!("chưa đến hạn / not due  {input}"),
        Ok(_) => println!("đã gia hạn / renewed    {output}"),
        Err(fault) => eprintln!("hoso: {fault}"),
    }
}
