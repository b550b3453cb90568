use super::cut::{Cut, PageMark, Rules, Segment};
use super::{Role, role_of};
use crate::codes::ProcedureCode;
use crate::scan::barcode::Format;
use proptest::prelude::*;
use std::num::NonZeroU32;

const A: &str = "H49.12.5-250914-0042";
const B: &str = "H49.12.5-250914-0043";

fn marks(pages: &[&[&str]]) -> Vec<PageMark> {
    let roles = |texts: &[&str]| texts.iter().map(|t| role_of(Format::QRCode, t)).collect();
    let mark =
        |(index, texts): (usize, &&[&str])| PageMark { index, roles: roles(texts), ..PageMark::default() };
    pages.iter().enumerate().map(mark).collect()
}

fn split(pages: &[PageMark]) -> Vec<Segment> {
    super::split(pages, &Rules::default()).segments
}

fn blank(mut pages: Vec<PageMark>, which: &[usize]) -> Vec<PageMark> {
    which.iter().for_each(|at| pages[*at].blank = true);
    pages
}

fn ids(segment: &Segment) -> Vec<&str> {
    segment.findings.iter().map(|f| f.code.id).collect()
}

fn of_batch(cut: &Cut) -> Vec<(&str, Vec<usize>)> {
    cut.findings.iter().map(|f| (f.code.id, f.pages.clone())).collect()
}

fn short(segment: &Segment) -> (Option<String>, Option<usize>, &[usize], Vec<&str>) {
    (segment.code.as_ref().map(ToString::to_string), segment.separator, &segment.pages, ids(segment))
}

#[test]
fn separators_and_codes_cut_a_batch_and_nothing_leaks_into_the_next_segment() {
    let pages = marks(&[&["HOSO-SEP-2"], &[A], &["strange"], &["PATCHT"], &[], &[B], &[], &[B], &[]]);
    let segments = split(&pages);
    assert_eq!(short(&segments[0]), (Some(A.into()), Some(0), &[1, 2][..], vec![]));
    assert_eq!(segments[0].expected_pages, Some(2));
    assert_eq!(short(&segments[1]), (None, Some(3), &[4][..], vec!["SCAN-061"]));
    assert_eq!(segments[1].expected_pages, None);
    assert_eq!(short(&segments[2]), (Some(B.into()), None, &[5, 6, 7, 8][..], vec![]));
    assert_eq!(segments[2].papers, [vec![5, 6], vec![7, 8]]);
    assert_eq!(segments.len(), 3);
}

#[test]
fn a_cover_gives_code_procedure_and_count_to_its_own_dossier_and_to_no_other() {
    let cover = format!("HOSO-SHEET/1/COVER/D:{A}/P:1.005129/N:2");
    let bars = format!("HOSO-COV-2-{A}");
    let pages = marks(&[&[&cover, &bars], &[], &[], &["HOSO-SEP"], &[], &[&format!("HOSO-COV-{B}")], &[]]);
    let segments = split(&pages);
    assert_eq!(short(&segments[0]), (Some(A.into()), Some(0), &[1, 2][..], vec![]));
    assert_eq!(segments[0].procedure.as_ref().map(ProcedureCode::as_str), Some("1.005129"));
    assert_eq!(segments[0].expected_pages, Some(2));
    for (segment, code) in [(&segments[1], None), (&segments[2], Some(B.to_owned()))] {
        assert_eq!(segment.code.as_ref().map(ToString::to_string), code);
        assert_eq!((&segment.procedure, segment.expected_pages), (&None, None));
    }
    // The papers of a dossier may carry its code as well.
    let segments = split(&marks(&[&[&cover], &[A], &[A]]));
    assert_eq!(short(&segments[0]), (Some(A.into()), Some(0), &[1, 2][..], vec![]));
}

