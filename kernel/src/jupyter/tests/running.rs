//! Cells: their output and its order, failures, interrupts.

use std::time::Instant;

use serde_json::{Value, json};

use super::frontend::{Frontend, summary};

#[tokio::test]
async fn what_a_cell_shows_keeps_its_order_between_busy_and_idle() {
    let mut f = Frontend::echo().await;
    let (reply, shown) = f
        .shown("out a\nshow one\nerr b\nshow two\nclear\nout c\nvalue 42")
        .await;
    assert_eq!(
        shown,
        [
            "status:busy",
            "execute_input:out a\nshow one\nerr b\nshow two\nclear\nout c\nvalue 42",
            "stream:a",
            "display_data:one",
            "stream:b",
            "display_data:two",
            "clear_output",
            "stream:c",
            "execute_result:42",
            "status:idle",
        ]
    );
    assert_eq!(
        (&reply["status"], &reply["execution_count"]),
        (&json!("ok"), &json!(1))
    );
}

#[tokio::test]
async fn a_display_with_an_id_can_be_updated() {
    let mut f = Frontend::echo().await;
    let id = f.run("show d=one\nupdate d=two").await;
    f.reply().await;
    let messages = f.published_for(&id).await;
    for (message, msg_type) in messages[2..4]
        .iter()
        .zip(["display_data", "update_display_data"])
    {
        assert_eq!(message.header.msg_type, msg_type);
        assert_eq!(message.content["transient"]["display_id"], "d");
    }
}

#[tokio::test]
async fn counts_start_at_one_and_skip_silent_and_unstored_cells() {
    let mut f = Frontend::echo().await;
    let mut counts = Vec::new();
    for extra in [
        json!({}),
        json!({"silent": true}),
        json!({"store_history": false}),
        json!({}),
    ] {
        let mut content = json!({"code": "value 1"});
        content
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        let id = f.send("execute_request", content).await;
        counts.push(f.reply().await.content["execution_count"].as_u64().unwrap());
        let shown = f.published_for(&id).await;
        let silent = extra["silent"] == true;
        assert_eq!(shown.len(), if silent { 2 } else { 4 }, "{shown:?}");
    }
    assert_eq!(counts, [1, 2, 2, 2]);
    f.send(
        "history_request",
        json!({"hist_access_type": "tail", "n": 9, "output": true, "raw": true}),
    )
    .await;
    assert_eq!(
        f.reply().await.content["history"],
        json!([[1, 1, ["value 1", "1"]], [1, 2, ["value 1", "1"]]])
    );
}

#[tokio::test]
async fn a_failed_cell_is_one_error_message_and_an_error_reply() {
    let mut f = Frontend::echo().await;
    let (reply, shown) = f.shown("out a\nfail boom\nout never").await;
    assert_eq!(shown[2..], ["stream:a", "error:boom", "status:idle"]);
    assert_eq!(reply["status"], "error");
    assert_eq!(
        (&reply["ename"], &reply["evalue"]),
        (&json!("Echo"), &json!("boom"))
    );
    assert_eq!(reply["traceback"], json!(["Echo: boom"]));
}

#[tokio::test]
async fn an_engine_that_panics_fails_its_cell_and_the_next_one_runs() {
    let mut f = Frontend::echo().await;
    let (reply, shown) = f.shown("panic of the engine").await;
    assert_eq!(reply["status"], "error");
    assert!(reply["evalue"].as_str().unwrap().contains("of the engine"));
    assert_eq!(shown.last().unwrap(), "status:idle");
    assert_eq!(f.shown("out a").await.0["status"], "ok");
}

#[tokio::test]
async fn a_failure_aborts_what_is_queued_and_not_what_comes_later() {
    let mut f = Frontend::echo().await;
    let ids = [
        f.run("sleep 2000\nfail first").await,
        f.run("out second").await,
        f.run("out third").await,
    ];
    let statuses = [f.reply().await, f.reply().await, f.reply().await]
        .map(|reply| reply.content["status"].clone());
    assert_eq!(
        statuses,
        [json!("error"), json!("aborted"), json!("aborted")]
    );
    for id in &ids[1..] {
        let shown = f.published_for(id).await;
        assert_eq!(shown.len(), 2, "an aborted cell shows nothing: {shown:?}");
    }
    assert_eq!(f.shown("out later").await.0["execution_count"], 2);
}

