//! Clauses: subject, verb and what belongs to them, and what stands before a statement.

use super::phrases::Which;
use super::subjects::Subject;
use crate::data::corpora::embedded::author::Author;
use crate::data::corpora::embedded::factors::{F, P};

impl Author {
    /// "At dawn,", "Alas,", "Oren," or nothing.
    pub(in crate::data::corpora::embedded) fn opening(&mut self) {
        match self.dice.weighted(&[72, 10, 10, 8]) {
            0 => return,
            1 => {
                let time = self.dice.pick(&self.lex.times);
                self.phrase(time);
            }
            2 => self.interjection(),
            _ => self.person(),
        }
        self.w.punctuation(",");
    }

    pub(in crate::data::corpora::embedded) fn interjection(&mut self) {
        let word = self.dice.pick(&self.lex.moods[self.mood].interjections);
        self.w.words(word, P::Interjection);
    }

    /// Subject, verb and what belongs to it.
    pub(in crate::data::corpora::embedded) fn clause(&mut self) {
        match self.dice.weighted(&[56, 16, 12, 10, 6]) {
            0 => {
                let (subject, tense) = (self.subject(), self.any_tense());
                let verb = self.transitive();
                self.verb(subject, tense, verb);
                self.object();
                self.adjunct(36);
            }
            1 => {
                let (subject, tense) = (self.subject(), self.any_tense());
                let verb = self.dice.pick(&self.lex.agent_intransitives);
                self.verb(subject, tense, verb);
                self.adjunct(70);
            }
            2 => self.copula(),
            3 => self.thing_clause(),
            _ => self.existence(),
        }
    }

    /// "the ropes of the boat are wet"
    fn copula(&mut self) {
        let subject = if self.dice.chance(50) {
            self.subject()
        } else {
            self.thing_subject()
        };
        let (past, start) = (self.dice.chance(35), self.w.here());
        self.be(subject, past);
        self.w.label(start, F::Tense, 1 + u16::from(past));
        let adjective = self.adjective();
        self.w.word(adjective, P::Adjective);
        self.adjunct(15);
    }

    /// "the nets were mended by the fisher", "the lamps will fade"
    fn thing_clause(&mut self) {
        let subject = self.thing_subject();
        if self.dice.chance(50) {
            let tense = self.any_tense();
            let verb = self.dice.pick(&self.lex.thing_intransitives);
            self.verb(subject, tense, verb);
            self.adjunct(40);
        } else {
            let (past, start) = (self.dice.chance(60), self.w.here());
            self.be(subject, past);
            let verb = self.transitive();
            self.w.word(&verb.participle, P::Verb);
            self.w.label(start, F::Tense, 1 + u16::from(past));
            self.w.word("by", P::Preposition);
            let (noun, plural) = (self.agent(), self.dice.chance(30));
            self.noun_phrase(noun, plural, false);
        }
    }

    /// "there are two boats on the quay"
    fn existence(&mut self) {
        self.w.word("there", P::Pronoun);
        let (noun, plural, past) = (self.thing(), self.dice.chance(50), self.dice.chance(30));
        let start = self.w.here();
        self.be(Subject::near(plural), past);
        self.w.label(start, F::Tense, 1 + u16::from(past));
        self.determined(noun, plural, true, Which::Indefinite);
        self.adjunct(80);
    }
}
