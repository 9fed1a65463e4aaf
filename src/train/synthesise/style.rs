//! Which mask, in which colours, worn how: drawn at random or chosen.

use std::sync::Arc;

use crate::picture::Label;
use crate::train::random::Random;

use super::cloth::{Cloth, Print, Wear};
use super::swatch::Swatch;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub enum Kind {
    Surgical,
    Cloth,
    Patterned,
    Black,
    N95,
}

impl Kind {
    pub const ALL: [Kind; 5] =
        [Kind::Surgical, Kind::Cloth, Kind::Patterned, Kind::Black, Kind::N95];
    /// How often each is met, in the order of `ALL`.
    const SHARES: [f32; 5] = [0.36, 0.2, 0.14, 0.16, 0.14];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Surgical => "surgical",
            Kind::Cloth => "cloth",
            Kind::Patterned => "patterned",
            Kind::Black => "black",
            Kind::N95 => "n95",
        }
    }
}

impl Wear {
    pub const ALL: [Wear; 6] =
        [Wear::Right, Wear::UnderNose, Wear::Chin, Wear::UnderChin, Wear::Ear, Wear::Eyes];
    /// How often each is drawn where nothing else is asked for: incorrect wear is what real
    /// pictures lack, so it makes up half.
    const SHARES: [f32; 6] = [0.42, 0.24, 0.13, 0.11, 0.05, 0.05];

    pub fn name(self) -> &'static str {
        match self {
            Wear::Right => "right",
            Wear::UnderNose => "under-nose",
            Wear::Chin => "chin",
            Wear::UnderChin => "under-chin",
            Wear::Ear => "ear",
            Wear::Eyes => "eyes",
        }
    }

    /// Whether it is pulled down from its place, where faces are narrower and cloth lies closer.
    pub fn low(self) -> bool {
        matches!(self, Wear::UnderNose | Wear::Chin | Wear::UnderChin)
    }

    /// What the classifier shall say. `incorrect_mask` is a mask that is worn with nose or chin
    /// bare, wherever it is worn; what hangs from an ear covers nothing and is not worn.
    pub fn label(self) -> Label {
        match self {
            Wear::Right => Label::WithMask,
            Wear::UnderNose | Wear::Chin | Wear::UnderChin | Wear::Eyes => Label::IncorrectMask,
            Wear::Ear => Label::WithoutMask,
        }
    }
}

/// One mask on one face.
#[derive(Clone, Debug, PartialEq)]
pub struct Style {
    pub kind: Kind,
    pub cloth: Cloth,
    /// A cloth from a picture in place of the drawn one; the cut stays.
    pub swatch: Option<Arc<Swatch>>,
    pub wear: Wear,
    /// Of the straps.
    pub strap: [f32; 3],
    /// Moved from its usual place, across and down, in eye distances.
    pub shift: [f32; 2],
    /// Of the usual size, about the middle of the mask.
    pub size: f32,
    /// Turned on the face, radians.
    pub tilt: f32,
    /// How far its upper edge is raised beside the nose, from 0 to 1.
    pub raised: f32,
}

/// What is drawn from.
#[derive(Clone, Debug, PartialEq)]
pub struct Wardrobe {
    /// Each with how often it is taken.
    pub kinds: Vec<(Kind, f32)>,
    pub wears: Vec<(Wear, f32)>,
}

impl Default for Wardrobe {
    fn default() -> Self {
        Self {
            kinds: Kind::ALL.into_iter().zip(Kind::SHARES).collect(),
            wears: Wear::ALL.into_iter().zip(Wear::SHARES).collect(),
        }
    }
}

impl Wardrobe {
    /// A random style. An empty list stands for surgical masks, or for wearing them right.
    pub fn draw(&self, random: &mut Random) -> Style {
        let kind = pick(&self.kinds, random).unwrap_or(Kind::Surgical);
        let wear = pick(&self.wears, random).unwrap_or(Wear::Right);
        Style::draw(kind, wear, random)
    }
}

impl Style {
    /// A random mask of a kind, worn in this way, somewhat out of place as people wear them.
    pub fn draw(kind: Kind, wear: Wear, random: &mut Random) -> Self {
        let cloth = cloth(kind, random);
        let strap = match cloth {
            Cloth::Sewn(rgb) | Cloth::Printed(_, rgb, _) => rgb,
            Cloth::Surgical(rgb) | Cloth::Folded(rgb) if kind == Kind::Black => rgb,
            Cloth::Cup(..) if random.chance(0.5) => [214.0, 186.0, 92.0],
            _ => [228.0, 228.0, 225.0],
        };
        // Worn right, some slip down to just above the tip of the nose. Under the nose some hang low
        // and some cover the nostrils; never the tip.
        let down = match wear {
            Wear::Right => [-0.03, 0.13],
            Wear::UnderNose => [-0.11, 0.1],
            Wear::Chin => [-0.06, 0.1],
            Wear::UnderChin => [-0.12, 0.12],
            Wear::Ear | Wear::Eyes => [-0.03, 0.05],
        };
        Self {
            kind,
            cloth,
            swatch: None,
            wear,
            strap,
            shift: [random.range(-0.03, 0.03), random.range(down[0], down[1])],
            size: random.range(0.97, 1.06),
            tilt: 0.06 * random.normal().clamp(-1.0, 1.0),
            raised: if wear == Wear::UnderNose { random.unit() } else { 0.0 },
        }
    }

