//! The simulated cloud on a TCP port, for any AWS client. Unlike the SDK in this process, clients out
//! there are checked: their signatures, how much they send and how long they take.

use std::collections::BTreeMap;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH};
use http::request::Parts;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use crate::clock::Clock;
use crate::sim::Cloud;
use crate::sim::front::{Inner, Reply};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::sessions::{caller, secret_of};
use crate::sim::signature::{self, Signed};
use crate::sim::wire::{Message, Protocol, Request, access_key};

/// The largest request is a template of 51,200 bytes, each of them three when it is encoded; with
/// its parameters and tags it stays far below this.
const MAX_BODY_BYTES: usize = 1_500_000;
/// The largest object: Lambda takes 250 MiB of code, and templates are far smaller.
const MAX_OBJECT_BYTES: usize = 270_000_000;
/// Objects that are received at once, each of them in memory; others wait to be read.
const DOCKS: usize = 4;
/// Requests that are answered at once: all accounts are behind one lock, and more would only hold a
/// thread each while they wait for it.
const DESKS: usize = 4;
/// What is waited when no connection can be accepted, which is when files have run out.
const BREATH: Duration = Duration::from_millis(100);

/// How many clients may come, and how slow they may be.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Connections at once; others wait to be accepted. By default half of the files that a process
    /// may have open on most machines.
    pub connections: usize,
    /// The longest that a connection stays open between two requests, and that headers take.
    pub idle: Duration,
    /// The longest that a body takes.
    pub body: Duration,
    /// The longest life of a connection: who does not read the answers is cut off after that.
    pub life: Duration,
    /// How long requests that came before the end may still take.
    pub last_answers: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            idle: Duration::from_mins(1),
            body: Duration::from_secs(20),
            life: Duration::from_mins(10),
            last_answers: Duration::from_secs(10),
        }
    }
}

/// What all connections share.
struct Hall {
    cloud: Arc<Inner>,
    limits: ServeLimits,
    desks: Semaphore,
    docks: Semaphore,
}

impl Cloud {
    /// Answers whoever connects until `stop` resolves, then the requests that have come by then.
    pub async fn serve(
        &self,
        listener: TcpListener,
        limits: ServeLimits,
        stop: impl Future<Output = ()>,
    ) {
        let (told, closing) = watch::channel(());
        let seats = Arc::new(Semaphore::new(limits.connections));
        let (desks, docks) = (Semaphore::new(DESKS), Semaphore::new(DOCKS));
        let hall = Arc::new(Hall { cloud: self.0.clone(), limits, desks, docks });
        let mut open = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let (stream, seat) = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = accept(&listener, &seats) => accepted,
            };
            while open.try_join_next().is_some() {}
            let (hall, closing) = (hall.clone(), closing.clone());
            open.spawn(async move {
                converse(hall, stream, closing).await;
                drop(seat);
            });
        }
        drop((listener, told));
        // What is still open after that is broken off with the set.
        let all_ended = async { while open.join_next().await.is_some() {} };
        if tokio::time::timeout(limits.last_answers, all_ended).await.is_err() {
            debug!("connections that did not end were broken off");
        }
    }
}

/// The next connection, once there is a seat for it.
async fn accept(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // Nobody closes the semaphore, so there always is a permit in the end.
    let seat = seats.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, seat),
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

