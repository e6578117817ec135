//! Adinkras for N up to 16: quotients of cubes, odd dashings, heights, and the way from graphs to
//! L matrices and back. Numbers: arXiv:0806.0050 and independent computation.

use holoscope::susy::{
    Adinkra, AdinkraNode, BinaryCode, Chromotopology, GardenMultiplet, SignedPermutation, chiral,
    doubly_even_classes, doubly_even_codes, garden_space, smallest_d, tensor, vector,
};
use proptest::prelude::*;
use std::collections::HashSet;

fn largest(n: usize) -> BinaryCode {
    BinaryCode::largest_doubly_even(n).expect("1 to 16")
}

fn trivial(n: usize) -> BinaryCode {
    BinaryCode::trivial(n).expect("1 to 16")
}

#[test]
fn smallest_numbers_of_bosons_are_the_known_ones() {
    let d: Vec<usize> = (1..=16).map(|n| smallest_d(n).unwrap()).collect();
    assert_eq!(
        d,
        [1, 2, 4, 4, 8, 8, 8, 8, 16, 32, 64, 64, 128, 128, 128, 128]
    );
    assert!(smallest_d(0).is_err() && smallest_d(17).is_err());
}

#[test]
fn minimal_adinkras_close_for_every_n_to_16() {
    for n in 1..=16 {
        let adinkra = Adinkra::new(&largest(n)).unwrap();
        assert_eq!(
            (adinkra.n_colours(), adinkra.d()),
            (n, smallest_d(n).unwrap())
        );
        assert!(adinkra.closes(), "N = {n}");
        assert_eq!(adinkra.code().unwrap(), largest(n));
    }
}

#[test]
fn the_whole_cube_closes_for_n_to_16() {
    for n in [1, 2, 3, 5, 8, 12, 16] {
        let adinkra = Adinkra::new(&trivial(n)).unwrap();
        assert_eq!(adinkra.d(), 1 << (n - 1));
        assert!(adinkra.closes(), "N = {n}");
        assert_eq!(adinkra.code().unwrap(), trivial(n));
    }
}

#[test]
fn every_class_of_codes_of_length_12_makes_an_adinkra() {
    for class in doubly_even_classes(12).unwrap().classes {
        let adinkra = Adinkra::new(&class.code).unwrap();
        assert!(adinkra.closes(), "{}", class.code);
        assert_eq!(adinkra.code().unwrap(), class.code);
    }
}

/// All even codes of length up to 6: a dashing exactly for the doubly even ones, in number as
/// the formula says.
#[test]
fn odd_dashings_exist_exactly_for_doubly_even_codes() {
    for n in 1..=6 {
        let even: Vec<u32> = (1..1 << n)
            .filter(|w: &u32| w.count_ones().is_multiple_of(2))
            .collect();
        let mut codes = HashSet::from([trivial(n)]);
        for &u in &even {
            for &v in &even {
                for &w in &even {
                    codes.insert(BinaryCode::new(n, &[u, v, w]).unwrap());
                }
            }
        }
        for code in codes {
            let chromotopology = Chromotopology::new(&code).unwrap();
            let found = chromotopology.odd_dashing();
            let count = chromotopology.count_odd_dashings().unwrap();
            assert_eq!(found.is_ok(), code.is_doubly_even(), "{code}");
            let k = code.dimension();
            let log2 = (1usize << (n - k)) + k;
            assert_eq!(
                count.log2,
                code.is_doubly_even().then(|| log2 - 1),
                "{code}"
            );
            if let Err(error) = found {
                let message = error.to_string();
                assert!(message.contains("no odd dashing"), "{message}");
            }
        }
    }
}

#[test]
fn a_word_of_weight_6_is_named_in_the_refusal() {
    let message = Adinkra::new(&"111111".parse().unwrap())
        .unwrap_err()
        .to_string();
    assert!(message.contains("111111 is no multiple of 4"), "{message}");
    let message = Chromotopology::new(&"1110".parse().unwrap())
        .unwrap_err()
        .to_string();
    assert!(message.contains("1110 has odd weight"), "{message}");
}

