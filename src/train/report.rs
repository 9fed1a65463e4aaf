//! How right a classifier is: confusion, recall and precision, by source and size.

use serde::Serialize;

use super::data::Cut;
use crate::picture::{Label, Probabilities};

/// Counts of one set of faces: `confusion[truth][answer]`, in the order of `Label::ALL`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    pub faces: usize,
    pub confusion: [[usize; 3]; 3],
    /// Masked and bare faces by the likelier of these two alone, `[truth][answer]`.
    pub two_classes: [[usize; 2]; 2],
}

/// All figures of one judgement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub all: Counts,
    /// Mean of the two recalls of masked and bare faces, `incorrect_mask` set aside; `None`
    /// without faces of both.
    pub balanced_accuracy: Option<f64>,
    pub recall: [Option<f64>; 3],
    pub precision: [Option<f64>; 3],
    /// Faces by the width of their box in pixels, and by source.
    pub parts: Vec<(String, Counts)>,
}

/// Bounds of the sizes told apart, pixels of box width.
const WIDTHS: [(f32, f32); 3] = [(0.0, 32.0), (32.0, 64.0), (64.0, f32::INFINITY)];

impl Counts {
    fn add(&mut self, truth: Label, answer: &Probabilities) {
        self.faces += 1;
        self.confusion[truth as usize][answer.best().0 as usize] += 1;
        if truth != Label::IncorrectMask {
            let bare = usize::from(answer.without_mask > answer.with_mask);
            self.two_classes[truth as usize][bare] += 1;
        }
    }

    /// See `Report::balanced_accuracy`.
    pub fn balanced_accuracy(&self) -> Option<f64> {
        let [masked, bare] = self.two_classes;
        Some((part(masked[0], masked.iter().sum())? + part(bare[1], bare.iter().sum())?) / 2.0)
    }

    pub fn recall(&self, label: Label) -> Option<f64> {
        let row = self.confusion[label as usize];
        part(row[label as usize], row.iter().sum())
    }

    pub fn precision(&self, label: Label) -> Option<f64> {
        let column = self.confusion.map(|row| row[label as usize]);
        part(column[label as usize], column.iter().sum())
    }
}

fn part(some: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| some as f64 / all as f64)
}

impl Report {
    /// Compares answers with labels; `sources` names the origins.
    pub fn of(crops: &[Cut], answers: &[Probabilities], sources: &[String]) -> Self {
        let mut all = Counts::default();
        let mut by_width = vec![Counts::default(); WIDTHS.len()];
        let mut by_source = vec![Counts::default(); sources.len()];
        for (cut, answer) in crops.iter().zip(answers) {
            all.add(cut.label, answer);
            for ((low, high), counts) in WIDTHS.iter().zip(&mut by_width) {
                if (*low..*high).contains(&cut.width) {
                    counts.add(cut.label, answer);
                }
            }
            if let Some(counts) = by_source.get_mut(cut.origin) {
                counts.add(cut.label, answer);
            }
        }
        let widths = WIDTHS.iter().map(|(low, high)| {
            if high.is_finite() {
                format!("{low} to {high} px")
            } else {
                format!("{low} px and wider")
            }
        });
        let parts = widths.zip(by_width).chain(sources.iter().cloned().zip(by_source)).collect();
        Self {
            balanced_accuracy: all.balanced_accuracy(),
            recall: Label::ALL.map(|label| all.recall(label)),
            precision: Label::ALL.map(|label| all.precision(label)),
            all,
            parts,
        }
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let percent = |value: Option<f64>| {
            value.map_or("    -".to_owned(), |value| format!("{:5.1}", 100.0 * value))
        };
        let mut text = format!("{:<16}", "truth \\ answer");
        for label in Label::ALL {
            text += &format!("{:>16}", label.name());
        }
        text += "   recall  precision\n";
        for label in Label::ALL {
            text += &format!("{:<16}", label.name());
            for count in self.all.confusion[label as usize] {
                text += &format!("{count:>16}");
            }
            let (recall, precision) = (self.recall[label as usize], self.precision[label as usize]);
            text += &format!("  {} %    {} %\n", percent(recall), percent(precision));
        }
        text += &format!(
            "balanced accuracy over mask and bare: {} %\n",
            percent(self.balanced_accuracy).trim()
        );
        for (name, counts) in &self.parts {
            text += &format!(
                "  {name}: {} faces, balanced {} %, recall {} / {} / {} %\n",
                counts.faces,
                percent(counts.balanced_accuracy()).trim(),
                percent(counts.recall(Label::WithMask)).trim(),
                percent(counts.recall(Label::WithoutMask)).trim(),
                percent(counts.recall(Label::IncorrectMask)).trim(),
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Report;
    use crate::picture::{Label, Picture, Probabilities};
    use crate::train::data::Cut;

    fn cut(label: Label, width: f32) -> Cut {
        Cut { picture: Picture::new(1, 1), label, origin: 0, width }
    }

    fn answer(with_mask: f32, without_mask: f32) -> Probabilities {
        let incorrect_mask = 1.0 - with_mask - without_mask;
        Probabilities { with_mask, without_mask, incorrect_mask }
    }

    #[test]
    fn a_masked_face_called_incorrect_still_counts_as_not_bare() {
        let crops = [
            cut(Label::WithMask, 20.0),
            cut(Label::WithMask, 40.0),
            cut(Label::WithoutMask, 40.0),
            cut(Label::IncorrectMask, 100.0),
        ];
        let answers = [answer(0.3, 0.1), answer(0.1, 0.9), answer(0.0, 1.0), answer(0.9, 0.1)];
        let report = Report::of(&crops, &answers, &["toy".to_owned()]);
        assert_eq!(report.all.confusion, [[0, 1, 1], [0, 1, 0], [1, 0, 0]]);
        assert_eq!(report.balanced_accuracy, Some(0.75));
        assert_eq!(report.recall, [Some(0.0), Some(1.0), Some(0.0)]);
        assert_eq!(report.precision, [Some(0.0), Some(0.5), Some(0.0)]);
        let faces: Vec<usize> = report.parts.iter().map(|(_, counts)| counts.faces).collect();
        assert_eq!(faces, [1, 2, 1, 4]);
    }
}
