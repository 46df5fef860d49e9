//! The data plane over real sockets: plans made by hand, functions played by closures.

mod bodies;
mod hostile;
mod pipeline;
mod support;
