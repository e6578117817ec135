//! Invariance of the Lagrangians up to total derivatives, and their published forms.

use super::{ROUNDING, gap, generic, null, remainder};
use holoscope::susy::four_d::{Complex, ComplexMatrix, FourDMultiplet, METRIC, Orientation, PAIRS};

#[test]
fn the_lagrangians_are_invariant_up_to_total_derivatives() {
    for k in generic().into_iter().chain(null()) {
        for multiplet in FourDMultiplet::ALL {
            let residual = multiplet.non_invariance(&k);
            assert!(residual < ROUNDING, "{multiplet} {k}: {residual:e}");
        }
    }
}

#[test]
fn the_tensor_lagrangian_needs_this_sign_of_epsilon() {
    for k in generic() {
        assert!(FourDMultiplet::Tensor.non_invariance_with(&k, Orientation::Minus) > 0.1);
    }
}

#[test]
fn solutions_solve_the_equations_of_the_lagrangian() {
    for k in null() {
        for multiplet in FourDMultiplet::ALL {
            let (at, form) = (multiplet.at(&k), multiplet.lagrangian(&k));
            for (fields, form) in [(&at.bosons, &form.bosons), (&at.fermions, &form.fermions)] {
                let size = remainder(&[form, &fields.solutions()]);
                assert!(size < ROUNDING, "{multiplet}");
            }
        }
    }
}

/// `(1/2) A box A`, `-(1/4) F^2` and `-(1/2) (d phi)^2 - (1/3) H_amn H^amn`, index by index.
#[test]
fn the_bosonic_forms_are_the_published_lagrangians() {
    for k in generic() {
        let (lower, upper) = (k.lower(), k.upper());
        let square = k.square();
        let scalars = ComplexMatrix::identity(2).scaled(-square);
        assert!(gap(&FourDMultiplet::Chiral.lagrangian(&k).bosons, &scalars) < ROUNDING);

        // -(1/4) F^2 is (1/2) A_m (k^m k^n - k^2 eta^mn) A_n.
        let rows: Vec<Vec<Complex>> = (0..4)
            .map(|m| {
                let eta = |n: usize| if m == n { METRIC[m] } else { 0.0 };
                (0..4)
                    .map(|n| (upper[m] * upper[n] - square * eta(n)).into())
                    .collect()
            })
            .collect();
        let maxwell = ComplexMatrix::from_rows(&rows).unwrap();
        assert!(gap(&FourDMultiplet::Vector.lagrangian(&k).bosons, &maxwell) < ROUNDING);

        // H_amn = d_a B_mn + d_m B_na + d_n B_am; i k at k and -i k at -k multiply to k k.
        let b = |m: usize, n: usize, pair: usize| -> f64 {
            let (p, q) = PAIRS[pair];
            f64::from(u8::from((m, n) == (p, q))) - f64::from(u8::from((m, n) == (q, p)))
        };
        let h = |[a, m, n]: [usize; 3], pair: usize| {
            lower[a] * b(m, n, pair) + lower[m] * b(n, a, pair) + lower[n] * b(a, m, pair)
        };
        let form = FourDMultiplet::Tensor.lagrangian(&k).bosons;
        for i in 0..6 {
            for j in 0..6 {
                let sum: f64 = (0..64)
                    .map(|t| [t / 16, t / 4 % 4, t % 4])
                    .map(|t| h(t, i) * h(t, j) * t.map(|x| METRIC[x]).iter().product::<f64>())
                    .sum();
                let expected = -2.0 / 3.0 * sum;
                assert!((form.entry(1 + i, 1 + j).re - expected).abs() < 1e-13);
            }
        }
    }
}
