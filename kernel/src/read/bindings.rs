//! The names that a `let` of a cell binds.

use ra_ap_syntax::AstNode;
use ra_ap_syntax::ast::{self, HasName};

/// A variable as a cell binds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// As it is written: `r#type` with its prefix.
    pub name: String,
    pub mutable: bool,
}

impl Binding {
    /// The name without `r#`.
    pub fn plain(&self) -> &str {
        plain(&self.name)
    }
}

/// A name without `r#`.
pub fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// Adds the names that a `let` binds; a later binding of a name replaces an earlier one.
pub fn collect(statement: &ast::LetStmt, bindings: &mut Vec<Binding>) {
    let Some(pattern) = statement.pat() else {
        return;
    };
    let whole = pattern.syntax().clone();
    for ident in whole.descendants().filter_map(ast::IdentPat::cast) {
        let Some(name) = ident.name() else { continue };
        let name = name.text().to_string();
        // In a larger pattern a capitalised name is a constant or a variant: `let (None, x) = ..`.
        let bare =
            ident.mut_token().is_none() && ident.pat().is_none() && ident.ref_token().is_none();
        let is_constant = plain(&name).starts_with(char::is_uppercase) && bare;
        if is_constant && *ident.syntax() != whole {
            continue;
        }
        bindings.retain(|binding| binding.name != name);
        bindings.push(Binding {
            mutable: ident.mut_token().is_some(),
            name,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ra_ap_syntax::{Edition, SourceFile};

    fn bound(code: &str) -> Vec<(String, bool)> {
        let parse = SourceFile::parse(&format!("fn f() {{ {code} }}"), Edition::Edition2024);
        let mut found = Vec::new();
        for statement in parse
            .tree()
            .syntax()
            .descendants()
            .filter_map(ast::LetStmt::cast)
        {
            collect(&statement, &mut found);
        }
        found.into_iter().map(|b| (b.name, b.mutable)).collect()
    }

    #[test]
    fn every_name_of_a_pattern_is_bound_and_the_last_one_counts() {
        let name = |name: &str, mutable| (name.to_owned(), mutable);
        assert_eq!(
            bound("let (a, [b, .., mut c]) = x;"),
            [name("a", false), name("b", false), name("c", true)]
        );
        assert_eq!(
            bound("let mut x = 1; let S { x, y: z } = s;"),
            [name("x", false), name("z", false)]
        );
        assert_eq!(
            bound("let Some((k, n)) = t else { panic!() };"),
            [name("k", false), name("n", false)]
        );
        assert_eq!(
            bound("let (None, v) = t else { panic!() };"),
            [name("v", false)]
        );
        assert_eq!(
            bound("let N = 5; let whole @ (p, _) = q;"),
            [name("N", false), name("whole", false), name("p", false)]
        );
        assert_eq!(bound("let r#type = 5;"), [name("r#type", false)]);
        assert_eq!(bound("let _ = 5;"), []);
    }
}
