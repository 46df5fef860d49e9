//! `X-Amzn-Trace-Id` (REST data plane, section 6): the client's root is kept, else a new one is made.

use crate::exchange::Exchange;
use crate::random::{random_number, segment_id, trace_root};

/// One request's trace.
#[derive(Debug)]
pub(crate) struct Trace {
    /// What goes to the backend and, where the integration shows it, to the client: root, parent and decision.
    pub(crate) sent: Box<str>,
    /// Whether the root is ours: then those who look at the request's headers see the root alone.
    is_new: bool,
}

impl Trace {
    /// Continues the client's trace or begins one.
    pub(super) fn of(exchange: &Exchange) -> Trace {
        let second = exchange.received.whole_seconds();
        let sampling = exchange.plan.sampling.as_ref();
        let decide = || sampling.is_some_and(|sampling| sampling.admits(second, random_number()));
        continue_trace(exchange.header("x-amzn-trace-id"), second, decide)
    }

    /// A trace that was made before, for the same request.
    pub(super) fn known(exchange: &Exchange, sent: &str) -> Trace {
        Trace { sent: sent.into(), is_new: root(exchange.header("x-amzn-trace-id")).is_none() }
    }

    /// The value in the request's headers, as events and templates see them.
    pub(crate) fn shown(&self) -> &str {
        if self.is_new { self.sent.split(';').next().unwrap_or_default() } else { &self.sent }
    }
}

fn root(incoming: Option<&str>) -> Option<&str> {
    field(incoming, "Root")
}

/// Keys compare without regard to case.
fn field<'h>(incoming: Option<&'h str>, name: &str) -> Option<&'h str> {
    let fields = incoming.unwrap_or("").split(';').filter_map(|field| field.split_once('='));
    let mut of_name = fields.filter(|(known, _)| known.trim().eq_ignore_ascii_case(name));
    of_name.next().map(|(_, value)| value.trim()).filter(|value| is_plain(value))
}

/// A parent from the client without a decision counts as sampled. Where the client has not decided, `decide` does.
pub(crate) fn continue_trace(incoming: Option<&str>, epoch_seconds: u64, decide: impl FnOnce() -> bool) -> Trace {
    let Some(root) = root(incoming) else {
        let sampled = if decide() { "1" } else { "0" };
        let sent = ["Root=", &trace_root(epoch_seconds), ";Parent=", &segment_id(), ";Sampled=", sampled].concat();
        return Trace { sent: sent.into(), is_new: true };
    };
    let sampled = match field(incoming, "Sampled") {
        Some(sampled) => sampled,
        None if field(incoming, "Parent").is_some() || decide() => "1",
        None => "0",
    };
    let parent = field(incoming, "Parent").map_or_else(segment_id, str::to_owned);
    Trace { sent: format!("Root={root};Parent={parent};Sampled={sampled}").into(), is_new: false }
}

/// What may be copied into a header: short, and of the characters that trace fields have.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.len() <= 128 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(incoming: &str) -> String {
        continue_trace(Some(incoming), 0, || false).sent.into()
    }

    #[test]
    fn keeps_the_clients_root() {
        let root = "1-5f5e1000-000000000000000000000001";
        let plain = sent(&format!("root={root}"));
        assert!(plain.starts_with(&format!("Root={root};Parent=")) && plain.ends_with(";Sampled=0"), "{plain}");
        let full = format!("Root={root};Parent=53995c3f42cd8ad8");
        assert_eq!(sent(&full), format!("{full};Sampled=1"));
        assert_eq!(sent(&format!("{full};Sampled=0")), format!("{full};Sampled=0"));
    }

    #[test]
    fn makes_a_root_where_there_is_none_worth_keeping() {
        for incoming in [None, Some("Root="), Some("Self=x"), Some("Root=a b\u{e9}")] {
            let made = continue_trace(incoming, 0x5f5e_1000, || false);
            assert!(made.sent.starts_with("Root=1-5f5e1000-") && made.sent.ends_with(";Sampled=0"), "{made:?}");
            assert_eq!(made.shown().len(), "Root=1-5f5e1000-".len() + 24, "{made:?}");
        }
    }
}