    /// The same, but of the cut that most masks have and of the cloth of one in a picture.
    pub fn made_of(self, swatch: Arc<Swatch>) -> Self {
        let mean = swatch.mean();
        let strap = if self.kind == Kind::Surgical { self.strap } else { mean };
        Self { cloth: Cloth::Surgical(mean), swatch: Some(swatch), strap, ..self }
    }
}

/// One of the items, each as often as it says.
fn pick<T: Copy>(items: &[(T, f32)], random: &mut Random) -> Option<T> {
    let mut left = random.unit() * items.iter().map(|(_, share)| share).sum::<f32>();
    for (item, share) in items {
        left -= share;
        if left < 0.0 {
            return Some(*item);
        }
    }
    items.last().map(|(item, _)| *item)
}

fn cloth(kind: Kind, random: &mut Random) -> Cloth {
    let one = |colours: &[[f32; 3]], random: &mut Random| {
        let rgb = colours.get(random.below(colours.len())).copied().unwrap_or([230.0; 3]);
        // No two dyes are the same.
        let light = random.range(0.93, 1.05);
        rgb.map(|value| (value * light + random.range(-5.0, 5.0)).clamp(0.0, 250.0))
    };
    match kind {
        Kind::Surgical => Cloth::Surgical(one(&SURGICAL, random)),
        Kind::Cloth => Cloth::Sewn(one(&PLAIN, random)),
        Kind::Patterned => {
            let (ground, ink) = (one(&PLAIN, random), one(&INK, random));
            let prints =
                [Print::Stripes, Print::Dots, Print::Tartan, Print::Patches, Print::Flowers];
            match prints.get(random.below(prints.len() + 1)) {
                Some(print) => Cloth::Printed(*print, ground, ink),
                None => Cloth::Chequered(ground, ink),
            }
        }
        Kind::Black => {
            let rgb = one(&DARK, random);
            match random.below(3) {
                0 => Cloth::Surgical(rgb),
                1 => Cloth::Folded(rgb),
                _ => Cloth::Sewn(rgb),
            }
        }
        Kind::N95 if random.chance(0.45) => Cloth::Folded(one(&WHITE, random)),
        Kind::N95 => {
            let valve = random.chance(0.4).then(|| one(&VALVE, random));
            Cloth::Cup(one(&WHITE, random), valve)
        }
    }
}

/// Light blue, green, pink, white, violet and a paler blue.
const SURGICAL: [[f32; 3]; 7] = [
    [150.0, 196.0, 222.0],
    [122.0, 178.0, 214.0],
    [168.0, 212.0, 204.0],
    [150.0, 200.0, 170.0],
    [232.0, 190.0, 200.0],
    [234.0, 236.0, 236.0],
    [196.0, 184.0, 220.0],
];
/// Cottons: white, greys, navy, blues, reds, greens, sand, brown, ochre, violet, rose.
const PLAIN: [[f32; 3]; 14] = [
    [236.0, 234.0, 228.0],
    [150.0, 152.0, 156.0],
    [92.0, 96.0, 104.0],
    [38.0, 48.0, 84.0],
    [70.0, 110.0, 168.0],
    [130.0, 164.0, 190.0],
    [160.0, 44.0, 48.0],
    [206.0, 108.0, 92.0],
    [58.0, 96.0, 72.0],
    [128.0, 140.0, 96.0],
    [208.0, 190.0, 160.0],
    [122.0, 92.0, 70.0],
    [208.0, 164.0, 70.0],
    [142.0, 104.0, 150.0],
];
const INK: [[f32; 3]; 7] = [
    [244.0, 242.0, 238.0],
    [30.0, 32.0, 40.0],
    [176.0, 40.0, 48.0],
    [32.0, 60.0, 120.0],
    [230.0, 190.0, 60.0],
    [60.0, 120.0, 90.0],
    [226.0, 140.0, 160.0],
];
const DARK: [[f32; 3]; 3] = [[32.0, 32.0, 35.0], [46.0, 46.0, 50.0], [24.0, 26.0, 34.0]];
const WHITE: [[f32; 3]; 3] = [[238.0, 238.0, 235.0], [228.0, 230.0, 232.0], [232.0, 226.0, 214.0]];
const VALVE: [[f32; 3]; 3] = [[240.0, 240.0, 240.0], [120.0, 150.0, 190.0], [70.0, 72.0, 78.0]];
