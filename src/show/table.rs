//! Data frames as HTML tables, with a colour gradient on a chosen column.
//!
//! The gradient is coolwarm from the column's smallest to its largest value, centred
//! at zero when the column has both signs, as pandas' `background_gradient`.

use polars::prelude::{AnyValue, Column, DataFrame};

use super::color::{Rgb, coolwarm};
use super::escaping::one_line;
use super::html::{CARD_STROKE, FAINT_INK, INK, card, card_title};
use super::number::{decimals, float, grouped, leading_minus};
use super::{MimeBundle, Show, escape, shows_itself};
use crate::error::{Error, Result};

/// Longer cells are truncated; the whole text is shown on hover.
const MAX_CELL_CHARS: usize = 120;

/// A data frame that shows itself as a table.
///
/// ```
/// use holoscope::polars::prelude::*;
/// use holoscope::show::Table;
/// let frame = df!["token" => ["·the", "·king"], "feature" => [0.1, 2.3]]?;
/// let table = Table::new(frame).gradient("feature").head(20).caption("Top tokens");
/// table.evcxr_display();
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Table {
    /// What is shown.
    pub frame: DataFrame,
    /// The column that is coloured.
    pub gradient: Option<String>,
    /// The values at the ends of the gradient; `None`: the column's own.
    pub gradient_range: Option<(f64, f64)>,
    /// Maximum number of rows shown.
    pub max_rows: usize,
    /// A line above the table; no line if empty.
    pub caption: String,
}

impl Table {
    /// All columns and the first 25 rows, uncoloured.
    pub fn new(frame: DataFrame) -> Self {
        Self {
            frame,
            gradient: None,
            gradient_range: None,
            max_rows: 25,
            caption: String::new(),
        }
    }

    /// Colours a numeric column by its values.
    pub fn gradient(mut self, column: impl Into<String>) -> Self {
        self.gradient = Some(column.into());
        self
    }

    /// As [`Table::gradient`], from `lo` to `hi` rather than from the column's smallest to its
    /// largest value: for scores that have a natural range, so that 0.99 and 1.00 look alike.
    pub fn gradient_within(mut self, column: impl Into<String>, lo: f64, hi: f64) -> Self {
        self.gradient_range = Some((lo, hi));
        self.gradient(column)
    }

    /// Shows at most `n` rows, the first ones.
    pub fn head(mut self, n: usize) -> Self {
        self.max_rows = n;
        self
    }

    /// Sets the line above the table.
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    fn html(&self) -> Result<String> {
        let n_rows = self.frame.height().min(self.max_rows);
        let columns: Vec<Cells> = self
            .frame
            .columns()
            .iter()
            .map(|column| {
                let colored = self.gradient.as_deref() == Some(column.name().as_str());
                let range = self.gradient_range;
                let scale = match (colored, range) {
                    (false, _) => None,
                    (true, Some((lo, hi))) => Some(Scale { lo, hi }),
                    // The scale covers the whole column, including rows that are not shown.
                    (true, None) => scale(column)?,
                };
                Cells::new(column, n_rows, scale)
            })
            .collect::<Result<_>>()?;
        self.check_gradient()?;

        let mut body = card_title(&self.caption);
        // Notebooks style bare tables for their theme; this one keeps the card's style.
        body.push_str(&format!(
            "<table style=\"border-collapse:collapse;table-layout:auto;width:auto;border:0;margin:0;\
             color:{INK};font-size:13px;font-variant-numeric:tabular-nums\">\
             <thead><tr style=\"background:none\">"
        ));
        for cells in &columns {
            body.push_str(&format!(
                "<th style=\"padding:4px 10px;border:0;border-bottom:2px solid {CARD_STROKE};\
                 background:none;color:inherit;font-weight:600;text-align:{}\">{}</th>",
                cells.align(),
                escape(&cells.name)
            ));
        }
        body.push_str("</tr></thead><tbody>");
        for row in 0..n_rows {
            let stripe = if row % 2 == 1 { "#f3f3f0" } else { "none" };
            body.push_str(&format!("<tr style=\"background:{stripe}\">"));
            for cells in &columns {
                body.push_str(&cells.cell(row));
            }
            body.push_str("</tr>");
        }
        body.push_str("</tbody></table>");
        let hidden = self.frame.height() - n_rows;
        if hidden > 0 {
            body.push_str(&format!(
                "<div style=\"color:{FAINT_INK};font-size:12px;margin-top:6px\">{}</div>",
                more_rows(hidden)
            ));
        }
        Ok(card(&body))
    }

    fn check_gradient(&self) -> Result<()> {
        let Some(name) = &self.gradient else {
            return Ok(());
        };
        match self.frame.column(name) {
            Ok(column) if column.dtype().is_primitive_numeric() => Ok(()),
            Ok(column) => Err(Error::argument(
                "gradient",
                format!("{name:?}"),
                format!("a {} column has no gradient", column.dtype()),
            )),
            Err(_) => Err(Error::NotFound {
                kind: "column",
                name: name.clone(),
                known: self
                    .frame
                    .get_column_names()
                    .iter()
                    .map(|n| n.to_string())
                    .collect(),
            }),
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        if !self.caption.is_empty() {
            out.push_str(&self.caption);
            out.push('\n');
        }
        let shown = self.frame.head(Some(self.max_rows));
        out.push_str(&shown.to_string());
        let hidden = self.frame.height() - shown.height();
        if hidden > 0 {
            out.push('\n');
            out.push_str(&more_rows(hidden));
        }
        out
    }
}

shows_itself!(Table);

impl Show for Table {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::html(self.html()?, self.text()))
    }
}

