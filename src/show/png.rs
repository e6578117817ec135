//! Small indexed-colour PNG pictures as data URIs, for heat maps of many cells.

use super::color::Rgb;
use crate::error::{Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A picture as `data:image/png;base64,...`: `pixels` are indices into `palette`,
/// row by row, `width` per row.
///
/// # Errors
/// When there are no pixels, or they do not fill whole rows.
pub(super) fn data_uri(width: usize, palette: &[Rgb], pixels: &[u8]) -> Result<String> {
    let picture = encode(width, palette, pixels).map_err(|error| Error::Draw {
        figure: "picture".to_owned(),
        reason: error.to_string(),
    })?;
    Ok(format!(
        "data:image/png;base64,{}",
        STANDARD.encode(picture)
    ))
}

fn encode(width: usize, palette: &[Rgb], pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let height = pixels.len() / width.max(1);
    let mut picture = Vec::new();
    let mut encoder = png::Encoder::new(&mut picture, width as u32, height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(
        palette
            .iter()
            .flat_map(|c| [c.0, c.1, c.2])
            .collect::<Vec<u8>>(),
    );
    encoder.set_compression(png::Compression::High);
    // Filters work on differences of values, which mean nothing for indices into a palette.
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_read_back_as_it_was() {
        let palette = [Rgb(1, 2, 3), Rgb(4, 5, 6), Rgb(250, 251, 252)];
        let pixels: Vec<u8> = (0..60).map(|i| (i * i % 3) as u8).collect();
        let picture = encode(12, &palette, &pixels).unwrap();
        let decoder = png::Decoder::new(std::io::Cursor::new(picture));
        let mut reader = decoder.read_info().unwrap();
        assert_eq!((reader.info().width, reader.info().height), (12, 5));
        let stored = reader.info().palette.clone().unwrap();
        assert_eq!(stored.as_ref(), [1, 2, 3, 4, 5, 6, 250, 251, 252]);
        let mut read = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut read).unwrap();
        assert_eq!(read, pixels);
    }

    #[test]
    fn a_picture_without_pixels_is_an_error() {
        assert!(data_uri(0, &[Rgb(1, 2, 3)], &[]).is_err());
    }
}
