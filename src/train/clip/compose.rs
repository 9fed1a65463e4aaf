//! Grouping people who look alike in hue, hair and face, and averaging each group.

use crate::picture::{Picture, Point};
use crate::train::random::Random;

use super::Error;
use super::faces::{EYES, MIDDLE, SIZE};

/// Groups made; also how many composed faces there are.
pub const GROUPS: usize = 8;
/// Fewest people averaged into one face.
pub const LEAST_PEOPLE: usize = 20;
/// Most people averaged into one face: the ones nearest to the middle of their group.
const MOST_PEOPLE: usize = 28;

/// Cells of the coarse picture by which faces are compared, across and down.
const CELLS: (usize, usize) = (16, 17);
const RESTARTS: usize = 24;
const ROUNDS: usize = 30;
/// Share of each pixel's brightest and darkest values left out of the average: glasses,
/// microphones and strands of hair that only some have.
const TRIM: f32 = 0.18;

/// The average of many people's faces.
pub struct Composed {
    /// Aligned as in `faces`.
    pub picture: Picture,
    pub people: usize,
}

/// Disjoint groups of aligned faces, averaged; darkest skin first.
pub fn compose(aligned: &[Picture], seed: u64) -> Result<Vec<Composed>, Error> {
    let mut composed: Vec<Composed> = group(aligned, GROUPS, LEAST_PEOPLE, seed)?
        .into_iter()
        .map(|members| {
            let members: Vec<&Picture> =
                members.iter().take(MOST_PEOPLE).map(|&i| &aligned[i]).collect();
            Composed { picture: average(&members), people: members.len() }
        })
        .collect();
    composed.sort_by(|a, b| luma(skin(&a.picture)).total_cmp(&luma(skin(&b.picture))));
    Ok(composed)
}

pub fn luma(rgb: [f32; 3]) -> f32 {
    0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
}

/// Mean colour of the cheeks and the nose of an aligned face.
pub fn skin(aligned: &Picture) -> [f32; 3] {
    mean(aligned, |p| p.x.abs() < 0.7 && (0.25..0.8).contains(&p.y))
}

/// Mean over the pixels whose place (in eye distances from the middle between the eyes) is
/// wanted.
fn mean(aligned: &Picture, wanted: impl Fn(Point) -> bool) -> [f32; 3] {
    let mut sum = [0.0; 3];
    let mut count = 0.0_f32;
    for (i, rgb) in aligned.pixels().chunks_exact(3).enumerate() {
        let (x, y) = ((i % SIZE.0 as usize) as f32, (i / SIZE.0 as usize) as f32);
        let p = Point { x: (x + 0.5 - MIDDLE.x) / EYES, y: (y + 0.5 - MIDDLE.y) / EYES };
        if wanted(p) {
            for (total, &channel) in sum.iter_mut().zip(rgb) {
                *total += f32::from(channel);
            }
            count += 1.0;
        }
    }
    sum.map(|total| total / count.max(1.0))
}

/// k-means with k-means++ starts; the members of each group, nearest to its middle first.
fn group(
    aligned: &[Picture],
    groups: usize,
    least: usize,
    seed: u64,
) -> Result<Vec<Vec<usize>>, Error> {
    let needed = groups * least;
    let too_few = Error::TooFewPeople { found: aligned.len(), needed };
    if aligned.len() < needed {
        return Err(too_few);
    }
    let looks: Vec<Vec<f32>> = aligned.iter().map(look).collect();
    let mut best: Option<(f32, Vec<Vec<usize>>)> = None;
    for restart in 0..RESTARTS {
        let mut random = Random::new(seed).stream(restart as u64);
        let (cost, found) = cluster(&looks, groups, &mut random);
        let large_enough = found.iter().all(|members| members.len() >= least);
        if large_enough && best.as_ref().is_none_or(|(least_cost, _)| cost < *least_cost) {
            best = Some((cost, found));
        }
    }
    best.map(|(_, found)| found).ok_or(too_few)
}

