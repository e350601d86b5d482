//! What variables stand for, and which of five places a parameter's value comes from.

use crate::fleet::{Fleet, Service, Tenant, Text, Variable};
use crate::ids::{Region, ServiceName, Target};

/// What variables are replaced with.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The fleet.
    pub fleet: &'a Fleet,
    /// The stack's account and region.
    pub target: &'a Target,
    /// Unknown for a target that no tenant has any more.
    pub tenant: Option<&'a Tenant>,
    /// Unknown outside a stack.
    pub service: Option<&'a ServiceName>,
}

/// A variable that has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hole {
    /// An output that is not known (yet).
    Output {
        /// Whose output.
        service: ServiceName,
        /// Which.
        output: String,
    },
    /// A label that the tenant does not have.
    Label(String),
    /// A variable about a tenant or a service where there is none.
    OutOfScope(Variable),
}

impl Scope<'_> {
    /// The text with every variable replaced; `output` gives the outputs of the stacks of services
    /// in the same target.
    pub fn resolve(
        &self,
        text: &Text,
        output: &dyn Fn(&ServiceName, &str) -> Option<String>,
    ) -> Result<String, Hole> {
        if let Some(literal) = text.as_literal() {
            return Ok(literal.to_owned());
        }
        text.resolve(|variable, resolved| {
            match self.value(variable, output) {
                Ok(Value::Borrowed(value)) => resolved.push_str(value),
                Ok(Value::Owned(value)) => resolved.push_str(&value),
                Err(hole) => return Err(hole),
            }
            Ok(())
        })
    }

    fn value<'v>(
        &'v self,
        variable: &Variable,
        output: &dyn Fn(&ServiceName, &str) -> Option<String>,
    ) -> Result<Value<'v>, Hole> {
        let out_of_scope = || Hole::OutOfScope(variable.clone());
        Ok(match variable {
            Variable::AccountId => Value::Owned(self.target.account.to_string()),
            Variable::Region => Value::Borrowed(self.target.region.as_str()),
            Variable::Partition => Value::Borrowed(self.target.region.partition()),
            Variable::FleetName => Value::Borrowed(self.fleet.name.as_str()),
            Variable::TenantName => {
                Value::Borrowed(self.tenant.ok_or_else(out_of_scope)?.name.as_str())
            }
            Variable::Label(label) => {
                let tenant = self.tenant.ok_or_else(out_of_scope)?;
                let value = tenant.labels.get(label);
                Value::Borrowed(value.ok_or_else(|| Hole::Label(label.clone()))?)
            }
            Variable::ServiceName => {
                Value::Borrowed(self.service.ok_or_else(out_of_scope)?.as_str())
            }
            Variable::Output { service, output: name } => {
                Value::Owned(output(service, name).ok_or_else(|| Hole::Output {
                    service: service.clone(),
                    output: name.clone(),
                })?)
            }
        })
    }
}

enum Value<'v> {
    Borrowed(&'v str),
    Owned(String),
}

/// The document that a parameter's value comes from, in the order in which they win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The tenant's exception for the service in one region.
    Regional,
    /// The tenant's exception for the service.
    Exception,
    /// The tenant.
    Tenant,
    /// The service.
    Service,
    /// The fleet.
    Fleet,
}

/// Values for the parameters that a service's template declares, in the order of their names.
pub(super) fn parameters<'a>(
    fleet: &'a Fleet,
    tenant: &'a Tenant,
    service: &'a Service,
    region: &Region,
) -> impl Iterator<Item = (&'a str, Origin, &'a Text)> {
    let exception = tenant.services.get(&service.name);
    let sources = [
        (Origin::Regional, exception.and_then(|exception| exception.per_region.get(region))),
        (Origin::Exception, exception.map(|exception| &exception.parameters)),
        (Origin::Tenant, Some(&tenant.parameters)),
        (Origin::Service, Some(&service.parameters)),
        (Origin::Fleet, Some(&fleet.parameters)),
    ];
    service.template.parameters().keys().filter_map(move |name| {
        sources
            .iter()
            .find_map(|(origin, values)| Some((*origin, values.as_ref()?.get(name)?)))
            .map(|(origin, text)| (name.as_str(), origin, text))
    })
}
