//! What `-p` accepts, its results, and its messages for everything else.

mod compounds;
mod of_the_case;
mod scalars;
mod values;

use super::*;
use proptest::prelude::*;

const SOURCE: &str = "// Sizes of this run.\nlet profile: &str = \"paper\"; // quick or paper\n\
    let steps: usize = 400;\nlet rate: f64 = 1e-3;\nlet mut verbose = false;\n\
    const SEED: u64 = 42069;\nlet name: String = \"x\".into();\nlet top: Option<usize> = None;\n\
    let sizes: Vec<usize> = vec![1];";

/// A notebook with a heading, the parameters cell and one more cell.
fn notebook(source: &str) -> Notebook {
    let mut notebook = Notebook::new();
    let mut cell = Cell::code(source);
    cell.metadata.insert("tags".into(), json!(["parameters"]));
    notebook.cells = vec![Cell::markdown("# T"), cell, Cell::code("steps")];
    notebook.complete_ids();
    notebook
}

/// The injected cell's text.
fn apply(source: &str, given: &[(&str, &str)]) -> Result<String, String> {
    apply_with(source, given, &[])
}

/// The injected cell's text where rustc has reported these types.
fn apply_with(
    source: &str,
    given: &[(&str, &str)],
    types: &[(&str, &str)],
) -> Result<String, String> {
    let mut notebook = notebook(source);
    let before = notebook.clone();
    let given: Vec<_> = given
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    let parameters = Parameters::read(&notebook, &given).map_err(|error| error.to_string())?;
    let types: Types = types
        .iter()
        .map(|(n, ty)| ((*n).to_owned(), (*ty).to_owned()))
        .collect();
    let types = (!types.is_empty()).then_some(&types);
    if let Err(error) = parameters.unwrap().apply(&mut notebook, types) {
        assert_eq!(notebook, before, "an error changes nothing");
        return Err(error.to_string());
    }
    assert!(notebook.cells[2].has_tag(INJECTED));
    assert_eq!(notebook.cells.len(), 4);
    assert_eq!(
        notebook.cells[1], before.cells[1],
        "the parameters cell stays as it is"
    );
    Ok(notebook.cells[2].source.clone())
}

/// The only declaration in the injected cell.
fn line(source: &str, name: &str, value: &str) -> Result<String, String> {
    let injected = apply(source, &[(name, value)])?;
    let line = injected.strip_prefix("// Parameters\n").unwrap();
    Ok(line.to_owned())
}

#[test]
fn given_values_are_declared_again_with_their_types() {
    let source = apply(
        SOURCE,
        &[
            ("top", "7"),
            ("steps", "1_000"),
            ("profile", "qu\"ick\\"),
            ("rate", "3"),
            ("verbose", "yes"),
            ("SEED", "7"),
            ("name", "Jim"),
            ("sizes", "[2, 3]"),
        ],
    );
    assert_eq!(
        source.unwrap(),
        "// Parameters\nlet profile: &str = \"qu\\\"ick\\\\\";\nlet steps: usize = 1000;\n\
         let rate: f64 = 3.0;\nlet mut verbose = true;\nconst SEED: u64 = 7;\n\
         let name: String = \"Jim\".to_string();\nlet top: Option<usize> = Some(7);\n\
         let sizes: Vec<usize> = vec![2, 3];"
    );
}

