//! Many dictionaries measured on the same sequences, as one frame and as a frontier: what is kept of the
//! model against how many features are active. Source: the charts of Gao et al. 2024 and SAEBench.

use super::config::MeasureConfig;
use super::labels::metric_label;
use super::measurement::{Measurement, drawn_sequences, measure_all};
use super::metric_table::{MetricTable, MetricTableRow};
use crate::data::TokenSplit;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::progress::Reporter;
use crate::sae::{SaeSweep, SparseAutoencoder};
use crate::show::{
    ChartOptions, Figure, MimeBundle, NotebookReporter, Show, Trace, line_chart, shows_itself,
};
use polars::prelude::{Column, DataFrame};

/// Measurements of several dictionaries, in the order in which they were given.
#[derive(Debug, Clone, PartialEq)]
pub struct DictionaryMeasurements {
    pub measurements: Vec<Measurement>,
}

/// Measures several named dictionaries of one width on the same sequences of `split`, with one run of the
/// model; [`super::measure`] says what is measured. Dictionaries that share a name make one curve of
/// [`DictionaryMeasurements::frontier`].
///
/// ```no_run
/// use holoscope::prelude::*;
/// # fn f(model: Transformer, data: Dataset, narrow: Sae, wide: Sae) -> Result<()> {
/// let found = measure_each(
///     &model,
///     &[("TopK", &narrow), ("TopK", &wide)],
///     &data.val,
///     &MeasureConfig::default(),
/// )?;
/// found.frontier("ce_recovered_mean")?.evcxr_display();
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// No dictionary; those of [`super::measure`].
pub fn measure_each(
    model: &Transformer,
    dictionaries: &[(&str, &dyn SparseAutoencoder)],
    split: &TokenSplit,
    cfg: &MeasureConfig,
) -> Result<DictionaryMeasurements> {
    measure_each_with(
        model,
        dictionaries,
        split,
        cfg,
        &mut NotebookReporter::new(),
    )
}

/// [`measure_each`] with its progress shown by `reporter`.
///
/// # Errors
/// Those of [`measure_each`].
pub fn measure_each_with(
    model: &Transformer,
    dictionaries: &[(&str, &dyn SparseAutoencoder)],
    split: &TokenSplit,
    cfg: &MeasureConfig,
    reporter: &mut dyn Reporter,
) -> Result<DictionaryMeasurements> {
    if dictionaries.is_empty() {
        return Err(Error::argument("dictionaries", "[]", "needs at least one"));
    }
    let sequences = drawn_sequences(model, split, cfg)?;
    let found = measure_all(model, dictionaries, &sequences, cfg, reporter)?;
    Ok(DictionaryMeasurements {
        measurements: found.into_iter().map(|(m, _)| m).collect(),
    })
}

/// [`measure_each`] of the autoencoders of a sweep, each under the name of its architecture, at the hook point
/// that all of them read.
///
/// # Errors
/// Those of [`measure_each`].
pub fn measure_sweep(
    model: &Transformer,
    sweep: &SaeSweep,
    split: &TokenSplit,
    cfg: &MeasureConfig,
) -> Result<DictionaryMeasurements> {
    let dictionaries: Vec<(&str, &dyn SparseAutoencoder)> = sweep
        .runs
        .iter()
        .map(|run| {
            let sae: &dyn SparseAutoencoder = &run.sae;
            (run.cfg.architecture.name(), sae)
        })
        .collect();
    let mut cfg = cfg.clone();
    if let Some(run) = sweep.runs.first() {
        cfg.hook_name.clone_from(&run.cfg.hook_name);
    }
    measure_each(model, &dictionaries, split, &cfg)
}

impl DictionaryMeasurements {
    /// The first measurement of a name.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the names that there are.
    pub fn get(&self, name: &str) -> Result<Measurement> {
        named(&self.measurements, name)
    }