#[test]
fn a_separator_that_carries_a_code_gives_it_to_its_segment() {
    let segments = split(&marks(&[&["HOSO-SEP-1", A], &[], &["HOSO-SEP", B], &[], &[]]));
    assert_eq!(short(&segments[0]), (Some(A.into()), Some(0), &[1][..], vec![]));
    assert_eq!(short(&segments[1]), (Some(B.into()), Some(2), &[3, 4][..], vec![]));
}

#[test]
fn what_does_not_add_up_is_said() {
    let segments =
        split(&marks(&[&["HOSO-SEP-3"], &[A], &["PATCHT"], &["PATCHT"], &[A, B], &[], &["PATCHT"]]));
    let findings: Vec<_> = segments.iter().map(ids).collect();
    assert_eq!(findings, [vec!["SCAN-060"], vec!["SCAN-063"], vec!["SCAN-062"], vec!["SCAN-063"]]);
    assert_eq!(segments[2].code, None);
    let finding = &segments[0].findings[0];
    assert_eq!(finding.detail.as_deref(), Some("1 pages, 3 expected"));
    let fault = segments[1].findings[0].fault(|page| format!("page {}", page + 1));
    assert_eq!(fault.place.as_deref(), Some("page 3"));
    assert!(fault.code.vi.contains("tờ phân cách") && fault.code.en.contains("separator"));
}

#[test]
fn a_second_code_beside_the_own_one_is_said_and_the_own_one_stays() {
    let segments = split(&marks(&[&[A], &[A, B], &[]]));
    assert_eq!(short(&segments[0]), (Some(A.into()), None, &[0, 1, 2][..], vec!["SCAN-062"]));
}

#[test]
fn equal_codes_on_one_sheet_are_one_separator_and_differing_ones_announce_nothing() {
    let segments = split(&marks(&[&["HOSO-SEP-1", "HOSO-SHEET/1/SEP/N:1", "HOSO-SEP-1"], &[A]]));
    assert_eq!(short(&segments[0]), (Some(A.into()), Some(0), &[1][..], vec![]));
    assert_eq!((segments.len(), segments[0].expected_pages), (1, Some(1)));
    let segments = split(&marks(&[&["HOSO-SEP-1", "HOSO-SEP-2"], &[A]]));
    assert_eq!(short(&segments[0]), (Some(A.into()), Some(0), &[1][..], vec!["SCAN-090"]));
    assert_eq!((segments.len(), segments[0].expected_pages), (1, None));
}

#[test]
fn a_failed_page_stays_in_its_place_and_is_named() {
    let mut pages = marks(&[&[A], &[], &[]]);
    pages[1].failed = true;
    let segments = split(&pages);
    assert_eq!(short(&segments[0]), (Some(A.into()), None, &[0, 1, 2][..], vec!["SCAN-064"]));
    assert_eq!(segments[0].findings[0].pages, [1]);
}

#[test]
fn cards_and_system_papers_do_not_cut() {
    let card = "001090123456||NGUYEN VAN A|01011990|Nam|X|15042021";
    let segments = split(&marks(&[&[A], &[card], &[&format!("hoso:1;d={B}")], &[]]));
    assert_eq!(short(&segments[0]), (Some(A.into()), None, &[0, 1, 2, 3][..], vec![]));
    assert!(split(&[]).is_empty());
}

#[test]
fn a_separator_that_was_not_read_is_reported_with_the_page_where_it_should_have_been() {
    // The second sheet could not be read: its page, and the three behind it, lie in the first dossier.
    let pages = marks(&[&["HOSO-SEP-2"], &[A], &[], &[], &[], &[], &[], &["HOSO-SEP-1"], &[B]]);
    let rules = Rules { dossiers: Some(3), ..Rules::default() };
    let cut = super::split(&pages, &rules);
    assert_eq!(ids(&cut.segments[0]), ["SCAN-060", "SCAN-091"]);
    assert_eq!(cut.segments[0].findings[1].pages, [3]);
    assert_eq!(of_batch(&cut), [("SCAN-092", vec![3])]);
    // One page too many is no hidden dossier.
    let segments = split(&marks(&[&["HOSO-SEP-1"], &[A], &[]]));
    assert_eq!(ids(&segments[0]), ["SCAN-060"]);
}

