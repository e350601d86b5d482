//! What plans look like, for small fleets in memory, and what holds for every plan.

mod adopting;
mod comments;
mod edges;
mod splitting;
mod status;
mod waves;

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::check::check;
use crate::cost::Bill;
use crate::desired::Desired;
use crate::fleet::load;
use crate::ids::{Digest, Revision, StackId, StackKey, StackName, Target};
use crate::moment::Moment;
use crate::observed::{Blind, BlindReason, KnownTemplate, Look, Seen, StackStatus};
use crate::plan::Steering;
use crate::plan::deletions::DeletionBook;
use crate::plan::preview::{
    Basis, Deletions, Group, KINDS, Line, LiveScene, Member, Part, Preview, Sighted, memories,
    preview, preview_live,
};
use crate::report::plan::{MARKER, MAX_COMMENT, json, markdown, refused_markdown, text};
use crate::snapshot::{Entry, Snapshot};

/// Files of a fleet by path.
#[derive(Clone)]
struct Files(BTreeMap<String, String>);

const FLEET: &str = "\
apiVersion: driftless.dev/v1
kind: Fleet
metadata: { name: gloves }
spec:
  cloud: simulated
  access: { roleArn: 'arn:aws:iam::${account.id}:role/driftless' }
  regions: [eu-central-1, us-east-1]
  parameters: { LogLevel: info }
";

const TEMPLATE: &str = "\
Parameters:
  LogLevel: { Type: String }
  TableName: { Type: String }
  Key: { Type: String, NoEcho: true, Default: none }
Resources:
  Table: { Type: AWS::DynamoDB::Table, Properties: { TableName: !Ref TableName } }
  Role: { Type: AWS::IAM::Role, Properties: { Path: / } }
Outputs:
  TableArn: { Value: !GetAtt Table.Arn }
";

const SERVICE: &str = "\
apiVersion: driftless.dev/v1
kind: Service
metadata: { name: scan-api }
spec:
  template: template.yaml
  capabilities: [CAPABILITY_IAM]
  parameters: { TableName: 'scans-${tenant.name}' }
";

impl Files {
    /// A fleet of one service and this many tenants.
    fn of(tenants: usize) -> Self {
        let mut files = Self(BTreeMap::new());
        files.put("fleet.yaml", FLEET);
        files.put("scan-api/service.yaml", SERVICE);
        files.put("scan-api/template.yaml", TEMPLATE);
        for number in 0..tenants {
            files.tenant(number, "");
        }
        files
    }

    fn put(&mut self, path: &str, text: &str) -> &mut Self {
        self.0.insert(path.to_owned(), text.to_owned());
        self
    }

    fn edit(&mut self, path: &str, old: &str, new: &str) -> &mut Self {
        let text = self.0.get_mut(path).expect("a file");
        assert!(text.contains(old), "{old}");
        *text = text.replace(old, new);
        self
    }

    fn tenant(&mut self, number: usize, more: &str) -> &mut Self {
        let text = format!(
            "apiVersion: driftless.dev/v1\nkind: Tenant\nmetadata: {{ name: t{number:04} }}\nspec:\n  \
             account: \"{number:012}\"\n  regions: [eu-central-1]\n{more}"
        );
        self.put(&format!("tenants/t{number:04}.yaml"), &text)
    }

    /// As a controller accepts it: a fleet with errors has no plan.
    fn desired(&self, revision: &str) -> Desired {
        let entries =
            self.0.iter().map(|(path, text)| (path.clone(), Entry::File(text.as_bytes().into())));
        let revision = Revision::of(revision);
        let snapshot = Snapshot::of(revision.clone(), None, entries.collect());
        let (documents, mut findings) = load(&snapshot);
        let (desired, more) = Desired::of(revision, documents.expect("documents"));
        findings.extend(more);
        findings.extend(check(&desired));
        findings.retain(|finding| finding.is_error());
        assert_eq!(findings, []);
        desired
    }
}

