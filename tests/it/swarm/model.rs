//! A small fleet as a few numbers: the documents that say it, and, without the product's help, what
//! they mean for every stack.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use driftless::ids::{Digest, StackKey};
use driftless::sim::ChangeSetView;

use crate::swarm::dice::Dice;

/// What the fleet is called in tags.
pub(crate) const FLEET: &str = "swarm";
/// A value that may be in git and in AWS, and nowhere else.
pub(crate) const SECRET: &str = "hunter2-";
const REGIONS: [&str; 2] = ["eu-central-1", "us-east-1"];

/// Of ten to thirty stacks.
const PERCENTS: [usize; 4] = [100, 30, 15, 1];

/// The services there are; what uses what is fixed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Two parameters of SSM, and an output that `Api` takes.
    Base,
    /// A table, which is protected, and whose key schema cannot be changed in place.
    Store,
    /// A queue; takes the output of `Base`, and a secret.
    Api,
    /// A role and a function, in the home region only.
    Job,
}

pub(crate) const KINDS: [Kind; 4] = [Kind::Base, Kind::Store, Kind::Api, Kind::Job];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Store => "store",
            Self::Api => "api",
            Self::Job => "job",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tenant {
    pub(crate) regions: usize,
    pub(crate) offboarded: bool,
    pub(crate) suspended: bool,
    /// Services of the second ring go to such tenants only.
    pub(crate) second_ring: bool,
    pub(crate) size: u32,
    pub(crate) absent: BTreeSet<Kind>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// Which of three templates.
    pub(crate) shape: u8,
    /// A parameter of every template.
    pub(crate) generation: u32,
    /// The key schema of the table; another one replaces it.
    pub(crate) key: u32,
    pub(crate) second_ring_only: bool,
    pub(crate) deletes: bool,
    pub(crate) protected: bool,
    pub(crate) policy: bool,
}

/// All that git says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) tenants: BTreeMap<u32, Tenant>,
    pub(crate) services: BTreeMap<Kind, Service>,
    pub(crate) owner: u32,
    pub(crate) in_flight: usize,
    pub(crate) per_target: usize,
    pub(crate) deletes: usize,
    pub(crate) percent: usize,
    pub(crate) resync_s: u32,
    /// Whether releases go out to a third of the tenants first.
    pub(crate) waves: bool,
}

/// The first wave, where there are two.
const FIRST_WAVE: &str = "first";
const FIRST_PERCENT: usize = 30;

/// What a parameter of a stack shall be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Text(String),
    /// The output `Where` of this target's `base`.
    OutputOfBase,
}

/// What one stack shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) tenant: u32,
    pub(crate) kind: Kind,
    pub(crate) template: String,
    pub(crate) parameters: BTreeMap<String, Value>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) protected: bool,
    pub(crate) policy: Option<&'static str>,
    /// It is asked to go.
    pub(crate) gone: bool,
    pub(crate) suspended: bool,
}

impl Want {
    /// The same stack as a change set would make it.
    pub(crate) fn with(&self, set: ChangeSetView) -> Self {
        let ChangeSetView { template, parameters, tags, .. } = set;
        let texts = parameters.into_iter().map(|(name, text)| (name, Value::Text(text)));
        Self { template, parameters: texts.collect(), tags, ..self.clone() }
    }

    /// Whether template, parameters and tags are the same.
    pub(crate) fn brings_the_same(&self, other: &Self) -> bool {
        self.template == other.template
            && self.parameters == other.parameters
            && self.tags == other.tags
    }
}

const POLICY: &str =
    r#"{"Statement":[{"Action":"Update:*","Effect":"Allow","Principal":"*","Resource":"*"}]}"#;

impl Model {
    /// A fleet to begin with.
    pub(crate) fn of(dice: &mut Dice) -> Self {
        let tenants = 1 + dice.below(4);
        Self {
            tenants: (1..=tenants).map(|number| (number, Tenant::of(dice))).collect(),
            services: KINDS.iter().map(|kind| (*kind, Service::of(dice))).collect(),
            owner: 1,
            in_flight: 1 + dice.below(12) as usize,
            per_target: 1 + dice.below(5) as usize,
            deletes: 1 + dice.below(4) as usize,
            percent: dice.one_of(&PERCENTS).unwrap_or(100),
            resync_s: 300 + 60 * dice.below(10),
            waves: dice.chance(0.4),
        }
    }

