"""Activation patching and feature dashboards of the packages: the peers of `patching` and `dashboards` in workloads.rs.

    python mechanisms.py patching [--impl lens|batched] --peers ../shared/peers
    python mechanisms.py dashboards --peers ../shared/peers

patching: `get_act_patch_resid_pre`, `_attn_out` and `_mlp_out` of TransformerLens, which
`get_act_patch_block_every` calls, on 4 layers and 32 positions. batched: what one can write with its hooks, all
positions of a layer as rows of one batch that starts at that layer.

dashboards: `SaeVisRunner` of SAEDashboard, a hundred features of 4,096 on 32,768 tokens, and its page.
"""

import argparse
import contextlib
import io
import json
import os
import resource
import sys
import tempfile
from functools import partial

N_POS, N_LAYERS = 32, 4
SITES = ("resid_pre", "attn_out", "mlp_out")
N_SEQUENCES, N_FEATURES, HOOK = 256, 100, "blocks.0.mlp.hook_post"


def patching(args, bench):
    """A step, and how many patches it is."""
    import torch
    import transformer_lens.patching as patching
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    model = HookedTransformer(HookedTransformerConfig(
        n_layers=N_LAYERS, d_model=256, n_ctx=N_POS, d_head=32, n_heads=8, d_mlp=1024, d_vocab=5000, act_fn="gelu_new",
        normalization_type="LN", device="cpu", seed=0)).eval()
    clean = torch.tensor([[1 + i * 37 % 4999 for i in range(N_POS)]])
    corrupted = clean.clone()
    corrupted[0, 1] = 4321
    difference = lambda logits: logits[:, -1, 17] - logits[:, -1, 23]
    whole = {"resid_pre": patching.get_act_patch_resid_pre, "attn_out": patching.get_act_patch_attn_out,
             "mlp_out": patching.get_act_patch_mlp_out}

    def lens():
        _, cache = model.run_with_cache(clean)
        with contextlib.redirect_stderr(io.StringIO()):
            return torch.stack([whole[site](model, corrupted, cache, lambda logits: difference(logits)[0])
                                for site in SITES])

    def put(clean_activation, activation, hook):
        at = torch.arange(N_POS)
        activation[at, at] = clean_activation[0, at]
        return activation

    def batched():
        _, cache = model.run_with_cache(clean)
        _, before = model.run_with_cache(corrupted, names_filter=lambda name: name.endswith("hook_resid_pre"))
        out = torch.zeros(len(SITES), N_LAYERS, N_POS)
        for s, site in enumerate(SITES):
            for layer in range(N_LAYERS):
                name = f"blocks.{layer}.hook_{site}"
                stream = before["resid_pre", layer].expand(N_POS, -1, -1).clone()
                with model.hooks(fwd_hooks=[(name, partial(put, cache[name]))]):
                    stream = model(stream, start_at_layer=layer, stop_at_layer=N_LAYERS)
                logits = model.unembed(model.ln_final(stream[:, -1:]))
                out[s, layer] = difference(logits)
        return out

    with torch.no_grad():
        one, other = lens(), batched()
    assert torch.allclose(one, other, atol=1e-5), (one - other).abs().max()
    step = lens if args.impl == "lens" else batched
    return step, len(SITES) * N_LAYERS * N_POS, "patches"


