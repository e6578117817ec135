//! An autoencoder beside the controls, all measured on the same sequences.

use super::super::bootstrap::Resamples;
use super::config::MeasureConfig;
use super::controls::{Control, control_dictionary};
use super::many::{DictionaryMeasurements, caption, long_frame, named};
use super::measurement::{Measurement, drawn_sequences, measure_all};
use super::metric_table::MetricTable;
use crate::data::TokenSplit;
use crate::error::{Error, Result};
use crate::interp::dictionaries::centred_rows;
use crate::model::Transformer;
use crate::progress::Reporter;
use crate::sae::{SparseAutoencoder, StandardSae};
use crate::show::{MimeBundle, NotebookReporter, Show, Table, shows_itself};
use polars::prelude::{Column, DataFrame, df};
use std::fmt;

/// By how much the autoencoder's metric exceeds a control's.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlDifference {
    pub control: String,
    pub metric: String,
    /// Autoencoder less control.
    pub value: f64,
    /// Lower end of the 95 % bootstrap interval of the difference: both are measured on the same resampled
    /// sequences, so that it is narrower than the two intervals suggest. `None` without resamples.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

/// Measurements of an autoencoder and of every control, the autoencoder first.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlComparison {
    pub measurements: Vec<Measurement>,
    /// Every control with every metric that has an interval.
    pub differences: Vec<ControlDifference>,
}

/// Measures `sae` and, beside it, [`Control::ALL`] on the same sequences of `split`; the controls are
/// fitted on `fit`, which should be another split. Each control is as sparse there as the autoencoder:
/// its L0, but at least 1 and at most a quarter of the control's features.
///
/// # Errors
/// Those of [`super::measure`] and [`control_dictionary`].
pub fn compare_with_controls(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    fit: &TokenSplit,
    split: &TokenSplit,
    cfg: &MeasureConfig,
) -> Result<ControlComparison> {
    let mut reporter = NotebookReporter::new();
    compare_with_controls_with(model, sae, (fit, split), cfg, &mut reporter)
}

/// [`compare_with_controls`] with its progress shown by `reporter`; the splits are (fit, split).
///
/// # Errors
/// Those of [`compare_with_controls`].
pub fn compare_with_controls_with(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    (fit, split): (&TokenSplit, &TokenSplit),
    cfg: &MeasureConfig,
    reporter: &mut dyn Reporter,
) -> Result<ControlComparison> {
    let (d_in, d_sae) = (sae.d_in(), sae.d_sae());
    let l0 = l0_on(model, sae, fit, cfg)?;
    let controls: Vec<(String, StandardSae)> = Control::ALL
        .into_iter()
        .map(|control| {
            let width = match control {
                Control::Random => d_sae,
                _ => 2 * d_in,
            };
            let l0 = l0.max(1.0).min(width as f64 / 4.0);
            let shape = (d_in, d_sae);
            let made = control_dictionary(model, &cfg.hook_name, fit, control, shape, l0, cfg.seed);
            Ok((control.to_string(), made?))
        })
        .collect::<Result<_>>()?;
    let mut all: Vec<(&str, &dyn SparseAutoencoder)> = vec![("autoencoder", sae)];
    all.extend(
        controls
            .iter()
            .map(|(name, c)| (name.as_str(), c as &dyn SparseAutoencoder)),
    );
    let sequences = drawn_sequences(model, split, cfg)?;
    let found = measure_all(model, &all, &sequences, cfg, reporter)?;
    Ok(ControlComparison {
        differences: differences(&found),
        measurements: found.into_iter().map(|(m, _)| m).collect(),
    })
}

