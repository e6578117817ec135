//! Where the hub and its cache are, by the variables that huggingface_hub reads.

use std::path::PathBuf;

/// What the environment says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub(super) endpoint: String,
    /// `None` where there is not even a home folder.
    pub(super) cache_dir: Option<PathBuf>,
    pub(super) token: Option<String>,
    pub(super) offline: bool,
}

impl Settings {
    /// By `HF_ENDPOINT`, `HF_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`, `HF_TOKEN`, `HF_TOKEN_PATH` and
    /// `HF_HUB_OFFLINE`, as `variable` gives them.
    pub(super) fn of(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let path = |name: &str| set(name).map(PathBuf::from);
        let home = path("HF_HOME").or_else(|| {
            let caches = path("XDG_CACHE_HOME")
                .or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")))?;
            Some(caches.join("huggingface"))
        });
        let token_file = path("HF_TOKEN_PATH").or_else(|| Some(home.as_ref()?.join("token")));
        let in_file = || {
            let text = std::fs::read_to_string(token_file?).ok()?;
            Some(text.trim().to_owned()).filter(|token| !token.is_empty())
        };
        let endpoint = set("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache_dir: path("HF_HUB_CACHE").or_else(|| Some(home.as_ref()?.join("hub"))),
            token: set("HF_TOKEN")
                .map(|token| token.trim().to_owned())
                .or_else(in_file),
            offline: set("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value)),
        }
    }
}

/// As huggingface_hub understands a switch.
fn is_true(value: &str) -> bool {
    matches!(
        value.trim().to_uppercase().as_str(),
        "1" | "ON" | "YES" | "TRUE"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Settings {
        let find = |name: &str| {
            variables
                .iter()
                .find(|v| v.0 == name)
                .map(|v| v.1.to_owned())
        };
        Settings::of(&find)
    }

    #[test]
    fn the_variables_of_huggingface_hub_are_read() {
        let plain = of(&[("HOME", "/home/ada")]);
        let expected = Settings {
            endpoint: "https://huggingface.co".to_owned(),
            cache_dir: Some("/home/ada/.cache/huggingface/hub".into()),
            token: None,
            offline: false,
        };
        assert_eq!(plain, expected);
        let dir = |variables: &[(&str, &str)]| of(variables).cache_dir.unwrap();
        let home = ("HOME", "/home/ada");
        assert_eq!(
            dir(&[home, ("XDG_CACHE_HOME", "/c")]),
            PathBuf::from("/c/huggingface/hub")
        );
        assert_eq!(dir(&[home, ("HF_HOME", "/hf")]), PathBuf::from("/hf/hub"));
        assert_eq!(
            dir(&[home, ("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/x")]),
            PathBuf::from("/x")
        );
        assert_eq!(dir(&[home, ("HF_HOME", " ")]), plain.cache_dir.unwrap());
        assert_eq!(of(&[]).cache_dir, None);
        assert_eq!(
            of(&[("HF_ENDPOINT", "http://localhost:1/")]).endpoint,
            "http://localhost:1"
        );
        for (value, offline) in [
            ("1", true),
            ("True", true),
            ("on", true),
            ("0", false),
            ("", false),
        ] {
            assert_eq!(of(&[("HF_HUB_OFFLINE", value)]).offline, offline, "{value}");
        }
    }

    #[test]
    fn a_token_comes_from_its_variable_or_a_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "hf_file\n").unwrap();
        let home = ("HF_HOME", dir.path().to_str().unwrap());
        assert_eq!(of(&[home]).token.as_deref(), Some("hf_file"));
        assert_eq!(
            of(&[home, ("HF_TOKEN", "hf_own ")]).token.as_deref(),
            Some("hf_own")
        );
        assert_eq!(of(&[home, ("HF_TOKEN_PATH", "/nowhere")]).token, None);
    }
}
