//! Closure with auxiliary fields, and the field-equation terms of the commutators.

use super::{I, OFF_SHELL, ROUNDING, SECTORS, gap, generic, integer_null, lowered, times};
use holoscope::susy::Sector;
use holoscope::susy::four_d::{
    Complex, ComplexMatrix, FourDMultiplet, FourMomentum, GammaMatrices, METRIC, Orientation, PAIRS,
};

#[test]
fn with_auxiliaries_the_algebra_closes_at_any_momentum() {
    for k in generic() {
        for multiplet in OFF_SHELL {
            for sector in SECTORS {
                let at = multiplet.off_shell_at(&k).unwrap();
                let residual = at.closure(sector).unwrap();
                assert!(residual < ROUNDING, "{multiplet} {sector}: {residual:e}");
            }
        }
    }
}

#[test]
fn off_shell_closure_is_exact_on_integer_momenta() {
    let k = FourMomentum::new([2.0, -1.0, 3.0, 5.0]).unwrap();
    for multiplet in OFF_SHELL {
        for sector in SECTORS {
            let at = multiplet.off_shell_at(&k).unwrap();
            assert_eq!(at.closure(sector).unwrap(), 0.0, "{multiplet} {sector}");
        }
    }
}

/// The tensor multiplet needs none, on chi exactly; the others do not close without theirs.
#[test]
fn without_auxiliaries_only_the_tensor_multiplet_closes_off_shell() {
    let k = FourMomentum::new([2.0, -1.0, 3.0, 5.0]).unwrap();
    let translation = lowered(&GammaMatrices::majorana().slash(&k));
    for multiplet in OFF_SHELL {
        let at = multiplet.at(&k);
        let mut closes = true;
        for a in 0..4 {
            for b in 0..4 {
                let found = at.anticommutator(Sector::Fermionic, a + 1, b + 1).unwrap();
                let expected = ComplexMatrix::identity(4).scaled(I * 2.0 * translation.entry(a, b));
                closes &= found == expected;
            }
        }
        assert_eq!(closes, multiplet == FourDMultiplet::Tensor, "{multiplet}");
    }
}

#[test]
fn the_off_shell_tensor_multiplet_needs_this_sign_of_epsilon() {
    let k = generic()[0];
    let at = FourDMultiplet::Tensor
        .off_shell_with(&k, Orientation::Minus)
        .unwrap();
    for sector in SECTORS {
        assert!(at.closure(sector).unwrap() > 0.5, "{sector}");
    }
}

/// `(x)_ab y`, the matrix on the index c of a spinor, for given a and b.
fn tensor_term(x: &ComplexMatrix, y: &ComplexMatrix, a: usize, b: usize) -> ComplexMatrix {
    y.scaled(lowered(x).entry(a, b))
}

/// `[D_a, D_b] psi_c = 2i (g5 g^m)_ab (g5)_c^d d_m psi_d - i (g5 g^k)_ab (g5 g_k)_c^d (slash psi)_d`.
#[test]
fn the_chiral_commutator_off_shell_is_the_published_one() {
    let g = GammaMatrices::majorana();
    for k in generic() {
        let at = FourDMultiplet::Chiral.at(&k);
        let slash = g.slash(&k);
        for (a, b) in PAIRS {
            let rotation = times(&[&g.five, &slash]);
            let mut expected = tensor_term(&rotation, &g.five, a, b).scaled(I * 2.0);
            for m in 0..4 {
                let up = times(&[&g.five, &g.upper[m]]);
                let down = times(&[&g.five, &g.lower[m], &slash]);
                let term = tensor_term(&up, &down, a, b).scaled(-I);
                expected = expected.sum(&term).unwrap();
            }
            let found = at.commutator(Sector::Fermionic, a + 1, b + 1).unwrap();
            assert!(gap(&found, &expected) < ROUNDING);
        }
    }
}

