//! This program as a replacement of cargo when evcxr calls it.
//!
//! evcxr answers questions about code and resolves crates, but it also tries to compile and
//! run what it gets. For a `:dep` the real cargo is called: it builds the crates, and its
//! call of rustc for evcxr's crate `ctx` is recorded, since the session's own crates are linked in
//! the same way. Everything else is answered here, with an object that is never loaded.
//!
//! evcxr runs `rustup which cargo`. A session's `PATH` begins with a folder in which
//! `rustup` is this program; it answers that call with a name of this program
//! (and calls for rustc, faster than rustup), and passes everything else to the real ones.

use crate::error::{Error, Result};
use crate::files::write_if_changed;
use crate::toolchain;
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of our `rustup`; set for the kernel's own process and what it starts.
pub const TOOLS_ENV: &str = "HOLOSCOPE_TOOLS";
const RUSTUP: &str = "rustup";
pub const CARGO: &str = "cargo-or-rustc";
/// In the folder of our `rustup`: where the real cargo is.
const REAL_CARGO: &str = "cargo.path";
/// In the folder of the cells: exists while the real cargo is to be called.
const ASK: &str = "ask-cargo";
/// In the folder of the cells: how cells are linked.
const LINKED: &str = "linked.json";
/// In the folder of the cells: the object that is never loaded.
const NOTHING: &str = "nothing.so";
/// The file in which evcxr looks for the path of the compiled cell.
pub const CELL_PATH_ENV: &str = "EVCXR_EXECUTION_SO_PATH";

/// What cells are linked with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Linked {
    /// Names and files of the crates.
    pub externs: Vec<(String, PathBuf)>,
    /// Folders of the crates that these depend on.
    pub search: Vec<PathBuf>,
}

/// Creates the folder that is to be the first in `PATH`.
pub fn install(tools: &Path) -> Result<()> {
    std::fs::create_dir_all(tools).map_err(Error::io("create", tools))?;
    let exe = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
    for name in [RUSTUP, CARGO] {
        let link = tools.join(name);
        if std::fs::read_link(&link).is_ok_and(|to| to == exe) {
            continue;
        }
        let staged = tools.join(format!("{name}.new"));
        match std::fs::remove_file(&staged) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", &staged)(error));
            }
            _ => {}
        }
        std::os::unix::fs::symlink(&exe, &staged).map_err(Error::io("create", &staged))?;
        std::fs::rename(&staged, &link).map_err(Error::io("rename", &staged))?;
    }
    Ok(())
}

/// Answers for rustup or cargo and exits, if evcxr called this program instead of them.
pub fn run_if_called_as_tool() {
    let Some(tools) = std::env::var_os(TOOLS_ENV).map(PathBuf::from) else {
        return;
    };
    let mut args = std::env::args_os();
    let called = args.next().map(PathBuf::from).unwrap_or_default();
    let args: Vec<OsString> = args.collect();
    let failed = match called.file_name().and_then(OsStr::to_str) {
        Some(RUSTUP) => rustup(&tools, &args),
        Some(CARGO) => cargo(&tools, &args),
        _ => return,
    };
    eprintln!("holoscope: {failed}");
    std::process::exit(127)
}

/// Returns only on failure, with the error.
fn rustup(tools: &Path, args: &[OsString]) -> String {
    if let [which, name] = args
        && which == "which"
        && let Some(path) = name.to_str().and_then(toolchain::program)
    {
        answer(tools, name == "cargo", &path.display().to_string())
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&path)
        .filter(|folder| folder != tools)
        .map(|folder| folder.join(RUSTUP));
    let Some(real) = candidates.find(|candidate| candidate.is_file()) else {
        return "there is no rustup".to_owned();
    };
    let mut command = Command::new(&real);
    command.args(args);
    if args != ["which", "cargo"] {
        return format!("cannot run {}: {}", real.display(), command.exec());
    }
    match command.output() {
        Ok(output) if output.status.success() => {
            answer(tools, true, String::from_utf8_lossy(&output.stdout).trim())
        }
        _ => format!("cannot run {}", real.display()),
    }
}

/// Prints where a program is; for cargo, where this program is, which then finds the real one.
fn answer(tools: &Path, is_cargo: bool, path: &str) -> ! {
    // Without the record, this program could not find the real cargo.
    match is_cargo && write_if_changed(&tools.join(REAL_CARGO), path).is_ok() {
        true => println!("{}", tools.join(CARGO).display()),
        false => println!("{path}"),
    }
    std::process::exit(0)
}

/// Returns only on failure, with the error.
fn cargo(tools: &Path, args: &[OsString]) -> String {
    let builds = args.iter().any(|arg| arg == "build");
    if builds && !Path::new(ASK).exists() {
        match answer_with_nothing() {
            Ok(()) => std::process::exit(0),
            Err(error) => return format!("cannot answer evcxr: {error}"),
        }
    }
    let note = tools.join(REAL_CARGO);
    match std::fs::read_to_string(&note) {
        Ok(path) => {
            let error = Command::new(&path).args(args).exec();
            format!("cannot run {path}: {error}")
        }
        Err(error) => format!("cannot read {}: {error}", note.display()),
    }
}

/// Reports an empty object to evcxr, in the folder of the cells.
pub fn answer_with_nothing() -> std::io::Result<()> {
    let nothing = std::env::current_dir()?.join(NOTHING);
    std::fs::write(&nothing, "")?;
    match std::env::var_os(CELL_PATH_ENV) {
        Some(file) => std::fs::write(file, nothing.as_os_str().as_encoded_bytes()),
        None => Ok(()),
    }
}

/// Whether evcxr's next calls of cargo go to the real one.
pub fn ask_cargo(cells: &Path, really: bool) {
    let flag = cells.join(ASK);
    let _ = match really {
        true => std::fs::write(&flag, ""),
        false => std::fs::remove_file(&flag),
    };
}

/// Records how rustc is called for evcxr's crate.
pub fn note(args: &[OsString]) -> std::io::Result<()> {
    let mut linked = Linked::default();
    let texts: Vec<String> = args
        .iter()
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    for pair in texts.windows(2) {
        if pair[0] == "--extern"
            && let Some((name, path)) = pair[1].split_once('=')
        {
            linked.externs.push((name.to_owned(), path.into()));
        }
        if pair[0] == "-L"
            && let Some(folder) = pair[1].strip_prefix("dependency=")
        {
            linked.search.push(folder.into());
        }
    }
    let folders = texts
        .iter()
        .filter_map(|text| text.strip_prefix("-Ldependency="));
    linked.search.extend(folders.map(PathBuf::from));
    std::fs::write(LINKED, serde_json::to_vec(&linked)?)
}

/// How cells are linked, as last recorded.
pub fn noted(cells: &Path) -> Option<Linked> {
    let text = std::fs::read_to_string(cells.join(LINKED)).ok()?;
    serde_json::from_str(&text).ok()
}

/// Removes the record.
pub fn forget_call(cells: &Path) {
    let _ = std::fs::remove_file(cells.join(LINKED));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cells_are_linked_with_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let linked = Linked {
            externs: vec![("serde".to_owned(), "/d/libserde.rlib".into())],
            search: vec!["/d".into()],
        };
        std::fs::write(
            dir.path().join(LINKED),
            serde_json::to_vec(&linked).unwrap(),
        )
        .unwrap();
        assert_eq!(noted(dir.path()), Some(linked));
        forget_call(dir.path());
        assert_eq!(noted(dir.path()), None);
    }
}
