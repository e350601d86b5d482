//! Answers that are cut, garbled, doubled and not AWS's at all, through the real SDK: each ends in
//! valid values or in an error, and a listing that is not whole is an error.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed};

use crate::aws::fake::{Reply, STACK, Server, error_body, stack, whole};
use crate::aws::{Aws, AwsError, Patience};
use crate::ids::StackId;
use crate::moment::Moment;

/// `usual` cases, the same every time; with `DRIFTLESS_FUZZ_CASES` that many, others every time.
fn cases(usual: u32) -> Config {
    let wanted = std::env::var_os("DRIFTLESS_FUZZ_CASES");
    let wanted = wanted.and_then(|number| number.to_str()?.parse().ok());
    let rng_seed = if wanted.is_some() { RngSeed::Random } else { RngSeed::Fixed(1) };
    let cases = wanted.unwrap_or(usual);
    Config { cases, rng_seed, failure_persistence: None, ..Config::default() }
}

/// The reading calls, each with what a sound answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    List,
    Describe,
    ChangeSet,
    Events,
    Resources,
    Template,
    Policy,
    Create,
}

const CALLS: [Call; 8] = [
    Call::List,
    Call::Describe,
    Call::ChangeSet,
    Call::Events,
    Call::Resources,
    Call::Template,
    Call::Policy,
    Call::Create,
];

impl Call {
    fn action(self) -> &'static str {
        match self {
            Self::List | Self::Describe => "DescribeStacks",
            Self::ChangeSet => "DescribeChangeSet",
            Self::Events => "DescribeStackEvents",
            Self::Resources => "ListStackResources",
            Self::Template => "GetTemplate",
            Self::Policy => "GetStackPolicy",
            Self::Create => "CreateStack",
        }
    }

    /// How many members a sound answer has.
    fn members(self) -> usize {
        match self {
            Self::List | Self::ChangeSet | Self::Events | Self::Resources => 3,
            Self::Describe | Self::Template | Self::Policy | Self::Create => 1,
        }
    }

    fn body(self) -> String {
        whole(self.action(), &self.result())
    }

    fn result(self) -> String {
        let three = |member: &dyn Fn(&str) -> String| ["one", "two", "three"].map(member).concat();
        match self {
            Self::List => format!("<Stacks>{}</Stacks>", three(&|name| stack(name, DETAILS))),
            Self::Describe => format!("<Stacks>{}</Stacks>", stack("one", DETAILS)),
            Self::ChangeSet => format!(
                "<ChangeSetName>c</ChangeSetName><Status>CREATE_COMPLETE</Status>\
                 <ExecutionStatus>AVAILABLE</ExecutionStatus>\
                 <CreationTime>2026-11-01T10:00:00.000Z</CreationTime>\
                 <Changes>{}</Changes>",
                three(&|name| format!(
                    "<member><Type>Resource</Type><ResourceChange><Action>Remove</Action>\
                     <LogicalResourceId>{name}</LogicalResourceId>\
                     <ResourceType>AWS::SQS::Queue</ResourceType></ResourceChange></member>"
                ))
            ),
            Self::Events => format!(
                "<StackEvents>{}</StackEvents>",
                three(&|name| format!(
                    "<member><StackId>{STACK}</StackId><EventId>{name}</EventId>\
                     <StackName>scan-api</StackName><LogicalResourceId>{name}</LogicalResourceId>\
                     <ResourceType>T</ResourceType><Timestamp>2026-11-01T10:00:50.000Z</Timestamp>\
                     <ResourceStatus>CREATE_FAILED</ResourceStatus></member>"
                ))
            ),
            Self::Resources => format!(
                "<StackResourceSummaries>{}</StackResourceSummaries>",
                three(&|name| format!(
                    "<member><LogicalResourceId>{name}</LogicalResourceId><ResourceType>T\
                     </ResourceType><LastUpdatedTimestamp>2026-11-01T10:00:00Z\
                     </LastUpdatedTimestamp><ResourceStatus>DELETE_FAILED</ResourceStatus></member>"
                ))
            ),
            Self::Template => "<TemplateBody>Resources: {}</TemplateBody>".into(),
            Self::Policy => "<StackPolicyBody>{}</StackPolicyBody>".into(),
            Self::Create => format!("<StackId>{STACK}</StackId>"),
        }
    }
}

const DETAILS: &str = "<LastUpdatedTime>2026-11-02T10:00:00.123Z</LastUpdatedTime>\
    <Parameters><member><ParameterKey>A</ParameterKey><ParameterValue>1</ParameterValue></member>\
    </Parameters><Outputs><member><OutputKey>O</OutputKey><OutputValue>x</OutputValue></member>\
    </Outputs><Tags><member><Key>b</Key><Value>c</Value></member></Tags>";

