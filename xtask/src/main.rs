//! see lib
fn main() {}
