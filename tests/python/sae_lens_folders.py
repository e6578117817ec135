"""What the real SAELens writes and reads, for tests/sae_lens_package.rs.

    python sae_lens_folders.py write FOLDER   one folder an architecture, random weights, saved by SAELens
    python sae_lens_folders.py read FOLDER    loads each folder in FOLDER that has inputs.safetensors

A folder that is written has `inputs.safetensors` (`x`) and `peer.safetensors` (`acts`, `recons`: what SAELens makes of
x) beside SAELens' own two files; reading writes `peer.safetensors`. The sizes are small: a bias, a transposed matrix or
a wrong threshold changes every number.
"""

import json
import logging
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sae_lens import SAE
from sae_lens.registry import get_sae_class, get_sae_training_class
from sae_lens.saes.sae import SAEMetadata

D_IN, D_SAE, D_OUT, N, K = 24, 96, 20, 64, 7

# Trained ones are saved by `save_inference_model`, as SAELens' runner saves them at the end.
TRAINED = {
    "trained_standard": ("standard", {}),
    "trained_gated": ("gated", {}),
    "trained_topk": ("topk", {"k": K}),
    "trained_topk_not_rescaled": ("topk", {"k": K, "rescale_acts_by_decoder_norm": False}),
    "trained_abstopk": ("abstopk", {"k": K}),
    "trained_jumprelu": ("jumprelu", {}),
    "trained_batchtopk": ("batchtopk", {"k": float(K)}),
    "trained_matryoshka_batchtopk": ("matryoshka_batchtopk", {"k": float(K), "matryoshka_widths": [16, 48, D_SAE]}),
    "trained_matching_pursuit": ("matching_pursuit", {}),
}
INFERENCE = {
    "standard": {},
    "standard_without_b_dec_in": {"apply_b_dec_to_input": False},
    "gated": {},
    "topk": {"k": K},
    "topk_rescaled": {"k": K, "rescale_acts_by_decoder_norm": True},
    "abstopk": {"k": K},
    "jumprelu": {},
    "transcoder": {"d_out": D_OUT, "apply_b_dec_to_input": False},
    "skip_transcoder": {"d_out": D_OUT, "apply_b_dec_to_input": False},
    "jumprelu_transcoder": {"d_out": D_OUT, "apply_b_dec_to_input": False},
    "jumprelu_skip_transcoder": {"d_out": D_OUT, "apply_b_dec_to_input": False},
    "temporal": {"n_heads": 4, "bottleneck_factor": 4},
    "matching_pursuit": {},
}


def metadata():
    return SAEMetadata(model_name="gelu-1l", hook_name="blocks.1.ln2.hook_normalized",
                       hook_name_out="blocks.1.hook_mlp_out", context_size=32, prepend_bos=True)


def randomise(sae):
    """Weights of the size of trained ones; thresholds that some activations pass and some do not."""
    for name, value in [*sae.named_parameters(), *sae.named_buffers()]:
        if name.endswith("threshold"):
            noise = torch.full_like(value, 0.4) if value.ndim == 0 else 0.2 + 0.6 * torch.rand_like(value)
        elif value.ndim == 2:
            noise = torch.randn_like(value) / value.shape[0] ** 0.5
        else:
            noise = 0.3 * torch.randn_like(value)
        value.data.copy_(noise)
    if sae.cfg.architecture() == "matching_pursuit":  # its decoder's rows have unit length
        sae.W_dec.data /= sae.W_dec.data.norm(dim=-1, keepdim=True)


@torch.no_grad()
def outputs(folder, x):
    """What SAELens makes of x with the autoencoder that it loads from the folder."""
    sae = SAE.load_from_disk(str(folder))
    if sae.cfg.architecture() == "temporal":  # [batch, pos, d_in]; its activations are the novel codes
        x = x.reshape(4, -1, D_IN)
        return sae.encode(x).reshape(N, -1), sae(x).reshape(N, -1)
    acts = sae.encode(x)
    acts = acts.to_dense() if acts.is_sparse else acts
    skip = hasattr(sae, "W_skip")
    recons = sae(x) if skip or sae.cfg.architecture() == "matching_pursuit" else sae.decode(acts)
    return acts, recons


def write(root):
    for case, (architecture, more) in TRAINED.items():
        torch.manual_seed(len(case))
        made, config = get_sae_training_class(architecture)
        sae = made(config(d_in=D_IN, d_sae=D_SAE, metadata=metadata(), **more))
        randomise(sae)
        sae.save_inference_model(root / case)
        note(root / case)
    for case, more in INFERENCE.items():
        torch.manual_seed(len(case))
        architecture = next(a for a in ("topk", "standard") if case.startswith(a)) if "_" in case and case.startswith(
            ("topk_", "standard_")) else case
        made, config = get_sae_class(architecture)
        sae = made(config(d_in=D_IN, d_sae=D_SAE, metadata=metadata(), **more))
        randomise(sae)
        sae.save_model(root / case)
        note(root / case)


def note(folder):
    x = torch.randn(N, D_IN)
    save_file({"x": x}, folder / "inputs.safetensors")
    read_one(folder)


def read_one(folder):
    x = load_file(folder / "inputs.safetensors")["x"]
    acts, recons = outputs(folder, x)
    save_file({"acts": acts.contiguous(), "recons": recons.contiguous()}, folder / "peer.safetensors")


def main():
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    action, root = sys.argv[1], Path(sys.argv[2])
    if action == "write":
        write(root)
    else:
        for inputs in sorted(root.glob("*/inputs.safetensors")):
            read_one(inputs.parent)
    import sae_lens

    print(json.dumps({"sae_lens": sae_lens.__version__, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