#[tokio::test]
async fn without_stop_on_error_queued_cells_run() {
    let mut f = Frontend::echo().await;
    let content = json!({"code": "sleep 1000\nfail first", "stop_on_error": false});
    f.send("execute_request", content).await;
    f.run("out second").await;
    assert_eq!(f.reply().await.content["status"], "error");
    assert_eq!(f.reply().await.content["status"], "ok");
}

#[tokio::test]
async fn an_interrupt_stops_the_running_cell_and_those_behind_it() {
    let mut f = Frontend::echo().await;
    let cell = f.run("out started\nloop").await;
    let behind = f.run("out behind").await;
    while summary(&f.published().await) != "stream:started" {}
    let start = Instant::now();
    f.send_control("interrupt_request", json!({})).await;
    assert_eq!(f.control_reply().await.content["status"], "ok");
    let reply = f.reply().await;
    assert_eq!(reply.parent.unwrap().msg_id, cell);
    assert_eq!(reply.content["evalue"], "interrupted");
    assert!(start.elapsed().as_secs() < 1);
    assert_eq!(f.reply().await.content["status"], "aborted");
    f.published_for(&behind).await;
    // With nothing running, an interrupt is answered and has no other effect.
    f.send_control("interrupt_request", json!({})).await;
    f.control_reply().await;
    assert_eq!(f.shown("sleep 20\nout a").await.0["status"], "ok");
}

#[tokio::test]
async fn requests_are_answered_while_a_cell_runs_and_the_kernel_still_looks_busy() {
    let mut f = Frontend::echo().await;
    let cell = f.run("out started\nloop").await;
    while summary(&f.published().await) != "stream:started" {}
    f.send("kernel_info_request", json!({})).await;
    assert_eq!(f.reply().await.content["status"], "ok");
    let states = [
        f.published().await,
        f.published().await,
        f.published().await,
    ];
    let last = &states[2];
    assert_eq!(
        states.each_ref().map(summary),
        ["status:busy", "status:idle", "status:busy"]
    );
    assert_eq!(last.parent.as_ref().unwrap().msg_id, cell);
    // A completion behind the cell gets an empty answer instead of none.
    f.send("complete_request", json!({"code": "s", "cursor_pos": 1}))
        .await;
    assert_eq!(f.reply().await.content["matches"], json!([]));
    f.send_control("interrupt_request", json!({})).await;
    assert_eq!(f.reply().await.content["status"], "error");
}

#[tokio::test]
async fn a_cell_can_ask_the_user_and_an_interrupt_cancels_the_question() {
    let mut f = Frontend::echo().await;
    let cell = f.run("password your name?").await;
    let question = f.question().await;
    assert_eq!(question.header.msg_type, "input_request");
    assert_eq!(
        question.content,
        json!({"prompt": "your name?", "password": true})
    );
    assert_eq!(question.parent.as_ref().unwrap().msg_id, cell);
    f.answer(&question, "Ada").await;
    assert_eq!(f.reply().await.content["status"], "ok");
    let shown = f.published_for(&cell).await;
    assert_eq!(summary(&shown[2]), "stream:Ada");

    f.run("ask again?").await;
    f.question().await;
    f.send_control("interrupt_request", json!({})).await;
    assert_eq!(f.reply().await.content["evalue"], "no answer");
}

#[tokio::test]
async fn nobody_is_asked_where_the_client_does_not_allow_it() {
    let mut f = Frontend::echo().await;
    let content = json!({"code": "ask name?", "allow_stdin": false});
    f.send("execute_request", content).await;
    assert_eq!(f.reply().await.content["evalue"], "no answer");
}

