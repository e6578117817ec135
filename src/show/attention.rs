//! Attention patterns: one small heat map per head, queries down and keys across.
//!
//! Cell (q, k) is `pattern[head][q][k]`, the softmax weight with which position q
//! attends to position k; a row sums to one. Colour follows its square root.

use std::fmt::Write;

use super::color::{MISSING, Rgb};
use super::escaping::one_line;
use super::html::{FAINT_INK, INK, card, card_title};
use super::tokens::visible_token;
use super::{MimeBundle, Show, escape, format_number, png, shows_itself};
use crate::error::{Error, Result};

/// Side of a head's map in pixels.
const SIDE: f64 = 240.0;
/// Longer sequences show tokens only on hover, not next to the map.
const MAX_NAMED: usize = 24;
/// Longer sequences are averaged in blocks.
const MAX_SIDE: usize = 128;

/// The attention of every head of a layer over one sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionView {
    /// The tokens' strings, `[pos]`.
    pub str_tokens: Vec<String>,
    /// Attention weights `[n_heads, q, k]`.
    pub pattern: Vec<Vec<Vec<f32>>>,
    /// A line above the maps; no line if empty.
    pub title: String,
}

impl AttentionView {
    /// A view of `pattern`, `[n_heads, pos, pos]` (what candle's `to_vec3` gives).
    ///
    /// # Errors
    /// When the number of a head's rows or columns differs from that of the tokens.
    pub fn new(str_tokens: Vec<String>, pattern: Vec<Vec<Vec<f32>>>) -> Result<Self> {
        let n = str_tokens.len();
        for (head, map) in pattern.iter().enumerate() {
            let columns = map.iter().map(Vec::len).find(|columns| *columns != n);
            if map.len() != n || columns.is_some() {
                return Err(Error::shape(
                    format!("the attention pattern of head {head}"),
                    [n, n],
                    [map.len(), columns.unwrap_or(n)],
                ));
            }
        }
        Ok(Self {
            str_tokens,
            pattern,
            title: String::new(),
        })
    }

    /// Sets the line above the maps.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    fn html(&self) -> Result<String> {
        let mut body = card_title(&self.title);
        let _ = write!(
            body,
            "<div style=\"color:{FAINT_INK};font-size:12px\">rows: query (from), columns: key (to); \
             \
             white 0, dark blue 1, square-root scale; hover over a row to read its largest weights{}</div>\
             <div style=\"display:flex;flex-wrap:wrap;gap:10px\">",
            match self.n_not_finite() {
                0 => String::new(),
                n => format!("; grey: NaN or infinite, {n} weights"),
            }
        );
        for (head, map) in self.pattern.iter().enumerate() {
            body.push_str(&self.head_svg(head, map)?);
        }
        body.push_str("</div>");
        Ok(card(&body))
    }

    fn n_not_finite(&self) -> usize {
        let weights = self.pattern.iter().flatten().flatten();
        weights.filter(|w| !w.is_finite()).count()
    }

    fn head_svg(&self, head: usize, map: &[Vec<f32>]) -> Result<String> {
        let n = map.len();
        let named = n <= MAX_NAMED;
        let (left, top) = if named { (78.0, 22.0) } else { (6.0, 22.0) };
        let bottom = if named { 80.0 } else { 6.0 };
        let cell = SIDE / n.max(1) as f64;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"Attention pattern of head {head}\" \
             font-family=\"system-ui,sans-serif\" font-size=\"11\" fill=\"{INK}\">\
             <text x=\"{left}\" y=\"15\" font-size=\"12\" font-weight=\"600\">head {head}</text>\
             <image x=\"{left}\" y=\"{top}\" width=\"{SIDE}\" height=\"{SIDE}\" \
             preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" href=\"{}\"/>\
             <rect x=\"{left}\" y=\"{top}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" \
             stroke=\"#9aa0a6\" stroke-width=\".6\"/>",
            picture(map)?,
            w = left + SIDE + 6.0,
            h = top + SIDE + bottom,
        );
        for (q, row) in map.iter().enumerate() {
            let y = top + cell * q as f64;
            let _ = write!(
                svg,
                "<rect x=\"{left}\" y=\"{y:.1}\" width=\"{SIDE}\" height=\"{cell:.1}\" \
                 fill-opacity=\"0\"><title>{}</title></rect>",
                escape(&self.row_text(q, row))
            );
            if named {
                let token = escape(&one_line(&visible_token(&self.str_tokens[q]), 10));
                let middle = y + cell / 2.0 + 4.0;
                let x = left + cell * (q as f64 + 0.5) + 4.0;
                let below = top + SIDE + 6.0;
                let _ = write!(
                    svg,
                    "<text x=\"{:.0}\" y=\"{middle:.1}\" text-anchor=\"end\">{token}</text>\
                     <text x=\"{x:.1}\" y=\"{below:.0}\" text-anchor=\"end\" \
                     transform=\"rotate(-90 {x:.1} {below:.0})\">{token}</text>",
                    left - 5.0,
                );
            }
        }
        svg.push_str("</svg>");
        Ok(svg)
    }

    /// `12 ·king attends to: 10 ·the 0.51, 12 ·king 0.20, 0 <|endoftext|> 0.11`.
    fn row_text(&self, q: usize, row: &[f32]) -> String {
        let shown = |k: &usize| row[*k] > 0.0 || row[*k].is_nan();
        let mut order: Vec<usize> = (0..row.len()).filter(shown).collect();
        // NaN, of either sign, sorts before all weights.
        order.sort_by(|a, b| row[*b].abs().total_cmp(&row[*a].abs()));
        let name = |i: usize| format!("{i} {}", one_line(&visible_token(&self.str_tokens[i]), 16));
        let largest: Vec<String> = order
            .iter()
            .take(3)
            .map(|&k| format!("{} {:.2}", name(k), row[k]))
            .collect();
        format!("{} attends to: {}", name(q), largest.join(", "))
    }

    fn text(&self) -> String {
        let mut out = format!(
            "{}{}attention patterns of {} heads over {} tokens",
            self.title,
            if self.title.is_empty() { "" } else { ": " },
            self.pattern.len(),
            self.str_tokens.len()
        );
        for (head, map) in self.pattern.iter().enumerate() {
            let diagonal: f32 = map.iter().enumerate().map(|(q, row)| row[q]).sum();
            let mean = f64::from(diagonal) / map.len().max(1) as f64;
            let _ = write!(
                out,
                "\nhead {head}: mean weight on itself {}",
                format_number(mean)
            );
        }
        out
    }
}