    /// One row a dictionary and metric: `dictionary`, `metric`, `value`, `low`, `high`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        long_frame(&self.measurements)
    }

    /// Some metrics, by name, one row a dictionary.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the metrics that there are.
    pub fn table(&self, metrics: &[&str]) -> Result<MetricTable> {
        let row = |m: &Measurement| -> Result<MetricTableRow> {
            let found = metrics.iter().map(|metric| m.get(metric));
            Ok(MetricTableRow {
                dictionary: m.name.clone(),
                metrics: found.collect::<Result<_>>()?,
            })
        };
        Ok(MetricTable {
            title: caption(&self.measurements),
            rows: self.measurements.iter().map(row).collect::<Result<_>>()?,
        })
    }

    /// For each name, in the order of the names, the place of its measurement with the L0 nearest to `l0`, compared
    /// by their ratio.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the names that there are.
    pub fn nearest_to_l0(&self, names: &[&str], l0: f64) -> Result<Vec<usize>> {
        let distance = |i: usize| {
            let own = self.measurements[i].value("l0").unwrap_or(f64::NAN);
            (own / l0).ln().abs()
        };
        let nearest = |name: &str| {
            let of_name = |&i: &usize| self.measurements[i].name == name;
            let places = (0..self.measurements.len()).filter(of_name);
            let found = places.min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
            found.ok_or_else(|| not_found(&self.measurements, name))
        };
        names.iter().map(|name| nearest(name)).collect()
    }

    /// The measurements at these places, in this order; a place that does not exist is left out.
    pub fn at(&self, places: &[usize]) -> DictionaryMeasurements {
        let found = places.iter().filter_map(|&i| self.measurements.get(i));
        DictionaryMeasurements {
            measurements: found.cloned().collect(),
        }
    }

    /// A metric against L0 (logarithmic), one curve a name in the order of L0, with the metric's 95 %
    /// intervals as bars.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the metrics that there are; [`Error::Draw`] when no point is finite.
    pub fn frontier(&self, metric: &str) -> Result<Figure> {
        let mut names: Vec<&str> = Vec::new();
        for m in &self.measurements {
            if !names.contains(&m.name.as_str()) {
                names.push(&m.name);
            }
        }
        let traces: Vec<Trace> = names
            .into_iter()
            .map(|name| self.curve(name, metric))
            .collect::<Result<_>>()?;
        let label = metric_label(metric);
        let name = label.split(" (").next().unwrap_or(&label);
        let title = format!("{name}, against L0");
        let options = ChartOptions::new(&title, &metric_label("l0"), &label)
            .log_x()
            .caption(caption(&self.measurements));
        line_chart(&traces, &options)
    }

    fn curve(&self, name: &str, metric: &str) -> Result<Trace> {
        let mut points = Vec::new();
        for m in self.measurements.iter().filter(|m| m.name == name) {
            let row = m.get(metric)?;
            let interval = match (row.low, row.high) {
                (Some(low), Some(high)) => (low, high),
                _ => (f64::NAN, f64::NAN),
            };
            points.push(((m.value("l0")?, row.value), interval));
        }
        points.sort_by(|a, b| a.0.0.total_cmp(&b.0.0));
        let (points, intervals) = points.into_iter().unzip();
        Ok(Trace::new(name, points).intervals(intervals))
    }
}

shows_itself!(DictionaryMeasurements);

impl Show for DictionaryMeasurements {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let metrics = [
            "l0",
            "explained_variance",
            "ce_recovered_mean",
            "dead_share",
        ];
        self.table(&metrics)?.mime_bundle()
    }
}

/// The first measurement of a name.
pub(super) fn named(measurements: &[Measurement], name: &str) -> Result<Measurement> {
    let found = measurements.iter().find(|m| m.name == name);
    found.cloned().ok_or_else(|| not_found(measurements, name))
}

fn not_found(measurements: &[Measurement], name: &str) -> Error {
    let mut known: Vec<String> = measurements.iter().map(|m| m.name.clone()).collect();
    known.dedup();
    Error::NotFound {
        kind: "dictionary",
        name: name.to_owned(),
        known,
    }
}

/// Every measurement's rows, below each other.
pub(super) fn long_frame(measurements: &[Measurement]) -> Result<DataFrame> {
    let mut all: Option<DataFrame> = None;
    for m in measurements {
        let mut frame = m.frame()?;
        let names = vec![m.name.clone(); frame.height()];
        frame.insert_column(0, Column::new("dictionary".into(), names))?;
        all = Some(match all {
            Some(above) => above.vstack(&frame)?,
            None => frame,
        });
    }
    Ok(all.unwrap_or_default())
}

/// Where and on how much was measured.
pub(super) fn caption(measurements: &[Measurement]) -> String {
    measurements.first().map_or(String::new(), |m| {
        format!(
            "Dictionaries at {} on {} sequences ({} tokens); 95 % intervals over sequences",
            m.hook_name, m.n_sequences, m.n_tokens
        )
    })
}
