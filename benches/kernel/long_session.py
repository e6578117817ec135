"""How the time of a cell depends on the length of its session, of several kernels beside each other.

    python benches/kernel/long_session.py holoscope old=FOLDER --json out.json

A kernel is the name of an installed kernelspec or a folder that holds a kernel.json; `old=` gives it a title in the
tables. The kernels take turns, cell by cell, so that what else the machine does hits all of them. What is measured
(`--only` takes some of these parts):

- length: cells of several sorts, completion and memory in new sessions (five cells of a sort in each), and again in the
  last of them when earlier cells have defined 5,000 lines of items;
- cells: a session of 1,000 small cells after a first one: the first and the last 50 of each sort, memory, files in the
  folder of the kernel's sessions;
- start: the first cell of a new kernel, sent when the kernel and its IOPub have answered, from request to reply;
- dep: trivial cells with and without a user's own `:dep`, which is a crate of one function in a temporary folder.

A cell's time runs from the request to `idle` unless said otherwise. Before a timed cell the client waits (`--pause`):
what a kernel makes ready after a cell is then past, its own and the other's. No two cells of a run have the same text.
Each kernel has a folder for its sessions (HOLOSCOPE_SESSIONS) and no history of the user's; in that folder another
session has been before each part, as on a machine where the kernel has been used.
"""

import argparse
import collections
import contextlib
import itertools
import json
import os
import statistics
import tempfile
import time

from client import Failed, Kernel, completions, family, machine, p95, rss, say
from long_cells import COMPLETED, LINES, NUMBERS, SMALL, SORTS, item_names, items, numbered

PARTS = ("length", "cells", "start", "dep")
# Seconds after which a kernel has made ready what it can, and a stopped one has ended.
SETTLED = 2
# How often a new session is asked for each sort before it counts as new no longer.
NEW = 5
COMPLETION = "completion of a field"
MEMORY = ("RSS of the kernel", "RSS of all its processes")
FILES = ("files", "size of files")


class Side:
    """One kernel of those that are compared, and the folder of its sessions."""

    def __init__(self, argument, sessions, args):
        title, _, self.name = argument.rpartition("=")
        self.label, self.folder, self.args, self.kernel = title or self.name, sessions, args, None

    def start(self):
        environment = {"HOLOSCOPE_SESSIONS": self.folder, "HOLOSCOPE_HISTORY": ""}
        self.kernel = Kernel(self.name, self.args.patience, environment=environment)

    def stop(self):
        if self.kernel:
            self.kernel.stop()
        self.kernel = None

    def run(self, text, ask=Kernel.run):
        """What `ask` answers of a cell; one that fails ends the benchmark."""
        try:
            return ask(self.kernel, text)
        except Failed as failed:
            raise SystemExit(f"{self.label}: {text!r} failed: {failed}")

    def timed(self, text):
        time.sleep(self.args.pause)
        return self.run(text)[0]

    def completed(self, at):
        """Seconds for a completion that must know the field `level`."""
        code = COMPLETED.format(n=next(NUMBERS), variable=f"item_{at}")
        time.sleep(self.args.pause)
        began = time.perf_counter()
        found = completions(self.kernel, code)
        seconds = time.perf_counter() - began
        if "level" not in found:
            say(f"{self.label}: {code!r}: `level` is not among {found!r}")
        return seconds

    def memory(self):
        """RSS of the kernel and of all its processes together, in MB."""
        time.sleep(SETTLED)
        pid = self.kernel.manager.provisioner.pid
        return rss(pid) / 1024, sum(map(rss, family(pid))) / 1024

    def files(self):
        """How many files its sessions keep, and their size in MB."""
        paths = [os.path.join(folder, name) for folder, _, names in os.walk(self.folder) for name in names]
        sizes = []
        for path in paths:
            with contextlib.suppress(OSError):
                sizes.append(os.lstat(path).st_size)
        return len(sizes), sum(sizes) / 1e6


@contextlib.contextmanager
def sides(folder, args, n_sessions=1):
    """The sides of each kernel, `n_sessions` in one folder, not started yet; as many sessions have been there before."""
    with contextlib.ExitStack() as stack:
        made = []
        for argument in args.kernels:
            sessions = tempfile.mkdtemp(dir=folder)
            made.append([Side(argument, sessions, args) for _ in range(n_sessions)])
            for side in made[-1]:
                stack.callback(side.stop)
                side.start()
                for text in itertools.chain(*map(numbered, SORTS.values())):
                    if text:
                        side.run(text)
            for side in made[-1]:
                side.stop()
        time.sleep(SETTLED)
        yield made if n_sessions > 1 else [side for side, in made]


