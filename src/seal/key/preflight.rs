//! Whether a certificate may sign: asked before the key is.

use super::KEY_KIND;
use crate::cms::Parts;
use crate::der;
use crate::fault::{Class, Code, Fault, Outcome};
use jiff::Timestamp;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::X509Ref;

/// Refuses a certificate that may not sign at this moment (TT 15/2025/TT-BKHCN: to be checked before signing):
/// outside its validity, or with a key usage (RFC 5280, 4.2.1.3) of neither digitalSignature nor nonRepudiation.
///
/// # Errors
/// [`CERT_EXPIRED`] and [`CERT_NOT_YET`] naming the date, [`CERT_USAGE`].
pub fn check_may_sign(certificate: &X509Ref, now: Timestamp) -> Outcome<()> {
    let (from, until) = validity(certificate)?;
    if now < from {
        return Err(Fault::new(&CERT_NOT_YET).detail(format!("valid from {from}")));
    }
    if now > until {
        return Err(Fault::new(&CERT_EXPIRED).detail(format!("valid until {until}")));
    }
    let parts = Parts::of(certificate).map_err(|_| Fault::new(&KEY_KIND))?;
    let Some(usage) = parts.extension("2.5.29.15") else { return Ok(()) };
    let bits = der::only(&usage.value, 0x03).ok().and_then(|bits| bits.content.get(1).copied());
    if bits.unwrap_or(0) & (DIGITAL_SIGNATURE | NON_REPUDIATION) == 0 {
        return Err(Fault::new(&CERT_USAGE));
    }
    Ok(())
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

const DIGITAL_SIGNATURE: u8 = 0x80;
const NON_REPUDIATION: u8 = 0x40;

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
    vi: "Chứng thư không được cấp cho mục đích ký số",
    en: "the certificate is not meant for signatures",
    remedy_vi: "Dùng chứng thư có mục đích ký số hoặc chống chối bỏ",
    remedy_en: "use a certificate with digitalSignature or nonRepudiation",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::training::{Minted, Usage};

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
}
