//! Messages on the wire: identities, `<IDS|MSG>`, signature, four JSON parts, buffers.
//!
//! For signatures see `signature`.
//! Source: <https://jupyter-client.readthedocs.io/en/stable/messaging.html#the-wire-protocol>.

use crate::clock::now;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::signature::{Scheme, Signer};

/// The version of the messaging protocol that this kernel implements.
pub const PROTOCOL_VERSION: &str = "5.4";

const DELIMITER: &[u8] = b"<IDS|MSG>";

/// One ZeroMQ frame.
pub type Frame = Vec<u8>;

/// A message's sender, date and type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub msg_id: String,
    pub msg_type: String,
    #[serde(default)]
    pub session: String,
    #[serde(default)]
    pub username: String,
    /// Fields that are passed back unchanged: date, version, and what newer protocols add.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// A message with its content as JSON; `content.rs` gives the content its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its source or destination: a client's identity, or the topic on IOPub.
    pub identities: Vec<Frame>,
    pub header: Header,
    /// The header of the request that this message belongs to.
    pub parent: Option<Header>,
    pub metadata: Map<String, Value>,
    pub content: Value,
    pub buffers: Vec<Frame>,
}

/// Why a message was dropped.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum Rejected {
    #[error("it has no <IDS|MSG> delimiter")]
    NoDelimiter,
    #[error("its signature is missing or wrong")]
    Signature,
    #[error("its {part} cannot be read: {reason}")]
    Malformed { part: &'static str, reason: String },
}

/// One side of a conversation: creates, signs and verifies messages.
#[derive(Clone)]
pub struct Wire {
    signer: Signer,
    session: String,
}

impl Wire {
    /// A wire whose messages are signed with `key`; an empty key means unsigned.
    pub fn new(scheme: Scheme, key: &str) -> Wire {
        Wire {
            signer: Signer::new(scheme, key),
            session: uuid::Uuid::new_v4().to_string(),
        }
    }

    /// A new message that belongs to `parent` and goes to `identities`.
    pub fn message(
        &self,
        msg_type: &str,
        parent: Option<&Header>,
        identities: Vec<Frame>,
        content: Value,
    ) -> Message {
        let rest = [("date", now()), ("version", PROTOCOL_VERSION.to_owned())];
        Message {
            identities,
            header: Header {
                msg_id: uuid::Uuid::new_v4().to_string(),
                msg_type: msg_type.to_owned(),
                session: self.session.clone(),
                username: "kernel".to_owned(),
                rest: rest
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), Value::String(v)))
                    .collect(),
            },
            parent: parent.cloned(),
            metadata: Map::new(),
            content,
            buffers: Vec::new(),
        }
    }

    /// The frames of a message, signed.
    pub fn encode(&self, message: Message) -> Vec<Frame> {
        let parts = [
            json(&message.header),
            message.parent.as_ref().map_or_else(|| b"{}".to_vec(), json),
            json(&message.metadata),
            json(&message.content),
        ];
        let signature = self.signer.sign(&parts);
        let mut frames = message.identities;
        frames.push(DELIMITER.to_vec());
        frames.push(signature.into_bytes());
        frames.extend(parts);
        frames.extend(message.buffers);
        frames
    }

    /// The message in `frames`, if its signature is valid.
    ///
    /// # Errors
    /// The reason to drop it.
    pub fn decode(&self, frames: Vec<Frame>) -> Result<Message, Rejected> {
        let at = frames
            .iter()
            .position(|f| f == DELIMITER)
            .ok_or(Rejected::NoDelimiter)?;
        let mut frames = frames.into_iter();
        let identities = frames.by_ref().take(at).collect();
        frames.next();
        let mut next = |part| {
            frames.next().ok_or_else(|| Rejected::Malformed {
                part,
                reason: "the message ends before it".to_owned(),
            })
        };
        let signature = next("signature")?;
        let parts = [
            next("header")?,
            next("parent_header")?,
            next("metadata")?,
            next("content")?,
        ];
        if !self.signer.verify(&signature, &parts) {
            return Err(Rejected::Signature);
        }
        let malformed = |part| {
            move |e: serde_json::Error| Rejected::Malformed {
                part,
                reason: e.to_string(),
            }
        };
        let [header, parent, metadata, content] = parts;
        Ok(Message {
            identities,
            header: serde_json::from_slice(&header).map_err(malformed("header"))?,
            // `{}` if there is no parent.
            parent: serde_json::from_slice(&parent).ok(),
            metadata: serde_json::from_slice(&metadata).map_err(malformed("metadata"))?,
            content: serde_json::from_slice(&content).map_err(malformed("content"))?,
            buffers: frames.collect(),
        })
    }
}

fn json<T: Serialize>(part: &T) -> Frame {
    // Headers and JSON values have string keys and finite numbers, so this cannot fail.
    serde_json::to_vec(part).unwrap_or_else(|_| b"{}".to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(wire: &Wire) -> Message {
        let mut message = wire.message(
            "execute_request",
            None,
            vec![b"client".to_vec()],
            json!({"code": "1 + 1"}),
        );
        message.buffers.push(vec![0, 255]);
        message
    }

    #[test]
    fn a_message_survives_the_wire_with_identities_and_buffers() {
        for key in ["", "a key"] {
            let wire = Wire::new(Scheme::Sha256, key);
            let message = request(&wire);
            assert_eq!(wire.decode(wire.encode(message.clone())), Ok(message));
        }
    }

    #[test]
    fn a_wrong_missing_or_foreign_signature_is_rejected() {
        let wire = Wire::new(Scheme::Sha256, "a key");
        let frames = wire.encode(request(&wire));
        for signature in [&b""[..], b"00", b"zz", &[b'0'; 64]] {
            let mut forged = frames.clone();
            forged[2] = signature.to_vec();
            assert_eq!(wire.decode(forged), Err(Rejected::Signature));
        }
        let mut changed = frames.clone();
        changed[6] = br#"{"code": "evil()"}"#.to_vec();
        assert_eq!(wire.decode(changed), Err(Rejected::Signature));
        assert_eq!(
            Wire::new(Scheme::Sha256, "other").decode(frames),
            Err(Rejected::Signature)
        );
    }

    #[test]
    fn truncated_and_foreign_frames_are_rejected_without_a_panic() {
        let wire = Wire::new(Scheme::Sha256, "");
        assert_eq!(wire.decode(vec![]), Err(Rejected::NoDelimiter));
        let frames = wire.encode(request(&wire));
        for n in 2..7 {
            assert!(wire.decode(frames[..n].to_vec()).is_err());
        }
        let mut broken = frames;
        broken[3] = b"[]".to_vec();
        assert!(matches!(
            wire.decode(broken),
            Err(Rejected::Malformed { part: "header", .. })
        ));
    }
}
