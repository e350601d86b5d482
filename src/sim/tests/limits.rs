//! Quotas of templates, requests, stacks and accounts, in AWS's words.

use aws_sdk_cloudformation::types::ChangeSetType;

use crate::sim::CloudSettings;
use crate::sim::tests::{TEMPLATE, TOPIC, World, error, key, parameter, tag, world, world_with};

impl World {
    /// Code and text with which a creation is refused.
    async fn refusal(&self, template: &str) -> (String, String) {
        let call = self.aws.create_stack().stack_name("refused").template_body(template);
        error(call.send().await.expect_err("it is refused"))
    }

    async fn validation(&self, template: &str) -> String {
        let (code, message) = self.refusal(template).await;
        assert_eq!(code, "ValidationError", "{message}");
        message
    }
}

/// A template with so many entries in a section besides the one resource that it needs.
fn with(section: &str, count: usize, entry: &str) -> String {
    let mut text = String::from("Resources:\n  T: { Type: AWS::SNS::Topic }\n");
    if section != "Resources" {
        text += &format!("{section}:\n");
    }
    for index in 0..count {
        text += &format!("  X{index}: {entry}\n");
    }
    text
}

#[tokio::test(start_paused = true)]
async fn a_template_has_so_many_entries_and_not_one_more() {
    let world = world().await;
    let topic = "{ Type: AWS::SNS::Topic }";
    for (section, entry, most, what) in [
        ("Resources", topic, 499, "resources, 501"),
        ("Parameters", "{ Type: String, Default: x }", 200, "parameters, 201"),
        ("Outputs", "{ Value: x }", 200, "outputs, 201"),
        ("Mappings", "{ A: { B: c } }", 200, "mappings, 201"),
    ] {
        let message = world.validation(&with(section, most + 1, entry)).await;
        let text =
            format!("Template format error: Number of {what}, is greater than maximum allowed");
        assert!(message.starts_with(&text), "{message}");
        world.create(section, &with(section, most, entry)).await;
    }
    let attributes: String = (0..201).map(|index| format!("A{index}: {{ B: c }}, ")).collect();
    let message = world.validation(&with("Mappings", 1, &format!("{{ {attributes} }}"))).await;
    assert!(message.contains("mapping attributes, 201"), "{message}");
    let reference = "{ Type: String, Default: '{{resolve:secretsmanager:a}}' }";
    let message = world.validation(&with("Parameters", 61, reference)).await;
    assert!(message.contains("dynamic references, 61"), "{message}");
    let described = format!("Description: {}\n{}", "x".repeat(1_025), with("Outputs", 0, ""));
    let message = world.validation(&described.replace("Outputs:\n", "")).await;
    assert_eq!(message, "Template format error: 'Description' length is greater than 1024.");
    let large = format!("# {}\n{TOPIC}", "x".repeat(51_200));
    assert!(world.validation(&large).await.contains("less than or equal to 51200"));
    assert!(world.cloud.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn names_in_a_template_are_alphanumeric_and_point_to_something() {
    let world = world().await;
    let resource = |id: &str, rest: &str| {
        format!("{{Resources: {{{id}: {{Type: 'AWS::SNS::Topic'{rest}}}}}}}")
    };
    for (template, text) in [
        (resource("A_b", ""), "Resource name A_b is non alphanumeric."),
        (
            resource("A", ", DependsOn: B"),
            "Unresolved resource dependencies [B] in the Resources block of the template",
        ),
        (
            resource("A", ", Properties: {TopicName: {'Fn::Sub': ['${X}${Y}', {X: 1}]}}"),
            "Unresolved resource dependencies [Y] in the Resources block of the template",
        ),
        (
            "{Conditions: {No: {'Fn::Equals': [a, b]}}, Resources: {A: {Type: 'AWS::SNS::Topic', \
             Properties: {TopicName: {'Fn::If': [No, {Ref: Gone}, x]}}}}}"
                .to_owned(),
            "Unresolved resource dependencies [Gone] in the Resources block of the template",
        ),
        (
            "{Conditions: {Unused: {'Fn::Equals': [{Ref: A}, b]}}, Resources: {A: {Type: \
             'AWS::SNS::Topic'}}}"
                .to_owned(),
            "Unresolved resource dependencies [A] in the Conditions block of the template",
        ),
        (
            "{Parameters: {P: {Type: Text}}, Resources: {A: {Type: 'AWS::SNS::Topic'}}}".to_owned(),
            "Unrecognized parameter type: Text",
        ),
        (
            resource("A", ", DeletionPolicy: Keep"),
            "Unrecognized DeletionPolicy \"Keep\" for resource A",
        ),
    ] {
        let message = world.validation(&template).await;
        assert_eq!(message, format!("Template format error: {text}"));
    }
    let literal =
        resource("A", ", Properties: {DisplayName: {'Fn::Sub': '${!Literal} ${A.TopicName}'}}");
    assert!(world.validation(&literal).await.contains("Circular dependency"), "its own name");
    world.create("literal", &literal.replace(" ${A.TopicName}", "")).await;
    assert!(world.cloud.refused().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_simulated_in_a_template_is_refused_by_name() {
    let world = world().await;
    let properties = |text: &str| {
        format!("{{Resources: {{A: {{Type: 'AWS::SNS::Topic', Properties: {{{text}}}}}}}}}")
    };
    for (template, name) in [
        (properties("TopicName: {'Fn::Length': [1]}"), "the function `Fn::Length`"),
        (
            "{Conditions: {No: {'Fn::Equals': [a, b]}}, Resources: {A: {Type: 'AWS::SNS::Topic', \
             Properties: {TopicName: {'Fn::If': [No, {'Fn::Cidr': [a, 1, 1]}, x]}}}}}"
                .to_owned(),
            "the function `Fn::Cidr`",
        ),
        (
            TOPIC.replace("{Resources: {", "{Resources: {'Fn::ForEach::X': [], "),
            "the function `Fn::ForEach::X`",
        ),
        (TOPIC.replace("{Resources", "{Transform: A, Resources"), "the macro `A`"),
        (TOPIC.replace("'}", "', CreationPolicy: {}}"), "the attribute `CreationPolicy`"),
        (TOPIC.replace("'}", "', DeletionPolicy: Snapshot}"), "DeletionPolicy `Snapshot`"),
        (
            TOPIC.replace("{Resources", "{Parameters: {P: {Type: 'AWS::EC2::VPC::Id'}}, Resources"),
            "the parameter type `AWS::EC2::VPC::Id`",
        ),
        (properties("TopicName: '{{resolve:vault:a}}'"), "the dynamic reference to `vault`"),
    ] {
        let (code, message) = world.refusal(&template).await;
        assert_eq!(code, "NotSimulated", "{message}");
        assert!(message.contains(name), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn members_of_a_request_have_their_forms() {
    let world = world().await;
    let create = |name: &str| world.aws.create_stack().stack_name(name).template_body(TOPIC);
    for name in ["1st", "a_b", "ä", &"x".repeat(129)] {
        let (code, message) = error(create(name).send().await.expect_err(name));
        assert_eq!(code, "ValidationError");
        assert!(message.contains("at 'stackName' failed to satisfy constraint"), "{message}");
    }
    create(&"x".repeat(128)).send().await.expect("the longest name");
    for (call, member) in [
        (create("a").client_request_token("not a token"), "clientRequestToken"),
        (create("a").client_request_token("t".repeat(129)), "clientRequestToken"),
        (create("a").capabilities("CAPABILITY_ANY".into()), "capabilities"),
        (create("a").tags(tag(&"k".repeat(129), "v")), "tags"),
        (create("a").tags(tag("k", &"v".repeat(257))), "tags"),
        (create("a").stack_policy_body("x".repeat(16_385)), "stackPolicyBody"),
    ] {
        let (code, message) = error(call.send().await.expect_err(member));
        assert_eq!(code, "ValidationError");
        assert!(message.contains(&format!("at '{member}' failed")), "{message}");
    }
    let invalid = create("a").stack_policy_body("{}").send().await;
    assert!(
        error(invalid.expect_err("no statement")).1.starts_with("Error validating stack policy")
    );
    let tags = |count: usize| (0..count).map(|index| tag(&format!("k{index}"), "v")).collect();
    let (_, message) = error(create("a").set_tags(Some(tags(51))).send().await.expect_err("51"));
    assert!(message.contains("less than or equal to 50"), "{message}");
    create("a").set_tags(Some(tags(50))).send().await.expect("50");
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_breaks_its_constraint_is_told_so() {
    let world = world().await;
    for (constraint, value, text) in [
        ("AllowedValues: [a, b]", "c", "must be one of AllowedValues"),
        ("AllowedPattern: '[a-z]+'", "1", "must match pattern [a-z]+"),
        ("MinLength: 2", "x", "must contain at least 2 characters"),
        ("MaxLength: 2", "xxx", "must contain at most 2 characters"),
        (
            "MaxLength: 2, ConstraintDescription: be brief",
            "xxx",
            "failed to satisfy constraint: be brief",
        ),
    ] {
        let text = format!("Parameter 'P' {text}");
        assert_eq!(world.broken(&format!("Type: String, {constraint}"), value).await, text);
    }
    for (constraint, value, text) in [
        ("Type: Number", "x", "must be a number"),
        ("Type: Number, MinValue: 2", "1", "must be a number not less than 2"),
        ("Type: Number, MaxValue: 2", "3", "must be a number not greater than 2"),
    ] {
        assert_eq!(world.broken(constraint, value).await, format!("Parameter 'P' {text}"));
    }
    let (most, over) = ("ä".repeat(2_048), "x".repeat(4_097));
    assert!(world.broken("Type: String", &over).await.contains("4096"));
    let template = TOPIC.replace("{Resources", "{Parameters: {P: {Type: String}}, Resources");
    let call = world.aws.create_stack().stack_name("most").template_body(template);
    call.parameters(parameter("P", &most)).send().await.expect("4,096 bytes");
    let secret = world.broken("Type: String, NoEcho: true, MaxLength: 2", "hidden").await;
    assert!(!secret.contains("hidden"), "{secret}");
}

impl World {
    /// The text with which the value of a parameter `P` is refused.
    async fn broken(&self, declaration: &str, value: &str) -> String {
        let parameters = format!("{{Parameters: {{P: {{{declaration}}}}}, Resources");
        let template = TOPIC.replace("{Resources", &parameters);
        let call = self.aws.create_stack().stack_name("refused").template_body(template);
        error(call.parameters(parameter("P", value)).send().await.expect_err("it is refused")).1
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_has_so_many_stacks_shells_included_and_deleted_ones_not() {
    let settings = CloudSettings { stack_limit: 3, ..CloudSettings::default() };
    let world = world_with(settings).await;
    world.created("one", TOPIC).await;
    world.created("two", TOPIC).await;
    world.change_set("shell", "first", ChangeSetType::Create, TEMPLATE).await;
    let exceeded =
        ("LimitExceededException".to_owned(), "Limit for stack has been exceeded".to_owned());
    assert_eq!(world.refusal(TOPIC).await, exceeded);
    let call = world.aws.create_change_set().stack_name("another").change_set_name("first");
    let call = call.change_set_type(ChangeSetType::Create).template_body(TOPIC);
    assert_eq!(error(call.send().await.expect_err("a shell is a stack")), exceeded);
    world.cloud.console().delete_stack(&key("one")).expect("deleted");
    assert_eq!(world.refusal(TOPIC).await, exceeded, "it is going, not gone");
    world.pass(60).await;
    world.created("three", TOPIC).await;
    let limits = world.aws.describe_account_limits().send().await.expect("limits");
    let limit = limits.account_limits().iter().find(|limit| limit.name() == Some("StackLimit"));
    assert_eq!(limit.and_then(|limit| limit.value()), Some(3));
    assert_eq!(CloudSettings::default().stack_limit, 2_000);
}

#[tokio::test(start_paused = true)]
async fn change_sets_pile_up_until_there_are_a_thousand() {
    let world = world().await;
    world.created("one", TOPIC).await;
    let create = |name: String| {
        let call = world.aws.create_change_set().stack_name("one").change_set_name(name);
        call.template_body(TOPIC).send()
    };
    for index in 0..1_000 {
        create(format!("set-{index}")).await.expect("a change set, although nothing changes");
    }
    let (code, message) = error(create("last".to_owned()).await.expect_err("one too many"));
    assert_eq!(code, "LimitExceededException");
    assert!(message.starts_with("ChangeSet limit exceeded for stack arn:aws:"), "{message}");
    world.pass(5).await;
    let delete = world.aws.delete_change_set().stack_name("one").change_set_name("set-0");
    delete.send().await.expect("deleted");
    create("last".to_owned()).await.expect("there is room again");
}
