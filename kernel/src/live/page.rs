//! Live views of an exported page: the page shows their static form from the notebook until its own
//! script has loaded the model and the WebAssembly module, which replaces the kernel.

use crate::export::escape::Escaped;
use crate::notebook::{MimeBundle, Notebook, OutputKind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The MIME type of a view's description for a page.
const MIME: &str = "application/vnd.holoscope.live+json";
const RUNTIME: &str = include_str!("../export/script/live.js");
const STYLE: &str = include_str!("../export/style/live.css");
/// The policy source that allows a page to compile WebAssembly.
pub const WASM: &str = "'wasm-unsafe-eval'";
/// The start of a view's element.
const MARK: &str = "<div class=\"live\" data-view=";

/// A view in an output.
#[derive(Debug, Clone, Deserialize)]
pub struct LiveView {
    /// Its name: `neuroscope`.
    pub view: String,
    /// `None` for a view that only draws its state.
    #[serde(default)]
    pub model: Option<LiveModel>,
    /// Its initial state.
    state: Map<String, Value>,
}

/// The model file that a view computes with.
#[derive(Debug, Clone, Deserialize)]
pub struct LiveModel {
    /// Relative to the notebook's folder.
    pub file: String,
    pub sha256: String,
    pub bytes: u64,
    n_vocab: u64,
    difference: f64,
}

/// The data and scripts of a page's views.
#[derive(Debug, Clone, Default)]
pub struct Live {
    /// The module, compressed with gzip; `None` if no view computes.
    pub module: Option<Vec<u8>>,
    /// The models, compressed with gzip, by digest.
    pub models: BTreeMap<String, Vec<u8>>,
    /// Script and style of each view, by its name.
    pub views: BTreeMap<String, (String, String)>,
}

/// The views of a notebook's outputs.
pub fn views(notebook: &Notebook) -> Vec<LiveView> {
    let outputs = notebook.cells.iter().flat_map(|cell| cell.outputs());
    let bundles = outputs.filter_map(|output| match &output.kind {
        OutputKind::Display { data, .. } | OutputKind::ExecuteResult { data, .. } => Some(data),
        OutputKind::Stream { .. } | OutputKind::Error { .. } => None,
    });
    bundles.filter_map(of_bundle).collect()
}

fn of_bundle(data: &MimeBundle) -> Option<LiveView> {
    let value = data.get(MIME)?;
    match value {
        Value::String(text) => serde_json::from_str(text).ok(),
        value => serde_json::from_value(value.clone()).ok(),
    }
}

/// Wraps the static form of an output so that the page can make it a live view.
pub fn marked(html: String, data: &MimeBundle) -> String {
    let Some(LiveView { view, model, state }) = of_bundle(data) else {
        return html;
    };
    let model = model.as_ref().map(|model| {
        let note = format!(
            "Computed on this page, by the library that wrote it. The weights are integers, which \
             changes the activations by {} %; the vocabulary has {} tokens.",
            significant(100.0 * model.difference),
            model.n_vocab
        );
        format!(
            " data-model=\"{}\" data-note=\"{}\"",
            Escaped(&model.sha256),
            Escaped(&note)
        )
    });
    format!(
        "{MARK}\"{}\"{} data-state=\"{}\">{html}</div>\n",
        Escaped(&view),
        model.unwrap_or_default(),
        Escaped(&Value::Object(state).to_string()),
    )
}

/// A number rounded to two significant digits.
fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let digits = (1.0 - value.abs().log10().floor()).max(0.0) as usize;
    format!("{value:.digits$}")
}

/// Whether a page's body has a live view.
pub fn are_in(html: &str) -> bool {
    html.contains(MARK)
}

impl Live {
    /// The styles, for the page's head.
    pub fn style(&self) -> String {
        let styles: String = self.views.values().map(|(_, css)| css.as_str()).collect();
        format!("<style>\n{STYLE}{styles}</style>\n")
    }

    /// The elements at the end of the page: models, module and scripts.
    pub fn elements(&self) -> String {
        let mut html = String::new();
        let mut data = |id: &str, bytes: &[u8]| {
            let _ = writeln!(
                html,
                "<script type=\"application/octet-stream\" id=\"{id}\">{}</script>",
                sevens(bytes)
            );
        };
        if let Some(module) = &self.module {
            data("live-module", module);
        }
        for (digest, model) in &self.models {
            data(&format!("live-model-{digest}"), model);
        }
        for script in self.scripts() {
            let _ = writeln!(html, "<script type=\"module\">{script}</script>");
        }
        html
    }

    /// The scripts' source expressions in a Content-Security-Policy.
    pub fn sources(&self) -> String {
        let digests = self
            .scripts()
            .into_iter()
            .map(|script| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script))));
        let mut sources: Vec<String> = digests.collect();
        sources.push(WASM.to_owned());
        sources.join(" ")
    }

    /// The views' scripts, followed by the one that runs them.
    fn scripts(&self) -> Vec<String> {
        let views = self.views.iter().map(|(name, (script, _))| {
            // The export of a widget's module is registered globally, because a page imports
            // nothing.
            let own = script.replacen(
                "export default",
                &format!("(globalThis.holoscopeViews ??= {{}}).{name} ="),
                1,
            );
            own.replace("</script", "<\\/script")
        });
        views.chain([RUNTIME.to_owned()]).collect()
    }
}

/// Encodes bytes as text that a script element preserves: 7 bits per character, most significant
/// first, so that 7 bytes take 8 bytes instead of 9.3 with base64. NUL, CR and `<`, which HTML
/// would change, become the letters from [`ESCAPED`] on.
fn sevens(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 6 / 5);
    let (mut held, mut n) = (0u32, 0);
    let mut put = |value: u32| {
        let value = (value & 0x7f) as u8;
        text.push(match CHANGED.iter().position(|&changed| changed == value) {
            Some(at) => char::from(ESCAPED + at as u8),
            None => char::from(value),
        });
    };
    for &byte in bytes {
        held = (held << 8) | u32::from(byte);
        n += 8;
        while n >= 7 {
            n -= 7;
            put(held >> n);
        }
        held &= (1 << n) - 1;
    }
    if n > 0 {
        put(held << (7 - n));
    }
    text
}

/// Characters that HTML does not preserve in a script element.
const CHANGED: [u8; 3] = [0, b'\r', b'<'];
/// The start of Latin 1's accented capital letters.
const ESCAPED: u8 = 0xc0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decodes as `script/live.js` does.
    fn bytes_of(text: &str) -> Vec<u8> {
        let (mut bytes, mut held, mut n) = (Vec::new(), 0u32, 0);
        for c in text.chars() {
            let code = u32::from(c);
            let value = match code {
                0xc0..=0xc2 => u32::from(CHANGED[code as usize - 0xc0]),
                code => code,
            };
            held = (held << 7) | value;
            n += 7;
            if n >= 8 {
                n -= 8;
                bytes.push((held >> n) as u8);
                held &= (1 << n) - 1;
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn data_is_read_back_from_its_text(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = sevens(&bytes);
            prop_assert!(!text.contains(['\0', '\r', '<']));
            prop_assert_eq!(bytes_of(&text), bytes);
        }
    }

    #[test]
    fn a_difference_has_two_digits() {
        assert_eq!(significant(0.6943), "0.69");
        assert_eq!(significant(12.34), "12");
        assert_eq!(significant(0.0), "0");
    }
}
