//! The built-in template makes a role that ministack lets us assume with the external id, and not
//! without; a fleet converges through it.

use serde_json::{Value, json};

use crate::ministack::server::{HOME, Ministack};
use crate::ministack::{FLEET, STORE, STORE_SERVICE, Scene, account, trust};

const ROLE: &str = "driftless-execution";
const ADMIN: &str = "OrganizationAccountAccessRole";

pub(super) fn accounts_get_a_role_that_lets_us_in(cloud: Ministack) {
    let scene = Scene::of(cloud, 3, &[("store", STORE_SERVICE, STORE)]);
    only_the_first_role_is_there(&scene);
    let external_id = "    externalId: third-party\n";
    let bootstrap =
        format!("    bootstrap: {{ roleArn: \"arn:aws:iam::${{account.id}}:role/{ADMIN}\" }}\n");
    let fleet = FLEET.replace(external_id, &format!("{external_id}{bootstrap}"));
    scene.write("fleet.yaml", &fleet);
    scene.commit();
    scene.expect(&["bootstrap"], 1);
    let made = scene.expect(&["bootstrap", "--yes"], 3).out;
    assert!(made.starts_with("3 accounts: 2 made, 1 failed\n"), "{made}");
    assert!(made.contains("t3 "), "{made}");
    assert!(lets_in(&scene, 1, json!({ "ExternalId": "third-party" })));
    assert!(!lets_in(&scene, 1, json!({ "ExternalId": "another" })));
    assert!(!lets_in(&scene, 1, json!({})));
    let again = scene.expect(&["bootstrap", "--tenant", "t1", "--tenant", "t2"], 0).out;
    assert_eq!(again, "2 accounts: 2 ready\n");
    scene.expect(&["apply", "--yes", "--tenant", "t1"], 0);
    let narrow = bootstrap.replace(" }\n", ", parameters: { Actions: [\"sqs:*\", \"ssm:*\"] } }\n");
    scene.write("fleet.yaml", &fleet.replace(&bootstrap, &narrow));
    scene.commit();
    let updated = scene.expect(&["bootstrap", "--yes", "--tenant", "t1"], 0).out;
    assert!(updated.contains("the role loses apigateway:*, "), "{updated}");
    let again = scene.expect(&["bootstrap", "--tenant", "t1"], 0).out;
    assert_eq!(again, "1 account: 1 ready\n");
}

/// As in a new account of an organisation; the last one does not let us in.
fn only_the_first_role_is_there(scene: &Scene) {
    let policy = "arn:aws:iam::aws:policy/AdministratorAccess";
    let calls = |tenant: usize| {
        let account = account(tenant);
        let attached = |role: &str| json!({ "RoleName": role, "PolicyArn": policy });
        let trusted = match tenant {
            3 => trust("somebody-else"),
            _ => json!({ "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": { "AWS": format!("arn:aws:iam::{HOME}:root") } }] })
            .to_string(),
        };
        let made = json!({ "RoleName": ADMIN, "AssumeRolePolicyDocument": trusted });
        [
            json!([account, "iam", "detach_role_policy", attached(ROLE)]),
            json!([account, "iam", "delete_role", { "RoleName": ROLE }]),
            json!([account, "iam", "create_role", made]),
            json!([account, "iam", "attach_role_policy", attached(ADMIN)]),
        ]
    };
    scene.ask_every(&(1..=3).flat_map(calls).collect::<Vec<Value>>());
}

fn lets_in(scene: &Scene, tenant: usize, more: Value) -> bool {
    let mut wish = json!({ "RoleSessionName": "test",
        "RoleArn": format!("arn:aws:iam::{}:role/{ROLE}", account(tenant)) });
    let (Some(wish_of), Some(more)) = (wish.as_object_mut(), more.as_object()) else {
        unreachable!("objects")
    };
    wish_of.extend(more.clone());
    let answers = scene.cloud.ask_all(&[json!([HOME, "sts", "assume_role", wish])]);
    match answers[0]["error"].as_str() {
        None => true,
        Some("AccessDenied") => false,
        Some(other) => panic!("{other}: {}", answers[0]),
    }
}
