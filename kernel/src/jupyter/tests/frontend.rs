//! A frontend for tests: DEALERs for shell, control and stdin, a SUB for IOPub, a REQ for the heartbeat.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use zeromq::util::PeerIdentity;
use zeromq::{
    DealerSocket, ReqSocket, Socket, SocketOptions, SocketRecv, SocketSend, SubSocket, ZmqMessage,
};

use crate::jupyter::echo::Echo;
use crate::jupyter::engine::{Background, Engine, KernelInfo, Language, LanguageInfo};
use crate::jupyter::wire::connection::{Channel, Connection};
use crate::jupyter::wire::message::{Frame, Message, Wire};
use crate::jupyter::wire::signature::Scheme;

/// How long a test waits for a message before it fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// A kernel on a separate thread, and a frontend connected to it.
pub struct Frontend {
    pub wire: Wire,
    pub shell: DealerSocket,
    pub control: DealerSocket,
    pub stdin: DealerSocket,
    pub iopub: SubSocket,
    pub heartbeat: ReqSocket,
    pub connection: Connection,
    kernel: Option<std::thread::JoinHandle<crate::jupyter::Result<()>>>,
    _folder: TempDir,
}

/// How a kernel is reached.
#[derive(Clone, Copy)]
pub enum Transport {
    Tcp,
    Ipc,
}

impl Frontend {
    /// A frontend of a kernel with an echo engine.
    pub async fn echo() -> Frontend {
        Frontend::with(Transport::Tcp, |background| {
            Ok(Box::new(Echo::new(background)))
        })
        .await
    }

    /// A frontend of a kernel with any engine.
    pub async fn with(
        transport: Transport,
        factory: impl FnOnce(Background) -> Result<Box<dyn Engine>, String> + Send + 'static,
    ) -> Frontend {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connection.json");
        let file = match transport {
            Transport::Tcp => json!({"transport": "tcp", "ip": "127.0.0.1", "key": "secret"}),
            Transport::Ipc => {
                json!({"transport": "ipc", "ip": folder.path().join("k"), "key": "secret"})
            }
        };
        std::fs::write(&path, file.to_string()).unwrap();
        // Reading it once chooses the ports, so that both sides use the same.
        let connection = Connection::read(&path).unwrap();
        let kernel = serve(path, factory);
        let id = uuid::Uuid::new_v4().to_string();
        let mut iopub = SubSocket::new();
        iopub.subscribe("").await.unwrap();
        let mut frontend = Frontend {
            wire: Wire::new(Scheme::Sha256, "secret"),
            shell: dealer(&id),
            control: dealer(&id),
            stdin: dealer(&id),
            iopub,
            heartbeat: ReqSocket::new(),
            connection,
            kernel: Some(kernel),
            _folder: folder,
        };
        frontend.connect().await;
        frontend
    }

    async fn connect(&mut self) {
        let c = &self.connection;
        until_served(c).await;
        connect(&mut self.iopub, c, Channel::IoPub).await;
        connect(&mut self.stdin, c, Channel::Stdin).await;
        connect(&mut self.heartbeat, c, Channel::Heartbeat).await;
        connect(&mut self.control, c, Channel::Control).await;
        connect(&mut self.shell, c, Channel::Shell).await;
        // After the welcome, no published message is missed.
        while self.published().await.header.msg_type != "iopub_welcome" {}
    }

    /// Sends a request on shell; returns its id.
    pub async fn send(&mut self, msg_type: &str, content: Value) -> String {
        let (id, message) = self.request(msg_type, content);
        self.shell.send(message).await.unwrap();
        id
    }

    /// Sends a request on control; returns its id.
    pub async fn send_control(&mut self, msg_type: &str, content: Value) -> String {
        let (id, message) = self.request(msg_type, content);
        self.control.send(message).await.unwrap();
        id
    }

    /// Sends a cell; returns its id.
    pub async fn run(&mut self, code: &str) -> String {
        self.send(
            "execute_request",
            json!({"code": code, "allow_stdin": true}),
        )
        .await
    }

    fn request(&self, msg_type: &str, content: Value) -> (String, ZmqMessage) {
        let message = self.wire.message(msg_type, None, Vec::new(), content);
        let id = message.header.msg_id.clone();
        (id, zmq(self.wire.encode(message)))
    }

    /// The next answer on shell.
    pub async fn reply(&mut self) -> Message {
        receive(&self.wire, &mut self.shell, "shell").await
    }

    /// The next answer on control.
    pub async fn control_reply(&mut self) -> Message {
        receive(&self.wire, &mut self.control, "control").await
    }