#[test]
fn a_dossier_that_was_announced_and_is_not_there_is_named_with_the_pages_that_may_hide_it() {
    let mut pages = marks(&[&["HOSO-SEP"], &[A], &[], &[]]);
    pages[2].failed = true;
    let announced = vec![A.parse().unwrap(), B.parse().unwrap()];
    let cut = super::split(&pages, &Rules { announced, ..Rules::default() });
    assert_eq!(of_batch(&cut), [("SCAN-093", vec![2])]);
    assert_eq!(cut.findings[0].detail.as_deref(), Some(B));
}

#[test]
fn where_every_dossier_stands_behind_a_sheet_one_without_is_reported() {
    let pages = marks(&[&["HOSO-SEP"], &[A], &[], &[B], &[]]);
    let cut = super::split(&pages, &Rules { sheet_required: true, ..Rules::default() });
    assert_eq!(cut.segments.iter().map(ids).collect::<Vec<_>>(), [vec![], vec!["SCAN-091"]]);
    assert_eq!(cut.segments[1].findings[0].pages, [3]);
}

#[test]
fn a_code_that_comes_again_behind_another_dossier_is_reported() {
    let cut = super::split(&marks(&[&[A], &[B], &[A], &[]]), &Rules::default());
    assert_eq!(cut.segments.len(), 3);
    assert_eq!(of_batch(&cut), [("SCAN-094", vec![2])]);
}

#[test]
fn a_fixed_number_of_pages_cuts_and_a_short_rest_is_said() {
    let rules = Rules { every: NonZeroU32::new(2), ..Rules::default() };
    let cut = super::split(&marks(&[&[A], &[], &[B], &[], &[]]), &rules);
    let pages: Vec<_> = cut.segments.iter().map(|s| s.pages.clone()).collect();
    assert_eq!(pages, [vec![0, 1], vec![2, 3], vec![4]]);
    assert_eq!(
        cut.segments.iter().map(ids).collect::<Vec<_>>(),
        [vec![], vec![], vec!["SCAN-061", "SCAN-060"]]
    );
    // A sheet that announces another number is believed.
    let cut = super::split(&marks(&[&["HOSO-SEP-3"], &[A], &[], &[], &["PATCHT"], &[B], &[]]), &rules);
    let pages: Vec<_> = cut.segments.iter().map(|s| s.pages.clone()).collect();
    assert_eq!(pages, [vec![1, 2, 3], vec![5, 6]]);
    assert!(cut.segments.iter().all(|s| s.findings.is_empty()), "{cut:?}");
}

#[test]
fn a_code_of_another_office_opens_a_dossier_and_its_page_is_kept() {
    let mut pages = marks(&[&["x"], &[], &["y"], &["y"], &[], &["x"]]);
    for (at, text) in [(0, "x"), (2, "y"), (3, "y"), (5, "x")] {
        pages[at].opener = Some(text.into());
    }
    let segments = split(&pages);
    let kept: Vec<_> = segments.iter().map(|s| s.papers.clone()).collect();
    assert_eq!(kept, [vec![vec![0, 1]], vec![vec![2], vec![3, 4]], vec![vec![5]]]);
}

#[test]
fn sheets_and_codes_that_do_not_cut_are_pages_like_others() {
    let rules = Rules { sheets: false, dossier_codes: false, ..Rules::default() };
    let cut = super::split(&marks(&[&["HOSO-SEP-1"], &[A], &[], &[A], &[B]]), &rules);
    assert_eq!(short(&cut.segments[0]), (Some(A.into()), None, &[0, 1, 2, 3, 4][..], vec!["SCAN-062"]));
}

