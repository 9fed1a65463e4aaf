use std::time::Duration;

/// When a face is a person, how long one is followed unseen, and what a verdict needs.
/// Defaults and ranges: [`crate::config::Tracking`].
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Looks after which a face counts as a person, 1 or more.
    pub confirm_looks: u32,
    /// A weaker detection continues a track but starts none, 0 to 1.
    pub new_score: f32,
    /// How long a person is followed without being seen.
    pub occlusion: Duration,
    /// Narrowest face that counts towards a verdict, in pixels of the frame.
    pub min_face: f32,
    /// Least sharpness that counts towards a verdict, 0 to 1.
    pub min_sharpness: f32,
    /// Furthest turned head that counts towards a verdict, in degrees from frontal.
    pub max_yaw: f32,
    /// Good looks before a first verdict, 1 or more.
    pub min_looks: u32,
    /// Time these looks must span at least.
    pub min_span: Duration,
    /// Confidence that gives or changes a verdict, above 0.5 and below 1.
    pub confidence: f32,
    /// Whether a mask under nose or chin counts as right.
    pub incorrect_is_right: bool,
    /// Time after which a look counts half, not zero.
    pub half_life: Duration,
}
