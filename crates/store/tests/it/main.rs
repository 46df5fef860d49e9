//! Tests of the store through its public face: the suite for each engine, and what belongs to one engine or to the disk.

#![cfg(test)]

#[path = "../suite/mod.rs"]
#[macro_use]
mod suite;

mod blobs;
mod fixtures;
mod full;
mod kill;
mod model;
mod opening;
mod records;
mod sqlite;
mod sync_proof;
mod writer_process;
