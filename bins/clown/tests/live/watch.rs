use crate::fake::{Clown, DEADLINE, Fake, control, gap, send, started, started_of, stopped};
use tokio::time::timeout;

#[tokio::test]
async fn people_get_aligned_lines_in_their_own_time() {
    let fake = Fake::start().await;
    let mut watch = Clown::watch(&fake, &["--since", "5", "--events", "Profile*"]).await;
    let (target, mut socket) = fake.socket().await;
    assert_eq!(target, "/ws?events=Profile*&since=5&keepalive=true");
    send(&mut socket, &started(6)).await;
    assert_eq!(watch.line().await, "── 2026-01-08 ──");
    assert_eq!(
        watch.line().await,
        "16:00:00  ProfileStarted         work          runs as process 7"
    );
    watch.interrupt();
    assert_eq!(watch.ended().await.code(), Some(130));
    assert_eq!(watch.stderr.next_line().await.unwrap(), None);
}

#[tokio::test]
async fn programs_get_the_daemons_own_bytes_and_nothing_is_lost_over_a_break() {
    let fake = Fake::start().await;
    let mut watch = Clown::watch(&fake, &["--since", "5", "--json"]).await;
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &started(6)).await;
    assert_eq!(watch.line().await, started(6));
    drop(socket);
    let (target, mut socket) = fake.socket().await;
    assert_eq!(target, "/ws?since=6&keepalive=true");
    send(&mut socket, &started(6)).await;
    send(&mut socket, &started(7)).await;
    assert_eq!(watch.line().await, started(7));
    let away = watch.note().await;
    assert!(
        away.contains("lost") && away.contains("trying again"),
        "{away}"
    );
    let back = watch.note().await;
    assert!(back.contains("again") && back.contains("after 6"), "{back}");
    let gap = r#"{"type":"Gap","timestamp":"2026-01-08T10:30:00Z","data":{"since":7,"oldest":90,"latest":95},"seq":95}"#;
    send(&mut socket, gap).await;
    let gap = watch.note().await;
    assert!(gap.contains("missing") && gap.contains("90"), "{gap}");
}

#[tokio::test]
async fn a_reader_that_goes_ends_it_quietly() {
    let fake = Fake::start().await;
    let mut watch = Clown::watch(&fake, &["--since", "5"]).await;
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &started(6)).await;
    watch.line().await;
    watch.line().await;
    let Clown {
        mut child,
        stdout,
        mut stderr,
        home: _home,
    } = watch;
    // Nothing happens any more, and it ends all the same.
    drop(stdout);
    let status = timeout(DEADLINE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(stderr.next_line().await.unwrap(), None);
}

#[tokio::test]
async fn what_the_daemon_refuses_is_told() {
    let fake = Fake::start().await;
    let mut watch = Clown::watch(&fake, &["--since", "5"]).await;
    let asked = fake.request().await;
    asked
        .problem(400, "invalid_since", "That is too large.")
        .await;
    assert_eq!(watch.note().await, "clown: That is too large.");
    assert_eq!(watch.ended().await.code(), Some(1));
}

#[tokio::test]
async fn the_subjects_column_adapts() {
    let fake = Fake::start().await;
    let mut watch = Clown::watch(&fake, &["--since", "5", "--show-seq"]).await;
    let (_, mut socket) = fake.socket().await;
    for (alias, seq) in [("opencode-trial", 6), ("work", 7)] {
        send(&mut socket, &started_of(alias, seq)).await;
    }
    assert_eq!(watch.line().await, "── 2026-01-08 ──");
    assert_eq!(
        watch.line().await,
        "16:00:00                 6  ProfileStarted         opencode-trial  runs as process 7"
    );
    assert_eq!(
        watch.line().await,
        "16:00:00                 7  ProfileStarted         work            runs as process 7"
    );
}

#[tokio::test]
async fn a_template_shows_what_it_names() {
    let fake = Fake::start().await;
    let format = r"{time} {type}\t{alias} {data.exit_code} {seq}";
    let mut watch =
        Clown::watch(&fake, &["--since", "5", "--count", "2", "--format", format]).await;
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &started(6)).await;
    send(&mut socket, &stopped(7, 3)).await;
    assert_eq!(watch.line().await, "16:00:00 ProfileStarted\twork - 6");
    assert_eq!(watch.line().await, "16:00:00 ProfileStopped\twork 3 7");
    assert_eq!(watch.quiet_end().await, Some(0));
}