#[test]
fn the_blank_other_side_of_a_separator_belongs_to_it_and_to_no_dossier() {
    let rules = Rules { two_sided: true, ..Rules::default() };
    // Sheet, its back; two sheets of papers, one with an empty back; a sheet laid face down; one paper.
    let pages = marks(&[&["HOSO-SEP-4"], &[], &[A], &[], &[], &[], &[], &["HOSO-SEP-2"], &[B], &[]]);
    let pages = blank(pages, &[1, 3, 6, 9]);
    let segments = super::split(&pages, &rules).segments;
    assert_eq!(short(&segments[0]), (Some(A.into()), Some(0), &[2, 3, 4, 5][..], vec![]));
    assert_eq!(short(&segments[1]), (Some(B.into()), Some(7), &[8, 9][..], vec![]));
    assert_eq!((&segments[0].backs[..], &segments[1].backs[..]), (&[1][..], &[6][..]));
    // Without two sides, a blank page is a page.
    let segments = split(&pages);
    assert_eq!((&segments[0].pages[..], &segments[1].pages[..]), (&[1][..], &[2, 3, 4, 5, 6][..]));
}

#[test]
fn a_sheet_printed_on_both_sides_is_one_sheet_and_a_used_back_stays_a_page() {
    let rules = Rules { two_sided: true, ..Rules::default() };
    let both = marks(&[&["HOSO-SEP-2"], &["HOSO-SEP-2"], &[A], &[]]);
    let segments = super::split(&both, &rules).segments;
    assert_eq!(short(&segments[0]), (Some(A.into()), Some(0), &[2, 3][..], vec![]));
    assert_eq!((segments.len(), &segments[0].backs[..]), (1, &[1][..]));
    // Somebody printed the separator on the back of an old paper: what stands there is not thrown away.
    let used = marks(&[&["HOSO-SEP"], &[], &[A], &[]]);
    let segments = super::split(&used, &rules).segments;
    assert_eq!((&segments[0].pages[..], &segments[0].backs[..]), (&[1][..], &[][..]));
}

#[test]
fn a_blank_front_before_the_first_code_of_the_batch_is_not_lost() {
    let rules = Rules { two_sided: true, ..Rules::default() };
    let pages = blank(marks(&[&[], &["PATCHT"], &[A], &[]]), &[0]);
    let segments = super::split(&pages, &rules).segments;
    assert_eq!((segments.len(), segments[0].separator, &segments[0].backs[..]), (1, Some(1), &[0][..]));
}

fn any_role() -> impl Strategy<Value = Role> {
    prop_oneof![
        Just(Role::Unknown),
        Just(Role::CardQr),
        Just(Role::DossierCode(A.parse().unwrap())),
        Just(Role::DossierCode(B.parse().unwrap())),
        Just(role_of(Format::QRCode, &format!("HOSO-SHEET/1/COVER/D:{A}/P:1.005129/N:3"))),
        Just(role_of(Format::Code128, &format!("HOSO-COV-{B}"))),
        proptest::option::of(1u32..9).prop_map(|expected_pages| Role::Separator { expected_pages }),
    ]
}

fn any_page() -> impl Strategy<Value = PageMark> {
    let opener = prop_oneof![4 => Just(None), 1 => "[xy]".prop_map(Some)];
    (proptest::collection::vec(any_role(), 0..3), opener, any::<bool>(), any::<bool>())
        .prop_map(|(roles, opener, failed, blank)| PageMark { index: 0, roles, opener, failed, blank })
}

fn any_rules() -> impl Strategy<Value = Rules> {
    let every = proptest::option::of(1u32..5).prop_map(|n| n.and_then(NonZeroU32::new));
    (any::<[bool; 4]>(), every, proptest::option::of(0u32..5)).prop_map(|(flags, every, dossiers)| Rules {
        sheets: flags[0],
        dossier_codes: flags[1],
        every,
        two_sided: flags[2],
        sheet_required: flags[3],
        dossiers,
        announced: vec![B.parse().unwrap()],
    })
}

