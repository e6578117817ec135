//! What the view shows, computed from what its reader has asked for.

use super::super::feature_browser::Census;
use super::super::source::Fields;
use super::directions::{Family, Kind, families};
use super::reading::Reading;
use super::subject::Subject;
use crate::error::Result;
use crate::interp::{HookedSae, direction_logits, token_logits};
use crate::sae::SparseAutoencoder;
use crate::show::TokenView;
use crate::widgets::{AnyWidget, Field};
use candle_core::{IndexOp, Tensor};
use serde_json::{Value, json};

/// How many tokens a direction's lists of promoted and suppressed tokens have.
const TOP_TOKENS: usize = 8;
/// How many directions the breakdown of a token lists, and how many tokens each of them pushes.
const BREAKDOWN: usize = 12;
const CONTRIBUTIONS: usize = 3;
/// How many directions a search finds.
const MATCHES: usize = 20;

/// A model, and what was computed of it last.
pub(super) struct Answers {
    subject: Subject,
    families: Vec<Family>,
    reading: Option<Reading>,
    /// The largest activation and the density of each feature of the autoencoder, where a corpus was
    /// read.
    corpus: Option<Census>,
}

/// What the reader has asked for.
struct Asked {
    text: String,
    family: usize,
    index: usize,
    selected: Option<usize>,
    query: String,
}

impl Asked {
    fn of(view: &AnyWidget, families: &[Family]) -> Self {
        let number = |key: &str| view.get(key).as_f64().unwrap_or(0.0);
        let text = |key: &str| view.get(key).as_str().unwrap_or_default().to_owned();
        let family = (number("direction").max(0.0) as usize).min(families.len() - 1);
        let selected = number("selected");
        Self {
            text: text("text"),
            family,
            index: (number("index").max(0.0) as usize).min(families[family].count - 1),
            selected: (selected >= 0.0).then_some(selected as usize),
            query: text("query"),
        }
    }
}

impl Answers {
    /// # Errors
    /// Never for a model that has a block; kept for subjects that cannot be read.
    pub fn new(subject: Subject) -> Result<Self> {
        Ok(Self {
            families: families(&subject),
            subject,
            reading: None,
            corpus: None,
        })
    }

    /// The families, as the view lists them.
    pub fn directions(&self) -> Value {
        self.families.iter().map(Family::described).collect()
    }

    /// The autoencoder, if there is one.
    pub fn hooked(&self) -> Option<HookedSae> {
        self.subject.hooked.clone()
    }

    /// Takes what a corpus says of the autoencoder's features.
    pub fn know(&mut self, census: Census) {
        self.corpus = Some(census);
    }

    /// The state that answers what the view's state asks for.
    pub fn answer(&mut self, view: &AnyWidget) -> Result<Fields> {
        let asked = Asked::of(view, &self.families);
        self.read(&asked)?;
        let Some(reading) = &self.reading else {
            return Ok(Vec::new());
        };
        let values = reading.column(asked.index);
        let tokens = self.str_tokens(reading);
        let family = &self.families[asked.family];
        let (maximum, density) = self.known(family, asked.index);
        let (top, bottom) = self.top_tokens(family, asked.index)?;
        let breakdown = match asked.selected {
            Some(token) => self.breakdown(reading, family, token)?,
            None => json!([]),
        };
        let matches = match asked.query.trim() {
            "" => json!([]),
            query => self.search(family, query)?,
        };
        Ok(vec![
            ("direction", (asked.family as i64).into()),
            ("index", (asked.index as i64).into()),
            ("tokens", tokens.into()),
            ("values", Field::floats(&values)),
            ("maximum", maximum),
            ("density", density),
            ("top_tokens", top.into()),
            ("bottom_tokens", bottom.into()),
            ("breakdown", breakdown.into()),
            ("matches", matches.into()),
        ])
    }