/// What a server, a proxy or a bad line makes of an answer.
#[derive(Clone, Debug)]
enum Harm {
    Cut(Index),
    Delete(Index, usize),
    Insert(Index, String),
    DropElement(Index),
    DoubleElement(Index),
    Fill(Index, String),
    Reorder(Index, Index),
    Whole(String),
}

/// Byte ranges of the elements of a text: from `<Name>` to its `</Name>`.
fn elements(text: &str) -> Vec<(usize, usize)> {
    let starts = text.match_indices('<').filter(|(at, _)| !text[at + 1..].starts_with('/'));
    let element = |start: usize| {
        let name = text[start + 1..].split(['>', ' ', '/', '\n']).next()?;
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let (mut depth, mut at) = (1, start + 1);
        while depth > 0 {
            let next = text[at..].find(&close)?;
            depth += text[at..at + next].matches(&open).count();
            depth -= 1;
            at += next + close.len();
        }
        Some((start, at))
    };
    starts.filter_map(|(start, _)| element(start)).collect()
}

impl Harm {
    fn apply(&self, text: &mut String) {
        let found = elements(text);
        let bounds: Vec<usize> =
            text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let place = |index: &Index| *index.get(&bounds);
        let element = |index: &Index| (!found.is_empty()).then(|| *index.get(&found));
        match self {
            Self::Cut(at) => text.truncate(place(at)),
            Self::Delete(at, length) => {
                let start = place(at);
                let end = bounds.iter().find(|end| **end >= start + length).copied();
                text.replace_range(start..end.unwrap_or(text.len()), "");
            }
            Self::Insert(at, what) => text.insert_str(place(at), what),
            Self::DropElement(at) => {
                if let Some((start, end)) = element(at) {
                    text.replace_range(start..end, "");
                }
            }
            Self::DoubleElement(at) => {
                if let Some((start, end)) = element(at) {
                    let copy = text[start..end].to_owned();
                    text.insert_str(end, &copy);
                }
            }
            Self::Fill(at, with) => {
                if let Some((start, end)) = element(at) {
                    let from = start + text[start..end].find('>').map_or(0, |at| at + 1);
                    let to = start + text[start..end].rfind("</").unwrap_or(0);
                    if from <= to {
                        text.replace_range(from..to, with);
                    }
                }
            }
            Self::Reorder(at, to) => {
                if let (Some((start, end)), Some((target, _))) = (element(at), element(to))
                    && target < start
                {
                    let moved = text[start..end].to_owned();
                    text.replace_range(start..end, "");
                    text.insert_str(target, &moved);
                }
            }
            Self::Whole(other) => other.clone_into(text),
        }
    }
}

/// What stands where a value should.
const VALUES: &[&str] = &[
    "",
    " ",
    "0",
    "-1",
    "true",
    "x",
    "null",
    "2026-11-01T10:00:00Z",
    "0001-01-01T00:00:00Z",
    "-0044-03-15T00:00:00Z",
    "9999-12-31T23:59:59.999Z",
    "10000-01-01T00:00:00Z",
    "1e400",
    "99999999999999999999",
    "2026-02-30T25:61:61Z",
    "1969-12-31T23:59:59Z",
    "a:b:c",
    "ä\u{0}",
    "CREATE_COMPLETE",
    "DELETE_COMPLETE",
    "NONSENSE",
    "&amp;",
    "&#x0;",
    "&nbsp;",
    "<![CDATA[x]]>",
    "arn:aws:cloudformation:eu-central-1:999900001111:stack/other/1",
    STACK,
];
/// What stands between tags.
const NOISE: &[&str] = &[
    "<",
    ">",
    "</",
    "&",
    "<!--",
    "-->",
    "<?xml?>",
    "<member/>",
    "</member>",
    "<NextToken>t</NextToken>",
    "<ParentId></ParentId>",
    "<RootId></RootId>",
    "\0",
    "\u{feff}",
    "\n",
    "]]>",
    "<a b='c'>",
];
/// What comes instead of an answer.
const OTHERS: &[&str] = &[
    "",
    " ",
    "{}",
    "null",
    "<html><body>Bad gateway</body></html>",
    "<a/>",
    "<!DOCTYPE html>",
    "<?xml version=\"1.0\"?>",
    "<DescribeStacksResponse/>",
    "\u{1f}\u{8b}\u{8}",
    "ok",
    "<ErrorResponse/>",
    "<ErrorResponse><Error/></ErrorResponse>",
];

