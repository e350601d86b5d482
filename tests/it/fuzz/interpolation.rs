//! `${...}` in every place where it may stand, and in places where it may not.

use std::collections::BTreeMap;

use driftless::check;
use driftless::fleet::Text;
use driftless::plan::render;
use proptest::prelude::*;
use proptest::sample::select;

use crate::fuzz::bounds::assert_bounds;
use crate::fuzz::tree::quoted;
use crate::fuzz::{cases, snapshot};

/// Every variable with what it stands for here.
const KNOWN: [(&str, &str); 9] = [
    ("tenant.name", "acme"),
    ("labels.tier", "paid"),
    ("labels.a.b/c", "dots"),
    ("account.id", "000000000007"),
    ("region", "cn-north-1"),
    ("partition", "aws-cn"),
    ("fleet.name", "gloves"),
    ("service.name", "web"),
    ("services.api.outputs.Url", "http://x"),
];

/// A piece of text, and what becomes of it; `None` makes the text an error.
fn piece() -> impl Strategy<Value = (String, Option<String>)> {
    let literal = prop_oneof!["[a-z }.:/]{0,6}", "[^${\\PC]{0,4}", "[}{]{0,3}"];
    let same = |text: String| (text.clone(), Some(text));
    let variable = |(name, value): (&str, &str)| (format!("${{{name}}}"), Some(value.to_owned()));
    let broken = [
        "${}",
        "${ region}",
        "${region }",
        "${Region}",
        "${tenant}",
        "${tenant.id}",
        "${labels.}",
        "${services.api.outputs}",
        "${services.api.outputs.}",
        "${services.API.outputs.Url}",
        "${services.api.outputs.a.b}",
        "${AWS::Region}",
        "${${region}}",
        "${a${region}}",
        "${labels.a${region}}",
        "${labels.no\nne}",
    ];
    prop_oneof![
        6 => literal.prop_map(same),
        6 => select(KNOWN.to_vec()).prop_map(variable),
        2 => select(KNOWN.to_vec())
            .prop_map(|(name, _)| (format!("$${{{name}}}"), Some(format!("${{{name}}}")))),
        1 => Just(("$${".to_owned(), Some("${".to_owned()))),
        1 => select(broken.to_vec()).prop_map(|text| (text.to_owned(), None)),
    ]
}

/// A text with what it becomes; nothing where it is an error.
fn text() -> impl Strategy<Value = (String, Option<String>)> {
    (proptest::collection::vec(piece(), 0..7), proptest::bool::weighted(0.1)).prop_map(
        |(pieces, unclosed)| {
            let (texts, values): (Vec<String>, Vec<Option<String>>) = pieces.into_iter().unzip();
            let values: Option<Vec<String>> = values.into_iter().collect();
            let (mut text, mut value) = (texts.concat(), values.map(|values| values.concat()));
            if unclosed {
                text.push_str("${region");
                value = None;
            }
            (text, value)
        },
    )
}

/// Where a text may stand, as the place that [`files`] fills.
const PLACES: [&str; 10] = [
    "FLEET_PARAMETER",
    "FLEET_TAG",
    "TENANT_PARAMETER",
    "EXCEPTION_PARAMETER",
    "EXCEPTION_NAME",
    "SERVICE_PARAMETER",
    "SERVICE_ITEM",
    "SERVICE_TAG",
    "SERVICE_NAME",
    "ROLE",
];

