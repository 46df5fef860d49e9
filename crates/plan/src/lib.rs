//! The contract between the planes: a deployed stage, compiled and immutable.
