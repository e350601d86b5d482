//! The simulated cloud as the AWS SDK's HTTP client: no socket, no thread, no wait but an ordered one.

use std::io;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;

use crate::sim::front::{Inner, Reply};
use crate::sim::wire::Request;

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
        let reply = self.0.reply(parse(&request));
        match reply {
            Reply::Answer { status, body, length, after } if after.is_zero() => {
                HttpConnectorFuture::ready(response(status, body, length, self.0.date()))
            }
            Reply::Answer { status, body, length, after } => {
                let cloud = self.0.clone();
                HttpConnectorFuture::new(async move {
                    cloud.clock.sleep(after).await;
                    response(status, body, length, cloud.date())
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
        let now = self.script.clock_of_aws(self.clock.now());
        let date = DateTime::from(now.as_system_time());
        date.fmt(Format::HttpDate).unwrap_or_default()
    }
}

fn parse(request: &HttpRequest) -> crate::sim::refusal::Answer<Request> {
    let host = request.uri().parse::<http::Uri>().ok();
    let host = host.as_ref().and_then(http::Uri::host).unwrap_or_default();
    let body = request.body().bytes().unwrap_or_default();
    Request::parse(host, |name| request.headers().get(name), body)
}

fn response(
    status: u16,
    body: String,
    length: usize,
    date: String,
) -> Result<HttpResponse, ConnectorError> {
    let built = http::Response::builder()
        .status(status)
        .header("date", date)
        .header("content-type", "text/xml")
        .header("content-length", length)
        .body(SdkBody::from(body))
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    HttpResponse::try_from(built).map_err(|error| ConnectorError::other(error.into(), None))
}
