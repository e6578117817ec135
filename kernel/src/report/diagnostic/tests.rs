mod drawing;

use super::*;
use std::ops::Range;
use std::process::Command;

/// A generated crate: text of cells between generated text.
#[derive(Default)]
struct Crate {
    cells: Vec<(String, bool, String)>,
    text: String,
    /// Ranges of the text, the cell they belong to, and their offsets in it.
    stretches: Vec<(Range<usize>, usize, usize)>,
    file: String,
}

impl Crate {
    fn cell(mut self, label: &str, source: &str) -> Self {
        let current = label == "this cell";
        self.cells
            .push((label.to_owned(), current, source.to_owned()));
        self
    }

    fn generated(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Adds all of a cell's text.
    fn user(mut self, cell: usize) -> Self {
        let source = &self.cells[cell].2;
        let start = self.text.len();
        self.text.push_str(source);
        self.stretches.push((start..self.text.len(), cell, 0));
        self
    }

    fn compile(&mut self) -> Vec<Diagnostic> {
        Diagnostic::parse_all(&self.rustc())
    }

    fn rustc(&mut self) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cells.rs");
        std::fs::write(&file, &self.text).unwrap();
        self.file = file.to_str().unwrap().to_owned();
        let out = Command::new("rustc")
            .args(["--edition=2024", "--crate-type=lib", "--emit=metadata"])
            .arg("--error-format=json")
            .arg("-o")
            .arg(folder.path().join("out"))
            .arg(&file)
            .output()
            .unwrap();
        String::from_utf8(out.stderr).unwrap()
    }

    /// Headline and detail, with the colours.
    fn report(&mut self) -> (String, String) {
        let diagnostics = self.compile();
        render_all(&diagnostics, self, &|text| text.replace("c2::", ""))
    }

    /// The detail without colours.
    fn detail(&mut self) -> String {
        plain(&self.report().1)
    }
}

impl Origins for Crate {
    fn origin(&self, file: &str, byte: usize) -> Option<Origin<'_>> {
        let mut stretches = self.stretches.iter().filter(|_| file == self.file);
        let (range, cell, offset) = stretches.find(|(range, ..)| range.contains(&byte))?;
        let (cell, current, source) = &self.cells[*cell];
        Some(Origin {
            cell,
            current: *current,
            source,
            offset: offset + byte - range.start,
        })
    }

    fn generated(&self, file: &str) -> bool {
        file == self.file
    }
}

/// A text without its escape sequences.
fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + part.split_once('m').unwrap().1)
}

/// A crate that runs one cell in a generated function.
fn run(source: &str) -> Crate {
    Crate::default()
        .cell("this cell", source)
        .generated("#![allow(unused)]\nfn generated() {\n")
        .user(0)
        .generated("\n;}\n")
}

/// A cell of items, and one that is run.
fn two(earlier: &str, source: &str) -> Crate {
    Crate::default()
        .cell("cell 2", earlier)
        .cell("this cell", source)
        .generated("#![allow(unused)]\nmod c2 {\n")
        .user(0)
        .generated("\n}\nuse c2::*;\nfn generated() {\n")
        .user(1)
        .generated("\n;}\n")
}

#[test]
fn errors_in_generated_text_give_way_to_those_in_the_users() {
    let mut both = run("let b: i32 = \"x\";").generated("fn more() { nope(); }");
    let (headline, detail) = both.report();
    assert_eq!(headline, "mismatched types");
    assert!(!detail.contains("nope"), "{detail}");
    let (headline, detail) = run("1").generated("fn more() { nope() }").report();
    assert_eq!(headline, "cannot find function `nope` in this scope");
    assert_eq!(
        plain(&detail),
        "error[E0425]: cannot find function `nope` in this scope"
    );
}

#[test]
fn the_headline_is_the_first_error_and_counts_the_others() {
    let (headline, detail) = run("let a: i32 = \"x\";\nlet b: u8 = \"y\";\nnope").report();
    assert_eq!(
        headline,
        "cannot find value `nope` in this scope (and 2 more)"
    );
    assert_eq!(plain(&detail).matches("error[E").count(), 3);
}

#[test]
fn the_same_error_is_told_once() {
    let mut twice = Crate::default()
        .cell("this cell", "let a: i32 = \"x\";")
        .generated("fn one() {")
        .user(0)
        .generated("}\nfn two() {")
        .user(0)
        .generated("}");
    let (headline, detail) = twice.report();
    assert_eq!(headline, "mismatched types");
    assert_eq!(plain(&detail).matches("error[E0308]").count(), 1);
}

#[test]
fn words_about_generated_text_are_kept_if_they_name_things() {
    let mut moved = Crate::default()
        .cell("this cell", "drop(s); drop(s)")
        .generated("pub fn generated() { let s = String::new();")
        .user(0)
        .generated("}");
    let detail = moved.detail();
    let note = "\
  = note: move occurs because `s` has type `String`, which does not implement the `Copy` trait";
    assert!(detail.contains(note), "{detail}");
    assert!(detail.contains("drop(s.clone()); drop(s)"), "{detail}");
    // The user cannot add a return type to the generated function.
    let detail = run("\"5\".parse::<i32>()?;").detail();
    assert_eq!(detail.lines().count(), 5, "{detail}");
}

#[test]
fn what_is_no_message_is_passed_over() {
    let noise = "warning: not JSON\n{\"$message_type\":\"artifact\",\"artifact\":\"x\"}\n\n[1]\n";
    let mut wrong = run("let b: i32 = \"x\";");
    let parsed = Diagnostic::parse_all(&(noise.to_owned() + &wrong.rustc()));
    assert_eq!(parsed.len(), 1, "{parsed:?}");
    assert!(parsed[0].is_error() && parsed[0].code() == Some("E0308"));
    assert_eq!(render_all(&[], &wrong, &str::to_owned), Default::default());
}

#[test]
fn generated_names_become_the_users_in_every_text() {
    let run = "mod c3 { pub struct P; }\nlet p: c3::P = P;";
    let mut cells = two("pub struct P;", run);
    let diagnostics = cells.compile();
    let (_, as_it_is) = render_all(&diagnostics, &cells, &str::to_owned);
    assert!(as_it_is.contains("c2::P"), "{as_it_is}");
    let detail = cells.detail();
    assert!(!detail.contains("c2::P"), "{detail}");
    assert!(detail.contains("found `P`"), "{detail}");
    let (headline, _) = render_all(&diagnostics, &cells, &|text| text.replace("types", "kinds"));
    assert_eq!(headline, "mismatched kinds");
}
