//! The types of a cell's variables, as rustc has found them.
//!
//! A body puts its variables into the store by calls of a generic function. rustc writes its
//! intermediate code (`--emit=mir`) in the same run in which it makes the object, and there each
//! call stands with its type: `holoscope::host::put::<Vec<i32>>(const "v", ..)`.

use std::collections::BTreeMap;

const CALL: &str = "host::put::<";

/// The types by the names of the variables.
pub fn of_variables(mir: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut constants: BTreeMap<&str, &str> = BTreeMap::new();
    for line in mir.lines() {
        let line = line.trim();
        if let Some((place, value)) = line.split_once(" = const \"") {
            constants.insert(place, value.trim_end_matches(';').trim_end_matches('"'));
        }
        let Some(at) = line.find(CALL) else { continue };
        let rest = &line[at + CALL.len()..];
        let Some(end) = closing(rest) else { continue };
        let ty = &rest[..end];
        let arguments = rest[end..].trim_start_matches(">(");
        let name = match arguments.strip_prefix("const \"") {
            Some(text) => text.split('"').next(),
            None => {
                let place = arguments.split(',').next().unwrap_or_default();
                let place = place.trim_start_matches("move ").trim_start_matches("copy ");
                constants.get(place).copied()
            }
        };
        if let Some(name) = name {
            found.insert(name.to_owned(), as_source(ty));
        }
    }
    found
}

/// Where the angle bracket closes that was opened before the text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 1;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            // The arrow of a function's type closes nothing.
            '>' if before == '-' => {}
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
        before = c;
    }
    None
}

/// A type as a cell can write it: cells know the image by the library's name.
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
        let of_cells = root.len() == 6 && root.starts_with('c') && root[1..].bytes().all(|b| b.is_ascii_digit());
        !of_cells && !matches!(root, "std" | "core" | "alloc" | "holoscope")
    };
    paths.filter(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_from_the_calls_that_store_variables() {
        let mir = r#"
            _9 = holoscope::host::put::<std::vec::Vec<c00001::p1::P>>(const "b", move _10) -> [return: bb3, unwind: bb4];
            _4 = const "f";
            _9 = holoscope_image::host::put::<std::boxed::Box<dyn std::ops::Fn(i32) -> i32 + std::marker::Send>>(copy _4, move _10) -> [return: bb3];
            _9 = other::put::<u8>(const "z", const 1_u8);
        "#;
        let found = of_variables(mir);
        assert_eq!(found["b"], "std::vec::Vec<c00001::p1::P>");
        assert_eq!(found["f"], "std::boxed::Box<dyn std::ops::Fn(i32) -> i32 + std::marker::Send>");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn types_without_a_name_are_told_apart() {
        assert_eq!(unnameable("std::iter::Map<std::ops::Range<i32>, {closure@b.rs:8:79: 8:82}>"), Some("a closure"));
        assert_eq!(unnameable("for<'a> fn(&'a P) -> P {<P as Clone>::clone}"), Some("a function"));
        assert_eq!(unnameable("fn(i32) -> i32"), None);
    }

    #[test]
    fn only_paths_of_other_crates_are_doubtful() {
        let ty = "std::vec::Vec<(c00001::p1::P, my_util::hidden::Secret, holoscope::Table)>";
        assert_eq!(foreign_paths(ty), ["my_util::hidden::Secret"]);
    }
}
