//! What people type and exactly what they get.

#[test]
fn commands_answer_as_the_scripts_say() {
    let cases = trycmd::TestCases::new();
    cases.case("tests/scripts/*.trycmd");
    // Says how in its failure as well: `TRYCMD=overwrite cargo test --test it scripts` rewrites them.
    cases.run();
}
