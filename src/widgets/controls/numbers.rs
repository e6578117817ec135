//! Sliders, number fields and progress bars.

use super::declare::{
    DESCRIPTION, Style, control, described, handle, has_description, has_value, joined,
};
use crate::widgets::field::ControlValue;
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;

const SLIDER: Style = Style {
    model: "SliderStyleModel",
    texts: &["description_width"],
    nulls: &["handle_color"],
};

const PROGRESS: Style = Style {
    model: "ProgressStyleModel",
    texts: &["description_width"],
    nulls: &["bar_color"],
};

/// A value of the state that must be a number between `min` and `max`.
fn within<T: ControlValue + PartialOrd>(
    key: &str,
    value: &Value,
    state: &Map<String, Value>,
) -> Option<Value> {
    if key != "value" {
        return Some(value.clone());
    }
    Some(clamped(T::from_json(value)?, state).to_json())
}

/// The same for the two ends of a range, which stay in order.
fn both_within<T: ControlValue + PartialOrd>(
    key: &str,
    value: &Value,
    state: &Map<String, Value>,
) -> Option<Value> {
    if key != "value" {
        return Some(value.clone());
    }
    let (low, high) = <(T, T)>::from_json(value)?;
    let (low, high) = (clamped(low, state), clamped(high, state));
    let ordered = if low > high { (high, low) } else { (low, high) };
    Some(ordered.to_json())
}

fn clamped<T: ControlValue + PartialOrd>(value: T, state: &Map<String, Value>) -> T {
    let end = |key: &str| state.get(key).and_then(T::from_json);
    match (end("min"), end("max")) {
        (Some(min), _) if value < min => min,
        (_, Some(max)) if value > max => max,
        _ => value,
    }
}

/// A log slider's ends are exponents.
fn within_powers(key: &str, value: &Value, state: &Map<String, Value>) -> Option<Value> {
    if key != "value" {
        return Some(value.clone());
    }
    let number = |key: &str| state.get(key).and_then(Value::as_f64);
    let base = number("base").unwrap_or(10.0);
    let power = |key: &str| number(key).map(|exponent| base.powf(exponent));
    let (low, high) = (
        power("min").unwrap_or(0.0),
        power("max").unwrap_or(f64::MAX),
    );
    // Not `clamp`, which panics where a range is empty.
    Some(value.as_f64()?.min(high).max(low).into())
}

/// A slider's state; the readout's format is d3's.
fn slider(range: (Value, Value), value: Value, step: Value, format: &str) -> Value {
    joined(
        described(),
        json!({
            "behavior": "drag-tap", "continuous_update": true, "disabled": false,
            "max": range.1, "min": range.0, "orientation": "horizontal", "readout": true,
            "readout_format": format, "step": step, "value": value,
        }),
    )
}

fn ends<T: ControlValue>(range: &RangeInclusive<T>) -> (Value, Value) {
    (range.start().to_json(), range.end().to_json())
}

/// A hundredth of a range: the default step.
fn hundredth(range: &RangeInclusive<f64>) -> f64 {
    (range.end() - range.start()) / 100.0
}

/// What sliders have beside a value.
macro_rules! is_slider {
    ($name:ident, $step:ty) => {
        has_description!($name);

        impl $name {
            /// By how much the value changes at least.
            #[must_use]
            pub fn step(self, step: $step) -> Self {
                self.0.set("step", step);
                self
            }

            /// Whether callbacks hear of every value while the slider is dragged (as they do unless
            /// told otherwise), or of the last one only.
            #[must_use]
            pub fn continuous_update(self, continuous: bool) -> Self {
                self.0.set("continuous_update", continuous);
                self
            }

            /// How the value beside the slider is written, in d3's format: `"d"`, `".3f"`.
            #[must_use]
            pub fn readout_format(self, format: &str) -> Self {
                self.0.set("readout_format", format);
                self
            }

            /// A slider from bottom to top.
            #[must_use]
            pub fn vertical(self) -> Self {
                self.0.set("orientation", "vertical");
                self
            }
        }
    };
}

handle!(
    /// A slider over integers; begins at the lowest.
    IntSlider
);
has_value!(IntSlider: i64);
is_slider!(IntSlider, i64);

impl IntSlider {
    /// A slider over a range, both ends included.
    pub fn new(range: RangeInclusive<i64>) -> Self {
        let state = slider(ends(&range), range.start().to_json(), 1.into(), "d");
        let widget = control(
            "IntSlider",
            "IntSliderModel",
            "IntSliderView",
            Some(SLIDER),
            state,
        );
        Self(widget.checked(within::<i64>))
    }
}

handle!(
    /// A slider over numbers; begins at the lowest, with steps of a hundredth of the range.
    FloatSlider
);
has_value!(FloatSlider: f64);
is_slider!(FloatSlider, f64);

impl FloatSlider {
    /// A slider over a range, both ends included.
    pub fn new(range: RangeInclusive<f64>) -> Self {
        let step = hundredth(&range).into();
        let state = slider(ends(&range), range.start().to_json(), step, ".2f");
        let widget = control(
            "FloatSlider",
            "FloatSliderModel",
            "FloatSliderView",
            Some(SLIDER),
            state,
        );
        Self(widget.checked(within::<f64>))
    }
}

handle!(
    /// A slider whose steps multiply: for learning rates and the like.
    FloatLogSlider
);
has_value!(FloatLogSlider: f64);
is_slider!(FloatLogSlider, f64);

