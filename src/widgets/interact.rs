//! A function of named arguments, with a control for each.

use super::control::Control;
use super::controls::{Checkbox, Dropdown, FloatSlider, IntSlider, Output, Text, VBox};
use super::model::Widget;
use crate::error::Result;
use crate::show::{MimeBundle, Show, shows_itself};
use std::fmt;
use std::ops::RangeInclusive;

/// What [`interact!`](crate::interact) makes a control of: a range a slider, `true` or `false` a box
/// to tick, a text a field, an array of texts a list; a control stays what it is.
pub trait IntoControl {
    /// The control.
    type Control: Control;

    /// Makes it, with the argument's name beside it.
    fn into_control(self, name: &str) -> Self::Control;
}

impl IntoControl for RangeInclusive<i64> {
    type Control = IntSlider;

    fn into_control(self, name: &str) -> IntSlider {
        IntSlider::new(self).description(name)
    }
}

impl IntoControl for RangeInclusive<f64> {
    type Control = FloatSlider;

    fn into_control(self, name: &str) -> FloatSlider {
        FloatSlider::new(self).description(name)
    }
}

impl IntoControl for bool {
    type Control = Checkbox;

    fn into_control(self, name: &str) -> Checkbox {
        Checkbox::new(self).description(name)
    }
}

impl IntoControl for &str {
    type Control = Text;

    fn into_control(self, name: &str) -> Text {
        Text::new(self).description(name)
    }
}

impl<const N: usize> IntoControl for [&str; N] {
    type Control = Dropdown;

    fn into_control(self, name: &str) -> Dropdown {
        Dropdown::new(self).description(name)
    }
}

impl IntoControl for Vec<String> {
    type Control = Dropdown;

    fn into_control(self, name: &str) -> Dropdown {
        Dropdown::new(self).description(name)
    }
}

impl<C: Control> IntoControl for C {
    type Control = C;

    fn into_control(self, name: &str) -> C {
        let widget = self.control();
        if widget.get("description").as_str() == Some("") {
            widget.set("description", name);
        }
        self
    }
}

/// Controls, and below them what a function makes of their values.
#[derive(Clone, Debug)]
pub struct Interact {
    whole: VBox,
    output: Output,
}

impl Interact {
    #[doc(hidden)]
    pub fn new<S: Show>(
        controls: &[Widget],
        mut function: impl FnMut() -> Result<S> + Send + 'static,
    ) -> Self {
        let output = Output::new();
        let parts: Vec<Widget> = controls.iter().cloned().chain([output.widget()]).collect();
        let shown = output.clone();
        let work = std::sync::Arc::new(std::sync::Mutex::new(move || shown.show(&function()?)));
        let run = move || match work.try_lock() {
            Ok(mut work) => work(),
            // A function that moves a control of its own is not called in the middle of itself.
            Err(_) => Ok(()),
        };
        let it = Self {
            whole: VBox::new(parts),
            output,
        };
        if let Err(error) = run() {
            it.say(&error.to_string());
        }
        for control in controls {
            let run = run.clone();
            for key in ["value", "index"] {
                let run = run.clone();
                if !control.get(key).is_null() {
                    control.observe_key(key, move |_| run());
                }
            }
        }
        it
    }

    fn say(&self, error: &str) {
        eprintln!("the function of interact! failed: {error}");
    }

    /// The area that holds what the function has made.
    pub fn output(&self) -> &Output {
        &self.output
    }
}

impl fmt::Display for Interact {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Interact()")
    }
}

impl Show for Interact {
    /// The controls, and for what shows no widgets what the function has made last.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let mut bundle = self.whole.mime_bundle()?;
        let made = self.output.get("outputs");
        for (mime, content) in made[0]["data"].as_object().into_iter().flatten() {
            let text = content
                .as_str()
                .map_or_else(|| content.to_string(), str::to_owned);
            bundle = bundle.with(mime, text);
        }
        Ok(bundle)
    }
}

shows_itself!(Interact);

/// Shows a control for each argument, and what an expression makes of their values, again whenever
/// one of them changes.
///
/// An argument is a range, `true` or `false`, a text, an array of texts, or a control. The expression
/// may be anything that can be shown, and may use `?` with the library's errors; what it mentions of
/// the cell it takes for itself, so that a clone of a model or a table is what it should be given.
///
/// ```no_run
/// use holoscope::{interact, prelude::*};
/// let wave = interact!(frequency = 1..=9, scale = 0.5..=2.0 => {
///     let height = |x: f64| scale * (frequency as f64 * x).sin();
///     let points = (0..200).map(|i| f64::from(i) / 100.0).map(|x| (x, height(x))).collect();
///     line_chart(&[Trace::new("wave", points)], &ChartOptions::default())?
/// });
/// ```
#[macro_export]
macro_rules! interact {
    ($($name:ident = $argument:expr),+ $(,)? => $function:expr) => {{
        $(let $name = $crate::widgets::IntoControl::into_control($argument, stringify!($name));)+
        let controls = [$($crate::widgets::Control::control(&$name)),+];
        $crate::widgets::Interact::new(&controls, move || -> $crate::Result<_> {
            $(let $name = $crate::widgets::Control::current(&$name);)+
            ::core::result::Result::Ok($function)
        })
    }};
}
