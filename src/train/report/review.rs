//! Labels that are probably wrong, to be looked at: pages of faces and a CSV to put them right in.
//! A classifier that learned a face from its wrong label may have learned to repeat it: one trained
//! on other data, or with another split, finds more.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::pages::short;
use crate::picture::{Label, Probabilities};
use crate::train::data::Cut;
use crate::train::pictures;
use crate::train::sheet::{self, Tile};

/// A face whose label the classifier would not have given.
pub(super) struct Doubt<'a> {
    pub cut: &'a Cut,
    pub suggested: Label,
    /// 0 to 1: of the label it has where that is doubted, of the answer where that is a mistake.
    pub probability: f32,
}

/// Writes `review.csv`, the least believed label first, and its faces in the same order on
/// `review-1.png` and so on: coloured as they are labelled, with the number of the row and what
/// the classifier suggests. The CSV, its labels put right, is what `--corrections` takes. Tells
/// how many there are.
pub fn write(crops: &[Cut], answers: &[Probabilities], folder: &Path) -> Result<usize> {
    let doubts = doubts(crops, answers);
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let path = folder.join("review.csv");
    fs::write(&path, table(&doubts, crops)?)
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    let tiles: Vec<Tile> = (1..).zip(&doubts).map(|(number, doubt)| tile(number, doubt)).collect();
    sheet::write_pages(&tiles, folder, "review")?;
    Ok(doubts.len())
}

fn doubts<'a>(crops: &'a [Cut], answers: &[Probabilities]) -> Vec<Doubt<'a>> {
    let mut doubts: Vec<Doubt<'a>> = crops
        .iter()
        .zip(answers)
        .map(|(cut, answer)| Doubt {
            cut,
            suggested: answer.best().0,
            probability: answer.of(cut.label),
        })
        .filter(|doubt| doubt.suggested != doubt.cut.label)
        .collect();
    doubts.sort_by(|a, b| a.probability.total_cmp(&b.probability));
    doubts
}

fn tile(number: usize, doubt: &Doubt) -> Tile {
    Tile {
        picture: doubt.cut.picture.clone(),
        label: Some(doubt.cut.label),
        text: match doubt.suggested {
            Label::IncorrectMask => format!("{number} incorr.?"),
            other => format!("{number} {}?", short(other)),
        },
    }
}

/// With one row each, in their order; `crops` are what their pictures must be told from.
pub(super) fn table(doubts: &[Doubt], crops: &[Cut]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "number",
        "image",
        "xmin",
        "ymin",
        "xmax",
        "ymax",
        "label",
        "suggested",
        "probability",
    ])?;
    let pictures = crops.iter().map(|cut| cut.path.as_path());
    for (number, doubt) in (1..).zip(doubts) {
        let number: usize = number;
        let image = pictures::ending(&doubt.cut.path, pictures.clone());
        let mut fields = vec![number.to_string(), image];
        match doubt.cut.bounds {
            Some(bounds) => fields.extend(<[f32; 4]>::from(bounds).map(|v| format!("{v:.1}"))),
            None => fields.resize(6, String::new()),
        }
        fields.push(doubt.cut.label.name().to_owned());
        fields.push(doubt.suggested.name().to_owned());
        fields.push(format!("{:.3}", doubt.probability));
        writer.write_record(&fields)?;
    }
    Ok(writer.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Picture, Rect};
    use crate::train::data::Corrections;

    fn cut(path: &str, bounds: Option<Rect>) -> Cut {
        Cut {
            picture: Picture::new(8, 8),
            label: Label::WithMask,
            origin: 0,
            bounds,
            width: 40.0,
            path: path.into(),
            placed: None,
            found: None,
        }
    }

    #[test]
    fn what_it_writes_can_be_put_right_and_given_back() {
        let bounds = Some(Rect { x1: 3.24, y1: 4.0, x2: 43.0, y2: 60.5 });
        let crops = [cut("/x/a/1.png", bounds), cut("/x/a/2.png", None), cut("/y/a/1.png", bounds)];
        let answer = |with_mask: f32| Probabilities {
            with_mask,
            without_mask: 1.0 - with_mask,
            incorrect_mask: 0.0,
        };
        let answers = [answer(0.3), answer(0.1), answer(0.9)];
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(&crops, &answers, folder.path()).unwrap(), 2);
        assert!(folder.path().join("review-1.png").is_file());
        let path = folder.path().join("review.csv");
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "1,x/a/2.png,,,,,with_mask,without_mask,0.100");
        assert_eq!(lines[2], "2,x/a/1.png,3.2,4.0,43.0,60.5,with_mask,without_mask,0.300");

        fs::write(&path, text.replace("with_mask,without_mask,0.300", "leave_out,,")).unwrap();
        let mut corrections = Corrections::read(&path).unwrap();
        let mut label = |cut: &Cut| corrections.label(&cut.path, cut.bounds, Some(cut.label));
        let labels: Vec<_> = crops.iter().map(&mut label).collect();
        let mut skipped = vec![];
        let done = corrections.finish(&mut skipped);
        assert_eq!((done.relabelled, done.left_out), (0, 1));
        // The face of the same name in another source stays.
        assert_eq!(labels, [None, Some(Label::WithMask), Some(Label::WithMask)]);
        assert!(skipped.is_empty(), "{skipped:?}");
    }

    #[test]
    fn nothing_in_doubt_gives_an_empty_table_and_no_page() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(&[], &[], folder.path()).unwrap(), 0);
        assert_eq!(
            fs::read_to_string(folder.path().join("review.csv")).unwrap().lines().count(),
            1
        );
        assert!(!folder.path().join("review-1.png").exists());
    }
}
