//! What commands ask and refuse in a real terminal (tmux).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{Terminal, World, binaries, wait_for};
use std::fs;

/// Types a line of `clown` on an empty screen, which says at the end what its exit code was.
fn type_clown(terminal: &Terminal<'_>, before: &str, arguments: &str) {
    terminal.type_line("clear");
    wait_for("an empty screen", || {
        (terminal.screen().trim() == "ready>").then_some(())
    });
    let clown = binaries().clown.display();
    terminal.type_line(&format!("{before} {clown} {arguments}; echo \"code=$?\""));
}

#[test]
fn a_bad_edit_is_offered_again_and_never_counts() {
    let world = World::with_agent("");
    world.create_profile("work");
    let file = world.profile_file("work");
    let before = fs::read_to_string(&file).unwrap();
    let Some(terminal) = Terminal::open(&world) else {
        return;
    };
    // An editor that puts the next of several texts in place at each call.
    let editor = world.path("editor");
    let texts = world.path("texts");
    fs::create_dir(&texts).unwrap();
    let script = "next=$(ls \"$TEXTS\" | head -n 1); mv \"$TEXTS/$next\" \"$1\"\n";
    fs::write(&editor, script).unwrap();
    let edit = |written: &[String]| {
        for (at, text) in written.iter().enumerate() {
            fs::write(texts.join(at.to_string()), text).unwrap();
        }
        let set = format!("VISUAL='sh {}' TEXTS={}", editor.display(), texts.display());
        type_clown(&terminal, &set, "profiles edit work");
    };
    let is_as_before = || fs::read_to_string(&file).unwrap() == before;

    // Given up: the profile is as it was, and what was written is told.
    edit(&[format!("modl = \"b\"\n{before}")]);
    let screen = terminal.wait_for("Edit it again? (y/n) [y]:");
    assert!(screen.contains("modl") && is_as_before(), "{screen}");
    terminal.type_line("n");
    let screen = terminal.wait_for("code=1");
    assert!(screen.contains("The profile is as it was"), "{screen}");
    assert!(is_as_before());

    // Bad twice, and mended at last.
    let mended = format!("model = \"b\"\n{before}");
    edit(&[
        format!("args = 1\n{before}"),
        format!("colour = 1\n{before}"),
        mended.clone(),
    ]);
    terminal.wait_for("Edit it again? (y/n) [y]:");
    assert!(is_as_before());
    terminal.type_line("y");
    terminal.wait_for("colour");
    assert!(is_as_before());
    terminal.type_line("");
    terminal.wait_for("code=0");
    assert_eq!(fs::read_to_string(&file).unwrap(), mended);
    let profile = world.get("/api/v1/profiles/work").json();
    assert_eq!(profile["model"], "b");
    assert_eq!(profile.get("fault"), None);
}

#[test]
fn a_key_is_not_printed_to_a_terminal_unasked() {
    const KEY: &str = "sk-not-for-the-screen";
    let world = World::with_agent("");
    let file = "agent_id = \"claude\"\nprovider_id = \"anthropic\"\nkey = { env = \"WORK_KEY\" }\n";
    fs::write(world.profile_file("work"), file).unwrap();
    wait_for("the profile", || {
        (world.get("/api/v1/profiles/work").status == 200).then_some(())
    });
    let Some(terminal) = Terminal::open(&world) else {
        return;
    };
    let set = format!("WORK_KEY=$(echo {KEY} | cat)");
    terminal.type_line(&format!("{set}; export WORK_KEY"));
    type_clown(&terminal, "", "profiles env work");
    let screen = terminal.wait_for("code=2");
    assert!(screen.contains("--show-key"), "{screen}");
    assert!(!screen.contains(KEY), "{screen}");
    type_clown(&terminal, "", "profiles env work --show-key");
    // More than a screen holds; this is its end.
    let screen = terminal.wait_for("code=0");
    assert!(screen.contains("unset ZAI_API_KEY"), "{screen}");
    // What reads it from a pipe is no terminal.
    type_clown(&terminal, "", &format!("profiles env work | grep -c {KEY}"));
    terminal.wait_for("\n1\ncode=0");
}

#[test]
fn init_asks_for_what_an_address_needs_until_it_is_told() {
    let world = World::with_agent("");
    let Some(terminal) = Terminal::open(&world) else {
        return;
    };
    type_clown(
        &terminal,
        "",
        "init --provider azure-openai --key-env AZURE",
    );
    terminal.wait_for("Model [");
    terminal.type_line("");
    terminal.wait_for("such as my-resource:");
    // Nothing is no value: it asks again.
    terminal.type_line("");
    terminal.type_line("acme");
    terminal.wait_for("Name of the profile [claude]:");
    terminal.type_line("work");
    let screen = terminal.wait_for("code=0");
    assert!(screen.contains("Created profile work"), "{screen}");
    let profile = world.get("/api/v1/profiles/work").json();
    assert_eq!(profile["env"]["AZURE_RESOURCE_NAME"], "acme");
    assert_eq!(profile.get("fault"), None);
}
