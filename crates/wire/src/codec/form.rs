//! Percent-encoding and form parameters.

use http::HeaderMap;
use http::header::CONTENT_TYPE;

/// The most parameters that are read; what comes after is ignored, and no AWS request comes near.
const MAXIMUM_PARAMETERS: usize = 20_000;

/// Decoded parameters in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    entries: Vec<(String, String)>,
}

impl Parameters {
    /// Reads a query string or a form body. Nothing is refused: what is not UTF-8 gets replacement characters, which no
    /// pattern and no lookup accepts.
    pub(crate) fn parse(text: &[u8]) -> Parameters {
        let parts = text.split(|byte| *byte == b'&').filter(|part| !part.is_empty()).take(MAXIMUM_PARAMETERS);
        let entries = parts.map(|part| {
            let at = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
            let value = part.get(at + 1..).unwrap_or_default();
            (form_decode(&part[..at]), form_decode(value))
        });
        Parameters { entries: entries.collect() }
    }

    /// The first value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.entries.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a name, moved out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.entries.iter().position(|(known, _)| known == name)?;
        Some(self.entries.remove(at).1)
    }

    /// All values of a name.
    pub(crate) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.entries.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every name and value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Whether the body is a form.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';')
        .next()
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// Undoes percent-encoding; a percent sign without two digits stands for itself.
pub(crate) fn percent_decode(text: &[u8]) -> String {
    percent_encoding::percent_decode(text).decode_utf8_lossy().into_owned()
}

/// As [`percent_decode`], with `+` for a space.
fn form_decode(text: &[u8]) -> String {
    if text.contains(&b'+') {
        let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        return percent_decode(&spaced);
    }
    percent_decode(text)
}
