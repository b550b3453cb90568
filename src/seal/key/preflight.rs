//! Whether a certificate may sign: asked before the key is (TT 15/2025/TT-BKHCN: software must check it before signing).

use super::{KEY_KIND, KeyHandle};
use crate::cms::{Parts, known};
use crate::der;
use crate::fault::{Class, Code, Fault, Outcome};
use crate::seal::evidence::fetch::Online;
use crate::seal::evidence::{Evidence, Status};
use jiff::Timestamp;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::X509Ref;
use serde::{Deserialize, Serialize};

/// Somebody who can be asked whether a certificate was revoked: the certificate, then its issuer's.
pub type AskRevocation<'a> = &'a dyn Fn(&X509Ref, &X509Ref) -> Outcome<Standing>;

/// What is known of a certificate's revocation at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its issuer says that it is good.
    Good,
    /// Its issuer says that it was revoked.
    Revoked,
    /// Nobody says anything that counts.
    Unknown,
}

/// What evidence at hand, and then the authorities themselves, say of a certificate at a time.
pub fn standing(
    certificate: &X509Ref,
    issuer: &X509Ref,
    evidence: &Evidence,
    online: Option<&Online>,
    at: Timestamp,
) -> Standing {
    let mut evidence = evidence.clone();
    let say = |evidence: &Evidence| match evidence.status(certificate, issuer, at, false) {
        Status::Good { .. } => Standing::Good,
        Status::Revoked { .. } => Standing::Revoked,
        Status::Unknown(_) => Standing::Unknown,
    };
    let mut said = say(&evidence);
    let Some(online) = online else { return said };
    // Whoever is silent says nothing; the next may.
    if said == Standing::Unknown
        && online.ocsp(certificate, issuer).is_ok_and(|der| evidence.add_ocsp(&der).is_ok())
    {
        said = say(&evidence);
    }
    if said == Standing::Unknown && online.crl(certificate).is_ok_and(|der| evidence.add_crl(&der).is_ok()) {
        said = say(&evidence);
    }
    said
}

/// Whose certificates are taken: the common name of the issuer, or `sha256:` and the fingerprint of any certificate above
/// the signer's. An empty list takes all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Issuers(Vec<String>);

impl Issuers {
    /// One a line; empty lines and those that begin with `#` are passed over.
    pub fn from_lines(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
        Issuers(lines.map(str::to_owned).collect())
    }

    /// Whether a certificate with those above it was issued by one of the list.
    pub fn take(&self, key: &dyn KeyHandle) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let mut entries = key.certificate().issuer_name().entries_by_nid(Nid::COMMONNAME);
        let name = entries.next().and_then(|e| e.data().to_string().ok());
        self.0.iter().any(|wanted| match wanted.strip_prefix("sha256:") {
            Some(print) => key.chain().iter().any(|c| {
                let own = c.digest(MessageDigest::sha256()).map(hex::encode).unwrap_or_default();
                own == print.replace(':', "").to_ascii_lowercase()
            }),
            None => name.as_deref() == Some(wanted),
        })
    }
}

/// Everything that is asked of a signer before the key is: validity, purpose, issuer and, where somebody can be asked,
/// revocation. A revocation that nobody knows stops the signature: it is not taken for a good answer.
///
/// # Errors
/// Those of [`check_may_sign`]; [`ISSUER`], [`CERT_REVOKED`], [`REVOCATION_UNKNOWN`].
pub fn check(
    key: &dyn KeyHandle,
    at: Timestamp,
    issuers: &Issuers,
    ask: Option<AskRevocation<'_>>,
) -> Outcome<()> {
    check_may_sign(key.certificate(), at)?;
    if !issuers.take(key) {
        return Err(Fault::new(&ISSUER));
    }
    let Some(ask) = ask else { return Ok(()) };
    let unknown = |why: &str| Err(Fault::new(&REVOCATION_UNKNOWN).detail(why));
    let Some(issuer) = key.chain().first() else { return unknown("the issuer's certificate is missing") };
    match ask(key.certificate(), issuer)? {
        Standing::Good => Ok(()),
        Standing::Revoked => Err(Fault::new(&CERT_REVOKED)),
        Standing::Unknown => unknown("no answer that counts"),
    }
}

