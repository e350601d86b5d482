//! JSON Schemas of the documents, so that editors complete and check them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde_json::{Value, json};

use crate::fleet::build_outputs::ContentDigest;
use crate::fleet::channel::{
    Address, Chat, ChatSpec, DigestLength, Secret, SecretSpec, Webhook, WebhookSpec,
};
use crate::fleet::document::{
    Capability, Dependency, DependencySpec, FleetDocument, FleetRegion, Length, ParameterValue,
    ProtectedTypes, RegionChoice, RegionSpec, ServiceDocument, TenantDocument, WindowLength,
};
use crate::fleet::freeze::{Pattern, Zone};
use crate::fleet::{Money, Text};
use crate::ids::{AccountId, DocumentName, Region};
use crate::package::BuiltAt;

/// The schema of each kind (JSON Schema draft 2020-12, with a newline at the end) by file name.
pub fn schemas() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("fleet.json", schema::<FleetDocument>("Fleet")),
        ("tenant.json", schema::<TenantDocument>("Tenant")),
        ("service.json", schema::<ServiceDocument>("Service")),
    ])
}

fn schema<T: JsonSchema>(kind: &str) -> String {
    let settings = SchemaSettings::draft2020_12().with_transform(NothingIsNull);
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".into(), kind.into());
    if let Some(field) = schema.pointer_mut("/properties/kind") {
        *field = json!({ "const": kind, "description": format!("Always `{kind}`.") });
    }
    format!("{:#}\n", schema.to_value())
}

/// A field that may be left out may still not be null.
#[derive(Clone)]
struct NothingIsNull;

impl Transform for NothingIsNull {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::Array(types)) = schema.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                schema.insert("type".into(), only);
            }
        }
        if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
            choices.retain(|choice| choice != &json!({ "type": "null" }));
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                schema.remove("anyOf");
                for (key, value) in only {
                    schema.ensure_object().entry(key).or_insert(value);
                }
            }
        }
        transform_subschemas(self, schema);
    }
}

macro_rules! inline_schemas {
    ($($name:ty => |$generator:pat_param| $schema:expr;)*) => {$(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

inline_schemas! {
    AccountId => |_| json_schema!({ "type": "string", "pattern": "^[0-9]{12}$" });
    Region => |_| json_schema!({ "type": "string", "pattern": "^[a-z]+(-[a-z]+){1,3}-[1-9]$" });
    DocumentName => |_| json_schema!({
        "type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
    });
    Money => |_| json_schema!({ "type": "number", "minimum": 0 });
    Text => |_| json_schema!({ "type": "string" });
    ParameterValue => |_| json_schema!({
        "type": ["string", "number", "boolean", "array"],
        "items": { "type": ["string", "number", "boolean"] }
    });
    Length => |_| json_schema!({ "type": "string", "pattern": "^[0-9]+[smhd]$" });
    WindowLength => |_| json_schema!({ "type": "string", "pattern": "^[0-9]+[smhd]$" });
    DigestLength => |_| json_schema!({ "type": "string", "pattern": "^[0-9]+[smhd]$" });
    Chat => |generator| generator.subschema_for::<ChatSpec>();
    Webhook => |generator| generator.subschema_for::<WebhookSpec>();
    Secret => |generator| generator.subschema_for::<SecretSpec>();
    Address => |generator| json_schema!({
        "anyOf": [
            { "type": "string", "pattern": "^https?://" },
            generator.subschema_for::<SecretSpec>()
        ]
    });
    Pattern => |_| json_schema!({
        "type": "string", "pattern": "^ *[^ ]+( +[^ ]+){4} *$", "examples": ["0 18 * * FRI"]
    });
    BuiltAt => |_| json_schema!({
        "type": "string", "pattern": "^(s3://[^/]+/.+|file:.+)$"
    });
    ContentDigest => |_| json_schema!({ "type": "string", "pattern": "^sha256:[0-9a-fA-F]{64}$" });
    Zone => |_| json_schema!({ "type": "string", "examples": ["Europe/Berlin"] });
    RegionChoice => |generator| json_schema!({
        "anyOf": [
            { "enum": ["tenant", "home"] },
            generator.subschema_for::<Vec<Region>>()
        ]
    });
    Dependency => |generator| json_schema!({
        "anyOf": [
            generator.subschema_for::<DocumentName>(),
            generator.subschema_for::<DependencySpec>()
        ]
    });
    FleetRegion => |generator| json_schema!({
        "anyOf": [generator.subschema_for::<Region>(), generator.subschema_for::<RegionSpec>()]
    });
    ProtectedTypes => |_| json_schema!({
        "anyOf": [
            { "const": "default" },
            { "type": "array", "items": {
                "type": "string", "pattern": "^(default|[A-Za-z0-9]+(::[A-Za-z0-9_@-]+)+)$"
            } }
        ]
    });
    Capability => |_| json_schema!({
        "enum": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_schema_that_forbids_unknown_fields_and_null() {
        let schemas = schemas();
        assert_eq!(
            schemas.keys().copied().collect::<Vec<_>>(),
            ["fleet.json", "service.json", "tenant.json"]
        );
        for (file, text) in schemas {
            let schema: Value = serde_json::from_str(&text).expect(file);
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            assert_eq!(schema["additionalProperties"], false, "{file}");
            assert!(!text.contains("\"null\""), "{file}: {text}");
        }
    }

    #[test]
    fn descriptions_are_the_comments_of_the_fields() {
        let schema: Value = serde_json::from_str(&schemas()["tenant.json"]).expect("json");
        let spec = &schema["$defs"]["TenantSpec"];
        assert_eq!(spec["required"], json!(["account", "regions"]));
        insta::assert_snapshot!(spec["properties"]["account"], @r#"{"description":"The twelve digits of the account that the tenant owns, quoted.","pattern":"^[0-9]{12}$","type":"string"}"#);
        insta::assert_snapshot!(spec["properties"]["lifecycle"]["description"], @r#""`active`, `inactive` (still converged) or `offboarded` (its stacks are deleted).""#);
    }
}
