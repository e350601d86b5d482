//! `Domain` of an API: the name of its own, what lies below it, and the records for it.

use serde_json::{Map, Value, json};

use crate::template::transform::sam::source::Source;
use crate::template::transform::sam::{Making, compact, hashed};

/// What the name of an API needs.
struct Domain<'a> {
    written: &'a Map<String, Value>,
    name: &'a Value,
}

fn domain(source: &Source) -> Option<Domain<'_>> {
    let written = source.get("Domain")?.as_object()?;
    Some(Domain { written, name: written.get("DomainName")? })
}

impl Domain<'_> {
    /// A logical id with the hash of something.
    fn id(&self, prefix: &str, of: &Value) -> String {
        hashed(prefix, &of.as_str().map_or_else(|| compact(of), str::to_owned))
    }

    fn paths(&self) -> Vec<&Value> {
        self.written.get("BasePath").and_then(Value::as_array).into_iter().flatten().collect()
    }

    /// The records of Route 53, one group for each zone.
    fn records(&self, source: &Source, domain: &str, is_edge: bool, making: &mut Making<'_>) {
        let Some(Value::Object(route)) = self.written.get("Route53") else { return };
        let Some((key, zone)) = ["HostedZoneId", "HostedZoneName"]
            .iter()
            .find_map(|key| Some((*key, route.get(*key)?)))
        else {
            return;
        };
        let id = self.id("RecordSetGroup", zone);
        let word = if is_edge { "Distribution" } else { "Regional" };
        let (name, of_zone) = match is_edge {
            true => ("DistributionDomainName".to_owned(), json!("Z2FDTNDATAQYW2")),
            false => (
                "RegionalDomainName".to_owned(),
                json!({ "Fn::GetAtt": [domain, format!("{word}HostedZoneId")] }),
            ),
        };
        let target =
            json!({ "DNSName": { "Fn::GetAtt": [domain, name] }, "HostedZoneId": of_zone });
        let kinds =
            if route.get("IpV6") == Some(&Value::Bool(true)) { &["A", "AAAA"][..] } else { &["A"] };
        let records = kinds
            .iter()
            .map(|kind| json!({ "AliasTarget": target, "Name": self.name, "Type": kind }));
        let mut all: Vec<Value> = records.collect();
        // APIs with one zone share a group.
        let before =
            making.resources.get(&id).and_then(|group| group.pointer("/Properties/RecordSets"));
        if let Some(Value::Array(before)) = before {
            all.splice(0..0, before.iter().cloned());
        }
        let properties = json!({ key: zone, "RecordSets": all });
        making.add(source, &id, "AWS::Route53::RecordSetGroup", properties);
    }
}

/// The domain of a REST API.
pub(super) fn of_rest(source: &Source, stage: &str, making: &mut Making<'_>) {
    let Some(domain) = domain(source) else { return };
    let id = domain.id("ApiGatewayDomainName", domain.name);
    let given = domain.written.get("EndpointConfiguration").cloned();
    let kind = given.unwrap_or_else(|| "REGIONAL".into());
    let is_edge = kind == "EDGE";
    let certificate = if is_edge { "CertificateArn" } else { "RegionalCertificateArn" };
    let mut properties = json!({
        "DomainName": domain.name, "EndpointConfiguration": { "Types": [kind] },
        certificate: domain.written.get("CertificateArn"),
    });
    if let Some(policy) = domain.written.get("SecurityPolicy") {
        properties["SecurityPolicy"] = policy.clone();
    }
    making.add(source, &id, "AWS::ApiGateway::DomainName", properties);
    let mapping = |path: Option<&str>| {
        let mut mapping = json!({
            "DomainName": { "Ref": id }, "RestApiId": { "Ref": source.id },
            "Stage": { "Ref": stage },
        });
        if let Some(path) = path {
            mapping["BasePath"] = path.into();
        }
        mapping
    };
    let kind = "AWS::ApiGateway::BasePathMapping";
    let paths = domain.paths();
    if paths.is_empty() {
        making.add(source, &format!("{}BasePathMapping", source.id), kind, mapping(None));
    }
    for path in paths.into_iter().filter_map(Value::as_str) {
        let plain: String = path.chars().filter(char::is_ascii_alphanumeric).collect();
        let id = format!("{}{plain}BasePathMapping", source.id);
        making.add(source, &id, kind, mapping(Some(path)));
    }
    domain.records(source, &id, is_edge, making);
}

/// The domain of an HTTP API.
pub(super) fn of_http(
    source: &Source,
    (stage, tags): (&str, &Map<String, Value>),
    making: &mut Making<'_>,
) {
    let Some(domain) = domain(source) else { return };
    let id = domain.id("ApiGatewayDomainNameV2", domain.name);
    let given = domain.written.get("EndpointConfiguration").cloned();
    let configuration = json!({
        "CertificateArn": domain.written.get("CertificateArn"),
        "EndpointType": given.unwrap_or_else(|| "REGIONAL".into()),
    });
    let properties = json!({
        "DomainName": domain.name, "DomainNameConfigurations": [configuration], "Tags": tags,
    });
    making.add(source, &id, "AWS::ApiGatewayV2::DomainName", properties);
    let mapping = |path: Option<&str>| {
        let mut mapping = json!({
            "ApiId": { "Ref": source.id }, "DomainName": { "Ref": id },
            "Stage": { "Ref": stage },
        });
        if let Some(path) = path {
            mapping["ApiMappingKey"] = path.into();
        }
        mapping
    };
    let kind = "AWS::ApiGatewayV2::ApiMapping";
    let paths = domain.paths();
    if paths.is_empty() {
        making.add(source, &format!("{}ApiMapping", source.id), kind, mapping(None));
    }
    for path in paths.into_iter().filter_map(Value::as_str) {
        let plain: String = path.chars().filter(char::is_ascii_alphanumeric).collect();
        making.add(source, &format!("{}{plain}ApiMapping", source.id), kind, mapping(Some(path)));
    }
    domain.records(source, &id, false, making);
}
