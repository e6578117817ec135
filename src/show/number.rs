//! Formatting of numbers: values, axis ticks, widths of text.
//!
//! Ticks are multiples of 1, 2 or 5 times a power of ten (Heckbert, "Nice numbers
//! for graph labels", Graphics Gems, 1990).

/// A number with four significant digits, in scientific notation when it is very
/// large or small.
///
/// ```
/// use holoscope::show::format_number;
/// assert_eq!(format_number(5.12345), "5.123");
/// assert_eq!(format_number(0.00001234), "1.234e-5");
/// ```
pub fn format_number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    if !(1e-3..1e7).contains(&size) {
        return trim_mantissa(&format!("{value:.3e}"));
    }
    let decimals = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
    trim_zeros(&format!("{value:.decimals$}"))
}

/// `1.500` as `1.5`, `2.000` as `2`; integers stay.
pub(super) fn trim_zeros(text: &str) -> String {
    if !text.contains('.') {
        return text.to_owned();
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn trim_mantissa(text: &str) -> String {
    match text.split_once('e') {
        Some((mantissa, exponent)) => format!("{}e{exponent}", trim_zeros(mantissa)),
        None => text.to_owned(),
    }
}

/// A place on an axis and its label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub at: f64,
    pub label: String,
}

/// The step between about `target` ticks over `span`.
fn nice_step(span: f64, target: usize) -> f64 {
    let rough = span / target.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let factor = match rough / power {
        f if f < 1.5 => 1.0,
        f if f < 3.5 => 2.0,
        f if f < 7.5 => 5.0,
        _ => 10.0,
    };
    factor * power
}

/// About `target` ticks inside `lo..=hi`, labelled. `hi` must exceed `lo`.
pub(super) fn linear_marks(lo: f64, hi: f64, target: usize) -> Vec<Mark> {
    let step = nice_step(hi - lo, target);
    let first = (lo / step - 1e-6).ceil() as i64;
    let last = (hi / step + 1e-6).floor() as i64;
    // Spans at the limit of an f64's resolution have no nice numbers.
    if step <= 0.0 || !step.is_finite() || last.saturating_sub(first) > 1_000 {
        return Vec::new();
    }
    (first..=last)
        .map(|i| {
            let at = i as f64 * step;
            Mark {
                at,
                label: tick_label(at, step),
            }
        })
        .collect()
}

/// Ticks of a logarithmic axis; `lo` and `hi` and the places are log10 of values.
pub(super) fn log_marks(lo: f64, hi: f64, target: usize) -> Vec<Mark> {
    let decades = hi - lo;
    if decades < 0.8 {
        return linear_marks(10f64.powf(lo), 10f64.powf(hi), target)
            .into_iter()
            .filter(|mark| mark.at > 0.0)
            .map(|mark| Mark {
                at: mark.at.log10(),
                ..mark
            })
            .collect();
    }
    let stride = ((decades / target as f64).ceil() as i32).max(1);
    let factors: &[f64] = if decades < 2.5 {
        &[1.0, 2.0, 5.0]
    } else {
        &[1.0]
    };
    // Either all ticks are written as powers or none is.
    let powers = lo < -3.01 || hi > 4.99;
    let mut marks = Vec::new();
    for exponent in lo.floor() as i32..=hi.ceil() as i32 {
        if exponent.rem_euclid(stride) != 0 {
            continue;
        }
        for factor in factors {
            let at = f64::from(exponent) + factor.log10();
            if at >= lo - 1e-9 && at <= hi + 1e-9 {
                let label = if powers && *factor == 1.0 {
                    format!("10{}", superscript(exponent))
                } else {
                    let value = factor * 10f64.powi(exponent);
                    tick_label(value, value)
                };
                marks.push(Mark { at, label });
            }
        }
    }
    marks
}

/// A tick's label with as many decimals as the step between ticks needs.
fn tick_label(value: f64, step: f64) -> String {
    // A rounding error next to zero must not print as -0.00.
    let value = if value.abs() < step * 1e-6 {
        0.0
    } else {
        value
    };
    if value == 0.0 {
        return "0".to_owned();
    }
    let decimals = (-(step * 1.000_001).log10().floor()).max(0.0) as usize;
    if decimals > 4 || value.abs() >= 1e7 {
        let text = trim_mantissa(&format!("{value:.3e}"));
        return match text.split_once('e') {
            Some((mantissa, exponent)) => format!(
                "{}×10{}",
                minus(mantissa),
                superscript(exponent.parse().unwrap_or(0))
            ),
            None => text,
        };
    }
    let text = format!("{value:.decimals$}");
    minus(&if value.abs() >= 10_000.0 {
        grouped(&text)
    } else {
        text
    })
}

fn minus(text: &str) -> String {
    text.replace('-', "−")
}

/// Thousands separated by commas.
pub(super) fn grouped(text: &str) -> String {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = match rest.split_once('.') {
        Some((whole, fraction)) => (whole, format!(".{fraction}")),
        None => (rest, String::new()),
    };
    let mut out = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(c);
    }
    format!("{sign}{out}{fraction}")
}

fn superscript(exponent: i32) -> String {
    exponent
        .to_string()
        .chars()
        .map(|c| match c {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            c => char::from_u32(0x2070 + c.to_digit(10).unwrap_or(0)).unwrap_or(c),
        })
        .collect()
}

