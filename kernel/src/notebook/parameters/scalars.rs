//! Numbers and durations as text, and descriptions of texts for messages.

use super::kind::{FLOATS, INTEGERS, Number};
use super::split;

/// A whole number as typed: `-1`, `1_000`, `0xff`, `3usize`.
struct Whole {
    negative: bool,
    /// `None` for one of more than 128 bits.
    magnitude: Option<u128>,
    suffix: Option<&'static str>,
}

/// Digits, and their type suffix.
fn without_suffix(text: &str, types: &[&'static str]) -> (String, Option<&'static str>) {
    for ty in types {
        if let Some(digits) = text.strip_suffix(ty)
            && digits.ends_with(|c: char| c.is_ascii_hexdigit() || c == '_' || c == '.')
        {
            return (digits.to_owned(), Some(ty));
        }
    }
    (text.to_owned(), None)
}

fn parse_whole(text: &str) -> Option<Whole> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, suffix) = without_suffix(digits, &INTEGERS);
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, &digits[2..]),
        Some("0o" | "0O") => (8, &digits[2..]),
        Some("0b" | "0B") => (2, &digits[2..]),
        _ => (10, digits.as_str()),
    };
    let plain = digits.replace('_', "");
    let begins = digits.starts_with(|c: char| c.is_digit(radix));
    if !begins || !plain.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    Some(Whole {
        negative,
        magnitude: u128::from_str_radix(&plain, radix).ok(),
        suffix,
    })
}

/// The bounds of an integer type: the magnitude of the smallest value, and the
/// largest value.
fn bounds(ty: &str) -> (u128, u128) {
    let bits = match &ty[1..] {
        "size" => usize::BITS,
        bits => bits.parse().unwrap_or(128),
    };
    match ty.starts_with('i') {
        true => (1 << (bits - 1), (1 << (bits - 1)) - 1),
        false => (0, u128::MAX >> (128 - bits)),
    }
}

/// The digits of a whole number that fits.
///
/// # Errors
/// The expected form.
pub fn integer(text: &str, number: Number) -> Result<String, String> {
    let expected = match number.ty {
        Some(ty) => {
            let (below, largest) = bounds(ty);
            let sign = if below > 0 { "-" } else { "" };
            format!("{ty} holds whole numbers from {sign}{below} to {largest}")
        }
        None => "expected a whole number".to_owned(),
    };
    let whole = parse_whole(text).ok_or_else(|| expected.clone())?;
    let (below, largest) = match number.ty {
        Some(ty) => bounds(ty),
        None => (1 << 127, u128::MAX),
    };
    let limit = if whole.negative { below } else { largest };
    let fits = whole
        .suffix
        .is_none_or(|suffix| number.ty.is_none_or(|ty| ty == suffix));
    match whole.magnitude {
        Some(magnitude) if magnitude <= limit && fits => {
            let sign = if whole.negative && magnitude > 0 {
                "-"
            } else {
                ""
            };
            Ok(format!("{sign}{magnitude}{}", suffix(number)))
        }
        _ => Err(expected),
    }
}

fn suffix(number: Number) -> &'static str {
    number.ty.filter(|_| number.suffix).unwrap_or_default()
}

/// A decimal number, without underscores, and its type suffix if there is one.
fn parse_float(text: &str) -> Option<(String, f64, Option<&'static str>)> {
    let (digits, suffix) = without_suffix(text.trim(), &FLOATS);
    let plain = digits.replace('_', "");
    let number = plain.parse().ok()?;
    let numeric = plain.bytes().any(|b| b.is_ascii_digit()) && !digits.starts_with('_');
    numeric.then_some((plain, number, suffix))
}

/// The digits of a finite number of the type.
///
/// # Errors
/// The expected form.
pub fn float(text: &str, number: Number) -> Result<String, String> {
    let expected = || "expected a number such as 0.5 or 1e-3".to_owned();
    if is_not_finite(text) {
        return Err("expected a finite number".to_owned());
    }
    let (digits, value, written) = parse_float(text).ok_or_else(expected)?;
    if written.is_some_and(|written| number.ty.is_some_and(|ty| ty != written)) {
        return Err(expected());
    }
    // Shortest digits that parse to the same value, always with a point or an
    // exponent.
    let (shown, size) = match number.ty {
        Some("f32") => {
            let value: f32 = digits.parse().map_err(|_| expected())?;
            (format!("{value:?}"), f64::from(value))
        }
        _ => (format!("{value:?}"), value),
    };
    let ty = number.ty.unwrap_or("f64");
    let mantissa = digits.split(['e', 'E']).next().unwrap_or_default();
    let is_zero = !mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'));
    if size.is_infinite() {
        return Err(format!(
            "it is too large for {ty}; expected a finite number"
        ));
    }
    if size == 0.0 && !is_zero {
        return Err(format!("it is too small for {ty}, which would hold 0"));
    }
    Ok(format!("{shown}{}", suffix(number)))
}

fn is_not_finite(text: &str) -> bool {
    let word = text
        .trim()
        .trim_start_matches(['+', '-', '.'])
        .to_ascii_lowercase();
    matches!(word.as_str(), "nan" | "inf" | "infinity")
}