/// The first one's metrics less those of each other one.
fn differences(found: &[(Measurement, Resamples)]) -> Vec<ControlDifference> {
    let [(own, own_resamples), controls @ ..] = found else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for (control, resamples) in controls {
        let pairs = own.rows.iter().zip(&control.rows).enumerate();
        for (i, (a, b)) in pairs.filter(|(_, (a, _))| a.low.is_some()) {
            let interval = own_resamples.difference(resamples, i);
            all.push(ControlDifference {
                control: control.name.clone(),
                metric: a.metric.clone(),
                value: a.value - b.value,
                low: interval.map(|i| i.low),
                high: interval.map(|i| i.high),
            });
        }
    }
    all
}

/// Active features a token on the tokens on which the controls are fitted.
fn l0_on(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    fit: &TokenSplit,
    cfg: &MeasureConfig,
) -> Result<f64> {
    let rows = centred_rows(model, &cfg.hook_name, fit, sae.d_in(), cfg.seed)?;
    let x = rows.x_cent.broadcast_add(&rows.mean)?;
    let active = sae.encode_sparse(&x)?;
    if let Some((feature, act)) = active.entries().find(|(_, act)| !act.is_finite()) {
        return Err(Error::NotFiniteAt {
            what: "an activation of the autoencoder".to_owned(),
            value: f64::from(act),
            place: format!("feature {feature}"),
        });
    }
    Ok(active.n_active() as f64 / active.n_rows() as f64)
}

impl ControlComparison {
    /// The measurements of one dictionary, by its name.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the names that there are.
    pub fn get(&self, name: &str) -> Result<Measurement> {
        named(&self.measurements, name)
    }

    /// Some metrics, by name, one row a dictionary.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the metrics that there are.
    pub fn table(&self, metrics: &[&str]) -> Result<MetricTable> {
        let measurements = self.measurements.clone();
        DictionaryMeasurements { measurements }.table(metrics)
    }

    /// One row a dictionary and metric: `dictionary`, `metric`, `value`, `low`, `high`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        long_frame(&self.measurements)
    }

    /// One row a control and metric: `control`, `metric`, `difference` (autoencoder less control), `low`,
    /// `high`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn difference_frame(&self) -> Result<DataFrame> {
        let all = &self.differences;
        let text = |part: fn(&ControlDifference) -> &String| {
            all.iter().map(|d| part(d).clone()).collect::<Vec<String>>()
        };
        Ok(df![
            "control" => text(|d| &d.control),
            "metric" => text(|d| &d.metric),
            "difference" => all.iter().map(|d| d.value).collect::<Vec<f64>>(),
            "low" => all.iter().map(|d| d.low).collect::<Vec<Option<f64>>>(),
            "high" => all.iter().map(|d| d.high).collect::<Vec<Option<f64>>>(),
        ]?)
    }

    /// One row a metric, one column a dictionary: values with their intervals as text.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn wide_frame(&self) -> Result<DataFrame> {
        let mut columns = Vec::new();
        if let Some(first) = self.measurements.first() {
            let metrics: Vec<String> = first.rows.iter().map(|r| r.metric.clone()).collect();
            columns.push(Column::new("metric".into(), metrics));
        }
        for m in &self.measurements {
            let texts: Vec<String> = m.rows.iter().map(|row| row.text()).collect();
            columns.push(Column::new(m.name.as_str().into(), texts));
        }
        Ok(DataFrame::new(
            columns.first().map_or(0, Column::len),
            columns,
        )?)
    }
}

impl fmt::Display for ControlComparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, m) in self.measurements.iter().enumerate() {
            let value = |name| m.value(name).unwrap_or(f64::NAN);
            write!(
                f,
                "{}{}: L0 {:.1}, explained variance {:.3}, cross-entropy recovered {:.3}",
                if i > 0 { "\n" } else { "" },
                m.name,
                value("l0"),
                value("explained_variance"),
                value("ce_recovered_zero")
            )?;
        }
        Ok(())
    }
}

shows_itself!(ControlComparison);

impl Show for ControlComparison {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let frame = self.wide_frame()?;
        let n = frame.height();
        Ok(Table::new(frame)
            .head(n)
            .caption(caption(&self.measurements))
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
