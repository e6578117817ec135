//! What every head attends to on a repeated sequence: the previous token, the same one, the next.
//! `score = mean of pattern[k + o][k]`, `o` = 1, `seq_len`, `seq_len - 1`.
//! Source: Olsson et al. 2022, "In-context Learning and Induction Heads"; TransformerLens' main demo.

use crate::error::{Error, Result};
use crate::interp::mechanisms::input::{check_token, elements};
use crate::interp::token_frame::token_rows;
use crate::model::{BlockPoint, Hook, HookName, NamesFilter, Transformer};
use crate::show::Interrupts;
use candle_core::Tensor;
use rand::seq::index::sample;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;
use std::rc::Rc;

/// Attention weights that are in memory at once.
const WEIGHTS_PER_PASS: usize = 1 << 24;

/// The attention scores of one head, each between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadScore {
    /// The block.
    pub layer: usize,
    /// The head of the block.
    pub head: usize,
    /// Mean attention from a token to the one before it.
    pub previous_token: f64,
    /// Mean attention from a token to its earlier occurrence.
    pub duplicate_token: f64,
    /// Mean attention from a token to the one after its earlier occurrence.
    pub induction: f64,
}

/// The attention scores of every head of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadScores {
    /// Length of the part that is repeated.
    pub seq_len: usize,
    /// Sequences averaged over.
    pub n_sequences: usize,
    /// By layer, then by head.
    pub scores: Vec<HeadScore>,
}

