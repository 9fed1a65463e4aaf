//! The demo clip: people who do not exist come through a drawn door, with and without masks.
//!
//! A clip that ships must not show anybody. So every face in it is composed: the average of
//! twenty or more people (the listing of YouTube Faces frames is under the MIT licence; the
//! frames themselves stay outside), laid onto each other by five landmarks, grouped so that nobody
//! is in two faces, and set into a drawn head. Nobody can be recognised in it, and a detector
//! still finds it as it finds a face. Never: a single person's picture in the output.

pub mod align;
pub(crate) mod canvas;
mod command;
pub(crate) mod compose;
mod faces;
mod film;
mod head;
pub mod mask;
mod person;
mod scene;
mod story;
mod tables;
mod truth;

use std::fs;
use std::path::{Path, PathBuf};

use crate::picture::{Picture, Point};
use crate::train::boxes::BoxesError;
use crate::train::random::Random;

use align::Similarity;
pub use command::{Args, run};
use compose::Composed;
use film::Film;
use person::Person;
use scene::Scene;
use story::Actor;
pub use truth::{TrueFace, Truth};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    List(#[from] BoxesError),
    #[error("{path}: cannot be read as a picture: {source}")]
    Picture { path: PathBuf, source: image::ImageError },
    #[error(
        "{found} people seen from the front, in groups too small to average; list at least {needed}"
    )]
    TooFewPeople { found: usize, needed: usize },
    #[error("the story names composed face {group}; there are {groups}")]
    NoSuchFace { group: usize, groups: usize },
    #[error("a frame cannot be written as JPEG: {0}")]
    Encode(#[from] jpeg_encoder::EncodingError),
    #[error("the ground truth cannot be written: {0}")]
    Truth(#[from] serde_json::Error),
    #[error("{path}: cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
}

/// What to make, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Everything random follows from it.
    pub seed: u64,
    /// Of the JPEGs, 1 to 100.
    pub quality: u8,
    /// Standard deviation of the sensor's noise, in levels of 255.
    pub grain: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 7, quality: 43, grain: 1.2 }
    }
}

/// Composed faces, ready to be cast.
pub struct Company {
    composed: Vec<Composed>,
    /// People in the list of landmarks.
    pub listed: usize,
    /// Of these, seen from the front in at least one frame.
    pub frontal: usize,
}

impl Company {
    /// Reads the faces listed in `csv` (pictures in the folder named like it) and composes them.
    pub fn compose(csv: &Path, seed: u64) -> Result<Self, Error> {
        let chosen = faces::choose(csv)?;
        let mut aligned = Vec::with_capacity(chosen.frames.len());
        for (path, points) in &chosen.frames {
            let decoded = image::open(path)
                .map_err(|source| Error::Picture { path: path.clone(), source })?
                .to_rgb8();
            let (width, height) = decoded.dimensions();
            let picture = Picture::from_pixels(width, height, decoded.into_raw());
            aligned.extend(picture.and_then(|picture| faces::align(&picture, points)));
        }
        let composed = compose::compose(&aligned, seed)?;
        Ok(Self { composed, listed: chosen.people, frontal: aligned.len() })
    }

    /// How many people are in each composed face.
    pub fn people(&self) -> Vec<usize> {
        self.composed.iter().map(|face| face.people).collect()
    }

    fn person(&self, actor: &Actor) -> Result<Person, Error> {
        let (group, groups) = (actor.looks.group, self.composed.len());
        let face = self.composed.get(group).ok_or(Error::NoSuchFace { group, groups })?;
        let face = &face.picture;
        let tinted = person::tint(face, compose::skin(face), actor.looks.skin);
        Ok(Person::new(&tinted, actor.looks))
    }
}

/// A clip made.
pub struct Clip {
    film: Film,
    pub truth: Truth,
}

impl Clip {
    /// Motion JPEG.
    pub fn bytes(&self) -> &[u8] {
        self.film.bytes()
    }

