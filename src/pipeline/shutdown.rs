use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

/// The one token that ends everything; a clone is the same token. Every wait observes it.
#[derive(Clone, Debug)]
pub struct Shutdown {
    flag: Arc<AtomicBool>,
    /// Nothing is ever sent: dropping the sender wakes all who wait.
    sender: Arc<Mutex<Option<Sender<()>>>>,
    closed: Receiver<()>,
    children: Arc<Mutex<Vec<Shutdown>>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        let (sender, closed) = crossbeam_channel::bounded(0);
        Self {
            flag: Arc::default(),
            sender: Arc::new(Mutex::new(Some(sender))),
            closed,
            children: Arc::default(),
        }
    }
}

impl Shutdown {
    /// Ends everything; a second call does nothing more.
    pub fn trigger(&self) {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        self.flag.store(true, Ordering::SeqCst);
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        children.drain(..).for_each(|child| child.trigger());
    }

    /// A token that ends with this one, or before it alone.
    pub fn child(&self) -> Self {
        let child = Self::default();
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(|child| !child.is_triggered());
        children.push(child.clone());
        drop(children);
        if self.is_triggered() {
            child.trigger();
        }
        child
    }

    pub fn is_triggered(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }

    /// Waits for `time` or the end; true when it is the end.
    pub fn wait(&self, time: Duration) -> bool {
        self.closed.recv_timeout(time) == Err(RecvTimeoutError::Disconnected)
    }

    /// Disconnected at the end: for `select!` beside other channels.
    pub fn closed(&self) -> &Receiver<()> {
        &self.closed
    }

    /// True at the end: for those who can only look at a flag.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// From now on SIGINT and SIGTERM trigger this token, and with `hang_up` SIGHUP does: a terminal
    /// that is closed must not leave a daemon behind that holds the lines.
    pub fn on_signals(&self, hang_up: bool) -> io::Result<()> {
        let signals = [SIGINT, SIGTERM].into_iter().chain(hang_up.then_some(SIGHUP));
        let mut signals = Signals::new(signals)?;
        let token = self.clone();
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in &mut signals {
                let name = low_level::signal_name(signal).unwrap_or("a signal");
                // First: a log that nobody reads any more may stand still.
                token.trigger();
                log::info!("{name}: ending");
            }
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_waits_for_long_is_woken_by_the_end() {
        let token = Shutdown::default();
        let waiting = token.clone();
        let thread = std::thread::spawn(move || waiting.wait(Duration::from_secs(3600)));
        token.trigger();
        assert!(thread.join().unwrap());
    }

    #[test]
    fn a_child_ends_with_its_parent_and_alone() {
        let parent = Shutdown::default();
        let [alone, with] = [parent.child(), parent.child()];
        alone.trigger();
        assert!(!parent.is_triggered() && !with.is_triggered());
        parent.trigger();
        assert!(with.is_triggered() && with.wait(Duration::from_secs(3600)));
        assert!(parent.child().is_triggered());
    }

    #[test]
    fn a_wait_without_an_end_comes_back() {
        assert!(!Shutdown::default().wait(Duration::from_millis(1)));
    }
}
