//! Channel attention (SECA): sums of currents, and the scores that follow from their signs.
//!
//! ```text
//! currents are kept:    a run's currents are summed up, a lane each; behind its last, a lane a cycle is added to what is
//!                       in the memory
//! currents are scaled:  in front of a run, the sums of its channels and of three on either side are read, one a cycle; a
//!                       window of seven signs moves along and asks for a word of the table of scores
//! ```
//!
//! Sums lie `[step][channel]`. Their places are those of the next run from the cycle on in which its parameters begin to
//! come in, which is behind the first current of the present one.

use crate::arithmetic::counter_bits;
use crate::descriptor::widths;
use crate::rtl::READ_DELAY;
use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::formats::MAX_SCORE_REACH;
use empf_ir::isa::{Drain as Fields, SCORE_INDEX_BITS, SIDE_BITS};

/// Channels of a window.
const WINDOW: usize = 2 * MAX_SCORE_REACH + 1;
/// Cycles from the beginning of a run's loading to the first read of a sum: the places step, are added up, and the reach
/// is taken off.
const PLACE_DELAY: usize = 3;
/// Cycles from the beginning of a run's loading to the address of its first lane's score: the first window is read, then
/// moves in, its word's number is found, and the table's address is added.
pub(crate) const SCORE_DELAY: usize = PLACE_DELAY + WINDOW + READ_DELAY + 2;
/// Cycles from the last current of a run to the one in which its last sum can be read, besides one for each lane.
pub(crate) const SUMMED_DELAY: usize = 2 + READ_DELAY + 2;

unit! {
    /// Sums of currents, and scores.
    pub(crate) struct Attention(arch: &ArchConfig, w: &Fields<usize>, sum: usize) "attention" {
        reset_i: Wire<In> = Wire::new(1),
        /// A layer starts: its first run is the next.
        start_i: Wire<In> = Wire::new(1),
        /// The next run's parameters begin to come in; the present one is the last of these loops.
        next_i: Wire<In> = Wire::new(1),
        last_step_i: Wire<In> = Wire::new(1),
        last_group_i: Wire<In> = Wire::new(1),
        /// From the descriptor.
        scales_i: Wire<In> = Wire::new(1),
        sum_step_i: Wire<In> = Wire::new(w.sum_step),
        channels_i: Wire<In> = Wire::new(w.channels),
        reach_i: Wire<In> = Wire::new(w.score_reach),
        base_i: Wire<In> = Wire::new(w.score_base),
        /// The next cycle's current is the first of a run; none is summed up in this one.
        first_follows_i: Wire<In> = Wire::new(1),
        /// Currents to be summed up, the last of a run; those of the first tile of positions are the first of all.
        valid_i: Wire<In> = Wire::new(1),
        last_i: Wire<In> = Wire::new(1),
        first_tile_i: Wire<In> = Wire::new(1),
        current_i: Vec<Wire<In>> = Wire::array(arch.lanes, arch.membrane_bits as usize),
        /// Read the score of a lane, and of the last one.
        score_o: Wire<Out> = Wire::new(1),
        last_score_o: Wire<Out> = Wire::new(1),
        score_address_o: Wire<Out> = Wire::new(w.score_base),

        sums: Ram = Ram::new("sum_memory", sum, arch.sum_depth),

        step_place: Wire<Local> = Wire::new(w.sum_step),
        group_place: Wire<Local> = Wire::new(w.sum_step),
        place: Wire<Local> = Wire::new(w.sum_step),
        channel: Wire<Local> = Wire::new(w.channels + 2),

        lane_sum: Vec<Wire<Local>> = Wire::array(arch.lanes, sum),
        first: Wire<Local> = Wire::new(1),
        run_place: Wire<Local> = Wire::new(w.sum_step),
        run_sets: Wire<Local> = Wire::new(1),
        summed: Wire<Local> = Wire::new(1),
        /// Sums of a run on their way into the memory.
        held: Vec<Wire<Local>> = Wire::array(arch.lanes, sum),
        held_left: Wire<Local> = Wire::new(counter_bits(arch.lanes)),
        held_place: Wire<Local> = Wire::new(w.sum_step),
        held_sets: Wire<Local> = Wire::new(1),
        late: Vec<Wire<Local>> = Wire::array(READ_DELAY + 1, sum),
        late_sets: Vec<Wire<Local>> = Wire::array(READ_DELAY, 1),
        writes: Vec<Wire<Local>> = Wire::array(READ_DELAY + 2, 1),
        write_place: Vec<Wire<Local>> = Wire::array(READ_DELAY + 2, w.sum_step),
        /// What is in the memory, or 0 for the first.
        sum_before: Wire<Local> = Wire::new(sum),
        total: Wire<Local> = Wire::new(sum),

        loads: Vec<Wire<Local>> = Wire::array(PLACE_DELAY - 1, 1),
        scan_left: Wire<Local> = Wire::new(counter_bits(arch.lanes + WINDOW - 1)),
        scanning: Wire<Local> = Wire::new(1),
        scan_place: Wire<Local> = Wire::new(w.sum_step),
        scan_channel: Wire<Local> = Wire::new(w.channels + 2),
        /// Beside a sum that is read: its channel exists; it completes the window of a lane, of the last one.
        exists: Vec<Wire<Local>> = Wire::array(READ_DELAY, 1),
        arrives: Vec<Wire<Local>> = Wire::array(READ_DELAY, 1),
        completes: Vec<Wire<Local>> = Wire::array(READ_DELAY + 2, 1),
        completes_last: Vec<Wire<Local>> = Wire::array(READ_DELAY + 2, 1),
        /// The last of the window is the first.
        window_exists: Vec<Wire<Local>> = Wire::array(WINDOW, 1),
        window_sign: Vec<Wire<Local>> = Wire::array(WINDOW, 1),
        index: Wire<Local> = Wire::new(SCORE_INDEX_BITS),
    }
}

