//! The points of an SVG path.
//! Source: SVG 2, section 9.3 "Path data".

/// The commands of a path, each by its upper-case letter, and its points: the ends of its
/// segments and the control points between them. `None` for invalid path data.
pub fn points(d: &str) -> Option<(String, Vec<(f64, f64)>)> {
    let mut reader = Reader { rest: d.trim() };
    let (mut commands, mut points) = (String::new(), Vec::new());
    let (mut pen, mut start) = ((0.0, 0.0), (0.0, 0.0));
    let mut command = None;
    while !reader.rest.is_empty() {
        let letter = match reader.letter() {
            Some(letter) => letter,
            // More arguments repeat the command; after a move they draw lines.
            None => match command? {
                'M' => 'L',
                'm' => 'l',
                'Z' | 'z' => return None,
                other => other,
            },
        };
        command = Some(letter);
        commands.push(letter.to_ascii_uppercase());
        let from = if letter.is_ascii_lowercase() {
            pen
        } else {
            (0.0, 0.0)
        };
        let pairs = match letter.to_ascii_uppercase() {
            'M' | 'L' | 'T' => 1,
            'S' | 'Q' => 2,
            'C' => 3,
            'H' => {
                pen.0 = from.0 + reader.number()?;
                points.push(pen);
                continue;
            }
            'V' => {
                pen.1 = from.1 + reader.number()?;
                points.push(pen);
                continue;
            }
            'A' => {
                // Radii, rotation and two flags; the radii count as a point.
                points.push((reader.number()?, reader.number()?));
                reader.number()?;
                reader.flag()?;
                reader.flag()?;
                1
            }
            'Z' => {
                pen = start;
                continue;
            }
            _ => return None,
        };
        for _ in 0..pairs {
            let to = (from.0 + reader.number()?, from.1 + reader.number()?);
            points.push(to);
        }
        pen = *points.last()?;
        if letter.eq_ignore_ascii_case(&'m') {
            start = pen;
        }
    }
    Some((commands, points))
}

/// The numbers of a list such as `points="1,2 3,4"`.
pub fn numbers(text: &str) -> Option<Vec<f64>> {
    let mut reader = Reader { rest: text.trim() };
    let mut numbers = Vec::new();
    while !reader.rest.is_empty() {
        numbers.push(reader.number()?);
    }
    Some(numbers)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip(&mut self) {
        self.rest = self
            .rest
            .trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    }

    fn letter(&mut self) -> Option<char> {
        let letter = self.rest.chars().next().filter(char::is_ascii_alphabetic)?;
        self.rest = &self.rest[1..];
        self.skip();
        Some(letter)
    }

    fn flag(&mut self) -> Option<char> {
        let flag = self
            .rest
            .chars()
            .next()
            .filter(|c| ['0', '1'].contains(c))?;
        self.rest = &self.rest[1..];
        self.skip();
        Some(flag)
    }

    fn number(&mut self) -> Option<f64> {
        let bytes = self.rest.as_bytes();
        let mut end = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
        let (mut dot, mut exponent) = (false, false);
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'0'..=b'9' => {}
                b'.' if !dot && !exponent => dot = true,
                b'e' | b'E' if !exponent && end > 0 => {
                    exponent = true;
                    if matches!(bytes.get(end + 1), Some(b'+' | b'-')) {
                        end += 1;
                    }
                }
                _ => break,
            }
            end += 1;
        }
        let number = self.rest[..end].parse().ok()?;
        self.rest = &self.rest[end..];
        // A unit: `5px`.
        if let Some(rest) = self.rest.strip_prefix("px") {
            self.rest = rest;
        }
        self.skip();
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pen_is_followed() {
        let at = |d: &str| points(d).unwrap();
        assert_eq!(
            at("M10 20h5v-5l1 1 2,2H0V0z"),
            (
                "MHVLLHVZ".to_owned(),
                vec![
                    (10.0, 20.0),
                    (15.0, 20.0),
                    (15.0, 15.0),
                    (16.0, 16.0),
                    (18.0, 18.0),
                    (0.0, 18.0),
                    (0.0, 0.0)
                ]
            )
        );
        // A relative move after a closed path starts from that path's first point.
        assert_eq!(at("m1 1l1 0zm2 2").1, [(1.0, 1.0), (2.0, 1.0), (3.0, 3.0)]);
        assert_eq!(at("M0 0a40 40 0 1 0 80 0").1[2], (80.0, 0.0));
        assert_eq!(
            at("M0 0C1-2.5.5.5 3 4").1[1..],
            [(1.0, -2.5), (0.5, 0.5), (3.0, 4.0)]
        );
        assert_eq!(points("M0 0X1"), None);
        assert_eq!(points("5 5"), None);
        assert_eq!(numbers("1,2 3,-4e1 "), Some(vec![1.0, 2.0, 3.0, -40.0]));
        assert_eq!(numbers("100%"), None);
    }
}
