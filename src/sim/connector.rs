//! The simulated cloud as the AWS SDK's HTTP client: no socket, no thread, no wait but an ordered one.

use std::io;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use crate::sim::front::{Inner, Reply, Response, http_date};
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::wire::{Message, Protocol, Request};

/// Answers from memory what an SDK client sends.
#[derive(Clone, Debug)]
pub(crate) struct Connector(pub(crate) Arc<Inner>);

impl HttpClient for Connector {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let protocol = Protocol::of(request.method(), request.headers().get("authorization"));
        let reply = self.0.reply(protocol, parse(&request));
        match reply {
            Reply::Answer(said, after) if after.is_zero() => {
                HttpConnectorFuture::ready(response(said, self.0.date()))
            }
            Reply::Answer(said, after) => {
                let cloud = self.0.clone();
                HttpConnectorFuture::new(async move {
                    cloud.clock.sleep(after).await;
                    response(said, cloud.date())
                })
            }
            Reply::Never => HttpConnectorFuture::new(std::future::pending()),
            Reply::Broken(text) => {
                let error = io::Error::new(io::ErrorKind::ConnectionReset, text);
                HttpConnectorFuture::ready(Err(ConnectorError::io(error.into())))
            }
        }
    }
}

impl Inner {
    /// The time as answers tell it.
    fn date(&self) -> String {
        http_date(self.script.clock_of_aws(self.clock.now()))
    }
}

fn parse(request: &HttpRequest) -> Answer<Request> {
    let unreadable = |_| Refusal::validation("the URI of the request cannot be read");
    let uri = request.uri().parse::<http::Uri>().map_err(unreadable)?;
    let streams = || Refusal::not_simulated("bodies that are made while they are sent");
    Request::parse(Message {
        method: request.method(),
        host: uri.host().unwrap_or_default(),
        target: uri.path_and_query().map_or("/", |target| target.as_str()),
        headers: request.headers().iter().collect(),
        body: request.body().bytes().ok_or_else(streams)?.to_vec(),
    })
}

fn response(said: Response, date: String) -> Result<HttpResponse, ConnectorError> {
    let mut built = http::Response::builder()
        .status(said.status)
        .header("date", date)
        .header("content-length", said.length);
    for (name, value) in said.headers {
        built = built.header(name, value);
    }
    let built = built
        .body(SdkBody::from(said.body))
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    HttpResponse::try_from(built).map_err(|error| ConnectorError::other(error.into(), None))
}
