//! AWS Signature Version 4: canonical requests, keys and signatures. Pure text and bytes, without I/O.
//!
//! Both sides of a signature are made of the same parts: [`canonical::canonical_request`] says what is signed,
//! [`key::SigningKey`] signs it. [`sign`] puts them together for a request that we send. Whoever verifies a signature
//! takes the headers that it names from the request, and compares with [`key::SigningKey::verify`].

pub mod canonical;
mod claim;
pub mod key;
mod sign;

#[cfg(test)]
mod tests;

pub use canonical::{Rules, canonical_request, escaped_path, payload_hash};
pub use claim::Claim;
pub use key::{Scope, SigningKey};
pub use sign::{Credentials, Signed, sign};
