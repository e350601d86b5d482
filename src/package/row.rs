//! The properties that may hold a local path, as `aws cloudformation package` and `sam package` know
//! them.

use Form::{Parts, Template, Url};

/// How a place in a bucket is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `s3://BUCKET/KEY`
    Url,
    /// A map with the bucket and the key under these names, and the version of the object under the
    /// third, where it has one.
    Parts {
        /// The property that names the bucket.
        bucket: &'static str,
        /// The property that names the object in it.
        key: &'static str,
        /// The property that names its version.
        version: Option<&'static str>,
    },
    /// The address over https of a template, which is packaged itself.
    Template,
}

/// One property of one type.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The type of the resource.
    pub kind: &'static str,
    /// The property, below others where it is in one; `*` is each of a map.
    pub property: &'static [&'static str],
    /// How the place is written.
    pub form: Form,
    /// Whether a single file is zipped, unless it is a zip.
    pub is_zipped: bool,
}

const fn row(kind: &'static str, property: &'static [&'static str], form: Form) -> Row {
    Row { kind, property, form, is_zipped: false }
}

const fn zipped(kind: &'static str, property: &'static [&'static str], form: Form) -> Row {
    Row { kind, property, form, is_zipped: true }
}

/// As Lambda and Elastic Beanstalk call the parts.
const S3_PARTS: Form = Parts { bucket: "S3Bucket", key: "S3Key", version: Some("S3ObjectVersion") };
const PARTS: Form = Parts { bucket: "Bucket", key: "Key", version: Some("Version") };

/// All of them. Those of modules, HttpApi, GraphQLApi and the code of AppSync are SAM's, the others are the
/// AWS CLI's. One thing is not as there: where nothing is said, or an empty text, both take the folder of the
/// template for the code of a function, and that is an error here.
pub const ROWS: &[Row] = &[
    row("AWS::ApiGateway::RestApi", &["BodyS3Location"], PARTS),
    row("AWS::AppSync::FunctionConfiguration", &["CodeS3Location"], Url),
    row("AWS::AppSync::FunctionConfiguration", &["RequestMappingTemplateS3Location"], Url),
    row("AWS::AppSync::FunctionConfiguration", &["ResponseMappingTemplateS3Location"], Url),
    row("AWS::AppSync::GraphQLSchema", &["DefinitionS3Location"], Url),
    row("AWS::AppSync::Resolver", &["CodeS3Location"], Url),
    row("AWS::AppSync::Resolver", &["RequestMappingTemplateS3Location"], Url),
    row("AWS::AppSync::Resolver", &["ResponseMappingTemplateS3Location"], Url),
    row("AWS::CloudFormation::ModuleVersion", &["ModulePackage"], Url),
    row("AWS::CloudFormation::ResourceVersion", &["SchemaHandlerPackage"], Url),
    row("AWS::CloudFormation::Stack", &["TemplateURL"], Template),
    zipped(
        "AWS::CodeCommit::Repository",
        &["Code", "S3"],
        Parts { bucket: "Bucket", key: "Key", version: Some("ObjectVersion") },
    ),
    row(
        "AWS::ElasticBeanstalk::ApplicationVersion",
        &["SourceBundle"],
        Parts { bucket: "S3Bucket", key: "S3Key", version: None },
    ),
    row("AWS::Glue::Job", &["Command", "ScriptLocation"], Url),
    zipped("AWS::Lambda::Function", &["Code"], S3_PARTS),
    zipped("AWS::Lambda::LayerVersion", &["Content"], S3_PARTS),
    row("AWS::Serverless::Api", &["DefinitionUri"], Url),
    row("AWS::Serverless::Application", &["Location"], Template),
    zipped("AWS::Serverless::Function", &["CodeUri"], Url),
    row("AWS::Serverless::GraphQLApi", &["Functions", "*", "CodeUri"], Url),
    row("AWS::Serverless::GraphQLApi", &["Resolvers", "*", "*", "CodeUri"], Url),
    row("AWS::Serverless::GraphQLApi", &["SchemaUri"], Url),
    row("AWS::Serverless::HttpApi", &["DefinitionUri"], Url),
    zipped("AWS::Serverless::LayerVersion", &["ContentUri"], Url),
    row("AWS::Serverless::StateMachine", &["DefinitionUri"], PARTS),
    row("AWS::StepFunctions::StateMachine", &["DefinitionS3Location"], PARTS),
];

/// Those of the section `Metadata`.
pub(super) const METADATA: &[Row] = &[
    row("AWS::ServerlessRepo::Application", &["LicenseUrl"], Url),
    row("AWS::ServerlessRepo::Application", &["ReadmeUrl"], Url),
];

/// What `AWS::Include` includes.
pub(super) const INCLUDE: Row = row("AWS::Include", &["Parameters", "Location"], Url);

/// No template of a StackSet is packaged: other accounts could not read what it points to.
pub(super) const STACK_SET: Row = row("AWS::CloudFormation::StackSet", &["TemplateURL"], Template);

/// A property that SAM lets one write once for all resources of a type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Global {
    /// What the section `Globals` calls the type.
    pub(super) section: &'static str,
    /// The property.
    pub(super) property: &'static str,
    /// The type of the resources.
    pub(super) kind: &'static str,
    /// What a resource says instead.
    pub(super) own: &'static [&'static str],
}

