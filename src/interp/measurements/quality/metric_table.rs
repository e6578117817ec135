//! Some metrics of several dictionaries, one row a dictionary.

use super::measurement::MetricRow;
use crate::error::Result;
use crate::show::{MimeBundle, Show, Table, shows_itself};
use polars::prelude::{Column, DataFrame};
use std::fmt;

/// One dictionary's metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricTableRow {
    pub dictionary: String,
    /// In the order of the table's columns.
    pub metrics: Vec<MetricRow>,
}

/// Some metrics of several dictionaries.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricTable {
    /// Where and on how much was measured.
    pub title: String,
    pub rows: Vec<MetricTableRow>,
}

impl MetricTable {
    /// One row a dictionary: `dictionary`, then for each metric its value under its name, and its interval under
    /// `NAME low` and `NAME high` (null without one).
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let mut columns = vec![self.names()];
        for (i, metric) in self.metrics().into_iter().enumerate() {
            let of = |value: fn(&MetricRow) -> Option<f64>| -> Vec<Option<f64>> {
                self.rows.iter().map(|row| value(&row.metrics[i])).collect()
            };
            columns.push(Column::new(metric.into(), of(|m| Some(m.value))));
            columns.push(Column::new(format!("{metric} low").into(), of(|m| m.low)));
            columns.push(Column::new(format!("{metric} high").into(), of(|m| m.high)));
        }
        Ok(DataFrame::new(self.rows.len(), columns)?)
    }

    fn names(&self) -> Column {
        let names: Vec<&str> = self
            .rows
            .iter()
            .map(|row| row.dictionary.as_str())
            .collect();
        Column::new("dictionary".into(), names)
    }

    fn metrics(&self) -> Vec<&str> {
        let first = self.rows.first().map_or(&[][..], |row| &row.metrics[..]);
        first.iter().map(|m| m.metric.as_str()).collect()
    }
}

impl fmt::Display for MetricTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        for row in &self.rows {
            let texts: Vec<String> = row
                .metrics
                .iter()
                .map(|m| format!("{} {}", m.metric, m.text()))
                .collect();
            write!(f, "\n{}: {}", row.dictionary, texts.join(", "))?;
        }
        Ok(())
    }
}

shows_itself!(MetricTable);

impl Show for MetricTable {
    /// Values with their 95 % intervals in one cell.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let mut columns = vec![self.names()];
        for (i, metric) in self.metrics().into_iter().enumerate() {
            let texts: Vec<String> = self.rows.iter().map(|row| row.metrics[i].text()).collect();
            columns.push(Column::new(metric.into(), texts));
        }
        Ok(Table::new(DataFrame::new(self.rows.len(), columns)?)
            .head(self.rows.len())
            .caption(&self.title)
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
