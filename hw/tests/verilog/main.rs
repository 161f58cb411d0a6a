//! The emitted Verilog in outside tools: Verilator, Icarus Verilog and yosys.

mod accelerator;
mod adders;
mod cells;
mod expressions;
mod tools;
