//! A dashboard as HTML without scripts: figures and tables on one side, examples on the other.
//! Source: the feature-centric layout of sae_vis.

mod bars;
mod sheet;

use super::ablation::AblationEffect;
use super::examples::{ActivationExample, ExampleGroup, ExampleKind};
use super::feature::{DirectLogits, FeatureDashboard};
use super::token_value::TokenValue;
use crate::error::Result;
use crate::show::{MimeBundle, Show, card, card_title, escape, shows_itself, visible_token};
use bars::{bars, short};
pub(super) use sheet::Sheet;

impl FeatureDashboard {
    /// The figures of a summary line.
    pub(super) fn facts(&self) -> String {
        if self.is_dead() {
            return match self.n_tokens {
                0 => "dead: active on no token".to_owned(),
                n => format!("dead: active on none of {n} tokens"),
            };
        }
        let loss = match &self.ablation {
            Some(ablation) if ablation.loss_change.is_finite() => {
                format!(" · loss without it {}", signed(ablation.loss_change))
            }
            _ => String::new(),
        };
        let density = percent(self.density);
        let largest = match self.min_act < 0.0 {
            true => format!("{} to {}", short(self.min_act), short(self.max_act)),
            false => format!("max {}", short(self.max_act)),
        };
        format!("active on {density} of tokens · {largest}{loss}")
    }
}

shows_itself!(FeatureDashboard);

impl Show for FeatureDashboard {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let title = match self.label.is_empty() {
            true => format!("Feature {}", self.feature_id),
            false => format!("Feature {}: {}", self.feature_id, self.label),
        };
        let body = card_title(&title) + &body(self, Sheet::Inline, &|_| false);
        Ok(MimeBundle::html(card(&body), self.to_string()))
    }
}

/// All of the dashboard but its title. `is_here`: whether the page has a feature's dashboard, to link to.
pub(super) fn body(
    feature: &FeatureDashboard,
    sheet: Sheet,
    is_here: &dyn Fn(usize) -> bool,
) -> String {
    let mut side = div(sheet, "note", &escape(&where_active(feature)));
    if !feature.is_dead() {
        let title = match feature.min_act < 0.0 {
            true => "Activations other than 0",
            false => "Activations above 0",
        };
        side += &div(sheet, "h", title);
        side += &bars(sheet, &feature.act_histogram, "tokens", true);
        side += &quantiles(feature, sheet);
        side += &top_tokens(feature, sheet);
    }
    if let Some(ablation) = &feature.ablation {
        side += &removal(ablation, sheet);
    }
    if let Some(logits) = &feature.logits {
        side += &direct_logits(logits, sheet);
    }
    let mut main: String = match feature.groups.is_empty() {
        true => div(sheet, "note", "No examples: the feature was never active."),
        false => feature
            .groups
            .iter()
            .map(|g| group(g, feature.largest(), sheet))
            .collect(),
    };
    main += &div(sheet, "row", &neighbours(feature, sheet, is_here));
    let columns = div(sheet, "side", &side) + &div(sheet, "main", &main);
    div(sheet, "cols", &columns)
}

fn div(sheet: Sheet, class: &'static str, html: &str) -> String {
    format!("<div{}>{html}</div>", sheet.look(class))
}

fn where_active(feature: &FeatureDashboard) -> String {
    let mut text = match feature.hook_name.is_empty() {
        true => String::new(),
        false => format!("{}: ", feature.hook_name),
    };
    if feature.is_dead() {
        return text + &feature.facts();
    }
    text += &format!("active on {} of the tokens", percent(feature.density));
    if feature.n_tokens > 0 {
        text += &format!(" ({} of {})", feature.n_active, feature.n_tokens);
    }
    let range = match feature.min_act < 0.0 {
        true => format!(
            "activations from {} to {}",
            short(feature.min_act),
            short(feature.max_act)
        ),
        false => format!("largest activation {}", short(feature.max_act)),
    };
    text + &format!("; {range}, mean where active {}", short(feature.mean_act))
}

