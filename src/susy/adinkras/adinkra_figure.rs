//! The drawing of an adinkra: bosons open, fermions filled, arranged by height; a colour for each
//! supersymmetry, dashed for -1.
//! Nodes of a level are ordered by the mean place of their neighbours (Sugiyama, Tagawa and Toda,
//! IEEE Trans. Syst. Man Cybern. 11 (1981) 109), which leaves few crossings.
//! Source: the conventions of Faux and Gates, hep-th/0408004.

use crate::error::{Error, Result};
use crate::show::{
    ChartOptions, Figure, MimeBundle, NetworkLink, NetworkNode, Show, network, shows_itself,
};
use crate::susy::Adinkra;

/// More bosons than this are told in words.
const MAX_DRAWN: usize = 32;
/// Passes over the levels, up and down.
const SWEEPS: usize = 8;

impl Adinkra {
    /// Draws the adinkra. Empty options get a title, a vertical axis and a caption.
    ///
    /// ```
    /// use holoscope::show::ChartOptions;
    /// use holoscope::susy::{Adinkra, tensor};
    /// let figure = Adinkra::from_multiplet(&tensor())?.figure(&ChartOptions::default())?;
    /// assert!(figure.svg.contains("stroke-dasharray"));
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// More than 32 bosons.
    pub fn figure(&self, options: &ChartOptions) -> Result<Figure> {
        let (n, d) = (self.n_colours(), self.d());
        if d > MAX_DRAWN {
            return Err(Error::Draw {
                figure: "adinkra".to_owned(),
                reason: format!("{d} bosons are too many to tell apart, {MAX_DRAWN} at most"),
            });
        }
        let mut options = options.clone();
        let or = |text: &mut String, default: String| {
            if text.is_empty() {
                *text = default;
            }
        };
        or(&mut options.title, self.to_string());
        or(&mut options.y_label, "engineering height".to_owned());
        let caption = "Open circles are bosons, filled circles fermions; a dashed edge is −1.";
        or(&mut options.caption, caption.to_owned());
        let places = self.places();
        let nodes: Vec<NetworkNode> = (0..2 * d)
            .map(|node| {
                let (filled, i) = (node >= d, node % d + 1);
                let height = self.height_of(node);
                let kind = if filled { "fermion" } else { "boson" };
                NetworkNode {
                    x: places[node],
                    y: f64::from(height),
                    label: i.to_string(),
                    hover: format!("{kind} {i}, height {height}"),
                    filled,
                }
            })
            .collect();
        let mut links = Vec::with_capacity(n * d);
        for (name, (ends, dashed)) in self.fermion_of.iter().zip(&self.dashed).enumerate() {
            for (b, (&f, &dashed)) in ends.iter().zip(dashed).enumerate() {
                links.push(NetworkLink {
                    ends: [b, d + f as usize],
                    name,
                    dashed,
                });
            }
        }
        let names: Vec<String> = (1..=n).map(|i| format!("Q{i}")).collect();
        network(&nodes, &links, &names, &options)
    }

    /// Height of a node; bosons are counted first, then fermions.
    fn height_of(&self, node: usize) -> i32 {
        let d = self.d();
        if node < d {
            self.boson_heights[node]
        } else {
            self.fermion_heights[node - d]
        }
    }

    /// The nodes that an edge joins to a node.
    fn neighbours_of(&self, node: usize) -> Vec<usize> {
        let d = self.d();
        if node < d {
            self.fermion_of
                .iter()
                .map(|row| d + row[node] as usize)
                .collect()
        } else {
            self.boson_of
                .iter()
                .map(|row| row[node - d] as usize)
                .collect()
        }
    }

    /// A place across for each node: levels are centred, their nodes one unit apart.
    fn places(&self) -> Vec<f64> {
        let nodes = 2 * self.d();
        let lowest = (0..nodes).map(|v| self.height_of(v)).min().unwrap_or(0);
        let mut levels: Vec<Vec<usize>> = Vec::new();
        for v in 0..nodes {
            let level = (self.height_of(v) - lowest) as usize;
            levels.resize(levels.len().max(level + 1), Vec::new());
            levels[level].push(v);
        }
        let mut places = vec![0.0; nodes];
        levels.iter().for_each(|level| settle(level, &mut places));
        // A valise is read by its numbers, as the matrices are.
        if self.is_valise() {
            return places;
        }
        for sweep in 0..SWEEPS {
            for k in 0..levels.len() {
                let k = if sweep % 2 == 0 {
                    k
                } else {
                    levels.len() - 1 - k
                };
                let mean = |v: usize| {
                    let ends = self.neighbours_of(v);
                    let sum: f64 = ends.iter().map(|&e| places[e]).sum();
                    sum / ends.len().max(1) as f64
                };
                let mut keyed: Vec<(f64, usize)> =
                    levels[k].iter().map(|&v| (mean(v), v)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                levels[k] = keyed.into_iter().map(|(_, v)| v).collect();
                settle(&levels[k], &mut places);
            }
        }
        places
    }
}

/// Puts the nodes of a level one unit apart around 0.
fn settle(level: &[usize], places: &mut [f64]) {
    let middle = (level.len() as f64 - 1.0) / 2.0;
    for (k, &v) in level.iter().enumerate() {
        places[v] = k as f64 - middle;
    }
}

shows_itself!(Adinkra);

impl Show for Adinkra {
    /// Its drawing and a line of text; of more than 32 bosons the text only.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let text = self.to_string();
        if self.d() > MAX_DRAWN {
            return Ok(MimeBundle::plain(text));
        }
        let figure = self.figure(&ChartOptions::default())?;
        Ok(MimeBundle::svg(figure.svg, text))
    }
}
