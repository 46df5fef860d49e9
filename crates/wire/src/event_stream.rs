//! Answers that are event streams (`application/vnd.amazon.eventstream`): messages of a few headers and a payload, each
//! guarded by checksums, that are sent one after the other while the handler makes them.

use std::fmt;
use std::task::{Context, Poll, ready};

use base::seams::ByteStream;
use bytes::{BufMut, Bytes, BytesMut};

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its member in the model (`PayloadChunk`); at most 255 bytes.
    pub name: &'static str,
    /// `application/octet-stream` for bytes, `application/json` for structures.
    pub content_type: &'static str,
    /// Its payload. The format has room for 16 MB.
    pub payload: Bytes,
}

/// Makes the events of an answer.
pub trait Events: Send {
    /// The next event; `None` after the last.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>>;
}

/// Events on their way onto the wire.
pub struct EventStream(Box<dyn Events>);

impl EventStream {
    /// A stream of these events.
    pub fn new(events: impl Events + 'static) -> EventStream {
        EventStream(Box::new(events))
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventStream(..)")
    }
}

impl ByteStream for EventStream {
    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Poll::Ready(ready!(self.0.poll_event(context)).map(|event| encode(&event)))
    }
}

/// The lengths and their checksum before, the checksum of it all behind.
const FRAME: usize = 12 + 4;

/// That a header's value is text.
const TEXT: u8 = 7;

/// Writes a message: total length, length of the headers, checksum of both; headers; payload; checksum of all of it.
fn encode(event: &Event) -> Bytes {
    let headers = [(":event-type", event.name), (":content-type", event.content_type), (":message-type", "event")];
    // A name's length is one byte, a kind one, a value's length two.
    let headers_length: usize = headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    let length = FRAME + headers_length + event.payload.len();
    let mut message = BytesMut::with_capacity(length);
    // What does not fit in 32 bits would be beyond the format, and beyond what any answer may have.
    message.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.put_u32(u32::try_from(headers_length).unwrap_or(u32::MAX));
    message.put_u32(crc32fast::hash(&message));
    for (name, value) in headers {
        message.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        message.put_slice(name.as_bytes());
        message.put_u8(TEXT);
        message.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        message.put_slice(value.as_bytes());
    }
    message.put_slice(&event.payload);
    message.put_u32(crc32fast::hash(&message));
    message.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_its_lengths_headers_and_checksums() {
        let event = Event { name: "PayloadChunk", content_type: "application/octet-stream", payload: "hi".into() };
        let message = encode(&event);
        let number = |at: usize| u32::from_be_bytes(message[at..at + 4].try_into().unwrap());
        assert_eq!((number(0) as usize, number(4) as usize), (message.len(), message.len() - 18));
        assert_eq!(number(8), crc32fast::hash(&message[..8]));
        assert_eq!(&message[12..39], b"\x0b:event-type\x07\x00\x0cPayloadChunk");
        assert_eq!(&message[message.len() - 6..message.len() - 4], b"hi");
        assert_eq!(number(message.len() - 4), crc32fast::hash(&message[..message.len() - 4]));
    }

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
    }
}
