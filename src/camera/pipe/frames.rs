//! Frames out of a stream of bytes that says what it is, or is known to be raw.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use crate::camera::mjpeg::{Piece, Splitter};
use crate::camera::pixels::{Color, Layout, PixelFormat, Range};
use crate::camera::{jpeg, shown, y4m};
use crate::config;
use crate::picture::Picture;

/// As much as the kernel's pipes hold.
const BUFFER: usize = 64 << 10;

/// One frame, not yet decoded.
#[derive(Debug)]
pub(super) enum Undecoded {
    Jpeg(Vec<u8>),
    Planes(y4m::Header, Vec<u8>),
    Raw(Layout, Vec<u8>),
}

impl Undecoded {
    /// The error says what is wrong with it.
    pub(super) fn decode(self, name: &str) -> Result<Picture, String> {
        let unfilled = || format!("{name} does not fill its size");
        match self {
            Undecoded::Jpeg(bytes) => {
                jpeg::decode_frame(name, &bytes).map_err(|error| error.to_string())
            }
            Undecoded::Planes(header, bytes) => header.to_rgb(&bytes).ok_or_else(unfilled),
            Undecoded::Raw(layout, bytes) => layout.to_rgb(&bytes).ok_or_else(unfilled),
        }
    }
}

/// What a stream gives next.
pub(super) enum Next {
    Frame(Undecoded),
    Broken(&'static str),
    /// This is no video, or none that is read: why.
    Unread(String),
    End,
}

type Input<R> = Chain<Cursor<Vec<u8>>, BufReader<R>>;

/// A stream that has begun.
pub(super) enum Frames<R> {
    Jpeg(Splitter<Input<R>>),
    Y4m(y4m::Header, Input<R>),
    Raw(Layout, usize, Input<R>),
}

impl<R: Read> Frames<R> {
    /// Waits for the first bytes. They tell what comes, unless the configuration names a format;
    /// the error is why nothing can be made of them. `None` where there are none.
    pub(super) fn begin(
        stream: R,
        camera: &config::Camera,
    ) -> io::Result<Option<Result<Self, String>>> {
        let mut reader = BufReader::with_capacity(BUFFER, stream);
        let mut head = Vec::new();
        reader.by_ref().take(y4m::MAGIC.len() as u64).read_to_end(&mut head)?;
        if head.is_empty() {
            return Ok(None);
        }
        let is_video = |head: &[u8]| head == y4m::MAGIC;
        // A JPEG picture, or the boundary that HTTP sets before each, often after an empty line.
        let is_jpeg = |head: &[u8]| {
            head.starts_with(&[0xff, 0xd8]) || head.trim_ascii_start().starts_with(b"--")
        };
        let format = PixelFormat::wanted(camera.format);
        let start = head.escape_ascii().to_string();
        let mut input = Cursor::new(head.clone()).chain(reader);
        Ok(Some(match format {
            None if is_video(&head) => {
                y4m::Header::read(&mut input)?.map(|header| Frames::Y4m(header, input))
            }
            None if is_jpeg(&head) => Ok(Frames::Jpeg(Splitter::new(input))),
            None => Err(format!(
                "it begins with \"{start}\", which is neither motion JPEG nor YUV4MPEG2; set \
                 [camera] format = \"mjpg\" if pictures follow, or for raw frames name their \
                 [camera] format, width and height"
            )),
            Some(PixelFormat::Mjpg) => Ok(Frames::Jpeg(Splitter::new(input))),
            Some(format) if is_video(&head) || head.starts_with(&[0xff, 0xd8, 0xff]) => {
                Err(format!(
                    "it is motion JPEG or YUV4MPEG2 and not raw {format}: set [camera] format = \
                     \"auto\""
                ))
            }
            Some(format) => {
                let layout = raw_layout(format, camera);
                match layout.frame_bytes() {
                    Some(count) => Ok(Frames::Raw(layout, count, input)),
                    None => Err(format!("{format} has no frames of equal length")),
                }
            }
        }))
    }

