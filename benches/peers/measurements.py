"""SAEBench's own functions and Holoscope's measurements on the same small model, autoencoder and rows.

    cargo build --locked --workspace --example peers
    python benches/peers/measurements.py [--ours target/debug/examples/peers] [--keep FOLDER]

It needs torch, transformer-lens, sae-lens 6.54 and sae-bench 0.6 (`pip install --no-deps sae-bench sae-probes`, and
`pip install scikit-learn tabulate collectibles loguru`), no network, no data set: a 2-layer model is trained for a minute on
texts of four topics, a standard autoencoder on one of its residual streams, and SAEBench's functions are given tokens
and activations in the place of downloads. Everything is written to a temporary folder, which Holoscope reads, too.

The last column says what the number should be: the definition, computed here in float64, where the package departs from
it; else "the package's".
"""

import argparse
import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

# SAEBench's annotations of `train_probe_on_activations` and `train_sklearn_probe` give one name to two sizes, which
# jaxtyping 0.3 refuses when the one calls the other.
os.environ["JAXTYPING_DISABLE"] = "1"

import numpy as np
import torch
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
HOOK, LAYER, D_MODEL, D_SAE, VOCAB, N_CTX = "blocks.0.hook_resid_post", 0, 64, 256, 96, 32
N_ABLATED = [2, 5, 10]
KS = [1, 2, 5]


def texts(n, generator):
    """Sequences of one of four topics: a chain over the tokens, half of whose steps prefer the topic's own tokens. The
    topic is two bits; `[n, N_CTX]` and `[n]`."""
    fixed = torch.Generator().manual_seed(5)
    chain = torch.softmax(3 * torch.randn(VOCAB, VOCAB, generator=fixed), -1)
    own = torch.softmax(2.0 * torch.randn(2, 2, VOCAB, generator=fixed), -1)
    topics = torch.randint(0, 4, (n,), generator=generator)
    prefer = (own[0, topics & 1] + own[1, topics >> 1]) / 2
    tokens = torch.zeros(n, N_CTX, dtype=torch.long)
    tokens[:, 0] = torch.randint(0, VOCAB, (n,), generator=generator)
    for t in range(1, N_CTX):
        step = chain[tokens[:, t - 1]] + 0.6 * prefer
        tokens[:, t] = torch.multinomial(step, 1, generator=generator)[:, 0]
    return tokens, topics


def new_model():
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    return HookedTransformer(HookedTransformerConfig(
        n_layers=2, d_model=D_MODEL, n_ctx=N_CTX, d_head=16, n_heads=4, d_vocab=VOCAB, d_mlp=256, act_fn="gelu_new",
        normalization_type="LN", device="cpu", seed=0))


def trained_model(generator, steps):
    model = new_model()
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(steps):
        loss = model(texts(64, generator)[0], return_type="loss")
        adam.zero_grad()
        loss.backward()
        adam.step()
    print(f"model: loss {loss.item():.3f}", file=sys.stderr)
    return model.eval()


def trained_sae(acts, steps):
    """A standard autoencoder by SAELens' trainer."""
    from sae_lens import StandardTrainingSAE, StandardTrainingSAEConfig
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.saes.sae import SAEMetadata
    from sae_lens.training.sae_trainer import SAETrainer

    torch.manual_seed(3)
    sae = StandardTrainingSAE(StandardTrainingSAEConfig(
        d_in=D_MODEL, d_sae=D_SAE, l1_coefficient=1.0, device="cpu",
        metadata=SAEMetadata(model_name="topics", hook_name=HOOK)))

    def batches():
        while True:
            yield acts[torch.randint(0, len(acts), (1024,))]

    cfg = SAETrainerConfig(total_training_samples=steps * 1024, train_batch_size_samples=1024, lr=3e-3, lr_end=3e-4,
                           adam_beta1=0.9, adam_beta2=0.99, device="cpu", autocast=False,
                           lr_scheduler_name="constant", lr_warm_up_steps=0, lr_decay_steps=0, n_restart_cycles=1,
                           n_checkpoints=0, checkpoint_path=None, save_final_checkpoint=False,
                           dead_feature_window=1000, feature_sampling_window=2000,
                           logger=LoggingConfig(log_to_wandb=False))
    with contextlib.redirect_stdout(io.StringIO()):
        SAETrainer(cfg=cfg, sae=sae, data_provider=batches()).fit()
    return sae


