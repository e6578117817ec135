//! Node attribution as a frame and as a map: components down, positions across.
//! Colour is the estimated change of the metric, centred at zero.

use super::node_attribution::NodeAttribution;
use crate::error::Result;
use crate::show::{ChartOptions, ColorScale, Figure, format_number, heatmap, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

impl NodeAttribution {
    /// One row a component and position: `node`, `position`, `score`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let all = || self.scores.iter();
        Ok(df![
            "node" => all().map(|s| s.node.to_string()).collect::<Vec<String>>(),
            "position" => all().map(|s| s.position as u32).collect::<Vec<u32>>(),
            "score" => all().map(|s| s.score).collect::<Vec<f64>>(),
        ]?)
    }

    /// Components down, positions across.
    ///
    /// # Errors
    /// When no score is finite.
    pub fn heatmap(&self) -> Result<Figure> {
        let of_nodes = || self.scores.chunk_by(|a, b| a.node == b.node);
        let names: Vec<String> = of_nodes().map(|s| s[0].node.to_string()).collect();
        let rows: Vec<Vec<f64>> = of_nodes()
            .map(|scores| scores.iter().map(|s| s.score).collect())
            .collect();
        let options = ChartOptions {
            z_label: "change of the metric".to_owned(),
            ..ChartOptions::new("Attribution patching of components", "position", "")
        };
        let caption = format!("Estimated by the gradient. Metric: {}.", self.metric_name);
        let options = options.caption(caption);
        heatmap(&rows, &[], &names, ColorScale::Diverging, &options)
    }
}

impl fmt::Display for NodeAttribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: clean {:.4}", self.metric_name, self.clean)?;
        for scores in self.scores.chunk_by(|a, b| a.node == b.node) {
            let most = scores
                .iter()
                .max_by(|a, b| a.score.abs().total_cmp(&b.score.abs()));
            if let Some(most) = most {
                let (score, position) = (format_number(most.score), most.position);
                write!(f, "\n{}: largest {score} at position {position}", most.node)?;
            }
        }
        Ok(())
    }
}

shows_itself!(NodeAttribution, |it| it.heatmap()?);
