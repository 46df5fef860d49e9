//! Golden cases of mapping templates, and properties that hold for any input.

mod golden;
mod properties;
