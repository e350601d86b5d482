//! Templates with SAM and with loops: what is made, and what AWS wants to be told first.

use aws_sdk_cloudformation::types::{Capability, ChangeSetType, TemplateStage};

use crate::sim::tests::{World, error, parameter, world};
use crate::template::Template;

const SAM: &str = "
Transform: AWS::Serverless-2016-10-31
Globals: { Function: { Runtime: nodejs22.x, Handler: index.handle, InlineCode: a } }
Resources:
  Items: { Type: AWS::Serverless::SimpleTable }
  Scan:
    Type: AWS::Serverless::Function
    Properties:
      AutoPublishAlias: live
      FunctionUrlConfig: { AuthType: NONE }
      Events:
        Get: { Type: Api, Properties: { Path: /, Method: get } }
        Http: { Type: HttpApi, Properties: { Path: /, Method: get } }
        Tick: { Type: Schedule, Properties: { Schedule: rate(1 day) } }
        Later: { Type: ScheduleV2, Properties: { ScheduleExpression: rate(1 day) } }
        Queue: { Type: SQS, Properties: { Queue: !GetAtt Jobs.Arn } }
  Flow:
    Type: AWS::Serverless::StateMachine
    Properties: { AutoPublishAlias: live, Definition: { StartAt: A } }
  Jobs: { Type: AWS::SQS::Queue }
Outputs:
  Alias: { Value: !Ref Scan.Alias }
  Stage: { Value: !Ref ServerlessRestApi.Stage }
";

const LOOPS: &str = "
Transform: AWS::LanguageExtensions
Parameters: { Names: { Type: CommaDelimitedList, Default: 'A,B' } }
Resources:
  Fn::ForEach::Queues:
    - Name
    - !Ref Names
    - 'Queue${Name}': { Type: AWS::SQS::Queue, Properties: { QueueName: !Sub 'jobs-${Name}' } }
Outputs:
  Count: { Value: { Fn::Length: !Ref Names } }
  Text: { Value: { Fn::ToJsonString: { Region: !Ref 'AWS::Region' } } }
";

impl World {
    async fn expanded(&self, name: &str, template: &str) {
        let call = self.aws.create_stack().stack_name(name).template_body(template);
        let call = call.capabilities(Capability::CapabilityIam);
        let call = call.capabilities(Capability::CapabilityAutoExpand);
        call.send().await.expect("the stack is created");
        self.pass(900).await;
        assert_eq!(self.status(name).await, "CREATE_COMPLETE");
    }

    async fn resource_types(&self, name: &str) -> Vec<(String, String)> {
        let call = self.aws.list_stack_resources().stack_name(name);
        let answer = call.send().await.expect("the stack exists");
        let text = |text: Option<&str>| text.expect("a text").to_owned();
        let all = answer.stack_resource_summaries().iter();
        let mut all: Vec<_> =
            all.map(|one| (text(one.logical_resource_id()), text(one.resource_type()))).collect();
        all.sort();
        all
    }

