//! Reading YAML.

use super::{Node, resolve};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};
use std::collections::HashMap;

/// Why a text is not YAML, and in which line (from 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub line: usize,
    pub reason: String,
}

/// Limit on nesting; real metadata is never this deep.
const DEEPEST: usize = 64;

/// The first document of a text; `Null` where there is none.
pub fn read(text: &str) -> Result<Node, Fault> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(fault)?;
        if builder.take(event, span.start.line())? {
            break;
        }
    }
    Ok(builder.document.unwrap_or(Node::Null))
}

fn fault(error: ScanError) -> Fault {
    Fault {
        line: error.marker().line(),
        reason: error.info().to_owned(),
    }
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    document: Option<Node>,
}

struct Open {
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    /// The entries, and the key whose value is still to come.
    Map(Vec<(String, Node)>, Option<String>),
}

impl Builder {
    /// Handles an event; returns whether the first document is complete.
    fn take(&mut self, event: Event<'_>, line: usize) -> Result<bool, Fault> {
        let refuse = |reason: &str| Fault {
            line,
            reason: reason.to_owned(),
        };
        if self.open.len() > DEEPEST {
            return Err(refuse("values are nested too deep"));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.is_some_and(|tag| tag.suffix == "str");
                let node = match style {
                    ScalarStyle::Plain if !is_text => resolve::plain(&text),
                    _ => Node::Text(text.into_owned()),
                };
                self.keep(anchor, &node);
                self.put(node).map_err(refuse)?;
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| refuse("an alias of a value around it"))?;
                self.put(node).map_err(refuse)?;
            }
            Event::SequenceStart(anchor, _) => self.open.push(Open {
                anchor,
                kind: Kind::List(Vec::new()),
            }),
            Event::MappingStart(anchor, _) => self.open.push(Open {
                anchor,
                kind: Kind::Map(Vec::new(), None),
            }),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { anchor, kind }) = self.open.pop() {
                    let node = match kind {
                        Kind::List(items) => Node::List(items),
                        Kind::Map(entries, _) => Node::Map(entries),
                    };
                    self.keep(anchor, &node);
                    self.put(node).map_err(refuse)?;
                }
            }
            Event::DocumentEnd => return Ok(true),
            _ => {}
        }
        Ok(false)
    }

    fn keep(&mut self, anchor: usize, node: &Node) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn put(&mut self, node: Node) -> Result<(), &'static str> {
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.document = Some(node),
            Some(Kind::List(items)) => items.push(node),
            Some(Kind::Map(entries, key)) => match key.take() {
                Some(name) => match entries.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, value)) => *value = node,
                    None => entries.push((name, node)),
                },
                None => {
                    let (name, _) = node.scalar().ok_or("a key that is a list or a map")?;
                    *key = Some(name);
                }
            },
        }
        Ok(())
    }
}
