//! Controls: families that keep what a statistic should not see and lose what it should.
//! Gaussian of the same size; singular bases redrawn by Haar's measure, singular values kept; each
//! colour turned on its own; colours reassigned among families. Source: ours.

use crate::error::{Error, Result};
use crate::susy::analogy::{Family, Gauge, RealMatrix, SingularValues};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// How a control family is drawn from an observed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Null {
    /// Independent normal entries, each matrix of the same Frobenius norm on average.
    Gaussian,
    /// The same singular values, both singular bases redrawn: of each L_I and R_I; where only the map
    /// `M = L R` means anything (heads and in-out pairs), of M.
    ///
    /// Exact for a test of M: if M were `X S Y^T` with X and Y independent by Haar's measure,
    /// observed and control would be exchangeable given S.
    Haar,
    /// Each colour turned by its own random O_I of O(d): all that one colour says (singular values,
    /// symmetry index, spectrum, angles between its features) is kept, only the relation between colours
    /// is redrawn. For in-out pairs the two sides are the colours.
    Rotated,
}

impl Null {
    /// A control for `family`, from `seed`. For many controls of one family see [`Null::sampler`].
    ///
    /// # Errors
    /// Those of [`Null::sampler`].
    pub fn draw(self, family: &Family, seed: u64) -> Result<Family> {
        self.sampler(family)?.draw(seed)
    }

    /// What draws controls for `family`: all that every draw needs of it is decomposed once.
    ///
    /// # Errors
    /// Maps without full rank, for [`Null::Haar`] where M counts.
    pub fn sampler(self, family: &Family) -> Result<NullSampler> {
        let pairs = || family.l.iter().zip(&family.r);
        let colours: Vec<Colour> = match (self, family.gauge) {
            (Null::Gaussian, _) => pairs().map(gaussian).collect(),
            // Turning each side of an MLP on its own redraws both bases of M and keeps the hidden units.
            (Null::Rotated, _) | (Null::Haar, Gauge::HiddenUnits { .. }) => pairs()
                .map(|(l, r)| Colour::turned(l, r))
                .collect::<Result<_>>()?,
            (Null::Haar, Gauge::PerColour) => pairs()
                .map(|(l, r)| Ok(Colour::Map(roots(&map_values(l, &r.transpose())?))))
                .collect::<Result<_>>()?,
            // One map for the pair, whose sides are the two factors.
            (Null::Haar, Gauge::Contragredient) => {
                vec![Colour::Map(roots(&map_values(&family.l[0], &family.l[1])?))]
            }
            (Null::Haar, _) => pairs()
                .map(|(l, r)| {
                    let [l, r] = [l.singular_values()?, r.singular_values()?];
                    Ok(Colour::Spectra([l.values, r.values]))
                })
                .collect::<Result<_>>()?,
        };
        Ok(NullSampler {
            name: format!("{} ({self:?} control)", family.name),
            shape: [family.d(), family.k()],
            gauge: family.gauge,
            // Families with R = L^T stay such.
            transposes: pairs().all(|(l, r)| *r == l.transpose()),
            colours,
        })
    }
}

/// Draws controls of one family; made by [`Null::sampler`].
#[derive(Debug, Clone)]
pub struct NullSampler {
    name: String,
    /// d, k.
    shape: [usize; 2],
    gauge: Gauge,
    transposes: bool,
    colours: Vec<Colour>,
}

/// What is kept of a colour.
#[derive(Debug, Clone)]
enum Colour {
    /// Standard deviations of the entries of L and R.
    Gaussian([f64; 2]),
    /// Roots of the singular values of M.
    Map(Vec<f64>),
    /// Singular values of L and of R.
    Spectra([Vec<f64>; 2]),
    /// `S Y^T` of `[L, R^T] = X S Y^T`: with fewer columns than rows, O X is a random isometry by Haar's
    /// measure, much smaller than O.
    Core(RealMatrix),
    /// L and R^T side by side, to be turned by O itself.
    Sides(RealMatrix),
}

impl Colour {
    fn turned(l: &RealMatrix, r: &RealMatrix) -> Result<Colour> {
        let [d, k] = l.shape();
        let both = RealMatrix::from_entries(d, 2 * k, |i, j| {
            if j < k {
                l.entry(i, j)
            } else {
                r.entry(j - k, i)
            }
        });
        if 2 * k >= d {
            return Ok(Colour::Sides(both));
        }
        let SingularValues { values, right, .. } = both.singular_values()?;
        Ok(Colour::Core(right.scaled_columns(&values).transpose()))
    }

