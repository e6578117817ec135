//! Texts with planted differences.

use super::*;
use crate::check::rules::sanitise::Sanitiser;
use crate::check::rules::tolerance::Tolerances;
use mask::Masks;
use proptest::prelude::*;

/// The differences of two texts under tolerances.
fn found(stored: &str, fresh: &str, tolerances: &[&str]) -> Vec<Difference> {
    let mut all = Tolerances::default();
    tolerances.iter().for_each(|text| all.add(text).unwrap());
    let sanitiser = Sanitiser::default();
    let rules = CellRules {
        tolerances: all,
        masks: Masks::default(),
        sanitiser: &sanitiser,
        compare: true,
        skip: false,
    };
    compare(stored, fresh, &rules, &[])
}

fn kinds(stored: &str, fresh: &str, tolerances: &[&str]) -> Vec<(Kind, String)> {
    let found = found(stored, fresh, tolerances).into_iter();
    found.map(|one| (one.kind, one.place)).collect()
}

#[test]
fn words_must_be_the_same() {
    assert_eq!(
        kinds("a\nb c\nd", "a\nb x\nd", &["1"]),
        [(Kind::Text, "line 2".to_owned())]
    );
    assert_eq!(
        kinds("a\nb\nc", "a\nc", &[]),
        [(Kind::Text, "line 2 is missing".to_owned())]
    );
    assert_eq!(
        kinds("a\nc", "a\nb\nc", &[]),
        [(Kind::Text, "line 2 is new".to_owned())]
    );
    assert_eq!(kinds("a  b", "a b", &["1"]).len(), 1);
    assert_eq!(kinds("a b \n", "a b", &[]), []);
}

#[test]
fn numbers_are_compared_within_their_tolerance() {
    let (stored, fresh) = ("loss 3.437 after 500 steps", "loss 3.441 after 500 steps");
    assert_eq!(
        kinds(stored, fresh, &[]),
        [(Kind::Number, "line 1".to_owned())]
    );
    assert_eq!(
        kinds(stored, fresh, &["1e-4"]),
        [(Kind::Number, "line 1".to_owned())]
    );
    assert_eq!(kinds(stored, fresh, &["1e-2"]), []);
    assert_eq!(kinds(stored, fresh, &["loss=0.01"]), []);
    assert_eq!(kinds(stored, fresh, &["steps=0.01"]).len(), 1);
    let note = &found(stored, fresh, &["1e-4"])[0].note;
    assert_eq!(
        note,
        "3.437 -> 3.441, off by 0.004 (0.12 %); tolerance 0.0001"
    );
    // Without a tolerance the digits must be the same, too.
    assert_eq!(kinds("1.0", "1.00", &[]).len(), 1);
    assert_eq!(kinds("1.0", "1.00", &["1e-9"]), []);
}

#[test]
fn the_last_digit_may_be_rounded_differently_where_there_is_a_tolerance() {
    assert_eq!(kinds("0.92", "0.93", &["1e-6"]), []);
    assert_eq!(kinds("0.92", "0.94", &["1e-6"]).len(), 1);
    assert_eq!(kinds("4.1e-16", "4.2e-16", &["1e-6"]), []);
}

#[test]
fn whole_numbers_are_counts_and_must_be_equal() {
    let (stored, fresh) = ("feature 3558 of 4096", "feature 3559 of 4096");
    assert_eq!(kinds(stored, fresh, &["0.1"]).len(), 1);
    assert_eq!(kinds(stored, fresh, &["integers=0.1"]), []);
    assert_eq!(kinds(stored, fresh, &["feature=abs:1"]), []);
}

#[test]
fn padding_may_follow_the_width_of_a_number() {
    assert_eq!(kinds("| -0.5 |", "|  0.5 |", &["abs:2"]), []);
    assert_eq!(
        kinds("|  9.99 |\n├────┤", "| 10.01 |\n├─────┤", &["0.01"]),
        []
    );
    assert_eq!(kinds("| 0.5  |", "| 0.6 |", &["abs:2"]).len(), 1);
}

