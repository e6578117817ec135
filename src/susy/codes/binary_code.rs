//! Binary linear codes of length N <= 16, and the doubly even ones: every weight a multiple of 4.
//! A code is doubly even when its generators are and any two of them overlap evenly, by
//! `wt(u + v) = wt(u) + wt(v) - 2 |u & v|`.
//! Source: Doran, Faux, Gates, Huebsch, Iga, Landweber and Miller, arXiv:0806.0050.

use crate::error::{Error, Result};
use crate::show::{MimeBundle, Show, shows_itself};
use std::fmt;
use std::str::FromStr;

/// Longest code: one colour a bit.
pub(super) const MAX_LENGTH: usize = 16;

/// A binary linear code; two are equal when they have the same words.
///
/// A word is a number: bit I - 1 stands for colour I. Written out, colour 1 comes first.
///
/// ```
/// use holoscope::susy::BinaryCode;
/// let d4: BinaryCode = "1111".parse()?;
/// assert!(d4.is_doubly_even());
/// assert_eq!(BinaryCode::largest_doubly_even(8)?.weights(), [1, 0, 0, 0, 14, 0, 0, 0, 1]); // e8
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BinaryCode {
    length: usize,
    /// Reduced echelon form: lowest bits increase, and each stands in one generator only.
    generators: Vec<u32>,
}

impl BinaryCode {
    /// The code that some words span; they need not be independent.
    ///
    /// # Errors
    /// A length outside 1..=16, a word with a bit beyond it.
    pub fn new(length: usize, words: &[u32]) -> Result<Self> {
        if length == 0 || length > MAX_LENGTH {
            return Err(Error::argument("length", length, "must be 1 to 16"));
        }
        let mut code = Self {
            length,
            generators: Vec::new(),
        };
        for &word in words {
            if word >> length != 0 {
                let reason = format!("has more than {length} bits");
                return Err(Error::argument("word", format!("{word:b}"), reason));
            }
            code.insert(word);
        }
        Ok(code)
    }

    /// The code of the zero word only.
    ///
    /// # Errors
    /// A length outside 1..=16.
    pub fn trivial(length: usize) -> Result<Self> {
        Self::new(length, &[])
    }

    /// A doubly even code of the largest dimension: each word in turn joins if it may.
    ///
    /// Greed is enough: all maximal totally singular subspaces of a quadratic space have the same
    /// dimension (Witt), and doubly even codes are those of `q(w) = wt(w)/2 mod 2` on even words.
    ///
    /// # Errors
    /// A length outside 1..=16.
    pub fn largest_doubly_even(length: usize) -> Result<Self> {
        let mut code = Self::trivial(length)?;
        for word in 1..1u32 << length {
            if code.may_join(word) {
                code.insert(word);
            }
        }
        Ok(code)
    }

    /// Adds a word to the generators, keeping the reduced echelon form.
    pub(in crate::susy) fn insert(&mut self, word: u32) {
        let word = self.reduce(word);
        if word == 0 {
            return;
        }
        let pivot = word & word.wrapping_neg();
        for g in &mut self.generators {
            if *g & pivot != 0 {
                *g ^= word;
            }
        }
        self.generators.push(word);
        self.generators.sort_unstable_by_key(|g| g.trailing_zeros());
    }

    /// True when a doubly even code stays so with this word.
    pub(super) fn may_join(&self, word: u32) -> bool {
        word.count_ones().is_multiple_of(4)
            && (self.generators.iter()).all(|g| (g & word).count_ones().is_multiple_of(2))
    }

    /// N, the number of colours.
    pub fn length(&self) -> usize {
        self.length
    }

    /// k: the code has 2^k words.
    pub fn dimension(&self) -> usize {
        self.generators.len()
    }

    /// The generators in reduced echelon form.
    pub fn generators(&self) -> Vec<u32> {
        self.generators.clone()
    }

    /// The representative of `word + code` that has 0 at every pivot; 0 exactly for code words.
    pub fn reduce(&self, word: u32) -> u32 {
        self.generators.iter().fold(word, |word, g| {
            let pivot = g & g.wrapping_neg();
            if word & pivot == 0 { word } else { word ^ g }
        })
    }

    /// True for the words of the code.
    pub fn contains(&self, word: u32) -> bool {
        self.reduce(word) == 0
    }

