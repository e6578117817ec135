//! A compiler on standby. What a small cell takes rustc is mostly the same for every
//! cell: its own start, and the metadata of all crates behind the library. So one rustc
//! is started before its cell is known: its source loads the library and then includes a
//! file that is its standard input, where it waits. The cell, when it comes, is written there.
//!
//! The session keeps it (`Standby`); our program in cargo's place, which knows how a cell is
//! compiled, asks for it (`compile`). It serves a call that is the same to the letter,
//! environment included; for any other, and wherever something is missing, the cell is compiled
//! as if there were none.

mod keeper;

pub use keeper::Standby;

use super::direct;
use super::guess::SOURCE;
use super::kept::Said;
use super::wrapper::object;
use crate::trace;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// For what the session starts: where it can be asked.
pub const SOCKET_ENV: &str = "HOLOSCOPE_STANDBY";
/// What rustc reads in the place of the cell, from the folder of the cells.
const ROOT: &str = "src/standby.rs";
/// In rustc's messages about what may not come out of a macro, as all of an included file does.
const ONLY_INCLUDED: &str = "macro-expanded";

/// How rustc is called for a cell: everything but the text below the crate's attributes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Call {
    program: String,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    folder: PathBuf,
    /// The crate's attributes, which cannot be included.
    head: String,
}

impl Call {
    fn out_dir(&self) -> Option<PathBuf> {
        let at = self.args.iter().position(|arg| arg == "--out-dir")?;
        self.args.get(at + 1).map(PathBuf::from)
    }
}

#[derive(Serialize, Deserialize)]
struct Request {
    call: Call,
    /// The text to compile; none where a compiler is only to be made ready.
    cell: Option<String>,
}

/// What rustc has exited with and said, and where the object is.
#[derive(Serialize, Deserialize)]
struct Answer {
    code: i32,
    stderr: String,
    object: PathBuf,
}

impl Answer {
    /// Whether this is what rustc would say of the cell if it were not included. An error
    /// without a code is one of syntax, mostly, after which rustc goes on with what it has
    /// understood of an included file.
    fn is_as_ever(&self) -> bool {
        let messages = self.stderr.lines().map(serde_json::from_str::<Value>);
        let errors: Vec<Value> = messages
            .flatten()
            .filter(|message| message["level"] == "error" && in_cell(message))
            .collect();
        let of_inclusion = [ONLY_INCLUDED, ROOT];
        !errors.is_empty()
            && errors.iter().all(|error| !error["code"].is_null())
            && !of_inclusion.iter().any(|text| self.stderr.contains(text))
    }
}

fn in_cell(message: &Value) -> bool {
    let mut spans = message["spans"].as_array().into_iter().flatten();
    spans.any(|span| span["file_name"] == SOURCE)
}

/// Compiles the cell with the compiler that stands by, if it is one for such a cell.
pub fn compile(command: &Command, source: &str) -> Option<Said> {
    ask_to_compile(&socket()?, &std::env::current_dir().ok()?, command, source)
}

/// Has a compiler stand by for cells like this one.
pub fn prepare(command: &Command, source: &str) {
    let folder = std::env::current_dir().ok();
    let call = folder.and_then(|folder| split(command, &folder, source));
    if let Some((socket, (call, _))) = socket().zip(call) {
        // Without it the next cell takes a little longer.
        let _ = ask(&socket, &Request { call, cell: None });
    }
}

/// None under cargo: what it sets for rustc is of that one call.
fn socket() -> Option<PathBuf> {
    match direct::is_under_cargo() {
        true => None,
        false => std::env::var_os(SOCKET_ENV).map(PathBuf::from),
    }
}

fn ask_to_compile(socket: &Path, folder: &Path, command: &Command, source: &str) -> Option<Said> {
    let (call, cell) = split(command, folder, source)?;
    let cell = Some(cell);
    let object = object(&call.out_dir()?);
    let mut text = String::new();
    let mut stream = ask(socket, &Request { call, cell })?;
    stream.read_to_string(&mut text).ok()?;
    let answer: Answer = serde_json::from_str(&text).ok()?;
    match answer.code {
        // Here and not by the session: who was interrupted puts nothing in a later cell's place.
        0 => std::fs::rename(&answer.object, &object).ok()?,
        _ if answer.is_as_ever() => {}
        _ => return None,
    }
    trace::mark("standby");
    Some(Said {
        // The exit code is the second byte.
        status: ExitStatus::from_raw(answer.code << 8),
        stderr: answer.stderr.into_bytes(),
    })
}

fn ask(socket: &Path, request: &Request) -> Option<UnixStream> {
    let mut stream = UnixStream::connect(socket).ok()?;
    // One line; the stream stays open both ways as long as somebody waits.
    let line = serde_json::to_string(request).ok()? + "\n";
    stream.write_all(line.as_bytes()).ok()?;
    Some(stream)
}

/// The call for a source, and what is to be included; none where that would not be the same.
fn split(command: &Command, folder: &Path, source: &str) -> Option<(Call, String)> {
    let is_attribute = |line: &&str| line.trim_start().starts_with("#![");
    let head: Vec<&str> = source.lines().take_while(is_attribute).collect();
    let below: Vec<&str> = source.lines().skip(head.len()).collect();
    // Attributes of the crate further below or over several lines, and crates under names of
    // the cell's own.
    let cannot = |line: &&str| is_attribute(line) || line.contains("extern crate");
    if below.iter().any(cannot) || head.iter().any(|line| !line.trim_end().ends_with(']')) {
        return None;
    }
    let text = |text: &std::ffi::OsStr| text.to_str().map(str::to_owned);
    let args: Option<Vec<String>> = command.get_args().map(text).collect();
    let env: Option<BTreeMap<String, String>> = std::env::vars_os()
        .map(|(name, value)| Some((text(&name)?, text(&value)?)))
        .collect();
    let call = Call {
        program: text(command.get_program())?,
        args: args?,
        env: env?,
        folder: folder.to_owned(),
        head: head.join("\n"),
    };
    let lines = "\n".repeat(head.len());
    Some((call, format!("{lines}{}\n", below.join("\n"))))
}

#[cfg(test)]
mod tests;