fn plan(old: &Files, new: &Files) -> Preview {
    preview(Some(&old.desired("1111111aaaa")), &new.desired("2222222bbbb"))
}

/// Text and markdown together.
fn drawn(preview: &Preview) -> String {
    format!("{}\n=== markdown ===\n{}", text(preview, false), markdown(preview))
}

#[test]
fn a_new_tenant_is_shown_with_what_its_stacks_are_made_of() {
    let old = Files::of(2);
    let mut new = old.clone();
    new.tenant(7, "");
    insta::assert_snapshot!(drawn(&plan(&old, &new)));
}

#[test]
fn everything_is_new_where_there_is_nothing_to_compare_with() {
    let preview = preview(None, &Files::of(2).desired("2222222bbbb"));
    assert_eq!(preview.basis, Basis::Nothing);
    insta::assert_snapshot!(text(&preview, false));
}

#[test]
fn equal_changes_of_2000_tenants_are_one_group_and_two_that_differ_stand_apart() {
    let mut old = Files::of(2_000);
    old.tenant(5, "  services: { scan-api: { parameters: { LogLevel: warn } } }\n");
    old.tenant(6, "  services: { scan-api: { parameters: { LogLevel: warn } } }\n");
    let mut new = old.clone();
    new.edit("fleet.yaml", "info", "debug").tenant(5, "").tenant(6, "");
    let preview = plan(&old, &new);
    assert_eq!(preview.groups.iter().map(|g| g.members.len()).collect::<Vec<_>>(), [1_998, 2]);
    insta::assert_snapshot!(drawn(&preview));
}

#[test]
fn a_template_change_names_resources_and_what_is_protected() {
    let old = Files::of(3);
    let mut new = old.clone();
    new.edit("scan-api/template.yaml", "!Ref TableName }", "!Sub 'x-${TableName}' }")
        .edit(
            "scan-api/template.yaml",
            "  Role: { Type: AWS::IAM::Role",
            "  Task: { Type: AWS::IAM::Role",
        )
        .edit(
            "scan-api/template.yaml",
            "  TableArn: {",
            "  TableName: { Value: !Ref Table }\n  Arn: {",
        );
    insta::assert_snapshot!(drawn(&plan(&old, &new)));
}

#[test]
fn comments_and_form_are_no_change() {
    let old = Files::of(3);
    let mut new = old.clone();
    new.edit("scan-api/template.yaml", "Resources:\n", "# What we keep.\nResources:\n")
        .edit("scan-api/template.yaml", "!Ref TableName", "{ Ref: TableName }")
        .edit("fleet.yaml", "kind: Fleet", "kind: Fleet # ours")
        .edit("scan-api/service.yaml", "kind: Service", "kind: Service # ours");
    let preview = plan(&old, &new);
    assert!(!preview.has_changes());
    insta::assert_snapshot!(drawn(&preview));
}

/// Half of ten tenants are removed.
fn half(on_removal: &str) -> Preview {
    let mut old = Files::of(10);
    old.edit("scan-api/service.yaml", "spec:\n", &format!("spec:\n  onRemoval: {on_removal}\n"));
    let mut new = old.clone();
    new.0.retain(|path, _| !("tenants/t0005.yaml".."tenants/u").contains(&path.as_str()));
    plan(&old, &new)
}

#[test]
fn deleting_half_of_the_tenants_is_held_until_approved() {
    let preview = half("delete");
    assert!(preview.deletions.as_ref().is_some_and(|deletions| deletions.held.is_some()));
    insta::assert_snapshot!(drawn(&preview));
}

#[test]
fn stacks_that_are_retained_are_said_to_stay() {
    let preview = half("retain");
    assert_eq!(preview.deletions, None);
    insta::assert_snapshot!(drawn(&preview));
}

