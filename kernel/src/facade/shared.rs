//! The crates that the library is linked with, for cells that request one of them.
//!
//! `:dep serde = "1"` gets the library's serde: nothing is compiled, and its
//! types are the library's. Cargo sees a facade, by path for the cell and as a
//! patch for the cell's other crates. A session has one version of such a crate;
//! to use another, rename it.

use super::manifest::{Crate, Linked, group};
use crate::error::{Error, Result};
use semver::{Version, VersionReq};
use std::path::{Path, PathBuf};

/// The shared crates of an image.
#[derive(Debug, Clone)]
pub struct Shared {
    facades: PathBuf,
}

/// A dependency of a cell that the image provides.
#[derive(Debug, PartialEq)]
pub struct Dependency {
    /// The arguments that evcxr gets instead of those of `:dep`.
    pub arguments: String,
    /// The facades that other crates of the session use, too: name and folder.
    pub patches: Vec<(String, PathBuf)>,
}

/// A cell's request for a crate.
struct Request {
    package: String,
    version: String,
    features: Vec<String>,
    renamed: bool,
}

impl Shared {
    /// The crates next to the library's facade.
    pub fn beside(library: &Path) -> Self {
        Self {
            facades: library.parent().unwrap_or(library).to_path_buf(),
        }
    }

    /// What the image provides for `:dep` with these arguments; `None` if it does not have the
    /// crate.
    ///
    /// # Errors
    /// When it has another version, or the crate without a feature.
    pub fn find(&self, arguments: &str) -> Result<Option<Dependency>> {
        let (name, config) = match arguments.split_once('=') {
            Some((name, config)) => (name.trim(), config.trim()),
            None => (arguments.trim(), "\"*\""),
        };
        // evcxr reports errors in a line that cannot be parsed.
        let Some(request) = request(name, config) else {
            return Ok(None);
        };
        let folder = self.facades.join(&request.package);
        let Some(krate) = named(&request.package)
            .then(|| Crate::read(&folder))
            .flatten()
        else {
            return Ok(None);
        };
        let Some(linked) = &krate.linked else {
            return Ok(None);
        };
        if !fits(&request.version, &krate.version) {
            if request.renamed {
                return Ok(None);
            }
            return Err(other_version(&request, &krate.version));
        }
        if let Some(feature) = lacking(&request, linked) {
            if request.renamed {
                return Ok(None);
            }
            return Err(Error::Dependency {
                name: request.package.clone(),
                reason: format!(
                    "the library's {} {} is built without the feature `{feature}`; it has: {}; {}",
                    request.package,
                    krate.version,
                    linked.features.join(", "),
                    own(&request)
                ),
            });
        }
        let patches = group(&request.package)
            .map(|name| (name.to_owned(), self.facades.join(name)))
            .filter(|(_, folder)| Crate::read(folder).is_some_and(|c| c.linked.is_some()))
            .collect();
        let path = toml::Value::from(folder.to_string_lossy().into_owned());
        let package = match request.renamed {
            true => format!(", package = \"{}\"", request.package),
            false => String::new(),
        };
        Ok(Some(Dependency {
            arguments: format!("{name} = {{ path = {path}{package} }}"),
            patches,
        }))
    }
}

/// Whether it is a name, not a path.
fn named(package: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !package.is_empty() && package != "holoscope" && package.chars().all(letter)
}

/// The request to the registry; `None` for a path, a repository or a line that
/// cannot be parsed.
fn request(name: &str, config: &str) -> Option<Request> {
    let table: toml::Table = format!("it = {config}").parse().ok()?;
    let mut request = Request {
        package: name.to_owned(),
        version: "*".to_owned(),
        features: Vec::new(),
        renamed: false,
    };
    match table.get("it")? {
        toml::Value::String(version) => request.version.clone_from(version),
        toml::Value::Table(table) => {
            if ["path", "git", "registry"]
                .iter()
                .any(|key| table.contains_key(*key))
            {
                return None;
            }
            let text = |key: &str| table.get(key).and_then(|value| value.as_str());
            if let Some(version) = text("version") {
                request.version = version.to_owned();
            }
            if let Some(package) = text("package") {
                request.renamed = package != name;
                request.package = package.to_owned();
            }
            let features = table.get("features").and_then(|value| value.as_array());
            let features = features.into_iter().flatten();
            request.features = features
                .filter_map(|f| Some(f.as_str()?.to_owned()))
                .collect();
        }
        _ => return None,
    }
    Some(request)
}

