//! Freeze windows: when nothing new is started. Windows open by a cron pattern in a time zone; the
//! zones are built in, so that the machine's own count for nothing. Nothing else knows of either.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions, parse_crontab_with};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};

use crate::fleet::Selector;
use crate::fleet::reader::nearest;
use crate::moment::Moment;

/// How far clocks may be put back at once: twice what any zone has done since 1970.
const LARGEST_FOLD: SignedDuration = SignedDuration::from_hours(4);
/// Times of a pattern that may fall into one open window. More say the same as fewer would, and
/// each has to be looked at.
const MOST_AT_ONCE: usize = 100;
/// Times that are looked at to say when a window closes; beyond, it is asked again by then.
const MOST_AHEAD: usize = 4 * MOST_AT_ONCE;
/// Where patterns are tried out: 2026-01-01T00:00Z. They know no years, so any year will do.
const TRIAL_START: Moment = Moment::from_millis(1_767_225_600_000);
/// What is open so long is not a window but has no end. It ends before clocks are put back anywhere:
/// the hour that a day is longer then is no time to deploy in.
const TRIAL: Duration = Duration::from_secs(90 * 86_400);

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A window that opens at each time of a pattern and stays open for a while.
#[derive(Clone, Debug)]
pub struct Freeze {
    /// Which tenants it holds.
    pub selector: Selector,
    /// How long it stays open, in real time.
    pub duration: Duration,
    /// Why, in a person's words.
    pub reason: Option<String>,
    pub(super) pattern: Pattern,
    pub(super) zone: Zone,
}

/// The five fields of cron.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: String,
    /// Against UTC: times on a clock on the wall, whatever its zone.
    times: Crontab,
}

/// A time zone of the IANA database.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    name: String,
    rules: TimeZone,
}

impl Pattern {
    /// Reads minute, hour, day of month, month and day of week. The error says what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields = text.split_whitespace().count();
        if fields != 5 {
            return Err(format!("it has {fields} fields, and cron has 5"));
        }
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        let times = parse_crontab_with(text, options).map_err(|error| {
            let error = error.to_string();
            // Before it the pattern is drawn with a mark below; its place is known here.
            let reason = error.rsplit_once("^ ").map_or(error.as_str(), |(_, reason)| reason);
            reason.to_owned()
        })?;
        Ok(Self { text: text.to_owned(), times })
    }
}

/// The zone of a window that names none.
impl Default for Zone {
    fn default() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }
}

impl Zone {
    /// The zone of this name; else the name that was probably meant.
    pub(super) fn named(name: &str) -> Result<Self, Option<String>> {
        if let Ok(rules) = ZONES.get(name) {
            let name = rules.iana_name().unwrap_or(name).to_owned();
            return Ok(Self { name, rules });
        }
        let names = ZONES.available().map(|name| name.to_string());
        // `Etc/GMT+1` is an hour behind, which nobody means who writes a sign.
        let names: Vec<String> = names.filter(|name| !name.starts_with("Etc/")).collect();
        let whole = nearest(name, names.iter().map(String::as_str));
        // Many write the city only.
        let city = |name: &str| name.rsplit('/').next().map(str::to_owned).unwrap_or_default();
        let cities: Vec<String> = names.iter().map(|name| city(name)).collect();
        let near = nearest(name, cities.iter().map(String::as_str));
        let of_city = names.iter().find(|name| near.is_some_and(|near| city(name) == near));
        Err(whole.or(of_city.map(String::as_str)).map(str::to_owned))
    }
}

impl Freeze {
    /// When the window closes that is open at `now`; `None` when none is. A window that opens again
    /// before it closes is one.
    pub fn open_until(&self, now: Moment) -> Option<Moment> {
        let mut closes_at = None;
        for opens_at in self.openings(now - self.duration).take(MOST_AHEAD) {
            if opens_at > closes_at.unwrap_or(now) {
                break;
            }
            closes_at = Some(opens_at + self.duration);
        }
        closes_at
    }

