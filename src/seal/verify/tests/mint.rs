//! Mints what the tests judge: a small PKI, PDFs of one page, signatures of every good and bad shape. Unit tests and
//! those beside other people's programs share it; `ground` is what each of them takes from the library.

use super::ground::{Parts, Sha256, der};
use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Extension, X509NameBuilder};

/// 2026-06-01T00:00:00Z: what the tests take for now.
pub(super) const NOW: i64 = 1_780_272_000;
const DAY: i64 = 86_400;

#[derive(Clone)]
pub(super) struct Holder {
    pub(super) key: PKey<Private>,
    pub(super) certificate: X509,
}

/// What a certificate is to be like.
pub(super) struct Ask<'a> {
    pub(super) name: &'a str,
    pub(super) issuer: Option<&'a Holder>,
    pub(super) ca: bool,
    pub(super) usage: Option<KeyUsage>,
    pub(super) stamping: bool,
    pub(super) days: (i64, i64),
    pub(super) rsa: Option<u32>,
    pub(super) hash: MessageDigest,
    /// Further extensions: which, whether critical, and their DER.
    pub(super) more: Vec<(&'a str, bool, Vec<u8>)>,
}

pub(super) fn ask<'a>(name: &'a str, issuer: &'a Holder) -> Ask<'a> {
    let mut usage = KeyUsage::new();
    usage.critical().digital_signature().non_repudiation();
    Ask {
        name,
        issuer: Some(issuer),
        ca: false,
        usage: Some(usage),
        stamping: false,
        days: (-30, 365),
        rsa: None,
        hash: MessageDigest::sha256(),
        more: Vec::new(),
    }
}

pub(super) fn root(name: &str) -> Holder {
    let mut usage = KeyUsage::new();
    usage.critical().key_cert_sign().crl_sign();
    certify(&Ask {
        name,
        issuer: None,
        ca: true,
        usage: Some(usage),
        stamping: false,
        days: (-400, 4000),
        rsa: None,
        hash: MessageDigest::sha256(),
        more: Vec::new(),
    })
}

pub(super) fn intermediate(name: &str, issuer: &Holder) -> Holder {
    let mut usage = KeyUsage::new();
    usage.critical().key_cert_sign().crl_sign();
    certify(&Ask { ca: true, usage: Some(usage), ..ask(name, issuer) })
}

pub(super) fn certify(ask: &Ask<'_>) -> Holder {
    let key = match ask.rsa {
        Some(bits) => PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap(),
        None => {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
            PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
        }
    };
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("C", "VN").unwrap();
    name.append_entry_by_text("CN", ask.name).unwrap();
    let name = name.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(64, openssl::bn::MsbOption::ONE, false).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&serial).unwrap()).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(ask.issuer.map_or(&*name, |i| i.certificate.subject_name())).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(NOW + ask.days.0 * DAY).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(NOW + ask.days.1 * DAY).unwrap()).unwrap();
    builder.set_pubkey(&key).unwrap();
    let mut constraints = BasicConstraints::new();
    constraints.critical();
    if ask.ca {
        constraints.ca();
    }
    builder.append_extension(constraints.build().unwrap()).unwrap();
    if let Some(usage) = &ask.usage {
        builder.append_extension(usage.build().unwrap()).unwrap();
    }
    if ask.stamping {
        builder
            .append_extension(ExtendedKeyUsage::new().critical().time_stamping().build().unwrap())
            .unwrap();
    }
    let issuer_certificate = ask.issuer.map(|i| i.certificate.clone());
    let context = builder.x509v3_context(issuer_certificate.as_deref(), None);
    let subject_id = SubjectKeyIdentifier::new().build(&context).unwrap();
    let authority_id = ask.issuer.map(|_| AuthorityKeyIdentifier::new().keyid(true).build(&context).unwrap());
    builder.append_extension(subject_id).unwrap();
    if let Some(id) = authority_id {
        builder.append_extension(id).unwrap();
    }
    for (oid, critical, value) in &ask.more {
        let (oid, value) =
            (Asn1Object::from_str(oid).unwrap(), Asn1OctetString::new_from_bytes(value).unwrap());
        builder.append_extension(X509Extension::new_from_der(&oid, *critical, &value).unwrap()).unwrap();
    }
    builder.sign(ask.issuer.map_or(&key, |i| &i.key), ask.hash).unwrap();
    Holder { key, certificate: builder.build() }
}