impl Attention {
    /// The attention of an `arch` that has one.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let mut u = Self::declare(arch, &widths(arch), arch.current_sum_bits() as usize);
        u._rtl.doc(
            "Channel attention: sums of currents, and scores of the signs of the sums around a channel.",
        );
        u._rtl.reset(&u.reset_i);
        u.place(arch.lanes);
        let moving = u.sum_up(arch.lanes);
        u.scan(&moving, arch.lanes);
        u.ask();
        u
    }

    /// Where the sums of the next run lie.
    fn place(&mut self, lanes: usize) {
        let rtl = &mut self._rtl;
        rtl.section("Places of the next run's sums, and its first channel");
        let step_again = &self.start_i | (&self.next_i & &self.last_step_i);
        let step_again = rtl.named("step_again", step_again);
        rtl.register(&self.step_place, 0)
            .when(&step_again, self.step_place.zero())
            .when(&self.next_i, &self.step_place + &self.sum_step_i);
        let group_again = &self.start_i | (&self.next_i & &self.last_step_i & &self.last_group_i);
        let group_again = rtl.named("group_again", group_again);
        let lanes = lanes as u64;
        for counter in [&self.group_place, &self.channel] {
            rtl.register(counter, 0)
                .when(&group_again, counter.zero())
                .when(&step_again, counter.plus(lanes));
        }
        rtl.register(&self.place, 0).set(&self.step_place + &self.group_place);
    }

    /// Each lane sums up a run; then the sums go through one adder, as they stand in the memory. Gives the cycles in which
    /// those of the tiles before are read.
    fn sum_up(&mut self, lanes: usize) -> Expr {
        let rtl = &mut self._rtl;
        rtl.section("Sums of a run, a lane each");
        for (sum, current) in self.lane_sum.iter().zip(&self.current_i) {
            rtl.register(sum, 0)
                .when(&self.first_follows_i, sum.zero())
                .when(&self.valid_i, sum + current.e().sext(sum.width()))
                .without_reset();
        }
        rtl.register(&self.first, 0).set(&self.first_follows_i);
        let first = rtl.named("first_current", &self.valid_i & &self.first);
        rtl.register(&self.run_place, 0).when(&first, &self.place).without_reset();
        rtl.register(&self.run_sets, 0).when(first, &self.first_tile_i).without_reset();
        rtl.register(&self.summed, 0).set(&self.valid_i & &self.last_i);

        rtl.section("They are added to those of the tiles before, a lane a cycle");
        let moving = rtl.named("moving", self.held_left.e().any());
        rtl.register(&self.held_left, 0)
            .when(&self.summed, lit(lanes as u64, self.held_left.width()))
            .when(&moving, self.held_left.minus(1));
        let mut next = self.held[0].zero();
        for (held, sum) in self.held.iter().zip(&self.lane_sum).rev() {
            rtl.register(held, 0).when(&self.summed, sum).without_reset().set(next);
            next = held.e();
        }
        rtl.register(&self.held_place, 0)
            .when(&self.summed, &self.run_place)
            .without_reset()
            .set(self.held_place.plus(1));
        rtl.register(&self.held_sets, 0).when(&self.summed, &self.run_sets).without_reset();
        let late = rtl.delay_data(&self.held[0], &self.late);
        let sets = rtl.delay_data(&self.held_sets, &self.late_sets);
        let before = self.sums.read_data_o.e() & (!sets).repeat(late.width());
        rtl.register(&self.sum_before, 0).without_reset().set(before);
        rtl.register(&self.total, 0).without_reset().set(&self.sum_before + late);
        let write = rtl.delay(&moving, &self.writes);
        let place = rtl.delay_data(&self.held_place, &self.write_place);
        rtl.clock(&self.sums.clock);
        rtl.assign(&self.sums.write_i, write);
        rtl.assign(&self.sums.write_address_i, place);
        rtl.assign(&self.sums.write_data_i, &self.total);
        moving
    }

    /// Reads the sums around a run's channels.
    fn scan(&mut self, moving: &Expr, lanes: usize) {
        let rtl = &mut self._rtl;
        rtl.section("The sums around a run's channels, one a cycle");
        let loads = rtl.named("loads", (&self.start_i | &self.next_i) & &self.scales_i);
        let begins = rtl.delay(loads, &self.loads);
        let reads = lanes + WINDOW - 1;
        let last = rtl.named("last_read", self.scan_left.is(1));
        rtl.register(&self.scanning, 0).when(&begins, lit(1, 1)).when(&last, lit(0, 1));
        rtl.register(&self.scan_left, 0)
            .when(&begins, lit(reads as u64, self.scan_left.width()))
            .when(&self.scanning, self.scan_left.minus(1));
        let reach = MAX_SCORE_REACH as u64;
        for (counter, first) in [(&self.scan_place, &self.place), (&self.scan_channel, &self.channel)] {
            rtl.register(counter, 0).when(&begins, first.minus(reach)).without_reset().set(counter.plus(1));
        }
        let width = self.scan_channel.width();
        let exists = !self.scan_channel.e().msb() & self.scan_channel.e().lt(self.channels_i.e().zext(width));
        rtl.delay_data(exists, &self.exists);
        rtl.delay(&self.scanning, &self.arrives);
        let completes = self.scan_left.e().le(lit(lanes as u64, self.scan_left.width()));
        let completes = rtl.named("completes_window", &self.scanning & completes);
        rtl.delay(completes, &self.completes);
        rtl.delay(&self.scanning & &last, &self.completes_last);
        rtl.assign(&self.sums.read_i, &self.scanning | moving);
        rtl.assign(&self.sums.read_address_i, mux(&self.scanning, &self.scan_place, &self.held_place));
    }

    /// The window moves on by a channel; its signs are the number of a word of the table.
    fn ask(&mut self) {
        let rtl = &mut self._rtl;
        rtl.section("The window of signs, and the word that it asks for");
        let arrives = &self.arrives[READ_DELAY - 1];
        let (mut exists, mut sign) = (self.exists[READ_DELAY - 1].e(), !self.sums.read_data_o.e().msb());
        for (window_exists, window_sign) in self.window_exists.iter().zip(&self.window_sign) {
            rtl.register(window_exists, 0).when(arrives, exists).without_reset();
            rtl.register(window_sign, 0).when(arrives, sign).without_reset();
            (exists, sign) = (window_exists.e(), window_sign.e());
        }
        let seen: Vec<Expr> = (1..=MAX_SCORE_REACH as u64)
            .map(|distance| self.reach_i.e().gt(lit(distance - 1, self.reach_i.width())))
            .collect();
        let own = MAX_SCORE_REACH;
        let [left, right] = [true, false].map(|is_left| {
            let of_side = |distance: usize| if is_left { own + distance } else { own - distance };
            let signs: Vec<Expr> =
                (1..=MAX_SCORE_REACH).map(|distance| self.window_sign[of_side(distance)].e()).collect();
            let exist: Vec<Expr> = (1..=MAX_SCORE_REACH)
                .map(|distance| self.window_exists[of_side(distance)].e() & &seen[distance - 1])
                .collect();
            side(&signs, &exist)
        });
        rtl.register(&self.index, 0).without_reset().set(concat([right, left, self.window_sign[own].e()]));
        // A memory of fewer words than a table has no table.
        let width = self.base_i.width();
        let index = self.index.e().zext(width.max(SCORE_INDEX_BITS)).slice(0, width);
        rtl.register(&self.score_address_o, 0).without_reset().set(&self.base_i + index);
        rtl.discard(&self.index);
        let of_word = |line: &[Wire<Local>]| line[READ_DELAY + 1].e();
        rtl.register(&self.score_o, 0).set(of_word(&self.completes));
        rtl.register(&self.last_score_o, 0).set(of_word(&self.completes_last));
    }
}

/// [`empf_ir::isa::side`] of channels of which those exist, the nearest first.
fn side(signs: &[Expr], exist: &[Expr]) -> Expr {
    let bits = (0..SIDE_BITS).rev().map(|bit| {
        // A sign where its channel exists; the one in front of the signs where its neighbour is the last that does.
        let front = if bit == 0 { lit(1, 1) } else { exist[bit - 1].clone() };
        match (exist.get(bit), signs.get(bit)) {
            (Some(exists), Some(sign)) => mux(exists, sign, front),
            _ => front,
        }
    });
    concat(bits)
}
