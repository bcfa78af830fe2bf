//! The console's routes.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::json;

use crate::answers::{Answers, Unanswered};
use crate::guard::{Guard, Refusal};
use crate::metrics;
use crate::overview::{Overview, partitions};
use crate::page;
use crate::question::{self, Fields, Question};
use crate::replay::Replayer;
use crate::watcher::Watcher;

/// Allows only the page's own files, and no framing by other pages.
const POLICY: &str = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
const JSON: &str = "application/json";

/// State shared by the handlers.
#[derive(Debug)]
pub(crate) struct Console {
    pub(crate) guard: Guard,
    pub(crate) watcher: Watcher,
    pub(crate) answers: Answers,
    pub(crate) replayer: Replayer,
}

type Shared = State<Arc<Console>>;

/// All routes, behind the guard.
pub(crate) fn router(console: Arc<Console>) -> Router {
    Router::new()
        .route("/api/status.json", get(status))
        .route("/api/accounting.json", get(accounting))
        .route("/api/letters.json", get(dead_letters))
        .route("/api/letter.json", get(dead_letter))
        .route("/api/replay.json", post(replay))
        .route("/api/compactor.json", get(compactor))
        .route("/api/people.json", get(people))
        .route("/api/person.json", get(person))
        .fallback(get(file))
        .layer(from_fn_with_state(Arc::clone(&console), guarded))
        .with_state(console)
}

/// Rejects foreign host names and missing credentials, and adds security headers to every answer.
async fn guarded(State(console): Shared, request: Request, next: Next) -> Response<Body> {
    metrics::record_request();
    let mut response = match console.guard.request(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refused(&console.guard, refusal),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn file(uri: Uri) -> Response<Body> {
    page::file(uri.path()).map_or_else(
        || failed(StatusCode::NOT_FOUND, "page not found"),
        |(kind, text)| answered(StatusCode::OK, kind, text),
    )
}

async fn status(State(console): Shared) -> Response<Body> {
    match console.watcher.poll().await {
        Some(poll) => written(StatusCode::OK, &Overview::new(&poll, console.guard.can_replay())),
        None => failed(
            StatusCode::SERVICE_UNAVAILABLE,
            "no server has answered yet; retry in a few seconds",
        ),
    }
}

async fn accounting(State(console): Shared) -> Response<Body> {
    match console.watcher.poll().await {
        Some(poll) => written(
            StatusCode::OK,
            &json!({ "at": poll.at, "partitions": partitions(&poll) }),
        ),
        None => failed(
            StatusCode::SERVICE_UNAVAILABLE,
            "no server has answered yet; retry in a few seconds",
        ),
    }
}

async fn dead_letters(State(console): Shared, RawQuery(query): RawQuery) -> Response<Body> {
    ask(&console, Ok(question::dead_letters(query.as_deref()))).await
}

async fn dead_letter(State(console): Shared, RawQuery(query): RawQuery) -> Response<Body> {
    ask(&console, question::dead_letter(query.as_deref())).await
}

async fn compactor(State(console): Shared) -> Response<Body> {
    ask(&console, Ok(Question::Compactor)).await
}

async fn people(State(console): Shared) -> Response<Body> {
    ask(&console, Ok(Question::People)).await
}

async fn person(State(console): Shared, RawQuery(query): RawQuery) -> Response<Body> {
    ask(&console, question::person(query.as_deref())).await
}

async fn replay(State(console): Shared, headers: HeaderMap, RawQuery(query): RawQuery) -> Response<Body> {
    if let Err(refusal) = console.guard.change(&headers) {
        return refused(&console.guard, refusal);
    }
    let origin = match Fields::read(query.as_deref()).take("origin") {
        Ok(origin) => origin,
        Err(why) => return failed(StatusCode::BAD_REQUEST, &why),
    };
    // A separate task, so that a disconnecting browser does not cancel the replay.
    let replaying = tokio::spawn(async move {
        let replayed = console.replayer.replay(origin).await;
        console.answers.forget().await;
        replayed
    });
    match replaying.await {
        Ok(Ok(replayed)) => written(StatusCode::OK, &json!({ "replayed": replayed })),
        Ok(Err(error)) => failed(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(error) => failed(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn ask(console: &Console, question: Result<Question, String>) -> Response<Body> {
    let question = match question {
        Ok(question) => question,
        Err(why) => return failed(StatusCode::BAD_REQUEST, &why),
    };
    match console.answers.answer(question).await {
        Ok(answer) => answered(StatusCode::OK, JSON, answer),
        Err(error @ Unanswered::Json(_)) => failed(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(error) => failed(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

fn refused(guard: &Guard, refusal: Refusal) -> Response<Body> {
    metrics::record_refused(refusal);
    let mut response = failed(StatusCode::FORBIDDEN, refusal.sentence());
    *response.status_mut() = guard.answer(refusal, response.headers_mut());
    response
}

fn failed(status: StatusCode, why: &str) -> Response<Body> {
    written(status, &json!({ "error": why }))
}

fn written(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(json) => answered(status, JSON, json),
        Err(error) => answered(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string()),
    }
}

fn answered(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
