//! Cutting a batch of pages into dossiers and papers by what their codes say.
//!
//! [`role`] says what a code is for, [`sheet_text`] and [`system_qr`] hold the grammars, [`collate`] puts a batch of
//! fronts and backs into order, [`cut`] divides it, and [`findings`] says what did not add up. The order is fixed:
//! collate, then cut, and only then may anybody think about blank pages; whoever drops blank backs first can never
//! pair the sides again.

pub mod collate;
pub mod cut;
pub mod findings;
pub mod role;
pub mod sheet_text;
pub mod system_qr;

pub use collate::Collate;
pub use cut::{Cut, PageMark, Rules, Segment, split};
pub use findings::{CODES, Finding};
pub use role::{Role, role_of};
pub use sheet_text::{Cover, SheetText};
pub use system_qr::SystemQr;

#[cfg(test)]
mod tests;
