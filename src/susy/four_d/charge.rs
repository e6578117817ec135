//! Holoraumy on shell is an electromagnetic-duality rotation: its charge, found for each multiplet.
//! `[D_a, D_b] W = 2 Q (g5 g^m)_ab d_m (J W)`, `J^2 = -1`, `Q = +1` or `-1`.
//! Source: arXiv:1906.02971, equation (1.4) and section 3.

use super::closure::Gap;
use super::{
    Complex, ComplexMatrix, FourDMultiplet, FourMomentum, GammaMatrices, MultipletAtMomentum,
    Orientation,
};
use crate::error::{Error, Result};
use crate::show::{MimeBundle, Show, Table, shows_itself};
use crate::susy::Sector;
use polars::prelude::df;
use std::fmt;

/// A relative residual below this is rounding: identities that fail do so by about 1.
const IDENTITY_HOLDS: f64 = 1e-9;

/// The charge of one sector of one multiplet, and how well the identities hold.
#[derive(Debug, Clone, PartialEq)]
pub struct HoloraumyCharge {
    pub multiplet: FourDMultiplet,
    pub sector: Sector,
    /// The field strength W, for example "F_mn".
    pub strength: String,
    /// The duality rotation J, for example "*".
    pub rotation: String,
    /// The Q that fits best, by least squares over all momenta, solutions, a and b.
    pub fitted: f64,
    /// +1 or -1, whichever satisfies the identity; 0 where neither does.
    pub charge: i32,
    /// Relative residual of the holoraumy identity with Q = +1; the largest over the momenta.
    pub residual_plus: f64,
    /// The same with Q = -1.
    pub residual_minus: f64,
    /// Relative residual of `{D_a, D_b} W = 2i (g^m)_ab d_m W`; the largest over the momenta.
    pub closure: f64,
    /// `|(J^2 + 1) W| / |W|`; the largest over the momenta.
    pub square_residual: f64,
    /// Gauge-invariant states a momentum, counted at the first one.
    pub n_states: usize,
}

impl HoloraumyCharge {
    /// The residual of the better charge.
    pub fn residual(&self) -> f64 {
        self.residual_plus.min(self.residual_minus)
    }
}

/// The twelve charges of the six multiplets.
#[derive(Debug, Clone, PartialEq)]
pub struct HoloraumyCharges {
    /// On how many null momenta the identities were tested.
    pub n_momenta: usize,
    /// The sign of `eps_0123`.
    pub orientation: Orientation,
    /// Bosons, then fermions, of each multiplet in the paper's order.
    pub rows: Vec<HoloraumyCharge>,
}

/// Finds the charges of all six multiplets on some null momenta.
///
/// ```
/// use holoscope::susy::four_d::{holoraumy_charges, null_momenta};
/// let charges = holoraumy_charges(&null_momenta(2, 0)?)?;
/// let signs: Vec<i32> = charges.rows.iter().map(|row| row.charge).collect();
/// assert_eq!(signs, [1, 1, 1, -1, 1, -1, 1, 1, -1, 1, 1, -1]);
/// assert!(charges.rows.iter().all(|row| row.residual() < 1e-14));
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// No momentum, or one that is not null.
pub fn holoraumy_charges(momenta: &[FourMomentum]) -> Result<HoloraumyCharges> {
    holoraumy_charges_with(momenta, Orientation::Plus)
}

/// As [`holoraumy_charges`], for a sign of `eps_0123`; errors as there.
pub fn holoraumy_charges_with(
    momenta: &[FourMomentum],
    orientation: Orientation,
) -> Result<HoloraumyCharges> {
    let mut rows = Vec::new();
    for multiplet in FourDMultiplet::ALL {
        let at: Vec<MultipletAtMomentum> = momenta
            .iter()
            .map(|k| multiplet.at_with(k, orientation))
            .collect();
        for sector in [Sector::Bosonic, Sector::Fermionic] {
            rows.push(charge_of(multiplet, sector, &at)?);
        }
    }
    Ok(HoloraumyCharges {
        n_momenta: momenta.len(),
        orientation,
        rows,
    })
}

/// The charge of one sector, from the multiplet at each momentum.
fn charge_of(
    multiplet: FourDMultiplet,
    sector: Sector,
    at: &[MultipletAtMomentum],
) -> Result<HoloraumyCharge> {
    let Some(first) = at.first().map(|m| m.sector(sector)) else {
        return Err(Error::argument("momenta", "[]", "needs at least one"));
    };
    let sides: Vec<Sides> = at
        .iter()
        .map(|m| Sides::of(m, sector))
        .collect::<Result<_>>()?;
    // Q minimises sum |found - Q unit|^2.
    let along: f64 = sides.iter().map(Sides::along).sum();
    let size: f64 = sides.iter().map(Sides::size).sum();
    let fitted = along / size;
    let worst = |q: i32| largest(sides.iter().map(|s| s.residual(q)));
    let (residual_plus, residual_minus) = (worst(1), worst(-1));
    let charge = match (
        residual_plus < IDENTITY_HOLDS,
        residual_minus < IDENTITY_HOLDS,
    ) {
        (true, false) => 1,
        (false, true) => -1,
        _ => 0,
    };
    let closures: Vec<f64> = at
        .iter()
        .map(|m| m.closure(sector))
        .collect::<Result<_>>()?;
    Ok(HoloraumyCharge {
        multiplet,
        sector,
        strength: first.strength_name.to_owned(),
        rotation: first.rotation_name.to_owned(),
        fitted,
        charge,
        residual_plus,
        residual_minus,
        closure: largest(closures.into_iter()),
        square_residual: largest(sides.iter().map(|s| s.square_residual)),
        n_states: first.n_states(),
    })
}

