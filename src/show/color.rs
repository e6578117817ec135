//! Colours that colour-blind readers can distinguish.
//!
//! Categories: Okabe and Ito, "Color Universal Design" (2008), without its yellow,
//! which is too light for lines. Sequential: viridis (van der Walt and Smith, 2015).
//! Diverging: coolwarm (Moreland, 2009) with a lighter middle.

/// A colour in sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    /// `#rrggbb`.
    pub fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// Parses `#rrggbb`; in a constant, any other text is a compile error.
    pub(crate) const fn of_hex(text: &str) -> Rgb {
        let text = text.as_bytes();
        assert!(text.len() == 7 && text[0] == b'#', "not #rrggbb");
        let mut bytes = [0; 3];
        let mut i = 0;
        while i < 6 {
            let digit = match text[1 + i] {
                c @ b'0'..=b'9' => c - b'0',
                c @ b'a'..=b'f' => c - b'a' + 10,
                _ => panic!("not #rrggbb in lower case"),
            };
            bytes[i / 2] = bytes[i / 2] * 16 + digit;
            i += 1;
        }
        Rgb(bytes[0], bytes[1], bytes[2])
    }

    /// Black or white text, whichever contrasts more: at least 4.5 to 1 (WCAG 2.1).
    pub fn ink(self) -> Rgb {
        // Contrast with white, 1.05 / (l + 0.05), equals that with black,
        // (l + 0.05) / 0.05, at l = 0.179.
        if self.luminance() > 0.179 {
            Rgb(0, 0, 0)
        } else {
            Rgb(255, 255, 255)
        }
    }

    /// Relative luminance, 0 for black and 1 for white.
    pub fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.03928 {
                c / 12.92
            } else {
                ((c + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }

    /// This colour at `t` = 0, the other at `t` = 1; [`MISSING`] where `t` is NaN.
    pub fn mix(self, other: Rgb, t: f64) -> Rgb {
        if t.is_nan() {
            return MISSING;
        }
        let t = t.clamp(0.0, 1.0);
        let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * t).round() as u8;
        Rgb(
            mix(self.0, other.0),
            mix(self.1, other.1),
            mix(self.2, other.2),
        )
    }
}

/// The colour of a value that is not a number.
pub const MISSING: Rgb = Rgb(0xb4, 0xb4, 0xb0);

/// Positive values, in bars and tokens.
pub const POSITIVE: Rgb = Rgb(0x00, 0x72, 0xb2);
/// Negative values, in bars and tokens.
pub const NEGATIVE: Rgb = Rgb(0xd5, 0x5e, 0x00);

/// Colours of categories, in the order of use.
pub const CATEGORIES: [Rgb; 7] = [
    Rgb(0x00, 0x72, 0xb2),
    Rgb(0xd5, 0x5e, 0x00),
    Rgb(0x00, 0x9e, 0x73),
    Rgb(0xcc, 0x79, 0xa7),
    Rgb(0xe6, 0x9f, 0x00),
    Rgb(0x56, 0xb4, 0xe9),
    Rgb(0x3d, 0x3d, 0x3d),
];

/// The colour of the `index`-th category; they repeat after seven.
pub fn category(index: usize) -> Rgb {
    CATEGORIES[index % CATEGORIES.len()]
}

const VIRIDIS: [Rgb; 10] = [
    Rgb(0x44, 0x01, 0x54),
    Rgb(0x48, 0x28, 0x78),
    Rgb(0x3e, 0x4a, 0x89),
    Rgb(0x31, 0x68, 0x8e),
    Rgb(0x26, 0x82, 0x8e),
    Rgb(0x1f, 0x9e, 0x89),
    Rgb(0x35, 0xb7, 0x79),
    Rgb(0x6e, 0xce, 0x58),
    Rgb(0xb5, 0xde, 0x2b),
    Rgb(0xfd, 0xe7, 0x25),
];

const COOLWARM: [Rgb; 9] = [
    Rgb(59, 76, 192),
    Rgb(98, 130, 234),
    Rgb(141, 176, 254),
    Rgb(188, 211, 250),
    Rgb(242, 242, 240),
    Rgb(248, 202, 180),
    Rgb(244, 154, 123),
    Rgb(222, 96, 77),
    Rgb(180, 4, 38),
];

/// Viridis at `t` in 0..=1; what is not a number is [`MISSING`].
pub fn viridis(t: f64) -> Rgb {
    along(&VIRIDIS, t)
}

/// Coolwarm at `t` in -1..=1: blue below zero, near white at zero, red above.
pub fn coolwarm(t: f64) -> Rgb {
    along(&COOLWARM, (t + 1.0) / 2.0)
}

fn along(stops: &[Rgb], t: f64) -> Rgb {
    if t.is_nan() {
        return MISSING;
    }
    let place = t.clamp(0.0, 1.0) * (stops.len() - 1) as f64;
    let left = (place.floor() as usize).min(stops.len() - 2);
    stops[left].mix(stops[left + 1], place - left as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_meet_their_ends_and_the_middle() {
        assert_eq!(viridis(0.0).hex(), "#440154");
        assert_eq!(viridis(7.0).hex(), "#fde725");
        assert_eq!(coolwarm(0.0), COOLWARM[4]);
        assert_eq!(coolwarm(-1.0), COOLWARM[0]);
        assert_eq!(coolwarm(f64::NAN), MISSING);
    }

    #[test]
    fn text_on_every_scale_colour_is_readable() {
        for i in 0..=100 {
            let t = f64::from(i) / 100.0;
            for fill in [viridis(t), coolwarm(2.0 * t - 1.0)] {
                let (a, b) = (fill.luminance(), fill.ink().luminance());
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{} has {contrast}", fill.hex());
            }
        }
    }
}
