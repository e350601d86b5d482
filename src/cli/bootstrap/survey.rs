//! What of the execution role is in each account: nothing is changed here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::aws::{Access, Api, Aws, AwsError, TargetApi};
use crate::clock::Clock;
use crate::desired::Desired;
use crate::fleet::{Bootstrap, Principal};
use crate::ids::{AccountId, Region, Target, TenantName};
use crate::observed::{Seen, Standing};
use crate::plan::bootstrap::{Course, ROLE_STACK, ROLE_TAG, RoleChange, RoleStack};
use crate::report::bootstrap::{Gift, Preparation, Prepared, PreparedAccount};
use crate::template::Template;

/// Accounts that are worked in at once: STS gives sessions to more, but a stack of so many is as many
/// as a person wants to see fail together.
pub(super) const ACCOUNTS: usize = 50;

/// Why no account at all can be prepared. The message says what to do after its first colon.
#[derive(Debug, thiserror::Error)]
pub enum CannotPrepare {
    /// The fleet does not say how.
    #[error(
        "the Fleet document names no role that could make the execution role: write \
         `bootstrap: {{ roleArn: ... }}` below `spec.access`"
    )]
    NotAsked,
    /// AWS does not take the credentials of this process.
    #[error(
        "the credentials of this machine were not accepted: set AWS_PROFILE or give it a role; \
         `aws sts get-caller-identity` says whose they are"
    )]
    Unknown(#[source] Box<AwsError>),
    /// No trust policy could name whom the credentials belong to.
    #[error(
        "these are the credentials of `{0}`, whom no role can trust by name: say who is trusted in \
         `access.bootstrap.principal`"
    )]
    Nameless(String),
    /// The fleet has no region to make the stack in.
    #[error("every region of the fleet is retired: name another one in `spec.regions`")]
    NoRegion,
}

/// What accounts are prepared with.
#[derive(Clone, Debug)]
pub struct Preparing {
    desired: Arc<Desired>,
    bootstrap: Arc<Bootstrap>,
    aws: Aws,
    pub(super) clock: Clock,
    /// The pause between two looks at a stack that moves.
    pub(super) look_every: Duration,
    region: Region,
    trusted: Principal,
    /// The ARN of whoever runs this.
    caller: String,
}

/// One account with the calls to it.
#[derive(Clone, Debug)]
pub(super) struct Site {
    /// As the execution role.
    pub(super) role: TargetApi,
    /// As the role that makes it.
    pub(super) maker: TargetApi,
    pub(super) wanted: RoleStack,
}

/// What is to be done in one account.
#[derive(Clone, Debug)]
pub(super) struct Surveyed {
    pub(super) site: Site,
    pub(super) course: Course,
    /// Of an update.
    pub(super) change: RoleChange,
}

/// What is to be done in all accounts.
#[derive(Clone, Debug)]
pub struct Survey {
    /// Tenant, account, and what is to be done there or why nothing can be.
    pub(super) accounts: Vec<(TenantName, AccountId, Finding)>,
}

#[derive(Clone, Debug)]
pub(super) enum Finding {
    Seen(Box<Surveyed>),
    Lost(String),
    NotBegun,
}

impl Preparing {
    /// What a fleet's accounts are prepared with; `look_every` is the pause between two looks at a
    /// stack that is being made. Asks STS whom the credentials of this process belong to.
    pub async fn of(
        desired: Arc<Desired>,
        aws: Aws,
        clock: Clock,
        look_every: Duration,
    ) -> Result<Self, CannotPrepare> {
        let bootstrap = desired.fleet.access.bootstrap.clone().ok_or(CannotPrepare::NotAsked)?;
        let mut usable = desired.fleet.regions.iter().filter(|(_, retired)| !**retired);
        let first = usable.next().map(|(region, _)| region.clone());
        let region = bootstrap.region.clone().or(first).ok_or(CannotPrepare::NoRegion)?;
        // Asked even where it is not needed: bad credentials are one error, not one in each account.
        let caller = aws.caller_arn().await;
        let caller = caller.map_err(|error| CannotPrepare::Unknown(Box::new(error)))?;
        let trusted = bootstrap.principal.clone().or_else(|| Principal::calling(&caller));
        let trusted = trusted.ok_or_else(|| CannotPrepare::Nameless(caller.clone()))?;
        Ok(Self { desired, bootstrap, aws, clock, look_every, region, trusted, caller })
    }

