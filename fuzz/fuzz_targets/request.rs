//! Any text as a host, a path and a query: no panic, and what is found lies within what was sent.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plan::{Captures, MediaTypes, Router, UriTemplate};

const RESOURCES: [&str; 7] =
    ["/", "/items", "/items/{id}", "/items/{id}/parts", "/items/{id}/parts/{part}", "/files/{proxy+}", "/items/mine"];

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (host, path) = text.split_once(' ').unwrap_or(("", text));
    if let Some(address) = gateway::address::find(host, path) {
        assert!(address.resource_at <= path.len());
        let _ = &path[address.resource_at..];
        let _ = address.stage_at.map(|at| &path[at..]);
    }
    let mut router = Router::default();
    for resource in RESOURCES {
        router.insert(resource, resource).expect("the resources do not clash");
    }
    let mut captures = Captures::new();
    if router.find(path, &mut captures, |_| true).is_some() {
        for (_, range) in &captures {
            let _ = &path[range.clone()];
        }
    }
    let _ = Router::default().insert(path, ());
    let decoded: usize = gateway::transform::query::pairs(path).map(|(name, value)| name.len() + value.len()).sum();
    assert!(decoded <= 3 * path.len(), "U+FFFD for a byte is the most that decoding adds");
    let mut filled = String::new();
    UriTemplate::parse(path).fill_into(&mut filled, |_, _| {});
    assert!(filled.len() <= path.len());
    let _ = MediaTypes::new([host]).matches(path);
    let _ = base::arn::Arn::parse(text).map(|arn| assert_eq!(arn.to_string(), text));
    let _ = base::arn::matches_wildcard(host, path);
});
