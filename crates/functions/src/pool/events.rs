//! The platform's own lines in a log in JSON, where text has `START`, `END` and `REPORT`. Which of them are written depends on
//! `SystemLogLevel`.

use base::clock::Moment;
use serde_json::{Value, json};

use crate::records::LogLevels;
use crate::time::timestamp;

/// How much a line matters, as `SystemLogLevel` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// `DEBUG`: what went as it should.
    Debug,
    /// `INFO`: what every invocation has.
    Info,
    /// `WARN`: what failed.
    Warn,
}

/// A line of a log in JSON, if its level is one that is kept.
pub(super) fn line(levels: &LogLevels, now: Moment, level: Level, kind: &str, record: Value) -> Option<String> {
    let least = match levels.system.as_str() {
        "DEBUG" => Level::Debug,
        "WARN" => Level::Warn,
        _ => Level::Info,
    };
    let line = || json!({ "time": timestamp(now), "type": format!("platform.{kind}"), "record": record }).to_string();
    (level >= least).then(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_below_the_level_are_left_out() {
        let line = |system: &str, level| {
            let levels = LogLevels { application: "INFO".to_owned(), system: system.to_owned() };
            line(&levels, Moment(0), level, "start", json!({ "requestId": "r" }))
        };
        let text = r#"{"record":{"requestId":"r"},"time":"1970-01-01T00:00:00.000Z","type":"platform.start"}"#;
        assert_eq!(line("INFO", Level::Info).map(|line| line.len()), Some(text.len()));
        assert_eq!(line("INFO", Level::Debug), None);
        assert_eq!(line("WARN", Level::Info), None);
        assert!(line("DEBUG", Level::Debug).is_some() && line("WARN", Level::Warn).is_some());
    }
}