/// What makes a face look as it does from afar: a coarse picture of head and hair, its light
/// partly evened out, since a dark picture is not a dark face.
fn look(aligned: &Picture) -> Vec<f32> {
    let (width, height) = (SIZE.0 as usize / CELLS.0, SIZE.1 as usize / CELLS.1);
    let light = luma(skin(aligned)) * 0.6;
    let mut cells = Vec::with_capacity(CELLS.0 * CELLS.1 * 3);
    for (row, column) in (0..CELLS.1).flat_map(|row| (0..CELLS.0).map(move |c| (row, c))) {
        let (left, top) = (column * width, row * height);
        let middle = Point {
            x: (left as f32 + width as f32 / 2.0 - MIDDLE.x) / EYES,
            y: (top as f32 + height as f32 / 2.0 - MIDDLE.y) / EYES,
        };
        let inside = (middle.x / 1.25).powi(2) + ((middle.y - 0.2) / 1.75).powi(2) < 1.0;
        if !inside {
            continue;
        }
        let mut sum = [0.0; 3];
        for (y, x) in (top..top + height).flat_map(|y| (left..left + width).map(move |x| (y, x))) {
            let rgb = aligned.get(x as i64, y as i64).unwrap_or_default();
            for (total, channel) in sum.iter_mut().zip(rgb) {
                *total += f32::from(channel);
            }
        }
        let rgb = sum.map(|total| total / (width * height) as f32);
        let y = luma(rgb);
        cells.extend([y - light, rgb[0] - y, rgb[2] - y]);
    }
    cells
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn cluster(looks: &[Vec<f32>], groups: usize, random: &mut Random) -> (f32, Vec<Vec<usize>>) {
    let mut centres: Vec<Vec<f32>> = vec![looks[random.below(looks.len())].clone()];
    while centres.len() < groups {
        let away: Vec<f32> = looks.iter().map(|look| nearest(look, &centres).1).collect();
        let mut left = random.unit() * away.iter().sum::<f32>();
        let next = away.iter().position(|d| {
            left -= d;
            left <= 0.0
        });
        centres.push(looks[next.unwrap_or(0)].clone());
    }
    let mut found = Vec::new();
    let mut cost = 0.0;
    for _ in 0..ROUNDS {
        let mut members: Vec<Vec<(f32, usize)>> = vec![Vec::new(); groups];
        cost = 0.0;
        for (i, look) in looks.iter().enumerate() {
            let (centre, d) = nearest(look, &centres);
            members[centre].push((d, i));
            cost += d;
        }
        for (centre, members) in centres.iter_mut().zip(&members).filter(|(_, m)| !m.is_empty()) {
            for (at, value) in centre.iter_mut().enumerate() {
                let sum: f32 = members.iter().map(|&(_, i)| looks[i][at]).sum();
                *value = sum / members.len() as f32;
            }
        }
        found = members;
    }
    let ordered = found
        .into_iter()
        .map(|mut members| {
            members.sort_by(|a, b| a.0.total_cmp(&b.0));
            members.into_iter().map(|(_, i)| i).collect()
        })
        .collect();
    (cost, ordered)
}

/// The nearest centre and the squared distance to it.
fn nearest(look: &[f32], centres: &[Vec<f32>]) -> (usize, f32) {
    let ranked = centres.iter().map(|centre| distance(look, centre)).enumerate();
    ranked.fold((0, f32::INFINITY), |best, (i, d)| if d < best.1 { (i, d) } else { best })
}

/// Trimmed mean, each face first brought to the group's mean skin colour, then sharpened: an
/// average is softer than any of its faces.
fn average(faces: &[&Picture]) -> Picture {
    let skins: Vec<[f32; 3]> = faces.iter().map(|face| skin(face)).collect();
    let count = faces.len() as f32;
    let common: [f32; 3] =
        std::array::from_fn(|c| skins.iter().map(|skin| skin[c]).sum::<f32>() / count);
    let gains: Vec<[f32; 3]> = skins
        .iter()
        .map(|skin| std::array::from_fn(|c| (common[c] / skin[c].max(1.0)).clamp(0.5, 2.0)))
        .collect();
    let trim = (count * TRIM) as usize;
    let mut values = vec![0.0; faces.len()];
    let mut blurred = vec![0.0_f32; (SIZE.0 * SIZE.1 * 3) as usize];
    for (at, result) in blurred.iter_mut().enumerate() {
        for (value, (face, gain)) in values.iter_mut().zip(faces.iter().zip(&gains)) {
            *value = f32::from(face.pixels()[at]) * gain[at % 3];
        }
        values.sort_by(f32::total_cmp);
        let kept = &values[trim..values.len() - trim];
        *result = kept.iter().sum::<f32>() / kept.len() as f32;
    }
    sharpen(&blurred)
}

/// Unsharp masks of luma alone, fine and wide; colour noise stays as soft as it is.
fn sharpen(rgb: &[f32]) -> Picture {
    let (width, height) = (SIZE.0 as usize, SIZE.1 as usize);
    let lumas: Vec<f32> = rgb.chunks_exact(3).map(|p| luma([p[0], p[1], p[2]])).collect();
    let fine = gaussian(&lumas, width, height, 1.6);
    let wide = gaussian(&lumas, width, height, 4.0);
    let mut picture = Picture::new(SIZE.0, SIZE.1);
    for (i, pixel) in picture.pixels_mut().chunks_exact_mut(3).enumerate() {
        let gain = (lumas[i] - fine[i]) * 1.6 + (lumas[i] - wide[i]) * 0.55;
        for (c, byte) in pixel.iter_mut().enumerate() {
            *byte = (rgb[3 * i + c] + gain + 0.5).clamp(0.0, 255.0) as u8;
        }
    }
    picture
}

/// Gaussian blur of one channel; the border repeats. Whole lines are added at a time, not the
/// neighbours of each pixel: drawing masks spends most of its time here.
pub fn gaussian(values: &[f32], width: usize, height: usize, sigma: f32) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil() as usize;
    let kernel: Vec<f32> = (-(radius as i64)..=radius as i64)
        .map(|d| (-(d * d) as f32 / (2.0 * sigma * sigma)).exp())
        .collect();
    let total: f32 = kernel.iter().sum();
    let mut across = Vec::with_capacity(values.len());
    for line in values.chunks_exact(width) {
        let (first, last) = (line[0], line[width - 1]);
        let border = |value| std::iter::repeat_n(value, radius);
        let wide: Vec<f32> =
            border(first).chain(line.iter().copied()).chain(border(last)).collect();
        across.extend(weighted(width, total, &kernel, |d| &wide[d..]));
    }
    let mut blurred = Vec::with_capacity(values.len());
    for y in 0..height {
        let line = |d: usize| &across[(y + d).saturating_sub(radius).min(height - 1) * width..];
        blurred.extend(weighted(width, total, &kernel, line));
    }
    blurred
}

