//! Logistic regression with an L2 penalty, by Newton's method in f64.
//! Minimises `c sum_i log(1 + exp(-y_i (w . x_i + b))) + |w|^2 / 2`, the intercept b without a penalty.
//! Source: scikit-learn's `LogisticRegression`; Hastie, Tibshirani and Friedman, section 4.4.1.

use crate::error::{Error, Result};
use crate::linear_algebra::{RealMatrix, dot, solve_positive};
use candle_core::Tensor;

/// Newton steps allowed; a dozen is usual.
const MAX_STEPS: usize = 100;
/// Converged when a step can lower the loss by no more than this share of it.
const TOLERANCE: f64 = 1e-12;

/// A linear probe: class 1 where `w . x + b > 0`.
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegression {
    /// `[d]`
    pub weights: Vec<f64>,
    pub intercept: f64,
    /// Newton steps taken.
    pub n_steps: usize,
}

impl LogisticRegression {
    /// Log-odds of a row.
    pub(super) fn logit(&self, x: &[f64]) -> f64 {
        dot(&self.weights, x) + self.intercept
    }
}

/// Fits a probe to rows `[n, d]` with the answers `y` `[n]`, to convergence.
///
/// ```
/// use holoscope::candle::{Device, Tensor};
/// use holoscope::interp::logistic_regression;
///
/// let x = Tensor::new(&[[0f32], [1.0], [2.0], [3.0]], &Device::Cpu)?;
/// let probe = logistic_regression(&x, &[false, false, true, true], 1.0)?;
/// assert!(probe.weights[0] > 0.5 && (probe.weights[0] * 1.5 + probe.intercept).abs() < 1e-6);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] for another number of answers, [`Error::NotFiniteAt`] for an entry that is not finite,
/// [`Error::Argument`] for rows of one class alone, a `c` that is not above 0, or no convergence.
pub fn logistic_regression(x: &Tensor, y: &[bool], c: f64) -> Result<LogisticRegression> {
    fit(&RealMatrix::from_tensor("the rows to fit", x)?, y, c)
}

/// [`logistic_regression`] of a matrix.
pub(super) fn fit(x: &RealMatrix, y: &[bool], c: f64) -> Result<LogisticRegression> {
    if x.n_rows() != y.len() {
        let expected = format!("[{} answers, d]", y.len());
        return Err(Error::shape(
            "the rows to fit",
            expected,
            [x.n_rows(), x.n_columns()],
        ));
    }
    let usable = c > 0.0 && c.is_finite();
    if !usable {
        return Err(Error::argument("c", c, "must be above 0 and finite"));
    }
    let positive = y.iter().filter(|y| **y).count();
    if positive == 0 || positive == y.len() {
        let counts = format!("{positive} of {}", y.len());
        return Err(Error::argument(
            "positive rows",
            counts,
            "both classes are needed",
        ));
    }
    let problem = Problem { x, y, c };
    let mut theta = vec![0.0; x.n_columns() + 1];
    let mut loss = problem.loss(&theta);
    for n_steps in 1..=MAX_STEPS {
        let (gradient, hessian) = problem.derivatives(&theta)?;
        let step = newton_step(gradient.clone(), hessian)?;
        let decrease = dot(&gradient, &step);
        let (next, next_loss) = problem.line_search(&theta, &step, (loss, decrease));
        (theta, loss) = (next, next_loss);
        if decrease <= TOLERANCE * (1.0 + loss) {
            let intercept = theta.pop().unwrap_or(0.0);
            return Ok(LogisticRegression {
                weights: theta,
                intercept,
                n_steps,
            });
        }
    }
    let reason = "Newton's method did not converge; scale the activations";
    Err(Error::argument("Newton steps", MAX_STEPS, reason))
}

/// The solution of `H step = gradient`; where rounding leaves H not positive, of `H + r 1` with the
/// smallest r that mends it.
fn newton_step(gradient: Vec<f64>, mut hessian: RealMatrix) -> Result<Vec<f64>> {
    let n = gradient.len();
    let right = RealMatrix::of(n, 1, gradient);
    let trace: f64 = (0..n).map(|i| hessian.row(i)[i]).sum();
    let mut ridge = 1e-14 * trace / n as f64;
    for _ in 0..12 {
        if let Some(step) = solve_positive(&hessian, &right) {
            return Ok(step.entries().to_vec());
        }
        (0..n).for_each(|i| hessian.row_mut(i)[i] += ridge);
        ridge *= 10.0;
    }
    let reason = "Newton's matrix cannot be solved; scale the activations";
    Err(Error::argument(
        "activations",
        format!("trace {trace}"),
        reason,
    ))
}

struct Problem<'a> {
    x: &'a RealMatrix,
    y: &'a [bool],
    c: f64,
}

