//! Template bodies by the hash of their text: each is kept and parsed once, however many stacks use it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::ids::Digest;
use crate::sim::folder::{CloudError, write_whole};
use crate::sim::inspection::inspect;
use crate::sim::refusal::{Answer, Refusal};
use crate::template::Template;

/// One template.
#[derive(Debug)]
pub(crate) struct Body {
    /// Hash of the text.
    pub(crate) key: Arc<str>,
    pub(crate) template: Template,
    /// The same for all stacks of a cloud, and thousands use one template.
    inspected: OnceLock<Answer<()>>,
}

impl Body {
    /// Refuses what AWS refuses in any template.
    pub(crate) fn inspect(&self, opaque: &BTreeSet<String>) -> Answer<()> {
        self.inspected.get_or_init(|| inspect(self.template.value(), opaque)).clone()
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
