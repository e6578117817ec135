//! Power curves and how they show themselves: detection rate against noise.
//! Rates with Wilson's 95 % intervals, and the rate where nothing is planted. Source: ours.

use crate::error::Result;
use crate::show::{ChartOptions, Figure, MimeBundle, Show, Table, Trace, line_chart, shows_itself};
use crate::susy::analogy::{Interval, Null, Planting, Statistic};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// How often a statistic detects at one noise.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerPoint {
    /// The noise; none for families that hold nothing.
    pub sigma: Option<f64>,
    pub trials: usize,
    /// Trials with `p <= alpha`.
    pub detections: usize,
    /// `detections/trials`.
    pub rate: f64,
    /// Wilson's 95 % interval of the rate.
    pub interval: Interval,
    /// The statistic's mean over trials.
    pub mean: f64,
    /// Its mean over all controls.
    pub control_mean: f64,
}

/// The detection rate of one statistic against noise.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerCurve {
    pub statistic: Statistic,
    pub planting: Planting,
    /// The controls of the test.
    pub null: Null,
    pub alpha: f64,
    /// In the order of the noises.
    pub points: Vec<PowerPoint>,
    /// The rate on families that hold nothing: it must be near alpha.
    pub nothing_planted: PowerPoint,
}

impl PowerCurve {
    /// The largest noise up to which all noises are detected at a rate of at least `rate`.
    pub fn reach(&self, rate: f64) -> Option<f64> {
        let found = self.points.iter().take_while(|p| p.rate >= rate);
        found.last().and_then(|p| p.sigma)
    }

    /// One row a noise: sigma, rate, low, high, mean, control; the last row has nothing planted.
    ///
    /// # Errors
    /// None but polars' own.
    pub fn frame(&self) -> Result<DataFrame> {
        let all: Vec<&PowerPoint> = self.points.iter().chain([&self.nothing_planted]).collect();
        let column =
            |of: &dyn Fn(&PowerPoint) -> f64| -> Vec<f64> { all.iter().map(|p| of(p)).collect() };
        let sigmas: Vec<String> = all
            .iter()
            .map(|p| {
                p.sigma
                    .map_or("nothing planted".to_owned(), |s| s.to_string())
            })
            .collect();
        Ok(df![
            "statistic" => vec![self.statistic.to_string(); all.len()],
            "noise" => sigmas,
            "detected" => column(&|p| p.rate),
            "low" => column(&|p| p.interval.low),
            "high" => column(&|p| p.interval.high),
            "mean" => column(&|p| p.mean),
            "control" => column(&|p| p.control_mean),
        ]?)
    }
}

/// Several power curves.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerCurves {
    pub curves: Vec<PowerCurve>,
}

impl PowerCurves {
    /// Detection rate against noise, one line a statistic.
    ///
    /// # Errors
    /// No curve, or one without points.
    pub fn figure(&self) -> Result<Figure> {
        let trace = |curve: &PowerCurve| {
            let points = curve.points.iter().filter_map(|p| Some((p.sigma?, p.rate)));
            Trace::new(&curve.statistic.to_string(), points.collect())
        };
        let traces: Vec<Trace> = self.curves.iter().map(trace).collect();
        let alpha = self.curves.first().map_or(0.05, |c| c.alpha);
        let options = ChartOptions::new(
            "Planted algebras found",
            "noise sigma (1: as large as the signal)",
            "share of families detected",
        )
        .y_reference("chance", alpha)
        .caption(format!(
            "A statistic is of use up to the noise at which its line falls; at the level of chance, \
             {alpha}, it no longer sees the algebra."
        ));
        line_chart(&traces, &options)
    }

    /// All rows of [`PowerCurve::frame`].
    ///
    /// # Errors
    /// None but polars' own.
    pub fn frame(&self) -> Result<DataFrame> {
        let mut all = DataFrame::default();
        for (i, curve) in self.curves.iter().enumerate() {
            let frame = curve.frame()?;
            all = if i == 0 { frame } else { all.vstack(&frame)? };
        }
        Ok(all)
    }
}

impl fmt::Display for PowerCurve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.statistic)?;
        for point in &self.points {
            let sigma = point.sigma.unwrap_or(f64::NAN);
            write!(f, " {:.2} at noise {sigma},", point.rate)?;
        }
        write!(f, " {:.2} with nothing planted", self.nothing_planted.rate)
    }
}

impl fmt::Display for PowerCurves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, curve) in self.curves.iter().enumerate() {
            write!(f, "{}{curve}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

shows_itself!(PowerCurve);

impl Show for PowerCurve {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let table = Table::new(self.frame()?).gradient("detected");
        Ok(table.mime_bundle()?.with("text/plain", self.to_string()))
    }
}

shows_itself!(PowerCurves);

impl Show for PowerCurves {
    /// The figure; [`PowerCurves::table`] has the numbers.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(self
            .figure()?
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