impl Problem<'_> {
    /// `theta` is w, then b.
    fn logits(&self, theta: &[f64]) -> Vec<f64> {
        let (w, b) = theta.split_at(self.x.n_columns());
        (0..self.x.n_rows())
            .map(|i| dot(self.x.row(i), w) + b[0])
            .collect()
    }

    fn loss(&self, theta: &[f64]) -> f64 {
        let w = &theta[..self.x.n_columns()];
        let log_losses = self.logits(theta).into_iter().zip(self.y);
        let sum: f64 = log_losses
            .map(|(z, y)| {
                let margin = if *y { z } else { -z };
                // log(1 + exp(-margin)) without overflow.
                (-margin).max(0.0) + (-margin.abs()).exp().ln_1p()
            })
            .sum();
        self.c * sum + dot(w, w) / 2.0
    }

    fn derivatives(&self, theta: &[f64]) -> Result<(Vec<f64>, RealMatrix)> {
        let d = self.x.n_columns();
        let mut gradient = theta.to_vec();
        gradient[d] = 0.0;
        let mut scaled = RealMatrix::zeros(self.x.n_rows(), d + 1);
        for (i, z) in self.logits(theta).into_iter().enumerate() {
            let p = 1.0 / (1.0 + (-z).exp());
            let error = self.c * (p - f64::from(u8::from(self.y[i])));
            let root = (self.c * p * (1.0 - p)).sqrt();
            let row = scaled.row_mut(i);
            for ((g, s), v) in gradient.iter_mut().zip(row.iter_mut()).zip(self.x.row(i)) {
                *g += error * v;
                *s = root * v;
            }
            gradient[d] += error;
            row[d] = root;
        }
        let mut hessian = scaled.transposed_times(&scaled);
        (0..d).for_each(|j| hessian.row_mut(j)[j] += 1.0);
        Ok((gradient, hessian))
    }

    /// The step halved until it lowers the loss by a share of what it promises.
    fn line_search(
        &self,
        theta: &[f64],
        step: &[f64],
        (loss, decrease): (f64, f64),
    ) -> (Vec<f64>, f64) {
        let mut size = 1.0;
        for _ in 0..40 {
            let next: Vec<f64> = theta.iter().zip(step).map(|(t, s)| t - size * s).collect();
            let next_loss = self.loss(&next);
            if next_loss <= loss - 1e-4 * size * decrease {
                return (next, next_loss);
            }
            size /= 2.0;
        }
        // Rounding: nothing is lower.
        (theta.to_vec(), loss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// ```python
    /// import numpy as np; from sklearn.linear_model import LogisticRegression
    /// i = np.arange(40); x = np.stack([np.sin(i), np.cos(3*i), (i % 5) / 2, 1 + 0*i], 1)
    /// y = np.sin(i) + 0.5*np.cos(7*i) > 0.2
    /// for c in [1., 0.1, 100.]:
    ///     m = LogisticRegression(C=c, tol=1e-12, max_iter=100000).fit(x, y)
    ///     print(m.coef_, m.intercept_)
    /// ```
    #[test]
    fn coefficients_are_scikit_learns() {
        let x = RealMatrix::of(
            40,
            4,
            (0..40)
                .flat_map(|i| {
                    let t = f64::from(i);
                    [t.sin(), (3.0 * t).cos(), f64::from(i % 5) / 2.0, 1.0]
                })
                .collect(),
        );
        let y: Vec<bool> = (0..40)
            .map(|i| f64::from(i).sin() + 0.5 * f64::from(7 * i).cos() > 0.2)
            .collect();
        for (c, coef, intercept) in SKLEARN {
            let probe = fit(&x, &y, c).unwrap();
            for (found, wanted) in probe.weights.iter().zip(coef) {
                assert!((found - wanted).abs() < 1e-5, "{c}: {probe:?}");
            }
            assert!((probe.intercept - intercept).abs() < 1e-5, "{c}: {probe:?}");
        }
    }

    const SKLEARN: [(f64, [f64; 4], f64); 3] = [
        (
            1.0,
            [2.614488471, 0.139860406, 0.115905709, 0.0],
            -0.58110796,
        ),
        (
            0.1,
            [0.802139491, 0.013262046, 0.095043727, 0.0],
            -0.33645277,
        ),
        (
            100.0,
            [6.934010275, 0.619595994, -0.401676162, 0.0],
            -0.93157339,
        ),
    ];

    /// A separable problem: the penalty alone keeps the weights finite. At the optimum the gradient is 0:
    /// `w = c sum (y - p) x`, `sum (y - p) = 0`.
    #[test]
    fn a_separable_problem_converges_to_a_stationary_point() {
        let x = RealMatrix::of(
            6,
            2,
            vec![
                50.0, 1.0, 60.0, 2.0, 70.0, 0.0, -50.0, 1.0, -40.0, 3.0, -90.0, 1.0,
            ],
        );
        let y = [true, true, true, false, false, false];
        let probe = fit(&x, &y, 10.0).unwrap();
        let mut rest = [-probe.weights[0], -probe.weights[1], 0.0];
        for (i, y) in y.iter().enumerate() {
            let p = 1.0 / (1.0 + (-probe.logit(x.row(i))).exp());
            let error = 10.0 * (f64::from(u8::from(*y)) - p);
            rest[0] += error * x.row(i)[0];
            rest[1] += error * x.row(i)[1];
            rest[2] += error;
        }
        assert!(rest.iter().all(|r| r.abs() < 1e-6), "{rest:?} {probe:?}");
    }

    #[test]
    fn rows_that_cannot_be_fitted_are_errors() {
        let x = Tensor::new(&[[0f32], [1.0]], &Device::Cpu).unwrap();
        let error = |y: &[bool], c| logistic_regression(&x, y, c).unwrap_err().to_string();
        assert!(error(&[true, true], 1.0).contains("2 of 2"));
        assert!(error(&[true], 1.0).contains("rows to fit"));
        assert!(error(&[true, false], 0.0).contains("c = 0"));
        let nan = Tensor::new(&[[0f32], [f32::NAN]], &Device::Cpu).unwrap();
        let found = logistic_regression(&nan, &[true, false], 1.0);
        assert!(found.unwrap_err().to_string().contains("row 1"));
        // A constant column is no information: the weight is 0.
        let constant = Tensor::new(&[[2f32], [2.0]], &Device::Cpu).unwrap();
        let probe = logistic_regression(&constant, &[true, false], 1.0).unwrap();
        assert!(probe.weights[0].abs() < 1e-9 && probe.intercept.abs() < 1e-9);
    }
}
