//! From template text to the compiled form: running text, directives, comments and escapes. Expressions and references are in
//! `expression.rs`.
//!
//! The grammar is that of Velocity 1.7 with the directives that API Gateway leaves: what is no directive of its own is text.

use std::collections::HashMap;

use super::ParseError;
use super::ast::{Assignment, BUILT_IN_NAMES, Block, Choice, EscapedReference, Foreach, Node};

/// How deep blocks, parentheses, lists and strings may nest.
const MAX_NESTING: usize = 100;

/// The names of variables, each with the number of its slot.
#[derive(Debug)]
pub(super) struct Names {
    slots: HashMap<Box<str>, u32>,
}

impl Names {
    pub(super) fn new() -> Names {
        let slots = BUILT_IN_NAMES.iter().zip(0..).map(|(name, slot)| (Box::from(*name), slot)).collect();
        Names { slots }
    }

    pub(super) fn slot(&mut self, name: &str) -> u32 {
        if let Some(slot) = self.slots.get(name) {
            return *slot;
        }
        // A source has at most 300 KB, so the count fits.
        let slot = self.slots.len() as u32;
        self.slots.insert(name.into(), slot);
        slot
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}

/// What ended a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    EndOfInput,
    End,
    Else,
    ElseIf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    Set,
    If,
    ElseIf,
    Else,
    End,
    Foreach,
    Break,
    Stop,
    Define,
    Macro,
}

impl Directive {
    fn from_word(word: &str) -> Option<Directive> {
        Some(match word {
            "set" => Directive::Set,
            "if" => Directive::If,
            "elseif" => Directive::ElseIf,
            "else" => Directive::Else,
            "end" => Directive::End,
            "foreach" => Directive::Foreach,
            "break" => Directive::Break,
            "stop" => Directive::Stop,
            "define" => Directive::Define,
            "macro" => Directive::Macro,
            _ => return None,
        })
    }
}

/// Reads one source: the template, or the inside of one of its double-quoted strings.
pub(super) struct Parser<'s, 'n> {
    pub(super) source: &'s str,
    pub(super) bytes: &'s [u8],
    pub(super) position: usize,
    pub(super) names: &'n mut Names,
    /// Whether the inside of a string is read, which may end in `$`.
    pub(super) is_string: bool,
    pub(super) nesting: usize,
    /// Whether what is read is only tried: an error of it is shown to nobody.
    probing: bool,
    /// Whether the template changes values in place (`$list.add(…)`, `#set($map.key = …)`).
    pub(super) mutates: bool,
}

impl<'s, 'n> Parser<'s, 'n> {
    pub(super) fn new(source: &'s str, names: &'n mut Names) -> Parser<'s, 'n> {
        Parser {
            source,
            bytes: source.as_bytes(),
            position: 0,
            names,
            is_string: false,
            nesting: 0,
            probing: false,
            mutates: false,
        }
    }

    /// Reads everything.
    pub(super) fn whole(&mut self) -> Result<Block, ParseError> {
        let (block, ending) = self.block()?;
        match ending {
            Ending::EndOfInput => Ok(block),
            Ending::End => Err(self.error("`#end` without a directive that it ends")),
            Ending::Else => Err(self.error("`#else` without `#if`")),
            Ending::ElseIf => Err(self.error("`#elseif` without `#if`")),
        }
    }

    pub(super) fn error(&self, message: impl Into<String>) -> ParseError {
        // Finding the line takes a look at everything before it, which is too much for what is tried at every `#`.
        let (line, column) = if self.probing { (0, 0) } else { self.line_and_column(self.position) };
        ParseError { line, column, message: message.into() }
    }

