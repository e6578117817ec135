//! The sources that an article may cite: BibTeX and CSL-JSON files next to the
//! notebook.
//! Source: hayagriva for BibTeX; docs.citationstyles.org, "CSL-JSON schema".

use hayagriva::Library;
use hayagriva::io::{from_biblatex_str, from_yaml_str};
use serde_json::Value;
use std::fmt::Write;
use std::path::Path;

/// Files larger than this are refused.
const LARGEST: u64 = 32 << 20;

/// Reads one file into a library. The extension decides the format: `.bib` and
/// `.bibtex` for BibTeX, `.json` for CSL-JSON, `.yml` and `.yaml` for hayagriva's own.
///
/// # Errors
/// A message for a file that cannot be read, is too large, or has none of these
/// formats.
pub fn read(name: &str, folder: Option<&Path>, library: &mut Library) -> Result<(), String> {
    let folder = folder.ok_or_else(|| format!("cannot look for {name}: the folder is unknown"))?;
    let path = folder.join(name);
    let cannot = |error: std::io::Error| format!("cannot read the bibliography {name}: {error}");
    let size = path.metadata().map_err(cannot)?.len();
    if size > LARGEST {
        return Err(format!("the bibliography {name} is larger than 32 MB"));
    }
    let text = std::fs::read_to_string(&path).map_err(cannot)?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    let entries = match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("json") => from_csl_json(&text),
        Some("yml" | "yaml") => from_yaml_str(&text).map_err(|error| error.to_string()),
        _ => from_bibtex(&text),
    };
    let entries = entries.map_err(|reason| format!("the bibliography {name}: {reason}"))?;
    for entry in entries.iter() {
        if library.get(entry.key()).is_none() {
            library.push(entry);
        }
    }
    Ok(())
}

fn from_bibtex(text: &str) -> Result<Library, String> {
    from_biblatex_str(text).map_err(|errors| {
        let shown: Vec<_> = errors.iter().take(3).map(ToString::to_string).collect();
        shown.join("; ")
    })
}

/// Converts CSL-JSON to BibLaTeX, from which hayagriva builds entries with their
/// containers.
fn from_csl_json(text: &str) -> Result<Library, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let items = match &value {
        Value::Array(items) => items.as_slice(),
        Value::Object(_) => std::slice::from_ref(&value),
        _ => return Err("expected a list of items".to_owned()),
    };
    let mut bibtex = String::new();
    for (at, item) in items.iter().enumerate() {
        let key = match item.get("id") {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => return Err(format!("item {} has no id", at + 1)),
        };
        if key.is_empty() || key.contains([',', '{', '}', ' ', '"', '\\', '=']) {
            return Err(format!("the id {key:?} cannot be cited"));
        }
        item_as_biblatex(&mut bibtex, &key, item);
    }
    from_bibtex(&bibtex)
}

fn item_as_biblatex(out: &mut String, key: &str, item: &Value) {
    let word = |key: &str| item.get(key).and_then(scalar);
    let kind = match item.get("type").and_then(Value::as_str).unwrap_or_default() {
        "article-journal" | "article-magazine" | "article-newspaper" | "article" => "article",
        "paper-conference" => "inproceedings",
        "book" => "book",
        "chapter" | "entry-encyclopedia" | "entry-dictionary" => "incollection",
        "thesis" => "thesis",
        "report" => "report",
        "webpage" | "post" | "post-weblog" => "online",
        "dataset" => "dataset",
        "software" => "software",
        _ => "misc",
    };
    let _ = writeln!(out, "@{kind}{{{key},");
    let mut put = |field: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "  {field} = {{{value}}},");
        }
    };
    let container = match kind {
        "article" => "journaltitle",
        "inproceedings" | "incollection" => "booktitle",
        _ => "series",
    };
    let publisher = match kind {
        "thesis" | "report" => "institution",
        _ => "publisher",
    };
    for (from, to) in [
        ("title", "title"),
        ("container-title", container),
        ("publisher", publisher),
        ("publisher-place", "location"),
        ("volume", "volume"),
        ("issue", "number"),
        ("edition", "edition"),
        ("page", "pages"),
        ("note", "note"),
        ("version", "version"),
    ] {
        put(to, &escaped(&word(from).unwrap_or_default()));
    }
    for (from, to) in [
        ("DOI", "doi"),
        ("URL", "url"),
        ("ISBN", "isbn"),
        ("ISSN", "issn"),
    ] {
        let verbatim = word(from).unwrap_or_default();
        if !verbatim.contains(['{', '}', '\\', '\n']) {
            put(to, &verbatim);
        }
    }
    for role in ["author", "editor", "translator"] {
        put(role, &names(item.get(role)));
    }
    put("date", &date(item.get("issued")));
    put("urldate", &date(item.get("accessed")));
    out.push_str("}\n");
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Text escaped for BibLaTeX: characters that are commands there are plain in CSL-JSON.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '{' | '}' | '\\' => {}
            '%' | '#' | '&' | '$' | '_' => {
                out.push('\\');
                out.push(c);
            }
            '~' | '^' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn names(value: Option<&Value>) -> String {
    let people = value
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let people = people.iter().filter_map(|person| {
        let part = |key: &str| person.get(key).and_then(Value::as_str).map(escaped);
        if let Some(literal) = part("literal") {
            return Some(format!("{{{literal}}}"));
        }
        let particle = part("non-dropping-particle").or_else(|| part("dropping-particle"));
        let family = match (particle, part("family")) {
            (Some(particle), Some(family)) => format!("{particle} {family}"),
            (_, family) => family?,
        };
        Some(match (part("suffix"), part("given")) {
            (Some(suffix), Some(given)) => format!("{family}, {suffix}, {given}"),
            (_, Some(given)) => format!("{family}, {given}"),
            (_, None) => format!("{{{family}}}"),
        })
    });
    people.collect::<Vec<_>>().join(" and ")
}

