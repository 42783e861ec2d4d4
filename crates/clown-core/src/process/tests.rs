use super::*;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

/// A child that ends when the test does.
struct Started(Child);

impl Started {
    fn shell(script: &str) -> Self {
        Self(Command::new("sh").args(["-c", script]).spawn().unwrap())
    }

    fn identity(&self) -> ProcessIdentity {
        identity_of(self.0.id()).unwrap().unwrap()
    }

    fn handle(&self) -> ProcessHandle {
        ProcessHandle::open(self.identity()).unwrap().unwrap()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_is_alive_then_a_zombie_then_gone() {
    let mut child = Started::shell("exec sleep 600");
    let identity = child.identity();
    let handle = child.handle();
    assert!(identity.is_alive());
    assert!(is_ours(identity.pid));
    assert!(!handle.has_ended());
    assert!(!handle.wait(Duration::ZERO).unwrap());
    assert_eq!(handle.exit_code(), None);

    child.0.kill().unwrap();
    assert!(handle.wait(LIMIT).unwrap());
    assert_eq!(state_of(&identity), ProcessState::Zombie);
    assert_eq!(handle.exit_code(), Some(137), "told by the zombie");
    assert!(
        ProcessHandle::open(identity).unwrap().is_some(),
        "a zombie can be held"
    );

    child.0.wait().unwrap();
    assert_eq!(state_of(&identity), ProcessState::Gone);
    assert!(handle.has_ended());
    assert!(ProcessHandle::open(identity).unwrap().is_none());
}

#[test]
fn the_kernel_remembers_the_code_of_a_reaped_process() {
    let mut probe = Started::shell("exit 3");
    let handle = probe.handle();
    assert_eq!(probe.0.wait().unwrap().code(), Some(3));
    let Some(code) = handle.exit_code() else {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = kernel
            .split(['.', '-'])
            .map(|part| part.parse::<u32>().unwrap_or(0));
        let version = (numbers.next().unwrap(), numbers.next().unwrap());
        assert!(
            version < (6, 15),
            "Linux {kernel} should have told the code"
        );
        return;
    };
    assert_eq!(code, 3);

    let mut killed = Started::shell("kill -TERM $$");
    let handle = killed.handle();
    killed.0.wait().unwrap();
    assert_eq!(handle.exit_code(), Some(143));
}

#[test]
fn another_process_with_the_same_number_is_not_the_same() {
    let child = Started::shell("exec sleep 600");
    let earlier = ProcessIdentity {
        start: child.identity().start - 1,
        ..child.identity()
    };
    assert_eq!(state_of(&earlier), ProcessState::Gone);
    assert!(ProcessHandle::open(earlier).unwrap().is_none());
    assert_eq!(environment_of(&earlier, "PATH"), None);
}

#[test]
fn numbers_that_nobody_has() {
    for pid in [0, u32::MAX, i32::MAX as u32] {
        assert_eq!(identity_of(pid).unwrap(), None);
        assert!(!is_ours(pid));
        let identity = ProcessIdentity { pid, start: 1 };
        assert!(ProcessHandle::open(identity).unwrap().is_none());
    }
}

#[test]
fn one_thread_tells_of_each_end_once() {
    let (sender, ends) = mpsc::channel();
    let watcher = ProcessWatcher::start(move |token| sender.send(token).unwrap()).unwrap();
    let mut children: Vec<_> = (0..20).map(|_| Started::shell("exec sleep 600")).collect();
    let mut tokens: Vec<_> = children
        .iter()
        .map(|child| watcher.watch(Arc::new(child.handle())))
        .collect();
    watcher.forget(tokens.remove(0));
    for child in &mut children {
        child.0.kill().unwrap();
    }
    let mut told: Vec<_> = tokens
        .iter()
        .map(|_| ends.recv_timeout(LIMIT).unwrap())
        .collect();
    told.sort();
    assert_eq!(told, tokens);
    drop(watcher);
    assert!(
        ends.recv().is_err(),
        "none is told twice, and the forgotten one is not told"
    );
}

#[test]
fn a_process_that_ended_before_it_was_watched_is_told() {
    let (sender, ends) = mpsc::channel();
    let watcher = ProcessWatcher::start(move |token| sender.send(token).unwrap()).unwrap();
    let mut child = Started::shell("exit 0");
    let handle = child.handle();
    child.0.wait().unwrap();
    let token = watcher.watch(Arc::new(handle));
    assert_eq!(ends.recv_timeout(LIMIT), Ok(token));
}

#[test]
fn the_environment_of_another_process() {
    let mut child = Command::new("sleep");
    let child = Started(
        child
            .arg("600")
            .env("CLOWN_TEST_VALUE", "a=b c")
            .spawn()
            .unwrap(),
    );
    let identity = child.identity();
    // The kernel lets the parent go on a moment before the new environment is in place.
    let deadline = Instant::now() + LIMIT;
    while environment_of(&identity, "CLOWN_TEST_VALUE").is_none() {
        assert!(Instant::now() < deadline, "the variable does not appear");
        std::thread::yield_now();
    }
    assert_eq!(
        environment_of(&identity, "CLOWN_TEST_VALUE").unwrap(),
        "a=b c"
    );
    assert_eq!(environment_of(&identity, "CLOWN_TEST"), None);
    let names = variable_names_of(&identity).unwrap();
    let ours = names.iter().filter(|name| name.starts_with("CLOWN_TEST"));
    assert_eq!(ours.collect::<Vec<_>>(), ["CLOWN_TEST_VALUE"]);
}

#[test]
fn the_boot_has_a_name_and_a_time() {
    assert_eq!(boot_id().unwrap().len(), 36);
    assert_eq!(boot_id().unwrap(), boot_id().unwrap());
    assert!(booted_at().unwrap() > 0);
}
