//! The hub's routes, served by this process, which can misbehave.
//!
//! `/api/models/{repo}/revision/{revision}` lists a commit, `/{repo}/resolve/{revision}/{file}` gives a
//! file: small ones themselves, with git's etag, large ones by a redirect to another host, with their
//! SHA-256 in `x-linked-etag`. Source: the hub's answers as huggingface_hub's `file_download.py` reads them.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What the hub holds and how it behaves.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Files by repository and name.
    pub files: BTreeMap<(String, String), Vec<u8>>,
    /// Names in the listing that are in no repository.
    pub listed: Vec<String>,
    /// Endings of the files that lie on another host.
    pub large: Vec<&'static str>,
    /// The token without which nothing is answered.
    pub token: Option<String>,
    /// Former names of repositories, which redirect.
    pub renamed: BTreeMap<String, String>,
    /// Bytes of a body after which the connection closes, once.
    pub truncate: Option<usize>,
    /// What the other host gives in the place of a file.
    pub damaged: Option<Vec<u8>>,
    /// The etag in the place of the right one.
    pub etag: Option<String>,
    /// Answers with this status only.
    pub status: Option<&'static str>,
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    pub range: String,
    pub token: String,
}

/// A running server.
pub struct HubServer {
    /// By the name 127.0.0.1; the other host is localhost, the same port.
    pub endpoint: String,
    pub held: Arc<Mutex<Held>>,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl HubServer {
    pub fn new(held: Held) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self {
            endpoint: format!("http://127.0.0.1:{port}"),
            held: Arc::new(Mutex::new(held)),
            asked: Arc::default(),
        };
        let (held, asked) = (Arc::clone(&server.held), Arc::clone(&server.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (held, asked) = (Arc::clone(&held), Arc::clone(&asked));
                let stream = stream.unwrap();
                std::thread::spawn(move || answer(stream, port, &held, &asked));
            }
        });
        server
    }

    /// The requests since the last call.
    pub fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Held {
    pub fn with(mut self, repo: &str, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files
            .insert((repo.to_owned(), name.to_owned()), content.into());
        self
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

struct Reply {
    status: &'static str,
    headers: String,
    body: Vec<u8>,
    /// Whether ranges of the body may be asked for.
    ranges: bool,
}

impl Reply {
    fn empty(status: &'static str, headers: String) -> Self {
        Self {
            status,
            headers,
            body: Vec::new(),
            ranges: false,
        }
    }
}

fn answer(mut stream: TcpStream, port: u16, held: &Mutex<Held>, asked: &Mutex<Vec<Request>>) {
    let mut request = Request {
        path: String::new(),
        range: String::new(),
        token: String::new(),
    };
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        let Ok(line) = line else { return };
        if line.is_empty() {
            break;
        }
        if request.path.is_empty() {
            request.path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        } else if let Some((name, value)) = line.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "range" => request.range = value.trim().to_owned(),
                "authorization" => request.token = value.trim().to_owned(),
                _ => {}
            }
        }
    }
    asked.lock().unwrap().push(request.clone());
    let mut held = held.lock().unwrap();
    let reply = reply(&request, port, &held);
    let (status, headers, body) = ranged(reply, &request.range);
    let whole = body.len();
    let mut sent = body.as_slice();
    // The probe of one byte is never cut.
    if whole > 1
        && let Some(bytes) = held.truncate.filter(|&bytes| bytes < whole)
        && request.path.contains("/cdn/")
    {
        sent = &body[..bytes];
        held.truncate = None;
    }
    drop(held);
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {whole}\r\n{headers}Connection: close\r\n\r\n"
    );
    let _ = stream.write_all(sent);
}

