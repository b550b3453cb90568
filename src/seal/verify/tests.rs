//! Good papers and hostile ones, each class by its name.

mod appended;
mod constraints;
mod looks;
mod mint;
mod mutants;
mod ranges;
mod roles;
mod signers;
mod stamps;
mod updates;

/// What the mint takes from the library.
mod ground {
    pub(super) use crate::cms::Parts;
    pub(super) use crate::der;
    pub(super) use crate::digest::Sha256;
}

use super::*;
use mint::*;
use std::io::Write;

const PADES: &str = "ETSI.CAdES.detached";

struct World {
    root: Holder,
    inter: Holder,
    officer: Holder,
    stamper: Holder,
    anchors: Anchors,
}

fn world() -> World {
    let root = root("TEST root");
    let inter = intermediate("TEST inter", &root);
    let officer = certify(&ask("TEST officer", &inter));
    let stamper = certify(&Ask { stamping: true, ..ask("TEST stamper", &root) });
    let mut anchors = Anchors::default();
    anchors.add(root.certificate.clone());
    anchors.add(inter.certificate.clone());
    World { root, inter, officer, stamper, anchors }
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// Judged in memory and in a file where it lies, which must come to the same to the last word.
fn verify_pdf(bytes: &[u8], anchors: &Anchors, now: Timestamp) -> PdfReport {
    let report = super::verify_pdf(bytes, anchors, now);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let question = Question { anchors, at: now, as_of: false, online: None };
    let (there, whole) = verify_original(&Original::file(file).unwrap(), &question, true).unwrap();
    assert_eq!(report, there);
    assert_eq!(whole, Some(Sha256::of(bytes)));
    report
}

impl World {
    fn signed(&self, shape: &Shape<'_>) -> Vec<u8> {
        sign(&paper(), 20, PADES, &|over| cms(&self.officer, over, shape))
    }

    fn good(&self) -> Vec<u8> {
        self.signed(&Shape::default())
    }

    fn judge(&self, pdf: &[u8]) -> PdfReport {
        verify_pdf(pdf, &self.anchors, now())
    }
}

fn codes(report: &PdfReport) -> Vec<&str> {
    let all = report.signatures.iter().flat_map(|s| s.problems.iter().chain(&s.chain.problems));
    report.problems.iter().chain(all).map(|p| p.code.as_str()).collect()
}

#[test]
fn a_good_signature_is_intact_trusted_and_whole_and_says_what_was_not_checked() {
    let world = world();
    let report = world.judge(&world.good());
    assert_eq!(codes(&report), [""; 0]);
    assert!(report.is_proven());
    let one = &report.signatures[0];
    assert_eq!(
        (one.integrity, one.coverage, one.level),
        (Integrity::Intact, CoverageClass::Whole, Level::BB)
    );
    assert_eq!(one.chain.path, ["TEST officer", "TEST inter", "TEST root"]);
    assert_eq!(one.chain.revocation, Revocation::Unknown);
    assert_eq!(one.not_checked.len(), 2);
    assert_eq!(one.signed_at.as_deref(), Some("2026-06-01T07:00:00+07:00"));
}

#[test]
fn without_anchors_nobody_is_trusted() {
    let world = world();
    let report = verify_pdf(&world.good(), &Anchors::default(), now());
    assert_eq!(report.signatures[0].chain.trust, Trust::Unknown);
    assert!(!report.is_proven());
    let mut stranger = Anchors::default();
    stranger.add(root("TEST root").certificate);
    stranger.add(world.inter.certificate.clone());
    let report = verify_pdf(&world.good(), &stranger, now());
    assert_eq!(report.signatures[0].chain.trust, Trust::Untrusted);
    assert!(!report.is_proven());
}

#[test]
fn no_flipped_bit_anywhere_leaves_the_paper_proven() {
    let world = world();
    let good = world.good();
    let hole = find(&good, b"/Contents <") + 11;
    let mut harmless = Vec::new();
    for place in 0..good.len() {
        // The padding is long and says the same everywhere.
        let same = place > hole + 4000 && place + 64 < hole + HOLE;
        if place % if same { 397 } else { 5 } != 0 {
            continue;
        }
        // Bit 5 tells capital letters from small ones, which hexadecimal digits do not.
        let bit = [0, 1, 2, 3, 4, 6][place % 6];
        let mut changed = good.clone();
        changed[place] ^= 1 << bit;
        if world.judge(&changed).is_proven() {
            let around = String::from_utf8_lossy(&good[place - 20..place + 20]).into_owned();
            harmless.push((place.wrapping_sub(hole), bit, around));
        }
    }
    assert_eq!(harmless, []);
}

#[test]
fn a_file_cut_anywhere_is_not_proven() {
    let world = world();
    let good = world.good();
    for length in (0..good.len() - 1).step_by(41).chain(good.len() - 60..good.len() - 1) {
        assert!(!world.judge(&good[..length]).is_proven(), "{length}");
    }
}

#[test]
fn bytes_after_the_end_are_reported_as_such() {
    let world = world();
    let junk = [&world.good()[..], b"junk"].concat();
    let report = world.judge(&junk);
    assert_eq!(report.signatures[0].coverage, CoverageClass::TrailingBytes);
    assert_eq!(report.signatures[0].integrity, Integrity::Intact);
    assert!(!report.is_proven());
    assert!(world.judge(&[&world.good()[..], b"\r\n"].concat()).is_proven());
}

#[test]
fn an_unsigned_paper_and_noise_prove_nothing() {
    let world = world();
    assert_eq!(codes(&world.judge(&paper())), ["VRFY-042"]);
    assert!(!world.judge(b"").is_proven());
    assert!(!world.judge(b"%PDF-1.7\nstartxref\n0\n%%EOF").is_proven());
    let old = world.signed(&Shape::default());
    let old = String::from_utf8_lossy(&old).replace("ETSI.CAdES.detached", "adbe.x509.rsa_sha1 ");
    assert!(codes(&world.judge(old.as_bytes())).contains(&"VRFY-045"));
}

/// Anchors of the mint's world, and lists that revoke nobody.
fn trust(pki: &Pki) -> Anchors {
    let mut anchors = Anchors::default();
    anchors.add(pki.root.certificate.clone());
    anchors.add(pki.inter.certificate.clone());
    pki.lists().iter().for_each(|list| anchors.add_crl(list).unwrap());
    anchors
}

#[test]
fn everything_good_is_valid_and_no_mutant_is() {
    let pki = Pki::mint();
    let anchors = trust(&pki);
    let judge = |bytes: &[u8]| Report::of(&verify_pdf(bytes, &anchors, now()), anchors.policy());
    let mut wrong = Vec::new();
    for case in mutants::good(&pki) {
        let report = judge(&case.bytes);
        if report.verdict != Verdict::Valid {
            wrong.push(format!("{}: {:?} {:?}", case.name, report.verdict, report.reasons.first()));
        }
    }
    let bad = mutants::bad(&pki);
    assert!(bad.len() > 300, "{}", bad.len());
    for case in bad {
        if judge(&case.bytes).verdict == Verdict::Valid {
            wrong.push(format!("{} {}: valid", case.class, case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_that_is_cut_while_it_is_judged_is_a_fault_and_no_verdict() {
    let world = world();
    let pdf = world.good();
    for left in [pdf.len() - 1, pdf.len() / 2, 100, 3] {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&pdf).unwrap();
        let original = Original::file(file.try_clone().unwrap()).unwrap();
        file.set_len(left as u64).unwrap();
        let question = Question { anchors: &world.anchors, at: now(), as_of: false, online: None };
        let judged = verify_original(&original, &question, false);
        assert_eq!(judged.unwrap_err().code.id, original::CHANGED.id, "{left} of {}", pdf.len());
    }
}

#[test]
fn two_hundred_signatures_are_judged_in_one_go() {
    let pki = Pki::mint();
    let anchors = trust(&pki);
    let mut pdf = paper();
    for number in 0..200 {
        let earlier: String = (0..number).map(|n| format!("{} 0 R ", 21 + 2 * n)).collect();
        pdf = sign_with(&pdf, 20 + 2 * number, PADES, "", &earlier, &|over| pki.cms(over, &Shape::default()));
    }
    let began = std::time::Instant::now();
    let report = verify_pdf(&pdf, &anchors, now());
    println!("{:?} for 200 signatures, {} bytes", began.elapsed(), pdf.len());
    assert_eq!(report.signatures.len(), 200);
    assert!(report.is_proven(), "{:?}", codes(&report));
}
