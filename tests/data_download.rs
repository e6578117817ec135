//! The download, against a server in this process that can misbehave.

use holoscope::config::{CorpusSource, DataConfig};
use holoscope::data::{Corpus, download_verified, load_corpus_with};
use holoscope::error::{Error, Result};
use holoscope::progress::{Reporter, Silent, Tick};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const BODY: &str = "First:\nspeak, I pray you.\n\nSecond:\nI shall.\n\nFirst:\nThen do.\n";

/// What the server does with a request.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    /// Answers ranges with 206.
    Ranges,
    /// Ignores ranges: always 200 and the whole body.
    NoRanges,
    /// Announces the whole body, sends the first 20 bytes and hangs up.
    Truncates,
    /// Answers 500.
    Fails,
    /// Answers 206 with another range.
    WrongRange,
}

struct Server {
    url: String,
    /// The range header of each request, or "".
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(manner: Manner) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/input.txt", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), manner, &log);
            }
        });
        Server { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, manner: Manner, log: &Mutex<Vec<String>>) {
    let mut range = String::new();
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        let line = line.unwrap();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range:") {
            range = value.trim().to_owned();
        }
    }
    let from: Option<usize> = range
        .strip_prefix("bytes=")
        .and_then(|r| r.strip_suffix('-'))
        .map(|n| n.parse().unwrap());
    log.lock().unwrap().push(range);
    let whole = BODY.len();
    let (status, extra, body) = match (manner, from) {
        (Manner::Fails, _) => ("500 Internal Server Error", String::new(), ""),
        (Manner::Ranges, Some(from)) if from >= whole => {
            ("416 Range Not Satisfiable", String::new(), "")
        }
        (Manner::Ranges | Manner::WrongRange, Some(from)) => {
            let shown = from - usize::from(manner == Manner::WrongRange);
            (
                "206 Partial Content",
                format!("Content-Range: bytes {shown}-{}/{whole}\r\n", whole - 1),
                &BODY[shown..],
            )
        }
        _ => ("200 OK", String::new(), BODY),
    };
    let sent = if manner == Manner::Truncates {
        &body[..20]
    } else {
        body
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{extra}Connection: close\r\n\r\n{sent}",
        body.len()
    );
}

/// Digest of [`BODY`], by the library's own function (checked against FIPS elsewhere).
fn digest() -> String {
    Corpus::from_text("x", BODY).digest
}

fn target(dir: &tempfile::TempDir) -> (PathBuf, PathBuf) {
    let path = dir.path().join("deep/er/input.txt");
    let part = dir.path().join("deep/er/input.txt.part");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    (path, part)
}

fn get(server: &Server, path: &Path, sha256: &str) -> Result<()> {
    download_verified(&server.url, path, sha256, "test", &mut Silent)
}

#[derive(Default)]
struct Recorder {
    ticks: Vec<Tick>,
    finished: usize,
    stop: bool,
}

impl Reporter for Recorder {
    fn tick(&mut self, tick: &Tick) {
        self.ticks.push(tick.clone());
    }
    fn finish(&mut self, _: &Tick) {
        self.finished += 1;
    }
    fn interrupted(&self) -> bool {
        self.stop
    }
}

#[test]
fn a_whole_download_arrives_with_progress_in_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (path, part) = target(&dir);
    let server = Server::new(Manner::Ranges);
    let mut recorder = Recorder::default();
    download_verified(&server.url, &path, &digest(), "the text", &mut recorder).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), BODY);
    assert!(!part.exists());
    let last = recorder.ticks.last().unwrap();
    assert_eq!(
        (last.done, last.total),
        (BODY.len() as u64, BODY.len() as u64)
    );
    assert_eq!((last.unit.as_str(), recorder.finished), ("B", 1));
}

