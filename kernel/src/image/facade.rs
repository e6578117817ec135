//! What cargo and rust-analyzer see in the library's place: its signatures
//! without the three hundred crates behind them.
//!
//! The facade of a crate is a manifest, a slim copy of the crate's sources (see
//! `slim`) and, for dependencies, the few crates that appear in the library's
//! interface. rust-analyzer finds every signature and every doc comment there,
//! and passes over what it does not find. Cargo wants to compile these crates,
//! too: the wrapper gives it an empty file for each, and cells the image.
//!
//! The standard library gets the same treatment: rust-analyzer would read the
//! 34 MB of `rust-src`, most of them processor intrinsics and tests.

use super::build::{cargo, write_if_changed};
use super::slim;
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates whose types notebooks hold in variables.
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

/// The crates of the standard library whose interface cells see.
const STANDARD: [&str; 4] = ["core", "alloc", "std", "proc_macro"];

/// Raise this when what is written here changes.
pub const RECIPE: u32 = 2;
/// What the wrapper has rustc compile in a facade's place.
pub const EMPTY_FILE: &str = "empty.rs";

/// Writes the facades: the folder of the library's. Only the library's own is
/// written again as long as the lock file and the compiler stay.
pub fn write(root: &Path, home: &Path) -> Result<PathBuf> {
    let dir = home.join("facade");
    let lock = root.join("Cargo.lock");
    let lock = std::fs::read(&lock).map_err(Error::io("read", &lock))?;
    let stamp = stamp(root, &lock);
    let stamp_file = dir.join("stamp");
    let known = std::fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp);
    if !known {
        if dir.exists() {
            std::fs::remove_dir_all(&dir).map_err(Error::io("remove", &dir))?;
        }
        for krate in crates(&metadata(root)?)? {
            let folder = dir.join(&krate.name);
            std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
            write_if_changed(&folder.join("Cargo.toml"), &krate.manifest)?;
            if krate.name != "holoscope" {
                slim::copy(&krate.sources, &folder.join("src"), &worth_reading)?;
            }
        }
        write_standard_library(&dir.join("rust-src"))?;
        write_if_changed(
            &dir.join(EMPTY_FILE),
            "//! Stands in for a library where cargo looks; rustc gets the image.\n",
        )?;
    }
    let library = dir.join("holoscope");
    // What was removed from the sources must not stay in the facade.
    let src = library.join("src");
    if src.exists() {
        std::fs::remove_dir_all(&src).map_err(Error::io("remove", &src))?;
    }
    slim::copy(&root.join("src"), &src, &worth_reading)?;
    write_if_changed(&stamp_file, &stamp)?;
    Ok(library)
}

/// Where rust-analyzer finds the standard library, beside the library's facade.
pub fn standard_library(library: &Path) -> PathBuf {
    library.with_file_name("rust-src")
}

fn worth_reading(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|n| n.to_str());
    !matches!(name, Some("tests" | "benches" | "examples"))
}

fn write_standard_library(to: &Path) -> Result<()> {
    let from = super::rust_src::library_source()?;
    for name in STANDARD {
        let source = from.join(name).join("src");
        slim::copy(&source, &to.join(name).join("src"), &worth_reading)?;
    }
    Ok(())
}

fn stamp(root: &Path, lock: &[u8]) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(lock);
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    let rustc = super::rustc_version().unwrap_or_default();
    format!("{RECIPE} {hex} {rustc} {}\n", root.display())
}

fn metadata(root: &Path) -> Result<Value> {
    let output = Command::new(cargo())
        // Not `--offline`: what only tests need has not been downloaded yet on a new machine.
        .args(["metadata", "--format-version=1", "--locked"])
        // The crates of other platforms have not been downloaded.
        .arg("--filter-platform")
        .arg(super::build::host().unwrap_or_default())
        .current_dir(root)
        .output()
        .map_err(Error::io("run", cargo()))?;
    if !output.status.success() {
        return Err(Error::ImageBuild {
            reason: format!(
                "`cargo metadata` failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
        });
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// One facade to be.
#[derive(Debug)]
struct Facade {
    name: String,
    manifest: String,
    /// The folder of the crate's `lib.rs`.
    sources: PathBuf,
}

fn crates(metadata: &Value) -> Result<Vec<Facade>> {
    let packages: Vec<&Value> = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
    for package in &packages {
        if let (Some(name), Some(id)) = (package["name"].as_str(), package["id"].as_str())
            && VISIBLE.contains(&name)
        {
            ids.insert(id, name);
        }
    }
    let nodes = metadata["resolve"]["nodes"].as_array();
    let mut facades = Vec::new();
    for package in packages {
        let Some((id, name)) = package["id"]
            .as_str()
            .and_then(|id| Some((id, *ids.get(id)?)))
        else {
            continue;
        };
        let node = nodes.and_then(|nodes| nodes.iter().find(|n| n["id"] == id));
        let facade = node.and_then(|node| facade(package, node, &ids));
        facades.push(facade.ok_or_else(|| Error::ImageBuild {
            reason: format!("`cargo metadata` does not describe the crate {name}"),
        })?);
    }
    Ok(facades)
}

fn facade(package: &Value, node: &Value, visible: &BTreeMap<&str, &str>) -> Option<Facade> {
    let library = package["targets"].as_array()?.iter().find(|target| {
        let kinds = target["kind"].as_array();
        kinds.is_some_and(|k| k.iter().any(|k| k == "lib" || k == "rlib" || k == "dylib"))
    })?;
    let text = |value: &Value| value.as_str().map(|s| toml::Value::from(s).to_string());
    let source = Path::new(library["src_path"].as_str()?);
    let mut out = format!(
        "[package]\nname = {}\nversion = {}\nedition = {}\n\n[workspace]\n\n\
         [lib]\nname = {}\npath = \"src/{}\"\ndoctest = false\n\n[features]\n",
        text(&package["name"])?,
        text(&package["version"])?,
        text(&package["edition"])?,
        text(&library["name"])?,
        source.file_name()?.to_str()?,
    );
    let features: Vec<String> = node["features"]
        .as_array()?
        .iter()
        .filter(|f| *f != "default")
        .filter_map(text)
        .collect();
    out.push_str(&format!("default = [{}]\n", features.join(", ")));
    for feature in &features {
        out.push_str(&format!("{feature} = []\n"));
    }
    out.push_str("\n[dependencies]\n");
    for dependency in node["deps"].as_array()? {
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
        let facades = crates(&metadata).unwrap();
        let names: Vec<&str> = facades.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["holoscope", "polars-core"]);
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
    }
}