    fn line_and_column(&self, position: usize) -> (usize, usize) {
        let before = &self.bytes[..position.min(self.bytes.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |index| index + 1);
        let column = self.source.get(line_start..before.len()).map_or(0, |text| text.chars().count()) + 1;
        (line, column)
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    pub(super) fn peek_at(&self, offset: usize) -> Option<u8> {
        self.bytes.get(self.position + offset).copied()
    }

    /// Runs `read` one level deeper, or refuses what is nested too deeply.
    pub(super) fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        if self.nesting >= MAX_NESTING {
            return Err(self.error("the template is nested too deeply"));
        }
        self.nesting += 1;
        let result = read(self);
        self.nesting -= 1;
        result
    }

    fn block(&mut self) -> Result<(Block, Ending), ParseError> {
        let mut nodes = Vec::new();
        let mut text = String::new();
        loop {
            let rest = &self.bytes[self.position..];
            let Some(plain) = rest.iter().position(|byte| matches!(byte, b'$' | b'#' | b'\\')) else {
                text.push_str(&self.source[self.position..]);
                self.position = self.bytes.len();
                flush(&mut text, &mut nodes);
                return Ok((nodes, Ending::EndOfInput));
            };
            text.push_str(&self.source[self.position..self.position + plain]);
            self.position += plain;
            let ending = match self.bytes[self.position] {
                b'\\' => self.backslashes(&mut text, &mut nodes)?,
                b'$' => {
                    self.dollar(&mut text, &mut nodes)?;
                    None
                }
                _ => self.hash(&mut text, &mut nodes)?,
            };
            if let Some(ending) = ending {
                flush(&mut text, &mut nodes);
                return Ok((nodes, ending));
            }
        }
    }

    /// Backslashes matter only before a reference or a directive that exists: there each pair stands for one, and an odd
    /// one makes what follows text.
    fn backslashes(&mut self, text: &mut String, nodes: &mut Block) -> Result<Option<Ending>, ParseError> {
        let count = self.bytes[self.position..].iter().take_while(|byte| **byte == b'\\').count();
        let start = self.position;
        self.position += count;
        match self.peek() {
            Some(b'$') => {
                let reference_start = self.position;
                if let Some(reference) = self.reference()? {
                    flush(text, nodes);
                    let source = self.source[reference_start..self.position].into();
                    nodes.push(Node::PrintEscaped(Box::new(EscapedReference {
                        reference,
                        source,
                        backslashes: count,
                    })));
                    return Ok(None);
                }
            }
            Some(b'#') => {
                if let Some((word, length)) = self.directive_word(self.position)
                    && Directive::from_word(word).is_some()
                {
                    text.push_str(&self.source[start..start + count / 2]);
                    if count % 2 == 0 {
                        return self.hash(text, nodes);
                    }
                    text.push_str(&self.source[self.position..self.position + length]);
                    self.position += length;
                    return Ok(None);
                }
            }
            _ => {}
        }
        text.push_str(&self.source[start..start + count]);
        Ok(None)
    }

    fn dollar(&mut self, text: &mut String, nodes: &mut Block) -> Result<(), ParseError> {
        if let Some(reference) = self.reference()? {
            flush(text, nodes);
            nodes.push(Node::Print(reference));
            return Ok(());
        }
        if self.position + 1 == self.bytes.len() && !self.is_string {
            return Err(self.error("the template ends in a lone `$`"));
        }
        text.push('$');
        self.position += 1;
        // `$\!x` is no reference but the way to print `$!x`: one of the backslashes goes.
        let backslashes = self.bytes[self.position..].iter().take_while(|byte| **byte == b'\\').count();
        let is_name = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'{');
        if backslashes > 0
            && self.peek_at(backslashes) == Some(b'!')
            && self.peek_at(backslashes + 1).is_some_and(is_name)
        {
            text.push_str(&"\\".repeat(backslashes - 1));
            text.push('!');
            self.position += backslashes + 1;
        }
        Ok(())
    }

    fn hash(&mut self, text: &mut String, nodes: &mut Block) -> Result<Option<Ending>, ParseError> {
        match self.peek_at(1) {
            Some(b'#') => {
                flush(text, nodes);
                self.line_comment();
                return Ok(None);
            }
            Some(b'*') => {
                flush(text, nodes);
                let inside = &self.source[self.position + 2..];
                self.position = match inside.find("*#") {
                    Some(length) => self.position + 2 + length + 2,
                    None => self.bytes.len(),
                };
                return Ok(None);
            }
            Some(b'[') if self.peek_at(2) == Some(b'[') => {
                let inside = &self.source[self.position + 3..];
                let Some(length) = inside.find("]]#") else {
                    return Err(self.error("`#[[` without `]]#`"));
                };
                text.push_str(&inside[..length]);
                self.position += 3 + length + 3;
                return Ok(None);
            }
            _ => {}
        }
        let Some((word, length)) = self.directive_word(self.position) else {
            text.push('#');
            self.position += 1;
            return Ok(None);
        };
        match Directive::from_word(word) {
            // `#set` is a directive only with its parenthesis.
            Some(Directive::Set) if self.open_parenthesis_after(length).is_none() => self.push_text(text, length),
            Some(directive) => {
                // Blanks that follow something other than text belong to the `#set` after them; at the start they are text.
                let is_start = text.len() == self.position;
                if directive == Directive::Set && !is_start && text.bytes().all(|byte| matches!(byte, b' ' | b'\t')) {
                    text.clear();
                }
                self.position += length;
                return self.directive(directive, text, nodes);
            }
            None => {
                let length = self.unknown_call_length(length).unwrap_or(length);
                self.push_text(text, length);
            }
        }
        Ok(None)
    }

