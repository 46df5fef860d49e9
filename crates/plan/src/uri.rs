//! Integration addresses with `{name}` places for path parameters. Stage variables are filled in when the plan is
//! compiled, for a plan belongs to one stage.

use http::Uri;
use http::uri::Authority;

/// An address, split at its places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriTemplate {
    parts: Vec<Part>,
    /// The whole address, where it has no places and a request can be sent to it.
    constant: Option<Uri>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    Parameter(Box<str>),
}

impl UriTemplate {
    /// Splits `text` at each `{name}`; a brace without a partner is text.
    pub fn parse(text: &str) -> UriTemplate {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let Some(close) = rest[open..].find('}') else { break };
            if open > 0 {
                parts.push(Part::Text(rest[..open].into()));
            }
            parts.push(Part::Parameter(rest[open + 1..open + close].trim_end_matches('+').into()));
            rest = &rest[open + close + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        let constant = match parts.as_slice() {
            [Part::Text(text)] => text.parse().ok().filter(|uri| check(uri).is_ok()),
            _ => None,
        };
        UriTemplate { parts, constant }
    }

    /// The whole address, where it has no places.
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The same, parsed; `None` also for an address that is not sound.
    pub fn constant_uri(&self) -> Option<&Uri> {
        self.constant.as_ref()
    }

    /// Writes the address with its places filled by `value`; an unknown name gives empty text.
    pub fn fill_into(&self, out: &mut String, mut value: impl FnMut(&str, &mut String)) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Parameter(name) => value(name, out),
            }
        }
    }
}

/// Whether a request can be sent to an address. A port is looked at here, for `http` takes any text for one and passes
/// over it.
///
/// # Errors
/// What is wrong, for the log.
pub fn check(uri: &Uri) -> Result<(), &'static str> {
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err("the integration's address needs http:// or https:// and a host");
    }
    let authority = uri.authority().map_or("", Authority::as_str);
    let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'));
    match port.is_none_or(|port| port.is_empty() || port.parse::<u16>().is_ok()) {
        true => Ok(()),
        false => Err("the port of the integration's address is no number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_places() {
        for (template, expected) in [
            ("http://h/{a}/x", "http://h/<a>/x"),
            ("http://h/{a+}", "http://h/<a>"),
            ("http://h/{a", "http://h/{a"),
            ("{a}{b}", "<a><b>"),
        ] {
            let mut out = String::new();
            UriTemplate::parse(template).fill_into(&mut out, |name, out| {
                out.push('<');
                out.push_str(name);
                out.push('>');
            });
            assert_eq!(out, expected);
        }
        assert_eq!(UriTemplate::parse("http://h/x").constant(), Some("http://h/x"));
        assert_eq!(UriTemplate::parse("http://h/{x}").constant(), None);
        for (address, sound) in
            [("http://h:1/x", true), ("http://[::1]/", true), ("ftp://h/", false), ("http://h:a/", false)]
        {
            assert_eq!(UriTemplate::parse(address).constant_uri().is_some(), sound, "{address}");
        }
    }
}
