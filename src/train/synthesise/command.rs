//! `maskgate-train synthesise`.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};
use rayon::prelude::*;

use super::find::{self, Finder, Source};
use super::{
    Cutout, Extra, Held, Kind, NARROWEST, Swatch, Wardrobe, Wear, add, draw, hands, share, steps,
};
use crate::picture::{Label, Picture, Rect};
use crate::train::WrongUse;
use crate::train::boxes::{self, Annotation};
use crate::train::fit;
use crate::train::pictures;
use crate::train::progress::Meter;
use crate::train::random::Random;
use crate::train::sheet::{self, Tile};
use crate::vision::crop;

/// On which pictures to draw which masks.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Bare faces: a folder of pictures, in which the detector finds them, or boxes with five
    /// landmarks as `faces.csv` (pictures in `faces/`) or `FOLDER=faces.csv`
    #[arg(long, required = true, num_args = 1.., value_name = "DIR|CSV")]
    pub bare: Vec<String>,
    /// Detector file for folders; the built-in one where none is given
    #[arg(long, value_name = "FILE")]
    pub detector: Option<PathBuf>,
    /// Folder for the pictures, empty or new; the boxes go beside it as `<folder>.csv`
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Only masks of these kinds, evenly
    #[arg(long, num_args = 1.., value_name = "KIND")]
    pub kind: Vec<Kind>,
    /// Only worn in these ways, evenly
    #[arg(long, num_args = 1.., value_name = "WAY")]
    pub wear: Vec<Wear>,
    /// Masked faces whose masks are worn in place of drawn ones, as a folder or boxes as with --bare
    #[arg(long, num_args = 1.., value_name = "DIR|CSV", conflicts_with = "kind")]
    pub masked: Vec<String>,
    /// How many of the faces get a beard in place of a mask, 0 to 1
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub beards: f32,
    /// How many of the others get a scarf, a collar or a high neck in place of a mask, 0 to 1
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub scarves: f32,
    /// How many of the others get glasses, mostly dark ones, in place of a mask, 0 to 1
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub glasses: f32,
    /// How many of the others get a hand, or a hand with a cup, before the mouth, 0 to 1
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub hands: f32,
    /// Outlines of hands in photographs, which these hands are cut out of instead of drawn, as
    /// `hands.csv` (pictures in `hands/`) or `FOLDER=hands.csv`; columns image and outline (x y x y …)
    #[arg(long, value_name = "CSV", requires = "hands")]
    pub hand_outlines: Option<String>,
    /// Pictures made from each picture
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub variants: u32,
    /// The same seed gives the same files
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// JPEG quality, 1 to 100
    #[arg(long, default_value_t = 92, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: u8,
    /// Folder for pictures of the five steps of each face
    #[arg(long, value_name = "DIR")]
    pub steps: Option<PathBuf>,
    /// Contact sheet (PNG) of the first 80 faces, to look at
    #[arg(long, value_name = "FILE")]
    pub sheet: Option<PathBuf>,
}

