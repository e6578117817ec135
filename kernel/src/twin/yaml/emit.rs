//! Writing YAML exactly as PyYAML's dumper does.

mod scalar;
mod writer;

use super::{Node, resolve};
use scalar::{Analysis, is_break};
use writer::Emitter;
pub use writer::Style;

/// The document of a map or list, with a final newline; maps keep their order.
pub fn emit(node: &Node, style: Style) -> String {
    let mut emitter = Emitter::new(style);
    emitter.node(node, false, false);
    if !emitter.out.ends_with('\n') {
        emitter.line_break();
    }
    emitter.out
}

impl Emitter {
    /// `in_map`: the node is a value of a map; `is_key`: it is a key of one.
    fn node(&mut self, node: &Node, in_map: bool, is_key: bool) {
        if let Some((text, is_text)) = node.scalar() {
            self.scalar(&text, is_text, is_key);
            return;
        }
        match node {
            Node::List(items) => {
                let nested = items.iter().any(|item| matches!(item, Node::Map(_)));
                let compact = self.style.compact && !nested;
                match self.flow > 0 || compact || items.is_empty() {
                    true => self.flow_list(items),
                    false => self.block_list(items, in_map),
                }
            }
            Node::Map(entries) => match self.flow > 0 || entries.is_empty() {
                true => self.flow_map(entries),
                false => self.block_map(entries),
            },
            _ => {}
        }
    }

    fn block_list(&mut self, items: &[Node], in_map: bool) {
        // A list that is a value of a map is not indented.
        let indentless = in_map && !self.indention;
        let before = self.deeper(false, indentless);
        for item in items {
            self.write_indent();
            self.mark("-", true, false, true);
            self.node(item, false, false);
        }
        self.indent = before;
    }

    fn block_map(&mut self, entries: &[(String, Node)]) {
        let before = self.deeper(false, false);
        for (key, value) in entries {
            self.write_indent();
            self.entry(key, value);
        }
        self.indent = before;
    }

    fn entry(&mut self, key: &str, value: &Node) {
        let key_node = Node::Text(key.to_owned());
        let simple = key.chars().count() < 128 && !key.contains(is_break);
        match simple {
            true => {
                self.node(&key_node, true, true);
                self.mark(":", false, false, false);
            }
            false => {
                self.mark("?", true, false, true);
                self.node(&key_node, true, false);
                self.write_indent();
                self.mark(":", true, false, true);
            }
        }
        self.node(value, true, false);
    }

    fn flow_list(&mut self, items: &[Node]) {
        self.mark("[", true, true, false);
        self.flow += 1;
        let before = self.deeper(true, false);
        for (n, item) in items.iter().enumerate() {
            if n > 0 {
                self.mark(",", false, false, false);
            }
            self.break_long_line();
            self.node(item, false, false);
        }
        self.indent = before;
        self.flow -= 1;
        self.mark("]", false, false, false);
    }

    fn flow_map(&mut self, entries: &[(String, Node)]) {
        self.mark("{", true, true, false);
        self.flow += 1;
        let before = self.deeper(true, false);
        for (n, (key, value)) in entries.iter().enumerate() {
            if n > 0 {
                self.mark(",", false, false, false);
            }
            self.break_long_line();
            self.entry(key, value);
        }
        self.indent = before;
        self.flow -= 1;
        self.mark("}", false, false, false);
    }

    fn scalar(&mut self, text: &str, is_text: bool, is_key: bool) {
        // A scalar's continuation lines are indented.
        let before = self.deeper(true, false);
        let found = Analysis::of(text, self.style.unicode);
        let plain = !is_text || !resolve::is_special(text);
        let bare = match self.flow > 0 {
            true => found.flow_plain,
            false => found.block_plain,
        };
        if plain && bare && !(is_key && (text.is_empty() || found.multiline)) {
            self.plain(text, !is_key);
        } else if found.single && !(is_key && found.multiline) {
            self.single_quoted(text, !is_key);
        } else {
            self.double_quoted(text, !is_key);
        }
        self.indent = before;
    }
}
