//! How well probabilities order faces, and whether they mean what they say.

use serde::Serialize;

use crate::picture::{Label, Probabilities};

/// Bins of the reliability curve, by the probability of the likeliest label.
const BINS: usize = 10;
/// Probabilities are kept this far from 0 before their logarithm is taken.
const LEAST: f64 = 1e-6;

/// Whether a probability of 0.9 is right nine times in ten.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Mean distance of probability from accuracy, weighted by faces, over 10 bins (expected
    /// calibration error, Naeini et al. 2015).
    pub error: f64,
    /// The same after dividing the logits by `temperature`.
    pub error_at_temperature: f64,
    /// What these faces want the logits divided by (Guo et al., "On Calibration of Modern Neural
    /// Networks", 2017); 1 where the probabilities are right as they are.
    pub temperature: f64,
    /// Faces, mean probability and part that is right for each bin that holds faces.
    pub bins: Vec<(usize, f64, f64)>,
}

/// One label against the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Roc {
    pub label: Label,
    /// Area under the curve: how often a face of this label gets a higher probability of it than
    /// one of another.
    pub area: f64,
    /// False and true positive rates as the threshold falls, the corners of the curve.
    pub points: Vec<(f64, f64)>,
}

/// Mean negative logarithm of the right label's probability, the logits divided by `temperature`.
pub fn loss(truths: &[Label], answers: &[Probabilities], temperature: f64) -> Option<f64> {
    let of = |(truth, answer): (&Label, &Probabilities)| {
        -tempered(answer, temperature)[*truth as usize].max(LEAST).ln()
    };
    let sum: f64 = truths.iter().zip(answers).map(of).sum();
    (!answers.is_empty()).then(|| sum / answers.len() as f64)
}

/// The probabilities as the network would give them with its logits divided by `temperature`.
fn tempered(answer: &Probabilities, temperature: f64) -> [f64; 3] {
    // A label that a model of two classes never gives stays at nothing.
    let raised = Label::ALL.map(|label| match f64::from(answer.of(label)) {
        value if value > 0.0 => value.max(LEAST).powf(1.0 / temperature),
        _ => 0.0,
    });
    let sum: f64 = raised.iter().sum();
    raised.map(|value| value / sum)
}

/// Fits the temperature and measures; `None` without faces.
pub fn calibration(truths: &[Label], answers: &[Probabilities]) -> Option<Calibration> {
    if answers.is_empty() {
        return None;
    }
    let at = |temperature| loss(truths, answers, temperature).unwrap_or_default();
    let temperature = smallest(0.2, 5.0, at);
    let (error, bins) = reliability(truths, answers, 1.0);
    let (error_at_temperature, _) = reliability(truths, answers, temperature);
    Some(Calibration { error, error_at_temperature, temperature, bins })
}

/// Where `f`, which falls and then rises, is smallest between `low` and `high`, to 0.1 %: golden
/// section search on the logarithm.
fn smallest(low: f64, high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = (low.ln(), high.ln());
    while high - low > 1e-3 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if f(left.exp()) < f(right.exp()) { high = right } else { low = left }
    }
    ((low + high) / 2.0).exp()
}

fn reliability(
    truths: &[Label],
    answers: &[Probabilities],
    temperature: f64,
) -> (f64, Vec<(usize, f64, f64)>) {
    let mut bins = [(0_usize, 0.0_f64, 0_usize); BINS];
    for (truth, answer) in truths.iter().zip(answers) {
        let shown = tempered(answer, temperature);
        let (best, sure) = answer.best();
        let sure = if temperature == 1.0 { f64::from(sure) } else { shown[best as usize] };
        let bin = &mut bins[((sure * BINS as f64) as usize).min(BINS - 1)];
        *bin = (bin.0 + 1, bin.1 + sure, bin.2 + usize::from(best == *truth));
    }
    let filled = bins.iter().filter(|bin| bin.0 > 0);
    let bins: Vec<(usize, f64, f64)> =
        filled.map(|b| (b.0, b.1 / b.0 as f64, b.2 as f64 / b.0 as f64)).collect();
    let off: f64 = bins.iter().map(|(n, sure, right)| *n as f64 * (sure - right).abs()).sum();
    (off / answers.len() as f64, bins)
}

/// The curve of `label`; `None` where all faces have it, or none.
pub fn roc(label: Label, truths: &[Label], answers: &[Probabilities]) -> Option<Roc> {
    let mut scored: Vec<(f32, bool)> =
        truths.iter().zip(answers).map(|(truth, a)| (a.of(label), *truth == label)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = scored.iter().filter(|(_, is)| *is).count();
    let negatives = scored.len() - positives;
    if positives == 0 || negatives == 0 {
        return None;
    }
    let (mut right, mut wrong) = (0, 0);
    let mut points = vec![(0.0, 0.0)];
    let mut area = 0.0;
    // Equal scores pass the threshold together.
    for group in scored.chunk_by(|a, b| a.0 == b.0) {
        let before = right;
        let hits = group.iter().filter(|(_, is)| *is).count();
        right += hits;
        wrong += group.len() - hits;
        let step = (group.len() - hits) as f64 / negatives as f64;
        area += step * (before + right) as f64 / 2.0 / positives as f64;
        let point = (wrong as f64 / negatives as f64, right as f64 / positives as f64);
        if let [.., one, two] = points[..]
            && ((one.0 == two.0 && two.0 == point.0) || (one.1 == two.1 && two.1 == point.1))
        {
            points.pop();
        }
        points.push(point);
    }
    Some(Roc { label, area, points })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(masked: f32) -> Probabilities {
        Probabilities { with_mask: masked, without_mask: 1.0 - masked, incorrect_mask: 0.0 }
    }

    #[test]
    fn a_perfect_order_has_area_one_and_a_random_one_a_half() {
        let truths = [Label::WithMask, Label::WithMask, Label::WithoutMask, Label::WithoutMask];
        let of = |scores: [f32; 4]| roc(Label::WithMask, &truths, &scores.map(answer)).unwrap();
        let perfect = of([0.9, 0.8, 0.3, 0.2]);
        assert_eq!(perfect.area, 1.0);
        assert_eq!(perfect.points, [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]);
        assert_eq!(of([0.2, 0.3, 0.8, 0.9]).area, 0.0);
        assert_eq!(of([0.5, 0.5, 0.5, 0.5]).area, 0.5, "equal scores tell nothing");
        assert_eq!(of([0.9, 0.3, 0.8, 0.2]).points.last(), Some(&(1.0, 1.0)));
        assert!(roc(Label::WithMask, &truths[..2], &[answer(0.9), answer(0.8)]).is_none());
    }

    #[test]
    fn answers_that_are_too_sure_want_a_temperature_above_one() {
        // Ninety-nine percent sure, right four times in five.
        let truths: Vec<Label> = (0..100)
            .map(|at| if at % 5 == 0 { Label::WithoutMask } else { Label::WithMask })
            .collect();
        let sure = calibration(&truths, &[answer(0.99); 100]).unwrap();
        assert!((sure.error - 0.19).abs() < 1e-3, "{sure:?}");
        assert!(sure.temperature > 2.0, "{sure:?}");
        assert!(sure.error_at_temperature < 0.01, "{sure:?}");
        assert_eq!(sure.bins.len(), 1);

        let honest = calibration(&truths, &[answer(0.8); 100]).unwrap();
        assert!((honest.temperature - 1.0).abs() < 0.01, "{honest:?}");
        assert!(honest.error < 1e-3);
        assert_eq!(calibration(&[], &[]), None);
    }
}
