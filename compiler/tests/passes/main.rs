//! The passes on random networks.

mod back_half;
mod formats;
mod front_half;
mod hostile;
mod networks;
mod numbers;
mod proof;
mod rounding;
