//! Packages: a function's zip, taken apart once per content and copied for each environment.
//!
//! `unpack` checks a stranger's zip and writes its tree; `trees` keeps one tree for each content; `copy` says where an
//! environment finds it: mounted, or, where the sandbox has no mount namespace, in a copy of its own. All block and belong
//! on a blocking thread.
//!
//! Why a copy an environment there: nothing can make a shared tree read-only for a process of the same user, and an
//! environment must not be able to change what the next one runs. Files are copied with the file system's own cheap copy
//! where it has one.

mod copy;
mod trees;
mod unpack;

#[cfg(test)]
mod tests;

pub(crate) use copy::{CodeAt, WorkingCopy, remove_tree};
pub(crate) use trees::{Tree, Trees};
pub(crate) use unpack::{PackageError, UNPACKED_BYTES, unpack};
