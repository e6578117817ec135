//! The user's functions among the calls that led to a panic.
//!
//! The process that panics sends only addresses (`src/host/panic.rs`). They are resolved to names
//! here, from the debug information of the cells' objects: this allocates, reads files and
//! takes locks, which is unsafe in a process in an unknown state.

use addr2line::Loader;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// The functions among a panic's callers that the user wrote, innermost first. A caller is the path
/// of an object and an offset in it; objects outside of `cells` are not the user's.
pub fn users_functions(callers: &Value, cells: &Path) -> Vec<String> {
    let mut objects: HashMap<&str, Option<Loader>> = HashMap::new();
    let mut names = Vec::new();
    for caller in callers.as_array().map_or(&[][..], Vec::as_slice) {
        let (Some(path), Some(offset)) = (caller[0].as_str(), caller[1].as_u64()) else {
            continue;
        };
        if !Path::new(path).starts_with(cells) {
            continue;
        }
        // An object that has no debug information, or no longer exists, yields no names.
        let object = objects
            .entry(path)
            .or_insert_with(|| Loader::new(path).ok());
        if let Some(object) = object {
            names.extend(functions_at(object, offset));
        }
    }
    names.retain(|name: &String| !name.starts_with("{closure"));
    names.dedup();
    names
}

/// The user's functions at an offset: the innermost inlined one first, the function that they are
/// inlined into last.
fn functions_at(object: &Loader, offset: u64) -> Vec<String> {
    let mut names = Vec::new();
    let mut found = false;
    if let Ok(mut frames) = object.find_frames(offset) {
        while let Ok(Some(frame)) = frames.next() {
            let name = frame
                .function
                .as_ref()
                .and_then(|function| function.demangle().ok().map(|name| name.into_owned()));
            let file = frame.location.and_then(|location| location.file);
            found |= name.is_some();
            names.extend(name.and_then(|name| users_name(&name, file)));
        }
    }
    if !found && let Some(symbol) = object.find_symbol(offset) {
        let name = addr2line::demangle_auto(symbol.into(), None);
        names.extend(users_name(&name, None));
    }
    names
}

/// A function's name without the crate and the module that the kernel generated, if the user wrote
/// the function: it is in a crate named `c00012`, or in the file of one. The name of an inlined
/// function may lack its crate.
fn users_name(name: &str, file: Option<&str>) -> Option<String> {
    match within_a_cells_crate(name) {
        Some(inner) => Some(inner.to_owned()),
        None => file.is_some_and(is_a_cells_file).then(|| name.to_owned()),
    }
}

/// `inner` of `c00012::p7::inner`.
fn within_a_cells_crate(name: &str) -> Option<&str> {
    let (krate, rest) = name.split_once("::")?;
    let (module, function) = rest.split_once("::")?;
    let is_module = module.strip_prefix('p').is_some_and(is_number);
    (is_a_cells_crate(krate) && is_module).then_some(function)
}

/// Whether a path ends in `/c00012.rs`.
fn is_a_cells_file(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".rs").is_some_and(is_a_cells_crate)
}

/// Whether a crate is named like `c00012`.
fn is_a_cells_crate(name: &str) -> bool {
    name.strip_prefix('c')
        .is_some_and(|number| number.len() >= 5 && is_number(number))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn functions_of_cells_lose_their_crate_and_module() {
        assert_eq!(
            users_name("c00003::p4::inner", None).as_deref(),
            Some("inner")
        );
        assert_eq!(
            users_name("c00012::p9::Model::forward", None).as_deref(),
            Some("Model::forward")
        );
        assert_eq!(
            users_name("short", Some("./s/cells/c00003.rs")).as_deref(),
            Some("short")
        );
    }

    #[test]
    fn functions_that_the_user_did_not_write_are_left_out() {
        for (name, file) in [
            ("core::panicking::panic_fmt", Some("/rust/panicking.rs")),
            ("holoscope::host::panic::report_panic", None),
            ("c1::p4::f", None),
            ("c00003::other::f", None),
            ("{closure#0}", Some("./s/cells/b00004.rs")),
        ] {
            assert_eq!(users_name(name, file), None, "{name}");
        }
    }

    #[test]
    fn an_object_that_is_gone_or_not_a_cells_names_nothing() {
        let callers = json!([
            ["/cells/gone.so", 16],
            ["/elsewhere/libc.so", 16],
            [7, "x"],
            "no"
        ]);
        assert!(users_functions(&callers, Path::new("/cells")).is_empty());
    }

    /// Has its own frame, however the optimiser treats the test.
    #[inline(never)]
    fn offset_of_a_function() -> usize {
        std::hint::black_box(offset_of_a_function as fn() -> usize as usize)
    }

    #[test]
    fn an_offset_is_looked_up_in_the_objects_symbols() {
        // This binary replaces a cell's object: it has no function of a cell, but its symbols
        // are read in the same way.
        let binary = std::env::current_exe().expect("the test has a path");
        let object = Loader::new(&binary).expect("the test is an object");
        let base = base_of(offset_of_a_function());
        let symbol = object
            .find_symbol((offset_of_a_function() - base) as u64)
            .map(|symbol| addr2line::demangle_auto(symbol.into(), None));
        assert!(
            symbol.is_some_and(|name| name.ends_with("offset_of_a_function")),
            "not found"
        );
    }

    fn base_of(address: usize) -> usize {
        let mut info = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
        // SAFETY: `dladdr` fills `info` if it returns something other than 0.
        unsafe {
            assert_ne!(libc::dladdr(address as *const _, info.as_mut_ptr()), 0);
            info.assume_init().dli_fbase.addr()
        }
    }
}
