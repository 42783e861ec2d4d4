use clown_events::{EventKind, Filter};

/// What may be of interest, in a form that costs next to nothing to compare: a bit for each type, and
/// one of 64 for each profile. It errs on one side only: what is of interest always meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    kinds: u32,
    profiles: u64,
}

/// Stands for all types that this version does not know: a filter may name one of them.
const UNKNOWN_KIND: u32 = 1 << 31;

/// Events of any profile, and those of none.
const ANY_PROFILE: u64 = u64::MAX;

impl Interest {
    /// Every event.
    pub const ALL: Self = Self {
        kinds: u32::MAX,
        profiles: ANY_PROFILE,
    };

    /// What `filter` may let pass.
    pub fn of(filter: &Filter) -> Self {
        let kinds = EventKind::ALL
            .into_iter()
            .filter(|kind| filter.takes_kind(*kind))
            .fold(UNKNOWN_KIND, |kinds, kind| kinds | bit_of(kind));
        let profiles = match filter.profiles() {
            [] => ANY_PROFILE,
            profiles => profiles.iter().fold(0, |bits, alias| bits | bit_for(alias)),
        };
        Self { kinds, profiles }
    }

    pub(super) fn meets(self, offer: Offer) -> bool {
        self.kinds & offer.kinds != 0
            && (self.profiles == ANY_PROFILE || self.profiles & offer.profiles != 0)
    }
}

/// What a segment holds, in the same form.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Offer {
    kinds: u32,
    profiles: u64,
}

impl Offer {
    pub(super) fn add(&mut self, kind: Option<EventKind>, profile: Option<&str>) {
        self.kinds |= kind.map_or(UNKNOWN_KIND, bit_of);
        self.profiles |= profile.map_or(0, bit_for);
    }
}

/// There are fewer types than bits, and the last bit is taken.
const _: () = assert!(EventKind::ALL.len() < 31);

fn bit_of(kind: EventKind) -> u32 {
    1 << kind.index()
}

/// The FNV-1a hash picks the bit: two profiles may share one.
fn bit_for(alias: &str) -> u64 {
    let hash = alias
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    1 << (hash >> 58)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_a_filter_always_meets_its_interest() {
        let aliases = ["work", "home", "a", "b", "lab-2"];
        let filters = [
            Filter::all(),
            Filter::none(),
            Filter::new(&["Profile*"], &[] as &[&str]).unwrap(),
            Filter::new(&["ProfileDeleted", "NotYetKnown"], &["work", "a"]).unwrap(),
            Filter::new(&["*"], &["home"]).unwrap(),
        ];
        for filter in &filters {
            let interest = Interest::of(filter);
            for kind in EventKind::ALL {
                for profile in aliases.into_iter().map(Some).chain([None]) {
                    let mut offer = Offer::default();
                    offer.add(Some(kind), profile);
                    if filter.matches(kind, profile) {
                        assert!(interest.meets(offer), "{filter:?} {kind:?} {profile:?}");
                    }
                }
            }
            let mut unknown = Offer::default();
            unknown.add(None, Some("work"));
            if filter.matches_name("NotYetKnown", Some("work")) {
                assert!(interest.meets(unknown), "{filter:?}");
            }
        }
    }

    #[test]
    fn what_is_of_no_interest_mostly_does_not_meet_it() {
        let check = |events: &[&str], profiles: &[&str], kind, profile, expected| {
            let mut offer = Offer::default();
            offer.add(Some(kind), profile);
            let interest = Interest::of(&Filter::new(events, profiles).unwrap());
            assert_eq!(
                interest.meets(offer),
                expected,
                "{events:?} {profiles:?} {kind:?}"
            );
        };
        check(
            &["Proxy*"],
            &[],
            EventKind::ProfileCreated,
            Some("work"),
            false,
        );
        check(&["Proxy*"], &[], EventKind::ProxyError, Some("work"), true);
        check(
            &["*"],
            &["home"],
            EventKind::ProfileCreated,
            Some("work"),
            false,
        );
        check(&["*"], &["home"], EventKind::DaemonStarted, None, false);
        check(&[], &[], EventKind::DaemonStarted, None, false);
        assert!(Interest::ALL.meets({
            let mut offer = Offer::default();
            offer.add(Some(EventKind::DaemonStarted), None);
            offer
        }));
    }
}