    /// Whether it ever opens.
    pub(super) fn opens(&self) -> bool {
        self.openings(TRIAL_START).next().is_some()
    }

    /// Whether its pattern names far more times than its duration needs.
    pub(super) fn is_too_dense(&self) -> bool {
        let mut openings = self.openings(TRIAL_START);
        let first = openings.next();
        let last = openings.nth(MOST_AT_ONCE - 1);
        first.zip(last).is_some_and(|(first, last)| last.since(first) < self.duration)
    }

    /// The moments after `after` at which it opens, ascending: a time that the clock shows twice is
    /// two of them, one that it jumps over is that of the jump.
    fn openings(&self, after: Moment) -> impl Iterator<Item = Moment> + '_ {
        let mut walls = self.wall_times(after).map(|wall| self.moments(wall)).peekable();
        // Second times, which lie behind first ones of later times on the wall.
        let mut open: BTreeSet<Moment> = BTreeSet::new();
        std::iter::from_fn(move || {
            while let Some((first, _)) = walls.peek()
                && open.first().is_none_or(|earliest| first < earliest)
            {
                let (first, second) = walls.next()?;
                open.extend([Some(first), second].into_iter().flatten());
            }
            open.pop_first()
        })
        .filter(move |at| *at > after)
    }

    /// The times on the wall that may be later than `after`, ascending.
    fn wall_times(&self, after: Moment) -> impl Iterator<Item = DateTime> + use<> {
        let after = i64::try_from(after.as_millis()).ok();
        let after = after.and_then(|millis| Timestamp::from_millisecond(millis).ok());
        let wall = after.map(|after| self.zone.rules.to_datetime(after));
        let wall = wall.and_then(|wall| wall.checked_sub(LARGEST_FOLD).ok());
        let start = wall.and_then(|wall| Offset::UTC.to_timestamp(wall).ok());
        let times = start.and_then(|start| self.pattern.times.iter_after(start).ok());
        times.into_iter().flatten().map_while(Result::ok).map(|time| time.datetime())
    }

    /// When the clock shows a time, once or twice.
    fn moments(&self, wall: DateTime) -> (Moment, Option<Moment>) {
        let rules = &self.zone.rules;
        let at = |offset: Offset| offset.to_timestamp(wall).map_or(Moment::default(), moment);
        match rules.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => (at(offset), None),
            AmbiguousOffset::Fold { before, after } => (at(before), Some(at(after))),
            AmbiguousOffset::Gap { after, .. } => {
                // By the new offset the time lies before the jump, which is the next one.
                let earlier = after.to_timestamp(wall).ok();
                let jump = earlier.and_then(|earlier| rules.following(earlier).next());
                (jump.map_or(at(after), |jump| moment(jump.timestamp())), None)
            }
        }
    }
}

/// Whether these windows together leave no moment in a quarter in which anything could be started.
pub fn never_close(windows: &[&Freeze]) -> bool {
    let mut at = TRIAL_START;
    while at < TRIAL_START + TRIAL {
        match windows.iter().filter_map(|window| window.open_until(at)).max() {
            Some(closes_at) => at = closes_at,
            None => return false,
        }
    }
    true
}

fn moment(time: Timestamp) -> Moment {
    Moment::from_millis(u64::try_from(time.as_millisecond()).unwrap_or(0))
}

/// `0 18 * * FRI in Europe/Berlin for 62h (quarter end)`
impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.duration.as_secs();
        let units = [(86_400, "d"), (3_600, "h"), (60, "m")];
        let (size, unit) =
            units.into_iter().find(|(size, _)| seconds.is_multiple_of(*size)).unwrap_or((1, "s"));
        write!(f, "{} in {} for {}{unit}", self.pattern.text, self.zone.name, seconds / size)?;
        match &self.reason {
            Some(reason) => write!(f, " ({reason})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
