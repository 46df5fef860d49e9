//! The layers of the sandbox as people see them: wanted or not, offered by this host or not.

use serde::{Deserialize, Serialize};

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
}

/// How it stands with a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LayerState {
    /// It holds for every function.
    Active,
    /// This host does not offer it: why.
    Missing(String),
    /// It was not wanted.
    Off,
}

impl Layer {
    pub(crate) fn active(name: &str) -> Layer {
        Layer { name: name.to_owned(), state: LayerState::Active }
    }

    pub(crate) fn missing(name: &str, why: String) -> Layer {
        Layer { name: name.to_owned(), state: LayerState::Missing(why) }
    }

    pub(crate) fn off(name: &str) -> Layer {
        Layer { name: name.to_owned(), state: LayerState::Off }
    }

    /// Whether it holds.
    pub fn is_active(&self) -> bool {
        self.state == LayerState::Active
    }
}
