//! How dossiers are, for programs that know this station ([`super::tokens`]): state, step, why one waits and until when, its parcels.
//! Nothing about a person but the dossier code, and nothing but what the client handed in, unless it may see all.

use super::intake::Intake;
use super::problem::Problem;
use super::tokens::{self, TOKEN_INVALID};
use crate::clock::vietnam_time;
use crate::codes::DossierCode;
use crate::fault::{Fault, Report};
use crate::ledger::sqlite::look::Look;
use crate::ledger::{ParcelView, RunId, RunView, State as RunState};
use crate::pipeline::StepConfig;
use crate::workshop::pipeline_of;
use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What is asked.
pub struct Status {
    /// Who handed in what.
    pub intake: Arc<Intake>,
    /// Where dossiers are.
    pub ledger: Look,
    /// Names of steps by pipeline, as they are today.
    pub steps: Mutex<HashMap<String, Vec<&'static str>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    state: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// The endpoints below `path`, to be [`dressed`](super::front::dressed).
pub fn router(status: Arc<Status>, path: &str) -> Router {
    Router::new()
        .route(&format!("{path}/v1/runs"), get(list))
        .route(&format!("{path}/v1/runs/{{id}}"), get(one))
        .with_state(status)
}

type App = State<Arc<Status>>;

async fn one(State(status): App, id: Result<UrlPath<String>, PathRejection>, headers: HeaderMap) -> Response {
    let id = id.map(|UrlPath(id)| id).unwrap_or_default();
    let answer = async {
        let mine = status.mine(&headers)?;
        let id: RunId = id.parse().map_err(|_| UNKNOWN)?;
        let looking = Arc::clone(&status);
        let found = tokio::task::spawn_blocking(move || {
            let visible = match &mine {
                None => true,
                Some(mine) => looking.ledger.descends(id, mine)?,
            };
            if visible { looking.ledger.run(id) } else { Ok(None) }
        });
        let found = found.await.map_err(|_| FAILED)?.map_err(|fault| failed(&fault))?;
        Ok::<_, Problem>(axum::Json(status.told(&found.ok_or(UNKNOWN)?)).into_response())
    };
    answer.await.unwrap_or_else(IntoResponse::into_response)
}

async fn list(State(status): App, ask: Result<Query<Ask>, QueryRejection>, headers: HeaderMap) -> Response {
    let answer = async {
        let mine = status.mine(&headers)?;
        let Query(ask) = ask.map_err(|_| BAD_QUERY)?;
        let state = match ask.state.as_deref() {
            None => None,
            Some(text) => Some(STATES.into_iter().find(|state| state.as_str() == text).ok_or(BAD_STATE)?),
        };
        let after = match ask.after.as_deref() {
            None => None,
            Some(text) => Some(text.parse::<RunId>().map_err(|_| BAD_AFTER)?),
        };
        let limit = ask.limit.unwrap_or(100);
        if !(1..=1000).contains(&limit) {
            return Err(BAD_LIMIT);
        }
        let looking = Arc::clone(&status);
        let found =
            tokio::task::spawn_blocking(move || looking.ledger.page(state, after, mine.as_deref(), limit));
        let found = found.await.map_err(|_| FAILED)?.map_err(|fault| failed(&fault))?;
        let full = found.len() as u64 >= u64::from(limit);
        let next = found.last().filter(|_| full).map(|run| run.id);
        let runs: Vec<Value> = found.iter().map(|run| status.told(run)).collect();
        Ok::<_, Problem>(axum::Json(json!({ "runs": runs, "next": next })).into_response())
    };
    answer.await.unwrap_or_else(IntoResponse::into_response)
}

impl Status {
    /// What a client handed in; nothing where it may see all.
    fn mine(&self, headers: &HeaderMap) -> Result<Option<Vec<RunId>>, Problem> {
        let clients = &self.intake.station().config.clients;
        let (name, client) = tokens::client(clients, headers).ok_or(TOKEN_INVALID)?;
        Ok((!client.sees_all).then(|| self.intake.runs_of(name)))
    }

    fn told(&self, run: &RunView) -> Value {
        let waits = matches!(run.state, RunState::Ready) && run.reason.is_some();
        json!({
            "id": run.id,
            // A batch that has no code yet is called as its folder was, and what a folder is called is anybody's guess.
            "code": run.label.parse::<DossierCode>().is_ok().then_some(&run.label),
            "pipeline": run.pipeline,
            "state": run.state.as_str(),
            "state_vi": run.state.vi(),
            "step": run.cursor,
            "steps": run.steps,
            "step_name": self.step(run),
            "due": waits.then(|| vietnam_time(run.due)),
            "reason": run.reason.as_ref().map(reason),
            "parent": run.parent,
            "admitted_at": vietnam_time(run.admitted_at),
            "parcels": run.parcels.iter().map(parcel).collect::<Vec<_>>(),
        })
    }

    /// The step that comes next, where the pipeline is as long as it was for this run.
    fn step(&self, run: &RunView) -> Option<&'static str> {
        let mut known = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let names = known.entry(run.pipeline.clone()).or_insert_with(|| {
            let pipeline = pipeline_of(self.intake.station(), &run.pipeline);
            pipeline.map(|pipeline| pipeline.steps.iter().map(StepConfig::name).collect()).unwrap_or_default()
        });
        if names.len() == run.steps as usize { names.get(run.cursor as usize).copied() } else { None }
    }
}

fn parcel(parcel: &ParcelView) -> Value {
    json!({
        "id": parcel.id,
        "recipient": parcel.recipient,
        "state": parcel.state,
        "attempts": parcel.attempts,
        "reason": parcel.reason.as_ref().map(reason),
    })
}

/// Without place and detail: a place may be a file's name, and that is anybody's guess, too.
fn reason(report: &Report) -> Value {
    json!({
        "code": report.code,
        "class": report.class,
        "vi": report.vi,
        "en": report.en,
        "remedy_vi": report.remedy_vi,
        "remedy_en": report.remedy_en,
    })
}

fn failed(fault: &Fault) -> Problem {
    tracing::error!(code = fault.code.id, detail = fault.detail.as_deref(), "the ledger could not be asked");
    FAILED
}

const STATES: [RunState; 7] = [
    RunState::Ready,
    RunState::Leased,
    RunState::Sending,
    RunState::Done,
    RunState::Split,
    RunState::Refused,
    RunState::Parked,
];

const UNFIT: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
const BAD_QUERY: Problem = Problem::at(UNFIT, "query", "", "the query may have state, after and limit");
const BAD_STATE: Problem = Problem::at(
    UNFIT,
    "query",
    "/state",
    "a state is ready, leased, sending, done, split, refused or parked",
);
const BAD_AFTER: Problem = Problem::at(UNFIT, "query", "/after", "the id of a run");
const BAD_LIMIT: Problem = Problem::at(UNFIT, "query", "/limit", "1 to 1000");
const UNKNOWN: Problem =
    Problem::new(StatusCode::NOT_FOUND, "unknown", "there is no such run for this client");
const FAILED: Problem =
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the ledger cannot be asked now").after(5);
