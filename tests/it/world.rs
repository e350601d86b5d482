//! A small world for a test: a fleet in a git repository, a simulated cloud, a journal and a clock
//! that only moves when nothing else does.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use driftless::announce::Means;
use driftless::aws::Aws;
use driftless::board::{Progress, Standing};
use driftless::clock::Clock;
use driftless::controller::{ControllerError, Settings, Until, run};
use driftless::git::{Source, SourceSettings, init_repository};
use driftless::ids::{StackKey, Target};
use driftless::journal::Journal;
use driftless::moment::Moment;
use driftless::plan::StackRecord;
use driftless::reconcile::Only;
use driftless::sim::{Cloud, CloudSettings, StackView};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// When every test begins: some day in 2026.
pub(crate) const START: Moment = Moment::from_millis(1_795_000_000_000);

/// A hundred times what the largest of these worlds needs to converge once.
const TOO_MANY_CALLS: u64 = 20_000;

pub(crate) const FLEET: &str = "apiVersion: driftless.dev/v1
kind: Fleet
metadata: { name: test }
spec:
  cloud: simulated
  access: { roleArn: \"arn:aws:iam::${account.id}:role/driftless-execution\" }
  regions: [eu-central-1, us-east-1]
  limits: { deletes: { tenants: 1, stacks: 25, percent: 100 } }
";

const NETWORK: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: network }
spec:
  template: network.yaml
  parameters: { Cidr: \"10.0.0.0/16\" }
";

const NETWORK_TEMPLATE: &str = "Parameters:
  Cidr: { Type: String }
  Note: { Type: String, Default: none }
Resources:
  Vpc: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Cidr } }
  Notes: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Note } }
Outputs:
  VpcName: { Value: !Ref Vpc }
";

const API: &str = "apiVersion: driftless.dev/v1
kind: Service
metadata: { name: api }
spec:
  template: api.yaml
  parameters: { Vpc: \"${services.network.outputs.VpcName}\", Size: \"1\" }
";

const API_TEMPLATE: &str = "Parameters:
  Vpc: { Type: String }
  Size: { Type: String }
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties: { QueueName: jobs, Tags: [{ Key: vpc, Value: !Ref Vpc }] }
  Setting: { Type: AWS::SSM::Parameter, Properties: { Type: String, Value: !Ref Size } }
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: things
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
Outputs:
  QueueUrl: { Value: !Ref Jobs }
";

/// The world of one test.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) cloud: Cloud,
    pub(crate) clock: Clock,
    /// How channels are told, where a test looks at that.
    pub(crate) announcing: Option<Means>,
}

/// How a run of the controller ended.
pub(crate) struct Ended {
    pub(crate) standing: Standing,
    pub(crate) news: Vec<Progress>,
}

impl World {
    /// Two services for `tenants` tenants (t1, t2, ...), each in an account of its own in
    /// eu-central-1; committed, nothing deployed.
    pub(crate) fn with_tenants(tenants: usize) -> Self {
        Self::with_settings(tenants, |_| {})
    }

    /// The same in a cloud that `change` makes another.
    pub(crate) fn with_settings(tenants: usize, change: impl FnOnce(&mut CloudSettings)) -> Self {
        let clock = Clock::starting_at(START);
        let mut settings = CloudSettings { remembers: true, ..CloudSettings::default() };
        change(&mut settings);
        let cloud = Cloud::in_memory(settings, clock.clone());
        let folder = tempfile::tempdir().expect("a folder");
        let world = Self { folder, cloud, clock, announcing: None };
        world.write("fleet.yaml", FLEET);
        world.write("network/service.yaml", NETWORK);
        world.write("network/network.yaml", NETWORK_TEMPLATE);
        world.write("api/service.yaml", API);
        world.write("api/api.yaml", API_TEMPLATE);
        for number in 1..=tenants {
            world.write_tenant(number, "");
        }
        init_repository(&world.repository(), "first").expect("a repository");
        world
    }

    pub(crate) fn repository(&self) -> PathBuf {
        let path = self.folder.path().join("fleet");
        std::fs::create_dir_all(&path).expect("a folder");
        path
    }

