//! Template bodies by the hash of their text: each is kept and parsed once, however many stacks use it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::ids::Digest;
use crate::sim::folder::{CloudError, write_whole};
use crate::sim::inspection::inspect;
use crate::sim::refusal::{Answer, Refusal};
use crate::sim::state::ParameterValue;
use crate::template::{Given, Processed, Template};

/// One template.
#[derive(Debug)]
pub(crate) struct Body {
    /// Hash of the text.
    pub(crate) key: Arc<str>,
    pub(crate) template: Template,
    /// The same for all stacks of a cloud, and thousands use one template.
    inspected: OnceLock<Answer<()>>,
}

/// The macros that are simulated.
pub(crate) const MACROS: [&str; 2] = ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"];

impl Body {
    /// Refuses what AWS refuses in any template; of one with macros, what they make of it.
    pub(crate) fn inspect(
        &self,
        parameters: &BTreeMap<String, ParameterValue>,
        opaque: &BTreeSet<String>,
    ) -> Answer<()> {
        let inspected = || {
            let processed = self.processed(parameters);
            if let Some(unknown) = processed.unknown().first() {
                let what = format!("{} ({})", unknown.pointer, unknown.message);
                return Err(Refusal::not_simulated(what));
            }
            let extended = self.template.transforms().iter().any(|name| name == MACROS[0]);
            inspect(processed.template().value(), extended, opaque)
        };
        if self.processed(parameters).hangs_on_parameters() {
            return inspected();
        }
        self.inspected.get_or_init(inspected).clone()
    }

    /// The template as its macros leave it.
    pub(crate) fn processed(&self, parameters: &BTreeMap<String, ParameterValue>) -> Processed<'_> {
        // Most templates have none, and need no copies of what is given.
        if self.template.transforms().is_empty() {
            return self.template.processed(&BTreeMap::new());
        }
        let given = parameters.iter().map(|(name, value)| {
            let text = value.resolved.as_ref().unwrap_or(&value.value);
            (name.clone(), Given::Text(text.clone()))
        });
        self.template.processed(&given.collect())
    }
}

/// Every template that was ever given to this cloud.
#[derive(Debug)]
pub(crate) struct Library {
    folder: Option<PathBuf>,
    bodies: Mutex<BTreeMap<Arc<str>, Arc<Body>>>,
}

impl Library {
    /// Templates in memory, and in `folder` if there is one.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, bodies: Mutex::default() }
    }

    /// Keeps a template; refused when it cannot be parsed.
    pub(crate) fn add(&self, text: &str) -> Answer<Arc<Body>> {
        let key: Arc<str> = Digest::of(text.as_bytes()).to_string().into();
        if let Some(body) = self.known(&key) {
            return Ok(body);
        }
        let template = Template::parse(text)
            .map_err(|error| Refusal::validation(format!("Template format error: {error}")))?;
        if let Some(folder) = &self.folder {
            let path = folder.join(format!("{key}.template"));
            write_whole(&path, text.as_bytes()).map_err(|error| internal(&error.to_string()))?;
        }
        Ok(self.keep(key, template))
    }

    /// The template that a stack was made from.
    pub(crate) fn find(&self, key: &Arc<str>) -> Answer<Arc<Body>> {
        if let Some(body) = self.known(key) {
            return Ok(body);
        }
        let template = self.read(key).map_err(|error| internal(&error.to_string()))?;
        Ok(self.keep(key.clone(), template))
    }

    fn read(&self, key: &Arc<str>) -> Result<Template, CloudError> {
        let folder = self.folder.clone().unwrap_or_default();
        let path = folder.join(format!("{key}.template"));
        let corrupt = |problem: String| CloudError::Corrupt { path: path.clone(), problem };
        let text = fs::read_to_string(&path)
            .map_err(|source| CloudError::Unreadable { path: path.clone(), source })?;
        if Digest::of(text.as_bytes()).to_string() != **key {
            return Err(corrupt("its text does not have the hash in its name".to_owned()));
        }
        Template::parse(&text).map_err(|error| corrupt(error.to_string()))
    }

    fn known(&self, key: &str) -> Option<Arc<Body>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: Arc<str>, template: Template) -> Arc<Body> {
        let body = Arc::new(Body { key: key.clone(), template, inspected: OnceLock::new() });
        let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        bodies.insert(key, body.clone());
        body
    }
}

fn internal(text: &str) -> Refusal {
    Refusal::new("InternalFailure", text).with_status(500)
}
