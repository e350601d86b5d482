//! What would happen, before it happens: between two revisions, or against what AWS shows. Stacks
//! with the very same change are one group.

mod adopted;
mod allowed;
mod arrivals;
mod beside;
mod compare;
mod consequence;
mod fleet;
mod grouping;
mod live;
mod offline;
mod releases;
mod sample;
mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::cost::Bill;
use crate::drift::Signature;
use crate::fleet::Severity;
use crate::ids::{
    AccountId, DocumentName, Region, Revision, ServiceName, StackName, Target, TenantName, WaveName,
};

use crate::plan::ReviewedPlan;
use crate::template::Effect;

pub use beside::{beside, touched};
pub use live::{LiveScene, Sighted, memories, preview_live};
pub use offline::preview;
pub use sample::{Sample, SampleFound, representatives, words};

/// Stands for every value that must not be shown.
pub const HIDDEN: &str = "(hidden)";

/// All that would happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The fleet's name.
    pub fleet: DocumentName,
    /// What the revision is compared with.
    pub basis: Basis,
    /// The revision that would be followed.
    pub to: Revision,
    /// Changes of the Fleet document that change how the fleet is worked on.
    pub settings: Vec<Line>,
    /// Equal changes together: deletions first, then by service, the largest group first.
    pub groups: Vec<Group>,
    /// Tenants that come, those that get the same together; unknown in a plan against what AWS shows.
    pub arrivals: Vec<Arrivals>,
    /// What AWS shows of stacks that the change touches and that stands in its way: they are counted in
    /// `groups`.
    pub seen: Vec<Group>,
    /// Releases that go out in waves, by service; unknown in a plan against what AWS shows.
    pub releases: Vec<Waves>,
    /// Stacks to which nothing happens.
    pub unchanged: usize,
    /// What the limit on deletions says; `None` when nothing would be deleted.
    pub deletions: Option<Deletions>,
    /// What the change adds to what the fleet costs while nothing runs; unknown in a plan against what
    /// AWS shows alone.
    pub bill: Bill,
    /// What the fleet's policy says about that; an error refuses the change.
    pub judged: Option<(Severity, String)>,
    /// Drift of resources that the change touches.
    pub drifted: Vec<Signature>,
    /// What real change sets of some stacks showed.
    pub samples: Vec<Sample>,
    /// What the change does to resources, for a person to approve; unknown in a plan against what AWS
    /// shows alone.
    pub reviewed: Option<ReviewedPlan>,
    /// Whether nothing is executed that no approved plan allows.
    pub requires_plan: bool,
    /// What a reader has to know besides, one sentence each.
    pub notices: Vec<String>,
}

/// Tenants that come and get the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrivals {
    /// Who, with their accounts.
    pub tenants: Vec<(TenantName, AccountId)>,
    /// Which services, in the order in which they are made; those of one step begin together.
    pub order: Vec<Vec<ServiceName>>,
    /// Where.
    pub regions: Vec<Region>,
    /// How many stacks each of them gets.
    pub stacks_each: usize,
}

/// How a release of one service goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waves {
    /// Which service.
    pub service: ServiceName,
    /// Its waves in order, two at least.
    pub waves: Vec<WaveAhead>,
}

/// One wave of a release that is to go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaveAhead {
    /// Its name.
    pub name: WaveName,
    /// How many stacks take the release in it.
    pub stacks: usize,
    /// In how many accounts.
    pub accounts: usize,
    /// How long they must be well before the next wave begins.
    pub soak: Duration,
    /// Whether a person has to let it begin.
    pub needs_approval: bool,
}

/// What a revision is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Nothing: every stack is new.
    Nothing,
    /// Another revision.
    Revision(Revision),
    /// What AWS shows.
    Live {
        /// How many targets were looked at.
        targets: usize,
        /// How many of them could not be seen.
        blind: usize,
    },
}

/// What happens to the stacks of a group, in the order in which it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// They are deleted.
    Delete,
    /// Git no longer gives them; they stay as they are, and nobody looks after them.
    Retain,
    /// They stand under another name, in another account, or as another's: a person has to approve.
    Rename,
    /// They wait for a person or for a change in git.
    Stuck,
    /// They cannot be seen.
    Blind,
    /// They are changed.
    Update,
    /// They exist already, belong to nobody, and are taken over.
    Adopt,
    /// They are made.
    Create,
    /// They wait for something that comes by itself.
    Wait,
    /// They are left alone on purpose.
    LeaveAlone,
    /// They stay as they are; what may be done with them changes.
    Rules,
}

/// Every kind, in its order.
pub const KINDS: [Kind; 11] = [
    Kind::Delete,
    Kind::Retain,
    Kind::Rename,
    Kind::Stuck,
    Kind::Blind,
    Kind::Update,
    Kind::Adopt,
    Kind::Create,
    Kind::Wait,
    Kind::LeaveAlone,
    Kind::Rules,
];

impl Kind {
    /// A stable word for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Retain => "retain",
            Self::Rename => "rename",
            Self::Stuck => "stuck",
            Self::Blind => "blind",
            Self::Update => "update",
            Self::Adopt => "adopt",
            Self::Create => "create",
            Self::Wait => "wait",
            Self::LeaveAlone => "left-alone",
            Self::Rules => "rules",
        }
    }
}

