//! Patches as a frame and as heat maps: layers or heads down, positions across.
//! Colour is the effect, centred at zero: 1 restores the clean run, 0 changes nothing.
//! Source: the figures of TransformerLens' activation patching demo.

use super::input::head_label;
use super::patching::{ActivationPatching, Patch, PatchSite};
use crate::error::{Error, Result};
use crate::show::{ChartOptions, ColorScale, Figure, heatmap, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

impl fmt::Display for PatchSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PatchSite::ResidPre => "resid_pre",
            PatchSite::AttnOut => "attn_out",
            PatchSite::MlpOut => "mlp_out",
            PatchSite::Z => "z",
            PatchSite::ZAllPositions => "z, all positions",
        })
    }
}

impl ActivationPatching {
    /// One row a patch: `site`, `layer`, `head` (null but for `z`), `position` (null for all
    /// positions), `metric`, `effect`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let all = || self.patches.iter();
        let number = |n: Option<usize>| n.map(|n| n as u32);
        Ok(df![
            "site" => all().map(|p| p.site.to_string()).collect::<Vec<String>>(),
            "layer" => all().map(|p| p.layer as u32).collect::<Vec<u32>>(),
            "head" => all().map(|p| number(p.head)).collect::<Vec<Option<u32>>>(),
            "position" => all().map(|p| number(p.position)).collect::<Vec<Option<u32>>>(),
            "metric" => all().map(|p| p.metric).collect::<Vec<f64>>(),
            "effect" => all().map(|p| p.effect).collect::<Vec<f64>>(),
        ]?)
    }

    /// The sites patched, in order.
    pub fn sites(&self) -> Vec<PatchSite> {
        let mut sites = Vec::new();
        for patch in &self.patches {
            if !sites.contains(&patch.site) {
                sites.push(patch.site);
            }
        }
        sites
    }

    /// The effects at one site: layers (for `z` heads) down, positions across; for
    /// [`PatchSite::ZAllPositions`] layers down, heads across.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a site that was not patched.
    pub fn heatmap(&self, site: PatchSite) -> Result<Figure> {
        if !self.sites().contains(&site) {
            return Err(Error::NotFound {
                kind: "patched site",
                name: site.to_string(),
                known: self.sites().iter().map(PatchSite::to_string).collect(),
            });
        }
        if site == PatchSite::ZAllPositions {
            return self.map(&[site], "head", |p| format!("L{}", p.layer));
        }
        self.map(&[site], "position", |p| match p.head {
            Some(head) => head_label(p.layer, head),
            None => format!("L{}", p.layer),
        })
    }

    /// A map of several sites, whose rows are told apart by their names and stand together.
    fn map(
        &self,
        sites: &[PatchSite],
        x_label: &str,
        row_name: impl Fn(&Patch) -> String,
    ) -> Result<Figure> {
        let (mut names, mut rows): (Vec<String>, Vec<Vec<f64>>) = (Vec::new(), Vec::new());
        for patch in self.patches.iter().filter(|p| sites.contains(&p.site)) {
            let name = row_name(patch);
            if names.last() != Some(&name) {
                names.push(name);
                rows.push(Vec::new());
            }
            if let Some(row) = rows.last_mut() {
                row.push(patch.effect);
            }
        }
        let of: Vec<String> = sites.iter().map(PatchSite::to_string).collect();
        let title = format!("Activation patching of {}", of.join(", "));
        let options = ChartOptions {
            z_label: "effect".to_owned(),
            ..ChartOptions::new(&title, x_label, "")
        };
        let caption = format!(
            "1: the metric of the clean run, {:.3}; 0: that of the corrupted run, {:.3}. Metric: {}.",
            self.clean, self.corrupted, self.metric_name
        );
        let options = options.caption(caption);
        heatmap(&rows, &[], &names, ColorScale::Diverging, &options)
    }

    /// All sites that are patched by position in one map; the heads' where there is no other.
    fn overview(&self) -> Result<Figure> {
        let mut sites = self.sites();
        sites.retain(|&site| site != PatchSite::ZAllPositions);
        if sites.is_empty() {
            return self.heatmap(PatchSite::ZAllPositions);
        }
        self.map(&sites, "position", |p| match p.head {
            Some(head) => format!("{} {}", p.site, head_label(p.layer, head)),
            None => format!("{} L{}", p.site, p.layer),
        })
    }
}

impl fmt::Display for ActivationPatching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} patches; {}: clean {:.4}, corrupted {:.4}",
            self.patches.len(),
            self.metric_name,
            self.clean,
            self.corrupted
        )?;
        for site in self.sites() {
            let of_site = self.patches.iter().filter(|p| p.site == site);
            let most = of_site.max_by(|a, b| a.effect.abs().total_cmp(&b.effect.abs()));
            let Some(most) = most else { continue };
            write!(
                f,
                "\n{site}: largest effect {:.3} at layer {}",
                most.effect, most.layer
            )?;
            if let Some(head) = most.head {
                write!(f, ", head {head}")?;
            }
            if let Some(position) = most.position {
                write!(f, ", position {position}")?;
            }
        }
        Ok(())
    }
}

shows_itself!(ActivationPatching, |it| it.overview()?);
