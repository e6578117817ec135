//! A cell's compilation with our guess at what it moves (see `moves`): first the
//! refusal in the compiler's place, then, when evcxr comes back with a cell that
//! no longer stores these variables, the compiler itself, and the proof.

use super::kept::{self, Compiler};
use super::moves::{self, Move};
use crate::trace;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Where cargo finds the cell's source, from the folder of its manifest.
pub const SOURCE: &str = "src/lib.rs";

/// "cannot find value in this scope".
const MISSING_NAME: &str = "E0425";

/// Whether types move (`true`) or are `Copy`.
type Types = BTreeMap<String, bool>;

/// Runs rustc on the cell in `folder`, or refuses the cell as rustc would. Where
/// the source does not take all variables out of the store, `whole` is the one that does.
pub fn compile(
    rustc: &mut Compiler,
    folder: &Path,
    whole: Option<String>,
) -> std::io::Result<ExitStatus> {
    let path = folder.join(SOURCE);
    if folder.join(moves::OFF_FILE).exists() {
        return plainly(rustc, &path, whole.as_deref());
    }
    let source = std::fs::read_to_string(&path)?;
    let known: Types = read(&folder.join(moves::TYPES_FILE)).unwrap_or_default();
    let text = moves::read(&source);
    let known_to_move = |name: &str| {
        let asked = known.get(name).copied();
        asked.unwrap_or_else(|| moves::surely_moves(name))
    };
    let moved = text.moved.iter().filter(|m| known_to_move(&m.type_name));
    let moved: Vec<&Move> = moved.collect();
    let refused = folder.join(moves::REFUSED_FILE);
    if !moved.is_empty() {
        return refuse(&moved, &source, &refused);
    }
    let earlier: Vec<String> = read(&refused).unwrap_or_default();
    if !earlier.is_empty() {
        std::fs::remove_file(&refused)?;
    }
    let new = |name: &String| !known.contains_key(name) && !moves::surely_moves(name);
    let asked: Vec<String> = text.types.into_iter().filter(new).collect();
    match earlier.is_empty() && asked.is_empty() {
        true => plainly(rustc, &path, whole.as_deref()),
        false => {
            let sources = (source.as_str(), whole.as_deref());
            ask_and_prove(rustc, folder, sources, known, &asked, &earlier)
        }
    }
}

/// Runs rustc on the cell; where it misses a name, once more on the `whole` one: a
/// macro may have made the name of a variable, and a misspelt one has a neighbour
/// that rustc can name.
fn plainly(rustc: &mut Compiler, path: &Path, whole: Option<&str>) -> std::io::Result<ExitStatus> {
    let mut said = rustc.run(path)?;
    if let Some(whole) = whole
        && !said.status.success()
        && messages(&said.stderr).any(|m| misses_a_name(&m))
    {
        std::fs::write(path, whole)?;
        said = rustc.run(path)?;
    }
    std::io::stderr().write_all(&said.stderr)?;
    Ok(said.status)
}

fn messages(stderr: &[u8]) -> impl Iterator<Item = Value> {
    let lines = stderr.split(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok())
}

fn misses_a_name(message: &Value) -> bool {
    message["code"]["code"] == MISSING_NAME
}

/// Says what rustc would say of these variables.
fn refuse(moved: &[&Move], source: &str, refused: &Path) -> std::io::Result<ExitStatus> {
    let types: Vec<&String> = moved.iter().map(|m| &m.type_name).collect();
    std::fs::write(refused, serde_json::to_string(&types)?)?;
    for variable in moved {
        eprintln!("{}", moves::refusal(variable, source));
    }
    trace::mark("refused");
    // What rustc exits with when it refuses.
    Ok(ExitStatus::from_raw(1 << 8))
}

