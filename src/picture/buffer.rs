use std::fmt;

/// An RGB picture: 8 bits a channel, interleaved, rows from the top without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Picture {
    /// A black picture of `width` × `height` pixels.
    pub fn new(width: u32, height: u32) -> Self {
        let bytes = width as usize * height as usize * 3;
        Self { width, height, pixels: vec![0; bytes] }
    }

    /// Takes `width * height * 3` bytes of RGB; `None` when the length is another.
    pub fn from_pixels(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let bytes = (width as usize).checked_mul(height as usize)?.checked_mul(3)?;
        (pixels.len() == bytes).then_some(Self { width, height, pixels })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All bytes, `height` rows of `width * 3`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// All bytes, to be written.
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The bytes, given away.
    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// The pixel at (`x`, `y`), `None` outside the picture.
    pub fn get(&self, x: i64, y: i64) -> Option<[u8; 3]> {
        let at = self.offset(x, y)?;
        Some([self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]])
    }

    /// Sets the pixel at (`x`, `y`); outside the picture nothing happens.
    pub fn put(&mut self, x: i64, y: i64, rgb: [u8; 3]) {
        if let Some(at) = self.offset(x, y) {
            self.pixels[at..at + 3].copy_from_slice(&rgb);
        }
    }

    /// The picture as a mirror shows it.
    pub fn mirrored(&self) -> Picture {
        let mut out = self.clone();
        let row_bytes = self.width as usize * 3;
        if row_bytes > 0 {
            for (to, from) in
                out.pixels.chunks_exact_mut(row_bytes).zip(self.pixels.chunks_exact(row_bytes))
            {
                for (to, from) in to.chunks_exact_mut(3).zip(from.chunks_exact(3).rev()) {
                    to.copy_from_slice(from);
                }
            }
        }
        out
    }

    fn offset(&self, x: i64, y: i64) -> Option<usize> {
        let inside = x >= 0 && y >= 0 && x < i64::from(self.width) && y < i64::from(self.height);
        inside.then(|| (y as usize * self.width as usize + x as usize) * 3)
    }
}

/// Shows the size only: pixels are people, and logs are kept.
impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}x{})", self.width, self.height)
    }
}
