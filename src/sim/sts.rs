//! STS: AssumeRole into any account, and GetCallerIdentity.

use std::time::Duration;

use crate::ids::{AccountId, Region};
use crate::moment::Moment;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::sessions::{Caller, session_keys};
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

/// The version of the API that clients send along.
const VERSION: &str = "2011-06-15";
/// AWS's bounds for the length of a session, in seconds.
const SESSION_SECONDS: std::ops::RangeInclusive<u64> = 900..=43_200;
/// The longest session of a role that was assumed by another role, in seconds.
const CHAINED_SECONDS: u64 = 3_600;

/// A request to assume a role.
pub(crate) struct AssumeRole {
    pub(crate) account: AccountId,
    /// With its path: `deploy/driftless`.
    pub(crate) role: String,
    session: String,
    length: Duration,
    pub(crate) external_id: Option<String>,
}

/// What a request to STS asks.
pub(crate) enum Question {
    AssumeRole(AssumeRole),
    GetCallerIdentity,
}

/// The names of all actions.
pub(crate) const ACTIONS: [&str; 2] = ["AssumeRole", "GetCallerIdentity"];

impl Question {
    /// The name of the action.
    pub(crate) fn api(&self) -> &'static str {
        match self {
            Self::AssumeRole(_) => "AssumeRole",
            Self::GetCallerIdentity => "GetCallerIdentity",
        }
    }

    /// Takes a form apart.
    pub(crate) fn parse(mut form: Form) -> Answer<Self> {
        let action = form.required("Action")?;
        let version = form.required("Version")?;
        if version != VERSION {
            return Err(Refusal::not_simulated(format!("version {version} of STS")));
        }
        let question = match action.as_str() {
            "AssumeRole" => Self::AssumeRole(AssumeRole::take(&mut form)?),
            "GetCallerIdentity" => Self::GetCallerIdentity,
            other => return Err(Refusal::not_simulated(format!("the STS action `{other}`"))),
        };
        form.finish(&action)?;
        Ok(question)
    }
}

impl AssumeRole {
    fn take(form: &mut Form) -> Answer<Self> {
        let arn = form.required("RoleArn")?;
        let seconds = form.optional("DurationSeconds").unwrap_or_else(|| "3600".to_owned());
        let invalid = |name: &str| {
            Refusal::validation(format!("1 validation error detected: {name} is not valid"))
        };
        let seconds: u64 = seconds.parse().map_err(|_| invalid("durationSeconds"))?;
        if !SESSION_SECONDS.contains(&seconds) {
            return Err(invalid("durationSeconds"));
        }
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", _, "iam", "", account, resource] = parts.as_slice() else {
            return Err(invalid("roleArn"));
        };
        let role = resource.strip_prefix("role/").ok_or_else(|| invalid("roleArn"))?;
        Ok(Self {
            account: account.parse().map_err(|_| invalid("roleArn"))?,
            role: role.to_owned(),
            session: form.required("RoleSessionName")?,
            length: Duration::from_secs(seconds),
            external_id: form.optional("ExternalId"),
        })
    }

    /// The answer, or AWS's refusal, which does not say whether role, account or external id is wrong.
    pub(crate) fn answer(
        &self,
        caller: &Caller,
        region: &Region,
        now: Moment,
        allowed: &Allowed,
    ) -> Answer<Xml> {
        let role_fits = allowed.role_name.as_ref().is_none_or(|name| *name == self.role);
        let id_fits = allowed.external_id.is_none() || allowed.external_id == self.external_id;
        let partition = region.partition();
        if allowed.denied || !role_fits || !id_fits {
            let text = format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: \
                 arn:{partition}:iam::{}:role/{}",
                arn_of(caller, region),
                self.account,
                self.role
            );
            return Err(Refusal::new("AccessDenied", text).with_status(403));
        }
        if caller.role.is_some() && self.length.as_secs() > CHAINED_SECONDS {
            return Err(Refusal::validation(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed \
                 by role chaining",
            ));
        }
        let ends_at = now + self.length;
        let keys = session_keys(self.account, ends_at, &self.role, &self.session);
        let session =
            Caller { account: self.account, role: Some((self.role.clone(), self.session.clone())) };
        let mut xml = Xml::default();
        xml.element("Credentials", |xml| {
            xml.text("AccessKeyId", &keys.access_key);
            xml.text("SecretAccessKey", &keys.secret);
            xml.text("SessionToken", &keys.token);
            xml.text("Expiration", &whole_seconds(ends_at).to_string());
        });
        xml.element("AssumedRoleUser", |xml| {
            xml.text("AssumedRoleId", &format!("{}:{}", role_id(&session), self.session));
            xml.text("Arn", &arn_of(&session, region));
        });
        Ok(xml)
    }
}

/// What an account says about who may assume its roles.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    pub(crate) denied: bool,
    /// The only role that exists; any if `None`.
    pub(crate) role_name: Option<String>,
    pub(crate) external_id: Option<String>,
}

/// The answer to GetCallerIdentity.
pub(crate) fn caller_identity(caller: &Caller, region: &Region) -> Xml {
    let mut xml = Xml::default();
    let user_id = match &caller.role {
        Some((_, session)) => format!("{}:{session}", role_id(caller)),
        None => format!("AIDA{:0>17}", caller.account.to_string()),
    };
    xml.text("UserId", &user_id);
    xml.text("Account", &caller.account.to_string());
    xml.text("Arn", &arn_of(caller, region));
    xml
}

/// Wraps an answer as the protocol wants it.
pub(crate) fn envelope(action: &str, result: Xml, request_id: &str) -> String {
    let result = result.into_string();
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/{VERSION}/\"><{action}Result>\
         {result}</{action}Result><ResponseMetadata><RequestId>{request_id}</RequestId>\
         </ResponseMetadata></{action}Response>"
    )
}

/// Who a caller is. The session of a role loses the role's path.
pub(crate) fn arn_of(caller: &Caller, region: &Region) -> String {
    let (partition, account) = (region.partition(), caller.account);
    match &caller.role {
        Some((role, session)) => {
            let role = role.rsplit('/').next().unwrap_or(role);
            format!("arn:{partition}:sts::{account}:assumed-role/{role}/{session}")
        }
        None => format!("arn:{partition}:iam::{account}:user/driftless"),
    }
}

fn role_id(caller: &Caller) -> String {
    format!("AROA{:0>17}", caller.account.to_string())
}

fn whole_seconds(moment: Moment) -> Moment {
    Moment::from_millis(moment.as_millis() / 1_000 * 1_000)
}
