//! One-dimensional supersymmetry: every number that arXiv:1701.00304 gives for the chiral, vector
//! and tensor multiplets, the size of the space GR(4, 4), and the group laws.

use holoscope::susy::{
    GardenMultiplet, Ratio, SignedPermutation, chiral, gadget, gadget_matrix, garden_sets,
    su2_basis, tensor, vector,
};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

fn sp(s: &str) -> SignedPermutation {
    s.parse().expect("a signed permutation")
}

#[test]
fn published_multiplets_satisfy_both_garden_relations() {
    for m in [chiral(), vector(), tensor()] {
        let check = m.check();
        assert!(check.closes(), "{check}");
        assert_eq!((check.lr.len(), check.rl.len()), (10, 10));
        assert_eq!((m.d(), m.n_colours()), (4, 4));
    }
}

#[test]
fn l_matrices_are_the_published_ones() {
    let text = |m: GardenMultiplet| m.l.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        text(chiral()),
        [
            "(1+ 4- 2+ 3-)",
            "(2+ 3+ 1- 4-)",
            "(3+ 2- 4- 1+)",
            "(4+ 1+ 3+ 2+)"
        ]
    );
    assert_eq!(
        text(vector()),
        [
            "(2+ 4- 1+ 3-)",
            "(1+ 3+ 2- 4-)",
            "(4+ 2+ 3+ 1+)",
            "(3+ 1- 4- 2+)"
        ]
    );
    assert_eq!(
        text(tensor()),
        [
            "(1+ 3- 4- 2-)",
            "(2+ 4+ 3- 1+)",
            "(3+ 1+ 2+ 4-)",
            "(4+ 2- 1+ 3+)"
        ]
    );
}

#[test]
fn a_broken_multiplet_is_caught_and_named() {
    let mut m = chiral();
    m.l[2] = -m.l[2];
    assert!(m.check().closes(), "a sign of a whole colour is a symmetry");
    m.l[1] = sp("(2+ 3+ 1+ 4-)");
    assert!(!m.check().closes());
    let message = m.fermionic_holoraumy().unwrap_err().to_string();
    assert!(
        message.contains("CM") && message.contains("(1, 2)"),
        "{message}"
    );
}

#[test]
fn chi_0_is_plus_one_for_chiral_and_minus_one_for_vector_and_tensor() {
    assert_eq!(chiral().chi_0().unwrap(), 1);
    assert_eq!(vector().chi_0().unwrap(), -1);
    assert_eq!(tensor().chi_0().unwrap(), -1);
}

#[test]
fn gadgets_are_the_published_ones() {
    let g = gadget_matrix(&[chiral(), vector(), tensor()]).unwrap();
    let third = Ratio::new(-1, 3).unwrap();
    let (zero, one) = (Ratio::from(0), Ratio::from(1));
    assert_eq!(
        g.values,
        [[one, zero, zero], [zero, one, third], [zero, third, one]]
    );
    assert_eq!(g.names, ["CM", "VM", "TM"]);
}

#[test]
fn every_holoraumy_matrix_squares_to_minus_one() {
    let minus = -SignedPermutation::identity(4).unwrap();
    for m in [chiral(), vector(), tensor()] {
        for h in [
            m.bosonic_holoraumy().unwrap(),
            m.fermionic_holoraumy().unwrap(),
        ] {
            assert_eq!(h.pairs(), [(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)]);
            for (i, j) in h.pairs() {
                let v = h.matrix(i, j).unwrap();
                assert_eq!(v.compose(&v).unwrap(), minus);
                assert_eq!(h.matrix(j, i).unwrap(), -v);
                assert_eq!(v.transpose(), -v);
            }
        }
    }
}

