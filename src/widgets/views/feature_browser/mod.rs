//! All features of an autoencoder in one table, and the dashboard of the one that is chosen.

use crate::data::Dataset;
use crate::error::Result;
use crate::interp::neuroscope::FeatureCensus;
use crate::interp::{DashboardPage, HookedSae, direction_logits};
use crate::progress::Progress;
use crate::sae::SparseAutoencoder;
use crate::show::{MimeBundle, NotebookReporter, Show, Table};
use crate::widgets::views::source::{Answers, Fields, named_view, view, with_static_form};
use crate::widgets::{AnyWidget, Widget};
use candle_core::IndexOp;
use serde_json::{Value, json};

/// Features whose logits are computed at once: `[features, d_vocab]` stays small.
const AT_ONCE: usize = 64;
/// Rows of the static table.
const STATIC_ROWS: usize = 20;

/// An interactive table of all features.
#[derive(Clone)]
pub struct FeatureBrowser {
    view: AnyWidget,
    hooked: HookedSae,
    data: Dataset,
}

/// Shows all features of an autoencoder in a table to sort, filter and search: how often and how
/// strongly each is active on the validation tokens, and the token that it promotes most. A click opens
/// a feature's dashboard.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # use holoscope::widgets::feature_browser;
/// # fn main() -> Result<()> {
/// # let data = Dataset::load(&DataConfig::default())?;
/// # let model = Transformer::new(&TransformerConfig::default())?;
/// # let (sae, _) = train_sae(&model, &data, &SaeConfig::default())?;
/// let hooked = HookedSae::new(&model, sae, &data.tokenizer)?;
/// feature_browser(&hooked, &data)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// When the model cannot be run on the validation tokens.
pub fn feature_browser(hooked: &HookedSae, data: &Dataset) -> Result<FeatureBrowser> {
    let census = FeatureCensus::of(hooked, &data.val)?;
    let top = promoted(hooked)?;
    let indices: Vec<usize> = (0..hooked.sae.d_sae()).collect();
    let maximum: Vec<Value> = census
        .maximum
        .iter()
        .map(|&m| {
            if m.is_finite() {
                f64::from(m).into()
            } else {
                Value::Null
            }
        })
        .collect();
    let rows = json!({
        "index": indices, "density": census.density, "maximum": maximum,
        "label": vec![""; indices.len()], "top": top,
    });
    let view = view(
        "FeatureBrowser",
        include_str!("view.js"),
        include_str!("view.css"),
    )
    .with("rows", rows)
    .with("index", -1)
    .with("dashboard", "");
    let it = FeatureBrowser {
        view,
        hooked: hooked.clone(),
        data: data.clone(),
    };
    it.listen();
    Ok(it)
}

/// The token that each feature promotes most; empty where the hook point does not write to the
/// residual stream.
fn promoted(hooked: &HookedSae) -> Result<Vec<String>> {
    let w_dec = hooked.sae.w_dec();
    let d_sae = hooked.sae.d_sae();
    let mut tokens = Vec::with_capacity(d_sae);
    let mut reporter = NotebookReporter::new();
    let mut progress = Progress::new(&mut reporter, "promoted tokens", "feature", d_sae as u64);
    for first in (0..d_sae).step_by(AT_ONCE) {
        let rows = w_dec.i(first..(first + AT_ONCE).min(d_sae))?;
        let Ok(logits) = direction_logits(&hooked.model, hooked.hook_name(), &rows) else {
            tokens.resize(d_sae, String::new());
            break;
        };
        for id in logits.argmax(1)?.to_vec1::<u32>()? {
            tokens.push(hooked.tokenizer.str_tokens(&[id]).concat());
        }
        progress.update(tokens.len() as u64, &[]);
        if progress.interrupted() {
            // What was not reached has no token.
            tokens.resize(d_sae, String::new());
            break;
        }
    }
    progress.finish();
    Ok(tokens)
}

impl FeatureBrowser {
    /// The widget behind the view, as containers take it.
    pub fn widget(&self) -> Widget {
        self.view.widget()
    }

    /// The most frequent features, for what shows no widgets.
    fn table(&self) -> Result<Table> {
        let rows = self.view.get("rows");
        let number = |key: &str, i: usize| rows[key][i].as_f64().unwrap_or(0.0);
        let count = rows["index"].as_array().map_or(0, Vec::len);
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by(|&a, &b| number("density", b).total_cmp(&number("density", a)));
        order.truncate(STATIC_ROWS);
        let text = |i: &usize| rows["top"][*i].as_str().unwrap_or_default().to_owned();
        let frame = polars::prelude::df!(
            "feature" => order.iter().map(|&i| i as u64).collect::<Vec<_>>(),
            "density" => order.iter().map(|&i| number("density", i)).collect::<Vec<_>>(),
            "maximum" => order.iter().map(|&i| number("maximum", i)).collect::<Vec<_>>(),
            "promotes" => order.iter().map(text).collect::<Vec<_>>(),
        )?;
        Ok(Table::new(frame))
    }
}

impl Answers for FeatureBrowser {
    fn view(&self) -> &AnyWidget {
        &self.view
    }

    fn answer(&self) -> Result<Fields> {
        let index = self.view.get("index").as_f64().unwrap_or(-1.0);
        if index < 0.0 {
            return Ok(Vec::new());
        }
        let dashboard = self.hooked.feature_dashboard(&self.data, index as usize)?;
        let page = DashboardPage::new(format!("Feature {index}"), vec![dashboard]);
        Ok(vec![("dashboard", page.html().into())])
    }
}

impl Show for FeatureBrowser {
    /// The view, and the most frequent features for what shows no widgets.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        with_static_form(&self.view, &self.table()?)
    }
}

named_view!(FeatureBrowser);
