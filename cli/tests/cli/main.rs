//! The command, from outside.

mod bad_input;
mod bench;
mod check;
mod classes;
mod command;
mod compile;
mod data;
mod estimate;
mod events;
mod files;
mod format;
mod help;
mod inspect;
mod integers;
mod simulate;
mod train;
