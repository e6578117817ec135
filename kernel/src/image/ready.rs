//! What evcxr has every cell compile although the image has it: the store of the
//! variables, two fifths of the time of a small cell, and what `?` makes of errors.
//! And what it has a cell do for nothing (see `unmentioned`).

use super::inputs::hex;
use super::unmentioned;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::path::Path;

/// The head and the end of the module, which stands before the function of the cell.
const HEAD: &str = "\nmod evcxr_internal_runtime {\n";
const END: &str = "\n}\n#[unsafe(no_mangle)]\npub extern \"C\" fn run_user_code_";
/// SHA-256 of the text between them in evcxr 0.22.0, which `holoscope::host::store` stands for.
const DIGEST: &str = "f5c4698fa472898fff3742735735bdeaeedbc3cf8d25d718e25f263b0e4822a7";
const STAND_IN: &str = "pub use ::holoscope::host::store::*;";

/// What `?` makes of an error, as evcxr 0.22.0 writes it for errors with `Display`.
const ERROR: [&str; 8] = [
    "struct EvcxrUserCodeError {}",
    "impl<T: std::fmt::Display> From<T> for EvcxrUserCodeError {",
    "fn from(error: T) -> Self {",
    "eprintln!(\"{}\", error);",
    "println!(\"{}\", evcxr_internal_runtime::USER_ERROR_OCCURRED);",
    "EvcxrUserCodeError {}",
    "}",
    "}",
];
const ERROR_STAND_IN: &str = "use ::holoscope::host::store::EvcxrUserCodeError;";

/// Lightens the cell's source, if the cell is linked with the library: the store
/// and the error type are the library's, and what the cell does not mention stays
/// where it is. Lines keep their numbers.
///
/// Gives the source with all variables, if some were left out.
pub fn lighten(args: &[OsString], path: &Path) -> std::io::Result<Option<String>> {
    let library = |arg: &OsString| arg.to_string_lossy().starts_with("holoscope=");
    if !args.iter().any(library) {
        return Ok(None);
    }
    let source = std::fs::read_to_string(path)?;
    let Some(whole) = with_store_of_library(&source) else {
        return Ok(None);
    };
    let whole = with_error_of_library(&whole).unwrap_or(whole);
    match unmentioned::without(&whole) {
        Some(light) => {
            std::fs::write(path, light)?;
            Ok(Some(whole))
        }
        None => {
            std::fs::write(path, whole)?;
            Ok(None)
        }
    }
}

/// None where the error type is not the one that the library has.
fn with_error_of_library(source: &str) -> Option<String> {
    let lines: Vec<&str> = source.lines().collect();
    let from = lines.iter().position(|line| line.trim() == ERROR[0])?;
    let found = lines.get(from..from + ERROR.len())?;
    if found
        .iter()
        .zip(ERROR)
        .any(|(found, known)| found.trim() != known)
    {
        return None;
    }
    let mut light = lines[..from].join("\n");
    light.push('\n');
    light.push_str(ERROR_STAND_IN);
    light.push_str(&"\n".repeat(ERROR.len()));
    light.push_str(&lines[from + ERROR.len()..].join("\n"));
    light.push('\n');
    Some(light)
}

fn with_store_of_library(source: &str) -> Option<String> {
    let from = source.find(HEAD)? + HEAD.len();
    let to = from + source[from..].find(END)?;
    let text = &source[from..to];
    let mut digest = Sha256::new();
    digest.update(text);
    if hex(digest) != DIGEST {
        return None;
    }
    let lines = "\n".repeat(text.matches('\n').count());
    Some(format!(
        "{}{STAND_IN}{lines}{}",
        &source[..from],
        &source[to..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// evcxr's own file, from where cargo keeps its source.
    fn evcxrs() -> Option<String> {
        let home = std::env::var_os("CARGO_HOME")
            .map(std::path::PathBuf::from)
            .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")))?;
        let registries = std::fs::read_dir(home.join("registry/src")).ok()?;
        registries.flatten().find_map(|registry| {
            let file = "evcxr-0.22.0/src/evcxr_internal_runtime.rs";
            std::fs::read_to_string(registry.path().join(file)).ok()
        })
    }

    #[test]
    fn evcxrs_store_is_recognised_and_lines_keep_their_numbers() {
        let text = evcxrs().expect("cargo has unpacked evcxr's source");
        let cell = format!(
            "fn mine() {{}}{HEAD}{}{END}3() {{\nlet user = 1;\n}}\n",
            text.trim_end()
        );
        let light = with_store_of_library(&cell).expect("the digest is that of evcxr 0.22.0");
        assert!(light.contains(STAND_IN) && !light.contains("HashMap"));
        let place = |source: &str| source.lines().position(|line| line == "let user = 1;");
        assert_eq!(place(&light), place(&cell));
        // Another evcxr's store is left alone, and a cell without one.
        assert_eq!(
            with_store_of_library(&cell.replace("HashMap", "BTreeMap")),
            None
        );
        assert_eq!(with_store_of_library("fn mine() {}"), None);
    }

    #[test]
    fn the_error_of_a_question_mark_is_the_librarys_unless_another_format_was_asked_for() {
        let indented: String = ERROR
            .iter()
            .map(|line| format!("            {line}\n"))
            .collect();
        let cell = format!("use a::b;\n\n{indented}\nlet user = 1;\n");
        let light = with_error_of_library(&cell).unwrap();
        assert!(light.contains(ERROR_STAND_IN) && !light.contains("impl"));
        let place = |source: &str| source.lines().position(|line| line == "let user = 1;");
        assert_eq!(place(&light), place(&cell));
        let debug = cell.replace("{}\", error", "{:?}\", error");
        assert_ne!(debug, cell);
        assert_eq!(with_error_of_library(&debug), None);
        assert_eq!(with_error_of_library("fn mine() {}"), None);
    }
}
