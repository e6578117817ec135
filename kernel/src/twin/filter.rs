//! Filters the metadata written to a text, with jupytext's filters (`notebook_metadata_filter:
//! all,-widgets`).
//! Source: jupytext.readthedocs.io, "Metadata filtering".

use super::options::{OF_LAYOUT, is_key};
use super::section::section;
use serde_json::{Map, Value};

/// Notebook metadata that are written to a text unless a filter excludes them.
pub const NOTEBOOK: &str = "jupytext,kernelspec,kernel_info,orphan,tocdepth";

/// Cell metadata that are not written.
pub const CELL: &str = "-autoscroll,-collapsed,-scrolled,-trusted,-execution,-ExecuteTime,\
     -skipline,-noskipline,-cell_marker,-lines_to_next_cell,-lines_to_end_of_cell_marker";

/// All metadata except those written elsewhere: MyST's front matter.
pub const ALL: &str = "all";

/// Keys by name, or all.
#[derive(Debug, Clone, PartialEq)]
enum Keys {
    All,
    Named(Vec<String>),
}

impl Keys {
    fn named(&self) -> &[String] {
        match self {
            Keys::All => &[],
            Keys::Named(keys) => keys,
        }
    }
}

#[derive(Debug, Clone)]
struct Filter {
    include: Keys,
    exclude: Keys,
}

impl Filter {
    fn parse(text: &str) -> Filter {
        let (mut include, mut exclude) = (Vec::new(), Vec::new());
        for key in text.split(',').map(str::trim) {
            match key.strip_prefix('-') {
                Some(key) => exclude.push(key.trim().to_owned()),
                None => include.push(key.trim_start_matches('+').trim().to_owned()),
            }
        }
        let keys = |named: Vec<String>| match named.iter().any(|key| key == "all") {
            true => Keys::All,
            false => Keys::Named(named.into_iter().filter(|key| !key.is_empty()).collect()),
        };
        Filter {
            include: keys(include),
            exclude: keys(exclude),
        }
    }

    /// The option of this name in a `jupytext` section.
    fn option(value: Option<&Value>) -> Filter {
        match value {
            Some(Value::String(text)) => Filter::parse(text),
            Some(Value::Bool(true)) => Filter::parse("all"),
            Some(Value::Bool(false)) => Filter::parse("-all"),
            _ => Filter::parse(""),
        }
    }

    fn text(&self) -> String {
        let mut entries = match &self.include {
            Keys::All => vec!["all".to_owned()],
            Keys::Named(keys) => {
                let keys = keys.iter().filter(|key| !OF_LAYOUT.contains(&key.as_str()));
                keys.cloned().collect()
            }
        };
        match &self.exclude {
            Keys::All => entries.push("-all".to_owned()),
            Keys::Named(keys) => entries.extend(keys.iter().map(|key| format!("-{key}"))),
        }
        entries.join(",")
    }
}

/// The metadata that pass the user's filter and the default one, in their order.
pub fn filter(
    metadata: &Map<String, Value>,
    user: Option<&Value>,
    default: &str,
) -> Map<String, Value> {
    let (user, mut default) = (Filter::option(user), Filter::parse(default));
    if matches!(&default.include, Keys::Named(keys) if !keys.is_empty())
        && default.exclude == Keys::Named(Vec::new())
    {
        default.exclude = Keys::All;
    }
    let none = Keys::Named(Vec::new());
    if default.exclude == Keys::All {
        return match (&user.include, &user.exclude) {
            (Keys::All, exclude) => subset(metadata, None, exclude),
            (include, Keys::All) => subset(metadata, Some(include.named()), &none),
            (include, exclude) => {
                let kept = [include.named(), default.include.named()].concat();
                subset(metadata, Some(&kept), exclude)
            }
        };
    }
    match (&user.include, &user.exclude) {
        (Keys::All, exclude) => subset(metadata, None, exclude),
        (include, Keys::All) => subset(metadata, Some(include.named()), &none),
        (include, exclude) => {
            let mut metadata = metadata.clone();
            if metadata.get("tags").is_some_and(is_empty) {
                metadata.shift_remove("tags");
            }
            let mut gone = exclude.named().to_vec();
            let asked = include.named();
            let by_default = default.exclude.named().iter();
            gone.extend(by_default.filter(|key| !asked.contains(key)).cloned());
            subset(&metadata, None, &Keys::Named(gone))
        }
    }
}

