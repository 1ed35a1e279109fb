//! YAML as a tree that knows its lines, so that what is wrong is said with its place. Anchors, aliases and merge keys (`<<`) are resolved.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// Aliases can make a small file large.
const MOST_NODES: usize = 10_000;
const DEEPEST: usize = 32;

/// A value of the file, with the line it begins at.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    line: usize,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Null,
    Text(String),
    List(Vec<Node>),
    /// Key, its line, value.
    Map(Vec<(String, usize, Node)>),
}

/// A value with the keys that lead to it.
#[derive(Clone, Debug)]
pub(crate) struct At<'a> {
    path: String,
    line: usize,
    node: &'a Node,
}

/// Reads a file with one document.
///
/// # Errors
///
/// What is wrong, with its line.
pub(crate) fn parse(text: &str) -> Result<Node, String> {
    let mut builder = Builder { events: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    let mut root = None;
    while let Some((event, line)) = builder.event()? {
        match event {
            Event::DocumentStart(_) if root.is_some() => return Err(format!("line {line}: a second document begins")),
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            event => root = Some(builder.node(event, line, 0)?),
        }
    }
    Ok(root.unwrap_or(Node { line: 1, value: Value::Null }))
}

impl Node {
    pub(crate) fn root(&self) -> At<'_> {
        At { path: String::new(), line: self.line, node: self }
    }

    fn nodes(&self) -> usize {
        1 + match &self.value {
            Value::Null | Value::Text(_) => 0,
            Value::List(list) => list.iter().map(Self::nodes).sum(),
            Value::Map(map) => map.iter().map(|(.., node)| node.nodes()).sum(),
        }
    }
}

impl<'a> At<'a> {
    /// The message behind the line and the keys.
    pub(crate) fn error(&self, message: impl std::fmt::Display) -> String {
        if self.path.is_empty() {
            format!("line {}: {message}", self.line)
        } else {
            format!("line {}: {}: {message}", self.line, self.path)
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    pub(crate) fn text(&self) -> Result<&'a str, String> {
        match &self.node.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.error("a text is expected here")),
        }
    }

    pub(crate) fn flag(&self) -> Result<bool, String> {
        match self.text()?.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Ok(true),
            "false" | "no" | "off" => Ok(false),
            _ => Err(self.error("true or false is expected here")),
        }
    }

    /// The elements of a list; one text is a list of itself where `or_text` says so.
    pub(crate) fn list(&self, or_text: bool) -> Result<Vec<Self>, String> {
        match &self.node.value {
            Value::Null => Ok(Vec::new()),
            Value::List(list) => {
                Ok(list.iter().map(|node| Self { path: self.path.clone(), line: node.line, node }).collect())
            }
            Value::Text(_) if or_text => Ok(vec![self.clone()]),
            _ => Err(self.error("a list is expected here")),
        }
    }

    /// Keys and values.
    pub(crate) fn entries(&self) -> Result<Vec<(&'a str, Self)>, String> {
        match &self.node.value {
            Value::Null => Ok(Vec::new()),
            Value::Map(map) => {
                Ok(map.iter().map(|(key, line, node)| (key.as_str(), self.below(key, *line, node))).collect())
            }
            _ => Err(self.error("keys with values are expected here")),
        }
    }

    fn below(&self, key: &str, line: usize, node: &'a Node) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { path, line, node }
    }
}

struct Builder<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'a> Builder<'a> {
    fn event(&mut self) -> Result<Option<(Event<'a>, usize)>, String> {
        let next = self.events.next().transpose();
        let next = next.map_err(|error| format!("line {}: {}", error.marker().line(), error.info()))?;
        Ok(next.map(|(event, span)| (event, span.start.line())))
    }

    fn next(&mut self) -> Result<(Event<'a>, usize), String> {
        self.event()?.ok_or_else(|| "the file ends too early".to_owned())
    }

    fn node(&mut self, event: Event<'a>, line: usize, depth: usize) -> Result<Node, String> {
        self.count(1, line)?;
        if depth > DEEPEST {
            return Err(format!("line {line}: it is nested too deeply"));
        }
        let (anchor, value) = match event {
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| format!("line {line}: the alias leads to what it is in"))?;
                self.count(node.nodes(), line)?;
                return Ok(Node { line, ..node });
            }
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(tag) = tag {
                    return Err(format!("line {line}: the tag {tag} is not supported"));
                }
                let is_null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                (anchor, if is_null { Value::Null } else { Value::Text(text.into_owned()) })
            }
            Event::SequenceStart(anchor, _) => (anchor, self.sequence(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.mapping(depth)?),
            _ => return Err(format!("line {line}: a value is expected here")),
        };
        let node = Node { line, value };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, depth: usize) -> Result<Value, String> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(list)),
                (event, line) => list.push(self.node(event, line, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Value, String> {
        let (mut map, mut merged): (Vec<(String, usize, Node)>, Vec<Node>) = (Vec::new(), Vec::new());
        loop {
            let (event, line) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let Value::Text(key) = self.node(event, line, depth + 1)?.value else {
                return Err(format!("line {line}: a key must be a text"));
            };
            let (event, at) = self.next()?;
            let node = self.node(event, at, depth + 1)?;
            if key == "<<" {
                merged.push(node);
            } else if map.iter().any(|(known, ..)| *known == key) {
                return Err(format!("line {line}: {key} is there twice"));
            } else {
                map.push((key, line, node));
            }
        }
        // What is written out goes before what is merged, and the first of several before the others.
        for node in merged {
            let (line, sources) = (node.line, if let Value::List(list) = node.value { list } else { vec![node] });
            for source in sources {
                let Value::Map(entries) = source.value else {
                    return Err(format!("line {line}: << merges keys with values"));
                };
                for entry in entries {
                    if !map.iter().any(|(known, ..)| *known == entry.0) {
                        map.push(entry);
                    }
                }
            }
        }
        Ok(Value::Map(map))
    }

    fn count(&mut self, more: usize, line: usize) -> Result<(), String> {
        self.nodes += more;
        if self.nodes > MOST_NODES { Err(format!("line {line}: the file is too large")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn what_is_wrong_has_its_line() {
        for (text, error) in [
            ("a: 1\nb: [1\n", "line "),
            ("a: 1\na: 2\n", "line 2: a is there twice"),
            ("a: !!int 1\n", "line 1: the tag"),
            ("a: 1\n---\nb: 1\n", "a second document begins"),
            ("? [a]\n: 1\n", "line 1: a key must be a text"),
            ("<<: 1\n", "<< merges keys with values"),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.contains(error), "{found}");
        }
    }

    #[test]
    fn anchors_and_merges() {
        let node = parse("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [*a]\n").unwrap();
        let entries = node.root().entries().unwrap();
        let values = |at: &At<'_>| {
            at.entries().unwrap().iter().map(|(key, at)| format!("{key}{}", at.text().unwrap())).collect::<Vec<_>>()
        };
        let (_, b) = entries.get(1).unwrap();
        assert_eq!(values(b), ["y3", "x1"]);
        assert_eq!(b.entries().unwrap().first().unwrap().1.error("no"), "line 2: b.y: no");
    }

    #[test]
    fn an_alias_cannot_grow_without_end() {
        let mut text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
        for level in 1..9 {
            let aliases = format!("*a{}, ", level - 1).repeat(9);
            text += &format!("a{level}: &a{level} [{}]\n", aliases.trim_end_matches(", "));
        }
        assert!(parse(&text).unwrap_err().contains("too large"));
        assert!(parse(&"[".repeat(100)).is_err());
    }
}
