//! The data plane over real sockets: plans made by hand, functions played by closures.

#[cfg(test)]
mod access_log;
mod bodies;
// The attribute is for clippy, which then takes their helpers for those of tests.
#[cfg(test)]
mod cases;
mod execution_logs;
#[cfg(test)]
mod function_url;
mod hostile;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod limits;
mod pipeline;
#[cfg(test)]
mod spelling;
#[cfg(test)]
mod streaming;
#[cfg(test)]
mod support;
mod test_invoke;
#[cfg(test)]
mod upstream;
