"""How long a kernel lets its user wait: start, first result, and every cell after that.

    python benches/kernel/latency.py holoscope stock python3

drives each installed kernelspec through jupyter_client, one after the other, and prints a table. Needs
jupyter_client (and ipykernel for python3). A kernel's cells are in CELLS below: the same work in its language.
The median and the 95th percentile are over all cells of a kind; a cell's time runs from the request to `idle`.
"""

import argparse
import statistics
import time
from queue import Empty

from jupyter_client.manager import KernelManager

STOCK_SETUP = [':dep holoscope = { path = "LIBRARY" }']

RUST = {
    "library": ["use holoscope::prelude::*;\nTransformerConfig::default()"],
    "trivial": [
        'println!("{}", 1);', "1 + 1", 'let a: i64 = 20;', "a * 2", 'println!("{}", a);',
        '(0..10).sum::<i64>()', 'let s: String = "x".repeat(3);', "s.len()", "fn f(x: i64) -> i64 { x + 1 }", "f(a)",
        'let v: Vec<i64> = (0..9).collect();', "v.iter().max()", 'for x in &v { println!("{}", x); }', "a - 1",
        'let t: i64 = v.iter().sum();', "t", 'print!("x");', "t + a", 'format!("{:?}", v)', "v.len()",
    ],
    "library call": [
        'let t0: Tensor = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;\nt0.shape().clone()',
        'let t1: Tensor = (&t0 + 1.0)?;\nHtml::new(&format!("{t1}"), "t1")',
        'let t2: Tensor = t1.t()?;\nHtml::new(&format!("{t2}"), "t2")',
        'let t3: Tensor = t1.matmul(&t2)?;\nHtml::new(&format!("{t3}"), "t3")',
        'let c1: TransformerConfig = TransformerConfig { n_layers: 1, ..Default::default() };\nc1.clone()',
        'let chart: Figure = line_chart(&[Trace::new("a", vec![(0.0, 1.0), (1.0, 2.0)])], &ChartOptions::new("t", "x", "y"))?;\nchart',
        'let m: GardenMultiplet = chiral();\nHtml::new(&format!("{}", m.d()), "d")',
        'let t4: Tensor = t3.sum_all()?;\nHtml::new(&format!("{t4}"), "t4")',
        'let t5: Tensor = (&t3 * 2.0)?;\nHtml::new(&format!("{t5}"), "t5")',
        'let t6: Tensor = t5.exp()?;\nHtml::new(&format!("{t6}"), "t6")',
    ],
}

PYTHON = {
    "library": ["import json\njson.dumps({})"],
    "trivial": [
        "print(1)", "1 + 1", "a = 20", "a * 2", "print(a)", "sum(range(10))", 's = "x" * 3', "len(s)",
        "def f(x): return x + 1", "f(a)", "v = list(range(9))", "max(v)", "for x in v: print(x)", "a - 1",
        "t = sum(v)", "t", 'print("x", end="")', "t + a", 'f"{v}"', "len(v)",
    ],
    "library call": [
        f"t{n} = [[{n}] * 3 for _ in range(2)]\nfrom IPython.display import HTML\nHTML(str(t{n}))" for n in range(10)
    ],
}


class Kernel:
    def __init__(self, name, patience):
        self.patience = patience
        began = time.perf_counter()
        self.manager = KernelManager(kernel_name=name)
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=patience)
        self.start = time.perf_counter() - began
        self.began = began

    def run(self, code):
        """Seconds until idle; an error in the cell ends the benchmark."""
        began = time.perf_counter()
        request = self.client.execute(code)
        error = None
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=self.patience)
            except Empty:
                raise SystemExit(f"no answer to {code!r} within {self.patience} s")
            if message["parent_header"].get("msg_id") != request:
                continue
            if message["msg_type"] == "error":
                error = message["content"]
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        seconds = time.perf_counter() - began
        self.client.get_shell_msg(timeout=self.patience)
        if error:
            raise SystemExit(f"{code!r} failed: {error['ename']}: {error['evalue']}")
        return seconds

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def p95(times):
    return sorted(times)[max(0, round(0.95 * len(times)) - 1)]


def measure(name, args):
    cells = PYTHON if name.startswith("python") else RUST
    kernel = Kernel(name, args.patience)
    try:
        for code in STOCK_SETUP if name == args.stock else []:
            kernel.run(code.replace("LIBRARY", args.library))
        kernel.run(cells["library"][0])
        first = time.perf_counter() - kernel.began
        times = {kind: [kernel.run(code) for code in cells[kind]] for kind in ("trivial", "library call")}
    finally:
        kernel.stop()
    if args.verbose:
        for kind, values in times.items():
            for code, seconds in zip(cells[kind], values):
                print(f"  {seconds:7.3f} s  {code.splitlines()[0][:90]}")
    return kernel.start, first, times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="+")
    parser.add_argument("--stock", default="stock", help="the kernelspec that needs `:dep holoscope` first")
    parser.add_argument("--library", default="..", help="where that `:dep` finds the library")
    parser.add_argument("--patience", type=float, default=3000)
    parser.add_argument("-v", "--verbose", action="store_true", help="every cell's time")
    args = parser.parse_args()
    print("| kernel | start | first library result | trivial, median | 95 % | library call, median | 95 % |")
    print("|---|---|---|---|---|---|---|")
    for name in args.kernels:
        start, first, times = measure(name, args)
        row = [f"{name}", f"{start:.2f} s", f"{first:.2f} s"]
        for kind in ("trivial", "library call"):
            row += [f"{statistics.median(times[kind]):.3f} s", f"{p95(times[kind]):.3f} s"]
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
