//! `Events` of a function: what calls it, under the logical ids that SAM gives.

mod calls;

use serde_json::{Map, Value, json};

use crate::template::transform::sam::Making;
use crate::template::transform::sam::function::Target;
use crate::template::transform::sam::role::{self, SERVICE_ROLE};
use crate::template::transform::sam::source::Source;

/// Managed policies and others of a role.
type Policies = (Vec<Value>, Vec<Value>);

/// What Lambda polls: the type of the event, the property with its place, and the managed policy that
/// lets a role do it.
const POLLED: [(&str, &str, &str); 7] = [
    ("DocumentDB", "Cluster", ""),
    ("DynamoDB", "Stream", "AWSLambdaDynamoDBExecutionRole"),
    ("Kinesis", "Stream", "AWSLambdaKinesisExecutionRole"),
    ("MQ", "Broker", ""),
    ("MSK", "Stream", "AWSLambdaMSKExecutionRole"),
    ("SQS", "Queue", "AWSLambdaSQSQueueExecutionRole"),
    ("SelfManagedKafka", "", ""),
];

/// One event of one function.
struct Event<'a> {
    source: &'a Source,
    target: &'a Target,
    /// `<Function><Event>`.
    id: String,
    properties: Map<String, Value>,
}

/// Makes what the events of a function need; policies that the role needs come behind the others.
pub(super) fn make(
    source: &Source,
    target: &Target,
    policies: &mut Policies,
    making: &mut Making<'_>,
) {
    let events = source.get("Events").and_then(Value::as_object);
    for (name, written) in events.into_iter().flatten() {
        let properties = written.get("Properties").and_then(Value::as_object);
        let event = Event {
            source,
            target,
            id: format!("{}{name}", source.id),
            properties: properties.cloned().unwrap_or_default(),
        };
        let kind = written.get("Type").and_then(Value::as_str).unwrap_or_default();
        if let Some((_, place, policy)) = POLLED.iter().find(|(polled, ..)| *polled == kind) {
            event.polled(place, making);
            event.policy(kind, policy, policies);
            continue;
        }
        match kind {
            "Api" => event.rest(making),
            "HttpApi" => event.http(making),
            "SNS" => event.topic(making),
            "Schedule" => event.schedule(making),
            "ScheduleV2" => event.scheduler(making),
            "EventBridgeRule" | "CloudWatchEvent" => event.rule(making),
            "CloudWatchLogs" => event.logs(making),
            "S3" => event.bucket(making),
            "Cognito" => event.user_pool(making),
            "IoTRule" => event.iot(making),
            "AlexaSkill" => event.permission("alexa-appkit.amazon.com", None, making),
            _ => making.say(
                source,
                format!(
                    "What SAM makes of the event `{name}` of `{}` is not known here.",
                    source.id
                ),
            ),
        }
    }
}

