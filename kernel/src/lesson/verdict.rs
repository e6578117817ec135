//! The verdict of an executed check, read from its outputs.

use crate::notebook::{Cell, OutputKind};
use ra_ap_syntax::{AstNode, Edition, SourceFile, ast};
use serde_json::Value;

/// The type under which the library's `check` outputs its result for programs (`src/lesson/result.rs`).
const MIME: &str = "application/vnd.holoscope.exercise+json";

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    /// With the message for the student.
    Failed(String),
    /// The student's code still contains `todo!()`.
    NotStarted,
    /// The check could not run: it did not compile, the process ended, it was interrupted.
    Broken(String),
    /// The run did not reach it.
    NotRun,
}

impl Verdict {
    /// The verdict of a check cell in an executed notebook. A cell with its own assertions passes when it ends without
    /// an error; one that calls the library's `check` must output as many results as it has calls.
    pub fn of(check: &Cell) -> Verdict {
        if check.execution_count().is_none() {
            return Verdict::NotRun;
        }
        let (mut worst, mut shown) = (Verdict::Passed, 0);
        for output in check.outputs() {
            let verdict = match &output.kind {
                OutputKind::Display { data, .. } | OutputKind::ExecuteResult { data, .. } => {
                    shown += usize::from(data.contains_key(MIME));
                    data.get(MIME).map(of_result)
                }
                OutputKind::Error { ename, evalue, .. } => Some(of_error(ename, evalue)),
                OutputKind::Stream { .. } => None,
            };
            if let Some(verdict) = verdict
                && worst.is_passed()
            {
                worst = verdict;
            }
        }
        let calls = calls_of_check(&check.source);
        match worst {
            Verdict::Passed if shown < calls => Verdict::Broken(format!(
                "it has {calls} calls of `check` and shows {shown} results: a result is shown when it is the cell's last \
                 expression, without a semicolon, or by `display(&..)?`"
            )),
            worst => worst,
        }
    }

    pub fn is_passed(&self) -> bool {
        *self == Verdict::Passed
    }

    /// The verdict in one line.
    pub fn text(&self) -> String {
        match self {
            Verdict::Passed => "passed".to_owned(),
            Verdict::Failed(message) => format!("failed: {}", first_line(message)),
            Verdict::NotStarted => "not started".to_owned(),
            Verdict::Broken(message) => format!("did not run: {}", first_line(message)),
            Verdict::NotRun => "not run".to_owned(),
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// How often a source calls `check`.
fn calls_of_check(source: &str) -> usize {
    let parsed = SourceFile::parse(&format!("fn f() {{ {source} }}"), Edition::Edition2024);
    let nodes = parsed.tree().syntax().descendants();
    let calls = nodes
        .filter_map(ast::CallExpr::cast)
        .filter_map(|call| call.expr());
    let names = calls.filter_map(|called| match called {
        ast::Expr::PathExpr(path) => path.path()?.segment()?.name_ref(),
        _ => None,
    });
    names.filter(|name| name.text() == "check").count()
}

/// The verdict from a result of the library's `check`.
fn of_result(data: &Value) -> Verdict {
    let message = data.get("message").and_then(Value::as_str);
    let message = message.unwrap_or_default().to_owned();
    match data.get("state").and_then(Value::as_str) {
        Some("passed") => Verdict::Passed,
        Some("not started") => Verdict::NotStarted,
        _ => Verdict::Failed(message),
    }
}

/// The verdict from the error of a cell with its own assertions.
fn of_error(ename: &str, evalue: &str) -> Verdict {
    let is_todo =
        evalue.starts_with("not yet implemented") || evalue.starts_with("not implemented");
    match ename {
        "panic" if is_todo => Verdict::NotStarted,
        "panic" | "error" => Verdict::Failed(evalue.to_owned()),
        _ => Verdict::Broken(format!("{ename}: {evalue}")),
    }
}

/// The error of a cell that failed.
pub fn error(cell: &Cell) -> Option<String> {
    cell.outputs().iter().find_map(|output| match &output.kind {
        OutputKind::Error { ename, evalue, .. } => Some(format!("{ename}: {evalue}")),
        _ => None,
    })
}