#[test]
fn a_dropped_stack_that_one_that_stays_uses_is_shown_to_be_kept() {
    let mut old = Files::of(2);
    old.edit("scan-api/service.yaml", "spec:\n", "spec:\n  onRemoval: delete\n");
    let report = SERVICE.replace("scan-api", "report");
    let report = report.replace("spec:\n", "spec:\n  dependsOn: [scan-api]\n");
    old.put("report/service.yaml", &report).put("report/template.yaml", TEMPLATE);
    let mut new = old.clone();
    new.0.remove("tenants/t0001.yaml");
    let preview = plan(&old, &new);
    assert_eq!(preview.deletions, None, "as the controller will decide");
    insta::assert_snapshot!(text(&preview, false));
    let both = |files: &Files| {
        let mut files = files.clone();
        files.edit("report/service.yaml", "spec:\n", "spec:\n  onRemoval: delete\n");
        files
    };
    let preview = plan(&both(&old), &both(&new));
    assert_eq!(preview.deletions.map(|deletions| deletions.stacks), Some(2));
}

#[test]
fn one_tenant_may_be_offboarded_without_approval() {
    let old = Files::of(3);
    let mut new = old.clone();
    new.tenant(1, "  lifecycle: offboarded\n");
    let preview = plan(&old, &new);
    assert_eq!(preview.deletions.as_ref().map(|deletions| &deletions.held), Some(&None));
    insta::assert_snapshot!(text(&preview, false));
}

#[test]
fn a_rename_is_held_and_not_shown_as_a_new_stack() {
    let old = Files::of(3);
    let mut new = old.clone();
    new.edit("scan-api/service.yaml", "spec:\n", "spec:\n  stackName: scans\n");
    insta::assert_snapshot!(drawn(&plan(&old, &new)));
}

#[test]
fn a_tenant_that_gets_another_account_is_a_rename() {
    let old = Files::of(2);
    let mut new = old.clone();
    new.edit("tenants/t0001.yaml", "000000000001", "000000000009");
    let preview = plan(&old, &new);
    let rename = &preview.groups[0];
    assert_eq!(
        rename.members[0].to_string(),
        "t0001 (000000000009/eu-central-1/scan-api, was 000000000001/eu-central-1/scan-api)"
    );
    assert_eq!(preview.groups.len(), 1);
}

#[test]
fn secrets_stay_hidden_and_outputs_symbolic() {
    let old = Files::of(2);
    let mut new = old.clone();
    new.edit("scan-api/service.yaml", "parameters: {", "parameters: { Key: hunter2,");
    with_user(&mut new);
    let preview = plan(&old, &new);
    let everything = format!("{}{}", drawn(&preview), json(&preview));
    assert!(!everything.contains("hunter2"), "{everything}");
    insta::assert_snapshot!(text(&preview, false));
}

#[test]
fn settings_that_weaken_a_guard_are_shown() {
    let old = Files::of(2);
    let mut new = old.clone();
    new.edit("fleet.yaml", "spec:\n", "spec:\n  limits: { deletes: { tenants: 100 } }\n").edit(
        "scan-api/service.yaml",
        "spec:\n",
        "spec:\n  onRemoval: delete\n  suspend: true\n",
    );
    insta::assert_snapshot!(text(&plan(&old, &new), false));
}

#[test]
fn a_plan_is_json_with_every_stack() {
    let old = Files::of(1);
    let mut new = old.clone();
    new.tenant(7, "").edit("fleet.yaml", "info", "debug");
    insta::assert_snapshot!(format!("{:#}", json(&plan(&old, &new))));
}

#[test]
fn colours_are_used_only_when_asked_for() {
    let preview = half("delete");
    assert!(!text(&preview, false).contains('\u{1b}'));
    assert!(text(&preview, true).contains("\u{1b}[31m- delete scan-api"));
}

#[test]
fn the_same_revisions_give_the_same_plan() {
    assert_eq!(half("delete"), half("delete"));
}