    /// L and R of a control.
    fn draw(&self, [d, k]: [usize; 2], rng: &mut ChaCha8Rng) -> (RealMatrix, RealMatrix) {
        match self {
            Colour::Gaussian([l, r]) => {
                let l = RealMatrix::gaussian(d, k, rng).scaled(*l);
                (l, RealMatrix::gaussian(k, d, rng).scaled(*r))
            }
            Colour::Map(roots) => {
                let [x, y] = [0, 1].map(|_| RealMatrix::haar(d, k, rng).scaled_columns(roots));
                (x, y.transpose())
            }
            Colour::Spectra([l, r]) => {
                let mut redraw = |rows, columns, values: &[f64]| {
                    let [x, y] = [rows, columns].map(|n| RealMatrix::haar(n, values.len(), rng));
                    x.scaled_columns(values).times(&y.transpose())
                };
                (redraw(d, k, l), redraw(k, d, r))
            }
            Colour::Core(core) => sides(&RealMatrix::haar(d, 2 * k, rng).times(core)),
            Colour::Sides(both) => sides(&RealMatrix::haar(d, d, rng).times(both)),
        }
    }
}

impl NullSampler {
    /// The control from `seed`: the same as [`Null::draw`]'s.
    ///
    /// # Errors
    /// None for a family that [`Family::new`] accepts.
    pub fn draw(&self, seed: u64) -> Result<Family> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let drawn = self.colours.iter().map(|c| c.draw(self.shape, &mut rng));
        let (mut l, mut r): (Vec<RealMatrix>, Vec<RealMatrix>) = drawn.unzip();
        if let (Gauge::Contragredient, [Colour::Map(_)]) = (self.gauge, self.colours.as_slice()) {
            l.extend(r.iter().map(RealMatrix::transpose));
        }
        if self.transposes {
            r = l.iter().map(RealMatrix::transpose).collect();
        }
        Family::new(&self.name, l, r, self.gauge)
    }
}

fn gaussian((l, r): (&RealMatrix, &RealMatrix)) -> Colour {
    let sd = |w: &RealMatrix| (w.norm_sqr() / w.entries().len() as f64).sqrt();
    Colour::Gaussian([sd(l), sd(r)])
}

/// L and R of `[L, R^T]`.
fn sides(both: &RealMatrix) -> (RealMatrix, RealMatrix) {
    let k = both.n_columns() / 2;
    let order: Vec<usize> = (0..2 * k).collect();
    let [l, r] = [&order[..k], &order[k..]].map(|columns| both.permuted_columns(columns));
    (l, r.transpose())
}

/// The k largest singular values of `a b^T`, from the small matrix between the bases of a and b.
fn map_values(a: &RealMatrix, b: &RealMatrix) -> Result<Vec<f64>> {
    let small = |w: &RealMatrix| -> Result<RealMatrix> {
        let SingularValues { values, right, .. } = w.singular_values()?;
        Ok(right.scaled_columns(&values)) // [k, min(d, k)]
    };
    let between = small(a)?.transposed_times(&small(b)?);
    let values = between.singular_values()?.values;
    if values.first().is_none_or(|v| *v == 0.0) || values.len() < a.n_columns() {
        let reason = "the map must not be zero, and k at most d";
        return Err(Error::argument(
            "largest singular value",
            format!("{values:?}"),
            reason,
        ));
    }
    Ok(values)
}

fn roots(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v.sqrt()).collect()
}

