//! The typed contents of messages: requests of frontends and their replies.
//!
//! Messages give cursors in Unicode code points; engines count bytes, and the conversion is here.
//! Source: <https://jupyter-client.readthedocs.io/en/stable/messaging.html>.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::message::PROTOCOL_VERSION;
use crate::jupyter::engine::{Completion, ExecuteRequest, KernelInfo};
use crate::jupyter::history::HistoryRequest;
use crate::run::output::event::MimeBundle;
use crate::widgets::{self as comm, CommKind};

/// A frontend's request on shell or control.
#[derive(Debug, PartialEq)]
pub enum Request {
    KernelInfo,
    Connect,
    Execute(ExecuteRequest),
    Complete(CursorRequest),
    Inspect(CursorRequest),
    IsComplete(CodeRequest),
    History(HistoryRequest),
    CommInfo(CommInfoRequest),
    Comm(CommKind, comm::Request),
    Interrupt,
    Shutdown(ShutdownRequest),
    Debug(DebugRequest),
    Unknown,
}

impl Request {
    /// The request in a message.
    ///
    /// # Errors
    /// When the content lacks a field that its type requires.
    pub fn parse(msg_type: &str, content: Value) -> serde_json::Result<Request> {
        use serde_json::from_value;
        Ok(match msg_type {
            "kernel_info_request" => Request::KernelInfo,
            "connect_request" => Request::Connect,
            "execute_request" => Request::Execute(from_value(content)?),
            "complete_request" => Request::Complete(from_value(content)?),
            "inspect_request" => Request::Inspect(from_value(content)?),
            "is_complete_request" => Request::IsComplete(from_value(content)?),
            "history_request" => Request::History(from_value(content)?),
            "comm_info_request" => Request::CommInfo(from_value(content)?),
            "comm_open" => Request::Comm(CommKind::Open, from_value(content)?),
            "comm_msg" => Request::Comm(CommKind::Message, from_value(content)?),
            "comm_close" => Request::Comm(CommKind::Close, from_value(content)?),
            "interrupt_request" => Request::Interrupt,
            "shutdown_request" => Request::Shutdown(from_value(content)?),
            "debug_request" => Request::Debug(from_value(content)?),
            _ => Request::Unknown,
        })
    }
}

/// A position in some code: of `complete_request` and `inspect_request`.
#[derive(Debug, PartialEq, Deserialize)]
pub struct CursorRequest {
    pub code: String,
    /// In code points; the end of the code when absent.
    #[serde(default)]
    pub cursor_pos: Option<usize>,
    #[serde(default)]
    pub detail_level: u8,
}

impl CursorRequest {
    /// The cursor as a byte offset, at most the length of the code.
    pub fn byte_offset(&self) -> usize {
        self.cursor_pos
            .and_then(|n| self.code.char_indices().nth(n))
            .map_or(self.code.len(), |(at, _)| at)
    }
}

#[derive(Debug, PartialEq, Deserialize)]
pub struct CodeRequest {
    pub code: String,
}