def turns(made, at):
    """The kernels, another one first each time."""
    return made[at % len(made) :] + made[: at % len(made)]


class Report:
    """What was measured: one record a row, its numbers those of one kernel."""

    def __init__(self, path):
        self.path, self.machine, self.records = path, machine(), []

    def add(self, part, what, side, unit="s", **numbers):
        self.records.append({"part": part, "what": what, "kernel": side.label, "unit": unit, "numbers": numbers})

    def write(self):
        if self.path:
            with open(self.path, "w") as out:
                json.dump({"machine": self.machine, "records": self.records}, out, indent=1)

    def table(self, part):
        """A row for each record: of times the median and the 95th percentile, and the last column's ratio to the first."""
        rows = sorted((r for r in self.records if r["part"] == part), key=lambda r: self.order(part, r["what"]))
        columns = list(dict.fromkeys(name for r in rows for name in r["numbers"]))
        titles = [part, "kernel", *columns] + ([f"{columns[-1]} / {columns[0]}"] if len(columns) > 1 else [])
        lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
        for row in rows:
            shown = [shown_numbers(row["numbers"].get(name), row["unit"]) for name in columns]
            if len(columns) > 1:
                first, last = (row["numbers"].get(name) for name in (columns[0], columns[-1]))
                shown.append(f"{statistics.median(last) / statistics.median(first):.2f}" if first and last and any(first) else "-")
            lines.append("| " + " | ".join([row["what"], row["kernel"], *shown]) + " |")
        return "\n".join(lines)

    def order(self, part, what):
        """The rows of the kernels stand together."""
        return list(dict.fromkeys(r["what"] for r in self.records if r["part"] == part)).index(what)


def shown_numbers(numbers, unit):
    if not numbers:
        return "-"
    if unit != "s":
        return f"{statistics.median(numbers):,.0f} {unit}".strip()
    return f"{statistics.median(numbers):.3f} s ({p95(numbers):.3f})"


def measure(made, repeat, at, into):
    """Puts into each kernel's lists: the times of every sort of cells and of completions, in turns, and its memory."""
    for turn, sort in itertools.product(range(repeat), SORTS):
        for side in turns(made, turn):
            before, text = numbered(SORTS[sort])
            if before:
                side.run(before)
            into[side][sort].append(side.timed(text))
    for turn in range(repeat):
        for side in turns(made, turn):
            into[side][COMPLETION].append(side.completed(at))
    for side in made:
        for what, size in zip(MEMORY, side.memory()):
            into[side][what].append(size)


