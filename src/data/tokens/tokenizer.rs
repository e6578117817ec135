//! GPT-2's byte-pair encoding, whole or cut down to the ids that a corpus uses.
//!
//! `ids = BPE(text)`, `<|endoftext|>` being both separator and BOS.
//! Source: Radford et al. 2019, through tiktoken-rs (`r50k_base`, bundled, no network).

use super::pieces::PieceCache;
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use tiktoken_rs::CoreBPE;

/// The separator's text.
pub const END_OF_TEXT: &str = "<|endoftext|>";
/// The separator's id in GPT-2's vocabulary.
pub const GPT2_EOT: u32 = 50_256;
/// Number of ids in GPT-2's vocabulary.
pub const GPT2_VOCAB: usize = 50_257;

/// In [`Compact::index`]: this GPT-2 id is not kept.
const ABSENT: u32 = u32::MAX;

/// Text to token ids and back; cloning is cheap.
///
/// A compact tokenizer numbers the kept GPT-2 ids in ascending order, so its
/// `<|endoftext|>` is the last id.
///
/// ```
/// use holoscope::data::Tokenizer;
/// let gpt2 = Tokenizer::gpt2()?;
/// assert_eq!(gpt2.encode("First Citizen"), [5962, 22307]);
/// let compact = Tokenizer::compact(&gpt2.encode("First Citizen"))?;
/// assert_eq!(compact.n_vocab(), 3); // two words and <|endoftext|>
/// assert_eq!(compact.encode("First Citizen"), [0, 1]);
/// assert_eq!(compact.to_gpt2(1), 22307);
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Clone)]
pub struct Tokenizer {
    bpe: &'static CoreBPE,
    compact: Option<Arc<Compact>>,
}

/// The kept part of the vocabulary.
struct Compact {
    /// GPT-2 id of each compact id, ascending.
    kept: Vec<u32>,
    /// Compact id of each GPT-2 id, or [`ABSENT`].
    index: Vec<u32>,
    /// Compact id by bytes, for text whose own tokens are not kept.
    by_bytes: HashMap<Vec<u8>, u32>,
    /// Length in bytes of the longest kept token.
    longest: usize,
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("n_vocab", &self.n_vocab())
            .field("compact", &self.is_compact())
            .finish()
    }
}

impl Tokenizer {
    /// GPT-2's whole vocabulary of 50,257 ids.
    pub fn gpt2() -> Result<Tokenizer> {
        Ok(Tokenizer {
            bpe: tiktoken_rs::r50k_base_singleton(),
            compact: None,
        })
    }

    /// Keeps only the GPT-2 ids that occur in `ids`, and `<|endoftext|>`.
    ///
    /// # Errors
    /// [`Error::Argument`] for an id that GPT-2 does not have.
    pub fn compact(ids: &[u32]) -> Result<Tokenizer> {
        let bpe = tiktoken_rs::r50k_base_singleton();
        let mut seen = vec![false; GPT2_VOCAB];
        seen[GPT2_EOT as usize] = true;
        for &id in ids {
            match seen.get_mut(id as usize) {
                Some(slot) => *slot = true,
                None => {
                    return Err(Error::argument(
                        "token id",
                        id,
                        format!("GPT-2's ids are below {GPT2_VOCAB}"),
                    ));
                }
            }
        }
        let kept: Vec<u32> = (0..GPT2_VOCAB as u32)
            .filter(|&id| seen[id as usize])
            .collect();
        let mut index = vec![ABSENT; GPT2_VOCAB];
        let mut by_bytes = HashMap::with_capacity(kept.len());
        let mut longest = 0;
        for (compact_id, &id) in kept.iter().enumerate() {
            index[id as usize] = compact_id as u32;
            if id != GPT2_EOT {
                let bytes = bytes_of(bpe, id);
                longest = longest.max(bytes.len());
                by_bytes.insert(bytes, compact_id as u32);
            }
        }
        Ok(Tokenizer {
            bpe,
            compact: Some(Arc::new(Compact {
                kept,
                index,
                by_bytes,
                longest,
            })),
        })
    }

