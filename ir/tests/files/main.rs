//! What is read from files, and what is refused.

mod hostile;
mod networks;
mod refused;
mod versions;
