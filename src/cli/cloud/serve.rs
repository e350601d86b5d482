//! `driftless cloud serve` and `cloud keys`: the simulated cloud for any AWS client.

use std::io::Write;
use std::net::SocketAddr;

use clap::Args;
use tokio::net::TcpListener;
use tracing::info;

use crate::cli::converge::{runtime, stop_signals};
use crate::cli::opening::home;
use crate::cli::{Failure, log};
use crate::clock::Clock;
use crate::fleet::Fleet;
use crate::ids::{AccountId, Region};
use crate::settings::Settings;
use crate::sim::{Cloud, ServeLimits};

/// The region of clients when there is no fleet to take one from: AWS's own first.
const ANY_REGION: &str = "us-east-1";

#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ServeArgs {
    /// Where to listen; port 0 is any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4666")]
    listen: SocketAddr,
    /// Let other machines in: anybody can compute the keys of a simulated account
    #[arg(long)]
    allow_remote: bool,
}

#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct KeysArgs {
    /// Whose keys; without it, those of the account that assumes roles in the others
    account: Option<AccountId>,
}

/// Prints the variables with which clients find the cloud, and serves it until a signal comes.
pub(super) fn serve(
    args: &ServeArgs,
    cloud: &Cloud,
    (fleet, settings): (Option<&Fleet>, &Settings),
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if !args.listen.ip().is_loopback() && !args.allow_remote {
        return Err(Failure::new(
            format!("other machines can reach {}, and the keys are no secrets", args.listen),
            "listen on 127.0.0.1, or add --allow-remote if that is meant",
        ));
    }
    log::start(settings, clock);
    let runtime = runtime()?;
    let served = runtime.block_on(async {
        let listener =
            TcpListener::bind(args.listen).await.map_err(|error| cannot(args, &error))?;
        let address = listener.local_addr().map_err(|error| cannot(args, &error))?;
        let region = region(fleet);
        writeln!(out, "export AWS_ENDPOINT_URL=http://{address}")?;
        write_keys(&cloud.keys_of(None), out)?;
        // boto3 and the AWS CLI read the one, the other SDKs the other.
        writeln!(out, "export AWS_REGION={region} AWS_DEFAULT_REGION={region}")?;
        out.flush()?;
        let (folder, speed) = (settings.cloud_folder(), settings.simulated_speed());
        info!("serving `{}`, {speed} times as fast as AWS, at {address}", folder.display());
        let (told, at_once) = stop_signals()?;
        tokio::select! {
            () = cloud.serve(listener, ServeLimits::default(), told) => {}
            () = at_once => {}
        }
        Ok(())
    });
    // A second signal means now: what is still blocked in a thread is not waited for.
    runtime.shutdown_background();
    served
}

/// Prints the variables with which clients work in an account.
pub(super) fn keys(args: &KeysArgs, cloud: &Cloud, out: &mut dyn Write) -> Result<(), Failure> {
    write_keys(&cloud.keys_of(args.account), out)
}

fn write_keys((key, secret): &(String, String), out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "export AWS_ACCESS_KEY_ID={key}")?;
    writeln!(out, "export AWS_SECRET_ACCESS_KEY={secret}")?;
    // What is left of a session would be taken for one of these keys.
    writeln!(out, "unset AWS_SESSION_TOKEN")?;
    Ok(())
}

/// That of the fleet, if there is one: what is served has no region of its own.
fn region(fleet: Option<&Fleet>) -> String {
    let home = fleet.and_then(|fleet| home(fleet).ok());
    home.as_ref().map_or(ANY_REGION, Region::as_str).to_owned()
}

fn cannot(args: &ServeArgs, error: &std::io::Error) -> Failure {
    Failure {
        causes: vec![error.to_string()],
        ..Failure::new(
            format!("cannot listen on {}", args.listen),
            "name another port with --listen, or 0 for any free one",
        )
    }
}