#[test]
fn a_bad_value_is_an_error_that_names_both_types_and_what_would_do() {
    for (name, value, expected) in [
        (
            "steps",
            "-1",
            "\"-1\" is an integer (i32), not usize: usize holds whole numbers from 0 to",
        ),
        ("steps", "many", "\"many\" is text (&str), not usize"),
        ("steps", "1e3", "\"1e3\" is a float (f64), not usize"),
        ("steps", "20u8", "\"20u8\" is an integer (u8), not usize"),
        ("steps", "", "\"\" is empty, not usize"),
        ("steps", "true", "\"true\" is a bool, not usize"),
        ("steps", "None", "\"None\" is None (an Option), not usize"),
        (
            "rate",
            "NaN",
            "a float (f64) that is not finite, not f64: expected a finite number",
        ),
        ("rate", "-inf", "expected a finite number"),
        ("rate", "1e999", "it is too large for f64"),
        ("rate", "1e-999", "it is too small for f64"),
        (
            "rate",
            "1e-3x",
            "expected a number such as 0.5 or 1e-3 (`let rate: f64 = 1e-3`)",
        ),
        (
            "verbose",
            "maybe",
            "\"maybe\" is text (&str), not bool: expected true or false",
        ),
        (
            "SEED",
            "99999999999999999999",
            "an integer (i128), not u64: u64 holds whole numbers from 0 to 18446744073709551615",
        ),
        ("top", "x", "\"x\" is text (&str), not Option<usize>"),
        (
            "top",
            "Some(x)",
            "\"Some(x)\" does not fit Option<usize>: \"x\" is text (&str), not usize",
        ),
        (
            "sizes",
            "[1, -2]",
            "\"[1, -2]\" does not fit Vec<usize>: \"-2\" is an integer (i32), not usize",
        ),
        ("sizes", "[1", "its `[` is not closed"),
        (
            "sizes",
            "",
            "\"\" is empty, not Vec<usize>: expected a list such as [3, 4]",
        ),
    ] {
        let message = apply(SOURCE, &[(name, value)]).unwrap_err();
        assert!(
            message.starts_with(&format!("parameter {name}: ")),
            "{message}"
        );
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn an_unknown_name_lists_the_known_ones_and_the_closest() {
    let message = apply(SOURCE, &[("stepz", "1")]).unwrap_err();
    assert!(
        message.starts_with(
            "parameter stepz: no such parameter; did you mean steps?; there are: \
             profile: &str = \"paper\", steps: usize = 400, "
        ),
        "{message}"
    );
    assert!(
        message.contains("verbose: bool = false, SEED: u64 = 42069"),
        "{message}"
    );
    let message = apply(SOURCE, &[("zzz", "1")]).unwrap_err();
    assert!(
        message.contains("no such parameter; there are"),
        "{message}"
    );
    let message = apply("println!(\"a\");", &[("a", "1")]).unwrap_err();
    assert!(message.contains("declares nothing"), "{message}");
    let long = format!("let a = \"{}\";", "x".repeat(500));
    assert!(apply(&long, &[("b", "1")]).unwrap_err().len() < 200);
}

#[test]
fn a_type_that_the_text_does_not_tell_is_asked_for() {
    for (source, expected) in [
        (
            "let x = load();",
            "the type of `let x = load()` cannot be known from its text; write it: `let x: Type = ..`",
        ),
        (
            "let x = std::env::var(\"X\").unwrap_or_default();",
            "cannot be known from its text",
        ),
        ("let x = \"1\".into();", "cannot be known"),
        ("let x = \"1\".parse().unwrap();", "cannot be known"),
        ("let x = \"1\".parse::<usize>();", "cannot be known"),
        ("let x = Vec::new();", "cannot be known"),
        ("let x = vec![];", "cannot be known"),
        ("let x = None;", "cannot be known"),
        ("let x = if a { 1 } else { 2 };", "cannot be known"),
        ("let x = (1, f());", "cannot be known"),
        ("let x = 1 + 2.0;", "cannot be known"),
        ("let x = 1u8 + 2u16;", "cannot be known"),
        ("let x = chrono::Duration::minutes(3);", "cannot be known"),
        ("let x: Vec<_> = (0..3).collect();", "cannot be known"),
        (
            "let x: Config = Config::default();",
            "values of type Config (`let x: Config = Config::default()`) cannot be given",
        ),
        (
            "let x: chrono::Duration = a();",
            "values of type chrono::Duration",
        ),
        ("let x: () = ();", "values of type ()"),
        ("let (x, y) = pair();", "it is bound by a pattern"),
        ("let Point { x, y } = p;", "it is bound by a pattern"),
        ("let [x, y] = [1, 2];", "it is bound by a pattern"),
        (
            "let Some(x) = Some(1) else { panic!() };",
            "it is bound by a pattern",
        ),
        (
            "const x: String = String::new();",
            "a const or static cannot take a parameter; use a `let`",
        ),
        ("let x = 3", "the parameters cell cannot be read: line 1: "),
        (
            "let y = 1;\nlet x = = 3;",
            "the parameters cell cannot be read: line 2: ",
        ),
    ] {
        let message = line(source, "x", "1").unwrap_err();
        assert!(message.contains(expected), "{source}: {message}");
    }
    let deep = format!("let x = {}1{};", "(".repeat(20_000), ")".repeat(20_000));
    assert!(
        line(&deep, "x", "1")
            .unwrap_err()
            .contains("nested too deep")
    );
}

#[test]
fn a_type_that_other_lines_decide_is_the_one_that_rustc_says() {
    let source = "let mut seed = 42; // the seed\nlet rng = Rng::new(seed);";
    let given = |value, ty| apply_with(source, &[("seed", value)], &[("seed", ty)]);
    let seed = |line: &str| Ok(format!("// Parameters\n{line}"));
    assert_eq!(given("7", "u64"), seed("let mut seed: u64 = 7;"));
    assert_eq!(
        given("5000000000", "u64"),
        seed("let mut seed: u64 = 5000000000;")
    );
    for (value, ty, message) in [
        (
            "5000000000",
            "u32",
            "\"5000000000\" is an integer (i64), not u32: u32 holds",
        ),
        (
            "-1",
            "usize",
            "\"-1\" is an integer (i32), not usize: usize holds",
        ),
        ("1.5", "u8", "\"1.5\" is a float (f64), not an integer"),
    ] {
        let said = given(value, ty).unwrap_err();
        assert!(said.contains(message), "{said}");
    }
    // A type by another name.
    let source = "let n: Steps = 3;\nlet p: Place = Place::from(\"a\");";
    let types = [("n", "u8"), ("p", "std::path::PathBuf")];
    assert_eq!(
        apply_with(source, &[("n", "255"), ("p", "b/c")], &types).unwrap(),
        "// Parameters\nlet n: Steps = 255;\n\
         let p: Place = std::path::PathBuf::from(\"b/c\");"
    );
    let said = apply_with(source, &[("n", "256")], &types).unwrap_err();
    assert!(
        said.contains("\"256\" is an integer (i32), not u8"),
        "{said}"
    );
    // A constant's type is written; rustc only reports those of variables.
    let source = "const N: Steps = 400;\nlet n = N;";
    assert_eq!(
        apply_with(source, &[("N", "1000")], &[("n", "usize")]).unwrap(),
        "// Parameters\nconst N: Steps = 1000;"
    );
    // A comment is not a type, a moved variable has none, and a user's type may have a known
    // name.
    let source = "let n /* a: b = c */ = 10;\nlet v = vec![0; n];";
    assert_eq!(
        apply_with(source, &[("n", "3")], &[("n", "usize")]).unwrap(),
        "// Parameters\nlet n: usize = 3;"
    );
    let source = "let v = vec![1, 2];\nlet t: u32 = v.into_iter().sum();\nlet d = make();";
    let types = [("t", "u32"), ("d", "c00001::p3::Duration")];
    for (name, value, message) in [
        (
            "v",
            "[3]",
            "is moved within its cell, so that its type is not known",
        ),
        ("d", "5s", "values of type c00001::p3::Duration"),
    ] {
        let said = apply_with(source, &[(name, value)], &types).unwrap_err();
        assert!(said.contains(message), "{said}");
    }
    // Partly written types, and a type that the text does not determine at all.
    let types = [
        ("v", "std::vec::Vec<u8>"),
        ("w", "std::option::Option<f32>"),
        ("x", "my::Own"),
    ];
    let source = "let v: Vec<_> = vec![1];\nlet w = unknown();\nlet x = unknown();";
    assert_eq!(
        apply_with(source, &[("v", "2,3"), ("w", "0.5")], &types).unwrap(),
        "// Parameters\nlet v: Vec<u8> = vec![2, 3];\n\
         let w: Option<f32> = Some(0.5);"
    );
    for (name, value, message) in [
        (
            "v",
            "300",
            "\"300\" is an integer (i32), not Vec<u8>: u8 holds",
        ),
        (
            "w",
            "many",
            "\"many\" is text (&str), not Option<f32>: expected a number",
        ),
        (
            "x",
            "1",
            "values of type my::Own (`let x = unknown()`) cannot be given",
        ),
    ] {
        let said = apply_with(source, &[(name, value)], &types).unwrap_err();
        assert!(said.contains(message), "{said}");
    }
}

#[test]
fn of_a_type_that_nobody_knows_only_what_fits_all_is_taken() {
    // The literal alone would be an i32: the new value gets the type of the old one.
    let source = "let seed = 42; // the seed\nlet rng = Rng::new(seed);";
    assert_eq!(
        line(source, "seed", "127").unwrap(),
        "let seed = if false { seed } else { 127 };"
    );
    for value in ["128", "-1", "5000000000"] {
        let message = line(source, "seed", value).unwrap_err();
        assert!(
            message.contains("write it: `let seed: Type = ..`"),
            "{message}"
        );
    }
    assert!(
        line(source, "seed", "1.5")
            .unwrap_err()
            .contains("a float (f64), not an integer")
    );
    let source = "let rate = 0.5;\nuse_it(rate);";
    assert!(line(source, "rate", "0.25").is_ok());
    assert!(
        line(source, "rate", "1e300")
            .unwrap_err()
            .contains("write it")
    );
    // A mention in a comment does not count.
    let source = "let seed = 42; // the seed";
    assert_eq!(line(source, "seed", "7").unwrap(), "let seed = 7;");
    let message = line(source, "seed", "5000000000").unwrap_err();
    assert!(message.contains("an integer (i64), not i32"), "{message}");
    // With a written type, nothing is left to infer.
    let source = "let seed: u64 = 42;\nlet rng = Rng::new(seed);";
    assert_eq!(line(source, "seed", "7").unwrap(), "let seed: u64 = 7;");
}

#[test]
fn the_last_declaration_of_a_name_and_the_last_value_count() {
    let source = "let n = \"5\";\nlet n: usize = n.len();";
    assert_eq!(line(source, "n", "3").unwrap(), "let n: usize = 3;");
    let twice = apply(SOURCE, &[("steps", "1"), ("rate", "2"), ("steps", "3")]).unwrap();
    assert_eq!(
        twice,
        "// Parameters\nlet steps: usize = 3;\nlet rate: f64 = 2.0;"
    );
}

#[test]
fn a_second_run_replaces_the_injected_cell() {
    let mut notebook = notebook(SOURCE);
    let give = |v: &str| [("steps".to_owned(), v.to_owned())];
    let run = |notebook: &mut Notebook, value: &str| {
        let parameters = Parameters::read(notebook, &give(value)).unwrap().unwrap();
        parameters.apply(notebook, None).unwrap();
    };
    run(&mut notebook, "1");
    let id = notebook.cells[2].id.clone();
    run(&mut notebook, "2");
    assert_eq!(notebook.cells.len(), 4);
    assert_eq!(notebook.cells[2].id, id);
    assert!(notebook.cells[2].source.ends_with("let steps: usize = 2;"));
}

#[test]
fn nothing_given_changes_nothing_and_a_missing_cell_is_an_error() {
    let notebook = Notebook::new();
    assert!(Parameters::read(&notebook, &[]).unwrap().is_none());
    let given = [("steps".to_owned(), "1".to_owned())];
    let message = Parameters::read(&notebook, &given).unwrap_err();
    assert!(message.to_string().contains("tagged `parameters`"));
}

#[test]
fn an_argument_is_split_at_its_first_equals_sign() {
    assert_eq!(
        parse_parameter("a=b=c").unwrap(),
        ("a".to_owned(), "b=c".to_owned())
    );
    assert_eq!(
        parse_parameter(" a =").unwrap(),
        ("a".to_owned(), String::new())
    );
    assert!(parse_parameter("a").is_err());
    assert!(parse_parameter("=1").is_err());
}

/// Values that users type, valid and invalid ones.
fn any_value() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "1", "-2", "300", "1.5", "1e9", "true", "None", "Some(", "[", "]", "(", ")", "{", "}", ",",
        ":", "..", "..=", "\"", "'", "\\", "\n", ";", " ", "//", "/*", "vec!", "a", "é", "🦀",
        "usize", "s", "ms", "r#\"", "0x", "f()", "\u{0}", "\r",
    ]);
    prop_oneof![
        prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat()),
        any::<i128>().prop_map(|n| n.to_string()),
        any::<i16>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:e}")),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(|list| format!("{list:?}")),
        any::<String>(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn any_value_gives_the_same_declaration_or_an_error_with_both_types(
        source in prop::sample::select(values::sources()),
        value in any_value(),
    ) {
        let declared = declarations(source).unwrap();
        let declared = declared.iter().find(|declared| declared.is("x")).unwrap();
        match line(source, "x", &value) {
            Ok(line) => {
                let again = declarations(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
                prop_assert_eq!(again.len(), 1, "{}", &line);
                // Nothing follows the declaration, so the value did not end it early.
                prop_assert_eq!(again[0].with(&again[0].default), line.as_str());
                prop_assert_eq!(&again[0].name, &declared.name);
                prop_assert_eq!(again[0].constant, declared.constant);
                if declared.annotated || declared.says_types() {
                    prop_assert_eq!(&again[0].ty, &declared.ty, "{}", &line);
                }
            }
            Err(message) => {
                let names_both = message.contains(" is ") && message.contains(&declared.ty);
                prop_assert!(names_both, "{:?}: {}", &value, &message);
            }
        }
    }
}