/// A revocation list by `issuer` that names these certificates, DER. `days` from now to the next update.
pub(super) fn crl(issuer: &Holder, revoked: &[(&X509, i64)], days: i64, extension: bool) -> Vec<u8> {
    let time = |at: i64| {
        let text = jiff::Timestamp::from_second(at).unwrap().strftime("%y%m%d%H%M%SZ").to_string();
        der::tlv(0x17, text.as_bytes())
    };
    let entries: Vec<Vec<u8>> = revoked
        .iter()
        .map(|(certificate, at)| {
            let serial = Parts::of(certificate).unwrap().serial;
            der::sequence(&[&der::tlv(2, &serial), &time(*at)])
        })
        .collect();
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    let list = if entries.is_empty() { Vec::new() } else { der::sequence(&entries) };
    let idp = der::sequence(&[
        &der::oid(&[2, 5, 29, 28]),
        &[1, 1, 0xff],
        &der::octet_string(&der::sequence(&[&der::tlv(0x82, &[0xff])])),
    ]);
    let idp = if extension { der::tlv(0xa0, &der::sequence(&[&idp])) } else { Vec::new() };
    let algorithm = der::sequence(&[&der::oid(&[1, 2, 840, 10045, 4, 3, 2])]);
    let tbs = der::sequence(&[
        &der::integer(&[1]),
        &algorithm,
        &issuer.certificate.subject_name().to_der().unwrap(),
        &time(NOW - DAY),
        &time(NOW + days * DAY),
        &list,
        &idp,
    ]);
    let signature = raw_sign(&issuer.key, MessageDigest::sha256(), &tbs);
    der::sequence(&[&tbs, &algorithm, &der::tlv(3, &[&[0], &signature[..]].concat())])
}

/// Makes a time stamp token over a signature.
pub(super) type Stamp<'a> = dyn Fn(&[u8]) -> Vec<u8> + 'a;

/// How a CMS is to be made wrong; the default is right.
#[derive(Clone)]
pub(super) struct Shape<'a> {
    pub(super) content: Option<&'a [u8]>,
    pub(super) attributes: bool,
    pub(super) ess: Option<&'a X509>,
    pub(super) no_ess: bool,
    pub(super) twice: bool,
    pub(super) signers: usize,
    pub(super) sha1: bool,
    pub(super) indefinite: bool,
    pub(super) padding: &'a [u8],
    pub(super) stamp: Option<&'a Stamp<'a>>,
    pub(super) above: Vec<X509>,
    pub(super) content_type: &'a [u64],
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Shape {
            content: None,
            attributes: true,
            ess: None,
            no_ess: false,
            twice: false,
            signers: 1,
            sha1: false,
            indefinite: false,
            padding: &[],
            stamp: None,
            above: Vec::new(),
            content_type: &[1, 2, 840, 113_549, 1, 7, 1],
        }
    }
}

