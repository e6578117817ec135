//! Rust sources without function bodies, for readers of signatures.
//!
//! rust-analyzer parses every file of every crate that it gets. Most of what
//! it then holds is function bodies that are never needed: without them, also in macros, and
//! without the processor's intrinsics, it starts in a fraction of the time.

mod macros;

use crate::error::{Error, Result};
use macros::Cut;
use ra_ap_syntax::{AstNode, Edition, SourceFile, ast};
use std::path::Path;

/// The text with every function's body emptied, and without doc examples in the output
/// of macros. What is not Rust stays unchanged.
pub fn slim(text: &str) -> String {
    let file = SourceFile::parse(text, Edition::Edition2024).tree();
    let mut cuts: Vec<Cut> = Vec::new();
    let mut walk = file.syntax().preorder();
    while let Some(event) = walk.next() {
        let ra_ap_syntax::WalkEvent::Enter(node) = event else {
            continue;
        };
        if let Some(definition) = ast::MacroRules::cast(node.clone()) {
            cuts.extend(macros::cuts(&definition));
            walk.skip_subtree();
        } else if let Some(body) = ast::Fn::cast(node).and_then(|f| f.body()) {
            cuts.push((body.syntax().text_range(), "{}"));
            walk.skip_subtree();
        }
    }
    cuts.sort_by_key(|(range, _)| range.start());
    let mut out = String::with_capacity(text.len() / 2);
    let mut at = 0;
    for (range, instead) in cuts {
        out.push_str(&text[at..usize::from(range.start())]);
        out.push_str(instead);
        at = usize::from(range.end());
    }
    out.push_str(&text[at..]);
    out
}

/// Copies the Rust files below `from` without function bodies; folders for which
/// `keep` returns false are left out.
pub fn copy(from: &Path, to: &Path, keep: &dyn Fn(&Path) -> bool) -> Result<()> {
    std::fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for entry in std::fs::read_dir(from).map_err(Error::io("read", from))? {
        let path = entry.map_err(Error::io("read", from))?.path();
        let Some(name) = path.file_name() else {
            continue;
        };
        let target = to.join(name);
        if path.is_dir() {
            if keep(&path) {
                copy(&path, &target, keep)?;
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            // A file that is not text cannot be included as Rust by a crate.
            if let Ok(text) = std::fs::read_to_string(&path) {
                super::write_if_changed(&target, &slim(&text))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_and_their_documentation_stay() {
        let text = "/// Adds.\npub fn add(a: i64) -> i64 { let f = |x| { x }; fn inner() {} f(a) + 1 }\n\
                    pub trait T { fn must(&self); fn may(&self) -> u8 { 3 } }\n\
                    impl T for () { fn must(&self) { loop {} } }\nconst N: usize = { 3 };\n\
                    const M: u8 = m!({ fn kept() { 1 } });\n";
        assert_eq!(
            slim(text),
            "/// Adds.\npub fn add(a: i64) -> i64 {}\n\
             pub trait T { fn must(&self); fn may(&self) -> u8 {} }\n\
             impl T for () { fn must(&self) {} }\nconst N: usize = { 3 };\n\
             const M: u8 = m!({ fn kept() { 1 } });\n"
        );
    }

    #[test]
    fn text_that_is_no_rust_stays() {
        let text = "fn (((\n}} é {";
        assert_eq!(slim(text), text);
    }

    #[test]
    fn folders_that_nobody_reads_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        for folder in ["a", "tests"] {
            std::fs::create_dir_all(from.join(folder)).unwrap();
            std::fs::write(from.join(folder).join("x.rs"), "fn f() { 1 }").unwrap();
        }
        std::fs::write(from.join("data.bin"), [0xff]).unwrap();
        let to = dir.path().join("to");
        copy(&from, &to, &|path| !path.ends_with("tests")).unwrap();
        assert_eq!(
            std::fs::read_to_string(to.join("a/x.rs")).unwrap(),
            "fn f() {}"
        );
        assert!(!to.join("tests").exists() && !to.join("data.bin").exists());
    }
}
