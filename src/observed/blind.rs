//! Where we cannot look, why, and what a person can do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A target that could not be observed this time. Nothing is decided for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blind {
    /// The kind of obstacle.
    pub reason: BlindReason,
    /// What AWS said.
    pub message: String,
}

/// Why a target cannot be observed. The names are in journals, so they stay; new ones may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BlindReason {
    /// The session was given, and may not look.
    AccessDenied,
    /// The session belongs to another account than the target.
    WrongAccount,
    /// AWS did not answer, or answered with an error of its own.
    Unreachable,
    /// AWS asked us to slow down until our patience ended.
    Throttled,
    /// The answer was not what AWS's protocol says.
    Malformed,
    /// Several stacks that we know were missing from the listing at once.
    StacksMissing,
    /// This program has no credentials of its own that AWS accepts: concerns every target.
    BaseCredentials,
    /// The clock of this machine is too far from AWS's: concerns every target.
    ClockSkew,
    /// The role exists not, or does not trust us, or wants another external id: AWS does not say which.
    RoleRefused,
    /// The account is so new that AWS does not know it everywhere, or has no role for us yet.
    AccessNotReady,
    /// The account has not switched the region on.
    RegionOff,
    /// AWS has suspended the account.
    AccountSuspended,
}

impl Blind {
    /// What this means of an account of which nothing was ever seen: a role that does not let us in
    /// may not be there yet.
    #[must_use]
    pub fn of_new_account(self) -> Self {
        match self.reason {
            BlindReason::RoleRefused => Self { reason: BlindReason::AccessNotReady, ..self },
            BlindReason::AccessDenied
            | BlindReason::WrongAccount
            | BlindReason::Unreachable
            | BlindReason::Throttled
            | BlindReason::Malformed
            | BlindReason::StacksMissing
            | BlindReason::BaseCredentials
            | BlindReason::ClockSkew
            | BlindReason::AccessNotReady
            | BlindReason::RegionOff
            | BlindReason::AccountSuspended => self,
        }
    }
}

impl BlindReason {
    /// Whether it ends only when a person does something, so that nobody waits for it as for something
    /// that comes by itself.
    pub fn needs_person(self) -> bool {
        match self {
            Self::AccessDenied
            | Self::WrongAccount
            | Self::BaseCredentials
            | Self::ClockSkew
            | Self::RoleRefused
            | Self::RegionOff
            | Self::AccountSuspended => true,
            Self::Unreachable
            | Self::Throttled
            | Self::Malformed
            | Self::StacksMissing
            | Self::AccessNotReady => false,
        }
    }

    /// Whether the whole account is shut to us, for a reason that lies with the account: what nobody
    /// ever entered may never have had a role for us.
    pub fn shuts_account(self) -> bool {
        match self {
            Self::RoleRefused | Self::AccessNotReady | Self::AccountSuspended => true,
            Self::AccessDenied
            | Self::WrongAccount
            | Self::BaseCredentials
            | Self::ClockSkew
            | Self::RegionOff
            | Self::Unreachable
            | Self::Throttled
            | Self::Malformed
            | Self::StacksMissing => false,
        }
    }

    /// Whether the cause is with this program and not with single accounts: what is told of one
    /// target is true of all.
    pub fn is_of_all(self) -> bool {
        match self {
            Self::BaseCredentials | Self::ClockSkew => true,
            Self::AccessDenied
            | Self::WrongAccount
            | Self::Unreachable
            | Self::Throttled
            | Self::Malformed
            | Self::StacksMissing
            | Self::RoleRefused
            | Self::AccessNotReady
            | Self::RegionOff
            | Self::AccountSuspended => false,
        }
    }

    /// What a person can do; `None` where only waiting helps.
    pub fn help(self) -> Option<&'static str> {
        match self {
            Self::AccessDenied => Some(
                "give the role what it lacks: `driftless doctor` names each right; see to service \
                 control policies too",
            ),
            Self::WrongAccount => {
                Some("put ${account.id} into `access.roleArn` of the Fleet document")
            }
            Self::BaseCredentials => Some(
                "give this machine credentials that have not ended: set AWS_PROFILE, sign in anew, or \
                 give it a role",
            ),
            Self::ClockSkew => {
                Some("set the clock of this machine, and keep it right (chrony, systemd-timesyncd)")
            }
            Self::RoleRefused => Some(
                "see that the account has the role of `access.roleArn` (`driftless bootstrap` makes it), that the role's trust names us, \
                 and that `access.externalId` is the one it wants; AWS does not say which of them it \
                 is, and says the same of a closed account",
            ),
            Self::AccessNotReady => Some(
                "a new account is ready after some minutes, and is looked at again by itself; if it \
                 is not new, see that it has the role of `access.roleArn` (`driftless bootstrap` makes it) \
                 and wants the `access.externalId` of the Fleet document",
            ),
            Self::RegionOff => Some(
                "switch the region on in the account (Account > AWS Regions), or take it from the \
                 tenant's regions",
            ),
            Self::AccountSuspended => {
                Some("have AWS Support reopen the account, or set the tenant's lifecycle in git")
            }
            Self::Unreachable | Self::Throttled | Self::Malformed | Self::StacksMissing => None,
        }
    }
}

impl fmt::Display for BlindReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessDenied => "access denied",
            Self::WrongAccount => "wrong account",
            Self::Unreachable => "unreachable",
            Self::Throttled => "throttled",
            Self::Malformed => "malformed answer",
            Self::StacksMissing => "known stacks missing from the listing",
            Self::BaseCredentials => "no credentials of our own",
            Self::ClockSkew => "clock skew",
            Self::RoleRefused => "role cannot be assumed",
            Self::AccessNotReady => "access not ready",
            Self::RegionOff => "region not enabled",
            Self::AccountSuspended => "account suspended",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_earlier_journals_are_read() {
        for word in [
            "AccessDenied",
            "WrongAccount",
            "Unreachable",
            "Throttled",
            "Malformed",
            "StacksMissing",
        ] {
            let row = format!("{{\"reason\": \"{word}\", \"message\": \"no\"}}");
            let blind: Blind = serde_json::from_str(&row).expect(word);
            assert_eq!(format!("{:?}", blind.reason), word);
        }
    }

    #[test]
    fn a_role_that_refuses_us_in_an_account_never_seen_may_not_be_there_yet() {
        let blind = |reason| Blind { reason, message: String::new() };
        let reason = |reason| blind(reason).of_new_account().reason;
        assert_eq!(reason(BlindReason::RoleRefused), BlindReason::AccessNotReady);
        assert_eq!(reason(BlindReason::RegionOff), BlindReason::RegionOff);
    }
}
