//! Functions run for real: Python and Node processes, well-behaved and otherwise.

mod behaviour;
mod faults;
mod lab;
mod pool;
