//! `Auth` of a REST API as far as it makes resources: usage plans and their keys.

use serde_json::{Value, json};

use crate::template::transform::sam::Making;
use crate::template::transform::sam::source::Source;

/// How the names of a plan begin that all APIs of a template share.
const SHARED: &str = "Serverless";

/// Makes plan and key, if SAM is asked to.
pub(super) fn make(source: &Source, stage: &str, making: &mut Making<'_>) {
    let plan = source.get("Auth").and_then(|auth| auth.get("UsagePlan"));
    let Some(Value::Object(plan)) = plan else { return };
    let shared = match plan.get("CreateUsagePlan").and_then(Value::as_str) {
        Some("PER_API") => false,
        Some("SHARED") => true,
        Some(_) | None => return,
    };
    let prefix = if shared { SHARED } else { &source.id };
    let (id, key) = (format!("{prefix}UsagePlan"), format!("{prefix}ApiKey"));
    let of_key = json!({ "RestApiId": { "Ref": source.id }, "StageName": { "Ref": stage } });
    let of_plan = json!({ "ApiId": { "Ref": source.id }, "Stage": { "Ref": stage } });
    // What several APIs share names all of them.
    let with = |id: &str, list: &str, one: Value, making: &Making<'_>| -> Value {
        let before =
            making.resources.get(id).and_then(|entry| entry["Properties"][list].as_array());
        before.into_iter().flatten().cloned().chain([one]).collect()
    };
    let mut properties = json!({ "ApiStages": with(&id, "ApiStages", of_plan, making) });
    for name in ["Description", "Quota", "Throttle", "UsagePlanName", "Tags"] {
        if let Some(value) = plan.get(name) {
            properties[name] = value.clone();
        }
    }
    let add = |id: &str, kind: &str, properties: Value, needs: &str, making: &mut Making<'_>| {
        let mut entry = source.beside(kind, properties);
        entry.insert("DependsOn".to_owned(), json!([needs]));
        making.add_entry(source, id, entry);
    };
    add(&id, "AWS::ApiGateway::UsagePlan", properties, &source.id, making);
    let stages = with(&key, "StageKeys", of_key, making);
    let properties = json!({ "Enabled": true, "StageKeys": stages });
    add(&key, "AWS::ApiGateway::ApiKey", properties, &id, making);
    let properties =
        json!({ "KeyId": { "Ref": key }, "KeyType": "API_KEY", "UsagePlanId": { "Ref": id } });
    let link = format!("{prefix}UsagePlanKey");
    add(&link, "AWS::ApiGateway::UsagePlanKey", properties, &key, making);
}
