//! Training from outside.

mod gradients;
mod killed;
mod precision;
mod presets;
mod reference;
mod reparameterize;
mod run;
mod theorem;
mod vectors;