def tokenizer_of(peers):
    """Names for GPT-2's tokens, from the ranks that lie beside bench.py: a dashboard decodes, and encodes nothing."""
    import base64
    from pathlib import Path

    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    (ranks,) = Path(peers, "tiktoken_cache").iterdir()
    pairs = (line.split() for line in ranks.read_text().splitlines())
    names = {base64.b64decode(token).decode("latin-1"): int(rank) for token, rank in pairs}
    names["<|endoftext|>"] = len(names)
    end = {name: "<|endoftext|>" for name in ("bos_token", "eos_token", "pad_token", "unk_token")}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(names, "<|endoftext|>")), **end)
    # TransformerLens loads it again from where it came from, which must be a folder.
    folder = tempfile.mkdtemp()
    tokenizer.save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def dashboards(args, bench):
    import numpy as np
    import torch
    from sae_dashboard.data_writing_fns import save_feature_centric_vis
    from sae_dashboard.sae_vis_data import SaeVisConfig
    from sae_dashboard.sae_vis_runner import SaeVisRunner
    from sae_lens import HookedSAETransformer, StandardSAE, StandardSAEConfig
    from sae_lens.saes.sae import SAEMetadata
    from transformer_lens import HookedTransformerConfig

    folder = tempfile.mkdtemp()
    model = HookedSAETransformer(HookedTransformerConfig(
        n_layers=1, d_model=128, n_ctx=128, d_head=32, n_heads=4, d_mlp=512, d_vocab=50257, act_fn="relu",
        normalization_type="LN", device="cpu", seed=0), tokenizer=tokenizer_of(args.peers)).eval()
    ids = np.load(os.path.join(args.peers, "tokens_gpt2.npy")).astype("int64")
    tokens = torch.from_numpy(ids[: N_SEQUENCES * 128].reshape(N_SEQUENCES, 128))
    sae = StandardSAE(StandardSAEConfig(d_in=512, d_sae=4096, metadata=SAEMetadata(hook_name=HOOK)))
    with torch.no_grad():
        sae.W_enc.normal_(0, 512**-0.5)
        sae.W_dec.copy_(sae.W_enc.T)
        sae.b_enc.zero_()
        _, cache = model.run_with_cache(tokens[:4], names_filter=HOOK)
        sae.b_enc.fill_(-5 * sae.encode(cache[HOOK]).mean().item())
    sae.fold_W_dec_norm()  # as the runner does, too, each time

    def step():
        cfg = SaeVisConfig(hook_point=HOOK, features=range(N_FEATURES), minibatch_size_features=N_FEATURES,
                           minibatch_size_tokens=64, device="cpu", dtype="float32")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            data = SaeVisRunner(cfg).run(encoder=sae, model=model, tokens=tokens)
            save_feature_centric_vis(data, os.path.join(folder, "page.html"))
        assert len(data.feature_data_dict) == N_FEATURES
        return data

    return step, N_FEATURES, "dashboards"


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("what", choices=("patching", "dashboards"))
    ap.add_argument("--impl", choices=("lens", "batched"), default="lens")
    ap.add_argument("--peers", required=True, help="the folder of the peers' bench.py")
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--repeats", type=int, default=3)
    ap.add_argument("--repeat-s", type=float, default=2.0)
    ap.add_argument("--alloc", choices=("default", "tuned"), default="default")
    args = ap.parse_args()
    args.peers = os.path.abspath(args.peers)
    sys.path.insert(0, args.peers)
    import bench

    if args.alloc == "tuned" and os.environ.get("BENCH_ALLOC") != "tuned":
        os.execve(sys.executable, [sys.executable] + sys.argv, dict(os.environ, BENCH_ALLOC="tuned", **bench.ALLOC_ENV))
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(args.threads)
    import torch

    torch.set_num_threads(args.threads)
    with contextlib.redirect_stdout(sys.stderr):
        step, n, unit = {"patching": patching, "dashboards": dashboards}[args.what](args, bench)
        # The step that is timed to choose how many make a repeat warms up, too.
        args.warmup, args.steps, args.budget_s = 0, 0, 100.0
        with torch.no_grad():
            rates, meta = bench.measure(step, args)
    rates = sorted(r * n for r in rates)
    print(json.dumps({
        "bench": args.what, "label": (args.impl if args.what == "patching" else "sae_dashboard")
        + ("-alloc" if args.alloc == "tuned" else ""), "metric": f"{unit}_per_s", "unit": unit,
        "median": round(rates[len(rates) // 2], 2), "min": round(rates[0], 2), "max": round(rates[-1], 2),
        "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "contention": meta["contention"],
    }), flush=True)


if __name__ == "__main__":
    main()