    /// The coloured tokens, for what shows no widgets.
    pub fn tokens(&mut self, view: &AnyWidget) -> Result<TokenView> {
        let asked = Asked::of(view, &self.families);
        self.read(&asked)?;
        let family = &self.families[asked.family];
        let title = format!("{} {} of {}", family.unit(), asked.index, family.hook_name);
        let (tokens, values) = match &self.reading {
            Some(reading) => (self.str_tokens(reading), reading.column(asked.index)),
            None => (Vec::new(), Vec::new()),
        };
        let values = values.into_iter().map(f64::from).collect();
        Ok(TokenView::new(tokens, values)?.title(title))
    }

    /// Reads the text, unless it was read last.
    fn read(&mut self, asked: &Asked) -> Result<()> {
        let known = self.reading.as_ref();
        if known.is_some_and(|r| r.text == asked.text && r.family == asked.family) {
            return Ok(());
        }
        let family = &self.families[asked.family];
        self.reading = Some(Reading::of(
            &self.subject,
            family,
            asked.family,
            &asked.text,
        )?);
        Ok(())
    }

    fn str_tokens(&self, reading: &Reading) -> Vec<String> {
        self.subject.tokenizer.str_tokens(&reading.tokens)
    }

    /// The maximum and the density of a direction on the corpus; null where none was read.
    fn known(&self, family: &Family, index: usize) -> (Field, Field) {
        let of_corpus = self
            .corpus
            .as_ref()
            .filter(|_| family.kind == Kind::Features);
        match of_corpus {
            Some(census) => {
                let maximum = f64::from(census.maximum[index]);
                (finite(maximum).into(), finite(census.density[index]).into())
            }
            None => (Value::Null.into(), Value::Null.into()),
        }
    }

    /// Rows `[n, d_in]` that directions write at their hook point; `None` for heads, whose norm has no
    /// direction.
    fn rows(&self, family: &Family, indices: &[usize]) -> Result<Option<Tensor>> {
        let device = self.subject.model.device();
        let wanted: Vec<u32> = indices.iter().map(|&i| i as u32).collect();
        Ok(match (family.kind, &self.subject.hooked) {
            (Kind::Features, Some(hooked)) => {
                let w_dec = hooked.sae.w_dec();
                let wanted = Tensor::from_vec(wanted, indices.len(), w_dec.device())?;
                Some(
                    w_dec
                        .contiguous()?
                        .index_select(&wanted, 0)?
                        .to_device(device)?,
                )
            }
            (Kind::Neurons | Kind::Residual, _) => {
                let mut rows = vec![0f32; indices.len() * family.count];
                for (row, &index) in indices.iter().enumerate() {
                    rows[row * family.count + index] = 1.0;
                }
                Some(Tensor::from_vec(
                    rows,
                    (indices.len(), family.count),
                    device,
                )?)
            }
            _ => None,
        })
    }

    /// The tokens that a direction promotes and suppresses most, as the view lists them.
    fn top_tokens(&self, family: &Family, index: usize) -> Result<(Value, Value)> {
        let Some(row) = self.rows(family, &[index])? else {
            return Ok((json!([]), json!([])));
        };
        let Ok(logits) = direction_logits(&self.subject.model, &family.hook_name, &row) else {
            // A hook point that does not write to the residual stream has no direct logits.
            return Ok((json!([]), json!([])));
        };
        let logits = logits.i(0)?.to_vec1::<f32>()?;
        let negated: Vec<f32> = logits.iter().map(|logit| -logit).collect();
        let list = |of: &[f32]| -> Value {
            let rows = largest(of, TOP_TOKENS)
                .into_iter()
                .map(|id| json!({"token": self.token(id), "value": finite(f64::from(logits[id]))}));
            rows.collect()
        };
        Ok((list(&logits), list(&negated)))
    }

