//! `holoscope grade`: runs students' submissions, and writes their results.

use super::process::{Limits, Run, run_notebook};
use super::submissions::{Submission, submissions};
use super::{csv, read, unusable};
use crate::cli::arguments::timeout;
use crate::cli::terminal::say;
use crate::cli::waiting;
use crate::error::{Error, Result};
use crate::export::{self, ExportOptions};
use crate::files::same_file;
use crate::lesson::exercises::exercises;
use crate::lesson::grading::{Grade, grades, to_grade};
use crate::notebook::{self, NotebookText};
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Each notebook is run in its own process, with the checks of the lesson's source in place of its own; its other
/// cells are the student's. An exercise counts 1 point per check, or nbgrader's `points`. Students' programs run with
/// your rights: limits of time and memory end runaway programs, but do not protect your files from them.
///
/// The table goes to the standard output; `grades.csv` (one line per exercise), the executed notebooks and their pages
/// go to -o.
///
/// Exit status: 0; 1 when a notebook could not be graded, or its run ended early; 2 when none could be graded.
#[derive(Debug, Args)]
pub struct GradeArgs {
    /// The submissions: FOLDER/STUDENT.ipynb, or FOLDER/STUDENT/LESSON.ipynb
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// The lesson's source, or a folder of lessons with the file names of the submissions
    #[arg(short, long, value_name = "LESSON")]
    pub lesson: PathBuf,
    /// Where to write results
    #[arg(short, long, value_name = "DIR", default_value = "out/grades")]
    pub output: PathBuf,
    /// End a run that takes longer than this: seconds, or 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = timeout, default_value = "10m")]
    pub time: Duration,
    /// Interrupt a cell that takes longer than this
    #[arg(long, value_name = "TIME", value_parser = timeout, default_value = "2m")]
    pub cell_time: Duration,
    /// What each process of a run may allocate, in GB
    #[arg(long, value_name = "GB", value_parser = gigabytes, default_value = "8")]
    pub memory: u64,
}

/// The name of the table.
const TABLE: &str = "grades.csv";

/// Parses a number of GB into bytes.
fn gigabytes(text: &str) -> std::result::Result<u64, String> {
    match text.trim().parse::<f64>() {
        Ok(n) if n > 0.0 && n < 1e6 => Ok((n * 1e9) as u64),
        _ => Err("give a number of GB above 0: 4, 0.5".to_owned()),
    }
}

/// A submission's results.
struct Row {
    student: String,
    lesson: String,
    result: std::result::Result<Graded, String>,
}

struct Graded {
    grades: Vec<Grade>,
    /// Why the run ended before its last cell.
    early: Option<String>,
    seconds: f64,
}

/// Grades every submission; the result is the exit status.
pub fn grade(args: &GradeArgs) -> Result<i32> {
    if same_file(&args.output, &args.folder) {
        return Err(Error::Destination {
            path: args.output.clone(),
            reason: "is the submissions folder; name another with -o".to_owned(),
        });
    }
    let (found, strangers) = submissions(&args.folder, &args.lesson, &args.output)?;
    for path in &strangers {
        say(&format!(
            "holoscope: {}: no lesson of this name in {}",
            path.display(),
            args.lesson.display()
        ));
    }
    if found.is_empty() {
        return Err(Error::Destination {
            path: args.folder.clone(),
            reason: "there is no notebook to grade".to_owned(),
        });
    }
    std::fs::create_dir_all(&args.output).map_err(Error::io("create", &args.output))?;
    waiting::build()?;
    let path = args.output.join(TABLE);
    let mut rows: Vec<Row> = Vec::new();
    for (n, submission) in found.iter().enumerate() {
        let lesson = submission.lesson.file_stem().unwrap_or_default();
        let row = Row {
            student: submission.student.clone(),
            lesson: lesson.to_string_lossy().into_owned(),
            result: match twin_of(submission, &found[..n]) {
                Some(reason) => Err(reason),
                None => of_submission(submission, args).map_err(|error| error.to_string()),
            },
        };
        say(&format!("[{}/{}] {}", n + 1, found.len(), line(&row)));
        rows.push(row);
        // Written after each submission, so that stopping early keeps the results so far.
        notebook::replace(&path, table(&rows).as_bytes())?;
    }
    for row in &rows {
        println!("{}", line(row));
    }
    say(&format!("holoscope: wrote {}", path.display()));
    let whole = |row: &Row| match &row.result {
        Ok(graded) => graded.early.is_none(),
        Err(_) => false,
    };
    Ok(i32::from(!(rows.iter().all(whole) && strangers.is_empty())))
}