fn is_empty(tags: &Value) -> bool {
    match tags {
        Value::Array(tags) => tags.is_empty(),
        Value::String(tags) => tags.is_empty(),
        Value::Null => true,
        _ => false,
    }
}

/// Keys below a key: `b` for `a.b`.
fn below(keys: &[String], key: &str) -> Vec<String> {
    let inside = keys.iter().filter_map(|dotted| dotted.split_once('.'));
    inside
        .filter(|(left, _)| *left == key)
        .map(|(_, right)| right.to_owned())
        .collect()
}

fn subset(
    metadata: &Map<String, Value>,
    keep: Option<&[String]>,
    gone: &Keys,
) -> Map<String, Value> {
    let mut kept = Map::new();
    for (key, value) in metadata.iter().filter(|(key, _)| is_key(key)) {
        let mut value = value.clone();
        if let Some(keep) = keep {
            let inside = below(keep, key);
            match &value {
                Value::Object(map) if !inside.is_empty() => {
                    value = subset(map, Some(&inside), &Keys::Named(Vec::new())).into();
                }
                _ if keep.contains(key) => {}
                _ => continue,
            }
        }
        let gone = gone.named();
        if gone.contains(key) {
            continue;
        }
        let inside = below(gone, key);
        if let Value::Object(map) = &value
            && !inside.is_empty()
        {
            value = subset(map, None, &Keys::Named(inside)).into();
        }
        kept.insert(key.clone(), value);
    }
    kept
}

/// The metadata of a text, plus those of the notebook that a text of its kind never contains.
pub fn restore(
    of_text: &Map<String, Value>,
    of_notebook: &Map<String, Value>,
    user: Option<&Value>,
    default: &str,
) -> Map<String, Value> {
    let seen = filter(of_notebook, user, default);
    let mut metadata = of_text.clone();
    for (key, value) in of_notebook {
        if !seen.contains_key(key) && !OF_LAYOUT.contains(&key.as_str()) {
            metadata.insert(key.clone(), value.clone());
        }
    }
    metadata
}

/// Records in a text's metadata which metadata it contains, so that it is written with the same
/// ones. `cell_keys`: the metadata keys of its cells.
pub fn note(metadata: &mut Map<String, Value>, has_header: bool, cell_keys: &[String]) {
    let jupytext = metadata.get("jupytext");
    let option = |name: &str| jupytext.and_then(|section| section.get(name)).cloned();
    let mut put = Vec::new();
    if !has_header {
        put.push(("notebook_metadata_filter", Value::from("-all")));
        if option("cell_metadata_filter").is_none() {
            let filter = Filter {
                include: Keys::Named(cell_keys.to_vec()),
                exclude: Keys::All,
            };
            put.push(("cell_metadata_filter", filter.text().into()));
        }
    } else if let Some(cells) = option("cell_metadata_filter") {
        let mut filter = Filter::option(Some(&cells));
        if let Keys::Named(keys) = &mut filter.exclude {
            keys.retain(|key| !cell_keys.contains(key));
        }
        if let Keys::Named(keys) = &mut filter.include {
            for key in cell_keys {
                if !keys.contains(key) {
                    keys.push(key.clone());
                }
            }
        }
        put.push(("cell_metadata_filter", filter.text().into()));
    } else {
        let now = option("notebook_metadata_filter").unwrap_or_default();
        let now = now.as_str().unwrap_or_default();
        let mut keys: Vec<String> = now
            .split(',')
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect();
        if keys.iter().any(|key| key == "all" || key == "-all") {
            return;
        }
        for key in metadata.keys() {
            let usual = NOTEBOOK.split(',').any(|known| known == key);
            if !usual && !keys.contains(key) && !keys.contains(&format!("-{key}")) {
                keys.push(key.clone());
            }
        }
        if !keys.is_empty() {
            put.push(("notebook_metadata_filter", keys.join(",").into()));
        }
    }
    for (key, value) in put {
        section(metadata).insert(key.to_owned(), value);
    }
}
