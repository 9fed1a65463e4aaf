//! What is in each frame: so that a test can ask whether it was found.

use serde::{Deserialize, Serialize};

use crate::picture::{Label, Point, Rect};

/// A clip and everybody in it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    pub width: u32,
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// One for each frame of the clip.
    pub frames: Vec<Vec<TrueFace>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct TrueFace {
    /// The same in every frame of the clip.
    pub person: usize,
    /// Hairline to chin and cheek to cheek, in pixels of the frame.
    #[serde(rename = "box")]
    pub bounds: Rect,
    pub landmarks: [Point; 5],
    /// `null` while the mask is being put on.
    pub label: Option<Label>,
    /// The whole face is in the picture, with nothing in front of it.
    pub whole: bool,
}

impl TrueFace {
    pub fn new(
        person: usize,
        bounds: Rect,
        landmarks: [Point; 5],
        label: Option<Label>,
        whole: bool,
    ) -> Self {
        let tenth = |v: f32| (v * 10.0).round() / 10.0;
        let bounds = Rect {
            x1: tenth(bounds.x1),
            y1: tenth(bounds.y1),
            x2: tenth(bounds.x2),
            y2: tenth(bounds.y2),
        };
        let landmarks = landmarks.map(|p| Point { x: tenth(p.x), y: tenth(p.y) });
        Self { person, bounds, landmarks, label, whole }
    }
}

impl Truth {
    /// JSON, one line for each frame.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        let lines: Vec<String> =
            self.frames.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        let Self { width, height, fps, .. } = self;
        Ok(format!(
            "{{\"width\":{width},\"height\":{height},\"fps\":{fps},\"frames\":[\n{}\n]}}\n",
            lines.join(",\n")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_truth_reads_back_as_it_was_written() {
        let bounds = Rect { x1: 1.04, y1: 2.0, x2: 30.0, y2: 40.0 };
        let landmarks = [Point { x: 5.0, y: 6.25 }; 5];
        let face = TrueFace::new(3, bounds, landmarks, Some(Label::IncorrectMask), true);
        let truth = Truth { width: 64, height: 48, fps: 10, frames: vec![vec![], vec![face]] };
        let json = truth.json().unwrap();
        assert_eq!(serde_json::from_str::<Truth>(&json).unwrap(), truth);
        assert!(json.contains("incorrect_mask"), "{json}");
    }
}
