use std::time::Duration;

use crate::picture::Rect;

/// Part of the difference between where a face was expected and where it was seen that is taken
/// over: boxes of small faces tremble by a pixel or two.
const POSITION_GAIN: f32 = 0.75;
/// The same for the first speed, which rests on two positions only.
const FIRST_SPEED_GAIN: f32 = 0.7;
/// Seconds over which speed is averaged.
const SPEED_MEMORY: f32 = 0.2;
/// Seconds in which an unseen face is expected to slow down: people stop and turn.
const COASTING: f32 = 0.7;

/// Where a face is and how it moves: a g-h filter (Benedict and Bordner 1962) over centre and
/// size, with gains that depend on time and not on the frame rate.
#[derive(Clone, Debug)]
pub(super) struct Motion {
    /// Centre x, centre y in pixels; ln width, ln height.
    state: [f32; 4],
    /// Change of each a second.
    speed: [f32; 4],
    /// When it was seen last.
    seen: Duration,
    steps: u32,
}

impl Motion {
    pub fn new(bounds: &Rect, at: Duration) -> Self {
        Self { state: measure(bounds), speed: [0.0; 4], seen: at, steps: 0 }
    }

    /// Where the face should be at `at`.
    pub fn predict(&self, at: Duration) -> Rect {
        let [x, y, width, height] = self.predicted(at);
        let (half_width, half_height) = (width.exp() / 2.0, height.exp() / 2.0);
        Rect { x1: x - half_width, y1: y - half_height, x2: x + half_width, y2: y + half_height }
    }

    pub fn seen(&self) -> Duration {
        self.seen
    }

    /// Whether the speed rests on more than two positions.
    pub fn is_steady(&self) -> bool {
        self.steps >= 2
    }

    /// Takes in where the face was seen.
    pub fn update(&mut self, bounds: &Rect, at: Duration) {
        let elapsed = at.saturating_sub(self.seen).as_secs_f32();
        let expected = self.predicted(at);
        let seen = measure(bounds);
        let gain =
            if self.steps == 0 { FIRST_SPEED_GAIN } else { 1.0 - (-elapsed / SPEED_MEMORY).exp() };
        for i in 0..4 {
            let surprise = seen[i] - expected[i];
            self.state[i] = expected[i] + POSITION_GAIN * surprise;
            if elapsed > 0.0 {
                self.speed[i] += gain * surprise / elapsed;
            }
        }
        self.seen = at;
        self.steps = self.steps.saturating_add(1);
    }

    fn predicted(&self, at: Duration) -> [f32; 4] {
        let elapsed = at.saturating_sub(self.seen).as_secs_f32();
        // The way covered by a speed that dies away.
        let way = COASTING * (1.0 - (-elapsed / COASTING).exp());
        let mut state = self.state;
        for (value, speed) in state.iter_mut().zip(self.speed) {
            *value += way * speed;
        }
        // Somebody unseen does not grow without limit.
        for (value, last) in state.iter_mut().zip(self.state).skip(2) {
            *value = value.clamp(last - 0.5, last + 0.5);
        }
        state
    }
}

fn measure(bounds: &Rect) -> [f32; 4] {
    let center = bounds.center();
    [center.x, center.y, bounds.width().max(1.0).ln(), bounds.height().max(1.0).ln()]
}

/// How far apart two faces are: between their centres, in face sizes (the mean of both; a face's
/// size is the square root of its area). While boxes overlap this orders pairs as IoU does, and
/// it goes on where a small face has moved by more than its width and IoU is 0 for every pair.
pub(super) fn distance(a: &Rect, b: &Rect) -> f32 {
    let (from, to) = (a.center(), b.center());
    let size = (a.area().sqrt() + b.area().sqrt()) / 2.0;
    (to.x - from.x).hypot(to.y - from.y) / size.max(1.0)
}

/// How many times larger the larger of two faces is, 1 or more.
pub(super) fn size_ratio(a: &Rect, b: &Rect) -> f32 {
    let (a, b) = (a.area().sqrt().max(1.0), b.area().sqrt().max(1.0));
    (a / b).max(b / a)
}

/// The part of the smaller face that the other covers, 0 to 1.
pub(super) fn overlap(a: &Rect, b: &Rect) -> f32 {
    let smaller = a.area().min(b.area());
    if smaller > 0.0 { a.intersect(b).area() / smaller } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(x: f32, y: f32, size: f32) -> Rect {
        Rect { x1: x, y1: y, x2: x + size, y2: y + size }
    }

    #[test]
    fn a_steady_walk_is_foreseen_at_any_frame_rate() {
        for fps in [5, 12, 25] {
            let at = |frame: u32| Duration::from_secs(1) * frame / fps;
            let position = |frame: u32| face(120.0 * at(frame).as_secs_f32(), 50.0, 20.0);
            let mut motion = Motion::new(&position(0), at(0));
            for frame in 1..fps * 2 {
                motion.update(&position(frame), at(frame));
            }
            let next = fps * 2;
            let missed = distance(&motion.predict(at(next)), &position(next));
            assert!(missed < 0.25, "{missed} face widths off at {fps} fps");
        }
    }

    #[test]
    fn an_unseen_face_slows_down_instead_of_running_off() {
        let mut motion = Motion::new(&face(0.0, 0.0, 20.0), Duration::ZERO);
        for frame in 1..10_u32 {
            motion
                .update(&face(10.0 * frame as f32, 0.0, 20.0), Duration::from_millis(100) * frame);
        }
        let later = motion.predict(Duration::from_secs(60)).center().x;
        assert!(later < 90.0 + 100.0, "{later}");
    }
}
