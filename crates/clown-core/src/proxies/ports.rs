//! Which ports are tried.

use std::collections::BTreeSet;

/// Where an instance is to listen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PortWish {
    /// On the first that is free, from the usual one on.
    #[default]
    Usual,
    /// On any free one.
    Any,
    /// On this one and no other.
    Fixed(u16),
}

/// How many ports are tried before it is given up.
const TRIES: u16 = 64;

/// The ports to try, the best first; 0 is any free one. `last` is where the profile's last instance
/// listened, which its agents still know; `taken` is where other profiles' listen.
pub(super) fn candidates(
    wish: PortWish,
    last: Option<u16>,
    first: u16,
    taken: &BTreeSet<u16>,
) -> Vec<u16> {
    let last = last.filter(|last| !taken.contains(last));
    match wish {
        PortWish::Fixed(port) => vec![port],
        PortWish::Any => last.into_iter().chain([0]).collect(),
        PortWish::Usual if first == 0 => last.into_iter().chain([0]).collect(),
        PortWish::Usual => {
            let usual = (first..=first.saturating_add(TRIES)).filter(|port| !taken.contains(port));
            let others = usual.filter(|port| Some(*port) != last);
            last.into_iter().chain(others).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_first() {
        let check =
            |wish: PortWish, last: Option<u16>, first: u16, taken: &[u16], expected: &[u16]| {
                let taken = taken.iter().copied().collect();
                let found = candidates(wish, last, first, &taken);
                assert_eq!(found[..expected.len()], *expected, "{wish:?} {last:?}");
            };
        let usual = PortWish::Usual;
        check(usual, None, 8081, &[], &[8081, 8082]);
        check(usual, None, 8081, &[8081, 8083], &[8082, 8084]);
        check(usual, Some(8083), 8081, &[], &[8083, 8081, 8082, 8084]);
        check(usual, Some(8081), 8081, &[8081], &[8082]);
        check(usual, Some(8083), 0, &[], &[8083, 0]);
        check(PortWish::Any, None, 8081, &[], &[0]);
        check(PortWish::Any, Some(40_000), 8081, &[], &[40_000, 0]);
        check(PortWish::Fixed(9), Some(8), 8081, &[9], &[9]);
        assert_eq!(
            candidates(PortWish::Fixed(9), None, 1, &BTreeSet::new()),
            [9]
        );
        let last = candidates(usual, None, u16::MAX, &BTreeSet::new());
        assert_eq!(last, [u16::MAX]);
    }
}