/// Refuses a certificate that may not sign at this moment (TT 15/2025/TT-BKHCN: to be checked before signing): outside its
/// validity, or not meant for documents as the verifier judges it, so that nothing is signed that it calls invalid at once.
///
/// # Errors
/// [`CERT_EXPIRED`] and [`CERT_NOT_YET`] naming the date, [`CERT_USAGE`] naming what is missing.
pub fn check_may_sign(certificate: &X509Ref, now: Timestamp) -> Outcome<()> {
    let (from, until) = validity(certificate)?;
    if now < from {
        return Err(Fault::new(&CERT_NOT_YET).detail(format!("valid from {from}")));
    }
    if now > until {
        return Err(Fault::new(&CERT_EXPIRED).detail(format!("valid until {until}")));
    }
    let facts = known::facts(certificate).map_err(|_| Fault::new(&KEY_KIND))?;
    match against_documents(&facts.parts) {
        Some(NO_USAGE) | None => Ok(()),
        Some(why) => Err(Fault::new(&CERT_USAGE).detail(why)),
    }
}

/// Whether a certificate does not say what it is for. It may sign, since nothing is forbidden to it (RFC 5280, 4.2.1.3), but
/// verifiers that want a purpose for documents, this one among them, will not take its signatures: whoever signs is to be told.
pub fn is_silent_on_use(certificate: &X509Ref) -> bool {
    known::facts(certificate).is_ok_and(|facts| against_documents(&facts.parts) == Some(NO_USAGE))
}

/// What keeps an end certificate from signing documents (RFC 5280, 4.2): a key usage without nonRepudiation, an extended
/// key usage for other things alone, a critical extension that nobody here understands. None where nothing does.
pub fn against_documents(parts: &Parts) -> Option<&'static str> {
    if parts.extension("2.5.29.37").is_some_and(|extended| !names_documents(&extended.value)) {
        return Some("its extended key usage is for other things");
    }
    if parts.extensions.iter().any(|e| e.critical && !UNDERSTOOD.contains(&e.oid.as_str())) {
        return Some("it has a critical extension that is not understood");
    }
    let Some(usage) = parts.extension("2.5.29.15") else { return Some(NO_USAGE) };
    let bits = der::only(&usage.value, 0x03).ok().and_then(|bits| bits.content.get(1).copied());
    (bits.unwrap_or(0) & NON_REPUDIATION == 0).then_some("its key usage lacks nonRepudiation")
}

fn names_documents(extended: &[u8]) -> bool {
    let Ok(list) = der::only(extended, 0x30) else { return false };
    let mut uses = list.reader();
    std::iter::from_fn(|| uses.expect(0x06).ok())
        .any(|oid| oid.oid().is_ok_and(|oid| USES.contains(&oid.as_str())))
}

/// From when until when a certificate is valid.
///
/// # Errors
/// [`KEY_KIND`] for times that OpenSSL cannot read.
pub fn validity(certificate: &X509Ref) -> Outcome<(Timestamp, Timestamp)> {
    Ok((moment(certificate.not_before())?, moment(certificate.not_after())?))
}

fn moment(time: &Asn1TimeRef) -> Outcome<Timestamp> {
    let unreadable = || Fault::new(&KEY_KIND).detail("a time of the certificate cannot be read");
    let epoch = Asn1Time::from_unix(0).map_err(|_| unreadable())?;
    let since = epoch.diff(time).map_err(|_| unreadable())?;
    let seconds = i64::from(since.days) * 86_400 + i64::from(since.secs);
    Timestamp::from_second(seconds).map_err(|_| unreadable())
}

const NON_REPUDIATION: u8 = 0x40;
const NO_USAGE: &str = "it has no key usage";
/// Any, clientAuth, emailProtection, documentSigning (RFC 9336), and those of Microsoft and Adobe for documents.
pub(crate) const USES: [&str; 6] = [
    "2.5.29.37.0",
    "1.3.6.1.5.5.7.3.2",
    "1.3.6.1.5.5.7.3.4",
    "1.3.6.1.5.5.7.3.36",
    "1.3.6.1.4.1.311.10.3.12",
    "1.2.840.113583.1.1.5",
];
/// Basic constraints, key usage, extended key usage, policies, alternative names.
pub(crate) const UNDERSTOOD: [&str; 5] = ["2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.32", "2.5.29.17"];

