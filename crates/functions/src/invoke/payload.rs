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
pub(super) fn not_json(event: &[u8]) -> String {
    let error = match serde_json::from_slice::<serde::de::IgnoredAny>(event) {
        Err(error) => error,
        // The bootstrap is stricter in nothing that matters but depth.
        Ok(_) => {
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
    let place = format!(
        "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: {line}, column: {column}]"
    );
    format!("Could not parse request body into json: Could not parse payload into json: {what}{place}")
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
