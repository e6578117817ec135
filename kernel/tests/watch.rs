//! `holoscope watch` as a browser meets it.

mod common;

use common::{holoscope, write_notebook};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A running watch, and its port.
struct Watch(Child, u16);

impl Watch {
    fn start(notebook: &Path, options: &[&str]) -> Self {
        let mut child = holoscope()
            .arg("watch")
            .arg(notebook)
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line
            .trim()
            .trim_end_matches('/')
            .rsplit(':')
            .next()
            .unwrap();
        let port = port.parse().unwrap_or_else(|_| panic!("{line:?}"));
        Self(child, port)
    }

    fn ask(&self, path: &str, host: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.1)).unwrap();
        let time = Some(Duration::from_secs(300));
        stream.set_read_timeout(time).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        stream
    }

    fn get(&self, path: &str) -> String {
        let mut text = String::new();
        let mut stream = self.ask(path, &format!("127.0.0.1:{}", self.1));
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// What comes over the events from now on.
    fn events(&self) -> impl Iterator<Item = String> + use<> {
        let stream = self.ask("/events", &format!("localhost:{}", self.1));
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = std::process::Command::new("kill")
            .arg(self.0.id().to_string())
            .status();
        let _ = self.0.wait();
    }
}

#[test]
fn the_page_follows_the_file_within_a_second() {
    let dir = tempfile::tempdir().unwrap();
    let notebook = dir.path().join("a.ipynb");
    write_notebook(&notebook, &["println!(\"apricot\");"]);
    let watch = Watch::start(&notebook, &["--no-run"]);
    let shell = watch.get("/");
    assert!(
        shell.starts_with("HTTP/1.1 200") && shell.contains("EventSource"),
        "{shell}"
    );
    assert!(watch.get("/page").contains("apricot"));
    assert!(watch.get("/other").starts_with("HTTP/1.1 404"));
    let mut refused = String::new();
    watch
        .ask("/page", "example.org")
        .read_to_string(&mut refused)
        .unwrap();
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    assert!(!refused.contains("apricot"));
    let mut events = watch.events();
    events.next().unwrap();
    let saved = Instant::now();
    write_notebook(&notebook, &["println!(\"cherry\");"]);
    let news = events.next().unwrap();
    assert!(
        saved.elapsed() < Duration::from_secs(1),
        "{:?}",
        saved.elapsed()
    );
    assert!(news.contains("version"), "{news}");
    let page = watch.get("/page");
    assert!(page.contains("cherry") && !page.contains("apricot"));
    // Half a file is no notebook: the page stays, and the state says why.
    std::fs::write(&notebook, "{\"cells\": [").unwrap();
    let news = events.next().unwrap();
    assert!(news.contains("a.ipynb"), "{news}");
    assert!(watch.get("/page").contains("cherry"));
}

#[test]
fn cells_appear_as_they_finish_and_the_notebook_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let notebook = dir.path().join("a.ipynb");
    let wait = "while !std::path::Path::new(\"go\").exists() { std::thread::sleep(std::time::Duration::from_millis(20)); }\nprintln!(\"{}\", 40 + 4);";
    write_notebook(&notebook, &["println!(\"{}\", 20 + 2);", wait]);
    let before = std::fs::read(&notebook).unwrap();
    let watch = Watch::start(&notebook, &[]);
    let mut events = watch.events();
    let mut until = |part: &str| {
        let found = events.find(|news| news.contains(part));
        assert!(found.is_some(), "{part}");
    };
    until("1 of 2 cells have run");
    let page = watch.get("/page");
    assert!(page.contains("22\n") || page.contains(">22<"), "{page}");
    assert!(!page.contains(">44<"));
    std::fs::write(dir.path().join("go"), "").unwrap();
    until("2 of 2 cells have run");
    assert!(watch.get("/page").contains(">44<"));
    assert_eq!(std::fs::read(&notebook).unwrap(), before);
    // Other code is run again.
    write_notebook(&notebook, &["println!(\"{}\", 60 + 6);"]);
    until("1 of 1 cells have run");
    assert!(watch.get("/page").contains(">66<"));
}
