//! Mapping templates: the Velocity language as API Gateway runs it.
//!
//! A template is compiled once and rendered often. Rendering appends to one string, keeps variables in numbered slots and reads
//! the payload in place; the body is parsed as JSON when the template first asks for it.
//!
//! ```
//! use templates::vtl::{Limits, NoContext, Overrides, ParamLists, Scope, Template};
//!
//! let template = Template::parse(
//!     "#foreach($pet in $input.path('$.pets'))$pet.name of $input.params('shop')#if($foreach.hasNext), #end#end",
//! )?;
//! let params = ParamLists { path: vec![("shop".into(), "Rye".into())], ..ParamLists::default() };
//! let stage_variables = std::collections::BTreeMap::new();
//! let scope = Scope {
//!     body: r#"{"pets": [{"name": "Tom"}, {"name": "Rex"}]}"#,
//!     params: &params,
//!     context: &NoContext,
//!     stage_variables: &stage_variables,
//!     overrides: Overrides::default(),
//! };
//! let rendered = template.render(&scope, &Limits::default())?;
//! assert_eq!(rendered.text, "Tom of Rye, Rex of Rye");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What differs from Velocity 1.7, because API Gateway differs: a null or undefined reference prints nothing, counts as true in
//! conditions and equals the empty text; a `#macro` is swallowed and calls of it are text, as are `#parse`, `#include` and
//! `#evaluate`. Wider than Velocity: operators are allowed wherever a value is (`$list.get($i + 1)`).
//!
//! Everything is bounded by [`Limits`]; a `#foreach` ends silently after 1000 turns, every other bound is an error.

mod arithmetic;
mod ast;
mod builtins;
mod evaluate;
mod expression;
mod machine;
mod methods;
mod number_methods;
mod overrides;
mod parser;
mod print;
mod scope;
mod text_format;
mod text_methods;
mod utilities;
mod value;

#[cfg(test)]
mod tests;

use std::time::Duration;

use parser::{Names, Parser};

pub use overrides::{OneOrMany, Overrides};
pub use scope::{Context, NoContext, ParamLists, ParamPlace, Params, Scope, Variables};

/// The largest template, in bytes.
pub const MAX_SOURCE_BYTES: usize = 300 * 1024;

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    body: ast::Block,
    slots: usize,
    /// Whether the template changes values in place, so that it needs its own copy of what it takes from the payload.
    mutates: bool,
}

/// Why a template cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Why a rendering failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The output, or one text value, grew too large.
    #[error("the output is larger than {limit} bytes")]
    OutputTooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The template worked too long.
    #[error("the template takes more than {limit} steps")]
    TooManySteps {
        /// The limit.
        limit: u64,
    },
    /// The template's values need too much memory.
    #[error("the template's values take more than {limit} bytes")]
    OutOfMemory {
        /// The limit, in bytes.
        limit: usize,
    },
    /// Blocks or values are nested too deeply.
    #[error("blocks or values are nested too deeply")]
    TooDeep,
    /// Searches with regular expressions took too long.
    #[error("regular expressions take too long")]
    SearchesTooSlow,
    /// A call failed as it fails in Java: an index out of range, text that is no JSON.
    #[error("{call} failed: {reason}")]
    CallFailed {
        /// The method.
        call: String,
        /// What was wrong.
        reason: String,
    },
}

/// What a rendering may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Turns of one `#foreach`; it ends silently after them. API Gateway's limit is 1000.
    pub loop_turns: usize,
    /// The largest output, in bytes. 10 MB, which is the largest payload.
    pub output_bytes: usize,
    /// The memory that the template's own values may take, in bytes, roughly counted.
    pub value_bytes: usize,
    /// Statements and expressions evaluated, and elements touched, in all.
    pub steps: u64,
    /// How long searches with regular expressions may take in all, one that has begun not counted: their steps cannot be.
    pub search_time: Duration,
    /// How deep statements, expressions and `#define` blocks may be nested while rendering.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            loop_turns: 1000,
            output_bytes: 10 * 1024 * 1024,
            value_bytes: 128 * 1024 * 1024,
            steps: 3_000_000,
            search_time: Duration::from_secs(2),
            depth: 250,
        }
    }
}

/// What a template made.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The output.
    pub text: String,
    /// What the template assigned to `$context.requestOverride` and `$context.responseOverride`, those of the scope included.
    pub overrides: Overrides,
}

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// The text is not a template, is nested too deeply, or is larger than [`MAX_SOURCE_BYTES`].
    pub fn parse(source: &str) -> Result<Template, ParseError> {
        if source.len() > MAX_SOURCE_BYTES {
            let message = format!("the template is larger than {MAX_SOURCE_BYTES} bytes");
            return Err(ParseError { line: 1, column: 1, message });
        }
        let mut names = Names::new();
        let mut parser = Parser::new(source, &mut names);
        let body = parser.whole()?;
        let mutates = parser.mutates;
        Ok(Template { body, slots: names.len(), mutates })
    }

    /// The text that every rendering gives, when the template is text alone.
    pub fn constant(&self) -> Option<&str> {
        match self.body.as_slice() {
            [] => Some(""),
            [ast::Node::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Renders the template.
    ///
    /// # Errors
    /// A call failed or a limit was reached. API Gateway answers 500 then.
    pub fn render(&self, scope: &Scope<'_>, limits: &Limits) -> Result<Rendered, RenderError> {
        machine::render(self, scope, limits)
    }
}
