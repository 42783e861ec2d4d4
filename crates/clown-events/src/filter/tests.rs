use super::*;

const NOTHING: &[&str] = &[];

fn passing(filter: &Filter) -> Vec<&'static str> {
    EventKind::ALL
        .into_iter()
        .filter(|kind| {
            let passes = filter.matches(*kind, None);
            assert_eq!(filter.matches_name(kind.name(), None), passes, "{kind}");
            passes
        })
        .map(EventKind::name)
        .collect()
}

#[track_caller]
fn check(subscribed: &[&str], unsubscribed: &[&str], expected: &[&str], events: &[&str]) {
    let mut filter = Filter::none();
    filter.subscribe(subscribed, NOTHING).unwrap();
    filter.unsubscribe(unsubscribed).unwrap();
    assert_eq!(passing(&filter), expected);
    assert_eq!(filter.events(), events);

    // What is told to the client asks for the same again.
    assert_eq!(
        passing(&Filter::new(&filter.events(), NOTHING).unwrap()),
        expected
    );
}

#[test]
fn patterns_choose_the_kinds() {
    let all = EventKind::ALL.map(EventKind::name);
    check(&["*"], &[], &all, &["*"]);
    check(&[], &[], &[], &[]);
    check(
        &["ProxyError", "ProxyError"],
        &[],
        &["ProxyError"],
        &["ProxyError"],
    );
    check(
        &["Usage*", "DaemonStarted"],
        &[],
        &["UsageUpdated", "UsageImported", "DaemonStarted"],
        &["Usage*", "DaemonStarted"],
    );
    check(&["proxyerror", "Nope*"], &[], &[], &["proxyerror", "Nope*"]);
    check(
        &["UsageUpdated*"],
        &[],
        &["UsageUpdated"],
        &["UsageUpdated*"],
    );
    assert_eq!(passing(&Filter::all()), all);
    assert_eq!(passing(&Filter::none()), NOTHING);
    assert_eq!(Filter::default(), Filter::all());
}

#[test]
fn unsubscribing_takes_away_from_what_is_in_force() {
    let proxies = ["ProxyStarted", "ProxyStopped", "ProxyError"];
    check(&["Proxy*"], &["ProxyError"], &proxies[..2], &proxies[..2]);
    check(&["Proxy*"], &["Usage*"], &proxies, &["Proxy*"]);
    check(
        &["Proxy*", "UsageImported"],
        &["ProxyS*"],
        &["ProxyError", "UsageImported"],
        &["ProxyError", "UsageImported"],
    );
    check(
        &["Proxy*", "UsageImported"],
        &["Proxy*"],
        &["UsageImported"],
        &["UsageImported"],
    );
    check(
        &["Proxy*", "ProxyError"],
        &["ProxyError"],
        &proxies[..2],
        &proxies[..2],
    );
    check(&["ProxyStarted"], &["ProxyStart*"], &[], &[]);
    check(&["*"], &["*"], &[], &[]);
    let but_usage: Vec<_> = EventKind::ALL
        .into_iter()
        .map(EventKind::name)
        .filter(|name| !name.starts_with("Usage"))
        .collect();
    check(&["*"], &["Usage*"], &but_usage, &but_usage);

    let mut filter = Filter::all();
    filter.unsubscribe(&["UsageUpdated"]).unwrap();
    filter.unsubscribe(&["Usage*"]).unwrap();
    filter.unsubscribe(&["Hook*"]).unwrap();
    assert_eq!(passing(&filter), but_usage);
    assert!(filter.matches_name("SomethingNew", None));
    assert!(!filter.matches_name("UsageForgotten", None));
    assert!(!filter.matches_name("HookFired", None));
    filter.subscribe(&["*"], NOTHING).unwrap();
    assert_eq!(filter, Filter::all());
}

