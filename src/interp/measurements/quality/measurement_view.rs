//! Measurements as a frame, a table and the histogram of densities.

use super::measurement::{Measurement, MetricRow};
use crate::error::{Error, Result};
use crate::show::{Figure, MimeBundle, Show, Table, format_number, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

impl MetricRow {
    /// The value with its interval, such as `0.91 [0.9, 0.92]`.
    pub(super) fn text(&self) -> String {
        let value = format_number(self.value);
        match (self.low, self.high) {
            (Some(low), Some(high)) => {
                format!("{value} [{}, {}]", format_number(low), format_number(high))
            }
            _ => value,
        }
    }
}

impl Measurement {
    /// The row of a metric.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the metrics that there are.
    pub fn get(&self, metric: &str) -> Result<MetricRow> {
        let found = self.rows.iter().find(|row| row.metric == metric);
        found.cloned().ok_or_else(|| Error::NotFound {
            kind: "metric",
            name: metric.to_owned(),
            known: self.rows.iter().map(|row| row.metric.clone()).collect(),
        })
    }

    /// The value of a metric.
    ///
    /// # Errors
    /// Those of [`Measurement::get`].
    pub fn value(&self, metric: &str) -> Result<f64> {
        Ok(self.get(metric)?.value)
    }

    /// The same measurement under another name, for tables and curves.
    pub fn named(&self, name: &str) -> Measurement {
        Measurement {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// One row a metric: `metric`, `value`, `low`, `high` (null without an interval).
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let rows = &self.rows;
        Ok(df![
            "metric" => rows.iter().map(|r| r.metric.clone()).collect::<Vec<String>>(),
            "value" => rows.iter().map(|r| r.value).collect::<Vec<f64>>(),
            "low" => rows.iter().map(|r| r.low).collect::<Vec<Option<f64>>>(),
            "high" => rows.iter().map(|r| r.high).collect::<Vec<Option<f64>>>(),
        ]?)
    }

    /// How often features are active: the histogram of `log10` frequencies.
    ///
    /// # Errors
    /// When no frequency is finite.
    pub fn density_histogram(&self) -> Result<Figure> {
        self.frequencies.histogram()
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at {}, {} features, {} sequences of {} tokens in all; 95 % intervals over sequences",
            self.name, self.hook_name, self.d_sae, self.n_sequences, self.n_tokens
        )?;
        for row in &self.rows {
            write!(f, "\n{}: {}", row.metric, row.text())?;
        }
        Ok(())
    }
}

shows_itself!(Measurement);

impl Show for Measurement {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let caption = format!(
            "{} at {}: {} features on {} sequences ({} tokens); 95 % intervals over sequences",
            self.name, self.hook_name, self.d_sae, self.n_sequences, self.n_tokens
        );
        Ok(Table::new(self.frame()?)
            .head(self.rows.len())
            .caption(caption)
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
