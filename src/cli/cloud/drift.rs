//! `driftless cloud drift`: a person changes a resource with its service's own means, so that
//! CloudFormation does not know.

use std::io::Write;

use clap::{ArgGroup, Args};
use serde_json::Value;

use crate::cli::Failure;
use crate::cli::cloud::pair;
use crate::ids::StackKey;
use crate::sim::{Console, StackView};

#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("what").required(true)))]
pub(in crate::cli) struct DriftArgs {
    /// ACCOUNT/REGION/NAME; a nested stack by its own name
    pub(super) stack: StackKey,
    /// What the template calls the resource
    logical_id: String,
    /// Give a property a value, as JSON or as a text: /MemorySize=512, /Tags/0/Value=other
    #[arg(long, value_name = "POINTER=VALUE", value_parser = assignment, group = "what")]
    set: Option<(String, Value)>,
    /// Remove a property
    #[arg(long, value_name = "POINTER", group = "what")]
    remove: Option<String>,
    /// Add a tag
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair, group = "what")]
    tag: Option<(String, String)>,
    /// Delete the resource
    #[arg(long, group = "what")]
    delete: bool,
    /// Make the resource what its stack believes it is
    #[arg(long, group = "what")]
    restore: bool,
}

fn assignment(text: &str) -> Result<(String, Value), String> {
    let parts = text.split_once('=').filter(|(pointer, _)| pointer.starts_with('/'));
    let (pointer, value) = parts.ok_or_else(|| "write /PROPERTY=VALUE".to_owned())?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
    Ok((pointer.to_owned(), value))
}

/// Does it to a resource of a stack that is there.
pub(super) fn drift(
    args: &DriftArgs,
    stack: &StackView,
    console: &Console,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let DriftArgs { stack: key, logical_id, set, remove, tag, delete, restore } = args;
    if !stack.resources.contains_key(logical_id) {
        let help = format!("`driftless cloud stack {key}` lists what it has");
        return Err(Failure::new(format!("{key} has no resource {logical_id}"), help));
    }
    let mut done = Vec::new();
    if let Some((pointer, value)) = set {
        console.change_property(key, logical_id, pointer, value.clone())?;
        done.push(format!("{pointer} is {value}"));
    }
    if let Some(pointer) = remove {
        console.remove_property(key, logical_id, pointer)?;
        done.push(format!("{pointer} is gone"));
    }
    if let Some((name, value)) = tag {
        console.add_tag(key, logical_id, name, value)?;
        done.push(format!("it has the tag {name}={value}"));
    }
    if *delete {
        console.delete_resource(key, logical_id)?;
        done.push("it is deleted".to_owned());
    }
    if *restore {
        console.restore_resource(key, logical_id)?;
        done.push("it is what its stack believes".to_owned());
    }
    writeln!(out, "{key} {logical_id}: {}", done.join(", "))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;
    use crate::moment::Moment;
    use crate::sim::{Cloud, CloudSettings, Reality};

    #[derive(Parser, Debug)]
    struct Line {
        #[command(flatten)]
        args: DriftArgs,
    }

    const STACK: &str = "111122223333/eu-central-1/app";

    fn parsed(words: &[&str]) -> Result<DriftArgs, clap::Error> {
        let line = [["drift", STACK].as_slice(), words].concat();
        Line::try_parse_from(line).map(|line| line.args)
    }

    #[test]
    fn a_value_is_json_or_a_text() {
        for (text, value) in [
            ("/A=512", json!(512)),
            ("/A=true", json!(true)),
            ("/A={\"b\": 1}", json!({"b": 1})),
            ("/A=plain=text", json!("plain=text")),
            ("/A=\"512\"", json!("512")),
            ("/A=", json!("")),
        ] {
            assert_eq!(assignment(text), Ok(("/A".to_owned(), value)), "{text}");
        }
        for text in ["A=1", "/A", ""] {
            assert!(assignment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn exactly_one_thing_is_done_at_a_time() {
        assert!(parsed(&["Q"]).is_err());
        assert!(parsed(&["Q", "--delete", "--set", "/A=1"]).is_err());
        assert!(parsed(&["Q", "--delete"]).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_resource_drifts_by_hand_and_its_stack_does_not_know() {
        let clock = Clock::starting_at(Moment::from_millis(1_795_465_260_000));
        let cloud = Cloud::in_memory(CloudSettings::default(), clock.clone());
        let (console, key) = (cloud.console(), STACK.parse::<StackKey>().expect("a key"));
        let template = "{Resources: {Q: {Type: 'AWS::SQS::Queue', Properties: {DelaySeconds: 1}}}}";
        console.create_stack(&key, template, &[].into()).expect("created");
        clock.sleep(std::time::Duration::from_secs(600)).await;
        let look = || console.stack(&key).expect("an answer").expect("a stack");
        let act = |words: &[&str]| {
            let mut out = Vec::new();
            let args = parsed(words).expect("good arguments");
            let done = drift(&args, &look(), &console, &mut out);
            done.map(|()| String::from_utf8(out).expect("a text"))
        };
        let said = act(&["Q", "--set", "/DelaySeconds=9"]).expect("done");
        assert_eq!(said, format!("{STACK} Q: /DelaySeconds is 9\n"));
        let changed = Reality::Changed("{\"DelaySeconds\":9}".to_owned());
        assert_eq!(look().resources["Q"].reality, changed);
        act(&["Q", "--delete"]).expect("done");
        assert_eq!(look().resources["Q"].reality, Reality::Deleted);
        act(&["Q", "--restore"]).expect("done");
        assert_eq!(look().resources["Q"].reality, Reality::AsRecorded);
        assert!(act(&["None", "--delete"]).is_err());
        assert!(act(&["Q", "--remove", "/None"]).is_err());
    }
}
