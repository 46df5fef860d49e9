//! Any bytes as a body that a client says it has packed: what comes out is bounded, and what we pack comes back.
#![no_main]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use gateway::body::coding::Coding;
use gateway::body::{compress, decompress};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// More than the inputs unpack to by themselves, less than a bomb does.
const LIMIT: usize = 1 << 20;

/// Runs what waits for nothing but its own turn.
fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return output;
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let line = data.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if let Ok(value) = HeaderValue::from_bytes(line) {
        let headers: HeaderMap = [(ACCEPT_ENCODING, value.clone()), (CONTENT_ENCODING, value)].into_iter().collect();
        let _ = Coding::accepted(&headers);
        assert!(Coding::applied(&headers).is_ok_and(|codings| codings.len() <= 4) || Coding::applied(&headers).is_err());
    }
    for coding in [Coding::Gzip, Coding::Deflate] {
        if let Ok(unpacked) = run(decompress::unpack(coding, data, LIMIT)) {
            assert!(unpacked.len() <= LIMIT);
        }
        let packed = run(compress::pack(coding, data)).expect("memory is enough");
        assert_eq!(run(decompress::unpack(coding, &packed, data.len().max(1))).as_deref(), Ok(data));
    }
});
