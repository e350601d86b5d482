//! A plan says how what it shows would go out.

use crate::report::plan::golden::{Files, drawn, plan};
use crate::report::plan::json;

#[test]
fn a_release_says_through_which_waves_it_goes() {
    let mut old = Files::of(40);
    let canary = "selector: { matchLabels: { ring: canary } }";
    let waves = format!(
        "  rollout:\n    waves: [{{ name: canary, {canary}, soak: 30m }}, {{ name: tenth, percent: 10 \
         }}, {{ name: all }}]\n    approval: [all]\n"
    );
    old.edit("scan-api/service.yaml", "spec:\n", &format!("spec:\n{waves}"));
    for number in [3, 7] {
        let path = format!("tenants/t{number:04}.yaml");
        let name = format!("name: t{number:04}");
        old.edit(&path, &name, &format!("{name}, labels: {{ ring: canary }}"));
    }
    let mut new = old.clone();
    new.edit("fleet.yaml", "info", "debug");
    let preview = plan(&old, &new);
    insta::assert_snapshot!(drawn(&preview));
    assert_eq!(json(&preview)["releases"][0]["waves"][0]["soakSeconds"], 1_800);
    // What one tenant says goes out at once.
    let mut new = old.clone();
    new.tenant(9, "  services: { scan-api: { parameters: { LogLevel: warn } } }\n");
    assert_eq!(plan(&old, &new).releases, []);
    // What many say with one commit does not.
    let own = "  services: { scan-api: { parameters: { LogLevel: warn } } }\n";
    for number in 10..=20 {
        new.tenant(number, own);
    }
    assert_eq!(plan(&old, &new).releases.len(), 1);
}
