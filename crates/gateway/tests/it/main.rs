//! The data plane over real sockets: plans made by hand, functions played by closures.

mod bodies;
mod hostile;
mod pipeline;
// Said once more so that clippy knows these helpers for tests.
#[cfg(test)]
mod support;
