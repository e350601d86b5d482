//! What `driftless bootstrap` found and did, grouped: equal causes and equal changes are one entry.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::ids::{AccountId, TenantName};
use crate::outcome::without_own;
use crate::plan::bootstrap::RoleChange;
use crate::report::{counted, indented, number};

/// Accounts that are named in one entry; `--format json` has all.
const NAMED: usize = 3;

/// What became of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// The role could be assumed already.
    Ready,
    /// The role was made, or will be.
    Made,
    /// The role was changed, or will be.
    Updated(RoleChange),
    /// The role cannot be assumed; the text says why.
    Failed(String),
    /// It was told to stop before it began here.
    NotBegun,
}

/// One account and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedAccount {
    /// Whose it is.
    pub tenant: TenantName,
    /// Which.
    pub account: AccountId,
    /// What became of it.
    pub prepared: Prepared,
}

/// What became of all accounts, in the order of tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preparation(pub Vec<PreparedAccount>);

/// What accounts are given: the role, whom it trusts, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gift {
    /// The stack that makes the role, and its region.
    pub stack: String,
    /// The role as the Fleet document writes it.
    pub role: String,
    /// Patterns of who may assume it.
    pub trusted: Vec<String>,
    /// Whether nobody is named, so that it is whoever makes it.
    pub trusts_the_maker: bool,
    /// The external id, which is no secret.
    pub external_id: Option<String>,
    /// What CloudFormation may do in its name; `None` where a template of the fleet's own says it
    /// otherwise.
    pub actions: Option<String>,
}

impl Gift {
    /// A few lines for whoever is to say yes.
    pub fn text(&self) -> String {
        let id = match &self.external_id {
            Some(id) => format!("with the external id {id}"),
            None => "without an external id".to_owned(),
        };
        let maker = match self.trusts_the_maker {
            true => {
                "\n             that is whoever runs this: name who runs driftless in \
                 `access.bootstrap.principal` if it is somebody else"
            }
            false => "",
        };
        let actions = match &self.actions {
            Some(actions) => actions.replace(',', ", "),
            None => "what its template says".to_owned(),
        };
        format!(
            "\nWhat they get\n  role       {}\n  trusts     {} {id}{maker}\n  may        call \
             CloudFormation, and through it {actions}\n  made by    {}\n\n",
            self.role,
            self.trusted.join(", "),
            self.stack
        )
    }
}

/// Whether it was done or is about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tense {
    /// It would be done.
    Ahead,
    /// It was done.
    Done,
}

impl Preparation {
    /// How many accounts fit.
    pub fn count(&self, fits: impl Fn(&Prepared) -> bool) -> usize {
        self.0.iter().filter(|one| fits(&one.prepared)).count()
    }

    /// Accounts in which something is to be done, or was.
    pub fn touched(&self) -> usize {
        self.count(|one| matches!(one, Prepared::Made | Prepared::Updated(_)))
    }

    /// Whether the role can be assumed in every account.
    pub fn is_complete(&self) -> bool {
        self.count(|one| matches!(one, Prepared::Failed(_) | Prepared::NotBegun)) == 0
    }

    /// `200 accounts: 190 ready, 5 to make, 5 out of reach`
    pub fn counts(&self, tense: Tense) -> String {
        let (made, updated, failed) = match tense {
            Tense::Ahead => ("to make", "to update", "out of reach"),
            Tense::Done => ("made", "updated", "failed"),
        };
        let counts = [
            (self.count(|one| *one == Prepared::Ready), "ready"),
            (self.count(|one| *one == Prepared::Made), made),
            (self.count(|one| matches!(one, Prepared::Updated(_))), updated),
            (self.count(|one| matches!(one, Prepared::Failed(_))), failed),
            (self.count(|one| *one == Prepared::NotBegun), "not begun"),
        ];
        let some = counts.into_iter().filter(|(count, _)| *count > 0);
        let some: Vec<String> =
            some.map(|(count, word)| format!("{} {word}", number(count))).collect();
        format!("{}: {}", counted(self.0.len(), "account"), some.join(", "))
    }

    /// The counts, and below them what is not simply ready or made.
    pub fn text(&self, tense: Tense) -> String {
        let mut text = format!("{}\n", self.counts(tense));
        let made: Vec<&PreparedAccount> =
            self.0.iter().filter(|one| one.prepared == Prepared::Made).collect();
        if tense == Tense::Ahead && !made.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\nTo make\n  in {}\n", names(&made));
        }
        self.write_updates(&mut text, tense);
        self.write_failures(&mut text, tense);
        text
    }

    fn write_updates(&self, text: &mut String, tense: Tense) {
        let mut groups: BTreeMap<&RoleChange, Vec<&PreparedAccount>> = BTreeMap::new();
        for one in &self.0 {
            if let Prepared::Updated(change) = &one.prepared {
                groups.entry(change).or_default().push(one);
            }
        }
        if groups.is_empty() {
            return;
        }
        text.push_str(match tense {
            Tense::Ahead => "\nTo update\n",
            Tense::Done => "\nUpdated\n",
        });
        for (change, accounts) in groups {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}", counted(accounts.len(), "account"));
            change_lines(change).iter().for_each(|line| {
                let _ = writeln!(text, "    {line}");
            });
            let _ = writeln!(text, "    in {}", names(&accounts));
        }
    }

    fn write_failures(&self, text: &mut String, tense: Tense) {
        let mut groups: BTreeMap<String, Vec<(&PreparedAccount, &str)>> = BTreeMap::new();
        for one in &self.0 {
            if let Prepared::Failed(why) = &one.prepared {
                let common = without_own(why, Some(one.tenant.as_str()), None);
                groups.entry(common).or_default().push((one, why));
            }
        }
        if groups.is_empty() {
            return;
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, accounts)| std::cmp::Reverse(accounts.len()));
        text.push_str(match tense {
            Tense::Ahead => "\nOut of reach\n",
            Tense::Done => "\nFailed\n",
        });
        for (common, accounts) in groups {
            // What is the same for all is said as it was said.
            let whys: BTreeSet<&str> = accounts.iter().map(|(_, why)| *why).collect();
            let why = if whys.len() == 1 { whys.into_iter().next() } else { None };
            let why = indented(why.unwrap_or(&common), 4);
            let accounts: Vec<&PreparedAccount> = accounts.iter().map(|(one, _)| *one).collect();
            let _ = writeln!(text, "  {}: {why}", counted(accounts.len(), "account"));
            let _ = writeln!(text, "    {}", names(&accounts));
        }
    }
}

