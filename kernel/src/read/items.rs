//! The items of a cell: what they define, what they mention, and what must be rewritten so
//! that other cells can access them.

use super::heads::{ImplHead, StaticHead, assoc_names, impl_head, static_head};
use super::imports::{Import, extern_crate, imports};
use super::publish;
use super::text::Insertion;
pub use super::text::Space;
use super::words;
use ra_ap_syntax::ast::{self, HasName};
use ra_ap_syntax::{AstNode, NodeOrToken, SyntaxNode, T};
use std::collections::HashSet;
use std::ops::Range;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Struct,
    Enum,
    Union,
    Trait,
    Alias,
    Fn,
    Const,
    Static,
    Mod,
    /// `mod name;`
    ModFile,
    MacroRules,
    Impl,
    /// A macro call that expands to items unknown before compilation.
    MacroCall,
    Use,
    /// Foreign functions, assembly, unnamed constants.
    Other,
}

impl Kind {
    /// Whether values or other types depend on which definition of a name this is: a new
    /// definition is a different type.
    pub fn has_identity(self) -> bool {
        use Kind::{Enum, MacroCall, Mod, ModFile, Static, Struct, Trait, Union};
        matches!(
            self,
            Struct | Enum | Union | Trait | Static | Mod | ModFile | MacroCall
        )
    }
}

/// An item of a cell.
#[derive(Debug, Clone)]
pub struct Item {
    /// In the cell's text, including attributes and doc comments.
    pub range: Range<usize>,
    pub kind: Kind,
    pub names: Vec<(Space, String)>,
    pub insertions: Vec<Insertion>,
    /// The tokens without spaces and comments: two definitions with equal tokens are the same.
    pub tokens: String,
    pub words: HashSet<String>,
    pub imports: Vec<Import>,
    pub impl_head: Option<ImplHead>,
    pub static_head: Option<StaticHead>,
    /// Names of a trait's items: code that calls one of them needs the trait.
    pub trait_names: Vec<String>,
}

impl Item {
    /// `before`: the length of the text before the cell's text in the parsed source.
    pub fn from_ast(item: &ast::Item, range: Range<usize>, before: usize, code: &str) -> Self {
        let mut read = Self::new(kind(item), range, tokens(item.syntax()), code);
        read.names = names(item);
        match item {
            ast::Item::Use(item) => read.imports = item.use_tree().map_or_else(Vec::new, imports),
            ast::Item::ExternCrate(item) => read.imports = extern_crate(item),
            ast::Item::Impl(item) => read.impl_head = Some(impl_head(item)),
            ast::Item::Static(item) => read.static_head = static_head(item),
            ast::Item::Trait(item) => {
                let items = item.assoc_item_list();
                read.trait_names = items.map_or_else(Vec::new, |items| assoc_names(&items));
            }
            _ => {}
        }
        if read.kind != Kind::Use {
            read.insertions = publish::item(item, before);
            read.insertions
                .extend(paths_of_the_crate(item.syntax(), before));
            read.insertions.sort_by_key(|insertion| insertion.at);
        }
        read
    }

    /// A macro call in place of items.
    pub fn from_macro_call(call: &ast::MacroCall, range: Range<usize>, code: &str) -> Self {
        let mut read = Self::new(Kind::MacroCall, range, tokens(call.syntax()), code);
        let before = usize::from(call.syntax().text_range().start()) - read.range.start;
        if let Some(tree) = call.token_tree() {
            read.insertions = publish::tokens(tree.syntax(), before);
            read.names = publish::names(tree.syntax());
        }
        read.insertions
            .extend(paths_of_the_crate(call.syntax(), before));
        read.insertions.sort_by_key(|insertion| insertion.at);
        read
    }

    fn new(kind: Kind, range: Range<usize>, tokens: String, code: &str) -> Self {
        let words = words::of(&code[range.clone()]);
        Self {
            words: words.into_iter().map(str::to_owned).collect(),
            range,
            kind,
            names: Vec::new(),
            insertions: Vec::new(),
            tokens,
            imports: Vec::new(),
            impl_head: None,
            static_head: None,
            trait_names: Vec::new(),
        }
    }

    /// Its name in messages.
    pub fn label(&self) -> String {
        match (&self.impl_head, self.names.first()) {
            (Some(head), _) => head.head.clone(),
            (None, Some((Space::Macro, name))) => format!("{name}!"),
            (None, Some((_, name))) => name.clone(),
            (None, None) => "an item without a name".to_owned(),
        }
    }
}

fn kind(item: &ast::Item) -> Kind {
    match item {
        ast::Item::Struct(_) => Kind::Struct,
        ast::Item::Enum(_) => Kind::Enum,
        ast::Item::Union(_) => Kind::Union,
        ast::Item::Trait(_) => Kind::Trait,
        ast::Item::TypeAlias(_) => Kind::Alias,
        ast::Item::Fn(_) => Kind::Fn,
        ast::Item::Const(item) if item.name().is_some() => Kind::Const,
        ast::Item::Static(_) => Kind::Static,
        ast::Item::Module(item) if item.item_list().is_some() => Kind::Mod,
        ast::Item::Module(_) => Kind::ModFile,
        ast::Item::MacroRules(_) | ast::Item::MacroDef(_) => Kind::MacroRules,
        ast::Item::Impl(_) => Kind::Impl,
        ast::Item::MacroCall(_) => Kind::MacroCall,
        ast::Item::Use(_) | ast::Item::ExternCrate(_) => Kind::Use,
        _ => Kind::Other,
    }
}

