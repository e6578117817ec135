//! Makes dashboards: one pass over the tokens for all features, then each feature's examples, logits,
//! neighbours and ablation.
//! Source: `SaeVisRunner` of sae_vis.

mod options;

use super::super::activations::check_feature;
use super::super::features::{check_vocabulary, feature_logits};
use super::super::order::largest_first;
use super::ablation::Removal;
use super::bins::BinCounts;
use super::examples::{Choice, ExampleGroup, ExampleKind, Source, choose};
use super::feature::{AlignedNeuron, DirectLogits, FeatureDashboard, SimilarFeature};
use super::page::DashboardPage;
use super::scan::{Scan, scan};
use super::token_value::{TokenValue, extremes};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::{HookName, Transformer};
use crate::progress::Reporter;
use crate::sae::SparseAutoencoder;
use crate::show::NotebookReporter;
use candle_core::{DType, Tensor};
use std::collections::HashMap;

pub use options::{DashboardOptions, DashboardTexts};

/// Shares of the active tokens whose activations a dashboard lists.
const QUANTILES: [f64; 5] = [0.25, 0.5, 0.75, 0.9, 0.99];
/// Tokens that are named as those which carry most of the activation.
const N_TOP_TOKENS: usize = 8;

/// The dashboard of one feature on the validation tokens of `data`, 32,768 at most.
///
/// # Errors
/// Those of [`feature_dashboards_with`].
pub fn feature_dashboard(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    data: &Dataset,
    feature_id: usize,
) -> Result<FeatureDashboard> {
    let page = feature_dashboards(model, sae, hook_name, data, &[feature_id])?;
    let first = page.dashboards.into_iter().next();
    first.ok_or(Error::Interrupted {
        what: "the feature's dashboard",
    })
}

/// The dashboards of several features on the validation tokens of `data`, 32,768 at most.
///
/// # Errors
/// Those of [`feature_dashboards_with`].
pub fn feature_dashboards(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    data: &Dataset,
    features: &[usize],
) -> Result<DashboardPage> {
    let options = DashboardOptions::default();
    let texts = DashboardTexts::of_split(model, &data.tokenizer, &data.val, options.max_tokens)?;
    let reporter = &mut NotebookReporter::new();
    feature_dashboards_with(model, sae, hook_name, &texts, features, &options, reporter)
}

/// The dashboards of several features, from one pass over `texts`. An interrupt gives those of the
/// sequences read until then.
///
/// ```
/// use holoscope::candle::{DType, Device, Tensor};
/// use holoscope::config::TransformerConfig;
/// use holoscope::data::Tokenizer;
/// use holoscope::interp::{DashboardOptions, DashboardTexts, feature_dashboards_with};
/// use holoscope::{model::Transformer, progress::Silent, sae::StandardSae};
///
/// # fn main() -> holoscope::Result<()> {
/// let ids = Tokenizer::gpt2()?.encode("the king and the queen and the king");
/// let tokenizer = Tokenizer::compact(&ids)?;
/// let ids = tokenizer.encode("the king and the queen and the king");
/// let tokens = Tensor::from_slice(&ids, (1, ids.len()), &Device::Cpu)?;
/// let cfg = TransformerConfig {
///     d_vocab: tokenizer.n_vocab(), d_model: 8, d_mlp: 16, ..Default::default()
/// };
/// let model = Transformer::new(&cfg)?;
/// let w = Tensor::eye(16, DType::F32, &Device::Cpu)?;
/// let zeros = Tensor::zeros(16, DType::F32, &Device::Cpu)?;
/// let sae = StandardSae::new(w.clone(), zeros.clone(), w, zeros)?;
/// let page = feature_dashboards_with(
///     &model, &sae, "blocks.0.mlp.hook_post", &DashboardTexts::new(&tokenizer, &tokens),
///     &[3, 5], &DashboardOptions::default(), &mut Silent,
/// )?;
/// assert_eq!(page.dashboards[1].feature_id, 5);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// No such feature or hook point, an autoencoder of another width, no tokens, tokens that the model
/// cannot read, a tokenizer of another vocabulary; [`Error::NotFiniteAt`] for an activation of the model
/// or of a wanted feature that is NaN or infinite; more features than memory is meant for, of which
/// correlations need `2 d_sae + d_in` numbers each, 2^27 in all, unless `correlation_tokens` is 0.
pub fn feature_dashboards_with(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    texts: &DashboardTexts,
    features: &[usize],
    options: &DashboardOptions,
    reporter: &mut dyn Reporter,
) -> Result<DashboardPage> {
    let model = &model.without_gradients();
    HookName::of_model(hook_name, model.cfg())?;
    for &feature in features {
        check_feature(sae, feature)?;
    }
    check_vocabulary(&texts.tokenizer, model.cfg().d_vocab)?;
    let tokens = &texts.tokens;
    if tokens.rank() != 2 || tokens.elem_count() == 0 {
        return Err(Error::shape(
            "tokens",
            "[batch, pos], at least one token",
            tokens.dims(),
        ));
    }
    let title = format!("Features at {hook_name}");
    if features.is_empty() {
        return Ok(DashboardPage::new(title, Vec::new()));
    }
    let of_pass = options.correlation_tokens;
    let found = scan(model, sae, hook_name, tokens, features, of_pass, reporter)?;
    let collector = Collector {
        removal: Removal {
            model,
            sae,
            hook_name,
            tokenizer: &texts.tokenizer,
            tokens,
            n_logits: options.n_logits,
        },
        ids: tokens
            .narrow(0, 0, found.n_sequences)?
            .to_dtype(DType::U32)?
            .flatten_all()?
            .to_vec1()?,
        pos: tokens.dim(1)?,
        options,
    };
    let similar = collector.similar(features)?;
    let places = features.iter().zip(similar).enumerate();
    let dashboards: Result<Vec<FeatureDashboard>> = places
        .map(|(place, (&feature, similar))| collector.dashboard(feature, place, &found, similar))
        .collect();
    Ok(DashboardPage::new(title, dashboards?))
}

