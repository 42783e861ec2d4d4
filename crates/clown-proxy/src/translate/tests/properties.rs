//! What holds for any stream: it does not matter how it is cut, and there and back is the same.

use proptest::prelude::*;

use super::messages_streams::{close, open, piece, start, stop};
use super::*;

const M: Format = Format::Messages;
const C: Format = Format::Chat;
const R: Format = Format::Responses;

/// Words with what is hard about them.
fn words() -> impl Strategy<Value = String> {
    "[a-z ]{0,4}(ž|🐎|\"|\\\\|\n|\u{2028}|\\{|\\}|data: )?[a-z]{0,3}"
}

/// An object as the text of a call's arguments.
fn arguments() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        words().prop_map(|text| json!({"a": text}).to_string()),
        words().prop_map(|text| json!({"a": {"b": [1, text]}, "c": null}).to_string()),
    ]
}

fn chat_chunk() -> impl Strategy<Value = Value> {
    let call_chunk = (
        prop::option::of(prop_oneof![Just(0), Just(1), Just(u64::MAX)]),
        prop::option::of("[xy]"),
        prop::option::of(Just("look")),
        prop_oneof![arguments(), words()],
    );
    prop_oneof![
        words().prop_map(|text| delta(json!({"content": text}))),
        words().prop_map(|text| delta(json!({"reasoning_content": text}))),
        call_chunk.prop_map(|(index, id, name, arguments)| {
            call(json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}}))
        }),
        "stop|length|tool_calls".prop_map(|reason| finish(&reason)),
        Just(json!({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}})),
        Just(json!({"error": {"message": "broken"}})),
    ]
}

fn responses_event() -> impl Strategy<Value = Value> {
    let index = 0..3_u64;
    prop_oneof![
        (index.clone(), words()).prop_map(|(index, text)| {
            json!({"type": "response.output_text.delta", "output_index": index, "delta": text})
        }),
        (index.clone(), words()).prop_map(|(index, text)| {
            json!({"type": "response.reasoning_summary_text.delta", "output_index": index, "delta": text})
        }),
        (index.clone(), "[xy]").prop_map(|(index, id)| {
            json!({"type": "response.output_item.added", "output_index": index,
                   "item": {"type": "function_call", "call_id": id, "name": "look"}})
        }),
        (index.clone(), words()).prop_map(|(index, json)| {
            json!({"type": "response.function_call_arguments.delta", "output_index": index, "delta": json})
        }),
        (index, "[xy]", arguments()).prop_map(|(index, id, arguments)| {
            json!({"type": "response.output_item.done", "output_index": index,
                   "item": {"type": "function_call", "call_id": id, "name": "look", "arguments": arguments}})
        }),
        Just(json!({"type": "response.completed", "response": {"status": "completed", "output": []}})),
    ]
}

fn messages_event() -> impl Strategy<Value = Value> {
    let index = 0..3_u64;
    prop_oneof![
        Just(start()),
        index
            .clone()
            .prop_map(|index| open(index, json!({"type": "text", "text": "x"}))),
        (index.clone(), "[xy]").prop_map(|(index, id)| {
            open(
                index,
                json!({"type": "tool_use", "id": id, "name": "look", "input": {}}),
            )
        }),
        (index.clone(), words())
            .prop_map(|(index, text)| piece(index, json!({"type": "text_delta", "text": text}))),
        (index.clone(), words()).prop_map(|(index, json)| {
            piece(
                index,
                json!({"type": "input_json_delta", "partial_json": json}),
            )
        }),
        index.prop_map(close),
        Just(stop("end_turn", None)[0].clone()),
        Just(stop("end_turn", None)[1].clone()),
    ]
}

/// The bytes with other endings of lines, comments, and data over two lines where JSON allows it.
fn laid_out(stream: &str, layout: u8) -> String {
    match layout {
        0 => stream.to_owned(),
        1 => stream.replace('\n', "\r\n"),
        2 => stream.replace('\n', "\r"),
        3 => format!("\u{feff}: hello\n\n{}", stream.replace("\n\n", "\n: x\n\n")),
        _ => stream
            .replace("data: {", "data: {\ndata:")
            .trim_end()
            .to_owned(),
    }
}

fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

/// Cut anywhere and laid out anyhow, every caller is told the same.
fn check_cuts(
    upstream: Format,
    data: &[Value],
    layout: u8,
    cuts: &[prop::sample::Index],
) -> Result<(), TestCaseError> {
    let stream = events(upstream, data);
    let other = laid_out(&stream, layout);
    for caller in [M, C, R] {
        let reply = reply(caller, upstream);
        let expected = summary(caller, &translate(&reply, &[stream.as_bytes()]));
        let told = summary(caller, &translate(&reply, &cut(other.as_bytes(), cuts)));
        prop_assert_eq!(told, expected, "{:?} for {:?}", upstream, caller);
    }
    Ok(())
}

