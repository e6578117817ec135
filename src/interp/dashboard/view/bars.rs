//! A histogram as a small picture: bars, both ends of the axis, the largest count.

use super::super::bins::BinCounts;
use super::sheet::Sheet;
use crate::show::escape;

/// Size of the picture and of the part with the bars.
const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 92.0;
const TOP: f64 = 16.0;
const BASE: f64 = 76.0;

/// The histogram of `things`, such as "tokens"; `log`: heights are `log10(1 + count)`.
pub(super) fn bars(sheet: Sheet, bins: &BinCounts, things: &str, log: bool) -> String {
    let Some((lo, hi)) = bins.range() else {
        return String::new();
    };
    let height = |count: f64| match log {
        true => (1.0 + count.max(0.0)).log10(),
        false => count.max(0.0),
    };
    let full = height(bins.largest());
    let step = WIDTH / bins.counts.len() as f64;
    let mut path = String::new();
    for (i, &count) in bins.counts.iter().enumerate().filter(|(_, c)| **c > 0.0) {
        // No bar is so low that it is not seen.
        let tall = ((BASE - TOP) * height(count) / full).max(1.0);
        path.push_str(&format!(
            "M{:.1} {BASE}v-{tall:.1}h{:.1}v{tall:.1}z",
            i as f64 * step + 0.5,
            (step - 1.0).max(0.5)
        ));
    }
    let scale = if log { " (logarithmic height)" } else { "" };
    let most = format!("tallest bar: {} {things}{scale}", count(bins.largest()));
    let text = |x: f64, y: f64, anchor: &str, text: &str| {
        format!(
            "<text x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>",
            escape(text)
        )
    };
    let middle = (lo + hi) / 2.0;
    let mut labels = text(0.0, 11.0, "start", &most) + &text(0.0, 89.0, "start", &short(lo));
    if hi > lo {
        labels += &text(WIDTH / 2.0, 89.0, "middle", &short(middle));
        labels += &text(WIDTH, 89.0, "end", &short(hi));
    }
    format!(
        "<svg{} viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\" font-size=\"11\" \
         font-family=\"system-ui,sans-serif\" fill=\"currentColor\"><path d=\"{path}\" fill=\"{}\"/>\
         <path d=\"M0 {BASE}.5H{WIDTH}\" stroke=\"currentColor\" fill=\"none\"/>{labels}</svg>",
        sheet.look("svg"),
        escape(&format!(
            "Histogram from {} to {}: {most}",
            short(lo),
            short(hi)
        )),
        sheet.bar(),
    )
}

/// A number with three significant digits and a real minus sign.
pub(super) fn short(value: f64) -> String {
    let text = match value.abs() {
        size if !value.is_finite() || size == 0.0 => crate::show::format_number(value),
        size if !(1e-3..1e6).contains(&size) => format!("{value:.1e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    };
    match text.strip_prefix('-') {
        Some(size) => format!("−{size}"),
        None => text,
    }
}

/// A count; with decimals only where it is none, as in a file whose bars are shares.
fn count(value: f64) -> String {
    match value.fract() == 0.0 {
        true => format!("{value:.0}"),
        false => short(value),
    }
}
