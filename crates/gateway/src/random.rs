//! Ids of requests: unique, cheap, and not secret.
//!
//! Each thread seeds a generator from the system once; a request id needs uniqueness, not unpredictability.

use std::cell::Cell;

thread_local! {
    static STATE: Cell<[u64; 2]> = const { Cell::new([0; 2]) };
}

/// The next 64 bits of this thread's generator (xoroshiro128+).
fn next() -> u64 {
    STATE.with(|state| {
        let [mut a, mut b] = state.get();
        if a == 0 && b == 0 {
            let seed = base::ids::random_bytes::<16>();
            a = u64::from_le_bytes(seed[..8].try_into().expect("eight of sixteen bytes")) | 1;
            b = u64::from_le_bytes(seed[8..].try_into().expect("eight of sixteen bytes"));
        }
        let result = a.wrapping_add(b);
        b ^= a;
        state.set([a.rotate_left(24) ^ b ^ (b << 16), b.rotate_left(37)]);
        result
    })
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn push_hex(out: &mut [u8], value: u64) {
    for (index, slot) in out.iter_mut().rev().enumerate() {
        *slot = HEX[(value >> (4 * index) & 15) as usize];
    }
}

/// Owns what [`push_hex`] wrote; several times quicker than formatting.
fn hex_text(digits: &[u8]) -> String {
    String::from_utf8(digits.to_vec()).expect("hexadecimal digits and dashes are ASCII")
}

/// A request's two ids as text: 36 bytes of UUID, then 16 of the extended id.
#[derive(Clone, Copy, Debug)]
pub struct RequestIds([u8; 52]);

impl RequestIds {
    /// Draws new ids.
    pub fn draw() -> RequestIds {
        let (high, low) = (next(), next());
        let mut text = [b'-'; 52];
        push_hex(&mut text[0..8], high >> 32);
        push_hex(&mut text[9..13], high >> 16);
        push_hex(&mut text[14..18], high & 0x0fff | 0x4000);
        push_hex(&mut text[19..23], low >> 48 & 0x3fff | 0x8000);
        push_hex(&mut text[24..36], low);
        // Fifteen characters and a pad, as the service's ids look: text of Base64 that stands for nothing.
        const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let (mut bits, more) = (next(), next());
        for (index, slot) in text[36..51].iter_mut().enumerate() {
            if index == 10 {
                bits = more;
            }
            *slot = BASE64[(bits & 63) as usize];
            bits >>= 6;
        }
        text[51] = b'=';
        RequestIds(text)
    }

    /// `$context.requestId`, a UUID.
    pub fn request_id(&self) -> &str {
        std::str::from_utf8(&self.0[..36]).expect("hexadecimal digits and dashes are ASCII")
    }

    /// `$context.extendedRequestId`, 16 characters ending in `=`.
    pub fn extended_request_id(&self) -> &str {
        std::str::from_utf8(&self.0[36..]).expect("the Base64 alphabet is ASCII")
    }

    /// Both ids in one piece: 36 bytes and 16 bytes.
    pub fn bytes(&self) -> &[u8; 52] {
        &self.0
    }
}

/// A new trace id as `X-Amzn-Trace-Id` carries it: `1-{8 hex of the time}-{24 hex}`.
pub fn trace_root(epoch_seconds: u64) -> String {
    let mut text = *b"1-00000000-000000000000000000000000";
    push_hex(&mut text[2..10], epoch_seconds);
    push_hex(&mut text[11..27], next());
    push_hex(&mut text[27..35], next());
    hex_text(&text)
}

/// An evenly distributed number.
pub fn random_number() -> u32 {
    (next() >> 32) as u32
}

/// Sixteen hexadecimal digits, the id of a segment.
pub fn segment_id() -> String {
    let mut text = [0; 16];
    push_hex(&mut text, next());
    hex_text(&text)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_well_formed() {
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            let ids = RequestIds::draw();
            let uuid = ids.request_id().as_bytes();
            assert_eq!((uuid[8], uuid[13], uuid[14], uuid[18], uuid[23]), (b'-', b'-', b'4', b'-', b'-'));
            assert!(matches!(uuid[19], b'8' | b'9' | b'a' | b'b'));
            assert!(ids.extended_request_id().ends_with('='));
            assert!(seen.insert(*ids.bytes()));
        }
    }

    #[test]
    fn a_trace_root_carries_the_time() {
        let root = trace_root(0x5f5e_1000);
        assert!(root.starts_with("1-5f5e1000-"), "{root}");
        assert_eq!(root.len(), 35);
    }
}
