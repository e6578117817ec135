//! Tests of how messages are drawn over cells.

use super::*;
use crate::facade::rust_src::library_source;

const MISMATCH: &str = "\
error[E0308]: mismatched types
 --> line 2 of this cell
  |
2 | LINE
  | GAP       ---   ^^^ expected `i32`, found `&str`
  | GAP       |
  | GAP       expected due to this";

/// `MISMATCH` for a line with this many columns before `let b: i32 = "x";`.
fn mismatch(columns: usize, line: &str) -> String {
    let gap = " ".repeat(columns);
    let text = MISMATCH.replace("GAP ", &format!("{gap} "));
    text.replace("LINE", line)
}

#[test]
fn carets_stand_below_what_follows_wide_characters() {
    let line = "let s = \"😀日本\"; let b: i32 = \"x\";";
    let detail = run(&format!("let a = 1;\n{line}\n")).detail();
    assert_eq!(detail, mismatch(18, line));
}

#[test]
fn carets_stand_below_what_tabs_indent() {
    let detail = run("if true {\n\t\tlet b: i32 = \"x\";\n}").detail();
    assert_eq!(detail, mismatch(8, "        let b: i32 = \"x\";"));
}

#[test]
fn lines_that_end_with_a_carriage_return_show_none() {
    let detail = run("let a = 1;\r\nlet b: i32 = \"x\";\r\nlet c = 2;\r\n").detail();
    assert_eq!(detail, mismatch(0, "let b: i32 = \"x\";"));
    let several = "let v: i32 = vec![\r\n    1,\r\n    2,\r\n];\r\n";
    let detail = run(several).detail();
    assert!(!detail.contains(['\r', '␍']), "{detail}");
    assert!(
        detail.contains("2 | |     1,\n3 | |     2,\n4 | | ];\n"),
        "{detail}"
    );
}

#[test]
fn a_line_is_found_in_the_output_as_the_user_wrote_it() {
    let (headline, detail) = run("let a = 1;\nlet b: i32 = \"x\";").report();
    assert_eq!(headline, "mismatched types");
    assert!(detail.contains("\n2 | let b: i32 = \"x\";\n"), "{detail:?}");
    assert!(
        detail.contains("\n --> line 2 of this cell\n"),
        "{detail:?}"
    );
    assert!(
        detail.contains("\u{1b}[91merror[E0308]\u{1b}[0m"),
        "{detail:?}"
    );
    assert!(detail.contains("\u{1b}[91m^^^\u{1b}[0m"), "{detail:?}");
}

#[test]
fn a_span_of_several_lines_is_drawn_at_their_side() {
    let detail = run("let v: i32 = vec![\n    1,\n    2,\n];").detail();
    let expected = "\
error[E0308]: mismatched types
 --> line 1 of this cell
  |
1 |   let v: i32 = vec![
  |  ________---___^
  | |        |
  | |        expected due to this
2 | |     1,
3 | |     2,
4 | | ];
  | |_^ expected `i32`, found `Vec<{integer}>`
  |
  = note: expected type `i32`
           found struct `Vec<{integer}>`";
    assert_eq!(detail, expected);
}

