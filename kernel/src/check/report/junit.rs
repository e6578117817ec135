//! A report as JUnit XML, which CI services display: one suite per notebook, one case
//! per cell.
//! Source: the schema of Jenkins' xUnit plugin, junit-10.xsd.

use super::{Outcome, Report};
use std::fmt::Write;

/// The XML of a report.
pub fn xml(report: &Report, notebook: &str, seconds: f64) -> String {
    let count = |which: &dyn Fn(&Outcome) -> bool| {
        let cells = report.cells.iter();
        cells.filter(|cell| which(&cell.outcome)).count()
    };
    let failures = count(&|outcome| matches!(outcome, Outcome::Differs(_)));
    let skipped = count(&|outcome| matches!(outcome, Outcome::Skipped | Outcome::Ignored));
    let notebook = escaped(notebook);
    let numbers = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"{seconds:.3}\"",
        report.cells.len()
    );
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {numbers}>\n\
         <testsuite name=\"{notebook}\" {numbers}>\n"
    );
    for cell in &report.cells {
        let _ = write!(
            xml,
            "<testcase classname=\"{notebook}\" name=\"{} [id {}]\" time=\"{:.3}\"",
            escaped(&cell.name),
            escaped(&cell.id),
            cell.seconds.unwrap_or(0.0)
        );
        match &cell.outcome {
            Outcome::Same => xml.push_str("/>\n"),
            Outcome::Ignored => {
                xml.push_str("><skipped message=\"its outputs are not compared\"/></testcase>\n");
            }
            Outcome::Skipped => xml.push_str("><skipped message=\"not run\"/></testcase>\n"),
            Outcome::Differs(differences) => {
                let kind = differences.first().map_or("", |one| one.kind.text());
                let _ = writeln!(
                    xml,
                    "><failure type=\"{kind}\" message=\"{kind}\">{}</failure></testcase>",
                    escaped(&cell.to_string())
                );
            }
        }
    }
    xml + "</testsuite>\n</testsuites>\n"
}

/// Text with only the characters that XML 1.0 allows.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