def load(folder):
    from sae_lens import SAE

    model = new_model().eval()
    model.load_state_dict(load_file(folder / "model/model.safetensors"))
    arrays = load_file(folder / "arrays.safetensors")
    arrays = {k: v.long() if v.dtype == torch.uint32 else v for k, v in arrays.items()}
    return model, SAE.load_from_disk(str(folder / "sae")), arrays


def make(folder, quick):
    """Model, autoencoder and arrays, in the folder."""
    generator = torch.Generator().manual_seed(11)
    torch.manual_seed(0)
    model = trained_model(generator, 100 if quick else 1000)

    @torch.no_grad()
    def stream(tokens):
        return model.run_with_cache(tokens, names_filter=HOOK, stop_at_layer=LAYER + 1)[1][HOOK]

    sae = trained_sae(stream(texts(2048, generator)[0]).reshape(-1, D_MODEL), 300 if quick else 3000)
    sae.save_inference_model(folder / "sae")
    (folder / "model").mkdir()
    (folder / "model/config.json").write_text(json.dumps(model.cfg.to_dict(), default=str))
    save_file({k: v.contiguous().clone() for k, v in model.state_dict().items()}, folder / "model/model.safetensors")
    arrays = {"tokens": texts(64, generator)[0], "mdl_x": stream(texts(64, generator)[0]).reshape(-1, D_MODEL)}
    for half, n in [("train", 500), ("test", 250)]:
        tokens, topics = texts(8 * n, generator)
        x = stream(tokens)[:, -1]
        # As many rows of each topic; the first bit alone for two classes.
        rows = torch.cat([torch.nonzero(topics == t)[:n, 0] for t in range(4)])
        assert len(rows) == 4 * n
        arrays |= {f"four_{half}_x": x[rows], f"four_{half}_labels": topics[rows],
                   f"two_{half}_x": x[rows], f"two_{half}_labels": topics[rows] & 1}
    save_file({k: (v.to(torch.uint32) if v.dtype == torch.long else v).contiguous() for k, v in arrays.items()},
              folder / "arrays.safetensors")



# ------------------------------------------------------------------------------------------------ SAEBench's functions
def core(model, sae, tokens):
    from sae_bench.evals.core import main as evals

    sae.cfg.hook_name, sae.cfg.hook_layer, sae.cfg.hook_head_index = HOOK, LAYER, None

    class Store:
        def __init__(self):
            self.at = 0

        def get_batch_tokens(self, n):
            self.at += n
            return tokens[self.at - n:self.at]

    n_batches = len(tokens) // 16
    with torch.no_grad():
        losses = evals.get_downstream_reconstruction_metrics(
            sae, model, Store(), compute_kl=True, compute_ce_loss=True, n_batches=n_batches, eval_batch_size_prompts=16)
        sparsity, by_feature = evals.get_sparsity_and_variance_metrics(
            sae, model, Store(), n_batches=n_batches, compute_l2_norms=True, compute_sparsity_metrics=True,
            compute_variance_metrics=True, compute_featurewise_density_statistics=True, eval_batch_size_prompts=16,
            model_kwargs={})
        weights = evals.get_featurewise_weight_based_metrics(SimpleNamespace(
            W_enc=sae.W_enc, W_dec=sae.W_dec, b_enc=sae.b_enc,
            cfg=SimpleNamespace(d_sae=D_SAE, architecture_str="standard")))
    density = torch.tensor(by_feature["feature_density"])
    return losses | sparsity | {
        "dead_share": (density == 0).float().mean().item(),
        "freq_over_1_percent": (density > 0.01).float().mean().item(),
        "freq_over_10_percent": (density > 0.1).float().mean().item(),
        "mean_max_decoder_cosine": float(np.mean(weights["max_decoder_cosine_sim"])),
        "mean_max_encoder_cosine": float(np.mean(weights["max_encoder_cosine_sim"])),
    }


