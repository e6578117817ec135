//! Every request gets its answer between busy and idle, whichever client sends it.

use serde_json::{Value, json};
use zeromq::{SocketRecv, SocketSend};

use super::frontend::{Frontend, Transport, summary, zmq};
use crate::jupyter::echo::Echo;
use crate::jupyter::wire::message::Wire;
use crate::jupyter::wire::signature::Scheme;
use crate::run::output::event::{Event, StreamName};

/// Sends a request; returns its reply's content, after checking that the reply and busy/idle belong
/// to it.
async fn ask(frontend: &mut Frontend, msg_type: &str, content: Value) -> Value {
    let id = frontend.send(msg_type, content).await;
    let reply = frontend.reply().await;
    assert_eq!(reply.parent.as_ref().unwrap().msg_id, id);
    assert_eq!(
        reply.header.msg_type,
        msg_type.replace("_request", "_reply")
    );
    let published = frontend.published_for(&id).await;
    let summaries: Vec<String> = published.iter().map(summary).collect();
    assert_eq!(summaries, ["status:busy", "status:idle"], "{msg_type}");
    reply.content
}

#[tokio::test]
async fn every_request_without_side_effects_is_answered_between_busy_and_idle() {
    let mut f = Frontend::echo().await;
    let info = ask(&mut f, "kernel_info_request", json!({})).await;
    assert_eq!(info["status"], "ok");
    assert_eq!(info["protocol_version"], "5.4");
    assert_eq!(info["language_info"]["name"], "rust");
    assert_eq!(info["implementation"], "echo");

    let comms = ask(&mut f, "comm_info_request", json!({})).await;
    assert_eq!(comms, json!({"status": "ok", "comms": {}}));

    let debug = ask(
        &mut f,
        "debug_request",
        json!({"type": "request", "seq": 3, "command": "initialize"}),
    )
    .await;
    assert_eq!(
        (&debug["success"], &debug["request_seq"]),
        (&json!(false), &json!(3))
    );

    let ports = ask(&mut f, "connect_request", json!({})).await;
    assert!(ports["shell_port"].is_u64());

    let history = ask(
        &mut f,
        "history_request",
        json!({"hist_access_type": "tail", "n": 3, "output": false, "raw": true}),
    )
    .await;
    assert_eq!(history, json!({"status": "ok", "history": []}));
}

