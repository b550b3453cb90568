//! What the search of a page may still cost: pixels handed to decoders, and regions read in vain.

use super::Policy;
use super::locate::Region;

/// Pixels that a page may still cost.
pub(crate) struct Effort {
    left: usize,
    /// Something was left out because of this or another bound.
    pub(super) capped: bool,
}

impl Effort {
    pub(super) fn of(policy: &Policy) -> Self {
        Effort { left: policy.max_effort_px, capped: false }
    }

    /// Takes so many pixels from the budget, unless they are not there any more.
    pub(crate) fn spend(&mut self, pixels: usize) -> bool {
        match self.left.checked_sub(pixels) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                self.capped = true;
                false
            }
        }
    }

    /// What is left, to come back to where the next attempt succeeds.
    pub(crate) fn mark(&self) -> usize {
        self.left
    }

    /// Gives back what was spent since a mark: it found a code.
    pub(crate) fn refund(&mut self, mark: usize) {
        self.left = mark;
    }

    /// Notes that a bound left something out.
    pub(crate) fn cap(&mut self) {
        self.capped = true;
    }
}

/// Regions that may still be read in vain. What is less likely a code has a count of its own, so that it never takes
/// the turn of what is more likely one.
pub(super) struct Vain {
    regions: usize,
    loose: usize,
    words: usize,
    squares: usize,
}

impl Vain {
    /// Low regions are mostly words of bold print; square ones are rare.
    pub(super) fn of(policy: &Policy) -> Self {
        let regions = policy.max_regions;
        Vain { regions, loose: MOST_LOOSE, words: regions + regions / 3, squares: 2 * regions }
    }

    /// True where a region may be read though it hold no code.
    pub(super) fn allows(&mut self, region: &Region) -> bool {
        *self.left(region) > 0
    }

    /// Counts a region that held none.
    pub(super) fn count(&mut self, region: &Region) {
        let left = self.left(region);
        *left = left.saturating_sub(1);
    }

    fn left(&mut self, region: &Region) -> &mut usize {
        match (region.is_low(), region.is_square()) {
            (true, true) => &mut self.squares,
            (true, false) => &mut self.words,
            _ if region.loose => &mut self.loose,
            _ => &mut self.regions,
        }
    }
}

/// Regions of bars by the looser measure that are read in vain.
const MOST_LOOSE: usize = 4;

#[cfg(test)]
mod tests {
    use super::super::locate::Kind;
    use super::*;

    #[test]
    fn words_and_loose_bars_take_no_turn_of_likelier_regions() {
        let region = |wide: usize, tall: usize, kind: Kind, loose: bool| Region {
            x0: 0,
            y0: 0,
            x1: (wide + 6) * 8,
            y1: (tall + 6) * 8,
            kind,
            upright: true,
            cell: 8,
            cells: wide * tall,
            dark: 0.5,
            edges: 0.2,
            loose,
        };
        let mut vain = Vain::of(&Policy { max_regions: 3, ..Policy::default() });
        let kinds = [
            (region(20, 20, Kind::Matrix, false), 3),
            (region(30, 10, Kind::Linear, true), MOST_LOOSE),
            (region(12, 4, Kind::Matrix, false), 4),
            (region(4, 4, Kind::Matrix, false), 6),
        ];
        for (region, most) in kinds {
            for _ in 0..most {
                assert!(vain.allows(&region));
                vain.count(&region);
            }
            assert!(!vain.allows(&region));
        }
    }
}