def core_definitions(model, sae, tokens):
    """The definitions where SAEBench departs from them, float64."""
    with torch.no_grad():
        x = model.run_with_cache(tokens, names_filter=HOOK)[1][HOOK].reshape(-1, D_MODEL)
        x_hat = sae.decode(sae.encode(x))
    x, x_hat = x.double(), x_hat.double()
    error = (x - x_hat).pow(2).sum(-1)
    return {"explained_variance": (1 - error.sum() / (x - x.mean(0)).pow(2).sum()).item(), "mse": error.mean().item(),
            "relative_reconstruction_bias": (x_hat.pow(2).sum() / (x * x_hat).sum()).item()}


def by_class(arrays, name, half, n_classes):
    x, labels = arrays[f"{name}_{half}_x"], arrays[f"{name}_{half}_labels"]
    return {str(c): x[labels == c] for c in range(n_classes)}


def sparse_probing(sae, arrays, name, n_classes, seed=0):
    """Mean test accuracy over the classes for each k, of features, of neurons, and of the whole activation."""
    from sae_bench.evals.sparse_probing import probe_training

    with torch.no_grad():
        halves = [by_class(arrays, name, half, n_classes) for half in ("train", "test")]
        features = [{c: sae.encode(x) for c, x in half.items()} for half in halves]

    def mean_accuracy(train, test, k):
        torch.manual_seed(seed)
        with contextlib.redirect_stdout(io.StringIO()):
            _, accuracies = probe_training.train_probe_on_activations(train, test, select_top_k=k, use_sklearn=True)
        return float(np.mean(list(accuracies.values())))

    return ({k: mean_accuracy(*features, k) for k in KS}, {k: mean_accuracy(*halves, k) for k in KS},
            mean_accuracy(*halves, None))


def converged_probes(train, chosen, perform_scr):
    """Logistic regressions, fitted to convergence, in the package's form."""
    from sae_bench.evals.sparse_probing import probe_training
    from sklearn.linear_model import LogisticRegression

    probes = {}
    for name in chosen:
        x, y = probe_training.prepare_probe_data(train, name, perform_scr)
        fitted = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(x.double().numpy(), y.numpy())
        # The positive class has the label 0 or 1; the probe's log-odds are those of 1 in both.
        probes[name] = probe_training.Probe(x.shape[1], torch.float32)
        probes[name].net.weight.data = torch.tensor(fitted.coef_, dtype=torch.float32)
        probes[name].net.bias.data = torch.tensor(fitted.intercept_, dtype=torch.float32)
    return probes


def probes_and_ablations(sae, train, test, chosen, perform_scr, converged):
    """What `run_eval_single_dataset` does behind the download."""
    from sae_bench.evals.scr_and_tpp import main as evals
    from sae_bench.evals.sparse_probing import probe_training

    torch.manual_seed(0)
    with contextlib.redirect_stdout(io.StringIO()):
        if converged:
            probes = converged_probes(train, chosen, perform_scr)
        else:
            probes, _ = probe_training.train_probe_on_activations(
                train, test, select_top_k=None, use_sklearn=False, batch_size=16, epochs=20, lr=1e-3,
                perform_scr=perform_scr, early_stopping_patience=20, l1_penalty=1e-3)
        with torch.no_grad():
            clean = evals.get_probe_test_accuracy(probes, chosen, test, 500, perform_scr)
            sequences = [{c: x[:, None] for c, x in half.items()} for half in (train, test)]
            effects = evals.get_all_node_effects_for_one_sae(sae, probes, chosen, perform_scr, sequences[0], 125)
            ablated = evals.perform_feature_ablations(
                probes, sae, 125, sequences[1], effects, N_ABLATED, chosen, 500, perform_scr)
    return clean, ablated


def tpp(sae, arrays, converged=False):
    from sae_bench.evals.scr_and_tpp import main as evals

    train, test = (by_class(arrays, "four", half, 4) for half in ("train", "test"))
    clean, ablated = probes_and_ablations(sae, train, test, list(train), False, converged)
    overall, _ = evals.create_tpp_plotting_dict(ablated, clean)
    return {n: overall[f"tpp_threshold_{n}_total_metric"] for n in N_ABLATED}