#[tokio::test]
async fn user_expressions_are_answered_one_by_one_and_pages_become_payload() {
    let mut f = Frontend::echo().await;
    let expressions = json!({"a": "value 2", "b": "fail no", "c": "out text"});
    let content = json!({"code": "page docs", "user_expressions": expressions});
    let cell = f.send("execute_request", content).await;
    let reply = f.reply().await.content;
    assert_eq!(reply["status"], "ok");
    let value = |name: &str| &reply["user_expressions"][name];
    assert_eq!(value("a")["status"], "ok");
    assert_eq!(value("a")["data"]["text/plain"], "2");
    assert_eq!(value("b")["status"], "error");
    assert_eq!(value("b")["evalue"], "no");
    assert_eq!(value("c")["ename"], "NoValue");
    let shown = f.published_for(&cell).await;
    let kinds: Vec<&str> = shown.iter().map(|m| m.header.msg_type.as_str()).collect();
    assert_eq!(
        kinds,
        ["status", "execute_input", "status"],
        "expressions show nothing"
    );
    assert_eq!(reply["payload"][0]["source"], "page");
    assert_eq!(reply["payload"][0]["data"]["text/plain"], "docs");
}

#[tokio::test]
async fn a_loops_progress_is_one_display_that_updates() {
    let mut f = Frontend::echo().await;
    let cell = f.run("progress 2").await;
    f.reply().await;
    let messages = f.published_for(&cell).await;
    let kinds: Vec<&str> = messages[2..5]
        .iter()
        .map(|m| m.header.msg_type.as_str())
        .collect();
    assert_eq!(
        kinds,
        ["display_data", "update_display_data", "update_display_data"]
    );
    let ids: Vec<&Value> = messages[2..5]
        .iter()
        .map(|m| &m.content["transient"]["display_id"])
        .collect();
    assert!(ids[0].is_string() && ids.iter().all(|id| *id == ids[0]));
}

#[tokio::test]
async fn a_flood_arrives_whole_and_in_order_in_few_messages() {
    let mut f = Frontend::echo().await;
    let cell = f.run("flood 200000").await;
    let messages = f.published_for(&cell).await;
    let text: String = messages
        .iter()
        .filter_map(|m| m.content["text"].as_str())
        .collect();
    assert!(
        text.lines()
            .map(|l| l.parse::<u32>().unwrap())
            .eq(0..200_000)
    );
    assert!(messages.len() < 20_000, "{}", messages.len());
}

#[tokio::test]
async fn what_a_thread_shows_after_its_cell_belongs_to_that_cell() {
    let mut f = Frontend::echo().await;
    let cell = f.run("thread late").await;
    f.published_for(&cell).await;
    let late = f.published().await;
    assert_eq!(summary(&late), "stream:late");
    assert_eq!(late.parent.unwrap().msg_id, cell);
}

#[tokio::test]
async fn a_shutdown_ends_a_running_cell_and_the_kernel() {
    for restart in [false, true] {
        let mut f = Frontend::echo().await;
        f.run("out started\nloop").await;
        while summary(&f.published().await) != "stream:started" {}
        let start = Instant::now();
        f.send_control("shutdown_request", json!({"restart": restart}))
            .await;
        let reply = f.control_reply().await;
        assert_eq!(reply.content, json!({"status": "ok", "restart": restart}));
        while summary(&f.published().await) != "shutdown_reply" {}
        f.join();
        assert!(start.elapsed().as_secs() < 2);
    }
}

#[tokio::test]
async fn a_client_that_vanishes_in_the_middle_of_a_flood_does_no_harm() {
    let mut f = Frontend::echo().await;
    f.run("flood 50000").await;
    let gone = std::mem::replace(&mut f.iopub, zeromq::Socket::new());
    drop(gone);
    assert_eq!(f.reply().await.content["status"], "ok");
    f.run("out still here").await;
    assert_eq!(f.reply().await.content["status"], "ok");
}

#[tokio::test]
async fn a_client_that_stopped_reading_does_not_keep_the_kernel_from_going() {
    let mut f = Frontend::echo().await;
    // Far more than the socket and the queue hold, and nothing reads it.
    f.run("flood 5000000").await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let start = Instant::now();
    f.send_control("shutdown_request", json!({"restart": false}))
        .await;
    assert_eq!(f.control_reply().await.content["status"], "ok");
    f.join();
    assert!(start.elapsed().as_secs() < 8, "{:?}", start.elapsed());
}
