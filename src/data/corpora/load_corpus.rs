//! Where the corpus is found: local copy, cache, download, or made here.
//!
//! TinyShakespeare (Karpathy 2015) is never bundled; where it cannot be had, the
//! embedded corpus stands in, and the note says so.

use super::super::digest::sha256_hex;
use super::corpus::Corpus;
use super::download::download_verified;
use super::embedded::embedded_corpus;
use crate::config::{CorpusSource, DataConfig};
use crate::error::{Error, Result};
use crate::progress::Reporter;
use std::path::{Path, PathBuf};

/// The environment variable that names a folder with local copies of the data.
pub const DATA_DIR_VARIABLE: &str = "HOLOSCOPE_DATA";

const NAME: &str = "TinyShakespeare";
/// Names under which the text is looked for in the folder with local copies.
const LOCAL_NAMES: [&str; 2] = ["tinyshakespeare.txt", "input.txt"];

/// Finds the corpus that `cfg.source` names.
///
/// TinyShakespeare is looked for in the folder `HOLOSCOPE_DATA`, then in the cache,
/// then at `cfg.url`; with [`CorpusSource::Auto`] the embedded corpus replaces it
/// when none of these has it, and `source_note` says why.
///
/// # Errors
/// [`Error::Digest`] for a local copy with another digest; with
/// [`CorpusSource::TinyShakespeare`] also [`Error::Download`] and [`Error::Io`].
pub fn load_corpus(cfg: &DataConfig, reporter: &mut dyn Reporter) -> Result<Corpus> {
    let folder = std::env::var_os(DATA_DIR_VARIABLE).filter(|v| !v.is_empty());
    load_corpus_with(cfg, folder.map(PathBuf::from).as_deref(), reporter)
}

/// [`load_corpus`] with the folder of local copies given instead of taken from
/// the environment.
pub fn load_corpus_with(
    cfg: &DataConfig,
    local_folder: Option<&Path>,
    reporter: &mut dyn Reporter,
) -> Result<Corpus> {
    if cfg.source == CorpusSource::Embedded {
        let mut corpus = embedded_corpus(cfg.embedded_bytes, cfg.seed);
        corpus.source_note = format!("{} It was asked for.", corpus.source_note);
        return Ok(corpus);
    }
    let mut missing = String::new();
    if let Some(folder) = local_folder {
        match LOCAL_NAMES
            .iter()
            .map(|n| folder.join(n))
            .find(|p| p.is_file())
        {
            Some(path) => {
                // The name alone: outputs are kept in notebooks, which others read.
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                let note = format!("{NAME}, from the local copy {file}.");
                return corpus_from_file(&path, NAME, &note, &cfg.sha256);
            }
            None => {
                missing = format!(
                    " ({DATA_DIR_VARIABLE} names {}, which holds no {})",
                    folder.display(),
                    LOCAL_NAMES[0]
                );
            }
        }
    }
    match from_cache_or_network(cfg, reporter) {
        Ok(mut corpus) => {
            corpus.source_note.push_str(&missing);
            Ok(corpus)
        }
        Err(error) if cfg.source == CorpusSource::Auto && !reporter.interrupted() => {
            let mut corpus = embedded_corpus(cfg.embedded_bytes, cfg.seed);
            corpus.source_note = format!(
                "{} It stands in for {NAME}, which could not be had: {error}{missing}. Set {DATA_DIR_VARIABLE} to a folder with {} to use a local copy.",
                corpus.source_note, LOCAL_NAMES[0]
            );
            Ok(corpus)
        }
        Err(error) => Err(error),
    }
}

/// Reads a text file as a corpus; line ends become LF, as in [`Corpus::from_text`].
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Digest`] if `sha256` is not empty
/// and not its digest, [`Error::Format`] if it is not UTF-8.
pub fn corpus_from_file(path: &Path, name: &str, note: &str, sha256: &str) -> Result<Corpus> {
    let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
    let digest = sha256_hex(&bytes);
    if !sha256.is_empty() && !digest.eq_ignore_ascii_case(sha256) {
        return Err(Error::Digest {
            path: path.to_owned(),
            expected: sha256.to_owned(),
            found: digest,
        });
    }
    let text = String::from_utf8(bytes).map_err(|e| Error::format(path, "UTF-8 text", e))?;
    Ok(Corpus::read(name, &text, note, digest))
}

/// The folder where downloads are kept: `cfg.cache_dir`, else the platform's cache folder.
///
/// # Errors
/// [`Error::Argument`] on a machine without a home folder.
pub fn cache_dir(cfg: &DataConfig) -> Result<PathBuf> {
    if let Some(dir) = &cfg.cache_dir {
        return Ok(dir.clone());
    }
    directories::ProjectDirs::from("", "", "holoscope")
        .map(|dirs| dirs.cache_dir().to_owned())
        .ok_or_else(|| {
            Error::argument(
                "cache_dir",
                "none",
                "this user has no home folder; set DataConfig::cache_dir",
            )
        })
}

fn from_cache_or_network(cfg: &DataConfig, reporter: &mut dyn Reporter) -> Result<Corpus> {
    let path = cache_dir(cfg)?.join(cached_name(cfg));
    if path.is_file() {
        let note = format!("{NAME}, from the cache {}.", path.display());
        match corpus_from_file(&path, NAME, &note, &cfg.sha256) {
            // A damaged copy of our own is replaced; the user's own files never are.
            Err(Error::Digest { .. }) => {
                std::fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
            done => return done,
        }
    }
    download_verified(&cfg.url, &path, &cfg.sha256, NAME, reporter)?;
    let note = format!("{NAME}, downloaded from {}.", cfg.url);
    corpus_from_file(&path, NAME, &note, &cfg.sha256)
}

/// One name a digest (or an address, where no digest is known), so that changing
/// the configuration never finds another text.
fn cached_name(cfg: &DataConfig) -> String {
    let identity = if cfg.sha256.is_empty() {
        sha256_hex(cfg.url.as_bytes())
    } else {
        cfg.sha256.to_ascii_lowercase()
    };
    let identity: String = identity
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(16)
        .collect();
    format!("tinyshakespeare-{identity}.txt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_crlf_is_read_as_lf_and_keeps_its_own_digest() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "a\r\n\r\nb\r\n").unwrap();
        let corpus = corpus_from_file(file.path(), "toy", "A file.", "").unwrap();
        assert_eq!(corpus.text, "a\n\nb\n");
        assert_eq!(corpus.digest, sha256_hex(b"a\r\n\r\nb\r\n"));
        assert_eq!(
            corpus.source_note,
            "A file. Its line ends, CRLF or CR, are read as LF."
        );
        assert_eq!(Corpus::from_text("toy", "a\r").text, "a\n");
    }

    #[test]
    fn the_cached_name_depends_on_the_digest_or_the_address() {
        let with = |sha256: &str, url: &str| {
            cached_name(&DataConfig {
                sha256: sha256.to_owned(),
                url: url.to_owned(),
                ..DataConfig::default()
            })
        };
        assert_eq!(with("AB12", "x"), with("ab12", "y"));
        assert_ne!(with("", "x"), with("", "y"));
        assert!(!with("../../etc", "x").contains('/'));
    }
}
