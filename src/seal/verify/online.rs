//! Evidence that neither the file nor the trust folder holds, asked for once in a run and remembered.

use crate::digest::Sha256;
use crate::seal::evidence::{Evidence, fetch::Online};
use openssl::x509::{X509, X509Ref};
use std::cell::RefCell;
use std::collections::HashSet;

/// Somebody who can be asked about certificates: the authorities' servers. What they say is believed only where its own
/// signature holds.
pub trait Authorities {
    /// The certificate above this one (`caIssuers`).
    fn issuer(&self, certificate: &X509Ref) -> Option<X509>;
    /// An OCSP answer about it, DER.
    fn ocsp(&self, certificate: &X509Ref, issuer: &X509Ref) -> Option<Vec<u8>>;
    /// The revocation list that it names, DER.
    fn crl(&self, certificate: &X509Ref) -> Option<Vec<u8>>;
}

impl Authorities for Online {
    fn issuer(&self, certificate: &X509Ref) -> Option<X509> {
        Online::issuer(self, certificate).ok()
    }

    fn ocsp(&self, certificate: &X509Ref, issuer: &X509Ref) -> Option<Vec<u8>> {
        Online::ocsp(self, certificate, issuer).ok()
    }

    fn crl(&self, certificate: &X509Ref) -> Option<Vec<u8>> {
        Online::crl(self, certificate).ok()
    }
}

/// What was asked for in this run.
pub struct Asked<'a> {
    authorities: &'a dyn Authorities,
    found: RefCell<Evidence>,
    asked: RefCell<HashSet<(u8, Sha256)>>,
}

impl<'a> Asked<'a> {
    /// Nothing was asked yet.
    pub fn new(authorities: &'a dyn Authorities) -> Self {
        Asked { authorities, found: RefCell::default(), asked: RefCell::default() }
    }

    /// Certificates above `end`, as far up as servers hand them out.
    pub(super) fn issuers(&self, end: &X509Ref) -> Vec<X509> {
        let mut above = end.to_owned();
        for _ in 0..MAX_DEPTH {
            if !self.first_time(ISSUER, &above) {
                break;
            }
            let Some(issuer) = self.authorities.issuer(&above) else { break };
            self.found.borrow_mut().certificates.push(issuer.clone());
            above = issuer;
        }
        self.found.borrow().certificates.clone()
    }

    /// `known` with what servers say about a certificate: OCSP first, the list where that says nothing.
    pub(super) fn evidence(&self, known: &Evidence, certificate: &X509Ref, issuer: &X509Ref) -> Evidence {
        if self.first_time(STATUS, certificate) {
            let answered = self
                .authorities
                .ocsp(certificate, issuer)
                .is_some_and(|answer| self.found.borrow_mut().add_ocsp(&answer).is_ok());
            if !answered && let Some(list) = self.authorities.crl(certificate) {
                // A server that sends something else has sent nothing.
                let _ = self.found.borrow_mut().add_crl(&list);
            }
        }
        let mut all = known.clone();
        let found = self.found.borrow();
        all.certificates.extend(found.certificates.iter().cloned());
        all.crls.extend(found.crls.iter().cloned());
        all.ocsp.extend(found.ocsp.iter().cloned());
        all
    }

    /// Asks about no certificate twice and about no more than a run can need.
    fn first_time(&self, what: u8, certificate: &X509Ref) -> bool {
        let Ok(der) = certificate.to_der() else { return false };
        let mut asked = self.asked.borrow_mut();
        asked.len() < MAX_QUESTIONS && asked.insert((what, Sha256::of(&der)))
    }
}

const ISSUER: u8 = 0;
const STATUS: u8 = 1;
const MAX_DEPTH: usize = 4;
const MAX_QUESTIONS: usize = 256;
