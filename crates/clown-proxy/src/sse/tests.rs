use proptest::prelude::*;

use super::*;

/// Every event of a stream that comes in these chunks, as name and data.
fn split(chunks: &[&[u8]]) -> Vec<(String, String)> {
    let mut splitter = Splitter::default();
    let mut events = Vec::new();
    let mut keep = |event: Event| {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        events.push((text(&event.name), text(&event.data)));
    };
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = splitter.next_event().unwrap() {
            keep(event);
        }
    }
    while let Some(event) = splitter.finish().unwrap() {
        keep(event);
    }
    events
}

/// The stream gives these events, whole, cut at each byte, and byte by byte.
#[track_caller]
fn check(stream: &str, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, data)| ((*name).to_owned(), (*data).to_owned()))
        .collect();
    let bytes = stream.as_bytes();
    assert_eq!(split(&[bytes]), expected, "whole");
    for cut in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(cut);
        assert_eq!(split(&[head, tail]), expected, "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(split(&single), expected, "byte by byte");
}

#[test]
fn events_are_split() {
    check("", &[]);
    check("data: one\n\n", &[("", "one")]);
    check("data:one\n\ndata: two\n\n", &[("", "one"), ("", "two")]);
    check("event: ping\ndata: {}\n\n", &[("ping", "{}")]);
    check("data: {}\nevent: late\n\n", &[("late", "{}")]);
}

#[test]
fn lines_end_in_three_ways() {
    check("event: a\r\ndata: 1\r\n\r\n", &[("a", "1")]);
    check("event: a\rdata: 1\r\rdata: 2\r\r", &[("a", "1"), ("", "2")]);
    check(
        "data: 1\r\n\r\ndata: 2\n\ndata: 3\r\r",
        &[("", "1"), ("", "2"), ("", "3")],
    );
    // A return at the end of one line and a feed that ends the next are two.
    check("data: 1\r\r\ndata: 2\n\n", &[("", "1"), ("", "2")]);
}

#[test]
fn what_is_no_event_is_left_out() {
    check(": keep-alive\n\ndata: 1\n\n", &[("", "1")]);
    check("data: 1\n: in the middle\n\n", &[("", "1")]);
    check("id: 7\nretry: 10\ndata: 1\nunknown: x\n\n", &[("", "1")]);
    check("event: alone\n\ndata: 1\n\n", &[("", "1")]);
    check("\n\n\ndata: 1\n\n\n\n", &[("", "1")]);
}

#[test]
fn data_may_take_several_lines() {
    check(
        "data: {\ndata: \"a\": 1\ndata: }\n\n",
        &[("", "{\n\"a\": 1\n}")],
    );
    check("data\ndata:  two blanks\n\n", &[("", "\n two blanks")]);
    check("data:\n\n", &[("", "")]);
}

#[test]
fn a_mark_of_the_byte_order_is_no_part_of_the_first_line() {
    check("\u{feff}data: 1\n\n", &[("", "1")]);
    check("\u{feff}\n\ndata: 1\n\n", &[("", "1")]);
    check("data: \u{feff}\n\n", &[("", "\u{feff}")]);
}

#[test]
fn the_last_blank_line_may_be_missing() {
    check("data: 1\n\ndata: [DONE]\n", &[("", "1"), ("", "[DONE]")]);
    check("data: 1\n\ndata: [DONE]", &[("", "1"), ("", "[DONE]")]);
    check("event: error\r\ndata: 1\r", &[("error", "1")]);
}

#[test]
fn letters_of_many_bytes_may_be_cut() {
    check("data: žluťoučký 🐎 кінь\n\n", &[("", "žluťoučký 🐎 кінь")]);
}

#[test]
fn an_event_in_one_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b"event: a\ndata: one\n\ndata: two\n\n");
    let within = chunk.as_ptr_range();
    let mut splitter = Splitter::default();
    splitter.push(chunk);
    for _ in 0..2 {
        let event = splitter.next_event().unwrap().unwrap();
        assert!(within.contains(&event.data.as_ptr()));
    }
}

#[test]
fn what_is_pushed_before_the_events_are_taken_is_kept() {
    let mut splitter = Splitter::default();
    splitter.push("data: 1\n\nda".into());
    splitter.push("ta: 2\n\n".into());
    assert_eq!(&splitter.next_event().unwrap().unwrap().data[..], b"1");
    assert_eq!(&splitter.next_event().unwrap().unwrap().data[..], b"2");
    assert_eq!(splitter.next_event().unwrap(), None);
}

#[test]
fn an_event_is_limited_however_it_is_laid_out() {
    for stream in [
        "data: 0123456789\n\n",
        "data: 01234\ndata: 56789\n\n",
        "event: 01234\ndata: 56789\n\n",
        "0123456789",
    ] {
        for size in [1, 3, 100] {
            let mut splitter = Splitter::new(9);
            let mut refused = false;
            for chunk in stream.as_bytes().chunks(size) {
                splitter.push(Bytes::copy_from_slice(chunk));
                refused |= splitter.next_event() == Err(EventTooLarge { limit: 9 });
            }
            assert!(refused, "{stream:?} in chunks of {size}");
        }
    }
    // Many small events are no large one.
    let mut splitter = Splitter::new(12);
    splitter.push("data: 1\n\n".repeat(100).into());
    let mut count = 0;
    while splitter.next_event().unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 100);
}

proptest! {
    #[test]
    fn any_bytes_give_the_same_events_however_they_are_cut(
        stream in "(data: ?|event: ?|:|[a-zž🐎{}\"]{0,3}|\r\n|\n|\r|\u{feff}){0,40}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let bytes = stream.as_bytes();
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.sort_unstable();
        let mut chunks = Vec::new();
        let mut from = 0;
        for place in places {
            chunks.push(&bytes[from..place]);
            from = place;
        }
        chunks.push(&bytes[from..]);
        prop_assert_eq!(split(&chunks), split(&[bytes]));
    }
}
