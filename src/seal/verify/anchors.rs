//! Whom a verifier trusts and what it demands, read from one folder: roots, helpful intermediates, revocation evidence
//! and a policy.

use super::policy::{self, Policy};
use crate::cms::{Parts, certificate::name_part};
use crate::fault::{Class, Code, Fault, Outcome};
use crate::seal::evidence::Evidence;
use openssl::x509::{X509, X509Crl, X509Ref};
use std::fs;
use std::path::Path;

/// What a verifier trusts.
#[derive(Debug, Clone, Default)]
pub struct Anchors {
    pub(super) roots: Vec<X509>,
    pub(super) intermediates: Vec<X509>,
    pub(super) evidence: Evidence,
    pub(super) policy: Policy,
}

impl Anchors {
    /// Loads one folder: `*.pem *.crt *.cer` (roots are those that sign themselves), `*.crl`, OCSP answers `*.ocsp
    /// *.ors`, all PEM or DER but the answers, which are DER; and `policy.toml`. Where the folder has a subfolder
    /// `signing`, that is read in its place, so that a station's `anchors/` can be given.
    ///
    /// # Errors
    /// [`ANCHORS`] for a folder or file that cannot be read, [`policy::BROKEN`].
    pub fn load(folder: &Path) -> Outcome<Anchors> {
        let inner = folder.join("signing");
        let folder = if inner.is_dir() { inner } else { folder.to_owned() };
        let fault = |e: std::io::Error| Fault::new(&ANCHORS).detail(e.kind()).at(folder.display());
        let mut files: Vec<_> =
            fs::read_dir(&folder).map_err(fault)?.filter_map(|e| Some(e.ok()?.path())).collect();
        files.sort();
        let mut anchors = Anchors::default();
        for file in files {
            let kind = file.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
            let is_policy = file.file_name().is_some_and(|name| name == policy::FILE);
            if !is_policy && !KINDS.contains(&kind.as_str()) {
                continue;
            }
            let fault = |e: std::io::Error| Fault::new(&ANCHORS).detail(e.kind()).at(file.display());
            if fs::metadata(&file).map_err(fault)?.len() > MAX_FILE {
                return Err(Fault::new(&ANCHORS).detail("too large").at(file.display()));
            }
            let bytes = fs::read(&file).map_err(fault)?;
            match kind.as_str() {
                _ if is_policy => anchors.policy = Policy::read(&bytes).map_err(|f| f.at(file.display()))?,
                "crl" => anchors.add_list(&bytes).map_err(|f| f.at(file.display()))?,
                "ocsp" | "ors" => {
                    let broken = |_| Fault::new(&ANCHORS).detail("not an OCSP answer").at(file.display());
                    anchors.evidence.add_ocsp(&bytes).map_err(broken)?;
                }
                _ => anchors.add_certificates(&bytes).map_err(|f| f.at(file.display()))?,
            }
        }
        Ok(anchors)
    }

    fn add_list(&mut self, bytes: &[u8]) -> Outcome<()> {
        let broken = |_| Fault::new(&ANCHORS).detail("not a revocation list");
        let der = match bytes.first() {
            Some(0x30) => bytes.to_vec(),
            _ => X509Crl::from_pem(bytes).and_then(|c| c.to_der()).map_err(broken)?,
        };
        self.evidence.add_crl(&der).map_err(|f| Fault::new(&ANCHORS).detail(f.code.en))
    }

    fn add_certificates(&mut self, bytes: &[u8]) -> Outcome<()> {
        let certificates = X509::from_der(bytes).map(|c| vec![c]).or_else(|_| X509::stack_from_pem(bytes));
        let certificates = certificates.unwrap_or_default();
        drop(openssl::error::ErrorStack::get());
        if certificates.is_empty() {
            return Err(Fault::new(&ANCHORS).detail("no certificate"));
        }
        certificates.into_iter().for_each(|c| self.add(c));
        Ok(())
    }

    /// Trusts a certificate where it signed itself; otherwise only uses it to find the way.
    pub fn add(&mut self, certificate: X509) {
        if super::path::is_issued_by(&certificate, &certificate) {
            self.roots.push(certificate);
        } else {
            self.intermediates.push(certificate);
        }
    }

    /// Adds a revocation list, DER. Whether it counts is decided when it is used.
    ///
    /// # Errors
    /// [`ANCHORS`] where it is none.
    pub fn add_crl(&mut self, crl: &[u8]) -> Outcome<()> {
        self.add_list(crl)
    }

    /// What the folder's policy demands.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Sets what is demanded.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Roots and what helps to find the way to them.
    pub fn certificates(&self) -> Vec<X509> {
        self.roots.iter().chain(&self.intermediates).cloned().collect()
    }

    /// How many roots are trusted.
    pub fn roots(&self) -> usize {
        self.roots.len()
    }
}

/// The common name of a certificate's subject, or its serial number.
pub(super) fn common_name(certificate: &X509Ref) -> String {
    let Ok(parts) = Parts::of(certificate) else { return String::new() };
    name_part(&parts.subject, "2.5.4.3").unwrap_or_else(|| format!("serial {}", hex::encode(&parts.serial)))
}

const KINDS: [&str; 6] = ["pem", "crt", "cer", "crl", "ocsp", "ors"];
const MAX_FILE: u64 = 64 << 20;

/// Anchors that cannot be read.
pub const ANCHORS: Code = Code {
    id: "VRFY-001",
    class: Class::Setup,
    vi: "Không đọc được thư mục chứng thư tin cậy",
    en: "the folder of trusted certificates cannot be read",
    remedy_vi: "Kiểm tra thư mục và các tệp .pem, .crl, .ocsp trong đó",
    remedy_en: "check the folder and the .pem, .crl and .ocsp files in it",
};