    /// The lowest bits of the generators: the places that are 0 in every representative.
    pub(in crate::susy) fn pivots(&self) -> u32 {
        self.generators
            .iter()
            .fold(0, |p, g| p | (g & g.wrapping_neg()))
    }

    /// All 2^k words; word i is the sum of the generators at the bits of i.
    pub fn words(&self) -> Vec<u32> {
        let mut words = vec![0];
        for g in &self.generators {
            words.extend_from_within(..);
            let half = words.len() / 2;
            words[half..].iter_mut().for_each(|w| *w ^= g);
        }
        words
    }

    /// How many words have each weight 0 to N.
    pub fn weights(&self) -> Vec<u64> {
        let mut weights = vec![0; self.length + 1];
        for word in self.words() {
            weights[word.count_ones() as usize] += 1;
        }
        weights
    }

    /// True when every word has an even weight: the quotient of the cube then has bosons and
    /// fermions.
    pub fn is_even(&self) -> bool {
        self.generators
            .iter()
            .all(|g| g.count_ones().is_multiple_of(2))
    }

    /// True when every weight is a multiple of 4.
    pub fn is_doubly_even(&self) -> bool {
        self.not_doubly_even_word().is_none()
    }

    /// A word whose weight is not a multiple of 4, if there is one: a generator or a sum of two.
    pub fn not_doubly_even_word(&self) -> Option<u32> {
        let g = &self.generators;
        let sums = (0..g.len()).flat_map(|i| (0..i).map(move |j| g[i] ^ g[j]));
        let mut candidates = g.iter().copied().chain(sums);
        candidates.find(|w| !w.count_ones().is_multiple_of(4))
    }

    /// The code with coordinate `i` moved to `places[i]`, counted from 0.
    ///
    /// # Errors
    /// Places that do not hold each of 0 to N - 1 once.
    pub fn permuted(&self, places: &[usize]) -> Result<Self> {
        let inside = places.len() == self.length && places.iter().all(|&p| p < self.length);
        let seen = |p| places.contains(&p);
        if !inside || !(0..self.length).all(seen) {
            return Err(Error::argument(
                "places",
                format!("{places:?}"),
                format!("must hold each of 0 to {} once", self.length - 1),
            ));
        }
        let moved: Vec<u32> = self.generators.iter().map(|&g| moved(g, places)).collect();
        Self::new(self.length, &moved)
    }

    /// A word as text, colour 1 first.
    pub(in crate::susy) fn spelled(&self, word: u32) -> String {
        let bit = |i| if word >> i & 1 == 1 { '1' } else { '0' };
        (0..self.length).map(bit).collect()
    }
}

/// The word with bit `i` moved to `places[i]`.
pub(super) fn moved(word: u32, places: &[usize]) -> u32 {
    let bits = places.iter().enumerate();
    bits.fold(0, |w, (i, p)| w | (word >> i & 1) << p)
}

impl fmt::Display for BinaryCode {
    /// The generators, colour 1 first: "11110000 00001111"; one zero word for the trivial code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.generators.iter().map(|&g| self.spelled(g)).collect();
        if words.is_empty() {
            return f.pad(&self.spelled(0));
        }
        f.pad(&words.join(" "))
    }
}

impl FromStr for BinaryCode {
    type Err = Error;

    /// Reads words of 0 and 1 separated by spaces, colour 1 first: "11110000 00111100".
    fn from_str(s: &str) -> Result<Self> {
        let bad = |reason: String| Error::argument("code", format!("{s:?}"), reason);
        let (mut length, mut words) = (0, Vec::new());
        for word in s.split_whitespace() {
            if length != 0 && word.len() != length {
                return Err(bad(format!("{word:?} is not as long as the first word")));
            }
            length = word.len();
            if length > MAX_LENGTH || word.bytes().any(|b| b != b'0' && b != b'1') {
                return Err(bad(format!("{word:?} is not a word of at most 16 bits")));
            }
            let bits = word.bytes().rev().map(|b| u32::from(b == b'1'));
            words.push(bits.fold(0, |w, bit| w << 1 | bit));
        }
        Self::new(length, &words).map_err(|e| bad(e.to_string()))
    }
}

shows_itself!(BinaryCode);

impl Show for BinaryCode {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::plain(format!(
            "[{}, {}] code: {self}",
            self.length,
            self.dimension()
        )))
    }
}
