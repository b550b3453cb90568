//! Whether a trusted authority stands behind the signers, of the country that issued the document.

use super::judge::{Early, Judge};
use super::{AnchorId, Check, Flag, Forgery, Overall, Unproven};
use crate::chip::country;
use crate::chip::sod::Sod;
use crate::chip::trust::{Broken, Chain, Odd, Revocation, Trust};
use crate::cms::certificate::{key_usage_period, signed_with};
use crate::cms::{Parts, SignerInfo};
use openssl::asn1::Asn1Time;
use openssl::x509::X509;

impl Judge<'_> {
    /// Notes every reason why a signer is not one of a trusted authority.
    pub(super) fn check_chain(&mut self, trust: &Trust, signers: &[(&SignerInfo, &X509)]) -> Early<()> {
        for (signer, certificate) in signers {
            let untimely = self.look_at_time(signer, certificate);
            let Some(chain) = trust.chain(certificate, self.now, &self.policy.curves) else {
                // With nobody to ask, the dates of the signer are all that can be told.
                self.look_at_expiry(certificate);
                self.unproven(Unproven::NoAnchor);
                continue;
            };
            self.note_chain(&chain, certificate);
            if chain.broken.contains(&Broken::Country) {
                self.verdict.pa_chain = Check::Failed;
                return Err(Overall::Forged(Forgery::Country));
            }
            if !chain.broken.is_empty() {
                self.verdict.pa_chain = Check::Failed;
                self.unproven(Unproven::ChainPolicy);
                continue;
            }
            self.check_country(&chain)?;
            if let Some(reason) = untimely {
                self.unproven(reason);
            }
            if chain.revocation == Revocation::Revoked {
                self.unproven(Unproven::DscRevoked);
            }
        }
        if self.verdict.unproven.is_empty() {
            self.verdict.pa_chain = Check::Ok;
        }
        Ok(())
    }

    /// For the table of a reading whose signature does not hold: whose certificate lies beside it.
    pub(super) fn look_at_chain(&mut self, trust: &Trust, sod: &Sod) {
        let signed = &sod.signed;
        for certificate in signed.signers.iter().filter_map(|s| s.certificate(&signed.certificates)) {
            if let Some(chain) = trust.chain(certificate, self.now, &self.policy.curves) {
                self.note_chain(&chain, certificate);
                self.verdict.pa_chain = if chain.broken.is_empty() { Check::Ok } else { Check::Failed };
            }
        }
    }

    /// An authority signs for its own country only: any other could be anybody's in a list of trusted ones.
    fn check_country(&mut self, chain: &Chain<'_>) -> Early<()> {
        let state = self.mrz.as_ref().map(|mrz| mrz.issuing_state.clone());
        match (state, chain.anchor.country()) {
            (Some(state), Some(country)) => match country::issues(&country, &state) {
                Some(true) => {}
                Some(false) => {
                    self.verdict.pa_chain = Check::Failed;
                    return Err(Overall::Forged(Forgery::Country));
                }
                None => self.unproven(Unproven::ChainPolicy),
            },
            (Some(_), None) => self.unproven(Unproven::ChainPolicy),
            (None, _) => self.flag(Flag::CountryUnchecked),
        }
        Ok(())
    }

    fn note_chain(&mut self, chain: &Chain<'_>, certificate: &X509) {
        self.verdict.anchor = Some(AnchorId { file: chain.anchor.file.clone(), sha256: chain.anchor.sha256 });
        self.verdict.broken.extend(chain.broken.iter().map(|rule| name_of(*rule)));
        // Of several signers the worst counts.
        self.verdict.revocation = self.verdict.revocation.max(Some(chain.revocation));
        for odd in &chain.odd {
            match odd {
                Odd::SignerExpired => self.flag(Flag::DscExpired),
                Odd::AnchorExpired => self.flag(Flag::CscaExpired),
                Odd::SignerProfile => self.flag(Flag::DscProfile),
                Odd::IssuedOutsideKeyPeriod => self.flag(Flag::IssuedOutsideKeyPeriod),
                Odd::Weak => {
                    let hash = signed_with(certificate).filter(|h| h.is_weak());
                    let name = hash.map_or("CSCA".to_owned(), |h| format!("{h:?} (CSCA)").to_uppercase());
                    self.weak(name);
                }
            }
        }
    }

    fn look_at_expiry(&mut self, certificate: &X509) {
        let now = Asn1Time::from_unix(self.now.as_second());
        if now.is_ok_and(|now| *certificate.not_after() < now) {
            self.flag(Flag::DscExpired);
        }
    }

    /// The only witness of the time of signing is the signer itself. Why it proves nothing, where its claim contradicts
    /// its certificate or has yet to come.
    fn look_at_time(&mut self, signer: &SignerInfo, certificate: &X509) -> Option<Unproven> {
        let claimed = signer.signing_time()?;
        self.flag(Flag::SigningTimeSelfAsserted);
        let time = x509_time(&claimed);
        let within = |from: Option<&Asn1Time>, to: Option<&Asn1Time>| {
            time.as_ref().is_some_and(|t| from.is_none_or(|f| t >= f) && to.is_none_or(|e| t <= e))
        };
        let period = Parts::of(certificate).ok().and_then(|p| key_usage_period(&p));
        if let Some((from, to)) = period {
            let (from, to) = (from.and_then(|t| x509_time(&t)), to.and_then(|t| x509_time(&t)));
            if !within(from.as_ref(), to.as_ref()) {
                self.flag(Flag::SignedOutsideKeyPeriod);
            }
        }
        let outside =
            time.as_ref().is_none_or(|t| *t < *certificate.not_before() || *t > *certificate.not_after());
        if outside {
            self.flag(Flag::SignedOutsideValidity);
            return Some(Unproven::ChainPolicy);
        }
        let latest = Asn1Time::from_unix(self.now.as_second().saturating_add(MOST_AHEAD));
        let ahead = matches!((&time, latest), (Some(time), Ok(latest)) if *time > latest);
        ahead.then_some(Unproven::SignedInFuture)
    }
}

/// `SignerNotYetValid` as `signer_not_yet_valid`.
fn name_of(rule: Broken) -> String {
    let mut name = String::new();
    for c in format!("{rule:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// How far an issuer's clock may be ahead of the time as of which is judged, seconds.
const MOST_AHEAD: i64 = 24 * 60 * 60;

fn x509_time(text: &str) -> Option<Asn1Time> {
    Asn1Time::from_str_x509(text).ok()
}
