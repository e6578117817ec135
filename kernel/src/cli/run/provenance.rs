//! The provenance of an executed notebook: its `metadata.holoscope`.

use crate::clock::now;
use crate::digest::hex;
use crate::notebook::{Notebook, in_effect};
use crate::toolchain::{self, said_by};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::process::Command;

/// The keys that a run replaces; other keys are left unchanged.
const KEYS: [&str; 16] = [
    "holoscope",
    "status",
    "wall_seconds",
    "date",
    "seed",
    "seeds",
    "parameters",
    "default_parameters",
    "rustc",
    "commit",
    "notebook_commit",
    "lock_digest",
    "data",
    "data_digests",
    "processor",
    "cores",
];

/// What a run records in addition to its outputs.
#[derive(Debug, Clone)]
pub struct Provenance(Map<String, Value>);

impl Provenance {
    /// What is known before the first cell. The notebook already contains the given values; `folder`
    /// is the notebook's folder.
    pub fn new(notebook: &Notebook, given: &[(String, String)], folder: &Path) -> Self {
        let mut known = Map::new();
        let mut put = |key: &str, value: Value| {
            if !value.is_null() {
                known.insert(key.to_owned(), value);
            }
        };
        put("date", now().split('.').next().map(utc).into());
        let effective = in_effect(notebook);
        put("seeds", seeds(&effective));
        let values = given.iter().map(|(name, value)| (name, value));
        put("parameters", texts(values));
        let defaults = effective.iter().filter(|(name, _)| !is_seed(name));
        let defaults = defaults.filter(|(name, _)| given.iter().all(|(one, _)| one != name));
        put(
            "default_parameters",
            some(texts(defaults.map(|(name, value)| (name, value)))),
        );
        put("holoscope", env!("CARGO_PKG_VERSION").into());
        put("rustc", toolchain::rustc_version().into());
        put("lock_digest", lock_digest().into());
        let commit = toolchain::source_commit();
        put("commit", commit.clone().into());
        // Only if it is another repository than the library's.
        let own = commit_in(folder).filter(|own| Some(own) != commit.as_ref());
        put("notebook_commit", own.into());
        put("processor", processor().into());
        let cores = std::thread::available_parallelism();
        put("cores", cores.map_or(Value::Null, |n| n.get().into()));
        Self(known)
    }

    /// Records that a cell has read data of this name.
    pub fn data(&mut self, name: &str, sha256: &str) {
        let data = self
            .0
            .entry("data_digests")
            .or_insert_with(|| Value::Object(Map::new()));
        data[name] = sha256.into();
    }

    /// Writes all of it into the notebook's metadata.
    pub fn write(&self, status: &str, seconds: f64, metadata: &mut Map<String, Value>) {
        let ours = metadata.entry("holoscope").or_insert(Value::Null);
        if !ours.is_object() {
            *ours = json!({});
        }
        let Some(ours) = ours.as_object_mut() else {
            return;
        };
        for key in KEYS {
            ours.shift_remove(key);
        }
        ours.extend(self.0.clone());
        ours.insert("status".to_owned(), status.into());
        let rounded = (seconds * 10.0).round() / 10.0;
        ours.insert("wall_seconds".to_owned(), rounded.into());
    }
}

/// `2026-11-23T09:02:00` in readable form.
fn utc(time: &str) -> String {
    format!("{} UTC", time.replace('T', " "))
}

fn is_seed(name: &str) -> bool {
    name == "seed" || name.ends_with("_seed")
}

/// The variables of the parameters cell that are seeds.
fn seeds(effective: &[(String, String)]) -> Value {
    let seeds = effective.iter().filter(|(name, _)| is_seed(name));
    let seeds = seeds.map(|(name, text)| (name.clone(), number_or_text(text)));
    some(Value::Object(seeds.collect()))
}

/// `42_069u64` as a number; anything but a whole number as text.
fn number_or_text(text: &str) -> Value {
    let plain = text.trim().replace('_', "");
    let types = ["u8", "u16", "u32", "u64", "usize", "i32", "i64"];
    let bare = types.iter().find_map(|ty| plain.strip_suffix(ty));
    let number = bare.unwrap_or(&plain).parse::<u64>();
    number.map_or_else(|_| text.into(), Value::from)
}

