//! A small fleet of values, in which one thing at a time is not as it should be.

mod adopting;
mod elsewhere;
mod frozen;
mod going;
mod learning;
mod limits;
mod table;
mod updating;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check;
use crate::desired::Desired;
use crate::ids::{Digest, Revision, StackId, StackKey, StackName};
use crate::moment::Moment;
use crate::observed::{KnownTemplate, Look, Seen, StackStatus};
use crate::outcome::{Attempt, Cause, Failure, Memory, StepKind};
use crate::plan::{
    Approval, Decided, Decision, FormerStack, Hold, Insight, Scene, Steering, Step, decide, render,
};
use crate::snapshot::{Entry, Snapshot};

const NOW: Moment = Moment::from_millis(1_795_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Two services, of which `api` uses an output of `network`; `acme` is the tenant that is looked at.
const DOCUMENTS: &str = "apiVersion: driftless.dev/v1
kind: Fleet
metadata: { name: test }
spec:
  cloud: simulated
  access: { roleArn: \"arn:aws:iam::${account.id}:role/driftless\" }
  regions: [eu-central-1]
---
apiVersion: driftless.dev/v1
kind: Tenant
metadata: { name: acme, labels: { group: a } }
spec:
  account: \"111122223333\"
  regions: [eu-central-1]
---
apiVersion: driftless.dev/v1
kind: Tenant
metadata: { name: globex, labels: { group: b } }
spec:
  account: \"444455556666\"
  regions: [eu-central-1]
---
apiVersion: driftless.dev/v1
kind: Service
metadata: { name: network }
spec:
  template: network.yaml
  onRemoval: delete
---
apiVersion: driftless.dev/v1
kind: Service
metadata: { name: api }
spec:
  template: api.yaml
  onRemoval: delete
  parameters: { Vpc: \"${services.network.outputs.VpcName}\", Secret: hush }
";
const NETWORK: &str = "Parameters:
  Note: { Type: String, Default: none }
Resources:
  Vpc: { Type: AWS::EC2::VPC }
Outputs:
  VpcName: { Value: !Ref Vpc }
";
const API: &str = "Parameters:
  Vpc: { Type: String }
  Secret: { Type: String, NoEcho: true }
Resources:
  Table: { Type: AWS::DynamoDB::Table }
";

/// What makes `network` a service that `acme` no longer gets.
const DROPPED: (&str, &str) = (
    "  template: network.yaml\n",
    "  template: network.yaml\n  selector: { matchLabels: { group: b } }\n",
);
/// What makes `api` use nothing.
const ALONE: (&str, &str) = ("${services.network.outputs.VpcName}", "vpc-1");

/// What is wanted, seen, remembered and said about one target.
struct World {
    desired: Desired,
    steering: Steering,
    stacks: BTreeMap<StackName, Seen>,
    memories: BTreeMap<StackName, Memory>,
    insights: BTreeMap<StackName, Insight>,
    former: Vec<FormerStack>,
    elsewhere: crate::plan::Elsewhere,
    another_controller: Option<String>,
    now: Moment,
}

impl World {
    /// The fleet with these texts replaced; nothing is deployed.
    fn of(edits: &[(&str, &str)]) -> Self {
        let files = [
            ("fleet.yaml", DOCUMENTS),
            ("network.yaml", NETWORK),
            ("api.yaml", API),
            ("policy.json", "{ \"Statement\": [] }"),
        ];
        for (from, _) in edits {
            assert!(files.iter().any(|(_, text)| text.contains(from)), "`{from}` is not there");
        }
        let entries = files.map(|(path, text)| {
            let edited =
                edits.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
            (path.to_owned(), Entry::File(edited.as_bytes().into()))
        });
        let snapshot = Snapshot::of(Revision::of("folder"), None, entries.into());
        let read = check::read(&snapshot);
        Self {
            desired: read.unwrap_or_else(|findings| panic!("{findings:#?}")).0,
            steering: Steering::default(),
            stacks: BTreeMap::new(),
            memories: BTreeMap::new(),
            insights: BTreeMap::new(),
            former: Vec::new(),
            elsewhere: crate::plan::Elsewhere::default(),
            another_controller: None,
            now: NOW,
        }
    }

    /// The same fleet with `network` and `api` deployed as they are wanted.
    fn at_rest(edits: &[(&str, &str)]) -> Self {
        let mut world = Self::of(edits);
        for name in ["network", "api"] {
            world.deploy(name);
        }
        world
    }

    /// Puts a stack there that is complete and as wanted, where it is wanted.
    fn deploy(&mut self, name: &str) {
        self.put(name, name, StackStatus::CreateComplete);
        let Some(wanted) = self.desired.wanted(&key(name)) else { return };
        let rendered = render(&self.desired.fleet, wanted, &|_, _| Some("vpc-1".to_owned()));
        let rendered = rendered.expect("its outputs are there");
        let version = self.seen(name).version();
        let template = Some(rendered.template.returned_digest());
        let policy = rendered.stack_policy.as_ref().map(|policy| policy.digest);
        self.memory(name).known = Some(KnownTemplate { version, template, policy });
        let seen = self.seen(name);
        seen.termination_protection = rendered.termination_protection;
        for (name, parameter) in rendered.template.parameters() {
            let value = rendered.parameters.get(name).or(parameter.default.as_ref());
            let value = if parameter.no_echo { "****" } else { value.expect("a value") };
            seen.parameters.insert(name.clone(), value.to_owned());
        }
    }

    /// Puts a stack of acme's there, in this status.
    fn put(&mut self, name: &str, service: &str, status: StackStatus) {
        let tag = |name: &str, value: &str| (format!("driftless:{name}"), value.to_owned());
        let seen = Seen {
            id: StackId::of(&format!("arn:{name}")),
            key: key(name),
            status,
            status_reason: None,
            created_at: NOW - HOUR,
            updated_at: Some(NOW - HOUR),
            parameters: BTreeMap::new(),
            tags: [tag("fleet", "test"), tag("tenant", "acme"), tag("service", service)].into(),
            outputs: [("VpcName".to_owned(), "vpc-1".to_owned())].into(),
            termination_protection: false,
        };
        self.stacks.insert(key(name).name, seen);
    }

    fn seen(&mut self, name: &str) -> &mut Seen {
        self.stacks.get_mut(&key(name).name).expect("it is there")
    }

    fn memory(&mut self, name: &str) -> &mut Memory {
        self.memories.entry(key(name).name).or_default()
    }

    fn decide(&self) -> BTreeMap<StackName, Decided> {
        let look = Look { target: key("x").target, at: self.now, stacks: self.stacks.clone() };
        decide(&Scene {
            drifts: &BTreeMap::new(),
            desired: &self.desired,
            steering: &self.steering,
            look: &look,
            memories: &self.memories,
            insights: &self.insights,
            former: &self.former,
            gates: &BTreeMap::new(),
            requires_plan: self.desired.fleet.requires_plan,
            elsewhere: &self.elsewhere,
            another_controller: self.another_controller.as_deref(),
            lacks: &|_, _| None,
            keyed_hash: &|text| Digest::of(text.as_bytes()),
            now: self.now,
        })
    }

    fn decided(&self, name: &str) -> Decided {
        self.decide().remove(&key(name).name).expect("decided about")
    }

    fn step(&self, name: &str) -> Step {
        let decision = self.decided(name).decision;
        let Decision::Step(step) = decision else { panic!("no step: {decision:?}") };
        step
    }

    fn hold(&self, name: &str) -> Hold {
        let decision = self.decided(name).decision;
        let Decision::Hold(hold) = decision else { panic!("no hold: {decision:?}") };
        hold
    }

    /// The word of the decision.
    fn code(&self, name: &str) -> String {
        self.decided(name).decision.verdict().code
    }

    /// The sentence of the decision.
    fn text(&self, name: &str) -> String {
        self.decided(name).decision.verdict().text
    }

    /// A person says yes to what this stack waits for.
    fn approve(&mut self, name: &str) {
        let request = self.hold(name).request().expect("it can be approved").clone();
        self.steering.approvals.push(Approval {
            id: request.id,
            kind: request.kind,
            members: request.members,
            by: "ann".to_owned(),
            reason: "it is right".to_owned(),
            at: NOW,
            expires_at: NOW + HOUR,
        });
    }

    /// Digest of what is wanted of a stack.
    fn digest(&self, name: &str) -> Digest {
        self.decided(name).rendered.expect("its outputs are there").digest
    }
}

fn key(name: &str) -> StackKey {
    format!("111122223333/eu-central-1/{name}").parse().expect("a key")
}

/// A call that was answered, and whose effect has been seen or not.
fn attempt(kind: StepKind, settled: bool) -> Attempt {
    Attempt {
        kind,
        version: None,
        digest: Digest::of(b"wanted"),
        number: 1,
        token: "driftless-one-0".to_owned(),
        at: NOW,
        answered: true,
        settled,
        doubtful: false,
        no_echo: BTreeMap::new(),
        tries: 1,
        refused: None,
    }
}

/// A failure of just now, by an error code.
fn failure(code: &str, digest: Digest) -> Failure {
    Failure {
        cause: Cause::of_call(code, "no"),
        step: "create".to_owned(),
        digest: Some(digest),
        version: None,
        count: 1,
        at: NOW,
    }
}
