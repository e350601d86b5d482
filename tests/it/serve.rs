//! The simulated cloud on a port: botocore and the AWS CLI take it for AWS, driftless converges a
//! fleet through it, and rude clients get no further than that.

mod conformance;
mod program;
mod rude;
mod storage;

use std::net::SocketAddr;

use driftless::clock::Clock;
use driftless::sim::{Cloud, CloudSettings, ServeLimits};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A cloud in memory, served until the value is dropped.
pub(crate) struct Served {
    pub(crate) cloud: Cloud,
    pub(crate) address: SocketAddr,
    runtime: Option<Runtime>,
    _stop: oneshot::Sender<()>,
}

impl Served {
    pub(crate) fn with(settings: CloudSettings) -> Self {
        Self::within(settings, ServeLimits::default())
    }

    fn within(settings: CloudSettings, limits: ServeLimits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let cloud = Cloud::in_memory(settings, Clock::of_this_machine());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let served = cloud.clone();
        runtime.spawn(async move {
            served.serve(listener, limits, async move { drop(stopped.await) }).await;
        });
        Self { cloud, address, runtime: Some(runtime), _stop: stop }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Connections that clients keep open must not hold the test up.
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}
