//! A table of what layers cost.

use crate::output::{grouped, percent};
use crate::table::Table;
use empf_sim::cost::{Layer, Work};
use std::fmt;

/// Cycles, additions and use of the array by layer.
pub(crate) struct CostTable(Table);

impl CostTable {
    /// The rows of `layers`.
    pub(crate) fn new(layers: &[Layer]) -> Self {
        let mut table = CostTable(Table::new(&["layer", "unit", "cycles", "additions", "utilisation"]));
        for layer in layers {
            table.push(&layer.node, layer.unit, layer.work);
        }
        table
    }

    /// Adds a row of several layers together.
    pub(crate) fn row(&mut self, name: &str, work: Work) {
        self.push(name, "", work);
    }

    fn push(&mut self, name: &str, unit: &str, Work { cycles, useful_additions, utilisation }: Work) {
        let numbers = [grouped(cycles), grouped(useful_additions), percent(utilisation)];
        self.0.row([name.to_owned(), unit.to_owned()].into_iter().chain(numbers));
    }
}

impl fmt::Display for CostTable {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}
