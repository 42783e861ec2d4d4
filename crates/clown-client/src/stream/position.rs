use super::{Gap, Received, StreamItem, Unreadable};
use crate::since::Since;
use clown_events::{ControlMessage, ServerMessage};
use serde::Deserialize;

/// Where a stream is: what was asked for at first, and the number of the last thing seen.
#[derive(Debug)]
pub(super) struct Position {
    start: Since,
    last: Option<u64>,
}

impl Position {
    pub(super) fn new(start: Since) -> Self {
        let last = match start {
            Since::Seq(seq) => Some(seq),
            _ => None,
        };
        Self { start, last }
    }

    /// What to ask the daemon for.
    pub(super) fn since(&self) -> Since {
        self.last.map_or(self.start, Since::Seq)
    }

    pub(super) fn last(&self) -> Option<u64> {
        self.last
    }

    /// What was in fact asked for: "now" has become a number by then.
    pub(super) fn start_at(&mut self, since: Since) {
        if self.last.is_none() {
            *self = Self::new(since);
        }
    }

    /// What a message means for the reader, if it means anything.
    pub(super) fn take(&mut self, text: &str) -> Option<StreamItem> {
        let message = match ServerMessage::parse(text) {
            Ok(message) => message,
            Err(error) => return self.unreadable(text, error.to_string()),
        };
        match message {
            ServerMessage::Event(envelope) => match envelope.seq {
                Some(seq) => {
                    let received = Received {
                        envelope,
                        text: text.to_owned(),
                    };
                    self.advance(seq).then_some(StreamItem::Event(received))
                }
                // Without a number the stream could neither go on after it nor tell it twice.
                None => self.unreadable(text, "the event has no seq".to_owned()),
            },
            ServerMessage::Control(control) => match control.message {
                ControlMessage::Gap {
                    since,
                    oldest,
                    latest,
                } => {
                    // All that follows is new to the reader, even where the numbers begin anew.
                    self.last = Some(oldest.saturating_sub(1));
                    Some(StreamItem::Gap(Gap {
                        since,
                        oldest,
                        latest,
                    }))
                }
                ControlMessage::Cursor {} => {
                    let seq = control.seq?;
                    self.advance(seq).then_some(StreamItem::Cursor(seq))
                }
                // Answers to messages that this client does not send.
                _ => None,
            },
        }
    }

    /// Whether `seq` is new; if so it is the last one now.
    fn advance(&mut self, seq: u64) -> bool {
        let is_new = self.last.is_none_or(|last| seq > last);
        if is_new {
            self.last = Some(seq);
        }
        is_new
    }

    /// Goes on behind a message that cannot be read: asking for it again would give it again.
    fn unreadable(&mut self, text: &str, error: String) -> Option<StreamItem> {
        #[derive(Deserialize)]
        struct Numbered {
            seq: u64,
        }

        if let Ok(Numbered { seq }) = serde_json::from_str(text)
            && !self.advance(seq)
        {
            return None;
        }
        Some(StreamItem::Unreadable(Unreadable {
            text: text.to_owned(),
            error,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64) -> String {
        format!(
            r#"{{"type":"ProfileDeleted","timestamp":"2026-01-08T10:30:00Z","data":{{"alias":"a"}},"seq":{seq}}}"#
        )
    }

    fn control(kind: &str, data: &str, seq: u64) -> String {
        format!(
            r#"{{"type":"{kind}","timestamp":"2026-01-08T10:30:00Z","data":{data},"seq":{seq}}}"#
        )
    }

    fn show(item: Option<StreamItem>) -> String {
        match item {
            None => "-".to_owned(),
            Some(StreamItem::Event(received)) => {
                format!("event {}", received.envelope.seq.unwrap())
            }
            Some(StreamItem::Gap(Gap {
                since,
                oldest,
                latest,
            })) => {
                format!("gap {since} {oldest} {latest}")
            }
            Some(StreamItem::Cursor(seq)) => format!("cursor {seq}"),
            Some(StreamItem::Unreadable { .. }) => "unreadable".to_owned(),
            Some(other) => format!("{other:?}"),
        }
    }

    #[test]
    fn messages_in_order() {
        let check = |start: Since, messages: &[(String, &str)], expected_last: Option<u64>| {
            let mut position = Position::new(start);
            for (text, expected) in messages {
                assert_eq!(show(position.take(text)), *expected, "{text}");
            }
            assert_eq!(position.last(), expected_last);
        };
        let gap = || control("Gap", r#"{"since":50,"oldest":7,"latest":9}"#, 9);
        let cursor = |seq| control("Cursor", "{}", seq);

        check(
            Since::Now,
            &[(event(4), "event 4"), (event(9), "event 9")],
            Some(9),
        );
        // Nothing twice, nothing backwards.
        check(
            Since::Seq(4),
            &[(event(4), "-"), (event(3), "-"), (event(5), "event 5")],
            Some(5),
        );
        check(
            Since::Seq(4),
            &[(cursor(8), "cursor 8"), (cursor(8), "-"), (event(8), "-")],
            Some(8),
        );
        // After a gap the numbers may be smaller than before.
        check(
            Since::Seq(50),
            &[
                (gap(), "gap 50 7 9"),
                (event(7), "event 7"),
                (event(7), "-"),
                (event(9), "event 9"),
            ],
            Some(9),
        );
        // What cannot be read is told once and left behind.
        let bad = control("ProfileDeleted", r#"{"alias":7}"#, 6);
        check(
            Since::Seq(4),
            &[(bad.clone(), "unreadable"), (bad, "-")],
            Some(6),
        );
        let garbage = "\u{0}not json".to_owned();
        check(
            Since::Seq(4),
            &[(garbage, "unreadable"), (event(5), "event 5")],
            Some(5),
        );
        let unnumbered = event(5).replace(r#","seq":5"#, "");
        check(Since::Seq(4), &[(unnumbered, "unreadable")], Some(4));
        // Newer daemons may have types that this version does not know.
        let newer = control("SomethingNew", r#"{"x":[1]}"#, 5);
        check(Since::Seq(4), &[(newer, "event 5")], Some(5));
        let reply = control("Pong", "{}", 4);
        check(Since::Seq(4), &[(reply, "-")], Some(4));
    }

    #[test]
    fn the_wire_text_is_kept_whole() {
        let text = event(5).replace(r#""alias":"a""#, r#""alias":"a","later":1"#);
        let Some(StreamItem::Event(received)) = Position::new(Since::Now).take(&text) else {
            panic!("not an event");
        };
        assert_eq!(received.text, text);
    }

    #[test]
    fn now_becomes_a_number_that_stays() {
        let mut position = Position::new(Since::Now);
        position.start_at(Since::Seq(3));
        assert_eq!(position.since(), Since::Seq(3));
        position.start_at(Since::Seq(9));
        assert_eq!(position.since(), Since::Seq(3));
    }
}
