//! Sentences: statements, questions, commands, quotations, lists, ledger marks, ... They are made
//! of clauses (`clauses.rs`) and phrases (`phrases.rs`).

use super::phrases::{Tense, Which};
use super::subjects::Subject;
use crate::data::corpora::embedded::author::Author;
use crate::data::corpora::embedded::factors::{F, P};

/// How often each kind of sentence is chosen, in the order of
/// [`crate::data::corpora::embedded::factors::SENTENCES`] without its "none"; one row a mood.
const KINDS: [[usize; 11]; 5] = [
    // statement, question, command, exclamation, condition, report, list, ledger, comparison, saying, contrast
    [44, 9, 6, 3, 10, 6, 8, 2, 6, 3, 3],   // calm
    [30, 12, 18, 14, 6, 5, 4, 2, 3, 3, 3], // angry
    [42, 11, 4, 12, 6, 7, 5, 1, 6, 3, 3],  // sad
    [38, 8, 9, 14, 6, 7, 9, 2, 3, 3, 1],   // glad
    [34, 24, 11, 4, 9, 6, 3, 3, 2, 2, 2],  // wary
];

const CONJUNCTIONS: [&str; 9] = [
    "and", "but", "because", "while", "until", "though", "so", "when", "before",
];

impl Author {
    /// One sentence, labelled with its kind.
    pub fn sentence(&mut self) {
        let kind = self.dice.weighted(&KINDS[self.mood]);
        self.w.begin_sentence();
        let start = self.w.here();
        match kind {
            0 => self.statement(),
            1 => self.question(),
            2 => self.command(),
            3 => self.exclamation(),
            4 => self.condition(),
            5 => self.report(),
            6 => self.enumeration(),
            7 => self.ledger(),
            8 => self.comparison(),
            9 => self.saying(),
            _ => self.contrast(),
        }
        self.w.label(start, F::Sentence, 1 + kind as u16);
    }

    /// Full stop, or what the mood puts in its place.
    fn stop(&mut self) {
        let shout = [3, 45, 6, 25, 4][self.mood];
        let mark = if self.dice.chance(shout) { "!" } else { "." };
        self.w.punctuation(mark);
    }

    fn statement(&mut self) {
        self.opening();
        self.clause();
        if self.dice.chance(22) {
            let conjunction = *self.dice.pick(&CONJUNCTIONS);
            if matches!(conjunction, "and" | "but" | "so") {
                self.w.punctuation(",");
            }
            self.w.word(conjunction, P::Conjunction);
            self.clause();
        }
        self.stop();
    }

    fn question(&mut self) {
        let (plural, past) = (self.dice.chance(42), self.dice.chance(40));
        let subject = Subject::near(plural);
        match self.dice.weighted(&[34, 18, 16, 16, 16]) {
            kind @ (0 | 1) => {
                if kind == 1 {
                    let word = *self.dice.any(&["why", "how", "when", "where"]);
                    self.w.word(word, P::Adverb);
                }
                let start = self.w.here();
                if past {
                    self.w.word("did", P::Verb);
                } else {
                    self.agreeing(subject, if plural { "do" } else { "does" });
                }
                self.w.label(start, F::Tense, 1 + u16::from(past));
                let (agent, verb) = (self.agent(), self.transitive());
                self.noun_phrase(agent, plural, true);
                self.w.word(&verb.base, P::Verb);
                self.object();
            }
            2 => {
                self.w.word("where", P::Adverb);
                self.be(subject, past);
                let noun = self.thing();
                self.determined(noun, plural, true, Which::Definite);
            }
            3 => {
                self.w.word("who", P::Pronoun);
                let tense = [Tense::Future, Tense::Past, Tense::Perfect][self.dice.below(3)];
                let verb = self.transitive();
                self.verb(Subject::near(false), tense, verb);
                self.object();
                self.adjunct(30);
            }
            _ => {
                self.be(subject, past);
                let noun = self.thing();
                self.determined(noun, plural, true, Which::Definite);
                let adjective = self.adjective();
                self.w.word(adjective, P::Adjective);
            }
        }
        self.w.punctuation("?");
    }

    fn command(&mut self) {
        if self.dice.chance(25) {
            self.person();
            self.w.punctuation(",");
        }
        match self.dice.weighted(&[60, 22, 18]) {
            0 => {}
            1 => {
                self.w.word("do", P::Verb);
                self.w.word("not", P::Adverb);
            }
            _ => {
                self.w.word("let", P::Verb);
                self.w.word("us", P::Pronoun);
            }
        }
        let verb = self.transitive();
        self.w.word(&verb.base, P::Verb);
        self.object();
        self.adjunct(35);
        self.stop();
    }

    fn exclamation(&mut self) {
        match self.dice.below(4) {
            0 => {
                self.interjection();
                self.w.punctuation("!");
                self.w.begin_sentence();
                self.w.word("my", P::Determiner);
                self.w.word("heart", P::Noun);
                self.agreeing(Subject::near(false), "is");
                let feeling = self.dice.pick(&self.lex.moods[self.mood].feelings);
                self.w.words(feeling, P::Adjective);
            }
            1 => {
                self.w.word("what", P::Determiner);
                let adjective = self.adjective();
                self.w
                    .word(super::inflect::article(adjective), P::Determiner);
                self.w.word(adjective, P::Adjective);
                let noun = self.thing();
                self.head(noun, false, false);
            }
            2 => {
                self.w.word("how", P::Adverb);
                let adjective = self.adjective();
                self.w.word(adjective, P::Adjective);
                let (noun, plural) = (self.thing(), self.dice.chance(45));
                self.determined(noun, plural, true, Which::Definite);
                self.be(Subject::near(plural), false);
            }
            _ => {
                self.interjection();
                self.w.punctuation(",");
                self.clause();
            }
        }
        self.w.punctuation("!");
    }