/// The definition with both terms and the half, in plain integers, beside the shortcut of the library.
#[test]
fn holoraumy_agrees_with_its_definition_in_dense_integers() {
    type Dense = Vec<Vec<i32>>;
    let dense = |p: &SignedPermutation| -> Dense {
        let rows = p.to_dense();
        rows.iter()
            .map(|r| r.iter().map(|&x| i32::from(x)).collect())
            .collect()
    };
    let times = |a: &Dense, b: &Dense| -> Dense {
        (0..4)
            .map(|i| {
                (0..4)
                    .map(|j| (0..4).map(|k| a[i][k] * b[k][j]).sum())
                    .collect()
            })
            .collect()
    };
    let half_difference = |a: Dense, b: Dense| -> Dense {
        (0..4)
            .map(|i| (0..4).map(|j| (a[i][j] - b[i][j]) / 2).collect())
            .collect()
    };
    for m in [chiral(), vector(), tensor()] {
        let l: Vec<Dense> = m.l.iter().map(dense).collect();
        let r: Vec<Dense> = m.r().iter().map(dense).collect();
        let (b, f) = (
            m.bosonic_holoraumy().unwrap(),
            m.fermionic_holoraumy().unwrap(),
        );
        for (i, j) in b.pairs() {
            let (x, y) = (i - 1, j - 1);
            let bosonic = half_difference(times(&l[x], &r[y]), times(&l[y], &r[x]));
            let fermionic = half_difference(times(&r[x], &l[y]), times(&r[y], &l[x]));
            assert_eq!(dense(&b.matrix(i, j).unwrap()), bosonic);
            assert_eq!(dense(&f.matrix(i, j).unwrap()), fermionic);
        }
    }
}

fn fermionic(m: &GardenMultiplet) -> Vec<String> {
    let c = m.fermionic_holoraumy().unwrap().coefficients().unwrap();
    c.rows.iter().map(ToString::to_string).collect()
}

fn bosonic(m: &GardenMultiplet) -> Vec<String> {
    let c = m.bosonic_holoraumy().unwrap().coefficients().unwrap();
    c.rows.iter().map(ToString::to_string).collect()
}

// Order of the pairs: 12, 13, 14, 23, 24, 34.
#[test]
fn fermionic_coefficients_are_the_tabulated_ones() {
    assert_eq!(
        fermionic(&chiral()),
        [
            "-alpha2", "-alpha3", "-alpha1", "-alpha1", "+alpha3", "-alpha2"
        ]
    );
    assert_eq!(
        fermionic(&vector()),
        ["+beta3", "-beta2", "+beta1", "-beta1", "-beta2", "-beta3"]
    );
    assert_eq!(
        fermionic(&tensor()),
        ["-beta3", "-beta2", "-beta1", "+beta1", "-beta2", "+beta3"]
    );
}

#[test]
fn bosonic_coefficients_are_the_tabulated_ones() {
    assert_eq!(
        bosonic(&chiral()),
        [
            "+alpha3", "-alpha1", "-alpha2", "+alpha2", "-alpha1", "-alpha3"
        ]
    );
    assert_eq!(
        bosonic(&vector()),
        [
            "+alpha3", "-alpha2", "-alpha1", "-alpha1", "+alpha2", "+alpha3"
        ]
    );
    assert_eq!(
        bosonic(&tensor()),
        [
            "-alpha1", "-alpha2", "-alpha3", "-alpha3", "+alpha2", "-alpha1"
        ]
    );
}

#[test]
fn the_chiral_fermions_are_alpha_only_and_the_others_beta_only() {
    let c = |m: GardenMultiplet| m.fermionic_holoraumy().unwrap().coefficients().unwrap();
    assert!(c(chiral()).is_alpha_only() && !c(chiral()).is_beta_only());
    assert!(c(vector()).is_beta_only() && c(tensor()).is_beta_only());
}

