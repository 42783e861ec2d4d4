//! One sync at a time; who wants the same as the one under way gets its answer.

use super::error::RegistryError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How many may wait: each of them holds a thread.
const MAX_WAITING: usize = 16;

/// Whose turn it is. `A` is what is asked for, `D` what comes of it.
#[derive(Debug)]
pub(super) struct Turns<A, D> {
    current: Mutex<Option<Arc<Turn<A, D>>>>,
    waiting: AtomicUsize,
}

#[derive(Debug)]
struct Turn<A, D> {
    /// None for what nobody can join.
    asked: Option<A>,
    done: Mutex<Option<Answer<D>>>,
    ended: Condvar,
}

pub(super) type Answer<D> = Result<D, Arc<RegistryError>>;

impl<A, D> Default for Turns<A, D> {
    fn default() -> Self {
        Self {
            current: Mutex::new(None),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl<A: PartialEq, D: Clone> Turns<A, D> {
    /// Does `work` when nothing else is being done, or takes the answer of the same work that is
    /// under way. `asked` is None for work that is done for this caller alone.
    pub fn take(
        &self,
        asked: Option<A>,
        work: impl FnOnce() -> Result<D, RegistryError>,
    ) -> Answer<D> {
        let mut asked = asked;
        loop {
            let current = {
                let mut current = lock(&self.current);
                match &*current {
                    Some(turn) => Arc::clone(turn),
                    None => {
                        let turn = Arc::new(Turn {
                            asked: asked.take(),
                            done: Mutex::new(None),
                            ended: Condvar::new(),
                        });
                        *current = Some(Arc::clone(&turn));
                        drop(current);
                        return self.lead(&turn, work);
                    }
                }
            };
            let answer = self.wait(&current)?;
            if asked.is_some() && current.asked == asked {
                return answer;
            }
        }
    }

    fn lead(
        &self,
        turn: &Turn<A, D>,
        work: impl FnOnce() -> Result<D, RegistryError>,
    ) -> Answer<D> {
        // A panic has been printed already; whoever waits must not wait for ever.
        let answer = catch_unwind(AssertUnwindSafe(work))
            .unwrap_or(Err(RegistryError::Broken))
            .map_err(Arc::new);
        *lock(&self.current) = None;
        *lock(&turn.done) = Some(answer.clone());
        turn.ended.notify_all();
        answer
    }

    fn wait(&self, turn: &Turn<A, D>) -> Result<Answer<D>, Arc<RegistryError>> {
        let limit = |waiting| (waiting < MAX_WAITING).then_some(waiting + 1);
        if self
            .waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, limit)
            .is_err()
        {
            return Err(Arc::new(RegistryError::Busy));
        }
        let mut done = lock(&turn.done);
        let answer = loop {
            match &*done {
                Some(answer) => break answer.clone(),
                None => {
                    done = turn
                        .ended
                        .wait(done)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Ok(answer)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn the_same_is_done_once_and_another_afterwards() {
        let turns: Turns<&str, u32> = Turns::default();
        let (begun, has_begun) = channel();
        let (go, may_go) = channel::<()>();
        let waits = |number: usize| {
            while turns.waiting.load(Ordering::Relaxed) < number {
                std::thread::yield_now();
            }
        };
        std::thread::scope(|scope| {
            let first = scope.spawn(|| {
                turns.take(Some("a"), move || {
                    begun.send(()).unwrap();
                    may_go.recv().unwrap();
                    Ok(1)
                })
            });
            has_begun.recv().unwrap();
            let same = scope.spawn(|| turns.take(Some("a"), || panic!("it joins")));
            waits(1);
            let other = scope.spawn(|| turns.take(Some("b"), || Ok(2)));
            waits(2);
            let alone = scope.spawn(|| turns.take(None, || Ok(3)));
            waits(3);
            go.send(()).unwrap();
            assert_eq!(first.join().unwrap().unwrap(), 1);
            assert_eq!(same.join().unwrap().unwrap(), 1);
            assert_eq!(other.join().unwrap().unwrap(), 2);
            assert_eq!(alone.join().unwrap().unwrap(), 3);
        });
    }

    #[test]
    fn a_panic_is_an_error_and_the_next_one_has_its_turn() {
        let turns: Turns<&str, u32> = Turns::default();
        assert!(turns.take(Some("a"), || panic!("on purpose")).is_err());
        assert_eq!(turns.take(Some("a"), || Ok(1)).unwrap(), 1);
    }
}
