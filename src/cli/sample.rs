//! The sample fleet as it lies in this repository, and tenants made after its pattern.

/// The files of the fleet that are the same in every new fleet, by path below the fleet folder.
pub(super) const COMMON: &[(&str, &str)] = &[
    ("fleet.yaml", include_str!("../../fleet/fleet.yaml")),
    ("services/baseline/service.yaml", include_str!("../../fleet/services/baseline/service.yaml")),
    (
        "services/baseline/template.yaml",
        include_str!("../../fleet/services/baseline/template.yaml"),
    ),
    (
        "services/device-registry/policy.json",
        include_str!("../../fleet/services/device-registry/policy.json"),
    ),
    (
        "services/device-registry/service.yaml",
        include_str!("../../fleet/services/device-registry/service.yaml"),
    ),
    (
        "services/device-registry/template.yaml",
        include_str!("../../fleet/services/device-registry/template.yaml"),
    ),
    (
        "services/log-forwarding/service.yaml",
        include_str!("../../fleet/services/log-forwarding/service.yaml"),
    ),
    (
        "services/log-forwarding/template.yaml",
        include_str!("../../fleet/services/log-forwarding/template.yaml"),
    ),
    ("services/scan-api/service.yaml", include_str!("../../fleet/services/scan-api/service.yaml")),
    (
        "services/scan-api/template.yaml",
        include_str!("../../fleet/services/scan-api/template.yaml"),
    ),
];

/// The tenants of the sample, by path below the fleet folder.
pub(super) const TENANTS: &[(&str, &str)] = &[
    ("tenants/acme.yaml", include_str!("../../fleet/tenants/acme.yaml")),
    ("tenants/benchmark.yaml", include_str!("../../fleet/tenants/benchmark.yaml")),
    ("tenants/blueleaf.yaml", include_str!("../../fleet/tenants/blueleaf.yaml")),
    ("tenants/cargomax.yaml", include_str!("../../fleet/tenants/cargomax.yaml")),
    ("tenants/dockside.yaml", include_str!("../../fleet/tenants/dockside.yaml")),
    ("tenants/eastgate.yaml", include_str!("../../fleet/tenants/eastgate.yaml")),
    ("tenants/fastlane.yaml", include_str!("../../fleet/tenants/fastlane.yaml")),
    ("tenants/gripwell.yaml", include_str!("../../fleet/tenants/gripwell.yaml")),
    ("tenants/harbor.yaml", include_str!("../../fleet/tenants/harbor.yaml")),
    ("tenants/ironwood.yaml", include_str!("../../fleet/tenants/ironwood.yaml")),
    ("tenants/juniper.yaml", include_str!("../../fleet/tenants/juniper.yaml")),
    ("tenants/kestrel.yaml", include_str!("../../fleet/tenants/kestrel.yaml")),
];

/// The `number`th generated tenant, counted from 1: its path below the fleet folder and its text.
/// Every tenth is a canary, every fifth on trial, every fourth American.
pub(super) fn generated(number: u32) -> (String, String) {
    let name = format!("tenant-{number:04}");
    let ring = if number % 10 == 1 { "canary" } else { "stable" };
    let (tier, seats) =
        if number.is_multiple_of(5) { ("trial", 5) } else { ("paid", 50 + number % 7 * 50) };
    let region = if number.is_multiple_of(4) { "us-east-1" } else { "eu-central-1" };
    let text = format!(
        "# yaml-language-server: $schema=../../schema/tenant.json
apiVersion: driftless.dev/v1
kind: Tenant
metadata:
  name: {name}
  labels: {{ tier: {tier}, ring: {ring} }}
spec:
  account: \"22{number:010}\"
  regions: [{region}]
  parameters:
    Seats: \"{seats}\"
"
    );
    (format!("tenants/{name}.yaml"), text)
}