fn fits(asked: &str, version: &str) -> bool {
    match (VersionReq::parse(asked), Version::parse(version)) {
        (Ok(asked), Ok(version)) => asked.matches(&version),
        _ => false,
    }
}

fn other_version(request: &Request, version: &str) -> Error {
    let package = &request.package;
    Error::Dependency {
        name: package.clone(),
        reason: format!(
            "the library is linked with {package} {version}, and this asks for {asked}; \
             write `:dep {package} = \"{version}\"`; {}",
            own(request),
            asked = request.version,
        ),
    }
}

/// The workaround: a separate copy under another name.
fn own(request: &Request) -> String {
    format!(
        "for a {0} of your own, whose types are not the library's, give it another name: \
         `:dep own = {{ package = \"{0}\", version = \"{1}\", .. }}`",
        request.package, request.version
    )
}

/// A requested feature that is missing. `alloc` is not missing if there is
/// `std`.
fn lacking<'a>(request: &'a Request, linked: &Linked) -> Option<&'a str> {
    let there = |feature: &str| linked.features.iter().any(|f| f == feature);
    let asked = request.features.iter().map(String::as_str);
    asked
        .filter(|feature| *feature != "default" && !(*feature == "alloc" && there("std")))
        .find(|feature| !there(feature))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> (tempfile::TempDir, Shared) {
        let dir = tempfile::tempdir().unwrap();
        for (name, version, linked) in [
            ("holoscope", "0.1.0", true),
            ("serde", "1.0.228", true),
            ("serde_core", "1.0.228", true),
            ("serde_json", "1.0.150", true),
            ("polars-core", "0.55.2", false),
        ] {
            let folder = dir.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            let linked = match linked {
                true => {
                    "[package.metadata.image]\nfile = \"/f\"\nfeatures = [\"std\", \"derive\"]\n"
                }
                false => "",
            };
            let text = format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\n{linked}");
            std::fs::write(folder.join("Cargo.toml"), text).unwrap();
        }
        let shared = Shared::beside(&dir.path().join("holoscope"));
        (dir, shared)
    }

    #[test]
    fn a_crate_of_the_librarys_comes_from_the_image_however_it_is_asked_for() {
        let (dir, shared) = shared();
        let path = dir.path().join("serde");
        for asked in [
            "serde",
            "serde = \"1\"",
            "serde = { version = \"1.0\", features = [\"derive\", \"alloc\"] }",
        ] {
            let found = shared.find(asked).unwrap().unwrap();
            assert_eq!(found.arguments, format!("serde = {{ path = {path:?} }}"));
        }
        let json = shared.find("serde_json = \"1\"").unwrap().unwrap();
        let names: Vec<&str> = json.patches.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["serde_json", "serde", "serde_core"]);
        let renamed = shared
            .find("s = { package = \"serde\", version = \"1\" }")
            .unwrap()
            .unwrap();
        assert!(renamed.arguments.ends_with(", package = \"serde\" }"));
    }

    #[test]
    fn what_the_image_does_not_bring_is_left_to_cargo() {
        let (_dir, shared) = shared();
        for asked in [
            "regex = \"1\"",
            "serde = { path = \"/mine\" }",
            "serde = { git = \"https://example.org/serde\" }",
            "polars-core = \"0.55\"",
            "old = { package = \"serde\", version = \"0.9\" }",
            "../serde",
            "serde = {",
            "holoscope",
        ] {
            assert_eq!(shared.find(asked).unwrap(), None, "{asked}");
        }
    }

    #[test]
    fn a_clash_is_told_with_both_versions_and_a_lacking_feature_with_those_there_are() {
        let (_dir, shared) = shared();
        let clash = shared.find("serde = \"0.9\"").unwrap_err().to_string();
        assert!(
            clash.contains("serde 1.0.228") && clash.contains("asks for 0.9"),
            "{clash}"
        );
        let lacks = shared.find("serde = { version = \"1\", features = [\"rc\"] }");
        let lacks = lacks.unwrap_err().to_string();
        assert!(
            lacks.contains("`rc`") && lacks.contains("std, derive"),
            "{lacks}"
        );
    }
}
