//! Which object on a token is the key, and which certificate is its own.

use super::session::fault;
use super::{NO_CERTIFICATE, NO_KEY, Uri};
use crate::fault::{Fault, Outcome};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use openssl::bn::BigNum;
use openssl::pkey::{PKey, Public};
use openssl::x509::X509;

/// A key with what belongs to it.
pub(super) struct Found {
    pub(super) key: ObjectHandle,
    pub(super) certificate: X509,
    pub(super) others: Vec<X509>,
    pub(super) always_authenticate: bool,
}

/// The one key that a URI names, and its certificate: by the key's id, else by its label, else the one that carries
/// its public half. Tokens are met whose certificates share neither id nor label with their keys.
pub(super) fn find(session: &Session, uri: &Uri, given: Vec<X509>) -> Outcome<Found> {
    let certificates = certificates(session)?;
    let key = key(session, uri, &certificates)?;
    let half = half(session, &key)?;
    // With the public half known, a certificate of another key is never taken, whatever its id says.
    let may_be = |c: &X509| half.as_ref().is_none_or(|half| half.is_of(c));
    let surely = |c: &X509| half.as_ref().is_some_and(|half| half.is_of(c));
    let same = |a: &[u8], b: &[u8]| !a.is_empty() && a == b;
    let own = given
        .iter()
        .find(|c| surely(c))
        .or_else(|| certificates.iter().find(|c| same(&c.id, &key.id) && may_be(&c.x509)).map(|c| &c.x509))
        .or_else(|| {
            certificates.iter().find(|c| same(&c.label, &key.label) && may_be(&c.x509)).map(|c| &c.x509)
        })
        .or_else(|| certificates.iter().find(|c| surely(&c.x509)).map(|c| &c.x509))
        // The public half is unknown: the first signature will show whether the certificate that was handed in fits.
        .or_else(|| given.first().filter(|c| may_be(c)))
        .cloned()
        .ok_or_else(|| Fault::new(&NO_CERTIFICATE))?;
    let always = read(session, key.handle, AttributeType::AlwaysAuthenticate)?;
    let others = given.into_iter().chain(certificates.into_iter().map(|c| c.x509)).collect();
    Ok(Found {
        key: key.handle,
        certificate: own,
        others,
        always_authenticate: matches!(always, Some(Attribute::AlwaysAuthenticate(true))),
    })
}

struct Key {
    handle: ObjectHandle,
    id: Vec<u8>,
    label: Vec<u8>,
}

struct Certificate {
    x509: X509,
    id: Vec<u8>,
    label: Vec<u8>,
}

/// The public half of a key, as far as a token tells it.
enum Half {
    Modulus(BigNum),
    /// Octets of an uncompressed point.
    Point(Vec<u8>),
}

impl Half {
    fn is_of(&self, certificate: &X509) -> bool {
        let Ok(public) = certificate.public_key() else { return false };
        match self {
            Half::Modulus(modulus) => public.rsa().is_ok_and(|rsa| rsa.n() == modulus),
            Half::Point(point) => point_of(&public).is_some_and(|p| &p == point),
        }
    }
}

fn key(session: &Session, uri: &Uri, certificates: &[Certificate]) -> Outcome<Key> {
    let all = objects(session, ObjectClass::PRIVATE_KEY)?;
    let mut keys = Vec::new();
    for handle in all {
        if matches!(read(session, handle, AttributeType::Sign)?, Some(Attribute::Sign(false))) {
            continue;
        }
        let (id, label) = name(session, handle)?;
        keys.push(Key { handle, id, label });
    }
    if let Some(id) = &uri.id {
        keys.retain(|key| &key.id == id);
    }
    if let Some(label) = uri.object.as_ref().map(String::as_bytes) {
        let by_certificate =
            |key: &Key| certificates.iter().any(|c| c.label == label && !c.id.is_empty() && c.id == key.id);
        let named = keys.iter().any(|key| key.label == label);
        keys.retain(|key| if named { key.label == label } else { by_certificate(key) });
    }
    let count = keys.len();
    match (keys.pop(), count) {
        (Some(only), 1) => Ok(only),
        _ => Err(Fault::new(&NO_KEY).detail(format!("{count} keys"))),
    }
}

fn certificates(session: &Session) -> Outcome<Vec<Certificate>> {
    let mut out = Vec::new();
    for handle in objects(session, ObjectClass::CERTIFICATE)? {
        let Some(Attribute::Value(der)) = read(session, handle, AttributeType::Value)? else { continue };
        if der.len() > MAX_CERTIFICATE {
            continue;
        }
        let Ok(x509) = X509::from_der(&der) else { continue };
        let (id, label) = name(session, handle)?;
        out.push(Certificate { x509, id, label });
    }
    Ok(out)
}

fn half(session: &Session, key: &Key) -> Outcome<Option<Half>> {
    if let Some(Attribute::Modulus(modulus)) = read(session, key.handle, AttributeType::Modulus)? {
        return Ok(BigNum::from_slice(&modulus).ok().map(Half::Modulus));
    }
    // A private EC key does not carry its point; the public key of the same id does.
    for handle in objects(session, ObjectClass::PUBLIC_KEY)? {
        let (id, _) = name(session, handle)?;
        if !id.is_empty()
            && id == key.id
            && let Some(Attribute::EcPoint(point)) = read(session, handle, AttributeType::EcPoint)?
        {
            // An OCTET STRING around the point by the standard, the bare point by some modules.
            let inner = crate::der::only(&point, 0x04).map(|t| t.content.to_vec());
            return Ok(Some(Half::Point(match inner {
                Ok(inner) if inner.first() == Some(&0x04) => inner,
                _ => point,
            })));
        }
    }
    Ok(None)
}

fn point_of(public: &PKey<Public>) -> Option<Vec<u8>> {
    let ec = public.ec_key().ok()?;
    let mut context = openssl::bn::BigNumContext::new().ok()?;
    let form = openssl::ec::PointConversionForm::UNCOMPRESSED;
    ec.public_key().to_bytes(ec.group(), form, &mut context).ok()
}

fn objects(session: &Session, class: ObjectClass) -> Outcome<Vec<ObjectHandle>> {
    let mut out = Vec::new();
    for handle in session.iter_objects(&[Attribute::Class(class)]).map_err(fault)?.take(MAX_OBJECTS) {
        out.push(handle.map_err(fault)?);
    }
    Ok(out)
}

fn name(session: &Session, handle: ObjectHandle) -> Outcome<(Vec<u8>, Vec<u8>)> {
    let id = match read(session, handle, AttributeType::Id)? {
        Some(Attribute::Id(id)) => id,
        _ => Vec::new(),
    };
    let label = match read(session, handle, AttributeType::Label)? {
        Some(Attribute::Label(label)) => label,
        _ => Vec::new(),
    };
    Ok((id, label))
}

/// One attribute, where the token has it: asked for one by one, since some modules fail the lot for one they lack.
fn read(session: &Session, handle: ObjectHandle, kind: AttributeType) -> Outcome<Option<Attribute>> {
    match session.get_attributes(handle, &[kind]) {
        Ok(mut found) => Ok(found.pop()),
        Err(e) => {
            let fault = fault(e);
            if fault.code == &super::TOKEN_GONE { Err(fault) } else { Ok(None) }
        }
    }
}

const MAX_OBJECTS: usize = 256;
const MAX_CERTIFICATE: usize = 64 * 1024;
