//! Files that several tests read.

use png::{ColorType, Encoder};

pub(crate) fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

/// A baseline JPEG of one grey: every coefficient is 0, a table of one code of one bit each says so.
pub(crate) fn jpeg(side: u16, components: u8) -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    bytes.extend([1; 64]);
    let [high, low] = side.to_be_bytes();
    bytes.extend([0xff, 0xc0, 0, 8 + 3 * components, 8, high, low, high, low, components]);
    (1..=components).for_each(|c| bytes.extend([c, 0x11, 0]));
    for class in [0x00, 0x10] {
        bytes.extend([0xff, 0xc4, 0, 20, class, 1]);
        bytes.extend([0; 16]);
    }
    bytes.extend([0xff, 0xda, 0, 6 + 2 * components, components]);
    (1..=components).for_each(|c| bytes.extend([c, 0]));
    bytes.extend([0, 63, 0]);
    let blocks = usize::from(side).div_ceil(8).pow(2) * usize::from(components);
    bytes.resize(bytes.len() + (2 * blocks).div_ceil(8), 0);
    bytes.extend([0xff, 0xd9]);
    bytes
}

/// A PNG of `height` x `width` pixels of the given colours.
pub(crate) fn png(height: u32, width: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Vec<u8> {
    let mut bytes = vec![];
    let mut encoder = Encoder::new(&mut bytes, width, height);
    encoder.set_color(ColorType::Rgb);
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    let data: Vec<u8> = places.flat_map(|(y, x)| pixel(y, x)).collect();
    encoder.write_header().and_then(|mut writer| writer.write_image_data(&data)).unwrap();
    bytes
}
