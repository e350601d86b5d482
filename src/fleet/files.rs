//! The files that documents point to: templates, each read once, and stack policies.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::fleet::build_outputs::{BuildOutputSpec, BuildOutputs};
use crate::fleet::finding::{MAX_FINDINGS, shortened};
use crate::fleet::reader::{Reader, nearest};
use crate::fleet::yaml::Node;
use crate::fleet::{BuildOutput, Finding, Severity, StackPolicy};
use crate::package::{Package, Packaged, Packages, Problem};
use crate::snapshot::{Snapshot, Unreadable, join};
use crate::template::{Template, limits};

/// CloudFormation's limit on stack policies, in bytes.
const MAX_POLICY_BYTES: usize = 16_384;

/// The files of one snapshot.
pub(super) struct Files<'s> {
    snapshot: &'s Snapshot,
    /// By path; `None` for a template that was reported already.
    templates: BTreeMap<String, Option<Arc<Template>>>,
    build_outputs: BuildOutputs,
    /// What was packaged of the revision before.
    before: &'s Packaged,
    packages: Packages<'s>,
    /// Findings in templates.
    pub(super) findings: Vec<Finding>,
}

impl<'s> Files<'s> {
    /// Those of a snapshot after an earlier one: what did not change is not packaged again.
    pub(super) fn after(before: &'s Packaged, snapshot: &'s Snapshot) -> Self {
        Self {
            snapshot,
            before,
            templates: BTreeMap::new(),
            build_outputs: BuildOutputs::default(),
            packages: Packages::of(snapshot),
            findings: Vec::new(),
        }
    }

    /// Begins to package, when all build outputs are known.
    pub(super) fn begin(&mut self) {
        let built = std::mem::take(&mut self.build_outputs).into_built();
        self.packages = Packages::of(self.snapshot).with_built(built).after(self.before);
    }

    /// The build outputs of a service. All services say theirs before the first template is packaged.
    pub(super) fn build_outputs(
        &mut self,
        specs: Vec<BuildOutputSpec>,
        document: (&Arc<str>, &Node),
        reader: &mut Reader<'_>,
    ) -> Vec<BuildOutput> {
        self.build_outputs.take(specs, self.snapshot, document, reader)
    }

    /// The template that `spec.template` names with all that it points to, and its path in the fleet
    /// folder.
    pub(super) fn package(
        &mut self,
        named: &str,
        node: &Node,
        reader: &mut Reader<'_>,
    ) -> Option<(String, Arc<Package>)> {
        let pointer = ["spec", "template"];
        let (path, template) = self.template_at(named, &pointer, node, reader)?;
        let package = self.packages.package(&path, &template);
        for problem in self.packages.problems() {
            self.problem(problem);
        }
        if package.is_none() {
            refers_to_broken(&path, &pointer, node, reader);
        }
        package.map(|package| (path, package))
    }

    /// What was packaged, for the next revision.
    pub(super) fn packaged(self) -> Packaged {
        self.packages.finish()
    }

    fn problem(&mut self, problem: Problem) {
        let Problem { path, pointer, position, message, help } = problem;
        let text = self.snapshot.read(&path).ok().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let place = position.or_else(|| {
            // Parsed once more, for the few that have problems.
            let at = Template::parse(text?).ok()?.position(&pointer)?;
            Some((at.line, at.column))
        });
        self.report("template-path", &path, place.unwrap_or((0, 0)), message, help);
    }

    /// The template that the field at `pointer` names, with its path in the fleet folder.
    pub(super) fn template_at(
        &mut self,
        named: &str,
        pointer: &[&str],
        node: &Node,
        reader: &mut Reader<'_>,
    ) -> Option<(String, Arc<Template>)> {
        let (path, text) = self.text(named, pointer, node, reader)?;
        if let Some(known) = self.templates.get(&path) {
            let template = known.clone();
            if template.is_none() {
                // The service cannot be used either; the finding in the template says why.
                refers_to_broken(&path, pointer, node, reader);
            }
            return template.map(|template| (path, template));
        }
        let unchanged = self.packages.unchanged(&path);
        let template = unchanged.or_else(|| self.parse(&path, text));
        self.templates.insert(path.clone(), template.clone());
        if template.is_none() {
            refers_to_broken(&path, pointer, node, reader);
        }
        template.map(|template| (path, template))
    }