/// `[m_1, m_2] = 2 i m_3` within a basis, alpha and beta commuting; with `a = i m`: `[a_1, a_2] = -2 a_3`.
#[test]
fn alpha_and_beta_are_two_commuting_su2() {
    let [alpha, beta] = su2_basis();
    let product = |a: &SignedPermutation, b: &SignedPermutation| a.compose(b).unwrap();
    for basis in [alpha, beta] {
        for k in 0..3 {
            let (a, b, c) = (basis[k], basis[(k + 1) % 3], basis[(k + 2) % 3]);
            // Anticommuting, so the commutator is twice the product.
            assert_eq!(product(&a, &b), -product(&b, &a));
            assert_eq!(product(&a, &b), -c);
            assert_eq!(product(&a, &a), -SignedPermutation::identity(4).unwrap());
        }
    }
    for a in &alpha {
        for b in &beta {
            assert_eq!(product(a, b), product(b, a));
        }
    }
}

#[test]
fn the_whole_space_has_the_published_size() {
    assert_eq!(SignedPermutation::all(4).unwrap().len(), 384);
    let sets = garden_sets(4, 4).unwrap();
    assert_eq!(sets.len(), 36_864);
    assert_eq!(sets.len(), 1_536 * 24);
    let unordered: HashSet<Vec<SignedPermutation>> = sets
        .iter()
        .map(|s| {
            let mut s = s.clone();
            s.sort();
            s
        })
        .collect();
    assert_eq!(unordered.len(), 1_536);
    let mut by_chi: HashMap<Ratio, usize> = HashMap::new();
    let mut by_holoraumy: HashMap<Vec<SignedPermutation>, usize> = HashMap::new();
    let mut alpha = 0;
    for l in sets {
        let m = GardenMultiplet::new("", l).unwrap();
        *by_chi.entry(m.chi_0().unwrap()).or_default() += 1;
        let h = m.fermionic_holoraumy().unwrap();
        let c = h.coefficients().unwrap();
        assert_ne!(c.is_alpha_only(), c.is_beta_only());
        alpha += usize::from(c.is_alpha_only());
        *by_holoraumy.entry(h.matrices).or_default() += 1;
    }
    assert_eq!(by_chi.len(), 2);
    assert!(by_chi.values().all(|&n| n == 18_432));
    assert_eq!(alpha, 18_432);
    assert_eq!(by_holoraumy.len(), 96);
    assert!(by_holoraumy.values().all(|&n| n == 384));
}

#[test]
fn gr_2_2_has_sixteen_ordered_adinkras() {
    assert_eq!(garden_sets(2, 2).unwrap().len(), 16);
}

/// GR(3, 2) and so on need d even; GR(1, 1) is the two signs.
#[test]
fn small_spaces_are_what_hand_counting_gives() {
    assert_eq!(garden_sets(1, 1).unwrap().len(), 2);
    assert_eq!(garden_sets(2, 1).unwrap().len(), 0);
    assert_eq!(garden_sets(2, 3).unwrap().len(), 0);
    assert_eq!(garden_sets(3, 2).unwrap().len(), 0);
    assert!(garden_sets(5, 4).is_err());
}

#[test]
fn malformed_permutations_are_refused_with_a_reason() {
    for bad in [
        "1+ 2+", "(1 2+)", "(1+ 1+)", "(0+ 1+)", "(3+ 1+)", "()", "(+1+ 2-)", "(1+ x-)",
    ] {
        let message = bad.parse::<SignedPermutation>().unwrap_err().to_string();
        assert!(message.contains(bad), "{bad}: {message}");
    }
    assert!(SignedPermutation::identity(17).is_err());
    assert!(SignedPermutation::identity(0).is_err());
    assert!(sp("(1+ 2+)").compose(&sp("(1+)")).is_err());
    assert!(GardenMultiplet::new("empty", vec![]).is_err());
    assert!(GardenMultiplet::new("mixed", vec![sp("(1+)"), sp("(1+ 2+)")]).is_err());
    let two = GardenMultiplet::new("two", vec![sp("(1+ 2+)"), sp("(2+ 1-)")]).unwrap();
    assert!(gadget(&two, &chiral()).is_err());
    assert_eq!(gadget(&two, &two).unwrap(), 1);
}