/// The largest value; NaN if there is one, so that nothing that failed looks like 0.
fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(
        0.0,
        |most: f64, x| {
            if most.is_nan() || x <= most { most } else { x }
        },
    )
}

/// Both sides of the identity at one momentum, for each a < b, on a basis of the solutions.
struct Sides {
    /// `[D_a, D_b] W`.
    found: Vec<ComplexMatrix>,
    /// `2 (g5 g^m)_ab d_m (J W)`, the right side for Q = 1.
    unit: Vec<ComplexMatrix>,
    /// `|(J^2 + 1) W| / |W|`.
    square_residual: f64,
}

impl Sides {
    fn of(at: &MultipletAtMomentum, sector: Sector) -> Result<Self> {
        let solutions = at.solutions(sector)?;
        let fields = at.sector(sector);
        let w = fields.strength.times(&solutions); // [n_strengths, n_solutions]
        let rotated = fields.rotation.times(&w);
        let g = GammaMatrices::majorana();
        let axial = g.lowered(&g.five.times(&g.slash(&at.momentum))); // (g5 g^m)_ab d_m
        let (mut found, mut unit) = (Vec::new(), Vec::new());
        for a in 0..4 {
            for b in a + 1..4 {
                let twice = at.d_d(sector, a, b).minus(&at.d_d(sector, b, a));
                found.push(fields.strength.times(&twice).times(&solutions));
                unit.push(rotated.scaled(Complex::from(2.0) * axial.entry(a, b)));
            }
        }
        let mut gap = Gap::default();
        gap.add(&fields.rotation.times(&rotated), &w.scaled(-1.0));
        Ok(Self {
            found,
            unit,
            square_residual: gap.relative(),
        })
    }

    /// Sum of `Re conj(unit) found`.
    fn along(&self) -> f64 {
        let pairs = self.unit.iter().zip(&self.found);
        pairs.map(|(u, f)| u.overlap(f).re).sum()
    }

    /// Sum of `|unit|^2`.
    fn size(&self) -> f64 {
        self.unit.iter().map(ComplexMatrix::norm_sqr).sum()
    }

    /// `|found - q unit| / |unit|`.
    fn residual(&self, q: i32) -> f64 {
        let mut gap = Gap::default();
        for (found, unit) in self.found.iter().zip(&self.unit) {
            gap.add(found, &unit.scaled(f64::from(q)));
        }
        gap.relative()
    }
}

/// "+1", "-1", "none".
fn signed(charge: i32) -> String {
    match charge {
        0 => "none".to_owned(),
        q => format!("{q:+}"),
    }
}

impl fmt::Display for HoloraumyCharges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>4} {:>9} {:>14} {:>15} {:>4} {:>8} {:>8} {:>6}",
            "", "sector", "W", "J", "Q", "residual", "closure", "states"
        )?;
        for row in &self.rows {
            write!(
                f,
                "\n{:>4} {:>9} {:>14} {:>15} {:>4} {:>8.1e} {:>8.1e} {:>6}",
                row.multiplet,
                row.sector,
                row.strength,
                row.rotation,
                signed(row.charge),
                row.residual(),
                row.closure,
                row.n_states
            )?;
        }
        Ok(())
    }
}

shows_itself!(HoloraumyCharges);

impl Show for HoloraumyCharges {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let text = |part: &dyn Fn(&HoloraumyCharge) -> String| -> Vec<String> {
            self.rows.iter().map(part).collect()
        };
        let frame = df![
            "multiplet" => text(&|r| r.multiplet.to_string()),
            "sector" => text(&|r| r.sector.to_string()),
            "W" => text(&|r| r.strength.clone()),
            "J" => text(&|r| r.rotation.clone()),
            "Q" => text(&|r| signed(r.charge)),
            "residual, Q = +1" => text(&|r| format!("{:.1e}", r.residual_plus)),
            "residual, Q = −1" => text(&|r| format!("{:.1e}", r.residual_minus)),
            "closure" => text(&|r| format!("{:.1e}", r.closure)),
            "states" => text(&|r| r.n_states.to_string()),
        ]?;
        Ok(Table::new(frame)
            .caption(format!(
                "Duality charges on shell, found on {} null momenta",
                self.n_momenta
            ))
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
