//! Which key signs, from the command line: never the secret itself, only where it is.

use crate::fault::{Class, Code, Fault, Outcome};
use crate::seal::key::file::read_certificates;
use crate::seal::key::remote::{self, Access, RemoteKey};
use crate::seal::key::{KeyHandle, SoftKey};
use openssl::x509::X509;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::{Zeroize as _, Zeroizing};

/// One of three kinds of key.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("from").args(["key", "pkcs11", "csc"])))]
pub(super) struct KeyArgs {
    /// Key with its certificates: PKCS#12, or PEM.
    #[arg(
        long,
        visible_alias = "p12",
        value_name = "FILE.p12|FILE.pem",
        required_unless_present_any = ["pkcs11", "csc", "renew"],
        help_heading = "Key"
    )]
    key: Option<PathBuf>,
    /// File whose first line is the password of the key file.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "Key")]
    passfile: Option<PathBuf>,
    /// Where the password of the key file is: env:NAME, or file:PATH as with --passfile.
    #[arg(
        long,
        value_name = "env:NAME|file:PATH",
        requires = "key",
        conflicts_with = "passfile",
        help_heading = "Key"
    )]
    password: Option<String>,
    /// Key on a token (RFC 7512), e.g. 'pkcs11:token=NAME;id=%A1?module-path=/usr/lib/vendor.so'
    #[arg(long, value_name = "URI", help_heading = "Key")]
    pkcs11: Option<String>,
    /// File whose first line is the PIN of the token, or of the credential at a signing service.
    #[arg(long, value_name = "FILE", conflicts_with = "key", help_heading = "Key")]
    pinfile: Option<PathBuf>,
    /// Try the PIN although one mistake more locks the token.
    #[arg(long, requires = "pkcs11", help_heading = "Key")]
    pin_last_try: bool,
    /// Key at a remote signing service (CSC API v2), e.g. https://service/csc/v2
    #[arg(long, value_name = "URL", requires = "csc_token_file", help_heading = "Key")]
    csc: Option<String>,
    /// The credential at the service [default: the only one]
    #[arg(long, value_name = "ID", requires = "csc", help_heading = "Key")]
    csc_credential: Option<String>,
    /// File whose first line is the access token of the service.
    #[arg(long, value_name = "FILE", requires = "csc", help_heading = "Key")]
    csc_token_file: Option<PathBuf>,
    /// File whose first line is a one-time password for the service.
    #[arg(long, value_name = "FILE", requires = "csc", help_heading = "Key")]
    otpfile: Option<PathBuf>,
    /// Seconds to wait for an answer of the service.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = remote::DEADLINE.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=600),
        help_heading = "Key"
    )]
    csc_timeout: u64,
    /// Certificates to go along, PEM or DER: the signer's where the key comes without, those above it.
    #[arg(long, value_name = "FILE", help_heading = "Key")]
    cert: Option<PathBuf>,
}

impl KeyArgs {
    /// What was named, as it may be shown.
    pub(super) fn place(&self) -> String {
        match (&self.key, &self.pkcs11) {
            (Some(file), _) => file.display().to_string(),
            (None, Some(_)) => "pkcs11".to_owned(),
            (None, None) => "csc".to_owned(),
        }
    }

    /// Whether the key is at a signing service.
    pub(super) fn is_remote(&self) -> bool {
        self.csc.is_some()
    }

    /// Opens the key; among the certificates that are `known` those above it are looked for. Call from no
    /// thread of a runtime.
    ///
    /// # Errors
    /// A secret that cannot be read ([`PASSWORD`]), and those of the kind of key.
    pub(super) fn open(&self, line: &super::Line, known: &[X509]) -> Outcome<Box<dyn KeyHandle>> {
        let certificates = match &self.cert {
            Some(path) => super::read(path, MAX_FILE)?,
            None => Vec::new(),
        };
        let extra = || -> Outcome<Vec<X509>> {
            let at = self.cert.as_deref().unwrap_or(Path::new("")).display();
            let mut extra = read_certificates(&certificates).map_err(|f| f.at(at))?;
            extra.extend(known.iter().cloned());
            Ok(extra)
        };
        if let Some(path) = &self.key {
            crate::seal::key::no_core_dumps();
            let password = self.key_password()?;
            let bytes = Zeroizing::new(super::read(path, MAX_FILE)?);
            let key = SoftKey::open(&bytes, password.as_ref().map(|p| p.as_str()), &certificates);
            return Ok(Box::new(key.map_err(|f| f.at(path.display()))?.below(known)));
        }
        if let Some(uri) = &self.pkcs11 {
            return self.open_token(uri, extra()?);
        }
        let secret = |path: &Option<PathBuf>| path.as_deref().map(first_line).transpose();
        let access = Access {
            url: self.csc.clone().unwrap_or_default(),
            credential: self.csc_credential.clone(),
            token: secret(&self.csc_token_file)?.unwrap_or_default(),
            pin: secret(&self.pinfile)?,
            otp: secret(&self.otpfile)?,
            deadline: Duration::from_secs(self.csc_timeout),
        };
        Ok(Box::new(RemoteKey::open(access, extra()?, line.handle()?).map_err(|f| f.at("csc"))?))
    }

