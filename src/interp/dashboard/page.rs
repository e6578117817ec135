//! Many dashboards: a frame of their figures, a table in a notebook, and one self-contained HTML page with
//! search by token and sorting. The page is read without JavaScript, too; it loads nothing.

use super::feature::FeatureDashboard;
use super::view::{Sheet, body};
use crate::error::Result;
use crate::file::write_whole;
use crate::show::{MimeBundle, Show, Table, escape, shows_itself, visible_token};
use polars::prelude::{Column, DataFrame, df};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

const CSS: &str = include_str!("page/page.css");
const JS: &str = include_str!("page/page.js");
/// The search, hidden until the script runs.
const CONTROLS: &str = "<form id=\"controls\" role=\"search\" hidden>\
    <label>Search tokens (press /)<input name=\"query\" type=\"search\" autocomplete=\"off\"></label>\
    <label>Where<select name=\"where\"><option value=\"anywhere\">anywhere</option>\
    <option value=\"active\">tokens it is active on</option>\
    <option value=\"promoted\">tokens it promotes</option></select></label>\
    <label>Sort by<select name=\"order\"><option value=\"id\">feature</option>\
    <option value=\"density\">density</option><option value=\"max\">largest activation</option>\
    <option value=\"label\">label</option><option value=\"loss\">loss without it</option></select></label>\
    <button type=\"button\" name=\"reversed\" aria-pressed=\"false\">Reverse</button></form>";

/// The dashboards of several features, in the order in which they were asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct DashboardPage {
    /// Heading of the page.
    pub title: String,
    pub dashboards: Vec<FeatureDashboard>,
}

impl DashboardPage {
    /// A page of these dashboards.
    pub fn new(title: impl Into<String>, dashboards: Vec<FeatureDashboard>) -> Self {
        Self {
            title: title.into(),
            dashboards,
        }
    }

    /// The dashboard of a feature, if it is here.
    pub fn get(&self, feature_id: usize) -> Option<&FeatureDashboard> {
        self.dashboards.iter().find(|d| d.feature_id == feature_id)
    }

    /// One row a feature: `feature`, `heading` (label or main tokens), `density`, `max_act`, `mean_act`,
    /// `n_active`, `loss_change` (nats, null where nothing was removed), `promoted`; where activations have a sign (AbsTopK),
    /// also `min_act`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let all = &self.dashboards;
        let of = |value: fn(&FeatureDashboard) -> f64| all.iter().map(value).collect::<Vec<f64>>();
        let promoted = all.iter().map(|d| {
            let top = d.logits.iter().flat_map(|l| l.top.iter().take(3));
            top.map(|t| visible_token(&t.token))
                .collect::<Vec<_>>()
                .join("  ")
        });
        let mut frame = df![
            "feature" => all.iter().map(|d| d.feature_id as u32).collect::<Vec<_>>(),
            "heading" => all.iter().map(FeatureDashboard::heading).collect::<Vec<_>>(),
            "density" => of(|d| d.density),
            "max_act" => of(|d| d.max_act),
            "mean_act" => of(|d| d.mean_act),
            "n_active" => all.iter().map(|d| d.n_active as u64).collect::<Vec<_>>(),
            "loss_change" => all.iter().map(loss_change).collect::<Vec<_>>(),
            "promoted" => promoted.collect::<Vec<_>>(),
        ]?;
        if all.iter().any(|d| d.min_act < 0.0) {
            frame.with_column(Column::new("min_act".into(), of(|d| d.min_act)))?;
        }
        Ok(frame)
    }

    /// The whole page as HTML.
    pub fn html(&self) -> String {
        let here: BTreeSet<usize> = self.dashboards.iter().map(|d| d.feature_id).collect();
        let title = escape(&self.title);
        let mut html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; script-src 'unsafe-inline'; form-action 'none'; \
             base-uri 'none'\"><title>{title}</title><style>{}{CSS}</style></head><body><main>\
             <h1>{title}</h1>{CONTROLS}<p id=\"found\" role=\"status\">{} features</p>\
             <div id=\"list\">",
            Sheet::css(),
            self.dashboards.len()
        );
        let mut anchors = BTreeSet::new();
        for (place, dashboard) in self.dashboards.iter().enumerate() {
            let id = dashboard.feature_id;
            // An anchor is unique, though a feature may be here twice.
            let anchor = match anchors.insert(id) {
                true => format!(" id=\"f{id}\""),
                false => String::new(),
            };
            html.push_str(&format!(
                "<details class=\"feature\" id=\"c{place}\"{}><summary><span class=\"name\">{id}\
                 </span><span class=\"head\">{}</span><span class=\"fact\">{}</span></summary>\
                 <div class=\"body\"{anchor}>{}</div></details>",
                if place == 0 { " open" } else { "" },
                escape(&dashboard.heading()),
                escape(&dashboard.facts()),
                body(dashboard, Sheet::Page, &|id| here.contains(&id)),
            ));
        }
        html.push_str("</div></main><script type=\"application/json\" id=\"data\">");
        html.push_str(&script_safe(&self.index().to_string()));
        html.push_str(&format!("</script><script>{JS}</script></body></html>\n"));
        html
    }

    /// Writes the page to a file; an older one of that name stays whole until the new one is.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), self.html().as_bytes())
    }

    /// What the script searches and sorts by.
    fn index(&self) -> Value {
        let features = self.dashboards.iter().map(|d| {
            let peaks = d.groups.iter().flat_map(|group| &group.examples);
            let peaks = peaks.map(|example| example.token());
            let active: BTreeSet<&str> = peaks
                .chain(d.top_tokens.iter().map(|t| t.token.as_str()))
                .collect();
            let promoted = d.logits.iter().flat_map(|logits| &logits.top);
            let promoted: Vec<&str> = promoted.map(|t| t.token.as_str()).collect();
            json!({
                "id": d.feature_id,
                "heading": d.heading(),
                "density": d.density,
                "max": d.largest(),
                "loss": loss_change(d),
                "active": active,
                "promoted": promoted,
            })
        });
        json!({ "features": features.collect::<Vec<_>>() })
    }
}

fn loss_change(dashboard: &FeatureDashboard) -> Option<f64> {
    let ablation = dashboard.ablation.as_ref()?;
    Some(ablation.loss_change).filter(|change| change.is_finite())
}

/// JSON as it may stand in a script element: nothing in it ends the element or a line of JavaScript.
fn script_safe(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                safe.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => safe.push(c),
        }
    }
    safe
}

impl fmt::Display for DashboardPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} dashboards", self.title, self.dashboards.len())?;
        for dashboard in &self.dashboards {
            write!(
                f,
                "\n{:6}  {}; {}",
                dashboard.feature_id,
                dashboard.facts(),
                dashboard.heading()
            )?;
        }
        Ok(())
    }
}

shows_itself!(DashboardPage);

impl Show for DashboardPage {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let table = Table::new(self.frame()?)
            .gradient("max_act")
            .caption(self.title.clone());
        Ok(table.mime_bundle()?.with("text/plain", self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn json_in_a_script_reads_the_same_and_ends_nothing(text in any::<String>()) {
            let text = format!("{text}</script><!--\u{2028}\u{2029}&");
            let safe = script_safe(&json!({ "t": text }).to_string());
            let unsafe_ones = ['<', '>', '&', '\u{2028}', '\u{2029}'];
            prop_assert!(!safe.contains(unsafe_ones), "{safe}");
            let read: Value = serde_json::from_str(&safe).unwrap();
            prop_assert_eq!(read["t"].as_str(), Some(text.as_str()));
        }
    }
}