    fn push_text(&mut self, text: &mut String, length: usize) {
        text.push_str(&self.source[self.position..self.position + length]);
        self.position += length;
    }

    /// `##` to the end of the line, the line's end included.
    fn line_comment(&mut self) {
        let rest = &self.bytes[self.position..];
        match rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(length) => {
                self.position += length;
                self.line_end();
            }
            None => self.position = self.bytes.len(),
        }
    }

    /// The directive's name after the `#` at `position`, and the length of it all: `#word` or `#{word}`.
    fn directive_word(&self, position: usize) -> Option<(&'s str, usize)> {
        let after_hash = &self.bytes[position + 1..];
        let braced = after_hash.first() == Some(&b'{');
        let start = position + 1 + usize::from(braced);
        let first = *self.bytes.get(start)?;
        if !first.is_ascii_alphabetic() && first != b'_' {
            return None;
        }
        let length =
            self.bytes[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        if braced && self.bytes.get(start + length) != Some(&b'}') {
            return None;
        }
        Some((&self.source[start..start + length], 1 + length + 2 * usize::from(braced)))
    }

    /// How far after the current position a parenthesis opens, when only blanks stand between it and `offset`.
    fn open_parenthesis_after(&self, offset: usize) -> Option<usize> {
        let rest = self.bytes.get(self.position + offset..)?;
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        (rest.get(blanks) == Some(&b'(')).then_some(offset + blanks)
    }

    /// The length of `#unknown(arguments)`, which is printed as it is, arguments and all. `None` when what follows the name
    /// is no argument list; then only the name is text.
    fn unknown_call_length(&mut self, name_length: usize) -> Option<usize> {
        let parenthesis = self.open_parenthesis_after(name_length)?;
        let start = self.position;
        self.position += parenthesis + 1;
        let outer = std::mem::replace(&mut self.probing, true);
        let arguments = self.nested(|parser| parser.directive_arguments());
        self.probing = outer;
        let length = self.position - start;
        self.position = start;
        arguments.is_ok().then_some(length)
    }

    fn directive_arguments(&mut self) -> Result<(), ParseError> {
        loop {
            self.skip_whitespace();
            match self.peek() {
                Some(b')') => {
                    self.position += 1;
                    return Ok(());
                }
                Some(b',') => self.position += 1,
                _ => {
                    self.primary()?;
                }
            }
        }
    }

    fn directive(
        &mut self,
        directive: Directive,
        text: &mut String,
        nodes: &mut Block,
    ) -> Result<Option<Ending>, ParseError> {
        match directive {
            Directive::End => {
                self.blanks_and_line_end();
                return Ok(Some(Ending::End));
            }
            Directive::Else => {
                self.blanks_and_line_end();
                return Ok(Some(Ending::Else));
            }
            Directive::ElseIf => return Ok(Some(Ending::ElseIf)),
            _ => {}
        }
        flush(text, nodes);
        let node = match directive {
            Directive::Set => self.set()?,
            Directive::If => self.nested(Self::choice)?,
            Directive::Foreach => self.nested(Self::foreach)?,
            Directive::Define => self.nested(Self::define)?,
            Directive::Break => Node::Break,
            Directive::Stop => Node::Stop,
            // A definition is swallowed: calls of it are text.
            _ => {
                self.nested(Self::macro_definition)?;
                return Ok(None);
            }
        };
        nodes.push(node);
        Ok(None)
    }

    fn set(&mut self) -> Result<Node, ParseError> {
        self.expect_open("#set")?;
        self.skip_whitespace();
        let Some(target) = self.reference()? else {
            return Err(self.error("`#set` needs a reference to assign to"));
        };
        self.skip_whitespace();
        if self.peek() != Some(b'=') {
            return Err(self.error("`=` expected in `#set`"));
        }
        self.position += 1;
        let value = self.expression()?;
        self.expect_close()?;
        if !target.steps.is_empty() && target.slot != super::ast::SLOT_CONTEXT {
            self.mutates = true;
        }
        Ok(Node::Set(Box::new(Assignment { target, value })))
    }

    fn choice(&mut self) -> Result<Node, ParseError> {
        let mut arms = Vec::new();
        let mut otherwise = Vec::new();
        loop {
            self.expect_open("#if")?;
            let condition = self.expression()?;
            self.expect_close()?;
            let (block, ending) = self.block()?;
            arms.push((condition, block));
            match ending {
                Ending::ElseIf => continue,
                Ending::Else => {
                    let (block, ending) = self.block()?;
                    if ending != Ending::End {
                        return Err(self.error("`#end` expected after `#else`"));
                    }
                    otherwise = block;
                }
                Ending::End => {}
                Ending::EndOfInput => return Err(self.error("`#if` without `#end`")),
            }
            return Ok(Node::If(Box::new(Choice { arms, otherwise })));
        }
    }

    fn foreach(&mut self) -> Result<Node, ParseError> {
        self.expect_open("#foreach")?;
        self.skip_whitespace();
        let slot = self.plain_variable("#foreach")?;
        self.skip_whitespace();
        if !self.word("in") {
            return Err(self.error("`in` expected in `#foreach`"));
        }
        let source = self.expression()?;
        self.expect_close()?;
        let body = self.body("#foreach")?;
        Ok(Node::Foreach(Box::new(Foreach { slot, source, body })))
    }

    fn define(&mut self) -> Result<Node, ParseError> {
        self.expect_open("#define")?;
        self.skip_whitespace();
        let slot = self.plain_variable("#define")?;
        self.expect_close()?;
        let body = self.body("#define")?;
        Ok(Node::Define { slot, body })
    }

    fn macro_definition(&mut self) -> Result<(), ParseError> {
        self.expect_open("#macro")?;
        let Some(length) = self.bytes[self.position..].iter().position(|byte| *byte == b')') else {
            return Err(self.error("`)` expected in `#macro`"));
        };
        self.position += length;
        self.expect_close()?;
        self.body("#macro").map(|_| ())
    }

    fn body(&mut self, directive: &str) -> Result<Block, ParseError> {
        match self.block()? {
            (block, Ending::End) => Ok(block),
            _ => Err(self.error(format!("`{directive}` without `#end`"))),
        }
    }

    /// A variable without properties, calls or indexes.
    fn plain_variable(&mut self, directive: &str) -> Result<u32, ParseError> {
        match self.reference()? {
            Some(reference) if reference.steps.is_empty() => Ok(reference.slot),
            _ => Err(self.error(format!("`{directive}` needs a variable"))),
        }
    }

    fn expect_open(&mut self, directive: &str) -> Result<(), ParseError> {
        self.skip_whitespace();
        if self.peek() != Some(b'(') {
            return Err(self.error(format!("`(` expected after `{directive}`")));
        }
        self.position += 1;
        Ok(())
    }

    /// The parenthesis that ends a directive takes blanks and the end of the line with it.
    fn expect_close(&mut self) -> Result<(), ParseError> {
        self.skip_whitespace();
        if self.peek() != Some(b')') {
            return Err(self.error("`)` expected"));
        }
        self.position += 1;
        self.blanks_and_line_end();
        Ok(())
    }

    /// Skips blanks and the end of the line, or nothing when something else stands on the line.
    fn blanks_and_line_end(&mut self) {
        let start = self.position;
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.position += 1;
        }
        if !self.line_end() {
            self.position = start;
        }
    }

    fn line_end(&mut self) -> bool {
        let length = match (self.peek(), self.peek_at(1)) {
            (Some(b'\r'), Some(b'\n')) => 2,
            (Some(b'\r' | b'\n'), _) => 1,
            _ => return false,
        };
        self.position += length;
        true
    }
}

fn flush(text: &mut String, nodes: &mut Block) {
    if !text.is_empty() {
        nodes.push(Node::Text(std::mem::take(text).into_boxed_str()));
    }
}