/// Answers one request after another until the client goes, dawdles, or is told to go.
async fn converse(hall: Arc<Hall>, stream: TcpStream, mut closing: watch::Receiver<()>) {
    let limits = hall.limits;
    // Small answers must not wait for more.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(hall.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let end = async {
        tokio::select! {
            // An error when the sender is gone, which is how it says it.
            _ = closing.changed() => {}
            () = tokio::time::sleep(limits.life) => {}
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = end => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(limits.last_answers, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        debug!("a connection ended badly: {error}");
    }
}

/// What is said to one request. An error breaks the connection.
async fn answer(
    hall: Arc<Hall>,
    request: http::Request<Incoming>,
) -> io::Result<http::Response<Said>> {
    let (head, body) = request.into_parts();
    let authorization = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let protocol = Protocol::of(head.method.as_str(), authorization);
    let dock = match head.method == http::Method::PUT {
        true => Some(hall.docks.acquire().await.map_err(io::Error::other)?),
        false => None,
    };
    let body = match admitted(&hall.cloud, protocol, &head) {
        Ok(most) => read(body, most, hall.limits.body).await,
        Err(refusal) => Err(refusal),
    };
    let (is_whole, is_head) = (body.is_ok(), head.method == http::Method::HEAD);
    let desk = hall.desks.acquire().await.map_err(io::Error::other)?;
    let cloud = hall.cloud.clone();
    // An account's file is read and written, which must not hold up the other connections.
    let asked = move || {
        let request = body.and_then(|body| asked(&cloud, protocol, &head, body));
        cloud.reply(protocol, request)
    };
    let reply = tokio::task::spawn_blocking(asked).await.map_err(io::Error::other)?;
    drop((desk, dock));
    let said = match reply {
        Reply::Answer(said, after) => {
            hall.cloud.clock.sleep(after).await;
            said
        }
        Reply::Broken(text) => return Err(io::Error::other(text)),
        Reply::Never => return Err(io::ErrorKind::ConnectionAborted.into()),
    };
    let mut response = http::Response::builder().status(said.status);
    for (name, value) in said.headers {
        response = response.header(name, value);
    }
    if !is_whole {
        response = response.header(CONNECTION, "close");
    }
    let text = Some(Bytes::from(said.body)).filter(|text| !text.is_empty());
    let left = if is_head {
        response = response.header(CONTENT_LENGTH, said.length);
        0
    } else {
        said.length
    };
    response.body(Said { text, left }).map_err(io::Error::other)
}

/// How long the body of a request may be. An object may be long, so that its signature is looked at
/// before it is read, which says what it covers of the body in a header.
fn admitted(cloud: &Inner, protocol: Protocol, head: &Parts) -> Answer<usize> {
    match protocol {
        Protocol::Query => Ok(MAX_BODY_BYTES),
        Protocol::S3 { .. } => {
            let hash = head.headers.get("x-amz-content-sha256");
            let hash = hash.and_then(|hash| hash.to_str().ok()).unwrap_or_default();
            is_signed(cloud, head, hash.to_owned())?;
            Ok(MAX_OBJECT_BYTES)
        }
    }
}

/// The body of a request, as long as it is neither too long nor too slow.
async fn read(body: Incoming, most: usize, slowest: Duration) -> Answer<Bytes> {
    let too_long = || {
        let text = format!("Request size exceeded {most} bytes, or it broke off");
        Err(Refusal::new("RequestEntityTooLarge", text).with_status(413))
    };
    if usize::try_from(body.size_hint().lower()).is_ok_and(|size| size > most) {
        return too_long();
    }
    match tokio::time::timeout(slowest, Limited::new(body, most).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => too_long(),
        Err(_) => {
            let text = format!("The body took longer than {} seconds", slowest.as_secs());
            Err(Refusal::new("RequestTimeout", text).with_status(408))
        }
    }
}

/// What is asked, if it was signed with the keys that it names.
fn asked(cloud: &Inner, protocol: Protocol, head: &Parts, body: Bytes) -> Answer<Request> {
    let fields = head.headers.iter();
    let headers = fields.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let headers: BTreeMap<&str, &str> = headers.collect();
    let hash = (protocol == Protocol::Query).then(|| hex::encode(Sha256::digest(&body)));
    let request = Request::parse(Message {
        method: head.method.as_str(),
        host: headers.get("host").copied().unwrap_or_default(),
        target: target(head),
        headers,
        body: body.into(),
    })?;
    if let Some(hash) = hash {
        if head.method != http::Method::POST {
            return Err(Refusal::not_simulated(format!("requests by {}: use POST", head.method)));
        }
        if target(head) != "/" {
            return Err(Refusal::not_simulated(format!("the path `{}`: use `/`", head.uri)));
        }
        is_signed(cloud, head, hash)?;
    }
    Ok(request)
}

fn target(head: &Parts) -> &str {
    head.uri.path_and_query().map_or("/", |target| target.as_str())
}

/// Refuses what was not signed with the keys that it names; `hash` is what it signs of the body.
fn is_signed(cloud: &Inner, head: &Parts, hash: String) -> Answer<()> {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let key = access_key(text("authorization").unwrap_or_default());
    caller(key, text("x-amz-security-token"), cloud.clock.now())?;
    // Clients go by the machine's time. The cloud's clock counts on from its start, and stands still
    // while the machine sleeps.
    let now = Clock::of_this_machine().now();
    let signed =
        Signed { method: head.method.as_str(), target: target(head), headers: &head.headers, hash };
    signature::check(&signed, &secret_of(key), now)
}

/// The body of an answer: breaks off when less is there than was announced.
struct Said {
    text: Option<Bytes>,
    left: usize,
}

impl Body for Said {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(match self.text.take() {
            Some(text) => {
                self.left = self.left.saturating_sub(text.len());
                Some(Ok(Frame::data(text)))
            }
            None if self.left > 0 => Some(Err(io::ErrorKind::UnexpectedEof.into())),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.text.is_none() && self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left).unwrap_or(u64::MAX))
    }
}
