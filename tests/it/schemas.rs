//! The schemas that editors and programs use are those of the documents and of the outputs as they are
//! now.

use std::path::Path;

#[test]
fn the_schemas_in_the_repository_are_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    for (name, text) in
        driftless::fleet::schemas().into_iter().chain(driftless::report::output::schemas())
    {
        let lying = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert_eq!(
            lying, text,
            "schema/{name} is out of date: `cargo run -- schema --out schema` rewrites it"
        );
    }
}
