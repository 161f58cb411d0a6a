//! Accumulators of one column: two banks, of which one adds up sums while the other is drained.
//!
//! ```text
//! cycle   0                 2               3            4                     5
//!         control, address  old value read  of its bank  sum; set or doubled   new value written
//! ```
//!
//! An address may be used again [`WRITE_DELAY`] cycles later.

use crate::arithmetic::counter_bits;
use crate::rtl::prelude::*;
use crate::rtl::{READ_DELAY, address_width};
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::arch::ACCUMULATE_CYCLES;

/// Cycles from a control word to its sum.
pub(crate) const SUM_LEAD: usize = READ_DELAY + 2;
/// Cycles from a control word to the cycle in which its new value can be read.
const WRITE_DELAY: usize = SUM_LEAD + 2;
const _: () = assert!(WRITE_DELAY <= ACCUMULATE_CYCLES);

/// Cycles from an entry's address to the entry at `drained_o` of all columns.
pub(crate) const DRAIN_DELAY: usize = READ_DELAY + 2;

/// What a column does with the sum that follows [`SUM_LEAD`] cycles later, if one does.
#[derive(Clone)]
pub(crate) struct Control {
    /// Forget the old value.
    pub(crate) set: Expr,
    /// Double the old value.
    pub(crate) double: Expr,
    /// Bank that accumulates.
    pub(crate) bank: Expr,
    /// Entry.
    pub(crate) address: Expr,
}

impl Control {
    /// Bits of a control word for banks of `depth` entries.
    pub(crate) fn width(depth: usize) -> usize {
        3 + address_width(depth)
    }

    /// As one word.
    pub(crate) fn pack(&self) -> Expr {
        concat([&self.set, &self.double, &self.bank, &self.address])
    }

    /// From one word.
    pub(crate) fn unpack(word: &Expr) -> Self {
        let a = word.width() - 3;
        let bit = |i| word.bit(a + i);
        Control { set: bit(2), double: bit(1), bank: bit(0), address: word.slice(0, a) }
    }
}

unit! {
    /// Two banks of accumulators and the adder before them.
    pub(crate) struct Accumulator(sum_bits: usize, acc_bits: usize, depth: usize) "accumulator" {
        reset_i: Wire<In> = Wire::new(1),
        /// A sum follows, [`SUM_LEAD`] cycles later.
        valid_i: Wire<In> = Wire::new(1),
        /// [`Control`] of that sum.
        control_i: Wire<In> = Wire::new(Control::width(depth)),
        /// The column's sum, in the polarity of its last row.
        sum_i: Wire<In> = Wire::new(sum_bits),
        /// 1: the sum is inverted.
        invert_i: Wire<In> = Wire::new(1),
        /// Read an entry of the other bank.
        drain_i: Wire<In> = Wire::new(1),
        /// The bank that is drained.
        drain_bank_i: Wire<In> = Wire::new(1),
        drain_address_i: Wire<In> = Wire::new(address_width(depth)),
        /// The entry, [`DRAIN_DELAY`] - 1 cycles later.
        drained_o: Wire<Out> = Wire::new(acc_bits),
        banks: Vec<Ram> = (0..2).map(|_| Ram::new("accumulator_bank", acc_bits, depth)).collect(),
        /// Beside the value on its way, as long as each is needed.
        valid: Vec<Wire<Local>> = Wire::array(SUM_LEAD + 1, 1),
        set: Vec<Wire<Local>> = Wire::array(READ_DELAY + 1, 1),
        double: Vec<Wire<Local>> = Wire::array(READ_DELAY + 1, 1),
        bank: Vec<Wire<Local>> = Wire::array(SUM_LEAD + 1, 1),
        address: Vec<Wire<Local>> = Wire::array(SUM_LEAD + 1, address_width(depth)),
        old: Wire<Local> = Wire::new(acc_bits),
        base: Wire<Local> = Wire::new(acc_bits),
        write_data: Wire<Local> = Wire::new(acc_bits),
        drained_bank: Vec<Wire<Local>> = Wire::array(READ_DELAY, 1),
    }
}