#[derive(Debug, PartialEq, Deserialize)]
pub struct CommInfoRequest {
    /// Only comms of this target are requested.
    #[serde(default)]
    pub target_name: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
pub struct ShutdownRequest {
    #[serde(default)]
    pub restart: bool,
}

/// A request of the Debug Adapter Protocol.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default)]
#[derive(Default)]
pub struct DebugRequest {
    pub seq: u64,
    pub command: String,
}

/// The answer to an `input_request`.
#[derive(Debug, PartialEq, Deserialize)]
pub struct InputReply {
    pub value: String,
}

/// The type of the reply to a request of this type.
pub fn reply_type(request: &str) -> String {
    match request.strip_suffix("_request") {
        Some(stem) => format!("{stem}_reply"),
        None => format!("{request}_reply"),
    }
}

pub fn kernel_info_reply(info: &KernelInfo) -> Value {
    let mut reply = json!({
        "status": "ok",
        "protocol_version": PROTOCOL_VERSION,
        "debugger": false,
        "supported_features": [],
    });
    if let (Value::Object(reply), Ok(Value::Object(info))) =
        (&mut reply, serde_json::to_value(info))
    {
        reply.extend(info);
    }
    reply
}

pub fn execute_ok(count: u32, expressions: Map<String, Value>, pages: Vec<MimeBundle>) -> Value {
    let payload: Vec<Value> = pages
        .into_iter()
        .map(|data| json!({"source": "page", "data": data, "start": 0}))
        .collect();
    json!({
        "status": "ok",
        "execution_count": count,
        "user_expressions": expressions,
        "payload": payload,
    })
}

/// The value of a user expression, as a display.
pub fn expression_ok(data: MimeBundle, metadata: MimeBundle) -> Value {
    json!({"status": "ok", "data": data, "metadata": metadata})
}

pub fn execute_error(count: u32, ename: &str, evalue: &str, traceback: &[String]) -> Value {
    json!({
        "status": "error",
        "execution_count": count,
        "ename": ename,
        "evalue": evalue,
        "traceback": traceback,
        "user_expressions": {},
        "payload": [],
    })
}

/// The reply for a cell that did not run: without a number, since JupyterLab would show that of
/// another cell.
pub fn execute_aborted() -> Value {
    json!({ "status": "aborted" })
}

pub fn complete_reply(request: &CursorRequest, completion: &Completion) -> Value {
    let code_points = |bytes: usize| {
        let mut end = bytes.min(request.code.len());
        while !request.code.is_char_boundary(end) {
            end -= 1;
        }
        request.code[..end].chars().count()
    };
    let start = code_points(completion.replaces.start);
    let end = code_points(completion.replaces.end);
    let texts: Vec<&str> = completion.matches.iter().map(|m| m.text.as_str()).collect();
    let types: Vec<Value> = completion
        .matches
        .iter()
        .map(|m| {
            json!({
                "text": m.text,
                "type": m.kind,
                "signature": m.signature,
                "start": start,
                "end": end,
            })
        })
        .collect();
    json!({
        "status": "ok",
        "matches": texts,
        "cursor_start": start,
        "cursor_end": end,
        "metadata": {"_jupyter_types_experimental": types},
    })
}

pub fn inspect_reply(found: Option<MimeBundle>) -> Value {
    json!({
        "status": "ok",
        "found": found.is_some(),
        "data": found.unwrap_or_default(),
        "metadata": {},
    })
}

/// A refusal in the format of the Debug Adapter Protocol.
pub fn debug_reply(request: &DebugRequest) -> Value {
    json!({
        "type": "response",
        "seq": request.seq,
        "request_seq": request.seq,
        "command": request.command,
        "success": false,
        "message": "this kernel has no debugger",
    })
}

/// The content of any reply that failed.
pub fn error(ename: &str, evalue: &str) -> Value {
    json!({"status": "error", "ename": ename, "evalue": evalue, "traceback": []})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jupyter::engine::Match;

    fn at(code: &str, cursor_pos: Option<usize>) -> CursorRequest {
        CursorRequest {
            code: code.to_owned(),
            cursor_pos,
            detail_level: 0,
        }
    }

    #[test]
    fn cursors_are_code_points_outside_and_bytes_inside() {
        // "é" is 2 bytes, "🦀" is 4.
        assert_eq!(at("é🦀.x", Some(2)).byte_offset(), 6);
        assert_eq!(at("é🦀.x", Some(99)).byte_offset(), 8);
        assert_eq!(at("é🦀.x", None).byte_offset(), 8);
        let completion = Completion {
            matches: vec![Match::default()],
            replaces: 7..8,
        };
        let reply = complete_reply(&at("é🦀.x", None), &completion);
        assert_eq!(
            (&reply["cursor_start"], &reply["cursor_end"]),
            (&json!(3), &json!(4))
        );
    }

    #[test]
    fn a_request_without_its_code_is_an_error_and_an_unknown_one_is_not() {
        assert!(Request::parse("complete_request", json!({})).is_err());
        assert_eq!(
            Request::parse("no_such_request", json!({})).unwrap(),
            Request::Unknown
        );
    }

    #[test]
    fn an_execute_request_has_the_protocols_defaults() {
        let parsed = Request::parse("execute_request", json!({"code": "1"})).unwrap();
        let Request::Execute(request) = parsed else {
            panic!("not an execute request");
        };
        assert!(request.store_history && request.stop_on_error && !request.silent);
    }
}