    fn parse(&mut self, path: &str, text: &str) -> Option<Arc<Template>> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                let (line, column) = error.position.map_or((0, 0), |at| (at.line, at.column));
                let help = error.help.unwrap_or_else(|| "Correct the template here.".to_owned());
                self.report("template-syntax", path, (line, column), error.message, help);
                return None;
            }
        };
        let flaws = limits(&template);
        let positions = (!flaws.is_empty()).then(|| template.positions());
        for flaw in flaws {
            let place = positions.as_ref().and_then(|positions| positions.of(&flaw.pointer));
            let place = place.map_or((0, 0), |at| (at.line, at.column));
            self.report("template-limit", path, place, flaw.message, flaw.help);
        }
        Some(Arc::new(template))
    }

    fn report(
        &mut self,
        code: &'static str,
        path: &str,
        (line, column): (usize, usize),
        message: String,
        help: String,
    ) {
        // The first finding refuses the revision; what is beyond the limit is cut off at the end.
        if self.findings.len() > MAX_FINDINGS {
            return;
        }
        let (path, severity, help) = (path.to_owned(), Severity::Error, Some(shortened(help)));
        let message = shortened(message);
        self.findings.push(Finding { code, severity, path, line, column, message, help });
    }

    /// The stack policy that `spec.stackPolicy` names.
    pub(super) fn stack_policy(
        &self,
        named: &str,
        node: &Node,
        reader: &mut Reader<'_>,
    ) -> Option<Arc<StackPolicy>> {
        let (path, text) = self.text(named, &["spec", "stackPolicy"], node, reader)?;
        let place = node.find(&["spec", "stackPolicy"]);
        let policy = match StackPolicy::parse(text) {
            Ok(policy) => policy,
            Err(error) => {
                let message = format!("`{path}` is not a stack policy: {error}");
                let help = "write a JSON object with `Statement`".to_owned();
                reader.error(place, "bad-stack-policy", message, Some(help));
                return None;
            }
        };
        if policy.body.len() > MAX_POLICY_BYTES {
            let message = format!(
                "`{path}` has {} bytes; {MAX_POLICY_BYTES} is CloudFormation's limit",
                policy.body.len()
            );
            let help = "join or remove statements".to_owned();
            reader.error(place, "bad-stack-policy", message, Some(help));
            return None;
        }
        Some(Arc::new(policy))
    }

    /// The text of the file that the field at `pointer` names, with its path in the fleet folder.
    fn text(
        &self,
        named: &str,
        pointer: &[&str],
        node: &Node,
        reader: &mut Reader<'_>,
    ) -> Option<(String, &'s str)> {
        let place = node.find(pointer);
        let Some(path) = join(reader.path(), named).filter(|path| !path.is_empty()) else {
            let message = format!("`{named}` leaves the fleet folder");
            let help = "only files of the fleet folder are read: move it there".to_owned();
            reader.error(place, "outside-fleet", message, Some(help));
            return None;
        };
        let bytes = match self.snapshot.read(&path) {
            Ok(bytes) => bytes,
            Err(Unreadable(message)) => {
                let files = self.snapshot.entries().map(|(path, _)| path);
                let help = match nearest(&path, files) {
                    Some(file) => format!("did you mean `{file}`?"),
                    None => "add the file, or correct the path".to_owned(),
                };
                reader.error(place, "file-unreadable", message, Some(help));
                return None;
            }
        };
        let Ok(text) = std::str::from_utf8(bytes) else {
            let message = format!("`{path}` is not UTF-8 text");
            reader.error(place, "not-utf-8", message, Some("save it as UTF-8".into()));
            return None;
        };
        Some((path, text))
    }
}

fn refers_to_broken(path: &str, pointer: &[&str], node: &Node, reader: &mut Reader<'_>) {
    let message = format!("the template `{path}` has errors");
    let help = format!("correct what is found in `{path}`");
    reader.error(node.find(pointer), "template-broken", message, Some(help));
}
