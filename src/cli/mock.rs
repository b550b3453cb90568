//! (room)
use crate::fault::Outcome;
/// (commands)
#[derive(Debug, clap::Subcommand)]
pub enum Command { /// (none)
 None }
/// (run)
///
/// # Errors
/// none yet
pub async fn run(_command: Command) -> Outcome<u8> { Ok(70) }
