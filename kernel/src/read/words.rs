//! The words of a text: every name that it can mention, even in strings and comments.
//!
//! A name counts as mentioned wherever it occurs as a word: `"{count}"` uses the variable, and a
//! macro's arguments may be anything. Loading one variable too many costs little; missing one
//! would be an error.

use std::collections::HashSet;

/// The words of a text; of `r#type` both `r` and `type`.
pub fn of(text: &str) -> HashSet<&str> {
    let is_part = |c: char| c == '_' || c.is_alphanumeric();
    text.split(|c| !is_part(c))
        .filter(|word| !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit()))
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_found_wherever_they_stand() {
        let words = super::of("let a = f(r#type, \"{größe}\"); // note 12");
        let mut words: Vec<&str> = words.into_iter().collect();
        words.sort_unstable();
        assert_eq!(words, ["a", "f", "größe", "let", "note", "r", "type"]);
    }
}
