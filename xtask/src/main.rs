//! The project's own chores: tidy and codegen.

mod codegen;
mod tidy;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done about a closed terminal.
            let _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((command, rest)) if command == "codegen" => codegen::run(&root()?, rest),
        Some((command, [])) if command == "tidy" => tidy::run(),
        _ => bail!("usage: cargo xtask codegen [--check] [--botocore DIR] | cargo xtask tidy"),
    }
}

/// The root of the repository: the parent of this crate.
fn root() -> Result<PathBuf> {
    Ok(Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?.to_path_buf())
}
