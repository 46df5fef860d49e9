//! The codecs, one per protocol.
