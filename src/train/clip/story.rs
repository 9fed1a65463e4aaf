//! Who comes through the door, when, and with what on the face.

use crate::picture::{Label, Point};

use super::head::Hair;
use super::mask::{Cloth, Style, Wear};
use super::person::{Coat, HEIGHT, Looks, Pose};
use super::scene::{DOOR_SCALE, EYES_BELOW, HORIZON, WIDTH};

/// Frames a second.
pub const FPS: u32 = 10;
/// Length of the clip, in seconds.
pub const SECONDS: f32 = 26.4;

const BLUE: Cloth = Cloth::Surgical([150.0, 192.0, 218.0]);
const WHITE: Cloth = Cloth::Folded([232.0, 231.0, 227.0]);
const BLACK: Cloth = Cloth::Sewn([48.0, 48.0, 54.0]);
const CHEQUERED: Cloth = Cloth::Chequered([84.0, 122.0, 132.0], [122.0, 158.0, 164.0]);

/// Seconds a mask takes to come up over the face.
const PUTTING_ON: f32 = 0.5;

/// How somebody moves to the next place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// Comes walking and slows down.
    Arrive,
    Stand,
    /// Sets off.
    Leave,
}

/// A place on the way: seconds into the clip, pixels from the left edge, pixels between the
/// eyes; and how it is reached.
struct Stop {
    at: f32,
    x: f32,
    scale: f32,
    pace: Pace,
}

const fn stop(at: f32, x: f32, scale: f32, pace: Pace) -> Stop {
    Stop { at, x, scale, pace }
}

/// Somebody in the clip.
pub struct Actor {
    pub looks: Looks,
    mask: Option<(Cloth, Wear)>,
    /// Seconds into the clip; before, the face is bare.
    masked_from: f32,
    way: Vec<Stop>,
    /// Makes no two people sway alike.
    phase: f32,
}

/// Where an actor is at a moment, and what is worn.
pub struct Moment {
    pub pose: Pose,
    pub mask: Option<Style>,
    /// `None` while the mask is being put on.
    pub label: Option<Label>,
}

impl Actor {
    /// `None` before the first stop and after the last.
    pub fn moment(&self, t: f32) -> Option<Moment> {
        let (from, to) = self
            .way
            .windows(2)
            .map(|pair| (&pair[0], &pair[1]))
            .find(|(from, to)| (from.at..to.at).contains(&t))?;
        let share = (t - from.at) / (to.at - from.at);
        let (eased, walking) = match to.pace {
            Pace::Arrive => (1.0 - (1.0 - share).powf(1.6), (1.0 - share).powf(0.6)),
            Pace::Stand => (share * share * (3.0 - 2.0 * share), 0.0),
            Pace::Leave => (share.powf(1.6), share.powf(0.6)),
        };
        // People walk evenly on the floor, and there depth is one over scale.
        let depth = (1.0 - eased) / from.scale + eased / to.scale;
        let centre = WIDTH as f32 / 2.0;
        let across =
            (1.0 - eased) * (from.x - centre) / from.scale + eased * (to.x - centre) / to.scale;
        let stride = t * 5.6 + self.phase;
        let scale = 1.0 / depth * (1.0 + 0.006 * (t * 2.3 + self.phase).sin());
        let bob = 0.10 * walking * stride.sin().abs() + 0.012 * (t * 1.9 + self.phase).sin();
        let sway = 0.09 * walking * stride.sin() + 0.05 * (t * 1.3 + self.phase).sin();
        let eyes =
            Point { x: centre + (across + sway) * scale, y: HORIZON + (EYES_BELOW - bob) * scale };
        let roll = 0.03 * walking * (stride + 0.6).sin() + 0.035 * (t * 0.9 + self.phase).sin();
        let indoors = 1.0 + 0.05 * (t * 0.8 + self.phase).sin();
        let light = if scale < DOOR_SCALE { 0.94 } else { indoors };
        let pose = Pose { eyes, scale, roll, stride, walking, light };
        let (mask, label) = self.worn(t);
        Some(Moment { pose, mask, label })
    }

    fn worn(&self, t: f32) -> (Option<Style>, Option<Label>) {
        let Some((cloth, wear)) = self.mask.filter(|_| t >= self.masked_from) else {
            return (None, Some(Label::WithoutMask));
        };
        let done = ((t - self.masked_from) / PUTTING_ON).clamp(0.0, 1.0);
        let style = Style {
            dropped: 1.3 * (1.0 - done).powf(1.4),
            opacity: (done * 3.0).min(1.0),
            ..Style::new(cloth, wear)
        };
        let label = wear.label();
        (Some(style), (done >= 1.0).then_some(label))
    }
}

