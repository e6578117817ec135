//! What a notebook meets: errors with reasons, values that show themselves, exported names.

use super::{I, gap, generic};
use holoscope::susy::four_d::{
    Complex, ComplexMatrix, FourDMultiplet, FourMomentum, Frequency, GammaMatrices,
    holoraumy_charges, null_momenta,
};
use holoscope::susy::{self, Sector};
use proptest::prelude::*;

#[test]
fn bad_input_is_refused_with_a_reason() {
    let massive = FourMomentum::new([1.0, 0.0, 0.0, 0.5]).unwrap();
    let at = FourDMultiplet::Vector.at(&massive);
    let one = ComplexMatrix::identity(4);
    let table = [
        (FourMomentum::new([0.0; 4]).map(drop), "finite"),
        (
            FourMomentum::new([f64::NAN, 0.0, 0.0, 1.0]).map(drop),
            "finite",
        ),
        (FourMomentum::new([1e200, 0.0, 0.0, 0.0]).map(drop), "1e30"),
        (
            FourMomentum::null([0.0; 3], Frequency::Negative).map(drop),
            "finite",
        ),
        (null_momenta(0, 0).map(drop), "at least 1"),
        (at.closure(Sector::Bosonic).map(drop), "must be null"),
        (holoraumy_charges(&[massive]).map(drop), "must be null"),
        (holoraumy_charges(&[]).map(drop), "at least one"),
        (at.commutator(Sector::Bosonic, 0, 1).map(drop), "1 to 4"),
        (
            at.anticommutator(Sector::Fermionic, 1, 5).map(drop),
            "1 to 4",
        ),
        (
            FourDMultiplet::Supergravity
                .off_shell_at(&massive)
                .map(drop),
            "SG",
        ),
        (FourDMultiplet::MatterGravitino.reduce().map(drop), "MGM"),
        (
            FourDMultiplet::Supergravity.reduce_on_shell().map(drop),
            "SG",
        ),
        (
            FourDMultiplet::Supergravity
                .field_equation_terms(&massive)
                .map(drop),
            "gravitino",
        ),
        (one.product(&ComplexMatrix::identity(3)).map(drop), "shape"),
        (one.sum(&ComplexMatrix::identity(3)).map(drop), "shape"),
        (
            ComplexMatrix::from_rows(&[vec![I], vec![]]).map(drop),
            "shape",
        ),
    ];
    for (result, part) in table {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(part), "{message} lacks {part}");
    }
}

#[test]
fn everything_shows_itself() {
    use holoscope::show::Show;
    let charges = holoraumy_charges(&null_momenta(1, 0).unwrap()).unwrap();
    let gamma = GammaMatrices::majorana();
    let reduced = FourDMultiplet::Chiral.reduce().unwrap();
    let terms = FourDMultiplet::Chiral
        .field_equation_terms(&generic()[0])
        .unwrap();
    let shown: [(&dyn Show, &str); 5] = [
        (&charges, "d_[m psi_n]"),
        (&gamma, "g5"),
        (&gamma.five, "-i"),
        (&reduced, "A, B, F, G"),
        (&terms, "Q = +1"),
    ];
    for (value, part) in shown {
        let bundle = value.mime_bundle().unwrap();
        let text = bundle.get("text/plain").unwrap_or_default();
        assert!(text.contains(part), "{text}");
    }
    let html = charges.mime_bundle().unwrap();
    let html = html.get("text/html").unwrap_or_default();
    assert!(html.contains("MGM") && html.contains("+1"), "{html}");
}

#[test]
fn the_notebook_names_are_exported_from_susy() {
    let momenta = susy::null_momenta(1, 7).unwrap();
    let charges: susy::HoloraumyCharges = susy::holoraumy_charges(&momenta).unwrap();
    assert_eq!((charges.n_momenta, charges.rows.len()), (2, 12));
}

proptest! {
    #[test]
    fn null_spaces_are_what_the_matrix_sends_to_zero(
        entries in prop::collection::vec((-3i32..=3, -3i32..=3), 15),
    ) {
        let rows: Vec<Vec<Complex>> = entries
            .chunks(5)
            .map(|r| r.iter().map(|&(x, y)| Complex::new(x.into(), y.into())).collect())
            .collect();
        let m = ComplexMatrix::from_rows(&rows).unwrap(); // [3, 5]
        let null = m.null_space();
        prop_assert_eq!(m.rank() + null.n_columns(), 5);
        let image = m.product(&null).unwrap();
        prop_assert!(image.norm_sqr().sqrt() < 1e-13);
        let gram = null.adjoint().product(&null).unwrap();
        prop_assert!(gap(&gram, &ComplexMatrix::identity(null.n_columns())) < 1e-13);
    }
}