/// The mean of lines of `width` values, `line(0)` to that of the kernel's last weight.
fn weighted<'a>(
    width: usize,
    total: f32,
    kernel: &[f32],
    line: impl Fn(usize) -> &'a [f32],
) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    for (d, weight) in kernel.iter().enumerate() {
        for (sum, value) in sums.iter_mut().zip(line(d)) {
            *sum += value * weight;
        }
    }
    sums.iter_mut().for_each(|sum| *sum /= total);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plain faces of two hues, with some noise that differs from face to face.
    fn crowd(count: usize) -> Vec<Picture> {
        (0..count)
            .map(|i| {
                let mut random = Random::new(i as u64);
                let base = if i % 2 == 0 { [90.0, 60.0, 45.0] } else { [210.0, 170.0, 150.0] };
                let mut face = Picture::new(SIZE.0, SIZE.1);
                for pixel in face.pixels_mut().chunks_exact_mut(3) {
                    let light = random.range(0.9, 1.1);
                    for (byte, channel) in pixel.iter_mut().zip(base) {
                        *byte = (channel * light) as u8;
                    }
                }
                face
            })
            .collect()
    }

    #[test]
    fn people_who_look_alike_come_into_one_group_and_nobody_into_two() {
        let groups = group(&crowd(12), 2, 4, 1).unwrap();
        let mut all: Vec<usize> = groups.concat();
        all.sort_unstable();
        assert_eq!(all, (0..12).collect::<Vec<_>>());
        for members in groups {
            assert!(members.iter().all(|i| i % 2 == members[0] % 2), "{members:?}");
        }
    }

    #[test]
    fn too_few_people_are_refused_with_both_numbers() {
        let error = group(&crowd(6), 2, 4, 1).unwrap_err().to_string();
        assert!(error.contains('6') && error.contains('8'), "{error}");
    }

    #[test]
    fn what_only_one_person_wears_leaves_no_trace_in_the_average() {
        let mut faces = crowd(12);
        faces.retain(|face| face.pixels()[0] > 150);
        for x in 100..150 {
            faces[0].put(x, 150, [0, 0, 0]);
        }
        let refs: Vec<&Picture> = faces.iter().collect();
        let line = average(&refs).get(120, 150).unwrap()[0];
        assert!(line > 180, "{line}");
    }

    #[test]
    fn a_blur_weighs_neighbours_by_distance_and_repeats_the_border() {
        let (width, height, sigma) = (9, 7, 1.1);
        let mut random = Random::new(8);
        let values: Vec<f32> = (0..width * height).map(|_| random.range(0.0, 255.0)).collect();
        let weight = |d: i64| (-(d * d) as f32 / (2.0 * sigma * sigma)).exp();
        let total: f32 = (-4..=4).map(weight).sum();
        for (at, &found) in gaussian(&values, width, height, sigma).iter().enumerate() {
            let mut sum = 0.0;
            for (dx, dy) in (-4..=4).flat_map(|dy| (-4..=4).map(move |dx| (dx, dy))) {
                let x = ((at % width) as i64 + dx).clamp(0, width as i64 - 1) as usize;
                let y = ((at / width) as i64 + dy).clamp(0, height as i64 - 1) as usize;
                sum += weight(dx) * weight(dy) * values[y * width + x];
            }
            let wanted = sum / (total * total);
            assert!((found - wanted).abs() < 0.01, "{at}: {found}, not {wanted}");
        }
    }
}
