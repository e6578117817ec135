"""Compares `holoscope sync` with jupytext 1.19.6, both ways: notebooks into texts byte for byte, texts
into notebooks cell by cell, over the notebooks given and over constructed ones.

usage: jupytext_texts.py HOLOSCOPE [NOTEBOOK...]

Two things are left to each side: ids of cells, and the order of names in metadata filters (jupytext
takes them from a Python set). One fault of jupytext's is not repeated: of a cell that begins with a bare
`%%` it loses that line.
"""

import copy
import difflib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

import jupytext
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

warnings.simplefilter("ignore")

SPEC = {"display_name": "Rust (Holoscope)", "language": "rust", "name": "holoscope"}
FORMATS = {"md": "md", "md:myst": "md", "rs:percent": "rs"}
RUNS = "-holoscope,-user_expressions"

# Lines that mean something to one of the formats, or to none.
LINES = [
    "", "", " ", "\t", "let x = 1;", "    indented", "// %%", "// %% [markdown]", "// %% title", "# Heading",
    "## A *b* `c`", "```", "```rust", "```python", "```{code-cell}", "````", "~~~", "~~~text", "+++",
    "+++ {\"a\": 1}", ":dep serde = \"1\"", "// :note", "// // :note", ":dep a // noescape", "!ls", "?Vec",
    "%%bash", "%matplotlib inline", "---", "...", "***", "<!-- #region -->", "<!-- #endregion -->",
    "<!-- comment -->", "<!-- #raw -->", "<!-- #endraw -->", "- item", "  - nested", "  ```", "1. one", "> quote",
    "\"\"\"", "'''", "let s = \"a\\\"b\";", "let c = '\"';", "é ü 😀", "\u2028x", "// +", "// // +", "$$x$$",
    "| a | b |", "|---|---|", "//| label: fig-a", "#| echo: false", "%%x", "%", "<div>", "</div>", "\\", "trailing  ",
    "fn f<'a>(x: &'a str) {}", ":::{note}", ":::", ": definition", "(target)=", "// In[1]:", "```rust .noeval",
]

METADATA = [
    {}, {}, {}, {"tags": ["parameters"]}, {"tags": []}, {"tags": ["a b", "ü"]}, {"label": "fig-a"},
    {"fig-cap": "It's \"x\": a = b, {c} #d"}, {"title": "A title"}, {"title": "a=b"}, {"collapsed": True},
    {"name": "x", "n": 1.5, "tiny": 1e-7, "none": None, "yes": True}, {"nested": {"a": [1, {"b": []}], "c": {}}},
    {"list": [[1, 2], ["a"]], "empty": ""}, {"jupyter": {"source_hidden": True}}, {"bad key": 1, "good.key": 2},
    {"date": "2024-01-01", "no": "no", "num": "12", "null": "~"}, {"long": "word " * 30, "multi": "a\nb\n"},
    {"region_name": "md"}, {"active": "ipynb"}, {"active": "rs"}, {"tags": ["active-ipynb"]}, {"language": "python"},
    {"slideshow": {"slide_type": "slide"}}, {"esc": "\x1b\\\t\u2028 end "}, {"k": " lead", "l": "- dash", "m": "a: b"},
]

FRONT = [
    "---\ntitle: A title\n---", "---\ntitle: \"Caf\u00e9: a\"\nauthors: [A, B]\ndate: 2024-01-01\n---",
    "---\na: 1\nb:\n  c: [x, y]\n  d: yes\n---\n", "---\n---", "--- \nx: 1\n---",
]


ALPHABET = list("aB1 .:-#'\"\\,[]{}&*!|>%@`?=~_") + ["\n", "\t", "\x07", "\u00e9", "\ufeff", "\U0001f600", "word ", " ", "true", "1e3", "0x1f"]


def value(rng, deep=2):
    """Any value of metadata."""
    choice = rng.random()
    if deep and choice < 0.15:
        return [value(rng, deep - 1) for _ in range(rng.randint(0, 3))]
    if deep and choice < 0.3:
        return {value_text(rng, 3) or "k": value(rng, deep - 1) for _ in range(rng.randint(0, 3))}
    if choice < 0.4:
        return rng.choice([None, True, False, 0, -3, 10**18, 0.1, -2.5e-9, 1e22])
    return value_text(rng, rng.choice([3, 8, 60]))


