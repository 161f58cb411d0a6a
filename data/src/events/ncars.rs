//! N-CARS: lines that start with `%`, the bytes 0 and 8 (kind and size of an event), then eight bytes an event,
//! low byte first: microseconds (32 bits), column (14 bits), row (14 bits), polarity.

use super::recording::{Event, Recording, after_header};

const HEIGHT: usize = 100;
const WIDTH: usize = 120;
const BYTES: usize = 8;
const KIND: [u8; 2] = [0, BYTES as u8];

pub(crate) fn parse(bytes: &[u8]) -> Result<Recording, String> {
    let mut start = after_header(bytes, b'%')?;
    let kind = bytes.get(start..start + KIND.len()).ok_or("is cut short behind its header")?;
    if kind != KIND {
        return Err(format!("holds events of kind and size {kind:?} at byte {start}, expected {KIND:?}"));
    }
    start += KIND.len();
    let (entries, rest) = bytes[start..].as_chunks::<BYTES>();
    if !rest.is_empty() {
        return Err(format!("is cut short: it ends at byte {}, inside an event", bytes.len()));
    }
    let event = |(i, bytes): (usize, &[u8; BYTES])| {
        let word = u64::from_le_bytes(*bytes);
        let field = |shift: u32| (word >> shift & 0x3fff) as u16;
        let event = Event { time: word & 0xffff_ffff, x: field(32), y: field(46), on: word >> 60 & 1 != 0 };
        (start + i * BYTES, event)
    };
    Recording::new(HEIGHT, WIDTH, entries.iter().enumerate().map(event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_behind_the_header() {
        let events = [35, 0, 0, 0, 0x43, 0xc0, 0x08, 0, 152, 1, 0, 0, 0x38, 0xc0, 0x06, 0x10];
        let bytes = [b"% Data file\n% Version 2\n\0\x08", &events[..]].concat();
        let first = Event { time: 35, x: 67, y: 35, on: false };
        let second = Event { time: 408, x: 56, y: 27, on: true };
        assert_eq!(parse(&bytes).unwrap().events, [first, second]);
        assert!(parse(&bytes[..30]).unwrap_err().contains("ends at byte 30, inside an event"));
        assert!(parse(&bytes[..20]).unwrap_err().contains("inside its header"));
        assert!(parse(b"% x\n\0\x0c").unwrap_err().contains("[0, 12] at byte 4"));
    }
}
