"""One training step of each autoencoder in PyTorch, SAELens and sparsify: the peer of `sae_train` in workloads.rs.

    python autoencoders.py jumprelu --impl saelens|sparsify|dense|compiled|lists --peers ../shared/peers

Data, Adam and the measuring of other work are those of the peers' bench.py, which is imported from its folder.

saelens: the body of `SAETrainer.fit`; sparsify: `SparseCoder`, whose forward and backward pass its trainer calls, with
fused Adam. dense: autograd over dense matrices, the bias folded into the product; compiled: that, through
`torch.compile`. lists: gradients by hand, over lists of the active entries (CSR), with the encoder's product alone dense;
it starts, as ours does, where few features are active. `--check` compares its gradients with those of `dense`.

Transcoders with and without a skip, the crosscoder and the cross-layer transcoder are in maps.py, the temporal one in sequences.py.
"""

import argparse
import json
import os
import resource
import sys
import tempfile

ARCHITECTURES = ("standard", "topk", "abstopk", "jumprelu", "gated", "batchtopk", "matryoshka", "matching_pursuit",
                 "transcoder", "transcoder_skip", "crosscoder", "cross_layer", "temporal")
D_IN, D_SAE, K = 512, 4096, 32
WIDTHS = [256, 512, 1024, 2048, 4096]
THRESHOLD, BANDWIDTH, INIT_ACTIVE = 0.01, 0.05, 0.03
# Widths and features of those that have others.
SIZES = {"temporal": (256, 1024)}
SPARSITY = {"standard": 1.0, "gated": 1.0, "jumprelu": 0.05}


def module(arch):
    """Where it is, if not here."""
    if arch in ("transcoder", "transcoder_skip", "crosscoder", "cross_layer"):
        import maps

        return maps
    if arch == "temporal":
        import sequences

        return sequences
    return None


def start(data, arch, sparse, d_in=D_IN, d_sae=D_SAE):
    """Parameters by name, W_enc as `[d_sae, d_in]`. Random directions; `sparse`: biases such that each is active on a
    share of the data, where nothing but them decides."""
    import torch

    torch.manual_seed(49)
    w = torch.nn.functional.normalize(torch.randn(d_sae, d_in), dim=-1)
    p = {"W_enc": w.clone(), "W_dec": w.clone(), "b_enc": torch.zeros(d_sae), "b_dec": data.mean(0)}
    if arch in SPARSITY and sparse:
        pre = (data[:1024] - p["b_dec"]) @ w.T
        p["b_enc"] = -torch.quantile(pre, 1 - INIT_ACTIVE, dim=0)
    if arch == "jumprelu":
        p["theta"] = torch.full((d_sae,), THRESHOLD)
    if arch == "gated":
        p |= {"r_mag": torch.zeros(d_sae), "b_mag": p["b_enc"].clone()}
    if arch == "matching_pursuit":
        del p["W_enc"], p["b_enc"]
    return {name: torch.nn.Parameter(value) for name, value in p.items()}


def jump_functions():
    import torch

    class Jump(torch.autograd.Function):
        """`x` where it is above the threshold; straight through the rectangle for the threshold's gradient."""

        @staticmethod
        def forward(ctx, x, theta):
            ctx.save_for_backward(x, theta)
            return x * (x > theta)

        @staticmethod
        def backward(ctx, g):
            x, theta = ctx.saved_tensors
            near = ((x - theta).abs() < BANDWIDTH / 2).to(x.dtype)
            return g * (x > theta), -(theta / BANDWIDTH * near * g).sum(0)

    class Count(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, theta):
            ctx.save_for_backward(x, theta)
            return (x > theta).to(x.dtype)

        @staticmethod
        def backward(ctx, g):
            x, theta = ctx.saved_tensors
            near = ((x - theta).abs() < BANDWIDTH / 2).to(x.dtype)
            return torch.zeros_like(x), -(near / BANDWIDTH * g).sum(0)

    return Jump.apply, Count.apply


