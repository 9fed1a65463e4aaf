use std::path::Path;

use crate::config;
use crate::picture::{Face, Picture, Point, Rect, gained, yaw};

use super::decode::Family;
use super::model::{ModelFile, Origin, Plan};
use super::{VisionError, crop, nms};

/// The model inside the binary.
const BUILT_IN: (&str, &[u8]) =
    ("detector", include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/detector.onnx")));

/// Metadata of our files: a number from 1 to 3 for [`Detector::yaw`].
pub(crate) const YAW_GAIN: &str = "maskgate.yaw_gain";

/// Candidates of this score and over have a say in where the landmarks of a face lie, whatever the
/// threshold for faces is.
const CANDIDATE: f32 = 0.1;

/// Plans kept for frames of different shape; a camera needs one, a folder of pictures several.
const PLANS: usize = 4;

/// Finds faces.
pub struct Detector {
    file: ModelFile,
    family: Family,
    yaw_gain: f32,
    /// The box a picture is scaled to fit, longer side first.
    fit: (u32, u32),
    threshold: f32,
    nms_iou: f32,
    /// The one used last comes first.
    plans: Vec<Plan>,
    input: Vec<f32>,
}

/// The detector file at `path` with the SHA-256 `pinned` (empty: any), or the built-in one where
/// `path` is empty.
pub fn open(path: &Path, pinned: &str) -> Result<ModelFile, VisionError> {
    ModelFile::open(path, pinned, BUILT_IN)
}

impl Detector {
    /// Loads the configured file, or the built-in model.
    pub fn load(config: &config::Detector) -> Result<Self, VisionError> {
        Self::from_file(open(&config.model, &config.sha256)?, config)
    }

    /// Takes one of our detectors, a YuNet or an UltraFace file; they are told apart by metadata
    /// and output names.
    pub fn from_file(file: ModelFile, config: &config::Detector) -> Result<Self, VisionError> {
        let family = Family::of(&file)?;
        let yaw_gain = yaw_gain(&file)?;
        let (width, height) = (config.width.max(1), config.height.max(1));
        let mut detector = Self {
            file,
            family,
            yaw_gain,
            fit: (width.max(height), width.min(height)),
            threshold: config.threshold,
            nms_iou: config.nms_iou,
            plans: Vec::new(),
            input: Vec::new(),
        };
        // One run shows whether the outputs are what the decoder reads.
        detector.detect(&Picture::new(width, height))?;
        Ok(detector)
    }

    /// Faces by falling score, in pixels of `picture`. The picture is scaled to fit the configured
    /// size (turned for a portrait), keeping its shape; what the network's stride needs beyond it
    /// is filled with mid-grey at the right and bottom.
    pub fn detect(&mut self, picture: &Picture) -> Result<Vec<Face>, VisionError> {
        if picture.width() == 0 || picture.height() == 0 {
            return Ok(vec![]);
        }
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        let (fit_width, fit_height) = match self.family.fixed_size() {
            Some((w, h)) => (w as f32, h as f32),
            None if width >= height => (self.fit.0 as f32, self.fit.1 as f32),
            None => (self.fit.1 as f32, self.fit.0 as f32),
        };
        let scale = (fit_width / width).min(fit_height / height);
        // A picture of extreme shape keeps at least one pixel in its short direction.
        let inner =
            (((width * scale).round() as u32).max(1), ((height * scale).round() as u32).max(1));
        let (scale_x, scale_y) = (inner.0 as f32 / width, inner.1 as f32 / height);
        let (tensor_width, tensor_height) = match self.family.fixed_size() {
            Some(size) => size,
            None => (inner.0.next_multiple_of(32), inner.1.next_multiple_of(32)),
        };
        self.fill(picture, inner, (tensor_width, tensor_height));
        let plan = self.plan([1, 3, tensor_height as usize, tensor_width as usize])?;
        let outputs = self.plans[plan].run(&self.input)?;
        let faces = self
            .family
            .decode(&outputs, (tensor_width, tensor_height), self.threshold.min(CANDIDATE))
            .map_err(|reason| VisionError::WrongShape {
                model: self.file.origin().name.clone(),
                wanted: "face detector",
                reason,
            })?;
        let faces = in_picture(faces, (1.0 / scale_x, 1.0 / scale_y), (width, height));
        Ok(nms::suppress(faces, self.nms_iou, self.threshold))
    }

    /// How far the head of a face that was found here is turned, in degrees; 0 is frontal, positive
    /// towards the picture's right.
    ///
    /// A network that is not sure how far a head is turned places the nose between what it might be
    /// and frontal, so its landmarks show too small a turn. By how much is in our files' metadata; other
    /// makers' landmarks are taken at their word.
    pub fn yaw(&self, face: &Face) -> f32 {
        gained(yaw(&face.landmarks), self.yaw_gain)
    }

    /// Whose model it is.
    pub fn family(&self) -> &Family {
        &self.family
    }

    pub fn origin(&self) -> &Origin {
        self.file.origin()
    }

    /// Writes the scaled picture into `self.input`.
    fn fill(&mut self, picture: &Picture, inner: (u32, u32), tensor: (u32, u32)) {
        let mut scaled = Picture::new(inner.0, inner.1);
        let whole =
            Rect { x1: 0.0, y1: 0.0, x2: picture.width() as f32, y2: picture.height() as f32 };
        crop::resize(picture, &whole, &mut scaled);
        let normal = self.family.normalisation();
        let (width, height) = (tensor.0 as usize, tensor.1 as usize);
        let area = width * height;
        self.input.clear();
        self.input.resize(3 * area, 127.0_f32.mul_add(normal.scale, normal.offset));
        let row_bytes = inner.0 as usize * 3;
        for (y, row) in scaled.pixels().chunks_exact(row_bytes).enumerate() {
            for (x, rgb) in row.chunks_exact(3).enumerate() {
                for (channel, &byte) in rgb.iter().enumerate() {
                    let plane = if normal.bgr { 2 - channel } else { channel };
                    self.input[plane * area + y * width + x] =
                        f32::from(byte).mul_add(normal.scale, normal.offset);
                }
            }
        }
    }

    /// Index of the plan for `shape`, made and kept if it is new.
    fn plan(&mut self, shape: [usize; 4]) -> Result<usize, VisionError> {
        match self.plans.iter().position(|plan| plan.shape() == shape) {
            Some(0) => {}
            Some(at) => self.plans[..=at].rotate_right(1),
            None => {
                self.plans.truncate(PLANS - 1);
                self.plans.insert(0, self.file.plan(shape)?);
            }
        }
        Ok(0)
    }
}

/// What the nose's distance from the middle line is to be multiplied with.
fn yaw_gain(file: &ModelFile) -> Result<f32, VisionError> {
    let Some(text) = file.metadata(YAW_GAIN) else { return Ok(1.0) };
    match text.parse() {
        Ok(gain) if (1.0..=3.0).contains(&gain) => Ok(gain),
        _ => Err(VisionError::WrongShape {
            model: file.origin().name.clone(),
            wanted: "face detector",
            reason: format!(
                "{YAW_GAIN} is '{text}', not 1 to 3; write the file with maskgate-train detector"
            ),
        }),
    }
}

/// Faces found in the network's input, scaled to the picture of `size` that it was made of; of their
/// boxes what lies in it.
fn in_picture(faces: Vec<Face>, scale: (f32, f32), size: (f32, f32)) -> Vec<Face> {
    let rescaled = |face: Face| Face {
        bounds: face.bounds.scaled(scale.0, scale.1).clamped(size.0, size.1),
        score: face.score,
        landmarks: face.landmarks.map(|p| Point { x: p.x * scale.0, y: p.y * scale.1 }),
    };
    faces.into_iter().map(rescaled).filter(|face| face.bounds.area() > 0.0).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;
    use tract_onnx::pb::{ModelProto, StringStringEntryProto};

    use super::*;
    use crate::camera::decode_image;
    use crate::vision::model;

    /// The built-in detector with this gain in its metadata.
    fn with_gain(value: &str) -> Result<Detector, VisionError> {
        let mut proto = ModelProto::decode(BUILT_IN.1).expect("it is part of the binary");
        proto.metadata_props.retain(|entry| entry.key != YAW_GAIN);
        let (key, value) = (YAW_GAIN.into(), value.into());
        proto.metadata_props.push(StringStringEntryProto { key, value });
        let file = ModelFile::parse("test.onnx".into(), &model::seal(proto), "")?;
        Detector::from_file(file, &config::Detector::default())
    }

    #[test]
    fn the_file_says_how_much_too_small_a_turn_its_landmarks_show() {
        let landmarks = [(-1.0, -1.0), (1.0, -1.0), (0.4, 0.0), (-0.8, 1.0), (0.8, 1.0)]
            .map(|(x, y)| Point { x, y });
        let face = Face { bounds: Rect::default(), score: 1.0, landmarks };
        let of = |gain| with_gain(gain).expect("the gain is allowed").yaw(&face);
        assert!((of("1") - yaw(&landmarks)).abs() < 1e-3);
        assert!((of("1.5") - gained(yaw(&landmarks), 1.5)).abs() < 1e-3);
        // A wild landmark must not pass for a frontal head: tracking wants a number.
        let mut wild = face;
        wild.landmarks[2].x = f32::NAN;
        assert!(with_gain("1.5").expect("the gain is allowed").yaw(&wild).is_nan());
    }

    proptest! {
        #[test]
        fn no_box_reaches_beyond_the_picture(
            boxes in proptest::collection::vec(proptest::array::uniform4(-900.0f32..900.0), 0..20),
            scale in 0.1f32..8.0,
            width in 1u16..2000,
            height in 1u16..2000,
        ) {
            let face = |edges: [f32; 4]| Face {
                bounds: edges.into(),
                score: 0.5,
                landmarks: [Point::default(); 5],
            };
            let size = (f32::from(width), f32::from(height));
            let found = boxes.into_iter().map(face).collect();
            for face in in_picture(found, (scale, scale), size) {
                let Rect { x1, y1, x2, y2 } = face.bounds;
                prop_assert!(0.0 <= x1 && x1 < x2 && x2 <= size.0, "{face:?}");
                prop_assert!(0.0 <= y1 && y1 < y2 && y2 <= size.1, "{face:?}");
            }
        }
    }

    #[test]
    fn a_gain_that_is_none_is_refused_and_named() {
        for value in ["", "much", "0.9", "3.1", "NaN"] {
            let error = with_gain(value).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(
                error.contains("maskgate.yaw_gain is '") && error.contains("test.onnx"),
                "{value}: {error}"
            );
        }
    }

    #[test]
    fn the_threshold_decides_what_is_a_face_and_not_where_its_landmarks_lie() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/assets/two_people.jpg");
        let picture = decode_image(path.as_ref()).expect("it is part of the project");
        let found = |threshold| {
            let config = config::Detector { threshold, ..config::Detector::default() };
            let mut detector = Detector::load(&config).expect("the model is built in");
            detector.detect(&picture).expect("a picture can be looked at")
        };
        let (strict, loose) = (found(0.6), found(0.2));
        assert!(strict.len() >= 2, "{strict:?}");
        assert_eq!(strict[..], loose[..strict.len()]);
    }
}