fn names(item: &ast::Item) -> Vec<(Space, String)> {
    let of = |name: Option<ast::Name>, spaces: &[Space]| -> Vec<(Space, String)> {
        let Some(name) = name else { return Vec::new() };
        let name = name.text().to_string();
        spaces.iter().map(|space| (*space, name.clone())).collect()
    };
    match item {
        ast::Item::Struct(item) => match item.field_list() {
            Some(ast::FieldList::RecordFieldList(_)) => of(item.name(), &[Space::Type]),
            _ => of(item.name(), &[Space::Type, Space::Value]),
        },
        ast::Item::Enum(item) => of(item.name(), &[Space::Type]),
        ast::Item::Union(item) => of(item.name(), &[Space::Type]),
        ast::Item::Trait(item) => of(item.name(), &[Space::Type]),
        ast::Item::TypeAlias(item) => of(item.name(), &[Space::Type]),
        ast::Item::Module(item) => of(item.name(), &[Space::Type]),
        ast::Item::Fn(item) => of(item.name(), &[Space::Value]),
        ast::Item::Const(item) => of(item.name(), &[Space::Value]),
        ast::Item::Static(item) => of(item.name(), &[Space::Value]),
        ast::Item::MacroRules(item) => of(item.name(), &[Space::Macro]),
        ast::Item::MacroDef(item) => of(item.name(), &[Space::Macro]),
        ast::Item::ExternBlock(item) => {
            let items = item.extern_item_list().into_iter();
            let named = items
                .flat_map(|list| list.extern_items())
                .flat_map(|item| match item {
                    ast::ExternItem::Fn(item) => of(item.name(), &[Space::Value]),
                    ast::ExternItem::Static(item) => of(item.name(), &[Space::Value]),
                    ast::ExternItem::TypeAlias(item) => of(item.name(), &[Space::Type]),
                    ast::ExternItem::MacroCall(_) => Vec::new(),
                });
            named.collect()
        }
        _ => Vec::new(),
    }
}

/// The tokens of a node, one space after each, without comments.
pub fn tokens(node: &SyntaxNode) -> String {
    let mut text = String::new();
    for token in node
        .descendants_with_tokens()
        .filter_map(NodeOrToken::into_token)
    {
        if !token.kind().is_trivia() {
            text.push_str(token.text());
            text.push(' ');
        }
    }
    text
}

/// A placeholder in an insertion for the cell's module within its crate, whose name is known when
/// the crate is written.
pub const MODULE: char = '\u{1}';

/// Paths that begin with `crate`: they refer to the module of the cell.
pub fn paths_of_the_crate(node: &SyntaxNode, before: usize) -> Vec<Insertion> {
    let mut found = Vec::new();
    for token in node
        .descendants_with_tokens()
        .filter_map(NodeOrToken::into_token)
    {
        if token.kind() != T![crate] {
            continue;
        }
        let mut next = token.next_token();
        while let Some(trivia) = next.as_ref().filter(|next| next.kind().is_trivia()) {
            next = trivia.next_token();
        }
        // In a token tree `::` may be two colons.
        let is_path = next.is_some_and(|next| matches!(next.kind(), T![::] | T![:]));
        if is_path {
            let at = usize::from(token.text_range().end()) - before;
            found.push(Insertion::new(at, format!("::{MODULE}")));
        }
    }
    found
}

/// Macros of widely used crates that expand to items.
pub fn known_item_macro(name: &str) -> bool {
    matches!(name, "thread_local" | "lazy_static" | "bitflags")
}

/// Whether the arguments of a macro begin like an item.
pub fn starts_like_an_item(tree: &str) -> bool {
    let inside = tree.trim_start_matches(['(', '[', '{']).trim_start();
    if inside.starts_with("#[") || inside.starts_with("# [") {
        return true;
    }
    let mut words = inside.split_whitespace();
    let (first, second) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let named = second.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let head = [
        "pub", "static", "struct", "enum", "fn", "trait", "impl", "mod", "type", "union",
    ];
    named && head.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ra_ap_syntax::ast::HasModuleItem;
    use ra_ap_syntax::{Edition, SourceFile};

    fn items(code: &str) -> Vec<Item> {
        let parse = SourceFile::parse(code, Edition::Edition2024);
        let items = parse.tree().items().map(|item| {
            let range = item.syntax().text_range();
            Item::from_ast(&item, range.start().into()..range.end().into(), 0, code)
        });
        items.collect()
    }

    #[test]
    fn comments_and_spaces_make_no_other_definition() {
        let code = |text: &str| items(text)[0].tokens.clone();
        assert_eq!(
            code("struct P { x: i32 }"),
            code("/// doc\nstruct P{x:i32 /* c */}")
        );
        assert_ne!(code("struct P { x: i32 }"), code("struct P { x: i64 }"));
    }

    #[test]
    fn names_live_in_their_own_spaces() {
        let of = |code: &str| items(code)[0].names.clone();
        let name = |space, name: &str| (space, name.to_owned());
        assert_eq!(of("struct A { x: u8 }"), [name(Space::Type, "A")]);
        assert_eq!(
            of("struct A(u8);"),
            [name(Space::Type, "A"), name(Space::Value, "A")]
        );
        assert_eq!(of("fn a() {}"), [name(Space::Value, "a")]);
        assert_eq!(of("macro_rules! a { () => {} }"), [name(Space::Macro, "a")]);
        assert_eq!(of("const _: () = ();"), []);
    }

    #[test]
    fn a_path_from_the_crate_goes_through_the_cells_module() {
        let item = &items("fn f() { crate::g(); m!(crate :: h); } ")[0];
        let at: Vec<usize> = item
            .insertions
            .iter()
            .filter(|insertion| insertion.text.contains(MODULE))
            .map(|insertion| insertion.at)
            .collect();
        assert_eq!(at, [14, 29]);
    }
}