fn quantiles(feature: &FeatureDashboard, sheet: Sheet) -> String {
    let parts = feature.quantiles.iter();
    let parts = parts.map(|(q, act)| format!("{:.0} %: {}", 100.0 * q, short(*act)));
    let parts: Vec<String> = parts.collect();
    match parts.is_empty() {
        true => String::new(),
        false => div(
            sheet,
            "note",
            &format!("activation; quantiles {}", parts.join(", ")),
        ),
    }
}

fn top_tokens(feature: &FeatureDashboard, sheet: Sheet) -> String {
    if feature.top_tokens.is_empty() {
        return String::new();
    }
    let tokens = feature
        .top_tokens
        .iter()
        .map(|t| pair(t, sheet, |v| percent(*v)));
    let tokens: Vec<String> = tokens.collect();
    let (left, right) = tokens.split_at(tokens.len().div_ceil(2));
    div(sheet, "h", "Tokens that carry most activation")
        + &two(sheet, &left.concat(), &right.concat())
}

fn removal(ablation: &AblationEffect, sheet: Sheet) -> String {
    let mut text = match ablation.n_losses {
        0 => "None of the top examples has a next token.".to_owned(),
        n => format!(
            "On {n} of its top examples the loss of the next token changes by {} nats",
            signed(ablation.loss_change)
        ),
    };
    if ablation.loss_change_se.is_finite() {
        text += &format!(" (standard error {})", short(ablation.loss_change_se));
    }
    text += "; the error of the reconstruction is kept. Mean change of the next token's logits:";
    div(sheet, "h", "Without the feature")
        + &div(sheet, "note", &text)
        + &two(
            sheet,
            &list("fall", &ablation.lowered, sheet),
            &list("rise", &ablation.raised, sheet),
        )
}

fn direct_logits(logits: &DirectLogits, sheet: Sheet) -> String {
    div(sheet, "h", "Direct logits per unit of activation")
        + &bars(sheet, &logits.histogram, "tokens of the vocabulary", true)
        + &div(sheet, "note", "direct logit, up to the final norm's scale")
        + &two(
            sheet,
            &list("suppressed", &logits.bottom, sheet),
            &list("promoted", &logits.top, sheet),
        )
}

fn two(sheet: Sheet, left: &str, right: &str) -> String {
    div(
        sheet,
        "two",
        &format!("<div>{left}</div><div>{right}</div>"),
    )
}

fn list(title: &str, tokens: &[TokenValue], sheet: Sheet) -> String {
    let rows = tokens
        .iter()
        .map(|token| pair(token, sheet, |v| signed(*v)));
    div(sheet, "note", title) + &rows.collect::<String>()
}

fn pair(token: &TokenValue, sheet: Sheet, value: impl Fn(&f64) -> String) -> String {
    let html = format!(
        "<span{}>{}</span><span{}>{}</span>",
        sheet.look("tok"),
        escape(&visible_token(&token.token)),
        sheet.look("num"),
        value(&token.value)
    );
    div(sheet, "pair", &html)
}

/// The tables of what goes with the feature.
fn neighbours(feature: &FeatureDashboard, sheet: Sheet, is_here: &dyn Fn(usize) -> bool) -> String {
    let name = |id: usize| match is_here(id) {
        true => format!("<a href=\"#f{id}\">{id}</a>"),
        false => id.to_string(),
    };
    let correlated = feature.correlated.iter().map(|f| {
        vec![
            name(f.feature_id),
            short(f.pearson),
            short(f.cosine),
            short(f.jaccard),
        ]
    });
    let neurons = feature.correlated_neurons.iter();
    let neurons = neurons.map(|n| vec![n.index.to_string(), short(n.pearson), short(n.cosine)]);
    let similar = feature.similar.iter();
    let similar = similar.map(|f| vec![name(f.feature_id), short(f.cosine)]);
    let aligned = feature.neurons.iter();
    let aligned =
        aligned.map(|n| vec![n.index.to_string(), short(n.weight), percent(n.share_of_l1)]);
    let measured = match feature.n_correlation_tokens {
        0 => String::new(),
        n => format!(" (on {n} tokens)"),
    };
    table(
        &format!("Features active with it{measured}"),
        &["feature", "Pearson", "cosine", "Jaccard"],
        correlated,
        sheet,
    ) + &table(
        "Features with similar decoder rows",
        &["feature", "cosine"],
        similar,
        sheet,
    ) + &table(
        "Largest decoder weights",
        &["neuron", "weight", "share of L1"],
        aligned,
        sheet,
    ) + &table(
        &format!("Neurons correlated with it{measured}"),
        &["neuron", "Pearson", "cosine"],
        neurons,
        sheet,
    )
}