    async fn output(&self, name: &str, key: &str) -> String {
        let stack = self.describe(name).await;
        let output = stack.outputs().iter().find(|one| one.output_key() == Some(key));
        output.and_then(|one| one.output_value()).expect("an output").to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_stack_has_the_resources_that_sam_makes() {
    let world = world().await;
    world.expanded("scan", SAM).await;
    let made = world.resource_types("scan").await;
    for (id, kind) in [
        ("Flow", "AWS::StepFunctions::StateMachine"),
        ("FlowAliaslive", "AWS::StepFunctions::StateMachineAlias"),
        ("FlowRole", "AWS::IAM::Role"),
        ("Items", "AWS::DynamoDB::Table"),
        ("Scan", "AWS::Lambda::Function"),
        ("ScanAliaslive", "AWS::Lambda::Alias"),
        ("ScanGetPermissionProd", "AWS::Lambda::Permission"),
        ("ScanLater", "AWS::Scheduler::Schedule"),
        ("ScanQueue", "AWS::Lambda::EventSourceMapping"),
        ("ScanRole", "AWS::IAM::Role"),
        ("ScanTick", "AWS::Events::Rule"),
        ("ScanUrl", "AWS::Lambda::Url"),
        ("ServerlessHttpApi", "AWS::ApiGatewayV2::Api"),
        ("ServerlessRestApi", "AWS::ApiGateway::RestApi"),
        ("ServerlessRestApiProdStage", "AWS::ApiGateway::Stage"),
    ] {
        assert!(made.contains(&(id.to_owned(), kind.to_owned())), "{id} in {made:#?}");
    }
    assert!(world.output("scan", "Alias").await.contains(":function:"));
    assert_eq!(world.output("scan", "Stage").await, "Prod");
    assert!(world.cloud.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_template_is_kept_as_written_and_shown_as_made() {
    let world = world().await;
    world.expanded("scan", SAM).await;
    for (stage, is_made) in [(TemplateStage::Original, false), (TemplateStage::Processed, true)] {
        let call = world.aws.get_template().stack_name("scan").template_stage(stage);
        let text = call.send().await.expect("a template").template_body().expect("it").to_owned();
        let template = Template::parse(&text).expect("a template");
        assert_eq!(template.transforms().is_empty(), is_made);
        assert_eq!(text == SAM, !is_made);
        assert_eq!(template.resources().contains_key("ScanRole"), is_made);
    }
}

#[tokio::test(start_paused = true)]
async fn macros_want_a_capability_but_in_a_change_set() {
    let world = world().await;
    for (template, given, missing) in [
        (SAM, vec![], "CAPABILITY_AUTO_EXPAND"),
        (SAM, vec![Capability::CapabilityIam], "CAPABILITY_AUTO_EXPAND"),
        (SAM, vec![Capability::CapabilityAutoExpand], "CAPABILITY_IAM"),
        (LOOPS, vec![], "CAPABILITY_AUTO_EXPAND"),
    ] {
        let call = world.aws.create_stack().stack_name("refused").template_body(template);
        let call = call.set_capabilities(Some(given)).send().await;
        let expected = format!("Requires capabilities : [{missing}]");
        let refused = error(call.expect_err("a capability is missing"));
        assert_eq!(refused, ("InsufficientCapabilitiesException".to_owned(), expected));
    }
    world.change_set("scan", "first", ChangeSetType::Create, SAM).await;
    world.pass(60).await;
    let changes = world.described("scan", "first").await;
    let ids = changes.changes().iter().filter_map(|one| one.resource_change());
    assert!(ids.into_iter().any(|one| one.logical_resource_id() == Some("ScanRole")));
    world.execute("scan", "first").await.expect("it is executed");
    world.pass(900).await;
    assert_eq!(world.status("scan").await, "CREATE_COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn loops_make_what_the_parameters_say() {
    let world = world().await;
    world.expanded("jobs", LOOPS).await;
    let queue = |id: &str| (id.to_owned(), "AWS::SQS::Queue".to_owned());
    assert_eq!(world.resource_types("jobs").await, [queue("QueueA"), queue("QueueB")]);
    assert_eq!(world.output("jobs", "Count").await, "2");
    assert_eq!(world.output("jobs", "Text").await, "{\"Region\":\"eu-central-1\"}");
    let call = world.aws.update_stack().stack_name("jobs").use_previous_template(true);
    let call = call.capabilities(Capability::CapabilityAutoExpand);
    call.parameters(parameter("Names", "B,C")).send().await.expect("updated");
    world.pass(300).await;
    assert_eq!(world.resource_types("jobs").await, [queue("QueueB"), queue("QueueC")]);
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_function_of_sam_is_a_change_of_what_is_made_of_it() {
    let world = world().await;
    world.expanded("scan", SAM).await;
    let changed = SAM.replace("FunctionUrlConfig: { AuthType: NONE }", "MemorySize: 512");
    world.change_set("scan", "next", ChangeSetType::Update, &changed).await;
    world.pass(60).await;
    let set = world.described("scan", "next").await;
    let changes = set.changes().iter().filter_map(|one| one.resource_change());
    let changes: Vec<(String, String)> = changes
        .filter_map(|one| {
            Some((one.logical_resource_id()?.to_owned(), one.action()?.as_str().to_owned()))
        })
        .collect();
    let changed = |id: &str, action: &str| changes.contains(&(id.to_owned(), action.to_owned()));
    assert!(changed("Scan", "Modify") && changed("ScanUrl", "Remove"), "{changes:?}");
    assert!(!changed("Items", "Modify"), "{changes:?}");
}

#[tokio::test(start_paused = true)]
async fn what_sam_makes_of_a_type_that_is_not_known_is_refused_loudly() {
    let world = world().await;
    let template = "Transform: AWS::Serverless-2016-10-31
Resources: { G: { Type: AWS::Serverless::GraphQLApi } }";
    let call = world.aws.create_stack().stack_name("refused").template_body(template);
    let call = call.capabilities(Capability::CapabilityAutoExpand).send().await;
    let (code, message) = error(call.expect_err("it is not simulated"));
    assert_eq!(code, "NotSimulated", "{message}");
    assert!(message.contains("AWS::Serverless::GraphQLApi"), "{message}");
    assert_eq!(world.cloud.refused().len(), 1);
}
