"""The temporal autoencoder in PyTorch, for autoencoders.py: SAELens 6.54's forward pass, which it does not train.

`z = relu(lam r W_dec^T)` of `r = x - b_dec`; attention over what came before predicts codes, scaled so that they write the
projection of `r` on them; novel codes are the k largest of what is left over; `x_hat = (novel + predicted) W_dec + b_dec`.
"""

import torch
import torch.nn.functional as F

N_POS, N_HEADS, BOTTLENECK = 128, 8, 64  # the last two as SAELens has them


def start(arch, data, target, d_sae, active):
    """SAELens' first values; `b_dec` is the mean."""
    torch.manual_seed(49)
    width = d_sae // BOTTLENECK
    p = {"W_dec": torch.randn(d_sae, data.shape[1]), "b_dec": data.mean(0)}
    for name, n_out, inverse in (("k", width, width // N_HEADS), ("q", width, width // N_HEADS),
                                 ("v", d_sae, d_sae // N_HEADS), ("o", d_sae, d_sae)):
        p[f"{name}.weight"] = F.normalize(torch.randn(n_out, d_sae), dim=-1) / inverse**0.5
        p[f"{name}.bias"] = (2 * torch.rand(n_out) - 1) / d_sae**0.5
    return {name: torch.nn.Parameter(value) for name, value in p.items()}


def project(p, arch):
    """Decoder rows are free."""


def prediction(p, x):
    """What the past leaves over of each position, and the codes that it predicts."""
    w_dec = p["W_dec"]
    r = x - p["b_dec"]
    z = F.relu((r / (4 * x.shape[1])) @ w_dec.T)
    now = z.view(-1, N_POS, len(w_dec))
    before = F.pad(now[:, :-1], (0, 0, 1, 0))

    def heads(codes, name):
        of_heads = F.linear(codes, p[f"{name}.weight"], p[f"{name}.bias"]).unflatten(-1, (N_HEADS, -1))
        return of_heads.transpose(1, 2)

    read = F.scaled_dot_product_attention(heads(now, "q"), heads(before, "k"), heads(before, "v"), is_causal=True)
    codes = F.relu(F.linear(read.transpose(1, 2).reshape(z.shape), p["o.weight"], p["o.bias"]))
    written = codes @ w_dec
    norm = written.norm(dim=-1, keepdim=True) + 1e-6
    scale = (written * r).sum(-1, keepdim=True) / norm.pow(2)
    return r - scale * written, codes * scale


def dense_loss(arch, k):
    def loss(p, x, y):
        left, predicted = prediction(p, x)
        novel = F.relu((left / (4 * x.shape[1])) @ p["W_dec"].T)
        values, places = torch.topk(novel, k, dim=-1, sorted=False)
        novel = torch.zeros_like(novel).scatter(-1, places, values)
        return (torch.addmm(p["b_dec"], novel + predicted, p["W_dec"]) - y).pow(2).sum() / len(x)

    return loss


class Novel(torch.autograd.Function):
    """What the novel codes write; backwards over their lists."""

    @staticmethod
    def forward(ctx, r, w_dec, k):
        n = len(r)
        values, cols = torch.topk((r / (4 * r.shape[1])) @ w_dec.T, k, dim=-1, sorted=False)
        values, cols, crow = torch.relu(values).flatten(), cols.flatten(), torch.arange(0, n * k + 1, k)
        ctx.save_for_backward(r, w_dec, values, cols, crow)
        return torch.sparse.mm(torch.sparse_csr_tensor(crow, cols, values, (n, len(w_dec))), w_dec)

    @staticmethod
    def backward(ctx, g):
        r, w_dec, values, cols, crow = ctx.saved_tensors
        csr = lambda v: torch.sparse_csr_tensor(crow, cols, v, (len(r), len(w_dec)))
        of_codes = torch.sparse.sampled_addmm(csr(torch.zeros_like(values)), g, w_dec.T, beta=0.0).values()
        of_codes = of_codes * (values > 0) / (4 * r.shape[1])
        order = torch.argsort(cols, stable=True)
        starts = torch.zeros(len(w_dec) + 1, dtype=torch.long)
        torch.cumsum(torch.bincount(cols, minlength=len(w_dec)), 0, out=starts[1:])
        tokens = order // (len(cols) // len(r))
        by_feature = lambda v: torch.sparse_csr_tensor(starts, tokens, v[order], (len(w_dec), len(r)))
        g_dec = torch.sparse.mm(by_feature(values), g) + torch.sparse.mm(by_feature(of_codes), r)
        return torch.sparse.mm(csr(of_codes), w_dec), g_dec, None


class Lists:
    """Attention by autograd, novel codes by lists. `x - x_hat` is what is left over less what the novel codes write: the
    reconstruction, and the predicted codes by themselves, are not needed."""

    def __init__(self, p, arch, k):
        self.p, self.k = p, k

    @torch.enable_grad()
    def __call__(self, x, y):
        left, _ = prediction(self.p, x)
        loss = (left - Novel.apply(left, self.p["W_dec"], self.k)).pow(2).sum() / len(x)
        grads = torch.autograd.grad(loss, list(self.p.values()))
        return loss.detach(), dict(zip(self.p, grads))
