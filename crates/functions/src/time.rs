//! How Lambda writes moments.

use base::clock::Moment;
use jiff::Timestamp;

/// `2026-01-01T00:00:00.000Z`, as in log lines.
pub(crate) fn timestamp(moment: Moment) -> String {
    let milliseconds = i64::try_from(moment.0).unwrap_or(i64::MAX);
    let timestamp = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{timestamp:.3}")
}

/// `2026-01-01T00:00:00.000+0000`, as `LastModified`.
pub(crate) fn last_modified(moment: Moment) -> String {
    timestamp(moment).replace('Z', "+0000")
}

/// `2026-01-01T00:00:00+0000`, as `LastModified` of provisioned concurrency.
pub(crate) fn to_the_second(moment: Moment) -> String {
    timestamp(moment)[..19].to_owned() + "+0000"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_lambda_does() {
        assert_eq!(timestamp(Moment(1_767_225_600_000)), "2026-01-01T00:00:00.000Z");
        assert_eq!(last_modified(Moment(1_767_225_600_123)), "2026-01-01T00:00:00.123+0000");
        assert_eq!(to_the_second(Moment(1_767_225_600_123)), "2026-01-01T00:00:00+0000");
    }
}
