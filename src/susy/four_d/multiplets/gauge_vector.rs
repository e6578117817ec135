//! A gauge vector: Maxwell's equations `d^m F_mn = 0`; W = F_mn, J = *.
//! Lagrangian `-(1/4) F_mn F^mn`.
//! Source: arXiv:1906.02971.

use crate::susy::four_d::algebra::{curl, gradient, two_form_metric};
use crate::susy::four_d::{ComplexMatrix, FieldSector, FourMomentum, Orientation};

/// The vector `name`, components 0 to 3.
pub(super) fn sector(name: &str, k: &FourMomentum, orientation: Orientation) -> FieldSector {
    let (lower, upper) = (k.lower(), k.upper());
    // -d^m F_mn = k^2 A_n - k_n k^m A_m  [4, 4]
    let maxwell = ComplexMatrix::from_entries(4, 4, |n, m| {
        let wave = if m == n { k.square() } else { 0.0 };
        (wave - lower[n] * upper[m]).into()
    });
    FieldSector {
        components: (0..4).map(|m| format!("{name}_{m}")).collect(),
        equations: maxwell,
        gauge: gradient(k),
        strength_name: "F_mn",
        strength: curl(k),
        rotation_name: "*",
        rotation: orientation.star(),
    }
}

/// The quadratic form of `-(1/4) F_mn F^mn`, `[4, 4]`.
pub(super) fn action(k: &FourMomentum) -> ComplexMatrix {
    // The form is twice the Lagrangian, and each pair m < n stands for two terms: -1.
    let raised = two_form_metric().times(&curl(k)).scaled(-1.0);
    curl(&k.reversed()).transpose().times(&raised)
}