/// A certificate past its end.
pub const CERT_EXPIRED: Code = Code {
    id: "SEAL-007",
    class: Class::Setup,
    vi: "Chứng thư ký đã hết hạn",
    en: "the signing certificate has expired",
    remedy_vi: "Gia hạn chứng thư rồi ký lại",
    remedy_en: "renew the certificate, then sign again",
};

/// A certificate before its start.
pub const CERT_NOT_YET: Code = Code {
    id: "SEAL-008",
    class: Class::Setup,
    vi: "Chứng thư ký chưa có hiệu lực",
    en: "the signing certificate is not valid yet",
    remedy_vi: "Kiểm tra đồng hồ của máy và ngày hiệu lực của chứng thư",
    remedy_en: "check the clock and the first day of the certificate",
};

/// A certificate made for something else.
pub const CERT_USAGE: Code = Code {
    id: "SEAL-009",
    class: Class::Setup,
    vi: "Chứng thư không được cấp cho mục đích ký tài liệu",
    en: "the certificate is not meant for signing documents",
    remedy_vi: "Dùng chứng thư có mục đích chống chối bỏ (nonRepudiation) và không chỉ dành cho việc khác như cấp dấu thời gian",
    remedy_en: "use a certificate with nonRepudiation that is not for other things alone, as for time stamps",
};

/// A certificate of somebody else's.
pub const ISSUER: Code = Code {
    id: "SEAL-098",
    class: Class::Setup,
    vi: "Chứng thư ký không do tổ chức được chấp nhận cấp",
    en: "the signing certificate comes from an issuer that is not accepted here",
    remedy_vi: "Dùng chứng thư của tổ chức có trong danh sách đã khai",
    remedy_en: "use a certificate of an issuer on the configured list",
};

/// A revoked certificate.
pub const CERT_REVOKED: Code = Code {
    id: "SEAL-099",
    class: Class::Person,
    vi: "Chứng thư ký đã bị thu hồi",
    en: "the signing certificate was revoked",
    remedy_vi: "Ngừng dùng khoá này và xin cấp chứng thư mới",
    remedy_en: "stop using this key and have a new certificate issued",
};

