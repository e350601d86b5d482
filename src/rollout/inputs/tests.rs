//! Whatever tenants change, each earlier release has what they gave at its time.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use super::*;
use crate::desired::Desired;
use crate::rollout::tests::fleet_of;

const TENANTS: usize = 13;

/// What each tenant gives; 0: nothing.
type Given = Vec<u8>;

fn desired(given: &Given) -> Desired {
    let own = |number: usize| match given[number - 1] {
        0 => String::new(),
        value if number.is_multiple_of(2) => format!(", parameters: {{ V: \"{value}\" }}"),
        value if number.is_multiple_of(3) && value > 1 => format!(
            ", services: {{ api: {{ perRegion: {{ eu-central-1: {{ parameters: {{ V: \"{value}\" }} }} }} }} }}"
        ),
        value => format!(", services: {{ api: {{ parameters: {{ V: \"{value}\" }} }} }}"),
    };
    fleet_of("waves: [{ name: all }]", TENANTS, "0", &own)
}

/// What git says next: another value for some tenants, or what it said before.
#[derive(Clone, Debug)]
enum Says {
    New(u8, Vec<bool>),
    Again(prop::sample::Index),
}

fn says() -> impl Strategy<Value = Says> {
    let some = prop::collection::vec(any::<bool>(), TENANTS);
    let many = prop::collection::vec(prop::bool::weighted(0.9), TENANTS);
    prop_oneof![
        2 => (0_u8..4, some).prop_map(|(value, who)| Says::New(value, who)),
        3 => (0_u8..4, many).prop_map(|(value, who)| Says::New(value, who)),
        2 => any::<prop::sample::Index>().prop_map(Says::Again),
    ]
}

fn differing(one: &Given, other: &Given) -> usize {
    one.iter().zip(other).filter(|(one, other)| one != other).count()
}

/// The inputs of a service, and beside them in a list what they must say.
struct World {
    inputs: TenantInputs,
    now: Given,
    /// What tenants give at each of the inputs by name.
    model: BTreeMap<String, Given>,
}

impl World {
    fn follow(&mut self, next: &Given) -> TestCaseResult {
        let (before, after) = (desired(&self.now), desired(next));
        let service = after.services.values().next().expect("one");
        let pairs = before.all_standing().filter_map(|old| {
            let now = after.wanted(&old.key)?;
            Some((&old.tenant, now))
        });
        let releases = [Arc::new(Release::head(&after, service, None))];
        let changed = changed(pairs, &releases);
        prop_assert_eq!(changed.len(), differing(&self.now, next));
        let stacks = after.all_standing().map(|wanted| (&wanted.tenant.name, wanted)).collect();
        let is_release = self.inputs.follow(&changed, &stacks, &releases);
        prop_assert_eq!(is_release, changed.len() > AT_ONCE);
        let today = key(self.inputs.today());
        let is_new = !self.model.contains_key(&today);
        if is_release {
            let few = |(then, given): (&String, &Given)| {
                *then != today && differing(given, next) <= AT_ONCE
            };
            prop_assert!(!is_new || !self.model.iter().any(few), "it was there already");
        } else {
            let own: Vec<usize> = (0..TENANTS).filter(|one| self.now[*one] != next[*one]).collect();
            for given in self.model.values_mut() {
                own.iter().for_each(|one| given[*one] = next[*one]);
            }
        }
        self.model.insert(today, next.clone());
        self.now.clone_from(next);
        self.check(&after)
    }

    /// Every earlier release gives each tenant what it gave.
    fn check(&self, desired: &Desired) -> TestCaseResult {
        let service = desired.services.values().next().expect("one");
        let release = Release::head(desired, service, None);
        for (then, given) in &self.model {
            let former = self.inputs.at(then.parse().ok());
            for wanted in desired.all_standing() {
                let former = former.get(&wanted.tenant.name);
                let tenant = former.map(|one| one.on(&wanted.tenant, &wanted.service.name));
                let tenant = Arc::new(tenant.unwrap_or_else(|| Tenant::clone(&wanted.tenant)));
                let number: usize = wanted.tenant.name.as_str()[1..].parse().expect("a number");
                let value = given[number - 1].to_string();
                let shown = super::given(&release, wanted, &tenant);
                prop_assert_eq!(shown, vec![("V".to_owned(), Some(value))], "{} {}", then, number);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn each_release_keeps_what_tenants_gave_until_they_change_it_alone(
        says in prop::collection::vec(says(), 1..12),
    ) {
        let first = vec![0; TENANTS];
        let mut world = World {
            inputs: TenantInputs::default(),
            now: first.clone(),
            model: BTreeMap::from([(key(None), first.clone())]),
        };
        let mut said = vec![first];
        for one in says {
            let next = match one {
                Says::New(value, who) => {
                    let own = |(now, changes): (&u8, &bool)| if *changes { value } else { *now };
                    world.now.iter().zip(&who).map(own).collect()
                }
                Says::Again(index) => index.get(&said).clone(),
            };
            world.follow(&next)?;
            said.push(next);
        }
    }
}
