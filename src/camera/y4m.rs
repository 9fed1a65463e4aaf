//! YUV4MPEG2 (yuv4mpeg(5) of the MJPEG tools; ffmpeg and GStreamer write it too): a line that tells
//! size and format, then frames of planes.

use std::io::{self, BufRead, Read};

use super::pixels::{Color, Matrix, Range, Subsampling, planes_to_rgb};
use super::still;
use crate::picture::Picture;

/// What every such stream begins with.
pub(super) const MAGIC: &[u8; 10] = b"YUV4MPEG2 ";
/// Longest line, in bytes.
const LINE: u64 = 1024;

/// What the first line tells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Header {
    pub width: u32,
    pub height: u32,
    /// Frames a second.
    pub rate: Option<f32>,
    sampling: Subsampling,
    color: Color,
    bytes: usize,
}

impl Header {
    /// Reads the first line. The error says what is not read about it.
    pub(super) fn read(reader: &mut impl BufRead) -> io::Result<Result<Header, String>> {
        Ok(match line(reader)? {
            Some(line) => Header::parse(&line),
            None => Err("it ends within its first line".into()),
        })
    }

    fn parse(line: &str) -> Result<Header, String> {
        let (mut width, mut height, mut rate) = (0, 0, None);
        let mut sampling = Subsampling::Quarter;
        let mut range = Range::Limited;
        let mut words = line.split(' ');
        if words.next() != Some("YUV4MPEG2") {
            return Err(format!("it begins with {line:?}"));
        }
        for word in words.filter(|word| !word.is_empty()) {
            let (key, value) = word.split_at_checked(1).unwrap_or((word, ""));
            match key {
                "W" => width = value.parse().map_err(|_| format!("its width is {value:?}"))?,
                "H" => height = value.parse().map_err(|_| format!("its height is {value:?}"))?,
                "F" => rate = ratio(value),
                "C" => sampling = sampling_of(value)?,
                "X" if value == "COLORRANGE=FULL" => range = Range::Full,
                _ => {}
            }
        }
        let count = sampling.frame_bytes(width as usize, height as usize);
        let bytes = count.filter(|bytes| *bytes > 0).ok_or("it tells no size")?;
        let cost = (u64::from(width) * u64::from(height)).saturating_mul(6);
        still::check_cost("a frame", (width, height), cost).map_err(|error| error.to_string())?;
        let matrix = usual_matrix(width, height);
        Ok(Header { width, height, rate, sampling, color: Color { matrix, range }, bytes })
    }

    /// The bytes of the next frame; `None` at the end.
    pub(super) fn next_frame(
        &self,
        reader: &mut impl BufRead,
    ) -> io::Result<Option<Result<Vec<u8>, String>>> {
        match line(reader)? {
            None => return Ok(None),
            Some(line) if line == "FRAME" || line.starts_with("FRAME ") => {}
            Some(line) => {
                let start: String = line.chars().take(20).collect();
                return Ok(Some(Err(format!("a frame begins with {start:?} and not with FRAME"))));
            }
        }
        let mut bytes = vec![0; self.bytes];
        match reader.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(Ok(bytes))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn to_rgb(self, bytes: &[u8]) -> Option<Picture> {
        planes_to_rgb(bytes, (self.width, self.height), self.sampling, self.color)
    }
}

/// Of video that does not say: BT.709 from 720 lines on, BT.601 below, as rpicam-vid, GStreamer
/// and most players have it.
pub(super) fn usual_matrix(width: u32, height: u32) -> Matrix {
    match width >= 1280 || height >= 720 {
        true => Matrix::Bt709,
        false => Matrix::Bt601,
    }
}

/// The 4:2:0 kinds differ in where between the pixels their colours were measured, by half a pixel
/// at most.
fn sampling_of(name: &str) -> Result<Subsampling, String> {
    match name {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => Ok(Subsampling::Quarter),
        "422" => Ok(Subsampling::Half),
        "444" => Ok(Subsampling::None),
        "mono" => Ok(Subsampling::Grey),
        _ => Err(format!(
            "its colours are C{name}, where C420, C422, C444 and Cmono are read (of ffmpeg: \
             -pix_fmt yuv420p)"
        )),
    }
}

fn ratio(text: &str) -> Option<f32> {
    let (frames, seconds) = text.split_once(':')?;
    let (frames, seconds): (f32, f32) = (frames.parse().ok()?, seconds.parse().ok()?);
    (frames > 0.0 && seconds > 0.0).then(|| frames / seconds)
}

/// A line without its end; `None` where the stream ends first. One that is too long is cut.
fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    reader.by_ref().take(LINE).read_until(b'\n', &mut bytes)?;
    if bytes.last() != Some(&b'\n') && (bytes.len() as u64) < LINE {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&bytes).trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(mut text: &[u8]) -> Result<Header, String> {
        Header::read(&mut text).unwrap()
    }

