//! The values that typed structs hold beyond Rust's own: bytes, instants and secrets.

use std::fmt;
use std::ops::{Deref, DerefMut};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes; base64 text in JSON. `Debug` shows only their number.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Blob(pub Bytes);

impl Blob {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for Blob {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.0
    }
}

impl From<Bytes> for Blob {
    fn from(bytes: Bytes) -> Blob {
        Blob(bytes)
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Blob {
        Blob(bytes.into())
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Blob({} bytes)", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64_encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Blob;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("base64 text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Blob, E> {
                base64_decode(text).map(Blob::from).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

/// An instant: seconds since 1970-01-01T00:00:00Z, with fractions; a number in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Timestamp(pub f64);

impl Timestamp {
    /// From milliseconds since 1970.
    pub fn from_milliseconds(milliseconds: i64) -> Timestamp {
        Timestamp(milliseconds as f64 / 1000.0)
    }

    /// To milliseconds since 1970, rounded to the nearest; out-of-range instants give the nearest bound.
    pub fn milliseconds(self) -> i64 {
        (self.0 * 1000.0).round() as i64
    }
}

impl From<crate::clock::Moment> for Timestamp {
    fn from(moment: crate::clock::Moment) -> Timestamp {
        Timestamp(moment.seconds())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Whole seconds are written as integers, as API Gateway does.
        if self.0.fract() == 0.0 && self.0.abs() < 9.0e15 {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        f64::deserialize(deserializer).map(Timestamp)
    }
}

/// A value that must not be shown: `Debug` hides it, everything else goes through to what it holds.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sensitive<T>(pub T);

impl<T> Sensitive<T> {
    /// The value itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for Sensitive<T> {
    fn from(value: T) -> Sensitive<T> {
        Sensitive(value)
    }
}

impl<T> Deref for Sensitive<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Sensitive<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(hidden)")
    }
}

impl<T: Serialize> Serialize for Sensitive<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Sensitive<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sensitive<T>, D::Error> {
        T::deserialize(deserializer).map(Sensitive)
    }
}

/// Padding may be missing and the last digit may have bits to spare: some clients are careless, and AWS is lenient.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The text is not base64 of the standard alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is not valid base64")]
pub struct InvalidBase64;

/// Base64 of the standard alphabet, with padding.
pub fn base64_encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Reads base64 of the standard alphabet. White space is skipped (some clients wrap lines) and padding may be missing.
pub fn base64_decode(text: &str) -> Result<Vec<u8>, InvalidBase64> {
    if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        let dense: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        return BASE64.decode(dense).map_err(|_| InvalidBase64);
    }
    BASE64.decode(text).map_err(|_| InvalidBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_round_trips_every_length() {
        for length in 0..64u8 {
            let bytes: Vec<u8> = (0..length).map(|at| at.wrapping_mul(89).wrapping_add(length)).collect();
            assert_eq!(base64_decode(&base64_encode(&bytes)), Ok(bytes));
        }
    }

    #[test]
    fn base64_matches_published_vectors() {
        for (plain, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64_encode(plain.as_bytes()), text);
            assert_eq!(base64_decode(text).as_deref(), Ok(plain.as_bytes()));
        }
    }

    #[test]
    fn base64_refuses_what_it_is_not() {
        for text in ["Z", "Z=g=", "Zm_v", "Zm9v\0", "ä"] {
            assert_eq!(base64_decode(text), Err(InvalidBase64), "{text:?}");
        }
        assert_eq!(base64_decode("Zm9v\nYg").as_deref(), Ok(&b"foob"[..]));
    }

    #[test]
    fn secrets_are_hidden_from_debug_and_kept_in_json() {
        let secret: Sensitive<String> = String::from("hunter2").into();
        assert_eq!(format!("{secret:?}"), "(hidden)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"hunter2\"");
        assert_eq!(format!("{:?}", Blob::from(b"hunter2".to_vec())), "Blob(7 bytes)");
    }

    #[test]
    fn whole_timestamps_are_written_without_a_fraction() {
        assert_eq!(serde_json::to_string(&Timestamp(1_700_000_000.0)).unwrap(), "1700000000");
        assert_eq!(serde_json::to_string(&Timestamp::from_milliseconds(1_700_000_000_250)).unwrap(), "1700000000.25");
        assert_eq!(Timestamp(1.25).milliseconds(), 1250);
    }
}
