use super::*;
use ra_ap_syntax::{Edition, SourceFile};

const CHECK: &str = "::holoscope::host::check();";

/// The text with `mark` at each offset.
fn marked(text: &str, mark: &str) -> String {
    let parse = SourceFile::parse(text, Edition::Edition2024);
    assert!(parse.errors().is_empty(), "{text}");
    let mut out = text.to_owned();
    for at in checks(parse.tree().syntax()).into_iter().rev() {
        out.insert_str(usize::from(at), mark);
    }
    out
}

/// Functions with a `¦` wherever a check is expected.
fn expect(sources: &[&str]) {
    for source in sources {
        let plain = source.replace('¦', "");
        assert_eq!(marked(&plain, "¦"), *source);
        // The result is a valid program.
        marked(&plain, CHECK);
    }
}

/// The same in a function's body.
fn expect_in_function(sources: &[&str]) {
    for source in sources {
        expect(&[&format!("fn f() {{ {source} }}")]);
    }
}

#[test]
fn loops_that_may_take_long() {
    expect_in_function(&[
        "loop {¦}",
        "loop {¦ break; }",
        "while true {¦}",
        "while let Some(x) = stack.pop() {¦ s += x; }",
        "'a: loop {¦ 'b: while go {¦ continue 'a; } }",
        "for x in &xs {¦ train(x); }",
        "for x in &xs {¦ model.step(x); }",
        "for x in &xs {¦ println!(\"{x}\"); }",
        "for x in &xs {¦ f(x).await; }",
        "for x in &xs {¦ s.0(x); }",
        "for i in 0..n {¦ for x in &xs { s += x; } }",
        "for i in 0..n {¦ s ^= i; }",
        "for i in 0..1_000_000_000_000u64 {¦ s ^= i }",
        "for i in 0.. {¦ s += xs[i]; }",
        "for i in (0..).step_by(2) {¦ s += xs[i]; }",
        "for i in 0..n {¦ s += xs[i % 8]; }",
        "for i in 0..n {¦ s += xs[hash(i)]; }",
        "for i in 0..n {¦ s += xs[0]; }",
        "for x in std::iter::repeat(1) {¦ s += x; }",
        "for x in xs.iter().cycle() {¦ s += x; }",
        "for x in xs.iter().map(f) {¦ s += x; }",
        "for x in xs.iter().map(|x| f(x)) {¦ s += x; }",
        "for x in xs.iter().chain(endless()) {¦ s += x; }",
        "for _ in 0..9 {¦ s *= s; }",
    ]);
}

#[test]
fn innermost_loops_through_memory_are_left_alone() {
    expect_in_function(&[
        "for x in xs { s += x; }",
        "for &x in &self.xs { s += x * x; }",
        "for x in xs.iter_mut().rev() { *x = x.sqrt().max(0.0); }",
        "for x in m.row(i).iter() { s = s.wrapping_add(u64::from(*x)); }",
        "for (a, b) in x.iter().zip(y) { s += a * b; }",
        "for (i, a) in (0..).zip(x.iter()) { s += a * i; }",
        "for (a, b) in x.iter().chain(&y).enumerate() { s += a * b; }",
        "for b in text.bytes().filter(|b| b.is_ascii_digit()) { n += 1; }",
        "for i in 0..n { s += a[i] * b[i * n + j]; }",
        "for i in (1..=n).rev().step_by(2) { s += unsafe { a.get_unchecked(i) }; }",
        "for i in 0..n { if a[i] > 0.0 { last = Some(i); } }",
    ]);
}

#[test]
fn a_while_that_counts_is_as_a_for() {
    expect_in_function(&[
        "while i < n { s += x[i]; i += 1; }",
        "while i <= x.len() { s += x[i]; i += 1 }",
        "while i < n {¦ s ^= i; i += 1; }",
        "while i < n {¦ s += x[i]; i += step; }",
        "while i < n {¦ s += x[i]; i -= 1; }",
        "while i < n {¦ s += x[i]; }",
        "while i < n {¦ s += x[i]; if s > 0 { i += 1; } }",
        "while i < n {¦ s += x[i]; match s { 0 => i += 1, _ => {} } }",
        "while i < n {¦ if x[i] > 0 { continue; } i += 1; }",
        "while i < n {¦ if x[i] > 0 { i = 0; } i += 1; }",
        "while i < n {¦ (i, j) = (j, i); s += x[i]; i += 1; }",
        "while i < n {¦ f(x[i]); i += 1; }",
        "while i > n {¦ s += x[i]; i += 1; }",
        "while i < f() {¦ s += x[i]; i += 1; }",
    ]);
}