fn files(place: &str, text: &str) -> BTreeMap<String, Vec<u8>> {
    let head = |kind: &str, metadata: &str| {
        format!("apiVersion: driftless.dev/v1\nkind: {kind}\nmetadata: {{ {metadata} }}\nspec:\n")
    };
    let fleet = head("Fleet", "name: gloves")
        + "  cloud: aws\n  access: { roleArn: ROLE }\n  regions: [cn-north-1]\n  \
           parameters: { F: FLEET_PARAMETER }\n  tags: { f: FLEET_TAG }\n";
    let tenant = head("Tenant", "name: acme, labels: { tier: paid, a.b/c: dots }")
        + "  account: \"000000000007\"\n  regions: [cn-north-1]\n  parameters: { T: \
           TENANT_PARAMETER }\n  services: { web: { parameters: { E: EXCEPTION_PARAMETER }, \
           stackName: EXCEPTION_NAME } }\n";
    let api = head("Service", "name: api") + "  template: api-template.yaml\n";
    let web = head("Service", "name: web")
        + "  template: web-template.yaml\n  stackName: SERVICE_NAME\n  parameters: { S: \
           SERVICE_PARAMETER, L: [SERVICE_ITEM, z] }\n  tags: { s: SERVICE_TAG }\n";
    let parameter = |name: &str| format!("  {name}: {{ Type: String, Default: d }}\n");
    let parameters = ["F", "T", "E", "S", "L"].map(parameter).concat();
    let resources = "Resources: { Q: { Type: AWS::SQS::Queue } }\n";
    let files = [
        ("fleet.yaml", fleet),
        ("tenant.yaml", tenant),
        ("api.yaml", api),
        ("web.yaml", web),
        ("web-template.yaml", format!("Parameters:\n{parameters}{resources}")),
        ("api-template.yaml", format!("{resources}Outputs: {{ Url: {{ Value: u }} }}\n")),
    ];
    let fill = |text_of_file: String| {
        let filled = text_of_file.replace(place, &quoted(text));
        let role = "arn:aws-cn:iam::1:role/r";
        PLACES.iter().fold(filled, |filled, other| {
            filled.replace(other, if *other == "ROLE" { role } else { "plain" })
        })
    };
    files.map(|(path, text)| (path.to_owned(), fill(text).into_bytes())).into()
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn what_has_no_variable_stays_as_it_is(text in "[^$]{0,8}(\\$[^{]|[^$]|\\$\\$){0,8}") {
        prop_assume!(!text.contains("${"));
        let parsed: Text = text.parse().expect("a text");
        prop_assert_eq!(parsed.as_literal(), Some(text.as_str()));
        prop_assert_eq!(Text::literal(&text), parsed);
    }

    #[test]
    fn any_text_is_a_text_or_an_error_with_a_fix(text in any::<String>(), junk in "[${}a.]{0,12}") {
        for text in [format!("{text}{junk}"), format!("{junk}{text}")] {
            match text.parse::<Text>() {
                Ok(parsed) => prop_assert_eq!(parsed.to_string().parse::<Text>(), Ok(parsed)),
                Err(error) => prop_assert!(!error.message.is_empty() && !error.help.is_empty()),
            }
        }
    }

    #[test]
    fn a_text_becomes_what_its_pieces_stand_for_in_every_place(
        (text, value) in text(),
        place in select(PLACES.to_vec()),
    ) {
        let files = files(place, &text);
        let read = assert_bounds(&files);
        if value.is_none() {
            prop_assert!(read.is_err(), "{:?} in {}", text, place);
            return Ok(());
        }
        let Ok((desired, _)) = check::read(&snapshot(&files)) else { return Ok(()) };
        let value = value.unwrap();
        let web = desired.all_wanted().find(|wanted| wanted.service.name.as_str() == "web");
        let web = web.expect("the service");
        let output = |_: &_, _: &str| Some("http://x".to_owned());
        let rendered = render(&desired.fleet, web, &output).expect("no holes");
        let list = format!("{value},z");
        let name = web.key.name.to_string();
        let role = desired.role_arn(&web.key.target);
        let (found, expected) = match place {
            "FLEET_PARAMETER" => (&rendered.parameters["F"], &value),
            "TENANT_PARAMETER" => (&rendered.parameters["T"], &value),
            "EXCEPTION_PARAMETER" => (&rendered.parameters["E"], &value),
            "SERVICE_PARAMETER" => (&rendered.parameters["S"], &value),
            "SERVICE_ITEM" => (&rendered.parameters["L"], &list),
            "FLEET_TAG" => (&rendered.tags["f"], &value),
            "SERVICE_TAG" => (&rendered.tags["s"], &value),
            "EXCEPTION_NAME" => (&name, &value),
            "ROLE" => (&role, &value),
            // The tenant's own name for the stack wins.
            _ => return Ok(()),
        };
        prop_assert_eq!(found, expected, "{:?} in {}", text, place);
        if !text.contains("$${") {
            let texts = rendered.parameters.values().chain(rendered.tags.values());
            for text in texts.chain([&name, &role]) {
                prop_assert!(!text.contains("${"), "{}", text);
            }
        }
    }
}
