//! IAM and STS: who calls, and what they may do.
