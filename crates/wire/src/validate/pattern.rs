//! The patterns of models are Java's regular expressions, and the whole text must match.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, RwLock};

use fancy_regex::{Regex, RegexBuilder};

type Compiled = HashMap<&'static str, Option<Arc<Regex>>>;

/// Compiled patterns. They come from static tables, so their number is bounded.
static COMPILED: LazyLock<RwLock<Compiled>> = LazyLock::new(RwLock::default);

/// How many steps a pattern with look-around may take; no such pattern of a model comes near on text of its length.
const MAXIMUM_STEPS: usize = 100_000;

/// Whether the whole of `text` matches. A pattern that we cannot compile refuses nothing; a test compiles them all.
pub(super) fn matches(pattern: &'static str, text: &str) -> bool {
    compiled(pattern).is_none_or(|regex| regex.is_match(text).unwrap_or(false))
}

fn compiled(pattern: &'static str) -> Option<Arc<Regex>> {
    if let Some(known) = COMPILED.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(pattern) {
        return known.clone();
    }
    let regex = compile(pattern).map(Arc::new);
    COMPILED.write().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(pattern, regex.clone());
    regex
}

pub(super) fn compile(pattern: &str) -> Option<Regex> {
    let whole = format!(r"\A(?:{})\z", ascii_classes(pattern));
    RegexBuilder::new(&whole).backtrack_limit(MAXIMUM_STEPS).build().ok()
}

/// Java's `\d`, `\w` and `\s` are ASCII, and the engine's are not.
fn ascii_classes(pattern: &str) -> String {
    let mut translated = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            translated.push(letter);
            continue;
        }
        match letters.next() {
            Some('d') => translated.push_str("[0-9]"),
            Some('D') => translated.push_str("[^0-9]"),
            Some('w') => translated.push_str("[a-zA-Z0-9_]"),
            Some('W') => translated.push_str("[^a-zA-Z0-9_]"),
            Some('s') => translated.push_str(r"[ \t\n\x0B\f\r]"),
            Some('S') => translated.push_str(r"[^ \t\n\x0B\f\r]"),
            Some(other) => translated.extend(['\\', other]),
            None => translated.push('\\'),
        }
    }
    translated
}
