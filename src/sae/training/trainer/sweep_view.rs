//! A sweep as a frame and as a chart: explained variance against L0, one marker per kind of autoencoder.

use super::sweep::{SaeSweep, SweepRow};
use crate::error::Result;
use crate::show::{
    ChartOptions, Figure, LabelledPoint, LabelledSeries, MimeBundle, Show, format_number,
    labelled_scatter, shows_itself,
};
use polars::prelude::{DataFrame, df};
use std::fmt;

impl SaeSweep {
    /// One row per autoencoder, with the fields of [`SweepRow`].
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let rows = self.rows();
        let text = |of: fn(&SweepRow) -> &str| rows.iter().map(of).collect::<Vec<&str>>();
        let numbers = |of: fn(&SweepRow) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
        let counts = |of: fn(&SweepRow) -> usize| -> Vec<u32> {
            rows.iter().map(|row| of(row) as u32).collect()
        };
        Ok(df![
            "run" => counts(|r| r.run),
            "architecture" => text(|r| &r.architecture),
            "sparsity_setting" => text(|r| &r.sparsity_setting),
            "sparsity" => numbers(|r| r.sparsity),
            "d_sae" => counts(|r| r.d_sae),
            "lr" => numbers(|r| r.lr),
            "steps" => counts(|r| r.steps),
            "l0" => numbers(|r| r.l0),
            "explained_variance" => numbers(|r| r.explained_variance),
            "l2" => numbers(|r| r.l2),
            "dead_share" => numbers(|r| r.dead_share),
            "score" => rows.iter().map(|r| r.score).collect::<Vec<Option<f64>>>(),
        ]?)
    }

    /// Explained variance against L0: one point per autoencoder, labelled with its sparsity setting, one
    /// colour and marker per architecture and width, joined in the order of L0.
    ///
    /// # Errors
    /// [`crate::Error::Draw`] when there is no finite point.
    pub fn figure(&self) -> Result<Figure> {
        let rows = self.rows();
        let several_widths = rows.iter().any(|row| row.d_sae != rows[0].d_sae);
        let mut series: Vec<LabelledSeries> = Vec::new();
        for row in &rows {
            let name = match several_widths {
                true => format!("{}, d_sae {}", row.architecture, row.d_sae),
                false => row.architecture.clone(),
            };
            let point = LabelledPoint {
                x: row.l0,
                y: row.explained_variance,
                label: format_number(row.sparsity),
            };
            match series.iter_mut().find(|series| series.name == name) {
                Some(series) => series.points.push(point),
                None => series.push(LabelledSeries {
                    name,
                    points: vec![point],
                }),
            }
        }
        for series in &mut series {
            series.points.sort_by(|a, b| a.x.total_cmp(&b.x));
        }
        let options = ChartOptions::new(
            "Explained variance against sparsity",
            "L0 (active features a token)",
            "explained variance (share)",
        )
        .caption(
            "Means over the last tenth of training. Numbers at the points: k, the weight of the sparsity loss, or what ends a pursuit.",
        );
        labelled_scatter(&series, &options)
    }
}

impl fmt::Display for SaeSweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} autoencoders in one pass, {:.1} s",
            self.runs.len(),
            self.seconds
        )?;
        for row in self.rows() {
            write!(
                f,
                "\n{} {} ({} = {}, d_sae {}): L0 {:.1}, explained variance {:.3}, dead {:.1} %",
                row.run,
                row.architecture,
                row.sparsity_setting,
                format_number(row.sparsity),
                row.d_sae,
                row.l0,
                row.explained_variance,
                100.0 * row.dead_share,
            )?;
        }
        Ok(())
    }
}

shows_itself!(SaeSweep);

impl Show for SaeSweep {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let text = self.to_string();
        Ok(self.figure()?.mime_bundle()?.with("text/plain", text))
    }
}