def scr(sae, arrays, converged=False):
    """The first bit is the profession, the second the gender, by SAEBench's names of the classes."""
    from sae_bench.evals.scr_and_tpp import main as evals
    from sae_bench.sae_bench_utils.dataset_info import PAIRED_CLASS_KEYS

    def half(name):
        x, labels = arrays[f"four_{name}_x"], arrays[f"four_{name}_labels"]
        nurse, female = (labels & 1) == 1, (labels & 2) == 2
        of = {"male / female": ~female, "female_data_only": female, "professor / nurse": ~nurse,
              "nurse_data_only": nurse, "male_professor / female_nurse": ~nurse & ~female,
              "female_nurse_data_only": nurse & female}
        return {key: x[mask] for key, mask in of.items()}

    clean, ablated = probes_and_ablations(sae, half("train"), half("test"), list(PAIRED_CLASS_KEYS), True, converged)
    with contextlib.redirect_stdout(io.StringIO()):
        found = evals.get_scr_plotting_dict(ablated, clean)
    return {n: found.get(f"scr_metric_threshold_{n}", float("nan")) for n in N_ABLATED}


def absorption(sae, arrays, ours):
    """SAEBench's calculator on the rows that our probe recognises, with that probe and our main features."""
    from sae_bench.evals.absorption.feature_absorption_calculator import FeatureAbsorptionCalculator

    direction = torch.tensor(ours["probe"])
    x = arrays["two_test_x"][arrays["two_test_labels"] == 0]
    x = x[x.double() @ direction.double() + ours["intercept"] > 0]

    class Rows:
        """Answers a prompt, whose word is a number in letters, with the row of that number."""

        def to_tokens(self, text):
            return torch.zeros(1, 4)

        def run_with_cache(self, prompts, names_filter):
            words = [prompt.split(":")[-2].split("\n")[-1].strip() for prompt in prompts]
            rows = [int("".join(str(ord(letter) - 97) for letter in word)) for word in words]
            return None, {names_filter[0]: x[rows][:, None].expand(-1, 4, -1)}

    calculator = FeatureAbsorptionCalculator(model=Rows(), icl_word_list=[], max_icl_examples=0, batch_size=50)
    words = ["".join(chr(97 + int(digit)) for digit in str(i)) for i in range(len(x))]
    with contextlib.redirect_stderr(io.StringIO()):
        found = calculator.calculate_absorption(
            sae, words, direction.float(), ours["features"], layer=LAYER, show_progress=False)
    words = found.word_results
    return len(words), np.mean([w.is_full_absorption for w in words]), np.mean([w.absorption_fraction for w in words])


def mdl(sae, x, n_bins):
    """`calculate_dl` with the bins that `run_eval_single_sae` gives it, and with those of the definition."""
    from loguru import logger
    from sae_bench.evals.mdl import main as evals

    logger.remove()
    # The package calls .cuda() whatever the device is.
    torch.Tensor.cuda = lambda self, *a, **kw: self
    evals.config = SimpleNamespace(sae_batch_size=1)

    class Store:
        def get_filtered_llm_batch(self):
            return x

    with torch.no_grad():
        acts = sae.encode(x)

        def bits(most):
            bins = evals.build_bins(torch.zeros(D_SAE), most, num_bins=n_bins)
            with contextlib.redirect_stderr(io.StringIO()):
                return evals.calculate_dl(D_SAE, bins, "cpu", Store(), sae, k=None)

        theirs = bits(torch.maximum(acts.max(0).values, torch.tensor(100.0)))
        a = acts.double().numpy()
    on = (a > 0).mean(0)
    total = 0.0
    for f in range(D_SAE):
        entropy = lambda p: -sum(q * np.log2(q) for q in p if q > 0)
        total += entropy([on[f], 1 - on[f]])
        if on[f] > 0:
            active = a[:, f][a[:, f] > 0]
            place = np.minimum((active / active.max() * n_bins).astype(int), n_bins - 1)
            total += on[f] * entropy(np.bincount(place, minlength=n_bins) / len(active))
    return theirs, total


def meta_structure(sae, quick):
    from sae_bench.evals.meta_structure import main as evals
    from sae_bench.evals.meta_structure.eval_config import MetaStructureEvalConfig

    config = MetaStructureEvalConfig(dtype="float32", train_steps=300 if quick else 3000, train_batch_size=256)
    config.k = 4
    torch.manual_seed(0)
    decoder = sae.W_dec.detach().contiguous()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        trained, _ = evals._train_meta_structure_on_decoder(decoder, 32, config, "cpu")
    return evals._decoder_variance_metrics(trained, decoder, 256)[0]