    /// What accounts are given that lack the role.
    pub fn gift(&self) -> Gift {
        let access = &self.desired.fleet.access;
        let written = self.bootstrap.parameters.get("Actions").and_then(|text| text.as_literal());
        let declared = self.bootstrap.template.parameters().get("Actions");
        let default = declared.and_then(|one| one.default.as_deref());
        Gift {
            stack: format!("the stack {ROLE_STACK} in {}", self.region),
            role: access.role_arn.to_string(),
            trusted: self.trusted.patterns.clone(),
            trusts_the_maker: self.bootstrap.principal.is_none(),
            external_id: access.external_id.clone(),
            actions: declared.and(written.or(default)).map(str::to_owned),
        }
    }

    /// Looks into the accounts of these tenants, until `stopped` says so; `tick` is called for each
    /// account that is done.
    pub async fn survey(
        &self,
        tenants: &BTreeSet<TenantName>,
        stopped: &dyn Fn() -> bool,
        tick: &dyn Fn(),
    ) -> Survey {
        let of = |name| self.desired.tenants.get(name);
        let meant = tenants.iter().filter_map(|name| Some((name.clone(), of(name)?.account)));
        let mut accounts: Vec<_> =
            meant.map(|(tenant, account)| (tenant, account, Finding::NotBegun)).collect();
        let mut looks: JoinSet<(usize, Finding)> = JoinSet::new();
        let mut next = 0;
        loop {
            while looks.len() < ACCOUNTS && next < accounts.len() && !stopped() {
                let (this, index, account) = (self.clone(), next, accounts[next].1);
                looks.spawn(async move { (index, this.look(account).await) });
                next += 1;
            }
            let Some(looked) = looks.join_next().await else { break };
            let (index, finding) = looked.unwrap_or_else(panicked);
            accounts[index].2 = finding;
            tick();
        }
        Survey { accounts }
    }

    async fn look(&self, account: AccountId) -> Finding {
        let looked = match self.site(account, &self.region) {
            Ok(site) => self.surveyed(site).await,
            Err(why) => Err(why),
        };
        match looked {
            Ok(surveyed) => Finding::Seen(Box::new(surveyed)),
            Err(why) => Finding::Lost(why),
        }
    }

    fn site(&self, account: AccountId, region: &Region) -> Result<Site, String> {
        let target = Target { account, region: region.clone() };
        let role_arn = self.desired.role_arn(&target);
        let external_id = self.desired.external_id();
        let wanted = RoleStack::of(
            &self.bootstrap,
            account,
            (&role_arn, external_id),
            &self.trusted,
            &self.caller,
        )?;
        let role = Access { role_arn, external_id: external_id.map(str::to_owned) };
        let maker = Access {
            role_arn: self.desired.bootstrap_role_arn(&target).unwrap_or_default(),
            external_id: self.bootstrap.external_id.clone(),
        };
        let (role, maker) = (self.aws.target(&target, &role), self.aws.target(&target, &maker));
        Ok(Site { role, maker, wanted })
    }

