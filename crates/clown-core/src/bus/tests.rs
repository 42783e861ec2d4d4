use super::*;

fn committed(seq: u64, profile: Option<&str>) -> Committed {
    Committed {
        seq: Seq(seq),
        kind: Some(clown_events::EventKind::ProfileDeleted),
        name: "ProfileDeleted".into(),
        profile: profile.map(Into::into),
        json: format!("{{\"n\":{seq}}}").into_bytes(),
    }
}

fn segment(numbers: &[u64]) -> Segment {
    Segment::new(numbers.iter().map(|seq| committed(*seq, None)).collect()).unwrap()
}

fn numbers(read: Read) -> Option<Vec<u64>> {
    match read {
        Read::Behind(_) => None,
        Read::Slices(slices) => Some(
            slices
                .iter()
                .flat_map(|slice| slice.entries().iter().map(|entry| entry.seq.0))
                .collect(),
        ),
    }
}

#[test]
fn a_cursor_gets_what_follows_it_once() {
    let bus = Arc::new(Bus::new(Seq(10), 1 << 20));
    bus.append(segment(&[11, 12, 15]));
    bus.append(segment(&[16]));
    let check = |cursor: u64, expected: Option<&[u64]>| {
        let got = numbers(bus.read_after(Seq(cursor), usize::MAX));
        assert_eq!(got.as_deref(), expected, "after {cursor}");
    };
    check(9, None);
    check(10, Some(&[11, 12, 15, 16]));
    check(11, Some(&[12, 15, 16]));
    check(13, Some(&[15, 16]));
    check(15, Some(&[16]));
    check(16, Some(&[]));
    check(99, Some(&[]));
    assert_eq!(bus.head(), Seq(16));
}

#[test]
fn the_ring_is_bounded_and_says_who_is_behind() {
    let one = segment(&[11]).bytes();
    let bus = Arc::new(Bus::new(Seq(10), one * 3));
    for seq in 11..=20 {
        bus.append(segment(&[seq]));
    }
    assert_eq!(numbers(bus.read_after(Seq(16), usize::MAX)), None);
    assert_eq!(
        numbers(bus.read_after(Seq(17), usize::MAX)),
        Some(vec![18, 19, 20])
    );
}

#[test]
fn a_read_is_bounded_and_goes_on() {
    let bus = Arc::new(Bus::new(Seq(0), 1 << 20));
    for seq in 1..=5 {
        bus.append(segment(&[seq]));
    }
    assert_eq!(numbers(bus.read_after(Seq(0), 1)), Some(vec![1]));
    assert_eq!(numbers(bus.read_after(Seq(1), 1)), Some(vec![2]));
}

#[test]
fn frames_are_websocket_text_frames_with_and_without_seq() {
    let slice = Slice::whole(Arc::new(segment(&[7, 8])));
    assert_eq!(&slice.plain()[..], b"\x81\x07{\"n\":7}\x81\x07{\"n\":8}");
    assert_eq!(
        &slice.sequenced()[..],
        b"\x81\x0f{\"n\":7,\"seq\":7}\x81\x0f{\"n\":8,\"seq\":8}"
    );
    let later = Slice::after(&Arc::new(segment(&[7, 8])), Seq(7));
    assert_eq!(&later.plain()[..], b"\x81\x07{\"n\":8}");
    assert_eq!(&later.json(0, true)[..], b"{\"n\":8,\"seq\":8}");
}

#[test]
fn long_texts_have_long_headers() {
    let check = |length: usize, header: &[u8]| {
        let mut event = committed(1, None);
        event.json = vec![b'x'; length];
        let slice = Slice::whole(Arc::new(Segment::new(vec![event]).unwrap()));
        assert_eq!(&slice.plain()[..header.len()], header, "{length}");
        assert_eq!(slice.plain().len(), header.len() + length);
        assert_eq!(slice.json(0, false).len(), length);
    };
    check(125, &[0x81, 125]);
    check(126, &[0x81, 126, 0, 126]);
    check(65_535, &[0x81, 126, 0xff, 0xff]);
    check(65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
}
