//! The service of the door `http` on axum and diesel, as their users write it: typed
//! extractors, a pool of connections for reads and one connection for writes.
//!
//!     bench-axum '{"port": 4000, "file": "app.db", "settings": {…}}'
//!
//! It has one core, so tokio's runtime has one thread, and handlers call diesel where
//! they are: both are faster here than threads and hand-overs.

mod db;
mod fortunes;
mod models;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Json, Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::Router;
use db::Db;
use models::{Count, NewPerson, PageQuery, PeopleBody, Person, PersonBody, Queries, World};
use serde::{Deserialize, Serialize};
use std::future::IntoFuture;
use std::sync::Arc;

type App = Arc<Db>;

/// What a handler answers instead of a value.
enum Failure {
    Wrong(String),
    Internal,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::Wrong(text) => (StatusCode::BAD_REQUEST, text).into_response(),
            Failure::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal error").into_response()
            }
        }
    }
}

impl From<diesel::result::Error> for Failure {
    fn from(_: diesel::result::Error) -> Self {
        Failure::Internal
    }
}

impl From<diesel::r2d2::PoolError> for Failure {
    fn from(_: diesel::r2d2::PoolError) -> Self {
        Failure::Internal
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Failure::Wrong(rejection.body_text())
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Failure::Wrong(text)
    }
}

type Answer<T> = Result<T, Failure>;

#[derive(Serialize)]
struct Hello {
    message: &'static str,
}

async fn page(State(db): State<App>, Query(query): Query<PageQuery>) -> Answer<Json<Vec<Person>>> {
    query.check()?;
    Ok(Json(db.page(&query)?))
}

async fn add(State(db): State<App>, body: Result<Json<PersonBody>, JsonRejection>) -> Answer<()> {
    let Json(body) = body?;
    body.check()?;
    Ok(db.add(&NewPerson::now(&body))?)
}

async fn add_returning(
    State(db): State<App>,
    body: Result<Json<PersonBody>, JsonRejection>,
) -> Answer<Json<Person>> {
    let Json(body) = body?;
    body.check()?;
    Ok(Json(db.add_returning(&NewPerson::now(&body))?))
}

async fn add_all(
    State(db): State<App>,
    body: Result<Json<PeopleBody>, JsonRejection>,
) -> Answer<()> {
    let Json(body) = body?;
    body.check()?;
    let people: Vec<_> = body.people.iter().map(NewPerson::now).collect();
    Ok(db.add_all(&people)?)
}

async fn json() -> Json<Hello> {
    Json(Hello { message: "Hello, World!" })
}

async fn plaintext() -> &'static str {
    "Hello, World!"
}

async fn world(State(db): State<App>) -> Answer<Json<World>> {
    Ok(Json(db.world()?))
}

async fn worlds(State(db): State<App>, Query(query): Query<Queries>) -> Answer<Json<Vec<World>>> {
    Ok(Json(db.worlds(query.count())?))
}

async fn cached(State(db): State<App>, Query(query): Query<Count>) -> Json<Vec<World>> {
    Json(db.cached(query.count()))
}

async fn updates(
    State(db): State<App>,
    body: Result<Json<models::QueriesBody>, JsonRejection>,
) -> Answer<Json<Vec<World>>> {
    let Json(body) = body?;
    Ok(Json(db.update_worlds(body.count())?))
}

async fn fortunes(State(db): State<App>) -> Answer<Html<String>> {
    Ok(Html(fortunes::page(db.fortunes()?)))
}

fn router(db: App) -> Router {
    Router::new()
        .route("/dmail/user/q", get(page))
        .route("/dmail/user/add", post(add))
        .route("/dmail/user/ret", post(add_returning))
        .route("/dmail/user/batch", post(add_all))
        .route("/json", get(json))
        .route("/plaintext", get(plaintext))
        .route("/db", get(world))
        .route("/queries", get(worlds))
        .route("/cached-queries", get(cached))
        .route("/updates", post(updates))
        .route("/fortunes", get(fortunes))
        .with_state(db)
}

#[derive(Deserialize)]
struct Job {
    port: u16,
    file: String,
    settings: db::Settings,
}

async fn serve(job: Job) -> Result<(), Box<dyn std::error::Error>> {
    use tokio::signal::unix::{signal, SignalKind};

    let db = Arc::new(Db::open(&job.file, &job.settings)?);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", job.port)).await?;
    let mut end = signal(SignalKind::terminate())?;
    tokio::select! {
        served = axum::serve(listener, router(db)).tcp_nodelay(true).into_future() => served?,
        _ = end.recv() => (),
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = std::env::args().nth(1).ok_or("usage: bench-axum JOB")?;
    let job = serde_json::from_str(&argument)?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(serve(job))
}