/// A table whose cells are HTML; nothing without rows.
fn table(
    title: &str,
    columns: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
    sheet: Sheet,
) -> String {
    let cells = |tag: &'static str, texts: &[String]| -> String {
        let look = sheet.look(tag);
        texts
            .iter()
            .map(|text| format!("<{tag}{look}>{text}</{tag}>"))
            .collect()
    };
    let rows: String = rows
        .map(|row| format!("<tr>{}</tr>", cells("td", &row)))
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let names: Vec<String> = columns.iter().map(|name| escape(name)).collect();
    let table = format!(
        "<table{}><thead><tr>{}</tr></thead><tbody>{rows}</tbody></table>",
        sheet.look("tbl"),
        cells("th", &names)
    );
    format!("<div>{}{table}</div>", div(sheet, "h", &escape(title)))
}

/// A group of examples; all but the highest activations are folded.
fn group(group: &ExampleGroup, largest: f64, sheet: Sheet) -> String {
    let n = group.examples.len();
    let interval = format!("{} to {}", short(group.low), short(group.high));
    let title = match group.kind {
        ExampleKind::Top if group.low < 0.0 => format!("Lowest activations, one a sequence ({n})"),
        ExampleKind::Top => format!("Highest activations, one a sequence ({n})"),
        ExampleKind::Interval => {
            format!(
                "Activation {interval}: {} of all tokens ({n} drawn)",
                percent(group.share)
            )
        }
        ExampleKind::Random => format!("Drawn from all active tokens ({n})"),
        ExampleKind::Unknown => format!("Examples ({n})"),
    };
    let examples = group.examples.iter();
    let examples: String = examples.map(|e| example(e, largest, sheet)).collect();
    match group.kind {
        ExampleKind::Top => div(sheet, "h", &escape(&title)) + &examples,
        _ => format!(
            "<details><summary{}>{}</summary>{examples}</details>",
            sheet.look("sum"),
            escape(&title)
        ),
    }
}

fn example(example: &ActivationExample, largest: f64, sheet: Sheet) -> String {
    let mut text = String::new();
    for (i, (token, &act)) in example.tokens.iter().zip(&example.acts).enumerate() {
        let shown = escape(&spaced(token));
        if act == 0.0 && i != example.peak {
            text.push_str(&shown);
            continue;
        }
        let look = sheet.token(f64::from(act) / largest, i == example.peak);
        let act = short(f64::from(act));
        text.push_str(&format!("<span{look} title=\"{act}\">{shown}</span>"));
    }
    let place = match (example.sequence, example.pos) {
        (Some(sequence), Some(pos)) => format!(" title=\"sequence {sequence}, position {pos}\""),
        _ => String::new(),
    };
    let act = short(f64::from(example.peak_act()));
    let html = format!(
        "<span{}{place}>{act}</span><span{}>{text}</span>",
        sheet.look("act"),
        sheet.look("txt")
    );
    div(sheet, "ex", &html)
}

/// A token as it stands in running text: spaces as they are, other white space visible.
fn spaced(token: &str) -> String {
    let parts: Vec<String> = token.split(' ').map(visible_token).collect();
    parts.join(" ")
}

fn percent(share: f64) -> String {
    format!("{} %", short(100.0 * share))
}

fn signed(value: f64) -> String {
    match value > 0.0 {
        true => format!("+{}", short(value)),
        false => short(value),
    }
}
