//! How right a classifier is: by class, by slice, how its probabilities order faces and whether
//! they mean what they say.

mod beside;
mod counts;
mod curves;
mod pages;
mod review;
mod slices;

use serde::Serialize;

pub use beside::{Nearness, beside};
pub use counts::{Counts, Scores};
pub use curves::{Calibration, Roc, calibration, loss, roc};
pub use pages::write as write_pages;
pub use review::write as write_review;

use super::data::Cut;
use crate::picture::{Label, Probabilities};

/// All figures of one judgement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub all: Counts,
    /// Mean negative logarithm of the right label's probability; `None` without faces.
    pub loss: Option<f64>,
    pub accuracy: Option<f64>,
    /// See `Counts::balanced_accuracy`.
    pub balanced_accuracy: Option<f64>,
    pub classes: Vec<Scores>,
    pub averages: [Scores; 2],
    pub roc: Vec<Roc>,
    pub calibration: Option<Calibration>,
    /// Faces by size, focus, light, source and group of people, most faces first.
    pub slices: Vec<(String, Counts)>,
}

impl Report {
    /// Compares answers with labels; `sources` names the origins.
    pub fn of(crops: &[Cut], answers: &[Probabilities], sources: &[String]) -> Self {
        let mut all = Counts::default();
        let mut slices: Vec<(String, Counts)> = Vec::new();
        for (cut, answer) in crops.iter().zip(answers) {
            all.add(cut.label, answer);
            for name in slices::of(cut, sources.get(cut.origin).map(String::as_str)) {
                match slices.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, counts)) => counts.add(cut.label, answer),
                    None => {
                        let mut counts = Counts::default();
                        counts.add(cut.label, answer);
                        slices.push((name, counts));
                    }
                }
            }
        }
        slices.sort_by(|a, b| b.1.faces.cmp(&a.1.faces).then_with(|| a.0.cmp(&b.0)));
        let truths: Vec<Label> = crops.iter().map(|cut| cut.label).collect();
        Self {
            loss: loss(&truths, answers, 1.0),
            accuracy: all.accuracy(),
            balanced_accuracy: all.balanced_accuracy(),
            classes: all.classes(),
            averages: all.averages(),
            roc: Label::ALL.into_iter().filter_map(|l| roc(l, &truths, answers)).collect(),
            calibration: calibration(&truths, answers),
            all,
            slices,
        }
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let mut text = format!("{:<18}", "truth \\ answer");
        for label in Label::ALL {
            text += &format!("{:>16}", label.name());
        }
        text += "\n";
        for label in Label::ALL {
            text += &format!("{:<18}", label.name());
            for count in self.all.confusion[label as usize] {
                text += &format!("{count:>16}");
            }
            text += "\n";
        }
        text += &format!(
            "\n{:<18}{:>12}{:>10}{:>10}{:>10}\n",
            "", "precision", "recall", "F1", "faces"
        );
        for scores in self.classes.iter().chain(&self.averages) {
            text += &format!(
                "{:<18}{:>12}{:>10}{:>10}{:>10}\n",
                scores.name,
                percent(scores.precision),
                percent(scores.recall),
                percent(scores.f1),
                scores.support
            );
        }
        text += &format!(
            "\naccuracy {} %, balanced accuracy over mask and bare {} %\n",
            percent(self.accuracy),
            percent(self.balanced_accuracy)
        );
        let areas = self.roc.iter().map(|roc| format!("{} {:.4}", roc.label, roc.area));
        text += &format!("area under ROC: {}\n", areas.collect::<Vec<_>>().join(", "));
        if let Some(told) = &self.calibration {
            text += &format!(
                "calibration error {:.4}; temperature {:.2} would make it {:.4}\n",
                told.error, told.temperature, told.error_at_temperature
            );
        }
        text +=
            &format!("\n{:<18}{:>8}{:>36}\n", "", "faces", "right of masked / bare / incorrect");
        for (name, counts) in &self.slices {
            let recalls = Label::ALL.map(|label| percent(counts.recall(label)));
            text += &format!("{name:<18}{:>8}{:>36}\n", counts.faces, recalls.join(" / "));
        }
        text
    }
}

