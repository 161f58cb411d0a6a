//! Weight-stationary +-1 systolic array.
//!
//! The activation of row r enters r cycles after that of row 0 and moves right through a register behind every
//! second column; sums move down. The pipeline never stops.
//!
//! Weights travel with the activations: word r of a tile (one bit a column) enters r cycles after word 0, and
//! the bit of (row r, column c) is written `r + c / 2` cycles after `load_i`, in the cycle before the tile's
//! first vector gets there. One delay line serves all elements, a weight needs one flip-flop, and a tile may
//! follow another after `rows` cycles.
//!
//! ```text
//! cycle      t0        t0+1       ...  t0+rows-1    t0+rows     t0+rows+1
//! load_i     1
//! weight_i   word 0    word 1          last word    (word 0 of the next tile)
//! act_i[0]             vector 0
//! sum_o[0]                                                      sum of vector 0
//! ```
//!
//! Sums of column c leave `c / 2` cycles after those of column 0.

mod ccu2c;
mod column;
mod pe;
mod skew;

pub use skew::Skew;

use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use column::{Column, Pass, sum_bits};
use empf_ir::{ArchConfig, Target};

unit! {
    /// `rows` x `cols` elements.
    pub struct Array(rows: usize, cols: usize, act_bits: usize, form: Target) "array" {
        /// With the first weight word of a tile.
        load_i: Wire<In> = Wire::new(1),
        /// Bit c is the weight of column c, 1 for +1.
        weight_i: Wire<In> = Wire::new(cols),
        /// Row r's is due r cycles after row 0's.
        act_i: Vec<Wire<In>> = Wire::array(rows, act_bits),
        /// In the polarity of the last row.
        sum_o: Vec<Wire<Out>> = Wire::array(cols, sum_bits(act_bits, rows)),
        /// 1: `sum_o` is inverted.
        invert_o: Vec<Wire<Out>> = Wire::array(cols, 1),
        load: Vec<Wire<Local>> = Wire::array(rows - 1 + (cols - 1) / 2, 1),
        weight: Vec<Wire<Local>> = (1..=(cols - 1) / 2).map(|stage| Wire::new(cols - 2 * stage)).collect(),
        columns: Vec<Column> = (0..cols).map(|c| Column::new(rows, act_bits, passes(c, cols), form)).collect(),
    }
}

fn passes(c: usize, cols: usize) -> Pass {
    match c {
        _ if c + 1 == cols => Pass::Last,
        _ if c % 2 == 1 => Pass::Registered,
        _ => Pass::Direct,
    }
}

impl Array {
    /// The array of `arch`.
    pub fn new(arch: &ArchConfig) -> Self {
        let mut u = Self::declare(arch.rows, arch.cols, arch.act_bits as usize, arch.target);
        u._rtl.doc("+-1 systolic array, weight-stationary; weights travel with the activations.");
        u.load_weights(arch.rows);
        u.pass_activations();
        for (c, column) in u.columns.iter().enumerate() {
            u._rtl.clock(&column.clock);
            u._rtl.assign(&u.sum_o[c], &column.sum_o);
            u._rtl.assign(&u.invert_o[c], &column.invert_o);
        }
        u
    }

    /// Stage s of the weights holds the bits of the columns from `2 s` on.
    fn load_weights(&mut self, rows: usize) {
        let rtl = &mut self._rtl;
        rtl.section(
            "Weights and their loads move right a stage every second column, loads down a row a cycle",
        );
        rtl.delay(&self.load_i, &self.load);
        let mut stages = vec![self.weight_i.e()];
        for stage in &self.weight {
            let before = stages.last().expect("the first stage is the input");
            rtl.register(stage, 0).set(before.slice(2, stage.width()));
            stages.push(stage.e());
        }
        let loads: Vec<Expr> =
            std::iter::once(self.load_i.e()).chain(self.load.iter().map(Wire::e)).collect();
        for (c, column) in self.columns.iter().enumerate() {
            rtl.assign(&column.weight_i, stages[c / 2].bit(c % 2));
            for r in 0..rows {
                rtl.assign(&column.load_i[r], &loads[r + c / 2]);
            }
        }
    }

    fn pass_activations(&mut self) {
        let rtl = &mut self._rtl;
        for (r, input) in self.act_i.iter().enumerate() {
            let mut act = input.e();
            for column in &self.columns {
                rtl.assign(&column.act_i[r], &act);
                if let Some(output) = column.act_o.get(r) {
                    act = output.e();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_pcg::Pcg32;
    use rand_pcg::rand_core::{RngCore, SeedableRng};

    /// Tiles back to back, `vectors` vectors each, against plain dot products.
    fn check(rows: usize, cols: usize, act_bits: u32, form: Target, vectors: usize) {
        let arch = ArchConfig { target: form, ..ArchConfig::sized(rows, cols, act_bits) };
        let mut rng = Pcg32::seed_from_u64(rows as u64 * 100 + cols as u64);
        let tiles = 6;
        let max = (1u64 << act_bits) - 1;
        let mask = (1u64 << cols) - 1;
        let weights: Vec<Vec<u64>> = (0..tiles)
            .map(|t| {
                (0..rows)
                    .map(|_| [rng.next_u64() & mask, mask, 0][if t % 3 == 2 { 1 + t / 3 } else { 0 }])
                    .collect()
            })
            .collect();
        let acts: Vec<Vec<u64>> = (0..tiles * vectors)
            .map(|v| (0..rows).map(|_| if v % 3 == 1 { max } else { rng.next_u64() & max }).collect())
            .collect();
        let mut array = Bench::new(Array::new(&arch), |array| &array.clock);
        let mut checked = 0;
        for cycle in 0..acts.len() + rows + cols {
            let (tile, word) = (cycle / vectors, cycle % vectors);
            array.load_i.set(u64::from(tile < tiles && word == 0));
            array
                .weight_i
                .set(weights.get(tile).and_then(|w| w.get(word)).copied().unwrap_or(rng.next_u64() & mask));
            for (r, act) in array.act_i.iter().enumerate() {
                act.set(cycle.checked_sub(1 + r).and_then(|v| acts.get(v)).map_or(0, |v| v[r]));
            }
            array.tick();
            for c in 0..cols {
                let Some(v) = cycle.checked_sub(rows + c / 2).filter(|v| *v < acts.len()) else { continue };
                let dot = |r: usize| {
                    if weights[v / vectors][r] >> c & 1 == 1 {
                        acts[v][r] as i64
                    } else {
                        -(acts[v][r] as i64)
                    }
                };
                let expected: i64 = (0..rows).map(dot).sum();
                let sum = array.sum_o[c].get_signed();
                let restored = if array.invert_o[c].get() == 1 { !sum } else { sum };
                assert_eq!(restored, expected, "vector {v} column {c}");
                checked += 1;
            }
        }
        assert_eq!(checked, acts.len() * cols);
    }

    #[test]
    fn dot_products_with_a_tile_every_rows_cycles() {
        for (rows, cols, act_bits) in [(4, 4, 8), (8, 8, 4), (5, 7, 6), (1, 1, 3), (3, 2, 8), (16, 16, 8)] {
            check(rows, cols, act_bits, Target::Generic, rows);
            check(rows, cols, act_bits, Target::Generic, rows + 3);
        }
    }

    #[test]
    fn carry_cells_add_alike() {
        check(4, 4, 8, Target::Ecp5, 4);
        check(5, 3, 5, Target::Ecp5, 6);
    }
}