/// What the dashboards of one call have in common.
struct Collector<'a> {
    removal: Removal<'a>,
    /// The tokens read, sequence after sequence.
    ids: Vec<u32>,
    /// Length of a sequence.
    pos: usize,
    options: &'a DashboardOptions,
}

impl Collector<'_> {
    fn dashboard(
        &self,
        feature_id: usize,
        place: usize,
        found: &Scan,
        similar: Vec<SimilarFeature>,
    ) -> Result<FeatureDashboard> {
        let options = self.options;
        let acts = &found.acts[place];
        let mut sorted: Vec<f64> = acts.iter().map(|a| f64::from(a.1)).collect();
        sorted.sort_by(f64::total_cmp);
        let (n_tokens, n_active) = (self.ids.len(), acts.len());
        let max_act = sorted.last().map_or(0.0, |&act| act.max(0.0));
        let min_act = sorted.first().map_or(0.0, |&act| act.min(0.0));
        let sum: f64 = sorted.iter().sum();
        let source = Source {
            tokenizer: self.removal.tokenizer,
            tokens: &self.ids,
            pos: self.pos,
        };
        let groups = choose(&source, acts, &choice(options, feature_id));
        // Of the two signs the one with the largest activation: together their effects would cancel.
        let largest = |group: &ExampleGroup| group.high.max(-group.low);
        let top = groups.iter().filter(|group| group.kind == ExampleKind::Top);
        let top = top.reduce(|a, b| if largest(b) > largest(a) { b } else { a });
        let top = top.map_or(&[][..], |group| &group.examples);
        let removed_on = &top[..top.len().min(options.ablation_examples)];
        Ok(FeatureDashboard {
            feature_id,
            hook_name: self.removal.hook_name.to_owned(),
            label: String::new(),
            n_tokens,
            n_active,
            density: n_active as f64 / n_tokens as f64,
            max_act,
            min_act,
            mean_act: sum / n_active.max(1) as f64,
            quantiles: quantiles(&sorted),
            act_histogram: BinCounts::of(sorted.iter().copied(), min_act, max_act, options.n_bins),
            top_tokens: self.top_tokens(acts),
            logits: self.logits(feature_id)?,
            correlated: found.together.features(place, options.n_neighbours),
            correlated_neurons: found.together.neurons(place, options.n_neighbours),
            n_correlation_tokens: found.together.n,
            similar,
            neurons: self.neurons(feature_id)?,
            ablation: self.removal.effect(feature_id, removed_on)?,
            groups,
        })
    }

    /// The tokens with the largest shares of the summed activation, in absolute values.
    fn top_tokens(&self, acts: &[(u32, f32)]) -> Vec<TokenValue> {
        let sum: f64 = acts.iter().map(|act| f64::from(act.1.abs())).sum();
        let mut of_token: HashMap<u32, f64> = HashMap::new();
        for &(index, act) in acts {
            *of_token.entry(self.ids[index as usize]).or_default() += f64::from(act.abs());
        }
        let mut shares: Vec<(u32, f64)> = of_token.into_iter().collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        shares.truncate(N_TOP_TOKENS);
        let named = |(id, act): (u32, f64)| TokenValue {
            token: self.removal.tokenizer.token_str(id),
            value: act / sum,
        };
        shares.into_iter().map(named).collect()
    }

    fn logits(&self, feature_id: usize) -> Result<Option<DirectLogits>> {
        let Removal {
            model,
            sae,
            hook_name,
            tokenizer,
            n_logits,
            ..
        } = self.removal;
        let logits = match feature_logits(model, sae, hook_name, feature_id) {
            Ok(logits) => logits.to_vec1::<f32>()?,
            // What the hook point does not have; the name itself is known.
            Err(Error::Argument {
                what: "hook_name", ..
            }) => return Ok(None),
            Err(other) => return Err(other),
        };
        let (top, bottom) = extremes(tokenizer, &logits, n_logits);
        let values = || logits.iter().map(|&l| f64::from(l));
        let lo = values().fold(f64::INFINITY, f64::min);
        let hi = values().fold(f64::NEG_INFINITY, f64::max);
        Ok(Some(DirectLogits {
            top,
            bottom,
            histogram: BinCounts::of(values(), lo, hi, self.options.n_bins),
        }))
    }

    /// For each of `features` the features whose decoder rows have the largest cosines with its own.
    fn similar(&self, features: &[usize]) -> Result<Vec<Vec<SimilarFeature>>> {
        let w_dec = self.removal.sae.w_dec().to_dtype(DType::F32)?; // [d_sae, d_in]
        let norms = w_dec.sqr()?.sum_keepdim(1)?.sqrt()?;
        let rows = w_dec.broadcast_div(&norms)?;
        let wanted: Vec<u32> = features.iter().map(|&f| f as u32).collect();
        let wanted = Tensor::from_vec(wanted, features.len(), w_dec.device())?;
        let cosines = rows.index_select(&wanted, 0)?.matmul(&rows.t()?)?; // [features, d_sae]
        let of_feature = |(own, cosines): (&usize, Vec<f32>)| {
            let all = cosines.iter().enumerate().filter(|(id, _)| id != own);
            let mut all: Vec<SimilarFeature> = all
                .map(|(feature_id, &cosine)| SimilarFeature {
                    feature_id,
                    cosine: f64::from(cosine),
                })
                // A row of zeros has no direction.
                .filter(|similar| similar.cosine.is_finite())
                .collect();
            all.sort_by(|a, b| largest_first(a.cosine, b.cosine));
            all.truncate(self.options.n_neighbours);
            all
        };
        let cosines = cosines.to_vec2::<f32>()?;
        Ok(features.iter().zip(cosines).map(of_feature).collect())
    }

    fn neurons(&self, feature_id: usize) -> Result<Vec<AlignedNeuron>> {
        let row = self
            .removal
            .sae
            .w_dec()
            .get(feature_id)?
            .to_dtype(DType::F32)?;
        let row = row.to_vec1::<f32>()?;
        let l1: f64 = row.iter().map(|&w| f64::from(w.abs())).sum();
        let weights = row.iter().enumerate().filter(|(_, w)| **w != 0.0);
        let mut neurons: Vec<AlignedNeuron> = weights
            .map(|(index, &weight)| AlignedNeuron {
                index,
                weight: f64::from(weight),
                share_of_l1: f64::from(weight.abs()) / l1,
            })
            .collect();
        neurons.sort_by(|a, b| largest_first(a.weight.abs(), b.weight.abs()));
        neurons.truncate(self.options.n_neighbours);
        Ok(neurons)
    }
}

fn choice(options: &DashboardOptions, feature_id: usize) -> Choice {
    Choice {
        n_top: options.n_top,
        n_intervals: options.n_intervals,
        per_interval: options.per_interval,
        n_random: options.n_random,
        before: options.context_before,
        after: options.context_after,
        // A feature has the same examples whichever others are asked for.
        seed: options.seed.wrapping_add(feature_id as u64),
    }
}

/// Quantiles of ascending values, interpolated linearly as numpy does; none without values.
fn quantiles(sorted: &[f64]) -> Vec<(f64, f64)> {
    let Some(last) = sorted.len().checked_sub(1) else {
        return Vec::new();
    };
    let at = |q: f64| {
        let place = q * last as f64;
        let (left, right) = (place.floor() as usize, place.ceil() as usize);
        sorted[left] + (sorted[right] - sorted[left]) * place.fract()
    };
    QUANTILES.iter().map(|&q| (q, at(q))).collect()
}

#[cfg(test)]
mod tests;