def length(report, folder, args):
    """New sessions, and the last of them again when it has become long."""
    with sides(folder, args) as made:
        new, long = ({side: collections.defaultdict(list) for side in made} for _ in range(2))
        for _ in range(max(args.repeat // NEW, 1)):
            for side in made:
                side.stop()
            time.sleep(SETTLED)
            for side in made:
                side.start()
                side.run("struct Item { label: String, level: usize }")
                side.run('let item_0 = Item { label: String::from("first"), level: 1 };')
            measure(made, min(NEW, args.repeat), 0, new)
        define(made, args, 17, report)
        measure(made, args.repeat, 17, long)
        for side in made:
            for what in new[side]:
                report.add("length", what, side, "MB" if what in MEMORY else "s", new=new[side][what], long=long[side][what])


def define(made, args, at, report):
    """Cells of items, as many lines as asked for, and a variable of the type of one of them."""
    times = {side: [] for side in made}
    count = max(args.lines // LINES, 1)
    for n in range(count):
        text = items(n)
        for side in turns(made, n):
            times[side].append(side.timed(text))
    for side in made:
        say(f"{side.label}: {count * LINES} lines of items in {sum(times[side]):.1f} s")
        side.run(f'let item_{at} = {item_names(min(at, count - 1))[0]}::new("item", {at});')
        tenth = max(count // 10, 1)
        report.add("length", f"cell of {LINES} lines, first and last {tenth}", side, new=times[side][:tenth], long=times[side][-tenth:])


def many_cells(report, folder, args):
    """A session of many small cells."""
    points = sorted({n for n in (100, 500, 1000) if n <= args.cells} | {args.cells})
    ends = max(min(50, args.cells // 6), 1)
    with sides(folder, args) as made:
        times = {side: {sort: [] for sort in SMALL} for side in made}
        state = {side: [] for side in made}
        for side in made:
            side.start()
            side.run(numbered("{n} + {m}"))
            state[side].append((*side.memory(), *side.files()))
        for at in range(args.cells):
            sort = list(SMALL)[at % len(SMALL)]
            paused = at < ends * len(SMALL) or at >= args.cells - ends * len(SMALL)
            for side in turns(made, at // len(SMALL)):
                text = numbered(SMALL[sort])
                times[side][sort].append(side.timed(text) if paused else side.run(text)[0])
            if at + 1 in points:
                for side in made:
                    state[side].append((*side.memory(), *side.files()))
                say(f"{at + 1} cells")
        for side in made:
            for sort in SMALL:
                report.add("cells", sort, side, **{f"first {ends}": times[side][sort][:ends], f"last {ends}": times[side][sort][-ends:]})
            for what, *sizes in zip((*MEMORY, *FILES), *state[side]):
                after = {title: [size] for title, size in zip(("new", *(f"{n:,} cells" for n in points)), sizes)}
                report.add("session", what, side, "" if what == FILES[0] else "MB", **after)


def first_cells(report, folder, args):
    """The first cell of new kernels."""
    firsts = {"first cell `let first = 41 + n;`, to its reply": "let first = 41 + {n};", "first cell trivial, to its reply": "{n} + {m}"}
    with sides(folder, args) as made:
        times = {side: {first: [] for first in firsts} for side in made}
        starts = {side: [] for side in made}
        for at, (first, text) in itertools.product(range(args.starts), firsts.items()):
            for side in turns(made, at):
                time.sleep(SETTLED)
                side.start()
                starts[side].append(side.kernel.start)
                times[side][first].append(side.run(numbered(text), Kernel.replied))
                side.stop()
        for side in made:
            report.add("start", "process start to kernel_info", side, time=starts[side])
            for first in firsts:
                report.add("start", first, side, time=times[side][first])


def own_dependency(report, folder, args):
    """Two sessions of each kernel beside each other: without and with a crate of the user's own."""
    crate = os.path.join(folder, "my_util")
    os.makedirs(os.path.join(crate, "src"))
    with open(os.path.join(crate, "Cargo.toml"), "w") as manifest:
        manifest.write('[package]\nname = "my_util"\nversion = "0.1.0"\nedition = "2024"\n')
    with open(os.path.join(crate, "src", "lib.rs"), "w") as source:
        source.write("pub fn twice(x: i64) -> i64 {\n    2 * x\n}\n")
    with sides(folder, args, n_sessions=2) as made:
        times, first = {}, {}
        for plain, other in made:
            times[plain], times[other] = [], []
            for side in (plain, other):
                side.start()
                side.run(numbered("{n} + {m}"))
            asked = other.timed(f':dep my_util = {{ path = "{crate}" }}')
            first[other] = asked + other.timed(numbered("my_util::twice({n})"))
        for at in range(args.repeat):
            for side in itertools.chain(*(turns(pair, at) for pair in turns(made, at))):
                times[side].append(side.timed(numbered("{n} + {m}")))
        for plain, other in made:
            report.add("dep", "trivial", plain, **{"without": times[plain], "with": times[other]})
            report.add("dep", "`:dep` and the first call of the crate", plain, **{"with": [first[other]]})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="+", help="names of installed kernelspecs, or folders that hold a kernel.json")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part (several times: these parts)")
    parser.add_argument("--repeat", type=int, default=20, help="cells of each sort")
    parser.add_argument("--lines", type=int, default=5000, help="lines of items that make a session long")
    parser.add_argument("--cells", type=int, default=1000, help="small cells in one session")
    parser.add_argument("--starts", type=int, default=5, help="kernels started for each first cell")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds before a timed cell")
    parser.add_argument("--patience", type=float, default=600, help="seconds for one answer")
    parser.add_argument("--json", metavar="FILE", help="everything that was measured")
    args = parser.parse_args()
    report = Report(args.json)
    parts = dict(zip(PARTS, (length, many_cells, first_cells, own_dependency)))
    about = report.machine
    print(f"{about['cpus']} CPUs, {about['rustc']}, load {about['load']:.2f} at the start, {about['when']}; median (95 %)")
    with tempfile.TemporaryDirectory(prefix="holoscope-long-", ignore_cleanup_errors=True) as folder:
        for name in dict.fromkeys(args.only or PARTS):
            say(f"part: {name}")
            begin = len(report.records)
            parts[name](report, folder, args)
            report.write()
            for part in dict.fromkeys(r["part"] for r in report.records[begin:]):
                print(f"\n{report.table(part)}", flush=True)


if __name__ == "__main__":
    main()
