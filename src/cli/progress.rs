//! Shows how a controller gets on: bars on a terminal with the lines that matter above them, plain
//! lines everywhere else.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::{debug, error, info, warn};

use crate::board::{Filling, Progress, Standing, Tally};
use crate::cli::log::Screen;
use crate::cli::narrator::{Importance, Line, Narrator};
use crate::cli::opening::drawn;
use crate::clock::Clock;
use crate::fleet::Finding;
use crate::git::Source;
use crate::ids::Revision;
use crate::moment::Moment;
use crate::plan::size;
use crate::report::{counted, rollouts};
use crate::rollout::Stage;
use crate::settings::Settings;

/// Above bars, so many lines about single stacks are shown in one [`WINDOW`]: the bars say the rest.
const LINES_A_WINDOW: usize = 12;
const WINDOW: Duration = Duration::from_secs(3);
/// So that a service and its wave fit on a terminal of 80 columns.
const BAR_WIDTH: usize = 16;

/// Listens until the controller has gone, and says what it hears.
pub(super) async fn listen(
    mut news: UnboundedReceiver<Progress>,
    settings: Settings,
    source: Source,
    screen: Screen,
    clock: Clock,
) {
    let bars = settings.terminal.bars.then(Bars::default);
    screen.show(bars.as_ref().map(|bars| bars.all.clone()));
    let (narrator, budget) = (Narrator::default(), Budget::default());
    let mut show = Show { narrator, settings, source, clock, bars, budget };
    let mut windows = tokio::time::interval(WINDOW);
    loop {
        tokio::select! {
            biased;
            _ = windows.tick() => show.close_window(),
            heard = news.recv() => match heard {
                Some(heard) => show.heard(&heard),
                None => break,
            },
        }
    }
    show.close_window();
    if let Some(bars) = &show.bars {
        bars.leave();
    }
    screen.show(None);
}

struct Show {
    narrator: Narrator,
    settings: Settings,
    source: Source,
    clock: Clock,
    bars: Option<Bars>,
    budget: Budget,
}

/// Lines about single stacks in the window that runs.
#[derive(Debug, Default)]
struct Budget {
    shown: usize,
    steps: usize,
    troubles: usize,
}

impl Budget {
    /// Whether a line of this importance may be shown now; if not, it is counted.
    fn allows(&mut self, importance: Importance) -> bool {
        let (limit, kept_back) = match importance {
            Importance::Step => (LINES_A_WINDOW, &mut self.steps),
            Importance::Trouble => (2 * LINES_A_WINDOW, &mut self.troubles),
            Importance::Detail | Importance::Fleet | Importance::Alarm => return true,
        };
        if self.shown < limit {
            self.shown += 1;
            return true;
        }
        *kept_back += 1;
        false
    }
}

impl Show {
    fn heard(&mut self, news: &Progress) {
        if let (Some(bars), Progress::Standing(standing)) = (&mut self.bars, news) {
            bars.draw(standing, self.clock.now());
        }
        self.narrator.soaks(news).iter().for_each(say);
        let Some(mut line) = self.narrator.line(news) else { return };
        match news {
            Progress::Accepted { warnings: findings, revision, .. } => {
                self.draw_findings(&mut line, findings, Some(revision));
            }
            Progress::Refused { findings, revision, .. } => {
                self.draw_findings(&mut line, findings, revision.as_ref());
            }
            Progress::Step { .. }
            | Progress::Verdict { .. }
            | Progress::Gone { .. }
            | Progress::Blind { .. }
            | Progress::NeverEntered { .. }
            | Progress::Inherited { .. }
            | Progress::Rollout { .. }
            | Progress::Disobeyed { .. }
            | Progress::Artifacts(_)
            | Progress::Asked(_)
            | Progress::Steered { .. }
            | Progress::Standing(_)
            | Progress::Stopping { .. } => {}
        }
        if self.bars.is_none() || self.budget.allows(line.importance) {
            say(&line);
        }
        if let Some(line) = self.narrator.afterthought(news) {
            say(&line);
        }
    }