pub(super) fn cms(holder: &Holder, over: &[u8], shape: &Shape<'_>) -> Vec<u8> {
    let (md, digest_algorithm) = if shape.sha1 {
        (MessageDigest::sha1(), der::sequence(&[&der::oid(&[1, 3, 14, 3, 2, 26])]))
    } else {
        (MessageDigest::sha256(), sha256_identifier())
    };
    let digest = openssl::hash::hash(md, over).unwrap();
    let attribute = |oid: &[u64], value: &[u8]| der::sequence(&[&der::oid(oid), &der::set_of(&[value])]);
    let certificate = holder.certificate.to_der().unwrap();
    let named = shape.ess.map_or(certificate.clone(), |c| c.to_der().unwrap());
    let ess = der::sequence(&[&der::octet_string(&Sha256::of(&named).0)]);
    let ess = attribute(&[1, 2, 840, 113_549, 1, 9, 16, 2, 47], &der::sequence(&[&der::sequence(&[&ess])]));
    let kind = attribute(&[1, 2, 840, 113_549, 1, 9, 3], &der::oid(shape.content_type));
    let hash = attribute(&[1, 2, 840, 113_549, 1, 9, 4], &der::octet_string(&digest));
    let mut list: Vec<&[u8]> = vec![&kind, &hash];
    if !shape.no_ess {
        list.push(&ess);
    }
    if shape.twice {
        list.push(&hash);
    }
    let attributes = der::set_of(&list);
    let to_sign = if shape.attributes { &attributes[..] } else { over };
    let signature = raw_sign(&holder.key, md, to_sign);
    let mut embedded = if shape.attributes { attributes.clone() } else { Vec::new() };
    if let Some(first) = embedded.first_mut() {
        *first = 0xa0;
    }
    let parts = Parts::of(&holder.certificate).unwrap();
    let unsigned = shape.stamp.map_or_else(Vec::new, |stamp| {
        der::tlv(0xa1, &attribute(&[1, 2, 840, 113_549, 1, 9, 16, 2, 14], &stamp(&signature)))
    });
    let algorithm = match holder.key.id() {
        openssl::pkey::Id::RSA => der::sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 1, 1]), &der::null()]),
        _ if shape.sha1 => der::sequence(&[&der::oid(&[1, 2, 840, 10045, 4, 1])]),
        _ => der::sequence(&[&der::oid(&[1, 2, 840, 10045, 4, 3, 2])]),
    };
    let signer = der::sequence(&[
        &der::integer(&[1]),
        &der::sequence(&[&parts.issuer, &der::tlv(2, &parts.serial)]),
        &digest_algorithm,
        &embedded,
        &algorithm,
        &der::octet_string(&signature),
        &unsigned,
    ]);
    let content = shape.content.map_or_else(Vec::new, |c| der::tlv(0xa0, &der::octet_string(c)));
    let above: Vec<Vec<u8>> = shape.above.iter().map(|c| c.to_der().unwrap()).collect();
    let mut certificates: Vec<&[u8]> = above.iter().map(Vec::as_slice).collect();
    certificates.push(&certificate);
    let mut set = der::set_of(&certificates);
    set[0] = 0xa0;
    let signers = vec![&signer[..]; shape.signers];
    let is_data = shape.content_type == [1, 2, 840, 113_549, 1, 7, 1];
    let signed = der::sequence(&[
        &der::integer(&[if is_data { 1 } else { 3 }]),
        &der::set_of(&[&digest_algorithm]),
        &der::sequence(&[&der::oid(shape.content_type), &content]),
        &set,
        &der::tlv(0x31, &signers.concat()),
    ]);
    let mut out = der::sequence(&[&der::oid(&[1, 2, 840, 113_549, 1, 7, 2]), &der::tlv(0xa0, &signed)]);
    if shape.indefinite {
        let body = [der::oid(&[1, 2, 840, 113_549, 1, 7, 2]), der::tlv(0xa0, &signed)].concat();
        out = [&[0x30, 0x80], &body[..], &[0, 0]].concat();
    }
    out.extend_from_slice(shape.padding);
    out
}

/// A time stamp token over `over` at a time.
pub(super) fn token(authority: &Holder, over: &[u8], at: i64, shape: &Shape<'_>) -> Vec<u8> {
    const TST_INFO: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 1, 4];
    let time = jiff::Timestamp::from_second(at).unwrap().strftime("%Y%m%d%H%M%SZ").to_string();
    let info = der::sequence(&[
        &der::integer(&[1]),
        &der::oid(&[1, 2, 3]),
        &der::sequence(&[&sha256_identifier(), &der::octet_string(&Sha256::of(over).0)]),
        &der::integer(&[7]),
        &der::tlv(0x18, time.as_bytes()),
    ]);
    cms(authority, &info, &Shape { content: Some(&info), content_type: TST_INFO, ..shape.clone() })
}

