//! Tokens of pages, and ids of events: 56 digits each, as AWS's have.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use store::telemetry::Position;
use wire::ApiError;

use super::refusals;

/// The id of the event at a position.
pub(super) fn event_id(position: Position) -> String {
    format!("3{:019}{:036}", position.timestamp, position.sequence)
}

fn position(id: &str) -> Option<Position> {
    let digits =
        id.strip_prefix('3').filter(|rest| rest.len() == 55 && rest.bytes().all(|byte| byte.is_ascii_digit()))?;
    let (timestamp, sequence) = digits.split_at(19);
    Some(Position { timestamp: timestamp.parse().ok()?, sequence: sequence.parse().ok()? })
}

/// Where a page of GetLogEvents goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// With the events behind that one.
    Forward(Position),
    /// With those before it.
    Backward(Position),
}

impl Turn {
    pub(super) fn text(self) -> String {
        match self {
            Turn::Forward(position) => format!("f/{}/s", event_id(position)),
            Turn::Backward(position) => format!("b/{}/s", event_id(position)),
        }
    }

    pub(super) fn parse(text: &str) -> Result<Turn, ApiError> {
        let read = |prefix: &str| text.strip_prefix(prefix)?.strip_suffix("/s").and_then(position);
        let turn = read("f/").map(Turn::Forward).or_else(|| read("b/").map(Turn::Backward));
        turn.ok_or_else(refusals::bad_token)
    }
}

/// A token that holds texts: the last names of a page.
pub(super) fn pack(parts: &[&str]) -> String {
    URL_SAFE_NO_PAD.encode(parts.join("\n"))
}

/// The texts of such a token.
pub(super) fn unpack<const N: usize>(token: &str) -> Result<[String; N], ApiError> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let parts: Option<Vec<String>> = text.map(|text| text.split('\n').map(str::to_owned).collect());
    parts.and_then(|parts| parts.try_into().ok()).ok_or_else(refusals::bad_token)
}

/// The token of a page of events.
pub(super) fn after(position: Position) -> String {
    pack(&[&event_id(position)])
}

/// Where the events of such a token go on.
pub(super) fn after_of(token: &str) -> Result<Position, ApiError> {
    let [id] = unpack(token)?;
    position(&id).ok_or_else(refusals::bad_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_lead_back() {
        let position = Position { timestamp: 1_700_000_000_000, sequence: 42 };
        let id = event_id(position);
        assert_eq!((id.len(), id.bytes().all(|byte| byte.is_ascii_digit())), (56, true));
        for turn in [Turn::Forward(position), Turn::Backward(position)] {
            assert_eq!(Turn::parse(&turn.text()).unwrap(), turn);
        }
        assert_eq!(after_of(&after(position)).unwrap(), position);
        assert_eq!(unpack::<2>(&pack(&["a", "b c"])).unwrap(), ["a", "b c"]);
        for bad in ["", "f/", "f/1/s", "x", &id, &format!("c/{id}/s"), &format!("f/{}/s", "9".repeat(56))] {
            assert_eq!(Turn::parse(bad).unwrap_err().message(), "The specified nextToken is invalid.", "{bad}");
            assert!(after_of(bad).is_err(), "{bad}");
        }
    }
}
