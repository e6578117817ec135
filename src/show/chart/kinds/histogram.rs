//! Histograms in percent, of one sample or of several overlaid ones.
//!
//! Height of bin b is 100 · n_b / n, per group. Bin count by Freedman and Diaconis
//! (1981): width 2 · IQR / n^(1/3); boxes and whiskers after Tukey (1977).

mod bins;
mod marks;

use crate::error::Result;
use crate::show::chart::axis::{Axis, place};
use crate::show::chart::data::{Data, Series};
use crate::show::chart::figure::{ChartOptions, Figure, Group};
use crate::show::chart::plot::{Plan, nothing_to_draw};
use crate::show::chart::sheet::draw;
use crate::show::format_number;
use crate::show::number::grouped;
use bins::{Bins, Sample};
use marks::{bars, box_plot};

/// Height of a group's marginal box and its room, in pixels.
const BOX_PX: f64 = 20.0;

/// Draws the distribution of a sample in percent, over `bins` bins of equal width
/// (0: automatic). Values that are not finite are left out; the caption gives their number.
///
/// # Errors
/// When there is no finite value.
pub fn histogram(values: &[f64], bins: usize, options: &ChartOptions) -> Result<Figure> {
    draw_groups(&[Sample::new("", values, 0)], bins, false, options)
}

/// Draws the distributions of several samples over each other, each in percent of
/// its own size, with a box plot of each above: quartiles, median, whiskers to the
/// last value within 1.5 interquartile ranges, and dots for values beyond.
///
/// # Errors
/// When no group has a finite value.
pub fn histogram_by_group(groups: &[Group], bins: usize, options: &ChartOptions) -> Result<Figure> {
    let samples: Vec<Sample> = groups
        .iter()
        .enumerate()
        .map(|(i, group)| Sample::new(&group.name, &group.values, i))
        .collect();
    draw_groups(&samples, bins, true, options)
}

fn draw_groups(
    samples: &[Sample],
    bins: usize,
    boxes: bool,
    options: &ChartOptions,
) -> Result<Figure> {
    let filled: Vec<&Sample> = samples.iter().filter(|s| !s.sorted.is_empty()).collect();
    if filled.is_empty() {
        return Err(nothing_to_draw("histogram"));
    }
    let bins = Bins::new(&filled, bins);
    let percents: Vec<Vec<f64>> = filled.iter().map(|s| s.percents(&bins)).collect();
    let top = percents.iter().flatten().fold(0.0, |a: f64, b| a.max(*b));
    let span = bins.width * bins.count as f64;
    let (mut lo, mut hi) = (bins.lo, bins.lo + span);
    for at in options
        .x_references
        .iter()
        .filter_map(|r| place(r.value, false))
    {
        lo = lo.min(at);
        hi = hi.max(at);
    }
    let room = 0.02 * (hi - lo);
    let x = Axis::spanning(lo - room, hi + room, false, 8);
    // Labels of references are drawn in the room above the highest bin.
    let above = 1.05 + 0.07 * options.x_references.len() as f64;
    let y = Axis::spanning(0.0, top * above, false, 5);

    let left_out = samples.iter().map(|s| s.left_out).sum();
    let n: usize = samples.iter().map(|s| s.sorted.len() + s.left_out).sum();
    let mut options = ChartOptions {
        // Neither axis of a histogram is logarithmic, whatever the options say.
        log_x: false,
        log_y: false,
        ..options.clone()
    }
    .with_left_out(left_out, n, "values");
    if options.y_label.is_empty() {
        options.y_label = "percent".to_owned();
    }
    let mut plan = Plan::new("histogram", &options, x, y, alt(samples, &options));
    plan.x_mesh = false;
    if boxes {
        plan.panel = BOX_PX * filled.len() as f64 + 6.0;
        plan.legend = filled
            .iter()
            .map(|s| {
                let n = grouped(&s.sorted.len().to_string());
                (format!("{} (n = {n})", s.name), s.color)
            })
            .collect();
    }
    plan.data = data(&filled, &bins, &percents);
    draw(plan, |plot| {
        for (i, (sample, percents)) in filled.iter().zip(&percents).enumerate() {
            bars(plot, i, &bins, percents, (sample.color, filled.len() > 1));
        }
        if boxes {
            for (row, sample) in filled.iter().enumerate() {
                let y = plot.area[1] - 10.0 * (BOX_PX * (filled.len() - row) as f64 - 4.0);
                box_plot(plot, row, sample, y);
            }
        }
        Ok(())
    })
}

/// The percentages of each group, under its name alone.
fn data(samples: &[&Sample], bins: &Bins, percents: &[Vec<f64>]) -> Data {
    let series = samples
        .iter()
        .zip(percents)
        .map(|(sample, percents)| Series {
            name: sample.name.clone(),
            y: percents.clone(),
            ..Series::default()
        });
    Data::Bins {
        first: bins.lo,
        width: bins.width,
        series: series.collect(),
    }
}

fn alt(samples: &[Sample], options: &ChartOptions) -> String {
    let mut out = format!("Histogram: {}.", options.title);
    for sample in samples {
        let name = if sample.name.is_empty() {
            "Values"
        } else {
            &sample.name
        };
        if sample.sorted.is_empty() {
            out.push_str(&format!(" {name}: none."));
            continue;
        }
        out.push_str(&format!(
            " {name}: n = {}, from {} to {}, median {}.",
            sample.sorted.len(),
            format_number(sample.sorted[0]),
            format_number(sample.sorted[sample.sorted.len() - 1]),
            format_number(sample.quantile(0.5))
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quartiles_are_interpolated() {
        let sample = Sample::new("", &[4.0, 1.0, 3.0, 2.0, f64::NAN], 0);
        assert_eq!(sample.quantile(0.25), 1.75);
        assert_eq!(sample.quantile(0.5), 2.5);
    }

    #[test]
    fn a_constant_sample_and_an_empty_group_are_drawn() {
        let groups = [
            Group::new("constant", vec![2.0; 5]),
            Group::new("empty", vec![]),
        ];
        let figure = histogram_by_group(&groups, 0, &ChartOptions::default()).unwrap();
        assert!(figure.alt.contains("empty: none."));
        assert!(histogram(&[f64::NAN], 0, &ChartOptions::default()).is_err());
    }

    #[test]
    fn the_caption_counts_what_is_left_out() {
        let options = ChartOptions::default();
        let caption = |values: &[f64]| {
            let figure = histogram(values, 0, &options).unwrap();
            figure
                .svg
                .contains("values are NaN or infinite and not drawn.")
                && figure.svg.contains("2 of 4 ")
        };
        assert!(caption(&[1.0, f64::NAN, 2.0, f64::INFINITY]));
        assert!(!caption(&[1.0, 2.0]));
    }

    proptest! {
        #[test]
        fn percents_add_up_to_a_hundred(
            values in proptest::collection::vec(-1e6f64..1e6, 1..200),
            bins in 0usize..60,
        ) {
            let sample = Sample::new("", &values, 0);
            let bins = Bins::new(&[&sample], bins);
            let total: f64 = sample.percents(&bins).iter().sum();
            prop_assert!((total - 100.0).abs() < 1e-6);
        }
    }
}
