//! Starts tracing: lines on stderr, above the bars if there are any, or one JSON object a line.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::MultiProgress;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::Clock;
use crate::settings::{LogFormat, Settings, Terminal};

/// Where log lines go: stderr, above the bars that are shown there.
#[derive(Clone, Debug, Default)]
pub(super) struct Screen(Arc<Mutex<Option<MultiProgress>>>);

impl Screen {
    /// From now on lines are written above these bars; without them, as they come.
    pub(super) fn show(&self, bars: Option<MultiProgress>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bars;
    }
}

/// One line that is written as a whole.
pub(super) struct Line {
    screen: Screen,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Screen {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { screen: self.clone(), bytes: Vec::new() }
    }
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let bars = self.screen.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A closed stderr is no reason to stop converging.
        let write = || drop(io::stderr().write_all(&self.bytes));
        match bars.as_ref() {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// Starts tracing for the rest of the process.
pub(super) fn start(settings: &Settings, clock: &Clock) -> Screen {
    let screen = Screen::default();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter(settings.verbosity)))
        .with_writer(screen.clone());
    // A second subscriber in one process is a test's, and the first one stays.
    let _ = match settings.log_format {
        LogFormat::Json => tracing::subscriber::set_global_default(
            builder.json().flatten_event(true).with_timer(OurTime(clock.clone())).finish(),
        ),
        LogFormat::Text => tracing::subscriber::set_global_default(
            builder
                .event_format(Words { clock: clock.clone(), terminal: settings.terminal })
                .finish(),
        ),
    };
    screen
}

/// What is logged for so many `-v`; no variable of the environment says otherwise. It never is TRACE:
/// there the SDK prints requests with their signatures and tokens, and answers with the keys in them.
fn filter(verbosity: u8) -> &'static str {
    match verbosity {
        0 => "warn,driftless=info",
        1 => "warn,driftless=debug",
        _ => "debug",
    }
}

struct OurTime(Clock);

impl FormatTime for OurTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", self.0.now())
    }
}

/// Time, level and message: the message says all that the fields say.
struct Words {
    clock: Clock,
    terminal: Terminal,
}

impl<S, N> FormatEvent<S, N> for Words
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut message = Message::default();
        event.record(&mut message);
        let level = *event.metadata().level();
        let colour = match level {
            Level::ERROR => "1;31",
            Level::WARN => "1;33",
            Level::INFO => "32",
            _ => "2",
        };
        let moment = self.clock.now().to_string();
        // A person who watches knows which day it is: `21:56:16`, in UTC like everywhere else.
        let time = if self.terminal.bars { moment.get(11..19) } else { None }.unwrap_or(&moment);
        if self.terminal.colour_err {
            write!(writer, "\u{1b}[2m{time}\u{1b}[0m \u{1b}[{colour}m{level:5}\u{1b}[0m ")?;
        } else {
            write!(writer, "{time} {level:5} ")?;
        }
        let text = message.text.trim_end();
        // Libraries put what matters into fields.
        if event.metadata().target().starts_with("driftless") {
            writeln!(writer, "{text}")
        } else {
            writeln!(writer, "{}: {text}{}", event.metadata().target(), message.fields)
        }
    }
}

#[derive(Default)]
struct Message {
    text: String,
    fields: String,
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.text = format!("{value:?}");
        } else {
            self.fields.push_str(&format!(" {}={value:?}", field.name()));
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::level_filters::LevelFilter;

    use super::*;

    #[test]
    fn however_often_more_is_asked_for_nothing_is_traced() {
        for verbosity in 0..=u8::MAX {
            let most = EnvFilter::new(filter(verbosity)).max_level_hint();
            assert!(most.is_some_and(|most| most <= LevelFilter::DEBUG), "{verbosity}: {most:?}");
        }
    }
}