def dense_loss(arch, k):
    """The loss as a function of parameters, inputs and targets."""
    import torch
    import torch.nn.functional as F

    jump, count = jump_functions()

    def largest(acts, n, dim):
        values, places = torch.topk(acts if dim else acts.flatten(), n, dim=-1, sorted=False)
        kept = torch.zeros_like(acts if dim else acts.flatten()).scatter(-1, places, values)
        return kept.reshape(acts.shape)

    def pursuit(p, residual, steps):
        """The square of what is left over after so many steps; SAELens' stopping rules."""
        n, w_dec = residual.shape[0], p["W_dec"]
        tokens, done = torch.arange(n), torch.zeros(n, dtype=torch.bool)
        known = torch.zeros(n, w_dec.shape[0], dtype=torch.bool)
        for _ in range(steps):
            with torch.no_grad():
                best = (residual @ w_dec.T).argmax(1)
            w = w_dec[best]
            value = torch.where(done, 0.0, F.relu((residual * w).sum(-1)))
            residual = residual - value.unsqueeze(1) * w
            with torch.no_grad():
                done = done | known[tokens, best] | (residual.norm(dim=-1) < 0.01)
                known[tokens, best] = True
        return residual.pow(2).sum() / n

    def loss(p, x, y):
        n = x.shape[0]
        if arch == "matching_pursuit":
            return pursuit(p, x - p["b_dec"], k)
        linear = torch.addmm(-(p["W_enc"] @ p["b_dec"]), x, p["W_enc"].T)
        pre = linear + p["b_enc"]
        error = lambda acts, w=p["W_dec"], b=p["b_dec"]: (torch.addmm(b, acts, w) - y).pow(2).sum() / n
        if arch == "standard":
            acts = F.relu(pre)
            return error(acts) + SPARSITY[arch] * acts.sum() / n
        if arch == "topk":
            return error(largest(F.relu(pre), k, 1))
        if arch == "abstopk":
            places = torch.topk(pre.abs(), k, dim=-1, sorted=False).indices
            return error(torch.zeros_like(pre).scatter(-1, places, pre.gather(-1, places)))
        if arch == "batchtopk":
            return error(largest(F.relu(pre), k * n, 0))
        if arch == "jumprelu":
            return error(jump(pre, p["theta"])) + SPARSITY[arch] * count(pre, p["theta"]).sum() / n
        if arch == "gated":
            gate = F.relu(pre)
            magnitude = F.relu(p["r_mag"].exp() * linear + p["b_mag"])
            aux = error(gate, p["W_dec"].detach(), p["b_dec"].detach())
            return error((pre > 0) * magnitude) + SPARSITY[arch] * gate.sum() / n + aux
        acts, total, recons, before = largest(F.relu(pre), k * n, 0), 0.0, p["b_dec"], 0
        for width in WIDTHS:
            recons = recons + acts[:, before:width] @ p["W_dec"][before:width]
            total, before = total + (recons - y).pow(2).sum() / n, width
        return total

    return loss


