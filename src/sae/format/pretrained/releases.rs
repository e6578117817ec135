//! SAELens' releases, by their names there: those whose identifiers follow a rule.
//! Source: SAELens 6.54's `pretrained_saes.yaml`.

/// The repository and folder for a release and an autoencoder's identifier; other arguments are
/// returned unchanged.
pub(super) fn resolve(repo: &str, id: &str) -> (String, String) {
    let (release, revision) = match repo.split_once('@') {
        Some((release, revision)) => (release, format!("@{revision}")),
        None => (repo, String::new()),
    };
    let Some((repo, id)) = of_release(release, id) else {
        return (repo.to_owned(), id.to_owned());
    };
    (format!("{repo}{revision}"), id)
}

fn of_release(release: &str, id: &str) -> Option<(String, String)> {
    let same = |repo: &str| Some((repo.to_owned(), id.to_owned()));
    match release {
        "gpt2-small-res-jb" => return same("jbloom/GPT2-Small-SAEs-Reformatted"),
        "gpt2-small-res-jb-feature-splitting" => {
            return same("jbloom/GPT2-Small-Feature-Splitting-Experiment-Layer-8");
        }
        "llama-3-8b-it-res-jh" => return same("Juliushanhanhan/llama-3-8b-it-res"),
        "gemma-2-9b-res-matryoshka-dc" => {
            return same("chanind/gemma-2-9b-batch-topk-matryoshka-saes-w-32k-l0-60");
        }
        "gemma-3-1b-res-matryoshka-dc" => {
            return same("chanind/gemma-3-1b-batch-topk-matryoshka-saes-w-32k-l0-40");
        }
        _ => {}
    }
    if let Some(rest) = release.strip_prefix("gemma-scope-") {
        let of_gemma_2 = ["2b-", "9b-", "27b-"]
            .iter()
            .any(|size| rest.starts_with(size));
        let plain = !rest.ends_with("-canonical");
        return (of_gemma_2 && plain).then(|| (format!("google/{release}"), id.to_owned()));
    }
    openai(release, id)
        .or_else(|| pythia(release, id))
        .or_else(|| llama_scope(release, id))
}

/// `gpt2-small-resid-mid-v5-32k` and similar names.
fn openai(release: &str, id: &str) -> Option<(String, String)> {
    let (site, width) = release.strip_prefix("gpt2-small-")?.rsplit_once("-v5-")?;
    let known = ["attn-out", "mlp-out", "resid-mid", "resid-post"].contains(&site);
    if !known || !["32k", "128k"].contains(&width) {
        return None;
    }
    let layer = layer(id)?;
    // The endings of these folders' names.
    let ending = match (site, width) {
        ("resid-post", "32k") => ".pt",
        _ => "",
    };
    let repo = format!("jbloom/GPT2-Small-OAI-v5-{width}-{site}-SAEs");
    Some((repo, format!("v5_{width}_layer_{layer}{ending}")))
}

/// `pythia-70m-deduped-res-sm` and similar names.
fn pythia(release: &str, id: &str) -> Option<(String, String)> {
    let site = release
        .strip_prefix("pythia-70m-deduped-")?
        .strip_suffix("-sm")?;
    let folder = match (site, id) {
        ("res", "blocks.0.hook_resid_pre") => "e-res-sm".to_owned(),
        ("res" | "mlp" | "att", _) => format!("{}-{site}-sm", layer(id)?),
        _ => return None,
    };
    Some((
        format!("ctigges/pythia-70m-deduped__{site}-sm_processed"),
        folder,
    ))
}

/// `llama_scope_lxr_8x` with `l15r_8x`.
fn llama_scope(release: &str, id: &str) -> Option<(String, String)> {
    let (site, factor) = release.strip_prefix("llama_scope_lx")?.split_once('_')?;
    let known = matches!(site, "a" | "m" | "r") && matches!(factor, "8x" | "32x");
    let number = id.strip_prefix('l').and_then(|rest| {
        let (layer, its_factor) = rest.split_once('_')?;
        let layer = layer.strip_suffix(site).filter(|_| its_factor == factor)?;
        layer.parse::<usize>().ok()
    });
    let site = site.to_uppercase();
    let folder = match number {
        Some(layer) => format!("Llama3_1-8B-Base-L{layer}{site}-{factor}"),
        None => id.to_owned(),
    };
    known.then(|| (format!("fnlp/Llama3_1-8B-Base-LX{site}-{factor}"), folder))
}

/// The block of `blocks.3.hook_mlp_out`.
fn layer(id: &str) -> Option<usize> {
    id.strip_prefix("blocks.")?.split_once('.')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_those_of_sae_lens() {
        // pretrained_saes.yaml of SAELens 6.54: release, id, repo_id, path.
        for (release, id, repo, path) in [
            (
                "gpt2-small-res-jb",
                "blocks.8.hook_resid_pre",
                "jbloom/GPT2-Small-SAEs-Reformatted",
                "blocks.8.hook_resid_pre",
            ),
            (
                "gemma-scope-9b-it-res",
                "layer_20/width_131k/average_l0_13",
                "google/gemma-scope-9b-it-res",
                "layer_20/width_131k/average_l0_13",
            ),
            (
                "gpt2-small-resid-post-v5-32k",
                "blocks.1.hook_resid_post",
                "jbloom/GPT2-Small-OAI-v5-32k-resid-post-SAEs",
                "v5_32k_layer_1.pt",
            ),
            (
                "gpt2-small-attn-out-v5-128k",
                "blocks.0.hook_attn_out",
                "jbloom/GPT2-Small-OAI-v5-128k-attn-out-SAEs",
                "v5_128k_layer_0",
            ),
            (
                "pythia-70m-deduped-res-sm",
                "blocks.0.hook_resid_pre",
                "ctigges/pythia-70m-deduped__res-sm_processed",
                "e-res-sm",
            ),
            (
                "pythia-70m-deduped-mlp-sm",
                "blocks.0.hook_mlp_out",
                "ctigges/pythia-70m-deduped__mlp-sm_processed",
                "0-mlp-sm",
            ),
            (
                "llama_scope_lxm_32x",
                "l0m_32x",
                "fnlp/Llama3_1-8B-Base-LXM-32x",
                "Llama3_1-8B-Base-L0M-32x",
            ),
        ] {
            assert_eq!(
                resolve(release, id),
                (repo.to_owned(), path.to_owned()),
                "{release}"
            );
        }
        let (repo, _) = resolve("gpt2-small-res-jb@v1", "x");
        assert_eq!(repo, "jbloom/GPT2-Small-SAEs-Reformatted@v1");
        for name in [
            "org/name",
            "gemma-scope-2b-pt-res-canonical",
            "gpt2-small-mlp-tm",
        ] {
            assert_eq!(resolve(name, "x"), (name.to_owned(), "x".to_owned()));
        }
    }
}
