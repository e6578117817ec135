//! What a neuroscope shows, computed from what its reader has asked for.

use super::census::FeatureCensus;
use super::directions::{Family, Kind, families};
use super::reading::Reading;
use super::subject::Subject;
use crate::error::{Error, Result};
use crate::interp::{direction_logits, token_logits};
use crate::model::Transformer;
use crate::sae::SparseAutoencoder;
use crate::show::TokenView;
use candle_core::{IndexOp, Tensor};
use serde::Serialize;
use serde_json::{Value, json};

/// How many tokens a direction's lists of promoted and suppressed tokens have.
const TOP_TOKENS: usize = 8;
/// How many directions the breakdown of a token lists, and how many tokens each of them pushes.
const BREAKDOWN: usize = 12;
const CONTRIBUTIONS: usize = 3;
/// How many directions a search finds.
const MATCHES: usize = 20;

/// A model, and what was computed of it last.
#[derive(Debug)]
pub struct NeuroscopeModel {
    pub(super) subject: Subject,
    families: Vec<Family>,
    reading: Option<Reading>,
    /// What a corpus says of the features of the autoencoder, where one was read.
    pub(super) census: Option<FeatureCensus>,
}

/// What some directions write, `[n, d]`, at a hook point.
struct Rows {
    rows: Tensor,
    hook_name: String,
}

impl Rows {
    /// Their direct effect on the logits, `[n, d_vocab]`.
    fn logits(&self, model: &Transformer) -> Result<Tensor> {
        direction_logits(model, &self.hook_name, &self.rows)
    }
}

/// What the reader has asked for.
#[derive(Debug, Clone)]
pub struct Asked {
    text: String,
    family: usize,
    index: usize,
    selected: Option<usize>,
    query: String,
}

/// What the view shows.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// Which family of directions is shown, and which direction of it.
    pub direction: usize,
    pub index: usize,
    pub tokens: Vec<String>,
    /// The direction's activations, one a token; NaN is null in JSON.
    pub values: Vec<f32>,
    /// The largest activation on the corpus, and the share of its tokens with one; null where none was
    /// read.
    pub maximum: Value,
    pub density: Value,
    pub top_tokens: Value,
    pub bottom_tokens: Value,
    pub breakdown: Value,
    pub matches: Value,
}

impl NeuroscopeModel {
    /// Nothing is computed yet.
    ///
    /// # Errors
    /// [`Error::Argument`] for a model without blocks and without an autoencoder: it has no directions.
    pub fn new(subject: Subject) -> Result<Self> {
        let families = families(&subject);
        if families.is_empty() {
            let reason = "a model without blocks has nothing to look into but by an autoencoder";
            return Err(Error::argument("n_layers", 0, reason));
        }
        Ok(Self {
            families,
            subject,
            reading: None,
            census: None,
        })
    }

    /// The families of directions, as the view lists them.
    pub fn directions(&self) -> Value {
        self.families.iter().map(Family::described).collect()
    }

    /// Takes what a corpus says of the autoencoder's features.
    pub fn know(&mut self, census: FeatureCensus) {
        self.census = Some(census);
    }

    /// A question by the view's state, of which `get` gives the values by key; what is out of range is
    /// brought into it.
    pub fn asked(&self, get: impl Fn(&str) -> Value) -> Asked {
        let number = |key: &str| get(key).as_f64().unwrap_or(0.0);
        let text = |key: &str| get(key).as_str().unwrap_or_default().to_owned();
        let family = (number("direction").max(0.0) as usize).min(self.families.len() - 1);
        let selected = number("selected");
        let last = self.families[family].count.saturating_sub(1);
        Asked {
            text: text("text"),
            family,
            index: (number("index").max(0.0) as usize).min(last),
            selected: (selected >= 0.0).then_some(selected as usize),
            query: text("query"),
        }
    }

    /// Answers a question; the text is read anew only where it, or the family, is another than the last.
    ///
    /// # Errors
    /// When the model cannot be run on the text.
    pub fn answer(&mut self, asked: &Asked) -> Result<Answer> {
        let reading = self.read(asked)?;
        let answer = self.answer_of(&reading, asked);
        self.reading = Some(reading);
        answer
    }

