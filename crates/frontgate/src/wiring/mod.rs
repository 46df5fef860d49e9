//! Puts the subsystems together and runs them until the program is told to stop.

use crate::config::Config;

/// Runs the program with these settings until it is told to stop.
pub(crate) fn serve(config: Config) -> anyhow::Result<()> {
    anyhow::bail!("this build holds no subsystem that could serve on {}", config.listen)
}
