//! Functions run for real: Python and Node processes, well-behaved and otherwise.

mod account;
mod api;
mod api_refusals;
mod behaviour;
mod client;
mod clock;
mod concurrency;
mod destinations;
mod event_invoke;
mod extensions;
mod faults;
mod hot_reload;
mod lab;
mod layers;
mod logs;
mod pool;
mod queue;
mod records;
mod runtime_api;
mod sandbox;
mod settings;
mod sockets;
mod spares;
mod streaming;
mod urls;
mod wrappers;
