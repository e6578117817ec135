//! The hub's routes, through the `hf-hub` crate, and the download into its cache.
//!
//! The crate knows the routes, the listing of a commit and the layout of the cache. The bytes come by
//! this library's own download, which can be interrupted, resumes, and checks the digest that the hub
//! gives of large files (their etag is the SHA-256).

use super::cached::{Cached, link, report};
use super::metadata::metadata;
use super::questions::{Refusal, answer};
use super::repository::{Repository, is_plain_path, percent_encoded};
use super::settings::Settings;
use crate::data::corpora::{Source, Turn, download_from};
use crate::error::{Error, Result};
use crate::progress::Reporter;
use hf_hub::api::sync::{Api, ApiBuilder};
use hf_hub::{Cache, Repo, RepoType};
use std::path::{Path, PathBuf};

/// Which files of a commit are wanted, from the paths of all of them; an error says what is missing.
pub type ChooseFiles<'a> = dyn Fn(&[String]) -> Result<Vec<String>, String> + 'a;

/// The Hugging Face hub, its cache on this machine, and who asks.
///
/// `Transformer::from_pretrained` and its like take what the environment says; their `_with` forms
/// take a `Hub`:
///
/// ```
/// use holoscope::data::Hub;
///
/// // Only what is in this folder; nothing is asked of any server.
/// let hub = Hub::from_env()?.with_cache_dir("hub-cache").with_offline(true);
/// assert!(hub.is_offline());
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Clone)]
pub struct Hub {
    endpoint: String,
    cache: Cache,
    token: Option<String>,
    offline: bool,
}

impl std::fmt::Debug for Hub {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &self.endpoint)
            .field("cache_dir", self.cache.path())
            .field("has_token", &self.token.is_some())
            .field("offline", &self.offline)
            .finish()
    }
}

impl Hub {
    /// By the variables that huggingface_hub reads: `HF_ENDPOINT`; `HF_HUB_CACHE`, else `HF_HOME` or
    /// `XDG_CACHE_HOME`; `HF_TOKEN`, else the file that `huggingface-cli login` writes;
    /// `HF_HUB_OFFLINE`.
    ///
    /// # Errors
    /// [`Error::Argument`] where there is neither a cache folder nor a home folder.
    pub fn from_env() -> Result<Hub> {
        let settings = Settings::of(&|name| std::env::var(name).ok());
        let cache_dir = settings.cache_dir.ok_or_else(|| {
            let reason = "there is no home folder for the hub's cache: set HF_HUB_CACHE";
            Error::argument("HOME", "", reason)
        })?;
        Ok(Hub {
            endpoint: settings.endpoint,
            cache: Cache::new(cache_dir),
            token: settings.token,
            offline: settings.offline,
        })
    }

    /// Another server, for example a mirror.
    pub fn with_endpoint(mut self, endpoint: &str) -> Hub {
        self.endpoint = endpoint.trim_end_matches('/').to_owned();
        self
    }

    /// Another cache folder, which holds `models--org--name`.
    pub fn with_cache_dir(mut self, folder: impl Into<PathBuf>) -> Hub {
        self.cache = Cache::new(folder.into());
        self
    }

    /// Another access token, or none.
    pub fn with_token(mut self, token: Option<&str>) -> Hub {
        self.token = token.map(str::to_owned);
        self
    }

    /// Whether only the cache is used.
    pub fn with_offline(mut self, offline: bool) -> Hub {
        self.offline = offline;
        self
    }

    /// Whether only the cache is used.
    pub fn is_offline(&self) -> bool {
        self.offline
    }

    /// The folder of the cache.
    pub fn cache_dir(&self) -> &Path {
        self.cache.path()
    }

    /// Brings files of one commit of a repository (`org/name` or `org/name@revision`) into the cache and
    /// returns the commit's folder. `choose` picks them from the paths of all files of the commit;
    /// its error says what it misses.
    ///
    /// Files that are there are not asked for again. Where the hub cannot be reached, or
    /// [`Hub::is_offline`], the cache alone is searched.
    ///
    /// # Errors
    /// [`Error::Argument`] for a text that names no repository; [`Error::Download`] for a repository or
    /// file that is not there, may not be read without a token, or cannot be reached, and what
    /// `choose` says; [`Error::Digest`] for a file that arrived damaged; [`Error::Io`] for the disk.
    pub fn fetch(
        &self,
        repo: &str,
        choose: &ChooseFiles<'_>,
        reporter: &mut dyn Reporter,
    ) -> Result<PathBuf> {
        let repository = Repository::parse(repo)?;
        if self.offline {
            let why = "HF_HUB_OFFLINE is set (or with_offline)";
            return self.cached(&repository, choose, why);
        }
        let api = self.api(&repository)?;
        let (commit, files) = match self.listing(&api, &repository, reporter) {
            Ok(found) => found,
            Err(Refusal::Unreachable(reason)) => {
                let why = format!("the hub cannot be reached ({reason})");
                return self.cached(&repository, choose, &why);
            }
            Err(Refusal::Final(error)) => return Err(error),
        };
        let wanted = choose(&files).map_err(|reason| Error::Download {
            url: repository.url(""),
            reason,
        })?;
        let fetching = Fetching {
            hub: self,
            api: &api,
            repository: &repository,
            commit: &commit,
        };
        for name in &wanted {
            fetching.file(name, reporter)?;
        }
        let cache = self.cache.repo(at(&repository, &repository.revision));
        if commit != repository.revision {
            let made = cache.create_ref(&commit);
            made.map_err(Error::io(
                "write the reference of",
                cache.pointer_path(&commit),
            ))?;
        }
        let folder = cache.pointer_path(&commit);
        report(&repository, &folder, &wanted);
        Ok(folder)
    }

