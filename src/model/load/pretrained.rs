//! Models of the Hugging Face hub, and folders of any layout.

use super::super::checkpoint::read_text;
use super::super::transformer::Transformer;
use super::neel_config::is_neel;
use crate::data::Hub;
use crate::error::{Error, Result};
use crate::progress::Reporter;
use crate::show::NotebookReporter;
use serde_json::Value;
use std::path::Path;

const CONFIG: &str = "config.json";
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

impl Transformer {
    /// A pretrained model, by its name on the Hugging Face hub, by TransformerLens' short name, or
    /// from a folder; as f32 on the CPU, its weights as they are (no LayerNorm is folded, nothing
    /// is centred).
    ///
    /// | name | what |
    /// |---|---|
    /// | `gpt2`, `gpt2-medium`, `gpt2-large`, `gpt2-xl`, `distilgpt2` | GPT-2 |
    /// | `EleutherAI/pythia-70m`, `pythia-70m-deduped`, .. | Pythia |
    /// | `NeelNanda/GELU_1L512W_C4_Code` or `gelu-1l`, `solu-2l`, `attn-only-3l`, .. | TransformerLens' small models |
    /// | `org/name@revision` | a branch, tag or commit (`EleutherAI/pythia-70m@step1000`) |
    /// | a folder | Hugging Face's, TransformerLens' or this library's layout |
    ///
    /// Files come into the cache that huggingface_hub uses; see [`Hub::from_env`] for the variables.
    ///
    /// ```no_run
    /// use holoscope::model::Transformer;
    /// let model = Transformer::from_pretrained("gpt2")?;
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Hub::fetch`], and of the loader of the layout: [`Transformer::load_hf`],
    /// [`Transformer::load_tl`] or [`Transformer::load`].
    pub fn from_pretrained(name: &str) -> Result<Transformer> {
        let folder = Path::new(name);
        if folder.is_dir() {
            return Transformer::load_any(folder);
        }
        Transformer::from_pretrained_with(name, &Hub::from_env()?, &mut NotebookReporter::new())
    }

    /// [`Transformer::from_pretrained`] from another hub or cache, with another reporter.
    ///
    /// # Errors
    /// Those of [`Transformer::from_pretrained`].
    pub fn from_pretrained_with(
        name: &str,
        hub: &Hub,
        reporter: &mut dyn Reporter,
    ) -> Result<Transformer> {
        let folder = Path::new(name);
        match folder.is_dir() {
            true => Transformer::load_any(folder),
            false => {
                Transformer::load_any(&hub.fetch(&hub_name(name), &files_of_model, reporter)?)
            }
        }
    }

    /// A folder of any of the layouts that are known, by its `config.json`: Hugging Face's has a
    /// `model_type`, TransformerLens' an `act_fn`; this library's own is in the weights' metadata, too.
    fn load_any(folder: &Path) -> Result<Transformer> {
        let path = folder.join(CONFIG);
        let json: Value = serde_json::from_str(&read_text(&path)?)
            .map_err(|error| Error::format(&path, "model configuration", error))?;
        if json.get("model_type").is_some() {
            return Transformer::load_hf(folder);
        }
        // Ours names every field that it has, and TransformerLens' has more; both have `act_fn`.
        match json.get("init_std").is_some() && !is_neel(&json) {
            true => Transformer::load(folder),
            false => Transformer::load_tl(folder),
        }
    }
}

/// The repository of a short name.
fn hub_name(name: &str) -> String {
    let small = |kind: &str, theirs: &str| {
        let layers = name.strip_prefix(kind)?.strip_suffix('l')?;
        let known = matches!(layers, "1" | "2" | "3" | "4");
        known.then(|| format!("NeelNanda/{theirs}_{layers}L512W_C4_Code"))
    };
    let pythia = || {
        let known = name.starts_with("pythia-");
        known.then(|| format!("EleutherAI/{name}"))
    };
    let gpt2 = || (name == "gpt2-small").then(|| "gpt2".to_owned());
    small("gelu-", "GELU")
        .or_else(|| small("solu-", "SoLU"))
        .or_else(|| small("attn-only-", "Attn_Only"))
        .or_else(pythia)
        .or_else(gpt2)
        .unwrap_or_else(|| name.to_owned())
}

/// The configuration and the weights: safetensors before pickles.
fn files_of_model(files: &[String]) -> Result<Vec<String>, String> {
    let has = |name: &str| files.iter().any(|file| file == name);
    if !has(CONFIG) {
        return Err(format!("there is no {CONFIG}"));
    }
    let mut wanted = vec![CONFIG.to_owned()];
    if has(SINGLE) {
        wanted.push(SINGLE.to_owned());
        return Ok(wanted);
    }
    if has(INDEX) {
        let shard = |file: &&String| is_shard(file);
        let shards: Vec<String> = files.iter().filter(shard).cloned().collect();
        // model-00001-of-00003.safetensors: the last number says how many there are.
        let all = shards.first().and_then(|name| {
            let last = name.strip_suffix(".safetensors")?.rsplit('-').next()?;
            last.parse::<usize>().ok()
        });
        if all != Some(shards.len()) {
            let of = all.map_or("an unknown number".to_owned(), |n| n.to_string());
            return Err(format!(
                "there are {} of {of} shards of the weights",
                shards.len()
            ));
        }
        wanted.push(INDEX.to_owned());
        wanted.extend(shards);
        return Ok(wanted);
    }
    let pickle = |file: &&String| !file.contains('/') && file.ends_with("final.pth");
    let pickle = files.iter().find(pickle).map(String::as_str);
    let bin = has("pytorch_model.bin").then_some("pytorch_model.bin");
    match pickle.or(bin) {
        Some(name) => {
            wanted.push(name.to_owned());
            Ok(wanted)
        }
        None => Err(format!(
            "there are no weights: neither {SINGLE}, nor {INDEX}, nor a file that ends in final.pth, nor \
             pytorch_model.bin"
        )),
    }
}

fn is_shard(name: &str) -> bool {
    name.starts_with("model-") && name.contains("-of-") && name.ends_with(".safetensors")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_those_of_transformer_lens() {
        for (name, repo) in [
            ("gpt2", "gpt2"),
            ("gpt2-small", "gpt2"),
            ("gpt2-xl", "gpt2-xl"),
            ("pythia-70m-deduped", "EleutherAI/pythia-70m-deduped"),
            ("gelu-1l", "NeelNanda/GELU_1L512W_C4_Code"),
            ("solu-4l", "NeelNanda/SoLU_4L512W_C4_Code"),
            ("attn-only-2l", "NeelNanda/Attn_Only_2L512W_C4_Code"),
            ("solu-6l", "solu-6l"),
            ("org/gelu-1l", "org/gelu-1l"),
        ] {
            assert_eq!(hub_name(name), repo);
        }
    }

    #[test]
    fn files_of_each_layout_are_chosen() {
        let of = |files: &[&str]| {
            let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
            files_of_model(&files).map(|chosen| chosen.join(" "))
        };
        let both = [
            "config.json",
            "model.safetensors",
            "pytorch_model.bin",
            "onnx/model.safetensors",
        ];
        assert_eq!(of(&both).unwrap(), "config.json model.safetensors");
        let pickles = ["config.json", "checkpoints/0_final.pth", "model_final.pth"];
        assert_eq!(of(&pickles).unwrap(), "config.json model_final.pth");
        let shards = [
            "config.json",
            "model-00001-of-00002.safetensors",
            "model-00002-of-00002.safetensors",
            "model.safetensors.index.json",
        ];
        assert_eq!(of(&shards).unwrap().split(' ').count(), 4);
        assert!(
            of(&[shards[0], shards[1], shards[3]])
                .unwrap_err()
                .contains("1 of 2")
        );
        assert!(
            of(&["config.json"])
                .unwrap_err()
                .contains("model.safetensors")
        );
        assert!(
            of(&["model.safetensors"])
                .unwrap_err()
                .contains("config.json")
        );
    }
}
