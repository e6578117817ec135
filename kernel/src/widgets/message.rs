//! Comm messages: as the library writes them, and as frontends send them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The three messages of a comm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommKind {
    Open,
    Message,
    Close,
}

impl CommKind {
    /// The message's type on the wire.
    pub fn msg_type(self) -> &'static str {
        match self {
            CommKind::Open => "comm_open",
            CommKind::Message => "comm_msg",
            CommKind::Close => "comm_close",
        }
    }
}

/// A message of a comm, in either direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommMessage {
    pub kind: CommKind,
    pub comm_id: String,
    /// Only in an opening message.
    pub target_name: String,
    pub data: Value,
    pub metadata: Map<String, Value>,
    pub buffers: Vec<Vec<u8>>,
    /// The id of the frontend's message that this one answers, if any.
    pub request: Option<String>,
}

/// Events from the user's process about its widgets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum CommEvent {
    Message(CommMessage),
    /// All output from here on comes from callbacks of this widget.
    Begin {
        request: String,
        comm_id: String,
    },
    /// These messages of frontends have been answered.
    End {
        requests: Vec<String>,
    },
    /// Outputs go to this output area from here on, or no longer to any.
    Capture {
        comm_id: Option<String>,
    },
    /// Exactly these models exist.
    Known {
        ids: Vec<String>,
    },
}

impl CommMessage {
    /// An `update` of some keys of a model's state.
    pub fn update(comm_id: &str, state: Map<String, Value>) -> Self {
        Self {
            kind: CommKind::Message,
            comm_id: comm_id.to_owned(),
            target_name: String::new(),
            data: json!({"method": "update", "state": state, "buffer_paths": []}),
            metadata: Map::new(),
            buffers: Vec::new(),
            request: None,
        }
    }

    /// The message's content on the wire.
    pub fn content(&self) -> Value {
        let mut content = json!({"comm_id": self.comm_id, "data": self.data});
        if self.kind == CommKind::Open {
            content["target_name"] = self.target_name.as_str().into();
        }
        content
    }

    /// The approximate size of the content, in bytes.
    pub fn size(&self) -> usize {
        weight(&self.data) + self.buffers.iter().map(Vec::len).sum::<usize>()
    }
}

/// The approximate length of a value as text.
fn weight(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(weight).sum(),
        Value::Object(fields) => fields.iter().map(|(k, v)| k.len() + weight(v)).sum(),
        _ => 8,
    }
}

/// A frontend's comm message, or the part of it that the library needs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Request {
    pub comm_id: String,
    #[serde(default)]
    pub target_name: String,
    #[serde(default)]
    pub data: Value,
}

impl Request {
    /// The line that the library reads.
    pub fn to_line(&self, kind: CommKind, msg_id: &str, buffers: &[Vec<u8>]) -> String {
        let kind = match kind {
            CommKind::Open => "open",
            CommKind::Message => "message",
            CommKind::Close => "close",
        };
        let buffers: Vec<String> = buffers.iter().map(|b| STANDARD.encode(b)).collect();
        let line = json!({
            "request": msg_id,
            "comm_id": self.comm_id,
            "kind": kind,
            "data": self.data,
            "buffers": buffers,
        });
        line.to_string()
    }

    /// The message as the library would have sent it, for the kernel's own copy of the states.
    pub fn message(&self, kind: CommKind, buffers: &[Vec<u8>]) -> CommMessage {
        CommMessage {
            kind,
            comm_id: self.comm_id.clone(),
            target_name: self.target_name.clone(),
            data: self.data.clone(),
            metadata: Map::new(),
            buffers: buffers.to_vec(),
            request: None,
        }
    }
}

/// A line from the library, by its type.
#[derive(Deserialize)]
#[serde(tag = "type")]
pub enum CommFrame {
    #[serde(rename = "comm_open")]
    Open(Parts),
    #[serde(rename = "comm_msg")]
    Msg(Parts),
    #[serde(rename = "comm_close")]
    Close(Parts),
    #[serde(rename = "comm_begin")]
    Begin { request: String, comm_id: String },
    #[serde(rename = "comm_end")]
    End { requests: Vec<String> },
    #[serde(rename = "comm_capture")]
    Capture { comm_id: Option<String> },
    #[serde(rename = "comm_known")]
    Known { ids: Vec<String> },
}

#[derive(Deserialize)]
pub struct Parts {
    comm_id: String,
    #[serde(default)]
    target_name: String,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(default)]
    buffers: Vec<String>,
    #[serde(default)]
    request: Option<String>,
}

impl TryFrom<CommFrame> for CommEvent {
    type Error = base64::DecodeError;

    fn try_from(frame: CommFrame) -> Result<Self, base64::DecodeError> {
        Ok(match frame {
            CommFrame::Open(parts) => Self::Message(parts.message(CommKind::Open)?),
            CommFrame::Msg(parts) => Self::Message(parts.message(CommKind::Message)?),
            CommFrame::Close(parts) => Self::Message(parts.message(CommKind::Close)?),
            CommFrame::Begin { request, comm_id } => Self::Begin { request, comm_id },
            CommFrame::End { requests } => Self::End { requests },
            CommFrame::Capture { comm_id } => Self::Capture { comm_id },
            CommFrame::Known { ids } => Self::Known { ids },
        })
    }
}

impl Parts {
    fn message(self, kind: CommKind) -> Result<CommMessage, base64::DecodeError> {
        let buffers = self.buffers.iter().map(|text| STANDARD.decode(text));
        Ok(CommMessage {
            kind,
            comm_id: self.comm_id,
            target_name: self.target_name,
            data: self.data,
            metadata: self.metadata,
            buffers: buffers.collect::<Result<_, _>>()?,
            request: self.request,
        })
    }
}