impl Event<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.properties.get(name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// The properties of these names, as they are.
    fn taken(&self, names: &[&str]) -> Map<String, Value> {
        let taken = |name: &&str| Some(((*name).to_owned(), self.get(name)?.clone()));
        names.iter().filter_map(taken).collect()
    }

    fn add(&self, id: &str, kind: &str, properties: Value, making: &mut Making<'_>) {
        making.add(self.source, id, kind, properties);
    }

    /// `<Function><Event>Permission`.
    fn permission(&self, principal: &str, from: Option<Value>, making: &mut Making<'_>) {
        let id = format!("{}Permission", self.id);
        self.permission_as(&id, principal, from, making);
    }

    fn permission_as(
        &self,
        id: &str,
        principal: &str,
        from: Option<Value>,
        making: &mut Making<'_>,
    ) {
        let mut properties = json!({
            "Action": "lambda:InvokeFunction",
            "FunctionName": self.target.name,
            "Principal": principal,
        });
        if let Some(from) = from {
            properties["SourceArn"] = from;
        }
        match principal {
            "s3.amazonaws.com" => properties["SourceAccount"] = json!({ "Ref": "AWS::AccountId" }),
            "iot.amazonaws.com" => {
                properties["SourceAccount"] = json!({ "Fn::Sub": "${AWS::AccountId}" });
            }
            _ => {}
        }
        self.add(id, "AWS::Lambda::Permission", properties, making);
    }

    fn polled(&self, place: &str, making: &mut Making<'_>) {
        let mut properties = self.properties.clone();
        if let Some(arn) = properties.remove(place) {
            properties.insert("EventSourceArn".to_owned(), arn);
        }
        properties.insert("FunctionName".to_owned(), self.target.name.clone());
        let kind = "AWS::Lambda::EventSourceMapping";
        self.add(&self.id, kind, Value::Object(properties), making);
    }

    fn policy(&self, kind: &str, managed: &str, policies: &mut Policies) {
        if !managed.is_empty() {
            let policy = Value::String(format!("{SERVICE_ROLE}{managed}"));
            if !policies.0.contains(&policy) {
                policies.0.push(policy);
            }
        } else {
            // What it says is SAM's; it changes with these.
            let document = json!({ "Statement": [{ kind: self.properties }] });
            let name = if kind == "MQ" { "AMQ" } else { kind };
            policies.1.push(json!({
                "PolicyName": format!("SamAutoGenerated{name}Policy"), "PolicyDocument": document,
            }));
        }
    }

    fn topic(&self, making: &mut Making<'_>) {
        let topic = self.get("Topic").cloned().unwrap_or_default();
        let filters = ["FilterPolicy", "FilterPolicyScope", "Region", "RedrivePolicy"];
        let mut properties = self.taken(&filters);
        properties.insert("TopicArn".to_owned(), topic.clone());
        let queue = self.get("SqsSubscription").filter(|queue| **queue != Value::Bool(false));
        let (protocol, endpoint) = match queue {
            None => {
                self.permission("sns.amazonaws.com", Some(topic), making);
                ("lambda", self.target.arn.clone())
            }
            Some(queue) => ("sqs", self.queue_of_topic(queue, &topic, making)),
        };
        properties.insert("Protocol".to_owned(), protocol.into());
        properties.insert("Endpoint".to_owned(), endpoint);
        self.add(&self.id, "AWS::SNS::Subscription", Value::Object(properties), making);
    }

    /// A queue between topic and function: its ARN.
    fn queue_of_topic(&self, queue: &Value, topic: &Value, making: &mut Making<'_>) -> Value {
        let id = format!("{}Queue", self.id);
        let written = |name: &str| queue.get(name).cloned();
        let (arn, url) = match (written("QueueArn"), written("QueueUrl")) {
            (Some(arn), Some(url)) => (arn, url),
            _ => {
                self.add(&id, "AWS::SQS::Queue", json!({}), making);
                (json!({ "Fn::GetAtt": [id, "Arn"] }), json!({ "Ref": id }))
            }
        };
        let policy = match written("QueuePolicyLogicalId") {
            Some(Value::String(policy)) => policy,
            _ => format!("{}QueuePolicy", self.id),
        };
        self.queue_policy(&policy, (&arn, &url), topic, making);
        let mapping = json!({
            "BatchSize": written("BatchSize").unwrap_or_else(|| 10.into()),
            "Enabled": written("Enabled").unwrap_or(Value::Bool(true)),
            "EventSourceArn": arn,
            "FunctionName": self.target.name,
        });
        let id = format!("{}EventSourceMapping", self.id);
        self.add(&id, "AWS::Lambda::EventSourceMapping", mapping, making);
        arn
    }

    fn queue_policy(
        &self,
        id: &str,
        (arn, url): (&Value, &Value),
        from: &Value,
        making: &mut Making<'_>,
    ) {
        let statement = json!({
            "Action": "sqs:SendMessage",
            "Condition": { "ArnEquals": { "aws:SourceArn": from } },
            "Effect": "Allow",
            "Principal": "*",
            "Resource": arn,
        });
        let properties = json!({
            "PolicyDocument": { "Version": "2012-10-17", "Statement": [statement] },
            "Queues": [url],
        });
        self.add(id, "AWS::SQS::QueuePolicy", properties, making);
    }

    fn schedule(&self, making: &mut Making<'_>) {
        let mut properties = self.taken(&["Name", "Description", "State"]);
        if let Some(schedule) = self.get("Schedule") {
            properties.insert("ScheduleExpression".to_owned(), schedule.clone());
        }
        if let Some(enabled) = self.get("Enabled").and_then(Value::as_bool) {
            let state = if enabled { "ENABLED" } else { "DISABLED" };
            properties.insert("State".to_owned(), state.into());
        }
        self.rule_of(properties, making);
    }

    fn rule(&self, making: &mut Making<'_>) {
        let mut properties = self.taken(&["EventBusName", "State"]);
        for (written, name) in [("Pattern", "EventPattern"), ("RuleName", "Name")] {
            if let Some(value) = self.get(written) {
                properties.insert(name.to_owned(), value.clone());
            }
        }
        self.rule_of(properties, making);
    }

    fn rule_of(&self, mut properties: Map<String, Value>, making: &mut Making<'_>) {
        let written = self.get("Target").and_then(|target| target.get("Id")).cloned();
        let id = written.unwrap_or_else(|| format!("{}LambdaTarget", self.id).into());
        let mut target = self.taken(&["Input", "InputPath", "RetryPolicy", "InputTransformer"]);
        target.insert("Arn".to_owned(), self.target.arn.clone());
        target.insert("Id".to_owned(), id);
        let rule = json!({ "Fn::GetAtt": [self.id, "Arn"] });
        if let Some(letters) = self.dead_letters(&rule, making) {
            target.insert("DeadLetterConfig".to_owned(), letters);
        }
        properties.insert("Targets".to_owned(), json!([target]));
        self.add(&self.id, "AWS::Events::Rule", Value::Object(properties), making);
        self.permission("events.amazonaws.com", Some(rule), making);
    }

    /// `DeadLetterConfig`, with the queue that SAM makes where none is named.
    fn dead_letters(&self, from: &Value, making: &mut Making<'_>) -> Option<Value> {
        let config = self.get("DeadLetterConfig")?;
        if let Some(arn) = config.get("Arn") {
            return Some(json!({ "Arn": arn }));
        }
        let written = config.get("QueueLogicalId").and_then(Value::as_str);
        let id = written.map_or_else(|| format!("{}Queue", self.id), str::to_owned);
        let arn = json!({ "Fn::GetAtt": [id, "Arn"] });
        self.add(&id, "AWS::SQS::Queue", json!({}), making);
        let policy = format!("{}QueuePolicy", self.id);
        self.queue_policy(&policy, (&arn, &json!({ "Ref": id })), from, making);
        Some(json!({ "Arn": arn }))
    }

    fn scheduler(&self, making: &mut Making<'_>) {
        let arn = &self.target.arn;
        let policy = (format!("{}LambdaPolicy", self.id), "lambda:InvokeFunction");
        scheduler(self.source, (&self.id, &self.properties), arn, (&policy.0, policy.1), making);
    }

    fn logs(&self, making: &mut Making<'_>) {
        let permission = format!("{}Permission", self.id);
        let group = self.get("LogGroupName").cloned().unwrap_or_default();
        let arn = "arn:aws:logs:${AWS::Region}:${AWS::AccountId}:log-group:${__LogGroupName__}:*";
        let from = json!({ "Fn::Sub": [arn, { "__LogGroupName__": group }] });
        self.permission("logs.amazonaws.com", Some(from), making);
        let mut properties = self.taken(&["FilterPattern", "LogGroupName"]);
        properties.insert("DestinationArn".to_owned(), self.target.arn.clone());
        let kind = "AWS::Logs::SubscriptionFilter";
        let mut entry = self.source.beside(kind, Value::Object(properties));
        entry.insert("DependsOn".to_owned(), json!([permission]));
        making.add_entry(self.source, &self.id, entry);
    }

    fn bucket(&self, making: &mut Making<'_>) {
        self.permission("s3.amazonaws.com", None, making);
        let permission = format!("{}Permission", self.id);
        let events = match self.get("Events") {
            Some(Value::Array(events)) => events.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        let configurations = events.into_iter().map(|event| {
            let mut one = self.taken(&["Filter"]);
            one.insert("Event".to_owned(), event);
            one.insert("Function".to_owned(), self.target.arn.clone());
            Value::Object(one)
        });
        let configurations: Vec<Value> = configurations.collect();
        let Some(bucket) = self.referred_to("Bucket", making) else { return };
        let list = below(bucket, &["Properties", "NotificationConfiguration"]);
        extend(list, "LambdaConfigurations", configurations);
        let Some(entry) = bucket.as_object_mut() else { return };
        // SAM makes a list of one name.
        if let Some(Value::String(name)) = entry.get("DependsOn") {
            let name = name.clone();
            entry.insert("DependsOn".to_owned(), json!([name]));
        }
        extend(Some(entry), "DependsOn", vec![permission.into()]);
    }

    fn user_pool(&self, making: &mut Making<'_>) {
        let pool = self.get("UserPool").and_then(|pool| pool.get("Ref")).cloned();
        let from = json!({ "Fn::GetAtt": [pool.unwrap_or_default(), "Arn"] });
        let id = format!("{}CognitoPermission", self.source.id);
        self.permission_as(&id, "cognito-idp.amazonaws.com", Some(from), making);
        let triggers = match self.get("Trigger") {
            Some(Value::Array(names)) => names.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        let Some(pool) = self.referred_to("UserPool", making) else { return };
        let Some(config) = below(pool, &["Properties", "LambdaConfig"]) else { return };
        for trigger in triggers.iter().filter_map(Value::as_str) {
            config.insert(trigger.to_owned(), self.target.arn.clone());
        }
    }

    /// The resource of the template that a property refers to.
    fn referred_to<'m>(&self, property: &str, making: &'m mut Making<'_>) -> Option<&'m mut Value> {
        let name = self.get(property)?.get("Ref")?.as_str()?;
        making.resources.get_mut(name)
    }

    fn iot(&self, making: &mut Making<'_>) {
        let arn = "arn:aws:iot:${AWS::Region}:${AWS::AccountId}:rule/${RuleName}";
        let from = json!({ "Fn::Sub": [arn, { "RuleName": { "Ref": self.id } }] });
        self.permission("iot.amazonaws.com", Some(from), making);
        let mut payload = self.taken(&["AwsIotSqlVersion", "Sql"]);
        payload.insert("RuleDisabled".to_owned(), Value::Bool(false));
        let action = json!({ "Lambda": { "FunctionArn": self.target.arn } });
        payload.insert("Actions".to_owned(), json!([action]));
        let properties = json!({ "TopicRulePayload": payload });
        self.add(&self.id, "AWS::IoT::TopicRule", properties, making);
    }
}

/// The map at a path, made where there is none.
fn below<'v>(value: &'v mut Value, path: &[&str]) -> Option<&'v mut Map<String, Value>> {
    let start = value.as_object_mut();
    path.iter().fold(start, |map, key| {
        map?.entry((*key).to_owned()).or_insert_with(|| json!({})).as_object_mut()
    })
}

