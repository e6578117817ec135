//! Phrases: who, does, what, where, with the agreement that English asks for.

use super::inflect::{Noun, Verb, article};
use super::subjects::{Form, Subject};
use crate::data::corpora::embedded::author::Author;
use crate::data::corpora::embedded::factors::{F, P};
use crate::data::corpora::embedded::lexicon::TopicWords;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data::corpora::embedded) enum Tense {
    Present,
    Past,
    Future,
    Perfect,
    Progressive,
}

/// Which determiners may stand before a noun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data::corpora::embedded) enum Which {
    Any,
    /// "not the pilot but my captain"
    Definite,
    /// "there is a boat"
    Indefinite,
}

impl Author {
    pub fn topic(&self) -> &'static TopicWords {
        &self.lex.topics[self.topic]
    }

    /// A thing: mostly the topic's, sometimes a rare compound, sometimes (rare or
    /// not) one that this turn has talked about before.
    pub fn thing(&mut self) -> &'static Noun {
        if !self.recent.is_empty() && self.dice.chance(18) {
            let again = self.dice.below(self.recent.len());
            return self.recent[again];
        }
        let topic = self.topic();
        let thing = match self.dice.weighted(&[80, 6, 14]) {
            0 => self.dice.pick(&topic.things),
            1 => self.dice.any(&topic.compounds),
            _ => self.dice.pick(&self.lex.things),
        };
        self.recent.push(thing);
        thing
    }

    pub fn agent(&mut self) -> &'static Noun {
        let topic = self.topic();
        if self.dice.chance(72) {
            self.dice.pick(&topic.agents)
        } else {
            self.dice.pick(&self.lex.agents)
        }
    }

    /// A verb that takes an object.
    pub fn transitive(&mut self) -> &'static Verb {
        let topic = self.topic();
        if self.dice.chance(66) {
            self.dice.pick(&topic.verbs)
        } else {
            self.dice.pick(&self.lex.verbs)
        }
    }

    pub fn adjective(&mut self) -> &'static str {
        let (topic, mood) = (self.topic(), &self.lex.moods[self.mood]);
        let list = match self.dice.weighted(&[50, 25, 25]) {
            0 => &topic.adjectives,
            1 => &mood.adjectives,
            _ => &self.lex.adjectives,
        };
        list[self.dice.zipf(list.len())]
    }

    pub fn any_tense(&mut self) -> Tense {
        [
            Tense::Present,
            Tense::Past,
            Tense::Future,
            Tense::Perfect,
            Tense::Progressive,
        ][self.dice.weighted(&[38, 32, 12, 10, 8])]
    }

    /// Determiner, adjectives and noun: "the two rusty anchors".
    pub fn noun_phrase(&mut self, noun: &Noun, plural: bool, is_subject: bool) {
        self.determined(noun, plural, is_subject, Which::Any);
    }

    /// [`Author::noun_phrase`] with a choice of determiners.
    pub fn determined(&mut self, noun: &Noun, plural: bool, is_subject: bool, which: Which) {
        let adjective = self.dice.chance(34).then(|| self.adjective());
        if plural {
            if self.dice.chance(16) {
                let number = self.dice.pick(&self.lex.numbers);
                self.w.word(number, P::Number);
            } else {
                let determiner = self.dice.pick(&self.lex.plural_determiners[which as usize]);
                self.w.word(determiner, P::Determiner);
            }
        } else {
            let next = adjective.unwrap_or(&noun.singular);
            let determiner = match *self
                .dice
                .pick(&self.lex.singular_determiners[which as usize])
            {
                "a" => article(next),
                other => other,
            };
            self.w.word(determiner, P::Determiner);
        }
        if let Some(adjective) = adjective {
            self.w.word(adjective, P::Adjective);
        }
        self.head(noun, plural, is_subject);
    }

    /// The noun alone, with its number where it is a subject.
    pub fn head(&mut self, noun: &Noun, plural: bool, is_subject: bool) {
        let word = if plural { &noun.plural } else { &noun.singular };
        let at = self.w.word(word, P::Noun);
        if is_subject {
            self.w.label(at, F::Number, 1 + u16::from(plural));
        }
    }

    /// Someone to name: often one who was named before, or of the scene's circle.
    pub fn anyone(&mut self) -> usize {
        if !self.named.is_empty() && self.dice.chance(35) {
            *self.dice.any(&self.named)
        } else if self.dice.chance(80) {
            *self.dice.pick(&self.circle)
        } else {
            self.dice.zipf(self.lex.people.len())
        }
    }

    /// A person's name.
    pub fn person(&mut self) {
        let id = self.anyone();
        self.name(id);
    }

    /// A name with its gender and whether it was said before in this turn.
    pub fn name(&mut self, id: usize) {
        let person = &self.lex.people[id];
        let at = self.w.word(&person.name, P::Other);
        self.w.label(at, F::Name, 1);
        self.w.label(at, F::Gender, 1 + u16::from(person.masculine));
        let again = self.named.contains(&id);
        self.w.label(at, F::Mention, 1 + u16::from(again));
        self.named.push(id);
    }

    pub fn place_name(&mut self) {
        let place = self.dice.pick(&self.lex.places);
        let at = self.w.word(place, P::Other);
        self.w.label(at, F::Name, 2);
    }

    /// A pronoun for the person named last, if anyone was.
    pub fn pronoun(&mut self, masculine: &str, feminine: &str) -> bool {
        let Some(&last) = self.named.last() else {
            return false;
        };
        let is_masculine = self.lex.people[last].masculine;
        let word = if is_masculine { masculine } else { feminine };
        let at = self.w.word(word, P::Pronoun);
        self.w.label(at, F::Gender, 1 + u16::from(is_masculine));
        true
    }

    /// The verb in its tense, agreeing with the subject.
    pub fn verb(&mut self, subject: Subject, tense: Tense, verb: &Verb) {
        if self.dice.chance(12) {
            self.adverb();
        }
        let third = subject.form == Form::Third;
        let start = self.w.here();
        let value = match tense {
            Tense::Present => {
                let word = if third { &verb.third } else { &verb.base };
                self.agreeing(subject, word);
                1
            }
            Tense::Past => {
                self.w.word(&verb.past, P::Verb);
                2
            }
            Tense::Future => {
                self.w.word("will", P::Verb);
                self.w.word(&verb.base, P::Verb);
                3
            }
            Tense::Perfect => {
                self.agreeing(subject, if third { "has" } else { "have" });
                self.w.word(&verb.participle, P::Verb);
                4
            }
            Tense::Progressive => {
                self.be(subject, false);
                self.w.word(&verb.ing, P::Verb);
                1
            }
        };
        self.w.label(start, F::Tense, value);
    }

    /// A form of "to be" that agrees with the subject.
    pub fn be(&mut self, subject: Subject, past: bool) {
        let word = match (subject.form, past) {
            (Form::First, false) => "am",
            (Form::Third, false) => "is",
            (Form::Plural, false) => "are",
            (Form::Plural, true) => "were",
            (_, true) => "was",
        };
        self.agreeing(subject, word);
    }

    /// A verb form that shows the subject's number.
    pub fn agreeing(&mut self, subject: Subject, word: &str) {
        let at = self.w.word(word, P::Verb);
        let number = 1 + u16::from(subject.form == Form::Plural);
        self.w.label(at, F::Number, number);
        self.w.label(at, F::Agreement, 1 + u16::from(subject.far));
    }

    pub fn adverb(&mut self) {
        let adverbs = &self.lex.moods[self.mood].adverbs;
        let adverb = if self.dice.chance(60) {
            self.dice.pick(adverbs)
        } else {
            self.dice.pick(&self.lex.adverbs)
        };
        self.w.word(adverb, P::Adverb);
    }

    /// Whom or what the verb is about.
    pub fn object(&mut self) {
        match self.dice.weighted(&[64, 14, 11, 8, 3]) {
            0 => {
                let (noun, plural) = (self.thing(), self.dice.chance(42));
                self.noun_phrase(noun, plural, false);
            }
            1 => {
                let (noun, plural) = (self.agent(), self.dice.chance(35));
                self.noun_phrase(noun, plural, false);
            }
            2 => self.person(),
            3 => {
                if !self.pronoun("him", "her") {
                    let word = *self.dice.any(&["it", "them", "you", "me", "us"]);
                    self.w.word(word, P::Pronoun);
                }
            }
            _ => self.place_name(),
        }
    }

    /// Where or when, now and then.
    pub fn adjunct(&mut self, percent: usize) {
        if !self.dice.chance(percent) {
            return;
        }
        let topic = self.topic();
        match self.dice.weighted(&[50, 30, 20]) {
            0 => {
                let place = self.dice.pick(&topic.places);
                self.phrase(place);
            }
            1 => {
                let time = self.dice.pick(&self.lex.times);
                self.phrase(time);
            }
            _ => {
                let preposition = self.dice.pick(&self.lex.prepositions);
                self.w.word(preposition, P::Preposition);
                self.place_name();
            }
        }
    }

    /// A fixed phrase that begins with a preposition: "at the third bell".
    pub fn phrase(&mut self, phrase: &str) {
        let (first, rest) = phrase.split_once(' ').unwrap_or((phrase, ""));
        self.w.word(first, P::Preposition);
        if !rest.is_empty() {
            self.w.words(rest, P::Other);
        }
    }
}