    fn cached(
        &self,
        repository: &Repository,
        choose: &ChooseFiles<'_>,
        why: &str,
    ) -> Result<PathBuf> {
        let folder = self.cache.path().join(at(repository, "main").folder_name());
        let missing = |reason: String| Error::Download {
            url: repository.url(""),
            reason,
        };
        let Some(cached) = Cached::find(&folder, &repository.revision) else {
            return Err(missing(format!(
                "{why}, and the cache has no such revision; it was sought in {}",
                folder.display()
            )));
        };
        match choose(&cached.files) {
            Ok(wanted) => {
                report(repository, &cached.folder, &wanted);
                Ok(cached.folder)
            }
            Err(reason) => Err(missing(format!(
                "{why}, and the cache lacks files: {reason}; they were sought in {}",
                cached.folder.display()
            ))),
        }
    }

    fn api(&self, repository: &Repository) -> Result<Api> {
        ApiBuilder::from_cache(self.cache.clone())
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_progress(false)
            .with_user_agent("holoscope", env!("CARGO_PKG_VERSION"))
            .build()
            .map_err(|error| Error::Download {
                url: repository.url(""),
                reason: error.to_string(),
            })
    }

    /// The commit of a revision and the paths of its files.
    fn listing(
        &self,
        api: &Api,
        repository: &Repository,
        reporter: &mut dyn Reporter,
    ) -> Result<(String, Vec<String>), Refusal> {
        let at_revision = api.repo(at(repository, &repository.revision));
        let url = repository.url("");
        let label = format!("ask for {}", repository.id);
        let info = answer(reporter, &label, move || at_revision.info());
        let info = info.map_err(|trouble| trouble.refusal(&url))?;
        let files: Vec<String> = info
            .siblings
            .into_iter()
            .map(|file| file.rfilename)
            .collect();
        let plain_commit = info.sha.chars().all(|c| c.is_ascii_alphanumeric());
        if !plain_commit || info.sha.is_empty() {
            let reason = format!("the hub names the commit {:?}", info.sha);
            return Err(Refusal::Final(Error::Download { url, reason }));
        }
        Ok((info.sha, files))
    }
}

/// A repository as the crate has it.
fn at(repository: &Repository, revision: &str) -> Repo {
    Repo::with_revision(repository.id.clone(), RepoType::Model, revision.to_owned())
}

/// One commit while its files are brought.
struct Fetching<'a> {
    hub: &'a Hub,
    api: &'a Api,
    repository: &'a Repository,
    commit: &'a str,
}

impl Fetching<'_> {
    /// Brings one file into the cache, unless it is there.
    fn file(&self, name: &str, reporter: &mut dyn Reporter) -> Result<()> {
        let url = self.repository.url(name);
        let failed = |reason: String| Error::Download {
            url: url.clone(),
            reason,
        };
        if !is_plain_path(name) {
            return Err(failed("the name leaves the repository's folder".to_owned()));
        }
        let cache = self.hub.cache.repo(at(self.repository, self.commit));
        let pointer = cache.pointer_path(self.commit).join(name);
        if pointer.exists() {
            return Ok(());
        }
        let at_commit = self.api.repo(at(self.repository, self.commit));
        let address = at_commit.url(&percent_encoded(name));
        let (asked, token) = (address.clone(), self.hub.token.clone());
        let found = answer(reporter, &format!("ask for {name}"), move || {
            metadata(&asked, token.as_deref())
        });
        let found = found.map_err(|trouble| match trouble.refusal(&url) {
            Refusal::Unreachable(reason) => failed(reason),
            Refusal::Final(error) => error,
        })?;
        let etag = found.etag.as_str();
        if etag.is_empty() || !etag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(failed(format!("the hub gives it the etag {etag:?}")));
        }
        let blob = cache.blob_path(etag);
        self.blob(&blob, &address, found.size, (name, reporter))?;
        link(&blob, &pointer, name.matches('/').count())
    }

    /// Downloads a blob, unless it is there; another process that does so is waited for.
    fn blob(
        &self,
        blob: &Path,
        address: &str,
        size: u64,
        (name, reporter): (&str, &mut dyn Reporter),
    ) -> Result<()> {
        if let Some(folder) = blob.parent() {
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        }
        let _turn = Turn::take(blob, name, reporter)?;
        if blob.exists() {
            return Ok(());
        }
        // Of large files the etag is the SHA-256, of small ones git's SHA-1.
        let etag = blob
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let is_sha256 = etag.len() == 64 && etag.chars().all(|c| c.is_ascii_hexdigit());
        let source = Source {
            url: address,
            token: self.hub.token.as_deref(),
            largest: size,
        };
        let arrived = blob.with_extension("arrived");
        let digest = if is_sha256 { etag } else { "" };
        download_from(&source, &arrived, digest, name, reporter)?;
        let length = std::fs::metadata(&arrived).map_or(0, |file| file.len());
        if length != size {
            let _ = std::fs::remove_file(&arrived);
            return Err(Error::Download {
                url: self.repository.url(name),
                reason: format!("{length} bytes arrived, the hub announced {size}"),
            });
        }
        std::fs::rename(&arrived, blob).map_err(Error::io("rename the download to", blob))
    }
}
