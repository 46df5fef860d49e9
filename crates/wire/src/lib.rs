//! AWS's wire protocols, once: decoding, validation, dispatch, encoding and errors.