/// What an update changes, a line each.
fn change_lines(change: &RoleChange) -> Vec<String> {
    let list = |of: &BTreeSet<String>| of.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let mut lines = Vec::new();
    if !change.loses.is_empty() {
        lines.push(format!("the role loses {}", list(&change.loses)));
    }
    if !change.gains.is_empty() {
        lines.push(format!("the role gains {}", list(&change.gains)));
    }
    if change.trust {
        lines.push("the template says otherwise whom the role trusts".to_owned());
    }
    if change.scope {
        lines.push("rights hold for other resources or under other conditions".to_owned());
    }
    for (name, before, after) in &change.parameters {
        let word = |value: &Option<String>| match value.as_deref() {
            None => "nothing".to_owned(),
            Some(value) => format!("`{value}`"),
        };
        lines.push(indented(&format!("{name}: {} -> {}", word(before), word(after)), 4));
    }
    if lines.is_empty() {
        lines.push("another template, with the same rights".to_owned());
    }
    lines
}

/// `acme 111122223333, bolt 444455556666`
fn names(accounts: &[&PreparedAccount]) -> String {
    let name = |one: &&PreparedAccount| format!("{} {}", one.tenant, one.account);
    let named: Vec<String> = accounts.iter().take(NAMED).map(name).collect();
    match accounts.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{}, and {} more", named.join(", "), number(more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: usize, prepared: Prepared) -> PreparedAccount {
        PreparedAccount {
            tenant: format!("t{number}").parse().unwrap(),
            account: format!("{number:012}").parse().unwrap(),
            prepared,
        }
    }

    fn denied(number: usize) -> Prepared {
        Prepared::Failed(format!(
            "the bootstrap role cannot be assumed: AssumeRole: AccessDenied: User: \
             arn:aws:iam::999999999999:user/x is not authorized to perform: sts:AssumeRole on \
             resource: arn:aws:iam::{number:012}:role/Admin"
        ))
    }

    fn narrowed() -> Prepared {
        Prepared::Updated(RoleChange {
            parameters: vec![("ExternalId".into(), Some(String::new()), Some("x".into()))],
            gains: BTreeSet::new(),
            loses: ["ec2:*".to_owned(), "denied iam:*".to_owned()].into(),
            ..RoleChange::default()
        })
    }

    #[test]
    fn equal_causes_and_equal_changes_are_one_entry_with_the_accounts_named() {
        let all = [Prepared::Ready, Prepared::Made, narrowed(), narrowed(), denied(5), denied(6)];
        let stuck = Prepared::Failed("its stack driftless-execution-role is DELETE_FAILED".into());
        let all = all.into_iter().chain([stuck, Prepared::NotBegun]).enumerate();
        let all = Preparation(all.map(|(number, one)| account(number + 1, one)).collect());
        insta::assert_snapshot!(format!("{}\n{}", all.text(Tense::Ahead), all.text(Tense::Done)));
    }

    #[test]
    fn of_a_thousand_failures_some_are_named() {
        let all = Preparation((1..=1_000).map(|number| account(number, denied(number))).collect());
        let text = all.text(Tense::Done);
        assert!(text.starts_with("1,000 accounts: 1,000 failed\n"), "{text}");
        assert!(text.ends_with(", t3 000000000003, and 997 more\n"), "{text}");
        assert!(!all.is_complete());
    }

    #[test]
    fn whoever_says_yes_reads_what_is_given_to_whom() {
        let gift = Gift {
            stack: "the stack driftless-execution-role in eu-central-1".to_owned(),
            role: "arn:aws:iam::${account.id}:role/driftless-execution".to_owned(),
            trusted: vec!["arn:aws:iam::999999999999:user/ann".to_owned()],
            trusts_the_maker: true,
            external_id: Some("gloves".to_owned()),
            actions: Some("sqs:*,iam:*".to_owned()),
        };
        let expected = "
What they get
  role       arn:aws:iam::${account.id}:role/driftless-execution
  trusts     arn:aws:iam::999999999999:user/ann with the external id gloves
             that is whoever runs this: name who runs driftless in `access.bootstrap.principal` if it is somebody else
  may        call CloudFormation, and through it sqs:*, iam:*
  made by    the stack driftless-execution-role in eu-central-1

";
        assert_eq!(gift.text(), expected);
        let named = Gift { trusts_the_maker: false, external_id: None, actions: None, ..gift };
        assert!(named.text().contains("user/ann without an external id\n  may        call Cloud"));
        assert!(named.text().contains("through it what its template says"));
    }
}
