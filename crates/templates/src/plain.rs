//! Plain substitution, for gateway responses and access logs: `$context.x`, `$stageVariables.x` and `method.request.…` stand for
//! their values, everything else is text. There are no directives, calls or conditions.
//!
//! ```
//! use templates::plain::PlainTemplate;
//!
//! let template = PlainTemplate::parse(r#"{"message":$context.error.messageString}"#);
//! let mut out = String::new();
//! template.render_into(&mut out, &|name, out| out.push_str(if name == "context.error.messageString" { "null" } else { "-" }));
//! assert_eq!(out, r#"{"message":null}"#);
//! ```

/// A compiled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Box<str>),
    /// A name without its `$`: `context.requestId`, `stageVariables.x`, `method.request.header.X`.
    Name(Box<str>),
}

/// What begins a name; a `$` and a brace may stand before it.
const ROOTS: [&str; 3] = ["context.", "stageVariables.", "method.request."];

impl PlainTemplate {
    /// Compiles a text. Nothing is refused: what is no name is text.
    pub fn parse(source: &str) -> PlainTemplate {
        let mut parts = Vec::new();
        let mut text_start = 0;
        let mut place = 0;
        while let Some(length) = source[place..].find(['$', 'm']) {
            let start = place + length;
            // A bare `method.request.` in the middle of a word is no name. It is looked at first: a long word of many
            // such would otherwise be read again from each of them.
            match (!continues_a_word(source, start)).then(|| name_at(&source[start..])).flatten() {
                Some((name, length)) => {
                    push_text(&mut parts, &source[text_start..start]);
                    parts.push(Part::Name(name.into()));
                    place = start + length;
                    text_start = place;
                }
                None => place = start + 1,
            }
        }
        push_text(&mut parts, &source[text_start..]);
        PlainTemplate { parts }
    }

    /// The names that occur, in order, without `$`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(&**name),
            Part::Text(_) => None,
        })
    }

    /// Appends the text; `value` appends what a name such as `context.requestId` stands for, which may be nothing.
    pub fn render_into(&self, out: &mut String, value: &dyn Fn(&str, &mut String)) {
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Name(name) => value(name, out),
            }
        }
    }
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if !text.is_empty() {
        parts.push(Part::Text(text.into()));
    }
}

fn continues_a_word(source: &str, start: usize) -> bool {
    let is_bare = !source[start..].starts_with('$');
    is_bare
        && source[..start]
            .ends_with(|character: char| character.is_alphanumeric() || matches!(character, '.' | '_' | '-'))
}

/// The name at the start of the text and the length of it all, `$`, `${` and `}` included.
fn name_at(text: &str) -> Option<(&str, usize)> {
    let after_dollar = text.strip_prefix('$').unwrap_or(text);
    let dollar = text.len() - after_dollar.len();
    let after_brace = if dollar == 1 { after_dollar.strip_prefix('{').unwrap_or(after_dollar) } else { after_dollar };
    let braced = after_brace.len() < after_dollar.len();
    let root = ROOTS.iter().find(|root| after_brace.starts_with(**root))?;
    if dollar == 0 && *root != "method.request." {
        return None;
    }
    let characters =
        after_brace.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    // A dot at the end is the end of a sentence.
    let name = after_brace[..characters.count()].trim_end_matches('.');
    if name.len() < root.len() {
        return None;
    }
    let start = dollar + usize::from(braced);
    match (braced, after_brace[name.len()..].starts_with('}')) {
        (true, true) => Some((name, start + name.len() + 1)),
        (true, false) => None,
        (false, _) => Some((name, start + name.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::PlainTemplate;

    fn check(source: &str, expected: &str) {
        let mut out = String::new();
        PlainTemplate::parse(source).render_into(&mut out, &|name, out| {
            out.push('<');
            out.push_str(name);
            out.push('>');
        });
        assert_eq!(out, expected, "{source}");
    }

    #[test]
    fn a_long_word_is_read_once() {
        let word = format!("x{}", "method.request.".repeat(100_000));
        assert_eq!(PlainTemplate::parse(&word).names().count(), 0);
        assert_eq!(PlainTemplate::parse(&"${context.m".repeat(100_000)).names().count(), 0);
        assert_eq!(PlainTemplate::parse(&"$context.m".repeat(10)).names().count(), 10);
    }

    #[test]
    fn names_are_replaced_and_the_rest_is_text() {
        check(
            "$context.identity.sourceIp - [$context.requestTime] \"x\"",
            "<context.identity.sourceIp> - [<context.requestTime>] \"x\"",
        );
        check("${context.apiId}!", "<context.apiId>!");
        check("v=$stageVariables.env.", "v=<stageVariables.env>.");
        check(
            "h: $method.request.header.X-A, q: method.request.querystring.q",
            "h: <method.request.header.X-A>, q: <method.request.querystring.q>",
        );
        check(
            "$input.body #if(true) $ $context $context. ${context.x",
            "$input.body #if(true) $ $context $context. ${context.x",
        );
        check("mm my.method.request.path.x é$context.é", "mm my.method.request.path.x é$context.é");
    }
}
