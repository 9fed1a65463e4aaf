//! What is written beside a face on annotated pictures.

use crate::picture::{Label, Look, Mark};
use crate::pipeline::Step;

/// Marks for single looks: what the classifier says.
pub(super) fn of_looks(looks: &[Look]) -> Vec<Mark> {
    let mark = |look: &Look| {
        let (label, probability) = look.probabilities.best();
        let text = format!("{} {:.0}%", words(label), probability * 100.0);
        Mark { bounds: look.face.bounds, label: Some(label), text }
    };
    looks.iter().map(mark).collect()
}

/// Marks for followed people: their number and what is believed of them. A face that is not
/// followed yet, or about whom nothing is believed yet, is marked as open.
pub(super) fn of_step(step: &Step) -> Vec<Mark> {
    let mark = |(index, look): (usize, &Look)| {
        let person = step.update.people.iter().find(|person| person.look == Some(index));
        let verdict = person.and_then(|person| person.verdict);
        let mut text = person.map_or(String::new(), |person| person.track.to_string());
        if let Some(verdict) = verdict {
            text += &format!(" {} {:.0}%", words(verdict.label), verdict.confidence * 100.0);
        }
        Mark { bounds: look.face.bounds, label: verdict.map(|verdict| verdict.label), text }
    };
    step.looks.iter().enumerate().map(mark).collect()
}

/// A label in a word or two.
pub(super) fn words(label: Label) -> &'static str {
    match label {
        Label::WithMask => "mask",
        Label::WithoutMask => "no mask",
        Label::IncorrectMask => "mask wrong",
    }
}
