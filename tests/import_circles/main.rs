//! No two source files import from each other, directly or by way of others.
//!
//! - A file imports from another if it names something that is *defined* there, in a `use` or in a
//!   path such as `crate::a::f()`. Names are followed through the re-exports between the two files.
//! - A `pub use` passes a name on: that is no import, unless its file uses the name itself. So the
//!   `mod.rs` of a folder may re-export from its files, and these may import what it defines; only if
//!   it also uses what they define is that a circle.
//! - To import a module is no import of its file; the names that are used through it are.
//! - What is under `#[cfg(test)]` does not count, whether in a file or a file of its own.

mod circles;
mod modules;
mod tokens;

use circles::circles;
use modules::{Modules, Sources};
use std::path::Path;

/// All Rust files below `folder`, by their paths from the repository's root.
fn sources(folder: &str) -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut sources, mut folders) = (Sources::new(), vec![root.join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                let text = std::fs::read_to_string(&path).unwrap();
                sources.insert(name.replace('\\', "/"), text);
            }
        }
    }
    sources
}

fn circles_below(root: &str, sources: &Sources) -> Vec<String> {
    circles(&Modules::read(root, sources).imports())
}

fn assert_no_circles(folder: &str, root: &str) {
    let found = circles_below(root, &sources(folder));
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn no_files_of_the_library_import_in_a_circle() {
    assert_no_circles("src", "src/lib.rs");
}

#[test]
fn no_files_of_the_kernel_import_in_a_circle() {
    assert_no_circles("kernel/src", "kernel/src/main.rs");
}

/// The circles of a crate with these files.
fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
    let files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    circles_below("src/lib.rs", &files.collect())
}

#[test]
fn a_circle_is_told_with_its_path() {
    let found = circles_of(&[
        ("src/lib.rs", "mod a; mod b; mod c; pub use a::A;"),
        ("src/a.rs", "use crate::{b::{B, x as y}}; pub struct A(B);"),
        ("src/b.rs", "pub struct B; fn f() { super::c::f() }"),
        (
            "src/c.rs",
            "pub fn f() { let s = \"}\"; crate::A::new() /* } */ }",
        ),
    ]);
    assert_eq!(
        found,
        [
            "src/a.rs -> src/b.rs (crate::b::B) -> src/c.rs (super::c::f) -> src/a.rs (crate::A::new)"
        ]
    );
}

#[test]
fn a_folders_mod_file_is_in_a_circle_only_with_what_it_uses() {
    let child = ("src/child.rs", "use super::Own; pub struct Child(Own);");
    for (root, n) in [
        ("mod child; pub use child::Child; pub struct Own;", 0),
        ("mod child; pub use child::*; pub struct Own;", 0),
        (
            "mod child; pub use child::Child; pub struct Own; fn f(c: Child) {}",
            1,
        ),
        ("mod child; use child::Child; pub struct Own;", 1),
        (
            "mod child; pub use child::*; pub struct Own; fn f(c: Child) {}",
            1,
        ),
        ("mod child; pub struct Own; fn f(c: child::Child) {}", 1),
    ] {
        assert_eq!(
            circles_of(&[("src/lib.rs", root), child]).len(),
            n,
            "{root}"
        );
    }
}

#[test]
fn tests_and_modules_do_not_count() {
    let found = circles_of(&[
        (
            "src/lib.rs",
            "mod a; #[cfg(test)] mod missing; #[cfg(test)] mod tests { use crate::a::A; } pub struct L;",
        ),
        (
            "src/a/mod.rs",
            "use crate::L; mod f; mod g; pub fn f() {} pub use g::g; #[cfg(test)] fn t() { f::F } fn u() {}",
        ),
        (
            "src/a/f.rs",
            "use crate::a; fn f() { a::g() } pub struct F;",
        ),
        (
            "src/a/g.rs",
            "pub fn g() {} #[cfg(not(test))] use super::f;",
        ),
    ]);
    assert_eq!(found, [""; 0]);
}
