//! Unpacking what a client has packed, bounded: a few bytes can stand for gigabytes.

use std::io::{ErrorKind, Read};

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::coding::Coding;

/// How much is unpacked before others on the thread have their turn: about a millisecond's work.
const TURN: usize = 256 * 1024;

/// Why a body cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnpackError {
    /// It is longer than allowed when it is unpacked.
    TooLarge,
    /// It is not packed as the client says, or breaks off.
    Malformed,
}

/// Undoes one coding. Yields to others on the thread between parts of a large body.
///
/// # Errors
/// When the unpacked body exceeds `limit` bytes, and when the packed one is malformed.
pub async fn unpack(coding: Coding, packed: &[u8], limit: usize) -> Result<Bytes, UnpackError> {
    match coding {
        Coding::Gzip => read(MultiGzDecoder::new(packed), packed.len(), limit).await,
        Coding::Deflate if is_zlib(packed) => read(ZlibDecoder::new(packed), packed.len(), limit).await,
        // What many clients call deflate is the bare format.
        Coding::Deflate => read(DeflateDecoder::new(packed), packed.len(), limit).await,
    }
}

/// Whether bytes begin as RFC 1950 has it: method 8, and a check that bare data passes once in 31 times at most.
fn is_zlib(packed: &[u8]) -> bool {
    matches!(packed, [first, second, ..]
        if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31))
}

async fn read(mut decoder: impl Read, packed: usize, limit: usize) -> Result<Bytes, UnpackError> {
    // Three times the size is what text comes to; what a client sends decides no more than this.
    let mut unpacked = Vec::with_capacity((packed * 3).clamp(64, 1 << 20).min(limit + 1));
    let mut turn = 0;
    let mut part = [0; 16 * 1024];
    loop {
        let count = match decoder.read(&mut part) {
            Ok(0) => return Ok(unpacked.into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return Err(UnpackError::Malformed),
        };
        if unpacked.len() + count > limit {
            return Err(UnpackError::TooLarge);
        }
        unpacked.extend_from_slice(&part[..count]);
        turn += count;
        if turn >= TURN {
            turn = 0;
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn check(coding: Coding, packed: &[u8], limit: usize, expected: Result<&[u8], UnpackError>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let unpacked = runtime.block_on(unpack(coding, packed, limit));
        assert_eq!(unpacked.as_deref().map_err(|error| *error), expected);
    }

    #[test]
    fn undoes_each_coding() {
        check(Coding::Gzip, &gzip(b"hello"), 100, Ok(b"hello"));
        check(Coding::Gzip, &[gzip(b"hel"), gzip(b"lo")].concat(), 100, Ok(b"hello"));
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(b"hello").unwrap();
        check(Coding::Deflate, &zlib.finish().unwrap(), 100, Ok(b"hello"));
        let mut bare = DeflateEncoder::new(Vec::new(), Compression::default());
        bare.write_all(b"hello").unwrap();
        check(Coding::Deflate, &bare.finish().unwrap(), 100, Ok(b"hello"));
    }

    #[test]
    fn stops_at_the_limit() {
        let bomb = gzip(&vec![0; 5_000_000]);
        assert!(bomb.len() < 10_000);
        check(Coding::Gzip, &bomb, 1_000_000, Err(UnpackError::TooLarge));
        check(Coding::Gzip, &bomb, 4_999_999, Err(UnpackError::TooLarge));
        check(Coding::Gzip, &bomb, 5_000_000, Ok(&vec![0; 5_000_000]));
    }

    #[test]
    fn refuses_what_is_not_packed_so() {
        let packed = gzip(b"hello, hello, hello");
        let mut wrong_sum = packed.clone();
        let sum = wrong_sum.len() - 8;
        wrong_sum[sum] ^= 1;
        for bytes in
            [&b"plain text"[..], &packed[..packed.len() - 9], &packed[..packed.len() - 1], &packed[..5], &wrong_sum]
        {
            check(Coding::Gzip, bytes, 100, Err(UnpackError::Malformed));
        }
        check(Coding::Deflate, b"plain text", 100, Err(UnpackError::Malformed));
        check(Coding::Deflate, &packed, 100, Err(UnpackError::Malformed));
    }
}
