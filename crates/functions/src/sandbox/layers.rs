//! The layers of the sandbox as people see them: wanted or not, offered by this host or not.

use std::io;

use serde::{Deserialize, Serialize};

use super::{Spawner, SpawnerSettings};

/// How much of a sandbox is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SandboxMode {
    /// Every layer, or nothing is run.
    Strict,
    /// Every layer that this host offers.
    #[default]
    Auto,
    /// Only what costs nothing and needs nothing: limits, descriptors, lifetime, no new privileges.
    Off,
}

/// A layer, and how it stands with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Its name: one word, as in the documentation.
    pub name: String,
    /// How it stands.
    pub state: LayerState,
    /// By what, where that is not the same on every host.
    pub how: Option<String>,
}

/// How it stands with a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LayerState {
    /// It holds for every function.
    Active,
    /// This host does not offer it: why.
    Missing(String),
    /// This host does not offer it: why. Others do what it would, so that nothing is open for it.
    Replaced(String),
    /// It was not wanted.
    Off,
}

impl Layer {
    pub(crate) fn active(name: &str) -> Layer {
        Layer { name: name.to_owned(), state: LayerState::Active, how: None }
    }

    pub(crate) fn missing(name: &str, why: String) -> Layer {
        Layer { name: name.to_owned(), state: LayerState::Missing(why), how: None }
    }

    pub(crate) fn replaced(name: &str, why: String) -> Layer {
        Layer { name: name.to_owned(), state: LayerState::Replaced(why), how: None }
    }

    pub(crate) fn off(name: &str) -> Layer {
        Layer { name: name.to_owned(), state: LayerState::Off, how: None }
    }

    pub(crate) fn by(mut self, how: impl Into<String>) -> Layer {
        self.how = Some(how.into());
        self
    }

    /// Whether it holds.
    pub fn is_active(&self) -> bool {
        self.state == LayerState::Active
    }
}

/// Says in the log how it stands; in strict mode a missing layer is an error, which names all of them.
pub(crate) fn report(mode: SandboxMode, layers: &[Layer]) -> Result<(), String> {
    let names = |chosen: &dyn Fn(&Layer) -> bool| {
        let chosen: Vec<&str> = layers.iter().filter(|layer| chosen(layer)).map(|layer| &*layer.name).collect();
        chosen.join(", ")
    };
    let missing: Vec<String> = layers
        .iter()
        .filter_map(|layer| match &layer.state {
            LayerState::Missing(why) => Some(format!("{} ({why})", layer.name)),
            LayerState::Active | LayerState::Replaced(_) | LayerState::Off => None,
        })
        .collect();
    let missing = missing.join("; ");
    match mode {
        SandboxMode::Strict if !missing.is_empty() => return Err(missing),
        SandboxMode::Off => {
            tracing::warn!("functions run without a sandbox (--sandbox off): they can read this user's files");
        }
        SandboxMode::Strict | SandboxMode::Auto => {
            tracing::info!(active = names(&Layer::is_active), "functions are sandboxed");
        }
    }
    if !missing.is_empty() {
        tracing::warn!(missing, "the sandbox of functions is not complete; `frontgate doctor` says more");
    }
    Ok(())
}

/// Tries each layer on this host, as a server would at its start. Blocks.
///
/// # Errors
/// The system's, where not even a process could be started.
pub fn examine_sandbox() -> io::Result<Vec<Layer>> {
    let folder = std::env::temp_dir().join(format!("frontgate-doctor-{}", base::ids::uuid()));
    std::fs::create_dir(&folder)?;
    let settings = SpawnerSettings { mode: SandboxMode::Auto, directory: folder.clone(), runtime: folder.clone() };
    // Dropped at once, and what it has made with it.
    let layers = Spawner::new(settings).map(|spawner| spawner.layers());
    // What was mounted there was mounted in a namespace that is gone.
    let _ = std::fs::remove_dir(&folder);
    layers
}
