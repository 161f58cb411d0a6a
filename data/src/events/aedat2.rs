//! AEDAT 2.0 of a DVS128 camera, as CIFAR10-DVS is published: lines that start with `#`, then eight bytes an
//! event, high byte first: address (32 bits) and microseconds (32 bits). The address holds polarity (bit 0,
//! 0 is brighter), mirrored column (bits 1 to 7) and row (bits 8 to 14); with bit 15 it is no event of a pixel.
//! Other cameras use the bits above, and are named in the line `# AEChip:`.

use super::recording::{DVS128_SIDE, Event, Recording, after_header, check_is_dvs128};

const BYTES: usize = 8;
const SPECIAL: u32 = 1 << 15;
/// Bits that are 0 in every address of a DVS128.
const OTHERS: u32 = 0xffff_0000;
/// What precedes the camera's name in the header, a Java class such as `ch.unizh.ini.jaer.chip.retina.DVS128`.
const CHIP: &str = "AEChip:";

pub(crate) fn parse(bytes: &[u8]) -> Result<Recording, String> {
    let start = after_header(bytes, b'#')?;
    if let Some(class) =
        String::from_utf8_lossy(&bytes[..start]).lines().find_map(|line| line.split_once(CHIP))
    {
        check_is_dvs128(class.1.trim().rsplit('.').next().unwrap_or_default())?;
    }
    let (entries, rest) = bytes[start..].as_chunks::<BYTES>();
    if !rest.is_empty() {
        return Err(format!("is cut short: it ends at byte {}, inside an event", bytes.len()));
    }
    let address = |entry: &[u8; BYTES]| (u64::from_be_bytes(*entry) >> 32) as u32;
    if let Some(i) = entries.iter().position(|entry| address(entry) & OTHERS != 0) {
        let (at, address) = (start + i * BYTES, address(&entries[i]));
        return Err(format!(
            "the event at byte {at} has the address {address:#x}, which no DVS128 gives: it was \
                            recorded by another camera"
        ));
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
    fn other_cameras_are_named() {
        let with = |chip: &str, address: u8| {
            let header = format!("#!AER-DAT2.0\r\n# AEChip: {chip}\r\n");
            parse(&[header.as_bytes(), &[0, address, 0, 0, 0, 0, 0, 1]].concat())
        };
        assert!(with("ch.unizh.ini.jaer.chip.retina.DVS128", 0).is_ok());
        let error = with("eu.seebetter.ini.chips.davis.Davis346red", 0).unwrap_err();
        assert!(error.contains("recorded by a Davis346red") && error.contains("DVS128"), "{error}");
        let error = with("DVS128", 1).unwrap_err();
        assert!(error.contains("at byte 32 has the address 0x10000, which no DVS128 gives"), "{error}");
    }

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
