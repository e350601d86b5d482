//! `driftless notify test`: whether each channel can be told, tried with one message.

use std::io::Write;

use clap::{Args, Subcommand};

use crate::announce::{Verdict, kind, try_once};
use crate::cli::Failure;
use crate::cli::context::{Ending, Format};
use crate::cli::converge::{means, runtime};
use crate::cli::opening::open;
use crate::clock::Clock;
use crate::fleet::Channel;
use crate::ids::DocumentName;
use crate::journal::Journal;
use crate::report::announcements::test_message;
use crate::report::output::{self, FORMAT_VERSION, TestedChannel, TestedChannels};
use crate::settings::Settings;

/// What can be asked about channels.
#[derive(Clone, Debug, Subcommand)]
pub(super) enum NotifyCommand {
    /// Send a test message to each channel of the Fleet document, and say what came back
    Test(TestArgs),
}

/// Which channels are tried.
#[derive(Args, Clone, Debug)]
pub(super) struct TestArgs {
    /// Only this channel
    #[arg(long, value_name = "NAME")]
    channel: Option<DocumentName>,
    /// How the answer is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Ends well when every message arrived. A channel that was given up is told again then.
pub(super) fn run(
    command: &NotifyCommand,
    settings: &Settings,
    clock: &Clock,
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let NotifyCommand::Test(args) = command;
    let opened = open(settings, clock)?;
    let fleet = &opened.wanted(settings)?.fleet;
    let channels = chosen(&fleet.notify, args.channel.as_ref())?;
    let journal = Journal::open_existing(&settings.state, clock.now())?;
    let (runtime, means) = (runtime()?, means());
    let mut ending = Ending::Good;
    let mut tested = Vec::new();
    for channel in channels {
        let now = clock.now();
        let message = test_message(fleet.name.as_str(), channel, &settings.user, now);
        let verdict = runtime.block_on(try_once(&means, clock, channel, &message, 1));
        let (kind, text) = (kind(&channel.receiver), in_words(&verdict));
        match args.format {
            Format::Text => writeln!(out, "{} ({kind}): {text}", channel.name)?,
            Format::Json => tested.push(TestedChannel {
                name: channel.name.to_string(),
                kind: kind.to_string(),
                arrived: verdict == Verdict::Delivered,
                text,
            }),
        }
        match (verdict, &journal) {
            (Verdict::Delivered, Some(journal)) => {
                journal.revive_channel(channel.name.as_str(), now)?;
            }
            (Verdict::Delivered, None) => {}
            (Verdict::Unready(_) | Verdict::Later { .. } | Verdict::Refused { .. }, _) => {
                ending = Ending::NeedsAttention;
            }
        }
    }
    if args.format == Format::Json {
        let all = TestedChannels { version: FORMAT_VERSION, channels: tested };
        out.write_all(output::text(&all).as_bytes())?;
    }
    Ok(ending)
}

fn chosen<'a>(
    channels: &'a [Channel],
    only: Option<&DocumentName>,
) -> Result<Vec<&'a Channel>, Failure> {
    if channels.is_empty() {
        return Err(Failure::new(
            "this fleet tells nobody anything",
            "name a channel in `spec.notify` of the Fleet document",
        ));
    }
    let chosen: Vec<&Channel> =
        channels.iter().filter(|channel| only.is_none_or(|only| *only == channel.name)).collect();
    if let (true, Some(only)) = (chosen.is_empty(), only) {
        let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
        return Err(Failure::new(
            format!("no channel is called `{only}`"),
            format!("there are: {}", names.join(", ")),
        ));
    }
    Ok(chosen)
}

fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Delivered => "the message arrived".to_owned(),
        Verdict::Unready(text) => format!("not sent: {text}"),
        Verdict::Later { text, .. } => format!("did not arrive: {text}"),
        Verdict::Refused { text } => format!("refused: {text}"),
    }
}
