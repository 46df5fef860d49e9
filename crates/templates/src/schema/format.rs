//! The formats that the service's validator enforces. `int32`, `int64`, `byte`, `date` and all others say nothing.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::pattern::Pattern;

/// A format that is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    DateTime,
    Email,
    Hostname,
    Ipv4,
    Ipv6,
    Regex,
    Uri,
    Uuid,
}

impl Format {
    pub(super) fn named(name: &str) -> Option<Format> {
        Some(match name {
            "date-time" => Format::DateTime,
            "email" => Format::Email,
            "hostname" => Format::Hostname,
            "ipv4" => Format::Ipv4,
            "ipv6" => Format::Ipv6,
            "regex" => Format::Regex,
            "uri" => Format::Uri,
            "uuid" => Format::Uuid,
            _ => return None,
        })
    }

    /// What it costs to check a text, in the evaluator's steps.
    pub(super) fn steps(self, text: &str) -> usize {
        match self {
            // A pattern is compiled.
            Format::Regex => 100_000 + 100 * text.len(),
            _ => text.len() / 16,
        }
    }

    /// What is wrong with a text, in the validator's words; `None` if nothing.
    pub(super) fn problem(self, text: &str) -> Option<String> {
        let (is_sound, what) = match self {
            Format::DateTime => (
                is_date_time(text),
                "is invalid against requested date format(s) [yyyy-MM-dd'T'HH:mm:ssZ, yyyy-MM-dd'T'HH:mm:ss.[0-9]{1,12}Z]",
            ),
            Format::Email => (is_email(text), "is not a valid email address"),
            Format::Hostname => (is_hostname(text), "is not a valid hostname"),
            Format::Ipv4 => (text.parse::<Ipv4Addr>().is_ok(), "is not a valid IPv4 address"),
            Format::Ipv6 => (text.parse::<Ipv6Addr>().is_ok(), "is not a valid IPv6 address"),
            Format::Regex => (Pattern::parse(text).is_ok(), "is not a valid ECMA 262 regular expression"),
            Format::Uri => (is_uri(text), "is not a valid URI"),
            Format::Uuid if is_uuid(text) => return None,
            Format::Uuid => return Some(format!("input string \"{text}\" is not a valid UUID")),
        };
        (!is_sound).then(|| format!("string \"{text}\" {what}"))
    }
}

/// `2020-12-31T23:59:60Z`, with a fraction of a second or without, and `Z` or an offset.
fn is_date_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |at: usize, count: usize| -> Option<u32> {
        let part = text.get(at..at + count).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse().ok()
    };
    let separated = |list: &[(usize, u8)]| list.iter().all(|(at, byte)| bytes.get(*at) == Some(byte));
    if !text.is_ascii() || !separated(&[(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')]) {
        return false;
    }
    let parts = [digits(0, 4), digits(5, 2), digits(8, 2), digits(11, 2), digits(14, 2), digits(17, 2)];
    let [Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)] = parts else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    };
    if !(1..=12).contains(&month) || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return false;
    }
    let mut rest = &text[19..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=12).contains(&length) {
            return false;
        }
        rest = &fraction[length..];
    }
    is_offset(rest)
}

fn is_offset(text: &str) -> bool {
    if text == "Z" {
        return true;
    }
    let Some(rest) = text.strip_prefix(['+', '-']) else { return false };
    let digits: String = match rest.len() {
        4 => rest.to_owned(),
        5 if rest.as_bytes()[2] == b':' => rest.replace(':', ""),
        _ => return false,
    };
    let is_below = |part: &str, most: u32| part.parse::<u32>().is_ok_and(|number| number < most);
    digits.len() == 4
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && is_below(&digits[..2], 24)
        && is_below(&digits[2..], 60)
}

/// One `@` with a local part and a domain, and no blanks; more is not asked.
fn is_email(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(local, domain)| {
        let quoted = local.len() > 1 && local.starts_with('"') && local.ends_with('"');
        let plain = !local.is_empty()
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && !local.contains(|character: char| character.is_whitespace() || "@()<>,;:\\\"[]".contains(character));
        let domain_is_sound = !domain.is_empty()
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && !domain.contains("..")
            && domain.chars().all(|character| character.is_alphanumeric() || "-.[]:".contains(character));
        (quoted || plain) && domain_is_sound
    })
}

fn is_hostname(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let text = text.strip_suffix('.').unwrap_or(text);
    text.len() <= 253 && text.split('.').all(label)
}

/// A URI or a reference to one, as Java's `URI` takes it: no blanks, no characters that must be escaped.
fn is_uri(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_escaped =
        |at: usize| bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let all_allowed = bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => is_escaped(at),
        b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' => false,
        byte => *byte > b' ' && *byte != 0x7f,
    });
    let scheme = text.split_once(':').filter(|(before, _)| !before.contains(['/', '?', '#']));
    let scheme_is_sound = scheme.is_none_or(|(scheme, rest)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            && !rest.is_empty()
    });
    all_allowed && scheme_is_sound && text.bytes().filter(|byte| *byte == b'#').count() <= 1
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn formats_are_enforced() {
        for (format, text, expected) in [
            ("date-time", "1963-06-19T08:30:06.283185Z", true),
            ("date-time", "1990-12-31T15:59:50.123-08:00", true),
            ("date-time", "2024-02-29T00:00:00+0100", true),
            ("date-time", "2023-02-29T00:00:00Z", false),
            ("date-time", "06/19/1963 08:30:06 PST", false),
            ("date-time", "2013-350T01:01:01", false),
            ("date-time", "2020-01-01T00:00:00.Z", false),
            ("date-time", "", false),
            ("email", "joe.bloggs@example.com", true),
            ("email", "2962", false),
            ("email", "a@b@c", false),
            ("email", "\"a b\"@example.com", true),
            ("email", "a@", false),
            ("hostname", "www.example.com", true),
            ("hostname", "-a-host-name-that-starts-with--", false),
            ("hostname", "not_a_valid host", false),
            ("ipv4", "127.0.0.1", true),
            ("ipv4", "127.0.0.0.1", false),
            ("ipv4", "256.0.0.1", false),
            ("ipv6", "::1", true),
            ("ipv6", "12345::", false),
            ("regex", "([abc])+\\s+$", true),
            ("regex", "^(abc]", false),
            ("uri", "http://foo.bar/?baz=qux#quux", true),
            ("uri", "\\\\WINDOWS\\fileshare", false),
            ("uri", ":// should fail", false),
            ("uri", "http://a/%zz", false),
            ("uuid", "2eb8aa08-aa98-11ea-b4aa-73b441d16380", true),
            ("uuid", "2eb8aa08aa9811eab4aa73b441d16380", false),
        ] {
            let found = Format::named(format).expect("a known format").problem(text);
            assert_eq!(found.is_none(), expected, "{format} {text}: {found:?}");
        }
        assert_eq!(Format::named("int32"), None);
    }
}
