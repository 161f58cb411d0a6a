//! AEDAT 2.0 of a DVS128 camera, as CIFAR10-DVS is published: lines that start with `#`, then eight bytes an
//! event, high byte first: address (32 bits) and microseconds (32 bits). The address holds polarity (bit 0,
//! 0 is brighter), mirrored column (bits 1 to 7) and row (bits 8 to 14); with bit 15 it is no event of a pixel.

use super::recording::{DVS128_SIDE, Event, Recording, after_header};

const BYTES: usize = 8;
const SPECIAL: u32 = 1 << 15;

pub(crate) fn parse(bytes: &[u8]) -> Result<Recording, String> {
    let start = after_header(bytes, b'#')?;
    let (entries, rest) = bytes[start..].as_chunks::<BYTES>();
    if !rest.is_empty() {
        return Err(format!("is cut short: it ends at byte {}, inside an event", bytes.len()));
    }
    let event = |(i, bytes): (usize, &[u8; BYTES])| {
        let word = u64::from_be_bytes(*bytes);
        let address = (word >> 32) as u32;
        let (column, row) = ((address >> 1 & 0x7f) as u16, (address >> 8 & 0x7f) as u16);
        let event = Event { time: word & 0xffff_ffff, x: 127 - column, y: row, on: address & 1 == 0 };
        (address & SPECIAL == 0).then_some((start + i * BYTES, event))
    };
    Recording::new(DVS128_SIDE, DVS128_SIDE, entries.iter().enumerate().filter_map(event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_behind_the_header() {
        let events = [0, 0, 0x7f, 0x03, 0, 0, 1, 2, 0, 0, 0x80, 0, 0, 0, 1, 3, 0, 0, 0x00, 0xfe, 0, 0, 1, 4];
        let bytes = [b"#!AER-DAT2.0\r\n# Data format\r\n", &events[..]].concat();
        let first = Event { time: 258, x: 126, y: 127, on: false };
        let second = Event { time: 260, x: 0, y: 0, on: true };
        assert_eq!(parse(&bytes).unwrap().events, [first, second]);
        assert!(parse(&bytes[..33]).unwrap_err().contains("ends at byte 33, inside an event"));
        assert!(parse(&bytes[..20]).unwrap_err().contains("inside its header"));
    }
}