    /// The documents and templates, by path.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::from([
            ("fleet.yaml".to_owned(), self.fleet()),
            ("policy.json".to_owned(), POLICY.to_owned()),
        ]);
        for (kind, service) in &self.services {
            let name = kind.name();
            files.insert(format!("{name}.service.yaml"), service.document(*kind));
            files.insert(format!("{name}.template.yaml"), template(*kind, service.shape));
        }
        for (number, tenant) in &self.tenants {
            files.insert(format!("tenants/t{number}.yaml"), tenant.document(*number));
        }
        files
    }

    fn fleet(&self) -> String {
        let Self { owner, in_flight, per_target, deletes, percent, resync_s, .. } = self;
        let waves = match self.waves {
            true => format!(
                "  rollout:\n    waves:\n      - {{ name: {FIRST_WAVE}, percent: {FIRST_PERCENT}, soak: \
                 60s }}\n      - {{ name: rest }}\n"
            ),
            false => String::new(),
        };
        let freeze = match self.freezes() {
            true => "  freeze: [{ cron: 15 * * * *, duration: 15m, reason: swarm }]\n",
            false => "",
        };
        let drift = match self.reverts() {
            true => "  drift: { every: 15m, policy: revert }\n",
            false => "",
        };
        format!(
            "apiVersion: driftless.dev/v1
kind: Fleet
metadata: {{ name: {FLEET} }}
spec:
  cloud: simulated
  access: {{ roleArn: \"arn:aws:iam::${{account.id}}:role/driftless-execution\" }}
  regions: [{}, {}]
  resync: {resync_s}s
  tags: {{ owner: \"{owner}\" }}
  limits:
    stacksInFlight: {in_flight}
    perTarget: {per_target}
    deletes: {{ tenants: 1, stacks: {deletes}, percent: {percent} }}
    driftCalls: {{ perAccount: 100000 }}
{waves}{freeze}{drift}",
            REGIONS[0], REGIONS[1]
        )
    }

    /// What every stack shall be that git gives.
    pub(crate) fn wanted(&self) -> BTreeMap<StackKey, Want> {
        let mut wanted = BTreeMap::new();
        for (number, tenant) in &self.tenants {
            for (kind, service) in &self.services {
                if service.second_ring_only && !tenant.second_ring {
                    continue;
                }
                let regions = if *kind == Kind::Job { 1 } else { tenant.regions };
                for region in &REGIONS[..regions] {
                    let key = key(*number, region, *kind);
                    wanted.insert(key, self.want(*number, tenant, *kind, service));
                }
            }
        }
        wanted
    }

    fn want(&self, number: u32, tenant: &Tenant, kind: Kind, service: &Service) -> Want {
        let mut tags = BTreeMap::from([
            ("driftless:fleet".to_owned(), FLEET.to_owned()),
            ("driftless:service".to_owned(), kind.name().to_owned()),
            ("driftless:tenant".to_owned(), format!("t{number}")),
        ]);
        tags.insert("owner".to_owned(), self.owner.to_string());
        Want {
            tenant: number,
            kind,
            template: template(kind, service.shape),
            parameters: service.parameters(kind, tenant),
            tags,
            protected: service.protected,
            policy: service.policy.then_some(POLICY),
            gone: tenant.offboarded || tenant.absent.contains(&kind),
            suspended: tenant.suspended,
        }
    }

    /// Whether stacks are looked into over and over, and drift would be brought back: so in a twelfth
    /// of all fleets. There is none, and so nothing may come of it.
    pub(crate) fn reverts(&self) -> bool {
        self.in_flight == 7
    }

    /// Whether nothing new starts in the second quarter of each hour: so in a twelfth of all fleets.
    pub(crate) fn freezes(&self) -> bool {
        self.in_flight == 11
    }

    /// How many stacks may go in a day unasked: the share only lowers the number, and leaves one.
    pub(crate) fn most_deletions(&self) -> usize {
        self.deletes.min((self.wanted().len() * self.percent / 100).max(1))
    }

    /// The wave of which a tenant takes releases of this service: those lead whose names have the
    /// lowest hashes.
    pub(crate) fn wave(&self, kind: Kind, tenant: u32) -> Option<&'static str> {
        if !self.waves {
            return None;
        }
        let has = self.wanted().into_values().filter(|want| want.kind == kind && !want.gone);
        let tenants: BTreeSet<u32> = has.map(|want| want.tenant).collect();
        let rank = |number: u32| Digest::of_parts([&[] as &[u8], format!("t{number}").as_bytes()]);
        let mut order: Vec<u32> = tenants.into_iter().collect();
        order.sort_by_key(|number| rank(*number));
        order.truncate((order.len() * FIRST_PERCENT).div_ceil(100));
        Some(if order.contains(&tenant) { FIRST_WAVE } else { "rest" })
    }

    /// What becomes of a stack of this service that git no longer gives; `None` where the service
    /// is gone as well.
    pub(crate) fn deletes_dropped(&self, kind: Kind) -> Option<bool> {
        self.services.get(&kind).map(|service| service.deletes)
    }

    /// What the tenants of today have at the releases of then. Who has a service, and what becomes
    /// of what is dropped, is no part of a release.
    pub(crate) fn at(&self, then: &Self) -> Self {
        let release = |(kind, now): (&Kind, &Service)| {
            let Service { second_ring_only, deletes, .. } = *now;
            let then = then.services.get(kind)?.clone();
            Some((*kind, Service { second_ring_only, deletes, ..then }))
        };
        let services = self.services.iter().filter_map(release).collect();
        Self { services, owner: then.owner, ..self.clone() }
    }

    /// The generation of the secret.
    pub(crate) fn secret(&self) -> Option<u32> {
        self.services.get(&Kind::Api).map(|api| api.generation)
    }

    /// The same fleet with another secret.
    pub(crate) fn hiding(&self, generation: u32) -> Self {
        let mut next = self.clone();
        next.services.entry(Kind::Api).and_modify(|api| api.generation = generation);
        next
    }

    /// A fleet that validates: who uses a service has it.
    fn mended(mut self) -> Self {
        if !self.services.contains_key(&Kind::Base) {
            self.services.remove(&Kind::Api);
        }
        let base_ring = self.services.get(&Kind::Base).is_some_and(|base| base.second_ring_only);
        if let Some(api) = self.services.get_mut(&Kind::Api) {
            api.second_ring_only |= base_ring;
        }
        for tenant in self.tenants.values_mut() {
            if tenant.absent.contains(&Kind::Base) {
                tenant.absent.insert(Kind::Api);
            }
        }
        let kinds: BTreeSet<Kind> = self.services.keys().copied().collect();
        for tenant in self.tenants.values_mut() {
            tenant.absent.retain(|kind| kinds.contains(kind));
        }
        self
    }

    /// This fleet with one thing changed.
    pub(crate) fn changed(&self, dice: &mut Dice) -> Self {
        let mut next = self.clone();
        match dice.below(20) {
            0 | 1 => {
                let number = 1 + dice.below(6);
                next.tenants.entry(number).or_insert_with(|| Tenant::of(dice));
            }
            2 => {
                let number = next.a_tenant(dice);
                if next.tenants.len() > 1 {
                    next.tenants.remove(&number);
                }
            }
            3 => next.with_tenant(dice, |tenant, _| tenant.offboarded = true),
            4 => next.with_tenant(dice, |tenant, _| tenant.offboarded = false),
            5 => next.with_tenant(dice, |tenant, _| tenant.suspended ^= true),
            6 => next.with_tenant(dice, |tenant, dice| tenant.regions = 1 + dice.below(2) as usize),
            7 => next.with_tenant(dice, |tenant, _| tenant.second_ring ^= true),
            8 | 9 => next.with_tenant(dice, |tenant, _| tenant.size += 1),
            10 => next.with_tenant(dice, |tenant, dice| {
                let kind = KINDS[dice.below(4) as usize];
                if !tenant.absent.remove(&kind) {
                    tenant.absent.insert(kind);
                }
            }),
            11 => {
                let kind = KINDS[dice.below(4) as usize];
                if next.services.remove(&kind).is_none() {
                    next.services.insert(kind, Service::of(dice));
                }
            }
            12 => next.owner += 1,
            13 => {
                next.in_flight = 1 + dice.below(12) as usize;
                next.per_target = 1 + dice.below(5) as usize;
                next.deletes = 1 + dice.below(4) as usize;
                next.percent = dice.one_of(&PERCENTS).unwrap_or(100);
                next.waves = dice.chance(0.4);
            }
            _ => next.change_service(dice),
        }
        next.mended()
    }

    fn change_service(&mut self, dice: &mut Dice) {
        let kinds: Vec<Kind> = self.services.keys().copied().collect();
        let Some(kind) = dice.one_of(&kinds) else { return };
        let Some(service) = self.services.get_mut(&kind) else { return };
        match dice.below(10) {
            0 | 1 if kind == Kind::Store => service.key ^= 1,
            0..=2 => service.shape = u8::try_from(dice.below(3)).unwrap_or(0),
            3 => service.deletes ^= true,
            4 => service.protected ^= true,
            5 => service.policy = true,
            6 => service.second_ring_only ^= true,
            _ => service.generation = 1 + dice.below(4),
        }
    }

    fn a_tenant(&self, dice: &mut Dice) -> u32 {
        let numbers: Vec<u32> = self.tenants.keys().copied().collect();
        dice.one_of(&numbers).unwrap_or(1)
    }

    fn with_tenant(&mut self, dice: &mut Dice, change: impl FnOnce(&mut Tenant, &mut Dice)) {
        let number = self.a_tenant(dice);
        if let Some(tenant) = self.tenants.get_mut(&number) {
            change(tenant, dice);
        }
    }

    /// The same fleet with nobody suspended.
    pub(crate) fn resumed(&self) -> Self {
        let mut next = self.clone();
        next.tenants.values_mut().for_each(|tenant| tenant.suspended = false);
        next
    }

    /// The same fleet with an input of these services changed.
    pub(crate) fn renewed<'a>(&self, kinds: impl Iterator<Item = &'a Kind>) -> Self {
        let mut next = self.clone();
        for kind in kinds {
            if let Some(service) = next.services.get_mut(kind) {
                service.generation += 10;
            }
        }
        next
    }
}

impl Tenant {
    fn of(dice: &mut Dice) -> Self {
        Self {
            regions: 1 + dice.below(2) as usize,
            offboarded: false,
            suspended: false,
            second_ring: dice.chance(0.5),
            size: 1,
            absent: BTreeSet::new(),
        }
    }

    fn document(&self, number: u32) -> String {
        let mut text = format!(
            "apiVersion: driftless.dev/v1
kind: Tenant
metadata: {{ name: t{number}, labels: {{ ring: {} }} }}
spec:
  account: \"{:012}\"
  regions: [{}]
  lifecycle: {}
  suspend: {}
  parameters: {{ Size: \"{}\" }}
",
            if self.second_ring { "second" } else { "first" },
            account(number),
            REGIONS[..self.regions].join(", "),
            if self.offboarded { "offboarded" } else { "active" },
            self.suspended,
            self.size,
        );
        if !self.absent.is_empty() {
            text.push_str("  services:\n");
            for kind in &self.absent {
                let _ = writeln!(text, "    {}: {{ absent: true }}", kind.name());
            }
        }
        text
    }
}

impl Service {
    fn of(dice: &mut Dice) -> Self {
        Self {
            shape: 0,
            generation: 1,
            key: 0,
            second_ring_only: false,
            deletes: dice.chance(0.5),
            protected: dice.chance(0.3),
            policy: dice.chance(0.3),
        }
    }

    fn parameters(&self, kind: Kind, tenant: &Tenant) -> BTreeMap<String, Value> {
        let generation = self.generation.to_string();
        let mut values = vec![("Size", tenant.size.to_string())];
        match kind {
            Kind::Base => values.push(("Cidr", format!("10.{generation}.0.0"))),
            Kind::Store => {
                values.push(("Grade", generation));
                values.push(("Key", format!("id{}", self.key)));
            }
            Kind::Api => values.push(("Secret", format!("{SECRET}{generation}"))),
            Kind::Job => values.push(("Memory", format!("{}", 128 * self.generation))),
        }
        let mut values: BTreeMap<String, Value> =
            values.into_iter().map(|(name, text)| (name.to_owned(), Value::Text(text))).collect();
        if kind == Kind::Api {
            values.insert("Vpc".to_owned(), Value::OutputOfBase);
        }
        values
    }

    fn document(&self, kind: Kind) -> String {
        let name = kind.name();
        let own = self.parameters(
            kind,
            &Tenant {
                regions: 1,
                offboarded: false,
                suspended: false,
                second_ring: false,
                size: 0,
                absent: BTreeSet::new(),
            },
        );
        let mut text = format!(
            "apiVersion: driftless.dev/v1
kind: Service
metadata: {{ name: {name} }}
spec:
  template: {name}.template.yaml
  regions: {}
  onRemoval: {}
  terminationProtection: {}
  capabilities: [CAPABILITY_IAM]
",
            if kind == Kind::Job { "home" } else { "tenant" },
            if self.deletes { "delete" } else { "retain" },
            self.protected,
        );
        if self.policy {
            text.push_str("  stackPolicy: policy.json\n");
        }
        if self.second_ring_only {
            text.push_str("  selector: { matchLabels: { ring: second } }\n");
        }
        text.push_str("  parameters:\n");
        for (name, value) in own.iter().filter(|(name, _)| *name != "Size") {
            let value = match value {
                Value::Text(text) => text.as_str(),
                Value::OutputOfBase => "${services.base.outputs.Where}",
            };
            let _ = writeln!(text, "    {name}: \"{value}\"");
        }
        text
    }
}

/// The template of a service in one of its shapes: as it is, with one resource more, with another
/// instead.
fn template(kind: Kind, shape: u8) -> String {
    let (parameters, resources) = match kind {
        Kind::Base => ("Cidr: { Type: String }", setting("Net", "!Ref Cidr")),
        Kind::Store => (
            "Grade: { Type: String }\n  Key: { Type: String }",
            format!(
                "{}  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{{ AttributeName: !Ref Key, AttributeType: S }}]
      KeySchema: [{{ AttributeName: !Ref Key, KeyType: HASH }}]
",
                setting("Grading", "!Ref Grade")
            ),
        ),
        Kind::Api => (
            "Vpc: { Type: String }\n  Secret: { Type: String, NoEcho: true }",
            format!(
                "{}  Jobs:
    Type: AWS::SQS::Queue
    Properties: {{ Tags: [{{ Key: vpc, Value: !Ref Vpc }}] }}
",
                setting("Pass", "!Ref Secret")
            ),
        ),
        Kind::Job => (
            "Memory: { Type: Number }",
            "  Role:
    Type: AWS::IAM::Role
    Properties: { AssumeRolePolicyDocument: { Version: \"2012-10-17\", Statement: [] } }
  Worker:
    Type: AWS::Lambda::Function
    Properties:
      Role: !GetAtt Role.Arn
      MemorySize: !Ref Memory
      Code: { ZipFile: x }
"
            .to_owned(),
        ),
    };
    let more = match shape {
        0 => setting("Notes", "!Ref Size"),
        1 => setting("Notes", "!Ref Size") + &setting("More", "!Ref Size"),
        _ => setting("Other", "!Ref Size"),
    };
    let outputs = match kind {
        Kind::Base => "Outputs:\n  Where: { Value: !Ref Cidr }\n",
        Kind::Store | Kind::Api | Kind::Job => "",
    };
    format!(
        "Parameters:\n  Size: {{ Type: String }}\n  {parameters}\nResources:\n{resources}{more}\
         {outputs}"
    )
}

fn setting(name: &str, value: &str) -> String {
    format!(
        "  {name}:\n    Type: AWS::SSM::Parameter\n    Properties: {{ Type: String, Value: {value} \
         }}\n"
    )
}

/// The account number of a tenant.
pub(crate) fn account(tenant: u32) -> u64 {
    200_000_000_000 + u64::from(tenant)
}

pub(crate) fn key(tenant: u32, region: &str, kind: Kind) -> StackKey {
    format!("{:012}/{region}/{}", account(tenant), kind.name()).parse().expect("a key")
}

/// What a person could make of a stack of ours.
pub(crate) fn another_template() -> String {
    format!("Resources:\n{}", setting("Theirs", "theirs"))
}