def value_text(rng, most):
    return "".join(rng.choice(ALPHABET) for _ in range(rng.randint(0, most)))


def source(rng, most=7):
    return "\n".join(rng.choice(LINES) for _ in range(rng.randint(0, most)))


def random_notebook(rng):
    cells = []
    if rng.random() < 0.3:
        cells.append(new_raw_cell(rng.choice(FRONT)))
    for _ in range(rng.randint(0, 6)):
        make = rng.choice([new_code_cell, new_code_cell, new_markdown_cell, new_markdown_cell, new_raw_cell])
        metadata = copy.deepcopy(rng.choice(METADATA)) if rng.random() < 0.7 else {"k": value(rng), "l": value(rng)}
        cells.append(make(source(rng), metadata=metadata))
    metadata = {"kernelspec": dict(SPEC), "language_info": {"name": "rust", "file_extension": ".rs"}}
    if rng.random() < 0.3:
        metadata["kernelspec"]["display_name"] = value_text(rng, 80)
        metadata["kernelspec"]["more"] = value(rng)
    choice = rng.random()
    if choice < 0.1:
        metadata.pop("kernelspec")
    elif choice < 0.2:
        metadata["language_info"]["pygments_lexer"] = "rust"
    elif choice < 0.3:
        metadata["jupytext"] = {"notebook_metadata_filter": rng.choice(["all", "-all", "language_info,-kernelspec", "holoscope.a"])}
        metadata["holoscope"] = {"a": 1, "b": [1, 2]}
    elif choice < 0.4:
        metadata["jupytext"] = {"cell_metadata_json": True}
    elif choice < 0.5:
        metadata["jupytext"] = {"cell_metadata_filter": rng.choice(["-all", "tags,-all", "all", "-tags", "nested.a,-all"])}
    elif choice < 0.55:
        metadata["jupytext"] = {"comment_magics": rng.random() < 0.5}
    elif choice < 0.6:
        metadata["jupytext"] = {"split_at_heading": True, "main_language": "rust"}
    return new_notebook(cells=cells, metadata=metadata)


def random_text(rng, format_name):
    if format_name == "rs:percent":
        head = rng.choice(["", "// ---\n// jupyter:\n//   kernelspec:\n//     language: rust\n//     name: x\n// ---\n", "// ---\n// title: x\n// ---\n\n"])
        marks = ["// %%", "// %% [markdown]", "// %% [raw]", "//%% x=1", "// %% a title tags=[\"x\"]", "// %% [md]", "  // %%", "// %% [markdown] {\"a\": 1}", "// %%%% sub"]
    else:
        head = rng.choice(["", "---\njupyter:\n  kernelspec:\n    language: rust\n    name: x\n---\n\n", "---\ntitle: x\nkernelspec:\n  language: rust\n  name: y\n---\n", "<!-- x -->\n"])
        marks = ["```rust", "```rust tags=[\"a\"] x=1", "```", "```{code-cell}", "```{code-cell} rust", "```{raw-cell}", "+++", "````rust", "```rust {\"a\": 1}", "```rust tags=['a', \"b\"]"]
    lines = []
    for _ in range(rng.randint(1, 14)):
        lines.append(rng.choice(marks if rng.random() < 0.35 else LINES + METADATA_LINES))
    return head + "\n".join(lines) + rng.choice(["", "\n", "\n\n", "\n\n\n"])


METADATA_LINES = [":tags: [a, b]", ":label: x", "---", "tags: [x]"]


def filters(metadata):
    """The same metadata with the names of each filter in order."""
    metadata = json.loads(json.dumps(metadata))
    section = metadata.get("jupytext", {})
    for key in list(section):
        if key.endswith("_filter"):
            section[key] = sorted(section[key].split(","))
    return metadata


def run(holoscope, folder, *arguments):
    return subprocess.run([holoscope, "sync", *arguments], cwd=folder, capture_output=True, text=True)