#[test]
fn an_argument_of_a_macro_is_underlined_and_not_the_macro() {
    let detail = run("println!(\"{}\", nope)").detail();
    let expected = "\
error[E0425]: cannot find value `nope` in this scope
 --> line 1 of this cell
  |
1 | println!(\"{}\", nope)
  |                ^^^^ not found in this scope";
    assert_eq!(detail, expected);
}

#[test]
fn what_a_macro_of_the_library_makes_is_told_of_its_use() {
    let detail = run("assert_eq!(1, \"x\");").detail();
    let line = "\
1 | assert_eq!(1, \"x\");
  | ^^^^^^^^^^^^^^^^^^ no implementation for `{integer} == &str`";
    assert!(detail.contains(line), "{detail}");
    assert!(!detail.contains("library/core"), "{detail}");
}

#[test]
fn a_macro_of_another_cell_is_shown_with_its_use() {
    let bad = "#[macro_export]\nmacro_rules! bad { () => { let x: i32 = \"s\"; } }\n";
    let detail = two(bad, "let a = 1;\nbad!();").detail();
    let expected = "\
error[E0308]: mismatched types
 --> cell 2:2:41
  |
2 | macro_rules! bad { () => { let x: i32 = \"s\"; } }
  |                                   ---   ^^^ expected `i32`, found `&str`
  |                                   |
  |                                   expected due to this
  |
 ::: line 2 of this cell
  |
2 | bad!();
  | ------ in this macro invocation
  |
  = note: this error originates in the macro `bad`";
    assert_eq!(detail, expected);
}

#[test]
fn an_error_in_another_cell_names_the_cell_and_its_line() {
    let earlier = "use std::fmt;\npub fn name(x: i32) -> String { x }\n";
    let detail = two(earlier, "name(1)").detail();
    let start = "\
error[E0308]: mismatched types
 --> cell 2:2:33
  |
2 | pub fn name(x: i32) -> String { x }
  |                        ------   ^ expected `String`, found `i32`";
    assert!(detail.starts_with(start), "{detail}");
    assert!(!detail.contains("this cell"), "{detail}");
}

#[test]
fn a_note_about_another_cell_shows_it() {
    let earlier = "pub struct P;\npub fn show<T: std::fmt::Display>(t: T) {}\n";
    let detail = two(earlier, "show(P);").detail();
    let note = "
note: required by a bound in `show`
 --> cell 2:2:16
  |
2 | pub fn show<T: std::fmt::Display>(t: T) {}
  |                ^^^^^^^^^^^^^^^^^ required by this bound in `show`";
    assert!(detail.contains(note), "{detail}");
}

#[test]
fn a_suggestion_shows_the_line_as_it_would_be() {
    let detail = run("let a = 1;\nlet s: String = \"x\";").detail();
    let help = "
help: try using a conversion method
  |
2 | let s: String = \"x\".to_string();
  |                    ++++++++++++";
    assert!(detail.contains(help), "{detail}");
    let detail = run("fn first(x: &str, y: &str) -> &str { x }").detail();
    let line = "1 | fn first<'a>(x: &'a str, y: &'a str) -> &'a str { x }";
    assert_eq!(detail.matches("\n1 | ").count(), 2, "{detail}");
    assert!(detail.contains(line), "{detail}");
}

#[test]
fn imports_are_suggested_for_the_first_line_of_the_cell_one_by_one() {
    let detail = run("let a = 1;\nlet e: Entry = 3;").detail();
    let help = "
help: consider importing one of these enums
  |
1 + use std::collections::btree_map::Entry;
  |
1 + use std::collections::hash_map::Entry;
  |";
    assert!(detail.ends_with(help), "{detail}");
}

#[test]
fn an_attribute_is_suggested_above_its_line() {
    // Its place in the standard library is shown only where the source is installed.
    library_source().unwrap();
    let detail = run("struct P;\nlet p = vec![P; 3];").detail();
    let help = "
help: consider annotating `P` with `#[derive(Clone)]`
     |
   1 + #[derive(Clone)]
   2 | struct P;
     |";
    assert!(detail.ends_with(help), "{detail}");
    // Text outside of cells is shown where rustc found it.
    assert!(detail.contains("library/alloc/src/vec/mod.rs:"), "{detail}");
}

#[test]
fn a_method_of_a_trait_out_of_scope_gets_the_traits_help() {
    let earlier = "pub mod m { pub trait Frob { fn frob(&self) {} } impl Frob for String {} }";
    let detail = two(earlier, "let s = String::new();\ns.frob();").detail();
    let expected = "\
error[E0599]: no method named `frob` found for struct `String` in the current scope
 --> line 2 of this cell
  |
2 | s.frob();
  |   ^^^^ method not found in `String`
  |
 ::: cell 2:1:33
  |
1 | pub mod m { pub trait Frob { fn frob(&self) {} } impl Frob for String {} }
  |                                 ---- the method is available for `String` here
  |
  = help: items from traits can only be used if the trait is in scope
help: trait `Frob` which provides `frob` is implemented but not in scope; perhaps you want to import it
  |
1 + use crate::m::Frob;
  |";
    assert_eq!(detail, expected);
}

#[test]
fn a_line_of_100_kb_is_cut_around_the_error() {
    let long = |c: &str| format!("let s = \"{}\";", c.repeat(50_000));
    let line = format!("{} let b: i32 = \"x\"; {}", long("a"), long("日"));
    let detail = run(&line).detail();
    assert!(
        detail.contains("aaa\"; let b: i32 = \"x\"; let s = \"日日日"),
        "{detail}"
    );
    assert!(detail.len() < 2_000, "{}", detail.len());
    let spans = [
        format!("let s: String = \"{}\";", "a".repeat(100_000)),
        format!("let s: char = '{}';", "a".repeat(100_000)),
        format!("println!(\"{}\");", "{} ".repeat(2_000)),
        format!("let v: i32 = vec![{}];", "\"a\", ".repeat(20_000)),
        format!("nope!({})", "a, ".repeat(33_000)),
    ];
    for source in spans {
        let detail = run(&source).detail();
        assert!(detail.starts_with("error"), "{detail}");
        assert!(detail.len() < 4_000, "{}: {detail}", detail.len());
    }
}

#[test]
fn an_error_in_a_module_file_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.rs");
    std::fs::write(&file, "pub fn f() {}\npub fn g() -> i32 { \"a\" }\n").unwrap();
    let path = file.to_str().unwrap();
    let detail = run(&format!("#[path = {path:?}] mod m;\nlet b: i32 = \"x\";")).detail();
    let place = format!(" --> {path}:2:21\n  |\n2 | pub fn g() -> i32 {{ \"a\" }}\n");
    assert!(detail.contains(&place), "{detail}");
    assert!(detail.contains(" --> line 2 of this cell"), "{detail}");
}

/// Without generated text, nothing is omitted and nothing added.

#[test]
fn a_message_about_the_users_text_alone_is_as_rustc_draws_it() {
    // rustc shows lines of the standard library only where its source is installed.
    library_source().unwrap();
    let sources = [
        "fn f() -> i32 {\n    if true {\n        1\n    } else {\n        \"a\"\n    }\n}",
        "fn f() { let s = String::new(); let c = move || s.len(); s.len(); c(); }",
        "fn f() { let mut v = vec![1]; let r = &v[0]; v.push(2); println!(\"{r}\"); }",
        "struct S { a: i32 }\nfn f() { let s = S { b: 1 }; s.c; }",
        "enum E { A, B }\nfn f(e: E) -> i32 {\n    match e {\n        E::A => 1,\n    }\n}",
        "trait T { fn t(&self) -> i32; }\nimpl T for i32 { fn t(&self) -> u8 { 0 } }",
        "pub fn f<T>(t: T) -> T { t + t }",
        "fn f(a: i32, b: &str) {}\nfn g() { f(\"a\", 1, 3); f(1); }",
        "fn f() { std::thread::spawn(|| std::rc::Rc::new(1)); }",
        "#[derive(Debug)] struct A(B);\nstruct B;",
        "fn f() {\n\tlet 変数: i32 = \"😀\"; }",
        "fn f() { let x = [1, 2; }",
        "fn f() { let x = \"abc; }",
    ];
    let trimmed = |text: &str| text.trim_end_matches(['\n', '|', ' ']).to_owned();
    for source in sources {
        let mut all = Crate::default().cell("cell 1", source).user(0);
        for line in all.rustc().lines() {
            let message: serde_json::Value = serde_json::from_str(line).unwrap();
            for diagnostic in Diagnostic::parse_all(line).iter().filter(|d| d.is_error()) {
                let rustcs = message["rendered"].as_str().unwrap();
                let rustcs = rustcs.replace(&all.file, "cell 1");
                let ours = plain(&diagnostic.render(&all, &str::to_owned));
                assert_eq!(trimmed(&ours), trimmed(&rustcs));
            }
        }
    }
}
