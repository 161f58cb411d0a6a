//! Events counted into frames.

use super::recording::{Event, Recording};
use crate::dataset::Dataset;
use crate::error::{Error, Result};
use empf_ir::ClassNames;
use empf_ir::formats::MAX_TIME_STEPS;
use std::ops::Range;

/// Codes that an event adds to its pixel; a pixel saturates at 255.
const EVENT: u8 = 16;

/// How a recording is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Each frame has the same number of events, up to one.
    Count,
    /// Each frame lasts equally long.
    Time,
}

/// Frames that recordings become: `[frame][darker, brighter][y][x]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameConfig {
    /// Frames of a recording, T.
    pub frames: usize,
    /// Rows; pixels of the sensor that fall together are added, and one that falls on several rows is shown by all.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Where a frame ends.
    pub cut: Cut,
}

impl FrameConfig {
    pub(crate) fn validate(&self) -> Result<()> {
        let settings = [
            ("frames", self.frames, MAX_TIME_STEPS),
            ("frame height", self.height, 1024),
            ("frame width", self.width, 1024),
        ];
        match settings.iter().find(|(_, value, top)| !(1..=*top).contains(value)) {
            Some((setting, value, top)) => {
                Err(Error::Setting { setting, message: format!("is {value}, not 1..={top}") })
            }
            None => Ok(()),
        }
    }

    /// Codes of all frames.
    pub fn frames_of(&self, recording: &Recording) -> Vec<u8> {
        let Recording { events, .. } = recording;
        let size = self.height * self.width;
        let mut codes = vec![0u8; self.frames * 2 * size];
        let start = events.iter().map(|e| e.time).min().unwrap_or(0);
        let length = events.iter().map(|e| e.time - start + 1).max().unwrap_or(1);
        for (i, Event { time, x, y, on }) in events.iter().enumerate() {
            let frame = match self.cut {
                Cut::Count => i * self.frames / events.len(),
                Cut::Time => ((time - start) as u128 * self.frames as u128 / u128::from(length)) as usize,
            };
            let plane = &mut codes[(2 * frame + usize::from(*on)) * size..][..size];
            for row in shown(usize::from(*y), recording.height, self.height) {
                for column in shown(usize::from(*x), recording.width, self.width) {
                    let code = &mut plane[row * self.width + column];
                    *code = code.saturating_add(EVENT);
                }
            }
        }
        codes
    }
}

/// The set of `recordings`, each a label below `classes` and the codes of its frames.
pub(crate) fn dataset<'a>(
    classes: usize,
    class_names: ClassNames,
    recordings: impl Iterator<Item = (u16, &'a [u8])>,
    config: &FrameConfig,
) -> Dataset {
    let (mut pixels, mut labels) = (vec![], vec![]);
    for (label, codes) in recordings {
        pixels.extend_from_slice(codes);
        labels.push(label);
    }
    Dataset {
        channels: 2,
        height: config.height,
        width: config.width,
        frames: config.frames,
        classes,
        class_names,
        pixels: pixels.into(),
        labels,
    }
}

/// The places of `to` that show place `at` of `from`: one where there are fewer, else those that it covers.
fn shown(at: usize, from: usize, to: usize) -> Range<usize> {
    match to > from {
        true => (at * to).div_ceil(from)..((at + 1) * to).div_ceil(from),
        false => at * to / from..at * to / from + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn recording(events: &[(u64, u16, u16, bool)]) -> Recording {
        let event = |(time, x, y, on): &(u64, u16, u16, bool)| Event { time: *time, x: *x, y: *y, on: *on };
        Recording { height: 4, width: 6, events: events.iter().map(event).collect() }
    }

    #[test]
    fn cuts_by_count_and_by_time() {
        let recording =
            recording(&[(100, 0, 0, true), (101, 1, 1, true), (102, 5, 3, false), (199, 2, 0, true)]);
        let frames = |cut| FrameConfig { frames: 2, height: 2, width: 3, cut }.frames_of(&recording);
        let by_count = [0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 16, 0, 0, 0, 0];
        assert_eq!(frames(Cut::Count), by_count);
        let by_time = [0, 0, 0, 0, 0, 16, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0];
        assert_eq!(frames(Cut::Time), by_time);
    }

    #[test]
    fn few_pixels_fill_many() {
        let recording = recording(&[(0, 0, 0, true), (1, 5, 3, true)]);
        let codes = FrameConfig { frames: 1, height: 6, width: 7, cut: Cut::Time }.frames_of(&recording);
        let at: Vec<usize> = (0..84).filter(|i| codes[*i] > 0).map(|i| i - 42).collect();
        assert_eq!(at, [0, 1, 7, 8, 41]);
    }

    #[test]
    fn a_busy_pixel_saturates() {
        let recording = recording(&[(7, 3, 3, true); 20]);
        let codes = FrameConfig { frames: 1, height: 4, width: 6, cut: Cut::Time }.frames_of(&recording);
        assert_eq!(codes.iter().filter(|c| **c == 255).count(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_place_shows_one_that_is_nearest(from in 1usize..50, to in 1usize..50) {
            let shown: Vec<_> = (0..from).flat_map(|at| shown(at, from, to).map(move |place| (place, at))).collect();
            if to > from {
                let expected: Vec<_> = (0..to).map(|place| (place, place * from / to)).collect();
                prop_assert_eq!(shown, expected);
            } else {
                let expected: Vec<_> = (0..from).map(|at| (at * to / from, at)).collect();
                prop_assert_eq!(shown, expected);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_event_is_in_one_frame(
            events in prop::collection::vec((0u64..1 << 32, 0u16..6, 0u16..4, any::<bool>()), 0..15),
            frames in 1usize..12,
            by_time: bool,
        ) {
            let cut = if by_time { Cut::Time } else { Cut::Count };
            let codes = FrameConfig { frames, height: 3, width: 4, cut }.frames_of(&recording(&events));
            prop_assert_eq!(codes.len(), frames * 2 * 3 * 4);
            let sum: usize = codes.iter().map(|c| usize::from(*c)).sum();
            prop_assert_eq!(sum, 16 * events.len());
        }
    }
}
