"""Writes files with the packages themselves, and what they compute: `python foreign_packages.py FOLDER`.

Each case is a folder with the package's files and `expected.safetensors`: x, acts, y. Packages: torch,
dictionary_learning, eai-sparsify, circuit-tracer, sae-lens, numpy, safetensors.
"""

import json
import os
import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import torch
from safetensors.torch import save_file

os.environ["SPARSIFY_DISABLE_TRITON"] = "1"
OUT = Path(sys.argv[1])
D, S, N = 6, 20, 8
torch.manual_seed(0)


def case(name):
    folder = OUT / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def expected(folder, x, acts, y):
    tensors = {"x": x, "acts": acts, "y": y}
    save_file({k: v.detach().float().contiguous() for k, v in tensors.items()}, folder / "expected.safetensors")


def randomise(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)


def dictionaries():
    # Only to read texts and run language models, and not installed everywhere.
    import datasets  # noqa: F401

    for module in ["nnsight", "zstandard", "nnsight.intervention", "umap"]:
        sys.modules.setdefault(module, MagicMock())
    from dictionary_learning import dictionary as dl
    from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
    from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
    from dictionary_learning.trainers.top_k import AutoEncoderTopK

    made = [
        ("AutoEncoder", dl.AutoEncoder(D, S), None),
        ("AutoEncoderNew", dl.AutoEncoderNew(D, S), None),
        ("GatedAutoEncoder", dl.GatedAutoEncoder(D, S), None),
        ("JumpReluAutoEncoder", dl.JumpReluAutoEncoder(D, S), None),
        ("AutoEncoderTopK", AutoEncoderTopK(D, S, 4), 4),
        ("BatchTopKSAE", BatchTopKSAE(D, S, 4), 4),
        ("MatryoshkaBatchTopKSAE", MatryoshkaBatchTopKSAE(D, S, 4, [8, 12]), 4),
    ]
    for name, sae, k in made:
        randomise(sae)
        if k is not None:
            sae.threshold.fill_(0.6)
        folder = case(name)
        torch.save(sae.state_dict(), folder / "ae.pt")
        trainer = {"dict_class": name, "activation_dim": D, "dict_size": S, "layer": 1, "lm_name": "gpt2"}
        if k is not None:
            trainer["k"] = k
        (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {}}))
        # As `load_dictionary` gives it, which normalises the decoder of some.
        from dictionary_learning.utils import load_dictionary

        sae, _ = load_dictionary(str(folder), "cpu")
        x = torch.randn(N, D)
        acts = sae.encode(x)
        expected(folder, x, acts, sae.decode(acts))


def neel():
    """1L-Sparse-Autoencoder's AutoEncoder, whose package is a notebook: its forward pass."""
    folder = case("neel")
    state = {
        "W_enc": torch.nn.Parameter(torch.randn(S, D).T),  # not contiguous
        "W_dec": torch.nn.Parameter(torch.randn(S, D)),
        "b_enc": torch.nn.Parameter(torch.randn(S)),
        "b_dec": torch.nn.Parameter(torch.randn(D)),
    }
    torch.save(state, folder / "3.pt")
    cfg = {"act_name": "blocks.0.mlp.hook_post", "act_size": D, "dict_size": S, "model_name": "gelu-1l"}
    (folder / "3_cfg.json").write_text(json.dumps(cfg))
    x = torch.randn(N, D)
    acts = torch.relu((x - state["b_dec"]) @ state["W_enc"] + state["b_enc"])
    expected(folder, x, acts, acts @ state["W_dec"] + state["b_dec"])


def gemma_scope():
    """By SAELens' JumpReLUSAE, into which its gemma_2 loader puts these arrays."""
    from sae_lens.saes.jumprelu_sae import JumpReLUSAE, JumpReLUSAEConfig

    sae = JumpReLUSAE(JumpReLUSAEConfig(d_in=D, d_sae=S, apply_b_dec_to_input=False))
    randomise(sae)
    with torch.no_grad():
        sae.threshold.abs_()
    x = torch.randn(N, D)
    acts = sae.encode(x)
    arrays = {k: v.detach().numpy() for k, v in sae.state_dict().items()}
    for name, write in [("npz", np.savez), ("npz_compressed", np.savez_compressed)]:
        folder = case(f"{name}/layer_3")
        write(folder / "params.npz", **arrays)
        expected(folder, x, acts, sae.decode(acts))
    folder = case("npz_fortran/layer_3")
    np.savez(folder / "params.npz", **{k: np.asfortranarray(v.astype(np.float64)) for k, v in arrays.items()})
    expected(folder, x, acts, sae.decode(acts))