fn harm() -> impl Strategy<Value = Harm> {
    let index = any::<Index>;
    let huge = (0_usize..3).prop_map(|size| "<a>".repeat(10_usize.pow(size as u32 + 2)));
    prop_oneof![
        3 => index().prop_map(Harm::Cut),
        2 => (index(), 1_usize..80).prop_map(|(at, length)| Harm::Delete(at, length)),
        3 => (index(), select(NOISE.to_vec())).prop_map(|(at, what)| Harm::Insert(at, what.into())),
        4 => index().prop_map(Harm::DropElement),
        2 => index().prop_map(Harm::DoubleElement),
        4 => (index(), select(VALUES.to_vec())).prop_map(|(at, with)| Harm::Fill(at, with.into())),
        1 => (index(), any::<String>()).prop_map(|(at, with)| Harm::Fill(at, with)),
        1 => (index(), index()).prop_map(|(at, to)| Harm::Reorder(at, to)),
        1 => select(OTHERS.to_vec()).prop_map(|other| Harm::Whole(other.into())),
        1 => huge.prop_map(Harm::Whole),
        1 => any::<String>().prop_map(Harm::Whole),
    ]
}

/// A server that answers one action so, with one try for each call.
fn answering(action: &'static str, status: u16, body: String) -> Server {
    let mut server = Server::of(move |asked| match asked.action == action {
        true => Reply::Body(status, body.clone()),
        false => Reply::Usual,
    });
    server.aws = Aws::of(crate::aws::AwsSettings {
        base: server.base.clone(),
        home: "eu-west-1".parse().expect("a region"),
        clock: server.clock.clone(),
        controller_id: "one".into(),
        patience: Patience { tries: 1, length: std::time::Duration::ZERO },
    });
    server
}

/// Makes the call; how many members came back, or the error. All values are printed, so that those
/// which cannot be are found.
fn ask(call: Call, status: u16, body: String) -> Result<usize, AwsError> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
    let server = answering(call.action(), status, body);
    let (api, id) = (server.api(), StackId::of(STACK));
    let seen_is_sound = |seen: &crate::observed::Seen| {
        assert_eq!(&seen.key.target, api.target());
        assert!(!seen.created_at.to_string().is_empty() && !format!("{seen:?}").is_empty());
    };
    runtime.block_on(async {
        Ok(match call {
            Call::List => {
                let seen = api.list().await?;
                seen.iter().for_each(seen_is_sound);
                seen.len()
            }
            Call::Describe => {
                let seen = api.describe("one").await?;
                seen.iter().for_each(seen_is_sound);
                seen.iter().count()
            }
            Call::ChangeSet => {
                let set = api.change_set(&id, "c").await?;
                set.map_or(0, |set| set.changes.len())
            }
            Call::Events => {
                let events = api.events_since(&id, Moment::default()).await?;
                events.iter().map(|event| event.at.to_string()).filter(|at| !at.is_empty()).count()
            }
            Call::Resources => api.resources(&id).await?.len(),
            Call::Template => usize::from(!format!("{:?}", api.template(&id).await?).is_empty()),
            Call::Policy => usize::from(api.stack_policy(&id).await?.is_some()),
            Call::Create => {
                let inputs = crate::aws::StackInputs {
                    template: crate::aws::GivenTemplate::Body("Resources: {}".into()),
                    parameters: Default::default(),
                    kept_parameters: Default::default(),
                    tags: Default::default(),
                    capabilities: Vec::new(),
                    termination_protection: false,
                    stack_policy: None,
                    deployment: Default::default(),
                };
                let name = "scan-api".parse().expect("a name");
                usize::from(!api.create(&name, &inputs, "t").await?.as_str().is_empty())
            }
        })
    })
}