/// `n_sequences` random sequences, each `seq_len` tokens twice, after `bos` if there is one:
/// `[n_sequences, 2 * seq_len]` or one token longer, u32, on the model's device.
///
/// The tokens are uniform over the vocabulary without `bos`, and within a sequence all different
/// where the vocabulary has enough, so that each has one earlier occurrence. A model that was
/// trained on sequences that begin with a token should be given it.
///
/// # Errors
/// No sequence, a `seq_len` below 2, more tokens than `n_ctx`, a `bos` beyond the vocabulary, a
/// vocabulary of nothing else.
pub fn repeated_random_tokens(
    model: &Transformer,
    n_sequences: usize,
    seq_len: usize,
    bos: Option<u32>,
    seed: u64,
) -> Result<Tensor> {
    let cfg = model.cfg();
    let n_prefix = usize::from(bos.is_some());
    if n_sequences == 0 {
        return Err(Error::argument("n_sequences", 0, "must be at least 1"));
    }
    if seq_len < 2 || seq_len > cfg.n_ctx.saturating_sub(n_prefix) / 2 {
        let rule = format!(
            "must be at least 2, and {n_prefix} + 2 seq_len at most n_ctx = {}",
            cfg.n_ctx
        );
        return Err(Error::argument("seq_len", seq_len, rule));
    }
    let len = n_prefix + 2 * seq_len;
    let Some(n_all) = n_sequences.checked_mul(len) else {
        let rule = "asks for more tokens than can be counted";
        return Err(Error::argument("n_sequences", n_sequences, rule));
    };
    if let Some(bos) = bos {
        check_token(bos, cfg)?;
    }
    let n_ids = cfg.d_vocab - n_prefix;
    if n_ids == 0 {
        return Err(Error::argument(
            "d_vocab",
            cfg.d_vocab,
            "has no token but bos",
        ));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut ids: Vec<u32> = Vec::with_capacity(n_all);
    for _ in 0..n_sequences {
        let drawn: Vec<usize> = match seq_len <= n_ids {
            true => sample(&mut rng, n_ids, seq_len).into_vec(),
            false => (0..seq_len).map(|_| rng.random_range(0..n_ids)).collect(),
        };
        // The ids from bos on are one further.
        let id = |&i: &usize| i as u32 + u32::from(bos.is_some_and(|bos| i as u32 >= bos));
        let half: Vec<u32> = drawn.iter().map(id).collect();
        ids.extend(bos);
        ids.extend(&half);
        ids.extend(&half);
    }
    Ok(Tensor::from_vec(ids, (n_sequences, len), model.device())?)
}

/// The attention scores of every head on `tokens` `[batch, 2 * seq_len]`, each row a sequence of
/// `seq_len` tokens twice, such as [`repeated_random_tokens`] gives; rows of an odd length begin
/// with one more token, which is left out of the scores.
///
/// A score is the mean, over the diagonal and over the sequences, of the attention pattern:
/// previous token, offset -1; duplicate token, offset `-seq_len`; induction, offset `1 - seq_len`.
/// As in TransformerLens' demo the last has one entry more than there are repeated tokens, that of
/// the first half's last query.
///
/// ```
/// use holoscope::{config::TransformerConfig, model::Transformer};
/// use holoscope::interp::{head_scores, repeated_random_tokens};
/// let cfg = TransformerConfig { d_vocab: 50, d_model: 8, d_mlp: 16, ..Default::default() };
/// let model = Transformer::new(&cfg)?;
/// let scores = head_scores(&model, &repeated_random_tokens(&model, 4, 20, None, 1)?)?;
/// // An untrained head attends to all earlier tokens alike.
/// assert!(scores.scores.iter().all(|s| s.induction < 0.1));
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// Tokens that are no such sequences or that the model cannot read; a model without blocks;
/// [`Error::Interrupted`].
pub fn head_scores(model: &Transformer, tokens: &Tensor) -> Result<HeadScores> {
    let names = pattern_names(model);
    let keep = NamesFilter::Names(names.clone());
    scores_of(model, tokens, |rows| {
        let last = Some(model.cfg().n_layers);
        let (_, cache) = model.run_with_cache_filtered(rows, &keep, last)?;
        names.iter().map(|&name| cache.at(name)).collect()
    })
}

/// [`head_scores`] of passes with `hooks`, such as [`ablate_head`](super::ablate_head): whether a head
/// still attends where it did when another one is gone.
///
/// # Errors
/// Those of [`head_scores`] and [`Transformer::run_with_hooks`].
pub fn head_scores_with_hooks(
    model: &Transformer,
    tokens: &Tensor,
    hooks: &[Hook],
) -> Result<HeadScores> {
    let model = model.without_gradients();
    let names = pattern_names(&model);
    scores_of(&model, tokens, |rows| {
        let seen: Rc<RefCell<Vec<Tensor>>> = Rc::default();
        let mut hooks = hooks.to_vec();
        hooks.extend(names.iter().map(|name| {
            let seen = seen.clone();
            Hook::new(&name.to_string(), move |pattern| {
                seen.borrow_mut().push(pattern.clone());
                Ok(None)
            })
        }));
        model.run_with_hooks(rows, &hooks)?;
        Ok(seen.take())
    })
}

/// The patterns of all blocks, in order.
fn pattern_names(model: &Transformer) -> Vec<HookName> {
    let point = BlockPoint::Pattern;
    let layers = 0..model.cfg().n_layers;
    layers
        .map(|layer| HookName::Block { layer, point })
        .collect()
}

/// Scores of the patterns `[rows, n_heads, query, key]` of each block that `patterns` gives for some
/// rows of the tokens.
fn scores_of(
    model: &Transformer,
    tokens: &Tensor,
    patterns: impl Fn(&Tensor) -> Result<Vec<Tensor>>,
) -> Result<HeadScores> {
    let cfg = model.cfg();
    if cfg.n_layers == 0 {
        return Err(Error::argument("n_layers", 0, "the model has no heads"));
    }
    let seq_len = repeated_length(tokens)?;
    let (batch, len) = tokens.dims2()?;
    let first = len - 2 * seq_len;
    let offsets = [1, seq_len, seq_len - 1];
    let mut sums = vec![[0.0; 3]; cfg.n_layers * cfg.n_heads];
    let per_pass = (WEIGHTS_PER_PASS / (sums.len() * len * len)).max(1);
    let interrupts = Interrupts::listen();
    for start in (0..batch).step_by(per_pass) {
        interrupts.check("the head scores")?;
        let rows = tokens.narrow(0, start, per_pass.min(batch - start))?;
        for (layer, patterns) in patterns(&rows)?.iter().enumerate() {
            let patterns = elements(patterns)?; // [rows, n_heads, query, key]
            for (i, pattern) in patterns.chunks(len * len).enumerate() {
                let sum = &mut sums[layer * cfg.n_heads + i % cfg.n_heads];
                for (sum, &offset) in sum.iter_mut().zip(&offsets) {
                    *sum += diagonal_mean(pattern, len, first, offset);
                }
            }
        }
    }
    let scores = sums.iter().enumerate().map(|(i, sums)| HeadScore {
        layer: i / cfg.n_heads,
        head: i % cfg.n_heads,
        previous_token: sums[0] / batch as f64,
        duplicate_token: sums[1] / batch as f64,
        induction: sums[2] / batch as f64,
    });
    Ok(HeadScores {
        seq_len,
        n_sequences: batch,
        scores: scores.collect(),
    })
}

/// The length of the part that each row holds twice.
fn repeated_length(tokens: &Tensor) -> Result<usize> {
    let rows = token_rows(tokens)?;
    let len = rows.first().map_or(0, Vec::len);
    let (seq_len, first) = (len / 2, len % 2);
    if seq_len < 2 {
        let wanted = "[batch, 2 * seq_len] with seq_len at least 2";
        return Err(Error::shape("tokens", wanted, tokens.dims()));
    }
    let repeats = |row: &Vec<u32>| row[first..first + seq_len] == row[first + seq_len..];
    match rows.iter().position(|row| !repeats(row)) {
        None => Ok(seq_len),
        Some(row) => Err(Error::argument(
            "tokens",
            format!("row {row}"),
            format!("must be the same {seq_len} tokens twice, after one more where it is odd"),
        )),
    }
}

/// The mean of `pattern[k + offset][k]`, queries and keys from `first` on; `pattern` is `[len, len]`.
fn diagonal_mean(pattern: &[f32], len: usize, first: usize, offset: usize) -> f64 {
    let keys = first..len - offset;
    let n = keys.len() as f64;
    let weights = keys.map(|key| f64::from(pattern[(key + offset) * len + key]));
    weights.sum::<f64>() / n
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Normalization, TransformerConfig};
    use crate::interp::mechanisms::testing::{random_model, sequence, small_config};
    use crate::show::Show;
    use candle_core::Device;
    use std::collections::{BTreeMap, HashSet};

    /// A block of three heads. Head `h` attends from each position to the one `offsets[h]` before
    /// it; where there is none its scores are 0, so that it attends to all alike.
    fn shifting_model(n_ctx: usize, offsets: [usize; 3]) -> Transformer {
        let cfg = TransformerConfig {
            n_layers: 1,
            d_model: 3 * n_ctx,
            n_heads: 3,
            n_ctx,
            d_vocab: 11,
            attn_only: true,
            normalization_type: Normalization::None,
            ..TransformerConfig::default()
        };
        let model = Transformer::new(&cfg).unwrap();
        let mut parameters = BTreeMap::new();
        for (name, value) in model.named_parameters() {
            let mut values = vec![0f32; value.elem_count()];
            let row = 3 * n_ctx * n_ctx; // of one head's W_Q or W_K, [d_model, d_head]
            for position in 0..n_ctx {
                match name.as_str() {
                    "pos_embed.W_pos" => values[position * 3 * n_ctx + position] = 1.0,
                    "blocks.0.attn.W_K" => {
                        for head in 0..3 {
                            values[head * row + position * n_ctx + position] = 1.0;
                        }
                    }
                    "blocks.0.attn.W_Q" => {
                        for (head, offset) in offsets.iter().enumerate() {
                            if let Some(key) = position.checked_sub(*offset) {
                                values[head * row + position * n_ctx + key] = 400.0;
                            }
                        }
                    }
                    _ => {}
                }
            }
            let value = Tensor::from_vec(values, value.shape(), &Device::Cpu).unwrap();
            parameters.insert(name, value);
        }
        Transformer::from_parameters(&cfg, &parameters).unwrap()
    }

    #[test]
    fn heads_that_look_a_fixed_way_back_have_the_scores_that_follow() {
        let seq_len = 4;
        let offsets = [1, seq_len, seq_len - 1];
        for bos in [None, Some(0)] {
            let first = usize::from(bos.is_some());
            let model = shifting_model(first + 2 * seq_len, offsets);
            let tokens = repeated_random_tokens(&model, 3, seq_len, bos, 7).unwrap();
            let found = head_scores(&model, &tokens).unwrap();
            assert_eq!((found.seq_len, found.n_sequences), (4, 3));
            for (head, &looks_back) in offsets.iter().enumerate() {
                let score = found.scores[head];
                let scores = [score.previous_token, score.duplicate_token, score.induction];
                for (score, offset) in scores.into_iter().zip(offsets) {
                    // A query that looks back `looks_back` attends there, or, where it cannot, to
                    // each of the query + 1 keys alike.
                    let queries = first + offset..first + 2 * seq_len;
                    let n = queries.len() as f64;
                    let weights = queries.map(|query| match query < looks_back {
                        true => 1.0 / (query + 1) as f64,
                        false => f64::from(u8::from(offset == looks_back)),
                    });
                    let wanted = weights.sum::<f64>() / n;
                    assert!(
                        (score - wanted).abs() < 1e-5,
                        "{head} {offset}: {score} {wanted}"
                    );
                }
            }
            if bos.is_none() {
                let duplicate = found.scores[1];
                assert!((duplicate.duplicate_token - 1.0).abs() < 1e-5);
                // Queries 1, 2, 3 attend to 2, 3, 4 keys alike; the diagonal has seven entries.
                let by_hand = (1.0 / 2.0 + 1.0 / 3.0 + 1.0 / 4.0) / 7.0;
                assert!((duplicate.previous_token - by_hand).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn random_tokens_repeat_and_are_all_different_where_they_can_be() {
        let model = random_model(&small_config()); // 11 tokens, n_ctx 12
        let rows = |bos, seed| {
            let tokens = repeated_random_tokens(&model, 50, 5, bos, seed).unwrap();
            tokens.to_vec2::<u32>().unwrap()
        };
        let mut seen = HashSet::new();
        for row in rows(Some(4), 1) {
            assert_eq!((row[0], &row[1..6]), (4, &row[6..]));
            let distinct: HashSet<u32> = row[1..6].iter().copied().collect();
            assert_eq!(distinct.len(), 5);
            seen.extend(distinct);
        }
        let all_but_bos: HashSet<u32> = (0..11).filter(|&id| id != 4).collect();
        assert_eq!(seen, all_but_bos);
        assert_eq!(rows(None, 1), rows(None, 1));
        assert_ne!(rows(None, 1), rows(None, 2));
    }

    #[test]
    fn the_result_is_a_frame_and_a_picture() {
        let model = random_model(&small_config());
        let tokens = repeated_random_tokens(&model, 2, 6, None, 3).unwrap();
        let found = head_scores(&model, &tokens).unwrap();
        assert_eq!(found.frame().unwrap().shape(), (6, 5));
        let bundle = found.mime_bundle().unwrap();
        // Three layers of three scores.
        let svg = bundle.get("image/svg+xml").unwrap();
        assert!(svg.contains("9 rows, 2 columns"), "{svg}");
    }

    #[test]
    fn wrong_input_is_refused() {
        let model = random_model(&small_config());
        let message = |tokens: &Tensor| head_scores(&model, tokens).unwrap_err().to_string();
        assert!(message(&sequence(&[1, 2, 1, 3])).contains("row 0"));
        assert!(message(&sequence(&[1, 1])).contains("seq_len at least 2"));
        assert!(message(&sequence(&[11, 2, 11, 2])).contains("token id = 11"));
        let random = |n, seq_len, bos| {
            let tokens = repeated_random_tokens(&model, n, seq_len, bos, 1);
            tokens.unwrap_err().to_string()
        };
        assert!(random(0, 3, None).contains("n_sequences"));
        assert!(random(1, 1, None).contains("seq_len = 1"));
        assert!(random(1, 6, Some(0)).contains("n_ctx = 12"));
        assert!(random(1, 3, Some(11)).contains("token id = 11"));
        let no_blocks = random_model(&TransformerConfig {
            n_layers: 0,
            ..small_config()
        });
        assert!(head_scores(&no_blocks, &sequence(&[1, 2, 1, 2])).is_err());
    }
}
