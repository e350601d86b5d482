//! Windows on days when clocks change, one by one and against a walk over every minute.

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn window(cron: &str, zone: &str, duration: Duration) -> Freeze {
    let pattern = Pattern::parse(cron).unwrap_or_else(|error| panic!("{cron}: {error}"));
    let zone = Zone::named(zone).unwrap_or_else(|near| panic!("{zone}: {near:?}"));
    Freeze { pattern, zone, duration, selector: Selector::default(), reason: None }
}

fn at(text: &str) -> Moment {
    moment(text.parse().unwrap_or_else(|error| panic!("{text}: {error}")))
}

fn until(window: &Freeze, now: &str) -> Option<String> {
    let closes_at = window.open_until(at(now))?;
    Some(closes_at.to_string().replace(":00.000Z", "Z"))
}

/// When the window is open on one day, as UTC.
fn openings(window: &Freeze, after: &str, count: usize) -> Vec<String> {
    let openings = window.openings(at(after)).take(count);
    openings.map(|at| at.to_string().replace(":00.000Z", "Z")).collect()
}

#[test]
fn a_weekend_is_open_from_friday_evening_in_berlin() {
    let weekend = window("0 18 * * FRI", "Europe/Berlin", HOUR * 62);
    assert_eq!(until(&weekend, "2026-11-27T16:59:59.999Z"), None);
    let closes = Some("2026-11-30T07:00Z".to_owned());
    assert_eq!(until(&weekend, "2026-11-27T17:00:00Z"), closes);
    assert_eq!(until(&weekend, "2026-11-30T06:59:59.999Z"), closes);
    assert_eq!(until(&weekend, "2026-11-30T07:00:00Z"), None);
}

#[test]
fn the_duration_is_real_time_when_clocks_change_meanwhile() {
    // On 2026-03-29 and 2026-10-25 clocks in Berlin change; both lie in this window.
    let weekend = window("0 18 * * FRI", "Europe/Berlin", HOUR * 62);
    assert_eq!(until(&weekend, "2026-03-28T12:00:00Z").as_deref(), Some("2026-03-30T07:00Z"));
    assert_eq!(until(&weekend, "2026-10-24T12:00:00Z").as_deref(), Some("2026-10-26T06:00Z"));
    // The next ones open at 18:00 of the new time.
    assert_eq!(openings(&weekend, "2026-03-28T12:00:00Z", 1), ["2026-04-03T16:00Z"]);
    assert_eq!(openings(&weekend, "2026-10-24T12:00:00Z", 1), ["2026-10-30T17:00Z"]);
}

#[test]
fn a_time_that_the_clock_jumps_over_is_that_of_the_jump() {
    let night = window("30 2 * * *", "Europe/Berlin", HOUR);
    assert_eq!(
        openings(&night, "2026-03-28T00:00:00Z", 3),
        ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"]
    );
    let night = window("30 2 * * *", "America/New_York", HOUR);
    assert_eq!(
        openings(&night, "2026-03-07T00:00:00Z", 3),
        ["2026-03-07T07:30Z", "2026-03-08T07:00Z", "2026-03-09T06:30Z"]
    );
}

#[test]
fn a_time_that_the_clock_shows_twice_opens_twice() {
    let night = window("30 2 * * *", "Europe/Berlin", HOUR / 2);
    assert_eq!(
        openings(&night, "2026-10-24T12:00:00Z", 3),
        ["2026-10-25T00:30Z", "2026-10-25T01:30Z", "2026-10-26T01:30Z"]
    );
    let night = window("30 1 * * *", "America/New_York", HOUR / 2);
    assert_eq!(
        openings(&night, "2026-10-31T12:00:00Z", 3),
        ["2026-11-01T05:30Z", "2026-11-01T06:30Z", "2026-11-02T06:30Z"]
    );
}

#[test]
fn the_hour_that_comes_twice_has_its_quarters_in_the_order_of_time() {
    let quarters = window("*/20 2 * * *", "Europe/Berlin", MINUTE * 5);
    assert_eq!(
        openings(&quarters, "2026-10-24T12:00:00Z", 6),
        [
            "2026-10-25T00:00Z",
            "2026-10-25T00:20Z",
            "2026-10-25T00:40Z",
            "2026-10-25T01:00Z",
            "2026-10-25T01:20Z",
            "2026-10-25T01:40Z",
        ]
    );
    // In the second of the two hours the second times are found too.
    assert_eq!(openings(&quarters, "2026-10-25T01:10:00Z", 1), ["2026-10-25T01:20Z"]);
}

#[test]
fn a_window_that_opens_again_before_it_closes_is_one() {
    let weekend = window("0 18 * * FRI,SAT", "UTC", HOUR * 30);
    assert_eq!(until(&weekend, "2026-11-27T18:00:00Z").as_deref(), Some("2026-11-30T00:00Z"));
    let touching = window("0 0,12 25 12 *", "UTC", HOUR * 12);
    assert_eq!(until(&touching, "2026-12-25T00:00:00Z").as_deref(), Some("2026-12-26T00:00Z"));
}

#[test]
fn windows_that_leave_a_moment_free_do_close() {
    let daily = |hours| window("0 8 * * *", "Europe/Berlin", HOUR * hours);
    assert!(!never_close(&[&daily(22)]));
    assert!(never_close(&[&daily(24)]), "though once a year a day has 25 hours");
    let week = window("0 0 * * MON-FRI", "UTC", HOUR * 24);
    let end = window("0 0 * * SAT", "UTC", HOUR * 48);
    assert!(!never_close(&[&week]) && !never_close(&[&end]) && never_close(&[&week, &end]));
    assert!(!never_close(&[]));
}

