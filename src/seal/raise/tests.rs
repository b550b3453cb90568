//! Files raised, and files that are not.

use super::*;
use crate::seal::appearance::AppearanceFacts;
use crate::seal::authority::Authority;
use crate::seal::evidence::mint::{DAY, Holder, List, Mint};
use crate::seal::key::SoftKey;
use crate::seal::profile::SignatureProfile;
use crate::seal::sign::{BROKEN_BEFORE, Order, sign_sheet};
use crate::seal::timestamp::{Request, check_reply};
use crate::seal::verify::{Anchors, CoverageClass, Update, verify_pdf};
use std::collections::BTreeSet;

struct World {
    now: i64,
    root: Holder,
    sub: Holder,
    leaf: Holder,
    tsa: Holder,
}

struct Stamps(Authority);

impl TimestampSource for Stamps {
    fn stamp(&self, imprint: &Sha256) -> Outcome<Vec<u8>> {
        let request = Request::new(imprint)?;
        check_reply(&self.0.reply(&request.der, Timestamp::now()), &request).map(|stamp| stamp.token)
    }
}

fn world() -> World {
    world_with(|tsa| tsa)
}

fn world_with(shape: impl Fn(Mint<'_>) -> Mint<'_>) -> World {
    let now = Timestamp::now().as_second();
    let root = Mint::new("ROOT").at(now).ca().days(-900, 4000).made();
    let sub = Mint::new("SUB").at(now).by(&root).ca().days(-900, 2000).made();
    let leaf = Mint::new("LEAF").at(now).by(&sub).made();
    let tsa = Mint::new("TSA").at(now).by(&root).purpose(&[1, 3, 6, 1, 5, 5, 7, 3, 8]);
    let tsa = shape(tsa).made();
    World { now, root, sub, leaf, tsa }
}

impl World {
    fn stamps(&self) -> Stamps {
        let (key, certificate) = (self.tsa.key.clone(), self.tsa.certificate.clone());
        Stamps(Authority::new(SoftKey::new(key, certificate, Vec::new()).unwrap()).unwrap())
    }

    fn list<'a>(&self, issuer: &'a Holder) -> List<'a> {
        List::by(issuer).at(self.now)
    }

    /// Lists of both authorities.
    fn evidence(&self) -> Evidence {
        self.evidence_with(&self.list(&self.root), &self.list(&self.sub))
    }

    fn evidence_with(&self, root: &List<'_>, sub: &List<'_>) -> Evidence {
        let mut evidence = Evidence::new();
        evidence.add_crl(&root.made()).unwrap();
        evidence.add_crl(&sub.made()).unwrap();
        evidence
    }

    /// Signed, with or without room for a time stamp, or with one.
    fn signed(&self, pdf: &[u8], room: bool, stamped: bool) -> Vec<u8> {
        let others = vec![self.sub.certificate.clone()];
        let key = SoftKey::new(self.leaf.key.clone(), self.leaf.certificate.clone(), others).unwrap();
        let sheet = Sheet::open(Original::from(pdf.to_vec())).unwrap();
        let profile = SignatureProfile::built_in("invisible").unwrap();
        let facts = AppearanceFacts { name: "X".into(), ..Default::default() };
        let order = Order { profile: &profile, facts: &facts, at: Timestamp::now(), field: None };
        let stamps = self.stamps();
        let tail = if room && !stamped {
            let prepared = sheet.prepare(&key, &order, true).unwrap();
            let signed = crate::seal::signed_data::Draft::detached(&key, prepared.digest()).unwrap();
            prepared.finish(&signed.finish(None), Level::BB).unwrap()
        } else {
            sign_sheet(&sheet, &key, &order, stamped.then_some(&stamps as &dyn TimestampSource)).unwrap()
        };
        [pdf, &tail.bytes].concat()
    }

    fn raise(&self, pdf: &[u8], to: Level, evidence: &Evidence) -> Outcome<(Vec<u8>, Raised)> {
        let (stamps, roots) = (self.stamps(), [self.root.certificate.clone()]);
        let with =
            Raising { tsa: Some(&stamps), roots: &roots, evidence, online: None, at: Timestamp::now() };
        on_disk(|into| raise(&Original::from(pdf.to_vec()), into, to, &with))
    }

    fn renew(&self, pdf: &[u8], within: Option<i64>) -> Outcome<(Vec<u8>, Option<Raised>)> {
        let (stamps, roots) = (self.stamps(), [self.root.certificate.clone()]);
        let evidence = self.evidence();
        let with = Raising {
            tsa: Some(&stamps),
            roots: &roots,
            evidence: &evidence,
            online: None,
            at: Timestamp::now(),
        };
        let within = within.map(|days| SignedDuration::from_hours(24 * days));
        on_disk(|into| renew(&Original::from(pdf.to_vec()), into, within, &with))
    }

    /// Our verifier finds everything in order, and these kinds of updates behind the first signature.
    fn updates(&self, pdf: &[u8]) -> BTreeSet<Update> {
        let mut anchors = Anchors::default();
        anchors.add(self.root.certificate.clone());
        let report = verify_pdf(pdf, &anchors, Timestamp::now());
        assert!(report.is_proven(), "{report:#?}");
        assert!(report.signatures.iter().all(|s| s.coverage != CoverageClass::TrailingBytes));
        report.signatures[0].updates.clone()
    }
}