/// The width of a text in pixels at a font size in pixels, estimated on the wide
/// side: without font files it is unknown which sans-serif the page will use.
pub(super) fn text_width(text: &str, font_px: f64) -> f64 {
    text.chars()
        .map(|c| match c {
            'i' | 'j' | 'l' | 't' | 'f' | 'r' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '('
            | ')' | '[' | ']' | ' ' | 'I' | '·' => 0.38,
            'm' | 'w' | 'M' | 'W' | '@' | '%' | '↩' | '→' | '…' => 0.95,
            c if c.is_ascii_uppercase() => 0.70,
            c if (c as u32) < 0x300 => 0.60,
            c if (c as u32) >= 0x2e80 => 1.05,
            _ => 0.65,
        })
        .sum::<f64>()
        * font_px
}

/// A text broken at spaces into lines at most `width` pixels wide.
pub(super) fn wrap(text: &str, font_px: f64, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(&format!("{line} {word}"), font_px) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Decimals that give the largest number of a column four significant digits, fewer
/// when its numbers need fewer.
pub(super) fn decimals(numbers: &[Option<f64>]) -> usize {
    let largest = numbers
        .iter()
        .flatten()
        .filter(|v| v.is_finite())
        .fold(0.0, |largest: f64, v| largest.max(v.abs()));
    if largest == 0.0 {
        return 0;
    }
    let most = (3 - largest.log10().floor() as i32).clamp(0, 4) as usize;
    // Zeros at the end of every number carry no information.
    let ends_in_zero = |d: usize| {
        let mut finite = numbers.iter().flatten().filter(|v| v.is_finite());
        finite.all(|v| format!("{v:.d$}").ends_with('0'))
    };
    (2..=most)
        .rev()
        .find(|d| !ends_in_zero(*d))
        .unwrap_or(most.min(1))
}

/// A number with its column's decimals, or on its own when those would lose it.
pub(super) fn float(value: f64, decimals: usize) -> String {
    let fixed = format!("{value:.decimals$}");
    let lost = value != 0.0 && trim_zeros(&fixed).trim_start_matches('-') == "0";
    if !value.is_finite() || lost || value.abs() >= 1e7 {
        return format_number(value);
    }
    if value.fract() == 0.0 && decimals == 0 {
        return format!("{value:.0}");
    }
    fixed
}

/// A negative number with a real minus sign, which is as wide as a digit; an exponent keeps its own.
pub(super) fn leading_minus(text: String) -> String {
    match text.strip_prefix('-') {
        Some(size) => format!("−{size}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(marks: &[Mark]) -> Vec<&str> {
        marks.iter().map(|m| m.label.as_str()).collect()
    }

    #[test]
    fn linear_ticks_are_multiples_of_one_two_or_five() {
        assert_eq!(
            labels(&linear_marks(0.0, 10.0, 5)),
            ["0", "2", "4", "6", "8", "10"]
        );
        assert_eq!(
            labels(&linear_marks(-0.31, 0.3, 6)),
            ["−0.3", "−0.2", "−0.1", "0", "0.1", "0.2", "0.3"]
        );
        assert_eq!(
            labels(&linear_marks(0.0, 20_000.0, 4)),
            ["0", "5000", "10,000", "15,000", "20,000"]
        );
        assert_eq!(
            labels(&linear_marks(0.0, 3e-6, 3)),
            ["0", "1×10⁻⁶", "2×10⁻⁶", "3×10⁻⁶"]
        );
    }

    #[test]
    fn a_span_without_nice_numbers_has_no_ticks() {
        assert!(linear_marks(0.0, f64::MIN_POSITIVE / 4.0, 5).len() < 20);
        assert!(linear_marks(0.0, f64::INFINITY, 5).is_empty());
    }

    #[test]
    fn log_ticks_are_decades_over_a_wide_range_and_plain_over_a_narrow_one() {
        assert_eq!(
            labels(&log_marks(-7.0, -1.0, 7)),
            ["10⁻⁷", "10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹"]
        );
        assert_eq!(labels(&log_marks(0.0, 1.0, 6)), ["1", "2", "5", "10"]);
        assert_eq!(
            labels(&log_marks(5f64.log10(), 9f64.log10(), 4)),
            ["5", "6", "7", "8", "9"]
        );
    }

    #[test]
    fn numbers_keep_four_digits() {
        let text: Vec<String> = [0.0, 1.0, -2.5, 1234.56, 0.0123456, 3.2e-7, 5e9, f64::NAN]
            .into_iter()
            .map(format_number)
            .collect();
        assert_eq!(
            text,
            ["0", "1", "-2.5", "1235", "0.01235", "3.2e-7", "5e9", "NaN"]
        );
    }

    #[test]
    fn text_wraps_at_spaces() {
        assert_eq!(wrap("aaa bbb ccc", 10.0, 45.0), ["aaa bbb", "ccc"]);
        assert!(wrap("", 10.0, 40.0).is_empty());
    }

    #[test]
    fn numbers_of_a_column_are_formatted_alike_and_small_ones_are_not_lost() {
        let column = [Some(12.5), Some(0.25), Some(1e-7), None];
        let decimals = decimals(&column);
        let texts: Vec<String> = column
            .iter()
            .flatten()
            .map(|v| float(*v, decimals))
            .collect();
        assert_eq!(texts, ["12.50", "0.25", "1e-7"]);
    }

    #[test]
    fn a_column_has_no_more_decimals_than_its_numbers_need() {
        assert_eq!(decimals(&[Some(1.5), Some(-2.0)]), 1);
        assert_eq!(decimals(&[Some(3.0), None, Some(f64::NAN)]), 1);
        assert_eq!(decimals(&[Some(1.0 / 3.0)]), 4);
        assert_eq!(decimals(&[Some(12_345.6)]), 0);
    }
}