impl Accumulator {
    /// Accumulators with the widths and depths of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let acc_bits = arch.acc_bits as usize;
        let mut u = Self::declare(arch.sum_bits() as usize, acc_bits, arch.accumulator_depth);
        u._rtl.doc("Accumulators of one column; one bank adds up while the other is drained.");
        u._rtl.reset(&u.reset_i);
        u.read();
        u.add(acc_bits);
        u.write();
        u
    }

    fn read(&mut self) {
        let rtl = &mut self._rtl;
        rtl.section("Cycle 0: the old value is read; the other bank is drained");
        let control = Control::unpack(&self.control_i.e());
        for (index, ram) in self.banks.iter().enumerate() {
            let index = index as u64;
            let drained = &self.drain_i & self.drain_bank_i.is(index);
            let accumulated = &self.valid_i & control.bank.is(index);
            rtl.clock(&ram.clock);
            rtl.assign(&ram.read_i, &drained | accumulated);
            rtl.assign(&ram.read_address_i, mux(&drained, &self.drain_address_i, &control.address));
        }
        let words: Vec<Expr> = self.banks.iter().map(|ram| ram.read_data_o.e()).collect();
        rtl.section("Cycle 2: of the two words, the drained one and the old value");
        let drained = rtl.delay_data(&self.drain_bank_i, &self.drained_bank);
        rtl.register(&self.drained_o, 0).without_reset().set(select(&words, drained));
        rtl.delay(&self.valid_i, &self.valid);
        rtl.delay_data(&control.bank, &self.bank);
        rtl.delay_data(&control.address, &self.address);
        rtl.register(&self.old, 0).without_reset().set(select(&words, &self.bank[READ_DELAY - 1]));
        rtl.section("Cycle 3: nothing, the old value, or twice the old value");
        let set = rtl.delay_data(&control.set, &self.set);
        let double = rtl.delay_data(&control.double, &self.double);
        let kept = mux(double, self.old.e().shl(1), &self.old);
        rtl.register(&self.base, 0).without_reset().set(mux(set, self.old.zero(), kept));
    }

    /// `~sum` is `-sum - 1` of the inverted polarity, so one exclusive or restores it inside the adder.
    fn add(&mut self, acc_bits: usize) {
        let sum = self.sum_i.e().sext(acc_bits) ^ self.invert_i.e().repeat(acc_bits);
        let rtl = &mut self._rtl;
        rtl.section(
            "Cycle 4: ~sum is -sum - 1 of the inverted polarity, so an exclusive or restores it in the adder",
        );
        rtl.register(&self.write_data, 0).without_reset().set(sum + &self.base);
    }

    fn write(&mut self) {
        self._rtl.section("Cycle 5: the new value is written");
        for (index, ram) in self.banks.iter().enumerate() {
            let written = &self.valid[SUM_LEAD] & self.bank[SUM_LEAD].is(index as u64);
            self._rtl.assign(&ram.write_i, written);
            self._rtl.assign(&ram.write_address_i, &self.address[SUM_LEAD]);
            self._rtl.assign(&ram.write_data_i, &self.write_data);
        }
    }
}

unit! {
    /// The accumulators of all columns; control follows the sums from column to column.
    pub(crate) struct Accumulators(cols: usize, sum_bits: usize, acc_bits: usize, depth: usize, lanes: usize,
                                   columns: Vec<Accumulator>) "accumulators" {
        reset_i: Wire<In> = Wire::new(1),
        /// A sum of column 0 follows, [`SUM_LEAD`] cycles later.
        valid_i: Wire<In> = Wire::new(1),
        /// [`Control`] of that sum; column c's is due c / 2 cycles later.
        control_i: Wire<In> = Wire::new(Control::width(depth)),
        /// With the last control word of a column block.
        last_i: Wire<In> = Wire::new(1),
        sum_i: Vec<Wire<In>> = Wire::array(cols, sum_bits),
        invert_i: Vec<Wire<In>> = Wire::array(cols, 1),
        /// All sums of a column block have been written.
        block_o: Wire<Out> = Wire::new(1),
        drain_i: Wire<In> = Wire::new(1),
        drain_bank_i: Wire<In> = Wire::new(1),
        drain_address_i: Wire<In> = Wire::new(address_width(depth)),
        /// Group of `lanes` columns.
        drain_group_i: Wire<In> = Wire::new(counter_bits(cols / lanes - 1)),
        /// The group's entries, [`DRAIN_DELAY`] cycles after `drain_i`.
        drained_o: Vec<Wire<Out>> = Wire::array(lanes, acc_bits),
        drained_group: Vec<Wire<Local>> = Wire::array(DRAIN_DELAY - 1, counter_bits(cols / lanes - 1)),
        columns: Vec<Accumulator> = columns,
        valid: Vec<Wire<Local>> = Wire::array((cols - 1) / 2, 1),
        control: Vec<Wire<Local>> = Wire::array((cols - 1) / 2, Control::width(depth)),
        last: Vec<Wire<Local>> = Wire::array((cols - 1) / 2 + WRITE_DELAY, 1),
    }
}

