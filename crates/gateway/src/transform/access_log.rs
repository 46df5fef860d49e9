//! The access log's line of a request: the stage's format with the values of `$context` in it.

use plan::AccessLog;

use super::context;
use super::facts::Facts;
use crate::exchange::Exchange;
use crate::route::Routed;

/// The longest line in bytes, the largest event that CloudWatch Logs has taken of old; what is beyond is cut off.
const LINE_BYTES: usize = 256 * 1024 - 26;

/// What stands for a value that is not there.
const ABSENT: &str = "-";

/// Renders a line. `special` sees each name of `$context` first, and what has been written so far, and says whether it has
/// dealt with it.
pub(crate) fn access_line(
    exchange: &Exchange,
    routed: Option<&Routed<'_>>,
    log: &AccessLog,
    special: &dyn Fn(&str, &mut String) -> bool,
) -> String {
    let facts = Facts::new(exchange, routed);
    let mut line = String::with_capacity(256);
    log.format.render_into(&mut line, &|name, out| {
        let Some(name) = name.strip_prefix("context.") else { return out.push_str(ABSENT) };
        if out.len() > LINE_BYTES || special(name, out) {
            return;
        }
        match context::value(&facts, name).filter(|value| !value.is_empty()) {
            Some(value) => out.push_str(&value),
            None => out.push_str(ABSENT),
        }
    });
    line.truncate(line.floor_char_boundary(LINE_BYTES));
    line
}
