//! The words that every part shares, without any I/O: ids, ARNs, the clock, pages, limits, shapes and seams.

pub mod arn;
pub mod clock;
pub mod ids;
pub mod limits;
pub mod seams;
pub mod service_endpoints;
pub mod services;
pub mod shape;
