//! Pictures as SVG and PNG.

use crate::error::{Error, Result};
use empf_ir::store;
use epaint_default_fonts::UBUNTU_LIGHT;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::register_font;
use std::path::Path;

/// Width and height in pixels.
type Size = (u32, u32);

/// Why a picture cannot be drawn.
pub(crate) type Drawn<B> = std::result::Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Something that can be drawn.
pub(crate) trait Picture {
    /// Width and height in pixels.
    fn size(&self) -> Size;

    /// Draws it on `area`, which is white and of that size.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B>;
}

/// Writes `NAME.svg` and `NAME.png` into `folder`.
pub(crate) fn save(picture: &impl Picture, folder: &Path, name: &str) -> Result<()> {
    let svg = folder.join(format!("{name}.svg"));
    let png = folder.join(format!("{name}.png"));
    register_font("sans-serif", FontStyle::Normal, UBUNTU_LIGHT)
        .map_err(|_| Error::file(&svg, "cannot be drawn: the font is broken"))?;
    let mut text = String::new();
    render(picture, SVGBackend::with_string(&mut text, picture.size()), &svg)?;
    store::write(&svg, text.as_bytes())?;

    let (width, height) = picture.size();
    let mut pixels = vec![0; width as usize * height as usize * 3];
    render(picture, BitMapBackend::with_buffer(&mut pixels, picture.size()), &png)?;
    let bytes = encode(&pixels, picture.size()).map_err(|e| Error::file(&png, e))?;
    Ok(store::write(&png, &bytes)?)
}

fn render<B: DrawingBackend>(picture: &impl Picture, backend: B, path: &Path) -> Result<()> {
    let area = backend.into_drawing_area();
    let drawn = area.fill(&WHITE).and_then(|()| picture.draw(&area)).and_then(|()| area.present());
    drawn.map_err(|e| Error::file(path, format!("cannot be drawn: {e}")))
}

/// PNG of `pixels`, red, green and blue.
fn encode(pixels: &[u8], (width, height): Size) -> std::result::Result<Vec<u8>, png::EncodingError> {
    let mut bytes = vec![];
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header()?.write_image_data(pixels)?;
    Ok(bytes)
}
