//! What a function behind a URL answers, and a stranger's host, path and signature: no panic, and what is found lies within
//! what was sent.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Any bytes may come from a function; a status that it gets through ends an exchange.
    if let Ok(answer) = gateway::function_url::response::answer(&Bytes::copy_from_slice(data)) {
        assert!(answer.status.as_u16() >= 200 && answer.headers.contains_key("content-type"));
        assert!(answer.body.length().is_some_and(|length| length <= data.len() as u64));
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (host, path) = text.split_once(' ').unwrap_or(("", text));
    if let Some(address) = gateway::address::find_url(host, path) {
        let _ = &path[address.path_at..];
    }
    for claim in [sigv4::Claim::of_header(text), sigv4::Claim::of_query(path)].into_iter().flatten() {
        assert!(!claim.access_key_id.is_empty() && claim.date.len() == 8 && claim.signature.len() == 64);
    }
});