/// Units of time, in nanoseconds; a longer name precedes one that is its suffix.
const UNITS: [(&str, u128); 9] = [
    ("min", 60_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// `90s`, `1.5h`, `1h 30min`; a plain number has the unit `unit`.
///
/// # Errors
/// The expected form.
pub fn duration(text: &str, unit: Option<&str>) -> Result<String, String> {
    let expected = match unit {
        Some(unit) => {
            format!("expected a number of {unit}, or one with its unit, such as 1.5s or 200ms")
        }
        None => "expected a number with its unit, such as 1.5s or 200ms".to_owned(),
    };
    let nanoseconds = nanoseconds(text.trim(), unit).ok_or(expected)?;
    let whole = |unit: u128| nanoseconds % unit == 0;
    let (function, count) = match nanoseconds {
        n if whole(1_000_000_000) => ("from_secs", n / 1_000_000_000),
        n if whole(1_000_000) => ("from_millis", n / 1_000_000),
        n if whole(1_000) => ("from_micros", n / 1_000),
        n => ("from_nanos", n),
    };
    match u64::try_from(count) {
        Ok(count) => Ok(format!("std::time::Duration::{function}({count})")),
        Err(_) if function == "from_secs" => Err("it is too long for a Duration".to_owned()),
        Err(_) => {
            let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
            Ok(format!("std::time::Duration::new({seconds}, {rest})"))
        }
    }
}

fn nanoseconds(text: &str, unit: Option<&str>) -> Option<u128> {
    let digit = |c: char| c.is_ascii_digit() || matches!(c, '.' | '_');
    let mut total = 0_u128;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !digit(c)).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(end);
        let end = behind.find(|c: char| digit(c)).unwrap_or(behind.len());
        let (name, after) = behind.split_at(end);
        let name = match (name.trim(), unit) {
            // Only a single number may lack its unit.
            ("", Some(unit)) if number.len() == text.len() => unit,
            (name, _) => name,
        };
        let (_, factor) = UNITS.iter().find(|(known, _)| *known == name)?;
        total = total.checked_add(scaled(&number.replace('_', ""), *factor)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(total)
}

/// A decimal number times a factor, rounded to the nearest integer; exact, unlike
/// with `f64`.
fn scaled(number: &str, factor: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = |text: &str| match text {
        "" => Some(0),
        text => text.parse::<u128>().ok(),
    };
    let whole = digits(whole)?.checked_mul(factor)?;
    let fraction = fraction.get(..fraction.len().min(18))?;
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = (digits(fraction)?.checked_mul(factor)? + scale / 2) / scale;
    whole.checked_add(part)
}

/// Describes a text, with its type in Rust.
pub fn describe(text: &str) -> String {
    let trimmed = text.trim();
    let items = |text: &str| split::pieces(text, ',').map_or(0, |items| items.len());
    if trimmed.is_empty() {
        return "empty".to_owned();
    }
    if let Some(whole) = parse_whole(trimmed) {
        let fits = |ty: &&str| {
            let (below, largest) = bounds(ty);
            let limit = if whole.negative { below } else { largest };
            whole.magnitude.is_some_and(|magnitude| magnitude <= limit)
        };
        let smallest = || {
            ["i32", "i64", "i128", "u128"]
                .into_iter()
                .find(|ty| fits(ty))
        };
        return match whole.suffix.or_else(smallest) {
            Some(ty) => format!("an integer ({ty})"),
            None => "an integer of more than 128 bits".to_owned(),
        };
    }
    if is_not_finite(trimmed) {
        return "a float (f64) that is not finite".to_owned();
    }
    if let Some((.., suffix)) = parse_float(trimmed) {
        return format!("a float ({})", suffix.unwrap_or("f64"));
    }
    match trimmed {
        "true" | "false" => return "a bool".to_owned(),
        "None" | "none" | "null" => return "None (an Option)".to_owned(),
        _ => {}
    }
    if let Some(range) = range(trimmed) {
        return range.to_owned();
    }
    let list = split::within(trimmed.trim_start_matches("vec!"), '[');
    match (
        list,
        split::within(trimmed, '('),
        split::within(trimmed, '{'),
    ) {
        (Some(list), ..) => format!("a list of {} (Vec)", items(list)),
        (_, Some(tuple), _) => format!("a tuple of {}", items(tuple)),
        (.., Some(_)) => "a map".to_owned(),
        _ => "text (&str)".to_owned(),
    }
}

fn range(text: &str) -> Option<&'static str> {
    let (start, end) = text.split_once("..")?;
    let (end, inclusive) = match end.strip_prefix('=') {
        Some(end) => (end, true),
        None => (end, false),
    };
    let bound =
        |text: &str| text.is_empty() || parse_whole(text).is_some() || parse_float(text).is_some();
    if !bound(start) || !bound(end) {
        return None;
    }
    Some(match (start.is_empty(), end.is_empty(), inclusive) {
        (false, false, false) => "a range (Range)",
        (false, false, true) => "a range (RangeInclusive)",
        (false, true, _) => "a range (RangeFrom)",
        (true, false, false) => "a range (RangeTo)",
        (true, false, true) => "a range (RangeToInclusive)",
        (true, true, _) => "a range (RangeFull)",
    })
}
