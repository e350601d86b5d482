//! From what was found to files on the disk: a draft, tried out with the whole fleet, proved, and only
//! then written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use crate::cli::Failure;
use crate::cli::context::Format;
use crate::cli::import::accounts::names;
use crate::cli::tenant::desk::Desk;
use crate::ids::{DocumentName, ServiceName, Target};
use crate::import::{Draft, Found, Inferred, LeftOut, Refusal, Wish, draft, overtaken, prove};
use crate::report::output::{Imported, ImportedParameter, LeftAlone, TenantOfAccount, WrittenFile};

const SECRET_HELP: &str = "name the parameter and where CloudFormation finds its value, such as \
                           Password={{resolve:secretsmanager:NAME:SecretString:KEY}}";

/// How documents are written.
#[derive(Args, Clone, Debug)]
pub(super) struct HowArgs {
    /// Where the service and its template go, below the fleet folder; unless given, a folder of its
    /// name beside those of other services
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// A dynamic reference for a parameter whose value the template hides (NoEcho)
    #[arg(long = "secret", value_name = "NAME=REFERENCE")]
    secrets: Vec<Unproven>,
    /// Have the service select its tenants by a label even if all tenants have it
    #[arg(long)]
    select: bool,
    /// Leave out stacks that cannot be taken over, instead of refusing all; they are named
    #[arg(long)]
    skip_unadoptable: bool,
    /// How the answer is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(super) format: Format,
}

/// What was given for a secret. It may be the secret itself: the parser of flags takes everything,
/// because it repeats what it refuses.
#[derive(Clone)]
struct Unproven(String);

impl From<String> for Unproven {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unproven(..)")
    }
}

/// A dynamic reference for a parameter: a secret itself never lives in git.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Secret {
    name: String,
    reference: String,
}

impl FromStr for Secret {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, reference) =
            text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("it has no name")?;
        let is_reference = reference.starts_with("{{resolve:") && reference.ends_with("}}");
        if !is_reference {
            // What was given may be the secret itself, and is not repeated.
            return Err("secrets never live in git".to_owned());
        }
        Ok(Self { name: name.to_owned(), reference: reference.to_owned() })
    }
}

impl HowArgs {
    /// The dynamic references by the names of their parameters.
    pub(super) fn references(&self) -> Result<BTreeMap<String, String>, Failure> {
        let read = |given: &Unproven| {
            let secret: Secret = given.0.parse().map_err(|why| {
                Failure::new(format!("a `--secret` is no NAME=REFERENCE: {why}"), SECRET_HELP)
            })?;
            Ok((secret.name, secret.reference))
        };
        self.secrets.iter().map(read).collect()
    }
}

/// The name of a service for something that is called so otherwise.
pub(super) fn service_name(text: &str) -> Result<ServiceName, Failure> {
    let spelled: String = text
        .chars()
        .map(
            |letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' },
        )
        .collect();
    spelled.trim_matches('-').parse().map_err(|_| {
        Failure::new(
            format!("`{text}` cannot be the name of a service"),
            "give it one with --service",
        )
    })
}

/// Writes the documents of what was found. `tenants` names new tenants, a line for each account.
pub(super) fn write(
    desk: &Desk<'_>,
    found: &Found,
    service: DocumentName,
    tenants: Option<&PathBuf>,
    how: &HowArgs,
    next: Vec<String>,
) -> Result<Imported, Failure> {
    let services_folder = desk.services_folder();
    let folder = match &how.out {
        Some(out) => folder(out)?,
        None if services_folder.is_empty() => service.to_string(),
        None => format!("{services_folder}/{service}"),
    };
    let tenants_folder = desk.tenants_folder();
    let wish = Wish {
        schema_lines: [desk.service_schema_line(&folder), desk.tenant_schema_line(&tenants_folder)],
        service,
        folder,
        tenants_folder,
        names: tenants.map_or_else(|| Ok(Default::default()), |path| names(path))?,
        secrets: how.references()?,
        selects: how.select,
        skips: how.skip_unadoptable,
    };
    let file = |path: &str| desk.text(path).ok();
    let draft = draft(found, &desk.documents, &file, &wish).map_err(refused)?;
    let help = "mend what the findings say, and run it again";
    let tried = desk.tried(&draft.files, help)?;
    if let Some(after) = &tried.checked.desired {
        overtaken(&draft, desk.wanted().as_ref(), after).map_err(refused)?;
        prove(&draft, after).map_err(refused)?;
    }
    desk.put(&draft.files, &tried)?;
    Ok(imported(desk, found, draft, next))
}

