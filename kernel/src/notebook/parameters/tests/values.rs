//! Every kind of declaration with values that fit and values that do not. What
//! fits is compiled and run: the type must be the old one, the value the given one.

use super::line;
use std::fmt::Write;
use std::process::Command;

/// A declaration of `x`, with values that fit and how `{:?}` shows them, and values that do not.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

const ROWS: &[Row] = &[
    // The declarations of ../shared/cases/notebooks/parameters.ipynb.
    (
        "let x: &str = \"quick\";",
        &[
            ("Bob", "\"Bob\""),
            ("", "\"\""),
            (" a\"b'\\n\n; } //", "\" a\\\"b'\\\\n\\n; } //\""),
            ("\"q\"", "\"\\\"q\\\"\""),
            ("\"; panic!(); \"", "\"\\\"; panic!(); \\\"\""),
            ("true", "\"true\""),
        ],
        &[],
    ),
    (
        "let x = \"Ann\".to_string();",
        &[("Bob", "\"Bob\""), ("5", "\"5\""), ("None", "\"None\"")],
        &[],
    ),
    (
        "let x = String::from(\"x\");",
        &[("é🦀\u{200b}\u{0}", "\"é🦀\\u{200b}\\0\"")],
        &[],
    ),
    (
        "let x: String = \"t\".into();",
        &[("a = b", "\"a = b\"")],
        &[],
    ),
    (
        "let x = 42;",
        &[
            ("7", "7"),
            ("-2147483648", "-2147483648"),
            ("0xff", "255"),
            ("1_000", "1000"),
            ("+3", "3"),
            ("7i32", "7"),
        ],
        &[
            "2147483648",
            "1.0",
            "1e3",
            "x",
            "true",
            "",
            "7u8",
            "_1",
            "0x",
            "1 2",
            "7;",
        ],
    ),
    (
        "let x: u64 = 7;",
        &[("18446744073709551615", "18446744073709551615")],
        &["-1", "18446744073709551616"],
    ),
    (
        "let x = 1e-3;",
        &[
            ("0.5", "0.5"),
            ("3", "3.0"),
            ("-1e-9", "-1e-9"),
            ("1e20", "1e20"),
            (".5", "0.5"),
            ("0", "0.0"),
            ("1f64", "1.0"),
        ],
        &[
            "NaN",
            "inf",
            "-Infinity",
            "1e999",
            "1e-999",
            "x",
            "0x1p3",
            "1f32",
            "true",
            "",
        ],
    ),
    (
        "let x: f32 = 0.5;",
        &[("0.1", "0.1"), ("16777217", "16777216.0")],
        &["1e39", "1e-60", "nan", "1f64"],
    ),
    ("let x = -1;", &[("-5", "-5"), ("5", "5")], &["-5.0", "--5"]),
    (
        "let x = 10 as usize;",
        &[("20", "20"), ("20usize", "20"), ("20_usize", "20")],
        &["-1", "3.5", "20u8", "20 as u8"],
    ),
    (
        "let x = 3usize;",
        &[("20", "20")],
        &["-1", "300000000000000000000"],
    ),
    ("let x = 2 * 8;", &[("5", "5")], &["2 * 8", "0.5"]),
    (
        "let x = false;",
        &[("true", "true"), ("No", "false"), ("1", "true")],
        &["maybe", "2", "", "None"],
    ),
    (
        "let x: Option<usize> = None;",
        &[
            ("3", "Some(3)"),
            ("None", "None"),
            ("null", "None"),
            ("Some(3)", "Some(3)"),
            ("Some( 3 )", "Some(3)"),
        ],
        &["-3", "x", "Some(-3)", "Some(3", "Some(None)", ""],
    ),
    (
        "let x: Option<String> = None;",
        &[
            ("a b", "Some(\"a b\")"),
            ("None", "None"),
            ("Some(\"None\")", "Some(\"None\")"),
            ("Some(\"a\\\")\")", "Some(\"a\\\")\")"),
            ("Some(a)", "Some(\"a\")"),
        ],
        &["Some(\"a)"],
    ),
    (
        "let x = std::path::PathBuf::from(\"data/x.csv\");",
        &[("data/y.csv", "\"data/y.csv\""), ("/a b/é", "\"/a b/é\"")],
        &[],
    ),
    (
        "let x: Vec<usize> = vec![1, 2];",
        &[
            ("[3, 4]", "[3, 4]"),
            ("vec![3, 4]", "[3, 4]"),
            ("3,4", "[3, 4]"),
            ("3", "[3]"),
            ("(3, 4,)", "[3, 4]"),
            ("[]", "[]"),
            ("&[3]", "[3]"),
        ],
        &[
            "[3, -4]", "[3 4]", "[3,,4]", "[a]", "[3", "3]", "", "[[3]]", "[0; 3]", "[3]; f()",
        ],
    ),
    (
        "let x = vec![1, 2];",
        &[("[3]", "[3]"), ("[]", "[]")],
        &["[3000000000]", "[1.5]"],
    ),
    (
        "let x: (i32, i32) = (1, 2);",
        &[
            ("(3, -4)", "(3, -4)"),
            ("[3, 4]", "(3, 4)"),
            ("3, 4", "(3, 4)"),
        ],
        &["(1, 2, 3)", "1", "(1, x)", "()"],
    ),
    (
        "let x = [1, 2, 3];",
        &[("[4, 5, 6]", "[4, 5, 6]")],
        &["[1, 2]", "[1, 2, 3, 4]", "[]", "[1, 2, x]"],
    ),
    (
        "let x = 0..10;",
        &[("0..5", "0..5"), ("-5..-1", "-5..-1"), (" 3 .. 4 ", "3..4")],
        &[
            "0..=5",
            "5",
            "..5",
            "5..",
            "..",
            "a..b",
            "0...5",
            "0..5..6",
            "0..5; f()",
        ],
    ),
    (
        "let x = 'c';",
        &[
            ("d", "'d'"),
            ("'d'", "'d'"),
            ("\"d\"", "'d'"),
            ("'", "'\\''"),
            (" ", "' '"),
            ("'\\n'", "'\\n'"),
            ("🦀", "'🦀'"),
            ("'''", "'\\''"),
        ],
        &["", "dd", "''", "\u{65}\u{301}"],
    ),
    (
        "let x: Option<&'static str> = Some(\"a\");",
        &[
            ("b", "Some(\"b\")"),
            ("none", "None"),
            ("Some(b)", "Some(\"b\")"),
        ],
        &[],
    ),
    ("let (x, b) = (1, 2);", &[("3", "3")], &["(3, 4)", "x"]),
    ("let (a, mut x) = (1, 2.5);", &[("3", "3.0")], &["x"]),
    (
        "let (a, (x, c)): (u8, (u16, bool)) = (1, (2, true));",
        &[("300", "300")],
        &["70000"],
    ),
    (
        "let x = r\"C:\\dir\";",
        &[("C:\\x", "\"C:\\\\x\""), ("a\"#", "\"a\\\"#\"")],
        &[],
    ),
    ("const x: usize = 5;", &[("6", "6")], &["-1"]),
    ("static x: &str = \"hi\";", &[("hello", "\"hello\"")], &[]),
    (
        "let mut x: i64 = 0;",
        &[("-9223372036854775808", "-9223372036854775808")],
        &["9223372036854775808", "1.0"],
    ),
    // Integers of all sizes.
    (
        "let x: u8 = 7;",
        &[("255", "255"), ("0b11", "3")],
        &["256", "300", "-1"],
    ),
    ("let x: i8 = 7;", &[("-128", "-128")], &["-129", "128"]),
    (
        "let x: i128 = 7;",
        &[(
            "-170141183460469231731687303715884105728",
            "-170141183460469231731687303715884105728",
        )],
        &["170141183460469231731687303715884105728"],
    ),
    (
        "let x: u128 = 7;",
        &[(
            "340282366920938463463374607431768211455",
            "340282366920938463463374607431768211455",
        )],
        &["340282366920938463463374607431768211456"],
    ),
    ("let x = b'a';", &[("98", "98")], &["a", "256"]),
    ("let x = 1 << 10;", &[("4", "4")], &["x"]),
    (
        "let x = 1u64 << 10;",
        &[("5000000000", "5000000000")],
        &["-1"],
    ),
    ("let x = (2 + 3) * 4u8;", &[("4", "4")], &["256"]),
    ("let x = !0u16;", &[("4", "4")], &["65536"]),
    ("let x = usize::MAX;", &[("4", "4")], &["-1"]),
    ("let x = 2_u32.pow(3);", &[("4", "4")], &["-1"]),
    (
        "let x = \"3\".parse::<u16>().unwrap();",
        &[("4", "4")],
        &["65536"],
    ),
    ("let x = u64::from(3u8);", &[("4", "4")], &["-1"]),
    ("let n = 10usize; let x = n * 2;", &[("4", "4")], &["-1"]),
    (
        "type Steps = u16; let x: Steps = 3;",
        &[("4", "4")],
        &["4.5", "x"],
    ),
    // Floats and bools.
    ("let x = 1e-3 * 2.0;", &[("3", "3.0")], &["x"]),
    ("let x = 1.0f32;", &[("0.1", "0.1")], &["1e39"]),
    ("let x = std::f64::consts::PI;", &[("3", "3.0")], &["x"]),
    ("let x = 2.0_f64.sqrt();", &[("3", "3.0")], &["x"]),
    ("let x = 1 < 2 && !true;", &[("true", "true")], &["3"]),
    // Text.
    ("let x = \"a\".to_owned();", &[("b", "\"b\"")], &[]),
    ("let x = format!(\"a{}\", 1);", &[("b", "\"b\"")], &[]),
    ("let x = 5.to_string();", &[("b", "\"b\"")], &[]),
    ("let x = String::new();", &[("b", "\"b\"")], &[]),
    (
        "let x = std::path::Path::new(\"a\");",
        &[("b", "\"b\"")],
        &[],
    ),
    ("let x: Box<str> = \"a\".into();", &[("b", "\"b\"")], &[]),
    (
        "let x = std::sync::Arc::<str>::from(\"a\");",
        &[("b", "\"b\"")],
        &[],
    ),
    (
        "use std::borrow::Cow; let x: Cow<'static, str> = Cow::Borrowed(\"a\");",
        &[("b", "\"b\"")],
        &[],
    ),
    (
        "let x = std::ffi::OsString::from(\"a\");",
        &[("b", "\"b\"")],
        &[],
    ),
    // Options.
    (
        "let x = Some(3);",
        &[("4", "Some(4)"), ("None", "None")],
        &["x"],
    ),
    (
        "let x = None::<f32>;",
        &[("4", "Some(4.0)"), ("None", "None")],
        &["x"],
    ),
    ("let x = Option::<u8>::None;", &[("4", "Some(4)")], &["256"]),
    (
        "let x = Some(String::from(\"a\"));",
        &[("4", "Some(\"4\")"), ("null", "None")],
        &[],
    ),
    (
        "let x: Option<Option<i32>> = None;",
        &[
            ("Some(None)", "Some(None)"),
            ("None", "None"),
            ("3", "Some(Some(3))"),
        ],
        &["x"],
    ),
    (
        "let x: Option<bool> = None;",
        &[("true", "Some(true)")],
        &["3"],
    ),
    (
        "let x: Option<Vec<usize>> = None;",
        &[("[3, 4]", "Some([3, 4])"), ("Some([])", "Some([])")],
        &["Some(3)", "[x]"],
    ),
    // Lists.
    ("let x = vec![1.5; 3];", &[("[2]", "[2.0]")], &["[x]"]),
    (
        "let x = vec![1u8, 2];",
        &[("[255]", "[255]"), ("[]", "[]")],
        &["[256]"],
    ),
    (
        "let x = Vec::<u16>::new();",
        &[("[3]", "[3]"), ("[]", "[]")],
        &["[65536]"],
    ),
    (
        "let x = vec![\"a\", \"b\"];",
        &[
            ("[c, \"d, e\", 'f']", "[\"c\", \"d, e\", \"f\"]"),
            ("c,d", "[\"c\", \"d\"]"),
        ],
        &["[\"c]", "[c]d, e["],
    ),
    (
        "let x: Vec<String> = vec![];",
        &[("[\"a\\nb\", don't]", "[\"a\\nb\", \"don't\"]")],
        &["[\"a\" + \"b\"]"],
    ),
    (
        "let x: Vec<(String, f64)> = vec![];",
        &[("[(a, 1), (\"b\", 2.5)]", "[(\"a\", 1.0), (\"b\", 2.5)]")],
        &["[(a, b)]", "[(a)]", "[a, 1]"],
    ),
    (
        "let x: Vec<Vec<usize>> = vec![];",
        &[("[[1, 2], []]", "[[1, 2], []]"), ("[1],[2]", "[[1], [2]]")],
        &["[1, 2]", "1"],
    ),
    (
        "let x: Vec<_> = vec![1u8];",
        &[("[2]", "[2]"), ("[]", "[]")],
        &["[x]"],
    ),
    (
        "let x = (0..3).collect::<Vec<usize>>();",
        &[("[2]", "[2]")],
        &["[-1]"],
    ),
    ("let x = [1, 2].to_vec();", &[("[2]", "[2]")], &["[x]"]),
    (
        "let x: &[usize] = &[1, 2];",
        &[("[2]", "[2]"), ("[]", "[]")],
        &["[-1]"],
    ),
    (
        "let x: &[&str] = &[\"a\"];",
        &[("[b, c]", "[\"b\", \"c\"]")],
        &["[b"],
    ),
    ("let x = &[1, 2];", &[("[3, 4]", "[3, 4]")], &["[3]"]),
    ("let x = [0.0; 2];", &[("[3, 4]", "[3.0, 4.0]")], &["[3]"]),
    (
        "let x: [u8; 2] = [0; 2];",
        &[("3, 4", "[3, 4]")],
        &["[3]", "[3, 256]"],
    ),
    (
        "use std::collections::BTreeSet; let x: BTreeSet<u8> = BTreeSet::new();",
        &[("[3, 1]", "{1, 3}"), ("[]", "{}")],
        &["[256]"],
    ),
    (
        "let x = std::collections::VecDeque::from([1, 2]);",
        &[("[3]", "[3]"), ("[]", "[]")],
        &["[x]"],
    ),
    (
        "use std::collections::BTreeMap; let x: BTreeMap<String, f64> = BTreeMap::new();",
        &[
            ("{a: 1, \"b:c\": 2.5}", "{\"a\": 1.0, \"b:c\": 2.5}"),
            ("{}", "{}"),
        ],
        &["{a: x}", "{a}", "[a]", "{a: 1, a: 2}", "a: 1"],
    ),
    (
        "let x = std::collections::HashMap::from([(\"a\", 1)]);",
        &[("{b: 2}", "{\"b\": 2}"), ("{}", "{}")],
        &["{b: x}"],
    ),
    // Tuples and ranges.
    (
        "let x = (1u8, \"a\", true);",
        &[("(2, b, false)", "(2, \"b\", false)")],
        &["(256, b, true)", "(1, b)"],
    ),
    (
        "let x = (1,);",
        &[("(2,)", "(2,)"), ("2", "(2,)")],
        &["(1, 2)"],
    ),
    (
        "let x = 0..=9u8;",
        &[("1..=255", "1..=255")],
        &["1..2", "0..=256"],
    ),
    (
        "let x: std::ops::Range<usize> = 0..9;",
        &[("1..2", "1..2")],
        &["-1..2"],
    ),
    ("let x = 3..;", &[("4..", "4..")], &["4", "..4"]),
    ("let x = ..3;", &[("..4", "..4")], &["..=4"]),
    (
        "let x = 'a'..='z';",
        &[("b..=c", "'b'..='c'"), ("'b'..='c'", "'b'..='c'")],
        &["bb..=c"],
    ),
    ("let x = 0.0..1.0;", &[("0.5..2", "0.5..2.0")], &["x..1"]),
    // Types around others.
    (
        "let x = std::time::Duration::from_secs(3);",
        &[
            ("5", "5s"),
            ("1.5s", "1.5s"),
            ("200ms", "200ms"),
            ("1h 30min", "5400s"),
            ("2m", "120s"),
            ("0.1us", "100ns"),
            ("1.5", "1.5s"),
        ],
        &[
            "-5",
            "5 parsecs",
            "x",
            "",
            "s",
            "1e3",
            "1h30",
            "1..5s",
            "99999999999999999999999s",
        ],
    ),
    (
        "use std::time::Duration; let x: Duration = Duration::from_millis(3);",
        &[
            ("5", "5ms"),
            ("5s", "5s"),
            ("18446744073709551615.5", "18446744073709551.6155s"),
        ],
        &["x"],
    ),
    (
        "use std::time::Duration; let x: Duration = Duration::MAX;",
        &[("5s", "5s")],
        &["5"],
    ),
    (
        "let x = std::num::NonZeroUsize::new(3).unwrap();",
        &[("5", "5")],
        &["0", "-1", "x"],
    ),
    (
        "let x: std::num::NonZero<u8> = std::num::NonZero::<u8>::new(3).unwrap();",
        &[("5", "5")],
        &["0", "256"],
    ),
    ("let x = Box::new(3u8);", &[("5", "5")], &["256"]),
    (
        "let x = std::rc::Rc::new(String::from(\"a\"));",
        &[("5", "\"5\"")],
        &[],
    ),
    (
        "let x: std::sync::Arc<std::sync::Mutex<Vec<u8>>> = Default::default();",
        &[("[1]", "Mutex { data: [1], poisoned: false, .. }")],
        &["[256]"],
    ),
    (
        "static x: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);",
        &[("5", "5")],
        &["-1"],
    ),
    (
        "const x: Option<&[u8]> = None;",
        &[("[1]", "Some([1])")],
        &["[256]"],
    ),
    (
        "const x: std::time::Duration = std::time::Duration::from_secs(1);",
        &[("1.5", "1.5s")],
        &["x"],
    ),
    (
        "pub(crate) const x: (f32, [bool; 2]) = (1.0, [true; 2]);",
        &[("(2, [no, yes])", "(2.0, [false, true])")],
        &["(2, [no])"],
    ),
    // What the rest of the cell decides, and odd ways to write a declaration.
    (
        "let x = 42; let y: u64 = x;",
        &[("5000000000", "5000000000")],
        &["1.5"],
    ),
    (
        "let x = vec![1]; let y: &Vec<u8> = &x;",
        &[("[2]", "[2]"), ("[]", "[]")],
        &["[1.5]"],
    ),
    (
        "let x = 0..3; let y: &[u8] = &x.clone().collect::<Vec<_>>();",
        &[("0..9", "0..9")],
        &["0..=9"],
    ),
    ("let x = 1.5; let y: f32 = x;", &[("2", "2.0")], &["x"]),
    (
        "let\n  x // a comment\n : usize =\n 3 ;",
        &[("4", "4")],
        &["-1"],
    ),
    ("let x: usize; x = 3;", &[("4", "4")], &["-1"]),
    ("#[allow(unused)] let x = 3u8;", &[("4", "4")], &["256"]),
    ("let r#x: u8 = 3;", &[("4", "4")], &["256"]),
    ("let x: usize = { let x = 3; x };", &[("4", "4")], &["-1"]),
    (
        "let x = \"a\"; let x: usize = x.len();",
        &[("4", "4")],
        &["-1"],
    ),
];