fn ranged(reply: Reply, range: &str) -> (&'static str, String, Vec<u8>) {
    let bounds = range
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'));
    let (Some((from, to)), true) = (bounds, reply.ranges) else {
        return (reply.status, reply.headers, reply.body);
    };
    let whole = reply.body.len();
    let from: usize = from.parse().unwrap();
    let to = to
        .parse()
        .unwrap_or(whole.saturating_sub(1))
        .min(whole.saturating_sub(1));
    if from >= whole {
        return ("416 Range Not Satisfiable", reply.headers, Vec::new());
    }
    let headers = format!(
        "{}Content-Range: bytes {from}-{to}/{whole}\r\n",
        reply.headers
    );
    (
        "206 Partial Content",
        headers,
        reply.body[from..=to].to_vec(),
    )
}

fn reply(request: &Request, port: u16, held: &Held) -> Reply {
    if let Some(status) = held.status {
        return Reply::empty(status, String::new());
    }
    if let Some(rest) = request.path.strip_prefix("/cdn/") {
        let body = match &held.damaged {
            Some(damaged) => damaged.clone(),
            None => held.files[&split(rest, "/-/")].clone(),
        };
        let (status, headers, ranges) = ("200 OK", String::new(), true);
        return Reply {
            status,
            headers,
            body,
            ranges,
        };
    }
    if let Some(token) = &held.token
        && request.token != format!("Bearer {token}")
    {
        return Reply::empty("401 Unauthorized", String::new());
    }
    for (old, new) in &held.renamed {
        for place in [format!("/api/models/{old}/"), format!("/{old}/resolve/")] {
            if let Some(rest) = request.path.strip_prefix(&place) {
                let there = place.replace(old, new);
                let location = format!("Location: {there}{rest}\r\n");
                return Reply::empty("307 Temporary Redirect", location);
            }
        }
    }
    if let Some(rest) = request.path.strip_prefix("/api/models/") {
        return listing(&split(rest, "/revision/"), held);
    }
    let (repo, rest) = split(&request.path[1..], "/resolve/");
    let (_, name) = split(&rest, "/");
    match held.files.get(&(repo.clone(), name.clone())) {
        None => Reply::empty("404 Not Found", String::new()),
        Some(body) => file((&repo, &name), body, port, held),
    }
}

fn listing((repo, revision): &(String, String), held: &Held) -> Reply {
    let own = held
        .files
        .keys()
        .filter(|(of, _)| of == repo)
        .map(|(_, name)| name.clone());
    let names: Vec<String> = own.chain(held.listed.clone()).collect();
    if names.is_empty() || !["main", "v1", COMMIT].contains(&revision.as_str()) {
        return Reply::empty("404 Not Found", String::new());
    }
    let siblings: Vec<_> = names
        .iter()
        .map(|name| serde_json::json!({ "rfilename": name }))
        .collect();
    let body = serde_json::json!({ "sha": COMMIT, "siblings": siblings })
        .to_string()
        .into_bytes();
    let headers = "Content-Type: application/json\r\n".to_owned();
    Reply {
        status: "200 OK",
        headers,
        body,
        ranges: false,
    }
}

fn file((repo, name): (&str, &str), body: &[u8], port: u16, held: &Held) -> Reply {
    let large = held.large.iter().any(|ending| name.ends_with(ending));
    let digest = sha256(body);
    let right = if large {
        digest.as_str()
    } else {
        &digest[..40]
    };
    let etag = held.etag.as_deref().unwrap_or(right);
    let common = format!("X-Repo-Commit: {COMMIT}\r\n");
    if large {
        let place = format!("Location: http://localhost:{port}/cdn/{repo}/-/{name}\r\n");
        let size = body.len();
        let linked = format!("X-Linked-Etag: \"{etag}\"\r\nX-Linked-Size: {size}\r\n");
        let headers = format!("{common}{linked}{place}");
        return Reply::empty("302 Found", headers);
    }
    let headers = format!("{common}ETag: \"{etag}\"\r\n");
    Reply {
        status: "200 OK",
        headers,
        body: body.to_vec(),
        ranges: true,
    }
}

fn split(text: &str, at: &str) -> (String, String) {
    let (before, after) = text.split_once(at).unwrap_or((text, ""));
    (before.to_owned(), after.to_owned())
}