    /// Token ids of a text; `<|endoftext|>` in it becomes the separator's id.
    ///
    /// A compact tokenizer spells a token that it does not keep with the
    /// longest kept tokens that match its bytes from left to right; a byte that
    /// no kept token starts with becomes `<|endoftext|>`. Texts of the corpus
    /// that the tokenizer was made from never need this.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        let mut cache = PieceCache::new(self.bpe);
        for (i, part) in text.split(END_OF_TEXT).enumerate() {
            if i > 0 {
                ids.push(GPT2_EOT);
            }
            cache.encode(part, &mut ids);
        }
        self.to_own(ids)
    }

    /// The ids of a text as a model reads it, `[1, pos]`: the separator, then the text's tokens.
    ///
    /// ```
    /// use holoscope::data::Tokenizer;
    /// let tokens = Tokenizer::gpt2()?.to_tokens("First Citizen")?;
    /// assert_eq!(tokens.to_vec2::<u32>()?, [[50256, 5962, 22307]]);
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// Only if candle refuses the tensor.
    pub fn to_tokens(&self, text: &str) -> Result<Tensor> {
        let mut ids = vec![self.bos()];
        ids.extend(self.encode(text));
        Ok(Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?)
    }

    /// [`Tokenizer::to_tokens`] as strings, one a token.
    pub fn to_str_tokens(&self, text: &str) -> Vec<String> {
        let mut ids = vec![self.bos()];
        ids.extend(self.encode(text));
        self.str_tokens(&ids)
    }

    /// Token ids of one document: the separator, then the text (in which
    /// `<|endoftext|>` is ordinary text). Many documents are encoded in parallel.
    pub fn encode_documents(&self, texts: &[&str]) -> Vec<Vec<u32>> {
        let chunk = |texts: &[&str]| {
            let mut cache = PieceCache::new(self.bpe);
            let mut docs = Vec::with_capacity(texts.len());
            for text in texts {
                let mut ids = Vec::with_capacity(1 + text.len() / 3);
                ids.push(GPT2_EOT);
                cache.encode(text, &mut ids);
                docs.push(self.to_own(ids));
            }
            docs
        };
        // A few large chunks: each has its own cache to fill.
        let size = texts.len().div_ceil(rayon::current_num_threads()).max(64);
        texts.par_chunks(size).flat_map_iter(chunk).collect()
    }

    /// The text of token ids; bytes that are not UTF-8 become U+FFFD, ids out of
    /// range vanish.
    pub fn decode(&self, ids: &[u32]) -> String {
        String::from_utf8_lossy(&self.decode_bytes(ids)).into_owned()
    }

    /// The bytes of token ids; a token may hold part of a character.
    pub fn decode_bytes(&self, ids: &[u32]) -> Vec<u8> {
        let gpt2: Vec<u32> = ids.iter().filter_map(|&id| self.checked_gpt2(id)).collect();
        // Every id is in range, so decoding cannot fail.
        self.bpe.decode_bytes(&gpt2).unwrap_or_default()
    }

    /// One token as text, to be shown by itself. Bytes of a token that are only a part of a
    /// character stand as `\xe6\x97`, so that different tokens look different;
    /// [`Tokenizer::decode`] puts characters together. A backslash of the text stays a backslash.
    ///
    /// ```
    /// use holoscope::data::Tokenizer;
    /// let gpt2 = Tokenizer::gpt2()?;
    /// // 日 is e6 97 a5 in UTF-8.
    /// let ids = gpt2.encode("日");
    /// assert_eq!(gpt2.str_tokens(&ids), [r"\xe6\x97", r"\xa5"]);
    /// assert_eq!(gpt2.decode(&ids), "日");
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    pub fn token_str(&self, id: u32) -> String {
        with_escapes(&self.decode_bytes(&[id]))
    }

    /// Each token as [`Tokenizer::token_str`] shows it.
    pub fn str_tokens(&self, ids: &[u32]) -> Vec<String> {
        ids.iter().map(|&id| self.token_str(id)).collect()
    }

    /// Number of ids.
    pub fn n_vocab(&self) -> usize {
        self.compact.as_ref().map_or(GPT2_VOCAB, |c| c.kept.len())
    }

    /// True when only part of GPT-2's vocabulary is kept.
    pub fn is_compact(&self) -> bool {
        self.compact.is_some()
    }

    /// The id that begins every sequence: `<|endoftext|>`, as in GPT-2.
    pub fn bos(&self) -> u32 {
        self.n_vocab() as u32 - 1
    }

    /// The GPT-2 id of one of this tokenizer's ids; `<|endoftext|>` when out of range.
    pub fn to_gpt2(&self, id: u32) -> u32 {
        self.checked_gpt2(id).unwrap_or(GPT2_EOT)
    }

    /// This tokenizer's id of a GPT-2 id, `None` if it is not kept.
    pub fn from_gpt2(&self, id: u32) -> Option<u32> {
        match &self.compact {
            None => (id < GPT2_VOCAB as u32).then_some(id),
            Some(c) => c
                .index
                .get(id as usize)
                .copied()
                .filter(|&own| own != ABSENT),
        }
    }

    fn checked_gpt2(&self, id: u32) -> Option<u32> {
        match &self.compact {
            None => (id < GPT2_VOCAB as u32).then_some(id),
            Some(c) => c.kept.get(id as usize).copied(),
        }
    }

    /// GPT-2 ids as this tokenizer's ids.
    fn to_own(&self, ids: Vec<u32>) -> Vec<u32> {
        let Some(c) = &self.compact else { return ids };
        let mut own = Vec::with_capacity(ids.len());
        for id in ids {
            match c.index[id as usize] {
                ABSENT => c.spell(&bytes_of(self.bpe, id), self.bos(), &mut own),
                kept => own.push(kept),
            }
        }
        own
    }
}

