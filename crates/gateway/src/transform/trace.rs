//! `X-Amzn-Trace-Id` (REST data plane, section 6): the client's root is kept, else a new one is made.

use crate::exchange::Exchange;
use crate::random::{segment_id, trace_root};

/// The value that goes to the backend.
pub(super) fn trace_header(exchange: &Exchange) -> String {
    continue_trace(exchange.header("x-amzn-trace-id"), exchange.received.whole_seconds())
}

/// Keys compare without regard to case. A parent from the client without a decision counts as sampled.
fn continue_trace(incoming: Option<&str>, epoch_seconds: u64) -> String {
    let field = |name: &str| {
        let fields = incoming.unwrap_or("").split(';').filter_map(|field| field.split_once('='));
        let mut of_name = fields.filter(|(known, _)| known.trim().eq_ignore_ascii_case(name));
        of_name.next().map(|(_, value)| value.trim()).filter(|value| is_plain(value))
    };
    let Some(root) = field("Root") else {
        return format!("Root={}", trace_root(epoch_seconds));
    };
    let sampled = field("Sampled").unwrap_or(if field("Parent").is_some() { "1" } else { "0" });
    let parent = field("Parent").map_or_else(segment_id, str::to_owned);
    format!("Root={root};Parent={parent};Sampled={sampled}")
}

/// What may be copied into a header: short, and of the characters that trace fields have.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.len() <= 128 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_clients_root() {
        let root = "1-5f5e1000-000000000000000000000001";
        let plain = continue_trace(Some(&format!("root={root}")), 0);
        assert!(plain.starts_with(&format!("Root={root};Parent=")) && plain.ends_with(";Sampled=0"), "{plain}");
        let full = format!("Root={root};Parent=53995c3f42cd8ad8");
        assert_eq!(continue_trace(Some(&full), 0), format!("{full};Sampled=1"));
        assert_eq!(continue_trace(Some(&format!("{full};Sampled=0")), 0), format!("{full};Sampled=0"));
    }

    #[test]
    fn makes_a_root_where_there_is_none_worth_keeping() {
        for incoming in [None, Some("Root="), Some("Self=x"), Some("Root=a b\u{e9}")] {
            let made = continue_trace(incoming, 0x5f5e_1000);
            assert!(made.starts_with("Root=1-5f5e1000-") && !made.contains(';'), "{incoming:?} {made}");
        }
    }
}
