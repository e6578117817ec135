//! Closure, duality charges, states and self-duality on null momenta.

use super::{I, ROUNDING, SECTORS, gap, generic, integer_null, lowered, null, remainder, times};
use holoscope::susy::Sector;
use holoscope::susy::four_d::{
    Complex, ComplexMatrix, FourDMultiplet, FourMomentum, Frequency, GammaMatrices,
    MultipletAtMomentum, Orientation, holoraumy_charges, holoraumy_charges_with,
};
use proptest::prelude::*;

#[test]
fn every_multiplet_closes_on_shell_up_to_gauge() {
    for k in null() {
        for multiplet in FourDMultiplet::ALL {
            for sector in SECTORS {
                let residual = multiplet.at(&k).closure(sector).unwrap();
                assert!(
                    residual < ROUNDING,
                    "{multiplet} {sector} {k}: {residual:e}"
                );
            }
        }
    }
}

/// Bosons, fermions; from the table of arXiv:1906.02971.
const CHARGES: [(FourDMultiplet, [i32; 2]); 6] = [
    (FourDMultiplet::Chiral, [1, 1]),
    (FourDMultiplet::Vector, [1, -1]),
    (FourDMultiplet::AxialVector, [1, -1]),
    (FourDMultiplet::Tensor, [1, 1]),
    (FourDMultiplet::MatterGravitino, [-1, 1]),
    (FourDMultiplet::Supergravity, [1, -1]),
];

#[test]
fn the_twelve_charges_are_the_published_ones() {
    let found = holoraumy_charges(&null()).unwrap();
    let rows: Vec<_> = found
        .rows
        .iter()
        .map(|r| (r.multiplet, r.sector, r.charge))
        .collect();
    let published: Vec<_> = CHARGES
        .iter()
        .flat_map(|(m, [b, f])| [(*m, Sector::Bosonic, *b), (*m, Sector::Fermionic, *f)])
        .collect();
    assert_eq!(rows, published);
}

#[test]
fn holoraumy_is_a_duality_rotation_to_machine_precision() {
    let found = holoraumy_charges(&null()).unwrap();
    for row in &found.rows {
        assert!(row.residual() < ROUNDING, "{row:?}");
        assert!(
            (row.fitted - f64::from(row.charge)).abs() < ROUNDING,
            "{row:?}"
        );
        assert_eq!(row.square_residual, 0.0, "J^2 = -1 exactly: {row:?}");
        let other = row.residual_plus.max(row.residual_minus);
        assert!((other - 2.0).abs() < ROUNDING, "{row:?}");
    }
}

#[test]
fn each_frequency_alone_gives_the_same_charges() {
    let all = null();
    for negative in [false, true] {
        let half: Vec<FourMomentum> = all
            .iter()
            .copied()
            .filter(|k| (k.lower()[0] > 0.0) == negative)
            .collect();
        assert_eq!(half.len(), 6);
        let charges = holoraumy_charges(&half).unwrap();
        let found: Vec<i32> = charges.rows.iter().map(|r| r.charge).collect();
        assert_eq!(found, CHARGES.map(|(_, q)| q).concat());
    }
}

#[test]
fn with_the_other_sign_of_epsilon_the_bosonic_identities_fail() {
    let wrong = holoraumy_charges_with(&null(), Orientation::Minus).unwrap();
    for row in wrong.rows.iter().filter(|r| r.sector == Sector::Bosonic) {
        let published = CHARGES.iter().find(|c| c.0 == row.multiplet).unwrap().1[0];
        let residual = if published == 1 {
            row.residual_plus
        } else {
            row.residual_minus
        };
        match row.multiplet {
            // No epsilon in its laws nor in its J.
            FourDMultiplet::Chiral => assert!(residual < ROUNDING, "{row:?}"),
            _ => assert!(residual > 0.5, "{row:?}"),
        }
    }
}

#[test]
fn with_the_other_sign_of_epsilon_the_tensor_multiplet_neither_closes_nor_rotates() {
    let wrong = holoraumy_charges_with(&null(), Orientation::Minus).unwrap();
    let rows = wrong.rows.iter();
    for row in rows.filter(|r| r.multiplet == FourDMultiplet::Tensor) {
        assert_eq!(row.charge, 0, "{row:?}");
        assert!(row.residual() > 0.5 && row.closure > 0.5, "{row:?}");
    }
}

#[test]
fn every_sector_has_two_gauge_invariant_states() {
    for k in null() {
        for multiplet in FourDMultiplet::ALL {
            let at = multiplet.at(&k);
            for sector in SECTORS {
                let fields = at.sector(sector);
                assert_eq!(fields.n_states(), 2, "{multiplet} {sector}");
                // Counted the other way: solutions less pure gauge.
                let pure = fields.gauge.rank();
                assert_eq!(fields.solutions().n_columns(), 2 + pure);
            }
        }
    }
}

#[test]
fn strengths_and_field_equations_ignore_pure_gauge() {
    for k in null().into_iter().chain(generic()) {
        for multiplet in FourDMultiplet::ALL {
            let at = multiplet.at(&k);
            for fields in [&at.bosons, &at.fermions] {
                for map in [&fields.strength, &fields.equations] {
                    let size = remainder(&[map, &fields.gauge]);
                    assert!(size < ROUNDING, "{multiplet} {k}");
                }
            }
        }
    }
}

/// The maps that take the fields of one sector to the variations of the other.
fn variations(at: &MultipletAtMomentum, of: Sector) -> &[ComplexMatrix; 4] {
    match of {
        Sector::Bosonic => &at.l,
        Sector::Fermionic => &at.r,
    }
}

