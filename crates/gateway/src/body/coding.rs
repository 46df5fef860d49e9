//! Content codings: which of them a client takes, and which it has used.

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderName};

/// A coding that the gateway can pack and unpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// `gzip` (RFC 1952).
    Gzip,
    /// `deflate`: the format of zlib (RFC 1950).
    Deflate,
}

/// A coding that the gateway does not know, or more of them than it undoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCoding;

/// How many codings may lie over one another. AWS names no bound; this one is ours.
const CODINGS: usize = 4;

impl Coding {
    /// As `Content-Encoding` names it.
    pub fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
        }
    }

    fn parse(name: &str) -> Option<Coding> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("gzip") || is("x-gzip") {
            return Some(Coding::Gzip);
        }
        is("deflate").then_some(Coding::Deflate)
    }

    /// What the client likes best, if that is one of ours: of the entries of `Accept-Encoding` the one with the highest
    /// weight, of several the first. `identity`, `*` and no header at all ask for no coding.
    pub fn accepted(headers: &HeaderMap) -> Option<Coding> {
        let mut best: Option<(u16, &str)> = None;
        for entry in entries(headers, ACCEPT_ENCODING) {
            let mut parts = entry?.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            let weight = weight.map_or(Some(1000), thousandths)?;
            if weight > best.map_or(0, |(weight, _)| weight) {
                best = Some((weight, name));
            }
        }
        best.and_then(|(_, name)| Coding::parse(name))
    }

    /// The codings that the client has applied to its body, in that order.
    ///
    /// # Errors
    /// [`UnknownCoding`] when one of them is none of ours.
    pub fn applied(headers: &HeaderMap) -> Result<Vec<Coding>, UnknownCoding> {
        let mut codings = Vec::new();
        for entry in entries(headers, CONTENT_ENCODING) {
            let name = entry.ok_or(UnknownCoding)?;
            if name.is_empty() || name.eq_ignore_ascii_case("identity") {
                continue;
            }
            codings.push(Coding::parse(name).ok_or(UnknownCoding)?);
            if codings.len() > CODINGS {
                return Err(UnknownCoding);
            }
        }
        Ok(codings)
    }
}

/// The entries of a list that may stand on several lines; `None` for a line that is no text.
fn entries(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = Option<&str>> {
    headers.get_all(name).iter().flat_map(|line| {
        let line = line.to_str().ok();
        let count = line.map_or(1, |line| line.split(',').count());
        (0..count).map(move |at| line.and_then(|line| line.split(',').nth(at)).map(str::trim))
    })
}

/// A weight from 0 to 1 with three digits at most (RFC 9110, 12.4.2), in thousandths.
fn thousandths(weight: &str) -> Option<u16> {
    let (whole, digits) = weight.split_once('.').unwrap_or((weight, ""));
    let sound = matches!(whole, "0" | "1") && digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: u16 = format!("{digits:0<3}").parse().ok().filter(|_| sound)?;
    Some(if whole == "1" { 1000 } else { fraction })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn takes_the_coding_that_the_client_likes_best() {
        let check = |lines: &[&'static str], expected| {
            assert_eq!(Coding::accepted(&headers(ACCEPT_ENCODING, lines)), expected, "{lines:?}");
        };
        check(&[], None);
        check(&[""], None);
        check(&["gzip"], Some(Coding::Gzip));
        check(&["GZip"], Some(Coding::Gzip));
        check(&["deflate"], Some(Coding::Deflate));
        check(&["gzip, deflate, br"], Some(Coding::Gzip));
        check(&["deflate, gzip"], Some(Coding::Deflate));
        check(&["deflate;q=0.5, gzip;q=1.0"], Some(Coding::Gzip));
        check(&["deflate;q=0.5", "gzip;q=0.501"], Some(Coding::Gzip));
        check(&["br, gzip;q=0.9"], None);
        check(&["identity, gzip;q=0.5"], None);
        check(&["identity;q=0, gzip;q=0.5"], Some(Coding::Gzip));
        check(&["*"], None);
        check(&["gzip;q=0"], None);
        check(&["gzip;q=0.000, deflate;q=0.001"], Some(Coding::Deflate));
        check(&["gzip;q=2"], None);
        check(&["gzip;q=x"], None);
        check(&["gzip; q=0.8 ,  deflate ; q=0.9"], Some(Coding::Deflate));
    }

    #[test]
    fn knows_the_codings_that_a_body_has() {
        let check = |lines: &[&'static str], expected: Result<&[Coding], UnknownCoding>| {
            let applied = Coding::applied(&headers(CONTENT_ENCODING, lines));
            assert_eq!(applied.as_deref().map_err(|error| *error), expected, "{lines:?}");
        };
        check(&["gzip"], Ok(&[Coding::Gzip]));
        check(&["x-gzip, Deflate"], Ok(&[Coding::Gzip, Coding::Deflate]));
        check(&["deflate", "gzip"], Ok(&[Coding::Deflate, Coding::Gzip]));
        check(&["identity", ""], Ok(&[]));
        check(&["br"], Err(UnknownCoding));
        check(&["gzip, br"], Err(UnknownCoding));
        check(&["utf-8"], Err(UnknownCoding));
        check(&["gzip,gzip,gzip,gzip"], Ok(&[Coding::Gzip; 4]));
        check(&["gzip,gzip,gzip,gzip,gzip"], Err(UnknownCoding));
    }
}
