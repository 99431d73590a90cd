//! The `pgautopsy` command.
fn main() {}
