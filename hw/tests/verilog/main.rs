//! The emitted Verilog in outside tools: Verilator, Icarus Verilog and yosys.

mod accelerator;
mod adders;
mod expressions;
mod tools;
