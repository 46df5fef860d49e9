//! The framed protocol (`runtimes/PROTOCOL.md`): one frame to the process, one frame back.

use std::io::IoSlice;

use base::limits::FUNCTION_PAYLOAD_BYTES;
use bytes::Bytes;

/// Length of a request id's text.
pub(crate) const REQUEST_ID: usize = 36;

/// A frame's length field and kind.
const PREFIX: usize = 5;

/// The longest frame a process may send: its kind, a request id and the largest payload. Bootstraps tell an error instead
/// of sending a larger response; what is longer is a breach.
const LONGEST: usize = 1 + REQUEST_ID + FUNCTION_PAYLOAD_BYTES;

const INVOKE: u8 = 1;

/// What an invocation says beside the event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InvokeHeader<'a> {
    /// Milliseconds since 1970.
    pub(crate) deadline: u64,
    /// A UUID's text.
    pub(crate) request_id: &'a [u8; REQUEST_ID],
    /// As it was called, with its qualifier.
    pub(crate) function_arn: &'a str,
    /// `X-Amzn-Trace-Id`, or nothing.
    pub(crate) trace_id: &'a str,
    /// JSON, or nothing.
    pub(crate) client_context: &'a str,
}

impl InvokeHeader<'_> {
    /// Writes everything of the frame but the event into `buffer`, replacing what is there.
    ///
    /// Returns `false` when a field is too long for the frame, which no accepted call can cause.
    pub(crate) fn write(&self, buffer: &mut Vec<u8>, event: &[u8]) -> bool {
        let InvokeHeader { deadline, request_id, function_arn, trace_id, client_context } = self;
        let texts = function_arn.len() + trace_id.len() + client_context.len();
        let length = 1 + 8 + REQUEST_ID + 2 + 2 + 4 + texts + event.len();
        let (Ok(length), Ok(arn), Ok(trace), Ok(context)) = (
            u32::try_from(length),
            u16::try_from(function_arn.len()),
            u16::try_from(trace_id.len()),
            u32::try_from(client_context.len()),
        ) else {
            return false;
        };
        buffer.clear();
        buffer.extend_from_slice(&length.to_le_bytes());
        buffer.push(INVOKE);
        buffer.extend_from_slice(&deadline.to_le_bytes());
        buffer.extend_from_slice(*request_id);
        buffer.extend_from_slice(&arn.to_le_bytes());
        buffer.extend_from_slice(&trace.to_le_bytes());
        buffer.extend_from_slice(&context.to_le_bytes());
        for text in [function_arn, trace_id, client_context] {
            buffer.extend_from_slice(text.as_bytes());
        }
        true
    }
}

/// A frame from a process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The handler is loaded.
    Ready,
    /// It could not be loaded: the error payload. The process ends.
    InitFailed(Bytes),
    /// The handler's result.
    Response([u8; REQUEST_ID], Bytes),
    /// The handler's error payload.
    Error([u8; REQUEST_ID], Bytes),
    /// As `Error`, but the process ends.
    LastError([u8; REQUEST_ID], Bytes),
    /// The event was not JSON.
    BadEvent([u8; REQUEST_ID]),
    /// The handler begins to stream; the content type that it gave.
    StreamBegun([u8; REQUEST_ID], Bytes),
    /// Bytes of the stream.
    Chunk([u8; REQUEST_ID], Bytes),
    /// The stream has ended; an error payload if the handler failed, else nothing.
    StreamEnded([u8; REQUEST_ID], Bytes),
}

/// What is known about the bytes read so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// So many more bytes are wanted, at least.
    Wants(usize),
    /// A whole frame of that length; there may be more after it, which an honest process does not send.
    Whole(usize),
    /// No frame of this protocol.
    Breach,
}

/// Looks whether `bytes` is a whole frame.
pub(crate) fn progress(bytes: &[u8]) -> Progress {
    let Some(length) = bytes.first_chunk().map(|length| u32::from_le_bytes(*length) as usize) else {
        return Progress::Wants(PREFIX - bytes.len());
    };
    let total = 4 + length;
    match total.checked_sub(bytes.len()) {
        _ if length == 0 || length > LONGEST => Progress::Breach,
        None | Some(0) => Progress::Whole(total),
        Some(more) => Progress::Wants(more),
    }
}

