//! The gamma matrices and the Hodge star, exactly.

use super::{I, commutator, lowered, times};
use holoscope::susy::four_d::{Complex, ComplexMatrix, GammaMatrices, METRIC, Orientation, PAIRS};

#[test]
fn gamma_matrices_satisfy_the_clifford_relation() {
    let g = GammaMatrices::majorana().upper;
    for m in 0..4 {
        for n in 0..4 {
            let sum = times(&[&g[m], &g[n]]).sum(&times(&[&g[n], &g[m]])).unwrap();
            let eta = if m == n { METRIC[m] } else { 0.0 };
            assert_eq!(sum, ComplexMatrix::identity(4).scaled(2.0 * eta), "{m} {n}");
        }
    }
}

#[test]
fn gamma_matrices_are_real_and_g5_is_imaginary() {
    let g = GammaMatrices::majorana();
    let entries =
        |m: &ComplexMatrix| -> Vec<Complex> { (0..16).map(|k| m.entry(k / 4, k % 4)).collect() };
    for m in g.upper.iter().chain([&g.charge_conjugation]) {
        assert!(entries(m).iter().all(|z| z.im == 0.0), "{m}");
    }
    assert!(entries(&g.five).iter().all(|z| z.re == 0.0));
}

/// `g5 = -s1 x s2` and `C = -i s3 x s2`, written out by hand.
#[test]
fn g5_and_c_are_the_published_ones() {
    let g = GammaMatrices::majorana();
    let from = |rows: [[i32; 4]; 4], factor: Complex| {
        let rows = rows.map(|r| r.map(|x| factor * f64::from(x)).to_vec());
        ComplexMatrix::from_rows(&rows).unwrap()
    };
    let five = [[0, 0, 0, 1], [0, 0, -1, 0], [0, 1, 0, 0], [-1, 0, 0, 0]];
    let c = [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, -1, 0]];
    assert_eq!(g.five, from(five, I));
    assert_eq!(g.charge_conjugation, from(c, Complex::ONE));
}

#[test]
fn lowered_matrices_have_the_stated_symmetry() {
    let g = GammaMatrices::majorana();
    let mut table = vec![
        ("C", g.charge_conjugation.clone(), -1.0),
        ("g5 C", lowered(&g.five), -1.0),
    ];
    for m in 0..4 {
        table.push(("g5 g^m C", lowered(&times(&[&g.five, &g.upper[m]])), -1.0));
        table.push(("g^m C", lowered(&g.upper[m]), 1.0));
    }
    for (m, n) in PAIRS {
        let c = commutator(&g.upper[m], &g.upper[n]);
        table.push(("[g^m, g^n] C", lowered(&c), 1.0));
    }
    for (name, matrix, sign) in table {
        assert_eq!(matrix.transpose(), matrix.scaled(sign), "{name}");
        assert!(matrix.norm_sqr() > 0.0, "{name}");
    }
}

#[test]
fn the_star_is_a_rotation_by_a_right_angle_for_either_orientation() {
    assert_eq!(Orientation::Plus.epsilon([0, 1, 2, 3]), 1);
    assert_eq!(Orientation::Plus.epsilon([1, 0, 2, 3]), -1);
    assert_eq!(Orientation::Plus.epsilon([1, 1, 2, 3]), 0);
    for orientation in [Orientation::Plus, Orientation::Minus] {
        let star = orientation.star();
        assert_eq!(
            times(&[&star, &star]),
            ComplexMatrix::identity(6).scaled(-1.0)
        );
    }
    assert_eq!(
        Orientation::Minus.star(),
        Orientation::Plus.star().scaled(-1.0)
    );
}
