//! Subjects: who acts, in which number, and how far from the verb.
//!
//! A noun between head and verb ("the keeper of the lamps burns") is what makes
//! agreement a matter of structure and not of neighbours.

use crate::data::corpora::embedded::author::Author;
use crate::data::corpora::embedded::factors::{F, P};

/// The form of a verb that a subject asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data::corpora::embedded) enum Form {
    /// "I am", "I carry".
    First,
    /// "she is", "the boat carries".
    Third,
    /// "we are", "you carry", "the boats carry".
    Plural,
}

/// A subject that was just said.
#[derive(Debug, Clone, Copy)]
pub(in crate::data::corpora::embedded) struct Subject {
    pub form: Form,
    /// Another noun stands between the head and the verb.
    pub far: bool,
}

impl Subject {
    pub fn near(plural: bool) -> Subject {
        Subject {
            form: if plural { Form::Plural } else { Form::Third },
            far: false,
        }
    }
}

impl Author {
    /// Someone who can act.
    pub fn subject(&mut self) -> Subject {
        let anaphora = if self.named.is_empty() { 0 } else { 30 };
        match self.dice.weighted(&[44, 18, 18, anaphora, 5]) {
            0 => self.agent_subject(),
            1 => {
                let start = self.w.here();
                self.person();
                self.w.label(start, F::Number, 1);
                Subject::near(false)
            }
            2 => {
                let (word, form) = [
                    ("I", Form::First),
                    ("we", Form::Plural),
                    ("you", Form::Plural),
                    ("they", Form::Plural),
                ][self.dice.weighted(&[45, 25, 15, 15])];
                self.w.word(word, P::Pronoun);
                Subject { form, far: false }
            }
            3 => {
                let start = self.w.here();
                self.pronoun("he", "she");
                self.w.label(start, F::Number, 1);
                Subject::near(false)
            }
            _ => {
                let start = self.w.here();
                let (first, mut second) = (self.anyone(), self.anyone());
                if first == second {
                    second = (first + 1) % self.lex.people.len();
                }
                self.name(first);
                self.w.word("and", P::Conjunction);
                self.name(second);
                self.w.label(start, F::Number, 2);
                Subject::near(true)
            }
        }
    }

    /// "the sailors", "the sailor of the two boats", "the sailor who mended the net".
    fn agent_subject(&mut self) -> Subject {
        let (noun, plural) = (self.agent(), self.dice.chance(40));
        self.noun_phrase(noun, plural, true);
        let far = match self.dice.weighted(&[72, 19, 9]) {
            0 => false,
            1 => {
                let preposition = *self.dice.any(&["of", "with", "near", "behind", "beside"]);
                self.w.word(preposition, P::Preposition);
                let attractor = self.thing();
                // Mostly of the other number: the nearest noun must not be trusted.
                let other = if self.dice.chance(65) {
                    !plural
                } else {
                    plural
                };
                self.noun_phrase(attractor, other, false);
                true
            }
            _ => {
                self.w.word("who", P::Pronoun);
                let verb = self.transitive();
                let at = self.w.word(&verb.past, P::Verb);
                self.w.label(at, F::Tense, 2);
                self.object();
                true
            }
        };
        Subject {
            far,
            ..Subject::near(plural)
        }
    }

    /// A thing, sometimes with another noun between it and its verb.
    pub fn thing_subject(&mut self) -> Subject {
        let (noun, plural) = (self.thing(), self.dice.chance(45));
        self.noun_phrase(noun, plural, true);
        let far = self.dice.chance(22);
        if far {
            self.w.word("of", P::Preposition);
            let (owner, other) = (self.agent(), self.dice.chance(65) != plural);
            self.noun_phrase(owner, other, false);
        }
        Subject {
            far,
            ..Subject::near(plural)
        }
    }
}
