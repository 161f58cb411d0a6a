//! The passes on random networks.

mod back_half;
mod formats;
mod front_half;
mod networks;
mod proof;
mod rounding;
