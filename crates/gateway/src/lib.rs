//! The data plane: a request's way from the listener to the log.