impl Compact {
    /// Greedy longest match of `bytes` by kept tokens; `unknown` where none fits.
    fn spell(&self, bytes: &[u8], unknown: u32, out: &mut Vec<u32>) {
        let mut at = 0;
        while at < bytes.len() {
            let most = self.longest.min(bytes.len() - at);
            let found = (1..=most)
                .rev()
                .find_map(|n| Some((n, *self.by_bytes.get(&bytes[at..at + n])?)));
            let (n, id) = found.unwrap_or((1, unknown));
            out.push(id);
            at += n;
        }
    }
}

/// The bytes of a GPT-2 id; it is in range, so decoding cannot fail.
fn bytes_of(bpe: &CoreBPE, id: u32) -> Vec<u8> {
    bpe.decode_bytes(&[id]).unwrap_or_default()
}

/// Bytes as text, with `\xe6` for each that belongs to no character.
fn with_escapes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::documents;
    use proptest::prelude::*;

    #[test]
    fn encode_turns_the_separator_into_its_id() {
        let t = Tokenizer::gpt2().unwrap();
        assert_eq!(
            t.encode("<|endoftext|>\n<|endoftext|>"),
            [50256, 198, 50256]
        );
        assert_eq!(t.decode(&[50256]), END_OF_TEXT);
        assert_eq!(t.bos(), GPT2_EOT);
    }

    #[test]
    fn encode_agrees_with_tiktoken_on_separated_documents() {
        let text = "A:\nyes, it's so.\n\nB:\n no  more\n\n";
        let separated = format!("{END_OF_TEXT}A:\nyes, it's so.\n\n{END_OF_TEXT}B:\n no  more\n\n");
        let t = Tokenizer::gpt2().unwrap();
        let theirs = tiktoken_rs::r50k_base_singleton().encode_with_special_tokens(&separated);
        assert_eq!(t.encode_documents(&documents(text)).concat(), theirs);
        assert_eq!(t.encode(&separated), theirs);
    }

    #[test]
    fn compact_ids_follow_gpt2_order_and_end_with_the_separator() {
        let t = Tokenizer::compact(&[300, 5, 300, 17]).unwrap();
        assert_eq!(t.n_vocab(), 4);
        assert_eq!(
            (0..4).map(|i| t.to_gpt2(i)).collect::<Vec<_>>(),
            [5, 17, 300, GPT2_EOT]
        );
        assert_eq!(t.from_gpt2(17), Some(1));
        assert_eq!(t.from_gpt2(18), None);
        assert_eq!(t.from_gpt2(u32::MAX), None);
        assert_eq!(t.bos(), 3);
    }

    #[test]
    fn compact_refuses_an_id_that_gpt2_does_not_have() {
        assert!(Tokenizer::compact(&[50_257]).is_err());
    }

    #[test]
    fn compact_spells_unknown_tokens_with_kept_ones() {
        let gpt2 = Tokenizer::gpt2().unwrap();
        let letters: Vec<u32> = ["a", " c", "r", "us", "u", "s", "t", " "]
            .iter()
            .flat_map(|piece| gpt2.encode(piece))
            .collect();
        let t = Tokenizer::compact(&letters).unwrap();
        assert_eq!(gpt2.encode(" crust").len(), 1);
        assert_eq!(
            t.str_tokens(&t.encode("a crust")),
            ["a", " c", "r", "us", "t"]
        );
        assert_eq!(
            t.str_tokens(&t.encode("a zu")),
            ["a", " ", END_OF_TEXT, "u"]
        );
    }

    #[test]
    fn parts_of_characters_show_their_bytes() {
        // "a" then e6 97: two bytes of three; c3 28: a lead byte without its second, then "(".
        assert_eq!(with_escapes(b"a\xe6\x97"), r"a\xe6\x97");
        assert_eq!(with_escapes(b"\xc3("), r"\xc3(");
        assert_eq!(with_escapes("é\\x".as_bytes()), r"é\x");
    }

    #[test]
    fn ids_out_of_range_decode_to_nothing() {
        let t = Tokenizer::gpt2().unwrap();
        assert_eq!(t.decode(&[60_000]), "");
        assert_eq!(t.to_gpt2(60_000), GPT2_EOT);
    }

    proptest! {
        #[test]
        fn decoding_undoes_encoding(text in "\\PC{0,80}|[a-z \n']{0,80}") {
            prop_assume!(!text.contains(END_OF_TEXT));
            let t = Tokenizer::gpt2().unwrap();
            let ids = t.encode(&text);
            prop_assert_eq!(t.decode(&ids), text.clone());
            let compact = Tokenizer::compact(&ids).unwrap();
            prop_assert_eq!(compact.decode(&compact.encode(&text)), text);
        }
    }
}
