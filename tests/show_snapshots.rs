//! The rendered form of every kind of shown value, as snapshots.

use holoscope::polars::prelude::*;
use holoscope::show::*;

/// A sample without a random generator: normal-like sums of a linear congruence.
fn sample(n: usize, centre: f64, spread: f64, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 31) as f64
    };
    (0..n)
        .map(|_| centre + spread * ((0..6).map(|_| uniform()).sum::<f64>() - 3.0))
        .collect()
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|t| t.to_string()).collect()
}

fn loss_chart() -> Figure {
    let train: Vec<(usize, f64)> = (0..600)
        .map(|i| {
            (
                i,
                5.0 + 4.3 * (-(i as f64) / 60.0).exp() + 0.05 * ((i * 7919) % 13) as f64 / 13.0,
            )
        })
        .collect();
    let val: Vec<(usize, f64)> = train
        .iter()
        .step_by(50)
        .map(|(i, loss)| (*i, loss + 0.08))
        .collect();
    let options = ChartOptions::new("Loss while training", "step", "cross-entropy (nats/token)")
        .y_reference("unigram 6.48", 6.48)
        .y_reference("bigram 5.53", 5.53)
        .caption(
            "The validation loss passes the bigram baseline after about 120 steps; it would \
             be above it if the model had learnt nothing from context.",
        );
    let series = [
        Trace::from_steps("training", &train),
        Trace::from_steps("validation", &val),
    ];
    line_chart(&series, &options).unwrap()
}

fn log_chart() -> Figure {
    let points = |scale: f64| {
        (1..200)
            .map(|i| (f64::from(i) * 10.0, scale * (-f64::from(i) / 18.0).exp()))
            .collect()
    };
    let series = [
        Trace::new("dead share", points(0.9)),
        Trace::new("mean squared error", points(0.02)),
        Trace::new("learning rate <max & min>", points(0.001)),
    ];
    let options = ChartOptions::new("Autoencoder", "step", "value").log_y();
    line_chart(&series, &options).unwrap()
}

fn frequency_histogram() -> Figure {
    let mut values = sample(3_000, -2.4, 0.7, 1);
    values.extend(sample(800, -5.6, 0.25, 2));
    let options = ChartOptions::new(
        "Feature frequencies",
        "log10 frequency",
        "percent of features",
    )
    .x_reference("rare: 1e-4", -4.0)
    .caption("4,096 features; floor at 10^-6.5.");
    histogram(&values, 50, &options).unwrap()
}

fn grouped_histogram() -> Figure {
    let groups = [
        Group::new("rare features", sample(500, 0.75, 0.08, 3)),
        Group::new("other features", sample(3_500, 0.05, 0.12, 4)),
    ];
    let options = ChartOptions::new(
        "Cosine of every encoder column with the mean rare direction",
        "cosine similarity",
        "percent of group",
    );
    histogram_by_group(&groups, 60, &options).unwrap()
}

fn logit_bars() -> Figure {
    let labels = strings(&[
        " king",
        " lord",
        "\n\n",
        " & <b>",
        " Romeo",
        ",",
        " thou\tart",
        " the",
    ]);
    let values = [3.21, 2.9, 2.2, 1.4, 0.3, -0.4, -1.25, -2.0];
    let options = ChartOptions::new("Top logits of feature 42", "logit", "");
    bar_chart(&labels, &values, &options).unwrap()
}

fn small_heatmap() -> Figure {
    let rows: Vec<Vec<f64>> = (0..4)
        .map(|r| {
            (0..6)
                .map(|c| f64::from((r * 5 + c * 3) % 11 - 5) / 5.0)
                .collect()
        })
        .collect();
    let mut options = ChartOptions::new("Holoraumy <V_12>", "column", "row");
    options.z_label = "entry".into();
    let names = strings(&["L1", "L2", "L3", "L4"]);
    heatmap(&rows, &[], &names, ColorScale::Diverging, &options).unwrap()
}

fn large_heatmap() -> Figure {
    let rows: Vec<Vec<f64>> = (0..64)
        .map(|r| {
            (0..64)
                .map(|c| (-f64::from((r - c) * (r - c)) / 90.0).exp())
                .collect()
        })
        .collect();
    let mut options = ChartOptions::new("Decoder similarity", "feature", "feature");
    options.z_label = "cosine".into();
    heatmap(&rows, &[], &[], ColorScale::Sequential, &options).unwrap()
}

