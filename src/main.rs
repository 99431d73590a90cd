//! The `pgautopsy` command.

mod cli;
mod show;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
