//! Golden cases of mapping templates, bad input, and properties that hold for any input.

mod bad_input;
mod golden;
mod properties;