fn texts<'a>(values: impl Iterator<Item = (&'a String, &'a String)>) -> Value {
    let texts = values.map(|(name, value)| (name.clone(), Value::String(value.clone())));
    Value::Object(texts.collect())
}

/// Null in place of an empty object.
fn some(object: Value) -> Value {
    match object.as_object().is_some_and(Map::is_empty) {
        true => Value::Null,
        false => object,
    }
}

/// SHA-256 of the library's lock file, which names every crate that it is built from.
fn lock_digest() -> Option<String> {
    let file = toolchain::workspace_root().ok()?.join("Cargo.lock");
    let text = std::fs::read(file).ok()?;
    Some(hex(Sha256::new_with_prefix(text)))
}

/// The commit of the repository that the folder belongs to, marked when files differ from it.
fn commit_in(folder: &Path) -> Option<String> {
    said_by(
        Command::new("git")
            .args(["describe", "--always", "--dirty", "--abbrev=12"])
            .current_dir(folder),
    )
}

/// The model name of the processor.
fn processor() -> Option<String> {
    if let Ok(text) = std::fs::read_to_string("/proc/cpuinfo") {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let mut names = lines.filter(|(key, _)| ["model name", "Model"].contains(&key.trim()));
        if let Some((_, name)) = names.next() {
            return Some(name.trim().to_owned());
        }
    }
    let sysctl = said_by(Command::new("sysctl").args(["-n", "machdep.cpu.brand_string"]));
    Some(sysctl.unwrap_or_else(|| std::env::consts::ARCH.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notebook::Cell;

    fn recorded(source: &str, given: &[(String, String)]) -> Map<String, Value> {
        let mut notebook = Notebook::new();
        let mut cell = Cell::code(source);
        cell.metadata.insert("tags".into(), json!(["parameters"]));
        notebook.cells = vec![cell];
        let mut metadata = Map::new();
        metadata.insert(
            "holoscope".into(),
            json!({"check": {"tolerance": 0.5}, "data_digests": {"old": "1"}}),
        );
        let mut provenance = Provenance::new(&notebook, given, Path::new("/"));
        provenance.data("Embedded", "abc");
        provenance.write("complete", 12.34, &mut metadata);
        metadata["holoscope"].as_object().unwrap().clone()
    }

    #[test]
    fn seeds_and_other_parameters_are_told_apart() {
        let ours = recorded(
            "let seed: u64 = 42_069;\nlet data_seed = 7u64;\nlet reseed = 1;\nlet name = \"x\";\n\
             let other_seed = seed + 1;",
            &[("name".to_owned(), "y".to_owned())],
        );
        assert_eq!(
            ours["seeds"],
            json!({"seed": 42069, "data_seed": 7, "other_seed": "seed + 1"})
        );
        assert_eq!(ours["parameters"], json!({"name": "y"}));
        assert_eq!(ours["default_parameters"], json!({"reseed": "1"}));
    }

    #[test]
    fn a_run_replaces_what_runs_record_and_nothing_else() {
        let ours = recorded("let a = 1;", &[]);
        assert_eq!(ours["check"], json!({"tolerance": 0.5}));
        assert_eq!(ours["data_digests"], json!({"Embedded": "abc"}));
        assert_eq!(ours["wall_seconds"], json!(12.3));
        assert_eq!(ours["status"], "complete");
        assert!(!ours.contains_key("seeds"));
        let lock = std::fs::read(toolchain::workspace_root().unwrap().join("Cargo.lock"));
        let digest = hex(Sha256::new_with_prefix(lock.unwrap()));
        assert_eq!(ours["lock_digest"], digest);
        assert!(ours["cores"].as_u64().unwrap() > 0);
        let date = ours["date"].as_str().unwrap();
        assert!(
            date.starts_with("20") && date.ends_with(" UTC") && date.len() == 23,
            "{date}"
        );
    }
}
