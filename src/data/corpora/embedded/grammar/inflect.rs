//! English forms of regular words, and the notation for irregular ones.
//!
//! `knife/knives`, `bring/brought/brought`, `stop*` (doubles its last letter).

/// A noun's two forms.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data::corpora::embedded) struct Noun {
    pub singular: String,
    pub plural: String,
}

/// A verb's five forms.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data::corpora::embedded) struct Verb {
    pub base: String,
    /// Third person singular.
    pub third: String,
    pub past: String,
    pub participle: String,
    pub ing: String,
}

pub(in crate::data::corpora::embedded) fn noun(entry: &str) -> Noun {
    match entry.split_once('/') {
        Some((singular, plural)) => Noun {
            singular: singular.to_owned(),
            plural: plural.to_owned(),
        },
        None => Noun {
            singular: entry.to_owned(),
            plural: with_s(entry),
        },
    }
}

pub(in crate::data::corpora::embedded) fn verb(entry: &str) -> Verb {
    let mut forms = entry.split('/');
    let marked = forms.next().unwrap_or_default();
    let base = marked.trim_end_matches('*');
    // "stop*": the stem before -ed and -ing is "stopp".
    let stem = if marked.ends_with('*') {
        let last = &base[base.len() - 1..];
        format!("{base}{last}")
    } else {
        base.to_owned()
    };
    let regular = match base {
        _ if base.ends_with('e') => format!("{base}d"),
        _ if consonant_y(base) => format!("{}ied", &base[..base.len() - 1]),
        _ => format!("{stem}ed"),
    };
    let ing = if let Some(cut) = base.strip_suffix("ie") {
        format!("{cut}ying")
    } else if base.ends_with('e') && !["ee", "oe", "ye"].iter().any(|e| base.ends_with(e)) {
        format!("{}ing", &base[..base.len() - 1])
    } else {
        format!("{stem}ing")
    };
    let past = forms.next().map_or(regular, str::to_owned);
    Verb {
        third: with_s(base),
        participle: forms.next().map_or_else(|| past.clone(), str::to_owned),
        past,
        ing,
        base: base.to_owned(),
    }
}

/// The ending of plurals and of the third person.
fn with_s(word: &str) -> String {
    if consonant_y(word) {
        format!("{}ies", &word[..word.len() - 1])
    } else if ["s", "sh", "ch", "x", "z", "o"]
        .iter()
        .any(|e| word.ends_with(e))
    {
        format!("{word}es")
    } else {
        format!("{word}s")
    }
}

fn consonant_y(word: &str) -> bool {
    let mut ends = word.bytes().rev();
    ends.next() == Some(b'y') && !ends.next().is_some_and(|b| b"aeiou".contains(&b))
}

/// "a" or "an", by the sound that the word begins with as far as its spelling tells.
pub(in crate::data::corpora::embedded) fn article(word: &str) -> &'static str {
    let sounds_consonant = ["uni", "use", "eu", "one"]
        .iter()
        .any(|p| word.starts_with(p));
    let silent_h = ["hour", "honest", "heir"]
        .iter()
        .any(|p| word.starts_with(p));
    let vowel = word.bytes().next().is_some_and(|b| b"aeiou".contains(&b));
    if (vowel && !sounds_consonant) || silent_h {
        "an"
    } else {
        "a"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_take_their_plural() {
        let plural = |entry| noun(entry).plural;
        assert_eq!(plural("knife/knives"), "knives");
        assert_eq!(
            ["boat", "key", "penny", "wish", "box", "torch", "echo"].map(plural),
            [
                "boats", "keys", "pennies", "wishes", "boxes", "torches", "echoes"
            ]
        );
    }

    #[test]
    fn verbs_take_their_forms() {
        let forms = |entry| {
            let v = verb(entry);
            [v.base, v.third, v.past, v.participle, v.ing]
        };
        assert_eq!(
            forms("stop*"),
            ["stop", "stops", "stopped", "stopped", "stopping"]
        );
        assert_eq!(
            forms("carry"),
            ["carry", "carries", "carried", "carried", "carrying"]
        );
        assert_eq!(
            forms("give/gave/given"),
            ["give", "gives", "gave", "given", "giving"]
        );
        assert_eq!(
            forms("run*/ran/run"),
            ["run", "runs", "ran", "run", "running"]
        );
        assert_eq!(forms("dye"), ["dye", "dyes", "dyed", "dyed", "dyeing"]);
        assert_eq!(
            forms("lie/lay/lain"),
            ["lie", "lies", "lay", "lain", "lying"]
        );
    }

    #[test]
    fn articles_follow_the_sound() {
        assert_eq!(
            ["boat", "oar", "hour", "uniform"].map(article),
            ["a", "an", "an", "a"]
        );
    }
}