impl FloatLogSlider {
    /// A slider from 10^`start` to 10^`end`; its step is in the exponent, 0.1 unless told otherwise.
    pub fn new(exponents: RangeInclusive<f64>) -> Self {
        let lowest = 10_f64.powf(*exponents.start());
        let mut state = slider(ends(&exponents), lowest.into(), 0.1.into(), ".3g");
        state["base"] = 10.0.into();
        let widget = control(
            "FloatLogSlider",
            "FloatLogSliderModel",
            "FloatLogSliderView",
            Some(SLIDER),
            state,
        );
        Self(widget.checked(within_powers))
    }
}

handle!(
    /// A slider with two handles over integers; begins with the whole range.
    IntRangeSlider
);
has_value!(IntRangeSlider: (i64, i64));
is_slider!(IntRangeSlider, i64);

impl IntRangeSlider {
    /// A slider over a range, both ends included.
    pub fn new(range: RangeInclusive<i64>) -> Self {
        let value = (*range.start(), *range.end()).to_json();
        let state = slider(ends(&range), value, 1.into(), "d");
        let widget = control(
            "IntRangeSlider",
            "IntRangeSliderModel",
            "IntRangeSliderView",
            Some(SLIDER),
            state,
        );
        Self(widget.checked(both_within::<i64>))
    }
}

handle!(
    /// A slider with two handles over numbers; begins with the whole range.
    FloatRangeSlider
);
has_value!(FloatRangeSlider: (f64, f64));
is_slider!(FloatRangeSlider, f64);

impl FloatRangeSlider {
    /// A slider over a range, both ends included.
    pub fn new(range: RangeInclusive<f64>) -> Self {
        let value = (*range.start(), *range.end()).to_json();
        let state = slider(ends(&range), value, hundredth(&range).into(), ".2f");
        let widget = control(
            "FloatRangeSlider",
            "FloatRangeSliderModel",
            "FloatRangeSliderView",
            Some(SLIDER),
            state,
        );
        Self(widget.checked(both_within::<f64>))
    }
}

fn bounded(range: (Value, Value), step: Value) -> Value {
    joined(
        described(),
        json!({
            "continuous_update": false, "disabled": false, "max": range.1, "min": range.0.clone(),
            "step": step, "value": range.0,
        }),
    )
}

handle!(
    /// A field for an integer between two others; begins with the lowest.
    BoundedIntText
);
has_value!(BoundedIntText: i64);
has_description!(BoundedIntText);

impl BoundedIntText {
    /// A field for a number of a range, both ends included.
    pub fn new(range: RangeInclusive<i64>) -> Self {
        let widget = control(
            "BoundedIntText",
            "BoundedIntTextModel",
            "IntTextView",
            Some(DESCRIPTION),
            bounded(ends(&range), 1.into()),
        );
        Self(widget.checked(within::<i64>))
    }
}

handle!(
    /// A field for a number between two others; begins with the lowest.
    BoundedFloatText
);
has_value!(BoundedFloatText: f64);
has_description!(BoundedFloatText);

impl BoundedFloatText {
    /// A field for a number of a range, both ends included.
    pub fn new(range: RangeInclusive<f64>) -> Self {
        let widget = control(
            "BoundedFloatText",
            "BoundedFloatTextModel",
            "FloatTextView",
            Some(DESCRIPTION),
            bounded(ends(&range), Value::Null),
        );
        Self(widget.checked(within::<f64>))
    }
}

fn progress(range: (Value, Value)) -> Value {
    joined(
        described(),
        json!({
            "bar_style": "", "max": range.1, "min": range.0.clone(), "orientation": "horizontal",
            "value": range.0,
        }),
    )
}

/// What progress bars have beside a value.
macro_rules! is_progress {
    ($name:ident) => {
        impl $name {
            /// What stands beside the bar.
            #[must_use]
            pub fn description(self, text: &str) -> Self {
                self.0.set("description", text);
                self
            }

            /// The bar's colour by meaning: `"success"`, `"info"`, `"warning"`, `"danger"` or `""`.
            pub fn set_bar_style(&self, style: &str) {
                self.0.set("bar_style", style);
            }
        }
    };
}

handle!(
    /// A bar that fills in whole steps.
    IntProgress
);
has_value!(IntProgress: i64);
is_progress!(IntProgress);

impl IntProgress {
    /// An empty bar for a range.
    pub fn new(range: RangeInclusive<i64>) -> Self {
        let state = progress(ends(&range));
        let widget = control(
            "IntProgress",
            "IntProgressModel",
            "ProgressView",
            Some(PROGRESS),
            state,
        );
        Self(widget.checked(within::<i64>))
    }
}

handle!(
    /// A bar that fills continuously.
    FloatProgress
);
has_value!(FloatProgress: f64);
is_progress!(FloatProgress);

impl FloatProgress {
    /// An empty bar for a range.
    pub fn new(range: RangeInclusive<f64>) -> Self {
        let state = progress(ends(&range));
        let widget = control(
            "FloatProgress",
            "FloatProgressModel",
            "ProgressView",
            Some(PROGRESS),
            state,
        );
        Self(widget.checked(within::<f64>))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_out_of_range_is_the_nearest_one_within() {
        let slider = IntSlider::new(2..=9).with_value(30);
        assert_eq!(slider.value(), 9);
        slider.set_value(-1);
        assert_eq!(slider.value(), 2);
        let log = FloatLogSlider::new(-3.0..=0.0).with_value(5.0);
        assert!((log.value() - 1.0).abs() < 1e-12);
        let range = FloatRangeSlider::new(0.0..=1.0).with_value((0.75, -2.0));
        assert_eq!(range.value(), (0.0, 0.75));
    }
}