    fn answer_of(&self, reading: &Reading, asked: &Asked) -> Result<Answer> {
        let family = &self.families[asked.family];
        let (maximum, density) = self.known(family, asked.index);
        let (top_tokens, bottom_tokens) = self.top_tokens(family, asked.index)?;
        let breakdown = match asked.selected {
            Some(token) => self.breakdown(reading, family, token)?,
            None => json!([]),
        };
        let matches = match asked.query.trim() {
            "" => json!([]),
            query => self.search(family, query)?,
        };
        Ok(Answer {
            direction: asked.family,
            index: asked.index,
            tokens: self.subject.tokenizer.str_tokens(&reading.tokens),
            values: reading.column(asked.index)?,
            maximum,
            density,
            top_tokens,
            bottom_tokens,
            breakdown,
            matches,
        })
    }

    /// The coloured tokens, for what shows no widgets.
    ///
    /// # Errors
    /// When the model cannot be run on the text.
    pub fn tokens(&mut self, asked: &Asked) -> Result<TokenView> {
        let reading = self.read(asked)?;
        let family = &self.families[asked.family];
        let values = reading.column(asked.index)?;
        let values = values.into_iter().map(f64::from).collect();
        let tokens = self.subject.tokenizer.str_tokens(&reading.tokens);
        self.reading = Some(reading);
        let title = format!("{} {} of {}", family.unit(), asked.index, family.hook_name);
        Ok(TokenView::new(tokens, values)?.title(title))
    }

    /// Takes what was read last, or reads the text.
    fn read(&mut self, asked: &Asked) -> Result<Reading> {
        let known = |r: &Reading| r.text == asked.text && r.family == asked.family;
        match self.reading.take().filter(known) {
            Some(reading) => Ok(reading),
            None => {
                let family = &self.families[asked.family];
                Reading::of(&self.subject, family, asked.family, &asked.text)
            }
        }
    }

    /// The maximum and the density of a direction on the corpus; null where none was read.
    fn known(&self, family: &Family, index: usize) -> (Value, Value) {
        let of_corpus = self
            .census
            .as_ref()
            .filter(|_| family.kind == Kind::Features);
        match of_corpus {
            Some(census) => {
                let maximum = f64::from(census.maximum[index]);
                (finite(maximum), finite(census.density[index]))
            }
            None => (Value::Null, Value::Null),
        }
    }

    /// What directions write, and where; `None` for heads, whose norm has no direction.
    fn rows(&self, family: &Family, indices: &[usize]) -> Result<Option<Rows>> {
        let device = self.subject.model.device();
        let wanted: Vec<u32> = indices.iter().map(|&i| i as u32).collect();
        let mut hook_name = family.hook_name.clone();
        let rows = match (family.kind, &self.subject.dictionary) {
            (Kind::Features, Some(dictionary)) => {
                let all = match &dictionary.written {
                    Some(written) => {
                        // Where nothing stands between it and the unembedding.
                        let last = self.subject.model.cfg().n_layers.saturating_sub(1);
                        hook_name = format!("blocks.{last}.hook_resid_post");
                        written.clone()
                    }
                    None => dictionary.sae.w_dec(),
                };
                let wanted = Tensor::from_vec(wanted, indices.len(), all.device())?;
                let rows = all.contiguous()?.index_select(&wanted, 0)?;
                rows.to_device(device)?
            }
            (Kind::Neurons | Kind::Residual, _) => {
                let mut rows = vec![0f32; indices.len() * family.count];
                for (row, &index) in indices.iter().enumerate() {
                    rows[row * family.count + index] = 1.0;
                }
                Tensor::from_vec(rows, (indices.len(), family.count), device)?
            }
            _ => return Ok(None),
        };
        Ok(Some(Rows { rows, hook_name }))
    }

    /// The tokens that a direction promotes and suppresses most, as the view lists them.
    fn top_tokens(&self, family: &Family, index: usize) -> Result<(Value, Value)> {
        let Some(row) = self.rows(family, &[index])? else {
            return Ok((json!([]), json!([])));
        };
        let Ok(logits) = row.logits(&self.subject.model) else {
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
        let active = reading.strongest(token, BREAKDOWN)?;
        let indices: Vec<usize> = active.iter().map(|(index, _)| *index).collect();
        let logits = match self.rows(family, &indices)? {
            Some(rows) if !indices.is_empty() => rows.logits(&self.subject.model).ok(),
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
        let Rows { rows, hook_name } = rows;
        let Ok(logits) = token_logits(&self.subject.model, &hook_name, &rows, &wanted) else {
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
