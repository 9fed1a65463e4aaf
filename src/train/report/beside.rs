//! Two models of one kind side by side: what each gets right, and how far their answers lie apart.

use serde::Serialize;

use super::{Comparison, Counts, Report, percent};
use crate::picture::{Label, Probabilities};

/// How near the answers of two models are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Nearness {
    pub faces: usize,
    /// Faces that both give the same label.
    pub agree: usize,
    /// Largest and mean difference of a probability.
    pub largest: f32,
    pub mean: f32,
}

impl Nearness {
    pub fn of(some: &[Probabilities], others: &[Probabilities]) -> Self {
        let (mut agree, mut largest, mut sum) = (0, 0.0f32, 0.0f64);
        let faces = some.len().min(others.len());
        for (a, b) in some.iter().zip(others) {
            agree += usize::from(a.best().0 == b.best().0);
            for label in Label::ALL {
                let apart = (a.of(label) - b.of(label)).abs();
                // What is no number is near to nothing.
                let apart = if apart.is_nan() { f32::INFINITY } else { apart };
                largest = largest.max(apart);
                sum += f64::from(apart);
            }
        }
        let mean = sum / (faces * Label::ALL.len()).max(1) as f64;
        Self { faces, agree, largest, mean: mean as f32 }
    }

    /// Part of the faces that both give the same label; 0 without faces.
    pub fn agreement(&self) -> f64 {
        self.agree as f64 / self.faces.max(1) as f64
    }
}

/// A table for people: `names` head the columns.
pub fn beside(
    names: [&str; 2],
    reports: [&Report; 2],
    nearness: &Nearness,
    told: &Comparison,
) -> String {
    let mut rows = vec![("", names.map(str::to_owned))];
    let mut row = |name, of: &dyn Fn(&Report) -> String| rows.push((name, reports.map(of)));
    row("accuracy, %", &|report| percent(report.accuracy));
    row("of mask and bare, %", &|report| percent(report.balanced_accuracy));
    row("loss", &|report| report.loss.map_or("-".to_owned(), |loss| format!("{loss:.4}")));
    for label in Label::ALL {
        row(label.name(), &|report| percent(report.all.recall(label)));
    }
    // The same faces may lie in other slices where their crops have another size.
    let recalls =
        |counts: &Counts| Label::ALL.map(|label| percent(counts.recall(label))).join(" / ");
    let [first, second] = reports;
    let slices: Vec<_> = first
        .slices
        .iter()
        .map(|(name, counts)| {
            let other = second.slices.iter().find(|(other, _)| other == name);
            let other = other.map_or("-".to_owned(), |(_, counts)| recalls(counts));
            (name, counts.faces, [recalls(counts), other])
        })
        .collect();
    let mut text = format!("{} faces; of each label, the part called by it, %\n", nearness.faces);
    for (name, [first, second]) in rows {
        text += &format!("{name:<22}{first:>18}{second:>18}\n");
    }
    if !slices.is_empty() {
        let heads = ["right of masked / bare / incorrect"; 2];
        text += &format!("\n{:<22}{:>8}{:>36}{:>36}\n", "", "faces", heads[0], heads[1]);
    }
    for (name, faces, [first, second]) in slices {
        text += &format!("{name:<22}{faces:>8}{first:>36}{second:>36}\n");
    }
    text += &format!(
        "\nsame label {} of {} ({} %), a probability differs by up to {:.3}, by {:.4} on average\n",
        nearness.agree,
        nearness.faces,
        percent(Some(nearness.agreement())),
        nearness.largest,
        nearness.mean,
    );
    text += &format!(
        "both right {}, only {} {}, only {} {}, both wrong {}\n",
        told.both_right, names[0], told.only_first, names[1], told.only_second, told.both_wrong
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(with_mask: f32, without_mask: f32) -> Probabilities {
        let incorrect_mask = 1.0 - with_mask - without_mask;
        Probabilities { with_mask, without_mask, incorrect_mask }
    }

    #[test]
    fn answers_that_differ_are_counted_and_measured() {
        let some = [answer(0.9, 0.1), answer(0.6, 0.4)];
        let others = [answer(0.9, 0.1), answer(0.4, 0.6)];
        let near = Nearness::of(&some, &others);
        assert_eq!((near.faces, near.agree, near.agreement()), (2, 1, 0.5));
        assert!((near.largest - 0.2).abs() < 1e-6 && (near.mean - 0.4 / 6.0).abs() < 1e-6);
        assert_eq!(Nearness::of(&[], &[]).agreement(), 0.0);
        let none = answer(f32::NAN, 0.1);
        assert_eq!(Nearness::of(&[none], &[none]).largest, f32::INFINITY);
    }

    #[test]
    fn the_table_has_a_column_for_each_model() {
        let answers = [answer(0.9, 0.1)];
        let report = Report::of(&[], &[], &[]);
        let near = Nearness::of(&answers, &answers);
        let told = Comparison::of(&[Label::WithMask], &answers, &answers);
        let table = beside(["float", "integer"], [&report, &report], &near, &told);
        assert!(table.contains("float           integer"), "{table}");
        assert!(table.contains("same label 1 of 1 (100.0 %)"), "{table}");
        for label in Label::ALL {
            assert!(table.contains(label.name()), "{table}");
        }
    }
}