/// Cycles from `last_i` to `block_o`.
pub const fn block_delay(cols: usize) -> usize {
    (cols - 1) / 2 + WRITE_DELAY
}

impl Accumulators {
    /// Accumulators for the columns of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let columns = (0..arch.cols).map(|_| Accumulator::new(arch)).collect();
        let (sum, acc) = (arch.sum_bits() as usize, arch.acc_bits as usize);
        let mut u = Self::declare(arch.cols, sum, acc, arch.accumulator_depth, arch.lanes, columns);
        u._rtl
            .doc("Accumulators of all columns; control follows the sums, every second column a cycle later.");
        u._rtl.reset(&u.reset_i);
        u.distribute();
        u.drain(arch.lanes);
        u
    }

    fn distribute(&mut self) {
        let rtl = &mut self._rtl;
        rtl.section("Control moves right with the sums, a cycle every second column");
        let (mut valid, mut control) = (self.valid_i.e(), self.control_i.e());
        for (c, column) in self.columns.iter().enumerate() {
            if c > 0 && c % 2 == 0 {
                let stage = c / 2 - 1..c / 2;
                valid = rtl.delay(valid, &self.valid[stage.clone()]);
                control = rtl.delay_data(control, &self.control[stage]);
            }
            rtl.clock(&column.clock);
            rtl.assign(&column.reset_i, &self.reset_i);
            rtl.assign(&column.valid_i, &valid);
            rtl.assign(&column.control_i, &control);
            rtl.assign(&column.sum_i, &self.sum_i[c]);
            rtl.assign(&column.invert_i, &self.invert_i[c]);
            rtl.assign(&column.drain_i, &self.drain_i);
            rtl.assign(&column.drain_bank_i, &self.drain_bank_i);
            rtl.assign(&column.drain_address_i, &self.drain_address_i);
        }
        let block = rtl.delay(&self.last_i, &self.last);
        rtl.assign(&self.block_o, block);
    }

    fn drain(&mut self, lanes: usize) {
        self._rtl.section("Of the drained columns, those of the group");
        let group = self._rtl.delay_data(&self.drain_group_i, &self.drained_group);
        for (lane, output) in self.drained_o.iter().enumerate() {
            let choices: Vec<Expr> =
                self.columns.iter().skip(lane).step_by(lanes).map(|c| c.drained_o.e()).collect();
            self._rtl.register(output, 0).without_reset().set(select(&choices, &group));
        }
        self._rtl.discard(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(unit: &mut Bench<Accumulator>, control: Option<(bool, bool, u64)>, sum: i64, invert: bool) {
        let a = unit.drain_address_i.width();
        let word = control.map_or(0, |(set, double, address)| {
            u64::from(set) << (a + 2) | u64::from(double) << (a + 1) | address
        });
        unit.valid_i.set(u64::from(control.is_some()));
        unit.control_i.set(word);
        unit.sum_i.set_signed(sum);
        unit.invert_i.set(u64::from(invert));
        unit.tick();
    }

    fn drained(unit: &mut Bench<Accumulator>, address: u64) -> i64 {
        unit.valid_i.set(0);
        unit.drain_i.set(1);
        unit.drain_bank_i.set(0);
        unit.drain_address_i.set(address);
        for _ in 0..DRAIN_DELAY - 1 {
            unit.tick();
            unit.drain_i.set(0);
        }
        unit.drained_o.get_signed()
    }

    #[test]
    fn sets_adds_and_doubles() {
        let mut unit = Bench::new(Accumulator::new(&ArchConfig::default()), |unit| &unit.clock);
        // Control leads its sum; an address returns as soon as it may.
        let words = [
            (0, (true, false, 5), (100, false)),
            (1, (true, false, 6), (-7, false)),
            (WRITE_DELAY, (false, false, 5), (11, true)),
            (WRITE_DELAY + 1, (false, true, 6), (1, false)),
        ];
        for cycle in 0..2 * WRITE_DELAY + 2 {
            let control = words.iter().find(|(at, ..)| *at == cycle).map(|(_, control, _)| *control);
            let sum = words.iter().find(|(at, ..)| *at + SUM_LEAD == cycle).map(|(.., sum)| *sum);
            let (sum, invert) = sum.unwrap_or((1234, true));
            tick(&mut unit, control, sum, invert);
        }
        // 100 + ~11 = 100 - 12; 2 * -7 + 1.
        assert_eq!([drained(&mut unit, 5), drained(&mut unit, 6)], [88, -13]);
    }
}