fn on_disk<T>(work: impl FnOnce(&File) -> Outcome<T>) -> Outcome<(Vec<u8>, T)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.pdf");
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    let done = work(&file)?;
    Ok((std::fs::read(&path).unwrap(), done))
}

fn paper() -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut rows = String::new();
    for (i, body) in [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 595 842]>>",
        "<</Type/Page/Parent 2 0 R>>",
    ]
    .iter()
    .enumerate()
    {
        rows += &format!("{:010} 00000 n\r\n", out.len());
        out.extend_from_slice(format!("{} 0 obj\n{body}\nendobj\n", i + 1).as_bytes());
    }
    let xref = out.len();
    let end = format!(
        "xref\n0 4\n0000000000 65535 f\r\n{rows}trailer\n<</Size 4/Root 1 0 R>>\nstartxref\n{xref}\n%%EOF\n"
    );
    out.extend_from_slice(end.as_bytes());
    out
}

fn in_store(pdf: &[u8]) -> (usize, usize, usize) {
    let found = dss::read(&Document::open(pdf).unwrap()).unwrap();
    (found.certificates.len(), found.ocsp.len(), found.crls.len())
}

fn refused(outcome: Outcome<(Vec<u8>, Raised)>) -> &'static str {
    outcome.err().unwrap().code.id
}

#[test]
fn a_time_stamp_goes_into_the_room_of_the_newest_signature_and_nothing_moves() {
    let w = world();
    let pdf = w.signed(&paper(), true, false);
    let (raised, done) = w.raise(&pdf, Level::BT, &Evidence::new()).unwrap();
    assert!(done.stamped_in_place && done.document_stamps.is_empty());
    assert_eq!(raised.len(), pdf.len());
    let marks = marks::read(&Original::from(raised.clone())).unwrap();
    let hole = marks[0].hole.start as usize..marks[0].hole.end as usize;
    assert!(marks[0].stamp.is_some());
    assert_eq!((&raised[..hole.start], &raised[hole.end..]), (&pdf[..hole.start], &pdf[hole.end..]));
    assert_eq!(w.updates(&raised), BTreeSet::new());
    let (again, done) = w.raise(&raised, Level::BT, &Evidence::new()).unwrap();
    assert!(done.is_unchanged() && again == raised);
}

