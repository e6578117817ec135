"""Where the time of a cell goes, from the trace of a kernel.

    HOLOSCOPE_TRACE=$PWD/cells.trace jupyter execute notebook.ipynb --kernel_name holoscope
    python benches/kernel/stages.py cells.trace

or any other client: every process of the kernel writes to the file that the variable names, if its folder exists.
Medians in milliseconds over the cells of the trace; the first column is the stage, the second its median, the third its
95th percentile. Cells that were refused or compiled more than once are counted beside the table.
"""

import argparse
import json
import math
import statistics

STAGES = [
    ("evcxr before cargo: parsing, types by rust-analyzer", "cell", "cargo"),
    ("cargo, or our program in its place, before rustc's turn", "cargo", "wrapper"),
    ("rustc, its linker and our wrapper around it", "wrapper", "compiled"),
    ("cargo's end, evcxr's renaming of the object, the fork before a cell", "compiled", "load"),
    ("loading the object", "load", "call"),
    ("the user's code", "call", "returned"),
    ("displays and evcxr's state", "returned", "done"),
    ("the whole cell", "cell", "done"),
]


def cells(path):
    """Of each cell that ran: when its stages began, and how often rustc was called or refused."""
    current = None
    with open(path) as lines:
        events = [json.loads(line) for line in lines]
    for event in sorted(events, key=lambda e: e["at"]):
        what, more = event["what"], event["more"]
        if what == "cell":
            current = {"code": more["code"], "cell": event["at"], "compiled_n": 0, "refused_n": 0}
        elif current is None or more.get("crate", "ctx") != "ctx":
            continue
        elif what == "wrapper":
            # The last compilation is the one that counts.
            current["wrapper"] = event["at"]
            current["cargo"] = min(event["at"], more["cargo"] or event["at"])
        elif what == "refused":
            current["refused_n"] += 1
        else:
            current[what] = event["at"]
            if what == "compiled":
                current["compiled_n"] += 1
            if what == "done":
                if "returned" in current:
                    yield current
                current = None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace", help="the file that HOLOSCOPE_TRACE named")
    parser.add_argument("--skip", type=int, default=0, help="cells at the beginning")
    args = parser.parse_args()
    found = list(cells(args.trace))[args.skip :]
    once = [c for c in found if c["compiled_n"] == 1]
    if not once:
        raise SystemExit("no cell of the trace was compiled once")
    print("| stage | median | 95 % |\n|---|---|---|")
    for title, begin, end in STAGES:
        times = sorted(1000 * (c[end] - c[begin]) for c in once)
        print(f"| {title} | {statistics.median(times):.0f} ms | {times[math.ceil(0.95 * len(times)) - 1]:.0f} ms |")
    refused = sum(c["refused_n"] > 0 for c in found)
    more = sum(c["compiled_n"] - c["refused_n"] > 1 for c in found)
    print(f"\n{len(once)} cells compiled once; {refused} more with moves foreseen, {more} compiled more than once.")


if __name__ == "__main__":
    main()
