//! The five published steps as pictures: bare, face found, face region, landmarks, mask laid on.

use crate::picture::{Label, Mark, Picture, Point, Rect, draw};
use crate::train::clip::align::Similarity;
use crate::train::clip::canvas::{Layer, paint};
use crate::vision::crop;

/// Side in pixels at which the face region is shown.
const SIDE: u32 = 256;
const DOT: [f32; 3] = [0.0, 158.0, 115.0];

/// A name and a picture for each step, for one face.
pub fn of(
    bare: &Picture,
    bounds: &Rect,
    landmarks: &[Point; 5],
    masked: &Picture,
) -> [(&'static str, Picture); 5] {
    let mut found = bare.clone();
    let label = Some(Label::WithoutMask);
    draw(&mut found, &[Mark { bounds: *bounds, label, text: String::new() }]);
    let region = crop::region(bounds, crop::MARGIN);
    let face = crop::cut(bare, &region, SIDE);
    let scale = SIDE as f32 / region.width().max(1.0);
    let dotted = dotted(
        &face,
        &landmarks.map(|p| Point { x: (p.x - region.x1) * scale, y: (p.y - region.y1) * scale }),
    );
    [
        ("1-bare", bare.clone()),
        ("2-face", found),
        ("3-region", face),
        ("4-landmarks", dotted),
        ("5-mask", masked.clone()),
    ]
}

fn dotted(face: &Picture, landmarks: &[Point; 5]) -> Picture {
    let mut layer = Layer::of(face);
    for p in landmarks {
        for (radius, rgb) in [(5.5, [0.0; 3]), (4.0, DOT)] {
            let circle: Vec<Point> = (0..24)
                .map(|i| std::f32::consts::TAU * i as f32 / 24.0)
                .map(|turn| Similarity::new(*p, radius, turn).apply(Point { x: 1.0, y: 0.0 }))
                .collect();
            layer.fill(&circle, 0.0, |_| paint(rgb, 1.0));
        }
    }
    layer.picture()
}
