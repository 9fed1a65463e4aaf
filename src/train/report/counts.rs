//! Counting answers against labels.

use serde::Serialize;

use crate::picture::{Label, Probabilities};

/// Counts of one set of faces: `confusion[truth][answer]`, in the order of `Label::ALL`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Counts {
    pub faces: usize,
    pub confusion: [[usize; 3]; 3],
    /// Masked and bare faces by the likelier of these two alone, `[truth][answer]`.
    pub two_classes: [[usize; 2]; 2],
}

/// How one class, or an average of classes, fares. Every figure is `None` where it would divide by
/// nothing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scores {
    /// The label, `macro average` or `weighted average`.
    pub name: String,
    pub precision: Option<f64>,
    pub recall: Option<f64>,
    /// Harmonic mean of the two.
    pub f1: Option<f64>,
    /// Faces of this class.
    pub support: usize,
}

impl Counts {
    pub(super) fn add(&mut self, truth: Label, answer: &Probabilities) {
        self.faces += 1;
        self.confusion[truth as usize][answer.best().0 as usize] += 1;
        if truth != Label::IncorrectMask {
            let bare = usize::from(answer.without_mask > answer.with_mask);
            self.two_classes[truth as usize][bare] += 1;
        }
    }

    /// Mean of the two recalls of masked and bare faces, `incorrect_mask` set aside; `None`
    /// without faces of both.
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

    /// Part of all faces whose likeliest label is right.
    pub fn accuracy(&self) -> Option<f64> {
        part(Label::ALL.iter().map(|l| self.confusion[*l as usize][*l as usize]).sum(), self.faces)
    }

    /// One line for each class that has faces or answers.
    pub fn classes(&self) -> Vec<Scores> {
        let of = |label: Label| {
            let (precision, recall) = (self.precision(label), self.recall(label));
            let f1 = match (precision, recall) {
                (Some(p), Some(r)) if p + r > 0.0 => Some(2.0 * p * r / (p + r)),
                (Some(_), Some(_)) => Some(0.0),
                _ => None,
            };
            let support = self.confusion[label as usize].iter().sum();
            Scores { name: label.name().to_owned(), precision, recall, f1, support }
        };
        let told = |scores: &Scores| scores.precision.is_some() || scores.recall.is_some();
        Label::ALL.into_iter().map(of).filter(told).collect()
    }

    /// Means over the classes that have faces: each class counting once, and each face once.
    pub fn averages(&self) -> [Scores; 2] {
        let classes: Vec<Scores> = self.classes().into_iter().filter(|c| c.support > 0).collect();
        let mean = |name: &str, weight: &dyn Fn(&Scores) -> f64| {
            // A class that nothing was taken for has no precision; it counts as 0, as it should.
            let of = |value: &dyn Fn(&Scores) -> Option<f64>| {
                let all: f64 = classes.iter().map(weight).sum();
                let sum: f64 = classes.iter().map(|c| weight(c) * value(c).unwrap_or(0.0)).sum();
                (all > 0.0).then(|| sum / all)
            };
            let (precision, recall, f1) = (of(&|c| c.precision), of(&|c| c.recall), of(&|c| c.f1));
            Scores { name: name.to_owned(), precision, recall, f1, support: self.faces }
        };
        [mean("macro average", &|_| 1.0), mean("weighted average", &|c| c.support as f64)]
    }
}

fn part(some: usize, all: usize) -> Option<f64> {
    (all > 0).then(|| some as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 8 masked of which 6 are right, 2 bare of which both are.
    fn counts() -> Counts {
        Counts {
            faces: 10,
            confusion: [[6, 2, 0], [0, 2, 0], [0, 0, 0]],
            two_classes: [[6, 2], [0, 2]],
        }
    }

    #[test]
    fn figures_are_those_of_the_usual_report() {
        let classes = counts().classes();
        assert_eq!(classes.len(), 2, "a class that neither occurs nor is answered is left out");
        let [masked, bare] = [&classes[0], &classes[1]];
        assert_eq!((masked.precision, masked.recall, masked.support), (Some(1.0), Some(0.75), 8));
        assert_eq!((bare.precision, bare.recall, bare.support), (Some(0.5), Some(1.0), 2));
        assert!((masked.f1.unwrap() - 6.0 / 7.0).abs() < 1e-9);
        assert_eq!(counts().accuracy(), Some(0.8));
        let [macro_average, weighted] = counts().averages();
        assert_eq!((macro_average.precision, macro_average.recall), (Some(0.75), Some(0.875)));
        assert_eq!((weighted.precision, weighted.recall), (Some(0.9), Some(0.8)));
    }

    #[test]
    fn no_faces_have_no_figures() {
        let none = Counts::default();
        assert!(none.classes().is_empty());
        assert_eq!((none.accuracy(), none.balanced_accuracy()), (None, None));
        assert_eq!(none.averages()[0].f1, None);
    }
}