    pub fn frames(&self) -> usize {
        self.film.frames()
    }
}

/// Shoots the whole story.
pub fn shoot(company: &Company, settings: &Settings) -> Result<Clip, Error> {
    let cast = story::cast();
    let people: Vec<Person> =
        cast.iter().map(|actor| company.person(actor)).collect::<Result<_, _>>()?;
    let scene = Scene::new();
    let mut film = Film::default();
    let mut frames = Vec::new();
    for number in 0..(story::SECONDS * story::FPS as f32) as u32 {
        let t = number as f32 / story::FPS as f32;
        let (picture, faces) = frame(&scene, &cast, &people, t, story::door(t), number, settings);
        film.push(&film::jpeg(&picture, settings.quality)?, story::FPS);
        frames.push(faces);
    }
    let (width, height) = (scene::WIDTH as u32, scene::HEIGHT as u32);
    Ok(Clip { film, truth: Truth { width, height, fps: story::FPS, frames } })
}

/// Single pictures for tests: name and JPEG.
pub fn stills(
    company: &Company,
    settings: &Settings,
) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
    let scene = Scene::new();
    let mut stills = Vec::new();
    for (name, cast) in story::stills() {
        let people: Vec<Person> =
            cast.iter().map(|actor| company.person(actor)).collect::<Result<_, _>>()?;
        let number = u32::MAX - stills.len() as u32;
        let (picture, _) = frame(&scene, &cast, &people, 0.5, 0.0, number, settings);
        stills.push((name, film::jpeg(&picture, settings.quality.max(80))?));
    }
    Ok(stills)
}

/// Writes a file, and the folder it lies in where that is missing.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.into(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(path, bytes).map_err(failed)
}

fn frame(
    scene: &Scene,
    cast: &[Actor],
    people: &[Person],
    t: f32,
    open: f32,
    number: u32,
    settings: &Settings,
) -> (Picture, Vec<TrueFace>) {
    let mut present: Vec<(usize, &Person, story::Moment)> = cast
        .iter()
        .zip(people)
        .enumerate()
        .filter_map(|(id, (actor, person))| Some((id, person, actor.moment(t)?)))
        .collect();
    present.sort_by(|a, b| a.2.pose.scale.total_cmp(&b.2.pose.scale));

    let mut layer = scene.start();
    let mut faces = Vec::new();
    let inside = present.partition_point(|(.., moment)| moment.pose.scale < scene::DOOR_SCALE);
    for (at, (id, person, moment)) in present.iter().enumerate() {
        if at == inside {
            scene.close_in(&mut layer, open);
        }
        shadow(&mut layer, &moment.pose);
        person.draw(&mut layer, &moment.pose, moment.mask.as_ref());
        let bounds = person.bounds(&moment.pose);
        let seen = if at < inside { scene::opening(open) } else { (0.0, scene::WIDTH as f32) };
        let visible = bounds.x2 > seen.0 && bounds.x1 < seen.1;
        let whole = bounds.x1 >= seen.0 && bounds.x2 <= seen.1;
        if visible {
            let landmarks = person.landmarks(&moment.pose);
            let bounds = bounds.clamped(scene::WIDTH as f32, scene::HEIGHT as f32);
            faces.push(TrueFace::new(*id, bounds, landmarks, moment.label, whole));
        }
    }
    if inside == present.len() {
        scene.close_in(&mut layer, open);
    }
    let mut random = Random::new(settings.seed).stream(u64::from(number));
    let light = 1.0 + 0.012 * (t * 1.7).sin() + 0.004 * random.normal();
    let picture = scene::expose(&layer, light, settings.grain, &mut random);
    (picture, faces)
}

