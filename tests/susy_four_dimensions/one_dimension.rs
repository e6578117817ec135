//! Only d_0 kept: the one-dimensional multiplets of arXiv:1701.00304.

use super::OFF_SHELL;
use holoscope::susy::four_d::FourDMultiplet;
use holoscope::susy::{chiral, gadget, tensor, vector};

#[test]
fn the_off_shell_laws_reduce_to_the_published_l_matrices() {
    let table = [
        (FourDMultiplet::Chiral, chiral()),
        (FourDMultiplet::Vector, vector()),
        (FourDMultiplet::Tensor, tensor()),
    ];
    for (multiplet, one_dimensional) in table {
        let reduced = multiplet.reduce().unwrap();
        assert_eq!(
            reduced.garden().unwrap().l,
            one_dimensional.l,
            "{multiplet}"
        );
        assert!(reduced.check().closes(), "{multiplet}");
        assert_eq!(reduced.chi_0().unwrap(), one_dimensional.chi_0().unwrap());
    }
}

#[test]
fn the_reduced_r_matrices_are_the_transposes() {
    for multiplet in OFF_SHELL {
        let reduced = multiplet.reduce().unwrap();
        for (l, r) in reduced.l.iter().zip(&reduced.r) {
            assert_eq!(*r, l.transpose(), "{multiplet}");
        }
    }
}

#[test]
fn the_gadget_of_reduced_vector_and_tensor_is_minus_a_third() {
    let [v, t] = [FourDMultiplet::Vector, FourDMultiplet::Tensor]
        .map(|m| m.reduce().unwrap().garden().unwrap());
    assert_eq!(gadget(&v, &t).unwrap().to_string(), "-1/3");
}

#[test]
fn the_on_shell_chiral_multiplet_reduces_to_half_an_algebra() {
    let reduced = FourDMultiplet::Chiral.reduce_on_shell().unwrap();
    let check = reduced.check();
    assert_eq!((reduced.l[0].n_rows(), reduced.l[0].n_columns()), (2, 4));
    assert!(check.lr.iter().all(|pair| pair.2 == 0), "{check}");
    assert!(check.rl.iter().any(|pair| pair.2 != 0), "{check}");
    assert_eq!(reduced.chi_0().unwrap(), 0);
    assert!(reduced.garden().is_err());
}

/// Twice the square of 1.1 is 2.42: off by 0.42, which is not zero.
#[test]
fn matrices_that_are_not_integers_do_not_close() {
    for factor in [1.1, f64::NAN] {
        let mut reduced = FourDMultiplet::Chiral.reduce().unwrap();
        reduced.l[0] = reduced.l[0].scaled(factor);
        assert!(!reduced.check().closes(), "{factor}");
        assert!(reduced.chi_0().is_err(), "{factor}");
    }
}

#[test]
fn the_on_shell_chiral_l_is_the_first_two_rows_of_the_off_shell_one() {
    let on_shell = FourDMultiplet::Chiral.reduce_on_shell().unwrap();
    for (l, full) in on_shell.l.iter().zip(chiral().l) {
        for row in 0..2 {
            for column in 0..4 {
                let expected = f64::from(full.entry(row, column));
                assert_eq!(l.entry(row, column), expected.into());
            }
        }
    }
}
