//! A declaration in the parameters cell: a name, its type, and the text for declaring it
//! again.

use super::kind::Kind;
use super::written::of_type;
use ra_ap_syntax::ast::{self, AstNode};
use ra_ap_syntax::{Edition, SourceFile};
use std::collections::BTreeMap;

/// The types of the parameters cell's variables by name, as reported by rustc.
pub type Types = BTreeMap<String, String>;

/// One name that the parameters cell declares.
#[derive(Debug, Clone)]
pub struct Declared {
    /// As written: `r#type` with its `r#`.
    pub name: String,
    /// `let mut name`; empty for anything but a `let` of one name.
    pub start: String,
    /// The text before the value: `let steps: usize = `.
    pub head: String,
    pub kind: Result<Kind, Unknown>,
    /// The type, as written or as inferred.
    pub ty: String,
    /// The default's source text; empty without one.
    pub default: String,
    /// Whether the type is written in full.
    pub annotated: bool,
    /// Whether a part of the type depends on the rest of the cell.
    pub inferred: bool,
    /// Whether it is a `const` or a `static`.
    pub constant: bool,
}

/// Why no value can be given for a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// The type is not clear from the text.
    Inference,
    /// The type is written, but its values cannot be given as text.
    Type,
    /// The name is bound within a pattern.
    Pattern,
}

impl Declared {
    /// The declaration with another value.
    pub fn with(&self, value: &str) -> String {
        match self.inferred {
            // Both branches have the same type, that of the existing name.
            true => format!(
                "{}if false {{ {} }} else {{ {value} }};",
                self.head, self.name
            ),
            false => format!("{}{value};", self.head),
        }
    }

    /// The default as written by the user, without the code that [`Declared::with`] adds
    /// around it.
    pub fn plain_default(&self) -> String {
        let around = format!("if false {{ {} }} else {{ ", self.name);
        let inner = self.default.strip_prefix(&around);
        let inner = inner.and_then(|inner| inner.strip_suffix(" }"));
        inner.unwrap_or(&self.default).to_owned()
    }

    /// Whether the type, or a part of it, is not determined by the text.
    pub fn needs_rustc(&self) -> bool {
        match &self.kind {
            Ok(kind) => self.inferred || kind.is_open(),
            Err(Unknown::Inference | Unknown::Type) => true,
            Err(Unknown::Pattern) => false,
        }
    }

    /// Whether rustc compiled the cell but reported no type, because the cell moves the
    /// variable.
    pub fn is_moved(&self, types: &Types) -> bool {
        let is_open = self.inferred || matches!(self.kind, Err(Unknown::Inference));
        is_open && !self.constant && !types.contains_key(bare(&self.name))
    }

    /// The declaration with the type reported by rustc, where the text does not determine it.
    pub fn decided(&self, types: &Types) -> Self {
        let mut decided = self.clone();
        let Some(said) = types.get(bare(&self.name)).filter(|_| self.needs_rustc()) else {
            return decided;
        };
        let Some(kind) = parsed(said) else {
            if self.kind.is_err() {
                decided.ty.clone_from(said);
                decided.kind = Err(Unknown::Type);
            }
            return decided;
        };
        if !self.annotated {
            decided.head = format!("{}: {} = ", self.start, kind.name(true));
            (decided.annotated, decided.inferred) = (true, false);
        }
        decided.ty = kind.to_string();
        decided.kind = Ok(with_unit(kind, self.kind.clone().ok()));
        decided
    }

    /// `let n = 10`, for messages.
    pub fn text(&self) -> String {
        format!("{}{}", self.head, shortened(&self.default))
    }

    /// Whether `-p name=..` refers to this.
    pub fn is(&self, name: &str) -> bool {
        bare(&self.name) == bare(name)
    }

    /// Whether its values must be written with their full type.
    pub fn says_types(&self) -> bool {
        !self.annotated && !self.inferred
    }
}

/// A text shortened to 40 characters.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

/// The type named by a text.
fn parsed(ty: &str) -> Option<Kind> {
    let parse = SourceFile::parse(&format!("type T = {ty};"), Edition::Edition2024);
    let alias = parse
        .tree()
        .syntax()
        .descendants()
        .find_map(ast::TypeAlias::cast)?;
    of_type(&alias.ty()?)
}

/// A name without its `r#`.
pub fn bare(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// A plain number for a duration has the unit of the default.
pub fn with_unit(kind: Kind, default: Option<Kind>) -> Kind {
    match (kind, default) {
        (Kind::Duration(None), Some(default @ Kind::Duration(_))) => default,
        (kind, _) => kind,
    }
}