/// Puts items behind those of a list.
fn extend(map: Option<&mut Map<String, Value>>, key: &str, items: Vec<Value>) {
    let Some(map) = map else { return };
    let list = map.entry(key.to_owned()).or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut() {
        list.extend(items);
    }
}

/// `ScheduleV2`: a schedule and, unless one is named, its role.
pub(super) fn scheduler(
    source: &Source,
    (id, written): (&str, &Map<String, Value>),
    target: &Value,
    (policy, action): (&str, &str),
    making: &mut Making<'_>,
) {
    const SAME: [&str; 10] = [
        "Description",
        "EndDate",
        "FlexibleTimeWindow",
        "GroupName",
        "KmsKeyArn",
        "Name",
        "ScheduleExpression",
        "ScheduleExpressionTimezone",
        "StartDate",
        "State",
    ];
    let role = written.get("RoleArn").cloned().unwrap_or_else(|| {
        let role = format!("{id}Role");
        let caller = (role.as_str(), "scheduler.amazonaws.com");
        role::of_caller(source, caller, (policy, action), target, making)
    });
    let take = |names: &[&str]| -> Map<String, Value> {
        let taken = names.iter();
        taken.filter_map(|name| Some(((*name).to_owned(), written.get(*name)?.clone()))).collect()
    };
    let mut properties = take(&SAME);
    properties.entry("FlexibleTimeWindow").or_insert_with(|| json!({ "Mode": "OFF" }));
    if written.get("OmitName") != Some(&Value::Bool(true)) {
        properties.entry("Name").or_insert_with(|| id.into());
    }
    let mut goal = take(&["Input", "RetryPolicy", "DeadLetterConfig"]);
    goal.insert("Arn".to_owned(), target.clone());
    goal.insert("RoleArn".to_owned(), role);
    properties.insert("Target".to_owned(), Value::Object(goal));
    making.add(source, id, "AWS::Scheduler::Schedule", Value::Object(properties));
}