#[test]
fn downloads_of_one_file_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = target(&dir);
    let server = Server::new(Manner::Ranges);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| get(&server, &path, &digest())))
            .collect();
        for one in all {
            one.join().unwrap().unwrap();
        }
    });
    // Those who waited found it there.
    assert_eq!(server.asked(), [""]);
    let left: Vec<_> = std::fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn who_waits_for_a_download_can_be_interrupted() {
    let dir = tempfile::tempdir().unwrap();
    let (path, _) = target(&dir);
    let lock = std::fs::File::create(path.with_file_name("input.txt.lock")).unwrap();
    lock.lock().unwrap();
    let mut stopped = Recorder {
        stop: true,
        ..Recorder::default()
    };
    let server = Server::new(Manner::Ranges);
    let ended = download_verified(&server.url, &path, &digest(), "the text", &mut stopped);
    assert!(matches!(ended, Err(Error::Interrupted { .. })), "{ended:?}");
    assert!(server.asked().is_empty());
}

#[test]
fn a_cut_download_resumes_where_it_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let (path, part) = target(&dir);
    let broken = get(&Server::new(Manner::Truncates), &path, &digest());
    assert!(matches!(broken, Err(Error::Download { .. })), "{broken:?}");
    assert!(!path.exists());
    assert_eq!(std::fs::read_to_string(&part).unwrap(), BODY[..20]);
    let server = Server::new(Manner::Ranges);
    get(&server, &path, &digest()).unwrap();
    assert_eq!(server.asked(), ["bytes=20-"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), BODY);
}

#[test]
fn a_server_without_ranges_starts_over() {
    let dir = tempfile::tempdir().unwrap();
    let (path, part) = target(&dir);
    std::fs::write(&part, &BODY[..20]).unwrap();
    get(&Server::new(Manner::NoRanges), &path, &digest()).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), BODY);
}

#[test]
fn a_complete_part_needs_no_network() {
    let dir = tempfile::tempdir().unwrap();
    let (path, part) = target(&dir);
    std::fs::write(&part, BODY).unwrap();
    let server = Server::new(Manner::Fails);
    get(&server, &path, &digest()).unwrap();
    assert!(server.asked().is_empty());
}

#[test]
fn a_part_that_belongs_to_another_file_is_thrown_away() {
    for wrong in ["wrong beginning", &"longer than the body ".repeat(20)] {
        let dir = tempfile::tempdir().unwrap();
        let (path, part) = target(&dir);
        std::fs::write(&part, wrong).unwrap();
        get(&Server::new(Manner::Ranges), &path, &digest()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), BODY);
    }
}

#[test]
fn without_a_digest_nothing_is_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let (path, part) = target(&dir);
    std::fs::write(&part, &BODY[..20]).unwrap();
    let server = Server::new(Manner::Ranges);
    get(&server, &path, "").unwrap();
    assert_eq!(server.asked(), [""]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), BODY);
}

#[test]
fn a_wrong_digest_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, part) = target(&dir);
    let result = get(&Server::new(Manner::Ranges), &path, &"0".repeat(64));
    match result {
        Err(Error::Digest { found, .. }) => assert_eq!(found, digest()),
        other => panic!("{other:?}"),
    }
    assert!(!path.exists() && !part.exists());
}

#[test]
fn another_range_than_asked_for_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (path, part) = target(&dir);
    std::fs::write(&part, &BODY[..20]).unwrap();
    let result = get(&Server::new(Manner::WrongRange), &path, &digest());
    assert!(matches!(result, Err(Error::Download { .. })), "{result:?}");
    assert_eq!(std::fs::read_to_string(&part).unwrap(), BODY[..20]);
}

#[test]
fn a_server_error_names_the_status() {
    let dir = tempfile::tempdir().unwrap();
    let error = get(&Server::new(Manner::Fails), &target(&dir).0, &digest()).unwrap_err();
    assert!(error.to_string().contains("status 500"), "{error}");
}

#[test]
fn an_interrupt_keeps_the_part_and_is_an_error_even_with_auto() {
    let dir = tempfile::tempdir().unwrap();
    let cfg = DataConfig {
        url: Server::new(Manner::Ranges).url,
        sha256: digest(),
        cache_dir: Some(dir.path().to_owned()),
        ..DataConfig::default()
    };
    let mut stopping = Recorder {
        stop: true,
        ..Recorder::default()
    };
    let error = load_corpus_with(&cfg, None, &mut stopping).unwrap_err();
    assert!(error.to_string().contains("interrupted"), "{error}");
}