/// Stacks to which the very same happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What happens to them.
    pub kind: Kind,
    /// Whose stacks they are; unknown where they cannot be seen.
    pub service: Option<ServiceName>,
    /// What is otherwise than before, or what a new stack is made of.
    pub lines: Vec<Line>,
    /// What happens to the resources of each of them, where it is changed.
    pub effects: Vec<Effect>,
    /// What a reader has to know, one clause each.
    pub notes: Vec<String>,
    /// The stacks, in the order of their keys.
    pub members: Vec<Member>,
}

/// One stack of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Where it stands.
    pub target: Target,
    /// What it is called; `None` for a target as a whole.
    pub name: Option<StackName>,
    /// Whose it is.
    pub tenant: Option<TenantName>,
    /// Where it stood before, or as whose.
    pub was: Option<String>,
    /// What AWS calls it, where that is another name.
    pub own_name: Option<StackName>,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The value of a parameter, explicit or by default.
    Parameter,
    /// A tag.
    Tag,
    /// The template as a whole.
    Template,
    /// A resource of the template; old and new are its type.
    Resource,
    /// An output of the template.
    Output,
    /// How the template declares a parameter.
    Declaration,
    /// Another section of the template.
    Section,
    /// The stack policy.
    StackPolicy,
    /// The termination protection.
    TerminationProtection,
    /// A field of a document that changes what may be done and no stack.
    Setting,
}

impl Part {
    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Parameter => "parameter",
            Self::Tag => "tag",
            Self::Template => "template",
            Self::Resource => "resource",
            Self::Output => "output",
            Self::Declaration => "declaration of parameter",
            Self::Section => "section",
            Self::StackPolicy => "stack policy",
            Self::TerminationProtection => "termination protection",
            Self::Setting => "setting",
        }
    }
}

/// One thing that is otherwise than before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// What it is about.
    pub part: Part,
    /// Its name, behind those of the nested stacks that it is in; may be empty where there is only one.
    pub name: String,
    /// Before; `None` where there was none. Values that must not be shown are [`HIDDEN`]; variables
    /// that differ from stack to stack stand as they are written.
    pub old: Option<String>,
    /// After; `None` where there is none.
    pub new: Option<String>,
    /// JSON pointers to what differs inside a resource.
    pub paths: Vec<String>,
}

impl Line {
    pub(super) fn of(part: Part, name: &str, old: Option<String>, new: Option<String>) -> Self {
        Self { part, name: name.to_owned(), old, new, paths: Vec::new() }
    }

    /// The same in a nested stack.
    fn within(self, nested: &str) -> Self {
        let name = match self.name.as_str() {
            "" => nested.to_owned(),
            name => format!("{nested}/{name}"),
        };
        Self { name, ..self }
    }
}

/// What the limit on deletions says about all that would be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletions {
    /// How many stacks.
    pub stacks: usize,
    /// Of how many tenants.
    pub tenants: usize,
    /// Why they would be held until a person approves them; `None` when they would just go.
    pub held: Option<String>,
    /// The id to approve, where it is known: only of stacks that were seen.
    pub approval: Option<String>,
}

impl Group {
    /// How many tenants the stacks belong to.
    pub fn tenants(&self) -> usize {
        let tenants: BTreeSet<&TenantName> =
            self.members.iter().filter_map(|member| member.tenant.as_ref()).collect();
        tenants.len()
    }

    /// How many targets the stacks stand in.
    pub fn targets(&self) -> usize {
        let targets: BTreeSet<&Target> = self.members.iter().map(|member| &member.target).collect();
        targets.len()
    }
}

/// `acme (111122223333/eu-central-1/scan-api)`
impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tenant) = &self.tenant {
            write!(f, "{tenant} (")?;
        }
        write!(f, "{}", self.target)?;
        if let Some(name) = &self.name {
            write!(f, "/{name}")?;
        }
        if let Some(was) = &self.was {
            write!(f, ", was {was}")?;
        }
        if let Some(own) = &self.own_name {
            write!(f, ", in AWS {own}")?;
        }
        f.write_str(if self.tenant.is_some() { ")" } else { "" })
    }
}

impl Preview {
    /// Whether anything would be otherwise than it is.
    pub fn has_changes(&self) -> bool {
        let changes = |group: &Group| group.kind != Kind::LeaveAlone;
        !self.settings.is_empty() || self.groups.iter().any(changes)
    }

    /// How many stacks of each kind; only kinds that occur. Targets that cannot be seen count as one.
    pub fn counts(&self) -> BTreeMap<Kind, usize> {
        let mut counts = BTreeMap::new();
        for group in &self.groups {
            *counts.entry(group.kind).or_default() += group.members.len();
        }
        counts
    }

    /// The tenants to whom anything happens.
    pub fn tenants(&self) -> usize {
        let members = self.groups.iter().flat_map(|group| &group.members);
        let tenants: BTreeSet<&TenantName> =
            members.filter_map(|member| member.tenant.as_ref()).collect();
        tenants.len()
    }
}
