//! Which stretches of text stand for a feature: the highest activations, some of each interval of
//! activation, and some of all. Intervals: `max i/n .. max (i+1)/n`, from the highest down; where there are negative
//! activations (AbsTopK), the same of their absolute values.
//! Source: `SequencesConfig` of sae_vis (top 20, 5 intervals of equal width), Bricken et al. 2023.

use crate::data::Tokenizer;
use crate::show::visible_token;
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

/// How the examples of a group were chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExampleKind {
    /// The highest activations of one sign, in absolute value, at most one a sequence.
    Top,
    /// Drawn from the active tokens of one interval of activation.
    Interval,
    /// Drawn from all active tokens.
    Random,
    /// Read from a file that does not say.
    Unknown,
}

impl ExampleKind {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            ExampleKind::Top => "top",
            ExampleKind::Interval => "interval",
            ExampleKind::Random => "random",
            ExampleKind::Unknown => "unknown",
        }
    }
}

/// Examples chosen alike.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleGroup {
    pub kind: ExampleKind,
    /// Activations of the group's examples are above this; negative ones at least this.
    pub low: f64,
    /// Activations of the group's examples are at most this; negative ones below this.
    pub high: f64,
    /// Share of all tokens read that are active within the interval.
    pub share: f64,
    /// The highest activation first, in absolute value.
    pub examples: Vec<ActivationExample>,
}

/// A stretch of one sequence around a token.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivationExample {
    /// Which of the sequences read; `None` where a file does not say.
    pub sequence: Option<usize>,
    /// Position of the token in its sequence; `None` where a file does not say.
    pub pos: Option<usize>,
    /// The stretch's tokens, spaces and line breaks as they are.
    pub tokens: Vec<String>,
    /// The feature's activation on each, as many as there are tokens.
    pub acts: Vec<f32>,
    /// Which of `tokens` the example was chosen for.
    pub peak: usize,
}

impl ActivationExample {
    /// The token that the example was chosen for; empty in an example without tokens.
    pub fn token(&self) -> &str {
        self.tokens.get(self.peak).map_or("", String::as_str)
    }

    /// The activation on that token; NaN in an example without tokens.
    pub fn peak_act(&self) -> f32 {
        self.acts.get(self.peak).copied().unwrap_or(f32::NAN)
    }

    /// `prefix|token|suffix`, white space visible.
    pub fn context(&self) -> String {
        let joined = |tokens: &[String]| visible_token(&tokens.concat());
        let peak = self.peak.min(self.tokens.len());
        let suffix = self.tokens.get(peak + 1..).unwrap_or_default();
        let prefix = joined(&self.tokens[..peak]);
        format!(
            "{prefix}|{}|{}",
            visible_token(self.token()),
            joined(suffix)
        )
    }
}

/// How many examples of which kind, and how much text of each.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Choice {
    pub n_top: usize,
    pub n_intervals: usize,
    pub per_interval: usize,
    pub n_random: usize,
    pub before: usize,
    pub after: usize,
    pub seed: u64,
}

/// The text that examples are cut from.
pub(super) struct Source<'a> {
    pub tokenizer: &'a Tokenizer,
    /// The sequences one after another.
    pub tokens: &'a [u32],
    /// Length of a sequence.
    pub pos: usize,
}

