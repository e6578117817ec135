use super::*;

fn incomplete(depth: usize) -> Completeness {
    Completeness::Incomplete {
        indent: INDENT.repeat(depth),
    }
}

fn all_are(expected: &Completeness, cells: &[&str]) {
    for code in cells {
        assert_eq!(&of(code), expected, "{code:?}");
        // Enter leaves an empty line at the end; only a string includes it.
        assert_eq!(
            &of(&format!("{code}\n")),
            expected,
            "{code:?} and a newline"
        );
    }
}

#[test]
fn finished_code_is_complete() {
    all_are(
        &Completeness::Complete,
        &[
            "",
            "  \n\n",
            "// a comment",
            "//! no item needs this",
            "//// nor this",
            "let x = 1;",
            "let x = 1; // one",
            "let x = 5;;",
            "1 + 1",
            "x.await",
            "println!(\"{}\", 1)",
            "println!(\"{}\", )",
            "vec![1, 2]",
            "x.iter()\n    .map(|v| v + 1)",
            "fn f<'a>(x: &'a str) -> &'a str { x }",
            "'a: loop { break 'a; }",
            "struct S;",
            "#[derive(Debug)]\nstruct S(i32);",
            "/// doc\n#[derive(Debug)]\n// and more\nenum E { A }",
            "#![allow(unused)]",
            "macro_rules! m { ($x:expr) => { $x + 1 }; }",
            "use std::{fmt, io};",
            "match x { 1 => 2, _ => 3 }",
            "let Some(x) = y else { return };",
            "let f = |x| x + 1;",
            "..",
            "1..",
            "1.",
            "return",
            "let v\n    : i32 = 5;",
            "let a = true;\r\na\r\n",
        ],
    );
}

#[test]
fn a_lone_semicolon_is_not_waited_for() {
    all_are(
        &Completeness::Complete,
        &[
            "let x = 5",
            "let x = 5 // five",
            "let Some(x) = y else { return }",
            "const N: usize = 5",
            "static S: &str = \"a\"",
            "use std::io",
            "use std::{fmt, io}",
        ],
    );
}

#[test]
fn brackets_and_quotes_in_literals_do_not_count() {
    all_are(
        &Completeness::Complete,
        &[
            "let c = '{';",
            "let c = b'(';",
            "let c = '\"';",
            "let s = \"two\nlines\";",
            "let s = \"\\\"\";",
            "let s = r\"\\\";",
            "let s = r#\"a\"b\"#;",
            "let s = br##\"(\"#\"##;",
            "let s = c\"(\";",
            "let x = 1; // (",
            "/* \" */ 1",
        ],
    );
}

#[test]
fn an_open_literal_is_incomplete_and_not_indented() {
    all_are(
        &incomplete(0),
        &[
            "\"abc",
            "b\"abc",
            "c\"abc",
            "r\"abc",
            "r#\"abc",
            "br#\"abc",
            "cr#\"abc",
            "let s = \"abc",
            "let s = \"two\nlines",
            "println!(\"a\\",
            "f(|x| { \"abc",
            "\"// abc",
            "let c = '",
            "let c = '{",
            "let c = '\\'",
            "let c = b'",
            "let c = b'x",
            // A label so far.
            "let c = 'x",
        ],
    );
}

#[test]
fn an_open_comment_keeps_the_indentation() {
    all_are(
        &incomplete(0),
        &["/* one", "/* one /* two */", "1; /** one", "1 + /* one"],
    );
    all_are(&incomplete(1), &["fn f() { /* one"]);
}

#[test]
fn an_attribute_or_doc_comment_waits_for_its_item() {
    all_are(
        &incomplete(0),
        &[
            "#",
            "#[derive(Debug)]",
            "#[derive(Debug)]\n#[allow(dead_code)]",
            "#[derive(Debug)] // and more",
            "/// doc",
            "/// doc\n/// and more",
            "/** doc */",
            "let x = 1;\n/// doc\n// and more",
            "/// doc\n#[derive(Debug)]",
            "#[derive(Debug)]\n/// doc",
            "#[derive(Debug)] pub",
            "#[derive(Debug)] struct S",
        ],
    );
}

#[test]
fn an_operator_waits_for_its_right_side() {
    all_are(
        &incomplete(0),
        &[
            "let x =",
            "let x = // five",
            "let mut x: i32 =",
            "x +=",
            "1 +",
            "return x +",
            "x &&",
            "x <",
            "x as",
            "x as Vec<",
            "\"a\" +",
            "..=",
            "for i in 0..=",
            "!",
            "&",
            "&mut",
            "||",
            "|x|",
            "let f = |x",
            "let f = move |x|",
            "a.b.",
            "x.0.",
            "x\n    .",
            "a::",
            "let a = std::",
            "x.collect::",
            "x.collect::<",
            "foo!",
            "fn f() { 1 } 2 +",
            "let a = 1; a +",
            "use a::b;\nconst N: u8 = 1;\nN +",
        ],
    );
}