#[test]
fn where_there_is_no_room_a_document_time_stamp_is_appended_once() {
    let w = world();
    let pdf = w.signed(&paper(), false, false);
    let (raised, done) = w.raise(&pdf, Level::BT, &Evidence::new()).unwrap();
    assert!(!done.stamped_in_place && done.document_stamps == ["Signature2"]);
    assert!(raised.starts_with(&pdf));
    assert_eq!(w.updates(&raised), BTreeSet::from([Update::DocumentTimestamp]));
    assert!(w.raise(&raised, Level::BT, &Evidence::new()).unwrap().1.is_unchanged());
    // A signature that another one covers is not to be written into, room or not.
    let two = w.signed(&w.signed(&paper(), true, false), true, false);
    let (raised, done) = w.raise(&two, Level::BT, &Evidence::new()).unwrap();
    assert_eq!((done.stamped_in_place, done.document_stamps.len()), (false, 1));
    assert!(raised.starts_with(&two));
}

#[test]
fn everything_that_is_needed_goes_into_the_file_once() {
    let w = world();
    let pdf = w.signed(&paper(), true, true);
    let (raised, done) = w.raise(&pdf, Level::BLT, &w.evidence()).unwrap();
    assert!(done.validation_data && raised.starts_with(&pdf));
    assert_eq!(in_store(&raised), (4, 0, 2), "leaf, sub, root, authority; two lists");
    assert_eq!(w.updates(&raised), BTreeSet::from([Update::ValidationData]));
    // What is in the file is enough from now on.
    assert!(w.raise(&raised, Level::BLT, &Evidence::new()).unwrap().1.is_unchanged());
    // A second signer: only what is new is added.
    let two = w.signed(&raised, true, true);
    assert!(w.raise(&two, Level::BLT, &Evidence::new()).unwrap().1.is_unchanged());
}

#[test]
fn an_unstamped_signature_is_raised_to_the_archive_level_in_one_go_and_renewed() {
    let w = world();
    for room in [true, false] {
        let pdf = w.signed(&paper(), room, false);
        let (raised, done) = w.raise(&pdf, Level::BLTA, &w.evidence()).unwrap();
        assert_eq!(done.stamped_in_place, room);
        assert_eq!(done.document_stamps.len(), if room { 1 } else { 2 });
        let kinds = BTreeSet::from([Update::DocumentTimestamp, Update::ValidationData]);
        assert_eq!(w.updates(&raised), kinds);
        assert!(w.raise(&raised, Level::BLTA, &Evidence::new()).unwrap().1.is_unchanged());
        // The authority's certificate lasts a year.
        let (nothing, done) = w.renew(&raised, Some(300)).unwrap();
        assert_eq!((nothing.len(), done), (0, None));
        for within in [Some(400), None] {
            let (renewed, done) = w.renew(&raised, within).unwrap();
            assert_eq!(done.unwrap().document_stamps.len(), 1);
            assert!(renewed.starts_with(&raised));
            w.updates(&renewed);
        }
    }
    let plain = w.signed(&paper(), true, true);
    assert_eq!(w.renew(&plain, None).err().unwrap().code.id, NOT_ARCHIVED.id);
}

#[test]
fn a_certificate_that_is_revoked_or_of_unknown_standing_stops_it() {
    let w = world();
    let pdf = w.signed(&paper(), true, true);
    let (root, sub) = (w.list(&w.root), w.list(&w.sub));
    let ask = |evidence: &Evidence| refused(w.raise(&pdf, Level::BLT, evidence));
    assert_eq!(ask(&Evidence::new()), UNKNOWN.id);
    let mut half = Evidence::new();
    half.add_crl(&root.made()).unwrap();
    assert_eq!(ask(&half), UNKNOWN.id);
    assert_eq!(ask(&w.evidence_with(&root, &w.list(&w.sub).days(-9, Some(-1)))), UNKNOWN.id);
    assert_eq!(ask(&w.evidence_with(&root, &w.list(&w.sub).revokes(&w.leaf, -1, None))), REVOKED.id);
    assert_eq!(ask(&w.evidence_with(&w.list(&w.root).revokes(&w.sub, -1, None), &sub)), REVOKED.id);
    assert_eq!(ask(&w.evidence_with(&w.list(&w.root).revokes(&w.tsa, -1, None), &sub)), REVOKED.id);
    // Revoked after it was stamped, and not for its key.
    let later = w.list(&w.sub).revokes(&w.leaf, 1, Some(4));
    assert!(w.raise(&pdf, Level::BLT, &w.evidence_with(&root, &later)).is_ok());
    let key = w.list(&w.sub).revokes(&w.leaf, 1, Some(1));
    assert_eq!(ask(&w.evidence_with(&root, &key)), REVOKED.id);
}

