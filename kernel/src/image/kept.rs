//! Cells that were compiled before, here, from the same text in the same way: what
//! rustc made and said is kept. A session's first cells are always the same, and so
//! are a notebook's after a restart.

use super::inputs::hex;
use super::{standby, unmentioned};
use crate::trace;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::SystemTime;

/// Beside the folders of the sessions, which share it.
const FOLDER: &str = "kept";
/// More than a notebook of a thousand cells needs.
const MOST_BYTES: u64 = 128 << 20;
/// Words of macros that read more than the source: a file, a variable of the environment.
const READ_MORE: [&str; 3] = ["include", "env!", "asm!"];

/// How rustc ended, and its messages.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub status: ExitStatus,
    pub stderr: Vec<u8>,
}

/// rustc, as it is called for one cell.
pub struct Compiler {
    command: Command,
    memory: Option<Memory>,
}

/// Where what is kept lies, and what it depends on beside the source.
struct Memory {
    folder: PathBuf,
    /// Of the compiler and its arguments.
    call: Sha256,
    /// What rustc writes for cargo and for evcxr.
    object: PathBuf,
    dep_info: PathBuf,
}

/// evcxr writes down the variables in another order in every session. The object is the
/// same, but messages name lines.
struct Keys {
    of_object: String,
    of_failure: String,
}

/// What is kept of one run, beside the object.
#[derive(Serialize, Deserialize)]
struct Record {
    code: i32,
    stderr: String,
}

impl Compiler {
    /// A compiler that forgets.
    pub fn new(command: Command) -> Self {
        let memory = None;
        Self { command, memory }
    }

    /// A compiler that remembers, in a folder. The arguments must say all that the result
    /// depends on: crates of the session's own are not among it. Where in `cells` the
    /// result lies is no part of it.
    pub fn with_memory(
        command: Command,
        folder: PathBuf,
        cells: &Path,
        object: PathBuf,
        dep_info: PathBuf,
    ) -> Self {
        let cells = cells.to_string_lossy();
        let mut call = Sha256::new();
        let program = Path::new(command.get_program());
        let mut parts: Vec<OsString> = vec![program.into()];
        if let Ok(found) = std::fs::metadata(program) {
            parts.push(format!("{} {:?}", found.len(), found.modified().ok()).into());
        }
        let args = command.get_args().map(|arg| arg.to_string_lossy());
        parts.extend(args.map(|arg| OsString::from(arg.replace(&*cells, "."))));
        let rustcs = std::env::vars_os().filter(|(n, _)| n.to_string_lossy().starts_with("RUSTC_"));
        parts.extend(rustcs.flat_map(|(name, value)| [name, value]));
        for part in parts {
            call.update(part.as_encoded_bytes());
            call.update([0]);
        }
        let memory = Memory {
            folder,
            call,
            object,
            dep_info,
        };
        Self {
            command,
            memory: Some(memory),
        }
    }

    /// Compiles the source in this file.
    pub fn run(&mut self, source: &Path) -> std::io::Result<Said> {
        let Some(memory) = &self.memory else {
            return compile(&mut self.command);
        };
        let text = std::fs::read_to_string(source)?;
        let keys = memory.keys(&text);
        if let Some(said) = keys.as_ref().and_then(|keys| memory.recall(keys)) {
            standby::prepare(&self.command, &text);
            trace::mark("kept");
            return Ok(said);
        }
        // What an earlier cell has left is not this one's.
        let _ = std::fs::remove_file(&memory.object);
        let said = match standby::compile(&self.command, &text) {
            Some(said) => said,
            None => compile(&mut self.command)?,
        };
        if let Some(keys) = keys {
            // A cell that cannot be kept is a cell all the same.
            let _ = memory.keep(&keys, &said);
        }
        Ok(said)
    }
}

fn compile(command: &mut Command) -> std::io::Result<Said> {
    let output = command.stderr(Stdio::piped()).spawn()?.wait_with_output()?;
    Ok(Said {
        status: output.status,
        stderr: output.stderr,
    })
}

impl Memory {
    /// The names of what is kept for a source; none for one that reads more than itself.
    fn keys(&self, source: &str) -> Option<Keys> {
        if READ_MORE.iter().any(|word| source.contains(word)) {
            return None;
        }
        let key = |text: &str| {
            let mut digest = self.call.clone();
            digest.update(text);
            hex(digest)
        };
        Some(Keys {
            of_object: key(&unmentioned::with_variables_sorted(source)),
            of_failure: key(source),
        })
    }

    fn paths(&self, key: &str) -> [PathBuf; 2] {
        ["json", "so"].map(|extension| self.folder.join(key).with_extension(extension))
    }

    fn recall(&self, keys: &Keys) -> Option<Said> {
        let found = self.recall_one(&keys.of_object);
        found.or_else(|| self.recall_one(&keys.of_failure))
    }

