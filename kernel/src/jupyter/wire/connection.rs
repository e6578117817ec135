//! The connection file: the addresses of the five channels and the key that signs their messages.
//!
//! An endpoint is `tcp://IP:PORT` or `ipc://PATH-N`; a port of 0 means "any", and the choice is written back.
//! Source: <https://jupyter-client.readthedocs.io/en/stable/kernels.html#connection-files>.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::signature::Scheme;
use crate::jupyter::error::{Error, Result};

/// The transport of the channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Tcp,
    Ipc,
}

/// One of a kernel's five channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Shell,
    Control,
    Stdin,
    IoPub,
    Heartbeat,
}

impl Channel {
    /// All of them, in the order in which they are bound.
    pub const ALL: [Channel; 5] = [
        Channel::Heartbeat,
        Channel::IoPub,
        Channel::Stdin,
        Channel::Control,
        Channel::Shell,
    ];

    /// The name that error messages use.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Shell => "shell",
            Channel::Control => "control",
            Channel::Stdin => "stdin",
            Channel::IoPub => "iopub",
            Channel::Heartbeat => "hb",
        }
    }

    /// The place in [`Channel::ALL`].
    fn index(self) -> usize {
        match self {
            Channel::Heartbeat => 0,
            Channel::IoPub => 1,
            Channel::Stdin => 2,
            Channel::Control => 3,
            Channel::Shell => 4,
        }
    }

    fn port_field(self) -> &'static str {
        match self {
            Channel::Shell => "shell_port",
            Channel::Control => "control_port",
            Channel::Stdin => "stdin_port",
            Channel::IoPub => "iopub_port",
            Channel::Heartbeat => "hb_port",
        }
    }
}

/// A connection file that was read and can be served.
#[derive(Debug, Clone)]
pub struct Connection {
    transport: Transport,
    ip: String,
    key: String,
    scheme: Scheme,
    ports: [u16; 5],
}

#[derive(Deserialize)]
struct File {
    #[serde(default = "tcp")]
    transport: Transport,
    #[serde(default = "loopback")]
    ip: String,
    #[serde(default)]
    key: String,
    #[serde(default = "scheme")]
    signature_scheme: String,
    #[serde(default)]
    shell_port: u16,
    #[serde(default)]
    control_port: u16,
    #[serde(default)]
    stdin_port: u16,
    #[serde(default)]
    iopub_port: u16,
    #[serde(default)]
    hb_port: u16,
}

fn tcp() -> Transport {
    Transport::Tcp
}
fn loopback() -> String {
    "127.0.0.1".to_owned()
}
fn scheme() -> String {
    Scheme::Sha256.name().to_owned()
}

impl Connection {
    /// Reads a connection file; ports that are 0 in it are chosen and written back to it.
    ///
    /// # Errors
    /// When the file cannot be read, is no JSON object with the right fields, or has a signature scheme that is
    /// not in [`Scheme::ALL`].
    pub fn read(path: &Path) -> Result<Connection> {
        let io = |action| {
            move |source| Error::Io {
                action,
                path: path.to_owned(),
                source,
            }
        };
        let text = std::fs::read_to_string(path).map_err(io("read"))?;
        let (mut connection, open) = Connection::parse(path, &text)?;
        if open {
            connection.choose_ports()?;
            let filled = connection.filled(&text);
            std::fs::write(path, filled).map_err(io("write the chosen ports to"))?;
        }
        Ok(connection)
    }

    /// The connection and whether some of its ports are still open.
    fn parse(path: &Path, text: &str) -> Result<(Connection, bool)> {
        let invalid = |reason: String| Error::ConnectionFile {
            path: path.to_owned(),
            reason,
        };
        let file: File = serde_json::from_str(text).map_err(|e| invalid(e.to_string()))?;
        let scheme = match Scheme::of_name(&file.signature_scheme) {
            Some(scheme) => scheme,
            // Nothing is signed.
            None if file.key.is_empty() => Scheme::Sha256,
            None => {
                return Err(invalid(format!(
                    "signature_scheme is {:?}; supported are {}",
                    file.signature_scheme,
                    Scheme::ALL.map(Scheme::name).join(", ")
                )));
            }
        };
        if file.ip.is_empty() {
            return Err(invalid("ip is empty".to_owned()));
        }
        let ports = [
            file.hb_port,
            file.iopub_port,
            file.stdin_port,
            file.control_port,
            file.shell_port,
        ];
        for (i, port) in ports.iter().enumerate() {
            if *port != 0 && ports[..i].contains(port) {
                return Err(invalid(format!("two channels share the port {port}")));
            }
        }
        let connection = Connection {
            transport: file.transport,
            ip: file.ip,
            key: file.key,
            scheme,
            ports,
        };
        Ok((connection, ports.contains(&0)))
    }

    /// The key that signs messages; empty when they are not signed.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How messages are signed.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The port (TCP) or number (IPC) of a channel.
    pub fn port(&self, channel: Channel) -> u16 {
        self.ports[channel.index()]
    }