#[test]
fn times_beyond_any_calendar_open_nothing() {
    let daily = window("0 8 * * *", "Europe/Berlin", HOUR);
    for moment in [Moment::from_millis(0), Moment::from_millis(u64::MAX)] {
        assert_eq!(daily.open_until(moment), None);
    }
}

#[test]
fn patterns_that_never_come_or_come_all_the_time_are_known() {
    assert!(!window("0 0 30 2 *", "UTC", HOUR).opens());
    assert!(window("0 0 29 2 *", "UTC", HOUR).opens());
    assert!(window("* * * * *", "UTC", HOUR * 2).is_too_dense());
    assert!(!window("*/5 * * * *", "UTC", HOUR * 2).is_too_dense());
}

#[test]
fn a_pattern_has_five_fields_and_a_reason_when_it_has_not() {
    for (text, why) in [
        ("0 18 * *", "it has 4 fields, and cron has 5"),
        ("0 18 * * FRI Europe/Berlin", "it has 6 fields, and cron has 5"),
        ("", "it has 0 fields, and cron has 5"),
        ("60 18 * * FRI", "value must be in range 0..=59; found 60"),
    ] {
        assert_eq!(Pattern::parse(text).expect_err(text), why);
    }
}

#[test]
fn the_name_that_was_probably_meant_is_known() {
    let near = |name: &str| Zone::named(name).map(|zone| zone.name).unwrap_err();
    assert_eq!(near("Europe/Berln").as_deref(), Some("Europe/Berlin"));
    assert_eq!(near("Berlin").as_deref(), Some("Europe/Berlin"));
    assert_eq!(near("America/NewYork").as_deref(), Some("America/New_York"));
    assert_eq!(near("Middle/Earth").as_deref(), None);
    assert_eq!(Zone::named("europe/berlin").expect("a zone").name, "Europe/Berlin");
}

#[test]
fn it_is_said_as_it_is_written() {
    let window =
        Freeze { reason: Some("quarter end".into()), ..window("0 18 * * FRI", "UTC", HOUR) };
    assert_eq!(window.to_string(), "0 18 * * FRI in UTC for 1h (quarter end)");
}

/// When the window closes, found by walking over every minute before `now` and after it.
fn walked(cron: &str, zone: &str, duration: Duration, now: Moment) -> Option<Moment> {
    let times = Pattern::parse(cron).expect("a pattern").times;
    let rules = Zone::named(zone).expect("a zone").rules;
    let shows = |at: Moment| {
        let at = Timestamp::from_millisecond(at.as_millis() as i64).expect("a time");
        let wall = rules.to_datetime(at);
        let before = rules.to_datetime(at - SignedDuration::from_mins(1));
        // Each minute on the wall since the one before, those of a jump among them.
        let passed = (wall - before).total(jiff::Unit::Minute).expect("minutes") as i64;
        let passed = passed.max(1);
        (0..passed).any(|minute| {
            let wall = wall - SignedDuration::from_mins(minute);
            times.matches(Offset::UTC.to_timestamp(wall).expect("a time")).expect("matches")
        })
    };
    let first = now.as_millis() / 60_000 * 60_000;
    let minutes = |from: Moment| (0..).map(move |minute: u32| from + MINUTE * minute);
    let begin = Moment::from_millis(first) - duration;
    let mut closes_at: Option<Moment> = None;
    for minute in minutes(begin).skip_while(|minute| *minute + duration <= now) {
        if minute > closes_at.unwrap_or(now) {
            break;
        }
        if shows(minute) {
            closes_at = Some(minute + duration);
        }
    }
    closes_at
}

/// Fields that come often enough for a walk, and never more than 100 times at once.
fn crons() -> impl Strategy<Value = String> {
    let minute = prop::sample::select(vec!["0", "30", "15", "0,45", "*/20", "59"]);
    let hour = prop::sample::select(vec!["2", "1", "3", "0", "1-3", "*/2", "18", "23", "*"]);
    let day = prop::sample::select(vec!["* * *", "* * SUN", "* * FRI", "25-29 * *", "* 3,10 *"]);
    (minute, hour, day).prop_map(|(minute, hour, day)| format!("{minute} {hour} {day}"))
}

/// Moments around the changes of clocks in 2026 and elsewhere.
fn moments() -> impl Strategy<Value = Moment> {
    let days = ["2026-03-08", "2026-03-29", "2026-04-04", "2026-10-04", "2026-10-25", "2026-11-01"];
    let day = prop::sample::select(days.to_vec());
    (day, 0..4 * 1_440_u32, 0..60_000_u64).prop_map(|(day, minute, millis)| {
        let start = at(&format!("{day}T00:00:00Z")) - HOUR * 48;
        start + MINUTE * minute + Duration::from_millis(millis)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_is_as_open_as_a_walk_over_all_minutes_says(
        cron in crons(),
        zone in prop::sample::select(vec![
            "Europe/Berlin", "America/New_York", "UTC", "Australia/Lord_Howe", "Asia/Kolkata",
        ]),
        minutes in prop_oneof![5..90_u32, 90..1_500_u32],
        now in moments(),
    ) {
        let window = window(&cron, zone, MINUTE * minutes);
        // What never closes would be walked for ever.
        prop_assume!(!never_close(&[&window]));
        let walked = walked(&cron, zone, MINUTE * minutes, now);
        let mut closes_at = window.open_until(now);
        // Only so many openings are looked at; whoever comes back then is told the rest.
        while let Some(later) = closes_at.and_then(|at| window.open_until(at)) {
            closes_at = Some(later);
        }
        prop_assert_eq!(closes_at, walked, "{} in {} at {}", cron, zone, now);
    }
}
