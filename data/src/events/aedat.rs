//! AEDAT of a DVS128 camera, whose first line names the version.

use super::recording::Recording;
use super::{aedat2, aedat3};

const START: &[u8] = b"#!AER-DAT";

pub(crate) fn parse(bytes: &[u8]) -> Result<Recording, String> {
    match bytes.strip_prefix(START) {
        Some([b'2', b'.', b'0', ..]) => aedat2::parse(bytes),
        Some([b'3', b'.', b'1', ..]) => aedat3::parse(bytes),
        _ => {
            let start = String::from_utf8_lossy(&bytes[..bytes.len().min(START.len() + 3)]).into_owned();
            let start = start.escape_default();
            Err(format!("starts with `{start}`, expected `#!AER-DAT2.0` or `#!AER-DAT3.1`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_versions_are_named() {
        assert_eq!(parse(b"#!AER-DAT2.0\r\n").unwrap_err(), "holds no event");
        assert_eq!(parse(b"#!AER-DAT3.1\r\n#!END-HEADER\r\n").unwrap_err(), "holds no event");
        assert!(parse(b"#!AER-DAT4.0\r\n").unwrap_err().contains("`#!AER-DAT4.0`"));
        assert!(parse(b"").unwrap_err().contains("starts with ``"));
    }
}