#[test]
fn numbers_of_odd_dashings_are_the_known_ones() {
    let log2 = |code: &BinaryCode| {
        let chromotopology = Chromotopology::new(code).unwrap();
        chromotopology.count_odd_dashings().unwrap().log2
    };
    for n in 1..=5 {
        assert_eq!(log2(&trivial(n)), Some((1 << n) - 1), "N = {n}");
    }
    let found: Vec<_> = (4..=8).map(|n| log2(&largest(n))).collect();
    assert_eq!(found, [Some(8), Some(16), Some(17), Some(18), Some(19)]);
    for code in doubly_even_codes(7).unwrap() {
        let k = code.dimension();
        assert_eq!(log2(&code), Some((1 << (7 - k)) + k - 1), "{code}");
    }
    let cube = Chromotopology::new(&trivial(12)).unwrap();
    assert!(cube.count_odd_dashings().is_err(), "too many edges");
}

/// From one dashing, signs of nodes and colours reach all 2^8 of the minimal N = 4 graph.
#[test]
fn signs_of_nodes_and_colours_reach_every_odd_dashing() {
    let start = Adinkra::from_multiplet(&chiral()).unwrap();
    let signs = |a: &Adinkra| a.multiplet().unwrap().l;
    let mut seen = HashSet::from([signs(&start)]);
    let mut stack = vec![start];
    while let Some(at) = stack.pop() {
        let nodes = (1..=4).flat_map(|i| [AdinkraNode::Boson(i), AdinkraNode::Fermion(i)]);
        let by_node = nodes.map(|node| at.flip_sign(node).unwrap());
        let by_colour = (1..=4).map(|i| at.flip_colour(i).unwrap());
        for next in by_node.chain(by_colour).collect::<Vec<_>>() {
            assert!(next.closes());
            if seen.insert(signs(&next)) {
                stack.push(next);
            }
        }
    }
    assert_eq!(seen.len(), 1 << 8);
}

#[test]
fn published_multiplets_are_valises_over_the_code_1111() {
    for m in [chiral(), vector(), tensor()] {
        let adinkra = Adinkra::from_multiplet(&m).unwrap();
        assert!(adinkra.closes() && adinkra.is_valise());
        assert_eq!(adinkra.code().unwrap(), "1111".parse().unwrap());
        assert_eq!(adinkra.nodes_by_height(), [4, 4]);
        assert_eq!(adinkra.multiplet().unwrap(), m);
    }
}

#[test]
fn an_edge_is_an_entry_of_l() {
    let (m, adinkra) = (chiral(), Adinkra::from_multiplet(&chiral()).unwrap());
    for colour in 1..=4 {
        for boson in 1..=4 {
            let edge = adinkra.edge(AdinkraNode::Boson(boson), colour).unwrap();
            let entry = m.l[colour - 1].entry(edge.boson - 1, edge.fermion - 1);
            assert_eq!(entry, if edge.dashed { -1 } else { 1 });
            let back = adinkra.edge(AdinkraNode::Fermion(edge.fermion), colour);
            assert_eq!(back.unwrap(), edge);
        }
    }
}

#[test]
fn a_cube_hung_from_a_node_has_binomial_levels() {
    let cube = Adinkra::new(&trivial(5)).unwrap();
    let hung = cube.hung_from(AdinkraNode::Boson(3)).unwrap();
    assert_eq!(hung.nodes_by_height(), [1, 5, 10, 10, 5, 1]);
    assert_eq!(hung.height(AdinkraNode::Boson(3)).unwrap(), 5);
    assert_eq!(hung.valise(), cube);
    assert!(!hung.is_valise() && cube.is_valise());
}

