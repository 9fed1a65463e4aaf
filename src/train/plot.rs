//! Line charts, as PNG to look at and as SVG to put into a document.
//! Never: what the lines mean.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Once;

use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

/// Lines of so many points have them marked.
const FEW: usize = 40;
/// Pixels of the PNG.
const SIZE: (u32, u32) = (900, 640);
/// Okabe and Ito's colours, told apart in all common kinds of colour blindness
/// (jfly.uni-koeln.de/color).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
];

/// One line, with its name in the legend.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    /// For what is only there to compare with.
    pub dashed: bool,
}

/// A chart of one or more lines.
#[derive(Clone, Debug)]
pub struct Chart {
    pub title: String,
    pub x_label: String,
    pub y_label: String,
    /// What the axes show; a range of no length is widened.
    pub x: Range<f64>,
    pub y: Range<f64>,
    pub lines: Vec<Line>,
}

impl Chart {
    /// Writes `stem.png` and `stem.svg`, and gives their paths.
    pub fn write(&self, stem: &Path) -> Result<[PathBuf; 2]> {
        font()?;
        let paths = [stem.with_extension("png"), stem.with_extension("svg")];
        let [png, svg] = &paths;
        let mut pixels = vec![0; SIZE.0 as usize * SIZE.1 as usize * 3];
        self.draw(BitMapBackend::with_buffer(&mut pixels, SIZE).into_drawing_area())?;
        image::save_buffer(png, &pixels, SIZE.0, SIZE.1, image::ColorType::Rgb8)
            .with_context(|| format!("{}: cannot be written", png.display()))?;
        let mut text = String::new();
        self.draw(SVGBackend::with_string(&mut text, SIZE).into_drawing_area())?;
        std::fs::write(svg, text)
            .with_context(|| format!("{}: cannot be written", svg.display()))?;
        Ok(paths)
    }

    fn draw<B: DrawingBackend>(&self, area: DrawingArea<B, Shift>) -> Result<()> {
        let failed = |error: DrawingAreaErrorKind<B::ErrorType>| anyhow!("{}: {error}", self.title);
        area.fill(&WHITE).map_err(failed)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", 24))
            .margin(16)
            .x_label_area_size(48)
            .y_label_area_size(64)
            .build_cartesian_2d(widened(&self.x), widened(&self.y))
            .map_err(failed)?;
        chart
            .configure_mesh()
            .x_labels(self.x_ticks())
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .label_style(("sans-serif", 16))
            .axis_desc_style(("sans-serif", 18))
            .bold_line_style(BLACK.mix(0.15))
            .light_line_style(BLACK.mix(0.05))
            .draw()
            .map_err(failed)?;
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let style = colour.stroke_width(if line.dashed { 1 } else { 2 });
            let points = line.points.iter().copied();
            let drawn = if line.dashed {
                chart.draw_series(DashedLineSeries::new(points, 6, 5, style))
            } else {
                chart.draw_series(LineSeries::new(points, style))
            };
            drawn
                .map_err(failed)?
                .label(&line.name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 24, y)], style));
            if !line.dashed && line.points.len() <= FEW {
                let dots = line.points.iter().map(|point| Circle::new(*point, 3, colour.filled()));
                chart.draw_series(dots).map_err(failed)?;
            }
        }
        chart
            .configure_series_labels()
            .position(self.free_corner())
            .background_style(WHITE.mix(0.85))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 16))
            .legend_area_size(32)
            .draw()
            .map_err(failed)?;
        area.present().map_err(failed)
    }

    /// Whole numbers where epochs are counted.
    fn x_ticks(&self) -> usize {
        let length = self.x.end - self.x.start;
        if self.x_label == "epoch" && (1.0..20.0).contains(&length) {
            length as usize + 1
        } else {
            11
        }
    }

    /// Where the legend hides least of the lines.
    fn free_corner(&self) -> SeriesLabelPosition {
        let (x, y) = (widened(&self.x), widened(&self.y));
        let share =
            |value: f64, range: &Range<f64>| (value - range.start) / (range.end - range.start);
        let places: Vec<(f64, f64)> = self
            .lines
            .iter()
            .flat_map(|line| line.points.windows(2))
            .flat_map(|pair| {
                let (from, to) = (pair[0], pair[1]);
                let at = move |step: i32| {
                    let part = f64::from(step) / 20.0;
                    (from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1))
                };
                (0..20).map(at)
            })
            .map(|(at_x, at_y)| (share(at_x, &x), share(at_y, &y)))
            .collect();
        let hidden = |right: bool, upper: bool| {
            let inside = |(x, y): &&(f64, f64)| {
                let (x, y) = (if right { 1.0 - x } else { *x }, if upper { 1.0 - y } else { *y });
                x < 0.4 && y < 0.3
            };
            places.iter().filter(inside).count()
        };
        let corners = [
            (SeriesLabelPosition::LowerRight, hidden(true, false)),
            (SeriesLabelPosition::UpperRight, hidden(true, true)),
            (SeriesLabelPosition::LowerLeft, hidden(false, false)),
            (SeriesLabelPosition::UpperLeft, hidden(false, true)),
        ];
        let free = corners.into_iter().min_by_key(|(_, hidden)| *hidden);
        free.map_or(SeriesLabelPosition::LowerRight, |(corner, _)| corner)
    }
}

fn widened(range: &Range<f64>) -> Range<f64> {
    let length = range.end - range.start;
    if length > 0.0 { range.clone() } else { range.start - 0.5..range.start + 0.5 }
}

/// The font is carried along: a headless machine often has none.
fn font() -> Result<()> {
    static ONCE: Once = Once::new();
    let mut result = Ok(());
    ONCE.call_once(|| {
        result = register_font("sans-serif", FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT)
            .map_err(|_| anyhow!("the built-in font cannot be read"));
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        let line = Line { name: "recall".into(), points, dashed: false };
        Chart {
            title: "A chart".into(),
            x_label: "false boxes".into(),
            y_label: "recall".into(),
            x: 0.0..1.0,
            y: 0.0..1.0,
            lines: vec![line],
        }
    }

    #[test]
    fn a_line_is_drawn_where_its_points_are() {
        let folder = tempfile::tempdir().unwrap();
        let flat = |height| vec![(0.0, height), (1.0, height)];
        let [png, svg] = chart(flat(0.5)).write(&folder.path().join("chart")).unwrap();
        let text = std::fs::read_to_string(svg).unwrap();
        assert!(text.contains("false boxes") && text.contains("polyline"));
        let picture = image::open(png).unwrap().into_rgb8();
        let colour = image::Rgb([COLOURS[0].0, COLOURS[0].1, COLOURS[0].2]);
        let rows: Vec<u32> = picture
            .enumerate_pixels()
            .filter(|(x, _, pixel)| *x == SIZE.0 / 3 && **pixel == colour)
            .map(|(_, y, _)| y)
            .collect();
        assert!(!rows.is_empty(), "no line");
        assert!(rows.iter().all(|y| (SIZE.1 / 3..SIZE.1 * 2 / 3).contains(y)), "{rows:?}");
    }

    #[test]
    fn nothing_to_draw_and_no_room_to_draw_it_in_is_still_a_chart() {
        let folder = tempfile::tempdir().unwrap();
        let empty = Chart { x: 3.0..3.0, ..chart(vec![]) };
        assert!(empty.write(&folder.path().join("empty")).is_ok());
    }
}
