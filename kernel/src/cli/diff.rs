//! `holoscope diff`: two notebooks, cell by cell.

mod matching;
mod outputs;

use crate::error::{Error, Result};
use crate::notebook::{Cell, CellKind, Notebook};
use crate::twin;
use anstream::{AutoStream, ColorChoice};
use clap::{Args, ValueEnum};
use matching::{Change, changes};
use similar::{ChangeTag, TextDiff};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Shows cells that were added, removed or moved, the lines of source that changed, and a summary
/// of outputs that changed. Execution counts and times are ignored. Each side is a notebook or the
/// text of one (.md, .rs, .qmd).
///
/// In git, with `*.ipynb diff=holoscope` in .gitattributes:
///
///   git config diff.holoscope.command "holoscope diff"
///
/// for `git diff`, or, for `git log -p` too,
///
///   git config diff.holoscope.textconv "holoscope diff --textconv"
///
/// Exit status: 0 when the two are the same, 1 when they differ, 2 when one could not be read;
/// 0 for git.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// A and B (git passes seven arguments or more)
    #[arg(required = true, value_name = "A B", num_args = 1..=9)]
    pub files: Vec<PathBuf>,
    /// Write one notebook as text, for git's textconv
    #[arg(long)]
    pub textconv: bool,
    /// Ignore outputs
    #[arg(long)]
    pub sources: bool,
    /// When to use colours; by default on a terminal and for git's pager
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    pub color: Colour,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    Auto,
    Always,
    Never,
}

const BOLD: &str = "\x1b[1m";
const HEAD: &str = "\x1b[36m";
const ADDED: &str = "\x1b[32m";
const REMOVED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

/// Lines of context around a change.
const CONTEXT: usize = 2;

/// Shows the difference; the result is the exit status.
pub fn diff(args: &DiffArgs) -> Result<i32> {
    let choice = match args.color {
        Colour::Always => ColorChoice::Always,
        Colour::Never => ColorChoice::Never,
        // git's pager shows colours though it is no terminal.
        Colour::Auto if std::env::var_os("GIT_PAGER_IN_USE").is_some() => ColorChoice::Always,
        Colour::Auto if std::io::stdout().is_terminal() => ColorChoice::Always,
        Colour::Auto => ColorChoice::Never,
    };
    let mut out = AutoStream::new(std::io::stdout().lock(), choice);
    let files: Vec<&Path> = args.files.iter().map(PathBuf::as_path).collect();
    if args.textconv {
        let [file] = files[..] else {
            return Err(wrong("--textconv takes one notebook"));
        };
        return print(&mut out, &as_text(&read(file)?)).map(|()| 0);
    }
    let (names, old, new, for_git) = match files[..] {
        [old, new] => ([old, new], old, new, false),
        // path old-file old-hex old-mode new-file new-hex new-mode [new-path ...]
        [path, old, _, _, new, _, _] => ([path, path], old, new, true),
        [path, old, _, _, new, _, _, renamed, ..] => ([path, renamed], old, new, true),
        _ => return Err(wrong("give two notebooks: holoscope diff A B")),
    };
    let text = difference(&read(old)?, &read(new)?, !args.sources);
    if text.is_empty() {
        return Ok(0);
    }
    let [one, other] = names;
    let head = format!(
        "{BOLD}--- {}{PLAIN}\n{BOLD}+++ {}{PLAIN}\n",
        one.display(),
        other.display()
    );
    print(&mut out, &(head + &text))?;
    Ok(i32::from(!for_git))
}

fn wrong(reason: &str) -> Error {
    Error::Destination {
        path: PathBuf::from("holoscope diff"),
        reason: reason.to_owned(),
    }
}

fn print(out: &mut impl Write, text: &str) -> Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // A closed pager is no error.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("write", "standard output")(error))
        }
        _ => Ok(()),
    }
}

/// Reads a notebook; `/dev/null` and an empty file, which git passes for a missing one, are read as
/// an empty notebook.
fn read(path: &Path) -> Result<Notebook> {
    let is_missing = path == Path::new("/dev/null");
    if is_missing
        || path
            .metadata()
            .is_ok_and(|found| found.is_file() && found.len() == 0)
    {
        return Ok(Notebook::new());
    }
    Ok(twin::load(path)?.0)
}

