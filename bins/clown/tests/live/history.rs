use crate::fake::{Clown, Fake, control, gap, page, send, started, started_of, stopped};

async fn events(fake: &Fake, args: &[&str]) -> Clown {
    Clown::start(fake, &[&["events"], args].concat()).await
}

async fn no_gap(fake: &Fake) {
    let (target, mut socket) = fake.socket().await;
    assert!(target.starts_with("/ws?"), "{target}");
    send(&mut socket, &control("Pong", "{}", 5)).await;
}

#[tokio::test]
async fn pages_follow_each_other_and_keep_the_daemons_bytes() {
    let fake = Fake::start().await;
    let args = [
        "--since",
        "5",
        "--until",
        "9",
        "--events",
        "Profile*",
        "--profile",
        "work",
        "--json",
    ];
    let mut events = events(&fake, &args).await;
    let target = |since: u64| {
        format!("/api/v1/events?since={since}&until=9&limit=2000&events=Profile*&profile=work")
    };
    fake.answer(&target(5), &page(&[started(6), stopped(7, 0)], 7))
        .await;
    no_gap(&fake).await;
    fake.answer(&target(7), &page(&[started(8)], 9)).await;
    fake.answer(&target(9), &page(&[], 9)).await;
    for expected in [started(6), stopped(7, 0), started(8)] {
        assert_eq!(events.line().await, expected);
    }
    assert_eq!(events.quiet_end().await, Some(0));
}

#[tokio::test]
async fn the_latest_are_shown_aligned_where_nothing_else_is_asked_for() {
    let fake = Fake::start().await;
    let mut events = events(&fake, &["--limit", "2"]).await;
    let asked = fake.request().await;
    assert!(
        asked.head.starts_with("GET /api/v1/events?since=20"),
        "{}",
        asked.head
    );
    let items = [started(5), started(6), started_of("opencode-trial", 7)];
    asked
        .answer("200 OK", "application/json", &page(&items, 7))
        .await;
    fake.answer("/api/v1/events?since=7&limit=2000", &page(&[], 7))
        .await;
    assert_eq!(events.line().await, "── 2026-01-08 ──");
    assert_eq!(
        events.line().await,
        "16:00:00  ProfileStarted         work            runs as process 7"
    );
    assert_eq!(
        events.line().await,
        "16:00:00  ProfileStarted         opencode-trial  runs as process 7"
    );
    assert_eq!(events.quiet_end().await, Some(0));
}

#[tokio::test]
async fn the_first_ones_after_a_point_are_enough_where_counted() {
    let fake = Fake::start().await;
    let args = [
        "--since",
        "0",
        "--count",
        "1",
        "--format",
        "{alias} {data.pid}",
    ];
    let mut events = events(&fake, &args).await;
    fake.answer("/api/v1/events?since=0&limit=1", &page(&[started(6)], 6))
        .await;
    assert_eq!(events.line().await, "work 7");
    assert_eq!(events.quiet_end().await, Some(0));
}

#[tokio::test]
async fn a_gap_is_told_and_with_strict_a_failure() {
    for strict in [false, true] {
        let fake = Fake::start().await;
        let mut args = vec!["--since", "5", "--json"];
        args.extend(strict.then_some("--strict"));
        let mut events = events(&fake, &args).await;
        fake.answer(
            "/api/v1/events?since=5&limit=2000",
            &page(&[started(90)], 90),
        )
        .await;
        let (target, mut socket) = fake.socket().await;
        assert!(target.ends_with("&since=5"), "{target}");
        send(&mut socket, &gap(5, 90, 90)).await;
        let note = events.note().await;
        assert!(note.contains("between 5 and 90"), "{note}");
        assert_eq!(note.contains("--strict"), strict, "{note}");
        if strict {
            assert_eq!(events.quiet_end().await, Some(1));
        } else {
            fake.answer("/api/v1/events?since=90&limit=2000", &page(&[], 90))
                .await;
            assert_eq!(events.line().await, started(90));
            assert_eq!(events.quiet_end().await, Some(0));
        }
    }
}

#[tokio::test]
async fn whether_an_event_was_there_is_the_exit_code() {
    for (exit_code, expected) in [(0, 1), (3, 0)] {
        let fake = Fake::start().await;
        let args = [
            "--since",
            "1h",
            "--json",
            "--exit-on",
            "ProfileStopped:exit_code=3",
        ];
        let mut events = events(&fake, &args).await;
        let asked = fake.request().await;
        let body = page(&[stopped(6, exit_code), started(7)], 7);
        asked.answer("200 OK", "application/json", &body).await;
        assert_eq!(events.line().await, stopped(6, exit_code));
        if expected == 1 {
            fake.answer("/api/v1/events?since=7&limit=2000", &page(&[], 7))
                .await;
            assert_eq!(events.line().await, started(7));
            assert_eq!(
                events.note().await,
                "clown: the event of --exit-on did not come"
            );
        }
        assert_eq!(events.quiet_end().await, Some(expected));
    }
}

#[tokio::test]
async fn commands_run_and_an_unreadable_event_hides_no_other() {
    let fake = Fake::start().await;
    let args = ["--since", "0", "--json", "--exec", "cat >> seen"];
    let mut events = events(&fake, &args).await;
    let bad = control("ProfileStarted", r#"{"alias":"work","pid":"x"}"#, 6);
    fake.answer(
        "/api/v1/events?since=0&limit=2000",
        &page(&[bad, started(7)], 7),
    )
    .await;
    fake.answer("/api/v1/events?since=7&limit=2000", &page(&[], 7))
        .await;
    assert_eq!(events.line().await, started(7));
    let note = events.note().await;
    assert!(
        note.contains("cannot read an event") && note.contains("pid"),
        "{note}"
    );
    assert_eq!(events.quiet_end().await, Some(0));
    assert_eq!(events.file("seen"), started(7) + "\n");
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_not_waited_for_longer_than_asked() {
    let fake = Fake::start().await;
    let mut events = events(&fake, &["--since", "5", "--timeout", "300ms"]).await;
    let asked = fake.request().await;
    assert_eq!(events.note().await, "clown: the time of --timeout is over");
    assert_eq!(events.quiet_end().await, Some(6));
    drop(asked);
}

/// Told before any daemon is looked for: there is none at this address.
#[tokio::test]
async fn wrong_flags_are_told_before_anything_is_asked() {
    async fn check(line: &[&str], expected: &str) {
        let mut clown = Clown::spawn("127.0.0.1:1", line, &[]);
        assert_eq!(clown.ended().await.code(), Some(2), "{line:?}");
        let mut said = String::new();
        while let Some(note) = clown.next_note().await {
            said += &note;
        }
        assert!(said.contains(expected), "{line:?}: {said}");
        assert_eq!(clown.next_line().await, None);
    }
    for command in ["watch", "events"] {
        check(&[command, "--format", "{tim}"], "did you mean {time}?").await;
        check(&["--json", command, "--format", "{time}"], "both say how").await;
        check(
            &[command, "--events", "ProfilStarted"],
            "did you mean ProfileStarted?",
        )
        .await;
        check(
            &[command, "--exit-on", "ProfilStopped"],
            "did you mean ProfileStopped?",
        )
        .await;
        check(&[command, "--timeout", "5"], "30s").await;
        check(&[command, "--count", "0"], "--count").await;
    }
    check(&["watch", "--until", "10m"], "--since").await;
    check(&["events", "--strict"], "number").await;
}
