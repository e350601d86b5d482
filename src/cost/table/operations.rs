//! Keys, secrets, alarms, and what else watches or guards an account.

use crate::cost::sheet::{Said, Sheet};
use crate::cost::table::{Row, hourly, monthly, one};
use crate::cost::tally::Tally;
use crate::fleet::Quantity;

const KMS: &str = "https://aws.amazon.com/kms/pricing/";
const SECRETS: &str = "https://aws.amazon.com/secrets-manager/pricing/";
const CLOUDWATCH: &str = "https://aws.amazon.com/cloudwatch/pricing/";
const WAF: &str = "https://aws.amazon.com/waf/pricing/";
const PRIVATE_CA: &str = "https://aws.amazon.com/private-ca/pricing/";
const DIRECTORY: &str = "https://aws.amazon.com/directoryservice/pricing/";
const SYSTEMS_MANAGER: &str = "https://aws.amazon.com/systems-manager/pricing/";

const KEY: &str = "AWS::KMS::Key";
const ALARM: &str = "AWS::CloudWatch::Alarm";

pub(super) const ROWS: &[Row] = &[
    Row::plain(KEY, KMS, &[monthly("", "1.00", "a KMS key", "KMS keys")], one),
    Row::plain("AWS::KMS::ReplicaKey", KMS, &[], |_, tally| {
        tally.add_of(KEY, "", (Quantity::ONE, false));
    }),
    Row::plain(
        "AWS::SecretsManager::Secret",
        SECRETS,
        &[monthly("", "0.40", "a secret", "secrets")],
        |sheet, tally| {
            let zero = Quantity::ZERO;
            let (replicas, at_least) = sheet.count(&["ReplicaRegions"]).at_least(zero, zero);
            tally.add("", (Quantity::ONE.plus(replicas), at_least));
        },
    ),
    Row::plain(
        ALARM,
        CLOUDWATCH,
        &[
            monthly("", "0.10", "an alarm", "alarm metrics"),
            monthly(
                "high-resolution",
                "0.30",
                "a high-resolution alarm",
                "high-resolution alarm metrics",
            ),
        ],
        alarm,
    ),
    Row::plain(
        "AWS::CloudWatch::CompositeAlarm",
        CLOUDWATCH,
        &[monthly("", "0.50", "a composite alarm", "composite alarms")],
        one,
    ),
    Row::plain(
        "AWS::CloudWatch::Dashboard",
        CLOUDWATCH,
        &[monthly("", "3.00", "a dashboard", "dashboards")],
        one,
    ),
    Row::plain(
        "AWS::CloudWatch::InsightRule",
        CLOUDWATCH,
        &[monthly("", "0.50", "a rule of Contributor Insights", "rules of Contributor Insights")],
        one,
    ),
    Row::plain(
        "AWS::WAFv2::WebACL",
        WAF,
        &[
            monthly("", "5.00", "a web ACL", "web ACLs"),
            monthly("rule", "1.00", "a WAF rule", "WAF rules"),
        ],
        |sheet, tally| {
            tally.one("");
            rules(sheet, tally);
        },
    ),
    Row::plain("AWS::WAFv2::RuleGroup", WAF, &[], rules),
    Row::plain(
        "AWS::ACMPCA::CertificateAuthority",
        PRIVATE_CA,
        &[
            monthly(
                "",
                "400",
                "a private certificate authority",
                "private certificate authorities",
            ),
            monthly(
                "short-lived",
                "50",
                "a certificate authority for short-lived certificates",
                "certificate authorities for short-lived certificates",
            ),
        ],
        |sheet, tally| match sheet.text(&["UsageMode"]) {
            Said::This("SHORT_LIVED_CERTIFICATE") => tally.one("short-lived"),
            Said::This(_) | Said::Nothing => tally.one(""),
            Said::Unknown => tally.add("short-lived", (Quantity::ONE, true)),
        },
    ),
    // With the two domain controllers that it starts with.
    Row::plain(
        "AWS::DirectoryService::MicrosoftAD",
        DIRECTORY,
        &[
            hourly("Standard", "0.12", "a Managed Microsoft AD", "Managed Microsoft ADs"),
            hourly(
                "Enterprise",
                "0.40",
                "an Enterprise Managed Microsoft AD",
                "Enterprise Managed Microsoft ADs",
            ),
        ],
        |sheet, tally| match sheet.text(&["Edition"]).or("Enterprise") {
            Said::This(edition) => tally.one(edition),
            Said::Nothing | Said::Unknown => tally.add("Standard", (Quantity::ONE, true)),
        },
    ),
    // Standard parameters are free.
    Row::plain(
        "AWS::SSM::Parameter",
        SYSTEMS_MANAGER,
        &[monthly("", "0.05", "an advanced parameter", "advanced parameters")],
        |sheet, tally| match sheet.text(&["Tier"]).or("Standard") {
            Said::This("Advanced") => tally.one(""),
            Said::This(_) | Said::Nothing => {}
            Said::Unknown => tally.unknown(""),
        },
    ),
];

/// An alarm is paid by the metrics that it looks at; one on a band of normal values has three.
fn alarm(sheet: &Sheet<'_>, tally: &mut Tally) {
    let (mut metrics, mut at_least) = (Quantity::ONE, false);
    let mut periods = vec![sheet.number(&["Period"])];
    match sheet.items(&["Metrics"]) {
        Said::This(queries) => {
            let read: Vec<_> = queries.iter().filter(|query| query.has(&["MetricStat"])).collect();
            periods.extend(read.iter().map(|query| query.number(&["MetricStat", "Period"])));
            metrics = Quantity::whole(read.len());
            if sheet.has(&["ThresholdMetricId"]) {
                metrics = metrics.times(Quantity::whole(3));
            }
            if read.is_empty() {
                // A query over all metrics that fit; how many there are only AWS knows.
                (metrics, at_least) = (Quantity::ONE, true);
            }
        }
        Said::Nothing => {}
        Said::Unknown => at_least = true,
    }
    let minute = Quantity::whole(60);
    let fast = periods.iter().any(|period| matches!(period, Said::This(it) if *it < minute));
    at_least |= !fast && periods.contains(&Said::Unknown);
    tally.add(if fast { "high-resolution" } else { "" }, (metrics, at_least));
}

/// A rule group is paid by its rules, and as a rule of every web ACL that has it.
fn rules(sheet: &Sheet<'_>, tally: &mut Tally) {
    let zero = Quantity::ZERO;
    let (rules, at_least) = sheet.count(&["Rules"]).at_least(zero, zero);
    tally.add_of("AWS::WAFv2::WebACL", "rule", (rules, at_least));
}
