//! The query string, decoded as the service does: percent-escapes, `+` for a blank, `&` and `;` between pairs.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Decodes a name or a value.
pub fn decode(text: &str) -> Cow<'_, str> {
    let spaced: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    match spaced {
        Cow::Borrowed(text) => percent_decode_str(text).decode_utf8_lossy(),
        Cow::Owned(text) => Cow::Owned(percent_decode_str(&text).decode_utf8_lossy().into_owned()),
    }
}

/// The pairs of a query in the order in which they were sent; empty fragments do not count.
pub fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split(['&', ';']).filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_as_recorded() {
        let decoded: Vec<(String, String)> =
            pairs("a=1&&b=x+y;c=%2B%zz&d&a=").map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let expected = [("a", "1"), ("b", "x y"), ("c", "+%zz"), ("d", ""), ("a", "")];
        assert_eq!(decoded, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
