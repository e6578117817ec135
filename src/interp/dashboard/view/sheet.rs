//! How the parts of a dashboard look: as inline styles on a light card in notebooks, as classes with a light
//! and a dark theme on a page of its own.

use crate::show::color::Rgb;
use crate::show::{CARD_FILL, CARD_STROKE, FAINT_INK, INK};

/// Name, value on light, value on dark.
const COLOURS: [(&str, &str, &str); 8] = [
    ("--ink", INK, "#e8e8e5"),
    ("--faint", FAINT_INK, "#a9b0b8"),
    ("--fill", CARD_FILL, "#1b1d20"),
    ("--line", CARD_STROKE, "#43474d"),
    ("--bar", "#0072b2", "#56b4e9"),
    ("--act", "#559cff", "#1d5fb8"),
    ("--neg", "#f0904a", "#9a4510"),
    ("--page", "#f3f3f0", "#111315"),
];

/// Class and its rules.
const RULES: [(&str, &str); 18] = [
    (
        "cols",
        "display:flex;flex-wrap:wrap;gap:4px 28px;align-items:flex-start",
    ),
    (
        "row",
        "display:flex;flex-wrap:wrap;gap:0 36px;align-items:flex-start",
    ),
    ("side", "flex:1 1 280px;min-width:0;max-width:420px"),
    ("main", "flex:2 1 420px;min-width:0"),
    (
        "h",
        "font-weight:600;font-size:13px;margin:12px 0 4px;color:var(--ink)",
    ),
    ("note", "color:var(--faint);font-size:12px;margin:2px 0 4px"),
    (
        "two",
        "display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr);gap:0 18px",
    ),
    (
        "pair",
        "display:flex;justify-content:space-between;gap:8px;padding:1px 0;border-bottom:1px solid var(--line)",
    ),
    (
        "tok",
        "font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12px;overflow-wrap:anywhere",
    ),
    (
        "num",
        "font-variant-numeric:tabular-nums;white-space:nowrap",
    ),
    (
        "tbl",
        "border-collapse:collapse;width:auto;margin:0;border:0;color:var(--ink);font-size:12px;font-variant-numeric:tabular-nums",
    ),
    (
        "th",
        "padding:2px 12px 2px 0;border:0;border-bottom:1px solid var(--line);background:none;color:var(--faint);font-weight:600;text-align:right",
    ),
    (
        "td",
        "padding:2px 12px 2px 0;border:0;background:none;color:inherit;text-align:right",
    ),
    (
        "ex",
        "display:flex;gap:10px;padding:3px 0;border-bottom:1px solid var(--line)",
    ),
    (
        "act",
        "flex:none;width:44px;text-align:right;color:var(--faint);font-size:12px;line-height:22px;font-variant-numeric:tabular-nums",
    ),
    (
        "txt",
        "min-width:0;font:13px/1.7 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre-wrap;overflow-wrap:anywhere",
    ),
    (
        "svg",
        "display:block;width:100%;max-width:340px;height:auto;color:var(--faint)",
    ),
    (
        "sum",
        "cursor:pointer;font-size:12px;color:var(--faint);padding:5px 0",
    ),
];

/// Where a dashboard is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Sheet {
    /// In a notebook, on a light card: every element carries its own style.
    Inline,
    /// On a page that has [`Sheet::css`].
    Page,
}

impl Sheet {
    /// The attribute that gives an element this look.
    pub(in super::super) fn look(self, class: &'static str) -> String {
        match self {
            Sheet::Page => format!(" class=\"{class}\""),
            Sheet::Inline => format!(" style=\"{}\"", literal(rule(class))),
        }
    }

