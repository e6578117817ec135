//! Converts LaTeX to MathML that browsers draw as KaTeX would.
//!
//! The crate `katex-rs`, a port of KaTeX, parses the formulas; it supports KaTeX's
//! commands and refuses what KaTeX refuses. KaTeX's own MathML is for screen readers:
//! browsers leave out its boxes, strokes, column alignment and negative space, and give
//! operators other spaces than TeX. So [`builders`] and [`table`] build these parts,
//! and [`core`] converts the tree into what MathML Core and a few rules of CSS can
//! draw.
//!
//! Rules that differ from KaTeX's, because notebooks are written for MathJax:
//! - definitions hold for all later formulas of the page, and `\newcommand` may
//!   take the place of any command;
//! - `\label` numbers its equation, or its row of an environment, unless that
//!   has a `\tag` or `\notag`; nothing else is numbered;
//! - displays may be inside of a line of text; their tag then follows the formula.

mod alphabets;
mod builders;
mod context;
mod core;
mod definitions;
mod numbering;
mod parts;
mod spacing;
mod table;
#[cfg(test)]
mod tests;
mod tree;

use super::escape::Escaped;
use super::extract::Formula;
use katex::macro_expander::MacroMap;
use numbering::Numbering;
use std::fmt;

/// A formula, or a reference in one, that cannot be shown as intended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The formula as written, delimiters included.
    pub source: String,
    pub reason: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(f, "{source}: {}", self.reason)
    }
}

/// The mathematics of one page, with the definitions of its formulas so far.
pub struct Mathematics {
    macros: MacroMap,
    numbering: Numbering,
    faults: Vec<Fault>,
}

impl Default for Mathematics {
    fn default() -> Self {
        Mathematics {
            macros: definitions::initial(),
            numbering: Numbering::default(),
            faults: Vec::new(),
        }
    }
}

/// Whether a formula is only a reference, which is a link in the prose.
fn is_reference(formula: &Formula) -> bool {
    let latex = formula.latex.trim();
    let name = latex.strip_prefix("\\eqref{");
    let name = name.or_else(|| latex.strip_prefix("\\ref{"));
    name.and_then(|name| name.strip_suffix('}'))
        .is_some_and(|name| !name.contains(['{', '}', '\\']))
}

/// Formulas of more characters may be wider than a phone.
const SCROLLS_FROM: usize = 40;

impl Mathematics {
    /// The formula as a `<math>` element; empty for one that only defines commands; for
    /// one that cannot be drawn, its source with the reason.
    ///
    /// References to equations are filled in by [`Mathematics::finish`].
    pub fn render(&mut self, formula: &Formula) -> String {
        match self.convert(formula) {
            Ok(math) if math.is_empty() => math,
            Ok(math) if is_reference(formula) => numbering::reference(&math).unwrap_or(math),
            Ok(math) if formula.display => {
                // Formulas that scroll on a phone must be reachable by keyboard.
                let reached = match formula.source.chars().count() > SCROLLS_FROM {
                    true => " tabindex=\"0\"",
                    false => "",
                };
                format!("<span class=\"math-display\"{reached}>{math}</span>")
            }
            Ok(math) => math,
            Err(reason) => {
                let html = format!(
                    "<span class=\"math-error\" title=\"{}\"><code>{}</code></span>",
                    Escaped(&reason),
                    Escaped(&formula.source)
                );
                self.fault(&formula.source, reason);
                html
            }
        }
    }

    /// The number and the anchor of the equation of that label.
    pub fn equation(&self, label: &str) -> Option<(String, String)> {
        self.numbering.found(label)
    }

    /// The page with its references filled in, and every distinct fault, in the
    /// order of the page.
    pub fn finish(mut self, html: &str) -> (String, Vec<Fault>) {
        let (html, missing) = self.numbering.resolve(html);
        for (source, reason) in missing {
            self.fault(&source, reason);
        }
        (html, self.faults)
    }

    fn convert(&mut self, formula: &Formula) -> Result<String, String> {
        let numbering = &self.numbering;
        let drawn = context::read(&formula.latex, formula.display, &mut self.macros, |tree| {
            let mut conversion = core::Conversion::new(numbering, formula);
            let body = conversion.formula(tree)?;
            let html = tree::math(&body, &formula.latex, formula.display);
            Ok((html, conversion.into_added()))
        })?;
        let Some((html, added)) = drawn else {
            return Ok(String::new());
        };
        self.numbering.add(added);
        Ok(html)
    }

    fn fault(&mut self, source: &str, reason: String) {
        let fault = Fault {
            source: source.to_owned(),
            reason,
        };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}
