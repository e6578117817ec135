//! The word lists, inflected and ready to draw from.

use super::grammar::inflect::{Noun, Verb, noun, verb};
use super::topics::TOPICS;
use super::words::{self, MOODS, SPEAKERS, Speaker};

/// A topic's words.
pub(super) struct TopicWords {
    pub name: &'static str,
    pub mark: &'static str,
    pub agents: Vec<Noun>,
    pub things: Vec<Noun>,
    /// Rare compounds of the things: "ropemaker", "breadhouse".
    pub compounds: Vec<Noun>,
    pub verbs: Vec<Verb>,
    pub adjectives: Vec<&'static str>,
    pub places: Vec<&'static str>,
}

/// A mood's words.
pub(super) struct MoodWords {
    pub name: &'static str,
    pub interjections: Vec<&'static str>,
    pub adverbs: Vec<&'static str>,
    pub adjectives: Vec<&'static str>,
    pub feelings: Vec<&'static str>,
}

/// A person that can be talked about.
pub(super) struct Person {
    pub name: String,
    pub masculine: bool,
}

/// All words.
pub(super) struct Lexicon {
    pub topics: Vec<TopicWords>,
    pub moods: Vec<MoodWords>,
    pub speakers: &'static [Speaker],
    pub people: Vec<Person>,
    pub places: Vec<String>,
    pub agents: Vec<Noun>,
    pub things: Vec<Noun>,
    pub verbs: Vec<Verb>,
    pub agent_intransitives: Vec<Verb>,
    pub thing_intransitives: Vec<Verb>,
    pub saying: Vec<Verb>,
    pub adjectives: Vec<&'static str>,
    pub adverbs: Vec<&'static str>,
    pub times: Vec<&'static str>,
    pub prepositions: Vec<&'static str>,
    pub numbers: Vec<&'static str>,
    /// Indexed by `Which`.
    pub singular_determiners: [Vec<&'static str>; 3],
    pub plural_determiners: [Vec<&'static str>; 3],
}

/// What a compound's second part may be.
const COMPOUND_ENDINGS: [&str; 10] = [
    "keeper", "maker", "house", "yard", "song", "seller", "light", "master", "stone", "day",
];

fn split(list: &'static str) -> Vec<&'static str> {
    list.split(' ').collect()
}

fn phrases(list: &'static str) -> Vec<&'static str> {
    list.split('|').collect()
}

fn nouns(list: &'static str) -> Vec<Noun> {
    list.split(' ').map(noun).collect()
}

fn verbs(list: &'static str) -> Vec<Verb> {
    list.split(' ').map(verb).collect()
}

impl Lexicon {
    pub fn new() -> Lexicon {
        let stems = split(words::NAME_STEMS);
        let person = |stem: &str, ending: &str, masculine| Person {
            name: format!("{stem}{ending}"),
            masculine,
        };
        let mut people = Vec::new();
        // Both genders side by side, so that both are common.
        for (masculine, feminine) in split(words::MASCULINE_ENDINGS)
            .into_iter()
            .zip(split(words::FEMININE_ENDINGS))
        {
            for stem in &stems {
                people.push(person(stem, masculine, true));
                people.push(person(stem, feminine, false));
            }
        }
        let mut places = Vec::new();
        for ending in split(words::PLACE_ENDINGS) {
            for stem in split(words::PLACE_STEMS) {
                places.push(format!("{stem}{ending}"));
            }
        }
        Lexicon {
            topics: TOPICS.iter().map(topic_words).collect(),
            moods: MOODS.iter().map(mood_words).collect(),
            speakers: &SPEAKERS,
            people,
            places,
            agents: nouns(words::COMMON_AGENTS),
            things: nouns(words::COMMON_THINGS),
            verbs: verbs(words::COMMON_VERBS),
            agent_intransitives: verbs(words::AGENT_INTRANSITIVES),
            thing_intransitives: verbs(words::THING_INTRANSITIVES),
            saying: verbs(words::SAYING_VERBS),
            adjectives: split(words::COMMON_ADJECTIVES),
            adverbs: split(words::ADVERBS),
            times: phrases(words::TIMES),
            prepositions: split(words::PLACE_PREPOSITIONS),
            numbers: split(words::NUMBERS),
            singular_determiners: words::SINGULAR_DETERMINERS.map(split),
            plural_determiners: words::PLURAL_DETERMINERS.map(split),
        }
    }
}

fn topic_words(topic: &super::topics::Topic) -> TopicWords {
    let things = nouns(topic.things);
    let mut compounds = Vec::new();
    for ending in COMPOUND_ENDINGS {
        for thing in &things {
            compounds.push(noun(&format!("{}{ending}", thing.singular)));
        }
    }
    TopicWords {
        name: topic.name,
        mark: topic.mark,
        agents: nouns(topic.agents),
        things,
        compounds,
        verbs: verbs(topic.verbs),
        adjectives: split(topic.adjectives),
        places: phrases(topic.places),
    }
}

fn mood_words(mood: &words::Mood) -> MoodWords {
    MoodWords {
        name: mood.name,
        interjections: phrases(mood.interjections),
        adverbs: split(mood.adverbs),
        adjectives: split(mood.adjectives),
        feelings: phrases(mood.feelings),
    }
}
