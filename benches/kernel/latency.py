"""How long a kernel lets its user wait: start, first result, every cell after that, completion; and what it takes idle.

    python benches/kernel/latency.py holoscope stock python3 --json out.json

drives each installed kernelspec through jupyter_client's files and messages, one after the other, and prints them side
by side. Needs jupyter_client (and ipykernel for python3). `stock` (evcxr_jupyter, e.g. `cargo build --example
stock_evcxr`) finds the library by `:dep` first, and compiles it then: a quarter of an hour, counted as its first result.

The cells are in cells.py: the same text for every Rust kernel. Where a kernel refuses a `let` for want of a type, the
cell is run again with the type written out, that run is timed, and the table counts it. A cell's time runs from the
request to `idle`; medians and 95th percentiles are over all cells of a kind in one session. Every cell begins with a
comment of this run's own, and Holoscope's sessions get a folder of this run's own (unless HOLOSCOPE_SESSIONS names one),
because it compiles no cell twice, in whatever session: what it gains by that, after a restart, has rows of its own.
"""

import argparse
import json
import os
import statistics
import tempfile
import time

import cells
from client import Failed, Kernel, completions, is_python, machine, say, summary

STOCK_SETUP = ':dep holoscope = {{ path = "{library}" }}'
# What evcxr says when rust-analyzer does not know a type.
TYPE_WANTED = "explicit type"


def timed_cell(kernel, cell):
    """One record: the cell, its time, whether the kernel asked for a type."""
    plain, typed = cell if isinstance(cell, tuple) else (cell, None)
    try:
        return {"code": plain, "seconds": kernel.run(plain)[0], "type_wanted": False}
    except Failed as failed:
        if typed is None or TYPE_WANTED not in str(failed):
            raise SystemExit(f"{plain!r} failed: {failed}")
    try:
        return {"code": typed, "seconds": kernel.run(typed)[0], "type_wanted": True}
    except Failed as failed:
        raise SystemExit(f"{typed!r} failed: {failed}")


def median_start(name, args):
    """Seconds from the process' start to its kernel_info reply, over kernels of their own."""
    starts = []
    for _ in range(args.starts):
        kernel = Kernel(name, args.patience)
        starts.append(kernel.start)
        # What it began meanwhile must not slow the next down.
        time.sleep(args.read)
        kernel.stop()
    return starts


def first_result(kernel, name, args):
    """The first cell that uses the library; stock has to be told of it."""
    if name == args.stock:
        kernel.run(STOCK_SETUP.format(library=args.library))
    began = time.perf_counter()
    try:
        kernel.run(PYTHON_FIRST if is_python(name) else cells.FIRST)
    except Failed as failed:
        raise SystemExit(f"{name}: the first cell failed: {failed}")
    now = time.perf_counter()
    return now - kernel.began, now - began


PYTHON_FIRST = "import json\njson.dumps({})"


def answers(kernel, probes, ask):
    """Times and how many were answered as they should be."""
    times, known, missing = [], 0, []
    for code, wanted in probes:
        began = time.perf_counter()
        answer = ask(kernel, code)
        times.append(time.perf_counter() - began)
        if wanted.lower() in answer.lower():
            known += 1
        else:
            missing.append(code)
    return {**summary(times), "known": known, "missing": missing}


def inspection(kernel, code):
    reply = kernel.request("inspect_request", {"code": code, "cursor_pos": len(code), "detail_level": 0})
    return reply.get("data", {}).get("text/plain", "") if reply.get("found") else ""


def beside(first, name, args, trivial):
    """Cells of two kernels in turns, both alive, each with variables of its own."""
    second = Kernel(name, args.patience)
    try:
        assign = "who = {}" if is_python(name) else "let who = {};"
        times = []
        for kernel, number in ((first, 111), (second, 222)):
            kernel.run(assign.format(number))
        for cell in trivial:
            for kernel in (first, second):
                try:
                    times.append(kernel.run(cell)[0])
                except Failed as failed:
                    raise SystemExit(f"{cell!r} failed beside another kernel: {failed}")
        own = [kernel.run("who")[1] for kernel in (first, second)]
        if own != ["111", "222"]:
            raise SystemExit(f"{name}: two kernels disturb each other: {own}")
        return {**summary(times), "second_start": second.start}
    finally:
        second.stop()


def session(kernel, name, args):
    """Cells, questions, memory, and a second kernel beside this one."""
    out = {"cells": {}}
    kinds = cells.python_cells() if is_python(name) else cells.rust_cells()
    for kind, listed in kinds.items():
        records = [timed_cell(kernel, cell) for cell in listed[: args.cells]]
        for record in records if args.verbose else []:
            say(f"  {record['seconds']:7.3f} s  {record['code'].splitlines()[0][:90]}")
        out["cells"][kind] = {**summary([r["seconds"] for r in records]), "types_wanted": sum(r["type_wanted"] for r in records), "records": records}
        say(f"{name}: {kind}: median {out['cells'][kind]['median']:.3f} s")
    if args.cells is None:
        mine = (cells.PYTHON_COMPLETIONS, cells.PYTHON_INSPECTIONS) if is_python(name) else (cells.RUST_COMPLETIONS, cells.RUST_INSPECTIONS)
        out["completion"] = answers(kernel, mine[0], completions)
        out["inspection"] = answers(kernel, mine[1], inspection)
        for record in [out["completion"], out["inspection"]] if args.verbose else []:
            say(f"  not known: {record['missing']}")
    time.sleep(args.read)
    out["idle_mb"] = kernel.memory()
    # Cells that need nothing of the session.
    alone = [c for c in ("1 + 1", "2 * 21", "40 + 2", "7 - 5", "3 * 3") for _ in range(3)]
    out["two_kernels"] = beside(kernel, name, args, alone[: args.cells])
    return out


