//! Motion JPEG: baseline JPEGs one after the other, the first with a comment that names the rate.

use jpeg_encoder::{ColorType, Encoder, EncodingError, SamplingFactor};

use crate::picture::Picture;

use super::tables;

/// One baseline JPEG in one scan, colours at half resolution.
pub fn jpeg(picture: &Picture, quality: u8) -> Result<Vec<u8>, EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    let side = |pixels: u32| u16::try_from(pixels).unwrap_or(u16::MAX);
    let (width, height) = (side(picture.width()), side(picture.height()));
    encoder.encode(picture.pixels(), width, height, ColorType::Rgb)?;
    Ok(tables::optimise(&bytes).unwrap_or(bytes))
}

/// Collects the frames of a clip.
#[derive(Default)]
pub struct Film {
    bytes: Vec<u8>,
    frames: usize,
}

impl Film {
    /// Adds one JPEG; the first gets the comment `maskgate fps=N`.
    pub fn push(&mut self, jpeg: &[u8], fps: u32) {
        if self.frames == 0 {
            let comment = format!("maskgate fps={fps}");
            let length = (comment.len() + 2) as u16;
            let (start, rest) = jpeg.split_at(jpeg.len().min(2));
            self.bytes.extend(start);
            self.bytes.extend([0xff, 0xfe]);
            self.bytes.extend(length.to_be_bytes());
            self.bytes.extend(comment.as_bytes());
            self.bytes.extend(rest);
        } else {
            self.bytes.extend(jpeg);
        }
        self.frames += 1;
    }

    pub fn frames(&self) -> usize {
        self.frames
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_has_as_many_pictures_as_were_pushed_and_says_its_rate() {
        let mut film = Film::default();
        let mut sizes = Vec::new();
        for light in [40, 120, 200] {
            let mut picture = Picture::new(64, 48);
            picture
                .pixels_mut()
                .chunks_exact_mut(3)
                .for_each(|p| p.copy_from_slice(&[light, 90, 30]));
            let bytes = jpeg(&picture, 70).unwrap();
            sizes.push(bytes.len());
            film.push(&bytes, 10);
        }
        let bytes = film.bytes();
        assert_eq!(film.frames(), 3);
        assert_eq!(&bytes[..6], &[0xff, 0xd8, 0xff, 0xfe, 0, 17]);
        assert_eq!(&bytes[6..21], b"maskgate fps=10");
        let starts = bytes.windows(3).filter(|w| w == &[0xff, 0xd8, 0xff]).count();
        assert_eq!(starts, 3);
        let first = image::load_from_memory(&bytes[..sizes[0] + 19]).unwrap().to_rgb8();
        assert_eq!(first.dimensions(), (64, 48));
        let last = image::load_from_memory(&bytes[bytes.len() - sizes[2]..]).unwrap().to_rgb8();
        let seen = last.get_pixel(30, 20).0;
        let off = seen.iter().zip([200_u8, 90, 30]).map(|(a, b)| a.abs_diff(b)).max();
        assert!(off < Some(5), "{seen:?}");
    }
}