/// A block of an answer: thinking and its signature, text, a call and its arguments, dark thinking.
#[derive(Debug, Clone)]
enum Block {
    Thinking(String, String),
    Dark(String),
    Text(String),
    Call(String),
}

fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let some = || "[a-zž🐎\"\\\\\n]{1,8}";
    let block = prop_oneof![
        (some(), "[A-Za-z0-9+/=]{1,8}").prop_map(|(text, proof)| Block::Thinking(text, proof)),
        "[A-Za-z0-9+/=]{1,8}".prop_map(Block::Dark),
        some().prop_map(Block::Text),
        arguments().prop_map(Block::Call),
    ];
    prop::collection::vec(block, 1..6).prop_map(|blocks| {
        // Two texts in a row are one to formats without blocks.
        let mut kept: Vec<Block> = Vec::new();
        for block in blocks {
            match (kept.last_mut(), block) {
                (Some(Block::Text(held)), Block::Text(text)) => held.push_str(&text),
                (_, block) => kept.push(block),
            }
        }
        kept
    })
}

fn messages_stream(blocks: &[Block]) -> Vec<Value> {
    let mut stream = vec![start()];
    let mut called = false;
    for (index, block) in blocks.iter().enumerate() {
        let index = index as u64;
        match block {
            Block::Thinking(text, proof) => stream.extend([
                open(
                    index,
                    json!({"type": "thinking", "thinking": "", "signature": ""}),
                ),
                piece(index, json!({"type": "thinking_delta", "thinking": text})),
                piece(
                    index,
                    json!({"type": "signature_delta", "signature": proof}),
                ),
            ]),
            Block::Dark(data) => stream.push(open(
                index,
                json!({"type": "redacted_thinking", "data": data}),
            )),
            Block::Text(text) => stream.extend([
                open(index, json!({"type": "text", "text": ""})),
                piece(index, json!({"type": "text_delta", "text": text})),
            ]),
            Block::Call(arguments) => {
                called = true;
                let id = format!("toolu_{index}");
                stream.push(open(
                    index,
                    json!({"type": "tool_use", "id": id, "name": "look", "input": {}}),
                ));
                if !arguments.is_empty() {
                    stream.push(piece(
                        index,
                        json!({"type": "input_json_delta", "partial_json": arguments}),
                    ));
                }
            }
        }
        stream.push(close(index));
    }
    stream.extend(stop(if called { "tool_use" } else { "end_turn" }, None));
    stream
}

/// Through another format and back, as bytes of a stream of Messages.
fn through(other: Format, stream: &str) -> Vec<String> {
    let there = translate(&reply(other, M), &[stream.as_bytes()]);
    summary(M, &translate(&reply(M, other), &[&there]))
}

/// Without the arguments of calls that are empty, which some formats must write.
fn plain(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().filter(|line| line != "json {}").collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn streams_of_chat_may_be_cut_anywhere(
        data in prop::collection::vec(chat_chunk(), 0..10),
        layout in 0..5_u8,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        check_cuts(C, &data, layout, &cuts)?;
    }

    #[test]
    fn streams_of_messages_may_be_cut_anywhere(
        data in prop::collection::vec(messages_event(), 0..10),
        layout in 0..5_u8,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        check_cuts(M, &data, layout, &cuts)?;
    }

    #[test]
    fn streams_of_responses_may_be_cut_anywhere(
        data in prop::collection::vec(responses_event(), 0..10),
        layout in 0..5_u8,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        check_cuts(R, &data, layout, &cuts)?;
    }

    #[test]
    fn an_answer_through_responses_and_back_is_the_same(blocks in blocks()) {
        let stream = events(M, &messages_stream(&blocks));
        let mut same = summary(M, &translate(&reply(M, M), &[stream.as_bytes()]));
        // Responses has no word for the two lengths of a cache.
        let mut back = through(R, &stream);
        prop_assert_eq!(same.pop(), back.pop());
        prop_assert_eq!(same.pop().map(|line| line.contains(" out=9")), back.pop().map(|line| line.contains(" out=9")));
        prop_assert_eq!(plain(same), plain(back));
    }

    #[test]
    fn an_answer_through_chat_and_back_keeps_text_calls_and_proof(blocks in blocks()) {
        let stream = events(M, &messages_stream(&blocks));
        let same = summary(M, &translate(&reply(M, M), &[stream.as_bytes()]));
        prop_assert_eq!(plain(through(C, &stream)), plain(same));
    }

    #[test]
    fn a_body_says_what_its_stream_says(data in prop::collection::vec(chat_chunk(), 0..8)) {
        let stream = events(C, &data);
        for caller in [M, R] {
            let reply = reply(caller, C);
            let mut streamed = reply.stream(0);
            streamed.feed(stream.clone().into());
            streamed.finish();
            let whole = reply.whole(stream.as_bytes(), 0);
            let outcome = match whole {
                Ok(whole) => whole.outcome,
                Err(error) => error.outcome,
            };
            prop_assert_eq!(outcome, streamed.outcome());
        }
    }
}
