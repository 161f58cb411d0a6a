//! What an event camera recorded.

/// Largest recording; those of the known sets have at most 20 MB.
pub(crate) const MAX_BYTES: u64 = 1 << 28;

/// Rows and columns of a DVS128.
pub(crate) const DVS128_SIDE: usize = 128;

/// The recording is of a DVS128, as far as the `camera` that it names tells.
pub(crate) fn check_is_dvs128(camera: &str) -> Result<(), String> {
    match camera.to_ascii_uppercase().contains("DVS128") {
        true => Ok(()),
        false => Err(format!(
            "was recorded by a {camera}, whose events are coded in another way; a DVS128's are read"
        )),
    }
}

/// The byte behind all lines that start with `mark`.
pub(crate) fn after_header(bytes: &[u8], mark: u8) -> Result<usize, String> {
    let mut start = 0;
    while bytes.get(start) == Some(&mark) {
        let line = bytes[start..].iter().position(|b| *b == b'\n');
        start += line.ok_or("is cut short inside its header")? + 1;
    }
    Ok(start)
}

/// A pixel that became brighter or darker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Microseconds from an arbitrary start.
    pub time: u64,
    /// Column.
    pub x: u16,
    /// Row.
    pub y: u16,
    /// Brighter.
    pub on: bool,
}

/// Events in the order in which they were recorded, all inside the sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Rows of the sensor.
    pub height: usize,
    /// Columns of the sensor.
    pub width: usize,
    /// What was recorded.
    pub events: Vec<Event>,
}

impl Recording {
    /// Of a sensor of `height` x `width` pixels, and of events with the byte where each lies, for the error. There is at
    /// least one.
    pub(crate) fn new(
        height: usize,
        width: usize,
        events: impl Iterator<Item = (usize, Event)>,
    ) -> Result<Self, String> {
        let inside = |(at, event): (usize, Event)| {
            let Event { x, y, .. } = event;
            match usize::from(x) < width && usize::from(y) < height {
                true => Ok(event),
                false => Err(format!(
                    "the event at byte {at} is at ({x}, {y}), outside of {width}x{height} pixels"
                )),
            }
        };
        let events: Vec<Event> = events.map(inside).collect::<Result<_, _>>()?;
        match events.is_empty() {
            true => Err("holds no event".into()),
            false => Ok(Recording { height, width, events }),
        }
    }
}
