//! What real cards do otherwise, and what false ones do.

use super::messaging::BadAnswer;
use std::collections::BTreeSet;

/// Everything off: a card by the book.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quirks {
    /// SELECT of the master file answers 6D00, as the Vietnamese card does.
    pub(crate) no_master_file: bool,
    /// SELECT and MSE:Set with an Le field answer 6700, as German cards do.
    pub(crate) refuses_idle_le: bool,
    /// MSE:Set AT without DO'84' answers 6A80 even where there is no choice.
    pub(crate) needs_parameter_id: bool,
    /// PACE ends at this step with this status word.
    pub(crate) pace_fails: Option<(PaceStep, u16)>,
    /// The chip's token in PACE has one bit turned: it does not know the password.
    pub(crate) pace_bad_token: bool,
    /// The chip's ephemeral key in PACE is the terminal's own, sent back.
    pub(crate) pace_reflects: bool,
    /// The chip answers EXTERNAL AUTHENTICATE with another RND.IFD, under a right MAC.
    pub(crate) bac_bad_echo: bool,
    /// One bit of the MAC of that answer is turned.
    pub(crate) bac_bad_mac: bool,
    /// READ BINARY gives at most so many bytes.
    pub(crate) most_read: Option<usize>,
    /// What becomes of those who ask for more: 6700, or they get less.
    pub(crate) refuses_long_read: bool,
    /// Commands of extended length answer 6700.
    pub(crate) no_extended: bool,
    /// READ BINARY beyond the end of the file answers 6B00 where ISO/IEC 7816-4 would give the rest with 6282.
    pub(crate) strict_end: bool,
    /// READ BINARY with INS B1 counts Le without tag and length of DO'53', which ISO/IEC 7816-4 counts with it.
    pub(crate) le_without_header: bool,
    /// Signs and agrees with keys of its own: a copy that pretends.
    pub(crate) other_active_key: bool,
    /// The same for chip authentication.
    pub(crate) other_chip_key: bool,
    /// Has no private keys and no instructions for them: a copy of the files.
    pub(crate) no_private_keys: bool,
    /// Answers every challenge with the signature over this one.
    pub(crate) replays: Option<[u8; 8]>,
    /// The protected answer with this number, from 1, is bad in this way.
    pub(crate) bad_answer: Option<(usize, BadAnswer)>,
    /// The card is taken away in the middle of the commands with these numbers, from 1.
    pub(crate) pulled_at: BTreeSet<usize>,
}

/// The commands of PACE in their order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum PaceStep {
    Start,
    Nonce,
    Map,
    Agree,
    Token,
}
