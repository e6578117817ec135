"""What the checks for an interrupt cost the loops of a cell.

    python benches/kernel/loops/run.py

Compiles `loops.rs` with its checks and without, at the level of cells and at the highest, runs both by turns, and
prints how much longer each loop takes with them: the ratio of the shortest times, and the median of the ratios of runs
that follow each other. Loops are aligned: without that, where a loop of four instructions happens to lie decides twofold.
"""

import argparse
import pathlib
import statistics
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
CHECK = "::holoscope::host::check();"


def build(folder, source, level):
    """The program of this source, at an optimisation level."""
    program = folder / f"{source.stem}{level}"
    command = ["rustc", "--edition=2024", f"-Copt-level={level}", "-Cllvm-args=-align-loops=64", source, "-o", program]
    # The library is in a dylib, and so is its flag.
    library = ["--extern", f"holoscope={folder}/libholoscope.so", "-Cprefer-dynamic"]
    libdir = subprocess.check_output(["rustc", "--print=target-libdir"], text=True).strip()
    paths = [f"-Clink-arg=-Wl,-rpath,{path}" for path in (folder, libdir)]
    subprocess.run(command + library + paths, check=True)
    return program


def run(program):
    """The nanoseconds of each loop."""
    lines = subprocess.check_output([program], text=True).splitlines()
    return {name: int(time) for name, time in (line.split("\t") for line in lines)}


def compare(plain, checked, rounds):
    """Of each loop: both ratios, and the shortest time without checks."""
    runs = []
    for i in range(rounds):
        # Neither is always the first.
        order = (plain, checked) if i % 2 == 0 else (checked, plain)
        times = {program: run(program) for program in order}
        runs.append((times[plain], times[checked]))
    for name in runs[0][0]:
        without = min(a[name] for a, _ in runs)
        yield name, min(b[name] for _, b in runs) / without, statistics.median(b[name] / a[name] for a, b in runs), without


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run(
            ["rustc", "--edition=2024", "-O", "-Cprefer-dynamic", HERE / "holoscope.rs", "--out-dir", folder], check=True
        )
        source = (HERE / "loops.rs").read_text()
        (folder / "plain.rs").write_text(source)
        (folder / "checked.rs").write_text(source.replace("// check\n", CHECK + "\n"))
        for level in (1, 3):
            programs = [build(folder, folder / f"{kind}.rs", level) for kind in ("plain", "checked")]
            rows = list(compare(*programs, args.rounds))
            print(f"level {level}{'':14} shortest  by turns")
            for name, shortest, paired, without in rows:
                print(f"{name:20} {shortest:9.3f} {paired:9.3f}  of {without / 1e6:.2f} ms")
            print(f"{'median':20} {statistics.median(r[1] for r in rows):9.3f} {statistics.median(r[2] for r in rows):9.3f}")


if __name__ == "__main__":
    main()