fn refused(refusal: Refusal) -> Failure {
    Failure::new(refusal.what, refusal.help)
}

/// A folder below the fleet folder, with `/` between its parts.
fn folder(out: &std::path::Path) -> Result<String, Failure> {
    let wrong = || {
        Failure::new(
            format!("`{}` is not below the fleet folder", out.display()),
            "name a folder relative to it, such as services/scan-api",
        )
    };
    let mut parts = Vec::new();
    for part in out.components() {
        match part {
            std::path::Component::Normal(part) => {
                parts.push(part.to_str().ok_or_else(wrong)?.to_owned());
            }
            std::path::Component::CurDir => {}
            std::path::Component::Prefix(_)
            | std::path::Component::RootDir
            | std::path::Component::ParentDir => return Err(wrong()),
        }
    }
    if parts.is_empty() { Err(wrong()) } else { Ok(parts.join("/")) }
}

fn imported(desk: &Desk<'_>, found: &Found, draft: Draft, next: Vec<String>) -> Imported {
    let file =
        |path: &String| WrittenFile { path: desk.shown(path), new: draft.made.contains(path) };
    let left = |one: LeftOut| {
        let Target { account, region } = one.target;
        let (account, region) = (account.to_string(), region.to_string());
        LeftAlone { account, region, stack: one.stack, why: one.why, detail: one.detail }
    };
    let parameter = |one: Inferred| ImportedParameter {
        name: one.name,
        value: one.value,
        holds_for: one.holds_for,
        exceptions: one.exceptions,
        hidden: one.is_hidden,
    };
    let tenant = |one: &crate::import::NewTenant| TenantOfAccount {
        tenant: one.name.to_string(),
        account: one.account.to_string(),
    };
    Imported {
        version: Imported::VERSION,
        from: found.origin.words(),
        service: draft.service.to_string(),
        found: draft.found,
        taken_over: draft.taken.len(),
        files: draft.files.keys().map(file).collect(),
        new_tenants: draft.new_tenants.iter().map(tenant).collect(),
        edited_tenants: draft.edited_tenants.iter().map(ToString::to_string).collect(),
        new_regions: draft.new_regions.iter().map(ToString::to_string).collect(),
        left_out: draft.left_out.into_iter().map(left).collect(),
        parameters: draft.parameters.into_iter().map(parameter).collect(),
        notes: draft.notes,
        next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_and_never_given() {
        let given = "Password={{resolve:ssm-secure:/db/password}}".parse::<Secret>();
        assert_eq!(given.expect("a reference").name, "Password");
        let refused = "Password=hunter2".parse::<Secret>().expect_err("the secret itself");
        assert!(!refused.contains("hunter2"), "{refused}");
        assert!("={{resolve:ssm:/x}}".parse::<Secret>().is_err());
    }

    #[test]
    fn a_stack_set_gives_the_service_its_name_where_that_may_be() {
        let name = |text| service_name(text).map(|name| name.to_string()).ok();
        assert_eq!(name("Scan-API").as_deref(), Some("scan-api"));
        assert_eq!(name("scan_api-").as_deref(), Some("scan-api"));
        assert_eq!(name("---"), None);
    }

    #[test]
    fn files_stay_below_the_fleet_folder() {
        let folder = |out: &str| folder(out.as_ref()).ok();
        assert_eq!(folder("./services/scan/").as_deref(), Some("services/scan"));
        for bad in ["../other", "/etc", ".", "a/../../b"] {
            assert_eq!(folder(bad), None, "{bad}");
        }
    }
}
