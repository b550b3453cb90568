//! Conclusions, reasons and flags of a verdict. Their sentences for the clerk are in `reason/sentence.rs`, what to do next
//! in `reason/remedy.rs`.

mod remedy;
mod sentence;

pub use sentence::ASKED_BY_ANYONE;
use serde::{Deserialize, Serialize};

/// The conclusion on a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class", content = "reason", rename_all = "snake_case")]
pub enum Overall {
    /// Signature, chain and hashes hold, and the chip is no copy.
    Genuine,
    /// The same without proof that the chip is no copy.
    GenuineCloneUnchecked,
    /// Nothing is disproved and not everything is proven.
    Unverifiable(Unproven),
    /// A check that must hold is false.
    Forged(Forgery),
    /// Malformed or over a limit; nothing was concluded.
    Rejected(Refusal),
}

/// Why a reading proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unproven {
    /// No trusted authority signed the document signer.
    NoAnchor,
    /// There are claims of a vendor's reader and no files of the chip.
    NoRawFiles,
    /// The certificate of the signer is not in the file.
    SignerMissing,
    /// The document signer is revoked.
    DscRevoked,
    /// The chain breaks a rule.
    ChainPolicy,
    /// A hash or key is too weak.
    WeakAlgorithm,
    /// An algorithm that this program does not know.
    UnknownAlgorithm,
    /// A data group that is required is not there, is unsigned or cannot be read.
    DgMissing,
    /// The issuer made a mistake: its key lies on one curve and the signature was made on another.
    IssuerDefect,
    /// By its own account it was signed later than the time as of which it is judged.
    SignedInFuture,
}

/// Why a reading is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgery {
    /// The signature does not hold.
    Signature,
    /// Nobody signed.
    NoSigner,
    /// The signed digest is not that of the list, is missing or repeated.
    MessageDigest,
    /// The signed type is not that of the list, is missing or repeated.
    ContentType,
    /// A data group is not the one that was signed.
    DgHash,
    /// The list names a data group twice or one that does not exist.
    DgList,
    /// A data group's file is another one, or something follows it.
    DgTag,
    /// One country's authority under another's document.
    Country,
    /// The chip does not hold the key of DG15 that the card was issued with.
    ActiveAuthentication,
    /// The chip does not hold the key of DG14 that the card was issued with.
    ChipAuthentication,
}

/// Why nothing was concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Not the structure it should be.
    Malformed,
    /// Over a limit of size, depth or count.
    Limit,
    /// A key with curve parameters that belong to no known curve.
    EcParams,
    /// The portrait declares too many pixels.
    ImageLimit,
}

/// The conclusion for lists and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Short {
    /// Genuine, with or without clone check.
    Verified,
    /// Unchanged since it was signed, by whom is not known.
    IntegrityOnly,
    /// Forged.
    Failed,
    /// All else.
    Unverified,
}

/// What else a clerk or an auditor should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// SHA-1, MD5, a short key or a small exponent is in the proof.
    WeakAlgorithm,
    /// The document signer has expired since.
    DscExpired,
    /// The authority has expired since.
    CscaExpired,
    /// The document signer lacks extensions that the standard requires.
    DscProfile,
    /// EF.COM lists other data groups than were signed.
    ComDiffers,
    /// A content type of the years before the standard settled.
    LegacyOid,
    /// Signed attributes were sent out of order and hold in order.
    AttributesReordered,
    /// The signature is over the list itself.
    NoSignedAttributes,
    /// A revocation list came with the card; it was not believed.
    CrlInSodIgnored,
    /// The time of signing is known from the signer alone.
    SigningTimeSelfAsserted,
    /// The claimed time of signing is outside the signer's validity.
    SignedOutsideValidity,
    /// The claimed time of signing is outside the time in which the signer's key was to be used.
    SignedOutsideKeyPeriod,
    /// The signer's certificate was issued outside the time in which the authority's key was to be used.
    IssuedOutsideKeyPeriod,
    /// The part of EF.SOD that nobody signs (versions, names of algorithms, how the signer is pointed to) is not written
    /// as the standard prescribes, or holds more than it should.
    SodFrameUnusual,
    /// The issuing state could not be compared with the authority's country.
    CountryUnchecked,
    /// A key that could prove the chip to be no copy was signed and is not there.
    CloneCheckStripped,
    /// The key of the clone check is not one that was signed.
    AaKeyUnsigned,
    /// The key of the clone check is too weak to count.
    AaKeyWeak,
    /// The clone check counts, with a key or hash that is below what signatures need today.
    AaWeak,
    /// The chip answered another challenge than this station's.
    AaReplay,
    /// The answer was used for another dossier before.
    AaSpent,
    /// The answer to this station's challenge was handed in too long after it.
    AaLate,
    /// What the chip answered is no answer: empty, of another form, or to what no chip is asked.
    AaUnanswered,
    /// The answer holds by no hash in use, and DG14, which may name another, was not read or is not understood.
    AaHashUnknown,
    /// Whether the challenge was this station's is not known.
    AaChallengeUnproven,
    /// Chip authentication was done with a key that nobody signed.
    CaKeyUnsigned,
    /// A key of chip authentication is none: not on its curve, infinity, of a kind that is not known.
    CaKeyInvalid,
    /// Chip authentication was done with another terminal key than this station's.
    CaReplay,
    /// The transcript of chip authentication was used for another dossier before.
    CaSpent,
    /// The transcript of this station's chip authentication was handed in too long after it.
    CaLate,
    /// There is no answer under the keys of chip authentication: the chip fell silent, or spoke in the clear.
    CaUnanswered,
    /// Whether the terminal key of chip authentication was this station's is not known.
    CaKeyUnproven,
    /// A chip authentication transcript is there, which was not judged (records of earlier versions).
    ChipAuthenticationNotJudged,
    /// A vendor's reader makes claims, which are not judged.
    AssertedByReader,
    /// A check digit of the machine readable zone is wrong.
    MrzCheck,
    /// DG1 and DG13, or DG11, disagree about the holder.
    DataConflict,
    /// DG1 has another form than expected.
    Dg1Unreadable,
    /// DG13 has another form than expected.
    Dg13Unreadable,
    /// DG11 has another form than expected.
    Dg11Unreadable,
    /// DG12 has another form than expected.
    Dg12Unreadable,
    /// No portrait is found in DG2.
    PortraitUnreadable,
    /// Something follows the portrait's own end.
    PortraitTrailing,
}

impl Overall {
    /// `intact`: the signature holds and no data group differs.
    pub(crate) fn short(self, intact: bool) -> Short {
        match self {
            Overall::Genuine | Overall::GenuineCloneUnchecked => Short::Verified,
            Overall::Unverifiable(Unproven::NoAnchor) if intact => Short::IntegrityOnly,
            Overall::Forged(_) => Short::Failed,
            Overall::Unverifiable(_) | Overall::Rejected(_) => Short::Unverified,
        }
    }
}
