//! Tokens with their contexts as a data frame.
//! One row a token: str_tokens, unique_token, context `prefix|token|suffix`, batch, pos, label.
//! Source: `make_token_df` of 1L-Sparse-Autoencoder (whose suffix is lost one token too early).

use crate::data::Tokenizer;
use crate::error::{Error, Result};
use crate::show::visible_token;
use candle_core::{DType, Tensor};
use polars::prelude::{Column, DataFrame, df};

/// `tokens` `[batch, pos]` as a frame of one row a token.
///
/// `str_tokens`: the token, spaces as `·`, newlines as `↩`, tabs as `→`, the bytes of a part of a
/// character as `\xe6\x97`; `unique_token`: `token/pos`; `context`: up to `len_prefix` tokens before, the token, up to `len_suffix` after,
/// as `prefix|token|suffix`; `batch`, `pos`: u32; `label`: `batch/pos`.
///
/// ```
/// use holoscope::{data::Tokenizer, interp::token_frame};
/// use candle_core::{Device, Tensor};
/// let tokenizer = Tokenizer::gpt2()?;
/// let ids = tokenizer.encode("to be or");
/// let tokens = Tensor::from_slice(&ids, (1, ids.len()), &Device::Cpu)?;
/// let frame = token_frame(&tokenizer, &tokens, 5, 1)?;
/// assert_eq!(frame.column("context")?.str()?.get(1), Some("to|·be|·or"));
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// Tokens of another rank.
pub fn token_frame(
    tokenizer: &Tokenizer,
    tokens: &Tensor,
    len_prefix: usize,
    len_suffix: usize,
) -> Result<DataFrame> {
    let rows = token_rows(tokens)?;
    let (mut strings, mut unique, mut contexts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut batch, mut pos, mut label) = (Vec::new(), Vec::new(), Vec::new());
    for (b, row) in rows.iter().enumerate() {
        let visible = visible_tokens(tokenizer, row);
        for p in 0..row.len() {
            unique.push(format!("{}/{p}", visible[p]));
            contexts.push(context(&visible, p, len_prefix, len_suffix));
            batch.push(b as u32);
            pos.push(p as u32);
            label.push(format!("{b}/{p}"));
        }
        strings.extend(visible);
    }
    Ok(df![
        "str_tokens" => strings,
        "unique_token" => unique,
        "context" => contexts,
        "batch" => batch,
        "pos" => pos,
        "label" => label,
    ]?)
}

/// Each token as it is shown in frames.
pub(super) fn visible_tokens(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
    ids.iter()
        .map(|&id| visible_token(&tokenizer.token_str(id)))
        .collect()
}

/// `prefix|token|suffix` of one position of a row.
pub(super) fn context(
    visible: &[String],
    pos: usize,
    len_prefix: usize,
    len_suffix: usize,
) -> String {
    let prefix = visible[pos.saturating_sub(len_prefix)..pos].concat();
    let end = visible.len().min(pos + 1 + len_suffix);
    let suffix = visible[pos + 1..end].concat();
    format!("{prefix}|{}|{suffix}", visible[pos])
}

/// `[batch, pos]` tokens as rows of ids.
pub(super) fn token_rows(tokens: &Tensor) -> Result<Vec<Vec<u32>>> {
    if tokens.rank() != 2 {
        return Err(Error::shape("tokens", "[batch, pos]", tokens.dims()));
    }
    Ok(tokens.to_dtype(DType::U32)?.to_vec2::<u32>()?)
}

/// A token frame with one more column, `feature`: an activation a row.
///
/// `acts` has as many elements as the frame has rows, in the order `[batch, pos]`, for example
/// `feature_acts(...)?.i((.., .., feature_id))?`.
///
/// # Errors
/// Another number of activations.
pub fn with_feature(frame: &DataFrame, acts: &Tensor) -> Result<DataFrame> {
    if acts.elem_count() != frame.height() {
        return Err(Error::shape(
            "acts",
            format!("{} elements, one a row", frame.height()),
            acts.dims(),
        ));
    }
    let values: Vec<f32> = acts.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?;
    let mut frame = frame.clone();
    frame.with_column(Column::new("feature".into(), values))?;
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn frame(len_prefix: usize, len_suffix: usize) -> DataFrame {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let ids = tokenizer.encode("a b\tc\nd e");
        let tokens = Tensor::from_vec(ids.repeat(2), (2, ids.len()), &Device::Cpu).unwrap();
        token_frame(&tokenizer, &tokens, len_prefix, len_suffix).unwrap()
    }

    fn strings(frame: &DataFrame, column: &str) -> Vec<String> {
        let column = frame.column(column).unwrap().str().unwrap().clone();
        column.iter().map(|s| s.unwrap().to_owned()).collect()
    }

    #[test]
    fn contexts_end_with_the_text_and_not_before() {
        let frame = frame(2, 1);
        assert_eq!(
            strings(&frame, "str_tokens")[..7],
            ["a", "·b", "→", "c", "↩", "d", "·e"]
        );
        assert_eq!(
            strings(&frame, "context")[..7],
            // The original's suffix is empty for the token before the last, too.
            [
                "|a|·b",
                "a|·b|→",
                "a·b|→|c",
                "·b→|c|↩",
                "→c|↩|d",
                "c↩|d|·e",
                "↩d|·e|"
            ]
        );
        assert_eq!(strings(&frame, "unique_token")[8], "·b/1");
        assert_eq!(strings(&frame, "label")[8], "1/1");
    }

    #[test]
    fn parts_of_a_character_show_their_bytes() {
        let tokenizer = Tokenizer::gpt2().unwrap();
        // 日 is e6 97 a5, two tokens; 本 is e6 9c ac, two as well.
        let ids = tokenizer.encode("x日");
        let tokens = Tensor::from_slice(&ids, (1, ids.len()), &Device::Cpu).unwrap();
        let frame = token_frame(&tokenizer, &tokens, 5, 5).unwrap();
        assert_eq!(strings(&frame, "str_tokens"), ["x", r"\xe6\x97", r"\xa5"]);
        assert_eq!(strings(&frame, "context")[1], r"x|\xe6\x97|\xa5");
    }

    #[test]
    fn a_feature_column_needs_one_value_a_row() {
        let frame = frame(5, 1);
        let acts = Tensor::arange(0f32, 14.0, &Device::Cpu).unwrap();
        let with = with_feature(&frame, &acts.reshape((2, 7)).unwrap()).unwrap();
        assert_eq!(
            with.column("feature").unwrap().f32().unwrap().get(9),
            Some(9.0)
        );
        assert!(with_feature(&frame, &acts.narrow(0, 0, 7).unwrap()).is_err());
    }

    #[test]
    fn tokens_of_another_rank_are_refused() {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let flat = Tensor::new(&[1u32, 2], &Device::Cpu).unwrap();
        assert!(token_frame(&tokenizer, &flat, 5, 1).is_err());
    }
}
