//! The `pgautopsy` command.

mod cli;
mod show;
mod wal;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
