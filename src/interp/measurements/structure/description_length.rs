//! Description length: bits that a token's feature activations need, sent feature by feature.
//! `L = sum_f H(on_f) + P(on_f) H(bin_f | on)`, H in bits, activations above 0 in n bins of equal width
//! from 0 to the feature's largest. Source: Ayonrinde et al. 2024, arXiv:2410.11179; SAEBench 0.6, `evals/mdl`.

use super::super::labelled::FeatureRows;
use crate::error::{Error, Result};
use crate::sae::SparseAutoencoder;
use crate::show::{MimeBundle, Show, Table, shows_itself};
use candle_core::{DType, Device, Tensor};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// Rows decoded at a time.
const ROWS_PER_PASS: usize = 1_024;

/// The description with one number of bins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DescriptionLengthRow {
    pub n_bins: usize,
    /// Bits a token.
    pub bits: f64,
    /// Squared error of the reconstruction from the middles of the bins, summed over `d_in`, mean over
    /// tokens.
    pub mse: f64,
}

/// Descriptions of the same activations, coarse to fine.
#[derive(Debug, Clone, PartialEq)]
pub struct DescriptionLength {
    pub rows: Vec<DescriptionLengthRow>,
    /// Bits a token that say which features are active, whatever the bins.
    pub on_bits: f64,
    /// Squared error of the reconstruction from exact activations.
    pub exact_mse: f64,
    pub n_tokens: usize,
}

/// The description length of the features of activations `[n, d_in]`, for each number of bins.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # fn f(sae: StandardSae, x: Tensor) -> Result<()> {
/// println!("{:.0} bits a token", description_length(&sae, &x, &[8, 16, 32])?.rows[0].bits);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Shape`] for another width, [`Error::Argument`] for no row, no bin, or a negative activation (AbsTopK),
/// [`Error::NotFiniteAt`] for an activation that is not finite.
pub fn description_length(
    sae: &dyn SparseAutoencoder,
    x: &Tensor,
    n_bins: &[usize],
) -> Result<DescriptionLength> {
    if n_bins.contains(&0) || n_bins.is_empty() {
        let bins = format!("{n_bins:?}");
        return Err(Error::argument(
            "n_bins",
            bins,
            "must be numbers of at least 1",
        ));
    }
    let features = FeatureRows::encode(sae, x)?;
    let n = features.rows.len();
    if n == 0 {
        return Err(Error::argument(
            "rows",
            0,
            "there must be at least one activation",
        ));
    }
    let mut most = vec![0f32; features.d_sae];
    let mut on = vec![0usize; features.d_sae];
    for (feature, act) in features.rows.iter().flatten() {
        if *act < 0.0 {
            let reason =
                format!("feature {feature} is negative: bins lie between 0 and its largest");
            return Err(Error::argument("activation", act, reason));
        }
        let feature = *feature as usize;
        most[feature] = most[feature].max(*act);
        on[feature] += 1;
    }
    let on_bits = on.iter().map(|on| entropy(&[*on, n - on])).sum();
    let rows = n_bins.iter().map(|&n_bins| {
        let bin = |feature: usize, act: f32| {
            let place = f64::from(act) / f64::from(most[feature]) * n_bins as f64;
            (place as usize).min(n_bins - 1)
        };
        let mut counts = vec![vec![0usize; n_bins]; features.d_sae];
        for (feature, act) in features.rows.iter().flatten() {
            counts[*feature as usize][bin(*feature as usize, *act)] += 1;
        }
        let within = counts.iter().zip(&on);
        let within: f64 = within
            .map(|(c, on)| *on as f64 / n as f64 * entropy(c))
            .sum();
        let middle = |feature: usize, act: f32| {
            let middle = (bin(feature, act) as f64 + 0.5) / n_bins as f64;
            (middle * f64::from(most[feature])) as f32
        };
        Ok(DescriptionLengthRow {
            n_bins,
            bits: on_bits + within,
            mse: mse(sae, x, &features, middle)?,
        })
    });
    Ok(DescriptionLength {
        rows: rows.collect::<Result<_>>()?,
        on_bits,
        exact_mse: mse(sae, x, &features, |_, act| act)?,
        n_tokens: n,
    })
}

/// Entropy in bits of the distribution with these counts; 0 without any.
fn entropy(counts: &[usize]) -> f64 {
    let n: usize = counts.iter().sum();
    let of = |count: &usize| {
        let p = *count as f64 / n as f64;
        -p * p.log2()
    };
    // A sum of nothing, and log2(1) with its sign, are -0.0.
    counts.iter().filter(|c| **c > 0).map(of).sum::<f64>() + 0.0
}

