//! Turns AWS's public service models into shape tables and typed structs (crates/models).
