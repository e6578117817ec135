//! The types of a cell's variables, as determined by rustc.
//!
//! A body passes each variable that it binds to a function whose result it drops, under a lint
//! (`unused_results`) that is enabled for this statement alone. So rustc reports, in the run in
//! which it compiles the object, `unused result of type `holoscope::host::Typed<Vec<i32>>``.

use super::call::Call;
use crate::plan::source::Mark;
use crate::report::diagnostic::Diagnostic;
use std::collections::BTreeMap;

const BEFORE: &str = "unused result of type `";
const WRAPPER: &str = "Typed<";

/// The types by the names of the variables.
pub fn of_variables(messages: &str, call: &Call) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if !messages.contains(BEFORE) {
        return found;
    }
    for message in Diagnostic::parse_all(messages) {
        let place = message.primary().map(|span| span.bytes().start);
        let mark = place.and_then(|byte| call.source.mark(byte.checked_sub(call.line)?));
        if let (Some(Mark::Type(name)), Some(ty)) = (mark, type_in(message.message())) {
            found.insert(name.clone(), as_source(ty));
        }
    }
    found
}

fn type_in(message: &str) -> Option<&str> {
    let ty = message.strip_prefix(BEFORE)?.strip_suffix('`')?;
    let (_, inside) = ty.split_once(WRAPPER)?;
    inside.strip_suffix('>')
}

/// A type as a cell can write it: in cells, the image has the library's name.
fn as_source(ty: &str) -> String {
    ty.replace("holoscope_image::", "holoscope::")
        .replace("'{erased}", "'_")
}

/// Why a variable of this type cannot be kept, if it cannot: its type has no name.
pub fn unnameable(ty: &str) -> Option<&'static str> {
    if ty.contains("{closure@") {
        Some("a closure")
    } else if ty.contains("{async") {
        Some("a future of an `async` block or function")
    } else if ty.contains('{') {
        Some("a function")
    } else if ty.starts_with("impl ") || ty.contains("<impl ") || ty.contains(" impl ") {
        Some("`impl Trait`")
    } else {
        None
    }
}

/// The paths of a type that lead into crates other than the standard library, the library and
/// those of the session's cells.
pub fn foreign_paths(ty: &str) -> Vec<&str> {
    let is_part = |c: char| c == '_' || c == ':' || c.is_alphanumeric();
    let paths = ty.split(|c| !is_part(c)).filter(|path| path.contains("::"));
    let known = |path: &&str| {
        let root = path.split("::").next().unwrap_or_default();
        let of_cells = root.len() == 6
            && root.starts_with('c')
            && root[1..].bytes().all(|b| b.is_ascii_digit());
        !of_cells && !matches!(root, "std" | "core" | "alloc" | "holoscope")
    };
    paths.filter(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_from_what_the_lint_says() {
        let message =
            "unused result of type `holoscope::host::Typed<std::boxed::Box<dyn Fn(i32) -> i32>>`";
        assert_eq!(
            type_in(message),
            Some("std::boxed::Box<dyn Fn(i32) -> i32>")
        );
        assert_eq!(type_in("unused result of type `i32`"), None);
    }

    #[test]
    fn types_without_a_name_are_told_apart() {
        assert_eq!(
            unnameable("std::iter::Map<std::ops::Range<i32>, {closure@b.rs:8:79: 8:82}>"),
            Some("a closure")
        );
        assert_eq!(
            unnameable("for<'a> fn(&'a P) -> P {<P as Clone>::clone}"),
            Some("a function")
        );
        assert_eq!(unnameable("fn(i32) -> i32"), None);
    }

    #[test]
    fn only_paths_of_other_crates_are_doubtful() {
        let ty = "std::vec::Vec<(c00001::p1::P, my_util::hidden::Secret, holoscope::Table)>";
        assert_eq!(foreign_paths(ty), ["my_util::hidden::Secret"]);
    }
}
