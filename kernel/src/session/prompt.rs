//! Questions of a cell on their way through evcxr, which takes what stands between
//! the first two colons of the request's line: a prompt's own colons are written as
//! `%3A` before evcxr reads them, and written back for the user.

/// What `evcxr_input` opens a question with.
pub const REQUEST: &str = "EVCXR_INPUT_REQUEST";

/// The line of a request, as evcxr gives all of its prompt; other lines as they are.
pub fn escape(line: &str) -> String {
    match line.split_once(':') {
        Some((request, prompt)) if request.starts_with(REQUEST) => {
            let prompt = prompt.replace('%', "%25").replace(':', "%3A");
            format!("{request}:{prompt}")
        }
        _ => line.to_owned(),
    }
}

/// The prompt that the user wrote.
pub fn unescape(prompt: &str) -> String {
    prompt.replace("%3A", ":").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn evcxr_passes_on_the_whole_prompt(prompt in "[a%3A5:2 ]{0,12}") {
            let line = escape(&format!("{REQUEST}_PASSWORD:{prompt}"));
            // As evcxr 0.22 does in `run_and_capture_output`.
            let of_evcxr = line.split(':').nth(1).unwrap_or_default();
            prop_assert_eq!(unescape(of_evcxr), prompt);
            let password = format!("{}_PASSWORD", REQUEST);
            prop_assert!(line.starts_with(&password));
        }
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        let line = "EVCXR_VARIABLE_CHANGED_TYPE:a:b%";
        assert_eq!(escape(line), line);
    }
}
