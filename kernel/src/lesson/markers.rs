//! The lines that mark solutions and hidden tests in a cell: `// BEGIN SOLUTION`, `// END SOLUTION`, `// BEGIN HIDDEN
//! TESTS`, `// END HIDDEN TESTS`.
//! Source: nbgrader's ClearSolutions and ClearHiddenTests, which look for the same words after `###`.

use std::ops::Range;

/// The kind of a marked region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    Solution,
    HiddenTests,
}

impl Region {
    const ALL: [Region; 2] = [Region::Solution, Region::HiddenTests];

    fn words(self) -> &'static str {
        match self {
            Region::Solution => "SOLUTION",
            Region::HiddenTests => "HIDDEN TESTS",
        }
    }
}

/// A region of a source: line numbers from 0, markers included.
#[derive(Debug, PartialEq, Eq)]
pub struct Marked {
    pub region: Region,
    pub lines: Range<usize>,
}

/// A marker without its partner: the line, from 1, and what is wrong.
#[derive(Debug, PartialEq, Eq)]
pub struct MarkerFault {
    pub line: usize,
    pub reason: String,
}

/// The marked regions of a source, in order.
///
/// # Errors
/// A region that is not closed, is closed without having begun, or lies in another.
pub fn regions(source: &str) -> Result<Vec<Marked>, MarkerFault> {
    let mut found = Vec::new();
    let mut open: Option<(Region, usize)> = None;
    for (at, line) in source.lines().enumerate() {
        let Some((begins, region)) = marker(line) else {
            continue;
        };
        let fault = |reason: String| MarkerFault {
            line: at + 1,
            reason,
        };
        open = match (begins, open) {
            (true, None) => Some((region, at)),
            (false, Some((began, from))) if began == region => {
                found.push(Marked {
                    region,
                    lines: from..at + 1,
                });
                None
            }
            (true, Some((began, from))) => {
                let (words, line) = (began.words(), from + 1);
                return Err(fault(format!(
                    "`BEGIN {}` within the `BEGIN {words}` of line {line}",
                    region.words()
                )));
            }
            (false, _) => {
                let words = region.words();
                return Err(fault(format!("`END {words}` without `BEGIN {words}`")));
            }
        };
    }
    match open {
        None => Ok(found),
        Some((region, from)) => Err(MarkerFault {
            line: from + 1,
            reason: format!("`BEGIN {0}` without `END {0}`", region.words()),
        }),
    }
}

/// Whether the line begins (or ends) a region, and which.
fn marker(line: &str) -> Option<(bool, Region)> {
    let line = line.trim_start();
    let words = line.trim_start_matches(['/', '#']);
    if words.len() == line.len() {
        return None;
    }
    let words = words.trim();
    let (begins, what) = match words.strip_prefix("BEGIN ") {
        Some(what) => (true, what),
        None => (false, words.strip_prefix("END ")?),
    };
    let region = Region::ALL
        .into_iter()
        .find(|region| what.trim() == region.words())?;
    Some((begins, region))
}

/// The source with each region of this kind replaced by `replacement`, at the indentation of its first marker, or
/// removed without a replacement. Markers of other regions stay.
///
/// # Errors
/// Those of [`regions`].
pub fn replaced(
    source: &str,
    kind: Region,
    replacement: Option<&str>,
) -> Result<String, MarkerFault> {
    let marked = regions(source)?;
    let lines: Vec<&str> = source.lines().collect();
    let mut kept: Vec<String> = Vec::new();
    let mut at = 0;
    for Marked { lines: of, .. } in marked.iter().filter(|marked| marked.region == kind) {
        kept.extend(lines[at..of.start].iter().map(|line| (*line).to_owned()));
        if let Some(text) = replacement {
            let first = lines[of.start];
            let indent = &first[..first.len() - first.trim_start().len()];
            kept.push(format!("{indent}{text}"));
        }
        at = of.end;
    }
    kept.extend(lines[at..].iter().map(|line| (*line).to_owned()));
    Ok(kept.join("\n"))
}

/// The source without the lines of markers.
pub fn without_markers(source: &str) -> String {
    let lines = source.lines().filter(|line| marker(line).is_none());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str =
        "fn f() -> u32 {\n    // BEGIN SOLUTION\n    let a = 1;\n    a + 1\n    // END SOLUTION\n}";

    #[test]
    fn a_solution_gives_way_to_what_the_student_begins_with() {
        let student = replaced(SOURCE, Region::Solution, Some("todo!(\"1.1\")"));
        assert_eq!(student.unwrap(), "fn f() -> u32 {\n    todo!(\"1.1\")\n}");
        assert_eq!(
            without_markers(SOURCE),
            "fn f() -> u32 {\n    let a = 1;\n    a + 1\n}"
        );
    }

    #[test]
    fn hidden_tests_are_taken_out_and_other_regions_stay() {
        let source = "a\n### BEGIN HIDDEN TESTS\nb\n### END HIDDEN TESTS\n// BEGIN SOLUTION\nc\n// END SOLUTION";
        assert_eq!(
            replaced(source, Region::HiddenTests, None).unwrap(),
            "a\n// BEGIN SOLUTION\nc\n// END SOLUTION"
        );
    }

    #[test]
    fn words_that_are_no_comment_mark_nothing() {
        for line in [
            "BEGIN SOLUTION",
            "// BEGIN SOLUTIONS",
            "let x = 1; // BEGIN SOLUTION",
            "// begin solution",
        ] {
            assert_eq!(regions(line), Ok(Vec::new()), "{line}");
        }
        let found = regions("  //   BEGIN SOLUTION  \n//END SOLUTION").unwrap();
        assert_eq!(found[0].lines, 0..2);
    }

    #[test]
    fn a_marker_without_its_partner_is_named_with_its_line() {
        for (source, line, reason) in [
            (
                "a\n// BEGIN SOLUTION",
                2,
                "`BEGIN SOLUTION` without `END SOLUTION`",
            ),
            (
                "// END SOLUTION",
                1,
                "`END SOLUTION` without `BEGIN SOLUTION`",
            ),
            (
                "// BEGIN SOLUTION\n// BEGIN SOLUTION",
                2,
                "`BEGIN SOLUTION` within the `BEGIN SOLUTION` of line 1",
            ),
            (
                "// BEGIN SOLUTION\n// END HIDDEN TESTS",
                2,
                "`END HIDDEN TESTS` without `BEGIN HIDDEN TESTS`",
            ),
        ] {
            let fault = regions(source).unwrap_err();
            assert_eq!((fault.line, fault.reason.as_str()), (line, reason));
        }
    }
}