fn scatter_plot() -> Figure {
    let cloud = |n, x, y, seed| {
        let xs = sample(n, x, 0.8, seed);
        xs.into_iter().zip(sample(n, y, 0.5, seed + 10)).collect()
    };
    let series = [
        Trace::new("alive", cloud(300, 0.0, 0.0, 5)),
        Trace::new("rare", cloud(80, 2.0, 1.0, 6)),
    ];
    let options = ChartOptions::new("Features", "first component", "second component");
    scatter(&series, &options).unwrap()
}

fn stacked_panels() -> Figure {
    stacked(&[loss_chart(), log_chart()], "Two quantities").unwrap()
}

fn token_table() -> Table {
    let frame = df![
        "str_tokens" => ["·the", "·king", "↩", "<b>&amp;", "·O"],
        "context" => ["in·|·the|·court", "·the|·king|·of", ":|↩|Enter", "x|<b>&amp;|y", "|·O|·God"],
        "pos" => [3u32, 4, 17, 2, 9],
        "feature" => [Some(0.0), Some(2.51), Some(-0.4), Some(1.25e-6), None],
    ]
    .unwrap();
    Table::new(frame)
        .gradient("feature")
        .head(4)
        .caption("Where feature 42 responds")
}

fn token_view() -> TokenView {
    let tokens = strings(&[
        "<|endoftext|>",
        "First",
        " Citizen",
        ":",
        "\n",
        "We",
        " are",
        " accounted",
        " poor",
        " citizens",
        ",",
        " the",
        "\tpatric",
        "ians",
        " good",
        ".",
        "\n",
        "What",
        " & <i>",
        " they",
    ]);
    let values = vec![
        0.0,
        0.3,
        1.9,
        0.0,
        -0.2,
        0.0,
        0.1,
        0.0,
        0.7,
        2.6,
        0.0,
        0.0,
        -1.4,
        1.1,
        0.0,
        0.0,
        0.0,
        0.0,
        f64::NAN,
        -2.1,
    ];
    TokenView::new(tokens, values)
        .unwrap()
        .title("Feature 42 on the opening of Coriolanus")
}

fn attention_view() -> AttentionView {
    let tokens = strings(&[
        "<|endoftext|>",
        "First",
        " Citizen",
        ":",
        "\n",
        "We",
        " are",
        " <b>",
    ]);
    let n = tokens.len();
    let head = |sharp: f32| {
        (0..n)
            .map(|q| {
                let weight = |k: usize| {
                    if k <= q {
                        (-sharp * (q - k) as f32).exp()
                    } else {
                        0.0
                    }
                };
                let total: f32 = (0..n).map(weight).sum();
                (0..n).map(|k| weight(k) / total).collect()
            })
            .collect()
    };
    let pattern = vec![head(0.05), head(1.0), head(4.0)];
    AttentionView::new(tokens, pattern)
        .unwrap()
        .title("Layer 0")
}

fn svg_of(value: &dyn Show) -> String {
    let bundle = value.mime_bundle().unwrap();
    let content = bundle
        .get("image/svg+xml")
        .or(bundle.get("text/html"))
        .unwrap();
    // One element a line, so that a change shows as a change of its line.
    content.replace("><", ">\n<")
}

macro_rules! snapshots {
    ($($name:ident => $value:ident),* $(,)?) => {
        $(#[test] fn $name() { insta::assert_snapshot!(svg_of(&$value())); })*
    };
}

snapshots! {
    a_loss_chart_has_baselines => loss_chart,
    a_log_chart_has_decades => log_chart,
    a_frequency_histogram_has_its_threshold => frequency_histogram,
    a_grouped_histogram_has_marginal_boxes => grouped_histogram,
    logit_bars_have_their_values => logit_bars,
    a_small_heat_map_has_its_values => small_heatmap,
    a_large_heat_map_is_a_picture => large_heatmap,
    a_scatter_plot_has_a_legend => scatter_plot,
    stacked_panels_keep_their_axes => stacked_panels,
    a_table_has_its_gradient => token_table,
    tokens_are_coloured => token_view,
    attention_has_a_map_a_head => attention_view,
}