/// Nobody knows whether it was revoked.
pub const REVOCATION_UNKNOWN: Code = Code {
    id: "SEAL-059",
    class: Class::Later,
    vi: "Chưa biết chứng thư ký có bị thu hồi hay không",
    en: "nobody says whether the signing certificate was revoked",
    remedy_vi: "Kiểm tra đường truyền tới OCSP, CRL của nhà cung cấp rồi ký lại",
    remedy_en: "check the line to the issuer's OCSP or CRL, then sign again",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::original::Original;
    use crate::seal::appearance::AppearanceFacts;
    use crate::seal::profile::SignatureProfile;
    use crate::seal::sign::{Level, Order, Sheet};
    use crate::seal::signed_data::Draft;
    use crate::seal::training::{Minted, Usage};
    use crate::seal::verify::{Anchors, Trust, verify_pdf};

    #[test]
    fn a_certificate_outside_its_time_or_purpose_may_not_sign() {
        let minted = Minted::new("ec", Usage::Sign);
        let (from, until) = validity(&minted.certificate).unwrap();
        let hour = jiff::SignedDuration::from_hours(1);
        assert!(check_may_sign(&minted.certificate, from + hour).is_ok());
        assert_eq!(check_may_sign(&minted.certificate, from - hour).unwrap_err().code.id, CERT_NOT_YET.id);
        let expired = check_may_sign(&minted.certificate, until + hour).unwrap_err();
        assert_eq!(expired.code.id, CERT_EXPIRED.id);
        assert!(expired.detail.unwrap().contains(&until.to_string()));
        let other = Minted::new("ec", Usage::Encipher);
        assert_eq!(check_may_sign(&other.certificate, from + hour).unwrap_err().code.id, CERT_USAGE.id);
    }

    /// Signed by whoever has the certificate, unasked; whether the verifier finds fault with what it is for.
    fn is_wrong_use(minted: &Minted) -> bool {
        let good = Minted::new("ec", Usage::Sign).soft_key();
        let profile = SignatureProfile::built_in("invisible").unwrap();
        let facts = AppearanceFacts::default();
        let at = Timestamp::now() + jiff::SignedDuration::from_secs(60);
        let order = Order { profile: &profile, facts: &facts, at, field: None };
        let pdf = crate::seal::sign::tests::paper();
        let prepared = Sheet::open(Original::from(&pdf[..])).unwrap().prepare(&good, &order, true).unwrap();
        let cms = Draft::detached(&minted.soft_key(), prepared.digest()).unwrap().finish(None);
        let whole = [&pdf[..], &prepared.finish(&cms, Level::BB).unwrap().bytes].concat();
        let mut anchors = Anchors::default();
        anchors.add(minted.root.clone());
        let report = verify_pdf(&whole, &anchors, at);
        let [one] = &report.signatures[..] else { panic!("{:?}", report.problems) };
        assert!(one.problems.is_empty(), "{:?}", one.problems);
        one.chain.trust != Trust::Trusted
    }

    #[test]
    fn nothing_is_signed_with_what_the_verifier_calls_the_wrong_certificate_and_with_anything_else() {
        let at = Timestamp::now() + jiff::SignedDuration::from_secs(60);
        for (usage, good) in [
            (Usage::Sign, true),
            (Usage::CommitOnly, true),
            (Usage::Mail, true),
            (Usage::MailAndStamp, true),
            (Usage::DigitalOnly, false),
            // It is told of, and not refused.
            (Usage::Nothing, true),
            (Usage::Encipher, false),
            (Usage::Stamp, false),
            (Usage::StampLoosely, false),
            (Usage::Strange, false),
        ] {
            let minted = Minted::new("ec", usage);
            let refused = check(&minted.soft_key(), at, &Issuers::default(), None).err();
            assert_eq!(refused.map(|f| f.code.id), (!good).then_some(CERT_USAGE.id), "{usage:?}");
            let silent = is_silent_on_use(&minted.certificate);
            assert_eq!(
                (is_wrong_use(&minted), silent),
                (!good || silent, usage == Usage::Nothing),
                "{usage:?}"
            );
        }
    }

    #[test]
    fn an_issuer_is_taken_by_name_or_by_fingerprint_and_no_other() {
        let minted = Minted::new("ec", Usage::Sign);
        let key = minted.soft_key();
        let print = |c: &openssl::x509::X509| hex::encode(c.digest(MessageDigest::sha256()).unwrap());
        let at = Timestamp::now() + jiff::SignedDuration::from_secs(60);
        let judge = |text: &str| check(&key, at, &Issuers::from_lines(text), None).map_err(|f| f.code.id);
        assert_eq!(judge("# nobody is refused\n\n"), Ok(()));
        assert_eq!(judge("Somebody\nTRAINING CA"), Ok(()));
        assert_eq!(judge(&format!("sha256:{}", print(&minted.root).to_uppercase())), Ok(()));
        assert_eq!(judge("TRAINING ROOT"), Err(ISSUER.id), "a name is the issuer's own, not the root's");
        assert_eq!(judge("TRAINING C"), Err(ISSUER.id));
        assert_eq!(judge(&format!("sha256:{}", print(&minted.certificate))), Err(ISSUER.id));
        assert_eq!(judge("sha256:"), Err(ISSUER.id));
    }

    #[test]
    fn a_revoked_certificate_signs_nothing_and_an_unknown_answer_is_not_a_good_one() {
        let minted = Minted::new("ec", Usage::Sign);
        let key = minted.soft_key();
        let at = Timestamp::now() + jiff::SignedDuration::from_secs(60);
        let issuers = Issuers::default();
        let judge = |said: Standing| {
            let asked = |certificate: &X509Ref, issuer: &X509Ref| {
                assert_eq!(issuer.issued(certificate), openssl::x509::X509VerifyResult::OK);
                Ok(said)
            };
            check(&key, at, &issuers, Some(&asked)).map_err(|f| f.code.id)
        };
        assert_eq!(judge(Standing::Good), Ok(()));
        assert_eq!(judge(Standing::Revoked), Err(CERT_REVOKED.id));
        assert_eq!(judge(Standing::Unknown), Err(REVOCATION_UNKNOWN.id));
        let alone = super::super::SoftKey::new(minted.key, minted.certificate, Vec::new()).unwrap();
        let never = |_: &X509Ref, _: &X509Ref| -> Outcome<Standing> { panic!("nobody to ask about") };
        let unknown = check(&alone, at, &issuers, Some(&never)).unwrap_err();
        assert_eq!(unknown.code.id, REVOCATION_UNKNOWN.id);
    }
}