#[test]
fn a_loop_over_a_few_numbers_counts_as_statements() {
    expect_in_function(&[
        "for k in 0..3 { s += p[k]; }",
        "for _ in 0..8 { x = 0.5 * (x + a / x); }",
        "for y in 0..n {¦ for x in 0..n { for dx in -1..=1 { to[x] += a[x + dx]; } } }",
        "for k in 0..3 {¦ f(k); }",
    ]);
}

#[test]
fn loops_in_heads_and_closures() {
    expect_in_function(&[
        "for x in { loop {¦ break &xs; } } {¦ s += x; }",
        "for x in xs.iter().map(|x| { while f(x) {¦} x }) {¦ s += x; }",
        "while { loop {¦ break true; } } {¦}",
        "let g = |x| loop {¦ g(x) };",
        "async { loop {¦ tick().await; } };",
        "unsafe { loop {¦ f() } }",
        "let x = [loop {¦ break 1; }; 3];",
    ]);
}

#[test]
fn a_check_comes_after_the_attributes_of_the_body() {
    expect_in_function(&[
        "loop { #![allow(unused)] ¦f(); }",
        "loop { #![allow(unused)]\n#![allow(dead_code)]¦}",
        "loop { //! What it does.\n ¦f(); }",
        "loop {¦ // No end.\n #[allow(unused)] f(); }",
    ]);
}

#[test]
fn what_the_compiler_computes_has_no_checks() {
    expect(&[
        "const fn f() -> u32 { loop { break 1; } }",
        "const N: u32 = { loop { break 1; } };",
        "static N: u32 = { while true {} 1 };",
        "impl A { const N: u32 = loop { break 1; }; }",
        "fn f() { const { loop { break; } } }",
        "fn f() -> [u8; { loop { break 1; } }] { [0; { loop { break 1; } }] }",
        "fn f() { g::<{ loop { break 1; } }>() }",
        "struct A<const N: u8 = { loop { break 1; } }>;",
        "enum E { A = { loop { break 1; } } }",
        "const N: u32 = { fn f() { loop {¦} } 1 };",
    ]);
}

#[test]
fn what_must_not_unwind_has_no_checks() {
    expect(&[
        "extern \"C\" fn f() { loop {} }",
        "unsafe extern fn f() { loop {} }",
        "#[unsafe(no_mangle)] fn f() { loop {} }",
        "#[unsafe(export_name = \"g\")] fn f() { loop {} }",
        "extern \"C-unwind\" fn f() { loop {¦} }",
        "extern \"C\" fn f() { fn g() { loop {¦} } }",
        "async fn f() { loop {¦} }",
        "impl A { pub unsafe fn f(&self) { loop {¦} } }",
    ]);
}

#[test]
fn macros_are_left_alone() {
    expect(&[
        "macro_rules! forever { () => { loop {} } }",
        "fn f() { run!({ loop {} }); loop {¦ vec![{ while true {} 1 }]; } }",
    ]);
}

#[test]
fn broken_code_has_no_checks() {
    for source in ["fn f() { loop {} } }", "loop {}", "fn f() { loop { ) } }"] {
        let parse = SourceFile::parse(source, Edition::Edition2024);
        assert!(checks(parse.tree().syntax()).is_empty(), "{source}");
    }
}

#[test]
fn the_benchmark_has_its_checks_where_they_are_due() {
    let source = include_str!("../../../../benches/kernel/loops/loops.rs");
    let mark = "// check";
    let unmarked = source.lines().filter(|line| line.trim() != mark);
    let plain = unmarked.collect::<Vec<_>>().join("\n");
    let words = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(words(&marked(&plain, mark)), words(source));
}
