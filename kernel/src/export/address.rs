//! Percent-encoding of text within addresses.
//! Source: URL Standard, "percent-encoded bytes".

use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};

/// The "fragment percent-encode set"; also `%`, because browsers decode a fragment before they look for the id, and `&`
/// and `'`, because fragments are written into attributes.
const FRAGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'%')
    .add(b'&')
    .add(b'\'');

/// All but letters, digits, the characters common in file names, and `/`.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// `#` and an id.
pub fn fragment(id: &str) -> String {
    format!("#{}", utf8_percent_encode(id, FRAGMENT))
}

/// A path relative to the page, parts separated by `/`.
pub fn path(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// The decoded text of an address or fragment.
pub fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(text in "\\PC{0,20}") {
            prop_assert_eq!(decoded(&path(&text)), text.clone());
            let fragment = fragment(&text);
            prop_assert!(!fragment.contains(['"', '<', '>', '&', ' ']), "{}", fragment);
            prop_assert_eq!(decoded(&fragment[1..]), text);
        }
    }

    #[test]
    fn a_percent_sign_without_digits_stands_for_itself() {
        assert_eq!(decoded("50%, %zz, %4"), "50%, %zz, %4");
        assert_eq!(path("my lessons/a&b.html"), "my%20lessons/a%26b.html");
        assert_eq!(fragment("Lösung 1"), "#L%C3%B6sung%201");
    }
}
