//! The emitted Verilog in outside tools: Verilator, Icarus Verilog and yosys.

mod expressions;
mod tools;
