//! The letters of `\mathbf`, `\mathbb` and similar: MathML Core has no
//! `mathvariant` for them, but Unicode contains the letters.

/// The character in the alphabet of a `mathvariant`; unchanged where the alphabet
/// does not contain it.
pub fn letter(c: char, variant: &str) -> char {
    exception(c, variant)
        .or_else(|| latin(c, variant))
        .or_else(|| digit(c, variant))
        .or_else(|| greek(c, variant))
        .unwrap_or(c)
}

fn at(base: u32, offset: u32) -> Option<char> {
    char::from_u32(base + offset)
}

/// Letters that Unicode had before it had the alphabets.
fn exception(c: char, variant: &str) -> Option<char> {
    Some(match (variant, c) {
        ("italic", 'h') => 'ℎ',
        ("italic", 'ı') => '𝚤',
        ("italic", 'ȷ') => '𝚥',
        ("double-struck", 'C') => 'ℂ',
        ("double-struck", 'H') => 'ℍ',
        ("double-struck", 'N') => 'ℕ',
        ("double-struck", 'P') => 'ℙ',
        ("double-struck", 'Q') => 'ℚ',
        ("double-struck", 'R') => 'ℝ',
        ("double-struck", 'Z') => 'ℤ',
        ("script", 'B') => 'ℬ',
        ("script", 'E') => 'ℰ',
        ("script", 'F') => 'ℱ',
        ("script", 'H') => 'ℋ',
        ("script", 'I') => 'ℐ',
        ("script", 'L') => 'ℒ',
        ("script", 'M') => 'ℳ',
        ("script", 'R') => 'ℛ',
        ("script", 'e') => 'ℯ',
        ("script", 'g') => 'ℊ',
        ("script", 'o') => 'ℴ',
        ("fraktur", 'C') => 'ℭ',
        ("fraktur", 'H') => 'ℌ',
        ("fraktur", 'I') => 'ℑ',
        ("fraktur", 'R') => 'ℜ',
        ("fraktur", 'Z') => 'ℨ',
        _ => return None,
    })
}

fn latin(c: char, variant: &str) -> Option<char> {
    let base = match variant {
        "bold" => 0x1D400,
        "italic" => 0x1D434,
        "bold-italic" => 0x1D468,
        "script" => 0x1D49C,
        "fraktur" => 0x1D504,
        "double-struck" => 0x1D538,
        "sans-serif" => 0x1D5A0,
        "bold-sans-serif" => 0x1D5D4,
        "sans-serif-italic" => 0x1D608,
        "sans-serif-bold-italic" => 0x1D63C,
        "monospace" => 0x1D670,
        _ => return None,
    };
    match c {
        'A'..='Z' => at(base, c as u32 - 'A' as u32),
        'a'..='z' => at(base + 26, c as u32 - 'a' as u32),
        _ => None,
    }
}

fn digit(c: char, variant: &str) -> Option<char> {
    let base = match variant {
        "bold" | "bold-italic" => 0x1D7CE,
        "double-struck" => 0x1D7D8,
        "sans-serif" | "sans-serif-italic" => 0x1D7E2,
        "bold-sans-serif" | "sans-serif-bold-italic" => 0x1D7EC,
        "monospace" => 0x1D7F6,
        _ => return None,
    };
    at(base, c.to_digit(10)?)
}

fn greek(c: char, variant: &str) -> Option<char> {
    let base = match variant {
        "bold" => 0x1D6A8,
        "italic" => 0x1D6E2,
        "bold-italic" => 0x1D71C,
        "bold-sans-serif" => 0x1D756,
        "sans-serif-bold-italic" => 0x1D790,
        _ => return None,
    };
    let offset = match c {
        // Its place in the block belongs to the capital theta symbol.
        'Α'..='Ρ' | 'Σ'..='Ω' => c as u32 - 'Α' as u32,
        'ϴ' => 17,
        '∇' => 25,
        'α'..='ω' => c as u32 - 'α' as u32 + 26,
        '∂' => 51,
        'ϵ' => 52,
        'ϑ' => 53,
        'ϰ' => 54,
        'ϕ' => 55,
        'ϱ' => 56,
        'ϖ' => 57,
        _ => return None,
    };
    at(base, offset)
}
