//! Gives a baseline JPEG Huffman tables of its own, as `jpegtran -optimize` does: a fifth smaller,
//! not a bit changed. The encoder could do it too, but then writes a scan for each colour, which
//! zune-jpeg 0.5 misreads when colours are at half resolution.

/// How often each symbol occurs, and how it is coded.
type Counts = [u32; 256];

/// A table as a DHT segment holds it: how many codes of 1 to 16 bits, and their symbols in order.
#[derive(Default)]
struct Table {
    lengths: [u8; 16],
    symbols: Vec<u8>,
}

impl Table {
    /// Codes in order: (symbol, code, bits).
    fn codes(&self) -> impl Iterator<Item = (u8, u32, u32)> {
        let mut code = 0;
        let mut symbols = self.symbols.iter();
        let mut codes = Vec::with_capacity(self.symbols.len());
        for (bits, &count) in (1..).zip(&self.lengths) {
            for &symbol in symbols.by_ref().take(usize::from(count)) {
                codes.push((symbol, code, bits));
                code += 1;
            }
            code <<= 1;
        }
        codes.into_iter()
    }

    /// The shortest code for these counts within 16 bits, none of it all ones (ITU-T T.81,
    /// Annex K.2).
    fn best(counts: &Counts) -> Self {
        let mut weights: Vec<u64> = counts.iter().map(|&count| u64::from(count)).collect();
        // Stands for the code of all ones, which must stay free.
        weights.push(1);
        let mut depth = vec![0_usize; weights.len()];
        let mut group: Vec<usize> = (0..weights.len()).collect();
        loop {
            // The rarest, the later symbol first where two are as rare.
            let rarest = |without: Option<usize>| {
                (0..weights.len())
                    .filter(|&i| weights[i] > 0 && Some(i) != without)
                    .min_by_key(|&i| (weights[i], std::cmp::Reverse(i)))
            };
            let Some(first) = rarest(None) else { break };
            let Some(second) = rarest(Some(first)) else { break };
            weights[second] += weights[first];
            weights[first] = 0;
            let (from, to) = (group[first], group[second]);
            for (depth, group) in depth.iter_mut().zip(&mut group) {
                if *group == from || *group == to {
                    *depth += 1;
                    *group = to;
                }
            }
        }
        let deepest = depth.iter().copied().max().unwrap_or(0).max(16);
        let mut lengths = vec![0_usize; deepest + 1];
        for &depth in depth.iter().filter(|&&depth| depth > 0) {
            lengths[depth] += 1;
        }
        for long in (17..=deepest).rev() {
            while lengths[long] > 0 {
                let Some(short) = (1..long - 1).rev().find(|&at| lengths[at] > 0) else { break };
                lengths[long] -= 2;
                lengths[long - 1] += 1;
                lengths[short + 1] += 2;
                lengths[short] -= 1;
            }
        }
        if let Some(longest) = (1..=16).rev().find(|&at| lengths[at] > 0) {
            lengths[longest] -= 1;
        }
        let mut symbols: Vec<u8> =
            (0..=255).filter(|&symbol| counts[usize::from(symbol)] > 0).collect();
        symbols.sort_by_key(|&symbol| depth[usize::from(symbol)]);
        Self { lengths: std::array::from_fn(|i| lengths[i + 1] as u8), symbols }
    }
}

/// A symbol with the table it is from and the bits that follow it.
struct Token {
    table: usize,
    symbol: u8,
    extra: u32,
}

/// Index of a table: direct current 0 and 1, alternating current 2 and 3.
fn index(class_and_id: u8) -> usize {
    usize::from(class_and_id >> 4 & 1) * 2 + usize::from(class_and_id & 1)
}