    fn key_password(&self) -> Outcome<Option<Zeroizing<String>>> {
        if let Some(path) = &self.passfile {
            return first_line(path).map(Some);
        }
        let Some(reference) = &self.password else { return Ok(None) };
        match reference.split_once(':') {
            Some(("env", name)) => {
                let value = std::env::var(name).map(Zeroizing::new);
                let value =
                    value.map_err(|_| Fault::new(&PASSWORD).at(reference).detail("no such variable"))?;
                Ok(Some(Zeroizing::new(value.lines().next().unwrap_or("").to_owned())))
            }
            Some(("file", path)) => first_line(Path::new(path)).map(Some),
            _ => Err(Fault::new(&PASSWORD).detail("neither env:NAME nor file:PATH")),
        }
    }

    #[cfg(feature = "pkcs11")]
    fn open_token(&self, uri: &str, certificates: Vec<X509>) -> Outcome<Box<dyn KeyHandle>> {
        use crate::seal::key::token::{TokenKey, Uri};
        let uri = Uri::parse(uri)?;
        let pin = match self.pinfile.as_ref().or(uri.pin_source.as_ref()) {
            Some(path) => first_line(path)?,
            None => Zeroizing::default(),
        };
        let key = TokenKey::open(&uri, &pin, certificates, self.pin_last_try);
        Ok(Box::new(key.map_err(|f| f.at("pkcs11"))?))
    }

    #[cfg(not(feature = "pkcs11"))]
    fn open_token(&self, _: &str, _: Vec<openssl::x509::X509>) -> Outcome<Box<dyn KeyHandle>> {
        Err(Fault::new(&NO_TOKENS_BUILT))
    }
}

/// A secret never stands on the command line, where every process could read it.
fn first_line(path: &Path) -> Outcome<Zeroizing<String>> {
    let mut bytes = super::read(path, MAX_SECRET)?;
    let text = std::str::from_utf8(&bytes).map(|t| Zeroizing::new(t.lines().next().unwrap_or("").to_owned()));
    let text = text.map_err(|_| Fault::new(&PASSWORD).detail("the file is not UTF-8").at(path.display()));
    bytes.zeroize();
    text
}

/// Every code of this file.
#[cfg(feature = "pkcs11")]
pub(super) const CODES: &[&Code] = &[&PASSWORD];
/// Every code of this file.
#[cfg(not(feature = "pkcs11"))]
pub(super) const CODES: &[&Code] = &[&PASSWORD, &NO_TOKENS_BUILT];

const MAX_FILE: u64 = 1 << 20;
const MAX_SECRET: u64 = 1 << 16;

/// A secret that cannot be found.
pub(super) const PASSWORD: Code = Code {
    id: "SEAL-050",
    class: Class::Setup,
    vi: "Không lấy được mật khẩu của khoá",
    en: "the password of the key cannot be had",
    remedy_vi: "Khai --passfile TỆP, hoặc --password env:TÊN_BIẾN",
    remedy_en: "give --passfile FILE, or --password env:NAME",
};

/// This program was built without tokens.
#[cfg(not(feature = "pkcs11"))]
pub(super) const NO_TOKENS_BUILT: Code = Code {
    id: "SEAL-054",
    class: Class::Setup,
    vi: "Bản hoso này được dựng không kèm thiết bị ký PKCS#11",
    en: "this build of hoso has no PKCS#11",
    remedy_vi: "Dùng bản dựng mặc định (feature pkcs11)",
    remedy_en: "use one built with the default features (pkcs11)",
};