#[test]
fn no_root_no_authority_and_no_time_stop_it() {
    let w = world();
    let pdf = w.signed(&paper(), true, false);
    let (evidence, stamps) = (w.evidence(), w.stamps());
    let ask = |tsa: Option<&dyn TimestampSource>, root: &Holder, at: Timestamp, to: Level| {
        let roots = [root.certificate.clone()];
        let with = Raising { tsa, roots: &roots, evidence: &evidence, online: None, at };
        refused(on_disk(|into| raise(&Original::from(pdf.clone()), into, to, &with)))
    };
    let now = Timestamp::now();
    let stranger = Holder::root("ROOT");
    assert_eq!(ask(None, &w.root, now, Level::BT), NO_AUTHORITY.id);
    assert_eq!(ask(Some(&stamps), &stranger, now, Level::BT), NO_PATH.id);
    assert_eq!(ask(Some(&stamps), &stranger, now, Level::BLT), NO_PATH.id);
    let late = Timestamp::from_second(w.now + 500 * DAY).unwrap();
    assert_eq!(ask(Some(&stamps), &w.root, late, Level::BLT), OUT_OF_TIME.id);
    assert_eq!(refused(w.raise(&paper(), Level::BT, &evidence)), NO_SIGNATURE.id);
}

#[test]
fn a_signature_that_does_not_hold_is_not_raised_wherever_it_is_broken() {
    let w = world();
    let pdf = w.signed(&paper(), false, true);
    let marks = marks::read(&Original::from(pdf.clone())).unwrap();
    let (hole, used) = (marks[0].hole.start as usize, marks[0].used);
    let step = |place: usize| if (hole..hole + 2 * used).contains(&place) { 7 } else { 31 };
    let mut place = 20;
    while place < pdf.len() {
        let mut changed = pdf.clone();
        changed[place] ^= 1;
        let inside = (hole + 1..hole + 1 + 2 * used).contains(&place);
        let outcome = marks::read(&Original::from(changed));
        // A certificate that came along, and did not sign, may be anything.
        assert!(outcome.is_err() || inside, "{place}");
        place += step(place);
    }
    let at = pdf.windows(9).position(|w| w == b"/Type/Sig").unwrap();
    let mut changed = pdf.clone();
    changed[at + 6] = b'X';
    assert_eq!(refused(w.raise(&changed, Level::BT, &Evidence::new())), BROKEN_BEFORE.id);
}

#[test]
fn a_chain_whose_middle_is_missing_is_found_in_the_evidence() {
    let w = world();
    let others = Vec::new();
    let key = SoftKey::new(w.leaf.key.clone(), w.leaf.certificate.clone(), others).unwrap();
    let sheet = Sheet::open(Original::from(paper())).unwrap();
    let profile = SignatureProfile::built_in("invisible").unwrap();
    let facts = AppearanceFacts::default();
    let order = Order { profile: &profile, facts: &facts, at: Timestamp::now(), field: None };
    let stamps = w.stamps();
    let tail = sign_sheet(&sheet, &key, &order, Some(&stamps)).unwrap();
    let pdf = [paper(), tail.bytes].concat();
    assert_eq!(refused(w.raise(&pdf, Level::BLT, &w.evidence())), NO_PATH.id);
    let mut evidence = w.evidence();
    evidence.add_certificate(&w.sub.certificate.to_der().unwrap()).unwrap();
    assert_eq!(in_store(&w.raise(&pdf, Level::BLT, &evidence).unwrap().0), (4, 0, 2));
}
