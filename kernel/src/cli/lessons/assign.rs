//! `holoscope assign`: the student's and the teacher's version of a lesson, and verification of its checks.

use super::process::{Limits, run_notebook};
use super::{read, unusable};
use crate::cli::terminal::say;
use crate::cli::waiting;
use crate::error::{Error, Result};
use crate::lesson::verification::{Finding, Verification};
use crate::lesson::versions;
use crate::notebook::{self, Notebook, NotebookText, TextFault};
use crate::twin;
use clap::Args;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A lesson's source has, for each exercise: a code cell whose solution is between `// BEGIN SOLUTION` and
/// `// END SOLUTION`; raw cells tagged `wrong`, each a typical wrong answer in full, with `//| message: "..."` at its top
/// (a part of the message that the check must give for it); code cells tagged `check`, which assert or end in the
/// library's `check(name, hint, || ...)`, with parts that students do not see between `// BEGIN HIDDEN TESTS` and
/// `// END HIDDEN TESTS`; Markdown cells tagged `solution`, on common mistakes.
///
/// The student's version has `todo!()` in place of solutions, which follow the checks as folded blocks. The
/// teacher's version shows solutions, hidden tests and wrong answers.
///
/// Exit status: 0; 1 when --verify finds a check that does not do what it should; 2 when a lesson could not be read,
/// run or written.
#[derive(Debug, Args)]
pub struct AssignArgs {
    /// Lessons (.ipynb, or their texts: .md, .rs, .qmd)
    #[arg(required = true, value_name = "LESSON")]
    pub lessons: Vec<PathBuf>,
    /// Where to write `student/NAME.ipynb` and `teacher/NAME.ipynb`
    #[arg(short, long, value_name = "DIR", default_value = "out/lessons")]
    pub output: PathBuf,
    /// Leave the folded solutions out of the student's version
    #[arg(long)]
    pub no_solutions: bool,
    /// First run each lesson: solutions must pass, the starting code must not, and each wrong answer must get its
    /// message. Nothing is written if that fails
    #[arg(long)]
    pub verify: bool,
}

/// Writes both versions of each lesson; the result is the exit status.
pub fn assign(args: &AssignArgs) -> Result<i32> {
    if args.verify {
        waiting::build()?;
    }
    let mut status = 0;
    for path in &args.lessons {
        let lesson = read(path)?;
        check_ids(path)?;
        if args.verify && !verify(path, &lesson)? {
            status = 1;
            continue;
        }
        let student = versions::student(&lesson, !args.no_solutions).map_err(unusable(path))?;
        let teacher = versions::teacher(&lesson).map_err(unusable(path))?;
        for (folder, version) in [("student", student), ("teacher", teacher)] {
            write(&args.output.join(folder), path, &version)?;
        }
    }
    Ok(status)
}

/// Submissions are matched to the lesson by the ids of its cells, so the lesson must have ids and keep them.
fn check_ids(path: &Path) -> Result<()> {
    let fault = |cell: usize, reason: &str| {
        let reason = format!("{reason}; submissions are matched by the ids of their cells");
        unusable(path)(vec![TextFault {
            cell,
            line: 0,
            reason,
        }])
    };
    let file = match twin::is_text(path) {
        true => path.with_extension("ipynb"),
        false => path.to_owned(),
    };
    if !file.exists() {
        let reason = "a text has no ids: `holoscope sync` makes a notebook beside it";
        return Err(fault(1, reason));
    }
    let bytes = std::fs::read(&file).map_err(Error::io("read", &file))?;
    // A file that is not a notebook was refused when it was read.
    let json: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let cells = json.get("cells").and_then(Value::as_array);
    let without = cells.and_then(|cells| {
        let has_none = |cell: &Value| !cell.get("id").is_some_and(Value::is_string);
        cells.iter().position(has_none)
    });
    match without {
        None => Ok(()),
        Some(at) => Err(fault(
            at + 1,
            "it has no id: run the lesson with `holoscope run --in-place`, or save it in JupyterLab",
        )),
    }
}

fn write(folder: &Path, lesson: &Path, version: &Notebook) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let name = lesson.file_name().unwrap_or_default();
    let path = folder.join(name).with_extension("ipynb");
    if crate::files::same_file(&path, lesson) {
        let reason = "is the lesson's source; name another folder with -o".to_owned();
        return Err(Error::Destination { path, reason });
    }
    notebook::replace(&path, NotebookText::of(version).with(version).as_bytes())?;
    say(&format!("holoscope: wrote {}", path.display()));
    Ok(())
}

/// Whether every answer gets the expected result.
fn verify(path: &Path, lesson: &Notebook) -> Result<bool> {
    let verification = Verification::of(lesson).map_err(unusable(path))?;
    let executed = run_notebook(&verification.notebook, path, &Limits::none())?.notebook;
    let findings = verification.findings(&executed);
    println!("{}", path.display());
    let mut exercise = "";
    for finding in &findings {
        if finding.exercise != exercise {
            exercise = &finding.exercise;
            println!("  {exercise}");
        }
        println!("    {}", line(finding));
    }
    let faults = findings.iter().filter(|finding| finding.fault.is_some());
    let n = faults.count();
    let exercises = findings.iter().filter(|f| f.answer == "solution").count();
    say(&format!(
        "holoscope: {}: {exercises} exercises, {} answers: {}",
        path.display(),
        findings.len(),
        match n {
            0 => "each gets what it should".to_owned(),
            1 => "1 does not get what it should".to_owned(),
            n => format!("{n} do not get what they should"),
        }
    ));
    Ok(n == 0)
}

fn line(finding: &Finding) -> String {
    let (answer, verdict) = (&finding.answer, finding.verdict.text());
    match &finding.fault {
        None => format!("{answer:<15} {verdict}"),
        Some(fault) => format!("{answer:<15} {verdict}\n{:20}WRONG: {fault}", ""),
    }
}
