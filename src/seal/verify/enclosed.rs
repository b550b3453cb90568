//! Evidence that lies in the file itself: the document security store (EN 319 142-1 5.4.2), and what a CMS carries beside
//! its signature (RFC 5652 5.1, the attributes of ISO 32000-1 12.8.3.3.2 and CAdES). All of it is claims until its own
//! signatures are checked.

use crate::cms::SignedData;
use crate::der::{self, DerError};
use crate::fault::Outcome;
use crate::pdf::revise::{Document, Value};
use crate::seal::evidence::Evidence;

/// What the security store of a revision holds. Entries that cannot be read are as if they were not there.
pub(super) fn of_document(document: &Document<'_>) -> Outcome<Evidence> {
    let mut evidence = Evidence::new();
    let (_, catalog) = document.catalog()?;
    let dss = document.lookup(&catalog, b"DSS")?;
    let Some(dss) = dss.as_dict() else { return Ok(evidence) };
    let mut room = MAX_DSS;
    for (key, add) in [
        (&b"Certs"[..], Evidence::add_certificate as fn(&mut Evidence, &[u8]) -> Outcome<()>),
        (b"CRLs", Evidence::add_crl),
        (b"OCSPs", Evidence::add_ocsp),
    ] {
        let list = document.lookup(dss, key)?;
        for item in list.as_array().unwrap_or_default().iter().take(MAX_ENTRIES) {
            let Ok(Value::Stream(stream)) = document.resolve(item) else { continue };
            let Ok(bytes) = document.stream_data(&Value::Stream(stream), room) else { continue };
            room = room.saturating_sub(bytes.len());
            let _ = add(&mut evidence, &bytes);
        }
    }
    Ok(evidence)
}

/// Adds what a CMS carries.
pub(super) fn of_cms(data: &SignedData, evidence: &mut Evidence) {
    evidence.certificates.extend(data.certificates.iter().cloned());
    for list in &data.crls {
        let _ = evidence.add_crl(list);
    }
    let attributes = data.signers.iter().flat_map(|s| s.attributes.iter().chain(&s.unsigned));
    for attribute in attributes.filter(|a| a.oid == ADOBE_ARCHIVAL || a.oid == REVOCATION_VALUES) {
        for value in &attribute.values {
            let _ = archived(value, evidence);
        }
    }
}

/// `SEQUENCE { [0] SEQUENCE OF CertificateList OPTIONAL, [1] SEQUENCE OF ... OPTIONAL }`: OCSP answers whole in Adobe's
/// attribute, their basic form in that of CAdES.
fn archived(value: &[u8], evidence: &mut Evidence) -> Result<(), DerError> {
    let mut fields = der::only(value, 0x30)?.reader();
    for (tag, is_list) in [(0xa0, true), (0xa1, false)] {
        let Some(set) = fields.optional(tag)? else { continue };
        let mut items = set.reader().expect(0x30)?.reader();
        while !items.is_empty() {
            let item = items.read_tlv()?;
            let _ = if is_list { evidence.add_crl(item.raw) } else { evidence.add_ocsp(item.raw) };
        }
    }
    Ok(())
}

/// adbe-revocationInfoArchival.
const ADOBE_ARCHIVAL: &str = "1.2.840.113583.1.1.8";
/// id-aa-ets-revocationValues.
const REVOCATION_VALUES: &str = "1.2.840.113549.1.9.16.2.24";
const MAX_ENTRIES: usize = 256;
/// Decoded bytes of all entries together.
const MAX_DSS: usize = 64 << 20;