    /// Puts the findings below a line, with excerpts where the revision can be read again.
    fn draw_findings(&self, line: &mut Line, findings: &[Finding], revision: Option<&Revision>) {
        if findings.is_empty() {
            return;
        }
        let snapshot = match revision {
            Some(revision) if self.source.follows_git() => self.source.read_at(revision.as_str()),
            Some(_) | None => self.source.read(),
        };
        let Ok(snapshot) = snapshot else { return };
        let colour = self.settings.terminal.colour_err;
        let drawn = drawn(findings, &snapshot, &self.settings, colour);
        line.text = format!("{}\n{}", line.text, drawn.trim_end());
    }

    /// Says how many lines the window kept back.
    fn close_window(&mut self) {
        if let Some(bars) = &mut self.bars {
            // While a wave soaks nothing else is new.
            bars.draw(&self.narrator.standing.clone(), self.clock.now());
        }
        let Budget { steps, troubles, .. } = std::mem::take(&mut self.budget);
        if steps > 0 {
            info!("and {steps} more; the bars count them");
        }
        if troubles > 0 {
            warn!("and {troubles} more in trouble: `driftless status` lists them by cause");
        }
    }
}

/// One log event, with the same fields for every kind of line.
fn say(line: &Line) {
    let tenant = line.tenant.as_deref();
    let account = line.target.as_ref().map(|target| target.account.to_string());
    let account = account.as_deref();
    let region = line.target.as_ref().map(|target| target.region.as_str());
    let stack = line.stack.as_deref();
    let revision = line.revision.as_ref().map(Revision::as_str);
    let text = &line.text;
    macro_rules! event {
        ($level:ident) => {
            $level!(tenant, account.id = account, region, stack, revision, "{text}")
        };
    }
    match line.importance {
        Importance::Detail => event!(debug),
        Importance::Step | Importance::Fleet => event!(info),
        Importance::Trouble => event!(warn),
        Importance::Alarm if line.text.contains("is refused") => event!(error),
        Importance::Alarm => event!(warn),
    }
}

/// A bar a service, one of what is uploaded, and one line for all of them.
#[derive(Debug)]
struct Bars {
    all: MultiProgress,
    services: BTreeMap<String, ProgressBar>,
    uploads: Option<ProgressBar>,
    summary: ProgressBar,
    label_width: usize,
}

impl Default for Bars {
    fn default() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let summary = all.add(ProgressBar::new_spinner());
        summary.set_style(
            ProgressStyle::with_template("{msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner()),
        );
        summary.set_message("looking at every target");
        Self { all, services: BTreeMap::new(), uploads: None, summary, label_width: 0 }
    }
}

impl Bars {
    fn draw(&mut self, standing: &Standing, now: Moment) {
        let width = standing.services.keys().map(String::len).max().unwrap_or_default();
        self.label_width = width.max(self.label_width);
        for (index, (service, tally)) in standing.services.iter().enumerate() {
            let bar = self
                .services
                .entry(service.clone())
                .or_insert_with(|| self.all.insert(index, ProgressBar::new(0)));
            bar.set_style(bar_style(tally.stuck > 0));
            bar.set_prefix(format!("{service:0$}", self.label_width));
            bar.set_length(tally.total() as u64);
            bar.set_position(tally.settled as u64);
            bar.set_message(message(tally, standing.stages.get(service), now));
        }
        let gone: Vec<String> = self
            .services
            .keys()
            .filter(|service| !standing.services.contains_key(*service))
            .cloned()
            .collect();
        for service in gone {
            if let Some(bar) = self.services.remove(&service) {
                bar.finish_and_clear();
                self.all.remove(&bar);
            }
        }
        self.draw_uploads(standing.filling);
        self.summary.set_message(summary(standing));
    }

    fn draw_uploads(&mut self, filling: Option<Filling>) {
        let Some(filling) = filling else {
            if let Some(bar) = self.uploads.take() {
                bar.finish_and_clear();
                self.all.remove(&bar);
            }
            return;
        };
        let bar = self.uploads.get_or_insert_with(|| {
            let bar = self.all.insert_before(&self.summary, ProgressBar::new(0));
            bar.set_style(bar_of_bytes());
            bar
        });
        bar.set_prefix(format!("{:1$}", "artifacts", self.label_width));
        bar.set_length(filling.bytes);
        bar.set_position(filling.bytes_done);
        bar.set_message(uploaded(&filling));
    }

