use super::Status::*;
use super::*;
use crate::deliver::portal::record::{Channel, OwnerKind, Progress, Said};
use crate::deliver::portal::sample;
use crate::digest::Blake3;

const EARLY: i64 = 1_757_811_909;
const LATE: i64 = EARLY + 3_600;

fn event(at: i64, status: Status) -> Progress {
    Progress { at, status, ..sample().progress[0].clone() }
}

/// As the intake tells it: papers with their evidence, no result.
fn intake(at: i64) -> PortalDossier {
    PortalDossier { status: Accepted, results: Vec::new(), progress: vec![event(at, Accepted)], ..sample() }
}

/// As the result tells it: no papers.
fn result(at: i64) -> PortalDossier {
    let progress = vec![event(at, Done)];
    PortalDossier { status: Done, papers: Vec::new(), finished: Some(at), progress, ..sample() }
}

fn sum(told: &[PortalDossier]) -> PortalDossier {
    whole(told.to_vec()).unwrap()
}

#[test]
fn a_result_keeps_the_papers_and_their_evidence_and_an_intake_that_comes_late_keeps_the_result() {
    for told in [
        [intake(EARLY), result(LATE)],
        [result(LATE), intake(EARLY)],
        // Admitted after the result went out: its news is newer, and still turns nothing back.
        [result(EARLY), intake(LATE)],
    ] {
        let sum = sum(&told);
        assert_eq!((sum.status, sum.papers.len(), sum.results.len()), (Done, 1, 1));
        assert!(sum.papers[0].digitisation.is_some());
        assert!(sum.finished.is_some());
        assert!(sum.progress.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert_eq!(sum.progress.len(), 2);
    }
}

#[test]
fn the_same_news_again_changes_nothing_and_the_same_order_gives_the_same_sum() {
    let told = [intake(EARLY), result(LATE)];
    let once = sum(&told);
    assert_eq!(digest(&once), digest(&sum(&told)));
    assert_eq!(once, sum(&[told[0].clone(), told[1].clone(), told[1].clone()]));
    assert_ne!(digest(&once), digest(&told[1]));
    let more = PortalDossier { progress: Vec::new(), ..once.clone() };
    assert_eq!(digest(&more), digest(&once), "progress is told line by line");
}

#[test]
fn what_comes_late_fills_in_what_nobody_said_and_overrules_nothing() {
    let told = PortalDossier {
        phone: None,
        received: Some(EARLY),
        said: Said { owner_kind: true, ..Said::default() },
        owner_kind: OwnerKind::Business,
        ..result(EARLY)
    };
    let late = PortalDossier { received: Some(LATE), owner_name: Some("khác".into()), ..intake(LATE) };
    let sum = sum(&[told.clone(), late]);
    assert_eq!(sum.phone, sample().phone);
    assert_eq!((sum.received, &sum.owner_name), (Some(EARLY), &told.owner_name));
    assert_eq!(sum.owner_kind, OwnerKind::Business);
}

#[test]
fn what_is_only_usual_never_overrules_what_the_desk_said_of_the_filing() {
    let online = PortalDossier {
        said: Said { channel: true, ..Said::default() },
        channel: Channel::Online,
        account: Some("tech-7".into()),
        ..intake(EARLY)
    };
    let said = Said { owner_kind: true, ..Said::default() };
    let partly = PortalDossier { said, owner_kind: OwnerKind::Business, ..result(LATE) };
    let sum = sum(&[online, partly]);
    assert_eq!(sum.owner_kind, OwnerKind::Business, "each thing for itself");
    assert_eq!(
        (sum.channel, sum.account.as_deref(), sum.said.channel),
        (Channel::Online, Some("tech-7"), true)
    );
}

#[test]
fn the_same_scans_made_anew_are_the_same_paper_and_other_scans_are_another() {
    let mut again = intake(LATE);
    again.papers[0].id = "3".into();
    again.papers[0].document = Blake3::of(b"made anew");
    assert_eq!(sum(&[intake(EARLY), again.clone()]).papers, again.papers);
    again.papers[0].digitisation = again.papers[0]
        .digitisation
        .map(|d| crate::deliver::portal::record::Digitisation { scan: Sha256::of(b"other"), ..d });
    assert_eq!(sum(&[intake(EARLY), again]).papers.len(), 2);
}

#[test]
fn evidence_that_was_shown_of_a_document_stays_with_that_document() {
    let mut without = intake(LATE);
    without.papers[0].digitisation = None;
    assert!(sum(&[intake(EARLY), without.clone()]).papers[0].digitisation.is_some());
    without.papers[0].document = Blake3::of(b"other bytes under the same name");
    assert!(sum(&[intake(EARLY), without]).papers[0].digitisation.is_none());
}

#[test]
fn a_state_moves_on_by_what_is_newer_and_an_issued_result_stays_issued() {
    for status in Status::ALL {
        assert!(!comes_into((Returned, EARLY), (*status, LATE)));
        assert_eq!(comes_into((Done, EARLY), (*status, LATE)), *status == Returned, "{status:?}");
        assert!(!comes_into((*status, EARLY), (Registered, LATE)));
    }
    for (before, after) in [
        (Registered, Accepted),
        (Accepted, Processing),
        (Processing, SupplementRequested),
        (SupplementRequested, Processing),
        (SupplementRequested, Accepted),
        (FinancialObligation, Processing),
        (Processing, NotAccepted),
        (NotAccepted, Accepted),
        (Processing, Withdrawn),
        (Stopped, Processing),
        (Stopped, Done),
    ] {
        assert!(comes_into((before, EARLY), (after, LATE)), "{before:?} {after:?}");
        assert!(!comes_into((before, LATE), (after, EARLY)), "{before:?} {after:?} comes late");
    }
    for (before, after) in [
        (Processing, Accepted),
        (FinancialObligation, Accepted),
        (Withdrawn, Processing),
        (Stopped, Accepted),
    ] {
        assert!(!comes_into((before, EARLY), (after, LATE)), "{before:?} {after:?}");
    }
    assert!(
        comes_into((Processing, LATE), (Done, EARLY)),
        "a result is a result whenever the other news came"
    );
}
