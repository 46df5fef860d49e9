//! The settings of a stage's access log: what is accepted, and how it is shown.

use base::arn::Arn;
use model_apigateway as model;
use templates::plain::PlainTemplate;

use crate::refusal::{Answer, Refusal};
use crate::rows::{AccessLog, Stage};

/// The longest format in bytes, a quota of AWS.
const FORMAT_BYTES: usize = 3 * 1024;

/// One of the two settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    Destination(String),
    Format(String),
}

/// Reads `add` and `replace` of `/accessLogSettings...`.
pub(super) fn read(path: &str, value: &str) -> Answer<Edit> {
    let edit = match path {
        "/accessLogSettings/destinationArn" => Edit::Destination(value.to_owned()),
        "/accessLogSettings/format" => Edit::Format(value.to_owned()),
        _ => {
            return Err(Refusal::bad_request(
                "Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn, \
                 /accessLogSettings/format]",
            ));
        }
    };
    if value.is_empty() {
        return Err(Refusal::bad_request("Access Log value must not be empty"));
    }
    Ok(edit)
}

/// Checks a setting and puts it into the stage.
pub(super) fn set(log: &mut AccessLog, edit: Edit) -> Answer<()> {
    match edit {
        Edit::Destination(arn) => {
            check_destination(&arn)?;
            log.destination_arn = Some(arn);
        }
        Edit::Format(format) => {
            check_format(&format)?;
            log.format = Some(format);
        }
    }
    Ok(())
}

fn check_destination(text: &str) -> Answer<()> {
    let malformed = || Refusal::BadRequest(format!("Invalid ARN specified in the request: {text}"));
    let arn = Arn::parse(text).ok_or_else(malformed)?;
    if arn.service == "firehose" {
        return Err(Refusal::not_built("accessLogSettings with a Firehose delivery stream as destinationArn"));
    }
    let is_account = arn.account.len() == 12 && arn.account.bytes().all(|byte| byte.is_ascii_digit());
    let is_region = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let has_region = !arn.region.is_empty() && arn.region.bytes().all(is_region);
    let group = arn.resource.strip_prefix("log-group:").filter(|name| (1..=512).contains(&name.len()));
    match group {
        // The ARN that CloudWatch Logs shows ends in `:*`; without it, it is a group's.
        Some(name) if arn.service == "logs" && is_account && has_region && name.bytes().all(names_a_group) => Ok(()),
        _ => Err(malformed()),
    }
}

/// The characters of a log group's name.
fn names_a_group(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b'.' | b'#')
}

fn check_format(format: &str) -> Answer<()> {
    if format.len() > FORMAT_BYTES {
        return Err(Refusal::BadRequest(format!("Access Log format must not be longer than {FORMAT_BYTES} bytes")));
    }
    if format.trim_end_matches(['\r', '\n']).contains(['\r', '\n']) {
        return Err(Refusal::bad_request(
            "Access Log format must be single line, new line character is allowed only at end of the format",
        ));
    }
    // Without an id a line cannot be told from another.
    let has_id = PlainTemplate::parse(format)
        .names()
        .any(|name| matches!(name, "context.requestId" | "context.extendedRequestId"));
    if !has_id {
        return Err(Refusal::bad_request(
            "Access Log format must include at least $context.requestId or $context.extendedRequestId",
        ));
    }
    Ok(())
}

/// The settings as AWS shows them; none are no member.
pub(super) fn shown(stage: &Stage) -> Option<model::AccessLogSettings> {
    let AccessLog { destination_arn, format } = &stage.access_log;
    (!stage.access_log.is_empty())
        .then(|| model::AccessLogSettings { destination_arn: destination_arn.clone(), format: format.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_groups_are_destinations_and_nothing_else() {
        for (arn, expected) in [
            ("arn:aws:logs:us-east-1:000000000000:log-group:/pets/access", ""),
            ("arn:aws-cn:logs:cn-north-1:000000000000:log-group:a.b_c-d#1", ""),
            ("arn:aws:logs:us-east-1:000000000000:log-group:x:*", "Invalid ARN"),
            ("arn:aws:logs:us-east-1:000000000000:log-group:x:log-stream:y", "Invalid ARN"),
            ("arn:aws:logs:us-east-1:000000000000:log-group:", "Invalid ARN"),
            ("arn:aws:logs:us-east-1:1:log-group:x", "Invalid ARN"),
            ("arn:aws:logs::000000000000:log-group:x", "Invalid ARN"),
            ("arn:aws:s3:::bucket", "Invalid ARN"),
            ("x", "Invalid ARN"),
            (
                "arn:aws:firehose:us-east-1:000000000000:deliverystream/amazon-apigateway-x",
                "accessLogSettings with a Fi",
            ),
        ] {
            match check_destination(arn) {
                Ok(()) => assert_eq!(expected, "", "{arn}"),
                Err(Refusal::BadRequest(text)) => {
                    assert!(!expected.is_empty() && text.starts_with(expected), "{arn}: {text}");
                }
                Err(other) => panic!("{arn}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_format_is_one_line_with_an_id() {
        for (format, is_right) in [
            ("$context.requestId", true),
            ("{\"id\":\"$context.extendedRequestId\"}\n", true),
            ("$context.requestId\n$context.status", false),
            ("$context.status", false),
            ("$context.requestIdentity", false),
        ] {
            assert_eq!(check_format(format).is_ok(), is_right, "{format}");
        }
        assert!(check_format(&format!("$context.requestId{}", "x".repeat(FORMAT_BYTES))).is_err());
    }
}