/// Why a submission is not graded: a reserved name or a duplicate.
fn twin_of(submission: &Submission, before: &[Submission]) -> Option<String> {
    if submission.student == TABLE {
        return Some(format!("a student cannot be called {TABLE}"));
    }
    let same = |other: &&Submission| {
        other.student == submission.student && other.lesson == submission.lesson
    };
    let twin = before.iter().find(same)?;
    Some(format!(
        "{} was handed in for the same lesson, and is graded; keep one of them",
        twin.path.display()
    ))
}

fn of_submission(submission: &Submission, args: &GradeArgs) -> Result<Graded> {
    let lesson = read(&submission.lesson)?;
    let exercises = exercises(&lesson).map_err(unusable(&submission.lesson))?;
    let handed_in = read(&submission.path)?;
    let Some(notebook) = to_grade(&lesson, &exercises, &handed_in) else {
        return Err(Error::Notebook {
            path: submission.path.clone(),
            line: 0,
            reason: "it has none of the lesson's exercises (their cells are known by their ids): \
                     was it made from this lesson by `holoscope assign`?"
                .to_owned(),
        });
    };
    let limits = Limits {
        time: Some(args.time),
        cell: Some(args.cell_time),
        memory: Some(args.memory),
        shown: false,
    };
    let run = run_notebook(&notebook, &submission.lesson, &limits)?;
    keep(&run, submission, &args.output)?;
    Ok(Graded {
        grades: grades(&lesson, &exercises, &run.notebook),
        early: run.early,
        seconds: run.seconds,
    })
}

/// Stores the executed notebook and its page, for reading the answers.
fn keep(run: &Run, submission: &Submission, output: &Path) -> Result<()> {
    let folder = output.join(&submission.student);
    std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let name = submission.lesson.file_stem().unwrap_or_default();
    let file = |end: &str| folder.join(format!("{}.{end}", name.to_string_lossy()));
    let path = file("ipynb");
    let text = NotebookText::of(&run.notebook).with(&run.notebook);
    notebook::replace(&path, text.as_bytes())?;
    let options = ExportOptions {
        folder: submission.lesson.parent().map(Path::to_path_buf),
        ..ExportOptions::default()
    };
    let page = export::page(&run.notebook, &options);
    notebook::replace(&file("html"), page.html.as_bytes())
}

/// A submission in one line.
fn line(row: &Row) -> String {
    let who = format!("{:<20} {}", row.student, row.lesson);
    match &row.result {
        Err(reason) => format!("{who}: not graded: {reason}"),
        Ok(graded) => {
            let sum = |f: fn(&Grade) -> f64| graded.grades.iter().map(f).sum::<f64>();
            let marks: Vec<String> = graded.grades.iter().map(mark).collect();
            let early = match &graded.early {
                Some(why) => format!(", ended early: {why}"),
                None => String::new(),
            };
            format!(
                "{who}: {} of {} points ({}; {:.0} s{early})",
                sum(|g| g.points),
                sum(|g| g.of),
                marks.join(" | "),
                graded.seconds
            )
        }
    }
}

fn mark(grade: &Grade) -> String {
    match grade.verdict.is_passed() {
        true => "passed".to_owned(),
        false => grade.verdict.text(),
    }
}

/// `grades.csv`.
fn table(rows: &[Row]) -> String {
    let head = ["student", "lesson", "exercise", "points", "of", "result"];
    let mut text = csv::row(&head);
    for row in rows {
        match &row.result {
            Err(reason) => {
                text += &csv::row(&[&row.student, &row.lesson, "", "", "", reason]);
            }
            Ok(graded) => {
                for grade in &graded.grades {
                    let (points, of) = (grade.points.to_string(), grade.of.to_string());
                    let result = grade.verdict.text();
                    let fields = [&row.student, &row.lesson, &grade.exercise, &points, &of];
                    let [student, lesson, exercise, points, of] = fields.map(String::as_str);
                    text += &csv::row(&[student, lesson, exercise, points, of, &result]);
                }
            }
        }
    }
    text
}
