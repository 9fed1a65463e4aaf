//! Teacher labelling: published detectors mark the faces that nobody has marked, add landmarks to
//! boxes that have none, and point out faces that annotators left out; a classifier says what they
//! wear where it is sure.

mod review;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use self::review::{Review, Verdict, Verdicts};
use super::boxes::{self, AnnotatedImage, Annotation};
use super::classifier::{same_file, ship};
use super::fit::beside;
use super::synthesise::share;
use super::{WrongUse, pictures, sheet};
use crate::config;
use crate::picture::{Face, Picture, Point, Rect};
use crate::vision::model::ModelFile;
use crate::vision::{Classifier, Detector, Family};

/// What to label, with which teachers.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Teacher detectors: YuNet or UltraFace ONNX files
    #[arg(long, required = true, num_args = 1..)]
    teacher: Vec<PathBuf>,
    /// A detector that has learned from such labels: what it alone sees in a picture that nobody
    /// annotated is ignored instead of being called background
    #[arg(long, value_name = "FILE")]
    student: Option<PathBuf>,
    /// A folder of pictures; a CSV of the same name beside it, if there is one, is completed:
    /// its boxes stay, get landmarks, and faces it lacks are added as ignored. Pictures it does not
    /// name are labelled as any other
    #[arg(long)]
    images: PathBuf,
    /// Take only landmarks from that CSV: its boxes are drawn otherwise than the teachers' or not
    /// to be trusted
    #[arg(long)]
    fresh: bool,
    /// The CSV to write
    #[arg(long)]
    out: PathBuf,
    /// Longer sides in pixels that teachers of free input size look at; each also mirrored
    #[arg(long, num_args = 1.., default_values_t = [320, 640],
        value_parser = clap::value_parser!(u32).range(96..=1920))]
    size: Vec<u32>,
    /// Best score from which a face that two views agree on is believed
    #[arg(long, default_value_t = 0.6, value_parser = share)]
    believe: f32,
    /// Best score from which something is ignored instead of being called background
    #[arg(long, default_value_t = 0.4, value_parser = share)]
    doubt: f32,
    /// Folder for pages of what is neither surely a face nor surely none, to be looked at, and a CSV to
    /// say in which it is
    #[arg(long, value_name = "DIR")]
    review: Option<PathBuf>,
    /// Such a CSV, filled in: what it calls a face becomes one, an ignored one in a picture that people
    /// annotated, and what it calls background is left out
    #[arg(long, value_name = "FILE")]
    corrections: Option<PathBuf>,
    /// A classifier that labels the faces nobody has labelled; without, they stay unlabelled
    #[arg(long, value_name = "FILE")]
    classifier: Option<PathBuf>,
    /// Probability from which its word is taken
    #[arg(long, default_value_t = 0.9, requires = "classifier", value_parser = share)]
    sure: f32,
}

/// Score from which on the student's word counts. Its scores are the overlap that it expects of its
/// box with the face's, which is less than a teacher's are.
const STUDENT_DOUBT: f32 = 0.3;

/// A detector that looks at the pictures at one size.
struct Look {
    detector: Detector,
    /// Whose word makes a face; the student's does not.
    teacher: bool,
}

impl Look {
    /// Whether it is a teacher with landmarks of its own; UltraFace merely places them.
    fn finds_landmarks(&self) -> bool {
        self.teacher && self.detector.family().finds_landmarks()
    }
}

/// A face with the number of views that saw it.
struct Seen {
    /// As the surest teacher that finds landmarks draws it: who finds eyes and mouth knows where a face
    /// ends, while UltraFace often draws the eyes alone of a masked one, and is surer of that. The score is
    /// the best of a teacher.
    face: Face,
    /// What all views together cover.
    extent: Rect,
    /// Those of the surest teacher that finds landmarks.
    landmarks: Option<[Point; 5]>,
    views: usize,
    /// Whether a teacher is among them.
    taught: bool,
    /// Whether the box is a published detector's. Ours draws as annotators do.
    published: bool,
}

/// The CSV that people may have written beside the folder, by the folder's own name where it is given as
/// `.` or `..`.
fn annotations(args: &Args) -> PathBuf {
    let named = args.images.file_name().is_some();
    let real = (!named).then(|| fs::canonicalize(&args.images).ok()).flatten();
    beside(real.as_ref().unwrap_or(&args.images), "csv")
}

/// Refuses to write over what is read.
fn check(args: &Args) -> Result<(), WrongUse> {
    let out = args.out.display();
    if args.out.is_dir() {
        return Err(WrongUse(format!("--out {out}: a folder; name a CSV")));
    }
    let annotations = annotations(args);
    let read = [&annotations].into_iter().chain(&args.teacher);
    let mut read = read.chain(&args.student).chain(&args.classifier).chain(&args.corrections);
    if let Some(lost) = read.find(|path| same_file(path, &args.out)) {
        let lost = lost.display();
        return Err(WrongUse(format!(
            "--out {out}: {lost} is read, and what it says would be lost; name another file"
        )));
    }
    Ok(())
}

