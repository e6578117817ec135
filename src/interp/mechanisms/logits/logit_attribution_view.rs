//! A logit attribution as a frame, as bars and as a map of heads.
//! Labels are TransformerLens': `embed`, `L0H1`, `0_mlp_out`, `bias`.
//! Source: TransformerLens' `get_full_resid_decomposition`.

use super::logit_attribution::{LogitAttribution, LogitComponent, LogitContribution};
use crate::error::Result;
use crate::interp::mechanisms::input::head_label;
use crate::show::{
    ChartOptions, ColorScale, Figure, bar_chart, format_number, heatmap, shows_itself,
};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// Bars that a chart shows at most.
const MAX_BARS: usize = 30;

impl fmt::Display for LogitComponent {
    /// TransformerLens' label: `embed`, `L0H1`, `0_mlp_out`, `bias`; the others by their parameter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            LogitComponent::Embed => f.write_str("embed"),
            LogitComponent::PosEmbed => f.write_str("pos_embed"),
            LogitComponent::Head { layer, head } => f.write_str(&head_label(layer, head)),
            LogitComponent::MlpOut { layer } => write!(f, "{layer}_mlp_out"),
            LogitComponent::AttnBias => f.write_str("bias"),
            LogitComponent::LnFinalBias => f.write_str("ln_final.b"),
            LogitComponent::UnembedBias => f.write_str("unembed.b_U"),
        }
    }
}

impl LogitAttribution {
    /// The sum of all parts: `logit` up to rounding.
    pub fn sum(&self) -> f64 {
        self.contributions.iter().map(|c| c.value).sum()
    }

    /// One row a component, in the order of computation: `component` (its label), `layer` and `head`
    /// (null where there is none), `value`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let (mut layers, mut heads) = (Vec::new(), Vec::new());
        for c in &self.contributions {
            let (layer, head) = match c.component {
                LogitComponent::Head { layer, head } => (Some(layer as u32), Some(head as u32)),
                LogitComponent::MlpOut { layer } => (Some(layer as u32), None),
                _ => (None, None),
            };
            layers.push(layer);
            heads.push(head);
        }
        let labels = self.contributions.iter().map(|c| c.component.to_string());
        let values = self.contributions.iter().map(|c| c.value);
        Ok(df![
            "component" => labels.collect::<Vec<String>>(),
            "layer" => layers,
            "head" => heads,
            "value" => values.collect::<Vec<f64>>(),
        ]?)
    }

    /// What is taken apart: `logit of 5`, or `logit of 5 minus logit of 7`.
    fn subject(&self) -> String {
        match self.against {
            None => format!("logit of {}", self.answer),
            Some(other) => format!("logit of {} minus logit of {other}", self.answer),
        }
    }

    /// Bars of the components, in the order of computation; of more than 30, those of largest
    /// magnitude.
    ///
    /// # Errors
    /// When no value is finite.
    pub fn bars(&self) -> Result<Figure> {
        let mut order: Vec<usize> = (0..self.contributions.len()).collect();
        let size = |i: usize| self.contributions[i].value.abs();
        order.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
        order.truncate(MAX_BARS);
        order.sort_unstable();
        let parts: Vec<LogitContribution> = order.iter().map(|&i| self.contributions[i]).collect();
        let labels: Vec<String> = parts.iter().map(|c| c.component.to_string()).collect();
        let values: Vec<f64> = parts.iter().map(|c| c.value).collect();
        let title = format!("Direct logit attribution at position {}", self.position);
        let mut options = ChartOptions::new(&title, &self.subject(), "");
        let (shown, all) = (parts.len(), self.contributions.len());
        if shown < all {
            options = options.caption(format!("The {shown} largest of {all} components."));
        }
        bar_chart(&labels, &values, &options)
    }

    /// What each head adds, layers down and heads across.
    ///
    /// # Errors
    /// When the model has no block, or no value is finite.
    pub fn head_heatmap(&self) -> Result<Figure> {
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for c in &self.contributions {
            if let LogitComponent::Head { layer, .. } = c.component {
                rows.resize_with(layer + 1, Vec::new);
                rows[layer].push(c.value);
            }
        }
        let title = format!("What each head adds at position {}", self.position);
        let options = ChartOptions {
            z_label: self.subject(),
            ..ChartOptions::new(&title, "head", "layer")
        };
        heatmap(&rows, &[], &[], ColorScale::Diverging, &options)
    }
}

impl fmt::Display for LogitAttribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, position) = (self.subject(), self.position);
        write!(f, "{subject} at position {position}: {:.4}", self.logit)?;
        for c in &self.contributions {
            write!(f, "\n{}: {}", c.component, format_number(c.value))?;
        }
        Ok(())
    }
}

shows_itself!(LogitAttribution, |it| it.bars()?);
