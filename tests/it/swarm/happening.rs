//! What may happen to a fleet, its cloud, its repository and its process.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use driftless::ids::{AccountId, Region, StackKey};
use driftless::plan::{ApprovalKind, Scope, Suspension};
use driftless::sim::{CallFault, Calls, Status, Weather};

use crate::swarm::dice::Dice;
use crate::swarm::model::{FLEET, Model, another_template};
use crate::swarm::play::Play;
use crate::swarm::repository::Damage;
use crate::swarm::witness::Death;

const KINDS: [&str; 19] = [
    "commit",
    "bad commit",
    "force push",
    "git damaged",
    "git mended",
    "weather",
    "fair weather",
    "region down",
    "account out",
    "storm",
    "person changes",
    "person deletes",
    "suspend",
    "resume",
    "approve",
    "kill",
    "stop",
    "journal lost",
    "journal trouble",
];

/// How often what happens in one run: some things often, some never.
pub(crate) struct Menu(Vec<(&'static str, u32)>);

impl Menu {
    pub(crate) fn of(dice: &mut Dice) -> Self {
        let mut rows = vec![("commit", 4)];
        for kind in &KINDS[1..] {
            let weight = if dice.chance(0.5) { 0 } else { 1 + dice.below(3) };
            rows.push((kind, weight));
        }
        if dice.chance(0.15) {
            rows.push(("second controller", 1));
        }
        if dice.chance(0.2) {
            rows.push(("time passes", 1));
        }
        Self(rows)
    }

    fn choose(&self, dice: &mut Dice) -> &'static str {
        let all: u32 = self.0.iter().map(|(_, weight)| weight).sum();
        let mut left = dice.below(all);
        for (kind, weight) in &self.0 {
            if left < *weight {
                return kind;
            }
            left -= weight;
        }
        "commit"
    }
}

impl Play {
    /// Lets one thing happen.
    pub(crate) async fn happen(&mut self, menu: &Menu) {
        let kind = menu.choose(&mut self.dice);
        *self.happened.entry(kind).or_default() += 1;
        self.watch.note(self.clock.now(), &format!("-- {kind}"));
        match kind {
            "commit" => self.change(),
            "bad commit" => self.bad_commit(),
            "force push" => self.force_push(),
            "git damaged" => self.damage(),
            "git mended" => self.repository.mend(),
            "weather" => self.weather(),
            "fair weather" => self.cloud.script().clear(),
            "region down" => self.region_down(),
            "account out" => self.account_out(),
            "storm" => self.storm(),
            "person changes" => self.person_changes(),
            "person deletes" => self.person_deletes(),
            "suspend" => self.suspend(),
            "resume" => self.resume(),
            "approve" => self.approve_one(),
            "kill" => self.kill().await,
            "stop" => self.stop().await,
            "journal lost" => self.lose_journal().await,
            "journal trouble" => self.journal_trouble().await,
            "time passes" => self.time_passes().await,
            _ => self.second_controller().await,
        }
    }

    /// An hour, in which whatever is wrong stays so; or a day, after which what was counted for a
    /// day is forgotten.
    async fn time_passes(&mut self) {
        let hours = if self.dice.chance(0.1) { 25 } else { 1 };
        self.pass(Duration::from_secs(hours * 3_600)).await;
    }

    fn change(&mut self) {
        let next = self.model().changed(&mut self.dice);
        self.commit(next);
    }

    /// A commit that says something that cannot be.
    pub(crate) fn bad_commit(&mut self) {
        let mut files = self.model().files();
        match self.dice.below(5) {
            0 => {
                files.insert(
                    "fleet.yaml".to_owned(),
                    "apiVersion: driftless.dev/v1\nkind: [".into(),
                );
            }
            1 if !self.model().services.is_empty() => {
                files.retain(|path, _| !path.contains(".template."));
            }
            2 => {
                let twice = "apiVersion: driftless.dev/v1\nkind: Tenant\nmetadata: { name: twice }\n\
                             spec: { account: \"200000000001\", regions: [eu-central-1] }\n";
                files.insert("tenants/one.yaml".to_owned(), twice.to_owned());
                files.insert("tenants/two.yaml".to_owned(), twice.to_owned());
            }
            3 => files = BTreeMap::from([("README".to_owned(), "moved elsewhere".to_owned())]),
            _ => {
                files.remove("fleet.yaml");
            }
        }
        self.parent = Some(self.push(&files, self.parent));
    }

    /// Somebody rewrites history: the branch goes back, or to commits that nobody knows.
    fn force_push(&mut self) {
        if self.history.len() > 2 && self.dice.chance(0.5) {
            let index =
                self.dice.below(u32::try_from(self.history.len() - 1).unwrap_or(1)) as usize;
            let (old, _) = self.history[index];
            self.repository.point_to(old);
        } else {
            let mut model = Model::clone(&self.model());
            model.owner += 1_000;
            let id = self.push(&model.files(), None);
            let model = std::sync::Arc::new(model);
            self.watch.truth(|truth| truth.committed(&id.to_string(), &model, true));
        }
        // The next good commit is made on what was followed; until then the branch stays rewritten.
    }

    fn damage(&mut self) {
        let kinds = [Damage::Unreachable, Damage::HalfWritten, Damage::ObjectsMissing];
        let kind = self.dice.one_of(&kinds).unwrap_or(Damage::HalfWritten);
        self.repository.damage(kind);
    }

    fn weather(&mut self) {
        let dice = &mut self.dice;
        let (failing, refusing) = match dice.below(10) {
            0 => (1.0, 0.0),
            1 => (0.0, 1.0),
            _ => (dice.share(0.3), dice.share(0.2)),
        };
        let mut share = |most: f64| if dice.chance(0.5) { dice.share(most) } else { 0.0 };
        let weather = Weather {
            throttled: share(0.3),
            server_error: share(0.2),
            unreachable: share(0.2),
            answer_lost: share(0.2),
            truncated: share(0.1),
            malformed: share(0.1),
            delayed: share(0.2),
            expired: share(0.05),
            stale: share(0.4),
            page_shifted: share(0.2),
            last_page_missing: share(0.1),
            failing,
            refusing,
            failing_rollbacks: share(0.3),
            failing_deletes: share(0.3),
            seed: 0,
        };
        self.cloud.script().weather(Weather { seed: dice.seed(), ..weather });
    }

    fn an_account(&mut self) -> AccountId {
        let tenants: Vec<u32> = self.model().tenants.keys().copied().collect();
        let tenant = self.dice.one_of(&tenants).unwrap_or(1);
        format!("{:012}", crate::swarm::model::account(tenant)).parse().expect("an account")
    }

    fn region_down(&mut self) {
        let region: Region = "us-east-1".parse().expect("a region");
        let calls = Calls { region: Some(region), ..Calls::default() };
        let times = Some(1 + self.dice.below(200));
        self.cloud.script().calls(calls, CallFault::Unreachable, times);
    }

    fn account_out(&mut self) {
        let account = self.an_account();
        let script = self.cloud.script();
        match self.dice.below(4) {
            0 => script.deny_role(account),
            1 => script.allow_role(account),
            2 => script.suspend_account(account),
            _ => script.reinstate_account(account),
        }
    }

    fn storm(&mut self) {
        let apis =
            ["DescribeStacks", "CreateStack", "CreateChangeSet", "ExecuteChangeSet", "AssumeRole"];
        let api = self.dice.one_of(&apis).map(str::to_owned);
        let fault = match self.dice.below(4) {
            0 => CallFault::Throttled,
            1 => CallFault::ServerError(503),
            2 => CallFault::AnswerLost,
            _ => CallFault::Delayed(Duration::from_secs(30)),
        };
        let times = Some(1 + self.dice.below(40));
        self.cloud.script().calls(Calls { api, ..Calls::default() }, fault, times);
    }

    /// A stack that is wanted, or was at some time.
    fn a_stack(&mut self) -> StackKey {
        let index = self.dice.below(u32::try_from(self.history.len()).unwrap_or(1)) as usize;
        let model =
            if self.dice.chance(0.8) { self.model() } else { self.history[index].1.clone() };
        let keys: Vec<StackKey> = model.wanted().into_keys().collect();
        self.dice
            .one_of(&keys)
            .unwrap_or_else(|| "200000000001/eu-central-1/base".parse().expect("a key"))
    }

    fn touch(&self, key: &StackKey) {
        let now = self.clock.now();
        self.watch.truth(|truth| truth.touched.insert(key.clone(), now));
    }

    /// None at all, or those of a stack that another fleet manages.
    fn some_tags(&mut self, key: &StackKey) -> BTreeMap<String, String> {
        if self.dice.chance(0.5) {
            return BTreeMap::new();
        }
        let service = ("driftless:service".to_owned(), key.name.to_string());
        BTreeMap::from([("driftless:fleet".to_owned(), "another".to_owned()), service])
    }

    fn person_changes(&mut self) {
        let key = self.a_stack();
        self.touch(&key);
        let console = self.cloud.console();
        let statuses = [
            Status::UPDATE_FAILED,
            Status::UPDATE_ROLLBACK_FAILED,
            Status::DELETE_FAILED,
            Status::of("IMPORT_ROLLBACK_FAILED"),
            Status::of("SOMETHING_NEW"),
        ];
        let size = BTreeMap::from([("Size".to_owned(), "99".to_owned())]);
        let done = match self.dice.below(9) {
            0 | 1 => console.update_parameters(&key, &size),
            2 | 3 => console.update_template(&key, &another_template()),
            4 => console.update_tags(&key, &self.some_tags(&key)),
            5 => console.protect(&key, self.dice.chance(0.5)),
            6 => console.create_change_set(&key, "somebody", &another_template()),
            7 => console.create_stack(&key, &another_template(), &self.some_tags(&key)),
            _ if !self.stands(&key) => return,
            _ => {
                let status = self.dice.one_of(&statuses).expect("one of five");
                console.set_status(&key, status)
            }
        };
        // What AWS refuses did not happen.
        let word = if done.is_ok() { "done" } else { "refused" };
        self.watch.note(self.clock.now(), &format!("   {key}: {word}"));
    }

    /// Whether a stack is there and no operation on it has to be ended first.
    fn stands(&self, key: &StackKey) -> bool {
        let ends = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"];
        let seen = self.cloud.console().stack(key).expect("the cloud answers");
        seen.is_some_and(|seen| ends.contains(&seen.status.as_str()))
    }

    fn person_deletes(&mut self) {
        let key = self.a_stack();
        self.touch(&key);
        let _ = self.cloud.console().protect(&key, false);
        let _ = self.cloud.console().delete_stack(&key);
    }

    fn a_scope(&mut self) -> Scope {
        let key = self.a_stack();
        let account = key.target.account.to_string();
        let tenant = format!("t{}", account.parse::<u64>().unwrap_or(0) % 1_000);
        match self.dice.below(3) {
            0 => Scope::Fleet,
            1 => Scope::Service(key.name.as_str().parse().expect("a name")),
            _ => Scope::Tenant(tenant.parse().expect("a name")),
        }
    }

    fn suspend(&mut self) {
        let scope = self.a_scope();
        let Some(life) = &self.life else { return };
        let suspension = Suspension {
            scope: scope.clone(),
            by: "ann".into(),
            reason: "swarm".into(),
            at: life.clock.now(),
        };
        if life.journal.suspend(&suspension).is_ok() {
            let now = self.clock.now();
            self.watch.truth(|truth| *truth.suspended.entry(scope).or_insert(now));
        }
    }

    fn resume(&mut self) {
        let scopes: Vec<Scope> =
            self.watch.truth(|truth| truth.suspended.keys().cloned().collect());
        let Some(scope) = self.dice.one_of(&scopes) else { return };
        let Some(life) = &self.life else { return };
        // First the truth: nobody is to blame who hears it at once.
        if life.journal.resume(&scope).is_ok() {
            self.watch.truth(|truth| truth.suspended.remove(&scope));
        }
    }

    fn approve_one(&mut self) {
        let Some(life) = &self.life else { return };
        let Ok(requests) = life.journal.requests() else { return };
        let Some((request, _)) = self.dice.one_of(&requests) else { return };
        self.approve(&request.id.clone(), request.kind, &request.summary.clone());
    }

    /// Says yes to one request. Whatever it is about is noted with what is wanted now, and with what is
    /// prepared.
    pub(crate) fn approve(&mut self, id: &str, kind: ApprovalKind, summary: &str) {
        let Some(life) = &self.life else { return };
        let now = life.clock.now();
        let expires_at = now + Duration::from_secs(24 * 3_600);
        let Ok(approval) = life.journal.approve(id, "ann", "swarm", now, expires_at) else {
            return;
        };
        let followed = life.journal.accepted_revision().ok().flatten();
        let followed = followed.map(|accepted| accepted.revision.to_string());
        self.watch.note(self.clock.now(), &format!("   approved: {kind} {id}"));
        if kind == ApprovalKind::Revision {
            let member = approval.members.iter().next().cloned().unwrap_or_default();
            let model = self.watch.truth(|truth| truth.approved(&member, now));
            if let (Some(model), Ok(id)) = (model, member.parse()) {
                self.parent = Some(id);
                self.follow(id, model);
            }
        }
        if kind == ApprovalKind::Protected {
            let model = self.watch.truth(|truth| truth.model(followed.as_deref()));
            let Some(model) = model else { return };
            for (key, want) in model.wanted() {
                if summary.contains(&format!("{key} ")) {
                    // What waits may be a release that is older than what git says now.
                    let sets = self.cloud.console().change_sets(&key).expect("the cloud answers");
                    let pending = sets.into_iter().map(|set| want.with(set)).collect::<Vec<_>>();
                    let wants = pending.into_iter().chain([want]).map(|want| (key.clone(), want));
                    self.watch.truth(|truth| truth.protected_approved.extend(wants));
                }
            }
        }
    }

    async fn kill(&mut self) {
        if self.dice.chance(0.3) {
            self.bury().await;
        } else {
            let death = Death { call: self.dice.below(6), before: self.dice.chance(0.5) };
            self.watch.kill_at(death);
        }
    }

    async fn stop(&mut self) {
        let Some(life) = &mut self.life else { return };
        life.stop();
        let now = self.clock.now();
        self.watch.truth(|truth| truth.shutdown = Some(now));
        self.pass(Duration::from_secs(120)).await;
    }

    async fn lose_journal(&mut self) {
        self.bury().await;
        self.answered.clear();
        self.search_journals();
        // It may be lost already.
        let _ = fs::remove_dir_all(self.state("state"));
        self.watch.journal_lost();
    }

    /// The disk fills up, somebody holds the file, or its pages are damaged.
    async fn journal_trouble(&mut self) {
        self.watch.truth(|truth| truth.is_in_trouble = true);
        self.disturb_journal().await;
        self.watch.truth(|truth| truth.is_in_trouble = false);
    }

    async fn disturb_journal(&mut self) {
        match self.dice.below(3) {
            0 => {
                self.pages = Some(1);
                if let Some(life) = &self.life {
                    let _ = life.journal.limit_pages(1);
                }
                self.pass(Duration::from_secs(60)).await;
                self.pages = None;
                // The limit is one of the connection: a new process has room again.
                self.bury().await;
            }
            1 => {
                let path = self.state("state").join("state.db");
                let Ok(connection) = rusqlite::Connection::open(&path) else { return };
                if connection.execute_batch("BEGIN IMMEDIATE").is_ok() {
                    self.pass(Duration::from_secs(20)).await;
                }
            }
            _ => {
                self.bury().await;
                let path = self.state("state").join("state.db");
                let Ok(mut bytes) = fs::read(&path) else { return };
                let length = bytes.len();
                bytes[length / 3..].iter_mut().for_each(|byte| *byte = 0xa5);
                let _ = fs::remove_file(path.with_file_name("state.db-wal"));
                let _ = fs::remove_file(path.with_file_name("state.db-shm"));
                fs::write(&path, bytes).expect("written");
                self.watch.journal_lost();
            }
        }
    }

    /// Somebody starts a second one with a journal of its own, and ends it again.
    async fn second_controller(&mut self) {
        if !self.watch.truth(|truth| truth.suspended.is_empty()) {
            return;
        }
        self.start_twin();
        self.pass(Duration::from_secs(60)).await;
        self.change();
        self.pass(Duration::from_secs(300)).await;
        self.twin = None;
        self.watch.truth(|truth| truth.twin_gone());
        tokio::task::yield_now().await;
    }
}

/// Whose a stack is.
pub(crate) fn is_ours(tags: &BTreeMap<String, String>) -> bool {
    tags.get("driftless:fleet").map(String::as_str) == Some(FLEET)
}