/// A second service that reads an output of the first.
fn with_user(files: &mut Files) {
    let user = SERVICE.replace("scan-api", "user").replace(
        "TableName: 'scans-${tenant.name}'",
        "Arn: '${services.scan-api.outputs.TableArn}'",
    );
    let template =
        "Parameters: { Arn: { Type: String } }\nResources: { A: { Type: AWS::SNS::Topic } }\n";
    files.put("user/template.yaml", template).put("user/service.yaml", &user);
}

/// A stack as it is seen; ours if it has a tenant.
fn seen(key: &str, tenant: Option<&str>) -> Seen {
    let key: StackKey = key.parse().expect("a key");
    let owner = tenant
        .into_iter()
        .flat_map(|tenant| [("fleet", "gloves"), ("tenant", tenant), ("service", "scan-api")]);
    let parameters = [("LogLevel", "info"), ("TableName", "other"), ("Key", "****")];
    let text = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    Seen {
        id: StackId::of(&format!("arn:{key}")),
        key,
        status: StackStatus::CreateComplete,
        status_reason: None,
        created_at: Moment::from_millis(1),
        updated_at: None,
        parameters: parameters.into_iter().map(text).collect(),
        tags: owner.map(|(name, value)| (format!("driftless:{name}"), value.to_owned())).collect(),
        outputs: BTreeMap::new(),
        termination_protection: false,
    }
}

/// A target as it is seen, with stacks of the first service's template.
fn sighted(desired: &Desired, target: &str, stacks: Vec<Seen>) -> Sighted {
    let look = Look {
        target: target.parse().expect("a target"),
        at: Moment::from_millis(2),
        stacks: stacks.into_iter().map(|seen| (seen.key.name.clone(), seen)).collect(),
    };
    let template = &desired.services.values().next().expect("a service").template;
    let known = |seen: &Seen| KnownTemplate {
        version: seen.version(),
        template: Some(template.returned_digest()),
        policy: None,
    };
    let learnt = look.stacks.iter().map(|(name, seen)| (name.clone(), known(seen))).collect();
    let insights = BTreeMap::new();
    let memories = memories(desired, &look, &BTreeMap::new(), &insights, &BTreeMap::new(), &learnt);
    Sighted { look, memories, insights, drifts: BTreeMap::new(), another_controller: None }
}

#[test]
fn a_live_plan_shows_what_would_begin_what_is_held_and_where_nobody_can_look() {
    let mut files = Files::of(5);
    with_user(&mut files);
    files.tenant(4, "  lifecycle: offboarded\n");
    let desired = files.desired("2222222bbbb");
    let place = |number: usize, stacks: Vec<Seen>| {
        let target = format!("{number:012}/eu-central-1");
        (target.parse().expect("a target"), Ok(sighted(&desired, &target, stacks)))
    };
    let blind = Blind { reason: BlindReason::AccessDenied, message: "no role".into() };
    let places: BTreeMap<Target, Result<Sighted, Blind>> = [
        place(0, vec![]),
        place(1, vec![seen("000000000001/eu-central-1/scan-api", Some("t0001"))]),
        place(2, vec![seen("000000000002/eu-central-1/scan-api", None)]),
        ("000000000003/eu-central-1".parse().expect("a target"), Err(blind)),
        place(4, vec![seen("000000000004/eu-central-1/scan-api", Some("t0004"))]),
    ]
    .into();
    let preview = preview_live(&LiveScene {
        desired: &desired,
        steering: &Steering::default(),
        places: &places,
        book: &DeletionBook::default(),
        keyed_hash: &|_| Digest::of(b""),
        now: Moment::from_millis(3),
    });
    insta::assert_snapshot!(text(&preview, false));
}

/// Every fence and fold is closed, and none is opened inside another.
fn is_balanced(comment: &str) -> bool {
    let (mut fence, mut fold) = (false, false);
    for line in comment.lines() {
        match line.trim_start() {
            "```diff" if fence => return false,
            "```diff" => fence = true,
            "```" if !fence => return false,
            "```" => fence = false,
            other if other.starts_with("```") || other.starts_with("~~~") => return false,
            other if !fence && other.starts_with("<details>") && fold => return false,
            other if !fence && other.starts_with("<details>") => fold = true,
            "</details>" if !fence && !fold => return false,
            "</details>" if !fence => fold = false,
            _ => {}
        }
    }
    !fence && !fold
}