/// Runs the command.
pub fn run(args: &Args) -> Result<()> {
    check(args)?;
    let mut views = views(args)?;
    let finders = views.iter().any(Look::finds_landmarks);
    let open = |path| -> Result<Classifier> {
        Ok(Classifier::from_file(&ModelFile::open(path, "", ("", &[]))?)?)
    };
    let mut classifier = args.classifier.as_deref().map(open).transpose()?;
    let verdicts = args.corrections.as_deref().map(Verdicts::read).transpose()?.unwrap_or_default();
    verdicts.skipped.iter().for_each(|line| log::warn!("skipped {line}"));
    let mut review = Review::default();
    let Images { images, annotated, unreadable, skipped } = images(args)?;
    ensure!(!images.is_empty(), "{}: no pictures", args.images.display());
    // What cannot be written is told before the work.
    if let Some(folder) = &args.review {
        sheet::new_review(folder)?;
    }
    let unwritable = || format!("{}: cannot be written", args.out.display());
    ship::try_out(&args.out)?;
    let part = beside(&args.out, "part");
    let mut file = File::create(&part).with_context(unwritable)?;

    let mut csv = boxes::header(&["score"])?;
    let (mut faces, mut ignored, mut failed) = (0, 0, 0);
    for (index, image) in images.iter().enumerate() {
        let picture = match pictures::open(&image.path) {
            Ok(picture) => picture,
            Err(error) => {
                log::warn!("skipped {error}");
                failed += 1;
                continue;
            }
        };
        let seen = look(&mut views, &picture)?;
        let Labelled { mut rows, doubts } =
            labelled(image, &seen, index < annotated, &verdicts, finders, args);
        if args.review.is_some() {
            for (bounds, score) in doubts {
                review.add(&image.path, &picture, &bounds, score);
            }
        }
        if let Some(classifier) = &mut classifier {
            let wanted = |(face, _): &&mut (Annotation, f32)| face.label.is_none() && !face.ignore;
            for (face, _) in rows.iter_mut().filter(wanted) {
                let (label, probability) = classifier.classify(&picture, &face.bounds)?.best();
                face.label = (probability >= args.sure).then_some(label);
            }
        }
        faces += rows.iter().filter(|(a, _)| !a.ignore).count();
        ignored += rows.iter().filter(|(a, _)| a.ignore).count();
        // As it was named, folders within the folder included.
        let name = image.path.strip_prefix(&args.images).unwrap_or(&image.path).to_string_lossy();
        write_rows(&mut csv, &name, &rows)?;
        if index % 200 == 199 {
            log::info!(
                "{} of {} pictures: {faces} faces, {ignored} ignored",
                index + 1,
                images.len()
            );
        }
    }
    file.write_all(csv.as_bytes()).with_context(unwritable)?;
    fs::rename(&part, &args.out).with_context(unwritable)?;
    if let Some(file) = &args.corrections {
        // One file may speak of several folders; where none of its rows counts, a name is wrong.
        let about: usize = images.iter().map(|image| verdicts.count(&image.path)).sum();
        tell!("{}: {about} rows are about these pictures", file.display());
    }
    if let Some(folder) = &args.review {
        tell!("{}: {} to be looked at", folder.display(), review.write(folder)?);
    }
    tell!(
        "{}: {} pictures, {faces} faces, {ignored} ignored regions, {} unreadable, {skipped} rows skipped",
        args.out.display(),
        images.len() - failed,
        failed + unreadable
    );
    Ok(())
}

/// What there is to label.
struct Images {
    /// Those that the CSV beside the folder names come first.
    images: Vec<AnnotatedImage>,
    /// How many these are.
    annotated: usize,
    /// Pictures of the folder that cannot be read, or named in a CSV.
    unreadable: usize,
    /// Rows and pictures of that CSV which are left out.
    skipped: usize,
}

