//! Estimates for a first build, for which no times have been recorded.

use super::units::Record;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

/// Targets that an image does not need.
const NOT_BUILT: [&str; 4] = ["bin", "test", "example", "bench"];
/// The minimum for every unit, in the unit of `work`: as much as a small crate.
const LEAST: f64 = 2e6;

/// The units behind the image, from the packages that `cargo tree` lists and cargo's metadata,
/// and an estimate of the work for each: shares of the whole, not seconds.
///
/// rustc reads a crate's text, and generates code for what it uses of the crates below it: the size
/// of the text times the number of those crates estimates the heavy ones (polars, candle, our own)
/// about right, which neither does alone.
pub fn guess(tree: &str, metadata: &Value) -> Record {
    let listed = listed(tree);
    let below = Below::of(metadata);
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let units = packages
        .filter(|package| {
            listed.contains(&format!(
                "{} {}",
                text(&package["name"]),
                text(&package["version"])
            ))
        })
        .flat_map(|package| {
            let id = text(&package["id"]);
            let targets = package["targets"].as_array().into_iter().flatten();
            targets.map(move |target| (id, target))
        });
    let units = units.filter_map(|(id, target)| {
        let kind = text(&target["kind"][0]);
        (!NOT_BUILT.contains(&kind)).then(|| {
            let work = match kind {
                "custom-build" => 0.0,
                _ => source_bytes(Path::new(text(&target["src_path"]))) * below.count(id),
            };
            (format!("{id} {kind}"), LEAST + work)
        })
    });
    Record::from_iter(units)
}

/// `serde v1.0.228 (proc-macro) (*)`, as `serde 1.0.228`; a package that is built twice is listed
/// twice.
fn listed(tree: &str) -> BTreeSet<String> {
    let parts = tree.lines().filter_map(|line| line.split_once(" v"));
    let packages = parts.map(|(name, rest)| {
        let version = rest.split_whitespace().next().unwrap_or_default();
        format!("{name} {version}")
    });
    packages.collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The size of the Rust sources in the folder of a crate's root.
fn source_bytes(root: &Path) -> f64 {
    fn below(folder: &Path) -> u64 {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let sizes = entries.map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => below(&entry.path()),
            Ok(kind) if kind.is_file() && entry.path().extension() == Some(OsStr::new("rs")) => {
                entry.metadata().map_or(0, |metadata| metadata.len())
            }
            _ => 0,
        });
        sizes.sum()
    }
    root.parent().map_or(0, below) as f64
}

/// The packages that each package depends on.
struct Below<'a>(BTreeMap<&'a str, Vec<&'a str>>);

impl<'a> Below<'a> {
    fn of(metadata: &'a Value) -> Self {
        let nodes = metadata["resolve"]["nodes"]
            .as_array()
            .into_iter()
            .flatten();
        let edges = nodes.map(|node| {
            let deps = node["dependencies"].as_array().into_iter().flatten();
            (text(&node["id"]), deps.map(text).collect())
        });
        Self(edges.collect())
    }

    /// The number of packages below `id`, directly or not, including itself.
    fn count(&self, id: &str) -> f64 {
        let (mut seen, mut open) = (BTreeSet::from([id]), vec![id]);
        while let Some(next) = open.pop() {
            for dependency in self.0.get(next).into_iter().flatten() {
                if seen.insert(dependency) {
                    open.push(dependency);
                }
            }
        }
        seen.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TREE: &str = "holoscope-image v0.1.0 (/w/image)\na v1.0.0\nm v1.0.0 (proc-macro)\n\na v1.0.0 (*)\nb v1.0.0\n";

    /// Of the packages `a`, `m`, `b` and one that is not listed; `root` holds the sources of all.
    fn metadata(root: &Path) -> Value {
        let package = |name: &str, kinds: &[&str]| {
            let src = root.join(name).join("lib.rs");
            let target = |kind: &&str| json!({"kind": [kind], "src_path": src});
            let targets: Vec<Value> = kinds.iter().map(target).collect();
            json!({"id": format!("{name}-id"), "name": name, "version": "1.0.0", "targets": targets})
        };
        json!({
            "packages": [package("a", &["lib", "custom-build", "test"]), package("m", &["proc-macro"]),
                package("b", &["lib"]), package("other", &["lib", "custom-build"])],
            "resolve": {"nodes": [{"id": "b-id", "dependencies": ["a-id", "m-id"]},
                {"id": "a-id", "dependencies": ["m-id"]}]}
        })
    }

    #[test]
    fn packages_and_their_build_scripts_are_expected() {
        let dir = tempfile::tempdir().unwrap();
        let record = guess(TREE, &metadata(dir.path()));
        let names: Vec<&str> = record.iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "a-id custom-build",
                "a-id lib",
                "b-id lib",
                "m-id proc-macro"
            ]
        );
        assert!(record.iter().all(|(_, work)| work == LEAST));
        assert!(guess("", &json!({})).is_empty());
    }

    #[test]
    fn a_crate_weighs_its_text_times_the_crates_below_it() {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [("a/lib.rs", 100), ("a/deep/more.rs", 50), ("b/lib.rs", 100)] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, " ".repeat(bytes)).unwrap();
        }
        std::fs::write(dir.path().join("b/data.bin"), "no Rust").unwrap();
        let record = guess(TREE, &metadata(dir.path()));
        let work: BTreeMap<&str, f64> = record.iter().map(|(n, w)| (n, w - LEAST)).collect();
        assert_eq!(work["a-id lib"], 150.0 * 2.0);
        assert_eq!(work["b-id lib"], 100.0 * 3.0);
        assert_eq!(work["a-id custom-build"], 0.0);
    }
}
