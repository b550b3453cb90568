//! How what we told the portal stands there, by what it answers when asked.

use super::adapter::Adapter;
use super::record::{PortalDossier, Status};
use super::reply::{Found, Holding};
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
    /// In the state that we told, without papers or results, or without the digitisation, that we told.
    Partial,
    /// Not there at all.
    Missing,
}

impl Standing {
    /// Whether something that was acknowledged here is not there.
    pub fn lacks(self) -> bool {
        matches!(self, Standing::Older | Standing::Partial | Standing::Missing)
    }
}

/// Holds what was acknowledged against the portal's answer. States count in the order of the contract's table; of papers and
/// results only what the answer speaks of is judged.
pub fn standing(adapter: &Adapter, ours: &PortalDossier, found: &Found) -> Standing {
    let there = match found {
        Found::Nothing => return Standing::Missing,
        Found::There(there) => there,
    };
    let key = there.state.as_deref().and_then(|state| adapter.key_of("TrangThaiHoSo", state));
    let place = |key: &str| Status::ALL.iter().position(|status| status.key() == key);
    let standing = match (key.and_then(place), place(ours.status.key())) {
        (Some(theirs), Some(ours)) => match theirs.cmp(&ours) {
            std::cmp::Ordering::Less => Standing::Older,
            std::cmp::Ordering::Equal => Standing::Same,
            std::cmp::Ordering::Greater => Standing::Newer,
        },
        _ => Standing::Unsaid,
    };
    if standing != Standing::Older && lacks_papers(ours, there) { Standing::Partial } else { standing }
}

fn lacks_papers(ours: &PortalDossier, there: &Holding) -> bool {
    let papers = there.papers.as_ref().is_some_and(|held| {
        ours.papers.iter().filter(|paper| !paper.deleted).any(|paper| match held.get(&paper.id) {
            None => true,
            Some(digitised) => paper.digitisation.is_some() && *digitised == Some(false),
        })
    });
    let results = there
        .results
        .as_ref()
        .is_some_and(|held| ours.results.iter().any(|result| !held.contains(&result.id)));
    papers || results
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::portal::sample;

    #[test]
    fn what_is_not_there_or_in_an_earlier_state_lacks_and_nothing_else_does() {
        let national = Adapter::national();
        let in_state = |state: &str| Holding { state: Some(state.into()), ..Holding::default() };
        let there = |state: &str| Found::There(in_state(state));
        let with = |paper: Option<(&str, bool)>, results: &[&str]| {
            let papers = paper.map(|(id, digitised)| [(id.to_owned(), Some(digitised))].into());
            let results = Some(results.iter().map(|&id| id.to_owned()).collect());
            Found::There(Holding { papers, results, ..in_state("9") })
        };
        for (found, expected) in [
            (Found::Nothing, Standing::Missing),
            (there("2"), Standing::Older),
            (there("9"), Standing::Same),
            (there("10"), Standing::Newer),
            (there("11"), Standing::Unsaid),
            (Found::There(Holding::default()), Standing::Unsaid),
            (with(Some(("1", true)), &["2", "other"]), Standing::Same),
            (with(None, &["2"]), Standing::Same),
            (with(None, &[]), Standing::Partial),
            (with(Some(("1", false)), &["2"]), Standing::Partial),
            (with(Some(("other", true)), &["2"]), Standing::Partial),
        ] {
            let judged = standing(&national, &sample(), &found);
            assert_eq!(judged, expected, "{found:?}");
            assert_eq!(
                judged.lacks(),
                matches!(expected, Standing::Missing | Standing::Older | Standing::Partial)
            );
        }
    }
}