/// How far the door is open at a moment, 0 to 1.
pub fn door(t: f32) -> f32 {
    const MOVES: f32 = 0.6;
    // When it starts to open, and to close.
    [(1.7, 3.4), (8.4, 10.4), (14.5, 16.1), (19.7, 21.7)]
        .into_iter()
        .map(|(opens, closes)| {
            let ease = |from: f32| super::canvas::ramp(from, from + MOVES, t);
            ease(opens) - ease(closes)
        })
        .fold(0.0, f32::max)
}

/// Row of the picture where somebody of this scale stands.
pub fn floor(scale: f32) -> f32 {
    HORIZON + (EYES_BELOW + HEIGHT) * scale
}

/// Everybody, in the order of coming.
pub fn cast() -> Vec<Actor> {
    use Pace::{Arrive, Leave, Stand};
    let mut cast = vec![
        // Comes bare, puts a mask on, goes.
        Actor {
            looks: LOOKS[0],
            mask: Some((BLUE, Wear::Right)),
            masked_from: 6.0,
            way: vec![
                stop(2.0, 326.0, 11.0, Arrive),
                stop(4.6, 312.0, 60.0, Arrive),
                stop(7.8, 322.0, 63.0, Stand),
                stop(8.7, -190.0, 92.0, Leave),
            ],
            phase: 0.0,
        },
        // Two together: one bare, one masked.
        Actor {
            looks: LOOKS[1],
            mask: None,
            masked_from: 0.0,
            way: vec![
                stop(8.8, 282.0, 11.0, Arrive),
                stop(11.4, 204.0, 50.0, Arrive),
                stop(13.7, 210.0, 52.0, Stand),
                stop(14.6, -190.0, 84.0, Leave),
            ],
            phase: 1.1,
        },
        Actor {
            looks: LOOKS[2],
            mask: Some((WHITE, Wear::Right)),
            masked_from: 0.0,
            way: vec![
                stop(9.0, 372.0, 10.8, Arrive),
                stop(11.6, 436.0, 51.0, Arrive),
                stop(13.8, 430.0, 53.0, Stand),
                stop(14.7, 830.0, 86.0, Leave),
            ],
            phase: 2.3,
        },
        // The mask under the nose.
        Actor {
            looks: LOOKS[3],
            mask: Some((BLUE, Wear::UnderNose)),
            masked_from: 0.0,
            way: vec![
                stop(14.8, 312.0, 11.0, Arrive),
                stop(17.2, 332.0, 60.0, Arrive),
                stop(19.1, 324.0, 62.0, Stand),
                stop(20.0, 850.0, 92.0, Leave),
            ],
            phase: 3.2,
        },
        // Two masked people.
        Actor {
            looks: LOOKS[4],
            mask: Some((BLACK, Wear::Right)),
            masked_from: 0.0,
            way: vec![
                stop(20.0, 366.0, 11.0, Arrive),
                stop(22.3, 424.0, 47.0, Arrive),
                stop(23.4, 420.0, 48.0, Stand),
                stop(24.3, 830.0, 86.0, Leave),
            ],
            phase: 4.4,
        },
        Actor {
            looks: LOOKS[5],
            mask: Some((CHEQUERED, Wear::Right)),
            masked_from: 0.0,
            way: vec![
                stop(20.2, 286.0, 10.6, Arrive),
                stop(22.4, 208.0, 44.0, Arrive),
                stop(23.4, 212.0, 46.0, Stand),
                stop(24.3, -190.0, 84.0, Leave),
            ],
            phase: 5.5,
        },
    ];
    for actor in &mut cast {
        // A mask that is on from the start is not seen being put on.
        if actor.masked_from == 0.0 {
            actor.masked_from = f32::MIN;
        }
    }
    cast
}

/// Somebody standing at the door, for a still.
pub fn standing(looks: Looks, mask: Option<(Cloth, Wear)>, x: f32, scale: f32) -> Actor {
    let way = vec![stop(0.0, x, scale, Pace::Stand), stop(1.0, x, scale, Pace::Stand)];
    Actor { looks, mask, masked_from: f32::MIN, way, phase: x }
}

/// The stills: name, and who stands in it.
pub fn stills() -> Vec<(&'static str, Vec<Actor>)> {
    vec![
        ("empty_door", vec![]),
        ("bare_face", vec![standing(LOOKS[6], None, 316.0, 54.0)]),
        ("masked_face", vec![standing(LOOKS[7], Some((BLUE, Wear::Right)), 330.0, 54.0)]),
        ("under_nose", vec![standing(LOOKS[2], Some((WHITE, Wear::UnderNose)), 322.0, 54.0)]),
        (
            "two_people",
            vec![
                standing(LOOKS[5], None, 214.0, 46.0),
                standing(LOOKS[3], Some((BLACK, Wear::Right)), 428.0, 48.0),
            ],
        ),
    ]
}