    /// Writes a file below the fleet folder.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.repository().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    /// Replaces a text that is there in a file below the fleet folder.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.repository().join(path)).expect("a file");
        assert!(text.contains(from), "`{from}` is not in {path}:\n{text}");
        self.write(path, &text.replace(from, to));
    }

    pub(crate) fn write_tenant(&self, number: usize, more: &str) {
        let text = format!(
            "apiVersion: driftless.dev/v1
kind: Tenant
metadata: {{ name: t{number} }}
spec:
  account: \"{:012}\"
  regions: [eu-central-1]
{more}",
            account(number)
        );
        self.write(&format!("tenants/t{number}.yaml"), &text);
    }

    pub(crate) fn remove(&self, path: &str) {
        std::fs::remove_file(self.repository().join(path)).expect("removed");
    }

    /// Commits everything as it lies.
    pub(crate) fn commit(&self) -> String {
        commit_all(&self.repository())
    }

    pub(crate) fn journal_path(&self) -> PathBuf {
        self.folder.path().join("state/state.db")
    }

    pub(crate) fn journal(&self) -> Journal {
        Journal::open(&self.journal_path(), self.clock.now(), Some(1)).expect("a journal").0
    }

    pub(crate) fn lose_journal(&self) {
        std::fs::remove_dir_all(self.folder.path().join("state")).expect("removed");
    }

    pub(crate) fn settings(&self) -> (Settings, mpsc::UnboundedReceiver<Progress>) {
        let journal = self.journal();
        let aws = Aws::simulated(
            self.cloud.http_client(),
            self.cloud.credentials(),
            self.clock.clone(),
            journal.controller_id(),
            "eu-central-1".parse().expect("a region"),
        );
        let source = SourceSettings {
            path: self.repository(),
            revision: None,
            worktree: false,
            polled: false,
        };
        let (news, heard) = mpsc::unbounded_channel();
        let settings = Settings {
            source: Source::open(source).expect("a source"),
            aws,
            journal,
            clock: self.clock.clone(),
            look_every: Duration::from_secs(5),
            news,
            announcing: self.announcing.clone(),
        };
        (settings, heard)
    }

    /// Converges once, as `driftless apply` does.
    pub(crate) async fn try_apply(&self) -> Result<Ended, ControllerError> {
        self.apply_only(Only::default()).await
    }

    /// Converges a part of the fleet once.
    pub(crate) async fn apply_only(&self, only: Only) -> Result<Ended, ControllerError> {
        let (settings, mut heard) = self.settings();
        let most = self.call_count() + TOO_MANY_CALLS;
        // Nothing wakes this, but every turn of the loop asks it.
        let endless = std::future::poll_fn(|_| {
            assert!(self.call_count() < most, "it calls without end");
            std::task::Poll::<()>::Pending
        });
        let standing = run(settings, Until::AtRest { only }, endless).await?;
        let mut news = Vec::new();
        while let Ok(piece) = heard.try_recv() {
            news.push(piece);
        }
        Ok(Ended { standing, news })
    }

    fn call_count(&self) -> u64 {
        self.cloud.call_counts().values().sum()
    }

    pub(crate) async fn apply(&self) -> Ended {
        let ended = self.try_apply().await.unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(self.cloud.refused(), Vec::<String>::new(), "calls that nobody should make");
        ended
    }

    /// Converges as `driftless run` does, until `shutdown` resolves.
    pub(crate) async fn run_until(&self, shutdown: impl Future<Output = ()>) -> Ended {
        let (settings, mut heard) = self.settings();
        let standing = run(settings, Until::Stopped, shutdown).await.expect("runs");
        let mut news = Vec::new();
        while let Ok(piece) = heard.try_recv() {
            news.push(piece);
        }
        Ended { standing, news }
    }

    /// Calls that change something, since the last call of this.
    pub(crate) fn mutating_calls(&self) -> Vec<String> {
        let calls = self.cloud.calls();
        self.cloud.clear_calls();
        let mutating = calls.into_iter().filter(|call| call.mutating);
        mutating.map(|call| format!("{} {}", call.api, call.account)).collect()
    }

    pub(crate) fn stack(&self, tenant: usize, name: &str) -> Option<StackView> {
        self.cloud.console().stack(&key(tenant, name)).expect("the cloud answers")
    }

    /// `name status` of all stacks of a tenant.
    pub(crate) fn stacks(&self, tenant: usize) -> Vec<String> {
        let Target { account, region } = key(tenant, "x").target;
        let stacks = self.cloud.console().stacks(account, &region).expect("the cloud answers");
        stacks.iter().map(|stack| format!("{} {}", stack.name, stack.status.as_str())).collect()
    }

    /// What the program says of this world to a person at a terminal.
    pub(crate) fn driftless(&self, arguments: &[&str]) -> String {
        let ran = std::process::Command::new(env!("CARGO_BIN_EXE_driftless"))
            .env_clear()
            .arg("--fleet")
            .arg(self.repository())
            .arg("--state")
            .arg(self.journal_path())
            .args(arguments)
            .output()
            .expect("it runs");
        String::from_utf8([ran.stdout, ran.stderr].concat()).expect("text")
    }

    pub(crate) fn record(&self, tenant: usize, name: &str) -> StackRecord {
        let key = key(tenant, name);
        let record = self.journal().stack(&key).expect("the journal answers");
        record.unwrap_or_else(|| panic!("the journal knows no {key}"))
    }

    /// `code: text` of the last decision about a stack.
    pub(crate) fn verdict(&self, tenant: usize, name: &str) -> String {
        let verdict = self.record(tenant, name).verdict;
        format!("{}: {}", verdict.code, verdict.text)
    }
}

impl Ended {
    /// Fails unless every stack is as git says.
    pub(crate) fn assert_converged(&self, stacks: usize) {
        let total = self.standing.total();
        let all = (total.settled, total.waiting, total.stuck, self.standing.blind);
        assert_eq!(all, (stacks, 0, 0, 0), "{:#?}", self.standing);
    }
}

/// The account number of a tenant.
pub(crate) fn account(tenant: usize) -> u64 {
    100_000_000_000 + tenant as u64
}

pub(crate) fn key(tenant: usize, name: &str) -> StackKey {
    format!("{:012}/eu-central-1/{name}", account(tenant)).parse().expect("a key")
}

/// Commits all files of a repository with git2 and returns the commit id.
pub(crate) fn commit_all(repository: &Path) -> String {
    let repository = git2::Repository::open(repository).expect("a repository");
    let mut index = repository.index().expect("an index");
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).expect("added");
    index.update_all(["*"], None).expect("updated");
    index.write().expect("written");
    let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("a tree");
    let me = git2::Signature::new("ann", "ann@localhost", &git2::Time::new(1_795_000_000, 0));
    let me = me.expect("a signature");
    let head = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<&git2::Commit<'_>> = head.iter().collect();
    let id = repository.commit(Some("HEAD"), &me, &me, "change", &tree, &parents);
    id.expect("a commit").to_string()
}
