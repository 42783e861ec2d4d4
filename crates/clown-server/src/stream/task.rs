//! A stream's future, which its task polls, and whoever has just committed something for it.

use clown_core::bus::{Deliver, Hook};
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError, Weak};
use std::task::{Context, Poll, Waker};
use tokio::runtime::Handle;

/// A future that two may poll, one at a time.
struct Task {
    /// `None` behind its end.
    future: Mutex<Option<Boxed>>,
    /// The task's own, from its first poll on.
    waker: OnceLock<Waker>,
    runtime: Handle,
}

type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs `future` as a task, and lets what `hook` listens for be delivered to it at once.
pub(super) fn spawn(future: impl Future<Output = ()> + Send + 'static, hook: Hook) {
    let task = Arc::new(Task {
        future: Mutex::new(Some(Box::pin(future))),
        waker: OnceLock::new(),
        runtime: Handle::current(),
    });
    let deliver: Weak<Task> = Arc::downgrade(&task);
    hook.set(deliver);
    tokio::spawn(poll_fn(move |context| {
        // Whoever delivers polls with the same one, so that it is this task that is woken later.
        task.waker.get_or_init(|| context.waker().clone());
        // Held by a delivery at most, which waits for nothing.
        let mut future = task.future.lock().unwrap_or_else(PoisonError::into_inner);
        poll(&mut future, context)
    }));
}

fn poll(future: &mut Option<Boxed>, context: &mut Context<'_>) -> Poll<()> {
    let Some(running) = future else {
        return Poll::Ready(());
    };
    let polled = running.as_mut().poll(context);
    if polled.is_ready() {
        *future = None;
    }
    polled
}

impl Deliver for Task {
    fn deliver(&self) {
        // Before its first poll it needs no news: it looks for itself.
        let Some(waker) = self.waker.get() else {
            return;
        };
        let mut future = match self.future.try_lock() {
            Ok(future) => future,
            // Its task is at it, and may have looked already.
            Err(TryLockError::WouldBlock) => return waker.wake_by_ref(),
            Err(TryLockError::Poisoned(poison)) => poison.into_inner(),
        };
        let _runtime = self.runtime.enter();
        let mut context = Context::from_waker(waker);
        // A panic is the stream's, not the commit's.
        let polled = catch_unwind(AssertUnwindSafe(|| poll(&mut future, &mut context)));
        if !matches!(polled, Ok(Poll::Pending)) {
            *future = None;
            waker.wake_by_ref();
        }
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Task").finish_non_exhaustive()
    }
}