/// Those that hold local paths.
pub(super) const GLOBALS: [Global; 2] = [
    Global {
        section: "Function",
        property: "CodeUri",
        kind: "AWS::Serverless::Function",
        own: &["CodeUri", "InlineCode", "ImageUri"],
    },
    Global {
        section: "Api",
        property: "DefinitionUri",
        kind: "AWS::Serverless::Api",
        own: &["DefinitionUri", "DefinitionBody"],
    },
];

impl Row {
    /// Whether an empty text is a mistake: elsewhere the AWS CLI leaves it as it is.
    pub(super) fn is_needed(&self) -> bool {
        let is_bundle = self.kind == "AWS::ElasticBeanstalk::ApplicationVersion";
        self.is_code() || is_bundle || self.form == Template
    }

    /// Its property as a pointer, in which `path` may be: what a `*` is, that says.
    fn pointer(&self, path: &str) -> Option<String> {
        let mut said = path.strip_prefix("/Properties")?.split('/').skip(1);
        let parts = self.property.iter().map(|part| {
            let said = said.next()?;
            (*part == "*" || *part == said).then_some(said)
        });
        let parts: Option<Vec<&str>> = parts.collect();
        Some(format!("/Properties/{}", parts?.join("/")))
    }

    /// Whether Lambda runs what is there, and so limits it.
    pub(super) fn is_code(&self) -> bool {
        self.is_zipped && self.kind != "AWS::CodeCommit::Repository"
    }
}

/// The property that a JSON pointer below a resource's entry is in, as a pointer, where that says what a
/// resource is made of: code, a definition, a schema.
pub fn content_of(kind: &str, path: &str) -> Option<String> {
    let rows = ROWS.iter().filter(|row| row.kind == kind && row.form != Template);
    let mut pointers = rows.filter_map(|row| Some((row, row.pointer(path)?)));
    let (_, pointer) =
        pointers.find(|(row, pointer)| match (path.strip_prefix(pointer.as_str()), row.form) {
            (Some(""), _) => true,
            (Some(rest), Parts { bucket, key, version }) => {
                let parts = [Some(bucket), Some(key), version];
                parts.into_iter().flatten().any(|part| rest == format!("/{part}"))
            }
            (Some(_) | None, Url | Template | Parts { .. }) => false,
        })?;
    Some(pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_sorted_and_each_is_there_once() {
        let keys = ROWS.iter().map(|row| (row.kind, row.property));
        assert!(keys.is_sorted_by(|a, b| a < b));
    }
}
