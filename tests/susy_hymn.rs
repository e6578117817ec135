//! HYMNs of all minimal four-colour adinkras with any bosons lifted. Numbers: arXiv:1904.01738
//! and independent computation over the whole space.

use holoscope::susy::{GardenMultiplet, chiral, garden_space, generator_sets, vector};
use proptest::prelude::*;
use std::collections::HashMap;

/// Powers of r in B_L and B_R, and how many adinkras have them.
fn check(word: u32, expected: &[([u32; 4], [u32; 4], usize)]) {
    let found = garden_space(4, 4).unwrap().hymn_classes(word).unwrap();
    let found: Vec<_> = found
        .classes
        .into_iter()
        .map(|c| (c.left, c.right, c.adinkras))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(l, r, n)| (l.to_vec(), r.to_vec(), *n))
        .collect();
    assert_eq!(found, expected, "word {word:04b}");
}

#[test]
fn none_one_three_or_four_lifted_make_one_class() {
    check(0, &[([0; 4], [0; 4], 36_864)]);
    check(15, &[([2; 4], [2; 4], 36_864)]);
    for word in [1, 2, 4, 8] {
        check(word, &[([0, 0, 1, 1], [0, 0, 1, 1], 36_864)]);
        check(15 - word, &[([1, 1, 2, 2], [1, 1, 2, 2], 36_864)]);
    }
}

#[test]
fn two_lifted_make_three_classes_of_12_288() {
    for word in [3, 5, 6, 9, 10, 12] {
        check(
            word,
            &[
                ([0, 0, 2, 2], [1; 4], 12_288),
                ([1; 4], [0, 0, 2, 2], 12_288),
                ([1; 4], [1; 4], 12_288),
            ],
        );
    }
}

#[test]
fn lifting_the_other_two_gives_the_same_class_and_six_orders_share_the_space() {
    let space = garden_space(4, 4).unwrap();
    let mut orders: HashMap<Vec<[Vec<u32>; 2]>, usize> = HashMap::new();
    for index in 0..space.len() {
        let m = space.multiplet(index).unwrap();
        let powers = |w: u32| m.hymn(w).unwrap().powers();
        let order: Vec<_> = [3, 5, 6].map(powers).to_vec();
        assert_eq!(order, [12, 10, 9].map(powers));
        *orders.entry(order).or_default() += 1;
    }
    assert_eq!(orders.len(), 6);
    for (order, count) in orders {
        assert_eq!(count, 6_144);
        assert!(order[0] != order[1] && order[1] != order[2] && order[0] != order[2]);
    }
}

#[test]
fn published_hymns_are_reproduced() {
    let text = |m: GardenMultiplet, word| {
        let text = m.hymn(word).unwrap().to_string();
        text.split_once(": ").unwrap().1.to_owned()
    };
    assert_eq!(
        text(chiral(), 12),
        "B_L = {r, r, r, r}, B_R = {-1, -1, -r^2, -r^2}"
    );
    assert_eq!(
        text(vector(), 8),
        "B_L = {-1, -1, -r, -r}, B_R = {1, 1, r, r}"
    );
    assert_eq!(
        text(chiral(), 8),
        "B_L = {1, 1, r, r}, B_R = {-1, -1, -r, -r}"
    );
}

#[test]
fn hymns_need_four_colours_and_a_diagonal() {
    let two = GardenMultiplet::new("two", chiral().l[..2].to_vec()).unwrap();
    assert!(two.hymn(0).is_err());
    assert!(chiral().hymn(16).is_err());
    let mut open = chiral();
    open.l[3] = open.l[0];
    assert!(open.hymn(0).unwrap_err().to_string().contains("diagonal"));
}

#[test]
fn generator_sets_are_counted_as_known() {
    let check = |n, d, unsigned, signed| {
        let found = generator_sets(n, d).unwrap();
        assert_eq!(
            (found.unsigned, found.signed),
            (unsigned, signed),
            "GR({d}, {n})"
        );
    };
    check(4, 4, 6, 1_536);
    check(8, 8, 151_200, 79_272_345_600);
    check(1, 1, 1, 2);
    check(2, 3, 0, 0);
    check(3, 2, 0, 0);
    assert!(generator_sets(9, 8).is_err() && generator_sets(0, 4).is_err());
}

/// Ordered sets found one by one are N! times the unordered ones counted by cliques and dashings.
#[test]
fn generator_sets_agree_with_the_listed_spaces() {
    for (n, factorial) in [(1, 1), (2, 2), (3, 6), (4, 24)] {
        for d in 1..=4 {
            let listed = garden_space(n, d).unwrap().len() as u64;
            let counted = generator_sets(n, d).unwrap().signed;
            assert_eq!(listed, factorial * counted, "GR({d}, {n})");
        }
    }
}

proptest! {
    /// Signs: chi_0 on B_L and -chi_0 on B_R; values: the dense product of the definition at r = 3.
    #[test]
    fn hymns_agree_with_their_definition(index in 0usize..36_864, word in 0u32..16) {
        let m = garden_space(4, 4).unwrap().multiplet(index).unwrap();
        let hymn = m.hymn(word).unwrap();
        let chi = m.chi_0().unwrap().numerator();
        prop_assert!(hymn.left.iter().all(|v| i64::from(v.sign) == chi));
        prop_assert!(hymn.right.iter().all(|v| i64::from(v.sign) == -chi));

        type Dense = Vec<Vec<i64>>;
        let dense = |p: holoscope::susy::SignedPermutation| -> Dense {
            p.to_dense().iter().map(|r| r.iter().map(|&x| i64::from(x)).collect()).collect()
        };
        let times = |a: Dense, b: Dense| -> Dense {
            (0..4).map(|i| (0..4).map(|j| (0..4).map(|k| a[i][k] * b[k][j]).sum()).collect()).collect()
        };
        let lift: Dense = (0..4)
            .map(|i| (0..4).map(|j| if i != j { 0 } else if word >> i & 1 == 1 { 3 } else { 1 }).collect())
            .collect();
        let (l, r) = (|i: usize| dense(m.l[i - 1]), |i: usize| dense(m.l[i - 1].transpose()));
        let product = |factors: [Dense; 6]| factors.into_iter().reduce(times).unwrap();
        let b_l = product([lift.clone(), l(4), r(3), lift.clone(), l(2), r(1)]);
        let b_r = product([r(4), lift.clone(), l(3), r(2), lift, l(1)]);
        for (matrix, values) in [(b_l, &hymn.left), (b_r, &hymn.right)] {
            let mut diagonal: Vec<i64> = (0..4).map(|i| matrix[i][i]).collect();
            prop_assert!((0..16).all(|k| k / 4 == k % 4 || matrix[k / 4][k % 4] == 0));
            let mut expected: Vec<i64> =
                values.iter().map(|v| i64::from(v.sign) * 3i64.pow(v.power)).collect();
            diagonal.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(diagonal, expected);
        }
    }
}