fn more_rows(hidden: usize) -> String {
    let noun = if hidden == 1 { "row" } else { "rows" };
    format!("… {} more {noun}", grouped(&hidden.to_string()))
}

/// The cells of one column, formatted alike.
struct Cells {
    name: String,
    numeric: bool,
    texts: Vec<String>,
    fills: Vec<Option<Rgb>>,
}

impl Cells {
    fn new(column: &Column, n_rows: usize, scale: Option<Scale>) -> Result<Self> {
        let values: Vec<AnyValue> = (0..n_rows)
            .map(|row| column.get(row))
            .collect::<Result<_, _>>()?;
        let numbers: Vec<Option<f64>> = values.iter().map(number).collect();
        let decimals = decimals(&numbers);
        let texts = values
            .iter()
            .zip(&numbers)
            .map(|(value, number)| match (value, number) {
                (AnyValue::Null, _) => String::new(),
                (AnyValue::Float32(_) | AnyValue::Float64(_), Some(number)) => {
                    leading_minus(float(*number, decimals))
                }
                (AnyValue::String(text), _) => (*text).to_owned(),
                (AnyValue::StringOwned(text), _) => text.to_string(),
                (value, _) => value.to_string(),
            })
            .collect();
        let fills = numbers
            .iter()
            .map(|number| Some(scale?.color((*number)?)))
            .collect();
        Ok(Self {
            name: column.name().to_string(),
            numeric: column.dtype().is_primitive_numeric(),
            texts,
            fills,
        })
    }

    fn align(&self) -> &'static str {
        if self.numeric { "right" } else { "left" }
    }

    fn cell(&self, row: usize) -> String {
        let text = &self.texts[row];
        let color = match self.fills[row] {
            Some(fill) => format!("background:{};color:{}", fill.hex(), fill.ink().hex()),
            None => "color:inherit".to_owned(),
        };
        let hover = if text.chars().nth(MAX_CELL_CHARS).is_some() {
            format!(" title=\"{}\"", escape(text))
        } else {
            String::new()
        };
        format!(
            "<td{hover} style=\"padding:3px 10px;border:0;text-align:{};white-space:{};\
             {color}\">{}</td>",
            self.align(),
            if self.numeric {
                "nowrap"
            } else {
                "pre-wrap;overflow-wrap:anywhere"
            },
            escape(&one_line(text, MAX_CELL_CHARS))
        )
    }
}

fn number(value: &AnyValue) -> Option<f64> {
    if value.is_primitive_numeric() {
        value.extract::<f64>()
    } else {
        None
    }
}

/// How values become colours.
#[derive(Debug, Clone, Copy)]
struct Scale {
    lo: f64,
    hi: f64,
}

impl Scale {
    fn color(self, value: f64) -> Rgb {
        let span = self.hi - self.lo;
        if span <= 0.0 {
            return coolwarm(0.0);
        }
        coolwarm(2.0 * (value - self.lo) / span - 1.0)
    }
}

fn scale(column: &Column) -> Result<Option<Scale>> {
    let mut range: Option<(f64, f64)> = None;
    for row in 0..column.len() {
        if let Some(v) = number(&column.get(row)?).filter(|v| v.is_finite()) {
            let (lo, hi) = range.unwrap_or((v, v));
            range = Some((lo.min(v), hi.max(v)));
        }
    }
    Ok(range.map(|(lo, hi)| {
        if lo < 0.0 && hi > 0.0 {
            let most = hi.max(-lo);
            Scale {
                lo: -most,
                hi: most,
            }
        } else {
            Scale { lo, hi }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    #[test]
    fn an_unknown_or_textual_gradient_column_is_an_error() {
        let frame = df!["token" => ["a"], "x" => [1.0]].unwrap();
        let unknown = Table::new(frame.clone()).gradient("y").mime_bundle();
        assert_eq!(
            unknown.unwrap_err().to_string(),
            "no column named \"y\"; there are: token, x"
        );
        assert!(Table::new(frame).gradient("token").mime_bundle().is_err());
    }

    #[test]
    fn a_column_of_both_signs_is_centred_at_zero() {
        let frame = df!["x" => [-1.0, 0.0, 4.0]].unwrap();
        let scale = scale(frame.column("x").unwrap()).unwrap().unwrap();
        assert_eq!(scale.color(0.0), coolwarm(0.0));
        assert_eq!(scale.color(-4.0), coolwarm(-1.0));
    }

    #[test]
    fn a_fixed_range_keeps_close_values_close() {
        let frame = df!["x" => [0.99, 1.0, 1.5]].unwrap();
        let html = Table::new(frame)
            .gradient_within("x", -1.0, 1.0)
            .mime_bundle()
            .unwrap();
        let html = html.get("text/html").unwrap().to_owned();
        // 1.5 lies beyond the range and has the colour of its end.
        let ends = html.matches(&coolwarm(1.0).hex()).count();
        assert_eq!(ends, 2, "{html}");
        assert!(html.contains(&coolwarm(0.99).hex()), "{html}");
    }

    #[test]
    fn more_rows_are_counted() {
        let frame = df!["x" => (0..2000).collect::<Vec<i32>>()].unwrap();
        let bundle = Table::new(frame).head(3).mime_bundle().unwrap();
        assert!(
            bundle
                .get("text/html")
                .unwrap()
                .contains("… 1,997 more rows")
        );
        assert!(
            bundle
                .get("text/plain")
                .unwrap()
                .contains("… 1,997 more rows")
        );
    }
}