    /// "If the tide rises, the boats will break."
    fn condition(&mut self) {
        let word = ["if", "unless", "whenever"][self.dice.weighted(&[70, 18, 12])];
        self.w.word(word, P::Conjunction);
        let (subject, verb) = (self.subject(), self.transitive());
        self.verb(subject, Tense::Present, verb);
        self.object();
        self.w.punctuation(",");
        let (subject, verb) = (self.subject(), self.transitive());
        self.verb(subject, Tense::Future, verb);
        self.object();
        self.adjunct(25);
        self.stop();
    }

    /// Oren said, "The net is torn."
    fn report(&mut self) {
        let subject = self.subject();
        let saying = self.dice.pick(&self.lex.saying);
        self.verb(subject, Tense::Past, saying);
        self.w.punctuation(",");
        let quotation = self.w.open_quotation();
        match self.dice.weighted(&[60, 20, 20]) {
            0 => {
                self.clause();
                self.stop();
            }
            1 => self.question(),
            _ => self.command(),
        }
        self.w.punctuation("\"");
        self.w.label(quotation, F::Quotation, 1);
    }

    /// "Bring me two nets, a hook, and the old anchor."
    fn enumeration(&mut self) {
        if self.dice.chance(50) {
            let word = *self.dice.any(&["bring", "fetch", "count", "show"]);
            self.w.word(word, P::Verb);
            if word != "count" {
                self.w.word("me", P::Pronoun);
            }
        } else {
            let (subject, verb) = (self.subject(), self.transitive());
            let tense = self.any_tense();
            self.verb(subject, tense, verb);
        }
        let (start, n) = (self.w.here(), 3 + self.dice.weighted(&[60, 28, 12]));
        for i in 0..n {
            if i > 0 {
                self.w.punctuation(",");
            }
            if i + 1 == n {
                self.w.word("and", P::Conjunction);
            }
            let (noun, plural) = (self.thing(), self.dice.chance(55));
            self.noun_phrase(noun, plural, false);
        }
        self.w.label(start, F::List, 1);
        self.stop();
    }

    /// Code-like spans: a mark whose last digit and letter follow from the rest, a
    /// sum that is right, a call that closes its bracket.
    fn ledger(&mut self) {
        let topic = self.topic();
        let at = self.dice.zipf(topic.things.len());
        let noun = &topic.things[at];
        let (a, b) = (self.dice.below(10), self.dice.below(10));
        let (code, value) = match self.dice.below(3) {
            0 => {
                let letter = ["a", "b", "c", "d"][at % 4];
                self.w.word("the", P::Determiner);
                self.head(noun, false, true);
                self.agreeing(Subject::near(false), "is");
                self.w.word("marked", P::Verb);
                (
                    format!("[{}-{a}{b}{}/{letter}]", topic.mark, (a + b) % 10),
                    1,
                )
            }
            1 => {
                self.w.word("write", P::Verb);
                self.w.word("it", P::Pronoun);
                self.w.word("down", P::Adverb);
                self.w.punctuation(":");
                (format!("{} = {a} + {b} = {};", noun.plural, a + b), 2)
            }
            _ => {
                let verb = self.dice.pick(&topic.verbs);
                self.w.word("the", P::Determiner);
                self.w.word("machine", P::Noun);
                self.w.word("answered", P::Verb);
                (format!("{}({}, {a});", verb.base, noun.singular), 3)
            }
        };
        let start = self.w.verbatim(&code);
        self.w.label(start, F::Code, value);
        self.w.punctuation(if value == 1 { "." } else { "" });
    }

    /// "No sailor is as proud as the old captain."
    fn comparison(&mut self) {
        let adjective = self.adjective();
        if self.dice.chance(50) {
            self.w.word("no", P::Determiner);
            let noun = self.agent();
            self.head(noun, false, true);
            self.agreeing(Subject::near(false), "is");
            self.w.word("as", P::Adverb);
            self.w.word(adjective, P::Adjective);
            self.w.word("as", P::Conjunction);
        } else {
            let subject = self.thing_subject();
            self.be(subject, false);
            self.w.word("more", P::Adverb);
            self.w.word(adjective, P::Adjective);
            self.w.word("than", P::Conjunction);
        }
        let (noun, plural) = (self.thing(), self.dice.chance(40));
        self.noun_phrase(noun, plural, false);
        self.stop();
    }

    /// The speaker's own proverb, always in the same words.
    fn saying(&mut self) {
        let saying = self.lex.speakers[self.speaker].saying;
        if self.dice.chance(40) {
            self.w.word("remember", P::Verb);
            self.w.punctuation(",");
        }
        self.w.words(saying, P::Other);
        self.stop();
    }

    /// "It was not the pilot but the captain who lost the anchor."
    fn contrast(&mut self) {
        self.w.word("it", P::Pronoun);
        self.agreeing(Subject::near(false), "was");
        self.w.word("not", P::Adverb);
        let (first, second, plural) = (self.agent(), self.agent(), self.dice.chance(25));
        self.determined(first, plural, false, Which::Definite);
        self.w.word("but", P::Conjunction);
        self.determined(second, plural, false, Which::Definite);
        self.w.word("who", P::Pronoun);
        let verb = self.transitive();
        let at = self.w.word(&verb.past, P::Verb);
        self.w.label(at, F::Tense, 2);
        self.object();
        self.stop();
    }
}
