//! Short summaries of outputs.

use crate::notebook::{Output, OutputKind};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

/// Texts with more lines are summarised by their size.
const LINES: usize = 12;

/// A summary of an output in a few lines.
pub fn summary(output: &Output) -> Vec<String> {
    match &output.kind {
        OutputKind::Stream { name, text } => text_lines(name.as_str(), text),
        OutputKind::Error { ename, evalue, .. } => vec![format!("error: {ename}: {evalue}")],
        OutputKind::Display { data, .. } | OutputKind::ExecuteResult { data, .. } => {
            let plain = data.get("text/plain").and_then(Value::as_str);
            let rich: Vec<String> = data
                .iter()
                .filter(|(mime, _)| *mime != "text/plain")
                .map(|(mime, value)| format!("{mime} {}", size(value)))
                .collect();
            let mut lines = plain.map(|text| text_lines("", text)).unwrap_or_default();
            lines.extend(rich);
            lines
        }
    }
}

fn text_lines(name: &str, text: &str) -> Vec<String> {
    let prefix = match name {
        "" | "stdout" => String::new(),
        name => format!("{name}: "),
    };
    let count = text.lines().count();
    match count > LINES {
        true => {
            let first = text.lines().next().unwrap_or_default();
            vec![format!(
                "{prefix}{count} lines, {} ({first} ...)",
                bytes(text.len())
            )]
        }
        false => text.lines().map(|line| format!("{prefix}{line}")).collect(),
    }
}

fn size(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{} #{:08x}", bytes(text.len()), crc(text)),
        other => {
            let text = other.to_string();
            format!("{} #{:08x}", bytes(text.len()), crc(&text))
        }
    }
}

fn bytes(count: usize) -> String {
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        _ => format!("{:.1} MB", count as f64 / 1e6),
    }
}

/// A short hash of the text.
fn crc(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

/// The lines that differ, each with `-` or `+`; empty if the outputs are the same.
pub fn difference(old: &[Output], new: &[Output]) -> Vec<(char, String)> {
    let contents = |outputs: &[Output]| -> Vec<OutputKind> {
        let kinds = outputs.iter().map(|output| match output.kind.clone() {
            // Counts follow from the order in which cells ran.
            OutputKind::ExecuteResult { data, metadata, .. } => OutputKind::ExecuteResult {
                execution_count: None,
                data,
                metadata,
            },
            kind => kind,
        });
        kinds.collect()
    };
    if contents(old) == contents(new) {
        return Vec::new();
    }
    let text = |outputs: &[Output]| -> String {
        outputs
            .iter()
            .flat_map(summary)
            .map(|line| format!("> {line}\n"))
            .collect()
    };
    let (old, new) = (text(old), text(new));
    let diff = TextDiff::from_lines(&old, &new);
    let mut lines: Vec<(char, String)> = Vec::new();
    for change in diff.iter_all_changes() {
        let mark = match change.tag() {
            ChangeTag::Equal => continue,
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        lines.push((mark, change.value().trim_end().to_owned()));
    }
    if lines.is_empty() {
        // The summaries are equal, the outputs are not.
        lines.push((
            '~',
            "> outputs differ in what the summary leaves out".to_owned(),
        ));
    }
    lines
}
