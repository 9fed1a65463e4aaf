//! Between the thread that reads a pipe and the one that wants its frames: the newest frame and no
//! other, so that memory is bounded however fast it writes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::frames::Undecoded;

/// Why no frame follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The stream is at its end.
    End,
    /// What is written is not read: why.
    Unread(String),
}

pub(super) enum Letter {
    /// With its number in the stream, broken ones counted too.
    Frame(u64, Undecoded),
    Over(Over),
}

#[derive(Debug, Default)]
struct State {
    kind: Option<String>,
    newest: Option<(u64, Undecoded)>,
    seen: u64,
    broken: u64,
    over: Option<Over>,
    closed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    bell: Condvar,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is known what comes.
    pub(super) fn begin(&self, kind: String) {
        self.lock().kind = Some(kind);
    }

    /// In the place of the one that waits, if any.
    pub(super) fn put(&self, frame: Undecoded) {
        let mut state = self.lock();
        state.newest = Some((state.seen, frame));
        state.seen += 1;
        self.bell.notify_one();
    }

    /// How many there are then.
    pub(super) fn count_broken(&self) -> u64 {
        let mut state = self.lock();
        state.seen += 1;
        state.broken += 1;
        state.broken
    }

    pub(super) fn end(&self, over: Over) {
        self.lock().over = Some(over);
        self.bell.notify_one();
    }

    /// Nobody takes frames any more.
    pub(super) fn close(&self) {
        self.lock().closed = true;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The frame that waits, or comes within `wait`; behind the last one, why there is none.
    pub(super) fn take(&self, wait: Duration) -> Option<Letter> {
        let state = self.lock();
        let (mut state, _) = self
            .bell
            .wait_timeout_while(state, wait, |state| state.newest.is_none() && state.over.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        match state.newest.take() {
            Some((number, frame)) => Some(Letter::Frame(number, frame)),
            None => state.over.clone().map(Letter::Over),
        }
    }

    /// Frames that came by.
    pub(super) fn seen(&self) -> u64 {
        self.lock().seen
    }

    pub(super) fn broken(&self) -> u64 {
        self.lock().broken
    }

    pub(super) fn kind(&self) -> Option<String> {
        self.lock().kind.clone()
    }
}