def sparsify():
    # Only for many coders at once, and not installed everywhere.
    sys.modules.setdefault("natsort", types.SimpleNamespace(natsorted=sorted))
    from sparsify.config import SparseCoderConfig
    from sparsify.sparse_coder import SparseCoder

    for name, transcode, skip in [
        ("sparsify/layers.2", False, False),
        ("sparsify/layers.2.mlp", True, False),
        ("sparsify_skip/layers.2.mlp", True, True),
    ]:
        cfg = SparseCoderConfig(num_latents=S, k=4, transcode=transcode, skip_connection=skip)
        coder = SparseCoder(D, cfg)
        randomise(coder)
        folder = case(name)
        coder.save_to_disk(folder)
        x = torch.randn(N, D)
        top = coder.encode(x)
        acts = torch.zeros(N, S).scatter_(1, top.top_indices, top.top_acts)
        expected(folder, x, acts, coder(x, x).sae_out)


def cross_layer():
    from circuit_tracer.transcoder.cross_layer_transcoder import CrossLayerTranscoder

    n_layers, S_L = 3, 10
    for activation in ["relu", "jump_relu"]:
        clt = CrossLayerTranscoder(
            n_layers, S_L, D, activation, lazy_decoder=False, device=torch.device("cpu"), dtype=torch.float32
        )
        randomise(clt)
        if activation == "jump_relu":
            with torch.no_grad():
                clt.activation_function.threshold.abs_()
        folder = case(f"cross_layer_{activation}")
        clt.to_safetensors(str(folder))
        config = "model_name: gpt2\nmodel_kind: cross_layer_transcoder\nfeature_input_hook: hook_resid_mid\n"
        (folder / "config.yaml").write_text(config + "feature_output_hook: hook_mlp_out\n")
        x = torch.randn(n_layers, N, D)
        expected(folder, x, clt.encode(x), clt(x))


def circuit_tracer():
    from circuit_tracer.transcoder.activation_functions import JumpReLU
    from circuit_tracer.transcoder.single_layer_transcoder import SingleLayerTranscoder

    folder = case("circuit_tracer")
    config = "model_name: gpt2\nmodel_kind: transcoder_set\nfeature_input_hook: mlp.hook_in\n"
    (folder / "config.yaml").write_text(config + "feature_output_hook: mlp.hook_out\nscan: x\n")
    for layer, skip in enumerate([False, True]):
        activation = torch.nn.functional.relu if layer == 0 else JumpReLU(torch.rand(S), 0.1)
        one = SingleLayerTranscoder(D, S, activation, layer, skip, device=torch.device("cpu"), dtype=torch.float32)
        randomise(one)
        if layer == 1:
            with torch.no_grad():
                one.activation_function.threshold.abs_()
        one.to_safetensors(str(folder / f"layer_{layer}.safetensors"))
        x = torch.randn(N, D)
        acts = one.encode(x)
        within = case(f"circuit_tracer/{layer}")
        expected(within, x, acts, one.decode(acts, x))


def kinds():
    """Tensors of every type that a state dict may have, as a dictionary of one autoencoder's biases."""
    folder = case("kinds")
    state = {
        "W_enc": torch.arange(6, dtype=torch.bfloat16).reshape(3, 2).T,
        "W_dec": torch.arange(6, dtype=torch.float16).reshape(3, 2),
        "b_enc": torch.arange(9, dtype=torch.float64)[1::3],
        "b_dec": torch.tensor([[5, -6]], dtype=torch.int16)[0],
    }
    torch.save(state, folder / "0.pt")
    (folder / "0_cfg.json").write_text("{}")
    torch.save(state, folder / "1.pt", _use_new_zipfile_serialization=False)
    (folder / "1_cfg.json").write_text("{}")


failed = {}
for write in [dictionaries, neel, gemma_scope, sparsify, circuit_tracer, cross_layer, kinds]:
    try:
        write()
    except ImportError as error:
        failed[write.__name__] = str(error)
(OUT / "failed.json").write_text(json.dumps(failed))
print(failed)