#[test]
fn a_head_waits_for_its_body() {
    all_are(
        &incomplete(0),
        &[
            "fn f()",
            "fn f() ->",
            "fn f() -> i32",
            "fn f() -> impl",
            "fn f<T>() where T: Copy,",
            "async fn f()",
            "pub",
            "pub(crate) fn f()",
            "unsafe",
            "const",
            "async",
            "move",
            "impl",
            "impl Foo for Bar",
            "impl Foo for Bar\nwhere",
            "struct S",
            "struct S<T> where T: Copy",
            "enum E",
            "union U",
            "trait T",
            "macro_rules! m",
            "type T =",
            "if",
            "if x",
            "if let Some(x) =",
            "if let Some(x) = y",
            "if x {\n} else",
            "if x {\n} else if y",
            "let Some(x) = y else",
            "match x",
            "loop",
            "'a: loop",
            "'a:",
            "for x in",
            "for x in y",
            "let x = unsafe",
        ],
    );
}

#[test]
fn a_declaration_waits_for_what_it_declares() {
    all_are(
        &incomplete(0),
        &[
            "let",
            "let x",
            "let x:",
            "let x: i32",
            "let x: &dyn",
            "let v: Vec<",
            "let v: Vec<i32",
            "let (a, b) =",
            "use",
            "use std::",
            // They do not end in an expression: a semicolon is the shortest possible rest.
            "struct S(i32)",
            "type T = i32",
            "extern crate serde",
        ],
    );
}

#[test]
fn words_that_only_go_on_wait_on_a_line_of_their_own() {
    all_are(&incomplete(0), &["where", "else", "match x {} else"]);
}

#[test]
fn every_open_bracket_indents_the_next_line() {
    all_are(
        &incomplete(1),
        &[
            "fn f() {",
            "impl Foo {",
            "'a: loop {",
            "match x {",
            "match x { 1 =>",
            "match x { -",
            "vec![1, 2",
            "f(1,",
            "use std::{fmt,",
            "pub(",
            "fn f() { g();\n#[inline]",
            "let x = 1 + (2",
            "fn f() {\n/// doc",
        ],
    );
    all_are(
        &incomplete(2),
        &[
            "f(|x| {",
            "#[derive(",
            "macro_rules! m { ($x:expr) => {",
            "mod m { impl S {",
        ],
    );
}

#[test]
fn an_error_before_the_end_is_invalid() {
    all_are(
        &Completeness::Invalid,
        &[
            "let = 7q;",
            "let x = ; foo();",
            "let x = 5 +;",
            "let x = 5 5",
            "let x = 5\nlet y = 6;",
            "foo() bar",
            "foo(1 2",
            "fn f() }",
            "loop {} }",
            "(]",
            "(1, 2]",
            "}",
            "1,",
            "+",
            "=>",
            "?",
            "0x",
            "''",
            "'ab'",
            "let c = '{\nfoo();",
            "let s = \"a\" \"b",
            "struct S { a: i32 b",
            "let = 1; fn f() {",
        ],
    );
}

#[test]
fn command_lines_are_complete() {
    all_are(
        &Completeness::Complete,
        &[
            ":dep serde = \"1\"",
            ":dep serde = { version = \"1\" }\n:vars",
            "  :help",
            ":dep x = \"1\nlet y = 1;",
            "// first\n:vars",
            "let x = 1;\n:vars",
            "!ls",
            "!ls -la /tmp",
            "!./run.sh \"it's",
            "!echo 'a\n!echo (b\n1 + 1",
            "let x = 1;\n!ls -la /tmp",
            "?name",
            "?std::fs::File",
            "??name",
            "name?",
            "println!?",
            "Vec<i32>?",
            "let x = 1;\n?x",
        ],
    );
}

#[test]
fn rust_below_a_command_still_counts() {
    all_are(&incomplete(1), &[":dep serde = \"1\"\nfn f() {"]);
    all_are(&incomplete(0), &["!ls (\n#[derive(Debug)]", "::"]);
    all_are(&Completeness::Invalid, &[":vars\nlet = 1;"]);
}

#[test]
fn lines_inside_literals_comments_and_brackets_are_no_commands() {
    all_are(
        &Completeness::Complete,
        &[
            "let s = \"\n:dep \";",
            "let s = r#\"\n!ls \"#;",
            "/*\n:dep */ 1",
            "!ls \"\nlet s = \"\n:dep \";",
            "f(a,\n!b )",
        ],
    );
    all_are(
        &incomplete(0),
        &["let s = \"\n:dep", "let s = r#\"\n!ls \""],
    );
    all_are(&incomplete(0), &["/*\n:dep", "a &&\n!b &&"]);
}

#[test]
fn right_code_typed_line_by_line_is_never_invalid() {
    let right = include_str!("completeness.rs");
    for (end, _) in right.match_indices('\n') {
        assert_ne!(
            of(&right[..end]),
            Completeness::Invalid,
            "{}",
            &right[..end]
        );
    }
    assert_eq!(of(right.trim_end_matches("mod tests;\n")), incomplete(0));
    assert_eq!(of(right), Completeness::Complete);
}
