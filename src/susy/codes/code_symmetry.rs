//! Permutations of coordinates that carry one binary code to another, and a code to itself.
//! Coordinates are coloured, colours refined by the words they stand in until nothing changes,
//! then one coordinate is singled out and so on; every map found is checked on the generators.
//! Source: colour refinement and individualisation, McKay, Congressus Numerantium 30 (1981) 45.

use super::binary_code::moved;
use crate::susy::BinaryCode;

/// A place for each coordinate.
pub(super) type Places = Vec<usize>;

/// A code with its words at hand and a colouring of its coordinates.
#[derive(Debug, Clone)]
pub(super) struct Colouring<'a> {
    code: &'a BinaryCode,
    words: &'a [u32],
    /// Equal for coordinates that have not been told apart.
    colours: Vec<u64>,
}

/// All permutations that keep a code, by generators and their number.
#[derive(Debug, Clone)]
pub(super) struct Automorphisms {
    pub generators: Vec<Places>,
    pub order: u64,
}

/// A fixed scrambling of 64 bits (SplitMix64), the same in every run.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

fn bits(word: u32) -> impl Iterator<Item = usize> {
    (0..32).filter(move |i| word >> i & 1 == 1)
}

impl<'a> Colouring<'a> {
    /// One colour, then refined.
    pub(super) fn new(code: &'a BinaryCode, words: &'a [u32]) -> Self {
        let colours = vec![1; code.length()];
        let start = Self {
            code,
            words,
            colours,
        };
        start.refined()
    }

    /// Splits colours by the words that coordinates stand in, as far as it goes.
    fn refined(mut self) -> Self {
        let mut cells = self.cells();
        loop {
            let mixed: Vec<u64> = self.colours.iter().map(|&c| mix(c)).collect();
            let mut sums = vec![0u64; self.colours.len()];
            for &word in self.words {
                let sum = bits(word).fold(0u64, |s, i| s.wrapping_add(mixed[i]));
                let color = mix(sum);
                bits(word).for_each(|i| sums[i] = sums[i].wrapping_add(color));
            }
            for (colour, sum) in self.colours.iter_mut().zip(sums) {
                *colour = mix(colour.wrapping_add(sum));
            }
            let finer = self.cells();
            if finer == cells {
                return self;
            }
            cells = finer;
        }
    }

    /// The colouring with one coordinate singled out, refined.
    fn singled(&self, coordinate: usize) -> Self {
        let mut next = self.clone();
        next.colours[coordinate] = mix(!next.colours[coordinate]);
        next.refined()
    }

    /// Number of colours.
    fn cells(&self) -> usize {
        let mut sorted = self.sorted();
        sorted.dedup();
        sorted.len()
    }

    fn sorted(&self) -> Vec<u64> {
        let mut sorted = self.colours.clone();
        sorted.sort_unstable();
        sorted
    }

    /// The first coordinate that shares its colour.
    fn first_shared(&self) -> Option<usize> {
        let shared = |c: &u64| self.colours.iter().filter(|d| *d == c).count() > 1;
        self.colours.iter().position(shared)
    }

    /// What any permutation of the coordinates leaves as it is.
    pub(super) fn invariant(&self) -> u64 {
        let start = mix(self.words.len() as u64);
        self.sorted()
            .iter()
            .fold(start, |h, c| mix(h.wrapping_add(*c)))
    }

    /// A permutation that carries this code and colouring to the other.
    pub(super) fn map_to(&self, other: &Colouring) -> Option<Places> {
        if self.sorted() != other.sorted() {
            return None;
        }
        let Some(coordinate) = self.first_shared() else {
            let place = |c| other.colours.iter().position(|d| d == c);
            let places: Places = self.colours.iter().filter_map(place).collect();
            let generators = self.code.generators();
            let kept = |g: &u32| other.code.contains(moved(*g, &places));
            return generators.iter().all(kept).then_some(places);
        };
        let singled = self.singled(coordinate);
        let colour = self.colours[coordinate];
        let images = (0..other.colours.len()).filter(|&j| other.colours[j] == colour);
        images
            .map(|j| singled.map_to(&other.singled(j)))
            .find_map(|found| found)
    }

    /// The automorphism group: coordinate by coordinate, its orbit under what fixes those before.
    pub(super) fn automorphisms(&self) -> Automorphisms {
        let (mut fixed, mut order, mut generators) = (self.clone(), 1, Vec::new());
        while let Some(i) = fixed.first_shared() {
            let singled = fixed.singled(i);
            let mut here: Vec<Places> = Vec::new();
            let mut orbit = orbit(i, &here);
            for j in 0..fixed.colours.len() {
                if fixed.colours[j] != fixed.colours[i] || orbit >> j & 1 == 1 {
                    continue;
                }
                if let Some(places) = singled.map_to(&fixed.singled(j)) {
                    here.push(places);
                    orbit = self::orbit(i, &here);
                }
            }
            order *= u64::from(orbit.count_ones());
            generators.extend(here);
            fixed = singled;
        }
        Automorphisms { generators, order }
    }
}

/// The coordinates that permutations carry `start` to, as bits.
fn orbit(start: usize, generators: &[Places]) -> u32 {
    let (mut orbit, mut stack) = (1u32 << start, vec![start]);
    while let Some(i) = stack.pop() {
        for places in generators {
            if orbit >> places[i] & 1 == 0 {
                orbit |= 1 << places[i];
                stack.push(places[i]);
            }
        }
    }
    orbit
}