fn sha256_identifier() -> Vec<u8> {
    der::sequence(&[&der::oid(&[2, 16, 840, 1, 101, 3, 4, 2, 1]), &der::null()])
}

fn raw_sign(key: &PKey<Private>, md: MessageDigest, bytes: &[u8]) -> Vec<u8> {
    Signer::new(md, key).unwrap().sign_oneshot_to_vec(bytes).unwrap()
}

/// How the cross-references of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Table,
    /// Cross-reference streams, and small objects in object streams.
    Packed,
}

/// One page with text, a text field, an empty signature field and document information; xref table.
pub(super) fn paper() -> Vec<u8> {
    paper_in(Style::Table)
}

/// As [`paper`], in either style. The field `name` may be filled in.
pub(super) fn paper_in(style: Style) -> Vec<u8> {
    let content = "BT /F1 12 Tf 72 700 Td (Quyet dinh so 1) Tj ET q 60 0 0 60 72 400 cm /X Do Q";
    let image = "0123456789abcdef";
    let objects = [
        "<</Type/Catalog/Pages 2 0 R/AcroForm 6 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Annots 8 0 R/Resources<</Font<</F1 10 0 R>>/XObject<</X 11 0 R>>>>>>"
            .to_owned(),
        format!("<</Length {}>>stream\n{content}\nendstream", content.len()),
        "<</Producer(test)/Title(Quyet dinh)>>".to_owned(),
        "<</Fields[7 0 R 9 0 R]/SigFlags 3>>".to_owned(),
        "<</FT/Tx/T(name)/V(Nguyen)/Type/Annot/Subtype/Widget/Rect[72 600 200 620]/P 3 0 R>>".to_owned(),
        "[7 0 R 9 0 R]".to_owned(),
        "<</FT/Sig/T(Waiting)/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>".to_owned(),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
        format!(
            "<</Type/XObject/Subtype/Image/Width 4/Height 4/BitsPerComponent 8/ColorSpace/DeviceGray/Length {}>>stream\n{image}\nendstream",
            image.len()
        ),
    ];
    let numbered: Vec<(u32, String)> = (1..).zip(objects).collect();
    write_in(style, b"%PDF-1.7\n", &numbered, "/Root 1 0 R/Info 5 0 R/ID[<00><00>]", None)
}

/// An update with these objects, in the style of the file; an empty body frees its number.
pub(super) fn update(pdf: &[u8], objects: &[(u32, String)]) -> Vec<u8> {
    let prev = startxref(pdf);
    write_in(style_of(pdf), pdf, objects, "/Root 1 0 R/Info 5 0 R/ID[<00><01>]", Some(prev))
}

pub(super) fn style_of(pdf: &[u8]) -> Style {
    if pdf[startxref(pdf)..].starts_with(b"xref") { Style::Table } else { Style::Packed }
}

