//! The status that a MOCK integration's rendered request template names.
//!
//! API Gateway reads the text with a parser that is far more lenient than JSON: keys and strings may be unquoted or in single
//! quotes, stray commas and brackets between members are passed over. The recorded accepted and refused forms are the tests below.

/// How deep objects and lists may nest.
const MAX_DEPTH: usize = 64;

/// The integer `statusCode` of the rendered text, or `None` when there is none: then the call fails with 500.
pub fn mock_status(rendered: &str) -> Option<i64> {
    let mut reader = Reader { text: rendered.as_bytes(), position: 0 };
    reader.skip_blanks();
    reader.take(b'{')?;
    let mut status = None;
    loop {
        reader.skip_stray();
        if reader.take(b'}').is_some() {
            return status?;
        }
        let key = reader.word()?;
        reader.skip_blanks();
        // A word without a value, as in `{statusCode: 200, foo}`, ends the object or stands alone.
        if reader.take(b':').is_none() {
            continue;
        }
        let value = reader.value(0)?;
        if key == b"statusCode" {
            status = Some(value);
        }
    }
}

struct Reader<'t> {
    text: &'t [u8],
    position: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.position += 1)
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.position += 1;
        }
    }

    fn skip_stray(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace() || byte == b',') {
            self.position += 1;
        }
    }

    /// A key or text value: quoted either way, or everything up to a character that ends a member.
    fn word(&mut self) -> Option<&'t [u8]> {
        let quote = self.peek()?;
        if quote == b'"' || quote == b'\'' {
            return self.quoted(quote);
        }
        let start = self.position;
        while !matches!(self.peek(), None | Some(b':' | b',' | b'{' | b'}' | b'[' | b']' | b'"' | b'\'')) {
            self.position += 1;
        }
        let word = self.text[start..self.position].trim_ascii();
        (!word.is_empty()).then_some(word)
    }

    fn quoted(&mut self, quote: u8) -> Option<&'t [u8]> {
        self.position += 1;
        let start = self.position;
        loop {
            match self.peek()? {
                b'\\' => self.position += 2,
                byte if byte == quote => {
                    self.position += 1;
                    return Some(&self.text[start..self.position - 1]);
                }
                _ => self.position += 1,
            }
        }
    }

    /// Reads a value. The inner option is the integer that it is; the outer is `None` when the text is broken.
    fn value(&mut self, depth: usize) -> Option<Option<i64>> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.skip_blanks();
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.list(depth),
            b'"' | b'\'' => self.word().map(|_| None),
            _ => {
                let word = self.word()?;
                Some(std::str::from_utf8(word).ok().and_then(|word| word.parse().ok()))
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Option<i64>> {
        self.take(b'{')?;
        loop {
            self.skip_stray();
            if self.take(b'}').is_some() {
                return Some(None);
            }
            self.word()?;
            self.skip_blanks();
            if self.take(b':').is_some() {
                self.value(depth + 1)?;
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Option<i64>> {
        self.take(b'[')?;
        loop {
            self.skip_stray();
            if self.take(b']').is_some() {
                return Some(None);
            }
            self.value(depth + 1)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mock_status;

    #[test]
    fn recorded_as_accepted() {
        for text in [
            r#"{"statusCode":200}"#,
            "{statusCode: 200}",
            "{'statusCode': 200, '': ''}",
            r#"{"statusCode": 200 ,, }"#,
            "{statusCode: 200, foo}: [ba r]}",
            "\n{ \"statusCode\" : 200, \"null\": null, null: null }\n",
        ] {
            assert_eq!(mock_status(text), Some(200), "{text}");
        }
        assert_eq!(mock_status("{statusCode: 0}"), Some(0));
        assert_eq!(mock_status("{statusCode: -1000}"), Some(-1000));
        assert_eq!(mock_status(r#"{"a": {"b": [1, {"c": "}"}]}, "statusCode": 404}"#), Some(404));
    }

    #[test]
    fn recorded_as_refused() {
        for text in [
            r#"{"statusCode":"200"}"#,
            "{}",
            "",
            r#"{"status": 200}"#,
            r#"{"statusCode: 200}"#,
            r#"{statusCode": 200}"#,
            r#""statusCode": 200"#,
            "{statusCode: 200, {foo: bar}}",
            "{statusCode: 200.5}",
            "{statusCode: 200",
        ] {
            assert_eq!(mock_status(text), None, "{text}");
        }
    }
}