fn kind(cell: &Cell) -> &'static str {
    match cell.kind {
        CellKind::Code { .. } => "code",
        CellKind::Markdown => "markdown",
        CellKind::Raw => "raw",
    }
}

/// All differences as text; empty if there are none.
fn difference(old: &Notebook, new: &Notebook, with_outputs: bool) -> String {
    let mut text = String::new();
    for change in changes(old, new) {
        match change {
            Change::Removed(at) => {
                text += &head(&format!(
                    "cell {} removed ({})",
                    at + 1,
                    kind(&old.cells[at])
                ));
                text += &lines('-', REMOVED, &old.cells[at].source);
            }
            Change::Added(at) => {
                text += &head(&format!("cell {} added ({})", at + 1, kind(&new.cells[at])));
                text += &lines('+', ADDED, &new.cells[at].source);
            }
            Change::Pair { from, to, moved } => {
                text += &pair(
                    &old.cells[from],
                    &new.cells[to],
                    (from, to, moved),
                    with_outputs,
                )
            }
        }
    }
    text
}

/// The differences between the old and the new version of a cell.
fn pair(
    old: &Cell,
    new: &Cell,
    (from, to, moved): (usize, usize, bool),
    with_outputs: bool,
) -> String {
    let mut body = String::new();
    let mut what = Vec::new();
    if moved {
        what.push(format!("moved from {}", from + 1));
    }
    if kind(old) != kind(new) {
        what.push(format!("was {}", kind(old)));
    }
    if old.source != new.source {
        what.push("changed".to_owned());
        body += &changed_lines(&old.source, &new.source);
    }
    let keys = changed_metadata(old, new);
    if !keys.is_empty() {
        what.push(format!("metadata changed: {}", keys.join(", ")));
    }
    if with_outputs {
        let shown = outputs::difference(old.outputs(), new.outputs());
        if !shown.is_empty() && what.is_empty() {
            what.push("outputs changed".to_owned());
        }
        for (mark, line) in shown {
            let colour = match mark {
                '-' => REMOVED,
                '+' => ADDED,
                _ => PLAIN,
            };
            body += &format!("{colour}{mark} {line}{PLAIN}\n");
        }
    }
    match what.is_empty() {
        true => String::new(),
        false => {
            head(&format!(
                "cell {} ({}) {}",
                to + 1,
                kind(new),
                what.join(", ")
            )) + &body
        }
    }
}

/// Changed metadata, except what runs record.
fn changed_metadata(old: &Cell, new: &Cell) -> Vec<String> {
    const OF_RUNS: [&str; 5] = [
        "holoscope",
        "execution",
        "ExecuteTime",
        "user_expressions",
        "lines_to_next_cell",
    ];
    let keys: std::collections::BTreeSet<&String> =
        old.metadata.keys().chain(new.metadata.keys()).collect();
    let differs = |key: &&String| {
        !OF_RUNS.contains(&key.as_str()) && old.metadata.get(*key) != new.metadata.get(*key)
    };
    keys.into_iter().filter(differs).cloned().collect()
}

fn head(text: &str) -> String {
    format!("{HEAD}@@ {text} @@{PLAIN}\n")
}

fn lines(mark: char, colour: &str, source: &str) -> String {
    source
        .lines()
        .map(|line| format!("{colour}{mark}{line}{PLAIN}\n"))
        .collect()
}

fn changed_lines(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    let mut text = String::new();
    for (n, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if n > 0 {
            text += " ...\n";
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = change.value().trim_end_matches(['\n', '\r']);
            text += &match change.tag() {
                ChangeTag::Equal => format!(" {line}\n"),
                ChangeTag::Delete => format!("{REMOVED}-{line}{PLAIN}\n"),
                ChangeTag::Insert => format!("{ADDED}+{line}{PLAIN}\n"),
            };
        }
    }
    text
}

/// A notebook as text with its outputs summarised, for programs that compare texts.
fn as_text(notebook: &Notebook) -> String {
    let mut text = String::new();
    for cell in &notebook.cells {
        text += &format!("# %% [{}]\n{}\n", kind(cell), cell.source.trim_end());
        for output in cell.outputs() {
            text += &outputs::summary(output)
                .iter()
                .map(|line| format!("#> {line}\n"))
                .collect::<String>();
        }
        text.push('\n');
    }
    text
}
