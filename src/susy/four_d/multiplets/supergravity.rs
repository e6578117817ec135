//! The supergravity multiplet SG (h_mn; psi_ma), spins 2 and 3/2:
//! `D_a h_mn = (1/2) ((g_m)_a^b psi_nb + (g_n)_a^b psi_mb)`, `D_a psi_mb = -(i/2) ([g^x, g^y])_ab d_x h_ym`.
//! Source: arXiv:1906.02971; W is the linearised Riemann tensor.

use super::gravitino;
use super::laws::Laws;
use crate::susy::four_d::algebra::{METRIC, PAIRS, metric};
use crate::susy::four_d::lagrangian::Lagrangian;
use crate::susy::four_d::{
    Complex, ComplexMatrix, FieldSector, FourMomentum, GammaMatrices, MultipletAtMomentum,
    Orientation,
};

/// The ten components h_mn, m <= n.
const COMPONENTS: [(usize, usize); 10] = [
    (0, 0),
    (0, 1),
    (0, 2),
    (0, 3),
    (1, 1),
    (1, 2),
    (1, 3),
    (2, 2),
    (2, 3),
    (3, 3),
];

/// The number of the component h_mn = h_nm.
fn component(m: usize, n: usize) -> usize {
    let wanted = (m.min(n), m.max(n));
    // All sixteen pairs are covered, so the search never falls through.
    COMPONENTS.iter().position(|&c| c == wanted).unwrap_or(0)
}

fn laws(k: &FourMomentum, g: &GammaMatrices) -> Laws {
    let mut laws = Laws::new(10, 16);
    for (row, &(m, n)) in COMPONENTS.iter().enumerate() {
        laws.boson(row, 0.5.into(), &g.lower[m], n);
        laws.boson(row, 0.5.into(), &g.lower[n], m);
    }
    for m in 0..4 {
        for x in 0..4 {
            for y in (0..4).filter(|&y| y != x) {
                let factor = Complex::I * -0.5 * k.derivative(x);
                let product = g.lowered(&g.commutator(x, y));
                laws.fermion(m, factor, &product, component(y, m));
            }
        }
    }
    laws
}

/// `R_mnrs = (1/2) (d_n d_r h_ms + d_m d_s h_nr - d_m d_r h_ns - d_n d_s h_mr)`, `[6 * 6, 10]`.
fn riemann(k: &FourMomentum) -> ComplexMatrix {
    let mut out = ComplexMatrix::zeros(36, 10);
    for (i, &(m, n)) in PAIRS.iter().enumerate() {
        for (j, &(r, s)) in PAIRS.iter().enumerate() {
            let terms = [
                (n, r, m, s, 0.5),
                (m, s, n, r, 0.5),
                (m, r, n, s, -0.5),
                (n, s, m, r, -0.5),
            ];
            for (p, q, u, v, factor) in terms {
                let value = k.derivative(p) * k.derivative(q) * factor;
                out.add_to(6 * i + j, component(u, v), value);
            }
        }
    }
    out
}

/// `2 R_mn = k^2 h_mn - k_m k^r h_rn - k_n k^r h_rm + k_m k_n h`, the rows (m, n) being all sixteen
/// pairs in order: `[16, 10]`.
fn ricci(k: &FourMomentum) -> ComplexMatrix {
    let (lower, upper) = (k.lower(), k.upper());
    let mut out = ComplexMatrix::zeros(16, 10);
    for m in 0..4 {
        for n in 0..4 {
            let row = 4 * m + n;
            out.add_to(row, component(m, n), k.square().into());
            for r in 0..4 {
                out.add_to(row, component(r, n), (-lower[m] * upper[r]).into());
                out.add_to(row, component(r, m), (-lower[n] * upper[r]).into());
                out.add_to(
                    row,
                    component(r, r),
                    (lower[m] * lower[n] * METRIC[r]).into(),
                );
            }
        }
    }
    out
}

/// h_mn, up to `d_m x_n + d_n x_m`; the linearised Einstein equations `R_mn = 0`.
fn graviton(k: &FourMomentum, orientation: Orientation) -> FieldSector {
    let mut gauge = ComplexMatrix::zeros(10, 4);
    for (row, &(m, n)) in COMPONENTS.iter().enumerate() {
        gauge.add_to(row, n, k.derivative(m));
        gauge.add_to(row, m, k.derivative(n));
    }
    FieldSector {
        components: COMPONENTS
            .iter()
            .map(|(m, n)| format!("h_{m}{n}"))
            .collect(),
        equations: ricci(k),
        gauge,
        strength_name: "R_mnrs",
        strength: riemann(k),
        rotation_name: "* on mn",
        rotation: orientation.star().kronecker(&ComplexMatrix::identity(6)),
    }
}

pub(super) fn on_shell(
    k: &FourMomentum,
    g: &GammaMatrices,
    orientation: Orientation,
) -> MultipletAtMomentum {
    let bosons = graviton(k, orientation);
    MultipletAtMomentum::new(*k, laws(k, g), bosons, gravitino::sector(k, g))
}

/// Fierz and Pauli's `-h^mn (R_mn - (1/2) eta_mn R) + (i/2) psi_m g^mns d_n psi_s`.
pub(super) fn lagrangian(k: &FourMomentum, g: &GammaMatrices) -> Lagrangian {
    let ricci = ricci(k); // twice R_mn: [16, 10]
    let eta = ComplexMatrix::from_entries(16, 1, |i, _| metric().entry(i / 4, i % 4));
    let trace = eta.transpose().times(&ricci); // [1, 10]
    let einstein = ricci.minus(&eta.times(&trace).scaled(0.5));
    let raised = metric().kronecker(&metric()).times(&einstein).scaled(-1.0);
    // h_mn stands for the entries (m, n) and (n, m) of the symmetric tensor.
    let fold = ComplexMatrix::from_entries(10, 16, |c, i| {
        if component(i / 4, i % 4) == c {
            Complex::ONE
        } else {
            Complex::ZERO
        }
    });
    Lagrangian {
        bosons: fold.times(&raised),
        fermions: gravitino::action(k, g),
    }
}