#[track_caller]
fn assert_told(error: &AwsError) {
    assert!(!error.code().is_empty(), "{error:?}");
    assert!(error.text().len() <= 4_100, "{} bytes", error.text().len());
    assert!(!format!("{error} {error:?}").contains("t0k3n"), "{error:?}");
    let region = "eu-central-1".parse().expect("a region");
    let _ = (error.cause(), error.blind_reason(&region), error.busy());
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn any_answer_ends_in_values_or_in_an_error(
        call in select(CALLS.to_vec()),
        harms in proptest::collection::vec(harm(), 1..4),
        status in prop_oneof![6 => Just(200_u16), 1 => 200_u16..600],
    ) {
        let mut body = call.body();
        harms.iter().for_each(|harm| harm.apply(&mut body));
        if let Err(error) = ask(call, status, body) {
            assert_told(&error);
            prop_assert!(error.may_have_happened() || call != Call::Create
                || !matches!(error, AwsError::Malformed(_) | AwsError::Unreachable(_)));
        }
    }

    #[test]
    fn an_answer_that_was_cut_is_never_taken_for_whole(
        call in select(CALLS.to_vec()),
        at in any::<Index>(),
    ) {
        let body = call.body();
        prop_assert_eq!(ask(call, 200, body.clone()).ok(), Some(call.members()));
        let cut = body[..at.index(body.trim_end().len())].to_owned();
        let answer = ask(call, 200, cut.clone());
        prop_assert!(matches!(answer, Err(AwsError::Malformed(_))), "{:?}: {}", answer, cut);
    }

    /// What is one level deep in a member is a matter of that member; the member is never lost.
    #[test]
    fn a_listing_lacks_no_member_for_what_one_of_them_lacks(
        call in select(vec![Call::List, Call::ChangeSet, Call::Events, Call::Resources]),
        at in any::<Index>(),
        value in prop_oneof![
            Just(None),
            select(vec!["", " ", "x", "0", "1969-12-31T23:59:59Z", "10000-01-01T00:00:00Z"]).prop_map(Some),
        ],
        extra in select(vec!["", "<ParentId></ParentId>", "<RootId></RootId>", "<Type></Type>", "<New>x</New>"]),
    ) {
        let mut body = call.body();
        let (first, last) = (body.find("<member>").expect("one"), body.rfind("</member>").expect("one"));
        let inner: Vec<(usize, usize)> = elements(&body)
            .into_iter()
            .filter(|(start, end)| *start > first && *end <= last && !body[*start..].starts_with("<member>"))
            .collect();
        let (start, end) = *at.get(&inner);
        let name = body[start + 1..end].split('>').next().unwrap_or_default().to_owned();
        let replaced = value.map_or(String::new(), |value| format!("<{name}>{value}</{name}>"));
        body.replace_range(start..end, &(extra.to_owned() + &replaced));
        match ask(call, 200, body.clone()) {
            Ok(count) => prop_assert_eq!(count, 3, "{}", body),
            Err(error) => assert_told(&error),
        }
    }

    #[test]
    fn a_missing_list_is_no_empty_list(call in select(vec![Call::List, Call::ChangeSet, Call::Events, Call::Resources])) {
        let body = call.body();
        let list = elements(&body).into_iter().find(|(start, _)| {
            body[*start..].split_once('>').is_some_and(|(_, rest)| rest.starts_with("<member>"))
        });
        let (start, end) = list.expect("a list");
        let answer = ask(call, 200, body[..start].to_owned() + &body[end..]);
        prop_assert!(matches!(answer, Err(AwsError::Malformed(_))), "{:?}: {:?}", call, answer);
    }

    #[test]
    fn an_error_body_of_any_kind_is_an_error(
        call in select(CALLS.to_vec()),
        code in prop_oneof!["[A-Za-z]{0,12}", select(vec!["", "Throttling", "ValidationError", "AccessDenied",
            "ExpiredToken", "InternalFailure", "ChangeSetNotFound"]).prop_map(str::to_owned)],
        text in prop_oneof![any::<String>(), Just("x".repeat(100_000)), Just("is in  state".to_owned())],
        harms in proptest::collection::vec(harm(), 0..3),
        status in 300_u16..600,
    ) {
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
        let mut body = error_body(&code, &escaped);
        harms.iter().for_each(|harm| harm.apply(&mut body));
        match ask(call, status, body.clone()) {
            Ok(count) => prop_assert!(count == 0 && body.contains("ChangeSetNotFound") && call == Call::ChangeSet
                || count == 0 && body.contains("does not exist"), "{:?} {}: {}", call, status, body),
            Err(error) => assert_told(&error),
        }
    }
}

/// Sessions: an answer of STS is a session of that account, or an error.
#[test]
fn a_session_of_which_anything_is_broken_is_refused_or_used() {
    let config = cases(100);
    proptest!(config, |(harms in proptest::collection::vec(harm(), 1..3))| {
        let now = Moment::from_millis(1_795_465_260_000);
        let ends_at = now + std::time::Duration::from_secs(3_600);
        let Reply::Body(_, mut body) = crate::aws::fake::session(crate::aws::fake::ACCOUNT, 0, ends_at)
        else {
            unreachable!("a body")
        };
        harms.iter().for_each(|harm| harm.apply(&mut body));
        let stacks = Call::List.body();
        let server = Server::of(move |asked| match asked.action.as_str() {
            "AssumeRole" => Reply::Body(200, body.clone()),
            "DescribeStacks" => Reply::Body(200, stacks.clone()),
            _ => Reply::Usual,
        });
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().expect("a runtime");
        match runtime.block_on(server.api().list()) {
            Ok(seen) => prop_assert_eq!(seen.len(), 3),
            Err(error) => assert_told(&error),
        }
    });
}