def restarted(mark, name, args):
    """The same cells from the top, in a new kernel: the median of each kind."""
    kernel = Kernel(name, args.patience, mark)
    try:
        time.sleep(args.read)
        first_result(kernel, name, args)
        kinds = cells.python_cells() if is_python(name) else cells.rust_cells()
        return {kind: summary([timed_cell(kernel, cell)["seconds"] for cell in listed[: args.cells]]) for kind, listed in kinds.items()}
    finally:
        kernel.stop()


def measure(name, args):
    say(f"{name}: start")
    out = {"starts": median_start(name, args)}
    # The last one ends meanwhile.
    time.sleep(args.read)
    kernel = Kernel(name, args.patience)
    try:
        out["first_at_once"], _ = first_result(kernel, name, args)
        say(f"{name}: first result after {out['first_at_once']:.2f} s")
        if name != args.stock:
            kernel.stop()
            time.sleep(args.read)
            kernel = Kernel(name, args.patience)
            time.sleep(args.read)
            _, out["first_after_reading"] = first_result(kernel, name, args)
        out.update(session(kernel, name, args))
    finally:
        kernel.stop()
    if name != args.stock:
        time.sleep(args.read)
        out["again"] = restarted(kernel.mark, name, args)
    return out


def rows(args, kinds):
    """The table's lines: a title, and what to show of a kernel."""
    yield "process start to kernel_info", lambda k: f"{statistics.median(k['starts']):.2f} s"
    yield "to the first library result, asked at once", lambda k: f"{k['first_at_once']:.2f} s"
    yield f"first library cell after reading {args.read:g} s", lambda k: f"{k['first_after_reading']:.2f} s"
    for kind in kinds:
        yield f"{kind}: median", lambda k, kind=kind: f"{k['cells'][kind]['median']:.3f} s"
        yield f"{kind}: 95 %", lambda k, kind=kind: f"{k['cells'][kind]['p95']:.3f} s"
        yield f"{kind}: cells (types asked for)", lambda k, kind=kind: f"{k['cells'][kind]['n']} ({k['cells'][kind]['types_wanted']})"
    for kind in kinds:
        yield f"{kind}, the notebook run again: median", lambda k, kind=kind: f"{k['again'][kind]['median']:.3f} s"
    for question in ("completion", "inspection"):
        yield f"{question}: median / worst", lambda k, q=question: f"{k[q]['median']:.3f} / {k[q]['worst']:.3f} s"
        yield f"{question}: known", lambda k, q=question: f"{k[q]['known']} of {k[q]['n']}"
    yield "idle memory after the session (PSS)", lambda k: f"{k['idle_mb']:.0f} MB"
    yield "trivial cell, two kernels alive: median", lambda k: f"{k['two_kernels']['median']:.3f} s"
    yield "start of the second kernel", lambda k: f"{k['two_kernels']['second_start']:.2f} s"


def table(results, args):
    kinds = next(iter(results.values()))["cells"]
    lines = ["| | " + " | ".join(results) + " |", "|---" * (len(results) + 1) + "|"]
    for title, show in rows(args, kinds):
        shown = []
        for kernel in results.values():
            try:
                shown.append(show(kernel))
            except KeyError:
                shown.append("-")
        lines.append(f"| {title} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="+", help="names of installed kernelspecs")
    parser.add_argument("--stock", default="stock", help="the kernelspec that needs `:dep holoscope` first")
    parser.add_argument("--library", default="..", help="where that `:dep` finds the library")
    parser.add_argument("--patience", type=float, default=3000, help="seconds for one answer")
    parser.add_argument("--starts", type=int, default=5, help="kernels started for the time of a start")
    parser.add_argument("--read", type=float, default=5, help="seconds that the user reads before the first cell")
    parser.add_argument("--cells", type=int, help="only so many cells of each kind, and no questions: a check of the script")
    parser.add_argument("--json", metavar="OUT", help="everything that was measured, cell by cell")
    parser.add_argument("-v", "--verbose", action="store_true", help="every cell's time")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="holoscope-latency-", ignore_cleanup_errors=True) as sessions:
        os.environ.setdefault("HOLOSCOPE_SESSIONS", sessions)
        compare(args)


def compare(args):
    results, about = {}, machine()
    for name in args.kernels:
        results[name] = measure(name, args)
        if args.json:
            with open(args.json, "w") as out:
                json.dump({"machine": about, "kernels": results}, out, indent=1)
    print(f"{about['cpus']} CPUs, {about['rustc']}, load {about['load']:.2f} at the start, {about['when']}\n")
    print(table(results, args))


if __name__ == "__main__":
    main()
