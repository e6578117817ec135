//! A long loop's display in a notebook: a bar with rate, time left and the latest figures.
//!
//! rate = done / elapsed, time left = (total - done) / rate; when finished, one line.
//! Source: the layout of tqdm, without its control characters.

use std::fmt::Write;

use serde_json::Value;

use crate::run::output::event::{MimeBundle, Progress};

/// Marks a loop's last line: it is not part of a figure.
pub const CLASS: &str = "holoscope-progress";

/// A loop's state as HTML and as plain text.
pub fn render(progress: &Progress) -> MimeBundle {
    let text = line(progress);
    let html = match progress.finished {
        true => format!("<div class=\"{CLASS}\">{}</div>", escape(&text)),
        false => bar(progress, &text),
    };
    [("text/html", html), ("text/plain", text)]
        .into_iter()
        .map(|(mime, content)| (mime.to_owned(), Value::String(content)))
        .collect()
}

/// One line: `train · 300/600 steps · 50 % · 12.4 steps/s · 0:24 left · loss 5.12`.
fn line(p: &Progress) -> String {
    let rate = p.done as f64 / p.elapsed;
    let has_rate = p.elapsed > 0.0 && p.done > 0;
    let mut parts = Vec::new();
    if !p.label.is_empty() {
        parts.push(p.label.clone());
    }
    if p.finished {
        parts.push(match p.total > p.done {
            true => format!("stopped at {}", amount(p.done, p.total, &p.unit)),
            false => amount(p.done, 0, &p.unit),
        });
        parts.push(duration(p.elapsed));
    } else {
        parts.push(amount(p.done, p.total, &p.unit));
        if p.total > 0 {
            parts.push(format!("{:.0} %", percent(p)));
        }
    }
    if has_rate {
        parts.push(format!("{}/s", quantity(rate, &p.unit)));
    }
    if has_rate && !p.finished && p.total > p.done {
        parts.push(format!(
            "{} left",
            duration((p.total - p.done) as f64 / rate)
        ));
    }
    for (name, value) in &p.figures {
        parts.push(match value {
            Some(value) => format!("{name} {}", significant(*value)),
            None => format!("{name} –"),
        });
    }
    parts.join(" · ")
}

fn bar(p: &Progress, text: &str) -> String {
    // `currentColor` follows the theme, so that the bar is visible on light and dark pages.
    let filled = if p.total > 0 { percent(p) } else { 0.0 };
    let mut html = String::from("<div>");
    if p.total > 0 {
        let _ = write!(
            html,
            "<div role=\"progressbar\" aria-valuemin=\"0\" aria-valuemax=\"100\" \
             aria-valuenow=\"{filled:.0}\" style=\"height:6px;max-width:480px;border-radius:3px;\
             border:1px solid currentColor;overflow:hidden\"><div style=\"height:100%;\
             width:{filled:.1}%;background:#0072b2\"></div></div>"
        );
    }
    let _ = write!(
        html,
        "<div style=\"font-variant-numeric:tabular-nums\">{}</div>",
        escape(text)
    );
    if let Some(chart) = &p.chart {
        // Drawn by the library, like every figure.
        html.push_str(chart);
    }
    html.push_str("</div>");
    html
}

fn percent(p: &Progress) -> f64 {
    100.0 * p.done.min(p.total) as f64 / p.total as f64
}

fn amount(done: u64, total: u64, unit: &str) -> String {
    match (unit, total) {
        ("B", 0) => bytes(done as f64),
        ("B", _) => format!("{} of {}", bytes(done as f64), bytes(total as f64)),
        (_, 0) => format!("{done} {}", plural(unit, done == 1)),
        _ => format!("{done}/{total} {}", plural(unit, total == 1)),
    }
    .trim_end()
    .to_owned()
}

fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "B" => bytes(value),
        _ => format!("{} {}", significant(value), plural(unit, false)),
    }
    .trim_end()
    .to_owned()
}

fn plural(unit: &str, one: bool) -> String {
    match unit {
        "" => String::new(),
        _ if one => unit.to_owned(),
        _ if unit.ends_with("ch") => format!("{unit}es"),
        _ => format!("{unit}s"),
    }
}

fn bytes(n: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let power = (n.max(1.0).log10() / 3.0).floor().min(4.0);
    let scaled = n / 1000f64.powf(power);
    match power as usize {
        0 => format!("{n:.0} B"),
        power => format!("{scaled:.1} {}", units[power]),
    }
}

/// Three significant digits, without an exponent where that is readable.
fn significant(value: f64) -> String {
    let magnitude = value.abs();
    if (100.0..1e9).contains(&magnitude) {
        return format!("{value:.0}");
    }
    if magnitude != 0.0 && !(1e-4..1e9).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let decimals = match magnitude {
        m if m >= 10.0 => 1,
        m if m >= 1.0 || m == 0.0 => 2,
        m => (2 - m.log10().floor() as i32) as usize,
    };
    format!("{value:.decimals$}")
}

fn duration(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "?".to_owned();
    }
    if seconds < 10.0 {
        return format!("{:.1} s", seconds.max(0.0));
    }
    let s = seconds.round() as u64;
    match s / 3600 {
        0 => format!("{}:{:02}", s / 60, s % 60),
        hours => format!("{hours}:{:02}:{:02}", s / 60 % 60, s % 60),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(done: u64, finished: bool) -> Progress {
        Progress {
            label: "train <1>".to_owned(),
            done,
            total: 600,
            unit: "step".to_owned(),
            figures: vec![("loss".to_owned(), Some(5.1234)), ("l0".to_owned(), None)],
            elapsed: 24.0,
            finished,
            chart: None,
        }
    }

    #[test]
    fn a_running_loop_shows_its_rate_and_the_time_left() {
        let bundle = render(&training(300, false));
        assert_eq!(
            bundle["text/plain"],
            "train <1> · 300/600 steps · 50 % · 12.5 steps/s · 0:24 left · loss 5.12 · l0 –"
        );
        let html = bundle["text/html"].as_str().unwrap();
        assert!(html.contains("width:50.0%") && html.contains("train &lt;1&gt;"));
    }

    #[test]
    fn a_finished_loop_is_one_line_without_a_bar() {
        let bundle = render(&training(600, true));
        assert_eq!(
            bundle["text/plain"],
            "train <1> · 600 steps · 0:24 · 25.0 steps/s · loss 5.12 · l0 –"
        );
        assert!(
            !bundle["text/html"]
                .as_str()
                .unwrap()
                .contains("progressbar")
        );
        let stopped = render(&training(30, true));
        assert!(
            stopped["text/plain"]
                .as_str()
                .unwrap()
                .contains("stopped at 30/600 steps")
        );
    }

    #[test]
    fn an_unknown_total_or_nothing_done_divides_by_nothing() {
        let start = Progress {
            label: "download".to_owned(),
            unit: "B".to_owned(),
            ..Progress::default()
        };
        assert_eq!(render(&start)["text/plain"], "download · 0 B");
        let later = Progress {
            done: 1_500_000,
            elapsed: 2.0,
            ..start
        };
        assert_eq!(
            render(&later)["text/plain"],
            "download · 1.5 MB · 750.0 kB/s"
        );
    }

    #[test]
    fn numbers_have_three_significant_digits() {
        for (value, text) in [
            (0.0, "0.00"),
            (0.01234, "0.0123"),
            (12.345, "12.3"),
            (1234.5, "1234"),
            (1.5e-7, "1.50e-7"),
        ] {
            assert_eq!(significant(value), text);
        }
    }
}