    fn recall_one(&self, key: &str) -> Option<Said> {
        let [record, object] = self.paths(key);
        let kept: Record = serde_json::from_str(&std::fs::read_to_string(&record).ok()?).ok()?;
        if kept.code == 0 {
            // Cargo reads it after every call; the one of another cell says the same.
            if !self.dep_info.exists() {
                return None;
            }
            // A copy: under another name of one file the loader would take it for the same.
            let staged = self.object.with_extension("staged");
            std::fs::copy(&object, &staged).ok()?;
            std::fs::rename(&staged, &self.object).ok()?;
        }
        // The time of the last use, for `sweep`. Without it, it goes sooner.
        if let Ok(file) = std::fs::File::options().append(true).open(&record) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(Said {
            // The exit code is the second byte.
            status: ExitStatus::from_raw(kept.code << 8),
            stderr: kept.stderr.into_bytes(),
        })
    }

    fn keep(&self, keys: &Keys, said: &Said) -> std::io::Result<()> {
        let (Some(code), Ok(stderr)) = (said.status.code(), String::from_utf8(said.stderr.clone()))
        else {
            return Ok(());
        };
        std::fs::create_dir_all(&self.folder)?;
        let [record, object] = self.paths(match code {
            0 => &keys.of_object,
            _ => &keys.of_failure,
        });
        if code == 0 {
            let mut staged = tempfile::NamedTempFile::new_in(&self.folder)?;
            std::io::copy(&mut std::fs::File::open(&self.object)?, &mut staged)?;
            staged.persist(&object).map_err(|e| e.error)?;
        }
        // Last: what has no record is not kept.
        let mut staged = tempfile::NamedTempFile::new_in(&self.folder)?;
        staged.write_all(&serde_json::to_vec(&Record { code, stderr })?)?;
        staged.persist(&record).map_err(|e| e.error)?;
        Ok(())
    }
}

/// The folder for a session whose cells are in `cells`.
pub fn folder(cells: &Path) -> Option<PathBuf> {
    Some(cells.parent()?.parent()?.join(FOLDER))
}

/// Removes what was not used for longest, if there is too much, when a session begins.
pub fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let found = entry.metadata().ok()?;
            Some((found.modified().ok()?, found.len(), entry.path()))
        })
        .collect();
    files.sort();
    let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
    for (_, size, path) in files {
        if total <= MOST_BYTES {
            break;
        }
        // Of a pair the record may go first or last: what is half there is not found.
        if std::fs::remove_file(path).is_ok() {
            total -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A compiler that copies its source to the object, counts its calls, and fails on "bad".
    fn compiler(dir: &Path, flag: &str) -> Compiler {
        let mut command = Command::new("sh");
        command.current_dir(dir).args([
            "-c",
            "echo call >> calls; echo said $0 >&2; touch ctx.d; grep -q bad lib.rs && exit 1; cp lib.rs libctx.so",
            flag,
        ]);
        let (object, dep_info) = (dir.join("libctx.so"), dir.join("ctx.d"));
        Compiler::with_memory(command, dir.join(FOLDER), dir, object, dep_info)
    }

    #[test]
    fn the_same_cell_is_compiled_once_and_any_difference_counts() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let run = |source: &str, flag: &str| {
            std::fs::write(dir.join("lib.rs"), source).unwrap();
            let said = compiler(dir, flag).run(&dir.join("lib.rs")).unwrap();
            let object = std::fs::read_to_string(dir.join("libctx.so"));
            let calls = std::fs::read_to_string(dir.join("calls")).unwrap();
            let stderr = String::from_utf8(said.stderr).unwrap();
            (
                said.status.success(),
                stderr,
                object.ok(),
                calls.lines().count(),
            )
        };
        let ok =
            |source: &str, calls| (true, "said a\n".to_owned(), Some(source.to_owned()), calls);
        assert_eq!(run("one", "a"), ok("one", 1));
        assert_eq!(run("two", "a"), ok("two", 2));
        assert_eq!(run("one", "a"), ok("one", 2));
        assert_eq!(run("one", "b").3, 3);
        // A failure and its message are kept, too, and leave no object.
        for _ in 0..2 {
            let (success, stderr, _, calls) = run("bad", "a");
            assert_eq!((success, stderr.as_str(), calls), (false, "said a\n", 4));
        }
        // What reads more than its source is compiled every time.
        assert_eq!(run("env!(\"X\")", "a").3, 5);
        assert_eq!(run("env!(\"X\")", "a").3, 6);
        // A cut record or a lost object is compiled again.
        for entry in std::fs::read_dir(dir.join(FOLDER)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().unwrap() == "so" {
                std::fs::remove_file(path).unwrap();
            }
        }
        assert_eq!(run("one", "a"), ok("one", 7));
        for entry in std::fs::read_dir(dir.join(FOLDER)).unwrap() {
            std::fs::write(entry.unwrap().path(), "{").unwrap();
        }
        assert_eq!(run("one", "a"), ok("one", 8));
    }

    #[test]
    fn too_much_is_swept_the_oldest_first() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(FOLDER);
        std::fs::create_dir(&folder).unwrap();
        for (name, age) in [("old.so", 100), ("new.so", 1)] {
            let file = std::fs::File::create(folder.join(name)).unwrap();
            file.set_len(MOST_BYTES * 2 / 3).unwrap();
            let then = SystemTime::now() - std::time::Duration::from_secs(age);
            file.set_modified(then).unwrap();
        }
        sweep(&folder);
        assert!(!folder.join("old.so").exists() && folder.join("new.so").exists());
        sweep(&folder);
        assert!(folder.join("new.so").exists());
        sweep(&dir.path().join("nowhere"));
    }
}