/// The declarations of all rows, one cell each.
pub fn sources() -> Vec<&'static str> {
    ROWS.iter().map(|(source, ..)| *source).collect()
}

#[test]
fn values_that_do_not_fit_are_refused_with_both_types() {
    for (source, _, bad) in ROWS {
        for value in *bad {
            let message = match line(source, "x", value) {
                Ok(line) => panic!("{source} took {value:?}: {line}"),
                Err(message) => message,
            };
            assert!(
                message.contains(" is ") && message.contains(", not "),
                "{message}"
            );
        }
    }
}

#[test]
fn values_that_fit_compile_and_keep_the_type() {
    let mut program = String::from(
        "#![allow(warnings)]\nfn id<T: std::any::Any>(_: &T) -> &'static str { std::any::type_name::<T>() }\n\
         fn check(what: &str, before: &str, after: &str, shown: String, expected: &str) {\n\
         if before != after { println!(\"{what}: was {before}, is {after}\"); }\n\
         if shown != expected { println!(\"{what}: {shown}, not {expected}\"); }\n}\nfn main() {\n",
    );
    let mut count = 0;
    for (source, good, _) in ROWS {
        for (value, expected) in *good {
            let line =
                line(source, "x", value).unwrap_or_else(|e| panic!("{source} {value:?}: {e}"));
            let what = format!("{source} {value}");
            writeln!(
                program,
                "{{ let before = {{ {source}\n id(&x) }};\n let (after, shown) = {{ {source}\n {{ {line}\n (id(&x), format!(\"{{:?}}\", x)) }} }};\n\
                 check({what:?}, before, after, shown, {expected:?}); }}"
            )
            .unwrap();
            count += 1;
        }
    }
    program += "}\n";
    assert!(count > 150, "{count} values");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.rs");
    std::fs::write(&file, &program).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut compile = Command::new(rustc);
    let compile = compile
        .args(["--edition=2024", "-o"])
        .arg(folder.path().join("values"))
        .arg(&file);
    let compiled = compile.output().expect("rustc runs");
    assert!(
        compiled.status.success(),
        "{}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let ran = Command::new(folder.path().join("values")).output().unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "");
}
