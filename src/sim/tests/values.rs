//! Where values come from: SSM parameters, dynamic references, exports.

use crate::sim::Phase;
use crate::sim::tests::{World, error, fault, key, parameter, world};

const SHARED: &str = r#"
Parameters: { Zones: { Type: String, Default: "a,b , c" } }
Resources:
  List: { Type: AWS::SSM::Parameter, Properties: { Name: /list, Type: StringList, Value: !Ref Zones } }
  Word: { Type: AWS::SSM::Parameter, Properties: { Name: /word, Type: String, Value: first } }
"#;

impl World {
    /// The properties of the resource `T` of a stack.
    fn properties(&self, stack: &str) -> serde_json::Value {
        let view = self.cloud.console().stack(&key(stack)).expect("cloud").expect("stack");
        serde_json::from_str(&view.resources["T"].properties).expect("JSON")
    }

    async fn refused_with(&self, name: &str, template: &str) -> String {
        let call = self.aws.create_stack().stack_name(name).template_body(template);
        error(call.send().await.expect_err("it is refused")).1
    }
}

fn topic(value: &str) -> String {
    format!(
        "Resources: {{ T: {{ Type: AWS::SNS::Topic, Properties: {{ DisplayName: {value} }} }} }}"
    )
}

#[tokio::test(start_paused = true)]
async fn a_parameter_of_an_ssm_type_holds_what_the_parameter_holds() {
    let world = world().await;
    world.created("shared", SHARED).await;
    for kind in ["List<String>", "CommaDelimitedList"] {
        let name = format!("reader-{}", kind.len());
        let template = format!(
            "Parameters: {{ P: {{ Type: 'AWS::SSM::Parameter::Value<{kind}>', Default: /list }} }}\n{}",
            topic("!Join ['+', !Ref P]")
        );
        world.created(&name, &template).await;
        assert_eq!(world.properties(&name)["DisplayName"], "a+b+c");
        let shown = &world.describe(&name).await.parameters()[0].clone();
        assert_eq!(shown.parameter_value(), Some("/list"), "its name");
        assert_eq!(shown.resolved_value(), Some("a,b , c"), "its value");
    }
    let template = format!(
        "Parameters: {{ P: {{ Type: 'AWS::SSM::Parameter::Value<String>', Default: /none }} }}\n{}",
        topic("!Ref P")
    );
    let message = world.refused_with("none", &template).await;
    let text = "Unable to fetch parameters [/none] from parameter store for this account.";
    assert_eq!(message, text);
}

#[tokio::test(start_paused = true)]
async fn a_dynamic_reference_is_filled_in_and_one_to_a_secret_is_not() {
    let world = world().await;
    world.created("shared", SHARED).await;
    let template = topic(r#"!Sub "<{{resolve:ssm:/${Part}}}>, {{resolve:ssm:/word:1}}""#);
    let template = format!("Parameters: {{ Part: {{ Type: String, Default: word }} }}\n{template}");
    world.created("reader", &template).await;
    assert_eq!(world.properties("reader")["DisplayName"], "<first>, first");
    let secret = "{{resolve:secretsmanager:db:SecretString:password}}";
    world.created("secret", &topic(&format!("'{secret}'"))).await;
    assert_eq!(world.properties("secret")["DisplayName"], secret);
    for (reference, text) in [
        ("{{resolve:ssm:/none}}", "Parameters: [ssm:/none] cannot be found."),
        ("{{resolve:ssm:/word:2}}", "Parameters: [ssm:/word:2] cannot be found."),
        (
            "{{resolve:ssm:/a b}}",
            "Incorrect format is used in the following SSM reference: [{{resolve:ssm:/a b}}]",
        ),
    ] {
        assert_eq!(world.refused_with("refused", &topic(&format!("'{reference}'"))).await, text);
    }
    assert!(world.cloud.refused().is_empty());
    let changed = SHARED.replace("first", "second");
    world.cloud.console().update_template(&key("shared"), &changed).expect("updated");
    world.pass(60).await;
    let older = world.refused_with("refused", &topic("'{{resolve:ssm:/word:1}}'")).await;
    assert!(older.contains("versions of an SSM parameter"), "{older}");
    let latest = topic("'{{resolve:ssm:/word}}'");
    world.created("latest", &latest).await;
    assert_eq!(world.properties("latest")["DisplayName"], "second");
}

const EXPORTER: &str = r#"
Parameters: { Word: { Type: String, Default: a } }
Resources: { T: { Type: AWS::SNS::Topic } }
Outputs:
  O: { Value: !Ref Word, Export: { Name: shared-word } }
"#;

#[tokio::test(start_paused = true)]
async fn an_export_can_neither_change_nor_go_while_it_is_imported() {
    let world = world().await;
    world.created("exporter", EXPORTER).await;
    world.created("importer", &topic("!ImportValue shared-word")).await;
    assert_eq!(world.properties("importer")["DisplayName"], "a");
    let update = |call: aws_sdk_cloudformation::operation::update_stack::builders::UpdateStackFluentBuilder| async {
        call.stack_name("exporter").send().await.expect("AWS takes the call");
        world.pass(120).await;
        assert_eq!(world.status("exporter").await, "UPDATE_ROLLBACK_COMPLETE");
        let events = world.events("exporter").await;
        let line = events.into_iter().rfind(|line| line.contains("exporter UPDATE_ROLLBACK_IN_PROGRESS"));
        line.unwrap_or_default()
    };
    let call = world.aws.update_stack().use_previous_template(true);
    let line = update(call.parameters(parameter("Word", "b"))).await;
    let text = "Export shared-word cannot be updated as it is in use by importer";
    assert!(line.ends_with(text), "{line}");
    let without = EXPORTER.split("Outputs:").next().expect("a template");
    let line = update(world.aws.update_stack().template_body(without)).await;
    let text = "Export shared-word cannot be deleted as it is in use by importer";
    assert!(line.ends_with(text), "{line}");
    world.aws.delete_stack().stack_name("importer").send().await.expect("deleted");
    world.pass(60).await;
    world
        .aws
        .update_stack()
        .stack_name("exporter")
        .template_body(without)
        .send()
        .await
        .expect("now");
    world.pass(60).await;
    assert_eq!(world.status("exporter").await, "UPDATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn an_export_has_one_owner_and_must_exist() {
    let world = world().await;
    world.created("exporter", EXPORTER).await;
    world.created("twin", EXPORTER).await;
    assert_eq!(world.status("twin").await, "ROLLBACK_COMPLETE");
    let events = world.events("twin").await;
    let text = "Export with name shared-word is already exported by stack exporter.";
    assert!(events.iter().any(|line| line.contains(text)), "{events:#?}");
    world.created("importer", &topic("!ImportValue nobody")).await;
    let events = world.events("importer").await;
    assert!(
        events.iter().any(|line| line.contains("No export named nobody found.")),
        "{events:#?}"
    );
    assert_eq!(world.status("importer").await, "ROLLBACK_COMPLETE");
    world.cloud.script().resource(fault("T", Phase::Change, Some(1)));
    let failing = EXPORTER.replace("shared-word", "late");
    world.created("failing", &failing).await;
    world.created("other", &failing).await;
    assert_eq!(world.status("other").await, "CREATE_COMPLETE", "a failed creation exports nothing");
}
