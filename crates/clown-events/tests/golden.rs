//! Every wire type has golden files: read, compared, and written back byte for byte. A file is added when something is
//! added to the wire, and never edited.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helping functions too"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use clown_events::{
    ClientMessage, ControlEnvelope, ControlMessage, Envelope, Event, EventKind, ServerMessage,
    append_seq, write_sequenced,
};

#[test]
fn each_event_has_its_file_and_each_file_its_event() {
    let files = golden("");
    let mut names: Vec<_> = EventKind::ALL.map(EventKind::name).to_vec();
    names.sort_unstable();
    assert_eq!(files.keys().collect::<Vec<_>>(), names);
    for (name, text) in files {
        let envelope = check_event(&text);
        assert_eq!(envelope.event.name(), name);
        assert_eq!(
            envelope.event.kind().map(EventKind::name),
            Some(name.as_str())
        );
    }
}

#[test]
fn what_varies_in_events_is_kept() {
    let variants = golden("variants");
    assert!(
        variants.len() >= 12,
        "files are missing: {:?}",
        variants.keys()
    );
    for (name, text) in variants {
        let envelope = check_event(&text);
        assert_eq!(
            matches!(envelope.event, Event::Unknown(_)),
            name.starts_with("unknown"),
            "{name}"
        );
    }
}

#[test]
fn control_messages_are_told_from_events() {
    let files = golden("control");
    let mut seen = Vec::new();
    for (name, text) in files {
        let control = ControlEnvelope::parse(&text).expect(&name);
        assert_eq!(control.to_json(), text);
        assert_eq!(serde_json::to_string(&control).unwrap(), text);
        assert_eq!(
            ServerMessage::parse(&text),
            Ok(ServerMessage::Control(control.clone()))
        );
        // A program that knows only events reads on.
        assert!(matches!(
            Envelope::parse(&text).unwrap().event,
            Event::Unknown(_)
        ));
        assert!(ControlMessage::is_name(control.message.name()));
        seen.push(control.message.name());
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, ["Cursor", "Error", "Gap", "Pong", "Subscribed"]);
}

#[test]
fn client_messages_are_written_as_they_are_read() {
    let files = golden("client");
    assert!(files.len() >= 6, "files are missing: {:?}", files.keys());
    for (name, text) in files {
        let message = ClientMessage::parse(&text).expect(&name);
        assert_eq!(message.to_json(), text);
    }
}

/// Reads an event by every way in, writes it by every way out.
#[track_caller]
fn check_event(text: &str) -> Envelope {
    let envelope = Envelope::parse(text).expect(text);
    assert_eq!(envelope.to_json(), text);
    assert_eq!(serde_json::to_string(&envelope).unwrap(), text);
    assert_eq!(text.parse(), Ok(envelope.clone()));
    assert_eq!(
        ServerMessage::parse(text),
        Ok(ServerMessage::Event(envelope.clone()))
    );
    assert_eq!(serde_json::from_str::<Envelope>(text).unwrap(), envelope);
    assert_eq!(
        serde_json::from_slice::<Envelope>(text.as_bytes()).unwrap(),
        envelope
    );
    assert_eq!(
        serde_json::from_reader::<_, Envelope>(text.as_bytes()).unwrap(),
        envelope
    );

    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let from_value: Envelope = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(from_value.seq, envelope.seq);
    assert_eq!(serde_json::to_value(&from_value).unwrap(), value);
    assert_eq!(serde_json::to_value(&envelope).unwrap(), value);

    let (mut unsequenced, mut sequenced) = (Vec::new(), Vec::new());
    envelope.write_json(&mut unsequenced);
    write_sequenced(&unsequenced, 7, &mut sequenced);
    assert_eq!(
        sequenced,
        envelope.clone().with_seq(7).to_json().into_bytes()
    );
    append_seq(&mut unsequenced, 7);
    assert_eq!(unsequenced, sequenced);
    envelope
}

/// The files of a folder by name. Each holds one line: the text and a newline that is not part of it.
fn golden(folder: &str) -> BTreeMap<String, String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(folder);
    let paths = fs::read_dir(&folder)
        .expect("the golden files are part of the crate")
        .map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.is_file());
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            let line = text
                .strip_suffix('\n')
                .unwrap_or_else(|| panic!("{name} does not end with a newline"));
            (name, line.to_owned())
        })
        .collect()
}