#[test]
fn names_that_are_unknown_are_kept_and_listed() {
    let filter = Filter::new(&["HookFired", "Proxy*", "Hook*"], NOTHING).unwrap();
    assert_eq!(filter.unknown(), ["HookFired", "Hook*"]);
    assert_eq!(filter.events(), ["HookFired", "Proxy*", "Hook*"]);
    assert!(filter.matches_name("HookFired", None));
    assert!(!filter.matches_name("Other", None));
    assert!(Filter::all().matches_name("Other", None));
    assert!(!Filter::none().matches_name("Other", None));

    let mut narrowed = Filter::new(&["Hook*"], NOTHING).unwrap();
    narrowed.unsubscribe(&["HookFired"]).unwrap();
    assert_eq!(
        (narrowed.events(), narrowed.unknown()),
        (vec!["Hook*".to_owned()], vec!["Hook*".to_owned()])
    );
    assert!(narrowed.matches_name("HookAdded", None) && !narrowed.matches_name("HookFired", None));
}

#[test]
fn profiles_keep_only_what_concerns_them() {
    let mut filter = Filter::new(&["*"], &["work", "work", "play"]).unwrap();
    assert_eq!(filter.profiles(), ["work", "play"]);
    let kind = EventKind::ProfileStarted;
    assert!(filter.matches(kind, Some("work")) && filter.matches(kind, Some("play")));
    assert!(!filter.matches(kind, Some("wor")) && !filter.matches(kind, None));
    assert!(!filter.matches_event(&crate::DaemonStarted::new("1", 1).into()));
    assert!(filter.matches_event(&crate::ProxyStopped::new("play", 0).into()));
    filter.unsubscribe(&["Proxy*"]).unwrap();
    assert_eq!(filter.profiles(), ["work", "play"]);
    assert!(!filter.matches_event(&crate::ProxyStopped::new("play", 0).into()));
}

#[test]
fn an_address_is_read_strictly() {
    #[track_caller]
    fn check(events: &str, expected: &str) {
        let error = Filter::parse_strict(Some(events), None)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let accepted = |events, profiles| Filter::parse_strict(events, profiles).unwrap();
    assert_eq!(accepted(None, None), Filter::all());
    assert_eq!(accepted(Some(""), Some("")), Filter::none());
    assert_eq!(accepted(Some("*"), None), Filter::all());
    assert_eq!(
        accepted(Some("ProxyError, Usage*"), Some("a,b")),
        Filter::new(&["ProxyError", "Usage*"], &["a", "b"]).unwrap()
    );
    check(
        "ProxyErorr",
        "unknown event type \"ProxyErorr\"; did you mean ProxyError?",
    );
    check(
        "Porxy*",
        "unknown event type \"Porxy*\"; did you mean Proxy*?",
    );
    check(
        "ProfileCraeted*",
        "unknown event type \"ProfileCraeted*\"; did you mean ProfileCreated?",
    );
    check(
        "Zebra",
        "unknown event type \"Zebra\"; the known ones are ProfileCreated, ",
    );
    check("ProxyError,", "\"\" is no event name; give an exact name");
    check("Pro*xy", "\"Pro*xy\" is no event name");
    check(
        &"é".repeat(5000),
        &format!("\"{}\" is no event name", "é".repeat(64)),
    );
    let error = Filter::parse_strict(None, Some("../x")).unwrap_err();
    assert_eq!(
        error,
        FilterError::InvalidProfile {
            profile: "../x".to_owned()
        }
    );
}

#[test]
fn the_count_of_names_is_limited() {
    let names: Vec<String> = (0..=MAX_NAMES)
        .map(|number| format!("Name{number}"))
        .collect();
    let most = &names[..MAX_NAMES];
    let too_many = Err(FilterError::TooMany {
        count: MAX_NAMES + 1,
    });
    assert!(Filter::new(most, most).is_ok());
    assert_eq!(Filter::new(&names, NOTHING).map(drop), too_many);
    assert_eq!(Filter::new(NOTHING, &names).map(drop), too_many);

    let mut filter = Filter::all();
    filter.unsubscribe(most).unwrap();
    let before = filter.clone();
    assert_eq!(filter.unsubscribe(&names[MAX_NAMES..]), too_many);
    assert_eq!(filter.subscribe(&names, NOTHING), too_many);
    assert_eq!(
        filter.subscribe(&["a b"], NOTHING),
        Err(FilterError::InvalidPattern {
            pattern: "a b".to_owned()
        })
    );
    assert_eq!(filter, before);
    // A wider pattern takes the place of those that it covers.
    filter.unsubscribe(&["Name*"]).unwrap();
    assert!(!filter.matches_name("Name1000", None));
}
