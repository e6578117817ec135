"""Holoscope beside PyTorch, TransformerLens, SAELens, sparsify and SAEDashboard: the same workloads, in turn.

    python3 -m venv venv && venv/bin/pip install torch transformer_lens sae_lens==6.54 tiktoken
    venv/bin/pip install --no-deps eai-sparsify sae-dashboard
    venv/bin/pip install natsort schedulefree dataclasses-json matplotlib
    cargo build --locked --workspace --example peers
    python benches/peers/compare.py --python venv/bin/python --peers ../shared/peers [--only "SAE step"] [--rounds 3]
    python benches/peers/compare.py --python venv/bin/python --peers ../shared/peers --quick

`--quick` is one short round of the variants of the autoencoder, patching and dashboards, without the peer's variants
that differ in their allocator alone: under six minutes on two quiet cores.

Each round runs our side and then each of the peer's variants, every one a process of its own with the same number of
threads; the table has the medians over rounds. "plain" is what a user would write or call; "best tuned" is the fastest
of the peer's other variants. Ours always runs with the allocator that keeps freed memory, as notebooks do; a plain peer
has its default allocator, a tuned one has one that keeps memory, too. Run it on a quiet machine: with one busy core
PyTorch is several times slower; a peer's run that saw other work says so on stderr.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TUNED = ["--alloc", "tuned"]
# `lce`: cross-entropy fused with the unembedding in chunks, as ours is.
LM_TUNED = [TUNED, ["--compile"] + TUNED, ["--ce", "lce"] + TUNED, ["--compile", "--ce", "lce"] + TUNED]
# Case, our arguments, the peer's plain command, its tuned variants, the ratios aimed at.
CASES = [
    ("LM step A", "lm_train A", "lm_train --config A", LM_TUNED, (3.0, 1.7)),
    ("LM step B", "lm_train B", "lm_train --config B", LM_TUNED, (2.0, 1.3)),
    ("LM step C", "lm_train C", "lm_train --config C", LM_TUNED, (2.0, 1.5)),
    ("SAE step, standard", "sae_train standard", "sae_train --arch standard --impl saelens",
     [["--impl", "plain"] + TUNED, ["--impl", "plain_opt"] + TUNED], (4.0, 2.0)),
    ("SAE step, TopK 32", "sae_train topk", "sae_train --arch topk --impl saelens",
     [["--impl", "plain_opt"] + TUNED, ["--impl", "plain_sparse"] + TUNED, ["--impl", "saelens_sparse"] + TUNED], (8.0, 1.5)),
    ("run_with_cache, all hooks", "run_with_cache cache_all", "run_with_cache --rmode cache_all", [TUNED], (1.5, 1.5)),
    ("run_with_cache, one MLP hook", "run_with_cache cache_mlp_post", "run_with_cache --rmode cache_mlp_post", [TUNED], (1.5, 1.5)),
    ("run_with_hooks, zero ablation", "run_with_cache zero_ablate_logits", "run_with_cache --rmode zero_ablate_logits", [TUNED], (1.5, 1.5)),
    ("feature frequencies", "freqs", "freqs", [TUNED], (2.5, 1.5)),
    ("generation, 1 layer", "generate small", "generate small", [TUNED, ["--compile"] + TUNED], (1.5, 1.2)),
    ("generation, GPT-2 small", "generate gpt2", "generate gpt2", [TUNED, ["--compile"] + TUNED], (1.5, 1.2)),
]
# What `autoencoders.py` has: sparsify's own coder beside them, where it has one.
OWN = [["--impl", "compiled"] + TUNED, ["--impl", "lists"] + TUNED]
SPARSIFY = ["--impl", "sparsify"] + TUNED


def variant(title, ours, arch, more=()):
    """A step of 1,024 activations, 512 wide, of 4,096 features; SAELens where it trains the architecture."""
    plain = "sparsify" if arch.startswith("transcoder") else "saelens"
    return (f"SAE variant, {title}", f"sae_train {ours} --batch 1024", f"autoencoders {arch} --impl {plain}",
            [*OWN, *more], (3.0, 1.3))


def untrained(title, arch):
    """What no package trains: autograd in place of one."""
    return (f"SAE variant, {title}", f"sae_train {arch} --batch 1024", f"autoencoders {arch} --impl dense",
            [*OWN, TUNED], (1.3, 1.3))


VARIANTS = [
    variant("standard", "standard", "standard"),
    variant("TopK 32", "topk", "topk", [SPARSIFY]),
    variant("AbsTopK 32", "abstopk", "abstopk"),
    variant("JumpReLU", "jumprelu", "jumprelu"),
    variant("gated", "gated", "gated"),
    variant("BatchTopK 32", "batchtopk", "batchtopk"),
    variant("Matryoshka BatchTopK 32", "matryoshka", "matryoshka"),
    ("SAE variant, matching pursuit, 32 steps", "sae_train matching_pursuit --batch 1024",
     "autoencoders matching_pursuit --impl saelens", [["--impl", "compiled"] + TUNED, ["--impl", "dense"] + TUNED], (3.0, 1.3)),
    variant("transcoder, TopK 32", "transcoder", "transcoder"),
    variant("skip transcoder, TopK 32", "transcoder_skip", "transcoder_skip"),
    untrained("crosscoder, 2 sites of 256", "crosscoder"),
    untrained("cross-layer transcoder, 2 layers of 256", "cross_layer"),
    untrained("temporal, 256 wide, 1,024 features", "temporal"),
    ("activation patching (patches/s)", "patching", "mechanisms patching",
     [TUNED, ["--impl", "batched"] + TUNED], (3.0, 1.3)),
    ("100 feature dashboards (dashboards/s)", "dashboards", "mechanisms dashboards", [TUNED], (3.0, 3.0)),
]
# What the kernel's process that runs cells asks of the allocator (kernel/src/session/runner.rs).
OURS = {"MALLOC_MMAP_MAX_": "0", "MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_TOP_PAD_": str(64 << 20)}


def run(command, env, where, patience):
    """The record that a side prints last, or None with the reason on stderr."""
    try:
        done = subprocess.run(command, env=env, cwd=where, capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        print(f"  no answer within {patience} s: {' '.join(map(str, command))}", file=sys.stderr)
        return None
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        print(f"  failed: {' '.join(map(str, command))}\n{done.stderr[-800:]}", file=sys.stderr)
        return None
    record = json.loads(lines[-1])
    if not record.get("contention", {}).get("quiet", True):
        print(f"  not quiet: {record['contention']}", file=sys.stderr)
    if "l0" in record:
        print(f"  L0 {record['l0']}", file=sys.stderr)
    return record


class Sides:
    def __init__(self, args):
        self.args = args
        # The peers write caches beside their script, which may lie in a folder that cannot be written.
        self.folder = Path(tempfile.mkdtemp(prefix="holoscope-peers-"))
        peers = Path(args.peers).resolve()
        shutil.copytree(peers, self.folder / "peers")
        for copied in self.folder.rglob("*"):
            copied.chmod(0o755)
        (self.folder / "peers").chmod(0o755)
        (self.folder / "data").symlink_to(peers.parent / "data")
        self.tokens = peers / "tokens_gpt2.npy"

    def ours(self, words):
        env = dict(os.environ, RAYON_NUM_THREADS=str(self.args.threads), **OURS)
        command = [self.args.ours, *words.split(), "--tokens", self.tokens]
        return run(command + self.length(), env, ROOT, self.args.patience)

    def peer(self, words, more):
        words = words.split()
        script, peers = self.folder / "peers/bench.py", []
        if words[0] in ("generate", "autoencoders", "mechanisms"):
            peers = [] if words[0] == "generate" else ["--peers", self.folder / "peers"]
            script, words = Path(__file__).with_name(f"{words[0]}.py"), words[1:]
        # PyTorch's own libraries choose their kernels; some machines pin OpenBLAS's.
        env = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
        command = [self.args.python, script, *words, *more, *peers, "--threads", str(self.args.threads)]
        return run(command + self.length(), env, self.folder, self.args.patience)

    def length(self):
        return ["--repeats", str(self.args.repeats), "--repeat-s", str(self.args.repeat_s)]


class Measured:
    def __init__(self):
        self.rates, self.peak = [], 0.0

    def add(self, record):
        if record:
            self.rates.append(record["median"])
            self.peak = max(self.peak, record["peak_rss_mib"])

    @property
    def median(self):
        return statistics.median(self.rates) if self.rates else None

    def shown(self):
        if not self.rates:
            return "failed"
        digits = 0 if self.median >= 100 else 1
        least, most = min(self.rates), max(self.rates)
        return f"{self.median:,.{digits}f} ({least:,.{digits}f} to {most:,.{digits}f})"


def ratio(ours, theirs, aim):
    if not ours or not theirs:
        return "-"
    return f"{ours / theirs:.2f} x (aim {aim})"


def compare(case, sides, rounds):
    name, ours_words, plain_words, tuned, aims = case
    ours, plain, others = Measured(), Measured(), [Measured() for _ in tuned]
    for n in range(rounds):
        print(f"{name}, round {n + 1} of {rounds}", file=sys.stderr, flush=True)
        ours.add(sides.ours(ours_words))
        plain.add(sides.peer(plain_words, []))
        for measured, more in zip(others, tuned):
            measured.add(sides.peer(plain_words, more))
    best = max((m for m in [plain, *others] if m.rates), key=lambda m: m.median, default=plain)
    memory = f"{ours.peak:,.0f} / {plain.peak:,.0f} MiB = {ours.peak / plain.peak:.2f}" if plain.peak else "-"
    row = [name, ours.shown(), plain.shown(), best.shown(), ratio(ours.median, plain.median, aims[0]),
           ratio(ours.median, best.median, aims[1]), memory]
    print("| " + " | ".join(row) + " |", flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--python", default=sys.executable, help="a Python with torch, transformer_lens and sae_lens")
    ap.add_argument("--peers", default=ROOT.parent / "shared/peers", help="the folder of the peers' bench.py")
    ap.add_argument("--ours", default=ROOT / "target/debug/examples/peers", help="our workloads, built")
    ap.add_argument("--only", default="", help="cases whose name has this in it")
    ap.add_argument("--quick", action="store_true", help="one short round of the variants, patching and dashboards")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--repeats", type=int, default=3)
    ap.add_argument("--repeat-s", type=float, default=2.0)
    ap.add_argument("--patience", type=float, default=600)
    args = ap.parse_args()
    if not Path(args.ours).is_file():
        raise SystemExit(f"{args.ours} is missing: cargo build --locked --workspace --example peers")
    cases = CASES + VARIANTS
    if args.quick:
        cases = [(*case[:3], [more for more in case[3] if more != TUNED], case[4]) for case in VARIANTS[1:]]
        args.rounds, args.repeats, args.repeat_s = 1, 1, 0.7
    sides = Sides(args)
    print("| workload (tokens/s, median of rounds and range) | Holoscope | plain peer | best of the peer's | ratio to plain | ratio to best | peak memory, ours / plain |")
    print("|---|---|---|---|---|---|---|")
    try:
        for case in cases:
            if args.only in case[0]:
                compare(case, sides, args.rounds)
    finally:
        shutil.rmtree(sides.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
