//! No input, however broken or hostile, ends the program that reads it.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helping functions too"
)]

use std::fs;
use std::path::{Path, PathBuf};

use clown_events::{
    ClientMessage, ControlEnvelope, Envelope, Event, EventKind, EventPattern, Filter,
    ServerMessage, ShutdownReason, Timestamp, Usd, append_seq, write_sequenced,
};
use proptest::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;
use time::OffsetDateTime;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        read_everywhere(&bytes);
    }

    #[test]
    fn random_text(text in any::<String>()) {
        read_everywhere(text.as_bytes());
    }

    #[test]
    fn random_json_marks(text in r#"[\[\]{}:,"\\0-9eE.+nu \-]{0,64}"#) {
        read_everywhere(text.as_bytes());
    }

    #[test]
    fn random_data(kind in 0..EventKind::ALL.len(), data in r#"(\{("(alias|pid|id|profile|tokens|cost)":([0-9]{1,25}|"x"|null|\{\}),?){0,5}\})|[0-9]"#) {
        if let Ok(data) = RawValue::from_string(data) {
            let _ = Event::from_parts(EventKind::ALL[kind].name(), &data);
        }
    }

    #[test]
    fn changed_files(file in any::<prop::sample::Index>(), changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
        let files = golden();
        let mut bytes = files[file.index(files.len())].clone();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        read_everywhere(&bytes);
    }

    #[test]
    fn random_numbers(millis in any::<i64>(), nanos in any::<i64>()) {
        let _ = Timestamp::from_unix_millis(millis).map(|moment| moment.to_string());
        let _ = Usd::from_nanos(nanos).to_string();
        let wide = i128::from(millis) * i128::from(nanos);
        if let Ok(moment) = OffsetDateTime::from_unix_timestamp_nanos(wide) {
            let _ = Timestamp::from(moment).to_string();
        }
    }
}

#[test]
fn files_cut_short_anywhere() {
    for bytes in golden() {
        for end in 0..bytes.len() {
            read_everywhere(&bytes[..end]);
        }
    }
}

#[test]
fn files_with_each_byte_left_out_or_doubled() {
    for bytes in golden() {
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed.remove(place);
            read_everywhere(&changed);
            changed = bytes.clone();
            changed.insert(place, bytes[place]);
            read_everywhere(&changed);
        }
    }
}

#[test]
fn each_value_in_the_place_of_each_other() {
    let odd = [
        "null",
        "true",
        "-1",
        "1e999",
        "1e308",
        "18446744073709551616",
        "\"\"",
        "\"\\ud800\"",
        "[]",
        "{}",
        "[[[]]]",
    ];
    for bytes in golden() {
        let text = String::from_utf8(bytes).unwrap();
        for (place, _) in text.match_indices(':') {
            let end = text[place..]
                .find([',', '}'])
                .map_or(text.len(), |length| place + length);
            for value in odd {
                read_everywhere(format!("{}:{value}{}", &text[..place], &text[end..]).as_bytes());
            }
        }
    }
}

#[test]
fn nesting_without_end() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"id\":", "}]")] {
        for closed in [true, false] {
            let deep = open.repeat(20_000)
                + "1"
                + &if closed {
                    close.repeat(20_000)
                } else {
                    String::new()
                };
            read_everywhere(deep.as_bytes());
            for text in [
                format!(
                    r#"{{"type":"ProfileDeleted","timestamp":"2026-01-08T10:30:00Z","data":{deep}}}"#
                ),
                format!(
                    r#"{{"type":"ProfileDeleted","timestamp":"2026-01-08T10:30:00Z","data":{{"alias":"a","x":{deep}}},"y":{deep}}}"#
                ),
                format!(r#"{{"type":"New","timestamp":"2026-01-08T10:30:00Z","data":{deep}}}"#),
                format!(
                    r#"{{"type":"Pong","timestamp":"2026-01-08T10:30:00Z","data":{{"id":{deep}}}}}"#
                ),
                format!(r#"{{"action":"ping","id":{deep}}}"#),
                format!(r#"{{"action":"subscribe","events":{deep}}}"#),
            ] {
                read_everywhere(text.as_bytes());
            }
        }
    }
}

#[test]
fn long_numbers_and_names() {
    let digits = "9".repeat(200_000);
    for text in [
        digits.clone(),
        format!("0.{digits}"),
        format!("1e{digits}"),
        format!("-1e-{digits}"),
        format!("{digits}.{digits}e{digits}"),
        "A".repeat(200_000),
        ",".repeat(200_000),
        "*".repeat(1000),
    ] {
        read_everywhere(text.as_bytes());
    }
}

/// Gives the bytes to every way in; what is read must also be writable and read again as the same.
fn read_everywhere(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(envelope) = Envelope::parse(&text) {
        assert_eq!(Envelope::parse(&envelope.to_json()), Ok(envelope));
    }
    if let Ok(control) = ControlEnvelope::parse(&text) {
        assert_eq!(ControlEnvelope::parse(&control.to_json()), Ok(control));
    }
    if let Ok(message) = ServerMessage::parse(&text) {
        assert_eq!(ServerMessage::parse(&message.to_json()), Ok(message));
    }
    if let Ok(message) = ClientMessage::parse(&text) {
        assert_eq!(ClientMessage::parse(&message.to_json()), Ok(message));
    }
    let _ = serde_json::from_slice::<Envelope>(bytes);
    let _ = serde_json::from_reader::<_, ServerMessage>(bytes);
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        let _ = serde_json::from_value::<Envelope>(value.clone());
        let _ = serde_json::from_value::<ServerMessage>(value.clone());
        let _ = serde_json::from_value::<Usd>(value);
    }
    let _ = serde_json::from_slice::<Timestamp>(bytes);
    let _ = serde_json::from_slice::<Usd>(bytes);
    let _ = serde_json::from_slice::<EventKind>(bytes);
    let _ = text.parse::<Timestamp>();
    let _ = text.parse::<Usd>();
    let _ = text.parse::<EventKind>().map_err(|error| error.to_string());
    let _ = text
        .parse::<EventPattern>()
        .map_err(|error| error.to_string());
    let _ = ShutdownReason::from(&*text);
    let _ = Filter::parse_strict(Some(&text), Some(&text)).map_err(|error| error.to_string());
    let _ = Filter::all().unsubscribe(&[&text]);
    let _ = Filter::all().matches_name(&text, Some(&text));
    let mut buffer = bytes.to_vec();
    append_seq(&mut buffer, u64::MAX);
    write_sequenced(bytes, 0, &mut buffer);
}

/// The bytes of all golden files.
fn golden() -> Vec<Vec<u8>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files = Vec::new();
    for folder in ["", "variants", "control", "client"] {
        let paths = fs::read_dir(root.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths.filter(|path: &PathBuf| Path::is_file(path)).collect();
        paths.sort();
        files.extend(paths.iter().map(|path| fs::read(path).unwrap()));
    }
    files
}
