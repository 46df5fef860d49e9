//! What is said about events that Lambda does not take.

use base::seams::InvokeRefusal;

/// The largest event of a synchronous invocation: 6 MB.
const EVENT_BYTES: usize = 6_291_456;

/// Refuses an event that is too large.
pub(crate) fn check_size(payload: &[u8]) -> Result<(), InvokeRefusal> {
    if payload.len() <= EVENT_BYTES {
        return Ok(());
    }
    let message = format!("Request must be smaller than {EVENT_BYTES} bytes for the InvokeFunction operation");
    Err(InvokeRefusal::BadPayload { message, too_large: true })
}

/// Refuses an event that is not JSON; none at all is an empty object.
pub(crate) fn check_event(payload: &[u8]) -> Result<(), InvokeRefusal> {
    if payload.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(payload).is_ok() {
        return Ok(());
    }
    Err(InvokeRefusal::BadPayload { message: not_json(payload), too_large: false })
}

/// The text for an event that is not JSON, in the words of the parser that AWS uses.
pub(crate) fn not_json(event: &[u8]) -> String {
    let error = match (serde_json::from_slice::<serde::de::IgnoredAny>(event), std::str::from_utf8(event)) {
        (Err(error), _) => error,
        (Ok(_), Err(error)) => return not_utf8(event, error.valid_up_to()),
        // The bootstrap is stricter in nothing that matters but depth.
        (Ok(_), Ok(_)) => {
            return "Could not parse request body into json: Document nesting depth exceeds the maximum allowed"
                .to_owned();
        }
    };
    let (line, column) = (error.line().max(1), error.column().max(1));
    let at = event.split(|byte| *byte == b'\n').nth(line - 1).and_then(|text| text.get(column - 1));
    let what = match at.filter(|_| !error.is_eof()) {
        None => "Unexpected end-of-input".to_owned(),
        Some(byte) => {
            let shown = if byte.is_ascii_graphic() || *byte == b' ' {
                format!("'{}' (code {byte})", char::from(*byte))
            } else {
                format!("(CTRL-CHAR, code {byte})")
            };
            format!(
                "Unexpected character ({shown}): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
            )
        }
    };
    told(&what, line, column)
}

/// The text for an event that is JSON but for bytes in a string, the first of them at `valid`, that are not UTF-8.
fn not_utf8(event: &[u8], valid: usize) -> String {
    let (before, rest) = event.split_at(valid.min(event.len()));
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
    let what = match rest {
        // A byte that begins a character is right; it is one of those after it that is wrong.
        [0xc2..=0xf4, after @ ..] => {
            let wrong = after.iter().find(|byte| **byte & 0xc0 != 0x80).or(after.first());
            format!("Invalid UTF-8 middle byte 0x{:x}", wrong.copied().unwrap_or_default())
        }
        [first, ..] => format!("Invalid UTF-8 start byte 0x{first:x}"),
        [] => "Unexpected end-of-input".to_owned(),
    };
    told(&what, line, column)
}

fn told(what: &str, line: usize, column: usize) -> String {
    format!(
        "Could not parse request body into json: Could not parse payload into json: {what}\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {line}, column: {column}]"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_json_is_told_with_its_place() {
        assert!(not_json(b"\x99").contains("Unexpected character ((CTRL-CHAR, code 153)): expected a valid value"));
        assert!(not_json(b"\x99").ends_with("line: 1, column: 1]"));
        assert!(not_json(b"{\"a\":\n x}").contains("('x' (code 120))"));
        assert!(not_json(b"{\"a\":").contains("end-of-input"));
        assert!(not_json(b"{}").contains("depth"));
        let bytes = not_json(b"{\"a\":\n \"\x99\"}");
        assert!(
            bytes.contains("Invalid UTF-8 start byte 0x99\n at") && bytes.ends_with("line: 2, column: 3]"),
            "{bytes}"
        );
        assert!(not_json(b"\"\xe4\"").contains("Invalid UTF-8 middle byte 0x22\n"));
    }

    #[test]
    fn six_megabytes_are_taken() {
        assert_eq!(check_size(&vec![b' '; EVENT_BYTES]), Ok(()));
        assert!(matches!(
            check_size(&vec![b' '; EVENT_BYTES + 1]),
            Err(InvokeRefusal::BadPayload { too_large: true, .. })
        ));
    }
}