/// The same picture with better tables; `None` when the bytes are no baseline JPEG of one scan
/// without restarts.
pub fn optimise(jpeg: &[u8]) -> Option<Vec<u8>> {
    let mut tables: [Table; 4] = Default::default();
    // Blocks of each component in a unit, and its two tables.
    let mut components: Vec<(u8, usize, usize, usize)> = Vec::new();
    let mut units = 0;
    let mut kept = vec![0xff, 0xd8];
    let mut at = 2;
    let scan = loop {
        let &[0xff, marker, high, low] = jpeg.get(at..at + 4)? else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let segment = jpeg.get(at + 4..at + 2 + length)?;
        let whole = jpeg.get(at..at + 2 + length)?;
        at += 2 + length;
        match marker {
            0xc4 => read_tables(segment, &mut tables)?,
            0xc0 => {
                let &[_, h1, h0, w1, w0, _, ..] = segment else { return None };
                let side = |high, low| usize::from(u16::from_be_bytes([high, low]));
                let parts: Vec<&[u8]> = segment.get(6..)?.chunks_exact(3).collect();
                let most = |shift: u8| parts.iter().map(|c| usize::from(c[1] >> shift & 15)).max();
                let (across, down) = (most(4)? * 8, most(0)? * 8);
                units = side(w1, w0).div_ceil(across) * side(h1, h0).div_ceil(down);
                components = parts
                    .iter()
                    .map(|c| (c[0], usize::from(c[1] >> 4) * usize::from(c[1] & 15), 0, 2))
                    .collect();
                kept.extend(whole);
            }
            0xda => {
                let count = usize::from(*segment.first()?);
                if count != components.len() {
                    return None;
                }
                for pair in segment.get(1..1 + 2 * count)?.chunks_exact(2) {
                    let component = components.iter_mut().find(|c| c.0 == pair[0])?;
                    component.2 = index(pair[1] >> 4 & 1);
                    component.3 = index(0x10 | pair[1] & 1);
                }
                break whole;
            }
            0xc1..=0xcf | 0xdd => return None,
            _ => kept.extend(whole),
        }
    };

    let tokens = read_scan(jpeg.get(at..)?, &tables, &components, units)?;
    let mut counts = [[0_u32; 256]; 4];
    for token in &tokens {
        counts[token.table][usize::from(token.symbol)] += 1;
    }
    let best = counts.map(|counts| Table::best(&counts));
    for (table, id) in best.iter().zip([0x00, 0x01, 0x10, 0x11]) {
        if !table.symbols.is_empty() {
            kept.extend([0xff, 0xc4]);
            kept.extend(((19 + table.symbols.len()) as u16).to_be_bytes());
            kept.push(id);
            kept.extend(table.lengths);
            kept.extend(&table.symbols);
        }
    }
    kept.extend(scan);
    write_scan(&mut kept, &tokens, &best);
    kept.extend([0xff, 0xd9]);
    Some(kept)
}

fn read_tables(mut segment: &[u8], tables: &mut [Table; 4]) -> Option<()> {
    while let Some((&id, rest)) = segment.split_first() {
        let lengths: [u8; 16] = rest.get(..16)?.try_into().ok()?;
        let count: usize = lengths.iter().map(|&n| usize::from(n)).sum();
        let symbols = rest.get(16..16 + count)?.to_vec();
        tables[index(id)] = Table { lengths, symbols };
        segment = rest.get(16 + count..)?;
    }
    Some(())
}

/// The bits of a scan, stuffed zeros left out.
struct Bits<'a> {
    bytes: std::slice::Iter<'a, u8>,
    held: u32,
    count: u32,
}

impl Bits<'_> {
    fn take(&mut self, wanted: u32) -> Option<u32> {
        while self.count < wanted {
            let byte = *self.bytes.next()?;
            if byte == 0xff && *self.bytes.next()? != 0 {
                return None;
            }
            self.held = self.held << 8 | u32::from(byte);
            self.count += 8;
        }
        self.count -= wanted;
        let value = self.held >> self.count & ((1 << wanted) - 1);
        self.held &= (1 << self.count) - 1;
        Some(value)
    }
}

