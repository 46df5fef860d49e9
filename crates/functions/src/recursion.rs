//! Loops: a function that is run again and again by what it does itself is stopped after 16 rounds, as on AWS, unless it
//! is allowed to (PutFunctionRecursionConfig).
//!
//! How often each function has run in a chain of invocations stands in the trace header of the chain,
//! `Lineage={function}:{rounds}|{function}:{rounds}`. Functions do not count: the SDKs inside them pass the header on with
//! every call that they make.

use sha2::{Digest as _, Sha256};

/// How often a function runs in one chain.
const ROUNDS: u32 = 16;

/// How many functions a chain tells apart; of more, the first is forgotten.
const FUNCTIONS: usize = 16;

const LINEAGE: &str = "Lineage=";

/// A chain of invocations comes back to a function once too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loop;

/// The trace header of an invocation of the function (by its unqualified ARN) that `trace` led to.
///
/// # Errors
/// [`Loop`], where the function has had all its rounds. It keeps count no longer: who allows it passes `trace` on.
pub(crate) fn advance(trace: &str, function: &str) -> Result<String, Loop> {
    let own = name(function);
    let (mut parts, mut lineage) = (Vec::new(), Vec::new());
    for part in trace.split(';') {
        match part.trim_start().strip_prefix(LINEAGE) {
            Some(text) => lineage = text.split('|').filter_map(entry).collect(),
            None => parts.push(part),
        }
    }
    match lineage.iter_mut().find(|(name, _)| *name == own) {
        Some((_, rounds)) if *rounds + 1 >= ROUNDS => return Err(Loop),
        Some((_, rounds)) => *rounds += 1,
        None => lineage.push((&own, 0)),
    }
    let known = lineage.len().saturating_sub(FUNCTIONS);
    let entries: Vec<String> = lineage[known..].iter().map(|(name, rounds)| format!("{name}:{rounds}")).collect();
    Ok(format!("{};{LINEAGE}{}", parts.join(";"), entries.join("|")))
}

/// How a function is called in a lineage.
fn name(function: &str) -> String {
    Sha256::digest(function.as_bytes())[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn entry(text: &str) -> Option<(&str, u32)> {
    let (name, rounds) = text.rsplit_once(':')?;
    let is_name = !name.is_empty() && name.len() <= 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((name, rounds.parse::<u32>().ok()?.min(ROUNDS))).filter(|_| is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    #[test]
    fn rounds_are_counted_for_each_function() {
        let first = advance(TRACE, "arn:one").unwrap();
        assert_eq!(first, format!("{TRACE};Lineage={}:0", name("arn:one")));
        let second = advance(&first, "arn:two").unwrap();
        let third = advance(&second, "arn:one").unwrap();
        assert_eq!(third, format!("{TRACE};Lineage={}:1|{}:0", name("arn:one"), name("arn:two")));
        let mut trace = TRACE.to_owned();
        for _ in 0..16 {
            trace = advance(&trace, "arn:one").unwrap();
        }
        assert_eq!(advance(&trace, "arn:one"), Err(Loop));
        assert!(advance(&trace, "arn:two").is_ok());
    }

    #[test]
    fn nothing_that_a_header_holds_makes_it_grow_or_fail() {
        for lineage in ["", "|||", "x:y", ":1", "1:a87bd80c:0", "é:1", "a87bd80c:99999999999999999999", "a87bd80c"] {
            let trace = advance(&format!("{TRACE};Lineage={lineage}"), "arn:one").unwrap();
            assert!(trace.len() < TRACE.len() + 40, "{trace}");
        }
        assert_eq!(advance(&format!("{TRACE};Lineage={}:4294967295", name("arn:one")), "arn:one"), Err(Loop));
        let mut trace = TRACE.to_owned();
        for function in 0..100 {
            trace = advance(&trace, &format!("arn:{function}")).unwrap();
        }
        assert_eq!(trace.matches('|').count(), FUNCTIONS - 1);
        assert_eq!(advance("", "arn:one").unwrap(), format!(";Lineage={}:0", name("arn:one")));
    }
}
