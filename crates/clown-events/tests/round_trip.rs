//! Whatever can be said is read back the same.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helping functions too"
)]

use clown_events::{
    AgentDetected, AgentUpdated, ClientMessage, ControlEnvelope, ControlMessage, Cost,
    DaemonShuttingDown, DaemonStarted, Envelope, ErrorCode, Event, EventKind, EventPattern, Filter,
    MAX_SEQ, ProfileCreated, ProfileDeleted, ProfileStarted, ProfileStopped, ProfileUpdated,
    ProxyError, ProxyStarted, ProxyStopped, RegistrySyncCompleted, RegistrySyncFailed,
    RegistrySyncStarted, ServerMessage, ShutdownReason, Timestamp, Tokens, UsageImported,
    UsageUpdated, Usd, append_seq,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::{option, sample};
use serde_json::Value;
use serde_json::value::RawValue;

proptest! {
    #[test]
    fn envelopes(envelope in envelope()) {
        let text = envelope.to_json();
        prop_assert_eq!(&Envelope::parse(&text).unwrap(), &envelope);
        prop_assert_eq!(&serde_json::from_slice::<Envelope>(text.as_bytes()).unwrap(), &envelope);
        prop_assert_eq!(&serde_json::from_reader::<_, Envelope>(text.as_bytes()).unwrap(), &envelope);
        prop_assert_eq!(serde_json::to_string(&envelope).unwrap(), text.as_str());
        let value = serde_json::to_value(&envelope).unwrap();
        prop_assert_eq!(&value, &serde_json::from_str::<Value>(&text).unwrap());
        prop_assert!(serde_json::from_value::<Envelope>(value).is_ok());
        prop_assert_eq!(ServerMessage::parse(&text).unwrap(), ServerMessage::Event(envelope));
    }

    #[test]
    fn the_fast_way_writes_the_same(envelope in envelope(), seq in 0..=MAX_SEQ) {
        let mut buffer = b"before".to_vec();
        envelope.write_json(&mut buffer);
        let unsequenced = Envelope { seq: None, ..envelope.clone() };
        prop_assert_eq!(buffer[6..].to_vec(), unsequenced.to_json().into_bytes());
        append_seq(&mut buffer, seq);
        prop_assert_eq!(buffer[6..].to_vec(), envelope.with_seq(seq).to_json().into_bytes());
    }

    #[test]
    fn control_messages(timestamp in timestamp(), message in control_message(), seq in option::of(0..=MAX_SEQ)) {
        let control = ControlEnvelope { timestamp, message, seq };
        let text = control.to_json();
        prop_assert_eq!(&ControlEnvelope::parse(&text).unwrap(), &control);
        prop_assert_eq!(&serde_json::from_str::<ControlEnvelope>(&text).unwrap(), &control);
        let value = serde_json::to_value(&control).unwrap();
        prop_assert_eq!(&serde_json::from_value::<ControlEnvelope>(value).unwrap(), &control);
        prop_assert_eq!(ServerMessage::parse(&text).unwrap(), ServerMessage::Control(control));
    }

    #[test]
    fn client_messages(message in client_message()) {
        let text = message.to_json();
        prop_assert_eq!(ClientMessage::parse(&text).unwrap(), message);
    }

    #[test]
    fn dollars(nanos in any::<i64>()) {
        let usd = Usd::from_nanos(nanos);
        let text = serde_json::to_string(&usd).unwrap();
        prop_assert_eq!(&text, &usd.to_string());
        prop_assert_eq!(text.parse(), Ok(usd));
        prop_assert_eq!(serde_json::from_str::<Usd>(&text).unwrap(), usd);
        let decimals = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        prop_assert!(decimals <= 9 && !text.ends_with('.') && !text.contains('e'), "{}", text);
    }

    #[test]
    fn dollars_of_any_float(float in proptest::num::f64::ANY) {
        if let Ok(text) = serde_json::to_string(&float) {
            prop_assert_eq!(serde_json::from_str::<Usd>(&text).is_ok(), float.is_finite());
        }
        if float.abs() < 1e6 {
            let usd: Usd = format!("{float}").parse().unwrap();
            #[expect(clippy::cast_precision_loss, reason = "an amount below a million dollars fits")]
            let back = usd.nanos() as f64 / 1e9;
            prop_assert!((back - float).abs() <= 1e-9);
        }
    }

    #[test]
    fn sums(left in any::<i64>(), right in any::<i64>()) {
        let (a, b) = (Usd::from_nanos(left), Usd::from_nanos(right));
        prop_assert_eq!(a.checked_add(b).map(Usd::nanos), left.checked_add(right));
        prop_assert_eq!(a.saturating_add(b).nanos(), left.saturating_add(right));
    }

    #[test]
    fn timestamps(timestamp in timestamp()) {
        let text = timestamp.to_string();
        prop_assert_eq!(text.parse(), Ok(timestamp));
        prop_assert_eq!(Timestamp::from_unix_millis(timestamp.unix_millis()), Ok(timestamp));
        prop_assert_eq!(text.contains('.'), timestamp.unix_millis() % 1000 != 0);
    }

    #[test]
    fn filters_are_told_as_they_work(
        subscribed in vec(pattern(), 0..6),
        unsubscribed in vec(vec(pattern(), 0..4), 0..4),
        names in vec(name(), 1..8),
    ) {
        let mut filter = Filter::all();
        filter.subscribe(&subscribed, &[] as &[&str]).unwrap();
        // The plain meaning, name by name: in by one of the first, out by one of the others.
        let means = |patterns: &[String], name: &str| patterns.iter()
            .any(|pattern| pattern.parse::<EventPattern>().unwrap().matches_name(name));
        for removed in &unsubscribed {
            filter.unsubscribe(removed).unwrap();
        }
        let expected = |name: &str| means(&subscribed, name) && !unsubscribed.iter().any(|removed| means(removed, name));
        for name in names.iter().map(String::as_str).chain(EventKind::ALL.map(EventKind::name)) {
            prop_assert_eq!(filter.matches_name(name, None), expected(name), "{}", name);
        }
        let told = Filter::new(&filter.events(), &[] as &[&str]).unwrap();
        for kind in EventKind::ALL {
            prop_assert_eq!(filter.matches(kind, None), expected(kind.name()));
            prop_assert_eq!(told.matches(kind, None), expected(kind.name()));
        }
    }
}

fn text() -> BoxedStrategy<String> {
    prop_oneof!["[a-z]{1,8}", any::<String>()].boxed()
}

fn timestamp() -> BoxedStrategy<Timestamp> {
    let millis = Timestamp::MIN.unix_millis()..=Timestamp::MAX.unix_millis();
    prop_oneof![millis, 0..2_000_000_000_000_i64]
        .prop_map(|millis| Timestamp::from_unix_millis(millis).unwrap())
        .boxed()
}

fn envelope() -> impl Strategy<Value = Envelope> {
    (timestamp(), event(), option::of(0..=MAX_SEQ)).prop_map(|(timestamp, event, seq)| Envelope {
        timestamp,
        event,
        seq,
    })
}

fn event() -> impl Strategy<Value = Event> {
    let known = sample::select(EventKind::ALL.to_vec()).prop_flat_map(known_event);
    prop_oneof![9 => known, 1 => unknown_event()]
}

fn known_event(kind: EventKind) -> BoxedStrategy<Event> {
    let pair = || (text(), text());
    let whole = any::<u64>;
    match kind {
        EventKind::ProfileCreated => (pair(), pair())
            .prop_map(|((a, b), (c, d))| ProfileCreated::new(a, b, c, d).into())
            .boxed(),
        EventKind::ProfileUpdated => (text(), vec(text(), 0..4))
            .prop_map(|(a, b)| ProfileUpdated::new(a, b).into())
            .boxed(),
        EventKind::ProfileDeleted => text().prop_map(|a| ProfileDeleted::new(a).into()).boxed(),
        EventKind::ProfileStarted => (text(), any::<u32>())
            .prop_map(|(a, b)| ProfileStarted::new(a, b).into())
            .boxed(),
        EventKind::ProfileStopped => (text(), any::<i32>(), whole())
            .prop_map(|(a, b, c)| ProfileStopped::new(a, b, c).into())
            .boxed(),
        EventKind::AgentDetected => (pair(), pair())
            .prop_map(|((a, b), (c, d))| AgentDetected::new(a, b, c, d).into())
            .boxed(),
        EventKind::AgentUpdated => (pair(), option::of(text()))
            .prop_map(|((a, b), c)| AgentUpdated::new(a, b, c).into())
            .boxed(),
        EventKind::RegistrySyncStarted => (text(), any::<bool>())
            .prop_map(|(a, b)| RegistrySyncStarted::new(a, b).into())
            .boxed(),
        EventKind::RegistrySyncCompleted => (pair(), any::<bool>(), whole())
            .prop_map(|((a, b), c, d)| RegistrySyncCompleted::new(a, b, c, d).into())
            .boxed(),
        EventKind::RegistrySyncFailed => text()
            .prop_map(|a| RegistrySyncFailed::new(a).into())
            .boxed(),
        EventKind::ProxyStarted => (text(), any::<u16>(), any::<u32>())
            .prop_map(|(a, b, c)| ProxyStarted::new(a, b, c).into())
            .boxed(),
        EventKind::ProxyStopped => (text(), any::<i32>())
            .prop_map(|(a, b)| ProxyStopped::new(a, b).into())
            .boxed(),
        EventKind::ProxyError => pair()
            .prop_map(|(a, b)| ProxyError::new(a, b).into())
            .boxed(),
        EventKind::UsageUpdated => (text(), tokens(), cost())
            .prop_map(|(a, b, c)| UsageUpdated::new(a, b, c).into())
            .boxed(),
        EventKind::UsageImported => (text(), whole())
            .prop_map(|(a, b)| UsageImported::new(a, b).into())
            .boxed(),
        EventKind::DaemonStarted => (text(), any::<u32>())
            .prop_map(|(a, b)| DaemonStarted::new(a, b).into())
            .boxed(),
        EventKind::DaemonShuttingDown => text()
            .prop_union(
                sample::select(vec!["idle_timeout", "requested", "signal", "update"])
                    .prop_map(str::to_owned)
                    .boxed(),
            )
            .prop_map(|word| DaemonShuttingDown::new(ShutdownReason::from(word.as_str())).into())
            .boxed(),
        other => panic!("no strategy makes {other}"),
    }
}

fn unknown_event() -> impl Strategy<Value = Event> {
    (text(), json()).prop_filter_map("the name is known", |(name, data)| {
        let spaced = serde_json::to_string_pretty(&data).unwrap();
        let event = Event::from_parts(&name, &RawValue::from_string(spaced).unwrap()).ok()?;
        (event.kind().is_none() && !ControlMessage::is_name(&name)).then_some(event)
    })
}

fn tokens() -> impl Strategy<Value = Tokens> {
    let count = || prop_oneof![Just(0), any::<u64>()];
    (count(), count(), count(), count()).prop_map(|(input, output, creation, read)| {
        Tokens::new(input, output)
            .with_cache_creation_input_tokens(creation)
            .with_cache_read_input_tokens(read)
    })
}

fn cost() -> impl Strategy<Value = Cost> {
    (any::<i64>(), any::<bool>())
        .prop_map(|(nanos, unpriced)| Cost::new(Usd::from_nanos(nanos)).with_unpriced(unpriced))
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn control_message() -> impl Strategy<Value = ControlMessage> {
    let id = || option::of(json());
    let texts = || vec(text(), 0..4);
    let seq = any::<u64>;
    prop_oneof![
        (id(), texts(), texts(), texts(), seq()).prop_map(
            |(id, events, profiles, unknown, seq)| {
                ControlMessage::Subscribed {
                    id,
                    events,
                    profiles,
                    unknown,
                    seq,
                }
            }
        ),
        id().prop_map(|id| ControlMessage::Pong { id }),
        (id(), text(), text()).prop_map(|(id, code, message)| ControlMessage::Error {
            id,
            code: ErrorCode::from(code.as_str()),
            message
        }),
        (seq(), seq(), seq()).prop_map(|(since, oldest, latest)| ControlMessage::Gap {
            since,
            oldest,
            latest
        }),
        Just(ControlMessage::Cursor {}),
    ]
}

fn client_message() -> impl Strategy<Value = ClientMessage> {
    let alias = "[a-zA-Z0-9][a-zA-Z0-9._-]{0,12}";
    let (id, patterns) = (|| option::of(json()), || vec(pattern(), 0..5));
    prop_oneof![
        (patterns(), vec(alias, 0..4), id()).prop_map(|(events, profiles, id)| {
            ClientMessage::Subscribe {
                events,
                profiles,
                id,
            }
        }),
        (patterns(), id()).prop_map(|(events, id)| ClientMessage::Unsubscribe { events, id }),
        id().prop_map(|id| ClientMessage::Ping { id }),
    ]
}

/// Event names, known ones and such as begin like them.
fn name() -> impl Strategy<Value = String> {
    let known = sample::select(EventKind::ALL.to_vec()).prop_map(|kind| kind.name().to_owned());
    prop_oneof![
        known.clone(),
        "[A-Za-z0-9_]{1,9}",
        (known, "[A-Z]?").prop_map(|(name, more)| name + &more)
    ]
}

/// Exact names, and prefixes of them.
fn pattern() -> impl Strategy<Value = String> {
    let prefix = (name(), any::<sample::Index>())
        .prop_map(|(name, index)| format!("{}*", &name[..index.index(name.len())]));
    prop_oneof![name(), prefix]
}
