//! Opens what commands work with: the fleet's newest revision, the cloud that it lives in.

use crate::artifacts::wrong_on_disk;
use crate::aws::Aws;
use crate::check;
use crate::cli::Failure;
use crate::clock::Clock;
use crate::controller::{Checked, checked};
use crate::desired::Desired;
use crate::fleet::{Cloud as CloudKind, Finding, Fleet, Variable};
use crate::git::Source;
use crate::ids::Region;
use crate::report::findings::{self, Drawing};
use crate::settings::Settings;
use crate::sim::{Cloud, CloudSettings};
use crate::snapshot::Snapshot;

/// A revision that was read and checked.
pub(super) struct Opened {
    /// Its files, for excerpts.
    pub(super) snapshot: Snapshot,
    /// What it wants; `None` when an error refuses it.
    pub(super) desired: Option<Desired>,
    /// All that is wrong with it.
    pub(super) findings: Vec<Finding>,
}

/// Reads and checks the revision that the flags name; of a remote repository the newest one. An
/// answer about an older one would be taken for that, so there is none when it cannot be fetched.
pub(super) fn open(settings: &Settings, clock: &Clock) -> Result<Opened, Failure> {
    Ok(opened(settings.source()?.fetch_and_read(clock)?))
}

/// Checks a snapshot.
pub(super) fn opened(snapshot: Snapshot) -> Opened {
    let Checked { desired, findings } = checked(&snapshot);
    Opened { snapshot, desired, findings }
}

impl Opened {
    /// Adds what of the build outputs is not on this machine as the documents say.
    pub(super) fn with_build_outputs(mut self, source: &Source) -> Self {
        if let Some(desired) = &self.desired {
            self.findings.extend(missing_build_outputs(desired, source));
            self.findings.sort();
        }
        self
    }

    /// What was read, for people: the fingerprint of files as they lie says nothing to them.
    pub(super) fn name(&self) -> &str {
        match self.snapshot.committed_at {
            Some(_) => self.snapshot.revision.short(),
            None => "the files as they lie",
        }
    }

    /// The same as the start of a sentence: `the files as they lie have`.
    pub(super) fn has(&self) -> String {
        let verb = if self.snapshot.committed_at.is_some() { "has" } else { "have" };
        format!("{} {verb}", self.name())
    }

    /// What it wants; a failure that draws the findings when it is refused.
    pub(super) fn wanted(&self, settings: &Settings) -> Result<&Desired, Failure> {
        self.desired.as_ref().ok_or_else(|| {
            let errors: Vec<Finding> =
                self.findings.iter().filter(|finding| finding.is_error()).cloned().collect();
            let drawn = drawn(&errors, &self.snapshot, settings, settings.terminal.colour_err);
            Failure::new(
                format!("there are errors in {}\n{drawn}", self.name()),
                "`driftless validate` shows all findings",
            )
        })
    }
}

/// What of the build outputs is not on this machine as the documents say.
pub(super) fn missing_build_outputs(desired: &Desired, source: &Source) -> Vec<Finding> {
    let folder = source.on_disk();
    check::missing_build_outputs(desired, |output| {
        let error = wrong_on_disk(folder.as_deref(), &output.path, &output.built)?;
        let text = error.to_string();
        Some(match text.rsplit_once(": ") {
            Some((what, help)) => (what.to_owned(), Some(help.to_owned())),
            None => (text, None),
        })
    })
}

/// Findings as people read them.
pub(super) fn drawn(
    findings: &[Finding],
    snapshot: &Snapshot,
    settings: &Settings,
    colour: bool,
) -> String {
    let folder = settings.fleet_folder().display().to_string();
    findings::text(findings, snapshot, Drawing { folder: &folder, colour })
}

/// The simulated cloud beside the journal, as `fleet` has it. Where that says how its roles are made,
/// they have to be: the accounts have only the one that makes them.
pub(super) fn simulated_cloud(
    fleet: Option<&Fleet>,
    settings: &Settings,
    clock: &Clock,
) -> Result<Cloud, Failure> {
    let behaviour = CloudSettings {
        speed: settings.simulated_speed(),
        bootstrap_role: fleet.and_then(first_role),
        ..CloudSettings::default()
    };
    let cloud = Cloud::in_folder(&settings.cloud_folder(), behaviour, clock.clone())?;
    fleet.map_or(Ok(()), |fleet| make_buckets(&cloud, fleet))?;
    Ok(cloud)
}

/// The buckets that the fleet names, which in AWS a person makes.
fn make_buckets(cloud: &Cloud, fleet: &Fleet) -> Result<(), Failure> {
    let buckets = fleet.regions.keys().filter_map(|region| Some((fleet.bucket(region)?, region)));
    for (bucket, region) in buckets {
        cloud.console().make_bucket(&bucket, region)?;
    }
    Ok(())
}

/// Name and path of the role that makes the others, with `{account}` for the account's number.
fn first_role(fleet: &Fleet) -> Option<String> {
    let role = &fleet.access.bootstrap.as_ref()?.role_arn;
    let region = fleet.regions.keys().next()?;
    let resolved = role.resolve(|variable, text| {
        match variable {
            Variable::AccountId => text.push_str("{account}"),
            Variable::Partition => text.push_str(region.partition()),
            Variable::FleetName => text.push_str(fleet.name.as_str()),
            // Refused when the document is read.
            Variable::Region
            | Variable::TenantName
            | Variable::Label(_)
            | Variable::ServiceName
            | Variable::Output { .. } => {}
        }
        Ok::<(), std::convert::Infallible>(())
    });
    resolved.ok()?.split_once(":role/").map(|(_, name)| name.to_owned())
}

/// The cloud that the fleet lives in.
pub(super) async fn cloud(
    fleet: &Fleet,
    settings: &Settings,
    clock: &Clock,
    controller_id: &str,
) -> Result<Aws, Failure> {
    let home = home(fleet)?;
    match fleet.cloud {
        CloudKind::Simulated => {
            let cloud = simulated_cloud(Some(fleet), settings, clock)?;
            let (client, keys) = (cloud.http_client(), cloud.credentials());
            Ok(Aws::simulated(client, keys, clock.clone(), controller_id, home))
        }
        CloudKind::Aws if settings.cloud_speed.is_some() => Err(Failure::new(
            "--cloud-speed is for the simulated cloud, and this fleet lives in AWS",
            "leave it out (DRIFTLESS_CLOUD_SPEED too), or say `cloud: simulated` in the Fleet document",
        )),
        CloudKind::Aws => Ok(Aws::from_environment(clock.clone(), controller_id, home).await),
    }
}

/// Where STS is asked when the environment names no region.
pub(super) fn home(fleet: &Fleet) -> Result<Region, Failure> {
    let usable = fleet.regions.iter().find(|(_, retired)| !**retired);
    let any = usable.or_else(|| fleet.regions.iter().next());
    any.map(|(region, _)| region.clone()).ok_or_else(|| {
        Failure::new("the Fleet document names no region", "name one in `spec.regions`")
    })
}
