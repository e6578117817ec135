//! All 36,864 minimal four-colour adinkras: their families, their holoraumy and the counts of
//! their gadget matrix. Numbers: arXiv:1701.00304, and by independent computation from its definitions.

use holoscope::susy::{
    GadgetCounts, GardenSpace, Ratio, Sector, Su2, gadget, garden_sets, garden_space,
};
use proptest::prelude::*;
use std::collections::HashSet;

fn minimal() -> GardenSpace {
    garden_space(4, 4).expect("4 and 4 are in range")
}

fn counted(counts: &[holoscope::susy::GadgetCount]) -> Vec<(String, u64)> {
    let pair = |c: &holoscope::susy::GadgetCount| (c.value.to_string(), c.count);
    counts.iter().map(pair).collect()
}

fn check_published(counts: &GadgetCounts) {
    let expect = |numbers: [u64; 4]| -> Vec<(String, u64)> {
        let values = ["-1/3", "0", "1/3", "1"].map(str::to_owned);
        values.into_iter().zip(numbers).collect()
    };
    assert_eq!(
        counted(&counts.counts),
        expect([127_401_984, 1_132_462_080, 84_934_656, 14_155_776])
    );
    assert_eq!(counts.total(), 1_358_954_496);
    assert_eq!(counts.nonzero(), 226_492_416);
    assert_eq!(counts.rows.len(), 1, "every adinkra has the same row");
    assert_eq!(counts.rows[0].rows, 36_864);
    assert_eq!(
        counted(&counts.rows[0].counts),
        expect([3_456, 30_720, 2_304, 384])
    );
}

#[test]
fn there_are_36_864_quartets_18_432_of_each_chi_0() {
    let space = minimal();
    assert_eq!(space.len(), 36_864);
    let chi = space.chi_0().unwrap();
    assert_eq!(chi.iter().filter(|c| **c == 1).count(), 18_432);
    assert_eq!(chi.iter().filter(|c| **c == -1).count(), 18_432);
}

#[test]
fn each_su2_and_chi_0_has_9_216() {
    let families = minimal().families().unwrap().families;
    let found: Vec<_> = families
        .iter()
        .map(|f| (f.su2, f.chi_0, f.adinkras))
        .collect();
    assert_eq!(
        found,
        [
            (Su2::Alpha, 1, 9_216),
            (Su2::Alpha, -1, 9_216),
            (Su2::Beta, 1, 9_216),
            (Su2::Beta, -1, 9_216)
        ]
    );
}

#[test]
fn each_of_96_holoraumy_sets_is_carried_by_384_in_both_sectors() {
    for sector in [Sector::Fermionic, Sector::Bosonic] {
        let classes = minimal().holoraumy_classes(sector).unwrap();
        assert_eq!(classes.len(), 96, "{sector}");
        assert!(classes.sizes.iter().all(|&n| n == 384), "{sector}");
        assert_eq!(classes.axes().len(), 6, "alpha and beta");
    }
}

#[test]
fn gadget_counts_by_class_are_the_published_ones() {
    for sector in [Sector::Fermionic, Sector::Bosonic] {
        check_published(&minimal().gadget_counts(sector).unwrap());
    }
}

#[test]
fn gadget_counts_of_all_pairs_are_the_published_ones() {
    let space = minimal();
    let all = space.gadget_counts_by_pairs(Sector::Fermionic).unwrap();
    check_published(&all);
    assert_eq!(all, space.gadget_counts(Sector::Fermionic).unwrap());
}

#[test]
fn smaller_spaces_agree_by_class_and_by_pairs() {
    for (n, d) in [(2, 2), (2, 4), (3, 4), (2, 3)] {
        let space = garden_space(n, d).unwrap();
        for sector in [Sector::Fermionic, Sector::Bosonic] {
            let by_class = space.gadget_counts(sector).unwrap();
            assert_eq!(by_class, space.gadget_counts_by_pairs(sector).unwrap());
            assert_eq!(by_class.total(), (space.len() * space.len()) as u64);
        }
    }
}

/// Colour by colour must find what trying all pairs of the group finds.
#[test]
fn two_colours_agree_with_trying_every_pair() {
    use holoscope::susy::{GardenMultiplet, SignedPermutation};
    let group = SignedPermutation::all(4).unwrap();
    let mut tried = HashSet::new();
    for a in &group {
        for b in &group {
            if GardenMultiplet::new("", vec![*a, *b])
                .unwrap()
                .check()
                .closes()
            {
                tried.insert(vec![*a, *b]);
            }
        }
    }
    let found: HashSet<_> = garden_sets(2, 4).unwrap().into_iter().collect();
    assert_eq!(found, tried);
}

#[test]
fn what_is_out_of_range_is_refused() {
    assert!(garden_space(5, 4).is_err());
    assert!(garden_space(4, 0).is_err());
    let two = garden_space(2, 2).unwrap();
    assert!(two.chi_0().is_err() && two.families().is_err());
    assert!(two.multiplet(16).is_err());
    let one = garden_space(1, 2).unwrap();
    assert!(one.gadget_counts(Sector::Fermionic).is_err());
    assert!(one.gadget_counts_by_pairs(Sector::Fermionic).is_err());
    let classes = two.holoraumy_classes(Sector::Bosonic).unwrap();
    assert!(classes.holoraumy(16).is_err());
}

proptest! {
    /// The coded holoraumy is the multiplet's own, and the coded gadget that of the definition.
    #[test]
    fn codes_are_the_holoraumy_of_the_definition(a in 0usize..36_864, b in 0usize..36_864) {
        let space = minimal();
        let classes = space.holoraumy_classes(Sector::Fermionic).unwrap();
        let (x, y) = (space.multiplet(a).unwrap(), space.multiplet(b).unwrap());
        prop_assert!(x.check().closes());
        let own = x.fermionic_holoraumy().unwrap();
        prop_assert_eq!(&classes.holoraumy(a).unwrap().matrices, &own.matrices);
        let other = classes.holoraumy(b).unwrap();
        let pairs = own.matrices.iter().zip(&other.matrices);
        let traces: i64 = pairs.map(|(v, w)| v.compose(w).unwrap().trace()).sum();
        prop_assert_eq!(gadget(&x, &y).unwrap(), Ratio::new(-2 * traces, 48).unwrap());
    }
}