#[tokio::test]
async fn it_ends_when_the_awaited_event_comes() {
    let fake = Fake::start().await;
    let args = [
        "--since",
        "5",
        "--json",
        "--exit-on",
        "ProfileStopped:exit_code=0",
    ];
    let mut watch = Clown::watch(&fake, &args).await;
    let (_, mut socket) = fake.socket().await;
    for text in [started(6), stopped(7, 1), stopped(8, 0), started(9)] {
        send(&mut socket, &text).await;
    }
    for expected in [started(6), stopped(7, 1), stopped(8, 0)] {
        assert_eq!(watch.line().await, expected);
    }
    assert_eq!(watch.quiet_end().await, Some(0));
}

#[tokio::test]
async fn an_end_without_the_awaited_event_is_a_failure() {
    let fake = Fake::start().await;
    let args = ["--since", "5", "--exit-on", "ProxyError", "--count", "1"];
    let mut watch = Clown::watch(&fake, &args).await;
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &started(6)).await;
    assert_eq!(
        watch.note().await,
        "clown: the event of --exit-on did not come"
    );
    assert_eq!(watch.ended().await.code(), Some(1));
}

#[tokio::test]
async fn the_timeout_has_its_own_exit_code() {
    let fake = Fake::start().await;
    let mut watch = Clown::watch(&fake, &["--since", "5", "--timeout", "500ms"]).await;
    assert_eq!(watch.note().await, "clown: the time of --timeout is over");
    assert_eq!(watch.ended().await.code(), Some(6));
}

#[tokio::test]
async fn commands_get_the_event_one_after_the_other() {
    let fake = Fake::start().await;
    // Were they to run at once, the second would be written first.
    let command = r#"test "$CLOWN_EVENT_SEQ" = 6 && sleep 0.3
        echo "$CLOWN_EVENT_TYPE $CLOWN_EVENT_PROFILE $CLOWN_EVENT_SEQ $(cat)" >> seen; echo said"#;
    let args = ["--since", "5", "--json", "--count", "2", "--exec", command];
    let mut watch = Clown::watch(&fake, &args).await;
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &started(6)).await;
    send(&mut socket, &stopped(7, 0)).await;
    for expected in [&started(6), "said", &stopped(7, 0), "said"] {
        assert_eq!(watch.line().await, expected);
    }
    assert_eq!(watch.quiet_end().await, Some(0));
    let expected = format!(
        "ProfileStarted work 6 {}\nProfileStopped work 7 {}\n",
        started(6),
        stopped(7, 0)
    );
    assert_eq!(watch.file("seen"), expected);
}

#[tokio::test]
async fn a_command_that_fails_is_told_and_remembered() {
    let fake = Fake::start().await;
    // It reads nothing of a text that is larger than a pipe.
    let args = [
        "--since",
        "5",
        "--format",
        "{seq}",
        "--count",
        "2",
        "--exec",
        "exit $((CLOWN_EVENT_SEQ - 3))",
    ];
    let mut watch = Clown::watch(&fake, &args).await;
    let (_, mut socket) = fake.socket().await;
    let data = format!(r#"{{"error":"{}"}}"#, "a".repeat(200_000));
    send(&mut socket, &control("RegistrySyncFailed", &data, 6)).await;
    assert_eq!(
        watch.note().await,
        "clown: the command of --exec failed for RegistrySyncFailed (seq 6): exit status: 3"
    );
    send(&mut socket, &started(7)).await;
    watch.note().await;
    assert_eq!(
        watch.note().await,
        "clown: 2 of 2 commands of --exec failed"
    );
    assert_eq!(watch.ended().await.code(), Some(1));
}

#[tokio::test]
async fn the_stream_is_read_on_while_a_command_runs() {
    use futures_util::StreamExt as _;
    use tokio_tungstenite::tungstenite::Message;

    let fake = Fake::start().await;
    let command = "until test -e go; do sleep 0.02; done";
    let args = ["--since", "5", "--json", "--count", "2", "--exec", command];
    let mut watch = Clown::watch(&fake, &args).await;
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &started(6)).await;
    send(&mut socket, &started(7)).await;
    assert_eq!(watch.line().await, started(6));
    // The command waits, and the daemon is answered all the same.
    futures_util::SinkExt::send(&mut socket, Message::Ping("there?".into()))
        .await
        .unwrap();
    let pong = timeout(DEADLINE, socket.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(pong, Message::Pong("there?".into()));
    std::fs::write(watch.home.path().join("go"), "").unwrap();
    assert_eq!(watch.line().await, started(7));
    assert_eq!(watch.quiet_end().await, Some(0));
}

#[tokio::test]
async fn a_command_ends_with_the_time() {
    let fake = Fake::start().await;
    let command = "echo $$ > pid; exec sleep 1000";
    let args = ["--since", "5", "--timeout", "1s", "--exec", command];
    let mut watch = Clown::watch(&fake, &args).await;
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &started(6)).await;
    assert_eq!(watch.ended().await.code(), Some(6));
    let pid: i32 = watch.file("pid").trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    timeout(DEADLINE, async {
        while rustix::process::test_kill_process(pid).is_ok() && !is_zombie(pid) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

/// Nobody may be there to take the exit code of a process whose parent has gone.
fn is_zombie(pid: rustix::process::Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))
        .is_ok_and(|stat| stat.contains(") Z "))
}

#[tokio::test]
async fn a_gap_is_a_failure_where_that_was_asked_for() {
    let fake = Fake::start().await;
    let mut watch = Clown::watch(&fake, &["--since", "5", "--json", "--strict"]).await;
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &started(6)).await;
    assert_eq!(watch.line().await, started(6));
    send(&mut socket, &gap(6, 90, 95)).await;
    let note = watch.note().await;
    assert!(
        note.contains("between 6 and 90") && note.contains("--strict"),
        "{note}"
    );
    assert_eq!(watch.ended().await.code(), Some(1));
}