pub(super) fn startxref(pdf: &[u8]) -> usize {
    let at = pdf.windows(9).rposition(|w| w == b"startxref").unwrap();
    let text = String::from_utf8_lossy(&pdf[at + 9..]).trim().to_owned();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

pub(super) fn write(pdf: &[u8], objects: &[(u32, String)], trailer: &str, prev: Option<usize>) -> Vec<u8> {
    write_in(Style::Table, pdf, objects, trailer, prev)
}

pub(super) fn write_in(
    style: Style,
    pdf: &[u8],
    objects: &[(u32, String)],
    trailer: &str,
    prev: Option<usize>,
) -> Vec<u8> {
    let prev = prev.map(|p| format!("/Prev {p}")).unwrap_or_default();
    if style == Style::Packed {
        return write_packed(pdf, objects, &format!("{trailer}{prev}"));
    }
    let mut out = pdf.to_vec();
    let mut rows = String::new();
    for (number, body) in objects {
        if body.is_empty() {
            rows += &format!("{number} 1\n0000000000 65535 f \n");
            continue;
        }
        rows += &format!("{number} 1\n{:010} 00000 n \n", out.len());
        out.extend_from_slice(format!("{number} 0 obj\n{body}\nendobj\n").as_bytes());
    }
    let xref = out.len();
    let size = next_number(pdf, objects);
    let text = format!("xref\n{rows}trailer\n<</Size {size}{trailer}{prev}>>\nstartxref\n{xref}\n%%EOF\n");
    out.extend_from_slice(text.as_bytes());
    out
}

/// One more than every number so far: judges take lower ones for taken.
fn next_number(pdf: &[u8], objects: &[(u32, String)]) -> u32 {
    let size = pdf.windows(6).rposition(|w| w == b"/Size ").map_or(0, |at| {
        let digits: String =
            pdf[at + 6..].iter().map(|b| char::from(*b)).take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    });
    objects.iter().map(|(number, _)| number + 1).max().unwrap_or(0).max(size)
}

fn write_packed(pdf: &[u8], objects: &[(u32, String)], trailer: &str) -> Vec<u8> {
    let mut out = pdf.to_vec();
    let pack = next_number(pdf, objects);
    let own = pack + 1;
    let mut rows: Vec<(u32, [u8; 7])> = Vec::new();
    let row = |kind: u8, b: usize, c: usize| {
        let (b, c) = (u32::try_from(b).unwrap().to_be_bytes(), u16::try_from(c).unwrap().to_be_bytes());
        [kind, b[0], b[1], b[2], b[3], c[0], c[1]]
    };
    let (mut head, mut body) = (String::new(), String::new());
    let mut packed = 0;
    for (number, text) in objects {
        if text.is_empty() {
            rows.push((*number, row(0, 0, 65535)));
        } else if text.contains("stream") || text.contains("/ByteRange") {
            rows.push((*number, row(1, out.len(), 0)));
            out.extend_from_slice(format!("{number} 0 obj\n{text}\nendobj\n").as_bytes());
        } else {
            rows.push((*number, row(2, usize::try_from(pack).unwrap(), packed)));
            head += &format!("{number} {} ", body.len());
            body += &format!("{text} ");
            packed += 1;
        }
    }
    if packed > 0 {
        rows.push((pack, row(1, out.len(), 0)));
        let text = format!("{head}{body}");
        let dict = format!("<</Type/ObjStm/N {packed}/First {}/Length {}>>", head.len(), text.len());
        out.extend_from_slice(format!("{pack} 0 obj\n{dict}stream\n{text}\nendstream\nendobj\n").as_bytes());
    }
    let xref = out.len();
    rows.push((own, row(1, xref, 0)));
    rows.sort_unstable_by_key(|(number, _)| *number);
    let index: String = rows.iter().map(|(number, _)| format!("{number} 1 ")).collect();
    let data: Vec<u8> = rows.iter().flat_map(|(_, row)| *row).collect();
    let size = own + 1;
    let dict = format!("<</Type/XRef/Size {size}/W[1 4 2]/Index[{index}]/Length {}{trailer}>>", data.len());
    out.extend_from_slice(format!("{own} 0 obj\n{dict}stream\n").as_bytes());
    out.extend_from_slice(&data);
    out.extend_from_slice(format!("\nendstream\nendobj\nstartxref\n{xref}\n%%EOF\n").as_bytes());
    out
}

pub(super) const HOLE: usize = 12_000;

/// Signs a paper: object `first` the signature, the next one its field and widget, on the page and in the form.
pub(super) fn sign(pdf: &[u8], first: u32, filter: &str, cms: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let earlier = (20..first).filter(|n| {
        let name = format!("/T(Sig{n})");
        pdf.windows(name.len()).any(|w| w == name.as_bytes())
    });
    let earlier: String = earlier.map(|n| format!("{} 0 R ", n + 1)).collect();
    sign_with(pdf, first, filter, "", &earlier, cms)
}

/// As [`sign`], with more in the signature dictionary and the list of earlier fields given.
pub(super) fn sign_with(
    pdf: &[u8],
    first: u32,
    filter: &str,
    extra: &str,
    earlier: &str,
    cms: &dyn Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let field = first + 1;
    let list = format!("7 0 R 9 0 R {earlier}{field} 0 R");
    let widget = format!(
        "<</FT/Sig/T(Sig{first})/V {first} 0 R/Type/Annot/Subtype/Widget/Rect[0 0 0 0]/F 132/P 3 0 R>>"
    );
    let others = [(field, widget), (8, format!("[{list}]")), (6, format!("<</Fields[{list}]/SigFlags 3>>"))];
    seal(pdf, first, filter, extra, &others, cms)
}

/// Appends a signature dictionary and other objects in one update, and signs it.
pub(super) fn seal(
    pdf: &[u8],
    value: u32,
    filter: &str,
    extra: &str,
    others: &[(u32, String)],
    cms: &dyn Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let kind = if filter == "ETSI.RFC3161" { "DocTimeStamp" } else { "Sig" };
    let hole = "0".repeat(HOLE);
    let range = "[0 0000000000 0000000000 0000000000]";
    let dict = format!(
        "<</Type/{kind}/Filter/Adobe.PPKLite/SubFilter/{filter}/M(D:20260601070000+07'00'){extra}/ByteRange {range}/Contents <{hole}>>>"
    );
    let mut out = update(pdf, &[&[(value, dict)], others].concat());
    let open = pdf.len() + find(&out[pdf.len()..], format!("<{hole}>").as_bytes());
    let close = open + HOLE + 2;
    let text = format!("[0 {open:010} {close:010} {:010}]", out.len() - close);
    let at = pdf.len() + find(&out[pdf.len()..], range.as_bytes());
    out[at..at + text.len()].copy_from_slice(text.as_bytes());
    let signed = [&out[..open], &out[close..]].concat();
    let digits = hex::encode(cms(&signed));
    assert!(digits.len() <= HOLE, "{}", digits.len());
    out[open + 1..open + 1 + digits.len()].copy_from_slice(digits.as_bytes());
    out
}

/// A stream object's text.
pub(super) fn stream(dict: &str, data: &str) -> String {
    format!("<<{dict}/Length {}>>stream\n{data}\nendstream", data.len())
}

/// The small world that signs: a root, an authority below it, an officer, a time stamp authority.
pub(super) struct Pki {
    pub(super) root: Holder,
    pub(super) inter: Holder,
    pub(super) officer: Holder,
    pub(super) stamper: Holder,
}

impl Pki {
    pub(super) fn mint() -> Pki {
        let root = root("TEST root");
        let inter = intermediate("TEST inter", &root);
        let officer = certify(&ask("TEST officer", &inter));
        let stamper = certify(&Ask { stamping: true, ..ask("TEST stamper", &root) });
        Pki { root, inter, officer, stamper }
    }

    /// Lists that revoke nobody.
    pub(super) fn lists(&self) -> [Vec<u8>; 2] {
        [crl(&self.root, &[], 7, false), crl(&self.inter, &[], 7, false)]
    }

    pub(super) fn cms(&self, over: &[u8], shape: &Shape<'_>) -> Vec<u8> {
        cms(&self.officer, over, shape)
    }

    /// A CMS with a time stamp of an hour before now.
    pub(super) fn stamped(&self, over: &[u8]) -> Vec<u8> {
        let stamp = |signature: &[u8]| self.token(signature);
        self.cms(over, &Shape { stamp: Some(&stamp), ..Shape::default() })
    }

    pub(super) fn token(&self, over: &[u8]) -> Vec<u8> {
        token(&self.stamper, over, NOW - 3600, &Shape::default())
    }
}

pub(super) fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|w| w == what).unwrap()
}
