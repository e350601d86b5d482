//! One HTTP request, over the same hyper and rustls that the AWS SDK brings. Redirects are not
//! followed: a secret goes where it was given for.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::announce::secrets::Hidden;

/// A chat answers within a second or two.
const WHOLE_CALL: Duration = Duration::from_secs(20);
const CONNECTING: Duration = Duration::from_secs(5);

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes something, or hands it over.
    Post,
    /// Changes a part.
    Patch,
    /// Changes the whole.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// Its word in HTTP.
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it does.
    pub method: Method,
    /// Where to. It may be a secret.
    pub url: Hidden,
    /// Names in lower case, and values, some of which are secrets.
    pub headers: Vec<(&'static str, Hidden)>,
    /// JSON, or nothing.
    pub body: String,
    /// Bytes that are read of the answer.
    pub max_answer: usize,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers by their names in lower case; of one that came twice the last.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
    /// The body broke off or was longer than asked for: `body` is empty then.
    pub is_cut: bool,
}

impl Answer {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Nothing came back: why, in words that may hold the URL. Whether it arrived is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsent(pub String);

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A call under way.
pub type Posting = Pin<Box<dyn Future<Output = Result<Answer, Unsent>> + Send>>;
/// Sends one request. Tests give one that answers from memory.
pub type Post = Arc<dyn Fn(Request) -> Posting + Send + Sync>;

type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Sends requests over the network.
pub fn over_https() -> Post {
    // The certificates of the machine are read when the first message goes out, if any does.
    let client: Arc<OnceLock<Result<HttpsClient, Unsent>>> = Arc::default();
    Arc::new(move |request| {
        let client = Arc::clone(&client);
        Box::pin(async move {
            let client = client.get_or_init(self::client).clone()?;
            let call = send(&client, request);
            match tokio::time::timeout(WHOLE_CALL, call).await {
                Ok(answer) => answer,
                Err(_) => Err(Unsent(format!("no answer within {} s", WHOLE_CALL.as_secs()))),
            }
        })
    })
}

fn client() -> Result<HttpsClient, Unsent> {
    let failed = |why: &dyn fmt::Display| Unsent(format!("TLS cannot be used: {why}"));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_native_roots()
        .map_err(|error| failed(&error))?
        .with_no_client_auth();
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECTING));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(connector);
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

async fn send(client: &HttpsClient, request: Request) -> Result<Answer, Unsent> {
    let Request { method, url, headers, body, max_answer } = request;
    let mut builder = http::Request::builder()
        .method(method.word())
        .uri(url.reveal())
        .header("user-agent", concat!("driftless/", env!("CARGO_PKG_VERSION")));
    for (name, value) in headers {
        builder = builder.header(name, value.reveal());
    }
    let built = builder.body(Full::new(Bytes::from(body)));
    let built = built.map_err(|error| Unsent(error.to_string()))?;
    let response = client.request(built).await.map_err(|error| Unsent(in_words(&error)))?;
    let status = response.status().as_u16();
    let text = |value: &http::HeaderValue| value.to_str().ok().map(str::to_owned);
    let headers = response.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.to_string(), text(value)?)));
    let headers = headers.collect();
    let body = Limited::new(response.into_body(), max_answer).collect().await;
    let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
    Ok(Answer { status, headers, is_cut: body.is_err(), body: body.unwrap_or_default() })
}

/// An error with all that led to it.
fn in_words(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(&format!(": {more}"));
        }
        source = error.source();
    }
    text
}
