//! Of the frames that wait, the newest that is whole.

use crate::camera::jpeg;
use crate::camera::pixels::{Layout, PixelFormat};
use crate::picture::Picture;

/// Frames are copied out of the driver's buffers, which then fill again while this one is decoded;
/// reading them where they lie is slow besides, where the driver's memory is not cached.
#[derive(Debug, Default)]
pub(super) struct Newest {
    held: Vec<u8>,
    /// Frames that came by, broken ones included.
    pub seen: u64,
    pub broken: u64,
}

impl Newest {
    /// One of the frames that wait, the oldest first; `faulty` where the driver says so.
    pub(super) fn offer(&mut self, bytes: &[u8], faulty: bool, layout: &Layout) {
        self.seen += 1;
        if faulty || !is_whole(bytes, layout) {
            self.broken += 1;
            return;
        }
        self.held.clear();
        self.held.extend_from_slice(bytes);
    }

    /// The last of them that was whole, decoded; `None` where none was.
    pub(super) fn take(&mut self, layout: &Layout) -> Option<Picture> {
        if self.held.is_empty() {
            return None;
        }
        let picture = match layout.format {
            PixelFormat::Mjpg => jpeg::decode_frame("the frame", &self.held).ok(),
            _ => layout.to_rgb(&self.held),
        };
        self.held.clear();
        if picture.is_none() {
            self.broken += 1;
        }
        picture
    }
}

/// What can be told without decoding.
fn is_whole(bytes: &[u8], layout: &Layout) -> bool {
    match layout.frame_bytes() {
        Some(count) => bytes.len() >= count,
        None => jpeg::is_whole(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::pixels::Color;
    use crate::camera::testing::jpeg;

    fn layout(format: PixelFormat) -> Layout {
        Layout { format, width: 32, height: 24, stride: 0, color: Color::default() }
    }

    #[test]
    fn of_several_frames_the_last_whole_one_is_taken_and_the_broken_ones_are_counted() {
        let layout = layout(PixelFormat::Mjpg);
        let frames = [jpeg(32, 24, 0), jpeg(32, 24, 20), jpeg(32, 24, 40)];
        let cut = &frames[2][..frames[2].len() - 30];
        let mut newest = Newest::default();
        newest.offer(&frames[0], false, &layout);
        newest.offer(&frames[1], false, &layout);
        newest.offer(cut, false, &layout);
        newest.offer(&frames[2], true, &layout);
        newest.offer(&[], false, &layout);
        let wanted = crate::camera::jpeg::decode_frame("second", &frames[1]).unwrap();
        assert_eq!(newest.take(&layout), Some(wanted));
        assert_eq!((newest.seen, newest.broken), (5, 3));
        assert_eq!(newest.take(&layout), None);
    }

    #[test]
    fn a_jpeg_that_is_only_broken_inside_is_counted_when_it_is_decoded() {
        let layout = layout(PixelFormat::Mjpg);
        let mut bytes = jpeg(32, 24, 0);
        // The frame header's number of components.
        let at = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        bytes[at + 9] = 77;
        let mut newest = Newest::default();
        newest.offer(&bytes, false, &layout);
        assert_eq!(newest.take(&layout), None);
        assert_eq!(newest.broken, 1);
    }

    #[test]
    fn a_raw_frame_that_is_too_short_is_broken() {
        let layout = layout(PixelFormat::Yuyv);
        let mut newest = Newest::default();
        newest.offer(&[128; 32 * 24 * 2 - 1], false, &layout);
        assert_eq!((newest.take(&layout), newest.broken), (None, 1));
        newest.offer(&[128; 32 * 24 * 2], false, &layout);
        assert!(newest.take(&layout).is_some());
    }
}
