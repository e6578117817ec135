"""Greedy generation with a KV cache in PyTorch, the peer of `generate` in workloads.rs.

    python generate.py small|gpt2 [--alloc tuned] [--compile] [--threads 2]

Eager: projections as nn.Linear, keys and values kept in a buffer, one token a step. --compile: the step compiled, with
attention over the whole buffer behind a mask (shapes that never change). Prints one JSON line, as the peers' bench.py.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time

ALLOC = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(64 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
    "THP_MEM_ALLOC_ENABLE": "1",
}
MODELS = {
    "small": dict(n_layers=1, d=128, heads=4, mlp=512, n_ctx=128, tied=False, prompt=8, new=120),
    "gpt2": dict(n_layers=12, d=768, heads=12, mlp=3072, n_ctx=1024, tied=True, prompt=32, new=64),
}
VOCAB = 50257


def build(c, compiled):
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            d = c["d"]
            self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
            self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
            self.fc, self.out = nn.Linear(d, c["mlp"]), nn.Linear(c["mlp"], d)
            shape = (1, c["heads"], c["n_ctx"], d // c["heads"])
            self.register_buffer("k", torch.zeros(shape))
            self.register_buffer("v", torch.zeros(shape))

        def forward(self, x, at, mask):
            n = x.shape[1]
            q, k, v = self.qkv(self.ln1(x)).view(1, n, 3, c["heads"], -1).permute(2, 0, 3, 1, 4)
            self.k.index_copy_(2, at, k)
            self.v.index_copy_(2, at, v)
            if mask is not None:
                y = F.scaled_dot_product_attention(q, self.k, self.v, attn_mask=mask)
            elif n > 1:
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                end = int(at[-1]) + 1
                y = F.scaled_dot_product_attention(q, self.k[:, :, :end], self.v[:, :, :end])
            x = x + self.proj(y.transpose(1, 2).reshape(1, n, -1))
            return x + self.out(F.gelu(self.fc(self.ln2(x)), approximate="tanh"))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(VOCAB, c["d"]), nn.Embedding(c["n_ctx"], c["d"])
            self.blocks = nn.ModuleList([Block() for _ in range(c["n_layers"])])
            self.lnf, self.head = nn.LayerNorm(c["d"]), nn.Linear(c["d"], VOCAB, bias=False)
            for p in self.parameters():
                if p.dim() >= 2:
                    nn.init.normal_(p, std=0.02)
            if c["tied"]:
                self.head.weight = self.wte.weight

        def forward(self, ids, at, mask):
            x = self.wte(ids) + self.wpe(at)
            for block in self.blocks:
                x = block(x, at, mask)
            return self.head(self.lnf(x[:, -1:])).argmax(-1)

    model = GPT().eval()
    step = torch.compile(model) if compiled else model

    def generate():
        n = c["prompt"]
        ids = (torch.arange(n) * 997 % VOCAB).unsqueeze(0)
        token = model(ids, torch.arange(n), None)
        out = [int(token)]
        for i in range(n, n + c["new"] - 1):
            at = torch.tensor([i])
            mask = (torch.arange(c["n_ctx"]) <= i).view(1, 1, 1, -1) if compiled else None
            token = step(token, at, mask)
            out.append(int(token))
        return out

    return generate


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("model", choices=MODELS)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--repeats", type=int, default=5)
    ap.add_argument("--repeat-s", type=float, default=3.0)
    ap.add_argument("--alloc", choices=("default", "tuned"), default="default")
    ap.add_argument("--compile", action="store_true")
    args = ap.parse_args()
    if args.alloc == "tuned" and os.environ.get("BENCH_ALLOC") != "tuned":
        os.execve(sys.executable, [sys.executable] + sys.argv, dict(os.environ, BENCH_ALLOC="tuned", **ALLOC))
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import torch

    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    c = MODELS[args.model]
    with torch.inference_mode():
        generate = build(c, args.compile)
        for _ in range(3):
            generate()
        began = time.perf_counter()
        generate()
        steps = max(1, round(args.repeat_s / (time.perf_counter() - began)))
        rates = []
        for _ in range(args.repeats):
            began = time.perf_counter()
            for _ in range(steps):
                generate()
            rates.append(steps * c["new"] / (time.perf_counter() - began))
    label = ("torch-compile" if args.compile else "torch-eager") + ("-alloc" if args.alloc == "tuned" else "")
    print(json.dumps({
        "bench": f"generate/{args.model}", "label": label, "metric": "tokens_per_s",
        "median": round(statistics.median(rates), 1), "min": round(min(rates), 1), "max": round(max(rates), 1),
        "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }), flush=True)


if __name__ == "__main__":
    main()