    /// For logs: `motion JPEG`.
    pub(super) fn describe(&self) -> String {
        match self {
            Frames::Jpeg(_) => "motion JPEG".into(),
            Frames::Y4m(header, _) => {
                let rate = header.rate.map(|rate| format!(" at {} fps", shown(rate)));
                let (width, height) = (header.width, header.height);
                format!("YUV4MPEG2, {width}x{height}{}", rate.unwrap_or_default())
            }
            Frames::Raw(layout, ..) => {
                format!("raw {}, {}x{}", layout.format, layout.width, layout.height)
            }
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Next> {
        Ok(match self {
            Frames::Jpeg(splitter) => match splitter.next()? {
                Some(Piece::Whole(bytes)) => Next::Frame(Undecoded::Jpeg(bytes)),
                Some(Piece::Broken(reason)) => Next::Broken(reason),
                None => Next::End,
            },
            Frames::Y4m(header, input) => match header.next_frame(input)? {
                Some(Ok(bytes)) => Next::Frame(Undecoded::Planes(*header, bytes)),
                Some(Err(reason)) => Next::Unread(reason),
                None => Next::End,
            },
            Frames::Raw(layout, count, input) => {
                let mut bytes = vec![0; *count];
                if input.fill_buf()?.is_empty() {
                    return Ok(Next::End);
                }
                match input.read_exact(&mut bytes) {
                    Ok(()) => Next::Frame(Undecoded::Raw(*layout, bytes)),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        Next::Broken("it ends within a frame")
                    }
                    Err(error) => return Err(error),
                }
            }
        })
    }
}

/// Raw frames say nothing of their colours: those of RGB and grey fill their range, others have
/// what is usual for their size.
fn raw_layout(format: PixelFormat, camera: &config::Camera) -> Layout {
    let (width, height) = (camera.width, camera.height);
    let range = match format {
        PixelFormat::Rgb3 | PixelFormat::Bgr3 | PixelFormat::Grey => Range::Full,
        _ => Range::Limited,
    };
    let color = Color { matrix: y4m::usual_matrix(width, height), range };
    Layout { format, width, height, stride: 0, color }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::testing::jpeg;
    use crate::config::FrameFormat;
    use proptest::prelude::*;

    fn camera(format: FrameFormat) -> config::Camera {
        config::Camera { format, width: 4, height: 2, ..config::Camera::default() }
    }

    fn begin(bytes: &[u8], format: FrameFormat) -> Result<Frames<&[u8]>, String> {
        Frames::begin(bytes, &camera(format)).unwrap().unwrap()
    }

    /// Sizes of the frames until the end or an error.
    fn sizes(bytes: &[u8], format: FrameFormat) -> Vec<(u32, u32)> {
        let mut frames = begin(bytes, format).unwrap();
        let mut sizes = Vec::new();
        while let Next::Frame(frame) = frames.next().unwrap() {
            let picture = frame.decode("a frame").unwrap();
            sizes.push((picture.width(), picture.height()));
        }
        sizes
    }

    #[test]
    fn jpeg_and_yuv4mpeg2_are_known_by_their_first_bytes() {
        let two = [jpeg(16, 8, 0), jpeg(16, 8, 9)].concat();
        assert_eq!(sizes(&two, FrameFormat::Auto), [(16, 8), (16, 8)]);
        let part = [b"--frame\r\nContent-Type: image/jpeg\r\n\r\n", &two[..]].concat();
        assert_eq!(sizes(&part, FrameFormat::Auto), [(16, 8), (16, 8)]);
        assert_eq!(sizes(&[b"\r\n", &part[..]].concat(), FrameFormat::Auto), [(16, 8), (16, 8)]);
        let video = b"YUV4MPEG2 W2 H2 F15:1\nFRAME\nabcdefFRAME\nabcdef";
        assert_eq!(sizes(video, FrameFormat::Auto), [(2, 2), (2, 2)]);
        let described = begin(video, FrameFormat::Auto).unwrap().describe();
        assert_eq!(described, "YUV4MPEG2, 2x2 at 15 fps");
    }

    #[test]
    fn raw_frames_have_the_size_that_is_configured() {
        assert_eq!(sizes(&[7; 4 * 2 * 3 * 2], FrameFormat::Rgb3), [(4, 2), (4, 2)]);
        assert_eq!(sizes(&[7; 12], FrameFormat::Yu12), [(4, 2)]);
        let mut cut = begin(&[7; 13], FrameFormat::Yu12).unwrap();
        assert!(matches!(cut.next().unwrap(), Next::Frame(_)));
        assert!(matches!(cut.next().unwrap(), Next::Broken(_)));
        assert!(matches!(cut.next().unwrap(), Next::End));
    }

    #[test]
    fn what_is_no_video_is_shown_with_what_to_do() {
        let said = begin(b"Segmentation fault", FrameFormat::Auto).err().unwrap();
        assert!(said.starts_with("it begins with \"Segmentati\""), "{said}");
        assert!(said.contains("name their [camera] format"), "{said}");
        let said = begin(&jpeg(16, 8, 0), FrameFormat::Nv12).err().unwrap();
        assert!(said.contains("set [camera] format = \"auto\""), "{said}");
        assert!(Frames::begin(&b""[..], &camera(FrameFormat::Auto)).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn rubbish_crashes_nothing(
            start in prop_oneof![Just(&b""[..]), Just(&b"\xff\xd8\xff"[..]), Just(&b"--"[..])],
            bytes in prop::collection::vec(any::<u8>(), 1..400), raw in any::<bool>(),
        ) {
            let stream = [start, &bytes].concat();
            let format = if raw { FrameFormat::Uyvy } else { FrameFormat::Auto };
            if let Ok(mut frames) = begin(&stream, format) {
                loop {
                    match frames.next().unwrap() {
                        Next::Frame(frame) => drop(frame.decode("a frame")),
                        Next::Broken(_) => {}
                        Next::Unread(_) | Next::End => break,
                    }
                }
            }
        }
    }
}
