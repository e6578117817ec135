//! Doubly even codes up to permutation of their coordinates, N <= 16, one dimension after another.
//! A class of dimension k is extended by one word of each orbit of its automorphism group; the
//! orbit-stabiliser theorem, `N!/|Aut|` labelled codes a class, gives back the labelled counts.
//! Source: arXiv:0806.0050 poses the classification; the classes here are found anew.

use super::binary_code::moved;
use super::code_symmetry::{Automorphisms, Colouring, Places};
use crate::error::Result;
use crate::show::{MimeBundle, Show, Table, shows_itself};
use crate::susy::{BinaryCode, CodeCounts};
use polars::prelude::df;
use std::collections::HashMap;
use std::fmt;

/// Doubly even codes that differ by a permutation of coordinates only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeClass {
    /// One of them.
    pub code: BinaryCode,
    /// Number of permutations that keep it.
    pub automorphisms: u64,
    /// How many codes the class has: `N!/automorphisms`.
    pub labelled: u64,
}

/// All classes of one length, by dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeClasses {
    /// N.
    pub length: usize,
    /// By increasing dimension.
    pub classes: Vec<CodeClass>,
}

/// Classifies the doubly even codes of length 1 to 16.
///
/// ```
/// use holoscope::susy::doubly_even_classes;
/// let eight = doubly_even_classes(8)?;
/// assert_eq!(eight.by_dimension(), [1, 2, 2, 2, 1]);
/// assert_eq!(eight.classes[7].automorphisms, 1_344); // e8: AGL(3, 2)
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// A length outside 1..=16.
pub fn doubly_even_classes(length: usize) -> Result<CodeClasses> {
    let mut layer = vec![Known::new(BinaryCode::trivial(length)?)];
    let factorial: u64 = (1..=length as u64).product();
    let mut classes = Vec::new();
    while !layer.is_empty() {
        let mut next: HashMap<u64, Vec<Known>> = HashMap::new();
        for known in &layer {
            let group = known.colouring().automorphisms();
            for word in extensions(&known.code, &group) {
                let mut longer = known.code.clone();
                longer.insert(word);
                let found = Known::new(longer);
                let bucket = next.entry(found.invariant).or_default();
                let new = found.colouring();
                if bucket
                    .iter()
                    .all(|old| new.map_to(&old.colouring()).is_none())
                {
                    bucket.push(found);
                }
            }
            classes.push(CodeClass {
                code: known.code.clone(),
                automorphisms: group.order,
                labelled: factorial / group.order,
            });
        }
        layer = next.into_values().flatten().collect();
        layer.sort_by(|a, b| a.code.cmp(&b.code));
    }
    Ok(CodeClasses { length, classes })
}

/// A code with what is asked of it again and again.
#[derive(Debug)]
struct Known {
    code: BinaryCode,
    words: Vec<u32>,
    invariant: u64,
}

impl Known {
    fn new(code: BinaryCode) -> Self {
        let words = code.words();
        let invariant = Colouring::new(&code, &words).invariant();
        Self {
            code,
            words,
            invariant,
        }
    }

    fn colouring(&self) -> Colouring<'_> {
        Colouring::new(&self.code, &self.words)
    }
}

/// One word of each orbit, under the code's automorphisms, of the cosets that keep it doubly even.
fn extensions(code: &BinaryCode, group: &Automorphisms) -> Vec<u32> {
    let pivots = code.pivots();
    let mut seen = vec![false; 1 << code.length()];
    let mut found = Vec::new();
    for word in 1..1u32 << code.length() {
        if word & pivots != 0 || seen[word as usize] || !code.may_join(word) {
            continue;
        }
        found.push(word);
        seen[word as usize] = true;
        let mut stack = vec![word];
        while let Some(word) = stack.pop() {
            for image in group.generators.iter().map(|g| image(code, word, g)) {
                if !seen[image as usize] {
                    seen[image as usize] = true;
                    stack.push(image);
                }
            }
        }
    }
    found
}

/// The representative of the coset that a permutation carries a word's coset to.
fn image(code: &BinaryCode, word: u32, places: &Places) -> u32 {
    code.reduce(moved(word, places))
}

impl CodeClasses {
    /// Number of classes of each dimension.
    pub fn by_dimension(&self) -> Vec<usize> {
        self.sum(|_| 1)
    }

    /// Labelled codes of each dimension: the sum of `N!/|Aut|` over the classes.
    pub fn labelled(&self) -> CodeCounts {
        let by_dimension = self.sum(|c| c.labelled as usize);
        CodeCounts {
            length: self.length,
            by_dimension: by_dimension.into_iter().map(|n| n as u64).collect(),
        }
    }

    /// The classes of the largest dimension.
    pub fn largest(&self) -> Vec<CodeClass> {
        let k = self.classes.iter().map(|c| c.code.dimension()).max();
        let largest = self
            .classes
            .iter()
            .filter(|c| Some(c.code.dimension()) == k);
        largest.cloned().collect()
    }

    fn sum(&self, part: impl Fn(&CodeClass) -> usize) -> Vec<usize> {
        let mut sums = Vec::new();
        for class in &self.classes {
            let k = class.code.dimension();
            sums.resize(sums.len().max(k + 1), 0);
            sums[k] += part(class);
        }
        sums
    }
}

impl fmt::Display for CodeClasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.by_dimension().iter().map(usize::to_string).collect();
        let (n, total) = (self.length, self.classes.len());
        let counts = counts.join(", ");
        write!(
            f,
            "classes of doubly even codes of length {n} by dimension: {counts}; in all {total}"
        )
    }
}

shows_itself!(CodeClasses);

impl Show for CodeClasses {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let column = |part: &dyn Fn(&CodeClass) -> u64| -> Vec<u64> {
            self.classes.iter().map(part).collect()
        };
        let codes: Vec<String> = self.classes.iter().map(|c| c.code.to_string()).collect();
        let frame = df![
            "k" => column(&|c| c.code.dimension() as u64),
            "generators" => codes,
            "automorphisms" => column(&|c| c.automorphisms),
            "labelled" => column(&|c| c.labelled),
        ]?;
        Ok(Table::new(frame)
            .caption(format!(
                "Doubly even codes of length {} up to permutation",
                self.length
            ))
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
