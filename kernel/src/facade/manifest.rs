//! The manifests of the facades: which crates there are, in which versions, with
//! which features, and which file of the image belongs to each.
//!
//! A cell that requests a crate with which the library is linked, too
//! (`:dep serde = "1"`), gets the library's own, so that its types are the same;
//! see `shared` for how a session uses that, and `crate::cargo` for rustc's part.

use crate::error::{Error, Result};
use crate::image::layout::IMAGE_FILE;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The crates whose types notebooks store in variables; rust-analyzer reads them
/// in every session.
const VISIBLE: [&str; 8] = [
    "holoscope",
    "candle-core",
    "polars",
    "polars-core",
    "polars-lazy",
    "polars-plan",
    "polars-error",
    "polars-utils",
];

/// The crates that appear in the interfaces of others: a cell that requests the
/// first gets the second from the image, too.
const BEHIND: [(&str, &[&str]); 6] = [
    ("candle-nn", &["candle-core"]),
    ("serde", &["serde_core"]),
    ("serde_json", &["serde", "serde_core"]),
    ("rand", &["rand_core"]),
    ("rand_distr", &["rand", "rand_core"]),
    ("rayon", &["rayon-core"]),
];

/// A crate that the image is linked with, as it was built.
#[derive(Debug, Clone, PartialEq)]
pub struct Linked {
    pub file: PathBuf,
    pub features: Vec<String>,
}

/// A facade to be written.
#[derive(Debug)]
pub struct Facade {
    pub name: String,
    pub manifest: String,
    /// The folder of the crate's `lib.rs`.
    pub sources: PathBuf,
}

/// The facades of the library, of the crates that are visible in its interface, and of the
/// crates in `linked`, which have the names that the library's code uses.
pub fn facades(
    metadata: &Value,
    linked: &BTreeMap<String, Linked>,
    image: &Path,
) -> Result<Vec<Facade>> {
    let packages = array(&metadata["packages"]);
    let nodes = array(&metadata["resolve"]["nodes"]);
    let mut visible: BTreeMap<&str, &str> = BTreeMap::new();
    let mut behind: BTreeMap<&str, Linked> = BTreeMap::new();
    for package in packages {
        let (Some(name), Some(id)) = (package["name"].as_str(), package["id"].as_str()) else {
            continue;
        };
        if VISIBLE.contains(&name) {
            visible.insert(id, name);
        }
        if name == "holoscope" || name == "holoscope-image" {
            let node = nodes.iter().find(|n| n["id"] == id);
            for dependency in node.map_or(&[][..], |node| array(&node["deps"])) {
                let found = dependency["name"].as_str().and_then(|n| linked.get(n));
                if let (Some(found), Some(id)) = (found, dependency["pkg"].as_str()) {
                    behind.insert(id, found.clone());
                }
            }
        }
        if name == "holoscope" {
            let linked = Linked {
                file: image.join(IMAGE_FILE),
                features: Vec::new(),
            };
            behind.insert(id, linked);
        }
    }
    let mut facades = Vec::new();
    for package in packages {
        let id = package["id"].as_str().unwrap_or_default();
        if !visible.contains_key(id) && !behind.contains_key(id) {
            continue;
        }
        let node = nodes.iter().find(|n| n["id"] == id);
        let facade = node.and_then(|node| facade(package, node, &visible, behind.get(id)));
        facades.push(facade.ok_or_else(|| Error::ImageBuild {
            reason: format!("`cargo metadata` does not describe the crate {id}"),
        })?);
    }
    Ok(facades)
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn facade(
    package: &Value,
    node: &Value,
    visible: &BTreeMap<&str, &str>,
    linked: Option<&Linked>,
) -> Option<Facade> {
    let library = array(&package["targets"]).iter().find(|target| {
        let mut kinds = array(&target["kind"]).iter();
        kinds.any(|k| k == "lib" || k == "rlib" || k == "dylib")
    })?;
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let text = |value: &Value| value.as_str().map(quoted);
    let source = Path::new(library["src_path"].as_str()?);
    let mut out = format!(
        "[package]\nname = {}\nversion = {}\nedition = {}\n\n[workspace]\n\n\
         [lib]\nname = {}\npath = \"src/{}\"\ndoctest = false\n\n",
        text(&package["name"])?,
        text(&package["version"])?,
        text(&package["edition"])?,
        text(&library["name"])?,
        source.file_name()?.to_str()?,
    );
    if let Some(linked) = linked {
        let features: Vec<String> = linked.features.iter().map(|f| quoted(f)).collect();
        out.push_str(&format!(
            "[package.metadata.image]\nfile = {}\nfeatures = [{}]\n\n",
            quoted(linked.file.to_str()?),
            features.join(", ")
        ));
    }
    let on: Vec<&str> = array(&node["features"])
        .iter()
        .filter_map(Value::as_str)
        .filter(|f| *f != "default")
        .collect();
    let list: Vec<String> = on.iter().map(|f| quoted(f)).collect();
    out.push_str(&format!("[features]\ndefault = [{}]\n", list.join(", ")));
    // All of them: another crate may request one, and cargo refuses unknown names.
    let known = package["features"].as_object().into_iter().flatten();
    let mut names: BTreeSet<&str> = known.map(|(name, _)| name.as_str()).collect();
    names.extend(on);
    for name in names.into_iter().filter(|name| *name != "default") {
        out.push_str(&format!("{} = []\n", quoted(name)));
    }
    out.push_str("\n[dependencies]\n");
    for dependency in array(&node["deps"]) {
        let Some(name) = dependency["pkg"].as_str().and_then(|id| visible.get(id)) else {
            continue;
        };
        out.push_str(&format!(
            "{} = {{ package = \"{name}\", path = \"../{name}\" }}\n",
            text(&dependency["name"])?
        ));
    }
    Some(Facade {
        name: package["name"].as_str()?.to_owned(),
        manifest: out,
        sources: source.parent()?.to_path_buf(),
    })
}

/// A crate as described by its facade.
#[derive(Debug, Clone, PartialEq)]
pub struct Crate {
    pub version: String,
    /// What a cell that requests it is linked to, if the image is linked with it.
    pub linked: Option<Linked>,
}

impl Crate {
    /// Reads the facade's manifest in `folder`; `None` if there is none.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
        let package = text.parse::<toml::Table>().ok()?.get("package")?.clone();
        let linked = package.get("metadata").and_then(|m| m.get("image"));
        let linked = linked.and_then(|image| {
            let features = image.get("features")?.as_array()?.iter();
            Some(Linked {
                file: image.get("file")?.as_str()?.into(),
                features: features
                    .filter_map(|f| Some(f.as_str()?.to_owned()))
                    .collect(),
            })
        });
        Some(Self {
            version: package.get("version")?.as_str()?.to_owned(),
            linked,
        })
    }
}

