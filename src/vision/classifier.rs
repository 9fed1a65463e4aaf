use crate::config;
use crate::picture::{Label, Picture, Probabilities, Rect};

use super::model::{ModelFile, Origin, Plan};
use super::{VisionError, crop};

/// The model inside the binary.
const BUILT_IN: (&str, &[u8]) =
    ("classifier", include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/classifier.onnx")));

/// Says what a face wears.
pub struct Classifier {
    origin: Origin,
    plan: Plan,
    /// Side of the input in pixels.
    size: u32,
    margin: f32,
    /// What each output stands for.
    labels: Vec<Label>,
    input: Vec<f32>,
}

impl Classifier {
    /// Loads the configured file, or the built-in model.
    pub fn load(config: &config::Classifier) -> Result<Self, VisionError> {
        Self::from_file(&ModelFile::open(&config.model, &config.sha256, BUILT_IN)?)
    }

    /// Takes a model whose metadata say `maskgate.labels` (comma separated), `maskgate.input`
    /// (side in pixels) and `maskgate.crop` (`square margin=0.15 border=replicate`); input
    /// `[1, 3, side, side]` RGB in [-1, 1], output `[1, labels]` probabilities.
    pub fn from_file(file: &ModelFile) -> Result<Self, VisionError> {
        let wrong = |reason: String| VisionError::WrongShape {
            model: file.origin().name.clone(),
            wanted: "mask classifier",
            reason,
        };
        let entry = |key: &str| {
            file.metadata(key).ok_or_else(|| {
                wrong(format!("its metadata lack {key}; write it with maskgate-train classifier"))
            })
        };
        let labels: Vec<Label> = entry("maskgate.labels")?
            .split(',')
            .map(|name| {
                Label::from_name(name.trim())
                    .ok_or_else(|| wrong(format!("unknown label '{name}'")))
            })
            .collect::<Result<_, _>>()?;
        let count = |label| labels.iter().filter(|l| **l == label).count();
        let counts = Label::ALL.map(count);
        let sides = [Label::WithMask, Label::WithoutMask].map(count);
        if sides != [1, 1] || counts.iter().any(|count| *count > 1) {
            let names: Vec<&str> = labels.iter().map(|label| label.name()).collect();
            return Err(wrong(format!(
                "its labels are {}; with_mask and without_mask are needed, incorrect_mask may be, each once",
                names.join(",")
            )));
        }
        let size = entry("maskgate.input")?;
        let size: u32 = size
            .parse()
            .ok()
            .filter(|size| (32..=512).contains(size))
            .ok_or_else(|| wrong(format!("maskgate.input is '{size}', not 32 to 512")))?;
        let margin = margin(entry("maskgate.crop")?).map_err(&wrong)?;

        let side = size as usize;
        let plan = file.plan([1, 3, side, side])?;
        let mut classifier = Self {
            origin: file.origin().clone(),
            plan,
            size,
            margin,
            labels,
            input: vec![0.0; 3 * side * side],
        };
        // One run on an even picture shows whether the outputs fit the labels.
        let outputs = classifier.plan.run(&classifier.input)?;
        let found = outputs.first().map_or(0, |output| output.values.len());
        if found != classifier.labels.len() {
            return Err(wrong(format!("{found} outputs for {} labels", classifier.labels.len())));
        }
        let blank = Picture::new(size, size);
        let bounds = Rect { x1: 0.0, y1: 0.0, x2: size as f32, y2: size as f32 };
        let sum = classifier.classify(&blank, &bounds)?;
        let sum = sum.with_mask + sum.without_mask + sum.incorrect_mask;
        if (sum - 1.0).abs() > 0.01 {
            return Err(wrong(format!("its outputs are no probabilities: they sum to {sum}")));
        }
        Ok(classifier)
    }

    /// What the face in `bounds` (pixels of `picture`) wears.
    pub fn classify(
        &mut self,
        picture: &Picture,
        bounds: &Rect,
    ) -> Result<Probabilities, VisionError> {
        self.classify_crop(&crop::cut(picture, &crop::region(bounds, self.margin), self.size))
    }

    /// What the face in a crop wears that was cut before, with this classifier's margin and size.
    pub fn classify_crop(&mut self, crop: &Picture) -> Result<Probabilities, VisionError> {
        crop::to_input(crop, &mut self.input);
        let outputs = self.plan.run(&self.input)?;
        let values = outputs.first().map_or(&[][..], |output| &output.values);
        // A vote that is no number would stay in a person's verdict for good.
        if !values.iter().all(|value| value.is_finite()) {
            return Err(VisionError::Inference {
                model: self.origin.name.clone(),
                reason: format!("its outputs are {values:?}, no probabilities"),
            });
        }
        let of = |label: Label| {
            self.labels.iter().zip(values).find(|(l, _)| **l == label).map_or(0.0, |(_, v)| *v)
        };
        Ok(Probabilities {
            with_mask: of(Label::WithMask),
            without_mask: of(Label::WithoutMask),
            incorrect_mask: of(Label::IncorrectMask),
        })
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What it can say, in the order of its outputs.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Side of the input in pixels.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Margin of the crop it was trained with; see `crop::region`.
    pub fn margin(&self) -> f32 {
        self.margin
    }
}

/// Reads `square margin=M border=replicate`, the only kind of crop there is.
fn margin(text: &str) -> Result<f32, String> {
    let mut words = text.split_whitespace();
    let number = (words.next() == Some("square"))
        .then(|| words.next().and_then(|word| word.strip_prefix("margin=")))
        .flatten()
        .and_then(|number| number.parse::<f32>().ok())
        .filter(|margin| (0.0..=1.0).contains(margin));
    match (number, words.next()) {
        (Some(margin), Some("border=replicate")) => Ok(margin),
        _ => Err(format!(
            "maskgate.crop is '{text}'; this version cuts 'square margin=0.15 border=replicate'"
        )),
    }
}