#[tokio::test]
async fn questions_about_code_reach_the_engine() {
    let mut f = Frontend::echo().await;
    let found = ask(
        &mut f,
        "complete_request",
        json!({"code": "out é s", "cursor_pos": 7}),
    )
    .await;
    assert_eq!(found["matches"], json!(["show", "sleep", "stop"]));
    assert_eq!(
        (&found["cursor_start"], &found["cursor_end"]),
        (&json!(6), &json!(7))
    );

    let found = ask(
        &mut f,
        "inspect_request",
        json!({"code": "show x", "cursor_pos": 1, "detail_level": 0}),
    )
    .await;
    assert_eq!(found["found"], true);
    assert_eq!(found["data"]["text/plain"], "shows a text");

    for (code, answer) in [
        ("out x", json!({"status": "complete"})),
        ("if {", json!({"status": "incomplete", "indent": "    "})),
        ("}", json!({"status": "invalid"})),
    ] {
        assert_eq!(
            ask(&mut f, "is_complete_request", json!({"code": code})).await,
            answer
        );
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_an_error_reply() {
    let mut f = Frontend::echo().await;
    for msg_type in [
        "execute_request",
        "complete_request",
        "inspect_request",
        "is_complete_request",
        "history_request",
    ] {
        let reply = ask(&mut f, msg_type, json!({"code": 7})).await;
        assert_eq!(reply["status"], "error", "{msg_type}");
    }
}

#[tokio::test]
async fn unknown_messages_get_busy_and_idle_and_nothing_else() {
    let mut f = Frontend::echo().await;
    for msg_type in ["no_such_request", "comm_close", "create_subshell_request"] {
        let id = f.send(msg_type, json!({"comm_id": "c", "data": {}})).await;
        assert_eq!(f.published_for(&id).await.len(), 2, "{msg_type}");
    }
    // The first reply belongs to this request, so the ones before had none.
    ask(&mut f, "kernel_info_request", json!({})).await;
}

#[tokio::test]
async fn a_comm_of_an_unknown_target_is_closed() {
    let mut f = Frontend::echo().await;
    let id = f
        .send(
            "comm_open",
            json!({"comm_id": "c1", "target_name": "widget", "data": {}}),
        )
        .await;
    let published = f.published_for(&id).await;
    assert_eq!(published[1].header.msg_type, "comm_close");
    assert_eq!(published[1].content["comm_id"], "c1");
}

#[tokio::test]
async fn a_message_for_a_comm_that_nobody_knows_closes_it() {
    let mut f = Frontend::echo().await;
    let content = json!({"comm_id": "c1", "data": {"method": "update", "state": {}}});
    let id = f.send("comm_msg", content).await;
    let published = f.published_for(&id).await;
    let types: Vec<&str> = published.iter().map(|m| &*m.header.msg_type).collect();
    assert_eq!(types, ["status", "comm_close", "status"]);
    assert_eq!(published[1].content["comm_id"], "c1");
}

#[tokio::test]
async fn a_message_with_a_wrong_signature_is_dropped() {
    let mut f = Frontend::echo().await;
    let forger = Wire::new(Scheme::Sha256, "not the secret");
    for wire in [forger, Wire::new(Scheme::Sha256, "")] {
        let forged = wire.message(
            "execute_request",
            None,
            Vec::new(),
            json!({"code": "out x"}),
        );
        f.shell.send(zmq(wire.encode(forged))).await.unwrap();
    }
    f.shell
        .send(zmq(vec![b"no delimiter".to_vec()]))
        .await
        .unwrap();
    ask(&mut f, "kernel_info_request", json!({})).await;
    assert!(f.silence().await);
}

#[tokio::test]
async fn the_heartbeat_sends_back_what_it_gets_while_a_cell_runs() {
    let mut f = Frontend::echo().await;
    f.run("sleep 300").await;
    for ping in ["ping", "again"] {
        f.heartbeat.send(ping.into()).await.unwrap();
        let pong = f.heartbeat.recv().await.unwrap();
        assert_eq!(pong.get(0).unwrap().as_ref(), ping.as_bytes());
    }
    f.reply().await;
}

#[tokio::test]
async fn the_kernel_speaks_over_ipc_and_leaves_no_socket_file() {
    let mut f = Frontend::with(Transport::Ipc, |background| {
        Ok(Box::new(Echo::new(background)))
    })
    .await;
    let (reply, _) = f.shown("out x").await;
    assert_eq!(reply["status"], "ok");
    let path = f
        .connection
        .ipc_path(crate::jupyter::wire::connection::Channel::Shell)
        .unwrap();
    assert!(path.exists());
    f.send_control("shutdown_request", json!({"restart": false}))
        .await;
    f.control_reply().await;
    f.join();
    assert!(!path.exists());
}

#[tokio::test]
async fn kernel_info_is_answered_before_the_engine_is_up_and_cells_wait_for_it() {
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let mut f = Frontend::with(Transport::Tcp, move |background| {
        gate.recv().map_err(|e| e.to_string())?;
        Ok(Box::new(Echo::new(background)))
    })
    .await;
    let cell = f.run("out late").await;
    ask(&mut f, "kernel_info_request", json!({})).await;
    let complete = ask(&mut f, "is_complete_request", json!({"code": "out x"})).await;
    assert_eq!(complete["status"], "complete");
    open.send(()).unwrap();
    assert_eq!(f.reply().await.content["status"], "ok");
    let shown = f.published_for(&cell).await;
    assert_eq!(summary(&shown[2]), "stream:late");
}

#[tokio::test]
async fn what_is_shown_while_the_engine_starts_is_for_the_first_waiting_cell() {
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let mut f = Frontend::with(Transport::Tcp, move |background| {
        gate.recv().map_err(|e| e.to_string())?;
        background(Event::Stream {
            name: StreamName::Stderr,
            text: "building".to_owned(),
        });
        Ok(Box::new(Echo::new(background)))
    })
    .await;
    let first = f.run("out one").await;
    f.run("out two").await;
    // Answered after both cells were queued.
    ask(&mut f, "kernel_info_request", json!({})).await;
    open.send(()).unwrap();
    let shown: Vec<String> = f.published_for(&first).await.iter().map(summary).collect();
    assert!(shown.contains(&"stream:building".to_owned()), "{shown:?}");
    assert!(shown.contains(&"stream:one".to_owned()), "{shown:?}");
}

#[tokio::test]
async fn an_engine_that_does_not_start_leaves_a_kernel_that_says_why() {
    let mut f = Frontend::with(Transport::Tcp, |_| Err("no compiler".to_owned())).await;
    let (reply, shown) = f.shown("out x").await;
    assert_eq!(reply["status"], "error");
    assert!(reply["evalue"].as_str().unwrap().contains("no compiler"));
    assert_eq!(shown.len(), 4, "{shown:?}");
}
