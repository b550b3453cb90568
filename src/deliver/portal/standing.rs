//! How what we told the portal stands there, by what it answers when asked.

use super::adapter::Adapter;
use super::record::Status;
use super::reply::Found;
use serde::{Deserialize, Serialize};

/// What we told, against what the portal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// In the state that we told.
    Same,
    /// There, but it does not say in which state, or in one that we have no word for.
    Unsaid,
    /// In a later state: someone else told it more.
    Newer,
    /// In an earlier state: what we told last is not there.
    Older,
    /// Not there at all.
    Missing,
}

impl Standing {
    /// Whether something that was acknowledged here is not there.
    pub fn lacks(self) -> bool {
        matches!(self, Standing::Older | Standing::Missing)
    }
}

/// Holds a state that was acknowledged against the portal's answer. States count in the order of the contract's table.
pub fn standing(adapter: &Adapter, ours: Status, found: &Found) -> Standing {
    let state = match found {
        Found::Nothing => return Standing::Missing,
        Found::There(state) => state.as_deref(),
    };
    let key = state.and_then(|state| adapter.key_of("TrangThaiHoSo", state));
    let place = |key: &str| Status::ALL.iter().position(|status| status.key() == key);
    match (key.and_then(place), place(ours.key())) {
        (Some(theirs), Some(ours)) => match theirs.cmp(&ours) {
            std::cmp::Ordering::Less => Standing::Older,
            std::cmp::Ordering::Equal => Standing::Same,
            std::cmp::Ordering::Greater => Standing::Newer,
        },
        _ => Standing::Unsaid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_or_in_an_earlier_state_lacks_and_nothing_else_does() {
        let national = Adapter::national();
        let there = |state: &str| Found::There(Some(state.into()));
        for (found, expected) in [
            (Found::Nothing, Standing::Missing),
            (there("2"), Standing::Older),
            (there("9"), Standing::Same),
            (there("10"), Standing::Newer),
            (there("11"), Standing::Unsaid),
            (Found::There(None), Standing::Unsaid),
        ] {
            let judged = standing(&national, Status::Done, &found);
            assert_eq!(judged, expected, "{found:?}");
            assert_eq!(judged.lacks(), matches!(expected, Standing::Missing | Standing::Older));
        }
    }
}
