//! Serves the page over HTTP to browsers on this machine, and its changes as server-sent events.
//! Source: RFC 9112; HTML Standard, 9.2 "Server-sent events".

use super::board::Board;
use crate::error::{Error, Result};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// The outer page: it reloads the notebook's page and shows the state of the run.
const SHELL: &str = include_str!("shell.html");
/// The longest head of a request.
const LONGEST: usize = 16 * 1024;
/// How long a client may take to send its request.
const PATIENCE: Duration = Duration::from_secs(10);
/// A periodic line detects clients that have disconnected.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Starts serving the board; returns the port.
///
/// # Errors
/// [`Error::Io`] if the port is taken.
pub fn serve(board: Arc<Board>, port: u16) -> Result<u16> {
    let address = format!("127.0.0.1:{port}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = listener.map_err(Error::io("listen on", &address))?;
    let bound = listener.local_addr();
    let port = bound.map_err(Error::io("listen on", &address))?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let board = Arc::clone(&board);
            // The thread ends when its client disconnects.
            std::thread::spawn(move || {
                let _ = answer(stream, &board, port);
            });
        }
    });
    Ok(port)
}

fn answer(mut stream: TcpStream, board: &Board, port: u16) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let Some(head) = head(&mut stream)? else {
        return reply(
            &mut stream,
            "400 Bad Request",
            "text/plain",
            "no HTTP request\n",
        );
    };
    let request = Request::read(&head);
    if !request.is_for(port) {
        // DNS rebinding: a page of another origin may have pointed its name here.
        return reply(
            &mut stream,
            "403 Forbidden",
            "text/plain",
            "not for this host\n",
        );
    }
    match (request.method, request.path) {
        ("GET", "/") => reply(&mut stream, "200 OK", "text/html", SHELL),
        ("GET", "/page") => reply(&mut stream, "200 OK", "text/html", &board.page()),
        ("GET", "/events") => events(&mut stream, board),
        ("GET", _) => reply(&mut stream, "404 Not Found", "text/plain", "no such page\n"),
        _ => reply(
            &mut stream,
            "405 Method Not Allowed",
            "text/plain",
            "GET only\n",
        ),
    }
}

/// The head of a request; `None` if it does not end or is too long.
fn head(stream: &mut TcpStream) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 2048];
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        let n = stream.read(&mut buffer)?;
        if n == 0 || bytes.len() + n > LONGEST {
            return Ok(None);
        }
        bytes.extend_from_slice(&buffer[..n]);
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// The method, path and host of a request.
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    host: &'a str,
}

impl<'a> Request<'a> {
    fn read(head: &'a str) -> Self {
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (words.next(), words.next().unwrap_or_default());
        let fields = lines.filter_map(|line| line.split_once(':'));
        let mut hosts = fields.filter(|(name, _)| name.eq_ignore_ascii_case("host"));
        Self {
            method: method.unwrap_or_default(),
            path: target.split('?').next().unwrap_or_default(),
            host: hosts.next().map_or("", |(_, value)| value.trim()),
        }
    }

    fn is_for(&self, port: u16) -> bool {
        let ours = ["127.0.0.1", "localhost"].map(|name| format!("{name}:{port}"));
        ours.iter().any(|one| one == self.host)
    }
}

fn reply(stream: &mut TcpStream, status: &str, kind: &str, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Security-Policy: frame-ancestors 'self'\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    stream.flush()
}

/// Sends every change of the board, starting with the current state.
fn events(stream: &mut TcpStream, board: &Board) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
                Connection: close\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    let mut seen = None;
    loop {
        let text = match board.news(seen, HEARTBEAT) {
            Some(news) => {
                seen = Some(news.change);
                let data = json!({"version": news.version, "status": news.status});
                format!("data: {data}\n\n")
            }
            None => ":\n\n".to_owned(),
        };
        stream.write_all(text.as_bytes())?;
        stream.flush()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_answered() {
        let of = |host: &str| {
            let head = format!("GET /page?x HTTP/1.1\r\nAccept: */*\r\nhost: {host}\r\n\r\n");
            let request = Request::read(&head);
            assert_eq!((request.method, request.path), ("GET", "/page"));
            request.is_for(8000)
        };
        assert!(of("127.0.0.1:8000") && of("localhost:8000"));
        for host in ["example.org:8000", "127.0.0.1", "127.0.0.1:8001", ""] {
            assert!(!of(host), "{host}");
        }
        assert!(!Request::read("").is_for(8000));
    }
}
