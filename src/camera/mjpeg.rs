//! Motion JPEG: JPEG pictures one after another, with nothing or junk between them.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use super::{CameraError, DEFAULT_RATE, Frame, Source, jpeg, log_broken, shown};

/// A frame longer than this is taken for broken.
const MAX_FRAME_BYTES: usize = 32 << 20;

/// The source over any reader of such bytes.
pub(super) struct MotionJpeg<R> {
    name: String,
    splitter: Splitter<R>,
    /// Read early, for the rate it may tell.
    first: Option<Piece>,
    rate: f32,
    number: u64,
    broken: u64,
    last_fault: String,
}

/// Opens a file of motion JPEG. Its rate is what a comment (COM) in its first picture says as
/// `fps=N`, otherwise `DEFAULT_RATE`.
pub(super) fn open(path: &Path) -> Result<MotionJpeg<BufReader<File>>, CameraError> {
    let read = |source| CameraError::Read { path: path.to_path_buf(), source };
    let reader = BufReader::new(File::open(path).map_err(read)?);
    MotionJpeg::new(path.display().to_string(), reader)
}

impl<R: BufRead + Send> MotionJpeg<R> {
    pub(super) fn new(name: String, reader: R) -> Result<Self, CameraError> {
        let mut splitter = Splitter::new(reader);
        let first = splitter
            .next()
            .map_err(|source| CameraError::Read { path: name.clone().into(), source })?;
        let rate = match &first {
            Some(Piece::Whole(bytes)) => told_rate(bytes).unwrap_or(DEFAULT_RATE),
            _ => DEFAULT_RATE,
        };
        let last_fault = "no JPEG picture is in it".into();
        Ok(Self { name, splitter, first, rate, number: 0, broken: 0, last_fault })
    }

    /// What the numbers of frames and the clip time are counted by.
    pub(super) fn frames_a_second(&self) -> f32 {
        self.rate
    }

    /// How many frames were begun so far, broken ones included.
    pub(super) fn begun(&self) -> u64 {
        self.number
    }

    fn next_piece(&mut self) -> Result<Option<Piece>, CameraError> {
        match self.first.take() {
            Some(piece) => Ok(Some(piece)),
            None => self
                .splitter
                .next()
                .map_err(|source| CameraError::Read { path: self.name.clone().into(), source }),
        }
    }
}

impl<R: BufRead + Send> Source for MotionJpeg<R> {
    fn next(&mut self) -> Result<Option<Frame>, CameraError> {
        while let Some(piece) = self.next_piece()? {
            let number = self.number;
            self.number += 1;
            let decoded = match piece {
                Piece::Whole(bytes) => {
                    let name = format!("{}, frame {number}", self.name);
                    jpeg::decode_frame(&name, &bytes).map_err(|error| error.to_string())
                }
                Piece::Broken(reason) => {
                    Err(format!("{}, frame {number} is damaged: {reason}", self.name))
                }
            };
            match decoded {
                Ok(picture) => {
                    let captured_at = time_of(number, self.rate);
                    return Ok(Some(Frame { picture, number, captured_at }));
                }
                Err(reason) => {
                    self.broken += 1;
                    log_broken(self.broken, &reason);
                    self.last_fault = reason;
                }
            }
        }
        if self.broken == self.number {
            return Err(CameraError::NoFrames {
                path: self.name.clone().into(),
                count: self.number,
                reason: self.last_fault.clone(),
            });
        }
        Ok(None)
    }

    fn describe(&self) -> String {
        format!("file {}, motion JPEG at {} fps", self.name, shown(self.rate))
    }

    fn rate(&self) -> Option<f32> {
        Some(self.rate)
    }

    fn broken(&self) -> u64 {
        self.broken
    }
}

/// When frame `number` is shown.
pub(super) fn time_of(number: u64, rate: f32) -> Duration {
    Duration::try_from_secs_f64(number as f64 / f64::from(rate)).unwrap_or(Duration::MAX)
}

/// The `N` of `fps=N` in the first comment of a JPEG picture, where it is a sane rate.
fn told_rate(bytes: &[u8]) -> Option<f32> {
    let comment = jpeg::Header::read(bytes)?.comment?;
    let text = String::from_utf8_lossy(&comment);
    let (_, rest) = text.split_once("fps=")?;
    let number = rest.split(|c: char| c.is_whitespace() || c.is_control()).next()?;
    number.parse().ok().filter(|rate| (0.01..=1000.0).contains(rate))
}

