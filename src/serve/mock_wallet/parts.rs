//! A document that comes in parts. They are kept in memory: a stand-in that is started anew has none of it, and says so.

use super::rules::{covered, exact_hex};
use super::{Wallet, at, problem, unsigned, whole};
use crate::deliver::signature;
use crate::digest::Sha256;
use crate::serve::loopback::Cut;
use axum::extract::{Path as UrlPath, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

/// A part of a large document; with the last of them it is here whole.
pub(super) async fn part(
    State(wallet): State<Arc<Wallet>>,
    UrlPath(id): UrlPath<String>,
    request: Request,
) -> Response {
    let fate = wallet.fates.next().await;
    let cut = Cut::of(request.extensions());
    if let Some(refusal) = fate.refusal() {
        return refusal;
    }
    let answer = take_part(&wallet, &id, request).await;
    fate.spoil(cut, answer)
}

async fn take_part(wallet: &Arc<Wallet>, id: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(piece) = axum::body::to_bytes(body, wallet.setup.largest).await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large");
    };
    let covered = covered(&parts.headers, signature::COVERED_PATCH);
    let genuine = signature::check_digest(&parts.headers, &Sha256::of(&piece))
        .and_then(|()| wallet.admit(&parts, &covered));
    if let Err(fault) = genuine {
        return unsigned(&fault);
    }
    let text = |name| signature::single(&parts.headers, name);
    let number = |name| text(name).and_then(|text| text.parse::<usize>().ok());
    let told = text("repr-digest").and_then(signature::read_digest);
    let (Some(delivery), Some(told), Some(begin), Some(length)) =
        (exact_hex(id), told, number("upload-offset"), number("upload-length"))
    else {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "part");
    };
    if length > wallet.setup.largest || begin.saturating_add(piece.len()) > length {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "too-large");
    }
    let bytes = {
        let mut kept = wallet.kept();
        let growing = kept.parts.entry(delivery).or_insert_with(|| (told, Vec::new()));
        if growing.0 != told && begin == 0 {
            *growing = (told, Vec::new());
        }
        if growing.0 != told || growing.1.len() != begin {
            let safe = if growing.0 == told { growing.1.len() } else { 0 };
            return at(safe, problem(StatusCode::CONFLICT, "upload-offset"));
        }
        growing.1.extend_from_slice(&piece);
        if growing.1.len() < length {
            return at(growing.1.len(), StatusCode::NO_CONTENT.into_response());
        }
        kept.parts.remove(&delivery).map(|(_, bytes)| bytes).unwrap_or_default()
    };
    let sha256 = Sha256::of(&bytes);
    if sha256 != told {
        return at(0, problem(StatusCode::CONFLICT, "upload-offset"));
    }
    whole(wallet, id, &parts.headers, bytes.into(), sha256).await
}
