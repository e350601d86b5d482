//! YAML as CloudFormation reads it, from parser events: short-form tags become long forms, aliases
//! are expanded within bounds, and only what surely is a number or boolean is not a string.

use std::collections::BTreeMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::Value;

use crate::template::tree::{
    Entry, MAX_ALIASED, MAX_DEPTH, Node, Position, TemplateError, depth_error, null_error,
    number_or_text,
};

/// Tags whose long form is `Fn::` and the tag.
const FUNCTIONS: [&str; 25] = [
    "And",
    "Base64",
    "Cidr",
    "Contains",
    "EachMemberEquals",
    "EachMemberIn",
    "Equals",
    "FindInMap",
    "GetAtt",
    "GetAZs",
    "GetStackOutput",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "RefAll",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
    "ValueOf",
    "ValueOfAll",
];

/// Reads the one document of a text.
pub(super) fn read(text: &str) -> Result<Rc<Node>, TemplateError> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        end: Position::end_of(text),
        anchors: BTreeMap::new(),
        aliased: 0,
    };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) => {}
            Event::StreamEnd | Event::DocumentEnd => {
                return Err(TemplateError::at(reader.place(&span.start), "The text is empty."));
            }
            Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd => {
                let root = reader.node(event, span, 0)?;
                reader.expect_end()?;
                return Ok(root);
            }
        }
    }
}

struct Reader<'text> {
    parser: Parser<'text, StrInput<'text>>,
    /// The parser puts what is missing at the end onto a line that is not there.
    end: Position,
    anchors: BTreeMap<usize, Rc<Node>>,
    /// Nodes and bytes that aliases added so far.
    aliased: usize,
}

/// What a tag makes of the node that carries it.
enum Form {
    /// No tag, or one that says what is known anyway.
    Plain,
    /// `!` and `!!str`: a scalar is a string.
    Text,
    /// A short form and the key of its long form.
    Function(String),
}

impl<'text> Reader<'text> {
    fn next(&mut self) -> Result<(Event<'text>, Span), TemplateError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let message = format!("This is not YAML: {}.", error.info());
                Err(TemplateError::at(self.place(error.marker()), message))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn place(&self, marker: &Marker) -> Position {
        Position { line: marker.line().max(1), column: marker.col() + 1 }.min(self.end)
    }

    fn expect_end(&mut self) -> Result<(), TemplateError> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => return Ok(()),
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::Alias(_)
                | Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::SequenceEnd
                | Event::MappingStart(..)
                | Event::MappingEnd => {
                    return Err(TemplateError::at(
                        self.place(&span.start),
                        "There is text after the first YAML document.",
                    )
                    .with_help("Keep one document in the file; remove `---` and what follows."));
                }
            }
        }
    }

    fn node(
        &mut self,
        event: Event<'text>,
        span: Span,
        depth: usize,
    ) -> Result<Rc<Node>, TemplateError> {
        let position = self.place(&span.start);
        if depth > MAX_DEPTH {
            return Err(depth_error(position));
        }
        match event {
            Event::Alias(anchor) => self.alias(anchor, position, depth),
            Event::Scalar(text, style, anchor, tag) => {
                let form = form_of(tag.as_deref(), position)?;
                let value = scalar(&text, style, &form, position)?;
                self.finish(form, position, anchor, Node::scalar(position, value))
            }
            Event::SequenceStart(anchor, tag) => {
                let form = form_of(tag.as_deref(), position)?;
                let items = self.items(depth + form.depth())?;
                self.finish(form, position, anchor, Node::list(position, items))
            }
            Event::MappingStart(anchor, tag) => {
                let form = form_of(tag.as_deref(), position)?;
                let entries = self.entries(depth + form.depth())?;
                self.finish(form, position, anchor, Node::map(position, entries)?)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Err(TemplateError::at(position, "A value is missing here.")),
        }
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Rc<Node>>, TemplateError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, TemplateError> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(entries);
            }
            let position = self.place(&span.start);
            let key = key_text(event, position)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            entries.push(Node::entry(key, position, value));
        }
    }

    /// Wraps a node whose tag was a short form, and remembers it if it has an anchor.
    fn finish(
        &mut self,
        form: Form,
        position: Position,
        anchor: usize,
        node: Rc<Node>,
    ) -> Result<Rc<Node>, TemplateError> {
        let node = match form {
            Form::Plain | Form::Text => node,
            Form::Function(key) => Node::map(position, vec![Node::entry(key, position, node)])?,
        };
        // The parser counts anchors from one; zero is "none".
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    fn alias(
        &mut self,
        anchor: usize,
        position: Position,
        depth: usize,
    ) -> Result<Rc<Node>, TemplateError> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(TemplateError::at(position, "This alias is part of what it stands for."));
        };
        self.aliased = self.aliased.saturating_add(node.weight);
        if self.aliased > MAX_ALIASED {
            return Err(TemplateError::at(
                position,
                format!("Aliases make this text larger than {MAX_ALIASED} bytes."),
            )
            .with_help("Write the values out, or use a mapping."));
        }
        if depth + node.height > MAX_DEPTH {
            return Err(depth_error(position));
        }
        Ok(Rc::clone(node))
    }
}

