//! AEDAT 3.1 of a DVS128 camera, as DVS-Gesture is published: lines that start with `#`, the last of them
//! `#!END-HEADER`; then packets. A packet has 28 bytes that describe it and events of one kind, all low byte first.
//! An event of a pixel has 8 bytes: a word with a mark of validity (bit 0), polarity (bit 1, 1 is brighter), row
//! (bits 2 to 16) and column (bits 17 to 31), and microseconds (31 bits), to which the packet adds multiples of 2^31.

use super::recording::{DVS128_SIDE, Event, Recording, check_is_dvs128};

const END_OF_HEADER: &[u8] = b"#!END-HEADER";
const DESCRIPTION: usize = 28;
/// The kind of packets that hold events of pixels.
const PIXELS: u16 = 1;
const BYTES: usize = 8;

/// What a packet says of itself.
struct Description {
    kind: u16,
    /// Bytes of an event.
    size: u32,
    /// Multiples of 2^31 us in the time of each event.
    overflow: u32,
    /// Number of events.
    events: u32,
}

impl Description {
    fn of(bytes: &[u8; DESCRIPTION]) -> Self {
        let (kind, _) = bytes.split_first_chunk().expect("a description has 28 bytes");
        let (words, _) = bytes[4..].as_chunks();
        let [size, _, overflow, _, events, _] = std::array::from_fn(|i| u32::from_le_bytes(words[i]));
        Description { kind: u16::from_le_bytes(*kind), size, overflow, events }
    }
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Recording, String> {
    let cut_short = || format!("is cut short: it ends at byte {}, inside a packet", bytes.len());
    let (mut at, mut events) = (start(bytes)?, vec![]);
    if let Some(camera) = camera(&bytes[..at]) {
        check_is_dvs128(&camera)?;
    }
    while at < bytes.len() {
        let description = bytes[at..].first_chunk().ok_or_else(cut_short)?;
        let Description { kind, size, overflow, events: count } = Description::of(description);
        if kind == PIXELS && size != BYTES as u32 {
            return Err(format!("holds events of {size} bytes at byte {at}, expected {BYTES}"));
        }
        let first = at + DESCRIPTION;
        let end = first as u64 + u64::from(size) * u64::from(count);
        at = usize::try_from(end).ok().filter(|end| *end <= bytes.len()).ok_or_else(cut_short)?;
        if kind == PIXELS {
            let (entries, _) = bytes[first..at].as_chunks();
            let found = (first..).step_by(BYTES).zip(entries);
            events.extend(found.filter_map(|(place, entry)| Some((place, event(entry, overflow)?))));
        }
    }
    Recording::new(DVS128_SIDE, DVS128_SIDE, events.into_iter())
}

/// The first byte behind the header.
fn start(bytes: &[u8]) -> Result<usize, String> {
    let mut start = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        start += line.len();
        match line {
            [b'#', .., b'\n'] if line.trim_ascii_end() == END_OF_HEADER => return Ok(start),
            [b'#', .., b'\n'] => {}
            _ => break,
        }
    }
    Err("is cut short inside its header: it has no line `#!END-HEADER`".into())
}

/// The camera that a line such as `#Source 1: DVS128` names.
fn camera(header: &[u8]) -> Option<String> {
    let header = String::from_utf8_lossy(header);
    let source = header.lines().find_map(|line| line.strip_prefix("#Source"))?;
    Some(source.split_once(':')?.1.trim().to_owned())
}

fn event(bytes: &[u8; BYTES], overflow: u32) -> Option<Event> {
    let word = u64::from_le_bytes(*bytes);
    let field = |shift: u32| (word >> shift & 0x7fff) as u16;
    let time = u64::from(overflow) << 31 | word >> 32 & 0x7fff_ffff;
    (word & 1 != 0).then_some(Event { time, x: field(17), y: field(2), on: word & 2 != 0 })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const HEADER: &[u8] = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n";

    pub(crate) fn packet(kind: u16, overflow: u32, events: &[[u8; BYTES]]) -> Vec<u8> {
        let mut bytes = [kind, 1].map(u16::to_le_bytes).concat();
        let count = events.len() as u32;
        bytes.extend([BYTES as u32, 4, overflow, count, count, count].map(u32::to_le_bytes).concat());
        bytes.extend(events.concat());
        bytes
    }

    /// An event that became brighter.
    pub(crate) fn on(x: u32, y: u32, time: u32) -> [u8; BYTES] {
        (u64::from(time) << 32 | u64::from(x << 17 | y << 2 | 3)).to_le_bytes()
    }

    #[test]
    fn packets_behind_the_header() {
        let darker = (7u64 << 32 | 5 << 17 | 127 << 2 | 1).to_le_bytes();
        let invalid = (8u64 << 32 | 500 << 17 | 2).to_le_bytes();
        let packets = [
            packet(PIXELS, 0, &[darker, invalid]),
            packet(0, 0, &[on(300, 300, 1)]),
            packet(PIXELS, 2, &[on(127, 1, 9)]),
        ];
        let bytes = [HEADER, &packets.concat()].concat();
        let first = Event { time: 7, x: 5, y: 127, on: false };
        let second = Event { time: (2 << 31) + 9, x: 127, y: 1, on: true };
        assert_eq!(parse(&bytes).unwrap().events, [first, second]);
    }

    #[test]
    fn other_cameras_are_named() {
        let of = |camera: &str| {
            let header = format!("#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: {camera}\r\n#!END-HEADER\r\n");
            parse(&[header.as_bytes(), &packet(PIXELS, 0, &[on(1, 2, 3)])].concat())
        };
        assert!(of("DVS128").is_ok());
        let error = of("DAVIS240C").unwrap_err();
        assert!(error.contains("recorded by a DAVIS240C") && error.contains("DVS128"), "{error}");
    }

    #[test]
    fn names_what_is_wrong() {
        let bytes = [HEADER, &packet(PIXELS, 0, &[on(1, 2, 3), on(128, 2, 4)])].concat();
        let behind = HEADER.len();
        let outside = format!("at byte {} is at (128, 2), outside of 128x128", behind + DESCRIPTION + BYTES);
        assert!(parse(&bytes).unwrap_err().contains(&outside));
        for cut in [behind + 1, behind + DESCRIPTION - 1, behind + DESCRIPTION + 1, bytes.len() - 1] {
            let error = parse(&bytes[..cut]).unwrap_err();
            assert!(error.contains(&format!("ends at byte {cut}, inside a packet")), "{error}");
        }
        for cut in [0, 5, behind - 1] {
            assert!(parse(&bytes[..cut]).unwrap_err().contains("#!END-HEADER"));
        }
        let mut sizes = bytes.clone();
        sizes[behind + 4] = 9;
        assert!(
            parse(&sizes).unwrap_err().contains(&format!("events of 9 bytes at byte {behind}, expected 8"))
        );
    }
}