fn images(args: &Args) -> Result<Images> {
    let known_csv = annotations(args);
    let (mut others, mut unreadable) = pictures_in(&args.images)?;
    others.retain(|image| {
        let name = image.path.file_name().unwrap_or_default().to_str();
        let kept = name.is_some_and(|name| name.trim() == name);
        if !kept {
            log::warn!(
                "skipped {}: no CSV can hold this name; rename it to UTF-8 without blanks at its ends",
                image.path.display()
            );
            unreadable += 1;
        }
        kept
    });
    if !known_csv.is_file() {
        return Ok(Images { images: others, annotated: 0, unreadable, skipped: 0 });
    }
    let read = boxes::read_in(&known_csv, &args.images)?;
    // What the CSV could not say of them, nobody can: their faces are neither taken nor looked for.
    let incomplete = read.images.iter().filter(|image| !image.complete);
    let mut named: HashSet<PathBuf> = incomplete.map(|image| image.path.clone()).collect();
    let known = read.without_incomplete();
    known.skipped.iter().for_each(|line| log::warn!("skipped {line}"));
    let mut images = known.images;
    let annotated = images.len();
    named.extend(images.iter().map(|image| image.path.clone()));
    images.extend(others.into_iter().filter(|image| !named.contains(&image.path)));
    if images.len() > annotated {
        log::warn!(
            "{} pictures of {} are not in {}",
            images.len() - annotated,
            args.images.display(),
            known_csv.display()
        );
    }
    Ok(Images { images, annotated, unreadable, skipped: known.skipped.len() })
}

/// Every teacher, and the student, at every size it takes.
fn views(args: &Args) -> Result<Vec<Look>> {
    let mut views = Vec::new();
    let teachers = args.teacher.iter().map(|path| (path, true));
    for (path, teacher) in teachers.chain(args.student.iter().map(|path| (path, false))) {
        let open = || ModelFile::open(path, "", ("", &[]));
        let fixed = Family::of(&open()?)?.fixed_size();
        let sizes = match fixed {
            Some((width, _)) => vec![width],
            None => args.size.clone(),
        };
        for size in sizes {
            let config = config::Detector {
                width: size,
                height: size,
                threshold: if teacher { args.doubt } else { STUDENT_DOUBT },
                ..config::Detector::default()
            };
            views.push(Look { detector: Detector::from_file(open()?, &config)?, teacher });
        }
    }
    Ok(views)
}

/// Every readable picture of a folder, without faces; the others are named, and how many these are.
pub(super) fn pictures_in(folder: &Path) -> Result<(Vec<AnnotatedImage>, usize)> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("{}: the folder cannot be read", folder.display()))?;
    let (mut images, mut unreadable) = (Vec::new(), 0);
    for entry in entries {
        let path = entry?.path();
        match pictures::size(&path) {
            Ok((width, height)) => {
                images.push(AnnotatedImage { path, width, height, faces: vec![], complete: true })
            }
            Err(error) => {
                log::warn!("skipped {error}");
                unreadable += 1;
            }
        }
    }
    images.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((images, unreadable))
}

/// Everything any view sees, the same face counted once.
fn look(views: &mut [Look], picture: &Picture) -> Result<Vec<Seen>> {
    let mirror = picture.mirrored();
    let width = picture.width() as f32;
    let mut all: Vec<Seen> = Vec::new();
    for view in views {
        let finds = view.finds_landmarks();
        let Look { detector, teacher } = view;
        let published = *detector.family() != Family::Center;
        let mut faces = detector.detect(picture)?;
        faces.extend(detector.detect(&mirror)?.iter().map(|face| face.mirrored(width)));
        all.extend(faces.into_iter().map(|face| {
            let landmarks = finds.then_some(face.landmarks);
            let extent = face.bounds;
            Seen { face, extent, landmarks, views: 1, taught: *teacher, published }
        }));
    }
    Ok(merged(all))
}

/// The views of one face made one.
fn merged(mut all: Vec<Seen>) -> Vec<Seen> {
    all.sort_by(|a, b| {
        (b.taught, b.landmarks.is_some())
            .cmp(&(a.taught, a.landmarks.is_some()))
            .then(b.face.score.total_cmp(&a.face.score))
    });
    let mut best: Vec<Seen> = Vec::new();
    for view in all {
        match best.iter_mut().find(|seen| same(&seen.face, &view.face)) {
            Some(seen) => {
                seen.views += 1;
                if view.taught {
                    seen.face.score = seen.face.score.max(view.face.score);
                }
                seen.extent = seen.extent.union(&view.extent);
            }
            None => best.push(view),
        }
    }
    best
}

/// Teachers draw boxes differently: a low overlap, or one box mostly inside the other.
fn same(a: &Face, b: &Face) -> bool {
    let smaller = a.bounds.area().min(b.bounds.area());
    a.bounds.iou(&b.bounds) > 0.35 || a.bounds.intersect(&b.bounds).area() > 0.7 * smaller
}

/// What is known of a picture.
struct Labelled {
    /// Faces and what is ignored, with their scores.
    rows: Vec<(Annotation, f32)>,
    /// What somebody sees, but not surely enough, and nobody was asked about.
    doubts: Vec<(Rect, f32)>,
}