    /// Leaves the bars as they are, below everything that was said.
    fn leave(&self) {
        for bar in self.services.values() {
            bar.abandon();
        }
        self.summary.abandon();
    }
}

/// What stands behind the bar of a service.
fn message(tally: &Tally, stage: Option<&Stage>, now: Moment) -> String {
    let stage = stage.map_or_else(|| "in sync".to_owned(), |one| rollouts::stage(one, now));
    let stuck = (tally.stuck > 0).then(|| format!("{} failed or held", tally.stuck));
    let alone = (tally.left_alone > 0).then(|| format!("{} left alone", tally.left_alone));
    [Some(stage), stuck, alone].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn bar_style(is_troubled: bool) -> ProgressStyle {
    let colour = if is_troubled { ":.yellow" } else { "" };
    let template =
        format!("{{prefix}} {{bar:{BAR_WIDTH}.green}} {{pos:>5}}/{{len}}  {{wide_msg{colour}}}");
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

fn bar_of_bytes() -> ProgressStyle {
    let template = format!("{{prefix}} {{bar:{BAR_WIDTH}.green}} {{percent:>5}} %  {{wide_msg}}");
    ProgressStyle::with_template(&template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

/// What stands behind the bar of what is uploaded.
fn uploaded(filling: &Filling) -> String {
    let Filling { there, all, bytes_done, bytes } = filling;
    format!("{there} of {all} uploaded, {} of {}", size(*bytes_done), size(*bytes))
}

fn summary(standing: &Standing) -> String {
    let total = standing.total();
    let mut parts = Vec::new();
    if standing.in_flight > 0 {
        parts.push(format!("{} in flight", standing.in_flight));
    }
    let waiting = total.waiting.saturating_sub(standing.in_flight);
    if waiting > 0 {
        parts.push(format!("{waiting} waiting"));
    }
    if total.stuck > 0 {
        parts.push(format!("{} failed or held", total.stuck));
    }
    if total.left_alone > 0 {
        parts.push(format!("{} left alone", total.left_alone));
    }
    if standing.blind > 0 {
        parts.push(format!("{} cannot be looked at", counted(standing.blind, "target")));
    }
    if standing.unseen > 0 {
        parts.push(format!("{} not looked at yet", counted(standing.unseen, "target")));
    }
    if parts.is_empty() {
        parts.push("nothing to do".to_owned());
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_steps_are_a_few_lines_and_a_count() {
        let mut budget = Budget::default();
        let shown = (0..2_000).filter(|_| budget.allows(Importance::Step)).count();
        assert_eq!((shown, budget.steps), (LINES_A_WINDOW, 2_000 - LINES_A_WINDOW));
        assert!(budget.allows(Importance::Trouble), "steps do not hide troubles");
        assert!(budget.allows(Importance::Alarm));
    }

    #[test]
    fn a_bar_says_the_wave_and_what_is_wrong() {
        let now = Moment::from_millis(1_000_000);
        let stage = Stage {
            wave: "canary".parse().expect("a name"),
            total: 3,
            settled: 2,
            failed: 1,
            next: crate::rollout::Upcoming::Soak(now + Duration::from_secs(240)),
        };
        let tally = Tally { settled: 11, stuck: 1, ..Tally::default() };
        let said = message(&tally, Some(&stage), now);
        assert_eq!(said, "wave canary 2/3 settled, 1 failed, soaking 4 min, 1 failed or held");
        assert_eq!(message(&Tally::default(), None, now), "in sync");
    }

    #[test]
    fn the_bar_of_uploads_counts_contents_and_bytes() {
        let filling = Filling { there: 3, all: 14, bytes_done: 900_000, bytes: 12_000_000 };
        assert_eq!(uploaded(&filling), "3 of 14 uploaded, 900 kB of 12 MB");
    }

    #[test]
    fn the_summary_names_only_what_there_is() {
        assert_eq!(summary(&Standing::default()), "nothing to do");
        let standing = Standing { blind: 1, in_flight: 3, ..Standing::default() };
        assert_eq!(summary(&standing), "3 in flight · 1 target cannot be looked at");
    }
}