fn percent(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{:.1}", 100.0 * value))
}

/// Two models on the same faces: what each has right that the other has wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    pub both_right: usize,
    pub only_first: usize,
    pub only_second: usize,
    pub both_wrong: usize,
}

impl Comparison {
    /// `crops` are labels alone: each model has its own crops of the same faces.
    pub fn of(truths: &[Label], first: &[Probabilities], second: &[Probabilities]) -> Self {
        let mut told = Self { both_right: 0, only_first: 0, only_second: 0, both_wrong: 0 };
        for ((truth, first), second) in truths.iter().zip(first).zip(second) {
            let count = match (first.best().0 == *truth, second.best().0 == *truth) {
                (true, true) => &mut told.both_right,
                (true, false) => &mut told.only_first,
                (false, true) => &mut told.only_second,
                (false, false) => &mut told.both_wrong,
            };
            *count += 1;
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;

    fn cut(label: Label, width: f32) -> Cut {
        Cut {
            picture: Picture::new(8, 8),
            label,
            origin: 0,
            bounds: None,
            width,
            path: "a.jpg".into(),
            placed: None,
            found: None,
        }
    }

    fn answer(with_mask: f32, without_mask: f32) -> Probabilities {
        let incorrect_mask = 1.0 - with_mask - without_mask;
        Probabilities { with_mask, without_mask, incorrect_mask }
    }

    fn toy() -> (Vec<Cut>, Vec<Probabilities>) {
        let crops = vec![
            cut(Label::WithMask, 20.0),
            cut(Label::WithMask, 40.0),
            cut(Label::WithoutMask, 40.0),
            cut(Label::IncorrectMask, 100.0),
        ];
        (crops, vec![answer(0.3, 0.1), answer(0.1, 0.9), answer(0.0, 1.0), answer(0.9, 0.1)])
    }

    #[test]
    fn a_masked_face_called_incorrect_still_counts_as_not_bare() {
        let (crops, answers) = toy();
        let report = Report::of(&crops, &answers, &["toy".to_owned()]);
        assert_eq!(report.all.confusion, [[0, 1, 1], [0, 1, 0], [1, 0, 0]]);
        assert_eq!(report.balanced_accuracy, Some(0.75));
        let recall: Vec<_> = report.classes.iter().map(|c| c.recall).collect();
        assert_eq!(recall, [Some(0.0), Some(1.0), Some(0.0)]);
        let faces = |name: &str| report.slices.iter().find(|(n, _)| n == name).map(|s| s.1.faces);
        assert_eq!(
            [faces("under 32 px"), faces("32 to 64 px"), faces("toy")],
            [Some(1), Some(2), Some(4)]
        );
    }

    #[test]
    fn the_table_names_every_class_average_and_slice() {
        let (crops, answers) = toy();
        let table = Report::of(&crops, &answers, &["toy".to_owned()]).table();
        for name in ["with_mask", "macro average", "weighted average", "toy", "dark", "temperature"]
        {
            assert!(table.contains(name), "{name} is not in\n{table}");
        }
    }

    #[test]
    fn two_models_are_held_against_each_other_face_by_face() {
        let (crops, first) = toy();
        let truths: Vec<Label> = crops.iter().map(|cut| cut.label).collect();
        let second = [answer(0.9, 0.1), answer(0.1, 0.9), answer(0.8, 0.2), answer(0.9, 0.1)];
        let told = Comparison::of(&truths, &first, &second);
        let expected = Comparison { both_right: 0, only_first: 1, only_second: 1, both_wrong: 2 };
        assert_eq!(told, expected);
    }
}