/// Mean squared error of what is decoded from each activation's replacement.
fn mse(
    sae: &dyn SparseAutoencoder,
    x: &Tensor,
    features: &FeatureRows,
    replacement: impl Fn(usize, f32) -> f32,
) -> Result<f64> {
    let n = features.rows.len();
    let mut sum = 0.0;
    for start in (0..n).step_by(ROWS_PER_PASS) {
        let rows = &features.rows[start..n.min(start + ROWS_PER_PASS)];
        let mut acts = vec![0f32; rows.len() * features.d_sae];
        for (row, dense) in rows
            .iter()
            .zip(acts.chunks_exact_mut(features.d_sae.max(1)))
        {
            for (feature, act) in row {
                dense[*feature as usize] = replacement(*feature as usize, *act);
            }
        }
        let acts = Tensor::from_vec(acts, (rows.len(), features.d_sae), x.device())?;
        let x = x.narrow(0, start, rows.len())?.to_dtype(DType::F32)?;
        let error = (sae.decode(&acts)?.to_dtype(DType::F32)? - x)?.to_device(&Device::Cpu)?;
        let error = error.flatten_all()?.to_vec1::<f32>()?;
        sum += error.iter().map(|e| f64::from(*e).powi(2)).sum::<f64>();
    }
    Ok(sum / n as f64)
}

impl DescriptionLength {
    /// One row a number of bins: `n_bins`, `bits`, `mse`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        Ok(df![
            "n_bins" => self.rows.iter().map(|r| r.n_bins as u32).collect::<Vec<u32>>(),
            "bits" => self.rows.iter().map(|r| r.bits).collect::<Vec<f64>>(),
            "mse" => self.rows.iter().map(|r| r.mse).collect::<Vec<f64>>(),
        ]?)
    }
}

impl fmt::Display for DescriptionLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "description length on {} tokens: {:.1} bits for which features are on (mean squared error of \
             exact activations {:.4});",
            self.n_tokens, self.on_bits, self.exact_mse
        )?;
        for row in &self.rows {
            write!(
                f,
                " {} bins: {:.1} bits, error {:.4};",
                row.n_bins, row.bits, row.mse
            )?;
        }
        Ok(())
    }
}

shows_itself!(DescriptionLength);

impl Show for DescriptionLength {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let caption = format!(
            "Description length on {} tokens: bits a token, {:.1} of them for which features are on; squared \
             error of exact activations {:.4}",
            self.n_tokens, self.on_bits, self.exact_mse
        );
        Ok(Table::new(self.frame()?)
            .caption(caption)
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sae::StandardSae;

    fn axes(d: usize) -> StandardSae {
        let one = Tensor::eye(d, DType::F32, &Device::Cpu).unwrap();
        let zeros = Tensor::zeros(d, DType::F32, &Device::Cpu).unwrap();
        StandardSae::new(one.clone(), zeros.clone(), one, zeros).unwrap()
    }

    /// Feature 0 is on in 2 of 4 rows, with 1 and 4: in two bins of width 2 once each; feature 1 always
    /// with 3: one bin of two. Bits: H(1/2) + 1/2 H(1/2) + 0 + 0 = 1.5. Middles: 1 -> 1, 4 -> 3,
    /// 3 -> 2.25: errors (0 + 1 + 4 * 0.5625) / 4.
    #[test]
    fn bits_and_errors_are_those_of_the_definition() {
        let x = [[1f32, 3.0], [4.0, 3.0], [0.0, 3.0], [0.0, 3.0]];
        let x = Tensor::new(&x, &Device::Cpu).unwrap();
        let found = description_length(&axes(2), &x, &[1, 2]).unwrap();
        assert!((found.on_bits - 1.0).abs() < 1e-12);
        assert!((found.rows[0].bits - 1.0).abs() < 1e-12);
        assert!((found.rows[1].bits - 1.5).abs() < 1e-12, "{found}");
        assert!((found.rows[1].mse - 3.25 / 4.0).abs() < 1e-6, "{found}");
        assert_eq!(found.exact_mse, 0.0);
        assert_eq!(found.frame().unwrap().shape(), (2, 3));
    }

    #[test]
    fn a_dead_dictionary_needs_no_bits_and_bad_input_is_an_error() {
        let x = Tensor::new(&[[-1f32, -2.0]], &Device::Cpu).unwrap();
        let found = description_length(&axes(2), &x, &[8]).unwrap();
        assert_eq!((found.rows[0].bits, found.exact_mse), (0.0, 5.0));
        assert!(description_length(&axes(2), &x, &[0]).is_err());
        assert!(description_length(&axes(3), &x, &[8]).is_err());
        let none = Tensor::zeros((0, 2), DType::F32, &Device::Cpu).unwrap();
        assert!(description_length(&axes(2), &none, &[8]).is_err());
        let nan = Tensor::new(&[[f32::NAN, 0.0]], &Device::Cpu).unwrap();
        assert!(description_length(&axes(2), &nan, &[8]).is_err());
    }
}
