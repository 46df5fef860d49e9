//! `cargo xtask tidy`: walls, sizes and first lines.

use anyhow::Result;

/// Checks the tree.
pub(crate) fn run() -> Result<()> {
    Ok(())
}
