//! The name of a repository: `org/name`, or `org/name@revision`.

use crate::error::{Error, Result};

/// A repository at a revision (a branch, a tag or a commit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository {
    pub(super) id: String,
    pub(super) revision: String,
}

impl Repository {
    /// Of `org/name` or `org/name@revision`; the revision is `main` where there is none.
    ///
    /// # Errors
    /// [`Error::Argument`] for a text that names no repository.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (id, revision) = text.split_once('@').unwrap_or((text, "main"));
        let word = |part: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && part.chars().all(plain) && !part.trim_matches('.').is_empty()
        };
        let parts: Vec<&str> = id.split('/').collect();
        let of_words = parts.iter().all(|part| word(part));
        if !of_words || parts.len() > 2 || !revision.split('/').all(word) {
            let reason = "expected a repository of the Hugging Face hub, \"org/name\" or \"org/name@revision\", \
                          or a folder that exists";
            return Err(Error::argument("repo", format!("{text:?}"), reason));
        }
        Ok(Self {
            id: id.to_owned(),
            revision: revision.to_owned(),
        })
    }

    /// What a file of it is called in messages.
    pub(super) fn url(&self, file: &str) -> String {
        format!("hf://{}@{}/{file}", self.id, self.revision)
    }
}

/// Whether a file's name in a repository stays within its folder.
pub(super) fn is_plain_path(name: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    !name.contains(['\\', '\0']) && name.split('/').all(part)
}

/// A file's name as it is written in a URL.
pub(super) fn percent_encoded(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_repositories_are_parsed_or_refused() {
        for (text, id, revision) in [
            ("gpt2", "gpt2", "main"),
            ("EleutherAI/pythia-70m", "EleutherAI/pythia-70m", "main"),
            ("a/b@refs/pr/3", "a/b", "refs/pr/3"),
            ("a/b.c@step1000", "a/b.c", "step1000"),
        ] {
            let repository = Repository::parse(text).unwrap();
            assert_eq!(
                (repository.id.as_str(), repository.revision.as_str()),
                (id, revision)
            );
        }
        for text in [
            "",
            "a/b/c",
            "../x",
            "a/..",
            "a b",
            "a/b@",
            "a/b@../..",
            "a/b@x//y",
            "/a",
            "a/",
            "a/é",
        ] {
            let error = Repository::parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn paths_that_leave_the_folder_are_seen() {
        assert!(is_plain_path("a/b_c/params.npz") && is_plain_path("x:v1"));
        for name in ["", "/etc/x", "a//b", "../a", "a/../b", "a/.", "a\\..\\b"] {
            assert!(!is_plain_path(name), "{name}");
        }
    }

    #[test]
    fn names_are_percent_encoded() {
        assert_eq!(percent_encoded("a b/x:v1#é.pt"), "a%20b/x%3Av1%23%C3%A9.pt");
    }
}
