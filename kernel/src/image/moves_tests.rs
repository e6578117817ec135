use super::*;

/// A cell as evcxr wraps it, with `loaded` from before and all of `stored` kept.
fn cell(loaded: &[(&str, &str)], new: &[(&str, &str)], code: &str) -> String {
    let line = |method: &str, name: &str, of: &str, value: &str| {
        format!("evcxr_variable_store.{method}::<{of}>(stringify!({name}){value});\n")
    };
    let mut text = String::from(
        "#![allow(unused_imports)]\nuse holoscope::prelude::*;\n#[unsafe(no_mangle)]\n\
         pub extern \"C\" fn run_user_code_7(\nmut evcxr_variable_store: *mut u8) -> *mut u8 {\n",
    );
    for (name, of) in loaded {
        text += &format!("let mut {name} = {}", line("take_variable", name, of, ""));
    }
    text += "match std::panic::catch_unwind(\nstd::panic::AssertUnwindSafe(||{\n\
             let _ = (|| -> std::result::Result<(), EvcxrUserCodeError> {\n";
    text += code;
    text += "\n";
    for (name, of) in new {
        text += &line("put_variable", name, of, &format!(", {name}"));
    }
    text += "Ok(())})();\n})) {\nOk(_) => {}\nErr(_) => {}}\n";
    for (name, of) in loaded {
        text += &line("put_variable", name, of, &format!(", {name}"));
    }
    text + "evcxr_variable_store\n}\n"
}

fn names(source: &str) -> Vec<String> {
    read(source).moved.into_iter().map(|m| m.name).collect()
}

#[test]
fn what_takes_a_variable_by_value_on_every_way_moves_it() {
    for code in [
        "let y = s;",
        "let y = f(s);",
        "let y = f(&g(1, s)?).h();",
        "w.push(s);",
        "let y = (s, 1);",
        "let y = [s];",
        "let y = P { s };",
        "let y = P { a: s, ..Default::default() };",
        "let _ = Some(s);",
        "f(s); println!(\"{}\", 1);",
        "let y = 1 + f(s);",
        "println!(\"{s}\"); let y = s;",
        "println!(\"{}\", s.len()); let y = s;",
    ] {
        let source = cell(&[("s", "String")], &[], code);
        assert_eq!(names(&source), ["s"], "{code}");
    }
}

#[test]
fn what_may_leave_a_variable_is_the_compilers_to_judge() {
    for code in [
        "s.len()",
        "let _ = s;",
        "let ref y = s;",
        "let y = &s;",
        "let y = s.clone();",
        "let y = s.field;",
        "let y = s.into_iter();",
        "f(&s)",
        "f(&mut s);",
        "if a { f(s); }",
        "let y = a && f(s);",
        "match a { 1 => f(s), _ => {} }",
        "while a { f(s); }",
        "let y = move || f(s);",
        "let y = s == t;",
        "f(s); s = g();",
        "f(s); (s, a) = g();",
        "let s = f(s);",
        "{ let s = 1; f(s); }",
        "let y = |s: i32| f(s);",
        "for s in a { f(s); }",
        "let y = f(s); assign!(s);",
        "let Some(y) = a else { f(s); panic!() };",
        "match (s, 1) { _ => {} }",
        "let y = [s; 3];",
        "let y = s as i64;",
        "macro_like!(s)",
    ] {
        let source = cell(&[("s", "String")], &[], code);
        assert!(names(&source).is_empty(), "{code}");
    }
    // Lent, not moved.
    let source = cell(&[("s", "&'static mut i64")], &[], "let y = s;");
    assert!(names(&source).is_empty());
}

#[test]
fn a_variable_of_the_cell_itself_is_seen_and_its_place_is_told() {
    let source = cell(
        &[("kept", "i64")],
        &[("a", "String"), ("b", "Vec<String>")],
        "let a = f();\nlet b = vec![g(a)];\nlet b2 = h(a);",
    );
    let Text { moved, types } = read(&source);
    assert_eq!(types, ["String", "Vec<String>", "i64"]);
    assert_eq!(moved.len(), 1);
    assert_eq!(
        (moved[0].name.as_str(), moved[0].type_name.as_str()),
        ("a", "String")
    );
    let line = source.lines().nth(moved[0].line - 1).unwrap();
    assert_eq!(
        line,
        "evcxr_variable_store.put_variable::<String>(stringify!(a), a);"
    );
    let refusal = refusal(&moved[0], &source);
    let refusal: serde_json::Value = serde_json::from_str(&refusal).unwrap();
    assert_eq!(refusal["code"]["code"], "E0382");
    assert_eq!(refusal["spans"][0]["line_start"], moved[0].line);
    // Defined twice: which one is moved?
    let twice = cell(&[], &[("a", "String")], "let a = f(); g(a); let a = f();");
    assert!(names(&twice).is_empty());
    assert!(names("fn run_user_code_1() {}").is_empty());
    assert!(names("no rust at all {{{").is_empty());
}

const ITEMS: &str = "#[derive(Clone, Copy)] pub struct Point; pub struct Name(String);\n\
    pub type Lent = &'static mut i64; #[derive(Clone)] pub struct Of<T>(T);\n";

/// What the compiler says of these items; the proof and the question are its own.
fn compile(items: &str) -> (bool, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lib.rs");
    std::fs::write(&path, format!("{ITEMS}{items}")).unwrap();
    let output = std::process::Command::new("rustc")
        .args([
            "--edition=2024",
            "--crate-type=lib",
            "--emit=metadata",
            "--error-format=json",
            "-o",
        ])
        .arg(dir.path().join("out"))
        .arg(&path)
        .output()
        .unwrap();
    (
        output.status.success(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn owned(types: &[&str]) -> Vec<String> {
    types.iter().map(|t| (*t).to_owned()).collect()
}

const MOVING: [&str; 7] = [
    "String",
    "Vec<i64>",
    "Name",
    "Of<i64>",
    "(String, i64)",
    "Box<dyn Fn(i64) -> i64>",
    "Option<Name>",
];
const COPIED: [&str; 5] = ["i64", "Point", "(i64, f64)", "Option<Point>", "fn(i64)"];

#[test]
fn the_proof_holds_for_types_that_move_and_for_no_others() {
    let (holds, said) = compile(&proof(&owned(&MOVING)));
    assert!(holds, "{said}");
    for copied in COPIED.iter().chain(&["&'static str", "Lent"]) {
        assert!(!compile(&proof(&owned(&[copied]))).0, "{copied}");
    }
}

#[test]
fn the_compiler_tells_which_types_are_copied() {
    let all: Vec<&str> = MOVING.iter().chain(&COPIED).copied().collect();
    let (compiles, said) = compile(&question(&owned(&all)));
    assert!(compiles, "{said}");
    let above = ITEMS.lines().count() + 1;
    let copied: Vec<&str> = said
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|message| message["code"]["code"] == IS_COPY)
        .map(|message| {
            let line = message["spans"][0]["line_start"].as_u64().unwrap() as usize;
            all[line - above]
        })
        .collect();
    assert_eq!(copied, COPIED);
}

#[test]
fn stds_owners_are_known_beforehand() {
    assert!(surely_moves("String") && surely_moves("std::vec::Vec<i64>"));
    assert!(!surely_moves("i64") && !surely_moves("Point") && !surely_moves("Option<String>"));
}
