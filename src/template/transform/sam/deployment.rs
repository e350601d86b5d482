//! `DeploymentPreference`: CodeDeploy moves the alias of a function.

use serde_json::{Map, Value, json};

use crate::template::transform::sam::Making;
use crate::template::transform::sam::role::{SERVICE_ROLE, trust};
use crate::template::transform::sam::source::Source;

/// One application serves all functions of a template.
const APPLICATION: &str = "ServerlessDeploymentApplication";
/// Its role, for functions that name none.
const ROLE: &str = "CodeDeployServiceRole";

/// Adds what CodeDeploy needs, and says so at the alias.
pub(super) fn make(source: &Source, alias: &mut Map<String, Value>, making: &mut Making<'_>) {
    let Some(Value::Object(preference)) = source.get("DeploymentPreference") else { return };
    let is_off = preference.get("Enabled").and_then(|value| making.known.text(value));
    let Some(kind) = preference.get("Type").filter(|_| is_off.as_deref() != Some("false")) else {
        return;
    };
    let group = format!("{}DeploymentGroup", source.id);
    // It stands without the condition of the function.
    let plain = |kind: &str, properties: Value| {
        Map::from_iter([("Type".to_owned(), kind.into()), ("Properties".to_owned(), properties)])
    };
    let application = plain("AWS::CodeDeploy::Application", json!({ "ComputePlatform": "Lambda" }));
    making.add_entry(source, APPLICATION, application);
    let role = preference.get("Role").cloned().unwrap_or_else(|| {
        let properties = json!({
            "AssumeRolePolicyDocument": trust("codedeploy.amazonaws.com"),
            "ManagedPolicyArns": [format!("{SERVICE_ROLE}AWSCodeDeployRoleForLambda")],
        });
        making.add_entry(source, ROLE, plain("AWS::IAM::Role", properties));
        json!({ "Fn::GetAtt": [ROLE, "Arn"] })
    });
    let mut properties = json!({
        "ApplicationName": { "Ref": APPLICATION },
        "DeploymentConfigName":
            { "Fn::Sub": ["CodeDeployDefault.Lambda${ConfigName}", { "ConfigName": kind }] },
        "DeploymentStyle":
            { "DeploymentOption": "WITH_TRAFFIC_CONTROL", "DeploymentType": "BLUE_GREEN" },
        "ServiceRoleArn": role,
    });
    if let Some(alarms) = preference.get("Alarms").and_then(Value::as_array) {
        let alarms: Vec<Value> = alarms.iter().map(|alarm| json!({ "Name": alarm })).collect();
        properties["AlarmConfiguration"] = json!({ "Enabled": true, "Alarms": alarms });
    }
    making.add_entry(source, &group, plain("AWS::CodeDeploy::DeploymentGroup", properties));
    let update = json!({
        "ApplicationName": { "Ref": APPLICATION }, "DeploymentGroupName": { "Ref": group },
    });
    alias.insert("UpdatePolicy".to_owned(), json!({ "CodeDeployLambdaAliasUpdate": update }));
}