/// The shadow at somebody's feet.
fn shadow(layer: &mut canvas::Layer, pose: &person::Pose) {
    let middle = Point { x: pose.eyes.x, y: story::floor(pose.scale) };
    let spot: Vec<Point> = (0..24)
        .map(|i| {
            let angle = std::f32::consts::TAU * i as f32 / 24.0;
            Point { x: 3.4 * angle.cos(), y: 0.5 * angle.sin() }
        })
        .map(|p| Similarity::new(middle, pose.scale, 0.0).apply(p))
        .collect();
    layer.fill(&spot, 0.35 * pose.scale, |_| [24.0, 20.0, 18.0, 0.4]);
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::picture::Label;

    /// A company of plain faces: skin without features.
    fn plain() -> Company {
        let face = || {
            let mut picture = Picture::new(faces::SIZE.0, faces::SIZE.1);
            picture
                .pixels_mut()
                .chunks_exact_mut(3)
                .for_each(|p| p.copy_from_slice(&[180, 140, 120]));
            Composed { picture, people: compose::LEAST_PEOPLE }
        };
        let composed = (0..compose::GROUPS).map(|_| face()).collect();
        Company { composed, listed: 160, frontal: 160 }
    }

    /// Drawn once for all tests: heads and room take most of the time.
    static STAGE: LazyLock<(Scene, Vec<Actor>, Vec<Person>)> = LazyLock::new(|| {
        let (company, cast) = (plain(), story::cast());
        let people = cast.iter().map(|actor| company.person(actor).unwrap()).collect();
        (Scene::new(), cast, people)
    });

    fn at(t: f32, seed: u64) -> (Picture, Vec<TrueFace>) {
        let (scene, cast, people) = &*STAGE;
        let settings = Settings { seed, ..Settings::default() };
        let number = (t * story::FPS as f32) as u32;
        frame(scene, cast, people, t, story::door(t), number, &settings)
    }

    /// More blue than red, as only the mask of the first and the fourth person is.
    fn blue(picture: &Picture, p: Point) -> bool {
        let [r, _, b] = picture.get(p.x as i64, p.y as i64).unwrap();
        b > r
    }

    #[test]
    fn a_seed_gives_the_same_frame_again_and_another_seed_another() {
        assert_eq!(at(5.0, 1).0, at(5.0, 1).0);
        assert_ne!(at(5.0, 1).0, at(5.0, 2).0);
    }

    #[test]
    fn the_truth_says_what_is_worn_and_where_it_shows() {
        for (t, label, nose, mouth) in [
            (5.0, Label::WithoutMask, false, false),
            (7.0, Label::WithMask, true, true),
            (18.0, Label::IncorrectMask, false, true),
        ] {
            let (picture, faces) = at(t, 1);
            let [face] = faces.as_slice() else { panic!("{} faces at {t} s", faces.len()) };
            assert_eq!(face.label, Some(label));
            assert!(face.whole && face.bounds.width() > 60.0, "{face:?}");
            assert_eq!(blue(&picture, face.landmarks[2]), nose, "nose at {t} s");
            let [.., right, left] = face.landmarks;
            let middle = Point { x: (right.x + left.x) / 2.0, y: (right.y + left.y) / 2.0 };
            assert_eq!(blue(&picture, middle), mouth, "mouth at {t} s");
        }
    }

    #[test]
    fn two_people_come_together_one_bare_and_one_masked() {
        let (_, faces) = at(12.5, 1);
        let labels: Vec<_> = faces.iter().map(|face| face.label).collect();
        assert_eq!(labels, [Some(Label::WithoutMask), Some(Label::WithMask)]);
    }

    #[test]
    fn stills_are_small_and_of_the_right_size() {
        for (name, bytes) in stills(&plain(), &Settings::default()).unwrap() {
            assert!(bytes.len() < 40_000, "{name}: {} bytes", bytes.len());
            let picture = image::load_from_memory(&bytes).unwrap();
            assert_eq!((picture.width(), picture.height()), (640, 480), "{name}");
        }
    }
}