impl Args {
    /// What was asked for.
    fn wardrobe(&self) -> Wardrobe {
        let usual = Wardrobe::default();
        let even = |count: usize| 1.0 / count as f32;
        Wardrobe {
            kinds: match self.kind.len() {
                0 => usual.kinds,
                count => self.kind.iter().map(|kind| (*kind, even(count))).collect(),
            },
            wears: match self.wear.len() {
                0 => usual.wears,
                count => self.wear.iter().map(|wear| (*wear, even(count))).collect(),
            },
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    pub pictures: usize,
    /// Faces that got a mask, by label.
    pub drawn: BTreeMap<Label, usize>,
    /// Faces in these pictures that got none: too small, turned away, without landmarks, marked
    /// as masked.
    pub left: usize,
    pub unreadable: usize,
    /// Rows and pictures of a CSV, and folders within folders, that were left out.
    pub left_out: usize,
    pub without_face: usize,
    /// Pictures in which no face could be drawn on.
    pub unusable: usize,
    /// Further versions of the others in which none could.
    pub undrawn: usize,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    let summary = synthesise(args)?;
    let drawn: Vec<String> =
        summary.drawn.iter().map(|(label, count)| format!("{count} {label}")).collect();
    tell!(
        "{}: {} pictures, drawn on faces: {}; {} faces left as they were",
        csv_path(&args.out).display(),
        summary.pictures,
        drawn.join(", "),
        summary.left
    );
    tell!(
        "skipped: {} rows or folders, {} unreadable, {} without a face, {} without a face to draw on, {} of several versions",
        summary.left_out,
        summary.unreadable,
        summary.without_face,
        summary.unusable,
        summary.undrawn
    );
    Ok(())
}

/// Draws, writes pictures and boxes. What is skipped is named in the log.
///
/// # Errors
/// A source or detector that cannot be read, an output folder with something in it, a file that
/// cannot be written, and when no face at all could be drawn on.
pub fn synthesise(args: &Args) -> Result<Summary> {
    let (bare, skipped) = find::sources("--bare", &args.bare)?;
    skipped.iter().for_each(|line| log::warn!("skipped {line}"));
    ensure!(!bare.is_empty(), "--bare {}: no pictures", args.bare.join(" "));
    let model = args.detector.clone().unwrap_or_default();
    let finder = || Finder::new(&model);
    // A detector that cannot be loaded is told before anything is written.
    if bare.iter().any(|bare| bare.marked.is_none()) {
        finder()?;
    }
    let swatches =
        if args.masked.is_empty() { vec![] } else { find::swatches(&args.masked, &model)? };
    let read = args.hand_outlines.as_deref().map(hands).transpose();
    let hands = read.context("--hand-outlines")?.unwrap_or_default();
    if let Some(path) = &args.sheet
        && ImageFormat::from_path(path).is_err()
    {
        let wrong = format!("--sheet {}: name a picture, such as sheet.png", path.display());
        return Err(WrongUse(wrong).into());
    }
    prepare(&args.out)?;
    if let Some(folder) = &args.steps {
        fs::create_dir_all(folder)
            .with_context(|| format!("{}: cannot be made", folder.display()))?;
    }
    if let Some(folder) = args.sheet.as_ref().and_then(|path| path.parent()) {
        fs::create_dir_all(folder)
            .with_context(|| format!("{}: cannot be made", folder.display()))?;
    }
    let wardrobe = args.wardrobe();
    let names = names(&bare);
    let meter = Meter::new("picture", bare.len() as u64);
    let made: Vec<Result<Made>> = (0..bare.len())
        .into_par_iter()
        .map_init(finder, |finder, index| {
            let work = Work {
                args,
                wardrobe: &wardrobe,
                swatches: &swatches,
                hands: &hands,
                name: &names[index],
                index,
            };
            let made = work.picture(&bare[index], finder.as_mut().ok());
            meter.step("");
            made
        })
        .collect();
    meter.finish();

    let mut summary = Summary { left_out: skipped.len(), ..Summary::default() };
    let mut csv = boxes::header(&["kind", "wear"])?;
    let mut tiles = Vec::new();
    for (made, bare) in made.into_iter().zip(&bare) {
        let path = bare.path.display();
        match made? {
            Made::Unreadable(reason) => {
                log::warn!("skipped {reason}");
                summary.unreadable += 1;
            }
            Made::NoFace => {
                log::warn!("skipped {path}: no face found");
                summary.without_face += 1;
            }
            Made::Unusable(faces) => {
                log::warn!(
                    "skipped {path}: {faces} faces, all too small, turned away, masked, or without landmarks that fit"
                );
                summary.unusable += 1;
            }
            Made::Pictures(pictures) => {
                let undrawn = args.variants as usize - pictures.len();
                if undrawn > 0 {
                    log::warn!("{path}: nothing could be drawn in {undrawn} versions");
                    summary.undrawn += undrawn;
                }
                for picture in pictures {
                    summary.pictures += 1;
                    csv.push_str(&picture.rows);
                    summary.left += picture.left;
                    for label in picture.drawn {
                        *summary.drawn.entry(label).or_default() += 1;
                    }
                    if tiles.len() < sheet::MOST {
                        tiles.extend(picture.tiles);
                    }
                }
            }
        }
    }
    if summary.pictures == 0 {
        bail!(
            "no face to draw on in {} pictures: {} unreadable, {} without a face, {} with faces too small, turned away, masked, or without landmarks that fit",
            bare.len(),
            summary.unreadable,
            summary.without_face,
            summary.unusable
        );
    }
    let csv_path = csv_path(&args.out);
    fs::write(&csv_path, csv)
        .with_context(|| format!("{}: cannot be written", csv_path.display()))?;
    if let Some(path) = &args.sheet {
        sheet::write(&tiles, path)?;
    }
    Ok(summary)
}

fn csv_path(out: &Path) -> PathBuf {
    fit::beside(out, "csv")
}

/// Makes the folder; one with something in it is refused, for old pictures would mix with new
/// boxes.
fn prepare(out: &Path) -> Result<()> {
    let wrong = |reason: &str| WrongUse(format!("--out {}: {reason}", out.display()));
    ensure!(out.file_name().is_some(), wrong("its boxes go beside it, under its name; give one"));
    fs::create_dir_all(out).with_context(|| format!("{}: cannot be made", out.display()))?;
    let mut entries =
        fs::read_dir(out).with_context(|| format!("{}: cannot be read", out.display()))?;
    let filled = wrong("there is something in this folder; name an empty or a new one");
    ensure!(entries.next().is_none(), filled);
    let csv = csv_path(out);
    let taken = format!("{} is there already; name another folder", csv.display());
    ensure!(!csv.exists(), wrong(&taken));
    Ok(())
}

/// What each picture's files start with. `Some_Name_12` keeps its form, so that pictures of one
/// person stay on one side of a split (`data::source`); of equal names the later get a number.
fn names(bare: &[Source]) -> Vec<String> {
    let mut taken = HashSet::new();
    let name = |bare: &Source| {
        let stem = bare.path.file_stem().unwrap_or_default().to_string_lossy();
        // Two digits for the variant are to come behind the number, which must stay one.
        let numbered = stem.rsplit_once('_').is_some_and(|(_, number)| {
            number.len() <= 7 && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
        });
        let plain = stem.replace(',', "-");
        let base = if numbered { plain } else { format!("{plain}_") };
        let mut name = base.clone();
        let mut again = 2;
        while !taken.insert(name.clone()) {
            name = format!("{again}-{base}");
            again += 1;
        }
        name
    };
    bare.iter().map(name).collect()
}

/// What came of one picture.
enum Made {
    Unreadable(String),
    NoFace,
    /// So many faces, none to draw on.
    Unusable(usize),
    Pictures(Vec<Drawn>),
}

/// One picture written.
struct Drawn {
    rows: String,
    drawn: Vec<Label>,
    left: usize,
    tiles: Vec<Tile>,
}

/// One picture to be drawn on.
struct Work<'a> {
    args: &'a Args,
    wardrobe: &'a Wardrobe,
    /// Where there are any, all masks are made of these.
    swatches: &'a [Arc<Swatch>],
    /// Where there are any, all hands are these.
    hands: &'a [Cutout],
    name: &'a str,
    index: usize,
}

impl Work<'_> {
    fn picture(&self, bare: &Source, finder: Option<&mut Finder>) -> Result<Made> {
        let picture = match pictures::open(&bare.path) {
            Ok(picture) => picture,
            Err(error) => return Ok(Made::Unreadable(error.to_string())),
        };
        let faces = match (&bare.marked, finder) {
            (Some(faces), _) => faces.clone(),
            (None, Some(finder)) => finder.find(&picture)?,
            (None, None) => vec![],
        };
        if faces.iter().all(|face| face.ignore) {
            return Ok(Made::NoFace);
        }
        let root = Random::new(self.args.seed).stream(self.index as u64);
        let mut drawn = Vec::new();
        for variant in 0..self.args.variants {
            let stream = root.stream(u64::from(variant));
            drawn.extend(self.variant(&picture, &faces, variant, &stream)?);
        }
        Ok(if drawn.is_empty() { Made::Unusable(faces.len()) } else { Made::Pictures(drawn) })
    }

