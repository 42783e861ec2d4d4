use crate::fake::Fake;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::process::{Output, Stdio};
use tokio::process::Command;

struct World {
    fake: Fake,
    home: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("state/runs")).unwrap();
        let fake = Fake::start().await;
        Self { fake, home }
    }

    async fn run(&self, args: &[impl AsRef<OsStr>]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clown"));
        command
            .args(["run", "work", "--"])
            .args(args)
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", "/usr/bin:/bin")
            .env("CLOWN_STATE_DIR", self.home.path().join("state"))
            .env("CLOWN_DAEMON", self.fake.address())
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command.output().await.unwrap()
    }

    /// Prepares a run of this script, and takes the two reports; the body of the question.
    async fn serve(&self, script: &str) -> serde_json::Value {
        let asked = self.fake.request().await;
        assert!(asked.head.starts_with("POST /api/v1/profiles/work/run"));
        let (body, asked) = asked.body().await;
        let prepared = serde_json::json!({
            "run_id": "r-1", "program": "/bin/sh", "args": ["-c", script, "sh"], "env": {},
            "working_dir": self.home.path(),
        });
        asked
            .answer("201 Created", "application/json", &prepared.to_string())
            .await;
        for report in ["started", "exited"] {
            let (_, asked) = self.fake.request().await.body().await;
            assert!(asked.head.contains(&format!("/r-1/{report}")));
            asked.answer("200 OK", "application/json", "{}").await;
        }
        serde_json::from_str(&body).unwrap()
    }
}

#[tokio::test]
async fn a_run_is_asked_for_again_when_the_daemon_goes_away_meanwhile() {
    let world = World::new().await;
    let serve = async {
        for _ in 0..2 {
            world.fake.answer("/healthz", "").await;
            // The connection breaks without an answer.
            drop(world.fake.request().await);
        }
        world.fake.answer("/healthz", "").await;
        world.serve("exit 7").await
    };
    let (output, _) = tokio::join!(world.run(&[""; 0]), serve);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[tokio::test]
async fn a_daemon_that_breaks_off_each_time_is_not_reachable() {
    let world = World::new().await;
    let serve = async {
        for _ in 0..3 {
            world.fake.answer("/healthz", "").await;
            drop(world.fake.request().await);
        }
    };
    let (output, ()) = tokio::join!(world.run(&[""; 0]), serve);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
}

/// More than a request may hold, and bytes that are no text: the agent gets them as they are.
#[tokio::test]
async fn arguments_reach_the_agent_whatever_they_are() {
    let world = World::new().await;
    let mut args = vec![OsString::from("x".repeat(100_000)); 12];
    args.push(OsString::from_vec(vec![b'a', 0xff]));
    let serve = async {
        world.fake.answer("/healthz", "").await;
        world
            .serve(r#"echo "$# ${#1}"; shift 12; printf %s "$1" | od -An -tx1"#)
            .await
    };
    let (output, asked) = tokio::join!(world.run(&args), serve);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "13 100000\n 61 ff\n"
    );
    assert_eq!(asked["args"], serde_json::json!([]));
}