#[test]
fn nodes_rise_only_from_below_all_their_neighbours() {
    let valise = Adinkra::from_multiplet(&chiral()).unwrap();
    let boson = AdinkraNode::Boson(2);
    let up = valise.raise(boson).unwrap();
    assert_eq!(
        (up.height(boson).unwrap(), up.nodes_by_height()),
        (2, vec![3, 4, 1])
    );
    assert_eq!(up, valise.lifted(0b0010).unwrap());
    assert_eq!(up.lower(boson).unwrap(), valise);
    assert!(up.raise(boson).is_err() && valise.lower(boson).is_err());
    assert!(valise.raise(AdinkraNode::Fermion(1)).is_err());
    // With every boson raised the fermions are below and may follow.
    let turned = valise.lifted(0b1111).unwrap();
    assert!(turned.raise(AdinkraNode::Fermion(1)).is_ok());
    let message = up.raise(boson).unwrap_err().to_string();
    assert!(message.contains("boson 2"), "{message}");
}

#[test]
fn what_is_not_there_is_refused() {
    let a = Adinkra::from_multiplet(&chiral()).unwrap();
    for node in [AdinkraNode::Boson(0), AdinkraNode::Fermion(5)] {
        assert!(a.edge(node, 1).is_err() && a.raise(node).is_err() && a.height(node).is_err());
        assert!(a.hung_from(node).is_err() && a.flip_sign(node).is_err());
    }
    assert!(a.edge(AdinkraNode::Boson(1), 5).is_err() && a.flip_colour(0).is_err());
    assert!(a.lifted(16).is_err());
    assert!(a.with_heights(&[0; 3], &[1; 4]).is_err());
    assert!(a.with_heights(&[i32::MIN; 4], &[i32::MAX; 4]).is_err());
    assert!(
        Adinkra::new(&trivial(8)).unwrap().multiplet().is_err(),
        "d = 128"
    );
    let mut open = chiral();
    open.l[0] = open.l[1];
    assert!(Adinkra::from_multiplet(&open).is_err());
    open.l.clear();
    assert!(Adinkra::from_multiplet(&open).is_err());
}

/// Two copies of one multiplet are a multiplet but no quotient of a cube.
#[test]
fn a_graph_in_two_pieces_has_no_code() {
    let two = SignedPermutation::identity(2).unwrap();
    let l = chiral()
        .l
        .iter()
        .map(|l| two.kronecker(l).unwrap())
        .collect();
    let twice = GardenMultiplet::new("two CM", l).unwrap();
    let adinkra = Adinkra::from_multiplet(&twice).unwrap();
    assert!(adinkra.closes());
    assert!(adinkra.code().is_err());
    assert!(adinkra.hung_from(AdinkraNode::Boson(1)).is_err());
    // One piece may stand above the other, within reason.
    let (bosons, fermions) = ([0, 0, 0, 0, 6, 6, 6, 6], [1, 1, 1, 1, 7, 7, 7, 7]);
    let apart = adinkra.with_heights(&bosons, &fermions).unwrap();
    assert_eq!(apart.nodes_by_height(), [4, 4, 0, 0, 0, 0, 4, 4]);
    let far = |h: i32| if h > 1 { h + 1_000_000_000 } else { h };
    assert!(
        adinkra
            .with_heights(&bosons.map(far), &fermions.map(far))
            .is_err()
    );
}

/// A doubly even code with at most 16 bosons, permuted at will.
fn small_code() -> impl Strategy<Value = BinaryCode> {
    let all: Vec<BinaryCode> = (1..=9)
        .flat_map(|n| doubly_even_classes(n).unwrap().classes)
        .map(|class| class.code)
        .filter(|code| code.length() - code.dimension() <= 5)
        .collect();
    let order = Just((0..16).collect::<Vec<usize>>()).prop_shuffle();
    (prop::sample::select(all), order).prop_map(|(code, order)| {
        let places: Vec<usize> = order.into_iter().filter(|&p| p < code.length()).collect();
        code.permuted(&places).expect("a permutation")
    })
}