#[test]
fn supersymmetry_carries_solutions_to_solutions() {
    for k in null() {
        for multiplet in FourDMultiplet::ALL {
            let at = multiplet.at(&k);
            for (of, from) in [(SECTORS[0], SECTORS[1]), (SECTORS[1], SECTORS[0])] {
                for d in variations(&at, of) {
                    let size =
                        remainder(&[&at.sector(of).equations, d, &at.sector(from).solutions()]);
                    assert!(size < ROUNDING, "{multiplet} {of}");
                }
            }
        }
    }
}

#[test]
fn supersymmetry_carries_pure_gauge_to_pure_gauge() {
    for k in generic() {
        for multiplet in FourDMultiplet::ALL {
            let at = multiplet.at(&k);
            for (of, from) in [(SECTORS[0], SECTORS[1]), (SECTORS[1], SECTORS[0])] {
                for d in variations(&at, of) {
                    let size = remainder(&[&at.sector(of).strength, d, &at.sector(from).gauge]);
                    assert!(size < ROUNDING, "{multiplet} {of}");
                }
            }
        }
    }
}

/// `*psi_mn = i g5 psi_mn` on every solution.
#[test]
fn the_gravitino_field_strength_is_self_dual() {
    let one = ComplexMatrix::identity(4);
    let i_five = ComplexMatrix::identity(6).kronecker(&GammaMatrices::majorana().i_five());
    for k in null() {
        for multiplet in [
            FourDMultiplet::MatterGravitino,
            FourDMultiplet::Supergravity,
        ] {
            let fields = multiplet.at(&k).fermions;
            let curl = times(&[&fields.strength, &fields.solutions()]);
            let rotated = times(&[&i_five, &curl]);
            for (orientation, expected) in [(Orientation::Plus, 0.0), (Orientation::Minus, 2.0)] {
                let dual = times(&[&orientation.star().kronecker(&one), &curl]);
                assert!((gap(&dual, &rotated) - expected).abs() < ROUNDING);
            }
        }
    }
}

/// Without any rounding: integer polarisations on an integer null momentum.
#[test]
fn closure_and_holoraumy_hold_exactly_in_gaussian_integers() {
    let k = integer_null();
    let g = GammaMatrices::majorana();
    let slash = g.slash(&k);
    let real = |v: Vec<f64>| v.into_iter().map(Complex::from).collect::<Vec<_>>();
    let polarisations = [[0.0, 2.0, -2.0, 1.0], [0.0, 2.0, 1.0, -2.0]];
    let vectors = ComplexMatrix::from_rows(&polarisations.map(|e| real(e.to_vec())))
        .unwrap()
        .transpose();
    let [e, f] = polarisations;
    let graviton = |h: &dyn Fn(usize, usize) -> f64| -> Vec<Complex> {
        real((0..4).flat_map(|m| (m..4).map(move |n| h(m, n))).collect())
    };
    let gravitons = ComplexMatrix::from_rows(&[
        graviton(&|m, n| e[m] * e[n] - f[m] * f[n]),
        graviton(&|m, n| e[m] * f[n] + f[m] * e[n]),
    ])
    .unwrap()
    .transpose();
    let scalars = ComplexMatrix::identity(2);
    use FourDMultiplet::*;
    // The slash of anything solves the Dirac equation, for its square is k^2 = 0.
    let table = [
        (Chiral, Sector::Bosonic, &scalars, 1.0),
        (Chiral, Sector::Fermionic, &slash, 1.0),
        (Vector, Sector::Bosonic, &vectors, 1.0),
        (Vector, Sector::Fermionic, &slash, -1.0),
        (AxialVector, Sector::Bosonic, &vectors, 1.0),
        (AxialVector, Sector::Fermionic, &slash, -1.0),
        (Tensor, Sector::Fermionic, &slash, 1.0),
        (MatterGravitino, Sector::Bosonic, &vectors, -1.0),
        (Supergravity, Sector::Bosonic, &gravitons, 1.0),
    ];
    for (multiplet, sector, fields, q) in table {
        let at = multiplet.at(&k);
        let s = at.sector(sector);
        let w = times(&[&s.strength, fields]);
        let jw = times(&[&s.rotation, &w]);
        assert!(w.norm_sqr() > 0.0);
        for a in 0..4 {
            for b in 0..4 {
                let plus = at.anticommutator(sector, a + 1, b + 1).unwrap();
                let translation = lowered(&slash).entry(a, b);
                assert_eq!(
                    times(&[&s.strength, &plus, fields]),
                    w.scaled(I * 2.0 * translation),
                    "{multiplet} {sector}"
                );
                let minus = at.commutator(sector, a + 1, b + 1).unwrap();
                let axial = lowered(&times(&[&g.five, &slash])).entry(a, b);
                assert_eq!(
                    times(&[&s.strength, &minus, fields]),
                    jw.scaled(axial * (2.0 * q)),
                    "{multiplet} {sector}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn charges_do_not_depend_on_direction_or_size(
        direction in prop::array::uniform3(-1.0f64..1.0),
        exponent in -6i32..=6,
        negative: bool,
    ) {
        prop_assume!(direction.iter().map(|x| x * x).sum::<f64>() > 1e-6);
        let frequency = if negative { Frequency::Negative } else { Frequency::Positive };
        let scaled = direction.map(|x| x * 10f64.powi(exponent));
        let k = FourMomentum::null(scaled, frequency).unwrap();
        let found = holoraumy_charges(&[k]).unwrap();
        for (row, expected) in found.rows.iter().zip(CHARGES.map(|(_, q)| q).concat()) {
            prop_assert_eq!(row.charge, expected);
            prop_assert!(row.residual() < ROUNDING && row.closure < ROUNDING, "{:?}", row);
            prop_assert_eq!(row.n_states, 2);
        }
    }
}