impl Form {
    /// How many levels the long form adds.
    fn depth(&self) -> usize {
        match self {
            Self::Plain | Self::Text => 0,
            Self::Function(_) => 1,
        }
    }
}

fn form_of(tag: Option<&Tag>, position: Position) -> Result<Form, TemplateError> {
    let Some(tag) = tag else { return Ok(Form::Plain) };
    let shown = if tag.is_yaml_core_schema() {
        match tag.suffix.as_str() {
            "str" => return Ok(Form::Text),
            "int" | "float" | "bool" | "null" | "seq" | "map" => return Ok(Form::Plain),
            other => format!("!!{other}"),
        }
    } else {
        match (tag.handle.as_str(), tag.suffix.as_str()) {
            ("", "!") | ("!", "") => return Ok(Form::Text),
            ("!", "Ref" | "Condition") => return Ok(Form::Function(tag.suffix.clone())),
            ("!", name) if FUNCTIONS.contains(&name) => {
                return Ok(Form::Function(format!("Fn::{name}")));
            }
            (handle, suffix) => format!("{handle}{suffix}"),
        }
    };
    Err(TemplateError::at(position, format!("The tag `{shown}` is unknown to CloudFormation."))
        .with_help(
            "Use a short form such as `!Ref` or `!Sub`, or quote a text that starts with `!`.",
        ))
}

fn key_text(event: Event<'_>, position: Position) -> Result<String, TemplateError> {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, _, _) if text.is_empty() => {
            Err(TemplateError::at(position, "A key is missing before this colon."))
        }
        Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<" => {
            Err(TemplateError::at(position, "CloudFormation does not merge maps with `<<`.")
                .with_help("Write the keys out."))
        }
        Event::Scalar(text, _, _, None) => Ok(text.into_owned()),
        Event::Nothing
        | Event::StreamStart
        | Event::StreamEnd
        | Event::DocumentStart(_)
        | Event::DocumentEnd
        | Event::Alias(_)
        | Event::Scalar(..)
        | Event::SequenceStart(..)
        | Event::SequenceEnd
        | Event::MappingStart(..)
        | Event::MappingEnd => Err(TemplateError::at(position, "A key must be a plain text.")
            .with_help("Write the key without tag, alias or brackets.")),
    }
}

fn scalar(
    text: &str,
    style: ScalarStyle,
    form: &Form,
    position: Position,
) -> Result<Value, TemplateError> {
    if style != ScalarStyle::Plain {
        return Ok(text.into());
    }
    match (text, form) {
        ("", Form::Plain | Form::Function(_)) => Err(null_error(position)),
        (_, Form::Text | Form::Function(_)) => Ok(text.into()),
        ("~" | "null" | "Null" | "NULL", Form::Plain) => Err(null_error(position)),
        ("true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON", Form::Plain) => {
            Ok(true.into())
        }
        ("false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF", Form::Plain) => {
            Ok(false.into())
        }
        (_, Form::Plain) => Ok(number_or_text(text)),
    }
}
