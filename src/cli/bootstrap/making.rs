//! Makes, updates and takes away the stack of the execution role, and waits until the role can be
//! assumed. An account where that fails is left as it was, as far as AWS lets us.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::aws::{AwsError, GivenTemplate, StackInputs, TargetApi};
use crate::cli::bootstrap::survey::{
    ACCOUNTS, Finding, Preparing, Site, Survey, Surveyed, lacks_role, panicked,
};
use crate::fleet::Deployment;
use crate::ids::{Digest, StackId, StackName};
use crate::observed::{ChangeSetStatus, Seen, Standing};
use crate::plan::bootstrap::{Course, ROLE_STACK, ROLE_TAG, RoleStack};
use crate::plan::is_follower;
use crate::report::bootstrap::{Preparation, Prepared, PreparedAccount};

/// A role is made in half a minute; who waits longer than this waits for something else.
const LONGEST_OPERATION: Duration = Duration::from_secs(15 * 60);
/// IAM tells all of AWS about a new role within seconds, seldom a minute.
const LONGEST_SPREADING: Duration = Duration::from_secs(3 * 60);
/// A session that was refused is remembered for a while, so that asking more often asks nobody.
const ASKED_EVERY: Duration = Duration::from_secs(2);
/// CloudFormation wants the names of roles acknowledged.
const CAPABILITY: &str = "CAPABILITY_NAMED_IAM";

/// `Err` says why it failed, for people.
type Done<T = ()> = Result<T, String>;

impl Preparing {
    /// Does what a survey says, in no further account once `stopped` says so; what was begun is
    /// waited for. `tick` is called for each account in which something was done.
    pub async fn carry_out(
        &self,
        survey: Survey,
        stopped: &dyn Fn() -> bool,
        tick: &dyn Fn(),
    ) -> Preparation {
        let mut done: Preparation = survey.ahead();
        let mut waiting: Vec<(usize, Surveyed)> = Vec::new();
        for (index, (_, _, finding)) in survey.accounts.into_iter().enumerate() {
            match finding {
                Finding::Seen(one) if acts(&one.course) => waiting.push((index, *one)),
                Finding::Seen(_) | Finding::Lost(_) | Finding::NotBegun => {}
            }
        }
        waiting.reverse();
        let mut works: JoinSet<(usize, Prepared)> = JoinSet::new();
        loop {
            while works.len() < ACCOUNTS && !stopped() {
                let Some((index, one)) = waiting.pop() else { break };
                let this = self.clone();
                works.spawn(async move { (index, this.prepare(one).await) });
            }
            let Some(worked) = works.join_next().await else { break };
            let (index, prepared) = worked.unwrap_or_else(panicked);
            done.0[index].prepared = prepared;
            tick();
        }
        for (index, _) in waiting {
            let PreparedAccount { prepared, .. } = &mut done.0[index];
            *prepared = Prepared::NotBegun;
        }
        done
    }

    async fn prepare(&self, one: Surveyed) -> Prepared {
        let Surveyed { site, course, change } = one;
        let (end, done) = match course {
            Course::Make => (Prepared::Made, self.make(&site).await),
            Course::MakeAnew(id) => (Prepared::Made, self.make_anew(&site, &id).await),
            Course::Update(id) => (Prepared::Updated(change), self.update(&site, &id).await),
            Course::Wait => (Prepared::Ready, self.wait(&site).await),
            Course::Ready => (Prepared::Ready, Ok(())),
            Course::Stuck(why) => (Prepared::Ready, Err(why)),
        };
        match done {
            Ok(()) => end,
            Err(why) => Prepared::Failed(why),
        }
    }

    async fn make(&self, site: &Site) -> Done {
        let made = site.maker.create(&name()?, &inputs(&site.wanted), &self.token(site)).await;
        let id = match made {
            Ok(id) => id,
            Err(error) if error.may_have_happened() => made_after_all(site, error).await?,
            Err(error) => return Err(error.to_string()),
        };
        let seen = self.rested(&site.maker, &id).await?;
        if seen.status.standing() == Standing::Complete {
            return self.until_assumable(site).await;
        }
        let why = why_failed(site, &seen).await;
        // Nobody has used anything of it, and the next try needs the name.
        match self.remove(site, &id).await {
            Ok(()) => Err(why),
            Err(also) => Err(format!("{why}; and its stack {ROLE_STACK} stays: {also}")),
        }
    }

    async fn make_anew(&self, site: &Site, id: &StackId) -> Done {
        self.remove(site, id).await?;
        self.make(site).await
    }

    async fn remove(&self, site: &Site, id: &StackId) -> Done {
        let off = site.maker.set_termination_protection(id, false).await;
        off.map_err(|error| error.to_string())?;
        let token = self.token(site);
        let begun = site.maker.delete_stack(id, &[], &token).await;
        begun.map_err(|error| error.to_string())?;
        let seen = self.rested(&site.maker, id).await?;
        if seen.status.standing() == Standing::Gone {
            return Ok(());
        }
        Err(format!("it could not be deleted and is {}", seen.status))
    }

    async fn update(&self, site: &Site, id: &StackId) -> Done {
        let (token, maker) = (self.token(site), &site.maker);
        let said = |error: AwsError| error.to_string();
        maker.create_change_set(id, &token, &inputs(&site.wanted), &token).await.map_err(said)?;
        match self.computed(maker, id, &token).await? {
            ChangeSetStatus::Ready => {}
            ChangeSetStatus::Empty => {
                maker.delete_change_set(id, &token).await.map_err(said)?;
                return self.until_assumable(site).await;
            }
            ChangeSetStatus::Failed(why) => {
                maker.delete_change_set(id, &token).await.map_err(said)?;
                return Err(format!("CloudFormation cannot change the role: {why}"));
            }
            ChangeSetStatus::Pending | ChangeSetStatus::Obsolete | ChangeSetStatus::Unknown(_) => {
                return Err(format!("somebody else changed its stack {ROLE_STACK}: run it again"));
            }
        }
        maker.execute_change_set(id, &token, &token).await.map_err(said)?;
        let seen = self.rested(maker, id).await?;
        if seen.status.standing() == Standing::Complete && site.wanted.is_like(&seen) {
            return self.until_assumable(site).await;
        }
        Err(why_failed(site, &seen).await)
    }