fn lines() -> impl Strategy<Value = Line> {
    let word = "(```|~~~|\\PC|\n|<details>|</details>|ü){0,40}";
    let parts = prop::sample::select(vec![Part::Parameter, Part::Resource, Part::Setting]);
    (parts, word, prop::option::of(word), prop::option::of(word), 1_usize..200).prop_map(
        |(part, name, old, new, times)| Line {
            part,
            name,
            old: old.map(|old| old.repeat(times)),
            new,
            paths: Vec::new(),
        },
    )
}

fn previews() -> impl Strategy<Value = Preview> {
    let notes = "(```|\\PC|\n|</details>){0,60}";
    let group = (0..KINDS.len(), prop::collection::vec(lines(), 0..60), notes, 1_usize..400);
    let groups = prop::collection::vec(group, 0..60);
    (groups, prop::collection::vec(lines(), 0..20), notes, 0_usize..20).prop_map(
        |(groups, settings, notice, notices)| Preview {
            fleet: "gloves".parse().expect("a name"),
            basis: Basis::Nothing,
            to: Revision::of(&notice),
            settings,
            seen: Vec::new(),
            arrivals: Vec::new(),
            releases: Vec::new(),
            bill: Bill::default(),
            judged: None,
            drifted: Vec::new(),
            samples: Vec::new(),
            reviewed: None,
            requires_plan: false,
            groups: groups
                .into_iter()
                .map(|(kind, lines, note, count)| Group {
                    kind: KINDS[kind],
                    service: Some("scan-api".parse().expect("a name")),
                    lines,
                    effects: Vec::new(),
                    notes: vec![note],
                    members: (0..count).map(member).collect(),
                })
                .collect(),
            unchanged: 3,
            deletions: Some(Deletions {
                stacks: 1,
                tenants: 1,
                held: Some(notice.repeat(100)),
                approval: None,
            }),
            notices: vec![notice; notices],
        },
    )
}

fn member(number: usize) -> Member {
    let name: StackName = "scan-api".parse().expect("a name");
    let target = format!("{number:012}/eu-central-1").parse().expect("a target");
    Member { target, name: Some(name), tenant: None, was: None, own_name: None }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_comment_is_within_the_limit_with_balanced_fences(preview in previews()) {
        let comment = markdown(&preview);
        prop_assert!(comment.len() <= MAX_COMMENT, "{} bytes", comment.len());
        prop_assert!(comment.starts_with(MARKER));
        prop_assert!(is_balanced(&comment), "{comment}");
    }
}

#[test]
fn a_comment_that_was_cut_says_so() {
    let old = Files::of(1);
    let mut new = old.clone();
    let outputs: String =
        (0..6_000).map(|n| format!("  Output{n:04}: {{ Value: !Ref Table }}\n")).collect();
    new.edit("scan-api/template.yaml", "Outputs:\n", &format!("Outputs:\n{outputs}"));
    let entries =
        new.0.iter().map(|(path, text)| (path.clone(), Entry::File(text.as_bytes().into())));
    let snapshot = Snapshot::of(Revision::of("2222222bbbb"), None, entries.collect());
    let (documents, findings) = load(&snapshot);
    let (desired, _) = Desired::of(Revision::of("2222222bbbb"), documents.expect("documents"));
    let comment = markdown(&preview(Some(&old.desired("1111111aaaa")), &desired));
    assert!(comment.len() <= MAX_COMMENT && comment.len() > MAX_COMMENT - 1_000);
    assert!(is_balanced(&comment));
    assert!(comment.contains("left out for the size of a comment"), "{comment}");
    let refused = refused_markdown(&Revision::of("2222222bbbb"), &findings, "fleet");
    assert!(refused.starts_with(MARKER) && is_balanced(&refused));
}