fn read_scan(
    scan: &[u8],
    tables: &[Table; 4],
    components: &[(u8, usize, usize, usize)],
    units: usize,
) -> Option<Vec<Token>> {
    let known: Vec<std::collections::HashMap<(u32, u32), u8>> = tables
        .iter()
        .map(|table| table.codes().map(|(symbol, code, bits)| ((bits, code), symbol)).collect())
        .collect();
    let mut bits = Bits { bytes: scan.iter(), held: 0, count: 0 };
    let mut tokens = Vec::new();
    let mut next = |table: usize, extra_bits: fn(u8) -> u32| {
        let mut code = 0;
        let symbol = (1..=16).find_map(|length| {
            code = code << 1 | bits.take(1)?;
            known[table].get(&(length, code)).copied()
        })?;
        let extra = bits.take(extra_bits(symbol))?;
        tokens.push(Token { table, symbol, extra });
        Some(symbol)
    };
    for _ in 0..units {
        for &(_, blocks, direct, alternating) in components {
            for _ in 0..blocks {
                next(direct, u32::from)?;
                let mut coefficient = 1;
                while coefficient < 64 {
                    match next(alternating, |symbol| u32::from(symbol & 15))? {
                        0 => break,
                        symbol => coefficient += 1 + usize::from(symbol >> 4),
                    }
                }
            }
        }
    }
    Some(tokens)
}

fn write_scan(out: &mut Vec<u8>, tokens: &[Token], tables: &[Table; 4]) {
    let mut codes = [[(0_u32, 0_u32); 256]; 4];
    for (codes, table) in codes.iter_mut().zip(tables) {
        for (symbol, code, bits) in table.codes() {
            codes[usize::from(symbol)] = (code, bits);
        }
    }
    let (mut held, mut count) = (0_u64, 0);
    let mut put = |value: u32, bits: u32| {
        held = held << bits | u64::from(value);
        count += bits;
        while count >= 8 {
            count -= 8;
            let byte = (held >> count) as u8;
            out.push(byte);
            if byte == 0xff {
                out.push(0);
            }
        }
        held &= (1 << count) - 1;
    };
    for token in tokens {
        let (code, bits) = codes[token.table][usize::from(token.symbol)];
        put(code, bits);
        // The low half of a symbol is the number of bits that follow it.
        put(token.extra, u32::from(token.symbol & 15));
    }
    put(0x7f, 7);
}

#[cfg(test)]
mod tests {
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

    use super::super::canvas::noise;
    use super::*;

    /// A picture of 90 × 70 pixels with soft and hard parts.
    fn encoded(quality: u8) -> Vec<u8> {
        let pixels: Vec<u8> = (0..90 * 70)
            .flat_map(|i| {
                let (x, y) = ((i % 90) as f32, (i / 90) as f32);
                let grain = if x > 45.0 { noise(x, y, 1) * 60.0 } else { 0.0 };
                [x * 2.0, y * 3.0, 120.0].map(|v| (v + grain).clamp(0.0, 255.0) as u8)
            })
            .collect();
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, quality);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.encode(&pixels, 90, 70, ColorType::Rgb).unwrap();
        bytes
    }

    #[test]
    fn a_picture_gets_smaller_and_every_pixel_stays() {
        for quality in [20, 60, 98] {
            let before = encoded(quality);
            let after = optimise(&before).unwrap();
            assert!(after.len() < before.len(), "{} to {}", before.len(), after.len());
            let [a, b] = [before, after].map(|j| image::load_from_memory(&j).unwrap().to_rgb8());
            assert!(a == b, "pixels changed at quality {quality}");
        }
    }

    #[test]
    fn what_is_cut_or_no_jpeg_is_left_alone() {
        let jpeg = encoded(60);
        assert!(optimise(&jpeg[..jpeg.len() / 2]).is_none());
        assert!(optimise(b"not a picture").is_none());
        assert!(optimise(&[]).is_none());
    }

    #[test]
    fn no_code_is_longer_than_sixteen_bits_however_rare_its_symbol() {
        let mut counts = [0; 256];
        let (mut a, mut b) = (1_u32, 1_u32);
        for count in counts.iter_mut().take(40) {
            *count = a;
            (a, b) = (b, a + b);
        }
        let table = Table::best(&counts);
        assert_eq!(table.symbols.len(), 40);
        assert_eq!(table.lengths.iter().map(|&n| u32::from(n)).sum::<u32>(), 40);
        let used: f64 = table.codes().map(|(.., bits)| 0.5_f64.powi(bits as i32)).sum();
        assert!(used < 1.0, "no room for the code of all ones");
    }
}
