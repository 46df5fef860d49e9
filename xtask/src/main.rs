//! The project's own chores: tidy and codegen.

fn main() {}