/// Interrupted some time after it was made.
struct StopAt(Instant);

impl Reporter for StopAt {
    fn tick(&mut self, _: &Tick) {}
    fn finish(&mut self, _: &Tick) {}
    fn interrupted(&self) -> bool {
        Instant::now() > self.0
    }
}

#[test]
fn an_interrupt_does_not_wait_for_a_silent_server() {
    // The system accepts connections to it, and nobody answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    let stop = Instant::now() + Duration::from_millis(200);
    let error = download_verified(&url, &target(&dir).0, "", "test", &mut StopAt(stop));
    assert!(stop.elapsed() < Duration::from_secs(1));
    assert!(error.unwrap_err().to_string().contains("interrupted"));
}

fn config(url: &str, dir: &Path, source: CorpusSource) -> DataConfig {
    DataConfig {
        source,
        url: url.to_owned(),
        sha256: digest(),
        cache_dir: Some(dir.to_owned()),
        embedded_bytes: 4_000,
        ..DataConfig::default()
    }
}

/// An address where nobody listens.
fn refused() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/input.txt", listener.local_addr().unwrap())
}

#[test]
fn a_refused_connection_falls_back_to_the_embedded_corpus_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let url = refused();
    let auto = config(&url, dir.path(), CorpusSource::Auto);
    let start = std::time::Instant::now();
    let corpus = load_corpus_with(&auto, None, &mut Silent).unwrap();
    assert!(start.elapsed().as_secs() < 5);
    assert_eq!(corpus.name, "Embedded");
    assert!(
        corpus.source_note.contains("could not be had"),
        "{}",
        corpus.source_note
    );
    assert!(corpus.source_note.contains(&url), "{}", corpus.source_note);
    let strict = config(&url, dir.path(), CorpusSource::TinyShakespeare);
    let error = load_corpus_with(&strict, None, &mut Silent).unwrap_err();
    assert!(matches!(error, Error::Download { .. }), "{error}");
}

#[test]
fn the_second_load_comes_from_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(Manner::Ranges);
    let cfg = config(&server.url, dir.path(), CorpusSource::Auto);
    let first = load_corpus_with(&cfg, None, &mut Silent).unwrap();
    assert!(first.source_note.contains("downloaded from"));
    let second = load_corpus_with(&cfg, None, &mut Silent).unwrap();
    assert!(second.source_note.contains("from the cache"));
    assert_eq!((first.text.as_str(), server.asked().len()), (BODY, 1));
    assert_eq!(first.digest, second.digest);
}

#[test]
fn a_damaged_cache_is_downloaded_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(Manner::Ranges);
    let cfg = config(&server.url, dir.path(), CorpusSource::Auto);
    load_corpus_with(&cfg, None, &mut Silent).unwrap();
    let file = std::fs::read_dir(dir.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    std::fs::write(file.path(), "damaged").unwrap();
    assert_eq!(
        load_corpus_with(&cfg, None, &mut Silent).unwrap().text,
        BODY
    );
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_local_copy_comes_first_and_its_digest_is_checked() {
    let (dir, local) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cfg = config(&refused(), dir.path(), CorpusSource::Auto);
    std::fs::write(local.path().join("input.txt"), BODY).unwrap();
    let corpus = load_corpus_with(&cfg, Some(local.path()), &mut Silent).unwrap();
    assert_eq!(
        (corpus.name.as_str(), corpus.text.as_str()),
        ("TinyShakespeare", BODY)
    );
    assert!(corpus.source_note.contains("local copy"));
    std::fs::write(local.path().join("tinyshakespeare.txt"), "another text").unwrap();
    let error = load_corpus_with(&cfg, Some(local.path()), &mut Silent).unwrap_err();
    assert!(matches!(error, Error::Digest { .. }), "{error}");
}

#[test]
fn a_local_folder_without_the_text_is_mentioned() {
    let (dir, local) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cfg = config(&refused(), dir.path(), CorpusSource::Auto);
    let corpus = load_corpus_with(&cfg, Some(local.path()), &mut Silent).unwrap();
    assert!(
        corpus.source_note.contains("holds no tinyshakespeare.txt"),
        "{}",
        corpus.source_note
    );
}
