//! Validation by the model, in AWS's words.
