//! Channel attention: currents that are kept, their sums, and the scores that follow from the signs of the sums.

use empf_ir::ArchConfig;
use empf_ir::formats::MAX_SCORE_REACH;
use empf_ir::isa::{Drain, score_index, side};

/// What attention keeps from one step of the schedule to the next.
pub(super) struct Attention {
    /// `[position of the loops][lane]`.
    currents: Vec<i64>,
    /// The word of lanes that is written or read next.
    next: usize,
    sums: Vec<i64>,
}

impl Attention {
    /// That of `arch`, of no known values.
    pub(super) fn new(arch: &ArchConfig) -> Self {
        Attention {
            currents: vec![0; arch.current_depth * arch.lanes],
            next: 0,
            sums: vec![0; arch.sum_depth],
        }
    }

    /// A step of the schedule starts.
    pub(super) fn start(&mut self) {
        self.next = 0;
    }

    /// Keeps the current of `lane` of the word that is next; the last lane makes the next word the next.
    pub(super) fn keep(&mut self, lane: usize, lanes: usize, current: i64) {
        self.currents[self.next * lanes + lane] = current;
        self.next += usize::from(lane + 1 == lanes);
    }

    /// The currents of the word that is next.
    pub(super) fn take(&mut self, lanes: usize) -> Vec<i64> {
        let word = self.currents[self.next * lanes..(self.next + 1) * lanes].to_vec();
        self.next += 1;
        word
    }

    /// Adds the currents of a run to the sum of a channel and step, or sets it.
    pub(super) fn sum_up(&mut self, place: usize, sum: i64, sets: bool) {
        self.sums[place] = if sets { sum } else { self.sums[place] + sum };
    }

    /// The number of the word of the table of scores that `channel` asks for.
    pub(super) fn score_word(&self, d: &Drain, step: u32, channel: usize) -> usize {
        let channels = d.channels as usize;
        let sign = |channel: usize| self.sums[place(d, step, channel)] >= 0;
        let reach = (d.score_reach as usize).min(MAX_SCORE_REACH);
        let first = channel.saturating_sub(reach).min(channels);
        let left = side((first..channel.min(channels)).rev().map(sign));
        let right = side((channel + 1..channels.min(channel + 1 + reach)).map(sign));
        score_index(left, sign(channel), right)
    }
}

/// Where the sum of a channel and step lies.
pub(super) fn place(d: &Drain, step: u32, channel: usize) -> usize {
    step as usize * d.sum_step as usize + channel
}
