//! Every kind of declaration with values that fit and values that do not. The declarations with
//! fitting values are compiled and run: the type must be the old one, the value the given one.

use super::{compounds, line, of_the_case, scalars};
use std::fmt::Write;
use std::process::Command;

/// A declaration of `x`, with values that fit and their `{:?}` output, and values that do not
/// fit.
pub type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

fn rows() -> impl Iterator<Item = &'static Row> {
    let rows = [of_the_case::ROWS, scalars::ROWS, compounds::ROWS];
    rows.into_iter().flatten()
}

/// The declarations of all rows, one cell each.
pub fn sources() -> Vec<&'static str> {
    rows().map(|(source, ..)| *source).collect()
}

#[test]
fn values_that_do_not_fit_are_refused_with_both_types() {
    for (source, _, bad) in rows() {
        for value in *bad {
            let message = match line(source, "x", value) {
                Ok(line) => panic!("{source} took {value:?}: {line}"),
                Err(message) => message,
            };
            assert!(
                message.contains(" is ")
                    && (message.contains(", not ") || message.contains(", and may not fit ")),
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
    for (source, good, _) in rows() {
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