/// `-2i (g5 g^m)_ab (g5)_c^d d_m lam_d - i [(3/2) C_ab + (3/2) (g5)_ab g5 - (1/2) (g5 g^k)_ab g5 g_k] slash lam`.
#[test]
fn the_vector_commutator_off_shell_is_the_published_one() {
    let g = GammaMatrices::majorana();
    let one = ComplexMatrix::identity(4);
    for k in generic() {
        let at = FourDMultiplet::Vector.at(&k);
        let slash = g.slash(&k);
        for (a, b) in PAIRS {
            let rotation = times(&[&g.five, &slash]);
            let mut terms = vec![
                tensor_term(&rotation, &g.five, a, b).scaled(I * -2.0),
                tensor_term(&one, &slash, a, b).scaled(I * -1.5),
                tensor_term(&g.five, &times(&[&g.five, &slash]), a, b).scaled(I * -1.5),
            ];
            for m in 0..4 {
                let up = times(&[&g.five, &g.upper[m]]);
                let down = times(&[&g.five, &g.lower[m], &slash]);
                terms.push(tensor_term(&up, &down, a, b).scaled(I * 0.5));
            }
            let (first, rest) = terms.split_first().unwrap();
            let expected = rest.iter().fold(first.clone(), |s, t| s.sum(t).unwrap());
            let found = at.commutator(Sector::Fermionic, a + 1, b + 1).unwrap();
            assert!(gap(&found, &expected) < ROUNDING);
        }
    }
}

/// `[D_a, D_b] A_m = -2 eps_m^nxy (g5 g_n)_ab d_x A_y`, without field equations.
#[test]
fn the_commutator_on_a_vector_potential_is_exact_off_shell() {
    let g = GammaMatrices::majorana();
    let k = FourMomentum::new([2.0, -1.0, 3.0, 5.0]).unwrap();
    let at = FourDMultiplet::Vector.at(&k);
    for (a, b) in PAIRS {
        let axial = |n: usize| lowered(&times(&[&g.five, &g.lower[n]])).entry(a, b);
        let entry = |m: usize, y: usize| {
            (0..16)
                .map(|t| (t / 4, t % 4))
                .map(|(n, x)| {
                    let epsilon = f64::from(Orientation::Plus.epsilon([m, n, x, y]));
                    let raised = epsilon * METRIC[n] * METRIC[x] * METRIC[y];
                    axial(n) * k.derivative(x) * (-2.0 * raised)
                })
                .fold(Complex::ZERO, |sum, z| sum + z)
        };
        let rows: Vec<Vec<Complex>> = (0..4)
            .map(|m| (0..4).map(|y| entry(m, y)).collect())
            .collect();
        let found = at.commutator(Sector::Bosonic, a + 1, b + 1).unwrap();
        assert_eq!(found, ComplexMatrix::from_rows(&rows).unwrap());
    }
}

/// Chiral and vector from the paper; axial and tensor were computed here.
#[test]
fn the_fitted_field_equation_terms_are_the_published_ones() {
    let table = [
        (FourDMultiplet::Chiral, [1.0, 0.0, 0.0, 1.0]),
        (FourDMultiplet::Vector, [-1.0, 1.5, 1.5, -0.5]),
        (FourDMultiplet::AxialVector, [-1.0, -1.5, -1.5, -0.5]),
        (FourDMultiplet::Tensor, [1.0, -2.0, 2.0, 0.0]),
    ];
    for (multiplet, expected) in table {
        for k in generic() {
            let t = multiplet.field_equation_terms(&k).unwrap();
            let found = [t.charge, t.scalar, t.pseudoscalar, t.axial];
            for (x, y) in found.iter().zip(expected) {
                assert!((x - y).abs() < 1e-13, "{t:?}");
            }
            assert!(t.residual < ROUNDING, "{t:?}");
        }
    }
}

/// `lam = -i g5 lam~` turns the laws of AVS into those of VS.
#[test]
fn the_axial_vector_multiplet_is_the_vector_multiplet_rotated() {
    let i_five = GammaMatrices::majorana().i_five();
    let k = integer_null();
    let (vs, avs) = (
        FourDMultiplet::Vector.at(&k),
        FourDMultiplet::AxialVector.at(&k),
    );
    for a in 0..4 {
        assert_eq!(avs.l[a], times(&[&vs.l[a], &i_five]).scaled(-1.0));
        assert_eq!(avs.r[a], times(&[&i_five, &vs.r[a]]));
    }
}