#[tokio::test]
async fn it_ends_with_the_number_that_was_named() {
    let fake = Fake::start().await;
    let args = ["--since", "5", "--until", "8", "--json"];
    // With the event itself, without one behind it, or when others' events have gone by.
    for last in [started(8), started(9), control("Cursor", "{}", 8)] {
        let mut watch = Clown::watch(&fake, &args).await;
        fake.state(6).await;
        let (_, mut socket) = fake.socket().await;
        send(&mut socket, &started(6)).await;
        send(&mut socket, &last).await;
        assert_eq!(watch.line().await, started(6));
        if last == started(8) {
            assert_eq!(watch.line().await, last);
        }
        assert_eq!(watch.quiet_end().await, Some(0), "{last}");
    }
}

#[tokio::test]
async fn what_is_over_already_comes_from_history() {
    let fake = Fake::start().await;
    let args = ["--since", "1h", "--until", "now", "--json"];
    let mut watch = Clown::watch(&fake, &args).await;
    fake.state(8).await;
    let asked = fake.request().await;
    assert!(asked.head.contains("&until=8&"), "{}", asked.head);
    let body = crate::fake::page(&[started(6), started(8)], 8);
    asked.answer("200 OK", "application/json", &body).await;
    fake.answer(
        "/api/v1/events?since=8&until=8&limit=2000",
        &crate::fake::page(&[], 8),
    )
    .await;
    assert_eq!(watch.line().await, started(6));
    assert_eq!(watch.line().await, started(8));
    assert_eq!(watch.quiet_end().await, Some(0));
}

#[tokio::test]
async fn a_time_ends_it_with_all_that_was_committed_before() {
    let fake = Fake::start().await;
    let until = clown_events::Timestamp::now().unix_millis() + 700;
    let until = clown_events::Timestamp::from_unix_millis(until)
        .unwrap()
        .to_string();
    let args = ["--since", "5", "--until", &until, "--json"];
    let mut watch = Clown::watch(&fake, &args).await;
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &started(6)).await;
    assert_eq!(watch.line().await, started(6));
    let asked = fake.request().await;
    let expected = format!("GET /api/v1/events?since=6&until={until}&limit=2000 ");
    assert!(asked.head.starts_with(&expected), "{}", asked.head);
    asked
        .answer(
            "200 OK",
            "application/json",
            &crate::fake::page(&[started(7)], 7),
        )
        .await;
    // Whether something was missed in between is asked as well.
    let (_, mut probe) = fake.socket().await;
    send(&mut probe, &control("Pong", "{}", 6)).await;
    let asked = fake.request().await;
    asked
        .answer("200 OK", "application/json", &crate::fake::page(&[], 7))
        .await;
    assert_eq!(watch.line().await, started(7));
    assert_eq!(watch.quiet_end().await, Some(0));
}

#[tokio::test]
async fn an_event_that_does_not_fit_an_environment_is_a_failure_and_no_end() {
    let fake = Fake::start().await;
    let args = [
        "--since", "5", "--format", "{seq}", "--count", "2", "--exec", "true",
    ];
    let mut watch = Clown::watch(&fake, &args).await;
    let (_, mut socket) = fake.socket().await;
    send(&mut socket, &started_of(&"a".repeat(200_000), 6)).await;
    send(&mut socket, &started(7)).await;
    let note = watch.note().await;
    assert!(
        note.contains("seq 6") && note.contains("`sh` cannot be run"),
        "{note}"
    );
    assert_eq!(
        watch.note().await,
        "clown: 1 of 2 commands of --exec failed"
    );
    assert_eq!(watch.ended().await.code(), Some(1));
}
