//! What evcxr has every cell compile although the image has it: the store of the
//! variables. Two fifths of the time of a small cell.

use super::inputs::hex;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::path::Path;

/// The head and the end of the module, which stands before the function of the cell.
const HEAD: &str = "\nmod evcxr_internal_runtime {\n";
const END: &str = "\n}\n#[unsafe(no_mangle)]\npub extern \"C\" fn run_user_code_";
/// SHA-256 of the text between them in evcxr 0.22.0, which `holoscope::host::store` stands for.
const DIGEST: &str = "f5c4698fa472898fff3742735735bdeaeedbc3cf8d25d718e25f263b0e4822a7";
const STAND_IN: &str = "pub use ::holoscope::host::store::*;";

/// Puts the library's store in the place of the one in the cell's source, if the
/// cell is linked with the library. Lines keep their numbers.
pub fn lighten(args: &[OsString], path: &Path) -> std::io::Result<()> {
    let library = |arg: &OsString| arg.to_string_lossy().starts_with("holoscope=");
    if !args.iter().any(library) {
        return Ok(());
    }
    let source = std::fs::read_to_string(path)?;
    match with_store_of_library(&source) {
        Some(light) => std::fs::write(path, light),
        None => Ok(()),
    }
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
}