/// The groups of a feature whose activations other than 0 are `acts`: (index into the tokens, activation),
/// ascending by index. None for a dead feature.
pub(super) fn choose(source: &Source, acts: &[(u32, f32)], choice: &Choice) -> Vec<ExampleGroup> {
    if acts.is_empty() {
        return Vec::new();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(choice.seed);
    let mut groups = Vec::new();
    for sign in [1.0, -1.0] {
        let own = acts.iter().filter(|act| act.1 * sign > 0.0);
        let own: Vec<(u32, f32)> = own.copied().collect();
        if !own.is_empty() {
            groups.extend(groups_of_sign(source, acts, &own, choice, &mut rng));
        }
    }
    let drawn = draw(acts, choice.n_random, &mut rng);
    let extreme = |sign: f32| {
        let sizes = acts.iter().map(|act| f64::from(act.1 * sign));
        f64::from(sign) * sizes.fold(0.0, f64::max)
    };
    let all = (ExampleKind::Random, extreme(-1.0), extreme(1.0), acts.len());
    groups.push(group(source, acts, choice, all, drawn));
    groups.retain(|group| !group.examples.is_empty());
    groups
}

/// The highest and the intervals of `own`, the activations of one sign among `acts`.
fn groups_of_sign(
    source: &Source,
    acts: &[(u32, f32)],
    own: &[(u32, f32)],
    choice: &Choice,
    rng: &mut ChaCha8Rng,
) -> Vec<ExampleGroup> {
    let max = own.iter().map(|a| f64::from(a.1.abs())).fold(0.0, f64::max);
    let negative = own[0].1 < 0.0;
    // Absolute values, turned to their sign.
    let between = |low: f64, high: f64| match negative {
        true => (-high, -low),
        false => (low, high),
    };
    let (low, high) = between(0.0, max);
    let highest = highest(own, source.pos, choice.n_top);
    let top = (ExampleKind::Top, low, high, own.len());
    let mut groups = vec![group(source, acts, choice, top, highest)];
    let n = choice.n_intervals;
    for i in (0..n).rev() {
        let edge = |i: usize| match i == n {
            true => max,
            false => max * i as f64 / n as f64,
        };
        let (low, high) = (edge(i), edge(i + 1));
        let inside = own.iter().filter(|a| {
            let size = f64::from(a.1.abs());
            size > low && size <= high
        });
        let inside: Vec<(u32, f32)> = inside.copied().collect();
        let drawn = draw(&inside, choice.per_interval, rng);
        let (low, high) = between(low, high);
        let interval = (ExampleKind::Interval, low, high, inside.len());
        groups.push(group(source, acts, choice, interval, drawn));
    }
    groups
}

/// The group of this kind and interval, in which `n` tokens are active, with the examples `chosen`.
fn group(
    source: &Source,
    acts: &[(u32, f32)],
    choice: &Choice,
    (kind, low, high, n): (ExampleKind, f64, f64, usize),
    chosen: Vec<(u32, f32)>,
) -> ExampleGroup {
    let examples = falling(chosen).into_iter();
    let examples = examples.map(|(index, _)| source.example(acts, index as usize, choice));
    ExampleGroup {
        kind,
        low,
        high,
        share: n as f64 / source.tokens.len() as f64,
        examples: examples.collect(),
    }
}

/// The largest activation first, in absolute value, equal ones in the order of the text.
fn falling(mut acts: Vec<(u32, f32)>) -> Vec<(u32, f32)> {
    acts.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    acts
}

/// The `k` largest in absolute value, at most one a sequence: neighbours would show the same text again.
fn highest(acts: &[(u32, f32)], pos: usize, k: usize) -> Vec<(u32, f32)> {
    // The largest of each sequence, the first of equal ones.
    let best = acts.chunk_by(|a, b| a.0 as usize / pos == b.0 as usize / pos);
    let best = best.filter_map(|row| {
        row.iter()
            .copied()
            .reduce(|a, b| if b.1.abs() > a.1.abs() { b } else { a })
    });
    let mut best = falling(best.collect());
    best.truncate(k);
    best
}

/// `k` of them, each as likely as any other.
fn draw(acts: &[(u32, f32)], k: usize, rng: &mut ChaCha8Rng) -> Vec<(u32, f32)> {
    let chosen = sample(rng, acts.len(), k.min(acts.len()));
    chosen.into_iter().map(|i| acts[i]).collect()
}

impl Source<'_> {
    fn example(&self, acts: &[(u32, f32)], index: usize, choice: &Choice) -> ActivationExample {
        let (sequence, pos) = (index / self.pos, index % self.pos);
        let first = sequence * self.pos;
        let start = first + pos.saturating_sub(choice.before);
        let after = pos.saturating_add(choice.after).saturating_add(1);
        let end = first + after.min(self.pos);
        let act = |i: usize| match acts.binary_search_by_key(&(i as u32), |a| a.0) {
            Ok(place) => acts[place].1,
            Err(_) => 0.0,
        };
        ActivationExample {
            sequence: Some(sequence),
            pos: Some(pos),
            tokens: self.tokenizer.str_tokens(&self.tokens[start..end]),
            acts: (start..end).map(act).collect(),
            peak: index - start,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHOICE: Choice = Choice {
        n_top: 4,
        n_intervals: 3,
        per_interval: 2,
        n_random: 2,
        before: 2,
        after: 1,
        seed: 7,
    };

    fn groups(acts: &[(u32, f32)], n_tokens: usize, pos: usize) -> Vec<ExampleGroup> {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let tokens: Vec<u32> = (0..n_tokens as u32).collect();
        let source = Source {
            tokenizer: &tokenizer,
            tokens: &tokens,
            pos,
        };
        choose(&source, acts, &CHOICE)
    }

    #[test]
    fn the_highest_of_each_sequence_come_first_with_their_surroundings() {
        // Sequences of 5: 0..5, 5..10, 10..15.
        let acts = [(1, 2.0), (2, 3.0), (4, 3.0), (5, 1.0), (14, 6.0)];
        let groups = groups(&acts, 15, 5);
        let top = &groups[0];
        assert_eq!((top.kind, top.high), (ExampleKind::Top, 6.0));
        let at: Vec<_> = top
            .examples
            .iter()
            .map(|e| (e.sequence.unwrap(), e.pos.unwrap()))
            .collect();
        assert_eq!(at, [(2, 4), (0, 2), (1, 0)]);
        assert_eq!(top.examples[0].acts, [0.0, 0.0, 6.0]);
        assert_eq!((top.examples[0].peak, top.examples[2].peak), (2, 0));
        assert_eq!(top.examples[1].acts, [0.0, 2.0, 3.0, 0.0]);
        // Ids 0, 1, 2, 3 of GPT-2 are !, ", #, $.
        assert_eq!(top.examples[1].context(), "!\"|#|$");
        // Thirds of 6: (4, 6] has one, (2, 4] two, (0, 2] two.
        let shares: Vec<f64> = groups[1..4].iter().map(|g| g.share * 15.0).collect();
        assert_eq!(shares, [1.0, 2.0, 2.0]);
    }

    #[test]
    fn surroundings_of_any_length_end_with_the_sequence() {
        let tokenizer = Tokenizer::gpt2().unwrap();
        let tokens: Vec<u32> = (0..15).collect();
        let source = Source {
            tokenizer: &tokenizer,
            tokens: &tokens,
            pos: 5,
        };
        let choice = Choice {
            before: usize::MAX,
            after: usize::MAX,
            ..CHOICE
        };
        let groups = choose(&source, &[(7, 1.0)], &choice);
        let example = &groups[0].examples[0];
        assert_eq!((example.tokens.len(), example.peak), (5, 2));
    }

    #[test]
    fn a_dead_feature_has_no_examples() {
        assert!(groups(&[], 10, 5).is_empty());
    }

    proptest! {
        /// Signed activations: each sign has the groups of its absolute values.
        #[test]
        fn the_groups_of_each_sign_are_those_of_its_absolute_values(
            acts in proptest::collection::btree_map(
                0u32..60, prop_oneof![0.01f32..9.0, -9.0f32..-0.01], 2..50,
            ),
        ) {
            let acts: Vec<(u32, f32)> = acts.into_iter().collect();
            let signed = groups(&acts, 60, 6);
            for sign in [1.0f32, -1.0] {
                let own = acts.iter().filter(|a| a.1 * sign > 0.0);
                let own: Vec<(u32, f32)> = own.map(|a| (a.0, a.1.abs())).collect();
                let mut wanted = groups(&own, 60, 6);
                wanted.retain(|group| group.kind != ExampleKind::Random);
                let mut found: Vec<ExampleGroup> = signed.clone();
                found.retain(|group| {
                    let sides = (group.low + group.high) * f64::from(sign);
                    group.kind != ExampleKind::Random && sides > 0.0
                });
                prop_assert_eq!(found.len(), wanted.len());
                for (found, wanted) in found.iter().zip(&wanted) {
                    let edges = match sign > 0.0 {
                        true => (found.low, found.high),
                        false => (-found.high, -found.low),
                    };
                    prop_assert_eq!(edges, (wanted.low, wanted.high));
                    prop_assert_eq!((found.kind, found.share), (wanted.kind, wanted.share));
                    prop_assert_eq!(found.examples.len(), wanted.examples.len());
                    for example in &found.examples {
                        let size = f64::from(example.peak_act() * sign);
                        prop_assert!(size > edges.0 && size <= edges.1);
                    }
                }
                // The highest are not drawn.
                if let (Some(found), Some(wanted)) = (found.first(), wanted.first()) {
                    let places = |group: &ExampleGroup| -> Vec<(usize, usize, f32)> {
                        let of = |e: &ActivationExample| {
                            (e.sequence.unwrap(), e.pos.unwrap(), e.peak_act().abs())
                        };
                        group.examples.iter().map(of).collect()
                    };
                    prop_assert_eq!(places(found), places(wanted));
                }
            }
            // What stands around a token has its own sign.
            for example in signed.iter().flat_map(|group| &group.examples) {
                let first = example.sequence.unwrap() * 6 + example.pos.unwrap() - example.peak;
                for (i, act) in example.acts.iter().enumerate() {
                    let known = acts.iter().find(|a| a.0 as usize == first + i);
                    prop_assert_eq!(*act, known.map_or(0.0, |a| a.1));
                }
            }
        }

        #[test]
        fn examples_lie_in_their_interval_and_sequence(
            acts in proptest::collection::btree_map(0u32..60, 0.01f32..9.0, 1..50),
        ) {
            let acts: Vec<(u32, f32)> = acts.into_iter().collect();
            let max = acts.iter().map(|a| a.1).fold(0.0, f32::max);
            let groups = groups(&acts, 60, 6);
            prop_assert_eq!(groups[0].examples[0].peak_act(), max);
            let mut in_intervals = 0.0;
            for group in &groups {
                if group.kind == ExampleKind::Interval {
                    in_intervals += group.share * 60.0;
                }
                for example in &group.examples {
                    let act = f64::from(example.peak_act());
                    prop_assert!(act > group.low && act <= group.high);
                    let index = example.sequence.unwrap() * 6 + example.pos.unwrap();
                    let found = acts.iter().find(|a| a.0 as usize == index).unwrap();
                    prop_assert_eq!(found.1, example.peak_act());
                    prop_assert_eq!(example.acts.len(), example.tokens.len());
                    prop_assert!(example.tokens.len() <= 4);
                }
            }
            // Every active token is in one interval; empty intervals are not listed.
            prop_assert!((in_intervals - acts.len() as f64).abs() < 1e-9);
        }
    }
}
