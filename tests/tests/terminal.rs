//! `clown run` in a real terminal (tmux): keys, job control, and the terminal afterwards.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{Terminal, World, binaries, wait_for};
use std::fs;

fn run(terminal: &Terminal<'_>) {
    let clown = binaries().clown.display();
    terminal.type_line(&format!("{clown} run work; echo \"code=$?\""));
    terminal.wait_for("agent ready");
}

/// Counts interrupts, says what it reads, and ends with `bye`.
const TALKATIVE: &str = "trap 'echo \"interrupted\"; echo x >> interrupts' INT\n\
     trap 'echo resumed' CONT\n\
     echo 'agent ready'\n\
     while :; do line=; read line; [ -z \"$line\" ] && continue; echo \"heard $line\"\n\
     [ \"$line\" = bye ] && exit 6; done";

#[test]
fn ctrl_c_reaches_the_agent_once_and_the_command_line_stays() {
    let world = World::with_agent(TALKATIVE);
    world.create_profile("work");
    let Some(terminal) = Terminal::open(&world) else {
        return;
    };
    run(&terminal);
    terminal.press("C-c");
    terminal.wait_for("interrupted");
    terminal.type_line("hello");
    terminal.wait_for("heard hello");
    terminal.type_line("bye");
    terminal.wait_for("code=6");
    let interrupts = fs::read_to_string(world.path("work/interrupts")).unwrap();
    assert_eq!(interrupts.lines().count(), 1, "{}", terminal.screen());
}

#[test]
fn ctrl_z_stops_both_and_fg_goes_on() {
    let world = World::with_agent(TALKATIVE);
    world.create_profile("work");
    let Some(terminal) = Terminal::open(&world) else {
        return;
    };
    run(&terminal);
    terminal.press("C-z");
    terminal.wait_for("Stopped");
    terminal.type_line("echo the shell is back");
    terminal.wait_for("\nthe shell is back");
    terminal.type_line("fg");
    terminal.wait_for("resumed");
    terminal.type_line("again");
    terminal.wait_for("heard again");
    terminal.type_line("bye");
    terminal.wait_for("heard bye");
    terminal.type_line("echo \"at last: done\"");
    terminal.wait_for("\nat last: done");
}

#[test]
fn the_terminal_is_as_it_was_after_an_agent_that_died_in_raw_mode() {
    let world = World::with_agent("stty raw -echo; echo 'agent ready'; kill -9 $$");
    world.create_profile("work");
    let Some(terminal) = Terminal::open(&world) else {
        return;
    };
    run(&terminal);
    // The prompt comes behind it: the shell reads again, with its own way of echoing.
    wait_for("the prompt", || {
        let screen = terminal.screen();
        let after = screen.split("code=137").nth(1)?.trim().to_owned();
        (after == "ready>").then_some(())
    });
    // What the terminal is for a program that the shell starts.
    terminal.type_line("stty -a | grep -c -e ' -icanon' -e ' -echo '; echo \"count=$((40+2))\"");
    let screen = terminal.wait_for("count=42");
    assert!(
        screen.contains("count=$((40+2))"),
        "what is typed is not shown: {screen}"
    );
    assert!(screen.contains("\n0\ncount=42"), "{screen}");
}
