//! Reads JSON (RFC 8259) in one pass.

use std::borrow::Cow;

use super::{Json, JsonError, Members};

/// How deep arrays and objects may nest.
const MAX_DEPTH: usize = 128;

pub(super) fn parse(text: &str) -> Result<Json<'_>, JsonError> {
    let mut reader = Reader { text, bytes: text.as_bytes(), position: 0 };
    let value = reader.value(0)?;
    reader.skip_whitespace();
    if reader.position < text.len() {
        return Err(reader.error("something follows the value"));
    }
    Ok(value)
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    position: usize,
}

impl<'t> Reader<'t> {
    fn error(&self, message: &'static str) -> JsonError {
        JsonError { position: self.position, message }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.position += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json<'t>, JsonError> {
        if depth > MAX_DEPTH {
            return Err(self.error("too deeply nested"));
        }
        self.skip_whitespace();
        match self.peek() {
            Some(b'"') => self.string().map(Json::Text),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Boolean(true)),
            Some(b'f') => self.word("false", Json::Boolean(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(self.error("a value is expected")),
        }
    }

    fn word(&mut self, word: &str, value: Json<'t>) -> Result<Json<'t>, JsonError> {
        if !self.bytes[self.position..].starts_with(word.as_bytes()) {
            return Err(self.error("a value is expected"));
        }
        self.position += word.len();
        Ok(value)
    }

    fn array(&mut self, depth: usize) -> Result<Json<'t>, JsonError> {
        self.position += 1;
        let mut items = Vec::new();
        self.skip_whitespace();
        if self.peek() == Some(b']') {
            self.position += 1;
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_whitespace();
            match self.peek() {
                Some(b',') => self.position += 1,
                Some(b']') => {
                    self.position += 1;
                    return Ok(Json::Array(items));
                }
                _ => return Err(self.error("`,` or `]` is expected")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'t>, JsonError> {
        self.position += 1;
        let mut members = Members::default();
        self.skip_whitespace();
        if self.peek() == Some(b'}') {
            self.position += 1;
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_whitespace();
            if self.peek() != Some(b'"') {
                return Err(self.error("a name is expected"));
            }
            let name = self.string()?;
            self.skip_whitespace();
            if self.peek() != Some(b':') {
                return Err(self.error("`:` is expected"));
            }
            self.position += 1;
            let value = self.value(depth + 1)?;
            members.insert(name, value);
            self.skip_whitespace();
            match self.peek() {
                Some(b',') => self.position += 1,
                Some(b'}') => {
                    self.position += 1;
                    return Ok(Json::Object(members));
                }
                _ => return Err(self.error("`,` or `}` is expected")),
            }
        }
    }

    fn number(&mut self) -> Result<Json<'t>, JsonError> {
        let start = self.position;
        if self.peek() == Some(b'-') {
            self.position += 1;
        }
        match self.peek() {
            Some(b'0') => self.position += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.error("a digit is expected")),
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            whole = false;
            self.position += 1;
            self.needed_digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.position += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            self.needed_digits()?;
        }
        let digits = &self.text[start..self.position];
        if whole {
            if let Ok(small) = digits.parse() {
                return Ok(Json::Integer(small));
            }
            if let Ok(large) = digits.parse() {
                return Ok(Json::BigInteger(Box::new(large)));
            }
        }
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Json::Decimal(number)),
            _ => Err(self.error("the number is out of range")),
        }
    }

    fn digits(&mut self) {
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.position += 1;
        }
    }

    fn needed_digits(&mut self) -> Result<(), JsonError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.error("a digit is expected"));
        }
        self.digits();
        Ok(())
    }

    /// A string; borrowed when it has no escapes, which is the usual case.
    fn string(&mut self) -> Result<Cow<'t, str>, JsonError> {
        self.position += 1;
        let start = self.position;
        self.plain();
        if self.peek() == Some(b'"') {
            let text = &self.text[start..self.position];
            self.position += 1;
            return Ok(Cow::Borrowed(text));
        }
        let mut text = self.text[start..self.position].to_string();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.position += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.error("a control character must be escaped")),
                None => return Err(self.error("the string has no end")),
            }
            let from = self.position;
            self.plain();
            text.push_str(&self.text[from..self.position]);
        }
    }

    /// Skips what stands for itself in a string.
    fn plain(&mut self) {
        while matches!(self.peek(), Some(byte) if byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.position += 1;
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        self.position += 1;
        let escaped = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.error("the escape is not known")),
        };
        self.position += 1;
        Ok(escaped)
    }

    /// `\uXXXX`, two of them for a character beyond the basic plane. A half of a pair alone becomes U+FFFD.
    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let unit = self.hexadecimal()?;
        if let Some(character) = char::from_u32(unit) {
            return Ok(character);
        }
        let is_high = (0xD800..0xDC00).contains(&unit);
        if is_high && self.bytes[self.position..].starts_with(b"\\u") {
            let before_second = self.position;
            self.position += 1;
            let second = self.hexadecimal()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x1_0000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.position = before_second;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    /// The four digits after the `u` here.
    fn hexadecimal(&mut self) -> Result<u32, JsonError> {
        let digits =
            self.bytes.get(self.position + 1..self.position + 5).ok_or_else(|| self.error("four digits expected"))?;
        let mut unit = 0;
        for digit in digits {
            let value = char::from(*digit).to_digit(16).ok_or_else(|| self.error("a hexadecimal digit is expected"))?;
            unit = unit * 16 + value;
        }
        self.position += 5;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Json;

    fn same(text: &str, expected: &str) {
        let found = Json::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(found.to_string(), expected, "{text}");
    }

    #[test]
    fn values_keep_their_order_and_digits() {
        same(r#" { "b" : 1 , "a" : [ true , null , -0.5e1 ] , "b" : 2 } "#, r#"{"b":2,"a":[true,null,-5.0]}"#);
        same("18446744073709551616", "18446744073709551616");
        same("1e10", "1.0E10");
        same(r#""\u00e9\ud834\udd1e\ud834x\n\/""#, "\"é𝄞\u{fffd}x\\n/\"");
        same("{}", "{}");
        let many: Vec<String> = (0..100).map(|number| format!("\"k{number}\":{number}")).collect();
        let object = format!("{{{}}}", many.join(","));
        same(&object, &object);
        assert_eq!(Json::parse(&object).expect("JSON").member("k77"), Some(&Json::Integer(77)));
    }

    #[test]
    fn what_is_no_json() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "'a'",
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "\"a",
            "\"\\x\"",
            "\"\n\"",
            "tru",
            "1 2",
            "nan",
            "1e999",
            "\"\\u12\"",
            "[1}",
            "{\"a\" 1}",
        ] {
            assert!(Json::parse(text).is_err(), "{text}");
        }
        assert!(Json::parse(&"[".repeat(100_000)).is_err());
        assert!(Json::parse(&format!("{}{}", "[".repeat(100), "]".repeat(100))).is_ok());
    }
}
