use super::*;
use clown_core::store::StoreSettings;
use clown_events::{Event, ProfileCreated, ProfileDeleted, Timestamp};

fn created(alias: &str) -> Event {
    ProfileCreated::new(alias, "claude", "anthropic", "m").into()
}

fn deleted(alias: &str) -> Event {
    ProfileDeleted::new(alias).into()
}

fn commit(store: &Store, event: Event) -> Seq {
    store
        .commit(|tx| {
            tx.publish(event);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    store.head()
}

fn trim_all(store: &Store) {
    let retention = journal::Retention {
        keep_events: 0,
        keep_for: Duration::ZERO,
        max_bytes: u64::MAX,
    };
    let later = Timestamp::from_unix_millis(Timestamp::now().unix_millis() + 1_000);
    let trimmed = journal::trim(store, &retention, later.unwrap()).unwrap();
    assert!(trimmed.events > 0 && !trimmed.more, "{trimmed:?}");
}

/// What the feed sends until there is nothing more.
async fn sent(feed: &mut Feed) -> String {
    let mut outbox = Outbox::default();
    let mut all = String::new();
    loop {
        match feed.refill(&mut outbox, Instant::now()) {
            Refill::CaughtUp | Refill::Ended => return all,
            Refill::Moved => {}
            Refill::Reading => {
                let page = feed.ready().await.unwrap().unwrap();
                feed.accept(page, &mut outbox);
            }
        }
        while let Some(chunk) = outbox.pop() {
            all += std::str::from_utf8(&chunk).unwrap();
        }
    }
}

/// Nobody else reads here, so that the feed is behind the ring, and behind what is trimmed, whenever
/// it looks.
#[tokio::test]
async fn what_was_trimmed_beside_a_filter_is_no_gap() {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings {
        ring_bytes: 1,
        ..StoreSettings::default()
    };
    let store = Arc::new(Store::open(&folder.path().join("clown.db"), &settings).unwrap());
    let start = commit(&store, deleted("first"));
    let source = Source {
        store: Arc::clone(&store),
        readers: Arc::new(Semaphore::new(1)),
        batch_bytes: 1 << 16,
    };
    let wanted = Wanted {
        position: Position::After(start),
        filter: Filter::new(&["ProfileDeleted"], &[] as &[&str]).unwrap(),
        form: Form::ServerSent,
    };
    let mut feed = Feed::new(source, wanted, Duration::from_secs(3600));
    assert_eq!(sent(&mut feed).await, "", "it rests");
    commit(&store, created("beside"));
    commit(&store, created("beside"));
    trim_all(&store);
    commit(&store, deleted("wanted"));
    commit(&store, created("beside"));
    let told = sent(&mut feed).await;
    assert!(told.contains("wanted"), "{told}");
    assert!(!told.contains("Gap"), "{told}");
    assert!(!told.contains("beside"), "{told}");

    // What it was to get, and is trimmed, is a gap.
    commit(&store, deleted("lost"));
    commit(&store, created("beside"));
    trim_all(&store);
    let told = sent(&mut feed).await;
    assert!(told.contains("Gap") && !told.contains("lost"), "{told}");
}
