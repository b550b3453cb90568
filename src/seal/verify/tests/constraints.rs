//! Authorities that may only name some people, or only under some policy.

use super::*;
use crate::der;
use openssl::x509::extension::KeyUsage;

const NAMES: &str = "2.5.29.30";
const POLICIES: &str = "2.5.29.32";
const MAPPINGS: &str = "2.5.29.33";
const POLICY_CONSTRAINTS: &str = "2.5.29.36";
const NO_ANY_POLICY: &str = "2.5.29.54";
const OTHER_NAMES: &str = "2.5.29.17";
type More = Vec<(&'static str, bool, Vec<u8>)>;

/// Trust, and all that is said about a signature by somebody below two authorities, of which the upper one says `above`.
fn judge(above: More, lower: More, own: More) -> (Trust, String) {
    let top = root("TEST root");
    let mut usage = KeyUsage::new();
    usage.critical().key_cert_sign().crl_sign();
    let upper = certify(&Ask { ca: true, usage: Some(usage), more: above, ..ask("TEST upper", &top) });
    let mut usage = KeyUsage::new();
    usage.critical().key_cert_sign().crl_sign();
    let middle = certify(&Ask { ca: true, usage: Some(usage), more: lower, ..ask("TEST lower", &upper) });
    let officer = certify(&Ask { more: own, ..ask("TEST officer", &middle) });
    let mut anchors = Anchors::default();
    anchors.add(top.certificate);
    let shape = Shape { above: vec![upper.certificate, middle.certificate], ..Shape::default() };
    let pdf = sign(&paper(), 20, PADES, &|over| cms(&officer, over, &shape));
    let report = verify_pdf(&pdf, &anchors, now());
    let chain = &report.signatures[0].chain;
    (chain.trust, chain.problems.iter().filter_map(|p| p.detail.clone()).collect())
}

/// A general name of a kind.
fn directory(country: &str, person: Option<&str>) -> Vec<u8> {
    let part = |oid: &[u64], tag: u8, text: &str| {
        der::set_of(&[&der::sequence(&[&der::oid(oid), &der::tlv(tag, text.as_bytes())])])
    };
    let country = part(&[2, 5, 4, 6], 0x13, country);
    let person = person.map(|name| part(&[2, 5, 4, 3], 0x0c, name)).unwrap_or_default();
    der::tlv(0xa4, &der::sequence(&[&country, &person]))
}

fn names(permitted: &[Vec<u8>], excluded: &[Vec<u8>], critical: bool) -> More {
    let trees = |tag: u8, list: &[Vec<u8>]| {
        let list: Vec<u8> = list.iter().flat_map(|name| der::sequence(&[name])).collect();
        if list.is_empty() { list } else { der::tlv(tag, &list) }
    };
    vec![(NAMES, critical, der::sequence(&[&trees(0xa0, permitted), &trees(0xa1, excluded)]))]
}

fn mail(address: &str) -> More {
    vec![(OTHER_NAMES, false, der::sequence(&[&der::tlv(0x81, address.as_bytes())]))]
}

fn policies(oids: &[&[u64]]) -> More {
    let list: Vec<u8> = oids.iter().flat_map(|oid| der::sequence(&[&der::oid(oid)])).collect();
    vec![(POLICIES, false, der::tlv(0x30, &list))]
}

const ANY: &[u64] = &[2, 5, 29, 32, 0];
const OURS: &[u64] = &[1, 2, 3, 4];
const THEIRS: &[u64] = &[1, 2, 3, 5];

#[test]
fn an_authority_names_only_those_whom_it_may() {
    let good: [(More, More); 5] = [
        (names(&[directory("VN", None)], &[], true), vec![]),
        (names(&[directory("US", None), directory("VN", None)], &[], true), vec![]),
        (names(&[], &[directory("US", None), directory("VN", Some("Other"))], true), vec![]),
        (names(&[der::tlv(0x81, b".gov.vn")], &[], true), mail("a@cqnn.gov.vn")),
        // Constraints of a kind of names that nobody has.
        (names(&[der::tlv(0x82, b"gov.vn")], &[], true), vec![]),
    ];
    for (number, (above, own)) in good.into_iter().enumerate() {
        let judged = judge(above, vec![], own);
        assert_eq!(judged, (Trust::Trusted, String::new()), "{number}");
    }
    let bad: [(More, More); 7] = [
        (names(&[directory("US", None)], &[], true), vec![]),
        (names(&[directory("US", None)], &[], false), vec![]),
        (names(&[], &[directory("VN", None)], true), vec![]),
        (names(&[directory("VN", None)], &[directory("VN", Some("TEST officer"))], true), vec![]),
        (names(&[directory("VN", Some("TEST lower"))], &[], true), vec![]),
        (names(&[der::tlv(0x81, b".gov.vn")], &[], true), mail("a@evil.example")),
        (names(&[], &[der::tlv(0x81, b"evil.example")], true), mail("a@evil.example")),
    ];
    for (number, (above, own)) in bad.into_iter().enumerate() {
        let (trust, why) = judge(above, vec![], own);
        assert_eq!(trust, Trust::Untrusted, "{number}");
        assert!(why.contains("subtree violation"), "{number}: {why}");
    }
    let (trust, why) = judge(vec![(NAMES, true, b"\x30\x03abc".to_vec())], vec![], vec![]);
    assert_eq!(trust, Trust::Untrusted);
    assert!(!why.is_empty());
}

#[test]
fn where_a_policy_must_be_agreed_to_one_is() {
    let explicit = |after: u8| (POLICY_CONSTRAINTS, true, der::sequence(&[&der::tlv(0x80, &[after])]));
    let no_mapping = (POLICY_CONSTRAINTS, true, der::sequence(&[&der::tlv(0x81, &[0])]));
    let both = (POLICY_CONSTRAINTS, true, der::sequence(&[&der::tlv(0x80, &[0]), &der::tlv(0x81, &[0])]));
    let no_any = (NO_ANY_POLICY, true, der::integer(&[0]));
    let maps = (MAPPINGS, true, der::sequence(&[&der::sequence(&[&der::oid(OURS), &der::oid(THEIRS)])]));
    let with = |mut list: More, one: &(&'static str, bool, Vec<u8>)| {
        list.push(one.clone());
        list
    };
    let good: [(More, More, More); 6] = [
        (with(policies(&[OURS]), &explicit(0)), policies(&[OURS]), policies(&[OURS])),
        (with(policies(&[ANY]), &explicit(0)), policies(&[ANY]), policies(&[OURS])),
        // Not before three more certificates.
        (vec![explicit(3)], vec![], vec![]),
        (vec![no_any.clone()], vec![], vec![]),
        (with(with(policies(&[OURS]), &explicit(0)), &maps), policies(&[THEIRS]), policies(&[THEIRS])),
        (with(policies(&[OURS]), &no_mapping), policies(&[OURS]), policies(&[OURS])),
    ];
    for (number, (above, lower, own)) in good.into_iter().enumerate() {
        assert_eq!(judge(above, lower, own), (Trust::Trusted, String::new()), "{number}");
    }
    let bad: [(More, More, More); 6] = [
        (vec![explicit(0)], vec![], vec![]),
        (vec![explicit(1)], vec![], vec![]),
        (with(policies(&[OURS]), &explicit(0)), policies(&[OURS]), policies(&[THEIRS])),
        (with(policies(&[OURS]), &explicit(0)), vec![], policies(&[OURS])),
        (with(with(policies(&[ANY]), &explicit(0)), &no_any), policies(&[ANY]), policies(&[OURS])),
        (with(policies(&[OURS]), &both), with(policies(&[OURS]), &maps), policies(&[THEIRS])),
    ];
    for (number, (above, lower, own)) in bad.into_iter().enumerate() {
        let (trust, why) = judge(above, lower, own);
        assert_eq!(trust, Trust::Untrusted, "{number}");
        assert!(why.to_lowercase().contains("policy"), "{number}: {why}");
    }
}

#[test]
fn a_demand_that_nobody_understands_is_named() {
    for place in 0..3 {
        let mut says: [More; 3] = Default::default();
        says[place].push(("1.2.3.4.5", true, b"\x05\x00".to_vec()));
        let [above, lower, own] = says;
        let (trust, why) = judge(above, lower, own);
        assert_eq!(trust, Trust::Untrusted);
        assert!(why.contains("1.2.3.4.5"), "{why}");
    }
    let idle = vec![("1.2.3.4.5", false, b"\x05\x00".to_vec())];
    assert_eq!(judge(idle, vec![], vec![]).0, Trust::Trusted);
}