shows_itself!(AttentionView);

impl Show for AttentionView {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::html(self.html()?, self.text()))
    }
}

/// A map as a picture with one pixel per cell (per block of cells in long sequences).
fn picture(map: &[Vec<f32>]) -> Result<String> {
    let block = map.len().div_ceil(MAX_SIDE).max(1);
    let side = map.len().div_ceil(block);
    // The last colour is for values that are not finite, if there are any.
    let finite = map.iter().flatten().all(|w| w.is_finite());
    let last: u8 = if finite { 255 } else { 254 };
    let mut pixels = Vec::with_capacity(side * side);
    for rows in map.chunks(block) {
        for start in (0..map.len()).step_by(block) {
            let end = (start + block).min(map.len());
            let sum: f32 = rows.iter().flat_map(|row| &row[start..end]).sum();
            let mean = sum / (rows.len() * (end - start)) as f32;
            // A square root, because most weights are small.
            let level = (mean.clamp(0.0, 1.0).sqrt() * f32::from(last)).round();
            pixels.push(match mean.is_finite() {
                true => level as u8,
                false => 255,
            });
        }
    }
    let level = |i| f64::from(i) / f64::from(last);
    let palette: Vec<Rgb> = (0..=last)
        .map(|i| Rgb(255, 255, 255).mix(Rgb(8, 48, 107), level(i)))
        .chain((!finite).then_some(MISSING))
        .collect();
    png::data_uri(side, &palette, &pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causal(n: usize) -> Vec<Vec<f32>> {
        (0..n)
            .map(|q| {
                (0..n)
                    .map(|k| if k <= q { 1.0 / (q + 1) as f32 } else { 0.0 })
                    .collect()
            })
            .collect()
    }

    fn tokens(n: usize) -> Vec<String> {
        (0..n).map(|i| format!(" <t{i}>")).collect()
    }

    #[test]
    fn a_pattern_of_another_size_is_an_error() {
        let error = AttentionView::new(tokens(2), vec![causal(3)]).unwrap_err();
        assert!(error.to_string().contains("head 0"), "{error}");
    }

    #[test]
    fn a_row_names_its_largest_weights() {
        let view = AttentionView::new(tokens(3), vec![causal(3)]).unwrap();
        assert_eq!(
            view.row_text(1, &[0.25, 0.75, 0.0]),
            "1 ·<t1> attends to: 1 ·<t1> 0.75, 0 ·<t0> 0.25"
        );
        assert_eq!(
            view.row_text(1, &[0.25, -f32::NAN, 0.0]),
            "1 ·<t1> attends to: 1 ·<t1> NaN, 0 ·<t0> 0.25"
        );
    }

    #[test]
    fn a_weight_that_is_nan_is_grey_and_counted() {
        let mut map = causal(3);
        let finite = AttentionView::new(tokens(3), vec![map.clone()]).unwrap();
        assert!(!finite.html().unwrap().contains("grey"));
        map[1][0] = f32::NAN;
        let view = AttentionView::new(tokens(3), vec![map.clone()]).unwrap();
        assert!(
            view.html()
                .unwrap()
                .contains("grey: NaN or infinite, 1 weights")
        );
        // A different pixel from that of weight 0.
        let nan = picture(&map).unwrap();
        map[1][0] = 0.0;
        assert_ne!(nan, picture(&map).unwrap());
    }

    #[test]
    fn tokens_are_escaped_and_a_long_view_stays_small() {
        let view = AttentionView::new(tokens(128), vec![causal(128); 4]).unwrap();
        let html = view.html().unwrap();
        assert!(!html.contains("<t1"));
        assert!(html.len() < 250_000, "{}", html.len());
    }
}