    /// What is most active on a token, and what each of them adds to the logits.
    fn breakdown(&self, reading: &Reading, family: &Family, token: usize) -> Result<Value> {
        let active = reading.strongest(token, BREAKDOWN);
        let indices: Vec<usize> = active.iter().map(|(index, _)| *index).collect();
        let logits = match self.rows(family, &indices)? {
            Some(rows) if !indices.is_empty() => {
                direction_logits(&self.subject.model, &family.hook_name, &rows).ok()
            }
            _ => None,
        };
        let mut listed = Vec::new();
        for (row, (index, value)) in active.into_iter().enumerate() {
            let mut contributions = Vec::new();
            if let Some(logits) = &logits {
                let logits = logits.i(row)?.to_vec1::<f32>()?;
                let scaled: Vec<f32> = logits.iter().map(|logit| logit * value).collect();
                contributions.extend(largest(&scaled, CONTRIBUTIONS).into_iter().map(
                    |id| json!({"token": self.token(id), "contribution": f64::from(scaled[id])}),
                ));
            }
            listed.push(json!({
                "index": index, "label": Value::Null, "value": f64::from(value),
                "logits": contributions,
            }));
        }
        Ok(Value::Array(listed))
    }

    /// The directions that promote the tokens of a text most.
    fn search(&self, family: &Family, query: &str) -> Result<Value> {
        let tokenizer = &self.subject.tokenizer;
        let spaced = format!(" {query}");
        let mut wanted: Vec<u32> = [query, spaced.as_str()]
            .iter()
            .filter_map(|text| match tokenizer.encode(text).as_slice() {
                [one] => Some(*one),
                _ => None,
            })
            .collect();
        if wanted.is_empty() {
            wanted.extend(tokenizer.encode(&spaced).first());
        }
        let all: Vec<usize> = (0..family.count).collect();
        let Some(rows) = self.rows(family, &all)? else {
            return Ok(json!([]));
        };
        let model = &self.subject.model;
        let Ok(logits) = token_logits(model, &family.hook_name, &rows, &wanted) else {
            return Ok(json!([]));
        };
        let best = logits.max(1)?.to_vec1::<f32>()?; // [count]
        let which = logits.argmax(1)?.to_vec1::<u32>()?;
        let found = largest(&best, MATCHES).into_iter().map(|index| {
            let token = wanted[which[index] as usize] as usize;
            json!({
                "index": index,
                "label": format!("promotes {}", self.token(token)),
                "value": finite(f64::from(best[index])),
            })
        });
        Ok(found.collect())
    }

    fn token(&self, id: usize) -> String {
        let id = u32::try_from(id).unwrap_or_default();
        self.subject.tokenizer.str_tokens(&[id]).concat()
    }
}

/// JSON has no NaN and no infinity.
fn finite(value: f64) -> Value {
    match value.is_finite() {
        true => value.into(),
        false => Value::Null,
    }
}

/// The positions of the `n` largest values, the largest first; NaN counts as the smallest.
fn largest(values: &[f32], n: usize) -> Vec<usize> {
    let key = |i: usize| match values[i].is_nan() {
        true => f32::NEG_INFINITY,
        false => values[i],
    };
    let order = |&a: &usize, &b: &usize| key(b).total_cmp(&key(a)).then(a.cmp(&b));
    let mut positions: Vec<usize> = (0..values.len()).collect();
    // A vocabulary is long and `n` is small: to sort all of it would take most of an answer's time.
    if n < positions.len() {
        positions.select_nth_unstable_by(n, order);
        positions.truncate(n);
    }
    positions.sort_by(order);
    positions
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_largest_are_the_first_of_all_in_order(
            values in proptest::collection::vec(-3i8..4, 0..40), n in 0usize..50,
        ) {
            let values: Vec<f32> = values
                .into_iter()
                .map(|v| if v == -3 { f32::NAN } else { f32::from(v) })
                .collect();
            let all = largest(&values, values.len());
            let some = largest(&values, n);
            prop_assert_eq!(&some[..], &all[..n.min(all.len())]);
            let sorted = all.iter().map(|&i| values[i]).filter(|v| !v.is_nan());
            prop_assert!(sorted.collect::<Vec<_>>().is_sorted_by(|a, b| a >= b));
        }
    }
}