proptest! {
    #[test]
    fn graphs_and_matrices_round_trip(
        code in small_code(), flips in prop::collection::vec((1usize..=16, 0u8..3), 0..12)
    ) {
        let mut adinkra = Adinkra::new(&code).unwrap();
        for (i, kind) in flips {
            let (node, colour) = ((i - 1) % adinkra.d() + 1, (i - 1) % adinkra.n_colours() + 1);
            adinkra = match kind {
                0 => adinkra.flip_sign(AdinkraNode::Boson(node)),
                1 => adinkra.flip_sign(AdinkraNode::Fermion(node)),
                _ => adinkra.flip_colour(colour),
            }.unwrap();
        }
        let m = adinkra.multiplet().unwrap();
        prop_assert!(m.check().closes() && adinkra.closes());
        let back = Adinkra::from_multiplet(&m).unwrap();
        prop_assert_eq!(back.code().unwrap(), code);
        prop_assert_eq!(back.multiplet().unwrap(), m);
        prop_assert_eq!(back, adinkra);
    }

    /// Solving edge by edge and eliminating all equations agree, for any even code.
    #[test]
    fn both_ways_to_solve_for_dashings_agree(
        n in 2usize..=8, words in prop::collection::vec(0u32..256, 0..5)
    ) {
        let even = |w: &u32| (w & ((1 << n) - 1)).count_ones().is_multiple_of(2);
        let words: Vec<u32> = words.iter().filter(|w| even(w)).map(|w| w & ((1 << n) - 1)).collect();
        let code = BinaryCode::new(n, &words).unwrap();
        let chromotopology = Chromotopology::new(&code).unwrap();
        let count = chromotopology.count_odd_dashings().unwrap();
        prop_assert_eq!(chromotopology.odd_dashing().is_ok(), count.log2.is_some());
        prop_assert_eq!(count.log2.is_some(), code.is_doubly_even());
    }

    #[test]
    fn large_codes_have_a_dashing_exactly_when_doubly_even(
        n in 9usize..=13, words in prop::collection::vec(0u32..65_536, 1..8), mend in prop::bool::ANY
    ) {
        let mut kept: Vec<u32> = Vec::new();
        for word in words.iter().map(|w| w & ((1 << n) - 1)) {
            let joins = kept.iter().all(|k| (k & word).count_ones().is_multiple_of(2));
            let step = if mend { 4 } else { 2 };
            if word.count_ones().is_multiple_of(step) && (joins || !mend) {
                kept.push(word);
            }
        }
        let code = BinaryCode::new(n, &kept).unwrap();
        let found = Adinkra::new(&code);
        prop_assert_eq!(found.is_ok(), code.is_doubly_even());
        prop_assert!(found.is_err() || found.unwrap().closes());
    }

    #[test]
    fn every_quartet_is_an_adinkra_over_1111(index in 0usize..36_864) {
        let m = garden_space(4, 4).unwrap().multiplet(index).unwrap();
        let adinkra = Adinkra::from_multiplet(&m).unwrap();
        prop_assert_eq!(adinkra.code().unwrap().to_string(), "1111");
        prop_assert_eq!(adinkra.multiplet().unwrap(), m);
    }

    /// However nodes rise and sink, neighbours differ by 1 and the valise comes back.
    #[test]
    fn heights_stay_engineerable(
        code in small_code(), moves in prop::collection::vec((1usize..=16, 0u8..4), 0..30)
    ) {
        let start = Adinkra::new(&code).unwrap();
        let mut adinkra = start.clone();
        for (i, kind) in moves {
            let i = (i - 1) % adinkra.d() + 1;
            let moved = match kind {
                0 => adinkra.raise(AdinkraNode::Boson(i)),
                1 => adinkra.raise(AdinkraNode::Fermion(i)),
                2 => adinkra.lower(AdinkraNode::Boson(i)),
                _ => adinkra.lower(AdinkraNode::Fermion(i)),
            };
            adinkra = moved.unwrap_or(adinkra);
        }
        for colour in 1..=adinkra.n_colours() {
            for i in 1..=adinkra.d() {
                let edge = adinkra.edge(AdinkraNode::Boson(i), colour).unwrap();
                let low = adinkra.height(AdinkraNode::Boson(i)).unwrap();
                let high = adinkra.height(AdinkraNode::Fermion(edge.fermion)).unwrap();
                prop_assert_eq!(low.abs_diff(high), 1);
            }
        }
        prop_assert_eq!(adinkra.valise(), start);
    }
}
