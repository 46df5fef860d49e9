//! Layers: packages that functions share. Those of a function are merged, in their order, into the one folder that it
//! finds at `/opt`.
//!
//! `records` is what the store keeps of them, `name` the ways to name one, `merge` makes one tree of several. A function
//! keeps the digests of its layers, so a version that has been deleted goes on to serve those that have it, as on AWS.

mod merge;
mod name;
mod records;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use store::blobs::Digest;

use crate::engine::Engine;
use crate::package::{PackageError, Tree};

pub(crate) use name::LayerName;
pub(crate) use records::{LayerRecord, LayerStatement, LayerUse, LayerVersionRecord, layer_version_key};

/// How many layers a function may have.
pub(crate) const LAYERS_PER_FUNCTION: usize = 5;

impl Engine {
    /// What a function with these layers finds at `/opt`; nothing where it has none. Blocks.
    ///
    /// # Errors
    /// Those of unpacking; [`PackageError::Invalid`] when a link of one layer leads outside by way of another's.
    pub(crate) fn opt(&self, layers: &[Digest]) -> Result<Option<Arc<Tree>>, PackageError> {
        let mut trees = Vec::with_capacity(layers.len());
        for layer in layers {
            trees.push(self.unpacked(*layer, None)?);
        }
        match trees.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(Arc::clone(one))),
            several => {
                let merged = self.trees.get_or_make(key(layers), |target| merge::merge(several, target))?;
                Ok(Some(merged))
            }
        }
    }
}

/// Names the tree of several layers: it is that of no package.
fn key(layers: &[Digest]) -> Digest {
    let mut text = b"layers".to_vec();
    for layer in layers {
        text.extend_from_slice(layer.as_bytes());
    }
    Digest::of(&text)
}
