//! Complex numbers as the maps on component fields write them. Sums and products of Gaussian integers, and of
//! their halves, are exact in f64.

pub use num_complex::Complex64 as Complex;

/// A number in its shortest form: `0`, `1.5`, `-i`, `1-2i`. (`Complex`'s own `Display` writes `0-1i` for `-i`.)
pub(super) fn written(z: &Complex) -> String {
    let imaginary = match z.im {
        1.0 => "i".to_owned(),
        -1.0 => "-i".to_owned(),
        im => format!("{im}i"),
    };
    // Adding zero turns -0 into 0.
    let real = (z.re + 0.0).to_string();
    match (z.re == 0.0, z.im == 0.0) {
        (_, true) => real,
        (true, false) => imaginary,
        (false, false) if z.im < 0.0 => real + &imaginary,
        (false, false) => format!("{real}+{imaginary}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_their_shortest_form() {
        for (re, im, text) in [
            (0.0, 0.0, "0"),
            (-0.0, 0.0, "0"),
            (1.5, 0.0, "1.5"),
            (0.0, -1.0, "-i"),
            (0.0, 2.5, "2.5i"),
            (1.0, -2.0, "1-2i"),
            (-1.0, 1.0, "-1+i"),
        ] {
            assert_eq!(written(&Complex::new(re, im)), text);
        }
    }
}
