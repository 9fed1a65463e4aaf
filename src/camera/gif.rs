//! Animated GIF: whole pictures, each as long as its delay says.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, ImageDecoder, ImageResult};

use super::{CameraError, Frame, Source, rgb, still};
use crate::picture::Picture;

/// Stands for delays of less than 20 ms, as in browsers: such GIFs were not made to be that fast.
const DEFAULT_DELAY: Duration = Duration::from_millis(100);
const SHORTEST_DELAY: Duration = Duration::from_millis(20);

pub(super) struct Gif {
    path: PathBuf,
    /// Read at the start, for its delay; none once it was given.
    first: Option<ImageResult<image::Frame>>,
    rate: Option<f32>,
    /// Decoded one ahead, in a thread of its own: the decoder may not move between threads.
    frames: Receiver<ImageResult<image::Frame>>,
    decoding: Option<JoinHandle<()>>,
    number: u64,
    next_at: Duration,
    ended: bool,
    broken: u64,
}

impl Gif {
    pub(super) fn open(path: &Path) -> Result<Self, CameraError> {
        let read = |source| CameraError::Read { path: path.to_path_buf(), source };
        let reader = BufReader::new(File::open(path).map_err(read)?);
        let mut decoder = GifDecoder::new(reader).map_err(|error| damaged(path, &error))?;
        // A frame may claim to be larger than the canvas, whose size is judged below.
        decoder.set_limits(still::limits()).map_err(|error| damaged(path, &error))?;
        let (width, height) = decoder.dimensions();
        // Canvas, frame, one waiting and the one given, each of four bytes a pixel.
        let bytes = u64::from(width) * u64::from(height) * 16;
        still::check_cost(&path.display().to_string(), (width, height), bytes)?;
        let (sender, frames) = sync_channel(1);
        let decoding = std::thread::spawn(move || {
            // Ends too when nobody takes frames any more.
            let _ = decoder.into_frames().try_for_each(|frame| sender.send(frame));
        });
        let first = frames.recv().ok();
        let shown = first.as_ref().and_then(|frame| frame.as_ref().ok()).map(delay);
        Ok(Self {
            path: path.to_path_buf(),
            first,
            rate: shown.map(|shown| shown.min(DEFAULT_DELAY).as_secs_f32().recip()),
            frames,
            decoding: Some(decoding),
            number: 0,
            next_at: Duration::ZERO,
            ended: false,
            broken: 0,
        })
    }
}

impl Gif {
    fn how_it_ended(&mut self) -> Result<(), CameraError> {
        let panicked = self.decoding.take().is_some_and(|thread| thread.join().is_err());
        let reason = match (panicked, self.number) {
            (true, _) => "its decoder gave up",
            (false, 0) => "there is no picture in it",
            _ => return Ok(()),
        };
        Err(CameraError::Damaged { name: self.path.display().to_string(), reason: reason.into() })
    }
}

impl Source for Gif {
    fn next(&mut self) -> Result<Option<Frame>, CameraError> {
        if self.ended {
            return Ok(None);
        }
        let frame = match self.first.take().map_or_else(|| self.frames.recv(), Ok) {
            Ok(Ok(frame)) => frame,
            Err(_) => {
                self.ended = true;
                return self.how_it_ended().map(|()| None);
            }
            Ok(Err(error)) => {
                // The frames after a broken one build upon it.
                self.ended = true;
                self.broken += 1;
                if self.number == 0 {
                    return Err(damaged(&self.path, &error));
                }
                log::warn!("{}; it ends at frame {}", damaged(&self.path, &error), self.number);
                return Ok(None);
            }
        };
        let (number, captured_at) = (self.number, self.next_at);
        self.number += 1;
        self.next_at += delay(&frame);
        let buffer = frame.into_buffer();
        let (width, height) = buffer.dimensions();
        let pixels = rgb::to_rgb(buffer.into_raw(), rgb::Samples { channels: 4, bytes: 1 });
        let picture = Picture::from_pixels(width, height, pixels).ok_or_else(|| {
            let reason = format!("frame {number} does not fill {width}x{height} pixels");
            CameraError::Damaged { name: self.path.display().to_string(), reason }
        })?;
        Ok(Some(Frame { picture, number, captured_at }))
    }