/// Families of the same colours, dealt out anew: every family keeps its name, gauge and size.
///
/// What a colour is alone is kept; what holds a family together is lost. For blocks of dictionary
/// features see also [`random_blocks`](super::super::random_blocks), which deals out single features.
///
/// # Errors
/// [`Error::Shape`] for families of different d or k, [`Error::Argument`] for different gauges.
pub fn shuffled_colours(families: &[Family], seed: u64) -> Result<Vec<Family>> {
    let Some(first) = families.first() else {
        return Ok(Vec::new());
    };
    for family in families {
        if (family.d(), family.k()) != (first.d(), first.k()) {
            let (expected, found) = ((first.d(), first.k()), (family.d(), family.k()));
            return Err(Error::shape(
                format!("{} (d, k)", family.name),
                expected,
                found,
            ));
        }
        if family.gauge != first.gauge {
            let reason = format!("the first family has {:?}", first.gauge);
            return Err(Error::argument(
                "gauge",
                format!("{:?}", family.gauge),
                reason,
            ));
        }
    }
    let mut colours: Vec<(RealMatrix, RealMatrix)> = families
        .iter()
        .flat_map(|f| f.l.iter().cloned().zip(f.r.iter().cloned()))
        .collect();
    colours.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut deck = colours.into_iter();
    families
        .iter()
        .map(|family| {
            let (l, r) = deck.by_ref().take(family.n_colours()).unzip();
            Family::new(&format!("{} (shuffled)", family.name), l, r, family.gauge)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::susy::analogy::{Side, symmetry_index};
    use proptest::prelude::*;

    fn families(seed: u64) -> Vec<Family> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |rows, columns| RealMatrix::gaussian(rows, columns, &mut rng);
        let l: Vec<RealMatrix> = (0..3).map(|_| draw(8, 3)).collect();
        let r: Vec<RealMatrix> = (0..3).map(|_| draw(3, 8)).collect();
        let of = |gauge| Family::new("f", l.clone(), r.clone(), gauge).unwrap();
        vec![
            of(Gauge::Common),
            of(Gauge::PerColour),
            of(Gauge::Features),
            Family::in_out("io", l[0].clone(), &r[1], Gauge::Contragredient).unwrap(),
            Family::in_out(
                "mlp",
                r[0].clone(),
                &l[1],
                Gauge::HiddenUnits { scales: true },
            )
            .unwrap(),
        ]
    }

    fn near(a: &[f64], b: &[f64]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-9)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]

        #[test]
        fn haar_controls_keep_singular_values(seed in 0u64..10_000) {
            for family in families(seed) {
                let control = Null::Haar.draw(&family, seed + 1).unwrap();
                prop_assert_eq!(control.gauge(), family.gauge());
                let of_map = !matches!(family.gauge(), Gauge::Common | Gauge::Features);
                let of = |f: &Family| -> Vec<Vec<f64>> {
                    let maps = if of_map { f.maps() } else { f.l().to_vec() };
                    maps.iter().map(|m| m.singular_values().unwrap().values).collect()
                };
                for (a, b) in of(&family).iter().zip(&of(&control)) {
                    prop_assert!(near(a, b));
                }
                prop_assert!(control.l()[0] != family.l()[0]);
                prop_assert_eq!(&control, &Null::Haar.draw(&family, seed + 1).unwrap());
            }
        }

        #[test]
        fn rotated_controls_keep_each_colour_and_lose_the_relation(seed in 0u64..10_000) {
            let family = &families(seed)[1];
            let control = Null::Rotated.draw(family, seed + 1).unwrap();
            for (a, b) in family.maps().iter().zip(&control.maps()) {
                let [s, t] = [a, b].map(|m| symmetry_index(m).unwrap());
                prop_assert!((s - t).abs() < 1e-9);
            }
            for (a, b) in family.l().iter().zip(control.l()) {
                let [a, b] = [a, b].map(|l| l.transpose().times(l));
                prop_assert!(near(a.entries(), b.entries()));
            }
            let of = |f: &Family| f.range_distance_sqr(Side::Read).unwrap();
            prop_assert!((of(family) - of(&control)).abs() > 1e-9);
        }
    }

    #[test]
    fn gaussian_controls_have_the_same_size() {
        // |L|^2 is a chi square of 24 degrees of freedom: relative standard deviation sqrt(2/24).
        let family = &families(1)[0];
        let expected = family.l()[0].norm_sqr();
        let mean: f64 = (0..400)
            .map(|s| Null::Gaussian.draw(family, s).unwrap().l()[0].norm_sqr() / 400.0)
            .sum();
        let tolerance = 4.0 * expected * (2.0f64 / 24.0 / 400.0).sqrt();
        assert!((mean - expected).abs() < tolerance);
    }

    #[test]
    fn shuffling_deals_out_the_same_colours() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut family = || {
            let l = (0..3)
                .map(|_| RealMatrix::gaussian(4, 2, &mut rng))
                .collect();
            Family::with_transposes("f", l, Gauge::Features).unwrap()
        };
        let all = [family(), family(), family()];
        let dealt = shuffled_colours(&all, 1).unwrap();
        let key = |families: &[Family]| {
            let colours = families.iter().flat_map(|f| f.l().to_vec());
            let mut keys: Vec<String> = colours.map(|l| format!("{l:?}")).collect();
            keys.sort();
            keys
        };
        assert_eq!(key(&all), key(&dealt));
        assert!(all.iter().zip(&dealt).any(|(a, b)| a.l() != b.l()));
        let other = Family::with_transposes("f", vec![RealMatrix::zeros(5, 2)], Gauge::Features);
        assert!(shuffled_colours(&[all[0].clone(), other.unwrap()], 1).is_err());
    }
}