    /// The next message on stdin.
    pub async fn question(&mut self) -> Message {
        receive(&self.wire, &mut self.stdin, "stdin").await
    }

    /// Answers a question.
    pub async fn answer(&mut self, question: &Message, value: &str) {
        let message = self.wire.message(
            "input_reply",
            Some(&question.header),
            Vec::new(),
            json!({"value": value}),
        );
        let frames = self.wire.encode(message);
        self.stdin.send(zmq(frames)).await.unwrap();
    }

    /// The next message on IOPub.
    pub async fn published(&mut self) -> Message {
        receive(&self.wire, &mut self.iopub, "iopub").await
    }

    /// The messages published for a request, from its busy to its idle status, both included.
    pub async fn published_for(&mut self, id: &str) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let message = self.published().await;
            if message.parent.as_ref().is_none_or(|p| p.msg_id != id) {
                continue;
            }
            let idle = message.content["execution_state"] == "idle";
            messages.push(message);
            if idle {
                return messages;
            }
        }
    }

    /// Whether nothing more arrives on IOPub for a while.
    pub async fn silence(&mut self) -> bool {
        timeout(Duration::from_millis(200), self.iopub.recv())
            .await
            .is_err()
    }

    /// Runs a cell; returns its reply's content and the output between busy and idle, as `type` or `type:text`.
    pub async fn shown(&mut self, code: &str) -> (Value, Vec<String>) {
        let id = self.run(code).await;
        let reply = self.reply().await;
        assert_eq!(reply.parent.unwrap().msg_id, id);
        let messages = self.published_for(&id).await;
        (reply.content, messages.iter().map(summary).collect())
    }

    /// Waits for the kernel to end by itself.
    pub fn join(&mut self) {
        if let Some(kernel) = self.kernel.take() {
            kernel.join().unwrap().unwrap();
        }
    }
}

/// `status:busy`, `stream:text`, `display_data:text`, or the type alone.
pub fn summary(message: &Message) -> String {
    let content = &message.content;
    let detail = [
        &content["execution_state"],
        &content["text"],
        &content["data"]["text/plain"],
        &content["code"],
        &content["evalue"],
    ]
    .into_iter()
    .find_map(Value::as_str);
    match detail {
        Some(detail) => format!("{}:{}", message.header.msg_type, detail.trim_end()),
        None => message.header.msg_type.clone(),
    }
}

/// Serves a kernel on a thread.
pub fn serve(
    path: PathBuf,
    factory: impl FnOnce(Background) -> Result<Box<dyn Engine>, String> + Send + 'static,
) -> std::thread::JoinHandle<crate::jupyter::Result<()>> {
    let info = KernelInfo {
        implementation: "echo".to_owned(),
        implementation_version: "1".to_owned(),
        banner: "an echo".to_owned(),
        language_info: LanguageInfo::rust("1.95.0"),
        help_links: Vec::new(),
    };
    let language = Language {
        info,
        is_complete: crate::jupyter::echo::is_complete,
    };
    std::thread::spawn(move || crate::jupyter::serve(&path, language, None, factory))
}

fn dealer(id: &str) -> DealerSocket {
    let mut options = SocketOptions::default();
    options.peer_identity(id.parse::<PeerIdentity>().unwrap());
    DealerSocket::with_options(options)
}

/// Waits until the kernel listens; shell is the last channel that it binds.
async fn until_served(connection: &Connection) {
    let served = || match connection.ipc_path(Channel::Shell) {
        Some(path) => path.exists(),
        None => {
            std::net::TcpStream::connect(("127.0.0.1", connection.port(Channel::Shell))).is_ok()
        }
    };
    for _ in 0..500 {
        if served() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the kernel does not listen");
}

async fn connect(socket: &mut impl Socket, connection: &Connection, channel: Channel) {
    socket.connect(&connection.endpoint(channel)).await.unwrap();
}

async fn receive(wire: &Wire, socket: &mut impl SocketRecv, channel: &str) -> Message {
    let message = timeout(PATIENCE, socket.recv())
        .await
        .unwrap_or_else(|_| panic!("nothing came on {channel}"))
        .unwrap();
    let frames: Vec<Frame> = message.into_vec().into_iter().map(Frame::from).collect();
    wire.decode(frames).unwrap()
}

/// The ZeroMQ message of some frames.
pub fn zmq(frames: Vec<Frame>) -> ZmqMessage {
    let mut frames = frames.into_iter();
    let mut message = ZmqMessage::from(frames.next().unwrap());
    frames.for_each(|frame| message.push_back(frame.into()));
    message
}
