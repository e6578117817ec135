//! Decodes a file's bytes: UTF-8 with or without a byte-order mark, and UTF-16
//! as saved by editors on Windows.

use super::fault::Fault;

/// The text, and a note on its encoding if it is not plain UTF-8.
pub fn decode(bytes: &[u8]) -> Result<(String, Option<&'static str>), Fault> {
    let (text, note) = match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
            return Err(Fault::new(0, "the file is UTF-32; save it as UTF-8"));
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => (utf8(rest)?, Some("the byte-order mark was left out")),
        [0xff, 0xfe, rest @ ..] | rest @ [b'{', 0, ..] => utf16(rest, u16::from_le_bytes)?,
        [0xfe, 0xff, rest @ ..] | rest @ [0, b'{', ..] => utf16(rest, u16::from_be_bytes)?,
        rest => (utf8(rest)?, None),
    };
    if text.trim().is_empty() {
        return Err(Fault::new(0, "the file is empty, not a notebook"));
    }
    Ok((text, note))
}

fn utf8(bytes: &[u8]) -> Result<String, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let line = 1 + good.iter().filter(|&&b| b == b'\n').count();
        let byte = bad.first().copied().unwrap_or_default();
        let reason =
            format!("not UTF-8: the byte 0x{byte:02x} begins no character; save it as UTF-8");
        Fault::new(line, reason)
    })?;
    Ok(text.to_owned())
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<(String, Option<&'static str>), Fault> {
    let (units, odd) = bytes.as_chunks::<2>();
    let units = units.iter().map(|&pair| unit(pair));
    match char::decode_utf16(units).collect::<Result<String, _>>() {
        Ok(text) if odd.is_empty() => Ok((text, Some("the file was UTF-16; it is read as UTF-8"))),
        _ => Err(Fault::new(
            0,
            "the file begins like UTF-16 and is not; save it as UTF-8",
        )),
    }
}
