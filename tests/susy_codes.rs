//! Doubly even codes of length 1 to 16: labelled counts in three independent ways (formula,
//! walk, classes), classes up to permutation, the largest ones. Numbers: arXiv:0806.0050 and
//! independent computation.

use holoscope::susy::{
    BinaryCode, doubly_even_classes, doubly_even_codes, doubly_even_counts,
    doubly_even_counts_by_walk,
};
use proptest::prelude::*;
use std::collections::HashSet;

#[test]
fn labelled_counts_are_the_known_ones() {
    let known: [&[u64]; 8] = [
        &[1],
        &[1],
        &[1],
        &[1, 1],
        &[1, 5],
        &[1, 15, 15],
        &[1, 35, 105, 30],
        &[1, 71, 455, 345, 30],
    ];
    for (n, expected) in (1..).zip(known) {
        assert_eq!(
            doubly_even_counts(n).unwrap().by_dimension,
            expected,
            "N = {n}"
        );
    }
}

#[test]
fn formula_and_walk_agree_to_length_12() {
    for n in 1..=12 {
        let (formula, walk) = (doubly_even_counts(n), doubly_even_counts_by_walk(n));
        assert_eq!(formula.unwrap(), walk.unwrap(), "N = {n}");
    }
}

/// `N!/|Aut|` summed over the classes is the labelled count only if no class is missing or
/// counted twice and every group is right.
#[test]
fn formula_and_classes_agree_to_length_16() {
    for n in 1..=16 {
        let classes = doubly_even_classes(n).unwrap();
        assert_eq!(
            classes.labelled(),
            doubly_even_counts(n).unwrap(),
            "N = {n}"
        );
    }
}

#[test]
fn classes_up_to_permutation_are_the_known_ones() {
    let totals: Vec<usize> = (1..=8)
        .map(|n| doubly_even_classes(n).unwrap().classes.len())
        .collect();
    assert_eq!(totals, [1, 1, 1, 2, 2, 3, 4, 8]);
    assert_eq!(
        doubly_even_classes(8).unwrap().by_dimension(),
        [1, 2, 2, 2, 1]
    );
}

/// Length 16 has two self-dual doubly even codes, e8 + e8 and d16+ (Pless, 1972), with groups of
/// order 2 x 1344^2 and 2^7 x 8!.
#[test]
fn the_largest_codes_are_e8_and_the_two_of_length_16() {
    let e8 = doubly_even_classes(8).unwrap().largest();
    assert_eq!(
        (e8.len(), e8[0].automorphisms, e8[0].labelled),
        (1, 1_344, 30)
    );
    assert_eq!(e8[0].code.weights(), [1, 0, 0, 0, 14, 0, 0, 0, 1]);
    let mut orders: Vec<u64> = doubly_even_classes(16)
        .unwrap()
        .largest()
        .iter()
        .map(|c| c.automorphisms)
        .collect();
    orders.sort_unstable();
    assert_eq!(orders, [2 * 1_344 * 1_344, (1 << 7) * 40_320]);
}

#[test]
fn dimensions_of_the_largest_are_the_known_ones() {
    let largest = |n| BinaryCode::largest_doubly_even(n).unwrap();
    let k: Vec<usize> = (1..=16).map(|n| largest(n).dimension()).collect();
    assert_eq!(k[..8], [0, 0, 0, 1, 1, 2, 3, 4]);
    for n in 1..=16 {
        assert!(largest(n).is_doubly_even());
        let counted = doubly_even_counts(n).unwrap().by_dimension.len() - 1;
        assert_eq!(k[n - 1], counted, "N = {n}");
    }
}

#[test]
fn a_list_holds_each_code_once() {
    for n in 1..=9 {
        let codes = doubly_even_codes(n).unwrap();
        assert!(codes.iter().all(BinaryCode::is_doubly_even));
        let different: HashSet<_> = codes.iter().collect();
        assert_eq!(
            different.len() as u64,
            doubly_even_counts(n).unwrap().total()
        );
    }
}

#[test]
fn bad_codes_are_refused_with_a_reason() {
    for (text, part) in [
        ("", "1 to 16"),
        ("1120", "1120"),
        ("11 1", "\"1\""),
        ("11111111111111111", "16"),
    ] {
        let message = text.parse::<BinaryCode>().unwrap_err().to_string();
        assert!(message.contains(part), "{text}: {message}");
    }
    assert!(BinaryCode::new(4, &[16]).is_err());
    assert!(BinaryCode::trivial(0).is_err() && BinaryCode::trivial(17).is_err());
    assert!(doubly_even_counts(17).is_err() && doubly_even_counts(0).is_err());
    assert!(doubly_even_counts_by_walk(13).is_err() && doubly_even_codes(11).is_err());
    assert!(doubly_even_classes(17).is_err() && doubly_even_classes(0).is_err());
    assert!(
        BinaryCode::trivial(3)
            .unwrap()
            .permuted(&[0, 1, 1])
            .is_err()
    );
    assert!(
        BinaryCode::trivial(3)
            .unwrap()
            .permuted(&[0, 1, 99])
            .is_err()
    );
    // Not a place of 32 bits: the lower ones alone would be 0.
    assert!(
        BinaryCode::trivial(3)
            .unwrap()
            .permuted(&[1 << 32, 1, 2])
            .is_err()
    );
}

fn any_code() -> impl Strategy<Value = BinaryCode> {
    (1usize..=16).prop_flat_map(|n| {
        prop::collection::vec(0u32..1 << n, 0..6)
            .prop_map(move |words| BinaryCode::new(n, &words).expect("words of that length"))
    })
}

proptest! {
    #[test]
    fn words_weights_and_membership_agree(code in any_code()) {
        let words = code.words();
        let different: HashSet<u32> = words.iter().copied().collect();
        prop_assert_eq!(different.len(), 1 << code.dimension());
        prop_assert!(words.iter().all(|&w| code.contains(w)));
        prop_assert_eq!(code.is_even(), words.iter().all(|w| w.count_ones().is_multiple_of(2)));
        prop_assert_eq!(code.is_doubly_even(), words.iter().all(|w| w.count_ones().is_multiple_of(4)));
        if let Some(word) = code.not_doubly_even_word() {
            prop_assert!(code.contains(word) && !word.count_ones().is_multiple_of(4));
        }
        prop_assert_eq!(code.to_string().parse::<BinaryCode>().unwrap(), code);
    }

    #[test]
    fn a_representative_is_the_same_for_a_whole_coset(code in any_code(), word in 0u32..65_536) {
        let word = word & ((1 << code.length()) - 1);
        let of = code.reduce(word);
        prop_assert!(code.words().iter().all(|w| code.reduce(word ^ w) == of));
        prop_assert!(code.contains(of ^ word));
    }

    #[test]
    fn permuting_there_and_back_is_nothing(
        code in any_code(), order in Just((0..16).collect::<Vec<usize>>()).prop_shuffle()
    ) {
        let places: Vec<usize> = order.into_iter().filter(|&p| p < code.length()).collect();
        let mut back = vec![0; places.len()];
        places.iter().enumerate().for_each(|(i, &p)| back[p] = i);
        let there = code.permuted(&places).unwrap();
        prop_assert_eq!(there.weights(), code.weights());
        prop_assert_eq!(there.permuted(&back).unwrap(), code);
    }
}
