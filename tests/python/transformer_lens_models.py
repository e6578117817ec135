"""Models of the real TransformerLens and transformers, with what they compute, for tests/transformer_lens_package.rs.

    python transformer_lens_models.py FOLDER

A folder a model, random weights: its configuration and weights as the package writes them, and `peer.safetensors` with
`tokens`, `logits` and, of TransformerLens' models, every activation of `run_with_cache` (`cache.NAME`) and the logits
after `process_weights_` (`processed`).
"""

import json
import sys
import warnings
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformer_lens import HookedTransformer, HookedTransformerConfig

SMALL = dict(n_layers=2, d_model=32, n_ctx=24, d_head=8, n_heads=4, d_vocab=53, d_mlp=80, act_fn="gelu_new",
             normalization_type="LN", device="cpu", dtype=torch.float32)
LENS = {
    "gpt2_style": {},
    "gelu_exact": {"act_fn": "gelu"},
    "attn_only": {"attn_only": True, "d_mlp": None, "act_fn": None},
    "attn_only_lnpre": {"attn_only": True, "d_mlp": None, "act_fn": None, "normalization_type": "LNPre"},
    "attn_only_without_norms": {"attn_only": True, "d_mlp": None, "act_fn": None, "normalization_type": None},
    "solu_ln": {"act_fn": "solu_ln"},
    "solu_ln_lnpre": {"act_fn": "solu_ln", "normalization_type": "LNPre"},
    "lnpre": {"act_fn": "relu", "normalization_type": "LNPre"},
    "without_norms": {"act_fn": "silu", "normalization_type": None},
    "rotary_parallel": {"positional_embedding_type": "rotary", "rotary_dim": 4, "parallel_attn_mlp": True,
                        "act_fn": "gelu"},
    "rotary_whole_head": {"positional_embedding_type": "rotary", "rotary_dim": 8, "rotary_base": 500},
}


def randomise(model):
    """Biases and norms away from 0 and 1, weights of the size of trained ones."""
    for name, value in model.named_parameters():
        if value.ndim == 1 or ".b_" in name:
            noise = 0.2 * torch.randn_like(value)
            value.data.copy_(1 + noise if name.endswith(("ln.w", "ln1.w", "ln2.w", "ln_final.w")) or (
                "norm" in name and name.endswith("weight")) or name.endswith(
                ("ln_1.weight", "ln_2.weight", "ln_f.weight")) else noise)
        else:
            value.data.copy_(torch.randn_like(value) * 0.7 / min(value.shape[-2:]) ** 0.5)


def lens(folder, more):
    model = HookedTransformer(HookedTransformerConfig(**{**SMALL, **more}))
    randomise(model)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(model.cfg.to_dict(), default=str))
    save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, folder / "model.safetensors")
    tokens = torch.randint(0, model.cfg.d_vocab, (3, 17))
    logits, cache = model.run_with_cache(tokens)
    out = {f"cache.{name}": value.contiguous().clone() for name, value in cache.items()}
    model.process_weights_(fold_ln=True, center_writing_weights=True, center_unembed=True)
    save_file({"tokens": tokens.to(torch.uint32), "logits": logits, "processed": model(tokens), **out},
              folder / "peer.safetensors")


def hugging_face(folder, model, length):
    randomise(model.eval())
    model.save_pretrained(folder)
    tokens = torch.randint(0, model.config.vocab_size, (2, length))
    save_file({"tokens": tokens.to(torch.uint32), "logits": model(tokens).logits.contiguous()},
              folder / "peer.safetensors")


def neox(**more):
    # The sizes of Pythia-14m, and its configuration's other fields.
    fields = dict(vocab_size=50304, hidden_size=128, num_hidden_layers=6, num_attention_heads=4, intermediate_size=512,
                  hidden_act="gelu", rotary_pct=0.25, rotary_emb_base=10000, max_position_embeddings=2048,
                  use_parallel_residual=True, bos_token_id=0, eos_token_id=0, tie_word_embeddings=False)
    return transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(**{**fields, **more}))


@torch.no_grad()
def main():
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    root = Path(sys.argv[1])
    for n, (name, more) in enumerate(LENS.items()):
        torch.manual_seed(n)
        lens(root / "lens" / name, more)
    torch.manual_seed(100)
    hugging_face(root / "hf/pythia_14m", neox(), 64)
    small = dict(vocab_size=97, hidden_size=48, num_hidden_layers=2, intermediate_size=100, max_position_embeddings=64)
    hugging_face(root / "hf/neox_sequential", neox(**small, use_parallel_residual=False, rotary_pct=1.0), 40)
    hugging_face(root / "hf/neox_without_bias", neox(**small, attention_bias=False, rotary_pct=0.5), 40)
    hugging_face(root / "hf/neox_tied", neox(**{**small, "tie_word_embeddings": True, "rotary_pct": 0.5}), 40)
    gpt2 = dict(vocab_size=211, n_embd=48, n_layer=3, n_head=4, n_positions=64)
    hugging_face(root / "hf/gpt2", transformers.GPT2LMHeadModel(transformers.GPT2Config(**gpt2)), 50)
    hugging_face(root / "hf/gpt2_relu_inner", transformers.GPT2LMHeadModel(
        transformers.GPT2Config(**gpt2, n_inner=70, activation_function="relu", tie_word_embeddings=False)), 50)
    print(json.dumps({"transformers": transformers.__version__, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
