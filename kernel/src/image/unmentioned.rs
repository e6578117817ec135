//! The variables that a cell does not mention stay in the store while it runs.
//!
//! evcxr has every cell take every variable of the session out of the store and
//! put it back, and rustc compiles that, with the code that drops it where the
//! cell panics: a cell at the end of a long session took twice as long as one at
//! its beginning. What the cell does not name it cannot touch.

use std::collections::BTreeSet;

const STORE: &str = "evcxr_variable_store.";

/// The source without taking and putting back what it does not mention, or none
/// where it mentions everything. Lines keep their numbers.
///
/// A name counts as mentioned wherever it stands as a word, in an item, a text or
/// a comment too. A macro may still make a name of parts; then the compiler misses
/// it, and gets the whole source (see `guess`).
pub fn without(source: &str) -> Option<String> {
    let lines: Vec<Line> = source.lines().map(Line::of).collect();
    let users = lines.iter().filter_map(|line| match line {
        Line::Other(text) => Some(*text),
        _ => None,
    });
    let is_part = |c: char| c == '_' || c.is_alphanumeric();
    let words: BTreeSet<&str> = users.flat_map(|text| text.split(|c| !is_part(c))).collect();
    let unmentioned: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| match line {
            // `r#type` is two words.
            Line::Take(name) if name.chars().all(is_part) && !words.contains(name) => Some(*name),
            _ => None,
        })
        .collect();
    if unmentioned.is_empty() {
        return None;
    }
    let mut light = String::with_capacity(source.len());
    for (line, text) in lines.iter().zip(source.lines()) {
        let left_out = match line {
            Line::Take(name) | Line::Put(name) => unmentioned.contains(name),
            _ => false,
        };
        if !left_out {
            light.push_str(text);
        }
        light.push('\n');
    }
    Some(light)
}

/// The source with evcxr's lines about variables in the order of the names, where they
/// stand one after the other.
pub fn with_variables_sorted(source: &str) -> String {
    let mut lines: Vec<(u8, &str)> = source.lines().map(|text| (kind(text), text)).collect();
    for block in lines.chunk_by_mut(|a, b| a.0 == b.0) {
        if block[0].0 > 0 {
            block.sort_unstable();
        }
    }
    lines.iter().flat_map(|(_, text)| [*text, "\n"]).collect()
}

/// Tells evcxr's kinds of lines apart; 0 for any other.
fn kind(text: &str) -> u8 {
    match Line::of(text) {
        Line::Other(_) => 0,
        Line::Check => 1,
        Line::Take(_) => 2,
        Line::Put(_) => 3,
    }
}

/// What a line of the source is.
enum Line<'t> {
    /// `let mut v = evcxr_variable_store.take_variable::<T>(stringify!(v));`
    Take(&'t str),
    /// `evcxr_variable_store.put_variable::<T>(stringify!(v), v);`
    Put(&'t str),
    /// `vars_ok &= evcxr_variable_store.check_variable::<T>(stringify!(v));`
    Check,
    Other(&'t str),
}

impl<'t> Line<'t> {
    fn of(text: &'t str) -> Self {
        let line = text.trim();
        Self::of_store(line).unwrap_or(Self::Other(line))
    }

    fn of_store(line: &'t str) -> Option<Self> {
        let call = &line[line.find(STORE)?..];
        let (_, named) = line.split_once("(stringify!(")?;
        let (name, rest) = named.split_once(')')?;
        let before = line.strip_suffix(call)?;
        if call.starts_with("evcxr_variable_store.take_variable::<") {
            let bound = before.strip_prefix("let ")?.strip_suffix(" = ")?;
            let same = bound.strip_prefix("mut ").unwrap_or(bound) == name && rest == ");";
            return same.then_some(Self::Take(name));
        }
        if call.starts_with("evcxr_variable_store.put_variable::<") {
            let value = rest.strip_prefix(", ")?.strip_suffix(");")?;
            return (before.is_empty() && value == name).then_some(Self::Put(name));
        }
        let check = call.starts_with("evcxr_variable_store.check_variable::<");
        (check && before == "vars_ok &= " && rest == ");").then_some(Self::Check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(user: &str, variables: &[(&str, &str)]) -> String {
        let lines = |line: &dyn Fn(&str, &str) -> String| -> String {
            variables.iter().map(|(v, t)| line(v, t)).collect()
        };
        let check = lines(&|v, t| {
            format!("vars_ok &= evcxr_variable_store.check_variable::<{t}>(stringify!({v}));\n")
        });
        let take = lines(&|v, t| {
            format!("let mut {v} = evcxr_variable_store.take_variable::<{t}>(stringify!({v}));\n")
        });
        let put = lines(&|v, t| {
            format!("evcxr_variable_store.put_variable::<{t}>(stringify!({v}), {v});\n")
        });
        format!("{check}{take}{user}\n{put}evcxr_variable_store\n")
    }

    #[test]
    fn only_what_is_mentioned_is_taken_and_lines_keep_their_numbers() {
        let variables = [("data", "data::Set<i32>"), ("n", "usize"), ("model", "M")];
        let source = cell("println!(\"{n}\"); // models", &variables);
        let light = without(&source).unwrap();
        assert_eq!(light.lines().count(), source.lines().count());
        // The type `data::Set` is no mention of the variable `data`.
        for (name, _) in variables {
            let taken = light.contains(&format!("let mut {name} = "));
            let put = light.contains(&format!("stringify!({name}), {name});"));
            let checked = light.contains(&format!("stringify!({name}));"));
            assert_eq!(
                (taken, put, checked),
                (name == "n", name == "n", true),
                "{name}"
            );
        }
        let at = |text: &str| text.lines().position(|l| l.starts_with("println"));
        assert_eq!(at(&light), at(&source));
    }

    #[test]
    fn the_order_of_variables_is_no_difference_and_any_other_line_is() {
        let of =
            |user: &str, variables: &[(&str, &str)]| with_variables_sorted(&cell(user, variables));
        let (a, b, c) = (("a", "A"), ("b", "B"), ("c", "C"));
        assert_eq!(of("a + b", &[a, b, c]), of("a + b", &[c, a, b]));
        assert_ne!(of("a + b", &[a, b, c]), of("b + a", &[a, b, c]));
        assert_ne!(of("a + b", &[a, b, c]), of("a + b", &[a, b]));
        assert_ne!(
            with_variables_sorted("x\ny\n"),
            with_variables_sorted("y\nx\n")
        );
    }

    #[test]
    fn a_source_that_mentions_all_is_left_alone() {
        let variables = [("a", "A"), ("r#type", "T")];
        assert_eq!(without(&cell("drop(a);", &variables)), None);
        assert_eq!(without("fn main() {}"), None);
    }

    #[test]
    fn a_line_of_the_users_that_looks_like_evcxrs_is_a_mention() {
        let mine = "let y = evcxr_variable_store.take_variable::<A>(stringify!(a));";
        assert_eq!(without(&cell(mine, &[("a", "A")])), None);
    }
}
