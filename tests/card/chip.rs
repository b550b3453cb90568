//! What is on a chip and does not change: its files, its keys, what opens it.

use super::suite::Suite;
use openssl::bn::BigNum;
use openssl::ec::EcKey;
use openssl::hash::MessageDigest;
use openssl::pkey::Private;
use openssl::rsa::Rsa;
use std::collections::{BTreeMap, BTreeSet};

/// A personalised chip.
#[derive(Clone)]
pub(crate) struct Chip {
    /// EF.CardAccess, in the master file; with what it announces.
    pub(crate) card_access: Option<Vec<u8>>,
    /// Suite and number of the curve for each PACEInfo.
    pub(crate) pace: Vec<(Suite, u8)>,
    /// The files of the ICAO application by their identifiers.
    pub(crate) files: BTreeMap<u16, Vec<u8>>,
    /// Those that want terminal authentication, which this chip never grants.
    pub(crate) locked: BTreeSet<u16>,
    /// Document number, birth and expiry, each with its check digit, as they lie in the zone.
    pub(crate) zone: String,
    /// The six digits on the card.
    pub(crate) can: String,
    /// Whether basic access control is there.
    pub(crate) bac: bool,
    pub(crate) chip_keys: Vec<ChipKey>,
    pub(crate) active_key: Option<ActiveKey>,
}

/// A static key of chip authentication.
pub(crate) struct ChipKey {
    pub(crate) suite: Suite,
    pub(crate) id: Option<u8>,
    /// Number of the standardised curve; DG14 may spell its parameters out all the same.
    pub(crate) curve: u8,
    pub(crate) secret: BigNum,
}

/// The key of active authentication.
#[derive(Clone)]
pub(crate) enum ActiveKey {
    /// ISO/IEC 9796-2 with this hash; SHA-1 under trailer BC, others under xxCC.
    Rsa(Rsa<Private>, MessageDigest),
    /// r and s laid end to end.
    Ec(EcKey<Private>, MessageDigest),
}

/// File identifiers (Doc 9303-10, 4).
pub(crate) const COM: u16 = 0x011e;
pub(crate) const SOD: u16 = 0x011d;
pub(crate) const CARD_ACCESS: u16 = 0x011c;

/// The identifier of a data group.
pub(crate) fn dg(number: u8) -> u16 {
    0x0100 | u16::from(number)
}

impl Clone for ChipKey {
    fn clone(&self) -> Self {
        ChipKey { secret: self.secret.to_owned().unwrap(), ..*self }
    }
}
