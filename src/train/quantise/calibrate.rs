//! What values every activation takes: the float model run over faces with all of them as outputs.

use rayon::prelude::*;
use tract_onnx::pb::ModelProto;

use super::QuantiseError;
use super::histogram::Histogram;
use super::source::{Source, Work};
use crate::picture::Label;
use crate::train::data::Cut;
use crate::train::onnx::value_info;
use crate::train::progress::Meter;
use crate::train::random::Random;
use crate::vision::crop;
use crate::vision::model::{ModelFile, Plan, seal};

/// Faces that one thread counts before it hands its counts over.
const PART: usize = 16;

/// One activation and what it was seen to be.
pub struct Seen {
    pub name: String,
    /// See `Step::limits`.
    pub limits: (f32, f32),
    pub histogram: Histogram,
}

/// As many faces as asked for, the same for a seed; each label in turn, so that a rare one is not
/// missed.
pub fn pick(faces: &[Cut], count: usize, seed: u64) -> Vec<&Cut> {
    let mut shuffled: Vec<&Cut> = faces.iter().collect();
    Random::new(seed).shuffle(&mut shuffled);
    let mut by_label = Label::ALL
        .map(|label| shuffled.iter().copied().filter(move |cut| cut.label == label).collect())
        .map(|faces: Vec<&Cut>| faces.into_iter());
    let mut picked = Vec::new();
    while picked.len() < count {
        let before = picked.len();
        picked.extend(by_label.iter_mut().filter_map(Iterator::next));
        if picked.len() == before {
            break;
        }
    }
    picked.truncate(count);
    picked
}

/// Runs `source` over `faces`, which are its own crops, and counts the values of its input and of
/// everything that must become bytes.
pub fn calibrate(source: &Source, side: u32, faces: &[&Cut]) -> Result<Vec<Seen>, QuantiseError> {
    let steps = source.steps.iter();
    let measured: Vec<_> =
        steps.filter(|step| !matches!(step.work, Work::Passing | Work::Softmax)).collect();
    let names: Vec<&str> = measured.iter().map(|step| step.output.as_str()).collect();
    let file = ModelFile::parse("the model to calibrate".into(), &opened(source, &names), "")?;
    let side = side as usize;
    let plan = file.plan([1, 3, side, side])?;

    let meter = Meter::new("face", faces.len() as u64);
    let nothing = || vec![Histogram::default(); names.len() + 1];
    let counted = faces
        .par_chunks(PART)
        .map(|part| {
            let mut histograms = nothing();
            for cut in part {
                count(&plan, cut, &names, &mut histograms)?;
                meter.step("");
            }
            Ok(histograms)
        })
        .try_reduce(nothing, |mut all, part| {
            all.iter_mut().zip(part).for_each(|(one, more)| one.merge(more));
            Ok::<_, QuantiseError>(all)
        })?;
    meter.finish();

    let free = (f32::NEG_INFINITY, f32::INFINITY);
    let input = (source.input.clone(), free);
    let outputs = measured.iter().map(|step| (step.output.clone(), step.limits));
    let seen = |((name, limits), histogram)| Seen { name, limits, histogram };
    Ok(std::iter::once(input).chain(outputs).zip(counted).map(seen).collect())
}

/// The model with the tensors `names` as further outputs.
fn opened(source: &Source, names: &[&str]) -> Vec<u8> {
    let mut proto: ModelProto = source.proto.clone();
    if let Some(graph) = &mut proto.graph {
        graph.output.extend(names.iter().map(|name| value_info(name, &[])));
    }
    seal(proto)
}

/// Counts the input first, then the tensors `names`.
fn count(
    plan: &Plan,
    cut: &Cut,
    names: &[&str],
    histograms: &mut [Histogram],
) -> Result<(), QuantiseError> {
    let mut input = vec![0.0; plan.shape().iter().product()];
    crop::to_input(&cut.picture, &mut input);
    let outputs = plan.run(&input)?;
    // The first output is the probabilities.
    let activations = outputs.iter().skip(1).map(|output| output.values.as_slice());
    let all = std::iter::once(input.as_slice()).chain(activations);
    let called = std::iter::once("input").chain(names.iter().copied());
    for ((histogram, values), name) in histograms.iter_mut().zip(all).zip(called) {
        if histogram.add(values) > 0 {
            return Err(QuantiseError::NotFinite {
                activation: name.to_owned(),
                face: cut.path.clone(),
            });
        }
    }
    Ok(())
}
