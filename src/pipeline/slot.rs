use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Receiver, Sender, TrySendError};

use super::Shutdown;
use super::hearts::{BEAT, Heart};
use super::stage::Input;

/// Holds what vision takes next: news about the camera in their order, and after them only the
/// newest frame. A frame that is replaced unseen is dropped and counted.
#[derive(Clone, Debug)]
pub struct Slot {
    waiting: Arc<Mutex<VecDeque<Input>>>,
    dropped: Arc<AtomicU64>,
    bell: (Sender<()>, Receiver<()>),
}

impl Default for Slot {
    fn default() -> Self {
        let bell = crossbeam_channel::bounded(1);
        Self { waiting: Arc::default(), dropped: Arc::default(), bell }
    }
}

impl Slot {
    /// Puts `input` behind what waits, in the place of a frame that waits last.
    pub fn put(&self, input: Input) {
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let replaces = matches!(input, Input::Frame(_));
            if replaces && matches!(waiting.back(), Some(Input::Frame(_))) {
                waiting.pop_back();
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            waiting.push_back(input);
        }
        match self.bell.0.try_send(()) {
            // Full: it rings already.
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => {}
        }
    }

    /// The next input; waits for one, and beats `heart` while it does. `None` at the end.
    pub fn take(&self, shutdown: &Shutdown, heart: &Heart) -> Option<Input> {
        loop {
            heart.beat();
            if shutdown.is_triggered() {
                return None;
            }
            let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            if next.is_some() {
                return next;
            }
            crossbeam_channel::select! {
                recv(self.bell.1) -> _ => {}
                recv(shutdown.closed()) -> _ => {}
                default(BEAT) => {}
            }
        }
    }

    /// How many frames were replaced before anybody looked at them.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::camera::Frame;
    use crate::picture::Picture;

    fn frame(number: u64) -> Input {
        let captured_at = Duration::from_millis(number);
        Input::Frame(Frame { picture: Picture::new(1, 1), number, captured_at })
    }

    #[test]
    fn the_newest_frame_wins_and_the_older_ones_are_counted() {
        let (slot, shutdown) = (Slot::default(), Shutdown::default());
        (0..5).for_each(|number| slot.put(frame(number)));
        assert!(
            matches!(slot.take(&shutdown, &Heart::default()), Some(Input::Frame(frame)) if frame.number == 4)
        );
        assert_eq!(slot.dropped(), 4);
    }

    #[test]
    fn news_about_the_camera_are_neither_dropped_nor_overtaken() {
        let (slot, shutdown) = (Slot::default(), Shutdown::default());
        slot.put(frame(1));
        slot.put(Input::Lost(Duration::ZERO));
        slot.put(Input::Back(Duration::ZERO));
        slot.put(frame(2));
        slot.put(frame(3));
        slot.put(Input::End);
        assert!(
            matches!(slot.take(&shutdown, &Heart::default()), Some(Input::Frame(frame)) if frame.number == 1)
        );
        assert!(matches!(slot.take(&shutdown, &Heart::default()), Some(Input::Lost(_))));
        assert!(matches!(slot.take(&shutdown, &Heart::default()), Some(Input::Back(_))));
        assert!(
            matches!(slot.take(&shutdown, &Heart::default()), Some(Input::Frame(frame)) if frame.number == 3)
        );
        assert!(matches!(slot.take(&shutdown, &Heart::default()), Some(Input::End)));
    }

    #[test]
    fn a_taker_that_waits_is_woken_by_the_end() {
        let (slot, shutdown) = (Slot::default(), Shutdown::default());
        let (waiting, token) = (slot.clone(), shutdown.clone());
        let thread = std::thread::spawn(move || waiting.take(&token, &Heart::default()).is_none());
        shutdown.trigger();
        assert!(thread.join().unwrap());
    }
}
