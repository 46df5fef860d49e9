//! Writing the heads of HTTP/1.1 answers with their names as AWS spells them ([`plan::spelling`]).
//!
//! The HTTP library hands an answer's head over in one piece. The first piece that is written after an answer has been
//! made, when everything before it has gone, is that head; it is written anew with its names spelt, and nothing else is
//! touched. Should a head come behind bytes that a slow client has not taken yet, it goes out in lower case, which means
//! the same.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::LazyLock;

use memchr::memchr_iter;
use memchr::memmem::Finder;
use plan::spelling::spell;

/// Names of an answer's headers that are not spelt by the rule. Travels as an extension of the response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spelled(pub Vec<Box<str>>);

/// What a connection's service tells its writer.
#[derive(Clone, Debug, Default)]
pub(super) struct Due(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_due: Cell<bool>,
    names: RefCell<Spelled>,
}

impl Due {
    /// An answer has been made: its head is written next.
    pub(super) fn set(&self, names: Option<Spelled>) {
        *self.0.names.borrow_mut() = names.unwrap_or_default();
        self.0.is_due.set(true);
    }

    /// Whether a head is written next; asked once.
    pub(super) fn take(&self) -> bool {
        self.0.is_due.replace(false)
    }

    /// The head could not be written yet.
    pub(super) fn put_back(&self) {
        self.0.is_due.set(true);
    }

    /// Writes the head at the beginning of `bytes` anew into `out` and returns how many bytes of `bytes` it stands for;
    /// none where there is no whole head.
    pub(super) fn spell(&self, bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        spell_head(bytes, &self.0.names.borrow().0, out)
    }
}

/// Spells the first final head of `bytes`; interim ones before it (`100 Continue`) are copied. `Connection: keep-alive` is
/// added as AWS sends it, unless the head says otherwise.
fn spell_head(bytes: &[u8], names: &[Box<str>], out: &mut Vec<u8>) -> Option<usize> {
    static END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));
    let is_http11 = bytes.starts_with(b"HTTP/1.1 ");
    if !is_http11 && !bytes.starts_with(b"HTTP/1.0 ") {
        return None;
    }
    let length = END.find(bytes)? + 4;
    let start = out.len();
    out.extend_from_slice(&bytes[..length]);
    if bytes.get(9) == Some(&b'1') {
        return spell_head(&bytes[length..], names, out).map(|more| length + more);
    }
    // Where lines end is looked for in one go, in what was copied.
    let head = &bytes[..length - 2];
    let mut ends = memchr_iter(b'\n', head);
    let mut line = ends.next()? + 1;
    // A client that asks for it gets `close`; one of HTTP/1.0 expects it.
    let mut says_connection = !is_http11;
    for end in ends {
        let colon = line + head[line..end].iter().position(|byte| *byte == b':')?;
        let name = &mut out[start + line..start + colon];
        says_connection |= name == b"connection";
        match names.iter().find(|known| known.as_bytes().eq_ignore_ascii_case(name)) {
            Some(known) => name.copy_from_slice(known.as_bytes()),
            None => spell(name),
        }
        line = end + 1;
    }
    if !says_connection {
        out.truncate(out.len() - 2);
        out.extend_from_slice(b"Connection: keep-alive\r\n\r\n");
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(bytes: &str, names: &[&str]) -> Option<(String, usize)> {
        let names: Vec<Box<str>> = names.iter().map(|name| (*name).into()).collect();
        let mut out = Vec::new();
        let length = spell_head(bytes.as_bytes(), &names, &mut out)?;
        Some((String::from_utf8(out).unwrap(), length))
    }

    #[test]
    fn spells_a_head_and_leaves_the_body_alone() {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: a: b\r\nx-amzn-requestid: 1\r\ntest-multi: x\r\n\r\n";
        let (out, length) = spelled(&format!("{head}content-type: body"), &["tesT-Multi"]).unwrap();
        let expected = "HTTP/1.1 200 OK\r\nContent-Type: a: b\r\nx-amzn-RequestId: 1\r\ntesT-Multi: x\r\n\
                        Connection: keep-alive\r\n\r\n";
        assert_eq!((out.as_str(), length), (expected, head.len()));
    }

    #[test]
    fn says_keep_alive_only_where_nothing_else_is_said() {
        let close = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        assert_eq!(spelled(close, &[]).unwrap().0, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let old = "HTTP/1.0 200 OK\r\ndate: x\r\n\r\n";
        assert_eq!(spelled(old, &[]).unwrap().0, "HTTP/1.0 200 OK\r\nDate: x\r\n\r\n");
    }

    #[test]
    fn passes_interim_heads() {
        let both = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\ndate: x\r\n\r\n";
        let (out, length) = spelled(both, &[]).unwrap();
        let expected =
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nDate: x\r\nConnection: keep-alive\r\n\r\n";
        assert_eq!((out.as_str(), length), (expected, both.len()));
    }

    #[test]
    fn leaves_what_is_no_whole_head() {
        for bytes in [
            "",
            "body",
            "HTTP/1.1 200 OK\r\ndate: x\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 200 OK\r\nx\r\n\r\n",
        ] {
            assert_eq!(spelled(bytes, &[]), None, "{bytes:?}");
        }
    }
}
