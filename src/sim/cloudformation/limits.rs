//! DescribeAccountLimits.

use crate::sim::cloudformation::context::Context;
use crate::sim::refusal::Answer;
use crate::sim::wire::Form;
use crate::sim::xml::Xml;

/// AWS's quota for the outputs of a stack.
const OUTPUTS: usize = 200;
/// AWS's quota for the resources in running operations of an account and region.
const CONCURRENT_RESOURCES: usize = 2_500;

pub(crate) fn describe_account_limits(context: &mut Context<'_>, mut form: Form) -> Answer<Xml> {
    form.optional("NextToken");
    form.finish("DescribeAccountLimits")?;
    let limits = [
        ("StackLimit", context.settings.stack_limit),
        ("StackOutputsLimit", OUTPUTS),
        ("ConcurrentResourcesLimit", CONCURRENT_RESOURCES),
    ];
    let mut xml = Xml::default();
    xml.members("AccountLimits", limits, |xml, (name, value)| {
        xml.text("Name", name);
        xml.text("Value", &value.to_string());
    });
    Ok(xml)
}
