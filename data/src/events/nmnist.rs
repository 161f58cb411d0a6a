//! N-MNIST: five bytes an event, `x`, `y`, then polarity (1 bit) and microseconds (23 bits), high byte first.

use super::recording::{Event, Recording};

const SIDE: usize = 34;
const BYTES: usize = 5;
/// Row of an entry that is no event, but adds [`WRAP`] to the time of all that follow.
const WRAP_ROW: u8 = 240;
const WRAP: u64 = 1 << 13;

pub(crate) fn parse(bytes: &[u8]) -> Result<Recording, String> {
    let (entries, rest) = bytes.as_chunks::<BYTES>();
    if !rest.is_empty() {
        return Err(format!("is cut short: it ends at byte {}, inside an event", bytes.len()));
    }
    let (mut events, mut wraps) = (vec![], 0);
    for (i, [x, y, high, middle, low]) in entries.iter().enumerate() {
        if *y == WRAP_ROW {
            wraps += WRAP;
            continue;
        }
        let time = u64::from(high & 0x7f) << 16 | u64::from(*middle) << 8 | u64::from(*low);
        let event = Event { time: time + wraps, x: (*x).into(), y: (*y).into(), on: high & 0x80 != 0 };
        events.push((i * BYTES, event));
    }
    Recording::new(SIDE, SIDE, events.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_wraps() {
        let recording = parse(&[10, 30, 0x81, 2, 3, 0, 240, 0, 0, 0, 33, 0, 0x01, 2, 4]).unwrap();
        let first = Event { time: 0x010203, x: 10, y: 30, on: true };
        let second = Event { time: 0x010204 + 8192, x: 33, y: 0, on: false };
        assert_eq!(recording.events, [first, second]);
        assert!(parse(&[1, 2, 3]).unwrap_err().contains("ends at byte 3, inside an event"));
        assert!(parse(&[1, 1, 0, 0, 0, 0, 240, 0, 0, 0, 34, 0, 0, 0, 0]).unwrap_err().contains("byte 10"));
    }
}