/// The annotators' boxes with landmarks, and the faces they lack. What people marked or said goes
/// before what a teacher found; `listed` says that people looked at the picture, also where they found
/// no face in it. Where there are `finders` of landmarks among the teachers, one of them must see a face:
/// what UltraFace alone sees, mirrored too, is as often a hand, a wheel or a sign.
fn labelled(
    image: &AnnotatedImage,
    seen: &[Seen],
    listed: bool,
    verdicts: &Verdicts,
    finders: bool,
    args: &Args,
) -> Labelled {
    let mut used = vec![false; seen.len()];
    let (mut rows, mut doubts) = (Vec::new(), Vec::new());
    let boxes: &[Annotation] = if args.fresh { &[] } else { &image.faces };
    for known in boxes {
        let overlap = |s: &Seen| s.face.bounds.iou(&known.bounds);
        let best = (0..seen.len()).max_by(|&a, &b| overlap(&seen[a]).total_cmp(&overlap(&seen[b])));
        let matched = best.filter(|&at| overlap(&seen[at]) > 0.35);
        for (used, s) in used.iter_mut().zip(seen) {
            let covered = s.face.bounds.intersect(&known.bounds).area();
            *used |= overlap(s) > 0.35 || covered > 0.7 * s.face.bounds.area();
        }
        let landmarks = matched.and_then(|at| seen[at].landmarks);
        let score = matched.map_or(0.0, |at| seen[at].face.score);
        rows.push((
            Annotation { landmarks: known.landmarks.or(landmarks), ..known.clone() },
            score,
        ));
    }
    let annotated = listed && !args.fresh;
    let face = |bounds, ignore, landmarks| Annotation { bounds, label: None, ignore, landmarks };
    let mut published = Vec::new();
    for (s, _) in seen.iter().zip(&used).filter(|(_, used)| !**used) {
        let Face { bounds, score, .. } = s.face;
        let said = verdicts.of(&image.path, &bounds);
        let found = s.landmarks.is_some() || !finders;
        let believed = s.taught && found && score >= args.believe && s.views >= 2;
        if said.is_none() && !believed {
            doubts.push((bounds, score));
        }
        // Where annotators looked and saw no face, a doubt of the teacher's is not enough.
        if said == Some(Verdict::Background) || (said.is_none() && annotated && !believed) {
            continue;
        }
        let ignore = annotated || (said.is_none() && !believed);
        let landmarks = marked(image, &s.face).or(s.landmarks);
        if s.published {
            published.push(rows.len());
        }
        rows.push((face(if ignore { s.extent } else { bounds }, ignore, landmarks), score));
    }
    for bounds in verdicts.faces(&image.path) {
        if !rows.iter().any(|(row, _)| review::same(&row.bounds, &bounds)) {
            rows.push((face(bounds, annotated, None), 0.0));
        }
    }
    // Not before: what people said is about the boxes that were shown to them.
    for at in published {
        let bounds = as_annotators_draw(&rows[at].0.bounds);
        rows[at].0.bounds = bounds.clamped(image.width as f32, image.height as f32);
    }
    Labelled { rows, doubts }
}

/// A published detector's box as people would draw it. Such detectors learned from WIDER FACE, whose boxes reach up to
/// the hairline; those of kaggle853 and ilc2021 begin on the forehead and are wider. In the landmarks'
/// standard deviation the frontal faces of scenes/street are 3.5 wide, 4.7 high and their centre 0.3
/// above that of the landmarks; the masked ones of kaggle853 and ilc2021 are 3.9, 4.2 and 3.9, 4.5,
/// their centre 0.3 and 0.1 below. A detector that learns both answers in between, and scores itself low.
fn as_annotators_draw(bounds: &Rect) -> Rect {
    let Point { x, y } = bounds.center();
    let (width, height) = (bounds.width() * 1.06, bounds.height() * 0.91);
    let y = y + 0.09 * bounds.height();
    Rect { x1: x - width / 2.0, y1: y - height / 2.0, x2: x + width / 2.0, y2: y + height / 2.0 }
}

/// The landmarks that people marked in this face: all five lie within it.
fn marked(image: &AnnotatedImage, face: &Face) -> Option<[Point; 5]> {
    let within = |p: &Point| {
        let b = face.bounds;
        p.x >= b.x1 && p.x <= b.x2 && p.y >= b.y1 && p.y <= b.y2
    };
    image.faces.iter().filter_map(|known| known.landmarks).find(|points| points.iter().all(within))
}

fn write_rows(csv: &mut String, name: &str, rows: &[(Annotation, f32)]) -> csv::Result<()> {
    if rows.is_empty() {
        csv.push_str(&boxes::empty_row(name)?);
    }
    for (row, score) in rows {
        csv.push_str(&boxes::row(name, row, &[&format!("{score:.3}")])?);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
