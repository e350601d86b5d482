//! The same wish is not tried again and again: what AWS broke waits longer each time, and what git
//! has to mend waits for git.

use std::collections::BTreeMap;
use std::time::Duration;

use driftless::ids::StackKey;
use driftless::moment::Moment;
use driftless::sim::{ChangeSetView, Ending};

use crate::swarm::invariants::{controller_of, members, token};
use crate::swarm::witness::{Deed, State};

const HOUR: Duration = Duration::from_secs(3_600);
/// Half a minute, doubled each time, ends eight times in an hour. Some tries more are for what
/// starts the count anew: a person who changes the stack, and a failure of another kind.
const TRIES_AN_HOUR: usize = 14;
/// What the weather says of a resource that only git can mend.
const FOR_GIT: &str = "The value is not allowed here";

/// A stack, a call, whose it is and what it would bring.
type Wish = (StackKey, &'static str, String, String);

/// What was asked for so far.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    tokens: BTreeMap<String, Wish>,
    tries: BTreeMap<Wish, Vec<Moment>>,
    /// What each token asked for, and how many commits there were then.
    contents: BTreeMap<String, (String, usize)>,
    /// Stacks that were deleted after git was asked for something else, and what was wanted then.
    condemned: BTreeMap<StackKey, String>,
}

impl Wishes {
    /// A journal is lost: what failed may be tried anew.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// A commit was made: what was wanted before may be wanted anew.
    pub(super) fn changed(&mut self) {
        self.condemned.clear();
    }

    /// How often a wish was tried in the last hour, this time included; a token counts once.
    fn tried(&mut self, wish: Wish, token: &str, now: Moment) -> usize {
        let is_new = self.tokens.insert(token.to_owned(), wish.clone()).is_none();
        let tries = self.tries.entry(wish).or_default();
        tries.retain(|at| now.since(*at) < HOUR);
        if is_new {
            tries.push(now);
        }
        tries.len()
    }

    /// A call that came too late, or was overtaken, was no try.
    pub(super) fn ended(&mut self, token: &str, ending: Ending<'_>) {
        let Ending::Refused(code, text) = ending else { return };
        let overtaken = code.ends_with("AlreadyExistsException")
            || ["ChangeSetNotFound", "InvalidChangeSetStatus"].contains(&code)
            || ["_IN_PROGRESS", "does not exist", "TerminationProtection"]
                .iter()
                .any(|mark| text.contains(mark));
        let wish = self.tokens.get(token).filter(|_| overtaken);
        if let Some(tries) = wish.and_then(|wish| self.tries.get_mut(wish)) {
            tries.pop();
        }
    }
}

/// What a call would bring, the same for a new stack and for an update.
fn content(deed: &Deed<'_>) -> Option<String> {
    match deed.api {
        "CreateStack" | "CreateChangeSet" => {
            let template = deed.fields.get("TemplateBody")?;
            let parameters = members(deed.fields, "Parameters", "ParameterKey", "ParameterValue");
            let tags = members(deed.fields, "Tags", "Key", "Value");
            Some(format!("{template}{parameters:?}{tags:?}"))
        }
        "ExecuteChangeSet" => {
            let name = deed.fields.get("ChangeSetName")?;
            let set = deed.sets.iter().find(|set| set.name == *name)?;
            let ChangeSetView { template, parameters, tags, .. } = set;
            Some(format!("{template}{parameters:?}{tags:?}"))
        }
        "DeleteStack" => Some(format!("{:?}", deed.seen.as_ref().map(|seen| &seen.id))),
        _ => None,
    }
}

impl State {
    pub(super) fn check_wishes(&mut self, deed: &Deed<'_>, broken: &mut Vec<String>) {
        let Some((content, token)) = content(deed).zip(token(deed.fields)) else { return };
        let Some(controller) = controller_of(token) else { return };
        let touched = self.truth.touched.get(&deed.key).copied().unwrap_or_default();
        self.check_condemned(deed, &content, touched, token, broken);
        let wish = (deed.key.clone(), deed.api, controller.to_owned(), content.clone());
        let tries = self.wishes.tried(wish, token, deed.at);
        if tries > TRIES_AN_HOUR {
            broken.push(format!("it is tried for the {tries}th time within an hour"));
        }
        let commits = self.truth.commits();
        self.wishes.contents.entry(token.to_owned()).or_insert((content, commits));
    }

    /// What only git can mend is not tried again before git says something else.
    fn check_condemned(
        &mut self,
        deed: &Deed<'_>,
        content: &str,
        touched: Moment,
        own: &str,
        broken: &mut Vec<String>,
    ) {
        if deed.api == "CreateStack"
            && self.wishes.condemned.remove(&deed.key).is_some_and(|before| before == content)
        {
            broken.push("git has to mend it, and it is made again".to_owned());
        }
        let Some(last) = &deed.last else { return };
        let Some(by) = last.token.as_deref() else { return };
        let failed = last.failure.as_deref() == Some(FOR_GIT)
            && last.runs_since.is_none()
            && by != own
            && touched < last.began_at
            && controller_of(by) == controller_of(own);
        let Some((before, commits)) = self.wishes.contents.get(by).filter(|_| failed) else {
            return;
        };
        if self.truth.said_otherwise(&deed.key, *commits) {
            return;
        }
        match deed.api {
            "ExecuteChangeSet" | "CreateChangeSet" if before == content => {
                broken.push(format!("git has to mend what {by} failed for"));
            }
            "DeleteStack" => {
                self.wishes.condemned.insert(deed.key.clone(), before.clone());
            }
            _ => {}
        }
    }
}
