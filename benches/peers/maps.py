"""Skip transcoder, crosscoder and cross-layer transcoder in PyTorch, for autoencoders.py: sparse maps, features in blocks.

`acts_b = act(x[reads_b] W_enc_b^T + b_enc_b)`, `y_hat = b_dec + x W_skip + sum_b acts_b W_dec_b` from column `first_b` on.
The two that have no TopK have ReLU and L1, and decoder rows whose lengths at the sites sum to 1, so that the crosscoder's
penalty `acts_j sum_s |W_dec_s[j]|` is `acts_j`.
"""

import torch
import torch.nn.functional as F

L1 = {"crosscoder": 1.5, "cross_layer": 1.5}  # the default of our training
SITES = {"crosscoder": 2}


def blocks(arch, d):
    """Of each block the columns that it reads and the first that it writes; it writes all from there on."""
    if arch == "cross_layer":
        return [(slice(0, d // 2), 0), (slice(d // 2, d), d // 2)]
    return [(slice(0, d), 0)]


def unit(w, sites):
    """Rows scaled to lengths that sum to 1, in place; the lengths that the sites then have."""
    norms = w.unflatten(1, (sites, -1)).norm(dim=-1)
    total = norms.sum(1, keepdim=True)
    w.div_(total)
    return norms.div_(total)


def start(arch, data, target, d_sae, active):
    """Random directions, and biases such that each feature is active on a share of the data, where nothing but them
    decides. Decoders: the crosscoder's is its encoder, the cross-layer transcoder's what the target has more of where a
    feature is active, as where our training starts; the skip transcoder's is 0, as sparsify's."""
    torch.manual_seed(49)
    d = data.shape[1]
    parts = blocks(arch, d)
    p = {"b_dec": target.mean(0)}
    for b, (reads, first) in enumerate(parts):
        w = torch.randn(d_sae // len(parts), reads.stop - reads.start)
        unit(w, SITES.get(arch, 1))
        pre, b_enc, w_dec = data[:1024, reads] @ w.T, torch.zeros(len(w)), torch.zeros(len(w), d)
        if arch in L1:
            b_enc = -torch.quantile(pre, 1 - active, dim=0)
        if arch == "crosscoder":
            w_dec = w.clone()
        if arch == "cross_layer":
            w_dec = torch.relu(pre + b_enc).T @ (target - p["b_dec"])[:1024, first:]
            unit(w_dec, 1)
        p |= {f"W_enc.{b}": w, f"b_enc.{b}": b_enc, f"W_dec.{b}": w_dec}
    if arch == "transcoder_skip":
        p["W_skip"] = torch.zeros(d, d)
    return {name: torch.nn.Parameter(value) for name, value in p.items()}


def project(p, arch):
    """Decoder rows whose lengths sum to 1, and their gradient without what would change the sum; sparsify's transcoders
    leave them free."""
    if arch not in L1:
        return
    sites = SITES.get(arch, 1)
    for name in p:
        if name.startswith("W_dec"):
            norms = unit(p[name].data, sites).unsqueeze(-1)
            w, g = (t.unflatten(1, (sites, -1)) for t in (p[name].data, p[name].grad))
            along = (torch.linalg.vecdot(g, w).unsqueeze(-1) / norms).sum(1, keepdim=True)
            g.addcmul_(w, along / norms, value=-1 / sites)


def dense_loss(arch, k):
    def loss(p, x, y):
        n = x.shape[0]
        error = (torch.addmm(p["b_dec"], x, p["W_skip"]) if "W_skip" in p else p["b_dec"]) - y
        penalty = 0.0
        for b, (reads, first) in enumerate(blocks(arch, x.shape[1])):
            acts = F.relu(torch.addmm(p[f"b_enc.{b}"], x[:, reads], p[f"W_enc.{b}"].T))
            if arch in L1:
                penalty = penalty + L1[arch] * acts.sum() / n
            else:
                values, places = torch.topk(acts, k, dim=-1, sorted=False)
                acts = torch.zeros_like(acts).scatter(-1, places, values)
            written = torch.addmm(error[:, first:], acts, p[f"W_dec.{b}"])
            error = torch.cat((error[:, :first], written), 1) if first else written
        return error.pow(2).sum() / n + penalty

    return loss


class Lists:
    """Loss and gradients over the lists of active entries; dense are the encoders' products and the skip's."""

    def __init__(self, p, arch, k):
        self.p, self.arch, self.k = p, arch, k

    def active(self, pre):
        """The entries that take part, row after row: rows, columns, values, where each row starts."""
        n = pre.shape[0]
        if self.arch in L1:
            rows, cols = (pre > 0).nonzero(as_tuple=True)
            crow = torch.zeros(n + 1, dtype=torch.long)
            torch.cumsum(torch.bincount(rows, minlength=n), 0, out=crow[1:])
            return rows, cols, pre[rows, cols], crow
        values, cols = torch.topk(pre, self.k, dim=-1, sorted=False)
        rows = torch.arange(n).repeat_interleave(self.k)
        return rows, cols.flatten(), torch.relu(values).flatten(), torch.arange(0, n * self.k + 1, self.k)

    def __call__(self, x, y):
        p, n = self.p, x.shape[0]
        error = p["b_dec"] - y
        if "W_skip" in p:
            error.addmm_(x, p["W_skip"])
        penalty, listed = 0.0, []
        for b, (reads, first) in enumerate(blocks(self.arch, x.shape[1])):
            into = x[:, reads].contiguous()
            entries = self.active(torch.addmm(p[f"b_enc.{b}"], into, p[f"W_enc.{b}"].T))
            rows, cols, values, crow = entries
            acts = torch.sparse_csr_tensor(crow, cols, values, (n, len(p[f"b_enc.{b}"])))
            error[:, first:] += torch.sparse.mm(acts, p[f"W_dec.{b}"])
            penalty = penalty + L1.get(self.arch, 0.0) * values.sum() / n
            listed.append((b, into, first, *entries))
        self.l0 = sum(len(entries[-2]) for entries in listed) / n
        loss = error.pow(2).sum() / n + penalty
        residual = error.mul_(2 / n)
        grads = {"b_dec": residual.sum(0)}
        if "W_skip" in p:
            grads["W_skip"] = x.T @ residual
        for b, into, first, rows, cols, values, crow in listed:
            w_dec = p[f"W_dec.{b}"]
            seen = residual[:, first:].contiguous()
            shape = (n, len(w_dec))
            empty = torch.sparse_csr_tensor(crow, cols, torch.zeros_like(values), shape)
            g = torch.sparse.sampled_addmm(empty, seen, w_dec.T, beta=0.0).values()
            g = g + L1[self.arch] / n if self.arch in L1 else g * (values > 0)
            # Both gradients are sums over the tokens of a feature: one sort serves them.
            order = torch.argsort(cols, stable=True)
            starts = torch.zeros(len(w_dec) + 1, dtype=torch.long)
            torch.cumsum(torch.bincount(cols, minlength=len(w_dec)), 0, out=starts[1:])
            tokens = rows[order]
            by_feature = lambda v: torch.sparse_csr_tensor(starts, tokens, v[order], shape[::-1])
            grads[f"W_enc.{b}"] = torch.sparse.mm(by_feature(g), into)
            grads[f"W_dec.{b}"] = torch.sparse.mm(by_feature(values), seen)
            grads[f"b_enc.{b}"] = torch.zeros(len(w_dec)).index_add_(0, cols, g)
        return loss, grads