class Lists:
    """Loss and gradients over the lists of active entries; nothing but the encoder's product is dense."""

    def __init__(self, p, arch, k):
        self.p, self.arch, self.k = p, arch, k

    def select(self, pre):
        """Which entries take part: `[n, d_sae]` of bool."""
        import torch

        if self.arch == "jumprelu":
            return pre > self.p["theta"] - BANDWIDTH / 2
        if self.arch == "abstopk":
            keep = torch.zeros_like(pre, dtype=torch.bool)
            return keep.scatter_(1, torch.topk(pre.abs(), self.k, dim=-1, sorted=False).indices, True)
        acts = torch.relu(pre)
        if self.arch == "topk":
            keep = torch.zeros_like(acts, dtype=torch.bool)
            keep.scatter_(1, torch.topk(acts, self.k, dim=-1, sorted=False).indices, True)
            return keep & (acts > 0)
        if self.arch in ("batchtopk", "matryoshka"):
            # Far above the least kept of a large sample lies nearly all: an upper bound first, then the exact top.
            n = self.k * acts.shape[0]
            places = torch.nonzero(acts.flatten() > self.floor(acts, n))[:, 0]
            values = acts.flatten()[places]
            keep = torch.zeros(acts.numel(), dtype=torch.bool)
            keep[places[torch.topk(values, min(n, len(values)), sorted=False).indices]] = True
            return keep.view_as(acts)
        return acts > 0

    def floor(self, acts, n):
        import torch

        sample = acts.flatten()[:: max(1, acts.numel() // 100_000)]
        share = min(1.0, 2.0 * n / acts.numel())
        return torch.quantile(sample, 1 - share).clamp(min=0.0)

    def __call__(self, x, y):
        import torch

        p, n, arch = self.p, x.shape[0], self.arch
        linear = torch.addmm(-(p["W_enc"] @ p["b_dec"]), x, p["W_enc"].T)
        pre = linear + p["b_enc"]
        mask = self.select(pre)
        rows, cols = mask.nonzero(as_tuple=True)
        crow = torch.zeros(n + 1, dtype=torch.long)
        torch.cumsum(mask.sum(1), 0, out=crow[1:])
        csr = lambda values: torch.sparse_csr_tensor(crow, cols, values, mask.shape)
        w_dec_t = p["W_dec"].T
        at = lambda g: torch.sparse.sampled_addmm(csr(torch.zeros(len(cols))), g, w_dec_t, beta=0.0).values()
        by_feature = lambda values: torch.zeros(len(p["b_enc"])).index_add_(0, cols, values)
        gate = pre[rows, cols]
        own, extra = {}, None
        if arch == "jumprelu":
            theta = p["theta"][cols]
            values = gate * (gate > theta)
        elif arch == "gated":
            scaled = p["r_mag"].exp()[cols] * linear[rows, cols]
            values = torch.relu(scaled + p["b_mag"][cols])
        else:
            values = gate
        if arch == "matryoshka":
            loss, g_values, g_dec, residual = self.nested(x.shape, rows, cols, values, y)
        else:
            acts = csr(values)
            residual = (torch.sparse.mm(acts, p["W_dec"]) + p["b_dec"] - y) * (2 / n)
            loss = residual.pow(2).sum() * (n / 4)
            g_values = at(residual)
            g_dec = torch.sparse.mm(acts.t().to_sparse_csr(), residual)
        g_pre, g_linear = g_values, None
        if arch == "standard":
            g_pre = g_values + SPARSITY[arch] / n
            loss = loss + SPARSITY[arch] * values.sum() / n
        elif arch == "jumprelu":
            near = ((gate - theta).abs() < BANDWIDTH / 2).to(gate.dtype)
            own["theta"] = by_feature(-near / BANDWIDTH * (theta * g_values + SPARSITY[arch] / n))
            loss = loss + SPARSITY[arch] * (gate > theta).sum() / n
            g_pre = g_values * (gate > theta)
        elif arch == "gated":
            aux = (torch.sparse.mm(csr(gate), p["W_dec"]) + p["b_dec"] - y) * (2 / n)
            loss = loss + aux.pow(2).sum() * (n / 4) + SPARSITY[arch] * gate.sum() / n
            g_gate = at(aux) + SPARSITY[arch] / n
            g_magnitude = g_values * (values > 0)
            own |= {"b_mag": by_feature(g_magnitude), "r_mag": by_feature(g_magnitude * scaled)}
            g_pre, g_linear = g_gate, g_gate + g_magnitude * p["r_mag"].exp()[cols]
        g_linear = g_pre if g_linear is None else g_linear
        into = csr(g_linear).t().to_sparse_csr()
        total = by_feature(g_linear)
        grads = {"W_enc": torch.sparse.mm(into, x).addr_(total, p["b_dec"], alpha=-1), "W_dec": g_dec,
                 "b_enc": by_feature(g_pre), "b_dec": residual.sum(0) - total @ p["W_enc"], **own}
        return loss, grads

    def nested(self, shape, rows, cols, values, y):
        """Of each dictionary its residual; what an entry sees is the sum over the dictionaries it is in."""
        import torch

        p, n = self.p, shape[0]
        parts, residuals, recons, before = [], [], p["b_dec"] - y, 0
        for width in WIDTHS:
            mine = (cols >= before) & (cols < width)
            crow = torch.zeros(n + 1, dtype=torch.long)
            torch.cumsum(torch.bincount(rows[mine], minlength=n), 0, out=crow[1:])
            part = torch.sparse_csr_tensor(crow, cols[mine] - before, values[mine], (n, width - before))
            recons = recons + torch.sparse.mm(part, p["W_dec"][before:width])
            residuals.append(recons * (2 / n))
            parts.append((mine, part, before, width))
            before = width
        loss = sum(r.pow(2).sum() for r in residuals) * (n / 4)
        g_values, g_dec, seen = torch.zeros(len(cols)), torch.empty_like(p["W_dec"]), 0
        for (mine, part, low, high), residual in zip(reversed(parts), reversed(residuals)):
            seen = seen + residual
            empty = torch.sparse_csr_tensor(part.crow_indices(), part.col_indices(), torch.zeros(part._nnz()), part.shape)
            g_values[mine] = torch.sparse.sampled_addmm(empty, seen, p["W_dec"][low:high].T, beta=0.0).values()
            g_dec[low:high] = torch.sparse.mm(part.t().to_sparse_csr(), seen)
        return loss, g_values, g_dec, seen


def project(p):
    """Decoder rows of unit length, and their gradient without what would lengthen them."""
    import torch

    w = p["W_dec"]
    w.data.div_(w.data.norm(dim=-1, keepdim=True))
    along = torch.linalg.vecdot(w.grad, w.data).unsqueeze(-1)
    w.grad.addcmul_(w.data, along, value=-1.0)


def own_step(bench, args, pool):
    """Dense, compiled or over lists: one step of Adam."""
    import torch

    other, sparse = module(args.arch), args.impl == "lists"
    if other:
        p = other.start(args.arch, *pool[0], SIZES.get(args.arch, (D_IN, D_SAE))[1], INIT_ACTIVE)
        held = lambda: other.project(p, args.arch)
    else:
        p = start(pool[0][0], args.arch, sparse)
        held = lambda: project(p)
    adam, _ = bench.make_adamw(list(p.values()), lr=1e-4, cls="Adam", betas=(0.9, 0.99))
    if sparse:
        lists = (other.Lists if other else Lists)(p, args.arch, K)

        @torch.no_grad()
        def step(x, y):
            loss, grads = lists(x, y)
            for name, g in grads.items():
                p[name].grad = g
            held()
            adam.step()
            step.l0 = getattr(lists, "l0", None)
            return loss

        return step
    loss_of = (other.dense_loss if other else dense_loss)(args.arch, K)
    if args.impl == "compiled":
        loss_of = torch.compile(loss_of)

    def step(x, y):
        loss = loss_of(p, x, y)
        loss.backward()
        with torch.no_grad():
            held()
        adam.step()
        adam.zero_grad()
        return loss.detach()

    return step


def saelens_step(args):
    import torch
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.registry import get_sae_training_class
    from sae_lens.training.sae_trainer import SAETrainer

    name = {"matryoshka": "matryoshka_batchtopk"}.get(args.arch, args.arch)
    more = {"standard": {"l1_coefficient": SPARSITY["standard"]}, "gated": {"l1_coefficient": SPARSITY["gated"]},
            "jumprelu": {"l0_coefficient": SPARSITY["jumprelu"]}, "topk": {"k": K}, "batchtopk": {"k": float(K)},
            "abstopk": {"k": K}, "matching_pursuit": {"max_iterations": K},
            "matryoshka": {"k": float(K), "matryoshka_widths": list(WIDTHS)}}[args.arch]
    torch.manual_seed(49)
    made, config = get_sae_training_class(name)
    sae = made(config(d_in=D_IN, d_sae=D_SAE, device="cpu", **more))
    cfg = SAETrainerConfig(total_training_samples=10**9, train_batch_size_samples=args.batch, lr=1e-4, lr_end=1e-5,
                           adam_beta1=0.9, adam_beta2=0.99, device="cpu", autocast=False,
                           logger=LoggingConfig(log_to_wandb=False))
    trainer = SAETrainer(cfg=cfg, sae=sae, data_provider=iter(()))

    def step(x, _):  # the body of SAETrainer.fit without logs and checkpoints
        trainer.maybe_reset_sparsity()
        out = trainer.step(x)
        trainer.n_training_steps += 1
        return out.loss.detach()

    return step


def sparsify_step(bench, args):
    os.environ["SPARSIFY_DISABLE_TRITON"] = "1"  # its kernels are for GPUs
    import torch
    from sparsify.config import SparseCoderConfig
    from sparsify.sparse_coder import SparseCoder

    torch.manual_seed(49)
    transcode = args.arch != "topk"
    coder = SparseCoder(D_IN, SparseCoderConfig(num_latents=D_SAE, k=K, transcode=transcode,
                                                normalize_decoder=not transcode,
                                                skip_connection=args.arch == "transcoder_skip"), device="cpu", dtype=torch.float32)
    adam, _ = bench.make_adamw(coder.parameters(), lr=1e-4, cls="Adam", betas=(0.9, 0.99))

    def step(x, y):
        if coder.cfg.normalize_decoder:
            coder.set_decoder_norm_to_unit_norm()
        out = coder(x, y)
        out.fvu.backward()
        if coder.cfg.normalize_decoder:
            coder.remove_gradient_parallel_to_decoder_directions()
        adam.step()
        adam.zero_grad()
        return out.fvu.detach()

    return step


def check():
    """Gradients over lists against autograd, in float64 on a small case."""
    import warnings

    import torch

    warnings.filterwarnings("ignore", message="Sparse")
    torch.set_default_dtype(torch.float64)
    global WIDTHS, BANDWIDTH
    WIDTHS, BANDWIDTH = [16, 40, 96], 0.3
    here, sequences = sys.modules[__name__], module("temporal")
    sequences.N_POS, sequences.N_HEADS, sequences.BOTTLENECK = 16, 2, 4
    data, target = torch.randn(64, 24), torch.randn(64, 24)
    for arch in ARCHITECTURES:
        if arch == "matching_pursuit":
            continue  # there are no lists of it
        other = module(arch)
        p = other.start(arch, data, target, 96, INIT_ACTIVE) if other else start(data, arch, True, 24, 96)
        for value in p.values():
            value.data += 0.1 * torch.randn_like(value)
        if arch == "jumprelu":
            p["theta"].data.abs_()
        y = target if arch in ("transcoder", "transcoder_skip", "cross_layer") else data
        loss = (other or here).dense_loss(arch, 5)(p, data, y)
        loss.backward()
        with torch.no_grad():
            found, grads = (other or here).Lists(p, arch, 5)(data, y)
        assert set(grads) == set(p), (arch, set(grads) ^ set(p))
        # The bias of an attention's keys has a gradient of 0.
        size = lambda g: g.abs().max().clamp(min=1e-6)
        difference = max(((grads[k] - p[k].grad).abs().max() / size(p[k].grad)).item() for k in p)
        print(f"{arch:15} loss {loss.item():.6f} {found.item():.6f}, gradients differ by {difference:.1e} at most")
        assert abs(loss.item() - found.item()) < 1e-9 * loss.item() and difference < 1e-9


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("arch", choices=ARCHITECTURES, nargs="?")
    ap.add_argument("--impl", choices=("saelens", "sparsify", "dense", "compiled", "lists"), default="saelens")
    ap.add_argument("--check", action="store_true")
    ap.add_argument("--peers", help="the folder of the peers' bench.py")
    ap.add_argument("--batch", type=int, default=1024)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--repeats", type=int, default=3)
    ap.add_argument("--repeat-s", type=float, default=2.0)
    ap.add_argument("--alloc", choices=("default", "tuned"), default="default")
    args = ap.parse_args()
    if args.check:
        return check()
    if args.arch in ("transcoder", "transcoder_skip", "crosscoder", "cross_layer", "temporal") and args.impl == "saelens":
        ap.error(f"SAELens does not train {args.arch}")
    if args.arch == "matching_pursuit" and args.impl == "lists":
        ap.error("there are no lists of matching pursuit: its steps follow one another")
    if args.arch not in ("topk", "transcoder", "transcoder_skip") and args.impl == "sparsify":
        ap.error("sparsify has TopK alone, of one site")
    sys.path.insert(0, args.peers)
    import bench

    if args.alloc == "tuned" and os.environ.get("BENCH_ALLOC") != "tuned":
        os.execve(sys.executable, [sys.executable] + sys.argv, dict(os.environ, BENCH_ALLOC="tuned", **bench.ALLOC_ENV))
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(args.threads)
    if args.impl == "compiled":
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp()
    import warnings

    import torch

    warnings.filterwarnings("ignore", message="Sparse")
    torch.set_num_threads(args.threads)
    pool = [(x, x) for x in bench.sae_pool(SIZES.get(args.arch, (D_IN, D_SAE))[0], args.batch, 8)]
    if args.arch in ("transcoder", "transcoder_skip", "cross_layer"):  # an output that is a function of the input, as wide
        w = torch.randn(D_IN, D_IN, generator=torch.Generator().manual_seed(3)) / D_IN**0.5
        if args.arch == "cross_layer":  # of a layer and those before it
            w[D_IN // 2:, : D_IN // 2] = 0
        pool = [(x, torch.relu(x @ w)) for x, _ in pool]
    if args.arch in ("crosscoder", "cross_layer", "temporal"):  # as our training scales them
        scaled = lambda rows: rows * (rows.shape[1] ** 0.5 / rows.norm(dim=-1).mean())
        pool = [(scaled(x), scaled(y)) for x, y in pool]
    step = {"saelens": lambda: saelens_step(args), "sparsify": lambda: sparsify_step(bench, args)}.get(
        args.impl, lambda: own_step(bench, args, pool))()
    batches = bench.cycle(pool)
    losses = [step(*next(batches)).item() for _ in range(16)]
    # `measure` also reads these.
    args.warmup, args.steps, args.budget_s = 4, 0, 100.0
    rates, meta = bench.measure(lambda: step(*next(batches)), args)
    losses.append(step(*next(batches)).item())
    rates = sorted(r * args.batch for r in rates)
    print(json.dumps({
        "bench": f"sae_train/{args.arch}", "label": args.impl + ("-alloc" if args.alloc == "tuned" else ""),
        "metric": "tokens_per_s", "median": round(rates[len(rates) // 2], 1), "min": round(rates[0], 1),
        "max": round(rates[-1], 1), "loss_first": round(losses[0], 4), "loss_last": round(losses[-1], 4),
        "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "contention": meta["contention"],
        **({"l0": round(step.l0, 1)} if getattr(step, "l0", None) else {}),
    }), flush=True)


if __name__ == "__main__":
    main()
