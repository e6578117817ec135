"""The cells of long_session.py."""

import itertools

# No two cells have the same number in them.
NUMBERS = itertools.count(1000)

# Of the session's sorts of cells: what is run first, untimed, and the cell that is timed.
SORTS = {
    "trivial": (None, "{n} + {m}"),
    "`let`": (None, "let count_{n} = {m};"),
    "adds a function": (None, "fn shifted_{n}(x: i64) -> i64 {{\n    x + {m}\n}}"),
    "calls a function": ("fn added_{n}(x: i64) -> i64 {{\n    x + {m}\n}}", "added_{n}({m})"),
    "library call": (None, "holoscope::susy::SignedPermutation::identity({n})"),
    "moves a variable": ('let a{n} = String::from("text {m}");', "let b{n} = a{n};"),
}
SMALL = {"`let`": "let value_{n} = {m};", "function": "fn plus_{n}(x: i64) -> i64 {{ x + {m} }}", "expression": "{n} * {m}"}

FIRST_WORDS = ("Sparse", "Dense", "Linear", "Cached", "Masked", "Causal", "Tied", "Frozen", "Noisy", "Mean")
SECOND_WORDS = ("Probe", "Encoder", "Dictionary", "Feature", "Window", "Batch", "Schedule", "Layer", "Token", "Score")
# Fifty lines, of which functions call those of two earlier cells.
ITEMS = """\
#[derive(Debug, Clone, PartialEq)]
struct {kind} {{
    label: String,
    level: usize,
    scale: f64,
    weights: Vec<f64>,
}}

impl {kind} {{
    fn new(label: &str, level: usize) -> Self {{
        let weights = (0..level).map(|at| at as f64 * {n}.5).collect();
        Self {{ label: label.to_string(), level, scale: 1.0, weights }}
    }}

    fn total(&self) -> f64 {{
        self.weights.iter().map(|weight| weight * self.scale).sum()
    }}

    fn scaled(&self, factor: f64) -> Self {{
        Self {{ scale: self.scale * factor, ..self.clone() }}
    }}

    fn largest(&self) -> Option<f64> {{
        self.weights.iter().copied().reduce(f64::max)
    }}
}}

impl std::fmt::Display for {kind} {{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{
        write!(f, "{{}} at {{}}: {{:.3}}", self.label, self.level, self.total())
    }}
}}

fn {name}_mean(levels: &[usize]) -> f64 {{
    let mut sum = 0.0;
    for &level in levels {{
        sum += {kind}::new("{name}", level).total();
    }}
    sum / levels.len().max(1) as f64
}}

fn {name}_report(levels: &[usize]) -> String {{
    let mean = {name}_mean(levels) - {before};
    let least = {earlier};
    match {kind}::new("{name}", levels.len()).scaled(mean).largest() {{
        Some(most) if most > least => format!("{name}: {{mean:.3}}, at most {{most:.3}}"),
        Some(_) => format!("{name}: {{mean:.3}}"),
        None => String::from("{name}: nothing"),
    }}
}}"""
LINES = ITEMS.count("\n") + 1
# With the cursor behind it; the field `level` must be among the answers.
COMPLETED = "let least_{n} = {variable}.le"


def item_names(at):
    """Of a cell of items: its struct, and what its functions' names begin with."""
    again, at = divmod(at, len(FIRST_WORDS) * len(SECOND_WORDS))
    first, second = FIRST_WORDS[at % len(FIRST_WORDS)], SECOND_WORDS[at // len(FIRST_WORDS)]
    return f"{first}{second}{again or ''}", f"{first}_{second}{again or ''}".lower()


def items(at):
    kind, name = item_names(at)
    before, earlier = (f"{item_names(other)[1]}_mean(levels)" if other < at else "0.5" for other in (at - 1 if at else 0, at // 2))
    return ITEMS.format(kind=kind, name=name, before=before, earlier=earlier, n=next(NUMBERS))


def numbered(text):
    """A cell's text, or its two texts, with two numbers that no other has."""
    n, m = next(NUMBERS), next(NUMBERS)
    return [part and part.format(n=n, m=m) for part in text] if isinstance(text, tuple) else text.format(n=n, m=m)
