use super::super::{Committed, Segment};
use super::*;
use clown_events::{EventKind, Filter};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits as a task does: asleep until it is woken.
fn wait(listener: &Listener) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let context = Context::from_waker(&waker);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        listener.register(&context);
        if !listener.rests() {
            return;
        }
        assert!(Instant::now() < deadline, "nobody has woken this listener");
        thread::park_timeout(Duration::from_secs(20));
    }
}

const KINDS: [EventKind; 3] = [
    EventKind::ProfileCreated,
    EventKind::ProxyError,
    EventKind::UsageUpdated,
];

/// A type and a profile that follow from the number.
fn event(seq: u64) -> Committed {
    let kind = KINDS[usize::try_from(seq % 3).unwrap()];
    Committed {
        seq: Seq(seq),
        kind: Some(kind),
        name: kind.name().into(),
        profile: Some(format!("p{}", seq % 5).into()),
        json: b"{}".to_vec(),
    }
}

fn append(bus: &Arc<Bus>, numbers: impl Iterator<Item = u64>) {
    bus.append(Segment::new(numbers.map(event).collect()).unwrap());
}

fn filter(events: &[&str], profiles: &[&str]) -> Filter {
    Filter::new(events, profiles).unwrap()
}

/// Everything that `filter` lets pass of what is read from `cursor` on.
fn take(listener: &Listener, cursor: &mut Seq, filter: &Filter, taken: &mut Vec<u64>) {
    let Read::Slices(slices) = listener.read_after(*cursor, 100) else {
        panic!("the ring is large enough");
    };
    for slice in slices {
        *cursor = slice.last();
        let passing = slice
            .entries()
            .iter()
            .filter(|entry| filter.matches(entry.kind.unwrap(), entry.profile.as_deref()));
        taken.extend(passing.map(|entry| entry.seq.0));
    }
}

fn expected(filter: &Filter, numbers: impl Iterator<Item = u64>) -> Vec<u64> {
    let passes = |seq: &u64| {
        let event = event(*seq);
        filter.matches(event.kind.unwrap(), event.profile.as_deref())
    };
    numbers.filter(passes).collect()
}

#[test]
fn only_what_is_of_interest_wakes_and_the_place_moves_all_the_same() {
    let bus = Arc::new(Bus::new(Seq(0), 1 << 20));
    let proxies = filter(&["Proxy*"], &[]);
    let listener = bus.listen(Interest::of(&proxies));
    let mut taken = Vec::new();
    let mut cursor = Seq(0);
    take(&listener, &mut cursor, &proxies, &mut taken);
    assert!(listener.rests());

    append(&bus, [2, 3].into_iter());
    assert!(listener.rests(), "nothing of it is for this listener");
    assert_eq!(listener.place(cursor), Seq(3));
    append(&bus, [4].into_iter());
    assert!(!listener.rests());
    append(&bus, [5, 6].into_iter());
    assert_eq!(listener.place(cursor), Seq(3), "what follows is to be read");
    take(&listener, &mut cursor, &proxies, &mut taken);
    assert_eq!((taken, cursor), (vec![4], Seq(6)));
    assert!(listener.rests());
}

#[test]
fn a_new_interest_is_in_force_from_one_point_on() {
    let bus = Arc::new(Bus::new(Seq(0), 1 << 20));
    let listener = bus.listen(Interest::of(&Filter::none()));
    let mut cursor = Seq(0);
    take(&listener, &mut cursor, &Filter::none(), &mut Vec::new());
    append(&bus, 1..5);
    cursor = listener.set_interest(Interest::ALL, cursor);
    assert_eq!(cursor, Seq(4), "what went by stays so");
    append(&bus, 5..7);
    let mut taken = Vec::new();
    take(&listener, &mut cursor, &Filter::all(), &mut taken);
    assert_eq!(taken, [5, 6]);
}

#[test]
fn one_that_rests_is_never_behind_the_ring_by_what_it_does_not_want() {
    let bus = Arc::new(Bus::new(Seq(0), 1));
    let proxies = filter(&["Proxy*"], &[]);
    let listener = bus.listen(Interest::of(&proxies));
    let mut cursor = Seq(0);
    take(&listener, &mut cursor, &proxies, &mut Vec::new());
    for seq in [2, 3, 5, 6, 8] {
        append(&bus, [seq].into_iter());
    }
    append(&bus, [10].into_iter());
    let mut taken = Vec::new();
    take(&listener, &mut cursor, &proxies, &mut taken);
    assert_eq!(taken, [10]);
    // One that is awake, and slow, is.
    append(&bus, [13].into_iter());
    append(&bus, [16].into_iter());
    assert!(matches!(
        listener.read_after(cursor, 100),
        Read::Behind(Seq(10))
    ));
    assert!(!listener.rests());
}