/// Runs rustc on a cell with the question about new types and the proof of what
/// was `refused` below it.
fn ask_and_prove(
    rustc: &mut Compiler,
    folder: &Path,
    (source, whole): (&str, Option<&str>),
    mut known: Types,
    asked: &[String],
    refused: &[String],
) -> std::io::Result<ExitStatus> {
    let path = folder.join(SOURCE);
    let items = moves::question(asked) + &moves::proof(refused);
    let mut said = with_items(rustc, &path, source, &items)?;
    if let Some(whole) = whole
        && !said.status.success()
        && said.of_cell.iter().any(misses_a_name)
    {
        said = with_items(rustc, &path, whole, &items)?;
    }
    let is_error = |message: &&Value| message["level"] == "error" && line_of(message) > 0;
    let items_fail = said.of_items.iter().any(|m| is_error(&m));
    if refused.is_empty() && items_fail && !said.of_cell.iter().any(|m| is_error(&m)) {
        // The question was at fault, not the cell.
        std::fs::write(&path, source)?;
        return plainly(rustc, &path, whole);
    }
    // An error must be told, wherever it is: else evcxr has a failure without one.
    // Where the proof fails, nothing else is: evcxr would mend what it can, and run
    // the cell without a variable that was wrongly refused.
    let proof_fails = items_fail && !refused.is_empty();
    let told = said.of_cell.iter().filter(|_| !proof_fails);
    for message in told.chain(said.of_items.iter().filter(is_error)) {
        eprintln!("{message}");
    }
    let first = source.trim_end().lines().count() + 1;
    let copied = |n: usize| {
        let about = |m: &&Value| line_of(m) == (first + n) as u64;
        let mut messages = said.of_items.iter().filter(about);
        messages.any(|m| m["code"]["code"] == moves::IS_COPY)
    };
    if said.status.success() {
        let answers = asked.iter().enumerate();
        known.extend(answers.map(|(n, name)| (name.clone(), !copied(n))));
    } else if proof_fails {
        known.extend(refused.iter().map(|name| (name.clone(), false)));
        let off = folder.join(moves::OFF_FILE);
        std::fs::write(off, "what seemed to move is `Copy`\n")?;
    }
    let types = folder.join(moves::TYPES_FILE);
    std::fs::write(types, serde_json::to_string(&known)?)?;
    Ok(said.status)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

/// How rustc ended, and its messages.
struct Said {
    status: ExitStatus,
    of_cell: Vec<Value>,
    of_items: Vec<Value>,
}

/// Runs rustc on the cell with more items below it.
fn with_items(
    rustc: &mut Compiler,
    path: &Path,
    source: &str,
    items: &str,
) -> std::io::Result<Said> {
    std::fs::write(path, format!("{}\n{items}", source.trim_end()))?;
    let output = rustc.run(path)?;
    let lines = source.trim_end().lines().count() as u64;
    let mut said = Said {
        status: output.status,
        of_cell: Vec::new(),
        of_items: Vec::new(),
    };
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        let Ok(message) = serde_json::from_str(line) else {
            eprintln!("{line}");
            continue;
        };
        match line_of(&message) > lines {
            true => said.of_items.push(message),
            false => said.of_cell.push(message),
        }
    }
    Ok(said)
}

/// The line that a compiler's message is about; 0 where there is none.
fn line_of(message: &Value) -> u64 {
    message["spans"][0]["line_start"]
        .as_u64()
        .unwrap_or_default()
}

/// A new session's types are its own, and what a killed one was about to prove is no
/// one's any more: the new session could not compile its first cell with it.
pub fn forget(cells: &Path) {
    for name in [moves::TYPES_FILE, moves::REFUSED_FILE, moves::OFF_FILE] {
        // Mostly there is none.
        let _ = std::fs::remove_file(cells.join(name));
    }
    if let Some(folder) = kept::folder(cells) {
        kept::sweep(&folder);
    }
}

/// The session's side: one cell.
pub struct Guesses {
    off: PathBuf,
    allowed: bool,
}

impl Guesses {
    /// Before a cell is evaluated in this folder. A cell with commands is not
    /// guessed at, because commands must not be run twice.
    pub fn begin(cells: &Path, code: &str) -> Self {
        let command = |line: &str| line.trim_start().starts_with([':', '!']);
        let allowed = !code.lines().any(command);
        let guesses = Self {
            off: cells.join(moves::OFF_FILE),
            allowed,
        };
        for stale in [cells.join(moves::REFUSED_FILE), guesses.off.clone()] {
            // Mostly there is none.
            let _ = std::fs::remove_file(stale);
        }
        // Without the file nothing is worse than a guess at a cell with commands.
        if !allowed {
            let _ = std::fs::write(&guesses.off, "this cell has commands\n");
        }
        guesses
    }

