//! Colours of a heat map's values, and the colour bar that explains them.

use std::fmt::Write;

use super::axis::place;
use super::plot::{Plot, UNIT};
use crate::show::color::{MISSING, Rgb, coolwarm, viridis};
use crate::show::escaping::{escape, one_line};
use crate::show::html::{CARD_FILL, FAINT_INK};
use crate::show::number::{Mark, linear_marks, text_width};

/// How the values of a heat map become colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorScale {
    /// Signed values: blue below zero, near white at zero, red above.
    #[default]
    Diverging,
    /// From the smallest to the largest value: viridis, dark to light.
    Sequential,
}

/// The background of the cells.
const CARD: Rgb = Rgb::of_hex(CARD_FILL);

/// Number of colours in a picture; the next index is for missing values, the one after for empty cells.
pub(super) const LEVELS: usize = 254;

/// The scale with the span of the values.
pub(super) struct Colors {
    scale: ColorScale,
    lo: f64,
    hi: f64,
    pub least: f64,
    pub most: f64,
}

impl Colors {
    pub(super) fn new(values: impl Iterator<Item = f64>, scale: ColorScale) -> Option<Self> {
        let (least, most) = values
            .filter_map(|v| place(v, false))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| {
                (lo.min(v), hi.max(v))
            });
        if least > most {
            return None;
        }
        let (lo, hi) = match scale {
            ColorScale::Diverging => {
                let size = most.max(-least);
                let size = if size > 0.0 { size } else { 1.0 };
                (-size, size)
            }
            ColorScale::Sequential if most > least => (least, most),
            ColorScale::Sequential => (least, least + least.abs().max(1.0)),
        };
        Some(Self {
            scale,
            lo,
            hi,
            least,
            most,
        })
    }

    /// The place of a value on the scale, 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        (value - self.lo) / (self.hi - self.lo)
    }

    pub(super) fn at(&self, place: f64) -> Rgb {
        match self.scale {
            ColorScale::Diverging => coolwarm(2.0 * place - 1.0),
            ColorScale::Sequential => viridis(place),
        }
    }

    pub(super) fn palette(&self) -> Vec<Rgb> {
        let level = |i| self.at(i as f64 / (LEVELS - 1) as f64);
        (0..LEVELS).map(level).chain([MISSING, CARD]).collect()
    }
}

/// Number of colour strips in a bar.
const STRIPS: usize = 48;

/// The colour bar to the right of a heat map.
pub(super) struct ColorBar {
    marks: Vec<Mark>,
    /// Pixels of the widest tick label.
    widest: f64,
    label: String,
}

impl ColorBar {
    pub(super) fn new(colors: &Colors, label: &str) -> Self {
        let marks = linear_marks(colors.lo, colors.hi, 5);
        let widths = marks.iter().map(|mark| tick_width(&mark.label));
        Self {
            widest: widths.fold(0.0, f64::max),
            marks,
            label: one_line(label, 50),
        }
    }

    /// The bar's width with its labels, in pixels.
    pub(super) fn pixels(&self) -> f64 {
        36.0 + self.widest + if self.label.is_empty() { 0.0 } else { 24.0 }
    }

    /// Draws it right of a chart's area.
    pub(super) fn draw(&self, plot: &mut Plot, colors: &Colors) {
        let [_, top, right, bottom] = plot.area;
        let (x, wide, high) = (right + 140.0, 140.0, bottom - top);
        let mut out = String::from("<g shape-rendering=\"crispEdges\">");
        for i in 0..STRIPS {
            let y0 = (top + high * i as f64 / STRIPS as f64).round();
            let y1 = (top + high * (i + 1) as f64 / STRIPS as f64).round();
            let fill = colors.at(1.0 - (i as f64 + 0.5) / STRIPS as f64);
            let _ = write!(
                out,
                "<rect x=\"{x:.0}\" y=\"{y0}\" width=\"{wide}\" height=\"{}\" fill=\"{}\"/>",
                y1 - y0,
                fill.hex()
            );
        }
        out.push_str("</g>");
        let text_x = x + wide + 50.0;
        for mark in &self.marks {
            let y = bottom - high * colors.place(mark.at);
            let _ = write!(
                out,
                "<path d=\"M{:.0} {y:.0}h30\" stroke=\"{FAINT_INK}\" stroke-width=\"10\"/>\
                 <text x=\"{text_x:.0}\" y=\"{:.0}\" font-size=\"115\" fill=\"{FAINT_INK}\">{}</text>",
                x + wide,
                y + 40.0,
                mark.label
            );
        }
        if !self.label.is_empty() {
            let (x, y) = (text_x + self.widest * UNIT + 170.0, (top + bottom) / 2.0);
            let _ = write!(
                out,
                "<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"middle\" font-size=\"125\" \
                 transform=\"rotate(-90 {x:.0} {y:.0})\">{}</text>",
                escape(&self.label)
            );
        }
        plot.overlay.push_str(&out);
    }
}

/// Upper bound of the width of a tick's label, in pixels: digits and the minus sign are taken to be as wide as in
/// DejaVu Sans, the widest of the usual fonts (0.636 and 0.838 of the font's size). The bar's label must not overlap
/// the ticks' labels in any font of the page.
fn tick_width(label: &str) -> f64 {
    const FONT_PX: f64 = 11.5;
    let width = |c: char| match c {
        '0'..='9' => 0.64 * FONT_PX,
        '−' => 0.84 * FONT_PX,
        c => text_width(c.encode_utf8(&mut [0; 4]), FONT_PX),
    };
    label.chars().map(width).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_has_room_in_the_widest_font() {
        // Advance widths of DejaVu Sans at 11.5 px: minus 0.838, digits 0.636, full stop half of that.
        for (label, em) in [
            ("−0.0005", 0.838 + 5.5 * 0.636),
            ("12,000", 5.5 * 0.636),
            ("0", 0.636),
        ] {
            let room = tick_width(label);
            assert!(
                (11.5 * em..11.5 * em + 3.0).contains(&room),
                "{label}: {room}"
            );
        }
    }

    #[test]
    fn a_diverging_scale_is_centred_at_zero() {
        let colors = Colors::new([-1.0, 4.0].into_iter(), ColorScale::Diverging).unwrap();
        assert_eq!(colors.at(colors.place(0.0)), coolwarm(0.0));
        assert_eq!((colors.lo, colors.hi), (-4.0, 4.0));
    }
}