def check_writing(holoscope, folder, notebook, format_name):
    """The text that holoscope writes of a notebook, and jupytext's; None where they are the same."""
    path = pathlib.Path(folder) / "x.ipynb"
    text = path.with_suffix("." + FORMATS[format_name])
    for file in (path, text):
        file.unlink(missing_ok=True)
    notebook = copy.deepcopy(notebook)
    nbformat.write(notebook, path)
    done = run(holoscope, folder, "x.ipynb", "--to", format_name)
    if done.returncode:
        return done.stderr, ""
    # With the options that holoscope has set, as jupytext would find them.
    synced = nbformat.read(path, 4)
    try:
        expected = jupytext.writes(synced, format_name)
    except Exception as error:  # jupytext refuses a few odd ones itself
        return None if text.exists() else (str(error), "")
    if not expected.endswith("\n"):
        expected += "\n"
    ours = text.read_text(encoding="utf-8", newline="") if sys.version_info >= (3, 13) else open(text, encoding="utf-8", newline="").read()
    return None if ours == expected else (ours, expected)


def plain(notebook):
    """What two notebooks are compared by."""
    metadata = filters(notebook.metadata)
    metadata.pop("holoscope_sync", None)
    section = metadata.get("jupytext", {})
    section.pop("formats", None)
    section.pop("text_representation", None)
    if set(RUNS.split(",")) <= set(section.get("cell_metadata_filter", [])):
        section.pop("cell_metadata_filter")
    if not section:
        metadata.pop("jupytext", None)
    cells = []
    for cell in notebook.cells:
        of_cell = json.loads(json.dumps(cell.metadata))
        # Options that holoscope has copied from the source.
        for key in of_cell.get("holoscope", {}).get("options", []):
            of_cell.pop(key, None)
        of_cell.pop("holoscope", None)
        cells.append((cell.cell_type, cell.source, of_cell))
    return {"metadata": metadata, "cells": cells}


def check_reading(holoscope, folder, text, format_name):
    """The notebook that holoscope reads from a text, and jupytext's."""
    path = pathlib.Path(folder) / f"y.{FORMATS[format_name]}"
    notebook = path.with_suffix(".ipynb")
    notebook.unlink(missing_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    try:
        with open(path, encoding="utf-8") as file:
            expected = jupytext.reads(file.read(), {"extension": path.suffix})
        # As it comes back from a file.
        expected = nbformat.reads(nbformat.writes(expected), 4)
        name = expected.metadata.get("jupytext", {}).get("text_representation", {}).get("format_name")
    except Exception:
        return None
    if name in ("light", "hydrogen"):
        return None
    done = run(holoscope, folder, path.name)
    if done.returncode:
        return done.stderr, plain(expected)
    ours = plain(nbformat.read(notebook, 4))
    theirs = plain(expected)
    if "kernelspec" not in theirs["metadata"]:
        # holoscope says which kernel runs Rust.
        ours["metadata"].pop("kernelspec", None)
    return None if ours == theirs else (ours, theirs)


def report(what, found, given):
    pair = [side if isinstance(side, str) else json.dumps(side, indent=1, sort_keys=True) for side in found]
    lines = difflib.unified_diff(*(side.splitlines() for side in pair), "holoscope", "jupytext", lineterm="", n=2)
    print(f"=== {what}\n" + "\n".join(lines) + f"\n--- given\n{given}\n")


def main():
    holoscope, paths = os.path.abspath(sys.argv[1]), sys.argv[2:]
    count = int(os.environ.get("HOLOSCOPE_JUPYTEXT_CASES", "150"))
    rng = random.Random(int(os.environ.get("HOLOSCOPE_JUPYTEXT_SEED", "20")))
    assert jupytext.__version__ == "1.19.6", jupytext.__version__
    notebooks = [(path, nbformat.read(path, 4)) for path in paths]
    notebooks += [(f"notebook {n}", random_notebook(rng)) for n in range(count)]
    checked = faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, notebook in notebooks:
            for format_name in FORMATS:
                found = check_writing(holoscope, folder, notebook, format_name)
                checked += 1
                if found:
                    faults += 1
                    report(f"{name} to {format_name}", found, json.dumps(notebook, indent=1))
                    continue
                text = (pathlib.Path(folder) / f"x.{FORMATS[format_name]}").read_bytes().decode()
                found = check_reading(holoscope, folder, text, format_name)
                checked += 1
                if found:
                    faults += 1
                    report(f"{name} back from {format_name}", found, text)
        for n in range(count):
            for format_name in ("md", "rs:percent"):
                text = random_text(rng, format_name)
                found = check_reading(holoscope, folder, text, format_name)
                checked += 1
                if found:
                    faults += 1
                    report(f"text {n} as {format_name}", found, text)
    print(f"{checked} comparisons with jupytext {jupytext.__version__}, {faults} differences")
    sys.exit(1 if faults else 0)


main()