# ------------------------------------------------------------------------------------------------------------ the table
PACKAGE = "the package's"


def rows(model, sae, arrays, ours, quick):
    theirs, right = core(model, sae, arrays["tokens"]), core_definitions(model, sae, arrays["tokens"])
    names = {"ce_loss_score": "ce_recovered_zero", "kl_div_score": "kl_recovered_zero", "ce_loss_without_sae": "ce_loss",
             "ce_loss_with_ablation": "ce_loss_with_zero_ablation", "kl_div_with_sae": "kl_with_sae",
             "kl_div_with_ablation": "kl_with_zero_ablation"}
    for metric, value in theirs.items():
        if metric in ("l2_norm_in", "l2_norm_out", "explained_variance_legacy"):
            continue
        mine = ours["core"][names.get(metric, metric)]
        if metric in ("explained_variance", "mse"):
            yield (f"core {metric}", value, ours["core"][f"saebench_{metric}"], "not the definition", "saebench_" + metric)
        yield f"core {metric}", value, mine, right.get(metric, PACKAGE), names.get(metric, metric)
    for name, n in [("two", 2), ("four", 4)]:
        features, neurons, full = sparse_probing(sae, arrays, name, n)
        drawn = [] if n == 2 else [sparse_probing(sae, arrays, name, n, seed)[0] for seed in range(8)]
        for k in KS:
            note = PACKAGE
            if drawn:
                of = [accuracies[k] for accuracies in drawn]
                note = f"{PACKAGE}, by the negatives drawn {min(of):.4g} to {max(of):.4g}"
            yield f"sparse probing, {n} classes, k = {k}", features[k], ours[f"sparse_probing_{name}"][str(k)], note, ""
        if n == 2:
            for k in KS:
                yield (f"sparse probing, 2 classes, {k} neurons", neurons[k], ours["sparse_probing_two_neurons"][str(k)],
                       PACKAGE, "")
            yield "probe on the whole activation, 2 classes", full, ours["sparse_probing_two_full"], PACKAGE, ""
    for metric, of in [("tpp", tpp), ("scr", scr)]:
        found, right = of(sae, arrays), of(sae, arrays, converged=True)
        for n in N_ABLATED:
            yield f"{metric}, {n} features", found[n], ours[metric][str(n)], right[n], ""
    n, full, fraction = absorption(sae, arrays, ours["absorption"])
    yield "absorption, rows", n, ours["absorption"]["n"], PACKAGE, ""
    yield "absorption, full", full, ours["absorption"]["full"], PACKAGE, ""
    yield "absorption, fraction", fraction, ours["absorption"]["fraction"], PACKAGE, ""
    for n_bins, bits in ours["mdl"]:
        package, definition = mdl(sae, arrays["mdl_x"], n_bins)
        yield f"description length, {n_bins} bins, bits a token", package, bits, definition, ""
    yield ("meta structure, explained variance", meta_structure(sae, quick), ours["meta_structure"],
           "ours: matching pursuit, theirs: a trained encoder", "")


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--ours", default=ROOT / "target/debug/examples/peers", help="our workloads, built")
    ap.add_argument("--keep", help="a folder for model, autoencoder and arrays, used again if they are there")
    ap.add_argument("--quick", action="store_true", help="a model and an autoencoder that are hardly trained")
    args = ap.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.keep or temporary)
        folder.mkdir(exist_ok=True)
        if not (folder / "arrays.safetensors").exists():
            make(folder, args.quick)
        model, sae, arrays = load(folder)
        done = subprocess.run([args.ours, "measurements", folder], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        ours = json.loads(done.stdout.splitlines()[-1])
        print("| metric | SAEBench 0.6 | Holoscope | difference | right |")
        print("|---|---|---|---|---|")
        for metric, package, mine, right, name in rows(model, sae, arrays, ours, args.quick):
            mine = float("nan") if mine is None else mine  # JSON has none
            right = right if isinstance(right, str) else f"{right:.6g}"
            name = f"{metric} (ours: {name})" if name and name not in metric else metric
            print(f"| {name} | {package:.6g} | {mine:.6g} | {mine - package:.1e} | {right} |", flush=True)


if __name__ == "__main__":
    main()