    async fn computed(&self, api: &TargetApi, id: &StackId, set: &str) -> Done<ChangeSetStatus> {
        let began_at = self.clock.now();
        loop {
            let found = api.change_set(id, set).await.map_err(|error| error.to_string())?;
            match found.map(|found| found.status) {
                Some(ChangeSetStatus::Pending) => {}
                Some(status) => return Ok(status),
                None => return Err(format!("the change set {set} of {ROLE_STACK} is gone")),
            }
            self.pause(began_at, "CloudFormation computes what changes").await?;
        }
    }

    /// Somebody made the stack, or is at it.
    async fn wait(&self, site: &Site) -> Done {
        let api = match site.role.check_account().await {
            Ok(()) => &site.role,
            Err(_) => &site.maker,
        };
        let seen = self.rested_by(api, ROLE_STACK).await?;
        if seen.status.standing() != Standing::Complete {
            return Err(format!("its stack {ROLE_STACK} came to {}: run it again", seen.status));
        }
        self.until_assumable(site).await
    }

    async fn rested(&self, api: &TargetApi, id: &StackId) -> Done<Seen> {
        self.rested_by(api, id.as_str()).await
    }

    async fn rested_by(&self, api: &TargetApi, id_or_name: &str) -> Done<Seen> {
        let began_at = self.clock.now();
        loop {
            let seen = api.describe(id_or_name).await.map_err(|error| error.to_string())?;
            let seen = seen.ok_or_else(|| format!("its stack {ROLE_STACK} is gone"))?;
            if !seen.status.is_moving() {
                return Ok(seen);
            }
            self.pause(began_at, &format!("its stack {ROLE_STACK} is {}", seen.status)).await?;
        }
    }

    async fn pause(&self, began_at: crate::moment::Moment, what: &str) -> Done {
        if self.clock.now().since(began_at) > LONGEST_OPERATION {
            return Err(format!("{what} for more than 15 minutes: run it again later"));
        }
        self.clock.sleep(self.look_every).await;
        Ok(())
    }

    async fn until_assumable(&self, site: &Site) -> Done {
        if !site.wanted.lets_us_in {
            return Ok(());
        }
        // One from before an update says nothing about the role as it is now.
        site.role.end_session().await;
        let began_at = self.clock.now();
        loop {
            match site.role.check_account().await {
                Ok(()) => return Ok(()),
                Err(error) if !lacks_role(&error) => return Err(error.to_string()),
                Err(error) if self.clock.now().since(began_at) > LONGEST_SPREADING => {
                    return Err(format!(
                        "its stack {ROLE_STACK} is as it shall be, and the role cannot be assumed: \
                         see whether somebody changed or deleted the role: {error}"
                    ));
                }
                Err(_) => self.clock.sleep(ASKED_EVERY.min(self.look_every)).await,
            }
        }
    }

    /// Another one for each operation; controllers know by its beginning that it is none of theirs.
    fn token(&self, site: &Site) -> String {
        let (account, now) = (site.maker.target().account.to_string(), self.clock.now());
        let digest = Digest::of_parts([account.as_bytes(), &now.as_millis().to_be_bytes()]);
        format!("role-{}", &digest.to_string()[..32])
    }
}

fn acts(course: &Course) -> bool {
    match course {
        Course::Make | Course::MakeAnew(_) | Course::Update(_) | Course::Wait => true,
        Course::Ready | Course::Stuck(_) => false,
    }
}

fn name() -> Done<StackName> {
    ROLE_STACK.parse().map_err(|error| format!("{error}"))
}

fn inputs(wanted: &RoleStack) -> StackInputs {
    StackInputs {
        template: GivenTemplate::Body(wanted.template.body().into()),
        parameters: wanted.parameters.clone(),
        kept_parameters: std::collections::BTreeSet::new(),
        tags: wanted.tags(),
        capabilities: vec![CAPABILITY.to_owned()],
        termination_protection: true,
        stack_policy: None,
        deployment: Deployment::Standard,
    }
}

/// The stack, if it was made though no answer said so.
async fn made_after_all(site: &Site, error: AwsError) -> Done<StackId> {
    match site.maker.describe(ROLE_STACK).await {
        Ok(Some(seen)) if seen.tags.contains_key(ROLE_TAG) => Ok(seen.id),
        Ok(_) | Err(_) => Err(error.to_string()),
    }
}

/// What failed first, in AWS's words.
async fn why_failed(site: &Site, seen: &Seen) -> String {
    let since = seen.updated_at.unwrap_or(seen.created_at);
    let events = site.maker.events_since(&seen.id, since).await.unwrap_or_default();
    let failed = events.iter().find_map(|event| {
        let reason = event.reason.as_deref().filter(|reason| !is_follower(reason))?;
        event.status.ends_with("_FAILED").then_some((&event.kind, reason))
    });
    match failed {
        Some((kind, why)) if kind == "AWS::IAM::Role" && why.contains("already exists") => format!(
            "a role of that name is there that driftless did not make, and it does not let us in: \
             delete it or change whom it trusts ({why})"
        ),
        Some((kind, why)) => format!("{kind} failed: {why}"),
        None => format!("its stack {ROLE_STACK} came to {}", seen.status),
    }
}