/// Any signed permutation of size d.
fn any(d: usize) -> impl Strategy<Value = SignedPermutation> {
    let columns = Just((0..d).collect::<Vec<usize>>()).prop_shuffle();
    let signs = prop::collection::vec(prop::bool::ANY, d);
    (columns, signs).prop_map(|(c, s)| {
        let s: Vec<i8> = s.iter().map(|&m| if m { -1 } else { 1 }).collect();
        SignedPermutation::new(&c, &s).expect("a shuffled range")
    })
}

fn three() -> impl Strategy<Value = (SignedPermutation, SignedPermutation, SignedPermutation)> {
    (1usize..=16).prop_flat_map(|d| (any(d), any(d), any(d)))
}

proptest! {
    #[test]
    fn group_laws((a, b, c) in three()) {
        let one = SignedPermutation::identity(a.d()).unwrap();
        let mul = |x: &SignedPermutation, y: &SignedPermutation| x.compose(y).unwrap();
        prop_assert_eq!(mul(&mul(&a, &b), &c), mul(&a, &mul(&b, &c)));
        prop_assert_eq!(mul(&a, &one), a);
        prop_assert_eq!(mul(&one, &a), a);
        prop_assert_eq!(mul(&a, &a.inverse()), one);
        prop_assert_eq!(mul(&a.inverse(), &a), one);
        prop_assert_eq!(mul(&a, &b).inverse(), mul(&b.inverse(), &a.inverse()));
        prop_assert_eq!(mul(&-a, &b), -mul(&a, &b));
        prop_assert_eq!(-(-a), a);
    }

    #[test]
    fn composition_is_the_matrix_product((a, b, _) in three()) {
        let (x, y, z) = (a.to_dense(), b.to_dense(), a.compose(&b).unwrap().to_dense());
        let d = a.d();
        for i in 0..d {
            for j in 0..d {
                let sum: i8 = (0..d).map(|k| x[i][k] * y[k][j]).sum();
                prop_assert_eq!(sum, z[i][j]);
            }
        }
    }

    #[test]
    fn trace_and_determinant_behave((a, b, _) in three()) {
        let (ab, ba) = (a.compose(&b).unwrap(), b.compose(&a).unwrap());
        prop_assert_eq!(ab.trace(), ba.trace());
        prop_assert_eq!(ab.determinant(), a.determinant() * b.determinant());
        prop_assert_eq!(a.transpose().trace(), a.trace());
    }

    #[test]
    fn text_round_trips((a, _, _) in three()) {
        prop_assert_eq!(a.to_string().parse::<SignedPermutation>().unwrap(), a);
    }

    #[test]
    fn the_gadget_ignores_relabelling_bosons((a, _, _) in (any(4), any(4), any(4))) {
        // L -> a L leaves R_I L_J = L_I^T L_J as it is.
        let moved = |m: GardenMultiplet| {
            let l = m.l.iter().map(|l| a.compose(l).unwrap()).collect();
            GardenMultiplet::new("moved", l).unwrap()
        };
        prop_assert!(moved(tensor()).check().closes());
        prop_assert_eq!(gadget(&moved(vector()), &tensor()).unwrap(), Ratio::new(-1, 3).unwrap());
    }
}

#[test]
fn everything_shows_itself() {
    use holoscope::show::Show;
    let cm = chiral();
    let h = cm.fermionic_holoraumy().unwrap();
    let g = gadget_matrix(&[chiral(), vector(), tensor()]).unwrap();
    let shown: [&dyn Show; 6] = [
        &cm,
        &cm.l[0],
        &cm.check(),
        &h,
        &h.coefficients().unwrap(),
        &g,
    ];
    for (i, value) in shown.iter().enumerate() {
        let bundle = value.mime_bundle().unwrap();
        assert!(
            !bundle.get("text/plain").unwrap_or_default().is_empty(),
            "{i}"
        );
    }
    let html = g.mime_bundle().unwrap();
    assert!(html.get("text/html").unwrap_or_default().contains("-1/3"));
}
