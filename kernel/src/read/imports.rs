//! The `use`s of a cell, one by one for each name.

use ra_ap_syntax::AstNode;
use ra_ap_syntax::ast::{self, HasName};

/// A name that a `use` imports, as a separate `use`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// `None` for a glob and for `as _`.
    pub name: Option<String>,
    pub text: String,
}

pub fn extern_crate(item: &ast::ExternCrate) -> Vec<Import> {
    let renamed = item.rename().map(|rename| rename.name());
    let name = match renamed {
        Some(name) => name.map(|name| name.text().to_string()),
        None => item.name_ref().map(|name| name.text().to_string()),
    };
    vec![Import {
        name,
        text: format!("{}", item.syntax().text()),
    }]
}

/// The imports of a `use`, one for each name.
pub fn imports(tree: ast::UseTree) -> Vec<Import> {
    let mut found = Vec::new();
    flatten(&tree, "", &mut found);
    found
}

fn flatten(tree: &ast::UseTree, prefix: &str, found: &mut Vec<Import>) {
    let path = tree.path().map(|path| path.syntax().text().to_string());
    let joined = match (&path, prefix) {
        (None, prefix) => prefix.to_owned(),
        (Some(path), "") => path.clone(),
        (Some(path), prefix) => format!("{prefix}::{path}"),
    };
    // `use ::{a, b}`
    let joined = match tree.coloncolon_token() {
        Some(_) if path.is_none() && prefix.is_empty() => String::new(),
        _ => joined,
    };
    if let Some(list) = tree.use_tree_list() {
        for tree in list.use_trees() {
            flatten(&tree, &joined, found);
        }
        return;
    }
    // A cell's `crate` is its module, which contains the names of the session.
    let joined = match joined.strip_prefix("crate") {
        Some(rest) if rest.is_empty() || rest.starts_with("::") => format!("self{rest}"),
        _ => joined,
    };
    if tree.star_token().is_some() {
        let text = match joined.is_empty() {
            true => "use *;".to_owned(),
            false => format!("use {joined}::*;"),
        };
        return found.push(Import { name: None, text });
    }
    let (path, last) = match joined.strip_suffix("::self") {
        Some(module) => (
            module.to_owned(),
            module.rsplit("::").next().unwrap_or(module),
        ),
        None => (
            joined.clone(),
            joined.rsplit("::").next().unwrap_or(&joined),
        ),
    };
    let import = match tree.rename() {
        Some(rename) => {
            let name = rename.name().map(|name| name.text().to_string());
            let alias = name.clone().unwrap_or_else(|| "_".to_owned());
            Import {
                name,
                text: format!("use {path} as {alias};"),
            }
        }
        None => Import {
            name: Some(last.to_owned()),
            text: format!("use {path};"),
        },
    };
    found.push(import);
}

#[cfg(test)]
mod tests {
    use super::*;
    use ra_ap_syntax::ast::HasModuleItem;
    use ra_ap_syntax::{Edition, SourceFile};

    #[test]
    fn a_use_is_taken_apart_name_by_name() {
        let code = "use a::{self, b::{c as d, e::*}, f as _}; use crate::g::H; use ::k;";
        let parse = SourceFile::parse(code, Edition::Edition2024);
        let trees = parse.tree().items().filter_map(|item| match item {
            ast::Item::Use(item) => item.use_tree(),
            _ => None,
        });
        let all: Vec<Import> = trees.flat_map(imports).collect();
        let found: Vec<(Option<&str>, &str)> = all
            .iter()
            .map(|import| (import.name.as_deref(), import.text.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (Some("a"), "use a;"),
                (Some("d"), "use a::b::c as d;"),
                (None, "use a::b::e::*;"),
                (None, "use a::f as _;"),
                (Some("H"), "use self::g::H;"),
                (Some("k"), "use ::k;"),
            ]
        );
    }
}
