//! What the hub says of a file before it is fetched.
//!
//! The crate's own `Api::metadata` sends the access token to the host that large files lie on; this
//! asks the hub alone. Source: huggingface_hub's `get_hf_file_metadata`.

use hf_hub::api::sync::ApiError;
use std::time::Duration;
use ureq::http::Response;

/// Longest wait for each step of a request.
const TIMEOUT: Duration = Duration::from_secs(15);
/// A renamed repository redirects once.
const MOST_REDIRECTS: usize = 5;

/// Of one file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FileMetadata {
    /// The SHA-256 of large files, git's SHA-1 of small ones.
    pub(super) etag: String,
    /// In bytes.
    pub(super) size: u64,
}

/// Asks for the metadata of the file at `url`. Redirects within the host are followed, those to
/// another one are the answer: they carry the headers.
pub(super) fn metadata(url: &str, token: Option<&str>) -> Result<FileMetadata, ApiError> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .max_redirects(0)
        .timeout_resolve(Some(TIMEOUT))
        .timeout_connect(Some(TIMEOUT))
        .timeout_recv_response(Some(TIMEOUT))
        .accept_encoding("identity")
        .user_agent(concat!("holoscope/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut url = url.to_owned();
    for _ in 0..MOST_REDIRECTS {
        let mut request = agent.get(&url).header("Range", "bytes=0-0");
        if let Some(token) = token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let response = request.call().map_err(Box::new)?;
        let location = header(&response, "location").filter(|to| to.starts_with('/'));
        if let Some(location) = location.filter(|_| response.status().is_redirection()) {
            url = format!("{}{location}", origin(&url));
            continue;
        }
        let etag = header(&response, "x-linked-etag").or_else(|| header(&response, "etag"));
        let etag = etag.ok_or(ApiError::MissingHeader("etag"))?;
        // "bytes 0-0/1234": the whole is behind the stroke.
        let whole = || header(&response, "content-range")?.rsplit('/').next();
        let size = header(&response, "x-linked-size").or_else(whole);
        let size = size.ok_or(ApiError::MissingHeader("x-linked-size"))?;
        return Ok(FileMetadata {
            etag: etag.trim_start_matches("W/").replace('"', ""),
            size: size.parse()?,
        });
    }
    Err(ApiError::InvalidHeader("location"))
}

fn header<'r>(response: &'r Response<ureq::Body>, name: &str) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_ends_where_the_path_begins() {
        assert_eq!(origin("https://hub.co/a/b?c=/d"), "https://hub.co");
        assert_eq!(origin("http://127.0.0.1:80/x"), "http://127.0.0.1:80");
        assert_eq!(origin("http://host"), "http://host");
    }
}
