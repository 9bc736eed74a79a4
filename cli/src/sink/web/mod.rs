//! `okuru sink --web`: a page that lists what arrived and shows each message.
//!
//! Whatever is in a message was written by a stranger. Its HTML is shown in a frame without scripts, without an origin and
//! without the network; everything else is handed over as data, and written by the page as text.

pub(crate) mod dialogues;
mod view;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{StatusCode, uri::Authority};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use self::dialogues::Dialogues;
use self::view::View;
use super::inbox::Inbox;
use super::letter::{Letter, Place};

/// What is shown.
#[derive(Clone)]
struct Shown {
    inbox: Inbox,
    dialogues: Dialogues,
}

/// A page that listens.
pub(super) struct Page {
    listener: TcpListener,
    router: Router,
}

impl Page {
    pub(super) async fn bind(address: &str, inbox: Inbox, dialogues: Dialogues) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let router = Router::new()
            .route("/", get(async || file("text/html; charset=utf-8", include_str!("page/index.html"))))
            .route("/page.js", get(async || file("text/javascript; charset=utf-8", include_str!("page/page.js"))))
            .route("/page.css", get(async || file("text/css; charset=utf-8", include_str!("page/page.css"))))
            .route("/messages", get(list).delete(clear))
            .route("/messages/{number}", get(show))
            .route("/messages/{number}/source", get(source))
            .route("/messages/{number}/html", get(html))
            .route("/messages/{number}/attachments/{place}", get(attachment))
            .layer(middleware::from_fn(guard))
            .with_state(Shown { inbox, dialogues });
        Ok(Self { listener, router })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Shows what there is, until the program ends.
    pub(super) fn start(self) {
        tokio::spawn(async move { axum::serve(self.listener, self.router).await });
    }
}

/// Answers only to who means this machine: a name that a stranger's DNS leads here is not one of ours.
async fn guard(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let is_ours = host.is_some_and(|host| {
        let name = host.host().trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || name.parse::<IpAddr>().is_ok()
    });
    if !is_ours {
        return (StatusCode::FORBIDDEN, "this page is reached by an address or as localhost\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; img-src data:; frame-ancestors 'self'; form-action 'none'; base-uri 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

fn file(content_type: &'static str, content: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, content_type)], content)
}

/// The messages as in `--json`, the latest first.
async fn list(State(shown): State<Shown>) -> Response {
    let lines: Vec<_> = shown.inbox.letters().iter().rev().filter_map(|letter| letter.json().ok()).collect();
    json(format!("[{}]", lines.join(",")))
}

async fn clear(State(shown): State<Shown>) -> StatusCode {
    shown.inbox.clear();
    StatusCode::NO_CONTENT
}

async fn show(State(shown): State<Shown>, Path(number): Path<u64>) -> Result<Response, StatusCode> {
    let (letter, content) = find(&shown, number).await?;
    let view = View::of(&content, shown.dialogues.of(letter.visit.number()));
    serde_json::to_string(&view).map(json).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

async fn source(State(shown): State<Shown>, Path(number): Path<u64>) -> Result<Response, StatusCode> {
    let (_, content) = find(&shown, number).await?;
    Ok(download("message/rfc822", &format!("{number}.eml"), content))
}

async fn html(State(shown): State<Shown>, Path(number): Path<u64>) -> Result<Response, StatusCode> {
    const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:";
    let (_, content) = find(&shown, number).await?;
    let html = view::html(&content).ok_or(StatusCode::NOT_FOUND)?;
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, POLICY)];
    Ok((headers, html).into_response())
}

async fn attachment(
    State(shown): State<Shown>,
    Path((number, place)): Path<(u64, usize)>,
) -> Result<Response, StatusCode> {
    let (_, content) = find(&shown, number).await?;
    let (name, attached) = view::attachment(&content, place).ok_or(StatusCode::NOT_FOUND)?;
    Ok(download("application/octet-stream", &name, attached.into()))
}

async fn find(shown: &Shown, number: u64) -> Result<(Arc<Letter>, Bytes), StatusCode> {
    let letter = shown.inbox.letter(number).ok_or(StatusCode::NOT_FOUND)?;
    let content = match &letter.place {
        Place::Memory(content) => content.clone(),
        // Somebody may have taken it out of the Maildir.
        Place::File(path) => tokio::fs::read(path).await.map_err(|_| StatusCode::GONE)?.into(),
    };
    Ok((letter, content))
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// Something that a browser saves and does not show.
fn download(content_type: &'static str, name: &str, content: Bytes) -> Response {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = name.chars().map(plain).take(100).collect();
    let headers: [(HeaderName, String); 2] = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, content).into_response()
}
