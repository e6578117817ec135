//! Finds the axes of a chart from its tick labels, and converts positions in the picture to data.

/// A text of a picture, and its position.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub text: String,
    pub x: f64,
    pub y: f64,
    /// `text-anchor`: `start`, `middle` or `end`.
    pub anchor: String,
}

/// The conversion of positions along one direction to values: `value = offset + scale * place`, or
/// 10 to the power of that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    offset: f64,
    scale: f64,
    log: bool,
}

impl Axis {
    pub fn value(&self, place: f64) -> f64 {
        let value = self.position(place);
        if self.log { 10f64.powf(value) } else { value }
    }

    /// The position on the axis: the value, or its logarithm.
    pub fn position(&self, place: f64) -> f64 {
        self.offset + self.scale * place
    }

    pub fn is_logarithmic(&self) -> bool {
        self.log
    }

    /// How much the value changes over one unit of the picture around a place.
    pub fn resolution(&self, place: f64) -> f64 {
        match self.log {
            true => (self.value(place) * std::f64::consts::LN_10 * self.scale).abs(),
            false => self.scale.abs(),
        }
    }
}

/// The axes of a picture, and the positions of their ticks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Axes {
    pub x: Option<Axis>,
    pub y: Option<Axis>,
    pub x_ticks: Vec<f64>,
    pub y_ticks: Vec<f64>,
}

impl Axes {
    /// Finds the axes: the largest column of numbers and the largest row of numbers whose
    /// positions depend on their values, linearly or logarithmically.
    pub fn find(labels: &[Label]) -> Self {
        let numbers: Vec<(&Label, f64)> = labels
            .iter()
            .filter_map(|label| Some((label, number(&label.text)?)))
            .collect();
        let rows = |line: fn(&Label) -> f64, along: fn(&Label) -> f64, anchor: &str| {
            let mut best: Option<(Axis, Vec<f64>)> = None;
            for (first, _) in &numbers {
                let row = numbers
                    .iter()
                    .filter(|(label, _)| label.anchor == anchor && line(label) == line(first));
                let row: Vec<(f64, f64)> =
                    row.map(|(label, value)| (along(label), *value)).collect();
                if best
                    .as_ref()
                    .is_some_and(|(_, ticks)| ticks.len() >= row.len())
                {
                    continue;
                }
                if let Some(axis) = fit(&row) {
                    best = Some((axis, row.iter().map(|(place, _)| *place).collect()));
                }
            }
            best
        };
        let x = rows(|label| label.y, |label| label.x, "middle");
        let y = rows(|label| label.x, |label| label.y, "end");
        let split = |found: Option<(Axis, Vec<f64>)>| match found {
            Some((axis, ticks)) => (Some(axis), ticks),
            None => (None, Vec::new()),
        };
        let ((x, x_ticks), (y, y_ticks)) = (split(x), split(y));
        Self {
            x,
            y,
            x_ticks,
            y_ticks,
        }
    }
}

/// A tick's label as a number: `1,000`, `−4`, `10⁻³`, `2×10⁵`, `5 %`.
fn number(label: &str) -> Option<f64> {
    let text = label.trim().trim_end_matches(['%', ' ']);
    let text = text
        .replace('\u{2212}', "-")
        .replace([',', '\u{2009}', '\u{202f}', '\u{a0}'], "");
    let Some((mantissa, power)) = text
        .split_once("10")
        .filter(|(_, power)| !power.is_empty() && power.chars().all(|c| superscript(c).is_some()))
    else {
        return text.parse().ok().filter(|value: &f64| value.is_finite());
    };
    let exponent: String = power.chars().filter_map(superscript).collect();
    let mantissa = match mantissa.trim_end_matches(['×', '·', ' ']) {
        "" => 1.0,
        text => text.parse().ok()?,
    };
    Some(mantissa * 10f64.powi(exponent.parse().ok()?))
}

fn superscript(c: char) -> Option<char> {
    let digits = "⁰¹²³⁴⁵⁶⁷⁸⁹";
    if c == '⁻' {
        return Some('-');
    }
    let at = digits.chars().position(|digit| digit == c)?;
    char::from_digit(u32::try_from(at).ok()?, 10)
}

/// The axis with these tick positions and values.
fn fit(row: &[(f64, f64)]) -> Option<Axis> {
    if row.len() < 2 {
        return None;
    }
    let linear = line(row).map(|(offset, scale)| Axis {
        offset,
        scale,
        log: false,
    });
    linear.or_else(|| {
        let positive = row.iter().all(|(_, value)| *value > 0.0);
        let row: Vec<(f64, f64)> = row
            .iter()
            .map(|(place, value)| (*place, value.log10()))
            .collect();
        let (offset, scale) = line(&row).filter(|_| positive && row.len() > 2)?;
        Some(Axis {
            offset,
            scale,
            log: true,
        })
    })
}

/// The line through the outermost points, if all others lie on it, to a unit and a half of the
/// picture.
fn line(row: &[(f64, f64)]) -> Option<(f64, f64)> {
    let first = row.iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
    let last = row.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let scale = (last.1 - first.1) / (last.0 - first.0);
    let offset = first.1 - scale * first.0;
    let near = |(place, value): &(f64, f64)| ((value - offset) / scale - place).abs() <= 1.5;
    (scale.is_finite() && scale != 0.0 && row.iter().all(near)).then_some((offset, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str, x: f64, y: f64, anchor: &str) -> Label {
        Label {
            text: text.to_owned(),
            x,
            y,
            anchor: anchor.to_owned(),
        }
    }

    #[test]
    fn ticks_tell_what_places_mean() {
        let labels = [
            label("Loss", 120.0, 195.0, "start"),
            label("step", 400.0, 3_800.0, "middle"),
            label("0", 1_000.0, 3_600.0, "middle"),
            label("1,000", 3_000.0, 3_600.0, "middle"),
            label("2,000", 5_000.0, 3_600.0, "middle"),
            label("−1", 900.0, 3_000.0, "end"),
            label("0", 900.0, 2_000.0, "end"),
            label("1", 900.0, 1_000.0, "end"),
        ];
        let axes = Axes::find(&labels);
        assert_eq!(axes.x.unwrap().value(2_000.0), 500.0);
        assert_eq!(axes.y.unwrap().value(1_500.0), 0.5);
        assert_eq!(axes.y.unwrap().resolution(0.0), 0.001);
        assert_eq!(axes.y_ticks, [3_000.0, 2_000.0, 1_000.0]);
    }

    #[test]
    fn logarithmic_axes_are_known_by_their_ticks() {
        let labels = [
            label("10⁻²", 900.0, 3_000.0, "end"),
            label("10⁻¹", 900.0, 2_000.0, "end"),
            label("1", 900.0, 1_000.0, "end"),
        ];
        let axis = Axes::find(&labels).y.unwrap();
        assert!((axis.value(2_000.0) - 0.1).abs() < 1e-12);
        assert!((axis.resolution(2_000.0) - 0.1 * 10f64.ln() / 1_000.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_that_are_no_axis_are_none() {
        let labels = [
            label("0.93", 100.0, 500.0, "middle"),
            label("0.04", 200.0, 500.0, "middle"),
            label("0.55", 300.0, 500.0, "middle"),
        ];
        assert_eq!(Axes::find(&labels), Axes::default());
        assert_eq!(number("2×10⁵"), Some(2e5));
        assert_eq!(number("5 %"), Some(5.0));
        assert_eq!(number("head 3"), None);
        assert_eq!(number("nan"), None);
    }
}