/// How each composed face is dressed.
const LOOKS: [Looks; 8] = [
    Looks {
        group: 5,
        skin: [186.0, 142.0, 116.0],
        width: 1.0,
        hair: Hair::Short,
        hair_colour: [74.0, 54.0, 38.0],
        coat: Coat::Parka,
        coat_colour: [58.0, 82.0, 70.0],
        under_colour: [44.0, 62.0, 54.0],
        trousers: [58.0, 62.0, 78.0],
    },
    Looks {
        group: 1,
        skin: [134.0, 90.0, 68.0],
        width: 0.97,
        hair: Hair::Long,
        hair_colour: [38.0, 28.0, 24.0],
        coat: Coat::Jumper,
        coat_colour: [186.0, 152.0, 78.0],
        under_colour: [166.0, 132.0, 64.0],
        trousers: [48.0, 46.0, 52.0],
    },
    Looks {
        group: 2,
        skin: [196.0, 156.0, 134.0],
        width: 1.05,
        hair: Hair::Receding,
        hair_colour: [148.0, 144.0, 138.0],
        coat: Coat::Jacket,
        coat_colour: [62.0, 68.0, 84.0],
        under_colour: [206.0, 210.0, 216.0],
        trousers: [56.0, 60.0, 72.0],
    },
    Looks {
        group: 0,
        skin: [150.0, 108.0, 82.0],
        width: 1.04,
        hair: Hair::Short,
        hair_colour: [36.0, 32.0, 30.0],
        coat: Coat::Jumper,
        coat_colour: [124.0, 56.0, 54.0],
        under_colour: [96.0, 44.0, 44.0],
        trousers: [70.0, 72.0, 80.0],
    },
    Looks {
        group: 7,
        skin: [204.0, 160.0, 136.0],
        width: 1.02,
        hair: Hair::Short,
        hair_colour: [150.0, 118.0, 76.0],
        coat: Coat::Jacket,
        coat_colour: [98.0, 92.0, 84.0],
        under_colour: [120.0, 144.0, 168.0],
        trousers: [60.0, 58.0, 56.0],
    },
    Looks {
        group: 6,
        skin: [190.0, 144.0, 112.0],
        width: 0.96,
        hair: Hair::Bob,
        hair_colour: [112.0, 62.0, 38.0],
        coat: Coat::Parka,
        coat_colour: [92.0, 84.0, 116.0],
        under_colour: [70.0, 64.0, 92.0],
        trousers: [44.0, 50.0, 66.0],
    },
    Looks {
        group: 4,
        skin: [188.0, 148.0, 128.0],
        width: 1.03,
        hair: Hair::Short,
        hair_colour: [118.0, 114.0, 110.0],
        coat: Coat::Jumper,
        coat_colour: [74.0, 96.0, 122.0],
        under_colour: [214.0, 214.0, 214.0],
        trousers: [72.0, 66.0, 60.0],
    },
    Looks {
        group: 3,
        skin: [142.0, 102.0, 80.0],
        width: 0.99,
        hair: Hair::Bob,
        hair_colour: [32.0, 26.0, 24.0],
        coat: Coat::Jacket,
        coat_colour: [122.0, 90.0, 72.0],
        under_colour: [220.0, 214.0, 202.0],
        trousers: [50.0, 52.0, 60.0],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_is_empty_at_both_ends_of_the_story() {
        let cast = cast();
        for tenths in (0..20).chain(244..264) {
            let t = tenths as f32 / 10.0;
            assert!(cast.iter().all(|actor| actor.moment(t).is_none()), "somebody at {t} s");
        }
    }

    #[test]
    fn everybody_comes_near_enough_for_two_seconds_in_each_state() {
        let frames = (SECONDS * FPS as f32) as usize;
        let near = |actor: &Actor, label: Label| {
            (0..frames)
                .filter_map(|frame| actor.moment(frame as f32 / FPS as f32))
                .filter(|moment| moment.label == Some(label) && moment.pose.scale > 33.0)
                .count()
        };
        let seen: Vec<[usize; 3]> =
            cast().iter().map(|actor| Label::ALL.map(|label| near(actor, label))).collect();
        assert!(seen[0][0] >= 20 && seen[0][1] >= 20, "{seen:?}");
        assert!(seen[1][1] >= 20 && seen[2][0] >= 20 && seen[3][2] >= 20, "{seen:?}");
        assert!(seen[4][0] >= 20 && seen[5][0] >= 20, "{seen:?}");
    }

    #[test]
    fn nobody_walks_through_a_closed_door() {
        for actor in cast() {
            for frame in 0..(SECONDS * FPS as f32) as usize {
                let t = frame as f32 / FPS as f32;
                if let Some(moment) = actor.moment(t)
                    && (DOOR_SCALE * 0.95..DOOR_SCALE * 1.4).contains(&moment.pose.scale)
                {
                    assert!(door(t) > 0.7, "at {t} s the door is open by {}", door(t));
                }
            }
        }
    }
}
