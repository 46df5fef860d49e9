//! The control plane through its front: HTTP in, HTTP out, on a store of its own.

mod access_log;
mod cases;
mod concurrency;
mod deploying;
mod harness;
mod malformed;
mod test_invoke;
mod validation;