#[test]
fn masked_parts_never_matter() {
    assert_eq!(
        kinds(
            "train · 3:19 · 5341 tok/s · loss 3.44 · /tmp/a/b · 2026-11-30 · 0x7ffc9a3e1b20",
            "train · 1:03:19 · 41.5 tok/s · loss 3.44 · ~/c · 30 Nov 2026 · 0x55d0c0de0000",
            &[]
        ),
        []
    );
    // But the replaced part must be of the same kind.
    assert_eq!(kinds("took 3:19", "took /a/b", &[]).len(), 1);
}

/// Two samples of each kind that is masked.
fn volatile() -> impl Strategy<Value = (String, String)> {
    let duration = || {
        prop_oneof![
            (0u32..60, 0u32..60).prop_map(|(m, s)| format!("{m}:{s:02}")),
            (0.0f64..1e3).prop_map(|s| format!("{s:.1} s")),
            (0u32..999).prop_map(|ms| format!("{ms} ms")),
        ]
    };
    let rate = || (0.0f64..1e5).prop_map(|rate| format!("{rate:.0} tok/s"));
    let path = || "(/[a-z]{1,8}){2,4}";
    let date =
        || (2000u32..2100, 1u32..13, 1u32..29).prop_map(|(y, m, d)| format!("{y}-{m:02}-{d:02}"));
    let address = || (1u64 << 32..1 << 47).prop_map(|at| format!("0x{at:012x}"));
    prop_oneof![
        (duration(), duration()),
        (rate(), rate()),
        (path(), path()),
        (date(), date()),
        (address(), address()),
    ]
}

proptest! {
    #[test]
    fn a_text_equals_itself(text in "(?s).{0,60}", tolerance in prop_oneof![Just("0"), Just("1e-3")]) {
        prop_assert_eq!(found(&text, &text.clone(), &[tolerance]), vec![]);
        // The same with a differing line, so that the comparison does not stop
        // at byte equality.
        let (with, without) = (format!("{text}\nx 1 s"), format!("{text}\nx 2 s"));
        prop_assert_eq!(found(&with, &without, &[tolerance]), vec![]);
    }

    #[test]
    fn a_masked_part_never_matters_wherever_it_stands(
        before in "[a-z ,(=]{0,10}", behind in "[ ,)a-z]{0,10}", (one, other) in volatile()
    ) {
        let text = |part: &str| format!("{before} {part} {behind}");
        prop_assert_eq!(found(&text(&one), &text(&other), &[]), vec![]);
    }

    #[test]
    fn a_number_outside_its_tolerance_is_always_found(
        value in 1.0f64..1e6, factor in 1.05f64..3.0, before in "[a-z]{1,8}"
    ) {
        let (stored, fresh) = (format!("{before}= {value:.3}"), format!("{before}= {:.3}", value * factor));
        let kinds: Vec<Kind> = found(&stored, &fresh, &["0.01"]).iter().map(|one| one.kind).collect();
        prop_assert_eq!(kinds, vec![Kind::Number]);
    }

    #[test]
    fn a_number_within_its_tolerance_is_never_found(value in -1e6f64..1e6, part in -0.009f64..0.009) {
        let (stored, fresh) = (format!("{value:.6}"), format!("{:.6}", value * (1.0 + part)));
        prop_assert_eq!(found(&stored, &fresh, &["0.01"]), vec![]);
    }

    #[test]
    fn another_word_is_always_found(a in "[a-z]{1,8}", b in "[a-z]{1,8}", behind in "[ 0-9.a-z]{0,12}") {
        prop_assume!(a != b);
        let text = |word: &str| format!("{word} {behind}");
        prop_assert!(!found(&text(&a), &text(&b), &["1", "integers=1"]).is_empty());
    }
}
