//! Cells without cargo. For a cell that asks for no crate, cargo finds out every time
//! that nothing has changed, and calls rustc as it did for the cell before; that
//! takes longer than all that we do ourselves. So the call is written down, and made
//! again while all that cargo reads is as it was.
//!
//! evcxr asks `rustup which cargo`. A session's `PATH` begins with a folder in which
//! `rustup` is this program; it answers that one question with a name of this program
//! (and where rustc is, sooner than rustup), and leaves everything else to the real ones.

use super::inputs::hex;
use super::{toolchain, wrapper};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of our `rustup`; set for the kernel's own process and what it starts.
pub const TOOLS_ENV: &str = "HOLOSCOPE_TOOLS";
/// For rustc's wrapper under cargo: what the call depends on.
const KEY_ENV: &str = "HOLOSCOPE_CALL";
const RUSTUP: &str = "rustup";
pub const CARGO: &str = "cargo-or-rustc";
/// In the folder of our `rustup`: where the real cargo is.
const REAL_CARGO: &str = "cargo.path";
/// In the folder of the cells: the calls, by their keys.
const CALLS: &str = "calls";
/// A session needs three: before and after it has the library, and at another level.
const MOST_CALLS: usize = 32;
/// What cargo reads beside its arguments and environment, from the folder of the cells.
const READ: [&str; 4] = [
    "Cargo.toml",
    "Cargo.lock",
    ".cargo/config.toml",
    "../.cargo/config.toml",
];
/// A call of rustc for a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Call {
    key: String,
    rustc: PathBuf,
    args: Vec<String>,
    /// What cargo sets for rustc.
    env: BTreeMap<String, String>,
}

/// Makes the folder that is to be the first of `PATH`.
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

/// Answers for rustup or cargo and exits, if evcxr called us in their place.
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

/// Gives what could not be done, if it comes back.
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

/// Says where a program is; of cargo, where ours is, which then finds the real one.
fn answer(tools: &Path, is_cargo: bool, path: &str) -> ! {
    // Without the note ours could not be called.
    match is_cargo && super::write_if_changed(&tools.join(REAL_CARGO), path).is_ok() {
        true => println!("{}", tools.join(CARGO).display()),
        false => println!("{path}"),
    }
    std::process::exit(0)
}

/// Whether cargo itself has called this process.
pub fn is_under_cargo() -> bool {
    std::env::var_os(KEY_ENV).is_some()
}

/// Gives what could not be done, if it comes back.
fn cargo(tools: &Path, args: &[OsString]) -> String {
    let key = key(args, Path::new("."), std::env::vars_os());
    if args.first().is_some_and(|first| first == "build")
        && let Some(call) = Call::read(Path::new(CALLS), &key)
    {
        call.make();
    }
    let note = tools.join(REAL_CARGO);
    match std::fs::read_to_string(&note) {
        Ok(path) => {
            let error = Command::new(&path).args(args).env(KEY_ENV, key).exec();
            format!("cannot run {path}: {error}")
        }
        Err(error) => format!("cannot read {}: {error}", note.display()),
    }
}

/// A digest of all that cargo's call of rustc for a cell depends on.
fn key(args: &[OsString], cells: &Path, env: impl Iterator<Item = (OsString, OsString)>) -> String {
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    };
    for arg in args {
        add(arg.as_encoded_bytes());
    }
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| {
            let users = std::env::var_os("HOME")?;
            Some(Path::new(&users).join(".cargo"))
        });
    let home = home.map(|home| home.join("config.toml"));
    for file in READ.iter().map(|file| cells.join(file)).chain(home) {
        // What is not there is read as nothing, and differs from an empty file by a byte.
        match std::fs::read(&file) {
            Ok(bytes) => {
                add(b"+");
                add(&bytes);
            }
            Err(_) => add(b"-"),
        }
    }
    let mut env: Vec<_> = env
        .filter(|(name, _)| {
            let name = name.to_string_lossy();
            let prefixes = ["CARGO", "RUST", "EVCXR", "HOLOSCOPE_IMAGE"];
            prefixes.iter().any(|prefix| name.starts_with(prefix))
        })
        .collect();
    env.sort();
    for (name, value) in env {
        add(name.as_encoded_bytes());
        add(value.as_encoded_bytes());
    }
    hex(digest)
}

