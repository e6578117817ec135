//! Declarations of lists, tuples, ranges and wrapper types, and unusual ones.

use super::values::Row;

pub const ROWS: &[Row] = &[
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
    // Wrapper types.
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
    // Types that depend on the rest of the cell, and unusual ways to write a
    // declaration.
    (
        "let x = 42; let y: u64 = x;",
        &[("100", "100"), ("0x7f", "127")],
        &["1.5", "5000000000", "-1", "128"],
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
