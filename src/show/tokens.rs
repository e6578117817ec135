//! Coloured tokens: a text with a value per token, shown on hover.
//!
//! Opacity of token i is |v_i| / max, blue for positive and red for negative values.
//! Source: `create_html` of Neel Nanda's 1L-Sparse-Autoencoder.

use super::color::Rgb;
use super::html::{CARD_FILL, FAINT_INK, card, card_title};
use super::{MimeBundle, Show, escape, format_number, shows_itself};
use crate::error::{Error, Result};

const RED: Rgb = Rgb(0xff, 0x66, 0x5c);
const BLUE: Rgb = Rgb(0x55, 0x9c, 0xff);
const CARD: Rgb = Rgb::of_hex(CARD_FILL);

/// A token as it is shown: spaces as `·`, newlines as `↩`, carriage returns as `␍`, tabs as `→`.
///
/// ```
/// assert_eq!(holoscope::show::visible_token(" a\n"), "·a↩");
/// ```
pub fn visible_token(token: &str) -> String {
    token
        .chars()
        .map(|c| match c {
            ' ' => '·',
            '\n' => '↩',
            '\r' => '␍',
            '\t' => '→',
            c => c,
        })
        .collect()
}

/// Tokens in their order, each coloured by its value, which is shown on hover.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenView {
    /// The tokens' strings.
    pub str_tokens: Vec<String>,
    /// One value per token.
    pub values: Vec<f64>,
    /// The absolute value with full colour; the largest one when None.
    pub max: Option<f64>,
    /// A line above the tokens; no line if empty.
    pub title: String,
}

impl TokenView {
    /// Tokens with one value each.
    ///
    /// # Errors
    /// When there are not as many values as tokens.
    pub fn new(str_tokens: Vec<String>, values: Vec<f64>) -> Result<Self> {
        if str_tokens.len() != values.len() {
            return Err(Error::argument(
                "values",
                values.len(),
                format!(
                    "there must be one for each of the {} tokens",
                    str_tokens.len()
                ),
            ));
        }
        Ok(Self {
            str_tokens,
            values,
            max: None,
            title: String::new(),
        })
    }

    /// Sets the absolute value with full colour, to compare several texts.
    pub fn max(mut self, max: f64) -> Self {
        self.max = Some(max);
        self
    }

    /// Sets the line above the tokens.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    fn range(&self) -> (f64, f64) {
        let finite = self.values.iter().copied().filter(|v| v.is_finite());
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| {
            (lo.min(v), hi.max(v))
        })
    }

    fn full_colour(&self) -> f64 {
        let (lo, hi) = self.range();
        match self.max {
            Some(max) if max > 0.0 => max,
            _ if hi >= lo => hi.max(-lo),
            _ => 0.0,
        }
    }

    fn header(&self) -> String {
        let (lo, hi) = self.range();
        let range = match hi < lo {
            true => "no values".to_owned(),
            false => format!(
                "max {}, min {}, full colour at ±{}",
                format_number(hi),
                format_number(lo),
                format_number(self.full_colour())
            ),
        };
        match self.values.iter().filter(|v| !v.is_finite()).count() {
            0 => range,
            n => format!(
                "NaN or infinite: {n} of {} tokens (dashed); {range}",
                self.values.len()
            ),
        }
    }

    fn html(&self) -> String {
        let full = self.full_colour();
        let mut body = card_title(&self.title);
        body.push_str(&format!(
            "<div style=\"color:{FAINT_INK};font-size:12px;margin-bottom:6px\">{}</div>\
             <div style=\"font:14px/1.9 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;\
             white-space:pre-wrap;overflow-wrap:anywhere\">",
            escape(&self.header())
        ));
        for (i, (token, &value)) in self.str_tokens.iter().zip(&self.values).enumerate() {
            let fill = fill(value, full);
            if token.starts_with([' ', '\n', '\t']) {
                // The space is drawn as a dot, at which a line would not wrap.
                body.push_str("<wbr>");
            }
            body.push_str(&format!(
                "<span title=\"{}: {}\" style=\"background:{};color:{};\
                 border-radius:3px;{};padding:1px 0\">{}</span>",
                i,
                format_number(value),
                fill.hex(),
                fill.ink().hex(),
                match value.is_finite() {
                    true => "box-shadow:inset 0 0 0 1px #0000001f",
                    false => "outline:2px dashed #b00020",
                },
                escape(&visible_token(token)),
            ));
            for _ in token.matches('\n') {
                body.push_str("<br>");
            }
        }
        body.push_str("</div>");
        card(&body)
    }

    fn text(&self) -> String {
        let mut out = String::new();
        if !self.title.is_empty() {
            out.push_str(&self.title);
            out.push('\n');
        }
        out.push_str(&self.header());
        out.push('\n');
        for (token, value) in self.str_tokens.iter().zip(&self.values) {
            out.push_str(&visible_token(token));
            if *value != 0.0 {
                out.push_str(&format!("[{}]", format_number(*value)));
            }
        }
        out
    }
}

/// The background of a token; that of zero is the card's.
fn fill(value: f64, full: f64) -> Rgb {
    if !value.is_finite() {
        return super::color::MISSING;
    }
    if full <= 0.0 {
        return CARD;
    }
    CARD.mix(if value < 0.0 { RED } else { BLUE }, value.abs() / full)
}

shows_itself!(TokenView);

impl Show for TokenView {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::html(self.html(), self.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn view(tokens: &[&str], values: &[f64]) -> TokenView {
        let tokens = tokens.iter().map(|t| t.to_string()).collect();
        TokenView::new(tokens, values.to_vec()).unwrap()
    }

    #[test]
    fn a_length_mismatch_is_an_error() {
        let error = TokenView::new(vec!["a".into()], vec![]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "values = 0: there must be one for each of the 1 tokens"
        );
    }

    #[test]
    fn negative_is_red_positive_blue_and_zero_uncoloured() {
        assert_eq!(fill(2.0, 2.0), BLUE);
        assert_eq!(fill(-2.0, 2.0), RED);
        assert_eq!(fill(0.0, 2.0).hex(), CARD_FILL);
        assert_eq!(fill(1.0, 0.0).hex(), CARD_FILL);
    }

    #[test]
    fn max_sets_the_full_colour_and_nan_is_marked() {
        let view = view(&["a", "b"], &[1.0, f64::NAN]).max(4.0);
        assert_eq!(view.full_colour(), 4.0);
        assert!(view.html().contains(&super::super::color::MISSING.hex()));
        assert!(view.html().contains("title=\"1: NaN\""));
        assert_eq!(view.html().matches("dashed #").count(), 1);
        assert_eq!(
            view.header(),
            "NaN or infinite: 1 of 2 tokens (dashed); max 1, min 1, full colour at ±4"
        );
    }

    #[test]
    fn a_newline_breaks_the_line_after_its_mark() {
        assert!(view(&["a\n"], &[0.0]).html().contains("a↩</span><br>"));
    }

    proptest! {
        #[test]
        fn no_token_opens_a_tag(tokens in proptest::collection::vec(any::<String>(), 0..6)) {
            let values = vec![0.5; tokens.len()];
            let breaks: usize = tokens
                .iter()
                .map(|t| t.matches('\n').count() + usize::from(t.starts_with([' ', '\n', '\t'])))
                .sum();
            let n_tags = 2 * (tokens.len() + 3) + breaks;
            let html = TokenView::new(tokens, values).unwrap().html();
            prop_assert_eq!(html.matches('<').count(), n_tags);
            prop_assert_eq!(html.matches('>').count(), n_tags);
        }
    }
}
