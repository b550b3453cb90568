//! The drawing orders of a file's pages: what several pages share is followed once, and all of them together within one
//! budget. A file of 80 KB can name the same 16 MB of orders for each of two thousand pages.

use super::CONTENT;
use super::content::{self, Budget, Survey};
use super::stream::inflated;
use crate::fault::{Fault, Outcome};
use lopdf::{Dictionary, Document, Object, ObjectId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What was surveyed of one file.
pub(super) struct Surveys(Mutex<Known>);

struct Known {
    budget: Budget,
    /// By the streams of the orders; the same orders may stand among other resources.
    done: HashMap<Vec<ObjectId>, Vec<Done>>,
}

type Resources = Option<Arc<Object>>;
/// What the orders put on a page that has these resources.
type Done = (Resources, Outcome<Arc<Survey>>);

impl Default for Surveys {
    fn default() -> Self {
        Surveys::from(Budget { tokens: MOST_TOKENS, bytes: MOST_BYTES })
    }
}

impl From<Budget> for Surveys {
    fn from(budget: Budget) -> Self {
        Surveys(Mutex::new(Known { budget, done: HashMap::new() }))
    }
}

impl Surveys {
    /// The survey of one page.
    ///
    /// # Errors
    /// [`CONTENT`].
    pub(super) fn of(
        &self,
        document: &Document,
        page: &Dictionary,
        resources: &Resources,
        limit: usize,
    ) -> Outcome<Arc<Survey>> {
        let Some(streams) = streams(document, page) else { return Ok(Arc::new(unreadable())) };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let done = known.done.get(&streams).map_or(&[][..], Vec::as_slice);
        if let Some((_, survey)) = done.iter().find(|(with, _)| with == resources) {
            return survey.clone();
        }
        if known.budget.is_spent() {
            return Ok(Arc::new(unreadable()));
        }
        let survey = known.budget.survey(document, &streams, resources.as_deref(), limit).map(Arc::new);
        let done = known.done.entry(streams).or_default();
        if done.len() < MOST_RESOURCES {
            done.push((resources.clone(), survey.clone()));
        }
        survey
    }
}

impl Budget {
    fn survey(
        &mut self,
        document: &Document,
        streams: &[ObjectId],
        resources: Option<&Object>,
        limit: usize,
    ) -> Outcome<Survey> {
        let mut orders = Vec::new();
        for id in streams {
            let Ok(stream) = document.get_object(*id).and_then(Object::as_stream) else { continue };
            let left = limit.saturating_sub(orders.len());
            match inflated(document, stream, left.min(self.bytes)) {
                Ok(part) => {
                    self.bytes = self.bytes.saturating_sub(part.len());
                    orders.extend(part);
                    orders.push(b'\n');
                }
                Err(lopdf::Error::Decompress(_)) if left <= self.bytes => {
                    self.bytes -= left;
                    return Err(Fault::new(&CONTENT).detail(format!("more than {limit} bytes")));
                }
                Err(_) => {
                    self.bytes = self.bytes.saturating_sub(left);
                    return Ok(unreadable());
                }
            }
        }
        Ok(content::survey(document, resources, &orders, limit, self))
    }
}

fn unreadable() -> Survey {
    Survey { unreadable: true, ..Survey::default() }
}

/// The streams that a page's orders are written in; nothing where they are more than any writer makes.
fn streams(document: &Document, page: &Dictionary) -> Option<Vec<ObjectId>> {
    let Ok(contents) = page.get(b"Contents") else { return Some(Vec::new()) };
    match document.dereference(contents) {
        Ok((Some(id), Object::Stream(_))) => Some(vec![id]),
        Ok((_, Object::Array(parts))) if parts.len() > MOST_STREAMS => None,
        Ok((_, Object::Array(parts))) => Some(parts.iter().filter_map(|o| o.as_reference().ok()).collect()),
        _ => Some(Vec::new()),
    }
}

/// Orders and operands of one file: twenty thousand on each of two thousand pages.
const MOST_TOKENS: usize = 40_000_000;
/// Inflated bytes of the orders of one file.
const MOST_BYTES: usize = 256 << 20;
/// Streams that one page's orders are cut into.
const MOST_STREAMS: usize = 4_096;
/// Sets of resources for which the survey of the same orders is kept.
const MOST_RESOURCES: usize = 8;
