//! What is found where the Fleet document says how accounts are entered and prepared.

use crate::report::broken_documents::replacements;

#[test]
fn broken_access() {
    insta::assert_snapshot!(replacements(
        "fleet.yaml",
        &[
            (
                "  parameters: {",
                "  access: { roleArn: 'arn:aws:iam::1:role/${region}', bootstrap: { roleArn: 'arn:aws:iam::1:role/x', region: us-west-2, principal: '111122223333' } }\n  parameters: {"
            ),
            (
                "  parameters: {",
                "  access: { roleArn: 'arn:aws:iam::1:role/r', bootstrap: { roleArn: admin, parameters: { RoleName: x, Acitons: 'sqs:*', Actions: '${account.id}' } } }\n  parameters: {"
            ),
            (
                "  parameters: {",
                "  access: { roleArn: 'arn:aws:iam::1:role/r', bootstrap: { roleArn: 'arn:aws:iam::1:role/x', template: role.yaml } }\n  parameters: {"
            ),
            (
                "  parameters: {",
                "  access: { roleArn: 'arn:aws:iam::1:role/r', bootstrap: { roleArn: 'arn:aws:iam::1:role/x', template: api/template.yaml } }\n  parameters: {"
            ),
        ]
    ));
}
