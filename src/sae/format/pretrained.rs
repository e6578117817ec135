//! Autoencoders and transcoders from the Hugging Face hub.

mod releases;

use self::releases::resolve;
use super::peers::{Entry, SetConfig, read_layer, read_set_files};
use crate::data::Hub;
use crate::error::{Error, Result};
use crate::progress::Reporter;
use crate::sae::variants::{Sae, Transcoder};
use crate::show::NotebookReporter;
use std::path::{Path, PathBuf};

/// The files of each format; those that another format shares come first.
const FORMATS: [&[&str]; 8] = [
    &["cfg.json", "sae_weights.safetensors"],
    &["cfg.json", "sae.safetensors"],
    &["config.json", "ae.pt"],
    &["params.npz"],
    &["config.json", "params.safetensors"],
    &["hyperparams.json", "final.safetensors"],
    &["hyperparams.json", "checkpoints/final.safetensors"],
    &["config.yaml", "layer_0.safetensors"],
];

impl Sae {
    /// An autoencoder from the Hugging Face hub, of any format that [`Sae::load`] reads. `repo` is
    /// `org/name`, `org/name@revision`, a release of SAELens whose identifiers follow a simple rule, or a
    /// folder on this machine; `id` is the folder in it, or a `.pt` file.
    ///
    /// | `repo` | `id` |
    /// |---|---|
    /// | `jbloom/GPT2-Small-SAEs-Reformatted` or `gpt2-small-res-jb` | `blocks.8.hook_resid_pre` |
    /// | `google/gemma-scope-2b-pt-res` or `gemma-scope-2b-pt-res` | `layer_5/width_16k/average_l0_105` |
    /// | `fnlp/Llama3_1-8B-Base-LXR-8x` or `llama_scope_lxr_8x` | `Llama3_1-8B-Base-L15R-8x` or `l15r_8x` |
    /// | `EleutherAI/sae-llama-3-8b-32x` | `layers.10` |
    /// | `NeelNanda/sparse_autoencoder` | `25.pt` |
    ///
    /// Files are stored in the cache that huggingface_hub uses; see [`Hub::from_env`] for the variables.
    ///
    /// ```no_run
    /// use holoscope::sae::Sae;
    /// let sae = Sae::from_pretrained("gpt2-small-res-jb", "blocks.8.hook_resid_pre")?;
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Hub::fetch`] and [`Sae::load`]; [`Error::Download`] naming the available folders when
    /// `id` is none of them.
    pub fn from_pretrained(repo: &str, id: &str) -> Result<Sae> {
        match local(repo, id) {
            Some(path) => Sae::load(path),
            None => {
                Sae::from_pretrained_with(repo, id, &Hub::from_env()?, &mut NotebookReporter::new())
            }
        }
    }

    /// [`Sae::from_pretrained`] from another hub or cache, with another reporter.
    ///
    /// # Errors
    /// Those of [`Sae::from_pretrained`].
    pub fn from_pretrained_with(
        repo: &str,
        id: &str,
        hub: &Hub,
        reporter: &mut dyn Reporter,
    ) -> Result<Sae> {
        match local(repo, id) {
            Some(path) => Sae::load(path),
            None => Sae::load(fetched(repo, id, hub, reporter)?),
        }
    }
}

impl Transcoder {
    /// A transcoder from the Hugging Face hub; arguments and formats as for [`Sae::from_pretrained`]. For
    /// a set of circuit-tracer, `id` may be one block's file, `layer_3.safetensors`.
    ///
    /// # Errors
    /// Those of [`Hub::fetch`] and [`Transcoder::load`].
    pub fn from_pretrained(repo: &str, id: &str) -> Result<Transcoder> {
        let hub = Hub::from_env()?;
        Transcoder::from_pretrained_with(repo, id, &hub, &mut NotebookReporter::new())
    }

    /// [`Transcoder::from_pretrained`] from another hub or cache, with another reporter.
    ///
    /// # Errors
    /// Those of [`Transcoder::from_pretrained`].
    pub fn from_pretrained_with(
        repo: &str,
        id: &str,
        hub: &Hub,
        reporter: &mut dyn Reporter,
    ) -> Result<Transcoder> {
        let path = match local(repo, id) {
            Some(path) => path,
            None => fetched(repo, id, hub, reporter)?,
        };
        let Some(layer) = layer_of_set(&path) else {
            return Transcoder::load(path);
        };
        let config = SetConfig::read(&path.with_file_name("config.yaml"))?;
        read_layer(&config, &path, layer)
    }

    /// circuit-tracer's set of transcoders, one per block from 0 on, as an attribution graph accepts them.
    /// `repo` is `org/name`, `org/name/folder`, either with `@revision`, or a folder on this machine.
    ///
    /// ```no_run
    /// use holoscope::sae::Transcoder;
    /// let transcoders = Transcoder::set_from_pretrained("mntss/transcoder-Llama-3.2-1B")?;
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Hub::fetch`] and [`Transcoder::load_set`].
    pub fn set_from_pretrained(repo: &str) -> Result<Vec<Transcoder>> {
        match Path::new(repo).is_dir() {
            true => Transcoder::load_set(repo),
            false => {
                let hub = Hub::from_env()?;
                Transcoder::set_from_pretrained_with(repo, &hub, &mut NotebookReporter::new())
            }
        }
    }

    /// [`Transcoder::set_from_pretrained`] from another hub or cache, with another reporter.
    ///
    /// # Errors
    /// Those of [`Transcoder::set_from_pretrained`].
    pub fn set_from_pretrained_with(
        repo: &str,
        hub: &Hub,
        reporter: &mut dyn Reporter,
    ) -> Result<Vec<Transcoder>> {
        let (repo, folder) = within(repo);
        let config_name = join(&folder, "config.yaml");
        let choose = |files: &[String]| match files.contains(&config_name) {
            true => Ok(vec![config_name.clone()]),
            false => Err(format!("there is no {config_name}")),
        };
        let commit = hub.fetch(&repo, &choose, reporter)?;
        let config = SetConfig::read(&commit.join(&config_name))?;
        let files = match &config.transcoders {
            Some(entries) => fetch_entries(entries, (&repo, &folder), hub, reporter)?,
            None => {
                let layers = hub.fetch(&repo, &|all| layers(all, &folder), reporter)?;
                let all =
                    (0..).map(|n| layers.join(join(&folder, &format!("layer_{n}.safetensors"))));
                all.take_while(|file| file.is_file()).collect()
            }
        };
        read_set_files(&config, &files)
    }
}

/// Downloads the files that a `config.yaml` in `folder` of `repo` lists, and returns their paths.
pub(super) fn fetch_entries(
    entries: &[Entry],
    (repo, folder): (&str, &str),
    hub: &Hub,
    reporter: &mut dyn Reporter,
) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in entries {
        let (repo, file) = match entry {
            Entry::Hub { repo, file } => (repo.clone(), file.clone()),
            Entry::Local(file) => (repo.to_owned(), join(folder, file)),
        };
        let commit = hub.fetch(&repo, &|all| one(all, &file), reporter)?;
        files.push(commit.join(&file));
    }
    Ok(files)
}

/// The path on this machine, if `repo` is a local folder.
fn local(repo: &str, id: &str) -> Option<PathBuf> {
    let folder = Path::new(repo);
    folder.is_dir().then(|| folder.join(id))
}

/// Downloads what `id` names into the cache, and returns its path.
fn fetched(repo: &str, id: &str, hub: &Hub, reporter: &mut dyn Reporter) -> Result<PathBuf> {
    let (repo, id) = resolve(repo, id);
    let id = id.trim_matches('/');
    if id.split('/').any(|part| part == "..") {
        return Err(Error::argument(
            "id",
            format!("{id:?}"),
            "must stay within the repository",
        ));
    }
    let commit = hub.fetch(&repo, &|files| choose(files, id), reporter)?;
    // Decides again, among what is in the cache now, whether it is a folder or a file.
    match commit.join(id).exists() {
        true => Ok(commit.join(id)),
        false => Ok(commit.join(format!("{id}.pt"))),
    }
}

/// The files that `id` needs: a folder of one of the formats, or a file with its companions.
fn choose(files: &[String], id: &str) -> Result<Vec<String>, String> {
    let has = |name: &String| files.contains(name);
    for format in FORMATS {
        let wanted: Vec<String> = format.iter().map(|name| join(id, name)).collect();
        if wanted.iter().all(has) {
            return Ok(wanted);
        }
    }
    let pickle = match id.strip_suffix(".pt") {
        Some(stem) => stem,
        None => id,
    };
    let pair = vec![format!("{pickle}.pt"), format!("{pickle}_cfg.json")];
    if pair.iter().all(has) {
        return Ok(pair);
    }
    let file = id.to_owned();
    if has(&file) && id.ends_with(".npz") {
        return Ok(vec![file]);
    }
    let config = sibling(id, "config.yaml");
    if has(&file) && has(&config) && layer_of_set(Path::new(id)).is_some() {
        return Ok(vec![config, file]);
    }
    Err(absent(files, id))
}

/// The error message that lists the available alternatives.
fn absent(files: &[String], id: &str) -> String {
    const SHOWN: usize = 12;
    let mut places: Vec<&str> = Vec::new();
    for file in files {
        for format in FORMATS {
            let weights = format[format.len() - 1];
            if let Some(folder) = file.strip_suffix(weights)
                && (folder.is_empty() || folder.ends_with('/'))
            {
                places.push(folder.trim_end_matches('/'));
            }
        }
        if file.ends_with(".pt") && !file.ends_with("/ae.pt") && file != "ae.pt" {
            places.push(file);
        }
    }
    places.sort_unstable();
    places.dedup();
    let more = match places.len().saturating_sub(SHOWN) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    places.truncate(SHOWN);
    match places.is_empty() {
        true => format!(
            "{id:?} is no autoencoder or transcoder of a known format, and there is no other among its {} \
             files",
            files.len()
        ),
        false => format!(
            "{id:?} is no autoencoder or transcoder of a known format; there are {}{more}",
            places.join(", ")
        ),
    }
}

/// The block number of a circuit-tracer file: 3 for `layer_3.safetensors`.
fn layer_of_set(path: &Path) -> Option<usize> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix("layer_")?
        .strip_suffix(".safetensors")?
        .parse()
        .ok()
}

fn one(files: &[String], file: &str) -> Result<Vec<String>, String> {
    match files.iter().any(|name| name == file) {
        true => Ok(vec![file.to_owned()]),
        false => Err(format!("there is no {file}")),
    }
}

/// The files of all blocks, which must be numbered from 0 without gaps.
fn layers(files: &[String], folder: &str) -> Result<Vec<String>, String> {
    let all = (0..).map(|n| join(folder, &format!("layer_{n}.safetensors")));
    let found: Vec<String> = all.take_while(|name| files.contains(name)).collect();
    let is_layer = |file: &&String| {
        let folder_of = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        folder_of == folder && layer_of_set(Path::new(file)).is_some()
    };
    match files.iter().filter(is_layer).count() {
        0 => Err(format!(
            "there is no {}",
            join(folder, "layer_0.safetensors")
        )),
        n if n != found.len() => Err(format!(
            "{} is missing, though later blocks are there",
            join(folder, &format!("layer_{}.safetensors", found.len()))
        )),
        _ => Ok(found),
    }
}

/// Splits `org/name/folder@revision` into the repository, with its revision, and the folder.
pub(super) fn within(repo: &str) -> (String, String) {
    let (path, revision) = match repo.split_once('@') {
        Some((path, revision)) => (path, format!("@{revision}")),
        None => (repo, String::new()),
    };
    let mut parts = path.splitn(3, '/');
    let id: Vec<&str> = parts.by_ref().take(2).collect();
    let folder = parts.next().unwrap_or_default().trim_matches('/');
    (format!("{}{revision}", id.join("/")), folder.to_owned())
}

pub(super) fn join(folder: &str, name: &str) -> String {
    match folder.is_empty() {
        true => name.to_owned(),
        false => format!("{folder}/{name}"),
    }
}

fn sibling(file: &str, name: &str) -> String {
    match file.rsplit_once('/') {
        Some((folder, _)) => join(folder, name),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[&str], id: &str) -> Result<String, String> {
        let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
        choose(&files, id).map(|chosen| chosen.join(" "))
    }

    #[test]
    fn each_format_is_chosen_by_its_files() {
        let files = [
            "a/cfg.json",
            "a/sae_weights.safetensors",
            "a/sparsity.safetensors",
            "b/cfg.json",
            "b/sae.safetensors",
            "c/config.json",
            "c/ae.pt",
            "d/params.npz",
            "e/hyperparams.json",
            "e/checkpoints/final.safetensors",
            "25.pt",
            "25_cfg.json",
            "config.yaml",
            "layer_0.safetensors",
        ];
        assert_eq!(
            of(&files, "a").unwrap(),
            "a/cfg.json a/sae_weights.safetensors"
        );
        assert_eq!(of(&files, "b").unwrap(), "b/cfg.json b/sae.safetensors");
        assert_eq!(of(&files, "c").unwrap(), "c/config.json c/ae.pt");
        assert_eq!(of(&files, "d").unwrap(), "d/params.npz");
        assert_eq!(of(&files, "d/params.npz").unwrap(), "d/params.npz");
        let llama = "e/hyperparams.json e/checkpoints/final.safetensors";
        assert_eq!(of(&files, "e").unwrap(), llama);
        for id in ["25", "25.pt"] {
            assert_eq!(of(&files, id).unwrap(), "25.pt 25_cfg.json");
        }
        let layer = "config.yaml layer_0.safetensors";
        assert_eq!(of(&files, "layer_0.safetensors").unwrap(), layer);
        let message = of(&files, "f").unwrap_err();
        assert!(
            message.contains("\"f\"") && message.contains("25.pt, a, b, c, d, e"),
            "{message}"
        );
        assert!(of(&["README.md"], "f").unwrap_err().contains("1 files"));
    }

    #[test]
    fn a_gap_among_the_blocks_is_named() {
        let files = ["t/layer_0.safetensors", "t/layer_2.safetensors"].map(str::to_owned);
        assert!(
            layers(&files, "t")
                .unwrap_err()
                .contains("t/layer_1.safetensors")
        );
        assert!(layers(&files, "").unwrap_err().contains("layer_0"));
        assert_eq!(layers(&files[..1], "t").unwrap(), ["t/layer_0.safetensors"]);
    }

    #[test]
    fn a_folder_within_a_repository_is_split_off() {
        let of = |text: &str| {
            let (repo, folder) = within(text);
            format!("{repo} {folder}")
        };
        assert_eq!(of("a/b"), "a/b ");
        assert_eq!(of("a/b/c/d@v1"), "a/b@v1 c/d");
        assert_eq!(of("a/b@refs/pr/1"), "a/b@refs/pr/1 ");
    }
}