    /// The attribute of a token whose activation is this share of the largest one, in absolute value.
    pub(super) fn token(self, share: f64, is_peak: bool) -> String {
        let percent = (100.0 * share.abs()).clamp(0.0, 100.0);
        let negative = share < 0.0;
        if self == Sheet::Page {
            let class = match (negative, is_peak) {
                (false, false) => "a",
                (false, true) => "a p",
                (true, false) => "a n",
                (true, true) => "a n p",
            };
            return format!(" class=\"{class}\" style=\"--a:{percent:.0}\"");
        }
        let full = light(if negative { "--neg" } else { "--act" });
        let fill = Rgb::of_hex(CARD_FILL).mix(Rgb::of_hex(full), percent / 100.0);
        let peak = match is_peak {
            true => ";font-weight:700;box-shadow:inset 0 -2px 0 #1f2328",
            false => "",
        };
        format!(
            " style=\"background:{};color:{};border-radius:3px;padding:1px 0{peak}\"",
            fill.hex(),
            fill.ink().hex()
        )
    }

    /// The colour of bars.
    pub(super) fn bar(self) -> &'static str {
        match self {
            Sheet::Page => "var(--bar)",
            Sheet::Inline => light("--bar"),
        }
    }

    /// The style sheet of a page.
    pub(in super::super) fn css() -> String {
        let of = |value: fn(&(&str, &str, &str)) -> String| -> String {
            COLOURS.iter().map(value).collect()
        };
        let mut css = format!(
            ":root{{color-scheme:light dark;{}}}@media(prefers-color-scheme:dark){{:root{{{}}}}}",
            of(|(name, light, _)| format!("{name}:{light};")),
            of(|(name, _, dark)| format!("{name}:{dark};")),
        );
        for (class, rule) in RULES {
            css.push_str(&format!(".{class}{{{rule}}}"));
        }
        css.push_str(
            ".a{background:color-mix(in srgb,var(--act) calc(var(--a)*1%),transparent);border-radius:3px;\
             padding:1px 0}.n{background:color-mix(in srgb,var(--neg) calc(var(--a)*1%),transparent)}.p{font-weight:700;box-shadow:inset 0 -2px 0 var(--ink)}",
        );
        css
    }
}

fn rule(class: &str) -> &'static str {
    RULES
        .iter()
        .find(|rule| rule.0 == class)
        .map_or("", |rule| rule.1)
}

fn light(name: &str) -> &'static str {
    COLOURS
        .iter()
        .find(|colour| colour.0 == name)
        .map_or("", |colour| colour.1)
}

/// The rule with the colours of the light theme in the place of their names.
fn literal(rule: &str) -> String {
    let replaced = COLOURS.iter();
    replaced.fold(rule.to_owned(), |rule, (name, light, _)| {
        rule.replace(&format!("var({name})"), light)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_looks_name_no_variable() {
        for (class, _) in RULES {
            let look = Sheet::Inline.look(class);
            assert!(!look.contains("var(") && !look.contains("--"), "{look}");
        }
        assert_eq!(rule("none"), "");
    }

    /// WCAG 2.1: at least 4.5 to 1 for text.
    #[test]
    fn text_contrasts_with_its_ground_in_both_themes() {
        let contrast = |a: Rgb, b: Rgb| {
            let (a, b) = (a.luminance() + 0.05, b.luminance() + 0.05);
            a.max(b) / a.min(b)
        };
        let colour = |name: &str, dark: bool| {
            let found = COLOURS.iter().find(|c| c.0 == name).unwrap();
            Rgb::of_hex(if dark { found.2 } else { found.1 })
        };
        for dark in [false, true] {
            let of = |name: &str| colour(name, dark);
            for text in ["--ink", "--faint"] {
                for ground in ["--fill", "--page"] {
                    assert!(
                        contrast(of(text), of(ground)) >= 4.5,
                        "{text} {ground} {dark}"
                    );
                }
            }
            for share in [0.25, 0.5, 0.75, 1.0] {
                for full in ["--act", "--neg"] {
                    let ground = of("--fill").mix(of(full), share);
                    assert!(
                        contrast(of("--ink"), ground) >= 4.5,
                        "{full} {share} {dark}"
                    );
                }
            }
            assert!(contrast(of("--bar"), of("--fill")) >= 3.0);
        }
    }
}
