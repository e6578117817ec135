//! Small indexed-colour PNG pictures as data URIs, for heat maps of many cells.
//!
//! One byte a pixel, at most 256 colours, and runs of one colour shortened. Source: PNG, third edition (W3C, 2025), RFC 1950, RFC 1951.

use super::color::Rgb;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A picture as `data:image/png;base64,...`: `pixels` are indices into `palette`,
/// row by row, `width` a row.
pub(super) fn data_uri(width: usize, palette: &[Rgb], pixels: &[u8]) -> String {
    format!(
        "data:image/png;base64,{}",
        STANDARD.encode(encode(width, palette, pixels))
    )
}

fn encode(width: usize, palette: &[Rgb], pixels: &[u8]) -> Vec<u8> {
    let height = pixels.len() / width.max(1);
    let mut header = Vec::with_capacity(13);
    header.extend_from_slice(&(width as u32).to_be_bytes());
    header.extend_from_slice(&(height as u32).to_be_bytes());
    // Eight bits, indexed colour, and the only compression, filter, no interlace.
    header.extend_from_slice(&[8, 3, 0, 0, 0]);
    let colors: Vec<u8> = palette.iter().flat_map(|c| [c.0, c.1, c.2]).collect();
    // Every row begins with its filter type: 0, none.
    let rows: Vec<u8> = pixels
        .chunks(width.max(1))
        .flat_map(|row| std::iter::once(0).chain(row.iter().copied()))
        .collect();

    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, b"IHDR", &header);
    chunk(&mut png, b"PLTE", &colors);
    chunk(&mut png, b"IDAT", &zlib(&rows));
    chunk(&mut png, b"IEND", &[]);
    png
}

fn chunk(png: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    png.extend_from_slice(&(data.len() as u32).to_be_bytes());
    let start = png.len();
    png.extend_from_slice(kind);
    png.extend_from_slice(data);
    let crc = crc32(&png[start..]);
    png.extend_from_slice(&crc.to_be_bytes());
}

/// A zlib stream of one block with deflate's fixed codes, in which only runs of one
/// byte are shortened: what pictures of few colours consist of.
fn zlib(data: &[u8]) -> Vec<u8> {
    let mut bits = Bits {
        bytes: vec![0x78, 0x01],
        used: 0,
    };
    // The last block, with fixed codes.
    bits.push(0b011, 3);
    for run in data.chunk_by(|a, b| a == b) {
        bits.symbol(u16::from(run[0]));
        let mut left = run.len() - 1;
        while left >= 3 {
            let length = left.min(258);
            bits.repeat(length as u16);
            left -= length;
        }
        for _ in 0..left {
            bits.symbol(u16::from(run[0]));
        }
    }
    bits.symbol(256);
    bits.bytes.extend_from_slice(&adler32(data).to_be_bytes());
    bits.bytes
}

/// Bits packed into bytes from the lowest on.
struct Bits {
    bytes: Vec<u8>,
    /// Bits used of the last byte; 0 when it is full.
    used: u32,
}

impl Bits {
    /// The lowest `count` bits of a value, the lowest first.
    fn push(&mut self, value: u32, count: u32) {
        for i in 0..count {
            if self.used == 0 {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> i & 1) as u8) << self.used;
            }
            self.used = (self.used + 1) % 8;
        }
    }

    /// A symbol in its fixed code (RFC 1951, 3.2.6), whose highest bit comes first.
    fn symbol(&mut self, symbol: u16) {
        let symbol = u32::from(symbol);
        let (code, count) = match symbol {
            0..=143 => (0x30 + symbol, 8),
            144..=255 => (0x190 + symbol - 144, 9),
            256..=279 => (symbol - 256, 7),
            _ => (0xc0 + symbol - 280, 8),
        };
        self.push(code.reverse_bits() >> (32 - count), count);
    }

    /// The last byte another `length` times, 3 to 258: a copy from distance one.
    fn repeat(&mut self, length: u16) {
        let rest = u32::from(length) - 3;
        if length == 258 {
            self.symbol(285);
        } else if rest < 8 {
            self.symbol(257 + rest as u16);
        } else {
            // Four codes for each number of extra bits (RFC 1951, 3.2.5).
            let extra = rest.ilog2() - 2;
            self.symbol((265 + 4 * (extra - 1) + (rest >> extra) - 4) as u16);
            self.push(rest & ((1 << extra) - 1), extra);
        }
        self.push(0, 5);
    }
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in data {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

fn adler32(data: &[u8]) -> u32 {
    let (mut a, mut b) = (1u32, 0u32);
    for &byte in data {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    (b << 16) | a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_match_their_published_values() {
        // The check value of CRC-32/ISO-HDLC and the example of RFC 1950's Adler-32.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }

    #[test]
    fn runs_are_shortened_as_deflate_says() {
        // Python: zlib.decompress(bytes.fromhex("7801...")) == b"\x00" * 600 + b"\xc8\x07\x07".
        let mut data = vec![0; 600];
        data.extend([200, 7, 7]);
        let stream = zlib(&data);
        let hex: String = stream.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "7801631805a38006e0043b3b0004c800d7");
    }

    #[test]
    fn a_picture_has_its_chunks() {
        let png = encode(2, &[Rgb(1, 2, 3), Rgb(4, 5, 6)], &[0, 1, 1, 0]);
        assert_eq!(&png[12..16], b"IHDR");
        assert_eq!(&png[16..24], [0, 0, 0, 2, 0, 0, 0, 2]);
        assert_eq!(&png[png.len() - 8..png.len() - 4], b"IEND");
    }
}