    fn describe(&self) -> String {
        format!("file {}, an animated GIF", self.path.display())
    }

    /// As the first picture's delay has it, but ten at least: a title that stands for long says
    /// nothing of what comes after it.
    fn rate(&self) -> Option<f32> {
        self.rate
    }

    fn broken(&self) -> u64 {
        self.broken
    }
}

/// How long a frame is shown.
fn delay(frame: &image::Frame) -> Duration {
    let delay = Duration::from(frame.delay());
    if delay < SHORTEST_DELAY { DEFAULT_DELAY } else { delay }
}

fn damaged(path: &Path, error: &image::ImageError) -> CameraError {
    CameraError::Damaged { name: path.display().to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    use image::codecs::gif::GifEncoder;
    use image::{Delay, Rgba, RgbaImage};

    fn animation(delays: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for (at, delay) in delays.iter().enumerate() {
            let buffer = RgbaImage::from_pixel(8, 6, Rgba([0, 10 * at as u8, 255, 255]));
            let delay = Delay::from_numer_denom_ms(*delay, 1);
            encoder.encode_frame(image::Frame::from_parts(buffer, 0, 0, delay)).unwrap();
        }
        drop(encoder);
        bytes
    }

    fn open(bytes: &[u8]) -> Gif {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gif");
        fs::write(&path, bytes).unwrap();
        Gif::open(&path).unwrap()
    }

    #[test]
    fn each_frame_is_shown_after_the_delays_of_those_before_it() {
        let mut gif = open(&animation(&[40, 200, 0, 70]));
        let seen: Vec<_> = std::iter::from_fn(|| gif.next().unwrap())
            .map(|frame| (frame.number, frame.captured_at.as_millis(), frame.picture.get(7, 5)))
            .collect();
        let blue = |green: u8| Some([0, green, 255]);
        // A delay of 0 counts as 100 ms.
        assert_eq!(
            seen,
            [(0, 0, blue(0)), (1, 40, blue(10)), (2, 240, blue(20)), (3, 340, blue(30))]
        );
        assert!(gif.next().unwrap().is_none());
    }

    #[test]
    fn its_rate_is_that_of_the_first_delay() {
        assert_eq!(open(&animation(&[40, 200])).rate(), Some(25.0));
        assert_eq!(open(&animation(&[2000, 100])).rate(), Some(10.0));
        assert_eq!(open(&animation(&[0])).rate(), Some(10.0));
    }

    /// A canvas of 16x16 and one frame that says it is 65535x65535, in less than 100 bytes.
    fn bomb() -> Vec<u8> {
        let mut bytes = b"GIF89a\x10\0\x10\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
        bytes.extend(b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0\x3b");
        bytes
    }

    #[test]
    fn a_frame_far_larger_than_its_canvas_costs_the_file_and_no_memory() {
        let error = open(&bomb()).next().unwrap_err().to_string();
        assert!(error.contains("a.gif") && error.contains("imit"), "{error}");
        let error = still::decode_bytes("a.gif", &bomb()).unwrap_err().to_string();
        assert!(error.contains("a.gif") && error.contains("imit"), "{error}");
    }

    #[test]
    fn a_gif_that_is_cut_off_plays_up_to_there() {
        let bytes = animation(&[100; 4]);
        let mut gif = open(&bytes[..bytes.len() - 20]);
        let count = std::iter::from_fn(|| gif.next().unwrap()).count();
        assert!((2..4).contains(&count), "{count}");
    }

    #[test]
    fn a_gif_may_be_left_before_its_end() {
        let mut gif = open(&animation(&[100; 20]));
        assert_eq!(gif.next().unwrap().unwrap().number, 0);
    }
}
