//! TensorBoard's event files.
//!
//! A file is a sequence of TFRecords: the length of the data as 8 bytes, a checksum of those, the data, a checksum
//! of the data; all little-endian. The data are an `Event` in Protocol Buffers: 1 the time, 2 the step, 3 the
//! file's version, 5 the summary, whose entries (1) have a tag (1) and a value (2).

use super::line::{Metrics, Scope};

/// What the record that begins a file says: the version.
pub const EVENTS_MARK: &str = "brain.Event:2";

/// The record that begins a file.
pub(super) fn header(time: f64) -> Vec<u8> {
    let mut event = Message::default();
    event.double(1, time);
    event.bytes(3, EVENTS_MARK.as_bytes());
    record(&event.0)
}

/// The figures of a line.
pub(super) fn of(metrics: &Metrics) -> Vec<u8> {
    let scope = match metrics.scope {
        Scope::Batch => "batch",
        Scope::Epoch => "epoch",
    };
    let figures = [
        ("loss", Some(metrics.loss)),
        ("accuracy", Some(metrics.accuracy)),
        ("test_accuracy", metrics.test_accuracy),
        ("rate", Some(metrics.rate)),
        ("images_per_second", metrics.images_per_second),
    ];
    let mut summary = Message::default();
    for (name, figure) in figures {
        if let Some(figure) = figure {
            let mut value = Message::default();
            value.bytes(1, format!("{scope}/{name}").as_bytes());
            value.float(2, figure as f32);
            summary.bytes(1, &value.0);
        }
    }
    let mut event = Message::default();
    event.double(1, metrics.time);
    event.integer(2, metrics.step as u64);
    event.bytes(5, &summary.0);
    record(&event.0)
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &checksum(&length), data, &checksum(data)].concat()
}

/// CRC-32C, rotated and shifted so that a checksum of data with checksums in them is no trivial one.
fn checksum(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// A message of Protocol Buffers in the making.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// Number and wire type of a field.
    fn key(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    fn integer(&mut self, field: u64, value: u64) {
        self.key(field, 0);
        self.varint(value);
    }

    fn double(&mut self, field: u64, value: f64) {
        self.key(field, 1);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.key(field, 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field: its number, and its content.
    type Field = (u64, Vec<u8>);

    fn varint(data: &mut &[u8]) -> u64 {
        let end = data.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        let (bytes, rest) = data.split_at(end);
        *data = rest;
        bytes.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
    }

    fn fields(mut data: &[u8]) -> Vec<Field> {
        let mut fields = vec![];
        while !data.is_empty() {
            let key = varint(&mut data);
            let length = match key & 7 {
                0 => {
                    fields.push((key >> 3, varint(&mut data).to_le_bytes().to_vec()));
                    continue;
                }
                1 => 8,
                2 => varint(&mut data) as usize,
                5 => 4,
                other => panic!("wire type {other}"),
            };
            let (content, rest) = data.split_at(length);
            fields.push((key >> 3, content.to_vec()));
            data = rest;
        }
        fields
    }

    /// Unmasks as a reader does: the inverse steps in the inverse order.
    fn check(data: &[u8], stored: &[u8]) {
        let stored = u32::from_le_bytes(stored.try_into().unwrap());
        assert_eq!(stored.wrapping_sub(0xa282_ead8).rotate_left(15), crc32c::crc32c(data));
    }

    /// The data of the records of a file.
    fn records(mut file: &[u8]) -> Vec<Vec<u8>> {
        let mut records = vec![];
        while !file.is_empty() {
            let (length, rest) = file.split_at(8);
            check(length, &rest[..4]);
            let (data, rest) = rest[4..].split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
            check(data, &rest[..4]);
            records.push(data.to_vec());
            file = &rest[4..];
        }
        records
    }

    #[test]
    fn the_checksum_is_crc_32c() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let metrics = Metrics {
            scope: Scope::Epoch,
            step: 300,
            epoch: 1,
            loss: 1.5,
            accuracy: 0.25,
            test_accuracy: Some(0.5),
            rate: 0.125,
            images_per_second: None,
            seconds: 2.0,
            time: 1e9,
        };
        let records = records(&[header(7.0), of(&metrics)].concat());
        assert_eq!(records.len(), 2);
        assert_eq!(fields(&records[0])[1], (3, b"brain.Event:2".to_vec()));
        let event = fields(&records[1]);
        assert_eq!(event[0], (1, 1e9f64.to_le_bytes().to_vec()));
        assert_eq!(event[1], (2, 300u64.to_le_bytes().to_vec()));
        assert_eq!(event[2].0, 5);
        let values = fields(&event[2].1).into_iter().map(|(number, value)| {
            let value = fields(&value);
            assert_eq!((number, value[0].0, value[1].0), (1, 1, 2));
            let figure = f32::from_le_bytes(value[1].1.clone().try_into().unwrap());
            (String::from_utf8(value[0].1.clone()).unwrap(), figure)
        });
        let expected = [("loss", 1.5), ("accuracy", 0.25), ("test_accuracy", 0.5), ("rate", 0.125)];
        let expected = expected.map(|(name, figure)| (format!("epoch/{name}"), figure));
        assert_eq!(values.collect::<Vec<_>>(), expected);
    }
}