#[test]
fn one_that_is_behind_when_it_wakes_goes_on_where_it_was_woken() {
    let bus = Arc::new(Bus::new(Seq(0), 1));
    let proxies = filter(&["Proxy*"], &[]);
    let listener = bus.listen(Interest::of(&proxies));
    let mut cursor = Seq(0);
    take(&listener, &mut cursor, &proxies, &mut Vec::new());
    for seq in [2, 3, 5] {
        append(&bus, [seq].into_iter());
    }
    append(&bus, [7].into_iter());
    for seq in [8, 9] {
        append(&bus, [seq].into_iter());
    }
    let read = listener.read_after(cursor, 100);
    assert!(matches!(read, Read::Behind(Seq(5))), "{read:?}");
}

#[test]
fn no_listener_misses_anything_while_others_come_and_go() {
    const LAST: u64 = 30_000;
    let bus = Arc::new(Bus::new(Seq(0), 64 << 20));
    // Of the last number, so that everybody sees the end.
    let last = event(LAST);
    let last = (last.kind.unwrap().name(), last.profile.unwrap());
    let filters = [
        Filter::all(),
        filter(&[last.0], &[]),
        filter(&["*"], &[&last.1]),
        filter(&[last.0, "NotYetKnown"], &["p1", &last.1]),
    ];
    thread::scope(|scope| {
        for filter in &filters {
            let bus = &bus;
            scope.spawn(move || {
                let listener = bus.listen(Interest::of(filter));
                let (mut cursor, mut taken) = (Seq(0), Vec::new());
                loop {
                    take(&listener, &mut cursor, filter, &mut taken);
                    if taken.last() == Some(&LAST) {
                        break;
                    }
                    wait(&listener);
                }
                assert_eq!(taken, expected(filter, 1..=LAST), "{filter:?}");
            });
        }
        let bus = &bus;
        scope.spawn(move || {
            let mut kept = Vec::new();
            while bus.head() < Seq(LAST) {
                kept.push(bus.listen(Interest::ALL));
                if kept.len() > 20 {
                    kept.drain(..15);
                }
            }
        });
        let mut next = 1;
        while next <= LAST {
            let end = (next + 1 + next % 7).min(LAST + 1);
            append(bus, next..end);
            next = end;
        }
    });
    assert!(bus.listeners.read().is_empty(), "all have left");
}

/// Counts what is delivered, as a reader that reads at once.
#[derive(Debug)]
struct Counter(AtomicUsize);

impl Deliver for Counter {
    fn deliver(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_little_is_delivered_at_once_and_much_or_often_by_waking() {
    let bus = Arc::new(Bus::new(Seq(0), 1 << 20));
    let listener = bus.listen(Interest::ALL);
    let counter = Arc::new(Counter(AtomicUsize::new(0)));
    let deliver: Weak<Counter> = Arc::downgrade(&counter);
    listener.hook().set(deliver);
    let mut cursor = Seq(0);
    let mut rest = |count: usize| {
        take(&listener, &mut cursor, &Filter::all(), &mut Vec::new());
        assert!(listener.rests());
        assert_eq!(counter.0.load(Ordering::Relaxed), count);
    };
    let quiet = || {
        let until = Instant::now() + QUIET;
        while Instant::now() < until {
            thread::yield_now();
        }
    };
    rest(0);
    quiet();
    append(&bus, [1].into_iter());
    rest(1);
    quiet();
    let mut large = event(2);
    large.json = vec![b' '; AT_ONCE_BYTES];
    bus.append(Segment::new(vec![large]).unwrap());
    rest(1);
    quiet();
    // Told behind the lock of whoever commits; what was read meanwhile is not told again.
    let news = bus.append(Segment::new(vec![event(3)]).unwrap());
    rest(1);
    drop(news);
    rest(1);
    // One that is gone is passed over.
    quiet();
    drop(counter);
    append(&bus, [4].into_iter());
    assert!(!listener.rests());
}