/// A date given as parts, `[[2023, 10, 4]]`, or as text, in ISO form.
fn date(value: Option<&Value>) -> String {
    let parts = |value: &Value| {
        let numbers = value.as_array()?.iter().map(|part| match part {
            Value::String(text) => text.trim().parse::<i64>().ok(),
            part => part.as_i64(),
        });
        let numbers = numbers.collect::<Option<Vec<_>>>()?;
        Some(match numbers.as_slice() {
            [year] => format!("{year:04}"),
            [year, month] => format!("{year:04}-{month:02}"),
            [year, month, day, ..] => format!("{year:04}-{month:02}-{day:02}"),
            [] => return None,
        })
    };
    let made = value.and_then(|value| {
        let ends = value.get("date-parts").and_then(Value::as_array);
        let ends = ends.map(|ends| ends.iter().filter_map(parts).collect::<Vec<_>>());
        ends.map(|ends| ends.join("/"))
            .or_else(|| value.get("raw").and_then(Value::as_str).map(str::to_owned))
    });
    let date = made.unwrap_or_default();
    let fits = |c: char| c.is_ascii_digit() || "-/".contains(c);
    match date.chars().all(fits) {
        true => date,
        false => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csl_json_gives_the_entries_of_bibtex() {
        let library = from_csl_json(
            r#"[{"id": "elhage2022", "type": "article-journal", "title": "Toy {Models} of 50% & more",
              "author": [{"family": "Elhage", "given": "Nelson"}, {"literal": "The Team"}],
              "container-title": "Transformer Circuits Thread", "volume": 2, "page": "1-9",
              "issued": {"date-parts": [[2022, "9", 14]]}, "DOI": "10.1/a_b", "URL": "https://x.org/a_b%20c"},
             {"id": 7, "type": "odd"}]"#,
        )
        .unwrap();
        let entry = library.get("elhage2022").unwrap();
        assert_eq!(
            entry.title().unwrap().to_string(),
            "Toy Models of 50% & more"
        );
        assert_eq!(entry.date_any().unwrap().year, 2022);
        assert_eq!(entry.date_any().unwrap().month, Some(8));
        assert_eq!(entry.doi(), Some("10.1/a_b"));
        let authors = entry.authors().unwrap();
        assert_eq!(authors[0].name, "Elhage");
        assert_eq!(authors[1].name, "The Team");
        assert_eq!(
            entry.parents()[0].title().unwrap().to_string(),
            "Transformer Circuits Thread"
        );
        assert!(library.get("7").is_some());
    }

    #[test]
    fn what_is_no_bibliography_says_why() {
        for (text, reason) in [
            ("{", "EOF"),
            ("3", "expected a list"),
            ("[{}]", "item 1 has no id"),
            (r#"[{"id": "a b"}]"#, "cannot be cited"),
        ] {
            let error = from_csl_json(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let mut library = Library::new();
        assert!(read("x.bib", None, &mut library).is_err());
        let folder = tempfile::tempdir().unwrap();
        let error = read("x.bib", Some(folder.path()), &mut library).unwrap_err();
        assert!(
            error.starts_with("cannot read the bibliography x.bib"),
            "{error}"
        );
        std::fs::write(folder.path().join("x.bib"), "@article{a, title = ").unwrap();
        assert!(read("x.bib", Some(folder.path()), &mut library).is_err());
    }
}