/// Under cargo, by rustc's wrapper: notes this call, if it can be made again.
pub fn note(rustc: &OsStr, args: &[OsString]) {
    let Some(key) = std::env::var(KEY_ENV).ok() else {
        return;
    };
    let text = |text: &OsStr| text.to_str().map(str::to_owned);
    let Some(args) = args.iter().map(|arg| text(arg)).collect() else {
        return;
    };
    // The jobs that a cargo hands out end with it.
    let set = |name: &str| {
        (name.starts_with("CARGO") && name != "CARGO_MAKEFLAGS") || name == "LD_LIBRARY_PATH"
    };
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((text(&name)?, text(&value)?)))
        .filter(|(name, _)| set(name));
    let call = Call {
        key,
        rustc: rustc.into(),
        args,
        env: env.collect(),
    };
    // Without the note cargo is asked again.
    let _ = call.write(Path::new(CALLS));
}

impl Call {
    fn write(&self, calls: &Path) -> Result<()> {
        std::fs::create_dir_all(calls).map_err(Error::io("create", calls))?;
        let entries = std::fs::read_dir(calls).map_err(Error::io("read", calls))?;
        let noted: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        if noted.len() >= MOST_CALLS {
            for old in noted {
                // One more does no harm.
                let _ = std::fs::remove_file(old);
            }
        }
        let text =
            serde_json::to_string(self).map_err(|error| Error::Session(error.to_string()))?;
        super::write_if_changed(&calls.join(&self.key), &text)
    }

    /// The call that was noted under this key, if what it reads is there.
    fn read(calls: &Path, key: &str) -> Option<Self> {
        let text = std::fs::read_to_string(calls.join(key)).ok()?;
        let call: Self = serde_json::from_str(&text).ok()?;
        let externs = call.args.windows(2).filter(|pair| pair[0] == "--extern");
        let mut files = externs.filter_map(|pair| pair[1].split_once('='));
        let there = files.all(|(_, file)| Path::new(file).is_file());
        (call.key == key && there && call.rustc.is_file()).then_some(call)
    }

    /// Compiles the cell and exits.
    fn make(self) -> ! {
        for (name, value) in &self.env {
            // SAFETY: no other thread has been started yet.
            unsafe { std::env::set_var(name, value) };
        }
        let args = self.args.into_iter().map(OsString::from);
        let status = wrapper::compile(self.rustc.as_os_str(), args.collect());
        // What cargo exits with when rustc fails.
        std::process::exit(if status == 0 { 0 } else { 101 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(texts: &[&str]) -> Vec<OsString> {
        texts.iter().map(OsString::from).collect()
    }

    #[test]
    fn every_part_of_what_cargo_reads_changes_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let cells = dir.path().join("cells");
        std::fs::create_dir_all(cells.join(".cargo")).unwrap();
        std::fs::create_dir_all(dir.path().join(".cargo")).unwrap();
        let args = strings(&["build", "--target", "t"]);
        let env = [("CARGO_X", "1"), ("HOME", "a")];
        let with = |args: &[OsString], env: &[(&str, &str)]| {
            let env = env
                .iter()
                .map(|(n, v)| (OsString::from(n), OsString::from(v)));
            key(args, &cells, env)
        };
        let mut seen = vec![with(&args, &env)];
        assert_eq!(with(&args, &[("HOME", "b"), ("CARGO_X", "1")]), seen[0]);
        seen.push(with(&args, &[("CARGO_X", "2")]));
        seen.push(with(&args[..2], &env));
        for file in READ {
            for text in ["", "a", "b"] {
                std::fs::write(cells.join(file), text).unwrap();
                seen.push(with(&args, &env));
            }
        }
        let n = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), n);
    }

    #[test]
    fn a_call_is_made_again_only_while_what_it_reads_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, "").unwrap();
            path
        };
        let (rustc, library) = (file("rustc"), file("library.rmeta"));
        let calls = dir.path().join("calls");
        let call = Call {
            key: "k".to_owned(),
            rustc: rustc.clone(),
            args: vec![
                "--extern".to_owned(),
                format!("holoscope={}", library.display()),
                "--extern".to_owned(),
                "std".to_owned(),
            ],
            env: BTreeMap::new(),
        };
        assert_eq!(Call::read(&calls, "k"), None);
        call.write(&calls).unwrap();
        assert_eq!(Call::read(&calls, "other"), None);
        // Under another key it is another call.
        std::fs::copy(calls.join("k"), calls.join("other")).unwrap();
        assert_eq!(Call::read(&calls, "other"), None);
        for gone in [library, rustc] {
            std::fs::remove_file(&gone).unwrap();
            assert_eq!(Call::read(&calls, "k"), None);
            std::fs::write(&gone, "").unwrap();
        }
        for n in 0..2 * MOST_CALLS {
            let key = format!("k{n}");
            Call {
                key,
                ..call.clone()
            }
            .write(&calls)
            .unwrap();
        }
        assert!(std::fs::read_dir(&calls).unwrap().count() <= MOST_CALLS);
        call.write(&calls).unwrap();
        assert_eq!(Call::read(&calls, "k"), Some(call));
    }
}
