//! What counts as evidence and what does not.

use super::mint::{Answer, DAY, Holder, List, Mint, NOW, Says, distribution_point, extension, generalized};
use super::*;
use crate::cms::Hash;

struct World {
    ca: Holder,
    leaf: Holder,
    delegate: Holder,
}

fn world() -> World {
    let ca = Holder::root("CA");
    let leaf = Mint::new("LEAF").by(&ca).list_at("http://ca.test/all.crl").made();
    let delegate = Mint::new("RESPONDER").by(&ca).answers().no_check().made();
    World { ca, leaf, delegate }
}

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(NOW + day * DAY).unwrap()
}

impl World {
    fn answer(&self) -> Answer<'_> {
        Answer::about(&self.leaf, &self.ca)
    }

    fn status(&self, evidence: &Evidence) -> Status {
        evidence.status(&self.leaf.certificate, &self.ca.certificate, at(0), false)
    }

    fn by_list(&self, list: &List<'_>) -> Status {
        self.status(&lists(&[list]))
    }

    fn by_answer(&self, answer: &Answer<'_>) -> Status {
        self.status(&answers(&[answer]))
    }
}

fn lists(lists: &[&List<'_>]) -> Evidence {
    let mut evidence = Evidence::new();
    lists.iter().for_each(|l| evidence.add_crl(&l.made()).unwrap());
    evidence
}

fn answers(answers: &[&Answer<'_>]) -> Evidence {
    let mut evidence = Evidence::new();
    answers.iter().for_each(|a| evidence.add_ocsp(&a.made()).unwrap());
    evidence
}

fn is_good(status: Status) -> bool {
    matches!(status, Status::Good { .. })
}

fn why(status: Status) -> Why {
    match status {
        Status::Unknown(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_list_of_the_issuer_says_good_and_revoked_and_no_evidence_says_nothing() {
    let w = world();
    assert_eq!(w.status(&Evidence::new()), Status::Unknown(Why::Nothing));
    let good = w.by_list(&List::by(&w.ca));
    assert_eq!(good, Status::Good { this_update: at(-1), source: Source::Crl });
    let revoked = w.by_list(&List::by(&w.ca).revokes(&w.delegate, -9, None).revokes(&w.leaf, -3, Some(4)));
    assert_eq!(revoked, Status::Revoked { at: at(-3), reason: Some(4), source: Source::Crl });
}

#[test]
fn an_answer_by_the_issuer_or_its_delegate_counts_by_name_and_by_key_and_with_either_hash() {
    let w = world();
    for author in [&w.ca, &w.delegate] {
        for by_name in [false, true] {
            for hash in [Hash::Sha1, Hash::Sha256] {
                let answer = Answer { author, by_name, hash, ..w.answer() };
                assert_eq!(
                    w.by_answer(&answer),
                    Status::Good { this_update: at(0), source: Source::Ocsp },
                    "{by_name} {hash:?}"
                );
                let revoked = Answer { says: Says::Revoked(-2, Some(1)), ..answer };
                let expected = Status::Revoked { at: at(-2), reason: Some(1), source: Source::Ocsp };
                assert_eq!(w.by_answer(&revoked), expected);
            }
        }
    }
    let not_known = Answer { says: Says::Unknown, ..w.answer() };
    assert_eq!(why(w.by_answer(&not_known)), Why::NotKnownToResponder);
}

#[test]
fn an_answer_by_a_stranger_counts_for_nothing() {
    let w = world();
    let stranger = Mint::new("RESPONDER").answers().no_check().made();
    assert_eq!(why(w.by_answer(&Answer { author: &stranger, ..w.answer() })), Why::Author);
    // The right name and another key.
    let namesake = Holder::root("CA");
    let forged = Answer { author: &namesake, by_name: true, ..w.answer() };
    assert_eq!(why(w.by_answer(&forged)), Why::Signature);
    assert_eq!(why(w.by_list(&List::by(&namesake))), Why::Signature);
    // Issued by another authority, or by the issuer for another purpose.
    let other = Holder::root("OTHER");
    for author in [
        Mint::new("RESPONDER").by(&other).answers().no_check().made(),
        Mint::new("RESPONDER").by(&w.ca).made(),
        Mint::new("RESPONDER").by(&w.ca).purpose(&[2, 5, 29, 37, 0]).no_check().made(),
        Mint::new("RESPONDER").by(&w.ca).purpose(&[1, 3, 6, 1, 5, 5, 7, 3, 8]).no_check().made(),
        Mint::new("RESPONDER").by(&w.ca).answers().no_check().with("1.2.3.4", true, der::null()).made(),
        Mint::new("RESPONDER").by(&w.ca).answers().no_check().signed_with_sha1().made(),
        // Not yet, or no longer, valid when it answered.
        Mint::new("RESPONDER").by(&w.ca).answers().no_check().days(1, 30).made(),
        Mint::new("RESPONDER").by(&w.ca).answers().no_check().days(-30, -1).made(),
    ] {
        for by_name in [false, true] {
            assert_eq!(why(w.by_answer(&Answer { author: &author, by_name, ..w.answer() })), Why::Author);
        }
    }
    assert_eq!(why(w.by_list(&List::by(&other))), Why::Nothing);
}

#[test]
fn a_delegate_is_found_among_the_certificates_that_are_at_hand() {
    let w = world();
    let answer = Answer { author: &w.delegate, encloses: false, ..w.answer() };
    let mut evidence = answers(&[&answer]);
    assert_eq!(why(w.status(&evidence)), Why::Author);
    evidence.add_certificate(&w.delegate.certificate.to_der().unwrap()).unwrap();
    let (status, grounds) = evidence.weigh(&w.leaf.certificate, &w.ca.certificate, at(0), false);
    assert!(is_good(status));
    assert_eq!((grounds.certificates.len(), grounds.crls.len(), grounds.ocsp.len()), (1, 0, 1));
}

#[test]
fn a_delegate_that_is_not_exempt_must_be_on_no_list() {
    let w = world();
    let delegate = Mint::new("RESPONDER").by(&w.ca).answers().made();
    let other = Mint::new("OTHER LEAF").by(&w.ca).made();
    let answer = Answer { author: &delegate, ..w.answer() };
    let about_itself = Answer { author: &delegate, ..Answer::about(&delegate, &w.ca) };
    assert_eq!(why(w.status(&answers(&[&answer, &about_itself]))), Why::Author);
    // The same list would speak of the leaf too; a list for another leaf's point does not.
    let mut evidence = answers(&[&answer]);
    evidence.add_crl(&List::by(&w.ca).revokes(&other, -3, None).made()).unwrap();
    assert!(is_good(w.status(&evidence)));
    let mut evidence = answers(&[&Answer { says: Says::Revoked(-1, None), ..answer }]);
    evidence.add_crl(&List::by(&w.ca).revokes(&delegate, -3, None).made()).unwrap();
    assert_eq!(w.status(&evidence), Status::Good { this_update: at(-1), source: Source::Crl });
}

#[test]
fn answers_about_others_say_nothing() {
    let w = world();
    let sibling = Mint::new("LEAF").by(&w.ca).made();
    let other = Holder::root("CA");
    for answer in [
        Answer::about(&sibling, &w.ca),
        // The same serial number at another issuer of the same name.
        Answer { issuer: &other, ..w.answer() },
        Answer { hash: Hash::Md5, ..w.answer() },
        Answer { copies: 0, ..w.answer() },
    ] {
        assert_eq!(why(w.by_answer(&answer)), Why::Nothing);
    }
    // Asked about a certificate that this issuer did not issue.
    let stray = Mint::new("LEAF").by(&Holder::root("ELSEWHERE")).made();
    let evidence = lists(&[&List::by(&w.ca)]);
    assert!(!is_good(evidence.status(&stray.certificate, &w.ca.certificate, at(0), true)));
}

#[test]
fn dates_decide() {
    let w = world();
    assert_eq!(why(w.by_answer(&Answer { days: (-9, Some(-1)), ..w.answer() })), Why::Stale);
    assert_eq!(why(w.by_list(&List::by(&w.ca).days(-9, Some(-1)))), Why::Stale);
    // No word about the next one: good for a moment, as a list never.
    assert!(is_good(w.by_answer(&Answer { days: (0, None), ..w.answer() })));
    assert_eq!(why(w.by_answer(&Answer { days: (-1, None), ..w.answer() })), Why::Stale);
    assert_eq!(why(w.by_list(&List::by(&w.ca).days(0, None))), Why::Partial);
    // 2126: in the future of any clock that runs this.
    assert_eq!(why(w.by_answer(&Answer { days: (36_500, Some(36_600)), ..w.answer() })), Why::Future);
    let long = Mint::new("LEAF").by(&w.ca).days(-30, 40_000).made();
    let ask = |evidence: Evidence| evidence.status(&long.certificate, &w.ca.certificate, at(0), true);
    let future = Answer { days: (36_500, Some(36_600)), ..Answer::about(&long, &w.ca) };
    assert_eq!(why(ask(answers(&[&future]))), Why::Future);
    assert_eq!(why(ask(lists(&[&List::by(&w.ca).days(8_000, Some(8_030))]))), Why::Future);
    // Next before this: nonsense.
    assert_eq!(why(w.by_answer(&Answer { days: (0, Some(-1)), ..w.answer() })), Why::Stale);
}

#[test]
fn an_answer_after_the_certificate_ran_out_counts_only_from_books_that_keep_it() {
    let ca = Holder::root("CA");
    let old = Mint::new("OLD").by(&ca).days(-60, -10).made();
    let ask = |e: &Evidence| e.status(&old.certificate, &ca.certificate, at(-20), true);
    assert_eq!(why(ask(&answers(&[&Answer::about(&old, &ca)]))), Why::AfterExpiry);
    assert_eq!(why(ask(&lists(&[&List::by(&ca)]))), Why::AfterExpiry);
    let cutoff = |day: i64| {
        let value = generalized(NOW + day * DAY);
        let single = extension(&[1, 3, 6, 1, 5, 5, 7, 48, 1, 6], false, &value);
        let answer = Answer { extensions: (Vec::new(), single), ..Answer::about(&old, &ca) };
        let list = List::by(&ca).with(&[2, 5, 29, 60], false, &value);
        (is_good(ask(&answers(&[&answer]))), is_good(ask(&lists(&[&list]))))
    };
    assert_eq!(cutoff(-100), (true, true));
    assert_eq!(cutoff(-5), (false, false));
    // An answer from its lifetime stays good; a revocation is told at any time.
    assert!(is_good(ask(&answers(&[&Answer { days: (-15, Some(-12)), ..Answer::about(&old, &ca) }]))));
    let revoked = Answer { says: Says::Revoked(-30, None), ..Answer::about(&old, &ca) };
    assert!(matches!(ask(&answers(&[&revoked])), Status::Revoked { .. }));
}

#[test]
fn a_later_revocation_reaches_what_is_not_proven_to_be_older_and_any_compromised_key() {
    let w = world();
    let ask = |reason, proven| {
        let list = List::by(&w.ca).days(0, Some(30)).revokes(&w.leaf, -1, reason);
        let answer = Answer { says: Says::Revoked(-1, reason), ..w.answer() };
        let ask = |e: Evidence| is_good(e.status(&w.leaf.certificate, &w.ca.certificate, at(-2), proven));
        (ask(lists(&[&list])), ask(answers(&[&answer])))
    };
    for reason in [None, Some(0), Some(3), Some(4), Some(5), Some(6), Some(9)] {
        assert_eq!(ask(reason, true), (true, true), "{reason:?}");
        assert_eq!(ask(reason, false), (false, false), "{reason:?}");
    }
    for reason in [1, 2, 10] {
        assert_eq!(ask(Some(reason), true), (false, false), "{reason}");
    }
    // Invalid since before: the earlier date counts.
    let since = extension(&[2, 5, 29, 24], false, &generalized(NOW - 5 * DAY));
    let list = List::by(&w.ca).entry(&w.leaf.parts().serial, -1, Some(since));
    let status = lists(&[&list]).status(&w.leaf.certificate, &w.ca.certificate, at(-2), true);
    assert_eq!(status, Status::Revoked { at: at(-5), reason: None, source: Source::Crl });
}

#[test]
fn revoked_is_believed_before_good_also_when_it_is_old_or_partial() {
    let w = world();
    let good = w.answer();
    for list in [
        List::by(&w.ca).days(-20, Some(-10)).revokes(&w.leaf, -21, None),
        List::by(&w.ca).scope(&der::tlv(0x83, &[6, 0x40])).revokes(&w.leaf, -21, None),
        List::by(&w.ca).with(&[2, 5, 29, 27], true, &der::integer(&[1])).revokes(&w.leaf, -21, None),
    ] {
        let mut evidence = answers(&[&good]);
        evidence.add_crl(&list.made()).unwrap();
        assert!(matches!(w.status(&evidence), Status::Revoked { .. }));
    }
}

#[test]
fn a_hold_ends_with_a_newer_answer_only() {
    let w = world();
    let held = List::by(&w.ca).days(-2, Some(30)).revokes(&w.leaf, -3, Some(6));
    let with = |day: i64| {
        let mut evidence = lists(&[&held]);
        evidence.add_ocsp(&Answer { days: (day, Some(20)), ..w.answer() }.made()).unwrap();
        w.status(&evidence)
    };
    assert!(matches!(with(-4), Status::Revoked { reason: Some(6), .. }));
    assert!(is_good(with(-1)));
}

#[test]
fn a_list_that_is_only_a_part_never_proves_good() {
    let w = world();
    let point = |url: &str| distribution_point(url);
    for (what, list) in [
        ("some reasons", List::by(&w.ca).scope(&der::tlv(0x83, &[6, 0x40]))),
        ("attribute certificates", List::by(&w.ca).scope(&der::tlv(0x85, &[0xff]))),
        ("authorities", List::by(&w.ca).scope(&der::tlv(0x82, &[0xff]))),
        ("another point", List::by(&w.ca).scope(&point("http://ca.test/other.crl"))),
        ("a relative name", List::by(&w.ca).scope(&der::tlv(0xa0, &der::tlv(0xa1, &[])))),
        ("changes", List::by(&w.ca).with(&[2, 5, 29, 27], true, &der::integer(&[1]))),
    ] {
        assert_eq!(why(w.by_list(&list)), Why::Partial, "{what}");
    }
    assert_eq!(why(w.by_list(&List::by(&w.ca).scope(&der::tlv(0x84, &[0xff])))), Why::NotUnderstood);
    assert!(is_good(w.by_list(&List::by(&w.ca).scope(&point("http://ca.test/all.crl")))));
    assert!(is_good(w.by_list(&List::by(&w.ca).scope(&der::tlv(0x81, &[0xff])))));
    // A list of users' certificates says nothing of an authority.
    let sub = Mint::new("SUB").by(&w.ca).ca().made();
    let evidence = lists(&[&List::by(&w.ca).scope(&der::tlv(0x81, &[0xff]))]);
    assert_eq!(why(evidence.status(&sub.certificate, &w.ca.certificate, at(0), false)), Why::Partial);
}

#[test]
fn what_is_critical_and_not_understood_makes_an_answer_useless() {
    let w = world();
    let strange = |critical| extension(&[1, 2, 3, 4], critical, &der::null());
    assert_eq!(why(w.by_list(&List::by(&w.ca).with(&[1, 2, 3, 4], true, &der::null()))), Why::NotUnderstood);
    assert!(is_good(w.by_list(&List::by(&w.ca).with(&[1, 2, 3, 4], false, &der::null()))));
    let entry = List::by(&w.ca).entry(&[9], -1, Some(strange(true)));
    assert_eq!(why(w.by_list(&entry)), Why::NotUnderstood);
    for critical in [false, true] {
        for extensions in [(strange(critical), Vec::new()), (Vec::new(), strange(critical))] {
            let status = w.by_answer(&Answer { extensions, ..w.answer() });
            assert_eq!(is_good(status), !critical);
        }
    }
}

#[test]
fn weak_hashes_and_issuers_that_may_not_sign_lists_prove_nothing() {
    let w = world();
    assert_eq!(why(w.by_list(&List::by(&w.ca).signed_with_sha1())), Why::Signature);
    assert_eq!(why(w.by_answer(&Answer { sha1: true, ..w.answer() })), Why::Signature);
    // A leaf as issuer: its key usage does not allow lists.
    let below = Mint::new("BELOW").by(&w.leaf).made();
    let evidence = lists(&[&List::by(&w.leaf)]);
    assert_eq!(why(evidence.status(&below.certificate, &w.leaf.certificate, at(0), false)), Why::Author);
}

#[test]
fn a_refusal_of_the_responder_is_no_answer_and_limits_come_before_memory() {
    let mut evidence = Evidence::new();
    let refused = der::sequence(&[&der::tlv(0x0a, &[6])]);
    assert_eq!(evidence.add_ocsp(&refused).unwrap_err().code.id, NO_ANSWER.id);
    assert_eq!(evidence.add_ocsp(&der::sequence(&[&der::tlv(0x0a, &[0])])).unwrap_err().code.id, BROKEN.id);
    let w = world();
    let many = Answer { copies: 1001, ..w.answer() }.made();
    assert_eq!(evidence.add_ocsp(&many).unwrap_err().code.id, TOO_MUCH.id);
    assert_eq!(evidence.add_ocsp(&vec![0x30; 2 << 20]).unwrap_err().code.id, TOO_MUCH.id);
    assert_eq!(evidence.add_crl(&vec![0x30; 33 << 20]).unwrap_err().code.id, TOO_MUCH.id);
    for serial in 0..=MOST {
        let crl = List::by(&w.ca).entry(&serial.to_be_bytes(), 0, None).made();
        let added = evidence.add_crl(&crl);
        assert_eq!(added.is_err(), serial == MOST);
        evidence.add_crl(&crl).ok();
    }
    assert_eq!(evidence.crls.len(), MOST);
}

#[test]
fn every_cut_is_refused_and_every_flipped_bit_is_survived_and_proves_nothing() {
    let w = world();
    let answer = Answer { author: &w.delegate, ..w.answer() }.made();
    let list = List::by(&w.ca).revokes(&w.delegate, -3, Some(1)).scope(&der::tlv(0x81, &[0xff])).made();
    for length in 0..answer.len() {
        assert!(Evidence::new().add_ocsp(&answer[..length]).is_err());
    }
    for length in 0..list.len() {
        assert!(Evidence::new().add_crl(&list[..length]).is_err());
    }
    for place in 0..list.len() {
        let mut changed = list.clone();
        changed[place] ^= 1 << (place % 8);
        let mut evidence = Evidence::new();
        assert!(evidence.add_crl(&changed).is_err() || !is_good(w.status(&evidence)), "list {place}");
    }
    // What stands behind the signature (the delegate's certificate) is signed by itself.
    for place in 0..answer.len() {
        let mut changed = answer.clone();
        changed[place] ^= 1 << (place % 8);
        let mut evidence = Evidence::new();
        assert!(evidence.add_ocsp(&changed).is_err() || !is_good(w.status(&evidence)), "answer {place}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes: Vec<u8>) {
        let mut evidence = Evidence::new();
        let wrapped = der::sequence(&[&bytes]);
        let _ = (evidence.add_crl(&bytes), evidence.add_ocsp(&bytes), evidence.add_certificate(&bytes));
        let _ = (evidence.add_crl(&wrapped), evidence.add_ocsp(&wrapped));
    }
}