/// The crates that come from the image together with `name`.
pub fn group(name: &str) -> impl Iterator<Item = &str> {
    let behind = BEHIND.iter().find(|(first, _)| *first == name);
    let behind = behind.map_or(&[][..], |(_, names)| names);
    std::iter::once(name).chain(behind.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_facade_has_the_crates_source_and_features_and_only_visible_dependencies() {
        let package = |name: &str, lib: &str| {
            json!({"name": name, "id": format!("id-{name}"), "version": "1.2.3", "edition": "2021",
                "targets": [{"kind": ["example"], "name": "e", "src_path": "/s/e.rs"},
                    {"kind": ["lib"], "name": lib, "src_path": format!("/s/{name}/lib.rs")}]})
        };
        let metadata = json!({
            "packages": [package("holoscope", "holoscope"), package("polars-core", "polars_core"),
                package("serde", "serde")],
            "resolve": {"nodes": [
                {"id": "id-holoscope", "features": ["default", "cuda"], "deps": [
                    {"name": "core_renamed", "pkg": "id-polars-core"},
                    {"name": "serde", "pkg": "id-serde"}]},
                {"id": "id-polars-core", "features": [], "deps": []},
                {"id": "id-serde", "features": [], "deps": []}]}
        });
        let linked = Linked {
            file: "/deps/libserde-1.rlib".into(),
            features: vec!["std".to_owned()],
        };
        let linked = BTreeMap::from([("serde".to_owned(), linked)]);
        let facades = facades(&metadata, &linked, Path::new("/image")).unwrap();
        let names: Vec<&str> = facades.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["holoscope", "polars-core", "serde"]);
        assert_eq!(facades[0].sources, Path::new("/s/holoscope"));
        let table: toml::Table = facades[0].manifest.parse().unwrap();
        assert_eq!(table["lib"]["path"].as_str(), Some("src/lib.rs"));
        assert_eq!(table["features"]["default"].as_array().unwrap().len(), 1);
        let dependencies = table["dependencies"].as_table().unwrap();
        assert_eq!(dependencies.len(), 1);
        assert_eq!(
            dependencies["core_renamed"]["path"].as_str(),
            Some("../polars-core")
        );

        let dir = tempfile::tempdir().unwrap();
        let read = |n: usize| {
            std::fs::write(dir.path().join("Cargo.toml"), &facades[n].manifest).unwrap();
            Crate::read(dir.path()).unwrap()
        };
        let library = read(0).linked.unwrap();
        assert_eq!(library.file, Path::new("/image").join(IMAGE_FILE));
        assert_eq!(read(1).linked, None);
        let serde = read(2);
        assert_eq!(serde.version, "1.2.3");
        assert_eq!(serde.linked.unwrap().features, ["std"]);
    }

    #[test]
    fn what_stands_behind_a_crate_comes_with_it() {
        assert_eq!(
            group("serde_json").collect::<Vec<_>>(),
            ["serde_json", "serde", "serde_core"]
        );
        assert_eq!(group("half").collect::<Vec<_>>(), ["half"]);
    }
}