    /// The ZeroMQ address of a channel.
    pub fn endpoint(&self, channel: Channel) -> String {
        let port = self.port(channel);
        match self.transport {
            Transport::Tcp => format!("tcp://{}:{port}", self.host()),
            Transport::Ipc => format!("ipc://{}-{port}", self.ip),
        }
    }

    /// The socket file of a channel, for IPC.
    pub fn ipc_path(&self, channel: Channel) -> Option<PathBuf> {
        (self.transport == Transport::Ipc)
            .then(|| PathBuf::from(format!("{}-{}", self.ip, self.port(channel))))
    }

    /// The ports for `connect_reply`, under the connection file's names.
    pub fn port_fields(&self) -> Map<String, Value> {
        Channel::ALL
            .iter()
            .map(|&c| (c.port_field().to_owned(), self.port(c).into()))
            .collect()
    }

    fn host(&self) -> String {
        match self.ip.as_str() {
            "*" => "0.0.0.0".to_owned(),
            ip if ip.contains(':') && !ip.starts_with('[') => format!("[{ip}]"),
            ip => ip.to_owned(),
        }
    }

    fn choose_ports(&mut self) -> Result<()> {
        // The listeners live until every port is chosen, so that no two are the same.
        let mut held = Vec::new();
        for channel in Channel::ALL {
            if self.port(channel) != 0 {
                continue;
            }
            let port = match self.transport {
                Transport::Tcp => {
                    let host = self.host();
                    let listener =
                        TcpListener::bind(format!("{host}:0")).map_err(|e| Error::Bind {
                            channel: channel.name(),
                            endpoint: format!("tcp://{host}:0"),
                            reason: e.to_string(),
                        })?;
                    let port = listener.local_addr().map_or(0, |a| a.port());
                    held.push(listener);
                    port
                }
                Transport::Ipc => (1..u16::MAX)
                    .find(|n| {
                        !self.ports.contains(n) && !Path::new(&format!("{}-{n}", self.ip)).exists()
                    })
                    .unwrap_or(u16::MAX),
            };
            self.ports[channel.index()] = port;
        }
        Ok(())
    }

    /// The file's text with the chosen ports, everything else unchanged.
    fn filled(&self, text: &str) -> String {
        let mut file: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        file.extend(self.port_fields());
        serde_json::to_string_pretty(&file).unwrap_or_else(|_| text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Connection> {
        Connection::parse(Path::new("c.json"), text).map(|(c, _)| c)
    }

    const PORTS: &str =
        r#""shell_port":1,"iopub_port":2,"stdin_port":3,"control_port":4,"hb_port":5"#;

    #[test]
    fn tcp_and_ipc_endpoints_are_spelt_as_jupyter_does() {
        let tcp = parse(&format!(r#"{{"ip":"127.0.0.1","key":"k",{PORTS}}}"#)).unwrap();
        assert_eq!(tcp.endpoint(Channel::Shell), "tcp://127.0.0.1:1");
        assert_eq!(tcp.endpoint(Channel::Heartbeat), "tcp://127.0.0.1:5");
        let v6 = parse(&format!(r#"{{"ip":"::1",{PORTS}}}"#)).unwrap();
        assert_eq!(v6.endpoint(Channel::Stdin), "tcp://[::1]:3");
        let ipc = parse(&format!(
            r#"{{"transport":"ipc","ip":"kernel-x-ipc",{PORTS}}}"#
        ))
        .unwrap();
        assert_eq!(ipc.endpoint(Channel::IoPub), "ipc://kernel-x-ipc-2");
    }

    #[test]
    fn the_signature_scheme_is_the_files() {
        let of = |fields: &str| parse(&format!("{{{fields}{PORTS}}}")).unwrap().scheme();
        assert_eq!(of(r#""key":"k","#), Scheme::Sha256);
        assert_eq!(
            of(r#""key":"k","signature_scheme":"hmac-sha512","#),
            Scheme::Sha512
        );
        // Without a key nothing is signed, whatever the scheme.
        of(r#""key":"","signature_scheme":"hmac-md5","#);
    }

    #[test]
    fn what_cannot_be_served_is_named() {
        for (text, part) in [
            ("{", "EOF"),
            (r#"{"transport":"pgm"}"#, "pgm"),
            (r#"{"shell_port":70000}"#, "70000"),
            (r#"{"key":"k","signature_scheme":"hmac-md5"}"#, "hmac-md5"),
            (
                r#"{"key":"k","signature_scheme":"hmac-md5"}"#,
                "supported are hmac-sha224, hmac-sha256,",
            ),
            (r#"{"shell_port":7,"hb_port":7}"#, "share the port 7"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("c.json"), "{error}");
        }
    }

    #[test]
    fn open_ports_are_chosen_and_written_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.json");
        std::fs::write(&path, r#"{"ip":"127.0.0.1","key":"k","kernel_name":"x"}"#).unwrap();
        let first = Connection::read(&path).unwrap();
        let again = Connection::read(&path).unwrap();
        for channel in Channel::ALL {
            assert_ne!(first.port(channel), 0);
            assert_eq!(first.port(channel), again.port(channel));
        }
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .contains("kernel_name")
        );
    }
}