proptest! {
    #[test]
    fn every_page_is_in_exactly_one_place_in_order(
        batch in proptest::collection::vec(any_page(), 0..40),
        rules in any_rules(),
        reversed: bool,
    ) {
        // The places run through a collated batch, so that order and index differ.
        let how = if reversed { super::Collate::OddEvenReversed } else { super::Collate::OddEven };
        let (fronts, backs) = super::collate::sides(&[batch.len()]);
        let order = super::collate::order(fronts, backs, how);
        let pages: Vec<PageMark> =
            batch.into_iter().zip(&order).map(|(page, index)| PageMark { index: *index, ..page }).collect();
        let cut = super::split(&pages, &rules);
        let place = |index: usize| order.iter().position(|i| *i == index).unwrap();
        let mut seen = Vec::new();
        for segment in &cut.segments {
            let mut sheet: Vec<usize> = segment.separator.iter().chain(&segment.backs).copied().collect();
            sheet.sort_by_key(|index| place(*index));
            seen.extend(sheet);
            seen.extend(&segment.pages);
            prop_assert_eq!(segment.papers.concat(), segment.pages.clone());
            prop_assert!(segment.papers.iter().all(|paper| !paper.is_empty()));
            prop_assert!(segment.separator.is_some() || (segment.backs.is_empty() && !segment.pages.is_empty()));
            prop_assert!(rules.two_sided || segment.backs.is_empty());
            if let (Some(most), None) = (rules.every, segment.separator) {
                prop_assert!(segment.pages.len() <= most.get() as usize);
            }
        }
        prop_assert_eq!(&seen, &order);
        for page in &pages {
            let is_sheet = page.roles.iter().any(|r| matches!(r, Role::Separator { .. } | Role::Cover(_)));
            let evidence = |s: &Segment| s.separator == Some(page.index) || s.backs.contains(&page.index);
            if rules.sheets && is_sheet {
                prop_assert!(cut.segments.iter().any(evidence));
            } else if !page.blank {
                prop_assert!(!cut.segments.iter().any(evidence));
            }
        }
        prop_assert_eq!(super::split(&pages, &rules), cut);
    }

    #[test]
    fn a_segment_says_nothing_that_stood_on_another_ones_pages(
        batch in proptest::collection::vec(any_page(), 0..40), rules in any_rules(),
    ) {
        let pages: Vec<PageMark> =
            batch.into_iter().enumerate().map(|(index, page)| PageMark { index, ..page }).collect();
        for segment in super::split(&pages, &rules).segments {
            let own = segment.separator.iter().chain(&segment.backs).chain(&segment.pages);
            let roles: Vec<&Role> = own.flat_map(|index| &pages[*index].roles).collect();
            let says = |code: &crate::codes::DossierCode| {
                roles.iter().any(|role| match role {
                    Role::DossierCode(own) => own == code,
                    Role::Cover(cover) => &cover.dossier == code,
                    _ => false,
                })
            };
            prop_assert!(segment.code.as_ref().is_none_or(says));
            let sheet: Vec<&Role> = segment.separator.iter().flat_map(|index| &pages[*index].roles).collect();
            let counted = |n: u32| {
                rules.every.is_some_and(|every| every.get() == n)
                    || sheet.iter().any(|role| match role {
                        Role::Separator { expected_pages } => *expected_pages == Some(n),
                        Role::Cover(cover) => cover.expected_pages == Some(n),
                        _ => false,
                    })
            };
            prop_assert!(segment.expected_pages.is_none_or(counted));
            let covered = sheet.iter().any(|r| matches!(r, Role::Cover(cover) if cover.procedure == segment.procedure));
            prop_assert!(segment.procedure.is_none() || covered);
        }
    }
}