/// What stands between a start and an end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// From SOI to EOI, both included.
    Whole(Vec<u8>),
    /// A picture that begins but does not end, and why.
    Broken(&'static str),
}

/// Cuts a stream of bytes into JPEG pictures by their markers (ITU T.81, annex B). Pictures inside
/// segments, such as thumbnails in EXIF, are passed over with them.
pub(super) struct Splitter<R> {
    reader: R,
    /// A start marker was read where none belongs: it begins the next picture.
    started: bool,
}

impl<R: BufRead> Splitter<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, started: false }
    }

    /// The next picture, `None` at the end. Junk between pictures is skipped.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece>> {
        if !std::mem::take(&mut self.started) && !self.find_start()? {
            return Ok(None);
        }
        let mut out = vec![0xff, 0xd8];
        Ok(Some(match self.copy_picture(&mut out)? {
            Ok(()) => Piece::Whole(out),
            Err(reason) => Piece::Broken(reason),
        }))
    }

    fn find_start(&mut self) -> io::Result<bool> {
        let mut last = 0;
        while let Some(byte) = self.byte()? {
            if last == 0xff && byte == 0xd8 {
                return Ok(true);
            }
            last = byte;
        }
        Ok(false)
    }

    fn copy_picture(&mut self, out: &mut Vec<u8>) -> io::Result<Result<(), &'static str>> {
        const CUT_OFF: &str = "the stream ends before the picture does";
        let mut in_scan = false;
        loop {
            if in_scan && !self.copy_to_marker(out)? {
                return Ok(Err(CUT_OFF));
            }
            if !in_scan && self.byte()? != Some(0xff) {
                return Ok(Err("no marker stands where one must"));
            }
            let Some(marker) = self.marker()? else { return Ok(Err(CUT_OFF)) };
            match marker {
                0x00 | 0xd0..=0xd7 if in_scan => out.extend([0xff, marker]),
                0xd9 => {
                    out.extend([0xff, marker]);
                    return Ok(Ok(()));
                }
                0xd8 => {
                    self.started = true;
                    return Ok(Err("another picture begins inside it"));
                }
                0x00 | 0x01 | 0xd0..=0xd7 => return Ok(Err("a marker stands where it may not")),
                _ => {
                    out.extend([0xff, marker]);
                    if !self.copy_segment(out)? {
                        return Ok(Err(CUT_OFF));
                    }
                    in_scan = marker == 0xda;
                }
            }
            if out.len() > MAX_FRAME_BYTES {
                return Ok(Err("it is longer than 32 MB"));
            }
        }
    }

    /// The code after 0xff; fill bytes (more 0xff) are skipped.
    fn marker(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.byte()? {
                Some(0xff) => {}
                code => return Ok(code),
            }
        }
    }

    /// Copies a segment's length and body; false where the stream ends before it.
    fn copy_segment(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let (Some(high), Some(low)) = (self.byte()?, self.byte()?) else { return Ok(false) };
        out.extend([high, low]);
        let mut left = usize::from(u16::from_be_bytes([high, low])).saturating_sub(2);
        while left > 0 {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                return Ok(false);
            }
            let count = bytes.len().min(left);
            out.extend(bytes.iter().take(count));
            self.reader.consume(count);
            left -= count;
        }
        Ok(true)
    }

    /// Copies up to the next 0xff, which is consumed; false where there is none.
    fn copy_to_marker(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() || out.len() > MAX_FRAME_BYTES {
                return Ok(false);
            }
            let found = bytes.iter().position(|byte| *byte == 0xff);
            let count = found.unwrap_or(bytes.len());
            out.extend(bytes.iter().take(count));
            self.reader.consume(count + usize::from(found.is_some()));
            if found.is_some() {
                return Ok(true);
            }
        }
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = self.reader.fill_buf()?.first().copied();
        if byte.is_some() {
            self.reader.consume(1);
        }
        Ok(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{exif, jpeg, with_segment};
    use super::*;
    use proptest::prelude::*;

    fn pieces(bytes: &[u8]) -> Vec<Piece> {
        let mut splitter = Splitter::new(bytes);
        std::iter::from_fn(|| splitter.next().unwrap()).collect()
    }

    fn clip(frames: u32, comment: &[u8]) -> Vec<u8> {
        (0..frames).flat_map(|step| with_segment(&jpeg(48, 32, step), 0xfe, comment)).collect()
    }

    fn source(bytes: &[u8]) -> MotionJpeg<&[u8]> {
        MotionJpeg::new("clip.mjpg".into(), bytes).unwrap()
    }

    fn numbers_and_times(source: &mut impl Source) -> Vec<(u64, u128)> {
        std::iter::from_fn(|| source.next().unwrap())
            .map(|frame| (frame.number, frame.captured_at.as_millis()))
            .collect()
    }

    #[test]
    fn frames_take_the_rate_that_the_first_one_tells() {
        let bytes = clip(3, b"maskgate fps=25");
        let mut source = source(&bytes);
        assert_eq!(source.rate(), Some(25.0));
        assert_eq!(numbers_and_times(&mut source), [(0, 0), (1, 40), (2, 80)]);
    }

    #[test]
    fn a_clip_that_tells_no_sane_rate_runs_at_ten() {
        for comment in [&b"made by hand"[..], b"fps=", b"fps=0", b"fps=9e9", b"fps=\xff"] {
            assert_eq!(source(&clip(1, comment)).rate(), Some(10.0));
        }
    }

    #[test]
    fn a_broken_frame_is_counted_and_keeps_its_number() {
        let (first, second, third) = (jpeg(48, 32, 0), jpeg(48, 32, 1), jpeg(48, 32, 2));
        let bytes = [&first, &second[..second.len() - 20], &third].concat();
        let mut source = source(&bytes);
        assert_eq!(numbers_and_times(&mut source), [(0, 0), (2, 200)]);
        assert_eq!(source.broken(), 1);
    }

    #[test]
    fn a_clip_that_ends_within_a_frame_plays_up_to_it() {
        let bytes = clip(3, b"");
        let mut source = source(&bytes[..bytes.len() - 200]);
        assert_eq!(numbers_and_times(&mut source), [(0, 0), (1, 100)]);
        assert_eq!(source.broken(), 1);
    }

    #[test]
    fn a_clip_of_nothing_but_broken_frames_is_an_error() {
        let whole = jpeg(48, 32, 0);
        let cut = &whole[..whole.len() - 20];
        let said = source(&[cut, cut].concat()).next().unwrap_err().to_string();
        assert!(said.starts_with("clip.mjpg cannot be played: not one of its 2 frames"), "{said}");
        assert!(source(b"\xff\xd8").next().is_err());
        assert!(source(b"no picture at all").next().is_err());
    }

    #[test]
    fn thumbnails_and_junk_between_frames_are_no_frames() {
        let thumbnail = [exif(1), jpeg(16, 16, 0)].concat();
        let frame = with_segment(&jpeg(48, 32, 0), 0xe1, &thumbnail);
        let boundary = b"--frame\r\nContent-Type: image/jpeg\r\n\r\n".as_slice();
        let bytes = [boundary, &frame, boundary, &frame, &[0; 9]].concat();
        assert_eq!(pieces(&bytes), [Piece::Whole(frame.clone()), Piece::Whole(frame)]);
    }

    #[test]
    fn fill_bytes_before_a_marker_are_dropped() {
        let frame = jpeg(48, 32, 0);
        let filled = [&frame[..2], &[0xff, 0xff], &frame[2..]].concat();
        assert_eq!(pieces(&filled), [Piece::Whole(frame)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_cut_without_a_crash_and_whole_pieces_are_bracketed(
            bytes in prop::collection::vec(
                prop_oneof![Just(0xff_u8), Just(0xd8), Just(0xd9), Just(0xda), Just(0), any::<u8>()],
                0..300,
            )
        ) {
            for piece in pieces(&bytes) {
                if let Piece::Whole(piece) = piece {
                    prop_assert!(piece.starts_with(&[0xff, 0xd8]) && piece.ends_with(&[0xff, 0xd9]));
                }
            }
        }
    }
}