    #[test]
    fn frames_come_out_with_the_colours_that_the_first_line_tells() {
        let mut stream: &[u8] = &[
            b"YUV4MPEG2 W2 H2 F25:1 Ip A1:1 C420jpeg XYSCSS=420JPEG XCOLORRANGE=FULL\n".as_slice(),
            b"FRAME\n\xff\xff\x00\x00\x80\x80FRAME Ip\n\x4c\x4c\x4c\x4c\x55\xff",
        ]
        .concat();
        let header = Header::read(&mut stream).unwrap().unwrap();
        assert_eq!((header.width, header.height, header.rate), (2, 2, Some(25.0)));
        let mut next = || {
            let bytes = header.next_frame(&mut stream).unwrap()?.unwrap();
            Some(header.to_rgb(&bytes).unwrap().into_pixels())
        };
        assert_eq!(next(), Some(vec![255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0]));
        assert_eq!(next(), Some([254, 0, 0].repeat(4)));
        assert_eq!(next(), None);
    }

    #[test]
    fn large_video_is_bt709_and_limited_unless_it_says_otherwise() {
        let color = |text: &[u8]| header(text).unwrap().color;
        let limited = |matrix| Color { matrix, range: Range::Limited };
        assert_eq!(color(b"YUV4MPEG2 W640 H480\n"), limited(Matrix::Bt601));
        assert_eq!(color(b"YUV4MPEG2 W1280 H720\n"), limited(Matrix::Bt709));
    }

    #[test]
    fn what_is_not_read_is_named() {
        assert!(header(b"YUV4MPEG2 W640 H480 C420p10\n").unwrap_err().contains("C420p10"));
        assert!(header(b"YUV4MPEG2 Wide H480\n").unwrap_err().contains("\"ide\""));
        assert!(header(b"YUV4MPEG2 W640\n").unwrap_err().contains("no size"));
        assert!(header(b"YUV4MPEG2 W99999 H99999\n").unwrap_err().contains("too large"));
        assert!(header(b"YUV4MPEG2 W640 H4").unwrap_err().contains("ends within"));
    }

    #[test]
    fn what_stands_where_a_frame_must_begin_is_an_error() {
        let header = header(b"YUV4MPEG2 W2 H2\n").unwrap();
        let wrong = header.next_frame(&mut &b"FRAMES\nabc"[..]).unwrap().unwrap();
        assert!(wrong.unwrap_err().contains("\"FRAMES\""));
        assert!(header.next_frame(&mut &b"FRAME\nabc"[..]).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_crash_the_reader(
            start in "YUV4MPEG2 [WHFCX0-9: a-z=]{0,40}\n",
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let stream = [start.as_bytes(), &bytes].concat();
            let mut stream: &[u8] = &stream;
            if let Ok(header) = Header::read(&mut stream).unwrap() {
                while let Some(Ok(frame)) = header.next_frame(&mut stream).unwrap() {
                    prop_assert!(header.to_rgb(&frame).is_some());
                }
            }
        }
    }
}
