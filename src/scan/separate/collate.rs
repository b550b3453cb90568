//! A batch that was scanned as all fronts, then all backs, put back into the order of its sheets.

use serde::{Deserialize, Serialize};

/// How a batch of two-sided sheets came out of a scanner that sees one side at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Collate {
    /// The pages lie in their order already.
    #[default]
    None,
    /// All fronts, then all backs, both from the first sheet to the last.
    OddEven,
    /// All fronts, then the turned pile: the backs from the last sheet to the first.
    OddEvenReversed,
}

/// The order of the sheets of a batch whose first `fronts` pages are fronts and whose next `backs` pages are backs:
/// every place from 0 to `fronts + backs - 1` once.
///
/// Where the numbers differ, sheets are paired from the end that the feeder is known to have been at (the first for
/// [`Collate::OddEven`], the last for [`Collate::OddEvenReversed`]); fronts left over stay in their places, backs left
/// over come at the end. Which pairs are true is not sure then, and the caller has to say so.
pub fn order(fronts: usize, backs: usize, how: Collate) -> Vec<usize> {
    let all = fronts.saturating_add(backs);
    if how == Collate::None {
        return (0..all).collect();
    }
    let mut order = Vec::with_capacity(all);
    for sheet in 0..fronts {
        order.push(sheet);
        let back = match how {
            Collate::OddEvenReversed => fronts - 1 - sheet,
            _ => sheet,
        };
        if back < backs {
            order.push(fronts + back);
        }
    }
    order.extend(fronts + fronts.min(backs)..all);
    order
}

/// How many pages of a batch are fronts and how many are backs: the pages of the first and the second file where there
/// are two, else the two halves; of an odd number of pages the fronts are one more.
pub fn sides(pages_of_files: &[usize]) -> (usize, usize) {
    match pages_of_files {
        [fronts, backs] => (*fronts, *backs),
        files => {
            let all: usize = files.iter().sum();
            (all.div_ceil(2), all / 2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fronts_and_backs_meet_again_whichever_way_the_pile_lay() {
        assert_eq!(order(3, 3, Collate::OddEven), [0, 3, 1, 4, 2, 5]);
        assert_eq!(order(3, 3, Collate::OddEvenReversed), [0, 5, 1, 4, 2, 3]);
        assert_eq!(order(2, 1, Collate::None), [0, 1, 2]);
        assert_eq!(sides(&[3, 2]), (3, 2));
        assert_eq!(sides(&[1, 1, 1, 1, 1]), (3, 2));
        assert_eq!(sides(&[8]), (4, 4));
        assert_eq!(sides(&[]), (0, 0));
    }

    #[test]
    fn a_side_too_few_or_too_many_stays_in_the_batch() {
        assert_eq!(order(3, 2, Collate::OddEven), [0, 3, 1, 4, 2]);
        assert_eq!(order(3, 2, Collate::OddEvenReversed), [0, 1, 4, 2, 3]);
        assert_eq!(order(2, 4, Collate::OddEven), [0, 2, 1, 3, 4, 5]);
        assert_eq!(order(2, 4, Collate::OddEvenReversed), [0, 3, 1, 2, 4, 5]);
        assert_eq!(order(0, 2, Collate::OddEvenReversed), [0, 1]);
    }

    proptest! {
        #[test]
        fn every_page_is_in_the_order_once(fronts in 0usize..40, backs in 0usize..40, reversed: bool) {
            let how = if reversed { Collate::OddEvenReversed } else { Collate::OddEven };
            let mut seen = order(fronts, backs, how);
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..fronts + backs).collect::<Vec<_>>());
        }
    }
}