    /// The stack in another region of the fleet, where it was made when that was the first one or was
    /// asked for: there can be no second one, and that one is to be updated. A region that cannot be
    /// looked into counts as one without it: at worst AWS refuses to make the role twice.
    async fn elsewhere(&self, site: Site, is_assumable: bool) -> (Site, Option<Seen>) {
        let here = site.maker.target().clone();
        for region in self.desired.fleet.regions.keys().filter(|one| **one != here.region) {
            let Ok(there) = self.site(here.account, region) else { continue };
            let seen = looking(&there, is_assumable).describe(ROLE_STACK).await;
            let ours = |seen: &Seen| {
                seen.tags.contains_key(ROLE_TAG) && seen.status.standing() != Standing::Gone
            };
            if let Some(seen) = seen.ok().flatten().filter(ours) {
                return (there, Some(seen));
            }
        }
        (site, None)
    }

    /// Costs one call more than the sessions in an account that is ready.
    pub(super) async fn surveyed(&self, site: Site) -> Result<Surveyed, String> {
        let is_assumable = match site.role.check_account().await {
            Ok(()) => true,
            Err(error) if lacks_role(&error) => false,
            Err(error) => return Err(error.to_string()),
        };
        let seen = looking(&site, is_assumable).describe(ROLE_STACK).await;
        let seen = seen.map_err(|error| in_words(&error))?;
        let (site, seen) = match seen {
            Some(seen) => (site, Some(seen)),
            None => self.elsewhere(site, is_assumable).await,
        };
        let looking = looking(&site, is_assumable);
        let course = site.wanted.course(is_assumable, seen.as_ref());
        let change = match (&course, &seen) {
            (Course::Update(_), Some(seen)) => change(&site, seen, &looking).await?,
            (_, _) => RoleChange::default(),
        };
        Ok(Surveyed { site, course, change })
    }
}

/// The calls that look into an account. A survey changes nothing, whatever is written above.
fn looking(site: &Site, is_assumable: bool) -> TargetApi {
    let looking = if is_assumable { &site.role } else { &site.maker };
    looking.clone().while_allowed(Arc::new(|| false))
}

async fn change(site: &Site, seen: &Seen, looking: &TargetApi) -> Result<RoleChange, String> {
    let text = looking.template(&seen.id).await.map_err(|error| in_words(&error))?;
    let template = Template::parse(&text)
        .map_err(|error| format!("the template of {ROLE_STACK} cannot be read: {error}"))?;
    Ok(site.wanted.change(seen, &template))
}

/// Whether AWS says that there is no such role, or none that trusts us: it tells nobody which.
pub(super) fn lacks_role(error: &AwsError) -> bool {
    let answer = error.answer();
    matches!(error, AwsError::Denied(_))
        && answer.api == Api::AssumeRole
        && answer.code == "AccessDenied"
}

/// An error of the role that makes the other one.
pub(super) fn in_words(error: &AwsError) -> String {
    if lacks_role(error) {
        return format!(
            "the execution role cannot be assumed, and the bootstrap role neither: {error}"
        );
    }
    error.to_string()
}

/// A panic in a task is a bug; a report without its account would be wrong.
pub(super) fn panicked<T>(error: tokio::task::JoinError) -> T {
    std::panic::resume_unwind(error.into_panic())
}

impl Survey {
    /// What will be done, as a report.
    pub fn ahead(&self) -> Preparation {
        let prepared = |finding: &Finding| match finding {
            Finding::Lost(why) => Prepared::Failed(why.clone()),
            Finding::NotBegun => Prepared::NotBegun,
            Finding::Seen(surveyed) => match &surveyed.course {
                // What is waited for was made already.
                Course::Ready | Course::Wait => Prepared::Ready,
                Course::Make | Course::MakeAnew(_) => Prepared::Made,
                Course::Update(_) => Prepared::Updated(surveyed.change.clone()),
                Course::Stuck(why) => Prepared::Failed(why.clone()),
            },
        };
        let accounts = self.accounts.iter().map(|(tenant, account, finding)| PreparedAccount {
            tenant: tenant.clone(),
            account: *account,
            prepared: prepared(finding),
        });
        Preparation(accounts.collect())
    }
}
