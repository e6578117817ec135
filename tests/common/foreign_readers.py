"""Reads folders that this library has written with the packages themselves: `python foreign_readers.py FOLDER`.

Each sub-folder gets `expected.safetensors`: x, acts, y, as the package computes them. Packages: torch, eai-sparsify,
circuit-tracer.
"""

import os
import sys
import types
from pathlib import Path

import torch
from safetensors.torch import save_file

os.environ["SPARSIFY_DISABLE_TRITON"] = "1"
OUT = Path(sys.argv[1])
N = 8
torch.manual_seed(1)


def expected(folder, x, acts, y):
    tensors = {"x": x, "acts": acts, "y": y}
    save_file({k: v.detach().float().contiguous() for k, v in tensors.items()}, folder / "expected.safetensors")


def sparsify(folder):
    # Only for many coders at once, and not installed everywhere.
    sys.modules.setdefault("natsort", types.SimpleNamespace(natsorted=sorted))
    from sparsify.sparse_coder import SparseCoder

    coder = SparseCoder.load_from_disk(folder)
    assert coder.cfg.transcode and coder.cfg.activation == "topk"
    x = torch.randn(N, coder.d_in)
    top = coder.encode(x)
    acts = torch.zeros(N, coder.num_latents).scatter_(1, top.top_indices, top.top_acts)
    expected(folder, x, acts, coder(x, x).sae_out)


def cross_layer(folder):
    import yaml
    from circuit_tracer.transcoder.cross_layer_transcoder import load_clt

    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["model_kind"] == "cross_layer_transcoder"
    clt = load_clt(
        str(folder),
        feature_input_hook=config["feature_input_hook"],
        feature_output_hook=config["feature_output_hook"],
        device=torch.device("cpu"),
        dtype=torch.float32,
        lazy_decoder=False,
    )
    assert clt.feature_input_hook == "ln2.hook_normalized"
    x = torch.randn(clt.n_layers, N, clt.d_model)
    expected(folder, x, clt.encode(x), clt(x))


for folder in sorted(OUT.iterdir()):
    {"sparsify": sparsify, "cross_layer": cross_layer}[folder.name.split(".")[0]](folder)