/// Reads a whole frame. `payload` makes what follows the first `n` bytes of the frame into the answer's bytes.
pub(crate) fn read(frame: &[u8], payload: impl FnOnce(usize) -> Bytes) -> Option<Answer> {
    let kind = *frame.get(PREFIX - 1)?;
    let request_id = || frame.get(PREFIX..)?.first_chunk::<REQUEST_ID>().copied();
    match kind {
        1 => Some(Answer::Ready),
        2 => Some(Answer::InitFailed(payload(PREFIX))),
        3 => Some(Answer::Response(request_id()?, payload(PREFIX + REQUEST_ID))),
        4 => Some(Answer::Error(request_id()?, payload(PREFIX + REQUEST_ID))),
        5 => Some(Answer::BadEvent(request_id()?)),
        6 => Some(Answer::LastError(request_id()?, payload(PREFIX + REQUEST_ID))),
        7 => Some(Answer::StreamBegun(request_id()?, payload(PREFIX + REQUEST_ID))),
        8 => Some(Answer::Chunk(request_id()?, payload(PREFIX + REQUEST_ID))),
        9 => Some(Answer::StreamEnded(request_id()?, payload(PREFIX + REQUEST_ID))),
        _ => None,
    }
}

/// The two parts of an invoke frame, from byte `written` on, for a vectored write.
pub(crate) fn remaining<'a>(header: &'a [u8], event: &'a [u8], written: usize) -> [IoSlice<'a>; 2] {
    let of_header = written.min(header.len());
    let of_event = (written - of_header).min(event.len());
    [IoSlice::new(&header[of_header..]), IoSlice::new(&event[of_event..])]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(body.len() + 1).unwrap().to_le_bytes().to_vec();
        frame.push(kind);
        frame.extend_from_slice(body);
        frame
    }

    #[test]
    fn a_frame_is_whole_byte_by_byte() {
        let whole = frame(3, b"123456789012345678901234567890123456{}");
        for length in 0..whole.len() {
            assert!(matches!(progress(&whole[..length]), Progress::Wants(1..)), "{length}");
        }
        assert_eq!(progress(&whole), Progress::Whole(whole.len()));
        let answer = read(&whole, |from| Bytes::copy_from_slice(&whole[from..]));
        assert_eq!(answer, Some(Answer::Response(*b"123456789012345678901234567890123456", Bytes::from("{}"))));
    }

    #[test]
    fn breaches_are_seen() {
        let two = [frame(1, b""), frame(1, b"")].concat();
        assert_eq!(progress(&two), Progress::Whole(5));
        assert_eq!(progress(&[0, 0, 0, 0]), Progress::Breach);
        assert_eq!(progress(&[0xff; 4]), Progress::Breach);
        assert_eq!(read(&frame(10, b""), |_| Bytes::new()), None);
        assert_eq!(read(&frame(9, b""), |_| Bytes::new()), None);
        assert_eq!(read(&frame(3, b"short"), |_| Bytes::new()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200), length in 0_u8..120) {
            let framed = [&[length, 0, 0, 0], bytes.as_slice()].concat();
            for bytes in [&bytes, &framed] {
                if let Progress::Whole(total) = progress(bytes) {
                    let frame = &bytes[..total];
                    let _ = read(frame, |from| Bytes::copy_from_slice(&frame[from..]));
                }
            }
        }
    }

    #[test]
    fn an_invoke_frame_has_the_length_that_it_says() {
        let header = InvokeHeader {
            deadline: 7,
            request_id: b"123456789012345678901234567890123456",
            function_arn: "arn",
            trace_id: "",
            client_context: "{}",
        };
        let (mut buffer, event) = (vec![9; 3], b"{\"a\":1}");
        assert!(header.write(&mut buffer, event));
        let length = u32::from_le_bytes(*buffer.first_chunk().unwrap()) as usize;
        assert_eq!(length + 4, buffer.len() + event.len());
        let rest: Vec<u8> = remaining(&buffer, event, buffer.len() + 2).iter().flat_map(|part| part.to_vec()).collect();
        assert_eq!(rest, &event[2..]);
    }
}