    /// One version of the picture, every face of it drawn on that can be; `None` where none can.
    fn variant(
        &self,
        bare: &Picture,
        faces: &[Annotation],
        variant: u32,
        stream: &Random,
    ) -> Result<Option<Drawn>> {
        let file = format!("{}{variant:02}.jpg", self.name);
        let mut picture = bare.clone();
        let mut made = Drawn { rows: String::new(), drawn: vec![], left: 0, tiles: vec![] };
        for (at, face) in faces.iter().enumerate() {
            let mut random = stream.stream(at as u64);
            let style = self.wardrobe.draw(&mut random);
            let open = !face.ignore && face.label.is_none_or(|label| label == Label::WithoutMask);
            let points = face.landmarks.filter(|_| open && face.bounds.width() >= NARROWEST);
            // Without beards and so on the random numbers are those of before there were any.
            let Args { beards, scarves, glasses, hands, .. } = *self.args;
            let shares = [
                (Extra::Beard, beards),
                (Extra::Scarf, scarves),
                (Extra::Glasses, glasses),
                (Extra::Hand, hands),
            ];
            let mut happens = |share: f32| share > 0.0 && random.chance(share);
            let extra =
                shares.into_iter().find(|(_, share)| happens(*share)).map(|(extra, _)| extra);
            let swatch = match self.swatches.len() {
                0 => None,
                count => self.swatches.get(random.below(count)),
            };
            let kind = if swatch.is_some() { "real" } else { style.kind.name() };
            let style = match swatch {
                Some(swatch) => style.made_of(Arc::clone(swatch)),
                None => style,
            };
            let drawn = points.and_then(|points| {
                let (bounds, random) = (&face.bounds, &mut random);
                if let Some(extra) = extra {
                    let hand = match extra {
                        Extra::Hand if !self.hands.is_empty() => {
                            self.hands.get(random.below(self.hands.len()))
                        }
                        _ => None,
                    };
                    let bare = match hand {
                        Some(hand) => {
                            hand.hold(&picture, (bounds, &points), Held::Before, random)?
                        }
                        None => add(&picture, bounds, &points, extra, random)?,
                    };
                    return Some((bare, Label::WithoutMask, points));
                }
                let (masked, label) = draw(&picture, bounds, &points, &style, random)?;
                Some((masked, label, points))
            });
            let mut row = face.clone();
            let own = match drawn {
                Some((_, label, _)) => {
                    row.label = Some(label);
                    made.drawn.push(label);
                    extra.map_or([kind, style.wear.name()], |extra| [extra.name(), ""])
                }
                None => {
                    row.label = row.label.or(Some(Label::WithoutMask)).filter(|_| !face.ignore);
                    made.left += usize::from(!face.ignore);
                    [""; 2]
                }
            };
            let (width, height) = (bare.width() as f32, bare.height() as f32);
            row.bounds = row.bounds.clamped(width, height);
            made.rows.push_str(&boxes::row(&file, &row, &own)?);
            let Some((after, label, points)) = drawn else { continue };
            made.tiles.push(tile(&after, &face.bounds, label, &own));
            if let Some(folder) = &self.args.steps {
                for (step, shown) in steps::of(&picture, &face.bounds, &points, &after) {
                    let name = format!("{}{variant:02}-{at}-{step}.jpg", self.name);
                    save(&shown, &folder.join(name), self.args.quality)?;
                }
            }
            picture = after;
        }
        if made.drawn.is_empty() {
            return Ok(None);
        }
        save(&picture, &self.args.out.join(&file), self.args.quality)?;
        Ok(Some(made))
    }
}

fn tile(picture: &Picture, bounds: &Rect, label: Label, [kind, wear]: &[&str; 2]) -> Tile {
    let text = format!("{kind:.6} {}", wear.replace("under-", "u-"));
    Tile {
        picture: crop::cut(picture, &crop::region(bounds, 2.0 * crop::MARGIN), 128),
        label: Some(label),
        text,
    }
}

fn save(picture: &Picture, path: &Path, quality: u8) -> Result<()> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode(picture.pixels(), picture.width(), picture.height(), ExtendedColorType::Rgb8)
        .with_context(|| format!("{}: cannot be encoded", path.display()))?;
    fs::write(path, bytes).with_context(|| {
        // Half a picture is of no use; what went wrong is told already.
        let _ = fs::remove_file(path);
        format!("{}: cannot be written", path.display())
    })
}