    /// What `evaluate` gives; where a guess was wrong, nothing of the cell has
    /// run, and it gets a second chance without.
    pub fn or_without<T, E>(&self, mut evaluate: impl FnMut() -> Result<T, E>) -> Result<T, E> {
        match evaluate() {
            Err(_) if self.allowed && self.off.exists() => evaluate(),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_wrong_guess_is_corrected_once_and_commands_are_not_repeated() {
        let dir = tempfile::tempdir().unwrap();
        let count = |code: &str, wrong: bool| {
            let guesses = Guesses::begin(dir.path(), code);
            let mut runs = 0;
            let result: Result<(), ()> = guesses.or_without(|| {
                runs += 1;
                if wrong && runs == 1 {
                    std::fs::write(dir.path().join(moves::OFF_FILE), "").unwrap();
                }
                if runs > 1 { Ok(()) } else { Err(()) }
            });
            (runs, result.is_ok())
        };
        assert_eq!(count("let y = x;", true), (2, true));
        assert_eq!(count("let y = x;", false), (1, false));
        assert_eq!(count(":vars\nlet y = x;", false), (1, false));
    }

    /// A compiler that says what it is told to, and notes the source that it saw.
    fn compiler(dir: &Path, says: &[Value], status: i32) -> Compiler {
        let said: String = says.iter().map(|m| format!("{m}\n")).collect();
        std::fs::write(dir.join("said"), said).unwrap();
        let mut command = Command::new("sh");
        command.arg("-c").current_dir(dir).arg(format!(
            "cat src/lib.rs > seen; cat said >&2; exit {status}"
        ));
        Compiler::new(command)
    }

    const CELL: &str = "pub extern \"C\" fn run_user_code_1() {\n\
        let p = evcxr_variable_store.take_variable::<Point>(stringify!(p));\n\
        let _ = (|| -> Result<(), EvcxrUserCodeError> {\nlet q = p;\nOk(())})();\n\
        evcxr_variable_store.put_variable::<Point>(stringify!(p), p);\n}\n";

    #[test]
    fn a_type_is_asked_about_once_and_what_is_refused_is_proved() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        std::fs::create_dir(dir.join("src")).unwrap();
        let write = |text: &str| std::fs::write(dir.join(SOURCE), text).unwrap();
        let seen = || std::fs::read_to_string(dir.join("seen")).unwrap();
        // Not known yet: compiled, and the compiler is asked.
        write(CELL);
        let status = compile(&mut compiler(dir, &[], 0), dir, None).unwrap();
        assert!(status.success() && seen().contains("evcxr_kind_0(value: Point)"));
        // A question that does not compile costs nothing but the time.
        std::fs::remove_file(dir.join(moves::TYPES_FILE)).unwrap();
        let wrong = serde_json::json!({"level": "error", "spans": [{"line_start": 8}]});
        write(CELL);
        compile(&mut compiler(dir, &[wrong], 1), dir, None).unwrap();
        assert_eq!(seen(), CELL);
        write(CELL);
        compile(&mut compiler(dir, &[], 0), dir, None).unwrap();
        // It moves: refused.
        write(CELL);
        std::fs::remove_file(dir.join("seen")).unwrap();
        let status = compile(&mut compiler(dir, &[], 0), dir, None).unwrap();
        assert!(!status.success() && !dir.join("seen").exists());
        // evcxr no longer stores it: compiled with the proof, which fails.
        write(&CELL.replace(
            "evcxr_variable_store.put_variable::<Point>(stringify!(p), p);",
            "",
        ));
        let ambiguous = serde_json::json!({"level": "error", "spans": [{"line_start": 99}]});
        let status = compile(&mut compiler(dir, &[ambiguous], 1), dir, None).unwrap();
        assert!(!status.success() && seen().contains("<Point as evcxr_moved::Moved<_>>"));
        assert!(dir.join(moves::OFF_FILE).exists());
        // The session sees that, and the name is not trusted again.
        Guesses::begin(dir, "let q = p;");
        write(CELL);
        let status = compile(&mut compiler(dir, &[], 0), dir, None).unwrap();
        assert!(status.success() && seen() == CELL);
    }
}
